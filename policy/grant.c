#include "policy/grant.h"

#include <assert.h>
#include <string.h>

bool grant_is_empty(const struct policy_grant *grant)
{
    return !grant->shell && grant->exec == GRANT_EXEC_NONE && !grant_has_sftp(grant) && !grant->agent &&
           !grant->x11 && !grant->connect && grant->forward == GRANT_FORWARD_NONE &&
           grant->remote_forward == GRANT_FORWARD_NONE && grant->databases_len_bytes == 0 &&
           !grant->db_opaque;
}

bool grant_has_sftp(const struct policy_grant *grant)
{
    return grant->sftp != GRANT_SFTP_NONE || grant->paths_len_bytes > 0;
}

void grant_write(struct writer *out, const struct policy_grant *grant)
{
    writer_bool(out, grant->shell);
    writer_u8(out, (uint8_t)grant->exec);
    writer_u8(out, (uint8_t)grant->sftp);
    writer_bool(out, grant->sftp_hashes);
    writer_bool(out, grant->agent);
    writer_bool(out, grant->x11);
    writer_bool(out, grant->connect);
    writer_u8(out, (uint8_t)grant->forward);
    writer_u8(out, (uint8_t)grant->remote_forward);
    writer_bool(out, grant->db_copy);
    writer_bool(out, grant->db_function_call);
    writer_bool(out, grant->db_replication);
    writer_bool(out, grant->db_local_infile);
    writer_bool(out, grant->db_opaque);
    writer_u8(out, (uint8_t)grant->db_params);
    writer_bool(out, grant->record_input);
    writer_bool(out, grant->exec_hashes);
    writer_u64be(out, grant->exec_record_cap_bytes);
    writer_u32be(out, grant->session_limit_s);
    writer_u32be(out, grant->idle_limit_s);
    writer_u16be(out, grant->channels);
    writer_u16be(out, grant->connections);
    writer_text(out, grant->rule);
    writer_string(out, cursor_of(grant->patterns, grant->patterns_len_bytes));
    writer_string(out, cursor_of(grant->places, grant->places_len_bytes));
    writer_string(out, cursor_of(grant->paths, grant->paths_len_bytes));
    writer_string(out, cursor_of(grant->databases, grant->databases_len_bytes));
}

/* A flag of our own protocol is 0 or 1; anything else is damage. */
static MUST_CHECK enum err read_flag(struct cursor *in, bool *ret)
{
    uint8_t value = 0;
    TRY(cursor_u8(in, &value));
    if (value > 1) {
        return ERR_MALFORMED;
    }
    *ret = value == 1;
    return ERR_NONE;
}

static MUST_CHECK enum err read_choice(struct cursor *in, uint8_t max, uint8_t *ret)
{
    TRY(cursor_u8(in, ret));
    return *ret <= max ? ERR_NONE : ERR_MALFORMED;
}

static MUST_CHECK enum err read_word(struct cursor *in, bool is_first, struct cursor *ret)
{
    TRY(cursor_string(in, GRANT_WORD_BYTES, ret));
    return grant_check_word(*ret, is_first) == NULL ? ERR_NONE : ERR_MALFORMED;
}

/* One pattern from the front of `in`. @param words  room for GRANT_PATTERN_WORDS */
static MUST_CHECK enum err read_pattern(struct cursor *in, struct cursor *words, size_t *ret_count)
{
    uint8_t count = 0;
    TRY(cursor_u8(in, &count));
    if (count == 0 || count > GRANT_PATTERN_WORDS) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < count; i++) {
        TRY(read_word(in, i == 0, &words[i]));
    }
    *ret_count = count;
    return ERR_NONE;
}

static MUST_CHECK enum err read_patterns(struct cursor *in, struct policy_grant *grant)
{
    struct cursor block;
    TRY(cursor_string(in, GRANT_PATTERNS_BYTES, &block));
    size_t len = cursor_len(&block);
    if (len > 0) {
        memcpy(grant->patterns, block.at, len);
    }
    grant->patterns_len_bytes = (uint16_t)len;
    while (cursor_len(&block) > 0) {
        struct cursor words[GRANT_PATTERN_WORDS];
        size_t count = 0;
        if (read_pattern(&block, words, &count) != ERR_NONE) {
            return ERR_MALFORMED; /* the block is whole: a truncated pattern inside is no truncated message */
        }
    }
    return ERR_NONE;
}

