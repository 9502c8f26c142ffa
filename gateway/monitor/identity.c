/* Who is it? A key that a person's file admits, a signature that the signer verified over the session id that
 * it signed itself, and, for people, a second factor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/userauth.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/hash.h"
#include "keys/signature.h"
#include "state.h"

enum { US_PER_S = 1000000, METHOD_BYTES = 64, PUBLICKEY_BYTES = 8192 };

static void send_result(struct connection *connection, enum userauth_verdict verdict, const char *sentence)
{
    uint8_t body[LIMIT_SENTENCE_BYTES + 16];
    struct writer out = writer_of(body, sizeof body);
    writer_u8(&out, (uint8_t)verdict);
    writer_text(&out, sentence);
    struct cursor bytes;
    if (writer_done(&out, &bytes) == ERR_NONE) {
        connection_send(connection, IPC_AUTH_RESULT, 0, bytes, NULL);
    }
}

/* Every failed proof looks the same from outside, whoever was named. */
static void refuse(struct connection *connection, const char *code, const char *sentence)
{
    connection->failures++;
    report_connection(connection, "login.failed", EVENT_DENIED, code, sentence);
    if (connection->failures >= LIMIT_AUTH_TRIES) {
        connection_end(connection, "too many failed tries; check which key your client offers [D-TRIES]");
        return;
    }
    send_result(connection, USERAUTH_FAILED, "");
}

static void report_complaints(struct connection *connection, const struct keys_complaints *complaints)
{
    for (unsigned i = 0; i < keys_complaints_kept(complaints); i++) {
        REPORT(connection->monitor, "keys.complaint", EVENT_FAILURE,
               {.key = "person", .text = connection->claimed_person},
               EVENT_NUMBER("line", complaints->rows[i].line),
               {.key = "sentence", .text = complaints->rows[i].sentence});
    }
}

/* @return ERR_NOT_FOUND when the policy does not know the person, or there is no file. */
static enum err read_keys(struct connection *connection, struct cursor user, struct policy_person *ret_known,
                          uint8_t **ret_bytes, size_t *ret_len)
{
    char person[LIMIT_PERSON_BYTES];
    text_printable(user, connection->claimed_person, sizeof connection->claimed_person);
    if (!text_is_person(user)) {
        return ERR_NOT_FOUND;
    }
    (void)snprintf(person, sizeof person, "%.*s", (int)cursor_len(&user), (const char *)user.at);
    connection->principals_len = 0;
    TRY(policy_person(connection->monitor->policy, person, ret_known));
    enum err err = policy_file_keys(connection->monitor, person, ret_bytes, ret_len);
    if (err != ERR_NONE && err != ERR_NOT_FOUND) {
        REPORT(connection->monitor, "keys.complaint", EVENT_FAILURE, {.key = "person", .text = person},
               {.key = "sentence",
                .text = "the file with this person's keys cannot be used: it must belong to root and be "
                        "writable by nobody else"});
    }
    return err;
}

/* For a name without keys a file is read and searched all the same: how long the answer takes shall not tell
 * who exists. */
static void search_decoy(struct connection *connection, struct cursor key_blob)
{
    OWNED_BYTES *file = NULL;
    size_t len = 0;
    struct keys_authorization ignored;
    struct keys_complaints complaints = {0};
    if (policy_file_decoy(connection->monitor, &file, &len) == ERR_NONE) {
        err_ignore(keys_authorized_find(cursor_of(file, len), key_blob, connection->from, clock_wall_s(),
                                        &ignored, &complaints)); /* nobody is let in by it */
    }
}

/* @return ERR_NONE when the person's file admits this key from this source now. */
static enum err find_key(struct connection *connection, struct cursor user, struct cursor key_blob)
{
    struct policy_person known;
    OWNED_BYTES *file = NULL;
    size_t len = 0;
    enum err err = read_keys(connection, user, &known, &file, &len);
    if (err != ERR_NONE) {
        search_decoy(connection, key_blob);
        return err;
    }
    struct keys_complaints complaints = {0};
    err = keys_authorized_find(cursor_of(file, len), key_blob, connection->from, clock_wall_s(),
                               &connection->authorization, &complaints);
    report_complaints(connection, &complaints);
    if (err == ERR_NONE) {
        connection->is_machine = known.is_machine;
    }
    return err;
}

