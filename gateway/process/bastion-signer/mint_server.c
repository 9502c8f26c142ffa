/* Certificates for TLS with clients of databases: a name, a key of the session that speaks for it, two hours.
 */
#include "signer.h"

#include "base/text.h"
#include "crypto/x509.h"

enum {
    VALIDITY_MAX_S = 7200,
    CLOCK_SLACK_S = 600, /* how far the start may lie from now, for engineers whose clock is late */
};

static const char *refuse(struct signer *signer, uint32_t ref, const struct crypto_x509_order *order,
                          int64_t now_s)
{
    const struct signer_session *session = signer_sessions_find(&signer->sessions, ref);
    if (session == NULL || !session->has_user) {
        return "no user was verified on this connection";
    }
    if (signer->database_ca == NULL) {
        return "there is no CA for databases";
    }
    if (!text_is_host(cursor_of_text(order->name))) {
        return "the name is no host";
    }
    bool is_short = order->until_s > order->from_s && order->until_s - order->from_s <= VALIDITY_MAX_S;
    bool is_near = order->from_s >= now_s - CLOCK_SLACK_S && order->from_s <= now_s + CLOCK_SLACK_S;
    return is_short && is_near
               ? NULL
               : "a server's certificate starts within ten minutes of now and is valid for at most two hours";
}

enum err signer_answer_mint_server(struct signer *signer, uint32_t ref, struct cursor body, int64_t now_s,
                                   struct writer *reply)
{
    char name[LIMIT_HOST_BYTES];
    struct crypto_x509_order order = {.name = name};
    uint64_t from_s = 0;
    uint64_t until_s = 0;
    TRY(cursor_string(&body, CRYPTO_X509_PUBLIC_BYTES, &order.public_key));
    TRY(cursor_text(&body, name, sizeof name));
    TRY(cursor_u64be(&body, &from_s));
    TRY(cursor_u64be(&body, &until_s));
    TRY(cursor_end(&body));
    if (from_s > INT64_MAX / 2 || until_s > INT64_MAX / 2) {
        return ERR_MALFORMED;
    }
    order.from_s = (int64_t)from_s;
    order.until_s = (int64_t)until_s;
    signer->refusal = refuse(signer, ref, &order, now_s);
    uint8_t memory[CRYPTO_X509_DER_BYTES];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor der = {NULL, NULL};
    if (signer->refusal == NULL && (crypto_ca_issue(signer->database_ca, &order, &out) != ERR_NONE ||
                                    writer_done(&out, &der) != ERR_NONE)) {
        signer->refusal = "the key is none of P-256, or the certificate would be too large";
        der = cursor_of(NULL, 0);
    }
    writer_bool(reply, signer->refusal == NULL);
    writer_string(reply, der);
    return ERR_NONE;
}
