"""Engineers who leave in the middle of something: whatever was under way ends, and its recording is closed."""

import os
import signal
import subprocess
import sys
import time

from support import CODE_PROMPT, MIB, LabCase, eventually, processes

SILENT = """\
import socket
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("{address}", {port}))
listener.listen(0)
held = []
for _ in range(3):  # its queue is full from now on: who connects is never answered
    held.append(socket.socket())
    held[-1].setblocking(False)
    held[-1].connect_ex(("{address}", {port}))
print("ready", flush=True)
input()
"""
SILENT_PORT = 2222
TARGETS = f"""\
  silent:
    kind: tcp
    hosts: [silent]
    addresses: [private]
    port: {SILENT_PORT}
"""
RULES = """\
  - { id: ci-silent, who: [ci], to: [silent], can: { connect: true }, when: { from: [engineers] } }
"""
KEXINIT_HEAD = b"\0\0\x04\x00\x0a\x14" + bytes(100)  # the first bytes of a packet of 1 KiB


class LeavingTest(LabCase):
    people = ("lea",)
    settings = {"hosts": {"silent": "{node_ip}"}, "more_targets": TARGETS, "more_rules": RULES}

    def jump(self, place="node1:22", options=()):
        """The outer half of ssh -J alone: what is written to it goes into the channel."""
        return self.ssh_start("-W", place, "bastion", options=options)

    def leave(self, child, how):
        """By the end of its input, or by dying, when the kernel closes the connection."""
        if how == "end of file":
            child.stdin.close()
        else:
            child.kill()

    def assert_nothing_is_left(self):
        for program in ("bastion-session", "bastion-dial", "bastion-pam"):
            eventually(lambda name=program: not self.daemon_children(name), f"{program} is gone", 30)
        eventually(lambda: not [one for one in self.sessions() if not one["closed"]], "every recording is closed", 30)

    def assert_both_ways(self, stage, place="node1:22", sent=b"", answered=None):
        for how in ("end of file", "death"):
            with self.subTest(stage=stage, how=how):
                mark = len(self.events())
                child = self.jump(place)
                child.stdin.write(sent)
                child.stdin.flush()
                if answered:
                    self.assertTrue(answered(child))
                self.leave(child, how)
                child.wait(60)
                eventually(lambda: self.events_since(mark, event="connection.closed"), "the connection is closed", 30)
                self.assert_nothing_is_left()

    def test_before_and_in_the_inner_key_exchange(self):
        def banner(child):
            return child.stdout.readline().startswith(b"SSH-2.0-")

        self.assert_both_ways("before anything is said", answered=banner)
        self.assert_both_ways("in the middle of the banner", sent=b"SSH-2.0-half", answered=banner)
        self.assert_both_ways("in the middle of a packet", sent=b"SSH-2.0-half\r\n" + KEXINIT_HEAD, answered=banner)

    def test_while_the_target_is_dialled(self):
        code = SILENT.format(address=self.lab.network.node_ip, port=SILENT_PORT)
        silent = subprocess.Popen(["ip", "netns", "exec", self.lab.network.private, sys.executable, "-c", code],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self._finish, silent)
        self.assertEqual(silent.stdout.readline(), b"ready\n")
        mark = len(self.events())
        child = self.jump(f"silent:{SILENT_PORT}")
        eventually(lambda: self.daemon_children("bastion-dial"), "the target is dialled")
        child.kill()
        eventually(lambda: self.events_since(mark, event="connection.closed"), "the connection is closed", 30)
        self.assert_nothing_is_left()

    def test_at_the_prompt_for_a_code(self):
        terminal = self.terminal("node1-by-hand", "true", person="lea")
        terminal.expect(CODE_PROMPT)
        eventually(lambda: self.daemon_children("bastion-pam"), "PAM asks")
        mark = len(self.events())
        os.kill(terminal.pid, signal.SIGKILL)
        eventually(lambda: self.events_since(mark, event="connection.closed"), "the connection is closed", 30)
        self.assert_nothing_is_left()

    def test_in_the_middle_of_transfers(self):
        for command in ("cat /dev/zero", "cat >/dev/null"):
            with self.subTest(command=command):
                before = self.sessions()
                child = self.ssh_start("node1", f"echo started; exec {command}", stdin=self.zeros())
                self.assertEqual(child.stdout.read(8), b"started\n")
                child.kill()
                self.assert_nothing_is_left()
                self.assertEqual(self.new_sessions(before)[0]["how"], "ended")

    def zeros(self):
        endless = open("/dev/zero", "rb")
        self.addCleanup(endless.close)
        return endless

    def stop_the_target(self):
        """node1 takes nothing any more, and says nothing."""
        members = [entry for entry in processes.family(self.lab.node_process["pid"]) if processes.program(entry) == "sshd"]
        for entry in members:
            processes.send(entry, signal.SIGSTOP)
            self.addCleanup(processes.send, entry, signal.SIGCONT)

    def test_from_a_target_that_takes_nothing_any_more(self):
        """What waits for the target cannot be written; the outer connection stays, and nothing else happens on it."""
        for namespace, name in ((self.lab.network.private, "tcp_rmem"), (self.lab.network.bastion, "tcp_wmem")):
            self.squeeze(namespace, name)
        before = self.sessions()
        child = self.through_a_pipeline("echo started; exec cat >/dev/null", stdin=self.zeros())
        self.assertEqual(child.stdout.readline(), b"started\n")
        self.stop_the_target()
        self.wait_until_it_stands(self.member(child, "upward"))
        processes.send(self.member(child, "upward"), signal.SIGKILL)
        eventually(lambda: all(one["closed"] for one in self.new_sessions(before)), "the recording is closed", 30)

    def test_without_taking_what_was_sent(self):
        """Only the client's own half is closed, and it takes nothing more: its window stays shut.

        One session fills its own window before the outer channel's is full: it takes two.
        """
        before, control = self.sessions(), ["-o", f"ControlPath={self.lab.path('two')}"]
        child = self.through_a_pipeline("echo started >&2; exec cat /dev/zero", words=["-M", *control], stdout=subprocess.DEVNULL)
        self.assertEqual(child.stderr.readline(), b"started\n")
        second = self.ssh_start(*control, "node1", "echo started >&2; exec cat /dev/zero", stdout=subprocess.DEVNULL)
        self.assertEqual(second.stderr.readline(), b"started\n")
        downward = self.member(child, "downward")
        eventually(lambda: self.written_bytes(downward) > 16 * MIB, "both send")
        processes.send(downward, signal.SIGSTOP)
        self.addCleanup(processes.send, downward, signal.SIGKILL)  # what is stopped does not notice its end
        self.wait_until_it_stands(self.member(child, "ssh"))
        processes.send(self.member(child, "upward"), signal.SIGKILL)
        eventually(lambda: all(one["closed"] for one in self.new_sessions(before)), "the recording is closed", 30)

    def squeeze(self, namespace, name):
        """Small buffers of the kernel, so that what is sent waits in the bastion."""
        path = f"/proc/sys/net/ipv4/{name}"
        old = processes.run("ip", "netns", "exec", namespace, "cat", path).stdout
        change = ["ip", "netns", "exec", namespace, "sh", "-c", f'echo "$1" >{path}', "sh"]
        processes.run(*change, "4096 8192 16384")
        self.addCleanup(processes.run, *change, old.strip())

    def through_a_pipeline(self, command, words=(), **given):
        """A session whose outer half can be held and cut for each direction alone."""
        way = " ".join(self.ssh_argv("-W", "[%h]:%p", "bastion"))
        return self.ssh_start(*words, "node1", command, **given, options=[
            f"ProxyCommand=bash -c '(exec -a upward cat) | {way} | (exec -a downward cat)'"])

    def member(self, child, name):
        def found():
            for entry in processes.family(child.pid):
                with open(f"/proc/{entry['pid']}/cmdline", encoding="ascii") as file:
                    if file.read().startswith(name + "\0"):
                        return entry
            return None

        return eventually(found, f"{name} runs")

    @staticmethod
    def written_bytes(entry):
        with open(f"/proc/{entry['pid']}/io", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("wchar"))

    def wait_until_it_stands(self, entry):
        """It writes nothing for a second: what comes behind it is full."""
        def stands():
            first = self.written_bytes(entry)
            time.sleep(1)
            return self.written_bytes(entry) == first

        eventually(stands, "it stands still")


