#include "keys/complaints.h"

#include <stdio.h>

#include "base/text.h"

unsigned keys_complaints_kept(const struct keys_complaints *complaints)
{
    return complaints->count < KEYS_COMPLAINTS_MAX ? complaints->count : KEYS_COMPLAINTS_MAX;
}

void keys_complain(struct keys_complaints *complaints, unsigned line, const char *before,
                   struct cursor quoted, const char *after)
{
    if (complaints->count < KEYS_COMPLAINTS_MAX) {
        struct keys_complaint *row = &complaints->rows[complaints->count];
        char shown[64];
        text_printable(quoted, shown, sizeof shown);
        row->line = line;
        (void)snprintf(row->sentence, sizeof row->sentence, "%s%s%s", before, shown, after);
    }
    complaints->count++;
}
