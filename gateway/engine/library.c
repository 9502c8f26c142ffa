#include "state.h"

#include <malloc.h>

enum err engine_library_start(void)
{
    uint8_t bytes[16];
    ssh_set_log_level(SSH_LOG_NOLOG);
    return ssh_init() == SSH_OK && ssh_get_random(bytes, sizeof bytes, 1) == 1 ? ERR_NONE : ERR_LIBRARY;
}

enum err engine_library_init(void)
{
    TRY(engine_library_start());
    enum err err = engine_self_test();
    /* The self-test's buffers would stay in the heap of an idle session. */
    (void)malloc_trim(0);
    return err;
}
