"""What is measured. Each takes the two ways and options, and yields rows; both sides take turns within one measure."""

import concurrent.futures
import os
import subprocess
import time

import database_measures
from both_ways import SIDES
from rows import GIB, PATIENCE_S, Row, Skipped, check, turns

LINE = b"20 bytes of somebody"


def _remote_file(ways, name):
    return f"/dev/shm/{os.path.basename(ways.lab.folder)}-{ways.lab.network.index}-{name}"


class Transfer:
    """SIZE bytes, once, by one tool in one direction."""

    def __init__(self, ways, size, direction, tool, cipher, delay_ms=0):
        self.ways, self.size, self.direction, self.tool, self.cipher, self.delay_ms = ways, size, direction, tool, cipher, delay_ms
        self.source = _remote_file(ways, "source")  # node1 shares /dev/shm with this machine
        piece = os.urandom(min(size, 4 << 20))  # no recording makes it smaller: one frame holds at most 64 KiB of it
        with open(self.source, "wb") as file:
            for _ in range(0, size, len(piece)):
                file.write(piece)
            file.truncate(size)

    def _by_exec(self, side):
        command = f"cat {self.source}" if self.direction == "download" else "cat >/dev/null"
        argv = self.ways.ssh(side, "node1", command, cipher=self.cipher, delay_ms=self.delay_ms)
        with open(os.devnull if self.direction == "download" else self.source, "rb") as stdin:
            return subprocess.run(argv, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=PATIENCE_S, check=False)

    def _by_sftp(self, side):
        sink = _remote_file(self.ways, "sink")
        order = f"get {self.source} /dev/null" if self.direction == "download" else f"put {self.source} {sink}"
        done = subprocess.run(self.ways.ssh(side, "-b", "-", "node1", cipher=self.cipher, delay_ms=self.delay_ms, program="sftp"),
                              input=order.encode(), capture_output=True, timeout=PATIENCE_S, check=False)
        if os.path.exists(sink):
            os.unlink(sink)
        return done

    def run(self, side):
        """Returns (MiB/s, CPU seconds per GiB of the side)."""
        count, before, began = self.ways.count(side), self.ways.cpu_s(side), time.monotonic()
        done = self._by_exec(side) if self.tool == "exec" else self._by_sftp(side)
        took = time.monotonic() - began
        check(done, f"{self.tool} {self.direction} through {side}")
        self.ways.settle(side, count)
        return self.size / took / (1 << 20), (self.ways.cpu_s(side) - before) * GIB / self.size


def _transfers(ways, options, tool, delay_ms=0, note="", most_cpu="<= 1.6"):
    size = options.size if delay_ms == 0 else options.far_size
    for cipher in options.ciphers:
        for direction in ("download", "upload"):
            where = f"{tool} {direction}, {'aes128-gcm' if cipher == 'gcm' else 'default cipher'}"
            where += f", {delay_ms} ms" if delay_ms else note
            speed = Row(where, "MiB/s", ">= 1.0", is_more_better=True)
            cpu = Row(where, "CPU s/GiB", most_cpu)
            transfer = Transfer(ways, size, direction, tool, cipher, delay_ms)
            try:
                for side in turns(options.repeat):
                    mib_s, cpu_s = transfer.run(side)
                    speed.add(side, mib_s)
                    cpu.add(side, cpu_s)
            except Skipped as reason:
                speed.note = str(reason)
                yield speed
                continue
            finally:
                os.unlink(transfer.source)
            yield speed
            if delay_ms == 0:
                yield cpu


def exec_bulk(ways, options):
    """1 GiB by a command, both ways, both ciphers."""
    yield from _transfers(ways, options, "exec")


def sftp_bulk(ways, options):
    """1 GiB by sftp, both ways, both ciphers."""
    yield from _transfers(ways, options, "sftp")


def counts(ways, options):
    """The same where the policy wants contents neither hashed nor kept."""
    for tool in ("exec", "sftp"):
        yield from _transfers(ways, options, tool, note=", counted", most_cpu="<= 1.35")


def far(ways, options):
    """The same over a round trip of 50 ms."""
    ways.add_delay(options.delay_ms)
    for tool in ("exec", "sftp"):
        yield from _transfers(ways, options, tool, options.delay_ms)


def login(ways, options):
    """`ssh -J jump node1 true`, one after the other."""
    took, cpu = Row("ssh -J ... true", "ms", "<= 0.8"), Row("ssh -J ... true", "CPU ms")
    for side in SIDES:  # not counted: caches
        check(subprocess.run(ways.ssh(side, "node1", "true"), stdin=subprocess.DEVNULL, capture_output=True, check=False), "login")
    counts = {side: ways.count(side) for side in SIDES}
    for side in turns(options.logins):
        before, began = ways.cpu_s(side), time.monotonic()
        check(subprocess.run(ways.ssh(side, "node1", "true"), stdin=subprocess.DEVNULL, capture_output=True, check=False), "login")
        took.add(side, (time.monotonic() - began) * 1e3)
        ways.settle(side, counts[side])
        cpu.add(side, (ways.cpu_s(side) - before) * 1e3)
    yield took
    yield cpu


