/* May a request pass, and what is recorded of it. What has no row here is not supported. */
#include <string.h>

#include "policy/path.h"
#include "sftp_state.h"

/* One letter for each field behind the id: p path, q second path, h handle, g second handle, a attributes,
 * f flags of an open, o offset, l length, c contents that follow, s a string of no interest. */
static const struct sftp_rule {
    const char *extension; /* NULL: none */
    const char *what, *layout;
    uint8_t type;
    uint8_t op; /* enum record_file_op; RECORD_FILE_NONE: no record of its own */
    bool is_writing;
} SFTP_RULES[] = {
    {NULL, "sftp open", "pfa", SFTP_OPEN, RECORD_FILE_OPEN, false},
    {NULL, "sftp close", "h", SFTP_CLOSE, RECORD_FILE_NONE, false},
    {NULL, "sftp read", "hol", SFTP_READ, RECORD_FILE_NONE, false},
    {NULL, "sftp write", "hoc", SFTP_WRITE, RECORD_FILE_NONE, true},
    {NULL, "sftp lstat", "p", SFTP_LSTAT, RECORD_FILE_NONE, false},
    {NULL, "sftp fstat", "h", SFTP_FSTAT, RECORD_FILE_NONE, false},
    {NULL, "sftp setstat", "pa", SFTP_SETSTAT, RECORD_FILE_SETSTAT, true},
    {NULL, "sftp fsetstat", "ha", SFTP_FSETSTAT, RECORD_FILE_FSETSTAT, true},
    {NULL, "sftp opendir", "p", SFTP_OPENDIR, RECORD_FILE_OPENDIR, false},
    {NULL, "sftp readdir", "h", SFTP_READDIR, RECORD_FILE_NONE, false},
    {NULL, "sftp remove", "p", SFTP_REMOVE, RECORD_FILE_REMOVE, true},
    {NULL, "sftp mkdir", "pa", SFTP_MKDIR, RECORD_FILE_MKDIR, true},
    {NULL, "sftp rmdir", "p", SFTP_RMDIR, RECORD_FILE_RMDIR, true},
    {NULL, "sftp realpath", "p", SFTP_REALPATH, RECORD_FILE_NONE, false},
    {NULL, "sftp stat", "p", SFTP_STAT, RECORD_FILE_NONE, false},
    {NULL, "sftp rename", "pq", SFTP_RENAME, RECORD_FILE_RENAME, true},
    {NULL, "sftp readlink", "p", SFTP_READLINK, RECORD_FILE_READLINK, false},
    /* OpenSSH's PROTOCOL 4.1: what the link says comes first. */
    {NULL, "sftp symlink", "qp", SFTP_SYMLINK, RECORD_FILE_SYMLINK, true},
    {"posix-rename@openssh.com", "sftp posix-rename", "pq", SFTP_EXTENDED, RECORD_FILE_POSIX_RENAME, true},
    {"hardlink@openssh.com", "sftp hardlink", "pq", SFTP_EXTENDED, RECORD_FILE_HARDLINK, true},
    {"lsetstat@openssh.com", "sftp lsetstat", "pa", SFTP_EXTENDED, RECORD_FILE_LSETSTAT, true},
    {"copy-data", "sftp copy-data", "hoogo", SFTP_EXTENDED, RECORD_FILE_COPY_DATA, true},
    {"fsync@openssh.com", "sftp fsync", "h", SFTP_EXTENDED, RECORD_FILE_FSYNC, false},
    {"limits@openssh.com", "sftp limits", "", SFTP_EXTENDED, RECORD_FILE_LIMITS, false},
    {"expand-path@openssh.com", "sftp expand-path", "p", SFTP_EXTENDED, RECORD_FILE_EXPAND_PATH, false},
    {"statvfs@openssh.com", "sftp statvfs", "p", SFTP_EXTENDED, RECORD_FILE_STATVFS, false},
    {"fstatvfs@openssh.com", "sftp fstatvfs", "h", SFTP_EXTENDED, RECORD_FILE_NONE, false},
    {"users-groups-by-id@openssh.com", "sftp users-groups", "ss", SFTP_EXTENDED, RECORD_FILE_USERS_GROUPS,
     false},
    {"home-directory", "sftp home-directory", "s", SFTP_EXTENDED, RECORD_FILE_EXPAND_PATH, false},
};

