#include "sidecar/journal/postgres/request_filter.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/base/siphash.h"

#include <stdlib.h>

/* Bits of one request_id. */
#define PLACES 4
/* It is filled anew when so many have come since, and as many as it was made of. */
#define ANEW_AFTER(size) ((size) / 16)
/* With more than this it would send more than every second to ask: there is none until the journal is opened anew. */
#define IDS_MAX(size) ((size) / 2)

struct place {
    uint64_t first, stride;
};

static struct place place_of(const struct request_filter *k, struct bytes request_id)
{
    uint64_t hash = siphash(k->key, request_id);
    return (struct place){.first = hash, .stride = hash >> 32 | 1};
}

static bool has(const struct request_filter *k, struct place at)
{
    bool found = true;
    for (unsigned i = 0; i < PLACES; i++, at.first += at.stride)
        found = found && (k->bits[at.first % k->size / 64] >> at.first % 64 & 1) != 0;
    return found;
}

static void put(const struct request_filter *k, uint64_t *bits, struct place at)
{
    for (unsigned i = 0; i < PLACES && bits != NULL; i++, at.first += at.stride)
        bits[at.first % k->size / 64] |= UINT64_C(1) << at.first % 64;
}

void request_filter_open(struct request_filter *k, uint64_t size, const uint64_t key[2])
{
    CHECK(size >= 64 && (size & (size - 1)) == 0);
    *k = (struct request_filter){.size = size, .key = {key[0], key[1]}};
}

void request_filter_close(struct request_filter *k)
{
    free(k->bits);
    free(k->next);
}

void request_filter_add(struct request_filter *k, struct bytes request_id)
{
    if (request_id.size == 0 || DEFECT(FILTER_NOT_TOLD))
        return;
    struct place at = place_of(k, request_id);
    put(k, k->bits, at);
    put(k, DEFECT(FILTER_FORGETS_MEANWHILE) ? NULL : k->next, at);
    k->since++;
}

bool request_filter_is_new(const struct request_filter *k, struct bytes request_id)
{
    return k->bits == NULL ? DEFECT(FILTER_BEFORE_IT_IS_READ) : !has(k, place_of(k, request_id));
}

bool request_filter_wants(struct request_filter *k)
{
    bool anew = k->bits == NULL || (k->since >= ANEW_AFTER(k->size) && k->since >= k->ids);
    if (k->next == NULL && anew && !k->of_no_use) {
        k->next = calloc(k->size / 64, sizeof *k->next); /* without memory it is tried again later */
        k->ids = k->after = k->since = 0;
    }
    return k->next != NULL && !k->of_no_use;
}

void request_filter_read(struct request_filter *k, uint64_t serial, struct bytes request_id)
{
    CHECK(serial > k->after); /* each row once, in their order */
    k->after = serial;
    if (request_id.size == 0)
        return;
    k->ids++;
    put(k, k->next, place_of(k, request_id));
}

void request_filter_read_so_far(struct request_filter *k, bool whole)
{
    k->of_no_use = k->ids > IDS_MAX(k->size);
    if (!whole && !k->of_no_use && !DEFECT(FILTER_WHOLE_TOO_EARLY))
        return;
    free(k->bits);
    k->bits = k->of_no_use ? NULL : k->next;
    if (k->of_no_use)
        free(k->next);
    k->next = NULL;
}
