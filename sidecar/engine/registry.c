/* registry.c - finding sagas: by serial, by request_id, by age. What an event needs takes constant time, whatever lives. */
#include "sidecar/base/fnv.h"
#include "sidecar/engine/engine_inside.h"

int registry_init(struct engine *e)
{
    uint64_t size = 64;
    while (size < e->options.live_sagas_max)
        size *= 2;
    e->table_size = size;
    size_t bytes = (size_t)size * sizeof(struct saga *);
    e->by_serial = e->memory.take_zeroed(e->memory.self, bytes);
    e->by_request = e->memory.take_zeroed(e->memory.self, bytes);
    if (timers_init(&e->timers, &e->memory, e->options.live_sagas_max + e->options.targets_max + 1) != 0 ||
        anchors_init(&e->anchors, &e->memory, e->options.live_sagas_max, e->options.seed) != 0 ||
        e->by_serial == NULL || e->by_request == NULL)
        return E_MEMORY;
    return 0;
}

void registry_finish(struct engine *e)
{
    size_t bytes = (size_t)e->table_size * sizeof(struct saga *);
    memory_give_back(&e->memory, e->by_serial, bytes);
    memory_give_back(&e->memory, e->by_request, bytes);
    timers_finish(&e->timers, &e->memory);
    anchors_finish(&e->anchors, &e->memory);
}

/* Serials are consecutive, so their low bits are a perfect hash of the live ones. */
static struct saga **serial_chain(const struct engine *e, uint64_t serial)
{
    return &e->by_serial[serial & (e->table_size - 1)];
}

/* Callers choose request_ids, so the hash is seeded: nobody outside can aim at one chain. */
static uint64_t request_hash(const struct engine *e, struct bytes request_id)
{
    return fnv_add(FNV_START ^ e->options.seed, request_id.at, request_id.size);
}

static struct saga **request_chain(const struct engine *e, uint64_t hash)
{
    return &e->by_request[(hash ^ hash >> 32) & (e->table_size - 1)];
}

/* The newest saga whose serial is not above this one, starting from the nearest that is known. */
static struct saga *walk_to(const struct engine *e, struct saga *from, uint64_t serial)
{
    struct saga *next = from == NULL ? e->oldest : from->newer;
    for (; next != NULL && next->id.serial <= serial; next = next->newer)
        from = next;
    return from;
}

/* Serials grow, so a new saga is the newest. Only one that was moved comes back with an old serial, in recovery; those come back in the order
 * in which they were moved, which is nearly that of their serials, so the place of each is mostly next to that of the one before it. */
static void link_by_serial(struct engine *e, struct saga *s)
{
    struct saga *older = e->newest;
    if (older != NULL && older->id.serial > s->id.serial) {
        older = anchors_floor(&e->anchors, s->id.serial);
        if (e->came_back != NULL && e->came_back->id.serial < s->id.serial &&
            (older == NULL || older->id.serial < e->came_back->id.serial))
            older = e->came_back;
        older = walk_to(e, older, s->id.serial);
        e->came_back = s;
    }
    CHECK(older == NULL || older->id.serial < s->id.serial);
    s->older = older;
    s->newer = older == NULL ? e->oldest : older->newer;
    *(s->older != NULL ? &s->older->newer : &e->oldest) = s;
    *(s->newer != NULL ? &s->newer->older : &e->newest) = s;
    anchors_add(&e->anchors, s);
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
    registry_check(e, s);
    unlink_journal(e, s);
    link_latest(e, s);
    registry_check(e, s);
}

void registry_add(struct engine *e, struct saga *s)
{
    struct saga **chain = serial_chain(e, s->id.serial);
    s->same_serial = *chain;
    *chain = s;
    if (s->request_id.size > 0) {
        s->request_hash = request_hash(e, s->request_id);
        chain = request_chain(e, s->request_hash);
        s->same_request = *chain;
        *chain = s;
    }
    link_by_serial(e, s);
    link_latest(e, s);
    e->counts.live++;
    e->counts.synthetic.live += s->synthetic;
}

void registry_check(const struct engine *e, const struct saga *s)
{
    CHECK(engine_find(e, s->id.serial) == s);
    CHECK(e->counts.live > 0 && e->oldest != NULL && e->newest != NULL && e->earliest != NULL && e->latest != NULL);
    CHECK(e->oldest->older == NULL && e->newest->newer == NULL);
    CHECK(e->earliest->earlier == NULL && e->latest->later == NULL);
    CHECK(s->older != NULL ? s->older->newer == s && s->older->id.serial < s->id.serial : e->oldest == s);
    CHECK(s->newer != NULL ? s->newer->older == s && s->newer->id.serial > s->id.serial : e->newest == s);
    CHECK(s->earlier != NULL ? s->earlier->later == s : e->earliest == s);
    CHECK(s->later != NULL ? s->later->earlier == s : e->latest == s);
}

void registry_remove(struct engine *e, struct saga *s)
{
    registry_check(e, s);
    struct saga **link = serial_chain(e, s->id.serial);
    while (*link != s)
        link = &(*link)->same_serial;
    *link = s->same_serial;
    if (s->request_id.size > 0) {
        link = request_chain(e, s->request_hash);
        while (*link != s)
            link = &(*link)->same_request;
        *link = s->same_request;
    }
    if (e->came_back == s)
        e->came_back = s->older;
    anchors_remove(&e->anchors, s);
    *(s->older != NULL ? &s->older->newer : &e->oldest) = s->newer;
    *(s->newer != NULL ? &s->newer->older : &e->newest) = s->older;
    unlink_journal(e, s);
    e->counts.live--;
    e->counts.synthetic.live -= s->synthetic;
}

const struct saga *engine_find(const struct engine *e, uint64_t serial)
{
    const struct saga *s = *serial_chain(e, serial);
    while (s != NULL && s->id.serial != serial)
        s = s->same_serial;
    return s;
}

const struct saga *engine_find_request(const struct engine *e, struct bytes request_id, struct bytes scope)
{
    if (request_id.size == 0)
        return NULL;
    uint64_t hash = request_hash(e, request_id);
    const struct saga *s = *request_chain(e, hash);
    while (s != NULL &&
           (s->request_hash != hash || !bytes_equal(s->request_id, request_id) || !scope_has(scope, s->owner)))
        s = s->same_request;
    return s;
}

const struct saga *engine_earliest(const struct engine *e)
{
    return e->earliest;
}

/* The newest saga whose serial is not above this one. */
static const struct saga *find_floor(const struct engine *e, uint64_t serial)
{
    const struct saga *s = engine_find(e, serial);
    return s != NULL ? s : walk_to(e, anchors_floor(&e->anchors, serial), serial);
}

const struct saga *engine_before(const struct engine *e, uint64_t serial)
{
    const struct saga *s = engine_find(e, serial);
    if (s != NULL)
        return s->older;
    return serial == 0 ? NULL : find_floor(e, serial - 1);
}

const struct saga *engine_after(const struct engine *e, uint64_t serial)
{
    const struct saga *s = find_floor(e, serial);
    return s == NULL ? e->oldest : s->newer;
}
