/* targets.h - how a target is to all sagas, of all loops of a sidecar together. */
#ifndef SAGACTL_TARGETS_H
#define SAGACTL_TARGETS_H

#include "client-lib/sagactl/screen.h"

#include "saga/v1/operator.pb-c.h"

/* One target, or one kind of step, whatever the number of loops. */
struct recent_all {
    uint64_t count, refused, failed;
    struct span mean, most;
};

/* m may be NULL. */
void recent_all_add(struct recent_all *all, const Saga__V1__Recent *m);

struct target_all {
    const Saga__V1__TargetStatus *first; /* of any loop: its name and address; NULL: no loop has it */
    const Saga__V1__TargetStatus *away;  /* of a loop that cannot reach it; NULL: all can */
    const Saga__V1__Breaker *breaker;    /* of the loop whose breaker is least closed; NULL: none told */
    uint64_t calls, calls_max, waiting, undos, retries, rate, pending_max;
    uint32_t budget_percent; /* 0: there is no budget of retries */
    double retries_left;
    struct span longest, quickest; /* waited; 0: nobody does. Answered; 0: not known */
    struct recent_all recent;
    struct instant success;                    /* the last; INSTANT_NEVER: none */
    const Saga__V1__TargetStatus *failed_last; /* where it failed last; NULL: nowhere */
};

struct target_all targets_add(const Saga__V1__StatusResponse *m, const char *name);

/* A block about one target. */
void targets_put(const struct screen *s, const Saga__V1__StatusResponse *m, const char *name);

#endif
