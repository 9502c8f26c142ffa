"""The bastion and a stock sshd as a jump host, side by side in one lab: same network namespace, same target, same client.

    lab  10.213.N.1 ---- 10.213.N.2:22    bastiond           ---- 10.214.N.10 node1
                         10.213.N.2:2222  stock sshd, no PAM ----/
"""

import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "deploy"))

from lab import Lab, LabError, databases, processes, run, write  # noqa: E402

__all__ = ["BothWays", "LabError", "SIDES", "databases", "run"]

SIDES = ("sshd", "bastion")
ACCOUNT = "deploy"
SSHD_PORT = 2222
GCM = "aes128-gcm@openssh.com"
SETTLE_S = 20

SSHD_CONFIG = """\
ListenAddress {address}:{port}
HostKey {folder}/jump_host_key
AuthorizedKeysFile {folder}/jump_authorized_keys
StrictModes no
AuthenticationMethods publickey
UsePAM no
PidFile none
LogLevel ERROR
PrintMotd no
MaxStartups 2000:30:4000
AllowTcpForwarding yes
"""

CLIENT_CONFIG = """\
Host jump
    HostName {address}
    Port {port}
    HostKeyAlias {side}-jump
    User {jump_account}
Host node1
    HostName node1
    User {account}
    ProxyJump jump
    HostKeyAlias {side}-node1
{certificate}
Host *
    IdentityFile {folder}/deploy-bot
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/bench_known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    KexAlgorithms curve25519-sha256
    LogLevel ERROR
    IgnoreUnknown ObscureKeystrokeTiming
    ObscureKeystrokeTiming no
{cipher}
"""


