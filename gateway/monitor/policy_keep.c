/* What the past was allowed: every policy that was in force is kept under its hash, which the evidence log
 * names with the time, so that the question who could reach a target in March has an answer. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "policy/diff.h"
#include "state.h"

void policy_keep(struct monitor *monitor, struct cursor bundle)
{
    char name[sizeof monitor->policy_hash + sizeof POLICY_BUNDLE_END];
    (void)snprintf(name, sizeof name, "%s%s", monitor->policy_hash, POLICY_BUNDLE_END);
    if (faccessat(monitor->policies_dir, name, F_OK, 0) == 0) {
        return;
    }
    enum err err = fd_replace_file(monitor->policies_dir, name, 0600, bundle);
    if (err != ERR_NONE) {
        REPORT(monitor, "policy.not_kept", EVENT_FAILURE, {.key = "policy", .text = monitor->policy_hash},
               {.key = "how", .text = err == ERR_SYSTEM ? strerror(errno) : err_text(err)});
    }
}

/* ---- what a new one changes ---- */

enum { CHANGES_MAX = 10000 };

struct differences {
    unsigned counts[2]; /* enum policy_change_kind */
    char *text;         /* of the changes that fit */
    size_t used;
    bool is_full;
};

static bool add_difference(void *context, const struct policy_change *change)
{
    struct differences *differences = context;
    differences->counts[change->kind]++;
    size_t room = POLICY_DIFFERENCES_BYTES / 2 - differences->used;
    char people[64] = "";
    if (change->people_count > 1) {
        (void)snprintf(people, sizeof people, " and %zu more", change->people_count - 1);
    }
    int len =
        snprintf(differences->text + differences->used, room, "%s%c %s%s: %s on %s%s%s%s%s",
                 differences->used == 0 ? "" : "; ", change->kind == POLICY_GAIN ? '+' : '-',
                 change->people[0], people, change->what, change->target, *change->account == 0 ? "" : " as ",
                 change->account, *change->when == 0 ? "" : ", ", change->when);
    if (differences->is_full || len < 0 || (size_t)len >= room) {
        differences->text[differences->used] = 0; /* a change that does not fit is only counted */
        differences->is_full = true;
    } else {
        differences->used += (size_t)len;
    }
    return differences->counts[POLICY_GAIN] + differences->counts[POLICY_LOSS] < CHANGES_MAX;
}

void policy_differences(const struct policy *before, const struct policy *after,
                        char text[static POLICY_DIFFERENCES_BYTES])
{
    char changes[POLICY_DIFFERENCES_BYTES / 2] = "";
    struct differences differences = {.text = changes};
    enum err err = policy_diff(before, after, NULL, clock_wall_s(), add_difference, &differences);
    if (err != ERR_NONE) {
        (void)snprintf(text, POLICY_DIFFERENCES_BYTES, "not compared: %s", err_text(err));
        return;
    }
    (void)snprintf(text, POLICY_DIFFERENCES_BYTES, "%u gained, %u lost%s%s%s",
                   differences.counts[POLICY_GAIN], differences.counts[POLICY_LOSS],
                   changes[0] == 0 ? "" : ": ", changes, differences.is_full ? "; ..." : "");
}
