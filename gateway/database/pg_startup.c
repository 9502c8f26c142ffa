/* What a client says before it is in: requests for encryption, then a startup or a cancel. */
#include <string.h>

#include "pg_state.h"

enum {
    CODE_CANCEL = 80877102,
    CODE_SSL = 80877103,
    CODE_GSS = 80877104,
    MAJOR_VERSION = 3,
    TLS_HANDSHAKE = 0x16, /* RFC 8446 section 5.1: where TLS begins without being asked for */
    REQUEST_BYTES = 8,
    CANCEL_LEAST_BYTES = 16, /* length, code, process id, a key of four bytes or more */
};

/* ---- encryption ---- */

/* One byte, no message. */
static enum err answer(struct pg_relay *pg, char letter)
{
    return queue_append(&pg->base.out[DB_CLIENT], cursor_of(&letter, 1));
}

static enum err ssl_requested(struct pg_relay *pg)
{
    if (pg->was_ssl_asked || pg->has_client_tls) {
        return pg_violation(pg, DB_CLIENT, "the client asked for TLS twice");
    }
    pg->was_ssl_asked = true;
    if (pg->base.config.client_tls == DB_CLIENT_TLS_REFUSE) {
        return answer(pg, 'N');
    }
    pg->client = PG_CLIENT_WANTS_TLS;
    return answer(pg, 'S');
}

static enum err gss_requested(struct pg_relay *pg)
{
    if (pg->was_gss_asked) {
        return pg_violation(pg, DB_CLIENT, "the client asked for GSSAPI encryption twice");
    }
    pg->was_gss_asked = true;
    return answer(pg, 'N');
}

/* sslnegotiation=direct. The handshake stays where it is: its owner has to read it. */
static enum err direct_tls(struct pg_relay *pg)
{
    if (pg->base.config.client_tls == DB_CLIENT_TLS_REFUSE) {
        return pg_violation(pg, DB_CLIENT,
                            "the client began TLS, which this target does not offer (sslnegotiation=direct)");
    }
    if (pg->was_ssl_asked || pg->has_client_tls) {
        return pg_violation(pg, DB_CLIENT, "the client asked for TLS twice");
    }
    pg->client = PG_CLIENT_WANTS_TLS;
    return ERR_NONE;
}

/* ---- startup ---- */

/* The server takes the last of two; nobody sends two but to be understood in two ways. */
static enum err set_once(struct cursor *field, struct cursor value)
{
    if (field->at != NULL || cursor_len(&value) >= PG_NAME_BYTES) {
        return ERR_MALFORMED;
    }
    *field = value;
    return ERR_NONE;
}

/* As the server reads a bool, but what it would not understand counts as a yes. */
static bool asks_for_replication(struct cursor value)
{
    static const char *const NO[] = {"false", "off", "no", "0"};
    for (size_t i = 0; i < sizeof NO / sizeof NO[0]; i++) {
        if (cursor_equal_text(value, NO[i])) {
            return false;
        }
    }
    return true;
}

static enum err add_parameter(struct pg_relay *pg, struct cursor name, struct cursor value)
{
    uint8_t *room = NULL;
    size_t len = cursor_len(&name) + cursor_len(&value) + 2;
    TRY(queue_reserve(&pg->parameters, len, &room));
    struct writer out = writer_of(room, len);
    writer_bytes(&out, name);
    writer_u8(&out, '=');
    for (; value.at != value.end; value.at++) {
        writer_u8(&out, *value.at == '\n' ? ' ' : *value.at); /* one line each */
    }
    writer_u8(&out, '\n');
    queue_added(&pg->parameters, len);
    return ERR_NONE;
}

static enum err read_parameter(struct pg_relay *pg, struct cursor name, struct cursor value)
{
    struct db_asked *asked = &pg->base.asked;
    if (cursor_equal_text(name, "user")) {
        return set_once(&asked->user, value);
    }
    if (cursor_equal_text(name, "database")) {
        return set_once(&asked->database, value);
    }
    if (cursor_equal_text(name, "application_name")) {
        asked->application = value;
        return ERR_NONE;
    }
    if (cursor_equal_text(name, "replication")) {
        asked->is_replication = asked->is_replication || asks_for_replication(value);
    }
    return add_parameter(pg, name, value);
}

