/* The private key files of the bastion: made once, never changed. Private to the room. */
#ifndef ENROLL_KEY_FILES_H
#define ENROLL_KEY_FILES_H

#include "keys/blob.h"

/** The folder of `path`, made with mode 0700 where its last part is missing. @return ERR_SYSTEM;
 * ERR_TOO_LARGE. */
MUST_CHECK enum err key_files_make_folder(const char *path);
/** Make an Ed25519 key: `path` (0600, OpenSSH format) and `path`.pub (0644). Whatever happens, an existing
 * file stays as it is and `path` is either missing or whole.
 *  @return ERR_STATE when `path` exists; ERR_SYSTEM; ERR_LIBRARY. */
MUST_CHECK enum err key_files_create(const char *path, const char *comment);
/** A new file that appears whole or not at all. @return ERR_STATE when `path` exists; ERR_SYSTEM;
 * ERR_TOO_LARGE. */
MUST_CHECK enum err key_files_write_new(const char *path, unsigned mode, struct cursor bytes);
/** The public half of an existing key, and the file `path`.pub where it is missing.
 *  @param ret_sentence  on an error, what is wrong with the file
 *  @return ERR_NOT_FOUND, and what fd_read_secret_file() and keys_private_read() return. */
MUST_CHECK enum err key_files_load(const char *path, const char *comment, struct keys_blob *ret_public,
                                   const char **ret_sentence);

#endif
