#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_test.h"

static enum err load(const char *text, struct yaml_report *report, struct gateway_config *ret)
{
    return config_load(cursor_of_text(text), "b.yaml", report, ret);
}

/* The least that is a map: every key may be left out, the file may not be empty. */
static const char LEAST[] = "pam: { service: bastion }\n";

static void config_example_is_the_defaults(void **state)
{
    (void)state;
    enum { FILE_BYTES = 1 << 16 };
    char *text = calloc(1, FILE_BYTES);
    FILE *file = fopen("config/bastiond.yaml", "rb");
    assert_non_null(text);
    assert_non_null(file);
    assert_true(fread(text, 1, FILE_BYTES - 1, file) > 0);
    (void)fclose(file);
    struct yaml_report report;
    struct gateway_config example;
    struct gateway_config least;
    memset(&example, 0, sizeof example);
    memset(&least, 0, sizeof least);
    if (load(text, &report, &example) != ERR_NONE) {
        char line[YAML_LINE_BYTES];
        fail_msg("%s", yaml_report_line(&report, 0, line));
    }
    assert_int_equal(report.count, 0);
    assert_int_equal(load(LEAST, &report, &least), ERR_NONE);
    assert_int_equal(example.listen_count, 2);
    assert_int_equal(example.listen_count, least.listen_count);
    for (size_t i = 0; i < least.listen_count; i++) {
        assert_int_equal(example.listen[i].port, least.listen[i].port);
        assert_true(network_contains(&example.listen[i].address, &least.listen[i].address));
    }
    const char *const pairs[][2] = {
        {example.policy, least.policy},
        {example.keys_dir, least.keys_dir},
        {example.people_file, least.people_file},
        {example.known_hosts_dir, least.known_hosts_dir},
        {example.state_dir, least.state_dir},
        {example.recordings_dir, least.recordings_dir},
        {example.evidence_dir, least.evidence_dir},
        {example.recipients, least.recipients},
        {example.events, least.events},
        {example.libexec_dir, least.libexec_dir},
        {example.keys.host, least.keys.host},
        {example.keys.inner, least.keys.inner},
        {example.keys.user_ca, least.keys.user_ca},
        {example.keys.host_ca, least.keys.host_ca},
        {example.keys.db_ca, least.keys.db_ca},
        {example.keys.log, least.keys.log},
        {example.public_name, least.public_name},
        {example.pam.service, least.pam.service},
        {example.pam.confdir, least.pam.confdir},
        {example.pam.writable[0], least.pam.writable[0]},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        assert_string_equal(pairs[i][0], pairs[i][1]);
    }
    assert_true(example.min_free_bytes == least.min_free_bytes && least.min_free_bytes == 1ULL << 30);
    assert_memory_equal(&example.uids, &least.uids, sizeof least.uids);
    assert_memory_equal(&example.limits, &least.limits, sizeof least.limits);
    assert_memory_equal(&example.times, &least.times, sizeof least.times);
    free(text);
}

static void config_values_are_taken(void **state)
{
    (void)state;
    struct yaml_report report;
    struct gateway_config config;
    assert_int_equal(
        load("listen: [\"127.0.0.1:2022\", \"[::1]:22\"]\npolicy: /p/x.yaml\nlibexec_dir: /l\n"
             "other_names: [bastion, 10.0.0.1]\npam: { confdir: /c }\nsource_address: "
             "198.51.100.7\nmin_free: 2MiB\n"
             "uids: { sessions_first: 70000, sessions_count: 10 }\n"
             "limits: { max_connections: 10, per_source: 5, startups: 4 }\ntimes: { auth: 5m }\n",
             &report, &config),
        ERR_NONE);
    assert_int_equal(config.listen_count, 2);
    assert_int_equal(config.listen[0].port, 2022);
    assert_int_equal(config.listen[1].address.family, 6);
    assert_string_equal(config.policy, "/p/x.yaml");
    assert_string_equal(config.known_hosts_dir, "/p");
    assert_string_equal(config.libexec_dir, "/l");
    assert_string_equal(config.pam.confdir, "/c");
    assert_int_equal(config.other_names_count, 2);
    assert_string_equal(config.other_names[1], "10.0.0.1");
    assert_int_equal(config.source, CONFIG_SOURCE_FIXED);
    char text[NETWORK_TEXT_BYTES];
    assert_string_equal(network_text(&config.source_address, text), "198.51.100.7");
    assert_int_equal(config.min_free_bytes, 2 << 20);
    assert_int_equal(config.uids.signer, 64001);
    assert_int_equal(config.uids.sessions_first, 70000);
    assert_int_equal(config.times.auth_s, 300);
    assert_int_equal(config.times.banner_s, 10);
    assert_int_equal(config.times.alive_s, 180);
    assert_int_equal(load("source_address: none\npolicy: /x.yaml\n", &report, &config), ERR_NONE);
    assert_int_equal(config.source, CONFIG_SOURCE_NONE);
    assert_string_equal(config.known_hosts_dir, "/");
}

