/* slis.c - what objectives are measured by: the oracle counts the ends of sagas along, as the durable records tell them, and holds each commit to
 * what its rows say. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"

#include <stdlib.h>

#define LATENCY_US (2 * SECOND)

/* Another third of the worlds than has bulk jobs. */
bool slis_has(const struct world *w)
{
    return w->script == NULL && w->seed % 3 == 1;
}

int slis_open(struct world *w, const struct memory *memory, struct error_detail *detail)
{
    struct objective objectives[DEFINITIONS_MAX];
    w->sidecar.slis = NULL;
    if (!slis_has(w))
        return 0;
    for (unsigned i = 0; i < w->definition_count; i++)
        objectives[i] = (struct objective){.definition = w->definitions[i]->name,
                                           .promised = {99000, 95000, 99000},
                                           .latency = {.us = LATENCY_US},
                                           .freshness = SPAN_S(20),
                                           .window = SPAN_S(24 * 3600)};
    int code = slis_create(objectives, w->definition_count, memory, &w->sidecar.slis);
    return code != 0 ? code : slis_recover(w->sidecar.slis, w->sidecar.store, detail);
}

static int index_of(const struct world *w, struct bytes name)
{
    for (unsigned i = 0; i < w->definition_count; i++)
        if (bytes_equal(bytes_of_text(w->definitions[i]->name), name))
            return (int)i;
    return -1;
}

void slis_end_seen(struct world *w, const struct model *m, const struct record *r)
{
    int index = m->definition == NULL ? -1 : index_of(w, bytes_of_text(m->definition->name));
    if (m->client->synthetic)
        mark(w, MARK_CASE, CASE_SYNTHETIC);
    if (!slis_has(w) || index < 0 || m->client->synthetic)
        return;
    struct sli_seen *seen = &w->slis[index];
    bool somebody = m->reason == REASON_ACTION_REJECTED || m->reason == REASON_CANCELLED ||
                    m->reason == REASON_ABORTED || m->reason == REASON_UNEXPECTED_ANSWER;
    seen->ended++;
    seen->bad += r->saga_state == SAGA_RESOLVED || (r->saga_state == SAGA_COMPENSATED && !somebody);
    seen->committed += r->saga_state == SAGA_COMMITTED;
    seen->slow += r->saga_state == SAGA_COMMITTED && r->at.us - m->started_at > LATENCY_US;
}

static uint64_t number(const uint8_t *at)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < 8; i++)
        n |= (uint64_t)at[i] << (8 * i);
    return n;
}

void slis_row(struct world *w, const struct subject_row *row)
{
    int index = index_of(w, row->name);
    struct subject_row *kept = row->kind == SUBJECT_SLI ? w->disk.slis : w->disk.sli_histories;
    if (index < 0 || !slis_has(w))
        world_fail(w, EXIT_SAFETY, "slis", "a row counts for what is promised nothing", 0);
    kept[index] =
        (struct subject_row){.kind = row->kind,
                             .name = bytes_of(world_copy(w, row->name.at, row->name.size), row->name.size),
                             .version = row->version,
                             .value = bytes_of(world_copy(w, row->value.at, row->value.size), row->value.size)};
}

int slis_scan(struct world *w, uint32_t kind, int (*take)(void *self, const struct subject_row *row), void *self)
{
    const struct subject_row *kept = kind == SUBJECT_SLI ? w->disk.slis : w->disk.sli_histories;
    for (unsigned i = 0; i < DEFINITIONS_MAX; i++) {
        int code = kept[i].kind == 0 ? 0 : take(self, &kept[i]);
        if (code != 0)
            return code;
    }
    return 0;
}

void slis_commit(struct world *w)
{
    for (unsigned i = 0; i < w->definition_count && slis_has(w); i++) {
        const struct sli_seen *seen = &w->slis[i];
        const uint8_t *at = w->disk.slis[i].value.at;
        bool none = w->disk.slis[i].kind == 0;
        uint64_t ended = none ? 0 : number(at), bad = none ? 0 : number(at + 8), committed = none ? 0 : number(at + 16),
                 slow = none ? 0 : number(at + 24);
        if (ended != seen->ended || bad != seen->bad || committed != seen->committed || slow != seen->slow)
            world_fail(w, EXIT_SAFETY, "slis", "what an objective has counted does not agree with the journal", i);
        if (seen->bad > 0 && seen->slow > 0)
            mark(w, MARK_CASE, CASE_SLI);
    }
}
