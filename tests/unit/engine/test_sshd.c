/* A client engine against the real OpenSSH server: login by a certificate of a CA that the server trusts,
 * refusal of another CA's, a command, and new keys from both sides. Left out where there is no sshd(8), and
 * without root. */
#include "engine_wire.h"

enum {
    SSH_CHANNEL_OPEN = 90,
    SSH_CHANNEL_CONFIRMATION = 91,
    SSH_CHANNEL_WINDOW = 93,
    SSH_CHANNEL_DATA = 94,
    SSH_CHANNEL_EOF = 96,
    SSH_CHANNEL_CLOSE = 97,
    SSH_CHANNEL_REQUEST = 98,
    OUR_CHANNEL = 5,
    DATA_BYTES = 8 * 1024 * 1024,
    PART_BYTES = 32000,
};

struct sshd {
    char folder[64];
    uint16_t port;
    pid_t child;
};

struct client {
    struct pair pair; /* only its client side is used */
    uint32_t channel;
    uint64_t window, sent, received, bad_count;
    bool is_open, is_closed;
    uint32_t exit_status;
};

static const struct {
    const char *name, *algorithm;
} HOST_KEYS[] = {{"ed25519", "ssh-ed25519"}, {"ecdsa", "ecdsa-sha2-nistp256"}, {"rsa", "rsa-sha2-512"}};

