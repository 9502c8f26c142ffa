/* Closing the door behind a process. Each process of the bastion has one page (gateway/sandbox/allow_*.c)
 * that lists its system calls with a reason each, its limits, its namespaces, its paths and its descriptors;
 * docs/sandbox.md shows the pages. No sandbox, no start: every function refuses with a sentence.
 *
 * The order in a child, before the first byte of input:
 *     sandbox_close_room -> loop_new (if the process has a ring) -> sandbox_close_calls */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/limits.h"

/** What one process may do. */
struct sandbox_page;
extern const struct sandbox_page SANDBOX_SESSION, SANDBOX_SIGNER, SANDBOX_RECORDER, SANDBOX_PAM, SANDBOX_DIAL,
    SANDBOX_TOKEN, SANDBOX_MONITOR;

/** What is missing on this machine, and what to do about it. */
struct sandbox_refusal {
    char sentence[LIMIT_SENTENCE_BYTES];
};

/** The namespaces of an empty room, as descriptors, in this order. */
enum sandbox_namespace { SANDBOX_MOUNT, SANDBOX_NET, SANDBOX_IPC, SANDBOX_UTS, SANDBOX_NAMESPACE_COUNT };

/** What differs from process to process of one page. Borrowed. */
struct sandbox_place {
    uint32_t uid, gid;        /* not 0, except for the monitor, which keeps its own */
    const int *namespace_fds; /* the four of sandbox_make_empty_room(), or NULL: make an own empty room */
    const char *const
        *writable_paths; /* NULL-terminated, or NULL; files or folders, for pages with Landlock */
    const char *const *readable_paths; /* the same; a readable path that does not exist is passed over */
};

/**
 * Everything but the system calls: limits, namespaces and the empty root, descriptors above the page's are
 * closed, Landlock, uid and gid, no capabilities, no new privileges, no writable and executable memory, not
 * dumpable, SIGKILL when the parent goes (pam, dial, session). SIGPIPE and SIGXFSZ are ignored from here on.
 * Must be called as root, in a process with one thread, while /proc is visible.
 * @param ret_why  written on error; then the process is half closed and must exit
 * @return ERR_SYSTEM; ERR_STATE for a uid or gid of 0; ERR_MISMATCH when something is still open afterwards
 */
MUST_CHECK enum err sandbox_close_room(const struct sandbox_page *page, const struct sandbox_place *place,
                                       struct sandbox_refusal *ret_why);
/**
 * The system calls: seccomp, then a self-test. What is not listed kills the process (SIGSYS); for pam and the
 * monitor, whose calls cannot all be known, what is listed is refused.
 * @return ERR_STATE before sandbox_close_room(); ERR_SYSTEM; ERR_LIBRARY (libseccomp); ERR_MISMATCH when the
 *         self-test passed through
 */
MUST_CHECK enum err sandbox_close_calls(const struct sandbox_page *page, struct sandbox_refusal *ret_why);

/**
 * Make one empty room: a read-only root without anything in it, no network device that is up, own IPC
 * objects, own host name. A child makes it and leaves; the descriptors keep it. All sessions share it: they
 * have no system call that could reach another one through it (docs/sandbox.md, "One empty room").
 * @param ret_namespace_fds  OWNED by the caller, close-on-exec
 */
MUST_CHECK enum err sandbox_make_empty_room(int ret_namespace_fds[SANDBOX_NAMESPACE_COUNT],
                                            struct sandbox_refusal *ret_why);
/** Close every page once, each in a forked child: what a child will need is known to work. As root.
 *  Takes about 20 ms. */
MUST_CHECK enum err sandbox_probe(struct sandbox_refusal *ret_why);

#endif
