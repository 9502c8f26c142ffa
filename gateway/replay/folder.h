/* The tree of a recordings folder, yyyy/mm/dd/<sid>.rec; private to this room. */
#ifndef REPLAY_FOLDER_H
#define REPLAY_FOLDER_H

#include "replay/list.h"

/** One file. ERR_CLOSED ends the walk without an error. */
typedef enum err folder_file(void *context, const char *path, const char *name);

/** Called for each file that is named like a recording. Days come newest first, files of a day in any order.
 *  @param day_done  NULL, or called after the files of each day
 *  @return ERR_NOT_FOUND without the folder; ERR_SYSTEM; ERR_MEMORY; what the callbacks return. */
MUST_CHECK enum err folder_walk(const char *dir, folder_file *file, enum err (*day_done)(void *context),
                                void *context, uint64_t *ret_unreadable);
/** "<32 lower-case hex digits>.rec" */
bool folder_is_recording(const char *name);

#endif
