/* `bastion policy explain FILE CODE`: what a code at an engineer's terminal means, by which entry of the
 * file, and, from the log of events, what was asked when it was last given. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "policy/code.h"

/* The last event with this code. OWNED by the caller; NULL when there is none. */
static json_t *find_event(const char *file_name, const char *code)
{
    FILE *file = fopen(file_name, "re");
    json_t *found = NULL;
    char *line = NULL;
    size_t size = 0;
    if (file == NULL) {
        (void)fprintf(stderr, "bastion policy: %s: %s\n", file_name, strerror(errno));
        return NULL;
    }
    while (getline(&line, &size, file) > 0) {
        /* Most lines are about something else: parsing them would take long. */
        json_t *event = strstr(line, code) == NULL ? NULL : json_loads(line, 0, NULL);
        const char *event_code = json_string_value(json_object_get(event, "code"));
        if (event_code != NULL && strcmp(event_code, code) == 0) {
            json_decref(found);
            found = json_incref(event);
        }
        json_decref(event);
    }
    free(line);
    (void)fclose(file);
    return found;
}

static void print_event(const json_t *event)
{
    static const char *const KEYS[] = {"time",    "event",    "person", "from",   "host",    "port",
                                       "account", "database", "rule",   "policy", "sentence"};
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++) {
        const json_t *value = json_object_get(event, KEYS[i]);
        if (json_is_string(value) && json_string_length(value) > 0) {
            (void)printf("  %s: %s\n", KEYS[i], json_string_value(value));
        } else if (json_is_integer(value)) {
            (void)printf("  %s: %lld\n", KEYS[i], (long long)json_integer_value(value));
        }
    }
}

static void print_text(const char *code, const struct policy_code *found, const json_t *event)
{
    (void)printf("%s: %s\n", code, found->meaning);
    if (found->id != NULL) {
        (void)printf("  %s:%u: %s %s\n", found->file, found->line, found->is_never ? "never" : "rule",
                     found->id);
    } else if (found->names_entry) {
        (void)printf("  nothing in this policy has the code; it was given by another one\n");
    }
    if (event != NULL) {
        (void)printf("last given:\n");
        print_event(event);
    }
}

int cli_explain_code(const char *file_name, const char *code, const char *events, bool is_json)
{
    char bare[POLICY_CODE_BYTES];
    struct policy_report report;
    struct policy_code found;
    struct policy *policy = cli_load(file_name, &report);
    if (policy == NULL) {
        cli_print_findings(&report.findings);
        return CLI_INVALID;
    }
    (void)snprintf(bare, sizeof bare, "%.*s", (int)strcspn(code + (*code == '['), "]"),
                   code + (*code == '['));
    if (policy_code_find(policy, bare, &found) != ERR_NONE) {
        policy_free(policy);
        return cli_usage_error("that is no code of a policy's decision: ", code);
    }
    json_t *event = events == NULL ? NULL : find_event(events, bare);
    if (is_json) {
        cli_print_json(json_pack("{s:s, s:s, s:s?, s:b, s:s?, s:i, s:o?}", "code", bare, "meaning",
                                 found.meaning, "id", found.id, "never", found.is_never, "file", found.file,
                                 "line", (int)found.line, "event", event));
    } else {
        print_text(bare, &found, event);
        json_decref(event);
    }
    policy_free(policy);
    return CLI_OK;
}
