/* `bastion files`: what a session did to files, one line for each request, with what became of it. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "crypto/base64.h"
#include "replay/file_words.h"
#include "replay/moment.h"
#include "show.h"

static const char HELP[] =
    "usage: bastion files ID [OPTIONS]\n"
    "\n"
    "Verify a recording, then list what was done to files by SFTP, scp, rsync and git: path, bytes, result,\n"
    "and the SHA-256 of contents that passed from their first byte on, each once. Contents are not kept.\n"
    "A line is written when its request is over; requests that the bastion refused are among them.\n"
    "\n"
    "  --json              one JSON object for each line; names that are not UTF-8 also as base64\n"
    "  --identity FILE     your private age key (default: $BASTION_IDENTITY)\n"
    "  --force             also when the verification finds a fault\n"
    "  --key FILE, --recordings DIR, --evidence DIR, --config FILE   as for bastion verify\n"
    "\n"
    "exit status: 0 listed, 1 not found, no files in it or a fault was found, 2 usage, 3 cannot be opened\n"
    "\n"
    "  bastion files 8c3f\n"
    "  bastion files 8c3f --json | jq -r 'select(.sha256) | .sha256 + \"  \" + .path' | sha256sum -c\n";

enum {
    OPTION_FORCE = OPTION_OWN,
    NAME_BYTES = 4097,
    PENDING_MAX = 4096, /* open files and unanswered requests of all channels; what is over it is cut */
};

/* A request that is not over. OWNED. */
struct pending {
    struct pending *next;
    uint64_t t_us;
    size_t part;
    struct record_file_request request;
    struct record_file_total total;
    uint8_t read_sha256[32], written_sha256[32];
    uint32_t status;
    bool has_result, has_total;
    const char *refusal;
    uint8_t *names; /* OWNED: what the paths of the request point into */
};

struct listing {
    struct pending *first;
    size_t pending_count;
    uint64_t printed, cut;
    bool is_json;
};

static void pending_free(struct pending *pending)
{
    free(pending->names);
    free(pending);
}

static json_t *json_name(struct cursor name)
{
    json_t *text = json_stringn((const char *)name.at, cursor_len(&name));
    if (text != NULL) {
        return text;
    }
    char printable[NAME_BYTES];
    text_printable(name, printable, sizeof printable);
    return json_string(printable);
}

static void set_name(json_t *json, const char *key, struct cursor name)
{
    if (cursor_len(&name) == 0) {
        return;
    }
    (void)json_object_set_new(json, key, json_name(name));
    json_t *exact = json_stringn((const char *)name.at, cursor_len(&name));
    if (exact == NULL) {
        char base64_key[64];
        size_t size_bytes = CRYPTO_BASE64_TEXT_BYTES(cursor_len(&name));
        char *text = malloc(size_bytes);
        (void)snprintf(base64_key, sizeof base64_key, "%s_base64", key);
        if (text != NULL && crypto_base64_encode(name, CRYPTO_BASE64_PADDED, text, size_bytes) == ERR_NONE) {
            (void)json_object_set_new(json, base64_key, json_string(text));
        }
        free(text);
    }
    json_decref(exact);
}

static void set_way(json_t *json, const char *prefix, uint64_t bytes, unsigned order, struct cursor sha256)
{
    char key[32];
    char hash[65];
    if (order == RECORD_FILE_NO_BYTES) {
        return;
    }
    (void)snprintf(key, sizeof key, "%s_bytes", prefix);
    (void)json_object_set_new(json, key, json_integer((json_int_t)bytes));
    (void)snprintf(key, sizeof key, "%s_order", prefix);
    (void)json_object_set_new(json, key, json_string(record_file_order_name(order)));
    if (cursor_len(&sha256) > 0) {
        /* The short name is for the usual case, where a file is read or written. */
        (void)json_object_set_new(json, "sha256", json_string(text_hex(sha256, hash, sizeof hash)));
    }
}

