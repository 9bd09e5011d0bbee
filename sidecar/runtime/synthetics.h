/* synthetics.h - heartbeats: sagas that loop 0 has started every so often, in all loops by turns, by the sidecar's own requests. While one has
 * not ended, the next of its definition does not begin, and is counted as missed: what cannot be undone does not pile up. */
#ifndef SAGA_RUNTIME_SYNTHETICS_H
#define SAGA_RUNTIME_SYNTHETICS_H

#include "sidecar/runtime/loop_inside.h"

#include "saga/v1/operator.pb-c.h"

/* Returns 0 or E_MEMORY. */
int synthetics_open(struct loop *s);
void synthetics_close(struct loop *s);

/* From now on those of this configuration, which is borrowed: what is under way goes on, and those that stay keep their time unless it is another.
 * Returns 0, or E_MEMORY with nothing changed. */
int synthetics_take(struct loop *s, const struct config *config);

/* Once a turn: begins what is due. */
void synthetics_turn(struct loop *s);
/* When something is due, or INSTANT_NEVER. */
struct instant synthetics_expiry(const struct loop *s);

/* Fills in what a status tells of them, from the arena. Returns false when no memory is left. */
bool synthetics_fill(const struct loop *s, struct arena *a, Saga__V1__LoopStatus *m);

#endif
