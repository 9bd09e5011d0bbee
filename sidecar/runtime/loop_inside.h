/* loop_inside.h - one loop, as the files of this room share it: what it is made of, and who does what with it. */
#ifndef SAGA_RUNTIME_LOOP_INSIDE_H
#define SAGA_RUNTIME_LOOP_INSIDE_H

#include "sidecar/journal/sealed/sealed_store.h"
#include "sidecar/api/api.h"
#include "sidecar/base/failure.h"
#include "sidecar/config/config.h"
#include "sidecar/core/bulk.h"
#include "sidecar/core/catalog.h"
#include "sidecar/core/core.h"
#include "sidecar/core/retries.h"
#include "sidecar/core/schemas.h"
#include "sidecar/core/slis.h"
#include "sidecar/observe/http.h"
#include "sidecar/observe/recent.h"
#include "sidecar/relay/relay.h"
#include "sidecar/rpc/rpc.h"
#include "sidecar/runtime/clock.h"
#include "sidecar/runtime/drift.h"
#include "sidecar/runtime/tracing.h"

#include <stdatomic.h>

struct heartbeat;
struct remedies;
struct out_call;
struct sidecar;

/* Names of targets, with those that are needed and not there: twice as many as a configuration has. */
#define LOOP_TARGETS_MAX (2 * CONFIG_TARGETS_MAX)

/* How something failed last. */
#define LAST_SAID_BYTES 160
struct last_failure {
    struct instant at; /* 0: it has not */
    uint8_t status, said_size;
    uint8_t said[LAST_SAID_BYTES];
};

/* A step of which attempts have failed lately. */
#define FAILING_STEPS_MAX 64
struct failing_step {
    uint8_t phase; /* 0: the place is free */
    uint8_t definition_size, step_size;
    uint8_t definition[NAME_BYTES_MAX], step[STEP_NAME_BYTES_MAX];
    struct recent recent;
    struct last_failure last;
};

/* One of which this loop has, or had, a connection. */
struct loop_target {
    struct shared_target *shared; /* NULL: the configuration has never named it */
    struct rpc_target *rpc;       /* NULL: nor does it now */
    const char *address;
    struct instant down_since;          /* since when it cannot be reached; 0: it can */
    struct recent recent;               /* attempts that left and ended */
    uint64_t attempts, attempts_failed; /* the same, since the start */
    struct instant last_success;
    struct last_failure last_failure;
    struct attempt_series {
        struct metric_series *ok, *took, *waited; /* of attempts that were answered with OK, and of all that left */
    } series[2];                                  /* of actions and of compensations; NULL: looked for with the first */
};

/* What connections refer to: kept as long as the loop. */
struct target_words {
    struct target_words *next;
    char text[];
};

struct loop {
    const struct config *config; /* with its share of what is for the whole process */
    struct sidecar *sidecar;     /* whose loop it is */
    unsigned index;              /* among them */
    struct clock clock;
    struct catalog *catalog;
    struct schemas *schemas;
    struct bulks *bulks;
    struct slis *slis;       /* NULL: nothing is promised */
    struct retries *retries; /* while the definitions are read from the journal */
    struct store *store;
    struct store *database; /* the same without what seals it, where it is in a database; else NULL */
    struct core *core;
    struct rpc *rpc;
    uint32_t old_keys; /* of encryption, that the journal needs beside the one in use */
    char head_told[SEALED_HEAD_SIZE], audit_head_told[SEALED_HEAD_SIZE]; /* of the journal's chains, in the log */
    uint64_t certificates_version;                                       /* as this loop's targets have them */
    struct loop_target *targets;                                         /* LOOP_TARGETS_MAX, by the engine's index */
    unsigned target_count;                                               /* below which there are any */
    struct target_words *target_words;
    struct vitals vitals;                /* what it counts; its metrics are NULL when nobody can look */
    struct known_series *known;          /* by definition, in counters.c; NULL likewise */
    size_t commit_bytes, commit_records; /* that have become durable since the last commit was counted */
    struct instant next_told_host;       /* a guest's: what its gauges are made of */
    int64_t gauges_most_us;              /* the longest that its gauges have kept it busy */
    uint64_t answers_evicted;            /* last good answers that gave way, as metrics were told */
    uint64_t oldest_frame;               /* of the journal, as it was last looked at, */
    struct instant oldest_record_at;     /* and when its first record was written */
    uint64_t records[RECORD_TYPE_COUNT]; /* of each type, that became durable since the start */
    struct recent sagas;                 /* that ended */
    struct failing_step *failing;        /* FAILING_STEPS_MAX */
    struct tracing *tracing;             /* NULL: no traces */
    struct api *api;
    struct relay *relay; /* before the api: what other loops answer */
    struct definition_limits limits;
    struct policy *policy; /* NULL: none */
    struct drift drift;
    struct heartbeat *heartbeats; /* loop 0's: what the configuration wants started every so often */
    struct remedies *remedies;    /* loop 0's; NULL: there are no rules */

