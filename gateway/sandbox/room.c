#include "steps.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* linux/prctl.h of Linux 6.3 */
enum { SET_MDWE = 65, MDWE_REFUSE_EXEC_GAIN = 1 };

static enum err lower_limits(const struct sandbox_page *page, struct sandbox_refusal *ret_why)
{
    for (size_t i = 0; i < PAGE_LIMITS_MAX && page->limits[i].name != NULL; i++) {
        const struct sandbox_limit *limit = &page->limits[i];
        if (limit->resource == RLIMIT_AS && !SANDBOX_LIMITS_ADDRESS_SPACE) {
            continue;
        }
        struct rlimit now;
        if (getrlimit(limit->resource, &now) != 0) {
            return sandbox_refuse(page, STEP_LIMITS, errno, limit->name, ret_why);
        }
        rlim_t value = limit->value < now.rlim_max ? limit->value : now.rlim_max;
        struct rlimit lower = {value, value};
        if (setrlimit(limit->resource, &lower) != 0) {
            return sandbox_refuse(page, STEP_LIMITS, errno, limit->name, ret_why);
        }
    }
    return ERR_NONE;
}

static enum err leave_the_machine(const struct sandbox_page *page, const struct sandbox_place *place,
                                  struct sandbox_refusal *ret_why)
{
    if (page->namespaces == 0) {
        return ERR_NONE;
    }
    return place->namespace_fds != NULL ? namespaces_enter(page, place->namespace_fds, ret_why)
                                        : namespaces_make(page, ret_why);
}

/* What a change of user resets, so it comes last. */
static enum err seal_process(const struct sandbox_page *page, struct sandbox_refusal *ret_why)
{
    if (prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0 && errno != EINVAL) {
        /* EINVAL: Linux before 6.3. Allow-lists refuse executable memory anyway. */
        return sandbox_refuse(page, STEP_MEMORY, errno, "", ret_why);
    }
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return sandbox_refuse(page, STEP_DUMPABLE, errno, "", ret_why);
    }
    if (page->dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) {
        return sandbox_refuse(page, STEP_PARENT, errno, "", ret_why);
    }
    return ERR_NONE;
}

enum err sandbox_close_room(const struct sandbox_page *page, const struct sandbox_place *place,
                            struct sandbox_refusal *ret_why)
{
    if (!page->keeps_user && (place->uid == 0 || place->gid == 0)) {
        (void)sandbox_refuse(page, STEP_USER, 0, "", ret_why);
        return ERR_STATE;
    }
    /* SIGXFSZ: stderr may be a file, and a message must not end a process whose files may not grow. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR) {
        return sandbox_refuse(page, STEP_SIGNALS, errno, "", ret_why);
    }
    TRY(lower_limits(page, ret_why));
    TRY(leave_the_machine(page, place, ret_why));
    if (page->highest_fd >= 0 && close_range((unsigned)page->highest_fd + 1, ~0U, 0) != 0) {
        return sandbox_refuse(page, STEP_DESCRIPTORS, errno, "", ret_why);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return sandbox_refuse(page, STEP_NO_NEW_PRIVILEGES, errno, "", ret_why);
    }
    if (page->uses_landlock) {
        TRY(landlock_close(page, place, ret_why));
    }
    TRY(privileges_drop(page, place, ret_why));
    return seal_process(page, ret_why);
}
