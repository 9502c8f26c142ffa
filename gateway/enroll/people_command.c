#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "enroll/enroll.h"
#include "keys/authorized_keys.h"
#include "people_files.h"
#include "recovery_files.h"
#include "settings.h"

enum { EXIT_USAGE = 2 };

static const char USAGE[] =
    "usage: bastion people list [--json]\n"
    "       bastion people add NAME [FILE]\n"
    "       bastion people disable NAME\n"
    "       bastion people enable NAME\n"
    "       bastion people expire NAME WHEN\n"
    "       bastion people unlock NAME\n"
    "\n"
    "Who may come. What they may reach is the policy's to say; a person in no group of it reaches nothing.\n"
    "\n"
    "  list     names with keys or a line, their state, wrong codes, recovery codes that are left\n"
    "  add      public keys for NAME, from FILE or standard input (lines of authorized_keys)\n"
    "  disable  keep NAME out from now on; open connections end within seconds\n"
    "  enable   take that back, and an end that has passed\n"
    "  expire   keep NAME out from WHEN on: 30d, 2026-12-31 (UTC), 2026-12-31T18:00:00Z or never\n"
    "  unlock   end the lock-out that wrong codes brought\n"
    "\n"
    "  --config FILE  configuration of the gateway (" SETTINGS_DEFAULT_CONFIG ")\n"
    "  --json         list: one JSON object a line\n";

struct wishes {
    const char *config;
    bool is_json;
    const char *person, *argument; /* NULL: not given */
};

static enum err read_input(const char *path, uint8_t *memory, size_t size, struct cursor *ret)
{
    OWNED_FD fd = path == NULL ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && used < size) {
        got = read(fd, memory + used, size - used);
        used += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        return ERR_SYSTEM;
    }
    *ret = cursor_of(memory, used);
    return used < size ? ERR_NONE : ERR_TOO_LARGE;
}

static int run_add(const struct gateway_config *config, const struct wishes *wishes)
{
    static uint8_t memory[KEYS_AUTHORIZED_FILE_BYTES];
    struct cursor lines;
    enum err err = read_input(wishes->argument, memory, sizeof memory, &lines);
    if (err != ERR_NONE) {
        settings_complain(wishes->argument == NULL ? "standard input" : wishes->argument,
                          err == ERR_SYSTEM ? strerror(errno) : err_text(err));
        return EXIT_FAILURE;
    }
    if (people_files_add_keys(config, wishes->person, lines) != ERR_NONE) {
        return EXIT_FAILURE;
    }
    (void)printf("%s may log in with these keys, if a group of the policy names %s.\n", wishes->person,
                 wishes->person);
    return EXIT_SUCCESS;
}

/* The line as it is, or a new one. */
static bool known_entry(const struct gateway_config *config, const char *person, struct people_entry *ret)
{
    struct people_files files;
    bool is_good = people_files_read(config, &files) == ERR_NONE;
    const struct people_entry *known = is_good ? people_find(&files.people, person) : NULL;
    *ret = (struct people_entry){.is_disabled = false};
    if (known != NULL) {
        *ret = *known;
    }
    (void)snprintf(ret->person, sizeof ret->person, "%s", person);
    people_files_done(&files);
    return is_good;
}

static int run_disable(const struct gateway_config *config, const struct wishes *wishes)
{
    struct people_entry entry;
    if (!known_entry(config, wishes->person, &entry)) {
        return EXIT_FAILURE;
    }
    entry.is_disabled = true;
    if (people_files_set(config, &entry) != ERR_NONE) {
        return EXIT_FAILURE;
    }
    (void)printf("%s is kept out from now on; a running bastiond ends open connections within seconds.\n",
                 wishes->person);
    return EXIT_SUCCESS;
}

static int run_enable(const struct gateway_config *config, const struct wishes *wishes)
{
    struct people_entry entry;
    if (!known_entry(config, wishes->person, &entry)) {
        return EXIT_FAILURE;
    }
    entry.is_disabled = false;
    entry.expires_s = entry.expires_s <= clock_wall_s() ? 0 : entry.expires_s;
    if (people_files_set(config, &entry) != ERR_NONE) {
        return EXIT_FAILURE;
    }
    char time[PEOPLE_TIME_BYTES];
    (void)printf("%s is not kept out%s%s.\n", wishes->person, entry.expires_s == 0 ? "" : ", until ",
                 entry.expires_s == 0 ? "" : people_time_text(entry.expires_s, time));
    return EXIT_SUCCESS;
}

static bool read_when(const char *text, int64_t *ret_time_s)
{
    uint64_t seconds = 0;
    if (strcmp(text, "never") == 0) {
        *ret_time_s = 0;
        return true;
    }
    if (text_duration_s(cursor_of_text(text), &seconds) == ERR_NONE) {
        *ret_time_s = clock_wall_s() + (int64_t)seconds;
        return true;
    }
    return people_time_read(cursor_of_text(text), ret_time_s) == ERR_NONE;
}

