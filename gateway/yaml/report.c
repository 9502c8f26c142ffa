#include "yaml/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "base/text.h"

void yaml_report_init(struct yaml_report *report, const char *file_name)
{
    *report = (struct yaml_report){0};
    text_printable(cursor_of_text(file_name), report->file_name, sizeof report->file_name);
}

static struct yaml_finding *next_finding(struct yaml_report *report, bool is_warning)
{
    size_t *count = is_warning ? &report->warning_count : &report->error_count;
    ++*count;
    if (*count > YAML_FINDINGS_MAX) {
        return NULL;
    }
    struct yaml_finding *finding = &report->findings[report->count++];
    finding->is_warning = is_warning;
    return finding;
}

__attribute__((format(printf, 5, 0))) static void add(struct yaml_report *report, bool is_warning,
                                                      unsigned line, unsigned column, const char *format,
                                                      va_list arguments)
{
    struct yaml_finding *finding = next_finding(report, is_warning);
    if (finding == NULL) {
        return;
    }
    finding->file = yaml_place_file(line);
    finding->line = yaml_place_line(line);
    finding->column = column;
    if (finding->file > 0 && report->more_names != NULL) {
        text_printable(cursor_of_text(report->more_names[finding->file - 1]), finding->file_name,
                       sizeof finding->file_name);
    }
    char message[2 * YAML_MESSAGE_BYTES];
    (void)vsnprintf(message, sizeof message, format, arguments);
    text_printable(cursor_of_text(message), finding->message, sizeof finding->message);
}

void yaml_report_error(struct yaml_report *report, unsigned line, unsigned column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(report, false, line, column, format, arguments);
    va_end(arguments);
}

void yaml_report_warning(struct yaml_report *report, unsigned line, unsigned column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(report, true, line, column, format, arguments);
    va_end(arguments);
}

static bool is_before(const struct yaml_finding *a, const struct yaml_finding *b)
{
    if (a->file != b->file) {
        return a->file < b->file;
    }
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

void yaml_report_sort(struct yaml_report *report)
{
    /* Insertion: few, and equals keep their order. */
    for (size_t i = 1; i < report->count; i++) {
        struct yaml_finding finding = report->findings[i];
        size_t at = i;
        for (; at > 0 && is_before(&finding, &report->findings[at - 1]); at--) {
            report->findings[at] = report->findings[at - 1];
        }
        report->findings[at] = finding;
    }
}

const char *yaml_report_line(const struct yaml_report *report, size_t index,
                             char text[static YAML_LINE_BYTES])
{
    const struct yaml_finding *finding = &report->findings[index];
    const char *kind = finding->is_warning ? "warning: " : "";
    const char *file_name = finding->file == 0 ? report->file_name : finding->file_name;
    if (finding->line == 0) {
        (void)snprintf(text, YAML_LINE_BYTES, "%s: %s%s", file_name, kind, finding->message);
    } else {
        (void)snprintf(text, YAML_LINE_BYTES, "%s:%u:%u: %s%s", file_name, finding->line, finding->column,
                       kind, finding->message);
    }
    return text;
}
