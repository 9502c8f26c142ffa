#include "model.h"

#include <stdio.h>

static const struct {
    const char *name;
    unsigned bit;
} CAN_NAMES[] = {
    {"shell", CAN_SHELL},
    {"exec", CAN_EXEC},
    {"sftp", CAN_SFTP},
    {"forward", CAN_FORWARD},
    {"remote_forward", CAN_REMOTE_FORWARD},
    {"agent", CAN_AGENT},
    {"x11", CAN_X11},
    {"connect", CAN_CONNECT},
    {"db", CAN_DB_ANY},
    {"copy", CAN_DB_COPY},
    {"function_call", CAN_DB_FUNCTION_CALL},
    {"replication", CAN_DB_REPLICATION},
    {"local_infile", CAN_DB_LOCAL_INFILE},
    {"opaque", CAN_DB_OPAQUE},
    {"all", CAN_ALL},
};

static const struct {
    const char *name;
    unsigned bits;
} ACTIONS[POLICY_ACTION_COUNT] = {
    [POLICY_ANY] = {"connect", CAN_ALL},
    [POLICY_SHELL] = {"shell", CAN_SHELL},
    [POLICY_EXEC] = {"exec", CAN_EXEC},
    [POLICY_SFTP_READ] = {"sftp-read", CAN_SFTP},
    [POLICY_SFTP_WRITE] = {"sftp-write", CAN_SFTP},
    [POLICY_FORWARD] = {"forward", CAN_FORWARD},
    [POLICY_REMOTE_FORWARD] = {"remote-forward", CAN_REMOTE_FORWARD},
    [POLICY_AGENT] = {"agent", CAN_AGENT},
    [POLICY_X11] = {"x11", CAN_X11},
    /* Whatever a database can do may be in bytes that pass unread. */
    [POLICY_DB] = {"db", CAN_DB | CAN_DB_OPAQUE},
    [POLICY_DB_COPY] = {"copy", CAN_DB_COPY | CAN_DB_OPAQUE},
    [POLICY_DB_FUNCTION_CALL] = {"function-call", CAN_DB_FUNCTION_CALL | CAN_DB_OPAQUE},
    [POLICY_DB_REPLICATION] = {"replication", CAN_DB_REPLICATION | CAN_DB_OPAQUE},
    [POLICY_DB_LOCAL_INFILE] = {"local-infile", CAN_DB_LOCAL_INFILE | CAN_DB_OPAQUE},
};

const char *policy_action_text(enum policy_action action)
{
    return (unsigned)action < POLICY_ACTION_COUNT ? ACTIONS[action].name : "?";
}

unsigned can_bits_of(enum policy_action action)
{
    return (unsigned)action < POLICY_ACTION_COUNT ? ACTIONS[action].bits : 0;
}

const char *can_name(size_t index, unsigned *ret_bit)
{
    if (index >= sizeof CAN_NAMES / sizeof CAN_NAMES[0]) {
        return NULL;
    }
    *ret_bit = CAN_NAMES[index].bit;
    return CAN_NAMES[index].name;
}

unsigned can_bits(const struct can *can)
{
    unsigned bits = 0;
    bits |= can->shell ? CAN_SHELL : 0U;
    bits |= can->exec != GRANT_EXEC_NONE ? CAN_EXEC : 0U;
    bits |= can->sftp != GRANT_SFTP_NONE || cursor_len(&can->paths) > 0 ? CAN_SFTP : 0U;
    bits |= can->forward != GRANT_FORWARD_NONE ? CAN_FORWARD : 0U;
    bits |= can->remote_forward != GRANT_FORWARD_NONE ? CAN_REMOTE_FORWARD : 0U;
    bits |= can->agent ? CAN_AGENT : 0U;
    bits |= can->x11 ? CAN_X11 : 0U;
    bits |= can->connect ? CAN_CONNECT : 0U;
    bits |= can->db_opaque ? CAN_DB_OPAQUE : 0U;
    if (cursor_len(&can->db_users) > 0) {
        bits |= CAN_DB;
        bits |= (can->db_rights & GRANT_DB_COPY) != 0 ? CAN_DB_COPY : 0U;
        bits |= (can->db_rights & GRANT_DB_FUNCTION_CALL) != 0 ? CAN_DB_FUNCTION_CALL : 0U;
        bits |= (can->db_rights & GRANT_DB_REPLICATION) != 0 ? CAN_DB_REPLICATION : 0U;
        bits |= (can->db_rights & GRANT_DB_LOCAL_INFILE) != 0 ? CAN_DB_LOCAL_INFILE : 0U;
    }
    return bits;
}

