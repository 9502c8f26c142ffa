/* The questions of PAM modules, carried to the engineer by way of the monitor. */
#ifndef BASTION_PAM_CONVERSATION_H
#define BASTION_PAM_CONVERSATION_H

#include <security/pam_appl.h>

#include "ipc/message.h"

enum {
    CONVERSATION_PROMPTS_MAX = 16, /* the row of PAM_PROMPT in ipc/messages.def */
    CONVERSATION_TEXT_BYTES = 1024,
    CONVERSATION_ANSWER_BYTES = 512, /* PAM_MAX_RESP_SIZE */
};

struct conversation {
    struct ipc_ledger ledger;
    struct ipc_message message;
    unsigned prompt_count; /* everything sent so far */
    unsigned answer_count;
};

/** The function that PAM calls (pam_conv(3)); `appdata` is a struct conversation. */
int conversation_run(int count, const struct pam_message **messages, struct pam_response **ret_responses,
                     void *appdata);
/** Ask one question whose answer is of no interest, with the words of pam_oath: a person without a secret
 * then sees what a person with one sees. */
void conversation_ask_in_vain(struct conversation *conversation, const char *person);

#endif
