#include "language.h"
#include "loader.h"

#include <string.h>

#include "policy/grant.h"

/* [/usr/local/bin/deploy, "*", "*"] */
static void read_command(struct loader *loader, const struct yaml_node *item, struct policy_grant *patterns)
{
    struct cursor words[GRANT_PATTERN_WORDS];
    size_t count = 0;
    if (item->kind != YAML_LIST || item->count == 0) {
        LOADER_ERROR(loader, item,
                     "a command is a list of words, such as [/usr/bin/systemctl, status, \"*\"]");
        return;
    }
    if (item->count > GRANT_PATTERN_WORDS) {
        LOADER_ERROR(loader, item, "a command can have %d words", GRANT_PATTERN_WORDS);
        return;
    }
    for (const struct yaml_node *word = item->first; word != NULL; word = word->next) {
        if (!yaml_expect_text(loader->report, word, "a word of a command")) {
            return;
        }
        const char *problem = grant_check_word(word->text, count == 0);
        if (problem != NULL) {
            LOADER_ERROR(loader, word, "\"%.64s\" cannot be a word of a command: %s", NODE_TEXT(word),
                         problem);
            return;
        }
        words[count++] = word->text;
    }
    if (grant_add_pattern(patterns, words, count) != ERR_NONE) {
        LOADER_ERROR(loader, item, "the commands of a rule can have %d bytes in all", GRANT_PATTERNS_BYTES);
    }
}

static void read_commands(struct loader *loader, const struct yaml_node *value, struct can *can)
{
    struct policy_grant patterns = {0};
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        read_command(loader, item, &patterns);
    }
    uint8_t *copy = loader_alloc(loader, patterns.patterns_len_bytes, 1);
    if (copy != NULL && patterns.patterns_len_bytes > 0) {
        memcpy(copy, patterns.patterns, patterns.patterns_len_bytes);
        can->exec = GRANT_EXEC_LISTED;
        can->patterns = cursor_of(copy, patterns.patterns_len_bytes);
    }
}

static void read_exec(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct can *can = into;
    bool flag = false;
    if (yaml_is_bool(value, &flag)) {
        can->exec = flag ? GRANT_EXEC_ANY : GRANT_EXEC_NONE;
    } else if (value->kind == YAML_LIST && value->count > 0) {
        read_commands(loader, value, can);
    } else {
        LOADER_ERROR(loader, value, "\"exec\" must be true, false or a list of commands");
    }
}

/* { read: [paths], write: [paths] }: behind what is there, as for places. */
static void read_paths(struct loader *loader, const struct yaml_node *value, enum grant_sftp level,
                       struct can *can)
{
    enum { PATHS_MAX = 256 };
    struct policy_grant paths = {0};
    if (!loader_is_text_list(loader, value, PATHS_MAX) ||
        (cursor_len(&can->paths) > 0 && grant_add_paths(&paths, can->paths) != ERR_NONE)) {
        return;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        const char *problem = path_check(item->text);
        if (problem != NULL) {
            LOADER_ERROR(loader, item, "\"%.64s\" cannot be a path: %s", NODE_TEXT(item), problem);
        } else if (grant_add_path(&paths, level, item->text) != ERR_NONE) {
            LOADER_ERROR(loader, item, "the paths of a rule can have %d bytes in all", GRANT_PATHS_BYTES);
        }
    }
    uint8_t *copy = loader_alloc(loader, paths.paths_len_bytes, 1);
    if (copy != NULL && paths.paths_len_bytes > 0) {
        memcpy(copy, paths.paths, paths.paths_len_bytes);
        can->paths = cursor_of(copy, paths.paths_len_bytes);
    }
}

static void read_paths_read(void *context, const struct yaml_node *value, void *into)
{
    read_paths(context, value, GRANT_SFTP_READ, into);
}

static void read_paths_write(void *context, const struct yaml_node *value, void *into)
{
    read_paths(context, value, GRANT_SFTP_WRITE, into);
}

static const struct yaml_field SFTP_FIELDS[] = {
    {.name = "read", .read = read_paths_read, .schema = SCHEMA_TEXTS},
    {.name = "write", .read = read_paths_write, .schema = SCHEMA_TEXTS},
};
const struct yaml_map loader_sftp_map = YAML_MAP("\"sftp\"", SFTP_FIELDS);

static void read_sftp(void *context, const struct yaml_node *value, void *into)
{
    struct loader *loader = context;
    struct can *can = into;
    enum grant_sftp *sftp = &can->sftp;
    bool flag = false;
    if (yaml_is_bool(value, &flag)) {
        *sftp = flag ? GRANT_SFTP_WRITE : GRANT_SFTP_NONE;
    } else if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "read")) {
        *sftp = GRANT_SFTP_READ;
    } else if (value->kind == YAML_TEXT && cursor_equal_text(value->text, "write")) {
        *sftp = GRANT_SFTP_WRITE;
    } else if (value->kind == YAML_MAP) {
        (void)yaml_map_read(loader->report, value, "\"sftp\"", SFTP_FIELDS,
                            sizeof SFTP_FIELDS / sizeof SFTP_FIELDS[0], loader, can);
    } else {
        LOADER_ERROR(loader, value, "\"sftp\" must be read, write, true (as write), false or lists of paths");
    }
}

