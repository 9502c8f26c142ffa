#include "replay/file_words.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

enum {
    PATH_BYTES = 1500,
    OPEN_READ = 1,
    OPEN_WRITE = 2,
    OPEN_APPEND = 4,
    OPEN_CREATE = 8,
    OPEN_TRUNCATE = 16
};

const char *replay_file_status(uint32_t status, char *text, size_t size_bytes)
{
    /* draft-ietf-secsh-filexfer-02 section 7 */
    static const char *const NAMES[] = {"ok",           "end of file", "no such file",  "permission denied",
                                        "failure",      "bad message", "no connection", "connection lost",
                                        "not supported"};
    if (status < sizeof NAMES / sizeof NAMES[0]) {
        (void)snprintf(text, size_bytes, "%s", NAMES[status]);
    } else {
        (void)snprintf(text, size_bytes, "status %" PRIu32, status);
    }
    return text;
}

static const char *open_words(uint32_t flags)
{
    bool is_reading = (flags & OPEN_READ) != 0;
    if ((flags & OPEN_APPEND) != 0) {
        return is_reading ? " for reading and appending" : " for appending";
    }
    if ((flags & OPEN_WRITE) != 0) {
        return is_reading ? " for reading and writing" : " for writing";
    }
    return (flags & (OPEN_CREATE | OPEN_TRUNCATE)) != 0 ? " to change it" : " for reading";
}

static void request_words(const struct record_file_request *request, char *words)
{
    char path[PATH_BYTES];
    char second[PATH_BYTES];
    char of[48] = "";
    char mode[32] = "";
    text_printable(request->path, path, sizeof path);
    text_printable(request->second, second, sizeof second);
    if (request->of != 0) {
        (void)snprintf(of, sizeof of, " of the file of request %" PRIu32, request->of);
    }
    if (request->mode != RECORD_FILE_NO_MODE) {
        (void)snprintf(mode, sizeof mode, " mode %04" PRIo32, request->mode & 07777U);
    }
    (void)snprintf(words, REPLAY_FILE_WORDS_BYTES, "%" PRIu32 " %s%s%s%s%s%s%s%s", request->number,
                   record_file_op_name(request->op), path[0] == 0 ? "" : " ", path,
                   second[0] == 0 ? "" : " -> ", second, of,
                   request->op == RECORD_FILE_OPEN ? open_words(request->flags) : "", mode);
}

static void way_words(char *words, size_t size_bytes, const char *verb, uint64_t bytes, uint8_t order,
                      struct cursor sha256)
{
    char hash[65];
    words[0] = 0;
    if (order != RECORD_FILE_NO_BYTES) {
        bool has_hash = cursor_len(&sha256) > 0;
        (void)snprintf(words, size_bytes, " %s %" PRIu64 " bytes, %s%s%s", verb, bytes,
                       record_file_order_name(order), has_hash ? ", SHA-256 " : "",
                       has_hash ? text_hex(sha256, hash, sizeof hash) : "");
    }
}

static void total_words(const struct record_file_total *total, char *words)
{
    char read[256];
    char written[256];
    way_words(read, sizeof read, "read", total->read_bytes, total->read_order, total->read_sha256);
    way_words(written, sizeof written, "wrote", total->written_bytes, total->written_order,
              total->written_sha256);
    (void)snprintf(words, REPLAY_FILE_WORDS_BYTES, "%" PRIu32 "%s%s%s%s%s%s", total->number,
                   read[0] == 0 && written[0] == 0 ? " no bytes" : read, written,
                   (total->flags & RECORD_FILE_END_READ) != 0 ? ", to its end" : "",
                   (total->flags & RECORD_FILE_WRITE_FAILED) != 0 ? ", some of it refused by the target" : "",
                   (total->flags & RECORD_FILE_COPIED_INTO) != 0 ? ", and the target copied data into it"
                                                                 : "",
                   (total->flags & RECORD_FILE_LEFT_OPEN) != 0 ? ", never closed" : "");
}

const char *replay_file_words(const struct record_body *body, char words[static REPLAY_FILE_WORDS_BYTES])
{
    char status[32];
    words[0] = 0;
    if (body->kind == RECORD_FILE_REQUEST) {
        request_words(&body->file_request, words);
    } else if (body->kind == RECORD_FILE_RESULT) {
        (void)snprintf(words, REPLAY_FILE_WORDS_BYTES, "%" PRIu32 " %s", body->file_result.number,
                       replay_file_status(body->file_result.status, status, sizeof status));
    } else if (body->kind == RECORD_FILE_TOTAL) {
        total_words(&body->file_total, words);
    }
    return words;
}
