"""The clients that people have: each one goes through the bastion to node1 and does the same things there.

A test is named after its client and what it does: clients/plink_exit_status... A client that this machine does not have
is a skip with its reason.
"""

import functools
import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile

from support import CODE_PROMPT, DENIAL_CODE, IS_QUICK, MIB, LabCase, Terminal, eventually, write

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
SYSTEM_PYTHON = "/usr/bin/python3"  # the one that has Debian's modules
DATA = hashlib.shake_256(b"clients").digest(MIB) * 8
SUM = hashlib.sha256(DATA).hexdigest()
LARGE_DATA = DATA * (4 if IS_QUICK else 8)
LARGE_SUM = hashlib.sha256(LARGE_DATA).hexdigest()
PATIENCE_S = 180
ENGINEERS = {"openssh": "olga", "plink": "pia", "dbclient": "dora", "paramiko": "paul", "asyncssh": "anna", "node": "nora"}
LOOKER = "lena"  # an engineer who has passed the second factor, for what only engineers may not do


@functools.cache
def missing(client):
    """Why this machine cannot run the client, or ""."""
    programs = {"openssh": "ssh", "plink": "plink", "psftp": "psftp", "dbclient": "dbclient", "ansible": "ansible", "node": "npm",
                "sshfs": "sshfs"}
    if client in programs:
        program = programs[client]
        return "" if shutil.which(program) else f"{program} is not installed"
    done = subprocess.run([SYSTEM_PYTHON, "-W", "ignore", "-c", f"import {client}"], capture_output=True, check=False)
    return "" if done.returncode == 0 else f"{SYSTEM_PYTHON} has no module {client}"


class ClientCase(LabCase):
    people = (*ENGINEERS.values(), LOOKER)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lab = cls.lab
        keys = {name: " ".join(cls.text(lab.path("keys", f"{name}.pub")).split()[:2]) for name in ("host", "inner")}
        cls.home = os.path.join(cls.base, "home")
        os.makedirs(os.path.join(cls.home, ".ssh"), 0o700)
        cls.known_hosts = os.path.join(cls.home, ".ssh", "known_hosts")  # no patterns: only OpenSSH knows those
        write(cls.known_hosts, f"{lab.network.bastion_ip} {keys['host']}\nnode1 {keys['inner']}\n")
        cls.finger = {name: cls.output("ssh-keygen", "-lf", lab.path("keys", f"{name}.pub")).split()[1] for name in keys}

    @staticmethod
    def text(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    @staticmethod
    def output(*words):
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout

    @classmethod
    @functools.cache
    def key_as(cls, person, kind):
        """The person's key in the file format of another family."""
        path = os.path.join(cls.base, f"{person}.{kind}")
        if kind == "ppk":
            cls.output("puttygen", cls.lab.path(person), "-o", path, "-O", "private")
        else:
            cls.output("dropbearconvert", "openssh", "dropbear", cls.lab.path(person), path)
        return path

    @classmethod
    @functools.cache
    def node_modules(cls):
        """Where the package ssh2 of node is, or why it is nowhere. Fetched by its name, once, into a folder of this test."""
        if IS_QUICK:
            return "", "the package ssh2 is fetched in full runs only"
        folder = os.path.join(cls.base, "node")
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "ssh2@1"], cwd=folder,
                              capture_output=True, text=True, check=False, timeout=300)
        return os.path.join(folder, "node_modules"), done.stderr[-500:] if done.returncode else ""

    # how each client is called

    def need(self, client):
        reason = missing(client) or (self.node_modules()[1] if client == "node" else "")
        if reason:
            self.skipTest(reason)

    def argv(self, client, command, person="deploy-bot", account="deploy", pty=()):
        """The words and the environment of one command on node1."""
        self.need(client)
        return getattr(self, f"{client}_argv")(command, person, account, pty)

    def openssh_argv(self, command, person, account, pty):
        return self.ssh_argv(*(["-tt"] if pty else []), f"{account}@node1", command, person=person), {}

    def putty_words(self, person):
        """What plink and psftp are told: the proxy is one more plink."""
        common = ["-i", self.key_as(person, "ppk"), *(["-batch"] if person == "deploy-bot" else [])]
        jump = ["plink", *common, "-no-antispoof", "-hostkey", self.finger["host"], "-l", person, "-nc", "node1:22", self.lab.network.bastion_ip]
        return [*common, "-hostkey", self.finger["inner"], "-proxycmd", " ".join(jump)]

    def plink_argv(self, command, person, account, pty):
        # Without -v it shows what a server says before the login only when it starts a shell.
        verbose = ["-v"] if account == "root" else []
        return ["plink", *verbose, "-no-antispoof", *self.putty_words(person), *(["-t"] if pty else []), f"{account}@node1", command], {}

    def dbclient_argv(self, command, person, account, pty):
        # By its path: for the first hop it starts itself again without looking at PATH.
        return [shutil.which("dbclient"), "-i", self.key_as(person, "dropbear"), *(["-t"] if pty else []),
                f"{person}@{self.lab.network.bastion_ip},{account}@node1", command], {"HOME": self.home}

    def own_argv(self, program, command, person, account, pty):
        code = [] if person == "deploy-bot" else ["--code", f"{self.lab.path('otp')} {person}"]
        terminal = ["--pty", f"{pty[0]}x{pty[1]}"] if pty else []
        return [*program, "--bastion", self.lab.network.bastion_ip, "--user", person, "--key", self.lab.path(person), "--known-hosts",
                self.known_hosts, *code, *terminal, f"{account}@node1", command]

    def paramiko_argv(self, *given):
        return self.own_argv([SYSTEM_PYTHON, "-B", os.path.join(HERE, "paramiko_jump.py")], *given), {}

    def asyncssh_argv(self, *given):
        return self.own_argv([SYSTEM_PYTHON, "-B", os.path.join(HERE, "asyncssh_jump.py")], *given), {}

    def node_argv(self, *given):
        return self.own_argv(["node", os.path.join(HERE, "node_jump.js")], *given), {"NODE_PATH": self.node_modules()[0]}

    def run_client(self, client, command, data=b"", **given):
        argv, environment = self.argv(client, command, **given)
        return subprocess.run(argv, env={**os.environ, **environment}, input=data, capture_output=True, check=False, timeout=PATIENCE_S)

    def client_terminal(self, client, command, **given):
        argv, environment = self.argv(client, command, **given)
        terminal = Terminal(argv, rows=31, columns=97, environment=environment)
        self.addCleanup(terminal.close)
        return terminal


