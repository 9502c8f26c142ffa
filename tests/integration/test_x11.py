"""X11 forwarding: only by the grant, and then with the secret of the engineer's own display."""

import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

from support import LabCase, eventually

SECRET = bytes(range(16))
PROTOCOL = b"MIT-MAGIC-COOKIE-1"
# A client of the X protocol, as small as it can be: connects as libX11 does, with what xauth gives for DISPLAY.
CLIENT = """\
import os, socket, struct, subprocess
host, _, number = os.environ["DISPLAY"].partition(":")
secret = bytes.fromhex(subprocess.run(["xauth", "list", os.environ["DISPLAY"]], check=True, capture_output=True, text=True).stdout.split()[2])
x = socket.create_connection((host, 6000 + int(number.partition(".")[0])))
name = b"MIT-MAGIC-COOKIE-1"
x.sendall(struct.pack("<BxHHHHxx", ord("l"), 11, 0, len(name), len(secret)) + name + bytes(-len(name) % 4) + secret)
said = x.recv(100)
x.sendall(b"windows and pictures")
print(said.decode(), x.recv(100).decode())
"""


class FakeDisplay:
    """An X server that knows one thing: who shows its secret. It says what it got to the one who asks next."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        while not 6010 <= self.listener.getsockname()[1] <= 65535:  # a display number is a port from 6000 on
            self.listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"localhost:{self.listener.getsockname()[1] - 6000}"
        self.setups = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                self._talk(peer)

    @staticmethod
    def _exactly(peer, count):
        got = b""
        while len(got) < count and (data := peer.recv(count - len(got))):
            got += data
        return got

    def _talk(self, peer):
        head = self._exactly(peer, 12)
        if len(head) < 12:
            return
        _order, _major, _minor, name_bytes, secret_bytes = struct.unpack("<BxHHHHxx", head)
        name = self._exactly(peer, name_bytes + -name_bytes % 4)[:name_bytes]
        secret = self._exactly(peer, secret_bytes)
        self.setups.append((name, secret))
        peer.sendall(b"welcome" if (name, secret) == (PROTOCOL, SECRET) else b"stranger")
        peer.sendall(self._exactly(peer, 20).upper())

    def close(self):
        self.listener.close()


@unittest.skipUnless(shutil.which("xauth"), "xauth is not installed")
class X11Test(LabCase):
    people = ("xenia",)
    settings = {"sshd_lines": "X11Forwarding yes\nX11UseLocalhost yes\n"}

    def setUp(self):
        self.display = FakeDisplay()
        self.addCleanup(self.display.close)
        home = tempfile.mkdtemp(prefix="x11-")
        self.addCleanup(shutil.rmtree, home)
        authority = os.path.join(home, "authority")
        subprocess.run(["xauth", "-f", authority, "add", self.display.name, PROTOCOL.decode(), SECRET.hex()], check=True,
                       capture_output=True)
        self.environment = {**os.environ, "DISPLAY": self.display.name, "XAUTHORITY": authority}

    def draw(self, client=CLIENT, command="true"):
        return self.ssh("-Y", "node1", f"python3 -c '{client}'; {command}", env=self.environment)

    def test_window_of_the_target_appears_with_the_secret_of_the_display(self):
        before = self.sessions()
        done = self.draw()
        self.assertEqual((done.returncode, done.stdout), (0, b"welcome WINDOWS AND PICTURES\n"), done.stderr)
        self.assertEqual(self.display.setups, [(PROTOCOL, SECRET)])
        session = eventually(lambda: [one for one in self.new_sessions(before) if one["closed"]], "a recording")[0]["id"]
        told = self.bastion("replay", "--events", *self.reading(), session).stdout
        self.assertIn("X11 forwarding was asked for", told)
        self.assertIn("x11", told)
        self.assertNotIn(SECRET.hex(), told)

    def test_without_the_grant_it_is_refused_with_its_reason_and_the_command_runs(self):
        self.log_in("xenia")
        mark = len(self.events())
        done = self.ssh("-Y", "node1", "echo \"display=$DISPLAY\"", person="xenia", env=self.environment)
        self.assertEqual(done.stdout, b"display=\n", done.stderr)
        self.assertEqual(done.stderr.count(b"bastion: X11 forwarding is not granted here [D-X11]"), 1, done.stderr)
        eventually(lambda: self.events_since(mark, event="session.note", sentence="D-X11"), "an event")
        self.assertEqual(self.display.setups, [])

    def test_secret_of_somebody_else_opens_nothing(self):
        """The client checks the secret that the target shows, and closes; the session goes on."""
        done = self.draw(CLIENT.replace("secret = bytes", 'secret = b"?" * 16 or bytes'), "echo after")
        self.assertTrue(done.stdout.endswith(b"after\n"), done)
        self.assertNotIn(b"welcome", done.stdout)
        self.assertEqual(self.display.setups, [])
