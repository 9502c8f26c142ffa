/* Which text a name stands for. Who could make the relay believe a wrong one could run a text under another's
 * name. */
#include "pg_names.h"
#include "pg_talk.h"

static struct talk talk;

static void begin(void)
{
    talk_begin(&talk, (struct db_config){0});
    talk_login(&talk);
    talk_log_is(&talk, LOGIN_LOG);
}

static void parse(const char *name, const char *text)
{
    CLIENT(&talk, 'P', "ssh", name, text, 0);
}

static void bind_to(const char *portal, const char *statement)
{
    CLIENT(&talk, 'B', "sshhh", portal, statement, 0, 0, 0);
}

static void execute(const char *portal)
{
    CLIENT(&talk, 'E', "si", portal, 0U);
}

static void sync_with(const char *answers, char status)
{
    CLIENT(&talk, 'S', "");
    for (; *answers != 0; answers++) {
        if (*answers == 'C') {
            TARGET(&talk, 'C', "s", "SELECT 0");
        } else if (*answers == 'E') {
            TARGET(&talk, 'E', "bsbsb", 'C', "XX000", 'M', "no", 0);
        } else {
            TARGET(&talk, *answers, "");
        }
    }
    TARGET(&talk, 'Z', "b", status);
}

static void query(const char *text, const char *tag)
{
    CLIENT(&talk, 'Q', "s", text);
    TARGET(&talk, 'C', "s", tag);
    TARGET(&talk, 'Z', "b", 'T');
}

/* The log has that line, apart from its times. */
static void expect_line(const char *line)
{
    if (strstr(talk.log, line) == NULL) {
        (void)fprintf(stderr, "missing %s\nin\n%s", line, talk.log);
        fail();
    }
    talk.log_bytes = 0;
    talk.log[0] = 0;
}

static void end(void)
{
    assert_int_equal(db_relay_end(talk.relay, NULL), DB_END_NONE);
    talk_end(&talk);
}

static void failed_parse_leaves_the_older_text(void **state)
{
    (void)state;
    begin();
    parse("s", "first");
    sync_with("1", 'I');
    parse("s", "second");
    parse("s", "third");
    sync_with("E", 'I');
    bind_to("", "s");
    expect_line("4 execute of=1 ");
    end();
}

static void failed_bind_leaves_the_older_portal(void **state)
{
    (void)state;
    begin();
    parse("s", "first");
    bind_to("p", "s");
    sync_with("12", 'T');
    bind_to("p", "s");
    sync_with("E", 'E');
    query("rollback to a", "ROLLBACK");
    execute("p");
    sync_with("C", 'T');
    expect_line("\n2 done tx=T");
    end();
}

static void failed_close_leaves_the_text(void **state)
{
    (void)state;
    begin();
    parse("s", "first");
    sync_with("1", 'I');
    CLIENT(&talk, 'D', "bs", 'S', "nothing");
    CLIENT(&talk, 'C', "bs", 'S', "s");
    sync_with("E", 'I');
    bind_to("", "s");
    expect_line("3 execute of=1 ");
    end();
}

static void deallocated_name_stands_for_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *tag, *line_of_s, *line_of_t;
    } CASES[] = {
        {"deallocate s", "DEALLOCATE", "4 execute of=0", "5 execute of=2"},
        {" DEALLOCATE PREPARE \"s\" ; ", "DEALLOCATE", "4 execute of=0", "5 execute of=0"},
        {"select 1; deallocate s", "DEALLOCATE", "4 execute of=0", "5 execute of=0"},
        {"deallocate all", "DEALLOCATE ALL", "4 execute of=0", "5 execute of=0"},
        {"discard all", "DISCARD ALL", "4 execute of=0", "5 execute of=0"},
        {"select 1", "SELECT 1", "4 execute of=1", "5 execute of=2"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        begin();
        parse("s", "first");
        parse("t", "other");
        sync_with("11", 'I');
        query(CASES[i].text, CASES[i].tag);
        bind_to("", "s");
        expect_line(CASES[i].line_of_s);
        bind_to("", "t");
        expect_line(CASES[i].line_of_t);
        end();
    }
}

/* The answer to what may change the name is not there yet. */
static void name_that_may_be_changed_under_way_is_not_trusted(void **state)
{
    (void)state;
    begin();
    parse("s", "first");
    sync_with("1", 'I');
    CLIENT(&talk, 'Q', "s", "deallocate s; prepare s as delete from t");
    bind_to("", "s");
    expect_line("3 execute of=0 bytes=0 name=s ");
    execute("");
    expect_line("4 execute of=0 ");
    TARGET(&talk, 'C', "s", "DEALLOCATE");
    TARGET(&talk, 'C', "s", "PREPARE");
    TARGET(&talk, 'Z', "b", 'I');
    sync_with("2C", 'I');
    bind_to("", "s");
    expect_line("5 execute of=0 bytes=0 name=s ");
    end();
}

