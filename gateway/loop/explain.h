/* Why a ring cannot be had, in words for the operator. Private to the room and its tests. */
#ifndef GATEWAY_LOOP_EXPLAIN_H
#define GATEWAY_LOOP_EXPLAIN_H

#include "loop/loop.h"

/** The steps of bring-up, in their only order. */
enum ring_step {
    RING_SETUP,    /* io_uring_setup, disabled */
    RING_FEATURES, /* what the kernel says it can do */
    RING_BUFFERS,
    RING_RESTRICT,
    RING_ENABLE,
    RING_SELF_TEST, /* what must be refused is refused; `error` is what was answered, 0 = it was carried out
                     */
    RING_RECEIVE,   /* one multishot receive */
    RING_STEP_COUNT
};

/** What this machine says about io_uring; read before explaining. */
struct ring_surroundings {
    int sysctl_disabled; /* kernel.io_uring_disabled: 0, 1, 2; -1 = unknown (before Linux 6.6, or no /proc) */
    int sysctl_group;    /* kernel.io_uring_group, -1 = none */
    bool has_seccomp;    /* a seccomp filter was there before ours */
    char kernel[64];     /* uname -r */
};

void ring_surroundings_read(struct ring_surroundings *ret_surroundings);
/** A pure function: step, errno (positive) and surroundings to one sentence. */
void ring_explain(enum ring_step step, int error, const struct ring_surroundings *surroundings,
                  struct loop_refusal *ret_why);

#endif
