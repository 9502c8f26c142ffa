#include "keys/certificate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <time.h>

#include "crypto/base64.h"
#include "crypto/ed25519.h"
#include "openssh.h"

static struct crypto_ed25519 ca;
static struct keys_blob ca_blob;
static struct keys_blob subject;
static const uint8_t NONCE[KEYS_CERTIFICATE_NONCE_BYTES] = {1, 2, 3};

static int make_keys(void **state)
{
    (void)state;
    static const uint8_t SEED[32] = {'c', 'a'};
    openssh_start();
    openssh_keygen("subject", "-t ed25519");
    openssh_blob("subject", &subject);
    assert_int_equal(crypto_ed25519_load(&ca, SEED), ERR_NONE);
    keys_blob_of_ed25519(ca.public_key, &ca_blob);
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    crypto_ed25519_done(&ca);
    openssh_stop();
    return 0;
}

static struct keys_certificate example(void)
{
    struct keys_public key;
    assert_int_equal(keys_blob_parse(keys_blob_peek(&subject), &key), ERR_NONE);
    return (struct keys_certificate){
        .kind = KEYS_CERTIFICATE_USER,
        .public_key = key.point,
        .serial = 0x0102030405060708,
        .key_id = cursor_of_text("sid=0123;user=alice;src=10.1.2.3"),
        .principal_count = 1,
        .principals = {cursor_of_text("ec2-user")},
        .valid_after_s = (uint64_t)time(NULL) - 30,
        .valid_before_s = (uint64_t)time(NULL) + 120,
        .force_command = cursor_of_text("/bin/true"),
        .source_address = cursor_of_text("127.0.0.1/32"),
        .extension_count = 2,
        .extensions = {cursor_of_text("permit-pty"), cursor_of_text("permit-agent-forwarding")},
    };
}

/* Written and signed by the CA of this test. */
static struct cursor make(const struct keys_certificate *certificate,
                          uint8_t memory[static KEYS_CERTIFICATE_BYTES])
{
    struct writer out = writer_of(memory, KEYS_CERTIFICATE_BYTES);
    assert_int_equal(keys_certificate_write(certificate, NONCE, keys_blob_peek(&ca_blob), &out), ERR_NONE);
    struct cursor to_sign;
    assert_int_equal(writer_done(&out, &to_sign), ERR_NONE);
    uint8_t raw[CRYPTO_ED25519_SIGNATURE_BYTES];
    assert_int_equal(crypto_ed25519_sign(&ca, to_sign, raw), ERR_NONE);
    uint8_t blob_memory[128];
    struct writer blob = writer_of(blob_memory, sizeof blob_memory);
    writer_text(&blob, "ssh-ed25519");
    writer_string(&blob, cursor_of(raw, sizeof raw));
    struct cursor signature;
    assert_int_equal(writer_done(&blob, &signature), ERR_NONE);
    struct cursor result;
    assert_int_equal(keys_certificate_finish(&out, signature, &result), ERR_NONE);
    return result;
}

static void write_certificate_file(const char *name, struct cursor blob)
{
    static char base64[8192];
    static char text[8192 + 64];
    assert_int_equal(crypto_base64_encode(blob, CRYPTO_BASE64_PADDED, base64, sizeof base64), ERR_NONE);
    (void)snprintf(text, sizeof text, "ssh-ed25519-cert-v01@openssh.com %s test\n", base64);
    openssh_write_file(name, 0600, cursor_of_text(text));
}

static void certificate_is_read_back(void **state)
{
    (void)state;
    static uint8_t memory[KEYS_CERTIFICATE_BYTES];
    struct keys_certificate in = example();
    struct keys_certificate_view view;
    assert_int_equal(keys_certificate_read(make(&in, memory), &view), ERR_NONE);
    const struct keys_certificate *out = &view.certificate;
    assert_int_equal(out->kind, in.kind);
    assert_true(out->serial == in.serial);
    assert_true(out->valid_after_s == in.valid_after_s && out->valid_before_s == in.valid_before_s);
    assert_true(cursor_equal(out->public_key, in.public_key));
    assert_true(cursor_equal(out->key_id, in.key_id));
    assert_true(cursor_equal(out->principals[0], in.principals[0]));
    assert_true(cursor_equal(out->force_command, in.force_command));
    assert_true(cursor_equal(out->source_address, in.source_address));
    assert_int_equal(out->extension_count, 2);
    assert_true(cursor_equal_text(out->extensions[0], "permit-agent-forwarding")); /* sorted */
    assert_true(cursor_equal_text(out->extensions[1], "permit-pty"));
    assert_true(cursor_equal(view.nonce, cursor_of(NONCE, sizeof NONCE)));
    assert_int_equal(keys_certificate_verify(&view, keys_blob_peek(&ca_blob)), ERR_NONE);
    assert_int_equal(keys_certificate_verify(&view, keys_blob_peek(&subject)), ERR_MISMATCH);
}