struct cursor identity_principals(const struct connection *connection)
{
    return cursor_of(connection->principals, connection->principals_len);
}

enum err identity_person(const struct connection *connection, struct policy_person *ret)
{
    return policy_person_certified(connection->monitor->policy, connection->person,
                                   identity_principals(connection), ret);
}

static bool is_certificate(struct cursor algorithm)
{
    char plain[KEYS_ALGORITHM_BYTES];
    return keys_certificate_algorithm(algorithm, plain);
}

/* The monitor does not read certificates: it looks for the bytes of a CA's key in it, so that strangers
 * cannot have the signer verify at will, and leaves the rest to the signer.
 * @return NULL when no CA for people can have signed it, or the policy does not know the person. */
static const struct keys_blob *find_ca(struct connection *connection, struct cursor user,
                                       struct cursor certificate)
{
    char person[LIMIT_PERSON_BYTES];
    struct policy_person known;
    text_printable(user, connection->claimed_person, sizeof connection->claimed_person);
    if (!text_is_person(user)) {
        return NULL;
    }
    (void)snprintf(person, sizeof person, "%.*s", (int)cursor_len(&user), (const char *)user.at);
    /* Whom no group names may be in one by a principal: the signer will say which the certificate has. */
    known.is_machine = false;
    if (policy_person(connection->monitor->policy, person, &known) != ERR_NONE &&
        !policy_has_principals(connection->monitor->policy)) {
        return NULL;
    }
    connection->is_machine = known.is_machine;
    const struct keys_blob *ca = person_ca_find(&connection->monitor->person_cas, certificate);
    /* Our own CA vouches for accounts on targets, whatever an operator put into a file. */
    struct cursor own = keys_blob_peek(&connection->monitor->signer.user_ca_blob);
    return ca != NULL && cursor_equal(keys_blob_peek(ca), own) ? NULL : ca;
}

/* Who is kept out for now looks like who has no key here; operators see the difference. */
static bool is_kept_out(struct connection *connection, struct cursor user)
{
    char person[LIMIT_PERSON_BYTES];
    text_printable(user, person, sizeof person);
    if (!people_keeps_out(&connection->monitor->people, person, clock_wall_s())) {
        return false;
    }
    (void)snprintf(connection->claimed_person, sizeof connection->claimed_person, "%s", person);
    report_connection(connection, "login.failed", EVENT_DENIED, "D-DISABLED",
                      "the person is disabled, or was expected until a time that has passed");
    return true;
}

static bool is_usable(struct connection *connection, struct cursor user, struct cursor algorithm,
                      struct cursor key_blob)
{
    return is_certificate(algorithm) ? find_ca(connection, user, key_blob) != NULL
                                     : find_key(connection, user, key_blob) == ERR_NONE;
}

enum err identity_probe(struct connection *connection, struct cursor body)
{
    struct cursor user;
    struct cursor algorithm;
    struct cursor key_blob;
    TRY(cursor_string(&body, LIMIT_SENTENCE_BYTES, &user));
    TRY(cursor_string(&body, METHOD_BYTES, &algorithm));
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &key_blob));
    TRY(cursor_end(&body));
    /* A signature is judged for the person that was named with it: nobody else may be named meanwhile. */
    if (connection->is_verifying) {
        return ERR_STATE;
    }
    bool may_sign = is_usable(connection, user, algorithm, key_blob) && !is_kept_out(connection, user);
    send_result(connection, may_sign ? USERAUTH_KEY_USABLE : USERAUTH_FAILED, "");
    return ERR_NONE;
}

