/* The policy: who may reach what, as whom, to do what, and when. Loading is pure (bytes in, snapshot out);
 * deciding reads the snapshot only. The language is described in docs/policy.md. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/network.h"
#include "policy/grant.h"
#include "yaml/report.h"

enum {
    POLICY_ID_BYTES = 64,      /* the longest name of a rule, group, target or network, and a NUL */
    POLICY_CODE_BYTES = 32,    /* a denial code and a NUL */
    POLICY_HASH_BYTES = 32,    /* SHA-256 */
    POLICY_NETWORKS_MAX = 256, /* networks of one target: they fit into one DIAL message */
    POLICY_HOST_CAS_MAX = 8,   /* files of CAs for hosts of one target */
};

/** What loading found. {0} is empty; policy_load() initialises it. */
struct policy_report {
    struct yaml_report findings;
    size_t people_count, target_count, rule_count, never_count, test_count;
};

/** An immutable snapshot. */
struct policy;

/**
 * Read, check and compile one policy file and run its tests.
 * @param file_name  for messages only
 * @param report     gets every error and warning with its position
 * @param ret        OWNED by the caller, policy_free()
 * @return ERR_MALFORMED or ERR_TOO_LARGE with at least one error in the report; ERR_MEMORY.
 */
MUST_CHECK enum err policy_load(struct cursor bytes, const char *file_name, struct policy_report *report,
                                struct policy **ret);
/* One file of a policy. */
struct policy_source {
    const char *name; /* for messages */
    struct cursor bytes;
};
enum { POLICY_FILES_MAX = 1 + YAML_MORE_FILES_MAX };
/** The same for a policy of several files: `networks`, `people`, `targets`, `rules`, `never` and `tests` of
 * the later ones are put behind those of the first. All are judged as one, and one error refuses all.
 * @param count  1..POLICY_FILES_MAX */
MUST_CHECK enum err policy_load_files(const struct policy_source *sources, size_t count,
                                      struct policy_report *report, struct policy **ret);
/** The name of a file as it is in the hash: without the folder of the main file. Borrowed. */
const char *policy_source_place(const struct policy_source *main, const struct policy_source *source);
#define POLICY_BUNDLE_END ".bundle"
/** Read a policy and the files that add to it: for policy.yaml those of the folder policy.d beside it whose
 * names end in .yaml and do not begin with a dot, sorted. A path that ends in POLICY_BUNDLE_END is a bundle
 * already.
 * @param is_trusted  as fd_read_trusted_file(): root's files that nobody else may write
 * @param ret_bytes   OWNED by the caller, free(): for policy_load_bundle()
 * @param ret_path    on error: the file that it is about
 * @return as fd_read_trusted_file(); ERR_TOO_LARGE also for more than POLICY_FILES_MAX files */
MUST_CHECK enum err policy_files_read(const char *path, bool is_trusted, uint8_t **ret_bytes, size_t *ret_len,
                                      char *ret_path, size_t size_bytes);
/** policy_load_files() for what policy_files_read() gave. @return also ERR_MALFORMED for other bytes */
MUST_CHECK enum err policy_load_bundle(struct cursor bundle, struct policy_report *report,
                                       struct policy **ret);
/** The file and line of a place as this room's values carry it (`line`). Borrowed. */
const char *policy_place(const struct policy *policy, unsigned place, unsigned *ret_line);
void policy_free(struct policy *policy);
/** `mode: observe`: rules deny nothing, and decisions say what they would deny. What no target lists,
 * accounts that a target does not know, and what `never` takes away stays denied; a factor or reason is asked
 * for. */
bool policy_is_observing(const struct policy *policy);
/** SHA-256 over the bytes of the file: POLICY_HASH_BYTES bytes. */
const uint8_t *policy_sha256(const struct policy *policy);

