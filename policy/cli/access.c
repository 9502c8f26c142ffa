/* Who may do what: the rows that one policy has against none. */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"
#include "matrix.h"
#include "policy/command.h"

enum shape { SHAPE_TEXT, SHAPE_JSON, SHAPE_CSV };

/* Both commands differ in what is asked and what heads each row. */
static void print_text(const struct matrix *matrix, bool is_by_person)
{
    char text[4096];
    for (size_t i = 0; i < matrix->count; i++) {
        const struct matrix_row *row = &matrix->rows[i];
        if (is_by_person) {
            (void)printf("%s:%u", matrix_list(row->hosts, text, sizeof text), row->port);
        } else {
            (void)printf("%s", matrix_list(row->people, text, sizeof text));
        }
        (void)printf("%s%s: ", *row->account == 0 ? "" : " as ", row->account);
        (void)printf("%s\n", matrix_list(row->what, text, sizeof text));
        (void)printf("    %s%s(%s)\n", row->when, *row->when == 0 ? "" : "  ",
                     matrix_list(row->rules, text, sizeof text));
    }
}

static void print(const struct matrix *matrix, enum shape shape, bool is_by_person)
{
    switch (shape) {
    case SHAPE_TEXT:
        print_text(matrix, is_by_person);
        break;
    case SHAPE_JSON:
        cli_print_json(matrix_json(matrix, false));
        break;
    case SHAPE_CSV:
        matrix_print_csv(matrix);
        break;
    }
    if (matrix->is_cut) {
        (void)fprintf(stderr, "bastion policy: this is not all, only the first %d rows\n", MATRIX_ROWS_MAX);
    }
}

static int list(const char *file_name, const struct policy_diff_scope *scope, enum shape shape)
{
    struct policy *policy = policy_command_open(file_name);
    if (policy == NULL) {
        return CLI_INVALID;
    }
    struct matrix matrix = {0};
    enum err err = policy_diff(NULL, policy, scope, (int64_t)time(NULL), matrix_add, &matrix);
    matrix_join_people(&matrix);
    int status = cli_complain(err, scope, &matrix);
    if (status == CLI_OK) {
        print(&matrix, shape, scope->person != NULL);
        status = matrix.count == 0 ? CLI_DENIED : matrix.is_cut ? CLI_INVALID : CLI_OK;
    }
    matrix_done(&matrix);
    policy_free(policy);
    return status;
}

static int read_options(int argc, char **argv, enum shape *ret_shape)
{
    static const struct option OPTIONS[] = {
        {"json", no_argument, NULL, 'j'}, {"csv", no_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    optind = 0;
    *ret_shape = SHAPE_TEXT;
    for (int option = 0; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (option != 'j' && option != 'c') {
            return CLI_USAGE;
        }
        *ret_shape = option == 'j' ? SHAPE_JSON : SHAPE_CSV;
    }
    return CLI_OK;
}

int cli_who_can(int argc, char **argv)
{
    enum shape shape = SHAPE_TEXT;
    int status = read_options(argc, argv, &shape);
    if (status != CLI_OK) {
        return status;
    }
    if (argc - optind != 2) {
        return cli_usage_error("who-can needs a file and the name of a target or host", "");
    }
    return list(argv[optind], &(struct policy_diff_scope){.host = argv[optind + 1]}, shape);
}

int cli_what_can(int argc, char **argv)
{
    enum shape shape = SHAPE_TEXT;
    int status = read_options(argc, argv, &shape);
    if (status != CLI_OK) {
        return status;
    }
    if (argc - optind != 2) {
        return cli_usage_error("what-can needs a file and the name of a person", "");
    }
    return list(argv[optind], &(struct policy_diff_scope){.person = argv[optind + 1]}, shape);
}
