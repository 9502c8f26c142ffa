#include "record/age.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/x25519.h"
#include "unit_test.h"

static const char SECRET[] = "0123456789abcdef0123456789abcdef";

struct keys {
    struct record_recipients recipients;
    struct record_identities identities;
};
static struct keys make_keys(unsigned count)
{
    struct keys keys = {.recipients.count = count, .identities.count = count};
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(crypto_x25519_generate(keys.identities.keys[i], keys.recipients.keys[i]), ERR_NONE);
    }
    return keys;
}
static size_t seal(const struct record_recipients *recipients, uint8_t *file, size_t size)
{
    struct writer out = writer_of(file, size);
    struct cursor bytes;
    assert_int_equal(record_age_seal(recipients, cursor_of_text(SECRET), &out), ERR_NONE);
    assert_int_equal(writer_done(&out, &bytes), ERR_NONE);
    return cursor_len(&bytes);
}

static void age_each_recipient_opens_and_no_other(void **state)
{
    (void)state;
    struct keys keys = make_keys(3);
    struct keys stranger = make_keys(1);
    uint8_t file[2048];
    size_t file_len = seal(&keys.recipients, file, sizeof file);
    uint8_t plain[64];
    size_t len = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct record_identities one = {.count = 1};
        memcpy(one.keys[0], keys.identities.keys[i], sizeof one.keys[0]);
        assert_int_equal(record_age_open(&one, cursor_of(file, file_len), plain, sizeof plain, &len),
                         ERR_NONE);
        assert_int_equal(len, sizeof SECRET - 1);
        assert_memory_equal(plain, SECRET, len);
    }
    assert_int_equal(
        record_age_open(&stranger.identities, cursor_of(file, file_len), plain, sizeof plain, &len),
        ERR_DENIED);
    assert_int_equal(
        record_age_open(&keys.identities, cursor_of(file, file_len), plain, sizeof SECRET - 2, &len),
        ERR_TOO_LARGE);
}

static void age_cut_or_changed_anywhere_is_refused(void **state)
{
    (void)state;
    struct keys keys = make_keys(2);
    uint8_t file[2048];
    size_t file_len = seal(&keys.recipients, file, sizeof file);
    uint8_t plain[64];
    size_t len = 0;
    for (size_t cut = 0; cut < file_len; cut++) {
        assert_int_not_equal(
            record_age_open(&keys.identities, cursor_of(file, cut), plain, sizeof plain, &len), ERR_NONE);
    }
    for (size_t i = 0; i < file_len; i++) {
        file[i] ^= 1;
        assert_int_not_equal(
            record_age_open(&keys.identities, cursor_of(file, file_len), plain, sizeof plain, &len),
            ERR_NONE);
        file[i] ^= 1;
    }
    file[file_len] = 0;
    assert_int_not_equal(
        record_age_open(&keys.identities, cursor_of(file, file_len + 1), plain, sizeof plain, &len),
        ERR_NONE);
    assert_int_equal(record_age_open(&keys.identities, cursor_of(file, file_len), plain, sizeof plain, &len),
                     ERR_NONE);
}

static void age_without_recipients_is_refused(void **state)
{
    (void)state;
    struct record_recipients nobody = {.count = 0};
    uint8_t file[2048];
    struct writer out = writer_of(file, sizeof file);
    assert_int_equal(record_age_seal(&nobody, cursor_of_text(SECRET), &out), ERR_STATE);
}

