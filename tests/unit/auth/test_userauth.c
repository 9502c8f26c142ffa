#include "auth/userauth.h"

#include <stdio.h>
#include <string.h>

#include "base/writer.h"
#include "unit_test.h"

enum { REQUEST = 50, FAILURE = 51, RESPONSE = 61 };

/* What the value did, in order, as one text: "ask(alice) 51(publickey) ..." */
struct trace {
    char text[2048];
};

static void add(struct trace *trace, const char *what, const char *detail)
{
    size_t used = strlen(trace->text);
    (void)snprintf(trace->text + used, sizeof trace->text - used, "%s%s(%s)", used > 0 ? " " : "", what,
                   detail);
}

static enum err on_send(void *owner, uint8_t type, struct cursor payload)
{
    char number[8];
    char detail[256] = "?";
    (void)snprintf(number, sizeof number, "%u", type);
    assert_int_equal(cursor_text(&payload, detail, sizeof detail), ERR_NONE);
    if (type == FAILURE) {
        bool is_partial = false;
        assert_int_equal(cursor_bool(&payload, &is_partial), ERR_NONE);
        (void)strcat(detail, is_partial ? ",partial" : "");
    }
    add(owner, number, detail);
    return ERR_NONE;
}

static enum err on_ask(void *owner, const struct userauth_request *request)
{
    add(owner, cursor_len(&request->signature) > 0 ? "ask" : "probe", request->user);
    return ERR_NONE;
}

static enum err on_ask_factor(void *owner)
{
    add(owner, "factor", "");
    return ERR_NONE;
}

static enum err on_answer(void *owner, struct cursor text)
{
    char detail[64];
    (void)snprintf(detail, sizeof detail, "%.*s", (int)cursor_len(&text), (const char *)text.at);
    add(owner, "answer", detail);
    return ERR_NONE;
}

static enum err on_prompt(void *owner, const char *instruction, const char *prompt, bool is_echoed)
{
    char detail[256];
    (void)snprintf(detail, sizeof detail, "%s|%s|%d", instruction, prompt == NULL ? "" : prompt, is_echoed);
    add(owner, "prompt", detail);
    return ERR_NONE;
}

static enum err on_accept(void *owner)
{
    add(owner, "accept", "");
    return ERR_NONE;
}

static const struct userauth_events EVENTS = {.send = on_send,
                                              .ask = on_ask,
                                              .ask_factor = on_ask_factor,
                                              .answer_factor = on_answer,
                                              .prompt = on_prompt,
                                              .accept = on_accept};

static struct cursor finish(struct writer *out)
{
    struct cursor payload;
    assert_int_equal(writer_done(out, &payload), ERR_NONE);
    return payload;
}

static void begin(struct writer *out, const char *user, const char *method)
{
    writer_text(out, user);
    writer_text(out, "ssh-connection");
    writer_text(out, method);
}

static enum err send_simple(struct userauth *auth, const char *user, const char *method)
{
    uint8_t memory[256];
    struct writer out = writer_of(memory, sizeof memory);
    begin(&out, user, method);
    if (strcmp(method, "keyboard-interactive") == 0) {
        writer_text(&out, "");
        writer_text(&out, "");
    }
    return userauth_packet(auth, REQUEST, finish(&out));
}

static struct cursor publickey(uint8_t *memory, size_t size, const char *user, bool has_signature,
                               bool is_hostbound)
{
    struct writer out = writer_of(memory, size);
    begin(&out, user, is_hostbound ? "publickey-hostbound-v00@openssh.com" : "publickey");
    writer_bool(&out, has_signature);
    writer_text(&out, "ssh-ed25519");
    writer_text(&out, "BLOB");
    if (is_hostbound) {
        writer_text(&out, "HOSTKEY");
    }
    if (has_signature) {
        writer_text(&out, "SIGNATURE");
    }
    return finish(&out);
}

static enum err send_publickey(struct userauth *auth, const char *user, bool has_signature)
{
    uint8_t memory[512];
    return userauth_packet(auth, REQUEST, publickey(memory, sizeof memory, user, has_signature, false));
}

static enum err send_response(struct userauth *auth, const char *text)
{
    uint8_t memory[128];
    struct writer out = writer_of(memory, sizeof memory);
    writer_u32be(&out, 1);
    writer_text(&out, text);
    return userauth_packet(auth, RESPONSE, finish(&out));
}

static void whole_login_takes_key_then_factor(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
    assert_int_equal(send_simple(&auth, "alice", "none"), ERR_NONE);
    assert_int_equal(send_publickey(&auth, "alice", false), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_KEY_USABLE, ""), ERR_NONE);
    assert_int_equal(send_publickey(&auth, "alice", true), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_FACTOR_NEEDED, ""), ERR_NONE);
    assert_int_equal(send_simple(&auth, "alice", "keyboard-interactive"), ERR_NONE);
    assert_int_equal(userauth_factor_prompt(&auth, 2, "Hello"), ERR_NONE);
    assert_int_equal(userauth_factor_prompt(&auth, 0, "Code: "), ERR_NONE);
    assert_int_equal(send_response(&auth, "123456"), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_ACCEPTED, ""), ERR_NONE);
    assert_string_equal(
        trace.text,
        "51(publickey) probe(alice) 60(ssh-ed25519) ask(alice) "
        "51(keyboard-interactive,partial) factor() 53(bastion: Hello\r\n) prompt(|Code: |0) answer(123456) "
        "accept()");
    userauth_done(&auth);
}

