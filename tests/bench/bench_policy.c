/* How long loading and deciding take for a large policy: 10,000 people, 1,000 targets, 5,000 rules, and the
 * same decisions by the plain walk that policy_explain() does. Prints times and ratios; no limit is asserted.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/explain.h"
#include "policy/policy.h"

enum {
    PEOPLE = 10000,
    GROUP_SIZE = 10,
    TARGETS = 1000,
    RULES = 5000,
    FILE_BYTES = 8 << 20,
    DECISIONS = 200000
};

static double now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void write_people(FILE *out)
{
    (void)fprintf(out, "version: 1\nnetworks: { vpn: [100.64.0.0/10] }\npeople:\n");
    for (int group = 0; group < PEOPLE / GROUP_SIZE; group++) {
        (void)fprintf(out, "  team-%d: { users: [", group);
        for (int i = 0; i < GROUP_SIZE; i++) {
            (void)fprintf(out, "%sperson-%d, person-%d", i == 0 ? "" : ", ", group * GROUP_SIZE + i,
                          (group * GROUP_SIZE + i + GROUP_SIZE) % PEOPLE);
        }
        (void)fprintf(out, "] }\n");
    }
}

static void write_targets(FILE *out)
{
    (void)fprintf(out, "targets:\n");
    for (int i = 0; i < TARGETS; i++) {
        (void)fprintf(out,
                      "  service-%d:\n    kind: ssh\n    hosts: [\"*.service-%d.prod.internal\", node-%d, "
                      "\"ip-10-%d-*\"]\n"
                      "    addresses: [10.%d.%d.0/24]\n    login_as: [ec2-user, deploy]\n"
                      "    host_keys: { known_hosts: hosts }\n    labels: { env: e%d, team: t%d }\n",
                      i, i, i, i, i / 250, i % 250, i % 10, i % 100);
    }
}

static void write_rules(FILE *out)
{
    (void)fprintf(out, "rules:\n");
    for (int i = 0; i < RULES; i++) {
        char to[64];
        (void)snprintf(to, sizeof to, i % 10 == 0 ? "\"env=e%d,team=t%d\"" : "service-%d",
                       i % 10 == 0 ? 0 : i % TARGETS, i / 10 % 10 * 10);
        (void)fprintf(
            out,
            "- id: rule-%d\n  who: [team-%d]\n  to: [%s]\n  as: [ec2-user]\n"
            "  can: { shell: true, exec: [[/usr/bin/deploy, \"*\"]] }\n  when: { mfa: 8h, from: [vpn]%s }\n",
            i, i % (PEOPLE / GROUP_SIZE), to,
            i % 2 == 0 ? "" : ", hours: \"daily 00:00-24:00 Europe/Berlin\"");
    }
    (void)fprintf(out, "never:\n- { id: no-agent, deny: [agent, x11] }\n");
}

static void ignore(void *context, const struct policy_finding *finding)
{
    (void)context;
    (void)finding;
}

static double decide_many(const struct policy *policy, int count, bool is_plain, unsigned *ret_allowed)
{
    static const struct policy_factor FRESH = {true, 60};
    double start_us = now_us();
    *ret_allowed = 0;
    for (int i = 0; i < count; i++) {
        char person[32];
        char host[64];
        (void)snprintf(person, sizeof person, "person-%d", i * 7 % PEOPLE);
        int service = i * 7 % PEOPLE / GROUP_SIZE % TARGETS;
        (void)snprintf(host, sizeof host, i % 2 == 0 ? "node-%d" : "a.service-%d.prod.internal", service);
        struct policy_request request = {.person = person,
                                         .from = "100.64.1.2",
                                         .host = host,
                                         .port = 22,
                                         .account = "ec2-user",
                                         .factor = &FRESH,
                                         .action = POLICY_SHELL,
                                         .at_s = 1795424400 + (int64_t)i * 3600};
        struct policy_explanation explanation;
        struct policy_decision decision;
        if (is_plain) {
            policy_explain(policy, &request, ignore, NULL, &explanation);
        } else {
            policy_decide(policy, &request, &decision);
        }
        *ret_allowed += (is_plain ? explanation.verdict : decision.verdict) == POLICY_ALLOWED ? 1 : 0;
    }
    return (now_us() - start_us) / count;
}

int main(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        return 1;
    }
    write_people(out);
    write_targets(out);
    write_rules(out);
    if (fclose(out) != 0 || len > FILE_BYTES) {
        return 1;
    }
    struct policy_report report;
    struct policy *policy = NULL;
    double start_us = now_us();
    enum err err = policy_load(cursor_of(text, len), "bench.yaml", &report, &policy);
    double load_us = now_us() - start_us;
    double heap_mib = (double)mallinfo2().uordblks / (1 << 20) + (double)mallinfo2().hblkhd / (1 << 20);
    if (err != ERR_NONE) {
        char line[YAML_LINE_BYTES];
        (void)printf("%s: %s\n", err_text(err), yaml_report_line(&report.findings, 0, line));
        free(text);
        return 1;
    }
    (void)printf(
        "load: %zu bytes, %zu people, %zu targets, %zu rules: %.1f ms, %.1f MiB kept with the text\n", len,
        report.people_count, report.target_count, report.rule_count, load_us / 1e3, heap_mib);
    unsigned allowed = 0;
    unsigned plain_allowed = 0;
    double decide_us = decide_many(policy, DECISIONS, false, &allowed);
    double plain_us = decide_many(policy, DECISIONS / 1000, true, &plain_allowed);
    (void)printf("decide: %.2f us each, %u of %d allowed; the plain walk takes %.0f us, %.0f times as long\n",
                 decide_us, allowed, DECISIONS, plain_us, plain_us / decide_us);
    policy_free(policy);
    free(text);
    return 0;
}
