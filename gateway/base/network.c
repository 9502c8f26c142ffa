#include "base/network.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = 96 };

static unsigned bits_of(uint8_t family)
{
    return family == 4 ? IPV4_BITS : IPV6_BITS;
}

static bool has_equal_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    if (memcmp(a, b, whole) != 0) {
        return false;
    }
    unsigned mask = 0xff00U >> bits % 8 & 0xffU;
    return bits % 8 == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

/* ::ffff:a.b.c.d/96+n is the same as a.b.c.d/n. */
static void unmap(struct network *network)
{
    static const uint8_t MAPPED[16] = {[10] = 0xff, [11] = 0xff};
    if (network->family == 6 && network->prefix_bits >= MAPPED_BITS &&
        has_equal_bits(network->bytes, MAPPED, MAPPED_BITS)) {
        struct network ipv4 = {.family = 4, .prefix_bits = (uint8_t)(network->prefix_bits - MAPPED_BITS)};
        memcpy(ipv4.bytes, network->bytes + 12, 4);
        *network = ipv4;
    }
}

/* Without unmap(): the prefix still counts in the bits of the written form. */
static enum err read_address(struct cursor text, struct network *ret)
{
    char copy[INET6_ADDRSTRLEN];
    size_t len = cursor_len(&text);
    if (len == 0 || len >= sizeof copy || memchr(text.at, 0, len) != NULL) {
        return ERR_MALFORMED;
    }
    memcpy(copy, text.at, len);
    copy[len] = 0;
    struct network network = {.family = memchr(copy, ':', len) == NULL ? 4 : 6};
    network.prefix_bits = (uint8_t)bits_of(network.family);
    if (inet_pton(network.family == 4 ? AF_INET : AF_INET6, copy, network.bytes) != 1) {
        return ERR_MALFORMED;
    }
    *ret = network;
    return ERR_NONE;
}

enum err network_address(struct cursor text, struct network *ret)
{
    struct network network;
    TRY(read_address(text, &network));
    unmap(&network);
    *ret = network;
    return ERR_NONE;
}

enum err network_parse(struct cursor text, struct network *ret)
{
    size_t len = cursor_len(&text);
    const uint8_t *slash = len == 0 ? NULL : memchr(text.at, '/', len);
    struct network network;
    TRY(read_address((struct cursor){text.at, slash == NULL ? text.end : slash}, &network));
    if (slash != NULL) {
        struct cursor digits = {slash + 1, text.end};
        uint64_t bits = 0;
        bool is_padded = cursor_len(&digits) > 1 && *digits.at == '0';
        if (is_padded || text_u64(digits, bits_of(network.family), &bits) != ERR_NONE) {
            return ERR_MALFORMED;
        }
        network.prefix_bits = (uint8_t)bits;
    }
    struct network cut = network;
    for (unsigned bit = network.prefix_bits; bit < bits_of(network.family); bit++) {
        cut.bytes[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
    }
    if (memcmp(cut.bytes, network.bytes, sizeof cut.bytes) != 0) {
        return ERR_MISMATCH;
    }
    unmap(&network);
    *ret = network;
    return ERR_NONE;
}

enum err network_of_bytes(struct cursor bytes, struct network *ret)
{
    size_t len = cursor_len(&bytes);
    if (len != 4 && len != 16) {
        return ERR_MALFORMED;
    }
    struct network network = {.family = len == 4 ? 4 : 6, .prefix_bits = (uint8_t)(len * 8)};
    memcpy(network.bytes, bytes.at, len);
    unmap(&network);
    *ret = network;
    return ERR_NONE;
}

bool network_contains(const struct network *outer, const struct network *inner)
{
    return outer->family == inner->family && outer->prefix_bits <= inner->prefix_bits &&
           has_equal_bits(outer->bytes, inner->bytes, outer->prefix_bits);
}

bool network_overlaps(const struct network *a, const struct network *b)
{
    return network_contains(a, b) || network_contains(b, a);
}

const char *network_is_forbidden(const struct network *network)
{
    static const struct {
        const char *name;
        struct network network;
    } FORBIDDEN[] = {
        {"0.0.0.0/8 (this host)", {4, 8, {0}}},
        {"127.0.0.0/8 (loopback)", {4, 8, {127}}},
        {"169.254.0.0/16 (link-local, cloud metadata)", {4, 16, {169, 254}}},
        {"224.0.0.0/4 (multicast)", {4, 4, {224}}},
        {"240.0.0.0/4 (reserved, broadcast)", {4, 4, {240}}},
        {"::/96 (unspecified, loopback, IPv4-compatible)", {6, 96, {0}}},
        {"::ffff:0:0/96 (IPv4 in IPv6; write the IPv4 network)", {6, 96, {[10] = 0xff, [11] = 0xff}}},
        {"fe80::/10 (link-local)", {6, 10, {0xfe, 0x80}}},
        {"ff00::/8 (multicast)", {6, 8, {0xff}}},
        {"fd00:ec2::254 (cloud metadata)", {6, 128, {0xfd, 0, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}}},
        /* RFC 6052: a NAT64 gateway turns these into the IPv4 addresses above. */
        {"64:ff9b::127.0.0.0/104 (loopback behind NAT64)", {6, 104, {0, 0x64, 0xff, 0x9b, [12] = 127}}},
        {"64:ff9b::169.254.0.0/112 (cloud metadata behind NAT64)",
         {6, 112, {0, 0x64, 0xff, 0x9b, [12] = 169, [13] = 254}}},
    };
    for (size_t i = 0; i < sizeof FORBIDDEN / sizeof FORBIDDEN[0]; i++) {
        if (network_overlaps(network, &FORBIDDEN[i].network)) {
            return FORBIDDEN[i].name;
        }
    }
    return NULL;
}

const char *network_text(const struct network *network, char text[static NETWORK_TEXT_BYTES])
{
    char address[INET6_ADDRSTRLEN] = "?";
    (void)inet_ntop(network->family == 4 ? AF_INET : AF_INET6, network->bytes, address, sizeof address);
    if (network->prefix_bits == bits_of(network->family)) {
        (void)snprintf(text, NETWORK_TEXT_BYTES, "%s", address);
    } else {
        (void)snprintf(text, NETWORK_TEXT_BYTES, "%s/%u", address, network->prefix_bits);
    }
    return text;
}