class MatrixTest(ClientCase):
    """Every check below becomes one test per client."""

    def check_exit_status_and_streams_arrive_apart(self, client):
        done = self.run_client(client, "echo out; echo err >&2; exit 7")
        self.assertEqual((done.returncode, done.stdout), (7, b"out\n"), done.stderr)
        self.assertEqual(done.stderr.replace(b"\r", b""), b"err\n")

    def check_8_mib_to_the_target_arrive_unchanged(self, client):
        done = self.run_client(client, "sha256sum", data=DATA)
        self.assertEqual((done.returncode, done.stdout.decode().split()[:1]), (0, [SUM]), done.stderr)

    def check_8_mib_from_the_target_arrive_unchanged(self, client):
        path = os.path.join(self.lab.path("node1"), "home", "data")
        with open(path, "wb") as file:
            file.write(DATA)
        os.chmod(path, 0o644)
        done = self.run_client(client, "cat /home/data")
        self.assertEqual((done.returncode, hashlib.sha256(done.stdout).hexdigest()), (0, SUM), done.stderr)

    def check_terminal_has_a_size(self, client):
        with self.client_terminal(client, "stty size; tty; exit 9", pty=(97, 31)) as terminal:
            terminal.expect(r"31 97\s+/dev/pts/\d")
            self.assertEqual(terminal.wait(), 9)

    def check_forbidden_command_is_refused_with_126(self, client):
        self.need(client)
        self.log_in(LOOKER)
        mark = len(self.events())
        done = self.run_client(client, "id", person=LOOKER)
        self.assertEqual((done.returncode, done.stdout), (126, b""), done.stderr)
        self.assert_refused(done, r"bastion: [^\n]+", mark, "session.note|target.denied|session.refused")

    def check_forbidden_account_is_refused_with_its_sentence(self, client):
        mark = len(self.events())
        done = self.run_client(client, "true", account="root")
        self.assertEqual(done.stdout, b"")
        if client == "plink":
            done.stderr = re.sub(rb"\r?\n> ", b"", done.stderr)  # it folds long lines
        self.assert_refused(done, r"bastion: [^\n]*root " + DENIAL_CODE, mark, "target.denied", account="root")
        self.assertEqual(len(self.events_since(mark, event="target.denied")), 1, self.events()[mark:])

    def check_second_factor_lets_in(self, client):
        engineer = ENGINEERS[client]
        if client in ("plink", "dbclient"):  # they ask at the terminal, as their users know it
            with self.client_terminal(client, "id -un; exit 5", person=engineer, account="ec2-user") as terminal:
                terminal.expect(CODE_PROMPT)
                terminal.say(self.code(engineer))
                terminal.expect(r"^ec2-user\s")
                self.assertEqual(terminal.wait(), 5)
        else:
            done = self.run_client(client, "id -un; exit 5", person=engineer, account="ec2-user")
            self.assertEqual((done.returncode, done.stdout), (5, b"ec2-user\n"), done.stderr)
        self.assertEqual(len(self.events_since(0, event="factor.passed", person=engineer)), 1, "asked once")


