/* What operators say about single people between two policies: who is kept out, until when others may come
 * (`people_file`), and whose lock-out ends now. Both are files, looked at with every tick: whoever may write
 * them is root, and a gateway that hangs cannot keep the answer. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "state.h"

enum { UNLOCK_BYTES = LIMIT_PERSON_BYTES + 1 };

static enum err read_file(const char *path, struct people *ret, char *ret_sentence, size_t size_bytes)
{
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    unsigned line = 0;
    enum err err = fd_read_trusted_file(AT_FDCWD, path, PEOPLE_FILE_BYTES, &bytes, &len);
    if (err == ERR_NONE) {
        err = people_read(ret, cursor_of(bytes, len), &line);
    }
    if (line > 0 && err == ERR_MALFORMED) {
        (void)snprintf(
            ret_sentence, size_bytes,
            "%s: line %u is none of \"NAME disabled\" and \"NAME expires=2026-12-31T18:00:00Z\", or "
            "a name has two lines",
            path, line);
    } else if (err == ERR_DENIED) {
        (void)snprintf(ret_sentence, size_bytes,
                       "%s: must be a regular file of root that nobody else may write", path);
    } else if (err != ERR_NONE) {
        (void)snprintf(ret_sentence, size_bytes, "%s: %s", path,
                       err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
    return err;
}

enum err people_load(struct monitor *monitor, char *ret_sentence, size_t size_bytes)
{
    const char *path = monitor->config.people_file;
    struct file_stamp stamp = file_stamp_of(path);
    struct people people = {0};
    enum err err = read_file(path, &people, ret_sentence, size_bytes);
    monitor->people_stamp = stamp; /* a wrong file is told once */
    /* Without the file nobody is kept out; but one that was there and is gone would let people back in. */
    if (err == ERR_NOT_FOUND && monitor->people.count == 0) {
        return ERR_NONE;
    }
    if (err == ERR_NONE) {
        people_done(&monitor->people);
        monitor->people = people;
    }
    return err;
}

static void end_connections(struct monitor *monitor)
{
    int64_t now_s = clock_wall_s();
    for (size_t i = 0; monitor->people.count > 0 && i < monitor->connection_capacity; i++) {
        struct connection *connection = monitor->connections[i];
        bool is_known = connection != NULL && connection->person[0] != 0 && connection->phase != PHASE_ENDED;
        if (!is_known || !people_keeps_out(&monitor->people, connection->person, now_s)) {
            continue;
        }
        static const char SENTENCE[] =
            "your operators have ended your access to the bastion; ask them [D-DISABLED]";
        lease_drop(&monitor->leases, connection->person, clock_monotonic_us(), 0);
        report_connection(connection, "person.ended", EVENT_DENIED, "D-DISABLED", SENTENCE);
        connection_end(connection, SENTENCE);
    }
}

/* `bastion people unlock` leaves the name and waits until the file is gone. */
static void take_unlock(struct monitor *monitor)
{
    static const char UNLOCK_FILE[] = "unlock";
    OWNED_BYTES *bytes = NULL;
    size_t len = 0;
    char person[LIMIT_PERSON_BYTES] = "";
    enum err err = fd_read_trusted_file(monitor->state_dir, UNLOCK_FILE, UNLOCK_BYTES, &bytes, &len);
    if (err == ERR_NOT_FOUND) {
        return;
    }
    struct cursor file = cursor_of(bytes, len);
    struct cursor line;
    if (err == ERR_NONE && cursor_line(&file, &line) && text_is_person(line)) {
        (void)snprintf(person, sizeof person, "%.*s", (int)cursor_len(&line), (const char *)line.at);
        factor_unlock(monitor, person);
    }
    REPORT(monitor, "person.unlocked", person[0] != 0 ? EVENT_SUCCESS : EVENT_FAILURE,
           {.key = "person", .text = person});
    (void)unlinkat(monitor->state_dir, UNLOCK_FILE, 0);
}

void people_tick(struct monitor *monitor)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    struct file_stamp stamp = file_stamp_of(monitor->config.people_file);
    if (!file_stamp_equal(&stamp, &monitor->people_stamp)) {
        bool is_good = people_load(monitor, sentence, sizeof sentence) == ERR_NONE;
        REPORT(monitor, is_good ? "people.loaded" : "people.refused", is_good ? EVENT_SUCCESS : EVENT_FAILURE,
               {.key = "sentence", .text = is_good ? NULL : sentence},
               EVENT_NUMBER("people", monitor->people.count));
    }
    end_connections(monitor);
    take_unlock(monitor);
}
