/* libssh's GSSAPI code is linked but never reached: a server's packets 50..79 go to the owner, a client logs
 * in by public key only. These stand in for libgssapi_krb5, so that no process with an engine loads
 * Kerberos, 1.5 MiB of code that parses what strangers send. Hidden: they must not bind in libraries that use
 * the real ones. */
#include <stdlib.h>

/* Data that libssh takes the address of. */
extern void *const GSS_C_NT_HOSTBASED_SERVICE;
extern void *const GSS_C_NT_USER_NAME;
__attribute__((visibility("hidden"))) void *const GSS_C_NT_HOSTBASED_SERVICE = NULL;
__attribute__((visibility("hidden"))) void *const GSS_C_NT_USER_NAME = NULL;

#define ABSENT(name)                                                                                         \
    __attribute__((visibility("hidden"), noreturn)) void name(void);                                         \
    void name(void)                                                                                          \
    {                                                                                                        \
        abort();                                                                                             \
    }

ABSENT(gss_accept_sec_context)
ABSENT(gss_acquire_cred)
ABSENT(gss_add_oid_set_member)
ABSENT(gss_create_empty_oid_set)
ABSENT(gss_delete_sec_context)
ABSENT(gss_display_name)
ABSENT(gss_display_status)
ABSENT(gss_get_mic)
ABSENT(gss_import_name)
ABSENT(gss_indicate_mechs)
ABSENT(gss_init_sec_context)
ABSENT(gss_inquire_cred)
ABSENT(gss_inquire_cred_by_mech)
ABSENT(gss_release_buffer)
ABSENT(gss_release_cred)
ABSENT(gss_release_name)
ABSENT(gss_release_oid)
ABSENT(gss_release_oid_set)
ABSENT(gss_test_oid_set_member)
ABSENT(gss_verify_mic)
