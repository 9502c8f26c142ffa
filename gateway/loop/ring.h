/* Bringing up a limited ring. Private to the room, its tests and the attack tests. */
#ifndef GATEWAY_LOOP_RING_H
#define GATEWAY_LOOP_RING_H

#include <liburing.h>

#include "explain.h"
#include "profile.h"

/** The receive buffers of a ring; {0} is none. */
struct ring_buffers {
    struct io_uring_buf_ring *ring; /* shared with the kernel */
    uint8_t *bytes;
    size_t ring_bytes, total_bytes;
    uint16_t count;
};

enum { RING_BUFFER_GROUP = 0 };

/** Disabled ring -> buffers -> restrictions -> enable -> self-test, each step checked.
 *  @return as loop_new(); on error nothing is left. */
MUST_CHECK enum err ring_bring_up(const struct profile *profile, struct io_uring *ret_ring,
                                  struct ring_buffers *ret_buffers, struct loop_refusal *ret_why);
/** Submit what must be refused: an operation, a submission flag, a registration; and a NOP that must pass.
 *  The ring must be idle. @return ERR_MISMATCH when something was answered differently; ERR_SYSTEM. */
MUST_CHECK enum err ring_self_test(struct io_uring *ring, struct loop_refusal *ret_why);
/** The parameters of io_uring_setup that every ring of the house has. */
struct io_uring_params ring_params(void);
/** Limit a disabled ring to its profile. @return 0 or -errno. */
int ring_restrict(struct io_uring *ring, const struct profile *profile);
void ring_buffers_done(struct ring_buffers *buffers);
/** Give buffer `id` back to the kernel. */
void ring_buffers_return(struct ring_buffers *buffers, uint16_t id);

#endif
