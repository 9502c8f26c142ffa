/* Any bytes as the request to dial: what is read keeps its promises, and every grant can be checked against.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "target/address.h"
#include "target/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct request request;
    if (request_read(cursor_of(data, size), &request) != ERR_NONE) {
        return 0;
    }
    assert(request.port != 0 && request.timeout_ms != 0 && strlen(request.host) > 0);
    assert(request.grant_count <= REQUEST_GRANTS_MAX);
    for (size_t i = 0; i < request.grant_count; i++) {
        /* The first address of each network, as if a name led to it. */
        struct network address = request.grants[i];
        address.prefix_bits = address.family == 4 ? 32 : 128;
        const char *why = NULL;
        enum err err = address_check(&address, request.grants, request.grant_count, &why);
        assert(err == ERR_NONE || (err == ERR_DENIED && why != NULL));
    }
    return 0;
}
