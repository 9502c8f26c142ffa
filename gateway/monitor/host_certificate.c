/* Certificates by which the bastion's keys answer for names: the host key for the bastion's own names, the
 * inner key for each target that somebody was let through to. The signer makes them, they are kept until half
 * of their time is over, and asking runs beside the dialling: a connection waits for none that is at hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "keys/certificate.h"
#include "state.h"

enum {
    CERTIFICATE_BEFORE_S = 300, /* clocks of engineers may be behind ... */
    CERTIFICATE_AFTER_S = 3600, /* ... and what is shown again when keys change is not judged anew */
    RENEW_AFTER_S = CERTIFICATE_AFTER_S / 2,
    RETRY_AFTER_S = 10,
    KEPT_COUNT = 1024, /* targets; a busier bastion asks more often, and that is all */
    KEY_OUTER = 0,
    KEY_INNER = 1,
};

struct host_certificate {
    char host[LIMIT_HOST_BYTES]; /* as it was dialled; "": empty */
    int64_t renew_at_s;
    uint8_t *bytes; /* OWNED */
    size_t len_bytes;
};

/* A clock that was set back makes what was minted before a thing of the future: it is asked for anew. */
static bool is_fresh(int64_t renew_at_s)
{
    int64_t now_s = clock_wall_s();
    return now_s < renew_at_s && now_s >= renew_at_s - RENEW_AFTER_S;
}

static void lower(char *text)
{
    for (; *text != 0; text++) {
        *text = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
    }
}

static enum err ask(struct monitor *monitor, struct connection *connection, enum signer_question question,
                    uint32_t access, const char *const names[], uint8_t count)
{
    uint8_t body[KEYS_CERTIFICATE_BYTES];
    struct writer out = writer_of(body, sizeof body);
    uint64_t now_s = (uint64_t)clock_wall_s();
    writer_u8(&out, question == SIGNER_ASKED_MINT_OWN ? KEY_OUTER : KEY_INNER);
    writer_u64be(&out, ++monitor->next_serial);
    writer_text(&out, "bastion");
    writer_u8(&out, count);
    for (uint8_t i = 0; i < count; i++) {
        writer_text(&out, names[i]);
    }
    writer_u64be(&out, now_s - CERTIFICATE_BEFORE_S);
    writer_u64be(&out, now_s + CERTIFICATE_AFTER_S);
    struct cursor bytes;
    TRY(writer_done(&out, &bytes));
    return signer_ask(monitor, connection, question, access, bytes);
}

/* ---- the bastion's own names ---- */

/* Those that the configuration tells, and the addresses that it listens on; "every address" is none. */
static uint8_t own_names(const struct gateway_config *config,
                         char texts[static KEYS_NAMES_MAX][LIMIT_HOST_BYTES],
                         const char *names[static KEYS_NAMES_MAX])
{
    uint8_t count = 0;
    if (config->public_name[0] != 0) {
        (void)snprintf(texts[count++], LIMIT_HOST_BYTES, "%s", config->public_name);
    }
    for (size_t i = 0; i < config->other_names_count && count < KEYS_NAMES_MAX; i++) {
        (void)snprintf(texts[count++], LIMIT_HOST_BYTES, "%s", config->other_names[i]);
    }
    for (size_t i = 0; i < config->listen_count && count < KEYS_NAMES_MAX; i++) {
        static const uint8_t EVERY[16];
        const struct network *address = &config->listen[i].address;
        char text[NETWORK_TEXT_BYTES];
        if (memcmp(address->bytes, EVERY, address->family == 4 ? 4 : sizeof EVERY) != 0) {
            (void)snprintf(texts[count++], LIMIT_HOST_BYTES, "%s", network_text(address, text));
        }
    }
    for (uint8_t i = 0; i < count; i++) {
        lower(texts[i]);
        names[i] = texts[i];
    }
    return count;
}

static void ask_own(struct monitor *monitor)
{
    char texts[KEYS_NAMES_MAX][LIMIT_HOST_BYTES];
    const char *names[KEYS_NAMES_MAX];
    struct host_certificates *certificates = &monitor->host_certificates;
    uint8_t count = own_names(&monitor->config, texts, names);
    certificates->own_renew_at_s = clock_wall_s() + RETRY_AFTER_S;
    certificates->is_own_asked =
        count > 0 && ask(monitor, NULL, SIGNER_ASKED_MINT_OWN, 0, names, count) == ERR_NONE;
}

