#include "policy/place.h"

#include <stddef.h>
#include <string.h>

#include "base/network.h"
#include "base/text.h"

enum { PORT_MAX = 65535 };

/* A place of a policy, read. */
struct place {
    bool is_socket, is_prefix; /* a path, and whether "*" ended it */
    struct cursor path;        /* without that "*" */
    struct cursor host;
    bool is_any_host, is_network, is_any_port;
    struct network network;
    uint16_t port;
};

static bool has_prefix(struct cursor text, const char *prefix)
{
    size_t len = strlen(prefix);
    return cursor_len(&text) >= len && memcmp(text.at, prefix, len) == 0;
}

/* "host:port" and "[host]:port"; what both parts mean is for others to say. */
static bool split(struct cursor text, struct cursor *ret_host, struct cursor *ret_port)
{
    const uint8_t *colon = NULL;
    for (const uint8_t *at = text.at; at != text.end; at++) {
        colon = *at == ':' ? at : colon;
    }
    if (colon == NULL) {
        return false;
    }
    struct cursor host = {text.at, colon};
    *ret_port = (struct cursor){colon + 1, text.end};
    size_t len = cursor_len(&host);
    if (len >= 2 && host.at[0] == '[' && host.end[-1] == ']') {
        *ret_host = (struct cursor){host.at + 1, host.end - 1};
        return true;
    }
    *ret_host = host;
    return len == 0 || memchr(host.at, ':', len) == NULL;
}

static bool is_star(struct cursor text)
{
    return cursor_equal_text(text, "*");
}

static const char *read_socket(struct cursor path, struct place *place)
{
    place->is_socket = true;
    place->is_prefix = cursor_len(&path) > 1 && path.end[-1] == '*';
    path.end -= place->is_prefix ? 1 : 0;
    place->path = path;
    if (cursor_len(&path) > 0 && memchr(path.at, '*', cursor_len(&path)) != NULL) {
        return "\"*\" can only be at the end of a path";
    }
    return place_is_socket(path) ? NULL : "a path must be absolute, with at most 107 bytes";
}

static const char *read_host(struct cursor host, struct place *place)
{
    place->host = host;
    place->is_any_host = is_star(host);
    if (place->is_any_host) {
        return NULL;
    }
    enum err err = network_parse(host, &place->network);
    if (err == ERR_MISMATCH) {
        return "bits are set behind the prefix of its network";
    }
    place->is_network = err == ERR_NONE;
    return place->is_network || text_is_host(host) ? NULL : "its host is no name, address or network";
}

static const char *read_place(struct cursor text, struct place *place)
{
    *place = (struct place){0};
    if (has_prefix(text, "unix:")) {
        return read_socket((struct cursor){text.at + strlen("unix:"), text.end}, place);
    }
    struct cursor host;
    struct cursor port;
    if (cursor_len(&text) >= PLACE_BYTES || !split(text, &host, &port)) {
        return "it must be host:port, network:port, [IPv6]:port or unix:/path";
    }
    uint64_t number = 0;
    place->is_any_port = is_star(port);
    if (!place->is_any_port && (text_u64(port, PORT_MAX, &number) != ERR_NONE || number == 0)) {
        return "its port must be 1 to 65535, or \"*\"";
    }
    place->port = (uint16_t)number;
    return read_host(host, place);
}

const char *place_check(struct cursor text)
{
    struct place place;
    return read_place(text, &place);
}

bool place_split(struct cursor text, struct cursor *ret_host, uint16_t *ret_port)
{
    struct cursor port;
    uint64_t number = 0;
    if (!split(text, ret_host, &port) || text_u64(port, PORT_MAX, &number) != ERR_NONE) {
        return false;
    }
    *ret_port = (uint16_t)number;
    return true;
}

bool place_is_address(enum place_use use, struct cursor host, uint32_t port)
{
    bool is_listening = use == PLACE_REMOTE_FORWARD;
    bool is_all = is_listening && (cursor_len(&host) == 0 || is_star(host));
    return (is_all || text_is_host(host)) && port <= PORT_MAX && (port > 0 || is_listening);
}

bool place_is_socket(struct cursor path)
{
    size_t len = cursor_len(&path);
    if (len < 2 || len > PLACE_SOCKET_BYTES || *path.at != '/') {
        return false;
    }
    for (const uint8_t *at = path.at; at != path.end; at++) {
        if (*at < ' ' || *at == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_same_name(struct cursor a, struct cursor b)
{
    if (cursor_len(&a) != cursor_len(&b)) {
        return false;
    }
    for (size_t i = 0; i < cursor_len(&a); i++) {
        uint8_t x = a.at[i];
        uint8_t y = b.at[i];
        x = (uint8_t)(x >= 'A' && x <= 'Z' ? x - 'A' + 'a' : x);
        y = (uint8_t)(y >= 'A' && y <= 'Z' ? y - 'A' + 'a' : y);
        if (x != y) {
            return false;
        }
    }
    return true;
}

static bool is_loopback(struct cursor host)
{
    return cursor_equal_text(host, "127.0.0.1") || cursor_equal_text(host, "::1");
}

static bool covers_host(const struct place *place, struct cursor host)
{
    struct network asked;
    if (place->is_any_host) {
        return true;
    }
    if (place->is_network) {
        return network_address(host, &asked) == ERR_NONE && network_contains(&place->network, &asked);
    }
    bool is_local = is_same_name(place->host, cursor_of_text("localhost"));
    return is_same_name(place->host, host) || (is_local && is_loopback(host));
}

bool place_covers_address(struct cursor place, struct cursor host, uint32_t port)
{
    struct place read;
    if (read_place(place, &read) != NULL || read.is_socket) {
        return false;
    }
    return (read.is_any_port || read.port == port) && covers_host(&read, host);
}

/* The part for which "*" stands names one file of that folder: no other folder, and no step up. */
static bool is_file_name(struct cursor rest)
{
    size_t len = cursor_len(&rest);
    return len > 0 && memchr(rest.at, '/', len) == NULL && !cursor_equal_text(rest, "..");
}

bool place_covers_socket(struct cursor place, struct cursor path)
{
    struct place read;
    if (read_place(place, &read) != NULL || !read.is_socket) {
        return false;
    }
    size_t len = cursor_len(&read.path);
    if (!read.is_prefix) {
        return cursor_equal(read.path, path);
    }
    return cursor_len(&path) > len && memcmp(path.at, read.path.at, len) == 0 &&
           is_file_name((struct cursor){path.at + len, path.end});
}
