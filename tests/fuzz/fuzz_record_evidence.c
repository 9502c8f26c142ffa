/* Leaves, checkpoints and key texts: the first byte says which. */
#include <stdint.h>
#include <stdlib.h>

#include "record/leaf.h"
#include "record/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_leaves(struct cursor in)
{
    struct cursor line;
    while (cursor_line(&in, &line)) {
        struct record_leaf leaf;
        struct record_leaf again;
        char text[RECORD_LEAF_BYTES];
        if (record_leaf_parse(line, &leaf) == ERR_NONE && leaf.kind != RECORD_LEAF_OTHER) {
            size_t len = record_leaf_text(&leaf, 0, text);
            if (record_leaf_parse(cursor_of(text, len), &again) != ERR_NONE || again.kind != leaf.kind ||
                again.bytes != leaf.bytes) {
                abort();
            }
        }
        if (record_leaf_may_add(line) && record_leaf_parse(line, &leaf) == ERR_NONE &&
            leaf.kind != RECORD_LEAF_OTHER) {
            abort(); /* a line from outside must not pass for one of the recorder */
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char VKEY[] = "vector-host+ef75a04d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    struct record_vkey vkey;
    struct record_note note;
    if (size == 0 || record_vkey_parse(cursor_of_text(VKEY), &vkey) != ERR_NONE) {
        return 0;
    }
    struct cursor in = cursor_of(data + 1, size - 1);
    if (data[0] % 3 == 0) {
        read_leaves(in);
    } else if (data[0] % 3 == 1) {
        if (record_note_open(in, &vkey, &note) == ERR_NONE && size < 64) {
            abort();
        }
    } else {
        struct record_vkey read;
        char text[RECORD_KEY_TEXT_BYTES];
        if (record_vkey_parse(in, &read) == ERR_NONE) {
            record_vkey_text(&read, text);
            if (record_vkey_parse(cursor_of_text(text), &vkey) != ERR_NONE) {
                abort();
            }
        }
    }
    return 0;
}
