/* The monitor's state, private to its room. Plain data: what happens to it is in the files named beside each
 * part. */
#ifndef MONITOR_STATE_H
#define MONITOR_STATE_H

#include <netinet/in.h>
#include <sys/types.h>
#include <time.h>

#include "accept/admission.h"
#include "auth/history.h"
#include "auth/lease.h"
#include "auth/lockout.h"
#include "auth/people.h"
#include "base/queue.h"
#include "base/secret.h"
#include "base/writer.h"
#include "config/config.h"
#include "crypto/hash.h"
#include "crypto/x509.h"
#include "event/event.h"
#include "ipc/channel.h"
#include "keys/authorized_keys.h"
#include "keys/user_certificate.h"
#include "loop/loop.h"
#include "monitor/monitor.h"
#include "policy/policy.h"

enum {
    MONITOR_TICK_MS = 1000,
    MONITOR_END_GRACE_US = 5000000, /* from CONNECTION_END to SIGKILL: time to show the sentence */
    MONITOR_DIAL_TIMEOUT_MS = 10000,
    MONITOR_TOKEN_TIMEOUT_S = 10,
    MONITOR_SIGNER_CALLS_MAX = 8192, /* unanswered questions to the signer */
    MONITOR_RESTART_PAUSE_US = 1000000,
    /* A client that was told to show the factor begins at once; others wait this long for it to begin. */
    MONITOR_FACTOR_BEGIN_US = 10000000,
    MONITOR_READY_WAIT_US = 60000000,  /* at start: the recorder reads all leaves of the evidence log first */
    MONITOR_CERTIFICATE_BEFORE_S = 30, /* clocks of targets may be behind ... */
    MONITOR_CERTIFICATE_AFTER_S = 120, /* ... and a login takes seconds, not minutes */
    MONITOR_SID_TEXT_BYTES = 2 * LIMIT_SID_BYTES + 1,
};

struct monitor;
struct connection;

/* child.c: a program of ours that runs. It outlives its owner's interest: child_done() detaches it, and the
 * tick frees it when the loop has no operation of it in flight. */
struct child;
typedef void child_message(void *owner, struct child *child); /* its channel can be received from */
typedef void child_exit(void *owner, struct child *child, bool is_clean, const char *how);
struct child {
    struct monitor *monitor;
    pid_t pid;   /* 0: reaped */
    int pidfd;   /* OWNED */
    int channel; /* OWNED, our end of its IPC channel */
    struct loop_op exit_op, channel_op;
    struct ipc_ledger ledger;
    void *owner; /* NULL: detached */
    child_message *on_message;
    child_exit *on_exit;
    struct child *next_detached;
};

/* service.c: the signer and the recorder. */
enum service_state { SERVICE_DOWN = 0, SERVICE_STARTING, SERVICE_READY };
struct service_kind;
struct service {
    struct monitor *monitor;
    const struct service_kind *kind;
    struct child *child; /* OWNED */
    enum service_state state;
    uint64_t restart_at_us; /* 0: not planned */
    unsigned restarts;
};

enum signer_question {
    SIGNER_ASKED_KEX,
    SIGNER_ASKED_VERIFY,
    SIGNER_ASKED_VERIFY_CERTIFIED,
    SIGNER_ASKED_MINT,
    SIGNER_ASKED_MINT_HOST, /* of the inner key, for the host of an access */
    SIGNER_ASKED_MINT_SERVER,
    SIGNER_ASKED_MINT_OWN, /* of the host key, for the bastion's own names: of no connection */
};
/* signer_calls.c: the signer answers in order, so a queue of questions says whose each answer is. */
struct signer_call {
    uint32_t connection;
    enum signer_question question;
    uint32_t access; /* ref of the access that a certificate is for */
};
struct signer_calls {
    struct service service;
    struct signer_call *calls; /* OWNED, a ring */
    size_t first, count;
    struct keys_blob host_blob, inner_blob, user_ca_blob, host_ca_blob;
    uint8_t database_ca[CRYPTO_X509_DER_BYTES]; /* its certificate */
    size_t database_ca_bytes;                   /* 0: there is none */
};

/* host_certificate.c */
struct host_certificate;
struct host_certificates {
    struct keys_blob own; /* for the bastion's names; empty: none */
    int64_t own_renew_at_s;
    bool is_own_asked;
    struct host_certificate *kept; /* OWNED, a table by host */
};

