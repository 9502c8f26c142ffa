"""The lab's databases behind the bastion: orders-db, a PostgreSQL that accepts only TLS, and shop-db, a MariaDB that
requires it. Both are Debian's servers with a data folder in the lab, under the accounts that their packages made.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import pwd
import shutil
import signal
import subprocess

from . import processes
from .processes import LabError, run

START_SECONDS = 60
PASSWORD = "bearings-and-shafts"  # of both databases' users, and of nothing else

PG_CONF = """\
listen_addresses = '{address}'
port = {port}
unix_socket_directories = '{folder}/run'
ssl = on
ssl_cert_file = '{folder}/server.pem'
ssl_key_file = '{folder}/server.key'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = scram-sha-256
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.max = 20000
max_connections = 200
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
fsync = off
max_wal_senders = 4
wal_level = replica
log_connections = on
timezone = 'UTC'
"""
PG_HBA = """\
local   all         all  trust
hostssl all         all  all  scram-sha-256
hostssl replication all  all  scram-sha-256
"""
PG_SETUP = """\
CREATE ROLE orders_rw LOGIN REPLICATION PASSWORD '{password}';
CREATE ROLE orders_ro LOGIN PASSWORD '{password}' IN ROLE pg_read_all_data;
CREATE DATABASE orders OWNER orders_rw;
"""
PG_SETUP_ORDERS = """\
CREATE EXTENSION pg_stat_statements;
CREATE TABLE orders (id integer PRIMARY KEY, item text NOT NULL, quantity integer NOT NULL);
INSERT INTO orders VALUES (1001, 'bearing', 3), (1002, 'shaft', 1), (1003, 'gear', 12);
ALTER TABLE orders OWNER TO orders_rw;
GRANT CREATE ON SCHEMA public TO orders_rw;
"""

MY_CNF = """\
[mariadbd]
bind-address = {address}
port = {port}
socket = {folder}/run/mysqld.sock
datadir = {folder}/data
pid-file = {folder}/run/mysqld.pid
init-file = {folder}/setup.sql
ssl-cert = {folder}/server.pem
ssl-key = {folder}/server.key
tls-version = TLSv1.2,TLSv1.3
require-secure-transport = ON
max-connections = 200
skip-name-resolve
innodb-buffer-pool-size = 32M
innodb-log-file-size = 8M
innodb-flush-log-at-trx-commit = 0
local-infile = ON
"""
MY_SETUP = """\
CREATE DATABASE IF NOT EXISTS shop;
CREATE USER IF NOT EXISTS shop_rw@'%' IDENTIFIED BY '{password}';
CREATE USER IF NOT EXISTS shop_ro@'%' IDENTIFIED BY '{password}';
GRANT ALL ON shop.* TO shop_rw@'%';
GRANT SELECT ON shop.* TO shop_ro@'%';
CREATE TABLE IF NOT EXISTS shop.items (id integer PRIMARY KEY, name varchar(40) NOT NULL, price decimal(8,2) NOT NULL);
REPLACE INTO shop.items VALUES (1, 'bearing', 4.50), (2, 'shaft', 19.00), (3, 'gear', 7.25);
"""


def _write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def make_ca(folder):
    """A CA for the databases of one lab: FOLDER/ca.pem is what the policy names."""
    os.makedirs(folder, exist_ok=True)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=Lab databases", "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem")


def issue(ca_folder, out_folder, name, days=30):
    """server.pem and server.key for the DNS name `name`; `days` below zero is a certificate that has expired."""
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName=DNS:{name}", "-keyout", f"{out_folder}/server.key", "-out", f"{out_folder}/server.csr")
    if days > 0:
        run("openssl", "x509", "-req", "-in", f"{out_folder}/server.csr", "-CA", f"{ca_folder}/ca.pem", "-CAkey",
            f"{ca_folder}/ca.key", "-CAcreateserial", "-days", days, "-copy_extensions", "copy", "-out", f"{out_folder}/server.pem")
    else:
        _issue_expired(ca_folder, out_folder)
    os.chmod(f"{out_folder}/server.key", 0o600)


def _issue_expired(ca_folder, out_folder):
    """`openssl x509` of Debian 12 cannot set a date in the past; `openssl ca` can, with a folder of its own."""
    place = f"{out_folder}/ca"
    os.makedirs(f"{place}/new", exist_ok=True)
    _write(f"{place}/index.txt", "")
    _write(f"{place}/ca.cnf", "[ca]\ndefault_ca = lab\n[lab]\n"
           f"database = {place}/index.txt\nnew_certs_dir = {place}/new\nrand_serial = yes\ndefault_md = sha256\n"
           "policy = any\ncopy_extensions = copy\n[any]\ncommonName = supplied\n")
    run("openssl", "ca", "-batch", "-notext", "-config", f"{place}/ca.cnf", "-cert", f"{ca_folder}/ca.pem", "-keyfile",
        f"{ca_folder}/ca.key", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-in",
        f"{out_folder}/server.csr", "-out", f"{out_folder}/server.pem")


class Database:
    """A server in FOLDER. Subclasses say how its data folder is made and how it starts."""

    name = account = kind = database = ""
    users = ()  # the first may write
    port = 0

    def __init__(self, folder, network, cache):
        self.folder, self.network, self.cache = folder, network, cache
        self.log = os.path.join(folder, "log", "server.log")

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def prepare(self, ca_folder):
        try:
            owner = pwd.getpwnam(self.account)
        except KeyError:
            raise LabError(f"there is no account {self.account}: run deploy/install_packages.sh demo") from None
        for name in ("run", "log"):
            os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.folder, 0o755)
        os.chmod(self.path("run"), 0o700)
        issue(ca_folder, self.folder, self.name)
        for name in (".", "run", "log", "server.pem", "server.key"):
            os.chown(self.path(name), owner.pw_uid, owner.pw_gid)
        self._make_data()
        self.configure()

    def _template(self):
        """Making a data folder takes seconds, copying one does not: it is kept beside the programs of the build."""
        with open(__file__, "rb") as file:
            version = hashlib.sha256(file.read() + self.server().encode()).hexdigest()[:16]
        return os.path.join(self.cache, f"{self.name}-{version}")

    def _make_data(self):
        os.makedirs(self.cache, exist_ok=True)
        with open(os.path.join(self.cache, "lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            template = self._template()
            if os.path.isdir(template):
                run("cp", "-a", "--reflink=auto", template, self.path("data"))
                return
            self.make_data()
            for old in glob.glob(os.path.join(self.cache, f"{self.name}-*")):
                shutil.rmtree(old, ignore_errors=True)
            run("cp", "-a", "--reflink=auto", self.path("data"), template + ".new")
            os.rename(template + ".new", template)

    def as_account(self, *argv, **options):
        return run("setpriv", "--reuid", self.account, "--regid", self.account, "--init-groups", *argv,
                   cwd=self.folder, env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.folder}, **options)

    def start(self):
        """Returns the identity of the process whose end ends the server."""
        _child, entry = processes.spawn(
            ["nsenter", f"--net=/run/netns/{self.network.private}", "unshare", "--mount", "--ipc", "--pid", "--fork",
             "--kill-child", "--mount-proc", "--", "setpriv", "--reuid", self.account, "--regid", self.account,
             "--init-groups", "--", *self.server_argv()], self.log,
            {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.folder})
        if not self.network.wait_for_port(self.port, START_SECONDS):
            self.stop(entry)
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise LabError(f"{self.name} did not start:\n{log.read()[-2000:]}")
        return entry

    @staticmethod
    def stop(entry):
        """Nothing in it is kept, so the first process inside is killed: its PID namespace goes with it."""
        members = processes.family(entry["pid"]) if processes.is_running(entry) else []
        for member in members[1:] or members:
            processes.send(member, signal.SIGKILL)
        for left in processes.wait_gone(members, 10):
            processes.send(left, signal.SIGKILL)

    def server(self):
        raise NotImplementedError

    def make_data(self):
        raise NotImplementedError

    def configure(self):
        raise NotImplementedError

    def server_argv(self):
        raise NotImplementedError

    def ask(self, sql, database=None):
        """As the server's administrator, past the bastion: over the socket that only root and the account can open."""
        raise NotImplementedError


