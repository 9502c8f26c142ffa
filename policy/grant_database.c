/* Database users and databases of a grant. */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "policy/grant.h"

enum { NAME_BYTES = LIMIT_DB_NAME_BYTES - 1 };

const char *grant_check_database_name(struct cursor name)
{
    size_t len = cursor_len(&name);
    if (len == 0 || len > NAME_BYTES) {
        return "it must have 1 to 64 bytes";
    }
    const uint8_t *star = memchr(name.at, '*', len);
    if (star != NULL && star + 1 != name.end) {
        return "\"*\" can only be at its end";
    }
    for (const uint8_t *at = name.at; at != name.end; at++) {
        if (*at < ' ' || *at == 0x7f) {
            return "it holds a control character";
        }
    }
    return NULL;
}

static MUST_CHECK enum err read_names(struct cursor *in, struct cursor *ret_block)
{
    TRY(cursor_string(in, GRANT_DATABASES_BYTES, ret_block));
    struct cursor rest = *ret_block;
    while (cursor_len(&rest) > 0) {
        struct cursor name;
        if (cursor_string(&rest, NAME_BYTES, &name) != ERR_NONE || grant_check_database_name(name) != NULL) {
            return ERR_MALFORMED;
        }
    }
    return cursor_len(ret_block) == 0 ? ERR_MALFORMED : ERR_NONE;
}

enum err grant_read_database(struct cursor *in, struct grant_database *ret)
{
    uint8_t rights = 0;
    uint8_t params = 0;
    TRY(cursor_u8(in, &rights));
    TRY(cursor_u8(in, &params));
    if (rights > GRANT_DB_RIGHTS || params > GRANT_PARAMS_FULL) {
        return ERR_MALFORMED;
    }
    ret->rights = rights;
    ret->params = (enum grant_params)params;
    TRY(read_names(in, &ret->users));
    return read_names(in, &ret->databases);
}

static bool is_same(const struct grant_database *a, const struct grant_database *b)
{
    return a->rights == b->rights && a->params == b->params && cursor_equal(a->users, b->users) &&
           cursor_equal(a->databases, b->databases);
}

enum err grant_add_database(struct policy_grant *grant, const struct grant_database *added)
{
    assert(added->rights <= GRANT_DB_RIGHTS);
    struct cursor rest = cursor_of(grant->databases, grant->databases_len_bytes);
    struct grant_database old;
    while (cursor_len(&rest) > 0 && grant_read_database(&rest, &old) == ERR_NONE) {
        if (is_same(&old, added)) {
            return ERR_NONE;
        }
    }
    struct writer out = writer_of(grant->databases + grant->databases_len_bytes,
                                  sizeof grant->databases - grant->databases_len_bytes);
    writer_u8(&out, (uint8_t)added->rights);
    writer_u8(&out, (uint8_t)added->params);
    writer_string(&out, added->users);
    writer_string(&out, added->databases);
    struct cursor written;
    TRY(writer_done(&out, &written));
    grant->databases_len_bytes = (uint16_t)(grant->databases_len_bytes + cursor_len(&written));
    return ERR_NONE;
}

static bool name_matches(struct cursor pattern, struct cursor name)
{
    if (cursor_len(&pattern) == 0 || pattern.end[-1] != '*') {
        return cursor_equal(pattern, name);
    }
    size_t len = cursor_len(&pattern) - 1;
    return cursor_len(&name) >= len && memcmp(pattern.at, name.at, len) == 0;
}

bool grant_lists_name(struct cursor block, struct cursor name)
{
    struct cursor pattern;
    while (cursor_len(&name) > 0 && cursor_len(&block) > 0 &&
           cursor_string(&block, NAME_BYTES, &pattern) == ERR_NONE) {
        if (name_matches(pattern, name)) {
            return true;
        }
    }
    return false;
}

/* The sum of what all entries give that name both. @return whether there is one. */
static bool add_up(const struct policy_grant *grant, struct cursor user, struct cursor database,
                   struct grant_database *ret, const char **ret_reason)
{
    bool has_user = false;
    bool has_both = false;
    struct cursor rest = cursor_of(grant->databases, grant->databases_len_bytes);
    struct grant_database entry;
    *ret = (struct grant_database){0};
    while (cursor_len(&rest) > 0 && grant_read_database(&rest, &entry) == ERR_NONE) {
        bool is_user = grant_lists_name(entry.users, user);
        has_user = has_user || is_user;
        if (is_user && (cursor_len(&database) == 0 || grant_lists_name(entry.databases, database))) {
            has_both = true;
            ret->rights |= entry.rights;
            ret->params = entry.params > ret->params ? entry.params : ret->params;
        }
    }
    if (!has_both) {
        *ret_reason = has_user ? "this database is not in its list for this user"
                               : "this database user is not in its list";
    }
    return has_both;
}

bool grant_allows_database(const struct policy_grant *grant, struct cursor user, struct cursor database,
                           const char **ret_reason)
{
    struct grant_database sum;
    return add_up(grant, user, database, &sum, ret_reason);
}

bool grant_choose_database(struct policy_grant *grant, struct cursor user, struct cursor database,
                           const char **ret_reason)
{
    struct grant_database sum;
    if (!add_up(grant, user, database, &sum, ret_reason)) {
        return false;
    }
    grant->db_copy = (sum.rights & GRANT_DB_COPY) != 0;
    grant->db_function_call = (sum.rights & GRANT_DB_FUNCTION_CALL) != 0;
    grant->db_replication = (sum.rights & GRANT_DB_REPLICATION) != 0;
    grant->db_local_infile = (sum.rights & GRANT_DB_LOCAL_INFILE) != 0;
    grant->db_params = sum.params;
    return true;
}
