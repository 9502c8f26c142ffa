/* The player in a terminal: keys in, painted screens out. What is painted is made from the cells of a virtual
 * terminal, so no recorded byte but visible characters reaches the operator's. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "replay/moment.h"
#include "replay/screen.h"
#include "show.h"

enum {
    STATUS_ROWS = 1,
    FRAME_US = 16000,   /* the terminal is painted at most 60 times a second */
    STATUS_US = 250000, /* the clock in the status line moves at least so often */
    MILLISECOND_US = 1000,
    COLS_USUAL = 80,
    ROWS_USUAL = 24,
    STATUS_BYTES = 2048,
};

/** All of it for one replay. */
struct watching {
    struct show *show;
    bool is_raw, has_terminal;
    struct replay_player player;
    struct replay_keys keys;
    struct replay_screen *screen; /* OWNED */
    struct queue out, scratch;
    struct termios usual;
    bool has_usual;
    int signals_fd;
    uint32_t cols, rows; /* of the window */
    uint64_t painted_us;
    bool needs_full, is_quit;
};

/* --- the terminal of the operator -------------------------------------------------------------------- */

static void read_window(struct watching *watching)
{
    struct winsize size = {0};
    bool is_known =
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > STATUS_ROWS;
    watching->cols = is_known ? size.ws_col : COLS_USUAL;
    watching->rows = is_known ? size.ws_row : ROWS_USUAL;
    watching->needs_full = true;
}

static enum err enter(struct watching *watching)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGWINCH);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
        return ERR_SYSTEM;
    }
    watching->signals_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (watching->signals_fd < 0 || tcgetattr(STDIN_FILENO, &watching->usual) != 0) {
        return ERR_SYSTEM;
    }
    struct termios raw = watching->usual;
    cfmakeraw(&raw);
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) != 0) {
        return ERR_SYSTEM;
    }
    watching->has_usual = true;
    read_window(watching);
    return watching->is_raw ? ERR_NONE
                            : fd_write_all(STDOUT_FILENO, cursor_of_text("\x1b[?1049h\x1b[?7l\x1b[2J"));
}

static void leave(struct watching *watching)
{
    static const char USUAL[] = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
    static const char USUAL_RAW[] =
        "\x1b[0m\x0f\x1b[r\x1b[?6l\x1b[?7h\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l"
        "\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>\r\n";
    if (!watching->has_usual) {
        return;
    }
    if (fd_write_all(STDOUT_FILENO, cursor_of_text(watching->is_raw ? USUAL_RAW : USUAL)) != ERR_NONE) {
        watching->is_quit = true; /* the terminal is gone: nothing to restore */
    }
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &watching->usual);
}

/* --- what the player shows --------------------------------------------------------------------------- */

/* A note stands on a line of its own, in another style. */
static enum err note_bytes(struct watching *watching, struct cursor note)
{
    TRY(queue_append(&watching->scratch, cursor_of_text("\x1b[0;2m")));
    TRY(queue_append(&watching->scratch, note));
    return queue_append(&watching->scratch, cursor_of_text("\x1b[0m\r\n"));
}

static enum err put_bytes(struct watching *watching, struct cursor bytes)
{
    return watching->is_raw ? fd_write_all(STDOUT_FILENO, bytes) : replay_screen_put(watching->screen, bytes);
}

static enum err view_show(void *context, const struct replay_event *event)
{
    struct watching *watching = context;
    queue_consume(&watching->scratch, queue_len(&watching->scratch));
    switch (event->kind) {
    case REPLAY_RESIZE:
        return watching->is_raw ? ERR_NONE : replay_screen_resize(watching->screen, event->cols, event->rows);
    case REPLAY_NOTE:
        if (watching->has_terminal) {
            return ERR_NONE; /* it would stand in the middle of a screen that was drawn without it */
        }
        TRY(note_bytes(watching, event->bytes));
        return put_bytes(watching, queue_peek(&watching->scratch));
    case REPLAY_OUTPUT:
    case REPLAY_ERRORS:
        break;
    }
    if (watching->has_terminal) {
        return put_bytes(watching, event->bytes);
    }
    TRY(replay_add_returns(event->bytes, &watching->scratch));
    return put_bytes(watching, queue_peek(&watching->scratch));
}

static enum err view_clear(void *context)
{
    struct watching *watching = context;
    if (watching->is_raw) {
        return fd_write_all(STDOUT_FILENO, cursor_of_text("\x1b[0m\x1b[r\x1b[H\x1b[2J"));
    }
    watching->needs_full = true;
    return replay_screen_clear(watching->screen);
}

/* --- painting ---------------------------------------------------------------------------------------- */

static const char *state_text(const struct watching *watching)
{
    if (watching->player.is_over) {
        return watching->show->survey.damage[0] != 0 ? "DAMAGED HERE" : "END";
    }
    return watching->player.is_paused ? "PAUSED" : "";
}

