"""One access, seen from its two ends: what goes in comes out, and nothing else."""

import hashlib
import os
import re
import signal
import subprocess
import time

from support import IS_QUICK, MIB, SHELL_PROMPT, LabCase, eventually

TRANSFER_BYTES = (64 if IS_QUICK else 1024) * MIB
BLOCK = hashlib.shake_256(b"bastion").digest(MIB)  # random enough that nothing can compress it


class ExecTest(LabCase):
    def test_exit_status_arrives_unchanged(self):
        for status in (0, 1, 7, 126, 127, 254, 255):
            with self.subTest(status=status):
                self.assertEqual(self.ssh("node1", f"exit {status}").returncode, status)

    def test_death_by_a_signal_is_told(self):
        done = self.ssh("-v", "node1", "kill -KILL $$")
        self.assertEqual(done.returncode, 255)
        self.assertIn(b"exit-signal", done.stderr)

    def test_stderr_stays_apart(self):
        done = self.ssh("node1", "echo out; echo err >&2; echo out2; exit 5")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (5, b"out\nout2\n", b"err\n"))

    def test_binary_bytes_pass_unchanged(self):
        every = bytes(range(256)) * 300
        done = self.ssh("node1", "cat", input=every)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout, every)

    def test_large_stderr_arrives_whole(self):
        done = self.ssh("node1", "head -c 20000000 /dev/zero | tr '\\0' e >&2; echo end")
        self.assertEqual((done.returncode, done.stdout, len(done.stderr)), (0, b"end\n", 20000000))
        self.assertEqual(done.stderr.count(b"e"), 20000000)

    def test_end_of_input_reaches_the_target_while_output_goes_on(self):
        done = self.ssh("node1", "cat >/dev/null; echo all read; sleep 1; echo later", input=b"x" * 100000)
        self.assertEqual((done.returncode, done.stdout), (0, b"all read\nlater\n"))

    def test_end_of_output_reaches_the_client_while_input_goes_on(self):
        """The other half: the command closes both its streams first, and goes on reading."""
        read = os.path.join(self.lab.path("node1"), "home", "deploy", "read")
        child = self.ssh_start("node1", "echo last words; exec cat >read 2>/dev/null")
        self.assertEqual(child.stdout.read(), b"last words\n")
        self.assertIsNone(child.poll())
        child.stdin.write(BLOCK)
        child.stdin.close()
        self.assertEqual(child.wait(60), 0)
        with open(read, "rb") as file:
            self.assertEqual(file.read(), BLOCK)

    def test_environment_that_the_target_accepts_arrives(self):
        done = self.ssh("node1", "echo $LANG:$LC_TIME", options=["SetEnv=LANG=de_DE.UTF-8 LC_TIME=fi_FI.UTF-8"])
        self.assertEqual(done.stdout, b"de_DE.UTF-8:fi_FI.UTF-8\n", done.stderr)

    def test_empty_command_output_is_empty(self):
        done = self.ssh("node1", "true")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_client_that_leaves_ends_the_command_on_the_target(self):
        child = self.ssh_start("node1", "echo started; exec -a reads-until-the-end cat")
        self.assertEqual(child.stdout.readline(), b"started\n")
        eventually(lambda: self.target_runs("reads-until-the-end"), "the command runs on the target")
        child.kill()
        eventually(lambda: not self.target_runs("reads-until-the-end"), "the command ends on the target")

    def target_runs(self, command):
        listed = subprocess.run(["nsenter", "-t", str(self.node_pid()), "-p", "-m", "ps", "ax", "-o", "args"],
                                capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if line == command]

    def node_pid(self):
        """The first process inside node1's PID namespace."""
        return subprocess.run(["pgrep", "-P", str(self.lab.node_process["pid"])], capture_output=True, text=True,
                              check=True).stdout.split()[0]

    def test_keepalives_are_answered(self):
        done = self.ssh("-v", "node1", "sleep 4; echo alive",
                        options=["ServerAliveInterval=1", "ServerAliveCountMax=2"])
        self.assertEqual((done.returncode, done.stdout), (0, b"alive\n"), done.stderr)

    def test_host_keys_of_the_target_are_not_pushed_to_the_client(self):
        """hostkeys-00@openssh.com of the target would offer node1's own key to the client."""
        done = self.ssh("-vvv", "node1", "true")
        self.assertNotIn(b"hostkeys-00@openssh.com", done.stderr)


class TerminalTest(LabCase):
    def test_terminal_has_the_size_and_kind_of_the_client(self):
        with self.terminal("node1", rows=31, columns=97) as terminal:
            terminal.expect(SHELL_PROMPT)
            terminal.say("stty size; echo term=$TERM; tty")
            terminal.expect(r"31 97\s+term=xterm-256color\s+/dev/pts/")
            terminal.say("exit")
            self.assertEqual(terminal.wait(), 0)

    def test_change_of_the_window_arrives(self):
        with self.terminal("node1") as terminal:
            terminal.expect(SHELL_PROMPT)
            terminal.say("trap 'stty size' WINCH; echo ready$((1))")
            terminal.expect(r"ready1")
            terminal.resize(40, 132)
            terminal.say("sleep 1; stty size")
            terminal.expect(r"40 132")

    def test_interrupt_key_interrupts(self):
        with self.terminal("node1") as terminal:
            terminal.expect(SHELL_PROMPT)
            terminal.say("echo now$((1)); sleep 600; echo never$((1))")
            terminal.expect("now1")
            time.sleep(0.5)  # the shell starts `sleep`: nothing shows when it has
            terminal.say("\x03", enter="")
            terminal.expect(SHELL_PROMPT)
            terminal.say("exit 13")
            self.assertEqual(terminal.wait(), 13)
            self.assertNotIn("never1", terminal.screen)

    def test_forced_terminal_for_a_command(self):
        with self.terminal("-tt", "node1", "stty size; exit 9", rows=20, columns=60) as terminal:
            terminal.expect("20 60")
            self.assertEqual(terminal.wait(), 9)

    def test_full_screen_program_draws(self):
        with self.terminal("node1", rows=24, columns=80) as terminal:
            terminal.expect(SHELL_PROMPT)
            terminal.say("top -b -n 1 | head -3; printf '\\033[2J\\033[5;10Hdrawn\\n'")
            terminal.expect(r"\x1b\[2J\x1b\[5;10Hdrawn")


