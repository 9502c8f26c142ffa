/* The keys of the signer, and its answer to each message. No I/O: a message in, a reply out. */
#ifndef BASTION_SIGNER_SIGNER_H
#define BASTION_SIGNER_SIGNER_H

#include "base/writer.h"
#include "crypto/ed25519.h"
#include "crypto/x509.h"
#include "ipc/message.h"
#include "keys/blob.h"
#include "keys/certificate.h"
#include "sessions.h"

enum signer_key_index { SIGNER_HOST, SIGNER_INNER, SIGNER_USER_CA, SIGNER_HOST_CA, SIGNER_KEY_COUNT };

struct signer_key {
    struct crypto_ed25519 key; /* OWNED */
    struct keys_blob blob;
};
enum { SIGNER_OWN_CERTIFICATES = 2 };
struct signer {
    struct signer_key keys[SIGNER_KEY_COUNT];
    /* Certificates of the host key, the last one and the one before: a client that was shown one signs it
     * with its login (publickey-hostbound). A connection that lasts longer has logged in. */
    struct keys_blob own_certificates[SIGNER_OWN_CERTIFICATES];
    struct crypto_ca *database_ca; /* OWNED; NULL: none was made */
    struct signer_sessions sessions;
    const char *refusal; /* why the last answer was "no", a constant sentence fragment; NULL after a "yes" */
};

/** string "ssh-ed25519", string signature. @return ERR_LIBRARY; ERR_TOO_LARGE. */
MUST_CHECK enum err signer_sign(const struct signer_key *key, struct cursor message, struct writer *out);

/** The reply to one message that passed ipc_check().
 *  @param ret_reply_type  IPC_NONE when the message has no reply
 *  @return ERR_MALFORMED and others when the message is not what the monitor would ever write: end the
 * process. What an engineer could have made wrong is an answer with ok = 0. */
MUST_CHECK enum err signer_answer(struct signer *signer, const struct ipc_message *message, int64_t now_s,
                                  enum ipc_type *ret_reply_type, struct writer *reply);
/** MINT_USER. Same contract. */
MUST_CHECK enum err signer_answer_mint(struct signer *signer, uint32_t ref, struct cursor body, int64_t now_s,
                                       struct writer *reply);
/** MINT_HOST. Same contract. */
MUST_CHECK enum err signer_answer_mint_host(struct signer *signer, uint32_t ref, struct cursor body,
                                            int64_t now_s, struct writer *reply);

/** MINT_SERVER. Same contract. */
MUST_CHECK enum err signer_answer_mint_server(struct signer *signer, uint32_t ref, struct cursor body,
                                              int64_t now_s, struct writer *reply);

/** What the first two have in common. */
bool signer_is_key_id(struct cursor text);
/** Is it short enough, and does it start near `now_s`? */
bool signer_is_validity(const struct keys_certificate *certificate, int64_t now_s, uint64_t longest_s,
                        uint64_t slack_s);
/** Write the answer: the certificate, unless signer->refusal says why there is none.
 *  @return the certificate, as it lies in the answer; empty when there is none */
struct cursor signer_mint(struct signer *signer, enum signer_key_index ca,
                          const struct keys_certificate *certificate, struct writer *reply);

#endif
