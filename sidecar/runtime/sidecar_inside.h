/* sidecar_inside.h - the loops of one sidecar, one or several: each with its own sagas, journal, thread and server, and one door for all.
 *
 * They share this struct, and ask one another over rpc_ask; nothing else. */
#ifndef SAGA_RUNTIME_SIDECAR_INSIDE_H
#define SAGA_RUNTIME_SIDECAR_INSIDE_H

#include "sidecar/runtime/loop_inside.h"
#include "sidecar/runtime/keys.h"
#include "sidecar/shard/tags.h"

#include <pthread.h>

struct adopted;
struct fleet;
struct reload;

/* A target, in all loops alike. */
struct shared_target {
    struct shared_target *next;
    atomic_uint down; /* loops that cannot reach it */
    char name[];
};

struct sidecar {
    const struct adopted
        *adopted; /* NULL: its journals are its own; else it serves nobody but the sidecar beside which it was opened */
    struct fleet *fleet;                                /* NULL: it is in none */
    struct keys keys;                                   /* of the journals, while they are opened */
    struct certificates *certificates;                  /* NULL: none; of all loops */
    struct panel *panel;                                /* NULL: nobody can look */
    struct metrics *guest_metrics[FLEET_TAKEOVERS_MAX]; /* of each place for a guest, of all that come there in turn */
    struct http *http;                                  /* NULL: not over HTTP */
    struct exporter *exporter;                          /* NULL: nothing goes to a collector */
    struct tracing *tracing[SAGA_LOOPS_MAX];
    struct vitals *vitals[SAGA_LOOPS_MAX];
    const char *file; /* of its configuration; NULL: the defaults */
    unsigned count;
    unsigned places; /* where sagas live that are asked for here: loops, and then guests, of which rooms may be NULL */
    struct loop *loops[SAGA_LOOPS_MAX];
    struct rpc *rooms[SAGA_LOOPS_MAX]; /* of each, by which they ask one another */
    struct config *configs;            /* with the share of each */
    pthread_t threads[SAGA_LOOPS_MAX];
    struct tags tags;                /* of all loops; not changed once they run, but by fleet.c where there is one */
    bool used;                       /* a journal has frames already: what lives where is decided */
    _Atomic uint64_t full;           /* a bit for each loop whose journal is full */
    atomic_uint quiet;               /* loops that stop, and have nothing of their own in flight any more */
    const struct config *config;     /* of the start */
    const struct config *config_now; /* in force: changed by loop 0, while no loop reads it */
    struct config *config_fresh;     /* owned: the same, once it is not that of the start */
    const struct config *rules_now;  /* whose rules are in force */
    struct config *rules_fresh;      /* owned, likewise; may be config_fresh */
    pthread_mutex_t targets_mutex;   /* of the next */
    struct shared_target *targets;   /* every one that was ever configured */
    atomic_uint reloads_asked;
    _Atomic(struct reload *) reload_read;                  /* owned: what was read and not yet taken up */
    struct reload *reload;                                 /* owned by loop 0: what is being taken */
    _Atomic(struct reload *) targets_read[SAGA_LOOPS_MAX]; /* whose targets loop k has still to take */
    atomic_bool failed;                                    /* one cannot go on: nobody waits out the grace */
};

/* The journal of loop k in the data directory: journal.db, then journal-1.db and so on. Returns path. */
#define JOURNAL_PATH_SIZE 8192
const char *sidecar_journal_path(const struct config *config, unsigned k, char path[JOURNAL_PATH_SIZE]);

/* What loop k of count has of a bound that is the whole sidecar's. */
uint32_t sidecar_part(uint32_t whole, unsigned k, unsigned count);

/* Likewise of a target. */
struct config_target sidecar_share_target(const struct config_target *target, unsigned k, unsigned count);

/* What loop k has of a configuration: its share of each bound that is the whole sidecar's. own->targets is to be freed. Returns 0 or
 * E_MEMORY. */
int sidecar_share(const struct config *config, unsigned k, struct config *own);

/* Whether the limit of files and the number of loops permit a start. Returns 0, E_ARGUMENT or E_SYSTEM. */
int sidecar_check_start(const struct config *config, struct error_detail *detail);

/* A loop cannot go on: all stop. Returns once its own stop has been asked for. */
void sidecar_loop_failed(struct loop *s);
/* Loop 0 lets nobody in any more: now the others may stop. */
void sidecar_stop_others(struct loop *s);
/* s stops. Whether every loop has ended what it had in flight: from then on none will be asked anything. */
bool sidecar_is_quiet(struct loop *s);
/* Notes whether this loop's journal is full, and returns whether any is. */
bool sidecar_full(struct loop *s, bool full);

#endif
