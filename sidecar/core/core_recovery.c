/* core_recovery.c - how a core comes to be: the journal is replayed into the engine, by the same code that made it. */
#include "sidecar/core/core_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"

/* Between two looks at how large the batch has become. */
#define RESUME_SAGAS 4

struct replay {
    struct core *core;
    uint64_t from;          /* the first frame looked at */
    uint64_t first_started; /* serial of the first saga that starts there; 0: none so far */
    uint32_t copies;        /* of a moved saga's records, that are still to come */
    struct error_detail *detail;
};

/* Recovery begins where the journal must be kept from. What comes up there of sagas that began before has ended, or was
 * moved since, and is only their history: serials are given in the order of the starts, and a moved saga comes up again
 * whole. */
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

struct marks {
    struct core *core;
    struct instant now;
    struct error_detail *detail;
};

static int take_mark(void *self, const struct subject_row *row)
{
    struct marks *m = self;
    struct breaker_mark mark;
    int code = breakers_read(row, &mark, m->detail);
    if (code == 0 && engine_restore_breaker(m->core->engine, row->name, &mark, m->now) != 0)
        code = error_set(m->detail, E_MEMORY, "", NULL);
    return code;
}

/* Breakers are as they were before anything is called. */
static int recover_breakers(struct core *c, struct instant now, struct error_detail *detail)
{
    struct marks marks = {.core = c, .now = now, .detail = detail};
    return c->store->scan_subjects(c->store, SUBJECT_BREAKER, take_mark, &marks, detail);
}

static int take_answer(void *self, const struct subject_row *row)
{
    struct marks *m = self;
    struct recalled one;
    int code = answers_read(row, &one, m->detail);
    if (code != 0 || one.name.size == 0)
        return code;
    code = engine_restore_answer(m->core->engine, &one);
    if (code == E_JOURNAL_CORRUPT)
        error_set(m->detail, code, "", "the table subjects holds two answers for one place");
    else if (code != 0)
        error_set(m->detail, code, "", NULL);
    return code;
}

/* Answers that fallbacks may take are there before any is looked for. */
static int recover_answers(struct core *c, struct instant now, struct error_detail *detail)
{
    struct marks marks = {.core = c, .now = now, .detail = detail};
    int code = c->store->scan_subjects(c->store, SUBJECT_ANSWER, take_answer, &marks, detail);
    if (code == 0)
        engine_restored_answers(c->engine);
    return code;
}

static int recover(struct core *c, const struct store_state *state, struct instant now, struct error_detail *detail)
{
    uint64_t from = state->oldest_live_frame != 0 ? state->oldest_live_frame : state->first_frame;
    struct replay replay = {.core = c, .from = from, .detail = detail};
    CHECK(state->oldest_live_frame <= state->last_frame + 1);
    c->frame = state->last_frame + 1;
    c->durable_frame = state->last_frame;
    c->epoch = state->epoch;
    c->audit_last = state->audit_last;
    c->oldest_live_frame = from;
    engine_set_serial(c->engine, state->serial_max);
    if (from != 0 && from <= state->last_frame) {
        int code = c->store->scan(c->store, from, replay_frame, &replay, detail);
        if (code != 0)
            return code;
    }
    c->needed_from = core_oldest_live_frame(c);
    c->stuck = engine_counts(c->engine).stuck;
    c->resuming = engine_counts(c->engine).live > 0;
    return core_resume(c, now, detail);
}

int core_resume(struct core *c, struct instant now, struct error_detail *detail)
{
    while (c->resuming && c->failed == 0 && !core_batch_full(c)) {
        if (engine_resume(c->engine, instant_max(now, c->latest), &c->resume_after, RESUME_SAGAS, &c->out) != 0) {
            c->failed = E_MEMORY;
            return error_set(detail, E_MEMORY, "", NULL);
        }
        c->resuming = c->resume_after != UINT64_MAX && !(DEFECT(RESUME_ENDS_EARLY) && core_batch_full(c));
    }
    return core_failed(c, detail);
}

bool core_resuming(const struct core *c)
{
    return c->resuming;
}

int core_open(const struct core_options *options, const struct memory *memory, struct store *store,
              const struct store_state *state, struct catalog *catalog, const struct core_world *world,
              struct instant now, struct core **out, struct error_detail *detail)
{
    struct core *c = memory_take(memory, sizeof *c);
    if (c == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    memset(c, 0, sizeof *c);
    c->options = *options;
    c->open = &c->batches[0];
    if (c->options.frame_bytes_max == 0)
        c->options.frame_bytes_max = FRAME_BYTES_DEFAULT;
    c->memory = *memory;
    c->store = store;
    c->catalog = catalog;
    c->world = *world;
    c->out = core_out(c);
    int code = engine_create(&options->engine, memory, &c->engine);
    if (code == 0)
        code = holds_create(memory, &c->holds);
    if (code == 0)
        c->answers = engine_answers(c->engine);
    for (size_t i = 0; code == 0 && i < options->target_count; i++)
        code = engine_set_target(c->engine, &options->targets[i]) < 0 ? E_MEMORY : 0;
    if (code != 0) {
        error_set(detail, code, "", NULL);
    } else {
        /* Targets that are gone from the configuration are no reason not to start: their calls fail with words. */
        struct error_detail missing;
        for (uint32_t i = 0; code == 0 && i < catalog_count(catalog); i++)
            code = engine_keep_names(c->engine, catalog_at(catalog, i)->definition);
        for (uint32_t i = 0; code == 0 && i < catalog_count(catalog); i++)
            code = engine_resolve(c->engine, catalog_at(catalog, i)->definition, &missing) == E_MEMORY ? E_MEMORY : 0;
        if (code == 0)
            code = engine_set_limits(c->engine, options->limits, options->limit_count);
        if (code != 0)
            error_set(detail, code, "", NULL);
        else
            code = recover_breakers(c, now, detail);
        if (code == 0)
            code = recover_answers(c, now, detail);
        if (code == 0)
            code = holds_recover(c->holds, store, detail);
        if (code == 0)
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
    for (unsigned i = 0; i < BATCH_COUNT; i++)
        batch_free(c, &c->batches[i]);
    parked_free(c);
    holds_destroy(c->holds);
    engine_destroy(c->engine);
    memory_give_back(&memory, c, sizeof *c);
}
