/* barrier.h - the participant's side of a saga: what to do with a call, given what its own database remembers.
 *
 * Three anomalies: a duplicate (the same call again), an empty compensation (the undo arrives, the action never did) and a
 * hanging action (the action arrives after its undo). All three are closed by two rows, written in the same database
 * transaction as the business change: one keyed by this call, and on a compensation one keyed by its action. A fourth case is
 * no anomaly of sagas but of operations: the action was done, and its row is gone (collected, or an older backup was restored). Its undo
 * must not be taken for an empty one, and another attempt of it not for the first: that would lose it without a word, or do it twice. So a
 * store keeps how far it has collected, in the transaction that collects, and every call tells when its action was first attempted.
 * Pure: the adapters in client-lib do the SQL and ask here what it means. */
#ifndef SAGA_COMPENSATIONS_BARRIER_H
#define SAGA_COMPENSATIONS_BARRIER_H

#include <stdbool.h>

enum saga_phase {
    SAGA_PHASE_ACTION = 1,
    SAGA_PHASE_COMPENSATION = 2,
};

/* What the row of a key says. */
enum saga_barrier_row {
    SAGA_ROW_ABSENT = 0,   /* there was none; the adapter has inserted it in this transaction */
    SAGA_ROW_DONE = 1,     /* the call was carried out; its answer is stored */
    SAGA_ROW_REJECTED = 2, /* of an action: it was refused for good, changing nothing; its answer is stored */
    SAGA_ROW_VOID = 3,     /* of an action: its compensation came first; it must never be carried out */
    SAGA_ROW_OPEN = 4, /* begun, and committed without its end: its function ended the barrier's transaction itself */
};

enum saga_barrier_verdict {
    SAGA_BARRIER_RUN = 1,    /* carry it out, store the answer with the call's row, commit */
    SAGA_BARRIER_REPLAY = 2, /* answer with what is stored for the call's key */
    SAGA_BARRIER_EMPTY =
        3, /* compensation of an action that never took effect: store an empty OK answer, commit, answer it */
    SAGA_BARRIER_HANGING =
        4, /* action whose compensation has been here: refuse with FAILED_PRECONDITION, change nothing */
    SAGA_BARRIER_LOST =
        5, /* what was done, or may have been, and whose row is gone, is to be undone or done again: refuse with
                                 FAILED_PRECONDITION, change nothing; a person has to look */
    SAGA_BARRIER_BROKEN = 6, /* the rows cannot be: answer INTERNAL, change nothing; a person has to look */
};

/* own: the row of this call's key. action: on a compensation the row of its action's key; ignored on an action.
 * action_done: on a compensation, that the caller knows the action to have been done; ignored on an action.
 * collected: that the action's row, had there been one, may have been collected: the action was first attempted no later than the newest row
 * that was.
 * On a compensation the adapter inserts an absent action row as SAGA_ROW_VOID. */
enum saga_barrier_verdict saga_barrier_judge(enum saga_phase phase, enum saga_barrier_row own,
                                             enum saga_barrier_row action, bool action_done, bool collected);

#endif