class SilentTest(LabCase):
    """Who is gone without a word is asked for a sign of life, and given up; who only has nothing to say is not."""

    settings = {"times": "{ alive: 1s }"}

    def test_client_that_answers_nothing_is_given_up(self):
        before, mark = self.sessions(), len(self.events())
        child = self.ssh_start("node1", "echo started; exec cat")
        self.assertEqual(child.stdout.readline(), b"started\n")
        for entry in processes.family(child.pid):  # the kernel still takes what is sent to it
            processes.send(entry, signal.SIGSTOP)
            self.addCleanup(processes.send, entry, signal.SIGCONT)
        closed = eventually(lambda: [one for one in self.new_sessions(before) if one["closed"]], "the recording is closed", 60)[0]
        self.assertIn("[D-SILENT]", closed["reason"])
        eventually(lambda: self.events_since(mark, event="target.closed", sentence="D-SILENT"), "an event")
        eventually(lambda: not self.daemon_children("bastion-session"), "the session process is gone", 30)

    def test_client_that_has_nothing_to_say_stays(self):
        child = self.ssh_start("-v", "-N", "bastion")
        asked = 0
        while asked < 8:
            line = child.stderr.readline()
            self.assertTrue(line, "the connection has ended")
            asked += b"keepalive@openssh.com" in line
        self.assertIsNone(child.poll())
