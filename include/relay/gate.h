/* The gate of one access: everything that the engineer's client and the target say to each other over the
 * inner connection (packets 80..100, RFC 4254) passes here, or does not. The gate decides by the grant,
 * answers what it refuses, keeps windows and channel states of both sides, makes the records, and sends on
 * what may pass, byte for byte: channel numbers are the peers' own.
 *
 * Everything leaves through calls->send, in the right order: the packet that passes, packets of our own, and
 * the answers to requests that we refused between requests that passed. The caller forwards nothing itself.
 * A pure value: no I/O, no clock; no memory per packet. */
#ifndef RELAY_GATE_H
#define RELAY_GATE_H

#include "base/limits.h"
#include "relay/packet.h"
#include "relay/tap.h"

struct policy_grant; /* policy/grant.h */

/** The peer that a packet comes from, or goes to. */
enum gate_side { GATE_CLIENT = 0, GATE_TARGET = 1, GATE_SIDES };

enum gate_verdict {
    GATE_FORWARDED = 0, /* the packet was sent to the other side, unchanged */
    GATE_DROPPED,   /* it ended here: refused (and answered where an answer was asked for), or meant for us */
    GATE_VIOLATION, /* protocol error: end the access; gate_explain() says which */
    GATE_FAILED,    /* a call returned an error: end the access; gate_error() holds it */
};

struct gate_calls {
    /** Send one packet to `to`: type, then head, then body. Both are borrowed. */
    enum err (*send)(void *owner, enum gate_side to, uint8_t type, struct cursor head, struct cursor body);
    tap_record *record;
};

/** Sums since the start. */
struct gate_counters {
    uint64_t to_target_bytes, from_target_bytes; /* data of channels, without packet heads */
    uint32_t channels_opened, refused_count;
    uint32_t exit_status; /* of the last process that ended; UINT32_MAX: none, or ended by a signal */
};

enum {
    GATE_PENDING_MAX = 64,   /* requests without answer, per channel and side; one more ends the access */
    GATE_ENV_COUNT_MAX = 64, /* variables per channel; more are refused, not fatal */
    GATE_ENV_NAME_BYTES = 256,
    GATE_ENV_VALUE_BYTES = 8192,
    GATE_REMOTES_MAX = 16,        /* addresses on which a target listens for the client at once */
    GATE_TERM_BYTES = 64,         /* the terminal type; a longer one is refused */
    GATE_TERM_MODES_BYTES = 1024, /* encoded terminal modes: 5 bytes for each of at most 160 opcodes */
    GATE_EXIT_REFUSED = 126,      /* exit status of a refused command: "cannot execute" in POSIX shells */
};

struct gate;

/** @param grant, calls, owner  borrowed, outlive the gate. @return OWNED, or NULL without memory. */
struct gate *gate_new(const struct policy_grant *grant, const struct gate_calls *calls, void *owner);
void gate_free(struct gate *gate); /* NULL is fine; makes no record: see gate_end() */

/** One packet of type 80..100. After GATE_VIOLATION, GATE_FAILED or gate_end() every packet is GATE_DROPPED.
 *  @param payload  what follows the type byte */
enum gate_verdict gate_packet(struct gate *gate, enum gate_side from, uint8_t type, struct cursor payload);
/** One sentence about the protocol error (a NOTE record has it too), or NULL when there was none. */
const char *gate_explain(const struct gate *gate);
/** The error that a call returned, ERR_NONE when none did. */
enum err gate_error(const struct gate *gate);

/** End the access in good order: what the taps still hold (totals, closes) is recorded, and with a sentence
 * every open session channel of the client gets it as "bastion: <sentence>" on its error stream, then EOF and
 * CLOSE. Once; later calls do nothing. All of it is tried even when calls fail.
 *  @param sentence  NULL when nobody is left to read it
 *  @return the first error of a call */
MUST_CHECK enum err gate_end(struct gate *gate, const char *sentence);

/** The time of the packets that follow, monotonic; feeds gate_idle_us(). */
void gate_set_time(struct gate *gate, uint64_t now_us);
/** How long nothing but keepalives and window updates passed. */
uint64_t gate_idle_us(const struct gate *gate, uint64_t now_us);
void gate_counters(const struct gate *gate, struct gate_counters *ret_counters);
/** Channels that are asked for, open or closing. */
unsigned gate_channel_count(const struct gate *gate);

#endif
