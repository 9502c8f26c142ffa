/* bastion-signer: the only process that holds private keys of the bastion. It signs key exchanges, verifies
 * the signatures of people against the session ids that it signed itself, and mints certificates of minutes.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "crypto/secure_memory.h"
#include "ipc/channel.h"
#include "keys/private_key.h"
#include "sandbox/sandbox.h"
#include "signer.h"

enum { EXIT_USAGE = 2, EXIT_KEYS = 3, EXIT_SANDBOX = 4, EXIT_PROTOCOL = 5, SEND_TIMEOUT_MS = 10000 };

static const char USAGE[] =
    "usage: bastion-signer --host-key FILE --inner-key FILE --user-ca FILE --host-ca FILE --uid N --gid N\n"
    "\n"
    "Holds the private keys of the bastion. bastiond starts it; it talks to bastiond on descriptor 3 and to "
    "nobody\n"
    "else, and ends when bastiond does.\n"
    "\n"
    "  --host-key FILE   key of the outer handshake\n"
    "  --inner-key FILE  key by which the bastion answers for targets\n"
    "  --user-ca FILE    certificate authority that targets trust for logins\n"
    "  --host-ca FILE    certificate authority that engineers may trust for the first two keys\n"
    "                    (each: Ed25519, OpenSSH format, no passphrase, mode 0600)\n"
    "  --db-ca FILE      certificate authority for TLS with clients of databases (PEM: key and certificate, "
    "mode "
    "0600;\n"
    "                    without the file there is none)\n"
    "  --uid N --gid N   run as this user and group, once the keys are read\n"
    "  --empty-room      descriptors 4 to 7 are the namespaces of an empty room; else it makes its own\n"
    "  --help, --version\n";

struct arguments {
    const char *paths[SIGNER_KEY_COUNT];
    const char *database_ca; /* NULL: none */
    uint32_t uid, gid;
    bool has_room;
};

