/* What may be asked for on one target: actions by accounts, and for lists of commands, paths, places and
 * databases one example of what each entry matches, and one of what no entry matches. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "diff_parts.h"
#include "policy/path.h"

/* No policy lists them; a name that some pattern would match by chance only widens what is asked. */
static const char REST_COMMAND[] = "/bastion/any-other-command";
static const char REST_PATH[] = "/bastion/any-other-path";
static const char REST_PLACE[] = "any-other-place.bastion.invalid:1";
static const char REST_NAME[] = "*"; /* a name that only a pattern for all names matches */

struct collecting {
    struct arena *arena;
    struct diff_whats *whats;
    size_t capacity;
    struct names seen; /* "action account text" */
    bool is_out_of_memory;
};

/* For people to read; what is too long is cut. */
static char *joined(struct collecting *collecting, const char *a, struct cursor b)
{
    char text[2 * GRANT_COMMAND_BYTES];
    char printable[DIFF_WHAT_BYTES];
    (void)snprintf(text, sizeof text, "%s%.*s", a, (int)cursor_len(&b), (const char *)b.at);
    text_printable(cursor_of_text(text), printable, sizeof printable);
    char *copy = arena_text(collecting->arena, cursor_of_text(printable));
    collecting->is_out_of_memory = collecting->is_out_of_memory || copy == NULL;
    return copy;
}

static bool make_room(struct collecting *collecting)
{
    struct diff_whats *whats = collecting->whats;
    if (whats->count < collecting->capacity) {
        return true;
    }
    size_t capacity = collecting->capacity == 0 ? 64 : 2 * collecting->capacity;
    struct diff_what *more = arena_array(collecting->arena, capacity, sizeof *more);
    if (more == NULL) {
        return false;
    }
    if (whats->count > 0) {
        memcpy(more, whats->all, whats->count * sizeof *more);
    }
    whats->all = more;
    collecting->capacity = capacity;
    return true;
}

static void add(struct collecting *collecting, const struct diff_what *what)
{
    char key[DIFF_WHAT_BYTES + LIMIT_DB_NAME_BYTES + 16];
    (void)snprintf(key, sizeof key, "%d %s %s", (int)what->action, what->account, what->text);
    char *name = arena_text(collecting->arena, cursor_of_text(key));
    enum err err = name == NULL ? ERR_MEMORY : names_add(&collecting->seen, cursor_of_text(name), 0);
    if (err == ERR_STATE) {
        return; /* another rule has it too */
    }
    if (err != ERR_NONE || !make_room(collecting)) {
        collecting->is_out_of_memory = true;
        return;
    }
    collecting->whats->all[collecting->whats->count++] = *what;
}

/* Every "*" becomes `filling`; the last of a path's two is dropped with it. */
static struct cursor example_of(struct collecting *collecting, struct cursor pattern, const char *filling)
{
    char text[GRANT_COMMAND_BYTES];
    size_t used = 0;
    for (const uint8_t *at = pattern.at; at != pattern.end && used + 2 < sizeof text; at++) {
        bool is_second = *at == '*' && at != pattern.at && at[-1] == '*';
        if (!is_second) {
            memcpy(&text[used++], *at == '*' ? filling : (const char *)at, 1);
        }
    }
    char *copy = arena_text(collecting->arena, cursor_of(text, used));
    collecting->is_out_of_memory = collecting->is_out_of_memory || copy == NULL;
    return copy == NULL ? cursor_of(NULL, 0) : cursor_of(copy, used);
}

/* ---- ssh ---- */

static void add_commands(struct collecting *collecting, struct diff_what what, struct cursor patterns)
{
    uint8_t words = 0;
    while (cursor_len(&patterns) > 0 && cursor_u8(&patterns, &words) == ERR_NONE) {
        char text[GRANT_COMMAND_BYTES] = "";
        size_t used = 0;
        struct cursor word;
        for (unsigned i = 0; i < words && cursor_string(&patterns, GRANT_WORD_BYTES, &word) == ERR_NONE;
             i++) {
            int len = snprintf(text + used, sizeof text - used, "%s%.*s", i == 0 ? "" : " ",
                               (int)cursor_len(&word), (const char *)word.at);
            used += len > 0 && (size_t)len < sizeof text - used ? (size_t)len : 0;
        }
        what.command = example_of(collecting, cursor_of(text, used), "x");
        what.text = joined(collecting, "exec: ", cursor_of(text, used));
        add(collecting, &what);
    }
}

