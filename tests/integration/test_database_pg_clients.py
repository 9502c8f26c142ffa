"""PostgreSQL through the bastion with other people's clients: psycopg2, JDBC, node pg; each where it works, and its error where not."""

import functools
import os
import shutil
import subprocess

from database_case import DatabaseCase
from support import IS_QUICK
from test_database_tls import target

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
JDBC = "/usr/share/java/postgresql.jar"
PSYCOPG = """\
import sys, psycopg2
link = psycopg2.connect(sys.argv[1])
cursor = link.cursor()
cursor.execute("select %s, %s", ("text", 7))
print(*cursor.fetchone())
cursor.copy_expert("copy (select generate_series(1, 3)) to stdout", sys.stdout)
"""


class PostgresClientsTest(DatabaseCase):
    settings = {
        "databases": ("orders-db",),
        "names": ("orders-ask", "orders-tls"),
        "more_targets": target("orders-ask", "postgres", "orders-db", "ask") + target("orders-tls", "postgres", "orders-db", "client"),
        "more_rules": """\
  - id: ci-clients
    who: [ci]
    to: [orders-ask, orders-tls]
    can: { db: { users: [orders_rw], databases: [orders] } }
    when: { from: [engineers] }
""",
    }

    def ca(self):
        path = os.path.join(self.base, "db-ca.pem")
        with open(path, "wb") as file:
            file.write(self.ssh("bastion", "db-ca").stdout)
        return path

    def assert_says(self, done, output):
        self.assertEqual((done.returncode, done.stdout), (0, output), done.stderr)

    def psycopg(self, place, more=""):
        return self.client("/usr/bin/python3", "-c", PSYCOPG, f"{place} user=orders_rw dbname=orders {more}")

    def test_psycopg_works_by_socket_and_port_and_is_told_where_it_insists(self):
        if self.client("/usr/bin/python3", "-c", "import psycopg2").returncode:
            self.skipTest("python3-psycopg2 is not installed")
        self.assert_says(self.psycopg(f"host={self.socket_folder()}", "sslmode=require"), "text 7\n1\n2\n3\n")
        self.assert_says(self.psycopg(f"host=127.0.0.1 port={self.port()}"), "text 7\n1\n2\n3\n")
        refused = self.psycopg(f"host=127.0.0.1 port={self.port()}", "sslmode=require")
        self.assertIn("server does not support SSL", refused.stderr)
        secure = f"sslmode=verify-full sslrootcert={self.ca()}"
        self.assert_says(self.psycopg(f"host=orders-ask hostaddr=127.0.0.1 port={self.port('orders-ask:5432')}", secure), "text 7\n1\n2\n3\n")
        refused = self.psycopg(f"host=orders-tls hostaddr=127.0.0.1 port={self.port('orders-tls:5432')}", secure)
        self.assertIn("channel binding", refused.stderr)

    def test_jdbc_works_without_tls_and_with_ours(self):
        if not os.path.exists(JDBC) or shutil.which("javac") is None:
            self.skipTest("no JDK with PostgreSQL's JDBC driver is installed")
        for name, options in (("orders-db", "sslmode=disable"), ("orders-db", "sslmode=prefer"),
                              ("orders-ask", f"sslmode=verify-ca&sslrootcert={self.ca()}"),
                              ("orders-tls", f"sslmode=verify-ca&sslrootcert={self.ca()}")):
            with self.subTest(name=name, options=options):
                before = self.sessions()
                url = f"jdbc:postgresql://127.0.0.1:{self.port(f'{name}:5432')}/orders?{options}"
                self.assert_says(self.client("java", "-cp", JDBC, os.path.join(CLIENTS, "JdbcClient.java"), url, "orders_rw"),
                                 "1 text\n2 text\n")
                parameters = [words for kind, words in self.recorded(self.closed(before)[0]["id"]) if kind == "db_parameter"]
                self.assertEqual(len(parameters), 4, parameters)
        url = f"jdbc:postgresql://127.0.0.1:{self.port()}/orders?sslmode=require"
        done = self.client("java", "-cp", JDBC, os.path.join(CLIENTS, "JdbcClient.java"), url, "orders_rw")
        self.assertIn("does not support SSL", done.stderr)

    @classmethod
    @functools.cache
    def node_modules(cls):
        """Where the package pg of node is, or why it is nowhere."""
        if IS_QUICK or shutil.which("npm") is None:
            return "", "the package pg is fetched in full runs only, where npm is"
        folder = os.path.join(cls.base, "node")
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "pg@8"], cwd=folder,
                              capture_output=True, text=True, check=False, timeout=300)
        return os.path.join(folder, "node_modules"), done.stderr[-500:] if done.returncode else ""

    def test_node_works_without_tls_and_with_ours(self):
        modules, reason = self.node_modules()
        if reason:
            self.skipTest(reason)
        for name, more in (("orders-db", ()), ("orders-ask", (self.ca(), "orders-ask"))):
            with self.subTest(name=name):
                done = self.client("env", f"NODE_PATH={modules}", "node", os.path.join(CLIENTS, "pg_client.js"), self.port(f"{name}:5432"),
                                   "orders_rw", "orders", *more)
                self.assert_says(done, "text 7 null\n")
