/* target.h - one target as the engine knows it: its bulkhead, and the steps that wait for a place in it, first come, first served. Pure;
 * borrows the steps that wait. */
#ifndef SAGA_ENGINE_TARGET_H
#define SAGA_ENGINE_TARGET_H

#include "sidecar/engine/saga.h"

struct target {
    char *name;
    struct span timeout; /* of an attempt that declares none */
    bool barrier;        /* its participant refuses actions whose undo has been there, where a call says nothing */
    uint32_t places, places_taken; /* the bulkhead */
    uint32_t waiting;              /* steps in the queue */
    struct step *first, *last;     /* of the queue */
};

/* Whether a call that comes now has to wait: for a place, or behind those that have waited longer. */
bool target_busy(const struct target *t);

/* The step's attempt takes a place, until target_leave. */
void target_enter(struct target *t, struct step *step);
void target_leave(struct target *t, struct step *step);

/* The step goes to the end of the queue, or out of it, wherever it stands. */
void target_queue(struct target *t, struct step *step);
void target_unqueue(struct target *t, struct step *step);

/* Ends the process unless the target is sound. Constant time: the queue is looked at from both ends. */
void target_check(const struct target *t);

#endif