enum policy_action {
    POLICY_ANY = 0, /* anything at all: may the access be opened? */
    POLICY_SHELL,
    POLICY_EXEC,
    POLICY_SFTP_READ,
    POLICY_SFTP_WRITE,
    POLICY_FORWARD,
    POLICY_REMOTE_FORWARD,
    POLICY_AGENT,
    POLICY_X11,
    POLICY_DB, /* log in to a database; the account is the database user */
    POLICY_DB_COPY,
    POLICY_DB_FUNCTION_CALL,
    POLICY_DB_REPLICATION,
    POLICY_DB_LOCAL_INFILE,
    POLICY_ACTION_COUNT
};
/** "shell", "exec", ...: a constant. */
const char *policy_action_text(enum policy_action action);

struct policy_factor {
    bool has;       /* the person has proven a second factor on this connection or by a lease */
    uint64_t age_s; /* how long ago */
};

#define POLICY_TIME_UNKNOWN INT64_MIN
enum {
    POLICY_REASON_BYTES = 256,        /* a reason and a NUL */
    POLICY_REASON_PATTERN_BYTES = 64, /* a pattern of reasons and a NUL */
};
/* The key that a login was signed with. */
enum policy_key {
    POLICY_KEY_PLAIN = 0, /* a file or an agent */
    POLICY_KEY_TOUCHED,   /* a hardware key (FIDO2) whose holder was present */
    POLICY_KEY_VERIFIED,  /* ... and who proved to it who it is: PIN or fingerprint */
};
struct policy_request {
    const char *person;
    struct cursor principals; /* of the login's certificate: repeated strings; empty: none */
    const char *from;         /* numeric address of the engineer's client */
    const char *host;         /* as asked for; compared without regard to case */
    uint16_t port;
    const char *account;                /* "" = any, for the first step; of a database: its user */
    struct cursor database;             /* of a database target; empty: none named, any will do */
    const struct policy_factor *factor; /* NULL: none */
    enum policy_action action;
    struct cursor
        command;  /* for POLICY_EXEC; for POLICY_FORWARD and POLICY_REMOTE_FORWARD a place, or empty */
    int64_t at_s; /* seconds since 1970, or POLICY_TIME_UNKNOWN: then no hours hold */
    struct cursor reason; /* what the engineer says it is for; empty: nothing yet */
    enum policy_key key;  /* what the login's key has proven */
    bool assume_reason;   /* every reason that a rule asks for is given: for listings, not for an access */
};

/* What is missing first is asked first: a reason alone, or a factor (and perhaps a reason with it). */
enum policy_verdict { POLICY_DENIED = 0, POLICY_NEEDS_FACTOR, POLICY_NEEDS_REASON, POLICY_ALLOWED };

/** {0} is a denial. */
struct policy_decision {
    enum policy_verdict verdict;
    /* The rules that allow it, as in grant.rule; or the one that came nearest; or the `never` entry. */
    char rule[GRANT_RULE_BYTES];
    char code[POLICY_CODE_BYTES];        /* "D-MFA-1a2b3c4d"; empty when allowed */
    char sentence[LIMIT_SENTENCE_BYTES]; /* for the engineer; empty when allowed */
    uint64_t factor_max_age_s; /* NEEDS_FACTOR: the oldest factor that would do (the most patient rule) */
    bool factor_adds;          /* ALLOWED: a fresher factor would add to the grant */
    bool needs_reason;         /* NEEDS_REASON; or NEEDS_FACTOR, and the same rule wants a reason, too */
    /* ALLOWED, since the policy only observes (`mode: observe`): the rules deny it. Then code, sentence and
     * rule are those of the denial. */
    bool is_observed;
    bool reason_adds;                                 /* ALLOWED: a reason would add to the grant */
    char reason_pattern[POLICY_REASON_PATTERN_BYTES]; /* with needs_reason: what it must look like; "" any */
    struct policy_grant grant;                        /* ALLOWED only; else empty */
};

/**
 * Decide one request.
 * Step 1, account "": may this person reach host:port at all? The grant is the union over all accounts.
 * Step 2, with account: the grant is the union of all rules that match, minus `never`.
 * With an action other than POLICY_ANY the verdict is about that action; the grant is still the whole union.
 * Whatever is unclear (unknown person, address that is no address, ...) is denied.
 */
