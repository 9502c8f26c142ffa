#include "policy/explain.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/writer.h"
#include "policy/calendar.h"
#include "cli.h"
#include "policy/line.h"

enum { LINE_BYTES = GRANT_COMMAND_BYTES + 512 };

/* What the command line says. */
struct question {
    const char *file_name, *user, *from;
    const char *events; /* a log, for a code */
    uint8_t principal_bytes[LIMIT_PRINCIPALS_BYTES];
    struct writer principals;
    struct policy_factor factor;
    int64_t at_s;
    const char *reason;
    enum policy_key key;
    bool is_json;
    char text[LINE_BYTES];
    struct policy_line line;
};

static bool append(char *text, const char *before, const char *word)
{
    size_t used = strlen(text);
    size_t len = (size_t)snprintf(text + used, LINE_BYTES - used, "%s%s", before, word);
    return len < LINE_BYTES - used;
}

/* "exec 'COMMAND' HOST [as ACCOUNT]" becomes "exec HOST [as ACCOUNT]: COMMAND"; all else is joined by blanks.
 */
static bool join(int count, char **words, char *text)
{
    bool has_account = count >= 2 && strcmp(words[count - 2], "as") == 0;
    int host = has_account ? count - 3 : count - 1;
    bool is_compact = false;
    for (int i = 0; i < count; i++) {
        size_t len = strlen(words[i]);
        is_compact = is_compact || strstr(words[i], ": ") != NULL || (len > 0 && words[i][len - 1] == ':');
    }
    bool is_turned = !is_compact && strcmp(words[0], "exec") == 0 && host >= 2;
    bool fits = true;
    text[0] = 0;
    if (!is_turned) {
        for (int i = 0; i < count; i++) {
            fits = fits && append(text, i == 0 ? "" : " ", words[i]);
        }
        return fits;
    }
    fits = append(text, "exec ", words[host]);
    fits = fits && (!has_account || append(text, " as ", words[count - 1]));
    for (int i = 1; i < host; i++) {
        fits = fits && append(text, i == 1 ? ": " : " ", words[i]);
    }
    return fits;
}

static bool read_key(const char *word, enum policy_key *ret)
{
    static const char *const WORDS[] = {"plain", "touched", "verified"};
    for (unsigned i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (strcmp(word, WORDS[i]) == 0) {
            *ret = (enum policy_key)i;
            return true;
        }
    }
    return false;
}

static int read_options(int argc, char **argv, struct question *question)
{
    static const struct option OPTIONS[] = {
        {"user", required_argument, NULL, 'u'},    {"from", required_argument, NULL, 'f'},
        {"mfa-age", required_argument, NULL, 'm'}, {"at", required_argument, NULL, 'a'},
        {"reason", required_argument, NULL, 'r'},  {"key", required_argument, NULL, 'k'},
        {"events", required_argument, NULL, 'e'},  {"principal", required_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},          {NULL, 0, NULL, 0}};
    optind = 0;
    for (int option = 0; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        struct network address;
        switch (option) {
        case 'u':
            question->user = optarg;
            break;
        case 'f':
            question->from = optarg;
            if (network_address(cursor_of_text(optarg), &address) != ERR_NONE) {
                return cli_usage_error("--from needs one numeric address, not ", optarg);
            }
            break;
        case 'm':
            question->factor.has = true;
            if (text_duration_s(cursor_of_text(optarg), &question->factor.age_s) != ERR_NONE) {
                return cli_usage_error("--mfa-age needs a time such as 5m, not ", optarg);
            }
            break;
        case 'a':
            if (!calendar_read_time(cursor_of_text(optarg), &question->at_s)) {
                return cli_usage_error("--at needs a time such as 2026-11-23T10:00:00+01:00, not ", optarg);
            }
            break;
        case 'e':
            question->events = optarg;
            break;
        case 'p':
            writer_text(&question->principals, optarg);
            break;
        case 'r':
            question->reason = optarg;
            break;
        case 'k':
            if (!read_key(optarg, &question->key)) {
                return cli_usage_error("--key needs plain, touched or verified, not ", optarg);
            }
            break;
        case 'j':
            question->is_json = true;
            break;
        default:
            return CLI_USAGE;
        }
    }
    return CLI_OK;
}

/* getopt has moved the words behind the options: FILE, then the line. */
static int read_words(int count, char **words, struct question *question)
{
    if (count < 2 || question->user == NULL) {
        return cli_usage_error(question->user == NULL ? "--user is missing" : "a file and a line are needed",
                               "");
    }
    question->file_name = words[0];
    const char *reason = "it is too long";
    bool fits = join(count - 1, words + 1, question->text);
    if (!fits || policy_line_read(cursor_of_text(question->text), &question->line, &reason) != ERR_NONE) {
        return cli_usage_error("the line cannot be read: ", reason);
    }
    return CLI_OK;
}

static struct policy_request request_of(const struct question *question)
{
    return (struct policy_request){
        .person = question->user,
        .principals = {question->principals.start, question->principals.at},
        .from = question->from,
        .host = question->line.host,
        .port = question->line.port,
        .account = question->line.account,
        .database = question->line.database,
        .factor = &question->factor,
        .action = question->line.action,
        .at_s = question->at_s,
        .reason = cursor_of_text(question->reason),
        .key = question->key,
        .command = question->line.command,
    };
}

static const char *verdict_text(enum policy_verdict verdict)
{
    switch (verdict) {
    case POLICY_ALLOWED:
        return "allowed";
    case POLICY_NEEDS_FACTOR:
        return "needs a second factor";
    case POLICY_NEEDS_REASON:
        return "needs a reason";
    case POLICY_DENIED:
        break;
    }
    return "denied";
}