static void config_mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line;
    } ROWS[] = {
        {"", "b.yaml: the file is empty"},
        {"other_names: bastion\n", "b.yaml:1:14: \"other_names\" must be a list"},
        {"other_names: [bastion, \"*\"]\n",
         "b.yaml:1:24: an item of \"other_names\" must be a host name or an address"},
        {"other_names: [a, b, c, d, e, f, g]\n", "b.yaml:1:14: these are more than 6 names"},
        {"lisen: [x]\n", "b.yaml:1:1: the configuration has no key \"lisen\"; did you mean \"listen\"?"},
        {"listen: []\n", "b.yaml:1:9: \"listen\" must be a list that is not empty"},
        {"listen: \"0.0.0.0:22\"\n", "b.yaml:1:9: \"listen\" must be a list, such as [a, b]"},
        {"listen: [\"0.0.0.0\"]\n", "b.yaml:1:10: an item of \"listen\" must be an address and a port"},
        {"listen: [\"0.0.0.0:0\"]\n", "b.yaml:1:10: an item of \"listen\" must be an address and a port"},
        {"listen: [\"0.0.0.0:65536\"]\n", "b.yaml:1:10: an item of \"listen\""},
        {"listen: [\"::1:22\"]\n", "b.yaml:1:10: an item of \"listen\""},
        {"listen: [\"[0.0.0.0]:22\"]\n", "b.yaml:1:10: an item of \"listen\""},
        {"listen: [\"bastion:22\"]\n", "b.yaml:1:10: an item of \"listen\""},
        {"listen: [\"0.0.0.0:22\", \"0.0.0.0:22\"]\n", "b.yaml:1:9: an address is listed twice: 0.0.0.0"},
        {"policy: policy.yaml\n", "b.yaml:1:9: \"policy\" must be an absolute path"},
        {"policy: /etc/../x\n", "b.yaml:1:9: \"policy\" must be an absolute path"},
        {"source_address: eth0\n",
         "b.yaml:1:17: \"source_address\" must be auto, none or one numeric address"},
        {"source_address: 10.0.0.0/8\n",
         "b.yaml:1:17: \"source_address\" must be auto, none or one numeric address"},
        {"min_free: 0\n", "b.yaml:1:11: \"min_free\" must be a size from 1048576 to"},
        {"public_name: bastion.example.com:22x/\n", "b.yaml:1:14: \"public_name\" must be a host name"},
        {"public_name: [x]\n", "b.yaml:1:14: \"public_name\" must be a host name"},
        {"pam: { writable: /x }\n", "b.yaml:1:18: "},
        {"pam: { writable: [x] }\n", "b.yaml:1:19: an item of \"writable\" must be an absolute path"},
        {"pam: { service: ../x }\n", "b.yaml:1:17: \"service\" must be the name of a PAM service"},
        {"pam: { service: [x] }\n", "b.yaml:1:17: \"service\" must be the name of a PAM service"},
        {"keys: { hsot: /x }\n", "b.yaml:1:9: \"keys\" has no key \"hsot\"; did you mean \"host\"?"},
        {"keys: { host: /x, inner: /x }\n", "b.yaml:1:7: each key needs a file of its own: /x"},
        {"state_dir: /x\nevidence_dir: /x\n", "b.yaml:1:12: two of the folders are the same: /x"},
        {"uids: { signer: 0 }\n", "b.yaml:1:17: \"signer\" must be a number from 1 to 2147483647"},
        {"uids: { signer: root }\n", "b.yaml:1:17: \"signer\" must be a number"},
        {"uids: { signer: 7, dial: 7 }\n",
         "b.yaml:1:7: two processes have the same user; each needs its own"},
        {"uids: { signer: 64100 }\n", "b.yaml:1:7: two processes have the same user; each needs its own"},
        {"uids: { signer: 65534 }\n", "b.yaml:1:7: 65534 (nobody) is shared with others"},
        {"uids: { sessions_count: 1435 }\n", "b.yaml:1:7: the users of sessions hold 65534 (nobody)"},
        {"uids: { sessions_count: 0 }\n", "b.yaml:1:25: \"sessions_count\" must be a number from 1 to 65536"},
        {"limits: { max_connections: 1025 }\n",
         "b.yaml:1:9: \"max_connections\" is larger than \"uids: sessions_count\""},
        {"limits: { per_source: 513 }\n", "b.yaml:1:9: \"per_source\" and \"startups\" cannot be larger"},
        {"times: { banner: 31s }\n", "b.yaml:1:8: \"banner\" must not be longer than \"kex\""},
        {"times: { auth: 0s }\n", "b.yaml:1:16: \"auth\" must be a time from 10s to 3600s"},
        {"times: { auth: 120 }\n", "b.yaml:1:16: \"auth\" must be a time such as"},
        {"limits: [1]\n", "b.yaml:1:9: \"limits\" must be a map"},
    };
    unsigned failed = 0;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct yaml_report report;
        struct gateway_config config = {.listen_count = 77};
        char line[YAML_LINE_BYTES] = "";
        enum err err = load(ROWS[i].text, &report, &config);
        bool is_right = err == ERR_MALFORMED && config.listen_count == 77 && report.count > 0 &&
                        strstr(yaml_report_line(&report, 0, line), ROWS[i].line) != NULL;
        if (!is_right) {
            print_message("row %zu: %s: %s\n", i, ROWS[i].text, line);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void config_last_good_session_user_is_accepted(void **state)
{
    (void)state;
    struct yaml_report report;
    struct gateway_config config;
    assert_int_equal(load("uids: { sessions_count: 1434 }\n", &report, &config), ERR_NONE);
    assert_int_equal(load("uids: { sessions_first: 65535 }\n", &report, &config), ERR_NONE);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(config_example_is_the_defaults),
        cmocka_unit_test(config_values_are_taken),
        cmocka_unit_test(config_mistakes_are_told_with_their_place),
        cmocka_unit_test(config_last_good_session_user_is_accepted),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
