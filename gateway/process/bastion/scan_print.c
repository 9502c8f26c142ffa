/* What was seen, for people to review: nothing is trusted by it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "command.h"
#include "scan.h"

static const char *const STATES[SCAN_STATE_COUNT] = {"same", "new", "CHANGED", "REFUSED"};
static const enum colour COLOURS[SCAN_STATE_COUNT] = {COLOUR_GOOD, COLOUR_MIND, COLOUR_BAD, COLOUR_BAD};

/* One key, as it is shown and proposed. */
struct finding {
    enum scan_state state;
    enum keys_type type;
    struct keys_host_judgement judgement;
    char line[KEYS_LINE_BYTES + LIMIT_HOST_BYTES + 16];    /* for known_hosts; "" when there is none */
    char ca_line[KEYS_LINE_BYTES + LIMIT_HOST_BYTES + 32]; /* of the CA in a certificate; else "" */
};

static void host_text(const struct scan_job *job, char text[static LIMIT_HOST_BYTES + 16])
{
    (void)snprintf(text, LIMIT_HOST_BYTES + 16, job->port == 22 ? "%s" : "[%s]:%u", job->host, job->port);
}

static enum scan_state state_of(const struct keys_host_trust *trust, const struct finding *finding)
{
    const struct keys_host_judgement *judgement = &finding->judgement;
    if (judgement->is_trusted) {
        return SCAN_SAME;
    }
    if (judgement->is_revoked || judgement->is_ca_trusted || finding->type == KEYS_NONE) {
        return SCAN_REFUSED;
    }
    return keys_host_trust_has_type(trust, finding->type) ? SCAN_CHANGED : SCAN_NEW;
}

static void write_lines(const struct scan_job *job, struct cursor shown, struct finding *finding)
{
    char host[LIMIT_HOST_BYTES + 16];
    char line[KEYS_LINE_BYTES];
    struct keys_blob key;
    struct keys_blob ca;
    struct keys_public parsed;
    host_text(job, host);
    finding->line[0] = finding->ca_line[0] = 0;
    finding->type = KEYS_NONE;
    if (keys_host_shown(shown, &key, &ca) != ERR_NONE ||
        keys_blob_parse(keys_blob_peek(&key), &parsed) != ERR_NONE) {
        return;
    }
    finding->type = parsed.type;
    if (keys_line_write(keys_blob_peek(&key), line, sizeof line) == ERR_NONE) {
        (void)snprintf(finding->line, sizeof finding->line, "%s %s", host, line);
    }
    if (ca.len_bytes > 0 && keys_line_write(keys_blob_peek(&ca), line, sizeof line) == ERR_NONE) {
        (void)snprintf(finding->ca_line, sizeof finding->ca_line, "@cert-authority %s %s", host, line);
    }
}

/* ---- text ---- */

static void print_text(const struct finding *finding)
{
    const struct keys_host_judgement *judgement = &finding->judgement;
    (void)printf("  %s%-8s%s %-20s %s", colour_text(stdout, COLOURS[finding->state]), STATES[finding->state],
                 colour_text(stdout, COLOUR_NONE), keys_type_name(finding->type), judgement->fingerprint);
    if (judgement->is_certificate) {
        (void)printf("  certified by %s%s", judgement->ca_fingerprint,
                     judgement->is_ca_trusted ? "" : " (not trusted)");
    }
    (void)putchar('\n');
    if (finding->state == SCAN_CHANGED || finding->state == SCAN_REFUSED) {
        (void)printf("           %s\n", judgement->reason);
    }
    if (finding->state == SCAN_NEW) {
        (void)printf("           %s\n", finding->line);
    }
    if (finding->ca_line[0] != 0 && finding->state == SCAN_NEW) {
        (void)printf("           or %s\n", finding->ca_line);
    }
}

/* What is new stands as it is, what contradicts as a comment: nobody should copy that unread. */
static void propose(FILE *file, const struct finding *finding)
{
    if (finding->state == SCAN_NEW) {
        (void)fprintf(file, "%s\n", finding->line);
    } else if (finding->state == SCAN_CHANGED) {
        (void)fprintf(file, "# CHANGED: %s\n#%s\n", finding->judgement.reason, finding->line);
    }
    if (finding->state == SCAN_NEW && finding->ca_line[0] != 0) {
        (void)fprintf(file, "#%s\n", finding->ca_line);
    }
}

/* ---- JSON: one object a line ---- */

