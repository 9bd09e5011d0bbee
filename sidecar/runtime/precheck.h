/* precheck.h - whether a start would be refused now, found out without starting: what `sagad -n` does. */
#ifndef SAGA_RUNTIME_PRECHECK_H
#define SAGA_RUNTIME_PRECHECK_H

#include "sidecar/config/config.h"

/* Looks at what a start needs of the machine: certificates, keys, schemas, the data directory and its locks, addresses, the limit of files. Makes
 * nothing. Writes a line for each thing that is in the way. Returns how many there are. */
unsigned precheck(const struct config *config, FILE *out);

/* What nobody knows before the start. */
extern const char precheck_unknown[];

#endif
