/* keys.h - the keys of the journal, from where the configuration says that they are. */
#ifndef SAGA_RUNTIME_KEYS_H
#define SAGA_RUNTIME_KEYS_H

#include "sidecar/config/config.h"
#include "sidecar/journal/sealed/sealed_store.h"

struct keys {
    struct seal_keys encryption, chain; /* count 0: none */
};

/* Reads the files, or has the command say them (within 30 s). keys_forget afterwards. Returns 0, or an error that names the option. */
int keys_read(const struct config *config, struct keys *out, struct error_detail *detail);
/* The files alone. */
int keys_read_files(const struct config *config, struct keys *out, struct error_detail *detail);
void keys_forget(struct keys *keys);

/* Puts what the keys are for before a journal that was opened; *store is then the one to use, and to close. Fails as sealed_store_open; *store is
 * then as it was. */
int keys_apply(const struct keys *keys, const struct store_state *state, struct store **store,
               struct error_detail *detail);

/* Looks along a journal's chains, whole. Returns 0, or E_JOURNAL_CORRUPT with what was found. */
int keys_verify(struct store *store, struct error_detail *detail);

#endif
