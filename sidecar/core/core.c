/* core.c - events in: what only the store knows is looked up first, and the engine decides the rest. What it decided is gathered in
 * core_batch.c and made durable in core_commit.c; recovery is in core_recovery.c, upkeep in core_maintain.c. */
#include "sidecar/core/core_inside.h"

#include "sidecar/core/retries.h"
#include "sidecar/core/schemas.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/engine/saga.h"

int core_reply(struct core *c, const struct reply_effect *reply, const struct error_detail *detail)
{
    struct effect effect = {.type = EFFECT_REPLY, .as.reply = *reply};
    core_effect(c, &effect, detail);
    return c->failed;
}

/* ---- events ---- */

static bool is_request(uint8_t type)
{
    return type != EVENT_ANSWER && type != EVENT_TICK && type != EVENT_TARGET;
}

static int refuse(struct core *c, const struct event *event, int code, const char *field)
{
    struct error_detail detail;
    error_set(&detail, code, field, NULL);
    return core_reply(c, &(struct reply_effect){.token = event->token, .code = code, .saga = event->saga}, &detail);
}

/* A damaged row is told to whoever asks for that saga, and that the store cannot be read now to whoever needs it; the others go on. What else a
 * lookup ends with stops the owner. */
static int lookup_failed(struct core *c, const struct event *event, int code, const struct error_detail *detail)
{
    if (code != E_JOURNAL_CORRUPT && (code != E_JOURNAL_AWAY || DEFECT(LOOKUP_AWAY_STOPS)))
        return code;
    return core_reply(c, &(struct reply_effect){.token = event->token, .code = code, .saga = event->saga}, detail);
}

/* A Start or Begin whose request_id belongs to a saga that has ended: it is answered from the store. Sets *answered. */
static int submit_known_request(struct core *c, const struct event *event, bool *answered, struct error_detail *detail)
{
    struct ended_row row;
    struct bytes scope = event_scope(event);
    *answered = false;
    if (DEFECT(REQUEST_ID_FORGOTTEN) || event->request_id.size == 0 || event->request_id.size > REQUEST_ID_BYTES_MAX ||
        engine_find_request(c->engine, event->request_id, scope) != NULL)
        return 0;
    int code = c->store->find_request(c->store, event->request_id, scope, &row, detail);
    if (code == E_SAGA_NOT_FOUND)
        return 0;
    *answered = true;
    if (code == STORE_PENDING)
        return code;
    /* The store looked for what it was asked. */
    CHECK(code != 0 || (bytes_equal(row.request_id, event->request_id) && scope_has(scope, row.owner)));
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
    if (code == STORE_PENDING)
        return code;
    CHECK(code != 0 || row.saga.serial == event->saga.serial);
    if (code != 0)
        return lookup_failed(c, event, code, detail);
    bool enlisted = row.mode == SAGA_ENLISTED, turned_back = row.reason != REASON_NONE;
    bool said_before = (event->type == EVENT_COMMIT && row.state == SAGA_COMMITTED && enlisted) ||
                       (event->type == EVENT_ABORT && turned_back && enlisted) ||
                       (event->type == EVENT_CANCEL && turned_back);
    if (!said_before)
        return refuse(c, event, E_SAGA_ENDED, "saga_id");
    return core_reply(c, &(struct reply_effect){.token = event->token, .saga = row.saga, .repeated = true}, NULL);
}

static void renew_leases(struct core *c, struct instant now)
{
    if (!DEFECT(LATE_TURN_FORGOTTEN))
        engine_renew_leases(c->engine, now);
}

/* The owner looks at now. One that never says how long it waits is never late. */
static void look(struct core *c, struct instant now)
{
    if (c->look_by.us == 0)
        return;
    if (instant_before(instant_after(c->look_by, CORE_LATE), now))
        renew_leases(c, now);
    c->look_by = instant_max(c->look_by, now);
}

bool core_is_tight(const struct core *c)
{
    return c->stalled == 0 && c->store->is_tight != NULL && c->store->is_tight(c->store);
}

/* 0, or why no new work is taken. */
static int refuses_work(const struct core *c)
{
    if (core_is_tight(c))
        return E_JOURNAL_FULL;
    bool crowded = c->world.crowded != NULL && !DEFECT(CROWD_IGNORED) && c->world.crowded(c->world.self);
    return crowded ? E_BYTES : 0;
}

/* Whether the event would begin a saga that is held. Heartbeats go on: they tell when all is well again. */
static bool is_held(const struct core *c, const struct event *event)
{
    if ((event->type != EVENT_START && event->type != EVENT_BEGIN) || event->synthetic || DEFECT(HOLD_IGNORED))
        return false;
    return holds_has(c->holds, event->type == EVENT_START ? bytes_of_text(event->definition->name) : event->name);
}

/* An act goes into the audit trail in the commit that has what it changed. */
static int step(struct core *c, const struct event *event)
{
    c->acted = false;
    int code = engine_step(c->engine, event, &c->out);
    if (engine_starved(c->engine))
        c->failed = E_MEMORY; /* what there is of it is not whole: nothing of the batch may be written */
    if (code == 0 && c->acted && event->audit.size > 0)
        core_audit(c, event->audit);
    return code;
}

