/* Any bytes as a configuration: what loads keeps its promises. */
#include <assert.h>
#include <stdint.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml_report report;
    struct gateway_config config = {0};
    enum err err = config_load(cursor_of(data, size), "fuzz.yaml", &report, &config);
    assert((err == ERR_NONE) == (report.error_count == 0));
    if (err == ERR_NONE) {
        assert(config.listen_count >= 1 && config.listen_count <= CONFIG_LISTEN_MAX);
        assert(config.policy[0] == '/' && config.known_hosts_dir[0] == '/');
        assert(config.limits.max_connections <= config.uids.sessions_count);
        assert(config.uids.signer != 0 && config.uids.sessions_first != 0);
    }
    return 0;
}
