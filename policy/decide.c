#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/code.h"
#include "policy/explain.h"

enum { WORD_BITS = 64, DEFAULT_MFA_AGE_S = 8 * 3600, TEXT_BYTES = LIMIT_SENTENCE_BYTES };

/* One request while it is decided. */
struct question {
    const struct policy *policy;
    const struct policy_request *request;
    const struct membership *membership;
    const struct target *target;
    uint32_t target_number;
    struct network from; /* family 0 lies in no network */
    struct cursor account;
    unsigned denied; /* by `never`, and what the target's kind does not know */
};

/* The rule that came nearest, and the clause that it fails. */
struct nearest {
    const struct rule *rule;
    enum policy_clause clause;
};

__attribute__((format(printf, 4, 5))) static void deny(struct policy_decision *ret, const char *kind,
                                                       const char *id, const char *format, ...)
{
    char sentence[2 * TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    text_printable(cursor_of_text(sentence), ret->sentence, sizeof ret->sentence);
    if (id == NULL) {
        (void)snprintf(ret->code, sizeof ret->code, "D-%s", kind);
        return;
    }
    (void)snprintf(ret->code, sizeof ret->code, "D-%s-%08x", kind, policy_code_number(id));
    (void)snprintf(ret->rule, sizeof ret->rule, "%s", id);
}

/* Walks the entries that name both one of the person's groups and the target, in the order of the file. */
struct walk {
    const struct question *question;
    const struct bit_table *table;
    size_t word;
    uint64_t bits; /* of that word, not yet visited */
};

static uint64_t bits_at(const struct walk *walk, size_t word)
{
    const struct question *question = walk->question;
    uint64_t bits = 0;
    for (size_t i = 0; i < question->membership->count; i++) {
        bits |= bit_table_row(walk->table->by_group, walk->table, question->membership->groups[i])[word];
    }
    return bits & bit_table_row(walk->table->by_target, walk->table, question->target_number)[word];
}

static struct walk walk_of(const struct question *question, const struct bit_table *table)
{
    struct walk walk = {.question = question, .table = table};
    walk.bits = table->word_count == 0 ? 0 : bits_at(&walk, 0);
    return walk;
}

static bool walk_next(struct walk *walk, size_t *ret_entry)
{
    while (walk->bits == 0) {
        if (walk->word + 1 >= walk->table->word_count) {
            return false;
        }
        walk->bits = bits_at(walk, ++walk->word);
    }
    *ret_entry = walk->word * WORD_BITS + (size_t)__builtin_ctzll(walk->bits);
    walk->bits &= walk->bits - 1;
    return true;
}

static void collect_nevers(struct question *question)
{
    struct walk walk = walk_of(question, &question->policy->never_bits);
    size_t entry = 0;
    while (walk_next(&walk, &entry)) {
        question->denied |= question->policy->nevers[entry].deny;
    }
}

static uint32_t stricter(uint32_t a, uint32_t b)
{
    return a != 0 && (b == 0 || a < b) ? a : b;
}

static void add_rule_name(struct policy_grant *grant, const char *id)
{
    size_t used = strlen(grant->rule);
    size_t len = strlen(id);
    if (len == 0) {
        return; /* what a policy gives that only observes */
    }
    static const char MORE[] = ",...";
    if (used + 1 + len + sizeof MORE <= sizeof grant->rule) {
        (void)snprintf(grant->rule + used, sizeof grant->rule - used, "%s%s", used == 0 ? "" : ",", id);
    } else if (strstr(grant->rule, MORE) == NULL) {
        (void)snprintf(grant->rule + used, sizeof grant->rule - used, "%s", MORE);
    }
}

static void add_forward(struct policy_grant *grant, enum place_use use, const struct can *can,
                        enum grant_forward *forward)
{
    enum grant_forward given = use == PLACE_FORWARD ? can->forward : can->remote_forward;
    *forward = given > *forward ? given : *forward;
    /* What does not fit is not allowed; loading has warned. */
    enum err err = grant_add_places(grant, use, can->places);
    (void)err;
}

/* What a rule gives in a database: as an entry of the list for every user that it names, and in the flags
 * when it names the user and the database that were asked for. */
static void add_database(struct policy_grant *grant, const struct question *question, const struct rule *rule,
                         unsigned bits)
{
    enum record_params own = rule->record.params;
    enum record_params params = own == RECORD_PARAMS_DEFAULT ? question->policy->record.params : own;
    const struct grant_database added = {
        .rights = ((bits & CAN_DB_COPY) != 0 ? GRANT_DB_COPY : 0U) |
                  ((bits & CAN_DB_FUNCTION_CALL) != 0 ? GRANT_DB_FUNCTION_CALL : 0U) |
                  ((bits & CAN_DB_REPLICATION) != 0 ? GRANT_DB_REPLICATION : 0U) |
                  ((bits & CAN_DB_LOCAL_INFILE) != 0 ? GRANT_DB_LOCAL_INFILE : 0U),
        .params = (enum grant_params)(params - RECORD_PARAMS_NONE),
        .users = rule->can.db_users,
        .databases = rule->can.db_databases,
    };
    /* What does not fit is not allowed; loading has warned. */
    bool is_added = grant_add_database(grant, &added) == ERR_NONE;
    if (!is_added || !rule_names_database(rule, question->request)) {
        return;
    }
    grant->db_copy = grant->db_copy || (bits & CAN_DB_COPY) != 0;
    grant->db_function_call = grant->db_function_call || (bits & CAN_DB_FUNCTION_CALL) != 0;
    grant->db_replication = grant->db_replication || (bits & CAN_DB_REPLICATION) != 0;
    grant->db_local_infile = grant->db_local_infile || (bits & CAN_DB_LOCAL_INFILE) != 0;
    grant->db_params = added.params > grant->db_params ? added.params : grant->db_params;
}

/* What rules allow adds up; of limits the strictest counts, of recording the most. */
static void add_to_grant(struct policy_grant *grant, const struct question *question, const struct rule *rule,
                         unsigned bits)
{
    const struct policy *policy = question->policy;
    grant->shell = grant->shell || (bits & CAN_SHELL) != 0;
    grant->agent = grant->agent || (bits & CAN_AGENT) != 0;
    grant->x11 = grant->x11 || (bits & CAN_X11) != 0;
    grant->connect = grant->connect || (bits & CAN_CONNECT) != 0;
    if ((bits & CAN_FORWARD) != 0) {
        add_forward(grant, PLACE_FORWARD, &rule->can, &grant->forward);
    }
    if ((bits & CAN_REMOTE_FORWARD) != 0) {
        add_forward(grant, PLACE_REMOTE_FORWARD, &rule->can, &grant->remote_forward);
    }
    if ((bits & CAN_SFTP) != 0 && rule->can.sftp > grant->sftp) {
        grant->sftp = rule->can.sftp;
    }
    if ((bits & CAN_SFTP) != 0) {
        enum err err = grant_add_paths(grant, rule->can.paths); /* as for commands */
        (void)err;
    }
    if ((bits & CAN_EXEC) != 0) {
        grant->exec = rule->can.exec > grant->exec ? rule->can.exec : grant->exec;
        /* What does not fit is not allowed; loading has warned. */
        enum err err = grant_add_patterns(grant, rule->can.patterns);
        (void)err;
    }
    if ((bits & CAN_DB) != 0) {
        add_database(grant, question, rule, bits);
    }
    grant->db_opaque = grant->db_opaque || (bits & CAN_DB_OPAQUE) != 0;
    const struct record_rules *own = &rule->record;
    const struct record_rules *exec = own->exec_cap_bytes == UINT64_MAX ? &policy->record : own;
    uint64_t cap = exec->exec_cap_bytes;
    grant->exec_record_cap_bytes = cap > grant->exec_record_cap_bytes ? cap : grant->exec_record_cap_bytes;
    grant->exec_hashes = grant->exec_hashes || !exec->exec_is_counted;
    enum record_input input = own->input == RECORD_INPUT_DEFAULT ? policy->record.input : own->input;
    grant->record_input = grant->record_input || input == RECORD_INPUT_ALL;
    enum record_sftp sftp = own->sftp == RECORD_SFTP_DEFAULT ? policy->record.sftp : own->sftp;
    grant->sftp_hashes = grant->sftp_hashes || sftp != RECORD_SFTP_NAMES;
    uint32_t session_s = rule->limits.session_s != 0 ? rule->limits.session_s : policy->limits.session_s;
    uint32_t idle_s = rule->limits.idle_s != 0 ? rule->limits.idle_s : policy->limits.idle_s;
    grant->session_limit_s = stricter(session_s, grant->session_limit_s);
    grant->idle_limit_s = stricter(idle_s, grant->idle_limit_s);
    grant->channels =
        (uint16_t)stricter(grant->channels, stricter(rule->limits.channels, policy->limits.channels));
    grant->connections = (uint16_t)stricter(rule->limits.connections, grant->connections);
    if ((bits & CAN_DB) == 0 || rule_names_database(rule, question->request)) {
        add_rule_name(grant, rule->id);
    }
}

static unsigned grant_bits(const struct policy_grant *grant)
{
    struct can can = {.shell = grant->shell,
                      .agent = grant->agent,
                      .x11 = grant->x11,
                      .connect = grant->connect,
                      .forward = grant->forward,
                      .remote_forward = grant->remote_forward,
                      .exec = grant->exec,
                      .sftp = grant->sftp,
                      .db_opaque = grant->db_opaque,
                      .db_users = cursor_of(grant->databases, grant->databases_len_bytes),
                      .db_rights = GRANT_DB_RIGHTS,
                      .paths = cursor_of(grant->paths, grant->paths_len_bytes)};
    return can_bits(&can);
}

/* Would this rule, were the factor fresh, add to the grant? */
static bool adds_to_grant(const struct policy_grant *grant, const struct rule *rule, unsigned denied)
{
    unsigned bits = can_bits(&rule->can) & ~denied;
    bool has_new_bits = (bits & ~grant_bits(grant)) != 0;
    bool has_more_exec = (bits & CAN_EXEC) != 0 && grant->exec != GRANT_EXEC_ANY;
    bool has_more_sftp =
        (bits & CAN_SFTP) != 0 && (rule->can.sftp > grant->sftp ||
                                   (cursor_len(&rule->can.paths) > 0 && grant->sftp != GRANT_SFTP_WRITE));
    bool has_more_places = ((bits & CAN_FORWARD) != 0 && grant->forward != GRANT_FORWARD_ANY) ||
                           ((bits & CAN_REMOTE_FORWARD) != 0 && grant->remote_forward != GRANT_FORWARD_ANY);
    bool has_more_databases = (bits & CAN_DB) != 0;
    return has_new_bits || has_more_databases || has_more_exec || has_more_sftp || has_more_places;
}

/* @return whether some rule allows what was asked; fills the grant with all that the rules give. */
static bool collect_rules(const struct question *question, struct policy_decision *ret,
                          struct nearest *nearest)
{
    bool is_allowed = false;
    struct walk walk = walk_of(question, &question->policy->rule_bits);
    size_t entry = 0;
    while (walk_next(&walk, &entry)) {
        const struct rule *rule = &question->policy->rules[entry];
        enum policy_clause failing = rule_failing_clause(
            question->policy, rule, question->target, question->denied, &question->from, question->request);
        is_allowed = is_allowed || failing == POLICY_CLAUSE_NONE;
        if (failing > nearest->clause) {
            *nearest = (struct nearest){rule, failing};
        }
        if (failing == POLICY_CLAUSE_MFA && rule->mfa_age_s > ret->factor_max_age_s) {
            ret->factor_max_age_s = rule->mfa_age_s;
        }
        unsigned bits = can_bits(&rule->can) & ~question->denied;
        bool gives = bits != 0 && rule_allows_account(rule, question->target, question->account) &&
                     rule_failing_condition(question->policy, rule, &question->from, question->request) ==
                         POLICY_CLAUSE_NONE;
        if (gives) {
            add_to_grant(&ret->grant, question, rule, bits);
        }
    }
    return is_allowed;
}

/* What a fresh factor, or a reason, would add to the grant. */
static void collect_more(const struct question *question, struct policy_decision *ret)
{
    struct walk walk = walk_of(question, &question->policy->rule_bits);
    size_t entry = 0;
    while (walk_next(&walk, &entry)) {
        const struct rule *rule = &question->policy->rules[entry];
        enum policy_clause failing =
            rule_failing_condition(question->policy, rule, &question->from, question->request);
        if (failing < POLICY_CLAUSE_MFA || !rule_allows_account(rule, question->target, question->account) ||
            !adds_to_grant(&ret->grant, rule, question->denied)) {
            continue;
        }
        ret->factor_adds = ret->factor_adds || failing == POLICY_CLAUSE_MFA;
        ret->reason_adds = ret->reason_adds || failing == POLICY_CLAUSE_REASON;
    }
}

/* The first `never` that takes away one of `bits`; NULL when none does. */
static const struct never *find_never(const struct question *question, unsigned bits)
{
    struct walk walk = walk_of(question, &question->policy->never_bits);
    size_t entry = 0;
    while (walk_next(&walk, &entry)) {
        if ((question->policy->nevers[entry].deny & bits) != 0) {
            return &question->policy->nevers[entry];
        }
    }
    return NULL;
}

static bool names_user(const struct rule *rule, const struct policy_request *request)
{
    struct policy_request user = *request;
    user.database = (struct cursor){NULL, NULL};
    return rule_names_database(rule, &user);
}

static void deny_by_can(const struct question *question, const struct rule *rule, struct policy_decision *ret)
{
    const struct policy_request *request = question->request;
    unsigned asked = can_bits_of(request->action);
    unsigned given = can_bits(&rule->can) & asked;
    unsigned wanted = given == 0 ? asked : given;
    const struct never *never = (wanted & ~question->denied) == 0 ? find_never(question, wanted) : NULL;
    if (never != NULL) {
        deny(ret, "NEVER", never->id, "%s is never allowed for %s on %s (%s)",
             policy_action_text(request->action), request->person, question->target->name, never->id);
        return;
    }
    const char *reason = NULL;
    if (request->action == POLICY_EXEC && rule->can.exec == GRANT_EXEC_LISTED) {
        reason = grant_check_listed(rule->can.patterns, request->command);
    } else if (target_is_database(question->target) && (given & can_bits_of_target(question->target)) != 0) {
        reason = names_user(rule, request) ? "this database is not in its list"
                                           : "this database user is not in its list";
    } else if (given != 0 && request->action != POLICY_SFTP_WRITE && cursor_len(&request->command) > 0) {
        reason = "the place is not in its list";
    }
    deny(ret, "CAN", rule->id, "rule %s does not allow %s on %s%s%s", rule->id,
         policy_action_text(request->action), question->target->name, reason == NULL ? "" : ": ",
         reason == NULL ? "" : reason);
}

static void ask_reason(const struct rule *rule, struct policy_decision *ret)
{
    bool is_any = strcmp(rule->reason, "*") == 0;
    ret->needs_reason = true;
    (void)snprintf(ret->reason_pattern, sizeof ret->reason_pattern, "%s", is_any ? "" : rule->reason);
}

static void deny_by_rule(const struct question *question, const struct nearest *nearest,
                         struct policy_decision *ret)
{
    const struct rule *rule = nearest->rule;
    const struct policy_request *request = question->request;
    char age[DURATION_BYTES];
    switch (nearest->clause) {
    case POLICY_CLAUSE_AS:
        deny(ret, "AS", rule->id, "rule %s does not let %s log in to %s as %s", rule->id, request->person,
             question->target->name, *request->account == 0 ? "anybody" : request->account);
        return;
    case POLICY_CLAUSE_CAN:
        deny_by_can(question, rule, ret);
        return;
    case POLICY_CLAUSE_FROM:
        deny(ret, "FROM", rule->id, "rule %s does not allow connections from %s", rule->id, request->from);
        return;
    case POLICY_CLAUSE_HOURS:
        deny(ret, "HOURS", rule->id, "rule %s holds on %s%s only", rule->id,
             (const char *)rule->hours[0].text.at, rule->hours_count > 1 ? " and other times" : "");
        return;
    case POLICY_CLAUSE_UNTIL:
        deny(ret, "UNTIL", rule->id, "rule %s has ended", rule->id);
        return;
    case POLICY_CLAUSE_KEY:
        deny(ret, "KEY", rule->id, "rule %s asks for a login with a hardware key that was %s", rule->id,
             rule->key == POLICY_KEY_VERIFIED ? "unlocked with PIN or fingerprint" : "touched");
        return;
    case POLICY_CLAUSE_REASON:
        ret->verdict = POLICY_NEEDS_REASON;
        ask_reason(rule, ret);
        deny(ret, "REASON", rule->id, "rule %s asks for a reason%s%s", rule->id,
             *ret->reason_pattern == 0 ? "" : " such as ", ret->reason_pattern);
        return;
    case POLICY_CLAUSE_MFA:
        ret->verdict = POLICY_NEEDS_FACTOR;
        if (rule->reason != NULL) {
            ask_reason(rule, ret);
        }
        deny(ret, "MFA", rule->id, "rule %s asks for a second factor that is at most %s old", rule->id,
             duration_text(rule->mfa_age_s, age));
        return;
    case POLICY_CLAUSE_NONE:
    case POLICY_CLAUSE_WHO:
    case POLICY_CLAUSE_TO:
        deny(ret, "NO-RULE", NULL, "no rule lets %s reach %s", request->person, question->target->name);
        return;
    }
}

/* Everything that the target knows and `never` does not take away, within the limits of the defaults. */
static void grant_everything(const struct question *question, struct policy_grant *grant)
{
    static const uint8_t ALL_NAMES[] = {0, 0, 0, 1, '*'};
    const struct cursor all = {ALL_NAMES, ALL_NAMES + sizeof ALL_NAMES};
    const struct rule rule = {
        .id = "",
        .can = {.shell = true,
                .agent = true,
                .x11 = true,
                .connect = true,
                .forward = GRANT_FORWARD_ANY,
                .remote_forward = GRANT_FORWARD_ANY,
                .exec = GRANT_EXEC_ANY,
                .sftp = GRANT_SFTP_WRITE,
                .db_opaque = true,
                .db_rights = GRANT_DB_RIGHTS,
                .db_users = all,
                .db_databases = all},
        .record = {.exec_cap_bytes = UINT64_MAX},
    };
    add_to_grant(grant, question, &rule, can_bits(&rule.can) & ~question->denied);
}

static bool target_knows_account(const struct question *question)
{
    const struct target *target = question->target;
    struct rule all = {.accounts = target->accounts, .account_count = target->account_count};
    return rule_allows_account(&all, target, question->account);
}

/* What the rules said stays in the decision, but it is given. */
static void observe(const struct question *question, struct policy_decision *ret)
{
    bool is_asked = ret->verdict == POLICY_NEEDS_FACTOR || ret->verdict == POLICY_NEEDS_REASON;
    if (is_asked || (CAN_ALL & can_bits_of(question->request->action) & ~question->denied) == 0 ||
        !target_knows_account(question)) {
        return;
    }
    ret->is_observed = ret->verdict == POLICY_DENIED;
    ret->verdict = POLICY_ALLOWED;
    grant_everything(question, &ret->grant);
}

static void decide_by_rules(struct question *question, struct policy_decision *ret)
{
    collect_nevers(question);
    struct nearest nearest = {NULL, POLICY_CLAUSE_NONE};
    if (collect_rules(question, ret, &nearest)) {
        ret->verdict = POLICY_ALLOWED;
        ret->factor_max_age_s = 0;
        collect_more(question, ret);
        (void)snprintf(ret->rule, sizeof ret->rule, "%s", ret->grant.rule);
        return;
    }
    ret->grant = (struct policy_grant){0};
    deny_by_rule(question, &nearest, ret);
}

void policy_decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_decision *ret)
{
    *ret = (struct policy_decision){0};
    struct membership membership;
    enum err err = membership_of(policy, request->person, request->principals, &membership);
    if (err != ERR_NONE && err != ERR_NOT_FOUND) {
        deny(ret, "GROUPS", NULL, "the principals of the certificate of %s lead to too many groups",
             request->person);
        return;
    }
    if (err != ERR_NONE) {
        deny(ret, "UNKNOWN-PERSON", NULL, "no group of the policy names %s", request->person);
        return;
    }
    uint32_t target = host_index_find(policy, cursor_of_text(request->host), request->port);
    if (target == HOST_NONE) {
        deny(ret, "UNKNOWN-TARGET", NULL, "no target of the policy lists %s:%u", request->host,
             request->port);
        return;
    }
    struct question question = {.policy = policy,
                                .request = request,
                                .membership = &membership,
                                .target = &policy->targets[target],
                                .target_number = target,
                                .account = cursor_of_text(request->account)};
    question.denied = ~can_bits_of_target(question.target);
    if (network_address(cursor_of_text(request->from), &question.from) != ERR_NONE) {
        question.from = (struct network){0};
    }
    decide_by_rules(&question, ret);
    if (policy->is_observing) {
        observe(&question, ret);
    }
}

