#include "base/err.h"

static const char *const TEXTS[ERR_COUNT] = {
    [ERR_NONE] = "no error",
    [ERR_TRUNCATED] = "the input ends too early",
    [ERR_MALFORMED] = "the input is malformed",
    [ERR_TOO_LARGE] = "a length exceeds its limit",
    [ERR_DENIED] = "denied",
    [ERR_STATE] = "not allowed in this state",
    [ERR_SYSTEM] = "a system call failed",
    [ERR_AGAIN] = "nothing to do yet",
    [ERR_CLOSED] = "the other side is gone",
    [ERR_MISMATCH] = "a signature, tag or hash does not match",
    [ERR_NOT_FOUND] = "not found",
    [ERR_MEMORY] = "out of memory",
    [ERR_LIBRARY] = "a library call failed",
};

const char *err_text(enum err err)
{
    unsigned index = (unsigned)err;
    return index < ERR_COUNT && TEXTS[index] != 0 ? TEXTS[index] : "unknown error";
}
