/* When what is shown: the timing of a replay as a value. It reads events from a source, gives them to a view
 * at their time, and is told what time it is; it never sleeps, reads a clock or writes. */
#ifndef REPLAY_PLAYER_H
#define REPLAY_PLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cursor.h"

enum {
    REPLAY_SPEED_NORMAL = 1000, /* thousandths */
    REPLAY_SPEED_MIN = 10,
    REPLAY_SPEED_MAX = 1000000,
    REPLAY_EVENTS_PER_TICK = 256, /* so that a key is seen while a burst is shown */
};

enum replay_event_kind {
    REPLAY_OUTPUT, /* of a terminal, or the standard output of a command */
    REPLAY_ERRORS, /* the standard error of a command */
    REPLAY_NOTE,   /* a line for the person who watches, which nobody saw at the time; without its newline */
    REPLAY_RESIZE,
};

struct replay_event {
    uint64_t t_us; /* since the start of the recording */
    enum replay_event_kind kind;
    struct cursor bytes; /* all but REPLAY_RESIZE: borrowed, valid until the source is asked again */
    uint32_t cols, rows; /* REPLAY_RESIZE */
};

struct replay_source {
    void *context;
    /** @return ERR_CLOSED after the last event; another error when the recording cannot be read further. */
    enum err (*next)(void *context, struct replay_event *ret_event);
    /** The next event is the first one again. */
    enum err (*rewind)(void *context);
};

struct replay_view {
    void *context;
    enum err (*show)(void *context, const struct replay_event *event);
    /** Back to an empty screen: a rewind happened. */
    enum err (*clear)(void *context);
};

/** What a person at the keyboard asks for. */
enum replay_key {
    REPLAY_KEY_NONE,
    REPLAY_KEY_PAUSE,       /* space */
    REPLAY_KEY_STEP,        /* . */
    REPLAY_KEY_BACK,        /* left: 10 s */
    REPLAY_KEY_FORWARD,     /* right: 10 s */
    REPLAY_KEY_FAR_BACK,    /* [ or page up: 1 min */
    REPLAY_KEY_FAR_FORWARD, /* ] or page down: 1 min */
    REPLAY_KEY_START,       /* 0 or home */
    REPLAY_KEY_FASTER,      /* + */
    REPLAY_KEY_SLOWER,      /* - */
    REPLAY_KEY_QUIT,        /* q, ^C, ^D */
};

/** Bytes of a keyboard, turned into keys. {0} is ready. */
struct replay_keys {
    uint8_t depth; /* bytes of an escape sequence seen so far */
    uint8_t digit;
};
enum replay_key replay_keys_put(struct replay_keys *keys, uint8_t byte);

/** Embedded; begin with replay_player_init(). Times are microseconds. */
struct replay_player {
    struct replay_source source;
    struct replay_view view;
    uint64_t idle_limit_us; /* a longer silence is shortened to this; 0: silence is played as it was */
    uint64_t end_us;        /* time of the last event */
    uint32_t speed_permille;
    bool is_paused, is_over;

    /* private */
    struct replay_event event; /* the next to show */
    bool has_event;
    uint64_t position_us, anchor_us; /* at clock anchor_us the position was position_us */
    uint64_t silent_from_us;         /* the last event shown, or where a seek went */
};

/** @param end_us  when the recording ends; seeking stops there */
void replay_player_init(struct replay_player *player, struct replay_source source, struct replay_view view,
                        uint64_t end_us);
/** Start at `at_us` (0: the beginning), at clock `now_us`. @return what source or view return. */
MUST_CHECK enum err replay_player_start(struct replay_player *player, uint64_t at_us, uint64_t now_us);
/** Show what is due. `*ret_wait_us` is how long nothing will be (UINT64_MAX: until a key comes).
 *  @return what source or view return; is_over says that the end was reached. */
MUST_CHECK enum err replay_player_tick(struct replay_player *player, uint64_t now_us, uint64_t *ret_wait_us);
/** REPLAY_KEY_QUIT and NONE do nothing here. @return what source or view return. */
MUST_CHECK enum err replay_player_key(struct replay_player *player, enum replay_key key, uint64_t now_us);
/** Where in the recording the replay is. */
uint64_t replay_player_position_us(const struct replay_player *player, uint64_t now_us);

#endif
