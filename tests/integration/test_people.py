"""People between two policies: disabled, expired, locked and unlocked, and the recovery codes of who has lost the phone."""

import json
import os

from support import CODE_PROMPT, LabCase, eventually, processes, read, write


class PeopleTest(LabCase):
    people = ("anna", "bert", "carl", "dora", "emil", "fred")
    machines = ("robot", "probe")

    def people_command(self, *words, check=True, **given):
        return self.bastion("people", *words, "--config", self.lab.gateway.config, check=check, **given)

    def state(self, person):
        listed = [json.loads(line) for line in self.people_command("list", "--json").stdout.splitlines()]
        return [one for one in listed if one["person"] == person][0]

    def loaded(self, mark):
        eventually(lambda: self.events_since(mark, event="people.loaded"), "bastiond has seen the file")

    # disable, enable, expire

    def test_disabled_person_is_sent_away_and_looks_unknown(self):
        running = self.ssh_start("node1", "cat", person="robot")
        eventually(lambda: self.events_since(0, event="session.started", person="robot"), "the session is open")
        mark = len(self.events())
        self.assertIn("robot is kept out", self.people_command("disable", "robot").stdout)
        self.loaded(mark)
        _out, said = running.communicate(timeout=60)
        self.assertNotEqual(running.returncode, 0)
        self.assertRegex(said, rb"your operators have ended your access to the bastion; ask them \[D-DISABLED\]")
        ended = self.events_since(mark, event="person.ended", person="robot", code="D-DISABLED")
        self.assertEqual(len(ended), 1)
        self.assertEqual(self.state("robot")["state"], "disabled")
        refused = self.ssh("node1", "true", person="robot")
        self.assertEqual(refused.returncode, 255)
        self.assertRegex(refused.stderr, rb"Permission denied \(publickey\)")
        self.assertNotIn(b"operators", refused.stderr)
        self.assertTrue(self.events_since(mark, event="login.failed", person="robot", code="D-DISABLED"))
        mark = len(self.events())
        self.people_command("enable", "robot")
        self.loaded(mark)
        self.assertEqual(self.ssh("node1", "true", person="robot").returncode, 0)
        self.assertEqual(self.state("robot")["state"], "enabled")

    def test_expired_person_is_kept_out_and_the_future_is_not(self):
        mark = len(self.events())
        self.people_command("expire", "probe", "2026-01-01")
        self.loaded(mark)
        self.assertEqual(self.ssh("node1", "true", person="probe").returncode, 255)
        self.assertEqual(self.state("probe")["state"], "expired")
        mark = len(self.events())
        self.people_command("expire", "probe", "30d")
        self.loaded(mark)
        self.assertEqual(self.ssh("node1", "true", person="probe").returncode, 0)
        self.assertRegex(self.state("probe")["expires"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.people_command("expire", "probe", "never")
        self.assertIsNone(self.state("probe")["expires"])

    def test_wrong_file_changes_nothing_and_is_told(self):
        path = self.lab.path("config", "people")
        before = read(path) if os.path.exists(path) else ""
        mark = len(self.events())
        self.people_command("disable", "dora")
        self.loaded(mark)
        mark = len(self.events())
        write(path, "dora\nprobe disable\n")
        refused = eventually(lambda: self.events_since(mark, event="people.refused"), "the file is refused")
        self.assertRegex(refused[0]["sentence"], r"config/people: line 2 is none of")
        self.assertEqual(self.people_command("enable", "dora", check=False).returncode, 1)
        mark = len(self.events())
        os.unlink(path)  # what was in force stays: a lost file lets nobody back in
        eventually(lambda: self.events_since(mark, event="people.refused"), "the missing file is told")
        self.ssh("node1", "true", person="dora")
        self.assertTrue(eventually(lambda: self.events_since(mark, event="login.failed", person="dora", code="D-DISABLED"), "dora stays out"))
        mark = len(self.events())
        write(path, before)
        self.loaded(mark)

    def test_keys_are_added_once_and_checked(self):
        key = os.path.join(self.base, "another")
        processes.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        self.people_command("add", "robot", key + ".pub")
        self.assertEqual(self.state("robot")["keys"], 2)
        self.assertEqual(self.ssh("node1", "true", person="robot", options=[f"IdentityFile={key}"]).returncode, 0)
        again = self.people_command("add", "robot", key + ".pub", check=False)
        self.assertEqual((again.returncode, "has these keys already" in again.stderr), (1, True), again)
        write(os.path.join(self.base, "wrong"), "command=\"id\" " + read(key + ".pub"))
        wrong = self.people_command("add", "robot", os.path.join(self.base, "wrong"), check=False)
        self.assertEqual((wrong.returncode, "command" in wrong.stderr), (1, True), wrong)
        self.assertEqual(self.people_command("add", "../robot", key + ".pub", check=False).returncode, 2)

    # lock-outs

    def lock(self, person):
        count = 5
        while count > 0:
            with self.terminal("-J", "bastion", "ec2-user@node1", "true", person=person) as terminal:
                while count > 0 and terminal.expect(CODE_PROMPT + "|(?i:last try|locked)").group(0).endswith((": ", ":")):
                    terminal.say("000000")
                    count -= 1
                    terminal.expect("not accepted|(?i:locked)")
        eventually(lambda: self.state(person)["state"] == "locked", "the person is locked")

    def test_unlock_ends_a_lock_out_at_once(self):
        self.lock("anna")
        mark = len(self.events())
        self.assertEqual(self.people_command("unlock", "anna").stdout, "anna is not locked.\n")
        self.assertEqual(self.state("anna")["state"], "enabled")
        self.assertTrue(self.events_since(mark, event="person.unlocked", person="anna"))
        self.log_in("anna")

    def test_unlock_works_while_the_daemon_is_down(self):
        self.lock("bert")
        self.assertEqual(self.lab.stop_daemon(), [])
        try:
            self.assertIn("counts from its next start", self.people_command("unlock", "bert").stdout)
        finally:
            self.lab.start_daemon()
        self.log_in("bert")

    # recovery codes

    def recovery(self, person):
        made = self.bastion("mfa", "recovery", person, "--json", "--config", self.lab.gateway.config)
        return json.loads(made.stdout)["recovery"]

    def jump(self, person):
        return self.terminal("-J", "bastion", "ec2-user@node1", "true", person=person)

    def test_recovery_code_opens_once(self):
        codes, mark = self.recovery("carl"), len(self.events())
        self.assertEqual((len(set(codes)), self.state("carl")["recovery_codes"]), (10, 10))
        with self.jump("carl") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(codes[3])
            self.assertEqual(terminal.wait(), 0)
        self.assertEqual(len(self.events_since(mark, event="factor.recovery", outcome="success", person="carl")), 1)
        self.assertEqual(self.events_since(mark, event="login.accepted", person="carl")[0]["factor"], "recovery code")
        self.assertEqual(self.state("carl")["recovery_codes"], 9)
        stored = read(self.lab.path("state", "recovery", "carl"))
        self.assertFalse([code for code in codes if code in stored or code.replace("-", "") in stored])
        self.lab.stop_daemon()  # leases are gone
        self.lab.start_daemon()
        with self.jump("carl") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(codes[3])
            terminal.expect("not accepted; 2 tries left")
            terminal.expect(CODE_PROMPT)
            terminal.say(codes[4].upper().replace("-", " "))
            self.assertEqual(terminal.wait(), 0)
        self.assertTrue(self.events_since(mark, event="factor.recovery", outcome="denied", person="carl", sentence="used already"))

    def test_recovery_code_of_another_person_is_a_wrong_code(self):
        codes, mark = self.recovery("emil"), len(self.events())
        with self.jump("fred") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(codes[0])
            terminal.expect("not accepted; 2 tries left")
        self.assertEqual(len(self.events_since(mark, event="factor.failed", person="fred")), 1)
        self.assertEqual(self.state("emil")["recovery_codes"], 10)
        self.bastion("mfa", "revoke", "emil", "--config", self.lab.gateway.config)
        self.assertEqual(self.state("emil")["recovery_codes"], 0)
