/* bastion-pam: one PAM conversation, then it ends. Modules block, leak and crash; here they can do so alone,
 * as a user that owns nothing but their own state, until the monitor's deadline kills the process. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "base/writer.h"
#include "conversation.h"
#include "ipc/channel.h"
#include "sandbox/sandbox.h"

enum {
    EXIT_USAGE = 2,
    EXIT_SANDBOX = 4,
    EXIT_PROTOCOL = 5,
    DEADLINE_S = 120, /* the monitor's own deadline is shorter; this one holds when the monitor is gone */
    PATH_BYTES = 256,
    WRITABLE_MAX = 8,
};

static const char USAGE[] =
    "usage: bastion-pam --uid N --gid N [--writable PATH]...\n"
    "\n"
    "Runs one PAM conversation for bastiond, which starts it and talks to it on descriptor 3.\n"
    "\n"
    "  --writable PATH  a file or folder that modules may write, at most eight; nothing else\n"
    "  --uid N --gid N  run as this user and group: the owner of what the modules write (pam_oath's users "
    "file)\n"
    "  --help, --version\n";

struct arguments {
    uint32_t uid, gid;
    unsigned writable_count;
    const char *writable[WRITABLE_MAX + 2]; /* and /dev/null, and the NULL that ends it */
};

/* PAM_START */
struct start {
    char person[LIMIT_PERSON_BYTES];
    char remote_host[LIMIT_ADDRESS_BYTES];
    char service[64];
    char confdir[PATH_BYTES];
};

static void complain(const char *sentence)
{
    (void)fprintf(stderr, "bastion-pam: %s\n", sentence);
}

static bool read_id(const char *text, uint32_t *ret_id)
{
    uint64_t value = 0;
    if (text_u64(cursor_of_text(text), UINT32_MAX - 1, &value) != ERR_NONE || value == 0) {
        return false;
    }
    *ret_id = (uint32_t)value;
    return true;
}

static bool add_writable(struct arguments *arguments, const char *path)
{
    if (arguments->writable_count == WRITABLE_MAX) {
        return false;
    }
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return true; /* what is not there cannot be written either */
    }
    arguments->writable[arguments->writable_count++] = path;
    return true;
}

/* @return -1 to go on, or the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *ret)
{
    static const struct option OPTIONS[] = {
        {"uid", required_argument, NULL, 'u'},      {"gid", required_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},           {"version", no_argument, NULL, 'v'},
        {"writable", required_argument, NULL, 'w'}, {NULL, 0, NULL, 0},
    };
    int option = 0;
    bool is_ok = true;
    while (is_ok && (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option == 'h' || option == 'v') {
            (void)fputs(option == 'h' ? USAGE : "bastion-pam " BASTION_VERSION "\n", stdout);
            return EXIT_SUCCESS;
        }
        is_ok = (option == 'u' && read_id(optarg, &ret->uid)) ||
                (option == 'g' && read_id(optarg, &ret->gid)) || (option == 'w' && add_writable(ret, optarg));
    }
    if (!is_ok || optind != argc || ret->uid == 0 || ret->gid == 0) {
        (void)fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* Nothing was read yet. */
static bool close_sandbox(struct arguments *arguments)
{
    /* Modules that start helpers open /dev/null. */
    arguments->writable[arguments->writable_count] = "/dev/null";
    const struct sandbox_place place = {
        .uid = arguments->uid, .gid = arguments->gid, .writable_paths = arguments->writable};
    struct sandbox_refusal why;
    if (sandbox_close_room(&SANDBOX_PAM, &place, &why) != ERR_NONE ||
        sandbox_close_calls(&SANDBOX_PAM, &why) != ERR_NONE) {
        complain(why.sentence);
        return false;
    }
    return true;
}

