/* The real OpenSSH client against a server engine: publickey, then keyboard-interactive, then a command that
 * gives back what it is sent, with new keys at every MiB. Left out where there is no ssh(1). */
#include "engine_wire.h"

enum {
    SSH_REQUEST_SUCCESS = 81,
    SSH_REQUEST_FAILURE = 82,
    SSH_CHANNEL_OPEN = 90,
    SSH_CHANNEL_CONFIRMATION = 91,
    SSH_CHANNEL_WINDOW = 93,
    SSH_CHANNEL_DATA = 94,
    SSH_CHANNEL_EOF = 96,
    SSH_CHANNEL_CLOSE = 97,
    SSH_CHANNEL_REQUEST = 98,
    SSH_CHANNEL_SUCCESS = 99,
    SSH_PK_OK = 60,
    DATA_BYTES = 8 * 1024 * 1024,
    EXIT_STATUS = 7,
};

/* One client, one channel. */
struct server {
    struct pair pair; /* only its server side is used */
    struct crypto_ed25519 user_key;
    uint32_t channel; /* the client's number */
    uint64_t window;  /* what the client lets us send */
    struct queue echo;
    bool is_key_proven, has_eof, is_closed;
    unsigned probe_count, wrong_code_count;
};

static void send_writer(struct server *server, uint8_t type, const struct writer *out)
{
    struct cursor payload;
    assert_int_equal(writer_done(out, &payload), ERR_NONE);
    assert_int_equal(engine_send(server->pair.server, type, payload), ERR_NONE);
}

static void refuse_login(struct server *server, const char *methods, bool is_partial)
{
    uint8_t memory[128];
    struct writer out = writer_of(memory, sizeof memory);
    writer_text(&out, methods);
    writer_bool(&out, is_partial);
    send_writer(server, PAIR_USERAUTH_FAILURE, &out);
}

/* `is_host_bound`: the method that libssh 0.12 makes OpenSSH use names our host key too. */
static void check_public_key(struct server *server, struct cursor payload, struct cursor in,
                             bool is_host_bound)
{
    bool has_signature = false;
    struct cursor algorithm, blob, signature, type, bytes, message;
    uint8_t own_blob[PAIR_BLOB_BYTES], memory[2048];
    assert_int_equal(cursor_bool(&in, &has_signature), ERR_NONE);
    assert_int_equal(cursor_string(&in, 64, &algorithm), ERR_NONE);
    assert_int_equal(cursor_string(&in, 1024, &blob), ERR_NONE);
    if (is_host_bound) {
        struct cursor host_blob;
        assert_int_equal(cursor_string(&in, 1024, &host_blob), ERR_NONE);
        assert_true(cursor_equal(host_blob, cursor_of(server->pair.host_blob, server->pair.host_blob_bytes)));
    }
    struct writer out = writer_of(memory, sizeof memory);
    if (!cursor_equal(blob, cursor_of(own_blob, pair_key_blob(&server->user_key, own_blob)))) {
        refuse_login(server, "publickey", false);
        return;
    }
    if (!has_signature) {
        server->probe_count++;
        writer_string(&out, algorithm);
        writer_string(&out, blob);
        send_writer(server, SSH_PK_OK, &out);
        return;
    }
    struct cursor signed_part = cursor_of(payload.at, (size_t)(in.at - payload.at));
    assert_int_equal(cursor_string(&in, 256, &signature), ERR_NONE);
    assert_int_equal(cursor_string(&signature, 64, &type), ERR_NONE);
    assert_int_equal(cursor_string(&signature, 64, &bytes), ERR_NONE);
    writer_string(&out, cursor_of(server->pair.session_id, server->pair.session_id_bytes));
    writer_u8(&out, PAIR_USERAUTH_REQUEST);
    writer_bytes(&out, signed_part);
    assert_int_equal(writer_done(&out, &message), ERR_NONE);
    assert_int_equal(crypto_ed25519_verify(server->user_key.public_key, message, bytes.at), ERR_NONE);
    server->is_key_proven = true;
    refuse_login(server, "keyboard-interactive", true);
}

