/* retries.h - the retry policies that each registered definition takes where it says nothing: those that were in force when it was registered.
 *
 * Durable as subject rows (SUBJECT_RETRY; name: the definition's number), so that neither another sagad.yaml nor another sagad changes how a
 * definition runs that is registered already. Definitions of before these rows have none. */
#ifndef SAGA_CORE_RETRIES_H
#define SAGA_CORE_RETRIES_H

#include "sidecar/base/error.h"
#include "sidecar/definition/model.h"
#include "sidecar/journal/store.h"

struct retries;

/* Reads all rows, before the definitions are read. On success the caller must destroy *out. Returns 0, E_MEMORY, E_JOURNAL_CORRUPT, or what the
 * store fails with. */
int retries_recover(struct store *store, struct retries **out, struct error_detail *detail);

/* Accepts NULL. */
void retries_destroy(struct retries *r);

/* Those of the definition of this number; NULL when it was registered before they were kept. */
const struct retry_defaults *retries_find(const struct retries *r, uint32_t definition);

/* Room for what a row holds. */
struct retries_room {
    char name[16];
    char value[256];
};

/* The row of a definition. A view of room. */
struct subject_row retries_row(const struct definition *definition, struct retries_room *room);

#endif
