/* core_maintain.c - what keeps the journal short: sagas that live long are moved to its end, and what is older than the
 * retention is dropped. */
#include "sidecar/core/core_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/engine/saga.h"
#include "sidecar/core/timeline.h"

/* How much of the store one core_maintain drops, and how many sagas it moves. */
#define DROP_MAX           64
#define MOVE_MAX           16
#define MOVE_AFTER_DEFAULT 16384
/* Where most of many live sagas live long, they are moved less often: moving costs each of them its whole history. */
#define MOVE_AFTER_PER_SAGA 4

/* Writes a saga's whole history anew into the frame to come. A history that cannot be read whole stays where it is. */
static int move(struct core *c, const struct saga *s, struct instant now, struct arena *arena,
                struct error_detail *detail)
{
    struct timeline history;
    struct timeline_query query = {.serial = s->id.serial, .last_frame = s->position, .records_max = SIZE_MAX};
    int code = timeline_load(c->store, &query, arena, &history, detail);
    if (code != 0)
        return code;
    CHECK(!history.truncated && history.count > 0);
    if (DEFECT(MOVE_LOSES_ONE) && history.count > 2)
        history.count--;
    struct record moved = {
        .type = RECORD_MOVED, .saga = s->id, .at = now, .step = RECORD_NO_STEP, .copies = (uint32_t)history.count};
    c->failed = core_append(c, &moved, s->position);
    for (size_t i = 0; c->failed == 0 && i < history.count; i++)
        c->failed = core_append(c, &history.entries[i].record, c->frame);
    if (c->failed != 0)
        return core_failed(c, detail); /* a part of a history must never be committed */
    engine_set_moved(c->engine, s->id.serial, c->frame);
    return 0;
}

/* Sagas whose records begin far behind. Sets *more when the batch took no more. */
static int move_long_lived(struct core *c, struct instant now, bool *more, struct error_detail *detail)
{
    uint64_t after = c->options.move_after != 0 ? c->options.move_after : MOVE_AFTER_DEFAULT;
    uint64_t spread = (uint64_t)engine_counts(c->engine).live * MOVE_AFTER_PER_SAGA;
    if (c->options.move_after == 0 && spread > after)
        after = spread;
    struct arena arena;
    int code = 0;
    arena_init(&arena);
    for (unsigned i = 0; code == 0; i++) {
        const struct saga *s = engine_earliest(c->engine);
        if (s == NULL || c->frame - s->first_position <= after)
            break;
        *more = i == MOVE_MAX || core_batch_full(c);
        if (*more)
            break;
        code = move(c, s, now, &arena, detail);
        arena_reset(&arena);
    }
    arena_finish(&arena);
    return code;
}

int core_maintain(struct core *c, struct instant now, bool *more, struct error_detail *detail)
{
    *more = false;
    if (c->failed != 0)
        return 0;
    if (c->full_since.us == 0) {
        if (core_pending(c))
            return 0;
        int code = move_long_lived(c, now, more, detail);
        if (code != 0 || core_pending(c))
            return code;
    }
    struct instant before = {.us = now.us - c->options.retention.us};
    uint64_t keep_from = DEFECT(DROPS_WHAT_IS_NEEDED) ? core_oldest_live_frame(c) : c->needed_from;
    return c->store->drop(c->store, before, keep_from, DROP_MAX, more, detail);
}
