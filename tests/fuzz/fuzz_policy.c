/* Any bytes as a policy: what loads keeps its promises, and deciding agrees with explaining. */
#include <assert.h>
#include <stdint.h>

#include "policy/explain.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *context, const struct policy_finding *finding)
{
    (void)context;
    assert(finding->rule != NULL);
}

static void ask(const struct policy *policy, const char *person, const char *host, enum policy_action action)
{
    static const struct policy_factor FRESH = {true, 0};
    struct policy_request request = {
        .person = person,
        .from = "100.64.1.2",
        .host = host,
        .port = action >= POLICY_DB ? 5432 : 22,
        .at_s = 1795424400,
        .reason = cursor_of_text("INC-42"),
        .account = "",
        .factor = &FRESH,
        .action = action,
        .command = cursor_of_text("/usr/local/bin/deploy api 1.2"),
    };
    struct policy_decision decision;
    struct policy_explanation explanation;
    policy_decide(policy, &request, &decision);
    policy_explain(policy, &request, ignore, NULL, &explanation);
    /* A policy that only observes gives what its rules, which are explained, deny. */
    assert(decision.verdict == explanation.verdict || policy_is_observing(policy));
    assert((decision.verdict == POLICY_ALLOWED) == !grant_is_empty(&decision.grant));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_report report;
    struct policy *policy = NULL;
    enum err err = policy_load(cursor_of(data, size), "fuzz.yaml", &report, &policy);
    assert((err == ERR_NONE) == (report.findings.error_count == 0));
    if (err == ERR_NONE) {
        for (unsigned action = 0; action < POLICY_ACTION_COUNT; action++) {
            ask(policy, "alice", action >= POLICY_DB ? "orders-db" : "node1", (enum policy_action)action);
            ask(policy, "deploy-bot", "ip-1.eu-central-1.compute.internal", (enum policy_action)action);
        }
        policy_free(policy);
    }
    return 0;
}
