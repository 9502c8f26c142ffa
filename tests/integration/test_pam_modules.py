"""Other second factors than pam_oath: each test with a PAM service of its own."""

import os
import subprocess
import unittest

from support import CODE_PROMPT, LabCase, eventually, write

GOOGLE = "/lib/x86_64-linux-gnu/security/pam_google_authenticator.so"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class PamCase(LabCase):
    def jump(self, person, *words):
        return self.terminal("-J", "bastion", "ec2-user@node1", *(words or ("echo done",)), person=person)

    def forget(self, person):
        self.assertEqual(self.ssh("bastion", "mfa", "drop", person=person, options=["BatchMode=yes"]).returncode, 0)

    def pam_file(self, name, text, mode=0o755):
        """A file that bastion-pam can read and run."""
        path = os.path.join(self.lab.path("pam.d"), name)
        write(path, text, mode)
        return path


class PasswordTest(PamCase):
    """A password by pam_exec, as pam_unix and pam_userdb are asked: echo off, any text, the same each time."""

    people = ("anna", "bert")
    settings = {"pam": "auth required pam_exec.so expose_authtok quiet {folder}/pam.d/check\naccount required pam_permit.so\n", "writable": "/dev/null"}

    def setUp(self):
        self.pam_file("check", "#!/bin/sh\nread -r answer || [ -n \"$answer\" ]\n"
                               "case $PAM_USER:$answer in 'anna:correct horse battery'|bert:123456) exit 0;; esac\nexit 1\n")

    def test_right_password_opens_and_may_be_used_again(self):
        for _ in range(2):
            with self.jump("anna") as terminal:
                terminal.expect("[Pp]assword: ?$")
                terminal.say("correct horse battery")
                terminal.expect("done")
                self.assertEqual(terminal.wait(), 0)
            self.forget("anna")

    def test_wrong_password_is_counted(self):
        mark = len(self.events())
        with self.jump("anna") as terminal:
            terminal.expect("[Pp]assword: ?$")
            terminal.say("wrong")
            terminal.expect("not accepted; 2 tries left")
        self.assertEqual(len(self.events_since(mark, event="factor.failed", person="anna")), 1)

    def test_code_that_the_module_takes_twice_is_good_once(self):
        """Our own guard: what looks like a one-time code is one, whatever the module remembers."""
        with self.jump("bert") as terminal:
            terminal.expect("[Pp]assword: ?$")
            terminal.say("123456")
            terminal.expect("done")
        self.forget("bert")
        mark = len(self.events())
        with self.jump("bert") as terminal:
            terminal.expect("[Pp]assword: ?$")
            terminal.say("123456")
            terminal.expect("not accepted; 2 tries left")
        self.assertTrue(self.events_since(mark, event="factor.failed", person="bert", sentence="used already"))


class PushTest(PamCase):
    """A module that asks nothing and blocks until somebody answers elsewhere."""

    people = ("anna", "bert")
    settings = {"pam": "auth required pam_exec.so stdout {folder}/pam.d/push\naccount required pam_permit.so\n", "writable": "/dev/null",
                "times": "{ factor: 10s }"}

    def setUp(self):
        self.go = os.path.join(self.lab.path("pam.d"), "go")
        # pam_exec gives its program a session of its own, so it outlives a conversation that is ended: it leaves with the lab.
        # The first is asked on the phone, the second is never answered, all others are approved at once.
        self.pam_file("push", "#!/bin/sh\n[ \"$PAM_USER\" = alice ] && exit 0\necho 'approve the login on your phone'\n"
                              f"until [ \"$PAM_USER\" = anna ] && [ -e {self.go} ]; do [ -e $0 ] || exit 1; sleep 0.1; done\n")

    def test_module_that_blocks_delays_nobody_else(self):
        with self.jump("anna") as terminal:
            eventually(lambda: self.daemon_children("bastion-pam"), "the module waits")
            done = self.ssh("node1", "echo other", person="alice")
            self.assertEqual((done.returncode, done.stdout), (0, b"other\n"), done.stderr)
            self.assertTrue(self.daemon_children("bastion-pam"))
            write(self.go, "")
            terminal.expect("approve the login on your phone")
            terminal.expect("done")
            self.assertEqual(terminal.wait(), 0)

    def test_module_that_never_ends_is_ended_at_the_deadline(self):
        mark = len(self.events())
        with self.jump("bert") as terminal:
            terminal.expect("the second factor was not answered in time.*D-DEADLINE")
            self.assertEqual(terminal.wait(), 255)
        self.assertTrue(self.events_since(mark, event="factor.deadline", person="bert"))
        eventually(lambda: not self.daemon_children("bastion-pam"), "its process is gone")
        self.assertEqual(self.events_since(mark, event="factor.failed"), [])  # no wrong code: counts for no lock


@unittest.skipUnless(os.path.exists(GOOGLE), "libpam-google-authenticator is not installed")
class GoogleTest(PamCase):
    """pam_google_authenticator with its state in a folder of uids.pam."""

    people = ("anna",)
    settings = {"writable": "{folder}/google", "pam_account": True}

    def setUp(self):
        uid = self.lab.gateway.first_uid + 3
        folder = self.lab.path("google")
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o700)
        os.chown(folder, uid, uid)
        path = os.path.join(folder, "anna")
        write(path, f"{SECRET}\n\" RATE_LIMIT 3 30\n\" WINDOW_SIZE 17\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n", 0o400)
        os.chown(path, uid, uid)
        text = f"auth required pam_google_authenticator.so secret={folder}/${{USER}} user=bastion-pam\naccount required pam_permit.so\n"
        write(os.path.join(self.lab.path("pam.d"), "bastion"), text)

    def google_code(self):
        return subprocess.run(["oathtool", "--totp", "-b", SECRET], check=True, capture_output=True, text=True).stdout.strip()

    def test_code_opens_once(self):
        code = self.google_code()
        with self.jump("anna") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(code)
            terminal.expect("done")
            self.assertEqual(terminal.wait(), 0)
        self.forget("anna")
        mark = len(self.events())
        with self.jump("anna") as terminal:
            terminal.expect(CODE_PROMPT)
            terminal.say(code)
            terminal.expect("not accepted; 2 tries left")
        self.assertTrue(self.events_since(mark, event="factor.failed", person="anna", sentence="used already"))
