/* `bastion targets scan`: what hosts show for keys, held against what is known of them. */
#ifndef BASTION_SCAN_H
#define BASTION_SCAN_H

#include "keys/host_files.h"
#include "keys/host_trust.h"
#include "policy/targets.h"

enum { SCAN_KINDS = 3, SCAN_TOGETHER = 8, SCAN_SENTENCE_BYTES = 256 };

/** One host. What it is borrowed from outlives it. */
struct scan_job {
    char host[LIMIT_HOST_BYTES];
    uint16_t port;
    struct policy_target target;
};
struct scan_result {
    struct keys_blob shown[SCAN_KINDS]; /* empty: no key of that kind */
    unsigned shown_count;
    char problem[SCAN_SENTENCE_BYTES]; /* why there is none at all; else "" */
};

/* scan_host.c: one process for each host, since hosts may be hostile. */
/** Connect and have it prove a key of each kind; write what it shows to `out_fd`. Never returns. */
_Noreturn void scan_host(const struct scan_job *job, uint32_t uid, uint32_t timeout_s, int out_fd);
/** What scan_host() has written. */
void scan_host_read(struct cursor report, struct scan_result *ret_result);

/* scan_run.c */
/** Run some jobs at once, at most SCAN_TOGETHER.
 *  @param uid        what root becomes for it
 *  @param timeout_s  for each host, from the look-up of its name to its last key */
MUST_CHECK enum err scan_run(const struct scan_job *jobs, size_t count, uint32_t uid, uint32_t timeout_s,
                             struct scan_result *ret_results);

/* scan_print.c */
enum scan_state { SCAN_SAME, SCAN_NEW, SCAN_CHANGED, SCAN_REFUSED, SCAN_STATE_COUNT };
struct scan_report {
    int dir_fd; /* of the operators' files */
    bool is_json;
    FILE *proposal; /* new lines, where they are wanted in a file; else NULL */
    size_t counts[SCAN_STATE_COUNT];
    size_t unreached_count, host_count;
};
void scan_print_begin(struct scan_report *report);
/** @return ERR_SYSTEM and others for operators' files that cannot be used: said on stderr. */
MUST_CHECK enum err scan_print(struct scan_report *report, const struct scan_job *job,
                               const struct scan_result *result);
void scan_print_end(struct scan_report *report);

#endif