class MultiplexTest(LabCase):
    def test_many_sessions_share_one_connection(self):
        control = f"ControlPath={self.lab.path('cm')}"
        master = self.ssh_start("-M", "-N", "node1", options=[control])
        eventually(lambda: os.path.exists(self.lab.path("cm")), "the master connection is up")
        children = [self.ssh_start("node1", f"echo session {n}; cat; exit {n}", options=[control]) for n in range(10)]
        for number, child in enumerate(children):
            out, err = child.communicate(f"input {number}".encode(), timeout=120)
            self.assertEqual((out, err), (f"session {number}\ninput {number}".encode(), b""))
            self.assertEqual(child.returncode, number)
        self.end(master)

    def test_one_session_ends_and_the_others_stay(self):
        control = f"ControlPath={self.lab.path('cm2')}"
        self.ssh_start("-M", "-N", "node1", options=[control])
        eventually(lambda: os.path.exists(self.lab.path("cm2")), "the master connection is up")
        stays = self.ssh_start("node1", "cat", options=[control])
        ends = self.ssh_start("node1", "exit 4", options=[control])
        self.assertEqual(ends.wait(60), 4)
        out, _err = stays.communicate(b"still here", timeout=60)
        self.assertEqual(out, b"still here")


class TransferTest(LabCase):
    sshd_lines = ""

    @staticmethod
    def expected():
        digest = hashlib.sha256()
        for _ in range(TRANSFER_BYTES // MIB):
            digest.update(BLOCK)
        return digest.hexdigest()

    def test_bytes_to_the_target_arrive_unchanged(self):
        child = self.ssh_start("node1", "sha256sum")
        for _ in range(TRANSFER_BYTES // MIB):
            child.stdin.write(BLOCK)
        child.stdin.close()
        self.assertEqual(child.stdout.read().split()[0].decode(), self.expected())
        self.assertEqual(child.wait(60), 0)

    def test_bytes_from_the_target_arrive_unchanged(self):
        with open(os.path.join(self.lab.path("node1"), "home", "block"), "wb") as file:
            file.write(BLOCK)
        os.chmod(file.name, 0o644)
        count = TRANSFER_BYTES // MIB
        child = self.ssh_start("node1", f"i=0; while [ $i -lt {count} ]; do cat /home/block; i=$((i+1)); done")
        digest = hashlib.sha256()
        while data := child.stdout.read1(MIB):
            digest.update(data)
        self.assertEqual(digest.hexdigest(), self.expected())
        self.assertEqual(child.wait(60), 0, child.stderr.read())

    def test_both_directions_at_once(self):
        count = min(64, TRANSFER_BYTES // MIB)
        with open(os.path.join(self.base, "in"), "wb") as file:
            for _ in range(count):
                file.write(BLOCK)
        with open(file.name, "rb") as stdin:
            child = self.ssh_start("node1", "cat", stdin=stdin)
            digest, wanted = hashlib.sha256(), hashlib.sha256(BLOCK * count)
            while data := child.stdout.read1(MIB):
                digest.update(data)
        self.assertEqual((digest.hexdigest(), child.wait(60)), (wanted.hexdigest(), 0))

    def test_reader_that_stops_for_a_while_loses_nothing(self):
        child = self.ssh_start("node1", f"head -c {40 * MIB} /dev/zero; echo -n end")
        first = child.stdout.read(1000)
        os.kill(child.pid, signal.SIGSTOP)
        eventually(lambda: re.search(r"^State:\s+T", open(f"/proc/{child.pid}/status", encoding="ascii").read(), re.M),
                   "the client stopped")
        self.assertEqual(self.ssh("node1", "echo others go on").stdout, b"others go on\n")
        os.kill(child.pid, signal.SIGCONT)
        rest = child.stdout.read()
        self.assertEqual((len(first) + len(rest), rest[-3:], child.wait(60)), (40 * MIB + 3, b"end", 0))


class RekeyTest(LabCase):
    settings = {"sshd_lines": "RekeyLimit 1M\n"}

    def test_every_leg_rekeys_under_load(self):
        """Inner and outer leg by the client, the third by node1's sshd."""
        with open(self.lab.path("ssh_config.machine"), encoding="utf-8") as file:
            text = file.read()
        with open(self.lab.path("ssh_config.rekey"), "w", encoding="utf-8") as file:
            file.write("RekeyLimit 1M\n" + text)
        data = BLOCK * 24
        done = subprocess.run(["ssh", "-v", "-F", self.lab.path("ssh_config.rekey"), "node1", "cat"], input=data,
                              capture_output=True, check=False, timeout=170)
        self.assertEqual((done.returncode, done.stdout == data), (0, True), done.stderr[-2000:])
        self.assertGreater(done.stderr.count(b"SSH2_MSG_NEWKEYS received"), 10)
