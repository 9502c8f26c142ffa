"""What the compiler and linker must have put into the release binaries."""

import glob
import os
import platform
import re
import subprocess


def readelf(*words):
    return subprocess.run(["readelf", "-W", *words], capture_output=True, text=True, check=True).stdout


def problems_of(binary):
    header, dynamic = readelf("-h", binary), readelf("-d", binary)
    segments, symbols = readelf("-l", binary), readelf("--dyn-syms", binary)
    if not re.search(r"Type:\s+DYN", header) or not re.search(r"Flags:.*\bPIE\b", dynamic):
        yield "is not position independent (PIE)"
    if "GNU_RELRO" not in segments:
        yield "has no RELRO segment"
    if not re.search(r"FLAGS_1\).*\bNOW\b", dynamic):
        yield "binds lazily: no NOW"
    if not re.search(r"GNU_STACK\s.*\bRW\s", segments):
        yield "has an executable stack or does not say"
    if re.search(r"^\s+LOAD\s.*\bRWE\b", segments, re.M):
        yield "has a segment that is writable and executable"
    if "TEXTREL" in dynamic:
        yield "rewrites its code when it is loaded (TEXTREL)"
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        yield "names a folder to load libraries from (RPATH)"
    if "__stack_chk_fail" not in symbols:
        yield "has no stack protector"
    if not re.search(r"\b__\w+_chk\b(?<!__stack_chk)", symbols):
        yield "uses no fortified function (_FORTIFY_SOURCE)"
    if re.search(r"__(asan|ubsan|tsan)_", symbols):
        yield "is a sanitizer build"


def without_cet(build):
    """Our own objects must be marked for CET; a binary is only where every archive in it is (libssh.a may not be)."""
    if platform.machine() != "x86_64":
        return
    objects = [path for room in ("gateway", "policy")
               for path in glob.glob(os.path.join(build, room, "**", "*.o"), recursive=True)]
    if not objects:
        yield f"no objects below {build}"
    for path in objects:
        notes = readelf("-n", path)
        if "IBT" not in notes or "SHSTK" not in notes:
            yield f"{os.path.relpath(path, build)} is not marked for indirect branch tracking and shadow stacks"


def run(report, build):
    binaries = sorted(path for path in glob.glob(os.path.join(build, "bin", "*")) if os.path.isfile(path))
    if not binaries:
        report.check("hardening: the release build has binaries", [f"none in {build}/bin"])
    for binary in binaries:
        report.check(f"hardening: {os.path.basename(binary)} is hardened", problems_of(binary))
    report.check("hardening: every object is marked for CET", without_cet(build))
