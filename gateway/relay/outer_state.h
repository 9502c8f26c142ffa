/* The inside of the outer channel table, shared by its files only. */
#ifndef RELAY_OUTER_STATE_H
#define RELAY_OUTER_STATE_H

#include "relay/outer.h"

/* FREE is zero, so an empty table needs no other preparation. CLOSING: CLOSE was sent, the client's is
 * awaited. */
enum outer_state { OUTER_FREE = 0, OUTER_ASKED, OUTER_OPEN, OUTER_CLOSING };

struct outer_channel {
    enum outer_state state;
    uint32_t client_number;
    uint32_t send_window_bytes;    /* what the client still takes */
    uint32_t send_packet_bytes;    /* ... in one packet */
    uint32_t receive_window_bytes; /* what the client may still send */
    uint32_t unconsumed_bytes;     /* given to the owner, who has not said that it is done with them */
    uint32_t consumed_bytes;       /* done with, and not yet given back as window */
    bool has_sent_eof, has_received_eof;
    bool is_session;   /* for a command of the bastion itself */
    bool has_terminal; /* pty-req was accepted */
    bool has_command;
};

struct outer {
    const struct outer_calls *calls;
    void *owner;
    const char *violation;     /* a constant */
    unsigned keepalives;       /* sent, unanswered */
    bool has_no_more_sessions; /* the client has promised to open none */
    struct outer_channel channels[OUTER_CHANNELS_MAX];
};

/* outer.c */

MUST_CHECK enum err outer_violation(struct outer *outer, const char *sentence);
/* Errors of the readers all mean the same for a packet that is complete. */
#define TRY_READ(outer, call)                                                                                \
    do {                                                                                                     \
        if ((call) != ERR_NONE) {                                                                            \
            return outer_violation(outer, "a packet is not laid out as RFC 4254 says");                      \
        }                                                                                                    \
    } while (0)
/** @return false when all places are taken. */
bool outer_find_free(const struct outer *outer, unsigned *ret_channel);
/** A fresh channel as the client described it. */
struct outer_channel outer_channel_of(const struct relay_open *open, enum outer_state state);

/* outer_session.c */

/** Open a channel for a command. */
MUST_CHECK enum err outer_open_session(struct outer *outer, const struct relay_open *open);
/** A request on such a channel that is open. */
MUST_CHECK enum err outer_session_request(struct outer *outer, struct outer_channel *at,
                                          const struct relay_request *request);

/* outer_action.c */

/** Send what `out` holds; it must not be full. */
MUST_CHECK enum err outer_give_written(struct outer *outer, enum relay_type type, const struct writer *out);
/** A packet that carries one channel number of the client. */
MUST_CHECK enum err outer_give_number(struct outer *outer, enum relay_type type, uint32_t number);
MUST_CHECK enum err outer_give_open_failure(struct outer *outer, uint32_t recipient,
                                            enum relay_open_reason reason, const char *sentence);

#endif
