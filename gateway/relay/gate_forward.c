/* Forwards inside an access: where a channel leads, and the addresses on which the target listens for the
 * engineer. Only what the grant names passes; what the target then opens passes only for an address that the
 * client asked for and the target confirmed. */
#include "gate_state.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

bool gate_is_forward(enum gate_kind kind)
{
    return kind == GATE_DIRECT_TCP || kind == GATE_DIRECT_SOCKET || kind == GATE_REMOTE_TCP ||
           kind == GATE_REMOTE_SOCKET;
}

/* "host:port" for people; the host of a peer may hold anything. */
static void write_address(struct cursor host, uint32_t port, char *ret_text, size_t size_bytes)
{
    char shown[LIMIT_HOST_BYTES];
    text_printable(host, shown, sizeof shown);
    bool has_colon = strchr(shown, ':') != NULL;
    int room_bytes = (int)size_bytes - (int)sizeof "[]:4294967295"; /* a long host is cut, never the port */
    (void)snprintf(ret_text, size_bytes, "%s%.*s%s:%u", has_colon ? "[" : "", room_bytes, shown,
                   has_colon ? "]" : "", port);
}

/* ---- channels ---- */

static bool is_remote_open(const struct gate *gate, bool is_socket, struct cursor host, uint32_t port)
{
    for (unsigned i = 0; i < GATE_REMOTES_MAX; i++) {
        const struct gate_remote *remote = &gate->remotes[i];
        /* Servers write the address of a listener in several ways (RFC 4254 7.2 leaves it open); the port
         * alone says which forward it is. */
        bool is_meant = is_socket ? cursor_equal_text(host, remote->host) : remote->port == port;
        if (remote->state == GATE_REMOTE_OPEN && remote->is_socket == is_socket && is_meant) {
            return true;
        }
    }
    return false;
}

/* RFC 4254 7.2: both kinds have the same fields. */
static MUST_CHECK enum err read_tcp(struct gate *gate, const struct gate_packet *packet, enum gate_kind kind,
                                    struct cursor rest, struct gate_path *ret_path)
{
    struct relay_direct_tcpip direct;
    GATE_READ(gate, packet, relay_read_direct_tcpip(rest, &direct));
    write_address(direct.originator, direct.originator_port, ret_path->from, sizeof ret_path->from);
    write_address(direct.host, direct.port, ret_path->to, sizeof ret_path->to);
    ret_path->is_allowed = kind == GATE_DIRECT_TCP
                               ? grant_allows_address(gate->grant, PLACE_FORWARD, direct.host, direct.port)
                               : is_remote_open(gate, false, direct.host, direct.port);
    return ERR_NONE;
}

/* OpenSSH's PROTOCOL, 2.4: a path, a reserved string, and from the client a reserved number. */
static MUST_CHECK enum err read_socket(struct gate *gate, const struct gate_packet *packet,
                                       enum gate_kind kind, struct cursor rest, struct gate_path *ret_path)
{
    struct cursor path;
    struct cursor reserved;
    uint32_t reserved_number = 0;
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &path));
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &reserved));
    if (kind == GATE_DIRECT_SOCKET) {
        GATE_READ(gate, packet, cursor_u32be(&rest, &reserved_number));
    }
    GATE_READ(gate, packet, cursor_end(&rest));
    text_printable(path, ret_path->to, sizeof ret_path->to);
    ret_path->is_allowed = kind == GATE_DIRECT_SOCKET ? grant_allows_socket(gate->grant, PLACE_FORWARD, path)
                                                      : is_remote_open(gate, true, path, 0);
    return ERR_NONE;
}

MUST_CHECK enum err gate_forward_path(struct gate *gate, const struct gate_packet *packet,
                                      enum gate_kind kind, struct cursor rest, struct gate_path *ret_path)
{
    *ret_path = (struct gate_path){0};
    bool is_tcp = kind == GATE_DIRECT_TCP || kind == GATE_REMOTE_TCP;
    return is_tcp ? read_tcp(gate, packet, kind, rest, ret_path)
                  : read_socket(gate, packet, kind, rest, ret_path);
}

/* ---- addresses on which the target listens ---- */

struct remote_asked {
    bool is_socket;
    struct cursor host; /* or the path */
    uint32_t port;
    char text[GATE_PLACE_BYTES];
};

/* RFC 4254 7.1; OpenSSH's PROTOCOL, 2.4. */
static MUST_CHECK enum err read_asked(struct gate *gate, const struct gate_packet *packet,
                                      const struct relay_request *request, bool is_socket,
                                      struct remote_asked *ret)
{
    struct cursor rest = request->rest;
    *ret = (struct remote_asked){.is_socket = is_socket};
    GATE_READ(gate, packet, cursor_string(&rest, cursor_len(&rest), &ret->host));
    if (!is_socket) {
        GATE_READ(gate, packet, cursor_u32be(&rest, &ret->port));
    }
    GATE_READ(gate, packet, cursor_end(&rest));
    if (is_socket) {
        text_printable(ret->host, ret->text, sizeof ret->text);
    } else {
        write_address(ret->host, ret->port, ret->text, sizeof ret->text);
    }
    return ERR_NONE;
}

static struct gate_remote *find_remote(struct gate *gate, const struct remote_asked *asked)
{
    for (unsigned i = 0; i < GATE_REMOTES_MAX; i++) {
        struct gate_remote *remote = &gate->remotes[i];
        bool is_listed = remote->state == GATE_REMOTE_OPEN || remote->state == GATE_REMOTE_ASKED;
        if (is_listed && remote->is_socket == asked->is_socket && remote->port == asked->port &&
            cursor_equal_text(asked->host, remote->host)) {
            return remote;
        }
    }
    return NULL;
}

