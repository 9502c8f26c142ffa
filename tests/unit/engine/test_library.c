#include "engine/engine.h"

#include "unit_test.h"

static void library_self_test_passes(void **state)
{
    (void)state;
    assert_int_equal(engine_library_init(), ERR_NONE);
}

static void library_init_again_passes(void **state)
{
    (void)state;
    assert_int_equal(engine_library_init(), ERR_NONE);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(library_self_test_passes),
        cmocka_unit_test(library_init_again_passes),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