/* recordings.c: recordings outlive their connection by the moment that sealing takes. */
enum recording_state { RECORDING_NONE = 0, RECORDING_OPENING, RECORDING_OPEN };
struct recording {
    enum recording_state state;
    uint32_t number, connection, access;
    uint64_t started_us;
    char sid[MONITOR_SID_TEXT_BYTES];
    char person[LIMIT_PERSON_BYTES], from[LIMIT_ADDRESS_BYTES], account[LIMIT_DB_NAME_BYTES],
        host[LIMIT_HOST_BYTES];
};
struct recordings {
    struct service service;
    struct recording *table; /* OWNED */
    size_t capacity;
    uint32_t next_number;
};

/* target.c: one target that a connection has asked for. */
enum access_state {
    ACCESS_NONE = 0,
    ACCESS_DIALLING, /* bastion-dial runs */
    ACCESS_READY,    /* the session holds the target's socket; nobody has logged in */
    ACCESS_GRANTING, /* the certificate and the recording are being made */
    ACCESS_GRANTED,
};
/* reason.c */
enum reason_state {
    REASON_NONE = 0,
    REASON_WANTED, /* the engineer's client was told; it begins */
    REASON_ASKED,  /* the prompt is out */
};
struct access {
    struct connection *connection;
    uint32_t ref; /* the session's number for it: never 0, never used twice on a connection */
    enum access_state state;
    uint8_t sid[LIMIT_SID_BYTES];
    char sid_text[MONITOR_SID_TEXT_BYTES];
    char host[LIMIT_HOST_BYTES];
    uint16_t port;
    enum policy_target_kind kind;
    bool is_stream; /* its bytes pass unread: no login, no certificate; the policy's word is final when it is
                       dialled */
    bool is_terminated; /* TLS with the engineer's client */
    bool is_certifying; /* the session has asked for its certificate */
    bool is_database;   /* the session reads who logs in where, and statements */
    char target_name[POLICY_ID_BYTES];
    char peer_address[LIMIT_ADDRESS_BYTES], local_address[LIMIT_ADDRESS_BYTES];
    struct child *dial;  /* OWNED */
    struct child *token; /* OWNED, the maker of a password */
    uint64_t token_deadline_us;
    uint64_t dial_deadline_us;
    int target_fd; /* OWNED, -1: not there, or handed over; it waits for the host certificate */
    bool is_host_certificate_asked;
    uint8_t *host_certificate; /* OWNED, of the inner key for the host; NULL: none */
    size_t host_certificate_bytes;
    char account[LIMIT_DB_NAME_BYTES], database[LIMIT_DB_NAME_BYTES];
    enum policy_action action; /* that the policy is asked about */
    struct secret cancel_key;  /* with which another connection may cancel a statement of this one */
    char cancels[MONITOR_SID_TEXT_BYTES]; /* "", or the session whose statement is cancelled */
    int64_t decided_s;                    /* when the policy was asked last ... */
    uint32_t decided_by;                  /* ... which policy that was (its number) ... */
    struct policy_factor decided_factor;  /* ... and the factor of that moment */
    uint64_t withdrawn_us;                /* 0, or when the session was told to end it */
    struct policy_grant *grant;           /* OWNED, while the certificate and the recording are being made */
    int recorder_fd;                      /* OWNED, the session's end, likewise */
    struct secret credential;             /* OWNED, likewise: the certificate, or a password for a database */
    bool needs_credential;                /* it is still being made */
    bool is_recording_open;
    uint32_t recording; /* number, 0: none */
    uint64_t granted_us;
    uint32_t session_limit_s;
    char rule[GRANT_RULE_BYTES];
    enum reason_state reason_state;
    char reason[POLICY_REASON_BYTES]; /* what it is for, in the person's words; "": not told */
    unsigned reason_tries;
};

/* factor.c: one conversation with PAM. */
enum factor_state {
    FACTOR_NONE = 0,
    FACTOR_HELD,     /* the key is proven; the answer waits for what another connection is asked */
    FACTOR_WAITING,  /* for its turn: one conversation per person */
    FACTOR_RUNNING,  /* PAM works */
    FACTOR_PROMPTED, /* the engineer was asked */
};
struct factor_question {
    uint32_t ref;
    uint64_t since_us;
};
struct factor {
    enum factor_state state;
    uint32_t ref;      /* of the session's question: 0, or the access that wants a fresher factor */
    struct child *pam; /* OWNED */
    uint64_t
        since_us; /* HELD, WAITING: when that began; NONE: when the engineer was told that it is needed */
    uint64_t deadline_us;
    bool has_code; /* the last answer looked like a one-time code: its hash */
    uint8_t code_sha256[LEASE_KEY_BYTES];
    /* Other accesses of this connection that asked meanwhile, in order. */
    struct factor_question queue[LIMIT_ACCESSES_PER_CONNECTION];
    unsigned queued;
};

