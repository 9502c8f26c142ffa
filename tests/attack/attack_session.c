/* Everything that a session that was taken over may try, in the real sandbox of bastion-session. */
#include "session_rows.h"

#include "../../gateway/sandbox/page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

static const struct role SESSION = {&SANDBOX_SESSION, LOOP_SESSION};

static void play(void **state)
{
    captive_play(&SESSION, *state);
}

static int prepare(void **state)
{
    (void)state;
    captive_prepare();
    return 0;
}

static int finish(void **state)
{
    (void)state;
    captive_finish();
    return 0;
}

enum { OPCODES = 256, TESTS_MAX = 512 };

struct suite {
    struct CMUnitTest tests[TESTS_MAX];
    size_t count;
    struct attempt operations[OPCODES];
    char names[OPCODES][40];
};

/* cmocka wants a pointer to what may change; nobody changes it. */
static void *as_state(const struct attempt *attempt)
{
    void *state = NULL;
    memcpy(&state, &attempt, sizeof state);
    return state;
}

static void add(struct suite *suite, const struct attempt *attempt)
{
    assert_true(suite->count < TESTS_MAX);
    suite->tests[suite->count++] =
        (struct CMUnitTest){.name = attempt->name, .test_func = play, .initial_state = as_state(attempt)};
}

static void add_all(struct suite *suite, const struct attempt *attempts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add(suite, &attempts[i]);
    }
}

/* Each operation that this kernel knows, and each that it does not, except for those that are allowed. */
static void add_operations(struct suite *suite)
{
    int last = ring_last_operation();
    for (int opcode = 0; opcode < OPCODES; opcode++) {
        if (ring_allows(LOOP_SESSION, opcode)) {
            continue;
        }
        (void)snprintf(suite->names[opcode], sizeof suite->names[opcode], "submits_operation %d", opcode);
        suite->operations[opcode] = (struct attempt){.name = suite->names[opcode],
                                                     .run = submits_operation,
                                                     .stage = STAGE_CALLS,
                                                     .expected = opcode <= last ? -EACCES : -EINVAL,
                                                     .scratch = opcode};
        add(suite, &suite->operations[opcode]);
    }
}

int main(void)
{
    struct suite *suite = calloc(1, sizeof *suite);
    if (suite == NULL) {
        return 1;
    }
    add_all(suite, SESSION_ROOM, SESSION_ROOM_COUNT);
    add_all(suite, SESSION_CALLS, SESSION_CALL_COUNT);
    if (SANDBOX_EXTRA.count == 0) {
        add_all(suite, SESSION_ORDINARY_CALLS, SESSION_ORDINARY_CALL_COUNT);
    }
    add_all(suite, SESSION_RING, SESSION_RING_COUNT);
    add_operations(suite);
    int failed =
        _cmocka_run_group_tests("attack on bastion-session", suite->tests, suite->count, prepare, finish);
    free(suite);
    return failed;
}
