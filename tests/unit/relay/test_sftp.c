/* One SFTP session: what passes, what is refused, what is recorded of it. */
#include "unit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/hash.h"
#include "policy/grant.h"
#include "record/stream.h"
#include "relay/sftp.h"
#include "sftp_packets.h"

enum { TO_CLIENT = 0, TO_TARGET = 1, SIDES = 2, STREAM_BYTES = 1 << 20, TEXT_BYTES = 1 << 16 };

struct stream {
    uint8_t *bytes;
    size_t len;
};
struct talk {
    struct policy_grant grant;
    struct lane lanes[SIDES];
    struct sftp *sftp;
    struct stream got[SIDES];
    unsigned refused;
    uint8_t sha256[32]; /* the last that was recorded of written contents */
    size_t text_len;
    char text[TEXT_BYTES]; /* the records, one line each */
};

static enum err on_send(void *owner, unsigned to, struct cursor head, struct cursor body)
{
    struct talk *talk = owner;
    uint32_t channel = 0;
    uint32_t len = 0;
    assert_int_equal(cursor_u32be(&head, &channel), ERR_NONE);
    assert_int_equal(cursor_u32be(&head, &len), ERR_NONE);
    assert_int_equal(channel, 7 + to);
    assert_int_equal(len, cursor_len(&head) + cursor_len(&body));
    assert_true(len > 0);
    struct stream *got = &talk->got[to];
    assert_true(got->len + len <= STREAM_BYTES);
    memcpy(got->bytes + got->len, head.at, cursor_len(&head));
    got->len += cursor_len(&head);
    if (cursor_len(&body) > 0) {
        memcpy(got->bytes + got->len, body.at, cursor_len(&body));
        got->len += cursor_len(&body);
    }
    return ERR_NONE;
}

__attribute__((format(printf, 2, 3))) static void say(struct talk *talk, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int len = vsnprintf(talk->text + talk->text_len, sizeof talk->text - talk->text_len, format, values);
    va_end(values);
    assert_true(len >= 0 && (size_t)len < sizeof talk->text - talk->text_len);
    talk->text_len += (size_t)len;
}

#define SHOWN(bytes) ((int)cursor_len(&(bytes))), (const char *)(bytes).at

static enum err on_record(void *owner, uint8_t kind, uint32_t channel, struct cursor head, struct cursor body)
{
    struct talk *talk = owner;
    assert_int_equal(channel, 3);
    assert_int_equal(cursor_len(&body), 0);
    const struct record record = {.channel = channel, .kind = kind, .body = head};
    struct record_body read;
    assert_int_equal(record_body_read(&record, &read), ERR_NONE);
    if (kind == RECORD_FILE_REQUEST) {
        const struct record_file_request *request = &read.file_request;
        say(talk, "%u %s %.*s", request->number, record_file_op_name(request->op), SHOWN(request->path));
        if (cursor_len(&request->second) > 0) {
            say(talk, " -> %.*s", SHOWN(request->second));
        }
        if (request->of != 0) {
            say(talk, " of %u", request->of);
        }
        if (request->of_second != 0) {
            say(talk, " into %u", request->of_second);
        }
        say(talk, "\n");
    } else if (kind == RECORD_FILE_RESULT) {
        say(talk, "%u = %u\n", read.file_result.number, read.file_result.status);
    } else {
        const struct record_file_total *total = &read.file_total;
        if (cursor_len(&total->written_sha256) == sizeof talk->sha256) {
            memcpy(talk->sha256, total->written_sha256.at, sizeof talk->sha256);
        }
        say(talk, "%u read %u %s%s wrote %u %s%s flags %u\n", total->number, (unsigned)total->read_bytes,
            record_file_order_name(total->read_order), cursor_len(&total->read_sha256) > 0 ? " hashed" : "",
            (unsigned)total->written_bytes, record_file_order_name(total->written_order),
            cursor_len(&total->written_sha256) > 0 ? " hashed" : "", total->flags);
    }
    return ERR_NONE;
}

static enum err on_refused(void *owner, uint32_t channel, const char *what, struct cursor path,
                           const char *reason)
{
    struct talk *talk = owner;
    assert_int_equal(channel, 3);
    assert_non_null(strstr(reason, "[D-SFTP"));
    talk->refused++;
    say(talk, "refused %s %.*s\n", what, SHOWN(path));
    return ERR_NONE;
}

static const struct sftp_calls CALLS = {.record = on_record, .refused = on_refused};
static struct talk talk;

static void begin(enum grant_sftp level)
{
    struct stream got[SIDES] = {talk.got[0], talk.got[1]};
    talk = (struct talk){.grant = {.sftp = level, .sftp_hashes = true}};
    for (unsigned to = 0; to < SIDES; to++) {
        talk.got[to] = got[to];
        talk.got[to].len = 0;
        lane_init(&talk.lanes[to], on_send, &talk, to, 7 + to);
        talk.lanes[to].room_bytes = 1U << 30;
        talk.lanes[to].max_packet_bytes = 32768;
    }
    talk.sftp = sftp_new(&talk.grant, &CALLS, &talk, 3, &talk.lanes[TO_TARGET], &talk.lanes[TO_CLIENT]);
    assert_non_null(talk.sftp);
}

