/* fair.h - whose turn it is among many who wait for one thing: of three bands a better one has four times the turns of the next, within a band each
 * key has as many as every other, and within a key it is first come, first served. So a flood under one key holds up no other key by more than
 * one place, and no band waits for ever. Pure: memory by table. Owns what it keeps of each key; the caller embeds the rest. One owner, no locks.
 *
 *   HIGH    a a a a a      b            of 21 turns 16,
 *   NORMAL  c c c          d d d d      4,
 *   LOW     e                           and 1; a band of which nobody waits leaves its turns to the others
 *
 * Each turn takes constant time, however many wait and under however many keys. */
#ifndef SAGA_RESILIENCE_FAIR_H
#define SAGA_RESILIENCE_FAIR_H

#include "sidecar/base/memory.h"

#include <stdbool.h>
#include <stdint.h>

enum fair_band { FAIR_LOW, FAIR_NORMAL, FAIR_HIGH, FAIR_BANDS };

struct fair_flow;

/* One who waits. Zeroed, it does not. */
struct fair_item {
    uint64_t ticket; /* the caller's: by it those of one key are in order */
    struct fair_item *next, *previous;
    struct fair_flow *flow; /* NULL: it does not wait */
};

/* All who wait under one key in one band. */
struct fair_flow {
    uint64_t key;
    struct fair_queue *queue;
    uint8_t band; /* enum fair_band */
    uint32_t count;
    struct fair_item *first, *last;
    struct fair_flow *next, *previous; /* round about its band, in turn */
    struct fair_flow *chain;           /* in the table */
};

/* What is waited for. Zeroed, nobody waits. */
struct fair_queue {
    struct fair_flow *turn[FAIR_BANDS]; /* whose it is; NULL: nobody waits in this band */
    uint32_t left[FAIR_BANDS];          /* turns, until all bands have theirs anew */
    struct fair_flow spare[FAIR_BANDS]; /* for keys that there was no memory for: they share one turn */
};

/* The keys under which somebody waits, of all queues of one owner. */
struct fair_table {
    struct memory memory;
    struct fair_flow **slots;
    uint64_t size, count; /* a power of two; keys */
};

/* Returns 0 or E_MEMORY. size: about how many keys there may be; only the time of a look-up depends on it. */
int fair_init(struct fair_table *table, const struct memory *memory, uint64_t size);
void fair_finish(struct fair_table *table);

/* The item waits. Its ticket is above those of its key, or below few. */
void fair_add(struct fair_table *table, struct fair_queue *q, enum fair_band band, uint64_t key,
              struct fair_item *item);

/* It does not any more, whether its turn has come or not. */
void fair_remove(struct fair_table *table, struct fair_item *item);

/* Whose turn it is, or NULL. To look changes nothing. */
struct fair_item *fair_first(const struct fair_queue *q);

/* The item, which waits, has its turn. fair_remove follows. */
void fair_take(struct fair_item *item);

/* How many wait under this key. */
uint32_t fair_count(const struct fair_table *table, const struct fair_queue *q, enum fair_band band, uint64_t key);

/* Ends the process unless it is sound. Constant time. */
void fair_check(const struct fair_queue *q);

#endif