static void recipients_file_is_read_and_faults_name_their_line(void **state)
{
    (void)state;
    struct keys keys = make_keys(2);
    char texts[2][RECORD_AGE_RECIPIENT_BYTES];
    char file[512];
    char sentence[RECORD_AGE_SENTENCE_BYTES];
    struct record_recipients recipients = {.count = 0};
    for (int i = 0; i < 2; i++) {
        record_age_recipient_text(keys.recipients.keys[i], texts[i]);
        assert_int_equal(strlen(texts[i]), RECORD_AGE_RECIPIENT_BYTES - 1);
    }
    (void)snprintf(file, sizeof file, "# ours\n\n  %s \r\n%s", texts[0], texts[1]);
    assert_int_equal(record_recipients_parse(cursor_of_text(file), &recipients, sentence), ERR_NONE);
    assert_int_equal(recipients.count, 2);
    assert_memory_equal(recipients.keys, keys.recipients.keys, 64);
    char wrong[RECORD_AGE_RECIPIENT_BYTES];
    for (size_t i = 4; i < sizeof wrong - 1; i++) {
        memcpy(wrong, texts[0], sizeof wrong);
        wrong[i] = wrong[i] == 'q' ? 'p' : 'q';
        (void)snprintf(file, sizeof file, "# ours\n%s\n%s\n", texts[1], wrong);
        assert_int_equal(record_recipients_parse(cursor_of_text(file), &recipients, sentence), ERR_MALFORMED);
        assert_non_null(strstr(sentence, "line 3"));
        assert_non_null(strstr(sentence, "checksum"));
    }
    static const char *const BAD[] = {"age1", "ssh-ed25519 AAAA", "age1yubikey1qwe", "AGE1QQ", "x", "1"};
    for (size_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(record_recipients_parse(cursor_of_text(BAD[i]), &recipients, sentence),
                         ERR_MALFORMED);
        assert_non_null(strstr(sentence, "line 1"));
    }
    assert_int_equal(record_recipients_parse(cursor_of_text("# nobody\n"), &recipients, sentence),
                     ERR_NOT_FOUND);
    size_t len = 0;
    static char many[(RECORD_RECIPIENTS_MAX + 1) * RECORD_AGE_RECIPIENT_BYTES + 1];
    for (int i = 0; i <= RECORD_RECIPIENTS_MAX; i++) {
        len += (size_t)snprintf(many + len, sizeof many - len, "%s\n", texts[0]);
    }
    assert_int_equal(record_recipients_parse(cursor_of(many, len), &recipients, sentence), ERR_TOO_LARGE);
    assert_int_equal(
        record_recipients_parse(cursor_of(many, len - RECORD_AGE_RECIPIENT_BYTES), &recipients, sentence),
        ERR_NONE);
}

static size_t read_command(const char *command, uint8_t *bytes, size_t size)
{
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t got = fread(bytes, 1, size, pipe);
    assert_int_equal(pclose(pipe), 0);
    return got;
}

/* Both ways with age(1): it opens ours, we open its. */
static void age_and_stock_age_open_each_others_files(void **state)
{
    (void)state;
    if (system("command -v age age-keygen >/dev/null 2>&1") != 0) {
        skip();
    }
    char folder[] = "/tmp/age-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(setenv("R", folder, 1), 0);
    assert_int_equal(
        system("age-keygen -o $R/id 2>/dev/null && age-keygen -y $R/id > $R/recipients && "
               "printf 0123456789abcdef0123456789abcdef | age -R $R/recipients -o $R/theirs.age"),
        0);
    uint8_t bytes[2048];
    char sentence[RECORD_AGE_SENTENCE_BYTES];
    struct record_identities identities;
    struct record_recipients recipients;
    size_t len = read_command("cat $R/id", bytes, sizeof bytes);
    assert_int_equal(record_identities_parse(cursor_of(bytes, len), &identities, sentence), ERR_NONE);
    len = read_command("cat $R/recipients", bytes, sizeof bytes);
    assert_int_equal(record_recipients_parse(cursor_of(bytes, len), &recipients, sentence), ERR_NONE);
    uint8_t plain[64];
    size_t plain_len = 0;
    len = read_command("cat $R/theirs.age", bytes, sizeof bytes);
    assert_int_equal(record_age_open(&identities, cursor_of(bytes, len), plain, sizeof plain, &plain_len),
                     ERR_NONE);
    assert_int_equal(plain_len, sizeof SECRET - 1);
    assert_memory_equal(plain, SECRET, plain_len);
    len = seal(&recipients, bytes, sizeof bytes);
    char path[64];
    (void)snprintf(path, sizeof path, "%s/ours.age", folder);
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    len = read_command("age -d -i $R/id $R/ours.age", bytes, sizeof bytes);
    assert_int_equal(len, sizeof SECRET - 1);
    assert_memory_equal(bytes, SECRET, len);
    assert_int_equal(system("rm -rf $R"), 0);
    record_identities_done(&identities);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(age_each_recipient_opens_and_no_other),
        cmocka_unit_test(age_cut_or_changed_anywhere_is_refused),
        cmocka_unit_test(age_without_recipients_is_refused),
        cmocka_unit_test(recipients_file_is_read_and_faults_name_their_line),
        cmocka_unit_test(age_and_stock_age_open_each_others_files),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
