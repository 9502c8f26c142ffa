/* Values of parameters. Source: PostgreSQL's binary send functions of the types named here (their OIDs are in
 * pg_type.dat and never change); MySQL's are in value_mysql.c. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "value.h"

enum {
    HEX_SHOWN_BYTES = 256,
    PG_BOOL = 16,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_OID = 26,
    PG_FLOAT4 = 700,
    PG_FLOAT8 = 701,
    PG_TIMESTAMP = 1114,
    PG_TIMESTAMPTZ = 1184,
    PG_UUID = 2950,
    PG_EPOCH_S = 946684800, /* 2000-01-01 */
    US_PER_S = 1000000,
};

static uint64_t read_big(struct cursor bytes)
{
    uint64_t value = 0;
    for (const uint8_t *at = bytes.at; at != bytes.end; at++) {
        value = value << 8 | *at;
    }
    return value;
}

int64_t value_as_signed(uint64_t value, size_t len_bytes)
{
    uint64_t sign = UINT64_C(1) << (8 * len_bytes - 1);
    return (int64_t)((value ^ sign) - sign);
}

void value_say_float(uint64_t bits, size_t len_bytes, char text[static REPLAY_VALUE_BYTES])
{
    double number = 0;
    if (len_bytes == sizeof(float)) {
        uint32_t small_bits = (uint32_t)bits;
        float small = 0;
        memcpy(&small, &small_bits, sizeof small);
        number = (double)small;
    } else {
        memcpy(&number, &bits, sizeof number);
    }
    (void)snprintf(text, REPLAY_VALUE_BYTES, "%.*g", len_bytes == sizeof(float) ? 9 : 17, number);
}

static void say_time(int64_t since_2000_us, char *text)
{
    int64_t us = since_2000_us % US_PER_S;
    time_t seconds = (time_t)(since_2000_us / US_PER_S + PG_EPOCH_S - (us < 0 ? 1 : 0));
    struct tm utc = {0};
    char whole[64];
    if (gmtime_r(&seconds, &utc) == NULL || strftime(whole, sizeof whole, "%Y-%m-%d %H:%M:%S", &utc) == 0) {
        (void)snprintf(text, REPLAY_VALUE_BYTES, "%" PRId64, since_2000_us);
        return;
    }
    (void)snprintf(text, REPLAY_VALUE_BYTES, "%s.%06" PRId64, whole, us < 0 ? us + US_PER_S : us);
}

static void say_uuid(struct cursor bytes, char *text)
{
    char hex[33];
    (void)text_hex(bytes, hex, sizeof hex);
    (void)snprintf(text, REPLAY_VALUE_BYTES, "%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
}

static bool say_postgres(uint32_t type, struct cursor bytes, char *text)
{
    size_t len = cursor_len(&bytes);
    static const struct {
        uint32_t type;
        size_t len;
    } LENGTHS[] = {{PG_BOOL, 1},   {PG_INT8, 8},   {PG_INT2, 2},      {PG_INT4, 4},        {PG_OID, 4},
                   {PG_FLOAT4, 4}, {PG_FLOAT8, 8}, {PG_TIMESTAMP, 8}, {PG_TIMESTAMPTZ, 8}, {PG_UUID, 16}};
    bool is_known = false;
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        is_known = is_known || (LENGTHS[i].type == type && LENGTHS[i].len == len);
    }
    if (!is_known) {
        return false;
    }
    uint64_t value = len <= sizeof value ? read_big(bytes) : 0;
    switch (type) {
    case PG_BOOL:
        (void)snprintf(text, REPLAY_VALUE_BYTES, "%s", value != 0 ? "true" : "false");
        return true;
    case PG_OID:
        (void)snprintf(text, REPLAY_VALUE_BYTES, "%" PRIu64, value);
        return true;
    case PG_FLOAT4:
    case PG_FLOAT8:
        value_say_float(value, len, text);
        return true;
    case PG_TIMESTAMP:
    case PG_TIMESTAMPTZ:
        say_time((int64_t)value, text);
        return true;
    case PG_UUID:
        say_uuid(bytes, text);
        return true;
    default:
        (void)snprintf(text, REPLAY_VALUE_BYTES, "%" PRId64, value_as_signed(value, len));
        return true;
    }
}

static bool is_utf8(struct cursor bytes)
{
    uint32_t point = 0;
    while (cursor_len(&bytes) > 0) {
        size_t len = text_utf8(bytes, &point);
        if (len == 0 || point < ' ') {
            return false;
        }
        bytes.at += len;
    }
    return true;
}

const char *replay_value_text(const char *protocol, const struct replay_value *value,
                              char text[static REPLAY_VALUE_BYTES])
{
    struct cursor bytes = value->value;
    bool is_whole = cursor_len(&bytes) == value->value_bytes;
    if (value->format == RECORD_DB_NULL) {
        (void)snprintf(text, REPLAY_VALUE_BYTES, "NULL");
        return text;
    }
    if (value->format == RECORD_DB_HASH_ONLY) {
        (void)snprintf(text, REPLAY_VALUE_BYTES, "(%" PRIu64 " bytes, not kept)", value->value_bytes);
        return text;
    }
    bool is_binary = value->format == RECORD_DB_AS_BINARY;
    bool is_said = is_binary && is_whole &&
                   (strcmp(protocol, "mysql") == 0 ? value_say_mysql(value->type, bytes, text)
                                                   : say_postgres(value->type, bytes, text));
    if (is_said) {
        return text;
    }
    if (!is_binary || (is_whole && is_utf8(bytes))) {
        text_printable(bytes, text, REPLAY_VALUE_BYTES);
        return text;
    }
    if (cursor_len(&bytes) > HEX_SHOWN_BYTES) {
        bytes.end = bytes.at + HEX_SHOWN_BYTES;
    }
    char hex[2 * HEX_SHOWN_BYTES + 1];
    (void)snprintf(text, REPLAY_VALUE_BYTES, "\\x%s", text_hex(bytes, hex, sizeof hex));
    return text;
}