class Postgres(Database):
    name, account, kind, port, database = "orders-db", "postgres", "postgres", 5432, "orders"
    users = ("orders_rw", "orders_ro")

    def server(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
        if not found:
            raise LabError("PostgreSQL is missing: run deploy/install_packages.sh demo")
        return found[-1]

    def make_data(self):
        folder = os.path.dirname(self.server())
        self.as_account(f"{folder}/initdb", "--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8",
                        "--locale=C.UTF-8", "-D", self.path("data"))
        self._single("postgres", PG_SETUP.format(password=PASSWORD))
        self._single("orders", PG_SETUP_ORDERS)

    def _single(self, database, sql):
        """Without a server process: one statement a line."""
        self.as_account(self.server(), "--single", "-F", "-D", self.path("data"), "-c", "exit_on_error=true", database,
                        input=sql)

    def configure(self):
        with open(self.path("data", "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(PG_CONF.format(address=self.network.node_ip, port=self.port, folder=self.folder))
        _write(self.path("data", "pg_hba.conf"), PG_HBA)

    def server_argv(self):
        return [self.server(), "-D", self.path("data")]

    def ask(self, sql, database="orders"):
        return self.as_account("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.path("run"), "-U",
                               "postgres", "-d", database, "-c", sql).stdout.strip()


class Mariadb(Database):
    name, account, kind, port, database = "shop-db", "mysql", "mysql", 3306, "shop"
    users = ("shop_rw", "shop_ro")

    def server(self):
        if not os.path.exists("/usr/sbin/mariadbd"):
            raise LabError("MariaDB is missing: run deploy/install_packages.sh demo")
        return "/usr/sbin/mariadbd"

    def make_data(self):
        os.makedirs(self.path("data"))
        shutil.chown(self.path("data"), self.account, self.account)
        self.as_account("mariadb-install-db", "--no-defaults", f"--datadir={self.path('data')}", "--skip-test-db",
                        "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M")

    def configure(self):
        _write(self.path("my.cnf"), MY_CNF.format(address=self.network.node_ip, port=self.port, folder=self.folder))
        _write(self.path("setup.sql"), MY_SETUP.format(password=PASSWORD))

    def server_argv(self):
        return [self.server(), f"--defaults-file={self.path('my.cnf')}"]

    def ask(self, sql, database="shop"):
        return self.as_account("mariadb", "--no-defaults", "--batch", "--skip-column-names", "--socket",
                               self.path("run", "mysqld.sock"), "--user=root", "-e", sql, database).stdout.strip()


KINDS = {"orders-db": Postgres, "shop-db": Mariadb}


class Databases:
    """Those that a lab has. Names that no process starts yet cost nothing."""

    def __init__(self, folder, network, names, cache):
        self.ca_folder = os.path.join(folder, "databases")
        self.all = {name: KINDS[name](os.path.join(folder, name), network, cache) for name in names}
        self.running = {}

    def prepare(self):
        if self.all:
            make_ca(self.ca_folder)
        for one in self.all.values():
            os.makedirs(one.folder, exist_ok=True)
            one.prepare(self.ca_folder)

    def start(self):
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            for name, one in self.all.items():
                self.running[name] = one.start()
            undo.pop_all()

    def stop(self):
        for entry in self.running.values():
            Database.stop(entry)
        self.running = {}


def is_installed():
    """Both servers are here."""
    return bool(glob.glob("/usr/lib/postgresql/*/bin/postgres")) and os.path.exists("/usr/sbin/mariadbd") and \
        subprocess.run(["getent", "passwd", "postgres", "mysql"], capture_output=True, check=False).returncode == 0
