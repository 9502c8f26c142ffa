#include "host_pattern.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { HOST_BYTES = 253 };

/* The first label; `in` keeps what is behind the dot. @return false when `in` was used up before. */
static bool next_label(struct cursor *in, struct cursor *ret_label)
{
    if (in->at == NULL) {
        return false;
    }
    const uint8_t *dot = in->at == in->end ? NULL : memchr(in->at, '.', cursor_len(in));
    *ret_label = (struct cursor){in->at, dot == NULL ? in->end : dot};
    *in = dot == NULL ? (struct cursor){NULL, NULL} : (struct cursor){dot + 1, in->end};
    return true;
}

static const uint8_t *star_of(struct cursor text)
{
    return text.at == text.end ? NULL : memchr(text.at, '*', cursor_len(&text));
}

bool host_pattern_has_wildcard(struct cursor text)
{
    return star_of(text) != NULL;
}

static const char *check_label(struct cursor label)
{
    const uint8_t *star = star_of(label);
    if (label.at == label.end) {
        return "it has an empty label between two dots or at an end";
    }
    if (star != NULL && star_of((struct cursor){star + 1, label.end}) != NULL) {
        return "a label can have one \"*\" only";
    }
    return NULL;
}

const char *host_pattern_check(struct cursor text)
{
    char copy[HOST_BYTES + 1];
    size_t len = cursor_len(&text);
    if (len == 0 || len > HOST_BYTES) {
        return "it must have 1 to 253 characters";
    }
    for (size_t i = 0; i < len; i++) {
        copy[i] = (char)(text.at[i] == '*' ? 'x' : text.at[i]);
    }
    if (!text_is_host(cursor_of(copy, len)) && *text.at != '.') {
        return "host names are made of letters, digits and .:_-";
    }
    bool is_address = memchr(text.at, ':', len) != NULL;
    if (is_address && host_pattern_has_wildcard(text)) {
        return "an IPv6 address cannot have a \"*\"";
    }
    struct cursor label;
    while (next_label(&text, &label)) {
        const char *problem = check_label(label);
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

static bool starts_with(struct cursor text, struct cursor prefix)
{
    size_t len = cursor_len(&prefix);
    return len == 0 || (cursor_len(&text) >= len && memcmp(text.at, prefix.at, len) == 0);
}

static bool ends_with(struct cursor text, struct cursor suffix)
{
    size_t len = cursor_len(&suffix);
    return len == 0 || (cursor_len(&text) >= len && memcmp(text.end - len, suffix.at, len) == 0);
}

static bool label_matches(struct cursor pattern, struct cursor label)
{
    const uint8_t *star = star_of(pattern);
    if (star == NULL) {
        return cursor_equal(pattern, label);
    }
    return cursor_len(&label) >= cursor_len(&pattern) &&
           starts_with(label, (struct cursor){pattern.at, star}) &&
           ends_with(label, (struct cursor){star + 1, pattern.end});
}

static bool labels_overlap(struct cursor a, struct cursor b)
{
    const uint8_t *a_star = star_of(a);
    const uint8_t *b_star = star_of(b);
    if (b_star == NULL) {
        return label_matches(a, b);
    }
    if (a_star == NULL) {
        return label_matches(b, a);
    }
    struct cursor a_front = {a.at, a_star};
    struct cursor b_front = {b.at, b_star};
    struct cursor a_back = {a_star + 1, a.end};
    struct cursor b_back = {b_star + 1, b.end};
    return (starts_with(a_front, b_front) || starts_with(b_front, a_front)) &&
           (ends_with(a_back, b_back) || ends_with(b_back, a_back));
}

static struct cursor longer(struct cursor a, struct cursor b)
{
    return cursor_len(&a) >= cursor_len(&b) ? a : b;
}

void host_pattern_cross_labels(struct cursor a, struct cursor b, char label[static HOST_PATTERN_LABEL_BYTES])
{
    const uint8_t *a_star = star_of(a);
    const uint8_t *b_star = star_of(b);
    if (a_star == NULL || b_star == NULL) {
        struct cursor literal = a_star == NULL ? a : b;
        (void)snprintf(label, HOST_PATTERN_LABEL_BYTES, "%.*s", (int)cursor_len(&literal),
                       (const char *)literal.at);
        return;
    }
    struct cursor front = longer((struct cursor){a.at, a_star}, (struct cursor){b.at, b_star});
    struct cursor back = longer((struct cursor){a_star + 1, a.end}, (struct cursor){b_star + 1, b.end});
    (void)snprintf(label, HOST_PATTERN_LABEL_BYTES, "%.*s*%.*s", (int)cursor_len(&front),
                   (const char *)front.at, (int)cursor_len(&back), (const char *)back.at);
}

static bool all_labels(struct cursor a, struct cursor b, bool (*holds)(struct cursor a, struct cursor b))
{
    struct cursor a_label;
    struct cursor b_label;
    for (;;) {
        bool has_a = next_label(&a, &a_label);
        bool has_b = next_label(&b, &b_label);
        if (!has_a || !has_b) {
            return has_a == has_b;
        }
        if (!holds(a_label, b_label)) {
            return false;
        }
    }
}

bool host_pattern_matches(struct cursor pattern, struct cursor host)
{
    return all_labels(pattern, host, label_matches);
}

bool host_pattern_overlaps(struct cursor a, struct cursor b)
{
    return all_labels(a, b, labels_overlap);
}

struct cursor host_pattern_suffix(struct cursor pattern)
{
    while (host_pattern_has_wildcard(pattern) && host_pattern_drop_label(&pattern)) {
    }
    return pattern;
}

bool host_pattern_drop_label(struct cursor *name)
{
    const uint8_t *dot = name->at == name->end ? NULL : memchr(name->at, '.', cursor_len(name));
    name->at = dot == NULL ? name->end : dot + 1;
    return dot != NULL;
}
