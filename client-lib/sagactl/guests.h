/* guests.h - the journals of others that a sidecar looks after beside its own, as a table. */
#ifndef SAGA_CTL_GUESTS_H
#define SAGA_CTL_GUESTS_H

#include "client-lib/sagactl/screen.h"

#include "saga/v1/operator.pb-c.h"

/* Writes a line for each, those with dead letters first; nothing when there are none. */
void guests_put(const struct screen *s, const Saga__V1__StatusResponse *m);

#endif
