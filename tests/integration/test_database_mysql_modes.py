"""MariaDB through the bastion in each way to encrypt and to log in, with the clients that people have: mariadb, JDBC, node."""

import functools
import os
import shutil
import subprocess

from database_case import DatabaseCase
from support import IS_QUICK

CLIENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
JDBC = "/usr/share/java/mariadb-java-client.jar"
# Names: how the client's TLS is answered, who logs in.
MODES = {"shop-client": ("refuse", "client"), "shop-ask": ("refuse", "ask"), "shop-client-tls": ("terminate", "client"),
         "shop-ask-tls": ("terminate", "ask")}


class MysqlModesTest(DatabaseCase):
    settings = {
        "databases": ("shop-db",),
        "names": tuple(MODES),
        "more_targets": "".join(f"""\
  {name}:
    kind: mysql
    hosts: [{name}]
    addresses: [private]
    upstream_tls: {{ verify: full, ca: databases.pem, server_name: shop-db }}
    client_tls: {client_tls}
    login: {login}
""" for name, (client_tls, login) in MODES.items()),
        "more_rules": f"""\
  - id: ci-modes
    who: [ci]
    to: [{", ".join(MODES)}]
    can: {{ db: {{ users: [shop_rw, shop_hard], databases: [shop] }} }}
    when: {{ from: [engineers] }}
""",
    }

    def mariadb(self, target, *words, user="shop_rw", **given):
        return self.client("mariadb", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={self.port(f'{target}:3306')}",
                           f"--user={user}", "--batch", "--skip-column-names", *words, "shop", **given)

    def assert_works(self, done, output):
        self.assertEqual((done.returncode, done.stdout), (0, output), done.stderr)

    def login_of(self, before):
        """How the login of the one new recording was made."""
        startup = [words for kind, words in self.recorded(self.closed(before)[0]["id"]) if kind == "db_startup"]
        self.assertEqual(len(startup), 1)
        return startup[0].rpartition("login: ")[2]

    def test_mariadb_client_works_in_each_mode(self):
        for target, (_client_tls, login) in MODES.items():
            with self.subTest(target=target):
                before = self.sessions()
                self.assert_works(self.mariadb(target, "-e", "select 7"), "7\n")
                self.assertEqual(self.login_of(before), f"{login} mysql_native_password")

    def test_client_that_wants_tls_gets_the_bastions(self):
        for target in ("shop-client-tls", "shop-ask-tls"):
            with self.subTest(target=target):
                done = self.mariadb(target, "--ssl", "-e", "status")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, r"(?m)^SSL:\s+Cipher in use is TLS")

    def test_client_that_verifies_is_told_that_there_is_no_tls(self):
        done = self.mariadb("shop-client", "--ssl-verify-server-cert", "-e", "select 1")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("SSL is required", done.stderr)

    def test_wrong_password_is_the_servers_own_error_in_each_mode(self):
        for target in MODES:
            with self.subTest(target=target):
                done = self.mariadb(target, "-e", "select 1", password="wrong")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("Access denied for user 'shop_rw'", done.stderr)

    def test_ed25519_account_works_by_the_clients_login_and_by_ours(self):
        ask = self.lab.databases.all["shop-db"].ask
        ask("install plugin if not exists ed25519 soname 'auth_ed25519'", "mysql")
        ask("create or replace user shop_hard@'%' identified via ed25519 using password('hard to guess')", "mysql")
        ask("grant select on shop.* to shop_hard@'%'", "mysql")
        for target, (_client_tls, login) in MODES.items():
            with self.subTest(target=target):
                before = self.sessions()
                self.assert_works(self.mariadb(target, "-e", "select 7", user="shop_hard", password="hard to guess"), "7\n")
                self.assertEqual(self.login_of(before), f"{login} client_ed25519")

    def test_jdbc_driver_works_in_each_mode(self):
        if not os.path.exists(JDBC) or shutil.which("javac") is None:
            self.skipTest("no JDK with MariaDB's JDBC driver is installed")
        encrypted = "useSSL=true&trustServerCertificate=true"
        for target, option in (("shop-client", ""), ("shop-ask", "allowPublicKeyRetrieval=true"), ("shop-client-tls", encrypted),
                               ("shop-ask-tls", encrypted)):
            with self.subTest(target=target):
                before = self.sessions()
                url = f"jdbc:mariadb://127.0.0.1:{self.port(f'{target}:3306')}/shop?useServerPrepStmts=true&{option}"
                self.assert_works(self.client("java", "-cp", JDBC, os.path.join(CLIENTS, "JdbcClient.java"), url, "shop_rw"),
                                  "1 text\n2 text\n")
                recorded = self.recorded(self.closed(before)[0]["id"])
                self.assertEqual(len([words for kind, words in recorded if kind == "db_parameter"]), 4)

    @classmethod
    @functools.cache
    def node_modules(cls):
        """Where the package mysql2 of node is, or why it is nowhere."""
        if IS_QUICK or shutil.which("npm") is None:
            return "", "the package mysql2 is fetched in full runs only, where npm is"
        folder = os.path.join(cls.base, "node")
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "mysql2@3"], cwd=folder,
                              capture_output=True, text=True, check=False, timeout=300)
        return os.path.join(folder, "node_modules"), done.stderr[-500:] if done.returncode else ""

    def test_node_works_in_each_mode(self):
        modules, reason = self.node_modules()
        if reason:
            self.skipTest(reason)
        for target, (client_tls, _login) in MODES.items():
            with self.subTest(target=target):
                tls = "tls" if client_tls == "terminate" else "plain"
                done = self.client("env", f"NODE_PATH={modules}", "node", os.path.join(CLIENTS, "mysql2_client.js"),
                                   self.port(f"{target}:3306"), "shop_rw", "shop", tls)
                self.assert_works(done, "text null bytes\n")
