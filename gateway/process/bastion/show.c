#include "show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "replay/moment.h"

enum { PARTS_SHOWN = 20 };

static void take_log(void *context, const struct record_log_result *result)
{
    struct show *show = context;
    if (result->verdict >= RECORD_LOG_FAULTS) {
        show->verdict = RECORD_TAMPERED;
        (void)snprintf(show->sentence, sizeof show->sentence, "the evidence log is %s: %s",
                       record_log_verdict_name(result->verdict), result->sentence);
    }
}

static void take_recording(void *context, const struct record_result *result)
{
    struct show *show = context;
    if (show->verdict < RECORD_FAULTS) {
        show->verdict = result->verdict;
        (void)snprintf(show->sentence, sizeof show->sentence, "%s", result->sentence);
    }
}

static enum err verify_one(const struct places *places, const struct record_vkey *vkey, struct show *show)
{
    uint8_t sid[LIMIT_SID_BYTES];
    TRY(text_unhex(cursor_of_text(show->sid), sid, sizeof sid));
    struct record_verify_input input = {.recordings_dir = places->recordings,
                                        .evidence_dir = places->evidence,
                                        .vkey = vkey,
                                        .only_sid = sid};
    struct record_verify_report report = {show, take_log, take_recording};
    struct record_verify_totals totals;
    return record_verify(&input, &report, &totals);
}

static void print_verdict(const struct show *show)
{
    char printable[sizeof show->sentence];
    text_printable(cursor_of_text(show->sentence), printable, sizeof printable);
    bool is_fault = !show->is_verified || show->verdict >= RECORD_FAULTS;
    (void)fprintf(stderr, "%s%s%s  %s\n", colour_text(stderr, is_fault ? COLOUR_BAD : COLOUR_GOOD),
                  show->is_verified ? record_verdict_name(show->verdict) : "NOT VERIFIED",
                  colour_text(stderr, COLOUR_NONE), printable);
}

