"""Hardware keys (FIDO2): what a token says is believed as far as it signed it, and counts as far as a rule says so."""

import os
import sys
import tempfile

from support import TOP, LabCase, write

sys.path.insert(0, os.path.join(TOP, "tests", "attack"))

from token_agent import KINDS, PRESENT, VERIFIED, TokenAgent  # noqa: E402


class Tokens(LabCase):
    def each_token(self, person, options=""):
        """Both kinds of token in turn, as the person's only key."""
        for kind in KINDS:
            folder = tempfile.mkdtemp(dir=self.base)
            with self.subTest(kind=kind), TokenAgent(folder, kind) as token:
                write(self.lab.path("config", "keys", person), f"{options}{' ' if options else ''}{token.line}\n")
                public = os.path.join(folder, "token.pub")
                write(public, token.line + "\n")
                self.options = [f"IdentityAgent={token.path}", f"IdentityFile={public}"]
                yield token

    def ask(self, person, *words):
        return self.ssh("bastion", *(words or ("help",)), person=person, options=[*self.options, "BatchMode=yes"])

    def assert_admitted(self, person, *words):
        done = self.ask(person, *words)
        self.assertEqual(done.returncode, 0, done)

    def assert_refused_key(self, person, mark):
        done = self.ask(person)
        self.assertEqual((done.returncode, done.stdout), (255, b""), done)
        self.assertTrue(self.events_since(mark, event="login.failed", person=person, code="D-SIGNATURE|D-KEY"), self.events()[mark:])


class TokenTest(Tokens):
    machines = ("robot",)

    def test_touch_is_needed_always(self):
        for token in self.each_token("robot"):
            self.assert_admitted("robot")
            mark = len(self.events())
            for lie in (0, VERIFIED):  # nobody was there, or so it says
                token.flags = lie
                self.assert_refused_key("robot", mark)

    def test_touch_can_be_waived_by_the_line_of_the_key(self):
        for token in self.each_token("robot", "no-touch-required"):
            token.flags = 0
            self.assert_admitted("robot")

    def test_verification_is_needed_where_the_line_says_so(self):
        for token in self.each_token("robot", "verify-required"):
            mark = len(self.events())
            self.assert_refused_key("robot", mark)
            token.flags = PRESENT | VERIFIED
            self.assert_admitted("robot")

    def test_flags_that_are_not_signed_are_worth_nothing(self):
        for token in self.each_token("robot", "verify-required"):
            mark = len(self.events())
            token.claimed_flags = PRESENT | VERIFIED
            self.assert_refused_key("robot", mark)
            token.flags, token.claimed_flags = 0, PRESENT | VERIFIED
            self.assert_refused_key("robot", mark)

    def test_signature_for_another_application_is_refused(self):
        for token in self.each_token("robot"):
            mark = len(self.events())
            token.signed_application = b"ssh:elsewhere"
            self.assert_refused_key("robot", mark)

    def test_counter_is_not_judged(self):
        """Logins in parallel arrive in any order; what the counter would show, a copied token, is not decided by it."""
        for token in self.each_token("robot"):
            for counter in (100, 7, 0):
                token.counter = counter
                self.assert_admitted("robot")


class KeyAsFactorTest(Tokens):
    people = ("anna",)
    settings = {"more_rules": "  - { id: by-key, who: [engineers], to: [nodes], as: [ec2-user], can: { exec: true },"
                              " when: { mfa: 8h, mfa_by_key: true, from: [engineers] } }\n"}

    def test_verified_key_needs_no_code_where_a_rule_says_so(self):
        for token in self.each_token("anna"):
            done = self.ask("anna")
            self.assertEqual(done.returncode, 255)
            self.assertIn(b"Permission denied (keyboard-interactive)", done.stderr)
            token.claimed_flags = PRESENT | VERIFIED
            self.assertEqual(self.ask("anna").returncode, 255)
            mark = len(self.events())
            token.claimed_flags, token.flags = None, PRESENT | VERIFIED
            self.assert_admitted("anna", "targets")
            self.assertEqual([event["factor"] for event in self.events_since(mark, event="login.accepted")], ["verified key"])


class KeyAloneTest(Tokens):
    people = ("anna",)

    def test_verified_key_is_no_factor_where_no_rule_says_so(self):
        for token in self.each_token("anna"):
            token.flags = PRESENT | VERIFIED
            done = self.ask("anna")
            self.assertEqual(done.returncode, 255)
            self.assertIn(b"Permission denied (keyboard-interactive)", done.stderr)
