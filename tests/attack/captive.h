/* A program in the place of one of the bastion's processes, inside that process's real sandbox: each attempt
 * runs in a child of its own, and how the child ended is the answer. */
#ifndef TESTS_ATTACK_CAPTIVE_H
#define TESTS_ATTACK_CAPTIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "loop/loop.h"
#include "sandbox/sandbox.h"

/** How far the sandbox is closed when the attempt runs. */
enum stage {
    STAGE_ROOM,  /* after sandbox_close_room: what holds without seccomp */
    STAGE_RING,  /* after loop_new */
    STAGE_CALLS, /* after sandbox_close_calls: as in service */
};

/** What the attempt finds: descriptor 3 has one waiting message "monitor", 4 has the waiting bytes
 * "engineer". */
struct captive {
    struct loop *loop;  /* NULL for a process without a ring, and before STAGE_RING */
    const char *folder; /* writable for pages with Landlock */
    int scratch;        /* for rows that are made in a loop: an opcode, a flag */
};

enum { CHANNEL = 3, CLIENT = 4, STRAY = 17 /* open before the sandbox was closed */ };

/** @return >= 0 or -errno. */
typedef int attempt_run(struct captive *captive);

enum { ENDS_BY_SIGSYS = 100000, ENDS_WELL = 100001 /* any result >= 0 */ };

struct attempt {
    const char *name;
    attempt_run *run;
    enum stage stage;
    int expected; /* ENDS_*, or -errno */
    int scratch;
};

/** The process that is played. */
struct role {
    const struct sandbox_page *page;
    int ring; /* enum loop_profile, or -1 */
};

/** Play `attempt`; fails the running test when it ends otherwise than expected. */
void captive_play(const struct role *role, const struct attempt *attempt);
/** Make the empty room and the writable folder, once per program. */
void captive_prepare(void);
void captive_finish(void);

#define ERRNO_OF(call) ((int)(call) < 0 ? -errno : 0)

#endif
