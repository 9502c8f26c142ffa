/* `bastion policy schema`: JSON Schema (draft-07) of the policy file, for editors, made of the tables that
 * the loader reads by. It knows the shape of a file; what only the whole can tell (names that exist,
 * overlaps, what a rule may allow on a target) is for `check`. */
#include <getopt.h>
#include <stdio.h>

#include "cli.h"
#include "policy/language.h"

enum { DEPTH_MAX = 8 };

static json_t *schema_of_map(const struct yaml_map *map, unsigned depth);

static json_t *schema_of_number(const struct yaml_field *field)
{
    return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)field->min, "maximum",
                     (json_int_t)field->max);
}

/* The maps of a field, as its shape says, and whatever else it can be. */
static json_t *schema_of_custom(const struct yaml_field *field, unsigned depth)
{
    json_t *any = json_array();
    for (const struct yaml_map *const *map = field->maps; map != NULL && *map != NULL; map++) {
        (void)json_array_append_new(any, schema_of_map(*map, depth + 1));
    }
    json_t *map =
        json_array_size(any) == 1 ? json_incref(json_array_get(any, 0)) : json_pack("{s:O}", "anyOf", any);
    bool has_map = json_array_size(any) > 0;
    json_decref(any);
    if (field->shape == YAML_SHAPE_LIST) {
        map = json_pack("{s:s, s:i, s:o}", "type", "array", "minItems", 1, "items", map);
    } else if (field->shape == YAML_SHAPE_NAMED) {
        map = json_pack("{s:s, s:i, s:{s:s}, s:o}", "type", "object", "minProperties", 1, "propertyNames",
                        "pattern", "^[a-z][a-z0-9._-]{0,62}$", "additionalProperties", map);
    }
    json_t *other = field->schema == NULL ? NULL : json_loads(field->schema, 0, NULL);
    if (has_map && other != NULL) {
        return json_pack("{s:[o, o]}", "anyOf", map, other);
    }
    if (has_map) {
        return map;
    }
    json_decref(map);
    return other;
}

static json_t *schema_of_field(const struct yaml_field *field, unsigned depth)
{
    switch (field->type) {
    case YAML_FIELD_CUSTOM:
        return schema_of_custom(field, depth);
    case YAML_FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case YAML_FIELD_U16:
    case YAML_FIELD_U32:
        return schema_of_number(field);
    case YAML_FIELD_DURATION:
        return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9]+[smhd]$");
    case YAML_FIELD_SIZE:
        return json_pack("{s:[{s:s, s:i}, {s:s, s:s}]}", "anyOf", "type", "integer", "minimum", 0, "type",
                         "string", "pattern", "^[0-9]+([KMG]iB)?$");
    case YAML_FIELD_TEXT:
    case YAML_FIELD_PATH:
        return json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
    case YAML_FIELD_UNSUPPORTED:
        break;
    }
    return NULL;
}

static json_t *schema_of_map(const struct yaml_map *map, unsigned depth)
{
    json_t *properties = json_object();
    json_t *required = json_array();
    for (size_t i = 0; depth < DEPTH_MAX && i < map->count; i++) {
        json_t *schema = schema_of_field(&map->fields[i], depth);
        if (schema == NULL) {
            continue; /* a word of the language that this version refuses */
        }
        (void)json_object_set_new(properties, map->fields[i].name, schema);
        if (map->fields[i].is_required) {
            (void)json_array_append_new(required, json_string(map->fields[i].name));
        }
    }
    json_t *schema = json_pack("{s:s, s:s, s:b, s:i, s:o}", "type", "object", "title", map->what,
                               "additionalProperties", 0, "minProperties", 1, "properties", properties);
    if (json_array_size(required) > 0) {
        (void)json_object_set(schema, "required", required);
    }
    json_decref(required);
    return schema;
}

int cli_schema(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{NULL, 0, NULL, 0}};
    optind = 0;
    if (getopt_long(argc, argv, "", OPTIONS, NULL) != -1) {
        return CLI_USAGE;
    }
    if (optind != argc) {
        return cli_usage_error("schema needs nothing behind it", "");
    }
    json_t *schema = schema_of_map(policy_language(), 0);
    (void)json_object_set_new(schema, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    cli_print_json(schema);
    return CLI_OK;
}
