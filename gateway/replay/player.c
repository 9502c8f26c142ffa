#include "replay/player.h"

enum { SECOND_US = 1000000, SEEK_US = 10 * SECOND_US, FAR_SEEK_US = 60 * SECOND_US };

void replay_player_init(struct replay_player *player, struct replay_source source, struct replay_view view,
                        uint64_t end_us)
{
    *player = (struct replay_player){
        .source = source,
        .view = view,
        .end_us = end_us,
        .speed_permille = REPLAY_SPEED_NORMAL,
    };
}

static uint64_t latest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Errors of the source end the replay where it is; ERR_CLOSED is its usual end. */
static enum err load(struct replay_player *player)
{
    uint64_t last_us = player->event.t_us;
    enum err err = player->source.next(player->source.context, &player->event);
    player->has_event = err == ERR_NONE;
    player->is_over = !player->has_event;
    /* A recording is hostile: time that went back would make the wait negative. */
    player->event.t_us = latest(player->event.t_us, last_us);
    return err == ERR_CLOSED ? ERR_NONE : err;
}

static enum err show(struct replay_player *player)
{
    TRY(player->view.show(player->view.context, &player->event));
    player->silent_from_us = player->event.t_us;
    return load(player);
}

uint64_t replay_player_position_us(const struct replay_player *player, uint64_t now_us)
{
    if (player->is_over) {
        return latest(player->position_us, player->end_us);
    }
    if (player->is_paused || now_us < player->anchor_us) {
        return player->position_us;
    }
    uint64_t position_us =
        player->position_us + (now_us - player->anchor_us) * player->speed_permille / REPLAY_SPEED_NORMAL;
    /* In a silence that will be shortened the position is not known better than this. */
    return position_us > player->event.t_us ? player->event.t_us : position_us;
}

static void anchor(struct replay_player *player, uint64_t position_us, uint64_t now_us)
{
    player->position_us = position_us;
    player->anchor_us = now_us;
}

/* Everything up to `at_us` is shown at once. */
static enum err seek(struct replay_player *player, uint64_t at_us, uint64_t now_us)
{
    if (at_us > player->end_us) {
        at_us = player->end_us;
    }
    if (at_us < player->silent_from_us || player->is_over || !player->has_event) {
        player->event = (struct replay_event){0};
        player->silent_from_us = 0;
        TRY(player->source.rewind(player->source.context));
        TRY(player->view.clear(player->view.context));
        TRY(load(player));
    }
    while (player->has_event && player->event.t_us <= at_us) {
        TRY(show(player));
    }
    player->silent_from_us = latest(player->silent_from_us, at_us);
    anchor(player, at_us, now_us);
    return ERR_NONE;
}

enum err replay_player_start(struct replay_player *player, uint64_t at_us, uint64_t now_us)
{
    TRY(load(player));
    anchor(player, 0, now_us);
    return at_us == 0 ? ERR_NONE : seek(player, at_us, now_us);
}

/* The moment, in recorded time, at which the next event is shown. */
static uint64_t due_us(const struct replay_player *player)
{
    uint64_t silence_us =
        player->event.t_us > player->silent_from_us ? player->event.t_us - player->silent_from_us : 0;
    bool is_shortened = player->idle_limit_us > 0 && silence_us > player->idle_limit_us;
    return is_shortened ? player->silent_from_us + player->idle_limit_us : player->event.t_us;
}

enum err replay_player_tick(struct replay_player *player, uint64_t now_us, uint64_t *ret_wait_us)
{
    *ret_wait_us = UINT64_MAX;
    for (unsigned shown = 0; player->has_event && !player->is_paused; shown++) {
        uint64_t elapsed_us = now_us > player->anchor_us ? now_us - player->anchor_us : 0;
        uint64_t position_us =
            player->position_us + elapsed_us * player->speed_permille / REPLAY_SPEED_NORMAL;
        uint64_t due = due_us(player);
        if (position_us < due) {
            uint64_t speed = player->speed_permille;
            *ret_wait_us = ((due - position_us) * REPLAY_SPEED_NORMAL + speed - 1) / speed;
            return ERR_NONE;
        }
        if (shown == REPLAY_EVENTS_PER_TICK) {
            *ret_wait_us = 0;
            return ERR_NONE;
        }
        if (due < player->event.t_us) {
            anchor(player, player->event.t_us + (position_us - due), now_us);
        }
        TRY(show(player));
    }
    return ERR_NONE;
}

static enum err step(struct replay_player *player, uint64_t now_us)
{
    uint64_t position_us = replay_player_position_us(player, now_us);
    player->is_paused = true;
    if (!player->has_event) {
        anchor(player, position_us, now_us);
        return ERR_NONE;
    }
    anchor(player, player->event.t_us, now_us);
    return show(player);
}

static void set_speed(struct replay_player *player, uint32_t permille, uint64_t now_us)
{
    anchor(player, replay_player_position_us(player, now_us), now_us);
    if (permille >= REPLAY_SPEED_MIN && permille <= REPLAY_SPEED_MAX) {
        player->speed_permille = permille;
    }
}

enum err replay_player_key(struct replay_player *player, enum replay_key key, uint64_t now_us)
{
    uint64_t position_us = replay_player_position_us(player, now_us);
    switch (key) {
    case REPLAY_KEY_PAUSE:
        anchor(player, position_us, now_us);
        player->is_paused = !player->is_paused;
        return ERR_NONE;
    case REPLAY_KEY_STEP:
        return step(player, now_us);
    case REPLAY_KEY_BACK:
        return seek(player, position_us > SEEK_US ? position_us - SEEK_US : 0, now_us);
    case REPLAY_KEY_FAR_BACK:
        return seek(player, position_us > FAR_SEEK_US ? position_us - FAR_SEEK_US : 0, now_us);
    case REPLAY_KEY_FORWARD:
        return player->is_over ? ERR_NONE : seek(player, position_us + SEEK_US, now_us);
    case REPLAY_KEY_FAR_FORWARD:
        return player->is_over ? ERR_NONE : seek(player, position_us + FAR_SEEK_US, now_us);
    case REPLAY_KEY_START:
        return seek(player, 0, now_us);
    case REPLAY_KEY_FASTER:
        set_speed(player, player->speed_permille * 2, now_us);
        return ERR_NONE;
    case REPLAY_KEY_SLOWER:
        set_speed(player, player->speed_permille / 2, now_us);
        return ERR_NONE;
    case REPLAY_KEY_NONE:
    case REPLAY_KEY_QUIT:
        break;
    }
    return ERR_NONE;
}
