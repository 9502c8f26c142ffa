#include "../../../gateway/sandbox/page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit_test.h"

enum { NOBODY = 65534 };

static const struct sandbox_place NOBODYS_PLACE = {.uid = NOBODY, .gid = NOBODY};

/* A step in a child, because what is closed stays closed. The child's exit status is its answer. */
static int in_child(int (*run)(const void *argument), const void *argument)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(run(argument));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void probe_of_this_machine_succeeds(void **state)
{
    (void)state;
    struct sandbox_refusal why = {{0}};
    if (sandbox_probe(&why) != ERR_NONE) {
        fail_msg("%s", why.sentence);
    }
}

static int close_own_room(const void *argument)
{
    const struct sandbox_page *page = argument;
    struct sandbox_refusal why = {{0}};
    if (sandbox_close_room(page, &NOBODYS_PLACE, &why) != ERR_NONE) {
        (void)!write(2, why.sentence, strlen(why.sentence));
        return 1;
    }
    if (open("/etc/passwd", O_RDONLY) >= 0 || errno != ENOENT || mkdir("/x", 0700) == 0 || errno != EROFS) {
        return 2;
    }
    return sandbox_close_calls(page, &why) == ERR_NONE ? 0 : 3;
}

/* Without a prepared room each process makes its own. */
static void close_room_without_prepared_room_makes_one(void **state)
{
    (void)state;
    assert_int_equal(in_child(close_own_room, &SANDBOX_SESSION), 0);
    assert_int_equal(in_child(close_own_room, &SANDBOX_SIGNER), 0);
}

static void close_room_as_root_is_refused(void **state)
{
    (void)state;
    const struct sandbox_place places[] = {{.uid = 0, .gid = NOBODY}, {.uid = NOBODY, .gid = 0}};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct sandbox_refusal why = {{0}};
        assert_int_equal(sandbox_close_room(&SANDBOX_SESSION, &places[i], &why), ERR_STATE);
        assert_non_null(strstr(why.sentence, "uid or gid 0"));
    }
    assert_int_equal(geteuid(), 0);
}

static void close_calls_before_close_room_is_refused(void **state)
{
    (void)state;
    struct sandbox_refusal why = {{0}};
    assert_int_equal(sandbox_close_calls(&SANDBOX_SESSION, &why), ERR_STATE);
    assert_non_null(strstr(why.sentence, "new privileges"));
}

/* A machine that refuses one call, made with seccomp. */
struct refusal_row {
    const char *name;
    const struct sandbox_page *page;
    int call, error;
    const char *says;
};

static const struct refusal_row REFUSALS[] = {
    {"unshare", &SANDBOX_SESSION, SCMP_SYS(unshare), EPERM, "namespaces cannot be made"},
    {"mount", &SANDBOX_SESSION, SCMP_SYS(mount), EPERM, "an empty root cannot be mounted"},
    {"pivot_root", &SANDBOX_SESSION, SCMP_SYS(pivot_root), EPERM, "an empty root cannot be mounted"},
    {"close_range", &SANDBOX_SESSION, SCMP_SYS(close_range), ENOSYS, "inherited descriptors"},
    {"landlock", &SANDBOX_DIAL, SCMP_SYS(landlock_create_ruleset), ENOSYS, "Landlock is missing"},
    {"landlock off", &SANDBOX_RECORDER, SCMP_SYS(landlock_create_ruleset), EOPNOTSUPP, "Landlock is missing"},
    {"landlock rule", &SANDBOX_DIAL, SCMP_SYS(landlock_restrict_self), EPERM, "Landlock is missing"},
    {"setresuid", &SANDBOX_SESSION, SCMP_SYS(setresuid), EPERM, "user cannot be taken on"},
    {"setgroups", &SANDBOX_SESSION, SCMP_SYS(setgroups), EPERM, "user cannot be taken on"},
    {"setresuid does nothing", &SANDBOX_SESSION, SCMP_SYS(setresuid), 0, "root again"},
    {"capset", &SANDBOX_SESSION, SCMP_SYS(capset), EPERM, "capabilities cannot be given up"},
    {"prlimit", &SANDBOX_SESSION, SCMP_SYS(prlimit64), EPERM, "resource limit"},
    {"seccomp", &SANDBOX_SESSION, SCMP_SYS(seccomp), EINVAL, "seccomp filter cannot be set"},
};

