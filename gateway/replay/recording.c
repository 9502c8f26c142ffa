#include "replay/recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "part.h"

enum { NOTE_LIMIT_BYTES = 4096 };

static enum err restart(struct replay_recording *recording)
{
    record_reader_done(&recording->reader);
    part_restart(recording);
    return record_reader_open(&recording->reader, recording->path,
                              recording->has_public_key ? recording->public_key : NULL, &recording->key);
}

enum err replay_recording_open(struct replay_recording *recording, const char *path,
                               const uint8_t *public_key, const struct record_identities *identities)
{
    if (strlen(path) >= sizeof recording->path) {
        return ERR_TOO_LARGE;
    }
    (void)snprintf(recording->path, sizeof recording->path, "%s", path);
    queue_init(&recording->note, NOTE_LIMIT_BYTES);
    recording->has_public_key = public_key != NULL;
    if (public_key != NULL) {
        memcpy(recording->public_key, public_key, sizeof recording->public_key);
    }
    TRY(record_key_open(path, identities, &recording->key));
    TRY(restart(recording));
    const struct record_head *head = record_reader_head(&recording->reader);
    recording->wall_us = head->wall_us;
    if (replay_meta_parse(head->meta, &recording->meta) != ERR_NONE) {
        recording->meta = (struct replay_meta){0}; /* it can be shown without */
    }
    return ERR_NONE;
}

void replay_recording_done(struct replay_recording *recording)
{
    record_reader_done(&recording->reader);
    secret_wipe(&recording->key, sizeof recording->key);
    queue_done(&recording->note);
}

void replay_survey_done(struct replay_survey *survey)
{
    free(survey->parts);
    survey->parts = NULL;
    survey->part_count = 0;
}

/* The next record that this version understands.
 * @param ret_last  NULL, or where the last step of the file is written to
 * @return ERR_CLOSED at the end of the file and where it is damaged. */
static enum err next_record(struct replay_recording *recording, struct record_step *step,
                            struct record_body *ret_body)
{
    for (;;) {
        enum err err = record_reader_next(&recording->reader, step);
        if (err != ERR_NONE) {
            step->type = 0;
            return err == ERR_MALFORMED || err == ERR_MISMATCH ? ERR_CLOSED : err;
        }
        if (step->type == RECORD_STEP_CLOSE || step->type == RECORD_STEP_END) {
            return ERR_CLOSED;
        }
        if (step->type == RECORD_STEP_RECORD && record_body_read(&step->record, ret_body) == ERR_NONE) {
            return ERR_NONE;
        }
    }
}

static void learn_end(struct replay_recording *recording, const struct record_step *last,
                      struct replay_survey *survey)
{
    survey->exit_status = RECORD_NO_STATUS;
    if (last->type == RECORD_STEP_CLOSE) {
        survey->is_closed = true;
        survey->exit_status = last->closing.exit_status;
        text_printable(last->closing.how, survey->how, sizeof survey->how);
        text_printable(last->closing.reason, survey->reason, sizeof survey->reason);
    } else if (last->type == RECORD_STEP_END) {
        survey->tail_bytes = last->tail_bytes;
    } else {
        text_printable(cursor_of_text(record_reader_why(&recording->reader)), survey->damage,
                       sizeof survey->damage);
    }
}

enum err replay_recording_survey(struct replay_recording *recording, struct replay_survey *ret_survey)
{
    struct replay_survey survey = {0};
    TRY(restart(recording));
    struct record_step step = {0};
    struct record_body body;
    enum err err = ERR_NONE;
    while (err == ERR_NONE) {
        err = next_record(recording, &step, &body);
        if (err == ERR_NONE) {
            survey.end_us = step.t_us > survey.end_us ? step.t_us : survey.end_us;
            size_t part = part_of(recording, &body, step.record.channel);
            err = part_learn(&survey, part, step.record.channel, step.t_us, &body);
        }
    }
    if (err != ERR_CLOSED) {
        replay_survey_done(&survey);
        return err;
    }
    learn_end(recording, &step, &survey);
    *ret_survey = survey;
    return ERR_NONE;
}

enum err replay_survey_choose(const struct replay_survey *survey, size_t *ret_part)
{
    static const enum replay_part_kind ORDER[] = {REPLAY_PART_TERMINAL, REPLAY_PART_COMMAND,
                                                  REPLAY_PART_SUBSYSTEM, REPLAY_PART_FORWARD,
                                                  REPLAY_PART_OTHER};
    for (size_t k = 0; k < sizeof ORDER / sizeof ORDER[0]; k++) {
        bool is_telling = ORDER[k] == REPLAY_PART_COMMAND || ORDER[k] == REPLAY_PART_FORWARD;
        for (size_t i = 0; i < survey->part_count; i++) {
            const struct replay_part *part = &survey->parts[i];
            if (part->kind == ORDER[k] && (part->shown_bytes > 0 || is_telling)) {
                *ret_part = i;
                return ERR_NONE;
            }
        }
    }
    return ERR_NOT_FOUND;
}

static enum err source_next(void *context, struct replay_event *ret_event)
{
    struct replay_recording *recording = context;
    for (;;) {
        struct record_step step = {0};
        struct record_body body;
        TRY(next_record(recording, &step, &body));
        if (part_of(recording, &body, step.record.channel) != recording->part) {
            continue;
        }
        enum err err = part_event(&body, step.t_us, &recording->note, ret_event);
        if (err != ERR_NOT_FOUND) {
            return err;
        }
    }
}

static enum err source_rewind(void *context)
{
    return restart(context);
}

struct replay_source replay_recording_source(struct replay_recording *recording, size_t part)
{
    recording->part = part;
    return (struct replay_source){.context = recording, .next = source_next, .rewind = source_rewind};
}

enum err replay_recording_each(struct replay_recording *recording, replay_record_sink *sink, void *context)
{
    TRY(restart(recording));
    for (;;) {
        struct record_step step = {0};
        struct record_body body;
        enum err err = next_record(recording, &step, &body);
        if (err != ERR_NONE) {
            return err == ERR_CLOSED ? ERR_NONE : err;
        }
        TRY(sink(context, step.t_us, part_of(recording, &body, step.record.channel), &body));
    }
}

enum err replay_add_returns(struct cursor bytes, struct queue *out)
{
    while (bytes.at != bytes.end) {
        const uint8_t *newline = memchr(bytes.at, '\n', cursor_len(&bytes));
        struct cursor line = {bytes.at, newline == NULL ? bytes.end : newline};
        TRY(queue_append(out, line));
        bytes.at = line.end;
        if (newline != NULL) {
            TRY(queue_append(out, cursor_of_text("\r\n")));
            bytes.at++;
        }
    }
    return ERR_NONE;
}
