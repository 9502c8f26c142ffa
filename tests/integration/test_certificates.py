"""People whose keys a CA vouches for: what of a certificate lets in, and what does not."""

import os
import subprocess

from support import LabCase, eventually, read, write


class CertificatesTest(LabCase):
    machines = ("robot", "other")

    @classmethod
    def new_lab(cls):
        """The lab with a CA for people; none of them has a line in keys_dir."""
        cls.made = os.path.join(cls.base, "made")
        os.makedirs(cls.made)
        for name in ("ca", "rsa-ca", "strange-ca"):
            cls.keygen(name, *(("-t", "rsa", "-b", "2048") if name == "rsa-ca" else ("-t", "ed25519")))
        write(cls.path("cas"), "# both\n" + read(cls.path("ca.pub")) + read(cls.path("rsa-ca.pub")))
        write(cls.path("revoked"), "# none\n")
        cls.settings = {"penalties": f"no_penalties: [0.0.0.0/0]\nuser_ca_keys: [{cls.path('cas')}]\nrevoked_keys: {cls.path('revoked')}\n"}
        lab = super().new_lab()
        for name in cls.machines:
            os.unlink(lab.path("config", "keys", name))
        return lab

    @classmethod
    def path(cls, name):
        return os.path.join(cls.made, name)

    @classmethod
    def keygen(cls, name, *words):
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", cls.path(name), *words], check=True)

    def certified(self, name, *words, ca="ca", key=("-t", "ed25519"), identity="some-id"):
        """A fresh key with a certificate; options for ssh that offer nothing else."""
        self.keygen(name, *key)
        subprocess.run(["ssh-keygen", "-q", "-s", self.path(ca), "-I", identity, *words, self.path(name) + ".pub"], check=True)
        return [f"IdentityFile={self.path(name)}", "IdentitiesOnly=yes", f"CertificateFile={self.path(name)}-cert.pub"]

    def log_in_by(self, options, person="robot"):
        words = [word for option in options for word in ("-o", option)]
        config = os.path.join(self.made, "config")
        text = read(self.lab.path("ssh_config.robot")).replace(f"    IdentityFile {self.lab.path('robot')}\n", "")
        write(config, text)
        return subprocess.run(["ssh", "-F", config, *words, "-l", person, "bastion", "help"], capture_output=True, timeout=60,
                              check=False, stdin=subprocess.DEVNULL)

    def assert_admitted(self, options, person="robot"):
        done = self.log_in_by(options, person)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(f"You are {person}, by key SHA256:".encode(), done.stdout)

    def assert_kept_out(self, options, why, person="robot"):
        mark = len(self.events())
        done = self.log_in_by(options, person)
        self.assertEqual((done.returncode, done.stdout), (255, b""), done)
        eventually(lambda: self.events_since(mark, event="login.failed", sentence=why), f"{why} in {self.events()[mark:]}", 20)

    def test_certificate_of_each_type_lets_in(self):
        for name, key in (("c-ed", ("-t", "ed25519")), ("c-ec", ("-t", "ecdsa", "-b", "384")), ("c-rsa", ("-t", "rsa", "-b", "2048"))):
            for ca in ("ca", "rsa-ca"):
                with self.subTest(key=key, ca=ca):
                    mark = len(self.events())
                    self.assert_admitted(self.certified(f"{name}-{ca}", "-n", "robot", "-V", "-5m:+5m", "-z", "77", ca=ca, key=key))
                    used = self.events_since(mark, event="certificate.used", person="^robot$", key_id="^some-id$")
                    self.assertEqual([one["serial"] for one in used], [77])

    def test_certificate_reaches_a_target_like_a_key(self):
        options = self.certified("t-ed", "-n", "robot")
        words = " ".join(f"-o {option}" for option in options)
        done = self.ssh("-o", f"ProxyCommand=ssh -F {self.lab.path('ssh_config.robot')} {words} -W [%h]:%p bastion",
                        "ec2-user@node1", "id -un", person="robot")
        self.assertEqual((done.returncode, done.stdout), (0, b"ec2-user\n"), done.stderr)

    def test_certificate_is_kept_out_by_its_row(self):
        here = self.lab.network.user_ip
        for number, (words, ca, why) in enumerate((
                (("-n", "alice"), "ca", "not for this person"),
                (("-n", "robot", "-V", "+5m:+10m"), "ca", "not valid yet"),
                (("-n", "robot", "-V", "-10m:-5m"), "ca", "expired"),
                (("-n", "robot", "-O", "source-address=192.0.2.0/24"), "ca", "not for this address"),
                (("-n", "robot", "-O", "force-command=/bin/true"), "ca", "does not keep"),
                (("-n", "robot", "-O", "critical:x@example.com=1"), "ca", "does not keep"),
                (("-n", "robot"), "strange-ca", "no key of this name"))):
            with self.subTest(words=words, ca=ca):
                options = self.certified(f"row-{number}", *words, ca=ca)
                # OpenSSH does not offer what it sees is not valid, nor a key that the bastion did not say yes to.
                if why in ("not valid yet", "expired") or ca == "strange-ca":
                    self.assertEqual(self.log_in_by(options).returncode, 255)
                else:
                    self.assert_kept_out(options, why)
        self.assert_admitted(self.certified("row-here", "-n", "robot", "-O", f"source-address={here}/32"))

    def test_certified_key_alone_does_not_let_in(self):
        options = self.certified("alone", "-n", "robot")
        self.assertEqual(self.log_in_by([f"IdentityFile={self.path('row-none')}", *options[1:2]]).returncode, 255)
        os.rename(self.path("alone-cert.pub"), self.path("hidden-cert.pub"))
        self.assertEqual(self.log_in_by(options[:2]).returncode, 255)

    def test_certificate_for_somebody_the_policy_does_not_name_is_kept_out(self):
        options = self.certified("nobody", "-n", "mallory")
        self.assertEqual(self.log_in_by(options, "mallory").returncode, 255)

    def test_revoked_certificates_are_kept_out_after_a_reload(self):
        serial = self.certified("r-serial", "-n", "other", "-z", "4711")
        known = self.certified("r-id", "-n", "other", identity="stolen laptop")
        key = self.certified("r-key", "-n", "other")
        good = self.certified("r-good", "-n", "other", "-z", "4712")
        for options in (serial, known, key, good):
            self.assert_admitted(options, "other")
        fingerprint = subprocess.run(["ssh-keygen", "-lf", self.path("r-key.pub")], check=True, capture_output=True, text=True).stdout.split()[1]
        write(self.path("revoked"), f"# taken back\nserial 4711\nid stolen laptop\nkey {fingerprint}\n")
        self.lab.gateway.reload()
        eventually(lambda: self.log_in_by(serial, "other").returncode == 255, "the list is read")
        for options in (serial, known, key):
            self.assert_kept_out(options, "revoked", "other")
        self.assert_admitted(good, "other")
        mark = len(self.events())
        write(self.path("revoked"), "serial many\n")
        self.lab.gateway.reload()
        eventually(lambda: self.events_since(mark, event="user_ca.refused", sentence=r"revoked:1: must be"), "the list is refused")
        self.assert_kept_out(serial, "revoked", "other")  # what was in force stays
        write(self.path("revoked"), "# none\n")
        self.lab.gateway.reload()
        eventually(lambda: self.log_in_by(serial, "other").returncode == 0, "nothing is revoked any more")
