/* What a client answers to a server that asks for a password, plugin by plugin. */
#ifndef DATABASE_MY_PASSWORD_H
#define DATABASE_MY_PASSWORD_H

#include "base/secret.h"
#include "database/relay.h"
#include "my_wire.h"

enum my_plugin {
    MY_PLUGIN_OTHER = 0,  /* passes when the client logs in by itself */
    MY_PLUGIN_NATIVE,     /* mysql_native_password */
    MY_PLUGIN_SHA2,       /* caching_sha2_password */
    MY_PLUGIN_ED25519,    /* client_ed25519, MariaDB */
    MY_PLUGIN_CLEAR,      /* mysql_clear_password: tokens of RDS, PAM */
    MY_PLUGIN_OLD_SHA256, /* sha256_password: over TLS the password itself */
    MY_PLUGIN_DIALOG,     /* dialog: PAM of MariaDB; one question is answered with the password */
    MY_PLUGINS
};
enum my_plugin my_plugin_of(struct cursor name);
/** "" for MY_PLUGIN_OTHER. */
const char *my_plugin_name(enum my_plugin plugin);

/** The proof of a password for a connection that is encrypted.
 *  @param nonce  what the server sent for it: 20 bytes, of client_ed25519 32; a NUL may follow
 *  @param ret_proof  wipe it
 *  @return ERR_NOT_FOUND for a plugin without an answer; ERR_MALFORMED for a nonce of another length;
 * ERR_LIBRARY; ERR_MEMORY. */
MUST_CHECK enum err my_prove(enum my_plugin plugin, struct cursor nonce, struct cursor password,
                             struct secret *ret_proof);
/** The password and a NUL. @return ERR_MEMORY. */
MUST_CHECK enum err my_clear_proof(struct cursor password, struct secret *ret_proof);
/** What a client of caching_sha2_password encrypted is the password with its NUL, mixed with the nonce: mix
 *  again. @return ERR_MALFORMED when no NUL ends it. */
MUST_CHECK enum err my_unmix(struct cursor mixed, const uint8_t nonce[static MY_NONCE_BYTES],
                             struct secret *ret_password);

#endif
