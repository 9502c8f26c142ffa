/* Conditions: where a person comes from, how old the factor is. Each axis holds one value for every set that
 * the rules of either side can tell apart; a cell is one value of each. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff_parts.h"

/* ---- from ---- */

/* The smallest address behind a network; false when it ends the address space. */
static bool address_behind(const struct network *network, struct network *ret)
{
    size_t len = network->family == 4 ? 4 : 16;
    *ret = *network;
    ret->prefix_bits = (uint8_t)(8 * len);
    /* All bits behind the prefix set, plus one. */
    for (size_t bit = network->prefix_bits; bit < 8 * len; bit++) {
        ret->bytes[bit / 8] |= (uint8_t)(0x80U >> (bit % 8));
    }
    for (size_t i = len; i-- > 0;) {
        if (++ret->bytes[i] != 0) {
            return true;
        }
    }
    return false;
}

static bool networks_equal(const struct network *a, const struct network *b)
{
    return network_contains(a, b) && network_contains(b, a);
}

/* The widest other network of the list that lies in `outer` and holds the address. */
static const struct network *hole_at(const struct diff_axes *axes, size_t count, const struct network *outer,
                                     const struct network *address)
{
    const struct network *widest = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct network *network = &axes->networks[i];
        bool is_hole = network_contains(network, address) && network_contains(outer, network) &&
                       !networks_equal(outer, network);
        if (is_hole && (widest == NULL || network_contains(network, widest))) {
            widest = network;
        }
    }
    return widest;
}

/* An address of `outer` that no narrower network of the list holds. */
static bool own_address(const struct diff_axes *axes, size_t count, const struct network *outer,
                        struct network *ret)
{
    *ret = *outer;
    ret->prefix_bits = outer->family == 4 ? 32 : 128;
    const struct network *hole = hole_at(axes, count, outer, ret);
    while (hole != NULL) {
        struct network next;
        if (!address_behind(hole, &next) || !network_contains(outer, &next)) {
            return false;
        }
        *ret = next;
        hole = hole_at(axes, count, outer, ret);
    }
    return true;
}

static void add_network(struct diff_axes *axes, size_t *count, const struct network *network)
{
    for (size_t i = 0; i < *count; i++) {
        if (networks_equal(&axes->networks[i], network)) {
            return;
        }
    }
    axes->networks[(*count)++] = *network;
}

/* The name that a file gives to a network, else the network itself. */
static void name_network(const struct policy *const sides[DIFF_SIDES], const struct network *network,
                         char *ret_text, size_t size_bytes)
{
    if (network->prefix_bits == 0) {
        (void)snprintf(ret_text, size_bytes, "elsewhere");
        return;
    }
    char text[NETWORK_TEXT_BYTES];
    const char *name = network_text(network, text);
    for (unsigned side = DIFF_SIDES; side-- > 0;) {
        for (size_t i = 0; sides[side] != NULL && i < sides[side]->network_set_count; i++) {
            const struct network_set *set = &sides[side]->network_sets[i];
            if (set->count == 1 && networks_equal(&set->networks[0], network)) {
                name = set->name;
            }
        }
    }
    (void)snprintf(ret_text, size_bytes, "%s", name);
}

static enum err find_sources(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                             const struct diff_rules rules[DIFF_SIDES], struct diff_axes *axes)
{
    static const struct network EVERYWHERE[] = {{.family = 4}, {.family = 6}};
    size_t most = 2;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        for (size_t i = 0; i < rules[side].count; i++) {
            most += rules[side].rules[i]->from_count;
        }
    }
    axes->networks = arena_array(arena, most, sizeof *axes->networks);
    axes->from = arena_array(arena, most, sizeof *axes->from);
    axes->from_texts = arena_array(arena, most, sizeof *axes->from_texts);
    axes->sets = arena_array(arena, most, sizeof *axes->sets);
    if (axes->networks == NULL || axes->sets == NULL || axes->from == NULL || axes->from_texts == NULL) {
        return ERR_MEMORY;
    }
    size_t count = 0;
    bool has_ipv6 = false;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        for (size_t i = 0; i < rules[side].count; i++) {
            const struct rule *rule = rules[side].rules[i];
            for (size_t j = 0; j < rule->from_count; j++) {
                add_network(axes, &count, &rule->from[j]);
                has_ipv6 = has_ipv6 || rule->from[j].family == 6;
            }
        }
    }
    add_network(axes, &count, &EVERYWHERE[0]);
    if (has_ipv6) {
        add_network(axes, &count, &EVERYWHERE[1]);
    }
    size_t kept = 0;
    axes->network_count = count;
    for (size_t i = 0; i < count; i++) {
        struct network address;
        if (own_address(axes, count, &axes->networks[i], &address)) {
            (void)network_text(&address, axes->from[kept]);
            name_network(sides, &axes->networks[i], axes->from_texts[kept], sizeof axes->from_texts[kept]);
            axes->sets[kept] = i;
            kept++;
        }
    }
    axes->counts[DIFF_AXIS_FROM] = kept;
    return ERR_NONE;
}

