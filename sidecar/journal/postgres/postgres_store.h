/* postgres_store.h - the store in a PostgreSQL database, which several sidecars may share: each has a journal of its own there, by name. This
 * folder is the only place of the sidecar that knows libpq. docs/fleet.md has the design.
 *
 * A journal has a holder, an epoch and a lease on the server's clock. Every commit is one statement that names the epoch and the number of the
 * commit before it, so that one of a former holder, or one without its predecessor, changes nothing. Commits are pipelined on a connection of
 * their own; what is read goes over another. Each has a thread, so that nothing here waits for the network but what says so. */
#ifndef SAGA_JOURNAL_POSTGRES_STORE_H
#define SAGA_JOURNAL_POSTGRES_STORE_H

#include "sidecar/journal/store.h"

#include <stdio.h>

struct postgres_store_options {
    const char *conninfo; /* a URI or words, as libpq takes them */
    const char *journal;  /* its name in the database */
    const char *first;    /* the name of loop 0's journal: loop k has that with /k behind it */
    unsigned
        loops; /* how many loops the sidecar has, whose journals are made from the last to the first; 0: another's */
    const char *holder;  /* who takes it: whoever held it by the same text is known to have ended. Never two at once. */
    const char *fleet;   /* whose sidecars may take the journal over; "": nobody's */
    const char *carrier; /* the journal of this sidecar itself: the same, or that beside which it takes this one */
    const char *address; /* where others reach this sidecar; "": nowhere */
    const char *program; /* which version of sagad takes it, for others to see; without a space */
    const char *needs;   /* of its own journal: the names of its targets, with a comma behind each */
    const char *witness; /* a file that tells how far the journal had come when this machine saw it last; NULL: none */
    uint64_t bytes_max;  /* of what the journal holds; 0: no bound */
    uint64_t commit_bytes_max;
    struct span lease;    /* how long the journal stays ours without a word from us */
    struct span timeout;  /* what takes the server longer counts as a lost connection */
    struct span patience; /* how long opening waits for a server that is away, and for another holder's lease to end */
    /* Asked now and then meanwhile, with what it waits for: false ends that with E_STOPPING. NULL: nobody is asked. */
    bool (*waits)(void *self, const char *why);
    void *self;
};

#define POSTGRES_JOURNAL_BYTES_MAX 128
#define POSTGRES_HOLDER_BYTES_MAX  256
#define POSTGRES_PROGRAM_BYTES_MAX 40

/* Whether libpq can make sense of conninfo, and no password stands in it. Returns 0 or E_ARGUMENT. */
int postgres_store_check_conninfo(const char *conninfo, struct error_detail *detail);

/* How many sagas live in it, for the others to see; as often as one likes. */
#define POSTGRES_LIVE_UNKNOWN UINT64_MAX
void postgres_store_tell_live(struct store *store, uint64_t live);

/* Connects, checks that the server keeps what it says it keeps, and takes the journal, which begins empty when there is none of its name. One that
 * is not its carrier's own is had at once or not at all, and never while a sidecar that is its own asks for it.
 * E_JOURNAL_VERSION when the tables are not there, older, or no longer for this sagad, or a newer one has written the journal, E_JOURNAL_LOCKED when another holds the journal beyond the patience,
 * E_JOURNAL when the server cannot be reached, does not make commits durable, or has gone back behind the witness. */
int postgres_store_open(const struct postgres_store_options *options, struct store **out, struct store_state *state,
                        struct error_detail *detail);

/* Reads a journal as it is at this moment, and takes it from nobody: commits are not for such a store. Errors as of opening; E_ARGUMENT when there is
 * none of this name. */
int postgres_store_look(const char *conninfo, const char *journal, struct span timeout, struct store **out,
                        struct store_state *state, struct error_detail *detail);

/* How much it holds, where that is bounded: else 0. */
uint64_t postgres_store_bytes(const struct store *store);

/* What the server promises, in words, for the log: valid until the store is closed. */
const char *postgres_store_promise(const struct store *store);

/* Makes the tables, or brings them up to date, and tells out what was done. Returns 0 or an error. */
int postgres_store_migrate(const char *conninfo, struct span timeout, FILE *out, struct error_detail *detail);

/* Writes the same as SQL, for whoever lets no program do that: one transaction, for a database without tables (0) or with those of version `from`, and
 * which fails in any other. Returns 0, or E_ARGUMENT when there is nothing to be done to such. */
int postgres_store_print_sql(unsigned from, FILE *out);

#endif
