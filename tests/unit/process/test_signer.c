/* The signer as a process: the real binary, driven over descriptor 3. */
#include <sys/stat.h>
#include <time.h>

#include "child.h"
#include "crypto/ed25519.h"
#include "crypto/x509.h"
#include "keys/certificate.h"
#include "keys/openssh.h"
#include "keys/private_key.h"
#include "keys/signature.h"

static char folder[] = "/tmp/signer-test-XXXXXX";
static char paths[4][64];
static const char *const NAMES[] = {"host", "inner", "ca", "host-ca"};
static struct keys_blob public_blobs[4];
static struct crypto_ed25519 person;
static struct keys_blob person_blob;

static void write_key(const char *path, uint8_t seed_byte, mode_t mode, struct keys_blob *ret_blob)
{
    uint8_t seed[KEYS_SEED_BYTES] = {seed_byte};
    uint8_t public_key[32];
    OWNED_SECRET file = {0};
    assert_int_equal(keys_private_write(seed, 1, "test", &file), ERR_NONE);
    assert_int_equal(crypto_ed25519_public(seed, public_key), ERR_NONE);
    keys_blob_of_ed25519(public_key, ret_blob);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, secret_peek(&file)), ERR_NONE);
    assert_int_equal(fchmod(fd, mode), 0);
    fd_close(&fd);
}

static char database_ca[64];

static void write_database_ca(mode_t mode)
{
    OWNED_SECRET pem = {0};
    assert_int_equal(crypto_ca_create("Databases", time(NULL) - 60, time(NULL) + 86400, &pem), ERR_NONE);
    (void)snprintf(database_ca, sizeof database_ca, "%s/db_ca", folder);
    int fd = open(database_ca, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, secret_peek(&pem)), ERR_NONE);
    assert_int_equal(fchmod(fd, mode), 0);
    fd_close(&fd);
}

static int make_keys(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/%s", folder, NAMES[i]);
        write_key(paths[i], (uint8_t)(i + 1), 0600, &public_blobs[i]);
    }
    write_database_ca(0600);
    static const uint8_t SEED[32] = {99};
    assert_int_equal(crypto_ed25519_load(&person, SEED), ERR_NONE);
    keys_blob_of_ed25519(person.public_key, &person_blob);
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(NAMES); i++) {
        (void)unlink(paths[i]);
    }
    (void)unlink(database_ca);
    (void)rmdir(folder);
    crypto_ed25519_done(&person);
    return 0;
}

static void start_with_cas(struct child *child, const char *host, const char *inner, const char *user_ca,
                           const char *host_ca)
{
    const char *const arguments[] = {
        BASTION_SIGNER, "--host-key", host,        "--inner-key", inner,   "--user-ca", user_ca, "--host-ca",
        host_ca,        "--db-ca",    database_ca, "--uid",       "64001", "--gid",     "64001", NULL};
    child_start(child, arguments);
}

static void start_with(struct child *child, const char *host, const char *inner, const char *ca)
{
    start_with_cas(child, host, inner, ca, paths[3]);
}

static void start(struct child *child)
{
    start_with(child, paths[0], paths[1], paths[2]);
    child_expect(child, IPC_SIGNER_READY, 0);
}

static struct child child;
static uint8_t memory[16384];
static const uint8_t HASH[64] = {1, 2, 3, 4};
static const uint8_t OTHER_HASH[64] = {4, 3, 2, 1};

static bool sign_kex(uint32_t ref, uint8_t which, const uint8_t *hash, size_t len, struct cursor *ret_blob)
{
    struct writer body = writer_of(memory, sizeof memory);
    writer_u8(&body, which);
    writer_string(&body, cursor_of(hash, len));
    child_send(&child, IPC_SIGN_KEX, ref, &body);
    child_expect(&child, IPC_SIGN_KEX_DONE, ref);
    struct cursor answer = child.message.body;
    bool is_ok = false;
    assert_int_equal(cursor_bool(&answer, &is_ok), ERR_NONE);
    assert_int_equal(cursor_string(&answer, 256, ret_blob), ERR_NONE);
    assert_int_equal(cursor_end(&answer), ERR_NONE);
    assert_int_equal(cursor_len(ret_blob) > 0, is_ok);
    return is_ok;
}

/* A login as a client makes it. */
struct login {
    const char *user, *method, *algorithm;
    const uint8_t *session_id;
    size_t session_id_len;
    struct cursor host_key;
};

static struct cursor sign_login(const struct login *login, uint8_t signature_memory[static 256])
{
    struct keys_user_request request = {
        .session_id = cursor_of(login->session_id, login->session_id_len),
        .user = cursor_of_text(login->user),
        .method = cursor_of_text(login->method),
        .algorithm = cursor_of_text("ssh-ed25519"),
        .key_blob = keys_blob_peek(&person_blob),
        .host_key_blob = login->host_key,
    };
    static uint8_t data_memory[8192];
    struct cursor data;
    assert_int_equal(keys_user_request_write(&request, data_memory, sizeof data_memory, &data), ERR_NONE);
    uint8_t raw[64];
    assert_int_equal(crypto_ed25519_sign(&person, data, raw), ERR_NONE);
    struct writer out = writer_of(signature_memory, 256);
    writer_text(&out, "ssh-ed25519");
    writer_string(&out, cursor_of(raw, sizeof raw));
    struct cursor signature;
    assert_int_equal(writer_done(&out, &signature), ERR_NONE);
    return signature;
}

