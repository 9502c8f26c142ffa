/* Any bytes as a YAML document: the reader ends, and every node it gives has a place inside the bytes. */
#include <assert.h>
#include <stdint.h>

#include "yaml/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml_report report;
    yaml_report_init(&report, "fuzz.yaml");
    struct yaml_document *document = NULL;
    enum err err = yaml_document_read(cursor_of(data, size), &report, &document);
    assert((err == ERR_NONE) == (report.error_count == 0));
    if (err == ERR_NONE) {
        const struct yaml_node *root = yaml_document_root(document);
        assert(root->kind == YAML_MAP && root->line >= 1 && root->column >= 1);
        size_t count = 0;
        for (const struct yaml_node *value = root->first; value != NULL; value = value->next) {
            assert(value->key != NULL && cursor_len(&value->key->text) > 0);
            count++;
        }
        assert(count == root->count);
        yaml_document_free(document);
    }
    return 0;
}
