#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cli.h"
#include "matrix.h"
#include "policy/command.h"

struct question {
    const char *before, *after;
    struct policy_diff_scope scope;
    bool is_json, counts_losses;
};

struct policy *policy_command_open(const char *file_name)
{
    struct policy_report report;
    struct policy *policy = cli_load(file_name, &report);
    if (policy == NULL) {
        cli_print_findings(&report.findings);
    }
    return policy;
}

static int read_options(int argc, char **argv, struct question *question)
{
    static const struct option OPTIONS[] = {{"person", required_argument, NULL, 'p'},
                                            {"host", required_argument, NULL, 'h'},
                                            {"fail-on", required_argument, NULL, 'f'},
                                            {"json", no_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    optind = 0;
    for (int option = 0; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        switch (option) {
        case 'p':
            question->scope.person = optarg;
            break;
        case 'h':
            question->scope.host = optarg;
            break;
        case 'f':
            question->counts_losses = strcmp(optarg, "any") == 0;
            if (!question->counts_losses && strcmp(optarg, "gains") != 0) {
                return cli_usage_error("--fail-on is gains or any, not ", optarg);
            }
            break;
        case 'j':
            question->is_json = true;
            break;
        default:
            return CLI_USAGE;
        }
    }
    if (argc - optind != 2) {
        return cli_usage_error("diff needs two files, the old one first", "");
    }
    question->before = argv[optind];
    question->after = argv[optind + 1];
    return CLI_OK;
}

static void print_row(const struct matrix_row *row)
{
    char text[4096];
    (void)printf("%c %s\n", row->kind == POLICY_GAIN ? '+' : '-',
                 matrix_list(row->people, text, sizeof text));
    (void)printf("    %s:%u", matrix_list(row->hosts, text, sizeof text), row->port);
    (void)printf("%s%s: ", *row->account == 0 ? "" : " as ", row->account);
    (void)printf("%s\n", matrix_list(row->what, text, sizeof text));
    (void)printf("    %s%s(%s)\n", row->when, *row->when == 0 ? "" : "  ",
                 matrix_list(row->rules, text, sizeof text));
}

static void print_text(const struct question *question, const struct matrix *matrix)
{
    for (size_t i = 0; i < matrix->count; i++) {
        print_row(&matrix->rows[i]);
    }
    (void)printf("%s -> %s: %zu gained, %zu lost%s\n", question->before, question->after, matrix->gains,
                 matrix->losses,
                 matrix->is_cut ? "; this is not all: narrow it with --person or --host" : "");
}

static void print_json(const struct question *question, const struct policy *const policies[2],
                       const struct matrix *matrix)
{
    char hashes[2][2 * POLICY_HASH_BYTES + 1];
    for (size_t i = 0; i < 2; i++) {
        (void)text_hex(cursor_of(policy_sha256(policies[i]), POLICY_HASH_BYTES), hashes[i], sizeof hashes[i]);
    }
    cli_print_json(json_pack("{s:{s:s, s:s}, s:{s:s, s:s}, s:i, s:i, s:b, s:o}", "before", "file",
                             question->before, "sha256", hashes[0], "after", "file", question->after,
                             "sha256", hashes[1], "gains", (int)matrix->gains, "losses", (int)matrix->losses,
                             "complete", !matrix->is_cut, "changes", matrix_json(matrix, true)));
}

int cli_complain(enum err err, const struct policy_diff_scope *scope, const struct matrix *matrix)
{
    if (err == ERR_NOT_FOUND) {
        (void)fprintf(stderr, "bastion policy: no file knows %s%s%s\n",
                      scope->person == NULL ? "" : scope->person,
                      scope->person == NULL || scope->host == NULL ? "" : " or ",
                      scope->host == NULL ? "" : scope->host);
        return CLI_USAGE;
    }
    if (err == ERR_NONE && !matrix->is_out_of_memory) {
        return CLI_OK;
    }
    (void)fprintf(stderr, "bastion policy: %s\n", err == ERR_NONE ? err_text(ERR_MEMORY) : err_text(err));
    return CLI_INVALID;
}

static int compare(const struct question *question, const struct policy *const policies[2])
{
    struct matrix matrix = {0};
    enum err err =
        policy_diff(policies[0], policies[1], &question->scope, (int64_t)time(NULL), matrix_add, &matrix);
    matrix_join_people(&matrix);
    int status = cli_complain(err, &question->scope, &matrix);
    if (status == CLI_OK) {
        if (question->is_json) {
            print_json(question, policies, &matrix);
        } else {
            print_text(question, &matrix);
        }
        bool is_found = matrix.gains > 0 || (question->counts_losses && matrix.losses > 0) || matrix.is_cut;
        status = is_found ? CLI_DENIED : CLI_OK;
    }
    matrix_done(&matrix);
    return status;
}

int cli_diff(int argc, char **argv)
{
    struct question question = {0};
    int status = read_options(argc, argv, &question);
    if (status != CLI_OK) {
        return status;
    }
    struct policy *before = policy_command_open(question.before);
    struct policy *after = policy_command_open(question.after);
    const struct policy *policies[] = {before, after};
    status = before == NULL || after == NULL ? CLI_INVALID : compare(&question, policies);
    policy_free(before);
    policy_free(after);
    return status;
}
