/* The tables that the policy file is read by: what is written about the language is made of them. */
#ifndef POLICY_LANGUAGE_H
#define POLICY_LANGUAGE_H

#include "yaml/field.h"

/** The whole file: every other table of the language is reached through `maps` of its fields. */
const struct yaml_map *policy_language(void);

#endif
