/* agenda.c - what is to happen when, the streams of chance, and the memory of one world. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"

#include <stdlib.h>

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

#define CHUNK_SIZE (32u << 10)

void *world_take(struct world *w, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct arena_chunk *c = w->arena;
    if (c == NULL || c->size - c->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        c = calloc(1, sizeof *c + room);
        CHECK(c != NULL);
        c->size = room;
        c->next = w->arena;
        w->arena = c;
    }
    void *at = c->bytes + c->used;
    c->used += size;
    return at;
}

char *world_copy(struct world *w, const void *at, size_t size)
{
    char *copy = world_take(w, size + 1);
    if (size > 0)
        memcpy(copy, at, size);
    return copy;
}

void world_free(struct world *w)
{
    for (struct arena_chunk *c = w->arena; c != NULL;) {
        struct arena_chunk *next = c->next;
        free(c);
        c = next;
    }
    free(w->agenda.items);
    free(w->requests);
    free(w->disk.frames);
    free(w->disk.ended);
    free(w->disk.data_keys);
    free(w->disk.audit);
}

static bool earlier(const struct agenda_item *a, const struct agenda_item *b)
{
    if (a->at != b->at)
        return a->at < b->at;
    if (a->tie != b->tie)
        return a->tie < b->tie;
    return a->order < b->order;
}

void agenda_add(struct world *w, int64_t at, void (*run)(struct world *w, void *arg), void *arg)
{
    struct agenda *a = &w->agenda;
    if (a->count == a->room) {
        a->room = a->room == 0 ? 256 : a->room * 2;
        a->items = realloc(a->items, a->room * sizeof *a->items);
        CHECK(a->items != NULL);
    }
    struct agenda_item item = {
        .at = at > w->now ? at : w->now,
        .tie = w->script != NULL ? 0 : random_next(&w->random[SCHEDULE]),
        .order = ++a->order,
        .run = run,
        .arg = arg,
    };
    size_t i = a->count++;
    while (i > 0 && earlier(&item, &a->items[(i - 1) / 2])) {
        a->items[i] = a->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    a->items[i] = item;
}

bool agenda_next(struct world *w)
{
    struct agenda *a = &w->agenda;
    if (a->count == 0)
        return false;
    struct agenda_item first = a->items[0];
    struct agenda_item last = a->items[--a->count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= a->count)
            break;
        if (child + 1 < a->count && earlier(&a->items[child + 1], &a->items[child]))
            child++;
        if (!earlier(&a->items[child], &last))
            break;
        a->items[i] = a->items[child];
        i = child;
    }
    a->items[i] = last;
    w->now = first.at;
    w->event_number++;
    first.run(w, first.arg);
    return true;
}

uint64_t draw(struct world *w, enum stream stream, uint64_t bound)
{
    return w->script != NULL ? 0 : random_below(&w->random[stream], bound);
}

int64_t draw_between(struct world *w, enum stream stream, int64_t low, int64_t high)
{
    return low + (int64_t)draw(w, stream, (uint64_t)(high - low + 1));
}

bool chance(struct world *w, enum stream stream, unsigned permille)
{
    return w->script == NULL && random_below(&w->random[stream], 1000) < permille;
}

bool strikes(struct world *w, enum fault fault)
{
    if (w->healed || w->swarm.permille[fault] == 0 || !chance(w, FAULTS, w->swarm.permille[fault]))
        return false;
    w->totals->faults++;
    mark(w, MARK_FAULT, fault);
    return true;
}

unsigned script_choose(struct script *s, unsigned base)
{
    CHECK(s->used < SCRIPT_MAX);
    unsigned i = s->used++;
    if (i >= s->length) {
        s->digits[i] = 0;
        s->length = i + 1;
    }
    s->bases[i] = (uint8_t)base;
    return s->digits[i];
}
