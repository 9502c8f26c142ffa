"""Which room includes what: layers.txt against every #include of the tree."""

import os
import re

from report import TOP, files, lines

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def read_layers():
    """{room: (allowed rooms, own system prefixes)}, in the order of the floors."""
    layers = {}
    for number, line in enumerate(lines("tests/lint/layers.txt"), 1):
        line = line.partition("#")[0].strip()
        if line:
            room, _, rest = line.partition(":")
            rooms, _, headers = rest.partition("|")
            layers[room] = (rooms.split(), headers.split(), number)
    return layers


def upward(layers):
    """Lines that name a room not yet built: that would be a cycle or a typing mistake."""
    seen = set()
    for room, (allowed, _headers, number) in layers.items():
        for other in allowed:
            if other.split("/")[0] not in seen:
                yield f"tests/lint/layers.txt:{number}: {room} names {other}, which is not above its line"
        seen.add(room)


def room_of(path):
    """The room whose rules hold for a file."""
    parts = path.split("/")
    if parts[0] == "policy":
        return "policy"
    if parts[0] == "include":
        return parts[1]
    if parts[:2] == ["gateway", "process"]:
        return parts[2] if len(parts) > 3 else "process"
    return parts[1]


def includes(path):
    for number, line in enumerate(lines(path), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found[1], found[2]


def check_file(path, layers):
    room = room_of(path)
    if room not in layers:
        yield f"{path}: the room {room} is not in tests/lint/layers.txt"
        return
    allowed, own, _number = layers[room]
    for number, quoted, system in includes(path):
        if quoted and ".." in quoted.split("/"):
            yield f"{path}:{number}: {quoted} climbs out of its folder"
        elif quoted and os.path.exists(os.path.join(TOP, "include", quoted)):
            other = quoted.split("/")[0]
            if other not in (room, *allowed) and quoted not in allowed:
                yield f"{path}:{number}: {room} may not include {quoted}"
        elif quoted and not os.path.exists(os.path.join(TOP, os.path.dirname(path), quoted)):
            yield f"{path}:{number}: {quoted} is neither public nor beside the file"
        elif system:
            yield from (f"{path}:{number}: <{system}> belongs to {other} alone"
                        for other, (_allowed, theirs, _n) in layers.items()
                        if other != room and system.startswith(tuple(theirs)) and not system.startswith(tuple(own)))


def run(report):
    layers = read_layers()
    report.check("layers: every line names only rooms above it", upward(layers))
    sources = files("gateway/*.c", "gateway/*.h", "policy/*.c", "policy/*.h", "include/*.h")
    by_room = {}
    for path in sources:
        by_room.setdefault(room_of(path), []).append(path)
    for room, paths in sorted(by_room.items()):
        report.check(f"layers: {room} includes only what its floor allows",
                     (problem for path in paths for problem in check_file(path, layers)))
    report.check("layers: no room of the list is missing in the tree",
                 (f"{room} has no files" for room in layers if room not in by_room))
