"""Files through the bastion: what passes is whole and on record, and who may read cannot write."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile

from support import IS_QUICK, MIB, LabCase, eventually

BIG = 8 * MIB if IS_QUICK else 64 * MIB


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class FilesTest(LabCase):
    people = ("hugo",)

    def setUp(self):
        # The lab's hosts see this machine's files: what arrives there can be compared here.
        self.folder = tempfile.mkdtemp(prefix="bastion-files.")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o777)
        self.before = self.sessions()

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, size):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        os.chmod(os.path.dirname(self.path(name)), 0o777)
        with open(self.path(name), "wb") as file:
            file.write(os.urandom(size))
        os.chmod(self.path(name), 0o644)
        return self.path(name)

    def run_client(self, program, *words, person="deploy-bot", text=None, check=True):
        done = subprocess.run([program, "-F", self.lab.path(self.lab.config_name(person)), *words], input=text, text=True,
                              capture_output=True, timeout=180, check=False)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def sftp(self, *commands, person="deploy-bot", account="deploy", check=True):
        return self.run_client("sftp", "-b", "-", f"{account}@node1", person=person, text="\n".join(commands) + "\n", check=check)

    def files(self):
        """What `bastion files` tells of the sessions of this test, once they are closed."""
        known = {one["id"] for one in self.before}
        new = eventually(lambda: [one for one in self.sessions() if one["id"] not in known], "a new recording", 30)
        told = []
        for one in new:
            eventually(lambda: next(s for s in self.sessions() if s["id"] == one["id"]).get("closed", True), "its end", 30)
            listed = self.bastion("files", "--json", *self.reading(), one["id"], check=False)
            self.assertIn(listed.returncode, (0, 1), listed.stderr)
            told += [json.loads(line) for line in listed.stdout.splitlines()]
        return told

    def told(self, op, path):
        found = [one for one in self.files() if one.get("op") == op and one.get("path") == path]
        self.assertEqual(len(found), 1, f"{op} {path} once in {self.files()}")
        return found[0]

    # what passes

    def test_scp_both_ways_is_whole_and_hashed(self):
        source = self.make("source", BIG + 12345)
        self.run_client("scp", source, f"node1:{self.path('there')}")
        self.run_client("scp", f"node1:{self.path('there')}", self.path("back"))
        self.assertEqual(sha256(source), sha256(self.path("back")))
        opens = [one for one in self.files() if one.get("op") == "open"]
        self.assertEqual([one["path"] for one in opens if "written_bytes" in one], [self.path("there")])
        self.assertEqual([one["path"] for one in opens if "read_bytes" in one], [self.path("there")])
        for one in opens:
            self.assertEqual(one["sha256"], sha256(source))
            self.assertEqual(one.get("written_bytes", one.get("read_bytes")), BIG + 12345)

    def test_sessions_tell_how_many_files_and_bytes_were_moved(self):
        source = self.make("source", 300000)
        self.sftp(f"put {source} {self.path('a')}", f"put {source} {self.path('b')}", f"get {self.path('a')} {self.path('c')}", "ls /")
        session = eventually(lambda: [one for one in self.new_sessions(self.before) if one["closed"]], "its end")[0]
        self.assertEqual([session[name] for name in ("files", "file_bytes_to_target", "file_bytes_from_target")], [3, 600000, 300000])
        self.assertGreater(session["bytes_to_target"], 600000)
        self.assertGreater(session["bytes_from_target"], 300000)
        table = self.bastion("sessions", "--config", self.lab.gateway.config, "--limit", "1").stdout.splitlines()
        self.assertIn("FILES  TO TARGET", table[0])
        self.assertRegex(table[1], r"ended  \S+ +3 +[0-9.]+ KiB +[0-9.]+ KiB +")

    def test_more_requests_than_may_be_open_only_wait(self):
        """sftp -R: all are sent before the first is answered; 2,048 of them are open, the others wait in the bastion."""
        source = self.make("source", 6 * MIB)
        many = ["-R", "20000", "-B", "256", "-b", "-", "deploy@node1"]
        self.run_client("sftp", *many, text=f"put {source} {self.path('there')}\nget {self.path('there')} {self.path('back')}\n")
        self.assertEqual(sha256(source), sha256(self.path("there")))
        self.assertEqual(sha256(source), sha256(self.path("back")))
        told = [one for one in self.files() if one.get("op") == "open"]
        self.assertEqual([one.get("written_bytes", one.get("read_bytes")) for one in told], [6 * MIB, 6 * MIB])
        self.assertEqual(told[0]["sha256"], sha256(source))

    def test_empty_file_has_no_bytes(self):
        self.sftp(f"put {self.make('empty', 0)} {self.path('there')}")
        self.assertEqual(os.path.getsize(self.path("there")), 0)
        self.assertNotIn("written_bytes", self.told("open", self.path("there")))

    def test_folder_of_many_files(self):
        count = 50 if IS_QUICK else 400
        for number in range(count):
            self.make(f"tree/part{number % 7}/file{number}", number * 37 % 5000 + 1)
        self.sftp(f"put -R {self.path('tree')} {self.path('copy')}")
        subprocess.run(["diff", "-r", self.path("tree"), self.path("copy")], check=True)
        told = {one["path"]: one for one in self.files() if one.get("op") == "open"}
        self.assertEqual(len(told), count)
        for path, one in told.items():
            self.assertEqual(one["sha256"], sha256(path), path)
        self.assertEqual(len([one for one in self.files() if one.get("op") == "mkdir"]), 8)

    def test_resumed_upload_is_named_and_has_no_hash(self):
        source = self.make("source", 300000)
        with open(source, "rb") as whole, open(self.path("there"), "wb") as part:
            part.write(whole.read(100000))
        os.chmod(self.path("there"), 0o666)
        self.sftp(f"reput {source} {self.path('there')}")
        self.assertEqual(sha256(source), sha256(self.path("there")))
        told = self.told("open", self.path("there"))
        self.assertEqual((told["written_bytes"], told["written_order"]), (200000, "from an offset"))
        self.assertNotIn("sha256", told)

    def test_every_change_is_on_record(self):
        a, b = self.path("a"), self.path("b")
        self.sftp(f"put /etc/hostname {a}", f"rename {a} {b}", f"chmod 600 {b}", f"ln {b} {self.path('hard')}",
                  f"ln -s {b} {self.path('soft')}", f"mkdir {self.path('d')}", f"rmdir {self.path('d')}", f"rm {b}", f"df {self.folder}")
        told = [(one["op"], one.get("path"), one.get("second"), one["result"]) for one in self.files()]
        for op, path, second in (("posix-rename", a, b), ("setstat", b, None), ("hardlink", b, self.path("hard")),
                                 ("symlink", self.path("soft"), b), ("mkdir", self.path("d"), None), ("rmdir", self.path("d"), None),
                                 ("remove", b, None), ("statvfs", self.folder, None), ("limits", None, None)):
            self.assertIn((op, path, second, "ok"), told)

    def test_failure_on_the_target_is_told(self):
        done = self.sftp("rm /no/such/file", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.sftp(f"-mkdir {self.folder}")
        told = [(one.get("op"), one.get("path"), one["result"]) for one in self.files()]
        self.assertIn(("mkdir", self.folder, "failure"), told)

    def test_name_that_is_no_text_is_kept_exactly(self):
        name = os.fsencode(self.path("")) + b"\xff\xfe"
        with open(name, "wb") as file:
            file.write(b"x")
        os.chmod(name, 0o644)
        self.sftp(f"get {self.folder}/* {self.path('')}back", check=True)
        told = [one for one in self.files() if one.get("op") == "open" and "path_base64" in one]
        self.assertEqual(len(told), 1, self.files())

    def test_replay_and_show_name_the_files(self):
        self.sftp(f"put /etc/hostname {self.path('there')}")
        session = self.new_sessions(self.before)[0]["id"]
        shown = self.bastion("replay", "--events", *self.reading(), session)
        self.assertIn(f"open {self.path('there')} for writing", shown.stdout)
        self.assertIn("SHA-256 " + sha256("/etc/hostname"), shown.stdout)
        self.assertIn("bastion files", shown.stderr)

    # commands that move files

    def test_scp_of_old_both_ways(self):
        source = self.make("tree/source", 3 * MIB + 7)
        self.make("tree/more/two", 77)
        self.run_client("scp", "-O", "-r", self.path("tree"), f"node1:{self.path('there')}")
        self.run_client("scp", "-O", f"node1:{self.path('there/source')}", self.path("back"))
        subprocess.run(["diff", "-r", self.path("tree"), self.path("there")], check=True)
        self.assertEqual(sha256(source), sha256(self.path("back")))
        told = [(one["op"], one["path"], one["second"], one.get("sha256")) for one in self.files()]
        self.assertIn(("scp-put", self.path("there"), "tree/source", sha256(source)), told)
        self.assertIn(("scp-put", self.path("there"), "tree/more/two", sha256(self.path("tree/more/two"))), told)
        self.assertIn(("scp-mkdir", self.path("there"), "tree/more", None), told)
        self.assertIn(("scp-get", self.path("there/source"), "source", sha256(source)), told)

    def test_rsync_both_ways(self):
        self.make("tree/a/b", MIB)
        ssh = f"ssh -F {self.lab.path(self.lab.config_name('deploy-bot'))}"
        for words in ((f"{self.path('tree')}/", f"node1:{self.path('there')}/"), (f"node1:{self.path('there')}/", f"{self.path('back')}/")):
            subprocess.run(["rsync", "-rt", "-e", ssh, *words], check=True, capture_output=True, timeout=180)
        subprocess.run(["diff", "-r", self.path("tree"), self.path("back")], check=True)
        told = {one["op"]: one for one in self.files()}
        self.assertEqual((told["rsync-put"]["path"], told["rsync-put"]["written_order"]), (self.path("there") + "/", "not decoded"))
        self.assertGreater(told["rsync-put"]["written_bytes"], MIB)
        self.assertGreater(told["rsync-get"]["read_bytes"], MIB)

    def test_rsync_deletes_and_resumes_a_part(self):
        ssh = f"ssh -F {self.lab.path(self.lab.config_name('deploy-bot'))}"

        def rsync(*words):
            return subprocess.run(["rsync", "-e", ssh, "-rt", *words], check=True, capture_output=True, text=True, timeout=180).stdout

        source = self.make("tree/large", 6 * MIB)
        self.make("tree/gone", 100)
        rsync(f"{self.path('tree')}/", f"node1:{self.path('there')}/")
        os.unlink(self.path("tree/gone"))
        rsync("--delete", f"{self.path('tree')}/", f"node1:{self.path('there')}/")
        self.assertEqual(os.listdir(self.path("there")), ["large"])
        rsync("--delete", f"node1:{self.path('there')}/", f"{self.path('back')}/")
        subprocess.run(["diff", "-r", self.path("tree"), self.path("back")], check=True)
        # What an earlier transfer left of a file is not sent again: 1 MiB is missing at each side.
        for place, words in ((self.path("there/large"), (f"{self.path('tree')}/", f"node1:{self.path('there')}/")),
                             (self.path("back/large"), (f"node1:{self.path('tree')}/", f"{self.path('back')}/"))):
            os.truncate(place, 5 * MIB)
            told = rsync("--partial", "--append-verify", "--stats", *words)
            self.assertEqual(sha256(place), sha256(source))
            moved = int(re.search(r"Literal data: ([0-9,]+)", told)[1].replace(",", ""))
            self.assertEqual(moved, MIB)

    def test_git_both_ways(self):
        environment = {**os.environ, "GIT_SSH_COMMAND": f"ssh -F {self.lab.path(self.lab.config_name('deploy-bot'))}", "HOME": self.folder,
                       "GIT_CONFIG_NOSYSTEM": "1"}

        def git(*words):
            done = subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "safe.directory=*", *words],
                                  env=environment, capture_output=True, text=True, timeout=180, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)

        self.assertEqual(self.ssh("node1", f"git init --bare -q {self.path('repo')}").returncode, 0)
        self.before = self.sessions()
        git("init", "-q", self.path("work"))
        git("-C", self.path("work"), "commit", "-q", "--allow-empty", "-m", "first")
        git("-C", self.path("work"), "push", "-q", f"node1:{self.path('repo')}", "HEAD:main")
        git("clone", "-q", "-b", "main", f"node1:{self.path('repo')}", self.path("clone"))
        told = {one["op"]: one for one in self.files()}
        self.assertEqual(told["git-push"]["path"], self.path("repo"))
        self.assertEqual(told["git-fetch"]["path"], self.path("repo"))
        self.assertGreater(told["git-push"]["written_bytes"], 0)

    # what does not

    def test_reader_cannot_write_and_the_session_goes_on(self):
        self.log_in("hugo")
        self.before = self.sessions()
        source = self.make("source", 100000)
        os.chmod(self.folder, 0o777)
        keep = self.path("keep")
        shutil.copy(source, keep)
        os.chmod(keep, 0o666)
        there = self.path("there")
        done = self.sftp(f"-put {source} {there}", f"-reput {source} {keep}", f"-rename {keep} {there}", f"-rm {keep}", f"-chmod 600 {keep}",
                         f"-mkdir {there}", f"-rmdir {self.folder}", f"-ln -s {keep} {there}", f"-ln {keep} {there}",
                         f"get {keep} {self.path('got')}", person="hugo", account="ec2-user")
        self.assertEqual(sorted(os.listdir(self.folder)), ["got", "keep", "source"])
        self.assertEqual(sha256(self.path("got")), sha256(source))
        self.assertEqual(done.stderr.count("[D-SFTP]"), 1, done.stderr)
        self.assertGreaterEqual(done.stderr.lower().count("permission denied"), 7, done.stderr)
        told = self.files()
        refused = [one["what"] for one in told if one["result"] == "refused"]
        for what in ("sftp open", "sftp posix-rename", "sftp remove", "sftp setstat", "sftp mkdir", "sftp rmdir", "sftp symlink", "sftp hardlink"):
            self.assertTrue(any(one.startswith(what) for one in refused), f"{what} in {refused}")
        self.assertEqual([one["sha256"] for one in told if one.get("path") == keep and "read_bytes" in one], [sha256(source)])

    def test_flood_of_refusals_is_a_few_events_and_a_count(self):
        """The recording has each of them; the log tells many at once, then how many it left out."""
        self.log_in("hugo")
        self.before, mark, count = self.sessions(), len(self.events()), 300
        self.sftp(*(f"-rm {self.path('none')}{number}" for number in range(count)), person="hugo", account="ec2-user")
        eventually(lambda: self.events_since(mark, event="session.note", sentence="not told one by one"), "the count at the end")
        told = [one["sentence"] for one in self.events_since(mark, event="session.note", sentence="D-SFTP|not told one by one")]
        self.assertEqual(told[0], "sftp remove: your access is for reading only [D-SFTP]", told)
        self.assertLessEqual(len(told), 40, "one a minute after the first 32")
        left_out = int(re.search(r"^(\d+) more refusals", told[-1])[1])
        self.assertEqual(len(told) - 1 + left_out, count, told[-3:])
        self.assertEqual(len([one for one in self.files() if one["result"] == "refused"]), count)

    def test_reader_cannot_upload_with_scp(self):
        self.log_in("hugo")
        done = self.run_client("scp", self.make("source", 3 * MIB), f"ec2-user@node1:{self.path('there')}", person="hugo", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("[D-SFTP]", done.stderr)
        self.assertFalse(os.path.exists(self.path("there")))

    def test_paths_of_the_rule_hold(self):
        self.log_in("hugo")
        self.before = self.sessions()
        inside, outside = self.path("in"), self.path("out")
        for folder in (inside, outside):
            os.mkdir(folder)
            os.chmod(folder, 0o777)
        done = self.sftp(f"put /etc/passwd {inside}/a", f"mkdir {inside}/d", f"rename {inside}/a {inside}/d/b", f"get {inside}/d/b {self.path('got')}",
                         f"get /etc/hostname {self.path('name')}", f"-put /etc/passwd {outside}/a", f"-get /etc/passwd {self.path('never')}",
                         f"-rename {inside}/d/b {outside}/b", f"-ln -s /etc {inside}/etc", f"-ln /etc/passwd {inside}/hard",
                         f"-put /etc/passwd {inside}/../out/a", f"-ls {outside}", person="hugo", account="deploy")
        self.assertEqual(sha256(self.path("got")), sha256("/etc/passwd"))
        self.assertEqual((os.listdir(outside), sorted(os.listdir(inside)), os.listdir(inside + "/d")), ([], ["d"], ["b"]))
        self.assertFalse(os.path.exists(self.path("never")))
        self.assertIn("[D-SFTP-PATH]", done.stderr)
        self.assertGreaterEqual(len([one for one in self.files() if one["result"] == "refused"]), 7)
