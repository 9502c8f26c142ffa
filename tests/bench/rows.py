"""What a measure consists of: values of both sides in turns, and what they should be."""

import statistics

from both_ways import SIDES

GIB = 1 << 30
PATIENCE_S = 900


class Row:
    """One measure: values per side, and what the bastion's should be as a share of sshd's."""

    def __init__(self, name, unit, wanted="", is_more_better=False):
        self.name, self.unit, self.wanted, self.is_more_better = name, unit, wanted, is_more_better
        self.values = {side: [] for side in SIDES}
        self.note = ""

    def add(self, side, value):
        self.values[side].append(value)

    def median(self, side):
        return statistics.median(self.values[side])

    def ratio(self):
        below = self.median("sshd")
        return self.median("bastion") / below if below else float("nan")

    def paired(self):
        """Ratio of each pair that was measured one after the other: what their spread says, the machine did."""
        pairs = list(zip(self.values["bastion"], self.values["sshd"]))
        return [ours / theirs for ours, theirs in pairs if theirs] if len(pairs) > 1 else []

    def as_dict(self):
        return {"name": self.name, "unit": self.unit, "wanted": self.wanted, "values": self.values, "note": self.note,
                "ratio": self.ratio() if all(self.values.values()) else None}


class Skipped(Exception):
    """Why a measure cannot be made here."""


def turns(count):
    """sshd, bastion, bastion, sshd, ...: neither is always the second one."""
    for i in range(count):
        yield from (SIDES if i % 2 == 0 else SIDES[::-1])


def check(done, what):
    if done.returncode != 0:
        said = (done.stderr or b"").decode(errors="replace").strip().splitlines()
        raise Skipped(f"{what}: exit {done.returncode}: {said[-1] if said else 'nothing was said'}")
