/* One recording, found, verified, opened and looked through: what replay and export begin with. */
#ifndef BASTION_SHOW_H
#define BASTION_SHOW_H

#include "command.h"
#include "record/verify.h"
#include "replay/recording.h"

/** What is asked for. */
struct show_request {
    const char *command; /* its name, for messages */
    const char *id;
    struct common common;
    uint64_t channel; /* 1.. as listed; 0: choose one */
    bool is_forced;   /* also when the verification finds a fault */
    bool is_quiet;    /* do not describe it on stderr */
};

enum { SHOW_SENTENCE_BYTES = 2048 };

/** OWNED, show_close(). */
struct show {
    char sid[REPLAY_SID_BYTES], path[REPLAY_PATH_BYTES];
    struct replay_recording recording;
    struct replay_survey survey;
    bool has_key;     /* the public key of the evidence log is known */
    bool is_verified; /* ... and the log was there, so that `verdict` holds */
    enum record_verdict verdict;
    char sentence[SHOW_SENTENCE_BYTES];
    size_t part; /* SIZE_MAX: nothing in it can be shown */
};

/** Says on stderr what it finds, or why not. @return COMMAND_OK, or the exit code. */
int show_open(const struct show_request *request, struct show **ret_show);
void show_close(struct show **show);
#define OWNED_SHOW __attribute__((cleanup(show_close))) struct show

/** "mira ec2-user@db.internal: uname -a", printable. Returns `text`. */
enum { SHOW_TITLE_BYTES = 1024 };
const char *show_title(const struct show *show, char text[static SHOW_TITLE_BYTES]);

/* --- watch.c: the player in a terminal ---------------------------------------------------------------- */

struct watch_request {
    uint32_t speed_permille;
    uint64_t idle_limit_us, at_us;
    bool is_raw; /* recorded bytes go to the terminal as they are */
};
/** Standard input and output are terminals. Returns an exit code. */
int watch(struct show *show, const struct watch_request *request);

/* --- pour.c: everything at once ----------------------------------------------------------------------- */

/** The filtered (or raw) output to stdout, errors of commands to stderr. Returns an exit code. */
int pour_output(struct show *show, bool is_raw, bool shows_removed);
/** The text as a person read it, line by line, without any sequence. */
int pour_lines(struct show *show);
/** One line for each record but output. */
int pour_records(struct show *show, bool is_json);

#endif
