#include "my_handshake.h"

#include <string.h>

enum {
    PROTOCOL_VERSION = 10,
    NONCE_FIRST_BYTES = 8,       /* before the capabilities; the rest comes after them */
    NONCE_REST_FIELD_BYTES = 13, /* 12 bytes and a NUL */
    GREETING_ZEROS = 10,         /* 6 reserved, 4 for MariaDB's further capabilities */
    LOGIN_ZEROS = 23,            /* the same in a login: 19 and 4 */
};

static enum err read_u32(struct cursor *in, uint32_t *ret_value)
{
    uint64_t value = 0;
    TRY(cursor_uint_le(in, 4, &value));
    *ret_value = (uint32_t)value;
    return ERR_NONE;
}

static enum err read_u16(struct cursor *in, uint16_t *ret_value)
{
    uint64_t value = 0;
    TRY(cursor_uint_le(in, 2, &value));
    *ret_value = (uint16_t)value;
    return ERR_NONE;
}

static enum err skip(struct cursor *in, size_t len_bytes)
{
    struct cursor skipped;
    return cursor_bytes(in, len_bytes, &skipped);
}

static void write_zeros(struct writer *out, size_t count)
{
    static const uint8_t ZEROS[LOGIN_ZEROS] = {0};
    writer_bytes(out, cursor_of(ZEROS, count));
}

/* Greeting */

/* The second half of the nonce: as long as the server says, at least 13 bytes, the last of them a NUL. */
static enum err read_nonce_rest(struct cursor *in, uint8_t nonce_bytes, uint8_t *ret_nonce)
{
    size_t field_bytes = NONCE_REST_FIELD_BYTES;
    if (nonce_bytes > NONCE_FIRST_BYTES + NONCE_REST_FIELD_BYTES) {
        field_bytes = (size_t)nonce_bytes - NONCE_FIRST_BYTES;
    }
    struct cursor rest;
    TRY(cursor_bytes(in, field_bytes, &rest));
    memcpy(ret_nonce + NONCE_FIRST_BYTES, rest.at, MY_NONCE_BYTES - NONCE_FIRST_BYTES);
    return ERR_NONE;
}

enum err my_read_greeting(struct cursor payload, struct my_greeting *ret_greeting)
{
    struct my_greeting greeting = {0};
    struct cursor nonce;
    uint8_t byte = 0;
    uint16_t low = 0;
    uint16_t high = 0;
    TRY(cursor_u8(&payload, &byte));
    if (byte != PROTOCOL_VERSION) {
        return ERR_MALFORMED;
    }
    TRY(cursor_until_nul(&payload, MY_VERSION_BYTES, &greeting.version));
    TRY(read_u32(&payload, &greeting.thread_id));
    TRY(cursor_bytes(&payload, NONCE_FIRST_BYTES, &nonce));
    memcpy(greeting.nonce, nonce.at, NONCE_FIRST_BYTES);
    TRY(skip(&payload, 1));
    TRY(read_u16(&payload, &low));
    TRY(cursor_u8(&payload, &greeting.charset));
    TRY(read_u16(&payload, &greeting.status));
    TRY(read_u16(&payload, &high));
    greeting.capabilities = (uint32_t)high << 16 | low;
    if ((greeting.capabilities & MY_PROTOCOL_41) == 0 ||
        (greeting.capabilities & MY_SECURE_CONNECTION) == 0) {
        return ERR_MALFORMED;
    }
    uint8_t nonce_bytes = 0;
    TRY(cursor_u8(&payload, &nonce_bytes));
    TRY(skip(&payload, GREETING_ZEROS));
    TRY(read_nonce_rest(&payload, nonce_bytes, greeting.nonce));
    if ((greeting.capabilities & MY_PLUGIN_AUTH) != 0) {
        /* MySQL 5.5 before 5.5.10 left out the NUL. */
        if (cursor_until_nul(&payload, MY_NAME_BYTES, &greeting.plugin) != ERR_NONE) {
            greeting.plugin = payload;
        }
    }
    if (cursor_len(&greeting.plugin) > MY_NAME_BYTES) {
        return ERR_TOO_LARGE;
    }
    *ret_greeting = greeting;
    return ERR_NONE;
}

void my_write_greeting(struct writer *out, const struct my_greeting *greeting)
{
    writer_u8(out, PROTOCOL_VERSION);
    my_write_name(out, greeting->version);
    writer_uint_le(out, 4, greeting->thread_id);
    writer_bytes(out, cursor_of(greeting->nonce, NONCE_FIRST_BYTES));
    writer_u8(out, 0);
    writer_uint_le(out, 2, greeting->capabilities);
    writer_u8(out, greeting->charset);
    writer_uint_le(out, 2, greeting->status);
    writer_uint_le(out, 2, greeting->capabilities >> 16);
    writer_u8(out, MY_NONCE_BYTES + 1);
    write_zeros(out, GREETING_ZEROS);
    my_write_name(out, cursor_of(greeting->nonce + NONCE_FIRST_BYTES, MY_NONCE_BYTES - NONCE_FIRST_BYTES));
    if ((greeting->capabilities & MY_PLUGIN_AUTH) != 0) {
        my_write_name(out, greeting->plugin);
    }
}

/* Login */

bool my_next_attribute(struct cursor *attributes, struct cursor *ret_name, struct cursor *ret_value)
{
    return my_read_string(attributes, MY_ATTRIBUTES_BYTES, ret_name) == ERR_NONE &&
           my_read_string(attributes, MY_ATTRIBUTES_BYTES, ret_value) == ERR_NONE;
}