static enum err ask_certified(struct connection *connection, const struct keys_blob *ca,
                              struct cursor request)
{
    uint8_t memory[LIMIT_KEY_BLOB_BYTES + LIMIT_ADDRESS_BYTES + PUBLICKEY_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_string(&out, keys_blob_peek(ca));
    writer_text(&out, connection->from);
    writer_bytes(&out, request);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return signer_ask(connection->monitor, connection, SIGNER_ASKED_VERIFY_CERTIFIED, 0, body);
}

void identity_certified(struct connection *connection, const struct identity_certificate *certificate)
{
    if (connection->phase != PHASE_KEX || !connection->is_verifying) {
        return; /* it was ended meanwhile */
    }
    bool is_revoked =
        certificate->is_valid && person_ca_is_revoked(&connection->monitor->person_cas, certificate->serial,
                                                      certificate->key_id, certificate->fingerprint);
    if (!certificate->is_valid || is_revoked) {
        connection->is_verifying = false;
        refuse(connection, "D-CERTIFICATE",
               is_revoked ? "the certificate was revoked" : certificate->why_not);
        return;
    }
    connection->principals_len = cursor_len(&certificate->principals);
    memcpy(connection->principals, certificate->principals.at, connection->principals_len);
    struct policy_person known;
    if (policy_person_certified(connection->monitor->policy, connection->claimed_person,
                                certificate->principals, &known) != ERR_NONE) {
        connection->is_verifying = false;
        refuse(connection, "D-CERTIFICATE", "no group of the policy names the person or a principal");
        return;
    }
    /* A lease is of the key: the next certificate for it is as good. */
    crypto_sha256(cursor_of_text(certificate->fingerprint), connection->key_sha256);
    (void)snprintf(connection->key_fingerprint, sizeof connection->key_fingerprint, "%s",
                   certificate->fingerprint);
    REPORT(connection->monitor, "certificate.used", EVENT_SUCCESS,
           EVENT_NUMBER("connection", connection->number), {.key = "from", .text = connection->from},
           {.key = "person", .text = connection->claimed_person},
           {.key = "key", .text = certificate->fingerprint}, {.key = "key_id", .text = certificate->key_id},
           EVENT_NUMBER("serial", certificate->serial));
    /* Whether the token's flags are good enough, the signer has judged already. */
    identity_verified(connection, true, certificate->sk_flags);
}

enum err identity_publickey(struct connection *connection, struct cursor body)
{
    struct cursor whole = body;
    struct cursor user;
    struct cursor method;
    struct cursor algorithm;
    struct cursor key_blob;
    struct cursor signature;
    TRY(cursor_string(&body, LIMIT_SENTENCE_BYTES, &user));
    TRY(cursor_string(&body, METHOD_BYTES, &method));
    TRY(cursor_string(&body, METHOD_BYTES, &algorithm));
    TRY(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &key_blob));
    TRY(cursor_string(&body, LIMIT_SIGNATURE_BYTES, &signature));
    TRY(cursor_end(&body));
    if (connection->is_verifying) {
        return ERR_STATE;
    }
    bool is_certified = is_certificate(algorithm);
    const struct keys_blob *ca = is_certified ? find_ca(connection, user, key_blob) : NULL;
    bool has_key = is_certified ? ca != NULL : find_key(connection, user, key_blob) == ERR_NONE;
    if (!has_key || is_kept_out(connection, user)) {
        refuse(connection, "D-KEY", "no key of this name matches");
        return ERR_NONE;
    }
    crypto_sha256(key_blob, connection->key_sha256);
    (void)keys_fingerprint(key_blob, connection->key_fingerprint);
    connection->is_verifying = true;
    if (is_certified) {
        connection->authorization = (struct keys_authorization){.type = KEYS_ED25519};
    }
    enum err err = is_certified ? ask_certified(connection, ca, whole)
                                : signer_ask(connection->monitor, connection, SIGNER_ASKED_VERIFY, 0, whole);
    if (err != ERR_NONE) {
        connection_end(connection,
                       "the bastion cannot verify keys right now; please try again in a moment [D-SIGNER]");
    }
    return ERR_NONE;
}

