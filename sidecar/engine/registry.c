/* registry.c - finding sagas: by serial, by request_id, by age. Every operation takes constant time, whatever lives. */
#include "sidecar/engine/engine_inside.h"

int registry_init(struct engine *e)
{
    uint64_t size = 64;
    while (size < e->options.live_sagas_max)
        size *= 2;
    e->table_size = size;
    size_t bytes = (size_t)size * sizeof(struct saga *);
    size_t timer_bytes = ((size_t)e->options.live_sagas_max + 1) * sizeof(struct saga *);
    e->by_serial = e->memory.take_zeroed(e->memory.self, bytes);
    e->by_request = e->memory.take_zeroed(e->memory.self, bytes);
    e->timers = memory_take(&e->memory, timer_bytes);
    if (e->by_serial == NULL || e->by_request == NULL || e->timers == NULL)
        return E_MEMORY;
    return 0;
}

void registry_finish(struct engine *e)
{
    size_t bytes = (size_t)e->table_size * sizeof(struct saga *);
    memory_give_back(&e->memory, e->by_serial, bytes);
    memory_give_back(&e->memory, e->by_request, bytes);
    memory_give_back(&e->memory, e->timers, ((size_t)e->options.live_sagas_max + 1) * sizeof(struct saga *));
}

/* FNV-1a. */
uint64_t registry_hash(uint64_t hash, const void *at, size_t size)
{
    const uint8_t *byte = at;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Serials are consecutive, so their low bits are a perfect hash of the live ones. */
static struct saga **serial_chain(const struct engine *e, uint64_t serial)
{
    return &e->by_serial[serial & (e->table_size - 1)];
}

/* Callers choose request_ids, so the hash is seeded: nobody outside can aim at one chain. */
static struct saga **request_chain(const struct engine *e, struct bytes request_id)
{
    uint64_t hash = registry_hash(REGISTRY_HASH_START ^ e->options.seed, request_id.at, request_id.size);
    return &e->by_request[(hash ^ hash >> 32) & (e->table_size - 1)];
}

/* Serials grow, so a new saga is the newest. Only one that was moved comes back with an old serial, in recovery, and then it is among the
 * oldest. */
static void link_by_serial(struct engine *e, struct saga *s)
{
    struct saga *older = e->newest;
    if (older != NULL && older->id.serial > s->id.serial) {
        older = NULL;
        for (struct saga *next = e->oldest; next->id.serial < s->id.serial; next = next->newer)
            older = next;
    }
    s->older = older;
    s->newer = older == NULL ? e->oldest : older->newer;
    *(s->older != NULL ? &s->older->newer : &e->oldest) = s;
    *(s->newer != NULL ? &s->newer->older : &e->newest) = s;
}

static void link_latest(struct engine *e, struct saga *s)
{
    s->earlier = e->latest;
    s->later = NULL;
    *(s->earlier != NULL ? &s->earlier->later : &e->earliest) = s;
    e->latest = s;
}

static void unlink_journal(struct engine *e, struct saga *s)
{
    *(s->earlier != NULL ? &s->earlier->later : &e->earliest) = s->later;
    *(s->later != NULL ? &s->later->earlier : &e->latest) = s->earlier;
}

void registry_move(struct engine *e, struct saga *s)
{
    unlink_journal(e, s);
    link_latest(e, s);
}

void registry_add(struct engine *e, struct saga *s)
{
    struct saga **chain = serial_chain(e, s->id.serial);
    s->same_serial = *chain;
    *chain = s;
    if (s->request_id.size > 0) {
        chain = request_chain(e, s->request_id);
        s->same_request = *chain;
        *chain = s;
    }
    link_by_serial(e, s);
    link_latest(e, s);
    e->counts.live++;
}

void registry_remove(struct engine *e, struct saga *s)
{
    struct saga **link = serial_chain(e, s->id.serial);
    while (*link != s)
        link = &(*link)->same_serial;
    *link = s->same_serial;
    if (s->request_id.size > 0) {
        link = request_chain(e, s->request_id);
        while (*link != s)
            link = &(*link)->same_request;
        *link = s->same_request;
    }
    *(s->older != NULL ? &s->older->newer : &e->oldest) = s->newer;
    *(s->newer != NULL ? &s->newer->older : &e->newest) = s->older;
    unlink_journal(e, s);
    e->counts.live--;
}

const struct saga *engine_find(const struct engine *e, uint64_t serial)
{
    const struct saga *s = *serial_chain(e, serial);
    while (s != NULL && s->id.serial != serial)
        s = s->same_serial;
    return s;
}

const struct saga *engine_find_request(const struct engine *e, struct bytes request_id)
{
    if (request_id.size == 0)
        return NULL;
    const struct saga *s = *request_chain(e, request_id);
    while (s != NULL && !bytes_equal(s->request_id, request_id))
        s = s->same_request;
    return s;
}

const struct saga *engine_earliest(const struct engine *e)
{
    return e->earliest;
}

const struct saga *engine_before(const struct engine *e, uint64_t serial)
{
    const struct saga *s = engine_find(e, serial);
    if (s != NULL)
        return s->older;
    for (s = e->newest; s != NULL && s->id.serial >= serial;)
        s = s->older;
    return s;
}

const struct saga *engine_after(const struct engine *e, uint64_t serial)
{
    const struct saga *s = engine_find(e, serial);
    if (s != NULL)
        return s->newer;
    for (s = e->oldest; s != NULL && s->id.serial <= serial;)
        s = s->newer;
    return s;
}
