"""A fresher second factor, asked inside the connection to the target."""

import os

from support import CODE_PROMPT, DENIAL_CODE, SHELL_PROMPT, LabCase, eventually


class StepUp(LabCase):

    def shared(self, person):
        """A connection to the bastion whose factor was taken back: every access on it asks for a fresh one."""
        words = ["-S", os.path.join(self.base, f"master-{person}")]
        self.ssh_start("-M", "-N", *words, "bastion", person=person,
                       env={**os.environ, "SSH_ASKPASS": self.lab.path(f"otp-{person}"), "SSH_ASKPASS_REQUIRE": "force"})
        eventually(lambda: self.ssh(*words, "-O", "check", "bastion", person=person).returncode == 0, "the shared connection is there")
        self.assertEqual(self.ssh(*words, "bastion", "mfa", "drop", person=person).returncode, 0)
        return words

    def way(self, master, person):
        config = self.lab.path(self.lab.config_name(person))
        return [f"ProxyCommand=ssh -F {config} {' '.join(master)} -W [%h]:%p bastion"]


class AskedInsideTest(StepUp):
    people = ("anna", "bert", "carl", "dora", "fred")

    def test_stock_ssh_is_asked_inside_and_goes_on(self):
        way, mark = self.way(self.shared("anna"), "anna"), len(self.events())
        before = self.sessions()
        with self.terminal("node1", person="anna", options=way) as terminal:
            terminal.expect("asks for a second factor that is at most 8h old")
            terminal.expect(CODE_PROMPT)
            terminal.say(self.code("anna"))
            terminal.expect(SHELL_PROMPT)
            terminal.say("exit 4")
            self.assertEqual(terminal.wait(), 4)
        for event in ("target.step_up", "factor.passed", "session.started"):
            self.assertEqual(len(self.events_since(mark, event=event, person="anna")), 1, event)
        self.assertLess(self.new_sessions(before)[0]["mfa_age_s"], 600)
        again = self.ssh("node1", "echo yes", person="anna", options=[*way, "BatchMode=yes"])
        self.assertEqual((again.returncode, again.stdout), (0, b"yes\n"), again.stderr)

    def test_client_that_cannot_ask_reads_what_to_do(self):
        way, mark = self.way(self.shared("bert"), "bert"), len(self.events())
        refused = self.ssh("node1", "true", person="bert", options=[*way, "BatchMode=yes"])
        self.assert_refused(refused, 'clients that cannot ask need "ssh -t BASTION mfa renew" before ' + DENIAL_CODE, mark,
                            event="target.step_up", code="D-MFA-")
        self.assertEqual(self.events_since(mark, event="session.started", person="bert"), [])

    def test_wrong_code_is_refused_and_counted(self):
        way, mark = self.way(self.shared("carl"), "carl"), len(self.events())
        with self.terminal("node1", "true", person="carl", options=way) as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say("000000")
            terminal.expect("not accepted; 2 tries left")
            terminal.expect(CODE_PROMPT)
            terminal.say(self.code("carl"))
            self.assertEqual(terminal.wait(), 0)
        self.assertEqual(len(self.events_since(mark, event="factor.failed", person="carl")), 1)

    def test_denied_account_is_refused_after_the_factor(self):
        """The factor is not asked for what it would not open."""
        way, mark = self.way(self.shared("dora"), "dora"), len(self.events())
        refused = self.ssh("root@node1", "true", person="dora", options=way)
        self.assert_refused(refused, r"does not let dora log in to nodes as root \[D-AS-", mark, event="target.denied")
        self.assertEqual(self.events_since(mark, event="target.step_up"), [])

    def test_accesses_of_one_connection_ask_once(self):
        """Both begin before the code is there; a client that left does not keep the others waiting."""
        way, mark = self.way(self.shared("fred"), "fred"), len(self.events())
        with self.terminal("node1", "true", person="fred", options=way) as left:
            left.expect(CODE_PROMPT)
            with self.terminal("node1", "echo one", person="fred", options=way) as first:
                first.expect("another connection of yours is being asked")
                with self.terminal("node1", "echo two", person="fred", options=way) as second:
                    second.expect("another connection of yours is being asked")
                    left.close()
                    first.expect(CODE_PROMPT)
                    first.say(self.code("fred"))
                    first.expect("one")
                    second.expect("two")
                    self.assertEqual((first.wait(), second.wait()), (0, 0))
        self.assertEqual(len(self.events_since(mark, event="factor.passed", person="fred")), 1)


class SilenceTest(StepUp):
    people = ("emil",)
    settings = {"times": "{ factor: 10s }"}  # the shortest that may be configured

    def test_silence_ends_the_access_and_not_the_connection(self):
        master = self.shared("emil")
        way, mark = self.way(master, "emil"), len(self.events())
        with self.terminal("node1", "true", person="emil", options=way) as terminal:
            terminal.expect(CODE_PROMPT)
            eventually(lambda: self.events_since(mark, event="factor.deadline", person="emil"), "the bastion waits no more")
            terminal.say("123456")
            terminal.expect("the second factor was not answered in time.*D-DEADLINE")
            self.assertEqual(terminal.wait(), 255)
        self.assertEqual(self.ssh(*master, "bastion", "targets", person="emil").returncode, 0)
