/* `bastion queries`: the statements of a connection to a database, one for each result. */
#include "replay/queries.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "replay/database_words.h"
#include "replay/moment.h"
#include "show.h"

static const char HELP[] =
    "usage: bastion queries ID [OPTIONS]\n"
    "\n"
    "Verify a recording, then list the statements that were sent to a database: when, what, with which "
    "parameters,\n"
    "how many rows, how long, which error. Logins, cancels and refusals are among them. What rows contained "
    "is not recorded.\n"
    "\n"
    "  --all               also texts that were only prepared or closed, and notices of the server\n"
    "  --json              one JSON object a line; texts that are not UTF-8 with \"?\" in them\n"
    "  --identity FILE     your private age key (default: $BASTION_IDENTITY)\n"
    "  --force             also when the verification finds a fault\n"
    "  --key FILE, --recordings DIR, --evidence DIR, --config FILE   as for bastion verify\n"
    "\n"
    "exit status: 0 listed, 1 not found, no statements in it or a fault was found, 2 usage, 3 cannot be "
    "opened\n"
    "\n"
    "  bastion queries 8c3f\n"
    "  bastion queries 8c3f --json | jq 'select(.ms > 1000)'\n";

enum { OPTION_FORCE = OPTION_OWN, OPTION_ALL, TEXT_BYTES = RECORD_DB_KEPT_BYTES + 8, US_PER_MS = 1000 };

struct listing {
    struct replay_queries *queries; /* OWNED */
    bool is_json, shows_all;
    uint64_t printed;
    char *text; /* OWNED, TEXT_BYTES */
};

/* ---- as text ---- */

/* Line breaks and tabs of a statement become blanks: one line is one statement. */
static const char *one_line(struct listing *listing, struct cursor bytes)
{
    size_t len = cursor_len(&bytes);
    size_t kept = len < TEXT_BYTES - 1 ? len : TEXT_BYTES - 1;
    uint8_t *flat = malloc(kept + 1);
    if (flat == NULL) {
        return "?";
    }
    for (size_t i = 0; i < kept; i++) {
        bool is_blank = bytes.at[i] == '\n' || bytes.at[i] == '\r' || bytes.at[i] == '\t';
        flat[i] = is_blank ? ' ' : bytes.at[i];
    }
    text_printable(cursor_of(flat, kept), listing->text, TEXT_BYTES);
    free(flat);
    return listing->text;
}

static void print_parameters(const struct listing *listing, const struct replay_query *query)
{
    char text[REPLAY_VALUE_BYTES];
    for (size_t i = 0; i < query->parameter_count; i++) {
        const struct replay_value *value = &query->parameters[i];
        bool is_quoted = value->format == RECORD_DB_AS_TEXT;
        (void)printf("%s$%zu=%s%s%s", i == 0 ? "  [" : ", ", i + 1, is_quoted ? "'" : "",
                     replay_value_text(replay_queries_protocol(listing->queries), value, text),
                     is_quoted ? "'" : "");
    }
    if (query->parameters_cut > 0) {
        (void)printf(", and %" PRIu64 " more", query->parameters_cut);
    }
    (void)printf("%s", query->parameter_count > 0 ? "]" : "");
}

static void print_transfers(const struct replay_query *query)
{
    for (size_t i = 0; i < query->transfer_count; i++) {
        const struct replay_transfer *transfer = &query->transfers[i];
        char name[512];
        char hash[65] = "";
        text_printable(transfer->name, name, sizeof name);
        (void)printf("\n               %s%s%s: ", record_db_what_name(transfer->what),
                     name[0] == 0 ? "" : " ", name);
        if (!transfer->has_ended) {
            (void)printf("not ended");
            continue;
        }
        (void)printf("%" PRIu64 " bytes, %" PRIu64 " rows%s%s", transfer->bytes, transfer->rows,
                     cursor_len(&transfer->sha256) > 0 ? ", SHA-256 " : "",
                     cursor_len(&transfer->sha256) > 0 ? text_hex(transfer->sha256, hash, sizeof hash) : "");
    }
}

static void print_result(const struct replay_query *query)
{
    char code[64];
    char message[RECORD_DB_MESSAGE_BYTES + 8];
    text_printable(query->result.code, code, sizeof code);
    text_printable(query->result.message, message, sizeof message);
    bool is_done = query->result.outcome == RECORD_DB_DONE;
    if (!is_done) {
        (void)printf("\n               %s%s%s%s%s%s%s", colour_text(stdout, COLOUR_BAD),
                     record_db_outcome_name(query->result.outcome), code[0] == 0 ? "" : " ", code,
                     message[0] == 0 ? "" : ": ", message, colour_text(stdout, COLOUR_NONE));
    } else if (message[0] != 0) {
        (void)printf("  -> %s", message);
    }
}