class Account:
    """Counts the CPU time of some processes and of all that they start, ended or not: a control group.

    /proc/PID/stat would lose what orphans used, and counts in steps of 10 ms.
    """

    def __init__(self, name):
        mounts = [line.split() for line in open("/proc/mounts", encoding="ascii", errors="replace")]
        found = ([(mount[1], "cpu.stat") for mount in mounts if mount[2] == "cgroup2"]
                 + [(mount[1], "cpuacct.usage") for mount in mounts if mount[2] == "cgroup" and "cpuacct" in mount[3].split(",")])
        if not found:
            raise LabError("no control groups are mounted: CPU time cannot be counted")
        self.folder, self.file = os.path.join(found[0][0], name), found[0][1]
        os.makedirs(self.folder, exist_ok=True)

    def take(self, pid):
        for entry in processes.family(pid):
            with open(os.path.join(self.folder, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(entry["pid"]))

    def seconds(self):
        with open(os.path.join(self.folder, self.file), encoding="ascii") as file:
            text = file.read()
        return int(text) / 1e9 if self.file == "cpuacct.usage" else int(text.split("usage_usec", 1)[1].split()[0]) / 1e6

    def close(self):
        try:
            os.rmdir(self.folder)
        except OSError as error:
            print(f"compare: {self.folder} is left: {error}", file=sys.stderr)


class BothWays:
    def __init__(self, folder, bin_dir, connections, record, database_names=()):
        self.lab = Lab(folder, bin_dir, {"connections": connections, "record": record, "databases": database_names})
        self.roots, self.proxies, self.accounts = {}, {}, {}
        self.jump = None

    def __enter__(self):
        self.lab.up()
        try:
            self._start_sshd()
            self.roots = {"bastion": self.lab.gateway.daemon["pid"], "sshd": self.jump["pid"]}
            for side in SIDES:
                self.accounts[side] = Account(f"{os.path.basename(self.lab.folder)}-{os.getpid()}-{side}")
                self.accounts[side].take(self.roots[side])
            self._write_known_hosts()
            for side in SIDES:
                for cipher in ("default", "gcm"):
                    self._write_config(side, cipher, 0, self.lab.network.bastion_ip, self._port(side))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_ignored):
        for proxy in self.proxies.values():
            proxy.kill()
            proxy.wait()
        if self.jump:
            members = processes.family(self.jump["pid"])
            for member in members:
                processes.send(member, signal.SIGKILL)
            processes.wait_gone(members, 10)
        self.lab.down()
        for account in self.accounts.values():
            account.close()

    @staticmethod
    def _port(side):
        return SSHD_PORT if side == "sshd" else 22

    def _start_sshd(self):
        lab, folder = self.lab, self.lab.folder
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "jump", "-f", lab.path("jump_host_key"))
        write(lab.path("jump_authorized_keys"), open(lab.path("deploy-bot.pub"), encoding="ascii").read())
        # Behind sshd the client logs in at node1 by itself: with a certificate, as the bastion does.
        run("ssh-keygen", "-q", "-s", lab.path("keys", "user_ca"), "-I", "bench", "-n", ACCOUNT, lab.path("deploy-bot.pub"))
        write(lab.path("jump_sshd_config"), SSHD_CONFIG.format(
            address=lab.network.bastion_ip, port=SSHD_PORT, folder=folder))
        # node1's accounts and the lab's names, in a mount namespace of its own.
        script = ("mount --make-rprivate / && for f in passwd group shadow; do mount --bind \"$1/node1/etc/$f\" /etc/$f; done"
                  " && for f in hosts resolv.conf nsswitch.conf; do mount --bind \"$1/names/$f\" /etc/$f; done"
                  " && mount --bind \"$1/node1/home\" /home && mount -t tmpfs tmpfs /run && mkdir -p /run/sshd"
                  " && exec /usr/sbin/sshd -D -e -f \"$1/jump_sshd_config\"")
        _child, self.jump = processes.spawn(
            ["nsenter", f"--net=/run/netns/{lab.network.bastion}", "unshare", "--mount", "--", "/bin/sh", "-c", script, "sh", folder],
            lab.path("jump.log"))
        if not lab.network.wait_for_port(SSHD_PORT, 20, lab.network.bastion):
            raise LabError(f"the jump sshd did not start: {open(lab.path('jump.log'), encoding='utf-8').read()[-1000:]}")

    def _public(self, *parts):
        with open(self.lab.path(*parts), encoding="ascii") as file:
            return " ".join(file.read().split()[:2])

    def _write_known_hosts(self):
        write(self.lab.path("bench_known_hosts"), "".join(f"{name} {key}\n" for name, key in (
            ("bastion-jump", self._public("keys", "host.pub")), ("bastion-node1", self._public("keys", "inner.pub")),
            ("sshd-jump", self._public("jump_host_key.pub")), ("sshd-node1", self.lab.node.host_key()))))

    def _write_config(self, side, cipher, delay_ms, address, port):
        certificate = f"    CertificateFile {self.lab.path('deploy-bot-cert.pub')}\n" if side == "sshd" else ""
        write(self.config(side, cipher, delay_ms), CLIENT_CONFIG.format(
            side=side, address=address, port=port, folder=self.lab.folder, account=ACCOUNT, certificate=certificate,
            jump_account=ACCOUNT if side == "sshd" else "deploy-bot", cipher=f"    Ciphers {GCM}\n" if cipher == "gcm" else ""))

    def config(self, side, cipher="default", delay_ms=0):
        return self.lab.path(f"bench_{side}_{cipher}_{delay_ms}")

    def add_delay(self, delay_ms):
        """The same ways with a longer distance; config(side, cipher, delay_ms) names them from then on."""
        for side in SIDES:
            proxy = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "delay_proxy.py"), str(delay_ms / 2),
                                      self.lab.network.bastion_ip, str(self._port(side))], stdout=subprocess.PIPE, text=True)
            self.proxies[side, delay_ms] = proxy
            port = int(proxy.stdout.readline())
            for cipher in ("default", "gcm"):
                self._write_config(side, cipher, delay_ms, "127.0.0.1", port)

    def ssh(self, side, *words, cipher="default", delay_ms=0, program="ssh"):
        return [program, "-F", self.config(side, cipher, delay_ms), *words]

    # what a side costs

    def cpu_s(self, side):
        """CPU seconds of all processes of a side since it was started, with those that have ended."""
        return self.accounts[side].seconds()

    def count(self, side):
        return len(processes.family(self.roots[side]))

    def settle(self, side, count):
        """Wait until the side is back to `count` processes, so that all CPU time of the ended ones is counted."""
        until = time.monotonic() + SETTLE_S
        while self.count(side) > count and time.monotonic() < until:
            time.sleep(0.02)

    def pss_kib(self, side):
        total = 0
        for entry in processes.family(self.roots[side]):
            try:
                with open(f"/proc/{entry['pid']}/smaps_rollup", encoding="ascii") as file:
                    total += next((int(line.split()[1]) for line in file if line.startswith("Pss:")), 0)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return total