bool policy_is_observing(const struct policy *policy)
{
    return policy->is_observing;
}

bool policy_has_principals(const struct policy *policy)
{
    return policy->principal_count > 0;
}

enum err policy_person(const struct policy *policy, const char *person, struct policy_person *ret)
{
    return policy_person_certified(policy, person, (struct cursor){NULL, NULL}, ret);
}

enum err policy_person_certified(const struct policy *policy, const char *person, struct cursor principals,
                                 struct policy_person *ret)
{
    struct membership membership;
    TRY(membership_of(policy, person, principals, &membership));
    uint64_t age_s = 0;
    bool is_key_factor = false;
    for (size_t i = 0; i < membership.count; i++) {
        const struct group *group = &policy->groups[membership.groups[i]];
        age_s = group->max_mfa_age_s > age_s ? group->max_mfa_age_s : age_s;
        is_key_factor = is_key_factor || group->is_key_factor;
    }
    *ret = (struct policy_person){
        .is_machine = membership.person != NULL && membership.person->is_machine,
        .max_mfa_age_s = age_s == 0 ? DEFAULT_MFA_AGE_S : age_s,
        .is_key_factor = is_key_factor,
        .connections = policy->limits.connections,
        .channels = policy->limits.channels,
    };
    return ERR_NONE;
}
