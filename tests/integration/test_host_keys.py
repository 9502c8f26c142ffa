"""What vouches for hosts: certificates that targets show, and those that the bastion shows."""

import datetime
import os
import re
import shutil
import subprocess
import unittest

from support import LabCase, read, write

TARGETS = """\
  sealed:
    kind: ssh
    hosts: [sealed, sealed2]
    addresses: [private]
    login_as: [ec2-user]
    host_keys: { known_hosts: sealed.known_hosts, ca: [host_ca.pub] }
"""
RULES = """\
  - { id: ci-sealed, who: [ci], to: [sealed], as: [ec2-user], can: { exec: true }, when: { from: [engineers] } }
"""
# node1's sshd listens on a second port as well.
MORE_TARGETS = """\
  big: { kind: ssh, hosts: [big.name], addresses: [private], login_as: [ec2-user], host_keys: { known_hosts: targets.known_hosts } }
  port: { kind: ssh, hosts: [node1], port: 2222, addresses: [private], login_as: [ec2-user], host_keys: { known_hosts: targets.known_hosts } }
"""
MORE_RULES = """\
  - { id: ci-more, who: [ci], to: [big, port], as: [ec2-user], can: { exec: true }, when: { from: [engineers] } }
"""


class TargetCertificatesTest(LabCase):
    """node1's sshd reads its certificate anew for each connection, so each test gives it another one."""

    @classmethod
    def new_lab(cls):
        cls.made = os.path.join(cls.base, "made")
        os.makedirs(cls.made)
        for name, key in (("ca", "ed25519"), ("ca-rsa", "rsa"), ("ca-strange", "ed25519")):
            subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", key, "-C", f"{name} of hosts", "-f", cls.file(name)], check=True)
        cls.settings = {"names": ("sealed", "sealed2", "node9"), "more_targets": TARGETS, "more_rules": RULES,
                        "sshd_lines": f"HostCertificate {cls.file('host-cert.pub')}\n"}
        lab = super().new_lab()
        cls.host_key = read(lab.path("node1", "ssh_host_ed25519_key.pub"))
        write(cls.file("host.pub"), cls.host_key)
        return lab

    @classmethod
    def file(cls, name):
        return os.path.join(cls.made, name)

    def setUp(self):
        self.trust(known_hosts="# nothing\n", cas=read(self.file("ca.pub")))

    def trust(self, known_hosts, cas):
        write(self.lab.path("config", "sealed.known_hosts"), known_hosts)
        write(self.lab.path("config", "host_ca.pub"), cas)

    def certify(self, *words, ca="ca"):
        subprocess.run(["ssh-keygen", "-q", "-s", self.file(ca), "-I", "node", *words, self.file("host.pub")], check=True)

    def fingerprint(self, name):
        return subprocess.run(["ssh-keygen", "-l", "-f", self.file(name)], check=True, capture_output=True, text=True).stdout.split()[1]

    def log_in_to(self, host="sealed"):
        return self.ssh("-l", "ec2-user", "node1", "id -un", options=[f"HostName={host}"])

    def assert_trusted(self, host="sealed"):
        done = self.log_in_to(host)
        self.assertEqual((done.returncode, done.stdout), (0, b"ec2-user\n"), done.stderr)

    def assert_not_trusted(self, why, host="sealed"):
        mark = len(self.events())
        done = self.log_in_to(host)
        self.assert_refused(done, rf"does not trust {host}: [^\n]*{why}[^\n]*\[D-HOST-KEY\]", mark, "session.note", host=host)
        self.assertEqual(len(self.events_since(mark, sentence=r"\[D-HOST-KEY\]")), 1, "one event")
        self.assertIn(self.fingerprint("host.pub"), done.stderr.decode())
        return done

    def test_certificate_of_a_ca_is_enough(self):
        for ca in ("ca", "ca-rsa"):
            with self.subTest(ca=ca):
                self.trust("# nothing\n", "# all of ours\n" + read(self.file("ca.pub")) + read(self.file("ca-rsa.pub")))
                self.certify("-h", "-n", "other,sealed", "-V", "-5m:+5m", ca=ca)
                before = self.sessions()
                self.assert_trusted()
                told = self.bastion("replay", "--events", *self.reading(), self.new_sessions(before)[0]["id"]).stdout
                self.assertIn(f"{self.fingerprint('host.pub')} certified by {self.fingerprint(f'{ca}.pub')}", told)

    def test_certificate_by_a_line_of_known_hosts_is_enough(self):
        self.certify("-h", "-n", "sealed", ca="ca-strange")
        self.trust(f"@cert-authority seal* {read(self.file('ca-strange.pub'))}", "# none\n")
        self.assert_trusted()
        self.trust(f"@cert-authority other {read(self.file('ca-strange.pub'))}", read(self.file("ca.pub")))
        self.assert_not_trusted("CA that is not trusted")

    def test_certificate_is_refused_by_its_row(self):
        for words, why in ((("-h", "-n", "sealed2"), "not for this name"), (("-h", "-n", "*"), "not for this name"),
                           (("-h", "-n", "sealed", "-V", "-10m:-5m"), "expired"),
                           (("-h", "-n", "sealed", "-V", "+5m:+10m"), "not valid yet"),
                           (("-h", "-n", "sealed", "-O", "critical:a@example.com=1"), "critical option"),
                           (("-h",), "not laid out")):
            with self.subTest(words=words):
                self.certify(*words)
                if why == "not laid out":  # what cannot be read has no key, only a fingerprint of the whole
                    self.assertIn(b"not laid out", self.log_in_to().stderr)
                else:
                    self.assert_not_trusted(why)
        self.certify("-h", "-n", "sealed2")
        self.assert_trusted("sealed2")

    def test_certificate_of_a_strange_ca_is_refused_with_both_fingerprints(self):
        self.certify("-h", "-n", "sealed", ca="ca-strange")
        done = self.assert_not_trusted("CA that is not trusted")
        self.assertIn(self.fingerprint("ca.pub"), done.stderr.decode())
        self.assertIn(self.fingerprint("ca-strange.pub"), done.stderr.decode())

    def test_known_key_is_enough_where_the_certificate_is_of_nobody(self):
        self.trust(f"sealed {self.host_key}", read(self.file("ca.pub")))
        self.certify("-h", "-n", "sealed", ca="ca-strange")
        self.assert_trusted()
        os.unlink(self.file("host-cert.pub"))
        self.assert_trusted()
        self.trust("# nothing\n", read(self.file("ca.pub")))
        self.assert_not_trusted("without a certificate")

    def test_expired_certificate_is_refused_although_the_key_is_known(self):
        self.trust(f"sealed {self.host_key}", read(self.file("ca.pub")))
        self.certify("-h", "-n", "sealed", "-V", "-10m:-5m")
        self.assert_not_trusted("expired")

    def test_revoked_key_or_ca_is_refused(self):
        self.certify("-h", "-n", "sealed")
        self.trust(f"@revoked * {self.host_key}", read(self.file("ca.pub")))
        self.assert_not_trusted("host key was revoked")
        both = read(self.file("ca.pub")) + read(self.file("ca-rsa.pub"))
        self.trust(f"sealed {self.host_key}\n@revoked * {read(self.file('ca.pub'))}", both)
        self.assert_not_trusted("CA of its host certificate was revoked")
        self.trust("# nothing\n", read(self.file("ca.pub")))
        self.assert_trusted()

    def test_ca_file_that_is_missing_lets_nobody_in(self):
        self.certify("-h", "-n", "sealed")
        self.trust(f"sealed {self.host_key}", "")
        os.unlink(self.lab.path("config", "host_ca.pub"))
        mark = len(self.events())
        self.assert_refused(self.log_in_to(), r"host_ca.pub: not found[^\n]*\[D-HOST-KEY\]", mark, "target.no_host_key",
                            host="sealed")

    def test_target_without_a_ca_is_asked_for_its_plain_key(self):
        self.certify("-h", "-n", "node1", ca="ca-strange")
        done = self.ssh("-l", "ec2-user", "node1", "id -un")
        self.assertEqual((done.returncode, done.stdout), (0, b"ec2-user\n"), done.stderr)


