/* contracts.h - registered definitions with the types that they are pinned to, as one JSON document: what a participant is held to. */
#ifndef SAGACTL_CONTRACTS_H
#define SAGACTL_CONTRACTS_H

#include "client-lib/sagactl/run.h"
#include "sidecar/definition/reader.h"
#include "sidecar/message/schema.h"

#include <jansson.h>

/* As wide as any sidecar's: whatever its own bounds are, it has taken what it has registered. */
struct definition_limits contracts_limits(struct definition_schemas schemas);

/* Asks the sidecar for all definitions (of --definition, those of that name), of which --target keeps those that call it. Gives *document
 * (json_decref). Returns EXIT_DONE, or another status after having said why. */
int contracts_fetch(struct run *r, json_t **document);

/* The same from a file that contracts_fetch's document was written to. */
int contracts_load(struct run *r, const char *path, json_t **document);

/* Reads each definition of the document, and hands it to use, which returns EXIT_DONE or another status: then it ends with that. */
int contracts_each(struct run *r, const json_t *document, int (*use)(void *self, const struct definition *d),
                   void *self);

#endif
