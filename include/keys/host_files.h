/* The operators' files about hosts, as they lie beside the policy. */
#ifndef KEYS_HOST_FILES_H
#define KEYS_HOST_FILES_H

#include <stddef.h>

#include "keys/known_hosts.h"

struct keys_host_files {
    int dir_fd;              /* that the names are relative to */
    const char *known_hosts; /* NULL: none */
    const char *const *cas;
    size_t ca_count;
};

/** Read what vouches for `host` on `port`. That nothing does is no error: look at the counts.
 *  @param ret_why  on an error: the file and what is wrong with it
 *  @return ERR_NOT_FOUND for a missing file; ERR_DENIED for one that others may write; ERR_TOO_LARGE;
 * ERR_MALFORMED for a host that is none; ERR_SYSTEM. */
MUST_CHECK enum err keys_host_files_read(const struct keys_host_files *files, const char *host, uint16_t port,
                                         struct keys_host_keys *ret_keys,
                                         char ret_why[static LIMIT_SENTENCE_BYTES]);

#endif
