/* `bastion targets`: which hosts to look at. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "command.h"
#include "scan.h"

static const char HELP[] =
    "usage: bastion targets scan [OPTIONS] [TARGET | HOST | HOST:PORT]...\n"
    "\n"
    "Connect to hosts as far as the key exchange, and show which host keys and certificates they prove to "
    "hold,\n"
    "beside what the policy's known_hosts files and CAs say of them. Nothing is trusted by it and no file of "
    "the\n"
    "gateway is written: the lines that it proposes are for a person to compare and to add.\n"
    "\n"
    "Without names all hosts of the targets of kind ssh, except patterns with \"*\"; a host that only a "
    "pattern\n"
    "lists can be named. Run it where the gateway runs: elsewhere names may lead elsewhere.\n"
    "\n"
    "  --policy FILE    default: the configuration's; known_hosts files and CAs lie beside it\n"
    "  --config FILE    default /etc/bastion/bastiond.yaml\n"
    "  --timeout TIME   for each host (10s; up to 2m)\n"
    "  --output FILE    write the proposed lines to a new file; an existing one is never touched\n"
    "  --json           one object for each host, a line each\n"
    "\n"
    "same: known already. new: nothing is known of its kind. CHANGED: another key is known; find out why "
    "before\n"
    "you change the file. REFUSED: revoked, or a certificate of a trusted CA that is wrong.\n"
    "\n"
    "exit status: 0 all hosts were reached and all they showed is known; 1 there is something to look at;\n"
    "             2 usage; 3 a file cannot be read or written\n"
    "\n"
    "  bastion targets scan --output /etc/bastion/new.known_hosts\n"
    "  bastion targets scan web ip-10-0-1-23.internal\n";

enum { OPTION_POLICY = OPTION_OWN, OPTION_TIMEOUT, OPTION_OUTPUT, TIMEOUT_S = 10, TIMEOUT_MAX_S = 120 };
enum { POLICY_BYTES = 16 << 20, SSH_PORT = 22 };

struct scan {
    struct common common;
    const char *policy_path, *output;
    uint32_t timeout_s;
    uint32_t uid;
    char policy_file[CONFIG_PATH_BYTES], folder[CONFIG_PATH_BYTES];
    struct policy *policy; /* OWNED */
    struct scan_job *jobs; /* OWNED */
    size_t count, capacity;
    const char *wanted; /* of the target that is being looked for */
    bool has_failed;
};

/* ---- what to look at ---- */

static bool add_job(struct scan *scan, struct cursor host, uint16_t port, const struct policy_target *target)
{
    if (scan->count == scan->capacity) {
        size_t capacity = scan->capacity == 0 ? 16 : 2 * scan->capacity;
        struct scan_job *jobs = realloc(scan->jobs, capacity * sizeof *jobs);
        if (jobs == NULL) {
            scan->has_failed = true;
            return false;
        }
        scan->jobs = jobs;
        scan->capacity = capacity;
    }
    struct scan_job *job = &scan->jobs[scan->count++];
    memset(job, 0, sizeof *job);
    (void)snprintf(job->host, sizeof job->host, "%.*s", (int)cursor_len(&host), (const char *)host.at);
    job->port = port;
    job->target = *target;
    return true;
}

/* @return false to stop, as the walk wants it. */
static bool add_listed(void *context, const struct policy_listed *listed)
{
    struct scan *scan = context;
    bool is_wanted = scan->wanted == NULL || strcmp(scan->wanted, listed->target.name) == 0;
    if (!is_wanted || listed->target.kind != POLICY_TARGET_SSH) {
        return true;
    }
    for (size_t i = 0; i < listed->host_count; i++) {
        bool is_pattern = memchr(listed->hosts[i].at, '*', cursor_len(&listed->hosts[i])) != NULL;
        if (!is_pattern && !add_job(scan, listed->hosts[i], listed->port, &listed->target)) {
            return false;
        }
    }
    return true;
}

