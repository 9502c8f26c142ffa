/* The recordings in a folder, from their clear heads and last frames: no key is needed and nothing is
 * verified (record/verify.h does that). Every text is made printable here: a head is as hostile as the rest.
 */
#ifndef REPLAY_LIST_H
#define REPLAY_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "record/stream.h"

enum {
    REPLAY_SID_BYTES = 2 * LIMIT_SID_BYTES + 1, /* hex and a NUL */
    REPLAY_PATH_BYTES = 1024,
    REPLAY_TEXT_BYTES = 128,
    REPLAY_ID_BYTES = 12,      /* hex digits that a table shows: enough to tell sessions apart */
    REPLAY_PREFIX_BYTES = 4,   /* the shortest prefix of an id that is accepted */
    REPLAY_LIST_MAX = 1000000, /* files of one folder tree that are looked at */
};

/** Who, where, what: the meta data that the monitor gave when the session began. "" for what is missing. */
struct replay_meta {
    char person[LIMIT_PERSON_BYTES];
    char account[LIMIT_DB_NAME_BYTES]; /* of a database: its user */
    char host[LIMIT_HOST_BYTES];
    char target[REPLAY_TEXT_BYTES]; /* name in the policy */
    char from[LIMIT_ADDRESS_BYTES];
    char kind[16]; /* "ssh", "tcp", "postgres", "mysql" */
    char database[LIMIT_DB_NAME_BYTES];
    uint16_t port; /* 0: not known */
    char address[LIMIT_ADDRESS_BYTES];
    char rule[REPLAY_TEXT_BYTES];
    char bastion[REPLAY_TEXT_BYTES];
    char key[REPLAY_TEXT_BYTES];              /* fingerprint of the person's key */
    char factor[REPLAY_TEXT_BYTES];           /* what stood for the second factor: "pam", "lease", ... */
    int64_t factor_age_s;                     /* when the session began; -1: there was none */
    char access_reason[LIMIT_SENTENCE_BYTES]; /* what the person gave as reason */
};
/** @return ERR_MALFORMED when it is no JSON object; missing or wrong members are left empty. */
MUST_CHECK enum err replay_meta_parse(struct cursor json, struct replay_meta *ret_meta);

struct replay_entry {
    char sid[REPLAY_SID_BYTES]; /* of the file's name */
    char path[REPLAY_PATH_BYTES];
    uint64_t start_us; /* wall time; of a damaged file the time of its last change */
    uint64_t file_bytes;
    struct replay_meta meta;
    bool is_closed;
    uint64_t duration_us; /* closed: until its end; else until its last change */
    uint64_t kept_bytes;  /* closed: what people and programs said */
    bool has_moved;       /* closed, and by a version that says it */
    struct record_moved moved;
    uint32_t exit_status; /* or UINT32_MAX */
    char how[REPLAY_TEXT_BYTES], reason[REPLAY_TEXT_BYTES];
    char damage[REPLAY_TEXT_BYTES]; /* "" or why the head cannot be read; then only sid, path, times and sizes
                                       hold */
};

/** Which recordings are wanted. {0} with until_us = UINT64_MAX is all of them. */
struct replay_filter_by {
    const char *person; /* NULL: any */
    const char *target; /* NULL: any; else host, or name of the target in the policy */
    const char
        *database; /* NULL: any; else only connections to databases: host, target or name of the database */
    uint64_t since_us, until_us; /* begun in [since, until) */
    bool is_open;                /* only those that are not closed */
    size_t limit;                /* 0: all */
};

struct replay_list {
    struct replay_entry **entries; /* OWNED, newest first */
    size_t count;
    bool is_cut;         /* the limit was reached, or REPLAY_LIST_MAX */
    uint64_t unreadable; /* folders that could not be read */
};

bool replay_entry_matches(const struct replay_entry *entry, const struct replay_filter_by *by);
/** Damaged files match every person and target: damage must not hide a session.
 *  @return ERR_NOT_FOUND without the folder; ERR_SYSTEM; ERR_MEMORY. */
MUST_CHECK enum err replay_list_read(const char *recordings_dir, const struct replay_filter_by *by,
                                     struct replay_list *ret_list);
void replay_list_done(struct replay_list *list);
#define OWNED_LIST __attribute__((cleanup(replay_list_done))) struct replay_list

/** The one recording whose id begins with `prefix` (at least REPLAY_PREFIX_BYTES hex digits).
 *  @return ERR_MALFORMED for a prefix that is none; ERR_NOT_FOUND; ERR_STATE when several begin so;
 * ERR_SYSTEM. */
MUST_CHECK enum err replay_list_find(const char *recordings_dir, const char *prefix,
                                     char ret_path[static REPLAY_PATH_BYTES],
                                     char ret_sid[static REPLAY_SID_BYTES]);

#endif
