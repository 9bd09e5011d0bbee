/* heartbeats.h - the sagas that a sidecar starts by itself, apart from all others. */
#ifndef SAGA_CTL_HEARTBEATS_H
#define SAGA_CTL_HEARTBEATS_H

#include "client-lib/sagactl/screen.h"

#include "saga/v1/operator.pb-c.h"

/* A line for each definition that has some; nothing when none has. */
void heartbeats_put(const struct screen *s, const Saga__V1__StatusResponse *m);

#endif
