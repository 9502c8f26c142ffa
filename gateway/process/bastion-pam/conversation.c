#include "conversation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/writer.h"
#include "ipc/channel.h"

/* PAM_PROMPT: 0 echo off, 1 echo on, 2 information, 3 error. @return false for a style that is none of these.
 */
static bool style_of(int pam_style, uint8_t *ret_style)
{
    static const struct {
        int pam_style;
        uint8_t style;
    } STYLES[] = {{PAM_PROMPT_ECHO_OFF, 0}, {PAM_PROMPT_ECHO_ON, 1}, {PAM_TEXT_INFO, 2}, {PAM_ERROR_MSG, 3}};
    for (size_t i = 0; i < sizeof STYLES / sizeof STYLES[0]; i++) {
        if (STYLES[i].pam_style == pam_style) {
            *ret_style = STYLES[i].style;
            return true;
        }
    }
    return false;
}

/* A module's text for a terminal: printable line by line, cut. */
static void clean_text(const char *text, char ret_clean[static CONVERSATION_TEXT_BYTES])
{
    struct cursor rest = cursor_of_text(text == NULL ? "" : text);
    struct cursor line;
    size_t used = 0;
    ret_clean[0] = 0;
    while (cursor_line(&rest, &line) && used + 2 < CONVERSATION_TEXT_BYTES) {
        bool has_more = line.end != rest.end;
        text_printable(line, ret_clean + used, CONVERSATION_TEXT_BYTES - used - 1);
        used += strlen(ret_clean + used);
        if (has_more) {
            ret_clean[used++] = '\n';
            ret_clean[used] = 0;
        }
    }
}

static enum err send_prompt(struct conversation *conversation, uint8_t style, const char *text)
{
    if (conversation->prompt_count >= CONVERSATION_PROMPTS_MAX) {
        return ERR_TOO_LARGE;
    }
    conversation->prompt_count++;
    char clean[CONVERSATION_TEXT_BYTES];
    clean_text(text, clean);
    uint8_t memory[CONVERSATION_TEXT_BYTES + 8];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u8(&out, style);
    writer_text(&out, clean);
    struct cursor body;
    TRY(writer_done(&out, &body));
    return ipc_send(IPC_CHANNEL_FD, IPC_PAM_PROMPT, 0, body, NULL, 0);
}

static enum err receive_answer(struct conversation *conversation,
                               char ret_answer[static CONVERSATION_ANSWER_BYTES])
{
    enum err err = ERR_AGAIN;
    while (err == ERR_AGAIN) {
        TRY(ipc_wait(IPC_CHANNEL_FD, -1)); /* alarm(2) in main() bounds it */
        err = ipc_receive(IPC_CHANNEL_FD, &conversation->message);
    }
    TRY(err);
    struct ipc_message *message = &conversation->message;
    err = ipc_check(&conversation->ledger, message, PEER_MONITOR, PEER_PAM, PHASE_KEX);
    ipc_message_done(message);
    TRY(err);
    if (message->type != IPC_PAM_ANSWER) {
        return ERR_STATE;
    }
    conversation->answer_count++;
    TRY(cursor_text(&message->body, ret_answer, CONVERSATION_ANSWER_BYTES));
    return cursor_end(&message->body);
}

/* Sends one message of a module; `ret_answer` is NULL afterwards where none is due. */
static enum err ask(struct conversation *conversation, int pam_style, const char *text, char **ret_answer)
{
    uint8_t style = 0;
    *ret_answer = NULL;
    if (!style_of(pam_style, &style)) {
        return ERR_MALFORMED;
    }
    TRY(send_prompt(conversation, style, text));
    bool wants_answer = pam_style == PAM_PROMPT_ECHO_OFF || pam_style == PAM_PROMPT_ECHO_ON;
    if (!wants_answer) {
        return ERR_NONE;
    }
    char answer[CONVERSATION_ANSWER_BYTES];
    enum err err = receive_answer(conversation, answer);
    secret_wipe(conversation->message.bytes, sizeof conversation->message.bytes);
    if (err == ERR_NONE) {
        *ret_answer = strdup(answer);
        err = *ret_answer == NULL ? ERR_MEMORY : ERR_NONE;
    }
    secret_wipe(answer, sizeof answer);
    return err;
}

static void free_responses(struct pam_response *responses, int count)
{
    for (int i = 0; i < count; i++) {
        if (responses[i].resp != NULL) {
            secret_wipe(responses[i].resp, strlen(responses[i].resp));
            free(responses[i].resp);
        }
    }
    free(responses);
}

int conversation_run(int count, const struct pam_message **messages, struct pam_response **ret_responses,
                     void *appdata)
{
    if (count <= 0 || count > PAM_MAX_NUM_MSG) {
        return PAM_CONV_ERR;
    }
    struct pam_response *responses = calloc((size_t)count, sizeof *responses);
    if (responses == NULL) {
        return PAM_BUF_ERR;
    }
    for (int i = 0; i < count; i++) {
        if (ask(appdata, messages[i]->msg_style, messages[i]->msg, &responses[i].resp) != ERR_NONE) {
            free_responses(responses, count);
            return PAM_CONV_ERR;
        }
    }
    *ret_responses = responses; /* the module frees them */
    return PAM_SUCCESS;
}

void conversation_ask_in_vain(struct conversation *conversation, const char *person)
{
    char prompt[64 + LIMIT_PERSON_BYTES];
    (void)snprintf(prompt, sizeof prompt, "One-time password (OATH) for `%s': ", person);
    char *answer = NULL;
    if (ask(conversation, PAM_PROMPT_ECHO_OFF, prompt, &answer) == ERR_NONE && answer != NULL) {
        secret_wipe(answer, strlen(answer));
    }
    free(answer);
}