static void add_paths(struct collecting *collecting, struct diff_what what, struct cursor paths)
{
    uint8_t level = 0;
    struct cursor pattern;
    while (cursor_len(&paths) > 0 && cursor_u8(&paths, &level) == ERR_NONE &&
           cursor_string(&paths, PATH_PATTERN_BYTES, &pattern) == ERR_NONE) {
        what.command = example_of(collecting, pattern, "x");
        what.text =
            joined(collecting, what.action == POLICY_SFTP_WRITE ? "sftp write " : "sftp read ", pattern);
        add(collecting, &what);
    }
}

/* A network stands for its first address, any host and any port for one. */
static struct cursor example_of_place(struct collecting *collecting, struct cursor place)
{
    struct cursor host;
    uint16_t port = 0;
    struct network network;
    char text[PLACE_BYTES + NETWORK_TEXT_BYTES];
    if (place_split(place, &host, &port) && network_parse(host, &network) == ERR_NONE) {
        char address[NETWORK_TEXT_BYTES];
        network.prefix_bits = network.family == 4 ? 32 : 128;
        (void)snprintf(text, sizeof text, network.family == 4 ? "%s:%u" : "[%s]:%u",
                       network_text(&network, address), port);
        return example_of(collecting, cursor_of_text(text), "1");
    }
    return example_of(collecting, place, "1");
}

static void add_places(struct collecting *collecting, struct diff_what what, struct cursor places)
{
    uint8_t use = 0;
    struct cursor place;
    bool is_forward = what.action == POLICY_FORWARD;
    while (cursor_len(&places) > 0 && cursor_u8(&places, &use) == ERR_NONE &&
           cursor_string(&places, PLACE_BYTES, &place) == ERR_NONE) {
        if (use == (is_forward ? PLACE_FORWARD : PLACE_REMOTE_FORWARD)) {
            what.command = example_of_place(collecting, place);
            what.text = joined(collecting, is_forward ? "forward " : "remote forward ", place);
            add(collecting, &what);
        }
    }
}

static void add_host_actions(struct collecting *collecting, const char *account,
                             const struct diff_rules rules[DIFF_SIDES])
{
    static const struct diff_what RESTS[] = {
        {.action = POLICY_SHELL, .text = "shell", .is_rest = true},
        {.action = POLICY_EXEC, .text = "exec", .is_rest = true},
        {.action = POLICY_SFTP_READ, .text = "sftp read", .is_rest = true},
        {.action = POLICY_SFTP_WRITE, .text = "sftp write", .is_rest = true},
        {.action = POLICY_FORWARD, .text = "forward", .is_rest = true},
        {.action = POLICY_REMOTE_FORWARD, .text = "remote forward", .is_rest = true},
        {.action = POLICY_AGENT, .text = "agent", .is_rest = true},
        {.action = POLICY_X11, .text = "x11", .is_rest = true},
    };
    static const char *const EXAMPLES[POLICY_ACTION_COUNT] = {[POLICY_EXEC] = REST_COMMAND,
                                                              [POLICY_SFTP_READ] = REST_PATH,
                                                              [POLICY_SFTP_WRITE] = REST_PATH,
                                                              [POLICY_FORWARD] = REST_PLACE,
                                                              [POLICY_REMOTE_FORWARD] = REST_PLACE};
    for (size_t i = 0; i < sizeof RESTS / sizeof RESTS[0]; i++) {
        struct diff_what what = RESTS[i];
        const char *example = EXAMPLES[what.action];
        what.account = account;
        what.command = cursor_of_text(example == NULL ? "" : example);
        add(collecting, &what);
        what.is_rest = false;
        for (size_t j = 0; j < rules[0].count + rules[1].count; j++) {
            const struct rule *rule =
                j < rules[0].count ? rules[0].rules[j] : rules[1].rules[j - rules[0].count];
            if (what.action == POLICY_EXEC) {
                add_commands(collecting, what, rule->can.patterns);
            } else if (what.action == POLICY_SFTP_READ || what.action == POLICY_SFTP_WRITE) {
                add_paths(collecting, what, rule->can.paths);
            } else if (what.action == POLICY_FORWARD || what.action == POLICY_REMOTE_FORWARD) {
                add_places(collecting, what, rule->can.places);
            }
        }
    }
}

