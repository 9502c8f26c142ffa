#include "keys/user_certificate.h"

#include "certified.h"
#include "keys/certificate.h"
#include "keys/source.h"

static enum err read_option(void *owner, struct cursor name, struct cursor data)
{
    struct keys_user_certificate *certificate = owner;
    if (cursor_equal_text(name, "source-address")) {
        TRY(cursor_string(&data, CERTIFIED_OPTION_BYTES, &certificate->source_address));
        return cursor_end(&data);
    }
    if (cursor_equal_text(name, "verify-required")) {
        certificate->is_verify_required = true;
        return cursor_end(&data);
    }
    /* PROTOCOL.certkeys: what is critical and not known refuses. "force-command" is known, and nothing here
     * could keep it. */
    return ERR_MALFORMED;
}

enum err keys_user_certificate_read(struct cursor blob, struct keys_user_certificate *ret)
{
    ret->source_address = (struct cursor){NULL, NULL};
    ret->is_verify_required = false;
    TRY(certified_read(blob, &ret->claims));
    TRY(certified_critical_options(&ret->claims, read_option, ret));
    return ret->claims.kind == KEYS_CERTIFICATE_USER ? ERR_NONE : ERR_MALFORMED;
}

static bool names_person(struct cursor principals, struct cursor person)
{
    struct cursor principal;
    while (certified_principal(&principals, &principal)) {
        if (cursor_equal(principal, person)) {
            return true;
        }
    }
    return false;
}

static bool is_from(struct cursor list, const char *from)
{
    enum keys_source_verdict verdict = KEYS_SOURCE_OUTSIDE;
    struct cursor bad;
    return keys_source_match(list, from, &verdict, &bad) == ERR_NONE && verdict == KEYS_SOURCE_INSIDE;
}

const char *keys_user_certificate_refuse(const struct keys_user_certificate *certificate,
                                         struct cursor ca_blob, struct cursor person, const char *from,
                                         int64_t now_s)
{
    if (!names_person(certificate->claims.principals, person)) {
        return "the certificate is not for this person";
    }
    const char *late = certified_refuse_time(&certificate->claims, now_s);
    if (late != NULL) {
        return late;
    }
    if (certificate->source_address.at != NULL && !is_from(certificate->source_address, from)) {
        return "the certificate is not for this address";
    }
    return certified_is_signed_by(&certificate->claims, ca_blob)
               ? NULL
               : "the certificate is not signed by a CA for people";
}