unsigned can_bits_of_target(const struct target *target)
{
    bool is_opaque = target->database.client_tls == POLICY_CLIENT_TLS_OPAQUE;
    switch (target->kind) {
    case POLICY_TARGET_SSH:
        return CAN_SSH;
    case POLICY_TARGET_TCP:
    case POLICY_TARGET_INTERNAL:
        return CAN_CONNECT;
    case POLICY_TARGET_POSTGRES:
        return is_opaque ? (unsigned)CAN_DB_OPAQUE
                         : (unsigned)CAN_DB | CAN_DB_COPY | CAN_DB_FUNCTION_CALL | CAN_DB_REPLICATION;
    case POLICY_TARGET_MYSQL:
        return is_opaque ? (unsigned)CAN_DB_OPAQUE
                         : (unsigned)CAN_DB | CAN_DB_REPLICATION | CAN_DB_LOCAL_INFILE;
    }
    return 0;
}

const char *duration_text(uint64_t seconds, char text[static DURATION_BYTES])
{
    enum { MINUTE_S = 60, HOUR_S = 3600 };
    bool is_hours = seconds > 0 && seconds % HOUR_S == 0;
    bool is_minutes = seconds > 0 && seconds % MINUTE_S == 0;
    uint64_t unit_s = is_hours ? HOUR_S : is_minutes ? MINUTE_S : 1;
    (void)snprintf(text, DURATION_BYTES, "%llu%s", (unsigned long long)(seconds / unit_s),
                   is_hours     ? "h"
                   : is_minutes ? "m"
                                : "s");
    return text;
}

static bool has_label(const struct target *target, uint32_t label)
{
    for (size_t i = 0; i < target->label_count; i++) {
        if (target->labels[i] == label) {
            return true;
        }
    }
    return false;
}

bool selector_covers(const struct selector *selector, const struct policy *policy, uint32_t target)
{
    if (selector->is_target) {
        return selector->target == target;
    }
    for (size_t i = 0; i < selector->label_count; i++) {
        if (!has_label(&policy->targets[target], selector->labels[i])) {
            return false;
        }
    }
    return selector->label_count > 0;
}

static bool lists(const struct cursor *texts, size_t count, struct cursor text)
{
    for (size_t i = 0; i < count; i++) {
        if (cursor_equal(texts[i], text)) {
            return true;
        }
    }
    return false;
}

bool rule_allows_account(const struct rule *rule, const struct target *target, struct cursor account)
{
    if (target_is_database(target)) {
        return true;
    }
    if (target->kind != POLICY_TARGET_SSH) {
        return cursor_len(&account) == 0;
    }
    if (cursor_len(&account) > 0) {
        return lists(rule->accounts, rule->account_count, account) &&
               lists(target->accounts, target->account_count, account);
    }
    for (size_t i = 0; i < rule->account_count; i++) {
        if (lists(target->accounts, target->account_count, rule->accounts[i])) {
            return true;
        }
    }
    return false;
}

static bool allows_from(const struct rule *rule, const struct network *from)
{
    for (size_t i = 0; i < rule->from_count; i++) {
        if (network_contains(&rule->from[i], from)) {
            return true;
        }
    }
    return rule->from_count == 0;
}

static bool allows_hours(const struct policy *policy, const struct rule *rule, int64_t at_s)
{
    for (size_t i = 0; at_s != POLICY_TIME_UNKNOWN && i < rule->hours_count; i++) {
        if (hours_hold(&rule->hours[i], &policy->zones[rule->hours[i].zone], at_s)) {
            return true;
        }
    }
    return rule->hours_count == 0;
}

static bool allows_factor(const struct rule *rule, const struct policy_request *request)
{
    const struct policy_factor *factor = request->factor;
    bool is_by_key = rule->is_key_factor && request->key == POLICY_KEY_VERIFIED;
    return rule->mfa_age_s == 0 || is_by_key ||
           (factor != NULL && factor->has && factor->age_s <= rule->mfa_age_s);
}

