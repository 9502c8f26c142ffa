/* Transfers that are commands: what is recognised, and scp taken apart. */
#include "unit_test.h"

#include <stdio.h>
#include <string.h>

#include "record/stream.h"
#include "relay/transfer.h"

enum { TEXT_BYTES = 8192 };
static char text[TEXT_BYTES];
static size_t text_len;
static uint8_t sha256[32];

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int len = vsnprintf(text + text_len, sizeof text - text_len, format, values);
    va_end(values);
    assert_true(len >= 0 && (size_t)len < sizeof text - text_len);
    text_len += (size_t)len;
}

#define SHOWN(bytes) ((int)cursor_len(&(bytes))), (const char *)(bytes).at

static enum err on_record(void *owner, uint8_t kind, uint32_t channel, struct cursor head, struct cursor body)
{
    (void)owner;
    assert_int_equal(cursor_len(&body), 0);
    const struct record record = {.channel = channel, .kind = kind, .body = head};
    struct record_body read;
    assert_int_equal(record_body_read(&record, &read), ERR_NONE);
    if (kind == RECORD_FILE_REQUEST) {
        say("%u %s %.*s %.*s %o\n", read.file_request.number, record_file_op_name(read.file_request.op),
            SHOWN(read.file_request.path), SHOWN(read.file_request.second), read.file_request.mode & 07777U);
    } else if (kind == RECORD_FILE_RESULT) {
        say("%u = %u\n", read.file_result.number, read.file_result.status);
    } else if (kind == RECORD_FILE_TOTAL) {
        const struct record_file_total *total = &read.file_total;
        struct cursor hash = cursor_len(&total->read_sha256) > 0 ? total->read_sha256 : total->written_sha256;
        say("%u read %u wrote %u%s flags %u\n", total->number, (unsigned)total->read_bytes,
            (unsigned)total->written_bytes, cursor_len(&hash) > 0 ? " hashed" : "", total->flags);
        if (cursor_len(&hash) > 0) {
            memcpy(sha256, hash.at, sizeof sha256);
        }
    } else {
        assert_int_equal(kind, RECORD_NOTE);
        say("note\n");
    }
    return ERR_NONE;
}

static struct transfer *begin(const char *command)
{
    struct transfer_command found = transfer_recognise(cursor_of_text(command));
    assert_int_not_equal(found.op, RECORD_FILE_NONE);
    struct transfer *transfer = transfer_new(on_record, NULL, 1, &found, true);
    assert_non_null(transfer);
    text_len = 0;
    text[0] = 0;
    assert_int_equal(transfer_begin(transfer), ERR_NONE);
    return transfer;
}

static void transfer_commands_are_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *command, *op, *path;
    } ROWS[] = {
        {"scp -t /tmp/x", "scp-put", "/tmp/x"},
        {"/usr/bin/scp -r -p -d -t -- /tmp/x", "scp-put", "/tmp/x"},
        {"scp -pf 'a b'", "scp-get", "a b"},
        {"scp -v -f ~/x ", "scp-get", "~/x"},
        {"scp a b", "unknown", ""},
        {"scp --t x", "unknown", ""},
        {"rsync --server -logDtpre.iLsfxCIvu . /srv/", "rsync-put", "/srv/"},
        {"rsync --server --sender -e.LsfxCIvu . /srv/", "rsync-get", "/srv/"},
        {"rsync a b", "unknown", ""},
        {"git-upload-pack '/repo one'", "git-fetch", "/repo one"},
        {"git-receive-pack '/repo'", "git-push", "/repo"},
        {"git receive-pack /repo", "git-push", "/repo"},
        {"git upload-archive '/repo'", "git-fetch", "/repo"},
        {"git log", "unknown", ""},
        {"git", "unknown", ""},
        {"scp -t", "scp-put", "-t"},
        {"'", "unknown", ""},
        {"", "unknown", ""},
        {"   ", "unknown", ""},
        {"scp", "unknown", ""},
        {"sh -c 'scp -t x'", "unknown", ""},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct transfer_command found = transfer_recognise(cursor_of_text(ROWS[i].command));
        const char *op = record_file_op_name(found.op);
        if (strcmp(op, ROWS[i].op) != 0 || !cursor_equal_text(found.path, ROWS[i].path)) {
            fail_msg("%s: %s '%.*s'", ROWS[i].command, op, SHOWN(found.path));
        }
    }
}

static const char UPLOAD[] =
    "D0755 0 dir\nT1 0 2 0\nC0644 5 one\nhello\0C0600 0 two\n\0E\nC4755 3 three\nabc\0";
static const char UPLOAD_TOLD[] =
    "1 scp-mkdir /srv dir 755\n1 = 0\n2 scp-put /srv dir/one 644\n2 read 0 wrote 5 hashed flags 1\n"
    "3 scp-put /srv dir/two 600\n3 read 0 wrote 0 flags 1\n"
    "4 scp-put /srv three 4755\n4 read 0 wrote 3 hashed flags 1\n";

