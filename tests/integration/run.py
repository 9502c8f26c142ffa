#!/usr/bin/env python3
"""Integration tests: real ssh clients, a real sshd, the real programs, in a lab of network namespaces. Needs root."""

import argparse
import os
import re
import signal
import sys
import time
import traceback
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))


def title(test):
    """integration/login/wrong_code_is_refused of LoginTest.test_wrong_code_is_refused in test_login.py"""
    match = re.search(r"(\w+) \((?:\w+\.)*?test_(\w+)\.", str(test)) or re.search(r"(\w+) \(test_(\w+)\.", str(test))
    return f"integration/{match[2]}/{match[1].removeprefix('test_')}" if match else f"integration/{test}"


class Lines(unittest.TestResult):
    """One line per test as it ends; what a failed test saw comes right below it."""

    def __init__(self):
        super().__init__()
        self.passed = self.failed = self.skipped_count = 0
        self.began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.is_bad = False

    def stopTest(self, test):
        super().stopTest(test)

    def _line(self, word, test, note=""):
        print(f"{word:<7} {title(test)} ({time.monotonic() - self.began:.1f} s){note}", flush=True)

    def _bad(self, test, error):
        self.failed += 1
        self._line("not ok", test)
        for line in "".join(traceback.format_exception(*error)).strip().splitlines():
            print("        " + (line if len(line) < 2000 else line[:800] + " [...] " + line[-1200:]), flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._line("ok", test)

    def addFailure(self, test, err):
        self._bad(test, err)

    def addError(self, test, err):
        self._bad(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._bad(subtest, err)

    def addSkip(self, test, reason):
        self.skipped_count += 1
        self._line("skip", test, f": {reason}")


def all_tests(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from all_tests(item)
        else:
            yield item


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default="build/asan/bin", help="folder of the built programs")
    parser.add_argument("--release-bin", default="", help="release programs, for the bounds on memory")
    parser.add_argument("--quick", action="store_true", help="smaller transfers and crowds")
    parser.add_argument("--filter", default="", help="only tests whose name matches this regular expression")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    given = parser.parse_args()
    os.environ["BASTION_BIN"] = os.path.abspath(given.bin)
    os.environ["BASTION_TEST_QUICK"] = "1" if given.quick else "0"
    if given.release_bin:
        os.environ["BASTION_RELEASE_BIN"] = os.path.abspath(given.release_bin)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # unittest swallows every other exception
    found = unittest.defaultTestLoader.discover(HERE, pattern="test_*.py", top_level_dir=HERE)
    chosen = unittest.TestSuite(test for test in all_tests(found) if re.search(given.filter, title(test)))
    if given.list:
        print("\n".join(title(test) for test in all_tests(chosen)))
        return 0
    result = Lines()
    try:
        chosen.run(result)
    except KeyboardInterrupt:
        print("integration: interrupted, taking the labs down", flush=True)
        for case in {type(test) for test in all_tests(found)}:
            if hasattr(case, "doClassCleanups"):
                case.doClassCleanups()
        return 130
    print(f"integration: {result.passed} passed, {result.failed} failed, {result.skipped_count} skipped")
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
