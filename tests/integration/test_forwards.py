"""Forwards: through an access (-L, -R, -D, -W, Unix sockets, the agent), and to byte streams behind the bastion itself."""

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time

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
            if child.poll() is not None:
                self.fail(f"ssh ended early: {child.stderr.read()}")
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

    def hold(self, port):
        """A forward that stays open until it is closed here; None when it was refused."""
        connection = self.connect(port)
        try:
            connection.sendall(b"hold\n")
            heard = connection.recv(100)
        except OSError:
            heard = b""
        if heard:
            self.assertEqual(heard, b"held\n")
            return connection
        connection.close()
        return None

    def hold_many(self, port, count):
        """What has just ended counts until both sides have closed its channel: an early one may have to ask again."""
        return [eventually(lambda: self.hold(port), f"forward {number + 1} of {count}") for number in range(count)]

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
        self.end(child)
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
        stderr = self.end(child)[1].decode()
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
                told = re.findall(r"bastion: [^\n]*the target may not listen there for you \[D-REMOTE-FORWARD\]", done.stderr.decode())
                self.assertEqual(len(told), 1 - int(listens), done.stderr)

    def test_sockets_are_forwarded_where_they_are_listed(self):
        self.log_in("pia")
        self.talker(self.lab.path("node1", "home", "ec2-user", "app.sock"))
        good, bad = free_port(), free_port()
        child = self.forwarding("-L", f"{good}:/home/ec2-user/app.sock", "-L", f"{bad}:/home/ec2-user/other.sock", person="pia",
                                port=bad)
        self.assertEqual(self.ask(good, b"echo\nhello"), b"hello")
        self.assertEqual(self.ask(bad, b"hello"), b"")
        self.assertIn("you may not forward to /home/ec2-user/other.sock", self.end(child)[1].decode())

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
        held = self.hold_many(port, 16)
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


STREAM_TARGETS = """\
  cache:
    kind: tcp
    hosts: [cache, metadata]
    addresses: [private]
    port: 6379
  web:
    kind: tcp
    hosts: [cache]
    addresses: [private]
    port: 8088
"""
STREAM_RULES = """\
  - { id: ci-streams, who: [ci], to: [cache, web], can: { connect: true }, when: { from: [engineers] } }
  - { id: fresh-cache, who: [engineers], to: [web], can: { connect: true }, when: { mfa: 1m, from: [engineers] } }
"""


