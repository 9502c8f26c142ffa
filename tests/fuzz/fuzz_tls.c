/* Hostile records: before, in and after the handshake, to a client and to a server. The first byte chooses
 * the end, the second how many bytes of a true peer it gets before. */
#include <stdint.h>
#include <stdlib.h>

#include "../unit/crypto_tls/tls_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TRUE_CHUNK_BYTES = 64 };

/* What a true peer says first, `count` chunks of it. */
static void feed_truth(struct crypto_tls *tls, struct crypto_tls *peer, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct queue *out = crypto_tls_out(peer);
        if (queue_len(out) == 0) {
            if (pair_pass(tls, peer, TRUE_CHUNK_BYTES) != ERR_NONE || queue_len(out) == 0) {
                return;
            }
        }
        struct cursor bytes = queue_peek(out);
        if (cursor_len(&bytes) > TRUE_CHUNK_BYTES) {
            bytes.end = bytes.at + TRUE_CHUNK_BYTES;
        }
        enum err err = crypto_tls_feed(tls, bytes);
        queue_consume(out, cursor_len(&bytes));
        if (err != ERR_NONE) {
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pair_server made; /* keys are made once: they are what takes time */
    if (made.ca == NULL) {
        pair_server_init(&made, "orders-db", -1, 1);
    }
    if (size < 2) {
        return 0;
    }
    struct crypto_tls *server = pair_server_tls(&made, "postgresql");
    struct crypto_tls *client = pair_client_tls(made.trust, "orders-db", "postgresql");
    pair_must(crypto_tls_start(client));
    bool is_client = (data[0] & 1) != 0;
    struct crypto_tls *tls = is_client ? client : server;
    feed_truth(tls, is_client ? server : client, data[1]);
    enum err err = crypto_tls_feed(tls, cursor_of(data + 2, size - 2));
    if ((err == ERR_NONE) != (crypto_tls_failure(tls)[0] == 0) && err != ERR_STATE) {
        abort(); /* a failure is said, and nothing else is */
    }
    crypto_tls_free(client);
    crypto_tls_free(server);
    return 0;
}