/* One place from the front of `in`. */
static MUST_CHECK enum err read_place(struct cursor *in, enum place_use *ret_use, struct cursor *ret_place)
{
    uint8_t use = 0;
    TRY(read_choice(in, PLACE_USES - 1, &use));
    TRY(cursor_string(in, PLACE_BYTES, ret_place));
    *ret_use = (enum place_use)use;
    return use != 0 && place_check(*ret_place) == NULL ? ERR_NONE : ERR_MALFORMED;
}

static MUST_CHECK enum err read_places(struct cursor *in, struct policy_grant *grant)
{
    struct cursor block;
    TRY(cursor_string(in, GRANT_PLACES_BYTES, &block));
    size_t len = cursor_len(&block);
    if (len > 0) {
        memcpy(grant->places, block.at, len);
    }
    grant->places_len_bytes = (uint16_t)len;
    while (cursor_len(&block) > 0) {
        enum place_use use = PLACE_FORWARD;
        struct cursor place;
        if (read_place(&block, &use, &place) != ERR_NONE) {
            return ERR_MALFORMED; /* as for patterns: the block is whole */
        }
    }
    return ERR_NONE;
}

/* One path from the front of `in`. */
static MUST_CHECK enum err read_path(struct cursor *in, enum grant_sftp *ret_level,
                                     struct cursor *ret_pattern)
{
    uint8_t level = 0;
    TRY(read_choice(in, GRANT_SFTP_WRITE, &level));
    TRY(cursor_string(in, PATH_PATTERN_BYTES, ret_pattern));
    *ret_level = (enum grant_sftp)level;
    return level != GRANT_SFTP_NONE && path_check(*ret_pattern) == NULL ? ERR_NONE : ERR_MALFORMED;
}

static MUST_CHECK enum err read_paths(struct cursor *in, struct policy_grant *grant)
{
    struct cursor block;
    TRY(cursor_string(in, GRANT_PATHS_BYTES, &block));
    size_t len = cursor_len(&block);
    if (len > 0) {
        memcpy(grant->paths, block.at, len);
    }
    grant->paths_len_bytes = (uint16_t)len;
    while (cursor_len(&block) > 0) {
        enum grant_sftp level = GRANT_SFTP_NONE;
        struct cursor pattern;
        if (read_path(&block, &level, &pattern) != ERR_NONE) {
            return ERR_MALFORMED; /* as for patterns: the block is whole */
        }
    }
    return ERR_NONE;
}

static MUST_CHECK enum err read_databases(struct cursor *in, struct policy_grant *grant)
{
    struct cursor block;
    TRY(cursor_string(in, GRANT_DATABASES_BYTES, &block));
    size_t len = cursor_len(&block);
    if (len > 0) {
        memcpy(grant->databases, block.at, len);
    }
    grant->databases_len_bytes = (uint16_t)len;
    while (cursor_len(&block) > 0) {
        struct grant_database database;
        if (grant_read_database(&block, &database) != ERR_NONE) {
            return ERR_MALFORMED; /* as for patterns: the block is whole */
        }
    }
    return ERR_NONE;
}

static MUST_CHECK enum err read_database_flags(struct cursor *in, struct policy_grant *grant)
{
    uint8_t params = 0;
    TRY(read_flag(in, &grant->db_copy));
    TRY(read_flag(in, &grant->db_function_call));
    TRY(read_flag(in, &grant->db_replication));
    TRY(read_flag(in, &grant->db_local_infile));
    TRY(read_flag(in, &grant->db_opaque));
    TRY(read_choice(in, GRANT_PARAMS_FULL, &params));
    grant->db_params = (enum grant_params)params;
    return ERR_NONE;
}

static MUST_CHECK enum err read_fields(struct cursor *in, struct policy_grant *grant)
{
    uint8_t exec = 0;
    uint8_t sftp = 0;
    uint8_t forward = 0;
    uint8_t remote_forward = 0;
    TRY(read_flag(in, &grant->shell));
    TRY(read_choice(in, GRANT_EXEC_ANY, &exec));
    TRY(read_choice(in, GRANT_SFTP_WRITE, &sftp));
    grant->exec = (enum grant_exec)exec;
    grant->sftp = (enum grant_sftp)sftp;
    TRY(read_flag(in, &grant->sftp_hashes));
    TRY(read_flag(in, &grant->agent));
    TRY(read_flag(in, &grant->x11));
    TRY(read_flag(in, &grant->connect));
    TRY(read_choice(in, GRANT_FORWARD_ANY, &forward));
    TRY(read_choice(in, GRANT_FORWARD_ANY, &remote_forward));
    grant->forward = (enum grant_forward)forward;
    grant->remote_forward = (enum grant_forward)remote_forward;
    TRY(read_database_flags(in, grant));
    TRY(read_flag(in, &grant->record_input));
    TRY(read_flag(in, &grant->exec_hashes));
    TRY(cursor_u64be(in, &grant->exec_record_cap_bytes));
    TRY(cursor_u32be(in, &grant->session_limit_s));
    TRY(cursor_u32be(in, &grant->idle_limit_s));
    TRY(cursor_u16be(in, &grant->channels));
    TRY(cursor_u16be(in, &grant->connections));
    TRY(cursor_text(in, grant->rule, sizeof grant->rule));
    TRY(read_patterns(in, grant));
    TRY(read_places(in, grant));
    TRY(read_paths(in, grant));
    return read_databases(in, grant);
}

