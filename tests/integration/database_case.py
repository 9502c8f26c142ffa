"""What the tests of databases share: tunnels through the bastion, clients in them, and what was recorded."""

import json
import os
import re
import subprocess

from support import LabCase, eventually, read

__all__ = ["DatabaseCase"]

SECONDS = 120  # of one client: a bound against hanging


class DatabaseCase(LabCase):
    settings = {"databases": ("orders-db",)}

    @property
    def password(self):
        return next(line.partition("=")[2] for line in read(self.lab.path("env")).splitlines() if "_DB_PASSWORD=" in line)

    def tunnel(self, *forwards, person="deploy-bot", options=()):
        """`ssh -N -L ...` for as long as the test: (local, target) pairs; a local with "/" is a socket."""
        words = [word for local, target in forwards for word in ("-L", f"{local}:{target}")]
        environment = {**os.environ, "SSH_ASKPASS": self.lab.path(f"otp-{person}"), "SSH_ASKPASS_REQUIRE": "force"}
        child = self.ssh_start("-N", *words, "bastion", person=person, options=("ExitOnForwardFailure=yes", *options), env=environment)
        for local, _target in forwards:
            eventually(lambda local=local: self._listens(local) or child.poll() is not None, f"ssh listens at {local}")
        self.assertIsNone(child.poll())
        return child

    @staticmethod
    def _listens(local):
        if local.startswith("/"):
            return os.path.exists(local)
        found = subprocess.run(["ss", "-Hltn", f"sport = :{local}"], capture_output=True, text=True, check=True)
        return bool(found.stdout.strip())

    def socket_folder(self, target="orders-db:5432", **given):
        """As engineers are told to do it: a socket in a folder that only they can enter."""
        folder = os.path.join(self.base, f"pg{len(os.listdir(self.base))}")
        os.makedirs(folder, mode=0o700)
        self.tunnel((os.path.join(folder, ".s.PGSQL.5432"), target), **given)
        return folder

    def port(self, target="orders-db:5432", **given):
        """A free port of this machine that leads to the target."""
        with subprocess.Popen(["python3", "-c", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"],
                              stdout=subprocess.PIPE, text=True) as asked:
            port = asked.stdout.read().strip()
        self.tunnel((port, target), **given)
        return port

    def client(self, *argv, password=None, **given):
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.base, "PGCONNECT_TIMEOUT": "30",
                       "PGPASSWORD": self.password if password is None else password,
                       "MYSQL_PWD": self.password if password is None else password}
        if "input" not in given:
            given["stdin"] = subprocess.DEVNULL
        return subprocess.run([str(word) for word in argv], capture_output=True, text=True, env=environment, timeout=SECONDS,
                              check=False, **given)

    def psql(self, where, *statements, user="orders_rw", database="orders", password=None, options=""):
        """`where` is a folder with a socket, or a port."""
        place = f"host={where}" if str(where).startswith("/") else f"host=127.0.0.1 port={where}"
        words = [word for statement in statements for word in ("-c", statement)]
        return self.client("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", f"{place} user={user} dbname={database} {options}",
                           *words, password=password)

    def recorded(self, session):
        """Events of one recording as (kind, words), in order."""
        said = self.bastion("replay", "--events", "--json", *self.reading(), session).stdout
        return [(one["event"], one["text"]) for one in map(json.loads, said.splitlines()) if "event" in one]

    def closed(self, before, count=1):
        """New sessions since `before`, once that many are closed."""
        known = {one["id"] for one in before}

        def done():
            new = [one for one in self.sessions() if one["id"] not in known]
            return new if len(new) >= count and all(one["closed"] for one in new) else None

        return eventually(done, f"{count} new closed recordings", 60)

    def statements(self, session):
        return [re.sub(r"^\d+ ", "", words) for kind, words in self.recorded(session) if kind == "db_statement"]
