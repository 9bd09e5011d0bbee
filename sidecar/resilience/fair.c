/* fair.c - turns by bands and keys: a round robin of bands by weight, and in each band one of keys. */
#include "sidecar/resilience/fair.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/base/error.h"

#include <stddef.h>
#include <string.h>

static const uint32_t turns[FAIR_BANDS] = {[FAIR_LOW] = 1, [FAIR_NORMAL] = 4, [FAIR_HIGH] = 16};

int fair_init(struct fair_table *table, const struct memory *memory, uint64_t size)
{
    *table = (struct fair_table){.memory = *memory, .size = 16};
    while (table->size < size)
        table->size *= 2;
    table->slots = memory->take_zeroed(memory->self, (size_t)table->size * sizeof(struct fair_flow *));
    return table->slots == NULL ? E_MEMORY : 0;
}

/* Those who still wait are the caller's, who lets them go with all it has; their keys are given back here. */
void fair_finish(struct fair_table *table)
{
    for (uint64_t i = 0; table->count > 0 && i < table->size; i++)
        for (struct fair_flow *f = table->slots[i]; f != NULL;) {
            struct fair_flow *next = f->chain;
            memory_give_back(&table->memory, f, sizeof *f);
            table->count--;
            f = next;
        }
    memory_give_back(&table->memory, table->slots, (size_t)table->size * sizeof(struct fair_flow *));
    table->slots = NULL;
}

/* ---- keys ---- */

static struct fair_flow **chain_of(const struct fair_table *table, const struct fair_queue *q, unsigned band,
                                   uint64_t key)
{
    uint64_t hash = (key ^ (uint64_t)(uintptr_t)q * UINT64_C(0x9e3779b97f4a7c15)) + band;
    return &table->slots[(hash ^ hash >> 32) & (table->size - 1)];
}

static struct fair_flow *find(const struct fair_table *table, const struct fair_queue *q, unsigned band, uint64_t key)
{
    struct fair_flow *f = *chain_of(table, q, band, key);
    while (f != NULL && (f->key != key || f->queue != q || f->band != band))
        f = f->chain;
    return f;
}

static bool is_spare(const struct fair_flow *f)
{
    return f == &f->queue->spare[f->band];
}

/* It comes last: when all others of its band have had their turn. */
static void join(struct fair_flow *f)
{
    struct fair_flow **turn = &f->queue->turn[f->band];
    if (*turn == NULL) {
        f->next = f->previous = f;
        *turn = f;
        return;
    }
    f->next = *turn;
    f->previous = (*turn)->previous;
    f->previous->next = f;
    f->next->previous = f;
}

static void part(struct fair_flow *f)
{
    struct fair_flow **turn = &f->queue->turn[f->band];
    if (*turn == f)
        *turn = f->next == f ? NULL : f->next;
    f->previous->next = f->next;
    f->next->previous = f->previous;
}

static struct fair_flow *flow_of(struct fair_table *table, struct fair_queue *q, unsigned band, uint64_t key)
{
    struct fair_flow *f = find(table, q, band, key);
    if (f != NULL)
        return f;
    f = memory_take(&table->memory, sizeof *f);
    bool spare = f == NULL;
    if (spare && q->spare[band].count > 0)
        return &q->spare[band];
    if (spare)
        f = &q->spare[band];
    *f = (struct fair_flow){.key = key, .queue = q, .band = (uint8_t)band};
    if (!spare) {
        struct fair_flow **chain = chain_of(table, q, band, key);
        f->chain = *chain;
        *chain = f;
        table->count++;
    }
    join(f);
    return f;
}

static void let_go(struct fair_table *table, struct fair_flow *f)
{
    part(f);
    if (is_spare(f))
        return;
    struct fair_flow **link = chain_of(table, f->queue, f->band, f->key);
    while (*link != f)
        link = &(*link)->chain;
    *link = f->chain;
    table->count--;
    memory_give_back(&table->memory, f, sizeof *f);
}

/* ---- those who wait ---- */

void fair_add(struct fair_table *table, struct fair_queue *q, enum fair_band band, uint64_t key, struct fair_item *item)
{
    CHECK(item->flow == NULL && band < FAIR_BANDS);
    struct fair_flow *f =
        flow_of(table, q, DEFECT(PRIORITY_IGNORED) ? FAIR_NORMAL : band, DEFECT(FAIRNESS_IGNORED) ? 0 : key);
    struct fair_item *next = NULL, *previous = f->last;
    if (previous != NULL && previous->ticket > item->ticket) { /* it has been here before: those are in front */
        next = f->first;
        while (next->ticket < item->ticket)
            next = next->next;
        previous = next->previous;
    }
    item->flow = f;
    item->next = next;
    item->previous = previous;
    *(previous != NULL ? &previous->next : &f->first) = item;
    *(next != NULL ? &next->previous : &f->last) = item;
    f->count++;
}

void fair_remove(struct fair_table *table, struct fair_item *item)
{
    struct fair_flow *f = item->flow;
    CHECK(f != NULL && f->count > 0);
    CHECK(item->previous != NULL ? item->previous->next == item : f->first == item);
    CHECK(item->next != NULL ? item->next->previous == item : f->last == item);
    *(item->previous != NULL ? &item->previous->next : &f->first) = item->next;
    *(item->next != NULL ? &item->next->previous : &f->last) = item->previous;
    item->flow = NULL;
    if (--f->count == 0)
        let_go(table, f);
}

/* The best band that has turns left; when none has of those in which somebody waits, all have theirs anew, and the best is first. */
static int band_first(const struct fair_queue *q)
{
    int best = -1;
    for (int band = FAIR_HIGH; band >= FAIR_LOW; band--) {
        if (q->turn[band] == NULL)
            continue;
        if (q->left[band] > 0)
            return band;
        best = best < 0 ? band : best;
    }
    return best;
}

struct fair_item *fair_first(const struct fair_queue *q)
{
    int band = band_first(q);
    return band < 0 ? NULL : q->turn[band]->first;
}

void fair_take(struct fair_item *item)
{
    struct fair_flow *f = item->flow;
    struct fair_queue *q = f->queue;
    if (q->left[f->band] == 0)
        memcpy(q->left, turns, sizeof q->left);
    q->left[f->band]--;
    if (q->turn[f->band] == f && !DEFECT(TURN_NOT_PASSED_ON))
        q->turn[f->band] = f->next;
}

uint32_t fair_count(const struct fair_table *table, const struct fair_queue *q, enum fair_band band, uint64_t key)
{
    const struct fair_flow *f = find(table, q, band, key);
    return f == NULL ? 0 : f->count;
}

void fair_check(const struct fair_queue *q)
{
    for (unsigned band = 0; band < FAIR_BANDS; band++) {
        const struct fair_flow *f = q->turn[band];
        CHECK(q->left[band] <= turns[band]);
        CHECK(f == NULL || (f->queue == q && f->band == band && f->count > 0 && f->first != NULL && f->last != NULL));
        CHECK(f == NULL || (f->next->previous == f && f->previous->next == f));
        CHECK(f == NULL || (f->first->flow == f && f->first->previous == NULL && f->last->next == NULL));
    }
}
