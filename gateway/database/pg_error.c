/* Errors and notices of the target. */
#include <stdio.h>

#include "base/text.h"
#include "pg_state.h"

struct report {
    struct cursor severity, code, message;
};

/* Fields of a letter and a text; a message that is longer than what was captured is cut. */
static struct report read_report(const struct pg_relay *pg)
{
    struct report report = {0};
    struct cursor in = cursor_of(pg->captured, pg->captured_bytes);
    uint8_t field = 0;
    while (cursor_u8(&in, &field) == ERR_NONE && field != 0) {
        struct cursor text;
        if (cursor_until_nul(&in, PG_CAPTURE_BYTES, &text) != ERR_NONE) {
            text = in;
            in.at = in.end;
        }
        if (field == 'V' || (field == 'S' && report.severity.at == NULL)) {
            report.severity = text; /* V is S without translation */
        } else if (field == 'C') {
            report.code = text;
        } else if (field == 'M') {
            report.message = text;
        }
    }
    return report;
}

static enum err record_notice(struct pg_relay *pg, const struct report *report)
{
    const struct record_body body = {
        .kind = RECORD_DB_NOTICE,
        .db_notice = {.severity = report->severity, .code = report->code, .message = report->message}};
    return db_record(&pg->base, &body);
}

static enum err login_failed(struct pg_relay *pg, const struct report *report)
{
    char message[LIMIT_SENTENCE_BYTES / 2];
    char sentence[LIMIT_SENTENCE_BYTES];
    TRY(pg_record_login(pg));
    TRY(record_notice(pg, report));
    text_printable(report->message, message, sizeof message);
    (void)snprintf(sentence, sizeof sentence, "the target refused the login: %s", message);
    db_end_with(&pg->base, DB_END_LOGIN, sentence);
    return ERR_NONE;
}

enum err pg_failed(struct pg_relay *pg, struct pg_operation *front)
{
    struct report report = read_report(pg);
    if (pg->target == PG_TARGET_LOGIN) {
        return login_failed(pg, &report);
    }
    TRY(pg_copy_ends(pg));
    if (pg->replaces_error) {
        pg->replaces_error = false;
        report.code = cursor_of_text("42501");
        report.message = cursor_of_text(PG_COPY_REFUSED);
        TRY(pg_send_error(pg, "ERROR", "42501", PG_COPY_REFUSED));
    }
    if (front == NULL) {
        return record_notice(pg, &report); /* such as an administrator's shutdown */
    }
    struct pg_operation failing = *front;
    if (front->kind == PG_SYNC) {
        failing.number = pg->last_done; /* a commit that failed: of what was done last */
    }
    if (front->is_secret) {
        report.message = cursor_of_text("***"); /* errors quote what they do not understand */
    }
    if (failing.number == 0) {
        TRY(record_notice(pg, &report));
    } else {
        TRY(pg_set_result(pg, &failing, RECORD_DB_ERROR, report.code, report.message));
    }
    pg->last_failed = failing.number;
    front->has_result = true;
    bool is_pipelined = front->kind != PG_QUERY && front->kind != PG_FUNCTION && front->kind != PG_SYNC;
    return is_pipelined ? pg_skip_behind(pg) : ERR_NONE;
}

enum err pg_noticed(struct pg_relay *pg)
{
    const struct report report = read_report(pg);
    return record_notice(pg, &report);
}
