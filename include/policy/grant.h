/* What one access may do: the value that the monitor computes from the policy and the session enforces. It
 * knows nothing of people, rules or files, so that the session can hold it without the policy. */
#ifndef POLICY_GRANT_H
#define POLICY_GRANT_H

#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/writer.h"
#include "policy/path.h"
#include "policy/place.h"

enum grant_exec { GRANT_EXEC_NONE = 0, GRANT_EXEC_LISTED, GRANT_EXEC_ANY };
enum grant_sftp { GRANT_SFTP_NONE = 0, GRANT_SFTP_READ, GRANT_SFTP_WRITE }; /* write includes read */
enum grant_forward { GRANT_FORWARD_NONE = 0, GRANT_FORWARD_LISTED, GRANT_FORWARD_ANY };
/* What is recorded of the parameters of statements; a later one is more. */
enum grant_params { GRANT_PARAMS_NONE = 0, GRANT_PARAMS_HASH, GRANT_PARAMS_FULL };
/* What a database session may do beyond statements, as bits. */
enum grant_db_right {
    GRANT_DB_COPY = 1,          /* PostgreSQL: COPY to and from the client */
    GRANT_DB_FUNCTION_CALL = 2, /* PostgreSQL: the FunctionCall message */
    GRANT_DB_REPLICATION = 4,   /* a walsender, a binary log */
    GRANT_DB_LOCAL_INFILE = 8,  /* MySQL: the server asks the client for a file */
    GRANT_DB_RIGHTS = 15,
};

enum {
    GRANT_RULE_BYTES = 192,      /* rule ids, comma-separated, and a NUL */
    GRANT_PATTERNS_BYTES = 8192, /* fits with the rest of TARGET_GRANTED into one message */
    GRANT_PATTERN_WORDS = 32,
    GRANT_WORD_BYTES = 255,       /* longest word of a pattern */
    GRANT_COMMAND_BYTES = 4096,   /* longest command that is held against patterns */
    GRANT_PLACES_BYTES = 4096,    /* the same for places of forwards */
    GRANT_PATHS_BYTES = 4096,     /* ... and for paths of files */
    GRANT_DATABASES_BYTES = 4096, /* ... and for users and databases */
    /* most that grant_write() writes */
    GRANT_WIRE_BYTES =
        GRANT_PATTERNS_BYTES + GRANT_PLACES_BYTES + GRANT_PATHS_BYTES + GRANT_DATABASES_BYTES + 512,
};

/** {0} allows nothing. */
struct policy_grant {
    bool shell; /* a terminal or a shell request without command */
    enum grant_exec exec;
    enum grant_sftp sftp;
    bool sftp_hashes; /* hash the contents of files that pass */
    bool agent, x11;
    bool connect; /* a byte stream to a target of kind tcp */
    enum grant_forward forward, remote_forward;
    /* Of the database user and database that were asked for, or that grant_choose_database() chose. */
    bool db_copy, db_function_call, db_replication, db_local_infile;
    bool db_opaque; /* bytes of a target with `client_tls: opaque`, which nobody reads */
    enum grant_params db_params;
    bool record_input;              /* record what is typed at terminals, passwords too */
    bool exec_hashes;               /* hash the streams of commands, all of them */
    uint64_t exec_record_cap_bytes; /* per stream of one command; what is over it is not kept */
    uint32_t session_limit_s;       /* 0: none */
    uint32_t idle_limit_s;          /* 0: none */
    uint16_t channels;              /* open at once */
    uint16_t connections;           /* accesses of the person to the target at once; 0: no limit of its own */
    char rule[GRANT_RULE_BYTES];    /* the rules that gave something, in the order of the file */
    /* Repeated { u8 words, each word as a string }. */
    uint16_t patterns_len_bytes;
    uint8_t patterns[GRANT_PATTERNS_BYTES];
    /* Repeated { u8 enum place_use, the place as a string }. */
    uint16_t places_len_bytes;
    uint8_t places[GRANT_PLACES_BYTES];
    /* Repeated { u8 enum grant_sftp, a pattern of policy/path.h as a string }: what is added to `sftp`. */
    uint16_t paths_len_bytes;
    uint8_t paths[GRANT_PATHS_BYTES];
    /* Repeated { u8 enum grant_db_right bits, u8 enum grant_params, users and databases, each as a string of
     * strings }: what policy/grant_database.c reads. */
    uint16_t databases_len_bytes;
    uint8_t databases[GRANT_DATABASES_BYTES];
};

/** Nothing at all may be done with it. */
bool grant_is_empty(const struct policy_grant *grant);

/** Does one grant allow everything that another does? How it is recorded and how long it lasts do not count.
 *  @return NULL when it does, else what is missing: a constant for a sentence such as "no longer gives ..."
 */
const char *grant_check_covers(const struct policy_grant *wide, const struct policy_grant *narrow);

/** SFTP may be used at all. */
bool grant_has_sftp(const struct policy_grant *grant);

