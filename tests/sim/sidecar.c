/* sidecar.c - sagad's loop in miniature: it drives the real core, and can end at every boundary of an effect. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/base/quiet.h"
#include "sidecar/core/bulk.h"
#include "sidecar/core/retries.h"
#include "sidecar/definition/reader.h"

#include <stdlib.h>

/* So many sagas that are overdue at a start are many. */
#define OVERDUE_CROWD 24

static void *take_memory(void *self, size_t size)
{
    struct sidecar *s = self;
    s->memory_takes++;
    if (s->memory_fail_at != 0 && s->memory_takes >= s->memory_fail_at &&
        s->memory_takes < s->memory_fail_at + s->memory_fail_count) {
        s->memory_failures++;
        return NULL;
    }
    s->memory_used += size;
    void *at = malloc(size);
    CHECK(at != NULL);
    return at;
}

static void *take_zeroed(void *self, size_t size)
{
    void *at = take_memory(self, size);
    if (at != NULL)
        memset(at, 0, size);
    return at;
}

static void give_back(void *self, void *at, size_t size)
{
    struct sidecar *s = self;
    s->memory_used -= size;
    free(at);
}

struct memory sidecar_memory(struct world *w)
{
    return (struct memory){
        .take = take_memory, .take_zeroed = take_zeroed, .give_back = give_back, .self = &w->sidecar};
}

struct instant sidecar_now(const struct world *w)
{
    int64_t now = w->now + w->sidecar.offset;
    return (struct instant){.us = now > w->sidecar.last_now ? now : w->sidecar.last_now};
}

bool sidecar_ends_here(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    if (s->dying)
        return true;
    if (w->script != NULL) {
        if (w->script->crashes_left == 0 || script_choose(w->script, 2) == 0)
            return false;
        w->script->crashes_left--;
        s->dying = true;
        return true;
    }
    if (s->crash_in < 0)
        return false;
    if (s->crash_in-- > 0)
        return false;
    if (s->let_out > 0)
        mark(w, MARK_CASE, CASE_PARTIAL_LET_OUT);
    s->dying = true;
    return true;
}

/* ---- the core's world ---- */

static void durable(void *self, uint64_t frame, struct bytes records)
{
    struct world *w = self;
    (void)records;
    if (frame > w->disk.frame_count || frame > w->disk.told_frame)
        world_fail(w, EXIT_SAFETY, "I1", "a frame was called durable that is not known to be", frame);
}

static void reply(void *self, const struct reply_effect *effect, const struct error_detail *detail)
{
    struct world *w = self;
    (void)detail;
    if (effect->token == 0 || sidecar_ends_here(w))
        return;
    w->sidecar.let_out++;
    if (effect->token <= TOKEN_RULE && effect->token > TOKEN_RULE - RULES_SEEN) {
        rules_replied(w, effect);
        return;
    }
    if (effect->token == TOKEN_FORGET) {
        answers_forgotten(w, effect);
        return;
    }
    trace(w, "reply", effect->saga.serial, (int64_t)effect->token, effect->code, effect->repeated);
    oracle_reply(w, effect);
    network_reply(w, effect, w->now + w->sidecar.commit_delay);
}

static void call(void *self, const struct call_effect *effect)
{
    struct world *w = self;
    if (sidecar_ends_here(w))
        return;
    if (w->sidecar.holding)
        world_fail(w, EXIT_SAFETY, "stop", "a call leaves a sidecar that is stopping", effect->saga.serial);
    if (w->sidecar.target_gone[effect->target])
        world_fail(w, EXIT_SAFETY, "target", "a call leaves for a target that is gone", effect->saga.serial);
    w->sidecar.let_out++;
    network_call(w, effect, w->now + w->sidecar.commit_delay);
}

/* ---- the loop ---- */

