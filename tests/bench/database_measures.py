"""Databases through a tunnel: `ssh -L` by the bastion, which reads and records every statement, against `ssh -L` by sshd.

Behind sshd the client speaks TLS with the server itself (a TCP port, since no client does TLS over a socket); behind the
bastion it speaks plainly over the Unix socket that engineers are told to use, and the bastion does the TLS.
"""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import time

from both_ways import SIDES, databases
from rows import GIB, PATIENCE_S, Row, Skipped, check, turns

CLIENTS = (1, 8)
COPY_ROW = 1024
MOST_COPIED = 256 << 20


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class _Tunnels:
    """One `ssh -N -L` per side to one database, and the clients' words and environment for it."""

    SOCKETS = {"postgres": ".s.PGSQL.5432", "mysql": "mysqld.sock"}

    def __init__(self, ways, name):
        if name not in ways.lab.databases.all:
            raise Skipped("PostgreSQL and MariaDB are not installed")
        self.ways, self.database = ways, ways.lab.databases.all[name]
        self.folder = tempfile.mkdtemp(prefix="tunnels.", dir=ways.lab.folder)
        self.socket = os.path.join(self.folder, self.SOCKETS[self.database.kind])
        self.port = _free_port()
        self.children = {}

    def __enter__(self):
        try:
            for side, local in (("bastion", self.socket), ("sshd", f"127.0.0.1:{self.port}")):
                target = f"{local}:{self.database.name}:{self.database.port}"
                self.children[side] = subprocess.Popen(
                    self.ways.ssh(side, "-N", "-o", "ExitOnForwardFailure=yes", "-L", target, "jump"),
                    stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
                self._wait_for(side)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_ignored):
        for child in self.children.values():
            child.kill()
            child.communicate()

    def _wait_for(self, side):
        family, address = (socket.AF_UNIX, self.socket) if side == "bastion" else (socket.AF_INET, ("127.0.0.1", self.port))
        until = time.monotonic() + 20
        while self.children[side].poll() is None and time.monotonic() < until:
            with socket.socket(family) as one, contextlib.suppress(OSError):
                one.connect(address)
                return
            time.sleep(0.05)
        raise Skipped(f"no tunnel through {side}")

    def environment(self, side):
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.folder, "PGPASSWORD": databases.PASSWORD,
                "MYSQL_PWD": databases.PASSWORD, "PGUSER": self.database.users[0], "PGDATABASE": self.database.database,
                **({"PGHOST": self.folder} if side == "bastion" else
                   {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGSSLMODE": "require"})}

    def run(self, side, *argv, **given):
        """Returns what the client printed, and the CPU seconds that the side took for it."""
        given.setdefault("stdin", subprocess.DEVNULL)
        given.setdefault("stdout", subprocess.PIPE)
        count, before = self.ways.count(side), self.ways.cpu_s(side)
        done = subprocess.run([str(word) for word in argv], stderr=subprocess.PIPE, env=self.environment(side), cwd=self.folder,
                              timeout=PATIENCE_S, check=False, **given)
        check(done, f"{argv[0]} through {side}")
        self.ways.settle(side, count)
        return (done.stdout or b"").decode(), self.ways.cpu_s(side) - before


def _number(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise Skipped(f"no {pattern} in what the client printed")
    return float(found.group(1))


def _take_latencies(folder):
    """Microseconds of every transaction in pgbench's logs, sorted; the logs are removed."""
    taken = []
    for name in os.listdir(folder):
        if name.startswith("took."):
            with open(os.path.join(folder, name), encoding="ascii") as file:
                taken += [int(line.split()[2]) for line in file]
            os.unlink(os.path.join(folder, name))
    return sorted(taken)


def _pgbench(tunnels, options, clients, protocol):
    """`pgbench -S` of one protocol with so many clients at once."""
    name = f"pgbench -S, {protocol}, {clients} client{'s' if clients > 1 else ''}"
    speed = Row(name, "1/s", ">= 0.8", is_more_better=True)
    middle, slow, cpu = Row(f"{name}, p50", "us", "<= +60 us"), Row(f"{name}, p99", "us"), Row(name, "CPU us each")
    for side in turns(options.repeat):
        said, cpu_s = tunnels.run(side, "pgbench", "-n", "-S", "-M", protocol, "-c", clients, "-j", min(clients, 2), "-T",
                                  options.database_s, "--log", "--log-prefix=took")
        taken = _take_latencies(tunnels.folder)
        speed.add(side, _number(r"tps = ([0-9.]+)", said))
        middle.add(side, taken[len(taken) // 2])
        slow.add(side, taken[int(len(taken) * 0.99)])
        cpu.add(side, cpu_s * 1e6 / len(taken))
    for row in (middle, slow):
        row.note = f"{row.median('bastion') - row.median('sshd'):+.0f} us"
    return speed, middle, slow, cpu


def postgres(ways, options):
    """Selects by primary key, sent as text and as prepared statements, by one client and by eight."""
    with _Tunnels(ways, "orders-db") as tunnels:
        tunnels.run("sshd", "pgbench", "-i", "-q", "-s", 1)
        for side in SIDES:  # not counted: caches
            tunnels.run(side, "pgbench", "-n", "-S", "-t", 100)
        for clients in CLIENTS:
            for protocol in ("simple", "prepared"):
                yield from _pgbench(tunnels, options, clients, protocol)


def postgres_copy(ways, options):
    """COPY of rows of 1 KiB, from the server and to it; there they are read and not kept, for the disk is no way."""
    size = min(options.size, MOST_COPIED)
    rows = size // COPY_ROW
    with _Tunnels(ways, "orders-db") as tunnels, tempfile.TemporaryFile(dir="/dev/shm") as kept:
        tunnels.run("sshd", "psql", "-X", "-q", "-c", "drop table if exists bulk", "-c", "create unlogged table bulk as select"
                    f" rpad(i::text, {COPY_ROW - 1}, md5(i::text)) as line from generate_series(1, {rows}) i")
        tunnels.run("sshd", "psql", "-X", "-q", "-c", "copy bulk to stdout", stdout=kept)
        for name, statement in (("from the server", "copy bulk to stdout"),
                                ("to the server", "copy bulk from stdin where length(line) = 0")):
            speed = Row(f"COPY {name}, rows of 1 KiB", "MiB/s", ">= 0.9", is_more_better=True)
            cpu = Row(f"COPY {name}, rows of 1 KiB", "CPU s/GiB")
            for side in turns(options.repeat):
                kept.seek(0)
                began = time.monotonic()
                _said, cpu_s = tunnels.run(side, "psql", "-X", "-q", "-c", statement, stdin=kept, stdout=subprocess.DEVNULL)
                speed.add(side, size / (time.monotonic() - began) / (1 << 20))
                cpu.add(side, cpu_s * GIB / size)
            yield from (speed, cpu)


def mysql(ways, options):
    """Selects by primary key as text. mariadb-slap says only how long all took, with the logins."""
    with _Tunnels(ways, "shop-db") as tunnels:
        for clients in CLIENTS:
            name = f"mariadb-slap, select, {clients} client{'s' if clients > 1 else ''}"
            speed, cpu = Row(name, "1/s", ">= 0.8", is_more_better=True), Row(name, "CPU us each")
            number = options.database_s * 1000 * min(clients, 2)
            for side in turns(options.repeat):
                place = (["--protocol=socket", f"--socket={tunnels.socket}"] if side == "bastion" else
                         ["--protocol=tcp", "--host=127.0.0.1", f"--port={tunnels.port}", "--ssl"])
                said, cpu_s = tunnels.run(
                    side, "mariadb-slap", "--no-defaults", *place, f"--user={tunnels.database.users[0]}", "--create-schema=shop",
                    "--no-drop", "--delimiter=;", "--query=select name, price from items where id = 2", f"--concurrency={clients}",
                    f"--number-of-queries={number}", "--iterations=1")
                speed.add(side, number / _number(r"Average number of seconds to run all queries: ([0-9.]+)", said))
                cpu.add(side, cpu_s * 1e6 / number)
            yield from (speed, cpu)
