"""Clients that do not mean well, before anybody is identified."""

import os
import re
import socket
import time

from support import IS_QUICK, LabCase, eventually


class HostileTest(LabCase):
    settings = {"times": "{ banner: 3s, kex: 5s, factor: 10s, auth: 10s }"}

    def connect(self):
        peer = socket.create_connection((self.lab.network.bastion_ip, 22), timeout=60)
        self.addCleanup(peer.close)
        return peer

    def assert_closed(self, peer):
        """The bastion closes, sooner or later; whatever it said first is read and dropped."""
        peer.settimeout(60)
        try:
            while peer.recv(65536):
                pass
        except ConnectionResetError:
            pass

    def assert_serves(self):
        self.assertEqual(self.ssh("node1", "echo serves").stdout, b"serves\n")

    def test_silent_connection_is_closed(self):
        peer = self.connect()
        self.assertTrue(peer.recv(255).startswith(b"SSH-2.0-"))
        self.assert_closed(peer)
        self.assert_serves()

    def test_banner_and_then_silence_is_closed(self):
        peer = self.connect()
        peer.sendall(b"SSH-2.0-quiet\r\n")
        self.assert_closed(peer)
        self.assert_serves()

    def test_garbage_is_closed(self):
        for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(5000), b"SSH-2.0-x\r\n" + os.urandom(5000),
                        b"SSH-1.5-old\r\n", b"\0" * 1000, b"SSH-2.0-" + b"x" * 300 + b"\r\n"):
            with self.subTest(garbage=garbage[:20]):
                peer = self.connect()
                try:
                    peer.sendall(garbage)
                except (BrokenPipeError, ConnectionResetError):
                    continue
                self.assert_closed(peer)
        self.assert_serves()

    def test_endless_banner_is_cut(self):
        peer = self.connect()
        sent = 0
        with self.assertRaises((BrokenPipeError, ConnectionResetError, TimeoutError)):
            while sent < 1 << 30:
                sent += peer.send(b"x" * 65536)
        self.assertLess(sent, 64 << 20)
        self.assert_serves()

    def test_slow_client_meets_the_deadline(self):
        peer = self.connect()
        until = time.monotonic() + 60
        with self.assertRaises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < until:
                peer.sendall(b"S")
                time.sleep(0.2)
        self.assert_serves()

    def test_huge_packet_length_is_refused(self):
        peer = self.connect()
        peer.sendall(b"SSH-2.0-big\r\n" + b"\x7f\xff\xff\xff" + b"\x14" * 100)
        self.assert_closed(peer)
        self.assert_serves()

    def test_crowd_of_silent_connections_keeps_nobody_out_for_long(self):
        crowd = []
        for _ in range(50 if IS_QUICK else 150):
            try:
                crowd.append(socket.create_connection((self.lab.network.bastion_ip, 22), timeout=5))
            except OSError:
                break
        eventually(lambda: self.ssh("node1", "echo in", seconds=60).stdout == b"in\n", "a login beside the crowd", 120)
        for peer in crowd:
            peer.close()
        eventually(lambda: not self.daemon_children("bastion-session"), "all session processes are gone")

    def test_client_without_common_algorithms_is_closed(self):
        for option in ("KexAlgorithms=diffie-hellman-group14-sha256", "Ciphers=aes128-cbc", "MACs=hmac-sha1"):
            with self.subTest(option=option):
                options = [option] if option[0] != "M" else [option, "Ciphers=aes128-ctr"]
                done = self.ssh("bastion", "true", options=options)
                self.assertEqual(done.returncode, 255)
                self.assertTrue(re.search(rb"no matching|Unable to negotiate|closed", done.stderr), done.stderr)
        self.assert_serves()
