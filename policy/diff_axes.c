/* Conditions. A cell is one value of each axis. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff_parts.h"

enum { KEYS = POLICY_KEY_VERIFIED + 1 };

/* ---- factor and reason ---- */

static int compare_ages(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a;
    uint32_t other = *(const uint32_t *)b;
    return (one > other) - (one < other);
}

static enum err find_ages(struct arena *arena, const struct diff_rules rules[DIFF_SIDES],
                          struct diff_axes *axes)
{
    axes->ages_s = arena_array(arena, rules[0].count + rules[1].count, sizeof *axes->ages_s);
    if (axes->ages_s == NULL) {
        return ERR_MEMORY;
    }
    size_t count = 0;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        for (size_t i = 0; i < rules[side].count; i++) {
            uint32_t age_s = rules[side].rules[i]->mfa_age_s;
            if (age_s != 0) {
                axes->ages_s[count++] = age_s;
            }
        }
    }
    qsort(axes->ages_s, count, sizeof *axes->ages_s, compare_ages);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || axes->ages_s[axes->age_count - 1] != axes->ages_s[i]) {
            axes->ages_s[axes->age_count++] = axes->ages_s[i];
        }
    }
    return ERR_NONE;
}

static bool has_reason(const struct diff_axes *axes, const char *pattern)
{
    for (size_t i = 0; i < axes->reason_count; i++) {
        if (strcmp(axes->reasons[i], pattern) == 0) {
            return true;
        }
    }
    return false;
}

/* Something that the pattern matches. */
static const char *example_of(struct arena *arena, const char *pattern)
{
    char *example = arena_text(arena, cursor_of_text(pattern));
    for (char *at = example; at != NULL && *at != 0; at++) {
        if (*at == '*') {
            *at = 'x';
        }
    }
    return example;
}

/* @param ret_is_asked  some rule wants a reason */
static enum err find_reasons(struct arena *arena, const struct diff_rules rules[DIFF_SIDES],
                             struct diff_axes *axes, bool *ret_is_asked)
{
    size_t most = rules[0].count + rules[1].count;
    axes->reasons = arena_array(arena, most, sizeof(void *));
    axes->reason_examples = arena_array(arena, most, sizeof(void *));
    if (axes->reasons == NULL || axes->reason_examples == NULL) {
        return ERR_MEMORY;
    }
    *ret_is_asked = false;
    for (size_t i = 0; i < most; i++) {
        const char *pattern =
            i < rules[0].count ? rules[0].rules[i]->reason : rules[1].rules[i - rules[0].count]->reason;
        *ret_is_asked = *ret_is_asked || pattern != NULL;
        if (pattern != NULL && strcmp(pattern, "*") != 0 && !has_reason(axes, pattern)) {
            const char *example = example_of(arena, pattern);
            if (example == NULL) {
                return ERR_MEMORY;
            }
            axes->reasons[axes->reason_count] = pattern;
            axes->reason_examples[axes->reason_count++] = example;
        }
    }
    return ERR_NONE;
}

static bool asks_key(const struct diff_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->rules[i]->key != POLICY_KEY_PLAIN || rules->rules[i]->is_key_factor) {
            return true;
        }
    }
    return false;
}

/* ---- cells ---- */

enum err diff_axes_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                        const struct diff_rules rules[DIFF_SIDES], int64_t at_s, struct diff_axes *ret)
{
    *ret = (struct diff_axes){0};
    bool is_reason_asked = false;
    TRY(find_ages(arena, rules, ret));
    TRY(find_reasons(arena, rules, ret, &is_reason_asked));
    ret->counts[DIFF_FROM] = diff_sources_find(arena, sides, rules, &ret->sources);
    ret->counts[DIFF_TIME] = diff_times_find(arena, sides, rules, at_s, &ret->times);
    ret->counts[DIFF_KEY] = asks_key(&rules[0]) || asks_key(&rules[1]) ? KEYS : 1;
    ret->counts[DIFF_FACTOR] = ret->age_count + 1;
    ret->counts[DIFF_REASON] = is_reason_asked ? ret->reason_count + 2 : 1;
    ret->cells = 1;
    for (unsigned axis = 0; axis < DIFF_AXES; axis++) {
        size_t count = ret->counts[axis];
        if (count == 0) {
            return ERR_MEMORY;
        }
        if (count > DIFF_VALUES_MAX || ret->cells * count > DIFF_CELLS_MAX) {
            return ERR_TOO_LARGE;
        }
        ret->cells *= count;
    }
    return ERR_NONE;
}

