/* core_maintain.c - what keeps the journal short: sagas that live long are moved to its end, and what is older than the
 * retention is dropped. */
#include "sidecar/core/core_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/core/claim.h"
#include "sidecar/engine/saga.h"
#include "sidecar/core/timeline.h"

/* One piece of work: how much of the store is dropped, how many sagas are moved, and after how many bytes no further one is. Each is done
 * within a few milliseconds, whatever the sagas are like; the owner says how many pieces there are to be. */
#define DROP_MAX           256
#define MOVE_MAX           16
#define MOVE_BYTES         65536
#define MOVE_AFTER_DEFAULT 16384
/* Where most of many live sagas live long, they are moved less often: moving costs each of them its whole history. */
#define MOVE_AFTER_PER_SAGA 4

/* Writes a saga's whole history anew into the frame to come. A history that cannot be read whole stays where it is. */
static int move(struct core *c, const struct saga *s, struct instant now, struct arena *arena,
                struct error_detail *detail)
{
    struct timeline history;
    struct timeline_query query = {.serial = s->id.serial, .last_frame = s->position, .records_max = SIZE_MAX};
    int code = timeline_load(c, &query, arena, &history, detail);
    if (code != 0)
        return code;
    CHECK(!history.truncated && history.count > 0);
    if (DEFECT(MOVE_LOSES_ONE) && history.count > 2)
        history.count--;
    struct record moved = {
        .type = RECORD_MOVED, .saga = s->id, .at = now, .step = RECORD_NO_STEP, .copies = (uint32_t)history.count};
    uint64_t frame = core_next_frame(c);
    c->failed = frame == 0 ? E_MEMORY : core_append(c, &moved, s->position);
    for (size_t i = 0; c->failed == 0 && i < history.count; i++)
        c->failed = core_append(c, &history.entries[i].record, frame);
    if (c->failed != 0)
        return core_failed(c, detail); /* a part of a history must never be committed */
    engine_set_moved(c->engine, s->id.serial, frame);
    return 0;
}

/* Sagas whose records begin far behind. Sets *more when the batch took no more; STORE_PENDING: a frame is on its way. */
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
        /* One that has ended leaves memory as soon as that is durable. */
        if (s == NULL || saga_ended(s) || c->frame - s->first_position <= after)
            break;
        *more = i == MOVE_MAX || c->open->size >= MOVE_BYTES || core_batch_full(c);
        if (*more)
            break;
        code = move(c, s, now, &arena, detail);
        arena_reset(&arena);
    }
    arena_finish(&arena);
    return code;
}

/* Nothing is gathered that the owner has not had committed. */
static bool at_rest(struct core *c)
{
    const struct batch *b = c->open;
    return !batch_has_content(b) && b->effect_count == 0 && !c->resuming;
}

static bool lives(void *self, struct bytes request_id)
{
    const struct core *c = self;
    if (DEFECT(CLAIM_DROPPED_ALIVE))
        return false;
    return engine_find_request(c->engine, request_id, bytes_of(NULL, 0)) != NULL || parked_has(c, request_id);
}

/* Whoever waits for the store keeps nobody else from what is to be done. */
static int meanwhile(int code, bool *waits)
{
    *waits |= code == STORE_PENDING;
    return code == STORE_PENDING ? 0 : code;
}

static int drop_claims(struct core *c, bool *more, struct error_detail *detail)
{
    struct span unseen = claim_unseen(c->options.retention);
    bool more_claims;
    if (c->store->drop_claims == NULL || c->stalled != 0 || c->resuming)
        return 0;
    int code = c->store->drop_claims(c->store, unseen, lives, c, DROP_MAX, &more_claims, detail);
    *more |= more_claims;
    return code;
}

int core_maintain(struct core *c, struct instant now, bool *more, struct error_detail *detail)
{
    *more = false;
    if (c->failed != 0 || c->lost != 0)
        return 0;
    bool more_moves = false, more_drops = false, waits = false;
    if (c->stalled == 0 && at_rest(c)) {
        int code = meanwhile(move_long_lived(c, now, &more_moves, detail), &waits);
        if (code == E_JOURNAL_AWAY)
            return 0; /* it cannot be read now: there is a next time */
        if (code != 0)
            return code;
        c->open->bare = c->store->is_behind != NULL && c->store->is_behind(c->store);
        more_moves |= c->open->bare;
    }
    struct instant before = {.us = now.us - c->options.retention.us};
    uint64_t keep_from = DEFECT(DROPS_WHAT_IS_NEEDED) ? core_oldest_live_frame(c) : c->needed_from;
    CHECK(DEFECT(DROPS_WHAT_IS_NEEDED) || keep_from <= c->durable_frame + 1); /* what is not durable is not dropped */
    int code = meanwhile(c->store->drop(c->store, before, keep_from, DROP_MAX, &more_drops, detail), &waits);
    if (code == 0 && c->options.audit_retention.us > 0 && c->store->drop_audit != NULL) {
        bool more_audit;
        before.us = now.us - c->options.audit_retention.us;
        code = meanwhile(c->store->drop_audit(c->store, before, DROP_MAX, &more_audit, detail), &waits);
        more_drops |= more_audit;
    }
    if (code == 0)
        code = meanwhile(drop_claims(c, &more_drops, detail), &waits);
    *more = more_moves || more_drops || waits;
    return code == 0 && waits && !more_moves && !more_drops ? STORE_PENDING : code;
}