static void print_finding(void *context, const struct policy_finding *finding)
{
    (void)context;
    (void)printf("  %s:%u: %s %s: ", finding->file, finding->line, finding->is_never ? "never" : "rule",
                 finding->rule);
    if (finding->failed != POLICY_CLAUSE_NONE && !finding->is_never) {
        (void)printf("%s: ", policy_clause_text(finding->failed));
    }
    (void)printf("%s%s\n", finding->sentence, finding->is_nearest ? "  <- nearest" : "");
}

static void print_grant(const struct policy_grant *grant)
{
    static const char *const EXEC[] = {"", " exec(listed)", " exec"};
    static const char *const SFTP[] = {"", " sftp(read)", " sftp(write)"};
    static const char *const FORWARD[] = {"", " forward(listed)", " forward"};
    static const char *const REMOTE[] = {"", " remote_forward(listed)", " remote_forward"};
    (void)printf("  grant:%s%s%s%s%s%s%s%s%s; session %us, idle %us, %u channels\n",
                 grant->shell ? " shell" : "", EXEC[grant->exec], SFTP[grant->sftp],
                 grant->paths_len_bytes > 0 ? " sftp(listed)" : "", FORWARD[grant->forward],
                 REMOTE[grant->remote_forward], grant->agent ? " agent" : "", grant->x11 ? " x11" : "",
                 grant->connect ? " connect" : "", grant->session_limit_s, grant->idle_limit_s,
                 grant->channels);
    if (grant->databases_len_bytes > 0 || grant->db_opaque) {
        static const char *const PARAMS[] = {"none", "hash", "full"};
        (void)printf("  database:%s%s%s%s%s; parameters recorded: %s\n", grant->db_copy ? " copy" : "",
                     grant->db_function_call ? " function_call" : "",
                     grant->db_replication ? " replication" : "",
                     grant->db_local_infile ? " local_infile" : "", grant->db_opaque ? " opaque" : "",
                     PARAMS[grant->db_params]);
    }
}

static void print_text(const struct policy *policy, struct question *question,
                       const struct policy_decision *decision)
{
    struct policy_request request = request_of(question);
    (void)printf("%s: %s %s: %s\n", verdict_text(decision->verdict), question->user,
                 question->from[0] == 0 ? "from nowhere" : question->from, question->text);
    if (decision->is_observed) {
        (void)printf("  given since the policy only observes; the rules deny it: %s (%s)\n",
                     decision->sentence, decision->code);
    } else if (decision->verdict == POLICY_ALLOWED) {
        (void)printf("  by %s%s\n", decision->rule,
                     decision->factor_adds   ? "; a fresher second factor would allow more"
                     : decision->reason_adds ? "; a reason would allow more"
                                             : "");
        print_grant(&decision->grant);
    } else {
        (void)printf("  %s (%s)\n", decision->sentence, decision->code);
    }
    struct policy_explanation explanation;
    policy_explain(policy, &request, print_finding, question, &explanation);
    if (explanation.rule_count == 0) {
        (void)printf("  no rule concerns this person or this target\n");
    }
}

static void add_json_finding(void *context, const struct policy_finding *finding)
{
    json_t *item =
        json_pack("{s:s, s:s, s:i, s:b, s:b, s:s, s:s}", "rule", finding->rule, "file", finding->file, "line",
                  (int)finding->line, "never", finding->is_never, "nearest", finding->is_nearest, "failed",
                  policy_clause_text(finding->failed), "sentence", finding->sentence);
    (void)json_array_append_new(context, item);
}

static void print_json(const struct policy *policy, const struct question *question,
                       const struct policy_decision *decision)
{
    static const char *const VERDICTS[] = {"denied", "needs_factor", "needs_reason", "allowed"};
    struct policy_request request = request_of(question);
    json_t *findings = json_array();
    struct policy_explanation explanation;
    policy_explain(policy, &request, add_json_finding, findings, &explanation);
    cli_print_json(json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:b, s:o}", "verdict",
                             VERDICTS[decision->verdict], "observed", decision->is_observed, "rule",
                             decision->rule, "code", decision->code, "sentence", decision->sentence, "target",
                             explanation.target, "factor_adds", decision->factor_adds, "findings", findings));
}

static int explain(struct question *question)
{
    struct policy_report report;
    struct policy *policy = cli_load(question->file_name, &report);
    if (policy == NULL) {
        cli_print_findings(&report.findings);
        return CLI_INVALID;
    }
    policy_line_resolve(policy, &question->line);
    struct policy_request request = request_of(question);
    struct policy_decision decision;
    policy_decide(policy, &request, &decision);
    if (question->is_json) {
        print_json(policy, question, &decision);
    } else {
        print_text(policy, question, &decision);
    }
    policy_free(policy);
    return decision.verdict == POLICY_ALLOWED ? CLI_OK : CLI_DENIED;
}

int cli_explain(int argc, char **argv)
{
    struct question question = {.from = "", .reason = "", .at_s = clock_wall_s()};
    question.principals = writer_of(question.principal_bytes, sizeof question.principal_bytes);
    int status = read_options(argc, argv, &question);
    bool is_code = status == CLI_OK && argc - optind == 2 &&
                   (strncmp(argv[optind + 1], "D-", 2) == 0 || strncmp(argv[optind + 1], "[D-", 3) == 0);
    if (is_code) {
        return cli_explain_code(argv[optind], argv[optind + 1], question.events, question.is_json);
    }
    if (status == CLI_OK && question.principals.is_full) {
        return cli_usage_error("these are too many principals", "");
    }
    if (status == CLI_OK) {
        status = read_words(argc - optind, argv + optind, &question);
    }
    return status == CLI_OK ? explain(&question) : status;
}
