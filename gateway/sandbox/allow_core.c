#include "page.h"

#include <sys/mman.h>

static const struct sandbox_condition NOT_EXECUTABLE = BIT_IS_CLEAR(2, PROT_EXEC, "without PROT_EXEC");

/* What the C library and libcrypto need in every process. Nothing here names a path, an address or a process.
 * abort() is not among it: a failed assertion has written its message and ends with SIGSYS all the same. */
const struct sandbox_call SANDBOX_CORE_CALLS[] = {
    CALL(brk, "heap"),
    CALL_IF(mmap, NOT_EXECUTABLE, "heap"),
    CALL_IF(mprotect, NOT_EXECUTABLE, "heap, guard pages"),
    CALL(munmap, "heap"),
    CALL(mremap, "heap"),
    CALL(madvise, "give memory back"),
    CALL(futex, "locks of libcrypto"),
    CALL(getrandom, "keys, nonces, padding"),
    CALL(getpid, "the random generator of OpenSSL 3.0 asks after a fork"),
    CALL(clock_gettime, "time, where the vDSO cannot answer"),
    CALL(gettimeofday, "time, where the vDSO cannot answer"),
    CALL(sysinfo, "qsort() of glibc asks how much memory there is"),
    CALL(read, "descriptors that were given"),
    CALL(write, "descriptors that were given"),
    CALL(close, "descriptors that were given"),
    CALL(poll, "descriptors that were given"),
    CALL(ppoll, "descriptors that were given"),
    CALL(rt_sigreturn, "return from a signal"),
    CALL(restart_syscall, "go on after SIGSTOP and SIGCONT"),
    CALL(exit, "the end"),
    CALL(exit_group, "the end"),
};
_Static_assert(sizeof SANDBOX_CORE_CALLS / sizeof SANDBOX_CORE_CALLS[0] == SANDBOX_CORE_CALL_COUNT,
               "the count in page.h");

const struct sandbox_page *const SANDBOX_PAGES[] = {
    &SANDBOX_SESSION, &SANDBOX_SIGNER, &SANDBOX_RECORDER, &SANDBOX_PAM,
    &SANDBOX_DIAL,    &SANDBOX_TOKEN,  &SANDBOX_MONITOR,  NULL};
