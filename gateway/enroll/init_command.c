#include "enroll/enroll.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "crypto/x509.h"
#include "folders.h"
#include "key_files.h"
#include "record/note.h"
#include "settings.h"

enum { EXIT_USAGE = 2, SSH_PORT = 22 };

static const char USAGE[] =
    "usage: bastion init [--config FILE | --dir DIR] [--name HOST] [--port N] [--targets PATTERN]\n"
    "\n"
    "Makes the keys of the bastion that are missing, with --config also the folders that it writes into; "
    "what\n"
    "exists is never changed. Then prints what engineers and targets need to know. Safe to run again.\n"
    "\n"
    "  --config FILE      where the configuration says (" SETTINGS_DEFAULT_CONFIG ")\n"
    "  --dir DIR          without a configuration: host_key, inner_key, user_ca, host_ca, db_ca and log_key\n"
    "                     in DIR\n"
    "  --name HOST        how engineers call the bastion (this machine's name)\n"
    "  --port N           the port that they use (the first of the configuration, or 22)\n"
    "  --targets PATTERN  the hosts behind the bastion in known_hosts (\"*\"); narrow it, for example to\n"
    "                     \"*.internal\", if engineers also reach hosts that are not behind it\n";

enum key { KEY_HOST, KEY_INNER, KEY_USER_CA, KEY_HOST_CA, KEY_COUNT };
static const struct {
    const char *what, *file, *comment;
} KEYS[KEY_COUNT] = {
    [KEY_HOST] = {"host key", "host_key", "bastion host key"},
    [KEY_INNER] = {"inner key", "inner_key", "bastion inner key"},
    [KEY_USER_CA] = {"user CA", "user_ca", "bastion user CA"},
    [KEY_HOST_CA] = {"host CA", "host_ca", "bastion host CA"},
};

struct plan {
    char keys[KEY_COUNT][CONFIG_PATH_BYTES];
    char log_key[CONFIG_PATH_BYTES], database_ca[CONFIG_PATH_BYTES];
    char name[LIMIT_HOST_BYTES];
    uint16_t port;
    const char *targets;
    const struct gateway_config *config; /* NULL: only keys are wanted */
};

struct wishes {
    const char *config, *dir, *name, *targets;
    uint16_t port; /* 0: not said */
};

static bool read_port(const char *text, uint16_t *ret_port)
{
    uint64_t port = 0;
    if (text_u64(cursor_of_text(text), UINT16_MAX, &port) != ERR_NONE || port == 0) {
        return false;
    }
    *ret_port = (uint16_t)port;
    return true;
}

/* A host pattern of known_hosts: it stands in a line of its own, so no blank and nothing odd. */
static bool is_pattern(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len < LIMIT_HOST_BYTES &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-*?,![]") == len;
}

