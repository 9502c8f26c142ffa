/* What a host shows, and what vouches for it: no input may crash, and nobody is trusted for nothing. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "keys/host_trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keys_host_judgement judgement;
    struct cursor in = cursor_of(data, size);
    struct cursor shown;
    struct keys_host_trust trust;
    if (cursor_string(&in, size, &shown) != ERR_NONE || keys_host_trust_read(&in, &trust) != ERR_NONE) {
        return 0;
    }
    keys_host_trust_judge(&trust, "node1", 1800000000, shown, &judgement);
    bool is_possible = cursor_len(&trust.keys) + cursor_len(&trust.cas) > 0;
    if (judgement.is_trusted ? !is_possible : judgement.reason[0] == 0) {
        abort();
    }
    return 0;
}
