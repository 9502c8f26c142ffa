#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unit_test.h"

/* A policy in sections, so that a row can put something else in the place of one. */
enum section { HEAD, NETWORKS, PEOPLE, TARGETS, RULES, NEVER, DEFAULTS, TESTS, SECTION_COUNT };
static const char *const GOOD[SECTION_COUNT] = {
    "version: 1\n",
    "networks: { vpn: [100.64.0.0/10], nodes: [10.20.0.0/16] }\n",
    "people:\n  dba: { users: [alice, bob] }\n  ci: { users: [bot], machine: true }\n",
    "targets:\n  web:\n    kind: ssh\n    hosts: [\"*.prod.internal\", node1]\n    addresses: [nodes]\n"
    "    login_as: [ec2-user, deploy]\n    host_keys: { known_hosts: hosts }\n    labels: { env: prod }\n",
    "rules:\n"
    "- { id: dba, who: [dba], to: [web], as: [ec2-user], can: { shell: true }, when: { mfa: 8h, from: [vpn] "
    "} }\n"
    "- { id: ci, who: [ci], to: [\"env=prod\"], as: [deploy], can: { exec: [[/bin/d, \"*\"]] }, when: { "
    "from: [10.9.0.1] } }\n",
    "never: [{ id: no-agent, deny: [agent] }]\n",
    "defaults: { limits: { session: 1h } }\n",
    "tests: [{ name: t, as: { user: alice, from: 100.64.0.1, mfa_age: 1m }, allow: [shell node1 as ec2-user] "
    "}]\n",
};

enum { TEXT_BYTES = 1 << 16 };

static void put_together(char *text, enum section replaced, const char *replacement)
{
    text[0] = 0;
    for (unsigned i = 0; i < SECTION_COUNT; i++) {
        const char *part = i == (unsigned)replaced ? replacement : GOOD[i];
        assert_true(strlen(text) + strlen(part) < TEXT_BYTES);
        strcat(text, part);
    }
}

static enum err load(struct cursor bytes, struct policy_report *report)
{
    struct policy *policy = NULL;
    enum err err = policy_load(bytes, "p.yaml", report, &policy);
    assert_true((err == ERR_NONE) == (policy != NULL));
    assert_true((err == ERR_NONE) == (report->findings.error_count == 0));
    policy_free(policy);
    return err;
}

static void load_good_policy_has_no_findings(void **state)
{
    (void)state;
    char text[TEXT_BYTES];
    put_together(text, SECTION_COUNT, "");
    struct policy_report report;
    assert_int_equal(load(cursor_of_text(text), &report), ERR_NONE);
    assert_int_equal(report.findings.count, 0);
    assert_int_equal(report.people_count, 3);
    assert_int_equal(report.target_count, 1);
    assert_int_equal(report.rule_count, 2);
    assert_int_equal(report.never_count, 1);
    assert_int_equal(report.test_count, 1);
}

#define TARGET(keys)                                                                                         \
    "targets: { web: { kind: ssh, hosts: [node1], addresses: [nodes], login_as: [ec2-user, deploy], "        \
    "host_keys: { known_hosts: h }, labels: { env: prod }" keys " } }\n"
#define RULE(keys) "rules: [{ id: r, who: [dba], to: [web], as: [ec2-user]" keys " }]\n"

