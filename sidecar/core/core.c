/* core.c - the batch: events in, one commit, effects out. Recovery is in core_recovery.c, retention in core_maintain.c.
 */
#include "sidecar/core/core_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"

/* After how many frames the store is told anew where recovery may start. */
#define OLDEST_LIVE_EVERY 64
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

int core_append(struct core *c, const struct record *r, uint64_t previous)
{
    if (reserve_bytes(c, codec_record_size_max(r)) != 0)
        return E_MEMORY;
    c->batch.size += codec_encode(r, previous, c->batch.records + c->batch.size);
    return 0;
}

static void add_record(void *self, const struct record *record)
{
    struct core *c = self;
    if (c->failed != 0)
        return;
    const struct saga *s = engine_find(c->engine, record->saga.serial);
    if ((c->failed = core_append(c, record, s->position)) != 0)
        return;
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

int core_failed(const struct core *c, struct error_detail *detail)
{
    return c->failed == 0 ? 0 : error_set(detail, c->failed, "", NULL);
}

struct engine_out core_out(struct core *c)
{
    return (struct engine_out){.add_record = add_record, .add_effect = add_effect, .self = c};
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

/* A damaged row is told to whoever asks for that saga; the others go on. What else a lookup ends with stops the owner. */
static int lookup_failed(struct core *c, const struct event *event, int code, const struct error_detail *detail)
{
    if (code != E_JOURNAL_CORRUPT)
        return code;
    return core_reply(c, &(struct reply_effect){.token = event->token, .code = code, .saga = event->saga}, detail);
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
    *answered = true;
    if (code != 0)
        return lookup_failed(c, event, code, detail);
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
        return lookup_failed(c, event, code, detail);
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
    return core_failed(c, detail);
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

uint64_t core_oldest_live_frame(const struct core *c)
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
    uint64_t oldest = core_oldest_live_frame(c);
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
        return core_failed(c, detail);
    int code = answer_orphans(c, now, detail);
    if (code == 0)
        code = core_failed(c, detail); /* what followed from those answers could not be written down */
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
        if (c->full_since.us != 0)
            engine_renew_leases(c->engine, now);
        c->full_since = (struct instant){0};
        if (b->size > 0) {
            c->world.durable(c->world.self, c->frame, bytes_of(b->records, b->size));
            c->frame++;
        }
    }
    if (let_out(c) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    c->needed_from = core_oldest_live_frame(c); /* sagas that ended in this batch are let go by now */
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

const struct engine *core_engine(const struct core *c)
{
    return c->engine;
}
