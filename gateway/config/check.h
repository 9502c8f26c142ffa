/* What can only be seen when all keys of the configuration are known. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/config.h"
#include "yaml/document.h"

/** Errors go to the report, at the place of the section they are about. */
void config_check(const struct gateway_config *config, const struct yaml_node *root,
                  struct yaml_report *report);

#endif
