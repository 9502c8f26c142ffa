#include "my_wire.h"

const struct my_error MY_BAD_HANDSHAKE = {1043, "08S01"};   /* ER_HANDSHAKE_ERROR */
const struct my_error MY_ACCESS_DENIED = {1045, "28000"};   /* ER_ACCESS_DENIED_ERROR */
const struct my_error MY_DATABASE_DENIED = {1044, "42000"}; /* ER_DBACCESS_DENIED_ERROR */
const struct my_error MY_DENIED = {1227, "42000"};          /* ER_SPECIFIC_ACCESS_DENIED_ERROR */
const struct my_error MY_LOST = {1158, "08S01"};            /* ER_NET_READ_ERROR */
const struct my_error MY_ENDED = {1053, "08S01"};           /* ER_SERVER_SHUTDOWN */
const struct my_error MY_UNKNOWN_COMMAND = {1047, "08S01"}; /* ER_UNKNOWN_COM_ERROR */
const struct my_error MY_OUT_OF_ORDER = {1156, "08S01"};    /* ER_NET_PACKETS_OUT_OF_ORDER */

enum { LENGTH_2 = 0xfc, LENGTH_3 = 0xfd, LENGTH_8 = 0xfe };

enum err my_read_length(struct cursor *in, uint64_t *ret_value)
{
    struct cursor at = *in;
    uint8_t first = 0;
    TRY(cursor_u8(&at, &first));
    uint64_t value = first;
    switch (first) {
    case LENGTH_2:
        TRY(cursor_uint_le(&at, 2, &value));
        break;
    case LENGTH_3:
        TRY(cursor_uint_le(&at, 3, &value));
        break;
    case LENGTH_8:
        TRY(cursor_uint_le(&at, 8, &value));
        break;
    case MY_LOCAL_INFILE: /* NULL in a row: no length */
    case MY_ERROR:
        return ERR_MALFORMED;
    default:
        break;
    }
    *in = at;
    *ret_value = value;
    return ERR_NONE;
}

enum err my_read_string(struct cursor *in, size_t max_bytes, struct cursor *ret_bytes)
{
    struct cursor at = *in;
    uint64_t len_bytes = 0;
    TRY(my_read_length(&at, &len_bytes));
    if (len_bytes > max_bytes) {
        return ERR_TOO_LARGE;
    }
    TRY(cursor_bytes(&at, (size_t)len_bytes, ret_bytes));
    *in = at;
    return ERR_NONE;
}

void my_write_length(struct writer *out, uint64_t value)
{
    if (value < MY_LOCAL_INFILE) {
        writer_u8(out, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        writer_u8(out, LENGTH_2);
        writer_uint_le(out, 2, value);
    } else if (value <= MY_PAYLOAD_BYTES) {
        writer_u8(out, LENGTH_3);
        writer_uint_le(out, 3, value);
    } else {
        writer_u8(out, LENGTH_8);
        writer_uint_le(out, 8, value);
    }
}

void my_write_string(struct writer *out, struct cursor bytes)
{
    my_write_length(out, cursor_len(&bytes));
    writer_bytes(out, bytes);
}

void my_write_name(struct writer *out, struct cursor name)
{
    writer_bytes(out, name);
    writer_u8(out, 0);
}

static enum err read_eof(struct cursor in, struct my_ok *ret_ok)
{
    uint64_t warnings = 0;
    uint64_t status = 0;
    TRY(cursor_uint_le(&in, 2, &warnings));
    TRY(cursor_uint_le(&in, 2, &status));
    TRY(cursor_end(&in));
    *ret_ok = (struct my_ok){.status = (uint16_t)status, .warnings = (uint16_t)warnings};
    return ERR_NONE;
}

enum err my_read_ok(struct cursor payload, uint32_t capabilities, struct my_ok *ret_ok)
{
    enum { EOF_BYTES = 5 };
    size_t len_bytes = cursor_len(&payload);
    uint8_t first = 0;
    TRY(cursor_u8(&payload, &first));
    if (first == MY_EOF && ((capabilities & MY_NO_EOF) == 0 || len_bytes == EOF_BYTES)) {
        return read_eof(payload, ret_ok);
    }
    if (first != MY_OK && first != MY_EOF) {
        return ERR_MALFORMED;
    }
    struct my_ok ok = {0};
    uint64_t last_id = 0;
    uint64_t status = 0;
    uint64_t warnings = 0;
    TRY(my_read_length(&payload, &ok.affected_rows));
    TRY(my_read_length(&payload, &last_id));
    TRY(cursor_uint_le(&payload, 2, &status));
    TRY(cursor_uint_le(&payload, 2, &warnings));
    ok.status = (uint16_t)status;
    ok.warnings = (uint16_t)warnings;
    /* A length comes first, although the documents say so only for sessions that are tracked. */
    uint64_t info_bytes = 0;
    if (cursor_len(&payload) > 0) {
        TRY(my_read_length(&payload, &info_bytes));
    }
    size_t here_bytes = cursor_len(&payload); /* less when the payload is longer than what is looked at */
    TRY(cursor_bytes(&payload, info_bytes < here_bytes ? (size_t)info_bytes : here_bytes, &ok.info));
    *ret_ok = ok;
    return ERR_NONE;
}

enum err my_read_error(struct cursor payload, uint16_t *ret_number, struct cursor *ret_state,
                       struct cursor *ret_message)
{
    enum { STATE_BYTES = 5 };
    uint8_t first = 0;
    uint64_t number = 0;
    TRY(cursor_u8(&payload, &first));
    TRY(cursor_uint_le(&payload, 2, &number));
    /* 0xffff is MariaDB's progress report, which nobody asked for: what follows it is no end of a message. */
    if (first != MY_ERROR || number == UINT16_MAX) {
        return ERR_MALFORMED;
    }
    struct cursor state = cursor_of(NULL, 0);
    if (cursor_len(&payload) > STATE_BYTES && *payload.at == '#') {
        payload.at++;
        TRY(cursor_bytes(&payload, STATE_BYTES, &state));
    }
    *ret_number = (uint16_t)number;
    *ret_state = state;
    *ret_message = payload;
    return ERR_NONE;
}

void my_write_error(struct writer *out, const struct my_error *error, bool has_state, const char *sentence)
{
    writer_u8(out, MY_ERROR);
    writer_uint_le(out, 2, error->number);
    if (has_state) {
        writer_u8(out, '#');
        writer_bytes(out, cursor_of_text(error->state));
    }
    writer_bytes(out, cursor_of_text(sentence));
}