/* Pairs of texts, then a NUL. */
static enum err read_parameters(struct pg_relay *pg, struct cursor in)
{
    struct db_asked *asked = &pg->base.asked;
    for (;;) {
        struct cursor name;
        struct cursor value;
        TRY(cursor_until_nul(&in, PG_STARTUP_BYTES, &name));
        if (cursor_len(&name) == 0) {
            break;
        }
        TRY(cursor_until_nul(&in, PG_STARTUP_BYTES, &value));
        TRY(read_parameter(pg, name, value));
    }
    TRY(cursor_end(&in));
    if (cursor_len(&asked->user) == 0) {
        return ERR_MALFORMED;
    }
    if (cursor_len(&asked->database) == 0) {
        asked->database = asked->user; /* as the server does */
    }
    asked->parameters = queue_peek(&pg->parameters);
    return ERR_NONE;
}

static enum err startup(struct pg_relay *pg, struct cursor packet)
{
    /* The copy lives as long as the relay: `asked` points into it. */
    TRY(queue_append(&pg->startup, packet));
    struct cursor in = queue_peek(&pg->startup);
    struct cursor head;
    TRY(cursor_bytes(&in, REQUEST_BYTES, &head));
    pg->client = PG_CLIENT_ASKS; /* from here on it takes an error */
    enum err err = read_parameters(pg, in);
    return err == ERR_NONE || err == ERR_MEMORY
               ? err
               : pg_violation(pg, DB_CLIENT, "the client's startup message has wrong fields");
}

static enum err cancel(struct pg_relay *pg, struct cursor packet)
{
    if (cursor_len(&packet) < CANCEL_LEAST_BYTES ||
        cursor_len(&packet) > REQUEST_BYTES + DB_CANCEL_KEY_BYTES) {
        return pg_violation(pg, DB_CLIENT, "the client's cancel request has a wrong length");
    }
    TRY(queue_append(&pg->startup, packet));
    struct cursor in = queue_peek(&pg->startup);
    struct cursor head;
    TRY(cursor_bytes(&in, REQUEST_BYTES, &head));
    pg->base.asked.cancel_key = in;
    pg->client = PG_CLIENT_ASKS;
    return ERR_NONE;
}

static enum err opening_packet(struct pg_relay *pg, struct cursor packet, uint32_t code)
{
    if (code == CODE_CANCEL) {
        return cancel(pg, packet);
    }
    if (code == CODE_SSL && cursor_len(&packet) == REQUEST_BYTES) {
        return ssl_requested(pg);
    }
    if (code == CODE_GSS && cursor_len(&packet) == REQUEST_BYTES) {
        return gss_requested(pg);
    }
    if (code >> 16 == MAJOR_VERSION) {
        return startup(pg, packet);
    }
    return pg_violation(pg, DB_CLIENT, "the client speaks another version of the protocol than 3");
}

enum err pg_opening(struct pg_relay *pg, struct cursor *bytes)
{
    while (pg->client == PG_CLIENT_OPENING && pg->base.end == DB_END_NONE) {
        struct cursor view;
        TRY(pg_see(pg, bytes, 1, &view));
        if (view.at[0] == TLS_HANDSHAKE) {
            return direct_tls(pg);
        }
        TRY(pg_see(pg, bytes, REQUEST_BYTES, &view));
        struct cursor head = view;
        uint32_t len = 0;
        uint32_t code = 0;
        TRY(cursor_u32be(&head, &len));
        TRY(cursor_u32be(&head, &code));
        if (len < REQUEST_BYTES || len > PG_STARTUP_BYTES) {
            return pg_violation(pg, DB_CLIENT, "the client does not speak PostgreSQL's protocol");
        }
        TRY(pg_see(pg, bytes, len, &view));
        TRY(opening_packet(pg, view, code));
        if (pg->base.end == DB_END_NONE) {
            pg_drop(pg, bytes, len);
        }
    }
    return ERR_NONE;
}
