/* What vouches for a target: the known_hosts file and the CAs that the policy names for it, read anew for
 * each access, so that a line that is taken out counts at once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "keys/host_trust.h"
#include "state.h"

static enum err explain(enum err err, const char *file_name, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "%s: %s", file_name,
                   err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    return err;
}

static enum err read_known_hosts(const struct access *access, const char *file_name,
                                 struct keys_host_keys *keys, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    const struct monitor *monitor = access->connection->monitor;
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    struct keys_complaints complaints = {0};
    enum err err =
        fd_read_trusted_file(monitor->known_hosts_dir, file_name, KEYS_KNOWN_HOSTS_FILE_BYTES, &bytes, &len);
    if (err == ERR_NONE) {
        err = keys_known_hosts_find(cursor_of(bytes, len), access->host, access->port, keys, &complaints);
        if (err == ERR_NOT_FOUND) {
            return ERR_NONE; /* perhaps a CA vouches for it */
        }
    }
    return err == ERR_NONE ? ERR_NONE : explain(err, file_name, ret_why);
}

static enum err read_cas(const struct access *access, const struct policy_target *target,
                         struct keys_host_keys *keys, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    const struct monitor *monitor = access->connection->monitor;
    for (size_t i = 0; i < target->host_ca_count; i++) {
        OWNED_BYTES *bytes = NULL;
        size_t len = 0;
        struct keys_complaints complaints = {0};
        enum err err = fd_read_trusted_file(monitor->known_hosts_dir, target->host_cas[i],
                                            KEYS_HOST_CA_FILE_BYTES, &bytes, &len);
        if (err == ERR_NONE) {
            err = keys_host_cas_add(cursor_of(bytes, len), keys, &complaints);
        }
        if (err != ERR_NONE) {
            return explain(err, target->host_cas[i], ret_why);
        }
    }
    return ERR_NONE;
}

enum err target_trust_write(const struct access *access, const struct policy_target *target,
                            struct writer *out, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    struct keys_host_keys *keys = calloc(1, sizeof *keys);
    enum err err = keys == NULL ? ERR_MEMORY : ERR_NONE;
    (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "%s", err_text(err));
    if (err == ERR_NONE && target->known_hosts != NULL) {
        err = read_known_hosts(access, target->known_hosts, keys, ret_why);
    }
    if (err == ERR_NONE) {
        err = read_cas(access, target, keys, ret_why);
    }
    if (err == ERR_NONE && keys->count + keys->ca_count == 0) {
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "no line in its known_hosts file%s",
                       target->host_ca_count > 0 ? ", and no CA" : "");
        err = ERR_NOT_FOUND;
    }
    if (err == ERR_NONE) {
        err = keys_host_trust_write(keys, out);
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "its keys are too many");
    }
    free(keys);
    return err;
}
