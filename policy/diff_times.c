/* When: the moments at which other clauses about time hold. They are looked for in the week around the moment
 * that is asked for, and around every last day of a rule. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "diff_parts.h"

enum { DAY_S = 86400, MINUTE_S = 60, DAYS = 8, CLAUSES_MAX = 256 };

struct finding {
    struct diff_times *times;
    size_t count; /* values */
};

static bool clause_holds(const struct diff_clause *clause, int64_t at_s)
{
    return clause->hours == NULL ? at_s < clause->until_s : hours_hold(clause->hours, clause->zone, at_s);
}

/* ---- clauses ---- */

static void add_clause(struct diff_times *times, const struct diff_clause *clause)
{
    for (size_t i = 0; i < times->clause_count; i++) {
        if (strcmp(times->clauses[i].text, clause->text) == 0) {
            return;
        }
    }
    times->clauses[times->clause_count++] = *clause;
}

static void add_clauses_of(struct diff_times *times, const struct policy *policy, const struct rule *rule)
{
    for (size_t i = 0; i < rule->hours_count; i++) {
        struct diff_clause clause = {.hours = &rule->hours[i], .zone = &policy->zones[rule->hours[i].zone]};
        (void)snprintf(clause.text, sizeof clause.text, "%.*s", (int)cursor_len(&clause.hours->text),
                       (const char *)clause.hours->text.at);
        add_clause(times, &clause);
    }
    if (rule->until_s != 0) {
        struct diff_clause clause = {.until_s = rule->until_s};
        time_t until = (time_t)rule->until_s;
        struct tm utc = {0};
        (void)gmtime_r(&until, &utc);
        (void)strftime(clause.text, sizeof clause.text, "before %Y-%m-%dT%H:%M:%SZ", &utc);
        add_clause(times, &clause);
    }
}

/* ---- values ---- */

static void try_moment(struct finding *finding, int64_t at_s)
{
    struct diff_times *times = finding->times;
    uint8_t holds[CLAUSES_MAX];
    for (size_t i = 0; i < times->clause_count; i++) {
        holds[i] = clause_holds(&times->clauses[i], at_s) ? 1 : 0;
    }
    for (size_t value = 0; value < finding->count; value++) {
        if (memcmp(times->holds + value * times->clause_count, holds, times->clause_count) == 0) {
            return;
        }
    }
    if (finding->count < DIFF_VALUES_MAX) {
        memcpy(times->holds + finding->count * times->clause_count, holds, times->clause_count);
        times->at_s[finding->count++] = at_s;
    }
}

/* Where some hours begin and end in the days around a moment. */
static void try_edges(struct finding *finding, const struct diff_clause *clause, int64_t around_s)
{
    int64_t local_s = around_s + zone_offset_s(clause->zone, around_s);
    int64_t midnight_s = local_s - local_s % DAY_S;
    const uint16_t edges[] = {clause->hours->from, clause->hours->to};
    for (int day = -1; day < DAYS; day++) {
        for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
            int64_t edge_s = midnight_s + (int64_t)day * DAY_S + (int64_t)edges[i] * MINUTE_S;
            int64_t at_s = edge_s - zone_offset_s(clause->zone, edge_s - zone_offset_s(clause->zone, edge_s));
            try_moment(finding, at_s - 1);
            try_moment(finding, at_s);
        }
    }
}

static void try_week(struct finding *finding, int64_t around_s)
{
    try_moment(finding, around_s);
    for (size_t i = 0; i < finding->times->clause_count; i++) {
        if (finding->times->clauses[i].hours != NULL) {
            try_edges(finding, &finding->times->clauses[i], around_s);
        }
    }
}

size_t diff_times_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                       const struct diff_rules rules[DIFF_SIDES], int64_t at_s, struct diff_times *ret)
{
    size_t most = 0;
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        for (size_t i = 0; i < rules[side].count; i++) {
            most += rules[side].rules[i]->hours_count + 1;
        }
    }
    ret->clauses = arena_array(arena, most, sizeof *ret->clauses);
    if (ret->clauses == NULL) {
        return 0;
    }
    for (unsigned side = 0; side < DIFF_SIDES; side++) {
        for (size_t i = 0; i < rules[side].count; i++) {
            add_clauses_of(ret, sides[side], rules[side].rules[i]);
        }
    }
    size_t values_max = ret->clause_count == 0 ? 1 : DIFF_VALUES_MAX;
    ret->at_s = arena_array(arena, values_max, sizeof *ret->at_s);
    ret->holds = arena_array(arena, values_max, ret->clause_count + 1);
    if (ret->at_s == NULL || ret->holds == NULL || ret->clause_count > CLAUSES_MAX) {
        return 0;
    }
    struct finding finding = {.times = ret};
    try_week(&finding, at_s);
    for (size_t i = 0; i < ret->clause_count; i++) {
        if (ret->clauses[i].hours == NULL) {
            try_moment(&finding, ret->clauses[i].until_s - 1);
            try_week(&finding, ret->clauses[i].until_s);
        }
    }
    return finding.count;
}

size_t diff_times_value(const struct diff_times *times, size_t count, int64_t at_s)
{
    for (size_t value = 0; value < count; value++) {
        bool is_same = true;
        for (size_t i = 0; is_same && i < times->clause_count; i++) {
            is_same = times->holds[value * times->clause_count + i] ==
                      (clause_holds(&times->clauses[i], at_s) ? 1 : 0);
        }
        if (is_same) {
            return value;
        }
    }
    return 0;
}

void diff_times_say(const struct diff_times *times, const bool *chosen, size_t count, char *text,
                    size_t size_bytes)
{
    for (size_t value = 0; value < count; value++) {
        for (size_t i = 0; chosen[value] && i < times->clause_count; i++) {
            bool holds = times->holds[value * times->clause_count + i] != 0;
            diff_append(text, size_bytes, i == 0 ? " or " : " and ", holds ? "" : "not ");
            diff_append(text, size_bytes, "", times->clauses[i].text);
        }
    }
}