/** Add a path that may be read, or written (which includes reading). @return ERR_TOO_LARGE. */
MUST_CHECK enum err grant_add_path(struct policy_grant *grant, enum grant_sftp level, struct cursor pattern);
/** Add all paths of another grant. @return ERR_TOO_LARGE: then some are missing. */
MUST_CHECK enum err grant_add_paths(struct policy_grant *grant, struct cursor paths);
/** May this file be used so? @param path  as path_plain() makes it */
bool grant_allows_path(const struct policy_grant *grant, enum grant_sftp level, struct cursor path);
/** The same for paths alone. @param path  empty: is there any path of that level? */
bool grant_lists_path(struct cursor paths, enum grant_sftp level, struct cursor path);

/** One rule's part of `databases`. Each block is repeated strings; a string is a name, `prefix*`, or `*`. */
struct grant_database {
    unsigned rights; /* enum grant_db_right bits */
    enum grant_params params;
    struct cursor users, databases;
};
/** @return NULL when `name` can stand in `users` or `databases`, or why not (a sentence fragment). */
const char *grant_check_database_name(struct cursor name);
/** Add what one rule gives. @return ERR_TOO_LARGE when there is no room; then nothing was added. */
MUST_CHECK enum err grant_add_database(struct policy_grant *grant, const struct grant_database *added);
/** Takes one from the front of `databases` of a grant.
 *  @return ERR_TRUNCATED; ERR_MALFORMED; ERR_TOO_LARGE: then nothing behind it can be read. */
MUST_CHECK enum err grant_read_database(struct cursor *in, struct grant_database *ret);
/** Is the name in one of the blocks of a struct grant_database? */
bool grant_lists_name(struct cursor block, struct cursor name);
/** May this user work in this database? Both as the protocol says them; a database of "" is none chosen yet.
 *  @param ret_reason  on false: a constant sentence fragment for the engineer */
bool grant_allows_database(const struct policy_grant *grant, struct cursor user, struct cursor database,
                           const char **ret_reason);
/** The same, and on true the `db_` members become those of this user and this database: what all rules that
 * name both give together. For a session that changes its user or its database. */
bool grant_choose_database(struct policy_grant *grant, struct cursor user, struct cursor database,
                           const char **ret_reason);

void grant_write(struct writer *out, const struct policy_grant *grant);
/** Takes one grant from the front of `in`.
 *  @return ERR_TRUNCATED; ERR_MALFORMED; ERR_TOO_LARGE. On error `ret` is a grant that allows nothing. */
MUST_CHECK enum err grant_read(struct cursor *in, struct policy_grant *ret);

/** Add a command pattern; a pattern that is already there is not added again.
 *  @param words  1..GRANT_PATTERN_WORDS texts that are valid by grant_check_word()
 *  @return ERR_TOO_LARGE when there is no room; then nothing was added. */
MUST_CHECK enum err grant_add_pattern(struct policy_grant *grant, const struct cursor *words, size_t count);
/** Add all patterns of another grant, given as its `patterns`. @return ERR_TOO_LARGE: then some are missing.
 */
MUST_CHECK enum err grant_add_patterns(struct policy_grant *grant, struct cursor patterns);
/** One word of a pattern: a literal, `*` for any one word, or `prefix*`. The first word of a pattern names
 * the program and must be a literal.
 *  @return NULL, or why the word cannot be one (a sentence fragment). */
const char *grant_check_word(struct cursor word, bool is_first);

/**
 * May this command run? GRANT_EXEC_ANY allows every text. GRANT_EXEC_LISTED splits at spaces and compares
 * word by word; a command with anything that a shell could read as more than words is refused. A wildcard
 * never stands for a word that begins with "-" unless the pattern says so (`-*`), nor for one with a ".."
 * step. The target's login shell still interprets the text: docs/policy.md, "Commands".
 * @param ret_reason  on false: a constant sentence fragment for the engineer
 */
bool grant_allows_exec(const struct policy_grant *grant, struct cursor command, const char **ret_reason);
/** The same for a list alone, given as `patterns` of a grant. @return NULL when it is allowed, else the
 * reason. */
const char *grant_check_listed(struct cursor patterns, struct cursor command);

/** Add a place of a forward; one that is already there is not added again.
 *  @param place  valid by place_check(). @return ERR_TOO_LARGE when there is no room; then nothing was added.
 */
MUST_CHECK enum err grant_add_place(struct policy_grant *grant, enum place_use use, struct cursor place);
/** Add the places for one use of another grant, given as its `places`. @return ERR_TOO_LARGE: then some are
 * missing. */
MUST_CHECK enum err grant_add_places(struct policy_grant *grant, enum place_use use, struct cursor places);
/** May this address be connected to (PLACE_FORWARD), or listened on (PLACE_REMOTE_FORWARD)? */
bool grant_allows_address(const struct policy_grant *grant, enum place_use use, struct cursor host,
                          uint32_t port);
bool grant_allows_socket(const struct policy_grant *grant, enum place_use use, struct cursor path);
/** The same for places alone and what a person writes: "localhost:9090", "unix:/run/app.sock". */
bool grant_lists_place(struct cursor places, enum place_use use, struct cursor asked);

#endif
