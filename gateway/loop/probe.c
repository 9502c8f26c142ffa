#include "private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

static const char PROBE_BYTES[] = "probe";

struct probe {
    struct loop *loop;
    struct loop_receive receive;
    int result; /* bytes received, or -errno */
};

static void probe_received(struct loop_receive *receive, uint8_t *bytes, int result)
{
    struct probe *probe = OWNER_OF(receive, struct probe, receive);
    if (result <= 0) {
        probe->result = probe->result == 0 ? result : probe->result;
        loop_stop(probe->loop);
        return;
    }
    bool is_same = result == (int)sizeof PROBE_BYTES && memcmp(bytes, PROBE_BYTES, sizeof PROBE_BYTES) == 0;
    probe->result = is_same ? result : -EBADMSG;
    loop_cancel(probe->loop, &receive->op);
}

/* The kernel has no other way to ask whether it knows multishot receive. */
static int probe_receive(struct loop *loop)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return -errno;
    }
    OWNED_FD reader = ends[0];
    OWNED_FD writer = ends[1];
    struct probe probe = {.loop = loop};
    if (write(writer, PROBE_BYTES, sizeof PROBE_BYTES) != (ssize_t)sizeof PROBE_BYTES ||
        loop_receive_start(loop, &probe.receive, reader, probe_received) != ERR_NONE ||
        loop_run(loop) != ERR_NONE) {
        return -errno;
    }
    return probe.result;
}

static enum err probe_profile(enum loop_profile profile, struct loop_refusal *ret_why)
{
    struct loop *loop = NULL;
    TRY(loop_new(profile, &loop, ret_why));
    int result = profile_of(profile)->buffer_count > 0 ? probe_receive(loop) : (int)sizeof PROBE_BYTES;
    loop_free(loop);
    if (result != (int)sizeof PROBE_BYTES) {
        struct ring_surroundings here;
        ring_surroundings_read(&here);
        int error = result < 0 ? -result : EBADMSG;
        ring_explain(RING_RECEIVE, error, &here, ret_why);
        errno = error;
        return ERR_SYSTEM;
    }
    return ERR_NONE;
}

enum err loop_probe(struct loop_refusal *ret_why)
{
    struct ring_surroundings here;
    ring_surroundings_read(&here);
    /* Root may have rings even then, but the sessions that come later are not root. */
    if (here.sysctl_disabled == 2 || (here.sysctl_disabled == 1 && here.sysctl_group < 0)) {
        ring_explain(RING_SETUP, EPERM, &here, ret_why);
        errno = EPERM;
        return ERR_SYSTEM;
    }
    for (int profile = 0; profile < LOOP_PROFILE_COUNT; profile++) {
        TRY(probe_profile((enum loop_profile)profile, ret_why));
    }
    return ERR_NONE;
}