static void wrong_code_is_told_and_may_be_tried_again(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
    assert_int_equal(send_publickey(&auth, "alice", true), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_FACTOR_NEEDED, ""), ERR_NONE);
    assert_int_equal(send_simple(&auth, "alice", "keyboard-interactive"), ERR_NONE);
    assert_int_equal(userauth_factor_prompt(&auth, 0, "Code: "), ERR_NONE);
    assert_int_equal(send_response(&auth, "1"), ERR_NONE);
    assert_int_equal(userauth_factor_failed(&auth, "no"), ERR_NONE);
    assert_int_equal(send_simple(&auth, "alice", "keyboard-interactive"), ERR_NONE);
    assert_string_equal(trace.text,
                        "ask(alice) 51(keyboard-interactive,partial) factor() prompt(|Code: |0) answer(1) "
                        "53(bastion: no\r\n) 51(keyboard-interactive) factor()");
    userauth_done(&auth);
}

static void held_client_is_told_and_answered_later(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
    assert_int_equal(send_publickey(&auth, "alice", true), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_HELD, "wait"), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_ACCEPTED, ""), ERR_NONE);
    assert_string_equal(trace.text, "ask(alice) 53(bastion: wait\r\n) accept()");
    assert_int_equal(userauth_answer(&auth, USERAUTH_HELD, "wait"), ERR_STATE);
    userauth_done(&auth);
}

static void inner_denial_after_a_factor_is_answered(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_INNER, &EVENTS, &trace);
    assert_int_equal(userauth_factor_passed(&auth), ERR_STATE);
    assert_int_equal(send_simple(&auth, "u", "none"), ERR_NONE);
    assert_int_equal(userauth_factor_passed(&auth), ERR_STATE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_FACTOR_NEEDED, ""), ERR_NONE);
    assert_int_equal(send_simple(&auth, "u", "keyboard-interactive"), ERR_NONE);
    assert_int_equal(userauth_factor_passed(&auth), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_FAILED, "no"), ERR_NONE);
    assert_string_equal(trace.text, "probe(u) 51(keyboard-interactive,partial) factor() 53(bastion: no\r\n) "
                                    "51(refused@bastion)");
    userauth_done(&auth);
}

static void factor_without_key_is_never_asked(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
    assert_int_equal(send_simple(&auth, "alice", "keyboard-interactive"), ERR_NONE);
    assert_int_equal(send_simple(&auth, "alice", "password"), ERR_NONE);
    assert_int_equal(send_simple(&auth, "alice", "gssapi-with-mic"), ERR_NONE);
    assert_int_equal(send_simple(&auth, "alice", "hostbased"), ERR_NONE);
    assert_string_equal(trace.text, "51(publickey) 51(publickey) 51(publickey) 51(publickey)");
    assert_int_equal(auth.failures, 4);
    userauth_done(&auth);
}

static void unasked_answer_ends_the_connection(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
    assert_int_equal(send_response(&auth, "x"), ERR_STATE);
    assert_int_equal(send_publickey(&auth, "alice", true), ERR_NONE);
    assert_int_equal(send_response(&auth, "x"), ERR_STATE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_FACTOR_NEEDED, ""), ERR_NONE);
    assert_int_equal(send_simple(&auth, "alice", "keyboard-interactive"), ERR_NONE);
    assert_int_equal(send_response(&auth, "x"), ERR_STATE);
    assert_int_equal(userauth_factor_prompt(&auth, 0, "Code: "), ERR_NONE);
    assert_int_equal(send_response(&auth, "x"), ERR_NONE);
    assert_int_equal(send_response(&auth, "x"), ERR_STATE);
    userauth_done(&auth);
}

static void changed_user_ends_the_connection(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
    assert_int_equal(send_simple(&auth, "alice", "none"), ERR_NONE);
    assert_int_equal(send_simple(&auth, "bob", "none"), ERR_STATE);
    userauth_done(&auth);
}

static void impossible_user_fails_like_an_unknown_one(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
    char long_name[200];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    assert_int_equal(send_publickey(&auth, long_name, true), ERR_NONE);
    assert_int_equal(send_simple(&auth, "", "none"), ERR_NONE);
    assert_string_equal(trace.text, "51(publickey) 51(publickey)");
    userauth_done(&auth);
}

