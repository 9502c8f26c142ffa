/* From the grant to the first ready-for-query: the client's authentication passes, or the relay does its own.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/md5.h"
#include "pg_state.h"

enum {
    AUTH_OK = 0,
    AUTH_PASSWORD = 3,
    AUTH_MD5 = 5,
    AUTH_GSS = 7,
    AUTH_GSS_CONTINUE = 8,
    AUTH_SSPI = 9,
    AUTH_SASL = 10,
    AUTH_SASL_CONTINUE = 11,
    AUTH_SASL_FINAL = 12,
};

static void set_login(struct pg_relay *pg, const char *method)
{
    static const char *const WHO[] = {
        [DB_LOGIN_CLIENT] = "client", [DB_LOGIN_ASK] = "ask", [DB_LOGIN_TOKEN] = "token"};
    (void)snprintf(pg->login, sizeof pg->login, "%s %s", WHO[pg->base.config.login], method);
}

/* ---- the grant ---- */

static enum err send_startup(struct pg_relay *pg)
{
    pg->target = PG_TARGET_LOGIN;
    return queue_append(&pg->base.out[DB_TARGET], queue_peek(&pg->startup));
}

static enum err send_request(struct pg_relay *pg, uint32_t code)
{
    uint8_t memory[4];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, code);
    return pg_send(pg, DB_CLIENT, 'R', cursor_of(memory, sizeof memory));
}

enum err pg_granted(struct db_relay *relay, struct cursor token)
{
    struct pg_relay *pg = pg_of(relay);
    if (pg->client != PG_CLIENT_ASKS || pg->target != PG_TARGET_READY) {
        return ERR_STATE;
    }
    if (relay->asked.cancel_key.at != NULL) {
        pg->client = PG_CLIENT_CANCELS;
        return send_startup(pg);
    }
    if (relay->asked.is_replication && !relay->rights.replication) {
        return pg_deny(pg, "replication", "the policy of the bastion allows no replication here");
    }
    pg->client = PG_CLIENT_LOGIN;
    set_login(pg, "trust");
    if (relay->config.login == DB_LOGIN_ASK) {
        pg->is_client_asked = true;
        return send_request(pg, AUTH_PASSWORD);
    }
    if (relay->config.login == DB_LOGIN_TOKEN) {
        TRY(secret_set(&pg->password, token));
    }
    return send_startup(pg);
}

/* ---- the client's answers ---- */

static enum err password_came(struct pg_relay *pg, struct cursor body)
{
    struct cursor password;
    if (cursor_until_nul(&body, DB_PASSWORD_BYTES - 1, &password) != ERR_NONE ||
        cursor_end(&body) != ERR_NONE || cursor_len(&password) == 0) {
        return pg_violation(pg, DB_CLIENT, "the client's password is empty or too long");
    }
    TRY(secret_set(&pg->password, password));
    pg->is_client_asked = false;
    return send_startup(pg);
}

enum err pg_client_login(struct pg_relay *pg, struct cursor *bytes)
{
    while (pg->client == PG_CLIENT_LOGIN && pg->base.end == DB_END_NONE) {
        struct cursor view;
        TRY(pg_see(pg, bytes, PG_HEADER_BYTES, &view));
        uint8_t type = 0;
        uint32_t len = 0;
        TRY(cursor_u8(&view, &type));
        TRY(cursor_u32be(&view, &len));
        if (type == 'X' && len == 4) {
            db_end_with(&pg->base, DB_END_CLOSED, "the client left before it was logged in");
            return ERR_NONE;
        }
        if (type != 'p' && len >= 4) {
            return ERR_NONE; /* a query sent ahead waits until the login is done */
        }
        if (len < 4 || len > PG_AUTH_BYTES || (!pg->is_client_asked && pg->client_answers == 0)) {
            return pg_violation(pg, DB_CLIENT, "the client sent a password that nobody asked for");
        }
        TRY(pg_see(pg, bytes, 1 + (size_t)len, &view));
        if (!pg->is_client_asked) {
            pg->client_answers--;
            TRY(pg_let_pass(pg, bytes, 1 + (size_t)len));
            continue;
        }
        TRY(password_came(pg, cursor_of(view.at + PG_HEADER_BYTES, len - 4)));
        pg_drop(pg, bytes, 1 + (size_t)len);
    }
    return ERR_NONE;
}

