"""Many idle connections at once, and what each costs."""

import os
import re
import subprocess
import sys
import unittest

import support
from support import BIN, IS_QUICK, LabCase, processes

COUNT = 30 if IS_QUICK else 200
LARGEST_PSS_KIB = 1536  # per idle connection with one inner session, over all processes of the bastion


def pss_kib(entry):
    try:
        with open(f"/proc/{entry['pid']}/smaps_rollup", encoding="ascii") as file:
            return int(re.search(r"^Pss:\s+(\d+) kB", file.read(), re.M)[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


class IdleMixin:
    def idle(self):
        """Opens COUNT connections with one waiting session each; returns KiB of PSS per connection."""
        daemon = self.lab.gateway.daemon["pid"]
        before = sum(map(pss_kib, processes.family(daemon)))
        children = []
        for _ in range(COUNT):  # ten at a time: the machine has few cores and this is no race
            children.append(self.ssh_start("node1", "echo ready; cat", stderr=subprocess.DEVNULL))
            if len(children) % 10 == 0:
                for child in children[-10:]:
                    self.assertEqual(child.stdout.readline(), b"ready\n")
        family = processes.family(daemon)
        total = sum(map(pss_kib, family))
        each = (total - before) / COUNT
        print(f"        {COUNT} idle connections: {total / 1024:.1f} MiB PSS over {len(family)} processes, "
              f"{before / 1024:.1f} MiB before, {each / 1024:.2f} MiB each", file=sys.stdout)
        for child in children:
            out, _err = child.communicate(b"alive\n", timeout=180)
            self.assertEqual((out, child.returncode), (b"alive\n", 0))
        return each


class CrowdTest(IdleMixin, LabCase):
    def test_crowd_of_idle_sessions_is_served(self):
        self.idle()


class FootprintTest(IdleMixin, LabCase):
    """On the release build only: a sanitizer's shadow memory says nothing."""

    @classmethod
    def setUpClass(cls):
        cls.release = os.environ.get("BASTION_RELEASE_BIN")
        if not cls.release:
            raise unittest.SkipTest("no release build was given")
        support.BIN = cls.release
        try:
            super().setUpClass()
        finally:
            support.BIN = BIN

    def test_idle_session_stays_below_its_bound(self):
        self.assertLess(self.idle(), LARGEST_PSS_KIB)
