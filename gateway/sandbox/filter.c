#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

static uint32_t action_of(const struct sandbox_call *call)
{
    switch (call->answer) {
    case ANSWER_ALLOW:
        return SCMP_ACT_ALLOW;
    case ANSWER_ERROR:
        return SCMP_ACT_ERRNO((uint16_t)call->error);
    case ANSWER_KILL:
        return SCMP_ACT_KILL_PROCESS;
    }
    return SCMP_ACT_KILL_PROCESS;
}

static int add_call(scmp_filter_ctx filter, const struct sandbox_call *call)
{
    if (call->number < 0) {
        return 0; /* not a call of this architecture */
    }
    if (call->only == NULL) {
        return seccomp_rule_add(filter, action_of(call), call->number, 0);
    }
    struct scmp_arg_cmp only = {.arg = call->only->argument,
                                .op = SCMP_CMP_MASKED_EQ,
                                .datum_a = call->only->mask,
                                .datum_b = call->only->value};
    return seccomp_rule_add_array(filter, action_of(call), call->number, 1, &only);
}

static int add_table(scmp_filter_ctx filter, const struct sandbox_table *table)
{
    int result = 0;
    for (size_t i = 0; i < table->count && result == 0; i++) {
        result = add_call(filter, &table->calls[i]);
    }
    return result;
}

static int fill(scmp_filter_ctx filter, const struct sandbox_page *page)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* NO_NEW_PRIVS is set already, and must be: this must not be what sets it. */
    result = result == 0 ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) : result;
    /* Else libseccomp hides the errno of the kernel. */
    result = result == 0 ? seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1) : result;
    for (size_t i = 0; i < PAGE_TABLES_MAX && result == 0; i++) {
        result = add_table(filter, &page->tables[i]);
    }
    if (result == 0 && !page->is_deny_list) {
        result = add_table(filter, &SANDBOX_EXTRA);
    }
    if (result == 0) {
        result =
            seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint16_t)page->canary_error), SCMP_SYS(personality), 0);
    }
    return result == 0 ? seccomp_load(filter) : result;
}

/* Calls that are harmless should they pass: asking for the personality, and whether "/" is there. */
static bool is_in_force(const struct sandbox_page *page)
{
    errno = 0;
    bool is_answered = personality(0xffffffff) == -1 && errno == page->canary_error;
    if ((page->namespaces & 1U << SANDBOX_MOUNT) == 0) {
        return is_answered;
    }
    int fd = open("/", O_PATH | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
        return false;
    }
    return is_answered && errno == ENOENT;
}

enum err sandbox_close_calls(const struct sandbox_page *page, struct sandbox_refusal *ret_why)
{
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        /* Root could go on, but the room was not closed before. */
        (void)sandbox_refuse(page, STEP_NO_NEW_PRIVILEGES, 0, "", ret_why);
        return ERR_STATE;
    }
    sandbox_extra_prepare();
    scmp_filter_ctx filter = seccomp_init(page->is_deny_list ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);
    if (filter == NULL) {
        (void)sandbox_refuse(page, STEP_FILTER, ENOMEM, "", ret_why);
        return ERR_LIBRARY;
    }
    int result = fill(filter, page);
    seccomp_release(filter);
    if (result != 0) {
        return sandbox_refuse(page, STEP_FILTER, -result, "", ret_why);
    }
    if (!is_in_force(page)) {
        (void)sandbox_refuse(page, STEP_FILTER_TEST, 0, "", ret_why);
        return ERR_MISMATCH;
    }
    return ERR_NONE;
}
