#include "replay/database_words.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

enum { NAME_BYTES = 256, TEXT_BYTES = 3000, US_PER_MS = 1000, HASH_TEXT_BYTES = 65 };

static const char *shown(struct cursor bytes, char *text, size_t size_bytes)
{
    text_printable(bytes, text, size_bytes);
    return text;
}

static void startup_words(const struct record_db_startup *startup, char *words)
{
    char protocol[NAME_BYTES];
    char user[NAME_BYTES];
    char database[NAME_BYTES];
    char application[NAME_BYTES];
    char tls[NAME_BYTES];
    char login[NAME_BYTES];
    (void)snprintf(
        words, REPLAY_FILE_WORDS_BYTES, "%s: %s in %s, application \"%s\", %s to the target, login: %s",
        shown(startup->protocol, protocol, NAME_BYTES), shown(startup->user, user, NAME_BYTES),
        shown(startup->database, database, NAME_BYTES), shown(startup->application, application, NAME_BYTES),
        cursor_len(&startup->tls) == 0 ? "no TLS" : shown(startup->tls, tls, NAME_BYTES),
        shown(startup->login, login, NAME_BYTES));
}

static void statement_words(const struct record_db_statement *statement, char *words)
{
    char of[32] = "";
    char name[NAME_BYTES];
    char text[TEXT_BYTES];
    if (statement->of != 0) {
        (void)snprintf(of, sizeof of, " of %" PRIu32, statement->of);
    }
    shown(statement->name, name, sizeof name);
    (void)snprintf(words, REPLAY_FILE_WORDS_BYTES, "%" PRIu32 " %s%s%s%s: %s", statement->number,
                   record_db_operation_name(statement->operation), of, name[0] == 0 ? "" : " ", name,
                   shown(statement->text, text, sizeof text));
}

static void parameter_words(const struct record_db_parameter *parameter, char *words)
{
    char value[TEXT_BYTES];
    switch (parameter->format) {
    case RECORD_DB_NULL:
        (void)snprintf(value, sizeof value, "NULL");
        break;
    case RECORD_DB_HASH_ONLY:
        (void)snprintf(value, sizeof value, "(%" PRIu64 " bytes, not kept)", parameter->value_bytes);
        break;
    case RECORD_DB_AS_BINARY: {
        struct cursor bytes = parameter->value;
        if (cursor_len(&bytes) > NAME_BYTES) {
            bytes.end = bytes.at + NAME_BYTES;
        }
        (void)text_hex(bytes, value, sizeof value);
        break;
    }
    default:
        shown(parameter->value, value, sizeof value);
    }
    (void)snprintf(words, REPLAY_FILE_WORDS_BYTES, "%" PRIu32 " $%" PRIu32 " (type %" PRIu32 "%s) %s",
                   parameter->number, parameter->index + 1, parameter->type,
                   parameter->format == RECORD_DB_AS_BINARY ? ", binary" : "", value);
}

static void total_words(const struct record_db_total *total, char *words)
{
    char hash[HASH_TEXT_BYTES];
    (void)snprintf(words, REPLAY_FILE_WORDS_BYTES,
                   "%" PRIu32 " %s: %" PRIu64 " bytes, %" PRIu64 " rows, SHA-256 %s", total->number,
                   record_db_what_name(total->what), total->bytes, total->rows,
                   cursor_len(&total->sha256) == 0 ? "not kept" : text_hex(total->sha256, hash, sizeof hash));
}

static void result_words(const struct record_db_result *result, char *words)
{
    char code[NAME_BYTES];
    char message[TEXT_BYTES];
    shown(result->code, code, sizeof code);
    (void)snprintf(words, REPLAY_FILE_WORDS_BYTES,
                   "%" PRIu32 " %s%s%s, %" PRIu64 " rows, %" PRIu64 ".%03" PRIu64 " ms: %s", result->number,
                   record_db_outcome_name(result->outcome), code[0] == 0 ? "" : " ", code, result->rows,
                   result->duration_us / US_PER_MS, result->duration_us % US_PER_MS,
                   shown(result->message, message, sizeof message));
}

bool replay_database_words(const struct record_body *body, char words[static REPLAY_FILE_WORDS_BYTES])
{
    char first[TEXT_BYTES];
    char second[NAME_BYTES];
    char third[NAME_BYTES];
    switch ((unsigned)body->kind) {
    case RECORD_DB_STARTUP:
        startup_words(&body->db_startup, words);
        return true;
    case RECORD_DB_STATEMENT:
        statement_words(&body->db_statement, words);
        return true;
    case RECORD_DB_PARAMETER:
        parameter_words(&body->db_parameter, words);
        return true;
    case RECORD_DB_TOTAL:
        total_words(&body->db_total, words);
        return true;
    case RECORD_DB_COPY:
        (void)snprintf(words, REPLAY_FILE_WORDS_BYTES, "%" PRIu32 " %s begins: %s", body->db_copy.number,
                       record_db_what_name(body->db_copy.what),
                       shown(body->db_copy.name, first, sizeof first));
        return true;
    case RECORD_DB_RESULT:
        result_words(&body->db_result, words);
        return true;
    case RECORD_DB_NOTICE:
        (void)snprintf(words, REPLAY_FILE_WORDS_BYTES, "%s %s: %s",
                       shown(body->db_notice.severity, second, sizeof second),
                       shown(body->db_notice.code, third, sizeof third),
                       shown(body->db_notice.message, first, sizeof first));
        return true;
    case RECORD_DB_CANCEL:
        (void)snprintf(words, REPLAY_FILE_WORDS_BYTES, "session %s: %s",
                       text_hex(body->db_cancel.sid, second, sizeof second),
                       shown(body->db_cancel.how, third, sizeof third));
        return true;
    default:
        return false;
    }
}