/* command.c: what the bastion itself is asked. */
struct command {
    struct connection *connection;
    uint32_t ref;      /* the session's number for it, as of an access */
    struct queue text; /* made at once, handed over in pages */
    bool is_error;     /* the text is for stderr */
    bool is_wanted;    /* the session waits for the next page */
    bool is_complete;  /* nothing will be added */
    bool is_cut;       /* the text became too long */
    uint8_t status;
};

/* connection.c */
struct connection {
    struct monitor *monitor;
    uint32_t number;
    unsigned uid_slot;
    struct child *session; /* OWNED */
    enum ipc_phase phase;
    struct sockaddr_storage peer;
    char from[LIMIT_ADDRESS_BYTES];
    char bastion_name[LIMIT_HOST_BYTES]; /* how the engineer may call us */
    uint16_t bastion_port;
    uint64_t opened_us, deadline_us, kill_at_us;
    const char *offence_text; /* NULL, or why the source is penalised */
    enum admission_offence offence;
    bool is_counted_proven;
    unsigned failures;
    /* identity.c */
    char person[LIMIT_PERSON_BYTES]; /* "" until a key was verified */
    uint8_t key_sha256[LEASE_KEY_BYTES];
    char key_fingerprint[KEYS_FINGERPRINT_BYTES];
    bool is_machine;
    struct policy_factor
        passed_factor; /* on this connection or by a lease, with its age at `factor_seen_us` */
    uint64_t factor_seen_us;
    enum policy_key key_proof;               /* what the key of the login has proven */
    const char *factor_by;                   /* what let the person in: a word for events, a constant */
    struct keys_authorization authorization; /* of the key whose signature is being verified, or was */
    char claimed_person[LIMIT_PERSON_BYTES];
    size_t principals_len; /* of the certificate that let the person in: repeated strings */
    uint8_t principals[LIMIT_PRINCIPALS_BYTES];
    bool is_verifying;
    struct factor factor;
    struct access *accesses[LIMIT_ACCESSES_PER_CONNECTION];  /* OWNED, NULL: free */
    struct command *commands[LIMIT_COMMANDS_PER_CONNECTION]; /* OWNED, NULL: free */
    bool has_trust; /* the session holds certificates that vouch for databases ... */
    uint8_t trust_sha256[CRYPTO_SHA256_BYTES]; /* ... of a file with this hash */
    unsigned renewals;                         /* of the factor, by command */
};

/* person_ca.c: CAs that vouch for keys of people, and what they took back. */
enum { PERSON_CAS_MAX = 32 };
struct person_cas {
    struct keys_blob *blobs; /* OWNED */
    unsigned count;
    uint8_t *revoked; /* OWNED, the lines of the list; NULL: there is none */
    size_t revoked_bytes;
};

/* policy_reload.c: a policy that is being judged by a child. */
struct policy_reload {
    pid_t pid;         /* 0: none */
    int pidfd;         /* OWNED */
    struct loop_op op; /* its end */
    uint8_t *bytes;    /* OWNED, what is judged is what will be in force */
    size_t len;
    int told_fd; /* OWNED, what the child has to say */
    bool is_wanted_again;
};

struct listener {
    struct monitor *monitor;
    int fd; /* OWNED */
    struct loop_op op;
};

/* file_stamp.c: what tells one version of a file from another. */
struct file_stamp {
    dev_t device;
    ino_t inode; /* 0: there is none */
    off_t size_bytes;
    struct timespec modified, changed;
};

