#include "auth/lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { US_PER_S = 1000000 };

void lease_done(struct lease_table *table)
{
    free(table->leases);
    *table = (struct lease_table){0};
}

static struct lease *find_own(const struct lease_table *table, const char *person,
                              const uint8_t key_sha256[LEASE_KEY_BYTES], const char *source)
{
    for (size_t i = 0; i < table->count; i++) {
        struct lease *lease = &table->leases[i];
        if (strcmp(lease->person, person) == 0 && strcmp(lease->source, source) == 0 &&
            memcmp(lease->key_sha256, key_sha256, LEASE_KEY_BYTES) == 0) {
            return lease;
        }
    }
    return NULL;
}

static struct lease *oldest(struct lease_table *table)
{
    struct lease *found = &table->leases[0];
    for (size_t i = 1; i < table->count; i++) {
        if (table->leases[i].passed_us < found->passed_us) {
            found = &table->leases[i];
        }
    }
    return found;
}

static enum err make_room(struct lease_table *table, struct lease **ret_place)
{
    if (table->count == LEASE_COUNT_MAX) {
        *ret_place = oldest(table);
        return ERR_NONE;
    }
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        struct lease *leases = realloc(table->leases, capacity * sizeof *leases);
        if (leases == NULL) {
            return ERR_MEMORY;
        }
        table->leases = leases;
        table->capacity = capacity;
    }
    *ret_place = &table->leases[table->count++];
    return ERR_NONE;
}

enum err lease_pass(struct lease_table *table, const char *person, const uint8_t key_sha256[LEASE_KEY_BYTES],
                    const char *source, uint64_t now_us, const char *note)
{
    struct lease *lease = find_own(table, person, key_sha256, source);
    if (lease == NULL) {
        TRY(make_room(table, &lease));
        *lease = (struct lease){0};
        (void)snprintf(lease->person, sizeof lease->person, "%s", person);
        (void)snprintf(lease->source, sizeof lease->source, "%s", source);
        memcpy(lease->key_sha256, key_sha256, LEASE_KEY_BYTES);
    }
    lease->passed_us = now_us;
    (void)snprintf(lease->note, sizeof lease->note, "%s", note);
    return ERR_NONE;
}

const struct lease *lease_find(const struct lease_table *table, const char *person,
                               const uint8_t key_sha256[LEASE_KEY_BYTES], const char *source)
{
    return find_own(table, person, key_sha256, source);
}

uint64_t lease_age(const struct lease *lease, uint64_t now_us)
{
    return (now_us - lease->passed_us) / US_PER_S;
}

bool lease_age_s(const struct lease_table *table, const char *person,
                 const uint8_t key_sha256[LEASE_KEY_BYTES], const char *source, uint64_t now_us,
                 uint64_t *ret_age_s)
{
    const struct lease *lease = find_own(table, person, key_sha256, source);
    if (lease == NULL) {
        return false;
    }
    *ret_age_s = lease_age(lease, now_us);
    return true;
}

void lease_drop(struct lease_table *table, const char *person, uint64_t now_us, uint64_t max_age_s)
{
    size_t kept = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct lease *lease = &table->leases[i];
        bool is_dropped =
            person != NULL ? strcmp(lease->person, person) == 0 : lease_age(lease, now_us) > max_age_s;
        if (!is_dropped) {
            table->leases[kept++] = *lease;
        }
    }
    table->count = kept;
}
