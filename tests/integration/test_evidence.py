"""From a session to its replay and its proof, and what happens to the proof when somebody changes a byte."""

import json
import os
import shutil
import subprocess

from support import SHELL_PROMPT, LabCase, eventually


class EvidenceTest(LabCase):
    people = ("ivan",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls("make_a_session")
        try:
            case.make_a_session()
        finally:
            case.doCleanups()
        cls.session = case.session

    def make_a_session(self):
        before = self.sessions()
        self.log_in("ivan")
        with self.terminal("node1", person="ivan", rows=30, columns=90) as terminal:
            terminal.expect(SHELL_PROMPT)
            terminal.say("printf '\\033[31mred\\033[0m %s\\n' \"text$((1))\"; printf '\\033]0;evil title\\007'")
            terminal.expect("text1")
            terminal.expect(SHELL_PROMPT)
            terminal.resize(35, 100)
            terminal.say("stty size; exit 5")
            terminal.wait()
        sessions = eventually(lambda: [one for one in self.new_sessions(before) if one["exit_status"] == 5], "the session is closed")
        self.session = sessions[0]["id"]

    def copy(self):
        """Recordings and evidence to be tampered with; returns the words for verify."""
        folder = os.path.join(self.base, "copy")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.lab.path("evidence"), os.path.join(folder, "evidence"))  # first: what it says is in the files then
        shutil.copytree(self.lab.gateway.recordings, os.path.join(folder, "recordings"))
        self.copied = folder
        return ["verify", "--key", self.lab.path("keys", "log.pub"), "--recordings", os.path.join(folder, "recordings"),
                "--evidence", os.path.join(folder, "evidence"), "--all"]

    def recording(self, ending=".rec"):
        for folder, _folders, files in os.walk(self.copied):
            if self.session + ending in files:
                return os.path.join(folder, self.session + ending)
        raise AssertionError(f"no {self.session}{ending} in {self.copied}")

    def assert_noticed(self, words, verdict):
        done = self.bastion(*words, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout + done.stderr, verdict)

    def test_list_shows_who_where_and_how_it_ended(self):
        found = [one for one in self.sessions() if one["id"] == self.session]
        self.assertEqual(len(found), 1)
        shown = {key: found[0][key] for key in ("person", "account", "host", "from", "closed", "exit_status", "damage")}
        self.assertEqual(shown, {"person": "ivan", "account": "ec2-user", "host": "node1", "closed": True, "exit_status": 5,
                                 "from": self.lab.network.user_ip, "damage": None})

    def test_list_filters_by_person(self):
        words = ["sessions", "--json", "--config", self.lab.gateway.config, "--user"]
        self.assertIn(self.session, self.bastion(*words, "ivan").stdout)
        self.assertNotIn(self.session, self.bastion(*words, "alice", check=False).stdout)

    def test_replay_shows_the_screen(self):
        shown = self.replayed(self.session)
        self.assertIn("\x1b[31mred\x1b[0m text1", shown)
        self.assertIn("35 100", shown)

    def test_replay_makes_sequences_harmless(self):
        shown = self.bastion("replay", "--speed", "1000", *self.reading(), self.session).stdout
        self.assertIn("text1", shown)
        self.assertNotIn("\x1b]0;evil", shown)

    def test_replay_without_the_identity_is_refused(self):
        other = self.lab.path("other-identity")
        if not os.path.exists(other):
            subprocess.run(["age-keygen", "-o", other], check=True, capture_output=True)
        done = self.bastion("replay", "--config", self.lab.gateway.config, "--identity", other, self.session, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("text1", done.stdout)

    def test_export_is_an_asciicast(self):
        text = self.bastion("export", "--asciicast", *self.reading(), self.session).stdout
        lines = [json.loads(line) for line in text.splitlines() if not line.startswith("#")]
        self.assertIn(lines[0]["version"], (2, 3))
        self.assertIn("text1", "".join(event[2] for event in lines[1:] if event[1] == "o"))
        self.assertTrue([event for event in lines[1:] if event[1] == "r"])

    def test_key_file_is_opened_by_stock_age(self):
        self.copy()
        key = self.recording(".key.age")
        done = subprocess.run(["age", "-d", "-i", self.lab.path("identity.txt"), key], capture_output=True, check=True)
        self.assertEqual(len(done.stdout), 32)

    def test_recording_holds_nothing_in_clear(self):
        self.copy()
        with open(self.recording(), "rb") as file:
            self.assertNotIn(b"text1", file.read())

    def test_untouched_copy_verifies_with_the_public_key(self):
        self.assertEqual(self.bastion(*self.copy()).returncode, 0)

    def test_every_flipped_byte_is_noticed(self):
        words = self.copy()
        path = self.recording()
        size = os.path.getsize(path)
        for at in (0, 9, 40, size // 3, size // 2, size - 70, size - 1):
            with self.subTest(at=at, size=size):
                with open(path, "r+b") as file:
                    file.seek(at)
                    byte = file.read(1)[0]
                    file.seek(at)
                    file.write(bytes([byte ^ 1]))
                self.assert_noticed(words, "TAMPERED|UNREADABLE|WRONG-KEY|NOT-LOGGED")
                with open(path, "r+b") as file:
                    file.seek(at)
                    file.write(bytes([byte]))
        self.assertEqual(self.bastion(*words).returncode, 0)

    def test_cut_recording_is_noticed(self):
        words = self.copy()
        os.truncate(self.recording(), os.path.getsize(self.recording()) - 100)
        self.assert_noticed(words, "TRUNCATED|TAMPERED")

    def test_deleted_recording_is_noticed(self):
        words = self.copy()
        os.unlink(self.recording())
        self.assert_noticed(words, "DELETED")

    def test_edited_log_is_noticed(self):
        words = self.copy()
        path = os.path.join(self.copied, "evidence", "leaves")
        with open(path, "r+b") as file:
            text = file.read()
            file.seek(text.index(b"decision") + 12)
            byte = file.read(1)
            file.seek(-1, 1)
            file.write(b"x" if byte != b"x" else b"y")
        self.assert_noticed(words, "EDITED")

    def test_log_cut_short_is_noticed(self):
        words = self.copy()
        path = os.path.join(self.copied, "evidence", "leaves")
        with open(path, "rb") as file:
            lines = file.read().splitlines(keepends=True)
        with open(path, "wb") as file:
            file.writelines(lines[:-2])
        self.assert_noticed(words, "TRUNCATED")
