/* Who may start a connection now: limits in all, per source, and on connections that have proven nothing yet,
 * with penalties for sources that misbehave (after OpenSSH's MaxStartups and PerSourcePenalties,
 * sshd_config(5)). A value: the caller gives the time and the random number. */
#ifndef ACCEPT_ADMISSION_H
#define ACCEPT_ADMISSION_H

#include <netinet/in.h>

#include "base/cursor.h"
#include "base/limits.h"

enum { ADMISSION_SOURCES_MAX = 8192 };

struct admission_limits {
    uint32_t connections;      /* open at once */
    uint32_t per_source;       /* open at once from one address (IPv6: one /64) */
    uint32_t startups_begin;   /* unproven connections from which on some are refused ... */
    uint32_t startups_percent; /* ... this many percent at first ... */
    uint32_t startups_full;    /* ... and all of them from here on */
};

/** An IPv4 address, or the first half of an IPv6 address: what one subscriber usually holds. */
struct admission_source {
    uint8_t bytes[8];
    uint8_t family; /* 4 or 6 */
    uint32_t open;  /* connections */
    uint64_t penalty_until_us;
    uint64_t last_us;
};

struct admission {
    struct admission_limits limits;
    struct admission_source *sources; /* OWNED, open addressing */
    uint32_t open, unproven;
};

enum admission_verdict {
    ADMISSION_WELCOME,
    ADMISSION_FULL,        /* too many connections */
    ADMISSION_SOURCE_FULL, /* too many from this source */
    ADMISSION_STARTUPS,    /* too many that have proven nothing */
    ADMISSION_PENALTY,     /* this source misbehaved */
};

/** What a source did; each costs it time. */
enum admission_offence {
    ADMISSION_NO_AUTH,   /* went away without trying to prove anything */
    ADMISSION_AUTH_FAIL, /* tried and failed */
    ADMISSION_DEADLINE,  /* was cut by the deadline */
    ADMISSION_CRASH,     /* its session process died or broke the protocol */
    ADMISSION_OFFENCE_COUNT
};

MUST_CHECK enum err admission_init(struct admission *admission, const struct admission_limits *limits);
void admission_done(struct admission *admission);
/** Decide, and count the connection when it is welcome.
 *  @param random  uniform in [0, 100) */
enum admission_verdict admission_enter(struct admission *admission, const struct sockaddr_storage *from,
                                       uint64_t now_us, uint32_t random);
/** The connection has proven who it is: it no longer counts as a start-up. */
void admission_proven(struct admission *admission);
void admission_leave(struct admission *admission, const struct sockaddr_storage *from, bool was_proven);
void admission_offend(struct admission *admission, const struct sockaddr_storage *from,
                      enum admission_offence offence, uint64_t now_us);
/** A lower-case fragment for events. */
const char *admission_text(enum admission_verdict verdict);

#endif