/* @return -1 to go on, or the exit status. */
static int read_wishes(int argc, char **argv, struct wishes *ret)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'},
        {"dir", required_argument, NULL, 'd'},
        {"name", required_argument, NULL, 'n'},
        {"port", required_argument, NULL, 'p'},
        {"targets", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    optind = 0; /* the program may have parsed its own options before */
    int option = 0;
    bool is_ok = true;
    while (is_ok && (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'c':
            ret->config = optarg;
            break;
        case 'd':
            ret->dir = optarg;
            break;
        case 'n':
            ret->name = optarg;
            is_ok = text_is_host(cursor_of_text(optarg));
            break;
        case 'p':
            is_ok = read_port(optarg, &ret->port);
            break;
        case 't':
            ret->targets = optarg;
            is_ok = is_pattern(optarg);
            break;
        case 'h':
            (void)fputs(USAGE, stdout);
            return EXIT_SUCCESS;
        default:
            is_ok = false;
        }
    }
    if (!is_ok || optind != argc || (ret->config != NULL && ret->dir != NULL)) {
        (void)fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static bool put_path(char ret_path[static CONFIG_PATH_BYTES], const char *folder, const char *name)
{
    int len = snprintf(ret_path, CONFIG_PATH_BYTES, "%s%s%s", folder, folder[0] == 0 ? "" : "/", name);
    return len >= 0 && (size_t)len < CONFIG_PATH_BYTES;
}

static bool plan_folder(const char *folder, struct plan *plan)
{
    bool is_ok = put_path(plan->log_key, folder, "log_key") && put_path(plan->database_ca, folder, "db_ca");
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        is_ok = is_ok && put_path(plan->keys[i], folder, KEYS[i].file);
    }
    if (!is_ok) {
        settings_complain(folder, "is too long");
    }
    plan->port = SSH_PORT;
    return is_ok;
}

static bool plan_config(const char *path, struct plan *plan)
{
    static struct gateway_config config;
    if (settings_load(path, &config) != ERR_NONE) {
        return false;
    }
    plan->config = &config;
    plan->port = config.listen_count > 0 ? config.listen[0].port : SSH_PORT;
    return put_path(plan->keys[KEY_HOST], "", config.keys.host) &&
           put_path(plan->keys[KEY_INNER], "", config.keys.inner) &&
           put_path(plan->keys[KEY_USER_CA], "", config.keys.user_ca) &&
           put_path(plan->keys[KEY_HOST_CA], "", config.keys.host_ca) &&
           put_path(plan->database_ca, "", config.keys.db_ca) && put_path(plan->log_key, "", config.keys.log);
}

static bool make_plan(const struct wishes *wishes, struct plan *plan)
{
    bool is_ok = wishes->dir != NULL
                     ? plan_folder(wishes->dir, plan)
                     : plan_config(wishes->config == NULL ? SETTINGS_DEFAULT_CONFIG : wishes->config, plan);
    if (!is_ok) {
        return false;
    }
    plan->port = wishes->port == 0 ? plan->port : wishes->port;
    plan->targets = wishes->targets == NULL ? "*" : wishes->targets;
    if (wishes->name != NULL) {
        (void)snprintf(plan->name, sizeof plan->name, "%s", wishes->name);
        return true;
    }
    is_ok = gethostname(plan->name, sizeof plan->name) == 0 &&
            memchr(plan->name, 0, sizeof plan->name) != NULL && text_is_host(cursor_of_text(plan->name));
    if (!is_ok) {
        settings_complain("", "this machine has no usable name: say --name HOST");
    }
    return is_ok;
}

static bool make_key(enum key key, const struct plan *plan, struct keys_blob *ret_public)
{
    const char *path = plan->keys[key];
    if (key_files_make_folder(path) != ERR_NONE) {
        settings_complain(path, strerror(errno));
        return false;
    }
    enum err made = key_files_create(path, KEYS[key].comment);
    if (made != ERR_NONE && made != ERR_STATE) {
        settings_complain(path, made == ERR_SYSTEM ? strerror(errno) : err_text(made));
        return false;
    }
    const char *sentence = NULL;
    if (key_files_load(path, KEYS[key].comment, ret_public, &sentence) != ERR_NONE) {
        settings_complain(path, sentence);
        return false;
    }
    char fingerprint[KEYS_FINGERPRINT_BYTES];
    (void)printf("%-10s %-5s %s  %s\n", KEYS[key].what, made == ERR_NONE ? "made" : "kept",
                 keys_fingerprint(keys_blob_peek(ret_public), fingerprint), path);
    return true;
}

/* The key of the evidence log is no SSH key: it signs checkpoints, and its public half verifies recordings.
 */
static bool make_log_key(const struct plan *plan)
{
    struct record_log_key key = {.vkey = {.name = ""}};
    enum err made = key_files_make_folder(plan->log_key);
    if (made == ERR_NONE) {
        made = record_log_key_create(plan->log_key, plan->name);
    }
    enum err err = made == ERR_NONE || made == ERR_STATE ? record_log_key_load(plan->log_key, &key) : made;
    if (err != ERR_NONE) {
        settings_complain(plan->log_key, err == ERR_SYSTEM ? strerror(errno) : err_text(err));
        return false;
    }
    char vkey[RECORD_KEY_TEXT_BYTES];
    record_vkey_text(&key.vkey, vkey);
    record_log_key_done(&key);
    (void)printf("%-10s %-5s %s  %s\n", "log key", made == ERR_NONE ? "made" : "kept", vkey, plan->log_key);
    return true;
}

/* For clients of databases with TLS: X.509, since that is what they know. */
static enum err write_database_ca(const struct plan *plan)
{
    enum { YEARS_S = 10 * 366 * 86400, BEFORE_S = 86400 };
    char name[CRYPTO_X509_CA_NAME_BYTES + 1];
    OWNED_SECRET pem = {0};
    (void)snprintf(name, sizeof name, "databases behind %.40s", plan->name);
    TRY(key_files_make_folder(plan->database_ca));
    int64_t now_s = clock_wall_s();
    TRY(crypto_ca_create(name, now_s - BEFORE_S, now_s + YEARS_S, &pem));
    return key_files_write_new(plan->database_ca, 0600, secret_peek(&pem));
}

static bool make_database_ca(const struct plan *plan)
{
    enum err made = write_database_ca(plan);
    if (made != ERR_NONE && made != ERR_STATE) {
        settings_complain(plan->database_ca, made == ERR_SYSTEM ? strerror(errno) : err_text(made));
        return false;
    }
    (void)printf("%-10s %-5s (ssh BASTION db-ca shows its certificate)  %s\n", "db CA",
                 made == ERR_NONE ? "made" : "kept", plan->database_ca);
    return true;
}

static enum err print_line(const char *hosts, const struct keys_blob *blob)
{
    char line[KEYS_LINE_BYTES];
    TRY(keys_line_write(keys_blob_peek(blob), line, sizeof line));
    (void)printf("  %s%s%s\n", hosts, hosts[0] == 0 ? "" : " ", line);
    return ERR_NONE;
}

static enum err print_lines(const struct plan *plan, const struct keys_blob blobs[KEY_COUNT])
{
    char host[LIMIT_HOST_BYTES + 16];
    if (plan->port == SSH_PORT) {
        (void)snprintf(host, sizeof host, "%s", plan->name);
    } else {
        (void)snprintf(host, sizeof host, "[%s]:%u", plan->name, plan->port);
    }
    (void)printf(
        "\nknown_hosts of engineers (the second line: the bastion answers for the hosts behind it):\n");
    TRY(print_line(host, &blobs[KEY_HOST]));
    TRY(print_line(plan->targets, &blobs[KEY_INNER]));
    (void)printf(
        "\nor, instead of both, with clients that know host certificates (OpenSSH, PuTTY since 0.78):\n");
    char hosts[sizeof host + LIMIT_HOST_BYTES + 16];
    bool covers_all = strcmp(plan->targets, "*") == 0;
    (void)snprintf(hosts, sizeof hosts, "@cert-authority %s%s%s", covers_all ? "" : host,
                   covers_all ? "" : ",", plan->targets);
    TRY(print_line(hosts, &blobs[KEY_HOST_CA]));
    (void)printf("\nTargets: put this line into a file, for example /etc/ssh/bastion_user_ca.pub, and name "
                 "the file in\n"
                 "/etc/ssh/sshd_config: TrustedUserCAKeys /etc/ssh/bastion_user_ca.pub\n");
    TRY(print_line("", &blobs[KEY_USER_CA]));
    (void)printf("\nCopy %s.pub off this machine: it verifies recordings.\n", plan->log_key);
    return ERR_NONE;
}

int init_command(int argc, char **argv)
{
    struct wishes wishes = {.config = NULL};
    int status = read_wishes(argc, argv, &wishes);
    if (status >= 0) {
        return status;
    }
    static struct plan plan;
    static struct keys_blob blobs[KEY_COUNT];
    if (!make_plan(&wishes, &plan)) {
        return EXIT_FAILURE;
    }
    if (plan.config != NULL && !folders_make(plan.config)) {
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        if (!make_key((enum key)i, &plan, &blobs[i])) {
            return EXIT_FAILURE;
        }
    }
    if (!make_database_ca(&plan) || !make_log_key(&plan) || print_lines(&plan, blobs) != ERR_NONE) {
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
