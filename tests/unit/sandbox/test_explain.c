#include "../../../gateway/sandbox/steps.h"

#include <errno.h>
#include <string.h>

#include "unit_test.h"

struct row {
    enum sandbox_step step;
    int error;
    const char *detail, *says, *remedy;
};

static const struct row ROWS[] = {
    {STEP_USER, 0, "", "uid or gid 0", "user of its own"},
    {STEP_LIMITS, EPERM, "NPROC", "[NPROC]", "prlimit64"},
    {STEP_MAKE_ROOM, EPERM, "", "namespaces cannot be made", "CAP_SYS_ADMIN"},
    {STEP_MAKE_ROOM, ENOSPC, "", "No space left", "user.max_*_namespaces"},
    {STEP_EMPTY_ROOT, EPERM, "", "empty root", "@mount"},
    {STEP_ENTER_ROOM, EPERM, "/proc/self/ns/net", "[/proc/self/ns/net]", "CAP_SYS_CHROOT"},
    {STEP_DESCRIPTORS, ENOSYS, "", "descriptors", "Linux 5.9"},
    {STEP_LANDLOCK, EOPNOTSUPP, "", "Landlock is missing", "lsm=landlock"},
    {STEP_LANDLOCK, ENOSYS, "", "Landlock is missing", "CONFIG_SECURITY_LANDLOCK"},
    {STEP_LANDLOCK_PATH, ENOENT, "/srv/rec", "[/srv/rec]", "correct the configuration"},
    {STEP_BOUNDING_SET, EPERM, "", "capabilities", "CAP_SETPCAP"},
    {STEP_IDENTITY, EINVAL, "", "user cannot be taken on", "user namespace"},
    {STEP_STILL_ROOT, 0, "", "root again", "do not run"},
    {STEP_FILTER, EINVAL, "", "seccomp filter", "CONFIG_SECCOMP_FILTER"},
    {STEP_FILTER_TEST, 0, "", "passed through", "do not run"},
};

static void explain_each_failure_names_it_and_its_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct sandbox_refusal why = {{0}};
        sandbox_explain("bastion-x", ROWS[i].step, ROWS[i].error, ROWS[i].detail, &why);
        bool is_good = strncmp(why.sentence, "bastion-x cannot be shut in: ", 29) == 0 &&
                       strstr(why.sentence, ROWS[i].says) != NULL &&
                       strstr(why.sentence, ROWS[i].remedy) != NULL;
        if (!is_good || (ROWS[i].error != 0 && strstr(why.sentence, strerror(ROWS[i].error)) == NULL)) {
            fail_msg("row %zu: %s", i, why.sentence);
        }
    }
}

static void explain_knows_every_step(void **state)
{
    (void)state;
    for (int step = 0; step < STEP_COUNT; step++) {
        struct sandbox_refusal why = {{0}};
        sandbox_explain("x", (enum sandbox_step)step, EPERM, "", &why);
        assert_null(strstr(why.sentence, "(null)"));
        assert_true(strlen(why.sentence) < LIMIT_SENTENCE_BYTES - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(explain_each_failure_names_it_and_its_remedy),
        cmocka_unit_test(explain_knows_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
