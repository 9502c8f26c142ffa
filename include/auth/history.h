/* What a person was lately refused, and which accesses the person had, for `ssh bastion why` and `ssh bastion
 * sessions`. It lives in memory only, is bounded in every direction, and decides nothing: what must last is
 * in the events and in the evidence log. */
#ifndef AUTH_HISTORY_H
#define AUTH_HISTORY_H

#include "base/cursor.h"
#include "base/limits.h"

enum {
    HISTORY_PEOPLE_MAX = 1024, /* of more people, who was longest without anything new is forgotten */
    HISTORY_DENIALS = 16,      /* kept of each person */
    HISTORY_ACCESSES = 20,
    HISTORY_CODE_BYTES = 32,
    HISTORY_HOW_BYTES = 96,
    HISTORY_SID_BYTES = 2 * LIMIT_SID_BYTES + 1,
    HISTORY_POLICY_BYTES = 17, /* the first digits of its SHA-256 */
};

/** {0} with host "" is no refusal of a target, but of the login or a command. */
struct history_denial {
    int64_t at_s;
    char code[HISTORY_CODE_BYTES];
    char host[LIMIT_HOST_BYTES];
    uint16_t port;
    char account[LIMIT_DB_NAME_BYTES];
    char from[LIMIT_ADDRESS_BYTES];
    bool has_factor;
    uint64_t factor_age_s;
    char policy[HISTORY_POLICY_BYTES];
    char sentence[LIMIT_SENTENCE_BYTES];
};

struct history_access {
    int64_t at_s, ended_s; /* ended_s 0: open */
    char sid[HISTORY_SID_BYTES];
    char host[LIMIT_HOST_BYTES];
    uint16_t port;
    char account[LIMIT_DB_NAME_BYTES];
    char from[LIMIT_ADDRESS_BYTES];
    char how[HISTORY_HOW_BYTES];
};

struct history_person;
/** Heap; {0} is empty. */
struct history {
    struct history_person **people; /* OWNED */
    size_t count;
    uint64_t clock; /* counts what is new */
};

void history_done(struct history *history);
/** Remember one refusal, in the place of the oldest when there are many. @return ERR_MEMORY: it is not kept.
 */
MUST_CHECK enum err history_denied(struct history *history, const char *person,
                                   const struct history_denial *denial);
MUST_CHECK enum err history_opened(struct history *history, const char *person,
                                   const struct history_access *access);
/** How an access ended; nothing when it is not known any more. */
void history_ended(struct history *history, const char *person, const char *sid, int64_t at_s,
                   const char *how);
/** The newest is number 0. @return NULL past the last; valid until the next change. */
const struct history_denial *history_denial(const struct history *history, const char *person,
                                            unsigned number);
const struct history_access *history_access(const struct history *history, const char *person,
                                            unsigned number);

#endif
