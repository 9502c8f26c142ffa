"""MariaDB through the bastion with its own client: what works, what is recorded, what is refused."""

import re

from database_case import DatabaseCase
from support import eventually


class MysqlTest(DatabaseCase):
    settings = {
        "databases": ("shop-db",),
        "names": ("shop-files", "shop-other"),
        "more_targets": """\
  shop-files:
    kind: mysql
    hosts: [shop-files]
    addresses: [private]
    upstream_tls: { verify: full, ca: databases.pem, server_name: shop-db }
  shop-other:
    kind: mysql
    hosts: [shop-other]
    addresses: [private]
    upstream_tls: { verify: full, ca: databases.pem }
""",
        "more_rules": """\
  - id: ci-files
    who: [ci]
    to: [shop-files, shop-other]
    can: { db: { users: [shop_rw], databases: [shop], local_infile: true } }
    when: { from: [engineers] }
""",
    }

    def mysql(self, port, *words, user="shop_rw", database="shop", **given):
        return self.client("mariadb", "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={port}", f"--user={user}",
                           "--batch", "--skip-column-names", *words, database, **given)

    def test_rows_come_unchanged_and_statements_are_recorded(self):
        before = self.sessions()
        question = "select id, name, price, null, x'01c3a4' from items order by id"
        done = self.mysql(self.port("shop-db:3306"), "-e", f"{question}; select 1; insert into items values (9, 'bolt', 1); "
                          "delete from items where id = 9")
        self.assertEqual(done.returncode, 0, done.stderr)
        direct = self.lab.databases.all["shop-db"].ask(question)
        self.assertEqual(done.stdout, direct + "\n1\n")
        session = self.closed(before)[0]
        self.assertEqual((session["kind"], session["account"]), ("mysql", "shop_rw"))
        recorded = self.recorded(session["id"])
        self.assertRegex([words for kind, words in recorded if kind == "db_startup"][0], r"^mysql: shop_rw in shop, .* TLSv1\.3 ")
        self.assertEqual(self.statements(session["id"]),
                         [f"query: {question}", "query: select 1", "query: insert into items values (9, 'bolt', 1)",
                          "query: delete from items where id = 9"])
        results = [words for kind, words in recorded if kind == "db_result"]
        self.assertRegex(results[0], r"^1 done, 3 rows, ")
        self.assertRegex(results[2], r"^3 done, 1 rows, ")
        self.assertNotIn(self.password, str(recorded))

    def test_error_of_the_server_is_recorded_and_told(self):
        before = self.sessions()
        done = self.mysql(self.port("shop-db:3306"), "-e", "select * from nowhere")
        self.assertIn("ERROR 1146", done.stderr)
        results = [words for kind, words in self.recorded(self.closed(before)[0]["id"]) if kind == "db_result"]
        self.assertRegex(results[0], r"^1 error 1146 42S02, 0 rows, .*nowhere")

    def test_wrong_password_is_the_servers_own_error_and_an_event(self):
        mark = len(self.events())
        done = self.mysql(self.port("shop-db:3306"), "-e", "select 1", password="wrong")
        self.assert_refused(done, "Access denied for user 'shop_rw'", mark, event="session.note", code="login_refused")

    def test_what_the_policy_does_not_give_is_an_error_of_the_protocol(self):
        port = self.port("shop-db:3306")
        for given in ({"user": "root"}, {"user": "mysql"}):
            mark = len(self.events())
            self.assert_refused(self.mysql(port, "-e", "select 1", **given), r"ERROR .*is not in its list .*\[D-CAN", mark,
                                event="target.denied")

    def test_other_database_is_refused_also_later(self):
        port = self.port("shop-files:3306")
        mark = len(self.events())
        self.assert_refused(self.mysql(port, "-e", "select 1", database="mysql"), r"ERROR .*\[D-CAN", mark, event="target.denied")
        mark = len(self.events())
        done = self.mysql(port, input="select 1;\nuse mysql\nselect user();\n")
        self.assertIn("1\n", done.stdout)
        self.assert_refused(done, "(?i)database", mark, event="session.note", code="refused")

    def test_local_file_goes_up_only_where_allowed(self):
        path = f"{self.base}/items.txt"
        with open(path, "w", encoding="ascii") as file:
            file.write("".join(f"{number}\tnut {number}\t1.00\n" for number in range(100, 200)))
        load = f"create temporary table t like items; load data local infile '{path}' into table t; select count(*) from t"
        done = self.mysql(self.port("shop-db:3306"), "--local-infile=1", "-e", load)
        self.assertNotEqual(done.returncode, 0)
        before = self.sessions()
        done = self.mysql(self.port("shop-files:3306"), "--local-infile=1", "-e", load)
        self.assertEqual((done.returncode, done.stdout), (0, "100\n"), done.stderr)
        totals = [words for kind, words in self.recorded(self.closed(before)[0]["id"]) if kind == "db_total"]
        self.assertEqual(len(totals), 1)
        self.assertRegex(totals[0], r": 1700 bytes, .*SHA-256 [0-9a-f]{64}$")

    def test_wrong_server_is_refused_with_the_check_named(self):
        mark = len(self.events())
        done = self.mysql(self.port("shop-other:3306"), "-e", "select 1")
        self.assert_refused(done, "its certificate is for shop-db, not for shop-other", mark, event="session.note", code="target_tls")

    def test_statements_that_the_server_counted_are_recorded(self):
        port = self.port("shop-db:3306")
        before = self.sessions()
        done = self.mysql(port, input="".join(f"select {number};\n" for number in range(500)) + "show session status like 'Questions';\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        counted = int(done.stdout.split()[-1])
        session = eventually(lambda: self.closed(before), "the recording is closed")[0]
        asked = [words for words in self.statements(session["id"]) if not re.match("command|close", words)]
        self.assertEqual(len(asked), 501)
        self.assertIn(counted - len(asked), (0, 1), "the server counts the login's own question as well")