static int submit(struct world *w, const struct incoming *in)
{
    struct error_detail detail;
    struct event event = {.now = sidecar_now(w)};
    w->sidecar.last_now = event.now.us;
    if (in == NULL) {
        event.type = EVENT_TICK;
        trace(w, "tick", 0, 0, 0, 0);
    } else if (in->back) {
        event.type = EVENT_TARGET;
        event.target = (uint16_t)in->target;
        w->sidecar.backs[in->target]--;
        w->sidecar.down_since[in->target] = 0;
        trace(w, "target", 0, (int64_t)in->target, 0, 0);
    } else if (in->request != NULL) {
        client_event(w, in->request, &event);
        event.audit = sealed_entry(w, &event);
        trace(w, "request", event.saga.serial, event.type, (int64_t)event.token, 0);
        oracle_request(w, &event);
    } else {
        const struct attempt *a = in->attempt;
        event.type = EVENT_ANSWER;
        event.saga = a->saga;
        event.step_index = a->step;
        event.phase = a->phase;
        event.attempt = a->number;
        event.reach = in->reach;
        event.unreached = in->unreached;
        event.status = in->status;
        if (in->reach == SAGA_REACH_MAYBE)
            event.quiet_at =
                quiet_at((struct instant){.us = a->out_at + w->sidecar.offset}, (struct span){.us = a->timeout});
        event.took.us = event.now.us - (a->out_at + w->sidecar.offset);
        event.output = bytes_of(in->output, in->output_size);
        event.has_pushback = in->has_pushback;
        event.pushback.us = in->pushback;
        trace(w, "answer", a->saga.serial, a->step * 10 + a->phase, in->status, in->reach);
        oracle_answer(w, in);
    }
    int code = core_submit(w->sidecar.core, &event, &detail);
    if (in != NULL && in->request != NULL && in->request->incarnation != w->sidecar.incarnation) {
        in->request->incarnation = w->sidecar.incarnation;
        in->request->decided = core_decided(w->sidecar.core);
    }
    if (code != 0 && code != E_MEMORY)
        world_fail(w, EXIT_SAFETY, "core_submit", "it refused", event.saga.serial);
    return code;
}

/* The calls that are still out are cut off; what follows from that may still be written down. */
static int cut_calls(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    struct error_detail detail;
    int code = 0;
    for (uint64_t serial = 1; code == 0 && serial <= w->serial_max; serial++)
        for (struct attempt *a = w->models[serial].attempts; code == 0 && a != NULL; a = a->next)
            if (!a->ended && a->incarnation == s->incarnation) {
                a->ended = true;
                s->calls_out[a->target]--;
                code = submit(w, &(struct incoming){.attempt = a, .reach = SAGA_REACH_MAYBE, .status = 1});
            }
    return code != 0 ? code : core_commit(s->core, sidecar_now(w), &detail);
}

/* The grace period is over: whoever waits for room on the disk is told so. */
static void stopped(struct world *w, void *arg)
{
    struct sidecar *s = &w->sidecar;
    if (!s->up || !s->holding || s->incarnation != (uint32_t)(uintptr_t)arg)
        return;
    if (w->now < s->busy_until) { /* it sits in a commit */
        agenda_add(w, s->busy_until, stopped, arg);
        return;
    }
    s->crash_in = -1;
    core_abandon(s->core);
    if (draw(w, FAULTS, 2) == 0)
        cut_calls(w); /* whatever comes of it, this life is over */
    sidecar_crash(w);
}

/* Nothing may be left that wants to leave when the stop is asked for. */
static void ask_to_stop(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    if (s->holding || core_pending(s->core) || !strikes(w, FAULT_STOP))
        return;
    trace(w, "stop", 0, 0, 0, 0);
    core_hold(s->core);
    s->holding = true;
    agenda_add(w, w->now + draw_between(w, FAULTS, 0, 2 * SECOND), stopped, (void *)(uintptr_t)s->incarnation);
}

static void plan_turn(struct world *w, int64_t at);

