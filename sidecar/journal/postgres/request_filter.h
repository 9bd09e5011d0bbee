/* request_filter.h - which request_ids no ended saga of a journal has: a start with a new one then need not ask the database, and wait for it.
 *
 * A Bloom filter, so that it is never wrong about one that is there, and seldom sends anybody to ask in vain. It is filled from the rows that the
 * journal has, piece by piece, and from every commit meanwhile and after; until it is whole it says nothing. Nobody else writes such rows while
 * the journal is ours. What retention drops stays in it until it is filled anew, beside the one that is in use. Nothing of a database is in here: the
 * simulator of a fleet has it, too. */
#ifndef SAGA_JOURNAL_POSTGRES_REQUEST_FILTER_H
#define SAGA_JOURNAL_POSTGRES_REQUEST_FILTER_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

struct request_filter {
    uint64_t size; /* in bits */
    uint64_t key[2];
    uint64_t *bits, *next; /* NULL: none; next is being filled */
    uint64_t after, ids;   /* the last serial that was read into it, and how many request_ids were */
    uint64_t since;        /* added since that began */
    bool of_no_use;        /* with as many as there were */
};

/* size: a power of two, 64 or more. key: of chance, which nobody else knows. */
void request_filter_open(struct request_filter *f, uint64_t size, const uint64_t key[2]);
void request_filter_close(struct request_filter *f);

/* A saga with this request_id has ended, durably. */
void request_filter_add(struct request_filter *f, struct bytes request_id);
/* Whether no ended saga of the journal has this request_id; false: it is to be looked up. */
bool request_filter_is_new(const struct request_filter *f, struct bytes request_id);

/* Whether the rows behind f->after are to be read, as they are from now on: the first time, or anew. */
bool request_filter_wants(struct request_filter *f);
/* The next of them, by their serials. */
void request_filter_read(struct request_filter *f, uint64_t serial, struct bytes request_id);
/* So far; whole: there were no more behind them. */
void request_filter_read_so_far(struct request_filter *f, bool whole);

#endif