/* ---- the client's own login ---- */

/* Without the mechanisms that bind to TLS: the client's TLS, if it has one, does not end at the target. */
static enum err offer_without_binding(struct pg_relay *pg, struct cursor mechanisms)
{
    uint8_t memory[PG_CAPTURE_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, AUTH_SASL);
    bool has_some = false;
    for (;;) {
        struct cursor name;
        if (cursor_until_nul(&mechanisms, sizeof memory, &name) != ERR_NONE) {
            return pg_violation(pg, DB_TARGET, "the target's list of login methods is malformed");
        }
        if (cursor_len(&name) == 0) {
            break;
        }
        if (!cursor_equal_text(name, "SCRAM-SHA-256-PLUS")) {
            has_some = true;
            writer_bytes(&out, cursor_of(name.at, cursor_len(&name) + 1));
        }
    }
    writer_u8(&out, 0);
    if (!has_some) {
        return pg_violation(pg, DB_TARGET, "the target offers only logins that are bound to its own TLS");
    }
    struct cursor body;
    TRY(writer_done(&out, &body));
    return pg_send(pg, DB_CLIENT, 'R', body);
}

static enum err pass_request(struct pg_relay *pg, uint32_t code, struct cursor rest, struct cursor body)
{
    static const char *const METHODS[] = {
        [AUTH_PASSWORD] = "password",
        [AUTH_MD5] = "md5",
        [AUTH_GSS] = "gss",
        [AUTH_GSS_CONTINUE] = "gss",
        [AUTH_SSPI] = "sspi",
        [AUTH_SASL] = "scram-sha-256",
        [AUTH_SASL_CONTINUE] = "scram-sha-256",
    };
    if (code == AUTH_OK || code == AUTH_SASL_FINAL) {
        return pg_send(pg, DB_CLIENT, 'R', body);
    }
    if (code >= sizeof METHODS / sizeof METHODS[0] || METHODS[code] == NULL) {
        return pg_violation(pg, DB_TARGET, "the target asks for a login of an unknown kind");
    }
    set_login(pg, METHODS[code]);
    pg->client_answers++;
    return code == AUTH_SASL ? offer_without_binding(pg, rest) : pg_send(pg, DB_CLIENT, 'R', body);
}

/* ---- the relay's own login ---- */

static enum err send_password(struct pg_relay *pg)
{
    uint8_t memory[DB_PASSWORD_BYTES + 1];
    struct writer out = writer_of(memory, sizeof memory);
    writer_bytes(&out, secret_peek(&pg->password));
    writer_u8(&out, 0);
    struct cursor body;
    enum err err = writer_done(&out, &body);
    err = err == ERR_NONE ? pg_send(pg, DB_TARGET, 'p', body) : err;
    secret_wipe(memory, sizeof memory);
    set_login(pg, "password");
    return err;
}

static enum err hex_md5(struct cursor first, struct cursor second, char text[static 2 * CRYPTO_MD5_BYTES + 1])
{
    uint8_t digest[CRYPTO_MD5_BYTES];
    TRY(crypto_md5(first, second, digest));
    (void)text_hex(cursor_of(digest, sizeof digest), text, 2 * CRYPTO_MD5_BYTES + 1);
    return ERR_NONE;
}

/* "md5", md5(md5(password, user), salt) in hex. */
static enum err send_md5(struct pg_relay *pg, struct cursor salt)
{
    char text[2 * CRYPTO_MD5_BYTES + 1];
    char body[3 + sizeof text] = "md5";
    if (cursor_len(&salt) != 4) {
        return pg_violation(pg, DB_TARGET, "the target's login request is malformed");
    }
    TRY(hex_md5(secret_peek(&pg->password), pg->base.asked.user, text));
    TRY(hex_md5(cursor_of_text(text), salt, body + 3));
    set_login(pg, "md5");
    return pg_send(pg, DB_TARGET, 'p', cursor_of(body, sizeof body));
}

