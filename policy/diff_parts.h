/* The parts of a comparison: who, where, under which conditions, what. */
#ifndef POLICY_DIFF_PARTS_H
#define POLICY_DIFF_PARTS_H

#include "model.h"
#include "policy/diff.h"

enum {
    DIFF_SIDES = 2, /* before, after */
    DIFF_CELLS_MAX = 65536,
    DIFF_VALUES_MAX = 1024, /* of one axis */
    DIFF_WHAT_BYTES = 512,
    DIFF_WHEN_BYTES = 1024,
    DIFF_WHATS_MAX = 65536, /* of one person's group and one target */
};
#define DIFF_NONE UINT32_MAX /* that side has none */

/* People who are in the same groups on both sides, or hosts that lie in the same targets. */
struct diff_member {
    const uint32_t *groups; /* NULL: that side does not know them */
    size_t group_count;
    bool is_machine;
};
struct diff_person {
    const char *name;         /* of holders of a principal: "principal NAME" */
    struct cursor principals; /* of their certificates, as in struct policy_request; else empty */
    struct diff_member sides[DIFF_SIDES];
    uint32_t class;
};
struct diff_host {
    struct cursor pattern;
    uint16_t port;
    uint32_t number[DIFF_SIDES]; /* of targets */
    uint32_t class;
};

/* Sorted by class. */
struct diff_people {
    struct diff_person *all;
    const char **names; /* in the same order */
    size_t count;
};
struct diff_hosts {
    struct diff_host *all;
    struct cursor *patterns; /* in the same order */
    size_t count;
};

/* people.c, hosts.c. Memory is the arena's. @return ERR_MEMORY; ERR_NOT_FOUND for a scope that is nowhere. */
MUST_CHECK enum err diff_people_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                                     const char *only, struct diff_people *ret);
MUST_CHECK enum err diff_hosts_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                                    const char *only, struct diff_hosts *ret);

/* rules.c: the rules and nevers that concern a person and a target. */
struct diff_rules {
    const struct rule **rules;
    size_t count;
};
/** @return ERR_MEMORY. Nothing for DIFF_NONE. */
MUST_CHECK enum err diff_rules_find(struct arena *arena, const struct policy *policy,
                                    const struct diff_member *member, uint32_t target,
                                    struct diff_rules *ret);
/** Do both sides decide alike for certain? Compares what the files say, entry by entry. */
bool diff_rules_equal(const struct policy *const sides[DIFF_SIDES],
                      const struct diff_member members[DIFF_SIDES], const uint32_t targets[DIFF_SIDES],
                      const struct diff_rules rules[DIFF_SIDES]);

/* axes.c: the conditions that the rules of both sides can tell apart. Each axis has one value for every such
 * set, and one at least. */
enum diff_axis { DIFF_FROM, DIFF_TIME, DIFF_KEY, DIFF_FACTOR, DIFF_REASON, DIFF_AXES };
struct diff_sources {
    struct network *networks; /* of the files, each once, and everywhere */
    size_t network_count;
    size_t *sets; /* of each value: the number of the narrowest network around it */
    char (*addresses)[NETWORK_TEXT_BYTES];
    char (*texts)[NETWORK_TEXT_BYTES + POLICY_ID_BYTES];
};
/* One clause about time: some hours, or a last day. */
struct diff_clause {
    const struct hours *hours; /* NULL: `until_s` */
    const struct zone *zone;
    int64_t until_s;
    char text[POLICY_ID_BYTES + ZONE_NAME_BYTES];
};
struct diff_times {
    struct diff_clause *clauses;
    size_t clause_count;
    int64_t *at_s;  /* a moment of each value */
    uint8_t *holds; /* of each value: for each clause whether it holds */
};
struct diff_axes {
    struct diff_sources sources;
    struct diff_times times;
    uint32_t *ages_s; /* rising; a further value stands for no factor, and for older ones */
    size_t age_count;
    const char *
        *reasons; /* patterns; the first value stands for none, the last for one that no other matches */
    const char **reason_examples;
    size_t reason_count;
    size_t counts[DIFF_AXES], cells;
};
MUST_CHECK enum err diff_axes_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                                   const struct diff_rules rules[DIFF_SIDES], int64_t at_s,
                                   struct diff_axes *ret);
/** Put the conditions of one cell into a request. @param factor  memory that the request borrows */
void diff_axes_apply(const struct diff_axes *axes, size_t cell, struct policy_request *request,
                     struct policy_factor *factor);
/** The cell in which a request is. @param from  its source */
size_t diff_axes_cell(const struct diff_axes *axes, const struct policy_request *request,
                      const struct network *from);
/** The cells that are set, in words. */
void diff_axes_describe(const struct diff_axes *axes, const uint8_t *cells,
                        char text[static DIFF_WHEN_BYTES]);
/** Add words to a text; what does not fit is left out. */
void diff_append(char *text, size_t size_bytes, const char *between, const char *more);

/* sources.c, times.c: one axis each. `find` returns how many values there are; 0: no memory, or too many. */
size_t diff_sources_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                         const struct diff_rules rules[DIFF_SIDES], struct diff_sources *ret);
size_t diff_sources_value(const struct diff_sources *sources, size_t count, const struct network *from);
void diff_sources_say(const struct diff_sources *sources, const bool *chosen, size_t count, char *text,
                      size_t size_bytes);
size_t diff_times_find(struct arena *arena, const struct policy *const sides[DIFF_SIDES],
                       const struct diff_rules rules[DIFF_SIDES], int64_t at_s, struct diff_times *ret);
size_t diff_times_value(const struct diff_times *times, size_t count, int64_t at_s);
void diff_times_say(const struct diff_times *times, const bool *chosen, size_t count, char *text,
                    size_t size_bytes);

/* whats.c: what may be asked for, and what the lists of both sides can tell apart in it. */
struct diff_what {
    enum policy_action action;
    const char *account;
    struct cursor database, command; /* as in struct policy_request */
    const char *text;
    bool is_rest;     /* stands for all that no list names */
    bool is_stream;   /* of kinds without accounts */
    bool is_database; /* of databases; neither: of hosts */
};
struct diff_whats {
    struct diff_what *all; /* those of one account and action together, the rest first */
    size_t count;
};
/** @param targets  of each side, or NULL. @return ERR_MEMORY; ERR_TOO_LARGE over DIFF_WHATS_MAX. */
MUST_CHECK enum err diff_whats_find(struct arena *arena, const struct target *const targets[DIFF_SIDES],
                                    const struct diff_rules rules[DIFF_SIDES], struct diff_whats *ret);
/** Does a target of this kind know it at all? */
bool diff_what_fits(const struct diff_what *what, const struct target *target);

#endif