static enum err print_json(const struct pending *pending)
{
    const struct record_file_request *request = &pending->request;
    char status[32];
    json_t *json = json_object();
    (void)json_object_set_new(json, "t", json_real((double)pending->t_us / 1e6));
    (void)json_object_set_new(json, "channel", json_integer((json_int_t)pending->part + 1));
    if (pending->refusal != NULL) {
        (void)json_object_set_new(json, "result", json_string("refused"));
        (void)json_object_set_new(json, "reason", json_string(pending->refusal));
        set_name(json, "what", request->path);
    } else {
        (void)json_object_set_new(json, "op", json_string(record_file_op_name(request->op)));
        (void)json_object_set_new(json, "result",
                                  json_string(pending->has_result
                                                  ? replay_file_status(pending->status, status, sizeof status)
                                              : pending->has_total ? "done"
                                                                   : "unanswered"));
        set_name(json, "path", request->path);
        set_name(json, "second", request->second);
    }
    if (request->mode != RECORD_FILE_NO_MODE) {
        (void)json_object_set_new(json, "mode", json_integer((json_int_t)request->mode));
    }
    if (pending->has_total) {
        set_way(json, "read", pending->total.read_bytes, pending->total.read_order,
                pending->total.read_sha256);
        set_way(json, "written", pending->total.written_bytes, pending->total.written_order,
                pending->total.written_sha256);
        (void)json_object_set_new(
            json, "complete",
            json_boolean((pending->total.flags & (RECORD_FILE_WRITE_FAILED | RECORD_FILE_LEFT_OPEN)) == 0));
    }
    char *line = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
    enum err err = line == NULL ? ERR_MEMORY : ERR_NONE;
    (void)puts(line == NULL ? "null" : line);
    free(line);
    json_decref(json);
    return err;
}

static void print_way(const char *verb, uint64_t bytes, unsigned order, struct cursor sha256)
{
    char hash[65];
    if (order == RECORD_FILE_NO_BYTES) {
        return;
    }
    (void)printf("  %s %" PRIu64 " bytes", verb, bytes);
    if (cursor_len(&sha256) > 0) {
        (void)printf("  sha256 %s", text_hex(sha256, hash, sizeof hash));
    } else {
        (void)printf("  (%s)", record_file_order_name(order));
    }
}

static enum err print_text(const struct pending *pending)
{
    char at[REPLAY_TIME_BYTES];
    char path[NAME_BYTES];
    char second[NAME_BYTES];
    char status[32];
    text_printable(pending->request.path, path, sizeof path);
    text_printable(pending->request.second, second, sizeof second);
    (void)printf("%s  %3zu  ", replay_offset_text(pending->t_us, at), pending->part + 1);
    if (pending->refusal != NULL) {
        (void)printf("%-13s %s  (%s)\n", "refused", path, pending->refusal);
        return ERR_NONE;
    }
    (void)printf("%-13s %s%s%s", record_file_op_name(pending->request.op), path, second[0] == 0 ? "" : " -> ",
                 second);
    if (pending->has_result ? pending->status != 0 : !pending->has_total) {
        (void)printf("  %s", pending->has_result ? replay_file_status(pending->status, status, sizeof status)
                                                 : "unanswered");
    }
    if (pending->has_total) {
        const struct record_file_total *total = &pending->total;
        print_way("read", total->read_bytes, total->read_order, total->read_sha256);
        print_way("wrote", total->written_bytes, total->written_order, total->written_sha256);
        (void)printf("%s%s%s", (total->flags & RECORD_FILE_WRITE_FAILED) != 0 ? "  some of it refused" : "",
                     (total->flags & RECORD_FILE_COPIED_INTO) != 0 ? "  copied into by the target" : "",
                     (total->flags & RECORD_FILE_LEFT_OPEN) != 0 ? "  never closed" : "");
    }
    (void)putchar('\n');
    return ERR_NONE;
}

static enum err print(struct listing *listing, const struct pending *pending)
{
    listing->printed++;
    return listing->is_json ? print_json(pending) : print_text(pending);
}

static struct pending **find(struct listing *listing, size_t part, uint32_t number)
{
    struct pending **at = &listing->first;
    while (*at != NULL && ((*at)->part != part || (*at)->request.number != number)) {
        at = &(*at)->next;
    }
    return at;
}

static enum err finish(struct listing *listing, struct pending **at)
{
    struct pending *pending = *at;
    enum err err = print(listing, pending);
    *at = pending->next;
    listing->pending_count--;
    pending_free(pending);
    return err;
}

/* A request about an open file gets the path of that file. */
static struct cursor path_of(struct listing *listing, size_t part, uint32_t of, struct cursor path)
{
    const struct pending *open = of == 0 ? NULL : *find(listing, part, of);
    return open == NULL ? path : open->request.path;
}

static enum err take_request(struct listing *listing, uint64_t t_us, size_t part,
                             const struct record_file_request *request)
{
    if (listing->pending_count == PENDING_MAX) {
        listing->cut++;
        return ERR_NONE;
    }
    struct pending *pending = calloc(1, sizeof *pending);
    struct cursor path = path_of(listing, part, request->of, request->path);
    struct cursor second = path_of(listing, part, request->of_second, request->second);
    size_t path_bytes = cursor_len(&path);
    size_t second_bytes = cursor_len(&second);
    uint8_t *names = malloc(path_bytes + second_bytes + 1);
    if (pending == NULL || names == NULL) {
        free(pending);
        free(names);
        return ERR_MEMORY;
    }
    struct writer out = writer_of(names, path_bytes + second_bytes);
    writer_bytes(&out, path);
    writer_bytes(&out, second);
    *pending = (struct pending){
        .next = listing->first, .t_us = t_us, .part = part, .request = *request, .names = names};
    pending->request.path = cursor_of(names, path_bytes);
    pending->request.second = cursor_of(names + path_bytes, second_bytes);
    listing->first = pending;
    listing->pending_count++;
    return ERR_NONE;
}

