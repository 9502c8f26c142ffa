#include "record/tree.h"

#include <string.h>

void record_tree_leaf_hash(struct crypto_sha256 *hash, struct cursor leaf,
                           uint8_t ret_hash[static CRYPTO_SHA256_BYTES])
{
    static const uint8_t LEAF = 0;
    crypto_sha256_init(hash);
    crypto_sha256_add(hash, cursor_of(&LEAF, 1));
    crypto_sha256_add(hash, leaf);
    crypto_sha256_end(hash, ret_hash);
}

/* right = SHA-256(0x01, left, right) */
static void join(struct crypto_sha256 *hash, const uint8_t left[static CRYPTO_SHA256_BYTES],
                 uint8_t right[static CRYPTO_SHA256_BYTES])
{
    static const uint8_t NODE = 1;
    crypto_sha256_init(hash);
    crypto_sha256_add(hash, cursor_of(&NODE, 1));
    crypto_sha256_add(hash, cursor_of(left, CRYPTO_SHA256_BYTES));
    crypto_sha256_add(hash, cursor_of(right, CRYPTO_SHA256_BYTES));
    crypto_sha256_end(hash, right);
}

void record_tree_add(struct record_tree *tree, struct crypto_sha256 *hash, struct cursor leaf)
{
    uint8_t node[CRYPTO_SHA256_BYTES];
    record_tree_leaf_hash(hash, leaf, node);
    unsigned level = 0;
    for (; (tree->size >> level & 1) != 0; level++) {
        join(hash, tree->edge[level], node);
    }
    memcpy(tree->edge[level], node, sizeof node);
    tree->size++;
}

void record_tree_root(const struct record_tree *tree, struct crypto_sha256 *hash,
                      uint8_t ret_root[static CRYPTO_SHA256_BYTES])
{
    bool is_first = true;
    for (unsigned level = 0; level < RECORD_TREE_LEVELS; level++) {
        if ((tree->size >> level & 1) == 0) {
            continue;
        }
        if (is_first) {
            memcpy(ret_root, tree->edge[level], CRYPTO_SHA256_BYTES);
            is_first = false;
        } else {
            join(hash, tree->edge[level], ret_root);
        }
    }
    if (is_first) {
        crypto_sha256_init(hash);
        crypto_sha256_end(hash, ret_root);
    }
}
