#include "enroll/enroll.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/random.h"
#include "oath_users.h"
#include "qr.h"
#include "settings.h"
#include "totp.h"
#include "users_file.h"

enum { EXIT_USAGE = 2 };

static const char USAGE[] =
    "usage: bastion mfa enroll NAME [--force] [--issuer TEXT] [--json] [--qr | --no-qr]\n"
    "       bastion mfa list [--json]\n"
    "       bastion mfa revoke NAME\n"
    "\n"
    "One-time code secrets (TOTP) of people, in the users file of pam_oath.\n"
    "\n"
    "  enroll  make a secret for NAME and print it once, as QR code, URI and text\n"
    "  list    who has a secret, and when it was last used\n"
    "  revoke  remove the secret of NAME; leases that were given with it last until they end\n"
    "\n"
    "  --config FILE      configuration of the gateway (" SETTINGS_DEFAULT_CONFIG ")\n"
    "  --users-file FILE  users file of pam_oath, if not the one of the PAM service\n"
    "  --force            replace the secret that NAME has\n"
    "  --issuer TEXT      how the app names the bastion (\"bastion\")\n"
    "  --qr, --no-qr      draw the QR code; without either: where stdout is a terminal\n";

struct wishes {
    const char *config, *users_file, *issuer;
    bool is_forced, is_json, wants_qr, wants_no_qr;
    const char *verb, *person; /* person: NULL for list */
};

static bool is_verb(const struct wishes *wishes, const char *verb)
{
    return strcmp(wishes->verb, verb) == 0;
}

static bool take_words(int argc, char **argv, struct wishes *wishes)
{
    if (argc == 0) {
        return false;
    }
    wishes->verb = argv[0];
    if (is_verb(wishes, "list")) {
        return argc == 1;
    }
    if (argc != 2 || (!is_verb(wishes, "enroll") && !is_verb(wishes, "revoke"))) {
        return false;
    }
    wishes->person = argv[1];
    return true;
}

/* @return -1 to go on, or the exit status. */
static int read_wishes(int argc, char **argv, struct wishes *ret)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'},
        {"users-file", required_argument, NULL, 'u'},
        {"issuer", required_argument, NULL, 'i'},
        {"force", no_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},
        {"qr", no_argument, NULL, 'q'},
        {"no-qr", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    optind = 0; /* the program may have parsed its own options before */
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'c':
            ret->config = optarg;
            break;
        case 'u':
            ret->users_file = optarg;
            break;
        case 'i':
            ret->issuer = optarg;
            break;
        case 'f':
            ret->is_forced = true;
            break;
        case 'j':
            ret->is_json = true;
            break;
        case 'q':
            ret->wants_qr = true;
            break;
        case 'n':
            ret->wants_no_qr = true;
            break;
        case 'h':
            (void)fputs(USAGE, stdout);
            return EXIT_SUCCESS;
        default:
            (void)fputs(USAGE, stderr);
            return EXIT_USAGE;
        }
    }
    if (!take_words(argc - optind, argv + optind, ret)) {
        (void)fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    if (ret->person != NULL && !text_is_person(cursor_of_text(ret->person))) {
        settings_complain(ret->person,
                          "is no person's name: a small letter, then small letters, digits, \".\", \"_\" and "
                          "\"-\", at most 32");
        return EXIT_USAGE;
    }
    return -1;
}

/* The file, and its folder where a configuration says whose it is. */
static bool find_file(const struct wishes *wishes, struct users_file *ret_file)
{
    static struct gateway_config config;
    char path[CONFIG_PATH_BYTES] = "";
    bool has_config = wishes->users_file == NULL || wishes->config != NULL;
    if (has_config && settings_load(wishes->config == NULL ? SETTINGS_DEFAULT_CONFIG : wishes->config,
                                    &config) != ERR_NONE) {
        return false;
    }
    if (wishes->users_file == NULL && settings_users_file(&config, path, sizeof path) != ERR_NONE) {
        return false;
    }
    const char *chosen = wishes->users_file == NULL ? path : wishes->users_file;
    if (users_file_at(chosen, ret_file) != ERR_NONE) {
        settings_complain(chosen, "is no absolute path of a file");
        return false;
    }
    if (has_config && users_file_make_folder(ret_file, config.uids.pam) != ERR_NONE) {
        settings_complain(ret_file->folder, strerror(errno));
        return false;
    }
    return true;
}

