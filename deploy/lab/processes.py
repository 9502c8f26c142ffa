"""Processes named by number and start time, so that a number used again by a stranger is never signalled."""

import os
import signal
import subprocess
import time


class LabError(Exception):
    """Something the person at the keyboard can act on; printed without a traceback."""


def run(*argv, check=True, **options):
    """Run a command and return it completed; its stderr becomes the error's text."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}: {said}")
    return done


def _stat(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()  # the name may hold spaces and parentheses
    except (FileNotFoundError, ProcessLookupError):
        return None


def start_time(pid):
    """Clock ticks since boot at which this process began; None where there is none, or only a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def identify(pid):
    return {"pid": pid, "start": start_time(pid)}


def is_running(entry):
    return entry is not None and entry["start"] is not None and start_time(entry["pid"]) == entry["start"]


def program(entry):
    """File name of the program that a process runs; "" where it is gone."""
    try:
        return os.path.basename(os.readlink(f"/proc/{entry['pid']}/exe"))
    except OSError:
        return ""


def family(pid):
    """This process and all its descendants as they are now."""
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        fields = _stat(name)
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, unseen = [], [pid]
    while unseen:
        at = unseen.pop()
        found.append(identify(at))
        unseen.extend(children.get(at, []))
    return [entry for entry in found if entry["start"] is not None]


def mentioning(text):
    """Processes with `text` inside one of their arguments: orphans of a daemon that was killed."""
    needle = os.fsencode(text)
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if any(needle in word for word in file.read().split(b"\0")):
                    found.append(identify(int(name)))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [entry for entry in found if entry["start"] is not None and entry["pid"] != os.getpid()]


def send(entry, number):
    """Signal exactly this process; False where it is gone."""
    if not is_running(entry):
        return False
    try:
        os.kill(entry["pid"], number)
    except ProcessLookupError:
        return False
    return True


def wait_gone(entries, seconds):
    """Wait until all have ended; returns those that did not."""
    until = time.monotonic() + seconds
    left = list(entries)
    while left and time.monotonic() < until:
        for entry in left:
            try:
                os.waitpid(entry["pid"], os.WNOHANG)  # where it is our own child, so that no zombie stays
            except (ChildProcessError, ProcessLookupError):
                pass
        left = [entry for entry in left if is_running(entry)]
        if left:
            time.sleep(0.02)
    return left


def end(entry, grace_s=10):
    """SIGTERM, then SIGKILL. Returns the members of its family that outlived it and had to be killed."""
    if not is_running(entry):
        return []
    members = family(entry["pid"])
    send(entry, signal.SIGTERM)
    leftovers = wait_gone(members, grace_s)
    for left in leftovers:
        send(left, signal.SIGKILL)
    wait_gone(leftovers, 5)
    return leftovers


def default_signals():
    """A shell starts background jobs with SIGINT ignored, and that would be inherited down to the shells in node1."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)


def spawn(argv, log_path, environment=None):
    """Start a process in a session of its own, with its output in a file."""
    with open(log_path, "ab") as log:
        child = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 start_new_session=True, env=environment, preexec_fn=default_signals)
    return child, identify(child.pid)
