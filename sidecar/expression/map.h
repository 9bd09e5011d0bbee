/* map.h - makes a map of datums. Pure. */
#ifndef SAGA_EXPRESSION_MAP_H
#define SAGA_EXPRESSION_MAP_H

#include "sidecar/expression/datum.h"

struct map_builder {
    struct datum *entries;
    uint32_t *slots;
    uint32_t mask, count, capacity;
    struct datum_map *map;
};

/* For at most capacity entries. False when the pool has no room. */
bool map_builder_init(struct map_builder *b, struct pool *p, uint32_t capacity);

/* Whether a map may have it as a key: a bool, an int, a uint or a string. */
bool map_key_allowed(const struct datum *key);

/* False when the key is there already, unless its value is to be replaced. */
bool map_builder_add(struct map_builder *b, const struct datum *key, const struct datum *value, bool replace);

struct datum map_builder_finish(const struct map_builder *b);

#endif