static const char SFTP_UNKNOWN[] = "the bastion does not audit this request, so it does not let it through "
                                   "[D-SFTP-UNKNOWN]";
static const char SFTP_MALFORMED[] = "the request is not laid out as it must be, or a path is over 4096 "
                                     "bytes [D-SFTP-MALFORMED]";
static const char SFTP_UNOPENED[] = "the request names a file that is not open [D-SFTP-HANDLE]";
static const char SFTP_READ_ONLY[] = "your access is for reading only [D-SFTP]";
static const char SFTP_PATH_REFUSED[] = "this path is not among those that your access is for [D-SFTP-PATH]";

struct sftp_fields {
    struct cursor path, second, handle, second_handle;
    uint32_t flags, len_bytes, attributes, mode;
    uint64_t offset, size;
};

static const struct sftp_rule *find_rule(const struct sftp_head *head, struct cursor *rest)
{
    struct cursor extension = cursor_of(NULL, 0);
    if (head->type == SFTP_EXTENDED && cursor_string(rest, SFTP_HANDLE_NAME_BYTES, &extension) != ERR_NONE) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof SFTP_RULES / sizeof SFTP_RULES[0]; i++) {
        const struct sftp_rule *rule = &SFTP_RULES[i];
        if (rule->type == head->type &&
            (rule->extension == NULL || cursor_equal_text(extension, rule->extension))) {
            return rule;
        }
    }
    return NULL;
}

bool sftp_is_extension_known(struct cursor name)
{
    for (size_t i = 0; i < sizeof SFTP_RULES / sizeof SFTP_RULES[0]; i++) {
        const char *extension = SFTP_RULES[i].extension;
        if (extension != NULL && cursor_equal_text(name, extension)) {
            return true;
        }
    }
    return false;
}

/* draft-02 section 5 */
static MUST_CHECK enum err read_attributes(struct cursor *in, struct sftp_fields *fields)
{
    enum { HAS_SIZE = 1, HAS_OWNER = 2, HAS_MODE = 4, HAS_TIMES = 8, EXTENDED_COUNT_MAX = 64 };
    const uint32_t has_extended = 0x80000000U;
    uint64_t ignored = 0;
    TRY(cursor_u32be(in, &fields->attributes));
    if ((fields->attributes & HAS_SIZE) != 0) {
        TRY(cursor_u64be(in, &fields->size));
    }
    if ((fields->attributes & HAS_OWNER) != 0) {
        TRY(cursor_u64be(in, &ignored));
    }
    if ((fields->attributes & HAS_MODE) != 0) {
        TRY(cursor_u32be(in, &fields->mode));
    }
    if ((fields->attributes & HAS_TIMES) != 0) {
        TRY(cursor_u64be(in, &ignored));
    }
    if ((fields->attributes & has_extended) == 0) {
        return ERR_NONE;
    }
    uint32_t count = 0;
    struct cursor text;
    TRY(cursor_u32be(in, &count));
    if (count > EXTENDED_COUNT_MAX) {
        return ERR_TOO_LARGE;
    }
    for (uint32_t i = 0; i < 2 * count; i++) {
        TRY(cursor_string(in, SFTP_PATH_BYTES, &text));
    }
    return ERR_NONE;
}

static MUST_CHECK enum err read_field(struct cursor *in, char letter, struct sftp_fields *fields)
{
    struct cursor ignored;
    switch (letter) {
    case 'p':
        return cursor_string(in, SFTP_PATH_BYTES, &fields->path);
    case 'q':
        return cursor_string(in, SFTP_PATH_BYTES, &fields->second);
    case 'h':
        return cursor_string(in, SFTP_HANDLE_NAME_BYTES, &fields->handle);
    case 'g':
        return cursor_string(in, SFTP_HANDLE_NAME_BYTES, &fields->second_handle);
    case 'a':
        return read_attributes(in, fields);
    case 'f':
        return cursor_u32be(in, &fields->flags);
    case 'o':
        return cursor_u64be(in, &fields->offset);
    case 'l':
    case 'c':
        return cursor_u32be(in, &fields->len_bytes);
    default:
        return cursor_string(in, SFTP_PATH_BYTES, &ignored);
    }
}

