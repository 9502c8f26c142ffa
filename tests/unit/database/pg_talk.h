/* PostgreSQL's side of database/talk.h: messages, a login. */
#ifndef TESTS_PG_TALK_H
#define TESTS_PG_TALK_H

#include "database/talk.h"

static inline void talk_begin(struct talk *talk, struct db_config config)
{
    config.protocol = DB_POSTGRES;
    talk_open(talk, config);
}

/** One message. @param format  of what follows: s text with its NUL, t text without, i u32, h u16, b u8, n
 * the string with a u32 length before it */
static inline struct cursor talk_make(uint8_t *memory, size_t size, char type, const char *format,
                                      va_list values)
{
    struct writer out = writer_of(memory, size);
    if (type != 0) {
        writer_u8(&out, (uint8_t)type);
    }
    uint8_t *start = out.at;
    writer_u32be(&out, 0);
    for (; *format != 0; format++) {
        if (*format == 'i') {
            writer_u32be(&out, va_arg(values, uint32_t));
        } else if (*format == 'h') {
            writer_u16be(&out, (uint16_t)va_arg(values, int));
        } else if (*format == 'b') {
            writer_u8(&out, (uint8_t)va_arg(values, int));
        } else {
            const char *text = va_arg(values, const char *);
            if (*format == 'n') {
                writer_u32be(&out, (uint32_t)strlen(text));
            }
            writer_bytes(&out, cursor_of(text, strlen(text) + (*format == 's')));
        }
    }
    struct writer length = writer_of(start, 4);
    writer_u32be(&length, (uint32_t)(out.at - start));
    struct cursor message;
    assert_int_equal(writer_done(&out, &message), ERR_NONE);
    return message;
}

static inline void talk_from(struct talk *talk, enum db_side side, char type, const char *format, ...)
{
    static uint8_t memory[TALK_BYTES / 2];
    va_list values;
    va_start(values, format);
    struct cursor message = talk_make(memory, sizeof memory, type, format, values);
    va_end(values);
    talk_bytes(talk, side, message);
}
#define CLIENT(talk, ...) talk_from(talk, DB_CLIENT, __VA_ARGS__)
#define TARGET(talk, ...) talk_from(talk, DB_TARGET, __VA_ARGS__)

/** What a side got since the last call is exactly that message. */
static inline void talk_expect(struct talk *talk, enum db_side side, char type, const char *format, ...)
{
    static uint8_t memory[TALK_BYTES / 2];
    va_list values;
    va_start(values, format);
    struct cursor message = talk_make(memory, sizeof memory, type, format, values);
    va_end(values);
    struct cursor got = queue_peek(&talk->got[side]);
    assert_true(cursor_len(&got) >= cursor_len(&message));
    assert_memory_equal(got.at, message.at, cursor_len(&message));
    queue_consume(&talk->got[side], cursor_len(&message));
}
/** A login of orders_rw at orders, by password of the client. */
static inline void talk_login(struct talk *talk)
{
    talk_bytes(talk, DB_TARGET, cursor_of_text("S"));
    CLIENT(talk, 0, "issssssb", 196608U, "user", "orders_rw", "database", "orders", "application_name",
           "test", 0);
    TARGET(talk, 'R', "i", 3U);
    CLIENT(talk, 'p', "s", "secret");
    TARGET(talk, 'R', "i", 0U);
    TARGET(talk, 'S', "ss", "server_version", "15.8");
    TARGET(talk, 'K', "ii", 4711U, 99U);
    TARGET(talk, 'Z', "b", 'I');
    talk_forget(talk);
}
#define LOGIN_LOG                                                                                            \
    "key of 8 bytes\n"                                                                                       \
    "startup orders_rw/orders  version=15.8 tls=yes login=client password\n"

#endif
