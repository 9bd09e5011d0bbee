/* target.h - one target as the engine knows it: its bulkhead, and the steps that wait for a place in it, in fair turns. Pure; borrows the steps that
 * wait. */
#ifndef SAGA_ENGINE_TARGET_H
#define SAGA_ENGINE_TARGET_H

#include "sidecar/engine/saga.h"
#include "sidecar/resilience/breaker.h"
#include "sidecar/resilience/budget.h"
#include "sidecar/resilience/fair.h"
#include "sidecar/resilience/limit.h"
#include "sidecar/resilience/pace.h"
#include "sidecar/resilience/rate.h"

/* Who waits for how long, and who goes first. */
enum target_class {
    CLASS_UNDO,    /* compensations: for as long as it takes, and before all others */
    CLASS_PATIENT, /* actions that can only go forward: likewise */
    CLASS_BOUNDED, /* other actions: for target_wait at most while the target is down, and for pending_timeout; no more than max_pending */
    CLASS_RETRY_UNDO, /* where there is a budget: attempts that are not the first of their step. Undos, */
    CLASS_RETRY,      /* and actions; neither is ever turned away */
    CLASS_COUNT
};

/* All of a class, by ticket: who has waited longest. */
struct target_queue {
    struct step *first, *last;
    uint32_t count;
};

/* Whose turn it is: undos before actions, and of either, while both may leave, a retry and one that is none by turns. */
enum target_lane { LANE_ACTION, LANE_RETRY, LANE_UNDO, LANE_UNDO_RETRY, LANE_COUNT };

/* Among whom a step takes its turn. */
struct target_key {
    enum fair_band band;
    uint64_t key;
};

struct target {
    char *name;
    struct span timeout; /* of an attempt that declares none */
    bool barrier;        /* its participant refuses actions whose undo has been there, where a call says nothing */
    uint32_t places, places_taken; /* the bulkhead; no place: it is not configured, so what calls it waits here */
    struct limit limit;            /* how many of the places may be taken now, where that is found out */
    uint32_t places_kept;          /* that were taken when there became fewer */
    uint32_t waiting;              /* steps in the queues */
    struct target_queue queues[CLASS_COUNT];
    struct step *hasty;      /* those in the queues that do not wait while it takes no calls */
    uint32_t deferred;       /* of those in the queues: deferred steps */
    struct fair_table *keys; /* borrowed: the engine's */
    struct fair_queue lanes[LANE_COUNT];
    bool retried[2];             /* the last turn was a retry's: of actions, of undos */
    uint32_t pending_max;        /* of CLASS_BOUNDED */
    struct span pending_timeout; /* of each, but while the target is down; 0: without an end */
    uint64_t tickets;            /* given out */
    bool down;                   /* it cannot be reached: nothing leaves, but for what has waited long enough */
    struct instant down_since;
    struct breaker breaker;
    struct rate rate;
    struct budget budget; /* of retries */
    struct pace pace;
    struct timer
        timer; /* when the first that is bounded has waited long enough while it is down, or when a call may leave again */
};

/* How many calls may be in flight now: all places, or as many as its limit says. */
static inline uint32_t target_places(const struct target *t)
{
    return t->limit.max == 0 ? t->places : limit_places(&t->limit);
}

/* Whether one more call may leave now, as far as breaker, places and rate say. If not, *again is when to ask again (INSTANT_NEVER: when something has
 * come back). The one question that is asked before any call. */
bool target_admits(const struct target *t, struct instant now, struct instant *again);

/* Whether a call that comes now has to wait: for the target, for its turn, or behind those that have waited longer. */
bool target_busy(struct target *t, enum target_class class, struct instant now);

/* The step's attempt, which was admitted, takes a place, until target_leave, which is told what came of it. Returns whether the breaker's mark has
 * changed. */
void target_enter(struct target *t, struct step *step, enum target_class class, struct instant now);
bool target_leave(struct target *t, struct step *step, struct instant now, enum breaker_outcome outcome);

/* Whether one more action that is not waited for without an end may not wait: max_pending do, or those of its key have left the others little of
 * it, so that a flood under one key leaves room for others. */
bool target_crowded(const struct target *t, struct target_key key);

/* The step goes into a queue: behind those of its key, or, when it has had its turn before and could not reach the target, to where it stood. Or out
 * of it, wherever it stands. */
void target_queue(struct target *t, struct step *step, enum target_class class, struct target_key key,
                  struct instant now);
void target_unqueue(struct target *t, struct step *step);

/* Whose turn it is, of all queues and as far as the budget says; NULL: nobody's. Then *again is when it may be somebody's (INSTANT_NEVER: when
 * something has come back, or nobody waits). */
struct step *target_first(struct target *t, struct instant now, struct instant *again);

/* The step, which waits, has its turn; target_unqueue follows. */
void target_take_turn(struct target *t, struct step *step);

/* It will come behind all others. */
void target_forget(struct step *step);

/* For how long the one has waited that has waited longest; 0: nobody waits. */
struct span target_longest(const struct target *t, struct instant now);

/* For how long the step has waited for the target to be back. */
struct span target_waited(const struct target *t, const struct step *step, struct instant now);
/* When this one has waited for so long for a target that is down. */
struct instant target_down_due(const struct target *t, const struct step *step, struct span wait);

/* Ends the process unless the target is sound. Constant time: the queues are looked at from both ends. */
void target_check(const struct target *t);

#endif
