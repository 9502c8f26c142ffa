/* Runs a fuzz target over the files of its corpus: the regression form of a fuzzer, for every compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    enum { LARGEST_INPUT_BYTES = 1 << 22 };
    uint8_t *data = malloc(LARGEST_INPUT_BYTES);
    size_t size = data == NULL ? 0 : fread(data, 1, LARGEST_INPUT_BYTES, file);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static int replay_folder(const char *path, unsigned *files)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        return 1;
    }
    int failed = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char file[4096];
        (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        failed |= replay_file(file);
        ++*files;
    }
    (void)closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        failed |= replay_folder(argv[i], &files);
    }
    printf("%u corpus files\n", files);
    return failed != 0 || files == 0; /* an empty corpus proves nothing */
}