static bool verify(uint32_t ref, const struct login *login, struct cursor signature)
{
    struct writer body = writer_of(memory, sizeof memory);
    writer_text(&body, login->user);
    writer_text(&body, login->method);
    writer_text(&body, login->algorithm);
    writer_string(&body, keys_blob_peek(&person_blob));
    writer_string(&body, signature);
    child_send(&child, IPC_VERIFY_USER, ref, &body);
    child_expect(&child, IPC_VERIFY_USER_DONE, ref);
    struct cursor answer = child.message.body;
    bool is_ok = false;
    uint8_t flags = 1;
    uint32_t counter = 1;
    assert_int_equal(cursor_bool(&answer, &is_ok), ERR_NONE);
    assert_int_equal(cursor_u8(&answer, &flags), ERR_NONE);
    assert_int_equal(cursor_u32be(&answer, &counter), ERR_NONE);
    assert_int_equal(cursor_end(&answer), ERR_NONE);
    assert_int_equal(flags, 0);
    assert_int_equal(counter, 0);
    return is_ok;
}

static struct login login_of(const char *method)
{
    return (struct login){"alice", method, "ssh-ed25519", HASH, 32, keys_blob_peek(&public_blobs[0])};
}

static void ready_names_the_public_keys(void **state)
{
    (void)state;
    start(&child);
    struct cursor body = child.message.body;
    for (size_t i = 0; i < COUNT_OF(public_blobs); i++) {
        struct cursor blob;
        assert_int_equal(cursor_string(&body, LIMIT_KEY_BLOB_BYTES, &blob), ERR_NONE);
        assert_true(cursor_equal(blob, keys_blob_peek(&public_blobs[i])));
    }
    struct cursor certificate;
    assert_int_equal(cursor_string(&body, CRYPTO_X509_DER_BYTES, &certificate), ERR_NONE);
    assert_int_not_equal(cursor_len(&certificate), 0);
    assert_int_equal(cursor_end(&body), ERR_NONE);
    assert_int_equal(child_leave(&child), 0);
}

static void exchange_hash_is_signed_with_the_key_asked_for(void **state)
{
    (void)state;
    start(&child);
    static const size_t LENGTHS[] = {32, 48, 64};
    for (uint8_t which = 0; which < 2; which++) {
        for (size_t i = 0; i < COUNT_OF(LENGTHS); i++) {
            struct cursor blob;
            assert_true(sign_kex(7, which, HASH, LENGTHS[i], &blob));
            struct keys_proof proof;
            assert_int_equal(keys_signature_verify(keys_blob_peek(&public_blobs[which]),
                                                   cursor_of_text("ssh-ed25519"), blob,
                                                   cursor_of(HASH, LENGTHS[i]), KEYS_TOUCH_REQUIRED, &proof),
                             ERR_NONE);
        }
    }
    assert_int_equal(child_leave(&child), 0);
}

static void exchange_hash_of_another_length_is_refused(void **state)
{
    (void)state;
    start(&child);
    static const size_t LENGTHS[] = {0, 1, 20, 31, 33, 47, 49, 63};
    struct cursor blob;
    for (size_t i = 0; i < COUNT_OF(LENGTHS); i++) {
        assert_false(sign_kex(7, 0, HASH, LENGTHS[i], &blob));
    }
    assert_true(sign_kex(7, 0, HASH, 32, &blob));
    assert_int_equal(child_leave(&child), 0);
}

static void inner_handshake_before_the_outer_is_refused(void **state)
{
    (void)state;
    start(&child);
    struct cursor blob;
    assert_false(sign_kex(7, 1, HASH, 32, &blob));
    assert_true(sign_kex(7, 0, HASH, 32, &blob));
    assert_true(sign_kex(7, 1, HASH, 32, &blob));
    assert_false(sign_kex(8, 1, HASH, 32, &blob)); /* another connection */
    assert_int_equal(child_leave(&child), 0);
}

static void login_is_verified_over_the_session_id_that_was_signed(void **state)
{
    (void)state;
    static const char *const METHODS[] = {KEYS_METHOD_PLAIN, KEYS_METHOD_HOSTBOUND};
    start(&child);
    for (size_t i = 0; i < COUNT_OF(METHODS); i++) {
        struct login login = login_of(METHODS[i]);
        uint32_t ref = (uint32_t)i;
        uint8_t signature_memory[256];
        struct cursor signature = sign_login(&login, signature_memory);
        struct cursor blob;
        assert_false(verify(ref, &login, signature)); /* nothing was signed yet */
        assert_true(sign_kex(ref, 0, HASH, 32, &blob));
        assert_true(verify(ref, &login, signature));
        assert_true(sign_kex(ref, 0, OTHER_HASH, 32, &blob)); /* a rekey leaves the session id as it was */
        assert_true(verify(ref, &login, signature));
        login.user = "bob";
        assert_false(verify(ref, &login, signature));
        login = login_of(METHODS[1 - i]);
        assert_false(verify(ref, &login, signature));
        login = login_of(METHODS[i]);
        login.algorithm = "rsa-sha2-256";
        assert_false(verify(ref, &login, signature));
        login.algorithm = "ssh-rsa";
        assert_false(verify(ref, &login, signature));
        login = login_of("password");
        assert_false(verify(ref, &login, signature));
    }
    assert_int_equal(child_leave(&child), 0);
}

