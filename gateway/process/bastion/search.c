/* `bastion search`: a text in all that was recorded. There is no index: what is sealed is opened, read and
 * forgotten. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "replay/moment.h"
#include "replay/queries.h"
#include "replay/recording.h"
#include "replay/screen.h"

static const char HELP[] =
    "usage: bastion search TEXT [OPTIONS]\n"
    "\n"
    "Find a text, without regard to the case of ASCII letters, in statements to databases and their "
    "parameters, in\n"
    "commands, in names of files, and in the lines that terminals and commands showed. Recordings are read "
    "one after the other, newest\n"
    "first; each that is opened is decrypted in memory only. They are not verified here (see: bastion "
    "verify).\n"
    "\n"
    "  --user PERSON, --target NAME, --db NAME, --since WHEN, --until WHEN, --open, --limit N\n"
    "                      which recordings are read, as for bastion sessions (default: all of them)\n"
    "  --json              one JSON object for each place\n"
    "  --identity FILE     your private age key (default: $BASTION_IDENTITY)\n"
    "  --recordings DIR    folder of recordings (default: of the configuration)\n"
    "  --config FILE       default /etc/bastion/bastiond.yaml\n"
    "\n"
    "exit status: 0 found, 1 not found, 2 usage, 3 some recordings could not be opened (what was found is "
    "listed)\n"
    "\n"
    "  bastion search 'delete from' --db orders-db --since 7d\n";

enum { SNIPPET_BYTES = 200, BEFORE_BYTES = 60, NEEDLE_BYTES = 1024, WIDE_COLS = REPLAY_COLS_MAX };

struct search {
    struct cursor needle;
    bool is_json, shows_progress;
    uint64_t found, unopened;
    /* the recording that is read */
    const struct replay_entry *entry;
    const struct replay_recording *recording;
    struct replay_queries *queries;
    const char *what; /* of the lines of a screen */
    uint64_t t_us;
};

/* ---- finding ---- */

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* @return where it begins, or NULL. */
static const uint8_t *find(struct cursor text, struct cursor needle)
{
    size_t len = cursor_len(&needle);
    for (; cursor_len(&text) >= len; text.at++) {
        size_t i = 0;
        while (i < len && lower(text.at[i]) == lower(needle.at[i])) {
            i++;
        }
        if (i == len) {
            return text.at;
        }
    }
    return NULL;
}

static enum err print_place(struct search *search, const char *what, struct cursor around)
{
    char text[2 * SNIPPET_BYTES];
    text_printable(around, text, sizeof text);
    const struct replay_entry *entry = search->entry;
    if (!search->is_json) {
        char at[REPLAY_TIME_BYTES];
        (void)printf("%.*s  %s@%s  %s  %s: %s\n", REPLAY_ID_BYTES, entry->sid, entry->meta.person,
                     entry->meta.host, replay_offset_text(search->t_us, at), what, text);
        return ERR_NONE;
    }
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:f, s:s, s:s}", "id", entry->sid, "person",
                             entry->meta.person, "host", entry->meta.host, "account", entry->meta.account,
                             "t", (double)search->t_us / 1e6, "what", what, "text", text);
    char *line = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    (void)puts(line == NULL ? "null" : line);
    enum err err = line == NULL ? ERR_MEMORY : ERR_NONE;
    free(line);
    json_decref(json);
    return err;
}

static enum err look(struct search *search, const char *what, struct cursor text)
{
    const uint8_t *at = find(text, search->needle);
    if (at == NULL) {
        return ERR_NONE;
    }
    search->found++;
    struct cursor around = text;
    if (at - text.at > BEFORE_BYTES) {
        around.at = at - BEFORE_BYTES;
    }
    if (cursor_len(&around) > SNIPPET_BYTES) {
        around.end = around.at + SNIPPET_BYTES;
    }
    return print_place(search, what, around);
}

/* ---- what is looked at ---- */

static enum err take_query(void *context, const struct replay_query *query)
{
    struct search *search = context;
    if (query->part > 1) {
        return ERR_NONE; /* another result of what was looked at */
    }
    search->t_us = query->t_us;
    TRY(look(search, "statement", query->text));
    for (size_t i = 0; i < query->parameter_count; i++) {
        char text[REPLAY_VALUE_BYTES];
        const char *value =
            replay_value_text(replay_queries_protocol(search->queries), &query->parameters[i], text);
        TRY(look(search, "parameter", cursor_of_text(value)));
    }
    return ERR_NONE;
}

static enum err take_record(void *context, uint64_t t_us, size_t part, const struct record_body *body)
{
    (void)part;
    struct search *search = context;
    TRY(replay_queries_take(search->queries, t_us, body));
    search->t_us = t_us;
    if (body->kind == RECORD_EXEC) {
        return look(search, "command", body->text);
    }
    if (body->kind == RECORD_FILE_REQUEST) {
        TRY(look(search, "file", body->file_request.path));
        return look(search, "file", body->file_request.second);
    }
    return ERR_NONE;
}

static enum err take_line(void *context, struct cursor line)
{
    struct search *search = context;
    return look(search, search->what, line);
}

