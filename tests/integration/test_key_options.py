"""Options of a person's line in authorized_keys: what they take from what the policy gives, and which refuse the line."""

import os
import subprocess

from support import LabCase, eventually, read, write

TARGETS = """\
  cache: { kind: tcp, hosts: [cache], addresses: [private], port: 6379 }
"""
RULES = """\
  - { id: ci-cache, who: [ci], to: [cache], can: { connect: true }, when: { from: [engineers] } }
"""


class KeyOptionsTest(LabCase):
    settings = {"names": ("cache",), "more_targets": TARGETS, "more_rules": RULES}

    @classmethod
    def new_lab(cls):
        lab = super().new_lab()
        cls.line = read(lab.path("deploy-bot.pub"))
        return lab

    def setUp(self):
        self.addCleanup(self.options, "")

    def options(self, options):
        """In front of the machine user's key, which the policy lets do everything."""
        write(self.lab.path("config", "keys", "deploy-bot"), f"{options} {self.line}".lstrip())

    def terminal_of_target(self):
        return self.ssh("-tt", "node1", "tty || true")

    def forward(self, host="node1", place=None):
        """What a server at `place` says first; node1's own sshd without one."""
        return self.ssh("-W", place or f"{self.lab.network.node_ip}:22", host, input=b"")

    def agent(self):
        started = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
        values = dict(part.split("=", 1) for part in started.replace(";", "\n").splitlines() if part.startswith("SSH_"))
        self.addCleanup(subprocess.run, ["ssh-agent", "-k"], env={**os.environ, **values}, capture_output=True, check=True)
        return self.ssh("-A", "node1", "echo ${SSH_AUTH_SOCK:-none}", env={**os.environ, **values})

    def test_line_without_options_takes_nothing_away(self):
        self.options("")
        self.assertIn(b"/dev/pts/", self.terminal_of_target().stdout)
        self.assertNotIn(b"none", self.agent().stdout)
        self.assertIn(b"SSH-2.0-", self.forward().stdout)
        self.assertNotIn(b"This key is not for", self.ssh("bastion", "help").stdout)

    def test_restrict_leaves_commands(self):
        self.options("restrict")
        done = self.ssh("node1", "echo fine")
        self.assertEqual((done.returncode, done.stdout), (0, b"fine\n"), done.stderr)
        self.assertIn(b"PTY allocation request failed", self.terminal_of_target().stderr)
        self.assertEqual(self.agent().stdout, b"none\n")
        self.assertNotIn(b"SSH-2.0-", self.forward().stdout)
        said = self.ssh("bastion", "help").stdout.decode()
        self.assertIn("This key is not for terminals, agent forwarding, X11, forwards, and targets that are reached by one.\n", said)

    def test_what_restrict_took_can_be_given_back(self):
        self.options("restrict,pty,agent-forwarding")
        self.assertIn(b"/dev/pts/", self.terminal_of_target().stdout)
        self.assertNotIn(b"none", self.agent().stdout)
        self.assertNotIn(b"SSH-2.0-", self.forward().stdout)

    def test_target_that_is_a_forward_only_is_refused(self):
        for options in ("no-port-forwarding", "restrict"):
            with self.subTest(options=options):
                self.options(options)
                mark = len(self.events())
                done = self.forward("bastion", "cache:6379")
                self.assert_refused(done, r"line 1 of your keys says no-port-forwarding[^\n]*\[D-KEY-OPTION\]", mark, "target.denied", host="cache")
        self.options("no-pty,no-agent-forwarding,no-X11-forwarding,no-user-rc")
        self.assertNotIn(b"D-KEY-OPTION", self.forward("bastion", "cache:6379").stderr)

    def test_option_that_nobody_keeps_refuses_the_line_with_its_number(self):
        for options, said in (('command="uptime"', "name the commands in the policy"), ('permitopen="db:5432"', "name the places in the policy"),
                              ("cert-authority", "not honoured"), ('environment="A=1"', "would not be enforced")):
            with self.subTest(options=options):
                self.options(options)
                mark = len(self.events())
                self.assertEqual(self.ssh("node1", "true").returncode, 255)
                found = eventually(lambda: self.events_since(mark, event="keys.complaint", sentence=said), f"{said} in {self.events()[mark:]}", 20)
                self.assertEqual((found[0]["person"], found[0]["line"]), ("deploy-bot", 1))
                told = self.bastion("people", "list", "--config", self.lab.gateway.config).stderr
                self.assertRegex(told, rf"{self.lab.path('config', 'keys', 'deploy-bot')}:1: .*{said}")