static enum err receive_start(struct conversation *conversation, struct start *start)
{
    struct ipc_message *message = &conversation->message;
    enum err err = ERR_AGAIN;
    while (err == ERR_AGAIN) {
        TRY(ipc_wait(IPC_CHANNEL_FD, -1));
        err = ipc_receive(IPC_CHANNEL_FD, message);
    }
    TRY(err);
    err = ipc_check(&conversation->ledger, message, PEER_MONITOR, PEER_PAM, PHASE_KEX);
    ipc_message_done(message);
    TRY(err);
    if (message->type != IPC_PAM_START) {
        return ERR_STATE;
    }
    struct cursor body = message->body;
    TRY(cursor_text(&body, start->person, sizeof start->person));
    TRY(cursor_text(&body, start->remote_host, sizeof start->remote_host));
    TRY(cursor_text(&body, start->service, sizeof start->service));
    TRY(cursor_text(&body, start->confdir, sizeof start->confdir));
    TRY(cursor_end(&body));
    /* Modules build paths from these. */
    bool is_service = text_is_account(cursor_of_text(start->service));
    return text_is_person(cursor_of_text(start->person)) && is_service ? ERR_NONE : ERR_MALFORMED;
}

static int open_handle(const struct start *start, const struct pam_conv *callback, pam_handle_t **ret)
{
    int code = start->confdir[0] == 0
                   ? pam_start(start->service, start->person, callback, ret)
                   : pam_start_confdir(start->service, start->person, callback, start->confdir, ret);
    if (code == PAM_SUCCESS) {
        code = pam_set_item(*ret, PAM_RHOST, start->remote_host);
    }
    return code == PAM_SUCCESS ? pam_set_item(*ret, PAM_TTY, "ssh") : code;
}

/* A module may map one user to another (pam_set_item); the bastion knows only the one that holds the key. */
static bool is_same_person(pam_handle_t *handle, const char *person)
{
    const void *now = NULL;
    return pam_get_item(handle, PAM_USER, &now) == PAM_SUCCESS && now != NULL && strcmp(now, person) == 0;
}

static int authenticate(pam_handle_t *handle, struct conversation *conversation, const char *person)
{
    int code = pam_authenticate(handle, PAM_DISALLOW_NULL_AUTHTOK);
    if (code == PAM_USER_UNKNOWN && conversation->answer_count == 0) {
        conversation_ask_in_vain(conversation, person);
    }
    if (code == PAM_SUCCESS) {
        code = pam_acct_mgmt(handle, PAM_DISALLOW_NULL_AUTHTOK);
    }
    if (code == PAM_SUCCESS && !is_same_person(handle, person)) {
        code = PAM_PERM_DENIED;
    }
    return code;
}

static enum err send_result(int code, const char *sentence)
{
    uint8_t memory[LIMIT_SENTENCE_BYTES + 16];
    char clean[LIMIT_SENTENCE_BYTES];
    text_printable(cursor_of_text(sentence), clean, sizeof clean);
    struct writer out = writer_of(memory, sizeof memory);
    writer_bool(&out, code == PAM_SUCCESS);
    writer_u8(&out, (uint8_t)((unsigned)code & 0xffU));
    writer_text(&out, clean);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return ipc_send(IPC_CHANNEL_FD, IPC_PAM_RESULT, 0, body, NULL, 0);
}

static enum err serve(struct conversation *conversation)
{
    struct start start;
    TRY(receive_start(conversation, &start));
    struct pam_conv callback = {conversation_run, conversation};
    pam_handle_t *handle = NULL;
    int code = open_handle(&start, &callback, &handle);
    if (code == PAM_SUCCESS) {
        code = authenticate(handle, conversation, start.person);
    }
    enum err err = send_result(code, handle == NULL ? "PAM cannot be started" : pam_strerror(handle, code));
    if (handle != NULL) {
        (void)pam_end(handle, code);
    }
    return err;
}

int main(int argc, char **argv)
{
    static struct conversation conversation;
    struct arguments arguments = {.uid = 0};
    int status = read_arguments(argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    (void)alarm(DEADLINE_S);
    if (!close_sandbox(&arguments)) {
        return EXIT_SANDBOX;
    }
    enum err err = serve(&conversation);
    bool is_ok = err == ERR_NONE || err == ERR_CLOSED;
    if (!is_ok) {
        complain(err_text(err));
    }
    /* Not exit(): what modules have left behind, handlers and memory, shall have no last word. */
    _exit(is_ok ? EXIT_SUCCESS : EXIT_PROTOCOL);
}
