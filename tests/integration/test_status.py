"""What `bastion status` says of a daemon that runs, works, is refused a policy, is stopped or is gone."""

import json
import os

from support import LabCase, eventually, read, write


class StatusTest(LabCase):
    def status(self, *words):
        return self.bastion("status", "--config", self.lab.gateway.config, *words, check=False)

    def state(self):
        return json.loads(self.status("--json").stdout)

    def path(self):
        return self.lab.path("state", "status.json")

    def test_status_of_a_healthy_daemon_is_zero(self):
        done = eventually(lambda: self.status().returncode == 0 and self.status(), "the daemon wrote its status")
        self.assertRegex(done.stdout, r": running, as of \d+ s ago\n")
        self.assertRegex(done.stdout, r"(?m)^recorder +ready$")
        self.assertRegex(done.stdout, r"(?m)^             sha256 [0-9a-f]{64}$")
        self.assertEqual(os.stat(self.path()).st_mode & 0o777, 0o600)

    def test_open_session_is_listed_until_it_ends(self):
        child = self.ssh_start("ec2-user@node1", "cat")
        one = eventually(lambda: [one for one in self.state()["sessions"]["list"] if one["person"] == "deploy-bot"],
                         "the session is listed")[0]
        self.assertEqual((one["account"], one["host"], one["rule"]), ("ec2-user", "node1", "ci-nodes"))
        shown = self.status().stdout
        self.assertRegex(shown, rf"(?m)^  {one['session'][:12]}  deploy-bot  ec2-user@node1  by rule ci-nodes")
        self.assertRegex(shown, r"(?m)^  \d+ +deploy-bot from \S+, identified, since ")
        child.communicate(b"", timeout=60)
        eventually(lambda: self.state()["sessions"]["open"] == 0, "the session is gone")
        eventually(lambda: self.state()["connections"]["open"] == 0, "the connection is gone")

    def test_refused_policy_is_a_fault_until_a_good_one_is_loaded(self):
        good = read(self.lab.gateway.policy)
        eventually(lambda: self.status().returncode == 0, "all is well")
        before = self.state()["policy"]["sha256"]
        self.addCleanup(write, self.lab.gateway.policy, good)
        write(self.lab.gateway.policy, good + "nonsense: true\n")
        self.lab.gateway.reload()
        done = eventually(lambda: self.status().returncode == 1 and self.status(), "the refusal is told")
        self.assertRegex(done.stdout, r"refused .*, the one before stays: .*policy\.yaml:\d+:\d+: ")
        self.assertEqual(self.state()["policy"]["sha256"], before)
        write(self.lab.gateway.policy, good + "# good again\n")
        self.lab.gateway.reload()
        eventually(lambda: self.status().returncode == 0, "all is well again")
        self.assertNotEqual(self.state()["policy"]["sha256"], before)

    def test_stopped_and_stale_are_told_apart(self):
        self.lab.stop_daemon()
        self.addCleanup(self.lab.start_daemon)
        done = self.status()
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(": stopped, as of ", done.stdout)
        left = json.loads(read(self.path()))
        left.update(state="running", written=left["written"] - 60)
        write(self.path(), json.dumps(left), 0o600)
        done = self.status()
        self.assertEqual(done.returncode, 1, done)
        self.assertRegex(done.stdout, r"^STALE: .* wrote this 6\d s ago; process \d+ is not there: bastiond is not running\n")
        self.assertTrue(self.state()["stale"])

    def test_what_is_no_status_is_trouble(self):
        folder = os.path.join(self.base, "elsewhere")
        config = os.path.join(self.base, "elsewhere.yaml")
        os.makedirs(folder, exist_ok=True)
        write(config, f"state_dir: {folder}\n")
        for text in (None, "", "[]", "{", '{"v": 2}', '{"v": 1, "v": 1}'):
            if text is not None:
                write(os.path.join(folder, "status.json"), text)
            done = self.bastion("status", "--config", config, check=False)
            self.assertEqual((done.returncode, done.stdout), (3, ""), (text, done))
        write(os.path.join(folder, "status.json"), '{"v": 1}')  # half of it: told as far as it goes, and as a fault
        self.assertEqual(self.bastion("status", "--config", config, check=False).returncode, 1)
        os.chmod(os.path.join(folder, "status.json"), 0o666)
        self.assertEqual(self.bastion("status", "--config", config, check=False).returncode, 3)
        self.assertEqual(self.bastion("status", "too", "many", check=False).returncode, 2)
