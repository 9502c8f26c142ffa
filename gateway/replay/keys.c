/* The keyboard of the player: single bytes, and the few sequences of cursor keys. */
#include "replay/player.h"

enum { ESC = 0x1b, CTRL_C = 0x03, CTRL_D = 0x04 };

static enum replay_key plain(uint8_t byte)
{
    switch (byte) {
    case ' ':
        return REPLAY_KEY_PAUSE;
    case '.':
        return REPLAY_KEY_STEP;
    case '+':
    case '=':
        return REPLAY_KEY_FASTER;
    case '-':
        return REPLAY_KEY_SLOWER;
    case '[':
        return REPLAY_KEY_FAR_BACK;
    case ']':
        return REPLAY_KEY_FAR_FORWARD;
    case '0':
        return REPLAY_KEY_START;
    case 'q':
    case CTRL_C:
    case CTRL_D:
        return REPLAY_KEY_QUIT;
    default:
        return REPLAY_KEY_NONE;
    }
}

static enum replay_key final(uint8_t byte, uint8_t digit)
{
    switch (byte) {
    case 'C':
        return REPLAY_KEY_FORWARD;
    case 'D':
        return REPLAY_KEY_BACK;
    case 'H':
        return REPLAY_KEY_START;
    case '~':
        return digit == '5'                   ? REPLAY_KEY_FAR_BACK
               : digit == '6'                 ? REPLAY_KEY_FAR_FORWARD
               : digit == '1' || digit == '7' ? REPLAY_KEY_START
                                              : REPLAY_KEY_NONE;
    default:
        return REPLAY_KEY_NONE;
    }
}

enum replay_key replay_keys_put(struct replay_keys *keys, uint8_t byte)
{
    if (byte == ESC) {
        *keys = (struct replay_keys){.depth = 1};
        return REPLAY_KEY_NONE;
    }
    if (keys->depth == 0) {
        return plain(byte);
    }
    if (keys->depth == 1) { /* ESC [ or ESC O; anything else is Alt and a key, which means nothing here */
        keys->depth = byte == '[' || byte == 'O' ? 2 : 0;
        return REPLAY_KEY_NONE;
    }
    if (byte >= 0x40) {
        enum replay_key key = final(byte, keys->digit);
        *keys = (struct replay_keys){0};
        return key;
    }
    keys->digit = keys->digit == 0 ? byte : 0xff;
    return REPLAY_KEY_NONE;
}