    atomic_bool stop_asked;         /* by any thread, so in a word of its own: the others are read together */
    _Atomic uint64_t durable_frame; /* the last, for other loops to see */
    _Atomic uint64_t live;          /* sagas, likewise; POSTGRES_LIVE_UNKNOWN at first */
    _Atomic uint64_t real_live, compensating, stuck;     /* likewise, without heartbeats */
    _Atomic int64_t oldest_us;                           /* when the oldest of them was started; 0: there is none */
    _Atomic int64_t oldest_stuck_us, oldest_deferred_us; /* likewise: of those that are stuck, and that are deferred */

    struct out_call *free_outs;
    struct out_call *held_outs;                       /* by a drill */
    struct out_call *waiting_outs, *last_waiting_out; /* calls that are to leave, in order */

    bool stopping;
    bool cutting;           /* the grace is over: calls out that end now were cut by us, and count as lost */
    int told_full;          /* what has been logged of the journal: as core_stalled, 1: it is tight */
    bool quiet;             /* it stops, and sidecar_is_quiet has counted it */
    bool not_serving;       /* the health service says so, because some loop's journal is full */
    struct failure failure; /* the loop must end */
};

/* ---- loop_open.c: one loop, for sidecar.c ---- */
int loop_open(const struct config *config, struct sidecar *sidecar, unsigned index, struct loop **out,
              struct error_detail *detail);
void loop_close(struct loop *s);

/* ---- loop.c ---- */
/* Makes durable what was registered before the first turn. */
void loop_commit(struct loop *s);
/* Lets what recovery asked for out, and begins to serve; then turns until it is stopped and what it has in flight has ended. */
void loop_start(struct loop *s);
void loop_turn(struct loop *s);
/* From any thread. */
void loop_stop(struct loop *s);
/* Tells the others of a fleet how many sagas live here, as far as the journal has it. */
void loop_tell_live(struct loop *s);
/* Looks at so many rows of ended sagas. One that is damaged is told of; what would hide others ends the loop. Returns 0 or why. */
int loop_verify_rows(struct loop *s, uint32_t rows_max, bool *more, struct error_detail *detail);

/* ---- registered.c ---- */
/* For scan_definitions, with the loop as self: a definition goes to the catalog, with the descriptors that it is pinned to. */
int registered_recover(void *self, const struct definition_row *row);
/* Registers the schemas of schemas_dir and the definitions of definitions_dir. */
int registered_take_files(struct loop *s, struct error_detail *detail);
/* Whether a new definition may be registered, with the loop as self. */
int registered_admit(void *self, const struct definition *definition, struct error_detail *detail);
/* What is to be said of one that may be. */
int registered_warn(void *self, const struct definition *definition,
                    void (*found)(void *list, const struct warning *warning), void *list);
/* Registers what another loop has. */
int registered_take_definition(struct loop *s, const struct definition *definition, struct error_detail *detail);
int registered_take_schema(struct loop *s, const struct schema_entry *schema, struct error_detail *detail);

/* ---- observer.c ---- */
void observer_durable(void *self, uint64_t frame, struct bytes records);

/* ---- outcalls.c: calls of participants ---- */
void outcalls_call(void *self, const struct call_effect *call);
void outcalls_answer(void *self, void *tag, const struct rpc_answer *answer);
/* Lets those leave that wait, in the time that a turn has for it; whether some are left; and at the end of the grace gives them up, as a
 * crash would. */
void outcalls_run(struct loop *s);
bool outcalls_wait(const struct loop *s);
/* When a call that a drill holds is to go on, or INSTANT_NEVER. */
struct instant outcalls_expiry(const struct loop *s);
void outcalls_abandon(struct loop *s);
void outcalls_reachable(void *self, unsigned target);
void outcalls_finish(struct loop *s);

#endif
