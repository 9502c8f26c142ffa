"""clang-tidy over every file that a build compiles: the slow check."""

import json
import os
import re
import subprocess

from report import TOP


def run(report, build):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        sources = sorted({entry["file"] for entry in json.load(file)})
    sources = [path for path in sources if path.startswith((TOP + "/gateway/", TOP + "/policy/"))]
    pattern = "^(" + "|".join(map(re.escape, sources)) + ")$"
    done = subprocess.run(["run-clang-tidy", "-quiet", "-j", str(os.cpu_count() or 2), "-p", build, pattern], cwd=TOP,
                          capture_output=True, text=True, check=False)
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)  # run-clang-tidy 14 colours a pipe, too
    found = sorted({line.replace(TOP + "/", "") for line in said.splitlines()
                    if re.search(r":\d+:\d+: (warning|error): ", line)})
    if done.returncode != 0 and not found:
        found = (done.stderr or done.stdout).splitlines()[-10:]
    report.check(f"tidy: clang-tidy has nothing to say about {len(sources)} files", found)
