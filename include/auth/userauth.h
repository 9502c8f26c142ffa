/* The server side of user authentication (RFC 4252, RFC 4256) as a value: packets 50 and 61 in, packets 51,
 * 53, 60 out. It decides nothing: every proof is asked of the monitor, one question at a time.
 *
 * Two kinds. OUTER: the engineer towards the bastion: publickey, then keyboard-interactive for the second
 * factor. INNER: the engineer towards the target that the bastion stands for: the outer connection is proven
 * already, so the first request, whatever its method, asks only whether this account may be used (a hardware
 * key is touched once); keyboard-interactive is offered when the policy wants a fresher factor. */
#ifndef AUTH_USERAUTH_H
#define AUTH_USERAUTH_H

#include "base/cursor.h"
#include "base/limits.h"

enum userauth_kind { USERAUTH_OUTER, USERAUTH_INNER };

/** One publickey request (outer), or just a user name (inner). All borrowed until the call returns. */
struct userauth_request {
    const char *user;
    struct cursor method;    /* "publickey" or "publickey-hostbound-v00@openssh.com" */
    struct cursor algorithm; /* of the signature */
    struct cursor key_blob;
    struct cursor signature; /* empty: the client only asks whether the key would do */
};

enum userauth_verdict {
    USERAUTH_FAILED,
    USERAUTH_KEY_USABLE, /* answer to a request without signature */
    USERAUTH_FACTOR_NEEDED,
    USERAUTH_ACCEPTED,
    USERAUTH_HELD, /* not decided: the sentence says what is waited for, another answer follows */
};

/** What the value asks for. An error ends the connection. */
struct userauth_events {
    enum err (*send)(void *owner, uint8_t type, struct cursor payload);
    enum err (*ask)(void *owner, const struct userauth_request *request);
    enum err (*ask_factor)(void *owner);
    enum err (*answer_factor)(void *owner, struct cursor text);
    /** Keyboard-interactive with one prompt (or none, when `prompt` is NULL): packet 60. */
    enum err (*prompt)(void *owner, const char *instruction, const char *prompt, bool is_echoed);
    enum err (*accept)(void *owner);
};

enum userauth_state {
    USERAUTH_FORBIDDEN = 0,
    USERAUTH_IDLE,            /* waiting for a request */
    USERAUTH_ASKING,          /* the monitor was asked about a request */
    USERAUTH_PROVEN,          /* the first step is done, keyboard-interactive is wanted */
    USERAUTH_FACTOR_ASKED,    /* the monitor runs the factor */
    USERAUTH_FACTOR_PROMPTED, /* the engineer was asked */
    USERAUTH_DONE,
};

enum { USERAUTH_PENDING_BYTES = 16384, USERAUTH_INNER_TRIES = 6 };

/** Embedded; treat the members as private. */
struct userauth {
    const struct userauth_events *events; /* borrowed */
    void *owner;
    enum userauth_kind kind;
    enum userauth_state state;
    char user[LIMIT_PERSON_BYTES > LIMIT_ACCOUNT_BYTES ? LIMIT_PERSON_BYTES : LIMIT_ACCOUNT_BYTES];
    char asked_algorithm[64]; /* of the key in question: KEY_USABLE repeats it (RFC 4252 7) */
    uint8_t *asked_blob;      /* OWNED */
    size_t asked_blob_bytes;
    uint8_t *pending; /* OWNED: one request that came while another was being decided, with its type first */
    size_t pending_bytes;
    unsigned failures;
    bool has_empty_prompt; /* a prompt with nothing to answer is out (a message shown by the factor) */
    bool is_refusal_told;  /* inner: why there is no way in was said already */
};

void userauth_init(struct userauth *auth, enum userauth_kind kind, const struct userauth_events *events,
                   void *owner);
void userauth_done(struct userauth *auth);
/** A packet of the client, 50 to 79. @return ERR_MALFORMED, ERR_STATE, ERR_TOO_LARGE: end the connection. */
MUST_CHECK enum err userauth_packet(struct userauth *auth, uint8_t type, struct cursor payload);
/** The answer to `ask`, and the end of a factor.
 *  @param sentence  shown to the engineer (packet 53); "" for none */
MUST_CHECK enum err userauth_answer(struct userauth *auth, enum userauth_verdict verdict,
                                    const char *sentence);
/** The factor wants something. @param style 0 hidden, 1 echoed; 2 information and 3 error are shown at once
 */
MUST_CHECK enum err userauth_factor_prompt(struct userauth *auth, uint8_t style, const char *text);
/** The factor passed, and what follows is asked anew: the answer to that ends the client's request.
 *  @return ERR_STATE when no factor was under way. */
MUST_CHECK enum err userauth_factor_passed(struct userauth *auth);
/** A failed factor that may be tried again: keyboard-interactive is offered once more. */
MUST_CHECK enum err userauth_factor_failed(struct userauth *auth, const char *sentence);

#endif
