#include "ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct io_uring_params ring_params(void)
{
    /* DEFER_TASKRUN: completions run only inside our own io_uring_enter, so memory changes only there.
     * SUBMIT_ALL: one refused submission does not hold up those behind it. */
    return (struct io_uring_params){
        .flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP,
    };
}

static void fail(enum ring_step step, int error, struct loop_refusal *ret_why)
{
    struct ring_surroundings here;
    ring_surroundings_read(&here);
    ring_explain(step, error, &here, ret_why);
    errno = error;
}

/* Linux 5.17 and earlier lack the newest of these; the others are what the loop silently relies on. */
static const unsigned NEEDED_FEATURES =
    IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG |
    IORING_FEAT_NATIVE_WORKERS | IORING_FEAT_CQE_SKIP | IORING_FEAT_LINKED_FILE;

static void *map_zeros(size_t len_bytes)
{
    void *memory =
        mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void ring_buffers_done(struct ring_buffers *buffers)
{
    if (buffers->ring != NULL) {
        (void)munmap(buffers->ring, buffers->ring_bytes);
    }
    if (buffers->bytes != NULL) {
        (void)munmap(buffers->bytes, buffers->total_bytes);
    }
    *buffers = (struct ring_buffers){0};
}

void ring_buffers_return(struct ring_buffers *buffers, uint16_t id)
{
    io_uring_buf_ring_add(buffers->ring, buffers->bytes + (size_t)id * LOOP_BUFFER_BYTES, LOOP_BUFFER_BYTES,
                          id, io_uring_buf_ring_mask(buffers->count), 0);
    io_uring_buf_ring_advance(buffers->ring, 1);
}

static int register_buffers(struct io_uring *ring, uint16_t count, struct ring_buffers *buffers)
{
    buffers->count = count;
    buffers->ring_bytes = count * sizeof(struct io_uring_buf);
    buffers->total_bytes = (size_t)count * LOOP_BUFFER_BYTES;
    buffers->ring = map_zeros(buffers->ring_bytes);
    buffers->bytes = map_zeros(buffers->total_bytes);
    if (buffers->ring == NULL || buffers->bytes == NULL) {
        return -ENOMEM;
    }
    io_uring_buf_ring_init(buffers->ring);
    struct io_uring_buf_reg where = {
        .ring_addr = (uint64_t)(uintptr_t)buffers->ring, .ring_entries = count, .bgid = RING_BUFFER_GROUP};
    int result = io_uring_register_buf_ring(ring, &where, 0);
    for (uint16_t id = 0; result == 0 && id < count; id++) {
        ring_buffers_return(buffers, id);
    }
    return result;
}

int ring_restrict(struct io_uring *ring, const struct profile *profile)
{
    struct io_uring_restriction rules[16];
    memset(rules, 0, sizeof rules);
    unsigned count = 0;
    for (size_t i = 0; i < profile->row_count; i++) {
        rules[count].opcode = IORING_RESTRICTION_SQE_OP;
        rules[count++].sqe_op = profile->rows[i].opcode;
    }
    /* No rule for registrations: with none listed the kernel refuses all of them after enabling. */
    rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules[count++].sqe_flags = (uint8_t)profile->sqe_flags;
    return io_uring_register_restrictions(ring, rules, count);
}

/* One submission on an idle ring. @return its result, or the -errno of submitting. */
static int run_one(struct io_uring *ring, uint8_t opcode, unsigned flags)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    if (sqe == NULL) {
        return -EBUSY;
    }
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = opcode;
    sqe->flags = (uint8_t)flags;
    sqe->fd = -1;
    int result = 0;
    do {
        result = io_uring_submit_and_wait(ring, 1);
    } while (result == -EINTR);
    struct io_uring_cqe *cqe = NULL;
    if (result < 0 || io_uring_peek_cqe(ring, &cqe) != 0) {
        return result < 0 ? result : -EIO;
    }
    result = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return result;
}

enum err ring_self_test(struct io_uring *ring, struct loop_refusal *ret_why)
{
    int result = run_one(ring, IORING_OP_NOP, 0);
    if (result != 0) {
        fail(RING_SELF_TEST, -result, ret_why);
        return ERR_SYSTEM;
    }
    /* OPENAT without a path: an open ring answers EFAULT, and no security module is asked. */
    int refusals[] = {run_one(ring, IORING_OP_OPENAT, 0), run_one(ring, IORING_OP_NOP, IOSQE_ASYNC), 0};
    int no_fd = -1;
    refusals[2] = io_uring_register_files(ring, &no_fd, 1);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (refusals[i] != -EACCES) {
            struct ring_surroundings here;
            ring_surroundings_read(&here);
            /* Explained as "carried out" when it was not even an error. */
            ring_explain(RING_SELF_TEST, refusals[i] < 0 ? -refusals[i] : 0, &here, ret_why);
            errno = EACCES;
            return ERR_MISMATCH;
        }
    }
    return ERR_NONE;
}

static enum err limit_and_enable(struct io_uring *ring, const struct profile *profile,
                                 struct ring_buffers *buffers, struct loop_refusal *ret_why)
{
    if ((ring->features & NEEDED_FEATURES) != NEEDED_FEATURES) {
        fail(RING_FEATURES, EINVAL, ret_why);
        return ERR_SYSTEM;
    }
    int result = profile->buffer_count > 0 ? register_buffers(ring, profile->buffer_count, buffers) : 0;
    if (result != 0) {
        fail(RING_BUFFERS, -result, ret_why);
        return ERR_SYSTEM;
    }
    result = ring_restrict(ring, profile);
    if (result != 0) {
        fail(RING_RESTRICT, -result, ret_why);
        return ERR_SYSTEM;
    }
    result = io_uring_enable_rings(ring);
    if (result < 0) {
        fail(RING_ENABLE, -result, ret_why);
        return ERR_SYSTEM;
    }
    return ring_self_test(ring, ret_why);
}

enum err ring_bring_up(const struct profile *profile, struct io_uring *ret_ring,
                       struct ring_buffers *ret_buffers, struct loop_refusal *ret_why)
{
    struct io_uring_params params = ring_params();
    struct io_uring ring;
    int result = io_uring_queue_init_params(profile->entries, &ring, &params);
    if (result < 0) {
        fail(RING_SETUP, -result, ret_why);
        return ERR_SYSTEM;
    }
    struct ring_buffers buffers = {0};
    enum err err = limit_and_enable(&ring, profile, &buffers, ret_why);
    if (err != ERR_NONE) {
        int kept_errno = errno;
        io_uring_queue_exit(&ring);
        ring_buffers_done(&buffers);
        errno = kept_errno;
        return err;
    }
    *ret_ring = ring;
    *ret_buffers = buffers;
    return ERR_NONE;
}
