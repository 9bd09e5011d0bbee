/* known.h - which request_ids no ended saga of a journal has: a start with a new one then need not ask the database, and wait for it.
 *
 * A Bloom filter, so that it is never wrong about one that is there, and seldom sends anybody to ask in vain. It is filled from the rows that the
 * journal has, piece by piece, and from every commit meanwhile and after; until it is whole it says nothing. Nobody else writes such rows while
 * the journal is ours. What retention drops stays in it until it is filled anew, beside the one that is in use. Nothing of a database is in here: the
 * simulator of a fleet has it, too. */
#ifndef SAGA_JOURNAL_POSTGRES_KNOWN_H
#define SAGA_JOURNAL_POSTGRES_KNOWN_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct known {
    uint64_t size; /* in bits */
    uint64_t key[2];
    uint64_t *bits, *next; /* NULL: none; next is being filled */
    uint64_t after, ids;   /* the last serial that was read into it, and how many request_ids were */
    uint64_t since;        /* added since that began */
    bool of_no_use;        /* with as many as there were */
};

/* size: a power of two, 64 or more. key: of chance, which nobody else knows. */
void known_open(struct known *k, uint64_t size, const uint64_t key[2]);
void known_close(struct known *k);

/* A saga with this request_id has ended, durably. */
void known_add(struct known *k, struct bytes request_id);
/* Whether no ended saga of the journal has this request_id; false: it is to be looked up. */
bool known_is_new(const struct known *k, struct bytes request_id);

/* Whether the rows behind k->after are to be read, as they are from now on: the first time, or anew. */
bool known_wants(struct known *k);
/* The next of them, by their serials. */
void known_read(struct known *k, uint64_t serial, struct bytes request_id);
/* So far; whole: there were no more behind them. */
void known_read_so_far(struct known *k, bool whole);

#endif