static struct gate_remote *find_free_remote(struct gate *gate)
{
    for (unsigned i = 0; i < GATE_REMOTES_MAX; i++) {
        if (gate->remotes[i].state == GATE_REMOTE_FREE) {
            return &gate->remotes[i];
        }
    }
    return NULL;
}

static MUST_CHECK enum err note_remote(struct gate *gate, const char *what, const char *where)
{
    char note[LIMIT_SENTENCE_BYTES];
    (void)snprintf(note, sizeof note, "%s %s", what, where);
    return tap_note(gate->calls->record, gate->owner, TAP_WHOLE_ACCESS, note);
}

static MUST_CHECK enum err refuse_remote(struct gate *gate, const struct gate_packet *packet,
                                         const struct relay_request *request,
                                         const struct remote_asked *asked, const char *reason)
{
    char detail[GATE_PLACE_BYTES + 64];
    char name[64];
    text_printable(request->name, name, sizeof name);
    (void)snprintf(detail, sizeof detail, "%s %s", name, asked->text);
    TRY(gate_refused(gate, TAP_WHOLE_ACCESS, "request", cursor_of_text(detail), reason));
    if (gate->untold[0] == 0) { /* the first is told: the client names each of them itself */
        (void)snprintf(gate->untold, sizeof gate->untold, "%s: %s", asked->text, reason);
        TRY(gate_tell_untold(gate));
    }
    if (request->wants_reply) {
        TRY(gate_await(gate, &gate->pending[packet->from], packet->from, GATE_ANSWERS_FAILURE));
    }
    return gate_answer_global(gate, packet->from);
}

static MUST_CHECK enum err pass_remote(struct gate *gate, const struct gate_packet *packet, bool wants_reply,
                                       unsigned what)
{
    if (wants_reply) {
        TRY(gate_await(gate, &gate->pending[packet->from], packet->from, (enum gate_awaited)what));
    }
    return gate_forward(gate, packet);
}

static bool is_allowed(const struct gate *gate, const struct remote_asked *asked)
{
    return asked->is_socket
               ? grant_allows_socket(gate->grant, PLACE_REMOTE_FORWARD, asked->host)
               : grant_allows_address(gate->grant, PLACE_REMOTE_FORWARD, asked->host, asked->port);
}

MUST_CHECK enum err gate_remote_listen(struct gate *gate, const struct gate_packet *packet,
                                       const struct relay_request *request, bool is_socket)
{
    struct remote_asked asked;
    TRY(read_asked(gate, packet, request, is_socket, &asked));
    if (!is_allowed(gate, &asked)) {
        return refuse_remote(gate, packet, request, &asked,
                             "the target may not listen there for you [D-REMOTE-FORWARD]");
    }
    bool chooses_port = !is_socket && asked.port == 0;
    struct gate_remote *remote = find_free_remote(gate);
    if (remote == NULL || find_remote(gate, &asked) != NULL || (chooses_port && !request->wants_reply)) {
        return refuse_remote(gate, packet, request, &asked,
                             remote == NULL ? "too many remote forwards are open on this access"
                                            : "this cannot be told from another forward");
    }
    *remote = (struct gate_remote){.state = request->wants_reply ? GATE_REMOTE_ASKED : GATE_REMOTE_OPEN,
                                   .is_socket = is_socket,
                                   .chooses_port = chooses_port,
                                   .port = asked.port};
    struct writer out = writer_of(remote->host, sizeof remote->host);
    writer_bytes(&out, asked.host); /* it was checked: it fits, and holds no NUL */
    writer_u8(&out, 0);
    TRY(note_remote(gate, "the client asks the target to listen on", asked.text));
    return pass_remote(gate, packet, request->wants_reply,
                       GATE_AWAITS_REMOTE + (unsigned)(remote - gate->remotes));
}

MUST_CHECK enum err gate_remote_cancel(struct gate *gate, const struct gate_packet *packet,
                                       const struct relay_request *request, bool is_socket)
{
    struct remote_asked asked;
    TRY(read_asked(gate, packet, request, is_socket, &asked));
    struct gate_remote *remote = find_remote(gate, &asked);
    if (remote == NULL) {
        return refuse_remote(gate, packet, request, &asked, "there is no such forward");
    }
    remote->state = remote->state == GATE_REMOTE_ASKED ? GATE_REMOTE_CANCELLED : GATE_REMOTE_FREE;
    TRY(note_remote(gate, "the client ends the forward of", asked.text));
    return pass_remote(gate, packet, request->wants_reply, GATE_AWAITS_REPLY);
}

MUST_CHECK enum err gate_remote_reply(struct gate *gate, const struct gate_packet *packet, unsigned number)
{
    struct gate_remote *remote = &gate->remotes[number];
    bool is_success = packet->type == RELAY_REQUEST_SUCCESS;
    struct cursor rest = packet->payload;
    char text[GATE_PLACE_BYTES];
    if (is_success && remote->chooses_port) {
        GATE_READ(gate, packet, cursor_u32be(&rest, &remote->port));
        GATE_READ(gate, packet, cursor_end(&rest));
    }
    if (remote->is_socket) {
        (void)snprintf(text, sizeof text, "%s", remote->host);
    } else {
        write_address(cursor_of_text(remote->host), remote->port, text, sizeof text);
    }
    bool is_wanted = remote->state == GATE_REMOTE_ASKED;
    remote->state = is_success && is_wanted ? GATE_REMOTE_OPEN : GATE_REMOTE_FREE;
    return note_remote(gate, is_success ? "the target listens on" : "the target does not listen on", text);
}
