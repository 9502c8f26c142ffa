#include "../../../gateway/loop/private.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit_test.h"

struct scene {
    struct loop *loop;
    int near, far;
    struct loop_receive receive;
    struct loop_op timer;
    size_t bytes;
    uint8_t next; /* the byte that must come next: the sender counts */
    int ends;
    int end_result;
    bool is_pausing;
};

static struct scene scene_new(enum loop_profile profile)
{
    struct scene scene = {.loop = NULL};
    struct loop_refusal why = {{0}};
    if (loop_new(profile, &scene.loop, &why) != ERR_NONE) {
        fail_msg("no ring: %s", why.sentence);
    }
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    int size = 4 << 20;
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size), 0);
    scene.near = ends[0];
    scene.far = ends[1];
    return scene;
}

static void scene_done(struct scene *scene)
{
    loop_free(scene->loop);
    (void)close(scene->near);
    if (scene->far >= 0) {
        (void)close(scene->far);
    }
}

static void on_received(struct loop_receive *receive, uint8_t *bytes, int result)
{
    struct scene *scene = OWNER_OF(receive, struct scene, receive);
    if (result <= 0) {
        scene->ends++;
        scene->end_result = result;
        loop_stop(scene->loop);
        return;
    }
    for (int i = 0; i < result; i++) {
        assert_int_equal(bytes[i], scene->next);
        scene->next++;
        bytes[i] = 0; /* writable */
    }
    scene->bytes += (size_t)result;
    if (scene->is_pausing) {
        loop_receive_pause(scene->loop, receive);
        loop_stop(scene->loop);
    }
}

static void on_timer(struct loop_op *op, int result)
{
    (void)result;
    loop_stop(OWNER_OF(op, struct scene, timer)->loop);
}

static void run(struct scene *scene)
{
    assert_int_equal(loop_run(scene->loop), ERR_NONE);
}

static void run_ms(struct scene *scene, uint64_t delay_ms)
{
    assert_int_equal(loop_timer(scene->loop, &scene->timer, delay_ms, on_timer), ERR_NONE);
    while (scene->timer.in_flight) {
        run(scene);
    }
}

/* Until so many bytes and ends have come, on a busy machine too; what has not come after ten seconds will
 * not. */
static void run_until(struct scene *scene, size_t bytes, int ends)
{
    for (int i = 0; i < 1000 && (scene->bytes < bytes || scene->ends < ends); i++) {
        run_ms(scene, 10);
    }
}

static void send_counting(struct scene *scene, size_t len)
{
    static uint8_t counting[1 << 20];
    assert_true(len <= sizeof counting);
    for (size_t i = 0; i < len; i++) {
        counting[i] = (uint8_t)i;
    }
    assert_int_equal(write(scene->far, counting, len), (ssize_t)len);
}

static void receive_brings_all_bytes_in_order_then_the_end(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    /* Four times what the buffers of the loop hold: the kernel runs out of them and is armed again. */
    send_counting(&scene, 1 << 20);
    (void)close(scene.far);
    scene.far = -1;
    assert_int_equal(loop_receive_start(scene.loop, &scene.receive, scene.near, on_received), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.bytes, 1 << 20);
    assert_int_equal(scene.ends, 1);
    assert_int_equal(scene.end_result, 0);
    assert_false(scene.receive.op.in_flight);
    scene_done(&scene);
}

static void receive_paused_stops_and_resumes_without_loss(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    send_counting(&scene, 1 << 20);
    scene.is_pausing = true;
    assert_int_equal(loop_receive_start(scene.loop, &scene.receive, scene.near, on_received), ERR_NONE);
    run_until(&scene, 1, 0);
    run_ms(&scene, 100); /* the kernel answers the pause */
    size_t paused_at = scene.bytes;
    assert_true(paused_at > 0 && paused_at <= (size_t)2 * LOOP_SESSION_BUFFER_COUNT * LOOP_BUFFER_BYTES);
    run_ms(&scene, 20);
    assert_int_equal(scene.bytes, paused_at);
    assert_true(scene.receive.op.in_flight);
    scene.is_pausing = false;
    loop_receive_resume(scene.loop, &scene.receive);
    loop_receive_resume(scene.loop, &scene.receive);
    run_until(&scene, 1 << 20, 0);
    assert_int_equal(scene.bytes, 1 << 20);
    scene_done(&scene);
}

static void receive_paused_and_resumed_at_once_goes_on(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    assert_int_equal(loop_receive_start(scene.loop, &scene.receive, scene.near, on_received), ERR_NONE);
    run_ms(&scene, 1);
    for (int i = 0; i < 5; i++) {
        loop_receive_pause(scene.loop, &scene.receive);
        loop_receive_resume(scene.loop, &scene.receive);
    }
    run_ms(&scene, 5);
    send_counting(&scene, 1000);
    run_until(&scene, 1000, 0);
    assert_int_equal(scene.bytes, 1000);
    scene_done(&scene);
}

