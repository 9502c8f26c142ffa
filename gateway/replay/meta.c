#include <jansson.h>
#include <string.h>

#include "base/text.h"
#include "replay/list.h"

static void copy_member(const json_t *json, const char *name, char *ret_text, size_t size_bytes)
{
    const json_t *member = json_object_get(json, name);
    ret_text[0] = 0;
    if (json_is_string(member)) {
        struct cursor text = cursor_of(json_string_value(member), json_string_length(member));
        text_printable(text, ret_text, size_bytes);
    }
}

enum err replay_meta_parse(struct cursor json_text, struct replay_meta *ret_meta)
{
    json_t *json = json_loadb((const char *)json_text.at, cursor_len(&json_text),
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        return ERR_MALFORMED;
    }
    struct replay_meta meta;
    memset(&meta, 0, sizeof meta);
    copy_member(json, "person", meta.person, sizeof meta.person);
    copy_member(json, "account", meta.account, sizeof meta.account);
    copy_member(json, "host", meta.host, sizeof meta.host);
    copy_member(json, "target", meta.target, sizeof meta.target);
    copy_member(json, "from", meta.from, sizeof meta.from);
    copy_member(json, "kind", meta.kind, sizeof meta.kind);
    copy_member(json, "database", meta.database, sizeof meta.database);
    copy_member(json, "address", meta.address, sizeof meta.address);
    const json_t *port = json_object_get(json, "port");
    json_int_t number = json_is_integer(port) ? json_integer_value(port) : 0;
    meta.port = number > 0 && number <= UINT16_MAX ? (uint16_t)number : 0;
    copy_member(json, "rule", meta.rule, sizeof meta.rule);
    copy_member(json, "bastion", meta.bastion, sizeof meta.bastion);
    copy_member(json, "key", meta.key, sizeof meta.key);
    copy_member(json, "factor", meta.factor, sizeof meta.factor);
    copy_member(json, "access_reason", meta.access_reason, sizeof meta.access_reason);
    const json_t *age = json_object_get(json, "mfa_age_s");
    meta.factor_age_s = json_is_integer(age) ? json_integer_value(age) : -1;
    json_decref(json);
    *ret_meta = meta;
    return ERR_NONE;
}
