/* graph.h - what follows from the `after` of the steps: order, circles, and what runs beside what. */
#ifndef SAGA_DEFINITION_GRAPH_H
#define SAGA_DEFINITION_GRAPH_H

#include "sidecar/definition/model.h"

#include <stddef.h>

/* Fills in the ancestors of every step from their `after`. Returns true, or false when the steps wait for one another
 * in a circle: then circle holds the indices of one, each waiting for the next and the last for the first, and *size
 * their number. */
bool graph_order(struct definition *d, uint16_t circle[STEPS_LIMIT], size_t *size);

/* A step that is neither before nor after the pivot, or -1. */
int graph_beside_pivot(const struct definition *d);

#endif
