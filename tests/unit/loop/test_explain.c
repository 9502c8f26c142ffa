#include "../../../gateway/loop/explain.h"

#include <errno.h>
#include <string.h>

#include "unit_test.h"

struct row {
    enum ring_step step;
    int error;
    struct ring_surroundings here;
    const char *says, *remedy;
};

/* Every way to fail has its own sentence, with what to do. */
static const struct row ROWS[] = {
    {RING_SETUP, EPERM, {2, -1, false, "6.8"}, "switched off", "sysctl -w kernel.io_uring_disabled=0"},
    {RING_SETUP, EPERM, {2, -1, true, "6.8"}, "switched off", "sysctl -w kernel.io_uring_disabled=0"},
    {RING_SETUP, EPERM, {1, 27, false, "6.8"}, "kernel.io_uring_group=27", "set kernel.io_uring_group"},
    {RING_SETUP, EPERM, {0, -1, true, "6.8"}, "seccomp profile", "allows io_uring_setup"},
    {RING_SETUP, EPERM, {-1, -1, true, "6.1"}, "Docker and containerd", "allows io_uring_setup"},
    {RING_SETUP, EPERM, {0, -1, false, "6.8"}, "security module", "audit log"},
    {RING_SETUP, EACCES, {0, -1, false, "6.8"}, "security module", "audit log"},
    {RING_SETUP, ENOSYS, {-1, -1, false, "5.4"}, "CONFIG_IO_URING", "6.1 or later"},
    {RING_SETUP, EINVAL, {-1, -1, false, "5.15.0-91"}, "5.15.0-91 is too old", "HWE kernel"},
    {RING_SETUP, ENOMEM, {0, -1, false, "6.8"}, "no memory", "LimitMEMLOCK="},
    {RING_SETUP, EMFILE, {0, -1, false, "6.8"}, "no free descriptor", "LimitNOFILE="},
    {RING_SETUP, EIO, {0, -1, false, "6.8"}, "io_uring_setup failed", "6.8"},
    {RING_FEATURES, EINVAL, {0, -1, false, "5.16"}, "features", "6.1 or later"},
    {RING_BUFFERS, EINVAL, {0, -1, false, "5.18"}, "receive buffers", "6.1 or later"},
    {RING_BUFFERS, ENOMEM, {0, -1, false, "6.8"}, "receive buffers", "LimitMEMLOCK="},
    {RING_BUFFERS, EPERM, {0, -1, true, "6.8"}, "receive buffers", "io_uring_register"},
    {RING_RESTRICT, ENOSYS, {0, -1, true, "6.8"}, "limiting", "io_uring_register"},
    {RING_RESTRICT, EBADFD, {0, -1, false, "6.8"}, "too late", "report it"},
    {RING_ENABLE, EBADFD, {0, -1, false, "6.8"}, "too late", "report it"},
    {RING_SELF_TEST, 0, {0, -1, false, "6.8"}, "NOT limited", "do not run"},
    {RING_SELF_TEST, EFAULT, {0, -1, false, "6.8"}, "NOT limited", "Bad address"},
    {RING_SELF_TEST, EACCES, {0, -1, false, "6.8"}, "must allow", "another kernel"},
    {RING_RECEIVE, EINVAL, {0, -1, false, "5.19"}, "multishot receive", "6.1 or later"},
    {RING_RECEIVE, EIO, {0, -1, false, "6.8"}, "multishot receive failed", "Input/output error"},
};

static void explain_each_failure_names_it_and_its_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct loop_refusal why = {{0}};
        ring_explain(ROWS[i].step, ROWS[i].error, &ROWS[i].here, &why);
        if (strstr(why.sentence, ROWS[i].says) == NULL || strstr(why.sentence, ROWS[i].remedy) == NULL) {
            fail_msg("row %zu: %s", i, why.sentence);
        }
        assert_true(strlen(why.sentence) < LIMIT_SENTENCE_BYTES - 1);
    }
}

static void surroundings_of_this_machine_are_read(void **state)
{
    (void)state;
    struct ring_surroundings here = {.sysctl_disabled = 77};
    ring_surroundings_read(&here);
    assert_true(here.sysctl_disabled >= -1 && here.sysctl_disabled <= 2);
    assert_true(strlen(here.kernel) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_each_failure_names_it_and_its_remedy),
        cmocka_unit_test(surroundings_of_this_machine_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
