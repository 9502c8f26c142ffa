/* The messages before the first command: the server's greeting, the client's login. */
#ifndef DATABASE_MY_HANDSHAKE_H
#define DATABASE_MY_HANDSHAKE_H

#include "my_wire.h"

enum {
    MY_VERSION_BYTES = 256,
    MY_PROOF_BYTES = 8192,       /* a token is below 4 KiB; Kerberos tickets are larger than passwords */
    MY_ATTRIBUTES_BYTES = 65535, /* performance_schema_session_connect_attrs_size at its largest */
};

/** HandshakeV10. Borrowed from the packet. */
struct my_greeting {
    struct cursor version, plugin;
    uint32_t thread_id, capabilities;
    uint8_t charset;
    uint16_t status;
    uint8_t nonce[MY_NONCE_BYTES];
};
/** @return ERR_MALFORMED for another protocol version, or a server older than 4.1. */
MUST_CHECK enum err my_read_greeting(struct cursor payload, struct my_greeting *ret_greeting);
void my_write_greeting(struct writer *out, const struct my_greeting *greeting);

/** HandshakeResponse41 or, when `is_change`, COM_CHANGE_USER. Borrowed. */
struct my_login {
    uint32_t capabilities, packet_bytes;
    uint16_t charset;    /* one byte in a HandshakeResponse41 */
    bool is_ssl_request; /* only capabilities, packet_bytes and charset follow: TLS comes next */
    struct cursor user, proof, database, plugin;
    struct cursor attributes; /* pairs of strings; well-formed */
};
MUST_CHECK enum err my_read_login(struct cursor payload, struct my_login *ret_login);
/** The fields that `login->capabilities` say; the proof's length is written as they say. */
void my_write_login(struct writer *out, const struct my_login *login);
void my_write_ssl_request(struct writer *out, const struct my_login *login);
/** @param capabilities  those in force */
MUST_CHECK enum err my_read_change_user(struct cursor payload, uint32_t capabilities,
                                        struct my_login *ret_login);
void my_write_change_user(struct writer *out, const struct my_login *login);

/** AuthSwitchRequest, after its first byte. */
MUST_CHECK enum err my_read_switch(struct cursor payload, struct cursor *ret_plugin, struct cursor *ret_data);
/** The next pair of a login's attributes. @return false at the end. */
bool my_next_attribute(struct cursor *attributes, struct cursor *ret_name, struct cursor *ret_value);

#endif