static void end(void)
{
    sftp_free(talk.sftp);
    talk.sftp = NULL;
    lane_done(&talk.lanes[0]);
    lane_done(&talk.lanes[1]);
}

static int setup(void **state)
{
    (void)state;
    talk.got[0].bytes = malloc(STREAM_BYTES);
    talk.got[1].bytes = malloc(STREAM_BYTES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(talk.got[0].bytes);
    free(talk.got[1].bytes);
    return 0;
}

static uint8_t memory[2][STREAM_BYTES];
static struct writer out_of(unsigned i)
{
    return writer_of(memory[i], sizeof memory[i]);
}
static struct cursor written(const struct writer *out)
{
    return cursor_of(out->start, (size_t)(out->at - out->start));
}

static void from_client(const struct writer *out)
{
    assert_int_equal(sftp_from_client(talk.sftp, written(out)), ERR_NONE);
}
static void from_target(const struct writer *out)
{
    assert_int_equal(sftp_from_target(talk.sftp, written(out)), ERR_NONE);
}
static void expect_text(const char *text)
{
    assert_string_equal(talk.text, text);
    talk.text_len = 0;
    talk.text[0] = 0;
}
static void expect_got(unsigned to, const struct writer *out)
{
    struct cursor bytes = written(out);
    assert_int_equal(talk.got[to].len, cursor_len(&bytes));
    assert_memory_equal(talk.got[to].bytes, bytes.at, cursor_len(&bytes));
    talk.got[to].len = 0;
}
static void expect_nothing(unsigned to)
{
    assert_int_equal(talk.got[to].len, 0);
}

/* INIT and VERSION; nothing of it stays to be looked at */
static void hand_shake(void)
{
    struct writer out = out_of(0);
    sp_add(&out, SP_INIT, "i", 3);
    from_client(&out);
    expect_got(TO_TARGET, &out);
    out = out_of(0);
    sp_add(&out, SP_VERSION, "i", 3);
    from_target(&out);
    expect_got(TO_CLIENT, &out);
}

/* File `handle`, opened by request number `number`. */
static void open_file(uint32_t id, const char *path, uint32_t flags, const char *handle)
{
    struct writer out = out_of(0);
    sp_add(&out, SP_OPEN, "itii", id, path, flags, 0);
    from_client(&out);
    expect_got(TO_TARGET, &out);
    out = out_of(0);
    sp_add(&out, SP_HANDLE, "it", id, handle);
    from_target(&out);
    expect_got(TO_CLIENT, &out);
}

static void answer_status(uint32_t id, uint32_t status)
{
    struct writer out = out_of(0);
    sp_add(&out, SP_STATUS, "iitt", id, status, "said", "");
    from_target(&out);
    expect_got(TO_CLIENT, &out);
}

/* Our own answer is all that the client got. */
static void expect_refusal(uint32_t id, uint32_t status)
{
    struct cursor in = cursor_of(talk.got[TO_CLIENT].bytes, talk.got[TO_CLIENT].len);
    struct cursor packet;
    uint8_t type = 0;
    uint32_t got_id = 0;
    uint32_t got_status = 0;
    assert_int_equal(cursor_string(&in, 1024, &packet), ERR_NONE);
    assert_int_equal(cursor_u8(&packet, &type), ERR_NONE);
    assert_int_equal(cursor_u32be(&packet, &got_id), ERR_NONE);
    assert_int_equal(cursor_u32be(&packet, &got_status), ERR_NONE);
    assert_int_equal(type, SP_STATUS);
    assert_int_equal(got_id, id);
    assert_int_equal(got_status, status);
    assert_int_equal(cursor_end(&in), ERR_NONE);
    talk.got[TO_CLIENT].len = 0;
}

static void sftp_upload_passes_and_is_recorded_with_its_hash(void **state)
{
    (void)state;
    begin(GRANT_SFTP_WRITE);
    hand_shake();
    open_file(1, "/srv/x", 0x1a, "h");
    expect_text("1 open /srv/x\n1 = 0\n");
    struct writer out = out_of(0);
    sp_add(&out, SP_WRITE, "itIb", 2, "h", (uint64_t)0, 30000);
    sp_add(&out, SP_WRITE, "itIb", 3, "h", (uint64_t)30000, 5);
    from_client(&out);
    expect_got(TO_TARGET, &out);
    answer_status(2, 0);
    answer_status(3, 0);
    out = out_of(0);
    sp_add(&out, SP_FSETSTAT, "itii", 4, "h", 4, 0644);
    sp_add(&out, SP_CLOSE, "it", 5, "h");
    from_client(&out);
    expect_got(TO_TARGET, &out);
    answer_status(4, 0);
    expect_text("2 fsetstat  of 1\n2 = 0\n");
    answer_status(5, 0);
    expect_text("1 read 0 no bytes wrote 30005 sequential hashed flags 0\n");
    end();
}

static void sftp_download_is_recorded_with_its_end(void **state)
{
    (void)state;
    begin(GRANT_SFTP_READ);
    hand_shake();
    open_file(1, "/etc/x", 1, "h");
    struct writer out = out_of(0);
    sp_add(&out, SP_READ, "itIi", 2, "h", (uint64_t)0, 100);
    sp_add(&out, SP_READ, "itIi", 3, "h", (uint64_t)100, 100);
    sp_add(&out, SP_READ, "itIi", 4, "h", (uint64_t)200, 100);
    from_client(&out);
    expect_got(TO_TARGET, &out);
    out = out_of(0);
    sp_add(&out, SP_DATA, "ib", 2, 100);
    sp_add(&out, SP_DATA, "ib", 3, 7);
    from_target(&out);
    expect_got(TO_CLIENT, &out);
    answer_status(4, 1);
    out = out_of(0);
    sp_add(&out, SP_CLOSE, "it", 5, "h");
    from_client(&out);
    talk.text_len = 0;
    answer_status(5, 0);
    /* Request 4 began behind the end: the file may have grown meanwhile. */
    expect_text("1 read 107 sequential hashed wrote 0 no bytes flags 0\n");
    end();
}

static void sftp_writing_is_refused_to_readers_and_the_session_goes_on(void **state)
{
    (void)state;
    begin(GRANT_SFTP_READ);
    hand_shake();
    open_file(1, "/x", 1, "h");
    open_file(2, "/y", 1, "g");
    talk.text_len = 0;
    struct writer rows[16];
    size_t count = 0;
    static uint8_t each[16][64 * 1024];
#define ROW(...)                                                                                             \
    rows[count] = writer_of(each[count], sizeof each[count]);                                                \
    sp_add(&rows[count++], __VA_ARGS__)
    ROW(SP_OPEN, "itii", 9, "/x", 2, 0);
    ROW(SP_OPEN, "itii", 9, "/x", 1 | 4, 0);
    ROW(SP_OPEN, "itii", 9, "/x", 1 | 8, 0);
    ROW(SP_OPEN, "itii", 9, "/x", 1 | 16, 0);
    ROW(SP_WRITE, "itIb", 9, "h", (uint64_t)0, 60000);
    ROW(SP_SETSTAT, "itii", 9, "/x", 4, 0);
    ROW(SP_FSETSTAT, "itii", 9, "h", 4, 0);
    ROW(SP_REMOVE, "it", 9, "/x");
    ROW(SP_MKDIR, "iti", 9, "/x", 0);
    ROW(SP_RMDIR, "it", 9, "/x");
    ROW(SP_RENAME, "itt", 9, "/x", "/y");
    ROW(SP_SYMLINK, "itt", 9, "/x", "/y");
    ROW(SP_EXTENDED, "ittt", 9, "posix-rename@openssh.com", "/x", "/y");
    ROW(SP_EXTENDED, "ittt", 9, "hardlink@openssh.com", "/x", "/y");
    ROW(SP_EXTENDED, "itti", 9, "lsetstat@openssh.com", "/x", 0);
    ROW(SP_EXTENDED, "ittIItI", 9, "copy-data", "h", (uint64_t)0, (uint64_t)0, "g", (uint64_t)0);
#undef ROW
    for (size_t i = 0; i < count; i++) {
        from_client(&rows[i]);
        expect_nothing(TO_TARGET);
        expect_refusal(9, 3);
        assert_int_equal(talk.refused, i + 1);
    }
    talk.text_len = 0;
    open_file(10, "/z", 1, "i");
    expect_text("3 open /z\n3 = 0\n");
    end();
}

static void sftp_paths_are_held_against_the_grant(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned type;
        const char *layout, *first, *second, *third;
        uint32_t pflags;
        bool passes;
    } ROWS[] = {
        {"read what may be read", SP_OPEN, "itii", "/var/log/x", "", "", 1, true},
        {"write what may be read", SP_OPEN, "itii", "/var/log/x", "", "", 2, false},
        {"write what may be written", SP_OPEN, "itii", "/srv/app/x", "", "", 0x1a, true},
        {"read what may be written", SP_OPEN, "itii", "/srv/app/x", "", "", 1, true},
        {"relative to the home", SP_OPEN, "itii", "app/x", "", "", 2, true},
        {"out by dots", SP_OPEN, "itii", "/srv/app/../x", "", "", 2, false},
        {"elsewhere", SP_OPEN, "itii", "/etc/shadow", "", "", 1, false},
        {"list", SP_OPENDIR, "it", "/srv/app", "", "", 0, true},
        {"list elsewhere", SP_OPENDIR, "it", "/", "", "", 0, false},
        {"look elsewhere", SP_STAT, "it", "/etc", "", "", 0, true},
        {"remove", SP_REMOVE, "it", "/srv/app/x", "", "", 0, true},
        {"remove elsewhere", SP_REMOVE, "it", "/srv/x", "", "", 0, false},
        {"rename inside", SP_RENAME, "itt", "/srv/app/x", "/srv/app/y", "", 0, true},
        {"rename out", SP_RENAME, "itt", "/srv/app/x", "/srv/y", "", 0, false},
        {"rename in", SP_RENAME, "itt", "/etc/x", "/srv/app/y", "", 0, false},
        {"link to inside", SP_SYMLINK, "itt", "y", "/srv/app/x", "", 0, true},
        {"link to outside", SP_SYMLINK, "itt", "/etc", "/srv/app/x", "", 0, false},
        {"link up and out", SP_SYMLINK, "itt", "../../etc", "/srv/app/x", "", 0, false},
        {"link outside", SP_SYMLINK, "itt", "/srv/app/x", "/etc/x", "", 0, false},
        {"relative link", SP_SYMLINK, "itt", "y", "app/x", "", 0, false},
        {"hard link of what is elsewhere", SP_EXTENDED, "ittt", "hardlink@openssh.com", "/etc/shadow",
         "/srv/app/x", 0, false},
        {"hard link inside", SP_EXTENDED, "ittt", "hardlink@openssh.com", "/srv/app/y", "/srv/app/x", 0,
         true},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        begin(GRANT_SFTP_NONE);
        assert_int_equal(grant_add_path(&talk.grant, GRANT_SFTP_READ, cursor_of_text("/var/log/**")),
                         ERR_NONE);
        assert_int_equal(grant_add_path(&talk.grant, GRANT_SFTP_WRITE, cursor_of_text("/srv/app/**")),
                         ERR_NONE);
        hand_shake();
        struct writer out = out_of(0);
        sp_add(&out, SP_REALPATH, "it", 1, ".");
        from_client(&out);
        expect_got(TO_TARGET, &out);
        out = out_of(0);
        sp_add(&out, SP_NAME, "iittii", 1, 1, "/srv", "long", 0, 0);
        from_target(&out);
        expect_got(TO_CLIENT, &out);
        out = out_of(0);
        if (ROWS[i].type == SP_OPEN) {
            sp_add(&out, SP_OPEN, "itii", 2, ROWS[i].first, ROWS[i].pflags, 0);
        } else {
            sp_add(&out, ROWS[i].type, ROWS[i].layout, 2, ROWS[i].first, ROWS[i].second, ROWS[i].third);
        }
        from_client(&out);
        if (talk.refused != (ROWS[i].passes ? 0U : 1U)) {
            fail_msg("%s", ROWS[i].name);
        }
        if (ROWS[i].passes) {
            expect_got(TO_TARGET, &out);
        } else {
            expect_nothing(TO_TARGET);
            expect_refusal(2, 3);
        }
        end();
    }
}

