/* Builds payloads of RFC 4254 packets for tests. The bytes live in a ring of buffers: valid for the next 63
 * calls. */
#ifndef TESTS_RELAY_PACKETS_H
#define TESTS_RELAY_PACKETS_H

#include "base/writer.h"
#include "relay/packet.h"

enum { PACKETS_BUFFERS = 64, PACKETS_BYTES = 66048 };

__attribute__((unused)) static struct writer packet_begin(void)
{
    static uint8_t buffers[PACKETS_BUFFERS][PACKETS_BYTES];
    static unsigned next;
    next = (next + 1) % PACKETS_BUFFERS;
    return writer_of(buffers[next], PACKETS_BYTES);
}

__attribute__((unused)) static struct cursor packet_end(const struct writer *out)
{
    struct cursor payload = {0};
    assert_int_equal(writer_done(out, &payload), ERR_NONE);
    return payload;
}

__attribute__((unused)) static struct cursor pk_open(const char *kind, uint32_t sender, uint32_t window,
                                                     uint32_t max)
{
    struct writer out = packet_begin();
    writer_text(&out, kind);
    writer_u32be(&out, sender);
    writer_u32be(&out, window);
    writer_u32be(&out, max);
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_direct(uint32_t sender, uint32_t window, uint32_t max,
                                                       const char *host, uint32_t port)
{
    struct writer out = packet_begin();
    writer_bytes(&out, pk_open("direct-tcpip", sender, window, max));
    writer_text(&out, host);
    writer_u32be(&out, port);
    writer_text(&out, "127.0.0.1");
    writer_u32be(&out, 65535);
    return packet_end(&out);
}

/* direct-streamlocal@openssh.com has a reserved number at its end, forwarded-streamlocal@openssh.com not */
__attribute__((unused)) static struct cursor pk_socket(const char *kind, uint32_t sender, uint32_t window,
                                                       uint32_t max, const char *path, bool has_number)
{
    struct writer out = packet_begin();
    writer_bytes(&out, pk_open(kind, sender, window, max));
    writer_text(&out, path);
    writer_text(&out, "");
    if (has_number) {
        writer_u32be(&out, 0);
    }
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_forwarded(uint32_t sender, uint32_t window, uint32_t max,
                                                          const char *host, uint32_t port)
{
    struct writer out = packet_begin();
    writer_bytes(&out, pk_open("forwarded-tcpip", sender, window, max));
    writer_text(&out, host);
    writer_u32be(&out, port);
    writer_text(&out, "::1");
    writer_u32be(&out, 5000);
    return packet_end(&out);
}

/* tcpip-forward, cancel-tcpip-forward */
__attribute__((unused)) static struct cursor pk_listen(const char *name, bool wants_reply, const char *host,
                                                       uint32_t port)
{
    struct writer out = packet_begin();
    writer_text(&out, name);
    writer_bool(&out, wants_reply);
    writer_text(&out, host);
    writer_u32be(&out, port);
    return packet_end(&out);
}

/* streamlocal-forward@openssh.com and its cancel */
__attribute__((unused)) static struct cursor pk_listen_socket(const char *name, bool wants_reply,
                                                              const char *path)
{
    struct writer out = packet_begin();
    writer_text(&out, name);
    writer_bool(&out, wants_reply);
    writer_text(&out, path);
    return packet_end(&out);
}

/* CONFIRMATION */
__attribute__((unused)) static struct cursor pk_confirm(uint32_t recipient, uint32_t sender, uint32_t window,
                                                        uint32_t max)
{
    struct writer out = packet_begin();
    writer_u32be(&out, recipient);
    writer_u32be(&out, sender);
    writer_u32be(&out, window);
    writer_u32be(&out, max);
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_open_failure(uint32_t recipient, const char *sentence)
{
    struct writer out = packet_begin();
    writer_u32be(&out, recipient);
    writer_u32be(&out, RELAY_CONNECT_FAILED);
    writer_text(&out, sentence);
    writer_text(&out, "en");
    return packet_end(&out);
}

/* EOF, CLOSE, SUCCESS, FAILURE */
__attribute__((unused)) static struct cursor pk_number(uint32_t recipient)
{
    struct writer out = packet_begin();
    writer_u32be(&out, recipient);
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_adjust(uint32_t recipient, uint32_t bytes)
{
    struct writer out = packet_begin();
    writer_u32be(&out, recipient);
    writer_u32be(&out, bytes);
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_data(uint32_t recipient, const char *text)
{
    struct writer out = packet_begin();
    writer_u32be(&out, recipient);
    writer_text(&out, text);
    return packet_end(&out);
}

/* `len` bytes of "x" */
__attribute__((unused)) static struct cursor pk_bulk(uint32_t recipient, uint32_t len)
{
    struct writer out = packet_begin();
    writer_u32be(&out, recipient);
    writer_u32be(&out, len);
    for (uint32_t i = 0; i < len; i++) {
        writer_u8(&out, 'x');
    }
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_extended(uint32_t recipient, uint32_t code, const char *text)
{
    struct writer out = packet_begin();
    writer_u32be(&out, recipient);
    writer_u32be(&out, code);
    writer_text(&out, text);
    return packet_end(&out);
}

__attribute__((unused)) static struct writer request_begin(uint32_t recipient, const char *name,
                                                           bool wants_reply)
{
    struct writer out = packet_begin();
    writer_u32be(&out, recipient);
    writer_text(&out, name);
    writer_bool(&out, wants_reply);
    return out;
}

/* A request without fields of its own: "shell", "eow@openssh.com", ... */
__attribute__((unused)) static struct cursor pk_request(uint32_t recipient, const char *name,
                                                        bool wants_reply)
{
    struct writer out = request_begin(recipient, name, wants_reply);
    return packet_end(&out);
}

/* A request with one string: "exec", "subsystem", "signal" */
__attribute__((unused)) static struct cursor pk_request_text(uint32_t recipient, const char *name,
                                                             bool wants_reply, const char *text)
{
    struct writer out = request_begin(recipient, name, wants_reply);
    writer_text(&out, text);
    return packet_end(&out);
}

/* A request with one number: "exit-status", "break" */
__attribute__((unused)) static struct cursor pk_request_number(uint32_t recipient, const char *name,
                                                               bool wants_reply, uint32_t number)
{
    struct writer out = request_begin(recipient, name, wants_reply);
    writer_u32be(&out, number);
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_pty(uint32_t recipient, bool wants_reply, const char *term)
{
    struct writer out = request_begin(recipient, "pty-req", wants_reply);
    writer_text(&out, term);
    writer_u32be(&out, 80);
    writer_u32be(&out, 24);
    writer_u32be(&out, 640);
    writer_u32be(&out, 480);
    writer_string(&out, cursor_of("\x35\0\0\0\1\0", 6));
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_window_change(uint32_t recipient, uint32_t columns,
                                                              uint32_t rows)
{
    struct writer out = request_begin(recipient, "window-change", false);
    writer_u32be(&out, columns);
    writer_u32be(&out, rows);
    writer_u32be(&out, 0);
    writer_u32be(&out, 0);
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_env(uint32_t recipient, bool wants_reply, const char *name,
                                                    const char *value)
{
    struct writer out = request_begin(recipient, "env", wants_reply);
    writer_text(&out, name);
    writer_text(&out, value);
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_x11_req(uint32_t recipient, bool wants_reply)
{
    struct writer out = request_begin(recipient, "x11-req", wants_reply);
    writer_bool(&out, false);
    writer_text(&out, "MIT-MAGIC-COOKIE-1");
    writer_text(&out, "00112233");
    writer_u32be(&out, 0);
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_exit_signal(uint32_t recipient, const char *name)
{
    struct writer out = request_begin(recipient, "exit-signal", false);
    writer_text(&out, name);
    writer_bool(&out, true);
    writer_text(&out, "killed");
    writer_text(&out, "");
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_global(const char *name, bool wants_reply)
{
    struct writer out = packet_begin();
    writer_text(&out, name);
    writer_bool(&out, wants_reply);
    return packet_end(&out);
}

__attribute__((unused)) static struct cursor pk_none(void)
{
    struct writer out = packet_begin();
    return packet_end(&out);
}

/* A payload that outlives the ring. */
struct kept {
    uint8_t bytes[256];
    size_t len;
};
__attribute__((unused)) static struct kept pk_keep(struct cursor payload)
{
    struct kept kept = {.len = cursor_len(&payload)};
    struct writer out = writer_of(kept.bytes, sizeof kept.bytes);
    writer_bytes(&out, payload);
    assert_false(out.is_full);
    return kept;
}

#endif