static void plan_next(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    if (core_waits(s->core)) {
        int64_t at = core_full_since(s->core).us != 0 ? w->now + 20 * MS : disk_tells_at(w);
        sidecar_plan(w, at > w->now ? at : w->now + MS);
        if (s->first != NULL && !core_batch_full(s->core))
            sidecar_plan(w, core_full_since(s->core).us != 0 ? w->now + 20 * MS : s->busy_until);
    } else if (s->first != NULL || core_pending(s->core))
        sidecar_plan(w, s->busy_until);
    /* Timers wait for what has arrived, and that for the store. */
    struct instant expiry = s->first != NULL && core_waits(s->core) ? INSTANT_NEVER : core_expiry(s->core);
    if (expiry.us != INSTANT_NEVER.us)
        sidecar_plan(w, expiry.us - s->offset);
    struct instant bulk = bulks_expiry(s->bulks);
    if (bulk.us != INSTANT_NEVER.us)
        sidecar_plan(w, bulk.us - s->offset > s->busy_until ? bulk.us - s->offset : s->busy_until);
    int64_t rules = rules_next(w);
    if (rules != INT64_MAX)
        sidecar_plan(w, rules > s->busy_until ? rules : s->busy_until);
}

/* The same reckoning as the core's, so that it can be held to it. Before anything is taken in. */
static void begin_turn(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    int64_t now = sidecar_now(w).us;
    if (s->look_by != 0 && now > s->look_by + CORE_LATE.us)
        oracle_late(w, now);
}

/* Tells the core that it has taken in what has arrived. Returns whether a timer is to go off. */
static bool look(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    struct instant now = sidecar_now(w);
    bool drained = s->first == NULL, patient = now.us <= s->drained_at + CORE_LATE.us;
    bool tick = core_look(s->core, drained, now);
    if (tick && !drained && patient)
        world_fail(w, EXIT_SAFETY, "time", "a timer goes off before what has arrived is taken in", 0);
    if (!drained && !patient)
        oracle_late(w, now.us);
    if (drained || !patient)
        s->drained_at = now.us;
    return tick;
}

/* Until the next turn that is planned. */
static void await(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    struct instant now = sidecar_now(w);
    int64_t wait = s->wanted_at == INT64_MAX ? 3600 * SECOND : s->wanted_at - w->now;
    core_await(s->core, (struct span){.us = wait}, now);
    s->look_by = now.us + wait;
    if (s->drained_at == 0)
        s->drained_at = now.us;
}

/* Memory is nearly used up for a fifth of a second every now and then. */
static bool crowded(void *self)
{
    const struct world *w = self;
    return w->script == NULL && !w->healed && w->now / (200 * MS) % 16 == 5;
}

static struct target_options target_options(const struct world *w, unsigned i)
{
    static const char *const names[TARGET_COUNT] = {"t0", "t1", "t2", "t3"};
    return (struct target_options){.name = names[i],
                                   .timeout = SPAN_S(2),
                                   .barrier = w->swarm.barrier[i],
                                   .adaptive_concurrency = w->swarm.adaptive,
                                   .max_concurrent_calls = w->swarm.bulkhead,
                                   .breaker = w->swarm.breaker,
                                   .rate = w->swarm.rate,
                                   .budget = w->swarm.budget,
                                   .max_pending_calls = w->swarm.pending_max,
                                   .pending_timeout = w->swarm.pending_timeout};
}

/* The configuration is read again while the sidecar runs: the last target is there no more, or again. */
static int configure(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    unsigned last = TARGET_COUNT - 1;
    struct error_detail detail;
    struct target_options options = target_options(w, last);
    bool gone = !s->target_gone[last];
    uint32_t calls = engine_counts(core_engine(s->core)).calls;
    if (gone)
        options.max_concurrent_calls = 0;
    int index = core_set_target(s->core, &options);
    if (index < 0)
        return 0; /* no memory: nothing has changed */
    CHECK(index == (int)last);
    s->target_gone[last] = gone;
    s->was_gone[last] |= gone;
    s->ever_gone[last] |= gone;
    s->down_since[last] = 0;
    s->left_count[last] = 0;
    trace(w, "configured", 0, (int64_t)last, gone, 0);
    const struct event event = {.type = EVENT_TARGET, .now = sidecar_now(w), .target = (uint16_t)last};
    s->last_now = event.now.us;
    int code = core_submit(s->core, &event, &detail);
    if (code == 0 && engine_counts(core_engine(s->core)).calls > calls)
        mark(w, MARK_CASE, CASE_LET_GO);
    return code;
}