class StreamTest(ForwardCase):
    """Targets of kind tcp, through the bastion itself."""

    settings = {"hosts": {"cache": "{node_ip}", "metadata": "169.254.169.254"}, "more_targets": STREAM_TARGETS,
                "more_rules": STREAM_RULES}

    def setUp(self):
        self.talker(self.lab.network.node_ip, 6379)

    def forwarded(self, words=(), **given):
        port = free_port()
        return port, self.forwarding("-L", f"{port}:cache:6379", *words, host="bastion", port=port, **given)

    def resident_bytes(self):
        total = 0
        for entry in self.daemon_children("bastion-session"):
            with open(f"/proc/{entry['pid']}/statm", encoding="ascii") as file:
                total += int(file.read().split()[1]) * 4096
        return total

    def test_stream_carries_both_ways_and_is_recorded(self):
        before, mark = self.sessions(), len(self.events())
        port, _child = self.forwarded()
        self.both_ways(port)
        found = eventually(lambda: done if len(done := [one for one in self.new_sessions(before) if one["closed"]]) == 2 else None,
                           "two closed recordings")
        for one in found:
            self.assertEqual((one["kind"], one["host"], one["port"], one["address"], one["person"], one["rule"], one["how"]),
                             ("tcp", "cache", 6379, self.lab.network.node_ip, "deploy-bot", "ci-streams", "ended"), one)
        texts = [one["text"] for session in found for one in self.records(session["id"], "forward_open", "forward_close")]
        self.assertEqual(len([text for text in texts if "-> cache:6379 (tcp)" in text]), 2, texts)
        self.assertTrue(any(f"{SIZE + 4} bytes to the target" in text for text in texts), texts)
        self.assertTrue(any(f"{SIZE} from it" in text for text in texts), texts)
        closed = eventually(lambda: both if len(both := self.events_since(mark, event="target.closed", host="cache")) == 2 else None,
                            "two events")
        self.assertIn(SIZE, [event["from_target_bytes"] for event in closed])
        self.verify()

    def test_standard_input_forward_half_closes(self):
        done = self.ssh("-W", "cache:6379", "bastion", input=b"sum\n" + b"x" * 100000)
        self.assertEqual(done.stdout.decode(), f"100000 {hashlib.sha256(b'x' * 100000).hexdigest()}\n", done.stderr)
        done = self.ssh("-W", "cache:6379", "bastion", input=b"give 300000\n")
        self.assertEqual((done.returncode, len(done.stdout)), (0, 300000), done.stderr)

    def test_dynamic_forward_reaches_a_web_server_many_times(self):
        self.talker(self.lab.network.node_ip, 8088)
        port = free_port()
        self.forwarding("-D", str(port), host="bastion", port=port)
        for _ in range(40):
            done = subprocess.run(["curl", "-s", "--max-time", "60", "--socks5-hostname", f"127.0.0.1:{port}",
                                   "http://cache:8088/"], capture_output=True, check=False)
            self.assertEqual(done.stdout, b"hello\n")

    def test_thirty_two_at_once_and_a_sentence_beyond(self):
        port, child = self.forwarded()
        held = self.hold_many(port, 32)
        self.assertEqual(self.ask(port, b"echo\nno"), b"")
        held.pop().close()
        eventually(lambda: self.ask(port, b"echo\nyes") == b"yes", "a closed one makes room")
        self.assertIn("too many targets are open on this connection", self.end(child)[1].decode())

    def test_slow_reader_costs_no_memory_of_the_bastion(self):
        port, _child = self.forwarded()
        connection = self.connect(port)
        connection.sendall(b"give 200000000\n")
        connection.recv(1)
        before = self.resident_bytes()
        time.sleep(2)  # all windows and buffers are full by now
        self.assertLess(self.resident_bytes() - before, 32 * MIB)
        connection.close()
        self.assertEqual(self.ask(port, b"echo\nnext"), b"next")

    def test_places_that_no_target_lists_are_refused(self):
        for place in ("cache:6380", "cache:22222", "127.0.0.1:6379"):
            with self.subTest(place=place):
                mark = len(self.events())
                done = self.ssh("-W", place, "bastion")
                self.assert_refused(done, r"\[D-UNKNOWN-TARGET\]", mark, "target.denied")

    def test_targets_tells_how_to_reach_it(self):
        done = self.ssh("bastion", "targets")
        self.assertIn("-L 6379:cache:6379 ", done.stdout.decode())
        self.assertNotIn("6379", self.ssh("bastion", "ssh-config").stdout.decode())

    def test_factor_is_needed_and_an_old_one_is_told(self):
        self.log_in("pia")
        self.talker(self.lab.network.node_ip, 8088)
        self.assertEqual(self.ssh("-W", "cache:8088", "bastion", person="pia", input=b"echo\nfresh").stdout, b"fresh")
        if IS_QUICK:
            return
        time.sleep(62)
        mark = len(self.events())
        done = self.ssh("-W", "cache:8088", "bastion", person="pia")
        self.assert_refused(done, r"second factor[^\n]*mfa renew[^\n]*\[D-MFA-[0-9a-f]{8}\]", mark, "target.denied")

    def test_rule_of_others_is_refused(self):
        self.log_in("pia")
        mark = len(self.events())
        self.assert_refused(self.ssh("-W", "cache:6379", "bastion", person="pia"), r"\[D-NO-RULE\]", mark, "target.denied")

    def test_address_outside_the_grant_is_refused(self):
        mark = len(self.events())
        self.assert_refused(self.ssh("-W", "metadata:6379", "bastion"), r"\[D-DIAL-ADDRESS\]", mark, "target.not_reached")

    def test_target_that_does_not_listen_is_told(self):
        mark = len(self.events())
        self.assert_refused(self.ssh("-W", "metadata:8088", "bastion"), r"\[D-UNKNOWN-TARGET\]", mark, "target.denied")
        done = self.ssh("-W", "cache:8088", "bastion")
        self.assertRegex(done.stderr.decode(), r"\[D-DIAL-REFUSED\]")

    def test_lost_target_and_lost_client_end_the_stream(self):
        port, child = self.forwarded()
        before, connection = self.sessions(), self.connect(port)
        connection.sendall(b"hold\n")
        self.assertEqual(connection.recv(100), b"held\n")
        child.kill()
        child.wait()
        eventually(lambda: any(one["closed"] for one in self.new_sessions(before)), "the recording is closed")
