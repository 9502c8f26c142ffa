/* `bastion policy history` and `at`: which policy was in force when. The evidence log names each by its hash,
 * and the gateway keeps the files. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "command.h"
#include "policy/policy.h"
#include "policy_past.h"
#include "replay/moment.h"

static const char HELP[] =
    "usage: bastion policy history [OPTIONS]\n"
    "       bastion policy at WHEN [OPTIONS]\n"
    "\n"
    "history lists the policies that were in force: since when, SHA-256, and the file that the gateway keeps "
    "of each.\n"
    "at prints the file of the one that was in force at a moment, for the other commands:\n"
    "\n"
    "  bastion policy who-can \"$(bastion policy at 2026-03-15)\" orders-db\n"
    "  bastion policy diff \"$(bastion policy at 30d)\" /etc/bastion/policy.yaml\n"
    "\n"
    "WHEN is 12h, 30d (ago), 2026-03-15 or 2026-03-15T10:30, in UTC. The log is read as it is: `bastion "
    "verify` proves it.\n"
    "\n"
    "  --json              history: one object a line\n"
    "  --evidence DIR      the folder of the evidence log (default: as configured)\n"
    "  --config FILE       (default: /etc/bastion/bastiond.yaml), which names the folder of the kept files, "
    "too\n"
    "\n"
    "exit status: 0 found, 1 there is none, 2 usage, 3 the log cannot be read\n";

enum { TIME_CHARS = sizeof "2026-01-01T00:00:00", HASH_CHARS = 2 * POLICY_HASH_BYTES };

/* One line "policy TIME HASH". */
struct past {
    char time[CLOCK_TEXT_BYTES], hash[HASH_CHARS + 1];
};

static bool take(struct cursor word, char *ret_text, size_t size_bytes)
{
    size_t len = cursor_len(&word);
    if (len >= size_bytes) {
        return false;
    }
    memcpy(ret_text, word.at, len);
    ret_text[len] = 0;
    return true;
}

static bool read_past(struct cursor line, struct past *ret)
{
    struct cursor kind;
    struct cursor time;
    struct cursor hash;
    return cursor_word(&line, &kind) && cursor_equal_text(kind, "policy") && cursor_word(&line, &time) &&
           cursor_word(&line, &hash) && take(time, ret->time, sizeof ret->time) &&
           cursor_len(&hash) == HASH_CHARS && take(hash, ret->hash, sizeof ret->hash) &&
           strspn(ret->hash, "0123456789abcdef") == HASH_CHARS;
}

struct search {
    char leaves[COMMAND_PATH_BYTES + 16], folder[COMMAND_PATH_BYTES + 16];
    char until[CLOCK_TEXT_BYTES]; /* "" for all */
    bool is_list, is_json;
    struct past last;
    bool is_found;
};

static void file_of(const struct search *search, const struct past *past,
                    char path[static 2 * COMMAND_PATH_BYTES])
{
    (void)snprintf(path, 2 * (size_t)COMMAND_PATH_BYTES, "%s/%s%s", search->folder, past->hash,
                   POLICY_BUNDLE_END);
}

static void print(const struct search *search, const struct past *past)
{
    char path[2 * COMMAND_PATH_BYTES];
    file_of(search, past, path);
    bool is_kept = access(path, R_OK) == 0;
    if (!search->is_json) {
        (void)printf("%.*sZ  %s  %s\n", TIME_CHARS - 1, past->time, past->hash, is_kept ? path : "not kept");
        return;
    }
    json_t *json = json_pack("{s:s, s:s, s:s?}", "since", past->time, "sha256", past->hash, "file",
                             is_kept ? path : NULL);
    char *line = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    (void)puts(line == NULL ? "null" : line);
    free(line);
    json_decref(json);
}

/* Times of one form and one zone: their texts are in their order. */
static int read_log(struct search *search)
{
    FILE *leaves = fopen(search->leaves, "rbe");
    if (leaves == NULL) {
        return complain(COMMAND_TROUBLE, "policy", "%s: %s", search->leaves, strerror(errno));
    }
    char *line = NULL;
    size_t size = 0;
    ssize_t len = 0;
    while ((len = getline(&line, &size, leaves)) > 1) {
        struct past past;
        bool is_wanted = read_past(cursor_of(line, (size_t)len - 1), &past) &&
                         (search->until[0] == 0 || strcmp(past.time, search->until) <= 0);
        if (is_wanted) {
            search->last = past;
            search->is_found = true;
        }
        if (is_wanted && search->is_list) {
            print(search, &past);
        }
    }
    bool has_failed = ferror(leaves) != 0;
    free(line);
    (void)fclose(leaves);
    return has_failed ? complain(COMMAND_TROUBLE, "policy", "%s: cannot be read", search->leaves)
                      : COMMAND_OK;
}

static int run(struct search *search)
{
    int code = read_log(search);
    if (code != COMMAND_OK) {
        return code;
    }
    if (!search->is_found) {
        return complain(COMMAND_NO, "policy", "the evidence log names no policy for that time");
    }
    if (!search->is_list) {
        char path[2 * COMMAND_PATH_BYTES];
        file_of(search, &search->last, path);
        if (access(path, R_OK) != 0) {
            return complain(COMMAND_NO, "policy", "%s was in force, and its file is not there: %s",
                            search->last.hash, strerror(errno));
        }
        (void)puts(path);
    }
    return finish_output(COMMAND_OK, "policy");
}

static bool find_folders(const struct common *common, struct search *search)
{
    struct gateway_config *config = calloc(1, sizeof *config);
    bool is_good = config != NULL && config_find(common, config);
    if (is_good) {
        (void)snprintf(search->leaves, sizeof search->leaves, "%s/leaves",
                       common->evidence == NULL ? config->evidence_dir : common->evidence);
        (void)snprintf(search->folder, sizeof search->folder, "%s/policies", config->state_dir);
    }
    free(config);
    return is_good;
}

int policy_past_main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {COMMON_OPTIONS, {0}};
    struct common common = {0};
    bool is_list = strcmp(argv[0], "history") == 0;
    optind = 0;
    for (int option = 0; (option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1;) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (!common_take(&common, option, optarg)) {
            return complain_usage("policy");
        }
    }
    if (argc - optind != (is_list ? 0 : 1)) {
        return complain(COMMAND_USAGE, "policy", is_list ? "history takes no words" : "at needs one moment");
    }
    struct search *search = calloc(1, sizeof *search);
    if (search == NULL || !find_folders(&common, search)) {
        free(search);
        return COMMAND_TROUBLE;
    }
    uint64_t at_us = 0;
    int code = COMMAND_OK;
    if (!is_list && replay_moment_parse(cursor_of_text(argv[optind]), clock_wall_us(), &at_us) != ERR_NONE) {
        code = complain(COMMAND_USAGE, "policy", "%s is no time: write 30d, 2026-03-15 or 2026-03-15T10:30",
                        argv[optind]);
    }
    if (!is_list) {
        (void)clock_text(at_us, search->until);
    }
    search->is_list = is_list;
    search->is_json = common.is_json;
    code = code == COMMAND_OK ? run(search) : code;
    free(search);
    return code;
}