static void sftp_open_file_is_written_by_how_it_was_opened(void **state)
{
    (void)state;
    begin(GRANT_SFTP_READ);
    assert_int_equal(grant_add_path(&talk.grant, GRANT_SFTP_WRITE, cursor_of_text("/srv/**")), ERR_NONE);
    hand_shake();
    open_file(1, "/etc/x", 1, "r");
    open_file(2, "/srv/x", 2, "w");
    struct writer out = out_of(0);
    sp_add(&out, SP_WRITE, "itIb", 3, "r", (uint64_t)0, 5);
    from_client(&out);
    expect_nothing(TO_TARGET);
    expect_refusal(3, 3);
    out = out_of(0);
    sp_add(&out, SP_WRITE, "itIb", 4, "w", (uint64_t)0, 5);
    sp_add(&out, SP_EXTENDED, "ittIItI", 5, "copy-data", "r", (uint64_t)0, (uint64_t)0, "w", (uint64_t)0);
    from_client(&out);
    expect_got(TO_TARGET, &out);
    end();
}

static void sftp_refusal_waits_for_the_answers_before_it(void **state)
{
    (void)state;
    begin(GRANT_SFTP_READ);
    hand_shake();
    struct writer out = out_of(0);
    struct writer passing = out_of(1);
    sp_add(&out, SP_STAT, "it", 1, "/a");
    sp_add(&out, SP_REMOVE, "it", 2, "/b");
    sp_add(&out, SP_STAT, "it", 3, "/c");
    sp_add(&passing, SP_STAT, "it", 1, "/a");
    sp_add(&passing, SP_STAT, "it", 3, "/c");
    from_client(&out);
    expect_got(TO_TARGET, &passing);
    expect_nothing(TO_CLIENT);
    out = out_of(0);
    sp_add(&out, SP_ATTRS, "ii", 1, 0);
    struct cursor answer = written(&out);
    /* Never in the middle of an answer. */
    struct cursor first = cursor_of(answer.at, cursor_len(&answer) - 1);
    assert_int_equal(sftp_from_target(talk.sftp, first), ERR_NONE);
    assert_int_equal(talk.got[TO_CLIENT].len, cursor_len(&first));
    struct cursor last = {first.end, answer.end};
    assert_int_equal(sftp_from_target(talk.sftp, last), ERR_NONE);
    assert_memory_equal(talk.got[TO_CLIENT].bytes, answer.at, cursor_len(&answer));
    memmove(talk.got[TO_CLIENT].bytes, talk.got[TO_CLIENT].bytes + cursor_len(&answer),
            talk.got[TO_CLIENT].len - cursor_len(&answer));
    talk.got[TO_CLIENT].len -= cursor_len(&answer);
    expect_refusal(2, 3);
    out = out_of(0);
    sp_add(&out, SP_ATTRS, "ii", 3, 0);
    from_target(&out);
    expect_got(TO_CLIENT, &out);
    end();
}

