"""A program on a pseudo terminal, with someone who waits for a text and then types: for `ssh` as a person uses it.

As a command:  python3 -m lab.terminal [--when REGEX --say TEXT | --say-code "COMMAND"]... -- PROGRAM [ARGUMENT...]
Each --when waits for its text after the one before, then types. Shows all that the terminal shows; the exit status is
the program's, or 124 where a text did not come.
"""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from .processes import default_signals

PATIENCE_S = 60  # for one expected text; a test never waits longer than the text takes


class NotSeen(Exception):
    pass


class Terminal:
    """The program `argv` on a terminal of the given size. Use as a context: the program is ended at its end."""

    def __init__(self, argv, rows=24, columns=80, environment=None, show=None):
        self.screen = ""  # all that was shown so far
        self.searched = 0
        self.show = show
        self.status = None
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                default_signals()
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.execvpe(argv[0], argv, {**os.environ, "TERM": "xterm-256color", **(environment or {})})
            except OSError as error:
                os.write(2, f"{argv[0]}: {error}\n".encode())
            os._exit(127)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __enter__(self):
        return self

    def __exit__(self, *_ignored):
        self.close()

    def _read(self, seconds):
        """Take what the terminal shows next; False at its end."""
        if not select.select([self.master], [], [], max(0, seconds))[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # Linux: EIO once the other end is closed
            return False
        text = self._decoder.decode(data)
        self.screen += text
        if self.show:
            self.show.write(text)
            self.show.flush()
        return bool(data)

    def expect(self, pattern, seconds=PATIENCE_S):
        """Wait for a text after the one found last; returns the match."""
        until = time.monotonic() + seconds
        is_open = True
        while True:
            found = re.compile(pattern, re.M).search(self.screen, self.searched)
            if found:
                self.searched = found.end()
                return found
            if not is_open or time.monotonic() > until:
                raise NotSeen(f"{pattern!r} did not appear in {self.screen[self.searched:][-2000:]!r}")
            is_open = self._read(min(0.5, until - time.monotonic()))

    def say(self, text, enter="\r"):
        os.write(self.master, (text + enter).encode())

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, seconds=PATIENCE_S):
        """Read to the end and return the exit status (128 + number for a signal)."""
        until = time.monotonic() + seconds
        while self._read(min(0.5, until - time.monotonic())):
            if time.monotonic() > until:
                raise NotSeen(f"the program did not end; it showed {self.screen[-2000:]!r}")
        return self._reap()

    def _reap(self):
        if self.status is None:
            _pid, raw = os.waitpid(self.pid, 0)
            code = os.waitstatus_to_exitcode(raw)
            self.status = code if code >= 0 else 128 - code
        return self.status

    def close(self):
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._reap()
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


def _parse(words):
    script, at = [], 0
    while at < len(words) and words[at] != "--":
        if at + 1 >= len(words) or words[at] not in ("--when", "--say", "--say-code"):
            sys.exit(__doc__)
        script.append((words[at], words[at + 1]))
        at += 2
    if not words[at + 1:]:
        sys.exit(__doc__)
    return script, words[at + 1:]


def main():
    script, argv = _parse(sys.argv[1:])
    with Terminal(argv, show=sys.stdout) as terminal:
        try:
            for verb, text in script:
                if verb == "--when":
                    terminal.expect(text)
                elif verb == "--say":
                    terminal.say(text)
                else:
                    terminal.say(subprocess.run(text, shell=True, check=True, capture_output=True, text=True).stdout.strip())
            return terminal.wait()
        except NotSeen as problem:
            print(f"\n{problem}", file=sys.stderr)
            return 124


if __name__ == "__main__":
    sys.exit(main())
