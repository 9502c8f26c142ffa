"""The lab: a private network that only the bastion can reach, with a stock sshd in it, all on one machine.

    lab = Lab("/tmp/lab", "build/release/bin")
    lab.up(); ...; lab.down()

Everything is below one folder; lab.json there remembers which processes and networks are its own.
"""

import json
import os
import re
import shutil
import tempfile

from . import databases, processes
from .gateway import PORT, Gateway, read, write
from .network import Network, allocate
from .node import Node
from .processes import LabError, run

__all__ = ["Lab", "LabError", "Network", "processes", "read", "run", "write"]

HERE = os.path.dirname(os.path.abspath(__file__))
SAFE_PATH = re.compile(r"/[A-Za-z0-9_./+-]{1,150}")  # it goes into configuration files and command lines unquoted

SSH_CONFIG = """\
# The lab's hosts as {person}: ssh -F {folder}/{name} node1
Host bastion
    HostName {bastion_ip}
    Port {port}
    User {person}
Host node1
    User {account}
{way}
# The same way typed by a person at a terminal: ssh -J asks for the code.
Host node1-by-hand
    HostName node1
    User {account}
    ProxyJump bastion
Host *
    IdentityFile {folder}/{person}
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
"""
WAY_WITH_FACTOR = """\
    # ProxyJump, spelled out only so that the code of the second factor can be typed by a program.
    ProxyCommand env SSH_ASKPASS={folder}/otp-{person} SSH_ASKPASS_REQUIRE=force ssh -F {folder}/{name} -W [%h]:%p bastion
"""
WAY_OF_MACHINES = "    ProxyJump bastion\n"


