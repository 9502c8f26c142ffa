#include "recovery_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "crypto/random.h"

static enum err open_folder(const struct gateway_config *config, bool makes, int *ret_fd)
{
    char path[CONFIG_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/recovery", config->state_dir);
    /* People are enrolled before bastiond runs for the first time and makes its folder. */
    if (makes && mkdir(config->state_dir, 0711) != 0 && errno != EEXIST) {
        return ERR_SYSTEM;
    }
    if (makes && mkdir(path, 0700) != 0 && errno != EEXIST) {
        return ERR_SYSTEM;
    }
    *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*ret_fd >= 0) {
        return ERR_NONE;
    }
    return errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
}

enum err recovery_files_make(const struct gateway_config *config, const char *person,
                             struct recovery_codes *ret)
{
    for (size_t i = 0; i < RECOVERY_COUNT; i++) {
        uint8_t random[RECOVERY_RANDOM_BYTES];
        crypto_random(random, sizeof random);
        (void)recovery_text(random, ret->texts[i]);
        secret_wipe(random, sizeof random);
    }
    OWNED_FD folder = -1;
    OWNED_SECRET file = {0};
    TRY(open_folder(config, true, &folder));
    TRY(recovery_write(person, (const char(*)[RECOVERY_CODE_BYTES])ret->texts, RECOVERY_COUNT, &file));
    TRY(fd_replace_file(folder, person, 0600, secret_peek(&file)));
    ret->count = RECOVERY_COUNT;
    return ERR_NONE;
}

void recovery_codes_print(const struct recovery_codes *codes, bool is_json)
{
    if (is_json) {
        (void)printf("\"recovery\":[");
        for (unsigned i = 0; i < codes->count; i++) {
            (void)printf("%s\"%s\"", i == 0 ? "" : ",", codes->texts[i]);
        }
        (void)printf("]");
        return;
    }
    if (codes->count > 0) {
        (void)printf("Recovery codes, each good once in the place of a code, not shown again:\n");
    }
    for (unsigned i = 0; i < codes->count; i++) {
        (void)printf("  %s%s", codes->texts[i], i % 2 == 1 ? "\n" : "");
    }
}

enum err recovery_files_remove(const struct gateway_config *config, const char *person)
{
    OWNED_FD folder = -1;
    enum err err = open_folder(config, false, &folder);
    if (err != ERR_NONE) {
        return err == ERR_NOT_FOUND ? ERR_NONE : err;
    }
    return unlinkat(folder, person, 0) == 0 || errno == ENOENT ? ERR_NONE : ERR_SYSTEM;
}

bool recovery_files_left(const struct gateway_config *config, const char *person, unsigned *ret_left)
{
    OWNED_FD folder = -1;
    OWNED_SECRET file = {0};
    bool is_read = open_folder(config, false, &folder) == ERR_NONE &&
                   fd_read_secret_file(folder, person, RECOVERY_FILE_BYTES, &file) == ERR_NONE;
    *ret_left = is_read ? recovery_left(secret_peek(&file)) : 0;
    return is_read;
}