static void print_text(struct listing *listing, const struct replay_query *query)
{
    char at[REPLAY_TIME_BYTES];
    char name[512];
    (void)printf("%s  %5" PRIu32 "  ", replay_offset_text(query->t_us, at), query->number);
    if (query->part == 0) {
        (void)printf("%10s  %12s  ", "-", "-");
    } else {
        (void)printf("%10" PRIu64 "  %9" PRIu64 ".%03" PRIu64 " ms  ", query->result.rows,
                     query->result.duration_us / US_PER_MS, query->result.duration_us % US_PER_MS);
    }
    if (query->part > 1) {
        (void)printf("(result %u of the same)", query->part);
    } else {
        bool has_word = query->operation != RECORD_DB_QUERY && query->operation != RECORD_DB_EXECUTE;
        text_printable(query->name, name, sizeof name);
        (void)printf("%s%s%s", has_word ? record_db_operation_name(query->operation) : "",
                     has_word ? " " : "", has_word && name[0] != 0 ? name : "");
        (void)printf("%s%s", has_word && name[0] != 0 ? " " : "", one_line(listing, query->text));
        if (query->text_bytes != RECORD_DB_LENGTH_LATER && cursor_len(&query->text) < query->text_bytes) {
            (void)printf("... (%" PRIu64 " bytes)", query->text_bytes);
        }
        print_parameters(listing, query);
        print_transfers(query);
    }
    if (query->part > 0) {
        print_result(query);
    }
    (void)putchar('\n');
}

/* ---- as JSON ---- */

static void set_text(struct listing *listing, json_t *json, const char *key, struct cursor bytes)
{
    json_t *text = json_stringn((const char *)bytes.at, cursor_len(&bytes));
    if (text == NULL) {
        text_printable(bytes, listing->text, TEXT_BYTES);
        text = json_string(listing->text);
    }
    (void)json_object_set_new(json, key, text);
}

static json_t *parameters_json(struct listing *listing, const struct replay_query *query)
{
    json_t *list = json_array();
    for (size_t i = 0; i < query->parameter_count; i++) {
        const struct replay_value *value = &query->parameters[i];
        char text[REPLAY_VALUE_BYTES];
        json_t *one =
            json_pack("{s:I, s:I}", "type", (json_int_t)value->type, "bytes", (json_int_t)value->value_bytes);
        if (value->format == RECORD_DB_AS_TEXT) {
            set_text(listing, one, "value", value->value);
        } else if (value->format == RECORD_DB_NULL || value->format == RECORD_DB_HASH_ONLY) {
            (void)json_object_set_new(one, "value", json_null());
            (void)json_object_set_new(one, "kept", json_boolean(value->format == RECORD_DB_NULL));
        } else {
            (void)json_object_set_new(
                one, "value",
                json_string(replay_value_text(replay_queries_protocol(listing->queries), value, text)));
        }
        (void)json_array_append_new(list, one);
    }
    return list;
}

static json_t *transfers_json(struct listing *listing, const struct replay_query *query)
{
    json_t *list = json_array();
    for (size_t i = 0; i < query->transfer_count; i++) {
        const struct replay_transfer *transfer = &query->transfers[i];
        char hash[65];
        json_t *one = json_pack("{s:s, s:b, s:I, s:I}", "what", record_db_what_name(transfer->what), "ended",
                                transfer->has_ended, "bytes", (json_int_t)transfer->bytes, "rows",
                                (json_int_t)transfer->rows);
        set_text(listing, one, "name", transfer->name);
        if (cursor_len(&transfer->sha256) > 0) {
            (void)json_object_set_new(one, "sha256",
                                      json_string(text_hex(transfer->sha256, hash, sizeof hash)));
        }
        (void)json_array_append_new(list, one);
    }
    return list;
}

static void set_result(struct listing *listing, json_t *json, const struct replay_query *query)
{
    const struct record_db_result *result = &query->result;
    (void)json_object_set_new(json, "result", query->part == 0 ? json_null() : json_integer(query->part));
    if (query->part == 0) {
        return;
    }
    (void)json_object_set_new(json, "outcome", json_string(record_db_outcome_name(result->outcome)));
    (void)json_object_set_new(json, "rows", json_integer((json_int_t)result->rows));
    (void)json_object_set_new(json, "result_bytes", json_integer((json_int_t)result->bytes));
    (void)json_object_set_new(json, "ms", json_real((double)result->duration_us / US_PER_MS));
    set_text(listing, json, "code", result->code);
    set_text(listing, json, "message", result->message);
    if (result->transaction != 0) {
        (void)json_object_set_new(json, "transaction", json_stringn((const char *)&result->transaction, 1));
    }
}

