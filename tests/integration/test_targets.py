"""`bastion targets scan`: what hosts show, beside what is known of them."""

import json
import os
import subprocess
import sys

from support import LabCase, read, write

UNFRIENDLY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unfriendly.py")
KINDS = ("silent", "closing", "junk", "banner", "web", "old")
FIRST_PORT = 2301
LOGIN = "addresses: [private], login_as: [ec2-user], host_keys: { known_hosts: scan.known_hosts, ca: [scan_ca.pub] }"
TARGETS = f"""\
  fleet: {{ kind: ssh, hosts: [fleet1, "*.fleet"], {LOGIN} }}
  far: {{ kind: ssh, hosts: [fleet1], port: 2299, {LOGIN} }}
  nowhere: {{ kind: ssh, hosts: [no-such-name], {LOGIN} }}
  outside: {{ kind: ssh, hosts: [loop], {LOGIN} }}
  bytes: {{ kind: tcp, hosts: [fleet1], port: 6379, addresses: [private] }}
""" + "".join(f"  {kind}: {{ kind: ssh, hosts: [fleet1], port: {FIRST_PORT + number}, {LOGIN} }}\n" for number, kind in enumerate(KINDS))
RULES = """\
  - { id: ci-fleet, who: [ci], to: [fleet], as: [ec2-user], can: { exec: true }, when: { from: [engineers] } }
"""


