/* The parts of `bastion policy`. */
#ifndef POLICY_CLI_H
#define POLICY_CLI_H

#include <jansson.h>

#include "policy/policy.h"

enum { CLI_OK = 0, CLI_DENIED = 1, CLI_USAGE = 2, CLI_INVALID = 3 };

int cli_usage_error(const char *message, const char *detail);
/** argv[0] is the command's own name. */
int cli_check(int argc, char **argv);
int cli_explain(int argc, char **argv);
/** What a code of a denial means. @param events  a log to look it up in, or NULL */
int cli_explain_code(const char *file_name, const char *code, const char *events, bool is_json);
int cli_schema(int argc, char **argv);
int cli_diff(int argc, char **argv);
int cli_who_can(int argc, char **argv);
int cli_what_can(int argc, char **argv);

/** Read and load a file. @return NULL after an error; then the report says what it is. */
struct policy *cli_load(const char *file_name, struct policy_report *report);
/** Every finding as "file:line:column: message", to stderr. */
void cli_print_findings(const struct yaml_report *findings);
/** Errors, or warnings, as a list of objects. OWNED by the caller. */
json_t *cli_json_findings(const struct yaml_report *findings, bool is_warning);
/** Prints and frees. */
void cli_print_json(json_t *json);

#endif
