/* Reading the policy file into the model: what the readers of its sections share. */
#ifndef POLICY_LOADER_H
#define POLICY_LOADER_H

#include "model.h"
#include "yaml/field.h"

struct loader {
    struct policy *policy;
    struct yaml_report *report;
    struct names groups, targets, network_sets;
    struct names labels; /* "key=value" */
    struct names ids;    /* of rules and nevers; the number is the line */
    bool is_out_of_memory;
};

/** Zeroed memory of the policy; NULL and `is_out_of_memory` when there is none. */
void *loader_alloc(struct loader *loader, size_t count, size_t size_bytes);
/** A copy of a node's text. */
struct cursor loader_copy(struct loader *loader, const struct yaml_node *node);
const char *loader_text(struct loader *loader, const struct yaml_node *node);
/** An error at the place of a node, or of its key. */
#define LOADER_ERROR(loader, node, ...)                                                                      \
    yaml_report_error((loader)->report, (node)->line, (node)->column, __VA_ARGS__)
#define NODE_TEXT(node) ((const char *)(node)->text.at)

/** SHA-256 over what a part of the file says, without its comments and its place: two parts with the same one
 * mean the same, but for the names of networks in them. */
void loader_fingerprint(const struct yaml_node *node, uint8_t ret[static POLICY_HASH_BYTES]);
/** A name of the policy's own: [a-z][a-z0-9._-]{0,62}. `what` in messages: "a rule id". */
bool loader_is_id(struct loader *loader, const struct yaml_node *node, const char *what);
/** A list of texts, not empty, no item twice, at most `max` items. */
bool loader_is_text_list(struct loader *loader, const struct yaml_node *list, size_t max);
/** A list of names that `names` holds, as numbers. @param kind  "group" in messages; `ret` is unchanged on
 * errors */
void loader_refs(struct loader *loader, const struct yaml_node *list, const struct names *names,
                 const char *kind, uint32_t **ret, size_t *ret_count);
/** A list of names of `networks:` and of CIDR texts. */
void loader_networks(struct loader *loader, const struct yaml_node *list, size_t max, struct network **ret,
                     size_t *ret_count);
/** A list of Unix accounts. */
void loader_accounts(struct loader *loader, const struct yaml_node *list, struct cursor **ret,
                     size_t *ret_count);
/** `to`: names of targets, and labels such as "env=prod,tier=web". */
void loader_selectors(struct loader *loader, const struct yaml_node *list, struct selector **ret,
                      size_t *ret_count);
/** `can:` of a rule, and `db:` in it (a struct yaml_field's reader: `into` is a struct can). */
void loader_can(struct loader *loader, const struct yaml_node *value, struct can *ret);
void loader_can_db(void *context, const struct yaml_node *value, void *into);
/** `when:` of a rule (a struct yaml_field's reader). */
void loader_when(void *context, const struct yaml_node *value, void *into);
/** What a login's key has proven, as an enum policy_key. */
void loader_key(void *context, const struct yaml_node *value, void *into);
/** Readers of fields of a rule and of an entry of `never`: `id`. */
void loader_entry_id(void *context, const struct yaml_node *value, void *into);
/** A key of a map that another file has, too. @param first  the place of the other one */
void loader_refuse_twice(struct loader *loader, const struct yaml_node *key, unsigned first);
/** Rules and nevers share one space of ids: a code must name one entry. */
void loader_add_id(struct loader *loader, const struct yaml_node *node, const char *id);
/** A list of at most `max` items, not empty. */
bool loader_is_section(struct loader *loader, const struct yaml_node *section, const char *what, size_t max);
/** The name of a file. Operators' files lie beside the policy: a name can be judged by anybody who reads it.
 *  @return NULL after an error */
const char *loader_file_beside(struct loader *loader, const struct yaml_node *value, const char *key);
/** One word of several, as its number; the words end with NULL. @return false after an error. */
bool loader_choice(struct loader *loader, const struct yaml_node *node, const char *const *words,
                   unsigned *ret_number);
/** Readers of the keys of a database target: `into` is its struct policy_database, or the member. */
void loader_upstream_tls(void *context, const struct yaml_node *value, void *into);
void loader_client_tls(void *context, const struct yaml_node *value, void *into);
void loader_login(void *context, const struct yaml_node *value, void *into);
void loader_region(void *context, const struct yaml_node *value, void *into);
/** What the keys of a database target make together. */
void loader_finish_database(struct loader *loader, const struct yaml_node *node, struct target *target);
/** record: and limits:, in a rule and in defaults. */
void loader_record(struct loader *loader, const struct yaml_node *node, struct record_rules *ret);
void loader_limits(struct loader *loader, const struct yaml_node *node, bool is_default,
                   struct limit_rules *ret);

/** The sections, in the order in which they need each other. A NULL section is absent. */
void load_networks(struct loader *loader, const struct yaml_node *section);
void load_people(struct loader *loader, const struct yaml_node *section);
void load_targets(struct loader *loader, const struct yaml_node *section);
void load_defaults(struct loader *loader, const struct yaml_node *section);
void load_rules(struct loader *loader, const struct yaml_node *section);
void load_nevers(struct loader *loader, const struct yaml_node *section);
/** Reads the tests; runs them when `is_complete`. @return how many there are. */
size_t load_tests(struct loader *loader, const struct yaml_node *section, bool is_complete);
/** What can only be seen in the whole: overlaps (errors), things that have no effect (warnings). */
void check_policy(struct loader *loader);
/** Warns of rules that another one makes needless. */
void lint_rules(struct loader *loader);

#endif
