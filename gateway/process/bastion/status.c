/* `bastion status`: what the daemon last wrote about itself, and whether that is still true. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "command.h"

static const char HELP[] = "usage: bastion status [--json] [--config FILE]\n"
                           "\n"
                           "Show what bastiond says about itself: connections, sessions, policy, services. "
                           "It writes state_dir/status.json\n"
                           "every few seconds and after every change; this reads that file. When it is old, "
                           "so is all that is shown, and "
                           "the\n"
                           "first line says so.\n"
                           "\n"
                           "  --json              the file, with \"age_s\" and \"stale\" added\n"
                           "  --config FILE       default /etc/bastion/bastiond.yaml\n"
                           "\n"
                           "exit status: 0 running, and nothing is wrong; 1 not running, stale, or something "
                           "is wrong; 2 usage; 3 there is "
                           "no\n"
                           "             such file, or it cannot be read\n"
                           "\n"
                           "  bastion status\n"
                           "  bastion status --json | jq .sessions.open\n";

enum { STATUS_BYTES = 4 << 20, MISSED_MAX = 3, VALUE_BYTES = 600 };

/* The daemon's own words, but they hold names and sentences of others. */
struct status {
    json_t *json; /* OWNED */
    int64_t age_s;
    bool is_stale;   /* a running daemon would have written it anew */
    bool is_running; /* by its own words, and not stale */
    bool has_fault;
};

static const char *text_of(const json_t *object, const char *key, char value[static VALUE_BYTES])
{
    const char *text = json_string_value(json_object_get(object, key));
    text_printable(cursor_of_text(text == NULL ? "?" : text), value, VALUE_BYTES);
    return value;
}

