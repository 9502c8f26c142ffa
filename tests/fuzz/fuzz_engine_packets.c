/* A peer that has keys: whole packets of any type and content, encrypted properly. The first byte says which
 * side is attacked (bit 0), and for a server whether the service was requested (bit 1) and logins succeed
 * (bit 2). Then packets follow: type, length (16 bit), that many bytes of payload. */
#include "engine_fuzz.h"

#include "state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void shake_hands(struct fuzz *fuzz)
{
    do {
        EXPECT(fuzz_move(fuzz->server, fuzz->client) == ERR_NONE);
        EXPECT(fuzz_move(fuzz->client, fuzz->server) == ERR_NONE);
    } while (queue_len(engine_output(fuzz->server)) + queue_len(engine_output(fuzz->client)) > 0);
}

static void request_service(struct fuzz *fuzz)
{
    static const uint8_t SERVICE[] = {0,   0,   0,   12,  's', 's', 'h', '-',
                                      'u', 's', 'e', 'r', 'a', 'u', 't', 'h'};
    EXPECT(engine_send_raw(fuzz->client, PACKET_SERVICE_REQUEST, cursor_of(SERVICE, sizeof SERVICE),
                           cursor_of(NULL, 0)) == ERR_NONE);
    EXPECT(fuzz_move(fuzz->client, fuzz->server) == ERR_NONE);
}

/* The client logs in, so that the attacked side sees packets after a login too. */
static void log_in(struct fuzz *fuzz)
{
    uint8_t memory[64];
    struct cursor blob;
    EXPECT(engine_login_key(fuzz->client, memory, sizeof memory, &blob) == ERR_NONE);
    engine_client_login(fuzz->client);
    shake_hands(fuzz);
}

static enum err attack(struct engine *from, struct engine *to, struct cursor *in)
{
    uint8_t type = 0;
    uint16_t len = 0;
    struct cursor payload;
    TRY(cursor_u8(in, &type));
    TRY(cursor_u16be(in, &len));
    TRY(cursor_bytes(in, len < cursor_len(in) ? len : cursor_len(in), &payload));
    if (type == PACKET_NEWKEYS) {
        return ERR_NONE; /* the attacking libssh would change its own keys, and crash without new ones */
    }
    TRY(engine_send_raw(from, type, payload, cursor_of(NULL, 0)));
    queue_consume(engine_output(to), queue_len(engine_output(to)));
    return fuzz_move(from, to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz;
    struct cursor in = cursor_of(data, size);
    uint8_t choice = 0;
    if (cursor_u8(&in, &choice) != ERR_NONE) {
        return 0;
    }
    fuzz_open(&fuzz);
    shake_hands(&fuzz);
    fuzz.accepts_users = (choice & 4) != 0;
    if ((choice & 2) != 0 && (choice & 4) != 0) {
        log_in(&fuzz);
    } else if ((choice & 2) != 0) {
        request_service(&fuzz);
    }
    enum err err = ERR_NONE;
    while (err == ERR_NONE && cursor_len(&in) > 0) {
        err =
            (choice & 1) != 0 ? attack(fuzz.server, fuzz.client, &in) : attack(fuzz.client, fuzz.server, &in);
    }
    fuzz_close(&fuzz);
    return 0;
}