class BastionCertificatesTest(LabCase):
    """What an engineer's client sees: certificates for the names that were typed, or the plain keys."""

    settings = {"names": ("Big.Name",), "hosts": {"node2": "{node_ip}"}, "known_hosts": "", "more_targets": MORE_TARGETS,
                "more_rules": MORE_RULES, "sshd_lines": "ListenAddress {node_ip}:2222\n"}

    @classmethod
    def new_lab(cls):
        lab = super().new_lab()
        key = read(lab.path("node1", "ssh_host_ed25519_key.pub"))
        write(lab.path("config", "targets.known_hosts"), f"node1,node2,big.name {key}[node1]:2222 {key}")
        return lab

    def known(self, text):
        path = os.path.join(self.base, "known_hosts")
        write(path, text)
        return path

    def ca_line(self, pattern="*", name="host_ca"):
        return f"@cert-authority {pattern} {read(self.lab.path('keys', name + '.pub'))}"

    def log_in_with(self, known, *words, host="node1", **given):
        """Both connections look into this file only."""
        config = os.path.join(self.base, "ssh_config")
        write(config, read(self.lab.path("ssh_config.machine")).replace(self.lab.path("known_hosts"), self.known(known)))
        return subprocess.run(["ssh", "-F", config, "-o", "StrictHostKeyChecking=yes", "-o", f"HostName={host}", *words, "-l", "ec2-user",
                               "node1", "id -un"], capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL, **given)

    def assert_in(self, done):
        self.assertEqual((done.returncode, done.stdout), (0, b"ec2-user\n"), done.stderr)

    def test_one_line_is_enough_for_the_bastion_and_all_behind_it(self):
        for host in ("node1", "node2", "node1"):
            with self.subTest(host=host):
                self.assert_in(self.log_in_with(self.ca_line(), host=host))

    def test_certificate_is_for_the_name_in_lower_case_and_without_a_port(self):
        self.assert_in(self.log_in_with(self.ca_line(), host="BIG.name"))
        self.assert_in(self.log_in_with(self.ca_line(), "-p", "2222"))

    def test_another_ca_is_no_help(self):
        done = self.log_in_with(self.ca_line(name="user_ca"))
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"Host key verification failed", done.stderr)

    def test_ca_for_other_names_is_no_help(self):
        host = self.lab.network.bastion_ip
        self.assertEqual(self.log_in_with(self.ca_line(pattern="node1")).returncode, 255, "the bastion itself")
        self.assertEqual(self.log_in_with(self.ca_line(pattern=f"{host},node2")).returncode, 255, "the host behind it")
        self.assert_in(self.log_in_with(self.ca_line(pattern=f"{host},node1")))

    def test_plain_keys_are_enough_as_ever(self):
        for algorithms in ("", "HostKeyAlgorithms=ssh-ed25519"):
            with self.subTest(algorithms=algorithms):
                known = read(self.lab.path("known_hosts"))
                self.assert_in(self.log_in_with(known, *(("-o", algorithms) if algorithms else ())))

    def test_shown_certificate_has_one_name_and_ends_soon(self):
        done = self.log_in_with(self.ca_line(), "-vvv")
        said = done.stderr.decode()
        shown = re.findall(r"Server host certificate: ssh-ed25519-cert-v01@openssh.com SHA256:\S+, serial (\d+) ID \"([^\"]*)\" CA ssh-ed25519 "
                           r"(SHA256:\S+) valid from (\S+) to (\S+)", said)
        self.assertEqual(len(shown), 2, said)
        for _serial, identity, _ca, begin, end in shown:
            self.assertEqual(identity, "bastion")
            validity = datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(begin)
            self.assertLessEqual(validity.total_seconds(), 7200)
        self.assertEqual(re.findall(r"Server host certificate hostname: (\S+)", said), [self.lab.network.bastion_ip, "node1"])

    def test_certificate_of_a_host_is_made_once(self):
        serials = []
        for _ in range(2):
            said = self.log_in_with(self.ca_line(), "-vvv", host="node2").stderr.decode()
            serials.append(re.findall(r"Server host certificate: .* serial (\d+) ", said))
        self.assertEqual(serials[0], serials[1])

    def test_keys_change_in_a_connection_with_a_certificate(self):
        for limit in ("1M", "64K"):
            done = subprocess.run(["ssh", *self.config_words(), "-o", f"RekeyLimit={limit}", "node1", "head -c 4000000 /dev/zero"],
                                  capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
            self.assertEqual((done.returncode, len(done.stdout)), (0, 4000000), done.stderr)

    def config_words(self):
        self.log_in_with(self.ca_line())
        return ["-F", os.path.join(self.base, "ssh_config"), "-o", "StrictHostKeyChecking=yes"]

    def test_known_hosts_of_the_bastion_have_both(self):
        done = self.ssh("bastion", "known-hosts")
        lines = [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]
        self.assertEqual(len(lines), 3)
        self.assert_in(self.log_in_with(lines[2] + "\n"))
        self.assert_in(self.log_in_with("\n".join(lines[:2]) + "\n"))
        self.assert_in(self.log_in_with("\n".join(lines) + "\n"))

    @unittest.skipUnless(shutil.which("plink") and shutil.which("puttygen"), "PuTTY's programs are not installed")
    def test_putty_that_trusts_the_ca_needs_no_other_key(self):
        home = os.path.join(self.base, "putty")
        key = os.path.join(home, "key.ppk")
        trusted = os.path.join(home, ".putty", "sshhostcas", "bastion")
        os.makedirs(os.path.dirname(trusted), exist_ok=True)
        subprocess.run(["puttygen", self.lab.path("deploy-bot"), "-O", "private", "-o", key], check=True)
        jump = f"plink -batch -i {key} -l deploy-bot -nc node1:22 {self.lab.network.bastion_ip}"
        argv = ["plink", "-batch", "-no-antispoof", "-i", key, "-proxycmd", jump, "ec2-user@node1", "id -un"]
        for line, expected in ((read(self.lab.path("keys", "host_ca.pub")), b"ec2-user\n"), (read(self.lab.path("keys", "user_ca.pub")), b"")):
            write(trusted, f"PublicKey={line.split()[1]}\nValidity=*\n")
            done = subprocess.run(argv, env={**os.environ, "HOME": home}, capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
            self.assertEqual(done.stdout, expected, done.stderr)

    def test_lines_of_init_are_enough(self):
        told = self.bastion("init", "--config", self.lab.gateway.config, "--name", self.lab.network.bastion_ip).stdout
        line = re.search(r"@cert-authority \* ssh-ed25519 \S+", told).group()
        self.assert_in(self.log_in_with(line + "\n"))
