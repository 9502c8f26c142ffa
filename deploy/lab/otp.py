#!/usr/bin/env python3
"""otp NAME: print the next valid one-time code of a person of this lab.

A code is good once. This waits where the current one was used already or given out by an earlier call, also when
several calls run at the same time: each gets a code of its own, thirty seconds apart.
It stands in the lab's folder, beside oath/users (the file of pam_oath).
"""

import fcntl
import hmac
import os
import re
import sys
import time

STEP_S = 30
LAB = os.path.dirname(os.path.abspath(__file__))
USERS = os.path.join(LAB, "oath", "users")


def code_at(secret, step):
    """RFC 6238 with SHA-1 and six digits, what every phone application does."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7fffffff) % 1000000:06d}"


def read_person(name):
    """Returns the secret and the code that pam_oath saw last ("" before the first login)."""
    with open(USERS, encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if len(fields) >= 4 and fields[0].startswith("HOTP/T30") and fields[1] == name:
                return bytes.fromhex(fields[3]), fields[5] if len(fields) > 5 else ""
    raise SystemExit(f"otp: {name} is not enrolled in {USERS}")


def next_code(name):
    path = os.path.join(LAB, "oath", f".{name}.given")
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii") as given:
        fcntl.flock(given, fcntl.LOCK_EX)  # held while waiting: the next caller needs the step after ours
        last = int(given.read() or 0)
        while True:
            now = int(time.time()) // STEP_S
            secret, last_used = read_person(name)
            for step in (now - 1, now, now + 1):
                if code_at(secret, step) == last_used:
                    last = max(last, step)
            if last < now:
                break
            time.sleep(max(0.05, (last + 1) * STEP_S - time.time()))
        given.seek(0)
        given.truncate()
        given.write(str(now))
        return code_at(secret, now)


def main():
    if len(sys.argv) != 2 or not re.fullmatch(r"[a-z][a-z0-9._-]{0,31}", sys.argv[1]):
        raise SystemExit("usage: otp NAME")
    print(next_code(sys.argv[1]))


if __name__ == "__main__":
    main()
