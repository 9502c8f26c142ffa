/* Two engines in memory do what a connection does. What is relied upon and not promised by libssh (that each
 * wrap acts, that packets pass unchanged, that new keys are made and looked at again) is seen to happen, or
 * we do not start. */
#include "state.h"

#include <string.h>

enum {
    CHANNEL_DATA = 94,
    PAYLOAD_BYTES = 4096,
    REKEY_BYTES = 3 * PAYLOAD_BYTES, /* so that some of the packets below make new keys necessary */
    PACKETS_EACH_WAY = 5,
    ROUNDS_MOST = 64,
    CERTIFICATE_BYTES = 512,
};

struct side {
    struct engine *engine; /* OWNED */
    unsigned packet_count;
    bool is_wrong;
};

struct self_test {
    struct side server, client;
    ssh_key host_key;     /* OWNED */
    ssh_string host_blob; /* OWNED */
    uint8_t certificate_memory[CERTIFICATE_BYTES];
    struct cursor certificate; /* the host shows it; empty: the plain key */
    unsigned sign_count, host_key_count, login_count;
};

static struct cursor host_blob(const struct self_test *test)
{
    return cursor_of(ssh_string_data(test->host_blob), ssh_string_len(test->host_blob));
}

static enum err sign(void *owner, struct cursor hash, struct writer *ret_signature_blob)
{
    struct self_test *test = owner;
    ssh_signature signature = __real_pki_sign_data(test->host_key, 0, hash.at, cursor_len(&hash));
    ssh_string blob = NULL;
    if (signature == NULL || ssh_pki_export_signature_blob(signature, &blob) != SSH_OK) {
        ssh_signature_free(signature);
        return ERR_LIBRARY;
    }
    test->sign_count++;
    writer_bytes(ret_signature_blob, cursor_of(ssh_string_data(blob), ssh_string_len(blob)));
    ssh_string_free(blob);
    ssh_signature_free(signature);
    return ERR_NONE;
}

static enum err check_host_key(void *owner, struct cursor key_blob)
{
    struct self_test *test = owner;
    test->host_key_count++;
    bool has_certificate = cursor_len(&test->certificate) > 0;
    return cursor_equal(key_blob, has_certificate ? test->certificate : host_blob(test)) ? ERR_NONE
                                                                                         : ERR_MISMATCH;
}

static void make_payload(unsigned number, uint8_t payload[static PAYLOAD_BYTES])
{
    for (size_t i = 0; i < PAYLOAD_BYTES; i++) {
        payload[i] = (uint8_t)(i * 31 + (size_t)number * 7 + i / 256);
    }
}

static void check_packet(struct side *side, uint8_t type, struct cursor payload)
{
    uint8_t expected[PAYLOAD_BYTES];
    make_payload(side->packet_count, expected);
    side->packet_count++;
    if (type != CHANNEL_DATA || !cursor_equal(payload, cursor_of(expected, sizeof expected))) {
        side->is_wrong = true;
    }
}

static void on_server_packet(void *owner, uint8_t type, struct cursor payload)
{
    struct self_test *test = owner;
    if (type == PACKET_USERAUTH_REQUEST) {
        test->server.is_wrong |= engine_accept_user(test->server.engine) != ERR_NONE;
        return;
    }
    check_packet(&test->server, type, payload);
}

static void on_client_packet(void *owner, uint8_t type, struct cursor payload)
{
    struct self_test *test = owner;
    check_packet(&test->client, type, payload);
}

static void on_login_done(void *owner, enum err result)
{
    struct self_test *test = owner;
    test->login_count++;
    test->client.is_wrong |= result != ERR_NONE;
}

static enum err move(struct engine *from, struct engine *to)
{
    struct queue *output = engine_output(from);
    enum err err = engine_feed(to, queue_peek(output));
    queue_consume(output, queue_len(output));
    return err;
}

static enum err exchange(struct self_test *test)
{
    struct engine *server = test->server.engine;
    struct engine *client = test->client.engine;
    for (unsigned round = 0; round < ROUNDS_MOST; round++) {
        TRY(move(server, client));
        TRY(move(client, server));
        if (queue_len(engine_output(server)) == 0 && queue_len(engine_output(client)) == 0) {
            return ERR_NONE;
        }
    }
    return ERR_MISMATCH;
}