static json_t *json_of(const struct finding *finding)
{
    const struct keys_host_judgement *judgement = &finding->judgement;
    return json_pack("{s:s, s:s, s:s, s:b, s:s*, s:b, s:s*, s:s*, s:s*}", "state", STATES[finding->state],
                     "type", keys_type_name(finding->type), "fingerprint", judgement->fingerprint,
                     "certificate", (int)judgement->is_certificate, "ca",
                     judgement->ca_fingerprint[0] == 0 ? NULL : judgement->ca_fingerprint, "ca_trusted",
                     (int)judgement->is_ca_trusted, "reason",
                     judgement->reason[0] == 0 ? NULL : judgement->reason, "line",
                     finding->line[0] == 0 ? NULL : finding->line, "ca_line",
                     finding->ca_line[0] == 0 ? NULL : finding->ca_line);
}

static void print_json(const struct scan_job *job, const struct scan_result *result, json_t *keys)
{
    json_t *json = json_pack("{s:s, s:i, s:s, s:s*, s:o}", "host", job->host, "port", (int)job->port,
                             "target", job->target.name, "problem",
                             result->problem[0] == 0 ? NULL : result->problem, "keys", keys);
    (void)json_dumpf(json, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    (void)putchar('\n');
    json_decref(json);
}

/* ---- both ---- */

static enum err read_trust(const struct scan_report *report, const struct scan_job *job, struct writer *out,
                           struct keys_host_trust *ret_trust)
{
    char why[LIMIT_SENTENCE_BYTES];
    struct keys_host_keys *keys = calloc(1, sizeof *keys);
    const struct keys_host_files files = {.dir_fd = report->dir_fd,
                                          .known_hosts = job->target.known_hosts,
                                          .cas = job->target.host_cas,
                                          .ca_count = job->target.host_ca_count};
    enum err err = keys == NULL ? ERR_MEMORY : keys_host_files_read(&files, job->host, job->port, keys, why);
    /* The first scan of a new gateway has nothing to compare with. */
    err = err == ERR_NOT_FOUND ? ERR_NONE : err;
    if (err == ERR_NONE) {
        err = keys_host_trust_write(keys, out);
    } else if (keys != NULL) {
        (void)complain(0, "targets scan", "%s", why);
    }
    struct cursor bytes;
    if (err == ERR_NONE) {
        err = writer_done(out, &bytes);
    }
    if (err == ERR_NONE) {
        err = keys_host_trust_read(&bytes, ret_trust);
    }
    free(keys);
    return err;
}

void scan_print_begin(struct scan_report *report)
{
    if (report->proposal != NULL) {
        (void)fputs(
            "# Proposed by `bastion targets scan`. Nobody has vouched for these keys: compare each with\n"
            "# ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the host itself.\n",
            report->proposal);
    }
}

enum err scan_print(struct scan_report *report, const struct scan_job *job, const struct scan_result *result)
{
    static uint8_t memory[(KEYS_HOST_KEYS_MAX + KEYS_HOST_CAS_MAX) * (LIMIT_KEY_BLOB_BYTES + 4) + 16384];
    struct writer out = writer_of(memory, sizeof memory);
    struct keys_host_trust trust;
    TRY(read_trust(report, job, &out, &trust));
    json_t *keys = report->is_json ? json_array() : NULL;
    report->host_count++;
    report->unreached_count += result->shown_count == 0 ? 1 : 0;
    if (!report->is_json) {
        char problem[SCAN_SENTENCE_BYTES];
        text_printable(cursor_of_text(result->problem), problem, sizeof problem);
        (void)printf("%s:%u (%s)%s%s\n", job->host, job->port, job->target.name, problem[0] == 0 ? "" : ": ",
                     problem);
    }
    for (unsigned i = 0; i < result->shown_count; i++) {
        static struct finding finding;
        struct cursor shown = keys_blob_peek(&result->shown[i]);
        write_lines(job, shown, &finding);
        keys_host_trust_judge(&trust, job->host, clock_wall_s(), shown, &finding.judgement);
        finding.state = state_of(&trust, &finding);
        report->counts[finding.state]++;
        if (report->is_json) {
            (void)json_array_append_new(keys, json_of(&finding));
        } else {
            print_text(&finding);
        }
        if (report->proposal != NULL) {
            propose(report->proposal, &finding);
        }
    }
    if (report->is_json) {
        print_json(job, result, keys);
    }
    return ERR_NONE;
}

void scan_print_end(struct scan_report *report)
{
    if (!report->is_json) {
        (void)printf("%zu hosts, %zu not reached; keys: %zu same, %zu new, %zu changed, %zu refused\n",
                     report->host_count, report->unreached_count, report->counts[SCAN_SAME],
                     report->counts[SCAN_NEW], report->counts[SCAN_CHANGED], report->counts[SCAN_REFUSED]);
    }
    if (!report->is_json && report->counts[SCAN_NEW] > 0) {
        (void)puts("Before you trust a new line, compare its fingerprint on the host itself:\n"
                   "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
    }
}