class Lab:
    def __init__(self, folder, bin_dir, settings=None, people=(), machines=()):
        self.folder = os.path.realpath(folder)
        if not SAFE_PATH.fullmatch(self.folder):
            raise LabError(f"{self.folder}: letters, digits and _./+- only, at most 150 of them")
        self.bin_dir = os.path.realpath(bin_dir)
        self.settings = settings or {}
        self.people, self.machines = ["alice", *people], ["deploy-bot", *machines]
        self.network = self.node = self.node_process = self.gateway = self.databases = None

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def up(self):
        if os.path.exists(self.path("lab.json")):
            down(self.folder)
        if os.path.isdir(self.folder) and os.listdir(self.folder):
            raise LabError(f"{self.folder} is not empty: name a new folder")
        os.makedirs(self.folder, exist_ok=True)
        self._move_where_others_pass()
        os.chmod(self.folder, 0o755)
        self.network = allocate()
        try:
            self._remember()
            self.node = Node(self.path("node1"), self.network, self.path("keys", "user_ca.pub"),
                             self.settings.get("sshd_lines", ""))
            self.gateway = Gateway(self.folder, self.network, self.bin_dir, self.settings, self.people, self.machines)
            self.databases = databases.Databases(self.folder, self.network, self.settings.get("databases", ()),
                                                 os.path.join(os.path.dirname(self.bin_dir), "lab-databases"))
            os.makedirs(self.path("node1"), exist_ok=True)
            self.node.prepare()
            self.databases.prepare()
            self.gateway.prepare(self.node, self.databases)
            self.node_process = self.node.start()
            self._remember()
            self.databases.start()
            self._remember()
            self._write_client_files()
            self.start_daemon()
        except BaseException:
            self.down()
            raise
        return self

    def _move_where_others_pass(self):
        """The recorder and bastion-pam enter under their own uids. Below a private folder DIR becomes a link to an open one."""
        above = os.path.dirname(self.folder)
        while os.stat(above).st_mode & 0o001:
            if above == "/":
                return
            above = os.path.dirname(above)
        os.rmdir(self.folder)
        place = tempfile.mkdtemp(prefix="bastion-lab.", dir="/tmp")
        os.symlink(place, self.folder)
        self.folder = place

    def down(self):
        """Returns the processes of the bastion that did not end by themselves."""
        leftovers = self.gateway.stop() if self.gateway else []
        if self.node_process:
            Node.stop(self.node_process)
            self.node_process = None
        if self.databases:
            self.databases.stop()
        if self.network:
            self.network.destroy()
            self.network = None
        try:
            os.unlink(self.path("lab.json"))
        except FileNotFoundError:
            pass
        return leftovers

    def start_daemon(self):
        self.gateway.start()
        self._remember()
        self._write_env()

    def stop_daemon(self):
        return self.gateway.stop()

    def _remember(self):
        write(self.path("lab.json"), json.dumps({
            "index": self.network.index, "bin_dir": self.bin_dir, "node": self.node_process,
            "databases": self.databases.running if self.databases else {},
            "daemon": self.gateway.daemon if self.gateway else None}, indent=1) + "\n")

    @staticmethod
    def config_name(person):
        return {"alice": "ssh_config", "deploy-bot": "ssh_config.machine"}.get(person, f"ssh_config.{person}")

    def _write_ssh_config(self, person, name, factor):
        way = (WAY_WITH_FACTOR if factor else WAY_OF_MACHINES).format(folder=self.folder, person=person, name=name)
        write(self.path(name), SSH_CONFIG.format(folder=self.folder, name=name, person=person, way=way, port=PORT,
                                                 bastion_ip=self.network.bastion_ip,
                                                 account="ec2-user" if factor else "deploy"))
        if factor:
            write(self.path(f"otp-{person}"), f"#!/bin/sh\nexec {self.folder}/otp {person}\n", 0o755)

    def _write_client_files(self):
        keys = {name: " ".join(read(self.path("keys", f"{name}.pub")).split()[:2]) for name in ("host", "inner")}
        bastion = self.network.bastion_ip if PORT == 22 else f"[{self.network.bastion_ip}]:{PORT}"
        write(self.path("known_hosts"), f"{bastion} {keys['host']}\n*,!{bastion} {keys['inner']}\n")
        shutil.copy(os.path.join(HERE, "otp.py"), self.path("otp"))
        os.chmod(self.path("otp"), 0o755)
        for people, has_factor in ((self.people, True), (self.machines, False)):
            for person in people:
                self._write_ssh_config(person, self.config_name(person), has_factor)

    def _write_env(self):
        gateway, network = self.gateway, self.network
        values = {
            "LAB_DIR": self.folder, "BIN_DIR": self.bin_dir,
            "BASTION_ADDRESS": network.bastion_ip, "BASTION_PORT": PORT, "BASTION_NETNS": network.bastion,
            "NODE1_ADDRESS": network.node_ip, "NODE1_PORT": 22, "NODE1_NETNS": network.private,
            "BASTIOND_PID": gateway.daemon["pid"], "NODE1_PID": self.node_process["pid"],
            "CONFIG": gateway.config, "POLICY": gateway.policy, "KEYS_DIR": self.path("config", "keys"),
            "TARGET_KNOWN_HOSTS": self.path("config", "targets.known_hosts"),
            "RECORDINGS": gateway.recordings, "EVIDENCE": self.path("evidence"), "EVENTS": gateway.events,
            "STATE_DIR": self.path("state"), "LOG_KEY_PUBLIC": self.path("keys", "log.pub"),
            "USER_CA_PUBLIC": self.path("keys", "user_ca.pub"), "AGE_IDENTITY": self.path("identity.txt"),
            "OATH_USERS": self.path("oath", "users"), "BASTIOND_LOG": gateway.log, "NODE1_LOG": self.node.log,
            "SSH_CONFIG": self.path("ssh_config"), "SSH_CONFIG_MACHINE": self.path("ssh_config.machine"),
        }
        for name, one in self.databases.all.items():
            prefix = name.replace("-", "_").upper()
            values.update({f"{prefix}_HOST": name, f"{prefix}_ADDRESS": network.node_ip, f"{prefix}_PORT": one.port, f"{prefix}_USER": one.users[0],
                           f"{prefix}_PASSWORD": databases.PASSWORD, f"{prefix}_DATABASE": one.database})
        write(self.path("env"), "".join(f"{key}={value}\n" for key, value in values.items()))


def down(folder):
    """End a lab that another process has put up. Returns the processes that had to be killed."""
    folder = os.path.realpath(folder)
    try:
        known = json.loads(read(os.path.join(folder, "lab.json")))
    except FileNotFoundError:
        raise LabError(f"{folder}/lab.json is missing: no lab is up there") from None
    lab = Lab(folder, known["bin_dir"])
    lab.network = Network(known["index"])
    lab.node_process = known["node"]
    lab.databases = databases.Databases(folder, lab.network, (), "")
    lab.databases.running = known.get("databases", {})
    lab.gateway = Gateway(folder, lab.network, lab.bin_dir)
    lab.gateway.daemon = known["daemon"]
    return lab.down()