/* The algorithms that the signer itself does not use: they must work behind its closed sandbox. */
static void login_with_every_kind_of_key_is_verified(void **state)
{
    (void)state;
    static const struct {
        const char *name, *options, *algorithm;
        uint32_t flags;
    } KEYS[] = {
        {"p256", "-t ecdsa -b 256", "ecdsa-sha2-nistp256", 0},
        {"p384", "-t ecdsa -b 384", "ecdsa-sha2-nistp384", 0},
        {"p521", "-t ecdsa -b 521", "ecdsa-sha2-nistp521", 0},
        {"rsa", "-t rsa -b 4096", "rsa-sha2-512", AGENT_SHA512},
    };
    openssh_start();
    openssh_agent_start();
    start(&child);
    struct cursor ignored;
    assert_true(sign_kex(1, 0, HASH, 32, &ignored));
    for (size_t i = 0; i < COUNT_OF(KEYS); i++) {
        openssh_keygen(KEYS[i].name, KEYS[i].options);
        openssh_agent_add(KEYS[i].name);
        openssh_blob(KEYS[i].name, &person_blob);
        struct keys_user_request request = {
            .session_id = cursor_of(HASH, 32),
            .user = cursor_of_text("alice"),
            .method = cursor_of_text(KEYS_METHOD_PLAIN),
            .algorithm = cursor_of_text(KEYS[i].algorithm),
            .key_blob = keys_blob_peek(&person_blob),
        };
        static uint8_t data_memory[8192];
        struct cursor data;
        assert_int_equal(keys_user_request_write(&request, data_memory, sizeof data_memory, &data), ERR_NONE);
        uint8_t signature[LIMIT_SIGNATURE_BYTES];
        size_t len = openssh_sign(request.key_blob, data, KEYS[i].flags, signature);
        struct login login = login_of(KEYS_METHOD_PLAIN);
        login.algorithm = KEYS[i].algorithm;
        assert_true(verify(1, &login, cursor_of(signature, len)));
        signature[len - 1] ^= 1;
        assert_false(verify(1, &login, cursor_of(signature, len)));
    }
    keys_blob_of_ed25519(person.public_key, &person_blob);
    openssh_stop();
    assert_int_equal(child_leave(&child), 0);
}

/* A certificate of the person's key for "alice", from 10.0.0.0/24 only. */
static struct cursor certify(const struct crypto_ed25519 *ca, struct cursor ca_blob,
                             uint8_t certificate_memory[static KEYS_CERTIFICATE_BYTES])
{
    static const uint8_t NONCE[KEYS_CERTIFICATE_NONCE_BYTES] = {7};
    const struct keys_certificate says = {.kind = KEYS_CERTIFICATE_USER,
                                          .public_key =
                                              cursor_of(person.public_key, sizeof person.public_key),
                                          .serial = 77,
                                          .key_id = cursor_of_text("some\x1b id"),
                                          .principal_count = 1,
                                          .principals = {cursor_of_text("alice")},
                                          .valid_after_s = (uint64_t)time(NULL) - 60,
                                          .valid_before_s = (uint64_t)time(NULL) + 60,
                                          .source_address = cursor_of_text("10.0.0.0/24")};
    struct writer out = writer_of(certificate_memory, KEYS_CERTIFICATE_BYTES);
    struct cursor to_sign;
    struct cursor certificate;
    uint8_t raw[64];
    uint8_t blob_memory[128];
    assert_int_equal(keys_certificate_write(&says, NONCE, ca_blob, &out), ERR_NONE);
    assert_int_equal(writer_done(&out, &to_sign), ERR_NONE);
    assert_int_equal(crypto_ed25519_sign(ca, to_sign, raw), ERR_NONE);
    struct writer blob = writer_of(blob_memory, sizeof blob_memory);
    writer_text(&blob, "ssh-ed25519");
    writer_string(&blob, cursor_of(raw, sizeof raw));
    struct cursor signature;
    assert_int_equal(writer_done(&blob, &signature), ERR_NONE);
    assert_int_equal(keys_certificate_finish(&out, signature, &certificate), ERR_NONE);
    return certificate;
}

struct certified {
    uint32_t ref;
    struct cursor ca_blob, certificate;
    const char *user, *from, *algorithm;
    const uint8_t *session_id;
    bool is_signed_by_another;
};

static bool verify_certified(const struct certified *row)
{
    static const uint8_t OTHER_SEED[32] = {98};
    struct keys_user_request request = {.session_id = cursor_of(row->session_id, 32),
                                        .user = cursor_of_text(row->user),
                                        .method = cursor_of_text(KEYS_METHOD_PLAIN),
                                        .algorithm = cursor_of_text(row->algorithm),
                                        .key_blob = row->certificate};
    static uint8_t data_memory[8192];
    struct cursor data;
    uint8_t raw[64];
    struct crypto_ed25519 other = {0};
    assert_int_equal(crypto_ed25519_load(&other, OTHER_SEED), ERR_NONE);
    assert_int_equal(keys_user_request_write(&request, data_memory, sizeof data_memory, &data), ERR_NONE);
    assert_int_equal(crypto_ed25519_sign(row->is_signed_by_another ? &other : &person, data, raw), ERR_NONE);
    crypto_ed25519_done(&other);
    uint8_t signature_memory[256];
    struct writer signature = writer_of(signature_memory, sizeof signature_memory);
    writer_text(&signature, "ssh-ed25519");
    writer_string(&signature, cursor_of(raw, sizeof raw));
    struct cursor signed_blob;
    assert_int_equal(writer_done(&signature, &signed_blob), ERR_NONE);
    struct writer body = writer_of(memory, sizeof memory);
    writer_string(&body, row->ca_blob);
    writer_text(&body, row->from);
    writer_text(&body, row->user);
    writer_text(&body, KEYS_METHOD_PLAIN);
    writer_text(&body, row->algorithm);
    writer_string(&body, row->certificate);
    writer_string(&body, signed_blob);
    child_send(&child, IPC_VERIFY_CERTIFIED, row->ref, &body);
    child_expect(&child, IPC_VERIFY_CERTIFIED_DONE, row->ref);
    struct cursor answer = child.message.body;
    bool is_ok = false;
    char why[LIMIT_SENTENCE_BYTES];
    char id[LIMIT_SENTENCE_BYTES];
    char fingerprint[KEYS_FINGERPRINT_BYTES];
    char expected[KEYS_FINGERPRINT_BYTES];
    uint64_t serial = 1;
    assert_int_equal(cursor_bool(&answer, &is_ok), ERR_NONE);
    assert_int_equal(cursor_text(&answer, why, sizeof why), ERR_NONE);
    assert_int_equal(cursor_u64be(&answer, &serial), ERR_NONE);
    assert_int_equal(cursor_text(&answer, id, sizeof id), ERR_NONE);
    struct cursor principals;
    assert_int_equal(cursor_text(&answer, fingerprint, sizeof fingerprint), ERR_NONE);
    assert_int_equal(cursor_string(&answer, LIMIT_PRINCIPALS_BYTES, &principals), ERR_NONE);
    assert_int_equal(cursor_len(&principals) > 0, is_ok);
    uint8_t sk_flags = 1;
    assert_int_equal(cursor_u8(&answer, &sk_flags), ERR_NONE);
    assert_int_equal(cursor_end(&answer), ERR_NONE);
    assert_int_equal(sk_flags, 0);
    assert_int_equal(is_ok, why[0] == 0);
    assert_int_equal(serial, is_ok ? 77 : 0);
    assert_string_equal(id, is_ok ? "some? id" : "");
    assert_string_equal(fingerprint, is_ok ? keys_fingerprint(keys_blob_peek(&person_blob), expected) : "");
    return is_ok;
}

