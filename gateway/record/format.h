/* The bytes of a recording, shared by who writes and who reads it. Private to the room.
 * Source: docs/formats/recording.md. */
#ifndef RECORD_FORMAT_H
#define RECORD_FORMAT_H

#include "record/container.h"
#include "record/reader.h"

enum {
    FORMAT_MAGIC_BYTES = 8,
    FORMAT_SUITE = 1, /* ChaCha20-Poly1305, SHA-256, Ed25519, zstd */
    FORMAT_FRAME_HEADER_BYTES = 24,
    FORMAT_FRAME_PLAIN_BYTES = RECORD_LARGEST_BYTES,
    FORMAT_FRAME_BODY_BYTES = FORMAT_FRAME_PLAIN_BYTES + CRYPTO_AEAD_TAG_BYTES,
    FORMAT_STAMP_BYTES = 3 * 8 + CRYPTO_SHA256_BYTES,
    FORMAT_CHECKPOINT_BODY_BYTES = FORMAT_STAMP_BYTES + CRYPTO_ED25519_SIGNATURE_BYTES,
    FORMAT_COMPRESS_FROM_BYTES = 256, /* smaller frames hardly shrink */
    FORMAT_FLAG_ZSTD = 1,             /* of a data frame */
    FORMAT_FLAG_MOVED = 2,            /* of a close: it says what was moved */
    FORMAT_SIGNED_BYTES = 2048,       /* room for what a signature covers */
};
extern const uint8_t FORMAT_MAGIC[FORMAT_MAGIC_BYTES];

enum format_type { FORMAT_DATA = 'D', FORMAT_CHECKPOINT = 'C', FORMAT_CLOSE = 'Z' };

struct format_frame {
    uint32_t body_len;
    uint8_t type, flags;
    uint64_t seq, t_us;
};
void format_frame_write(struct writer *out, const struct format_frame *frame);
/** @return ERR_TRUNCATED; ERR_MALFORMED; ERR_TOO_LARGE for a body that its type cannot have. */
MUST_CHECK enum err format_frame_read(struct cursor *in, struct format_frame *ret_frame);

/** Zeros, then the number of the frame: never used twice with one key. */
void format_nonce(uint64_t seq, uint8_t ret_nonce[static CRYPTO_AEAD_NONCE_BYTES]);
/** chain = SHA-256(1, chain, frame) */
void format_chain_next(struct crypto_sha256 *hash, uint8_t chain[static CRYPTO_SHA256_BYTES],
                       struct cursor frame);
/** SHA-256("BREC1 header", head) */
void format_chain_first(struct crypto_sha256 *hash, struct cursor head,
                        uint8_t ret_chain[static CRYPTO_SHA256_BYTES]);
/** key = HKDF-SHA256(key, no salt, "BREC1 ratchet") */
void format_ratchet(uint8_t key[static CRYPTO_AEAD_KEY_BYTES]);
/** What a checkpoint's signature covers: "BREC1 checkpoint\n", sid, frame header, body without the signature.
 *  `ret` borrows from `memory`. @return ERR_TOO_LARGE. */
MUST_CHECK enum err format_signed(const uint8_t sid[static LIMIT_SID_BYTES], struct cursor header,
                                  struct cursor body, uint8_t memory[static FORMAT_SIGNED_BYTES],
                                  struct cursor *ret);

MUST_CHECK enum err format_head_write(const struct record_opening *opening, struct writer *out);
/** Read the whole head, magic and length included. Borrowed. @return ERR_TRUNCATED when more bytes are
 * needed. */
MUST_CHECK enum err format_head_read(struct cursor *in, struct record_head *ret_head);

/** The fields of a checkpoint or close body that both have; file_bytes is not in the body. */
struct format_stamp {
    uint64_t bytes_before, wall_us, stream_bytes;
    struct cursor chain;
};
MUST_CHECK enum err format_stamp_read(struct cursor *in, struct format_stamp *ret_stamp);
void format_moved_write(struct writer *out, const struct record_moved *moved);
/** A close body; all before `ret_signature` is covered by it. @param flags  of its frame */
MUST_CHECK enum err format_close_read(uint8_t flags, struct cursor body, struct format_stamp *ret_stamp,
                                      struct record_closing *ret_closing, struct cursor *ret_signature);

#endif
