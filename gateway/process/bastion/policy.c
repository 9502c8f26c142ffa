/* `bastion policy replay`: the past, asked again of another policy; all other parts are of the policy room.
 */
#include "policy/policy.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/names.h"
#include "base/text.h"
#include "command.h"
#include "policy/command.h"
#include "policy/decided.h"
#include "policy_past.h"

static const char HELP[] =
    "usage: bastion policy replay [--since TIME] [OPTIONS] NEW\n"
    "\n"
    "Ask the decisions of the evidence log again of the policy in the file NEW, each with its own time, "
    "source, factor\n"
    "and reason, and list those that come out differently: who would be let in, and who would not.\n"
    "\n"
    "  --since TIME        only decisions of this long ago or later: 12h, 30d (default: 30d)\n"
    "  --json              one object\n"
    "  --evidence DIR      the folder of the evidence log (default: as configured)\n"
    "  --config FILE       (default: /etc/bastion/bastiond.yaml)\n"
    "\n"
    "What a session did later (commands, files, forwards) is not asked again: `bastion policy diff` tells "
    "what changes.\n"
    "The log is read as it is; `bastion verify` proves that nothing is missing in it.\n"
    "\n"
    "exit status: 0 nothing differs, 1 something does, 2 usage, 3 a file cannot be read\n";

enum {
    GROUPS_MAX = 100000,
    GROUP_BYTES = 1024,
    DEFAULT_SINCE_S = 30 * 86400,
};

/* Decisions that differ alike. */
struct group {
    struct policy_decided last;
    bool is_allowed_now;
    uint64_t count;
    char now[LIMIT_SENTENCE_BYTES]; /* the rule that allows it, or why it is denied */
};

struct replay {
    const struct policy *policy;
    int64_t since_s;
    struct policy_decision *decision; /* OWNED, too large for a stack */
    struct group *groups;             /* OWNED */
    size_t count, capacity;
    struct names by_key;
    struct arena keys;
    uint64_t asked, unread, allowed_now, denied_now;
    bool is_cut;
};

/* Codes of what the policy has no say in: a target that does not answer, a recorder that is down. */
static bool is_of_policy(const char *code)
{
    static const char *const KINDS[] = {"D-UNKNOWN-", "D-NO-RULE", "D-AS-",     "D-CAN-",
                                        "D-NEVER-",   "D-FROM-",   "D-MFA-",    "D-HOURS-",
                                        "D-UNTIL-",   "D-KEY-",    "D-REASON-", "D-DB-"};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        if (strncmp(code, KINDS[i], strlen(KINDS[i])) == 0) {
            return true;
        }
    }
    return false;
}

static struct group *group_of(struct replay *replay, const struct policy_decided *past)
{
    char key[GROUP_BYTES];
    uint32_t number = 0;
    (void)snprintf(key, sizeof key, "%d %s %s %u %s %s", past->is_allowed, past->person, past->host,
                   past->port, past->account, past->database);
    if (names_find(&replay->by_key, cursor_of_text(key), &number) == ERR_NONE) {
        return &replay->groups[number];
    }
    if (replay->count == GROUPS_MAX) {
        replay->is_cut = true;
        return NULL;
    }
    if (replay->count == replay->capacity) {
        size_t capacity = replay->capacity == 0 ? 64 : 2 * replay->capacity;
        struct group *more = realloc(replay->groups, capacity * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        replay->groups = more;
        replay->capacity = capacity;
    }
    const char *name = arena_text(&replay->keys, cursor_of_text(key));
    if (name == NULL ||
        names_add(&replay->by_key, cursor_of_text(name), (uint32_t)replay->count) != ERR_NONE) {
        return NULL;
    }
    replay->groups[replay->count] = (struct group){0};
    return &replay->groups[replay->count++];
}

/* @return ERR_MEMORY. */
static enum err ask_again(struct replay *replay, const struct policy_decided *past)
{
    if (past->at_s < replay->since_s || (!past->is_allowed && !is_of_policy(past->code))) {
        return ERR_NONE;
    }
    struct policy_request request = policy_decided_request(past);
    policy_decide(replay->policy, &request, replay->decision);
    /* A policy that only observes says what it would do. */
    bool is_allowed = replay->decision->verdict == POLICY_ALLOWED && !replay->decision->is_observed;
    replay->asked++;
    if (is_allowed == past->is_allowed) {
        return ERR_NONE;
    }
    struct group *group = group_of(replay, past);
    if (group == NULL) {
        return replay->is_cut ? ERR_NONE : ERR_MEMORY;
    }
    replay->allowed_now += is_allowed && group->count == 0 ? 1 : 0;
    replay->denied_now += !is_allowed && group->count == 0 ? 1 : 0;
    group->last = *past;
    group->is_allowed_now = is_allowed;
    group->count++;
    (void)snprintf(group->now, sizeof group->now, "%s",
                   is_allowed ? replay->decision->rule : replay->decision->sentence);
    return ERR_NONE;
}

static enum err read_leaves(struct replay *replay, FILE *leaves)
{
    static const char KIND[] = "decision ";
    char *line = NULL;
    size_t size = 0;
    ssize_t len = 0;
    enum err err = ERR_NONE;
    struct policy_decided *past = malloc(sizeof *past);
    err = past == NULL ? ERR_MEMORY : ERR_NONE;
    while (err == ERR_NONE && (len = getline(&line, &size, leaves)) > 0) {
        if (line[len - 1] != '\n' || strncmp(line, KIND, strlen(KIND)) != 0) {
            continue; /* another kind; or the last line, while it is written */
        }
        struct cursor text = cursor_of(line + strlen(KIND), (size_t)len - strlen(KIND) - 1);
        if (policy_decided_read(text, past) != ERR_NONE) {
            replay->unread++;
            continue;
        }
        err = ask_again(replay, past);
    }
    if (err == ERR_NONE && ferror(leaves) != 0) {
        err = ERR_SYSTEM;
    }
    free(line);
    free(past);
    return err;
}

static void print_text(const struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++) {
        const struct group *group = &replay->groups[i];
        const struct policy_decided *last = &group->last;
        char time[CLOCK_TEXT_BYTES];
        (void)printf("%c %s at %s:%u%s%s%s%s: %" PRIu64 " times, last at %.19sZ from %s\n",
                     group->is_allowed_now ? '+' : '-', last->person, last->host, last->port,
                     *last->account == 0 ? "" : " as ", last->account, *last->database == 0 ? "" : " in ",
                     last->database, group->count, clock_text((uint64_t)last->at_s * 1000000, time),
                     last->from);
        (void)printf("    was %s (%s), would be %s: %s\n", last->is_allowed ? "allowed" : "denied",
                     last->is_allowed ? last->rule : last->code,
                     group->is_allowed_now ? "allowed by" : "denied", group->now);
    }
    (void)printf(
        "%" PRIu64 " decisions asked again: %" PRIu64 " kinds newly allowed, %" PRIu64 " newly denied%s\n",
        replay->asked, replay->allowed_now, replay->denied_now, replay->is_cut ? "; this is not all" : "");
    if (replay->unread > 0) {
        (void)fprintf(stderr, "bastion policy: %" PRIu64 " decisions of an older format were not read\n",
                      replay->unread);
    }
}

