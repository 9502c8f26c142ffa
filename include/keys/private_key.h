/* Private key files of OpenSSH ("openssh-key-v1"), unencrypted, Ed25519: what ssh-keygen -t ed25519 -N ''
 * writes. */
#ifndef KEYS_PRIVATE_KEY_H
#define KEYS_PRIVATE_KEY_H

#include "base/secret.h"
#include "keys/blob.h"

enum { KEYS_SEED_BYTES = 32, KEYS_PRIVATE_FILE_BYTES = 16384, KEYS_PRIVATE_COMMENT_BYTES = 256 };

/** @param file          the whole file, text
 *  @param ret_seed      32 bytes
 *  @param ret_sentence  on an error, a constant sentence fragment that says what is wrong ("is encrypted:
 * ...")
 *  @return ERR_DENIED for a well-formed key that is not accepted (encrypted, another type); ERR_MALFORMED and
 *          ERR_TRUNCATED for a damaged file; ERR_MISMATCH when the halves do not belong together;
 * ERR_TOO_LARGE. Source: OpenSSH PROTOCOL.key */
MUST_CHECK enum err keys_private_read(struct cursor file, struct secret *ret_seed,
                                      struct keys_blob *ret_public, const char **ret_sentence);
/** The file of one key, text ending with a newline.
 *  @param check  random bits that the format repeats so that a wrong passphrase shows; of no weight without
 * one
 *  @return ERR_TOO_LARGE for a comment over 255 bytes; ERR_MEMORY; ERR_LIBRARY. */
MUST_CHECK enum err keys_private_write(const uint8_t seed[static KEYS_SEED_BYTES], uint32_t check,
                                       const char *comment, struct secret *ret_file);

#endif
