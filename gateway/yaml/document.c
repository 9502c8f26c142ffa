#include "yaml/document.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/names.h"
#include "characters.h"

struct yaml_document {
    struct arena arena;
    const struct yaml_node *root;
};

/* One open list or map. */
struct frame {
    struct yaml_node *node;
    struct yaml_node *last;      /* newest item */
    const struct yaml_node *key; /* map: a key was read and waits for its value */
    struct names keys;           /* map: to find repeated ones */
};

struct builder {
    struct yaml_document *document;
    struct yaml_report *report;
    struct frame frames[YAML_DEPTH];
    size_t depth, node_count;
    bool has_document;
};

/* Events are libyaml's; it counts from 0. */
static unsigned line_of(const struct yaml_report *report, yaml_mark_t mark)
{
    return ((unsigned)mark.line + 1) | report->reading << YAML_LINE_BITS;
}

static unsigned column_of(yaml_mark_t mark)
{
    return (unsigned)mark.column + 1;
}

static enum err refuse(struct builder *builder, yaml_mark_t mark, const char *message)
{
    yaml_report_error(builder->report, line_of(builder->report, mark), column_of(mark), "%s", message);
    return ERR_MALFORMED;
}

static enum err new_node(struct builder *builder, enum yaml_kind kind, yaml_mark_t mark,
                         struct yaml_node **ret)
{
    if (++builder->node_count > YAML_NODES) {
        yaml_report_error(builder->report, line_of(builder->report, mark), column_of(mark),
                          "the file has more than %d keys and values", YAML_NODES);
        return ERR_TOO_LARGE;
    }
    struct yaml_node *node = arena_array(&builder->document->arena, 1, sizeof *node);
    if (node == NULL) {
        return ERR_MEMORY;
    }
    node->kind = kind;
    node->line = line_of(builder->report, mark);
    node->column = column_of(mark);
    *ret = node;
    return ERR_NONE;
}

/* The node is the key that the open map waits for. */
static enum err take_key(struct builder *builder, struct frame *frame, struct yaml_node *node)
{
    if (node->kind != YAML_TEXT || cursor_len(&node->text) == 0) {
        yaml_report_error(builder->report, node->line, node->column, "a key must be a text");
        return ERR_MALFORMED;
    }
    enum err err = names_add(&frame->keys, node->text, node->line);
    uint32_t line = 0;
    if (err == ERR_STATE && names_find(&frame->keys, node->text, &line) == ERR_NONE) {
        yaml_report_error(builder->report, node->line, node->column,
                          "the key \"%.64s\" is here already, in line %u", (const char *)node->text.at,
                          yaml_place_line(line));
        err = ERR_NONE; /* more may be wrong further down */
    }
    frame->key = node;
    return err;
}

/* Put a new node where the open frame wants it. */
static enum err place_node(struct builder *builder, struct yaml_node *node)
{
    if (builder->depth == 0) {
        builder->document->root = node;
        return ERR_NONE;
    }
    struct frame *frame = &builder->frames[builder->depth - 1];
    if (frame->node->kind == YAML_MAP && frame->key == NULL) {
        return take_key(builder, frame, node);
    }
    node->key = frame->key;
    frame->key = NULL;
    if (frame->last == NULL) {
        frame->node->first = node;
    } else {
        frame->last->next = node;
    }
    frame->last = node;
    frame->node->count++;
    return ERR_NONE;
}

/* Anchors and tags change what a value means elsewhere, or what type it has. */
static void refuse_properties(struct builder *builder, yaml_mark_t mark, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    if (anchor != NULL) {
        (void)refuse(builder, mark, "anchors (&name) are not allowed; write the value where it is used");
    }
    if (tag != NULL) {
        (void)refuse(builder, mark, "tags (!name) are not allowed");
    }
}

static enum err add_scalar(struct builder *builder, const yaml_event_t *event)
{
    struct cursor bytes = cursor_of(event->data.scalar.value, event->data.scalar.length);
    refuse_properties(builder, event->start_mark, event->data.scalar.anchor, event->data.scalar.tag);
    if (cursor_len(&bytes) > YAML_TEXT_BYTES) {
        (void)refuse(builder, event->start_mark, "a text of more than 4096 bytes is not allowed");
        return ERR_TOO_LARGE;
    }
    struct character_place place;
    const char *problem = characters_check(bytes, false, &place);
    if (problem != NULL) {
        return refuse(builder, event->start_mark, problem);
    }
    struct yaml_node *node = NULL;
    TRY(new_node(builder, YAML_TEXT, event->start_mark, &node));
    const char *copy = arena_text(&builder->document->arena, bytes);
    if (copy == NULL) {
        return ERR_MEMORY;
    }
    node->text = cursor_of(copy, cursor_len(&bytes));
    node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return place_node(builder, node);
}

/* A text stands in for the alias, so that reading can go on to the next error. */
static enum err add_alias(struct builder *builder, const yaml_event_t *event)
{
    (void)refuse(builder, event->start_mark, "aliases (*name) are not allowed; write the value out");
    struct yaml_node *node = NULL;
    TRY(new_node(builder, YAML_TEXT, event->start_mark, &node));
    node->text = cursor_of_text("alias");
    return place_node(builder, node);
}