static void complain(const char *what, const char *sentence)
{
    (void)fprintf(stderr, "bastion-signer: %s%s%s\n", what, what[0] == 0 ? "" : ": ", sentence);
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

/* @return -1 to go on, or the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *ret)
{
    enum {
        OPTION_UID = SIGNER_KEY_COUNT,
        OPTION_GID,
        OPTION_DB_CA,
        OPTION_ROOM,
        OPTION_HELP,
        OPTION_VERSION
    };
    static const struct option OPTIONS[] = {
        {"host-key", required_argument, NULL, SIGNER_HOST},
        {"inner-key", required_argument, NULL, SIGNER_INNER},
        {"user-ca", required_argument, NULL, SIGNER_USER_CA},
        {"host-ca", required_argument, NULL, SIGNER_HOST_CA},
        {"db-ca", required_argument, NULL, OPTION_DB_CA},
        {"uid", required_argument, NULL, OPTION_UID},
        {"gid", required_argument, NULL, OPTION_GID},
        {"empty-room", no_argument, NULL, OPTION_ROOM},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    int option = 0;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        bool is_ok = true;
        if (option >= SIGNER_HOST && option < SIGNER_KEY_COUNT) {
            ret->paths[option] = optarg;
        } else if (option == OPTION_UID || option == OPTION_GID) {
            is_ok = read_id(optarg, option == OPTION_UID ? &ret->uid : &ret->gid);
        } else if (option == OPTION_DB_CA) {
            ret->database_ca = optarg;
        } else if (option == OPTION_ROOM) {
            ret->has_room = true;
        } else if (option == OPTION_HELP || option == OPTION_VERSION) {
            (void)fputs(option == OPTION_HELP ? USAGE : "bastion-signer " BASTION_VERSION "\n", stdout);
            return EXIT_SUCCESS;
        } else {
            is_ok = false;
        }
        if (!is_ok) {
            (void)fputs(USAGE, stderr);
            return EXIT_USAGE;
        }
    }
    bool has_keys = true;
    for (unsigned i = 0; i < SIGNER_KEY_COUNT; i++) {
        has_keys = has_keys && ret->paths[i] != NULL;
    }
    if (!has_keys || optind != argc || ret->uid == 0 || ret->gid == 0) {
        (void)fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

static const char *file_sentence(enum err err)
{
    if (err == ERR_NOT_FOUND) {
        return "does not exist; \"bastion init\" makes it";
    }
    if (err == ERR_DENIED) {
        return "must be a regular file that root owns, with mode 0600";
    }
    return err == ERR_SYSTEM ? strerror(errno) : err_text(err);
}

static bool load_key(const char *path, struct signer_key *key)
{
    OWNED_SECRET file = {0};
    OWNED_SECRET seed = {0};
    enum err err = fd_read_secret_file(AT_FDCWD, path, KEYS_PRIVATE_FILE_BYTES, &file);
    const char *sentence = file_sentence(err);
    if (err == ERR_NONE) {
        err = keys_private_read(secret_peek(&file), &seed, &key->blob, &sentence);
    }
    if (err == ERR_NONE) {
        err = crypto_ed25519_load(&key->key, seed.bytes);
        sentence = err_text(err);
    }
    if (err != ERR_NONE) {
        complain(path, sentence);
    }
    return err == ERR_NONE;
}

/* One key for two purposes is how a signature made for the one is used for the other. */
static bool is_each_ca_alone(const struct arguments *arguments, const struct signer *signer)
{
    for (unsigned ca = SIGNER_USER_CA; ca <= SIGNER_HOST_CA; ca++) {
        for (unsigned i = 0; i < ca; i++) {
            if (cursor_equal(keys_blob_peek(&signer->keys[i].blob), keys_blob_peek(&signer->keys[ca].blob))) {
                complain(arguments->paths[i], ca == SIGNER_USER_CA
                                                  ? "is the same key as the user CA: make another one"
                                                  : "is the same key as the host CA: make another one");
                return false;
            }
        }
    }
    return true;
}

/* Nobody needs one where no target has `client_tls: terminate`. */
static bool load_database_ca(const char *path, struct signer *signer)
{
    OWNED_SECRET file = {0};
    enum err err =
        path == NULL ? ERR_NOT_FOUND : fd_read_secret_file(AT_FDCWD, path, CRYPTO_X509_CA_FILE_BYTES, &file);
    if (err == ERR_NOT_FOUND) {
        return true;
    }
    const char *sentence = file_sentence(err);
    if (err == ERR_NONE) {
        err = crypto_ca_load(secret_peek(&file), &signer->database_ca);
        sentence = "is no private key with the certificate of a CA";
    }
    if (err != ERR_NONE) {
        complain(path, sentence);
    }
    return err == ERR_NONE;
}

static bool load_keys(const struct arguments *arguments, struct signer *signer)
{
    if (crypto_secure_memory_start() != ERR_NONE) {
        complain("", "memory for the keys cannot be locked: raise RLIMIT_MEMLOCK to 64 KiB or more");
        return false;
    }
    for (unsigned i = 0; i < SIGNER_KEY_COUNT; i++) {
        if (!load_key(arguments->paths[i], &signer->keys[i])) {
            return false;
        }
    }
    return is_each_ca_alone(arguments, signer) && load_database_ca(arguments->database_ca, signer);
}

/* The keys were read; no message was. From here on there is descriptor 3 and nothing else. */
static bool close_sandbox(const struct arguments *arguments)
{
    /* The monitor gives the room that it made: once its own sandbox is closed nobody below it can make
     * another. */
    static const int ROOM[SANDBOX_NAMESPACE_COUNT] = {IPC_CHANNEL_FD + 1, IPC_CHANNEL_FD + 2,
                                                      IPC_CHANNEL_FD + 3, IPC_CHANNEL_FD + 4};
    const struct sandbox_place place = {
        .uid = arguments->uid, .gid = arguments->gid, .namespace_fds = arguments->has_room ? ROOM : NULL};
    struct sandbox_refusal why;
    if (sandbox_close_room(&SANDBOX_SIGNER, &place, &why) != ERR_NONE ||
        sandbox_close_calls(&SANDBOX_SIGNER, &why) != ERR_NONE) {
        complain("", why.sentence);
        return false;
    }
    return true;
}

/* The channel does not block; its reader is the monitor, which always reads. */
static enum err send_reply(enum ipc_type type, uint32_t ref, const struct writer *reply)
{
    struct cursor body;
    TRY(writer_done(reply, &body));
    enum err err = ipc_send(IPC_CHANNEL_FD, type, ref, body, NULL, 0);
    if (err == ERR_AGAIN) {
        struct pollfd wanted = {.fd = IPC_CHANNEL_FD, .events = POLLOUT};
        (void)poll(&wanted, 1, SEND_TIMEOUT_MS);
        err = ipc_send(IPC_CHANNEL_FD, type, ref, body, NULL, 0);
    }
    return err;
}

static enum err send_ready(const struct signer *signer)
{
    uint8_t memory[512 + CRYPTO_X509_DER_BYTES];
    struct writer body = writer_of(memory, sizeof memory);
    for (unsigned i = 0; i < SIGNER_KEY_COUNT; i++) {
        writer_string(&body, keys_blob_peek(&signer->keys[i].blob));
    }
    writer_string(&body, signer->database_ca == NULL ? cursor_of(NULL, 0)
                                                     : crypto_ca_certificate(signer->database_ca));
    return send_reply(IPC_SIGNER_READY, 0, &body);
}

static enum err serve_one(struct signer *signer, struct ipc_ledger *ledger, struct ipc_message *message)
{
    TRY(ipc_wait(IPC_CHANNEL_FD, -1));
    enum err err = ipc_receive(IPC_CHANNEL_FD, message);
    if (err != ERR_NONE) {
        return err == ERR_AGAIN ? ERR_NONE : err;
    }
    err = ipc_check(ledger, message, PEER_MONITOR, PEER_SIGNER, PHASE_KEX);
    ipc_message_done(message); /* no message to the signer carries a descriptor */
    TRY(err);
    uint8_t memory[IPC_BODY_MAX];
    struct writer reply = writer_of(memory, sizeof memory);
    enum ipc_type type = IPC_NONE;
    TRY(signer_answer(signer, message, clock_wall_s(), &type, &reply));
    /* A wrong signature is an engineer's doing: the monitor has an event for it, and it would flood this log.
     */
    if (signer->refusal != NULL && message->type != IPC_VERIFY_USER) {
        complain("refused", signer->refusal);
    }
    return type == IPC_NONE ? ERR_NONE : send_reply(type, message->ref, &reply);
}

static int serve(struct signer *signer)
{
    static struct ipc_ledger ledger;
    static struct ipc_message message;
    enum err err = send_ready(signer);
    while (err == ERR_NONE) {
        err = serve_one(signer, &ledger, &message);
    }
    if (err == ERR_CLOSED) {
        return EXIT_SUCCESS;
    }
    complain("a message from the monitor breaks the rules", err_text(err));
    return EXIT_PROTOCOL;
}

int main(int argc, char **argv)
{
    static struct signer signer; /* 400 KiB */
    struct arguments arguments = {.uid = 0};
    int status = read_arguments(argc, argv, &arguments);
    if (status >= 0) {
        return status;
    }
    status = EXIT_KEYS;
    if (load_keys(&arguments, &signer)) {
        status = EXIT_SANDBOX;
        if (close_sandbox(&arguments)) {
            status = serve(&signer);
        }
    }
    for (unsigned i = 0; i < SIGNER_KEY_COUNT; i++) {
        crypto_ed25519_done(&signer.keys[i].key);
    }
    crypto_ca_free(signer.database_ca);
    return status;
}
