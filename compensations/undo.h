/* undo.h - which compensations are owed, and which may start now. Pure; the engine asks, and acts on the answer. */
#ifndef SAGA_COMPENSATIONS_UNDO_H
#define SAGA_COMPENSATIONS_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum saga_action_state {
    SAGA_ACTION_PENDING = 1,
    SAGA_ACTION_STARTED = 2,
    SAGA_ACTION_DONE = 3,
    SAGA_ACTION_REJECTED = 4,
    SAGA_ACTION_UNKNOWN = 5,
    SAGA_ACTION_SKIPPED = 6,
};

enum saga_compensation_state {
    SAGA_COMPENSATION_NONE = 1,
    SAGA_COMPENSATION_OWED = 2,
    SAGA_COMPENSATION_STARTED = 3,
    SAGA_COMPENSATION_DONE = 4,
    SAGA_COMPENSATION_FAILED = 5,
    SAGA_COMPENSATION_SKIPPED = 6,
};

/* Whether a step owes its compensation when its saga turns back: its action took effect, or may have. */
static inline bool saga_undo_owed(uint8_t action_state, bool has_compensation)
{
    return has_compensation && (action_state == SAGA_ACTION_DONE || action_state == SAGA_ACTION_UNKNOWN);
}

/* Whether a compensation is still in the way of those that must come after it. */
static inline bool saga_undo_open(uint8_t compensation_state)
{
    return compensation_state == SAGA_COMPENSATION_OWED || compensation_state == SAGA_COMPENSATION_STARTED ||
           compensation_state == SAGA_COMPENSATION_FAILED;
}

/* How the caller's steps are reached, so that it need not copy them. */
struct saga_undo_view {
    const void *saga;
    size_t step_count;
    uint8_t (*compensation_state)(const void *saga, size_t step);
    /* When the action started, as a number that grows with time; ties are broken by the step's index. */
    uint32_t (*action_order)(const void *saga, size_t step);
    /* The steps on which a step depends, transitively: bit n of word n / 64 is step n. NULL orders by action_order alone. */
    const uint64_t *(*ancestors)(const void *saga, size_t step);
};

/* The most steps of a saga that is undone by dependency. */
#define SAGA_UNDO_STEPS_MAX 256

/* Writes to next the indices of OWED compensations that may start now, at most next_max of them, and returns how many.
 * With ancestors NULL: the one that was started last, unless one is already STARTED or FAILED. With ancestors: each whose
 * dependents are all settled. Nothing is returned for what waits behind a FAILED one. */
size_t saga_undo_next(const struct saga_undo_view *view, uint16_t *next, size_t next_max);

#endif
