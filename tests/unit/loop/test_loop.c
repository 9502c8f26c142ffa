#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit_test.h"

/* One loop, a pair of stream sockets, and what was reported. */
struct scene {
    struct loop *loop;
    int near, far;
    struct loop_op op, other;
    int calls, other_calls;
    int result, other_result;
    int turns;
    int stop_after; /* calls */
};

static struct loop *new_loop(enum loop_profile profile)
{
    struct loop *loop = NULL;
    struct loop_refusal why = {{0}};
    if (loop_new(profile, &loop, &why) != ERR_NONE) {
        fail_msg("no ring: %s", why.sentence);
    }
    return loop;
}

static struct scene scene_new(enum loop_profile profile)
{
    struct scene scene = {.loop = new_loop(profile), .stop_after = 1};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    scene.near = ends[0];
    scene.far = ends[1];
    return scene;
}

static void scene_done(struct scene *scene)
{
    loop_free(scene->loop);
    (void)close(scene->near);
    (void)close(scene->far);
}

static void on_op(struct loop_op *op, int result)
{
    struct scene *scene = OWNER_OF(op, struct scene, op);
    scene->calls++;
    scene->result = result;
    if (scene->calls == scene->stop_after) {
        loop_stop(scene->loop);
    }
}

static void on_other(struct loop_op *op, int result)
{
    struct scene *scene = OWNER_OF(op, struct scene, other);
    scene->other_calls++;
    scene->other_result = result;
}

static void on_turn(void *owner)
{
    struct scene *scene = owner;
    scene->turns++;
}

static void run(struct scene *scene)
{
    assert_int_equal(loop_run(scene->loop), ERR_NONE);
}

static void timer_fires_after_its_delay(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    uint64_t start_us = clock_monotonic_us();
    assert_int_equal(loop_timer(scene.loop, &scene.op, 30, on_op), ERR_NONE);
    assert_true(scene.op.in_flight);
    run(&scene);
    assert_int_equal(scene.result, 0);
    assert_false(scene.op.in_flight);
    assert_true(clock_monotonic_us() - start_us >= 30000);
    scene_done(&scene);
}

static void timer_cancelled_reports_ecanceled(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_MONITOR);
    assert_int_equal(loop_timer(scene.loop, &scene.op, 3600000, on_op), ERR_NONE);
    loop_cancel(scene.loop, &scene.op);
    loop_cancel(scene.loop, &scene.op);
    run(&scene);
    assert_int_equal(scene.result, -ECANCELED);
    assert_int_equal(scene.calls, 1);
    assert_false(scene.op.in_flight);
    loop_cancel(scene.loop, &scene.op); /* not in flight: nothing happens */
    scene_done(&scene);
}

static void many_timers_in_one_turn_keep_their_own_delay(void **state)
{
    (void)state;
    enum { TIMERS = 300 }; /* more than the ring of a session has entries */
    struct scene scene = scene_new(LOOP_SESSION);
    struct scene *many = calloc(TIMERS, sizeof *many);
    for (int i = 0; i < TIMERS; i++) {
        many[i].loop = scene.loop;
        assert_int_equal(loop_timer(scene.loop, &many[i].other, i % 2 == 0 ? 1 : 3600000, on_other),
                         ERR_NONE);
    }
    assert_int_equal(loop_timer(scene.loop, &scene.op, 50, on_op), ERR_NONE);
    run(&scene);
    for (int i = 0; i < TIMERS; i++) {
        assert_int_equal(many[i].other_calls, i % 2 == 0 ? 1 : 0);
        assert_int_equal(many[i].other.in_flight, i % 2 != 0);
    }
    loop_free(scene.loop);
    scene.loop = NULL;
    for (int i = 0; i < TIMERS; i++) {
        assert_false(many[i].other.in_flight);
    }
    free(many);
    scene_done(&scene);
}

