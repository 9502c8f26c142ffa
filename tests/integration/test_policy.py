"""What is not allowed: one sentence with its code for the engineer, one event for the operator."""

import concurrent.futures
import json
import re
import signal
import threading

from support import DENIAL_CODE, IS_QUICK, LabCase, eventually, processes, read, write

STRANGER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVua25vd24tdW5rbm93bi11bmtub3duLXVua25vd24h"


class DenialTest(LabCase):
    people = ("gina",)
    settings = {
        # One sshd, many names: what counts is what the bastion resolves and knows of them.
        "hosts": {"changed": "{node_ip}", "unlisted": "{node_ip}", "metadata": "169.254.169.254", "itself": "127.0.0.1",
                  "absent": "{absent_ip}", "nosuchname": "{node_ip}"},
        "known_hosts": f"changed {STRANGER_KEY}\nmetadata,itself,absent,nosuchname {STRANGER_KEY}\n",
    }

    def mark(self):
        return len(self.events())

    def refused(self, *words, sentence, event, person="deploy-bot", options=(), **fields):
        mark = self.mark()
        done = self.ssh(*words, person=person, options=options)
        found = self.assert_refused(done, sentence, mark, event, **fields)
        self.assertEqual(self.ssh("node1", "echo fine").stdout, b"fine\n", "the bastion serves on")
        return done, found

    def test_unknown_target_is_refused(self):
        self.refused("node1", "true", options=["HostName=nowhere.internal"], sentence=r"nowhere\.internal[^\n]*" + DENIAL_CODE,
                     event="target.denied", host=r"nowhere\.internal")

    def test_other_port_is_refused(self):
        self.refused("-p", "2222", "node1", "true", sentence=DENIAL_CODE, event="target.denied", port="2222")

    def test_forbidden_account_is_refused(self):
        self.refused("root@node1", "true", sentence=r"bastion: [^\n]*root " + DENIAL_CODE, event="target.denied", account="root")

    def test_forbidden_command_is_refused_with_126(self):
        self.log_in("gina")
        done, _ = self.refused("deploy@node1", "uptime; id", person="gina", sentence=r"bastion: [^\n]+",
                               event="session.note|target.denied|session.refused")
        self.assertEqual((done.returncode, done.stdout), (126, b""))

    def test_allowed_command_of_the_same_rule_runs(self):
        self.log_in("gina")
        done = self.ssh("deploy@node1", "uptime", person="gina")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"load average", done.stdout)

    def test_forbidden_shell_is_refused(self):
        self.log_in("gina")
        with self.terminal("deploy@node1", person="gina") as terminal:
            self.assertNotEqual(terminal.wait(), 0)
            self.assertRegex(terminal.screen, r"bastion: |refused|not allow")
            self.assertNotIn("$ ", terminal.screen)

    def test_address_outside_the_grant_is_refused(self):
        for name in ("metadata", "itself"):
            with self.subTest(name=name):
                self.refused("node1", "true", options=[f"HostName={name}"], sentence=r"\[D-DIAL-ADDRESS\]",
                             event="target.not_reached", host=name)

    def test_address_instead_of_a_name_is_refused(self):
        for address in (self.lab.network.node_ip, "127.0.0.1", "::1", "169.254.169.254", "0x7f000001", "2130706433"):
            with self.subTest(address=address):
                mark = self.mark()
                done = self.ssh("node1", "true", options=[f"HostName={address}"])
                self.assert_refused(done, DENIAL_CODE, mark, "target.denied")

    def test_changed_host_key_is_refused(self):
        self.refused("node1", "true", options=["HostName=changed"], sentence=r"host key[^\n]*",
                     event="target.login_failed|target.host_key|session.note", host="changed")

    def test_host_without_known_key_is_refused(self):
        self.refused("node1", "true", options=["HostName=unlisted"], sentence=r"\[D-HOST-KEY\]", event="target.no_host_key",
                     host="unlisted")

    def test_host_that_does_not_answer_is_told(self):
        self.refused("node1", "true", options=["HostName=absent"], sentence=r"\[D-DIAL[A-Z-]*\]", event="target.not_reached",
                     host="absent")

    def test_name_that_does_not_resolve_is_told(self):
        names = self.lab.path("names", "hosts")
        before = read(names)
        with open(names, "r+", encoding="ascii") as file:  # in place: it is mounted over the bastion's /etc/hosts
            kept = [line for line in before.splitlines() if "nosuchname" not in line]
            file.write("\n".join(kept) + "\n")
            file.truncate()
        self.refused("node1", "true", options=["HostName=nosuchname"], sentence=r"\[D-DIAL-NAME\]", event="target.not_reached",
                     host="nosuchname")

    def test_forwards_and_agent_without_a_rule_are_refused(self):
        self.log_in("gina")
        for words in (("-R", "9999:127.0.0.1:9999"), ("-L", "9998:127.0.0.1:22")):
            with self.subTest(words=words):
                done = self.ssh(*words, "node1", "sleep 1; ss -Hltn 'sport = :9999' | wc -l", person="gina",
                                options=["ExitOnForwardFailure=no"])
                self.assertEqual(done.stdout.strip(), b"0", done.stderr)
        done = self.ssh("-A", "node1", "echo agent=$SSH_AUTH_SOCK", person="gina")
        self.assertEqual(done.stdout, b"agent=\n")

    def test_outer_connection_opens_no_shell(self):
        """`ssh bastion` is no login to the bastion's machine."""
        done = self.ssh("bastion", "cat /etc/passwd")
        self.assertNotIn(b"root:", done.stdout)
        self.assertNotEqual(done.returncode, 0)


