/* postgres_known.c - which request_ids no ended saga of the journal has: a start with a new one then need not ask the database, and wait for it.
 *
 * A Bloom filter, so that it is never wrong about one that is there, and seldom sends anybody to ask in vain. It is filled from the rows that the
 * journal has, piece by piece, and from every commit meanwhile and after; until it is whole it says nothing. Nobody else writes such rows while
 * the journal is ours. What retention drops stays in it until it is filled anew, beside the one that is in use. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/siphash.h"

#include <stdlib.h>
#include <sys/random.h>

/* A million bytes: one in forty asks in vain with a million request_ids in it. */
#define BITS (UINT64_C(1) << 23)
/* Bits of one request_id. */
#define PLACES 4
/* It is filled anew when as many have come since, and as many as the rows of which it was made. */
#define ANEW_AFTER (UINT64_C(1) << 19)
/* With more rows than this it would send nearly everybody to ask: there is none until the journal is opened anew. */
#define ROWS_MAX (UINT64_C(1) << 22)
/* Rows that are asked for at once. */
#define ROWS_AT_ONCE 4096

struct place {
    uint64_t first, stride;
};

static struct place place_of(const struct known *k, struct bytes request_id)
{
    uint64_t hash = siphash(k->key, request_id);
    return (struct place){.first = hash, .stride = hash >> 32 | 1};
}

static bool has(const uint64_t *bits, struct place at)
{
    bool found = true;
    for (unsigned i = 0; i < PLACES; i++, at.first += at.stride)
        found = found && (bits[at.first % BITS / 64] >> at.first % 64 & 1) != 0;
    return found;
}

static void put(uint64_t *bits, struct place at)
{
    for (unsigned i = 0; i < PLACES && bits != NULL; i++, at.first += at.stride)
        bits[at.first % BITS / 64] |= UINT64_C(1) << at.first % 64;
}

void known_add(struct known *k, struct bytes request_id)
{
    if (request_id.size == 0)
        return;
    struct place at = place_of(k, request_id);
    put(k->bits, at);
    put(k->next, at);
    k->since++;
}

bool known_is_new(const struct known *k, struct bytes request_id)
{
    return k->bits != NULL && !has(k->bits, place_of(k, request_id));
}

/* The first time, or anew. Without memory it is tried again later. */
static void begin(struct known *k)
{
    if (k->bits == NULL && k->rows == 0 && getrandom(k->key, sizeof k->key, 0) != (ssize_t)sizeof k->key)
        return;
    k->next = calloc(BITS / 64, sizeof *k->next);
    k->rows = k->after = k->since = 0;
}

static void end(struct known *k, bool of_use)
{
    free(k->bits);
    k->bits = of_use ? k->next : NULL;
    if (!of_use)
        free(k->next);
    k->next = NULL;
    k->of_no_use = !of_use;
}

static void ask(struct postgres_store *s)
{
    struct pg_job *job = job_create(PG_REQUESTS);
    if (job == NULL)
        return;
    job_number(job, s->journal);
    job_number(job, s->known.after);
    job_number(job, ROWS_AT_ONCE);
    if (link_submit(s->reader, job) == 0)
        s->known.piece = job;
}

/* The rows that were asked for. */
static void take(struct known *k, const PGresult *rows)
{
    int count = PQntuples(rows);
    for (int i = 0; i < count; i++) {
        struct bytes request_id = result_bytes(rows, i, 1);
        CHECK(result_number(rows, i, 0) > k->after); /* each row once, in their order */
        k->after = result_number(rows, i, 0);
        if (request_id.size > 0)
            put(k->next, place_of(k, request_id));
    }
    k->rows += (uint64_t)count;
    if (count < ROWS_AT_ONCE || k->rows > ROWS_MAX)
        end(k, k->rows <= ROWS_MAX);
}

void known_turn(struct postgres_store *s)
{
    struct known *k = &s->known;
    if (k->of_no_use || s->epoch == 0) /* or we only look */
        return;
    if (k->next == NULL && (k->bits == NULL || (k->since >= ANEW_AFTER && k->since >= k->rows)))
        begin(k);
    if (k->next == NULL)
        return;
    if (k->piece != NULL) {
        enum pg_job_state state = link_ask(s->reader, k->piece, 0);
        if (state == PG_JOB_WAITING)
            return;
        if (state == PG_JOB_DONE)
            take(k, k->piece->result);
        link_forget(s->reader, k->piece);
        k->piece = NULL;
    }
    if (k->next != NULL)
        ask(s);
}

void known_finish(struct postgres_store *s)
{
    link_forget(s->reader, s->known.piece);
    free(s->known.bits);
    free(s->known.next);
}
