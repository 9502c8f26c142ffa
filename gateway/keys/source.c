#include "keys/source.h"

#include "base/network.h"

enum err keys_source_match(struct cursor list, const char *address, enum keys_source_verdict *ret_verdict,
                           struct cursor *ret_bad)
{
    struct network who = {.family = 0};
    if (address != NULL && network_address(cursor_of_text(address), &who) != ERR_NONE) {
        *ret_bad = cursor_of_text(address);
        return ERR_MALFORMED;
    }
    *ret_bad = list;
    if (cursor_len(&list) == 0) {
        return ERR_MALFORMED;
    }
    enum keys_source_verdict verdict = KEYS_SOURCE_OUTSIDE;
    struct cursor item;
    while (cursor_name(&list, &item)) {
        *ret_bad = item;
        bool is_negated = cursor_len(&item) > 0 && *item.at == '!';
        item.at += is_negated ? 1 : 0;
        struct network network;
        if (network_parse(item, &network) != ERR_NONE) {
            return ERR_MALFORMED;
        }
        if (address == NULL || !network_contains(&network, &who)) {
            continue;
        }
        if (is_negated) {
            verdict = KEYS_SOURCE_NEGATED;
        } else if (verdict == KEYS_SOURCE_OUTSIDE) {
            verdict = KEYS_SOURCE_INSIDE;
        }
    }
    *ret_verdict = verdict;
    return ERR_NONE;
}
