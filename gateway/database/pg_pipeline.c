/* What happens to operations that get no answer of their own, and to names that they changed. */
#include "pg_state.h"

void pg_drop_operation(struct pg_relay *pg)
{
    pg->unsettling -= pg_operations_front(&pg->operations)->is_unsettling;
    pg_operations_drop_front(&pg->operations);
}

enum err pg_record_unanswered(struct pg_relay *pg, uint32_t number, uint8_t outcome, uint64_t since_us)
{
    /* A Bind and its Execute have one number and get one result. */
    if (number == 0 || number == pg->last_failed) {
        return ERR_NONE;
    }
    TRY(pg_result_out(pg, 0));
    pg->last_failed = number;
    const struct record_body body = {
        .kind = RECORD_DB_RESULT,
        .db_result = {.number = number, .outcome = outcome, .duration_us = pg->base.now_us - since_us}};
    return db_record(&pg->base, &body);
}

/* ---- names ---- */

static struct pg_name *name_of(struct pg_relay *pg, const struct pg_operation *operation)
{
    return pg_names_at(operation->is_portal ? &pg->portals : &pg->statements, operation->slot);
}

void pg_set_name(struct pg_relay *pg, struct pg_operation *operation, uint32_t number)
{
    struct pg_name *name = name_of(pg, operation);
    operation->previous = name->number;
    operation->previous_change = name->changed_by;
    name->number = number;
    name->changed_by = pg->changes + 1; /* what pg_expect() will give it */
}

/* The name stands again for what it stood for before. */
static void take_back(struct pg_relay *pg, const struct pg_operation *operation)
{
    bool changes = operation->kind == PG_PARSE || operation->kind == PG_BIND || operation->kind == PG_CLOSE;
    struct pg_name *name = name_of(pg, operation);
    if (changes && name != NULL && name->changed_by == operation->change) {
        name->number = operation->previous;
        name->changed_by = operation->previous_change;
        name->type_count = 0;
    }
}

/* ---- skipped ---- */

enum err pg_skip_behind(struct pg_relay *pg)
{
    uint32_t count = 0;
    while (count < pg->operations.count && pg_operations_at(&pg->operations, count)->kind != PG_SYNC) {
        const struct pg_operation *operation = pg_operations_at(&pg->operations, count);
        if (count > 0) { /* the first is the one that failed */
            TRY(pg_record_unanswered(pg, operation->number, RECORD_DB_SKIPPED, operation->since_us));
        }
        count++;
    }
    pg->is_skipping = count == pg->operations.count;
    /* The youngest first: each knows what was before itself. */
    for (uint32_t i = count; i > 0; i--) {
        take_back(pg, pg_operations_at(&pg->operations, i - 1));
    }
    for (uint32_t i = 0; i < count; i++) {
        pg_drop_operation(pg);
    }
    return ERR_NONE;
}

/* ---- lost ---- */

enum err pg_record_lost(struct pg_relay *pg)
{
    TRY(pg_copy_ends(pg));
    TRY(pg_result_out(pg, 0));
    for (uint32_t i = 0; i < pg->operations.count; i++) {
        const struct pg_operation *operation = pg_operations_at(&pg->operations, i);
        if (!operation->has_result) {
            TRY(pg_record_unanswered(pg, operation->number, RECORD_DB_LOST, operation->since_us));
        }
    }
    pg_operations_keep(&pg->operations, 0);
    return ERR_NONE;
}

/* ---- forgotten ---- */

/* What stood behind the tag in the pipeline must not bring an older meaning back. */
static void forget_previous(struct pg_relay *pg, bool is_portal)
{
    for (uint32_t i = 0; i < pg->operations.count; i++) {
        struct pg_operation *operation = pg_operations_at(&pg->operations, i);
        if (operation->is_portal == is_portal) {
            operation->previous = 0;
        }
    }
}

void pg_tag_forgets(struct pg_relay *pg, const struct pg_operation *operation, struct cursor tag)
{
    bool is_portal = cursor_equal_text(tag, "DECLARE CURSOR") || cursor_equal_text(tag, "CLOSE CURSOR") ||
                     cursor_equal_text(tag, "CLOSE CURSOR ALL");
    bool is_one = cursor_equal_text(tag, "DEALLOCATE");
    bool is_all = cursor_equal_text(tag, "DEALLOCATE ALL") || cursor_equal_text(tag, "DISCARD ALL");
    if (!is_portal && !is_one && !is_all) {
        return;
    }
    struct pg_name *name = is_one ? pg_names_at(&pg->statements, operation->slot) : NULL;
    if (name != NULL) {
        if (name->changed_by < operation->change) {
            name->number = 0;
        }
    } else {
        pg_names_forget(is_portal ? &pg->portals : &pg->statements, operation->change);
    }
    forget_previous(pg, is_portal);
}
