/* The policy as it lies in memory: what the file says (for explaining), and the indexes made of it (for
 * deciding). */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include "base/arena.h"
#include "base/names.h"
#include "hours.h"
#include "policy/explain.h"
#include "policy/policy.h"
#include "yaml/document.h"

/* Bounds of one file. Bit tables are groups x rules and targets x rules: 12.5 MiB each at the most. */
enum {
    POLICY_PEOPLE_MAX = 100000,
    POLICY_GROUPS_MAX = 10000,
    POLICY_TARGETS_MAX = 10000,
    POLICY_RULES_MAX = 10000,
    POLICY_NEVERS_MAX = 1000,
    POLICY_WILDCARDS_MAX = 4096,    /* host patterns with "*", over all targets */
    POLICY_RULE_NETWORKS_MAX = 256, /* `from` of one rule */
    POLICY_PATTERNS_MAX = 64,       /* commands of one rule */
    POLICY_GROUP_PRINCIPALS_MAX = 1000,
};

/* What a grant can hold, as bits: of a rule's `can` and of a never's `deny`. */
enum can_bit {
    CAN_SHELL = 1,
    CAN_EXEC = 2,
    CAN_SFTP = 4,
    CAN_FORWARD = 8,
    CAN_REMOTE_FORWARD = 16,
    CAN_AGENT = 32,
    CAN_X11 = 64,
    CAN_CONNECT = 128, /* of targets of kind tcp and internal */
    CAN_SSH = 127,     /* all of kind ssh */
    CAN_DB = 256,
    CAN_DB_COPY = 512,
    CAN_DB_FUNCTION_CALL = 1024,
    CAN_DB_REPLICATION = 2048,
    CAN_DB_LOCAL_INFILE = 4096,
    CAN_DB_OPAQUE = 8192, /* of databases whose bytes pass unread: there it is the only one */
    CAN_DB_ANY = 16128,
    CAN_ALL = 16383,
};
/** The bits that an action needs one of. */
unsigned can_bits_of(enum policy_action action);
/** "agent" for CAN_AGENT, ...; NULL past the last. */
const char *can_name(size_t index, unsigned *ret_bit);

struct network_set {
    const char *name;
    const struct yaml_node *key; /* while the file is read */
    unsigned line, column;
    struct network *networks;
    size_t count;
    bool is_used;
};

struct person {
    const char *name;
    uint32_t *groups;
    size_t group_count;
    bool is_machine;
};

struct group {
    const char *name;
    unsigned line, column;
    uint32_t *people;
    size_t people_count;
    struct cursor *principals; /* of certificates */
    size_t principal_count;
    bool is_machine;
    uint32_t max_mfa_age_s; /* 0: no rule for the group says */
    bool is_key_factor;     /* some rule takes a hardware key for the factor */
};

struct principal {
    struct cursor name;
    uint32_t *groups;
    size_t group_count;
};

struct target {
    const char *name;
    unsigned line, column;
    enum policy_target_kind kind;
    uint16_t port;
    struct cursor *hosts; /* in lower case */
    size_t host_count;
    struct network *networks;
    size_t network_count;
    struct cursor *accounts;
    size_t account_count;
    const char *known_hosts; /* NULL: none */
    const char **host_cas;   /* names of files, as known_hosts */
    size_t host_ca_count;
    const char *service;
    struct policy_database database;
    uint8_t fingerprint[POLICY_HASH_BYTES]; /* of what the file says of it */
    uint32_t *labels;                       /* numbers of "key=value" */
    size_t label_count;
};

/* One item of `to`: a target, or all targets that have all of some labels. */
struct selector {
    bool is_target;
    uint32_t target;
    uint32_t *labels;
    size_t label_count;
};

struct can {
    bool shell, agent, x11, connect;
    enum grant_forward forward, remote_forward;
    enum grant_exec exec;
    enum grant_sftp sftp;
    bool db_opaque;
    unsigned db_rights;                    /* enum grant_db_right */
    struct cursor db_users, db_databases;  /* as in struct grant_database */
    struct cursor patterns, places, paths; /* as in struct policy_grant */
};

enum record_input { RECORD_INPUT_DEFAULT = 0, RECORD_INPUT_NONE, RECORD_INPUT_ALL };
enum record_sftp { RECORD_SFTP_DEFAULT = 0, RECORD_SFTP_NAMES, RECORD_SFTP_HASHES };
enum record_params { RECORD_PARAMS_DEFAULT = 0, RECORD_PARAMS_NONE, RECORD_PARAMS_HASH, RECORD_PARAMS_FULL };
enum { RECORD_CAP_MAX = 1 << 30 };
struct record_rules {
    uint64_t exec_cap_bytes; /* UINT64_MAX: the default, of exec_is_counted too */
    bool exec_is_counted;    /* neither kept nor hashed */
    enum record_input input;
    enum record_sftp sftp;
    enum record_params params;
};

struct limit_rules {
    uint32_t session_s, idle_s;
    uint16_t connections,
        channels; /* in `defaults` of all connections, in a rule of accesses to one target */
};

