"""The lab itself: what the other tests, the demo and its users rely on."""

import hmac
import os
import socket
import subprocess
import time

from support import BIN, TOP, Lab, LabCase, eventually, processes, read


class LabTest(LabCase):
    people = ("nora", "otto")

    def demo(self, *words, check=True):
        return subprocess.run([os.path.join(TOP, "deploy/demo.sh"), *words], env={**os.environ, "BASTION_BIN": BIN},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=check)

    def test_node1_is_reached_through_the_bastion_only(self):
        with self.assertRaises(OSError):
            socket.create_connection((self.lab.network.node_ip, 22), timeout=10)
        self.assertEqual(self.ssh("node1", "hostname").stdout, b"node1\n")

    def test_bastion_forwards_no_packets(self):
        route = ["ip", "route", "replace", self.lab.network.private_net, "via", self.lab.network.bastion_ip]
        subprocess.run(["ip", "route", "del", "unreachable", self.lab.network.private_net], check=True)
        try:
            subprocess.run(route, check=True)
            with self.assertRaises(OSError):
                socket.create_connection((self.lab.network.node_ip, 22), timeout=3)
        finally:
            subprocess.run(["ip", "route", "del", self.lab.network.private_net], check=True)
            subprocess.run(["ip", "route", "add", "unreachable", self.lab.network.private_net], check=True)

    def test_accounts_of_node1_exist_only_there(self):
        self.assertEqual(self.ssh("ec2-user@node1", "id -un").stdout, b"ec2-user\n")
        self.assertNotIn("ec2-user", read("/etc/passwd"))

    def codes_around_now(self, person):
        lines = [line.split() for line in read(self.lab.path("oath", "users")).splitlines()]
        fields = next(line for line in lines if person in line)
        codes = {}
        for step in range(int(time.time()) // 30 - 3, int(time.time()) // 30 + 4):
            digest = hmac.digest(bytes.fromhex(fields[3]), step.to_bytes(8, "big"), "sha1")
            at = digest[-1] & 15
            codes[f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7fffffff) % 1000000:06d}"] = step
        return codes

    def test_otp_gives_each_of_several_callers_a_code_of_its_own(self):
        callers = [subprocess.Popen([self.lab.path("otp"), "nora"], stdout=subprocess.PIPE, text=True) for _ in range(3)]
        given = [caller.communicate(timeout=180)[0].strip() for caller in callers]
        codes = self.codes_around_now("nora")
        steps = sorted(codes[code] for code in given)
        self.assertEqual(steps, [steps[0], steps[0] + 1, steps[0] + 2])

    def test_otp_passes_over_a_code_that_was_used_without_it(self):
        now = int(time.time()) // 30
        code = next(code for code, step in self.codes_around_now("otto").items() if step == now)
        with self.terminal("-J", "bastion", "ec2-user@node1", "true", person="otto") as terminal:
            terminal.expect("(?i:one-time)")
            terminal.say(code)
            self.assertEqual(terminal.wait(), 0)
        self.assertNotEqual(self.code("otto"), code)

    def test_env_names_what_exists(self):
        values = dict(line.split("=", 1) for line in read(self.lab.path("env")).splitlines())
        for key in ("CONFIG", "POLICY", "RECORDINGS", "EVIDENCE", "EVENTS", "AGE_IDENTITY", "LOG_KEY_PUBLIC", "BIN_DIR"):
            self.assertTrue(os.path.exists(values[key]), key)
        self.assertEqual(processes.program({"pid": int(values["BASTIOND_PID"])}), "bastiond")

    def test_labs_stand_beside_each_other_and_end_alone(self):
        folders = [os.path.join(self.base, name) for name in ("one", "two")]
        try:
            for folder in folders:
                self.demo("up", folder)
                done = subprocess.run(["ssh", "-F", f"{folder}/ssh_config.machine", "node1", "hostname"], capture_output=True,
                                      text=True, check=False, stdin=subprocess.DEVNULL)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "node1\n", ""))
            values = dict(line.split("=", 1) for line in read(f"{folders[0]}/env").splitlines())
            self.demo("down", folders[0])
            eventually(lambda: not os.path.exists(f"/run/netns/{values['BASTION_NETNS']}"), "its networks are gone")
            self.assertFalse(processes.mentioning(folders[0] + "/"))
            for folder in (folders[1], self.lab.folder):
                done = subprocess.run(["ssh", "-F", f"{folder}/ssh_config.machine", "node1", "hostname"], capture_output=True,
                                      text=True, check=False, stdin=subprocess.DEVNULL)
                self.assertEqual(done.stdout, "node1\n", done.stderr)
        finally:
            for folder in folders:
                self.demo("down", folder, check=False)

    def test_private_folder_becomes_a_link(self):
        """bastion-pam and the recorder have to enter it under their own uids."""
        private = os.path.join(self.base, "private")
        os.mkdir(private, 0o700)
        lab = Lab(os.path.join(private, "lab"), BIN).up()
        try:
            self.assertTrue(os.path.islink(os.path.join(private, "lab")))
            done = subprocess.run(["ssh", "-F", f"{private}/lab/ssh_config", "node1", "hostname"], capture_output=True, text=True,
                                  check=False, stdin=subprocess.DEVNULL)
            self.assertEqual(done.stdout, "node1\n", done.stderr)
        finally:
            lab.down()
        subprocess.run(["rm", "-rf", lab.folder], check=True)

    def test_down_without_a_lab_says_so(self):
        done = self.demo("down", os.path.join(self.base, "nothing"), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no lab", done.stderr)


class DatabaseTest(LabCase):
    settings = {"databases": ("orders-db", "shop-db")}

    def from_the_bastion(self, *argv, password):
        return subprocess.run(["ip", "netns", "exec", self.lab.network.bastion, *argv], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=60, env={**os.environ, "PGPASSWORD": password, "MYSQL_PWD": password})

    def test_databases_are_reached_through_the_bastion_only(self):
        for one in self.lab.databases.all.values():
            with self.assertRaises(OSError):
                socket.create_connection((self.lab.network.node_ip, one.port), timeout=10)

    def test_orders_db_accepts_only_tls(self):
        values = dict(line.split("=", 1) for line in read(self.lab.path("env")).splitlines())
        where = (f"host={values['ORDERS_DB_HOST']} hostaddr={values['ORDERS_DB_ADDRESS']} user={values['ORDERS_DB_USER']} "
                 f"dbname={values['ORDERS_DB_DATABASE']} sslrootcert={self.lab.path('databases', 'ca.pem')}")
        argv = ("psql", "-X", "-A", "-t", "-c", "select count(*) from orders")
        plain = self.from_the_bastion(*argv, f"{where} sslmode=disable", password=values["ORDERS_DB_PASSWORD"])
        self.assertIn("no encryption", plain.stderr)
        done = self.from_the_bastion(*argv, f"{where} sslmode=verify-full", password=values["ORDERS_DB_PASSWORD"])
        self.assertEqual((done.returncode, done.stdout), (0, "3\n"), done.stderr)

    def test_shop_db_requires_tls(self):
        values = dict(line.split("=", 1) for line in read(self.lab.path("env")).splitlines())
        argv = ("mariadb", "--no-defaults", f"--host={values['SHOP_DB_ADDRESS']}", f"--user={values['SHOP_DB_USER']}", "--batch",
                "--skip-column-names", "-e", "select count(*) from items", values["SHOP_DB_DATABASE"])
        plain = self.from_the_bastion(*argv, "--skip-ssl", password=values["SHOP_DB_PASSWORD"])
        self.assertIn("Access denied", plain.stderr)  # all that MariaDB 10.11 says where TLS is missing
        done = self.from_the_bastion(*argv, "--ssl", password=values["SHOP_DB_PASSWORD"])
        self.assertEqual((done.returncode, done.stdout), (0, "3\n"), done.stderr)