static void receive_cancelled_while_armed_ends_once(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    assert_int_equal(loop_receive_start(scene.loop, &scene.receive, scene.near, on_received), ERR_NONE);
    run_ms(&scene, 1);
    loop_cancel(scene.loop, &scene.receive.op);
    send_counting(&scene, 100); /* comes too late to be told */
    run_until(&scene, 0, 1);
    assert_int_equal(scene.ends, 1);
    assert_int_equal(scene.end_result, -ECANCELED);
    assert_int_equal(scene.bytes, 0);
    assert_false(scene.receive.op.in_flight);
    scene_done(&scene);
}

static void receive_cancelled_while_paused_ends_once(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    assert_int_equal(loop_receive_start(scene.loop, &scene.receive, scene.near, on_received), ERR_NONE);
    run_ms(&scene, 1);
    loop_receive_pause(scene.loop, &scene.receive);
    run_ms(&scene, 5);
    loop_cancel(scene.loop, &scene.receive.op);
    run_until(&scene, 0, 1);
    assert_int_equal(scene.ends, 1);
    assert_int_equal(scene.end_result, -ECANCELED);
    scene_done(&scene);
}

static void receive_started_again_after_its_end_works(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(loop_receive_start(scene.loop, &scene.receive, scene.near, on_received), ERR_NONE);
        scene.next = 0;
        send_counting(&scene, 256);
        run_until(&scene, 256 * (size_t)(round + 1), 0);
        loop_cancel(scene.loop, &scene.receive.op);
        run_until(&scene, 0, round + 1);
    }
    assert_int_equal(scene.bytes, 3 * 256);
    assert_int_equal(scene.ends, 3);
    scene_done(&scene);
}

static void receive_from_something_else_ends_with_its_error(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    assert_int_equal(loop_receive_start(scene.loop, &scene.receive, pipe_ends[0], on_received), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.end_result, -ENOTSOCK);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    scene_done(&scene);
}

static void receive_in_the_monitor_is_refused(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_MONITOR);
    assert_int_equal(loop_receive_start(scene.loop, &scene.receive, scene.near, on_received), ERR_STATE);
    assert_false(scene.receive.op.in_flight);
    scene_done(&scene);
}

/* Two sockets share the buffers: the quiet one is served while the other floods. */
static void receive_of_quiet_socket_is_not_starved(void **state)
{
    (void)state;
    struct scene loud = scene_new(LOOP_SESSION);
    struct scene quiet = scene_new(LOOP_SESSION);
    loop_free(quiet.loop);
    quiet.loop = loud.loop;
    send_counting(&loud, 1 << 20);
    send_counting(&quiet, 64);
    assert_int_equal(loop_receive_start(loud.loop, &loud.receive, loud.near, on_received), ERR_NONE);
    assert_int_equal(loop_receive_start(loud.loop, &quiet.receive, quiet.near, on_received), ERR_NONE);
    run_until(&loud, 1 << 20, 0);
    run_until(&quiet, 64, 0);
    assert_int_equal(loud.bytes, 1 << 20);
    assert_int_equal(quiet.bytes, 64);
    loop_free(loud.loop);
    loud.loop = NULL;
    quiet.loop = NULL;
    scene_done(&loud);
    scene_done(&quiet);
}

/* Only the loop's buffers: what the process holds beside them is the allocator's (and the sanitizer's) own
 * affair. */
static size_t resident_buffer_bytes(const struct loop *loop)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char pages[1024];
    const size_t count = loop->buffers.total_bytes / page_bytes;
    assert_in_range(count, 1, sizeof pages);
    assert_int_equal(mincore(loop->buffers.bytes, loop->buffers.total_bytes, pages), 0);
    size_t resident = 0;
    for (size_t i = 0; i < count; i++) {
        resident += pages[i] & 1U;
    }
    return resident * page_bytes;
}

static void buffers_of_an_idle_loop_are_given_back(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    assert_int_equal(loop_receive_start(scene.loop, &scene.receive, scene.near, on_received), ERR_NONE);
    assert_int_equal(resident_buffer_bytes(scene.loop), 0);
    send_counting(&scene, 1 << 20);
    run_until(&scene, 1 << 20, 0);
    assert_int_equal(scene.bytes, 1 << 20);
    assert_int_equal(resident_buffer_bytes(scene.loop), scene.loop->buffers.total_bytes);
    run_ms(&scene, 2500);
    assert_int_equal(resident_buffer_bytes(scene.loop), 0);
    scene.next = 0;
    send_counting(&scene, 1 << 20);
    run_until(&scene, 2 << 20, 0);
    assert_int_equal(scene.bytes, 2 << 20);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receive_brings_all_bytes_in_order_then_the_end),
        cmocka_unit_test(receive_paused_stops_and_resumes_without_loss),
        cmocka_unit_test(receive_paused_and_resumed_at_once_goes_on),
        cmocka_unit_test(receive_cancelled_while_armed_ends_once),
        cmocka_unit_test(receive_cancelled_while_paused_ends_once),
        cmocka_unit_test(receive_started_again_after_its_end_works),
        cmocka_unit_test(receive_from_something_else_ends_with_its_error),
        cmocka_unit_test(receive_in_the_monitor_is_refused),
        cmocka_unit_test(receive_of_quiet_socket_is_not_starved),
        cmocka_unit_test(buffers_of_an_idle_loop_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
