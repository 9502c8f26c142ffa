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
#include "recovery_files.h"
#include "settings.h"
#include "totp.h"
#include "users_file.h"

enum { EXIT_USAGE = 2 };

static const char USAGE[] =
    "usage: bastion mfa enroll NAME [--force] [--issuer TEXT] [--json] [--qr | --no-qr] [--no-recovery]\n"
    "       bastion mfa recovery NAME [--json]\n"
    "       bastion mfa list [--json]\n"
    "       bastion mfa revoke NAME\n"
    "\n"
    "One-time code secrets (TOTP) of people, in the users file of pam_oath, and their recovery codes.\n"
    "\n"
    "  enroll    make a secret for NAME and print it once, as QR code, URI and text; and ten recovery codes\n"
    "  recovery  make ten new recovery codes for NAME and print them once; older ones are worth nothing "
    "then\n"
    "  list      who has a secret, when it was last used, how many recovery codes are left\n"
    "  revoke    remove the secret and the recovery codes of NAME; leases last until they end\n"
    "\n"
    "  --config FILE      configuration of the gateway (" SETTINGS_DEFAULT_CONFIG ")\n"
    "  --users-file FILE  users file of pam_oath, if not the one of the PAM service\n"
    "  --force            replace the secret that NAME has\n"
    "  --no-recovery      leave the recovery codes as they are\n"
    "  --issuer TEXT      how the app names the bastion (\"bastion\")\n"
    "  --qr, --no-qr      draw the QR code; without either: where stdout is a terminal\n";

struct wishes {
    const char *config, *users_file, *issuer;
    bool is_forced, is_json, wants_qr, wants_no_qr, wants_no_recovery;
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
    if (argc != 2 ||
        (!is_verb(wishes, "enroll") && !is_verb(wishes, "revoke") && !is_verb(wishes, "recovery"))) {
        return false;
    }
    wishes->person = argv[1];
    return true;
}

/* @return -1 to go on, or the exit status. */
static int read_wishes(int argc, char **argv, struct wishes *ret)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'}, {"users-file", required_argument, NULL, 'u'},
        {"issuer", required_argument, NULL, 'i'}, {"force", no_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},         {"qr", no_argument, NULL, 'q'},
        {"no-qr", no_argument, NULL, 'n'},        {"no-recovery", no_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
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
        case 'r':
            ret->wants_no_recovery = true;
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
        settings_complain(ret->person, SETTINGS_NO_PERSON);
        return EXIT_USAGE;
    }
    return -1;
}

struct place {
    struct users_file file;
    const struct gateway_config *config; /* NULL: only the users file is known */
};

static bool find_config(const struct wishes *wishes, struct place *ret)
{
    static struct gateway_config config;
    bool has_config = wishes->users_file == NULL || wishes->config != NULL;
    if (has_config && settings_load(wishes->config == NULL ? SETTINGS_DEFAULT_CONFIG : wishes->config,
                                    &config) != ERR_NONE) {
        return false;
    }
    ret->config = has_config ? &config : NULL;
    return true;
}

