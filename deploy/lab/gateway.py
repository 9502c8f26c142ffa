"""The bastion's own files in a lab, and its daemon."""

import os
import shutil
import signal
import time

from . import processes
from .processes import LabError, run

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = 22
FIRST_UID = 300000       # above every account of the machine, each lab has a block of its own
UIDS_PER_LAB = 2000
START_SECONDS = 60       # a sanitizer build on a busy machine; it never waits longer than it must

POLICY = """\
version: 1
mode: enforce

networks:
  engineers: ["{user_net}"]
  private: ["{private_net}"]

people:
  engineers: {{ users: [{people}] }}
  ci: {{ users: [{machines}], machine: true }}

targets:
  nodes:
    kind: ssh
    hosts: [{hosts}]
    addresses: [private]
    port: 22
    login_as: [ec2-user, deploy]
    host_keys: {{ known_hosts: targets.known_hosts }}
    labels: {{ env: lab }}
{more_targets}
rules:
  - id: engineers-nodes
    who: [engineers]
    to: [nodes]
    as: [ec2-user]
    can: {{ shell: true, exec: true, sftp: read }}
    when: {{ mfa: 8h, from: [engineers] }}
  - id: engineers-look
    who: [engineers]
    to: [nodes]
    as: [deploy]
    can: {{ exec: [[uptime], [df, -h]], sftp: {{ read: [/etc/hostname], write: ["/tmp/bastion-files.*/in/**"] }} }}
    when: {{ mfa: 8h, from: [engineers] }}
  - id: ci-nodes
    who: [ci]
    to: [nodes]
    as: [ec2-user, deploy]
    can: {{ shell: true, exec: true, sftp: write, forward: true, remote_forward: true, agent: true, x11: true }}
    when: {{ from: [engineers] }}
{more_rules}
defaults:
  record: {{ terminal: output, input: none, {record} }}
  limits: {{ session: 8h, idle: 30m, connections_per_person: {connections}, channels_per_connection: 16 }}

tests:
  - name: an engineer works as ec2-user and only looks as deploy
    as: {{ user: alice, from: {user_ip}, mfa_age: 5m }}
    allow: [shell node1 as ec2-user, "exec node1 as deploy: uptime"]
    deny: [shell node1 as deploy, "exec node1 as deploy: uptime; id", shell node1 as root]
  - name: the engineer's second factor is asked for
    as: {{ user: alice, from: {user_ip}, mfa_age: 9h }}
    deny: [shell node1 as ec2-user]
"""

DATABASE_TARGET = """\
  {name}:
    kind: {kind}
    hosts: [{name}]
    addresses: [private]
    port: {port}
    upstream_tls: {{ verify: full, ca: databases.pem }}
    client_tls: refuse
    login: client
"""
DATABASE_RULES = """\
  - id: engineers-{name}
    who: [engineers]
    to: [{name}]
    can: {{ db: {{ users: [{users}], databases: [{database}] }} }}
    when: {{ mfa: 8h, from: [engineers] }}
  - id: ci-{name}
    who: [ci]
    to: [{name}]
    can: {{ db: {{ users: [{users}], databases: ["*"] }} }}
    when: {{ from: [engineers] }}
"""

CONFIG = """\
listen: ["{bastion_ip}:{port}"]
policy: {folder}/config/policy.yaml
keys_dir: {folder}/config/keys
people_file: {folder}/config/people
state_dir: {folder}/state
recordings_dir: {recordings}
evidence_dir: {folder}/evidence
keys:
  host: {folder}/keys/host
  inner: {folder}/keys/inner
  user_ca: {folder}/keys/user_ca
  host_ca: {folder}/keys/host_ca
  db_ca: {folder}/keys/db_ca
  log: {folder}/keys/log
recipients: {folder}/config/recipients
min_free: {min_free}
events: {folder}/events.jsonl
libexec_dir: {bin_dir}
pam: {{ service: bastion, confdir: {folder}/pam.d, writable: [{writable}] }}
source_address: auto
uids: {{ signer: {uid}, recorder: {uid_recorder}, pam: {uid_pam}, dial: {uid_dial}, token: {uid_token},
        sessions_first: {uid_sessions}, sessions_count: 1000 }}
limits: {{ max_connections: {connections}, per_source: {connections}, startups: 200 }}
{penalties}{times}{aws}"""

