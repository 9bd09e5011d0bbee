/* core.c - the batch: events in, one commit, effects out. */
#include "sidecar/runtime/core.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"
#include "sidecar/runtime/timeline.h"

/* After how many frames the store is told anew where recovery may start. */
#define OLDEST_LIVE_EVERY 64
/* How much of the store one core_maintain drops, and how many sagas it moves. */
#define DROP_MAX 64
#define MOVE_MAX 16
#define MOVE_AFTER_DEFAULT 16384
/* Where most of many live sagas live long, they are moved less often: moving costs each of them its whole history. */
#define MOVE_AFTER_PER_SAGA 4

struct held_effect {
    struct effect effect;
    struct error_detail *detail; /* owned; NULL when there is none */
};

/* What has been decided and is not durable. */
struct batch {
    uint8_t *records;
    size_t size, room;
    struct held_effect *effects;
    size_t effect_count, effect_room;
    struct ended_row *ended;
    size_t ended_count, ended_room;
    struct definition_row *definitions;
    size_t definition_count, definition_room;
};

struct core {
    struct core_options options;
    struct memory memory;
    struct store *store;
    struct catalog *catalog;
    struct core_world world;
    struct engine *engine;
    struct engine_out out;
    struct batch batch;
    struct call_effect *orphans; /* calls let out to no target; answered at the next submit */
    size_t orphan_count, orphan_room;
    uint64_t frame;              /* number of the next one */
    uint64_t oldest_live_frame;  /* as the store was last told */
    uint64_t needed_from;        /* no live saga has a durable record before this frame; what is only decided does not count */
    struct instant latest;       /* of the records that recovery saw */
    bool holding;
    struct instant full_since;
    int failed; /* not 0: the batch could not be built; the owner must stop */
};

/* Makes room for one more of size bytes in an array. Returns 0 or E_MEMORY. */
static int grow(const struct memory *m, void **array, size_t *room, size_t count, size_t size)
{
    if (count < *room)
        return 0;
    size_t more = *room == 0 ? 64 : *room * 2;
    void *at = memory_take(m, more * size);
    if (at == NULL)
        return E_MEMORY;
    if (count > 0)
        memcpy(at, *array, count * size);
    memory_give_back(m, *array, *room * size);
    *array = at;
    *room = more;
    return 0;
}

#define GROW(c, array, count, room) grow(&(c)->memory, (void **)&(array), &(room), (count), sizeof *(array))

/* ---- what the engine gives ---- */

static struct ended_row ended_row(const struct saga *s)
{
    return (struct ended_row){
        .saga = s->id,
        .state = s->state,
        .mode = s->mode,
        .reason = s->reason,
        .definition = s->definition == NULL ? 0 : s->definition->number,
        .name = s->name,
        .request_id = s->request_id,
        .fingerprint = s->fingerprint,
        .started_at = s->started_at,
        .ended_at = s->ended_at,
        .first_frame = s->first_position,
        .last_frame = s->position,
    };
}

static int reserve_bytes(struct core *c, size_t more)
{
    struct batch *b = &c->batch;
    if (more <= b->room - b->size)
        return 0;
    size_t room = b->room == 0 ? 65536 : b->room * 2;
    while (room - b->size < more)
        room *= 2;
    uint8_t *at = memory_take(&c->memory, room);
    if (at == NULL)
        return E_MEMORY;
    if (b->size > 0)
        memcpy(at, b->records, b->size);
    memory_give_back(&c->memory, b->records, b->room);
    b->records = at;
    b->room = room;
    return 0;
}

static void add_record(void *self, const struct record *record)
{
    struct core *c = self;
    if (c->failed != 0 || (c->failed = reserve_bytes(c, codec_record_size_max(record))) != 0)
        return;
    const struct saga *s = engine_find(c->engine, record->saga.serial);
    c->batch.size += codec_encode(record, s->position, c->batch.records + c->batch.size);
    engine_set_position(c->engine, record->saga.serial, c->frame);
    if (record->type == RECORD_ENDED) {
        c->failed = GROW(c, c->batch.ended, c->batch.ended_count, c->batch.ended_room);
        if (c->failed == 0)
            c->batch.ended[c->batch.ended_count++] = ended_row(s);
    }
}

