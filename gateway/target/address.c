#include "target/address.h"

#include <string.h>

static struct network ipv4_at(const uint8_t *bytes, uint8_t mask)
{
    struct network ipv4 = {.family = 4, .prefix_bits = 32};
    for (int i = 0; i < 4; i++) {
        ipv4.bytes[i] = (uint8_t)(bytes[i] ^ mask);
    }
    return ipv4;
}

static bool begins_with(const struct network *address, const uint8_t *prefix, size_t len_bytes)
{
    return memcmp(address->bytes, prefix, len_bytes) == 0;
}

size_t address_embedded(const struct network *address, struct network ret_ipv4[static ADDRESS_EMBEDDED_MAX])
{
    static const uint8_t NAT64[12] = {0x00, 0x64, 0xff, 0x9b};
    static const uint8_t SIIT[12] = {[8] = 0xff, [9] = 0xff};
    static const uint8_t SIX_TO_FOUR[2] = {0x20, 0x02};
    static const uint8_t TEREDO[4] = {0x20, 0x01, 0x00, 0x00};
    static const uint8_t ISATAP[3] = {0x00, 0x5e, 0xfe}; /* bytes 9 to 11; byte 8 is 0x00 or 0x02 */
    if (address->family != 6) {
        return 0;
    }
    const uint8_t *bytes = address->bytes;
    if (begins_with(address, NAT64, sizeof NAT64) || begins_with(address, SIIT, sizeof SIIT)) {
        ret_ipv4[0] = ipv4_at(bytes + 12, 0);
        return 1;
    }
    if (begins_with(address, SIX_TO_FOUR, sizeof SIX_TO_FOUR)) {
        ret_ipv4[0] = ipv4_at(bytes + 2, 0);
        return 1;
    }
    if (begins_with(address, TEREDO, sizeof TEREDO)) {
        /* RFC 4380 section 4: the server, then the client with all bits turned over. */
        ret_ipv4[0] = ipv4_at(bytes + 4, 0);
        ret_ipv4[1] = ipv4_at(bytes + 12, 0xff);
        return 2;
    }
    if ((bytes[8] & 0xfdU) == 0 && memcmp(bytes + 9, ISATAP, sizeof ISATAP) == 0) {
        ret_ipv4[0] = ipv4_at(bytes + 12, 0);
        return 1;
    }
    return 0;
}

static bool is_granted(const struct network *address, const struct network *grants, size_t grant_count)
{
    for (size_t i = 0; i < grant_count; i++) {
        if (network_contains(&grants[i], address)) {
            return true;
        }
    }
    return false;
}

/* RFC 8215: where the IPv4 address lies in it depends on the site, so it cannot be checked. */
static bool is_local_nat64(const struct network *address)
{
    static const uint8_t PREFIX[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
    return address->family == 6 && begins_with(address, PREFIX, sizeof PREFIX);
}

enum err address_check(const struct network *address, const struct network *grants, size_t grant_count,
                       const char **ret_why)
{
    const char *why = network_is_forbidden(address);
    if (why == NULL && is_local_nat64(address)) {
        why = "64:ff9b:1::/48 (NAT64 of a site)";
    }
    struct network embedded[ADDRESS_EMBEDDED_MAX];
    size_t count = address_embedded(address, embedded);
    for (size_t i = 0; i < count && why == NULL; i++) {
        why = network_is_forbidden(&embedded[i]);
    }
    if (why == NULL && !is_granted(address, grants, grant_count)) {
        why = "outside the networks of the target";
    }
    for (size_t i = 0; i < count && why == NULL; i++) {
        if (!is_granted(&embedded[i], grants, grant_count)) {
            why = "IPv6 for an IPv4 address outside the networks of the target";
        }
    }
    if (why != NULL) {
        *ret_why = why;
        return ERR_DENIED;
    }
    return ERR_NONE;
}

bool address_is_named(const struct network *address, const struct network *grants, size_t grant_count)
{
    for (size_t i = 0; i < grant_count; i++) {
        if (grants[i].prefix_bits == address->prefix_bits && network_contains(&grants[i], address)) {
            return true;
        }
    }
    return false;
}
