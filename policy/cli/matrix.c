#include "matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/names.h"

enum { KEY_BYTES = 16384 };

static const char *keep_text(struct matrix *matrix, const char *text)
{
    const char *copy = arena_text(&matrix->texts, cursor_of_text(text));
    matrix->is_out_of_memory = matrix->is_out_of_memory || copy == NULL;
    return copy == NULL ? "" : copy;
}

static void add_text(json_t *list, const char *text, size_t len)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (json_string_length(json_array_get(list, i)) == len &&
            memcmp(json_string_value(json_array_get(list, i)), text, len) == 0) {
            return;
        }
    }
    (void)json_array_append_new(list, json_stringn(text, len));
}

static struct matrix_row *new_row(struct matrix *matrix)
{
    if (matrix->count == matrix->capacity) {
        size_t capacity = matrix->capacity == 0 ? 64 : 2 * matrix->capacity;
        struct matrix_row *more = realloc(matrix->rows, capacity * sizeof *more);
        if (more == NULL) {
            matrix->is_out_of_memory = true;
            return NULL;
        }
        matrix->rows = more;
        matrix->capacity = capacity;
    }
    struct matrix_row *row = &matrix->rows[matrix->count++];
    *row = (struct matrix_row){
        .people = json_array(), .hosts = json_array(), .what = json_array(), .rules = json_array()};
    return row;
}

static void free_row(struct matrix_row *row)
{
    json_decref(row->people);
    json_decref(row->hosts);
    json_decref(row->what);
    json_decref(row->rules);
}

void matrix_done(struct matrix *matrix)
{
    for (size_t i = 0; i < matrix->count; i++) {
        free_row(&matrix->rows[i]);
    }
    free(matrix->rows);
    arena_done(&matrix->texts);
    names_done(&matrix->keys);
    *matrix = (struct matrix){0};
}

/* The row under a key; a new one where there is none. @return NULL when the matrix is full. */
static struct matrix_row *row_of(struct matrix *matrix, const char *key, bool *ret_is_new)
{
    uint32_t number = 0;
    *ret_is_new = names_find(&matrix->keys, cursor_of_text(key), &number) != ERR_NONE;
    if (!*ret_is_new) {
        return &matrix->rows[number];
    }
    if (matrix->count == MATRIX_ROWS_MAX) {
        matrix->is_cut = true;
        return NULL;
    }
    enum err err = names_add(&matrix->keys, cursor_of_text(keep_text(matrix, key)), (uint32_t)matrix->count);
    matrix->is_out_of_memory = matrix->is_out_of_memory || err != ERR_NONE;
    return matrix->is_out_of_memory ? NULL : new_row(matrix);
}

bool matrix_add(void *context, const struct policy_change *change)
{
    struct matrix *matrix = context;
    char key[KEY_BYTES];
    /* Classes of people and hosts do not overlap, so one of each names the class. */
    (void)snprintf(key, sizeof key, "%d\n%s\n%.*s:%u\n%s\n%s", (int)change->kind, change->people[0],
                   (int)cursor_len(&change->hosts[0]), (const char *)change->hosts[0].at, change->port,
                   change->account, change->when);
    bool is_new = false;
    struct matrix_row *row = row_of(matrix, key, &is_new);
    if (row == NULL) {
        return !matrix->is_out_of_memory && !matrix->is_cut;
    }
    if (is_new) {
        row->kind = change->kind;
        row->port = change->port;
        row->target = keep_text(matrix, change->target);
        row->account = keep_text(matrix, change->account);
        row->when = keep_text(matrix, change->when);
        for (size_t i = 0; i < change->people_count; i++) {
            (void)json_array_append_new(row->people, json_string(change->people[i]));
        }
        for (size_t i = 0; i < change->host_count; i++) {
            add_text(row->hosts, (const char *)change->hosts[i].at, cursor_len(&change->hosts[i]));
        }
    }
    add_text(row->what, change->what, strlen(change->what));
    struct cursor rules = cursor_of_text(change->rule);
    while (cursor_len(&rules) > 0) {
        const uint8_t *comma = memchr(rules.at, ',', cursor_len(&rules));
        const uint8_t *end = comma == NULL ? rules.end : comma;
        add_text(row->rules, (const char *)rules.at, (size_t)(end - rules.at));
        rules.at = comma == NULL ? rules.end : comma + 1;
    }
    return true;
}

