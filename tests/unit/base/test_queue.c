#include "base/queue.h"

#include <string.h>

#include "unit_test.h"

static void queue_full_refuses_and_keeps_content(void **state)
{
    (void)state;
    struct queue queue;
    queue_init(&queue, 8);
    assert_int_equal(queue_append(&queue, cursor_of_text("12345678")), ERR_NONE);
    assert_int_equal(queue_append(&queue, cursor_of_text("9")), ERR_TOO_LARGE);
    assert_true(cursor_equal_text(queue_peek(&queue), "12345678"));
    queue_consume(&queue, 3);
    assert_int_equal(queue_append(&queue, cursor_of_text("abc")), ERR_NONE);
    assert_true(cursor_equal_text(queue_peek(&queue), "45678abc"));
    queue_done(&queue);
}

static void queue_keeps_order_over_many_wraps(void **state)
{
    (void)state;
    struct queue queue;
    queue_init(&queue, 10000);
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    for (int round = 0; round < 2000; round++) {
        uint8_t chunk[37];
        for (size_t i = 0; i < sizeof chunk; i++) {
            chunk[i] = next_in++;
        }
        assert_int_equal(queue_append(&queue, cursor_of(chunk, sizeof chunk)), ERR_NONE);
        size_t take = round % 7 == 0 ? queue_len(&queue) : 30;
        struct cursor content = queue_peek(&queue);
        for (size_t i = 0; i < take; i++) {
            assert_int_equal(content.at[i], next_out++);
        }
        queue_consume(&queue, take);
    }
    queue_done(&queue);
}

static void queue_emptied_gives_back_large_memory(void **state)
{
    (void)state;
    struct queue queue;
    queue_init(&queue, 1 << 20);
    uint8_t *room = NULL;
    assert_int_equal(queue_reserve(&queue, 1 << 20, &room), ERR_NONE);
    memset(room, 1, 1 << 20);
    queue_added(&queue, 1 << 20);
    queue_consume(&queue, 1 << 20);
    assert_null(queue.bytes);
    queue_done(&queue);
}

static void queue_swap_moves_content_and_keeps_limits(void **state)
{
    (void)state;
    struct queue a;
    struct queue b;
    queue_init(&a, 10);
    queue_init(&b, 20);
    assert_int_equal(queue_append(&a, cursor_of_text("x")), ERR_NONE);
    queue_swap(&a, &b);
    assert_int_equal(queue_len(&a), 0);
    assert_true(cursor_equal_text(queue_peek(&b), "x"));
    assert_int_equal(a.limit_bytes, 10);
    assert_int_equal(b.limit_bytes, 20);
    queue_done(&a);
    queue_done(&b);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(queue_full_refuses_and_keeps_content),
        cmocka_unit_test(queue_keeps_order_over_many_wraps),
        cmocka_unit_test(queue_emptied_gives_back_large_memory),
        cmocka_unit_test(queue_swap_moves_content_and_keeps_limits),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