static enum err print_json(struct listing *listing, const struct replay_query *query)
{
    bool is_whole =
        query->text_bytes != RECORD_DB_LENGTH_LATER && cursor_len(&query->text) >= query->text_bytes;
    json_t *json =
        json_pack("{s:f, s:I, s:s}", "t", (double)query->t_us / 1e6, "number", (json_int_t)query->number,
                  "operation", record_db_operation_name(query->operation));
    set_text(listing, json, "name", query->name);
    set_text(listing, json, "sql", query->text);
    (void)json_object_set_new(json, "sql_complete", json_boolean(is_whole));
    if (query->of != 0) {
        (void)json_object_set_new(json, "prepared_by", json_integer((json_int_t)query->of));
    }
    (void)json_object_set_new(json, "parameters", parameters_json(listing, query));
    (void)json_object_set_new(json, "parameters_cut", json_integer((json_int_t)query->parameters_cut));
    if (query->transfer_count > 0) {
        (void)json_object_set_new(json, "transfers", transfers_json(listing, query));
    }
    set_result(listing, json, query);
    char *line = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    (void)puts(line == NULL ? "null" : line);
    enum err err = line == NULL ? ERR_MEMORY : ERR_NONE;
    free(line);
    json_decref(json);
    return err;
}

/* ---- the listing ---- */

static enum err take_query(void *context, const struct replay_query *query)
{
    struct listing *listing = context;
    listing->printed++;
    if (listing->is_json) {
        return print_json(listing, query);
    }
    print_text(listing, query);
    return ERR_NONE;
}

/* What is no statement but belongs to the story. */
static enum err print_other(struct listing *listing, uint64_t t_us, const struct record_body *body)
{
    char words[REPLAY_FILE_WORDS_BYTES];
    char what[256];
    char reason[LIMIT_SENTENCE_BYTES];
    if (body->kind == RECORD_REFUSED) {
        text_printable(body->refused.what, what, sizeof what);
        text_printable(body->refused.reason, reason, sizeof reason);
        (void)snprintf(words, sizeof words, "%s: %s", what, reason);
    } else if (!replay_database_words(body, words)) {
        return ERR_NONE;
    }
    if (!listing->is_json) {
        char at[REPLAY_TIME_BYTES];
        (void)printf("%s  %s%s%s  %s\n", replay_offset_text(t_us, at), colour_text(stdout, COLOUR_DIM),
                     record_kind_name(body->kind), colour_text(stdout, COLOUR_NONE), words);
        return ERR_NONE;
    }
    json_t *json = json_pack("{s:f, s:s, s:s}", "t", (double)t_us / 1e6, "event",
                             record_kind_name(body->kind), "text", words);
    char *line = json == NULL ? NULL : json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    (void)puts(line == NULL ? "null" : line);
    enum err err = line == NULL ? ERR_MEMORY : ERR_NONE;
    free(line);
    json_decref(json);
    return err;
}

static enum err take_record(void *context, uint64_t t_us, size_t part, const struct record_body *body)
{
    (void)part;
    struct listing *listing = context;
    bool is_other = body->kind == RECORD_DB_STARTUP || body->kind == RECORD_DB_CANCEL ||
                    body->kind == RECORD_REFUSED || (body->kind == RECORD_DB_NOTICE && listing->shows_all);
    if (is_other) {
        TRY(print_other(listing, t_us, body));
    }
    return replay_queries_take(listing->queries, t_us, body);
}

static enum err list(struct show *show, struct listing *listing)
{
    TRY(replay_queries_new(listing->shows_all, take_query, listing, &listing->queries));
    enum err err = replay_recording_each(&show->recording, take_record, listing);
    return err == ERR_NONE ? replay_queries_finish(listing->queries) : err;
}

static int run(const struct show_request *request, bool shows_all)
{
    OWNED_SHOW *show = NULL;
    int code = show_open(request, &show);
    if (code != COMMAND_OK) {
        return code;
    }
    struct listing listing = {
        .is_json = request->common.is_json, .shows_all = shows_all, .text = malloc(TEXT_BYTES)};
    enum err err = listing.text == NULL ? ERR_MEMORY : list(show, &listing);
    replay_queries_free(&listing.queries);
    free(listing.text);
    if (err != ERR_NONE) {
        return complain(COMMAND_TROUBLE, "queries", "%s", err_text(err));
    }
    return listing.printed > 0
               ? COMMAND_OK
               : complain(COMMAND_NO, "queries", "this session sent no statement to a database");
}

int queries_command(int argc, char **argv)
{
    static const struct option OPTIONS[] = {COMMON_OPTIONS,
                                            {"force", no_argument, NULL, OPTION_FORCE},
                                            {"all", no_argument, NULL, OPTION_ALL},
                                            {0}};
    struct show_request request = {.command = "queries", .is_quiet = true};
    bool shows_all = false;
    for (int option = 0; (option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1;) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (option == OPTION_FORCE || option == OPTION_ALL) {
            request.is_forced = request.is_forced || option == OPTION_FORCE;
            shows_all = shows_all || option == OPTION_ALL;
        } else if (!common_take(&request.common, option, optarg)) {
            return complain_usage("queries");
        }
    }
    if (argc - optind != 1) {
        (void)complain(0, "queries", "give one session id");
        return complain_usage("queries");
    }
    request.id = argv[optind];
    return finish_output(run(&request, shows_all), "queries");
}
