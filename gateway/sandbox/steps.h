/* The steps of closing a room, and the sentence for each that fails. Private to the room and its tests. */
#ifndef GATEWAY_SANDBOX_STEPS_H
#define GATEWAY_SANDBOX_STEPS_H

#include "page.h"

enum sandbox_step {
    STEP_USER, /* the place names root */
    STEP_SIGNALS,
    STEP_LIMITS,
    STEP_MAKE_ROOM,  /* unshare */
    STEP_EMPTY_ROOT, /* mount, pivot_root */
    STEP_ENTER_ROOM, /* setns */
    STEP_DESCRIPTORS,
    STEP_NO_NEW_PRIVILEGES,
    STEP_LANDLOCK,
    STEP_LANDLOCK_PATH,
    STEP_BOUNDING_SET,
    STEP_IDENTITY,
    STEP_CAPABILITIES,
    STEP_MEMORY, /* MDWE */
    STEP_DUMPABLE,
    STEP_PARENT,
    STEP_STILL_ROOT, /* the check afterwards */
    STEP_FILTER,
    STEP_FILTER_TEST,
    STEP_FORK,
    STEP_COUNT
};

/** A pure function: what failed, errno (positive) and a detail ("" or a path) to one sentence. */
void sandbox_explain(const char *process, enum sandbox_step step, int error, const char *detail,
                     struct sandbox_refusal *ret_why);
/** Explain and return ERR_SYSTEM; errno is `error` afterwards. */
enum err sandbox_refuse(const struct sandbox_page *page, enum sandbox_step step, int error,
                        const char *detail, struct sandbox_refusal *ret_why);

/** Leave the namespaces of the page for an own empty room. @param page NULL: all four namespaces */
MUST_CHECK enum err namespaces_make(const struct sandbox_page *page, struct sandbox_refusal *ret_why);
/** Enter those of a prepared room that the page names. */
MUST_CHECK enum err namespaces_enter(const struct sandbox_page *page, const int *fds,
                                     struct sandbox_refusal *ret_why);
/** Limit the files to the paths of the page and the place. Needs NO_NEW_PRIVS. */
MUST_CHECK enum err landlock_close(const struct sandbox_page *page, const struct sandbox_place *place,
                                   struct sandbox_refusal *ret_why);
/** uid, gid, groups, capabilities; or the reduced capabilities of the monitor. */
MUST_CHECK enum err privileges_drop(const struct sandbox_page *page, const struct sandbox_place *place,
                                    struct sandbox_refusal *ret_why);

#endif
