/* The form of a page. Private to the room, its tests and the generated part of docs/sandbox.md. */
#ifndef GATEWAY_SANDBOX_PAGE_H
#define GATEWAY_SANDBOX_PAGE_H

#include <stddef.h>
#include <sys/resource.h>

#include <seccomp.h>

#include "sandbox/sandbox.h"

enum sandbox_answer { ANSWER_ALLOW, ANSWER_ERROR, ANSWER_KILL };

/** Holds when (argument & mask) == value. */
struct sandbox_condition {
    const char *text; /* the same in words, for the documentation */
    unsigned argument;
    uint64_t mask, value;
};

struct sandbox_call {
    int number; /* negative where the architecture has no such call */
    enum sandbox_answer answer;
    int error;                            /* errno of ANSWER_ERROR */
    const struct sandbox_condition *only; /* or NULL */
    const char *reason;
};

/* A row of a table. An int argument is compared in its 32 bits: the kernel ignores the others. */
#define CALL(name, why)                                                                                      \
    {                                                                                                        \
        SCMP_SYS(name), ANSWER_ALLOW, 0, NULL, why                                                           \
    }
#define CALL_IF(name, condition, why)                                                                        \
    {                                                                                                        \
        SCMP_SYS(name), ANSWER_ALLOW, 0, &(condition), why                                                   \
    }
#define CALL_FAILS(name, error, why)                                                                         \
    {                                                                                                        \
        SCMP_SYS(name), ANSWER_ERROR, error, NULL, why                                                       \
    }
#define CALL_FAILS_IF(name, condition, error, why)                                                           \
    {                                                                                                        \
        SCMP_SYS(name), ANSWER_ERROR, error, &(condition), why                                               \
    }
#define CALL_KILLS(name, why)                                                                                \
    {                                                                                                        \
        SCMP_SYS(name), ANSWER_KILL, 0, NULL, why                                                            \
    }
#define INT_IS(argument, number, words)                                                                      \
    {                                                                                                        \
        words, argument, 0xffffffffU, (uint64_t)(number)                                                     \
    }
#define BIT_IS_CLEAR(argument, bit, words)                                                                   \
    {                                                                                                        \
        words, argument, bit, 0                                                                              \
    }

struct sandbox_table {
    const char *title;
    const struct sandbox_call *calls;
    size_t count;
};
#define TABLE(title, calls)                                                                                  \
    {                                                                                                        \
        title, calls, sizeof(calls) / sizeof((calls)[0])                                                     \
    }

struct sandbox_limit {
    __rlimit_resource_t resource;
    const char *name;
    rlim_t value; /* lowered to the hard limit where that is lower */
    const char *reason;
};

enum { PAGE_TABLES_MAX = 3, PAGE_LIMITS_MAX = 6 };

struct sandbox_page {
    const char *name;
    bool is_deny_list; /* the calls of the tables are refused and all others allowed */
    struct sandbox_table tables[PAGE_TABLES_MAX];
    struct sandbox_limit limits[PAGE_LIMITS_MAX];
    unsigned namespaces; /* bits 1 << enum sandbox_namespace; SANDBOX_MOUNT means an empty root */
    int highest_fd;      /* descriptors above it are closed */
    const char *descriptors;
    bool uses_landlock;
    const char *const *readable_paths; /* besides those of the place; NULL-terminated or NULL */
    const char *paths;                 /* the rules in words */
    bool may_run_programs;             /* readable paths may be executed too */
    bool keeps_user;                   /* stays root with the capabilities below */
    uint64_t capabilities;
    bool dies_with_parent;
    const char *ring; /* which ring profile of the room loop, or "none" */
    int canary_error; /* answer of personality(2): tells that the filter of this very page is in force */
};

/** Rows of several pages. */
extern const struct sandbox_call SANDBOX_CORE_CALLS[];
enum { SANDBOX_CORE_CALL_COUNT = 21 };
#define CORE_TABLE                                                                                           \
    {                                                                                                        \
        "Memory, time and end of the process", SANDBOX_CORE_CALLS, SANDBOX_CORE_CALL_COUNT                   \
    }

/** What this kind of build adds: nothing, or the calls of the sanitizers (extra_none.c, extra_sanitize.c). */
extern const struct sandbox_table SANDBOX_EXTRA;
extern const bool SANDBOX_LIMITS_ADDRESS_SPACE;
void sandbox_extra_prepare(void);

/** All pages, NULL-terminated. */
extern const struct sandbox_page *const SANDBOX_PAGES[];

#endif
