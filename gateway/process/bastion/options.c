#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "command.h"
#include "config/config.h"

#define CONFIG_PATH "/etc/bastion/bastiond.yaml"
/* A document must say something: this is what it would be without. */
#define CONFIG_DEFAULTS "state_dir: /var/lib/bastion\n"

enum { CONFIG_BYTES = 1 << 20, IDENTITY_BYTES = 65536 };

bool common_take(struct common *common, int option, const char *argument)
{
    switch (option) {
    case OPTION_CONFIG:
        common->config = argument;
        return true;
    case OPTION_RECORDINGS:
        common->recordings = argument;
        return true;
    case OPTION_EVIDENCE:
        common->evidence = argument;
        return true;
    case OPTION_KEY:
        common->key = argument;
        return true;
    case OPTION_IDENTITY:
        common->identity = argument;
        return true;
    case OPTION_JSON:
        common->is_json = true;
        return true;
    default:
        return false;
    }
}

static bool print_report(const struct yaml_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        char line[YAML_LINE_BYTES];
        (void)fprintf(stderr, "%s\n", yaml_report_line(report, i, line));
    }
    return false;
}

/* A missing file at the usual place is an empty one: all keys have defaults. */
bool config_find(const struct common *common, struct gateway_config *ret_config)
{
    const char *path = common->config == NULL ? CONFIG_PATH : common->config;
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum err err = fd_read_trusted_file(AT_FDCWD, path, CONFIG_BYTES, &bytes, &len);
    bool is_missing = err == ERR_NOT_FOUND && common->config == NULL;
    if (err != ERR_NONE && !is_missing) {
        (void)complain(0, "config", "%s: %s", path, err == ERR_SYSTEM ? strerror(errno) : err_text(err));
        return false;
    }
    struct yaml_report *report = calloc(1, sizeof *report);
    err = report == NULL ? ERR_MEMORY
                         : config_load(is_missing ? cursor_of_text(CONFIG_DEFAULTS) : cursor_of(bytes, len),
                                       path, report, ret_config);
    free(bytes);
    bool is_good = err == ERR_NONE || (report != NULL && print_report(report));
    free(report);
    return is_good;
}

static bool copy_path(char ret_path[static COMMAND_PATH_BYTES], const char *given, const char *configured,
                      const char *suffix)
{
    int len = given != NULL ? snprintf(ret_path, COMMAND_PATH_BYTES, "%s", given)
                            : snprintf(ret_path, COMMAND_PATH_BYTES, "%s%s", configured, suffix);
    if (len < 0 || len >= COMMAND_PATH_BYTES) {
        (void)complain(0, "config", "a path is longer than %d bytes", COMMAND_PATH_BYTES - 1);
        return false;
    }
    return true;
}

bool places_find(const struct common *common, struct places *ret_places)
{
    struct gateway_config *config = calloc(1, sizeof *config);
    bool needs_config = common->recordings == NULL || common->evidence == NULL || common->key == NULL;
    bool is_good = config != NULL && (!needs_config || config_find(common, config)) &&
                   copy_path(ret_places->recordings, common->recordings, config->recordings_dir, "") &&
                   copy_path(ret_places->evidence, common->evidence, config->evidence_dir, "") &&
                   copy_path(ret_places->key, common->key, config->keys.log, ".pub");
    free(config);
    return is_good;
}

bool identities_read(const struct common *common, struct record_identities *ret_identities)
{
    const char *path = common->identity == NULL ? getenv("BASTION_IDENTITY") : common->identity;
    if (path == NULL || *path == 0) {
        (void)complain(
            0, "replay",
            "recordings are sealed for the security team: name a private key file with --identity FILE "
            "or in $BASTION_IDENTITY (age-keygen makes such files)");
        return false;
    }
    OWNED_SECRET text = {0};
    enum err err = fd_read_secret_file(AT_FDCWD, path, IDENTITY_BYTES, &text);
    if (err != ERR_NONE) {
        const char *what = err == ERR_DENIED   ? "must be yours and closed to all others: chmod 600"
                           : err == ERR_SYSTEM ? strerror(errno)
                                               : err_text(err);
        (void)complain(0, "replay", "the private key file %s: %s", path, what);
        return false;
    }
    char sentence[RECORD_AGE_SENTENCE_BYTES];
    if (record_identities_parse(secret_peek(&text), ret_identities, sentence) != ERR_NONE) {
        (void)complain(0, "replay", "the private key file %s: %s", path, sentence);
        return false;
    }
    return true;
}

int find_recording(const struct places *places, const char *prefix, char ret_path[static REPLAY_PATH_BYTES],
                   char ret_sid[static REPLAY_SID_BYTES])
{
    enum err err = replay_list_find(places->recordings, prefix, ret_path, ret_sid);
    if (err == ERR_NONE) {
        return COMMAND_OK;
    }
    if (err == ERR_MALFORMED) {
        return complain(COMMAND_USAGE, "find", "%s is no session id: give at least %d of its hex digits",
                        prefix, REPLAY_PREFIX_BYTES);
    }
    if (err == ERR_STATE) {
        return complain(COMMAND_NO, "find", "several sessions begin with %s: give more digits", prefix);
    }
    if (err == ERR_NOT_FOUND) {
        return complain(COMMAND_NO, "find", "no recording in %s begins with %s", places->recordings, prefix);
    }
    return complain(COMMAND_TROUBLE, "find", "%s: %s", places->recordings, strerror(errno));
}
