#include <sys/stat.h>

#include "state.h"

struct file_stamp file_stamp_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return (struct file_stamp){.inode = 0};
    }
    return (struct file_stamp){.device = status.st_dev,
                               .inode = status.st_ino,
                               .size_bytes = status.st_size,
                               .modified = status.st_mtim,
                               .changed = status.st_ctim};
}

static bool is_same_time(const struct timespec *one, const struct timespec *two)
{
    return one->tv_sec == two->tv_sec && one->tv_nsec == two->tv_nsec;
}

bool file_stamp_equal(const struct file_stamp *one, const struct file_stamp *two)
{
    return one->device == two->device && one->inode == two->inode && one->size_bytes == two->size_bytes &&
           is_same_time(&one->modified, &two->modified) && is_same_time(&one->changed, &two->changed);
}
