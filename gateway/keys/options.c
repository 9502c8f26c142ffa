#include "options.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/text.h"
#include "keys/authorized_keys.h"
#include "keys/source.h"

struct option {
    struct cursor name;
    bool has_value;
    struct cursor value; /* between the quotes, escapes and all: no honoured option has a use for one */
};

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

/* sshd(8): option names are case-insensitive. */
static bool is_named(struct cursor name, const char *text)
{
    size_t len = cursor_len(&name);
    return len == strlen(text) && strncasecmp((const char *)name.at, text, len) == 0;
}

/* A quoted value; a quote within is written \". */
static enum err read_value(struct cursor *line, struct cursor *ret_value)
{
    if (cursor_len(line) == 0 || *line->at != '"') {
        return ERR_MALFORMED;
    }
    line->at++;
    ret_value->at = line->at;
    for (; line->at != line->end && *line->at != '"'; line->at++) {
        bool is_escape = *line->at == '\\' && cursor_len(line) > 1 && line->at[1] == '"';
        line->at += is_escape ? 1 : 0;
    }
    if (line->at == line->end) {
        return ERR_MALFORMED;
    }
    ret_value->end = line->at++;
    return ERR_NONE;
}

/* name or name="value", up to a comma or blank. */
static enum err read_option(struct cursor *line, struct option *ret_option)
{
    *ret_option = (struct option){.name = {line->at, line->at}};
    while (line->at != line->end && *line->at != ',' && *line->at != '=' && *line->at != '"' &&
           !is_blank(*line->at)) {
        line->at++;
    }
    ret_option->name.end = line->at;
    if (cursor_len(&ret_option->name) == 0) {
        return ERR_MALFORMED;
    }
    if (line->at != line->end && *line->at == '=') {
        line->at++;
        ret_option->has_value = true;
        TRY(read_value(line, &ret_option->value));
    }
    bool is_ended = line->at == line->end || *line->at == ',' || is_blank(*line->at);
    return is_ended ? ERR_NONE : ERR_MALFORMED;
}

static int number_at(const uint8_t *digits, size_t len)
{
    uint64_t value = 0;
    return text_u64(cursor_of(digits, len), 9999, &value) == ERR_NONE ? (int)value : -1;
}

static bool take_suffix(struct cursor *text, const char *suffix)
{
    size_t len = strlen(suffix);
    if (cursor_len(text) < len || memcmp(text->end - len, suffix, len) != 0) {
        return false;
    }
    text->end -= len;
    return true;
}

/* YYYYMMDD[HHMM[SS]], local time, or UTC where "Z" or "UTC" follows (sshd(8)). */
static enum err read_time(struct cursor text, int64_t *ret_time_s)
{
    bool is_utc = take_suffix(&text, "Z") || take_suffix(&text, "UTC");
    size_t len = cursor_len(&text);
    if (len != 8 && len != 12 && len != 14) {
        return ERR_MALFORMED;
    }
    struct tm when = {.tm_isdst = -1};
    int year = number_at(text.at, 4);
    int month = number_at(text.at + 4, 2);
    int day = number_at(text.at + 6, 2);
    when.tm_hour = len > 8 ? number_at(text.at + 8, 2) : 0;
    when.tm_min = len > 8 ? number_at(text.at + 10, 2) : 0;
    when.tm_sec = len > 12 ? number_at(text.at + 12, 2) : 0;
    bool is_date = year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
    bool is_hour = when.tm_hour >= 0 && when.tm_hour <= 23 && when.tm_min >= 0 && when.tm_min <= 59;
    if (!is_date || !is_hour || when.tm_sec < 0 || when.tm_sec > 59) {
        return ERR_MALFORMED;
    }
    when.tm_year = year - 1900;
    when.tm_mon = month - 1;
    when.tm_mday = day;
    time_t time_s = is_utc ? timegm(&when) : mktime(&when);
    /* The library turns February 30th into March 2nd. */
    if (time_s <= 0 || when.tm_mday != day) {
        return ERR_MALFORMED;
    }
    *ret_time_s = time_s;
    return ERR_NONE;
}

static enum err refuse(struct keys_complaints *complaints, unsigned line, const char *before,
                       struct cursor quoted, const char *after)
{
    keys_complain(complaints, line, before, quoted, after);
    return ERR_MALFORMED;
}

static enum err take_from(struct keys_options *options, const struct option *option, unsigned line,
                          struct keys_complaints *complaints)
{
    if (options->has_from) {
        return refuse(complaints, line, "two \"", option->name, "\" options: join their lists with a comma");
    }
    enum keys_source_verdict ignored = KEYS_SOURCE_OUTSIDE;
    struct cursor bad = option->value;
    if (keys_source_match(option->value, NULL, &ignored, &bad) != ERR_NONE) {
        return refuse(complaints, line, "\"", bad,
                      "\" in from= is no address or CIDR block (host names and wildcards are not looked up)");
    }
    options->has_from = true;
    options->from = option->value;
    return ERR_NONE;
}

