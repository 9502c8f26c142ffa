/* Which sessions are meant: options that several commands take. */
#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "replay/moment.h"

static bool take_time(const char *text, const char *name, uint64_t *ret_wall_us)
{
    if (replay_moment_parse(cursor_of_text(text), clock_wall_us(), ret_wall_us) != ERR_NONE) {
        (void)complain(0, "filter", "--%s %s is no time: write 12h, 7d, 2026-01-31 or 2026-01-31T10:30", name,
                       text);
        return false;
    }
    return true;
}

static bool take_limit(const char *text, struct replay_filter_by *by)
{
    uint64_t limit = 0;
    if (text_u64(cursor_of_text(text), REPLAY_LIST_MAX, &limit) != ERR_NONE) {
        (void)complain(0, "filter", "--limit %s is no number up to %d", text, REPLAY_LIST_MAX);
        return false;
    }
    by->limit = (size_t)limit;
    return true;
}

bool filter_take(struct replay_filter_by *by, int option, const char *argument)
{
    switch (option) {
    case OPTION_USER:
        by->person = argument;
        return true;
    case OPTION_TARGET:
        by->target = argument;
        return true;
    case OPTION_DB:
        by->database = argument;
        return true;
    case OPTION_SINCE:
        return take_time(argument, "since", &by->since_us);
    case OPTION_UNTIL:
        return take_time(argument, "until", &by->until_us);
    case OPTION_OPEN:
        by->is_open = true;
        return true;
    case OPTION_LIMIT:
        return take_limit(argument, by);
    default:
        return false;
    }
}
