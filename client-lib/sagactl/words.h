/* words.h - the API's enums in words for people: SAGA_STATE_COMMITTED is COMMITTED, REASON_LEASE is "lease lapsed". A
 * number that this program does not know yet is "?". All of them give views, valid for ever. */
#ifndef SAGACTL_WORDS_H
#define SAGACTL_WORDS_H

#include <stdint.h>

#include "client-lib/sagactl/screen.h"

#include "saga/v1/saga.pb-c.h"

/* "COMMITTED" */
const char *words_saga_state(Saga__V1__SagaState state);
enum paint words_saga_paint(Saga__V1__SagaState state);

/* "DONE" */
const char *words_action(Saga__V1__ActionState state);
const char *words_compensation(Saga__V1__CompensationState state);
enum paint words_action_paint(Saga__V1__ActionState state);
enum paint words_compensation_paint(Saga__V1__CompensationState state);

/* "action rejected"; "" for none. */
const char *words_reason(Saga__V1__Reason reason);

/* Why a STUCK saga cannot go on, as a sentence about its step ("step charge" comes before). */
const char *words_stuck(Saga__V1__Reason reason);

/* The states that text names ("running", "live", "stuck,compensating"), bit n for state n, or 0 when it names another;
 * *wrong (a view of text) and *wrong_size then tell which. */
uint32_t words_states(const char *text, const char **wrong, size_t *wrong_size);

/* The word nearest to a state that does not exist, or NULL. */
const char *words_state_nearest(const char *wrong, size_t size);

/* Among the bits of words_states: of these only sagas that are paused; with no other bit, of those that are live. */
#define WORDS_PAUSED (UINT32_C(1) << 31)

#endif