/* Names at the end of a message: some clients leave out the last NUL. */
static enum err read_last_name(struct cursor *in, struct cursor *ret_name)
{
    enum err err = cursor_until_nul(in, MY_NAME_BYTES, ret_name);
    if (err == ERR_TRUNCATED) {
        *ret_name = *in;
        in->at = in->end;
        return ERR_NONE;
    }
    return err;
}

static enum err read_plugin_and_attributes(struct cursor *in, struct my_login *login)
{
    if ((login->capabilities & MY_PLUGIN_AUTH) != 0) {
        TRY(read_last_name(in, &login->plugin));
    }
    if ((login->capabilities & MY_ATTRIBUTES) == 0 || cursor_len(in) == 0) {
        return ERR_NONE;
    }
    TRY(my_read_string(in, MY_ATTRIBUTES_BYTES, &login->attributes));
    struct cursor left = login->attributes;
    struct cursor name;
    struct cursor value;
    while (cursor_len(&left) > 0) {
        if (!my_next_attribute(&left, &name, &value)) {
            return ERR_MALFORMED;
        }
    }
    return ERR_NONE;
}

static enum err read_proof(struct cursor *in, uint32_t capabilities, struct cursor *ret_proof)
{
    if ((capabilities & MY_LONG_AUTH) != 0) {
        return my_read_string(in, MY_PROOF_BYTES, ret_proof);
    }
    uint8_t len_bytes = 0;
    TRY(cursor_u8(in, &len_bytes));
    return cursor_bytes(in, len_bytes, ret_proof);
}

enum err my_read_login(struct cursor payload, struct my_login *ret_login)
{
    struct my_login login = {0};
    uint8_t charset = 0;
    TRY(read_u32(&payload, &login.capabilities));
    if ((login.capabilities & MY_PROTOCOL_41) == 0) {
        return ERR_MALFORMED;
    }
    TRY(read_u32(&payload, &login.packet_bytes));
    TRY(cursor_u8(&payload, &charset));
    login.charset = charset;
    TRY(skip(&payload, LOGIN_ZEROS));
    if ((login.capabilities & MY_SSL) != 0 && cursor_len(&payload) == 0) {
        login.is_ssl_request = true;
        *ret_login = login;
        return ERR_NONE;
    }
    if ((login.capabilities & MY_SECURE_CONNECTION) == 0) {
        return ERR_MALFORMED;
    }
    TRY(cursor_until_nul(&payload, MY_NAME_BYTES, &login.user));
    TRY(read_proof(&payload, login.capabilities, &login.proof));
    if ((login.capabilities & MY_WITH_DATABASE) != 0) {
        TRY(read_last_name(&payload, &login.database));
    }
    TRY(read_plugin_and_attributes(&payload, &login));
    *ret_login = login;
    return ERR_NONE;
}

static void write_head(struct writer *out, const struct my_login *login)
{
    writer_uint_le(out, 4, login->capabilities);
    writer_uint_le(out, 4, login->packet_bytes);
    writer_u8(out, (uint8_t)login->charset);
    write_zeros(out, LOGIN_ZEROS);
}

void my_write_ssl_request(struct writer *out, const struct my_login *login)
{
    write_head(out, login);
}

static void write_proof(struct writer *out, const struct my_login *login)
{
    if ((login->capabilities & MY_LONG_AUTH) != 0) {
        my_write_string(out, login->proof);
        return;
    }
    size_t len_bytes = cursor_len(&login->proof);
    out->is_full = out->is_full || len_bytes > UINT8_MAX;
    writer_u8(out, (uint8_t)len_bytes);
    writer_bytes(out, login->proof);
}

static void write_plugin_and_attributes(struct writer *out, const struct my_login *login)
{
    if ((login->capabilities & MY_PLUGIN_AUTH) != 0) {
        my_write_name(out, login->plugin);
    }
    if ((login->capabilities & MY_ATTRIBUTES) != 0) {
        my_write_string(out, login->attributes);
    }
}

void my_write_login(struct writer *out, const struct my_login *login)
{
    write_head(out, login);
    my_write_name(out, login->user);
    write_proof(out, login);
    if ((login->capabilities & MY_WITH_DATABASE) != 0) {
        my_write_name(out, login->database);
    }
    write_plugin_and_attributes(out, login);
}

enum err my_read_change_user(struct cursor payload, uint32_t capabilities, struct my_login *ret_login)
{
    struct my_login login = {.capabilities = capabilities};
    uint8_t command = 0;
    TRY(cursor_u8(&payload, &command));
    TRY(cursor_until_nul(&payload, MY_NAME_BYTES, &login.user));
    TRY(read_proof(&payload, capabilities & ~(uint32_t)MY_LONG_AUTH, &login.proof));
    TRY(read_last_name(&payload, &login.database));
    if (cursor_len(&payload) > 0) {
        TRY(read_u16(&payload, &login.charset));
        TRY(read_plugin_and_attributes(&payload, &login));
    }
    *ret_login = login;
    return ERR_NONE;
}

void my_write_change_user(struct writer *out, const struct my_login *login)
{
    const struct my_login short_proof = {.capabilities = login->capabilities & ~(uint32_t)MY_LONG_AUTH,
                                         .proof = login->proof};
    writer_u8(out, MY_CHANGE_USER);
    my_write_name(out, login->user);
    write_proof(out, &short_proof);
    my_write_name(out, login->database);
    writer_uint_le(out, 2, login->charset);
    write_plugin_and_attributes(out, login);
}

enum err my_read_switch(struct cursor payload, struct cursor *ret_plugin, struct cursor *ret_data)
{
    TRY(cursor_until_nul(&payload, MY_NAME_BYTES, ret_plugin));
    *ret_data = payload;
    return ERR_NONE;
}