enum err grant_read(struct cursor *in, struct policy_grant *ret)
{
    *ret = (struct policy_grant){0};
    enum err err = read_fields(in, ret);
    if (err != ERR_NONE) {
        *ret = (struct policy_grant){0};
    }
    return err;
}

static bool has_pattern(const struct policy_grant *grant, const struct cursor *words, size_t count)
{
    struct cursor patterns = cursor_of(grant->patterns, grant->patterns_len_bytes);
    struct cursor old[GRANT_PATTERN_WORDS];
    size_t old_count = 0;
    while (cursor_len(&patterns) > 0 && read_pattern(&patterns, old, &old_count) == ERR_NONE) {
        size_t same = 0;
        while (old_count == count && same < count && cursor_equal(old[same], words[same])) {
            same++;
        }
        if (same == count) {
            return true;
        }
    }
    return false;
}

enum err grant_add_pattern(struct policy_grant *grant, const struct cursor *words, size_t count)
{
    assert(count > 0 && count <= GRANT_PATTERN_WORDS);
    if (has_pattern(grant, words, count)) {
        return ERR_NONE;
    }
    struct writer out = writer_of(grant->patterns + grant->patterns_len_bytes,
                                  sizeof grant->patterns - grant->patterns_len_bytes);
    writer_u8(&out, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        writer_string(&out, words[i]);
    }
    struct cursor added;
    TRY(writer_done(&out, &added));
    grant->patterns_len_bytes = (uint16_t)(grant->patterns_len_bytes + cursor_len(&added));
    return ERR_NONE;
}

enum err grant_add_patterns(struct policy_grant *grant, struct cursor patterns)
{
    enum err err = ERR_NONE;
    while (cursor_len(&patterns) > 0) {
        struct cursor words[GRANT_PATTERN_WORDS];
        size_t count = 0;
        TRY(read_pattern(&patterns, words, &count));
        if (grant_add_pattern(grant, words, count) != ERR_NONE) {
            err = ERR_TOO_LARGE; /* a later, shorter one may still fit */
        }
    }
    return err;
}

/* What no common shell (sh, bash, zsh, csh, fish) reads as more than a part of a word. "=" is left for the
 * check of its place: FOO=x before a command is an assignment, and =cmd is a path in zsh. */
static bool is_plain(uint8_t c)
{
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool is_digit = c >= '0' && c <= '9';
    return is_letter || is_digit || (c != 0 && strchr("_-./:,+@=", c) != NULL);
}

static const char *check_plain(struct cursor word, bool is_first)
{
    for (struct cursor rest = word; rest.at != rest.end; rest.at++) {
        if (!is_plain(*rest.at)) {
            return "it holds a character that a shell could act on; letters, digits and _-./:,+@= are "
                   "allowed";
        }
        if (*rest.at == '=' && (is_first || rest.at == word.at)) {
            return "it holds \"=\" where a shell would act on it";
        }
    }
    return NULL;
}

static bool ends_in_star(struct cursor word)
{
    return cursor_len(&word) > 0 && word.end[-1] == '*';
}

const char *grant_check_word(struct cursor word, bool is_first)
{
    if (cursor_len(&word) == 0) {
        return "a word is empty";
    }
    if (cursor_len(&word) > GRANT_WORD_BYTES) {
        return "a word is longer than 255 bytes";
    }
    if (!ends_in_star(word)) {
        return check_plain(word, is_first);
    }
    if (is_first) {
        return "the first word names the program and cannot have a \"*\"";
    }
    struct cursor prefix = {word.at, word.end - 1};
    return memchr(prefix.at, '*', cursor_len(&prefix)) == NULL ? check_plain(prefix, false)
                                                               : "\"*\" can only be at the end of a word";
}