static void sftp_version_loses_extensions_that_are_not_audited(void **state)
{
    (void)state;
    begin(GRANT_SFTP_WRITE);
    struct writer out = out_of(0);
    struct writer expected = out_of(1);
    sp_add(&out, SP_INIT, "i", 6);
    sp_add(&expected, SP_INIT, "i", 3);
    from_client(&out);
    expect_got(TO_TARGET, &expected);
    out = out_of(0);
    expected = out_of(1);
    sp_add(&out, SP_VERSION, "itttttt", 3, "posix-rename@openssh.com", "1", "evil@example.com", "1",
           "copy-data", "1");
    sp_add(&expected, SP_VERSION, "itttt", 3, "posix-rename@openssh.com", "1", "copy-data", "1");
    struct cursor bytes = written(&out);
    for (; bytes.at != bytes.end; bytes.at++) {
        assert_int_equal(sftp_from_target(talk.sftp, cursor_of(bytes.at, 1)), ERR_NONE);
    }
    expect_got(TO_CLIENT, &expected);
    end();
}

static void sftp_requests_that_cannot_be_judged_are_answered(void **state)
{
    (void)state;
    begin(GRANT_SFTP_WRITE);
    hand_shake();
    char path[4098];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = 0;
    struct writer out = out_of(0);
    sp_add(&out, SP_REMOVE, "it", 1, path);
    from_client(&out);
    expect_refusal(1, 5);
    path[4096] = 0;
    out = out_of(0);
    sp_add(&out, SP_REMOVE, "it", 2, path);
    from_client(&out);
    expect_got(TO_TARGET, &out);
    answer_status(2, 0);
    const struct {
        const char *name;
        unsigned type;
        const char *layout;
        const char *text;
        uint32_t status;
    } ROWS[] = {
        {"unknown extension", SP_EXTENDED, "it", "x@y", 8},
        {"unknown type", 21, "it", "x", 8},
        {"trailing bytes", SP_REMOVE, "itt", "/x", 5},
        {"no such handle", SP_CLOSE, "it", "none", 4},
        {"cut short", SP_RENAME, "it", "/x", 5},
        {"an answer", SP_STATUS, "it", "x", 8},
        {"no handle to write to", SP_WRITE, "it", "x", 5},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        out = out_of(0);
        sp_add(&out, ROWS[i].type, ROWS[i].layout, 50, ROWS[i].text, "/y");
        from_client(&out);
        expect_nothing(TO_TARGET);
        expect_refusal(50, ROWS[i].status);
    }
    /* As large as a packet may be, and of no known kind: it is dropped as it comes. */
    out = out_of(0);
    writer_u32be(&out, SFTP_PACKET_MAX_BYTES);
    writer_u8(&out, SP_SETSTAT);
    writer_u32be(&out, 77);
    from_client(&out);
    expect_refusal(77, 5);
    for (unsigned i = 0; i < SFTP_PACKET_MAX_BYTES - 5; i += 1) {
        assert_int_equal(sftp_from_client(talk.sftp, cursor_of("x", 1)), ERR_NONE);
    }
    expect_nothing(TO_TARGET);
    open_file(78, "/after", 1, "h");
    end();
}

