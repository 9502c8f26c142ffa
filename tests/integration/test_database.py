"""PostgreSQL through the bastion with libpq's own programs: what works in which way, what is recorded, what is refused."""

import json
import os
import re
import shutil
import subprocess

from database_case import DatabaseCase
from lab import databases
from support import IS_QUICK, eventually

HERE = os.path.dirname(os.path.abspath(__file__))
DENIED = r"\[D-[A-Z]+[A-Za-z0-9-]*\]"


class DatabaseTest(DatabaseCase):
    settings = {
        "databases": ("orders-db",),
        "names": ("orders-narrow",),
        "more_targets": """\
  orders-narrow:
    kind: postgres
    hosts: [orders-narrow]
    addresses: [private]
    upstream_tls: { verify: full, ca: databases.pem, server_name: orders-db }
""",
        "more_rules": """\
  - id: ci-narrow
    who: [ci]
    to: [orders-narrow]
    can: { db: { users: [orders_rw], databases: [orders], refuse: [copy, function_call] } }
    record: { params: hash }
    when: { from: [engineers] }
""",
    }

    def test_socket_carries_rows_unchanged_and_statements_are_recorded(self):
        before, folder = self.sessions(), self.socket_folder()
        question = "select id, item, quantity, E'\\x01\\xc3\\xa4', null from orders order by id"
        done = self.psql(folder, question, "select 1; select 2")
        self.assertEqual(done.returncode, 0, done.stderr)
        direct = self.lab.databases.all["orders-db"].ask(question)
        self.assertEqual(done.stdout, direct + "\n1\n2\n")
        session = self.closed(before)[0]
        self.assertEqual((session["kind"], session["account"], session["host"]), ("postgres", "orders_rw", "orders-db"))
        recorded = self.recorded(session["id"])
        startup = [words for kind, words in recorded if kind == "db_startup"]
        self.assertEqual(len(startup), 1)
        self.assertRegex(startup[0], r'orders_rw in orders, application "psql", TLSv1\.3 \S+ to the target, login: client scram-sha-256$')
        self.assertEqual(self.statements(session["id"]), [f"query: {question}", "query: select 1; select 2"])
        results = [words for kind, words in recorded if kind == "db_result"]
        self.assertEqual(len(results), 3)
        self.assertRegex(results[0], r"^1 done, 3 rows, \d+\.\d{3} ms: SELECT 3$")
        self.assertNotIn(self.password, str(recorded))

    def test_default_client_works_over_tcp(self):
        done = self.psql(self.port(), "select current_user")
        self.assertEqual((done.returncode, done.stdout), (0, "orders_rw\n"), done.stderr)

    def test_client_that_insists_on_tls_is_told_that_there_is_none(self):
        port = self.port()
        for mode in ("require", "verify-full"):
            done = self.psql(port, "select 1", options=f"sslmode={mode}")
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, "server does not support SSL|root certificate file")

    def test_engineer_with_a_fresh_factor_works_and_without_one_is_told(self):
        mark = len(self.events())
        folder = self.socket_folder(person="alice")  # ssh asks for the code
        self.assertEqual(self.psql(folder, "select 1").stdout, "1\n")
        self.assertEqual(self.events_since(mark, event="session.started", person="alice", database="orders")[0]["account"], "orders_rw")

    def test_wrong_password_is_the_servers_own_error_and_an_event(self):
        mark = len(self.events())
        done = self.psql(self.socket_folder(), "select 1", password="wrong")
        self.assert_refused(done, 'password authentication failed for user "orders_rw"', mark, event="session.note", code="login_refused")

    def test_what_the_policy_does_not_give_is_an_error_of_the_protocol(self):
        folder, narrow = self.socket_folder(), self.socket_folder("orders-narrow:5432")
        for where, given in ((folder, {"user": "postgres"}), (narrow, {"user": "orders_ro"}), (narrow, {"database": "postgres"})):
            mark = len(self.events())
            done = self.psql(where, "select 1", **given)
            self.assert_refused(done, r"FATAL: .*is not in its list " + DENIED, mark, event="target.denied")

    def test_security_team_reads_statements_and_finds_them(self):
        before, folder = self.sessions(), self.socket_folder()
        self.psql(folder, "prepare look(int) as select item from orders where id = $1", "execute look(1)", "select 'needle-42'", "select 1/0")
        session = self.closed(before)[0]["id"]
        listed = [json.loads(line) for line in self.bastion("queries", "--json", *self.reading(), session).stdout.splitlines()]
        self.assertEqual(listed[0]["event"], "db_startup")
        queries = [one for one in listed if "number" in one]
        self.assertEqual([(one["sql"], one["outcome"]) for one in queries[1:]],
                         [("execute look(1)", "done"), ("select 'needle-42'", "done"), ("select 1/0", "error")])
        self.assertEqual((queries[3]["code"], queries[2]["rows"]), ("22012", 1))
        said = self.bastion("queries", *self.reading(), session).stdout
        self.assertRegex(said, r"(?m)^00:00:0\d +4 +0 +\d+\.\d{3} ms  select 1/0\n +error 22012: division by zero$")
        shown = [one for one in self.sessions("--db", "orders-db") if one["id"] == session]
        self.assertGreater(min(shown[0]["bytes_to_target"], shown[0]["bytes_from_target"], shown[0]["recorded_bytes"]), 50)
        self.assertEqual(self.bastion("sessions", "--db", "nothing", "--config", self.lab.gateway.config, check=False).returncode, 1)
        found = self.bastion("search", "NEEDLE-42", "--json", "--db", "orders", *self.reading(), check=False)
        self.assertEqual([json.loads(line)["id"] for line in found.stdout.splitlines()], [session], found.stderr)

    def test_replication_is_refused(self):
        mark = len(self.events())
        done = self.client("psql", "-X", "-c", "IDENTIFY_SYSTEM", f"host={self.socket_folder()} user=orders_rw replication=true")
        self.assert_refused(done, r"FATAL: .*" + DENIED, mark, event="target.denied")

    def test_copy_is_recorded_where_allowed_and_refused_where_not(self):
        before, folder = self.sessions(), self.socket_folder()
        done = self.psql(folder, "\\copy (select generate_series(1, 1000)) to stdout")
        self.assertEqual(done.stdout.split(), [str(number) for number in range(1, 1001)])
        done = self.psql(folder, "create temp table t (i int)", "\\copy t from stdin")
        self.assertEqual(done.returncode, 0, done.stderr)
        totals = [words for session in self.closed(before, 2) for kind, words in self.recorded(session["id"]) if kind == "db_total"]
        self.assertTrue(any("3893 bytes, 1000 rows" in words for words in totals), totals)
        mark = len(self.events())
        narrow = self.socket_folder("orders-narrow:5432")
        self.assert_refused(self.psql(narrow, "\\copy orders to stdout"), "(?i)copy", mark, event="session.note", code="refused")
        mark = len(self.events())
        self.assert_refused(self.psql(narrow, "\\lo_import /etc/hostname"), "(?i)function", mark, event="session.note", code="refused")

    def test_many_rows_and_copies_pass_unchanged(self):
        """Rows of 20 to 3000 bytes, some of them NULL: as the server gives them past the bastion, byte for byte."""
        ask, folder = self.lab.databases.all["orders-db"].ask, self.socket_folder()
        count = 2003 if IS_QUICK else 50003
        rows = f"select i, md5(i::text), repeat(chr(32 + i % 95), i % 3000), nullif(i % 7, 0) as n from generate_series(1, {count}) i"
        done = self.psql(folder, rows)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == ask(rows) + "\n")
        copied = self.psql(folder, f"copy ({rows}) to stdout")
        self.assertTrue(copied.stdout == ask(f"copy ({rows}) to stdout") + "\n")
        self.assertEqual(self.psql(folder, "drop table if exists copied", f"create table copied as {rows} limit 0").returncode, 0)
        done = self.client("psql", "-X", "-h", folder, "-U", "orders_rw", "-c", "copy copied from stdin", "orders", input=copied.stdout)
        self.assertEqual((done.returncode, done.stdout), (0, f"COPY {count}\n"), done.stderr)
        self.assertEqual(ask(f"select count(*) from (table copied except all {rows}) missing"), "0")
        self.assertEqual(ask("select count(*) from copied"), str(count))

    def test_interrupt_cancels_the_statement_and_names_the_session(self):
        before, folder = self.sessions(), self.socket_folder()
        sleeper = subprocess.Popen(
            ["psql", "-X", f"host={folder} user=orders_rw dbname=orders", "-c", "select 'victim', pg_sleep(100)"],
            env={**os.environ, "PGPASSWORD": self.password}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self._finish, sleeper)
        ask = self.lab.databases.all["orders-db"].ask
        eventually(lambda: "victim" in ask("select query from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()"),
                   "the statement runs")
        sleeper.send_signal(2)
        _out, said = sleeper.communicate(timeout=60)
        self.assertIn("canceling statement due to user request", said)
        sessions = {one["id"]: self.recorded(one["id"]) for one in self.closed(before, 2)}
        cancels = [words for recorded in sessions.values() for kind, words in recorded if kind == "db_cancel"]
        victims = [name for name, recorded in sessions.items() if any(kind == "db_statement" for kind, _words in recorded)]
        self.assertEqual(cancels, [f"session {victims[0]}: cancel request"])

    def test_key_of_another_person_cancels_nothing(self):
        theirs, mine = self.socket_folder(), self.socket_folder(person="alice")
        key = self._key_of_a_sleeper(theirs)
        mark = len(self.events())
        self._cancel(mine, key)
        eventually(lambda: self.events_since(mark, event="target.denied", person="alice", code="D-CANCEL"), "the refusal is an event", 20)
        ask = self.lab.databases.all["orders-db"].ask
        self.assertIn("unharmed", ask("select query from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()"))
        self._cancel(theirs, key)
        eventually(lambda: "unharmed" not in ask("select query from pg_stat_activity where state = 'active' and pid <> pg_backend_pid()"),
                   "the right person's key cancels")

    def _key_of_a_sleeper(self, folder):
        """A client in bare bytes, since libpq does not tell its key. trust is not offered, so: psql, and the key from a second look."""
        script = (
            "import ctypes, os, struct, sys\n"
            "pq = ctypes.CDLL('libpq.so.5')\n"
            "pq.PQconnectdb.restype = pq.PQgetCancel.restype = ctypes.c_void_p\n"
            "pq.PQgetCancel.argtypes = pq.PQsendQuery.argtypes = [ctypes.c_void_p]\n"
            "pq.PQsendQuery.argtypes = [ctypes.c_void_p, ctypes.c_char_p]\n"
            "pq.PQstatus.argtypes = pq.PQbackendPID.argtypes = [ctypes.c_void_p]\n"
            "link = pq.PQconnectdb(sys.argv[1].encode())\n"
            "assert pq.PQstatus(link) == 0\n"
            "cancel = pq.PQgetCancel(link)\n"
            "# struct pg_cancel: an address (SockAddr: 128 bytes of storage and its length), then process number and key.\n"
            "raw = ctypes.string_at(cancel, 144)\n"
            "pid, key = struct.unpack_from('=ii', raw, 136)\n"
            "assert pid == pq.PQbackendPID(link), (pid, pq.PQbackendPID(link))\n"
            "pq.PQsendQuery(link, b\"select 'unharmed', pg_sleep(100)\")\n"
            "print(struct.pack('!ii', pid, key).hex(), flush=True)\n"
            "sys.stdin.read()\n")
        child = subprocess.Popen(["python3", "-c", script, f"host={folder} user=orders_rw dbname=orders"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PGPASSWORD": self.password})
        self.addCleanup(self._finish, child)
        said = child.stdout.readline().strip()
        if not said:
            self.skipTest("this libpq keeps its cancel key elsewhere: " + child.stderr.read()[-300:])
        return bytes.fromhex(said)

    def _cancel(self, folder, key):
        script = ("import socket, sys\n"
                  "with socket.socket(socket.AF_UNIX) as link:\n"
                  "    link.connect(sys.argv[1])\n"
                  "    link.sendall(bytes.fromhex('0000001004d2162e' + sys.argv[2]))\n"
                  "    link.settimeout(30)\n"
                  "    link.recv(1000)\n")
        self.client("python3", "-c", script, os.path.join(folder, ".s.PGSQL.5432"), key.hex())

    def test_twenty_connections_share_one_multiplexed_tunnel(self):
        control = os.path.join(self.base, "control")
        self.ssh_start("-N", "-M", "bastion", options=(f"ControlPath={control}",))
        eventually(lambda: os.path.exists(control), "the master is up")
        folder = os.path.join(self.base, "shared")
        os.makedirs(folder, mode=0o700)
        done = self.ssh("-O", "forward", "-L", f"{folder}/.s.PGSQL.5432:orders-db:5432", "bastion", options=(f"ControlPath={control}",))
        self.assertEqual(done.returncode, 0, done.stderr)
        before = self.sessions()
        children = [subprocess.Popen(["psql", "-X", "-A", "-t", f"host={folder} user=orders_rw dbname=orders",
                                      "-c", f"select {number}, count(*) from generate_series(1, 20000)"],
                                     env={**os.environ, "PGPASSWORD": self.password}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     text=True) for number in range(20)]
        for number, child in enumerate(children):
            out, said = child.communicate(timeout=120)
            self.assertEqual((child.returncode, out), (0, f"{number}|20000\n"), said)
        self.assertEqual(len(self.closed(before, 20)), 20)

    def test_every_statement_of_a_mixed_load_is_recorded(self):
        """As many as the server counted, in each of the three ways that clients send them."""
        database = self.lab.databases.all["orders-db"]
        folder = self.socket_folder()
        self.assertEqual(self.client("pgbench", "-i", "-q", "-s", "1", "-h", folder, "-U", "orders_rw", "orders").returncode, 0)
        transactions = 50 if IS_QUICK else 1200  # of seven statements, by four clients, three ways: 100,800 in a full run
        before = self.sessions()
        database.ask("select pg_stat_statements_reset()")
        for mode in ("simple", "extended", "prepared"):
            done = self.client("pgbench", "-n", "-c", "4", "-t", transactions, "-M", mode, "-h", folder, "-U", "orders_rw", "orders")
            self.assertIn("number of failed transactions: 0", done.stdout, done.stderr)
        # PostgreSQL 15 counts BEGIN and END of prepared statements only once for each client; they are counted by their results.
        counted = int(database.ask("select sum(calls) from pg_stat_statements s join pg_roles r on r.oid = s.userid "
                                   "where r.rolname = 'orders_rw' and query not in ('BEGIN', 'END')"))
        # Each run has four clients and a connection that asks for the size of the tables.
        results = [words for session in self.closed(before, 15) for kind, words in self.recorded(session["id"]) if kind == "db_result"]
        self.assertTrue(all(re.match(r"\d+ done, ", words) for words in results))
        ended = sum(1 for words in results if words.endswith(": COMMIT"))
        began = sum(1 for words in results if words.endswith(": BEGIN"))
        self.assertEqual((began, ended), (3 * 4 * transactions,) * 2)
        self.assertEqual(len(results) - began - ended, counted)
        self.assertGreater(counted, 3 * 4 * transactions * 5)


class UntrustedDatabaseTest(DatabaseCase):
    """Servers that are not what they should be: refused before anything but the request for TLS was sent."""

    WRONG = ("orders-other-name", "orders-other-ca")
    FAKES = {5501: "plain", 5502: "no-answer-to-tls", 5503: "old-tls", 5504: "wrong-length", 5505: "huge-message", 5506: "wrong-phase",
             5507: "unknown-letter", 5508: "early-ready", 5509: "endless-notices", 5510: "silence-then-close", 5511: "expired"}
    settings = {
        "databases": ("orders-db",),
        "names": (*WRONG, "fake"),
        "more_targets": """\
  orders-other-name:
    kind: postgres
    hosts: [orders-other-name]
    addresses: [private]
    upstream_tls: { verify: full, ca: databases.pem }
  orders-other-ca:
    kind: postgres
    hosts: [orders-other-ca]
    addresses: [private]
    upstream_tls: { verify: full, ca: other.pem, server_name: orders-db }
""" + "".join(f"""\
  fake-{port}:
    kind: postgres
    hosts: [fake]
    port: {port}
    addresses: [private]
    upstream_tls: {{ verify: full, ca: databases.pem, server_name: orders-db }}
""" for port in FAKES),
        "more_rules": """\
  - id: ci-untrusted
    who: [ci]
    to: [orders-other-name, orders-other-ca, """ + ", ".join(f"fake-{port}" for port in FAKES) + """]
    can: { db: { users: ["*"], databases: ["*"] } }
    when: { from: [engineers] }
""",
    }

    @classmethod
    def new_lab(cls):
        lab = super().new_lab()
        other, expired = (os.path.join(cls.base, name) for name in ("other-ca", "expired"))
        databases.make_ca(other)
        shutil.copy(os.path.join(other, "ca.pem"), lab.path("config", "other.pem"))
        os.makedirs(expired)
        databases.issue(lab.databases.ca_folder, expired, "orders-db", days=-1)
        for port, what in cls.FAKES.items():
            folder = expired if what == "expired" else lab.path("orders-db")
            child = subprocess.Popen(["nsenter", f"--net=/run/netns/{lab.network.private}", "python3", os.path.join(HERE, "fake_database.py"),
                                      str(port), what, os.path.join(folder, "server.pem"), os.path.join(folder, "server.key")])
            cls.addClassCleanup(cls._finish, child)
            lab.network.wait_for_port(port, 20)
        return lab

    def test_wrong_server_is_refused_with_the_check_named(self):
        fake = {what: f"fake:{port}" for port, what in self.FAKES.items()}
        for target, says in (("orders-other-name:5432", "its certificate is for orders-db, not for orders-other-name"),
                             ("orders-other-ca:5432", "issued by a CA that is not among the trusted ones"),
                             (fake["expired"], "its certificate has expired, on 2020-02-01"),
                             (fake["plain"], "the target offers no TLS"),
                             (fake["no-answer-to-tls"], "the target offers no TLS"),
                             (fake["old-tls"], "TLS 1.2 or newer")):
            with self.subTest(target=target):
                mark = len(self.events())
                done = self.psql(self.port(target), "select 1")
                self.assert_refused(done, says, mark, event="session.note")
                self.assertEqual(len(self.events_since(mark, outcome="denied|failure")), 1)

    def test_hostile_server_ends_its_own_session_only(self):
        good = self.socket_folder()
        for port, what in self.FAKES.items():
            if what in ("plain", "no-answer-to-tls", "old-tls", "expired", "endless-notices", "silence-then-close"):
                continue
            with self.subTest(what=what):
                mark = len(self.events())
                done = self.psql(self.port(f"fake:{port}"), "select 1")
                self.assertNotEqual(done.returncode, 0)
                eventually(lambda mark=mark: self.events_since(mark, event="session.note", code="protocol"), f"{what} is an event", 20)
                self.assertEqual(len(self.events_since(mark, outcome="denied|failure")), 1)
                self.assertEqual(self.psql(good, "select 1").stdout, "1\n")

    def test_server_that_never_ends_or_never_answers_leaves_others_alone(self):
        good = self.socket_folder()
        for what in ("endless-notices", "silence-then-close"):
            port = next(port for port, name in self.FAKES.items() if name == what)
            with self.subTest(what=what):
                mark = len(self.events())
                done = self.psql(self.port(f"fake:{port}"), "select 1", options="connect_timeout=3")
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(self.psql(good, "select 1").stdout, "1\n")
                eventually(lambda mark=mark: self.events_since(mark, event="target.closed", port=str(port)), "the access ends", 30)


class TargetLinesTest(DatabaseCase):
    settings = {"databases": ("orders-db", "shop-db")}

    def test_lines_of_targets_work_as_they_stand(self):
        said = self.ssh("bastion", "targets", "db").stdout.decode()
        lines = [line.strip() for line in said.splitlines()]
        for tunnel, client, asked in ((".s.PGSQL.5432", "psql -h", "-Atc 'select 7'"), ("~/.mysql/", "mysql -S", "-Ne 'select 7'")):
            line = next(line for line in lines if "ssh -N" in line and tunnel in line).replace(
                "ssh -N", f"ssh -F {self.lab.path('ssh_config.machine')} -f -N -M -S {self.base}/{tunnel[2]} -o ExitOnForwardFailure=yes")
            done = self.client("sh", "-c", line.partition("deploy-bot@")[0] + "bastion </dev/null >/dev/null 2>&1")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.addCleanup(self.ssh, "-S", f"{self.base}/{tunnel[2]}", "-O", "exit", "bastion")
            command = next(line for line in lines if line.startswith(client)).replace(" -p ", " ")
            command = command.replace("DATABASE", "orders" if client == "psql -h" else "shop").replace("mysql ", "mysql --no-defaults ")
            done = self.client("sh", "-c", f"{command} {asked}")
            self.assertEqual((done.returncode, done.stdout), (0, "7\n"), command + done.stderr)
