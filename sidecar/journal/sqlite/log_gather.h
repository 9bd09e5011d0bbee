/* log_gather.h - a layer below SQLite that writes the log of a commit in one piece.
 *
 * SQLite writes each page of its write-ahead log in two pieces, a header of 24 bytes and the page: a commit of three pages costs six system
 * calls before its fsync. Here what adjoins is gathered, and goes to the system before anything else is asked of the file: a sync, a read,
 * its size, its end. Nothing is kept over a sync, so what is durable when is as it ever was; a write that fails does so at the sync, with
 * the same code. */
#ifndef SAGA_JOURNAL_SQLITE_LOG_GATHER_H
#define SAGA_JOURNAL_SQLITE_LOG_GATHER_H

#include "sidecar/base/instant.h"

#include <sqlite3.h>

struct log_gather {
    sqlite3_vfs vfs; /* its name is unique to this object */
    char name[40];
    struct span synced; /* how long syncs of the log took, all together; whoever takes it sets it to 0 */
};

/* Registers the layer above the VFS of this name (NULL: SQLite's default); open a database with ->name. The object, zeroed before, stays where
 * it is until log_gather_finish, which comes after the database is closed. Returns a code of SQLite. */
int log_gather_init(struct log_gather *g, const char *system);
/* Accepts one that was only zeroed. */
void log_gather_finish(struct log_gather *g);

#endif
