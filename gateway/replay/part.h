/* Which part a record belongs to, and what it says about it; private to this room. */
#ifndef REPLAY_PART_H
#define REPLAY_PART_H

#include "replay/recording.h"

/** Forget the parts that were seen: the recording is read from its beginning. */
void part_restart(struct replay_recording *recording);
/** The part of a record; SIZE_MAX for the whole access, and for parts beyond REPLAY_PARTS_MAX. */
size_t part_of(struct replay_recording *recording, const struct record_body *body, uint32_t channel);
/** Write into the survey what a record says. @return ERR_MEMORY. */
MUST_CHECK enum err part_learn(struct replay_survey *survey, size_t part, uint32_t channel, uint64_t t_us,
                               const struct record_body *body);
/** The event that a record is for who watches its part. Notes are made in `note`.
 *  @return ERR_NOT_FOUND when it is none; ERR_MEMORY. */
MUST_CHECK enum err part_event(const struct record_body *body, uint64_t t_us, struct queue *note,
                               struct replay_event *ret_event);

#endif
