/* The monitor: it owns the listening sockets, the policy, the state of every connection, the leases and
 * lock-outs, and the processes that do what it must not do itself. It parses no SSH, DNS or database bytes
 * and holds no private key. */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include "base/limits.h"
#include "config/config.h"

struct monitor;

/** What could not be done at start, in a sentence that says what to do. */
struct monitor_refusal {
    char sentence[2 * LIMIT_SENTENCE_BYTES];
};

/** Read the policy, start the services and listen. Nothing is accepted before monitor_run().
 *  @param config        copied
 *  @param config_path   for reloads and messages
 *  @param libexec_dir   absolute; the folder of the other programs
 *  @return any error, with the refusal filled in. */
MUST_CHECK enum err monitor_start(const struct gateway_config *config, const char *libexec_dir,
                                  struct monitor **ret, struct monitor_refusal *ret_why);
/** Serve until SIGTERM or SIGINT. SIGHUP reads the policy again and reopens the events file. */
MUST_CHECK enum err monitor_run(struct monitor *monitor);
/** End all connections and services; waits at most a few seconds for the recorder to seal. */
void monitor_stop(struct monitor *monitor);

#endif
