/* `bastion sessions`: what was recorded, from the clear heads of the recordings. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "record/stream.h"
#include "replay/moment.h"

static const char HELP[] =
    "usage: bastion sessions [OPTIONS]\n"
    "\n"
    "List recorded sessions, newest first. No private key is needed: the list comes from the clear heads of "
    "the\n"
    "recordings, which are not verified here (see: bastion verify). Times are UTC.\n"
    "\n"
    "  --user PERSON       of this person\n"
    "  --target NAME       to this host, or target of the policy\n"
    "  --db NAME           connections to databases: to this host, target, or database\n"
    "  --since WHEN        begun at or after: 90m, 12h, 7d (ago), 2026-01-31, 2026-01-31T10:30\n"
    "  --until WHEN        begun before\n"
    "  --open              only those that are not closed: running, or lost\n"
    "  --limit N           at most N (default 50, 0 for all)\n"
    "  --json              one JSON object a line, with everything that is known\n"
    "  --recordings DIR    folder of recordings (default: of the configuration)\n"
    "  --config FILE       default /etc/bastion/bastiond.yaml\n"
    "\n"
    "Damaged recordings are listed with what is wrong with them, whatever person or target was asked for.\n"
    "\n"
    "exit status: 0 listed, 1 nothing matches, 2 usage, 3 the recordings cannot be read\n"
    "\n"
    "  bastion sessions --user mira --since 7d\n"
    "  bastion sessions --open --json | jq -r .id\n";

enum { LIMIT_USUAL = 50 };

/* --- as JSON ----------------------------------------------------------------------------------------- */

static void set_text(json_t *json, const char *name, const char *text)
{
    (void)json_object_set_new(json, name, *text == 0 ? json_null() : json_string(text));
}

static void set_number(json_t *json, const char *name, uint64_t number)
{
    (void)json_object_set_new(json, name, json_integer((json_int_t)number));
}

/* null where the recording does not say it: it is open, or an earlier version made it. */
static void set_moved(json_t *json, const struct replay_entry *entry)
{
    const struct record_moved *moved = &entry->moved;
    const struct {
        const char *name;
        uint64_t number;
    } members[] = {{"files", moved->files},
                   {"file_bytes_to_target", moved->file_to_target_bytes},
                   {"file_bytes_from_target", moved->file_from_target_bytes},
                   {"bytes_to_target", moved->to_target_bytes},
                   {"bytes_from_target", moved->from_target_bytes}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        (void)json_object_set_new(json, members[i].name,
                                  entry->has_moved ? json_integer((json_int_t)members[i].number)
                                                   : json_null());
    }
}

static void print_json(const struct replay_entry *entry)
{
    char start[CLOCK_TEXT_BYTES];
    json_t *json = json_object();
    set_text(json, "id", entry->sid);
    set_text(json, "start", clock_text(entry->start_us, start));
    (void)json_object_set_new(json, "duration_s", json_real((double)entry->duration_us / 1e6));
    set_text(json, "person", entry->meta.person);
    set_text(json, "account", entry->meta.account);
    set_text(json, "host", entry->meta.host);
    (void)json_object_set_new(json, "port",
                              entry->meta.port == 0 ? json_null() : json_integer(entry->meta.port));
    set_text(json, "address", entry->meta.address);
    set_text(json, "target", entry->meta.target);
    set_text(json, "from", entry->meta.from);
    set_text(json, "kind", entry->meta.kind);
    set_text(json, "database", entry->meta.database);
    set_text(json, "rule", entry->meta.rule);
    set_text(json, "bastion", entry->meta.bastion);
    set_text(json, "key", entry->meta.key);
    set_text(json, "factor", entry->meta.factor);
    bool has_factor = entry->damage[0] == 0 && entry->meta.factor_age_s >= 0;
    (void)json_object_set_new(json, "mfa_age_s",
                              has_factor ? json_integer((json_int_t)entry->meta.factor_age_s) : json_null());
    set_text(json, "access_reason", entry->meta.access_reason);
    (void)json_object_set_new(json, "closed", json_boolean(entry->is_closed));
    set_text(json, "how", entry->how);
    set_text(json, "reason", entry->reason);
    bool has_status = entry->is_closed && entry->exit_status != RECORD_NO_STATUS;
    (void)json_object_set_new(json, "exit_status",
                              has_status ? json_integer((json_int_t)entry->exit_status) : json_null());
    set_number(json, "recorded_bytes", entry->kept_bytes);
    set_moved(json, entry);
    set_number(json, "file_bytes", entry->file_bytes);
    set_text(json, "path", entry->path);
    set_text(json, "damage", entry->damage);
    char *line = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    (void)puts(line == NULL ? "null" : line);
    free(line);
    json_decref(json);
}

/* --- as a table -------------------------------------------------------------------------------------- */

static enum colour colour_of(const struct replay_entry *entry)
{
    if (entry->damage[0] != 0) {
        return COLOUR_BAD;
    }
    return entry->is_closed && strcmp(entry->how, "ended") == 0 ? COLOUR_NONE : COLOUR_MIND;
}