class ReloadTest(LabCase):
    people = ("hugo",)

    def reload(self, text, event):
        write(self.lab.gateway.policy, text)
        mark = len(self.events())
        self.lab.gateway.reload()
        return eventually(lambda: self.events_since(mark, event=event), f"the event {event}")

    def test_1_bad_file_keeps_the_old_policy(self):
        good = read(self.lab.gateway.policy)
        for bad, says in ((good.replace("rules:", "rulez:"), "rulez"), (good + "\nx: [", ""), ("", ""),
                          (good.replace("can: { shell: true, exec: true, sftp: read }", "can: { shell: perhaps }"), "shell")):
            with self.subTest(bad=bad[-60:]):
                found = self.reload(bad, "policy.refused|policy.error")
                text = " ".join(str(event) for event in found)
                self.assertRegex(text, r"policy\.yaml" + (r":\d+:\d+" if says else ""))
                self.assertIn(says, text)
                self.assertEqual(self.ssh("node1", "echo as before").stdout, b"as before\n")
        self.reload(good, "policy.loaded")

    def test_2_failing_test_in_the_file_keeps_the_old_policy(self):
        good = read(self.lab.gateway.policy)
        self.reload(good.replace("deny: [shell node1 as deploy", "deny: [shell node1 as ec2-user"),
                    "policy.refused|policy.error")
        self.assertEqual(self.ssh("node1", "echo as before").stdout, b"as before\n")
        self.reload(good, "policy.loaded")

    def test_3_new_policy_holds_for_new_connections(self):
        good = read(self.lab.gateway.policy)
        without = re.sub(r"as: \[ec2-user, deploy\]\n    can: \{ shell: true, exec: true[^}]*\}",
                         "as: [deploy]\n    can: { exec: [[hostname]] }", good)
        self.assertNotEqual(good, without)
        self.addCleanup(self.reload, good, "policy.loaded")
        self.reload(without, "policy.loaded")
        self.assertEqual(self.ssh("node1", "hostname").stdout, b"node1\n")
        mark = len(self.events())
        self.assertEqual(self.ssh("node1", "id").returncode, 126)
        self.assert_refused(self.ssh("ec2-user@node1", "hostname"), DENIAL_CODE, mark, "target.denied")

    def test_4_live_session_survives_a_reload(self):
        child = self.ssh_start("node1", "cat")
        child.stdin.write(b"before\n")
        child.stdin.flush()
        self.assertEqual(child.stdout.readline(), b"before\n")
        self.reload(read(self.lab.gateway.policy) + "# a new hash\n", "policy.loaded")
        out, _err = child.communicate(b"after\n", timeout=60)
        self.assertEqual((out, child.returncode), (b"after\n", 0))

    def test_5_bad_policy_at_start_is_refused_with_its_place(self):
        good = read(self.lab.gateway.policy)
        self.assertEqual(self.lab.stop_daemon(), [])
        write(self.lab.gateway.policy, good.replace("rules:", "rulez:"))
        with self.assertRaisesRegex(Exception, r"policy\.yaml:\d+:\d+"):
            self.lab.start_daemon()
        write(self.lab.gateway.policy, good)
        self.lab.start_daemon()
        done = self.ssh("node1", "echo up")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"up\n", b""))


