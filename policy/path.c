#include "policy/path.h"

#include <string.h>

/* The next step of a path, and the slash behind it, are taken from `in`. */
static bool next_step(struct cursor *in, struct cursor *ret_step)
{
    if (in->at == in->end) {
        return false;
    }
    const uint8_t *end = memchr(in->at, '/', cursor_len(in));
    *ret_step = (struct cursor){in->at, end == NULL ? in->end : end};
    in->at = end == NULL ? in->end : end + 1;
    return true;
}

const char *path_check(struct cursor pattern)
{
    size_t len = cursor_len(&pattern);
    if (len == 0 || *pattern.at != '/') {
        return "it must be an absolute path";
    }
    if (len > PATH_PATTERN_BYTES) {
        return "it is longer than 1024 bytes";
    }
    if (memchr(pattern.at, 0, len) != NULL) {
        return "it holds a NUL";
    }
    pattern.at++;
    struct cursor step;
    bool is_over = false;
    while (next_step(&pattern, &step)) {
        if (is_over) {
            return "\"**\" can only be its last step";
        }
        is_over = cursor_equal_text(step, "**");
        if (cursor_len(&step) == 0 || cursor_equal_text(step, ".") || cursor_equal_text(step, "..")) {
            return "it has an empty, \".\" or \"..\" step";
        }
        bool has_two = memmem(step.at, cursor_len(&step), "**", 2) != NULL;
        if (!is_over && has_two) {
            return "\"**\" must be a step of its own";
        }
    }
    return pattern.end[-1] == '/' && len > 1 ? "it ends with \"/\"; write \"/**\" for what is below" : NULL;
}

/* Any bytes for each "*"; the shortest match that lets the rest follow is enough. */
static bool step_matches(struct cursor pattern, struct cursor step)
{
    const uint8_t *star = NULL; /* behind the last "*" */
    const uint8_t *retry = NULL;
    while (step.at != step.end) {
        if (pattern.at != pattern.end && *pattern.at == '*') {
            star = ++pattern.at;
            retry = step.at;
        } else if (pattern.at != pattern.end && *pattern.at == *step.at) {
            pattern.at++;
            step.at++;
        } else if (star != NULL) {
            pattern.at = star;
            step.at = ++retry;
        } else {
            return false;
        }
    }
    while (pattern.at != pattern.end && *pattern.at == '*') {
        pattern.at++;
    }
    return pattern.at == pattern.end;
}

bool path_matches(struct cursor pattern, struct cursor path)
{
    struct cursor wanted;
    struct cursor step;
    pattern.at++;
    path.at++;
    while (next_step(&pattern, &wanted)) {
        if (cursor_equal_text(wanted, "**")) {
            return true;
        }
        if (!next_step(&path, &step) || !step_matches(wanted, step)) {
            return false;
        }
    }
    return path.at == path.end;
}

static MUST_CHECK enum err add_steps(struct cursor path, char *ret_path, size_t size_bytes, size_t *len_bytes)
{
    struct cursor step;
    while (next_step(&path, &step)) {
        size_t step_bytes = cursor_len(&step);
        if (step_bytes == 0 || cursor_equal_text(step, ".")) {
            continue;
        }
        if (cursor_equal_text(step, "..") || memchr(step.at, 0, step_bytes) != NULL) {
            return ERR_DENIED;
        }
        if (step_bytes + 2 > size_bytes - *len_bytes) {
            return ERR_TOO_LARGE;
        }
        ret_path[(*len_bytes)++] = '/';
        memcpy(ret_path + *len_bytes, step.at, step_bytes);
        *len_bytes += step_bytes;
    }
    return ERR_NONE;
}

enum err path_plain(struct cursor base, struct cursor path, char *ret_path, size_t size_bytes)
{
    size_t len_bytes = 0;
    bool is_absolute = cursor_len(&path) > 0 && *path.at == '/';
    if (!is_absolute && cursor_len(&base) == 0) {
        return ERR_DENIED;
    }
    if (size_bytes < 2) {
        return ERR_TOO_LARGE;
    }
    if (!is_absolute) {
        TRY(add_steps(base, ret_path, size_bytes, &len_bytes));
    }
    TRY(add_steps(path, ret_path, size_bytes, &len_bytes));
    if (len_bytes == 0) {
        ret_path[len_bytes++] = '/';
    }
    ret_path[len_bytes] = 0;
    return ERR_NONE;
}