struct monitor {
    struct gateway_config config;
    char libexec_dir[CONFIG_PATH_BYTES];
    struct file_stamp tested_session; /* the file of bastion-session that passed its self-test */
    struct loop *loop;
    struct event_log events;
    bool is_evidence_lost; /* an event or leaf could not be written: nobody is let in until it can */
    char host_id[64];
    struct policy *policy; /* OWNED, immutable, never NULL after start */
    char policy_hash[2 * POLICY_HASH_BYTES + 1];
    uint32_t policy_number; /* counts the policies since start */
    struct policy_reload reload;
    struct admission admission;
    struct lease_table leases;
    struct lease_table used_codes; /* by their hash */
    struct lease_table reasons;    /* told before they are asked for */
    struct lockout_table lockouts;
    struct people people;
    struct file_stamp people_stamp;
    struct history history;
    struct person_cas person_cas;
    int64_t started_s, policy_loaded_s;
    int64_t policy_refused_s; /* 0: the file was not refused since it was loaded */
    char policy_refusal[LIMIT_SENTENCE_BYTES];
    uint64_t status_us, status_events; /* status.c: when it was written, and after which event */
    bool is_status_lost;
    struct signer_calls signer;
    struct host_certificates host_certificates;
    struct recordings recordings;
    struct listener listeners[CONFIG_LISTEN_MAX];
    struct connection **connections; /* OWNED, `connection_capacity` places, by uid slot; NULL: free */
    size_t connection_capacity;
    uint32_t next_connection;
    uint64_t next_serial;                                   /* of certificates */
    int empty_room[4];                                      /* OWNED, the namespaces of sessions */
    int keys_dir, known_hosts_dir, state_dir, policies_dir; /* OWNED */
    int signal_fd;
    struct loop_op signal_op, tick_op;
    bool is_stopping;        /* no new connections, the open ones were told */
    bool is_shutting_down;   /* the loop has ended */
    bool is_serving_factors; /* factor.c walks over those that wait */
    uint64_t stop_at_us;
    struct child *detached;     /* OWNED, a list */
    struct ipc_message message; /* the one being received: too large for a stack */
};

/* monitor.c */
/** While stopping: end the loop once the last connection is gone. */
void monitor_stop_if_empty(struct monitor *monitor);

/* report.c */
void report(struct monitor *monitor, const char *event, enum event_outcome outcome,
            const struct event_field *fields);
#define REPORT(monitor, event, outcome, ...)                                                                 \
    report((monitor), (event), (outcome), (const struct event_field[]){__VA_ARGS__, {0}})
/** An event about a connection: its number, source and person are added. `code` and `sentence` may be NULL.
 */
void report_connection(struct connection *connection, const char *event, enum event_outcome outcome,
                       const char *code, const char *sentence);
/** "login.accepted", with what stood for the second factor and how old that was. */
void report_login(struct connection *connection);
/** An event about an access: its target, account, rule and session are added. */
void report_access(struct access *access, const char *event, enum event_outcome outcome, const char *code,
                   const char *sentence);
/** "target.closed", with the bytes that passed: of all channels inside, or of the stream. */
void report_closed(struct access *access, const char *reason, uint64_t to_target_bytes,
                   uint64_t from_target_bytes);
/** Add what the policy said to the evidence log, with all that it was asked. @param code  "" when allowed */
void report_decision(const struct access *access, bool is_allowed, const char *code);
/** Add a leaf to the evidence log, with the time; words are made printable. */
void report_evidence(struct monitor *monitor, const char *kind, const char *text);

/* child.c */
struct child_start {
    const char *program;
    char *const *argv;
    const int *fds; /* given as 4, 5, ... after the channel; all stay ours */
    unsigned fd_count;
    bool is_silent;                 /* stderr is /dev/null */
    const char *const *environment; /* names of variables that are passed on, NULL-terminated; NULL: none */
    void *owner;
    child_message *on_message;
    child_exit *on_exit;
};
/** Start a program and watch it. @return ERR_SYSTEM, ERR_MEMORY. */
MUST_CHECK enum err child_start(struct monitor *monitor, const struct child_start *start, struct child **ret);
/** SIGKILL; the exit is reported as usual. */
void child_kill(struct child *child);
/** Detach: its process is ended if it still runs, its owner hears nothing more, `*child` becomes NULL. */
void child_done(struct child **child);
/** Receive one message and hold it against the table. @return ERR_AGAIN when there is none; any other error:
 * the child broke the protocol or is gone. */
MUST_CHECK enum err child_receive(struct child *child, enum ipc_peer from, enum ipc_phase phase);
/** Receive and forget one message of a child that has nothing to say any more. */
MUST_CHECK enum err child_discard(struct child *child);
/** Free what is detached and quiet. */
void child_sweep(struct monitor *monitor);

/** Start a program and leave the waiting to the caller. @param argv  its name first; NULL ends the list */
MUST_CHECK enum err child_spawn(const struct monitor *monitor, char *const *argv, int null_fd,
                                pid_t *ret_pid);

/* self_test.c */
#define MONITOR_SESSION_PROGRAM "bastion-session"
/** Run it and wait: some milliseconds, before anybody is let in.
 *  @return ERR_MISMATCH when it fails; ERR_SYSTEM when it cannot run. */
