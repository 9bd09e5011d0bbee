/* holds.h - definitions of which no saga is started for now: an operator, or a rule of remediation, holds them. Durable, a row each (SUBJECT_HOLD;
 * name: the definition, or the name given to Begin; value: saga.v1.Hold, empty when it was let go). One owner, no locks. */
#ifndef SAGA_CORE_HOLDS_H
#define SAGA_CORE_HOLDS_H

#include "sidecar/base/memory.h"
#include "sidecar/journal/store.h"

#include "saga/v1/operator.pb-c.h"

#define HOLDS_MAX             64
#define HOLD_REASON_BYTES_MAX 256

struct holds;
struct core;

/* memory is copied. Gives *out. Returns 0 or E_MEMORY. */
int holds_create(const struct memory *memory, struct holds **out);
/* Accepts NULL. */
void holds_destroy(struct holds *h);

/* Reads what is held. Returns 0, E_MEMORY, E_JOURNAL_CORRUPT, or what the store fails with. */
int holds_recover(struct holds *h, struct store *store, struct error_detail *detail);

/* Holds a definition (copied: definition, actor, reason, since), or, with hold false, lets it go; the row goes into the core's batch. From now on
 * core_submit refuses what it is about with E_HELD. What is so already stays as it is; own: what another actor holds, too. Returns 0, E_ARGUMENT,
 * E_HOLDS or E_MEMORY. */
int holds_set(struct holds *h, struct core *core, const Saga__V1__Hold *m, bool hold, bool own,
              struct error_detail *detail);

bool holds_has(const struct holds *h, struct bytes definition);
/* The one at this place, below HOLDS_MAX, or NULL. View until the next holds_set. */
const Saga__V1__Hold *holds_at(const struct holds *h, unsigned place);

#endif
