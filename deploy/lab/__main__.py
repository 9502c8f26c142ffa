"""python3 -m lab up DIR --bin BIN | down DIR"""

import argparse
import sys

from . import Lab, LabError, databases, down


def main():
    parser = argparse.ArgumentParser(prog="lab", description="start or end a lab")
    parser.add_argument("action", choices=("up", "down"))
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--bin", default="build/release/bin", help="folder of the built programs")
    given = parser.parse_args()
    try:
        if given.action == "up":
            names = tuple(databases.KINDS) if databases.is_installed() else ()
            if not names:
                print("lab: without databases, PostgreSQL and MariaDB are not installed", file=sys.stderr)
            Lab(given.folder, given.bin, {"databases": names}).up()
        else:
            for left in down(given.folder):
                print(f"lab: process {left['pid']} did not end by itself and was killed", file=sys.stderr)
    except LabError as error:
        sys.exit(f"lab: {error}")


if __name__ == "__main__":
    main()
