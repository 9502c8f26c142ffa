#include "sessions.h"

#include "base/secret.h"

static unsigned index_of(const struct signer_sessions *sessions, uint32_t ref)
{
    unsigned index = 0;
    while (index < sessions->count && sessions->refs[index] != ref) {
        index++;
    }
    return index;
}

struct signer_session *signer_sessions_find(struct signer_sessions *sessions, uint32_t ref)
{
    unsigned index = index_of(sessions, ref);
    return index < sessions->count ? &sessions->rows[index] : NULL;
}

enum err signer_sessions_open(struct signer_sessions *sessions, uint32_t ref, struct signer_session **ret)
{
    unsigned index = index_of(sessions, ref);
    if (index == sessions->count) {
        if (sessions->count == SIGNER_REFS_MAX) {
            return ERR_TOO_LARGE;
        }
        sessions->refs[index] = ref;
        sessions->rows[index] = (struct signer_session){0};
        sessions->count++;
    }
    *ret = &sessions->rows[index];
    return ERR_NONE;
}

void signer_sessions_forget(struct signer_sessions *sessions, uint32_t ref)
{
    unsigned index = index_of(sessions, ref);
    if (index < sessions->count) {
        unsigned last = --sessions->count;
        sessions->refs[index] = sessions->refs[last];
        sessions->rows[index] = sessions->rows[last];
        secret_wipe(&sessions->rows[last], sizeof sessions->rows[last]);
    }
}
