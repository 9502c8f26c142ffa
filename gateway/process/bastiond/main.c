/* bastiond: the monitor process. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "config/config.h"
#include "monitor/monitor.h"

enum {
    EXIT_USAGE = 2,
    EXIT_CONFIG = 78, /* EX_CONFIG of sysexits(3): a service manager need not try again */
    CONFIG_FILE_BYTES = 1 << 20,
};

static const char HELP[] =
    "Usage: bastiond [--config FILE] [--check]\n"
    "The SSH bastion's daemon. It stays in the foreground; SIGHUP reads the policy again, SIGTERM ends it.\n"
    "\n"
    "  -c, --config FILE  configuration (default /etc/bastion/bastiond.yaml)\n"
    "      --check        read the configuration, say what is wrong with it, and exit\n"
    "      --help         this text\n"
    "      --version      the version\n"
    "\n"
    "Exit status: 0 ended by a signal as asked; 1 failed while running; 2 wrong usage;\n"
    "78 cannot start: the configuration, or a missing part of the sandbox, is named on standard error.\n";

struct options {
    const char *config;
    bool is_check;
};

/* @return -1 to go on, else the exit status. */
static int read_options(int argc, char **argv, struct options *ret)
{
    enum { OPTION_CHECK = 256, OPTION_HELP, OPTION_VERSION };
    static const struct option OPTIONS[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, OPTION_CHECK},
                                            {"help", no_argument, NULL, OPTION_HELP},
                                            {"version", no_argument, NULL, OPTION_VERSION},
                                            {0}};
    *ret = (struct options){.config = "/etc/bastion/bastiond.yaml"};
    for (int option = 0; (option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1;) {
        switch (option) {
        case 'c':
            ret->config = optarg;
            break;
        case OPTION_CHECK:
            ret->is_check = true;
            break;
        case OPTION_HELP:
            (void)fputs(HELP, stdout);
            return EXIT_SUCCESS;
        case OPTION_VERSION:
            (void)printf("bastiond %s\n", BASTION_VERSION);
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    }
    return optind == argc ? -1 : EXIT_USAGE;
}

static bool read_config(const char *path, struct gateway_config *ret)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    enum err err = fd_read_trusted_file(AT_FDCWD, path, CONFIG_FILE_BYTES, &bytes, &len);
    if (err != ERR_NONE) {
        (void)fprintf(stderr, "bastiond: %s: %s\n", path,
                      err == ERR_DENIED ? "must be a regular file of root that nobody else may write"
                                        : (err == ERR_SYSTEM ? strerror(errno) : err_text(err)));
        return false;
    }
    struct yaml_report report;
    yaml_report_init(&report, path);
    err = config_load(cursor_of(bytes, len), path, &report, ret);
    free(bytes);
    for (size_t i = 0; i < report.count; i++) {
        char line[YAML_LINE_BYTES];
        (void)fprintf(stderr, "%s\n", yaml_report_line(&report, i, line));
    }
    return err == ERR_NONE;
}

static bool find_libexec(const struct gateway_config *config, char ret_path[static PATH_MAX])
{
    if (config->libexec_dir[0] != 0) {
        (void)snprintf(ret_path, PATH_MAX, "%s", config->libexec_dir);
        return true;
    }
    ssize_t len = readlink("/proc/self/exe", ret_path, PATH_MAX - 1);
    if (len <= 0) {
        return false;
    }
    ret_path[len] = 0;
    char *slash = strrchr(ret_path, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = 0;
    return true;
}

int main(int argc, char **argv)
{
    struct options options;
    int status = read_options(argc, argv, &options);
    if (status >= 0) {
        if (status == EXIT_USAGE) {
            (void)fputs("bastiond: wrong usage; try --help\n", stderr);
        }
        return status;
    }
    static struct gateway_config config;
    static char libexec_dir[PATH_MAX];
    if (!read_config(options.config, &config)) {
        return EXIT_CONFIG;
    }
    if (options.is_check) {
        return EXIT_SUCCESS;
    }
    struct monitor_refusal why = {{0}};
    struct monitor *monitor = NULL;
    if (!find_libexec(&config, libexec_dir) ||
        monitor_start(&config, libexec_dir, &monitor, &why) != ERR_NONE) {
        (void)fprintf(stderr, "bastiond: not started: %s\n",
                      why.sentence[0] != 0 ? why.sentence : "cannot find the folder of the other programs");
        return EXIT_CONFIG;
    }
    enum err err = monitor_run(monitor);
    monitor_stop(monitor);
    return err == ERR_NONE ? EXIT_SUCCESS : EXIT_FAILURE;
}