static void add_effect(void *self, const struct effect *effect, const struct error_detail *detail)
{
    struct core *c = self;
    struct error_detail *copy = NULL;
    if (DEFECT(CALL_BEFORE_DURABLE) && effect->type == EFFECT_CALL && effect->as.call.target != TARGET_NONE) {
        c->world.call(c->world.self, &effect->as.call);
        return;
    }
    if (DEFECT(REPLY_BEFORE_DURABLE) && effect->type == EFFECT_REPLY) {
        c->world.reply(c->world.self, &effect->as.reply, detail);
        return;
    }
    if (c->failed != 0 || (c->failed = GROW(c, c->batch.effects, c->batch.effect_count, c->batch.effect_room)) != 0)
        return;
    if (detail != NULL) {
        copy = memory_take(&c->memory, sizeof *copy);
        if (copy == NULL) {
            c->failed = E_MEMORY;
            return;
        }
        *copy = *detail;
    }
    c->batch.effects[c->batch.effect_count++] = (struct held_effect){.effect = *effect, .detail = copy};
}

static int failed(const struct core *c, struct error_detail *detail)
{
    return c->failed == 0 ? 0 : error_set(detail, c->failed, "", NULL);
}

int core_reply(struct core *c, const struct reply_effect *reply, const struct error_detail *detail)
{
    struct effect effect = {.type = EFFECT_REPLY, .as.reply = *reply};
    add_effect(c, &effect, detail);
    return c->failed;
}

/* ---- events ---- */

static bool is_request(uint8_t type)
{
    return type != EVENT_ANSWER && type != EVENT_TICK;
}

static int refuse(struct core *c, const struct event *event, int code, const char *field)
{
    struct error_detail detail;
    error_set(&detail, code, field, NULL);
    return core_reply(c, &(struct reply_effect){.token = event->token, .code = code, .saga = event->saga}, &detail);
}

/* A Start or Begin whose request_id belongs to a saga that has ended: it is answered from the store. Sets *answered. */
static int submit_known_request(struct core *c, const struct event *event, bool *answered, struct error_detail *detail)
{
    struct ended_row row;
    *answered = false;
    if (DEFECT(REQUEST_ID_FORGOTTEN) || event->request_id.size == 0 || event->request_id.size > REQUEST_ID_BYTES_MAX ||
        engine_find_request(c->engine, event->request_id) != NULL)
        return 0;
    int code = c->store->find_request(c->store, event->request_id, &row, detail);
    if (code == E_SAGA_NOT_FOUND)
        return 0;
    if (code != 0)
        return code;
    *answered = true;
    if (row.fingerprint != engine_fingerprint(event))
        return refuse(c, event, E_REQUEST_ID_REUSED, "request_id");
    /* To acknowledge an enlistment would be to ask its owner to act. */
    if (event->enlist_count > 0)
        return refuse(c, event, E_SAGA_ENDED, "");
    return core_reply(c, &(struct reply_effect){.token = event->token, .saga = row.saga, .repeated = true}, NULL);
}

/* What a saga that has ended, and left memory, answers. */
static int submit_to_ended(struct core *c, const struct event *event, struct error_detail *detail)
{
    struct ended_row row;
    int code = c->store->find_ended(c->store, event->saga.serial, &row, detail);
    if (code == E_SAGA_NOT_FOUND || (code == 0 && row.saga.tag != event->saga.tag))
        return refuse(c, event, E_SAGA_NOT_FOUND, "saga_id");
    if (code != 0)
        return code;
    bool said_before = (event->type == EVENT_COMMIT && row.state == SAGA_COMMITTED && row.mode == SAGA_ENLISTED) ||
                       (event->type == EVENT_ABORT && row.state == SAGA_COMPENSATED && row.mode == SAGA_ENLISTED) ||
                       (event->type == EVENT_CANCEL && row.state == SAGA_COMPENSATED);
    if (!said_before)
        return refuse(c, event, E_SAGA_ENDED, "saga_id");
    return core_reply(c, &(struct reply_effect){.token = event->token, .saga = row.saga, .repeated = true}, NULL);
}

static int submit(struct core *c, const struct event *event, struct error_detail *detail)
{
    if (c->full_since.us != 0 && is_request(event->type))
        return refuse(c, event, E_JOURNAL_FULL, "");
    if (event->type == EVENT_START || event->type == EVENT_BEGIN) {
        bool answered;
        int code = submit_known_request(c, event, &answered, detail);
        if (code != 0 || answered)
            return code;
    } else if (is_request(event->type) && engine_find(c->engine, event->saga.serial) == NULL) {
        return submit_to_ended(c, event, detail);
    }
    return engine_step(c->engine, event, &c->out);
}

