/* known.h - what an event says of its saga beside its record: the names of the definition and of the step.
 *
 * A record has numbers. While the saga lives, memory tells its names; afterwards they are remembered from the records that went by (a watcher
 * sees a saga's first record before the others), and only when they did not, the journal is asked: so an event costs the same however much
 * is stored. What is remembered is bounded. One owner. */
#ifndef SAGA_API_KNOWN_H
#define SAGA_API_KNOWN_H

#include "sidecar/api/view.h"
#include "sidecar/core/core.h"

struct known_names;

/* Borrows all three. Returns 0 or E_MEMORY. */
int known_create(struct core *core, struct store *store, const struct catalog *catalog, struct known_names **out);
/* Accepts NULL. */
void known_destroy(struct known_names *n);

/* Remembers what a record tells of names. */
void known_learn(struct known_names *n, const struct record *record);

/* The names of an event. Views until the next call of a known_ function. They are empty when nobody knows them any more. Returns 0,
 * STORE_PENDING, or an error. */
int known_find(struct known_names *n, const struct record *record, struct view_names *out, struct error_detail *detail);

#endif
