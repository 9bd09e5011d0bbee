/* trades.h - the types of client-lib/examples/definitions/trades.proto, read. */
#ifndef SAGA_TESTS_TRADES_H
#define SAGA_TESTS_TRADES_H

#include "sidecar/definition/reader.h"
#include "sidecar/message/schema.h"

/* The serialized FileDescriptorSet. */
extern const unsigned char trades[];
extern const unsigned long trades_size;

/* The schema "trades" of typed definitions, for the rest of the program; others are not there. */
struct definition_schemas trades_schemas(void);

#endif