static void scp_upload_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (size_t step = 1; step < sizeof UPLOAD; step++) {
        struct transfer *transfer = begin("scp -r -t /srv");
        for (size_t at = 0; at < sizeof UPLOAD - 1; at += step) {
            size_t len = sizeof UPLOAD - 1 - at < step ? sizeof UPLOAD - 1 - at : step;
            assert_int_equal(transfer_data(transfer, false, cursor_of("", 1)), ERR_NONE);
            assert_int_equal(transfer_data(transfer, true, cursor_of(UPLOAD + at, len)), ERR_NONE);
        }
        assert_int_equal(transfer_end(transfer), ERR_NONE);
        assert_string_equal(text, UPLOAD_TOLD);
        uint8_t expected[32];
        crypto_sha256(cursor_of_text("abc"), expected);
        assert_memory_equal(sha256, expected, sizeof expected);
        transfer_free(transfer);
    }
}

static void scp_stream_that_ends_anywhere_is_told(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof UPLOAD; len++) {
        struct transfer *transfer = begin("scp -r -t /srv");
        assert_int_equal(transfer_data(transfer, true, cursor_of(UPLOAD, len)), ERR_NONE);
        assert_int_equal(transfer_end(transfer), ERR_NONE);
        transfer_free(transfer);
    }
    struct transfer *transfer = begin("scp -f /etc/x");
    assert_int_equal(transfer_data(transfer, false, cursor_of_text("C0644 9 x\nhell")), ERR_NONE);
    assert_int_equal(transfer_end(transfer), ERR_NONE);
    assert_string_equal(text, "1 scp-get /etc/x x 644\n1 read 4 wrote 0 hashed flags 4\n");
    transfer_free(transfer);
}

static void scp_file_that_the_other_side_refused_has_no_contents(void **state)
{
    (void)state;
    struct transfer *transfer = begin("scp -t /srv");
    assert_int_equal(transfer_data(transfer, true, cursor_of_text("C0644 5 one\n")), ERR_NONE);
    assert_int_equal(transfer_data(transfer, false, cursor_of_text("\001scp: /srv: Permission denied\n")),
                     ERR_NONE);
    assert_int_equal(transfer_data(transfer, true, cursor_of_text("C0644 1 two\nx")), ERR_NONE);
    assert_int_equal(transfer_data(transfer, true, cursor_of("\0", 1)), ERR_NONE);
    assert_int_equal(transfer_end(transfer), ERR_NONE);
    assert_string_equal(text, "1 scp-put /srv one 644\n1 = 4\n2 scp-put /srv two 644\n"
                              "2 read 0 wrote 1 hashed flags 1\n");
    transfer_free(transfer);
}

static void scp_that_is_none_is_noted_once(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"hello\n",
                                       "\n",
                                       "C0644 x\n",
                                       "C0644 5\n",
                                       "C644 5 x\n",
                                       "C0648 5 x\n",
                                       "C0644 12345678901234567890 x\n",
                                       "D0755 0 \n",
                                       "Cxxxx 1 x\n"};
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct transfer *transfer = begin("scp -t /srv");
        assert_int_equal(transfer_data(transfer, true, cursor_of_text(ROWS[i])), ERR_NONE);
        assert_int_equal(transfer_data(transfer, true, cursor_of_text("C0644 1 x\nx")), ERR_NONE);
        assert_int_equal(transfer_end(transfer), ERR_NONE);
        assert_string_equal(text, "note\n");
        transfer_free(transfer);
    }
    struct transfer *transfer = begin("scp -t /srv");
    for (size_t i = 0; i < TRANSFER_LINE_BYTES + 1; i++) {
        assert_int_equal(transfer_data(transfer, true, cursor_of_text("C")), ERR_NONE);
    }
    assert_string_equal(text, "note\n");
    transfer_free(transfer);
    /* Folders without end */
    transfer = begin("scp -r -t /srv");
    for (size_t i = 0; i < TRANSFER_FOLDER_BYTES && strstr(text, "note") == NULL; i++) {
        text_len = 0;
        assert_int_equal(transfer_data(transfer, true, cursor_of_text("D0755 0 abcdefg\n")), ERR_NONE);
    }
    assert_non_null(strstr(text, "note"));
    transfer_free(transfer);
}

static void scp_leaves_more_folders_than_it_entered(void **state)
{
    (void)state;
    struct transfer *transfer = begin("scp -r -t /srv");
    assert_int_equal(transfer_data(transfer, true, cursor_of_text("D0755 0 a\nE\nE\nE\nC0644 0 x\n")),
                     ERR_NONE);
    assert_non_null(strstr(text, "scp-put /srv x"));
    transfer_free(transfer);
}

static void rsync_and_git_are_counted(void **state)
{
    (void)state;
    struct transfer *transfer = begin("git-receive-pack '/repo'");
    assert_int_equal(transfer_data(transfer, true, cursor_of_text("12345")), ERR_NONE);
    assert_int_equal(transfer_data(transfer, false, cursor_of_text("123")), ERR_NONE);
    assert_int_equal(transfer_end(transfer), ERR_NONE);
    assert_string_equal(text, "1 git-push /repo  7777\n1 read 3 wrote 5 flags 0\n");
    transfer_free(transfer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfer_commands_are_recognised),
        cmocka_unit_test(scp_upload_may_be_cut_anywhere),
        cmocka_unit_test(scp_stream_that_ends_anywhere_is_told),
        cmocka_unit_test(scp_file_that_the_other_side_refused_has_no_contents),
        cmocka_unit_test(scp_that_is_none_is_noted_once),
        cmocka_unit_test(scp_leaves_more_folders_than_it_entered),
        cmocka_unit_test(rsync_and_git_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