def add_matrix():
    def bind(check, client):
        return lambda self: check(self, client)

    for name in [name for name in vars(MatrixTest) if name.startswith("check_")]:
        for client in ENGINEERS:
            setattr(MatrixTest, f"test_{client}_{name.removeprefix('check_')}", bind(getattr(MatrixTest, name), client))


add_matrix()


class NewKeysTest(ClientCase):
    def test_asyncssh_goes_on_sending_while_keys_change(self):
        """It sends channel data after its KEXINIT, whoever began the change."""
        self.need("asyncssh")
        argv, environment = self.argv("asyncssh", "sha256sum")
        for rekey_bytes in (MIB, 3 * MIB // 2):
            with self.subTest(rekey_bytes=rekey_bytes):
                done = subprocess.run([*argv, "--rekey-bytes", str(rekey_bytes)], env={**os.environ, **environment}, input=LARGE_DATA,
                                      capture_output=True, check=False, timeout=PATIENCE_S)
                self.assertEqual((done.returncode, done.stdout.decode().split()[:1]), (0, [LARGE_SUM]), done.stderr)

    def test_asyncssh_changes_keys_in_both_directions_at_once(self):
        self.need("asyncssh")
        argv, environment = self.argv("asyncssh", "cat")
        done = subprocess.run([*argv, "--rekey-bytes", str(MIB)], env={**os.environ, **environment}, input=LARGE_DATA, capture_output=True,
                              check=False, timeout=PATIENCE_S)
        self.assertEqual((done.returncode, hashlib.sha256(done.stdout).hexdigest()), (0, LARGE_SUM), done.stderr)


class FileTest(ClientCase):
    def test_psftp_puts_and_gets(self):
        self.need("psftp")
        up, down, batch = (os.path.join(self.base, name) for name in ("up", "down", "batch"))
        with open(up, "wb") as file:
            file.write(DATA)
        write(batch, f"put {up} by-psftp\nget by-psftp {down}\nrm by-psftp\nquit\n")
        done = subprocess.run(["psftp", *self.putty_words("deploy-bot"), "-b", batch, "deploy@node1"], capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(down, "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), SUM)


class MountTest(ClientCase):
    """sshfs: a folder of node1 is mounted here, through ProxyJump."""

    people = ("max",)

    def mounted(self, account="deploy", person="deploy-bot", folder="/tmp", options=()):
        """Where the folder is now; unmounted with the test."""
        self.need("sshfs")
        if not os.path.exists("/dev/fuse"):
            self.skipTest("this machine has no /dev/fuse")
        place = tempfile.mkdtemp(dir=self.base, prefix="mount.")
        words = [word for option in options for word in ("-o", option)]
        done = subprocess.run(["sshfs", "-F", self.lab.path(self.lab.config_name(person)), *words, f"{account}@node1:{folder}", place],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
        if re.search(r"fuse: (device not found|failed to open|mount failed)|Operation not permitted", done.stderr):
            self.skipTest(f"this machine lets nobody mount: {done.stderr.strip()}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.addCleanup(subprocess.run, ["fusermount3", "-u", "-z", place], capture_output=True, check=False)
        return place

    def folder(self):
        """On node1, which sees this machine's files, and its account may write there."""
        folder = tempfile.mkdtemp(prefix="bastion-files.")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o777)
        return folder

    def test_sshfs_writes_reads_and_renames(self):
        folder, before = self.folder(), self.sessions()
        place = self.mounted(folder=folder)
        with open(os.path.join(place, "file"), "wb") as file:
            file.write(DATA)
        with open(os.path.join(folder, "file"), "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), SUM)
        with open(os.path.join(place, "file"), "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), SUM)
        os.mkdir(os.path.join(place, "d"))
        os.rename(os.path.join(place, "file"), os.path.join(place, "d", "moved"))
        os.truncate(os.path.join(place, "d", "moved"), 5)
        self.assertEqual(os.path.getsize(os.path.join(folder, "d", "moved")), 5)
        os.unlink(os.path.join(place, "d", "moved"))
        os.rmdir(os.path.join(place, "d"))
        self.assertEqual(os.listdir(folder), [])
        subprocess.run(["fusermount3", "-u", place], check=True)
        session = eventually(lambda: [one for one in self.new_sessions(before) if one["closed"]], "its end")[0]
        told = self.bastion("files", *self.reading(), session["id"]).stdout
        for word in ("open", "mkdir", "rename", "remove", "rmdir", "setstat"):
            self.assertIn(word, told)
        self.assertGreaterEqual(session["file_bytes_to_target"], len(DATA))

    def test_sshfs_of_a_reader_reads_only(self):
        folder = self.folder()
        with open(os.path.join(folder, "file"), "wb") as file:
            file.write(DATA)
        os.chmod(os.path.join(folder, "file"), 0o666)
        self.log_in("max")
        mark = len(self.events())
        place = self.mounted(person="max", account="ec2-user", folder=folder)
        with open(os.path.join(place, "file"), "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).hexdigest(), SUM)
        for change in (lambda: open(os.path.join(place, "new"), "wb"), lambda: os.unlink(os.path.join(place, "file")),
                       lambda: os.truncate(os.path.join(place, "file"), 0), lambda: os.mkdir(os.path.join(place, "d"))):
            with self.assertRaises(PermissionError):
                change()
        self.assertEqual(os.listdir(place), ["file"])
        eventually(lambda: len(self.events_since(mark, event="session.note", sentence="^sftp .*D-SFTP")) >= 4, "four events")


class AnsibleTest(ClientCase):
    def ansible(self, *words, person="deploy-bot", account="deploy", transfer="smart"):
        self.need("ansible")
        inventory, config = os.path.join(self.base, "inventory"), os.path.join(self.base, "ansible.cfg")
        write(config, "")
        write(inventory, f"node1 ansible_user={account} ansible_python_interpreter={SYSTEM_PYTHON}\n")
        environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.home, "ANSIBLE_CONFIG": config,
                       "ANSIBLE_SSH_TRANSFER_METHOD": transfer, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "minimal",
                       "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=3s",
                       "ANSIBLE_SSH_COMMON_ARGS": f"-F {self.lab.path(self.lab.config_name(person))}"}
        return subprocess.run(["ansible", "-i", inventory, "node1", *words], env=environment, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE_S)

    def test_ansible_raw_tells_the_exit_status(self):
        done = self.ansible("-m", "raw", "-a", "echo out; exit 7")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"rc=7[^\n]*\nout")

    def test_ansible_module_runs(self):
        done = self.ansible("-m", "command", "-a", "id -un")
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (0, ["deploy"]), done.stdout + done.stderr)

    def test_ansible_copies_by_every_method(self):
        source = os.path.join(self.base, "source")
        with open(source, "wb") as file:
            file.write(DATA[:MIB])
        for transfer in ("sftp", "scp", "piped"):
            with self.subTest(transfer=transfer):
                done = self.ansible("-m", "copy", "-a", f"src={source} dest=/home/deploy/by-{transfer}", transfer=transfer)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                with open(os.path.join(self.lab.path("node1"), "home", "deploy", f"by-{transfer}"), "rb") as file:
                    self.assertEqual(file.read(), DATA[:MIB])

    def test_ansible_of_an_engineer_asks_for_one_code(self):
        """The lease of the second factor answers for every connection that ansible opens."""
        self.need("ansible")
        self.log_in(LOOKER)
        for number in range(2):
            done = self.ansible("-m", "command", "-a", f"echo {number}", person=LOOKER, account="ec2-user", transfer="piped")
            self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (0, [str(number)]), done.stdout + done.stderr)
        self.assertEqual(len(self.events_since(0, event="factor.passed", person=LOOKER)), 1)

    def test_ansible_shows_why_an_account_is_refused(self):
        mark = len(self.events())
        done = self.ansible("-m", "raw", "-a", "true", account="root")
        self.assertEqual(done.returncode, 4, done.stdout + done.stderr)  # "unreachable"
        self.assertRegex(done.stdout + done.stderr, r"root " + DENIAL_CODE)
        self.assertTrue(self.events_since(mark, event="target.denied", account="root"))


INSTALL = """\
set -e
mkdir -p ~/.editor-server/bin
cat >~/.editor-server/bin/start.sh <<'END'
cd ~/.editor-server && exec python3 -u -m http.server --bind 127.0.0.1 0
END
chmod 755 ~/.editor-server/bin/start.sh
head -c 4194304 /dev/urandom >~/.editor-server/data
echo "sum==$(sha256sum <~/.editor-server/data | cut -d ' ' -f 1)=="
sh ~/.editor-server/bin/start.sh 2>/dev/null &
echo "installed==$!=="
{ # read as a whole: what follows on the standard input belongs to the loop
    while read -r line; do echo "alive==$line=="; done
    kill %1
    exit 3
}
"""


class EditorTest(ClientCase):
    """How an editor's remote mode (VS Code) works: `ssh -T -D PORT host bash` with an installer on its standard input, which stays
    open as long as the window; the server on the target is reached over many SOCKS connections through the same ssh."""

    def line_of(self, child, name):
        while line := child.stdout.readline().decode():
            if found := re.search(name, line):
                return found[1]
        raise AssertionError(f"no line with {name}: {child.stderr.read()}")

    def test_editor_installs_and_reaches_its_server(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        child = self.ssh_start("-T", "-D", str(port), "node1", "bash", options=["ExitOnForwardFailure=yes"])
        child.stdin.write(INSTALL.encode())
        child.stdin.flush()
        wanted = self.line_of(child, "sum==(\\w+)==")
        server = self.line_of(child, "port (\\d+)")
        fetches = [subprocess.Popen(["curl", "--silent", "--fail", "--socks5-hostname", f"127.0.0.1:{port}", "--noproxy", "",
                                     f"http://127.0.0.1:{server}/data"], stdout=subprocess.PIPE) for _ in range(6)]
        for number, fetch in enumerate(fetches):
            child.stdin.write(f"{number}\n".encode())
            child.stdin.flush()
            self.assertEqual(self.line_of(child, "alive==(\\d+)=="), str(number))
            self.assertEqual(hashlib.sha256(fetch.communicate(timeout=PATIENCE_S)[0]).hexdigest(), wanted)
        child.stdin.close()
        self.assertEqual(child.wait(60), 3)

    def test_editor_opens_a_second_channel_while_the_first_stays(self):
        control = [f"ControlPath={os.path.join(self.base, 'cm')}"]
        first = self.ssh_start("-T", "-M", "node1", "bash", options=control)
        first.stdin.write(b"echo ready; while read -r line; do echo $line; done\n")
        first.stdin.flush()
        self.assertEqual(first.stdout.readline(), b"ready\n")
        for number in range(3):
            self.assertEqual(self.ssh("node1", "uname -s; cat", options=control, input=b"%d" % number).stdout, b"Linux\n%d" % number)
        out, _err = first.communicate(b"still here\n", timeout=60)
        self.assertEqual(out, b"still here\n")
