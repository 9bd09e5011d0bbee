/* status.c - how one loop is, for an operator who asks. */
#include "sidecar/runtime/status.h"

#include "sidecar/api/view.h"
#include "sidecar/core/holds.h"
#include "sidecar/engine/saga.h"
#include "sidecar/engine/target.h"
#include "sidecar/journal/codec.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/lately.h"
#include "sidecar/runtime/release.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/sidecar_inside.h"
#include "sidecar/runtime/synthetics.h"

static bool add_drift(const struct loop *s, unsigned target, struct arena *a, Saga__V1__TargetStatus *t)
{
    const struct drift_target *found = drift_of(s, target);
    if (found == NULL)
        return true;
    t->schema_breaks = found->breaks;
    return (t->schema_compared_at = view_time(a, found->at)) != NULL;
}

static bool add_breaker(struct arena *a, Saga__V1__TargetStatus *t, const struct breaker *b, struct instant now)
{
    Saga__V1__Breaker *m = t->breaker = arena_take(a, sizeof *m);
    enum breaker_state state = breaker_state(b, now);
    const struct breaker_counts *counts = b->mark.open ? &b->probed : &b->window;
    if (m == NULL)
        return false;
    saga__v1__breaker__init(m);
    m->state = (Saga__V1__BreakerState)state;
    m->held = b->mark.held;
    m->openings = b->mark.openings;
    m->calls = counts->calls;
    m->failed = counts->failed;
    m->slow = counts->slow;
    if (state != BREAKER_CLOSED && b->mark.opened_at.us != 0 &&
        (m->opened_at = view_time(a, b->mark.opened_at)) == NULL)
        return false;
    return state != BREAKER_OPEN || b->mark.held || (m->open_until = view_time(a, b->mark.open_until)) != NULL;
}

/* As many as there can be. */
static bool add_targets(struct loop *s, struct arena *a, Saga__V1__LoopStatus *m)
{
    const struct engine *e = core_engine(s->core);
    struct instant now = clock_now(&s->clock);
    m->targets = arena_take(a, (s->target_count + 1) * sizeof(*m->targets));
    if (m->targets == NULL)
        return false;
    for (unsigned i = 0; i < s->target_count; i++) {
        const struct loop_target *own = &s->targets[i];
        Saga__V1__TargetStatus *t = own->rpc == NULL ? NULL : arena_take(a, sizeof *t);
        if (own->rpc == NULL)
            continue;
        if (t == NULL)
            return false;
        saga__v1__target_status__init(t);
        const struct target *target = engine_target(e, (uint16_t)i);
        t->name = own->shared->name;
        t->address = (char *)(uintptr_t)own->address;
        t->calls = target->places_taken;
        t->calls_max = target_places(target);
        t->waiting = target->waiting;
        t->deferred = target->deferred;
        t->rate_limit_per_second = target->rate.per_second;
        t->max_pending_calls = target->pending_max;
        t->waiting_undos = target->queues[CLASS_UNDO].count + target->queues[CLASS_RETRY_UNDO].count;
        t->waiting_retries = target->queues[CLASS_RETRY].count + target->queues[CLASS_RETRY_UNDO].count;
        t->retry_budget_percent = target->budget.options.percent;
        t->retries_left = t->retry_budget_percent == 0 ? 0 : (double)budget_left(&target->budget, now) / 1000;
        struct span quickest = pace_least(&target->pace, now);
        if ((target->waiting > 0 && (t->waiting_for = view_span(a, target_longest(target, now))) == NULL) ||
            (quickest.us > 0 && (t->quickest = view_span(a, quickest)) == NULL))
            return false;
        t->unreachable = own->down_since.us != 0;
        if (t->unreachable && (t->unreachable_for = view_span(a, instant_since(now, own->down_since))) == NULL)
            return false;
        if (!lately_fill_target(s, own, a, t) || !add_drift(s, i, a, t) || !add_breaker(a, t, &target->breaker, now))
            return false;
        m->targets[m->n_targets++] = t;
    }
    return true;
}

/* The definitions that are bounded. */
static bool add_limits(struct loop *s, struct arena *a, Saga__V1__LoopStatus *m)
{
    const struct engine *e = core_engine(s->core);
    const struct admission *admission;
    const char *name;
    uint32_t count = 0;
    for (uint32_t i = 0; (admission = engine_family(e, i, &name)) != NULL; i++)
        count += admission_bounds(admission);
    m->definition_limits = arena_take(a, (count + 1) * sizeof(*m->definition_limits));
    if (m->definition_limits == NULL)
        return false;
    for (uint32_t i = 0; (admission = engine_family(e, i, &name)) != NULL; i++) {
        Saga__V1__DefinitionLimit *limit = admission_bounds(admission) ? arena_take(a, sizeof *limit) : NULL;
        if (!admission_bounds(admission))
            continue;
        if (limit == NULL)
            return false;
        saga__v1__definition_limit__init(limit);
        limit->definition = (char *)(uintptr_t)name;
        limit->live = admission->live;
        limit->live_max = admission->options.live_max;
        limit->starts_per_second = admission->options.starts.per_second;
        m->definition_limits[m->n_definition_limits++] = limit;
    }
    return true;
}