struct policy_factor identity_factor(const struct connection *connection, uint64_t now_us)
{
    struct policy_factor factor = connection->passed_factor;
    factor.age_s += (now_us - connection->factor_seen_us) / US_PER_S;
    uint64_t lease_s = 0;
    bool has_lease = lease_age_s(&connection->monitor->leases, connection->person, connection->key_sha256,
                                 connection->from, now_us, &lease_s);
    if (has_lease && (!factor.has || lease_s < factor.age_s)) {
        factor = (struct policy_factor){.has = true, .age_s = lease_s};
    }
    return factor;
}

bool identity_take_lease(struct connection *connection, uint64_t max_age_s)
{
    uint64_t now_us = clock_monotonic_us();
    uint64_t age_s = 0;
    if (!lease_age_s(&connection->monitor->leases, connection->person, connection->key_sha256,
                     connection->from, now_us, &age_s) ||
        age_s > max_age_s) {
        return false;
    }
    connection->passed_factor = (struct policy_factor){.has = true, .age_s = age_s};
    connection->factor_seen_us = now_us;
    connection->factor_by = "lease";
    return true;
}

static bool has_too_many_connections(const struct connection *connection, unsigned limit)
{
    const struct monitor *monitor = connection->monitor;
    unsigned others = 0;
    for (size_t i = 0; i < monitor->connection_capacity; i++) {
        const struct connection *other = monitor->connections[i];
        bool is_same = other != NULL && other != connection && other->phase != PHASE_ENDED &&
                       strcmp(other->person, connection->person) == 0;
        others += is_same ? 1 : 0;
    }
    return limit > 0 && others >= limit;
}

/* The key is proven: from here on sentences may be clear, only its holder reads them. */
static void key_proven(struct connection *connection)
{
    struct monitor *monitor = connection->monitor;
    (void)snprintf(connection->person, sizeof connection->person, "%s", connection->claimed_person);
    struct policy_person known;
    char sentence[LIMIT_SENTENCE_BYTES];
    if (identity_person(connection, &known) != ERR_NONE) {
        connection_end(connection, "the policy no longer names you; ask your operators [D-PERSON]");
        return;
    }
    if (has_too_many_connections(connection, known.connections)) {
        (void)snprintf(sentence, sizeof sentence,
                       "you have %u connections open, which is as many as the policy allows; close one first "
                       "[D-CONNECTIONS]",
                       known.connections);
        report_connection(connection, "login.failed", EVENT_DENIED, "D-CONNECTIONS", sentence);
        connection_end(connection, sentence);
        return;
    }
    bool is_key_enough = known.is_key_factor && connection->key_proof == POLICY_KEY_VERIFIED;
    connection->factor_by = known.is_machine ? "none(machine)" : is_key_enough ? "verified key" : "none";
    if (known.is_machine || is_key_enough || identity_take_lease(connection, known.max_mfa_age_s)) {
        connection_identified(connection);
        send_result(connection, USERAUTH_ACCEPTED, "");
        return;
    }
    if (factor_lock_sentence(monitor, connection->person, sentence, sizeof sentence)) {
        report_connection(connection, "login.failed", EVENT_DENIED, "D-LOCKED", sentence);
        connection_end(connection, sentence);
        return;
    }
    connection->phase = PHASE_FACTOR;
    factor_need(connection);
}

/* The flags are under the signature, so they are the token's word. Its counter is no part of this: logins in
 * parallel arrive in any order. */
static enum policy_key proof_of(uint8_t sk_flags)
{
    if ((sk_flags & KEYS_SK_USER_PRESENT) == 0) {
        return POLICY_KEY_PLAIN;
    }
    return (sk_flags & KEYS_SK_USER_VERIFIED) != 0 ? POLICY_KEY_VERIFIED : POLICY_KEY_TOUCHED;
}

void identity_verified(struct connection *connection, bool is_valid, uint8_t sk_flags)
{
    if (connection->phase != PHASE_KEX || !connection->is_verifying) {
        return; /* it was ended meanwhile */
    }
    connection->is_verifying = false;
    if (!is_valid || !keys_authorization_admits(&connection->authorization, sk_flags)) {
        refuse(connection, "D-SIGNATURE", "the signature does not prove the key");
        return;
    }
    connection->key_proof = proof_of(sk_flags);
    key_proven(connection);
}
