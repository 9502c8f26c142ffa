#include "../../../gateway/loop/ring.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <seccomp.h>

#include "unit_test.h"

static void bring_up_of_every_profile_succeeds(void **state)
{
    (void)state;
    struct loop_refusal why = {{0}};
    if (loop_probe(&why) != ERR_NONE) {
        fail_msg("%s", why.sentence);
    }
}

/* The wrong order: restrictions after enabling fail with EBADFD and leave the ring open. */
static void self_test_of_ring_enabled_too_early_fails(void **state)
{
    (void)state;
    struct io_uring ring;
    struct io_uring_params params = ring_params();
    assert_int_equal(io_uring_queue_init_params(8, &ring, &params), 0);
    assert_true(io_uring_enable_rings(&ring) >= 0);
    assert_int_equal(ring_restrict(&ring, profile_of(LOOP_SESSION)), -EBADFD);
    struct loop_refusal why = {{0}};
    assert_int_equal(ring_self_test(&ring, &why), ERR_MISMATCH);
    assert_non_null(strstr(why.sentence, "NOT limited"));
    io_uring_queue_exit(&ring);
}

/* Restrictions that were forgotten altogether. */
static void self_test_of_ordinary_ring_fails(void **state)
{
    (void)state;
    struct io_uring ring;
    assert_int_equal(io_uring_queue_init(8, &ring, 0), 0);
    struct loop_refusal why = {{0}};
    assert_int_equal(ring_self_test(&ring, &why), ERR_MISMATCH);
    io_uring_queue_exit(&ring);
}

/* The flags are limited, but one operation too many is allowed. */
static void self_test_of_ring_that_may_open_files_fails(void **state)
{
    (void)state;
    struct io_uring ring;
    struct io_uring_params params = ring_params();
    assert_int_equal(io_uring_queue_init_params(8, &ring, &params), 0);
    static const struct profile_row TOO_MUCH[] = {{IORING_OP_NOP, "NOP", ""},
                                                  {IORING_OP_OPENAT, "OPENAT", ""}};
    struct profile profile = {.name = "too much", .rows = TOO_MUCH, .row_count = 2};
    assert_int_equal(ring_restrict(&ring, &profile), 0);
    assert_true(io_uring_enable_rings(&ring) >= 0);
    struct loop_refusal why = {{0}};
    assert_int_equal(ring_self_test(&ring, &why), ERR_MISMATCH);
    io_uring_queue_exit(&ring);
}

static void self_test_of_limited_ring_passes(void **state)
{
    (void)state;
    struct io_uring ring;
    struct ring_buffers buffers;
    struct loop_refusal why = {{0}};
    assert_int_equal(ring_bring_up(profile_of(LOOP_RECORDER), &ring, &buffers, &why), ERR_NONE);
    assert_int_equal(ring_self_test(&ring, &why), ERR_NONE);
    io_uring_queue_exit(&ring);
    ring_buffers_done(&buffers);
}

/* A machine that refuses one of the three calls, made with seccomp in a child. */
struct refusal_row {
    const char *name;
    int call, error;
    const char *says;
};

static const struct refusal_row REFUSALS[] = {
    {"setup EPERM", SCMP_SYS(io_uring_setup), EPERM, "seccomp profile refuses io_uring_setup"},
    {"setup ENOSYS", SCMP_SYS(io_uring_setup), ENOSYS, "no io_uring (ENOSYS)"},
    {"setup EINVAL", SCMP_SYS(io_uring_setup), EINVAL, "too old"},
    {"setup ENOMEM", SCMP_SYS(io_uring_setup), ENOMEM, "no memory"},
    {"register EPERM", SCMP_SYS(io_uring_register), EPERM, "must allow io_uring_register"},
    {"register EINVAL", SCMP_SYS(io_uring_register), EINVAL, "too old"},
};

static int in_refusing_child(const struct refusal_row *row)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL || seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)row->error), row->call, 0) != 0 ||
        seccomp_load(filter) != 0) {
        return 3;
    }
    struct loop *loop = NULL;
    struct loop_refusal why = {{0}};
    if (loop_new(LOOP_SESSION, &loop, &why) == ERR_NONE) {
        return 1;
    }
    return errno == row->error && strstr(why.sentence, row->says) != NULL ? 0 : 2;
}

static void ring_refused_by_the_machine_is_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(REFUSALS); i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            _exit(in_refusing_child(&REFUSALS[i]));
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            fail_msg("%s: status %x", REFUSALS[i].name, (unsigned)status);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bring_up_of_every_profile_succeeds),
        cmocka_unit_test(self_test_of_ring_enabled_too_early_fails),
        cmocka_unit_test(self_test_of_ordinary_ring_fails),
        cmocka_unit_test(self_test_of_ring_that_may_open_files_fails),
        cmocka_unit_test(self_test_of_limited_ring_passes),
        cmocka_unit_test(ring_refused_by_the_machine_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
