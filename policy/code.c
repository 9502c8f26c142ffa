#include "policy/code.h"

#include <string.h>

#include "base/text.h"
#include "model.h"

enum { DIGITS = 8 };

static const struct {
    const char *kind, *meaning;
    bool names_entry;
} KINDS[] = {
    {"D-UNKNOWN-PERSON", "no group names the person", false},
    {"D-UNKNOWN-TARGET", "no target lists host and port", false},
    {"D-NO-RULE", "no rule is for this person and this target", false},
    {"D-GROUPS", "the principals of the certificate lead to too many groups, or cannot be read", false},
    {"D-AS", "the account is not among those of the rule and the target", true},
    {"D-CAN", "the rule does not allow this action, command, place, path or database", true},
    {"D-NEVER", "a \"never\" entry takes it away", true},
    {"D-FROM", "the connection comes from an address that the rule does not name", true},
    {"D-HOURS", "it is not the time for the rule", true},
    {"D-UNTIL", "the rule has ended", true},
    {"D-KEY", "the key of the login is no hardware key as the rule asks for", true},
    {"D-MFA", "the second factor is missing or too old for the rule", true},
    {"D-REASON", "the rule asks for a reason", true},
};

uint32_t policy_code_number(const char *id)
{
    uint32_t hash = 0x811c9dc5U;
    for (; *id != 0; id++) {
        hash = (hash ^ (uint8_t)*id) * 0x01000193U;
    }
    return hash;
}

/* Kind and digits of a code. @return the row, or NULL */
static size_t find_kind(struct cursor code, uint32_t *ret_number)
{
    enum { KIND_COUNT = sizeof KINDS / sizeof KINDS[0] };
    for (size_t i = 0; i < KIND_COUNT; i++) {
        size_t len = strlen(KINDS[i].kind);
        uint8_t bytes[DIGITS / 2];
        if (!KINDS[i].names_entry && cursor_equal_text(code, KINDS[i].kind)) {
            return i;
        }
        if (KINDS[i].names_entry && cursor_len(&code) == len + 1 + DIGITS &&
            memcmp(code.at, KINDS[i].kind, len) == 0 && code.at[len] == '-' &&
            text_unhex((struct cursor){code.at + len + 1, code.end}, bytes, sizeof bytes) == ERR_NONE) {
            struct cursor in = cursor_of(bytes, sizeof bytes);
            return cursor_u32be(&in, ret_number) == ERR_NONE ? i : KIND_COUNT;
        }
    }
    return KIND_COUNT;
}

enum err policy_code_find(const struct policy *policy, const char *code, struct policy_code *ret)
{
    struct cursor text = cursor_of_text(code);
    uint32_t number = 0;
    if (cursor_take(&text, '[') && text.at != text.end && text.end[-1] == ']') {
        text.end--;
    }
    size_t kind = find_kind(text, &number);
    if (kind == sizeof KINDS / sizeof KINDS[0]) {
        return ERR_NOT_FOUND;
    }
    *ret = (struct policy_code){.meaning = KINDS[kind].meaning, .names_entry = KINDS[kind].names_entry};
    for (size_t i = 0; ret->names_entry && i < policy->rule_count; i++) {
        if (policy_code_number(policy->rules[i].id) == number) {
            ret->id = policy->rules[i].id;
            ret->file = policy_place(policy, policy->rules[i].line, &ret->line);
        }
    }
    for (size_t i = 0; ret->names_entry && i < policy->never_count; i++) {
        if (policy_code_number(policy->nevers[i].id) == number) {
            ret->id = policy->nevers[i].id;
            ret->is_never = true;
            ret->file = policy_place(policy, policy->nevers[i].line, &ret->line);
        }
    }
    return ERR_NONE;
}