static void keygen(const char *const arguments[])
{
    int status = 0;
    pid_t child = wire_run(arguments, 0, 1, "/dev/null");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Keys of the host, each with a certificate. */
static void make_host_keys(const struct sshd *sshd)
{
    char ca[WIRE_TEXT_BYTES], path[WIRE_TEXT_BYTES], public[2 * WIRE_TEXT_BYTES];
    (void)snprintf(ca, sizeof ca, "%s/host_ca", sshd->folder);
    keygen((const char *[]){"/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ca, NULL});
    for (size_t i = 0; i < COUNT_OF(HOST_KEYS); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", sshd->folder, HOST_KEYS[i].name);
        (void)snprintf(public, sizeof public, "%s.pub", path);
        keygen((const char *[]){"/usr/bin/ssh-keygen", "-q", "-t", HOST_KEYS[i].name, "-N", "", "-f", path,
                                NULL});
        keygen((const char *[]){"/usr/bin/ssh-keygen", "-q", "-s", ca, "-h", "-I", "host", "-n", "node1",
                                public, NULL});
    }
}

static void start_sshd(struct sshd *sshd, const struct crypto_ed25519 *trusted_ca)
{
    char text[8 * WIRE_TEXT_BYTES], line[WIRE_TEXT_BYTES];
    (void)snprintf(sshd->folder, sizeof sshd->folder, "/tmp/test_sshd.XXXXXX");
    assert_non_null(mkdtemp(sshd->folder));
    make_host_keys(sshd);
    wire_public_line(trusted_ca, line);
    (void)snprintf(text, sizeof text, "%s\n", line);
    wire_write_file(sshd->folder, "ca.pub", 0600, cursor_of_text(text));
    /* A port of the kernel's choice; sshd binds it again a moment later. */
    int listener = wire_listen(&sshd->port);
    fd_close(&listener);
    int len =
        snprintf(text, sizeof text,
                 "Port %u\nListenAddress 127.0.0.1\nTrustedUserCAKeys %s/ca.pub\n"
                 "PidFile none\nPermitRootLogin yes\nUsePAM no\nPasswordAuthentication no\n"
                 "KbdInteractiveAuthentication no\nAuthorizedKeysFile none\nRekeyLimit 1M\nLogLevel DEBUG1\n",
                 (unsigned)sshd->port, sshd->folder);
    for (size_t i = 0; i < COUNT_OF(HOST_KEYS); i++) {
        len +=
            snprintf(text + len, sizeof text - (size_t)len, "HostKey %s/%s\nHostCertificate %s/%s-cert.pub\n",
                     sshd->folder, HOST_KEYS[i].name, sshd->folder, HOST_KEYS[i].name);
    }
    wire_write_file(sshd->folder, "config", 0600, cursor_of_text(text));
    (void)mkdir("/run/sshd", 0755); /* sshd wants it to be there */
    char config[WIRE_TEXT_BYTES], log[WIRE_TEXT_BYTES];
    (void)snprintf(config, sizeof config, "%s/config", sshd->folder);
    (void)snprintf(log, sizeof log, "%s/log", sshd->folder);
    const char *const SSHD[] = {"/usr/sbin/sshd", "-D", "-e", "-f", config, NULL};
    sshd->child = wire_run(SSHD, 0, 1, log);
}

static void stop_sshd(struct sshd *sshd)
{
    int status = 0;
    (void)kill(sshd->child, SIGTERM);
    (void)waitpid(sshd->child, &status, 0);
    wire_remove_folder(sshd->folder);
}

/* What sshd must show is read from the files that ssh-keygen wrote. */
static void expect_host_key(struct client *client, const struct sshd *sshd, const char *file_name)
{
    static uint8_t blob[WIRE_TEXT_BYTES * 4];
    char path[WIRE_TEXT_BYTES], line[WIRE_TEXT_BYTES * 4] = "";
    struct cursor word;
    size_t len = 0;
    (void)snprintf(path, sizeof path, "%s/%s", sshd->folder, file_name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(fclose(file), 0);
    struct cursor text = cursor_of_text(line);
    assert_true(cursor_word(&text, &word) && cursor_word(&text, &word));
    assert_int_equal(crypto_base64_decode(word, CRYPTO_BASE64_PADDED, blob, sizeof blob, &len), ERR_NONE);
    client->pair.shown = cursor_of(blob, len);
}

static void on_data(struct client *client, struct cursor data)
{
    for (; cursor_len(&data) > 0; data.at++, client->received++) {
        client->bad_count += *data.at != (uint8_t)(client->received * 7 + client->received / 999);
    }
}

static void on_packet(struct pair *pair, uint8_t type, struct cursor payload)
{
    struct client *client = pair->user;
    uint32_t channel = 0, value = 0;
    struct cursor data;
    bool wants_reply = false;
    if (type >= SSH_CHANNEL_CONFIRMATION) {
        assert_int_equal(cursor_u32be(&payload, &channel), ERR_NONE);
        assert_int_equal(channel, OUR_CHANNEL);
    }
    switch (type) {
    case SSH_CHANNEL_CONFIRMATION:
        assert_int_equal(cursor_u32be(&payload, &client->channel), ERR_NONE);
        assert_int_equal(cursor_u32be(&payload, &value), ERR_NONE);
        client->window = value;
        client->is_open = true;
        break;
    case SSH_CHANNEL_WINDOW:
        assert_int_equal(cursor_u32be(&payload, &value), ERR_NONE);
        client->window += value;
        break;
    case SSH_CHANNEL_DATA:
        assert_int_equal(cursor_string(&payload, 65536, &data), ERR_NONE);
        on_data(client, data);
        break;
    case SSH_CHANNEL_REQUEST:
        assert_int_equal(cursor_string(&payload, 64, &data), ERR_NONE);
        assert_int_equal(cursor_bool(&payload, &wants_reply), ERR_NONE);
        if (cursor_equal_text(data, "exit-status")) {
            assert_int_equal(cursor_u32be(&payload, &client->exit_status), ERR_NONE);
        }
        break;
    case SSH_CHANNEL_CLOSE:
        client->is_closed = true;
        break;
    default: /* hostkeys-00@openssh.com, window of the command, end of its output */
        break;
    }
}

static void send_writer(struct client *client, uint8_t type, const struct writer *out)
{
    struct cursor payload;
    assert_int_equal(writer_done(out, &payload), ERR_NONE);
    assert_int_equal(engine_send(client->pair.client, type, payload), ERR_NONE);
}

static void open_channel(struct client *client)
{
    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, "session");
    writer_u32be(&out, OUR_CHANNEL);
    writer_u32be(&out, 2 * DATA_BYTES);
    writer_u32be(&out, 32768);
    send_writer(client, SSH_CHANNEL_OPEN, &out);
}

static void run_command(struct client *client, const char *command)
{
    uint8_t memory[128];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, client->channel);
    writer_text(&out, "exec");
    writer_bool(&out, true);
    writer_text(&out, command);
    send_writer(client, SSH_CHANNEL_REQUEST, &out);
}

static void send_data(struct client *client)
{
    static uint8_t memory[PART_BYTES + 8];
    while (client->sent < DATA_BYTES && client->window >= PART_BYTES &&
           !engine_is_rekeying(client->pair.client) &&
           queue_len(engine_output(client->pair.client)) < (size_t)256 * 1024) {
        size_t part =
            DATA_BYTES - client->sent < PART_BYTES ? (size_t)(DATA_BYTES - client->sent) : PART_BYTES;
        struct writer out = writer_of(memory, sizeof memory);
        writer_u32be(&out, client->channel);
        writer_u32be(&out, (uint32_t)part);
        for (size_t i = 0; i < part; i++, client->sent++) {
            writer_u8(&out, (uint8_t)(client->sent * 7 + client->sent / 999));
        }
        send_writer(client, SSH_CHANNEL_DATA, &out);
        client->window -= part;
        if (client->sent == DATA_BYTES) {
            out = writer_of(memory, sizeof memory);
            writer_u32be(&out, client->channel);
            send_writer(client, SSH_CHANNEL_EOF, &out);
        }
    }
}

/* Connect, offer a certificate of `ca`, and wait for the answer. Returns the socket. */
static int log_in(struct client *client, const struct sshd *sshd, const struct crypto_ed25519 *ca)
{
    uint8_t memory[64], certificate[PAIR_CERTIFICATE_BYTES];
    struct cursor blob;
    int fd = wire_connect(sshd->port);
    assert_true(fd >= 0);
    client->pair.user = client;
    client->pair.client_packet = on_packet;
    client->pair.client_config.rekey_bytes = (uint64_t)3 * 1024 * 1024;
    assert_int_equal(
        engine_new(&client->pair.client_config, &PAIR_CLIENT_EVENTS, &client->pair, &client->pair.client),
        ERR_NONE);
    assert_int_equal(engine_start(client->pair.client), ERR_NONE);
    assert_int_equal(engine_login_key(client->pair.client, memory, sizeof memory, &blob), ERR_NONE);
    assert_int_equal(engine_login(client->pair.client, pair_certificate(ca, blob, "root", certificate)),
                     ERR_NONE);
    /* The banner waits in the output; sshd speaks first too. */
    while (client->pair.login_count == 0) {
        assert_int_equal(wire_step(fd, client->pair.client), ERR_NONE);
    }
    return fd;
}

static void sshd_accepts_certificate_and_runs_command(void **state)
{
    const struct sshd *sshd = *state;
    static struct client client;
    client = (struct client){0};
    pair_init(&client.pair);
    expect_host_key(&client, sshd, "ed25519.pub");
    int fd = log_in(&client, sshd, &client.pair.user_ca);
    assert_int_equal(client.pair.login_result, ERR_NONE);
    open_channel(&client);
    while (!client.is_open) {
        assert_int_equal(wire_step(fd, client.pair.client), ERR_NONE);
    }
    run_command(&client, "cat; exit 9");
    while (!client.is_closed) {
        send_data(&client);
        assert_int_equal(wire_step(fd, client.pair.client), ERR_NONE);
    }
    assert_true(client.received == DATA_BYTES && client.bad_count == 0);
    assert_int_equal(client.exit_status, 9);
    assert_true(client.pair.host_key_count > 8);
    fd_close(&fd);
    pair_done(&client.pair);
}

static void sshd_refuses_certificate_of_another_ca(void **state)
{
    const struct sshd *sshd = *state;
    static struct client client;
    client = (struct client){0};
    pair_init(&client.pair);
    expect_host_key(&client, sshd, "ed25519.pub");
    int fd = log_in(&client, sshd, &client.pair.host_key);
    assert_int_equal(client.pair.login_result, ERR_DENIED);
    fd_close(&fd);
    pair_done(&client.pair);
}

/* Each kind of certificate, at the first key exchange and at the ones that data makes necessary; and plain
 * keys where none is asked for. */
static void sshd_shows_the_kind_of_host_key_that_is_asked_for(void **state)
{
    const struct sshd *sshd = *state;
    static struct client client;
    for (size_t row = 0; row < 2 * COUNT_OF(HOST_KEYS); row++) {
        bool wants_certificate = row < COUNT_OF(HOST_KEYS);
        size_t kind = row % COUNT_OF(HOST_KEYS);
        char file_name[WIRE_TEXT_BYTES];
        client = (struct client){0};
        pair_init(&client.pair);
        client.pair.client_config.host_keys = HOST_KEYS[kind].algorithm;
        client.pair.client_config.wants_host_certificate = wants_certificate;
        (void)snprintf(file_name, sizeof file_name, "%s%s.pub", HOST_KEYS[kind].name,
                       wants_certificate ? "-cert" : "");
        expect_host_key(&client, sshd, file_name);
        int fd = log_in(&client, sshd, &client.pair.user_ca);
        assert_int_equal(client.pair.login_result, ERR_NONE);
        open_channel(&client);
        while (!client.is_open) {
            assert_int_equal(wire_step(fd, client.pair.client), ERR_NONE);
        }
        run_command(&client, "cat");
        while (!client.is_closed) {
            send_data(&client);
            assert_int_equal(wire_step(fd, client.pair.client), ERR_NONE);
        }
        assert_true(client.received == DATA_BYTES && client.bad_count == 0);
        assert_true(client.pair.host_key_count > 8);
        fd_close(&fd);
        pair_done(&client.pair);
    }
}

static int set_up(void **state)
{
    static struct sshd sshd;
    struct pair pair;
    pair_init(&pair);
    start_sshd(&sshd, &pair.user_ca);
    pair_done(&pair);
    *state = &sshd;
    return 0;
}

static int tear_down(void **state)
{
    stop_sshd(*state);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(sshd_accepts_certificate_and_runs_command),
        cmocka_unit_test(sshd_refuses_certificate_of_another_ca),
        cmocka_unit_test(sshd_shows_the_kind_of_host_key_that_is_asked_for),
    };
    if (access("/usr/sbin/sshd", X_OK) != 0 || access("/usr/bin/ssh-keygen", X_OK) != 0 || geteuid() != 0) {
        (void)puts("left out: needs /usr/sbin/sshd, ssh-keygen and root");
        return 0;
    }
    return engine_library_init() == ERR_NONE ? cmocka_run_group_tests(TESTS, set_up, tear_down) : 1;
}