/* The file, and its folder where a configuration says whose it is. */
static bool find_file(const struct wishes *wishes, struct place *place)
{
    char path[CONFIG_PATH_BYTES] = "";
    if (wishes->users_file == NULL && settings_users_file(place->config, path, sizeof path) != ERR_NONE) {
        return false;
    }
    const char *chosen = wishes->users_file == NULL ? path : wishes->users_file;
    if (users_file_at(chosen, &place->file) != ERR_NONE) {
        settings_complain(chosen, "is no absolute path of a file");
        return false;
    }
    if (place->config != NULL && users_file_make_folder(&place->file, place->config->uids.pam) != ERR_NONE) {
        settings_complain(place->file.folder, strerror(errno));
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

/* ---- recovery codes ---- */

static bool make_codes(const struct place *place, const char *person, struct recovery_codes *ret)
{
    enum err err = recovery_files_make(place->config, person, ret);
    if (err != ERR_NONE) {
        settings_complain("recovery codes", err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
    return err == ERR_NONE;
}

static int run_recovery(const struct wishes *wishes, const struct place *place)
{
    struct recovery_codes codes = {.count = 0};
    if (place->config == NULL || !make_codes(place, wishes->person, &codes)) {
        return EXIT_FAILURE;
    }
    (void)(wishes->is_json ? printf("{\"person\":\"%s\",", wishes->person) : 0);
    recovery_codes_print(&codes, wishes->is_json);
    (void)(wishes->is_json ? printf("}\n") : 0);
    secret_wipe(&codes, sizeof codes);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- secrets ---- */

static int print_enrolment(const struct wishes *wishes, const struct enrolment *enrolment,
                           const struct recovery_codes *codes)
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
        (void)printf("{\"person\":\"%s\",\"secret\":\"%s\",\"uri\":\"%s\",", wishes->person, base32, uri);
        recovery_codes_print(codes, true);
        (void)printf("}\n");
    } else {
        bool draws = !wishes->wants_no_qr && (wishes->wants_qr || isatty(STDOUT_FILENO) == 1);
        if (draws && qr_print(stdout, uri) != ERR_NONE) {
            settings_complain("", "the QR code cannot be drawn; the URI below holds the same");
        }
        (void)printf("%s has a new secret. Show it to nobody else; it is not shown again.\n"
                     "  uri     %s\n  secret  %s\n",
                     wishes->person, uri, base32);
        recovery_codes_print(codes, false);
    }
    secret_wipe(base32, sizeof base32);
    secret_wipe(uri, sizeof uri);
    return fflush(stdout) == 0 ? status : EXIT_FAILURE;
}

static int run_enroll(const struct wishes *wishes, const struct place *place)
{
    const struct users_file *file = &place->file;
    struct recovery_codes codes = {.count = 0};
    if (wishes->issuer != NULL && (strlen(wishes->issuer) == 0 || strlen(wishes->issuer) > 64)) {
        settings_complain("--issuer", "has 1 to 64 bytes");
        return EXIT_USAGE;
    }
    struct enrolment enrolment = {.person = wishes->person, .is_forced = wishes->is_forced};
    crypto_random(enrolment.secret, sizeof enrolment.secret);
    enum err err = users_file_change(file, change_enroll, &enrolment);
    int status = EXIT_FAILURE;
    if (err == ERR_NONE) {
        bool wants_codes = place->config != NULL && !wishes->wants_no_recovery;
        status = !wants_codes || make_codes(place, wishes->person, &codes) ? EXIT_SUCCESS : EXIT_FAILURE;
        status = print_enrolment(wishes, &enrolment, &codes) == EXIT_SUCCESS ? status : EXIT_FAILURE;
    } else if (err == ERR_STATE) {
        settings_complain(wishes->person,
                          "has a secret already; --force replaces it, and the old one is worth nothing "
                          "from then on");
    } else {
        complain_file(file, err);
    }
    secret_wipe(&enrolment, sizeof enrolment);
    secret_wipe(&codes, sizeof codes);
    return status;
}

static int run_revoke(const struct wishes *wishes, const struct place *place)
{
    const struct users_file *file = &place->file;
    if (place->config != NULL && recovery_files_remove(place->config, wishes->person) != ERR_NONE) {
        settings_complain("recovery codes", strerror(errno));
        return EXIT_FAILURE;
    }
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

static int run_list(const struct wishes *wishes, const struct place *place)
{
    const struct users_file *file = &place->file;
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
        unsigned left = 0;
        bool has_codes = place->config != NULL && recovery_files_left(place->config, person, &left);
        if (wishes->is_json) {
            (void)printf("{\"person\":\"%s\",\"last_used\":\"%s\"", person, used);
            (void)(has_codes ? printf(",\"recovery_codes\":%u}\n", left) : printf("}\n"));
        } else {
            (void)printf("%-32s  %s%s", person, used[0] == 0 ? "never used" : used, has_codes ? "" : "\n");
            (void)(has_codes ? printf(", %u recovery codes left\n", left) : 0);
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
    struct place place = {.config = NULL};
    if (!find_config(&wishes, &place)) {
        return EXIT_FAILURE;
    }
    if (is_verb(&wishes, "recovery")) {
        return run_recovery(&wishes, &place);
    }
    if (!find_file(&wishes, &place)) {
        return EXIT_FAILURE;
    }
    if (is_verb(&wishes, "enroll")) {
        return run_enroll(&wishes, &place);
    }
    return is_verb(&wishes, "revoke") ? run_revoke(&wishes, &place) : run_list(&wishes, &place);
}
