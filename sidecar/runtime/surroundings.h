/* surroundings.h - what about the machine an operator should know at a start. */
#ifndef SAGA_RUNTIME_SURROUNDINGS_H
#define SAGA_RUNTIME_SURROUNDINGS_H

#include "sidecar/config/config.h"

/* Writes into the log what is wrong with the data directory, and with the number of loops; it must be there. */
void surroundings_tell(const struct config *config);

#endif
