/* loops.h - several loops in one sidecar: each with its own sagas, journal, thread and server, and one door for all.
 *
 * They share this struct, and ask one another over rpc_ask; nothing else. */
#ifndef SAGA_RUNTIME_LOOPS_H
#define SAGA_RUNTIME_LOOPS_H

#include "sidecar/runtime/inside.h"

#include <pthread.h>

struct loops {
    unsigned count;
    struct sidecar *all[SAGA_LOOPS_MAX];
    struct config *configs; /* with the share of each */
    pthread_t threads[SAGA_LOOPS_MAX];
    _Atomic uint64_t full; /* a bit for each loop whose journal is full */
    atomic_uint quiet;     /* loops that stop, and have nothing of their own in flight any more */
    atomic_bool failed;    /* one cannot go on: nobody waits out the grace */
};

/* The journal of loop k in the data directory: journal.db, then journal-1.db and so on. Returns path. */
#define JOURNAL_PATH_SIZE 8192
const char *loops_journal_path(const struct config *config, unsigned k, char path[JOURNAL_PATH_SIZE]);

/* A loop cannot go on: all stop. Returns once its own stop has been asked for. */
void loops_fail(struct sidecar *s);
/* Loop 0 lets nobody in any more: now the others may stop. */
void loops_stop_others(struct sidecar *s);
/* s stops. Whether every loop has ended what it had in flight: from then on none will be asked anything. */
bool loops_are_quiet(struct sidecar *s);
/* Notes whether this loop's journal is full, and returns whether any is. */
bool loops_full(struct sidecar *s, bool full);

#endif