static void complain_file(const struct users_file *file, enum err err)
{
    if (err == ERR_NOT_FOUND) {
        settings_complain(file->folder, "does not exist: make it with mode 0700 for the user of bastion-pam "
                                        "(uids.pam), or name the configuration with --config");
    } else if (err == ERR_DENIED) {
        settings_complain(file->folder,
                          "it and the users file in it must be open to the user of bastion-pam alone "
                          "(0700 and 0600)");
    } else {
        settings_complain(file->folder, err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
}

struct enrolment {
    const char *person;
    bool is_forced;
    bool is_written; /* a second look must not take our own line for an old one */
    uint8_t secret[TOTP_SECRET_BYTES];
};

static enum err change_enroll(void *context, struct cursor old, struct secret *ret_text)
{
    struct enrolment *enrolment = context;
    struct cursor secret = cursor_of(enrolment->secret, sizeof enrolment->secret);
    if (oath_users_holds(old, enrolment->person, secret)) {
        return ERR_AGAIN;
    }
    if (!enrolment->is_forced && !enrolment->is_written && oath_users_has(old, enrolment->person)) {
        return ERR_STATE;
    }
    enrolment->is_written = true;
    return oath_users_set(old, enrolment->person, secret, ret_text);
}

static enum err change_revoke(void *context, struct cursor old, struct secret *ret_text)
{
    struct enrolment *enrolment = context;
    enum err err = oath_users_remove(old, enrolment->person, ret_text);
    if (err == ERR_NOT_FOUND) {
        return enrolment->is_written ? ERR_AGAIN : ERR_STATE;
    }
    enrolment->is_written = true;
    return err;
}

static int print_enrolment(const struct wishes *wishes, const struct enrolment *enrolment)
{
    char base32[TOTP_BASE32_BYTES];
    char uri[TOTP_URI_BYTES];
    totp_base32(enrolment->secret, base32);
    const char *issuer = wishes->issuer == NULL ? "bastion" : wishes->issuer;
    int status = EXIT_SUCCESS;
    if (totp_uri(issuer, wishes->person, base32, uri) != ERR_NONE) {
        settings_complain("--issuer", "is too long");
        status = EXIT_FAILURE;
    } else if (wishes->is_json) {
        /* The name, base32 and a percent-encoded URI need no escapes. */
        (void)printf("{\"person\":\"%s\",\"secret\":\"%s\",\"uri\":\"%s\"}\n", wishes->person, base32, uri);
    } else {
        bool draws = !wishes->wants_no_qr && (wishes->wants_qr || isatty(STDOUT_FILENO) == 1);
        if (draws && qr_print(stdout, uri) != ERR_NONE) {
            settings_complain("", "the QR code cannot be drawn; the URI below holds the same");
        }
        (void)printf("%s has a new secret. Show it to nobody else; it is not shown again.\n"
                     "  uri     %s\n  secret  %s\n",
                     wishes->person, uri, base32);
    }
    secret_wipe(base32, sizeof base32);
    secret_wipe(uri, sizeof uri);
    return fflush(stdout) == 0 ? status : EXIT_FAILURE;
}

static int run_enroll(const struct wishes *wishes, const struct users_file *file)
{
    if (wishes->issuer != NULL && (strlen(wishes->issuer) == 0 || strlen(wishes->issuer) > 64)) {
        settings_complain("--issuer", "has 1 to 64 bytes");
        return EXIT_USAGE;
    }
    struct enrolment enrolment = {.person = wishes->person, .is_forced = wishes->is_forced};
    crypto_random(enrolment.secret, sizeof enrolment.secret);
    enum err err = users_file_change(file, change_enroll, &enrolment);
    int status = EXIT_FAILURE;
    if (err == ERR_NONE) {
        status = print_enrolment(wishes, &enrolment);
    } else if (err == ERR_STATE) {
        settings_complain(wishes->person,
                          "has a secret already; --force replaces it, and the old one is worth nothing "
                          "from then on");
    } else {
        complain_file(file, err);
    }
    secret_wipe(&enrolment, sizeof enrolment);
    return status;
}

static int run_revoke(const struct wishes *wishes, const struct users_file *file)
{
    struct enrolment enrolment = {.person = wishes->person};
    enum err err = users_file_change(file, change_revoke, &enrolment);
    if (err == ERR_STATE) {
        settings_complain(wishes->person, "has no secret");
        return EXIT_FAILURE;
    }
    if (err != ERR_NONE) {
        complain_file(file, err);
        return EXIT_FAILURE;
    }
    if (wishes->is_json) {
        (void)printf("{\"person\":\"%s\",\"revoked\":true}\n", wishes->person);
    } else {
        (void)printf("The secret of %s is removed.\n", wishes->person);
    }
    return EXIT_SUCCESS;
}

/* pam_oath writes a time like 2026-11-23T12:00:00L; anything else would need escapes. */
static void show_time(struct cursor time, char ret_text[static 64])
{
    text_printable(time, ret_text, 64);
    if (strspn(ret_text, "0123456789-:TLZ+.") != strlen(ret_text)) {
        ret_text[0] = 0;
    }
}

static int run_list(const struct wishes *wishes, const struct users_file *file)
{
    OWNED_SECRET text = {0};
    enum err err = users_file_read(file, &text);
    if (err != ERR_NONE) {
        complain_file(file, err);
        return EXIT_FAILURE;
    }
    struct cursor rest = secret_peek(&text);
    struct oath_user user;
    while (oath_users_next(&rest, &user)) {
        char person[64];
        char used[64];
        text_printable(user.person, person, sizeof person);
        show_time(user.last_used, used);
        if (!text_is_person(user.person)) {
            continue; /* pam_oath may serve others from this file; the bastion knows no such person */
        }
        if (wishes->is_json) {
            (void)printf("{\"person\":\"%s\",\"last_used\":\"%s\"}\n", person, used);
        } else {
            (void)printf("%-32s  %s\n", person, used[0] == 0 ? "never used" : used);
        }
    }
    return EXIT_SUCCESS;
}

int enroll_command(int argc, char **argv)
{
    struct wishes wishes = {.config = NULL};
    int status = read_wishes(argc, argv, &wishes);
    if (status >= 0) {
        return status;
    }
    struct users_file file;
    if (!find_file(&wishes, &file)) {
        return EXIT_FAILURE;
    }
    if (is_verb(&wishes, "enroll")) {
        return run_enroll(&wishes, &file);
    }
    return is_verb(&wishes, "revoke") ? run_revoke(&wishes, &file) : run_list(&wishes, &file);
}