/* ---- factor ---- */

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
    axes->counts[DIFF_AXIS_FACTOR] = axes->age_count + 1;
    return ERR_NONE;
}

enum err diff_axes_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                        const struct diff_rules rules[DIFF_SIDES], struct diff_axes *ret)
{
    *ret = (struct diff_axes){0};
    TRY(find_sources(arena, sides, rules, ret));
    TRY(find_ages(arena, rules, ret));
    ret->cells = 1;
    for (unsigned axis = 0; axis < DIFF_AXES; axis++) {
        if (ret->counts[axis] > DIFF_VALUES_MAX || ret->cells * ret->counts[axis] > DIFF_CELLS_MAX) {
            return ERR_TOO_LARGE;
        }
        ret->cells *= ret->counts[axis];
    }
    return ERR_NONE;
}

void diff_axes_apply(const struct diff_axes *axes, size_t cell, struct policy_request *request,
                     struct policy_factor *factor)
{
    size_t age = cell % axes->counts[DIFF_AXIS_FACTOR];
    size_t from = cell / axes->counts[DIFF_AXIS_FACTOR];
    request->from = axes->from[from];
    request->factor = NULL;
    if (age < axes->age_count) {
        *factor = (struct policy_factor){.has = true, .age_s = axes->ages_s[age]};
        request->factor = factor;
    }
}

size_t diff_axes_cell(const struct diff_axes *axes, const struct network *from,
                      const struct policy_factor *factor)
{
    size_t narrowest = SIZE_MAX;
    for (size_t i = 0; i < axes->counts[DIFF_AXIS_FROM]; i++) {
        const struct network *network = &axes->networks[axes->sets[i]];
        bool is_narrower =
            narrowest == SIZE_MAX || network_contains(&axes->networks[axes->sets[narrowest]], network);
        if (network_contains(network, from) && is_narrower) {
            narrowest = i;
        }
    }
    /* An address that no list can tell from the rest. */
    size_t place = narrowest == SIZE_MAX ? axes->counts[DIFF_AXIS_FROM] - 1 : narrowest;
    size_t age = 0;
    while (age < axes->age_count && (factor == NULL || !factor->has || factor->age_s > axes->ages_s[age])) {
        age++;
    }
    return place * axes->counts[DIFF_AXIS_FACTOR] + age;
}

/* ---- in words ---- */

struct words {
    const struct diff_axes *axes;
    char *text;
    const char *parts[DIFF_AXES]; /* of the axes before the one that is looked at; "" says nothing */
};

static void append(char *text, size_t size_bytes, const char *between, const char *more)
{
    size_t used = strlen(text);
    (void)snprintf(text + used, size_bytes - used, "%s%s", used == 0 ? "" : between, more);
}

static void say_sources(const struct diff_axes *axes, const bool *chosen, char *text, size_t size_bytes)
{
    for (size_t i = 0; i < axes->counts[DIFF_AXIS_FROM]; i++) {
        bool is_said = false;
        for (size_t j = 0; j < i; j++) {
            is_said = is_said || (chosen[j] && strcmp(axes->from_texts[i], axes->from_texts[j]) == 0);
        }
        if (chosen[i] && !is_said) {
            append(text, size_bytes, ", ", *text == 0 ? "from " : "");
            append(text, size_bytes, "", axes->from_texts[i]);
        }
    }
}

/* Value i means: older than ages_s[i - 1], up to ages_s[i]; the last: none, or older than all. */
static void say_ages(const struct diff_axes *axes, const bool *chosen, char *text, size_t size_bytes)
{
    size_t count = axes->counts[DIFF_AXIS_FACTOR];
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
        append(text, size_bytes, " or ", words);
        first = last;
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
        (axis == DIFF_AXIS_FROM ? say_sources : say_ages)(words->axes, chosen, text, sizeof text);
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
            append(text, sizeof text, "; ", words->parts[axis]);
        }
    }
    append(words->text, DIFF_WHEN_BYTES, "; or ", text);
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
