/* What an access is for, where a rule asks: by the prompt of its login, or told before with `ssh BASTION
 * reason TEXT` for what cannot be asked (byte streams, databases, clients without a terminal). The text is
 * for people who read the records later; nothing but the policy's pattern is made of it. */
#include <stdio.h>
#include <string.h>

#include "auth/lease.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "state.h"

enum {
    REASON_BYTES_MIN = 3,
    REASON_TRIES = 3,     /* for one access */
    REASON_KEPT_S = 3600, /* how long one that was told before counts */
};
static const char WRONG[] = "a reason has 3 to 255 printable characters [D-REASON]";

/* @return false when it is no text that a reader of records could use. */
static bool read_reason(struct cursor text, char ret_reason[static POLICY_REASON_BYTES])
{
    char printable[POLICY_REASON_BYTES];
    while (cursor_len(&text) > 0 && *text.at == ' ') {
        text.at++;
    }
    while (cursor_len(&text) > 0 && text.end[-1] == ' ') {
        text.end--;
    }
    if (cursor_len(&text) < REASON_BYTES_MIN || cursor_len(&text) >= POLICY_REASON_BYTES) {
        return false;
    }
    text_printable(text, printable, sizeof printable);
    if (!cursor_equal_text(text, printable)) {
        return false;
    }
    memcpy(ret_reason, printable, sizeof printable);
    return true;
}

/* The one that the person told before; "" when there is none. */
static const char *kept_reason(const struct connection *connection, uint64_t *ret_age_s)
{
    const struct lease *lease = lease_find(&connection->monitor->reasons, connection->person,
                                           connection->key_sha256, connection->from);
    uint64_t now_us = clock_monotonic_us();
    *ret_age_s = lease == NULL ? 0 : lease_age(lease, now_us);
    return lease == NULL || *ret_age_s >= REASON_KEPT_S ? "" : lease->note;
}

void reason_take(struct access *access)
{
    uint64_t age_s = 0;
    if (access->reason[0] == 0) {
        (void)snprintf(access->reason, sizeof access->reason, "%s", kept_reason(access->connection, &age_s));
    }
}

/* ---- the prompt ---- */

void reason_need(struct access *access, const struct policy_decision *decision)
{
    char sentence[LIMIT_SENTENCE_BYTES];
    if (access->reason_tries++ == REASON_TRIES) {
        target_deny(access, "target.denied", decision->code, decision->sentence);
        return;
    }
    access->reason[0] = 0;
    access->reason_state = REASON_WANTED;
    (void)snprintf(
        sentence, sizeof sentence,
        "%.300s; it is asked for now, and clients that cannot ask need \"ssh BASTION reason TEXT\" before "
        "[%s]",
        decision->sentence, decision->code);
    report_access(access, "target.reason", EVENT_DENIED, decision->code, decision->sentence);
    target_send_denied(access, TARGET_DENIED_FACTOR, sentence);
}

enum err reason_begin(struct access *access)
{
    enum { STYLE_ECHOED = 1 };
    char prompt[LIMIT_HOST_BYTES + 64];
    uint8_t body[sizeof prompt + 16];
    struct writer out = writer_of(body, sizeof body);
    (void)snprintf(prompt, sizeof prompt, "Reason for access to %s: ", access->host);
    writer_u8(&out, STYLE_ECHOED);
    writer_text(&out, prompt);
    struct cursor bytes;
    TRY(writer_done(&out, &bytes));
    access->reason_state = REASON_ASKED;
    connection_send(access->connection, IPC_FACTOR_PROMPT, access->ref, bytes, NULL);
    return ERR_NONE;
}

void reason_answer(struct access *access, struct cursor text)
{
    bool is_good = read_reason(text, access->reason);
    access->reason_state = is_good ? REASON_NONE : REASON_WANTED;
    if (!is_good && access->reason_tries++ == REASON_TRIES) {
        factor_tell(access->connection, access->ref, false, false, WRONG);
        return;
    }
    factor_tell(access->connection, access->ref, is_good, !is_good, is_good ? "" : WRONG);
}

/* ---- told before ---- */

static void say_reason(struct command *command)
{
    uint64_t age_s = 0;
    const char *reason = kept_reason(command->connection, &age_s);
    char left[COMMAND_AGE_BYTES];
    if (reason[0] == 0) {
        command_say(command,
                    "Reason: none; set one with \"reason TEXT\", for connections with this key from %s.\n",
                    command->connection->from);
        return;
    }
    command_say(command, "Reason: %s\nIt goes with what is opened with this key from %s for %s more.\n",
                reason, command->connection->from, command_age(REASON_KEPT_S - age_s, left));
}

void command_reason(struct command *command, const char *argument)
{
    struct connection *connection = command->connection;
    struct monitor *monitor = connection->monitor;
    char reason[POLICY_REASON_BYTES] = "";
    argument += strspn(argument, " ");
    bool is_drop = strcmp(argument, "drop") == 0;
    if (argument[0] == 0) {
        say_reason(command);
        command_finish(command, 0);
        return;
    }
    if (!is_drop && !read_reason(cursor_of_text(argument), reason)) {
        command_say(command, "bastion: %s\n", WRONG);
        command_finish(command, 2);
        return;
    }
    enum err err = lease_pass(&monitor->reasons, connection->person, connection->key_sha256, connection->from,
                              clock_monotonic_us(), reason);
    report_connection(connection, is_drop ? "reason.dropped" : "reason.given", EVENT_SUCCESS, NULL,
                      is_drop ? NULL : reason);
    if (err != ERR_NONE) {
        command_say(command, "bastion: the bastion has no memory left; tell your operators\n");
    } else if (is_drop) {
        command_say(command, "Your reason is forgotten.\n");
    } else {
        say_reason(command);
    }
    command_finish(command, err == ERR_NONE ? 0 : 1);
}
