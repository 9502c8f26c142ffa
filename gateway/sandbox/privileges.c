#include "steps.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int set_capabilities(uint64_t kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    uint32_t low = (uint32_t)kept;
    uint32_t high = (uint32_t)(kept >> 32);
    struct __user_cap_data_struct data[2] = {{.effective = low, .permitted = low},
                                             {.effective = high, .permitted = high}};
    return (int)syscall(SYS_capset, &header, data);
}

/* What no program that is run later can get back. */
static int drop_bounding_set(uint64_t kept)
{
    for (unsigned long capability = 0; capability < 64; capability++) {
        int is_there = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (is_there < 0) {
            break; /* the kernel knows no more */
        }
        bool is_kept = (kept & 1ULL << capability) != 0;
        if (is_there == 1 && !is_kept && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            return -1;
        }
    }
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

/* The capabilities that are both kept and there: a service may already have fewer. */
static int permitted_of(uint64_t wanted, uint64_t *ret_kept)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (syscall(SYS_capget, &header, data) != 0) {
        return -1;
    }
    *ret_kept = wanted & ((uint64_t)data[1].permitted << 32 | data[0].permitted);
    return 0;
}

static enum err check_dropped(const struct sandbox_page *page, const struct sandbox_place *place,
                              struct sandbox_refusal *ret_why)
{
    uint64_t left = 0;
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    bool is_other = getresuid(&real, &effective, &saved) == 0 && real == place->uid &&
                    effective == place->uid && saved == place->uid && getegid() == place->gid &&
                    getgroups(0, NULL) == 0;
    bool is_bare = permitted_of(UINT64_MAX, &left) == 0 && left == 0;
    if (!is_other || !is_bare || setresuid(0, 0, 0) == 0) {
        (void)sandbox_refuse(page, STEP_STILL_ROOT, 0, "", ret_why);
        return ERR_MISMATCH;
    }
    return ERR_NONE;
}

static enum err drop_to_user(const struct sandbox_page *page, const struct sandbox_place *place,
                             struct sandbox_refusal *ret_why)
{
    if (drop_bounding_set(0) != 0) {
        return sandbox_refuse(page, STEP_BOUNDING_SET, errno, "", ret_why);
    }
    if (setgroups(0, NULL) != 0 || setresgid(place->gid, place->gid, place->gid) != 0 ||
        setresuid(place->uid, place->uid, place->uid) != 0) {
        return sandbox_refuse(page, STEP_IDENTITY, errno, "", ret_why);
    }
    if (set_capabilities(0) != 0) {
        return sandbox_refuse(page, STEP_CAPABILITIES, errno, "", ret_why);
    }
    return check_dropped(page, place, ret_why);
}

enum err privileges_drop(const struct sandbox_page *page, const struct sandbox_place *place,
                         struct sandbox_refusal *ret_why)
{
    if (!page->keeps_user) {
        return drop_to_user(page, place, ret_why);
    }
    uint64_t kept = 0;
    if (drop_bounding_set(page->capabilities) != 0) {
        return sandbox_refuse(page, STEP_BOUNDING_SET, errno, "", ret_why);
    }
    if (permitted_of(page->capabilities, &kept) != 0 || set_capabilities(kept) != 0) {
        return sandbox_refuse(page, STEP_CAPABILITIES, errno, "", ret_why);
    }
    return ERR_NONE;
}
