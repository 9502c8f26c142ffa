/* What the operator's commands share: exit codes, options that several of them take, and how they print. */
#ifndef BASTION_COMMAND_H
#define BASTION_COMMAND_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "config/config.h"
#include "record/age.h"
#include "record/note.h"
#include "replay/list.h"

enum command_exit {
    COMMAND_OK = 0,
    COMMAND_NO = 1,      /* the answer is no: a fault was found, nothing matches */
    COMMAND_USAGE = 2,   /* the command line is wrong */
    COMMAND_TROUBLE = 3, /* something cannot be read or done */
};

/** Each takes its own words: argv[0] is the name of the command. Returns an exit code. */
int sessions_command(int argc, char **argv);
int replay_command(int argc, char **argv);
int files_command(int argc, char **argv);
int queries_command(int argc, char **argv);
int search_command(int argc, char **argv);
int export_command(int argc, char **argv);
int verify_command(int argc, char **argv);
int status_command(int argc, char **argv);
int policy_main(int argc, char **argv);
int targets_command(int argc, char **argv);

/* --- options.c --------------------------------------------------------------------------------------- */

enum { COMMAND_PATH_BYTES = 1024 };

/** Options that commands have in common; {0} is none given. Borrowed from argv. */
struct common {
    const char *config, *recordings, *evidence, *key, *identity;
    bool is_json;
};
/** Values of getopt_long() for them; a command's own begin at OPTION_OWN. */
enum {
    OPTION_CONFIG = 256,
    OPTION_RECORDINGS,
    OPTION_EVIDENCE,
    OPTION_KEY,
    OPTION_IDENTITY,
    OPTION_JSON,
    OPTION_USER,
    OPTION_TARGET,
    OPTION_DB,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_OPEN,
    OPTION_LIMIT,
    OPTION_OWN
};
#define COMMON_OPTIONS                                                                                       \
    {"help", no_argument, NULL, 'h'}, {"config", required_argument, NULL, OPTION_CONFIG},                    \
        {"recordings", required_argument, NULL, OPTION_RECORDINGS},                                          \
        {"evidence", required_argument, NULL, OPTION_EVIDENCE},                                              \
        {"key", required_argument, NULL, OPTION_KEY},                                                        \
        {"identity", required_argument, NULL, OPTION_IDENTITY},                                              \
    {                                                                                                        \
        "json", no_argument, NULL, OPTION_JSON                                                               \
    }
#define FILTER_OPTIONS                                                                                       \
    {"user", required_argument, NULL, OPTION_USER}, {"target", required_argument, NULL, OPTION_TARGET},      \
        {"db", required_argument, NULL, OPTION_DB}, {"since", required_argument, NULL, OPTION_SINCE},        \
        {"until", required_argument, NULL, OPTION_UNTIL}, {"open", no_argument, NULL, OPTION_OPEN},          \
    {                                                                                                        \
        "limit", required_argument, NULL, OPTION_LIMIT                                                       \
    }
/** @return whether `option` was one of the common ones. */
bool common_take(struct common *common, int option, const char *argument);

/** Take one of FILTER_OPTIONS. Says on stderr what is wrong with its value. @return false for that, and for
 * any other option. */
bool filter_take(struct replay_filter_by *by, int option, const char *argument);

/** The configuration: --config, else the usual place, else its defaults. Says on stderr what is wrong. */
bool config_find(const struct common *common, struct gateway_config *ret_config);

/** The folders and keys that are in force: options, else the configuration, else its defaults. */
struct places {
    char recordings[COMMAND_PATH_BYTES], evidence[COMMAND_PATH_BYTES], key[COMMAND_PATH_BYTES];
};
/** Says on stderr what is wrong. @return false: exit with COMMAND_TROUBLE. */
bool places_find(const struct common *common, struct places *ret_places);
/** The reader's private keys: --identity, else $BASTION_IDENTITY. Says what is wrong. */
bool identities_read(const struct common *common, struct record_identities *ret_identities);
/** The recording that an id or its beginning means. Says what is wrong.
 *  @return COMMAND_OK, COMMAND_NO, COMMAND_USAGE or COMMAND_TROUBLE. */
int find_recording(const struct places *places, const char *prefix, char ret_path[static REPLAY_PATH_BYTES],
                   char ret_sid[static REPLAY_SID_BYTES]);

/* --- print.c ----------------------------------------------------------------------------------------- */

/** "bastion COMMAND: " and the sentence, on stderr; control bytes of the sentence are made printable.
 *  Returns `code`. */
int complain(int code, const char *command, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** The usual answer to a wrong command line: the sentence of getopt_long() stands above it. */
int complain_usage(const char *command);
/** Write --help. Returns COMMAND_OK, or COMMAND_TROUBLE when stdout is gone. */
int print_help(const char *text);
/** Everything was written to stdout. Returns `code`, or COMMAND_TROUBLE. */
int finish_output(int code, const char *command);

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_MIND, COLOUR_BAD, COLOUR_DIM };
/** What switches a colour on (COLOUR_NONE: all off); "" when `file` is no terminal or NO_COLOR is set. */
const char *colour_text(FILE *file, enum colour colour);

enum { TABLE_COLUMNS_MAX = 16 };
/** A table whose columns are as wide as their longest cell; OWNED, table_done(). {.columns = n} is empty. */
struct table {
    size_t columns, count, capacity;
    char **cells; /* row after row */
};
/** Add a row of `columns` texts, copied. @return ERR_MEMORY. */
MUST_CHECK enum err table_add(struct table *table, const char *const *cells);
/** Print it; the first row is the head. `colours` (may be NULL) has one entry for each row. */
void table_print(const struct table *table, const enum colour *colours, FILE *file);
void table_done(struct table *table);

#endif