static void turn(struct world *w, void *arg)
{
    struct sidecar *s = &w->sidecar;
    struct error_detail detail;
    if (!s->up || s->turn_number != (uint64_t)(uintptr_t)arg)
        return;
    s->turn_at = INT64_MAX;
    if (w->now < s->busy_until || w->now < s->stalled_until) {
        plan_turn(w, s->busy_until > s->stalled_until ? s->busy_until : s->stalled_until);
        return;
    }
    if (s->crash_in < 0 && strikes(w, FAULT_SIDECAR_CRASH))
        s->crash_in = (int)draw(w, FAULTS, 8);

    if (strikes(w, FAULT_MEMORY)) {
        s->memory_fail_at = s->memory_takes + 1 + draw(w, FAULTS, 40);
        s->memory_fail_count = 1 + (unsigned)draw(w, FAULTS, 3);
    }

    s->wanted_at = INT64_MAX;
    begin_turn(w);
    int code = 0;
    uint32_t live = engine_counts(core_engine(s->core)).live;
    if (w->disk.definition_count > 0 && !core_pending(s->core) && !core_resuming(s->core) && !s->holding &&
        strikes(w, FAULT_CONFIGURED))
        code = configure(w);
    unsigned most = 1 + (unsigned)draw(w, SCHEDULE, 16);
    for (unsigned i = 0; code == 0 && s->first != NULL && i < most && !core_batch_full(s->core); i++) {
        struct incoming *in = s->first;
        s->first = in->next;
        if (s->first == NULL)
            s->last = NULL;
        code = submit(w, in);
    }
    if (code == 0 && look(w))
        code = submit(w, NULL);
    if (code == 0)
        code = bulk_turn(w);
    if (code == 0)
        code = holds_turn(w);
    if (code == 0)
        code = rules_turn(w);
    if (code == 0)
        code = answers_turn(w);
    if (code == 0 && !s->holding && core_stalled(s->core) == 0)
        code = slis_tick(s->slis, s->core, sidecar_now(w));
    if (code == 0 && core_pending(s->core)) {
        s->commit_delay = 0;
        code = core_commit(s->core, sidecar_now(w), &detail);
        s->busy_until = w->now + s->commit_delay;
    }
    if (code == 0 && !s->dying && sidecar_ends_here(w))
        code = E_JOURNAL;
    if (s->dying || (code != 0 && code != E_JOURNAL_FULL && code != E_JOURNAL_AWAY)) {
        sidecar_crash(w);
        return;
    }
    if (crowded(w) && engine_counts(core_engine(s->core)).live > live)
        world_fail(w, EXIT_SAFETY, "bounds", "a saga began while memory was nearly used up", 0);
    ask_to_stop(w);
    oracle_state(w);
    if (draw(w, DISK, 8) == 0) {
        bool more;
        code = core_maintain(s->core, sidecar_now(w), &more, &detail);
        if (code != 0 && code != STORE_PENDING) {
            sidecar_crash(w); /* it was refused memory */
            return;
        }
    }
    plan_next(w);
    await(w);
}

static void plan_turn(struct world *w, int64_t at)
{
    struct sidecar *s = &w->sidecar;
    if (at >= s->turn_at)
        return;
    s->turn_at = at;
    agenda_add(w, at, turn, (void *)(uintptr_t)++s->turn_number);
}

void sidecar_plan(struct world *w, int64_t at)
{
    struct sidecar *s = &w->sidecar;
    if (at < w->now)
        at = w->now;
    if (at < s->wanted_at)
        s->wanted_at = at;
    /* A stall: the process is not given the processor, whatever arrives meanwhile. */
    if (at >= s->stalled_until && at < s->turn_at && strikes(w, FAULT_STALL))
        s->stalled_until = at + draw_between(w, SCHEDULE, 10 * MS, 3 * SECOND);
    plan_turn(w, at > s->stalled_until ? at : s->stalled_until);
}

