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
    unsigned line, column;            /* from 1; 0 when the finding is about the file as a whole */
    char message[YAML_MESSAGE_BYTES]; /* printable */
};
/** {0} is empty. */
struct yaml_report {
    char file_name[256];                                 /* as the caller named it, printable */
    struct yaml_finding findings[2 * YAML_FINDINGS_MAX]; /* in the order found until sorted */
    size_t count;
    size_t error_count, warning_count; /* also those that were not kept */
};

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
