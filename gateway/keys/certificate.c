#include "keys/certificate.h"

#include <string.h>

#include "crypto/ed25519.h"
#include "keys/signature.h"

enum { POINT_BYTES = 32, NAME_MAX_BYTES = 64 };
static const char TYPE[] = "ssh-ed25519-cert-v01@openssh.com";
static const char FORCE_COMMAND[] = "force-command";
static const char SOURCE_ADDRESS[] = "source-address";

bool keys_certificate_knows_extension(struct cursor name)
{
    static const char *const NAMES[] = {"permit-X11-forwarding", "permit-agent-forwarding",
                                        "permit-port-forwarding", "permit-pty", "permit-user-rc"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (cursor_equal_text(name, NAMES[i])) {
            return true;
        }
    }
    return false;
}

/* Byte order, as the format asks for; a shorter name comes before one that it starts. */
static int compare(struct cursor a, struct cursor b)
{
    size_t a_len = cursor_len(&a);
    size_t b_len = cursor_len(&b);
    size_t common = a_len < b_len ? a_len : b_len;
    int order = common == 0 ? 0 : memcmp(a.at, b.at, common);
    if (order != 0) {
        return order;
    }
    return a_len < b_len ? -1 : a_len > b_len;
}

/* Insertion sort of at most KEYS_EXTENSIONS_MAX names. */
static enum err sort_names(struct cursor *names, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        for (unsigned j = i; j > 0 && compare(names[j - 1], names[j]) >= 0; j--) {
            struct cursor moved = names[j];
            if (compare(names[j - 1], moved) == 0) {
                return ERR_MALFORMED;
            }
            names[j] = names[j - 1];
            names[j - 1] = moved;
        }
    }
    return ERR_NONE;
}

static void write_option(struct writer *out, const char *name, struct cursor value)
{
    if (cursor_len(&value) == 0) {
        return;
    }
    writer_text(out, name);
    uint8_t *data = writer_string_begin(out);
    writer_string(out, value);
    writer_string_end(out, data);
}

static enum err write_extensions(struct writer *out, const struct keys_certificate *certificate)
{
    struct cursor names[KEYS_EXTENSIONS_MAX];
    unsigned count = certificate->extension_count;
    if (count > KEYS_EXTENSIONS_MAX) {
        return ERR_TOO_LARGE;
    }
    for (unsigned i = 0; i < count; i++) {
        names[i] = certificate->extensions[i];
    }
    TRY(sort_names(names, count));
    uint8_t *extensions = writer_string_begin(out);
    for (unsigned i = 0; i < count; i++) {
        writer_string(out, names[i]);
        writer_text(out, "");
    }
    writer_string_end(out, extensions);
    return ERR_NONE;
}

enum err keys_certificate_write(const struct keys_certificate *certificate,
                                const uint8_t nonce[static KEYS_CERTIFICATE_NONCE_BYTES],
                                struct cursor ca_blob, struct writer *out)
{
    bool is_kind_known =
        certificate->kind == KEYS_CERTIFICATE_USER || certificate->kind == KEYS_CERTIFICATE_HOST;
    /* A certificate without principals would be good for every account (PROTOCOL.certkeys). */
    bool has_principal = certificate->principal_count > 0 && certificate->principal_count <= KEYS_NAMES_MAX;
    for (unsigned i = 0; has_principal && i < certificate->principal_count; i++) {
        has_principal = cursor_len(&certificate->principals[i]) > 0;
    }
    if (!is_kind_known || !has_principal || cursor_len(&certificate->public_key) != POINT_BYTES) {
        return ERR_MALFORMED;
    }
    writer_text(out, TYPE);
    writer_string(out, cursor_of(nonce, KEYS_CERTIFICATE_NONCE_BYTES));
    writer_string(out, certificate->public_key);
    writer_u64be(out, certificate->serial);
    writer_u32be(out, certificate->kind);
    writer_string(out, certificate->key_id);
    uint8_t *principals = writer_string_begin(out);
    for (unsigned i = 0; i < certificate->principal_count; i++) {
        writer_string(out, certificate->principals[i]);
    }
    writer_string_end(out, principals);
    writer_u64be(out, certificate->valid_after_s);
    writer_u64be(out, certificate->valid_before_s);
    uint8_t *options = writer_string_begin(out);
    write_option(out, FORCE_COMMAND, certificate->force_command);
    write_option(out, SOURCE_ADDRESS, certificate->source_address);
    writer_string_end(out, options);
    TRY(write_extensions(out, certificate));
    writer_text(out, ""); /* reserved */
    writer_string(out, ca_blob);
    return out->is_full ? ERR_TOO_LARGE : ERR_NONE;
}

enum err keys_certificate_finish(struct writer *out, struct cursor signature_blob,
                                 struct cursor *ret_certificate)
{
    writer_string(out, signature_blob);
    return writer_done(out, ret_certificate);
}

/* A name that comes after `*previous`, so that there is one order and no repetition. */
static enum err read_name(struct cursor *in, struct cursor *previous, struct cursor *ret_name)
{
    TRY(cursor_string(in, NAME_MAX_BYTES, ret_name));
    if (cursor_len(ret_name) == 0 || compare(*previous, *ret_name) >= 0) {
        return ERR_MALFORMED;
    }
    *previous = *ret_name;
    return ERR_NONE;
}

