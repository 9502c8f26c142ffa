/* What the engine calls in libssh: its public headers, and the few internal functions that are declared here
 * by hand because no header of libssh-dev has them. No struct of libssh is known to us, so only linkage
 * depends on the version; tests/lint/libssh_wraps.sh and engine_library_init() check it. Checked by hand:
 * 0.10.6, 0.11.5, 0.12.2. */
#ifndef GATEWAY_ENGINE_LIBSSH_CALLS_H
#define GATEWAY_ENGINE_LIBSSH_CALLS_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

typedef struct ssh_socket_struct *ssh_socket;
typedef struct ssh_signature_struct *ssh_signature;
/* In libssh an enum of non-negative values: the same ABI. */
typedef unsigned engine_digest;

int ssh_packet_send(ssh_session session);
int ssh_packet_send_newkeys(ssh_session session);
int ssh_send_rekex(ssh_session session);
void ssh_packet_set_callbacks(ssh_session session, ssh_packet_callbacks callbacks);
uint32_t ssh_buffer_pass_bytes(ssh_buffer buffer, uint32_t len);
int ssh_buffer_allocate_size(ssh_buffer buffer, uint32_t len);
int pki_import_privkey_buffer(enum ssh_keytypes_e type, ssh_buffer buffer, ssh_key *ret_key);
int ssh_pki_export_pubkey_blob(ssh_key key, ssh_string *ret_blob);
int ssh_dh_import_next_pubkey_blob(ssh_session session, ssh_string blob);
int ssh_pki_import_cert_blob(ssh_string blob, ssh_key *ret_key);
int ssh_pki_import_signature_blob(ssh_string blob, ssh_key key, ssh_signature *ret_signature);
int ssh_pki_export_signature_blob(ssh_signature signature, ssh_string *ret_blob);
void ssh_signature_free(ssh_signature signature);

/* ld's --wrap: libssh's references reach __wrap_X (wraps.c), ours to __real_X reach libssh. */
ssh_signature __real_pki_sign_data(ssh_key key, engine_digest digest, const unsigned char *input, size_t len);
char *__real_ssh_find_all_matching(const char *available, const char *preferred);

#endif