static enum err take_expiry(struct keys_options *options, const struct option *option, unsigned line,
                            struct keys_complaints *complaints)
{
    int64_t time_s = 0;
    if (read_time(option->value, &time_s) != ERR_NONE) {
        return refuse(complaints, line, "\"", option->value,
                      "\" in expiry-time= is no time: write YYYYMMDD or YYYYMMDDHHMM[SS], with Z for UTC");
    }
    if (options->expires_s == 0 || time_s < options->expires_s) {
        options->expires_s = time_s;
    }
    return ERR_NONE;
}

/* sshd(8): options that take away, and that give back what "restrict" took. The last word counts. */
static bool take_right(struct keys_options *options, const struct option *option)
{
    static const struct {
        const char *name;
        unsigned taken, given;
    } RIGHTS[] = {
        {"restrict", KEYS_LACKS_ALL, 0},
        {"no-pty", KEYS_LACKS_PTY, 0},
        {"pty", 0, KEYS_LACKS_PTY},
        {"no-agent-forwarding", KEYS_LACKS_AGENT, 0},
        {"agent-forwarding", 0, KEYS_LACKS_AGENT},
        {"no-X11-forwarding", KEYS_LACKS_X11, 0},
        {"X11-forwarding", 0, KEYS_LACKS_X11},
        {"no-port-forwarding", KEYS_LACKS_FORWARD, 0},
        {"port-forwarding", 0, KEYS_LACKS_FORWARD},
        {"no-user-rc", 0, 0}, /* certificates for targets never permit it */
    };
    for (size_t i = 0; !option->has_value && i < sizeof RIGHTS / sizeof RIGHTS[0]; i++) {
        if (is_named(option->name, RIGHTS[i].name)) {
            options->lacks = (options->lacks | RIGHTS[i].taken) & ~RIGHTS[i].given;
            return true;
        }
    }
    return false;
}

/* What people know from sshd, and where it belongs here. */
static enum err refuse_option(struct cursor name, unsigned line, struct keys_complaints *complaints)
{
    static const struct {
        const char *name, *instead;
    } KNOWN[] = {
        {"command", "\" is not honoured: name the commands in the policy, \"can: { exec: [[...]] }\""},
        {"permitopen", "\" is not honoured: name the places in the policy, \"can: { forward: [...] }\""},
        {"permitlisten",
         "\" is not honoured: name the places in the policy, \"can: { remote_forward: [...] }\""},
        {"user-rc", "\" is not honoured: the bastion's certificates never permit ~/.ssh/rc"},
        {"tunnel", "\" is not honoured: tun devices are always refused"},
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        if (is_named(name, KNOWN[i].name)) {
            return refuse(complaints, line, "this key is not accepted, since option \"", name,
                          KNOWN[i].instead);
        }
    }
    return refuse(complaints, line, "option \"", name,
                  "\" would not be enforced, so this key is not accepted: remove the option, "
                  "the policy decides what a person may do");
}

static enum err take_option(struct keys_options *options, const struct option *option, unsigned line,
                            struct keys_complaints *complaints)
{
    if (is_named(option->name, "from") && option->has_value) {
        return take_from(options, option, line, complaints);
    }
    if (is_named(option->name, "expiry-time") && option->has_value) {
        return take_expiry(options, option, line, complaints);
    }
    if (is_named(option->name, "verify-required") && !option->has_value) {
        options->is_verify_required = true;
        return ERR_NONE;
    }
    if (is_named(option->name, "no-touch-required") && !option->has_value) {
        options->is_touch_not_required = true;
        return ERR_NONE;
    }
    if (is_named(option->name, "cert-authority")) {
        return refuse(complaints, line, "", option->name,
                      " lines are not honoured: name the user CA in the bastion's configuration");
    }
    return take_right(options, option) ? ERR_NONE : refuse_option(option->name, line, complaints);
}

enum err keys_options_read(struct cursor *line, unsigned line_number, struct keys_options *ret_options,
                           struct keys_complaints *complaints)
{
    struct keys_options options = {.has_from = false};
    for (;;) {
        struct option option;
        struct cursor rest = *line;
        if (read_option(line, &option) != ERR_NONE) {
            return refuse(complaints, line_number, "the options cannot be read at \"", rest,
                          "\" (a value needs double quotes)");
        }
        TRY(take_option(&options, &option, line_number, complaints));
        if (line->at == line->end || *line->at != ',') {
            break;
        }
        line->at++;
    }
    *ret_options = options;
    return ERR_NONE;
}