class LiveTest(LabCase):
    """What is open when the policy changes."""

    people = ("hugo",)

    def setUp(self):
        super().setUp()
        self.good = read(self.lab.gateway.policy)
        self.addCleanup(self.put_in_force, self.good)

    def put_in_force(self, text):
        write(self.lab.gateway.policy, text)
        mark = len(self.events())
        self.lab.gateway.reload()
        return eventually(lambda: self.events_since(mark, event="policy.loaded"), "the new policy")[0]

    def change(self, old, new):
        self.assertIn(old, self.good)
        return self.put_in_force(self.good.replace(old, new))

    def working(self, *words, **given):
        child = self.ssh_start(*words, "cat", **given)
        child.stdin.write(b"before\n")
        child.stdin.flush()
        self.assertEqual(child.stdout.readline(), b"before\n")
        return child

    def assert_ended(self, child, sentence, mark):
        _out, err = child.communicate(timeout=60)
        self.assertNotEqual(child.returncode, 0)
        self.assertRegex(err.decode(), "bastion: the policy was changed" + sentence)
        self.assertEqual(len(self.events_since(mark, event="session.withdrawn|connection.withdrawn")), 1)

    def assert_works_on(self, child):
        out, _err = child.communicate(b"after\n", timeout=60)
        self.assertEqual((out, child.returncode), (b"after\n", 0))

    def test_session_that_is_no_longer_allowed_is_ended(self):
        self.log_in("hugo")
        person = self.working("node1", person="hugo")
        machine = self.working("node1")
        before = self.sessions()
        mark = len(self.events())
        loaded = self.change("hugo]", "hugo-who-left]")
        self.assertEqual(loaded["ended"], 1)
        self.assert_ended(person, " and no longer names you", mark)
        self.assert_works_on(machine)
        eventually(lambda: self.closed(before, "hugo"), "its recording is closed")

    def closed(self, before, person):
        """The session of this person among those that were open before."""
        known = {one["id"] for one in before if one["person"] == person}
        found = [one for one in self.sessions() if one["id"] in known]
        return found and all(one["closed"] for one in found)

    def test_session_whose_account_is_taken_away_is_ended(self):
        child = self.working("deploy@node1")
        other = self.working("ec2-user@node1")
        mark = len(self.events())
        self.change("as: [ec2-user, deploy]\n    can: { shell: true, exec: true", "as: [ec2-user]\n    can: { shell: true, exec: true")
        self.assert_ended(child, "[^\n]*deploy" + "[^\n]*" + DENIAL_CODE, mark)
        self.assert_works_on(other)

    def test_session_that_may_do_less_is_ended(self):
        child = self.working("node1")
        mark = len(self.events())
        self.change("can: { shell: true, exec: true, sftp: write", "can: { exec: true, sftp: write")
        self.assert_ended(child, r" and no longer gives a shell here; please connect again \[D-CHANGED\]", mark)

    def test_session_that_may_do_more_goes_on(self):
        self.log_in("hugo")
        child = self.working("node1", person="hugo")
        mark = len(self.events())
        loaded = self.change("exec: true, sftp: read }", "exec: true, sftp: write, agent: true }")
        self.assertEqual(loaded["ended"], 0)
        self.assert_works_on(child)
        self.assertEqual(self.events_since(mark, event="session.withdrawn"), [])


