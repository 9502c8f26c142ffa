"""Holds docs/formats/ipc.md against include/ipc/messages.def: the table in the document is made from the table in the
code. `ipc_table.py --write` makes it anew."""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = os.path.join(TOP, "include/ipc/messages.def")
DOCUMENT = os.path.join(TOP, "docs/formats/ipc.md")
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
ROW = re.compile(r"^MSG\((\w+),\s*(\w+),\s*(\w+),\s*([\w |]+?),\s*(\d+),\s*(\d+),\s*(\d+)\)", re.M)


def table():
    with open(TABLE, encoding="utf-8") as file:
        rows = ROW.findall(file.read())
    lines = ["| message | from | to | phases | times | largest body | descriptors |", "|---|---|---|---|---|---|---|"]
    for name, sender, receiver, phases, times, largest, descriptors in rows:
        phases = phases.replace("PHASE_", "").replace("ANY_", "any ").replace("any PHASE", "any").replace("|", "or").strip()
        phases = "any" if phases.startswith("any") else phases.lower()
        lines.append(f"| {name} | {sender.lower()} | {receiver.lower()} | {phases} | {'any' if times == '0' else times} "
                     f"| {largest} | {descriptors} |")
    return "\n".join(lines) + "\n"


def split(text):
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before, after


def is_current():
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    before, after = split(text)
    return text == before + BEGIN + table() + END + after


def main():
    if "--write" in sys.argv[1:]:
        with open(DOCUMENT, encoding="utf-8") as file:
            before, after = split(file.read())
        with open(DOCUMENT, "w", encoding="utf-8") as file:
            file.write(before + BEGIN + table() + END + after)
        return 0
    if is_current():
        return 0
    print("docs/formats/ipc.md is not the table of include/ipc/messages.def: run tests/lint/ipc_table.py --write")
    return 1


if __name__ == "__main__":
    sys.exit(main())