void sidecar_take(struct world *w, const struct incoming *in)
{
    struct sidecar *s = &w->sidecar;
    if (!s->up)
        return;
    struct incoming *copy = world_take(w, sizeof *copy);
    *copy = *in;
    copy->next = NULL;
    *(s->last != NULL ? &s->last->next : &s->first) = copy;
    s->last = copy;
    sidecar_plan(w, w->now);
}

/* ---- its life ---- */

struct engine_options sidecar_engine_options(const struct world *w, uint64_t tag)
{
    return (struct engine_options){
        .live_sagas_max = w->swarm.live_sagas_max,
        .steps_max = SIM_STEPS_MAX,
        .payload_bytes_max = PAYLOAD_MAX,
        .targets_max = TARGET_COUNT,
        .enlisted_deadline_default = SPAN_S(60),
        .enlisted_lease_default = SPAN_S(3),
        .pushback_max = SPAN_S(300),
        .deadline_max = SPAN_S(3600),
        .target_wait = {.us = w->swarm.target_wait},
        .recall = w->swarm.recall,
        .compensation_retry = {.max_attempts = 3,
                               .initial_backoff = SPAN_MS(50),
                               .max_backoff = SPAN_S(1),
                               .backoff_multiplier_permille = 2000,
                               .jitter_permille = 200},
        .seed = w->seed + tag,
        .tag = tag,
    };
}

static int take_definition(void *self, const struct definition_row *row)
{
    struct world *w = self;
    struct error_detail detail;
    struct definition *d = definition_copy(w->definitions[row->number - 1]);
    const struct retry_defaults *kept = retries_find(w->sidecar.retries, row->number);
    if (kept == NULL || !retry_policy_equal(&kept->action, &d->retry.action) ||
        !retry_policy_equal(&kept->compensation, &d->retry.compensation))
        world_fail(w, EXIT_SAFETY, "subject", "the journal does not keep a definition's retry policies", row->number);
    d->number = row->number;
    CHECK(bytes_equal(d->source, row->source));
    return catalog_add(w->sidecar.catalog, d, row->registered_at, &detail);
}

static int register_definitions(struct world *w)
{
    struct error_detail detail;
    for (unsigned i = 0; i < w->definition_count; i++) {
        struct definition *d = definition_copy(w->definitions[i]);
        int code = core_register(w->sidecar.core, d, sidecar_now(w), 0, &detail);
        if (code != 0) {
            definition_destroy(d);
            return code;
        }
    }
    return core_commit(w->sidecar.core, sidecar_now(w), &detail);
}

/* A new process reads the wall clock anew; it never starts behind what the journal holds. */
static void set_clock(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    if (strikes(w, FAULT_CLOCK_JUMP)) {
        s->offset += draw_between(w, FAULTS, -60 * SECOND, 60 * SECOND);
        w->last_jump = w->now;
    }
    if (w->now + s->offset < w->last_record_at) {
        s->offset = w->last_record_at - w->now;
        w->last_jump = w->now;
    }
    s->last_now = w->now + s->offset;
}

/* How many live sagas have a deadline that has passed. */
static unsigned overdue(struct world *w)
{
    const struct engine *e = core_engine(w->sidecar.core);
    unsigned count = 0;
    for (const struct saga *s = engine_after(e, 0); s != NULL; s = engine_after(e, s->id.serial))
        count += instant_before(s->deadline, sidecar_now(w));
    return count;
}

