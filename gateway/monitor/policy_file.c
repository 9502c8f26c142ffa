/* The files that operators edit: the policy, and one file of keys per person. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "state.h"

static const char DECOY_FILE[] = "decoy_keys";

static void explain_read(enum err err, const char *path, char *ret_sentence, size_t size_bytes)
{
    if (err == ERR_DENIED) {
        (void)snprintf(
            ret_sentence, size_bytes,
            "%s: must be a regular file of root that nobody else may write (chown root, chmod go-w)", path);
    } else {
        (void)snprintf(ret_sentence, size_bytes, "%s: %s", path,
                       err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
}

static void report_findings(struct monitor *monitor, const struct yaml_report *findings, char *ret_first,
                            size_t size_bytes)
{
    bool has_error = false;
    for (size_t i = 0; i < findings->count; i++) {
        char line[YAML_LINE_BYTES];
        (void)yaml_report_line(findings, i, line);
        bool is_warning = findings->findings[i].is_warning;
        REPORT(monitor, is_warning ? "policy.warning" : "policy.error",
               is_warning ? EVENT_SUCCESS : EVENT_FAILURE, {.key = "sentence", .text = line});
        if (!is_warning && !has_error) {
            has_error = true;
            (void)snprintf(ret_first, size_bytes, "%s", line);
        }
    }
}

enum err policy_file_read(const struct monitor *monitor, uint8_t **ret_bytes, size_t *ret_len,
                          char *ret_sentence, size_t size_bytes)
{
    const char *path = monitor->config.policy;
    char failed[PATH_MAX];
    enum err err = policy_files_read(path, true, ret_bytes, ret_len, failed, sizeof failed);
    if (err != ERR_NONE) {
        explain_read(err, failed, ret_sentence, size_bytes);
    }
    return err;
}

enum err policy_file_compile(struct monitor *monitor, struct cursor bytes, struct policy **ret,
                             char *ret_sentence, size_t size_bytes)
{
    const char *path = monitor->config.policy;
    struct policy_report *found = calloc(1, sizeof *found);
    if (found == NULL) {
        return ERR_MEMORY;
    }
    enum err err = policy_load_bundle(bytes, found, ret);
    (void)snprintf(ret_sentence, size_bytes, "%s: %s", path, err_text(err));
    report_findings(monitor, &found->findings, ret_sentence, size_bytes);
    free(found);
    return err;
}

struct policy *policy_file_adopt(struct monitor *monitor, struct policy *policy)
{
    struct policy *before = monitor->policy;
    monitor->policy = policy;
    monitor->policy_number++;
    monitor->policy_loaded_s = clock_wall_s();
    (void)text_hex(cursor_of(policy_sha256(policy), POLICY_HASH_BYTES), monitor->policy_hash,
                   sizeof monitor->policy_hash);
    return before;
}

enum err policy_file_load(struct monitor *monitor, char *ret_sentence, size_t size_bytes)
{
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    struct policy *policy = NULL;
    TRY(policy_file_read(monitor, &bytes, &len, ret_sentence, size_bytes));
    TRY(policy_file_compile(monitor, cursor_of(bytes, len), &policy, ret_sentence, size_bytes));
    policy_free(policy_file_adopt(monitor, policy));
    policy_keep(monitor, cursor_of(bytes, len));
    return ERR_NONE;
}

enum err policy_file_keys(struct monitor *monitor, const char *person, uint8_t **ret_bytes, size_t *ret_len)
{
    return fd_read_trusted_file(monitor->keys_dir, person, KEYS_AUTHORIZED_FILE_BYTES, ret_bytes, ret_len);
}

enum err policy_file_make_decoy(struct monitor *monitor)
{
    char line[KEYS_LINE_BYTES];
    TRY(keys_line_write(keys_blob_peek(&monitor->signer.host_blob), line, sizeof line));
    return fd_swap_file(monitor->state_dir, DECOY_FILE, 0600, cursor_of_text(line));
}

enum err policy_file_decoy(struct monitor *monitor, uint8_t **ret_bytes, size_t *ret_len)
{
    return fd_read_trusted_file(monitor->state_dir, DECOY_FILE, KEYS_AUTHORIZED_FILE_BYTES, ret_bytes,
                                ret_len);
}
