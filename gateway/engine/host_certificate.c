/* A server's host certificate (OpenSSH PROTOCOL.certkeys), which libssh does not have: it is offered, and
 * shown to clients that want it, in the place of the plain key that it is for. The signature over the
 * exchange is the same. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { COOKIE_BYTES = 16, NAME_LIST_BYTES = 8192 };
static const char CERTIFICATE[] = "ssh-ed25519-cert-v01@openssh.com";
static const char PLAIN[] = "ssh-ed25519";

bool engine_certificate_is_for(struct cursor certificate, struct cursor public_key)
{
    struct cursor type;
    struct cursor nonce;
    struct cursor subject;
    return cursor_string(&certificate, LIMIT_KEY_BLOB_BYTES, &type) == ERR_NONE &&
           cursor_string(&certificate, LIMIT_KEY_BLOB_BYTES, &nonce) == ERR_NONE &&
           cursor_string(&certificate, LIMIT_KEY_BLOB_BYTES, &subject) == ERR_NONE &&
           cursor_equal_text(type, CERTIFICATE) && cursor_equal(subject, public_key);
}

enum err engine_set_host_certificate(struct engine *engine, struct cursor certificate)
{
    struct cursor blob = cursor_of(ssh_string_data(engine->host_blob), ssh_string_len(engine->host_blob));
    /* The key itself is the last field of its blob. */
    if (!engine_certificate_is_for(certificate,
                                   cursor_of(blob.end - ENGINE_ED25519_BYTES, ENGINE_ED25519_BYTES))) {
        return ERR_MALFORMED;
    }
    engine->host_certificate = ssh_string_new(cursor_len(&certificate));
    bool is_copied = engine->host_certificate != NULL &&
                     ssh_string_fill(engine->host_certificate, certificate.at, cursor_len(&certificate)) == 0;
    return is_copied ? ERR_NONE : ERR_MEMORY;
}

/* RFC 4253 7.1: cookie, key exchange methods, host key types, ... The client's first that we have counts. */
void engine_choose_host_key(struct engine *engine, struct cursor kexinit)
{
    struct cursor skipped;
    struct cursor kinds;
    struct cursor kind;
    engine->shows_certificate = false;
    if (engine->host_certificate == NULL || cursor_bytes(&kexinit, COOKIE_BYTES, &skipped) != ERR_NONE ||
        cursor_string(&kexinit, NAME_LIST_BYTES, &skipped) != ERR_NONE ||
        cursor_string(&kexinit, NAME_LIST_BYTES, &kinds) != ERR_NONE) {
        return; /* libssh judges the packet */
    }
    while (cursor_name(&kinds, &kind) && !cursor_equal_text(kind, PLAIN)) {
        if (cursor_equal_text(kind, CERTIFICATE)) {
            engine->shows_certificate = true;
            return;
        }
    }
}

char *engine_offer_certificate(char *plain)
{
    size_t size_bytes = sizeof CERTIFICATE + 1 + strlen(plain);
    char *list = malloc(size_bytes);
    if (list != NULL) {
        struct writer out = writer_of(list, size_bytes);
        writer_bytes(&out, cursor_of_text(CERTIFICATE));
        writer_u8(&out, ',');
        writer_bytes(&out, cursor_of_text(plain));
        writer_u8(&out, 0);
    }
    free(plain);
    return list;
}
