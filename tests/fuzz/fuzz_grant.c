/* Any bytes as a grant: what is read is written back the same, and holds any command against its patterns. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "policy/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor in = cursor_of(data, size);
    struct policy_grant grant;
    if (grant_read(&in, &grant) != ERR_NONE) {
        assert(grant_is_empty(&grant));
        return 0;
    }
    uint8_t wire[GRANT_WIRE_BYTES];
    struct writer out = writer_of(wire, sizeof wire);
    grant_write(&out, &grant);
    struct cursor written;
    assert(writer_done(&out, &written) == ERR_NONE);
    size_t used = size - cursor_len(&in);
    assert(cursor_len(&written) == used && memcmp(wire, data, used) == 0);
    const char *reason = NULL;
    assert(grant_allows_exec(&grant, in, &reason) == (reason == NULL));
    if (grant_allows_address(&grant, PLACE_FORWARD, in, (uint32_t)used)) {
        assert(place_is_address(PLACE_FORWARD, in, (uint32_t)used));
    }
    if (grant_allows_socket(&grant, PLACE_FORWARD, in)) {
        assert(place_is_socket(in));
    }
    return 0;
}
