/* What is tried in the place of bastion-session. */
#ifndef TESTS_ATTACK_SESSION_ROWS_H
#define TESTS_ATTACK_SESSION_ROWS_H

#include "captive.h"

/** System calls, as in service. */
extern const struct attempt SESSION_CALLS[];
extern const size_t SESSION_CALL_COUNT;
extern const struct attempt SESSION_ORDINARY_CALLS[];
extern const size_t SESSION_ORDINARY_CALL_COUNT;
/** What the closed room alone prevents, without seccomp. */
extern const struct attempt SESSION_ROOM[];
extern const size_t SESSION_ROOM_COUNT;
/** The ring, as in service. */
extern const struct attempt SESSION_RING[];
extern const size_t SESSION_RING_COUNT;

/** Submits the operation `scratch` with everything else zero but a buffer and the client's descriptor. */
attempt_run submits_operation;
/** The highest operation that the running kernel knows. */
int ring_last_operation(void);
bool ring_allows(enum loop_profile profile, int opcode);

#endif