static bool has_letter(const struct sftp_rule *rule, char letter)
{
    return strchr(rule->layout, letter) != NULL;
}

static MUST_CHECK enum err read_fields(const struct sftp_rule *rule, const struct sftp_head *head,
                                       struct cursor rest, struct sftp_fields *fields)
{
    /* The head of a packet that is too large was not kept whole. */
    size_t kept_bytes = (size_t)(rest.end - head->rest.at) + sizeof head->id + sizeof head->type;
    size_t behind_bytes = head->len_bytes - kept_bytes;
    for (const char *letter = rule->layout; *letter != 0; letter++) {
        TRY(read_field(&rest, *letter, fields));
    }
    TRY(cursor_end(&rest));
    return behind_bytes == (has_letter(rule, 'c') ? fields->len_bytes : 0) ? ERR_NONE : ERR_MALFORMED;
}

static void refuse(struct sftp_verdict *verdict, enum sftp_status status, const char *reason)
{
    verdict->status = (uint8_t)status;
    verdict->reason = reason;
}

/* The files that the request means by handle. */
static bool find_handles(struct sftp *sftp, const struct sftp_rule *rule, const struct sftp_fields *fields,
                         unsigned *ret_handle, unsigned *ret_second)
{
    *ret_handle = has_letter(rule, 'h') ? sftp_handle_find(sftp, fields->handle) : SFTP_NO_HANDLE;
    *ret_second = has_letter(rule, 'g') ? sftp_handle_find(sftp, fields->second_handle) : SFTP_NO_HANDLE;
    return (!has_letter(rule, 'h') || *ret_handle != SFTP_NO_HANDLE) &&
           (!has_letter(rule, 'g') || *ret_second != SFTP_NO_HANDLE);
}

static MUST_CHECK enum err record_passed(struct sftp *sftp, const struct sftp_rule *rule,
                                         const struct sftp_fields *fields, unsigned handle, unsigned second,
                                         struct sftp_request *request)
{
    if (rule->op == RECORD_FILE_NONE) {
        return ERR_NONE;
    }
    request->number = ++sftp->request_count;
    const struct record_file_request record = {
        .number = request->number,
        .op = rule->op,
        .flags = rule->type == SFTP_OPEN ? fields->flags : fields->attributes,
        .mode = fields->mode,
        .size = fields->size,
        .of = handle == SFTP_NO_HANDLE ? 0 : sftp->handles[handle]->number,
        .of_second = second == SFTP_NO_HANDLE ? 0 : sftp->handles[second]->number,
        .path = fields->path,
        .second = fields->second,
    };
    return sftp_record_request(sftp, &record);
}

/* What a request that passes means for the files that are open. */
static void note_passed(struct sftp *sftp, const struct sftp_rule *rule, const struct sftp_fields *fields,
                        unsigned handle, unsigned second, struct sftp_request *request)
{
    request->handle = (uint16_t)handle;
    request->offset = fields->offset;
    request->pflags = fields->flags;
    request->wants_home = rule->type == SFTP_REALPATH &&
                          (cursor_len(&fields->path) == 0 || cursor_equal_text(fields->path, "."));
    sftp->hashed = NULL;
    if (rule->type == SFTP_WRITE) {
        struct sftp_handle *file = sftp->handles[handle];
        sftp_way_add(&file->written, fields->offset, fields->len_bytes, sftp->grant->sftp_hashes);
        if (file->is_appending && file->written.order == RECORD_FILE_SEQUENTIAL) {
            file->written.order = RECORD_FILE_FROM_OFFSET;
        }
        sftp->hashed = &file->written;
    } else if (rule->op == RECORD_FILE_COPY_DATA) {
        sftp->handles[second]->flags |= RECORD_FILE_COPIED_INTO;
        sftp->handles[second]->written.order = RECORD_FILE_OUT_OF_ORDER;
    }
}

