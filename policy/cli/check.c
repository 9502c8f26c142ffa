#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "yaml/document.h"

struct policy *cli_load(const char *file_name, struct policy_report *report)
{
    *report = (struct policy_report){0};
    yaml_report_init(&report->findings, file_name);
    size_t len = 0;
    uint8_t *bytes = NULL;
    char failed[PATH_MAX];
    enum err err = policy_files_read(file_name, false, &bytes, &len, failed, sizeof failed);
    if (err != ERR_NONE) {
        yaml_report_init(&report->findings, failed);
        yaml_report_error(&report->findings, 0, 0, "cannot be read: %s",
                          err == ERR_SYSTEM || err == ERR_NOT_FOUND ? strerror(errno) : err_text(err));
        return NULL;
    }
    struct policy *policy = NULL;
    err = policy_load_bundle(cursor_of(bytes, len), report, &policy);
    free(bytes);
    if (err != ERR_NONE && report->findings.error_count == 0) {
        yaml_report_error(&report->findings, 0, 0, "%s", err_text(err));
    }
    return err == ERR_NONE ? policy : NULL;
}

void cli_print_findings(const struct yaml_report *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        char text[YAML_LINE_BYTES];
        (void)fprintf(stderr, "%s\n", yaml_report_line(findings, i, text));
    }
    if (findings->error_count > YAML_FINDINGS_MAX) {
        (void)fprintf(stderr, "%s: %zu more errors\n", findings->file_name,
                      findings->error_count - YAML_FINDINGS_MAX);
    }
    if (findings->warning_count > YAML_FINDINGS_MAX) {
        (void)fprintf(stderr, "%s: %zu more warnings\n", findings->file_name,
                      findings->warning_count - YAML_FINDINGS_MAX);
    }
}

json_t *cli_json_findings(const struct yaml_report *findings, bool is_warning)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->count; i++) {
        const struct yaml_finding *finding = &findings->findings[i];
        if (finding->is_warning == is_warning) {
            json_t *item = json_pack(
                "{s:s, s:i, s:i, s:s}", "file", finding->file == 0 ? findings->file_name : finding->file_name,
                "line", (int)finding->line, "column", (int)finding->column, "message", finding->message);
            (void)json_array_append_new(list, item);
        }
    }
    return list;
}

void cli_print_json(json_t *json)
{
    (void)json_dumpf(json, stdout, JSON_INDENT(2));
    (void)fputs("\n", stdout);
    json_decref(json);
}

static void print_json(const struct policy_report *report, const struct policy *policy)
{
    char hash[2 * POLICY_HASH_BYTES + 1] = "";
    if (policy != NULL) {
        (void)text_hex(cursor_of(policy_sha256(policy), POLICY_HASH_BYTES), hash, sizeof hash);
    }
    const struct yaml_report *findings = &report->findings;
    json_t *json = json_pack(
        "{s:s, s:b, s:s, s:i, s:i, s:o, s:o}", "file", findings->file_name, "valid", policy != NULL, "sha256",
        hash, "error_count", (int)findings->error_count, "warning_count", (int)findings->warning_count,
        "errors", cli_json_findings(findings, false), "warnings", cli_json_findings(findings, true));
    json_t *counts = json_pack("{s:i, s:i, s:i, s:i, s:i}", "people", (int)report->people_count, "targets",
                               (int)report->target_count, "rules", (int)report->rule_count, "never",
                               (int)report->never_count, "tests", (int)report->test_count);
    (void)json_object_set_new(json, "counts", counts);
    cli_print_json(json);
}

static void print_text(const struct policy_report *report, const struct policy *policy)
{
    cli_print_findings(&report->findings);
    if (policy != NULL) {
        char hash[2 * POLICY_HASH_BYTES + 1];
        (void)printf(
            "%s: valid; %zu people, %zu targets, %zu rules, %zu never, %zu tests passed; SHA-256 %s\n",
            report->findings.file_name, report->people_count, report->target_count, report->rule_count,
            report->never_count, report->test_count,
            text_hex(cursor_of(policy_sha256(policy), POLICY_HASH_BYTES), hash, sizeof hash));
    }
}

int cli_check(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    bool is_json = false;
    optind = 0; /* glibc: start again, also after another command's options */
    for (int option = 0; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option != 'j') {
            return CLI_USAGE;
        }
        is_json = true;
    }
    if (argc - optind != 1) {
        return cli_usage_error("check needs one file", "");
    }
    struct policy_report report;
    struct policy *policy = cli_load(argv[optind], &report);
    if (is_json) {
        print_json(&report, policy);
    } else {
        print_text(&report, policy);
    }
    int status = policy == NULL ? CLI_INVALID : CLI_OK;
    policy_free(policy);
    return status;
}
