"""What each program holds: links.txt against the link lines of a build and the libraries that a binary names."""

import os
import re
import subprocess

from report import lines

ALWAYS = ("libc.so", "ld-linux")
SANITIZERS = ("libasan.so", "libubsan.so", "libm.so", "libgcc_s.so", "libstdc++.so", "libpthread.so", "libdl.so")


def read_map():
    """{program: (rooms, libraries)}"""
    programs = {}
    for line in lines("tests/lint/links.txt"):
        line = line.partition("#")[0].strip()
        if line:
            name, _, rest = line.partition(":")
            rooms, _, libraries = rest.partition("|")
            programs[name] = (set(rooms.split()), libraries.split())
    return programs


def linked(build):
    """{program: words of its LINK_LIBRARIES} from build.ninja."""
    found, program = {}, None
    with open(os.path.join(build, "build.ninja"), encoding="utf-8") as file:
        for line in file:
            start = re.match(r"build bin/(\S+): C_EXECUTABLE_LINKER", line)
            if start:
                program = start[1]
            elif program and line.strip().startswith("LINK_LIBRARIES ="):
                found[program] = line.split("=", 1)[1].split()
                program = None
            elif not line.strip():
                program = None
    return found


def rooms_and_archives(words):
    rooms, others = set(), set()
    for word in words:
        room = re.fullmatch(r"(?:gateway/\S+|policy\S*)/lib(?:room_)?([a-z_]+)\.a", word)
        if room:
            rooms.add(room[1])
        elif not word.startswith("-Wl,"):
            others.add(os.path.basename(word).removeprefix("-l").removeprefix(":").removeprefix("lib").split(".")[0])
    return rooms, others


def needed(binary):
    said = subprocess.run(["readelf", "-dW", binary], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\)\s+Shared library: \[([^]]+)\]", said)


def problems_of(program, words, binary, expected):
    rooms, archives = rooms_and_archives(words)
    wanted, libraries = expected
    if rooms - wanted:
        yield f"{program} holds rooms that links.txt does not give it: {' '.join(sorted(rooms - wanted))}"
    if wanted - rooms:
        yield f"links.txt gives {program} rooms that it does not hold: {' '.join(sorted(wanted - rooms))}"
    # Some sonames carry their interface before the dot: libyaml-0.so.2.
    allowed = re.compile("|".join(rf"lib{re.escape(name)}(-\d+)?\." for name in libraries) or "$^")
    for archive in sorted(archives):
        if archive not in libraries:
            yield f"{program} links {archive}, which links.txt does not give it"
    for name in needed(binary):
        if not name.startswith(ALWAYS + SANITIZERS) and not allowed.match(name):
            yield f"{program} loads {name}, which links.txt does not give it"


def run(report, build):
    expected = read_map()
    found = linked(build)
    for program in sorted(set(expected) | set(found)):
        binary = os.path.join(build, "bin", program)
        if program not in expected:
            problems = [f"{program} is not in tests/lint/links.txt"]
        elif program not in found or not os.path.exists(binary):
            problems = [f"{binary} was not built"]
        else:
            problems = problems_of(program, found[program], binary, expected[program])
        report.check(f"links: {program} holds what the map says", problems)