static void certificate_cut_anywhere_is_truncated(void **state)
{
    (void)state;
    static uint8_t memory[KEYS_CERTIFICATE_BYTES];
    struct keys_certificate in = example();
    struct cursor blob = make(&in, memory);
    struct keys_certificate_view view;
    for (size_t len = 0; len < cursor_len(&blob); len++) {
        assert_int_equal(keys_certificate_read(cursor_of(blob.at, len), &view), ERR_TRUNCATED);
    }
    assert_int_equal(keys_certificate_read(cursor_of(blob.at, cursor_len(&blob) + 1), &view), ERR_MALFORMED);
    static uint8_t large[KEYS_CERTIFICATE_BYTES + 1];
    assert_int_equal(keys_certificate_read(cursor_of(large, sizeof large), &view), ERR_TOO_LARGE);
}

static void certificate_changed_anywhere_is_refused(void **state)
{
    (void)state;
    static uint8_t memory[KEYS_CERTIFICATE_BYTES];
    struct keys_certificate in = example();
    struct cursor blob = make(&in, memory);
    for (size_t at = 0; at < cursor_len(&blob); at++) {
        memory[at] ^= 1;
        struct keys_certificate_view view;
        bool is_accepted = keys_certificate_read(blob, &view) == ERR_NONE &&
                           keys_certificate_verify(&view, keys_blob_peek(&ca_blob)) == ERR_NONE;
        assert_false(is_accepted);
        memory[at] ^= 1;
    }
}

static void certificate_for_everybody_or_with_repeated_extension_is_not_written(void **state)
{
    (void)state;
    static uint8_t memory[KEYS_CERTIFICATE_BYTES];
    struct cursor ca_bytes = keys_blob_peek(&ca_blob);
    struct keys_certificate in = example();
    in.principals[0] = cursor_of_text("");
    struct writer out = writer_of(memory, sizeof memory);
    assert_int_equal(keys_certificate_write(&in, NONCE, ca_bytes, &out), ERR_MALFORMED);
    in = example();
    in.extensions[1] = in.extensions[0];
    out = writer_of(memory, sizeof memory);
    assert_int_equal(keys_certificate_write(&in, NONCE, ca_bytes, &out), ERR_MALFORMED);
    in = example();
    in.kind = 3;
    out = writer_of(memory, sizeof memory);
    assert_int_equal(keys_certificate_write(&in, NONCE, ca_bytes, &out), ERR_MALFORMED);
    in = example();
    out = writer_of(memory, 64);
    assert_int_equal(keys_certificate_write(&in, NONCE, ca_bytes, &out), ERR_TOO_LARGE);
    assert_true(keys_certificate_knows_extension(cursor_of_text("permit-pty")));
    assert_false(keys_certificate_knows_extension(cursor_of_text("permit-pt")));
    assert_false(keys_certificate_knows_extension(cursor_of_text("")));
}

static void certificate_is_understood_by_ssh_keygen(void **state)
{
    (void)state;
    static uint8_t memory[KEYS_CERTIFICATE_BYTES];
    static char output[OUTPUT_BYTES];
    struct keys_certificate in = example();
    write_certificate_file("subject-cert.pub", make(&in, memory));
    assert_int_equal(run(output, "ssh-keygen -L -f subject-cert.pub"), 0);
    static const char *const PARTS[] = {
        "ssh-ed25519-cert-v01@openssh.com user certificate",
        "sid=0123;user=alice;src=10.1.2.3",
        "Serial: 72623859790382856",
        "ec2-user",
        "force-command /bin/true",
        "source-address 127.0.0.1/32",
        "permit-pty",
        "permit-agent-forwarding",
    };
    char fingerprint[KEYS_FINGERPRINT_BYTES];
    assert_non_null(strstr(output, keys_fingerprint(keys_blob_peek(&ca_blob), fingerprint)));
    for (size_t i = 0; i < COUNT_OF(PARTS); i++) {
        if (strstr(output, PARTS[i]) == NULL) {
            fail_msg("no \"%s\" in: %s", PARTS[i], output);
        }
    }
}

static unsigned free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    fd_close(&fd);
    return ntohs(address.sin_port);
}