PAM = """\
auth     requisite  pam_oath.so usersfile={folder}/oath/users window=1 digits=6
account  required   pam_permit.so
"""


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Gateway:
    """Everything of the bastion in FOLDER: keys, people, policy, config, and the running daemon.

    settings: what a test wants different: connections, recordings, min_free, times, hosts (of the target nodes), names (what resolves
                             record=self.settings.get("record", "exec: 64MiB"),
                             more_targets=self._database_targets() + self.settings.get("more_targets", ""),
                             more_rules=self._database_rules() + self.settings.get("more_rules", ""))
    """

    def __init__(self, folder, network, bin_dir, settings=None, people=(), machines=()):
        self.folder, self.network, self.bin_dir = folder, network, bin_dir
        self.settings = dict(settings or {})
        self.people, self.machines = list(people), list(machines)
        self.hosts = {"node1": network.node_ip}  # name: address, as the bastion resolves it
        for name, address in self.settings.get("hosts", {}).items():
            self.hosts[name] = address.format(**vars(network))
        self.databases, self.database_hosts = {}, {}
        self.first_uid = FIRST_UID + network.index * UIDS_PER_LAB
        self.daemon = None
        self.config = self.path("config", "bastiond.yaml")
        self.policy = self.path("config", "policy.yaml")
        self.log = self.path("bastiond.log")
        self.events = self.path("events.jsonl")
        self.recordings = self.settings.get("recordings", self.path("recordings"))

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def program(self, name):
        path = os.path.join(self.bin_dir, name)
        if not os.access(path, os.X_OK):
            raise LabError(f"{path} is missing: build it first (cmake --preset release && cmake --build --preset release)")
        return path

    def bastion(self, *words, check=True, **options):
        """The operator's command line."""
        return run(self.program("bastion"), *words, check=check, **options)

    def prepare(self, node, databases):
        for name, mode in (("config", 0o755), ("config/keys", 0o755), ("keys", 0o700), ("state", 0o700), ("oath", 0o700),
                           ("evidence", 0o755)):
            os.makedirs(self.path(name), exist_ok=True)
            os.chmod(self.path(name), mode)
        os.chown(self.path("oath"), self.first_uid + 3, self.first_uid + 3)  # bastion-pam writes its users file anew
        os.makedirs(self.recordings, exist_ok=True)
        for path in (self.recordings, self.path("evidence")):
            os.chown(path, self.first_uid + 1, self.first_uid + 1)  # bastion-recorder
        self.databases = databases.all
        self.database_hosts = dict.fromkeys(databases.all, self.network.node_ip)
        if databases.all:
            shutil.copy(os.path.join(databases.ca_folder, "ca.pem"), self.path("config", "databases.pem"))
        write(self.config, self.config_text())
        write(self.path("pam.d", "bastion"), self.settings.get("pam", PAM).format(folder=self.folder))
        self._make_keys()
        self._make_identity()
        self.write_names()
        write(self.path("config", "targets.known_hosts"), f"node1 {node.host_key()}\n" + self.settings.get("known_hosts", "").format(host_key=node.host_key()))
        write(self.policy, self.policy_text())
        for name in self.people:
            self.add_person(name)
        for name in self.machines:
            self.add_person(name, factor=False)

    def _make_keys(self):
        """As an operator does it; the public halves are only printed there, so they are taken from the keys."""
        write(self.path("init.txt"), self.bastion("init", "--config", self.config, "--name", "bastion").stdout)
        for name in ("host", "inner", "user_ca", "host_ca"):
            write(self.path("keys", f"{name}.pub"), run("ssh-keygen", "-y", "-f", self.path("keys", name)).stdout)

    def _make_identity(self):
        """The security team's key. It lies beside the lab only because one person plays all parts here."""
        identity = self.path("identity.txt")
        if not os.path.exists(identity):
            run("age-keygen", "-o", identity)
        os.chmod(identity, 0o600)
        write(self.path("config", "recipients"), run("age-keygen", "-y", identity).stdout)

    def add_person(self, name, factor=True):
        """A key pair in FOLDER/NAME, the public half in keys/NAME, and a one-time code secret."""
        key = self.path(name)
        if not os.path.exists(key):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@lab", "-f", key)
        write(self.path("config", "keys", name), read(key + ".pub"))
        if factor:
            self.bastion("mfa", "enroll", name, "--no-qr", "--force", "--config", self.config,
                         "--users-file", self.path("oath", "users"))

    def _database_targets(self):
        return "".join(DATABASE_TARGET.format(name=name, kind=one.kind, port=one.port) for name, one in self.databases.items())

    def _database_rules(self):
        return "".join(DATABASE_RULES.format(name=name, users=", ".join(one.users), database=one.database)
                       for name, one in self.databases.items())

    def policy_text(self):
        return POLICY.format(people=", ".join(self.people), machines=", ".join(self.machines),
                             hosts=", ".join(self.hosts), connections=self.settings.get("connections", 400), user_net=self.network.user_net,
                             private_net=self.network.private_net, user_ip=self.network.user_ip,
                             more_targets=self._database_targets() + self.settings.get("more_targets", ""),
                             record=self.settings.get("record", "exec: 64MiB"),
                             more_rules=self._database_rules() + self.settings.get("more_rules", ""))

    def config_text(self):
        uid = self.first_uid
        times = self.settings.get("times")
        return CONFIG.format(folder=self.folder, bastion_ip=self.network.bastion_ip, port=PORT,
                             recordings=self.recordings, min_free=self.settings.get("min_free", "64MiB"),
                             connections=self.settings.get("connections", 400), bin_dir=self.bin_dir, uid=uid, uid_recorder=uid + 1, uid_dial=uid + 2,
                             uid_pam=uid + 3, uid_token=uid + 4, uid_sessions=uid + 100,
                             writable=self.settings.get("writable", "{folder}/oath").format(folder=self.folder),
                             penalties=self.settings.get("penalties", f"no_penalties: [{self.network.user_net}]\n"),
                             times=f"times: {times}\n" if times else "", aws=self.settings.get("aws", ""))

    def write_names(self):
        """What the bastion's resolver knows. Written in place: the daemon's /etc/hosts is this very file."""
        hosts = {**self.hosts, **self.database_hosts, **dict.fromkeys(self.settings.get("names", ()), self.network.node_ip)}
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in hosts.items())]
        write(self.path("names", "hosts"), "\n".join(lines) + "\n")
        # Nobody answers there, so a name that is not in the file is unknown at once.
        write(self.path("names", "resolv.conf"), f"nameserver {self.network.egress_ip}\noptions timeout:1 attempts:1\n")
        if self.settings.get("pam_account"):  # some modules want a name for the uid that they run as
            uid = self.first_uid + 3
            write(self.path("names", "passwd"), f"{read('/etc/passwd')}bastion-pam:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin\n")
        write(self.path("names", "nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")

    def start(self):
        program = self.program("bastiond")
        before, events = (os.path.getsize(path) if os.path.exists(path) else 0 for path in (self.log, self.events))
        environment = {key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")}
        environment.update(self.settings.get("environment", {}))
        environment.update(PATH=os.environ["PATH"], LANG="C.UTF-8")
        _child, self.daemon = processes.spawn(
            ["nsenter", f"--net=/run/netns/{self.network.bastion}", "unshare", "--mount", "--", "/bin/sh",
             os.path.join(HERE, "bastion_init.sh"), self.path("names"), program, "--config", self.config],
            self.log, environment)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and processes.is_running(self.daemon):
            if self._is_recording(events) and self.network.wait_for_port(PORT, 0.05, self.network.bastion):
                return self.daemon
            time.sleep(0.02)
        self.stop()
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(before)
            raise LabError(f"bastiond did not start:\n{log.read()[-4000:]}")

    def _is_recording(self, since):
        """The recorder has said that it is ready: before that nobody is let through."""
        try:
            with open(self.events, encoding="utf-8") as file:
                file.seek(since)
                return any('"recorder.ready"' in line and '"success"' in line for line in file)
        except FileNotFoundError:
            return False

    def stop(self):
        """Ends the daemon and all that it started. Returns the processes that had to be killed."""
        leftovers = processes.end(self.daemon) if self.daemon else []
        orphans = processes.mentioning(self.folder + "/keys/") + processes.mentioning(self.folder + "/evidence")
        orphans = [entry for entry in orphans if self._is_ours(entry)]
        for left in processes.wait_gone(orphans, 10):
            processes.send(left, signal.SIGKILL)
            leftovers.append(left)
        self.daemon = None
        return leftovers

    def _is_ours(self, entry):
        try:
            return os.path.dirname(os.readlink(f"/proc/{entry['pid']}/exe")) == os.path.realpath(self.bin_dir)
        except OSError:
            return False

    def reload(self):
        processes.send(self.daemon, signal.SIGHUP)
