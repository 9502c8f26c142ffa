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
};

struct outer {
    const struct outer_calls *calls;
    void *owner;
    const char *violation; /* a constant */
    unsigned keepalives;   /* sent, unanswered */
    struct outer_channel channels[OUTER_CHANNELS_MAX];
};

/* outer_action.c */

/** Send what `out` holds; it must not be full. */
MUST_CHECK enum err outer_give_written(struct outer *outer, enum relay_type type, const struct writer *out);
/** A packet that carries one channel number of the client. */
MUST_CHECK enum err outer_give_number(struct outer *outer, enum relay_type type, uint32_t number);
MUST_CHECK enum err outer_give_open_failure(struct outer *outer, uint32_t recipient,
                                            enum relay_open_reason reason, const char *sentence);

#endif
