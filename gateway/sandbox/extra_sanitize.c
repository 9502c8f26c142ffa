#include "page.h"

#include <stdbool.h>
#include <sys/prctl.h>

/* Builds with AddressSanitizer and UndefinedBehaviorSanitizer, for tests only: what their runtime calls while
 * the program runs and while it reports a finding. */
static const struct sandbox_call CALLS[] = {
    CALL(sigaltstack, "stack of the signal handlers"),
    CALL(rt_sigaction, "handlers of the runtime"),
    CALL(rt_sigprocmask, "reports"),
    CALL(gettid, "reports"),
    CALL(sched_yield, "locks of the allocator"),
    CALL(getrlimit, "bounds of the stack"),
    CALL(prlimit64, "bounds of the stack"),
    CALL(sched_getaffinity, "bounds of the stack"),
    CALL(tgkill, "abort after a report"),
    CALL(readlink, "name of the program in a report"),
    CALL(getppid, "reports"),
    CALL(lseek, "reports"),
};
const struct sandbox_table SANDBOX_EXTRA = TABLE("Sanitizers (test builds only)", CALLS);

/* The shadow memory takes terabytes of address space. */
const bool SANDBOX_LIMITS_ADDRESS_SPACE = false;

/* A mutable global, in test builds only: the hook below has no argument. */
static int is_closed;

void sandbox_extra_prepare(void)
{
    is_closed = 1;
}

/* LeakSanitizer stops the process with ptrace at its end, which a sandbox refuses: its own, or the monitor's,
 * under which a child lives from its start. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return is_closed || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
}
