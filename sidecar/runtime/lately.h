/* lately.h - what has gone on in a loop in the last minutes, for a person who asks how things are: how calls of each target ended, which steps
 * fail, how sagas ended. In memory alone; a restart begins anew. Bounded by the targets, and by FAILING_STEPS_MAX. */
#ifndef SAGA_RUNTIME_LATELY_H
#define SAGA_RUNTIME_LATELY_H

#include "sidecar/runtime/loop_inside.h"

#include "saga/v1/operator.pb-c.h"

/* Returns 0 or E_MEMORY. */
int lately_open(struct loop *s);
void lately_close(struct loop *s);

/* A record of this type has become durable; whether it is to be told by lately_ended. */
static inline bool lately_count(struct loop *s, uint8_t type)
{
    s->records[type]++;
    return type == RECORD_ENDED;
}
void lately_ended(struct loop *s, const struct saga *saga, const struct record *r);

/* An attempt that left at left_at has ended; or never left, which counts for nothing and is kept as how the target failed last. A heartbeat's is not
 * shown. */
void lately_attempt(struct loop *s, const struct call_effect *call, struct instant left_at,
                    const struct rpc_answer *answer, struct instant now);

/* Fills in what a status tells of it, from the arena. Return false when no memory is left. */
bool lately_fill(struct loop *s, struct arena *a, Saga__V1__LoopStatus *m);
bool lately_fill_target(struct loop *s, const struct loop_target *target, struct arena *a, Saga__V1__TargetStatus *m);

#endif
