/* barrier_calls.h - calls made by hand, as a sidecar would send them for one step of a saga. For tests of the barrier's adapters. */
#ifndef SAGA_TESTS_BARRIER_CALLS_H
#define SAGA_TESTS_BARRIER_CALLS_H

#include <saga/participant.h>

/* The step's action; gives. timeout_ms of 0: no deadline. */
saga_call *barrier_action(const char *saga, int64_t timeout_ms);

/* Its compensation; gives. outcome is an enum saga_call_outcome. */
saga_call *barrier_compensation(const char *saga, int outcome, int64_t timeout_ms);

/* The action, or the compensation of an action with an unknown outcome, of which the caller says that it was first attempted so long ago; gives. */
saga_call *barrier_call_of(const char *saga, int phase, int64_t ago_ms);

/* Likewise, of which the caller says when: in milliseconds since 1970. */
saga_call *barrier_call_from(const char *saga, int phase, int64_t started_ms);

/* What refuses an action for good. */
#define BARRIER_REFUSALS 8
extern const int barrier_refusals[BARRIER_REFUSALS];

/* Whether the call's answer is that text. */
bool barrier_answered(const saga_call *call, const char *text);

#endif
