#include "policy/language.h"

#include <jansson.h>
#include <string.h>

#include "unit_test.h"

enum { MAPS_MAX = 64 };

/* Every table that can be reached, each once. */
struct tables {
    const struct yaml_map *maps[MAPS_MAX];
    size_t count;
};

static void collect(struct tables *tables)
{
    for (size_t at = 0; at < tables->count; at++) {
        for (size_t i = 0; i < tables->maps[at]->count; i++) {
            const struct yaml_map *const *map = tables->maps[at]->fields[i].maps;
            for (; map != NULL && *map != NULL; map++) {
                size_t known = 0;
                while (known < tables->count && tables->maps[known] != *map) {
                    known++;
                }
                if (known == tables->count) {
                    assert_true(tables->count < MAPS_MAX);
                    tables->maps[tables->count++] = *map;
                }
            }
        }
    }
}

static void language_says_of_each_key_what_it_is(void **state)
{
    (void)state;
    struct tables tables = {.maps = {policy_language()}, .count = 1};
    collect(&tables);
    assert_true(tables.count >= 20);
    for (size_t at = 0; at < tables.count; at++) {
        assert_true(strlen(tables.maps[at]->what) > 0);
        for (size_t i = 0; i < tables.maps[at]->count; i++) {
            const struct yaml_field *field = &tables.maps[at]->fields[i];
            bool is_said = field->type != YAML_FIELD_CUSTOM || field->maps != NULL || field->schema != NULL;
            if (!is_said || field->name == NULL) {
                fail_msg("%s: %s", tables.maps[at]->what, field->name);
            }
            json_t *schema = field->schema == NULL ? NULL : json_loads(field->schema, 0, NULL);
            if ((field->schema != NULL) != (schema != NULL)) {
                fail_msg("%s: %s: %s", tables.maps[at]->what, field->name, field->schema);
            }
            json_decref(schema);
            for (size_t j = 0; j < i; j++) {
                assert_string_not_equal(field->name, tables.maps[at]->fields[j].name);
            }
        }
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(language_says_of_each_key_what_it_is),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
