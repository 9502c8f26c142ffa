/* A login at PostgreSQL, for the fuzzers of what follows it. */
#ifndef TESTS_PG_FUZZ_H
#define TESTS_PG_FUZZ_H

#include "database_fuzz.h"

/** Without a password, whatever the bits say of logins. */
static inline void pg_fuzz_login(struct database_fuzz *fuzz, uint8_t bits)
{
    static const uint8_t STARTUP[] = "\0\0\0\x10\0\3\0\0user\0u\0";
    static const uint8_t READY[] = "R\0\0\0\x08\0\0\0\0Z\0\0\0\5I";
    database_fuzz_begin(fuzz, DB_POSTGRES, bits & (uint8_t) ~(DATABASE_FUZZ_ASK | DATABASE_FUZZ_TOKEN));
    database_fuzz_feed(fuzz, DB_TARGET, cursor_of_text("S"));
    database_fuzz_feed(fuzz, DB_CLIENT, cursor_of(STARTUP, sizeof STARTUP));
    database_fuzz_feed(fuzz, DB_TARGET, cursor_of(READY, sizeof READY - 1));
}

#endif
