/* Reading a map by a table: one row per key, with its type, bounds and place in a struct. What no row names
 * is an error with a suggestion; what a row names and this version does not do is an error too, never
 * ignored. */
#ifndef YAML_FIELD_H
#define YAML_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "base/names.h"
#include "yaml/document.h"

enum yaml_field_type {
    YAML_FIELD_CUSTOM,      /* `read` does it */
    YAML_FIELD_UNSUPPORTED, /* part of the language, not of this version */
    YAML_FIELD_BOOL,        /* bool: true or false, nothing else */
    YAML_FIELD_U16,         /* uint16_t, from min to max */
    YAML_FIELD_U32,         /* uint32_t, from min to max */
    YAML_FIELD_DURATION,    /* uint32_t, seconds, from min to max: "90s", "15m", "8h", "30d" */
    YAML_FIELD_SIZE,        /* uint64_t, bytes, from min to max: "64KiB", "8MiB" */
    YAML_FIELD_TEXT,        /* char[max], not empty */
    YAML_FIELD_PATH,        /* char[max], absolute, without "." and ".." steps */
};

/** @param context, into  as given to yaml_map_read(); `into` is where the row's offset points */
typedef void yaml_field_read(void *context, const struct yaml_node *value, void *into);

struct yaml_map;
/* What the value of a CUSTOM field is, for whoever writes the language down: one of `maps`, a list of such,
 * or a map of names to such; and `schema`, what else it can be. */
enum yaml_shape { YAML_SHAPE_ONE, YAML_SHAPE_LIST, YAML_SHAPE_NAMED };

struct yaml_field {
    const char *name;
    enum yaml_field_type type;
    bool is_required;
    size_t offset;
    uint64_t min, max;
    yaml_field_read *read;
    enum yaml_shape shape;
    const struct yaml_map *const *maps; /* ends with NULL; NULL: no map */
    const char *schema;                 /* JSON Schema, or NULL */
};

/** A table by its name. */
struct yaml_map {
    const char *what; /* in messages, with article */
    const struct yaml_field *fields;
    size_t count;
};
#define YAML_MAP(what, table)                                                                                \
    {                                                                                                        \
        (what), (table), sizeof(table) / sizeof *(table)                                                     \
    }

/**
 * Read every key of `node` into the struct at `into`. Errors go to the report, all of them.
 * @param what  the map's name in messages, with article: "a rule"
 * @return true when this added no error
 */
bool yaml_map_read(struct yaml_report *report, const struct yaml_node *node, const char *what,
                   const struct yaml_field *fields, size_t count, void *context, void *into);
/** @return the value of a key of a map, or NULL. */
const struct yaml_node *yaml_map_find(const struct yaml_node *map, const char *name);

/** Errors at the place of `node`, which may quote its key. All return false after an error. */
bool yaml_expect_list(struct yaml_report *report, const struct yaml_node *node, const char *what);
bool yaml_expect_map(struct yaml_report *report, const struct yaml_node *node, const char *what);
bool yaml_expect_text(struct yaml_report *report, const struct yaml_node *node, const char *what);
/** A plain true or false. */
bool yaml_is_bool(const struct yaml_node *node, bool *ret_value);

/** "did you mean": offer every candidate, then take the text. */
struct yaml_suggestion {
    struct cursor wanted, best;
    size_t distance;
    char text[128];
};
void yaml_suggestion_init(struct yaml_suggestion *suggestion, struct cursor wanted);
void yaml_suggestion_offer(struct yaml_suggestion *suggestion, struct cursor candidate);
void yaml_suggestion_offer_names(struct yaml_suggestion *suggestion, const struct names *names);
/** `; did you mean "rules"?`, or "" when nothing is near. */
const char *yaml_suggestion_text(struct yaml_suggestion *suggestion);

#endif
