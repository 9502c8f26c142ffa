"""Many clients at once against one person's second factor, and what a stranger can learn about who exists."""

import ctypes
import os
import struct
import subprocess

from support import LabCase, processes, read, write

CLIENTS = 20
EVALUATED = 5   # wrong codes in a row that lock


class Opened:
    """Which files in some folders are opened: inotify(7)."""

    IN_OPEN, HEAD = 0x20, struct.Struct("iIII")

    def __init__(self, *folders):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for folder in folders:
            if self.fd < 0 or libc.inotify_add_watch(self.fd, folder.encode(), self.IN_OPEN) < 0:
                raise OSError(ctypes.get_errno(), "inotify")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def names(self):
        """Opened since the last call, in order."""
        found = []
        try:
            while data := os.read(self.fd, 65536):
                while data:
                    length = self.HEAD.unpack_from(data)[3]
                    found.append(data[self.HEAD.size:self.HEAD.size + length].rstrip(b"\0").decode())
                    data = data[self.HEAD.size + length:]
        except BlockingIOError:
            return found
        return found


class GuessingTest(LabCase):
    people = ("anna", "bert")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sources = [cls.lab.network.user_ip.removesuffix(".1") + f".{number}" for number in (1, 3, 4, 5)]
        for address in cls.sources[1:]:
            processes.run("ip", "address", "add", f"{address}/24", "dev", cls.lab.network.link)
        cls.wrong = os.path.join(cls.base, "wrong")
        write(cls.wrong, "#!/bin/sh\necho 000000\n", 0o755)

    def guess(self, person, source):
        return self.ssh_start("-b", source, "bastion", "help", person=person, stdin=subprocess.DEVNULL,
                              env={**os.environ, "SSH_ASKPASS": self.wrong, "SSH_ASKPASS_REQUIRE": "force"})

    def log_in_again(self, person):
        return self.ssh("node1", "true", person=person)

    def test_guesses_in_parallel_are_counted_once_each_and_lock(self):
        mark = len(self.events())
        clients = [self.guess("anna", self.sources[i % len(self.sources)]) for i in range(CLIENTS)]
        for client in clients:
            _out, said = client.communicate(timeout=180)
            self.assertEqual(client.returncode, 255)
            self.assertRegex(said, rb"D-LOCKED|last try")
        self.assertEqual(len(self.events_since(mark, event="factor.failed", person="anna")), EVALUATED)
        self.assertEqual(len(self.events_since(mark, event="person.locked", person="anna")), 1)
        # The right code is worth nothing now, also after a restart ...
        self.assertEqual(self.lab.stop_daemon(), [])
        lockouts = self.lab.path("state", "lockouts")
        name, failures, until = read(lockouts).split()
        self.assertEqual((name, failures), ("anna", str(EVALUATED)))
        self.lab.start_daemon()
        locked = self.log_in_again("anna")
        self.assertEqual(locked.returncode, 255)
        self.assertIn(b"D-LOCKED", locked.stderr)
        # ... until the time that the file says.
        self.lab.stop_daemon()
        write(lockouts, f"anna {failures} {int(until) - 86400}\n", 0o600)
        self.lab.start_daemon()
        self.assertEqual(self.log_in_again("anna").returncode, 0)

    def stranger(self, user, key):
        """What a client without the right key sees, message by message."""
        done = subprocess.run(["ssh", "-v", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i", key,
                               "-o", f"UserKnownHostsFile={self.lab.path('known_hosts')}", "-l", user, self.lab.network.bastion_ip, "true"],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)
        self.assertEqual(done.returncode, 255)
        return [line.replace(user, "USER") for line in done.stderr.splitlines()
                if any(word in line for word in ("Authentications that", "Offering", "Next authentication", "Permission", "Authenticated", "bastion:"))]

    def test_name_that_exists_is_answered_like_one_that_does_not(self):
        """The same messages, and the same work: one file of keys is searched for each offer of a key."""
        key = os.path.join(self.base, "stranger")
        processes.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        names = ("bert", "nobody-here", "deploy-bot", "Not A Name", "../bert")
        seen, searched = {}, {}
        with Opened(self.lab.path("config", "keys"), self.lab.path("state")) as opened:
            for name in names:
                opened.names()
                seen[name] = self.stranger(name, key)
                searched[name] = [one for one in opened.names() if one in ("bert", "deploy-bot", "decoy_keys")]
        self.assertEqual(set(searched["nobody-here"]), {"decoy_keys"})
        self.assertEqual(set(searched["bert"]), {"bert"})
        for name in names[1:]:
            self.assertEqual(seen[name], seen["bert"])
            self.assertEqual(len(searched[name]), len(searched["bert"]), searched)
