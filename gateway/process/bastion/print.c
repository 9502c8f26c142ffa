#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "command.h"

int complain(int code, const char *command, const char *format, ...)
{
    char sentence[2048];
    char printable[sizeof sentence];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    text_printable(cursor_of_text(sentence), printable, sizeof printable);
    (void)fprintf(stderr, "bastion %s: %s\n", command, printable);
    return code;
}

int complain_usage(const char *command)
{
    (void)fprintf(stderr, "See: bastion %s --help\n", command);
    return COMMAND_USAGE;
}

int print_help(const char *text)
{
    (void)fputs(text, stdout);
    return finish_output(COMMAND_OK, "help");
}

int finish_output(int code, const char *command)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        return complain(COMMAND_TROUBLE, command, "the output could not be written");
    }
    return code;
}

const char *colour_text(FILE *file, enum colour colour)
{
    static const char *const TEXTS[] = {
        [COLOUR_NONE] = "\x1b[0m",   [COLOUR_GOOD] = "\x1b[32m", [COLOUR_MIND] = "\x1b[33m",
        [COLOUR_BAD] = "\x1b[1;31m", [COLOUR_DIM] = "\x1b[2m",
    };
    const char *no_color = getenv("NO_COLOR"); /* no-color.org: set and not empty */
    bool is_plain = (no_color != NULL && *no_color != 0) || isatty(fileno(file)) == 0;
    return is_plain ? "" : TEXTS[colour];
}

enum err table_add(struct table *table, const char *const *cells)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        char **grown = realloc(table->cells, capacity * table->columns * sizeof(char *));
        if (grown == NULL) {
            return ERR_MEMORY;
        }
        table->cells = grown;
        table->capacity = capacity;
    }
    char **row = table->cells + table->count * table->columns;
    for (size_t i = 0; i < table->columns; i++) {
        row[i] = strdup(cells[i]);
        if (row[i] == NULL) {
            while (i > 0) {
                free(row[--i]);
            }
            return ERR_MEMORY;
        }
    }
    table->count++;
    return ERR_NONE;
}

/* Characters, not bytes: names may have letters beyond ASCII. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != 0; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

void table_print(const struct table *table, const enum colour *colours, FILE *file)
{
    int widths[TABLE_COLUMNS_MAX] = {0};
    assert(table->columns <= TABLE_COLUMNS_MAX);
    for (size_t i = 0; i < table->count * table->columns; i++) {
        int width = width_of(table->cells[i]);
        size_t column = i % table->columns;
        widths[column] = width > widths[column] ? width : widths[column];
    }
    for (size_t row = 0; row < table->count; row++) {
        char **cells = table->cells + row * table->columns;
        bool is_coloured = colours != NULL && colours[row] != COLOUR_NONE;
        (void)fputs(is_coloured ? colour_text(file, colours[row]) : "", file);
        for (size_t i = 0; i < table->columns; i++) {
            bool is_last = i + 1 == table->columns;
            int pad = is_last ? 0 : widths[i] - width_of(cells[i]) + 2;
            (void)fprintf(file, "%s%*s", cells[i], pad, "");
        }
        (void)fprintf(file, "%s\n", is_coloured ? colour_text(file, COLOUR_NONE) : "");
    }
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->count * table->columns; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    *table = (struct table){.columns = table->columns};
}