void host_certificate_own_answer(struct monitor *monitor, bool is_ok, struct cursor certificate)
{
    struct host_certificates *certificates = &monitor->host_certificates;
    certificates->is_own_asked = false;
    if (is_ok && keys_blob_copy(certificate, &certificates->own) == ERR_NONE) {
        certificates->own_renew_at_s = clock_wall_s() + RENEW_AFTER_S;
    }
}

void host_certificate_tick(struct monitor *monitor)
{
    const struct host_certificates *certificates = &monitor->host_certificates;
    if (monitor->signer.service.state == SERVICE_READY && !certificates->is_own_asked &&
        !is_fresh(certificates->own_renew_at_s)) {
        ask_own(monitor);
    }
}

bool host_certificate_is_pending(const struct monitor *monitor)
{
    return monitor->host_certificates.is_own_asked;
}

/* ---- targets ---- */

static void forget(struct host_certificate *kept)
{
    free(kept->bytes);
    *kept = (struct host_certificate){.host = ""};
}

/* FNV-1a: one place for each name. A name that takes another's place costs that one a question more. */
static struct host_certificate *place_of(struct monitor *monitor, const char *host)
{
    struct host_certificates *certificates = &monitor->host_certificates;
    if (certificates->kept == NULL) {
        certificates->kept = calloc(KEPT_COUNT, sizeof *certificates->kept);
    }
    uint32_t hash = 2166136261U;
    for (; *host != 0; host++) {
        hash = (hash ^ (uint8_t)*host) * 16777619U;
    }
    return certificates->kept == NULL ? NULL : &certificates->kept[hash % KEPT_COUNT];
}

static enum err give(struct access *access, struct cursor certificate)
{
    size_t len = cursor_len(&certificate);
    access->host_certificate = malloc(len == 0 ? 1 : len);
    if (access->host_certificate == NULL) {
        return ERR_MEMORY;
    }
    memcpy(access->host_certificate, certificate.at, len);
    access->host_certificate_bytes = len;
    return ERR_NONE;
}

void host_certificate_ask(struct access *access)
{
    struct monitor *monitor = access->connection->monitor;
    const struct host_certificate *kept = place_of(monitor, access->host);
    if (kept != NULL && strcmp(kept->host, access->host) == 0 && is_fresh(kept->renew_at_s)) {
        err_ignore(give(access, cursor_of(kept->bytes, kept->len_bytes))); /* else it is the plain key */
        return;
    }
    /* The name that a client compares: OpenSSH's is in lower case, others' as it was typed. */
    char lowered[LIMIT_HOST_BYTES];
    (void)snprintf(lowered, sizeof lowered, "%s", access->host);
    lower(lowered);
    const char *const names[] = {lowered, access->host};
    uint8_t count = strcmp(lowered, access->host) == 0 ? 1 : 2;
    access->is_host_certificate_asked =
        ask(monitor, access->connection, SIGNER_ASKED_MINT_HOST, access->ref, names, count) == ERR_NONE;
}

void host_certificate_answer(struct access *access, bool is_ok, struct cursor certificate)
{
    access->is_host_certificate_asked = false;
    if (!is_ok || give(access, certificate) != ERR_NONE) {
        return; /* the engineer's client sees the plain key; the signer has said why on its standard error */
    }
    struct host_certificate *kept = place_of(access->connection->monitor, access->host);
    uint8_t *copy = kept == NULL ? NULL : malloc(access->host_certificate_bytes);
    if (copy == NULL) {
        return;
    }
    forget(kept);
    (void)snprintf(kept->host, sizeof kept->host, "%s", access->host);
    kept->renew_at_s = clock_wall_s() + RENEW_AFTER_S;
    memcpy(copy, access->host_certificate, access->host_certificate_bytes);
    kept->bytes = copy;
    kept->len_bytes = access->host_certificate_bytes;
}

void host_certificate_restart(struct monitor *monitor)
{
    /* The signer may have read other keys now. */
    host_certificate_done(monitor);
    ask_own(monitor);
}

void host_certificate_done(struct monitor *monitor)
{
    struct host_certificates *certificates = &monitor->host_certificates;
    for (size_t i = 0; certificates->kept != NULL && i < KEPT_COUNT; i++) {
        forget(&certificates->kept[i]);
    }
    free(certificates->kept);
    *certificates = (struct host_certificates){.kept = NULL};
}