static void certified_key_is_verified_or_refused_by_its_row(void **state)
{
    (void)state;
    static const char CERTIFIED[] = "ssh-ed25519-cert-v01@openssh.com";
    static const uint8_t CA_SEED[32] = {97};
    uint8_t certificate_memory[KEYS_CERTIFICATE_BYTES];
    struct crypto_ed25519 ca = {0};
    struct keys_blob ca_blob;
    struct cursor ignored;
    assert_int_equal(crypto_ed25519_load(&ca, CA_SEED), ERR_NONE);
    keys_blob_of_ed25519(ca.public_key, &ca_blob);
    struct cursor certificate = certify(&ca, keys_blob_peek(&ca_blob), certificate_memory);
    start(&child);
    assert_true(sign_kex(1, 0, HASH, 32, &ignored));
    const struct certified good = {.ref = 1,
                                   .ca_blob = keys_blob_peek(&ca_blob),
                                   .certificate = certificate,
                                   .user = "alice",
                                   .from = "10.0.0.7",
                                   .algorithm = CERTIFIED,
                                   .session_id = HASH};
    assert_true(verify_certified(&good));
    struct certified row = good;
    row.ref = 2; /* no session id was ever signed there */
    assert_false(verify_certified(&row));
    row = good;
    row.session_id = OTHER_HASH;
    assert_false(verify_certified(&row));
    row = good;
    row.user = "mallory";
    assert_false(verify_certified(&row));
    row = good;
    row.from = "10.0.1.7";
    assert_false(verify_certified(&row));
    row = good;
    row.ca_blob = keys_blob_peek(&public_blobs[2]);
    assert_false(verify_certified(&row));
    row = good;
    row.algorithm = "ssh-ed25519"; /* a certificate in the place of a key */
    assert_false(verify_certified(&row));
    row = good;
    row.algorithm = "rsa-sha2-512-cert-v01@openssh.com";
    assert_false(verify_certified(&row));
    row = good;
    row.certificate = keys_blob_peek(&person_blob); /* a key in the place of a certificate */
    assert_false(verify_certified(&row));
    row = good;
    row.is_signed_by_another = true;
    assert_false(verify_certified(&row));
    crypto_ed25519_done(&ca);
    assert_int_equal(child_leave(&child), 0);
}

static void login_for_another_session_is_refused(void **state)
{
    (void)state;
    start(&child);
    struct login login = login_of(KEYS_METHOD_PLAIN);
    uint8_t signature_memory[256];
    struct cursor blob;
    assert_true(sign_kex(1, 0, HASH, 32, &blob));
    assert_true(sign_kex(2, 0, OTHER_HASH, 32, &blob));
    struct cursor signature = sign_login(&login, signature_memory);
    assert_true(verify(1, &login, signature));
    assert_false(verify(2, &login, signature)); /* replayed at another connection */
    login.session_id_len = 48;
    signature = sign_login(&login, signature_memory);
    assert_false(verify(1, &login, signature));
    /* hostbound, made for another server's key */
    login = login_of(KEYS_METHOD_HOSTBOUND);
    login.host_key = keys_blob_peek(&public_blobs[1]);
    signature = sign_login(&login, signature_memory);
    assert_false(verify(1, &login, signature));
    assert_int_equal(child_leave(&child), 0);
}

static void forgotten_connection_has_no_session_id(void **state)
{
    (void)state;
    start(&child);
    struct login login = login_of(KEYS_METHOD_PLAIN);
    uint8_t signature_memory[256];
    struct cursor signature = sign_login(&login, signature_memory);
    struct cursor blob;
    assert_true(sign_kex(1, 0, HASH, 32, &blob));
    assert_true(sign_kex(2, 0, HASH, 32, &blob));
    child_send(&child, IPC_SIGNER_FORGET, 1, NULL);
    child_send(&child, IPC_SIGNER_FORGET, 3, NULL); /* never heard of */
    assert_false(verify(1, &login, signature));
    assert_true(verify(2, &login, signature));
    assert_int_equal(child_leave(&child), 0);
}

static void table_of_connections_is_bounded(void **state)
{
    (void)state;
    start(&child);
    struct cursor blob;
    for (uint32_t ref = 0; ref < 4096; ref++) {
        assert_true(sign_kex(ref, 0, HASH, 32, &blob));
    }
    assert_false(sign_kex(4096, 0, HASH, 32, &blob));
    child_send(&child, IPC_SIGNER_FORGET, 17, NULL);
    assert_true(sign_kex(4096, 0, HASH, 32, &blob));
    for (int i = 1; i < 4096; i++) {
        assert_true(sign_kex(4096, 0, HASH, 32, &blob));
    }
    assert_false(sign_kex(4096, 0, HASH, 32, &blob)); /* the signatures of one connection are, too */
    assert_true(sign_kex(4095, 0, HASH, 32, &blob));
    assert_int_equal(child_leave(&child), 0);
}

