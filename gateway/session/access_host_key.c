/* Whether the target is the one that the engineer asked for: what the monitor sent about it, and what it
 * shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "crypto/hash.h"
#include "state.h"

enum err access_read_trust(struct access *access, struct cursor body)
{
    size_t len = cursor_len(&body);
    access->trust_bytes = malloc(len == 0 ? 1 : len);
    if (access->trust_bytes == NULL) {
        return ERR_MEMORY;
    }
    memcpy(access->trust_bytes, body.at, len);
    struct cursor in = cursor_of(access->trust_bytes, len);
    TRY(cursor_string(&in, LIMIT_KEY_BLOB_BYTES, &access->inner_certificate));
    TRY(keys_host_trust_read(&in, &access->trust));
    return cursor_end(&in);
}

/* As ssh does: kinds of which a key is known come first, so that the target shows a key that is known. The
 * others follow, for a sentence with the fingerprint of what it shows instead. */
const char *access_host_kinds(const struct access *access, char text[static ACCESS_HOST_KINDS_BYTES])
{
    static const struct {
        enum keys_type type;
        const char *names;
    } KINDS[] = {{KEYS_ED25519, "ssh-ed25519"},
                 {KEYS_ECDSA_P256, "ecdsa-sha2-nistp256"},
                 {KEYS_ECDSA_P384, "ecdsa-sha2-nistp384"},
                 {KEYS_ECDSA_P521, "ecdsa-sha2-nistp521"},
                 {KEYS_RSA, "rsa-sha2-512,rsa-sha2-256"}};
    struct writer out = writer_of(text, ACCESS_HOST_KINDS_BYTES);
    for (int is_known = 1; is_known >= 0; is_known--) {
        for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
            if (keys_host_trust_has_type(&access->trust, KINDS[i].type) == (is_known == 1)) {
                writer_bytes(&out, cursor_of_text(out.at == out.start ? "" : ","));
                writer_bytes(&out, cursor_of_text(KINDS[i].names));
            }
        }
    }
    writer_u8(&out, 0);
    return text;
}

static void describe(struct access *access, const struct keys_host_judgement *judgement)
{
    (void)snprintf(access->host_key_text, sizeof access->host_key_text, "%s%s%s", judgement->fingerprint,
                   judgement->is_certified ? " certified by " : "",
                   judgement->is_certified ? judgement->ca_fingerprint : "");
}

enum err access_judge_host_key(struct access *access, struct cursor shown)
{
    uint8_t hash[CRYPTO_SHA256_BYTES];
    struct keys_host_judgement judgement;
    crypto_sha256(shown, hash);
    /* New keys of a connection that began well: a certificate that expired since is no reason to end it. */
    if (access->is_host_trusted && memcmp(hash, access->host_key_hash, sizeof hash) == 0) {
        return ERR_NONE;
    }
    keys_host_trust_judge(&access->trust, access->host, clock_wall_s(), shown, &judgement);
    if (judgement.is_trusted) {
        access->is_host_trusted = true;
        memcpy(access->host_key_hash, hash, sizeof hash);
        describe(access, &judgement);
        return ERR_NONE;
    }
    char sentence[LIMIT_SENTENCE_BYTES];
    (void)snprintf(
        sentence, sizeof sentence,
        "the bastion does not trust %.60s: %.330s; somebody may be in between: tell your operators "
        "[D-HOST-KEY]",
        access->host, judgement.reason);
    session_note(access->session, access->ref, "host_key_refused", sentence);
    access_refuse_login(access, sentence);
    return ERR_MISMATCH;
}