void policy_decide(const struct policy *policy, const struct policy_request *request,
                   struct policy_decision *ret);

struct policy_person {
    bool is_machine;        /* no second factor is ever asked */
    uint64_t max_mfa_age_s; /* the longest age of a factor that any rule for this person accepts; 8 h when
                               none says */
    bool is_key_factor;     /* a key that is POLICY_KEY_VERIFIED is a factor for some of its rules */
    uint16_t connections;   /* open at once (defaults.limits.connections_per_person) */
    uint16_t channels;      /* accesses at once on one connection (defaults.limits.channels_per_connection) */
};
/** Are there groups of principals? Then a certificate may let in somebody whom no group names. */
bool policy_has_principals(const struct policy *policy);
/** As policy_person(), for somebody who logged in with a certificate: its principals are repeated strings.
 *  @return ERR_NOT_FOUND when no group names the person or one of them; ERR_TOO_LARGE for too many groups */
MUST_CHECK enum err policy_person_certified(const struct policy *policy, const char *person,
                                            struct cursor principals, struct policy_person *ret);
/** @return ERR_NOT_FOUND when no group names the person. */
MUST_CHECK enum err policy_person(const struct policy *policy, const char *person, struct policy_person *ret);

enum policy_target_kind {
    POLICY_TARGET_SSH = 1,
    POLICY_TARGET_TCP = 2, /* a byte stream: no accounts, no host keys */
    POLICY_TARGET_POSTGRES = 3,
    POLICY_TARGET_MYSQL = 4,
    POLICY_TARGET_INTERNAL = 5, /* a service of the bastion itself: no addresses */
};
/* How the bastion talks to a database, and how the engineer's client does. */
enum policy_tls_verify {
    POLICY_TLS_FULL = 1, /* chain and name */
    POLICY_TLS_CA,       /* chain only */
    POLICY_TLS_OFF,      /* no TLS towards the database */
};
enum policy_client_tls {
    POLICY_CLIENT_TLS_REFUSE = 1, /* plain inside the SSH channel */
    POLICY_CLIENT_TLS_TERMINATE,  /* with a certificate of the bastion's CA */
    POLICY_CLIENT_TLS_OPAQUE,     /* bytes pass unread, so users and statements are not seen */
};
enum policy_login {
    POLICY_LOGIN_CLIENT = 1, /* the engineer's own password passes */
    POLICY_LOGIN_ASK,        /* the bastion logs in with a secret of its own */
    POLICY_LOGIN_RDS_IAM,    /* ... with an AWS token */
};
struct policy_database {
    enum policy_client_tls client_tls;
    enum policy_login login;
    enum policy_tls_verify verify;
    const char *ca;          /* a file name without folder, beside the policy; NULL with POLICY_TLS_OFF */
    const char *server_name; /* the name in the certificate; NULL: the host that was asked for */
    const char *region;      /* of AWS; NULL unless login is POLICY_LOGIN_RDS_IAM */
};
struct policy_target {
    enum policy_target_kind kind;
    const char *name;                /* borrowed from the policy, as all pointers here */
    const struct network *networks;  /* after resolution every address must lie in one of them */
    size_t network_count;            /* 1..POLICY_NETWORKS_MAX; 0 for kind internal */
    const char *known_hosts;         /* a file name without folder, beside the policy; NULL: none */
    const char *const *host_cas;     /* such names of files with the keys of CAs for hosts */
    size_t host_ca_count;            /* 0..POLICY_HOST_CAS_MAX; kind ssh has one of both at least */
    struct policy_database database; /* kinds postgres and mysql */
    const char *service;             /* kind internal: its name */
};
/** @return ERR_NOT_FOUND when no target lists host:port. */
MUST_CHECK enum err policy_target(const struct policy *policy, const char *host, uint16_t port,
                                  struct policy_target *ret);

#endif