/* MINT_USER; every row of the test below changes one field of a good one. */
struct mint {
    struct cursor subject;
    const char *key_id, *principal, *source, *command;
    int64_t after_s, before_s; /* relative to now */
    uint8_t extension_count;
    const char *extensions[8];
};

static struct mint good_mint(void)
{
    return (struct mint){keys_blob_peek(&person_blob),
                         "sid=1;user=alice",
                         "ec2-user",
                         "10.1.2.3/32",
                         "",
                         -30,
                         120,
                         1,
                         {"permit-pty"}};
}

static bool mint(const struct mint *wish, struct cursor *ret_certificate)
{
    uint64_t now = (uint64_t)clock_wall_s();
    struct writer body = writer_of(memory, sizeof memory);
    writer_string(&body, wish->subject);
    writer_u64be(&body, 42);
    writer_text(&body, wish->key_id);
    writer_text(&body, wish->principal);
    writer_u64be(&body, now + (uint64_t)wish->after_s);
    writer_u64be(&body, now + (uint64_t)wish->before_s);
    writer_text(&body, wish->source);
    writer_text(&body, wish->command);
    writer_u8(&body, wish->extension_count);
    for (uint8_t i = 0; i < wish->extension_count; i++) {
        writer_text(&body, wish->extensions[i]);
    }
    child_send(&child, IPC_MINT_USER, 1, &body);
    child_expect(&child, IPC_MINT_USER_DONE, 1);
    struct cursor answer = child.message.body;
    bool is_ok = false;
    assert_int_equal(cursor_bool(&answer, &is_ok), ERR_NONE);
    assert_int_equal(cursor_string(&answer, KEYS_CERTIFICATE_BYTES, ret_certificate), ERR_NONE);
    assert_int_equal(cursor_end(&answer), ERR_NONE);
    assert_int_equal(cursor_len(ret_certificate) > 0, is_ok);
    return is_ok;
}

/* The connection on which certificates are asked for: somebody has proven a key there. */
static void log_in(uint32_t ref)
{
    struct login login = login_of(KEYS_METHOD_PLAIN);
    uint8_t signature_memory[256];
    struct cursor blob;
    assert_true(sign_kex(ref, 0, HASH, 32, &blob));
    assert_true(verify(ref, &login, sign_login(&login, signature_memory)));
}

static void certificate_without_a_verified_user_is_refused(void **state)
{
    (void)state;
    start(&child);
    struct mint wish = good_mint();
    struct login wrong = login_of(KEYS_METHOD_PLAIN);
    uint8_t signature_memory[256];
    struct cursor blob;
    assert_false(mint(&wish, &blob)); /* nothing at all has happened on this connection */
    assert_true(sign_kex(1, 0, HASH, 32, &blob));
    assert_false(mint(&wish, &blob));
    struct cursor signature = sign_login(&wrong, signature_memory);
    wrong.user = "bob";
    assert_false(verify(1, &wrong, signature));
    assert_false(mint(&wish, &blob));
    log_in(2); /* another connection's user is no help */
    assert_false(mint(&wish, &blob));
    log_in(1);
    assert_true(mint(&wish, &blob));
    child_send(&child, IPC_SIGNER_FORGET, 1, NULL);
    assert_false(mint(&wish, &blob));
    assert_int_equal(child_leave(&child), 0);
}

static void certificate_is_minted_as_asked(void **state)
{
    (void)state;
    start(&child);
    log_in(1);
    struct mint wish = good_mint();
    struct cursor blob;
    assert_true(mint(&wish, &blob));
    struct keys_certificate_view view;
    assert_int_equal(keys_certificate_read(blob, &view), ERR_NONE);
    assert_int_equal(keys_certificate_verify(&view, keys_blob_peek(&public_blobs[2])), ERR_NONE);
    assert_int_equal(view.certificate.kind, KEYS_CERTIFICATE_USER);
    assert_true(view.certificate.serial == 42);
    assert_true(cursor_equal(view.certificate.public_key, cursor_of(person.public_key, 32)));
    assert_true(cursor_equal_text(view.certificate.principals[0], "ec2-user"));
    assert_true(cursor_equal_text(view.certificate.source_address, "10.1.2.3/32"));
    assert_int_equal(cursor_len(&view.certificate.force_command), 0);
    uint8_t nonce[32];
    memcpy(nonce, view.nonce.at, sizeof nonce);
    assert_true(mint(&wish, &blob));
    assert_int_equal(keys_certificate_read(blob, &view), ERR_NONE);
    assert_false(cursor_equal(view.nonce, cursor_of(nonce, sizeof nonce)));
    assert_int_equal(child_leave(&child), 0);
}

