#include "sftp_state.h"

/* draft-02 section 4: version, then pairs of name and data. */
MUST_CHECK enum err sftp_version_write(struct sftp *sftp, struct cursor in, struct writer *out)
{
    static const char WRONG[] =
        "did not begin with SFTP version 3: does a start-up file of the account print "
        "something?";
    uint32_t len_bytes = 0;
    uint32_t version = 0;
    uint8_t type = 0;
    if (!sftp->has_init || cursor_u32be(&in, &len_bytes) != ERR_NONE || cursor_u8(&in, &type) != ERR_NONE ||
        cursor_u32be(&in, &version) != ERR_NONE || type != SFTP_VERSION || version != SFTP_VERSION_SPOKEN) {
        return sftp_violation(sftp, WRONG);
    }
    uint8_t *begin = writer_string_begin(out);
    writer_u8(out, type);
    writer_u32be(out, version);
    while (cursor_len(&in) > 0) {
        struct cursor name;
        struct cursor data;
        if (cursor_string(&in, cursor_len(&in), &name) != ERR_NONE ||
            cursor_string(&in, cursor_len(&in), &data) != ERR_NONE) {
            return sftp_violation(sftp, WRONG);
        }
        if (sftp_is_extension_known(name)) {
            writer_string(out, name);
            writer_string(out, data);
        }
    }
    writer_string_end(out, begin);
    return ERR_NONE;
}
