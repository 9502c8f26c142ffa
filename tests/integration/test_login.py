"""Who is asked for what, and what is said to those who are not let in."""

import re
import subprocess

from support import CODE_PROMPT, DENIAL_CODE, SHELL_PROMPT, LabCase, processes, read


class LoginTest(LabCase):
    people = ("anna", "bert", "carl", "dora", "emil", "fred", "gerd")
    machines = ("robot",)

    def jump(self, person, *words, **given):
        """`ssh -J bastion ec2-user@node1` on a terminal, nothing spelled out."""
        return self.terminal("-J", "bastion", "ec2-user@node1", *words, person=person, **given)

    def test_jump_with_key_and_code_opens_a_shell(self):
        with self.jump("anna") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(self.code("anna"))
            terminal.expect(SHELL_PROMPT)
            terminal.say("echo at:$(hostname):$(id -un)")
            terminal.expect("at:node1:ec2-user")
            terminal.say("exit 3")
            self.assertEqual(terminal.wait(), 3)

    def test_second_connection_is_not_asked_again(self):
        self.log_in("bert")
        done = self.ssh("-J", "bastion", "ec2-user@node1", "echo still here", person="bert", options=["BatchMode=yes"])
        self.assertEqual((done.returncode, done.stdout), (0, b"still here\n"), done.stderr)

    def test_askpass_config_works_with_no_further_option(self):
        done = self.ssh("node1", "id -un", person="alice")
        self.assertEqual((done.returncode, done.stdout), (0, b"ec2-user\n"), done.stderr)

    def test_wrong_code_is_refused(self):
        mark = len(self.events())
        with self.jump("carl", "true") as terminal:
            for left in (2, 1):
                terminal.expect(CODE_PROMPT)
                terminal.say("000000")
                terminal.expect(f"not accepted; {left} .*D-FACTOR")
            terminal.expect(CODE_PROMPT)
            terminal.say("000000")
            self.assertEqual(terminal.wait(), 255)
        self.assertEqual(len(self.events_since(mark, event="factor.failed", person="carl")), 3, self.events()[mark:])

    def test_code_works_only_once(self):
        code = self.code("dora")
        with self.jump("dora", "true") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(code)
            self.assertEqual(terminal.wait(), 0)
        self.drop_lease("dora")
        with self.jump("dora", "true") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(code)
            terminal.expect(CODE_PROMPT)  # asked again: the code was used

    def drop_lease(self, person):
        """Leases live in the monitor's memory: a restart drops them."""
        leftovers = self.lab.stop_daemon()
        self.assertEqual(leftovers, [], person)
        self.lab.start_daemon()

    def wrong_codes(self, person, count):
        """Give wrong codes, over as many connections as it takes."""
        while count > 0:
            with self.jump(person, "true") as terminal:
                while count > 0 and terminal.expect(CODE_PROMPT + "|(?i:last try|locked)").group(0).endswith((": ", ":")):
                    terminal.say("000000")
                    count -= 1
                    terminal.expect("not accepted|(?i:locked)")

    def assert_locked(self, person):
        mark = len(self.events())
        with self.jump(person, "true") as terminal:
            if not terminal.expect(CODE_PROMPT + "|(?i:locked)").group(0).endswith("ocked"):
                terminal.say(self.code(person))
            self.assertEqual(terminal.wait(), 255, "the right code of a locked person was accepted")
        # Once as a banner, once as the reason of the disconnect: some clients show only one of them.
        said = set(re.findall(r"bastion: [^\r\n]*locked[^\r\n]*" + DENIAL_CODE, terminal.screen))
        self.assertEqual(len(said), 1, terminal.screen)
        self.assertTrue(self.events_since(mark, outcome="denied", person=person, code="D-LOCKED"), self.events()[mark:])

    def test_five_wrong_codes_lock_the_person(self):
        mark = len(self.events())
        self.wrong_codes("emil", 5)
        self.assertTrue(self.events_since(mark, event="person.locked", person="emil"), self.events()[mark:])
        self.assert_locked("emil")

    def test_four_wrong_codes_do_not(self):
        self.wrong_codes("gerd", 4)
        self.log_in("gerd")

    def test_lock_survives_a_restart(self):
        self.wrong_codes("fred", 5)
        self.drop_lease("fred")
        self.assert_locked("fred")

    def test_machine_logs_in_with_its_key_only(self):
        done = self.ssh("node1", "id -un", person="robot", options=["BatchMode=yes"])
        self.assertEqual((done.returncode, done.stdout), (0, b"deploy\n"), done.stderr)

    def outer_refusal(self, user, key):
        """All that an unknown client can see: the messages of ssh -v about authentication."""
        done = subprocess.run(["ssh", "-v", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", key,
                               "-o", f"UserKnownHostsFile={self.lab.path('known_hosts')}", "-l", user,
                               self.lab.network.bastion_ip, "true"], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(done.returncode, 255)
        return [line.replace(user, "USER") for line in done.stderr.splitlines()
                if "Authentications that can continue" in line or "Permission denied" in line or "Authenticated" in line]

    def test_unknown_person_looks_like_a_wrong_key(self):
        wrong_key = self.lab.path("stranger")
        processes.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", wrong_key)
        known = self.outer_refusal("alice", wrong_key)
        self.assertEqual(known, self.outer_refusal("nobody-here", wrong_key))
        self.assertEqual(known, self.outer_refusal("../alice", wrong_key))
        self.assertTrue(known)

    def test_key_of_another_person_is_refused(self):
        refused = self.outer_refusal("alice", self.lab.path("anna"))
        self.assertFalse([line for line in refused if "Authenticated" in line])

    def test_password_is_not_offered(self):
        self.assertNotIn("password", " ".join(self.outer_refusal("alice", self.lab.path("anna"))))

    def test_target_log_names_person_and_session(self):
        self.assertEqual(self.ssh("node1", "true").returncode, 0)
        log = read(self.lab.node.log)
        self.assertRegex(log, r"Accepted publickey for deploy .* ID \"?sid=[0-9a-f]{32};user=deploy-bot")