static void mint_outside_the_rules_is_refused(void **state)
{
    (void)state;
    static char long_text[1100];
    memset(long_text, 'x', sizeof long_text - 1);
    struct mint rows[32];
    size_t count = 0;
#define ROW(change)                                                                                          \
    do {                                                                                                     \
        struct mint row = good_mint();                                                                       \
        row.change;                                                                                          \
        rows[count++] = row;                                                                                 \
    } while (0)
    ROW(before_s = 571); /* 601 seconds */
    ROW(before_s = -30); /* none */
    ROW(before_s = -31);
    ROW(after_s = -125);
    ROW(before_s = 86400 * 365);
    ROW(principal = "");
    ROW(principal = "-oProxyCommand");
    ROW(principal = "a,b");
    ROW(principal = "ec2 user");
    ROW(key_id = "");
    ROW(key_id = "sid=1\nAccepted publickey for root");
    ROW(key_id = "caf\xc3\xa9");
    ROW(key_id = long_text);
    ROW(source = "*");
    ROW(source = "!10.0.0.1");
    ROW(source = "host.example.com");
    ROW(source = "10.0.0.1/8");
    ROW(command = "echo\nid");
    ROW(command = long_text);
    ROW(extensions[0] = "permit-everything");
    ROW(extensions[0] = "");
    ROW(subject = keys_blob_peek(&public_blobs[0]));
    ROW(subject = keys_blob_peek(&public_blobs[2]));
    ROW(subject = cursor_of_text("ssh-ed25519"));
    ROW(subject = cursor_of_text(""));
#undef ROW
    struct mint row = good_mint();
    row.after_s = 125; /* a store of certificates for later */
    row.before_s = 200;
    rows[count++] = row;
    row = good_mint();
    row.extension_count = 2;
    row.extensions[1] = row.extensions[0];
    rows[count++] = row;
    start(&child);
    log_in(1);
    struct cursor blob;
    for (size_t i = 0; i < count; i++) {
        if (mint(&rows[i], &blob)) {
            fail_msg("row %zu was minted", i);
        }
    }
    row = good_mint();
    row.before_s = 570;
    row.command = "/usr/bin/uptime";
    row.source = "";
    row.extension_count = 0;
    assert_true(mint(&row, &blob));
    row.extension_count = 5;
    static const char *const ALL[] = {"permit-user-rc", "permit-pty", "permit-port-forwarding",
                                      "permit-agent-forwarding", "permit-X11-forwarding"};
    memcpy((void *)(uintptr_t)row.extensions, ALL, sizeof ALL);
    assert_true(mint(&row, &blob));
    assert_int_equal(child_leave(&child), 0);
}

struct mint_host {
    uint32_t ref;
    uint8_t which;
    const char *key_id;
    int64_t after_s, before_s;
    uint8_t name_count;
    const char *names[KEYS_NAMES_MAX + 1];
};

static struct mint_host good_mint_host(void)
{
    return (struct mint_host){1, 1, "bastion", -300, 3600, 1, {"node1.internal"}};
}

static bool mint_host(const struct mint_host *wish, struct cursor *ret_certificate)
{
    uint64_t now = (uint64_t)clock_wall_s();
    struct writer body = writer_of(memory, sizeof memory);
    writer_u8(&body, wish->which);
    writer_u64be(&body, 43);
    writer_text(&body, wish->key_id);
    writer_u8(&body, wish->name_count);
    for (uint8_t i = 0; i < wish->name_count; i++) {
        writer_text(&body, wish->names[i]);
    }
    writer_u64be(&body, now + (uint64_t)wish->after_s);
    writer_u64be(&body, now + (uint64_t)wish->before_s);
    child_send(&child, IPC_MINT_HOST, wish->ref, &body);
    child_expect(&child, IPC_MINT_HOST_DONE, wish->ref);
    struct cursor answer = child.message.body;
    bool is_ok = false;
    assert_int_equal(cursor_bool(&answer, &is_ok), ERR_NONE);
    assert_int_equal(cursor_string(&answer, KEYS_CERTIFICATE_BYTES, ret_certificate), ERR_NONE);
    assert_int_equal(cursor_end(&answer), ERR_NONE);
    assert_int_equal(cursor_len(ret_certificate) > 0, is_ok);
    return is_ok;
}

static void host_certificate_is_minted_for_a_key_of_the_bastion_only(void **state)
{
    (void)state;
    start(&child);
    log_in(1);
    for (uint8_t which = 0; which < 2; which++) {
        struct mint_host wish = good_mint_host();
        wish.which = which;
        wish.ref = which; /* the host key's certificate belongs to no connection */
        wish.name_count = 2;
        wish.names[1] = "10.0.0.1";
        struct cursor blob;
        assert_true(mint_host(&wish, &blob));
        struct keys_certificate_view view;
        struct keys_public key;
        assert_int_equal(keys_certificate_read(blob, &view), ERR_NONE);
        assert_int_equal(keys_certificate_verify(&view, keys_blob_peek(&public_blobs[3])), ERR_NONE);
        assert_int_equal(keys_blob_parse(keys_blob_peek(&public_blobs[which]), &key), ERR_NONE);
        assert_int_equal(view.certificate.kind, KEYS_CERTIFICATE_HOST);
        assert_true(cursor_equal(view.certificate.public_key, key.point));
        assert_int_equal(view.certificate.principal_count, 2);
        assert_true(cursor_equal_text(view.certificate.principals[0], "node1.internal"));
        assert_true(cursor_equal_text(view.certificate.principals[1], "10.0.0.1"));
        assert_int_equal(view.certificate.extension_count, 0);
    }
    assert_int_equal(child_leave(&child), 0);
}

static void host_certificate_outside_the_rules_is_refused(void **state)
{
    (void)state;
    struct mint_host rows[32];
    size_t count = 0;
#define ROW(change)                                                                                          \
    do {                                                                                                     \
        struct mint_host row = good_mint_host();                                                             \
        row.change;                                                                                          \
        rows[count++] = row;                                                                                 \
    } while (0)
    ROW(ref = 0); /* the inner key, of no connection */
    ROW(ref = 2); /* of one on which nobody has proven a key */
    ROW(which = 0);
    ROW(key_id = "");
    ROW(key_id = "a\nb");
    ROW(name_count = 0);
    ROW(names[0] = "");
    ROW(names[0] = "*");
    ROW(names[0] = "*.internal");
    ROW(names[0] = "-oProxyCommand");
    ROW(names[0] = "a,b");
    ROW(names[0] = "[node1]:2222");
    ROW(before_s = 6901); /* two hours and a second */
    ROW(before_s = 86400);
    ROW(before_s = -300);
    ROW(before_s = -301);
    ROW(after_s = -605);
    ROW(after_s = 605);
#undef ROW
    start(&child);
    log_in(1);
    struct cursor blob;
    assert_true(sign_kex(2, 0, HASH, 32, &blob));
    for (size_t i = 0; i < count; i++) {
        if (mint_host(&rows[i], &blob)) {
            fail_msg("row %zu was minted", i);
        }
    }
    struct mint_host row = good_mint_host();
    row.before_s = 6900;
    assert_true(mint_host(&row, &blob));
    assert_int_equal(child_leave(&child), 0);
}

