#include "yaml/field.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { NAMES_SHOWN_BYTES = 200, FAR = 4 };

#define TEXT(cursor) ((const char *)(cursor).at) /* every text of a document ends with a NUL */

/* The name that a message gives to a value: its key, or what the caller calls it. */
static const char *name_of(const struct yaml_node *node, const char *what)
{
    return node->key == NULL ? what : TEXT(node->key->text);
}

static bool fail(struct yaml_report *report, const struct yaml_node *node, const char *what,
                 const char *wanted)
{
    yaml_report_error(report, node->line, node->column, "\"%.64s\" must be %s", name_of(node, what), wanted);
    return false;
}

bool yaml_expect_list(struct yaml_report *report, const struct yaml_node *node, const char *what)
{
    if (node->kind != YAML_LIST) {
        return fail(report, node, what, "a list, such as [a, b]");
    }
    return node->count > 0 || fail(report, node, what, "a list that is not empty");
}

bool yaml_expect_map(struct yaml_report *report, const struct yaml_node *node, const char *what)
{
    if (node->kind != YAML_MAP) {
        return fail(report, node, what, "a map, such as { key: value }");
    }
    return node->count > 0 || fail(report, node, what, "a map that is not empty");
}

bool yaml_expect_text(struct yaml_report *report, const struct yaml_node *node, const char *what)
{
    if (node->kind != YAML_TEXT) {
        return fail(report, node, what, "one text, no list and no map");
    }
    return cursor_len(&node->text) > 0 || fail(report, node, what, "a text that is not empty");
}

bool yaml_is_bool(const struct yaml_node *node, bool *ret_value)
{
    if (node->kind != YAML_TEXT || node->is_quoted) {
        return false;
    }
    *ret_value = cursor_equal_text(node->text, "true");
    return *ret_value || cursor_equal_text(node->text, "false");
}

static void read_bool(struct yaml_report *report, const struct yaml_node *value, void *into)
{
    bool flag = false;
    if (yaml_is_bool(value, &flag)) {
        *(bool *)into = flag;
    } else {
        (void)fail(report, value, "", "true or false");
    }
}

static bool read_number(struct yaml_report *report, const struct yaml_field *field,
                        const struct yaml_node *value, uint64_t *ret)
{
    bool is_plain = value->kind == YAML_TEXT && !value->is_quoted;
    uint64_t number = 0;
    bool is_number =
        is_plain && text_u64(value->text, field->max, &number) == ERR_NONE && number >= field->min;
    if (!is_number) {
        char wanted[96];
        (void)snprintf(wanted, sizeof wanted, "a number from %llu to %llu", (unsigned long long)field->min,
                       (unsigned long long)field->max);
        return fail(report, value, "", wanted);
    }
    *ret = number;
    return true;
}

static void read_duration(struct yaml_report *report, const struct yaml_field *field,
                          const struct yaml_node *value, void *into)
{
    uint64_t seconds = 0;
    bool is_duration = value->kind == YAML_TEXT && text_duration_s(value->text, &seconds) == ERR_NONE;
    if (!is_duration) {
        (void)fail(report, value, "", "a time such as 90s, 15m, 8h or 30d");
    } else if (seconds < field->min || seconds > field->max) {
        char wanted[96];
        (void)snprintf(wanted, sizeof wanted, "a time from %llus to %llus", (unsigned long long)field->min,
                       (unsigned long long)field->max);
        (void)fail(report, value, "", wanted);
    } else {
        *(uint32_t *)into = (uint32_t)seconds;
    }
}

static void read_size(struct yaml_report *report, const struct yaml_field *field,
                      const struct yaml_node *value, void *into)
{
    uint64_t bytes = 0;
    bool is_size = value->kind == YAML_TEXT && text_size_bytes(value->text, &bytes) == ERR_NONE;
    if (!is_size) {
        (void)fail(report, value, "", "a size such as 64KiB, 8MiB or 2GiB");
    } else if (bytes < field->min || bytes > field->max) {
        char wanted[96];
        (void)snprintf(wanted, sizeof wanted, "a size from %llu to %llu bytes",
                       (unsigned long long)field->min, (unsigned long long)field->max);
        (void)fail(report, value, "", wanted);
    } else {
        *(uint64_t *)into = bytes;
    }
}

static void read_text(struct yaml_report *report, const struct yaml_field *field,
                      const struct yaml_node *value, void *into)
{
    if (!yaml_expect_text(report, value, "")) {
        return;
    }
    size_t len = cursor_len(&value->text);
    if (len >= field->max) {
        char wanted[96];
        (void)snprintf(wanted, sizeof wanted, "at most %llu bytes long", (unsigned long long)field->max - 1);
        (void)fail(report, value, "", wanted);
        return;
    }
    memcpy(into, value->text.at, len + 1);
}

static bool is_absolute_path(struct cursor path)
{
    const char *text = TEXT(path);
    size_t len = cursor_len(&path);
    bool has_steps =
        strstr(text, "/../") != NULL || strstr(text, "/./") != NULL || strstr(text, "//") != NULL;
    bool ends_in_step =
        (len >= 3 && strcmp(text + len - 3, "/..") == 0) || (len >= 2 && strcmp(text + len - 2, "/.") == 0);
    return text[0] == '/' && !has_steps && !ends_in_step;
}