class TargetsScanTest(LabCase):
    @classmethod
    def new_lab(cls):
        cls.made = os.path.join(cls.base, "made")
        os.makedirs(cls.made)
        for name, key in (("ca", "ed25519"), ("other", "ed25519"), ("ecdsa", "ecdsa")):
            subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", key, "-C", "", "-f", os.path.join(cls.made, name)], check=True)
        cls.settings = {"names": ("fleet1", "a.fleet", "loop"), "more_targets": TARGETS, "more_rules": RULES,
                        "sshd_lines": f"HostKey {cls.made}/ecdsa\nHostCertificate {cls.made}/host-cert.pub\n"}
        lab = super().new_lab()
        cls.host_key = " ".join(read(lab.path("node1", "ssh_host_ed25519_key.pub")).split()[:2])
        cls.ecdsa_key = " ".join(read(os.path.join(cls.made, "ecdsa.pub")).split()[:2])
        write(os.path.join(cls.made, "host.pub"), cls.host_key + "\n")
        names = lab.path("names", "hosts")
        with open(names, "r+", encoding="utf-8") as file:  # in place: the daemon's /etc/hosts is this very file
            text = file.read().replace(f"{lab.network.node_ip} loop\n", "127.0.0.1 loop\n")
            file.seek(0)
            file.write(text)
            file.truncate()
        return lab

    def setUp(self):
        self.know(f"fleet1 {self.host_key}\nfleet1 {self.ecdsa_key}\n")
        if os.path.exists(os.path.join(self.made, "host-cert.pub")):
            os.unlink(os.path.join(self.made, "host-cert.pub"))

    def know(self, known_hosts, ca="# none\n"):
        write(self.lab.path("config", "scan.known_hosts"), known_hosts)
        write(self.lab.path("config", "scan_ca.pub"), ca)

    def scan(self, *words):
        """Where the daemon lives: its names, its network."""
        return subprocess.run(["nsenter", "-t", str(self.lab.gateway.daemon["pid"]), "-m", "-n", self.lab.gateway.program("bastion"), "targets",
                               "scan", "--config", self.lab.gateway.config, *words], capture_output=True, text=True, timeout=120,
                              check=False, stdin=subprocess.DEVNULL)

    def seen(self, *words):
        done = self.scan("--json", *words)
        self.assertEqual(done.stderr, "")
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def states(self, *words):
        status, hosts = self.seen(*words)
        self.assertEqual(len(hosts), 1, hosts)
        return status, {key["type"]: key["state"] for key in hosts[0]["keys"]}

    def test_known_keys_are_the_same(self):
        self.assertEqual(self.states("fleet"), (0, {"ssh-ed25519": "same", "ecdsa-sha2-nistp256": "same"}))
        done = self.scan("fleet")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("2 same, 0 new, 0 changed, 0 refused", done.stdout)

    def test_missing_keys_are_new_and_their_lines_are_enough(self):
        self.know("# nothing\n")
        status, hosts = self.seen("fleet")
        self.assertEqual(status, 1)
        lines = [key["line"] for key in hosts[0]["keys"]]
        self.assertEqual(sorted(lines), sorted([f"fleet1 {self.host_key}", f"fleet1 {self.ecdsa_key}"]))
        self.know("".join(line + "\n" for line in lines))
        self.assertEqual(self.states("fleet")[0], 0)
        self.know(f"fleet1 {self.host_key}\n")
        self.assertEqual(self.states("fleet"), (1, {"ssh-ed25519": "same", "ecdsa-sha2-nistp256": "new"}))

    def test_host_of_a_pattern_and_another_port_can_be_named(self):
        self.know("# nothing\n")
        _status, hosts = self.seen("a.fleet", f"fleet1:{FIRST_PORT}")
        self.assertEqual([(host["host"], host["port"]) for host in hosts], [("a.fleet", 22), ("fleet1", FIRST_PORT)])
        self.assertIn(f"a.fleet {self.host_key}", [key["line"] for key in hosts[0]["keys"]])

    def test_another_key_is_changed_and_only_a_comment_in_the_proposal(self):
        other = " ".join(read(os.path.join(self.made, "other.pub")).split()[:2])
        self.know(f"fleet1 {other}\n")
        self.assertEqual(self.states("fleet"), (1, {"ssh-ed25519": "CHANGED", "ecdsa-sha2-nistp256": "new"}))
        output = os.path.join(self.base, "changed.proposal")
        self.assertEqual(self.scan("--output", output, "fleet").returncode, 1)
        lines = [line for line in read(output).splitlines() if not line.startswith("#")]
        self.assertEqual(lines, [f"fleet1 {self.ecdsa_key}"])
        self.assertIn(f"#fleet1 {self.host_key}", read(output))

    def test_revoked_key_is_refused(self):
        self.know(f"fleet1 {self.host_key}\nfleet1 {self.ecdsa_key}\n@revoked * {self.host_key}\n")
        self.assertEqual(self.states("fleet")[1]["ssh-ed25519"], "REFUSED")

    def test_certificate_of_a_known_ca_is_the_same_and_of_another_is_proposed(self):
        made = lambda name: os.path.join(self.made, name)
        ca = " ".join(read(made("ca.pub")).split()[:2])
        subprocess.run(["ssh-keygen", "-q", "-s", made("ca"), "-h", "-I", "x", "-n", "fleet1", made("host.pub")], check=True)
        self.know(f"fleet1 {self.ecdsa_key}\n", ca + "\n")
        self.assertEqual(self.states("fleet"), (0, {"ssh-ed25519": "same", "ecdsa-sha2-nistp256": "same"}))
        self.know(f"fleet1 {self.ecdsa_key}\n")
        _status, hosts = self.seen("fleet")
        key = next(key for key in hosts[0]["keys"] if key["type"] == "ssh-ed25519")
        self.assertEqual((key["state"], key["certificate"], key["ca_trusted"]), ("new", True, False))
        self.assertEqual((key["line"], key["ca_line"]), (f"fleet1 {self.host_key}", f"@cert-authority fleet1 {ca}"))
        subprocess.run(["ssh-keygen", "-q", "-s", made("ca"), "-h", "-I", "x", "-n", "fleet2", made("host.pub")], check=True)
        self.know(f"fleet1 {self.ecdsa_key}\nfleet1 {self.host_key}\n", ca + "\n")
        self.assertEqual(self.states("fleet")[1]["ssh-ed25519"], "REFUSED", "a certificate for another name")

    def test_files_of_the_gateway_stay_and_an_output_is_never_overwritten(self):
        self.know("# nothing\n")
        folder = self.lab.path("config")
        before = {name: read(os.path.join(folder, name)) for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name))}
        output = os.path.join(self.base, "proposal")
        write(output, "precious\n")
        done = self.scan("--output", output, "fleet")
        self.assertEqual((done.returncode, read(output)), (3, "precious\n"))
        self.assertIn("exists already", done.stderr)
        os.unlink(output)
        os.symlink(self.lab.path("config", "scan.known_hosts"), output)
        self.assertEqual(self.scan("--output", output, "fleet").returncode, 3)
        os.unlink(output)
        self.assertEqual(self.scan("--output", output, "fleet").returncode, 1)
        self.assertIn(f"\nfleet1 {self.host_key}\n", read(output))
        self.assertEqual({name: read(os.path.join(folder, name)) for name in before}, before)

    def test_what_is_no_ssh_server_is_told_and_harms_no_other(self):
        for number, kind in enumerate(KINDS):
            child = subprocess.Popen(["ip", "netns", "exec", self.lab.network.private, sys.executable, "-B", UNFRIENDLY, self.lab.network.node_ip,
                                      str(FIRST_PORT + number), kind], stdout=subprocess.PIPE)
            self.addCleanup(self._finish, child)
            self.assertEqual(child.stdout.readline(), b"ready\n")
        status, hosts = self.seen("--timeout", "3s", *KINDS, "far", "nowhere", "outside", "fleet")
        self.assertEqual(status, 1)
        problems = {host["target"]: host.get("problem", "") for host in hosts}
        for target, said in (("far", "refused"), ("nowhere", "leads nowhere"), ("outside", "loopback"), ("silent", "no SSH server|in time"),
                             ("closing", "no SSH server"), ("junk", "no SSH server"), ("banner", "no SSH server|in time"), ("web", "no SSH server|in time"),
                             ("old", "no SSH server")):
            self.assertRegex(problems[target], said, target)
        self.assertEqual([host["keys"] for host in hosts if host["target"] != "fleet"], [[]] * (len(KINDS) + 3))
        self.assertEqual({key["state"] for host in hosts for key in host["keys"]}, {"same"})

    def test_wrong_words_are_usage(self):
        for words in (("bytes",), ("nobody-knows",), ("--timeout", "0s"), ("--timeout", "3m"), ("--nonsense",), ("fleet1:0",)):
            with self.subTest(words=words):
                self.assertEqual(self.scan(*words).returncode, 2)
        self.assertEqual(self.scan("--policy", "/nonexistent").returncode, 3)
