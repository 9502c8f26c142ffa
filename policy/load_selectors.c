#include "loader.h"

#include <stdio.h>
#include <string.h>

enum { SELECTORS_MAX = 1000, SELECTOR_LABELS_MAX = 8 };

/* One "key=value" of a selector. */
static bool read_selector_label(struct loader *loader, const struct yaml_node *item, struct cursor text,
                                struct selector *selector)
{
    uint32_t number = 0;
    if (selector->label_count == SELECTOR_LABELS_MAX) {
        LOADER_ERROR(loader, item, "these are more than %d labels", SELECTOR_LABELS_MAX);
        return false;
    }
    if (names_find(&loader->labels, text, &number) != ERR_NONE) {
        struct yaml_suggestion suggestion;
        yaml_suggestion_init(&suggestion, text);
        if (loader->report->error_count < YAML_FINDINGS_MAX) {
            yaml_suggestion_offer_names(&suggestion, &loader->labels);
        }
        LOADER_ERROR(loader, item, "no target has the label \"%.*s\"%s", (int)cursor_len(&text),
                     (const char *)text.at, yaml_suggestion_text(&suggestion));
        return false;
    }
    selector->labels[selector->label_count++] = number;
    return true;
}

static bool covers_some_target(struct loader *loader, const struct yaml_node *item,
                               const struct selector *selector)
{
    for (uint32_t target = 0; target < loader->policy->target_count; target++) {
        if (selector_covers(selector, loader->policy, target)) {
            return true;
        }
    }
    LOADER_ERROR(loader, item, "no target has all of these labels");
    return false;
}

/* "env=prod,data=pii": all of them must hold. */
static bool read_labels(struct loader *loader, const struct yaml_node *item, struct selector *selector)
{
    selector->labels = loader_alloc(loader, SELECTOR_LABELS_MAX, sizeof *selector->labels);
    struct cursor rest = item->text;
    struct cursor label;
    while (!loader->is_out_of_memory && cursor_name(&rest, &label)) {
        if (!read_selector_label(loader, item, label, selector)) {
            return false;
        }
    }
    return covers_some_target(loader, item, selector);
}

/* { env: prod, data: pii }: the same in another spelling. */
static bool read_label_map(struct loader *loader, const struct yaml_node *map, struct selector *selector)
{
    char text[2 * POLICY_ID_BYTES];
    if (!yaml_expect_map(loader->report, map, "labels")) {
        return false;
    }
    selector->labels = loader_alloc(loader, SELECTOR_LABELS_MAX, sizeof *selector->labels);
    for (const struct yaml_node *item = map->first; item != NULL && !loader->is_out_of_memory;
         item = item->next) {
        if (!loader_is_id(loader, item->key, "a label") ||
            !loader_is_id(loader, item, "the value of a label")) {
            return false;
        }
        (void)snprintf(text, sizeof text, "%s=%s", NODE_TEXT(item->key), NODE_TEXT(item));
        if (!read_selector_label(loader, item->key, cursor_of_text(text), selector)) {
            return false;
        }
    }
    return covers_some_target(loader, map, selector);
}

static bool read_selector(struct loader *loader, const struct yaml_node *item, struct selector *selector)
{
    *selector = (struct selector){0};
    if (item->kind == YAML_MAP) {
        return read_label_map(loader, item, selector);
    }
    if (!yaml_expect_text(loader->report, item, "an item of \"to\"")) {
        return false;
    }
    if (memchr(item->text.at, '=', cursor_len(&item->text)) != NULL) {
        return read_labels(loader, item, selector);
    }
    selector->is_target = true;
    if (names_find(&loader->targets, item->text, &selector->target) == ERR_NONE) {
        return true;
    }
    struct yaml_suggestion suggestion;
    yaml_suggestion_init(&suggestion, item->text);
    if (loader->report->error_count < YAML_FINDINGS_MAX) {
        yaml_suggestion_offer_names(&suggestion, &loader->targets);
    }
    LOADER_ERROR(loader, item, "no target is called \"%.64s\"%s", NODE_TEXT(item),
                 yaml_suggestion_text(&suggestion));
    return false;
}

static bool is_same(const struct selector *a, const struct selector *b)
{
    if (a->is_target != b->is_target || a->label_count != b->label_count) {
        return false;
    }
    for (size_t i = 0; i < a->label_count; i++) {
        if (a->labels[i] != b->labels[i]) {
            return false;
        }
    }
    return !a->is_target || a->target == b->target;
}

static void refuse_repeated(struct loader *loader, const struct yaml_node *item,
                            const struct selector *selectors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (is_same(&selectors[i], &selectors[count])) {
            LOADER_ERROR(loader, item, "this is in this list twice");
            return;
        }
    }
}

void loader_selectors(struct loader *loader, const struct yaml_node *list, struct selector **ret,
                      size_t *ret_count)
{
    if (!yaml_expect_list(loader->report, list, "to")) {
        return;
    }
    if (list->count > SELECTORS_MAX) {
        LOADER_ERROR(loader, list, "this list has %zu items; at most %d are allowed", list->count,
                     SELECTORS_MAX);
        return;
    }
    struct selector *selectors = loader_alloc(loader, list->count, sizeof *selectors);
    size_t count = 0;
    for (const struct yaml_node *item = list->first; item != NULL && !loader->is_out_of_memory;
         item = item->next) {
        if (read_selector(loader, item, &selectors[count])) {
            refuse_repeated(loader, item, selectors, count);
            count++;
        }
    }
    if (count == list->count) {
        *ret = selectors;
        *ret_count = count;
    }
}