MUST_CHECK enum err self_test_session(struct monitor *monitor);
/** The program is still the file that passed; one that was put in its place tests itself at each start. */
bool self_test_holds(const struct monitor *monitor);

/* service.c */
MUST_CHECK enum err service_start_signer(struct monitor *monitor);
MUST_CHECK enum err service_start_recorder(struct monitor *monitor);
/** At start, before anybody is let in: wait until both have said that they are ready.
 *  @param ret_program  the one that was waited for last
 *  @return ERR_CLOSED when it ended, ERR_AGAIN when it took too long, ERR_SYSTEM. */
MUST_CHECK enum err service_wait_ready(struct monitor *monitor, const char **ret_program);
void service_tick(struct monitor *monitor, uint64_t now_us);

/* signer_calls.c: ask; the answer arrives in connection.c or target.c */
/** @param connection  NULL: the question is the monitor's own */
MUST_CHECK enum err signer_ask(struct monitor *monitor, struct connection *connection,
                               enum signer_question question, uint32_t access, struct cursor body);
void signer_forget(struct monitor *monitor, uint32_t connection);
void signer_message(struct monitor *monitor, const struct ipc_message *message);
void signer_lost(struct monitor *monitor);

/* host_certificate.c */
/** Have one for the host of the access: at once from what is kept, or the signer is asked and
 *  access->is_host_certificate_asked is set until it has answered. */
void host_certificate_ask(struct access *access);
void host_certificate_answer(struct access *access, bool is_ok, struct cursor certificate);
void host_certificate_own_answer(struct monitor *monitor, bool is_ok, struct cursor certificate);
/** The bastion's own is under way. */
bool host_certificate_is_pending(const struct monitor *monitor);
void host_certificate_tick(struct monitor *monitor);
/** The signer is ready: forget all, and ask for the bastion's own. */
void host_certificate_restart(struct monitor *monitor);
void host_certificate_done(struct monitor *monitor);

/* target_narrow.c */
/** Take from a decision what the line of the person's key does not let it do. */
void target_narrow(const struct access *access, struct policy_decision *decision);
/** May it have a terminal, as far as that line goes? */
bool target_has_terminal(const struct access *access);

/* target_trust.c */
/** What the target may show to prove itself, as keys_host_trust_read() reads it.
 *  @param ret_why  on an error: a fragment for the engineer
 *  @return ERR_NOT_FOUND when nothing vouches for it; ERR_SYSTEM, ERR_DENIED and others for a file that
 * cannot be read. */
MUST_CHECK enum err target_trust_write(const struct access *access, const struct policy_target *target,
                                       struct writer *out, char ret_why[static LIMIT_SENTENCE_BYTES]);

/* recordings.c */
MUST_CHECK enum err recording_open(struct access *access, int recorder_end);
void recording_end(struct monitor *monitor, uint32_t number, const char *reason);
void recorder_message(struct monitor *monitor, const struct ipc_message *message);
void recorder_lost(struct monitor *monitor);

/* connection.c */
void connection_open(struct monitor *monitor, int client_fd, const struct sockaddr_storage *peer,
                     const char *from);
struct connection *connection_find(struct monitor *monitor, uint32_t number);
/** Say why to the engineer and end; the process is killed when it does not follow. */
void connection_end(struct connection *connection, const char *sentence);
/** The session process broke the protocol: it is killed at once. */
void connection_violation(struct connection *connection, const char *what);
/** Send to the session; a session that does not read is killed. */
void connection_send(struct connection *connection, enum ipc_type type, uint32_t ref, struct cursor body,
                     const int *fd);
void connection_tick(struct connection *connection, uint64_t now_us);
void connection_identified(struct connection *connection);
void connection_free(struct connection *connection);

/* person_ca.c */
/** Read the files anew. On error what was in force stays. */
MUST_CHECK enum err person_ca_load(struct monitor *monitor, char *ret_sentence, size_t size_bytes);
void person_ca_done(struct person_cas *cas);
/** The CA whose public key stands somewhere in the certificate: whether it signed it is the signer's to say.
 *  @return NULL when there is none. */
const struct keys_blob *person_ca_find(const struct person_cas *cas, struct cursor certificate);
bool person_ca_is_revoked(const struct person_cas *cas, uint64_t serial, const char *key_id,
                          const char *fingerprint);

