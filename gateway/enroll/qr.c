#include "qr.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <qrencode.h>

#include "base/secret.h"

enum { QUIET_ZONE = 4 }; /* ISO/IEC 18004: four light modules on each side */

static bool is_dark(const QRcode *code, int x, int y)
{
    bool is_inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
    return is_inside && (code->data[y * code->width + x] & 1) != 0;
}

/* Two rows of modules are one line of text: letters are about twice as high as wide. */
static void print_line(FILE *out, const QRcode *code, int y)
{
    static const char *const BLOCKS[] = {" ", "▄", "▀", "█"};
    (void)fputs("\033[30;47m", out);
    for (int x = -QUIET_ZONE; x < code->width + QUIET_ZONE; x++) {
        unsigned upper = is_dark(code, x, y) ? 2 : 0;
        unsigned lower = is_dark(code, x, y + 1) ? 1 : 0;
        (void)fputs(BLOCKS[upper | lower], out);
    }
    (void)fputs("\033[0m\n", out);
}

enum err qr_print(FILE *out, const char *text)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
    if (code == NULL) {
        return errno == ERANGE ? ERR_TOO_LARGE : ERR_MEMORY;
    }
    for (int y = -QUIET_ZONE; y < code->width + QUIET_ZONE; y += 2) {
        print_line(out, code, y);
    }
    secret_wipe(code->data, (size_t)code->width * (size_t)code->width);
    QRcode_free(code);
    return ferror(out) == 0 ? ERR_NONE : ERR_SYSTEM;
}
