/* status.h - how one loop is, for an operator who asks. */
#ifndef SAGA_RUNTIME_STATUS_H
#define SAGA_RUNTIME_STATUS_H

#include "sidecar/core/arena.h"

#include "saga/v1/operator.pb-c.h"

/* Fills in *m (initialized) for the loop self, from the arena. Returns false when no memory is left. */
bool status_fill(void *self, struct arena *a, Saga__V1__LoopStatus *m);

#endif