static bool allows(const struct sftp *sftp, enum grant_sftp level, struct cursor base, struct cursor path)
{
    char plain[2 * PATH_BYTES];
    return sftp->grant->sftp >= level || (path_plain(base, path, plain, sizeof plain) == ERR_NONE &&
                                          grant_allows_path(sftp->grant, level, cursor_of_text(plain)));
}

/* Where a relative path in a link begins: the folder of the link. Nobody knows it of a link that is itself
 * named by a relative path; such links are made by nobody. */
static struct cursor folder_of(struct cursor path)
{
    if (path.at == NULL || path.at == path.end || *path.at != '/') {
        return cursor_of(NULL, 0);
    }
    while (path.end != path.at && path.end[-1] != '/') {
        path.end--;
    }
    return path;
}

/* @param written  the open file that is changed, or SFTP_NO_HANDLE */
static bool is_allowed(const struct sftp *sftp, const struct sftp_rule *rule,
                       const struct sftp_fields *fields, bool is_writing, unsigned written)
{
    struct cursor home = cursor_of_text(sftp->home);
    bool is_opening = rule->type == SFTP_OPEN || rule->type == SFTP_OPENDIR;
    if (!is_writing) {
        return !is_opening || allows(sftp, GRANT_SFTP_READ, home, fields->path);
    }
    if (sftp->grant->sftp == GRANT_SFTP_WRITE) {
        return true;
    }
    if (!has_letter(rule, 'p')) {
        return written != SFTP_NO_HANDLE && sftp->handles[written]->may_write;
    }
    struct cursor second_base = rule->type == SFTP_SYMLINK ? folder_of(fields->path) : home;
    return allows(sftp, GRANT_SFTP_WRITE, home, fields->path) &&
           (!has_letter(rule, 'q') || allows(sftp, GRANT_SFTP_WRITE, second_base, fields->second));
}

MUST_CHECK enum err sftp_decide(struct sftp *sftp, const struct sftp_head *head, struct sftp_verdict *verdict)
{
    struct cursor rest = head->rest;
    struct sftp_fields fields = {.mode = RECORD_FILE_NO_MODE, .size = RECORD_FILE_NO_SIZE};
    const struct sftp_rule *rule = find_rule(head, &rest);
    if (rule == NULL) {
        refuse(verdict, SFTP_FX_OP_UNSUPPORTED, SFTP_UNKNOWN);
        return ERR_NONE;
    }
    verdict->what = rule->what;
    if (read_fields(rule, head, rest, &fields) != ERR_NONE) {
        refuse(verdict, SFTP_FX_BAD_MESSAGE, SFTP_MALFORMED);
        return ERR_NONE;
    }
    verdict->path = fields.path;
    bool is_writing = rule->is_writing || (rule->type == SFTP_OPEN && (fields.flags & SFTP_FXF_CHANGES) != 0);
    unsigned handle = SFTP_NO_HANDLE;
    unsigned second = SFTP_NO_HANDLE;
    bool is_open = find_handles(sftp, rule, &fields, &handle, &second);
    if (!is_allowed(sftp, rule, &fields, is_writing, second == SFTP_NO_HANDLE ? handle : second)) {
        bool has_paths = sftp->grant->paths_len_bytes > 0;
        refuse(verdict, SFTP_FX_PERMISSION_DENIED, has_paths ? SFTP_PATH_REFUSED : SFTP_READ_ONLY);
        return ERR_NONE;
    }
    if (!is_open) {
        refuse(verdict, SFTP_FX_FAILURE, SFTP_UNOPENED);
        return ERR_NONE;
    }
    note_passed(sftp, rule, &fields, handle, second, &verdict->request);
    return record_passed(sftp, rule, &fields, handle, second, &verdict->request);
}