static void read_path(struct yaml_report *report, const struct yaml_field *field,
                      const struct yaml_node *value, void *into)
{
    if (!yaml_expect_text(report, value, "")) {
        return;
    }
    if (!is_absolute_path(value->text)) {
        (void)fail(report, value, "", "an absolute path without \".\" and \"..\" steps");
        return;
    }
    read_text(report, field, value, into);
}

static void read_value(struct yaml_report *report, const struct yaml_field *field,
                       const struct yaml_node *value, void *context, void *into)
{
    uint64_t number = 0;
    switch (field->type) {
    case YAML_FIELD_CUSTOM:
        field->read(context, value, into);
        return;
    case YAML_FIELD_UNSUPPORTED:
        yaml_report_error(report, value->key->line, value->key->column,
                          "\"%s\" is not supported by this version", field->name);
        return;
    case YAML_FIELD_BOOL:
        read_bool(report, value, into);
        return;
    case YAML_FIELD_U16:
        if (read_number(report, field, value, &number)) {
            *(uint16_t *)into = (uint16_t)number;
        }
        return;
    case YAML_FIELD_U32:
        if (read_number(report, field, value, &number)) {
            *(uint32_t *)into = (uint32_t)number;
        }
        return;
    case YAML_FIELD_DURATION:
        read_duration(report, field, value, into);
        return;
    case YAML_FIELD_SIZE:
        read_size(report, field, value, into);
        return;
    case YAML_FIELD_TEXT:
        read_text(report, field, value, into);
        return;
    case YAML_FIELD_PATH:
        read_path(report, field, value, into);
        return;
    }
}

static const struct yaml_field *find_field(const struct yaml_field *fields, size_t count, struct cursor name)
{
    for (size_t i = 0; i < count; i++) {
        if (cursor_equal_text(name, fields[i].name)) {
            return &fields[i];
        }
    }
    return NULL;
}

static void report_unknown(struct yaml_report *report, const struct yaml_node *key, const char *what,
                           const struct yaml_field *fields, size_t count)
{
    struct yaml_suggestion suggestion;
    yaml_suggestion_init(&suggestion, key->text);
    char names[NAMES_SHOWN_BYTES] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        yaml_suggestion_offer(&suggestion, cursor_of_text(fields[i].name));
        if (fields[i].type != YAML_FIELD_UNSUPPORTED && used < sizeof names) {
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used == 0 ? "" : ", ",
                                     fields[i].name);
        }
    }
    const char *near = yaml_suggestion_text(&suggestion);
    if (*near != 0) {
        yaml_report_error(report, key->line, key->column, "%s has no key \"%.64s\"%s", what, TEXT(key->text),
                          near);
    } else {
        yaml_report_error(report, key->line, key->column, "%s has no key \"%.64s\"; its keys are %s", what,
                          TEXT(key->text), names);
    }
}

bool yaml_map_read(struct yaml_report *report, const struct yaml_node *node, const char *what,
                   const struct yaml_field *fields, size_t count, void *context, void *into)
{
    size_t errors_before = report->error_count;
    if (!yaml_expect_map(report, node, what)) {
        return false;
    }
    for (const struct yaml_node *value = node->first; value != NULL; value = value->next) {
        const struct yaml_field *field = find_field(fields, count, value->key->text);
        if (field == NULL) {
            report_unknown(report, value->key, what, fields, count);
        } else {
            read_value(report, field, value, context, (char *)into + field->offset);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].is_required && yaml_map_find(node, fields[i].name) == NULL) {
            yaml_report_error(report, node->line, node->column, "%s needs the key \"%s\"", what,
                              fields[i].name);
        }
    }
    return report->error_count == errors_before;
}

const struct yaml_node *yaml_map_find(const struct yaml_node *map, const char *name)
{
    for (const struct yaml_node *value = map->first; value != NULL; value = value->next) {
        if (value->key != NULL && cursor_equal_text(value->key->text, name)) {
            return value;
        }
    }
    return NULL;
}

void yaml_suggestion_init(struct yaml_suggestion *suggestion, struct cursor wanted)
{
    *suggestion = (struct yaml_suggestion){.wanted = wanted, .distance = FAR};
}

void yaml_suggestion_offer(struct yaml_suggestion *suggestion, struct cursor candidate)
{
    size_t longer = cursor_len(&candidate) > cursor_len(&suggestion->wanted)
                        ? cursor_len(&candidate)
                        : cursor_len(&suggestion->wanted);
    size_t distance = names_distance(suggestion->wanted, candidate);
    /* At least two thirds of the letters must be right, else the guess is noise. */
    if (distance < suggestion->distance && distance * 3 <= longer) {
        suggestion->distance = distance;
        suggestion->best = candidate;
    }
}

void yaml_suggestion_offer_names(struct yaml_suggestion *suggestion, const struct names *names)
{
    for (size_t i = 0; i < names->capacity; i++) {
        if (names->slots[i].is_used) {
            yaml_suggestion_offer(suggestion, names->slots[i].name);
        }
    }
}

const char *yaml_suggestion_text(struct yaml_suggestion *suggestion)
{
    if (suggestion->distance == FAR) {
        return "";
    }
    (void)snprintf(suggestion->text, sizeof suggestion->text, "; did you mean \"%.*s\"?",
                   (int)cursor_len(&suggestion->best), TEXT(suggestion->best));
    return suggestion->text;
}
