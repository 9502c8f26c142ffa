/* The walk: classes of people, classes of hosts, what may be asked for there, and under which conditions. */
#include "policy/diff.h"

#include <stdlib.h>
#include <string.h>

#include "diff_parts.h"

struct walk {
    const struct policy *sides[DIFF_SIDES];
    int64_t at_s;
    policy_change_each *each;
    void *context;
    bool is_stopped;
    struct diff_people people;
    struct diff_hosts hosts;
};

/* One class of people and one of hosts. */
struct pair {
    struct walk *walk;
    struct arena arena;
    size_t first_person, person_count, first_host, host_count;
    struct diff_rules rules[DIFF_SIDES];
    const struct target *targets[DIFF_SIDES];
    struct diff_axes axes;
    struct diff_whats whats;
    uint8_t *allowed[DIFF_SIDES]; /* of the `what` that is looked at: a byte for each cell */
    uint8_t *rest[POLICY_ACTION_COUNT][DIFF_SIDES]; /* of all that no list names, by the same account */
    uint8_t *changed;
    struct policy_decision *decision; /* holds a grant: too large for a stack */
};

static const struct diff_person *person_of(const struct pair *pair)
{
    return &pair->walk->people.all[pair->first_person];
}

static const struct diff_host *host_of(const struct pair *pair)
{
    return &pair->walk->hosts.all[pair->first_host];
}

static struct policy_request request_for(const struct pair *pair, const struct diff_what *what,
                                         char host[static LIMIT_HOST_BYTES])
{
    struct cursor pattern = host_of(pair)->pattern;
    size_t len = cursor_len(&pattern);
    for (size_t i = 0; i <= len && i < LIMIT_HOST_BYTES; i++) {
        host[i] = (char)(i == len ? 0 : pattern.at[i] == '*' ? 'x' : pattern.at[i]);
    }
    bool is_certified = cursor_len(&person_of(pair)->principals) > 0;
    return (struct policy_request){.person = is_certified ? "" : person_of(pair)->name,
                                   .principals = person_of(pair)->principals,
                                   .host = host,
                                   .port = host_of(pair)->port,
                                   .account = what->account,
                                   .database = what->database,
                                   .action = what->action,
                                   .command = what->command,
                                   .at_s = pair->walk->at_s};
}

static bool is_allowed(struct pair *pair, unsigned side, const struct diff_what *what,
                       const struct policy_request *request)
{
    if (pair->targets[side] == NULL || !diff_what_fits(what, pair->targets[side])) {
        return false;
    }
    policy_decide(pair->walk->sides[side], request, pair->decision);
    return pair->decision->verdict == POLICY_ALLOWED && !pair->decision->is_observed;
}

static void ask_all(struct pair *pair, const struct diff_what *what)
{
    char host[LIMIT_HOST_BYTES];
    struct policy_request request = request_for(pair, what, host);
    for (size_t cell = 0; cell < pair->axes.cells; cell++) {
        struct policy_factor factor;
        diff_axes_apply(&pair->axes, cell, &request, &factor);
        for (unsigned side = 0; side < DIFF_SIDES; side++) {
            pair->allowed[side][cell] = is_allowed(pair, side, what, &request) ? 1 : 0;
        }
    }
}

static void tell(struct pair *pair, const struct diff_what *what, enum policy_change_kind kind)
{
    unsigned gaining = kind == POLICY_GAIN ? 1 : 0;
    char host[LIMIT_HOST_BYTES];
    char when[DIFF_WHEN_BYTES];
    struct policy_request request = request_for(pair, what, host);
    struct policy_factor factor;
    size_t first = (size_t)((uint8_t *)memchr(pair->changed, 1, pair->axes.cells) - pair->changed);
    diff_axes_describe(&pair->axes, pair->changed, when);
    diff_axes_apply(&pair->axes, first, &request, &factor);
    (void)is_allowed(pair, gaining, what, &request); /* for the name of the rule */
    const struct policy_change change = {
        .kind = kind,
        .people = pair->walk->people.names + pair->first_person,
        .people_count = pair->person_count,
        .hosts = pair->walk->hosts.patterns + pair->first_host,
        .host_count = pair->host_count,
        .port = request.port,
        .target = pair->targets[gaining]->name,
        .account = what->account,
        .what = what->text,
        .when = when,
        .rule = pair->decision->rule,
        .example = &request,
        .pair = pair,
    };
    pair->walk->is_stopped = !pair->walk->each(pair->walk->context, &change);
}

/* What the rest of its action has as well needs no mention of its own. */
static bool is_said_by_rest(const struct pair *pair, const struct diff_what *what)
{
    size_t cells = pair->axes.cells;
    uint8_t *const *rest = pair->rest[what->action];
    return !what->is_rest && memcmp(pair->allowed[0], rest[0], cells) == 0 &&
           memcmp(pair->allowed[1], rest[1], cells) == 0;
}

static void compare_what(struct pair *pair, const struct diff_what *what)
{
    ask_all(pair, what);
    if (is_said_by_rest(pair, what)) {
        return;
    }
    for (unsigned kind = 0; kind < 2 && !pair->walk->is_stopped; kind++) {
        unsigned gaining = kind == POLICY_GAIN ? 1 : 0;
        bool has_any = false;
        for (size_t cell = 0; cell < pair->axes.cells; cell++) {
            bool is_changed = pair->allowed[gaining][cell] > pair->allowed[1 - gaining][cell];
            pair->changed[cell] = is_changed ? 1 : 0;
            has_any = has_any || is_changed;
        }
        if (has_any) {
            tell(pair, what, (enum policy_change_kind)kind);
        }
    }
    if (what->is_rest) {
        for (unsigned side = 0; side < DIFF_SIDES; side++) {
            memcpy(pair->rest[what->action][side], pair->allowed[side], pair->axes.cells);
        }
    }
}