static int in_refusing_machine(const void *argument)
{
    const struct refusal_row *row = argument;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL || seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)row->error), row->call, 0) != 0 ||
        seccomp_load(filter) != 0) {
        return 3;
    }
    struct sandbox_refusal why = {{0}};
    enum err err = sandbox_close_room(row->page, &NOBODYS_PLACE, &why);
    err = err == ERR_NONE ? sandbox_close_calls(row->page, &why) : err;
    if (err == ERR_NONE) {
        return 1;
    }
    if (strstr(why.sentence, row->says) == NULL) {
        (void)!write(2, why.sentence, strlen(why.sentence));
        return 2;
    }
    return 0;
}

static void room_refused_by_the_machine_is_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(REFUSALS); i++) {
        int status = in_child(in_refusing_machine, &REFUSALS[i]);
        if (status != 0) {
            fail_msg("%s: %d", REFUSALS[i].name, status);
        }
    }
}

static int probe_on_refusing_machine(const void *argument)
{
    (void)argument;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setns), 0) != 0 ||
        seccomp_load(filter) != 0) {
        return 3;
    }
    struct sandbox_refusal why = {{0}};
    bool is_refused = sandbox_probe(&why) == ERR_SYSTEM &&
                      strstr(why.sentence, "cannot be entered") != NULL &&
                      strstr(why.sentence, "bastion-session") != NULL;
    return is_refused ? 0 : 1;
}

static void probe_carries_the_sentence_of_the_child(void **state)
{
    (void)state;
    assert_int_equal(in_child(probe_on_refusing_machine, NULL), 0);
}

static int lands_in_shared_room(const void *argument)
{
    const int *fds = argument;
    struct sandbox_refusal why = {{0}};
    struct sandbox_place place = NOBODYS_PLACE;
    place.namespace_fds = fds;
    char name[65] = "";
    if (sandbox_close_room(&SANDBOX_SESSION, &place, &why) != ERR_NONE ||
        gethostname(name, sizeof name) != 0) {
        return 1;
    }
    return strcmp(name, "room") == 0 && open("/etc/passwd", O_RDONLY) < 0 ? 0 : 2;
}

static void empty_room_is_entered_by_many(void **state)
{
    (void)state;
    int fds[SANDBOX_NAMESPACE_COUNT];
    struct sandbox_refusal why = {{0}};
    assert_int_equal(sandbox_make_empty_room(fds, &why), ERR_NONE);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(in_child(lands_in_shared_room, fds), 0);
    }
    for (int i = 0; i < SANDBOX_NAMESPACE_COUNT; i++) {
        assert_int_equal(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        fd_close(&fds[i]);
    }
    /* The maker itself has not moved. */
    assert_int_equal(access("/etc/passwd", R_OK), 0);
}

static int close_with_missing_path(const void *argument)
{
    const bool *is_writable = argument;
    static const char *const PATHS[] = {"/no/such/folder", NULL};
    struct sandbox_refusal why = {{0}};
    struct sandbox_place place = NOBODYS_PLACE;
    place.writable_paths = *is_writable ? PATHS : NULL;
    place.readable_paths = *is_writable ? NULL : PATHS;
    enum err err = sandbox_close_room(&SANDBOX_RECORDER, &place, &why);
    bool is_named = strstr(why.sentence, "[/no/such/folder]") != NULL;
    return *is_writable ? !(err == ERR_SYSTEM && is_named) : err != ERR_NONE;
}

static void missing_path_is_refused_if_it_is_to_be_written(void **state)
{
    (void)state;
    assert_int_equal(in_child(close_with_missing_path, &(bool){true}), 0);
    assert_int_equal(in_child(close_with_missing_path, &(bool){false}), 0);
}

static void pages_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; SANDBOX_PAGES[i] != NULL; i++) {
        const struct sandbox_page *page = SANDBOX_PAGES[i];
        assert_non_null(page->descriptors);
        assert_non_null(page->paths);
        assert_non_null(page->ring);
        for (size_t other = 0; other < i; other++) {
            assert_int_not_equal(page->canary_error, SANDBOX_PAGES[other]->canary_error);
        }
        for (size_t t = 0; t < PAGE_TABLES_MAX; t++) {
            for (size_t c = 0; c < page->tables[t].count; c++) {
                assert_true(strlen(page->tables[t].calls[c].reason) > 3);
                assert_int_not_equal(page->tables[t].calls[c].number, __NR_SCMP_ERROR);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_complete),
        cmocka_unit_test(probe_of_this_machine_succeeds),
        cmocka_unit_test(close_room_without_prepared_room_makes_one),
        cmocka_unit_test(close_room_as_root_is_refused),
        cmocka_unit_test(close_calls_before_close_room_is_refused),
        cmocka_unit_test(room_refused_by_the_machine_is_explained),
        cmocka_unit_test(probe_carries_the_sentence_of_the_child),
        cmocka_unit_test(empty_room_is_entered_by_many),
        cmocka_unit_test(missing_path_is_refused_if_it_is_to_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