/* Now and then a life begins with a drill. */
static void begin_drill(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    s->drill_count = w->swarm.drills && !w->healed ? (unsigned)draw(w, BULK, 3) : 0;
    for (unsigned i = 0; i < s->drill_count; i++) {
        struct drill_rule *r = &s->drill[i];
        static const uint8_t statuses[] = {14, 8, 9, 2, 4};
        *r = (struct drill_rule){.kind = (uint8_t)(1 + draw(w, BULK, DRILL_KIND_COUNT - 1)), .permille = 400};
        if (draw(w, BULK, 3) > 0)
            snprintf(r->target, sizeof r->target, "t%u", (unsigned)draw(w, BULK, TARGET_COUNT));
        if (draw(w, BULK, 3) == 0)
            snprintf(r->definition, sizeof r->definition, "def-%u", (unsigned)draw(w, BULK, 3));
        r->status = r->kind == DRILL_ABORT ? statuses[draw(w, BULK, sizeof statuses)] : 0;
        if (r->kind == DRILL_DELAY || r->kind == DRILL_REORDER)
            r->delay.us = (int64_t)draw(w, BULK, 300) * MS;
        r->until = instant_after(sidecar_now(w), (struct span){.us = (int64_t)draw(w, BULK, 5000) * MS});
    }
    core_set_drill(s->core, s->drill, s->drill_count);
}

void sidecar_start(struct world *w, void *arg)
{
    struct sidecar *s = &w->sidecar;
    struct error_detail detail;
    (void)arg;
    if (s->up)
        return;
    s->incarnation++;
    w->forgetting = NULL; /* nobody heard whether it is */
    s->failures_before = s->memory_failures;
    memset(s->backs, 0, sizeof s->backs);
    memset(s->left_count, 0, sizeof s->left_count);
    memset(s->firsts, 0, sizeof s->firsts);
    memset(s->again, 0, sizeof s->again);
    memset(s->paid, 0, sizeof s->paid);
    memset(s->down_since, 0, sizeof s->down_since);
    s->dying = s->holding = s->fenced = false;
    s->crash_in = strikes(w, FAULT_CRASH_IN_RECOVERY) ? (int)draw(w, FAULTS, 6) : -1;
    s->turn_at = s->wanted_at = INT64_MAX;
    s->busy_until = s->stalled_until = w->now;
    s->drained_at = s->look_by = s->late_at = 0;
    struct store_state state = disk_reopen(w);
    s->epoch = state.epoch;
    s->began_at_frame = state.last_frame;
    set_clock(w);
    if (state.oldest_live_frame > 1)
        mark(w, MARK_CASE, CASE_RECOVERY_SKIPS);
    oracle_replay(w, "before recovery");
    oracle_ready_anew(w);
    memset(s->was_down, 0, sizeof s->was_down);

    struct target_options targets[TARGET_COUNT];
    struct definition_bound limits[DEFINITIONS_MAX];
    size_t count = 0;
    for (unsigned i = 0; i < w->definition_count; i++)
        limits[i] = (struct definition_bound){w->definitions[i]->name, w->swarm.limit};
    for (unsigned i = 0; i < TARGET_COUNT; i++) {
        s->calls_out[i] = 0;
        /* A target that sagad.yaml no longer names is moved to the end, as another name, so that the others keep their
         * index. */
        s->target_gone[i] = w->disk.definition_count > 0 && i == TARGET_COUNT - 1 && strikes(w, FAULT_TARGET_GONE);
        s->ever_gone[i] |= s->target_gone[i];
        s->was_gone[i] = s->target_gone[i];
        s->was_down[i] = s->target_gone[i]; /* what waits for it knows of no budget */
        if (!s->target_gone[i])
            targets[count++] = target_options(w, i);
    }
    oracle_breaker_start(w, s->last_now);
    s->began_at = s->last_now;
    memset(s->starts_count, 0, sizeof s->starts_count);
    uint64_t tag =
        (draw(w, SHAPES, UINT64_C(1) << 32) << 16 | s->incarnation) & ((UINT64_C(1) << SAGA_ID_TAG_BITS) - 1);
    struct core_options options = {
        .engine = sidecar_engine_options(w, tag),
        .targets = targets,
        .target_count = count,
        .limits = limits,
        .limit_count = w->definition_count,
        .commit_bytes_max = w->swarm.commit_bytes_max,
        .frame_bytes_max = w->swarm.frame_bytes_max,
        .retention = {.us = w->swarm.retention},
        .audit_retention = {.us = 2 * w->swarm.retention},
        .move_after = w->swarm.move_after,
    };
    sealed_start(w, &state);
    struct core_world outside = {.durable = durable, .reply = reply, .call = call, .crowded = crowded, .self = w};
    struct memory memory = sidecar_memory(w);
    CHECK(catalog_create(DEFINITIONS_MAX, &s->catalog) == 0);
    CHECK(retries_recover(&w->disk.store, &s->retries, &detail) == 0);
    CHECK(w->disk.store.scan_definitions(&w->disk.store, take_definition, w, &detail) == 0);
    retries_destroy(s->retries);
    int code = slis_open(w, &memory, &detail);
    options.slis = s->slis;
    if (code == 0)
        code = core_open(&options, &memory, s->store, &state, s->catalog, &outside, sidecar_now(w), &s->core, &detail);
    if (code != 0 && code != E_MEMORY)
        world_fail(w, EXIT_SAFETY, "recovery", detail.text, (uint64_t)-code);
    s->up = true;
    if (code != 0) {
        s->core = NULL;
        slis_destroy(s->slis);
        s->slis = NULL; /* a start that was refused leaves nothing, and is tried again */
        sidecar_crash(w);
        return;
    }
    begin_drill(w);
    const struct bulk_options bulks = {.core = s->core, .memory = &memory, .loops = 1, .audit = bulk_audit, .self = w};
    code = bulks_create(&bulks, &s->bulks);
    if (code == 0)
        code = bulks_recover(s->bulks, s->store, &detail);
    if (code == 0)
        code = rules_open(w, &memory, &detail);
    if (code != 0) {
        if (code != E_MEMORY)
            world_fail(w, EXIT_SAFETY, "recovery", detail.text, (uint64_t)-code);
        sidecar_crash(w);
        return;
    }
    trace(w, "started", 0, s->incarnation, s->offset, (int64_t)state.last_frame);
    if (core_resuming(s->core))
        mark(w, MARK_CASE, CASE_RESUMED_LATER);
    if (overdue(w) >= OVERDUE_CROWD)
        mark(w, MARK_CASE, CASE_OVERDUE_CROWD);
    oracle_recovered(w);
    if (w->disk.definition_count == 0 && (code = register_definitions(w)) != 0) {
        CHECK(code == E_MEMORY || code == E_BYTES || code == E_JOURNAL || code == E_JOURNAL_FULL ||
              code == E_JOURNAL_AWAY || code == E_JOURNAL_FENCED);
        sidecar_crash(w);
        return;
    }
    plan_next(w);
}

