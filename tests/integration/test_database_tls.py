"""TLS between clients and the bastion (client_tls: terminate), and logins that the bastion makes (login: ask): what the matrix of
clients says works, and the proper error where it cannot."""

import os

from database_case import DatabaseCase


def target(name, kind, server, login, client_tls="terminate"):
    upstream = "" if client_tls == "opaque" else f"upstream_tls: {{ verify: full, ca: databases.pem, server_name: {server} }}\n    "
    return f"""\
  {name}:
    kind: {kind}
    hosts: [{name}]
    addresses: [private]
    {upstream}client_tls: {client_tls}
    login: {login}
"""


class TerminatedTest(DatabaseCase):
    NAMES = ("orders-tls", "orders-ask", "orders-plain-ask", "orders-opaque", "shop-tls", "shop-ask")
    settings = {
        "databases": ("orders-db", "shop-db"),
        "names": NAMES,
        "more_targets": target("orders-tls", "postgres", "orders-db", "client") + target("orders-ask", "postgres", "orders-db", "ask")
        + target("orders-plain-ask", "postgres", "orders-db", "ask", "refuse")
        + target("orders-opaque", "postgres", "orders-db", "client", "opaque")
        + target("shop-tls", "mysql", "shop-db", "client") + target("shop-ask", "mysql", "shop-db", "ask"),
        "more_rules": f"""\
  - id: ci-tls
    who: [ci]
    to: [{", ".join(name for name in NAMES if name != "orders-opaque")}]
    can: {{ db: {{ users: ["*"], databases: ["*"] }} }}
    when: {{ from: [engineers] }}
  - {{ id: ci-opaque, who: [ci], to: [orders-opaque], can: {{ db: {{ opaque: true }} }}, when: {{ from: [engineers] }} }}
""",
    }

    def ca(self):
        path = os.path.join(self.base, "db-ca.pem")
        done = self.ssh("bastion", "db-ca")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path, "wb") as file:
            file.write(done.stdout)
        return path

    def ask(self, name, port, mode, host=None, more=""):
        return self.client("psql", "-X", "-A", "-t", "-c", "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
                           f"host={host or name} hostaddr=127.0.0.1 port={port} user=orders_rw dbname=orders sslmode={mode} "
                           f"sslrootcert={self.ca()} {more}")

    def test_login_of_the_bastion_works_in_every_mode(self):
        port = self.port("orders-ask:5432")
        for mode in ("disable", "prefer", "require", "verify-ca", "verify-full"):
            with self.subTest(mode=mode):
                done = self.ask("orders-ask", port, mode)
                self.assertEqual((done.returncode, done.stdout), (0, "t\n"), done.stderr)

    def test_own_login_works_without_binding_only(self):
        """SCRAM binds the login to the TLS that the client sees, which is not the server's."""
        port = self.port("orders-tls:5432")
        for mode, more, says in (("prefer", "", None), ("require", "channel_binding=disable", None), ("disable", "", None),
                                 ("require", "", "channel binding")):
            with self.subTest(mode=mode, more=more):
                done = self.ask("orders-tls", port, mode, more=more)
                if says is None:
                    self.assertEqual((done.returncode, done.stdout), (0, "t\n"), done.stderr)
                else:
                    self.assertIn(says, done.stderr)

    def test_certificate_is_for_the_name_that_was_asked_for(self):
        done = self.ask("orders-ask", self.port("orders-ask:5432"), "verify-full", host="orders-db")
        self.assertIn('does not match host name "orders-db"', done.stderr)

    def test_wrong_password_is_refused_by_the_server_also_when_asked_for(self):
        before, mark = self.sessions(), len(self.events())
        done = self.psql(self.port("orders-plain-ask:5432"), "select 1", password="wrong-secret")
        self.assert_refused(done, 'password authentication failed for user "orders_rw"', mark, event="session.note", code="login_refused")
        self.assertNotIn("wrong-secret", str(self.recorded(self.closed(before)[0]["id"])))

    def test_asked_password_is_bound_to_the_server_and_never_recorded(self):
        before = self.sessions()
        self.assertEqual(self.psql(self.port("orders-plain-ask:5432"), "select 1").stdout, "1\n")
        recorded = self.recorded(self.closed(before)[0]["id"])
        self.assertIn("login: ask scram-sha-256-plus", recorded[0][1])
        self.assertNotIn(self.password, str(recorded))

    def test_mysql_with_tls_of_the_bastion(self):
        for name in ("shop-tls", "shop-ask"):
            with self.subTest(name=name):
                done = self.client("mariadb", "--no-defaults", "--host=127.0.0.1", f"--port={self.port(name + ':3306')}", "--user=shop_rw", "--ssl",
                                   f"--ssl-ca={self.ca()}", "--batch", "--skip-column-names", "-e", "select 7", "shop")
                self.assertEqual((done.returncode, done.stdout), (0, "7\n"), done.stderr)

    def test_opaque_passes_the_clients_own_tls_and_says_that_nothing_was_read(self):
        before = self.sessions()
        server_ca = self.lab.path("databases", "ca.pem")
        done = self.client("psql", "-X", "-A", "-t", "-c", "select 8", f"host=orders-db hostaddr=127.0.0.1 port={self.port('orders-opaque:5432')} "
                           f"user=orders_rw dbname=orders sslmode=verify-full channel_binding=require sslrootcert={server_ca}")
        self.assertEqual((done.returncode, done.stdout), (0, "8\n"), done.stderr)
        session = self.closed(before)[0]
        self.assertEqual([kind for kind, _words in self.recorded(session["id"]) if kind.startswith("db_")], [])
        self.assertEqual((session["kind"], session["account"]), ("postgres", None))