/* OpenSSH PROTOCOL.certkeys: for the host key, and by it, since nobody judges it here. */
static enum err make_certificate(struct self_test *test)
{
    struct cursor blob = host_blob(test);
    struct writer out = writer_of(test->certificate_memory, sizeof test->certificate_memory);
    writer_text(&out, "ssh-ed25519-cert-v01@openssh.com");
    writer_text(&out, "a nonce that nobody looks at....");
    writer_string(&out, cursor_of(blob.end - ENGINE_ED25519_BYTES, ENGINE_ED25519_BYTES));
    writer_u64be(&out, 1); /* serial */
    writer_u32be(&out, 2); /* of a host */
    writer_text(&out, "self-test");
    uint8_t *names = writer_string_begin(&out);
    writer_text(&out, "target");
    writer_string_end(&out, names);
    writer_u64be(&out, 0);
    writer_u64be(&out, UINT64_MAX);
    writer_text(&out, ""); /* critical options */
    writer_text(&out, ""); /* extensions */
    writer_text(&out, ""); /* reserved */
    writer_string(&out, blob);
    uint8_t *signature = writer_string_begin(&out);
    TRY(sign(test, cursor_of(out.start, (size_t)(signature - out.start) - sizeof(uint32_t)), &out));
    writer_string_end(&out, signature);
    test->sign_count = 0;
    return writer_done(&out, &test->certificate);
}

static enum err open_sides(struct self_test *test, bool has_certificate)
{
    static const struct engine_events SERVER_EVENTS = {.sign = sign, .packet = on_server_packet};
    static const struct engine_events CLIENT_EVENTS = {
        .host_key = check_host_key, .packet = on_client_packet, .login_done = on_login_done};
    if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &test->host_key) != SSH_OK ||
        ssh_pki_export_pubkey_blob(test->host_key, &test->host_blob) != SSH_OK) {
        return ERR_LIBRARY;
    }
    if (has_certificate) {
        TRY(make_certificate(test));
    }
    struct engine_config server = {.role = ENGINE_SERVER,
                                   .host_public_blob = host_blob(test),
                                   .host_certificate = test->certificate,
                                   .rekey_bytes = REKEY_BYTES};
    struct engine_config client = {.role = ENGINE_CLIENT,
                                   .client_user = "self-test",
                                   .wants_host_certificate = has_certificate,
                                   .rekey_bytes = REKEY_BYTES};
    TRY(engine_new(&server, &SERVER_EVENTS, test, &test->server.engine));
    TRY(engine_new(&client, &CLIENT_EVENTS, test, &test->client.engine));
    TRY(engine_start(test->server.engine));
    return engine_start(test->client.engine);
}

static enum err log_in(struct self_test *test)
{
    uint8_t memory[64];
    struct cursor public_blob;
    TRY(exchange(test));
    TRY(engine_login_key(test->client.engine, memory, sizeof memory, &public_blob));
    engine_client_login(test->client.engine);
    return exchange(test);
}

static enum err send_both_ways(struct self_test *test)
{
    uint8_t payload[PAYLOAD_BYTES];
    for (unsigned number = 0; number < PACKETS_EACH_WAY; number++) {
        make_payload(number, payload);
        TRY(engine_send(test->server.engine, CHANNEL_DATA, cursor_of(payload, sizeof payload)));
        TRY(engine_send(test->client.engine, CHANNEL_DATA, cursor_of(payload, sizeof payload)));
        TRY(exchange(test));
    }
    return ERR_NONE;
}

static bool has_passed(const struct self_test *test)
{
    /* One key exchange at the start, at least one for the amount of data; every key was signed for and looked
     * at. */
    return test->login_count == 1 && test->sign_count >= 2 && test->sign_count == test->host_key_count &&
           !test->server.is_wrong && !test->client.is_wrong &&
           test->server.packet_count == PACKETS_EACH_WAY && test->client.packet_count == PACKETS_EACH_WAY;
}

static enum err run(struct self_test *test, bool has_certificate)
{
    TRY(open_sides(test, has_certificate));
    TRY(log_in(test));
    return send_both_ways(test);
}

static bool passes(bool has_certificate)
{
    struct self_test test = {0};
    bool is_good = run(&test, has_certificate) == ERR_NONE && has_passed(&test);
    engine_free(test.server.engine);
    engine_free(test.client.engine);
    ssh_key_free(test.host_key);
    ssh_string_free(test.host_blob);
    return is_good;
}

enum err engine_self_test(void)
{
    return passes(false) && passes(true) ? ERR_NONE : ERR_MISMATCH;
}
