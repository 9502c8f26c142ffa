"""node1: a stock sshd in namespaces of its own, with accounts that exist only inside them."""

import os
import signal

from . import processes
from .processes import LabError, run

HERE = os.path.dirname(os.path.abspath(__file__))
ACCOUNTS = {"ec2-user": 61001, "deploy": 61002}

SSHD_CONFIG = """\
# A stock sshd of a private host. The only bastion-specific line is TrustedUserCAKeys.
ListenAddress {node_ip}:22
HostKey {folder}/ssh_host_ed25519_key
TrustedUserCAKeys {user_ca}
AuthorizedKeysFile none
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
PrintLastLog no
PidFile none
LogLevel VERBOSE
AcceptEnv LANG LC_*
MaxSessions 64
# Every recorded access is one connection from the bastion's one address.
MaxStartups 1000:30:2000
{penalties}Subsystem sftp internal-sftp
"""

PROFILE = "PS1='[\\u@\\h \\W]\\$ '\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"


def _write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


class Node:
    """Lives in FOLDER; `network` says where it listens."""

    def __init__(self, folder, network, user_ca, sshd_lines=""):
        self.folder, self.network, self.user_ca, self.sshd_lines = folder, network, user_ca, sshd_lines
        self.log = os.path.join(folder, "sshd.log")

    def prepare(self):
        os.makedirs(os.path.join(self.folder, "etc"), exist_ok=True)
        key = os.path.join(self.folder, "ssh_host_ed25519_key")
        if not os.path.exists(key):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "node1", "-f", key)
        self._write_accounts()
        # OpenSSH 9.8 and later slow down addresses that fail; here one address is the whole world.
        version = _major_minor(run("ssh", "-V", check=False).stderr)
        penalties = "PerSourcePenalties no\n" if version >= (9, 8) else ""
        _write(os.path.join(self.folder, "sshd_config"),
               SSHD_CONFIG.format(node_ip=self.network.node_ip, folder=self.folder, user_ca=self.user_ca,
                                  penalties=penalties) + self.sshd_lines.replace("{node_ip}", self.network.node_ip))

    def _write_accounts(self):
        etc = os.path.join(self.folder, "etc")
        passwd = ["root:x:0:0:root:/root:/bin/bash", "sshd:x:74:65534:sshd:/run/sshd:/usr/sbin/nologin",
                  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"]
        group = ["root:x:0:", "tty:x:5:", "nogroup:x:65534:"]
        shadow = ["root:*:19000::::::", "sshd:*:19000::::::", "nobody:*:19000::::::"]
        for name, number in ACCOUNTS.items():
            home = os.path.join(self.folder, "home", name)
            os.makedirs(home, exist_ok=True)
            _write(os.path.join(home, ".bash_profile"), PROFILE)
            _write(os.path.join(home, "orders.txt"), "order 1001  3 x bearing\norder 1002  1 x shaft\n")
            for path in (home, *(os.path.join(home, file) for file in os.listdir(home))):
                os.chown(path, number, number)
            passwd.append(f"{name}:x:{number}:{number}:{name}:/home/{name}:/bin/bash")
            group.append(f"{name}:x:{number}:")
            shadow.append(f"{name}:*:19000::::::")
        _write(os.path.join(etc, "passwd"), "\n".join(passwd) + "\n")
        _write(os.path.join(etc, "group"), "\n".join(group) + "\n")
        _write(os.path.join(etc, "shadow"), "\n".join(shadow) + "\n", 0o600)
        _write(os.path.join(etc, "nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
        _write(os.path.join(etc, "hosts"), f"127.0.0.1 localhost\n{self.network.node_ip} node1\n")

    def start(self):
        """Returns the identity of the process whose end ends everything in node1."""
        if not os.path.exists("/usr/sbin/sshd"):
            raise LabError("/usr/sbin/sshd is missing: install the package openssh-server")
        _child, entry = processes.spawn(
            ["nsenter", f"--net=/run/netns/{self.network.private}", "unshare", "--mount", "--uts", "--ipc", "--pid",
             "--fork", "--kill-child", "--mount-proc", "--", "/bin/sh", os.path.join(HERE, "node_init.sh"),
             self.folder], self.log, {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"})
        if not self.network.wait_for_port(22, 20):
            self.stop(entry)
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise LabError(f"node1's sshd did not start:\n{log.read()[-2000:]}")
        return entry

    @staticmethod
    def stop(entry):
        """Ends the first process inside: the PID namespace goes with it, and `unshare` after that."""
        members = processes.family(entry["pid"]) if processes.is_running(entry) else []
        for member in members[1:] or members:
            processes.send(member, signal.SIGKILL)
        for left in processes.wait_gone(members, 10):
            processes.send(left, signal.SIGKILL)

    def host_key(self):
        with open(os.path.join(self.folder, "ssh_host_ed25519_key.pub"), encoding="ascii") as file:
            return " ".join(file.read().split()[:2])



def _major_minor(version):
    """(9, 2) of "OpenSSH_9.2p1 Debian-2"; (0, 0) where it cannot be read."""
    digits = version.partition("OpenSSH_")[2].partition("p")[0].split(".")
    return tuple(int(part) for part in digits[:2]) if len(digits) >= 2 and all(map(str.isdigit, digits[:2])) else (0, 0)
