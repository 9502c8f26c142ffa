/* `bastion replay`: what a person saw and did. */
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "replay/moment.h"
#include "show.h"

static const char HELP[] =
    "usage: bastion replay ID [OPTIONS]\n"
    "\n"
    "Verify a recording, then show it. ID is a session id or its first digits (bastion sessions lists "
    "them).\n"
    "In a terminal it plays with the recorded timing; else, or with --plain, all of it is written at once.\n"
    "Everything that could act on your terminal is removed: titles, the clipboard, queries, mouse modes.\n"
    "\n"
    "  --identity FILE     your private age key (default: $BASTION_IDENTITY); only you may be able to read "
    "it\n"
    "  --channel N         show the N-th channel of the list that is printed first\n"
    "  --speed X           0.01 to 1000 times as fast\n"
    "  --idle-limit S      shorten silence to S, for example 2s\n"
    "  --at T              start at T: 90s, 1:30, 1:02:03\n"
    "  --plain             plain text as a person read it, line by line, for grep and less\n"
    "  --events            what happened instead of what was shown: logins, commands, sizes, refusals (also "
    "--json)\n"
    "  --raw               do NOT make escape sequences harmless; for commands: the exact bytes\n"
    "  --show-removed      written at once, with removed sequences as inverse text\n"
    "  --force             also when the verification finds a fault\n"
    "  --key FILE, --recordings DIR, --evidence DIR, --config FILE   as for bastion verify\n"
    "\n"
    "keys: space pause   . one step   left right 10 s   [ ] one minute   0 start   + - speed   q quit\n"
    "\n"
    "exit status: 0 shown, 1 not found, ambiguous, nothing to show or a fault was found, 2 usage, 3 cannot "
    "be opened\n"
    "\n"
    "  bastion replay 8c3f --speed 2 --idle-limit 2s\n"
    "  bastion replay 8c3f --plain | grep -i password\n"
    "  bastion replay 8c3f --channel 2 --raw > dump.tar\n";

enum {
    OPTION_CHANNEL = OPTION_OWN,
    OPTION_SPEED,
    OPTION_IDLE_LIMIT,
    OPTION_AT,
    OPTION_PLAIN,
    OPTION_EVENTS,
    OPTION_RAW,
    OPTION_SHOW_REMOVED,
    OPTION_FORCE,
};

struct request {
    struct show_request show;
    struct watch_request watch;
    bool is_plain, is_events, shows_removed;
};

static bool complain_value(const char *option, const char *value)
{
    (void)complain(0, "replay", "--%s does not take %s", option, value);
    return false;
}

static bool take_speed(struct request *request)
{
    uint32_t permille = 0;
    if (replay_permille_parse(cursor_of_text(optarg), REPLAY_SPEED_MAX, &permille) != ERR_NONE ||
        permille < REPLAY_SPEED_MIN) {
        return complain_value("speed", optarg);
    }
    request->watch.speed_permille = permille;
    return true;
}

static bool take_offset(const char *option, uint64_t *ret_us)
{
    return replay_offset_parse(cursor_of_text(optarg), ret_us) == ERR_NONE || complain_value(option, optarg);
}

static bool take_channel(struct request *request)
{
    if (text_u64(cursor_of_text(optarg), REPLAY_PARTS_MAX, &request->show.channel) != ERR_NONE ||
        request->show.channel == 0) {
        return complain_value("channel", optarg);
    }
    return true;
}

static bool take_own(int option, struct request *request)
{
    switch (option) {
    case OPTION_CHANNEL:
        return take_channel(request);
    case OPTION_SPEED:
        return take_speed(request);
    case OPTION_IDLE_LIMIT:
        return take_offset("idle-limit", &request->watch.idle_limit_us);
    case OPTION_AT:
        return take_offset("at", &request->watch.at_us);
    case OPTION_PLAIN:
        request->is_plain = true;
        return true;
    case OPTION_EVENTS:
        request->is_events = true;
        return true;
    case OPTION_RAW:
        request->watch.is_raw = true;
        return true;
    case OPTION_SHOW_REMOVED:
        request->shows_removed = true;
        return true;
    case OPTION_FORCE:
        request->show.is_forced = true;
        return true;
    default:
        return false;
    }
}

static int run(const struct request *request)
{
    OWNED_SHOW *show = NULL;
    int code = show_open(&request->show, &show);
    if (code != COMMAND_OK) {
        return code;
    }
    if (request->is_events) {
        return pour_records(show, request->show.common.is_json);
    }
    if (request->is_plain) {
        return pour_lines(show);
    }
    bool is_interactive = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
    if (!is_interactive || request->shows_removed || show->part == SIZE_MAX) {
        return pour_output(show, request->watch.is_raw, request->shows_removed);
    }
    return watch(show, &request->watch);
}

int replay_command(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        COMMON_OPTIONS,
        {"channel", required_argument, NULL, OPTION_CHANNEL},
        {"speed", required_argument, NULL, OPTION_SPEED},
        {"idle-limit", required_argument, NULL, OPTION_IDLE_LIMIT},
        {"at", required_argument, NULL, OPTION_AT},
        {"plain", no_argument, NULL, OPTION_PLAIN},
        {"events", no_argument, NULL, OPTION_EVENTS},
        {"raw", no_argument, NULL, OPTION_RAW},
        {"show-removed", no_argument, NULL, OPTION_SHOW_REMOVED},
        {"force", no_argument, NULL, OPTION_FORCE},
        {0},
    };
    struct request request = {.show = {.command = "replay"},
                              .watch = {.speed_permille = REPLAY_SPEED_NORMAL}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (!common_take(&request.show.common, option, optarg) && !take_own(option, &request)) {
            return complain_usage("replay");
        }
    }
    if (argc - optind != 1) {
        (void)complain(0, "replay", "give one session id");
        return complain_usage("replay");
    }
    request.show.id = argv[optind];
    return finish_output(run(&request), "replay");
}
