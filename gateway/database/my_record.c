#include "my_state.h"

#include <string.h>

#include "base/text.h"

/* The ring */

struct my_waiting *my_waiting_push(struct my_relay *my)
{
    size_t at = (my->first_waiting + my->waiting_count++) % MY_WAITING_MAX;
    my->waiting[at] = (struct my_waiting){.since_us = my->common.now_us};
    return &my->waiting[at];
}

struct my_waiting *my_waiting_first(struct my_relay *my)
{
    return my->waiting_count == 0 ? NULL : &my->waiting[my->first_waiting];
}

struct my_waiting *my_waiting_last(struct my_relay *my)
{
    return my->waiting_count == 0
               ? NULL
               : &my->waiting[(my->first_waiting + my->waiting_count - 1) % MY_WAITING_MAX];
}

void my_waiting_pop(struct my_relay *my)
{
    my->first_waiting = (my->first_waiting + 1) % MY_WAITING_MAX;
    my->waiting_count--;
}

/* Records */

enum err my_record_statement(struct my_relay *my, const struct record_db_statement *statement)
{
    const struct record_body body = {.kind = RECORD_DB_STATEMENT, .db_statement = *statement};
    return db_record(&my->common, &body);
}

/* A number in decimal, then a text. */
static void write_count(struct writer *out, uint64_t count, const char *text)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + count % 10);
        count /= 10;
    } while (count > 0);
    writer_bytes(out, cursor_of(digits + at, sizeof digits - at));
    writer_bytes(out, cursor_of_text(text));
}

static enum err record_with_warnings(struct my_relay *my, struct record_body body, uint16_t warnings)
{
    uint8_t memory[MY_REPLY_HEAD_BYTES + 32];
    struct writer message = writer_of(memory, sizeof memory);
    struct cursor info = body.db_result.message;
    writer_bytes(&message, info);
    writer_bytes(&message, cursor_of_text(cursor_len(&info) > 0 ? "; " : ""));
    write_count(&message, warnings, warnings == 1 ? " warning" : " warnings");
    TRY(writer_done(&message, &body.db_result.message));
    return db_record(&my->common, &body);
}

enum err my_record_result(struct my_relay *my, const struct my_waiting *waiting,
                          const struct my_outcome *outcome)
{
    if (!waiting->is_recorded) {
        return ERR_NONE;
    }
    struct record_body body = {.kind = RECORD_DB_RESULT,
                               .db_result = {.number = waiting->number,
                                             .outcome = outcome->outcome,
                                             .rows = outcome->rows,
                                             .bytes = outcome->bytes,
                                             .duration_us = my->common.now_us - waiting->since_us,
                                             .code = outcome->code,
                                             .message = outcome->message}};
    const struct my_ok *ok = outcome->ok;
    if (ok != NULL) {
        body.db_result.transaction = (ok->status & MY_IN_TRANSACTION) != 0 ? 'T' : 'I';
        body.db_result.message = ok->info;
    }
    return ok != NULL && ok->warnings > 0 ? record_with_warnings(my, body, ok->warnings)
                                          : db_record(&my->common, &body);
}

/* "1146 42S02" */
static enum err write_code(struct writer *out, uint16_t number, struct cursor state, struct cursor *ret_code)
{
    write_count(out, number, cursor_len(&state) > 0 ? " " : "");
    writer_bytes(out, state);
    return writer_done(out, ret_code);
}

enum err my_record_error(struct my_relay *my, const struct my_waiting *waiting, struct cursor payload,
                         uint64_t bytes)
{
    uint8_t memory[32];
    struct writer out = writer_of(memory, sizeof memory);
    uint16_t number = 0;
    struct cursor state;
    struct my_outcome outcome = {.outcome = RECORD_DB_ERROR, .bytes = bytes};
    if (my_read_error(payload, &number, &state, &outcome.message) != ERR_NONE) {
        return ERR_MALFORMED;
    }
    TRY(write_code(&out, number, state, &outcome.code));
    if (waiting->is_secret) {
        outcome.message = cursor_of_text("***");
    }
    return my_record_result(my, waiting, &outcome);
}

enum err my_record_notice(struct my_relay *my, struct cursor payload)
{
    uint8_t memory[32];
    struct writer out = writer_of(memory, sizeof memory);
    uint16_t number = 0;
    struct cursor state;
    struct record_body body = {.kind = RECORD_DB_NOTICE, .db_notice = {.severity = cursor_of_text("ERROR")}};
    if (my_read_error(payload, &number, &state, &body.db_notice.message) != ERR_NONE) {
        return ERR_NONE; /* passed as it is: the login is over in any case */
    }
    TRY(write_code(&out, number, state, &body.db_notice.code));
    return db_record(&my->common, &body);
}

/* MariaDB puts "5.5.5-" before its version, for the sake of old replicas. */
static struct cursor version_of(const struct my_relay *my)
{
    static const char PREFIX[] = "5.5.5-";
    bool has_prefix = strncmp(my->version, PREFIX, sizeof PREFIX - 1) == 0;
    return cursor_of_text(my->version + (has_prefix ? sizeof PREFIX - 1 : 0));
}

enum err my_record_startup(struct my_relay *my)
{
    static const char *const MODES[] = {
        [DB_LOGIN_CLIENT] = "client ", [DB_LOGIN_ASK] = "ask ", [DB_LOGIN_TOKEN] = "token "};
    uint8_t memory[MY_NAME_BYTES + 16];
    struct writer out = writer_of(memory, sizeof memory);
    writer_bytes(&out, cursor_of_text(MODES[my->common.config.login]));
    writer_bytes(&out, cursor_of_text(my->plugin));
    const struct db_asked *asked = &my->common.asked;
    struct record_body body = {
        .kind = RECORD_DB_STARTUP,
        .db_startup = {.protocol = cursor_of_text("mysql"),
                       .user = asked->user,
                       .database = asked->database,
                       .application = asked->application,
                       .parameters = asked->parameters,
                       .server_version = version_of(my),
                       .tls = cursor_of_text(my->tls),
                       .certificate_sha256 =
                           cursor_of(my->certificate_sha256, my->has_certificate ? CRYPTO_SHA256_BYTES : 0)}};
    TRY(writer_done(&out, &body.db_startup.login));
    return db_record(&my->common, &body);
}