/* ---- joining ---- */

/* Everything of a row but its people, as one text. OWNED by the caller. */
static char *key_without_people(const struct matrix_row *row)
{
    json_t *key = json_pack("[i, s, O, i, s, O, s, O]", (int)row->kind, row->target, row->hosts,
                            (int)row->port, row->account, row->what, row->when, row->rules);
    char *text = json_dumps(key, JSON_COMPACT);
    json_decref(key);
    return text;
}

void matrix_join_people(struct matrix *matrix)
{
    names_done(&matrix->keys);
    matrix->keys = (struct names){0};
    size_t kept = 0;
    for (size_t i = 0; i < matrix->count; i++) {
        struct matrix_row row = matrix->rows[i];
        char *key = key_without_people(&row);
        uint32_t number = 0;
        matrix->is_out_of_memory = matrix->is_out_of_memory || key == NULL;
        if (key != NULL && names_find(&matrix->keys, cursor_of_text(key), &number) == ERR_NONE) {
            (void)json_array_extend(matrix->rows[number].people, row.people);
            free_row(&row);
        } else {
            const char *name = keep_text(matrix, key == NULL ? "" : key);
            enum err err = names_add(&matrix->keys, cursor_of_text(name), (uint32_t)kept);
            matrix->is_out_of_memory = matrix->is_out_of_memory || err == ERR_MEMORY;
            matrix->rows[kept++] = row;
            matrix->gains += row.kind == POLICY_GAIN ? 1 : 0;
            matrix->losses += row.kind == POLICY_LOSS ? 1 : 0;
        }
        free(key);
    }
    matrix->count = kept;
}

/* ---- showing ---- */

const char *matrix_list(const json_t *list, char *text, size_t size_bytes)
{
    enum { MORE_BYTES = 32 };
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        if (used + strlen(item) + MORE_BYTES > size_bytes) {
            (void)snprintf(text + used, size_bytes - used, " and %zu more", json_array_size(list) - i);
            break;
        }
        used += (size_t)snprintf(text + used, size_bytes - used, "%s%s", i == 0 ? "" : ", ", item);
    }
    return text;
}

json_t *matrix_json(const struct matrix *matrix, bool has_kind)
{
    json_t *list = json_array();
    for (size_t i = 0; i < matrix->count; i++) {
        const struct matrix_row *row = &matrix->rows[i];
        json_t *object =
            json_pack("{s:O, s:s, s:O, s:i, s:s, s:O, s:s, s:O}", "people", row->people, "target",
                      row->target, "hosts", row->hosts, "port", (int)row->port, "account", row->account,
                      "what", row->what, "when", row->when, "rules", row->rules);
        if (has_kind) {
            (void)json_object_set_new(object, "change",
                                      json_string(row->kind == POLICY_GAIN ? "gain" : "loss"));
        }
        (void)json_array_append_new(list, object);
    }
    return list;
}

/* A text that a spreadsheet would take for a formula is led in by an apostrophe. */
static void print_field(const char *text, const char *end)
{
    (void)fputc('"', stdout);
    if (*text != 0 && strchr("=+-@\t\r", *text) != NULL) {
        (void)fputc('\'', stdout);
    }
    for (; *text != 0; text++) {
        (void)fputs(*text == '"' ? "\"\"" : (const char[]){*text, 0}, stdout);
    }
    (void)fprintf(stdout, "\"%s", end);
}

static void print_csv_line(const struct matrix_row *row, const char *person, const char *host)
{
    char text[KEY_BYTES];
    print_field(person, ",");
    print_field(host, ",");
    (void)printf("%u,", row->port);
    print_field(row->account, ",");
    print_field(matrix_list(row->what, text, sizeof text), ",");
    print_field(row->when, ",");
    print_field(matrix_list(row->rules, text, sizeof text), "\r\n");
}

void matrix_print_csv(const struct matrix *matrix)
{
    (void)fputs("person,host,port,account,what,when,rules\r\n", stdout);
    for (size_t i = 0; i < matrix->count; i++) {
        const struct matrix_row *row = &matrix->rows[i];
        for (size_t person = 0; person < json_array_size(row->people); person++) {
            for (size_t host = 0; host < json_array_size(row->hosts); host++) {
                print_csv_line(row, json_string_value(json_array_get(row->people, person)),
                               json_string_value(json_array_get(row->hosts, host)));
            }
        }
    }
}
