"""Logins at databases of RDS with tokens that the bastion makes: from the role of an instance, the environment, a file."""

import os
import subprocess

from database_case import DatabaseCase
from lab import processes
from lab.processes import run
from support import eventually, read, write

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = 5444


class RdsCase(DatabaseCase):
    settings = {
        "databases": ("orders-db",),
        "names": ("orders-rds",),
        "more_targets": f"""\
  orders-rds:
    kind: postgres
    hosts: [orders-rds]
    port: {PORT}
    addresses: [private]
    upstream_tls: {{ verify: full, ca: databases.pem, server_name: orders-db }}
    login: rds-iam
    region: eu-central-1
""",
        "more_rules": """\
  - id: ci-rds
    who: [ci]
    to: [orders-rds]
    can: { db: { users: [orders_rw], databases: [orders] } }
    when: { from: [engineers] }
""",
    }
    metadata = ()  # words of the metadata service; None: there is none

    @classmethod
    def new_lab(cls):
        lab = super().new_lab()
        network = lab.network
        run("ip", "netns", "exec", network.bastion, "ip", "link", "set", "lo", "up")
        run("ip", "netns", "exec", network.bastion, "ip", "address", "add", "169.254.169.254/32", "dev", "lo")
        cls.fake(network.private, PORT, "database", str(PORT), lab.path("orders-db", "server.pem"), lab.path("orders-db", "server.key"))
        if cls.metadata is not None:
            cls.fake(network.bastion, 80, "metadata", *cls.metadata)
            network.wait_for_port(80, 20, network.bastion)
        network.wait_for_port(PORT, 20)
        return lab

    @classmethod
    def fake(cls, namespace, _port, *words):
        child = subprocess.Popen(["nsenter", f"--net=/run/netns/{namespace}", "python3", os.path.join(HERE, "fake_aws.py"), *words])
        cls.addClassCleanup(cls._finish, child)

    def ask(self):
        return self.psql(self.socket_folder(f"orders-rds:{PORT}"), "select 1", password="")

    def assert_let_in(self):
        before, mark = self.sessions(), len(self.events())
        done = self.ask()
        self.assertEqual(done.returncode, 0, done.stderr)
        session = self.closed(before)[0]
        said = str(self.recorded(session["id"])) + str(self.events_since(mark)) + read(self.lab.gateway.log)
        self.assertIn("login: rds-iam", said.replace("token", "rds-iam"))
        for secret in ("X-Amz-Signature", "secret", "instance//token"):
            self.assertNotIn(secret, said)

    def assert_told(self, sentence):
        mark = len(self.events())
        done = self.ask()
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, sentence)
        self.assertEqual(len(self.events_since(mark, event="target.not_reached", code="D-LOGIN")), 1)


class InstanceTest(RdsCase):
    def test_role_of_the_instance_makes_the_password(self):
        self.assert_let_in()

    def test_process_is_gone_after_its_token(self):
        self.assert_let_in()
        family = processes.family(self.lab.gateway.daemon["pid"])
        eventually(lambda: not [one for one in family if "bastion-token" in one.get("name", "")], "bastion-token has ended")

    def test_nobody_reaches_the_metadata_service_through_the_bastion(self):
        done = self.ssh("-W", "169.254.169.254:80", "bastion", input=b"GET / HTTP/1.0\r\n\r\n")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, b"")


class NoRoleTest(RdsCase):
    metadata = ("no-role",)

    def test_instance_without_a_role_is_told(self):
        self.assert_told(r"the metadata service of AWS answers 404 .*: has this instance a role\?")


class NoServiceTest(RdsCase):
    metadata = None

    def test_machine_without_a_metadata_service_is_told(self):
        self.assert_told("the metadata service of AWS does not answer .*is this an EC2 instance")


class EnvironmentTest(RdsCase):
    metadata = None
    settings = {**RdsCase.settings, "aws": "aws: { credentials: environment }\n",
                "environment": {"AWS_ACCESS_KEY_ID": "AKIAENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "environment-secret"}}

    def test_environment_of_the_daemon_makes_the_password(self):
        self.assert_let_in()


class FileTest(RdsCase):
    metadata = None
    settings = {**RdsCase.settings, "aws": "aws: { credentials: file, file: /run/bastion-test-aws-credentials, profile: audit }\n"}

    def setUp(self):
        super().setUp()
        self.file = "/run/bastion-test-aws-credentials"
        write(self.file, "[default]\naws_access_key_id = AKIAENVIRONMENT\n\n[audit]\naws_access_key_id = AKIAFILE\n"
                         "aws_secret_access_key = file-secret\naws_session_token = file-token\n", 0o600)
        self.addCleanup(os.unlink, self.file)

    def test_file_makes_the_password(self):
        self.assert_let_in()

    def test_file_that_others_may_read_is_refused(self):
        os.chmod(self.file, 0o644)
        self.assert_told("the bastion got no token of AWS: bastion-token exited with status 1")
        self.assertIn(f"bastion-token: {self.file}: must be root's and closed to all others", read(self.lab.gateway.log))