static enum err paint_status(struct watching *watching, uint64_t now_us)
{
    const struct show *show = watching->show;
    char position[REPLAY_TIME_BYTES];
    char end[REPLAY_TIME_BYTES];
    char title[SHOW_TITLE_BYTES];
    char text[STATUS_BYTES];
    char cut[STATUS_BYTES];
    uint32_t speed = watching->player.speed_permille;
    (void)snprintf(
        text, sizeof text,
        " %s / %s  %" PRIu32 ".%" PRIu32 "x  %s  %s  %s  | space . < > + - q | %" PRIu64 " removed",
        replay_offset_text(replay_player_position_us(&watching->player, now_us), position),
        replay_offset_text(show->survey.end_us, end), speed / 1000, speed / 100 % 10, state_text(watching),
        show->is_verified ? record_verdict_name(show->verdict) : "NOT VERIFIED", show_title(show, title),
        replay_screen_removed(watching->screen));
    size_t room = watching->cols + 1 < sizeof cut ? watching->cols + 1 : sizeof cut;
    text_printable(cursor_of_text(text), cut, room);
    char line[STATUS_BYTES + 64];
    (void)snprintf(line, sizeof line, "\x1b[%" PRIu32 ";1H\x1b[0;7m%-*s\x1b[0m", watching->rows,
                   (int)room - 1, cut);
    return queue_append(&watching->out, cursor_of_text(line));
}

static enum err paint(struct watching *watching, uint64_t now_us)
{
    if (watching->is_raw) {
        return ERR_NONE;
    }
    struct queue *out = &watching->out;
    TRY(replay_screen_paint(watching->screen, watching->cols, watching->rows - STATUS_ROWS,
                            watching->needs_full, out));
    TRY(paint_status(watching, now_us));
    TRY(replay_screen_place_cursor(watching->screen, out));
    watching->needs_full = false;
    watching->painted_us = now_us;
    enum err err = fd_write_all(STDOUT_FILENO, queue_peek(out));
    queue_consume(out, queue_len(out));
    return err;
}

/* --- the loop ---------------------------------------------------------------------------------------- */

static enum err take_keys(struct watching *watching)
{
    uint8_t bytes[64];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    if (got <= 0) {
        watching->is_quit = got == 0 || (errno != EINTR && errno != EAGAIN);
        return ERR_NONE;
    }
    for (ssize_t i = 0; i < got; i++) {
        enum replay_key key = replay_keys_put(&watching->keys, bytes[i]);
        if (key == REPLAY_KEY_QUIT) {
            watching->is_quit = true;
            return ERR_NONE;
        }
        TRY(replay_player_key(&watching->player, key, clock_monotonic_us()));
    }
    return ERR_NONE;
}

static void take_signals(struct watching *watching)
{
    struct signalfd_siginfo info;
    while (read(watching->signals_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGWINCH) {
            read_window(watching);
        } else {
            watching->is_quit = true;
        }
    }
}

static int timeout_ms(const struct watching *watching, uint64_t wait_us)
{
    bool is_moving = !watching->player.is_paused && !watching->player.is_over;
    if (is_moving && wait_us > STATUS_US) {
        wait_us = STATUS_US;
    }
    if (wait_us == UINT64_MAX) {
        return -1;
    }
    return (int)((wait_us + MILLISECOND_US - 1) / MILLISECOND_US);
}

static enum err wait_for_input(struct watching *watching, uint64_t wait_us)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = watching->signals_fd, .events = POLLIN}};
    if (poll(fds, 2, timeout_ms(watching, wait_us)) < 0 && errno != EINTR) {
        return ERR_SYSTEM;
    }
    take_signals(watching);
    return (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 ? take_keys(watching) : ERR_NONE;
}

static enum err run(struct watching *watching, uint64_t at_us)
{
    TRY(replay_player_start(&watching->player, at_us, clock_monotonic_us()));
    while (!watching->is_quit) {
        uint64_t now_us = clock_monotonic_us();
        uint64_t wait_us = 0;
        TRY(replay_player_tick(&watching->player, now_us, &wait_us));
        if (wait_us > 0 || now_us - watching->painted_us >= FRAME_US) {
            TRY(paint(watching, now_us));
        }
        if (watching->is_raw && watching->player.is_over) {
            return ERR_NONE;
        }
        TRY(wait_for_input(watching, wait_us));
    }
    return ERR_NONE;
}

int watch(struct show *show, const struct watch_request *request)
{
    const struct replay_part *part = &show->survey.parts[show->part];
    struct watching *watching = calloc(1, sizeof *watching);
    if (watching == NULL) {
        return complain(COMMAND_TROUBLE, "replay", "out of memory");
    }
    watching->show = show;
    watching->is_raw = request->is_raw;
    watching->has_terminal = part->has_terminal;
    watching->signals_fd = -1;
    queue_init(&watching->out, REPLAY_PAINT_LIMIT_BYTES);
    queue_init(&watching->scratch, (size_t)4 * LIMIT_RECORD_BODY_BYTES);
    struct replay_view view = {.context = watching, .show = view_show, .clear = view_clear};
    replay_player_init(&watching->player, replay_recording_source(&show->recording, show->part), view,
                       show->survey.end_us);
    watching->player.speed_permille = request->speed_permille;
    watching->player.idle_limit_us = request->idle_limit_us;
    struct replay_source source = watching->player.source;
    enum err err = source.rewind(source.context);
    err = err == ERR_NONE ? replay_screen_new(part->cols, part->rows, NULL, NULL, &watching->screen) : err;
    err = err == ERR_NONE ? enter(watching) : err;
    err = err == ERR_NONE ? run(watching, request->at_us) : err;
    leave(watching);
    fd_close(&watching->signals_fd);
    replay_screen_free(&watching->screen);
    queue_done(&watching->out);
    queue_done(&watching->scratch);
    free(watching);
    return err == ERR_NONE ? COMMAND_OK : complain(COMMAND_TROUBLE, "replay", "%s", err_text(err));
}
