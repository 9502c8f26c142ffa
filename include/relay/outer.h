/* The channel table of the outer connection: the engineer's client asks for targets (`ssh -J`, `ssh -L`) and
 * for commands of the bastion itself (`ssh bastion help`), we are the server. Packets come in as values,
 * events and packets go out through calls; no I/O, no clock, no memory after outer_new().
 *
 * Windows are ours: the client may send OUTER_WINDOW_BYTES on a channel, and gets more only for bytes that
 * the owner said it has consumed. So a slow target costs one window per channel, and never more. */
#ifndef RELAY_OUTER_H
#define RELAY_OUTER_H

#include "base/limits.h"
#include "relay/packet.h"

enum {
    OUTER_CHANNELS_MAX = LIMIT_ACCESSES_PER_CONNECTION,
    OUTER_WINDOW_BYTES = 2097152, /* 2 MiB, as OpenSSH: 50 ms at 40 MB/s */
    OUTER_ADJUST_BYTES = 131072,  /* consumed bytes are given back in pieces of this: over a long way a larger
                                     one lets the client wait */
    OUTER_PACKET_BYTES =
        65536, /* the largest data of one packet, both ways; fits LIMIT_PACKET_PAYLOAD_BYTES */
    OUTER_PEER_PACKET_BYTES_MIN = 256, /* a client that takes less per packet only makes work */
    OUTER_KEEPALIVES_MAX = 16,         /* unanswered keepalives that are counted */
    OUTER_COMMAND_BYTES = LIMIT_COMMAND_BYTES,
};

/** A target that the client asks for. The texts are valid during the call. */
struct outer_open {
    unsigned channel;       /* 0 .. OUTER_CHANNELS_MAX - 1; its owner's tables may be indexed by it */
    const char *host;       /* text_is_host() holds; not resolved, not lower-cased */
    uint16_t port;          /* never 0 */
    const char *originator; /* what the client says; proves nothing, printable */
    uint16_t originator_port;
};

/** A command of the bastion itself, on a channel that is open already. There is no shell behind it. */
struct outer_command {
    unsigned channel;
    struct cursor
        words; /* as sent, at most OUTER_COMMAND_BYTES; empty for a shell request; valid in the call */
    bool has_terminal;
};

/** What the owner is told. Every call may use the actions below on any channel. An error ends the connection:
 *  outer_packet() returns it. */
struct outer_calls {
    /** Send one packet to the client: `type`, then head, then body. Both are borrowed. */
    enum err (*send)(void *owner, uint8_t type, struct cursor head, struct cursor body);
    /** Answer with outer_confirm() or outer_refuse(), now or later. */
    enum err (*opened)(void *owner, const struct outer_open *open);
    /** Answer with outer_send(), outer_send_error() and then outer_exit(), now or later. `data`, `eof` and
     * `closed` may be called for its channel even before. */
    enum err (*command)(void *owner, const struct outer_command *command);
    /** Never empty. Say outer_consumed() once the bytes need no memory any more. */
    enum err (*data)(void *owner, unsigned channel, struct cursor bytes);
    enum err (*eof)(void *owner, unsigned channel);
    /** Both sides have closed: the number is free and may come again with the next outer_open. */
    enum err (*closed)(void *owner, unsigned channel);
    /** outer_send() can take bytes again, or more. */
    enum err (*window)(void *owner, unsigned channel);
};

struct outer;

/** @param calls, owner  borrowed, outlive the table. @return OWNED, or NULL without memory. */
struct outer *outer_new(const struct outer_calls *calls, void *owner);
void outer_free(struct outer *outer); /* NULL is fine */

/** One packet of type 80..100 from the client.
 *  @param payload  what follows the type byte
 *  @return ERR_MALFORMED after a protocol error (outer_explain() says which): close the connection.
 *          Any other error came from a call of the owner. */
MUST_CHECK enum err outer_packet(struct outer *outer, uint8_t type, struct cursor payload);
/** One sentence about the protocol error, or NULL when there was none. */
const char *outer_explain(const struct outer *outer);

/** Answer an asked channel. @return ERR_STATE when the channel does not wait for an answer; errors of `send`.
 */
MUST_CHECK enum err outer_confirm(struct outer *outer, unsigned channel);
/** @param sentence  what the engineer's ssh prints after "open failed: ...: " */
MUST_CHECK enum err outer_refuse(struct outer *outer, unsigned channel, enum relay_open_reason reason,
                                 const char *sentence);
/** Send as many of `bytes` as the client's window allows now, in packets that it takes.
 *  @param ret_taken  how many; the owner keeps the rest and tries again at the `window` call
 *  @return ERR_STATE when the channel is not open for sending (never confirmed, or EOF or CLOSE was sent). */
MUST_CHECK enum err outer_send(struct outer *outer, unsigned channel, struct cursor bytes, size_t *ret_taken);
/** The same to stderr; of a channel that was opened for a command. */
MUST_CHECK enum err outer_send_error(struct outer *outer, unsigned channel, struct cursor bytes,
                                     size_t *ret_taken);
/** A command has ended: its exit status, end of file, CLOSE. Nothing on a channel that is closing. */
MUST_CHECK enum err outer_exit(struct outer *outer, unsigned channel, uint32_t status);
/** `len_bytes` of what `data` gave are done with; sends WINDOW_ADJUST at half a window. On a channel that is
 * closing or free this does nothing. After `closed` forget what is not yet consumed: the number may come
 * again.
 *  @return errors of `send`. */
MUST_CHECK enum err outer_consumed(struct outer *outer, unsigned channel, size_t len_bytes);
/** We send no more data. Nothing on a channel that is closing or had it. @return ERR_STATE when not
 * confirmed. */
MUST_CHECK enum err outer_eof(struct outer *outer, unsigned channel);
/** Close our side; what still arrives is dropped until the client closes too, then `closed` is called. */
MUST_CHECK enum err outer_close(struct outer *outer, unsigned channel);
/** How much outer_send() would take now; 0 when nothing can be sent. */
size_t outer_window(const struct outer *outer, unsigned channel);
/** Channels that are asked, open or closing. */
unsigned outer_channel_count(const struct outer *outer);

/** Ask the client whether it still lives: keepalive@openssh.com with reply, at most OUTER_KEEPALIVES_MAX
 * unanswered at once (then nothing is sent). */
MUST_CHECK enum err outer_keepalive(struct outer *outer);
unsigned outer_keepalives_unanswered(const struct outer *outer);

#endif