/* A missing key does not forbid looking, but is said; a fault needs --force. */
static int verify(const struct show_request *request, const struct places *places, struct show *show,
                  struct record_vkey *vkey)
{
    enum err err = record_vkey_load(places->key, vkey);
    if (err != ERR_NONE && request->common.key != NULL) {
        return complain(COMMAND_TROUBLE, request->command, "the public key %s: %s", places->key,
                        err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
    if (err != ERR_NONE) {
        (void)snprintf(show->sentence, sizeof show->sentence,
                       "no public key of the evidence log (%s): name it with --key FILE", places->key);
    } else {
        show->has_key = true;
        show->is_verified = true;
        err = verify_one(places, vkey, show);
        if (err != ERR_NONE) {
            show->is_verified = false;
            (void)snprintf(show->sentence, sizeof show->sentence, "the evidence log in %s: %s",
                           places->evidence, err == ERR_SYSTEM ? strerror(errno) : err_text(err));
        }
    }
    if (!request->is_quiet || !show->is_verified || show->verdict >= RECORD_FAULTS) {
        print_verdict(show);
    }
    if (show->is_verified && show->verdict >= RECORD_FAULTS && !request->is_forced) {
        return complain(
            COMMAND_NO, request->command,
            "this recording is not what was recorded: do not rely on it; --force shows it nevertheless");
    }
    return COMMAND_OK;
}

static int complain_open(const struct show_request *request, const struct show *show, enum err err)
{
    const char *why = err == ERR_NOT_FOUND
                          ? "its key file (.key.age beside it) is gone, so nobody can open it"
                      : err == ERR_DENIED ? "it is sealed for other keys than yours"
                      : err == ERR_SYSTEM ? strerror(errno)
                                          : err_text(err);
    return complain(COMMAND_TROUBLE, request->command, "%s: %s", show->path, why);
}

static int open_recording(const struct show_request *request, struct show *show,
                          const struct record_vkey *vkey)
{
    struct record_identities identities = {0};
    if (!identities_read(&request->common, &identities)) {
        return COMMAND_TROUBLE;
    }
    bool is_trusted = show->has_key && show->verdict < RECORD_FAULTS;
    enum err err = replay_recording_open(&show->recording, show->path, is_trusted ? vkey->public_key : NULL,
                                         &identities);
    record_identities_done(&identities);
    if (err == ERR_NONE) {
        err = replay_recording_survey(&show->recording, &show->survey);
    }
    return err == ERR_NONE ? COMMAND_OK : complain_open(request, show, err);
}

static void print_part(const struct show *show, size_t i)
{
    const struct replay_part *part = &show->survey.parts[i];
    char from[REPLAY_TIME_BYTES];
    char to[REPLAY_TIME_BYTES];
    char bytes[REPLAY_TIME_BYTES];
    (void)fprintf(stderr, "%s %3zu  %s - %s  %-9s  %9s  %s", i == show->part ? ">" : " ", i + 1,
                  replay_offset_text(part->from_us, from), replay_offset_text(part->to_us, to),
                  replay_part_kind_name(part->kind), replay_bytes_text(part->shown_bytes, bytes),
                  part->title);
    if (part->exit_status != UINT32_MAX) {
        (void)fprintf(stderr, "  (exit status %" PRIu32 ")", part->exit_status);
    }
    if (part->exit_signal[0] != 0) {
        (void)fprintf(stderr, "  (signal %s)", part->exit_signal);
    }
    (void)fputc('\n', stderr);
}

static void print_end(const struct replay_survey *survey)
{
    char at[REPLAY_TIME_BYTES];
    (void)replay_offset_text(survey->end_us, at);
    if (survey->damage[0] != 0) {
        (void)fprintf(stderr, "%sit cannot be read further than %s: %s%s\n", colour_text(stderr, COLOUR_BAD),
                      at, survey->damage, colour_text(stderr, COLOUR_NONE));
    } else if (survey->is_closed) {
        (void)fprintf(stderr, "ended at %s: %s%s%s\n", at, survey->how, survey->reason[0] == 0 ? "" : ", ",
                      survey->reason);
    } else {
        (void)fprintf(stderr, "not closed: it goes to %s so far%s\n", at,
                      survey->tail_bytes > 0 ? ", and its last frame is torn" : "");
    }
    if (survey->refused_count > 0) {
        (void)fprintf(stderr, "%" PRIu64 " requests were refused (--events shows them)\n",
                      survey->refused_count);
    }
    if (survey->file_count > 0) {
        (void)fprintf(stderr, "%" PRIu64 " requests name files (bastion files shows them)\n",
                      survey->file_count);
    }
    if (survey->ignored_records > 0) {
        (void)fprintf(stderr,
                      "%" PRIu64 " records belong to later channels than the first %d and are not shown\n",
                      survey->ignored_records, REPLAY_PARTS_MAX);
    }
}

static void describe(const struct show *show)
{
    const struct replay_meta *meta = &show->recording.meta;
    char wall[REPLAY_TIME_BYTES];
    (void)fprintf(stderr, "%s  %s UTC  %s %s%s%s%s%s%s%s\n", show->sid,
                  replay_wall_text(show->recording.wall_us, wall), meta->person, meta->account,
                  meta->account[0] == 0 ? "" : "@", meta->host, meta->from[0] == 0 ? "" : "  from ",
                  meta->from, meta->rule[0] == 0 ? "" : "  rule ", meta->rule);
    for (size_t i = 0; i < show->survey.part_count && i < PARTS_SHOWN; i++) {
        print_part(show, i);
    }
    if (show->survey.part_count > PARTS_SHOWN) {
        (void)fprintf(stderr, "      and %zu more\n", show->survey.part_count - PARTS_SHOWN);
    }
    print_end(&show->survey);
}

static int choose_part(const struct show_request *request, struct show *show)
{
    show->part = SIZE_MAX;
    if (request->channel > show->survey.part_count) {
        return complain(COMMAND_NO, request->command, "--channel %" PRIu64 ": the recording has %zu",
                        request->channel, show->survey.part_count);
    }
    if (request->channel > 0) {
        show->part = (size_t)request->channel - 1;
    } else if (replay_survey_choose(&show->survey, &show->part) != ERR_NONE) {
        show->part = SIZE_MAX;
    }
    return COMMAND_OK;
}

int show_open(const struct show_request *request, struct show **ret_show)
{
    struct places places;
    if (!places_find(&request->common, &places)) {
        return COMMAND_TROUBLE;
    }
    OWNED_SHOW *show = calloc(1, sizeof *show);
    if (show == NULL) {
        return complain(COMMAND_TROUBLE, request->command, "out of memory");
    }
    struct record_vkey vkey;
    int code = find_recording(&places, request->id, show->path, show->sid);
    code = code != COMMAND_OK ? code : verify(request, &places, show, &vkey);
    code = code != COMMAND_OK ? code : open_recording(request, show, &vkey);
    code = code != COMMAND_OK ? code : choose_part(request, show);
    if (code != COMMAND_OK) {
        return code;
    }
    if (!request->is_quiet) {
        describe(show);
    }
    *ret_show = show;
    show = NULL;
    return COMMAND_OK;
}

void show_close(struct show **show)
{
    if (*show != NULL) {
        replay_survey_done(&(*show)->survey);
        replay_recording_done(&(*show)->recording);
        free(*show);
    }
    *show = NULL;
}

const char *show_title(const struct show *show, char text[static SHOW_TITLE_BYTES])
{
    const struct replay_meta *meta = &show->recording.meta;
    const char *title = show->part == SIZE_MAX ? "" : show->survey.parts[show->part].title;
    (void)snprintf(text, SHOW_TITLE_BYTES, "%s %s%s%s%s%s", meta->person, meta->account,
                   meta->account[0] == 0 ? "" : "@", meta->host, *title == 0 ? "" : ": ", title);
    return text;
}