/* identity.c */
MUST_CHECK enum err identity_probe(struct connection *connection, struct cursor body);
MUST_CHECK enum err identity_publickey(struct connection *connection, struct cursor body);
void identity_verified(struct connection *connection, bool is_valid, uint8_t sk_flags);
/** The signer's word about a certificate. */
struct identity_certificate {
    bool is_valid;
    char why_not[LIMIT_SENTENCE_BYTES];
    uint64_t serial;
    char key_id[KEYS_KEY_ID_BYTES + 1];
    char fingerprint[KEYS_FINGERPRINT_BYTES]; /* of the certified key */
    struct cursor principals;                 /* repeated strings; borrowed for the call */
    uint8_t sk_flags;                         /* of its token; 0 without one */
};
/** The principals of the login's certificate; empty for a key. */
struct cursor identity_principals(const struct connection *connection);
/** What the policy says of the person of a connection. @return ERR_NOT_FOUND when it does not know it. */
MUST_CHECK enum err identity_person(const struct connection *connection, struct policy_person *ret);
void identity_certified(struct connection *connection, const struct identity_certificate *certificate);
/** The factor with its age now: that of this connection, or the lease of another one with the same key and
 * source when it is fresher. */
struct policy_factor identity_factor(const struct connection *connection, uint64_t now_us);
/** Look for a lease. @return true when there is one that is good enough for logging in. */
bool identity_take_lease(struct connection *connection, uint64_t max_age_s);

/* factor_wait.c */
/** The key is proven: say that the factor is needed; or let the client wait, where another connection of the
 * same person, key and source is being asked: what it earns serves this one too. */
void factor_need(struct connection *connection);
/** Answer those that wait and can go on now. */
void factor_serve_waiting(struct monitor *monitor, const char *person);
void factor_serve_one(struct connection *connection);
/** Begin a conversation when the person is in none, else wait. */
void factor_ask_or_wait(struct connection *connection, struct factor_question question);
MUST_CHECK enum err factor_begin(struct connection *connection, uint32_t ref);
/** Ask for the factor for a command. @return ERR_STATE when a conversation is under way on this connection.
 */
MUST_CHECK enum err factor_renew(struct connection *connection, uint32_t ref);

/* factor.c */
MUST_CHECK enum err factor_answer(struct connection *connection, uint32_t ref, struct cursor body);
void factor_tick(struct connection *connection, uint64_t now_us);
void factor_done(struct connection *connection);
/** Begin the conversation: a bastion-pam of its own. */
void factor_start(struct connection *connection);
/** Tell whoever asked: a login, an access or a command. */
void factor_tell(struct connection *connection, uint32_t ref, bool is_ok, bool may_retry,
                 const char *sentence);
/** A login cannot go on without the factor; a command, or an access that wanted it fresher, ends alone. */
void factor_give_up(struct connection *connection, const char *sentence);
/** An operator ends a lock-out. */
void factor_unlock(struct monitor *monitor, const char *person);
/** The command or access with this number has ended: what it asked and nobody answered is taken back. */
void factor_abandon(struct connection *connection, uint32_t ref);
/** "alice is locked until 10:42 UTC ...", or false. */
bool factor_lock_sentence(struct monitor *monitor, const char *person, char *ret_sentence, size_t size_bytes);

/* file_stamp.c */
/** Of no file: inode 0. */
struct file_stamp file_stamp_of(const char *path);
bool file_stamp_equal(const struct file_stamp *one, const struct file_stamp *two);

/* replay_guard.c */
/** Was this one-time code accepted already? */
bool replay_guard_refuses(struct connection *connection, struct cursor answer);
/** PAM accepted: the code is good no more. @return false without memory: then nobody is let in by it. */
bool replay_guard_accepted(struct connection *connection);

/* recovery.c */
/** Is the answer a recovery code of this person? It is spent then. */
bool recovery_answers(struct connection *connection, struct cursor text);

/* reason.c */
/** The reason that the person told before, for an access that has none. */
void reason_take(struct access *access);
/** The policy asks for one: have the login ask, or refuse after too many tries. */
void reason_need(struct access *access, const struct policy_decision *decision);
/** The engineer's client is ready for the prompt. */
MUST_CHECK enum err reason_begin(struct access *access);
void reason_answer(struct access *access, struct cursor text);
void command_reason(struct command *command, const char *argument);

/* people.c */
/** Read `people_file`. On error what was in force stays. */
MUST_CHECK enum err people_load(struct monitor *monitor, char *ret_sentence, size_t size_bytes);
/** Read it when it has changed, and end the connections of people who may be here no more. */
void people_tick(struct monitor *monitor);