static void sftp_order_of_contents_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t offsets[3];
        uint32_t flags;
        bool is_hashing;
        const char *total;
    } ROWS[] = {
        {"sequential", {0, 10, 20}, 2, true, "wrote 30 sequential hashed flags 0\n"},
        {"names only", {0, 10, 20}, 2, false, "wrote 30 sequential flags 0\n"},
        {"resumed", {5, 15, 25}, 2, true, "wrote 30 from an offset flags 0\n"},
        {"appended", {0, 10, 20}, 6, true, "wrote 30 from an offset flags 0\n"},
        {"sparse", {0, 10, 21}, 2, true, "wrote 30 sparse flags 0\n"},
        {"out of order", {0, 20, 10}, 2, true, "wrote 30 out of order flags 0\n"},
        {"twice", {0, 0, 10}, 2, true, "wrote 30 out of order flags 0\n"},
        {"at the end of numbers", {0, UINT64_MAX, UINT64_MAX}, 2, true, "wrote 30 sparse flags 0\n"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        begin(GRANT_SFTP_WRITE);
        talk.grant.sftp_hashes = ROWS[i].is_hashing;
        hand_shake();
        open_file(1, "/x", ROWS[i].flags, "h");
        struct writer out = out_of(0);
        for (uint32_t j = 0; j < 3; j++) {
            sp_add(&out, SP_WRITE, "itIb", j, "h", ROWS[i].offsets[j], 10);
        }
        sp_add(&out, SP_CLOSE, "it", 9, "h");
        from_client(&out);
        expect_got(TO_TARGET, &out);
        for (uint32_t j = 0; j < 3; j++) {
            answer_status(j, 0);
        }
        answer_status(9, 0);
        if (strstr(talk.text, ROWS[i].total) == NULL) {
            fail_msg("%s: %s", ROWS[i].name, talk.text);
        }
        end();
    }
}

static void sftp_copy_data_and_failures_are_flags_of_the_total(void **state)
{
    (void)state;
    begin(GRANT_SFTP_WRITE);
    hand_shake();
    open_file(1, "/a", 1, "a");
    open_file(2, "/b", 2, "b");
    talk.text_len = 0;
    struct writer out = out_of(0);
    sp_add(&out, SP_EXTENDED, "ittIItI", 3, "copy-data", "a", (uint64_t)0, (uint64_t)0, "b", (uint64_t)0);
    sp_add(&out, SP_WRITE, "itIb", 4, "b", (uint64_t)0, 3);
    from_client(&out);
    expect_got(TO_TARGET, &out);
    answer_status(3, 0);
    answer_status(4, 4);
    assert_int_equal(sftp_end(talk.sftp), ERR_NONE);
    expect_text("3 copy-data  of 1 into 2\n3 = 0\n1 read 0 no bytes wrote 0 no bytes flags 4\n"
                "2 read 0 no bytes wrote 3 out of order flags 14\n");
    end();
}