static enum err show_event(struct search *search, struct replay_screen *screen,
                           const struct replay_event *event, bool has_terminal, struct queue *scratch)
{
    search->t_us = event->t_us;
    if (event->kind == REPLAY_RESIZE) {
        return replay_screen_resize(screen, event->cols, event->rows);
    }
    if (event->kind == REPLAY_NOTE) {
        return ERR_NONE;
    }
    if (has_terminal) {
        return replay_screen_put(screen, event->bytes);
    }
    queue_consume(scratch, queue_len(scratch));
    TRY(replay_add_returns(event->bytes, scratch));
    return replay_screen_put(screen, queue_peek(scratch));
}

/* Text as a person saw it: a word that was typed with a correction is found as it was meant. */
static enum err search_part(struct search *search, struct replay_recording *recording,
                            const struct replay_part *part, size_t number, struct queue *scratch)
{
    OWNED_SCREEN *screen = NULL;
    search->what = part->has_terminal ? "terminal" : "output";
    TRY(replay_screen_new(part->has_terminal ? part->cols : WIDE_COLS, part->rows, take_line, search,
                          &screen));
    struct replay_source source = replay_recording_source(recording, number);
    TRY(source.rewind(source.context));
    enum err err = ERR_NONE;
    while (err == ERR_NONE) {
        struct replay_event event;
        err = source.next(source.context, &event);
        err = err == ERR_NONE ? show_event(search, screen, &event, part->has_terminal, scratch) : err;
    }
    return err == ERR_CLOSED ? replay_screen_lines(screen) : err;
}

static enum err search_parts(struct search *search, struct replay_recording *recording)
{
    struct replay_survey survey = {0};
    struct queue scratch;
    queue_init(&scratch, (size_t)4 * LIMIT_RECORD_BODY_BYTES);
    enum err err = replay_recording_survey(recording, &survey);
    for (size_t i = 0; err == ERR_NONE && i < survey.part_count; i++) {
        bool has_text = survey.parts[i].shown_bytes > 0;
        err = has_text ? search_part(search, recording, &survey.parts[i], i, &scratch) : ERR_NONE;
    }
    replay_survey_done(&survey);
    queue_done(&scratch);
    return err;
}

static enum err search_recording(struct search *search, struct replay_recording *recording)
{
    OWNED_QUERIES *queries = NULL;
    TRY(replay_queries_new(true, take_query, search, &queries));
    search->queries = queries;
    enum err err = replay_recording_each(recording, take_record, search);
    if (err == ERR_NONE) {
        err = replay_queries_finish(queries);
    }
    return err == ERR_NONE ? search_parts(search, recording) : err;
}

/* ---- all recordings ---- */

static void show_progress(const struct search *search, size_t done, size_t count)
{
    if (search->shows_progress) {
        (void)fprintf(stderr, "\r%zu of %zu recordings", done, count);
        (void)fputs(done == count ? "\r\033[K" : "", stderr);
    }
}

static enum err search_entry(struct search *search, const struct record_identities *identities)
{
    struct replay_recording *recording = calloc(1, sizeof *recording);
    if (recording == NULL) {
        return ERR_MEMORY;
    }
    enum err err = search->entry->damage[0] != 0
                       ? ERR_MALFORMED
                       : replay_recording_open(recording, search->entry->path, NULL, identities);
    if (err == ERR_NONE) {
        err = search_recording(search, recording);
        replay_recording_done(recording);
    } else if (err != ERR_MEMORY) {
        search->unopened++;
        (void)complain(0, "search", "%s: %s", search->entry->path,
                       err == ERR_SYSTEM ? strerror(errno) : err_text(err));
        err = ERR_NONE;
    }
    free(recording);
    return err;
}

static int search_all(struct search *search, const struct places *places, const struct common *common,
                      const struct replay_filter_by *by)
{
    struct record_identities identities = {0};
    if (!identities_read(common, &identities)) {
        return COMMAND_TROUBLE;
    }
    OWNED_LIST list = {0};
    enum err err = replay_list_read(places->recordings, by, &list);
    for (size_t i = 0; err == ERR_NONE && i < list.count; i++) {
        show_progress(search, i, list.count);
        search->entry = list.entries[i];
        err = search_entry(search, &identities);
    }
    show_progress(search, list.count, list.count);
    record_identities_done(&identities);
    if (err != ERR_NONE) {
        return complain(COMMAND_TROUBLE, "search", "%s: %s", places->recordings,
                        err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
    return search->unopened > 0 ? COMMAND_TROUBLE : search->found > 0 ? COMMAND_OK : COMMAND_NO;
}

int search_command(int argc, char **argv)
{
    static const struct option OPTIONS[] = {COMMON_OPTIONS, FILTER_OPTIONS, {0}};
    struct common common = {0};
    struct replay_filter_by by = {.until_us = UINT64_MAX};
    for (int option = 0; (option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1;) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (!common_take(&common, option, optarg) && !filter_take(&by, option, optarg)) {
            return complain_usage("search");
        }
    }
    size_t len = argc - optind == 1 ? strlen(argv[optind]) : 0;
    if (len == 0 || len > NEEDLE_BYTES) {
        (void)complain(0, "search", "give one text of 1 to %d bytes", NEEDLE_BYTES);
        return complain_usage("search");
    }
    struct places places;
    if (!places_find(&common, &places)) {
        return COMMAND_TROUBLE;
    }
    struct search search = {.needle = cursor_of_text(argv[optind]),
                            .is_json = common.is_json,
                            .shows_progress = isatty(STDERR_FILENO) == 1 && isatty(STDOUT_FILENO) != 1};
    return finish_output(search_all(&search, &places, &common, &by), "search");
}
