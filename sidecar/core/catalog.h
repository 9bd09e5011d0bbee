/* catalog.h - the registered definitions, by name and version and by number. One owner. */
#ifndef SAGA_CORE_CATALOG_H
#define SAGA_CORE_CATALOG_H

#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"
#include "sidecar/definition/model.h"

struct catalog;

struct catalog_entry {
    struct definition *definition; /* owned by the catalog; number is set */
    struct instant registered_at;
};

/* Returns 0 or E_MEMORY. */
int catalog_create(uint32_t definitions_max, struct catalog **out);

/* Destroys the definitions too. Accepts NULL. */
void catalog_destroy(struct catalog *c);

/* Takes a definition whose number is set (recovery: definitions_max may have been lowered since, and does not hold for it), or is 0: then it
 * becomes the next one. Returns 0, E_DEFINITIONS, or E_MEMORY; on failure the definition stays the caller's. Name and version must be new
 * (CHECK). */
int catalog_add(struct catalog *c, struct definition *definition, struct instant registered_at,
                struct error_detail *detail);

/* The entry of name and version, or, when version is empty, of the highest version that is no pre-release; NULL when there is none. */
const struct catalog_entry *catalog_find(const struct catalog *c, struct bytes name, struct bytes version);

const struct definition *catalog_by_number(const struct catalog *c, uint32_t number);

/* In order of name, then version: the entry at this index, or NULL. */
const struct catalog_entry *catalog_at(const struct catalog *c, uint32_t index);
uint32_t catalog_count(const struct catalog *c);

/* Whether a new definition would be refused with E_DEFINITIONS. */
bool catalog_is_full(const struct catalog *c);

#endif
