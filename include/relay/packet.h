/* The packets of the SSH connection protocol (RFC 4254) as values: types 80..100, read field by field. A
 * payload here is what follows the type byte. Every reader ends with cursor_end(): trailing bytes are an
 * error. */
#ifndef RELAY_PACKET_H
#define RELAY_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/writer.h"

/** RFC 4254 section 9; 83..89 and everything over 100 are not assigned. */
enum relay_type {
    RELAY_GLOBAL_REQUEST = 80,
    RELAY_REQUEST_SUCCESS = 81,
    RELAY_REQUEST_FAILURE = 82,
    RELAY_OPEN = 90,
    RELAY_OPEN_CONFIRMATION = 91,
    RELAY_OPEN_FAILURE = 92,
    RELAY_WINDOW_ADJUST = 93,
    RELAY_DATA = 94,
    RELAY_EXTENDED_DATA = 95,
    RELAY_EOF = 96,
    RELAY_CLOSE = 97,
    RELAY_REQUEST = 98,
    RELAY_SUCCESS = 99,
    RELAY_FAILURE = 100,
};

/** RFC 4254 section 5.1. */
enum relay_open_reason {
    RELAY_ADMINISTRATIVELY_PROHIBITED = 1,
    RELAY_CONNECT_FAILED = 2,
    RELAY_UNKNOWN_CHANNEL_TYPE = 3,
    RELAY_RESOURCE_SHORTAGE = 4,
};

enum {
    RELAY_EXTENDED_STDERR = 1,     /* RFC 4254 section 5.2 */
    RELAY_OWN_PACKET_BYTES = 1024, /* no packet that we make ourselves has more bytes before its data */
    RELAY_DATA_HEAD_BYTES = 8,     /* CHANNEL_DATA without its data: channel, length */
};

/** 5.1 CHANNEL_OPEN; `rest` is what the channel's type adds. */
struct relay_open {
    struct cursor kind;
    uint32_t sender, window_bytes, max_packet_bytes;
    struct cursor rest;
};
/** 5.1 CHANNEL_OPEN_CONFIRMATION. */
struct relay_confirmation {
    uint32_t recipient, sender, window_bytes, max_packet_bytes;
    struct cursor rest;
};
/** 5.1 CHANNEL_OPEN_FAILURE. */
struct relay_open_failure {
    uint32_t recipient, reason;
    struct cursor sentence;
};
/** 5.2 CHANNEL_DATA and CHANNEL_EXTENDED_DATA; the first has code 0. */
struct relay_data {
    uint32_t recipient, code;
    struct cursor bytes;
};
/** 5.4 CHANNEL_REQUEST, and 4 GLOBAL_REQUEST (without a recipient). */
struct relay_request {
    uint32_t recipient;
    struct cursor name;
    bool wants_reply;
    struct cursor rest;
};
/** 7.2 direct-tcpip: what follows the common part of CHANNEL_OPEN. */
struct relay_direct_tcpip {
    struct cursor host, originator;
    uint32_t port, originator_port;
};

/** Each @return ERR_TRUNCATED or ERR_MALFORMED when the payload is not exactly such a packet. */
MUST_CHECK enum err relay_read_open(struct cursor payload, struct relay_open *ret_open);
MUST_CHECK enum err relay_read_confirmation(struct cursor payload,
                                            struct relay_confirmation *ret_confirmation);
MUST_CHECK enum err relay_read_open_failure(struct cursor payload, struct relay_open_failure *ret_failure);
MUST_CHECK enum err relay_read_window_adjust(struct cursor payload, uint32_t *ret_recipient,
                                             uint32_t *ret_bytes);
/** @param is_extended  CHANNEL_EXTENDED_DATA: a code stands before the data */
MUST_CHECK enum err relay_read_data(struct cursor payload, bool is_extended, struct relay_data *ret_data);
/** EOF, CLOSE, SUCCESS and FAILURE carry the channel alone. */
MUST_CHECK enum err relay_read_channel(struct cursor payload, uint32_t *ret_recipient);
MUST_CHECK enum err relay_read_request(struct cursor payload, struct relay_request *ret_request);
MUST_CHECK enum err relay_read_global_request(struct cursor payload, struct relay_request *ret_request);
MUST_CHECK enum err relay_read_direct_tcpip(struct cursor rest, struct relay_direct_tcpip *ret_direct);

/** The payloads of packets that we make; what does not fit is cut by the writer's own error. */
void relay_write_open_failure(struct writer *out, uint32_t recipient, enum relay_open_reason reason,
                              const char *sentence);
void relay_write_confirmation(struct writer *out, uint32_t recipient, uint32_t sender, uint32_t window_bytes,
                              uint32_t max_packet_bytes);
/** A channel request without reply whose body is one number: "exit-status". */
void relay_write_exit_status(struct writer *out, uint32_t recipient, uint32_t status);
/** "RFC 4254 packet 94" is "data"; "unknown" for types without a name. Never NULL. */
const char *relay_type_name(uint8_t type);

#endif
