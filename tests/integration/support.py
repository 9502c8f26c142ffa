"""What integration tests share: a lab per class, ssh as a person types it, and what must be said where something is refused."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "deploy"))

from lab import Lab, processes, read, write  # noqa: E402
from lab.terminal import Terminal  # noqa: E402

__all__ = ["BIN", "CODE_PROMPT", "DENIAL_CODE", "IS_QUICK", "Lab", "LabCase", "MIB", "SHELL_PROMPT", "TOP", "Terminal", "eventually", "processes", "read", "write"]

BIN = os.environ.get("BASTION_BIN", os.path.join(TOP, "build/asan/bin"))
IS_QUICK = os.environ.get("BASTION_TEST_QUICK") == "1"
MIB = 1 << 20
PATIENCE_S = 180  # of one command: a bound against hanging, never a measurement
CODE_PROMPT = r"(?i:code|one-time|otp)[^\n]*: ?$"
DENIAL_CODE = r"\[D-[A-Z][A-Z0-9a-f-]*\]"
SHELL_PROMPT = r"\$ $"


def eventually(question, what, seconds=60):
    """Ask until the answer is true, and return it."""
    until = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"did not happen within {seconds} s: {what}")
        time.sleep(0.05)


class LabCase(unittest.TestCase):
    """Tests of one class share a lab. `people` are engineers beside alice, `machines` beside deploy-bot."""

    people, machines, settings = (), (), {}
    lab = None

    @classmethod
    def setUpClass(cls):
        cls.base = tempfile.mkdtemp(prefix="bastion-test.")
        os.chmod(cls.base, 0o755)
        cls.addClassCleanup(shutil.rmtree, cls.base, ignore_errors=True)
        cls.lab = cls.new_lab()

    @classmethod
    def new_lab(cls):
        lab = Lab(os.path.join(cls.base, "lab"), BIN, dict(cls.settings), people=cls.people, machines=cls.machines)
        cls.addClassCleanup(cls.end_lab, lab)
        return lab.up()

    @classmethod
    def end_lab(cls, lab):
        """A daemon that leaves processes behind, or a sanitizer that complained, fails the class."""
        log = lab.gateway.log
        leftovers = lab.down()
        said = read(log) if os.path.exists(log) else ""
        complaints = [line for line in said.splitlines()
                      if re.search(r"AddressSanitizer|LeakSanitizer|UndefinedBehavior|runtime error:", line)]
        if complaints:
            raise AssertionError("a sanitizer complained:\n" + "\n".join(complaints[:10]) + "\n" + said[-6000:])
        if leftovers:
            raise AssertionError(f"{len(leftovers)} processes of the bastion outlived it")

    # ssh

    def ssh_argv(self, *words, person="deploy-bot", options=()):
        """As the machine user by default: no code to wait for. Any engineer by name."""
        return ["ssh", "-F", self.lab.path(Lab.config_name(person)), *(word for option in options for word in ("-o", option)), *words]

    def ssh(self, *words, person="deploy-bot", options=(), seconds=PATIENCE_S, **given):
        """Run to the end without a terminal. stdin is empty unless `input` or `stdin` is given."""
        if "input" not in given:
            given.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self.ssh_argv(*words, person=person, options=options), capture_output="stdout" not in given,
                              timeout=seconds, check=False, **given)

    def ssh_start(self, *words, person="deploy-bot", options=(), **given):
        """Begin and leave running; ended with the test."""
        child = subprocess.Popen(self.ssh_argv(*words, person=person, options=options),
                                 **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **given})
        self.addCleanup(self._finish, child)
        return child

    @staticmethod
    def _finish(child):
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream:
                stream.close()

    @staticmethod
    def end(child):
        """End an ssh as Ctrl-C does, and return what it said.

        OpenSSH 9.2 looks whether a signal came, then waits in poll() with signals unblocked: one that comes in between is
        forgotten until something else happens on the connection. So it is asked until it has gone.
        """
        def is_over():
            child.terminate()
            try:
                child.wait(1)
            except subprocess.TimeoutExpired:
                return False
            return True

        eventually(is_over, "ssh ends when asked to")
        return child.communicate(timeout=60)

    def terminal(self, *words, person="deploy-bot", options=(), **given):
        terminal = Terminal(self.ssh_argv(*words, person=person, options=options), **given)
        self.addCleanup(terminal.close)
        return terminal

    def code(self, person):
        return subprocess.run([self.lab.path("otp"), person], check=True, capture_output=True, text=True).stdout.strip()

    def log_in(self, person):
        """Pass the second factor once, so that the lease answers from now on."""
        done = self.ssh("node1", "true", person=person)
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)

    # events

    def events(self):
        try:
            text = read(self.lab.gateway.events)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def events_since(self, mark, **wanted):
        """Events after `mark` (a count) whose fields match the regular expressions."""
        return [event for event in self.events()[mark:]
                if all(re.search(pattern, str(event.get(key, ""))) for key, pattern in wanted.items())]

    def assert_refused(self, done, sentence, mark, event=None, **fields):
        """The engineer reads one clear sentence, once, and the operator gets an event that is no success."""
        said = done.stderr.decode(errors="replace") if isinstance(done.stderr, bytes) else done.stderr
        self.assertNotEqual(done.returncode, 0, said)
        found = re.findall(sentence, said)
        self.assertEqual(len(found), 1, f"{sentence!r} once in: {said!r}")
        wanted = {"outcome": "denied|failure", **({"event": event} if event else {}), **fields}
        return eventually(lambda: self.events_since(mark, **wanted),
                          f"an event {wanted} (there are: {self.events()[mark:]})", 20)

    # recordings

    def bastion(self, *words, check=True):
        """The operator's command line, with this lab's configuration."""
        return self.lab.gateway.bastion(*words, check=check)

    def sessions(self, *words):
        """All recorded accesses (that the words of `bastion sessions` leave), oldest first."""
        listed = self.bastion("sessions", "--json", "--limit", "0", *words, "--config", self.lab.gateway.config, check=False)
        self.assertIn(listed.returncode, (0, 1), listed.stderr)  # 1: none yet
        return [json.loads(line) for line in reversed(listed.stdout.splitlines())]

    def new_sessions(self, before):
        """Sessions that `before` does not hold, once there is one."""
        known = {one["id"] for one in before}
        return eventually(lambda: [one for one in self.sessions() if one["id"] not in known], "a new recording", 30)

    def replayed(self, session):
        """Everything that was on the screen or in the streams, as fast as it goes."""
        return self.bastion("replay", "--raw", "--speed", "1000", *self.reading(), session).stdout

    def reading(self):
        return ["--config", self.lab.gateway.config, "--identity", self.lab.path("identity.txt")]

    def verify(self, *words, check=True):
        return self.bastion("verify", "--config", self.lab.gateway.config, *(words or ("--all",)), check=check)

    def daemon_children(self, name):
        """Processes of one program below the daemon."""
        return [entry for entry in processes.family(self.lab.gateway.daemon["pid"]) if processes.program(entry) == name]