void sidecar_stop(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    if (!s->up)
        return;
    rules_close(w);
    bulks_destroy(s->bulks);
    s->bulks = NULL;
    core_close(s->core);
    slis_destroy(s->slis);
    s->slis = NULL;
    s->store->close(s->store);
    s->store = NULL;
    catalog_destroy(s->catalog);
    s->core = NULL;
    s->catalog = NULL;
    s->up = false;
    if (s->memory_used != 0)
        world_fail(w, EXIT_SAFETY, "memory", "the core kept memory after its end", s->memory_used);
}

void sidecar_crash(struct world *w)
{
    struct sidecar *s = &w->sidecar;
    trace(w, "crash", 0, s->incarnation, s->let_out, w->disk.fate);
    if (s->core != NULL && core_resuming(s->core) && core_durable(s->core) > s->began_at_frame)
        mark(w, MARK_CASE, CASE_RESUMED_HALF);
    w->totals->crashes++;
    sidecar_stop(w);
    s->first = s->last = NULL;
    s->turn_number++;
    /* What it let out left when the commit had taken its time; it did not end before that. Now and then it is away for so long that much is
     * overdue when it starts again. */
    bool long_away = !w->healed && draw(w, FAULTS, 16) == 0;
    agenda_add(w, w->now + s->commit_delay + draw_between(w, FAULTS, MS, long_away ? 60 * SECOND : 3 * SECOND),
               sidecar_start, NULL);
}
