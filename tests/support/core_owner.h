/* core_owner.h - a core on a store made of memory, whose owner writes down what it lets out. For tests of the core, and
 * of what reads what it wrote. Time stands still unless the test moves it; the catalog and the core live from
 * owner_open to owner_crash or owner_close, the disk until owner_close. */
#ifndef TESTS_SUPPORT_CORE_OWNER_H
#define TESTS_SUPPORT_CORE_OWNER_H

#include "sidecar/core/core.h"
#include "tests/support/memory_store.h"

#define OWNER_CALLS_MAX 128

struct owner {
    struct memory_disk *disk;
    struct store *store;
    struct catalog *catalog;
    struct core *core;
    struct instant now;
    struct error_detail detail; /* of the latest function that failed */

    const char *targets[4];        /* NULL behind the last; at first "t" and "u" */
    uint32_t live_sagas_max;       /* 1000 */
    struct definition_bound limit; /* definition NULL: there is none */
    struct span retention;         /* 1 h */
    struct span audit_retention;   /* 0: for ever */
    uint32_t commit_bytes_max;     /* 64 KiB */
    uint32_t answers_max;          /* 100 */
    uint32_t move_after;           /* 0: as it is by default */
    struct memory memory;          /* malloc, counted */
    uint64_t allocations, fail_at; /* the number of the one that fails; 0: none */
    size_t taken;                  /* and not given back: owner_crash finds none of it left */

    char told[16384]; /* since the last owner_told */
    size_t told_size;
    struct saga_id saga;                       /* of the last reply */
    int retry_ms;                              /* what it said of when to come again */
    struct call_effect calls[OWNER_CALLS_MAX]; /* out, oldest first */
    size_t call_count;
};

/* Sets the defaults, makes the disk. Then owner_start. */
void owner_init(struct owner *o);

/* Opens store, catalog and core. Returns what core_open does. */
int owner_start(struct owner *o);

/* Definitions: "one" with step a, "two" with steps a and b, one after the other. */
extern const char owner_one_step[];
extern const char owner_two_steps[];

/* owner_init and owner_start, and both of them registered. */
void owner_open(struct owner *o);

/* What a killed process leaves: the disk. */
void owner_crash(struct owner *o);

/* owner_crash, and owner_start, checked. */
void owner_restart(struct owner *o);

/* owner_crash, and the disk too. */
void owner_close(struct owner *o);

/* Registers a definition (YAML) with token 0. Returns what core_register does. */
int owner_register(struct owner *o, const char *yaml);

/* A Start of the definition of this name, with a request_id unless that is NULL. Checked to be taken in. */
void owner_submit_start(struct owner *o, uint64_t token, const char *name, const char *request_id);

/* Checked to be taken in. now is filled in. */
void owner_submit(struct owner *o, struct event event);

/* Answers the oldest call that is out. */
void owner_answer(struct owner *o, int status, const char *output);

/* Returns what core_commit does. */
int owner_commit(struct owner *o);

/* Commits and answers OK until no call is out. */
void owner_finish_all(struct owner *o);

/* What was let out since the last time, one line each:
 *   durable FRAME
 *   reply TOKEN ok saga=SERIAL [repeated]      reply TOKEN REASON
 *   call SERIAL STEP action|undo #ATTEMPT
 *   breaker TARGET open|closed
 * A view until the next event. */
const char *owner_told(struct owner *o);

#endif
