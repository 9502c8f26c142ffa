/* The users file of pam_oath on disk. All access is made with the rights of the file's owner, the user of
 * bastion-pam: whoever broke into that user cannot lead root astray. Private to the room. */
#ifndef ENROLL_USERS_FILE_H
#define ENROLL_USERS_FILE_H

#include "base/secret.h"

struct users_file {
    char folder[256];
    char name[64];
};

/** Split `path`. @return ERR_MALFORMED unless it is absolute and names a file; ERR_TOO_LARGE. */
MUST_CHECK enum err users_file_at(const char *path, struct users_file *ret_file);
/** Make the folder (0700) for `owner` where it is missing; only its last part. @return ERR_SYSTEM. */
MUST_CHECK enum err users_file_make_folder(const struct users_file *file, uint32_t owner);
/** An empty text when the file does not exist yet.
 *  @return ERR_NOT_FOUND without the folder; ERR_DENIED when others than the owner have rights to the folder
 * or the file; ERR_TOO_LARGE; ERR_SYSTEM. */
MUST_CHECK enum err users_file_read(const struct users_file *file, struct secret *ret_text);

/** One change: the new text from the old. Called again when pam_oath has written at the same time.
 *  @return ERR_NONE with a new text; ERR_AGAIN when the old text is as wanted; or why not. */
typedef enum err users_change(void *context, struct cursor old, struct secret *ret_text);
/** Change the file as a whole, under the lock of liboath (name.lock): new file, fsync, rename.
 *  @return what `change` returned; as users_file_read(). */
MUST_CHECK enum err users_file_change(const struct users_file *file, users_change *change, void *context);

#endif
