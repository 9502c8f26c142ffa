/* `bastion verify`: are recordings and evidence log whole? Needs nothing secret. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "command.h"
#include "record/verify.h"

static const char HELP[] =
    "usage: bastion verify [ID | --all] [OPTIONS]\n"
    "\n"
    "Check recordings against the evidence log of their host: every byte, every signature, and that none is "
    "missing.\n"
    "Only the public key of the log is needed, so an auditor can do it on a copy, without trusting the "
    "host.\n"
    "\n"
    "  --all               all recordings (the same as no ID)\n"
    "  --key FILE          public key of the evidence log (default: log key of the configuration, with "
    ".pub)\n"
    "  --note FILE         a checkpoint of the log that was kept elsewhere: finds a log that was rolled "
    "back\n"
    "  --recordings DIR    folder of recordings (default: of the configuration)\n"
    "  --evidence DIR      folder of the evidence log (default: of the configuration)\n"
    "  --quiet             print only what is not whole, and the summary\n"
    "  --json              one JSON object a line: the log, each recording, the summary\n"
    "  --config FILE       default /etc/bastion/bastiond.yaml\n"
    "\n"
    "OK          closed, logged, every byte as it was written\n"
    "UNFINISHED  not closed: running, or the recorder stopped; whole as far as the log covers it\n"
    "RECOVERED   the recorder stopped while it was open and noted how far it went when it started again\n"
    "ABANDONED   opened, but nothing was ever recorded\n"
    "TAMPERED TRUNCATED DELETED NOT_LOGGED WRONG_KEY UNREADABLE   faults\n"
    "\n"
    "exit status: 0 all is whole, 1 something is not whole (UNFINISHED is not a fault), 2 usage, 3 cannot be "
    "read\n"
    "\n"
    "  bastion verify --all --note /mnt/offsite/checkpoint\n"
    "  bastion verify 8c3f --key log.pub --recordings ./copy/recordings --evidence ./copy/evidence\n";

enum { OPTION_ALL = OPTION_OWN, OPTION_NOTE, OPTION_QUIET };

struct printing {
    bool is_json, is_quiet;
};

static void print_line(json_t *json)
{
    char *line = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    (void)puts(line == NULL ? "null" : line);
    free(line);
    json_decref(json);
}

static json_t *json_printable(const char *text)
{
    char printable[1024];
    text_printable(cursor_of_text(text == NULL ? "" : text), printable, sizeof printable);
    return json_string(printable);
}

static void print_verdict(enum colour colour, const char *verdict, const char *what, const char *sentence)
{
    char printable[1024];
    text_printable(cursor_of_text(sentence), printable, sizeof printable);
    (void)printf("%s%-12s%s %s  %s\n", colour_text(stdout, colour), verdict, colour_text(stdout, COLOUR_NONE),
                 what, printable);
}

static void on_log(void *context, const struct record_log_result *result)
{
    const struct printing *printing = context;
    char root[2 * CRYPTO_SHA256_BYTES + 1];
    bool is_fault = result->verdict >= RECORD_LOG_FAULTS;
    if (printing->is_json) {
        print_line(json_pack("{s:s, s:s, s:o, s:I, s:I, s:s}", "type", "log", "verdict",
                             record_log_verdict_name(result->verdict), "sentence",
                             json_printable(result->sentence), "leaves", (json_int_t)result->leaves,
                             "signed_leaves", (json_int_t)result->signed_leaves, "root",
                             text_hex(cursor_of(result->root, sizeof result->root), root, sizeof root)));
    } else if (is_fault || !printing->is_quiet) {
        enum colour colour = is_fault                           ? COLOUR_BAD
                             : result->verdict == RECORD_LOG_OK ? COLOUR_GOOD
                                                                : COLOUR_MIND;
        print_verdict(colour, record_log_verdict_name(result->verdict), "evidence log", result->sentence);
    }
}

static enum colour colour_of(enum record_verdict verdict)
{
    return verdict >= RECORD_FAULTS ? COLOUR_BAD : verdict == RECORD_OK ? COLOUR_GOOD : COLOUR_MIND;
}

static void on_recording(void *context, const struct record_result *result)
{
    const struct printing *printing = context;
    char sid[REPLAY_SID_BYTES];
    (void)text_hex(cursor_of(result->sid, sizeof result->sid), sid, sizeof sid);
    struct replay_meta meta = {0};
    if (result->has_head && replay_meta_parse(result->head.meta, &meta) != ERR_NONE) {
        meta = (struct replay_meta){0};
    }
    if (printing->is_json) {
        print_line(
            json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:b, s:o}", "type", "recording",
                      "id", sid, "verdict", record_verdict_name(result->verdict), "sentence",
                      json_printable(result->sentence), "path", json_printable(result->path), "person",
                      meta.person, "host", meta.host, "file_bytes", (json_int_t)result->file_bytes, "frames",
                      (json_int_t)result->frames, "tail_bytes", (json_int_t)result->tail_bytes, "key_missing",
                      result->is_key_missing ? 1 : 0, "how", json_printable(result->how)));
    } else if (result->verdict != RECORD_OK || result->is_key_missing || !printing->is_quiet) {
        char what[REPLAY_SID_BYTES + LIMIT_PERSON_BYTES + LIMIT_HOST_BYTES + 8];
        (void)snprintf(what, sizeof what, "%s %s%s%s", sid, meta.person, meta.host[0] == 0 ? "" : " on ",
                       meta.host);
        print_verdict(colour_of(result->verdict), record_verdict_name(result->verdict), what,
                      result->sentence);
    }
}

static void print_totals(const struct record_verify_totals *totals, const struct printing *printing)
{
    bool is_whole = totals->faults == 0 && totals->log < RECORD_LOG_FAULTS;
    if (printing->is_json) {
        print_line(json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:s}", "type", "summary", "whole",
                             is_whole ? 1 : 0, "recordings", (json_int_t)totals->recordings, "faults",
                             (json_int_t)totals->faults, "unfinished", (json_int_t)totals->unfinished,
                             "keys_missing", (json_int_t)totals->keys_missing, "log",
                             record_log_verdict_name(totals->log)));
        return;
    }
    (void)printf("%" PRIu64 " recordings: %s%" PRIu64 " faults%s, %" PRIu64 " unfinished, %" PRIu64
                 " without their key; evidence log %s\n",
                 totals->recordings, is_whole ? "" : colour_text(stdout, COLOUR_BAD), totals->faults,
                 is_whole ? "" : colour_text(stdout, COLOUR_NONE), totals->unfinished, totals->keys_missing,
                 record_log_verdict_name(totals->log));
}

static int verify(const struct places *places, const char *id, const char *note, struct printing *printing)
{
    struct record_vkey vkey;
    enum err err = record_vkey_load(places->key, &vkey);
    if (err != ERR_NONE) {
        return complain(COMMAND_TROUBLE, "verify", "the public key %s: %s (name it with --key)", places->key,
                        err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
    uint8_t sid[LIMIT_SID_BYTES];
    if (id != NULL && text_unhex(cursor_of_text(id), sid, sizeof sid) != ERR_NONE) {
        char path[REPLAY_PATH_BYTES];
        char hex[REPLAY_SID_BYTES];
        int code = find_recording(places, id, path, hex);
        if (code != COMMAND_OK) {
            return code;
        }
        err = text_unhex(cursor_of_text(hex), sid, sizeof sid);
    }
    struct record_verify_input input = {.recordings_dir = places->recordings,
                                        .evidence_dir = places->evidence,
                                        .vkey = &vkey,
                                        .held_note = note,
                                        .only_sid = id == NULL ? NULL : sid};
    struct record_verify_report report = {printing, on_log, on_recording};
    struct record_verify_totals totals = {0};
    err = err == ERR_NONE ? record_verify(&input, &report, &totals) : err;
    if (err == ERR_NOT_FOUND && id != NULL) {
        return complain(COMMAND_NO, "verify", "%s is neither recorded nor logged, or a folder is missing",
                        id);
    }
    if (err != ERR_NONE) {
        return complain(COMMAND_TROUBLE, "verify", "%s, %s: %s", places->recordings, places->evidence,
                        err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
    print_totals(&totals, printing);
    return totals.faults == 0 && totals.log < RECORD_LOG_FAULTS ? COMMAND_OK : COMMAND_NO;
}

int verify_command(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        COMMON_OPTIONS,
        {"all", no_argument, NULL, OPTION_ALL},
        {"note", required_argument, NULL, OPTION_NOTE},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {0},
    };
    struct common common = {0};
    struct printing printing = {0};
    const char *note = NULL;
    bool is_all = false;
    int option = 0;
    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (option == OPTION_ALL) {
            is_all = true;
        } else if (option == OPTION_NOTE) {
            note = optarg;
        } else if (option == OPTION_QUIET) {
            printing.is_quiet = true;
        } else if (!common_take(&common, option, optarg)) {
            return complain_usage("verify");
        }
    }
    if (argc - optind > 1 || (is_all && optind != argc)) {
        (void)complain(0, "verify", "give one session id, or --all");
        return complain_usage("verify");
    }
    printing.is_json = common.is_json;
    struct places places;
    if (!places_find(&common, &places)) {
        return COMMAND_TROUBLE;
    }
    return finish_output(verify(&places, optind < argc ? argv[optind] : NULL, note, &printing), "verify");
}
