/* `bastion export`: a recording in a format that other programs read. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "replay/asciicast.h"
#include "show.h"

static const char HELP[] =
    "usage: bastion export --asciicast ID [OPTIONS]\n"
    "\n"
    "Verify a recording, then write one channel of it as an asciicast for asciinema and its web player.\n"
    "The file is NOT sealed any more, and proves nothing: keep it as carefully as the session was secret.\n"
    "\n"
    "  --asciicast         the format\n"
    "  --v3                version 3 (default: 2, which every asciinema plays)\n"
    "  --output FILE       write a new file, readable by you alone (default: standard output)\n"
    "  --identity FILE     your private age key (default: $BASTION_IDENTITY)\n"
    "  --channel N         the N-th channel, as bastion replay lists them\n"
    "  --raw               do NOT make escape sequences harmless: they act on the terminal of who plays it\n"
    "  --force             also when the verification finds a fault\n"
    "  --key FILE, --recordings DIR, --evidence DIR, --config FILE   as for bastion verify\n"
    "\n"
    "exit status: 0 written, 1 not found, nothing to show or a fault was found, 2 usage, 3 cannot be read or "
    "written\n"
    "\n"
    "  bastion export --asciicast 8c3f --output incident.cast && asciinema play incident.cast\n";

enum {
    OPTION_ASCIICAST = OPTION_OWN,
    OPTION_V3,
    OPTION_OUTPUT,
    OPTION_CHANNEL,
    OPTION_RAW,
    OPTION_FORCE,
    OUT_LIMIT_BYTES = 8 << 20, /* a record of 64 KiB with every byte escaped is below 1 MiB */
};

struct request {
    struct show_request show;
    const char *output;
    unsigned version;
    bool is_asciicast, is_raw;
};

static enum err flush_out(int fd, struct queue *out)
{
    enum err err = fd_write_all(fd, queue_peek(out));
    queue_consume(out, queue_len(out));
    return err;
}

static enum err write_event(struct replay_cast *cast, struct replay_event *event, bool has_terminal,
                            struct queue *scratch, struct queue *out)
{
    bool is_output = event->kind == REPLAY_OUTPUT || event->kind == REPLAY_ERRORS;
    if (is_output && !has_terminal) {
        queue_consume(scratch, queue_len(scratch));
        TRY(replay_add_returns(event->bytes, scratch));
        event->bytes = queue_peek(scratch);
    }
    return replay_cast_event(cast, event, out);
}

static enum err write_cast(struct show *show, struct replay_cast *cast, int fd, struct queue *scratch,
                           struct queue *out)
{
    const struct replay_part *part = &show->survey.parts[show->part];
    char title[SHOW_TITLE_BYTES];
    struct replay_cast_head head = {.cols = part->cols,
                                    .rows = part->rows,
                                    .wall_us = show->recording.wall_us,
                                    .title = show_title(show, title),
                                    .term = part->term};
    struct replay_source source = replay_recording_source(&show->recording, show->part);
    TRY(source.rewind(source.context));
    TRY(replay_cast_begin(cast, &head, out));
    for (;;) {
        struct replay_event event;
        enum err err = source.next(source.context, &event);
        if (err == ERR_CLOSED) {
            break;
        }
        TRY(err);
        TRY(write_event(cast, &event, part->has_terminal, scratch, out));
        TRY(flush_out(fd, out));
    }
    TRY(replay_cast_end(cast, part->to_us, part->exit_status, out));
    return flush_out(fd, out);
}

static int write_to(struct show *show, const struct request *request, int fd)
{
    struct replay_cast cast;
    struct queue scratch;
    struct queue out;
    replay_cast_init(&cast, request->version, request->is_raw);
    queue_init(&scratch, (size_t)4 * LIMIT_RECORD_BODY_BYTES);
    queue_init(&out, OUT_LIMIT_BYTES);
    enum err err = write_cast(show, &cast, fd, &scratch, &out);
    queue_done(&scratch);
    queue_done(&out);
    replay_cast_done(&cast);
    if (err != ERR_NONE) {
        return complain(COMMAND_TROUBLE, "export", "%s", err == ERR_SYSTEM ? strerror(errno) : err_text(err));
    }
    return COMMAND_OK;
}

static int run(const struct request *request)
{
    OWNED_SHOW *show = NULL;
    int code = show_open(&request->show, &show);
    if (code != COMMAND_OK) {
        return code;
    }
    if (show->part == SIZE_MAX) {
        return complain(COMMAND_NO, "export", "nothing in it can be shown");
    }
    if (request->output == NULL) {
        return write_to(show, request, STDOUT_FILENO);
    }
    OWNED_FD fd = open(request->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return complain(COMMAND_TROUBLE, "export", "%s: %s", request->output, strerror(errno));
    }
    code = write_to(show, request, fd);
    if (code == COMMAND_OK && fsync(fd) != 0) {
        return complain(COMMAND_TROUBLE, "export", "%s: %s", request->output, strerror(errno));
    }
    return code;
}

static bool take_own(int option, struct request *request)
{
    switch (option) {
    case OPTION_ASCIICAST:
        request->is_asciicast = true;
        return true;
    case OPTION_V3:
        request->version = 3;
        return true;
    case OPTION_OUTPUT:
        request->output = optarg;
        return true;
    case OPTION_CHANNEL:
        if (text_u64(cursor_of_text(optarg), REPLAY_PARTS_MAX, &request->show.channel) != ERR_NONE ||
            request->show.channel == 0) {
            (void)complain(0, "export", "--channel does not take %s", optarg);
            return false;
        }
        return true;
    case OPTION_RAW:
        request->is_raw = true;
        return true;
    case OPTION_FORCE:
        request->show.is_forced = true;
        return true;
    default:
        return false;
    }
}

int export_command(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        COMMON_OPTIONS,
        {"asciicast", no_argument, NULL, OPTION_ASCIICAST},
        {"v3", no_argument, NULL, OPTION_V3},
        {"output", required_argument, NULL, OPTION_OUTPUT},
        {"channel", required_argument, NULL, OPTION_CHANNEL},
        {"raw", no_argument, NULL, OPTION_RAW},
        {"force", no_argument, NULL, OPTION_FORCE},
        {0},
    };
    struct request request = {.show = {.command = "export"}, .version = 2};
    int option = 0;
    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (!common_take(&request.show.common, option, optarg) && !take_own(option, &request)) {
            return complain_usage("export");
        }
    }
    if (argc - optind != 1 || !request.is_asciicast) {
        (void)complain(0, "export", "give --asciicast and one session id");
        return complain_usage("export");
    }
    request.show.id = argv[optind];
    request.show.is_quiet = true;
    return finish_output(run(&request), "export");
}
