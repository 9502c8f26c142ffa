/* The files about single people: no input may crash, what is accepted must read the same after a change, and
 * no file lets a code in that it does not hold. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "auth/people.h"
#include "auth/recovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void change(struct cursor file, const struct people *people)
{
    static const struct people_entry ENTRY = {.person = "zoe", .is_disabled = true};
    size_t others = people->count - (people_find(people, ENTRY.person) != NULL ? 1 : 0);
    struct people again = {0};
    unsigned line = 0;
    OWNED_SECRET changed = {0};
    if (people_set(file, &ENTRY, &changed) != ERR_NONE) {
        return;
    }
    enum err err = people_read(&again, secret_peek(&changed), &line);
    if (err == ERR_NONE && (again.count != others + 1 || !people_keeps_out(&again, "zoe", 0))) {
        abort();
    }
    if (err != ERR_NONE && err != ERR_TOO_LARGE) {
        abort();
    }
    people_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor file = cursor_of(data, size);
    struct people people = {0};
    unsigned line = 0;
    if (people_read(&people, file, &line) == ERR_NONE) {
        change(file, &people);
    }
    people_done(&people);
    OWNED_SECRET used = {0};
    unsigned left = recovery_left(file);
    enum err err = recovery_use(file, "alice", cursor_of_text("abcd-efgh-ijkl-mnop"), 1, &used);
    if (err == ERR_NONE && recovery_left(secret_peek(&used)) != left - 1) {
        abort();
    }
    return 0;
}
