/* A YAML file as a tree with positions: maps, lists and texts, and nothing else of YAML. Anchors, aliases,
 * tags, directives, several documents, repeated keys, keys that are no text, and characters that hide or
 * change what a reader sees are errors. Scalars stay texts: who reads one says what type it has. */
#ifndef YAML_DOCUMENT_H
#define YAML_DOCUMENT_H

#include "base/cursor.h"
#include "base/err.h"
#include "yaml/report.h"

enum {
    YAML_FILE_BYTES = 8 << 20, /* a policy of 10,000 people and 5,000 rules is about 1 MiB */
    YAML_DEPTH = 16,           /* the deepest place of a policy is 6 */
    YAML_NODES = 500000,
    YAML_TEXT_BYTES = 4096, /* one scalar */
};

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    bool is_quoted;               /* text: '1' is not 1 */
    unsigned line, column;        /* from 1; yaml/report.h says how the line carries a file */
    struct cursor text;           /* a NUL follows */
    const struct yaml_node *key;  /* of a value in a map: its key, else NULL */
    const struct yaml_node *next; /* the next item of the same list or map */
    struct yaml_node *first;      /* list, map */
    size_t count;                 /* items of a list, keys of a map */
};

struct yaml_document;
/**
 * Read a whole file.
 * @param report  gets the errors; must be initialised
 * @param ret     OWNED by the caller, yaml_document_free()
 * @return ERR_MALFORMED or ERR_TOO_LARGE with at least one error in the report; ERR_MEMORY.
 */
MUST_CHECK enum err yaml_document_read(struct cursor bytes, struct yaml_report *report,
                                       struct yaml_document **ret);
void yaml_document_free(struct yaml_document *document);
/** Put the items of a list or map behind those of another one, of another document: both documents must stay
 * as long as one is read. @return false when they are of different kinds. */
bool yaml_node_append(const struct yaml_node *section, const struct yaml_node *more);
/** Always a map; borrowed from the document. */
const struct yaml_node *yaml_document_root(const struct yaml_document *document);

#endif