/* A client that was shown a certificate signs that with its login; what others were shown is no help. */
static void login_bound_to_a_certificate_is_verified(void **state)
{
    (void)state;
    start(&child);
    log_in(1);
    struct mint_host wish = good_mint_host();
    struct keys_blob shown[4];
    wish.which = 0;
    wish.ref = 0;
    for (size_t i = 0; i < 3; i++) {
        struct cursor blob;
        assert_true(mint_host(&wish, &blob));
        assert_int_equal(keys_blob_copy(blob, &shown[i]), ERR_NONE);
    }
    struct cursor inner;
    wish = good_mint_host();
    assert_true(mint_host(&wish, &inner));
    assert_int_equal(keys_blob_copy(inner, &shown[3]), ERR_NONE);
    static const bool IS_GOOD[] = {false, true, true,
                                   false}; /* too old, the one before, the last, another key's */
    for (size_t i = 0; i < COUNT_OF(IS_GOOD); i++) {
        struct login login = login_of(KEYS_METHOD_HOSTBOUND);
        uint8_t signature_memory[256];
        login.host_key = keys_blob_peek(&shown[i]);
        assert_int_equal(verify(1, &login, sign_login(&login, signature_memory)), IS_GOOD[i]);
    }
    assert_int_equal(child_leave(&child), 0);
}

static void message_that_breaks_its_row_ends_the_signer(void **state)
{
    (void)state;
    start(&child); /* sent by the wrong side */
    child_send(&child, IPC_SIGNER_READY, 0, NULL);
    assert_int_equal(child_wait(&child), 5);
    start(&child); /* for another process */
    child_send(&child, IPC_PAM_START, 0, NULL);
    assert_int_equal(child_wait(&child), 5);
    start(&child); /* with a descriptor */
    int fd = STDERR_FILENO;
    assert_int_equal(ipc_send(child.channel, IPC_SIGNER_FORGET, 0, cursor_of(NULL, 0), &fd, 1), ERR_NONE);
    assert_int_equal(child_wait(&child), 5);
    start(&child); /* not even a header */
    assert_int_equal(send(child.channel, "abc", 3, 0), 3);
    assert_int_equal(child_wait(&child), 5);
    start(&child); /* an unknown type */
    assert_int_equal(send(child.channel, "\xff\xff\0\0\0\0\0\0", 8, 0), 8);
    assert_int_equal(child_wait(&child), 5);
}

static void body_cut_anywhere_ends_the_signer(void **state)
{
    (void)state;
    static const struct {
        enum ipc_type type;
        uint8_t bytes[8];
        size_t len;
    } ROWS[] = {
        {IPC_SIGN_KEX, {0}, 0},
        {IPC_SIGN_KEX, {0, 0, 0, 0, 32}, 5},
        {IPC_SIGN_KEX, {2, 0, 0, 0, 0}, 5}, /* no such key */
        {IPC_SIGN_KEX, {0, 0, 0, 0, 0, 9}, 6},
        {IPC_VERIFY_USER, {0, 0, 0, 1}, 4},
        {IPC_VERIFY_CERTIFIED, {0, 0, 0, 0, 0}, 5},
        {IPC_MINT_USER, {0, 0, 0, 0, 0}, 5},
        {IPC_MINT_HOST, {1, 0, 0, 0, 0}, 5},
        {IPC_MINT_SERVER, {0, 0, 0, 1, 0}, 5},
        {IPC_SIGNER_FORGET, {1}, 1},
    };
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        start(&child);
        struct writer body = writer_of(memory, sizeof memory);
        writer_bytes(&body, cursor_of(ROWS[i].bytes, ROWS[i].len));
        child_send(&child, ROWS[i].type, 0, &body);
        assert_int_equal(child_wait(&child), 5);
    }
}

static bool mint_server(uint32_t ref, const char *name, int64_t from_s, int64_t until_s)
{
    uint64_t now = (uint64_t)clock_wall_s();
    uint8_t key_memory[CRYPTO_X509_PUBLIC_BYTES];
    struct writer key = writer_of(key_memory, sizeof key_memory);
    struct writer body = writer_of(memory, sizeof memory);
    struct crypto_x509_key *pair = NULL;
    struct cursor public_key;
    assert_int_equal(crypto_x509_key_new(&key, &pair), ERR_NONE);
    assert_int_equal(writer_done(&key, &public_key), ERR_NONE);
    writer_string(&body, public_key);
    writer_text(&body, name);
    writer_u64be(&body, now + (uint64_t)from_s);
    writer_u64be(&body, now + (uint64_t)until_s);
    crypto_x509_key_free(pair);
    child_send(&child, IPC_MINT_SERVER, ref, &body);
    child_expect(&child, IPC_MINT_SERVER_DONE, ref);
    struct cursor answer = child.message.body;
    struct cursor certificate;
    bool is_ok = false;
    assert_int_equal(cursor_bool(&answer, &is_ok), ERR_NONE);
    assert_int_equal(cursor_string(&answer, CRYPTO_X509_DER_BYTES, &certificate), ERR_NONE);
    assert_int_equal(cursor_end(&answer), ERR_NONE);
    assert_int_equal(cursor_len(&certificate) > 0, is_ok);
    return is_ok;
}

