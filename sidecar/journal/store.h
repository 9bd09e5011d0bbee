/* store.h - where frames are kept: the interface that SQLite implements (and the simulator's disk, and later PostgreSQL).
 *
 * One owner, no locks. A store holds: frames, numbered from 1 without gaps, appended only, later dropped from the front; one row
 * for each saga that has ended; the registered definitions; a few numbers. */
#ifndef SAGA_JOURNAL_STORE_H
#define SAGA_JOURNAL_STORE_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/error.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/engine/record.h"

/* What people search for of a saga that has ended. Views are valid as each function says. */
struct ended_row {
    struct saga_id saga;
    uint8_t state; /* enum saga_state, a final one */
    uint8_t mode;
    uint8_t reason;
    uint32_t definition; /* number; 0 for an enlisted saga */
    struct bytes name;
    struct bytes request_id;
    uint64_t fingerprint;
    struct instant started_at;
    struct instant ended_at;
    uint64_t first_frame; /* holding records of it */
    uint64_t last_frame;  /* from which its timeline is walked backwards */
};

/* A definition as it is kept. */
struct definition_row {
    uint32_t number;
    struct instant registered_at;
    struct bytes source;
};

/* Everything that becomes durable together. Borrowed for the call. */
struct store_commit {
    uint64_t frame;       /* the number of the frame: one above the last; 0 when there are no records */
    struct bytes records; /* encoded */
    const struct ended_row *ended;
    size_t ended_count;
    const struct definition_row *definitions;
    size_t definition_count;
    uint64_t oldest_live_frame; /* recovery need not look at frames before this one; 0 leaves it as it is */
};

/* What the store holds when it is opened. */
struct store_state {
    uint64_t first_frame; /* 0: no frames */
    uint64_t last_frame;
    uint64_t oldest_live_frame; /* replay starts here; 0: from the first */
    uint64_t serial_max;        /* of sagas that have ended; 0: none. Live ones are told by the frames. */
};

/* Asks for the ended sagas with a serial below `below` (UINT64_MAX: from the newest), newest first. */
struct ended_query {
    uint64_t below;
    uint32_t states;   /* bit n: state n is wanted; 0: every state */
    struct bytes name; /* empty: every one */
    struct instant started_from;
    struct instant started_before; /* INSTANT_NEVER: no end */
    uint32_t rows_max;             /* to give */
    uint32_t examine_max;          /* to look at */
};

struct store {
    /* Makes commit durable before it returns (fsync'd), all of it or nothing. Returns 0, E_JOURNAL_FULL (nothing was written;
     * the same commit may be tried again later), or E_JOURNAL: then what is on disk is not known, and the owner must stop. */
    int (*commit)(struct store *s, const struct store_commit *commit, struct error_detail *detail);

    /* Gives the frames from `from` to the last, in order, to take. A view is valid for that call. Stops when take does not
     * return 0, and returns that. take must not call the store. */
    int (*scan)(struct store *s, uint64_t from, int (*take)(void *self, uint64_t frame, struct bytes records),
                void *self, struct error_detail *detail);

    /* One frame. *records is a view until the next call of any of these functions. E_CURSOR when it was dropped. */
    int (*read_frame)(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail);

    /* The row of an ended saga by serial, or by request_id. *row is a view until the next call of any of these functions.
     * E_SAGA_NOT_FOUND when there is none. */
    int (*find_ended)(struct store *s, uint64_t serial, struct ended_row *row, struct error_detail *detail);
    int (*find_request)(struct store *s, struct bytes request_id, struct ended_row *row, struct error_detail *detail);

    /* Gives the rows that match, newest first, to take (view for that call). *examined_to becomes the lowest serial that was looked at, or
     * 0 when the end was reached: ask on with below = *examined_to. */
    int (*list_ended)(struct store *s, const struct ended_query *query,
                      void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                      struct error_detail *detail);

    /* Gives every definition, by number. */
    int (*scan_definitions)(struct store *s, int (*take)(void *self, const struct definition_row *row), void *self,
                            struct error_detail *detail);

    /* Retention: forgets rows of sagas that ended before `before`, and frames that are below keep_from and were committed before
     * `before`; at most work_max of each, so that the owner can spread the work. *more tells whether there is more to drop. The last
     * frame stays, and oldest_live_frame follows what goes. Errors as of commit: on a full disk nothing is dropped, this time. */
    int (*drop)(struct store *s, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                struct error_detail *detail);

    void (*close)(struct store *s);
};

#endif