void diff_axes_apply(const struct diff_axes *axes, size_t cell, struct policy_request *request,
                     struct policy_factor *factor)
{
    size_t values[DIFF_AXES];
    for (unsigned axis = DIFF_AXES; axis-- > 0;) {
        assert(axes->counts[axis] > 0);
        values[axis] = cell % axes->counts[axis];
        cell /= axes->counts[axis];
    }
    request->from = axes->sources.addresses[values[DIFF_FROM]];
    request->at_s = axes->times.at_s[values[DIFF_TIME]];
    request->key = (enum policy_key)values[DIFF_KEY];
    request->factor = NULL;
    if (values[DIFF_FACTOR] < axes->age_count) {
        *factor = (struct policy_factor){.has = true, .age_s = axes->ages_s[values[DIFF_FACTOR]]};
        request->factor = factor;
    }
    size_t reason = values[DIFF_REASON];
    request->reason = cursor_of_text(reason == 0                    ? ""
                                     : reason <= axes->reason_count ? axes->reason_examples[reason - 1]
                                                                    : "something else");
}

static size_t value_of_age(const struct diff_axes *axes, const struct policy_factor *factor)
{
    size_t age = 0;
    while (age < axes->age_count && (factor == NULL || !factor->has || factor->age_s > axes->ages_s[age])) {
        age++;
    }
    return age;
}

/* The first pattern that matches; where several do, the decision may hang on another one. */
static size_t value_of_reason(const struct diff_axes *axes, struct cursor reason)
{
    if (cursor_len(&reason) == 0) {
        return 0;
    }
    for (size_t i = 0; i < axes->reason_count; i++) {
        if (reason_matches(cursor_of_text(axes->reasons[i]), reason)) {
            return i + 1;
        }
    }
    return axes->reason_count + 1;
}

size_t diff_axes_cell(const struct diff_axes *axes, const struct policy_request *request,
                      const struct network *from)
{
    const size_t *counts = axes->counts;
    const size_t values[DIFF_AXES] = {
        [DIFF_FROM] = diff_sources_value(&axes->sources, counts[DIFF_FROM], from),
        [DIFF_TIME] = diff_times_value(&axes->times, counts[DIFF_TIME], request->at_s),
        [DIFF_KEY] = counts[DIFF_KEY] == 1 ? 0 : (size_t)request->key,
        [DIFF_FACTOR] = value_of_age(axes, request->factor),
        [DIFF_REASON] = counts[DIFF_REASON] == 1 ? 0 : value_of_reason(axes, request->reason),
    };
    size_t cell = 0;
    for (unsigned axis = 0; axis < DIFF_AXES; axis++) {
        cell = cell * counts[axis] + values[axis];
    }
    return cell;
}

/* ---- in words ---- */

struct words {
    const struct diff_axes *axes;
    char *text;
    const char *parts[DIFF_AXES]; /* of the axes before the one that is looked at; "" says nothing */
};

void diff_append(char *text, size_t size_bytes, const char *between, const char *more)
{
    size_t used = strlen(text);
    (void)snprintf(text + used, size_bytes - used, "%s%s", used == 0 ? "" : between, more);
}

/* Value i means: older than ages_s[i - 1], up to ages_s[i]; the last: none, or older than all. */
static void say_ages(const struct diff_axes *axes, const bool *chosen, char *text, size_t size_bytes)
{
    size_t count = axes->counts[DIFF_FACTOR];
    for (size_t first = 0; first < count; first++) {
        if (!chosen[first]) {
            continue;
        }
        size_t last = first;
        while (last + 1 < count && chosen[last + 1]) {
            last++;
        }
        char low[DURATION_BYTES] = "";
        char high[DURATION_BYTES] = "";
        char words[128];
        if (first > 0) {
            (void)duration_text(axes->ages_s[first - 1], low);
        }
        if (last + 1 == count) {
            (void)snprintf(words, sizeof words, "no factor, or one over %s", low);
        } else {
            (void)snprintf(words, sizeof words, "factor %s%s%sup to %s", first > 0 ? "over " : "", low,
                           first > 0 ? " and " : "", duration_text(axes->ages_s[last], high));
        }
        diff_append(text, size_bytes, " or ", words);
        first = last;
    }
}

