/* The gateway's own configuration: paths, users, limits, times. config/bastiond.yaml is the commented
 * example. Whoever may log in where is not here but in the policy. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/network.h"
#include "yaml/report.h"

enum {
    CONFIG_PATH_BYTES = 256, /* an absolute path and its NUL; "" where a key may be left out */
    CONFIG_NAME_BYTES = 64,
    CONFIG_LISTEN_MAX = 16,
    CONFIG_NETWORKS_MAX = 32,
    CONFIG_CAS_MAX = 8,
    CONFIG_WRITABLE_MAX = 8, /* as many as bastion-pam takes */
    CONFIG_OTHER_NAMES_MAX =
        6, /* with public_name and a listening address as many as a host certificate names */
};

struct config_listen {
    struct network address; /* one address; 0.0.0.0 and :: mean every address of the family */
    uint16_t port;
};

enum config_source {
    CONFIG_SOURCE_AUTO = 0, /* certificates are bound to the address that the connection to the target has */
    CONFIG_SOURCE_NONE,     /* not bound */
    CONFIG_SOURCE_FIXED,    /* bound to `source_address` (behind NAT) */
};

/** Every key of the file with its default where it was left out. All paths are absolute. */
enum config_aws_source {
    CONFIG_AWS_INSTANCE,    /* the metadata service of the EC2 instance */
    CONFIG_AWS_ENVIRONMENT, /* what bastiond was started with */
    CONFIG_AWS_FILE,        /* a shared credentials file */
};

struct gateway_config {
    struct config_listen listen[CONFIG_LISTEN_MAX]; /* default: [::]:22 and 0.0.0.0:22 */
    size_t listen_count;

    char public_name[LIMIT_HOST_BYTES]; /* "": the address that an engineer's connection came to */

    /* Further names by which engineers call the bastion (default none): its host certificate is for them too.
     */
    char other_names[CONFIG_OTHER_NAMES_MAX][LIMIT_HOST_BYTES];
    size_t other_names_count;

    char policy[CONFIG_PATH_BYTES];          /* /etc/bastion/policy.yaml */
    char keys_dir[CONFIG_PATH_BYTES];        /* /etc/bastion/keys: one authorized_keys file per person */
    char people_file[CONFIG_PATH_BYTES];     /* /etc/bastion/people: who is disabled, or expires */
    char known_hosts_dir[CONFIG_PATH_BYTES]; /* the folder of the policy file */
    char state_dir[CONFIG_PATH_BYTES];       /* /var/lib/bastion */
    char recordings_dir[CONFIG_PATH_BYTES];  /* /var/lib/bastion/recordings */
    char evidence_dir[CONFIG_PATH_BYTES];    /* /var/lib/bastion/evidence */
    char recipients[CONFIG_PATH_BYTES];  /* /etc/bastion/recipients: age public keys of the security team */
    char events[CONFIG_PATH_BYTES];      /* /var/log/bastion/events.jsonl */
    char libexec_dir[CONFIG_PATH_BYTES]; /* "": the folder of the running daemon */

    struct {
        char host[CONFIG_PATH_BYTES];    /* /etc/bastion/private/host_key */
        char inner[CONFIG_PATH_BYTES];   /* /etc/bastion/private/inner_key */
        char user_ca[CONFIG_PATH_BYTES]; /* /etc/bastion/private/user_ca */
        char host_ca[CONFIG_PATH_BYTES]; /* /etc/bastion/private/host_ca */
        char db_ca[CONFIG_PATH_BYTES];   /* /etc/bastion/private/db_ca; may be missing */
        char log[CONFIG_PATH_BYTES];     /* /etc/bastion/private/log_key */
    } keys;

    /* CAs that vouch for people's keys, one public key a line (default none), and what of it was revoked. */
    char user_ca_keys[CONFIG_CAS_MAX][CONFIG_PATH_BYTES];
    size_t user_ca_keys_count;
    char revoked_keys[CONFIG_PATH_BYTES]; /* "": nothing */

    struct {
        char service[CONFIG_NAME_BYTES]; /* bastion */
        char confdir[CONFIG_PATH_BYTES]; /* "": the system's /etc/pam.d */
        /* Files and folders that PAM modules may write; /var/lib/bastion/oath. */
        char writable[CONFIG_WRITABLE_MAX][CONFIG_PATH_BYTES];
        size_t writable_count;
    } pam;

    /* Credentials of AWS, for logins at databases with `login: rds-iam`. */
    struct {
        enum config_aws_source source;   /* CONFIG_AWS_INSTANCE */
        char file[CONFIG_PATH_BYTES];    /* CONFIG_AWS_FILE */
        char profile[CONFIG_NAME_BYTES]; /* default */
    } aws;

    enum config_source source;
    struct network source_address; /* CONFIG_SOURCE_FIXED */
    uint64_t min_free_bytes;       /* 1 GiB: below it new sessions are refused */

    /* Numeric, so that nothing depends on a name service. All different; none is 0 or 65534. */
    struct {
        uint32_t signer, recorder, pam, dial, token; /* 64001..64005 */
        uint32_t sessions_first;                     /* 64100: each connection gets a uid of its own ... */
        uint32_t sessions_count;                     /* 1024: ... of this many */
    } uids;

    struct {
        uint32_t max_connections; /* 512; never more than uids.sessions_count */
        uint32_t per_source;      /* 32 from one address */
        uint32_t startups;        /* 64 not yet identified, over all sources */
    } limits;

    /* Sources that are never kept out for what they did (default none): a NAT gateway, a monitoring host. */
    struct network no_penalties[CONFIG_NETWORKS_MAX];
    size_t no_penalties_count;

    struct {
        uint32_t banner_s; /* 10: until the client's version line */
        uint32_t kex_s;    /* 30: until the first key exchange is done */
        uint32_t auth_s;   /* 120: until the person is identified, all in all */
        uint32_t factor_s; /* 90: for one conversation about the second factor */
        uint32_t alive_s;  /* 180: of silence, then the client is asked for a sign of life */
    } times;
};

/**
 * Read and check the configuration. Pure: no path is looked at.
 * @param file_name  for messages only
 * @return ERR_MALFORMED or ERR_TOO_LARGE with at least one error in the report; ERR_MEMORY.
 *         On error `ret` is unchanged.
 */
MUST_CHECK enum err config_load(struct cursor bytes, const char *file_name, struct yaml_report *report,
                                struct gateway_config *ret);

#endif
