#include "unit_test.h"

#include <stdio.h>
#include <string.h>

#include "base/queue.h"
#include "redact.h"

static const struct row {
    enum db_protocol protocol;
    const char *text, *redacted; /* NULL: nothing in it is a secret */
} ROWS[] = {
    {DB_POSTGRES, "select 1", NULL},
    {DB_POSTGRES, "", NULL},
    {DB_POSTGRES, "alter role bob password 'secret'", "alter role bob password '***'"},
    {DB_POSTGRES, "ALTER USER bob WITH ENCRYPTED PASSWORD 'se''cret' VALID UNTIL '2030-01-01'",
     "ALTER USER bob WITH ENCRYPTED PASSWORD '***' VALID UNTIL '***'"},
    {DB_POSTGRES, "create role bob login password\n  E'a\\'b'; select 'x'",
     "create role bob login password\n  '***'; select 'x'"},
    {DB_POSTGRES, "create role bob password $$secret$$", "create role bob password '***'"},
    {DB_POSTGRES, "create role bob password $q$sec$$ret$q$ login", "create role bob password '***' login"},
    {DB_POSTGRES, "alter role bob password null", NULL},
    {DB_POSTGRES, "alter role bob /* it's */ password -- it's\n 'x'",
     "alter role bob /* it's */ password -- it's\n '***'"},
    {DB_POSTGRES, "create user mapping for bob server s options (user 'u', password 'p')",
     "create user mapping for bob server s options (user 'u', password '***')"},
    {DB_POSTGRES, "alter user mapping for bob server s options (set password 'p')",
     "alter user mapping for bob server s options (set password '***')"},
    {DB_POSTGRES, "create subscription s connection 'host=h user=u password=p' publication p",
     "create subscription s connection '***' publication p"},
    {DB_POSTGRES, "create subscription s connection 'service=x' publication p",
     "create subscription s connection '***' publication p"},
    {DB_POSTGRES, "select * from dblink('host=h password = p', 'select 1')",
     "select * from dblink('***', 'select 1')"},
    {DB_POSTGRES, "select dblink_connect('postgresql://u:p@h/db')", "select dblink_connect('***')"},
    {DB_POSTGRES, "select 'https://example.com/a:b'", NULL},
    {DB_POSTGRES, "do $$ begin execute 'alter role r password ''x'''; perform 'y'; end $$",
     "do $$ begin execute '***'; perform 'y'; end $$"},
    {DB_POSTGRES, "do $$ begin alter role r password 'x'; end $$",
     "do $$ begin alter role r password '***'; end $$"},
    {DB_POSTGRES, "select * from users where password = 'x' and name = 'bob'",
     "select * from users where password = '***' and name = 'bob'"},
    {DB_POSTGRES, "select f(password => U&'x' 'y', 'z')", "select f(password => U&'***' '***', 'z')"},
    {DB_POSTGRES, "alter role bob password U&'x' uescape '!'",
     "alter role bob password U&'***' uescape '***'"},
    {DB_POSTGRES, "alter system set primary_conninfo = 'host=h password=x'",
     "alter system set primary_conninfo = '***'"},
    /* A word in a comment, or far from a literal, hides nothing. */
    {DB_POSTGRES, "delete from t where a = 'x' -- password", NULL},
    {DB_POSTGRES, "select 'x' as password, 'y'", NULL},
    {DB_POSTGRES, "select password from t where name = 'bob'", NULL},
    {DB_POSTGRES, "insert into t (name, password) values ('bob', 'x')", NULL},
    {DB_POSTGRES, "select \"password\" from t where a = 'x'", NULL},
    /* The end was cut off. */
    {DB_POSTGRES, "alter role bob password 'sec", "alter role bob password '***'"},
    {DB_POSTGRES, "alter role bob password $$sec", "alter role bob password '***'"},
    {DB_MYSQL, "select 1", NULL},
    {DB_MYSQL, "create user 'bob'@'%' identified by 'x'", "create user 'bob'@'%' identified by '***'"},
    {DB_MYSQL, "alter user bob identified with ed25519 by \"a\\\"b\" replace 'old'",
     "alter user bob identified with ed25519 by '***' replace '***'"},
    {DB_MYSQL, "alter user bob identified with 'plugin' as 0xABCD",
     "alter user bob identified with '***' as '***'"},
    {DB_MYSQL, "grant all on *.* to bob identified by 'x' with grant option",
     "grant all on *.* to bob identified by '***' with grant option"},
    {DB_MYSQL, "set password for 'bob'@'%' = 'x'", "set password for '***'@'***' = '***'"},
    {DB_MYSQL, "SET PASSWORD = PASSWORD('x')", "SET PASSWORD = PASSWORD('***')"},
    {DB_MYSQL, "change master to master_host='h', master_password='x'",
     "change master to master_host='h', master_password='***'"},
    {DB_MYSQL, "create server s foreign data wrapper mysql options (user 'u', password 'x')",
     "create server s foreign data wrapper mysql options (user 'u', password '***')"},
    {DB_MYSQL, "create user bob /*!50000 identified by 'x' */",
     "create user bob /*!50000 identified by '***' */"},
    {DB_MYSQL, "select 1 # it's a password\n, 'x'", NULL},
};

static void texts_lose_their_secrets_and_nothing_else(void **state)
{
    (void)state;
    struct queue scratch;
    queue_init(&scratch, 1 << 16);
    unsigned failed = 0;
    for (size_t i = 0; i < COUNT_OF(ROWS); i++) {
        struct cursor redacted;
        bool is_secret = false;
        assert_int_equal(
            db_redact(ROWS[i].protocol, cursor_of_text(ROWS[i].text), &scratch, &redacted, &is_secret),
            ERR_NONE);
        const char *expected = ROWS[i].redacted != NULL ? ROWS[i].redacted : ROWS[i].text;
        if (is_secret != (ROWS[i].redacted != NULL) || !cursor_equal_text(redacted, expected)) {
            (void)fprintf(stderr, "expected %s\ngot      %.*s\n", expected, (int)cursor_len(&redacted),
                          (const char *)redacted.at);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
    queue_done(&scratch);
}

/* However a text is cut, no part of a secret is left of it. */
static void cut_texts_lose_their_secrets_too(void **state)
{
    (void)state;
    static const char TEXT[] = "alter role bob password 'SECRET'; select 1";
    struct queue scratch;
    queue_init(&scratch, 1 << 12);
    for (size_t len = 0; len < sizeof TEXT; len++) {
        struct cursor redacted;
        bool is_secret = false;
        assert_int_equal(db_redact(DB_POSTGRES, cursor_of(TEXT, len), &scratch, &redacted, &is_secret),
                         ERR_NONE);
        if (cursor_len(&redacted) > 0) {
            assert_null(memchr(redacted.at, 'S', cursor_len(&redacted)));
        }
    }
    queue_done(&scratch);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(texts_lose_their_secrets_and_nothing_else),
        cmocka_unit_test(cut_texts_lose_their_secrets_too),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
