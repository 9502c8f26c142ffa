/* Why TLS failed, in words that tell an operator which check it was. The peer is "it". */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tls_state.h"

enum { NAME_BYTES = 80 };

static void date_of(const ASN1_TIME *when, char text[static 16])
{
    struct tm parts = {0};
    if (ASN1_TIME_to_tm(when, &parts) != 1 || strftime(text, 16, "%Y-%m-%d", &parts) == 0) {
        (void)snprintf(text, 16, "no date");
    }
}

static void issuer_of(X509 *certificate, char text[static NAME_BYTES])
{
    char name[NAME_BYTES] = "";
    int len = X509_NAME_get_text_by_NID(X509_get_issuer_name(certificate), NID_commonName, name, sizeof name);
    if (len < 0 && X509_NAME_oneline(X509_get_issuer_name(certificate), name, sizeof name) == NULL) {
        name[0] = 0;
    }
    text_printable(cursor_of_text(name), text, NAME_BYTES);
}

/* The names of the certificate, as far as there is room. */
static void names_of(X509 *certificate, char text[static NAME_BYTES])
{
    (void)snprintf(text, NAME_BYTES, "no name");
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && used < NAME_BYTES; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS) {
            continue;
        }
        char one[NAME_BYTES];
        text_printable(
            cursor_of(ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName)),
            one, sizeof one);
        int put = snprintf(text + used, NAME_BYTES - used, "%s%s", used == 0 ? "" : ", ", one);
        used += put > 0 ? (size_t)put : 0;
    }
    GENERAL_NAMES_free(names);
}

static bool is_issuer_unknown(long result)
{
    return result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           result == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
           result == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN || result == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
}

static const char *word_for(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "has a wrong signature, though a trusted CA has the name of its issuer";
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_CERT_REJECTED:
    case X509_V_ERR_CERT_UNTRUSTED:
        return "is not for servers";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        return "has a key that is too small";
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return "is signed with a hash that is too weak";
    default:
        return X509_verify_cert_error_string(result);
    }
}

static void explain_certificate(struct crypto_tls *tls, long result, X509 *certificate, bool is_own)
{
    char *text = tls->failure;
    size_t size = sizeof tls->failure;
    const char *whose = is_own ? "its certificate" : "the certificate of its CA";
    char detail[NAME_BYTES] = "";
    if (result == X509_V_ERR_CERT_HAS_EXPIRED) {
        date_of(X509_get0_notAfter(certificate), detail);
        (void)snprintf(text, size, "%s has expired, on %s", whose, detail);
    } else if (result == X509_V_ERR_CERT_NOT_YET_VALID) {
        date_of(X509_get0_notBefore(certificate), detail);
        (void)snprintf(text, size, "%s is not valid before %s", whose, detail);
    } else if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        names_of(certificate, detail);
        (void)snprintf(text, size, "its certificate is for %s, not for %.100s", detail, tls->name);
    } else if (is_issuer_unknown(result)) {
        issuer_of(certificate, detail);
        (void)snprintf(text, size,
                       "its certificate was issued by a CA that is not among the trusted ones (issuer: %s)",
                       detail);
    } else {
        issuer_of(certificate, detail);
        (void)snprintf(text, size, "%s %s (issuer: %s)", whose, word_for(result), detail);
    }
}

int tls_judge_certificate(int is_good, X509_STORE_CTX *chain)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct crypto_tls *tls = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(chain);
    if (is_good != 1 && tls->failure[0] == 0 && certificate != NULL) {
        tls->is_certificate_refused = true;
        explain_certificate(tls, X509_STORE_CTX_get_error(chain), certificate,
                            X509_STORE_CTX_get_error_depth(chain) == 0);
    }
    return is_good;
}

static const char *word_for_reason(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
        return "it does not speak TLS here";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
        return "it does not speak TLS 1.2 or newer";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
        return "it has no cipher or key exchange that is safe enough";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "it wants a certificate of its client";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "it does not accept the bastion's certificate";
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return "it asks for another protocol inside TLS";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_DECRYPTION_FAILED:
        return "its bytes were changed on the way";
    case SSL_R_DH_KEY_TOO_SMALL:
    case SSL_R_EE_KEY_TOO_SMALL:
        return "it uses a key that is too small";
    default:
        return NULL;
    }
}

enum err tls_explain(struct crypto_tls *tls)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    const char *words = word_for_reason(reason);
    if (tls->failure[0] == 0 && words != NULL) {
        (void)snprintf(tls->failure, sizeof tls->failure, "%s", words);
    } else if (tls->failure[0] == 0) {
        words = ERR_reason_error_string(code);
        (void)snprintf(tls->failure, sizeof tls->failure, "TLS failed: %s",
                       words == NULL ? "no reason" : words);
    }
    return certificate_refused(tls->is_certificate_refused ? ERR_MISMATCH : ERR_MALFORMED);
}