static void violate(bool is_client, const struct writer *out, const char *why)
{
    enum err err =
        is_client ? sftp_from_client(talk.sftp, written(out)) : sftp_from_target(talk.sftp, written(out));
    assert_int_equal(err, ERR_MALFORMED);
    assert_non_null(strstr(sftp_explain(talk.sftp), why));
    end();
}

enum { STAT_BYTES = 15 };

/* `count` requests with the numbers from `first` on: whole, but for the last `cut_bytes`. */
static void ask_stats(uint32_t first, uint32_t count, size_t cut_bytes)
{
    struct writer out = out_of(0);
    for (uint32_t i = 0; i < count; i++) {
        sp_add(&out, SP_STAT, "it", first + i, "/x");
    }
    struct cursor bytes = written(&out);
    bytes.end -= cut_bytes;
    assert_int_equal(sftp_from_client(talk.sftp, bytes), ERR_NONE);
}

static void sftp_requests_beyond_the_limit_wait_for_answers(void **state)
{
    (void)state;
    enum { BEYOND = 3, ANSWERED = 2 };
    begin(GRANT_SFTP_WRITE);
    hand_shake();
    ask_stats(0, SFTP_OUTSTANDING_MAX, 0);
    assert_int_equal(talk.got[TO_TARGET].len, SFTP_OUTSTANDING_MAX * STAT_BYTES);
    assert_false(sftp_is_holding(talk.sftp));
    ask_stats(SFTP_OUTSTANDING_MAX, BEYOND, 1);
    assert_int_equal(talk.got[TO_TARGET].len, SFTP_OUTSTANDING_MAX * STAT_BYTES);
    assert_true(sftp_is_holding(talk.sftp));
    assert_int_equal(talk.lanes[TO_TARGET].kept_bytes, BEYOND * STAT_BYTES - 1);
    for (uint32_t i = 0; i < ANSWERED; i++) {
        answer_status(i, 0);
    }
    assert_int_equal(talk.got[TO_TARGET].len, (SFTP_OUTSTANDING_MAX + ANSWERED) * STAT_BYTES);
    assert_int_equal(talk.lanes[TO_TARGET].kept_bytes, STAT_BYTES - 1);
    answer_status(ANSWERED, 0);
    assert_false(sftp_is_holding(talk.sftp));
    end();
}

/* Answers of ours make room as well: nothing of the target will. */
static void sftp_refused_requests_beyond_the_limit_are_answered(void **state)
{
    (void)state;
    enum { COUNT = SFTP_OUTSTANDING_MAX + 1 };
    begin(GRANT_SFTP_READ);
    hand_shake();
    struct writer out = out_of(0);
    for (uint32_t i = 0; i < COUNT; i++) {
        sp_add(&out, SP_REMOVE, "it", i, "/x");
    }
    from_client(&out);
    assert_false(sftp_is_holding(talk.sftp));
    assert_int_equal(talk.refused, COUNT);
    expect_nothing(TO_TARGET);
    end();
}

static void sftp_requests_that_wait_are_bounded(void **state)
{
    (void)state;
    begin(GRANT_SFTP_WRITE);
    hand_shake();
    ask_stats(0, SFTP_OUTSTANDING_MAX, 0);
    static const uint8_t MANY[SFTP_HELD_MAX_BYTES];
    assert_int_equal(sftp_from_client(talk.sftp, cursor_of(MANY, sizeof MANY)), ERR_NONE);
    struct writer out = out_of(0);
    sp_add(&out, SP_STAT, "it", 0, "/x");
    violate(true, &out, "than the bastion keeps");
}

static void sftp_limits_end_the_session(void **state)
{
    (void)state;
    begin(GRANT_SFTP_WRITE);
    hand_shake();
    char handle[16];
    for (uint32_t i = 0; i < SFTP_HANDLES_MAX; i++) {
        (void)snprintf(handle, sizeof handle, "h%u", i);
        open_file(i, "/x", 1, handle);
        talk.text_len = 0;
    }
    struct writer asked = out_of(1);
    sp_add(&asked, SP_OPEN, "itii", 5, "/x", 1, 0);
    from_client(&asked);
    struct writer out = out_of(0);
    sp_add(&out, SP_HANDLE, "it", 5, "more");
    violate(false, &out, "1024");

    static const uint32_t LENGTHS[] = {0, SFTP_PACKET_MAX_BYTES + 1, UINT32_MAX};
    for (size_t i = 0; i < 2 * COUNT_OF(LENGTHS); i++) {
        begin(GRANT_SFTP_WRITE);
        hand_shake();
        out = out_of(0);
        writer_u32be(&out, LENGTHS[i / 2]);
        writer_u8(&out, SP_STATUS);
        violate(i % 2 == 0, &out, "length");
    }
}

