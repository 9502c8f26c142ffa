"""The bastion's own commands, as engineers ask them: `ssh bastion WORDS`, without and with a terminal, and never a shell."""

import os
import re
import shutil
import subprocess
import unittest

from support import CODE_PROMPT, DENIAL_CODE, LabCase, eventually, read, write

NAMES = ("targets", "mfa", "why", "sessions", "known-hosts", "db-ca", "ssh-config")


class CommandsTest(LabCase):
    people = ("anna", "bert", "carl", "dora")
    machines = ("robot",)

    def ask(self, *words, person="deploy-bot", options=(), status=0, **given):
        """The text of one command."""
        done = self.ssh(*options, "bastion", *words, person=person, **given)
        self.assertEqual(done.returncode, status, done)
        return (done.stdout if status == 0 else done.stderr).decode()

    def ask_after_login(self, person, *words, **given):
        """The factor was shown, so that the lease answers."""
        self.log_in(person)
        return self.ask(*words, person=person, **given)

    # what they say

    def test_help_says_who_and_what_there_is(self):
        text = self.ask("help")
        self.assertIn("You are deploy-bot, by key SHA256:", text)
        self.assertIn(f"from {self.lab.network.user_ip}", text)
        for name in NAMES:
            self.assertRegex(text, rf"(?m)^  {name} ")
        self.assertEqual(self.ask(), text)  # no words: the same

    def test_targets_shows_what_the_policy_gives_and_no_more(self):
        text = self.ask_after_login("anna", "targets")
        bastion = self.lab.network.bastion_ip
        self.assertRegex(text, r"(?m)^nodes: node1$")
        self.assertRegex(text, rf"as ec2-user: shell, commands, sftp \(reading\)\n    ssh -J anna@{bastion} ec2-user@node1\n")
        self.assertRegex(text, rf"as deploy: some commands, sftp \(some files\)\n    ssh -J anna@{bastion} deploy@node1\n")
        self.assertNotIn("forwarding", text)
        self.assertIn("as ec2-user", self.ask("targets", "node"))
        self.assertIn("nothing of that name", self.ask("targets", "elsewhere", status=1))

    def test_line_of_targets_works_as_it_stands(self):
        line = re.search(r"ssh -J (\S+) ec2-user@node1", self.ask("targets"))[0].split()
        # A jump host takes its options from the configuration only, as the engineer's own ssh does.
        done = self.ssh(*line[1:], "id -un")
        self.assertEqual((done.returncode, done.stdout), (0, b"ec2-user\n"), done.stderr)

    def test_known_hosts_are_all_that_ssh_needs(self):
        path = os.path.join(self.base, "known_hosts")
        write(path, self.ask("known-hosts"))
        config = read(self.lab.path("ssh_config.machine")).replace(self.lab.path("known_hosts"), path)
        write(os.path.join(self.base, "config"), config)
        done = subprocess.run(["ssh", "-F", os.path.join(self.base, "config"), "-J", "bastion", "ec2-user@node1", "id", "-un"],
                              capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stdout), (0, b"ec2-user\n"), done.stderr)

    def test_ssh_config_is_all_that_ssh_needs(self):
        path = os.path.join(self.base, "snippet")
        bound = "".join(f"    {line}\n" for line in (f"IdentityFile {self.lab.path('deploy-bot')}",
                                                     f"UserKnownHostsFile {self.lab.path('known_hosts')}"))
        snippet = self.ask("ssh-config").replace("ControlPath ~/.ssh", f"ControlPath {self.base}")
        self.assertIn("ControlPersist", snippet)
        write(path, snippet.replace("    ControlPersist 10m\n", "    ControlPersist 1\n") + "\nHost *\n" + bound)
        done = subprocess.run(["ssh", "-F", path, "node1", "id", "-un"], capture_output=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stdout), (0, b"ec2-user\n"), done.stderr)

    def test_sessions_lists_the_own_ones_only(self):
        self.assertEqual(self.ssh("ec2-user@node1", "true", person="robot").returncode, 0)
        text = eventually(lambda: re.search(r"(?m)^.*ec2-user@node1  from .*  ended  \[[0-9a-f]{32}\]$",
                                            self.ask("sessions", person="robot")), "the session has ended")[0]
        self.assertNotIn(text, self.ask("sessions"))

    # why

    def test_why_explains_a_denial_by_rule_line_and_clause(self):
        mark = len(self.events())
        done = self.ssh("root@node1", "true", person="robot")
        self.assert_refused(done, DENIAL_CODE, mark, event="target.denied")
        code = re.search(r"\[(D-AS-[0-9a-f]+)\]", done.stderr.decode())[1]
        for words in ((code,), (f"[{code}]",), (code.lower(),), ()):
            text = self.ask("why", *words, person="robot")
            self.assertRegex(text, rf"{code}  node1:22 as root")
            self.assertRegex(text, r'rule ci-nodes \(line \d+ of the policy\), clause "as"')
            self.assertIn("What helps: another account", text)
        self.assertIn("Nothing was refused", self.ask("why", code, status=1))  # of somebody else

    def test_why_of_a_host_that_no_target_lists_says_so(self):
        self.assertNotEqual(self.ssh("-J", "bastion", "ec2-user@nowhere", "true", person="robot").returncode, 0)
        text = self.ask("why", "D-UNKNOWN-TARGET", person="robot")
        self.assertIn("nowhere:22", text)
        self.assertIn("check the name", text)

    def test_why_explains_what_the_gate_refused(self):
        self.log_in("bert")
        done = self.ssh("deploy@node1", "cat /etc/shadow", person="bert")
        self.assertIn(b"[D-EXEC]", done.stderr)
        text = eventually(lambda: "node1:22 as deploy" in self.ask("why", "D-EXEC", person="bert") and
                          self.ask("why", "D-EXEC", person="bert"), "the denial is known")
        self.assertNotIn("/etc/shadow", text)

    def test_why_tells_what_a_code_of_the_gate_means(self):
        for code in ("D-AGENT", "D-FORWARD", "D-REMOTE-FORWARD", "D-SFTP-PATH", "D-SILENT", "D-TUN", "D-X11", "D-PROTOCOL"):
            self.assertRegex(self.ask("why", code), r"^[A-Z][^\n]+[.]\n$", code)

    def test_why_of_an_unknown_code_is_no(self):
        self.assertIn("Nothing was refused", self.ask("why", "D-NO-SUCH", status=1))

    # no shell

    def test_unknown_command_is_one_sentence_and_127(self):
        for words in ("bash", "/bin/sh -i", "help;id", "$(id)", "`id`", "help\x1b[2J"):
            done = self.ssh("bastion", words)
            self.assertEqual((done.returncode, done.stdout), (127, b""), done)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertRegex(done.stderr, rb"no command .*D-COMMAND")
            self.assertNotIn(b"\x1b", done.stderr)

    def test_words_too_many_are_refused(self):
        for words in ("help me", "mfa renew now", "mfa maybe", "targets a b"):
            self.assertIn("bastion: ", self.ask(words, status=2))

    def test_subsystem_agent_forwards_and_long_words_get_nothing(self):
        for words in (["-s", "bastion", "sftp"], ["bastion", "x" * 600], ["-R", "0:localhost:22", "-o", "ExitOnForwardFailure=yes", "bastion", "help"]):
            done = self.ssh(*words)
            self.assertEqual((done.returncode, done.stdout), (255, b""), (words, done))
        self.assertEqual(self.ssh("-A", "-X", "bastion", "help").returncode, 0)

    def test_terminal_is_accepted_and_gets_its_line_ends(self):
        with self.terminal("-t", "bastion", "targets") as terminal:
            terminal.expect("nodes: node1\r\n")
            self.assertEqual(terminal.wait(), 0)
        with self.terminal("bastion") as terminal:
            terminal.expect("This is a bastion")
            self.assertEqual(terminal.wait(), 0)

    def test_commands_are_told_to_operators(self):
        mark = len(self.events())
        self.ask("targets", "no\x1bde", status=1)
        self.assertEqual(len(self.events_since(mark, event="command.asked", command=r"^targets no\?de$", person="deploy-bot")), 1)

    # the factor

    def test_mfa_is_none_for_machines(self):
        self.assertIn("never asked", self.ask("mfa"))
        self.assertIn("you are a machine", self.ask("mfa", "renew", status=1))

    def test_mfa_renew_asks_inside_the_channel_and_drop_forgets(self):
        self.log_in("carl")
        self.assertRegex(self.ask("mfa", person="carl"), r"Lease: connections with this key from \S+ are not asked until")
        mark = len(self.events())
        with self.terminal("-t", "bastion", "mfa", "renew", person="carl") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say("000000")
            terminal.expect("not accepted.*D-FACTOR")
            self.assertEqual(terminal.wait(), 1)
        self.assertTrue(self.events_since(mark, event="factor.failed", person="carl"))
        with self.terminal("-t", "bastion", "mfa", "renew", person="carl") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say("\x03")
            self.assertEqual(terminal.wait(), 130)
        piped = self.ssh("bastion", "mfa", "renew", person="carl", input=self.code("carl").encode() + b"\n")
        self.assertEqual((piped.returncode, b"fresh again" in piped.stdout), (0, True), piped)
        self.assertIn("shown ", self.ask("mfa", person="carl"))
        self.assertIn("no answer to read", self.ask("mfa", "renew", person="carl", status=1))
        self.ask("mfa", "drop", person="carl")
        self.assertTrue(self.events_since(mark, event="factor.dropped", person="carl"))
        refused = self.ssh("-J", "bastion", "ec2-user@node1", "true", person="carl", options=["BatchMode=yes"])
        self.assertEqual(refused.returncode, 255, refused)

    def test_mfa_dropped_on_a_shared_connection_is_asked_again_there(self):
        master = self.shared("dora")
        self.assertEqual(self.ssh(*master, "bastion", "mfa", "drop", person="dora").returncode, 0)
        shown = self.ssh(*master, "bastion", "mfa", person="dora").stdout.decode()
        self.assertIn("none on this connection", shown)
        self.assertIn("asks for a second factor", self.ssh(*master, "bastion", "targets", person="dora").stdout.decode())
        with self.terminal(*master, "-t", "bastion", "mfa", "renew", person="dora") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(self.code("dora"))
            terminal.expect("fresh again")
            self.assertEqual(terminal.wait(), 0)
        self.assertNotIn("asks for a second factor", self.ssh(*master, "bastion", "targets", person="dora").stdout.decode())

    # many at once

    def shared(self, person):
        """A connection that others share."""
        path = os.path.join(self.base, f"master-{person}")
        words = ["-o", f"ControlPath={path}"]
        if person == "deploy-bot":
            self.ssh_start("-M", "-N", *words, "bastion", person=person)
        else:
            self.ssh_start("-M", "-N", *words, "bastion", person=person,
                           env={**os.environ, "SSH_ASKPASS": self.lab.path(f"otp-{person}"), "SSH_ASKPASS_REQUIRE": "force"})
        eventually(lambda: self.ssh(*words, "-O", "check", "bastion", person=person).returncode == 0, "the shared connection is there")
        return words

    def test_commands_share_a_connection_with_sessions(self):
        master = self.shared("deploy-bot")
        jump = ["-o", f"ProxyCommand=ssh -F {self.lab.path('ssh_config.machine')} {' '.join(master)} -W [%h]:%p bastion"]
        running = self.ssh_start(*jump, "ec2-user@node1", "cat", person="deploy-bot")
        for _ in range(3):
            children = [self.ssh_start(*master, "bastion", "targets") for _ in range(4)]
            for child in children:
                out, said = child.communicate(timeout=60)
                self.assertIn(child.returncode, (0, 1), said)
                self.assertTrue(b"as ec2-user" in out or b"too many commands at once" in said, (out, said))
        out, said = running.communicate(b"still here", timeout=60)
        self.assertEqual((running.returncode, out), (0, b"still here"), said)

    # other clients

    @unittest.skipUnless(shutil.which("plink") and shutil.which("puttygen"), "plink is not installed")
    def test_plink_asks_too(self):
        key = self.lab.path("deploy-bot")
        subprocess.run(["puttygen", key, "-o", key + ".ppk"], check=True, capture_output=True)
        host = subprocess.run(["ssh-keygen", "-lf", self.lab.path("keys", "host.pub")], check=True, capture_output=True, text=True).stdout.split()[1]
        for words, status in (["targets"], 0), (["bogus"], 127), ([], 0):
            done = subprocess.run(["plink", "-batch", "-hostkey", host, "-i", key + ".ppk", "-l", "deploy-bot", "-P", "22",
                                   self.lab.network.bastion_ip, *words], capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
                                  env={**os.environ, "HOME": self.base})
            self.assertEqual(done.returncode, status, done)

    @unittest.skipUnless(shutil.which("dbclient") and shutil.which("dropbearconvert"), "dbclient is not installed")
    def test_dbclient_asks_too(self):
        key = os.path.join(self.base, "dropbear")
        subprocess.run(["dropbearconvert", "openssh", "dropbear", self.lab.path("deploy-bot"), key], check=True, capture_output=True)
        done = subprocess.run(["dbclient", "-y", "-y", "-i", key, f"deploy-bot@{self.lab.network.bastion_ip}", "targets"],
                              capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL, env={**os.environ, "HOME": self.base})
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(b"as ec2-user", done.stdout)