static enum err read_options(struct cursor in, struct keys_certificate *certificate)
{
    struct cursor previous = cursor_of_text("");
    while (cursor_len(&in) > 0) {
        struct cursor name;
        struct cursor data;
        struct cursor value;
        TRY(read_name(&in, &previous, &name));
        TRY(cursor_string(&in, KEYS_CERTIFICATE_TEXT_BYTES + 4, &data));
        TRY(cursor_string(&data, KEYS_CERTIFICATE_TEXT_BYTES, &value));
        TRY(cursor_end(&data));
        if (cursor_equal_text(name, FORCE_COMMAND)) {
            certificate->force_command = value;
        } else if (cursor_equal_text(name, SOURCE_ADDRESS)) {
            certificate->source_address = value;
        } else {
            return ERR_MALFORMED; /* PROTOCOL.certkeys: an unknown critical option refuses the certificate */
        }
    }
    return ERR_NONE;
}

static enum err read_extensions(struct cursor in, struct keys_certificate *certificate)
{
    struct cursor previous = cursor_of_text("");
    while (cursor_len(&in) > 0) {
        struct cursor name;
        struct cursor data;
        TRY(read_name(&in, &previous, &name));
        TRY(cursor_string(&in, KEYS_CERTIFICATE_TEXT_BYTES, &data));
        if (certificate->extension_count == KEYS_EXTENSIONS_MAX) {
            return ERR_TOO_LARGE;
        }
        certificate->extensions[certificate->extension_count++] = name;
    }
    return ERR_NONE;
}

static enum err read_principals(struct cursor *in, struct keys_certificate *certificate)
{
    struct cursor list;
    TRY(cursor_string(in, KEYS_CERTIFICATE_BYTES, &list));
    do {
        struct cursor *name = &certificate->principals[certificate->principal_count];
        TRY(cursor_string(&list, KEYS_CERTIFICATE_TEXT_BYTES, name));
        if (cursor_len(name) == 0) {
            return ERR_MALFORMED;
        }
        certificate->principal_count++;
    } while (cursor_len(&list) > 0 && certificate->principal_count < KEYS_NAMES_MAX);
    return cursor_end(&list);
}

static enum err read_subject(struct cursor *in, struct keys_certificate_view *view)
{
    struct cursor type;
    TRY(cursor_string(in, NAME_MAX_BYTES, &type));
    if (!cursor_equal_text(type, TYPE)) {
        return ERR_MALFORMED;
    }
    struct keys_certificate *certificate = &view->certificate;
    TRY(cursor_string(in, NAME_MAX_BYTES, &view->nonce));
    TRY(cursor_string(in, POINT_BYTES, &certificate->public_key));
    TRY(cursor_u64be(in, &certificate->serial));
    TRY(cursor_u32be(in, &certificate->kind));
    bool is_kind_known =
        certificate->kind == KEYS_CERTIFICATE_USER || certificate->kind == KEYS_CERTIFICATE_HOST;
    return is_kind_known && cursor_len(&certificate->public_key) == POINT_BYTES ? ERR_NONE : ERR_MALFORMED;
}

enum err keys_certificate_read(struct cursor blob, struct keys_certificate_view *ret_view)
{
    if (cursor_len(&blob) > KEYS_CERTIFICATE_BYTES) {
        return ERR_TOO_LARGE;
    }
    struct cursor in = blob;
    struct keys_certificate_view view = {.certificate = {.kind = 0}};
    struct keys_certificate *certificate = &view.certificate;
    TRY(read_subject(&in, &view));
    TRY(cursor_string(&in, KEYS_CERTIFICATE_TEXT_BYTES, &certificate->key_id));
    TRY(read_principals(&in, certificate));
    TRY(cursor_u64be(&in, &certificate->valid_after_s));
    TRY(cursor_u64be(&in, &certificate->valid_before_s));
    struct cursor part;
    TRY(cursor_string(&in, KEYS_CERTIFICATE_BYTES, &part));
    TRY(read_options(part, certificate));
    TRY(cursor_string(&in, KEYS_CERTIFICATE_BYTES, &part));
    TRY(read_extensions(part, certificate));
    TRY(cursor_string(&in, KEYS_CERTIFICATE_BYTES, &part));
    TRY(cursor_string(&in, LIMIT_KEY_BLOB_BYTES, &view.ca_blob));
    view.signed_bytes = (struct cursor){blob.at, in.at};
    TRY(cursor_string(&in, LIMIT_SIGNATURE_BYTES, &view.signature_blob));
    TRY(cursor_end(&in));
    *ret_view = view;
    return ERR_NONE;
}

enum err keys_certificate_verify(const struct keys_certificate_view *view, struct cursor ca_blob)
{
    if (!cursor_equal(view->ca_blob, ca_blob)) {
        return ERR_MISMATCH;
    }
    struct cursor probe = view->signature_blob;
    struct cursor algorithm;
    TRY(cursor_string(&probe, NAME_MAX_BYTES, &algorithm));
    struct keys_proof proof;
    return keys_signature_verify(ca_blob, algorithm, view->signature_blob, view->signed_bytes,
                                 KEYS_TOUCH_REQUIRED, &proof);
}