static json_t *group_json(const struct group *group)
{
    const struct policy_decided *last = &group->last;
    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "change",
                     group->is_allowed_now ? "allowed" : "denied", "person", last->person, "host", last->host,
                     "port", (int)last->port, "account", last->account, "database", last->database, "from",
                     last->from, "times", (json_int_t)group->count, "last", (json_int_t)last->at_s, "rule",
                     last->rule, "code", last->code, "session", last->session, "now", group->now);
}

static void print_json(const struct replay *replay)
{
    json_t *list = json_array();
    for (size_t i = 0; i < replay->count; i++) {
        (void)json_array_append_new(list, group_json(&replay->groups[i]));
    }
    json_t *json = json_pack("{s:I, s:I, s:I, s:I, s:b, s:o}", "asked", (json_int_t)replay->asked, "unread",
                             (json_int_t)replay->unread, "newly_allowed", (json_int_t)replay->allowed_now,
                             "newly_denied", (json_int_t)replay->denied_now, "complete", !replay->is_cut,
                             "changes", list);
    (void)json_dumpf(json, stdout, JSON_INDENT(2));
    (void)fputs("\n", stdout);
    json_decref(json);
}

static int run(struct replay *replay, const char *path, bool is_json)
{
    FILE *leaves = fopen(path, "rbe");
    if (leaves == NULL) {
        return complain(COMMAND_TROUBLE, "policy", "%s: %s", path, strerror(errno));
    }
    enum err err = read_leaves(replay, leaves);
    (void)fclose(leaves);
    if (err != ERR_NONE) {
        return complain(COMMAND_TROUBLE, "policy", "%s: %s", path, err_text(err));
    }
    if (is_json) {
        print_json(replay);
    } else {
        print_text(replay);
    }
    return finish_output(replay->count == 0 ? COMMAND_OK : COMMAND_NO, "policy");
}

static int replay(const struct common *common, int64_t since_s, const char *file_name)
{
    struct places *places = calloc(1, sizeof *places);
    if (places == NULL || !places_find(common, places)) {
        free(places);
        return COMMAND_TROUBLE;
    }
    char path[COMMAND_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/leaves", places->evidence);
    free(places);
    struct policy *policy = policy_command_open(file_name);
    struct replay replay = {
        .policy = policy, .since_s = since_s, .decision = calloc(1, sizeof *replay.decision)};
    int status =
        policy == NULL || replay.decision == NULL ? COMMAND_TROUBLE : run(&replay, path, common->is_json);
    free(replay.decision);
    free(replay.groups);
    names_done(&replay.by_key);
    arena_done(&replay.keys);
    policy_free(policy);
    return status;
}

static int replay_main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        COMMON_OPTIONS, {"since", required_argument, NULL, OPTION_SINCE}, {0}};
    struct common common = {0};
    uint64_t since_s = DEFAULT_SINCE_S;
    optind = 0;
    for (int option = 0; (option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1;) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (option == OPTION_SINCE) {
            if (text_duration_s(cursor_of_text(optarg), &since_s) != ERR_NONE) {
                return complain(COMMAND_USAGE, "policy", "--since needs a time such as 12h or 30d, not %s",
                                optarg);
            }
        } else if (!common_take(&common, option, optarg)) {
            return complain_usage("policy");
        }
    }
    if (argc - optind != 1) {
        return complain(COMMAND_USAGE, "policy", "replay needs the file of one policy");
    }
    return replay(&common, clock_wall_s() - (int64_t)since_s, argv[optind]);
}

int policy_main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "history") == 0 || strcmp(name, "at") == 0) {
        return policy_past_main(argc - 1, argv + 1);
    }
    return strcmp(name, "replay") == 0 ? replay_main(argc - 1, argv + 1) : policy_command(argc, argv);
}