/* "host", "host:port", "[v6]:port" */
static bool split(const char *word, char host[static LIMIT_HOST_BYTES], uint16_t *ret_port)
{
    const char *colon = strrchr(word, ':');
    bool is_bare = colon == NULL || (word[0] != '[' && strchr(word, ':') != colon);
    size_t len = is_bare ? strlen(word) : (size_t)(colon - word);
    uint64_t port = SSH_PORT;
    if (!is_bare && text_u64(cursor_of_text(colon + 1), UINT16_MAX, &port) != ERR_NONE) {
        return false;
    }
    if (len > 1 && word[0] == '[' && word[len - 1] == ']') {
        word++;
        len -= 2;
    }
    if (len >= LIMIT_HOST_BYTES || port == 0 || !text_is_host(cursor_of(word, len))) {
        return false;
    }
    (void)snprintf(host, LIMIT_HOST_BYTES, "%.*s", (int)len, word);
    *ret_port = (uint16_t)port;
    return true;
}

static int add_word(struct scan *scan, const char *word)
{
    size_t before = scan->count;
    char host[LIMIT_HOST_BYTES];
    uint16_t port = 0;
    struct policy_target target;
    scan->wanted = word;
    policy_targets(scan->policy, add_listed, scan);
    if (scan->count > before) {
        return COMMAND_OK;
    }
    if (!split(word, host, &port) || policy_target(scan->policy, host, port, &target) != ERR_NONE) {
        return complain(COMMAND_USAGE, "targets scan",
                        "no target of the policy has the name \"%s\" or lists it as a host", word);
    }
    if (target.kind != POLICY_TARGET_SSH) {
        return complain(COMMAND_USAGE, "targets scan", "%s is no target of kind ssh: it has no host keys",
                        word);
    }
    scan->has_failed = !add_job(scan, cursor_of_text(host), port, &target);
    return COMMAND_OK;
}

/* ---- files ---- */

static bool find_files(struct scan *scan)
{
    struct gateway_config *config = calloc(1, sizeof *config);
    if (config == NULL || !config_find(&scan->common, config)) {
        free(config);
        return false;
    }
    bool is_own = scan->policy_path != NULL;
    (void)snprintf(scan->policy_file, sizeof scan->policy_file, "%s",
                   is_own ? scan->policy_path : config->policy);
    const char *slash = strrchr(scan->policy_file, '/');
    if (!is_own) {
        (void)snprintf(scan->folder, sizeof scan->folder, "%s", config->known_hosts_dir);
    } else {
        (void)snprintf(scan->folder, sizeof scan->folder, "%.*s",
                       slash == NULL ? 1 : (int)(slash - scan->policy_file) + 1,
                       slash == NULL ? "." : scan->policy_file);
    }
    scan->uid = config->uids.dial;
    free(config);
    return true;
}

static bool load_policy(struct scan *scan)
{
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    struct policy_report *found = calloc(1, sizeof *found);
    enum err err = found == NULL
                       ? ERR_MEMORY
                       : fd_read_trusted_file(AT_FDCWD, scan->policy_file, POLICY_BYTES, &bytes, &len);
    if (err == ERR_NONE) {
        err = policy_load(cursor_of(bytes, len), scan->policy_file, found, &scan->policy);
    }
    if (err != ERR_NONE) {
        char line[YAML_LINE_BYTES];
        bool has_finding = found != NULL && found->findings.count > 0;
        (void)complain(0, "targets scan", "%s",
                       has_finding         ? yaml_report_line(&found->findings, 0, line)
                       : err == ERR_SYSTEM ? strerror(errno)
                                           : err_text(err));
        if (!has_finding) {
            (void)complain(0, "targets scan", "%s cannot be used", scan->policy_file);
        }
    }
    free(found);
    return err == ERR_NONE;
}

static bool open_proposal(const struct scan *scan, FILE **ret_file)
{
    enum { MODE = 0644 };
    if (scan->output == NULL) {
        return true;
    }
    int fd = open(scan->output, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, MODE);
    *ret_file = fd < 0 ? NULL : fdopen(fd, "w");
    if (*ret_file == NULL) {
        (void)complain(0, "targets scan", "%s: %s", scan->output,
                       errno == EEXIST ? "exists already, and is not overwritten" : strerror(errno));
    }
    return *ret_file != NULL;
}

/* ---- running ---- */

