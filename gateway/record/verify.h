/* What the two halves of verification share: the log's words and the files. Private to the room. */
#ifndef RECORD_VERIFY_PRIVATE_H
#define RECORD_VERIFY_PRIVATE_H

#include "index.h"
#include "record/verify.h"

/** Read and check the evidence log, fill the index. `ret_result->sentence` borrows from `sentence`. */
MUST_CHECK enum err verify_log(const struct record_verify_input *input, struct index *index,
                               char sentence[static LIMIT_SENTENCE_BYTES],
                               struct record_log_result *ret_result);
/** Check the open recording `path` (for the report) against its entry, NULL when the log does not know it.
 *  @param sid      that the name of the file says, or NULL
 *  @param has_log  false: there is no log to hold it against */
void verify_recording(const char *full_path, const char *path, const uint8_t *sid,
                      const struct record_vkey *vkey, const struct index_entry *entry, bool has_log,
                      const struct record_verify_report *report, struct record_verify_totals *totals);

#endif
