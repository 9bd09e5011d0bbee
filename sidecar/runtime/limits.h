/* limits.h - bounds of definitions (definition_limits), as one loop keeps them. */
#ifndef SAGA_RUNTIME_LIMITS_H
#define SAGA_RUNTIME_LIMITS_H

#include "sidecar/config/config.h"
#include "sidecar/engine/engine.h"

struct loop;

/* Loop k's share of each, of `count` loops. Gives; NULL: no memory. Its names are the configuration's. */
struct definition_bound *limits_of(const struct config *config, unsigned k, unsigned count);

/* What a configuration that was read again says, from now on. */
void limits_take(struct loop *s, const struct config *config);

#endif