static void request_while_asking_waits_its_turn(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
    assert_int_equal(send_publickey(&auth, "alice", true), ERR_NONE);
    assert_int_equal(send_publickey(&auth, "alice", false), ERR_NONE);
    assert_int_equal(send_publickey(&auth, "alice", false), ERR_TOO_LARGE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_FAILED, ""), ERR_NONE);
    assert_string_equal(trace.text, "ask(alice) 51(publickey) probe(alice)");
    userauth_done(&auth);
}

static void inner_login_asks_for_the_account_whatever_the_method(void **state)
{
    (void)state;
    static const char *const METHODS[] = {"none", "publickey", "password", "keyboard-interactive"};
    for (size_t i = 0; i < COUNT_OF(METHODS); i++) {
        struct trace trace = {{0}};
        struct userauth auth;
        userauth_init(&auth, USERAUTH_INNER, &EVENTS, &trace);
        assert_int_equal(send_simple(&auth, "ec2-user", METHODS[i]), ERR_NONE);
        assert_int_equal(userauth_answer(&auth, USERAUTH_ACCEPTED, ""), ERR_NONE);
        assert_string_equal(trace.text, "probe(ec2-user) accept()");
        userauth_done(&auth);
    }
}

static void inner_denial_is_told_and_bounded(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_INNER, &EVENTS, &trace);
    assert_int_equal(send_simple(&auth, "root", "none"), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_FAILED, "no"), ERR_NONE);
    assert_string_equal(trace.text, "probe(root) 53(bastion: no\r\n) 51(refused@bastion)");
    for (int i = 1; i < USERAUTH_INNER_TRIES; i++) {
        trace = (struct trace){{0}};
        assert_int_equal(send_simple(&auth, "root", "publickey"), ERR_NONE);
        assert_int_equal(userauth_answer(&auth, USERAUTH_FAILED, "no"), ERR_NONE);
        assert_string_equal(trace.text, "probe(root) 51(refused@bastion)"); /* told once */
    }
    assert_int_equal(send_simple(&auth, "root", "none"), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_FAILED, ""), ERR_DENIED);
    userauth_done(&auth);
}

static void inner_step_up_asks_the_factor_then_again_the_account(void **state)
{
    (void)state;
    struct trace trace = {{0}};
    struct userauth auth;
    userauth_init(&auth, USERAUTH_INNER, &EVENTS, &trace);
    assert_int_equal(send_simple(&auth, "deploy", "none"), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_FACTOR_NEEDED, "fresher"), ERR_NONE);
    assert_int_equal(send_simple(&auth, "deploy", "keyboard-interactive"), ERR_NONE);
    assert_int_equal(userauth_factor_prompt(&auth, 0, "Code: "), ERR_NONE);
    assert_int_equal(send_response(&auth, "1"), ERR_NONE);
    assert_int_equal(userauth_answer(&auth, USERAUTH_ACCEPTED, ""), ERR_NONE);
    assert_string_equal(trace.text,
                        "probe(deploy) 53(bastion: fresher\r\n) 51(keyboard-interactive,partial) factor() "
                        "prompt(|Code: |0) answer(1) accept()");
    userauth_done(&auth);
}

static void publickey_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (int form = 0; form < 2; form++) {
        uint8_t memory[512];
        struct cursor whole = publickey(memory, sizeof memory, "alice", true, form == 1);
        for (size_t len = 0; len < cursor_len(&whole); len++) {
            struct trace trace = {{0}};
            struct userauth auth;
            userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
            assert_int_not_equal(userauth_packet(&auth, REQUEST, cursor_of(whole.at, len)), ERR_NONE);
            assert_string_equal(trace.text, "");
            userauth_done(&auth);
        }
        memory[cursor_len(&whole)] = 0;
        struct trace trace = {{0}};
        struct userauth auth;
        userauth_init(&auth, USERAUTH_OUTER, &EVENTS, &trace);
        assert_int_equal(userauth_packet(&auth, REQUEST, cursor_of(whole.at, cursor_len(&whole) + 1)),
                         ERR_MALFORMED);
        userauth_done(&auth);
    }
}

int main(void)
{
    static const struct CMUnitTest TESTS[] = {
        cmocka_unit_test(whole_login_takes_key_then_factor),
        cmocka_unit_test(wrong_code_is_told_and_may_be_tried_again),
        cmocka_unit_test(held_client_is_told_and_answered_later),
        cmocka_unit_test(inner_denial_after_a_factor_is_answered),
        cmocka_unit_test(factor_without_key_is_never_asked),
        cmocka_unit_test(unasked_answer_ends_the_connection),
        cmocka_unit_test(changed_user_ends_the_connection),
        cmocka_unit_test(impossible_user_fails_like_an_unknown_one),
        cmocka_unit_test(request_while_asking_waits_its_turn),
        cmocka_unit_test(inner_login_asks_for_the_account_whatever_the_method),
        cmocka_unit_test(inner_denial_is_told_and_bounded),
        cmocka_unit_test(inner_step_up_asks_the_factor_then_again_the_account),
        cmocka_unit_test(publickey_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(TESTS, NULL, NULL);
}