static int run_jobs(const struct scan *scan, struct scan_report *report)
{
    static struct scan_result results[SCAN_TOGETHER];
    scan_print_begin(report);
    for (size_t at = 0; at < scan->count; at += SCAN_TOGETHER) {
        size_t count = scan->count - at < SCAN_TOGETHER ? scan->count - at : SCAN_TOGETHER;
        if (scan_run(&scan->jobs[at], count, scan->uid, scan->timeout_s, results) != ERR_NONE) {
            return complain(COMMAND_TROUBLE, "targets scan", "no process could be started: %s",
                            strerror(errno));
        }
        for (size_t i = 0; i < count; i++) {
            if (scan_print(report, &scan->jobs[at + i], &results[i]) != ERR_NONE) {
                return COMMAND_TROUBLE;
            }
        }
    }
    scan_print_end(report);
    bool has_news = report->unreached_count > 0 || report->counts[SCAN_NEW] > 0 ||
                    report->counts[SCAN_CHANGED] > 0 || report->counts[SCAN_REFUSED] > 0;
    return has_news ? COMMAND_NO : COMMAND_OK;
}

static int run(struct scan *scan, char *const *words)
{
    if (!find_files(scan) || !load_policy(scan)) {
        return COMMAND_TROUBLE;
    }
    int status = COMMAND_OK;
    if (*words == NULL) {
        policy_targets(scan->policy, add_listed, scan);
    }
    for (; *words != NULL && status == COMMAND_OK; words++) {
        status = add_word(scan, *words);
    }
    if (status != COMMAND_OK || scan->has_failed) {
        return status != COMMAND_OK ? status : complain(COMMAND_TROUBLE, "targets scan", "no memory is left");
    }
    OWNED_FD folder = open(scan->folder, O_DIRECTORY | O_PATH | O_CLOEXEC);
    struct scan_report report = {.dir_fd = folder, .is_json = scan->common.is_json};
    if (folder < 0) {
        return complain(COMMAND_TROUBLE, "targets scan", "%s: %s", scan->folder, strerror(errno));
    }
    if (!open_proposal(scan, &report.proposal)) {
        return COMMAND_TROUBLE;
    }
    status = run_jobs(scan, &report);
    if (report.proposal != NULL && fclose(report.proposal) != 0) {
        return complain(COMMAND_TROUBLE, "targets scan", "%s: %s", scan->output, strerror(errno));
    }
    return finish_output(status, "targets scan");
}

static int read_options(int argc, char **argv, struct scan *scan)
{
    static const struct option OPTIONS[] = {COMMON_OPTIONS,
                                            {"policy", required_argument, NULL, OPTION_POLICY},
                                            {"timeout", required_argument, NULL, OPTION_TIMEOUT},
                                            {"output", required_argument, NULL, OPTION_OUTPUT},
                                            {NULL, 0, NULL, 0}};
    optind = 0;
    for (int option = 0; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        uint64_t seconds = 0;
        if (option == OPTION_POLICY) {
            scan->policy_path = optarg;
        } else if (option == OPTION_OUTPUT) {
            scan->output = optarg;
        } else if (option == OPTION_TIMEOUT) {
            if (text_duration_s(cursor_of_text(optarg), &seconds) != ERR_NONE || seconds == 0 ||
                seconds > TIMEOUT_MAX_S) {
                return complain(COMMAND_USAGE, "targets scan", "--timeout is a time such as 10s, up to 2m");
            }
            scan->timeout_s = (uint32_t)seconds;
        } else if (option == 'h') {
            return print_help(HELP);
        } else if ((option != OPTION_CONFIG && option != OPTION_JSON) ||
                   !common_take(&scan->common, option, optarg)) {
            return complain_usage("targets scan");
        }
    }
    return -1;
}

int targets_command(int argc, char **argv)
{
    struct scan scan = {.timeout_s = TIMEOUT_S};
    bool wants_help = argc > 1 && strcmp(argv[1], "--help") == 0;
    if (wants_help) {
        return print_help(HELP);
    }
    if (argc < 2 || strcmp(argv[1], "scan") != 0) {
        return complain(COMMAND_USAGE, "targets", "say \"bastion targets scan\"; see bastion targets --help");
    }
    int status = read_options(argc - 1, argv + 1, &scan);
    if (status < 0) {
        status = run(&scan, argv + 1 + optind);
    }
    policy_free(scan.policy);
    free(scan.jobs);
    return status;
}
