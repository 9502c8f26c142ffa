"""Clients that do not mean well, after they have logged in: packets of the connection layer that no client sends.

Each act is a connection of its own, with the bastion's own channels (outer) or through the gate (inner). Beside all of them
a session of somebody else goes on.
"""

import os
import re
import subprocess

from support import MIB, eventually
from test_clients import SYSTEM_PYTHON, ClientCase
from test_clients import HERE as CLIENTS

ENDING = ("data_after_eof data_after_close data_on_no_channel window_on_no_channel eof_on_no_channel close_on_no_channel request_on_no_channel"
          " cut_request request_with_more_behind_it cut_global_request cut_open longer_length_than_data window_beyond_32_bits number_in_use"
          " answer_to_no_question error_stream_of_a_client").split()
ENDING_INSIDE = ("more_than_the_window sftp_request_before_init sftp_init_twice sftp_packet_of_four_gigabytes sftp_packet_of_nothing").split()
GROWTH_BYTES = 8 * MIB


class RoughTest(ClientCase):
    people, machines = (), ("rough",)

    def setUp(self):
        self.need("paramiko")
        self.witness = self.ssh_start("node1", "cat")
        self.assert_unharmed()

    def assert_unharmed(self):
        self.witness.stdin.write(b"still here\n")
        self.witness.stdin.flush()
        self.assertEqual(self.witness.stdout.readline(), b"still here\n")

    def start(self, leg, act):
        argv = [SYSTEM_PYTHON, "-B", os.path.join(CLIENTS, "rough_client.py"), "--bastion", self.lab.network.bastion_ip, "--user", "rough",
                "--key", self.lab.path("rough"), "--known-hosts", self.known_hosts, "ec2-user@node1", f"{leg} {act}"]
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self._finish, child)
        return child

    def act(self, leg, act):
        out, err = self.start(leg, act).communicate(timeout=180)
        self.assertTrue(out, err)
        return out.strip()

    def assert_ends(self, leg, act):
        """The connection (outer) or the access (inner) is over, the operator hears of it once, and it is on record."""
        mark, before = len(self.events()), self.sessions()
        self.assertEqual(self.act(leg, act), "ended")
        number = eventually(lambda: self.events_since(mark, event="session.note", person="rough"), "an event")[0]["connection"]
        eventually(lambda: self.events_since(mark, event="connection.closed", connection=f"^{number}$"), "its end")
        told = self.events_since(mark, event="session.note", person="rough")
        self.assertEqual([one["code"] for one in told], ["protocol"], told)
        self.assertRegex(told[0]["sentence"], r"the client|RFC 4254")
        self.assertFalse(self.events_since(mark, event="session.killed|ipc.violation"))
        if leg == "inner":
            eventually(lambda: all(one["closed"] and one["how"] == "ended" for one in self.new_sessions(before)), "a closed recording")
        self.assert_unharmed()

    def test_packets_that_no_client_sends_end_the_connection(self):
        for act in ENDING:
            with self.subTest(act=act):
                self.assert_ends("outer", act)

    def test_packets_that_no_client_sends_end_the_access(self):
        for act in (*ENDING, *ENDING_INSIDE):
            with self.subTest(act=act):
                self.assert_ends("inner", act)

    def test_three_thousand_opens_are_bounded(self):
        for leg in ("outer", "inner"):
            with self.subTest(leg=leg):
                mark = len(self.events())
                found = re.fullmatch(r"(\d+) of 3000 opened", self.act(leg, "three_thousand_opens"))
                self.assertLessEqual(int(found[1]), {"outer": 32, "inner": 16}[leg])
                self.assertGreaterEqual(int(found[1]), 1)
                eventually(lambda: self.events_since(mark, event="connection.closed", person="rough"), "its end")
                self.assertLess(len(self.events_since(mark, person="rough")), 120, "a flood in the log")
                self.assert_unharmed()

    def resident_bytes(self):
        """Of each session's process, the smallest first: the witness has one too, and nothing to keep."""
        found = []
        for entry in self.daemon_children("bastion-session"):
            with open(f"/proc/{entry['pid']}/statm", encoding="ascii") as file:
                found.append(int(file.read().split()[1]) * 4096)
        return sorted(found)

    def test_window_that_never_opens_costs_little(self):
        for leg in ("outer", "inner"):
            with self.subTest(leg=leg):
                child = self.start(leg, "window_that_never_opens")
                self.assertEqual(child.stdout.readline(), "holding\n")
                resident = self.resident_bytes()
                self.assertLess(resident[-1] - resident[0], GROWTH_BYTES, resident)
                self.assert_unharmed()
                out, err = child.communicate("\n", timeout=120)
                self.assertEqual(out, "0 early, then 8\n", err)

    def test_windows_of_one_byte_pass_every_byte(self):
        self.assertEqual(self.act("outer", "windows_of_one_byte"), "12 bytes, SSH-2.0")
        self.assertEqual(self.act("inner", "windows_of_one_byte"), "300 bytes, xxxxxxx")
        self.assert_unharmed()

    def test_sftp_out_of_shape_is_refused_or_bounded(self):
        mark = len(self.events())
        self.assertEqual(self.act("inner", "sftp_fields_that_do_not_fit"), "refused with its code")
        self.assertEqual(self.act("inner", "sftp_that_stops_in_the_middle"), "closed")
        self.assertEqual(self.act("inner", "sftp_of_twenty_thousand_requests"), "20000 answers in order")
        told = eventually(lambda: self.events_since(mark, event="session.note", person="rough"), "an event")
        self.assertEqual([one["code"] for one in told], ["refused"], told)
        self.assert_unharmed()

    def test_sessions_are_over_when_the_client_says_so(self):
        for leg in ("outer", "inner"):
            with self.subTest(leg=leg):
                self.assertEqual(self.act(leg, "no_more_sessions"), "refused")

    def test_scp_out_of_shape_only_fails(self):
        before, mark = self.sessions(), len(self.events())
        self.assertEqual(self.act("inner", "scp_of_nonsense"), "all closed")
        eventually(lambda: all(one["closed"] and one["how"] == "ended" for one in self.new_sessions(before)), "a closed recording")
        self.assertFalse(self.events_since(mark, event="session.note", code="protocol"))
        self.assert_unharmed()
