#include "ipc/channel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit_test.h"

static struct ipc_message message_of(unsigned type, size_t body_bytes)
{
    static uint8_t zeros[IPC_BODY_MAX + 1];
    return (struct ipc_message){.type = (enum ipc_type)type, .body = cursor_of(zeros, body_bytes)};
}

static void check_every_message_in_every_wrong_phase_is_refused(void **state)
{
    (void)state;
    static const enum ipc_phase PHASES[] = {PHASE_KEX, PHASE_FACTOR, PHASE_OPEN, PHASE_ENDED};
    for (unsigned type = 1; type < IPC_TYPE_COUNT; type++) {
        const struct ipc_row *row = ipc_row(type);
        for (size_t i = 0; i < COUNT_OF(PHASES); i++) {
            struct ipc_ledger ledger = {0};
            struct ipc_message message = message_of(type, 0);
            message.fd_count = row->fds;
            bool is_allowed = (row->phases & PHASES[i]) != 0;
            assert_int_equal(ipc_check(&ledger, &message, row->from, row->to, PHASES[i]),
                             is_allowed ? ERR_NONE : ERR_STATE);
        }
    }
}

static void check_every_message_from_every_wrong_peer_is_refused(void **state)
{
    (void)state;
    for (unsigned type = 1; type < IPC_TYPE_COUNT; type++) {
        const struct ipc_row *row = ipc_row(type);
        for (unsigned peer = PEER_MONITOR; peer <= PEER_TOKEN; peer++) {
            struct ipc_ledger ledger = {0};
            struct ipc_message message = message_of(type, 0);
            message.fd_count = row->fds;
            enum ipc_phase phase = (row->phases & PHASE_OPEN) != 0 ? PHASE_OPEN : PHASE_KEX;
            if (peer != (unsigned)row->from) {
                assert_int_equal(ipc_check(&ledger, &message, (enum ipc_peer)peer, row->to, phase),
                                 ERR_STATE);
            }
            if (peer != (unsigned)row->to) {
                assert_int_equal(ipc_check(&ledger, &message, row->from, (enum ipc_peer)peer, phase),
                                 ERR_STATE);
            }
        }
    }
}

static void check_every_message_too_often_or_too_large_is_refused(void **state)
{
    (void)state;
    for (unsigned type = 1; type < IPC_TYPE_COUNT; type++) {
        const struct ipc_row *row = ipc_row(type);
        enum ipc_phase phase = (row->phases & PHASE_OPEN) != 0 ? PHASE_OPEN : PHASE_KEX;
        struct ipc_ledger ledger = {0};
        struct ipc_message large = message_of(type, row->max_bytes + 1);
        large.fd_count = row->fds;
        assert_int_equal(ipc_check(&ledger, &large, row->from, row->to, phase), ERR_TOO_LARGE);
        struct ipc_message fits = message_of(type, row->max_bytes);
        fits.fd_count = row->fds;
        for (unsigned i = 0; i < row->times; i++) {
            assert_int_equal(ipc_check(&ledger, &fits, row->from, row->to, phase), ERR_NONE);
        }
        if (row->times > 0) {
            assert_int_equal(ipc_check(&ledger, &fits, row->from, row->to, phase), ERR_STATE);
        }
        fits.fd_count = row->fds + 1;
        struct ipc_ledger fresh = {0};
        assert_int_equal(ipc_check(&fresh, &fits, row->from, row->to, phase), ERR_MALFORMED);
    }
}

static void row_of_no_message_is_null(void **state)
{
    (void)state;
    assert_null(ipc_row(0));
    assert_null(ipc_row(IPC_TYPE_COUNT));
    assert_null(ipc_row(UINT16_MAX));
    assert_string_equal(ipc_name(UINT16_MAX), "unknown");
}

static void channel_carries_body_and_descriptors(void **state)
{
    (void)state;
    OWNED_FD mine = -1;
    OWNED_FD theirs = -1;
    assert_int_equal(ipc_pair(&mine, &theirs), ERR_NONE);
    int passed = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(passed >= 0);
    assert_int_equal(ipc_send(mine, IPC_TARGET_READY, 7, cursor_of_text("body"), &passed, 1), ERR_NONE);
    fd_close(&passed);
    static struct ipc_message message;
    assert_int_equal(ipc_wait(theirs, 1000), ERR_NONE);
    assert_int_equal(ipc_receive(theirs, &message), ERR_NONE);
    assert_int_equal(message.type, IPC_TARGET_READY);
    assert_int_equal(message.ref, 7);
    assert_true(cursor_equal_text(message.body, "body"));
    assert_int_equal(message.fd_count, 1);
    int got = ipc_message_take_fd(&message, 0);
    assert_true(fcntl(got, F_GETFD) == FD_CLOEXEC);
    fd_close(&got);
    assert_int_equal(ipc_receive(theirs, &message), ERR_AGAIN);
    fd_close(&mine);
    assert_int_equal(ipc_receive(theirs, &message), ERR_CLOSED);
}

static void channel_refuses_what_is_no_message(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[10];
        size_t len;
    } ROWS[] = {
        {{0}, 1},
        {{0, 1, 0, 0, 0, 0, 0}, 7},
        {{0, 0, 0, 0, 0, 0, 0, 0}, 8},
        {{0, 1, 0, 1, 0, 0, 0, 0}, 8},
        {{0xff, 0xff, 0, 0, 0, 0, 0, 0}, 8},
    };
    OWNED_FD mine = -1;
    OWNED_FD theirs = -1;
    assert_int_equal(ipc_pair(&mine, &theirs), ERR_NONE);
    static struct ipc_message message;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        assert_int_equal(send(mine, ROWS[i].bytes, ROWS[i].len, 0), (int)ROWS[i].len);
        assert_int_equal(ipc_receive(theirs, &message), ERR_MALFORMED);
    }
    static uint8_t oversized[IPC_HEADER_BYTES + IPC_BODY_MAX + 1] = {0, 1};
    assert_int_equal(send(mine, oversized, sizeof oversized, 0), (int)sizeof oversized);
    assert_int_equal(ipc_receive(theirs, &message), ERR_MALFORMED);
}

static void channel_not_read_is_again(void **state)
{
    (void)state;
    OWNED_FD mine = -1;
    OWNED_FD theirs = -1;
    assert_int_equal(ipc_pair(&mine, &theirs), ERR_NONE);
    static uint8_t body[1000];
    enum err err = ERR_NONE;
    for (int i = 0; i < 100000 && err == ERR_NONE; i++) {
        err = ipc_send(mine, IPC_NOTE, 0, cursor_of(body, sizeof body), NULL, 0);
    }
    assert_int_equal(err, ERR_AGAIN);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(check_every_message_in_every_wrong_phase_is_refused),
        cmocka_unit_test(check_every_message_from_every_wrong_peer_is_refused),
        cmocka_unit_test(check_every_message_too_often_or_too_large_is_refused),
        cmocka_unit_test(row_of_no_message_is_null),
        cmocka_unit_test(channel_carries_body_and_descriptors),
        cmocka_unit_test(channel_refuses_what_is_no_message),
        cmocka_unit_test(channel_not_read_is_again),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
