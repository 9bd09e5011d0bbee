/* schemas.h - the registered schemas: sets of descriptors, each kept once by its hash, and the names that they have now. One owner.
 *
 * Durable as subject rows: SUBJECT_SCHEMA (name: hash; value: the set), SUBJECT_SCHEMA_NAME (name: name; value: when, and the hash that it stands
 * for now), SUBJECT_PIN (name: a definition's number; value: the hash that the definition was checked against, and stays with). */
#ifndef SAGA_CORE_SCHEMAS_H
#define SAGA_CORE_SCHEMAS_H

#include "sidecar/base/instant.h"
#include "sidecar/base/sha256.h"
#include "sidecar/definition/reader.h"
#include "sidecar/core/core.h"
#include "sidecar/message/schema.h"

struct schemas;

/* A set of descriptors, whose row is in the journal, or in a batch on the way there. Lives as long as its owner. */
struct schema_set {
    char hash[SHA256_TEXT_SIZE];
    struct bytes bytes;    /* as it was registered */
    struct schema *schema; /* read */
    struct schema_set *next;
};

/* A name, and what it stands for now. */
struct schema_entry {
    char name[NAME_BYTES_MAX + 1];
    struct instant registered_at;
    const struct schema_set *set;
};

/* At most sets_max sets. Returns 0 or E_MEMORY. */
int schemas_create(uint32_t sets_max, struct schemas **out);
/* Accepts NULL. */
void schemas_destroy(struct schemas *s);

/* Lets a name (valid as a definition's is) stand for a set (copied, if there is not the same one already) from now on, and adds what makes that
 * durable to the core's batch. *repeated: it stood for this set already. Returns 0; what schema_read fails with; E_SCHEMAS, also for more names than
 * there may be sets; what core_may_add does; or E_MEMORY. */
int schemas_add(struct schemas *s, struct core *core, struct bytes name, struct bytes set, struct instant now,
                const struct schema_entry **out, bool *repeated, struct error_detail *detail);

/* What schemas_add would answer, with nothing changed, and the hash that the set has. */
int schemas_try(const struct schemas *s, const struct core *core, struct bytes name, struct bytes set,
                char hash[SHA256_TEXT_SIZE], bool *repeated, struct error_detail *detail);

/* NULL when there is none. */
const struct schema_entry *schemas_find(const struct schemas *s, struct bytes name);
const struct schema_set *schemas_find_set(const struct schemas *s, struct bytes hash);

/* In order of their names: the one at this index, or NULL. */
const struct schema_entry *schemas_at(const struct schemas *s, uint32_t index);
uint32_t schemas_count(const struct schemas *s);

/* ---- what is durable ---- */

/* Reads all rows, before the definitions are read. Returns 0 or an error. */
int schemas_recover(struct schemas *s, struct store *store, struct error_detail *detail);

/* For definition_limits: a new definition gets what its schema's name stands for now; that of this number in the journal, what it is pinned
 * to, until the next call. */
struct definition_schemas schemas_current(struct schemas *s);
struct definition_schemas schemas_pinned(struct schemas *s, uint32_t definition);
/* The same for one that is pinned to this hash in another loop's journal. */
struct definition_schemas schemas_fixed(struct schemas *s, const char *hash);

/* The row of a pin. Views of hash and of room, where its name is written. */
struct subject_row schemas_row_of_pin(uint32_t definition, const char *hash, char room[16]);

#endif