static void only_statements_that_change_names_make_them_untrusted(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line;
    } CASES[] = {
        {"select closed_at, 'x' from discarded", "3 execute of=1 "},
        {"select a.close from declared", "3 execute of=1 "},
        {"/* x */ CLOSE c", "3 execute of=0 "},
        {"-- x\n discard all", "3 execute of=0 "},
        {"select 1;declare c cursor for select 1", "3 execute of=0 "},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        begin();
        parse("s", "first");
        sync_with("1", 'I');
        CLIENT(&talk, 'Q', "s", CASES[i].text);
        bind_to("", "s");
        expect_line(CASES[i].line);
        end();
    }
}

/* A Parse that stood behind a DEALLOCATE and failed does not bring back what the DEALLOCATE dropped. */
static void failed_parse_behind_a_deallocate_brings_nothing_back(void **state)
{
    (void)state;
    begin();
    parse("s", "first");
    sync_with("1", 'I');
    CLIENT(&talk, 'Q', "s", "deallocate s");
    parse("s", "syntax error");
    CLIENT(&talk, 'S', "");
    TARGET(&talk, 'C', "s", "DEALLOCATE");
    TARGET(&talk, 'Z', "b", 'I');
    TARGET(&talk, 'E', "bsbsb", 'C', "42601", 'M', "no", 0);
    TARGET(&talk, 'Z', "b", 'I');
    bind_to("", "s");
    expect_line("4 execute of=0 ");
    end();
}

static void cursor_of_sql_is_not_taken_for_an_older_portal(void **state)
{
    (void)state;
    begin();
    parse("s", "first");
    bind_to("c", "s");
    sync_with("12", 'T');
    query("close c", "CLOSE CURSOR");
    query("declare c cursor for select secret", "DECLARE CURSOR");
    execute("c");
    expect_line("5 execute of=0 bytes=0 name=c ");
    end();
}

static void portal_ends_with_its_transaction(void **state)
{
    (void)state;
    begin();
    parse("s", "first");
    bind_to("p", "s");
    sync_with("12", 'I');
    execute("p");
    expect_line("3 execute of=0 bytes=0 name=p ");
    end();
}

/* The server compares 63 bytes of a name. */
static void long_names_are_compared_as_the_server_does(void **state)
{
    (void)state;
    begin();
    parse("x23456789012345678901234567890123456789012345678901234567890123A", "first");
    sync_with("1", 'I');
    bind_to("", "x23456789012345678901234567890123456789012345678901234567890123B");
    expect_line("2 execute of=1 ");
    end();
}

static void names_are_bounded_and_the_oldest_is_forgotten(void **state)
{
    (void)state;
    struct pg_names names = {0};
    char text[16];
    uint32_t slot = PG_NO_SLOT;
    for (unsigned i = 0; i < PG_NAMES_MAX + 100; i++) {
        (void)snprintf(text, sizeof text, "s%u", i);
        assert_int_equal(pg_names_slot(&names, cursor_of_text(text), &slot), ERR_NONE);
        pg_names_at(&names, slot)->number = i + 1;
        assert_int_equal(pg_names_slot(&names, cursor_of_text("s0"), &slot),
                         ERR_NONE); /* used again and again */
    }
    assert_int_equal(names.count, PG_NAMES_MAX + 1);
    assert_int_equal(pg_names_at(&names, pg_names_find(&names, cursor_of_text("s0")))->number, 1);
    assert_int_equal(pg_names_find(&names, cursor_of_text("s1")), PG_NO_SLOT);
    assert_int_equal(pg_names_find(&names, cursor_of_text("s100")), PG_NO_SLOT);
    slot = pg_names_find(&names, cursor_of_text("s101"));
    assert_int_equal(pg_names_at(&names, slot)->number, 102);
    assert_null(pg_names_at(&names, PG_NO_SLOT));
    assert_int_equal(pg_names_find(&names, cursor_of_text("")), 0);
    pg_names_done(&names);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(failed_parse_leaves_the_older_text),
        cmocka_unit_test(failed_bind_leaves_the_older_portal),
        cmocka_unit_test(failed_close_leaves_the_text),
        cmocka_unit_test(deallocated_name_stands_for_nothing),
        cmocka_unit_test(name_that_may_be_changed_under_way_is_not_trusted),
        cmocka_unit_test(only_statements_that_change_names_make_them_untrusted),
        cmocka_unit_test(failed_parse_behind_a_deallocate_brings_nothing_back),
        cmocka_unit_test(cursor_of_sql_is_not_taken_for_an_older_portal),
        cmocka_unit_test(portal_ends_with_its_transaction),
        cmocka_unit_test(long_names_are_compared_as_the_server_does),
        cmocka_unit_test(names_are_bounded_and_the_oldest_is_forgotten),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