static void say_keys(const bool *chosen, char *text, size_t size_bytes)
{
    static const char *const TEXTS[] = {[POLICY_KEY_PLAIN] = "plain key",
                                        [POLICY_KEY_TOUCHED] = "touched hardware key",
                                        [POLICY_KEY_VERIFIED] = "hardware key with PIN"};
    for (size_t i = 0; i < KEYS; i++) {
        if (chosen[i]) {
            diff_append(text, size_bytes, " or ", TEXTS[i]);
        }
    }
}

static void say_reasons(const struct diff_axes *axes, const bool *chosen, char *text, size_t size_bytes)
{
    for (size_t i = 0; i < axes->counts[DIFF_REASON]; i++) {
        if (chosen[i]) {
            bool is_listed = i > 0 && i <= axes->reason_count;
            diff_append(text, size_bytes, " or ",
                        i == 0      ? "no reason"
                        : is_listed ? "reason "
                                    : "another reason");
            diff_append(text, size_bytes, "", is_listed ? axes->reasons[i - 1] : "");
        }
    }
}

static void say(const struct diff_axes *axes, unsigned axis, const bool *chosen, char *text,
                size_t size_bytes)
{
    switch ((enum diff_axis)axis) {
    case DIFF_FROM:
        diff_sources_say(&axes->sources, chosen, axes->counts[axis], text, size_bytes);
        return;
    case DIFF_TIME:
        diff_times_say(&axes->times, chosen, axes->counts[axis], text, size_bytes);
        return;
    case DIFF_KEY:
        say_keys(chosen, text, size_bytes);
        return;
    case DIFF_FACTOR:
        say_ages(axes, chosen, text, size_bytes);
        return;
    case DIFF_REASON:
        say_reasons(axes, chosen, text, size_bytes);
        return;
    case DIFF_AXES:
        break;
    }
}

static void describe(const struct words *words, unsigned axis, const uint8_t *cells, size_t count);

/* All values of an axis whose cells are the same are said together. */
static void describe_alike(const struct words *words, unsigned axis, const uint8_t *cells, size_t block,
                           size_t value, bool *is_done)
{
    size_t count = words->axes->counts[axis];
    bool chosen[DIFF_VALUES_MAX] = {false};
    size_t chosen_count = 0;
    for (size_t i = value; i < count; i++) {
        if (!is_done[i] && memcmp(cells + i * block, cells + value * block, block) == 0) {
            chosen[i] = is_done[i] = true;
            chosen_count++;
        }
    }
    char text[DIFF_WHEN_BYTES] = "";
    if (chosen_count < count) {
        say(words->axes, axis, chosen, text, sizeof text);
    }
    struct words next = *words;
    next.parts[axis] = text;
    describe(&next, axis + 1, cells + value * block, block);
}

static void finish(const struct words *words)
{
    char text[DIFF_WHEN_BYTES] = "";
    for (unsigned axis = 0; axis < DIFF_AXES; axis++) {
        if (words->parts[axis][0] != 0) {
            diff_append(text, sizeof text, "; ", words->parts[axis]);
        }
    }
    diff_append(words->text, DIFF_WHEN_BYTES, "; or ", text);
}

static void describe(const struct words *words, unsigned axis, const uint8_t *cells, size_t count)
{
    if (memchr(cells, 1, count) == NULL) {
        return;
    }
    if (axis == DIFF_AXES) {
        finish(words);
        return;
    }
    assert(words->axes->counts[axis] > 0);
    size_t block = count / words->axes->counts[axis];
    bool is_done[DIFF_VALUES_MAX] = {false};
    for (size_t i = 0; i < words->axes->counts[axis]; i++) {
        if (!is_done[i]) {
            describe_alike(words, axis, cells, block, i, is_done);
        }
    }
}

void diff_axes_describe(const struct diff_axes *axes, const uint8_t *cells, char text[static DIFF_WHEN_BYTES])
{
    struct words words = {.axes = axes, .text = text};
    text[0] = 0;
    describe(&words, 0, cells, axes->cells);
}
