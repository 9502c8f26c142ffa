/* One SSH transport (RFC 4253) as a value: bytes in, bytes out, packets in, packets out. It has no socket, no
 * descriptor, no timer and no file. The only room that knows libssh; how and why is told in docs/engine.md.
 *
 * An engine calls its owner only from inside the functions below, on the owner's stack. In such a call the
 * owner may use every function on this and any other engine, but it must not feed or free the engine that is
 * calling. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/err.h"
#include "base/queue.h"
#include "base/writer.h"

/** Opaque, on the heap. */
struct engine;

enum engine_role { ENGINE_SERVER, ENGINE_CLIENT };

enum {
    ENGINE_HASH_BYTES = 64,        /* the longest exchange hash: SHA-512 */
    ENGINE_SIGNATURE_BYTES = 128,  /* room for an SSH signature blob of ssh-ed25519 (83 bytes) */
    ENGINE_ALGORITHMS_BYTES = 160, /* enough for engine_algorithms() */
};

/** Borrowed for the time of engine_new() only. */
struct engine_config {
    enum engine_role role;
    struct cursor
        host_public_blob; /* server: ssh-ed25519 blob; the private half lives elsewhere, see sign() */
    struct cursor host_certificate; /* server: for that key, shown to clients that prefer it to the plain key;
                                       empty: none */
    const char *ciphers;            /* comma-separated, best first; NULL is the default list */
    bool prefers_fast_cipher;       /* server: once much data passes, new keys with AES-GCM for a client that
                                       prefers   chacha20-poly1305 and can do both */
    const char *client_user;        /* client: the account to log in as */
    const char *host_keys; /* client: kinds of plain host keys and signatures to ask for, comma-separated,
                              best first; NULL is the default list */
    bool wants_host_certificate; /* client: ask for certificates of these kinds first */
    uint64_t rekey_bytes;        /* new keys after so many bytes in one direction; 0 is libssh's limit */
    uint32_t rekey_seconds;      /* new keys after so much time, looked at when a packet passes; 0 is never */
    size_t output_limit_bytes;   /* most bytes that may wait in engine_output(); 0 is 1 MiB */
    const char *banner_comment;  /* server: text after "SSH-2.0-bastion "; NULL is none */
};

/** What the owner is told. Each may be NULL, except sign() of a server and host_key() of a client. */
struct engine_events {
    /** Server: sign an exchange hash, and write the SSH signature blob (RFC 8709 section 6). The first hash
     * is the session id (RFC 4253 section 7.2). Synchronous. Anything but ERR_NONE ends the connection. */
    enum err (*sign)(void *owner, struct cursor hash, struct writer *ret_signature_blob);
    /** Client: the target's public key or certificate, at every key exchange, before its signature is
     * checked. What the target shows need not be of a kind that was asked for, and of a certificate nothing
     * was checked. Anything but ERR_NONE ends the connection with that error. */
    enum err (*host_key)(void *owner, struct cursor key_blob);
    /** A raw packet. Server: types 50..79 until engine_accept_user(), then 80..100. Client: 80..100 after the
     * login.
     *  @param payload  without the type byte; borrowed until the call returns; type 50 may hold a password */
    void (*packet)(void *owner, uint8_t type, struct cursor payload);
    /** Server: keys are exchanged and the service ssh-userauth is accepted, packets 50 follow.
     *  Client: keys are exchanged and the host key is proven. Once. */
    void (*ready)(void *owner);
    /** Client: how engine_login() ended. ERR_NONE; ERR_DENIED when the target refused; ERR_LIBRARY. Once. */
    void (*login_done)(void *owner, enum err result);
};

/** Initialises libssh and the random generator, for a program that has passed engine_library_init() on this
 * machine. @return ERR_LIBRARY. */
MUST_CHECK enum err engine_library_start(void);

/**
 * Once per process, before the sandbox closes: engine_library_start(), and proves with
 * two engines in memory that handshake, host key check, remote signature, login, data and new keys work.
 * @return ERR_MISMATCH when the self-test fails: do not start.
 */
MUST_CHECK enum err engine_library_init(void);

/** @return ERR_MALFORMED for an unusable host key, certificate or list of names; ERR_MEMORY; ERR_LIBRARY. */
MUST_CHECK enum err engine_new(const struct engine_config *config, const struct engine_events *events,
                               void *owner, struct engine **ret_engine);
