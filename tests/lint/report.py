"""What every lint shares: where the tree is, how a result is told."""

import fnmatch
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*patterns):
    """Tracked and new files of the tree that match, never ignored ones; paths relative to the top."""
    listed = subprocess.run(["git", "-C", TOP, "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
                            check=False, capture_output=True, text=True)
    found = listed.stdout.splitlines() if listed.returncode == 0 else _files_without_git(patterns)
    return sorted(path for path in set(found) if os.path.isfile(os.path.join(TOP, path)))


def _files_without_git(patterns):
    """An unpacked archive is a tree, too."""
    for folder, folders, names in os.walk(TOP):
        folders[:] = [name for name in folders if not name.startswith(("build", "__pycache__"))]
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), TOP)
            if any(fnmatch.fnmatch(path, pattern) for pattern in patterns):
                yield path


def lines(path):
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


class Report:
    """Counts checks; a check passes where it brings no problem."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, problems):
        problems = list(problems)
        if problems:
            self.failed += 1
            print(f"not ok  {name}")
            for problem in problems[:40]:
                print(f"        {problem}")
            if len(problems) > 40:
                print(f"        ... and {len(problems) - 40} more")
        else:
            self.passed += 1
            print(f"ok      {name}")
        sys.stdout.flush()

    def end(self):
        print(f"lint: {self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