static enum err begin_scram(struct pg_relay *pg, struct cursor mechanisms)
{
    bool has_plain = false;
    bool has_plus = false;
    for (struct cursor name; cursor_until_nul(&mechanisms, PG_CAPTURE_BYTES, &name) == ERR_NONE;) {
        has_plain = has_plain || cursor_equal_text(name, "SCRAM-SHA-256");
        has_plus = has_plus || cursor_equal_text(name, "SCRAM-SHA-256-PLUS");
    }
    struct cursor end_point = pg->target_tls.server_end_point;
    bool binds = has_plus && cursor_len(&end_point) > 0;
    if (pg->scram.has_begun || (!binds && !has_plain)) {
        return pg_violation(pg, DB_TARGET, "the target offers no login that the bastion can do");
    }
    uint8_t first[PG_SCRAM_MESSAGE_BYTES];
    uint8_t memory[PG_SCRAM_MESSAGE_BYTES + 64];
    struct writer first_out = writer_of(first, sizeof first);
    TRY(pg_scram_first(&pg->scram, has_plus, end_point, &first_out));
    struct cursor message;
    TRY(writer_done(&first_out, &message));
    struct writer out = writer_of(memory, sizeof memory);
    const char *mechanism = binds ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
    writer_bytes(&out, cursor_of(mechanism, strlen(mechanism) + 1));
    writer_string(&out, message);
    set_login(pg, binds ? "scram-sha-256-plus" : "scram-sha-256");
    TRY(writer_done(&out, &message));
    return pg_send(pg, DB_TARGET, 'p', message);
}

static enum err continue_scram(struct pg_relay *pg, struct cursor server_first)
{
    uint8_t memory[2 * PG_SCRAM_MESSAGE_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor body;
    if (cursor_len(&server_first) > PG_SCRAM_MESSAGE_BYTES ||
        pg_scram_final(&pg->scram, secret_peek(&pg->password), server_first, &out) != ERR_NONE) {
        return pg_violation(pg, DB_TARGET, "the target's part of the SCRAM login is wrong");
    }
    TRY(writer_done(&out, &body));
    return pg_send(pg, DB_TARGET, 'p', body);
}

static enum err logged_in(struct pg_relay *pg)
{
    if (pg->scram.has_begun && !pg->scram.is_verified) {
        return pg_violation(pg, DB_TARGET, "the target ended the SCRAM login without its proof");
    }
    secret_done(&pg->password);
    pg_scram_done(&pg->scram);
    return send_request(pg, AUTH_OK);
}

static enum err answer_request(struct pg_relay *pg, uint32_t code, struct cursor rest)
{
    switch (code) {
    case AUTH_OK:
        return logged_in(pg);
    case AUTH_PASSWORD:
        return send_password(pg); /* the TLS to the target is verified in every case */
    case AUTH_MD5:
        return send_md5(pg, rest);
    case AUTH_SASL:
        return begin_scram(pg, rest);
    case AUTH_SASL_CONTINUE:
        return continue_scram(pg, rest);
    case AUTH_SASL_FINAL:
        return pg_scram_verify(&pg->scram, rest) == ERR_NONE
                   ? ERR_NONE
                   : pg_violation(pg, DB_TARGET,
                                  "the target does not know the password: its SCRAM proof is wrong");
    default:
        return pg_violation(pg, DB_TARGET, "the target asks for a login that the bastion cannot do");
    }
}

enum err pg_target_login(struct pg_relay *pg, struct cursor body)
{
    struct cursor rest = body;
    uint32_t code = 0;
    if (cursor_u32be(&rest, &code) != ERR_NONE || pg->is_authenticated) {
        return pg_violation(pg, DB_TARGET,
                            "the target's login request is malformed, or comes after the login");
    }
    pg->is_authenticated = code == AUTH_OK;
    return pg->base.config.login == DB_LOGIN_CLIENT ? pass_request(pg, code, rest, body)
                                                    : answer_request(pg, code, rest);
}

enum err pg_record_login(struct pg_relay *pg)
{
    pg->is_login_recorded = true;
    const struct db_asked *asked = &pg->base.asked;
    const struct record_body body = {
        .kind = RECORD_DB_STARTUP,
        .db_startup = {.protocol = cursor_of_text("postgres"),
                       .user = asked->user,
                       .database = asked->database,
                       .application = asked->application,
                       .parameters = asked->parameters,
                       .server_version = cursor_of_text(pg->server_version),
                       .tls = pg->target_tls.description,
                       .certificate_sha256 = pg->target_tls.certificate_sha256,
                       .login = cursor_of_text(pg->login)},
    };
    return db_record(&pg->base, &body);
}
