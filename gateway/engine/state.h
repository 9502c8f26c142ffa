/* The inside of an engine, for the files of this room only. */
#ifndef GATEWAY_ENGINE_STATE_H
#define GATEWAY_ENGINE_STATE_H

#include "engine/engine.h"
#include "libssh_calls.h"

enum {
    PACKET_DISCONNECT = 1,
    PACKET_IGNORE = 2,
    PACKET_SERVICE_REQUEST = 5,
    PACKET_KEXINIT = 20,
    PACKET_NEWKEYS = 21,
    PACKET_USERAUTH_REQUEST = 50,
    PACKET_USERAUTH_FAILURE = 51,
    PACKET_USERAUTH_BANNER = 53,
    PACKET_USERAUTH_PK_OK = 60,
    PACKET_FIRST_CONNECTION = 80,
    PACKET_LAST_CONNECTION = 100,
};

enum {
    ENGINE_ED25519_BYTES = 32,
    ENGINE_HOST_KEYS_BYTES = 256, /* all kinds of host keys, and a NUL */
    /* Blocks of ours in libssh's list of packet callbacks, see hooks.c. */
    ENGINE_HOOK_COUNT = 5,
};

enum login_state {
    LOGIN_NONE,    /* no certificate yet */
    LOGIN_WANTED,  /* waits for the key exchange */
    LOGIN_RUNNING, /* ssh_userauth_publickey() was called */
    LOGIN_OVER,    /* login_done() was called */
};

struct engine {
    enum engine_role role;
    struct engine_events events;
    void *owner;
    enum err failure; /* why the connection ended; ERR_NONE while it lives */
    bool is_started, is_feeding;

    ssh_session session;                   /* OWNED */
    ssh_socket socket;                     /* borrowed from session: it only serves to tell sessions apart */
    ssh_socket_callbacks socket_callbacks; /* borrowed from session: our way in */
    struct ssh_packet_callbacks_struct hooks[ENGINE_HOOK_COUNT];
    bool has_hooks; /* the banner was read: input are packets now */

    struct queue input;  /* what libssh has not consumed yet */
    struct queue output; /* its own bound leaves room for libssh's key exchange packets */
    size_t output_limit_bytes;
    size_t held_bytes; /* sent by us during a key exchange: they wait in libssh */
    size_t banner_bytes;

    bool has_keys; /* the first key exchange is done */
    bool is_rekeying;
    bool has_peer_kexinit;            /* of a change of keys; until its NEWKEYS */
    const uint8_t *byte_at, *type_at; /* see engine_byte_read(); only compared, never read */
    bool is_ready;                    /* ready() was called */
    bool is_authenticated;

    ssh_key host_key;            /* server, OWNED: no private half, see server.c */
    ssh_string host_blob;        /* server, OWNED: the true public half */
    ssh_string host_certificate; /* server, OWNED; NULL: none */
    bool shows_certificate;      /* server: in the key exchange that is under way */
    ssh_message service;         /* server, OWNED: needed by libssh's calls for replies */
    bool has_service_request;
    /* server, steer.c */
    bool prefers_fast_cipher, has_steered;
    const char *fast_cipher; /* the fastest that the client can; NULL: none that we offer */
    uint64_t moved_bytes;    /* fed and sent */
    unsigned service_request_count;

    char host_keys[ENGINE_HOST_KEYS_BYTES]; /* client: plain kinds that we ask for */
    bool wants_host_certificate;            /* client: and certificates before them */
    bool host_key_accepted; /* client: host_key() agreed in the key exchange that is under way */
    bool has_user;          /* client: the account is known */
    ssh_key login_key;      /* client, OWNED */
    uint8_t login_public[ENGINE_ED25519_BYTES];
    enum login_state login;
};

/* lifecycle.c */
/** The first failure is kept. */
void engine_fail(struct engine *engine, enum err err);
/** libssh's wraps get no user pointer: the engine that calls libssh says so. Nests: keep what it returns. */
struct engine *engine_enter(struct engine *engine);
void engine_leave(struct engine *previous);
struct engine *engine_current(void);
/** Text options of libssh that both roles share. */
MUST_CHECK enum err engine_set_algorithms(struct engine *engine, const struct engine_config *config);

/* hooks.c */
/** Fill engine->hooks; the wrap of ssh_packet_set_default_callbacks() installs them. */
void engine_hooks_init(struct engine *engine);

/** libssh has read one byte of `buffer` to `byte`, which lies in its session where it is the type of a
 * packet. */
void engine_byte_read(struct engine *engine, ssh_buffer buffer, uint8_t *byte);

/* wraps.c */
/** Where libssh builds the next packet; it changes, so ask before each. */
ssh_buffer engine_find_out_buffer(ssh_session session);

/* send.c */
/** One packet, without the checks of engine_send(). */
MUST_CHECK enum err engine_send_raw(struct engine *engine, uint8_t type, struct cursor head,
                                    struct cursor body);

/* server.c */
MUST_CHECK enum err engine_server_open(struct engine *engine, const struct engine_config *config);
MUST_CHECK enum err engine_server_start(struct engine *engine);
/** Answer service requests that libssh has queued. */
void engine_server_step(struct engine *engine);

/* host_certificate.c */
/** Is it an ssh-ed25519 certificate for this key of 32 bytes? */
bool engine_certificate_is_for(struct cursor certificate, struct cursor public_key);
/** @return ERR_MALFORMED for a certificate of another key than engine->host_blob; ERR_MEMORY. */
MUST_CHECK enum err engine_set_host_certificate(struct engine *engine, struct cursor certificate);
/** What the client wants to see. @param kexinit  the client's, without its type byte */
void engine_choose_host_key(struct engine *engine, struct cursor kexinit);
/** The list of host keys that a server offers, with the certificate first. @param plain  from malloc(), freed
 *  here. @return from malloc(); NULL when there is no memory. */
char *engine_offer_certificate(char *plain);

/* steer.c */
/** What the client can. @param kexinit  the client's, without its type byte */
void engine_steer_learn(struct engine *engine, struct cursor kexinit);
/** So much more was fed or sent: begin a change of cipher when it is time. */
void engine_steer(struct engine *engine, size_t moved_bytes);

/* client.c */
MUST_CHECK enum err engine_client_open(struct engine *engine, const struct engine_config *config);
MUST_CHECK enum err engine_client_start(struct engine *engine);
/** Let libssh's connect and login calls see what came in. */
void engine_client_step(struct engine *engine);
/** Begin the login with engine->login_key as it is. */
void engine_client_login(struct engine *engine);

/* self_test.c */
/** @return ERR_MISMATCH when something that the engine relies on does not happen. */
MUST_CHECK enum err engine_self_test(void);

#endif
