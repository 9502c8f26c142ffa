/* The Merkle tree hash of RFC 6962 section 2.1 over leaves that arrive one by one: only the right edge is
 * kept. */
#ifndef RECORD_TREE_H
#define RECORD_TREE_H

#include "base/cursor.h"
#include "crypto/hash.h"

enum { RECORD_TREE_LEVELS = 64 };

/** A value; {0} is the empty tree. edge[i] is the hash of a perfect subtree of 2^i leaves, where bit i of
 * size is 1. */
struct record_tree {
    uint64_t size;
    uint8_t edge[RECORD_TREE_LEVELS][CRYPTO_SHA256_BYTES];
};
/** SHA-256(0x00, leaf). `hash` is a context to work with, so that many leaves need only one. */
void record_tree_leaf_hash(struct crypto_sha256 *hash, struct cursor leaf,
                           uint8_t ret_hash[static CRYPTO_SHA256_BYTES]);
/** Append one leaf: O(1) hashes on average, log2(size) at most. */
void record_tree_add(struct record_tree *tree, struct crypto_sha256 *hash, struct cursor leaf);
/** The root; of the empty tree SHA-256 of nothing. */
void record_tree_root(const struct record_tree *tree, struct crypto_sha256 *hash,
                      uint8_t ret_root[static CRYPTO_SHA256_BYTES]);

#endif