static void sftp_answers_out_of_turn_end_the_session(void **state)
{
    (void)state;
    static const struct {
        const char *name, *layout;
        unsigned asked, type;
        uint32_t id;
        const char *why;
    } ROWS[] = {
        {"unasked", "ii", SP_STAT, SP_STATUS, 8, "not made"},
        {"a request", "ii", SP_STAT, SP_STAT, 7, "no answer"},
        {"too short", "", SP_STAT, SP_STATUS, 7, "no answer"},
        {"handle for a stat", "it", SP_STAT, SP_HANDLE, 7, "handle"},
        {"handle with more behind", "itt", SP_OPENDIR, SP_HANDLE, 7, "handle"},
        {"contents for a stat", "ib", SP_STAT, SP_DATA, 7, "contents"},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        begin(GRANT_SFTP_WRITE);
        hand_shake();
        struct writer out = out_of(0);
        sp_add(&out, ROWS[i].asked, "it", 7, "/x");
        from_client(&out);
        out = out_of(0);
        bool has_contents = strchr(ROWS[i].layout, 'b') != NULL;
        if (has_contents) {
            sp_add(&out, ROWS[i].type, ROWS[i].layout, ROWS[i].id, 3);
        } else if (strchr(ROWS[i].layout, 't') != NULL) {
            sp_add(&out, ROWS[i].type, ROWS[i].layout, ROWS[i].id, "h", "h");
        } else {
            sp_add(&out, ROWS[i].type, ROWS[i].layout, ROWS[i].id, 0);
        }
        violate(false, &out, ROWS[i].why);
    }
    begin(GRANT_SFTP_WRITE);
    struct writer out = out_of(0);
    sp_add(&out, SP_STAT, "it", 1, "/x");
    violate(true, &out, "out of turn");
    begin(GRANT_SFTP_WRITE);
    out = out_of(0);
    sp_add(&out, SP_VERSION, "i", 3);
    violate(false, &out, "version 3"); /* before INIT */
    begin(GRANT_SFTP_WRITE);
    out = out_of(0);
    sp_add(&out, SP_INIT, "i", 3);
    from_client(&out);
    out = out_of(0);
    writer_bytes(&out, cursor_of_text("Welcome to node1\n"));
    violate(false, &out, "start-up file");
    begin(GRANT_SFTP_WRITE);
    out = out_of(0);
    sp_add(&out, SP_INIT, "i", 2);
    violate(true, &out, "before 3");
}

/* A conversation of both sides, to be cut in every way. */
static void make_conversation(struct writer *client, struct writer *target)
{
    *client = out_of(0);
    *target = out_of(1);
    sp_add(client, SP_INIT, "i", 3);
    sp_add(target, SP_VERSION, "itt", 3, "limits@openssh.com", "1");
    sp_add(client, SP_OPEN, "itii", 1, "/path/to/x", 2, 0);
    sp_add(target, SP_HANDLE, "it", 1, "hdl");
    sp_add(client, SP_WRITE, "itIb", 2, "hdl", (uint64_t)0, 40);
    sp_add(target, SP_STATUS, "iitt", 2, 0, "", "");
    sp_add(client, SP_RENAME, "itt", 3, "/path/to/x", "/path/to/y");
    sp_add(target, SP_STATUS, "iitt", 3, 4, "no", "");
    sp_add(client, SP_REALPATH, "it", 4, ".");
    sp_add(target, SP_NAME, "iittii", 4, 1, "/home/x", "long", 0, 0);
    sp_add(client, SP_READ, "itIi", 5, "hdl", (uint64_t)0, 10);
    sp_add(target, SP_DATA, "ib", 5, 10);
    sp_add(client, SP_CLOSE, "it", 6, "hdl");
    sp_add(target, SP_STATUS, "iitt", 6, 0, "", "");
}

/* Packet by packet, each cut after `step` bytes again and again. */
static void replay(const struct writer *client, const struct writer *target, size_t step)
{
    struct cursor in[2] = {written(client), written(target)};
    while (cursor_len(&in[0]) > 0) {
        for (unsigned side = 0; side < 2; side++) {
            struct cursor rest = in[side];
            struct cursor packet;
            assert_int_equal(cursor_string(&rest, STREAM_BYTES, &packet), ERR_NONE);
            struct cursor whole = {in[side].at, packet.end};
            while (cursor_len(&whole) > 0) {
                size_t len = cursor_len(&whole) < step ? cursor_len(&whole) : step;
                struct cursor part = cursor_of(whole.at, len);
                enum err err =
                    side == 0 ? sftp_from_client(talk.sftp, part) : sftp_from_target(talk.sftp, part);
                assert_int_equal(err, ERR_NONE);
                whole.at = part.end;
            }
            in[side] = rest;
        }
    }
}

static void sftp_stream_may_be_cut_anywhere(void **state)
{
    (void)state;
    struct writer client;
    struct writer target;
    make_conversation(&client, &target);
    for (size_t step = 1; step < 80; step++) {
        begin(GRANT_SFTP_WRITE);
        replay(&client, &target, step);
        expect_got(TO_TARGET, &client);
        expect_got(TO_CLIENT, &target);
        expect_text("1 open /path/to/x\n1 = 0\n2 rename /path/to/x -> /path/to/y\n2 = 4\n"
                    "1 read 10 sequential hashed wrote 40 sequential hashed flags 0\n");
        end();
    }
}