class _Echo:
    """A terminal at node1 whose every keystroke comes back from its line discipline."""

    def __init__(self, ways, side):
        self.child = subprocess.Popen(ways.ssh(side, "-tt", "node1", "stty -icanon; exec cat >/dev/null"),
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        os.set_blocking(self.child.stdout.fileno(), True)
        self.press()

    def press(self):
        began = time.perf_counter()
        os.write(self.child.stdin.fileno(), b"x")
        while b"x" not in os.read(self.child.stdout.fileno(), 4096):
            pass
        return (time.perf_counter() - began) * 1e6

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()


def echo(ways, options):
    """One keystroke there and back in a recorded terminal."""
    sessions = {side: _Echo(ways, side) for side in SIDES}
    taken = {side: [] for side in SIDES}
    try:
        for side in turns(options.keystrokes):
            time.sleep(0.004)  # a person thinks; caches and CPU clocks do not stay hot
            taken[side].append(sessions[side].press())
    finally:
        for session in sessions.values():
            session.close()
    for name, share, wanted in (("p50", 0.5, "<= +30 us"), ("p99", 0.99, "<= 1.3")):
        row = Row(f"keystroke echo {name}", "us", wanted)
        for side in SIDES:
            row.add(side, sorted(taken[side])[int(len(taken[side]) * share)])
        row.note = f"{row.median('bastion') - row.median('sshd'):+.0f} us"
        yield row


def rate(ways, options):
    """New connections per second, 8 at a time: to node1, and to the jump host alone."""
    ways_in = (("logins to node1 per second, 8 in parallel", ("node1", "true")),
               ("connections to the jump host per second, 8 in parallel", ("-W", "node1:22", "jump")))
    for name, words in ways_in:
        row, cpu = Row(name, "1/s", ">= 1.5", is_more_better=True), Row(name, "CPU ms each")
        counts_before = {side: ways.count(side) for side in SIDES}

        def one(side, words=words):
            return subprocess.run(ways.ssh(side, *words), stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False)

        for side in turns(options.repeat):
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                before, began = ways.cpu_s(side), time.monotonic()
                for done in pool.map(one, [side] * options.crowd):
                    check(done, name)
                row.add(side, options.crowd / (time.monotonic() - began))
            ways.settle(side, counts_before[side])
            cpu.add(side, (ways.cpu_s(side) - before) * 1e3 / options.crowd)
        yield row
        yield cpu


def _idle(ways, side, count):
    """`count` more sessions that do nothing: a command that waits, behind the jump host."""
    children = []
    for at in range(0, count, 16):  # not more at once than a start-up queue takes
        children += [subprocess.Popen(ways.ssh(side, "node1", "echo ready; exec cat"), stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
                     for _ in range(min(16, count - at))]
        for child in children[at:]:
            if child.stdout.readline() != b"ready\n":
                raise Skipped(f"session {len(children)} through {side} did not start")
    return children


def _type_lines(children, seconds):
    """Every session gets a line a second, as of somebody who types, and its echo comes back. Returns the number of lines."""
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        turn = time.monotonic()
        for child in children:
            child.stdin.write(LINE)
        for child in children:
            if child.stdout.read(len(LINE)) != LINE:
                raise Skipped("a session has lost its echo")
        count += len(children)
        time.sleep(max(0.0, turn + 1 - time.monotonic()))
    return count


def idle(ways, options):
    """Memory per session and CPU, as their number grows: first they do nothing, then each is typed a line a second."""
    for side in SIDES:
        ways.settle(side, 0 if side == "bastion" else 1)
    rows = {(count, what): Row(f"{what} at {count} sessions", unit, wanted) for count in options.idle
            for what, unit, wanted in (("PSS per session", "KiB", "<= 0.6"), ("CPU of all per minute", "ms", ""),
                                       ("CPU per new session", "ms", ""), ("CPU per line typed and echoed", "us", ""),
                                       ("PSS per busy session", "KiB", ""))}
    for side in SIDES:
        base, children = ways.pss_kib(side), []
        try:
            for count in options.idle:
                before, had = ways.cpu_s(side), len(children)
                children += _idle(ways, side, count - had)
                rows[count, "CPU per new session"].add(side, (ways.cpu_s(side) - before) * 1e3 / (count - had))
                time.sleep(2)  # what starts has started
                rows[count, "PSS per session"].add(side, (ways.pss_kib(side) - base) / count)
                before, began = ways.cpu_s(side), time.monotonic()
                time.sleep(options.idle_s)
                rows[count, "CPU of all per minute"].add(side, (ways.cpu_s(side) - before) * 6e4 / (time.monotonic() - began))
                before = ways.cpu_s(side)
                lines = _type_lines(children, options.idle_s)
                rows[count, "CPU per line typed and echoed"].add(side, (ways.cpu_s(side) - before) * 1e6 / lines)
                rows[count, "PSS per busy session"].add(side, (ways.pss_kib(side) - base) / count)
        finally:
            for child in children:
                child.stdin.close()
            for child in children:
                child.wait()
                child.stdout.close()
    yield from rows.values()


ALL = {"exec": exec_bulk, "sftp": sftp_bulk, "counts": counts, "far": far, "login": login, "echo": echo, "rate": rate, "idle": idle,
       "postgres": database_measures.postgres, "copy": database_measures.postgres_copy, "mysql": database_measures.mysql}
COUNTED = ("counts",)  # these want a bastion that neither hashes nor keeps contents
DATABASES = {"postgres": "orders-db", "copy": "orders-db", "mysql": "shop-db"}  # these want it in the lab
