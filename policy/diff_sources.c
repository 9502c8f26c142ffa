/* Where a person comes from: the addresses that some networks hold and no narrower ones do. */
#include <stdio.h>
#include <string.h>

#include "diff_parts.h"

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
static const struct network *hole_at(const struct diff_sources *sources, size_t count,
                                     const struct network *outer, const struct network *address)
{
    const struct network *widest = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct network *network = &sources->networks[i];
        bool is_hole = network_contains(network, address) && network_contains(outer, network) &&
                       !networks_equal(outer, network);
        if (is_hole && (widest == NULL || network_contains(network, widest))) {
            widest = network;
        }
    }
    return widest;
}

/* An address of `outer` that no narrower network of the list holds. */
static bool own_address(const struct diff_sources *sources, size_t count, const struct network *outer,
                        struct network *ret)
{
    *ret = *outer;
    ret->prefix_bits = outer->family == 4 ? 32 : 128;
    const struct network *hole = hole_at(sources, count, outer, ret);
    while (hole != NULL) {
        struct network next;
        if (!address_behind(hole, &next) || !network_contains(outer, &next)) {
            return false;
        }
        *ret = next;
        hole = hole_at(sources, count, outer, ret);
    }
    return true;
}

static void add_network(struct diff_sources *sources, size_t *count, const struct network *network)
{
    for (size_t i = 0; i < *count; i++) {
        if (networks_equal(&sources->networks[i], network)) {
            return;
        }
    }
    sources->networks[(*count)++] = *network;
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

size_t diff_sources_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                         const struct diff_rules rules[DIFF_SIDES], struct diff_sources *ret)
{
    static const struct network EVERYWHERE[] = {{.family = 4}, {.family = 6}};
    size_t most = 2;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        for (size_t i = 0; i < rules[side].count; i++) {
            most += rules[side].rules[i]->from_count;
        }
    }
    ret->networks = arena_array(arena, most, sizeof *ret->networks);
    ret->addresses = arena_array(arena, most, sizeof *ret->addresses);
    ret->texts = arena_array(arena, most, sizeof *ret->texts);
    ret->sets = arena_array(arena, most, sizeof *ret->sets);
    if (ret->networks == NULL || ret->sets == NULL || ret->addresses == NULL || ret->texts == NULL) {
        return 0;
    }
    size_t count = 0;
    bool has_ipv6 = false;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        for (size_t i = 0; i < rules[side].count; i++) {
            const struct rule *rule = rules[side].rules[i];
            for (size_t j = 0; j < rule->from_count; j++) {
                add_network(ret, &count, &rule->from[j]);
                has_ipv6 = has_ipv6 || rule->from[j].family == 6;
            }
        }
    }
    add_network(ret, &count, &EVERYWHERE[0]);
    if (has_ipv6) {
        add_network(ret, &count, &EVERYWHERE[1]);
    }
    size_t kept = 0;
    ret->network_count = count;
    for (size_t i = 0; i < count; i++) {
        struct network address;
        if (own_address(ret, count, &ret->networks[i], &address)) {
            (void)network_text(&address, ret->addresses[kept]);
            name_network(sides, &ret->networks[i], ret->texts[kept], sizeof ret->texts[kept]);
            ret->sets[kept] = i;
            kept++;
        }
    }
    return kept;
}

size_t diff_sources_value(const struct diff_sources *sources, size_t count, const struct network *from)
{
    size_t narrowest = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct network *network = &sources->networks[sources->sets[i]];
        bool is_narrower =
            narrowest == SIZE_MAX || network_contains(&sources->networks[sources->sets[narrowest]], network);
        if (network_contains(network, from) && is_narrower) {
            narrowest = i;
        }
    }
    /* An address of the other family, where no list has one, is as good as one from elsewhere. */
    return narrowest == SIZE_MAX ? count - 1 : narrowest;
}

void diff_sources_say(const struct diff_sources *sources, const bool *chosen, size_t count, char *text,
                      size_t size_bytes)
{
    for (size_t i = 0; i < count; i++) {
        bool is_said = false;
        for (size_t j = 0; j < i; j++) {
            is_said = is_said || (chosen[j] && strcmp(sources->texts[i], sources->texts[j]) == 0);
        }
        if (chosen[i] && !is_said) {
            diff_append(text, size_bytes, ", ", *text == 0 ? "from " : "");
            diff_append(text, size_bytes, "", sources->texts[i]);
        }
    }
}