static enum err take_result(struct listing *listing, size_t part, uint32_t number, uint32_t status)
{
    struct pending **at = find(listing, part, number);
    if (*at == NULL) {
        return ERR_NONE;
    }
    (*at)->has_result = true;
    (*at)->status = status;
    bool has_more = status == 0 && (*at)->request.op == RECORD_FILE_OPEN;
    return has_more ? ERR_NONE : finish(listing, at);
}

static struct cursor keep_hash(struct cursor hash, uint8_t memory[static 32])
{
    if (cursor_len(&hash) == 32) {
        memcpy(memory, hash.at, 32);
        return cursor_of(memory, 32);
    }
    return cursor_of(NULL, 0);
}

static enum err take_total(struct listing *listing, size_t part, const struct record_file_total *total)
{
    struct pending **at = find(listing, part, total->number);
    if (*at == NULL) {
        return ERR_NONE;
    }
    struct pending *pending = *at;
    pending->has_total = true;
    pending->total = *total;
    pending->total.read_sha256 = keep_hash(total->read_sha256, pending->read_sha256);
    pending->total.written_sha256 = keep_hash(total->written_sha256, pending->written_sha256);
    return finish(listing, at);
}

static enum err take_refused(struct listing *listing, uint64_t t_us, size_t part,
                             const struct record_body *body)
{
    static const char SFTP[] = "sftp ";
    struct cursor what = body->refused.what;
    bool is_file = part != SIZE_MAX && cursor_len(&what) >= sizeof SFTP - 1 &&
                   memcmp(what.at, SFTP, sizeof SFTP - 1) == 0;
    if (!is_file) {
        return ERR_NONE;
    }
    char reason[LIMIT_SENTENCE_BYTES];
    text_printable(body->refused.reason, reason, sizeof reason);
    const struct pending pending = {.t_us = t_us,
                                    .part = part,
                                    .request = {.path = what, .mode = RECORD_FILE_NO_MODE},
                                    .refusal = reason};
    return print(listing, &pending);
}

static enum err take_record(void *context, uint64_t t_us, size_t part, const struct record_body *body)
{
    struct listing *listing = context;
    if (body->kind == RECORD_FILE_REQUEST) {
        return take_request(listing, t_us, part, &body->file_request);
    }
    if (body->kind == RECORD_FILE_RESULT) {
        return take_result(listing, part, body->file_result.number, body->file_result.status);
    }
    if (body->kind == RECORD_FILE_TOTAL) {
        return take_total(listing, part, &body->file_total);
    }
    return body->kind == RECORD_REFUSED ? take_refused(listing, t_us, part, body) : ERR_NONE;
}

static int run(const struct show_request *request)
{
    OWNED_SHOW *show = NULL;
    int code = show_open(request, &show);
    if (code != COMMAND_OK) {
        return code;
    }
    struct listing listing = {.is_json = request->common.is_json};
    enum err err = replay_recording_each(&show->recording, take_record, &listing);
    while (listing.first != NULL) {
        enum err printed = finish(&listing, &listing.first);
        err = err == ERR_NONE ? printed : err;
    }
    if (err != ERR_NONE) {
        return complain(COMMAND_TROUBLE, "files", "%s", err_text(err));
    }
    if (listing.cut > 0) {
        return complain(COMMAND_TROUBLE, "files",
                        "%" PRIu64 " requests are missing: too many were open at once", listing.cut);
    }
    return listing.printed > 0 ? COMMAND_OK
                               : complain(COMMAND_NO, "files", "no request of this session names a file");
}

int files_command(int argc, char **argv)
{
    static const struct option OPTIONS[] = {COMMON_OPTIONS, {"force", no_argument, NULL, OPTION_FORCE}, {0}};
    struct show_request request = {.command = "files", .is_quiet = true};
    int option = 0;
    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        if (option == 'h') {
            return print_help(HELP);
        }
        if (option == OPTION_FORCE) {
            request.is_forced = true;
        } else if (!common_take(&request.common, option, optarg)) {
            return complain_usage("files");
        }
    }
    if (argc - optind != 1) {
        (void)complain(0, "files", "give one session id");
        return complain_usage("files");
    }
    request.id = argv[optind];
    return finish_output(run(&request), "files");
}
