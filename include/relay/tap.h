/* One channel's tap: turns what the gate lets pass into record messages. A tap only observes: it sees a
 * packet after the gate said yes, and its records are made before the packet goes on (no record, no traffic).
 * It copies no data: the body of a record is the packet's own memory.
 *
 * A channel with a terminal gives TERMINAL_OUT, whole and in order; what is typed is recorded only where the
 * grant asks for it, and never hashed: the hash of a short input gives the input away. A channel without a
 * terminal gives its three streams up to a cap each, beyond it they are counted, and SHA-256 runs over all of
 * it, unless the owner wants the counts alone. */
#ifndef RELAY_TAP_H
#define RELAY_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"
#include "crypto/hash.h"

/** One record towards the recorder: the body is `head`, then `body`, together at most
 * LIMIT_RECORD_BODY_BYTES. Both are borrowed. An error ends the access.
 *  @param kind     enum record_kind of record/stream.h
 *  @param channel  the client's number of the channel; TAP_WHOLE_ACCESS for none */
typedef enum err tap_record(void *owner, uint8_t kind, uint32_t channel, struct cursor head,
                            struct cursor body);

enum {
    TAP_NAME_BYTES = 128, /* names and terminal types in records are cut to this, with the NUL */
    TAP_EXACT_BYTES =
        60000, /* most bytes of a command, name or value that is recorded exactly: fits one record */
};
#define TAP_WHOLE_ACCESS UINT32_MAX

enum tap_stream_kind { TAP_STDIN, TAP_STDOUT, TAP_STDERR, TAP_STREAMS };

struct tap_stream {
    uint64_t seen_bytes, kept_bytes;
    struct crypto_sha256 hash; /* runs from the first byte on, where the tap hashes streams */
};

/** Embedded in a channel of the gate. */
struct tap {
    tap_record *record;
    void *owner;
    uint32_t channel;
    bool is_terminal, records_input, is_forward;
    bool hashes_streams;
    uint64_t cap_bytes; /* kept of each stream */
    uint64_t to_target_bytes, from_target_bytes;
    struct tap_stream streams[TAP_STREAMS];
};

/** Start over for another channel; hashes of an earlier use are dropped. */
void tap_init(struct tap *tap, tap_record *record, void *owner, uint32_t channel);
void tap_done(struct tap *tap);
/** From now on this channel is (or is not) a terminal. */
void tap_set_terminal(struct tap *tap, bool is_terminal);

/** Data that is about to pass. @return errors of the record call. */
MUST_CHECK enum err tap_data(struct tap *tap, enum tap_stream_kind stream, struct cursor bytes);
/** Data whose content is none of ours (agent, X11): it only adds to the sums of tap_closed(). */
void tap_count(struct tap *tap, enum tap_stream_kind stream, struct cursor bytes);

/** The facts of a channel, one record each. Texts are made printable and cut; commands and values stay exact.
 *  @return errors of the record call; tap_exec() and tap_env() ERR_TOO_LARGE over TAP_EXACT_BYTES. */
MUST_CHECK enum err tap_opened(struct tap *tap, struct cursor kind);
/** A forward; both texts are for people. Its end is FORWARD_CLOSE instead of CHANNEL_CLOSE. */
MUST_CHECK enum err tap_forward_opened(struct tap *tap, const char *kind, const char *from, const char *to);
MUST_CHECK enum err tap_pty(struct tap *tap, struct cursor term, uint32_t columns, uint32_t rows);
MUST_CHECK enum err tap_resize(struct tap *tap, uint32_t columns, uint32_t rows);
MUST_CHECK enum err tap_shell(struct tap *tap);
MUST_CHECK enum err tap_exec(struct tap *tap, struct cursor command);
MUST_CHECK enum err tap_subsystem(struct tap *tap, struct cursor name);
MUST_CHECK enum err tap_env(struct tap *tap, struct cursor name, struct cursor value);
MUST_CHECK enum err tap_signal(struct tap *tap, struct cursor name);
MUST_CHECK enum err tap_exit_status(struct tap *tap, uint32_t status);
MUST_CHECK enum err tap_exit_signal(struct tap *tap, struct cursor name, bool dumped_core,
                                    struct cursor message);
/** STREAM_TOTAL of every stream that had bytes, then CHANNEL_CLOSE or FORWARD_CLOSE. Once per channel. */
MUST_CHECK enum err tap_closed(struct tap *tap);

/** @param what    constant part, e.g. "exec"; @param detail  the peer's bytes, may be empty
 *  @param channel TAP_WHOLE_ACCESS when no channel is meant */
MUST_CHECK enum err tap_refused(tap_record *record, void *owner, uint32_t channel, const char *what,
                                struct cursor detail, const char *reason);
MUST_CHECK enum err tap_note(tap_record *record, void *owner, uint32_t channel, const char *text);

#endif
