/* The one error enum of the house, and the macros that carry it. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))

/** Zero is success. Rooms return these; only processes report them. */
enum err {
    ERR_NONE = 0,
    ERR_TRUNCATED, /* input ends early: read more, retry from the saved cursor */
    ERR_MALFORMED, /* can never become valid: close the peer */
    ERR_TOO_LARGE, /* a length exceeds the limit the caller named */
    ERR_DENIED,    /* a policy "no"; not a fault */
    ERR_STATE,     /* not allowed in this state */
    ERR_SYSTEM,    /* errno holds the reason */
    ERR_AGAIN,     /* nothing to do now: wait for the descriptor */
    ERR_CLOSED,    /* the other side is gone */
    ERR_MISMATCH,  /* a signature, tag, hash or key is not the expected one */
    ERR_NOT_FOUND, /* the named thing does not exist */
    ERR_MEMORY,    /* allocation failed */
    ERR_LIBRARY,   /* a library refused without errno */
    ERR_COUNT
};

/** A constant lower-case sentence fragment, never NULL. */
const char *err_text(enum err err);

/** An error that changes nothing here; the comment beside the call says why. */
static inline void err_ignore(enum err err)
{
    (void)err;
}

/** Return the error of `call` to the caller, if it has one. */
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        enum err try_ = (call);                                                                              \
        if (try_ != ERR_NONE) {                                                                              \
            return try_;                                                                                     \
        }                                                                                                    \
    } while (0)

#endif