static int run_expire(const struct gateway_config *config, const struct wishes *wishes)
{
    struct people_entry entry;
    int64_t when_s = 0;
    if (!read_when(wishes->argument, &when_s)) {
        settings_complain(wishes->argument, "is none of 30d, 2026-12-31, 2026-12-31T18:00:00Z and never");
        return EXIT_USAGE;
    }
    if (!known_entry(config, wishes->person, &entry)) {
        return EXIT_FAILURE;
    }
    entry.expires_s = when_s;
    if (people_files_set(config, &entry) != ERR_NONE) {
        return EXIT_FAILURE;
    }
    char time[PEOPLE_TIME_BYTES];
    (void)printf("%s %s%s.\n", wishes->person, when_s == 0 ? "does not expire" : "is kept out from ",
                 when_s == 0 ? "" : people_time_text(when_s, time));
    return EXIT_SUCCESS;
}

static int run_unlock(const struct gateway_config *config, const struct wishes *wishes)
{
    bool is_running = false;
    if (people_files_unlock(config, wishes->person, &is_running) != ERR_NONE) {
        return EXIT_FAILURE;
    }
    (void)printf("%s is not locked.%s\n", wishes->person,
                 is_running ? "" : " No bastiond answered: this counts from its next start.");
    return EXIT_SUCCESS;
}

/* Names and times need no escapes in JSON. */
static void print_person(const struct people_files *files, const char *person, bool is_json)
{
    const struct people_entry *entry = people_find(&files->people, person);
    int64_t now_s = clock_wall_s();
    int64_t expires_s = entry == NULL ? 0 : entry->expires_s;
    int64_t locked_s = lockout_until_s(&files->lockouts, person, now_s);
    const char *state = entry != NULL && entry->is_disabled    ? "disabled"
                        : expires_s != 0 && expires_s <= now_s ? "expired"
                        : locked_s != 0                        ? "locked"
                                                               : "enabled";
    unsigned keys = people_files_keys(files, person);
    unsigned left = 0;
    bool has_recovery = recovery_files_left(files->config, person, &left);
    char expires[PEOPLE_TIME_BYTES] = "";
    char locked[PEOPLE_TIME_BYTES] = "";
    (void)(expires_s == 0 ? expires : people_time_text(expires_s, expires));
    (void)(locked_s == 0 ? locked : people_time_text(locked_s, locked));
    if (is_json) {
        (void)printf(
            "{\"person\":\"%s\",\"state\":\"%s\",\"keys\":%u,\"expires\":%s%s%s,\"locked_until\":%s%s%s,"
            "\"recovery_codes\":%u}\n",
            person, state, keys, expires_s == 0 ? "null" : "\"", expires, expires_s == 0 ? "" : "\"",
            locked_s == 0 ? "null" : "\"", locked, locked_s == 0 ? "" : "\"", left);
        return;
    }
    (void)printf("%-32s  %-8s  %u key%s%s%s%s%s", person, state, keys, keys == 1 ? "" : "s",
                 expires_s == 0 ? "" : ", expires ", expires, locked_s == 0 ? "" : ", locked until ", locked);
    if (has_recovery) {
        (void)printf(", %u recovery codes", left);
    }
    (void)printf("\n");
}

static int run_list(const struct gateway_config *config, const struct wishes *wishes)
{
    struct people_files files;
    int status = people_files_read(config, &files) == ERR_NONE ? EXIT_SUCCESS : EXIT_FAILURE;
    for (size_t i = 0; status == EXIT_SUCCESS && i < files.name_count; i++) {
        print_person(&files, files.names[i], wishes->is_json);
    }
    people_files_done(&files);
    return status;
}

static const struct {
    const char *name;
    int least_words, most_words; /* behind the verb */
    int (*run)(const struct gateway_config *config, const struct wishes *wishes);
} VERBS[] = {
    {"list", 0, 0, run_list},     {"add", 1, 2, run_add},       {"disable", 1, 1, run_disable},
    {"enable", 1, 1, run_enable}, {"expire", 2, 2, run_expire}, {"unlock", 1, 1, run_unlock},
};

static int run(int argc, char **argv, struct wishes *wishes)
{
    static struct gateway_config config;
    for (size_t i = 0; argc > 0 && i < sizeof VERBS / sizeof VERBS[0]; i++) {
        if (strcmp(VERBS[i].name, argv[0]) != 0 || argc - 1 < VERBS[i].least_words ||
            argc - 1 > VERBS[i].most_words) {
            continue;
        }
        wishes->person = argc > 1 ? argv[1] : NULL;
        wishes->argument = argc > 2 ? argv[2] : NULL;
        if (wishes->person != NULL && !text_is_person(cursor_of_text(wishes->person))) {
            settings_complain(wishes->person, SETTINGS_NO_PERSON);
            return EXIT_USAGE;
        }
        bool has_config = settings_load(wishes->config == NULL ? SETTINGS_DEFAULT_CONFIG : wishes->config,
                                        &config) == ERR_NONE;
        int status = has_config ? VERBS[i].run(&config, wishes) : EXIT_FAILURE;
        return fflush(stdout) == 0 ? status : EXIT_FAILURE;
    }
    (void)fputs(USAGE, stderr);
    return EXIT_USAGE;
}

int people_command(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct wishes wishes = {.config = NULL};
    optind = 0; /* the program may have parsed its own options before */
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'c':
            wishes.config = optarg;
            break;
        case 'j':
            wishes.is_json = true;
            break;
        case 'h':
            (void)fputs(USAGE, stdout);
            return EXIT_SUCCESS;
        default:
            (void)fputs(USAGE, stderr);
            return EXIT_USAGE;
        }
    }
    return run(argc - optind, argv + optind, &wishes);
}
