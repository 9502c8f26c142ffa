#include "check.h"

#include <string.h>

#include "yaml/field.h"

/* The section that a finding is about, or the file as a whole when it is left to its defaults. */
static void report_at(struct yaml_report *report, const struct yaml_node *root, const char *section,
                      const char *message, const char *detail)
{
    const struct yaml_node *node = yaml_map_find(root, section);
    yaml_report_error(report, node == NULL ? 0 : node->line, node == NULL ? 0 : node->column, "%s%s", message,
                      detail);
}

/* One process must not be able to touch another: no two share a user. */
static void check_uids(const struct gateway_config *config, const struct yaml_node *root,
                       struct yaml_report *report)
{
    const uint32_t services[] = {config->uids.signer, config->uids.recorder, config->uids.pam,
                                 config->uids.dial, config->uids.token};
    const uint64_t first = config->uids.sessions_first;
    const uint64_t end = first + config->uids.sessions_count;
    enum { NOBODY = 65534 };
    if (end > UINT32_MAX) {
        report_at(report, root, "uids", "the users of sessions go beyond the largest user id", "");
    }
    if (first <= NOBODY && NOBODY < end) {
        report_at(report, root, "uids", "the users of sessions hold 65534 (nobody), which others use", "");
    }
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        bool is_shared = services[i] >= first && services[i] < end;
        for (size_t j = 0; j < i; j++) {
            is_shared = is_shared || services[i] == services[j];
        }
        if (is_shared) {
            report_at(report, root, "uids", "two processes have the same user; each needs its own", "");
            return;
        }
        if (services[i] == NOBODY) {
            report_at(report, root, "uids", "65534 (nobody) is shared with others; choose another user", "");
        }
    }
    if (config->limits.max_connections > config->uids.sessions_count) {
        report_at(report, root, "limits", "\"max_connections\" is larger than \"uids: sessions_count\"", "");
    }
}

static void check_limits(const struct gateway_config *config, const struct yaml_node *root,
                         struct yaml_report *report)
{
    if (config->limits.per_source > config->limits.max_connections ||
        config->limits.startups > config->limits.max_connections) {
        report_at(report, root, "limits",
                  "\"per_source\" and \"startups\" cannot be larger than \"max_connections\"", "");
    }
    if (config->times.banner_s > config->times.kex_s || config->times.kex_s > config->times.auth_s ||
        config->times.factor_s > config->times.auth_s) {
        report_at(
            report, root, "times",
            "\"banner\" must not be longer than \"kex\", and \"kex\" and \"factor\" not longer than \"auth\"",
            "");
    }
}

/* Two purposes with one file: a key that signs two kinds of things can be used to pass one for the other, and
 * a recording folder inside another would be searched twice. */
static void check_paths(const struct gateway_config *config, const struct yaml_node *root,
                        struct yaml_report *report)
{
    const char *const keys[] = {config->keys.host,    config->keys.inner, config->keys.user_ca,
                                config->keys.host_ca, config->keys.db_ca, config->keys.log};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(keys[i], keys[j]) == 0) {
                report_at(report, root, "keys", "each key needs a file of its own: ", keys[i]);
            }
        }
    }
    const char *const folders[] = {config->keys_dir, config->state_dir, config->recordings_dir,
                                   config->evidence_dir};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(folders[i], folders[j]) == 0) {
                report_at(report, root, "state_dir", "two of the folders are the same: ", folders[i]);
            }
        }
    }
}

static void check_listen(const struct gateway_config *config, const struct yaml_node *root,
                         struct yaml_report *report)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct config_listen *a = &config->listen[i];
            const struct config_listen *b = &config->listen[j];
            if (a->port == b->port && network_contains(&a->address, &b->address)) {
                char text[NETWORK_TEXT_BYTES];
                report_at(report, root, "listen",
                          "an address is listed twice: ", network_text(&a->address, text));
            }
        }
    }
}

void config_check(const struct gateway_config *config, const struct yaml_node *root,
                  struct yaml_report *report)
{
    check_uids(config, root, report);
    check_limits(config, root, report);
    check_paths(config, root, report);
    check_listen(config, root, report);
}
