#!/usr/bin/env python3
"""count_ctest.py JUNIT.xml TITLE: one line per single test of a ctest run, then `TITLE: N passed, N failed`.

A cmocka program holds many tests and names each; a program that names none is one test.
"""

import re
import sys
import xml.etree.ElementTree

RESULT = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] ([a-z_]\w*)$", re.M)


def single_tests(case):
    """(name, passed) of every test inside one program."""
    name, status = case.get("name"), case.get("status")
    said = case.findtext("system-out") or ""
    results = {test: word for word, test in RESULT.findall(said)}
    inside = [(f"{name}/{test}", word != "FAILED") for test, word in results.items()]
    whole = status == "run"  # ctest: "run" passed, "fail", "disabled", "notrun"
    if not inside:
        yield name, whole
        return
    yield from inside
    if not whole and all(passed for _test, passed in inside):
        yield f"{name} as a whole (it crashed, leaked or ran out of time)", False


def main():
    passed = failed = 0
    for case in xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        bad = False
        for name, is_good in single_tests(case):
            print(f"{'ok' if is_good else 'not ok':<7} {name}")
            passed, failed, bad = passed + is_good, failed + (not is_good), bad or not is_good
        if bad:
            print("        " + (case.findtext("system-out") or "").strip()[-6000:].replace("\n", "\n        "))
    print(f"{sys.argv[2]}: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