static int64_t number_of(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

/* "2026-11-23 09:12:44" */
static const char *time_of(const json_t *object, const char *key, char text[static CLOCK_TEXT_BYTES])
{
    enum { SECONDS_LEN = 19, DATE_LEN = 10, US_PER_S = 1000000 };
    int64_t at_s = number_of(object, key);
    (void)clock_text(at_s < 0 ? 0 : (uint64_t)at_s * US_PER_S, text);
    text[SECONDS_LEN] = 0;
    text[DATE_LEN] = ' ';
    return text;
}

static int read_status(const struct common *common, struct status *ret)
{
    struct gateway_config *config = calloc(1, sizeof *config);
    if (config == NULL || !config_find(common, config)) {
        free(config);
        return COMMAND_TROUBLE;
    }
    char path[CONFIG_PATH_BYTES + sizeof "/status.json"];
    (void)snprintf(path, sizeof path, "%s/status.json", config->state_dir);
    free(config);
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum err err = fd_read_trusted_file(AT_FDCWD, path, STATUS_BYTES, &bytes, &len);
    if (err == ERR_NOT_FOUND) {
        return complain(COMMAND_TROUBLE, "status",
                        "%s is not there: bastiond has not run with this configuration", path);
    }
    if (err != ERR_NONE) {
        return complain(COMMAND_TROUBLE, "status", "%s: %s", path,
                        err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
    ret->json = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
    free(bytes);
    if (!json_is_object(ret->json) || number_of(ret->json, "v") != 1) {
        json_decref(ret->json);
        ret->json = NULL;
        return complain(COMMAND_TROUBLE, "status", "%s was not written by this version of bastiond", path);
    }
    return COMMAND_OK;
}

static bool is_ready(const json_t *service)
{
    const char *state = json_string_value(json_object_get(service, "state"));
    return state != NULL && strcmp(state, "ready") == 0;
}

static void judge(struct status *status)
{
    const json_t *json = status->json;
    char state[VALUE_BYTES];
    status->age_s = clock_wall_s() - number_of(json, "written");
    bool says_stopped = strcmp(text_of(json, "state", state), "stopped") == 0;
    int64_t longest_s = MISSED_MAX * number_of(json, "every_s");
    status->is_stale = !says_stopped && (status->age_s > longest_s || status->age_s < -longest_s);
    status->is_running = !says_stopped && !status->is_stale;
    status->has_fault = !status->is_running || !is_ready(json_object_get(json, "signer")) ||
                        !is_ready(json_object_get(json, "recorder")) ||
                        !json_is_true(json_object_get(json, "events_written")) ||
                        json_is_object(json_object_get(json_object_get(json, "policy"), "refused"));
}

/* ---- for people ---- */

static void print_head(const struct status *status)
{
    char name[VALUE_BYTES];
    char state[VALUE_BYTES];
    char at[CLOCK_TEXT_BYTES];
    const json_t *json = status->json;
    (void)text_of(json, "bastion", name);
    if (status->is_stale) {
        bool has_process = kill((pid_t)number_of(json, "pid"), 0) == 0 || errno == EPERM;
        (void)printf("%sSTALE%s: %s wrote this %lld s ago; process %lld is %s\n",
                     colour_text(stdout, COLOUR_BAD), colour_text(stdout, COLOUR_NONE), name,
                     (long long)status->age_s, (long long)number_of(json, "pid"),
                     has_process ? "there, but may be stuck or another"
                                 : "not there: bastiond is not running");
    } else {
        (void)printf("%s: %s%s%s, as of %lld s ago\n", name,
                     colour_text(stdout, status->is_running ? COLOUR_GOOD : COLOUR_BAD),
                     text_of(json, "state", state), colour_text(stdout, COLOUR_NONE),
                     (long long)status->age_s);
    }
    (void)printf("started      %s, process %lld\n", time_of(json, "started", at),
                 (long long)number_of(json, "pid"));
}

static void print_policy(const json_t *policy)
{
    char value[VALUE_BYTES];
    char at[CLOCK_TEXT_BYTES];
    (void)printf("policy       %s, ", text_of(policy, "file", value));
    (void)printf("loaded %s\n             sha256 %s\n", time_of(policy, "loaded", at),
                 text_of(policy, "sha256", value));
    const json_t *refused = json_object_get(policy, "refused");
    if (json_is_object(refused)) {
        (void)printf("             %srefused%s %s, the one before stays: %s\n",
                     colour_text(stdout, COLOUR_BAD), colour_text(stdout, COLOUR_NONE),
                     time_of(refused, "at", at), text_of(refused, "sentence", value));
    }
}

static void print_service(const char *name, const json_t *service)
{
    char value[VALUE_BYTES];
    int64_t restarts = number_of(service, "restarts");
    (void)printf("%-12s %s%s%s", name, colour_text(stdout, is_ready(service) ? COLOUR_GOOD : COLOUR_BAD),
                 text_of(service, "state", value), colour_text(stdout, COLOUR_NONE));
    if (restarts > 0) {
        (void)printf(", lost and started again %lld time%s", (long long)restarts, restarts == 1 ? "" : "s");
    }
    (void)printf("\n");
}

static void print_connections(const json_t *connections)
{
    size_t index = 0;
    const json_t *one = NULL;
    (void)printf("connections  %lld\n", (long long)number_of(connections, "open"));
    json_array_foreach(json_object_get(connections, "list"), index, one)
    {
        char person[VALUE_BYTES];
        char from[VALUE_BYTES];
        char state[VALUE_BYTES];
        char at[CLOCK_TEXT_BYTES];
        (void)text_of(one, "person", person);
        (void)printf("  %-6lld %s from %s, %s, since %s\n", (long long)number_of(one, "connection"),
                     person[0] == 0 ? "somebody" : person, text_of(one, "from", from),
                     text_of(one, "state", state), time_of(one, "since", at));
    }
}

static void print_sessions(const json_t *sessions)
{
    size_t index = 0;
    const json_t *one = NULL;
    (void)printf("sessions     %lld\n", (long long)number_of(sessions, "open"));
    json_array_foreach(json_object_get(sessions, "list"), index, one)
    {
        char id[VALUE_BYTES];
        char person[VALUE_BYTES];
        char account[VALUE_BYTES];
        char host[VALUE_BYTES];
        char rule[VALUE_BYTES];
        char at[CLOCK_TEXT_BYTES];
        (void)printf("  %.12s  %s  %s@%s  by rule %s, since %s\n", text_of(one, "session", id),
                     text_of(one, "person", person), text_of(one, "account", account),
                     text_of(one, "host", host), text_of(one, "rule", rule), time_of(one, "since", at));
    }
}

static void print_locked(const json_t *locked)
{
    size_t index = 0;
    const json_t *one = NULL;
    json_array_foreach(locked, index, one)
    {
        char person[VALUE_BYTES];
        char at[CLOCK_TEXT_BYTES];
        (void)printf("locked       %s, until %s\n", text_of(one, "person", person),
                     time_of(one, "until", at));
    }
}

static void print_status(const struct status *status)
{
    const json_t *json = status->json;
    print_head(status);
    print_policy(json_object_get(json, "policy"));
    print_service("signer", json_object_get(json, "signer"));
    print_service("recorder", json_object_get(json, "recorder"));
    if (!json_is_true(json_object_get(json, "events_written"))) {
        (void)printf("events       %scannot be written%s: nobody is admitted\n",
                     colour_text(stdout, COLOUR_BAD), colour_text(stdout, COLOUR_NONE));
    }
    print_connections(json_object_get(json, "connections"));
    print_sessions(json_object_get(json, "sessions"));
    print_locked(json_object_get(json, "locked"));
}

static void print_json(const struct status *status)
{
    (void)json_object_set_new(status->json, "age_s", json_integer((json_int_t)status->age_s));
    (void)json_object_set_new(status->json, "stale", json_boolean(status->is_stale));
    (void)json_dumpf(status->json, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    (void)printf("\n");
}

int status_command(int argc, char **argv)
{
    static const struct option OPTIONS[] = {COMMON_OPTIONS, {NULL, 0, NULL, 0}};
    struct common common = {0};
    int option = 0;
    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (!common_take(&common, option, optarg)) {
            return complain_usage("status");
        }
    }
    if (optind < argc) {
        (void)complain(COMMAND_USAGE, "status", "%s is one word too many", argv[optind]);
        return complain_usage("status");
    }
    struct status status = {0};
    int code = read_status(&common, &status);
    if (code != COMMAND_OK) {
        return code;
    }
    judge(&status);
    if (common.is_json) {
        print_json(&status);
    } else {
        print_status(&status);
    }
    json_decref(status.json);
    return finish_output(status.has_fault ? COMMAND_NO : COMMAND_OK, "status");
}
