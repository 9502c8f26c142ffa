#include "keys/host_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

static enum err explain(enum err err, const char *file_name, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    (void)snprintf(ret_why, LIMIT_SENTENCE_BYTES, "%s: %s", file_name,
                   err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    return err;
}

static enum err read_known_hosts(const struct keys_host_files *files, const char *host, uint16_t port,
                                 struct keys_host_keys *keys, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    struct keys_complaints complaints = {0};
    enum err err =
        fd_read_trusted_file(files->dir_fd, files->known_hosts, KEYS_KNOWN_HOSTS_FILE_BYTES, &bytes, &len);
    if (err == ERR_NONE) {
        err = keys_known_hosts_find(cursor_of(bytes, len), host, port, keys, &complaints);
        if (err == ERR_NOT_FOUND) {
            return ERR_NONE; /* perhaps a CA vouches for it */
        }
    }
    return err == ERR_NONE ? ERR_NONE : explain(err, files->known_hosts, ret_why);
}

static enum err read_cas(const struct keys_host_files *files, struct keys_host_keys *keys,
                         char ret_why[static LIMIT_SENTENCE_BYTES])
{
    for (size_t i = 0; i < files->ca_count; i++) {
        OWNED_BYTES *bytes = NULL;
        size_t len = 0;
        struct keys_complaints complaints = {0};
        enum err err =
            fd_read_trusted_file(files->dir_fd, files->cas[i], KEYS_HOST_CA_FILE_BYTES, &bytes, &len);
        if (err == ERR_NONE) {
            err = keys_host_cas_add(cursor_of(bytes, len), keys, &complaints);
        }
        if (err != ERR_NONE) {
            return explain(err, files->cas[i], ret_why);
        }
    }
    return ERR_NONE;
}

enum err keys_host_files_read(const struct keys_host_files *files, const char *host, uint16_t port,
                              struct keys_host_keys *ret_keys, char ret_why[static LIMIT_SENTENCE_BYTES])
{
    memset(ret_keys, 0, sizeof *ret_keys);
    if (files->known_hosts != NULL) {
        TRY(read_known_hosts(files, host, port, ret_keys, ret_why));
    }
    return read_cas(files, ret_keys, ret_why);
}