/* target.c */
/** NULL when the connection has no access of that number (any more). */
struct access *target_find(const struct connection *connection, uint32_t ref);
MUST_CHECK enum err target_open(struct connection *connection, uint32_t ref, struct cursor body);
MUST_CHECK enum err target_end(struct connection *connection, uint32_t ref, struct cursor body);
/** The signer has answered about a host certificate. */
void target_host_certified(struct access *access);
void target_tick(struct access *access, uint64_t now_us);
/** What was asked of the policy when it was decided, with the factor and the time of then. Borrows from the
 * access. */
struct policy_request target_request(const struct access *access);
/** Have the session end an open access. */
void target_withdraw(struct access *access, const char *code, const char *sentence);
void target_done(struct access *access);
/** Ask the policy; the answer's rule is kept. */
void target_decide(struct access *access, struct policy_decision *ret);
enum target_denial {
    TARGET_DENIED = 0,
    TARGET_DENIED_FACTOR = 1,    /* a fresher second factor would do: the session asks for it */
    TARGET_DENIED_WITHDRAWN = 2, /* what was granted is taken back */
};
void target_send_denied(const struct access *access, enum target_denial kind, const char *sentence);
/** Say no to the engineer, the operator and the evidence log. */
void target_deny(struct access *access, const char *event, const char *code, const char *sentence);
/** Say no where nobody can be asked for a factor; the access is freed. */
void target_deny_unasked(struct access *access, const struct policy_decision *decision);

/* target_grant.c */
MUST_CHECK enum err target_login(struct connection *connection, uint32_t ref, struct cursor body);
/** Allowed: have the credential and the recording made, and hand them over. @param public_key  of kind ssh:
 * what the certificate is for */
void target_grant(struct access *access, const struct policy_decision *decision, struct cursor public_key);
/** A stream is reached: decide again, since what the policy said before may be old. */
void target_grant_stream(struct access *access);
void target_forget_grant(struct access *access);
void target_certified(struct access *access, bool is_ok, struct cursor certificate);
/** What the target would let us in with cannot be had. */
void target_no_credential(struct access *access, const char *sentence);
void target_recorded(struct access *access, bool is_ok, const char *sentence);

/* target_token.c: a token of AWS as the password of a database */
/** Its coming is told by target_certified(). */
MUST_CHECK enum err token_ask(struct access *access, const struct policy_database *database);

/* target_database.c */
/** The session reads what this target is told, and takes part in it. */
bool database_is_read(const struct policy_target *target);
/** The end of TARGET_READY. What the session needs before it is sent as TARGET_TRUST.
 *  @param ret_why  set on error */
MUST_CHECK enum err database_write_ready(struct access *access, const struct policy_database *database,
                                         struct writer *out, char ret_why[static LIMIT_SENTENCE_BYTES]);
MUST_CHECK enum err database_login(struct connection *connection, uint32_t ref, struct cursor body);
MUST_CHECK enum err database_certify(struct connection *connection, uint32_t ref, struct cursor body);
/** @param certificate  empty: there is none */
void database_certified(const struct access *access, struct cursor certificate);
MUST_CHECK enum err database_key(struct connection *connection, uint32_t ref, struct cursor body);
MUST_CHECK enum err database_cancel(struct connection *connection, uint32_t ref, struct cursor body);

