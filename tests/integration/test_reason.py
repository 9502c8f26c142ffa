"""Rules that ask what an access is for: the prompt of the login, and the word that was given before."""

from support import CODE_PROMPT, LabCase

TARGETS = """\
  guarded:
    kind: ssh
    hosts: [node1]
    addresses: [private]
    port: 2222
    login_as: [ec2-user, deploy]
    host_keys: { known_hosts: targets.known_hosts }
  stream:
    kind: tcp
    hosts: [node1]
    addresses: [private]
    port: 2223
"""
RULES = """\
  - { id: why-ever, who: [engineers], to: [guarded], as: [ec2-user], can: { exec: true }, when: { mfa: 8h, reason: required } }
  - { id: with-ticket, who: [engineers], to: [guarded], as: [deploy], can: { exec: true }, when: { mfa: 8h, reason: "INC-*" } }
  - { id: stream-why, who: [engineers], to: [stream], can: { connect: true }, when: { mfa: 8h, reason: required } }
"""
PROMPT = r"Reason for access to node1: $"


class ReasonTest(LabCase):
    people = ("anna", "bert", "carl", "dora")
    settings = {"sshd_lines": "ListenAddress 0.0.0.0:2222\nListenAddress 0.0.0.0:2223\n", "more_targets": TARGETS, "more_rules": RULES,
                "known_hosts": "[node1]:2222 {host_key}\n"}

    def there(self, person, *words, account="ec2-user", options=()):
        """A terminal, after the factor was given."""
        return self.terminal("-J", "bastion", "-p", "2222", f"{account}@node1", *words, person=person, options=options)

    def test_login_asks_and_the_records_know(self):
        self.log_in("anna")
        before, mark = self.sessions(), len(self.events())
        with self.there("anna", "echo done") as terminal:
            terminal.expect(PROMPT)
            terminal.say("INC-42 disk full")
            terminal.expect("done")
            self.assertEqual(terminal.wait(), 0)
        session = self.new_sessions(before)[0]
        self.assertEqual((session["access_reason"], session["rule"], session["factor"]), ("INC-42 disk full", "why-ever", "lease"))
        started = self.events_since(mark, event="session.started", person="anna")
        self.assertEqual([event["reason"] for event in started], ["INC-42 disk full"])
        self.assertTrue(self.events_since(mark, event="target.reason", code="D-REASON-"))

    def test_text_that_says_nothing_is_asked_again_and_not_for_ever(self):
        self.log_in("anna")
        mark = len(self.events())
        with self.there("anna", "true", options=["NumberOfPasswordPrompts=9"]) as terminal:
            for text in ("x", "  a  ", "INC-1 \x1b]0;title"):
                terminal.expect(PROMPT)
                terminal.say(text)
                terminal.expect(r"a reason has 3 to 255 printable characters \[D-REASON\]")
            self.assertEqual(terminal.wait(), 255)
        self.assertEqual(self.events_since(mark, event="session.started", person="anna"), [])

    def test_reason_that_does_not_match_is_asked_again(self):
        self.log_in("bert")
        mark = len(self.events())
        with self.there("bert", "echo done", account="deploy") as terminal:
            terminal.expect(r"rule with-ticket asks for a reason such as INC-\*")
            terminal.expect(PROMPT)
            terminal.say("because")
            terminal.expect(PROMPT)
            terminal.say("INC-7")
            terminal.expect("done")
            self.assertEqual(terminal.wait(), 0)
        self.assertEqual([event["reason"] for event in self.events_since(mark, event="session.started")], ["INC-7"])

    def test_client_that_cannot_ask_tells_before(self):
        self.log_in("carl")
        mark = len(self.events())
        words = ["-J", "bastion", "-p", "2222", "ec2-user@node1", "echo done"]
        refused = self.ssh(*words, person="carl", options=["BatchMode=yes"])
        self.assert_refused(refused, r'clients that cannot ask need "ssh BASTION reason TEXT" before \[D-REASON-', mark, event="target.reason")
        refused = self.ssh("-W", "node1:2223", "bastion", person="carl")
        self.assert_refused(refused, r"asks for a reason: tell it with ssh BASTION reason TEXT, then try again \[D-REASON-", mark,
                            event="target.denied")
        told = self.ssh("bastion", "reason", "INC-43 rotate keys", person="carl")
        self.assertEqual((told.returncode, b"Reason: INC-43 rotate keys\n" in told.stdout), (0, True), told)
        self.assertTrue(self.events_since(mark, event="reason.given", person="carl", sentence="INC-43 rotate keys"))
        before = self.sessions()
        done = self.ssh(*words, person="carl", options=["BatchMode=yes"])
        self.assertEqual((done.returncode, done.stdout), (0, b"done\n"), done.stderr)
        stream = self.ssh_start("-W", "node1:2223", "bastion", person="carl")
        self.assertTrue(stream.stdout.readline().startswith(b"SSH-2.0-"))
        self.assertEqual({one["access_reason"] for one in self.new_sessions(before)}, {"INC-43 rotate keys"})
        self.assertEqual(self.ssh("bastion", "reason", "drop", person="carl").returncode, 0)
        self.assertIn(b"Reason: none", self.ssh("bastion", "reason", person="carl").stdout)
        self.assertEqual(self.ssh(*words, person="carl", options=["BatchMode=yes"]).returncode, 255)
        self.assertEqual(self.ssh("bastion", "reason", "x", person="carl").returncode, 2)

    def test_factor_is_asked_first_then_the_reason(self):
        with self.there("dora", "echo done") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(self.code("dora"))
            terminal.expect(PROMPT)
            terminal.say("INC-44")
            terminal.expect("done")
            self.assertEqual(terminal.wait(), 0)
