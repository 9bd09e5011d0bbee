/* core_inside.h - what the files of the core share with one another, and with nobody else. */
#ifndef SAGA_CORE_CORE_INSIDE_H
#define SAGA_CORE_CORE_INSIDE_H

#include "sidecar/core/answers.h"
#include "sidecar/core/breakers.h"
#include "sidecar/core/core.h"
#include "sidecar/core/holds.h"

/* The open batch, and those that are closed. */
#define BATCH_COUNT (STORE_COMMITS_MAX + 1)
/* To read one saga's record is to read its frame. */
#define FRAME_BYTES_DEFAULT 32768
/* Events that wait for what the store looks up. */
#define PARKED_MAX 1024

struct held_effect {
    struct effect effect;
    struct error_detail *detail; /* owned; NULL when there is none */
};

/* What has been decided and is not durable. It is filled while it is open; once closed, it changes no more but for effects that wait
 * behind it, since the store may be borrowing it. */
struct batch {
    uint64_t first_frame; /* of its records, when it has any */
    uint8_t *records;
    size_t size, room;
    size_t *cuts; /* where in records each frame after the first begins, rising */
    size_t cut_count, cut_room;
    struct held_effect *effects;
    size_t effect_count, effect_room;
    struct ended_row *ended; /* they stay in the engine until the batch is durable, so that they can be found */
    size_t ended_count, ended_room;
    struct definition_row *definitions;
    size_t definition_count, definition_room;
    struct subject_row *subjects; /* name and value are one block that the batch owns, at name */
    size_t subject_count, subject_room;
    size_t row_bytes; /* of all these rows, as what they take in a store */
    uint8_t *audit;   /* entries of the audit trail, one behind another */
    size_t audit_size, audit_room;
    bool bare;                  /* it is committed though it holds nothing: the store has rows of its own to bring */
    uint64_t audit_seq;         /* closed: their row's number; 0: none */
    uint64_t oldest_live_frame; /* closed: what the store is told with it; 0: nothing */
    uint64_t needed_from;       /* closed: from which frame on the journal is needed once it is durable */
    uint32_t stuck;             /* closed: how many sagas are dead letters once it is durable */
};

struct parked;

struct core {
    struct core_options options;
    struct memory memory;
    struct store *store;
    struct catalog *catalog;
    struct core_world world;
    struct engine *engine;
    struct holds *holds;
    const struct recall *answers; /* the engine's */
    struct engine_out out;
    struct batch batches[BATCH_COUNT]; /* a ring: the closed ones, the oldest first, and the open one behind them */
    unsigned first;
    unsigned closed;             /* how many are closed */
    struct batch *open;          /* the one behind them */
    unsigned handed;             /* of those, how many the store has */
    struct parked *parked_first; /* in the order of their coming */
    struct parked *parked_last;
    unsigned parked_count;
    uint64_t epoch;             /* of the store's opening */
    uint64_t frame;             /* number of the open batch's first */
    uint64_t audit_last;        /* number of the last row of the audit trail that was closed */
    uint64_t durable_frame;     /* the last that is */
    uint32_t stuck;             /* dead letters, by what is durable */
    uint64_t oldest_live_frame; /* as the store was last told */
    uint64_t needed_from; /* no live saga has a durable record before this frame; what is only decided does not count */
    struct instant latest; /* of the records that recovery saw */
    uint64_t resume_after; /* sagas up to this serial have taken up where they were */
    bool resuming;         /* others have not */
    bool acted;            /* the event that is taken in was an act of a person, and changed something */
    bool tag_kept;         /* the journal holds our tag, or will with a batch that is under way */
    bool holding;
    int stalled; /* E_JOURNAL_FULL or E_JOURNAL_AWAY: why nothing becomes durable; 0: it does */
    struct instant stalled_since;
    struct instant look_by;    /* until then the owner was to look for what has arrived; 0: it has not said yet */
    struct instant drained_at; /* when nothing of it was left, last */
    int failed;                /* not 0: the batch could not be built; the owner must stop */
    uint32_t commits;          /* since the invariants were looked at */
    int lost;                  /* not 0: the journal cannot be written any more; the owner must stop */
    struct error_detail lost_why;
};

/* Where in the ring the batch is that has so many before it. */
static inline unsigned batch_place(const struct core *c, unsigned before)
{
    unsigned place = c->first + before;
    return place < BATCH_COUNT ? place : place - BATCH_COUNT;
}

/* ---- core_batch.c: what is decided is gathered ---- */
/* Where the engine puts what it decides: into the open batch. */
struct engine_out core_out(struct core *c);
/* Appends one record to the open batch's last frame. Returns 0 or E_MEMORY. */
int core_append(struct core *c, const struct record *r, uint64_t previous);
/* Ends the open batch's frame when it is as large as one may become. Returns the frame that the next record goes into, or 0 when no memory is
 * left. */
uint64_t core_next_frame(struct core *c);
/* Whether there is anything in it that the store must keep. */
bool batch_has_content(const struct batch *b);
/* Puts the effects of one batch behind those of another. Returns 0 or E_MEMORY. */
int batch_pass_effects(struct core *c, struct batch *from, struct batch *to);
/* The records of a frame of this batch; false when it is not one of its. */
bool batch_frame(const struct batch *b, uint64_t frame, struct bytes *records);
/* Everything in it is gone; its memory stays for the next. */
void batch_clear(struct core *c, struct batch *b);
void batch_free(struct core *c, struct batch *b);
/* The invariants of a batch, and of the core; each is a CHECK. */
void batch_check(const struct core *c, const struct batch *b, bool open);
void core_check(const struct core *c);
/* More room in an array that is full, of elements of size bytes. Returns 0 or E_MEMORY. */
int core_grow(const struct memory *m, void **array, size_t *room, size_t count, size_t size);
/* Room for one more. */
#define GROW(c, array, count, room) \
    ((count) < (room) ? 0 : core_grow(&(c)->memory, (void **)&(array), &(room), (count), sizeof *(array)))
/* 0, or with detail why the batch could not be built. */
int core_failed(const struct core *c, struct error_detail *detail);
void core_effect(struct core *c, const struct effect *effect, const struct error_detail *detail);

/* The rows of the last good answers that have changed since the last batch. */
void core_keep_answers(struct core *c);

/* ---- core.c ---- */
/* One event, parked ones aside. */
int core_take(struct core *c, const struct event *event, struct error_detail *detail);
/* Calls to targets that sagad.yaml no longer names never leave: this answers them. */
/* The frame from which the journal is needed, as memory has it: all batches included. */
uint64_t core_oldest_live_frame(const struct core *c);

/* ---- core_recovery.c ---- */
/* Lets further sagas take up where they were, until the batch is full. */
int core_resume(struct core *c, struct instant now, struct error_detail *detail);

/* ---- core_parked.c: requests that wait for a look-up ---- */
/* Whether one of them has this request_id. */
bool parked_has(const struct core *c, struct bytes request_id);
/* Copies the event and keeps it. Returns 0, E_QUEUE, or E_MEMORY. */
int parked_add(struct core *c, const struct event *event);
/* Takes each of them in again, in their order; those whose look-up goes on stay. */
int parked_resume(struct core *c, struct instant now, struct error_detail *detail);
/* Refuses all with E_STOPPING. */
void parked_abandon(struct core *c);
void parked_free(struct core *c);

#endif
