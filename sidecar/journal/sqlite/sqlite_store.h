/* sqlite_store.h - the store in one SQLite database (WAL, synchronous=FULL). This folder is the only place that knows SQLite. */
#ifndef SAGA_JOURNAL_SQLITE_STORE_H
#define SAGA_JOURNAL_SQLITE_STORE_H

#include "sidecar/journal/store.h"

/* What an opening is at that may take long. */
struct sqlite_upgrade {
    int from, to;      /* schemas */
    bool request_ids;  /* their table is made anew: */
    uint64_t in_table; /* so many are in it so far */
};

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
    /* Told when an opening begins with it, and between its pieces. NULL: nobody is. */
    void (*upgrading)(void *self, const struct sqlite_upgrade *upgrade);
    void *self;
    uint32_t unsorted_max; /* request_ids that are not sorted into their table; 0: as many as their number makes best */
};

/* Opens or makes the database, takes it for this process alone (E_JOURNAL_LOCKED when another has it), brings its schema up to date
 * (E_JOURNAL_VERSION when it is newer than this program) and checks it (E_JOURNAL_CORRUPT, detail saying what to do). On
 * success *out must be closed by the caller and *state tells what it holds. Beside the database lie `<path>-wal`, which is a part
 * of it, and `<path>.lock`, which is not. */
int sqlite_store_open(const struct sqlite_store_options *options, struct store **out, struct store_state *state,
                      struct error_detail *detail);

/* The schema of the database of this path, by its header alone: nothing is locked or written. 0: there is none, or what is written last is in its log. */
int sqlite_store_schema(const char *path);
/* That of this program. */
int sqlite_store_schema_now(void);

/* Has SQLite compare every page, table and index of a store of this kind with one another: minutes, for a large one. Returns 0,
 * E_JOURNAL_CORRUPT with the first that is wrong and what mends it, or E_JOURNAL. */
int sqlite_store_inspect(struct store *store, struct error_detail *detail);

#endif