/* Calls to targets that sagad.yaml no longer names never leave. */
static int answer_orphans(struct core *c, struct instant now, struct error_detail *detail)
{
    while (c->orphan_count > 0) {
        const struct call_effect call = c->orphans[--c->orphan_count];
        struct event event = {
            .type = EVENT_ANSWER,
            .now = now,
            .saga = call.saga,
            .step_index = call.step,
            .phase = call.phase,
            .attempt = call.attempt,
            .reach = SAGA_REACH_NONE,
            .status = 14,
            .message = bytes_of_text("sagad.yaml no longer names the target of this call"),
        };
        int code = submit(c, &event, detail);
        if (code != 0)
            return code;
    }
    return 0;
}

int core_submit(struct core *c, const struct event *event, struct error_detail *detail)
{
    int code = answer_orphans(c, event->now, detail);
    if (code == 0)
        code = submit(c, event, detail);
    if (code != 0)
        return code == E_MEMORY ? error_set(detail, code, "", NULL) : code;
    return failed(c, detail);
}

int core_register(struct core *c, struct definition *definition, struct instant now, uint64_t token,
                  struct error_detail *detail)
{
    if (c->full_since.us != 0)
        return error_set(detail, E_JOURNAL_FULL, "", NULL);
    int code = engine_resolve(c->engine, definition, detail);
    if (code == 0 && GROW(c, c->batch.definitions, c->batch.definition_count, c->batch.definition_room) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0)
        code = catalog_add(c->catalog, definition, now, detail);
    if (code != 0)
        return code;
    c->batch.definitions[c->batch.definition_count++] = (struct definition_row){
        .number = definition->number,
        .registered_at = now,
        .source = definition->source,
    };
    core_reply(c, &(struct reply_effect){.token = token}, NULL);
    return 0;
}

/* ---- the commit ---- */

bool core_pending(const struct core *c)
{
    const struct batch *b = &c->batch;
    return b->size > 0 || b->effect_count > 0 || b->definition_count > 0 || c->orphan_count > 0;
}

bool core_batch_full(const struct core *c)
{
    return c->batch.size >= c->options.commit_bytes_max;
}

static uint64_t oldest_live_frame(const struct core *c)
{
    const struct saga *earliest = engine_earliest(c->engine);
    return earliest == NULL ? c->frame : earliest->first_position;
}

/* Lets a reply out that shows nothing of what waits for room: refusals while the journal is full. */
static void let_refusals_out(struct core *c)
{
    struct batch *b = &c->batch;
    size_t kept = 0;
    for (size_t i = 0; i < b->effect_count; i++) {
        struct held_effect *held = &b->effects[i];
        if (held->effect.type == EFFECT_REPLY && held->effect.as.reply.code == E_JOURNAL_FULL) {
            c->world.reply(c->world.self, &held->effect.as.reply, held->detail);
            memory_give_back(&c->memory, held->detail, sizeof *held->detail);
        } else {
            b->effects[kept++] = *held;
        }
    }
    b->effect_count = kept;
}

static int let_out(struct core *c)
{
    struct batch *b = &c->batch;
    for (size_t i = 0; i < b->effect_count; i++) {
        struct held_effect *held = &b->effects[i];
        if (held->effect.type == EFFECT_REPLY) {
            c->world.reply(c->world.self, &held->effect.as.reply, held->detail);
            memory_give_back(&c->memory, held->detail, sizeof *held->detail);
        } else if (held->effect.as.call.target != TARGET_NONE) {
            c->world.call(c->world.self, &held->effect.as.call);
        } else {
            if (GROW(c, c->orphans, c->orphan_count, c->orphan_room) != 0) {
                /* What was let out is not let out again: the owner still has the rest to abandon. */
                b->effect_count -= i;
                memmove(b->effects, held, b->effect_count * sizeof *held);
                return E_MEMORY;
            }
            c->orphans[c->orphan_count++] = held->effect.as.call;
        }
    }
    for (size_t i = 0; i < b->ended_count; i++)
        engine_release(c->engine, b->ended[i].saga.serial);
    return 0;
}

static int store_batch(struct core *c, struct error_detail *detail)
{
    struct batch *b = &c->batch;
    uint64_t oldest = oldest_live_frame(c);
    bool tell = oldest >= c->oldest_live_frame + OLDEST_LIVE_EVERY;
    struct store_commit commit = {
        .frame = b->size > 0 ? c->frame : 0,
        .records = bytes_of(b->records, b->size),
        .ended = b->ended,
        .ended_count = b->ended_count,
        .definitions = b->definitions,
        .definition_count = b->definition_count,
        .oldest_live_frame = tell ? oldest : 0,
    };
    int code = c->store->commit(c->store, &commit, detail);
    if (code == 0 && tell)
        c->oldest_live_frame = oldest;
    return code;
}