static void write_reports_bytes_written(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    assert_int_equal(loop_write(scene.loop, &scene.op, scene.near, cursor_of_text("hello"), on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.result, 5);
    char text[8];
    assert_int_equal(read(scene.far, text, sizeof text), 5);
    assert_memory_equal(text, "hello", 5);
    scene_done(&scene);
}

static void write_to_full_socket_waits_for_room(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    static char block[65536];
    while (write(scene.near, block, sizeof block) > 0) {
    }
    assert_int_equal(loop_write(scene.loop, &scene.op, scene.near, cursor_of(block, sizeof block), on_op),
                     ERR_NONE);
    assert_int_equal(loop_timer(scene.loop, &scene.other, 20, on_other), ERR_NONE);
    scene.stop_after = 1;
    /* The timer comes first and makes room. */
    struct scene waiter = {.loop = scene.loop, .stop_after = 1};
    assert_int_equal(loop_timer(scene.loop, &waiter.op, 40, on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(waiter.calls, 1);
    assert_int_equal(scene.calls, 0);
    while (read(scene.far, block, sizeof block) > 0) {
    }
    run(&scene);
    assert_int_equal(scene.calls, 1);
    assert_true(scene.result > 0);
    scene_done(&scene);
}

static void write_to_closed_peer_is_epipe_without_signal(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    assert_int_equal(close(scene.far), 0);
    scene.far = -1;
    assert_int_equal(loop_write(scene.loop, &scene.op, scene.near, cursor_of_text("x"), on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.result, -EPIPE);
    scene_done(&scene);
}

static void blocked_write_can_be_cancelled(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    static char block[65536];
    while (write(scene.near, block, sizeof block) > 0) {
    }
    assert_int_equal(loop_write(scene.loop, &scene.op, scene.near, cursor_of(block, sizeof block), on_op),
                     ERR_NONE);
    loop_cancel(scene.loop, &scene.op);
    run(&scene);
    assert_int_equal(scene.result, -ECANCELED);
    scene_done(&scene);
}

static void poll_is_level_triggered(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_MONITOR);
    assert_int_equal(write(scene.far, "abc", 3), 3);
    scene.stop_after = 3; /* nobody reads, so it reports again and again */
    assert_int_equal(loop_poll(scene.loop, &scene.op, scene.near, on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.calls, 3);
    assert_int_equal(scene.result & POLLIN, POLLIN);
    assert_true(scene.op.in_flight);
    scene_done(&scene);
    assert_false(scene.op.in_flight);
}

static void on_poll_cancel_inside(struct loop_op *op, int result)
{
    struct scene *scene = OWNER_OF(op, struct scene, op);
    scene->calls++;
    scene->result = result;
    if (result >= 0) {
        loop_cancel(scene->loop, op);
        (void)close(scene->near);
        scene->near = -1;
        return;
    }
    loop_stop(scene->loop);
}

static void poll_cancelled_inside_done_ends_once(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_MONITOR);
    assert_int_equal(write(scene.far, "abc", 3), 3);
    assert_int_equal(loop_poll(scene.loop, &scene.op, scene.near, on_poll_cancel_inside), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.calls, 2);
    assert_int_equal(scene.result, -ECANCELED);
    assert_false(scene.op.in_flight);
    scene_done(&scene);
}

static void poll_of_closed_descriptor_ends_with_ebadf(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_MONITOR);
    assert_int_equal(loop_poll(scene.loop, &scene.op, 900, on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.result, -EBADF);
    assert_false(scene.op.in_flight);
    scene_done(&scene);
}

static void poll_out_reports_once(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    assert_int_equal(loop_poll_out(scene.loop, &scene.op, scene.near, on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.result & POLLOUT, POLLOUT);
    assert_false(scene.op.in_flight);
    scene_done(&scene);
}

static void fsync_is_for_the_recorder_only(void **state)
{
    (void)state;
    char path[] = "/tmp/loop-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct scene scene = scene_new(LOOP_RECORDER);
    assert_int_equal(loop_write(scene.loop, &scene.op, fd, cursor_of_text("one"), on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.result, 3);
    scene.calls = 0;
    assert_int_equal(loop_write(scene.loop, &scene.op, fd, cursor_of_text("two"), on_op), ERR_NONE);
    run(&scene);
    char text[8];
    assert_int_equal(pread(fd, text, sizeof text, 0), 6);
    assert_memory_equal(text, "onetwo", 6);
    scene.calls = 0;
    assert_int_equal(loop_fsync(scene.loop, &scene.op, fd, on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.result, 0);
    scene_done(&scene);
    scene = scene_new(LOOP_SESSION);
    assert_int_equal(loop_fsync(scene.loop, &scene.op, fd, on_op), ERR_STATE);
    assert_false(scene.op.in_flight);
    scene_done(&scene);
    (void)close(fd);
    (void)unlink(path);
}

static void monitor_may_not_write(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_MONITOR);
    assert_int_equal(loop_write(scene.loop, &scene.op, scene.near, cursor_of_text("x"), on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.result, -EACCES);
    scene_done(&scene);
}

static void turn_runs_before_first_wait_and_after_each_wake_up(void **state)
{
    (void)state;
    struct scene scene = scene_new(LOOP_SESSION);
    loop_on_turn(scene.loop, on_turn, &scene);
    assert_int_equal(loop_timer(scene.loop, &scene.op, 1, on_op), ERR_NONE);
    run(&scene);
    assert_int_equal(scene.turns, 2);
    scene_done(&scene);
}

static void thousands_of_polls_are_all_reported(void **state)
{
    (void)state;
    enum { PIPES = 1500 };
    struct scene scene = scene_new(LOOP_MONITOR);
    struct scene *many = calloc(PIPES, sizeof *many);
    int pipe_ends[2];
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    for (int i = 0; i < PIPES; i++) {
        many[i].loop = scene.loop;
        assert_int_equal(loop_poll(scene.loop, &many[i].other, pipe_ends[0], on_other), ERR_NONE);
    }
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    assert_int_equal(loop_timer(scene.loop, &scene.op, 100, on_op), ERR_NONE);
    run(&scene);
    for (int i = 0; i < PIPES; i++) {
        assert_true(many[i].other_calls > 0);
        assert_int_equal(many[i].other_result & POLLIN, POLLIN);
    }
    loop_free(scene.loop);
    scene.loop = NULL;
    free(many);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer_fires_after_its_delay),
        cmocka_unit_test(timer_cancelled_reports_ecanceled),
        cmocka_unit_test(many_timers_in_one_turn_keep_their_own_delay),
        cmocka_unit_test(write_reports_bytes_written),
        cmocka_unit_test(write_to_full_socket_waits_for_room),
        cmocka_unit_test(write_to_closed_peer_is_epipe_without_signal),
        cmocka_unit_test(blocked_write_can_be_cancelled),
        cmocka_unit_test(poll_is_level_triggered),
        cmocka_unit_test(poll_cancelled_inside_done_ends_once),
        cmocka_unit_test(poll_of_closed_descriptor_ends_with_ebadf),
        cmocka_unit_test(poll_out_reports_once),
        cmocka_unit_test(fsync_is_for_the_recorder_only),
        cmocka_unit_test(monitor_may_not_write),
        cmocka_unit_test(turn_runs_before_first_wait_and_after_each_wake_up),
        cmocka_unit_test(thousands_of_polls_are_all_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
