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

static struct place place_of(const struct request_filter *f, struct bytes request_id)
{
    uint64_t hash = siphash(f->key, request_id);
    return (struct place){.first = hash, .stride = hash >> 32 | 1};
}

static bool has(const struct request_filter *f, struct place at)
{
    bool found = true;
    for (unsigned i = 0; i < PLACES; i++, at.first += at.stride)
        found = found && (f->bits[at.first % f->size / 64] >> at.first % 64 & 1) != 0;
    return found;
}

static void put(const struct request_filter *f, uint64_t *bits, struct place at)
{
    for (unsigned i = 0; i < PLACES && bits != NULL; i++, at.first += at.stride)
        bits[at.first % f->size / 64] |= UINT64_C(1) << at.first % 64;
}

void request_filter_open(struct request_filter *f, uint64_t size, const uint64_t key[2])
{
    CHECK(size >= 64 && (size & (size - 1)) == 0);
    *f = (struct request_filter){.size = size, .key = {key[0], key[1]}};
}

void request_filter_close(struct request_filter *f)
{
    free(f->bits);
    free(f->next);
}

void request_filter_add(struct request_filter *f, struct bytes request_id)
{
    if (request_id.size == 0 || DEFECT(FILTER_NOT_TOLD))
        return;
    struct place at = place_of(f, request_id);
    put(f, f->bits, at);
    put(f, DEFECT(FILTER_FORGETS_MEANWHILE) ? NULL : f->next, at);
    f->since++;
}

bool request_filter_is_new(const struct request_filter *f, struct bytes request_id)
{
    return f->bits == NULL ? DEFECT(FILTER_BEFORE_IT_IS_READ) : !has(f, place_of(f, request_id));
}

bool request_filter_wants(struct request_filter *f)
{
    bool anew = f->bits == NULL || (f->since >= ANEW_AFTER(f->size) && f->since >= f->ids);
    if (f->next == NULL && anew && !f->of_no_use) {
        f->next = calloc(f->size / 64, sizeof *f->next); /* without memory it is tried again later */
        f->ids = f->after = f->since = 0;
    }
    return f->next != NULL && !f->of_no_use;
}

void request_filter_read(struct request_filter *f, uint64_t serial, struct bytes request_id)
{
    CHECK(serial > f->after); /* each row once, in their order */
    f->after = serial;
    if (request_id.size == 0)
        return;
    f->ids++;
    put(f, f->next, place_of(f, request_id));
}

void request_filter_read_so_far(struct request_filter *f, bool whole)
{
    f->of_no_use = f->ids > IDS_MAX(f->size);
    if (!whole && !f->of_no_use && !DEFECT(FILTER_WHOLE_TOO_EARLY))
        return;
    free(f->bits);
    f->bits = f->of_no_use ? NULL : f->next;
    if (f->of_no_use)
        free(f->next);
    f->next = NULL;
}
