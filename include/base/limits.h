/* Every maximum that more than one room must agree on has one name here, with its reason. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

enum {
    LIMIT_PERSON_BYTES = 33,  /* a person's name and its NUL */
    LIMIT_ACCOUNT_BYTES = 33, /* a Unix account on a target and its NUL: useradd(8) allows 32 */
    LIMIT_DB_NAME_BYTES =
        65, /* a user or a database, and a NUL: PostgreSQL has 63 bytes, MySQL 64 characters */
    LIMIT_HOST_BYTES = 254,   /* RFC 1035 2.3.4 allows 253 visible bytes; and a NUL */
    LIMIT_ADDRESS_BYTES = 64, /* the longest text of an IPv6 address with zone, and a NUL */
    LIMIT_PRINCIPALS_BYTES =
        1024,                   /* all principals of a person's certificate, as strings: two dozen and more */
    LIMIT_SENTENCE_BYTES = 512, /* one sentence for an engineer or operator, and a NUL */
    LIMIT_SID_BYTES = 16,       /* a session id: random, so it says nothing and cannot be guessed */
    LIMIT_KEY_BLOB_BYTES = 4096,       /* an RSA-16384 public key is 2,071 bytes, a certificate adds ~1 KiB */
    LIMIT_SIGNATURE_BYTES = 2560,      /* RSA-16384 is 2,048 bytes, plus names and security key fields */
    LIMIT_AUTH_TRIES = 3,              /* failed proofs per connection */
    LIMIT_AUTH_PROBES = 20,            /* unsigned key offers per connection: an agent may hold many keys */
    LIMIT_COMMANDS_PER_CONNECTION = 4, /* of the bastion itself, at once: people type one */
    LIMIT_COMMAND_BYTES = 512,         /* `ssh bastion WORDS` */
    LIMIT_ACCESSES_PER_CONNECTION = 32,       /* targets open at once on one connection: pools of databases */
    LIMIT_CHANNELS_PER_ACCESS = 16,           /* RFC 4254 channels open at once towards one target */
    LIMIT_PACKET_PAYLOAD_BYTES = 65536 + 512, /* the largest SSH packet payload that we accept or make */
    LIMIT_LOGIN_PAYLOAD_BYTES = 35000, /* the same before the login: RFC 4253 section 6.1 asks for no more */
    LIMIT_RECORD_BODY_BYTES = 65536,   /* the largest body of one record towards the recorder */
    LIMIT_UNDURABLE_BYTES = 4194304, /* how far a session may be ahead of the disk before it stops reading */
};

#endif