int core_take(struct core *c, const struct event *event, struct error_detail *detail)
{
    look(c, event->now);
    if (c->stalled != 0 && is_request(event->type))
        return refuse(c, event, c->stalled, "");
    /* Sagas that have not taken up where they were are not fit for any. */
    if (c->resuming && is_request(event->type))
        return refuse(c, event, E_QUEUE, "");
    if (event->type == EVENT_START || event->type == EVENT_BEGIN) {
        bool answered;
        int code = submit_known_request(c, event, &answered, detail);
        if (answered)
            return code;
    } else if (is_request(event->type) && event->type != EVENT_BREAKER &&
               engine_find(c->engine, event->saga.serial) == NULL) {
        return submit_to_ended(c, event, detail);
    }
    CHECK(event->type != EVENT_TICK ||
          (c->stalled == 0 && !c->holding && !c->resuming)); /* core_expiry is never then */
    int no_room = is_request(event->type) ? refuses_work(c) : 0;
    if (no_room == 0 && is_held(c, event))
        no_room = E_HELD;
    struct event tight;
    if (no_room != 0) {
        if (DEFECT(TIGHT_HEARS_NOBODY) && event->enlist_count > 0)
            return refuse(c, event, no_room, "");
        tight = *event;
        tight.no_room = no_room;
        event = &tight;
    }
    return step(c, event);
}

int core_submit(struct core *c, const struct event *event, struct error_detail *detail)
{
    int code = core_take(c, event, detail);
    if (code == STORE_PENDING)
        code = parked_add(c, event);
    if (code == E_QUEUE)
        code = refuse(c, event, E_QUEUE, "");
    if (code != 0)
        return code == E_MEMORY ? error_set(detail, code, "", NULL) : code;
    return core_failed(c, detail);
}

int core_set_target(struct core *c, const struct target_options *options)
{
    return engine_set_target(c->engine, options);
}

int core_set_limits(struct core *c, const struct definition_bound *bounds, size_t count)
{
    return engine_set_limits(c->engine, bounds, count);
}

void core_set_drill(struct core *c, const struct drill_rule *rules, uint32_t count)
{
    engine_set_drill(c->engine, rules, count);
}

int core_forget_answer(struct core *c, struct bytes name, struct bytes key, uint64_t token, struct error_detail *detail)
{
    if (c->stalled != 0)
        return error_set(detail, c->stalled, "", NULL);
    engine_forget_answer(c->engine, name, key);
    core_keep_answers(c); /* so that the reply waits for it */
    if (c->failed == 0)
        core_reply(c, &(struct reply_effect){.token = token}, NULL);
    return core_failed(c, detail);
}

int core_may_add(const struct core *c, struct error_detail *detail)
{
    int code = c->stalled != 0 ? c->stalled : refuses_work(c);
    return code == 0 ? 0 : error_set(detail, code, "", NULL);
}

int core_may_register(const struct core *c, struct definition *definition, struct error_detail *detail)
{
    int code = core_may_add(c, detail);
    if (code == 0)
        code = engine_resolve(c->engine, definition, detail);
    if (code == 0 && catalog_is_full(c->catalog))
        code = error_set(detail, E_DEFINITIONS, "", NULL);
    return code;
}

int core_register(struct core *c, struct definition *definition, struct instant now, uint64_t token,
                  struct error_detail *detail)
{
    struct batch *b = c->open;
    int code = core_may_register(c, definition, detail);
    if (code == 0 && GROW(c, b->definitions, b->definition_count, b->definition_room) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0)
        code = catalog_add(c->catalog, definition, now, detail);
    if (code != 0)
        return code;
    if (definition->schema_hash != NULL) {
        char number[16];
        struct subject_row pin = schemas_row_of_pin(definition->number, definition->schema_hash, number);
        /* The catalog has it by now: without its pin nothing may be let out. */
        if (core_set_subject(c, &pin) != 0)
            c->failed = E_MEMORY;
    }
    struct retries_room room;
    struct subject_row retry = retries_row(definition, &room);
    if (!DEFECT(RETRIES_FORGOTTEN) && core_set_subject(c, &retry) != 0)
        c->failed = E_MEMORY;
    b->row_bytes += definition->source.size;
    b->definitions[b->definition_count++] = (struct definition_row){
        .number = definition->number,
        .registered_at = now,
        .source = definition->source,
    };
    core_reply(c, &(struct reply_effect){.token = token}, NULL);
    return 0;
}

/* ---- to ask, and to end ---- */

struct instant core_expiry(const struct core *c)
{
    return c->stalled != 0 || c->holding || c->resuming ? INSTANT_NEVER : engine_expiry(c->engine);
}

void core_await(struct core *c, struct span wait, struct instant now)
{
    look(c, now);
    c->look_by = instant_after(now, wait);
    if (c->drained_at.us == 0)
        c->drained_at = now;
}

bool core_look(struct core *c, bool drained, struct instant now)
{
    look(c, now);
    if (!drained && !instant_before(instant_after(c->drained_at, CORE_LATE), now) && !DEFECT(TIMERS_FIRST))
        return false;
    if (!drained)
        renew_leases(c, now);
    c->drained_at = now;
    return !instant_before(now, core_expiry(c));
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

struct holds *core_holds(struct core *c)
{
    return c->holds;
}

const struct engine *core_engine(const struct core *c)
{
    return c->engine;
}