static pid_t sshd_start(unsigned port)
{
    static char output[OUTPUT_BYTES];
    static char text[1024];
    openssh_keygen("host", "-t ed25519");
    char line[KEYS_LINE_BYTES];
    assert_int_equal(keys_line_write(keys_blob_peek(&ca_blob), line, sizeof line), ERR_NONE);
    openssh_write_file("ca.pub", 0644, cursor_of_text(line));
    (void)snprintf(
        text, sizeof text,
        "Port %u\nListenAddress 127.0.0.1\nHostKey %s/host\nTrustedUserCAKeys %s/ca.pub\nPidFile none\n"
        "UsePAM no\nPasswordAuthentication no\nAuthorizedKeysFile none\nPermitRootLogin yes\n",
        port, openssh.folder, openssh.folder);
    openssh_write_file("sshd_config", 0600, cursor_of_text(text));
    (void)run(output, "mkdir -p /run/sshd"); /* sshd's own empty folder; a package's start script makes it */
    char config[128];
    (void)snprintf(config, sizeof config, "%s/sshd_config", openssh.folder);
    char log[128];
    (void)snprintf(log, sizeof log, "%s/sshd.log", openssh.folder);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-f", config, "-E", log, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int connected = connect(fd, (struct sockaddr *)&address, sizeof address);
        fd_close(&fd);
        if (connected == 0) {
            return pid;
        }
        (void)usleep(10000);
    }
    fail_msg("sshd does not listen");
    return pid;
}

static int login(unsigned port, const char *user, char output[static OUTPUT_BYTES])
{
    return run(
        output,
        "ssh -F none -o BatchMode=yes -o IdentityAgent=none -o IdentitiesOnly=yes -o "
        "StrictHostKeyChecking=no "
        "-o UserKnownHostsFile=/dev/null -i subject -o CertificateFile=subject-cert.pub -p %u %s@127.0.0.1 "
        "echo from-client",
        port, user);
}

static void certificate_logs_in_at_sshd_and_only_as_its_principal(void **state)
{
    (void)state;
    if (access("/usr/sbin/sshd", X_OK) != 0 || geteuid() != 0) {
        print_message("skipped: this test needs /usr/sbin/sshd and root\n");
        skip();
    }
    static uint8_t memory[KEYS_CERTIFICATE_BYTES];
    static char output[OUTPUT_BYTES];
    const char *user = getpwuid(0)->pw_name;
    unsigned port = free_port();
    pid_t sshd = sshd_start(port);
    struct keys_certificate in = example();
    in.force_command = cursor_of_text("echo from-certificate");
    in.principals[0] = cursor_of_text(user);
    write_certificate_file("subject-cert.pub", make(&in, memory));
    int status = login(port, user, output);
    bool is_forced = strstr(output, "from-certificate") != NULL && strstr(output, "from-client") == NULL;
    in.force_command = cursor_of_text("");
    in.source_address = cursor_of_text("");
    in.extension_count = 0;
    write_certificate_file("subject-cert.pub", make(&in, memory));
    int plain_status = login(port, user, output);
    bool is_plain = strstr(output, "from-client") != NULL;
    in.principals[0] = cursor_of_text("somebody-else");
    write_certificate_file("subject-cert.pub", make(&in, memory));
    int other_status = login(port, user, output);
    in = example();
    in.principals[0] = cursor_of_text(user);
    in.source_address = cursor_of_text("10.9.9.9/32");
    write_certificate_file("subject-cert.pub", make(&in, memory));
    int source_status = login(port, user, output);
    in = example();
    in.principals[0] = cursor_of_text(user);
    in.valid_before_s = in.valid_after_s + 1;
    write_certificate_file("subject-cert.pub", make(&in, memory));
    int expired_status = login(port, user, output);
    (void)openssh_read_file("sshd.log", output);
    bool is_logged = strstr(output, "sid=0123;user=alice;src=10.1.2.3") != NULL;
    (void)kill(sshd, SIGTERM);
    (void)waitpid(sshd, NULL, 0);
    if (status != 0 || plain_status != 0) {
        fail_msg("sshd refused the certificate: %s", output);
    }
    assert_true(is_forced && is_plain && is_logged);
    assert_int_equal(other_status, 255);
    assert_int_equal(source_status, 255);
    assert_int_equal(expired_status, 255);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(certificate_is_read_back),
        cmocka_unit_test(certificate_cut_anywhere_is_truncated),
        cmocka_unit_test(certificate_changed_anywhere_is_refused),
        cmocka_unit_test(certificate_for_everybody_or_with_repeated_extension_is_not_written),
        cmocka_unit_test(certificate_is_understood_by_ssh_keygen),
        cmocka_unit_test(certificate_logs_in_at_sshd_and_only_as_its_principal),
    };
    return cmocka_run_group_tests(TESTS, make_keys, remove_keys);
}
