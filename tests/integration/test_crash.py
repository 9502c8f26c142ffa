"""kill -9 in the middle of a session: what was durable verifies, what is torn is called torn, nothing else is lost."""

import os
import signal
import subprocess
import time

from support import SHELL_PROMPT, LabCase, eventually, processes, read


class CrashTest(LabCase):
    def begin(self):
        """A terminal session in whose recording already stands what it has shown."""
        before = self.sessions()
        terminal = self.terminal("node1")
        terminal.expect(SHELL_PROMPT)
        terminal.say("for i in $(seq 1 300); do echo durable line $i; done; echo shown$((1))")
        terminal.expect("shown1")
        session = self.new_sessions(before)[0]["id"]
        eventually(lambda: "durable line 300" in self.replayed(session), "the recorder has written what was shown")
        return terminal, session

    def leaves(self, kind, session):
        """Lines of the evidence log about one recording."""
        return [line for line in read(self.lab.path("evidence", "leaves")).splitlines()
                if line.startswith(kind + " ") and session in line]

    def kill(self, name):
        for entry in self.daemon_children(name):
            processes.send(entry, signal.SIGKILL)
            self.assertEqual(processes.wait_gone([entry], 10), [])

    def assert_kept(self, session):
        shown = self.replayed(session)
        for number in (1, 150, 300):
            self.assertIn(f"durable line {number}", shown)

    def assert_serves(self):
        eventually(lambda: self.ssh("node1", "echo serves").stdout == b"serves\n", "a new login works", 120)

    def test_session_process_killed(self):
        terminal, session = self.begin()
        mark = len(self.events())
        self.kill("bastion-session")
        self.assertEqual(terminal.wait(), 255)
        eventually(lambda: self.events_since(mark, event="session|connection", outcome="failure"), "an event about the loss")
        eventually(lambda: any("lost" in line for line in self.leaves("close", session)), "the recording is closed")
        self.assertEqual(self.verify(session).returncode, 0)
        self.assert_kept(session)
        self.assert_serves()

    def test_recorder_killed(self):
        terminal, session = self.begin()
        mark = len(self.events())
        self.kill("bastion-recorder")
        self.assertEqual(terminal.wait(), 255)
        self.assertRegex(terminal.screen[-600:], r"(?i)record")
        eventually(lambda: self.events_since(mark, outcome="failure"), "an event about the loss")
        self.assert_serves()
        done = self.verify()
        self.assertRegex(done.stdout, f"{session}.*(RECOVERED|UNFINISHED)|(RECOVERED|UNFINISHED).*{session}")
        self.assert_kept(session)

    def test_monitor_killed(self):
        terminal, session = self.begin()
        members = processes.family(self.lab.gateway.daemon["pid"])
        processes.send(self.lab.gateway.daemon, signal.SIGKILL)
        self.assertEqual(terminal.wait(), 255)
        self.assertEqual(processes.wait_gone(members, 20), [], "every child leaves when the monitor is gone")
        self.assertEqual(self.verify().returncode, 0)
        self.lab.start_daemon()
        self.assert_serves()
        self.assertEqual(self.verify().returncode, 0)
        self.assert_kept(session)

    def test_recorder_killed_while_much_is_written(self):
        """The last frames are lost or torn; the reader says so, and all before them is there."""
        before = self.sessions()
        child = self.ssh_start("node1", "while :; do head -c 100000 /dev/urandom | base64; done")
        self.assertTrue(child.stdout.read(4 << 20))
        session = self.new_sessions(before)[0]["id"]
        time.sleep(2)  # some checkpoints
        self.kill("bastion-recorder")
        child.stdout.read()
        self.assertNotEqual(child.wait(60), 0)
        self.assert_serves()
        done = self.verify(session)
        self.assertRegex(done.stdout, "RECOVERED|UNFINISHED")

    def test_signer_killed(self):
        """Live sessions need it only for a rekey; it comes back."""
        mark = len(self.events())
        self.kill("bastion-signer")
        eventually(lambda: self.events_since(mark, outcome="failure"), "an event about the loss")
        self.assert_serves()


class FullDiskTest(LabCase):
    """Recordings on a file system of 24 MiB, of which 4 must stay free."""

    @classmethod
    def new_lab(cls):
        folder = os.path.join(cls.base, "small")
        os.makedirs(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", folder], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", folder], check=True)
        cls.settings = {"recordings": os.path.join(folder, "recordings"), "min_free": "4MiB"}
        cls.small = folder
        return super().new_lab()

    def test_full_disk_ends_the_session_and_says_why(self):
        mark = len(self.events())
        done = self.ssh("node1", "while :; do head -c 1000000 /dev/urandom; done | head -c 60000000")
        self.assertNotEqual(done.returncode, 0)
        self.assert_refused(done, r"bastion: [^\n]*(?i:record|disk|space)[^\n]*", mark)
        self.assertLess(len(done.stdout), 60000000)
        mark = len(self.events())
        self.assert_refused(self.ssh("node1", "echo never"), r"(?i)(record|disk|space)[^\n]*", mark)
        self.assertEqual(self.verify().returncode, 0)
        with self.subTest("after room was made"):
            subprocess.run(["mount", "-o", "remount,size=200m", self.small], check=True)
            eventually(lambda: self.ssh("node1", "echo again").stdout == b"again\n", "sessions are recorded again", 60)
