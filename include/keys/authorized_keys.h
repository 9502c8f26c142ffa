/* The keys of one person: a file in the format of sshd(8) "AUTHORIZED_KEYS FILE FORMAT".
 * Options that are honoured: from="...", expiry-time="...", verify-required, no-touch-required; and those
 * that take something away (restrict, no-pty, ...), with those that give it back. A line with any other
 * option is not used, and says so: an option that nobody enforces would promise something. */
#ifndef KEYS_AUTHORIZED_KEYS_H
#define KEYS_AUTHORIZED_KEYS_H

#include "keys/blob.h"
#include "keys/complaints.h"

enum {
    KEYS_AUTHORIZED_FILE_BYTES = 65536, /* most bytes of one person's file */
    KEYS_AUTHORIZED_LINE_BYTES = 16384, /* most bytes of one line; an RSA-16384 key needs 2.8 KiB */
    KEYS_COMMENT_BYTES = 64,
};

/** What a line takes away from what the policy gives, as bits. */
enum keys_lacks {
    KEYS_LACKS_PTY = 1,     /* no terminal */
    KEYS_LACKS_AGENT = 2,   /* no forwarding of the agent */
    KEYS_LACKS_X11 = 4,     /* ... of X11 */
    KEYS_LACKS_FORWARD = 8, /* ... of ports and sockets; so no target that is nothing but a forward */
    KEYS_LACKS_ALL = 15,
};

/** The line that admits a key. */
struct keys_authorization {
    unsigned line; /* 1 for the first */
    enum keys_type type;
    bool is_verify_required;          /* sk only: the token must have asked for PIN or fingerprint */
    bool is_touch_not_required;       /* sk only */
    int64_t expires_s;                /* seconds since 1970; 0: never */
    unsigned lacks;                   /* enum keys_lacks */
    char comment[KEYS_COMMENT_BYTES]; /* printable, cut; empty if there is none */
};

/** Find the line that admits `key_blob`, used from address `from` at `now_s`. As in sshd, the first line that
 * admits wins: a key that expired in one line may be good in another.
 *  @param from        numeric address of the person
 *  @param complaints  gets every line of the file that cannot be used, whatever the result; and, on
 * ERR_DENIED, why the lines with this key did not admit it
 *  @return ERR_NOT_FOUND: no usable line has this key; ERR_DENIED: a line has it, but its conditions do not
 * hold now; ERR_TOO_LARGE over 64 KiB. */
MUST_CHECK enum err keys_authorized_find(struct cursor file, struct cursor key_blob, const char *from,
                                         int64_t now_s, struct keys_authorization *ret,
                                         struct keys_complaints *complaints);
/** Judge a file without a person at the door, for `bastion policy check`.
 *  @param ret_usable_count  lines that could admit a key at `now_s` from some address
 *  @return ERR_TOO_LARGE over 64 KiB. */
MUST_CHECK enum err keys_authorized_check(struct cursor file, int64_t now_s, unsigned *ret_usable_count,
                                          struct keys_complaints *complaints);
/** After the signature was verified: are the token's flags good enough for this line? Always true for keys
 * without a token. Touch is needed unless the line says no-touch-required; PIN or fingerprint where it says
 * verify-required. */
bool keys_authorization_admits(const struct keys_authorization *authorization, uint8_t sk_flags);

#endif
