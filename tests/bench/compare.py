#!/usr/bin/env python3
"""The bastion, recording, against OpenSSH's own sshd as a jump host that records nothing: ratios, measured in one run.

    python3 -B tests/bench/compare.py --bin build/release/bin
    python3 -B tests/bench/compare.py --quick --only login,echo

Needs root and a release build. Prints per measure the medians of both, the least and greatest value, and the bastion's
share of sshd's; docs/performance.md explains them.
"""

import argparse
import json
import os
import platform
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from both_ways import BothWays, LabError, databases, run  # noqa: E402
from measures import ALL, COUNTED, DATABASES  # noqa: E402
from rows import Skipped  # noqa: E402

MIB = 1 << 20


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "ssh": run("ssh", "-V").stderr.strip(),
            "load": os.getloadavg()[0]}


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(values):
    middle = number(sorted(values)[len(values) // 2] if len(values) % 2 else sum(sorted(values)[len(values) // 2 - 1:][:2]) / 2)
    return middle if len(values) == 1 else f"{middle} ({number(min(values))}-{number(max(values))})"


def show(row):
    if not all(row.values.values()):
        print(f"| {row.name} | {row.unit} | skipped: {row.note} | | | {row.wanted} |", flush=True)
        return
    ratio = f"{row.ratio():.2f}"
    if row.paired():
        ratio += f" ({min(row.paired()):.2f}-{max(row.paired()):.2f})"
    note = f" {row.note}" if row.note else ""
    print(f"| {row.name} | {row.unit} | {spread(row.values['sshd'])} | {spread(row.values['bastion'])} | {ratio}{note} |"
          f" {row.wanted} |", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/release/bin", help="folder of the built programs")
    parser.add_argument("--quick", action="store_true", help="small sizes, few runs: does it work, and roughly how fast")
    parser.add_argument("--only", default=",".join(ALL), help=f"of {','.join(ALL)}")
    parser.add_argument("--json", metavar="FILE", help="write all values there as well")
    parser.add_argument("--repeat", type=int, help="runs of each transfer and crowd per side (5; quick: 2)")
    parser.add_argument("--size", type=int, help="MiB of a transfer (1024; quick: 128)")
    parser.add_argument("--far-size", type=int, help="MiB of a transfer over the long way (256; quick: 32)")
    parser.add_argument("--delay-ms", type=int, default=50, help="round trip of the long way")
    parser.add_argument("--logins", type=int, help="30; quick: 10")
    parser.add_argument("--keystrokes", type=int, help="2000; quick: 300")
    parser.add_argument("--crowd", type=int, help="connections of one rate measurement (200; quick: 40)")
    parser.add_argument("--idle", help="numbers of idle sessions, growing (10,100,500; quick: 10,50)")
    parser.add_argument("--ciphers", default="gcm,default", help="of gcm,default")
    parser.add_argument("--database-s", type=int, help="seconds of one run of pgbench (10; quick: 2)")
    given = parser.parse_args()
    for name, full, quick in (("repeat", 5, 2), ("size", 1024, 128), ("far_size", 256, 32), ("logins", 30, 10),
                              ("keystrokes", 2000, 300), ("crowd", 200, 40), ("idle", "10,100,500", "10,50"),
                              ("database_s", 10, 2)):
        if getattr(given, name) is None:
            setattr(given, name, quick if given.quick else full)
    given.size, given.far_size = given.size * MIB, given.far_size * MIB
    given.idle = [int(count) for count in given.idle.split(",")]
    given.idle_s = 5 if given.quick else 20
    given.ciphers, given.only = given.ciphers.split(","), given.only.split(",")
    unknown = [name for name in given.only if name not in ALL]
    if unknown:
        parser.error(f"--only knows {', '.join(ALL)}, not {', '.join(unknown)}")
    return given


def measure(options, record, names, rows):
    with tempfile.TemporaryDirectory(prefix="bastion-bench.", ignore_cleanup_errors=True) as base:
        os.chmod(base, 0o755)
        wanted = sorted({DATABASES[name] for name in names if name in DATABASES}) if databases.is_installed() else ()
        connections = max(400, max(options.idle) + 50)
        try:
            with BothWays(os.path.join(base, "lab"), options.bin, connections, record, wanted) as ways:
                for name in names:
                    try:
                        for row in ALL[name](ways, options):
                            show(row)
                            rows.append(row.as_dict())
                    except Skipped as reason:
                        print(f"| {name} | | skipped: {reason} | | | |", flush=True)
        except LabError as error:
            sys.exit(f"compare: {error}")


def main():
    options = parse()
    found = {"machine": machine(), "rows": []}
    print(" | ".join(f"{key}: {value}" for key, value in found["machine"].items()))
    print("\n| measure | unit | sshd | bastion, recording | ratio | wanted |\n|---|---|---|---|---|---|", flush=True)
    for record, names in (("exec: 64MiB", [name for name in options.only if name not in COUNTED]),
                          ("exec: counts, sftp: names", [name for name in options.only if name in COUNTED])):
        if names:
            measure(options, record, names, found["rows"])
    print(f"\nload of the machine: {found['machine']['load']:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