/* command.c */
struct command *command_find(const struct connection *connection, uint32_t ref);
MUST_CHECK enum err command_run(struct connection *connection, uint32_t ref, struct cursor body);
MUST_CHECK enum err command_more(struct connection *connection, uint32_t ref, struct cursor body);
MUST_CHECK enum err command_end(struct connection *connection, uint32_t ref, struct cursor body);
/** The factor of a command is decided. @return false when `ref` is no command. */
bool command_factor_result(struct connection *connection, uint32_t ref, bool is_ok, const char *sentence);
void command_free_all(struct connection *connection);
/** Add to the text. What is too long is cut, and said so at the end. */
void command_say(struct command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Nothing follows. @param status  exit status that the engineer's ssh gets; not 0: the text is an error */
void command_finish(struct command *command, uint8_t status);

/* command_person.c: who am I, the factor, known_hosts, ssh_config */
enum { COMMAND_NAME_BYTES = LIMIT_HOST_BYTES + LIMIT_PERSON_BYTES + 16, COMMAND_AGE_BYTES = 32 };
/** "alice@bastion", "alice@bastion:2222": what `ssh -J` takes. Returns `text`. */
const char *command_jump(const struct connection *connection, char text[static COMMAND_NAME_BYTES]);
/** "5m", "2h05m", "3d". Returns `text`. */
const char *command_age(uint64_t seconds, char text[static COMMAND_AGE_BYTES]);
/** "18:02 UTC" today, else with its date. Returns `text`. */
const char *command_time(int64_t at_s, char text[static COMMAND_AGE_BYTES]);
void command_help(struct command *command, const char *argument);
void command_mfa(struct command *command, const char *argument);
void command_known_hosts(struct command *command, const char *argument);
/* command_reach.c */
void command_targets(struct command *command, const char *argument);
void command_ssh_config(struct command *command, const char *argument);
/** How many targets. */
unsigned command_count_targets(const struct connection *connection);
struct policy_reach;
/** A host to write down: the first that is no pattern, else a place for one. */
struct cursor command_example_host(const struct policy_reach *reach);
/* command_database.c */
/** The certificate of the CA that answers for databases where clients use TLS. */
void command_database_ca(struct command *command, const char *argument);
/** What to type to reach a database: the tunnel and the client's own line. */
void command_database(struct command *command, const struct policy_reach *reach, const char *jump);
/* command_past.c */
void command_why(struct command *command, const char *argument);
void command_sessions(struct command *command, const char *argument);

/* past.c: what `why` and `sessions` remember */
void past_denied(const struct connection *connection, const struct access *access, const char *code,
                 const char *sentence);
void past_opened(const struct access *access);
void past_ended(struct monitor *monitor, const struct recording *recording, const char *how);

/* status.c */
/** Write the file when something changed, and every few seconds. */
void status_tick(struct monitor *monitor, uint64_t now_us);
/** The last word: the daemon has ended. */
void status_stopped(struct monitor *monitor);

/* policy_file.c */
/** @param ret_bytes OWNED, free() */
MUST_CHECK enum err policy_file_read(const struct monitor *monitor, uint8_t **ret_bytes, size_t *ret_len,
                                     char *ret_sentence, size_t size_bytes);
/** Load these bytes and report what is found in them. @param ret OWNED */
MUST_CHECK enum err policy_file_compile(struct monitor *monitor, struct cursor bytes, struct policy **ret,
                                        char *ret_sentence, size_t size_bytes);
/** The policy that is in force from now on. @param policy  becomes ours  @return the one before, the caller's
 */
struct policy *policy_file_adopt(struct monitor *monitor, struct policy *policy);
/** At start: all of it. */
MUST_CHECK enum err policy_file_load(struct monitor *monitor, char *ret_sentence, size_t size_bytes);
/** The keys of a person. @param ret_bytes OWNED, free(). @return ERR_NOT_FOUND and others of
 * fd_read_trusted_file(). */
MUST_CHECK enum err policy_file_keys(struct monitor *monitor, const char *person, uint8_t **ret_bytes,
                                     size_t *ret_len);
/** A file that looks like a person's keys and admits nobody: what is read for names without one. */
MUST_CHECK enum err policy_file_make_decoy(struct monitor *monitor);
MUST_CHECK enum err policy_file_decoy(struct monitor *monitor, uint8_t **ret_bytes, size_t *ret_len);

/* policy_keep.c: policies that were in force once, for questions about the past */
/** Keep the bundle of the policy in force under its hash; what is there already stays. A failure is an event.
 */
void policy_keep(struct monitor *monitor, struct cursor bundle);
enum { POLICY_DIFFERENCES_BYTES = 3072 };
/** "2 gained, 1 lost: + alice: shell on node1 as root; ..."; cut to size. */
void policy_differences(const struct policy *before, const struct policy *after,
                        char text[static POLICY_DIFFERENCES_BYTES]);

/* policy_reload.c */
/** Read the file and have a child judge it; what comes of it is reported and, when good, put in force a
 * moment later. Asked again meanwhile, it is done again. */
void policy_reload(struct monitor *monitor);
void policy_reload_done(struct policy_reload *reload);

/* policy_live.c */
/** Hold all that is open against the policy that is in force now; what it no longer allows is ended.
 *  @param before  the one that was in force  @return how many sessions and connections were ended */
unsigned policy_live_check(struct monitor *monitor, const struct policy *before);

/* listener.c */
MUST_CHECK enum err listener_start(struct monitor *monitor, struct monitor_refusal *ret_why);
void listener_stop(struct monitor *monitor);
/** An IPv4 or IPv6 address without port, and its port. An IPv4 address in IPv6 clothes is shown as IPv4. */
void listener_address_text(const struct sockaddr_storage *address, char text[static LIMIT_ADDRESS_BYTES],
                           uint16_t *ret_port);

#endif