static void on_login_request(struct server *server, struct cursor payload)
{
    static const char *const PROMPTS[] = {"Code: "};
    static const bool ECHO[] = {false};
    struct cursor in = payload, user, service, method;
    assert_int_equal(cursor_string(&in, 64, &user), ERR_NONE);
    assert_int_equal(cursor_string(&in, 64, &service), ERR_NONE);
    assert_int_equal(cursor_string(&in, 64, &method), ERR_NONE);
    if (cursor_equal_text(method, "publickey")) {
        check_public_key(server, payload, in, false);
    } else if (cursor_equal_text(method, "publickey-hostbound-v00@openssh.com")) {
        check_public_key(server, payload, in, true);
    } else if (cursor_equal_text(method, "keyboard-interactive") && server->is_key_proven) {
        assert_int_equal(engine_prompt_user(server->pair.server, "Second factor", 1, PROMPTS, ECHO),
                         ERR_NONE);
    } else {
        refuse_login(server, "publickey", false);
    }
}

static void on_code(struct server *server, struct cursor payload)
{
    uint32_t count = 0;
    struct cursor code;
    assert_int_equal(cursor_u32be(&payload, &count), ERR_NONE);
    assert_int_equal(count, 1);
    assert_int_equal(cursor_string(&payload, 64, &code), ERR_NONE);
    if (cursor_equal_text(code, "123456")) {
        assert_int_equal(engine_accept_user(server->pair.server), ERR_NONE);
    } else {
        server->wrong_code_count++;
        refuse_login(server, "keyboard-interactive", false);
    }
}

static void on_channel_open(struct server *server, struct cursor payload)
{
    struct cursor type;
    uint32_t window = 0;
    uint8_t memory[32];
    struct writer out = writer_of(memory, sizeof memory);
    assert_int_equal(cursor_string(&payload, 64, &type), ERR_NONE);
    assert_int_equal(cursor_u32be(&payload, &server->channel), ERR_NONE);
    assert_int_equal(cursor_u32be(&payload, &window), ERR_NONE);
    server->window = window;
    writer_u32be(&out, server->channel);
    writer_u32be(&out, 0);
    writer_u32be(&out, 2 * DATA_BYTES); /* never has to be adjusted */
    writer_u32be(&out, 32768);
    send_writer(server, SSH_CHANNEL_CONFIRMATION, &out);
}

static void on_channel_request(struct server *server, struct cursor payload)
{
    uint32_t channel = 0;
    struct cursor name;
    bool wants_reply = false;
    uint8_t memory[8];
    struct writer out = writer_of(memory, sizeof memory);
    assert_int_equal(cursor_u32be(&payload, &channel), ERR_NONE);
    assert_int_equal(cursor_string(&payload, 64, &name), ERR_NONE);
    assert_int_equal(cursor_bool(&payload, &wants_reply), ERR_NONE);
    writer_u32be(&out, server->channel);
    if (wants_reply) {
        send_writer(server, SSH_CHANNEL_SUCCESS, &out);
    }
}

static void on_connection_packet(struct server *server, uint8_t type, struct cursor payload)
{
    uint32_t channel = 0, more = 0;
    struct cursor data;
    switch (type) {
    case SSH_CHANNEL_OPEN:
        on_channel_open(server, payload);
        break;
    case SSH_CHANNEL_REQUEST:
        on_channel_request(server, payload);
        break;
    case SSH_CHANNEL_WINDOW:
        assert_int_equal(cursor_u32be(&payload, &channel), ERR_NONE);
        assert_int_equal(cursor_u32be(&payload, &more), ERR_NONE);
        server->window += more;
        break;
    case SSH_CHANNEL_DATA:
        assert_int_equal(cursor_u32be(&payload, &channel), ERR_NONE);
        assert_int_equal(cursor_string(&payload, 65536, &data), ERR_NONE);
        assert_int_equal(cursor_end(&payload), ERR_NONE);
        assert_int_equal(queue_append(&server->echo, data), ERR_NONE);
        break;
    case SSH_CHANNEL_EOF:
        server->has_eof = true;
        break;
    case SSH_CHANNEL_CLOSE:
        server->is_closed = true;
        break;
    default: /* global requests of the client want no reply */
        break;
    }
}

static void on_packet(struct pair *pair, uint8_t type, struct cursor payload)
{
    struct server *server = pair->user;
    if (type == PAIR_USERAUTH_REQUEST) {
        on_login_request(server, payload);
    } else if (type == PAIR_INFO_RESPONSE) {
        on_code(server, payload);
    } else {
        on_connection_packet(server, type, payload);
    }
}