/* "..", "../x", "x/..", "x/../y" */
static bool has_parent_step(struct cursor word)
{
    size_t len = cursor_len(&word);
    for (size_t i = 0; i + 1 < len; i++) {
        bool is_start = i == 0 || word.at[i - 1] == '/';
        bool is_end = i + 2 == len || word.at[i + 2] == '/';
        if (is_start && is_end && word.at[i] == '.' && word.at[i + 1] == '.') {
            return true;
        }
    }
    return false;
}

static bool word_matches(struct cursor pattern, struct cursor word)
{
    if (!ends_in_star(pattern)) {
        return cursor_equal(pattern, word);
    }
    struct cursor prefix = {pattern.at, pattern.end - 1};
    size_t len = cursor_len(&prefix);
    bool is_option = *word.at == '-' && len == 0;
    return !is_option && !has_parent_step(word) && cursor_len(&word) >= len &&
           memcmp(prefix.at, word.at, len) == 0;
}

static bool pattern_matches(const struct cursor *pattern, const struct cursor *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!word_matches(pattern[i], words[i])) {
            return false;
        }
    }
    return true;
}

/* The next run of bytes other than spaces. Tabs are no blanks here: is_plain() refuses them. */
static bool next_word(struct cursor *in, struct cursor *ret_word)
{
    while (in->at != in->end && *in->at == ' ') {
        in->at++;
    }
    *ret_word = (struct cursor){in->at, in->at};
    while (in->at != in->end && *in->at != ' ') {
        in->at++;
    }
    ret_word->end = in->at;
    return ret_word->at != ret_word->end;
}

static const char *split(struct cursor command, struct cursor *words, size_t *ret_count)
{
    size_t count = 0;
    struct cursor word;
    while (next_word(&command, &word)) {
        const char *problem = check_plain(word, count == 0);
        if (problem != NULL) {
            return problem;
        }
        if (count == GRANT_PATTERN_WORDS) {
            return "it has more words than a pattern can have";
        }
        words[count++] = word;
    }
    *ret_count = count;
    return count == 0 ? "it is empty" : NULL;
}

const char *grant_check_listed(struct cursor patterns, struct cursor command)
{
    if (cursor_len(&command) > GRANT_COMMAND_BYTES) {
        return "it is too long";
    }
    struct cursor words[GRANT_PATTERN_WORDS];
    size_t count = 0;
    const char *problem = split(command, words, &count);
    if (problem != NULL) {
        return problem;
    }
    while (cursor_len(&patterns) > 0) {
        struct cursor pattern[GRANT_PATTERN_WORDS];
        size_t pattern_count = 0;
        if (read_pattern(&patterns, pattern, &pattern_count) != ERR_NONE) {
            break; /* only for a grant that nobody checked: nothing more is allowed */
        }
        if (pattern_count == count && pattern_matches(pattern, words, count)) {
            return NULL;
        }
    }
    return "no listed command matches it";
}

bool grant_allows_exec(const struct policy_grant *grant, struct cursor command, const char **ret_reason)
{
    const char *problem = "commands are not allowed";
    if (grant->exec == GRANT_EXEC_ANY) {
        problem = NULL;
    } else if (grant->exec == GRANT_EXEC_LISTED) {
        problem = grant_check_listed(cursor_of(grant->patterns, grant->patterns_len_bytes), command);
    }
    if (problem != NULL) {
        *ret_reason = problem;
    }
    return problem == NULL;
}

/* Places of forwards */

static bool has_place(struct cursor places, enum place_use use, struct cursor place)
{
    enum place_use old_use = PLACE_FORWARD;
    struct cursor old;
    while (cursor_len(&places) > 0 && read_place(&places, &old_use, &old) == ERR_NONE) {
        if (old_use == use && cursor_equal(old, place)) {
            return true;
        }
    }
    return false;
}

enum err grant_add_place(struct policy_grant *grant, enum place_use use, struct cursor place)
{
    if (has_place(cursor_of(grant->places, grant->places_len_bytes), use, place)) {
        return ERR_NONE;
    }
    struct writer out =
        writer_of(grant->places + grant->places_len_bytes, sizeof grant->places - grant->places_len_bytes);
    writer_u8(&out, (uint8_t)use);
    writer_string(&out, place);
    struct cursor added;
    TRY(writer_done(&out, &added));
    grant->places_len_bytes = (uint16_t)(grant->places_len_bytes + cursor_len(&added));
    return ERR_NONE;
}

enum err grant_add_places(struct policy_grant *grant, enum place_use use, struct cursor places)
{
    enum err err = ERR_NONE;
    while (cursor_len(&places) > 0) {
        enum place_use place_use = PLACE_FORWARD;
        struct cursor place;
        TRY(read_place(&places, &place_use, &place));
        if (place_use == use && grant_add_place(grant, use, place) != ERR_NONE) {
            err = ERR_TOO_LARGE; /* a later, shorter one may still fit */
        }
    }
    return err;
}

