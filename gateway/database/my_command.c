/* What each message of the client means: whether it passes, and what is recorded of it. */
#include "my_state.h"
#include "redact.h"

#define LAST_PREPARED UINT32_MAX /* MariaDB: the statement that was prepared last */

/* A message that waits for its answer. */
static void expect(struct my_relay *my, enum my_reply_kind kind, uint32_t number)
{
    struct my_waiting *waiting = my_waiting_push(my);
    waiting->kind = kind;
    waiting->number = number;
    waiting->is_recorded = number != 0;
}

static enum err refuse(struct my_decision *decision, const struct my_error *error, const char *reason)
{
    *decision = (struct my_decision){.rest = MY_REST_DROP, .error = error, .reason = reason};
    return ERR_NONE;
}

static enum err read_id(struct cursor *in, uint32_t *ret_id)
{
    uint64_t id = 0;
    TRY(cursor_uint_le(in, 4, &id));
    *ret_id = (uint32_t)id;
    return ERR_NONE;
}

/* The number of a statement, as text. */
static struct cursor decimal(uint64_t value, char memory[static 20])
{
    size_t at = 20;
    do {
        memory[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return cursor_of(memory + at, 20 - at);
}

/* A statement that is told by its name alone, or by a short text. */
static enum err record_short(struct my_relay *my, uint8_t operation, const char *name, uint32_t of,
                             struct cursor text)
{
    return my_record_statement(my, &(const struct record_db_statement){.number = ++my->common.last_number,
                                                                       .operation = operation,
                                                                       .of = of,
                                                                       .text_bytes = cursor_len(&text),
                                                                       .name = cursor_of_text(name),
                                                                       .text = text});
}

/* Texts */

/* @param text  the first bytes of it; the statement says how many there are in all */
static enum err record_text(struct my_relay *my, struct record_db_statement statement, struct cursor text,
                            bool *ret_is_secret)
{
    struct cursor shown;
    TRY(db_redact(DB_MYSQL, text, &my->scratch, &shown, ret_is_secret));
    if (*ret_is_secret) {
        statement.text_bytes = RECORD_DB_LENGTH_LATER; /* what is shown has another length */
    }
    statement.number = ++my->common.last_number;
    my_keep_begin(&my->text, statement.number, RECORD_DB_WHAT_TEXT, 0, statement.text_bytes,
                  RECORD_DB_KEPT_BYTES);
    statement.text = my_keep_first(&my->text, shown);
    TRY(my_record_statement(my, &statement));
    TRY(my_keep_add(&my->common, &my->text, shown, cursor_len(&statement.text)));
    if (*ret_is_secret) {
        my_keep_hide(&my->text, cursor_len(&text));
        queue_consume(&my->scratch, queue_len(&my->scratch));
    }
    return ERR_NONE;
}

static enum err decide_text(struct my_relay *my, struct cursor text, uint64_t total_bytes,
                            struct my_decision *decision)
{
    bool is_prepare = my->message.command == MY_PREPARE;
    bool is_secret = false;
    const struct record_db_statement statement = {
        .operation = is_prepare ? RECORD_DB_PREPARE : RECORD_DB_QUERY,
        .text_bytes = total_bytes == RECORD_DB_LENGTH_LATER ? total_bytes : total_bytes - 1};
    TRY(record_text(my, statement, text, &is_secret));
    expect(my, is_prepare ? MY_REPLY_PREPARED : MY_REPLY_RESULT, my->common.last_number);
    my_waiting_last(my)->is_secret = is_secret;
    decision->rest = MY_REST_TEXT;
    return ERR_NONE;
}

/* Users and databases */

static bool is_allowed(struct my_relay *my, struct cursor user, struct cursor database,
                       const char **ret_reason)
{
    const struct db_rights *rights = &my->common.rights;
    *ret_reason = "the policy does not allow it";
    return rights->allows != NULL && rights->allows(rights->owner, user, database, ret_reason);
}

/* "user@database", for people. */
static enum err record_refused(struct my_relay *my, struct cursor user, struct cursor database,
                               const char *reason)
{
    char what[2 * MY_NAME_BYTES + 64];
    struct writer out = writer_of(what, sizeof what);
    struct cursor written;
    writer_bytes(&out, cursor_of_text("database "));
    writer_bytes(&out, database);
    writer_bytes(&out, cursor_of_text(" as "));
    my_write_name(&out, user);
    TRY(writer_done(&out, &written));
    return db_record_refused(&my->common, what, reason);
}

static enum err decide_database(struct my_relay *my, struct cursor name, struct my_decision *decision)
{
    const char *reason = NULL;
    struct cursor user = cursor_of_text(my->user);
    if (cursor_len(&name) > MY_NAME_BYTES) {
        return refuse(decision, &MY_DATABASE_DENIED, "the name of the database is too long");
    }
    if (!is_allowed(my, user, name, &reason)) {
        TRY(record_refused(my, user, name, reason));
        return refuse(decision, &MY_DATABASE_DENIED, reason);
    }
    TRY(record_short(my, RECORD_DB_CHANGE_DATABASE, "", 0, name));
    expect(my, MY_REPLY_OK, my->common.last_number);
    return ERR_NONE;
}

static enum err decide_user(struct my_relay *my, struct cursor head, struct my_decision *decision)
{
    const char *reason = NULL;
    TRY(secret_set(&my->login_bytes, head));
    struct my_login *login = &my->login;
    if (my_read_change_user(secret_peek(&my->login_bytes), my->capabilities, login) != ERR_NONE) {
        return refuse(decision, &MY_UNKNOWN_COMMAND, "the change of user is malformed");
    }
    bool is_refused = my->common.config.login == DB_LOGIN_TOKEN;
    if (is_refused) {
        reason = "the bastion logs in to this target itself: the user of a connection stays";
    } else {
        is_refused = !is_allowed(my, login->user, login->database, &reason);
    }
    if (is_refused) {
        TRY(record_refused(my, login->user, login->database, reason));
        return refuse(decision, &MY_ACCESS_DENIED, reason);
    }
    uint8_t memory[2 * MY_NAME_BYTES + 1];
    struct writer out = writer_of(memory, sizeof memory);
    struct cursor text;
    writer_bytes(&out, login->user);
    writer_u8(&out, ' ');
    writer_bytes(&out, login->database);
    TRY(writer_done(&out, &text));
    TRY(record_short(my, RECORD_DB_CHANGE_USER, "", 0, text));
    TRY(my_longs_end(my, NULL));
    expect(my, MY_REPLY_LOGIN, my->common.last_number);
    decision->rest = MY_REST_LOGIN;
    return ERR_NONE;
}

/* Prepared statements */

static uint32_t number_of(const struct my_statement *statement)
{
    return statement == NULL ? 0 : statement->number;
}

static bool is_prepare_due(const struct my_relay *my)
{
    for (size_t i = 0; i < my->waiting_count; i++) {
        if (my->waiting[(my->first_waiting + i) % MY_WAITING_MAX].kind == MY_REPLY_PREPARED) {
            return true;
        }
    }
    return false;
}

static enum err decide_execute(struct my_relay *my, struct cursor in, struct my_decision *decision)
{
    enum { FLAGS_BYTES = 1 + 4 }; /* kind of cursor, iterations */
    uint32_t id = 0;
    struct cursor flags;
    if (read_id(&in, &id) != ERR_NONE || cursor_bytes(&in, FLAGS_BYTES, &flags) != ERR_NONE) {
        return refuse(decision, &MY_UNKNOWN_COMMAND, "the execution of a statement is cut short");
    }
    bool is_last = id == LAST_PREPARED;
    if (is_prepare_due(my)) {
        /* How many parameters it has may be in an answer that is on its way; and while its parameters are
         * read no answer may change what is known about it. */
        decision->is_held = true;
        return ERR_NONE;
    }
    struct my_statement *statement = NULL;
    if (!is_last || my->has_last_prepared) {
        statement = my_statements_find(&my->statements, is_last ? my->last_prepared_id : id);
    }
    char digits[20];
    const struct record_db_statement record = {.number = ++my->common.last_number,
                                               .operation = RECORD_DB_EXECUTE,
                                               .of = number_of(statement),
                                               .name =
                                                   is_last ? cursor_of_text("last") : decimal(id, digits)};
    TRY(my_record_statement(my, &record));
    if (statement != NULL) {
        statement->execution = record.number;
    }
    expect(my, MY_REPLY_RESULT, record.number);
    my_waiting_last(my)->is_secret = statement != NULL && statement->is_secret;
    my_values_begin(my, statement, record.number);
    decision->rest = MY_REST_VALUES;
    return my_values_add(my, in);
}

static enum err decide_fetch(struct my_relay *my, struct cursor in, struct my_decision *decision)
{
    uint32_t id = 0;
    if (read_id(&in, &id) != ERR_NONE) {
        return refuse(decision, &MY_UNKNOWN_COMMAND, "a fetch of rows is cut short");
    }
    const struct my_statement *statement = my_statements_find(&my->statements, id);
    uint32_t execution = statement == NULL ? 0 : statement->execution;
    if (execution == 0) {
        char digits[20];
        TRY(record_short(my, RECORD_DB_COMMAND, "fetch", number_of(statement), decimal(id, digits)));
        execution = my->common.last_number;
    }
    expect(my, MY_REPLY_ROWS, execution); /* the rows belong to the statement that opened the cursor */
    return ERR_NONE;
}

static enum err decide_close(struct my_relay *my, struct cursor in, struct my_decision *decision)
{
    uint32_t id = 0;
    char digits[20];
    if (read_id(&in, &id) != ERR_NONE) {
        return my_end(my, DB_END_CLIENT, &MY_UNKNOWN_COMMAND, "the end of a statement is cut short");
    }
    TRY(my_longs_end(my, &id));
    uint32_t of = number_of(my_statements_find(&my->statements, id));
    TRY(record_short(my, RECORD_DB_CLOSE, "", of, decimal(id, digits)));
    my_statements_drop(&my->statements, id);
    my->has_last_prepared = my->has_last_prepared && my->last_prepared_id != id;
    decision->rest = MY_REST_CLOSE;
    return ERR_NONE;
}

static enum err decide_reset(struct my_relay *my, struct cursor in, struct my_decision *decision)
{
    uint32_t id = 0;
    char digits[20];
    if (read_id(&in, &id) != ERR_NONE) {
        return refuse(decision, &MY_UNKNOWN_COMMAND, "the reset of a statement is cut short");
    }
    TRY(my_longs_end(my, &id));
    uint32_t of = number_of(my_statements_find(&my->statements, id));
    TRY(record_short(my, RECORD_DB_COMMAND, "reset statement", of, decimal(id, digits)));
    expect(my, MY_REPLY_OK, my->common.last_number);
    return ERR_NONE;
}

/* The rest */

/* What follows a command: nothing, a number of up to four bytes, or a name. */
static struct cursor read_argument(uint8_t command, struct cursor in, char memory[static 20])
{
    enum { NUMBER_BYTES = 4 };
    uint64_t value = 0;
    size_t len_bytes = cursor_len(&in);
    if (command == MY_FIELD_LIST) {
        struct cursor table;
        return cursor_until_nul(&in, MY_HEAD_BYTES, &table) == ERR_NONE ? table : in;
    }
    bool is_number =
        len_bytes > 0 && len_bytes <= NUMBER_BYTES && cursor_uint_le(&in, len_bytes, &value) == ERR_NONE;
    return is_number ? decimal(value, memory) : in;
}

enum command_form {
    FORM_UNKNOWN = 0, /* does not pass */
    FORM_OWN,
    FORM_OWN_QUIET, /* waits for the answers to all that came before */
    FORM_PLAIN,     /* told by its name */
};
struct command_row {
    enum command_form form;
    enum my_reply_kind reply;
    const char *name;
};
static const struct command_row ROWS[MY_COMMANDS] = {
    [MY_QUIT] = {.form = FORM_OWN_QUIET},
    [MY_INIT_DB] = {.form = FORM_OWN_QUIET}, /* it may be refused, and then we answer */
    [MY_QUERY] = {.form = FORM_OWN},
    [MY_FIELD_LIST] = {FORM_PLAIN, MY_REPLY_FIELDS, "field list"},
    [MY_REFRESH] = {FORM_PLAIN, MY_REPLY_OK, "refresh"},
    [MY_SHUTDOWN] = {FORM_PLAIN, MY_REPLY_OK, "shutdown"},
    [MY_STATISTICS] = {FORM_PLAIN, MY_REPLY_TEXT, "statistics"},
    [MY_PROCESS_INFO] = {FORM_PLAIN, MY_REPLY_RESULT, "process info"},
    [MY_PROCESS_KILL] = {FORM_PLAIN, MY_REPLY_OK, "process kill"},
    [MY_DEBUG] = {FORM_PLAIN, MY_REPLY_OK, "debug"},
    [MY_PING] = {.form = FORM_OWN},
    [MY_CHANGE_USER] = {.form = FORM_OWN_QUIET},
    [MY_PREPARE] = {.form = FORM_OWN},
    [MY_EXECUTE] = {.form = FORM_OWN},
    [MY_LONG_DATA] = {.form = FORM_OWN},
    [MY_CLOSE] = {.form = FORM_OWN},
    [MY_RESET] = {.form = FORM_OWN},
    [MY_SET_OPTION] = {FORM_PLAIN, MY_REPLY_OK, "set option"},
    [MY_FETCH] = {.form = FORM_OWN},
    [MY_RESET_CONNECTION] = {FORM_PLAIN, MY_REPLY_CLEARED, "reset connection"},
};

static struct command_row row_of(uint8_t command)
{
    return command < MY_COMMANDS ? ROWS[command] : (struct command_row){.form = FORM_UNKNOWN};
}

static enum err decide_other(struct my_relay *my, uint8_t command, struct cursor in,
                             struct my_decision *decision)
{
    const struct command_row row = row_of(command);
    if (row.form != FORM_PLAIN) {
        TRY(db_record_refused(&my->common, "a command of the protocol",
                              "replication, bulk operations and unknown commands do not pass"));
        return refuse(decision, &MY_UNKNOWN_COMMAND,
                      "the bastion does not pass this command (replication, bulk operations, unknown)");
    }
    char digits[20];
    struct cursor argument = read_argument(command, in, digits);
    TRY(record_short(my, RECORD_DB_COMMAND, row.name, 0, argument));
    if (command == MY_RESET_CONNECTION) {
        TRY(my_longs_end(my, NULL));
    }
    expect(my, row.reply, my->common.last_number);
    return ERR_NONE;
}

/* May it be looked at now? */
static bool is_held(struct my_relay *my, uint8_t command)
{
    const struct my_waiting *last = my_waiting_last(my);
    if (last == NULL) {
        return false;
    }
    enum command_form form = row_of(command).form;
    bool is_quiet = form == FORM_UNKNOWN || form == FORM_OWN_QUIET;
    /* After a reset of the connection the numbers of statements mean nothing any more. */
    return is_quiet || my->waiting_count == MY_WAITING_MAX || last->kind == MY_REPLY_CLEARED;
}

enum err my_decide(struct my_relay *my, struct cursor head, uint64_t total_bytes,
                   struct my_decision *ret_decision)
{
    struct cursor in = head;
    uint8_t command = 0;
    TRY(cursor_u8(&in, &command));
    if (is_held(my, command)) {
        ret_decision->is_held = true;
        return ERR_NONE;
    }
    bool is_long = total_bytes > cursor_len(&head);
    if (is_long && command != MY_QUERY && command != MY_PREPARE && command != MY_EXECUTE &&
        command != MY_LONG_DATA) {
        return my_end(my, DB_END_CLIENT, &MY_UNKNOWN_COMMAND, "a message of the client is too long");
    }
    my->message.command = command;
    switch (command) {
    case MY_QUIT:
        ret_decision->rest = MY_REST_GOODBYE;
        return ERR_NONE;
    case MY_PING:
        expect(my, MY_REPLY_OK, 0);
        return ERR_NONE;
    case MY_QUERY:
    case MY_PREPARE:
        return decide_text(my, in, total_bytes, ret_decision);
    case MY_INIT_DB:
        return decide_database(my, in, ret_decision);
    case MY_CHANGE_USER:
        return decide_user(my, head, ret_decision);
    case MY_EXECUTE:
        return decide_execute(my, in, ret_decision);
    case MY_LONG_DATA:
        return my_decide_long(my, in, ret_decision);
    case MY_CLOSE:
        return decide_close(my, in, ret_decision);
    case MY_RESET:
        return decide_reset(my, in, ret_decision);
    case MY_FETCH:
        return decide_fetch(my, in, ret_decision);
    default:
        return decide_other(my, command, in, ret_decision);
    }
}

enum err my_rest_add(struct my_relay *my, struct cursor bytes)
{
    switch ((int)my->message.rest) {
    case MY_REST_TEXT:
    case MY_REST_FILE:
        return my_keep_add(&my->common, &my->text, bytes, 0);
    case MY_REST_VALUES:
        return my_values_add(my, bytes);
    case MY_REST_LONG:
        return my_long_add(my, bytes);
    default:
        return ERR_NONE;
    }
}

enum err my_rest_end(struct my_relay *my)
{
    switch ((int)my->message.rest) {
    case MY_REST_TEXT:
        return my_keep_end(&my->common, &my->text, 0);
    case MY_REST_FILE:
        return my->is_sending_file ? ERR_NONE : my_keep_end(&my->common, &my->text, my->file_packets);
    case MY_REST_VALUES:
        return my_values_end(my);
    default:
        return ERR_NONE;
    }
}
