/* recall.h - the last good answers that steps have had, by name: what a fallback may take in place of one. Bounded in number, in bytes and in age; the
 * oldest give way. Pure; owns its entries. One owner, no locks.
 *
 * A name is: whose it is, a NUL, the method, a NUL, and the key, with a NUL behind it. What stands before a NUL holds none.
 *
 * Each answer has a slot, a small number by which the owner keeps it durably: recall_next_changed tells which are to be written anew. */
#ifndef SAGA_RESILIENCE_RECALL_H
#define SAGA_RESILIENCE_RECALL_H

#include "sidecar/base/bytes.h"
#include "sidecar/base/instant.h"
#include "sidecar/base/memory.h"

#include <stdbool.h>

/* What one can hold: with its name it is a row of the journal. */
#define RECALL_ANSWER_BYTES_MAX (1048576 - 4096)
#define RECALL_NAME_BYTES_MAX   1024

struct recall_options {
    uint32_t answers_max; /* 0: none is kept */
    uint64_t bytes_max;   /* of names and answers, and what each takes beside */
    struct span age_max;  /* older ones are forgotten */
    uint64_t seed;        /* of the hash of names, which strangers have a hand in */
};

struct recall_entry;

struct recall_slot {
    struct recall_entry *entry;       /* NULL: it is free */
    uint32_t next_free, next_changed; /* from 1; 0: the last */
    bool changed;
};

struct recall {
    const struct memory *memory;
    struct recall_options options;
    struct recall_slot *slots; /* slot_count of them are or were in use */
    uint32_t *buckets;         /* by name: slots from 1; slot_room of them */
    uint32_t slot_count, slot_room, count;
    uint32_t first_free, first_changed; /* from 1; 0: none */
    uint64_t bytes, changed_bytes;      /* changed: of those that are to be written anew */
    uint64_t evicted;                   /* so many gave way before their age was over */
    struct recall_entry *oldest, *newest;
};

/* An answer; views until anything else is kept or forgotten. */
struct recalled {
    uint32_t slot;
    struct bytes name; /* empty: the slot is free */
    struct bytes answer;
    struct instant given_at;
};

/* memory must outlive it. Takes none yet. */
void recall_init(struct recall *r, const struct memory *memory, const struct recall_options *options);
void recall_finish(struct recall *r);

/* Recovery: what a slot holds, as it was written; copies. Returns 0, E_MEMORY, or E_JOURNAL_CORRUPT when the slot, or the name, is there already, or out of
 * all bounds. recall_restored is to follow the last: what does not fit any more is forgotten. */
int recall_restore(struct recall *r, const struct recalled *one);
void recall_restored(struct recall *r);

/* This answer is the last good one of this name; copies. One that is too large, or for which there is no memory, is not kept, and no older one either.
 * now: never before that of an earlier call. */
void recall_keep(struct recall *r, struct bytes name, struct bytes answer, struct instant now);

/* The last good answer of this name, if one was given within age of now. Otherwise false; then out->given_at tells when the one that is too old was
 * given, or 0. */
bool recall_find(const struct recall *r, struct bytes name, struct span age, struct instant now, struct recalled *out);

/* Forgets the last good answers of whichever methods that are this one's under this key; what the journal has of them is to be written anew. */
void recall_forget(struct recall *r, struct bytes whose, struct bytes key);

/* When the oldest is to be forgotten; INSTANT_NEVER: there is none. recall_expire forgets those whose time is over, so many at most. */
struct instant recall_due(const struct recall *r);
void recall_expire(struct recall *r, struct instant now, unsigned most);

/* A slot that is to be written anew; false: there is none (any more). */
bool recall_next_changed(struct recall *r, struct recalled *out);

/* Ends the process unless its counts are sound. */
void recall_check(const struct recall *r);

#endif
