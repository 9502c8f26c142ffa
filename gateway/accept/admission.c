#include "accept/admission.h"

#include <stdlib.h>
#include <string.h>

enum {
    US_PER_S = 1000000,
    PENALTY_SHORTEST_S = 15, /* less than this is forgotten at once: one typo must not lock an office out */
    PENALTY_LONGEST_S = 600,
    SOURCE_PROBES = 64, /* how far a lookup walks: bounded cost, whatever addresses an attacker picks */
};

static const uint32_t PENALTY_S[ADMISSION_OFFENCE_COUNT] = {
    [ADMISSION_NO_AUTH] = 1, [ADMISSION_AUTH_FAIL] = 5, [ADMISSION_DEADLINE] = 10, [ADMISSION_CRASH] = 90};

enum err admission_init(struct admission *admission, const struct admission_limits *limits)
{
    *admission = (struct admission){.limits = *limits};
    admission->sources = calloc(ADMISSION_SOURCES_MAX, sizeof *admission->sources);
    return admission->sources == NULL ? ERR_MEMORY : ERR_NONE;
}

void admission_done(struct admission *admission)
{
    free(admission->sources);
    admission->sources = NULL;
}

static struct admission_source source_of(const struct sockaddr_storage *from)
{
    struct admission_source source = {.family = 4};
    if (from->ss_family == AF_INET) {
        memcpy(source.bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
        return source;
    }
    const struct in6_addr *address = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(address)) {
        memcpy(source.bytes, &address->s6_addr[12], 4);
        return source;
    }
    source.family = 6;
    memcpy(source.bytes, address->s6_addr, sizeof source.bytes);
    return source;
}

/* FNV-1a. The table is bounded and each lookup too, so a flood of chosen addresses costs others nothing but
 * their history. */
static uint32_t slot_of(const struct admission_source *source)
{
    uint32_t hash = 2166136261u ^ source->family;
    for (size_t i = 0; i < sizeof source->bytes; i++) {
        hash = (hash ^ source->bytes[i]) * 16777619u;
    }
    return hash % ADMISSION_SOURCES_MAX;
}

static bool is_same(const struct admission_source *a, const struct admission_source *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static bool is_forgettable(const struct admission_source *source, uint64_t now_us)
{
    return source->open == 0 && source->penalty_until_us <= now_us;
}

/* The source's place; a free or the longest forgotten one when it is new; NULL when all in reach are in use.
 */
static struct admission_source *find(struct admission *admission, const struct sockaddr_storage *from,
                                     uint64_t now_us, bool may_add)
{
    struct admission_source wanted = source_of(from);
    uint32_t slot = slot_of(&wanted);
    struct admission_source *free_place = NULL;
    for (uint32_t i = 0; i < SOURCE_PROBES; i++) {
        struct admission_source *place = &admission->sources[(slot + i) % ADMISSION_SOURCES_MAX];
        if (is_same(place, &wanted)) {
            return place;
        }
        bool is_better = free_place == NULL || place->last_us < free_place->last_us;
        if (is_better && (place->family == 0 || is_forgettable(place, now_us))) {
            free_place = place;
        }
    }
    if (!may_add || free_place == NULL) {
        return NULL;
    }
    *free_place = wanted;
    return free_place;
}

static bool is_unlucky(const struct admission *admission, uint32_t random)
{
    const struct admission_limits *limits = &admission->limits;
    if (admission->unproven < limits->startups_begin) {
        return false;
    }
    if (admission->unproven >= limits->startups_full || limits->startups_full <= limits->startups_begin) {
        return true;
    }
    /* sshd_config(5), MaxStartups: the share grows linearly from the rate to all. */
    uint32_t range = limits->startups_full - limits->startups_begin;
    uint32_t above = admission->unproven - limits->startups_begin;
    return random < limits->startups_percent + (100 - limits->startups_percent) * above / range;
}

enum admission_verdict admission_enter(struct admission *admission, const struct sockaddr_storage *from,
                                       uint64_t now_us, uint32_t random)
{
    struct admission_source *source = find(admission, from, now_us, true);
    if (source == NULL || admission->open >= admission->limits.connections) {
        return ADMISSION_FULL;
    }
    source->last_us = now_us;
    if (source->penalty_until_us > now_us + (uint64_t)PENALTY_SHORTEST_S * US_PER_S) {
        return ADMISSION_PENALTY;
    }
    if (source->open >= admission->limits.per_source) {
        return ADMISSION_SOURCE_FULL;
    }
    if (is_unlucky(admission, random)) {
        return ADMISSION_STARTUPS;
    }
    source->open++;
    admission->open++;
    admission->unproven++;
    return ADMISSION_WELCOME;
}

void admission_proven(struct admission *admission)
{
    if (admission->unproven > 0) {
        admission->unproven--;
    }
}

void admission_leave(struct admission *admission, const struct sockaddr_storage *from, bool was_proven)
{
    struct admission_source *source = find(admission, from, 0, false);
    if (source != NULL && source->open > 0) {
        source->open--;
    }
    if (admission->open > 0) {
        admission->open--;
    }
    if (!was_proven) {
        admission_proven(admission);
    }
}

void admission_offend(struct admission *admission, const struct sockaddr_storage *from,
                      enum admission_offence offence, uint64_t now_us)
{
    struct admission_source *source = find(admission, from, now_us, true);
    if (source == NULL) {
        return;
    }
    uint64_t from_us = source->penalty_until_us > now_us ? source->penalty_until_us : now_us;
    uint64_t longest_us = now_us + (uint64_t)PENALTY_LONGEST_S * US_PER_S;
    uint64_t until_us = from_us + (uint64_t)PENALTY_S[offence] * US_PER_S;
    source->penalty_until_us = until_us < longest_us ? until_us : longest_us;
}

const char *admission_text(enum admission_verdict verdict)
{
    switch (verdict) {
    case ADMISSION_WELCOME:
        return "welcome";
    case ADMISSION_FULL:
        return "too many connections";
    case ADMISSION_SOURCE_FULL:
        return "too many connections from this source";
    case ADMISSION_STARTUPS:
        return "too many connections that have proven nothing yet";
    case ADMISSION_PENALTY:
        return "this source failed too often";
    }
    return "refused";
}
