"""A session process that is an attacker's: every message that it must not send ends it, is told, and harms nobody else."""

import base64
import os
import re
import signal
import socket
import struct
import subprocess

from support import BIN, LabCase, Lab, TOP, eventually, processes, read, write

TABLE = re.compile(r"^MSG\((\w+),\s*(\w+),\s*(\w+),\s*([\w |]+?),\s*(\d+),\s*(\d+),\s*(\d+)\)", re.M)
MESSAGES = TABLE.findall(read(os.path.join(TOP, "include/ipc/messages.def")))
NUMBERS = {row[0]: number for number, row in enumerate(MESSAGES, 1)}
SESSION_MESSAGES = [row for row in MESSAGES if row[1] == "SESSION"]
EVIL = os.path.join(os.path.dirname(BIN), "tests", "evil_session")


def string(data):
    return struct.pack(">I", len(data)) + data


def script(messages):
    """As the hostile process reads them."""
    return b"".join(struct.pack(">HI", NUMBERS[name], len(body)) + body for name, body in messages)


class Prover:
    """An Ed25519 key of a test, and what it proves (RFC 4252 section 7)."""

    ALGORITHM = b"ssh-ed25519"

    def __init__(self, folder, name):
        self.path = os.path.join(folder, name + ".pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.path], check=True)
        der = subprocess.run(["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"], check=True,
                             capture_output=True).stdout
        self.blob = string(self.ALGORITHM) + string(der[-32:])  # RFC 8410: the key is the end of the structure
        self.line = "ssh-ed25519 " + base64.b64encode(self.blob).decode() + "\n"

    def prove(self, session_id, user):
        asked = self.path + ".asked"
        with open(asked, "wb") as file:
            file.write(string(session_id) + b"\x32" + string(user) + string(b"ssh-connection") + string(b"publickey")
                       + b"\x01" + string(self.ALGORITHM) + string(self.blob))
        raw = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", asked], check=True,
                             capture_output=True).stdout
        return string(self.ALGORITHM) + string(raw)


class HostileSessionTest(LabCase):
    machines = ("mallory", "victim")

    @classmethod
    def new_lab(cls):
        """The lab's programs, with one of them replaced."""
        folder = os.path.join(cls.base, "bin")
        os.makedirs(folder)
        for name in os.listdir(BIN):
            os.symlink(EVIL if name == "bastion-session" else os.path.join(BIN, name), os.path.join(folder, name))
        lab = Lab(os.path.join(cls.base, "lab"), folder, dict(cls.settings), people=cls.people, machines=cls.machines)
        cls.addClassCleanup(cls.end_lab, lab)
        return lab.up()

    def attack(self, words, messages=()):
        """Have it done; returns what the monitor reported. The connection must end with the process."""
        mark = len(self.events())
        with socket.create_connection((self.lab.network.bastion_ip, 22), 30) as client:
            client.settimeout(60)
            client.sendall(words.encode() + b"\n" + script(messages))
            try:
                said = client.recv(100)
            except ConnectionResetError:
                said = b""
        self.assertEqual(said, b"", f"{words}: the session process lives on")
        eventually(lambda: self.events_since(mark, event="connection.closed"), f"{words}: the connection is over", 30)
        return [event["event"] for event in self.events()[mark:]]

    def assert_violation(self, words):
        reported = self.attack(words)
        self.assertIn("ipc.violation", reported, words)
        self.assertNotIn("process.lost", reported, f"{words}: it reached another process")
        self.assertTrue(processes.is_running(self.lab.gateway.daemon))

    def test_every_message_of_a_later_phase_is_a_violation(self):
        for name, _, _, phases, *_ in SESSION_MESSAGES:
            if "KEX" not in phases and "ANY" not in phases:
                with self.subTest(message=name):
                    self.assert_violation(f"early {NUMBERS[name]}")

    def test_every_message_of_another_process_is_a_violation(self):
        for name, sender, *_ in MESSAGES:
            if sender != "SESSION":
                with self.subTest(message=name):
                    self.assert_violation(f"early {NUMBERS[name]}")

    def test_every_message_that_is_too_large_is_a_violation(self):
        for name, *_ in SESSION_MESSAGES:
            with self.subTest(message=name):
                self.assert_violation(f"large {NUMBERS[name]}")

    def test_every_message_with_a_descriptor_is_a_violation(self):
        for name, *_ in SESSION_MESSAGES:
            with self.subTest(message=name):
                self.assert_violation(f"fd {NUMBERS[name]}")

    def test_every_body_of_garbage_is_a_violation(self):
        for name, *_ in SESSION_MESSAGES:
            with self.subTest(message=name):
                self.assert_violation(f"other {NUMBERS[name]}")

    def test_every_message_too_often_is_a_violation(self):
        for name, *_ in SESSION_MESSAGES:
            with self.subTest(message=name):
                self.assert_violation(f"flood {NUMBERS[name]}")

    def test_what_is_no_message_is_a_violation(self):
        for words in ("type 0", f"type {len(MESSAGES) + 1}", "type 65535", "short 1", "short 7", "huge"):
            with self.subTest(words=words):
                self.assert_violation(words)

    @staticmethod
    def login(prover, user):
        """The messages of an honest login."""
        session_id = bytes(range(32))
        signature = prover.prove(session_id, user)
        return [("KEX_SIGN", b"\x00" + string(session_id)),
                ("AUTH_PUBLICKEY", string(user) + string(b"publickey") + string(Prover.ALGORITHM) + string(prover.blob)
                 + string(signature))]

    def test_signature_cannot_be_credited_to_another_person(self):
        """While the signer looks at mallory's signature, the process names the victim and the victim's public key."""
        mallory, victim = (Prover(self.base, name) for name in ("mallory", "victim"))
        for name, prover in (("mallory", mallory), ("victim", victim)):
            write(self.lab.path("config", "keys", name), prover.line)
        mark = len(self.events())
        messages = self.login(mallory, b"mallory")
        with socket.create_connection((self.lab.network.bastion_ip, 22), 30) as client:
            client.sendall(b"script 2\n" + script(messages))
            eventually(lambda: self.events_since(mark, event="login.accepted", person="^mallory$"), "the messages do prove mallory", 30)
        mark = len(self.events())
        probe = ("AUTH_PROBE", string(b"victim") + string(Prover.ALGORITHM) + string(victim.blob))
        signer, = self.daemon_children("bastion-signer")
        processes.send(signer, signal.SIGSTOP)  # so that it certainly looks for as long as the attack takes
        try:
            self.assertIn("ipc.violation", self.attack("script 3", [*messages, probe]))
        finally:
            processes.send(signer, signal.SIGCONT)
        self.assertEqual(self.events_since(mark, event="login.accepted"), [])

    def test_process_that_does_not_read_is_ended(self):
        self.assert_violation("mute")

    def test_process_that_closes_its_channel_is_ended_and_costs_nothing(self):
        before = self.cpu_seconds()
        self.assertIn("session.killed", self.attack("hangup"))
        self.assertLess(self.cpu_seconds() - before, 1, "the monitor turned round and round at the end of the channel")

    def cpu_seconds(self):
        fields = read(f"/proc/{self.lab.gateway.daemon['pid']}/stat").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_process_that_ends_at_once_harms_nobody(self):
        self.assertIn("session.killed", self.attack("leave"))
        self.assertTrue(processes.is_running(self.lab.gateway.daemon))
