/* MySQL's side of database_fuzz.h: a login. */
#ifndef TESTS_MY_FUZZ_H
#define TESTS_MY_FUZZ_H

#include "database_fuzz.h"

#define MY_FUZZ_FEED(fuzz, side, literal)                                                                    \
    database_fuzz_feed(fuzz, side, cursor_of(literal, sizeof(literal) - 1))

/** A login by mysql_native_password; both sides without CLIENT_DEPRECATE_EOF unless `has_no_eof`. */
static inline void my_fuzz_login(struct database_fuzz *fuzz, bool has_no_eof)
{
    MY_FUZZ_FEED(fuzz, DB_TARGET,
                 "\x4b\0\0\0\x0a"
                 "10.11.6\0"
                 "\7\0\0\0abcdefgh\0\xff\xff\x21\2\0\xff\x01\x15\0\0\0\0\0\0\0\0\0\0"
                 "ijklmnopqrst\0"
                 "mysql_native_password\0");
    if (has_no_eof) {
        MY_FUZZ_FEED(fuzz, DB_CLIENT,
                     "\x24\0\0\1\0\x82\2\1\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                     "u1\0\0");
    } else {
        MY_FUZZ_FEED(fuzz, DB_CLIENT,
                     "\x24\0\0\1\0\x82\2\0\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                     "u1\0\0");
    }
    MY_FUZZ_FEED(fuzz, DB_TARGET, "\7\0\0\3\0\0\0\2\0\0\0");
    assert(db_relay_end(fuzz->relay, NULL) == DB_END_NONE);
}

#endif
