#include "gate_state.h"

/* Requests about the whole connection. Whatever has no row is refused and recorded as such. */

static const struct gate_global_rule {
    const char *name;
    uint8_t from;
    enum { GLOBAL_PASSES, GLOBAL_IS_KEPT, GLOBAL_LISTENS, GLOBAL_CANCELS } what;
    bool is_socket;
} GATE_GLOBAL_RULES[] = {
    {"keepalive@openssh.com", GATE_FROM_BOTH, GLOBAL_PASSES, false},
    {"no-more-sessions@openssh.com", GATE_FROM_CLIENT, GLOBAL_PASSES, false},
    {"tcpip-forward", GATE_FROM_CLIENT, GLOBAL_LISTENS, false},
    {"cancel-tcpip-forward", GATE_FROM_CLIENT, GLOBAL_CANCELS, false},
    {"streamlocal-forward@openssh.com", GATE_FROM_CLIENT, GLOBAL_LISTENS, true},
    {"cancel-streamlocal-forward@openssh.com", GATE_FROM_CLIENT, GLOBAL_CANCELS, true},
    /* Host keys that the bastion cannot prove to the client: not a word of them, and no record each time. */
    {"hostkeys-00@openssh.com", GATE_FROM_TARGET, GLOBAL_IS_KEPT, false},
};

static const struct gate_global_rule *gate_find_global(enum gate_side from, struct cursor name)
{
    for (size_t i = 0; i < sizeof GATE_GLOBAL_RULES / sizeof GATE_GLOBAL_RULES[0]; i++) {
        const struct gate_global_rule *rule = &GATE_GLOBAL_RULES[i];
        if ((rule->from & (1U << from)) != 0 && cursor_equal_text(name, rule->name)) {
            return rule;
        }
    }
    return NULL;
}

MUST_CHECK enum err gate_global_request(struct gate *gate, const struct gate_packet *packet)
{
    struct relay_request request;
    GATE_READ(gate, packet, relay_read_global_request(packet->payload, &request));
    const struct gate_global_rule *rule = gate_find_global(packet->from, request.name);
    if (rule != NULL && rule->what == GLOBAL_LISTENS) {
        return gate_remote_listen(gate, packet, &request, rule->is_socket);
    }
    if (rule != NULL && rule->what == GLOBAL_CANCELS) {
        return gate_remote_cancel(gate, packet, &request, rule->is_socket);
    }
    bool is_passed = rule != NULL && rule->what == GLOBAL_PASSES;
    if (rule == NULL) {
        TRY(gate_refused(gate, TAP_WHOLE_ACCESS,
                         packet->from == GATE_CLIENT ? "request" : "request of the target", request.name,
                         "the bastion does not let this request through"));
    }
    if (request.wants_reply) {
        TRY(gate_await(gate, &gate->pending[packet->from], packet->from,
                       is_passed ? GATE_AWAITS_REPLY : GATE_ANSWERS_FAILURE));
    }
    return is_passed ? gate_forward(gate, packet) : gate_answer_global(gate, packet->from);
}