/* Greedy with one way back, to the last "*": linear in practice, at most pattern times text. */
bool reason_matches(struct cursor pattern, struct cursor text)
{
    const uint8_t *star = NULL;
    const uint8_t *resume = NULL;
    while (text.at != text.end) {
        if (pattern.at != pattern.end && *pattern.at == '*') {
            star = ++pattern.at;
            resume = text.at;
        } else if (pattern.at != pattern.end && *pattern.at == *text.at) {
            pattern.at++;
            text.at++;
        } else if (star != NULL) {
            pattern.at = star;
            text.at = ++resume;
        } else {
            return false;
        }
    }
    while (cursor_take(&pattern, '*')) {
    }
    return pattern.at == pattern.end;
}

static bool is_blank(struct cursor text)
{
    struct cursor word;
    return !cursor_word(&text, &word);
}

static bool allows_reason(const struct rule *rule, struct cursor reason, bool is_assumed)
{
    return rule->reason == NULL || is_assumed ||
           (!is_blank(reason) && cursor_len(&reason) < POLICY_REASON_BYTES &&
            reason_matches(cursor_of_text(rule->reason), reason));
}

enum policy_clause rule_failing_condition(const struct policy *policy, const struct rule *rule,
                                          const struct network *from, const struct policy_request *request)
{
    bool is_known = request->at_s != POLICY_TIME_UNKNOWN;
    if (!allows_from(rule, from)) {
        return POLICY_CLAUSE_FROM;
    }
    if (!allows_hours(policy, rule, request->at_s)) {
        return POLICY_CLAUSE_HOURS;
    }
    if (rule->until_s != 0 && (!is_known || request->at_s >= rule->until_s)) {
        return POLICY_CLAUSE_UNTIL;
    }
    if (request->key < rule->key) {
        return POLICY_CLAUSE_KEY;
    }
    if (!allows_factor(rule, request)) {
        return POLICY_CLAUSE_MFA;
    }
    return allows_reason(rule, request->reason, request->assume_reason) ? POLICY_CLAUSE_NONE
                                                                        : POLICY_CLAUSE_REASON;
}

enum policy_clause rule_failing_clause(const struct policy *policy, const struct rule *rule,
                                       const struct target *target, unsigned denied,
                                       const struct network *from, const struct policy_request *request)
{
    if (!rule_allows_account(rule, target, cursor_of_text(request->account))) {
        return POLICY_CLAUSE_AS;
    }
    if (!rule_allows_action(rule, target, denied, request)) {
        return POLICY_CLAUSE_CAN;
    }
    return rule_failing_condition(policy, rule, from, request);
}

bool rule_names_database(const struct rule *rule, const struct policy_request *request)
{
    struct cursor user = cursor_of_text(request->account);
    bool has_user = cursor_len(&user) == 0 || grant_lists_name(rule->can.db_users, user);
    return has_user && (cursor_len(&request->database) == 0 ||
                        grant_lists_name(rule->can.db_databases, request->database));
}

bool rule_allows_action(const struct rule *rule, const struct target *target, unsigned denied,
                        const struct policy_request *request)
{
    enum policy_action action = request->action;
    struct cursor command = request->command;
    unsigned bits = can_bits(&rule->can) & ~denied & can_bits_of(action);
    if (bits == 0) {
        return false;
    }
    if (target_is_database(target)) {
        return bits == CAN_DB_OPAQUE || rule_names_database(rule, request);
    }
    if (action == POLICY_SFTP_READ || action == POLICY_SFTP_WRITE) {
        enum grant_sftp level = action == POLICY_SFTP_WRITE ? GRANT_SFTP_WRITE : GRANT_SFTP_READ;
        char plain[PATH_BYTES] = "";
        bool is_plain = cursor_len(&command) == 0 ||
                        path_plain(cursor_of(NULL, 0), command, plain, sizeof plain) == ERR_NONE;
        return rule->can.sftp >= level ||
               (is_plain && grant_lists_path(rule->can.paths, level, cursor_of_text(plain)));
    }
    if (action == POLICY_EXEC) {
        return rule->can.exec != GRANT_EXEC_LISTED || grant_check_listed(rule->can.patterns, command) == NULL;
    }
    if (cursor_len(&command) == 0 || (action != POLICY_FORWARD && action != POLICY_REMOTE_FORWARD)) {
        return true;
    }
    bool is_forward = action == POLICY_FORWARD;
    bool is_listed = (is_forward ? rule->can.forward : rule->can.remote_forward) == GRANT_FORWARD_LISTED;
    return !is_listed ||
           grant_lists_place(rule->can.places, is_forward ? PLACE_FORWARD : PLACE_REMOTE_FORWARD, command);
}