static void send_end(struct server *server)
{
    uint8_t memory[64];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, server->channel);
    writer_text(&out, "exit-status");
    writer_bool(&out, false);
    writer_u32be(&out, EXIT_STATUS);
    send_writer(server, SSH_CHANNEL_REQUEST, &out);
    out = writer_of(memory, 4);
    writer_u32be(&out, server->channel);
    send_writer(server, SSH_CHANNEL_EOF, &out);
    send_writer(server, SSH_CHANNEL_CLOSE, &out);
    server->has_eof = false;
}

static void send_echo(struct server *server)
{
    while (queue_len(&server->echo) > 0 && server->window > 0 && !engine_is_rekeying(server->pair.server) &&
           queue_len(engine_output(server->pair.server)) < (size_t)256 * 1024) {
        size_t part = queue_len(&server->echo) < 32000 ? queue_len(&server->echo) : 32000;
        part = part < server->window ? part : (size_t)server->window;
        uint8_t memory[8];
        struct writer out = writer_of(memory, sizeof memory);
        struct cursor head;
        writer_u32be(&out, server->channel);
        writer_u32be(&out, (uint32_t)part);
        assert_int_equal(writer_done(&out, &head), ERR_NONE);
        assert_int_equal(engine_send_parts(server->pair.server, SSH_CHANNEL_DATA, head,
                                           cursor_of(queue_bytes(&server->echo), part)),
                         ERR_NONE);
        queue_consume(&server->echo, part);
        server->window -= part;
    }
    if (server->has_eof && queue_len(&server->echo) == 0) {
        send_end(server);
    }
}

struct files {
    char folder[64], key[WIRE_TEXT_BYTES], known_hosts[WIRE_TEXT_BYTES], askpass[WIRE_TEXT_BYTES];
    char log[WIRE_TEXT_BYTES], data[WIRE_TEXT_BYTES], copy[WIRE_TEXT_BYTES];
};