/* Sets when the oldest of what the journal keeps was written, when that can be told at once. */
static bool add_since(struct loop *s, struct arena *a, Saga__V1__LoopStatus *m)
{
    struct bytes records;
    struct error_detail detail;
    uint64_t first = s->store->first_frame == NULL ? 0 : s->store->first_frame(s->store);
    if (first == 0 || core_read_frame(s->core, first, &records, &detail) != 0)
        return true;
    return (m->journal_since = view_time(a, codec_time(records))) != NULL;
}

static bool add_holds(const struct loop *s, struct arena *a, Saga__V1__LoopStatus *m)
{
    m->holds = arena_take(a, HOLDS_MAX * sizeof(*m->holds));
    for (unsigned i = 0; m->holds != NULL && i < HOLDS_MAX; i++)
        if (holds_at(core_holds(s->core), i) != NULL)
            m->holds[m->n_holds++] = (Saga__V1__Hold *)(uintptr_t)holds_at(core_holds(s->core), i);
    return m->holds != NULL;
}

/* Sagas that are looked at for dead letters, and definitions that are told. */
#define LETTERS_LOOK_MAX 5000
#define LETTERS_MAX      64

static Saga__V1__DeadLetters *letters_of(struct arena *a, Saga__V1__LoopStatus *m, const struct saga *saga)
{
    for (size_t i = 0; i < m->n_dead_letters; i++)
        if (bytes_equal(bytes_of_text(m->dead_letters[i]->definition), saga->name))
            return m->dead_letters[i];
    Saga__V1__DeadLetters *letters = m->n_dead_letters == LETTERS_MAX ? NULL : arena_take(a, sizeof *letters);
    if (letters == NULL)
        return NULL;
    saga__v1__dead_letters__init(letters);
    letters->definition = arena_text(a, saga->name);
    letters->oldest = view_time(a, saga->started_at);
    if (letters->definition == NULL || letters->oldest == NULL)
        return NULL;
    return m->dead_letters[m->n_dead_letters++] = letters;
}

static bool add_letters(const struct loop *s, struct arena *a, Saga__V1__LoopStatus *m)
{
    const struct engine *e = core_engine(s->core);
    const struct saga *saga = m->stuck == 0 ? NULL : engine_after(e, 0);
    m->dead_letters = arena_take(a, LETTERS_MAX * sizeof(*m->dead_letters));
    for (unsigned i = 0; m->dead_letters != NULL && saga != NULL && i < LETTERS_LOOK_MAX;
         i++, saga = engine_after(e, saga->id.serial)) {
        Saga__V1__DeadLetters *letters = saga->state == SAGA_STUCK && !saga->synthetic ? letters_of(a, m, saga) : NULL;
        if (letters != NULL)
            letters->count++;
    }
    return m->dead_letters != NULL;
}

bool status_fill(void *self, struct arena *a, Saga__V1__LoopStatus *m)
{
    struct loop *s = self;
    const struct engine *e = core_engine(s->core);
    struct saga_counts counts = engine_counts_real(e);
    const struct saga *oldest = counters_oldest_live(s);
    m->version = (char *)(uintptr_t)sagad_version;
    m->loop = s->index;
    m->journal = (char *)(uintptr_t)(s->sidecar->adopted == NULL ? "" : s->sidecar->adopted->journal);
    m->live = counts.live;
    m->stuck = counts.stuck;
    m->paused = counts.paused;
    m->answered = counts.answered;
    m->compensating = counts.compensating;
    m->synthetics_live = engine_counts(e).synthetic.live;
    m->synthetics_stuck = engine_counts(e).synthetic.stuck;
    m->calls = engine_counts(e).calls;
    m->calls_waiting = engine_counts(e).waiting;
    m->definitions = catalog_count(s->catalog);
    m->journal_bytes = (uint64_t)counters_journal_bytes(s);
    m->journal_bytes_max = s->config->journal_bytes_max;
    m->volume_free_bytes = (uint64_t)counters_volume_free(s);
    m->journal_reusable_bytes = counters_journal_reusable(s);
    m->journal_full = s->told_full != 0;
    m->journal_stalled = core_stalled(s->core) != 0;
    int64_t expires = s->sidecar->certificates == NULL ? 0 : certificates_not_after(s->sidecar->certificates);
    if (expires != 0 && (m->certificate_expires = view_time(a, (struct instant){.us = expires * 1000000})) == NULL)
        return false;
    if (oldest != NULL && (m->oldest_live = view_time(a, oldest->started_at)) == NULL)
        return false;
    return add_since(s, a, m) && add_targets(s, a, m) && add_limits(s, a, m) && lately_fill(s, a, m) &&
           synthetics_fill(s, a, m) && add_holds(s, a, m) && add_letters(s, a, m);
}
