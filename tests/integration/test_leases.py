"""One second factor for many connections: who is asked, who waits, and what asks again."""

import os
import signal
import subprocess
import unittest

from support import CODE_PROMPT, IS_QUICK, LabCase, eventually, processes, read, write

FAN_OUT = 50  # parallel connections of one ansible run


class LeaseTest(LabCase):
    people = ("anna", "bert", "carl", "dora", "emil", "fred", "gerd")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_ip = cls.lab.network.user_ip.removesuffix(".1") + ".3"
        processes.run("ip", "address", "add", f"{cls.other_ip}/24", "dev", cls.lab.network.link)

    def askpass(self, person, name="ask"):
        """A program that gives the code once the file `go` is there, and counts how often it was asked."""
        place = os.path.join(self.base, f"{name}-{person}")
        write(place, f"#!/bin/sh\necho asked >>{place}.asked\nwhile [ ! -e {place}.go ]; do sleep 0.05; done\n"
                     f"exec {self.lab.path('otp')} {person}\n", 0o755)
        return place

    def asked(self, place):
        return read(place + ".asked").count("asked") if os.path.exists(place + ".asked") else 0

    def through(self, person, *words, askpass=None):
        """The outer connection spelled out, so that options reach it."""
        config = self.lab.path(self.lab.config_name(person))
        ask = f"env SSH_ASKPASS={askpass} SSH_ASKPASS_REQUIRE=force " if askpass else ""
        batch = "" if askpass else "-o BatchMode=yes "
        return [f"ProxyCommand={ask}ssh -F {config} {batch}{' '.join(words)} -W [%h]:%p bastion"]

    def start(self, person, count, askpass=None):
        return [self.ssh_start("node1", "echo", f"done{i}", person=person, options=self.through(person, askpass=askpass),
                               stdin=subprocess.DEVNULL, start_new_session=True) for i in range(count)]

    def waiting(self, mark, person, count):
        eventually(lambda: len(self.events_since(mark, event="factor.waiting", person=person)) >= count,
                   f"{count} connections of {person} wait", 120)

    def finish(self, children, status=0):
        for i, child in enumerate(children):
            out, said = child.communicate(timeout=180)
            self.assertEqual((child.returncode, out), (status, f"done{i}\n".encode() if status == 0 else b""), said)
        return said.decode()

    def test_fan_out_asks_once(self):
        mark = len(self.events())
        place = self.askpass("anna")
        children = self.start("anna", FAN_OUT, place)
        self.waiting(mark, "anna", FAN_OUT - 1)
        write(place + ".go", "")
        self.finish(children)
        self.assertEqual(self.asked(place), 1)
        self.assertEqual(len(self.events_since(mark, event="factor.passed", person="anna")), 1)
        accepted = self.events_since(mark, event="login.accepted", person="anna")
        self.assertEqual(sorted(event["factor"] for event in accepted), ["lease"] * (FAN_OUT - 1) + ["pam"])
        self.assertTrue(all(event["factor_age_s"] < 3600 for event in accepted))

    def test_clients_without_a_terminal_wait_and_are_told(self):
        mark = len(self.events())
        place = self.askpass("bert")
        first = self.start("bert", 1, place)
        eventually(lambda: self.asked(place), "the first is asked")
        batch = self.start("bert", 3)
        self.waiting(mark, "bert", 3)
        write(place + ".go", "")
        self.finish(first)
        self.assertIn("another connection of yours is being asked for the second factor", self.finish(batch))

    def test_next_one_is_asked_when_the_first_leaves(self):
        mark = len(self.events())
        place = self.askpass("carl")
        first = self.start("carl", 1, place)
        eventually(lambda: self.asked(place), "the first is asked")
        others = self.start("carl", 3, place)
        self.waiting(mark, "carl", 3)
        os.killpg(first[0].pid, signal.SIGKILL)  # with its ProxyCommand and the program that asks
        eventually(lambda: self.asked(place) == 2, "another is asked")
        write(place + ".go", "")
        self.finish(others)
        self.assertEqual(self.asked(place), 2)

    def test_batch_clients_alone_fail_one_after_the_other(self):
        self.finish(self.start("dora", 5), status=255)

    def test_another_key_asks_again(self):
        key = os.path.join(self.base, "second")
        processes.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        keys = self.lab.path("config", "keys", "emil")
        write(keys, read(keys) + read(key + ".pub"))
        self.log_in("emil")
        known = self.ssh("node1", "echo yes", person="emil", options=self.through("emil"))
        self.assertEqual((known.returncode, known.stdout), (0, b"yes\n"), known.stderr)
        other = self.ssh("node1", "echo yes", person="emil", options=self.through("emil", "-o", f"IdentityFile={key}"))
        self.assertEqual((other.returncode, other.stdout), (255, b""))
        self.assertIn(b"Permission denied (keyboard-interactive)", other.stderr)

    def test_another_source_asks_again(self):
        self.log_in("fred")
        known = self.ssh("node1", "echo yes", person="fred", options=self.through("fred"))
        self.assertEqual((known.returncode, known.stdout), (0, b"yes\n"), known.stderr)
        moved = self.through("fred", "-b", self.other_ip)
        other = self.ssh("node1", "echo yes", person="fred", options=moved)
        self.assertEqual((other.returncode, other.stdout), (255, b""))
        self.assertIn(b"Permission denied (keyboard-interactive)", other.stderr)
        self.assertEqual(len(self.events_since(0, event="login.accepted", person="fred", **{"from": self.other_ip})), 0)

    def test_conversation_elsewhere_is_waited_for_but_does_not_serve(self):
        """Another source of the same person: its code is asked when the first conversation is over."""
        place = self.askpass("alice")
        first = self.start("alice", 1, place)
        eventually(lambda: self.asked(place), "the first is asked")
        way = self.through("alice", "-b", self.other_ip)[0].replace("-o BatchMode=yes ", "")
        with self.terminal("node1", "true", person="alice", options=[way]) as terminal:
            terminal.expect("another connection of yours is being asked")
            write(place + ".go", "")
            self.finish(first)
            terminal.expect(CODE_PROMPT)

    @unittest.skipIf(IS_QUICK, "the shortest age that a rule can name is a minute")
    def test_rule_that_wants_a_fresher_factor_asks_again(self):
        path = self.lab.gateway.policy
        before = read(path)
        self.addCleanup(self.reload, path, before)
        self.log_in("gerd")
        self.reload(path, before.replace("mfa: 8h", "mfa: 1m").replace("mfa_age: 5m", "mfa_age: 30s"))
        eventually(lambda: self.ssh("node1", "true", person="gerd", options=self.through("gerd")).returncode == 255,
                   "the lease is too old for every rule", 120)
        self.reload(path, before)
        known = self.ssh("node1", "echo yes", person="gerd", options=self.through("gerd"))
        self.assertEqual((known.returncode, known.stdout), (0, b"yes\n"), known.stderr)

    def reload(self, path, text):
        mark = len(self.events())
        write(path, text)
        self.lab.gateway.reload()
        eventually(lambda: self.events_since(mark, event="policy.loaded"), "the policy is loaded")
