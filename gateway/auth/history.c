#include "auth/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rings: `denial_count` counts all that ever came, the newest lies at (count - 1) modulo the size. */
struct history_person {
    char name[LIMIT_PERSON_BYTES];
    uint64_t used; /* history.clock when something new came */
    uint64_t denial_count, access_count;
    struct history_denial denials[HISTORY_DENIALS];
    struct history_access accesses[HISTORY_ACCESSES];
};

void history_done(struct history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        free(history->people[i]);
    }
    free(history->people);
    *history = (struct history){0};
}

static struct history_person *find(const struct history *history, const char *name)
{
    for (size_t i = 0; i < history->count; i++) {
        if (strcmp(history->people[i]->name, name) == 0) {
            return history->people[i];
        }
    }
    return NULL;
}

static struct history_person *longest_unused(const struct history *history)
{
    struct history_person *found = history->people[0];
    for (size_t i = 1; i < history->count; i++) {
        if (history->people[i]->used < found->used) {
            found = history->people[i];
        }
    }
    return found;
}

static enum err add(struct history *history, struct history_person **ret)
{
    if (history->count == HISTORY_PEOPLE_MAX) {
        *ret = longest_unused(history);
        return ERR_NONE;
    }
    if (history->people == NULL) {
        history->people = calloc(HISTORY_PEOPLE_MAX, sizeof(struct history_person *));
    }
    struct history_person *person = history->people == NULL ? NULL : malloc(sizeof *person);
    if (person == NULL) {
        return ERR_MEMORY;
    }
    history->people[history->count++] = person;
    *ret = person;
    return ERR_NONE;
}

static enum err person_of(struct history *history, const char *name, struct history_person **ret)
{
    struct history_person *person = find(history, name);
    if (person == NULL) {
        TRY(add(history, &person));
        memset(person, 0, sizeof *person);
        (void)snprintf(person->name, sizeof person->name, "%s", name);
    }
    person->used = ++history->clock;
    *ret = person;
    return ERR_NONE;
}

enum err history_denied(struct history *history, const char *person, const struct history_denial *denial)
{
    struct history_person *known = NULL;
    TRY(person_of(history, person, &known));
    known->denials[known->denial_count++ % HISTORY_DENIALS] = *denial;
    return ERR_NONE;
}

enum err history_opened(struct history *history, const char *person, const struct history_access *access)
{
    struct history_person *known = NULL;
    TRY(person_of(history, person, &known));
    known->accesses[known->access_count++ % HISTORY_ACCESSES] = *access;
    return ERR_NONE;
}

void history_ended(struct history *history, const char *person, const char *sid, int64_t at_s,
                   const char *how)
{
    struct history_person *known = find(history, person);
    for (unsigned i = 0; known != NULL && i < HISTORY_ACCESSES; i++) {
        struct history_access *access = &known->accesses[i];
        if (strcmp(access->sid, sid) == 0 && access->ended_s == 0) {
            access->ended_s = at_s;
            (void)snprintf(access->how, sizeof access->how, "%s", how);
            return;
        }
    }
}

const struct history_denial *history_denial(const struct history *history, const char *person,
                                            unsigned number)
{
    const struct history_person *known = find(history, person);
    if (known == NULL || number >= HISTORY_DENIALS || number >= known->denial_count) {
        return NULL;
    }
    return &known->denials[(known->denial_count - 1 - number) % HISTORY_DENIALS];
}

const struct history_access *history_access(const struct history *history, const char *person,
                                            unsigned number)
{
    const struct history_person *known = find(history, person);
    if (known == NULL || number >= HISTORY_ACCESSES || number >= known->access_count) {
        return NULL;
    }
    return &known->accesses[(known->access_count - 1 - number) % HISTORY_ACCESSES];
}
