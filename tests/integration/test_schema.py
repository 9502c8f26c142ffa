"""The JSON Schema for editors and the loader judge the shape of a policy alike."""

import json
import os
import re
import subprocess
import tempfile
import unittest

from support import BIN, TOP, read, write

try:
    import jsonschema
    import yaml
except ImportError:  # Debian: python3-jsonschema, python3-yaml
    jsonschema = None

# Edits of the example policy: what is put in the place of what. All are refused for their shape.
BAD = (
    ("version: 1\n", "version: 2\n"), ("version: 1\n", ""), ("mode: enforce", "mode: maybe"), ("rules:", "rulez:"),
    ("machine: true", "machine: maybe"), ("machine: true", "machin: true"), ("kind: ssh", "kind: telnet"),
    ("port: 22", "port: 0"), ("port: 22", "port: many"), ("login_as: [ec2-user, deploy]", "login_as: []"),
    ("login_as: [ec2-user, deploy]", "login_as: deploy"), ("known_hosts: targets.known_hosts", "known_host: x"),
    ("mfa: 15m", "mfa: 15"), ("mfa: 15m", "mfa: soon"), ("sftp: read", "sftp: rw"), ("shell: true", "shell: \"true\""),
    ("deny: [agent,", "deny: [agents,"), ("session: 4h", "session: long"), ("terminal: output", "terminal: none"),
    ("input: none", "input: some"), ("id: ci-deploy", "id: CI-deploy"), ("- id: ci-deploy\n", "- \n"),
    ("channels_per_connection: 16", "channels_per_connection: 17"), ("who: [ci]", "who: ci"),
    ("when: { mfa: 1h }", "when: { mfa: 1h, hour: x }"), ("when: { mfa: 1h }", "when: { key: strong }"),
    ("labels: { env: prod }", "labels: { env: [prod] }"), ("tests:\n", "tests: []\nx-tests:\n"),
)
GOOD = (
    ("mode: enforce", "mode: enforce # still"), ("when: { mfa: 1h }", "when: { mfa: 1h, until: 2026-12-31, reason: \"INC-*\" }"),
    ("when: { mfa: 1h }", "when: { mfa: 1h, hours: [\"Mon-Fri 08:00-20:00 Europe/Berlin\"] }"),
    ("to: [\"env=prod\"]", "to: [{ env: prod }]"),
    ("sftp: read", "sftp: { read: [\"/var/log/**\"] }"),
)


def document(text):
    """YAML with the types of the JSON Schema alone, as editors read it: no dates, no "yes"."""

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {}

    Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?[0-9]+$"), list("-0123456789"))
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|false)$"), list("tf"))
    return yaml.load(text, Loader)


@unittest.skipUnless(jsonschema, "python3-jsonschema and python3-yaml are not installed")
class SchemaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        said = subprocess.run([os.path.join(BIN, "bastion"), "policy", "schema"], capture_output=True, check=True, text=True)
        schema = json.loads(said.stdout)
        jsonschema.Draft7Validator.check_schema(schema)
        cls.validator = jsonschema.Draft7Validator(schema)
        cls.example = read(os.path.join(TOP, "config/policy.yaml"))

    def judge(self, text):
        """What the schema says, and what the loader says."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "policy.yaml")
            write(path, text)
            done = subprocess.run([os.path.join(BIN, "bastion"), "policy", "check", path], capture_output=True, check=False, text=True)
        return self.validator.is_valid(document(text)), done.returncode == 0, done.stderr

    def edit(self, old, new):
        self.assertIn(old, self.example)
        return self.example.replace(old, new, 1)

    def test_example_fits_both(self):
        self.assertEqual(self.judge(self.example)[:2], (True, True))

    def test_good_edits_fit_both(self):
        for old, new in GOOD:
            with self.subTest(new=new):
                by_schema, by_loader, said = self.judge(self.edit(old, new).partition("\ntests:")[0] + "\n")
                self.assertEqual((by_schema, by_loader), (True, True), said)

    def test_bad_edits_fit_neither(self):
        for old, new in BAD:
            with self.subTest(new=new):
                self.assertEqual(self.judge(self.edit(old, new))[:2], (False, False))

    def test_every_example_of_the_docs_fits(self):
        examples = re.findall(r"\n```yaml policy\n(.*?\n)```\n", read(os.path.join(TOP, "docs/policy.md")), re.S)
        self.assertGreater(len(examples), 3)
        for text in examples:
            errors = [error.message for error in self.validator.iter_errors(document(text))]
            self.assertEqual(errors, [], text)
