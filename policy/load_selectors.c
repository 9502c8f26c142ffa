#include "loader.h"

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
    for (uint32_t target = 0; target < loader->policy->target_count; target++) {
        if (selector_covers(selector, loader->policy, target)) {
            return true;
        }
    }
    LOADER_ERROR(loader, item, "no target has all of the labels \"%.64s\"", NODE_TEXT(item));
    return false;
}

static bool read_selector(struct loader *loader, const struct yaml_node *item, struct selector *selector)
{
    *selector = (struct selector){0};
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

void loader_selectors(struct loader *loader, const struct yaml_node *list, struct selector **ret,
                      size_t *ret_count)
{
    if (!loader_is_text_list(loader, list, SELECTORS_MAX)) {
        return;
    }
    struct selector *selectors = loader_alloc(loader, list->count, sizeof *selectors);
    size_t count = 0;
    for (const struct yaml_node *item = list->first; item != NULL && !loader->is_out_of_memory;
         item = item->next) {
        if (read_selector(loader, item, &selectors[count])) {
            count++;
        }
    }
    if (count == list->count) {
        *ret = selectors;
        *ret_count = count;
    }
}