static enum grant_forward forward_of(const struct policy_grant *grant, enum place_use use)
{
    return use == PLACE_FORWARD ? grant->forward : grant->remote_forward;
}

/* @param path  NULL: an address is asked for */
static bool lists(struct cursor places, enum place_use use, struct cursor host, uint32_t port,
                  const struct cursor *path)
{
    enum place_use place_use = PLACE_FORWARD;
    struct cursor place;
    while (cursor_len(&places) > 0 && read_place(&places, &place_use, &place) == ERR_NONE) {
        bool covers =
            path != NULL ? place_covers_socket(place, *path) : place_covers_address(place, host, port);
        if (place_use == use && covers) {
            return true;
        }
    }
    return false;
}

bool grant_allows_address(const struct policy_grant *grant, enum place_use use, struct cursor host,
                          uint32_t port)
{
    enum grant_forward forward = forward_of(grant, use);
    if (forward == GRANT_FORWARD_NONE || !place_is_address(use, host, port)) {
        return false;
    }
    return forward == GRANT_FORWARD_ANY ||
           lists(cursor_of(grant->places, grant->places_len_bytes), use, host, port, NULL);
}

bool grant_allows_socket(const struct policy_grant *grant, enum place_use use, struct cursor path)
{
    enum grant_forward forward = forward_of(grant, use);
    if (forward == GRANT_FORWARD_NONE || !place_is_socket(path)) {
        return false;
    }
    return forward == GRANT_FORWARD_ANY ||
           lists(cursor_of(grant->places, grant->places_len_bytes), use, path, 0, &path);
}

bool grant_lists_place(struct cursor places, enum place_use use, struct cursor asked)
{
    static const char SOCKET[] = "unix:";
    size_t lead = sizeof SOCKET - 1;
    if (cursor_len(&asked) > lead && memcmp(asked.at, SOCKET, lead) == 0) {
        struct cursor path = {asked.at + lead, asked.end};
        return place_is_socket(path) && lists(places, use, path, 0, &path);
    }
    struct cursor host;
    uint16_t port = 0;
    return place_split(asked, &host, &port) && place_is_address(use, host, port) &&
           lists(places, use, host, port, NULL);
}

enum err grant_add_path(struct policy_grant *grant, enum grant_sftp level, struct cursor pattern)
{
    assert(level != GRANT_SFTP_NONE && path_check(pattern) == NULL);
    struct cursor paths = cursor_of(grant->paths, grant->paths_len_bytes);
    enum grant_sftp old_level = GRANT_SFTP_NONE;
    struct cursor old;
    while (cursor_len(&paths) > 0 && read_path(&paths, &old_level, &old) == ERR_NONE) {
        if (old_level == level && cursor_equal(old, pattern)) {
            return ERR_NONE;
        }
    }
    struct writer out =
        writer_of(grant->paths + grant->paths_len_bytes, sizeof grant->paths - grant->paths_len_bytes);
    writer_u8(&out, (uint8_t)level);
    writer_string(&out, pattern);
    struct cursor added;
    TRY(writer_done(&out, &added));
    grant->paths_len_bytes = (uint16_t)(grant->paths_len_bytes + cursor_len(&added));
    return ERR_NONE;
}

enum err grant_add_paths(struct policy_grant *grant, struct cursor paths)
{
    enum err err = ERR_NONE;
    while (cursor_len(&paths) > 0) {
        enum grant_sftp level = GRANT_SFTP_NONE;
        struct cursor pattern;
        TRY(read_path(&paths, &level, &pattern));
        if (grant_add_path(grant, level, pattern) != ERR_NONE) {
            err = ERR_TOO_LARGE; /* a later, shorter one may still fit */
        }
    }
    return err;
}

bool grant_lists_path(struct cursor paths, enum grant_sftp level, struct cursor path)
{
    enum grant_sftp given = GRANT_SFTP_NONE;
    struct cursor pattern;
    while (cursor_len(&paths) > 0 && read_path(&paths, &given, &pattern) == ERR_NONE) {
        if (given >= level && (cursor_len(&path) == 0 || path_matches(pattern, path))) {
            return true;
        }
    }
    return false;
}

bool grant_allows_path(const struct policy_grant *grant, enum grant_sftp level, struct cursor path)
{
    return grant->sftp >= level ||
           (cursor_len(&path) > 0 &&
            grant_lists_path(cursor_of(grant->paths, grant->paths_len_bytes), level, path));
}
