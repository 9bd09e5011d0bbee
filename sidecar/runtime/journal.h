/* journal.h - where the configuration says that a loop's journal is. */
#ifndef SAGA_RUNTIME_JOURNAL_H
#define SAGA_RUNTIME_JOURNAL_H

#include "sidecar/config/config.h"
#include "sidecar/journal/store.h"

#include <stdio.h>

/* A journal in the database that is not this sidecar's own: it looks after it while nobody else does. */
struct adopted {
    const char *journal;
    struct metrics *metrics; /* what it counts in; NULL: nobody looks */
};

#define JOURNAL_NAME_SIZE 129

/* The name in the database of this sidecar's own. Returns 0 or E_SYSTEM. */
int journal_name(const struct config *config, char name[JOURNAL_NAME_SIZE], struct error_detail *detail);

/* The same of loop k: with several, each has a journal of its own. */
int journal_name_of(const struct config *config, unsigned k, char name[JOURNAL_NAME_SIZE], struct error_detail *detail);

/* Opens the journal of loop k: in the data directory, which is there, or in the database, for which this waits while another holds it; or the one that is
 * adopted (NULL: none), for which it does not. Says in the log what is to be known of it. As sqlite_store_open and postgres_store_open. */
int journal_open(const struct config *config, unsigned k, const struct adopted *adopted, struct store **out,
                 struct store_state *state, struct error_detail *detail);

/* Whether the data directory is one of a journal of the other kind, which would be left behind with its sagas; and whether what is said of the
 * database can be understood. Returns 0 or E_ARGUMENT. */
int journal_check_kind(const struct config *config, struct error_detail *detail);

/* Makes the tables in the database, or brings them up to date, and tells out. Returns 0 or an error. */
int journal_migrate(const struct config *config, FILE *out, struct error_detail *detail);

#endif
