#!/usr/bin/env python3
"""The lints: layers, source text, link lines, hardening, clang-tidy. Prints one line per check and `N passed, N failed`."""

import argparse
import os
import sys

sys.dont_write_bytecode = True

import hardening  # noqa: E402
import layers  # noqa: E402
import links  # noqa: E402
import source  # noqa: E402
import tidy  # noqa: E402
from report import TOP, Report  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", metavar="DIR", help="a finished build whose link lines are checked (any preset)")
    parser.add_argument("--release", metavar="DIR", help="a finished release build whose binaries must be hardened")
    parser.add_argument("--tidy", metavar="DIR", help="a configured build whose files go through clang-tidy (minutes)")
    given = parser.parse_args()
    os.chdir(TOP)
    report = Report()
    layers.run(report)
    source.run(report)
    if given.build:
        links.run(report, given.build)
    if given.release:
        hardening.run(report, given.release)
    if given.tidy:
        tidy.run(report, given.tidy)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