/** Accepts NULL. */
void engine_free(struct engine *engine);

/** The banner goes to the output. @return ERR_STATE when called twice. */
MUST_CHECK enum err engine_start(struct engine *engine);

/**
 * What came from the peer. Bytes that do not make a whole packet are kept.
 * @param bytes  the memory may be read as it is, without a copy; it is not changed
 * @return the reason for which the connection ended, now or in an earlier call. Send what engine_output()
 * holds, then close. ERR_CLOSED: the peer said SSH_MSG_DISCONNECT. ERR_MALFORMED: the peer broke the protocol
 * or no algorithm is common. ERR_TOO_LARGE: a payload over LIMIT_LOGIN_PAYLOAD_BYTES
 * before the login or LIMIT_PACKET_PAYLOAD_BYTES after it, or output past its bound. What host_key()
 *         or sign() returned. ERR_STATE: not started, or called from inside a call of the same engine.
 */
MUST_CHECK enum err engine_feed(struct engine *engine, struct cursor bytes);

/**
 * Encrypt one packet into the output. While new keys are being exchanged it waits inside the engine.
 * Server: types 51, 53 and 60 before engine_accept_user(), 80..100 after it. Client: 80..100 after the login.
 * @param payload  without the type byte, at most LIMIT_PACKET_PAYLOAD_BYTES
 * @return ERR_TOO_LARGE when the output bound would be passed (nothing was sent, the engine still works) or
 * the payload is too long; ERR_STATE for another type; else why the connection ended.
 */
MUST_CHECK enum err engine_send(struct engine *engine, uint8_t type, struct cursor payload);
/** The same with a payload in two pieces, which saves the caller a copy. */
MUST_CHECK enum err engine_send_parts(struct engine *engine, uint8_t type, struct cursor head,
                                      struct cursor body);

/** Bytes for the peer; the caller consumes them. Valid as long as the engine. */
struct queue *engine_output(struct engine *engine);
/** New keys are being exchanged on an authenticated connection: packets wait inside the engine until the peer
 *  answers, so stop sending. */
bool engine_is_rekeying(const struct engine *engine);

/** Server: USERAUTH_SUCCESS; from now on 80..100 pass. @return ERR_STATE before ready() or when called twice.
 */
MUST_CHECK enum err engine_accept_user(struct engine *engine);
/**
 * Server: USERAUTH_INFO_REQUEST (RFC 4256 section 3.2). The answer arrives as packet 61; after the first call
 * any number of 61 may arrive, so the owner accepts one only while it waits for one.
 * @return ERR_STATE before ready() or after engine_accept_user(); ERR_TOO_LARGE for more than 8 prompts.
 */
MUST_CHECK enum err engine_prompt_user(struct engine *engine, const char *instruction, size_t prompt_count,
                                       const char *const prompts[], const bool echo[]);

/**
 * Client: make an ed25519 key for this login. The private half never leaves the engine and dies with the
 * login.
 * @param ret_public_blob  lies in `memory`
 * @return ERR_TOO_LARGE when `size_bytes` is below 51; ERR_STATE when called twice.
 */
MUST_CHECK enum err engine_login_key(struct engine *engine, uint8_t *memory, size_t size_bytes,
                                     struct cursor *ret_public_blob);
/** Client: the account to log in as, where it is known only after the key exchange began. @return ERR_STATE
 * once the login has begun; ERR_LIBRARY. */
MUST_CHECK enum err engine_set_user(struct engine *engine, const char *user);
/**
 * Client: log in with the key of engine_login_key() and a certificate for it; login_done() tells the end. May
 * be called before ready(), then it waits for it.
 * @return ERR_STATE without a key or an account, or when called twice; ERR_MALFORMED for a certificate that
 * libssh cannot read.
 */
MUST_CHECK enum err engine_login(struct engine *engine, struct cursor certificate_blob);

/** SSH_MSG_DISCONNECT (RFC 4253 section 11.1) into the output; the engine ends with ERR_CLOSED. Works after a
 * failure too, as far as the output bound allows. @param text  for the peer's user, at most 255 bytes are
 * sent */
MUST_CHECK enum err engine_disconnect(struct engine *engine, uint32_t reason, const char *text);

/** "curve25519-sha256 aes128-gcm@openssh.com", or "" before the first keys. Returns `text`. */
const char *engine_algorithms(const struct engine *engine, char *text, size_t size_bytes);

#endif
