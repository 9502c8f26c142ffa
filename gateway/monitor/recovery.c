/* A recovery code in the place of the factor: known by its shape among the answers to PAM, spent in the
 * person's file (state_dir/recovery) before it lets anybody in. */
#include "auth/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "state.h"

static enum err spend(const struct monitor *monitor, const char *person, struct cursor code)
{
    OWNED_FD folder = openat(monitor->state_dir, "recovery", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
    }
    OWNED_SECRET file = {0};
    OWNED_SECRET used = {0};
    TRY(fd_read_secret_file(folder, person, RECOVERY_FILE_BYTES, &file));
    TRY(recovery_use(secret_peek(&file), person, code, clock_wall_s(), &used));
    return fd_replace_file(folder, person, 0600, secret_peek(&used));
}

bool recovery_answers(struct connection *connection, struct cursor text)
{
    if (!recovery_is_code(text)) {
        return false;
    }
    enum err err = spend(connection->monitor, connection->person, text);
    if (err != ERR_NONE && err != ERR_NOT_FOUND) {
        REPORT(connection->monitor, "factor.recovery", EVENT_DENIED,
               EVENT_NUMBER("connection", connection->number), {.key = "from", .text = connection->from},
               {.key = "person", .text = connection->person},
               {.key = "sentence",
                .text = err == ERR_DENIED ? "this recovery code was used already"
                                          : "the file with this person's recovery codes cannot be used"},
               {.key = "how", .text = err == ERR_SYSTEM ? strerror(errno) : err_text(err)});
    }
    return err == ERR_NONE;
}