static void server_certificate_is_minted_within_the_rules_only(void **state)
{
    (void)state;
    start(&child);
    assert_false(mint_server(1, "orders-db", -300, 3600)); /* nobody has proven a key */
    log_in(1);
    assert_true(mint_server(1, "orders-db", -300, 3600));
    assert_true(mint_server(1, "10.1.2.3", 0, 7200));
    assert_false(mint_server(2, "orders-db", -300, 3600));
    assert_false(mint_server(1, "", -300, 3600));
    assert_false(mint_server(1, "*.internal", -300, 3600));
    assert_false(mint_server(1, "a,DNS:b", -300, 3600));
    assert_false(mint_server(1, "orders-db", 0, 7201));
    assert_false(mint_server(1, "orders-db", 700, 3600));
    assert_false(mint_server(1, "orders-db", -700, 3600));
    assert_false(mint_server(1, "orders-db", 10, 10));
    assert_int_equal(child_leave(&child), 0);
}

static void ca_for_databases_may_be_missing_but_not_open(void **state)
{
    (void)state;
    assert_int_equal(unlink(database_ca), 0);
    start(&child);
    log_in(1);
    assert_false(mint_server(1, "orders-db", -300, 3600));
    assert_int_equal(child_leave(&child), 0);
    write_database_ca(0640);
    start_with(&child, paths[0], paths[1], paths[2]);
    assert_int_equal(child_wait(&child), 3);
    write_database_ca(0600);
}

static void key_file_that_others_may_read_is_refused(void **state)
{
    (void)state;
    static const mode_t MODES[] = {0640, 0604, 0620, 0644, 0610};
    for (size_t i = 0; i < COUNT_OF(MODES); i++) {
        assert_int_equal(chmod(paths[2], MODES[i]), 0);
        start_with(&child, paths[0], paths[1], paths[2]);
        assert_int_equal(child_wait(&child), 3);
    }
    assert_int_equal(chmod(paths[2], 0400), 0);
    start(&child);
    assert_int_equal(child_leave(&child), 0);
    assert_int_equal(chmod(paths[2], 0600), 0);
}

static void key_file_missing_linked_or_used_twice_is_refused(void **state)
{
    (void)state;
    start_with(&child, paths[0], "/nonexistent", paths[2]);
    assert_int_equal(child_wait(&child), 3);
    char link_path[96];
    (void)snprintf(link_path, sizeof link_path, "%s/link", folder);
    assert_int_equal(symlink(paths[1], link_path), 0);
    start_with(&child, paths[0], link_path, paths[2]);
    assert_int_equal(child_wait(&child), 3);
    assert_int_equal(unlink(link_path), 0);
    start_with(&child, paths[0], paths[2], paths[2]); /* a CA that also signs handshakes */
    assert_int_equal(child_wait(&child), 3);
    for (size_t i = 0; i < 3; i++) { /* a CA for hosts that does something else as well */
        start_with_cas(&child, paths[0], paths[1], paths[2], paths[i]);
        assert_int_equal(child_wait(&child), 3);
    }
    start_with(&child, "/dev/null", paths[1], paths[2]);
    assert_int_equal(child_wait(&child), 3);
}

static void signer_without_keys_prints_its_usage(void **state)
{
    (void)state;
    static const char *const NONE[] = {BASTION_SIGNER, NULL};
    static const char *const UNKNOWN[] = {BASTION_SIGNER, "--nonsense", NULL};
    static const char *const HELP[] = {BASTION_SIGNER, "--help", NULL};
    static const char *const VERSION[] = {BASTION_SIGNER, "--version", NULL};
    child_start(&child, NONE);
    assert_int_equal(child_wait(&child), 2);
    child_start(&child, UNKNOWN);
    assert_int_equal(child_wait(&child), 2);
    child_start(&child, HELP);
    assert_int_equal(child_wait(&child), 0);
    child_start(&child, VERSION);
    assert_int_equal(child_wait(&child), 0);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(ready_names_the_public_keys),
        cmocka_unit_test(exchange_hash_is_signed_with_the_key_asked_for),
        cmocka_unit_test(exchange_hash_of_another_length_is_refused),
        cmocka_unit_test(inner_handshake_before_the_outer_is_refused),
        cmocka_unit_test(login_is_verified_over_the_session_id_that_was_signed),
        cmocka_unit_test(login_with_every_kind_of_key_is_verified),
        cmocka_unit_test(certified_key_is_verified_or_refused_by_its_row),
        cmocka_unit_test(login_for_another_session_is_refused),
        cmocka_unit_test(forgotten_connection_has_no_session_id),
        cmocka_unit_test(table_of_connections_is_bounded),
        cmocka_unit_test(certificate_without_a_verified_user_is_refused),
        cmocka_unit_test(certificate_is_minted_as_asked),
        cmocka_unit_test(mint_outside_the_rules_is_refused),
        cmocka_unit_test(host_certificate_is_minted_for_a_key_of_the_bastion_only),
        cmocka_unit_test(host_certificate_outside_the_rules_is_refused),
        cmocka_unit_test(login_bound_to_a_certificate_is_verified),
        cmocka_unit_test(message_that_breaks_its_row_ends_the_signer),
        cmocka_unit_test(body_cut_anywhere_ends_the_signer),
        cmocka_unit_test(server_certificate_is_minted_within_the_rules_only),
        cmocka_unit_test(ca_for_databases_may_be_missing_but_not_open),
        cmocka_unit_test(key_file_that_others_may_read_is_refused),
        cmocka_unit_test(key_file_missing_linked_or_used_twice_is_refused),
        cmocka_unit_test(signer_without_keys_prints_its_usage),
    };
    if (geteuid() != 0) {
        print_message("skipped: this test needs root to close the sandbox\n");
        return 0;
    }
    return cmocka_run_group_tests(TESTS, make_keys, remove_keys);
}
