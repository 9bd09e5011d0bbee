/* sqlite_store.h - the store in one SQLite database (WAL, synchronous=FULL). This folder is the only place that knows SQLite. */
#ifndef SAGA_JOURNAL_SQLITE_STORE_H
#define SAGA_JOURNAL_SQLITE_STORE_H

#include "sidecar/journal/store.h"

struct sqlite_store_options {
    const char *path; /* of the database file; made when it is not there */
    const char *vfs;  /* NULL: the default one */
    uint64_t
        size_bytes_max; /* of the database, its log and the reserve together; beyond it is E_JOURNAL_FULL. 0: as large
                                  as the disk */
    uint64_t
        commit_bytes_max; /* of one commit, with size_bytes_max: so much has room in the log; 0: a sixteenth of that */
    uint32_t checkpoint_pages; /* the write-ahead log is copied into the database when it is this long; 0: 1000, or what
                                  size_bytes_max leaves for it */
    uint32_t unsorted_max; /* request_ids that are not sorted into their table; 0: as many as their number makes best */
};

/* Opens or makes the database, takes it for this process alone (E_JOURNAL_LOCKED when another has it), brings its schema up to date
 * (E_JOURNAL_VERSION when it is newer than this program) and checks it (E_JOURNAL_CORRUPT, detail saying what to do). On
 * success *out must be closed by the caller and *state tells what it holds. Beside the database lie `<path>-wal`, which is a part
 * of it, and `<path>.lock`, which is not. */
int sqlite_store_open(const struct sqlite_store_options *options, struct store **out, struct store_state *state,
                      struct error_detail *detail);

/* Has SQLite compare every page, table and index of a store of this kind with one another: minutes, for a large one. Returns 0,
 * E_JOURNAL_CORRUPT with the first that is wrong and what mends it, or E_JOURNAL. */
int sqlite_store_inspect(struct store *store, struct error_detail *detail);

#endif
