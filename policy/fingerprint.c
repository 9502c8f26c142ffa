#include <string.h>

#include "crypto/hash.h"
#include "loader.h"

/* Lengths and kinds are part of it, so that no two trees have one spelling. */
static void add_node(struct crypto_sha256 *hash, const struct yaml_node *node)
{
    uint8_t kind[] = {(uint8_t)node->kind, node->is_quoted ? 1 : 0};
    uint64_t sizes[] = {node->key == NULL ? UINT64_MAX : cursor_len(&node->key->text),
                        node->kind == YAML_TEXT ? cursor_len(&node->text) : node->count};
    crypto_sha256_add(hash, cursor_of(kind, sizeof kind));
    crypto_sha256_add(hash, cursor_of(sizes, sizeof sizes));
    if (node->key != NULL) {
        crypto_sha256_add(hash, node->key->text);
    }
    if (node->kind == YAML_TEXT) {
        crypto_sha256_add(hash, node->text);
    }
}

void loader_fingerprint(const struct yaml_node *node, uint8_t ret[static POLICY_HASH_BYTES])
{
    OWNED_SHA256 hash = {0};
    const struct yaml_node *above[YAML_DEPTH + 1];
    size_t depth = 0;
    const struct yaml_node *at = node;
    crypto_sha256_init(&hash);
    while (at != NULL) {
        add_node(&hash, at);
        if (at->kind != YAML_TEXT && at->first != NULL) {
            above[depth++] = at;
            at = at->first;
            continue;
        }
        while (at != node && at->next == NULL && depth > 0) {
            at = above[--depth];
        }
        at = at == node ? NULL : at->next;
    }
    crypto_sha256_end(&hash, ret);
}