/* Each line: the section that is replaced, by what, and what the report must then say (among others). */
static const struct {
    enum section section;
    const char *text, *finding;
} ROWS[] = {
    {HEAD, "", "p.yaml:1:1: the policy needs the key \"version\""},
    {HEAD, "version: 2\n", "p.yaml:1:10: \"version\" must be 1"},
    {HEAD, "version: '1'\n", "p.yaml:1:10: \"version\" must be 1"},
    {HEAD, "version: 1\nmode: observe\n", "p.yaml:2:7: warning: \"mode: observe\" denies nothing"},
    {HEAD, "version: 1\nmode: off\n", "p.yaml:2:7: \"mode\" must be enforce or observe"},
    {HEAD, "version: 1\nversion: 1\n", "p.yaml:2:1: the key \"version\" is here already, in line 1"},
    {HEAD, "version: 1\nrulse: []\n", "p.yaml:2:1: the policy has no key \"rulse\"; did you mean \"rules\"?"},
    {HEAD, "version: 1\nxyz: []\n",
     "p.yaml:2:1: the policy has no key \"xyz\"; its keys are version, mode, networks, people, targets, "
     "rules, never, "
     "defaults, tests"},
    {HEAD, "version: 1\n---\na: b\n", "p.yaml:2:1: a second document (---) in one file is not allowed"},
    {HEAD, "%YAML 1.1\n---\nversion: 1\n", "p.yaml:1:1: directives (%) are not allowed"},
    {HEAD, "version: &a 1\n",
     "p.yaml:1:10: anchors (&name) are not allowed; write the value where it is used"},
    {HEAD, "version: !!int 1\n", "p.yaml:1:10: tags (!name) are not allowed"},
    {HEAD, "version: *a\n", "p.yaml:1:10: aliases (*name) are not allowed; write the value out"},
    {HEAD, "version: 1 # \xe2\x80\xae\n",
     "p.yaml:1:14: an invisible character that can change what a reader sees is not allowed"},
    {HEAD, "version: 1 # \x1b[2J\n", "p.yaml:1:14: a control character is not allowed"},
    {HEAD, "version: 1 # \xff\n", "p.yaml:1:14: this is not valid UTF-8"},
    {HEAD, "version: 1 # \xc0\xaf\n", "p.yaml:1:14: this is not valid UTF-8"},
    {HEAD, "version: 1\nmode: \"en\\0force\"\n", "p.yaml:2:7: a control character is not allowed"},
    {HEAD, "version: [1\n", "did not find expected ',' or ']'"},
    {HEAD, "version: 1\n? [a]\n: b\n", "p.yaml:2:3: a key must be a text"},

    {NETWORKS, "networks: { vpn: [100.64.0.0/10], nodes: [10.20.0.1/16] }\n",
     "p.yaml:2:43: \"10.20.0.1/16\" has bits set behind its prefix; write the network's first address"},
    {NETWORKS, "networks: { vpn: [100.64.0.0/10], nodes: [nodess] }\n",
     "p.yaml:2:43: \"nodess\" is no name of \"networks\" and no network such as 10.20.0.0/16"},
    {NETWORKS, "networks: { vpn: [], nodes: [10.20.0.0/16] }\n",
     "p.yaml:2:18: \"vpn\" must be a list that is not empty"},
    {NETWORKS, "networks: { vpn: 100.64.0.0/10, nodes: [10.20.0.0/16] }\n",
     "p.yaml:2:18: \"vpn\" must be a list, such as [a, b]"},
    {NETWORKS, "networks: { Vpn: [100.64.0.0/10], nodes: [10.20.0.0/16] }\n",
     "p.yaml:2:13: \"Vpn\" cannot be a network name: a small letter, then small letters, digits and ._-, at "
     "most 63 in all"},
    {NETWORKS, "networks: { vpn: [100.64.0.0/10], nodes: [10.20.0.0/16], x: [10.0.0.0/8] }\n",
     "p.yaml:2:58: warning: network \"x\" is not used"},
    {NETWORKS, "networks: { vpn: [100.64.0.0/10], nodes: [10.20.0.0/16, 10.20.0.0/16] }\n",
     "p.yaml:2:57: \"10.20.0.0/16\" is in this list twice"},

    {PEOPLE, "people: {}\n", "p.yaml:3:9: \"people\" must be a map that is not empty"},
    {PEOPLE, "", "p.yaml:1:1: the policy needs the key \"people\""},
    {PEOPLE, "people: { dba: { users: [] } }\n", "p.yaml:3:25: \"users\" must be a list that is not empty"},
    {PEOPLE, "people: { dba: { usres: [a] } }\n",
     "p.yaml:3:18: a group of people has no key \"usres\"; did you mean \"users\"?"},
    {PEOPLE, "people: { dba: { users: [alice, Bob] } }\n",
     "p.yaml:3:33: \"Bob\" cannot be a person: a small letter, then small letters, digits and ._-, at most "
     "32"},
    {PEOPLE, "people: { dba: { users: [alice, alice] } }\n", "p.yaml:3:33: \"alice\" is in this list twice"},
    {PEOPLE, "people: { dba: { users: [alice], principals: [\"a,b\"] } }\n",
     "p.yaml:3:47: \"a,b\" cannot be a principal: at most 255 bytes, no comma"},
    {PEOPLE, "people: { dba: { machine: false } }\n",
     "p.yaml:3:16: a group of people needs \"users\" or \"principals\""},
    {PEOPLE, "people: { dba: { users: [alice] }, ci: { users: [bot], principals: [x], machine: true } }\n",
     "p.yaml:3:40: a group of machines cannot have \"principals\": name its users"},
    {PEOPLE, "people: { dba: { users: [alice], machine: yes } }\n",
     "p.yaml:3:43: \"machine\" must be true or false"},
    {PEOPLE, "people: { dba: { users: [alice], machine: \"true\" } }\n",
     "p.yaml:3:43: \"machine\" must be true or false"},
    {PEOPLE, "people: { dba: { users: [alice] }, ci: { users: [bot, alice], machine: true } }\n",
     "p.yaml:3:36: \"alice\" is in a group of machines and in one of people: \"dba\" and \"ci\""},
    {PEOPLE,
     "people: { dba: { users: [alice] }, ci: { users: [bot], machine: true }, idle: { users: [x] } }\n",
     "p.yaml:3:73: warning: group \"idle\" is in no rule"},
    {PEOPLE, "people: { dba: [alice] }\n", "p.yaml:3:16: \"dba\" must be a map, such as { key: value }"},

    {TARGETS, TARGET(", kind2: ssh"), "a target has no key \"kind2\"; did you mean \"kind\"?"},
    {TARGETS, TARGET(", port: 0"), "\"port\" must be a number from 1 to 65535"},
    {TARGETS, TARGET(", port: 65536"), "\"port\" must be a number from 1 to 65535"},
    {TARGETS, TARGET(", port: \"22\""), "\"port\" must be a number from 1 to 65535"},
    {TARGETS, TARGET(", port: 0x16"), "\"port\" must be a number from 1 to 65535"},
    {TARGETS, TARGET(", login: client"), "a target has no key \"login\"; its keys are kind, hosts"},
    {TARGETS, "targets: { web: { kind: postgres, hosts: [a], db: x } }\n",
     "p.yaml:6:47: a target of kind postgres has no key \"db\"; its keys are kind, hosts"},
    {TARGETS, "targets: { web: { kind: telnet } }\n",
     "p.yaml:6:25: \"kind\" must be ssh, postgres, mysql, tcp or internal"},
    {TARGETS, "targets: { web: { kind: tcp, hosts: [a], addresses: [10.0.0.1] } }\n",
     "p.yaml:6:17: a target of kind tcp needs the key \"port\""},
    {TARGETS, "targets: { web: { kind: tcp, hosts: [a], addresses: [10.0.0.1], port: 1, login_as: [x] } }\n",
     "a target of kind tcp has no key \"login_as\""},
    {TARGETS, "targets: { web: { kind: tcp, hosts: [a], addresses: [10.0.0.1], port: 1 } }\n",
     "rule \"dba\" is for targets of kind tcp: only \"connect\" can be allowed"},
    {TARGETS, "targets: { web: { kind: ssh } }\n", "p.yaml:6:17: a target needs the key \"addresses\""},
    {TARGETS, "targets: { web: { kind: ssh, hosts: [a**] } }\n",
     "p.yaml:6:38: \"a**\" cannot be a host: a label can have one \"*\" only"},
    {TARGETS, "targets: { web: { kind: ssh, hosts: [a..b] } }\n",
     "p.yaml:6:38: \"a..b\" cannot be a host: it has an empty label between two dots or at an end"},
    {TARGETS, "targets: { web: { kind: ssh, addresses: [0.0.0.0/0] } }\n",
     "p.yaml:6:41: 0.0.0.0/0 can be no address of a target: it overlaps 0.0.0.0/8 (this host)"},
    {TARGETS, "targets: { web: { kind: ssh, addresses: [169.254.169.254] } }\n",
     "169.254.169.254 can be no address of a target: it overlaps 169.254.0.0/16 (link-local, cloud "
     "metadata)"},
    {TARGETS, "targets: { web: { kind: ssh, addresses: [\"::ffff:127.0.0.1\"] } }\n",
     "127.0.0.1 can be no address of a target: it overlaps 127.0.0.0/8 (loopback)"},
    {TARGETS, "targets: { web: { kind: ssh, addresses: [\"fd00:ec2::254\"] } }\n",
     "fd00:ec2::254 can be no address of a target: it overlaps fd00:ec2::254 (cloud metadata)"},
    {TARGETS, "targets: { web: { kind: ssh, addresses: [node] } }\n",
     "p.yaml:6:42: \"node\" is no name of \"networks\" and no network such as 10.20.0.0/16; did you mean "
     "\"nodes\"?"},
    {TARGETS, "targets: { web: { kind: ssh, host_keys: { known_hosts: ../x } } }\n",
     "p.yaml:6:56: \"known_hosts\" must be the name of a file beside the policy, without \"/\" and leading "
     "\".\""},
    {TARGETS, "targets: { web: { kind: ssh, host_keys: { known_hosts: x, ca: [y, ../z] } } }\n",
     "p.yaml:6:67: \"ca\" must be the name of a file beside the policy, without \"/\" and leading \".\""},
    {TARGETS, "targets: { web: { kind: ssh, host_keys: { ca: [] } } }\n", "p.yaml:6:47: "},
    {TARGETS, "targets: { web: { kind: ssh, host_keys: { ca: [a, b, c, d, e, f, g, h, i] } } }\n",
     "p.yaml:6:47: "},
    {TARGETS, "targets: { web: { kind: ssh, host_keys: {} } }\n",
     "p.yaml:6:41: \"host_keys\" must be a map that is not empty"},
    {TARGETS, "targets: { web: { kind: ssh, login_as: [-x] } }\n",
     "p.yaml:6:41: \"-x\" cannot be an account: a letter or _, then letters, digits and ._-"},
    {TARGETS,
     "targets:\n"
     "  a: { kind: ssh, hosts: [\"*.x\"], addresses: [nodes], login_as: [u], host_keys: { known_hosts: h } "
     "}\n"
     "  web: { kind: ssh, hosts: [\"node*.X\", node1], addresses: [nodes], login_as: [ec2-user, deploy], "
     "host_keys: { known_hosts: h }, labels: { env: prod } }\n",
     "p.yaml:8:3: host \"node*.x\" of target \"web\" overlaps \"*.x\" of target \"a\" on port 22"},
    {TARGETS,
     "targets:\n"
     "  a: { kind: ssh, hosts: [node1], addresses: [nodes], login_as: [u], host_keys: { known_hosts: h } }\n"
     "  web: { kind: ssh, hosts: [NODE1], addresses: [nodes], login_as: [ec2-user, deploy], host_keys: { "
     "known_hosts: h }, labels: { env: prod } }\n",
     "p.yaml:8:3: host \"node1\" of target \"web\" overlaps \"node1\" of target \"a\" on port 22"},
    {TARGETS,
     "targets:\n"
     "  a: { kind: ssh, hosts: [node1], port: 2222, addresses: [nodes], login_as: [u], host_keys: { "
     "known_hosts: h } }\n"
     "  web: { kind: ssh, hosts: [node1], addresses: [nodes], login_as: [ec2-user, deploy], host_keys: { "
     "known_hosts: h }, labels: { env: prod } }\n",
     "p.yaml:7:3: warning: target \"a\" is in no rule"},

    {RULES, "rules: []\n", "p.yaml:14:8: \"rules\" must be a list that is not empty"},
    {RULES, "rules: [x]\n", "p.yaml:14:9: \"a rule\" must be a map, such as { key: value }"},
    {RULES, RULE(""), "p.yaml:14:9: a rule needs the key \"can\""},
    {RULES, RULE(", can: { shell: false }"), "\"can\" allows nothing"},
    {RULES, RULE(", can: { shel: true }"), "\"can\" has no key \"shel\"; did you mean \"shell\"?"},
    {RULES, RULE(", can: { db: {} }"), "\"db\" must be a map that is not empty"},
    {RULES, RULE(", can: { exec: [] }"), "\"exec\" must be true, false or a list of commands"},
    {RULES, RULE(", can: { exec: [uptime] }"),
     "a command is a list of words, such as [/usr/bin/systemctl, status, \"*\"]"},
    {RULES, RULE(", can: { exec: [[\"*\"]] }"),
     "\"*\" cannot be a word of a command: the first word names the program and cannot have a \"*\""},
    {RULES, RULE(", can: { exec: [[ls, a;b]] }"),
     "\"a;b\" cannot be a word of a command: it holds a character that a shell could act on"},
    {RULES, RULE(", can: { sftp: { write: [\"/srv/**/x\"] } }"),
     "\"/srv/**/x\" cannot be a path: \"**\" can only be its last step"},
    {RULES, RULE(", can: { sftp: { write: [srv] } }"),
     "\"srv\" cannot be a path: it must be an absolute path"},
    {RULES, RULE(", can: { sftp: { append: [/srv] } }"), "\"sftp\" has no key \"append\""},
    {RULES, RULE(", can: { sftp: {} }"), "\"sftp\" must be a map that is not empty"},
    {RULES, RULE(", can: { sftp: rw }"),
     "\"sftp\" must be read, write, true (as write), false or lists of paths"},
    {RULES, RULE(", can: { forward: 9090 }"),
     "\"forward\" must be true, false or a list of places such as \"localhost:9090\""},
    {RULES, RULE(", can: { forward: [\"localhost:0\"] }"),
     "\"localhost:0\" cannot be a place of \"forward\": its port must be 1 to 65535, or \"*\""},
    {RULES, RULE(", can: { forward: [\"fd00::1:80\"] }"),
     "\"fd00::1:80\" cannot be a place of \"forward\": it must be host:port, network:port, [IPv6]:port or "
     "unix:/path"},
    {RULES, RULE(", can: { remote_forward: [\"10.1.2.3/8:80\"] }"),
     "\"10.1.2.3/8:80\" cannot be a place of \"remote_forward\": bits are set behind the prefix of its "
     "network"},
    {RULES, RULE(", can: { forward: [\"unix:run/x\"] }"),
     "\"unix:run/x\" cannot be a place of \"forward\": a path must be absolute, with at most 107 bytes"},
    {RULES, RULE(", can: { connect: true }"), "rule \"r\" has \"connect\", but no target of kind tcp"},
    {RULES, RULE(", can: { shell: true }, when: { hours: x }"),
     "\"x\" cannot be hours: it must be days, times"},
    {RULES, RULE(", can: { shell: true }, when: { hours: [\"Mon 08:00-09:00 Europe/Berlim\"] }"),
     "this system knows no time zone \"Europe/Berlim\""},
    {RULES, RULE(", can: { shell: true }, when: { hours: \"Mon 08:00-09:00 ../passwd\" }"),
     "this system knows no time zone \"../passwd\""},
    {RULES, RULE(", can: { shell: true }, when: { hours: [] }"),
     "\"hours\" must be a list that is not empty"},
    {RULES, RULE(", can: { shell: true }, when: { until: 2026-02-30 }"), "\"until\" must be a day such as"},
    {RULES, RULE(", can: { shell: true }, when: { reason: \"**\" }"),
     "\"reason\" must be required, or a pattern"},
    {RULES, RULE(", can: { shell: true }, when: { key: yes }"), "\"key\" must be touched or verified"},
    {RULES, RULE(", can: { shell: true }, when: { mfa_by_key: true }"),
     "\"mfa_by_key\" says how \"mfa\" can be met: there is none"},
    {RULES,
     "rules: [{ id: r, who: [ci], to: [web], as: [deploy], can: { shell: true }, when: { from: [vpn], "
     "reason: "
     "required } }]\n",
     "p.yaml:14:9: rule \"r\" is for machines (\"ci\"), which give no reason: remove \"reason\""},
    {RULES, RULE(", can: { shell: true }, when: { approval: x }"),
     "\"approval\" is not supported by this version"},
    {RULES, RULE(", can: { shell: true }, when: { mfa: 15 }"),
     "\"mfa\" must be a time such as 90s, 15m, 8h or 30d"},
    {RULES, RULE(", can: { shell: true }, when: { mfa: 10s }"),
     "\"mfa\" must be a time from 60s to 2592000s"},
    {RULES, RULE(", can: { shell: true }, when: { from: [vpm] }"),
     "\"vpm\" is no name of \"networks\" and no network such as 10.20.0.0/16; did you mean \"vpn\"?"},
    {RULES, RULE(", can: { shell: true }"),
     "p.yaml:14:9: warning: rule \"r\" asks people for no second factor"},
    {RULES, RULE(", can: { agent: true }, when: { mfa: 1h }"),
     "p.yaml:14:9: warning: rule \"r\" has no effect: \"never\" takes all of it away"},
    {RULES, RULE(", can: { shell: true }, record: { exec: 1EiB }"),
     "\"exec\" must be counts, or a size up to 1GiB such as 64KiB or 8MiB"},
    {RULES, RULE(", can: { shell: true }, record: { exec: 2GiB }"),
     "\"exec\" must be counts, or a size up to 1GiB such as 64KiB or 8MiB"},
    {RULES, RULE(", can: { shell: true }, record: { params: some }"),
     "\"params\" must be none, hash or full"},
    {RULES, RULE(", can: { shell: true }, record: { params: hash, db: { params: full } }"),
     "\"params\" is given twice, also in \"db\""},
    {RULES, RULE(", can: { shell: true }, record: { db: { results: rows } }"), "\"results\" must be counts"},
    {RULES, RULE(", can: { shell: true, db: { users: [u], databases: [d] } }"),
     "rule \"r\" allows \"db\", which no target of it knows"},
    {RULES, RULE(", can: { shell: true }, record: { terminal: none }"),
     "\"terminal\" must be output; this version supports nothing else"},
    {RULES, RULE(", can: { shell: true }, record: { input: some }"), "\"input\" must be none or all"},
    {RULES, RULE(", can: { shell: true }, limits: { session: 1s }"),
     "\"session\" must be a time from 10s to 2592000s"},
    {RULES, RULE(", can: { shell: true }, limits: { connections_per_person: 0 }"),
     "\"connections_per_person\" must be a number from 1 to 1000"},
    {RULES, RULE(", can: { shell: true }, limits: { sessions: 1 }"),
     "\"limits\" of a rule has no key \"sessions\""},
    {RULES, "rules: [{ id: r, who: [dbaa], to: [web], as: [ec2-user], can: { shell: true } }]\n",
     "p.yaml:14:24: no group is called \"dbaa\"; did you mean \"dba\"?"},
    {RULES, "rules: [{ id: r, who: [alice], to: [web], as: [ec2-user], can: { shell: true } }]\n",
     "p.yaml:14:24: no group is called \"alice\"; it is a person, and rules name groups"},
    {RULES, "rules: [{ id: r, who: [], to: [web], as: [ec2-user], can: { shell: true } }]\n",
     "p.yaml:14:23: \"who\" must be a list that is not empty"},
    {RULES, "rules: [{ id: r, who: [dba], to: [wep], as: [ec2-user], can: { shell: true } }]\n",
     "p.yaml:14:35: no target is called \"wep\"; did you mean \"web\"?"},
    {RULES, "rules: [{ id: r, who: [dba], to: [\"env=prd\"], as: [ec2-user], can: { shell: true } }]\n",
     "p.yaml:14:35: no target has the label \"env=prd\"; did you mean \"env=prod\"?"},
    {RULES, "rules: [{ id: r, who: [dba], to: [\"env=prod,x=y\"], as: [ec2-user], can: { shell: true } }]\n",
     "p.yaml:14:35: no target has the label \"x=y\""},
    {RULES, "rules: [{ id: r, who: [dba], to: [{ env: prd }], as: [ec2-user], can: { shell: true } }]\n",
     "p.yaml:14:37: no target has the label \"env=prd\"; did you mean \"env=prod\"?"},
    {RULES, "rules: [{ id: r, who: [dba], to: [{}], as: [ec2-user], can: { shell: true } }]\n",
     "p.yaml:14:35: \"labels\" must be a map that is not empty"},
    {RULES, "rules: [{ id: r, who: [dba], to: [web, [web]], as: [ec2-user], can: { shell: true } }]\n",
     "p.yaml:14:40: \"an item of \"to\"\" must be one text"},
    {RULES, "rules: [{ id: r, who: [dba], to: [web], as: [root], can: { shell: true } }]\n",
     "p.yaml:14:45: no target of rule \"r\" has \"root\" in its \"login_as\""},
    {RULES, "rules: [{ id: r, who: [dba], to: [web], can: { shell: true } }]\n",
     "p.yaml:14:9: a rule needs the key \"as\""},
    {RULES, "rules: [{ id: r, who: [ci], to: [web], as: [deploy], can: { shell: true } }]\n",
     "p.yaml:14:9: rule \"r\" is for machines (\"ci\"): it needs \"from\" in \"when\""},
    {RULES,
     "rules: [{ id: r, who: [ci], to: [web], as: [deploy], can: { shell: true }, when: { from: [vpn], mfa: "
     "1h } }]\n",
     "p.yaml:14:9: rule \"r\" is for machines (\"ci\"), which have no second factor: remove \"mfa\""},
    {RULES,
     "rules: [{ id: r, who: [ci, dba], to: [web], as: [deploy], can: { shell: true }, when: { from: [vpn] } "
     "}]\n",
     "p.yaml:14:9: rule \"r\" is for machines (\"ci\") and for people (\"dba\"); write two rules"},
    {RULES,
     "rules:\n- { id: r, who: [dba], to: [web], as: [ec2-user], can: { shell: true }, when: { mfa: 1h } }\n"
     "- { id: r, who: [dba], to: [web], as: [ec2-user], can: { shell: true }, when: { mfa: 1h } }\n",
     "p.yaml:16:3: the id \"r\" is used already, in line 15"},

    {RULES,
     "rules:\n- { id: r, who: [dba], to: [web], as: [ec2-user, deploy], can: { shell: true, exec: true }, "
     "when: { mfa: "
     "8h } }\n- { id: s, who: [dba], to: [web], as: [ec2-user], can: { exec: [[id]] }, when: { mfa: 1h, "
     "from: [vpn] } "
     "}\n",
     "p.yaml:16:3: warning: rule \"s\" adds nothing: rule \"r\" (p.yaml:15) gives all of it"},
    {RULES,
     "rules:\n- { id: r, who: [dba], to: [web], as: [ec2-user], can: { shell: true }, when: { mfa: 8h } }\n"
     "- { id: s, who: [dba], to: [web], as: [ec2-user], can: { shell: true }, when: { mfa: 8h } }\n",
     "p.yaml:16:3: warning: rule \"s\" adds nothing: rule \"r\" (p.yaml:15) gives all of it"},
    {NEVER, "never: [{ id: dba, deny: [agent] }]\n",
     "p.yaml:17:9: the id \"dba\" is used already, in line 15"},
    {NEVER, "never: [{ id: n }]\n", "p.yaml:17:9: an entry of \"never\" needs the key \"deny\""},
    {NEVER, "never: [{ id: n, deny: [shel] }]\n",
     "p.yaml:17:25: \"shel\" is nothing that can be denied; did you mean \"shell\"?"},
    {NEVER, "never: [{ id: n, deny: [] }]\n", "p.yaml:17:24: \"deny\" must be a list that is not empty"},
    {NEVER, "never: [{ id: n, who: [], deny: [shell] }]\n",
     "p.yaml:17:23: \"who\" must be a list that is not empty"},
    {NEVER, "never: [{ id: n, deny: [shell], when: {} }]\n",
     "p.yaml:17:33: an entry of \"never\" has no key \"when\""},

    {DEFAULTS, "defaults: { if_recording_fails: allow }\n",
     "p.yaml:18:13: \"if_recording_fails\" is not supported by this version"},
    {DEFAULTS, "defaults: { limits: { channels_per_connection: 17 } }\n",
     "p.yaml:18:48: \"channels_per_connection\" must be a number from 1 to 16"},
    {DEFAULTS, "defaults: { record: { sftp: all } }\n",
     "p.yaml:18:29: \"sftp\" must be names or names+hashes"},

    {TESTS, "tests: [{ name: t, as: { user: alice } }]\n", "p.yaml:19:9: a test needs \"allow\" or \"deny\""},
    {TESTS, "tests: [{ name: t, as: { user: alice }, deny: [] }]\n",
     "\"deny\" must be a list that is not empty"},
    {TESTS, "tests: [{ name: t, as: { user: alice, at: now }, deny: [shell node1] }]\n",
     "p.yaml:19:43: \"at\" must be a time such as 2026-11-23T10:00:00+01:00"},
    {TESTS, "tests: [{ name: t, as: { user: alice, from: vpn }, deny: [shell node1] }]\n",
     "p.yaml:19:45: \"from\" of a test must be one numeric address"},
    {TESTS, "tests: [{ name: t, as: { user: alice }, deny: [shel node1] }]\n",
     "p.yaml:19:48: this is no line of a test: the first word must be"},
    {TESTS, "tests: [{ name: t, as: { user: alice, from: 100.64.0.1 }, allow: [shell node1 as ec2-user] }]\n",
     "p.yaml:19:67: test \"t\" failed: \"shell node1 as ec2-user\" should be allowed, but rule dba asks for "
     "a second factor that is at most 8h old"},
    {TESTS,
     "tests: [{ name: t, as: { user: alice, from: 100.64.0.1, mfa_age: 1m }, deny: [shell node1 as ec2-user] "
     "}]\n",
     "p.yaml:19:79: test \"t\" failed: \"shell node1 as ec2-user\" should be denied, but dba allows it"},
    {TESTS, "tests: [{ name: t, as: { user: alice }, deny: [shell nodex] }]\n",
     "p.yaml:19:48: warning: no target lists nodex:22"},
    {TESTS, "tests: [{ name: t, as: { user: mallory }, deny: [shell node1] }]\n",
     "p.yaml:19:32: warning: no group names \"mallory\""},
    {TESTS,
     "tests: [{ name: t, as: { user: alice, from: 100.64.0.1, mfa_age: 1m }, allow: [shell web as ec2-user] "
     "}]\n",
     NULL},
};