int core_commit(struct core *c, struct instant now, struct error_detail *detail)
{
    struct batch *b = &c->batch;
    if (c->failed != 0)
        return failed(c, detail);
    int code = answer_orphans(c, now, detail);
    if (code == 0)
        code = failed(c, detail); /* what followed from those answers could not be written down */
    if (code != 0)
        return code;
    if (b->size > 0 || b->definition_count > 0) {
        code = store_batch(c, detail);
        if (code == E_JOURNAL_FULL) {
            if (c->full_since.us == 0)
                c->full_since = now;
            let_refusals_out(c);
            return code;
        }
        if (code != 0)
            return code;
        c->full_since = (struct instant){0};
        if (b->size > 0) {
            c->world.durable(c->world.self, c->frame, bytes_of(b->records, b->size));
            c->frame++;
        }
    }
    if (let_out(c) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    c->needed_from = oldest_live_frame(c); /* sagas that ended in this batch are let go by now */
    b->size = b->effect_count = b->ended_count = b->definition_count = 0;
    return 0;
}

struct instant core_full_since(const struct core *c)
{
    return c->full_since;
}

struct instant core_expiry(const struct core *c)
{
    return c->full_since.us != 0 || c->holding ? INSTANT_NEVER : engine_expiry(c->engine);
}

struct instant core_latest(const struct core *c)
{
    return c->latest;
}

void core_hold(struct core *c)
{
    c->holding = true;
    engine_hold(c->engine);
}

void core_abandon(struct core *c)
{
    struct batch *b = &c->batch;
    for (size_t i = 0; i < b->effect_count; i++) {
        struct held_effect *held = &b->effects[i];
        if (held->effect.type != EFFECT_REPLY)
            continue;
        const struct reply_effect reply = {
            .token = held->effect.as.reply.token, .code = E_STOPPING, .saga = held->effect.as.reply.saga};
        c->world.reply(c->world.self, &reply, NULL);
        memory_give_back(&c->memory, held->detail, sizeof *held->detail);
    }
    b->effect_count = 0;
}

/* Appends one record to the batch as it is. */
static int append(struct core *c, const struct record *r, uint64_t previous)
{
    if (reserve_bytes(c, codec_record_size_max(r)) != 0)
        return E_MEMORY;
    c->batch.size += codec_encode(r, previous, c->batch.records + c->batch.size);
    return 0;
}

/* Writes a saga's whole history anew into the frame to come. A history that cannot be read whole stays where it is. */
static int move(struct core *c, const struct saga *s, struct instant now, struct arena *arena, struct error_detail *detail)
{
    struct timeline history;
    struct timeline_query query = {.serial = s->id.serial, .last_frame = s->position, .records_max = SIZE_MAX};
    int code = timeline_load(c->store, &query, arena, &history, detail);
    if (code != 0)
        return code;
    CHECK(!history.truncated && history.count > 0);
    if (DEFECT(MOVE_LOSES_ONE) && history.count > 2)
        history.count--;
    struct record moved = {.type = RECORD_MOVED, .saga = s->id, .at = now, .step = RECORD_NO_STEP,
                           .copies = (uint32_t)history.count};
    c->failed = append(c, &moved, s->position);
    for (size_t i = 0; c->failed == 0 && i < history.count; i++)
        c->failed = append(c, &history.entries[i].record, c->frame);
    if (c->failed != 0)
        return failed(c, detail); /* a part of a history must never be committed */
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
    uint64_t keep_from = DEFECT(DROPS_WHAT_IS_NEEDED) ? oldest_live_frame(c) : c->needed_from;
    return c->store->drop(c->store, before, keep_from, DROP_MAX, more, detail);
}

const struct engine *core_engine(const struct core *c)
{
    return c->engine;
}

struct store *core_store(const struct core *c)
{
    return c->store;
}

/* ---- recovery ---- */

struct replay {
    struct core *core;
    uint64_t from;          /* the first frame looked at */
    uint64_t first_started; /* serial of the first saga that starts there; 0: none so far */
    uint32_t copies;        /* of a moved saga's records, that are still to come */
    struct error_detail *detail;
};

/* Recovery begins where the journal must be kept from. What comes up there of sagas that began before has ended, or was moved since, and is only
 * their history: serials are given in the order of the starts, and a moved saga comes up again whole. */
static bool is_history(const struct replay *replay, const struct record *r, uint64_t previous)
{
    if (DEFECT(HISTORY_IS_DAMAGE))
        return r->type != RECORD_STARTED && previous != 0 && previous < replay->from;
    return r->type != RECORD_STARTED && r->type != RECORD_MOVED && replay->copies == 0 && previous != 0 &&
           replay->from > 1 && engine_find(replay->core->engine, r->saga.serial) == NULL &&
           (replay->first_started == 0 || r->saga.serial < replay->first_started);
}

static int replay_frame(void *self, uint64_t frame, struct bytes records)
{
    struct replay *replay = self;
    struct core *c = replay->core;
    while (records.size > 0) {
        struct record r;
        uint64_t previous;
        int code = codec_decode(&records, &r, &previous, replay->detail);
        if (code != 0)
            return code;
        c->latest = instant_max(c->latest, r.at);
        if (is_history(replay, &r, previous))
            continue;
        if (r.type == RECORD_STARTED && replay->copies == 0 && replay->first_started == 0)
            replay->first_started = r.saga.serial;
        code = engine_replay(c->engine, &r, catalog_by_number(c->catalog, r.definition), replay->detail);
        if (code != 0)
            return code;
        if (replay->copies > 0)
            replay->copies--;
        if (r.type == RECORD_MOVED) {
            replay->copies = r.copies;
            continue;
        }
        engine_set_position(c->engine, r.saga.serial, frame);
        if (r.type == RECORD_ENDED)
            engine_release(c->engine, r.saga.serial);
    }
    return 0;
}

static int recover(struct core *c, const struct store_state *state, struct instant now, struct error_detail *detail)
{
    uint64_t from = state->oldest_live_frame != 0 ? state->oldest_live_frame : state->first_frame;
    struct replay replay = {.core = c, .from = from, .detail = detail};
    c->frame = state->last_frame + 1;
    c->oldest_live_frame = from;
    engine_set_serial(c->engine, state->serial_max);
    if (from != 0 && from <= state->last_frame) {
        int code = c->store->scan(c->store, from, replay_frame, &replay, detail);
        if (code != 0)
            return code;
    }
    c->needed_from = oldest_live_frame(c);
    if (engine_resume(c->engine, instant_max(now, c->latest), &c->out) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    return failed(c, detail);
}

int core_open(const struct core_options *options, const struct memory *memory, struct store *store,
              const struct store_state *state, struct catalog *catalog, const struct core_world *world, struct instant now,
              struct core **out, struct error_detail *detail)
{
    struct core *c = memory_take(memory, sizeof *c);
    if (c == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    memset(c, 0, sizeof *c);
    c->options = *options;
    c->memory = *memory;
    c->store = store;
    c->catalog = catalog;
    c->world = *world;
    c->out = (struct engine_out){.add_record = add_record, .add_effect = add_effect, .self = c};
    int code = engine_create(&options->engine, memory, &c->engine);
    for (size_t i = 0; code == 0 && i < options->target_count; i++)
        code = engine_add_target(c->engine, &options->targets[i]) < 0 ? E_MEMORY : 0;
    if (code != 0) {
        error_set(detail, code, "", NULL);
    } else {
        /* Targets that are gone from the configuration are no reason not to start: their calls fail with words. */
        struct error_detail missing;
        for (uint32_t i = 0; i < catalog_count(catalog); i++)
            engine_resolve(c->engine, catalog_at(catalog, i)->definition, &missing);
        code = recover(c, state, now, detail);
    }
    if (code != 0) {
        core_close(c);
        return code;
    }
    *out = c;
    return 0;
}

void core_close(struct core *c)
{
    if (c == NULL)
        return;
    struct memory memory = c->memory;
    struct batch *b = &c->batch;
    for (size_t i = 0; i < b->effect_count; i++)
        memory_give_back(&memory, b->effects[i].detail, sizeof *b->effects[i].detail);
    memory_give_back(&memory, b->records, b->room);
    memory_give_back(&memory, b->effects, b->effect_room * sizeof *b->effects);
    memory_give_back(&memory, b->ended, b->ended_room * sizeof *b->ended);
    memory_give_back(&memory, b->definitions, b->definition_room * sizeof *b->definitions);
    memory_give_back(&memory, c->orphans, c->orphan_room * sizeof *c->orphans);
    engine_destroy(c->engine);
    memory_give_back(&memory, c, sizeof *c);
}
