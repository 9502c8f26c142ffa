#include "base/arena.h"

#include <string.h>

#include "unit_test.h"

static void arena_texts_keep_their_content_when_more_are_added(void **state)
{
    (void)state;
    struct arena arena = {0};
    char *texts[1000];
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        uint8_t bytes[300];
        memset(bytes, (int)('a' + i % 26), sizeof bytes);
        texts[i] = arena_text(&arena, cursor_of(bytes, i % sizeof bytes));
        assert_non_null(texts[i]);
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(strlen(texts[i]), i % 300);
        assert_true(strspn(texts[i], (char[]){(char)('a' + i % 26), 0}) == i % 300);
    }
    arena_done(&arena);
    assert_null(arena.blocks);
}

static void arena_large_and_empty_arrays_are_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena arena = {0};
    uint64_t *large = arena_array(&arena, 100000, sizeof *large);
    void *empty = arena_array(&arena, 0, 8);
    assert_non_null(large);
    assert_non_null(empty);
    assert_int_equal((uintptr_t)large % sizeof(uint64_t), 0);
    assert_int_equal((uintptr_t)empty % sizeof(uint64_t), 0);
    for (size_t i = 0; i < 100000; i++) {
        assert_true(large[i] == 0);
    }
    arena_done(&arena);
}

static void arena_product_that_overflows_is_refused(void **state)
{
    (void)state;
    struct arena arena = {0};
    assert_null(arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_array(&arena, SIZE_MAX, 1));
    arena_done(&arena);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(arena_texts_keep_their_content_when_more_are_added),
        cmocka_unit_test(arena_large_and_empty_arrays_are_zeroed_and_aligned),
        cmocka_unit_test(arena_product_that_overflows_is_refused),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