static bool has_finding(const struct yaml_report *report, const char *wanted)
{
    for (size_t i = 0; i < report->count; i++) {
        char line[YAML_LINE_BYTES];
        if (strstr(yaml_report_line(report, i, line), wanted) != NULL) {
            return true;
        }
    }
    return wanted == NULL;
}

static void load_each_mistake_is_told_with_its_place(void **state)
{
    (void)state;
    char text[TEXT_BYTES];
    unsigned failed = 0;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        put_together(text, ROWS[i].section, ROWS[i].text);
        struct policy_report report;
        enum err err = load(cursor_of_text(text), &report);
        bool is_harmless = ROWS[i].finding == NULL || strstr(ROWS[i].finding, "warning: ") != NULL;
        bool is_told = ROWS[i].finding == NULL ? report.findings.count == 0
                                               : has_finding(&report.findings, ROWS[i].finding);
        bool is_right = is_told && (is_harmless || err == ERR_MALFORMED);
        if (!is_right) {
            print_message("row %zu: %s  wanted: %s\n", i, ROWS[i].text,
                          ROWS[i].finding == NULL ? "-" : ROWS[i].finding);
            for (size_t j = 0; j < report.findings.count; j++) {
                char line[YAML_LINE_BYTES];
                print_message("  %s\n", yaml_report_line(&report.findings, j, line));
            }
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void load_cut_before_the_rules_is_refused(void **state)
{
    (void)state;
    char text[TEXT_BYTES];
    put_together(text, SECTION_COUNT, "");
    size_t len = strlen(text);
    const char *rules = strstr(text, "rules:");
    for (size_t cut = 0; cut < len; cut++) {
        struct policy_report report;
        enum err err = load(cursor_of(text, cut), &report);
        if (cut < (size_t)(rules - text)) { /* behind it, whole rules may be missing: that is YAML */
            assert_int_equal(err, ERR_MALFORMED);
        }
    }
}

static void load_many_errors_are_counted_and_twenty_kept(void **state)
{
    (void)state;
    char text[TEXT_BYTES];
    char people[TEXT_BYTES / 2] = "people:\n";
    for (int i = 0; i < 100; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "  g%d: { users: [A%d] }\n", i, i);
        strcat(people, line);
    }
    put_together(text, PEOPLE, people);
    struct policy_report report;
    assert_int_equal(load(cursor_of_text(text), &report), ERR_MALFORMED);
    assert_true(report.findings.error_count >= 100);
    assert_int_equal(report.findings.count, YAML_FINDINGS_MAX + report.findings.warning_count);
    for (size_t i = 1; i < report.findings.count; i++) {
        assert_true(report.findings.findings[i].line >= report.findings.findings[i - 1].line);
    }
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static void load_hostile_sizes_are_refused_at_once(void **state)
{
    (void)state;
    enum { HUGE_BYTES = 100 << 20 };
    struct timespec start;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    char *huge = calloc(1, HUGE_BYTES);
    assert_non_null(huge);
    struct policy_report report;
    assert_int_equal(load(cursor_of(huge, HUGE_BYTES), &report), ERR_TOO_LARGE);
    assert_true(has_finding(&report.findings, "p.yaml: the file is larger than 8 MiB"));
    assert_int_equal(load(cursor_of(NULL, 0), &report), ERR_MALFORMED);
    assert_true(has_finding(&report.findings, "p.yaml: the file is empty"));

    memset(huge, '[', 1 << 20);
    assert_int_equal(load(cursor_of(huge, 1 << 20), &report), ERR_TOO_LARGE);
    assert_true(has_finding(&report.findings, "lists and maps are nested too deeply"));

    for (size_t i = 0; i + 2 <= 4 << 20; i += 2) {
        memcpy(huge + i, i == 0 ? "- " : "a,", 2);
    }
    memcpy(huge, "x: [", 4);
    assert_int_equal(load(cursor_of(huge, 4 << 20), &report), ERR_TOO_LARGE);
    assert_true(has_finding(&report.findings, "the file has more than 500000 keys and values"));

    memset(huge, 'a', 8192);
    memcpy(huge, "x: ", 3);
    assert_int_equal(load(cursor_of(huge, 8192), &report), ERR_TOO_LARGE);
    assert_true(has_finding(&report.findings, "p.yaml:1:4: a text of more than 4096 bytes is not allowed"));
    free(huge);
    assert_true(seconds_since(&start) < 20); /* about 0.3 s; slow machines and sanitizers get time */
}

static void load_alias_bomb_is_refused(void **state)
{
    (void)state;
    char text[4096] = "a: &a [x,x,x,x,x,x,x,x,x]\n";
    for (char c = 'b'; c <= 'j'; c++) {
        char line[128];
        char p = (char)(c - 1);
        (void)snprintf(line, sizeof line, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, p, p, p, p,
                       p, p, p, p, p);
        strcat(text, line);
    }
    struct policy_report report;
    assert_int_equal(load(cursor_of_text(text), &report), ERR_MALFORMED);
    assert_true(has_finding(&report.findings, "p.yaml:2:8: aliases (*name) are not allowed"));
}

static void load_hash_is_sha256_of_the_bytes(void **state)
{
    (void)state;
    char text[TEXT_BYTES];
    put_together(text, SECTION_COUNT, "");
    struct policy_report report;
    struct policy *first = NULL;
    struct policy *second = NULL;
    assert_int_equal(policy_load(cursor_of_text(text), "p.yaml", &report, &first), ERR_NONE);
    strcat(text, "# other\n");
    assert_int_equal(policy_load(cursor_of_text(text), "p.yaml", &report, &second), ERR_NONE);
    assert_memory_not_equal(policy_sha256(first), policy_sha256(second), POLICY_HASH_BYTES);
    policy_free(first);
    policy_free(second);
    policy_free(NULL);
}

/* What looks like the same and is not: each of these has an effect. */
static void load_rules_that_add_something_are_not_warned_of(void **state)
{
    (void)state;
    static const char *const SECOND[] = {
        "as: [deploy], can: { shell: true }, when: { mfa: 8h, from: [vpn] }",
        "as: [ec2-user], can: { exec: true }, when: { mfa: 8h, from: [vpn] }",
        "as: [ec2-user], can: { shell: true }, when: { mfa: 8h, from: [10.0.0.0/8] }",
        "as: [ec2-user], can: { shell: true }, when: { mfa: 8h, from: [vpn] }, limits: { idle: 1m }",
        "as: [ec2-user], can: { shell: true }, when: { mfa: 8h, from: [vpn] }, record: { input: all }",
        "as: [ec2-user], can: { sftp: { read: [/srv/**] } }, when: { mfa: 8h, from: [vpn] }",
        "as: [ec2-user], can: { forward: [\"localhost:1\"] }, when: { mfa: 8h, from: [vpn] }",
    };
    for (size_t i = 0; i < COUNT_OF(SECOND); i++) {
        char rules[1024];
        char text[TEXT_BYTES];
        (void)snprintf(rules, sizeof rules,
                       "rules:\n- { id: r, who: [dba], to: [web], as: [ec2-user], can: { shell: true }, "
                       "when: { mfa: 8h, "
                       "from: [vpn] } }\n- { id: s, who: [dba], to: [web], %s }\n",
                       SECOND[i]);
        put_together(text, RULES, rules);
        struct policy_report report;
        assert_int_equal(load(cursor_of_text(text), &report), ERR_NONE);
        for (size_t j = 0; j < report.findings.count; j++) {
            if (strstr(report.findings.findings[j].message, "adds nothing") != NULL) {
                fail_msg("%s", SECOND[i]);
            }
        }
    }
}

int main(void)
{
    static const struct CMUnitTest RUN[] = {
        cmocka_unit_test(load_good_policy_has_no_findings),
        cmocka_unit_test(load_rules_that_add_something_are_not_warned_of),
        cmocka_unit_test(load_each_mistake_is_told_with_its_place),
        cmocka_unit_test(load_cut_before_the_rules_is_refused),
        cmocka_unit_test(load_many_errors_are_counted_and_twenty_kept),
        cmocka_unit_test(load_hostile_sizes_are_refused_at_once),
        cmocka_unit_test(load_alias_bomb_is_refused),
        cmocka_unit_test(load_hash_is_sha256_of_the_bytes),
    };
    return cmocka_run_group_tests(RUN, NULL, NULL);
}