static enum err open_frame(struct builder *builder, enum yaml_kind kind, yaml_mark_t mark,
                           const yaml_char_t *anchor, const yaml_char_t *tag)
{
    refuse_properties(builder, mark, anchor, tag);
    if (builder->depth == YAML_DEPTH) {
        (void)refuse(builder, mark, "lists and maps are nested too deeply");
        return ERR_TOO_LARGE;
    }
    struct yaml_node *node = NULL;
    TRY(new_node(builder, kind, mark, &node));
    TRY(place_node(builder, node));
    builder->frames[builder->depth++] = (struct frame){.node = node};
    return ERR_NONE;
}

static void close_frame(struct builder *builder)
{
    names_done(&builder->frames[--builder->depth].keys);
}

static enum err start_document(struct builder *builder, const yaml_event_t *event)
{
    bool has_directives =
        event->data.document_start.version_directive != NULL ||
        event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end;
    if (has_directives) {
        return refuse(builder, event->start_mark, "directives (%) are not allowed");
    }
    if (builder->has_document) {
        return refuse(builder, event->start_mark, "a second document (---) in one file is not allowed");
    }
    builder->has_document = true;
    return ERR_NONE;
}

static enum err take_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return start_document(builder, event);
    case YAML_SCALAR_EVENT:
        return add_scalar(builder, event);
    case YAML_ALIAS_EVENT:
        return add_alias(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_frame(builder, YAML_LIST, event->start_mark, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return open_frame(builder, YAML_MAP, event->start_mark, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_frame(builder);
        return ERR_NONE;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return ERR_NONE;
    }
    return ERR_LIBRARY;
}

static enum err report_syntax(struct builder *builder, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return ERR_MEMORY;
    }
    const char *context = parser->context == NULL ? "" : parser->context;
    const char *problem = parser->problem == NULL ? "this is not YAML" : parser->problem;
    yaml_report_error(builder->report, line_of(builder->report, parser->problem_mark),
                      column_of(parser->problem_mark), "%s%s%s", problem, *context == 0 ? "" : ", ", context);
    return ERR_MALFORMED;
}

static enum err take_events(struct builder *builder, yaml_parser_t *parser)
{
    for (bool is_done = false; !is_done;) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            return report_syntax(builder, parser);
        }
        enum err err = take_event(builder, &event);
        is_done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        TRY(err);
    }
    return ERR_NONE;
}

static enum err parse(struct builder *builder, struct cursor bytes)
{
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        return ERR_MEMORY;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, bytes.at, cursor_len(&bytes));
    enum err err = take_events(builder, &parser);
    yaml_parser_delete(&parser);
    while (builder->depth > 0) {
        close_frame(builder);
    }
    return err;
}

static enum err check_bytes(struct cursor bytes, struct yaml_report *report)
{
    if (cursor_len(&bytes) > YAML_FILE_BYTES) {
        yaml_report_error(report, 0, 0, "the file is larger than %d MiB", YAML_FILE_BYTES >> 20);
        return ERR_TOO_LARGE;
    }
    if (cursor_len(&bytes) == 0) {
        yaml_report_error(report, 0, 0, "the file is empty");
        return ERR_MALFORMED;
    }
    struct character_place place;
    const char *problem = characters_check(bytes, true, &place);
    if (problem != NULL) {
        yaml_report_error(report, place.line | report->reading << YAML_LINE_BITS, place.column, "%s",
                          problem);
        return ERR_MALFORMED;
    }
    return ERR_NONE;
}

static enum err check_root(const struct builder *builder)
{
    const struct yaml_node *root = builder->document->root;
    if (root == NULL || root->kind != YAML_MAP) {
        yaml_report_error(builder->report, root == NULL ? 0 : root->line, root == NULL ? 0 : root->column,
                          "the file must be a map: lines of \"key: value\"");
    }
    return builder->report->error_count == 0 ? ERR_NONE : ERR_MALFORMED;
}

enum err yaml_document_read(struct cursor bytes, struct yaml_report *report, struct yaml_document **ret)
{
    TRY(check_bytes(bytes, report));
    struct yaml_document *document = calloc(1, sizeof *document);
    if (document == NULL) {
        return ERR_MEMORY;
    }
    struct builder builder = {.document = document, .report = report};
    enum err err = parse(&builder, bytes);
    if (err == ERR_NONE) {
        err = check_root(&builder);
    }
    if (err != ERR_NONE) {
        yaml_document_free(document);
        return err;
    }
    *ret = document;
    return ERR_NONE;
}

void yaml_document_free(struct yaml_document *document)
{
    if (document != NULL) {
        arena_done(&document->arena);
        free(document);
    }
}

const struct yaml_node *yaml_document_root(const struct yaml_document *document)
{
    return document->root;
}

bool yaml_node_append(const struct yaml_node *section, const struct yaml_node *more)
{
    if (section->kind != more->kind || section->kind == YAML_TEXT) {
        return false;
    }
    /* Nodes are const for their readers; they lie in the writable memory of their document. */
    struct yaml_node *first = (struct yaml_node *)section;
    struct yaml_node *last = first->first;
    first->count += more->count;
    if (last == NULL) {
        first->first = more->first;
        return true;
    }
    while (last->next != NULL) {
        last = (struct yaml_node *)last->next;
    }
    last->next = more->first;
    return true;
}
