#!/usr/bin/env python3
"""flip_byte.py FILE: change one bit in the middle of a file, in place."""

import os
import sys

with open(sys.argv[1], "r+b") as file:
    at = os.path.getsize(sys.argv[1]) // 2
    file.seek(at)
    byte = file.read(1)[0]
    file.seek(at)
    file.write(bytes([byte ^ 1]))
    print(f"byte {at} of {sys.argv[1].rpartition('/')[2]}: {byte:#04x} -> {byte ^ 1:#04x}")
