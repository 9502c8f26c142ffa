/* The table of what each ring may do. Private to the room, its tests and the generated part of
 * docs/sandbox.md. */
#ifndef GATEWAY_LOOP_PROFILE_H
#define GATEWAY_LOOP_PROFILE_H

#include "loop/loop.h"

/** One allowed ring operation. */
struct profile_row {
    uint8_t opcode; /* enum io_uring_op */
    const char *name, *reason;
};

struct profile {
    const char *name;
    const struct profile_row *rows;
    size_t row_count;
    unsigned sqe_flags;    /* allowed IOSQE_* bits */
    unsigned entries;      /* submissions between two waits; more only cost another system call */
    uint16_t buffer_count; /* a power of two; 0 = no receive */
    bool has_fsync;
};

const struct profile *profile_of(enum loop_profile profile);

#endif