static enum err add_row(struct table *table, const struct replay_entry *entry)
{
    char id[REPLAY_ID_BYTES + 1];
    char start[REPLAY_TIME_BYTES];
    char duration[REPLAY_TIME_BYTES];
    char bytes[REPLAY_TIME_BYTES];
    char status[16] = "-";
    char files[24] = "-";
    char up[REPLAY_TIME_BYTES] = "-";
    char down[REPLAY_TIME_BYTES] = "-";
    char where[2 * LIMIT_DB_NAME_BYTES + LIMIT_HOST_BYTES + 8];
    const struct replay_meta *meta = &entry->meta;
    (void)snprintf(id, sizeof id, "%.*s", REPLAY_ID_BYTES, entry->sid);
    char port[8] = "";
    if (strcmp(meta->kind, "tcp") == 0) {
        (void)snprintf(port, sizeof port, ":%u", meta->port);
    }
    (void)snprintf(where, sizeof where, "%s%s%s%s", meta->account, *meta->account == 0 ? "" : "@", meta->host,
                   port);
    if (entry->is_closed && entry->exit_status != RECORD_NO_STATUS) {
        (void)snprintf(status, sizeof status, "%" PRIu32, entry->exit_status);
    }
    if (entry->has_moved) {
        (void)snprintf(files, sizeof files, "%" PRIu64, entry->moved.files);
        (void)replay_bytes_text(entry->moved.to_target_bytes, up);
        (void)replay_bytes_text(entry->moved.from_target_bytes, down);
    }
    bool is_damaged = entry->damage[0] != 0;
    const char *how = is_damaged ? "DAMAGED" : entry->is_closed ? entry->how : "open";
    char rule[REPLAY_TEXT_BYTES + LIMIT_SENTENCE_BYTES + 4];
    bool has_reason = meta->access_reason[0] != 0;
    (void)snprintf(rule, sizeof rule, "%s%s%s%s", meta->rule, has_reason ? " (" : "", meta->access_reason,
                   has_reason ? ")" : "");
    const char *last = is_damaged ? entry->damage : rule;
    const char *const CELLS[] = {
        id,
        replay_wall_text(entry->start_us, start),
        is_damaged ? "-" : replay_offset_text(entry->duration_us, duration),
        *meta->person == 0 ? "-" : meta->person,
        *where == 0 ? "-" : where,
        *meta->from == 0 ? "-" : meta->from,
        how,
        status,
        files,
        up,
        down,
        replay_bytes_text(entry->is_closed ? entry->kept_bytes : entry->file_bytes, bytes),
        last,
    };
    return table_add(table, CELLS);
}

static int print_table(const struct replay_list *list)
{
    static const char *const HEAD[] = {"ID",      "START (UTC)", "DURATION", "PERSON", "ACCOUNT@HOST",
                                       "FROM",    "END",         "STATUS",   "FILES",  "TO TARGET",
                                       "FROM IT", "RECORDED",    "RULE"};
    struct table table = {.columns = sizeof HEAD / sizeof HEAD[0]};
    enum colour *colours = calloc(list->count + 1, sizeof *colours);
    enum err err = colours == NULL ? ERR_MEMORY : table_add(&table, HEAD);
    for (size_t i = 0; i < list->count && err == ERR_NONE; i++) {
        colours[i + 1] = colour_of(list->entries[i]);
        err = add_row(&table, list->entries[i]);
    }
    if (err == ERR_NONE) {
        colours[0] = COLOUR_DIM;
        table_print(&table, colours, stdout);
    }
    table_done(&table);
    free(colours);
    return err == ERR_NONE ? COMMAND_OK : complain(COMMAND_TROUBLE, "sessions", "%s", err_text(err));
}

static int print_list(const struct replay_list *list, const struct common *common)
{
    int code = COMMAND_OK;
    if (common->is_json) {
        for (size_t i = 0; i < list->count; i++) {
            print_json(list->entries[i]);
        }
    } else if (list->count > 0) {
        code = print_table(list);
    }
    if (list->is_cut) {
        (void)fprintf(stderr,
                      "bastion sessions: there are older ones: --limit 0 lists all, --until goes back\n");
    }
    if (list->unreadable > 0) {
        return complain(COMMAND_TROUBLE, "sessions", "%" PRIu64 " folders could not be read",
                        list->unreadable);
    }
    if (list->count == 0 && !common->is_json) {
        (void)fprintf(stderr, "bastion sessions: nothing matches\n");
    }
    return list->count == 0 ? COMMAND_NO : code;
}

int sessions_command(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        COMMON_OPTIONS,
        FILTER_OPTIONS,
        {0},
    };
    struct common common = {0};
    struct replay_filter_by by = {.until_us = UINT64_MAX, .limit = LIMIT_USUAL};
    int option = 0;
    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (!common_take(&common, option, optarg) && !filter_take(&by, option, optarg)) {
            return complain_usage("sessions");
        }
    }
    if (optind != argc) {
        (void)complain(0, "sessions", "it takes no words: %s", argv[optind]);
        return complain_usage("sessions");
    }
    struct places places;
    if (!places_find(&common, &places)) {
        return COMMAND_TROUBLE;
    }
    OWNED_LIST list = {0};
    enum err err = replay_list_read(places.recordings, &by, &list);
    if (err != ERR_NONE) {
        return complain(COMMAND_TROUBLE, "sessions", "%s: %s", places.recordings,
                        err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
    return finish_output(print_list(&list, &common), "sessions");
}