/* Both uses share the bytes of one rule: what is there is copied, and the new places come behind it. */
static void read_places(struct loader *loader, const struct yaml_node *value, enum place_use use,
                        struct can *can, enum grant_forward *forward)
{
    struct policy_grant places = {0};
    size_t old_len = cursor_len(&can->places);
    if (old_len > 0) {
        memcpy(places.places, can->places.at, old_len);
        places.places_len_bytes = (uint16_t)old_len;
    }
    for (const struct yaml_node *item = value->first; item != NULL; item = item->next) {
        const char *problem = place_check(item->text);
        if (problem != NULL) {
            LOADER_ERROR(loader, item, "\"%.64s\" cannot be a place of \"%.64s\": %s", NODE_TEXT(item),
                         NODE_TEXT(value->key), problem);
        } else if (grant_add_place(&places, use, item->text) != ERR_NONE) {
            LOADER_ERROR(loader, item, "the places of a rule can have %d bytes in all", GRANT_PLACES_BYTES);
        }
    }
    uint8_t *copy = loader_alloc(loader, places.places_len_bytes, 1);
    if (copy != NULL && places.places_len_bytes > 0) {
        memcpy(copy, places.places, places.places_len_bytes);
        can->places = cursor_of(copy, places.places_len_bytes);
        *forward = GRANT_FORWARD_LISTED;
    }
}

static void read_any_forward(struct loader *loader, const struct yaml_node *value, enum place_use use,
                             struct can *can)
{
    enum { PLACES_MAX = 256 };
    enum grant_forward *forward = use == PLACE_FORWARD ? &can->forward : &can->remote_forward;
    bool flag = false;
    if (yaml_is_bool(value, &flag)) {
        *forward = flag ? GRANT_FORWARD_ANY : GRANT_FORWARD_NONE;
    } else if (value->kind != YAML_LIST) {
        LOADER_ERROR(loader, value,
                     "\"%.64s\" must be true, false or a list of places such as \"localhost:9090\"",
                     NODE_TEXT(value->key));
    } else if (loader_is_text_list(loader, value, PLACES_MAX)) {
        read_places(loader, value, use, can, forward);
    }
}

static void read_forward(void *context, const struct yaml_node *value, void *into)
{
    read_any_forward(context, value, PLACE_FORWARD, into);
}

static void read_remote_forward(void *context, const struct yaml_node *value, void *into)
{
    read_any_forward(context, value, PLACE_REMOTE_FORWARD, into);
}

static const struct yaml_field CAN_FIELDS[] = {
    {.name = "shell", .type = YAML_FIELD_BOOL, .offset = offsetof(struct can, shell)},
    {.name = "exec",
     .read = read_exec,
     .schema = SCHEMA_ANY(SCHEMA_BOOL ",{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"array\","
                                      "\"minItems\":1,\"items\":" SCHEMA_TEXT "}}")},
    {.name = "sftp",
     .read = read_sftp,
     .maps = MAPS(&loader_sftp_map),
     .schema = SCHEMA_ANY(SCHEMA_BOOL "," SCHEMA_WORDS("\"read\",\"write\""))},
    {.name = "forward", .read = read_forward, .schema = SCHEMA_ANY(SCHEMA_BOOL "," SCHEMA_TEXTS)},
    {.name = "remote_forward",
     .read = read_remote_forward,
     .schema = SCHEMA_ANY(SCHEMA_BOOL "," SCHEMA_TEXTS)},
    {.name = "connect", .type = YAML_FIELD_BOOL, .offset = offsetof(struct can, connect)},
    {.name = "agent", .type = YAML_FIELD_BOOL, .offset = offsetof(struct can, agent)},
    {.name = "x11", .type = YAML_FIELD_BOOL, .offset = offsetof(struct can, x11)},
    {.name = "db", .read = loader_can_db, .maps = MAPS(&loader_db_map)},
};
const struct yaml_map loader_can_map = YAML_MAP("\"can\"", CAN_FIELDS);

void loader_can(struct loader *loader, const struct yaml_node *value, struct can *ret)
{
    bool is_good = yaml_map_read(loader->report, value, "\"can\"", CAN_FIELDS,
                                 sizeof CAN_FIELDS / sizeof CAN_FIELDS[0], loader, ret);
    if (is_good && can_bits(ret) == 0) {
        LOADER_ERROR(loader, value, "\"can\" allows nothing");
    }
}