static void make_data(const char *path)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    for (uint32_t i = 0; i < DATA_BYTES / 4; i++) {
        uint32_t value = i * 2654435761U;
        assert_int_equal(fwrite(&value, sizeof value, 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
}

/* OpenSSH's own program makes the user's key; its seed is the last field but the comment of a file without
 * password. */
static void load_user_key(struct server *server, const char *path)
{
    char line[WIRE_TEXT_BYTES] = "", public_path[WIRE_TEXT_BYTES + 8];
    uint8_t blob[128];
    (void)snprintf(public_path, sizeof public_path, "%s.pub", path);
    FILE *file = fopen(public_path, "re");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(fclose(file), 0);
    struct cursor text = cursor_of_text(line), word;
    assert_true(cursor_word(&text, &word) && cursor_word(&text, &word));
    size_t len = 0;
    assert_int_equal(crypto_base64_decode(word, CRYPTO_BASE64_PADDED, blob, sizeof blob, &len), ERR_NONE);
    assert_int_equal(len, PAIR_BLOB_BYTES);
    memcpy(server->user_key.public_key, blob + PAIR_BLOB_BYTES - 32, 32);
}

static void make_files(struct files *files, struct server *server, uint16_t port)
{
    char line[WIRE_TEXT_BYTES], text[2 * WIRE_TEXT_BYTES];
    (void)snprintf(files->folder, sizeof files->folder, "/tmp/test_openssh.XXXXXX");
    assert_non_null(mkdtemp(files->folder));
    (void)snprintf(files->key, sizeof files->key, "%s/key", files->folder);
    (void)snprintf(files->known_hosts, sizeof files->known_hosts, "%s/known_hosts", files->folder);
    (void)snprintf(files->askpass, sizeof files->askpass, "%s/askpass", files->folder);
    (void)snprintf(files->log, sizeof files->log, "%s/log", files->folder);
    (void)snprintf(files->data, sizeof files->data, "%s/data", files->folder);
    (void)snprintf(files->copy, sizeof files->copy, "%s/copy", files->folder);
    const char *const KEYGEN[] = {
        "/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", files->key, NULL};
    int status = 0;
    pid_t child = wire_run(KEYGEN, 0, 1, "/dev/null");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    load_user_key(server, files->key);
    wire_public_line(&server->pair.host_key, line);
    (void)snprintf(text, sizeof text, "[127.0.0.1]:%u %s\n", (unsigned)port, line);
    wire_write_file(files->folder, "known_hosts", 0600, cursor_of_text(text));
    /* Wrong once, then right. */
    static const char ASKPASS[] = "#!/bin/sh\nif [ -e $0.1 ]; then echo 123456; else : >$0.1; echo 0; fi\n";
    wire_write_file(files->folder, "askpass", 0700, cursor_of_text(ASKPASS));
    make_data(files->data);
}

static bool same_files(const char *a, const char *b)
{
    const char *const CMP[] = {"/usr/bin/cmp", "-s", a, b, NULL};
    int status = 0;
    pid_t child = wire_run(CMP, 0, 1, "/dev/null");
    return waitpid(child, &status, 0) == child && status == 0;
}

static pid_t start_client(const struct files *files, uint16_t port, const char *cipher)
{
    char port_text[16], key_hosts[WIRE_TEXT_BYTES + 32];
    (void)snprintf(port_text, sizeof port_text, "%u", (unsigned)port);
    (void)snprintf(key_hosts, sizeof key_hosts, "UserKnownHostsFile=%s", files->known_hosts);
    const char *const SSH[] = {"/usr/bin/ssh",
                               "-vv",
                               "-F",
                               "/dev/null",
                               "-p",
                               port_text,
                               "-i",
                               files->key,
                               "-c",
                               cipher,
                               "-o",
                               key_hosts,
                               "-o",
                               "GlobalKnownHostsFile=/dev/null",
                               "-o",
                               "StrictHostKeyChecking=yes",
                               "-o",
                               "RekeyLimit=1M",
                               "-o",
                               "IdentitiesOnly=yes",
                               "anna@127.0.0.1",
                               "cat",
                               NULL};
    assert_int_equal(setenv("SSH_ASKPASS", files->askpass, 1), 0);
    assert_int_equal(setenv("SSH_ASKPASS_REQUIRE", "force", 1), 0);
    int in = open(files->data, O_RDONLY | O_CLOEXEC);
    int out = open(files->copy, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    pid_t child = wire_run(SSH, in, out, files->log);
    fd_close(&in);
    fd_close(&out);
    return child;
}

static void serve(struct server *server, int fd)
{
    while (!server->is_closed) {
        enum err err = wire_step(fd, server->pair.server);
        if (err == ERR_CLOSED) {
            break;
        }
        assert_int_equal(err, ERR_NONE);
        send_echo(server);
    }
}

static void run_client(const char *cipher)
{
    static struct server server;
    struct files files;
    uint16_t port = 0;
    server = (struct server){0};
    pair_init(&server.pair);
    server.pair.user = &server;
    server.pair.server_packet = on_packet;
    server.pair.server_config.rekey_bytes = (uint64_t)3 * 1024 * 1024;
    queue_init(&server.echo, DATA_BYTES);
    assert_int_equal(
        engine_new(&server.pair.server_config, &PAIR_SERVER_EVENTS, &server.pair, &server.pair.server),
        ERR_NONE);
    assert_int_equal(engine_start(server.pair.server), ERR_NONE);
    int listener = wire_listen(&port);
    make_files(&files, &server, port);
    pid_t child = start_client(&files, port, cipher);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    serve(&server, fd);
    fd_close(&fd);
    fd_close(&listener);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_STATUS);
    assert_true(same_files(files.data, files.copy));
    assert_int_equal(server.probe_count, 1);
    assert_int_equal(server.wrong_code_count, 1);
    assert_true(server.pair.sign_count > 8);
    char text[ENGINE_ALGORITHMS_BYTES];
    assert_non_null(strstr(engine_algorithms(server.pair.server, text, sizeof text), cipher));
    wire_remove_folder(files.folder);
    queue_done(&server.echo);
    pair_done(&server.pair);
}

static void openssh_client_logs_in_and_echoes_8_mib(void **state)
{
    (void)state;
    if (access("/usr/bin/ssh", X_OK) != 0 || access("/usr/bin/ssh-keygen", X_OK) != 0) {
        skip();
    }
    run_client("aes128-gcm@openssh.com");
    run_client("chacha20-poly1305@openssh.com");
    run_client("aes256-ctr"); /* with hmac-sha2-256-etm@openssh.com */
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(openssh_client_logs_in_and_echoes_8_mib),
    };
    return engine_library_init() == ERR_NONE ? cmocka_run_group_tests(TESTS, NULL, NULL) : 1;
}
