#include "folders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings.h"

/* @param owner  uid and gid; 0: root */
static bool make(const char *path, mode_t mode, uint32_t owner)
{
    bool is_made = mkdir(path, mode) == 0;
    bool is_good = is_made || errno == EEXIST;
    /* mkdir(2) honours the umask; nobody else may write above, so the name is still our folder. */
    if (is_made) {
        is_good = chmod(path, mode) == 0 && lchown(path, owner, owner) == 0;
    }
    if (!is_good) {
        settings_complain(path, strerror(errno));
        return false;
    }
    (void)printf("%-10s %-5s %s\n", "folder", is_made ? "made" : "kept", path);
    return true;
}

static bool make_above(const char *path, mode_t mode)
{
    char folder[CONFIG_PATH_BYTES];
    const char *slash = strrchr(path, '/');
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return folder[0] == 0 || make(folder, mode, 0);
}

bool folders_make(const struct gateway_config *config)
{
    /* Others pass through state_dir to what is theirs below it; the files in it are root's alone. */
    enum { PASSABLE = 0711, OPEN = 0755, GROUP = 0750, PRIVATE = 0700 };
    bool is_good = make(config->state_dir, PASSABLE, 0) && make_above(config->events, OPEN) &&
                   make(config->recordings_dir, GROUP, config->uids.recorder) &&
                   make(config->evidence_dir, GROUP, config->uids.recorder) &&
                   make(config->keys_dir, OPEN, 0);
    for (size_t i = 0; is_good && i < config->pam.writable_count; i++) {
        struct stat status;
        const char *path = config->pam.writable[i];
        bool is_file = stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
        is_good = is_file || make(path, PRIVATE, config->uids.pam);
    }
    return is_good;
}
