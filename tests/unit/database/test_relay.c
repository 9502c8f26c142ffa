#include "database/relay.h"

#include "unit_test.h"

static enum err record_nothing(void *owner, uint8_t kind, struct cursor head, struct cursor body)
{
    (void)owner;
    (void)kind;
    (void)head;
    (void)body;
    return ERR_NONE;
}

static enum err keep_no_key(void *owner, struct cursor key)
{
    (void)owner;
    (void)key;
    return ERR_NONE;
}

static const struct db_owner OWNER = {.record = record_nothing, .cancel_key = keep_no_key};

static void protocol_not_built_in_is_not_found(void **state)
{
    (void)state;
    struct db_relay *relay = NULL;
    const struct db_config none = {.protocol = (enum db_protocol)0};
    const struct db_config beyond = {.protocol = (enum db_protocol)3};
    assert_int_equal(db_relay_new(&none, &OWNER, &relay), ERR_NOT_FOUND);
    assert_int_equal(db_relay_new(&beyond, &OWNER, &relay), ERR_NOT_FOUND);
    assert_null(relay);
    db_relay_free(relay);
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(protocol_not_built_in_is_not_found),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