/* ---- databases ---- */

static void add_database_actions(struct collecting *collecting, const char *user, struct cursor database,
                                 bool is_rest)
{
    static const struct {
        enum policy_action action;
        const char *text;
    } ACTIONS[] = {{POLICY_DB, "db "},
                   {POLICY_DB_COPY, "copy in "},
                   {POLICY_DB_FUNCTION_CALL, "function call in "},
                   {POLICY_DB_REPLICATION, "replication of "},
                   {POLICY_DB_LOCAL_INFILE, "local infile into "}};
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++) {
        struct diff_what what = {
            .action = ACTIONS[i].action, .account = user, .is_rest = is_rest, .is_database = true};
        what.database = is_rest ? cursor_of_text(REST_NAME) : example_of(collecting, database, "x");
        what.text = joined(collecting, ACTIONS[i].text, is_rest ? cursor_of_text("any database") : database);
        add(collecting, &what);
    }
}

static void add_databases_of(struct collecting *collecting, const char *user, struct cursor databases)
{
    struct cursor name;
    while (cursor_len(&databases) > 0 && cursor_string(&databases, LIMIT_DB_NAME_BYTES, &name) == ERR_NONE) {
        if (!cursor_equal_text(name, "*")) {
            add_database_actions(collecting, user, name, false);
        }
    }
}

/* Every user of any rule in every database of any rule. */
static void add_user(struct collecting *collecting, const char *user,
                     const struct diff_rules rules[DIFF_SIDES])
{
    add_database_actions(collecting, user, cursor_of(NULL, 0), true);
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        for (size_t i = 0; i < rules[side].count; i++) {
            add_databases_of(collecting, user, rules[side].rules[i]->can.db_databases);
        }
    }
}

/* ---- all ---- */

static void add_accounts(struct collecting *collecting, const struct diff_rules rules[DIFF_SIDES],
                         unsigned side)
{
    for (size_t i = 0; i < rules[side].count; i++) {
        const struct rule *rule = rules[side].rules[i];
        for (size_t j = 0; j < rule->account_count; j++) {
            add_host_actions(collecting, joined(collecting, "", rule->accounts[j]), rules);
        }
    }
}

static void add_users(struct collecting *collecting, const struct diff_rules rules[DIFF_SIDES], unsigned side)
{
    add_user(collecting, REST_NAME, rules);
    for (size_t i = 0; i < rules[side].count; i++) {
        struct cursor users = rules[side].rules[i]->can.db_users;
        struct cursor name;
        while (cursor_len(&users) > 0 && cursor_string(&users, LIMIT_DB_NAME_BYTES, &name) == ERR_NONE) {
            if (!cursor_equal_text(name, "*")) {
                add_user(collecting, (const char *)example_of(collecting, name, "x").at, rules);
            }
        }
    }
}

enum err diff_whats_find(struct arena *arena, const struct target *const targets[DIFF_SIDES],
                         const struct diff_rules rules[DIFF_SIDES], struct diff_whats *ret)
{
    static const struct diff_what CONNECT = {
        .action = POLICY_ANY, .account = "", .text = "connect", .is_rest = true, .is_stream = true};
    *ret = (struct diff_whats){0};
    struct collecting collecting = {.arena = arena, .whats = ret};
    for (unsigned side = 0; side < DIFF_SIDES && !collecting.is_out_of_memory; side++) {
        if (targets[side] == NULL) {
            continue;
        }
        if (target_is_database(targets[side])) {
            add_users(&collecting, rules, side);
        } else if (targets[side]->kind == POLICY_TARGET_SSH) {
            add_accounts(&collecting, rules, side);
        } else {
            add(&collecting, &CONNECT);
        }
    }
    names_done(&collecting.seen);
    return collecting.is_out_of_memory ? ERR_MEMORY : ret->count > DIFF_WHATS_MAX ? ERR_TOO_LARGE : ERR_NONE;
}

bool diff_what_fits(const struct diff_what *what, const struct target *target)
{
    bool is_database = target_is_database(target);
    bool is_stream = !is_database && target->kind != POLICY_TARGET_SSH;
    return what->is_database == is_database && what->is_stream == is_stream;
}