class ManyReloadsTest(LabCase):
    """Two policies take turns while people come and go; each of them is consistent, a mixture is not."""

    RELOADS = 100
    LOGINS = 120 if IS_QUICK else 1000
    AT_ONCE = 4

    def setUp(self):
        super().setUp()
        self.good = read(self.lab.gateway.policy)

    def login(self, number):
        account = ("ec2-user", "deploy")[number % 2]
        done = self.ssh(f"{account}@node1", "echo in")
        return account, done

    def test_logins_during_reloads_see_one_policy_or_the_other(self):
        rule = "as: [ec2-user, deploy]\n    can: { shell: true, exec: true"
        self.assertIn(rule, self.good)
        policies = [self.good.replace("id: ci-nodes", f"id: {name}").replace(rule, rule.replace("ec2-user, deploy", account))
                    for name, account in (("only-ec2-user", "ec2-user"), ("only-deploy", "deploy"))]
        # Each rule's name says whom it allows.
        policies = [re.sub(r"(?s)\ntests:.*", "\n", policy) for policy in policies]
        mark = len(self.events())
        reloads = threading.Thread(target=self.reload_in_turn, args=(policies,))
        reloads.start()
        with concurrent.futures.ThreadPoolExecutor(self.AT_ONCE) as pool:
            answers = list(pool.map(self.login, range(self.LOGINS)))
        reloads.join()
        self.assertEqual(self.events_since(mark, event="policy.refused|policy.error|ipc.violation|session.killed"), [])
        let_in = [account for account, done in answers if done.returncode == 0 and done.stdout == b"in\n"]
        for account, done in answers:
            if (done.returncode, done.stdout) != (0, b"in\n"):
                self.assertRegex(done.stderr.decode(), "bastion: [^\n]*" + DENIAL_CODE, account)
        started = self.events_since(mark, event="session.started")
        self.assertEqual(len(started) >= len(let_in), True)
        for event in started:
            self.assertEqual(event["rule"], "only-" + event["account"])
        self.assertTrue(let_in)
        self.assertLess(len(let_in), len(answers), "both policies were seen")

    def reload_in_turn(self, policies):
        """Each is in force before the next is written, so that all of them are seen."""
        for number in range(self.RELOADS):
            mark = len(self.events())
            write(self.lab.gateway.policy, policies[number % 2])
            self.lab.gateway.reload()
            eventually(lambda: self.events_since(mark, event="policy.loaded"), "the new policy")


