"""Forwards: through an access (-L, -R, -D, -W, Unix sockets, the agent), and to byte streams behind the bastion itself."""

import hashlib
import json
import os
import socket
import subprocess
import sys

import talker
from support import IS_QUICK, MIB, LabCase, eventually

TALKER = os.path.abspath(talker.__file__)
SIZE = 4 * MIB if IS_QUICK else 64 * MIB
RULES = """\
  - id: pia-places
    who: [engineers]
    to: [nodes]
    as: [ec2-user]
    can: { forward: ["localhost:9090", "unix:/home/ec2-user/app.sock"], remote_forward: ["localhost:8080"] }
    when: { mfa: 8h, from: [engineers] }
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def said(connection):
    """All until end of file; a refused forward may end in a reset."""
    got = []
    try:
        while data := connection.recv(65536):
            got.append(data)
    except ConnectionResetError:
        pass
    return b"".join(got)


class ForwardCase(LabCase):
    people = ("pia",)
    settings = {"more_rules": RULES}

    def talker(self, *words, namespace=None):
        child = subprocess.Popen(["ip", "netns", "exec", namespace or self.lab.network.private, sys.executable, "-B", TALKER,
                                  *map(str, words)], stdout=subprocess.PIPE)
        self.addCleanup(self._finish, child)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        return child

    @staticmethod
    def _finish(child):
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream:
                stream.close()

    def forwarding(self, *words, person="deploy-bot", port=None, host="node1"):
        """An ssh that only forwards, once `port` listens here."""
        child = self.ssh_start("-N", *words, host, person=person, options=["ExitOnForwardFailure=yes"])
        if port:
            eventually(lambda: self.listens(port) or child.poll() is not None, f"port {port} listens")
            self.assertIsNone(child.poll(), "ssh ended early")
        return child

    @staticmethod
    def listens(port):
        seen = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, check=True)
        return bool(seen.stdout.strip())

    def connect(self, port):
        connection = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.addCleanup(connection.close)
        return connection

    def ask(self, port, text):
        """One question over a connection of its own, and all that is answered."""
        connection = self.connect(port)
        try:
            connection.sendall(text)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # refused already
            return b""
        return said(connection)

    def both_ways(self, port):
        """Much data up and down at the same time as the far half stays open; hashes equal."""
        digest, connection = hashlib.sha256(), self.connect(port)
        connection.sendall(b"sum\n")
        for data in talker.given(SIZE):
            connection.sendall(data)
            digest.update(data)
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(said(connection).decode(), f"{SIZE} {digest.hexdigest()}\n")
        connection = self.connect(port)
        connection.sendall(f"give {SIZE}\n".encode())
        got = hashlib.sha256()
        count = 0
        while data := connection.recv(65536):
            got.update(data)
            count += len(data)
        self.assertEqual((count, got.hexdigest()), (SIZE, digest.hexdigest()))
        connection.sendall(b"the other half is still open")
        connection.close()

    def records(self, session, *kinds):
        lines = self.bastion("replay", "--events", "--json", *self.reading(), session).stdout.splitlines()
        return [one for one in map(json.loads, lines) if not kinds or one["event"] in kinds]

    def recorded(self, before, *kinds, count=1):
        """The records of the one new recording, once so many are there."""
        session = self.new_sessions(before)[0]["id"]
        return eventually(lambda: found if len(found := self.records(session, *kinds)) >= count else None,
                          f"{count} records {kinds} in {session}", 30)


class InnerForwardTest(ForwardCase):
    """Through node1, by its grant. deploy-bot may everything, pia only the places of her rule."""

    def test_local_forward_carries_both_ways_and_is_recorded(self):
        self.talker("127.0.0.1", 9090)
        port, before = free_port(), self.sessions()
        child = self.forwarding("-L", f"{port}:localhost:9090", port=port)
        self.both_ways(port)
        child.terminate()
        child.wait()
        opened = self.recorded(before, "forward_open", count=2)
        self.assertTrue(all("-> localhost:9090 (direct-tcpip)" in one["text"] for one in opened), opened)
        closed = self.recorded(before, "forward_close", count=2)
        self.assertIn(f"{SIZE + 4} bytes to the target", closed[0]["text"])
        self.assertIn(f"{SIZE} from it", closed[1]["text"])

    def test_listed_place_passes_and_another_is_refused(self):
        self.log_in("pia")
        self.talker("127.0.0.1", 9090)
        good, bad, before, mark = free_port(), free_port(), self.sessions(), len(self.events())
        child = self.forwarding("-L", f"{good}:localhost:9090", "-L", f"{bad}:localhost:22", person="pia", port=bad)
        self.assertEqual(self.ask(good, b"echo\nhello"), b"hello")
        self.assertEqual(self.ask(bad, b"hello"), b"")
        child.terminate()
        stderr = child.communicate(timeout=60)[1].decode()
        self.assertRegex(stderr, r"you may not forward to localhost:22 \(your access is by rule [^)]*pia-places\) \[D-FORWARD\]")
        refused = self.recorded(before, "refused")
        self.assertIn("direct-tcpip localhost:22", refused[0]["text"])
        eventually(lambda: self.events_since(mark, event="session.note", sentence=r"localhost:22.*D-FORWARD"), "an event")

    def test_dynamic_forward_reaches_a_web_server(self):
        self.talker(self.lab.network.node_ip, 8088)
        port = free_port()
        self.forwarding("-D", str(port), port=port)
        done = subprocess.run(["curl", "-s", "--max-time", "60", "--socks5-hostname", f"127.0.0.1:{port}",
                               f"http://{self.lab.network.node_ip}:8088/"], capture_output=True, check=False)
        self.assertEqual(done.stdout, b"hello\n")

    def test_standard_input_forward_reaches_the_place(self):
        self.talker("127.0.0.1", 9090)
        done = self.ssh("-W", "localhost:9090", "node1", input=b"echo\nthrough")
        self.assertEqual((done.returncode, done.stdout), (0, b"through"), done.stderr)

    def test_remote_forward_brings_connections_back(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.settimeout(60)
        before = self.sessions()
        child = self.ssh_start("-R", f"8080:127.0.0.1:{listener.getsockname()[1]}", "node1",
                               "exec 3<>/dev/tcp/127.0.0.1/8080; echo question >&3; head -n1 <&3",
                               options=["ExitOnForwardFailure=yes"])
        connection, _ = listener.accept()
        with connection:
            self.assertEqual(connection.recv(100), b"question\n")
            connection.sendall(b"answer\n")
            self.assertEqual(child.stdout.readline(), b"answer\n")
        child.communicate(timeout=60)
        opened = self.recorded(before, "forward_open")
        self.assertIn("-> localhost:8080 (forwarded-tcpip)", opened[0]["text"])
        self.assertIn("9 from it", self.recorded(before, "forward_close")[0]["text"])

    def test_remote_forward_only_where_it_is_listed(self):
        self.log_in("pia")
        for place, listens in (("8080", "1"), ("8081", "0"), ("*:8080", "0")):
            with self.subTest(place=place):
                done = self.ssh("-R", f"{place}:127.0.0.1:9", "node1", "ss -Hltn 'sport = :8080 or sport = :8081' | grep -c 127.0.0.1",
                                person="pia", options=["ExitOnForwardFailure=no"])
                self.assertEqual(done.stdout.decode().strip(), listens, done.stderr)

    def test_sockets_are_forwarded_where_they_are_listed(self):
        self.log_in("pia")
        self.talker(self.lab.path("node1", "home", "ec2-user", "app.sock"))
        good, bad = free_port(), free_port()
        child = self.forwarding("-L", f"{good}:/home/ec2-user/app.sock", "-L", f"{bad}:/home/ec2-user/other.sock", person="pia",
                                port=bad)
        self.assertEqual(self.ask(good, b"echo\nhello"), b"hello")
        self.assertEqual(self.ask(bad, b"hello"), b"")
        child.terminate()
        self.assertIn("you may not forward to /home/ec2-user/other.sock", child.communicate(timeout=60)[1].decode())

    def test_remote_socket_brings_connections_back(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.settimeout(60)
        child = self.ssh_start("-R", f"/home/deploy/back.sock:127.0.0.1:{listener.getsockname()[1]}", "node1",
                               "python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.connect('/home/deploy/back.sock');"
                               " s.sendall(b'question'); print(s.recv(100).decode())\"", options=["ExitOnForwardFailure=yes"])
        connection, _ = listener.accept()
        with connection:
            self.assertEqual(connection.recv(100), b"question")
            connection.sendall(b"answer")
            self.assertEqual(child.stdout.readline(), b"answer\n")

    def test_many_forwards_share_one_access(self):
        self.talker("127.0.0.1", 9090)
        port = free_port()
        self.forwarding("-L", f"{port}:localhost:9090", port=port)
        for number in range(60):
            self.assertEqual(self.ask(port, b"echo\n%d" % number), b"%d" % number)
        held = [self.connect(port) for _ in range(16)]
        for connection in held:
            connection.sendall(b"hold\n")
            self.assertEqual(connection.recv(100), b"held\n")
        self.assertEqual(self.ask(port, b"echo\nno"), b"")  # the 17th is refused
        held.pop().close()
        eventually(lambda: self.ask(port, b"echo\nyes") == b"yes", "a closed one makes room")

    def test_agent_only_with_the_grant(self):
        agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
        values = dict(part.split("=", 1) for part in agent.replace(";", "\n").splitlines() if part.startswith("SSH_"))
        self.addCleanup(subprocess.run, ["ssh-agent", "-k"], env={**os.environ, **values}, capture_output=True, check=True)
        environment = {**os.environ, **values}
        subprocess.run(["ssh-add", "-q", self.lab.path("deploy-bot")], env=environment, check=True)
        fingerprint = subprocess.run(["ssh-keygen", "-lf", self.lab.path("deploy-bot.pub")], capture_output=True, text=True,
                                     check=True).stdout.split()[1]
        done = self.ssh("-A", "node1", "ssh-add -l", env=environment)
        self.assertIn(fingerprint, done.stdout.decode(), done.stderr)
        self.log_in("pia")
        mark = len(self.events())
        done = self.ssh("-A", "node1", "ssh-add -l", person="pia", env=environment)
        self.assertNotIn(fingerprint, done.stdout.decode())
        self.assertIn("bastion: agent forwarding is not granted here [D-AGENT]", done.stderr.decode())
        eventually(lambda: self.events_since(mark, event="session.note", sentence="D-AGENT"), "an event")

    def test_tunnels_are_always_refused(self):
        done = self.ssh("-w", "any:any", "node1", "echo fine", options=["Tunnel=yes"])
        self.assertNotIn(b"tunnel opened", done.stderr)
        self.assertEqual(self.ssh("node1", "echo fine").stdout, b"fine\n")
