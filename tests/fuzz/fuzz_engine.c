/* Bytes of strangers before any key: the banner and the plaintext packets of a key exchange. The first byte
 * says to which side (bit 0), whether a good banner goes ahead (bit 1), and in how large pieces the rest is
 * fed (others). */
#include "engine_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz fuzz;
    struct cursor in = cursor_of(data, size), part;
    uint8_t choice = 0;
    if (cursor_u8(&in, &choice) != ERR_NONE) {
        return 0;
    }
    fuzz_open(&fuzz);
    struct engine *engine = (choice & 1) != 0 ? fuzz.client : fuzz.server;
    size_t piece = (size_t)(choice >> 2) * 8 + 1;
    enum err err = (choice & 2) != 0 ? engine_feed(engine, cursor_of_text("SSH-2.0-fuzz\r\n")) : ERR_NONE;
    while (err == ERR_NONE && cursor_len(&in) > 0) {
        size_t len = cursor_len(&in) < piece ? cursor_len(&in) : piece;
        EXPECT(cursor_bytes(&in, len, &part) == ERR_NONE);
        err = engine_feed(engine, part);
    }
    /* A failure stays, and what was said last can still be said. */
    if (err != ERR_NONE) {
        EXPECT(engine_feed(engine, cursor_of_text("x")) == err);
    }
    (void)!engine_disconnect(engine, 2, "end");
    fuzz_close(&fuzz);
    return 0;
}
