/* known_hosts files: no input may crash, and what is accepted must be a key. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "keys/known_hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keys_host_keys keys;
    static struct keys_complaints complaints;
    static const uint16_t PORTS[] = {22, 2222};
    for (size_t i = 0; i < 2; i++) {
        complaints = (struct keys_complaints){0};
        enum err err =
            keys_known_hosts_find(cursor_of(data, size), "node1.internal", PORTS[i], &keys, &complaints);
        if ((err == ERR_NONE) != (keys.count + keys.ca_count > 0)) {
            abort();
        }
        for (unsigned key = 0; key < keys.count; key++) {
            struct keys_public parsed;
            if (keys_blob_parse(keys_blob_peek(&keys.blobs[key]), &parsed) != ERR_NONE) {
                abort();
            }
        }
    }
    return 0;
}
