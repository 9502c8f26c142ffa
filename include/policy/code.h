/* The codes of denials, as engineers see them at the end of a sentence: "D-MFA-1a2b3c4d". The digits stand
 * for the id of a rule or of an entry of `never`. */
#ifndef POLICY_CODE_H
#define POLICY_CODE_H

#include "policy/policy.h"

struct policy_code {
    const char *meaning; /* of the kind of code: a constant sentence fragment */
    const char *id;   /* of the rule or entry in this policy; NULL: none has these digits, or none is meant */
    const char *file; /* where it is, with id */
    unsigned line;
    bool names_entry; /* the code has digits */
    bool is_never;    /* the entry is one of `never` */
};

/** The digits for an id: FNV-1a, 32 bits. */
uint32_t policy_code_number(const char *id);
/** Find what a code says. @param code  with or without brackets. All borrowed from the policy.
 *  @return ERR_NOT_FOUND when the policy makes no codes of this kind */
MUST_CHECK enum err policy_code_find(const struct policy *policy, const char *code, struct policy_code *ret);

#endif
