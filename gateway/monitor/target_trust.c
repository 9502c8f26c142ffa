/* What vouches for a target: the known_hosts file and the CAs that the policy names for it, read anew for
 * each access, so that a line that is taken out counts at once. */
#include <stdio.h>
#include <stdlib.h>

#include "keys/host_files.h"
#include "keys/host_trust.h"
#include "state.h"

enum err target_trust_write(const struct access *access, const struct policy_target *target,
                            struct writer *out, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    struct keys_host_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL) {
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "%s", err_text(ERR_MEMORY));
        return ERR_MEMORY;
    }
    const struct keys_host_files files = {.dir_fd = access->connection->monitor->known_hosts_dir,
                                          .known_hosts = target->known_hosts,
                                          .cas = target->host_cas,
                                          .ca_count = target->host_ca_count};
    enum err err = keys_host_files_read(&files, access->host, access->port, keys, ret_why);
    if (err == ERR_NONE && keys->count + keys->ca_count == 0) {
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "no line in its known_hosts file%s",
                       target->host_ca_count > 0 ? ", and no CA" : "");
        err = ERR_NOT_FOUND;
    }
    if (err == ERR_NONE) {
        (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "its keys are too many");
        err = keys_host_trust_write(keys, out);
    }
    free(keys);
    return err;
}