class OperatorTest(LabCase):
    """The command line about the policy."""

    def test_check_passes_a_good_policy(self):
        self.assertEqual(self.bastion("policy", "check", self.lab.gateway.policy).returncode, 0)

    def test_check_names_the_place_of_a_mistake(self):
        bad = self.lab.path("bad.yaml")
        write(bad, read(self.lab.gateway.policy).replace("rules:", "rulez:"))
        done = self.bastion("policy", "check", bad, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stdout + done.stderr, r"bad\.yaml:\d+:\d+.*rulez")

    def test_explain_says_what_the_gateway_does(self):
        question = ["policy", "explain", self.lab.gateway.policy, "--user", "deploy-bot", "--from", self.lab.network.user_ip]
        said = self.bastion(*question, "exec node1 as root: true", check=False)
        self.assertEqual(said.returncode, 1)
        code = re.search(DENIAL_CODE, self.ssh("root@node1", "true").stderr.decode())[0].strip("[]")
        self.assertIn(code, said.stdout)
        said = self.bastion(*question, "exec node1 as deploy: true")
        self.assertIn("ci-nodes", said.stdout)

    def test_policy_of_the_past_answers_who_could_reach_what(self):
        good = read(self.lab.gateway.policy)
        began = eventually(lambda: self.history(), "the policy of the start is in the log")[0]
        mark = len(self.events())
        write(self.lab.gateway.policy, good.replace("login_as: [ec2-user, deploy]", "login_as: [ec2-user, deploy, root]")
              .replace("as: [ec2-user, deploy]\n    can: { shell: true", "as: [ec2-user, deploy, root]\n    can: { shell: true"))
        self.lab.gateway.reload()
        loaded = eventually(lambda: self.events_since(mark, event="policy.loaded"), "the new policy")[0]
        self.addCleanup(self.lab.gateway.reload)
        self.addCleanup(write, self.lab.gateway.policy, good)
        self.assertRegex(loaded["differences"], r"^\d+ gained, 0 lost: \+ deploy-bot: shell on nodes as root, from ")
        history = eventually(lambda: self.history() if len(self.history()) > 1 else None, "both are in the log")
        self.assertEqual([one["sha256"] for one in history], [began["sha256"], loaded["policy"]])
        for one, can in ((history[0], False), (history[-1], True)):
            said = self.bastion("policy", "who-can", one["file"], "node1").stdout
            self.assertEqual("deploy-bot as root" in said, can, said)
        at = self.bastion("policy", "at", "0s", "--config", self.lab.gateway.config)
        self.assertEqual(at.stdout.strip(), history[-1]["file"])
        self.assertEqual(self.bastion("policy", "at", "2020-01-01", "--config", self.lab.gateway.config, check=False).returncode, 1)
        self.assertEqual(self.bastion("policy", "diff", history[0]["file"], history[0]["file"]).returncode, 0)

    def history(self):
        said = self.bastion("policy", "history", "--json", "--config", self.lab.gateway.config, check=False).stdout
        return [json.loads(line) for line in said.splitlines()]

    def test_replay_asks_the_past_of_another_policy(self):
        self.assertEqual(self.ssh("node1", "echo in").stdout, b"in\n")
        self.assertNotEqual(self.ssh("root@node1", "true").returncode, 0)
        good = read(self.lab.gateway.policy)
        new = self.lab.path("new.yaml")
        replay = ["policy", "replay", "--json", "--config", self.lab.gateway.config]
        eventually(lambda: json.loads(self.bastion(*replay, self.lab.gateway.policy).stdout)["asked"] >= 2, "both are in the log")
        write(new, re.sub(r"as: \[ec2-user, deploy\]\n    can: \{ shell: true, exec: true", "as: [root]\n    can: { shell: true, exec: true",
                          good.replace("login_as: [ec2-user, deploy]", "login_as: [ec2-user, deploy, root]")))
        done = self.bastion(*replay, new, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        changes = {(one["account"], one["change"]) for one in json.loads(done.stdout)["changes"] if one["person"] == "deploy-bot"}
        self.assertEqual(changes & {("deploy", "denied"), ("root", "allowed")}, {("deploy", "denied"), ("root", "allowed")})
        said = self.bastion("policy", "replay", "--since", "1h", "--config", self.lab.gateway.config, new, check=False).stdout
        self.assertRegex(said, r"(?m)^\+ deploy-bot at node1:22 as root: 1 times, .*\n    was denied \(D-AS-[0-9a-f]+\), would be allowed by: ci-nodes$")

    def test_signals_end_the_daemon_in_order(self):
        child = self.ssh_start("node1", "cat")
        child.stdin.write(b"x\n")
        child.stdin.flush()
        child.stdout.readline()
        entry = self.lab.gateway.daemon
        processes.send(entry, signal.SIGTERM)
        self.assertEqual(processes.wait_gone([entry], 30), [])
        _out, err = child.communicate(timeout=60)
        self.assertNotEqual(child.returncode, 0)
        self.assertIn(b"bastion", err)
        self.lab.start_daemon()