static void sftp_stream_that_ends_anywhere_is_bounded(void **state)
{
    (void)state;
    struct writer client;
    struct writer target;
    make_conversation(&client, &target);
    struct cursor all = written(&client);
    for (size_t len = 0; len <= cursor_len(&all); len++) {
        begin(GRANT_SFTP_READ);
        /* The target has said its version by the second packet; the rest of it is refused or waits. */
        struct writer version = writer_of(memory[1] + STREAM_BYTES / 2, 256);
        sp_add(&version, SP_VERSION, "i", 3);
        size_t first = len < 9 ? len : 9;
        assert_int_equal(sftp_from_client(talk.sftp, cursor_of(all.at, first)), ERR_NONE);
        if (first == 9) {
            assert_int_equal(sftp_from_target(talk.sftp, written(&version)), ERR_NONE);
        }
        assert_int_equal(sftp_from_client(talk.sftp, cursor_of(all.at + first, len - first)), ERR_NONE);
        assert_true(talk.got[TO_TARGET].len <= len);
        assert_int_equal(sftp_end(talk.sftp), ERR_NONE);
        end();
    }
    /* The same for the target's half, its requests being made. */
    struct cursor answers = written(&target);
    for (size_t len = 0; len <= cursor_len(&answers); len++) {
        begin(GRANT_SFTP_WRITE);
        struct writer version = writer_of(memory[1] + STREAM_BYTES / 2, 256);
        sp_add(&version, SP_VERSION, "i", 3);
        assert_int_equal(sftp_from_client(talk.sftp, cursor_of(all.at, 9)), ERR_NONE);
        size_t head = len < 36 ? len : 36; /* VERSION with its extension */
        assert_int_equal(sftp_from_target(talk.sftp, cursor_of(answers.at, head)), ERR_NONE);
        if (len > head) {
            struct writer asked = writer_of(memory[1] + STREAM_BYTES / 2, 4096);
            sp_add(&asked, SP_OPEN, "itii", 1, "/x", 2, 0);
            sp_add(&asked, SP_STAT, "it", 2, "/x");
            sp_add(&asked, SP_STAT, "it", 3, "/x");
            sp_add(&asked, SP_REALPATH, "it", 4, ".");
            from_client(&asked);
            enum err err = sftp_from_target(talk.sftp, cursor_of(answers.at + head, len - head));
            assert_true(err == ERR_NONE || sftp_explain(talk.sftp) != NULL);
        }
        end();
    }
}

static void sftp_hash_is_the_hash_of_the_file(void **state)
{
    (void)state;
    uint8_t expected[32];
    static uint8_t file[1000];
    for (size_t i = 0; i < sizeof file; i++) {
        file[i] = (uint8_t)('a' + i % 26);
    }
    crypto_sha256(cursor_of(file, sizeof file), expected);
    begin(GRANT_SFTP_WRITE);
    hand_shake();
    open_file(1, "/x", 2, "h");
    struct writer out = out_of(0);
    sp_add(&out, SP_WRITE, "itIb", 2, "h", (uint64_t)0, 1000);
    struct cursor bytes = written(&out);
    for (; bytes.at != bytes.end; bytes.at++) {
        assert_int_equal(sftp_from_client(talk.sftp, cursor_of(bytes.at, 1)), ERR_NONE);
    }
    expect_got(TO_TARGET, &out);
    out = out_of(0);
    sp_add(&out, SP_CLOSE, "it", 3, "h");
    from_client(&out);
    talk.got[TO_TARGET].len = 0;
    answer_status(2, 0);
    answer_status(3, 0);
    assert_memory_equal(talk.sha256, expected, sizeof expected);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sftp_upload_passes_and_is_recorded_with_its_hash),
        cmocka_unit_test(sftp_download_is_recorded_with_its_end),
        cmocka_unit_test(sftp_writing_is_refused_to_readers_and_the_session_goes_on),
        cmocka_unit_test(sftp_paths_are_held_against_the_grant),
        cmocka_unit_test(sftp_open_file_is_written_by_how_it_was_opened),
        cmocka_unit_test(sftp_refusal_waits_for_the_answers_before_it),
        cmocka_unit_test(sftp_version_loses_extensions_that_are_not_audited),
        cmocka_unit_test(sftp_requests_that_cannot_be_judged_are_answered),
        cmocka_unit_test(sftp_order_of_contents_is_named),
        cmocka_unit_test(sftp_copy_data_and_failures_are_flags_of_the_total),
        cmocka_unit_test(sftp_requests_beyond_the_limit_wait_for_answers),
        cmocka_unit_test(sftp_refused_requests_beyond_the_limit_are_answered),
        cmocka_unit_test(sftp_requests_that_wait_are_bounded),
        cmocka_unit_test(sftp_limits_end_the_session),
        cmocka_unit_test(sftp_answers_out_of_turn_end_the_session),
        cmocka_unit_test(sftp_stream_may_be_cut_anywhere),
        cmocka_unit_test(sftp_stream_that_ends_anywhere_is_bounded),
        cmocka_unit_test(sftp_hash_is_the_hash_of_the_file),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
