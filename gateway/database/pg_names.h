/* Which statement a name of PostgreSQL stands for: prepared statements, portals. Bounded; the name that was
 * not used for the longest time is forgotten first. */
#ifndef DATABASE_PG_NAMES_H
#define DATABASE_PG_NAMES_H

#include <stdbool.h>

#include "base/cursor.h"

enum {
    PG_NAMES_MAX = 10000,
    PG_NAME_BYTES = 64, /* NAMEDATALEN: the server compares 63 bytes and ignores the rest */
    PG_TYPES_MAX = 64,  /* types of parameters that are remembered per statement */
};
#define PG_NO_SLOT UINT32_MAX

struct pg_name {
    char name[PG_NAME_BYTES];
    uint8_t name_bytes;
    bool is_secret;     /* its text was redacted */
    bool is_unsettling; /* its text may change what names stand for */
    uint8_t type_count;
    uint32_t number;      /* of the statement that it stands for; 0: none */
    uint64_t changed_by;  /* which change made it so */
    uint32_t deallocates; /* the slot that its text `DEALLOCATE name` drops, or PG_NO_SLOT */
    uint32_t next;        /* slots: in its bucket, and in the order of use */
    uint32_t newer, older;
    uint32_t *types; /* OWNED; OIDs of the first parameters */
};
/** Embedded; {0} is empty. Slot 0 is the unnamed one. */
struct pg_names {
    struct pg_name *all; /* OWNED */
    uint32_t count, capacity;
    uint32_t *buckets; /* OWNED */
    uint32_t bucket_count;
    uint32_t newest, oldest;
};

void pg_names_done(struct pg_names *names);
/** The slot of a name, which is made when there is none. @return ERR_MEMORY. */
MUST_CHECK enum err pg_names_slot(struct pg_names *names, struct cursor name, uint32_t *ret_slot);
/** @return PG_NO_SLOT when the name is not known. */
uint32_t pg_names_find(struct pg_names *names, struct cursor name);
/** NULL for PG_NO_SLOT. */
struct pg_name *pg_names_at(struct pg_names *names, uint32_t slot);
/** Remember the OIDs of the first parameters: `types` holds `count` of 32 bits. @return ERR_MEMORY. */
MUST_CHECK enum err pg_name_set_types(struct pg_name *name, struct cursor types, uint32_t count);
/** 0 where it is not known. */
uint32_t pg_name_type(const struct pg_name *name, uint32_t index);
/** Every name stands for nothing, unless that was changed after `change`. */
void pg_names_forget(struct pg_names *names, uint64_t change);

#endif
