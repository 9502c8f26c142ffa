/* The tables of the language, which the loader reads by and the schema is made of; and the words of JSON
 * Schema for values that are no maps. */
#ifndef POLICY_LANGUAGE_PARTS_H
#define POLICY_LANGUAGE_PARTS_H

#include "yaml/field.h"

extern const struct yaml_map loader_policy_map;
extern const struct yaml_map loader_defaults_map;
extern const struct yaml_map loader_added_map;
extern const struct yaml_map loader_sftp_map;
extern const struct yaml_map loader_can_map;
extern const struct yaml_map loader_never_map;
extern const struct yaml_map loader_group_map;
extern const struct yaml_map loader_rule_map;
extern const struct yaml_map loader_host_keys_map;
extern const struct yaml_map loader_test_as_map;
extern const struct yaml_map loader_test_map;
extern const struct yaml_map loader_record_map;
extern const struct yaml_map loader_limits_map;
extern const struct yaml_map loader_upstream_tls_map;
extern const struct yaml_map loader_db_map;
extern const struct yaml_map loader_when_map;
extern const struct yaml_map loader_record_db_map;
extern const struct yaml_map loader_ssh_map;
extern const struct yaml_map loader_tcp_map;
extern const struct yaml_map loader_postgres_map;
extern const struct yaml_map loader_mysql_map;
extern const struct yaml_map loader_internal_map;

#define MAPS(...) ((const struct yaml_map *const[]){__VA_ARGS__, NULL})

#define SCHEMA_TEXT "{\"type\":\"string\",\"minLength\":1}"
#define SCHEMA_BOOL "{\"type\":\"boolean\"}"
#define SCHEMA_TEXTS "{\"type\":\"array\",\"minItems\":1,\"uniqueItems\":true,\"items\":" SCHEMA_TEXT "}"
#define SCHEMA_ID "{\"type\":\"string\",\"pattern\":\"^[a-z][a-z0-9._-]{0,62}$\"}"
#define SCHEMA_WORDS(words) "{\"enum\":[" words "]}"
#define SCHEMA_ANY(schemas) "{\"anyOf\":[" schemas "]}"
#define SCHEMA_NAMED(schema)                                                                                 \
    "{\"type\":\"object\",\"minProperties\":1,\"propertyNames\":" SCHEMA_ID                                  \
    ",\"additionalProperties\":" schema "}"
/* Names of targets, "env=prod,tier=web", and { env: prod, tier: web } */
#define SCHEMA_TO                                                                                            \
    "{\"type\":\"array\",\"minItems\":1,\"uniqueItems\":true,\"items\":" SCHEMA_ANY(                         \
        SCHEMA_TEXT "," SCHEMA_NAMED(SCHEMA_ID)) "}"

#endif