static enum err take_memory(struct pair *pair)
{
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        pair->allowed[side] = arena_array(&pair->arena, pair->axes.cells, 1);
        uint8_t *rests = arena_array(&pair->arena, POLICY_ACTION_COUNT, pair->axes.cells);
        if (pair->allowed[side] == NULL || rests == NULL) {
            return ERR_MEMORY;
        }
        for (size_t action = 0; action < POLICY_ACTION_COUNT; action++) {
            pair->rest[action][side] = rests + action * pair->axes.cells;
        }
    }
    pair->changed = arena_array(&pair->arena, pair->axes.cells, 1);
    pair->decision = arena_array(&pair->arena, 1, sizeof *pair->decision);
    return pair->changed == NULL || pair->decision == NULL ? ERR_MEMORY : ERR_NONE;
}

static enum err compare_pair(struct pair *pair)
{
    struct walk *walk = pair->walk;
    const struct diff_member *members = person_of(pair)->sides;
    const uint32_t *targets = host_of(pair)->number;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        TRY(diff_rules_find(&pair->arena, walk->sides[side], &members[side], targets[side],
                            &pair->rules[side]));
        pair->targets[side] = walk->sides[side] == NULL || targets[side] == DIFF_NONE
                                  ? NULL
                                  : &walk->sides[side]->targets[targets[side]];
    }
    if (diff_rules_equal(walk->sides, members, targets, pair->rules)) {
        return ERR_NONE;
    }
    TRY(diff_axes_find(&pair->arena, walk->sides, pair->rules, walk->at_s, &pair->axes));
    TRY(diff_whats_find(&pair->arena, pair->targets, pair->rules, &pair->whats));
    TRY(take_memory(pair));
    for (size_t i = 0; i < pair->whats.count && !walk->is_stopped; i++) {
        compare_what(pair, &pair->whats.all[i]);
    }
    return ERR_NONE;
}

static size_t class_of_people(const struct diff_people *people, size_t first)
{
    size_t end = first;
    while (end < people->count && people->all[end].class == people->all[first].class) {
        end++;
    }
    return end - first;
}

static size_t class_of_hosts(const struct diff_hosts *hosts, size_t first)
{
    size_t end = first;
    while (end < hosts->count && hosts->all[end].class == hosts->all[first].class) {
        end++;
    }
    return end - first;
}

static enum err walk_hosts(struct walk *walk, size_t first_person, size_t person_count)
{
    size_t host_count = 0;
    for (size_t host = 0; host < walk->hosts.count && !walk->is_stopped; host += host_count) {
        host_count = class_of_hosts(&walk->hosts, host);
        struct pair pair = {.walk = walk,
                            .first_person = first_person,
                            .person_count = person_count,
                            .first_host = host,
                            .host_count = host_count};
        enum err err = compare_pair(&pair);
        arena_done(&pair.arena);
        TRY(err);
    }
    return ERR_NONE;
}

static enum err walk_people(struct walk *walk)
{
    size_t person_count = 0;
    for (size_t person = 0; person < walk->people.count && !walk->is_stopped; person += person_count) {
        person_count = class_of_people(&walk->people, person);
        TRY(walk_hosts(walk, person, person_count));
    }
    return ERR_NONE;
}

static bool names_person(const struct policy_change *change, const char *person)
{
    for (size_t i = 0; i < change->people_count; i++) {
        if (strcmp(change->people[i], person) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_of_hosts(const struct pair *pair, const struct policy_request *request)
{
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        const struct policy *policy = pair->walk->sides[side];
        uint32_t target = policy == NULL
                              ? DIFF_NONE
                              : host_index_find(policy, cursor_of_text(request->host), request->port);
        if (target != host_of(pair)->number[side]) {
            return false;
        }
    }
    return true;
}

bool policy_change_concerns(const struct policy_change *change, const struct policy_request *request)
{
    const struct pair *pair = change->pair;
    struct network from;
    if (!names_person(change, request->person) || !is_of_hosts(pair, request) ||
        strcmp(change->account, request->account) != 0 || change->example->action != request->action ||
        network_address(cursor_of_text(request->from), &from) != ERR_NONE) {
        return false;
    }
    return pair->changed[diff_axes_cell(&pair->axes, request, &from)] != 0;
}

enum err policy_diff(const struct policy *before, const struct policy *after,
                     const struct policy_diff_scope *scope, int64_t at_s, policy_change_each *each,
                     void *context)
{
    struct walk walk = {.sides = {before, after}, .at_s = at_s, .each = each, .context = context};
    struct arena arena = {0};
    enum err err = diff_people_find(&arena, walk.sides, scope == NULL ? NULL : scope->person, &walk.people);
    if (err == ERR_NONE) {
        err = diff_hosts_find(&arena, walk.sides, scope == NULL ? NULL : scope->host, &walk.hosts);
    }
    if (err == ERR_NONE) {
        err = walk_people(&walk);
    }
    arena_done(&arena);
    return err;
}
