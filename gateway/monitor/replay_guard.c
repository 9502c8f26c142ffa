/* A one-time code is good once, whatever the PAM module keeps of it: pam_google_authenticator forgets codes
 * that arrive at the same time, others remember nothing. What was accepted is kept, hashed, for longer than
 * any module's window; only what looks like such a code, so that a password can be given again. */
#include "base/clock.h"
#include "crypto/hash.h"
#include "state.h"

enum { DIGITS_MIN = 6, DIGITS_MAX = 8, KEPT_S = 600 };

static bool is_one_time_code(struct cursor text)
{
    size_t len = cursor_len(&text);
    for (const uint8_t *at = text.at; at != text.end; at++) {
        if (*at < '0' || *at > '9') {
            return false;
        }
    }
    return len >= DIGITS_MIN && len <= DIGITS_MAX;
}

bool replay_guard_refuses(struct connection *connection, struct cursor answer)
{
    struct monitor *monitor = connection->monitor;
    struct factor *factor = &connection->factor;
    uint64_t age_s = 0;
    factor->has_code = is_one_time_code(answer);
    if (!factor->has_code) {
        return false;
    }
    crypto_sha256(answer, factor->code_sha256);
    return lease_age_s(&monitor->used_codes, connection->person, factor->code_sha256, "",
                       clock_monotonic_us(), &age_s) &&
           age_s < KEPT_S;
}

bool replay_guard_accepted(struct connection *connection)
{
    struct factor *factor = &connection->factor;
    uint64_t now_us = clock_monotonic_us();
    if (!factor->has_code) {
        return true;
    }
    factor->has_code = false;
    lease_drop(&connection->monitor->used_codes, NULL, now_us, KEPT_S);
    return lease_pass(&connection->monitor->used_codes, connection->person, factor->code_sha256, "", now_us,
                      "") == ERR_NONE;
}