struct rule {
    const char *id;
    unsigned line, column;
    uint32_t *groups;
    size_t group_count;
    struct selector *targets;
    size_t target_count;
    struct cursor *accounts;
    size_t account_count;
    struct can can;
    uint32_t mfa_age_s;  /* 0: no factor is asked */
    bool is_key_factor;  /* a hardware key that checked its holder is a factor, too */
    enum policy_key key; /* what the key of the login must be */
    struct hours *hours;
    size_t hours_count; /* 0: at any time */
    int64_t until_s;    /* 0: for good */
    const char *reason; /* NULL: none is asked; a pattern with "*" */
    struct network *from;
    size_t from_count; /* 0: from anywhere */
    struct record_rules record;
    struct limit_rules limits;              /* 0: the default */
    uint8_t fingerprint[POLICY_HASH_BYTES]; /* of what the file says */
};

struct never {
    const char *id;
    unsigned line, column;
    uint32_t *groups;
    size_t group_count; /* 0: everybody */
    struct selector *targets;
    size_t target_count; /* 0: everywhere */
    unsigned deny;       /* enum can_bit */
};

/* Which entries (rules or nevers) name a group, and which a target: one row of bits each. */
struct bit_table {
    size_t entry_count, word_count;
    uint64_t *by_group, *by_target;
};

struct host_entry {
    struct cursor pattern;
    uint32_t target;
    uint32_t next; /* the next entry under the same key, or HOST_END */
};
#define HOST_END UINT32_MAX
/* Literal names by name, patterns by their literal end. */
struct host_index {
    struct names literals, suffixes; /* number: first entry */
    struct host_entry *entries;
    size_t count;
};

struct policy {
    struct arena arena;
    uint8_t sha256[POLICY_HASH_BYTES];
    bool is_observing;
    const char **file_names; /* 0: the policy; then those that add to it */
    struct network_set *network_sets;
    struct group *groups;
    struct person *people;
    struct target *targets;
    struct rule *rules;
    struct never *nevers;
    size_t network_set_count, group_count, people_count, target_count, rule_count, never_count;
    struct record_rules record;
    struct limit_rules limits;
    struct zone *zones;
    uint32_t zone_count;
    struct principal *principals;
    size_t principal_count;
    struct names principals_by_name;
    struct names people_by_name;
    struct host_index hosts;
    struct bit_table rule_bits, never_bits;
};

enum { DURATION_BYTES = 32 };
/** "8h", "15m", "90s", as the file would say it. Returns `text`. */
const char *duration_text(uint64_t seconds, char text[static DURATION_BYTES]);
bool selector_covers(const struct selector *selector, const struct policy *policy, uint32_t target);
/** The bits that mean something on a target. */
unsigned can_bits_of_target(const struct target *target);
static inline bool target_is_database(const struct target *target)
{
    return target->kind == POLICY_TARGET_POSTGRES || target->kind == POLICY_TARGET_MYSQL;
}
/** What a rule's `can` holds, as bits. */
unsigned can_bits(const struct can *can);

/* membership.c */
enum { MEMBERSHIP_GROUPS_MAX = 1024 };
struct membership {
    const struct person *person; /* NULL: known by principals alone */
    size_t count;
    uint32_t groups[MEMBERSHIP_GROUPS_MAX];
};
/** @return ERR_NOT_FOUND when no group names the person or a principal; ERR_TOO_LARGE for too many groups,
 * and as cursor_string(): then nothing may be allowed, for a `never` could be missed. */
MUST_CHECK enum err membership_of(const struct policy *policy, const char *person, struct cursor principals,
                                  struct membership *ret);

/* bit_table.c */
MUST_CHECK enum err bit_table_of_rules(struct policy *policy);
MUST_CHECK enum err bit_table_of_nevers(struct policy *policy);
static inline const uint64_t *bit_table_row(const uint64_t *rows, const struct bit_table *table,
                                            uint32_t number)
{
    return rows + (size_t)number * table->word_count;
}

/* host_index.c */
/** @return ERR_MEMORY. */
MUST_CHECK enum err host_index_build(struct policy *policy);
void host_index_done(struct host_index *index);
#define HOST_NONE UINT32_MAX
/** The target that lists host:port, else HOST_NONE. @param host  in any case */
uint32_t host_index_find(const struct policy *policy, struct cursor host, uint16_t port);
/** Another entry of the index on the same port that some host would match too; else NULL. */
const struct host_entry *host_index_overlap(const struct policy *policy, size_t entry);

/** Does one clause hold? Shared by deciding and explaining, so that both speak of the same thing. */
/** `account` "": some account. Only targets of kind ssh know accounts; the users of a database are in `can`.
 */
bool rule_allows_account(const struct rule *rule, const struct target *target, struct cursor account);
/** A `*` of the pattern stands for any text. */
bool reason_matches(struct cursor pattern, struct cursor reason);
/** The first clause of `when` that does not hold, else POLICY_CLAUSE_NONE. */
enum policy_clause rule_failing_condition(const struct policy *policy, const struct rule *rule,
                                          const struct network *from, const struct policy_request *request);
/** @param denied   bits that `never` takes away, or that the target does not know */
bool rule_allows_action(const struct rule *rule, const struct target *target, unsigned denied,
                        const struct policy_request *request);
/** The first clause behind `to` that does not hold, else POLICY_CLAUSE_NONE. @param denied  as above */
enum policy_clause rule_failing_clause(const struct policy *policy, const struct rule *rule,
                                       const struct target *target, unsigned denied,
                                       const struct network *from, const struct policy_request *request);
/** Does the rule name the user and the database of the request (what is empty is any)? */
bool rule_names_database(const struct rule *rule, const struct policy_request *request);

#endif
