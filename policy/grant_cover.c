/* Is one grant at least as wide as another? */
#include <string.h>

#include "policy/grant.h"

/* The lists of a grant hold entries of their own shapes; two entries are the same when their bytes are. */
typedef enum err next_entry(struct cursor *list);

static enum err next_pattern(struct cursor *list)
{
    uint8_t words = 0;
    TRY(cursor_u8(list, &words));
    for (unsigned i = 0; i < words; i++) {
        struct cursor word;
        TRY(cursor_string(list, GRANT_WORD_BYTES, &word));
    }
    return ERR_NONE;
}

/* Of places and of paths: a kind, then a text. */
static enum err next_kind_and_text(struct cursor *list)
{
    uint8_t kind = 0;
    struct cursor text;
    TRY(cursor_u8(list, &kind));
    return cursor_string(list, GRANT_PLACES_BYTES, &text);
}

static bool holds(struct cursor list, next_entry *next, struct cursor entry)
{
    struct cursor rest = list;
    while (cursor_len(&rest) > 0) {
        struct cursor one = rest;
        if (next(&rest) != ERR_NONE) {
            return false;
        }
        one.end = rest.at;
        if (cursor_equal(one, entry)) {
            return true;
        }
    }
    return false;
}

/** @param is_covered  by the rest of the wider grant, whatever its list says */
typedef bool is_covered(const struct policy_grant *wide, struct cursor entry);

static bool all_hold(const struct policy_grant *wide, struct cursor wide_list, struct cursor narrow_list,
                     next_entry *next, is_covered *otherwise)
{
    while (cursor_len(&narrow_list) > 0) {
        struct cursor entry = narrow_list;
        if (next(&narrow_list) != ERR_NONE) {
            return false;
        }
        entry.end = narrow_list.at;
        if (!otherwise(wide, entry) && !holds(wide_list, next, entry)) {
            return false;
        }
    }
    return true;
}

static bool any_command(const struct policy_grant *wide, struct cursor entry)
{
    (void)entry;
    return wide->exec == GRANT_EXEC_ANY;
}

static bool any_place(const struct policy_grant *wide, struct cursor entry)
{
    bool is_remote = entry.at[0] == PLACE_REMOTE_FORWARD;
    return (is_remote ? wide->remote_forward : wide->forward) == GRANT_FORWARD_ANY;
}

static bool any_path(const struct policy_grant *wide, struct cursor entry)
{
    return wide->sftp >= (enum grant_sftp)entry.at[0];
}

static enum err next_database(struct cursor *list)
{
    struct grant_database database;
    return grant_read_database(list, &database);
}

/* The same names may come from several entries, and what is recorded of parameters does not count. */
static bool same_database(const struct policy_grant *wide, struct cursor entry)
{
    struct grant_database asked;
    struct grant_database given;
    unsigned rights = 0;
    bool is_named = false;
    struct cursor list = cursor_of(wide->databases, wide->databases_len_bytes);
    if (grant_read_database(&entry, &asked) != ERR_NONE) {
        return false;
    }
    while (cursor_len(&list) > 0 && grant_read_database(&list, &given) == ERR_NONE) {
        if (cursor_equal(given.users, asked.users) && cursor_equal(given.databases, asked.databases)) {
            is_named = true;
            rights |= given.rights;
        }
    }
    return is_named && (asked.rights & ~rights) == 0;
}

static bool lists_cover(const struct policy_grant *wide, const struct policy_grant *narrow)
{
    return all_hold(wide, cursor_of(wide->patterns, wide->patterns_len_bytes),
                    cursor_of(narrow->patterns, narrow->patterns_len_bytes), next_pattern, any_command) &&
           all_hold(wide, cursor_of(wide->places, wide->places_len_bytes),
                    cursor_of(narrow->places, narrow->places_len_bytes), next_kind_and_text, any_place) &&
           all_hold(wide, cursor_of(wide->paths, wide->paths_len_bytes),
                    cursor_of(narrow->paths, narrow->paths_len_bytes), next_kind_and_text, any_path) &&
           all_hold(wide, cursor_of(wide->databases, wide->databases_len_bytes),
                    cursor_of(narrow->databases, narrow->databases_len_bytes), next_database, same_database);
}

const char *grant_check_covers(const struct policy_grant *wide, const struct policy_grant *narrow)
{
    const struct {
        bool is_covered;
        const char *what;
    } rights[] = {
        {wide->shell || !narrow->shell, "a shell"},
        {wide->exec >= narrow->exec, "commands"},
        {wide->sftp >= narrow->sftp, "files"},
        {wide->agent || !narrow->agent, "an agent"},
        {wide->x11 || !narrow->x11, "X11"},
        {wide->connect || !narrow->connect, "a connection"},
        {wide->forward >= narrow->forward, "forwards"},
        {wide->remote_forward >= narrow->remote_forward, "remote forwards"},
        {wide->db_opaque || !narrow->db_opaque, "a database"},
        {lists_cover(wide, narrow), "one of the listed commands, places, paths or databases"},
    };
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        if (!rights[i].is_covered) {
            return rights[i].what;
        }
    }
    return NULL;
}
