/* What is wrong with a file that people write: findings with a position, several at once. */
#ifndef YAML_REPORT_H
#define YAML_REPORT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    YAML_MESSAGE_BYTES = 320,
    YAML_FINDINGS_MAX = 20, /* errors kept, and warnings kept: more do not help anybody */
};

struct yaml_finding {
    bool is_warning;
    unsigned file;                    /* 0: the file that the report is about; else one that belongs to it */
    char file_name[128];              /* of that one; "" for file 0 */
    unsigned line, column;            /* from 1; 0 when the finding is about the file as a whole */
    char message[YAML_MESSAGE_BYTES]; /* printable */
};
/** {0} is empty. */
struct yaml_report {
    char file_name[256];                                 /* as the caller named it, printable */
    struct yaml_finding findings[2 * YAML_FINDINGS_MAX]; /* in the order found until sorted */
    unsigned reading;              /* the number of the file whose lines are noted now */
    const char *const *more_names; /* borrowed while files are read: names of files 1, 2, ... */
    size_t count;
    size_t error_count, warning_count; /* also those that were not kept */
};

/* Several files make one: the line of a node then carries the number of its file in its upper bits, so that
 * every place that keeps a line keeps the file, too. A file has less than 2^24 lines (YAML_FILE_BYTES). */
enum { YAML_LINE_BITS = 24, YAML_MORE_FILES_MAX = 200 };
static inline unsigned yaml_place_line(unsigned place)
{
    return place & ((1U << YAML_LINE_BITS) - 1);
}
static inline unsigned yaml_place_file(unsigned place)
{
    return place >> YAML_LINE_BITS;
}

/** Empties the report. */
void yaml_report_init(struct yaml_report *report, const char *file_name);
void yaml_report_error(struct yaml_report *report, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void yaml_report_warning(struct yaml_report *report, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** By line and column; what has none comes first. */
void yaml_report_sort(struct yaml_report *report);

enum { YAML_LINE_BYTES = 640 };
/** "file:line:column: message" of one finding ("warning: " before the message of a warning). Returns `text`.
 */
const char *yaml_report_line(const struct yaml_report *report, size_t index,
                             char text[static YAML_LINE_BYTES]);

#endif
