/* oracle_state.c - what the core holds in memory, held against the journal (I8), against what is really under way (I9),
 * and against its bounds (I10). */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"
#include "sidecar/core/heap.h"

#include <stdlib.h>

static void expect(struct world *w, bool holds, const char *invariant, const char *what, uint64_t saga)
{
    if (!holds)
        world_fail(w, EXIT_SAFETY, invariant, what, saga);
}

/* ---- I8 ---- */

static bool same_call(const struct call_spec *a, const struct call_spec *b)
{
    return (a->target == NULL) == (b->target == NULL) &&
           (a->target == NULL ||
            (strcmp(a->target, b->target) == 0 && strcmp(a->method, b->method) == 0 && a->timeout.us == b->timeout.us &&
             retry_policy_equal(&a->retry, &b->retry) && bytes_equal(a->constant, b->constant)));
}

static bool same_step(const struct saga *x, const struct saga *y, unsigned step)
{
    const struct step *a = &x->steps[step], *b = &y->steps[step];
    bool same = bytes_equal(a->output, b->output) && a->next_at.us == b->next_at.us && a->order == b->order &&
                a->action_attempts == b->action_attempts && a->compensation_attempts == b->compensation_attempts &&
                a->action == b->action && a->compensation == b->compensation && a->generation == b->generation &&
                a->choice == b->choice && a->first_at.us == b->first_at.us && a->maybe_executed == b->maybe_executed &&
                a->output_is_request == b->output_is_request && a->permitted == b->permitted &&
                a->given_at.us == b->given_at.us;
    if (x->mode == SAGA_ENLISTED)
        same = same && bytes_equal(saga_step_name(x, step), saga_step_name(y, step)) &&
               same_call(&a->enlisted->call, &b->enlisted->call);
    return same;
}

static void compare(struct world *w, const struct saga *a, const struct saga *b, const char *when)
{
    bool same = saga_id_equal(a->id, b->id) && (a->definition == NULL) == (b->definition == NULL) &&
                (a->definition == NULL || a->definition->number == b->definition->number) &&
                bytes_equal(a->name, b->name) && bytes_equal(a->request_id, b->request_id) &&
                bytes_equal(a->input, b->input) && bytes_equal(a->traceparent, b->traceparent) &&
                bytes_equal(a->tags, b->tags) && bytes_equal(a->owner, b->owner) && a->fingerprint == b->fingerprint &&
                a->started_at.us == b->started_at.us && a->ended_at.us == b->ended_at.us &&
                a->deadline.us == b->deadline.us && a->quiet_at.us == b->quiet_at.us && a->lease.us == b->lease.us &&
                a->state == b->state && a->stuck_from == b->stuck_from && a->mode == b->mode &&
                a->reason == b->reason && a->stuck_reason == b->stuck_reason && a->paused == b->paused &&
                a->synthetic == b->synthetic && a->reason_step == b->reason_step && a->stuck_step == b->stuck_step &&
                a->step_count == b->step_count && a->order_last == b->order_last && a->answered == b->answered &&
                bytes_equal(a->answer, b->answer);
    for (unsigned i = 0; same && i < a->step_count; i++)
        same = same_step(a, b, i);
    expect(w, same, "I8", when, a->id.serial);
}

/* Every saga of one engine is in the other, and the same. */
static void compare_all(struct world *w, const struct engine *x, const struct engine *y, const char *when)
{
    const struct saga *a = engine_after(x, 0), *b = engine_after(y, 0);
    while (a != NULL || b != NULL) {
        expect(w, a != NULL && b != NULL, "I8", "a live saga is missing", a != NULL ? a->id.serial : b->id.serial);
        compare(w, a, b, when);
        a = engine_after(x, a->id.serial);
        b = engine_after(y, b->id.serial);
    }
    struct engine_counts p = engine_counts(x), q = engine_counts(y);
    expect(w,
           p.live == q.live && p.stuck == q.stuck && p.paused == q.paused &&
               memcmp(&p.synthetic, &q.synthetic, sizeof p.synthetic) == 0,
           "I8", "the counts differ", 0);
}

/* ---- I9 and I10 ---- */

static bool call_under_way(const struct world *w, const struct model *m, unsigned step)
{
    for (const struct attempt *a = m->attempts; a != NULL; a = a->next)
        if (a->step == step && a->incarnation == w->sidecar.incarnation)
            for (const struct incoming *in = w->sidecar.first;; in = in->next) {
                if (!a->ended || (in != NULL && in->attempt == a))
                    return true;
                if (in == NULL)
                    break;
            }
    return false;
}

/* Each attempt that waits for its backoff alone has a timer that goes off when that is over, or before. */
static void check_timer(struct world *w, const struct saga *s, const struct step *step)
{
    bool forward = s->state == SAGA_RUNNING, back = saga_undoing(s) && !saga_call_is_out(s, SAGA_PHASE_ACTION);
    bool action = forward && step->action == SAGA_ACTION_STARTED;
    bool undo = (forward || back) && step->compensation == SAGA_COMPENSATION_STARTED;
    if (s->paused || step->permitted || step->queued || !(action || undo))
        return;
    struct instant due = undo ? instant_max(step->next_at, s->quiet_at) : step->next_at;
    expect(w, s->timer.slot != 0 && s->timer.due.us <= due.us, "policy",
           "an attempt leaves later than its backoff says", s->id.serial);
}

static void check_not_forgotten(struct world *w, const struct saga *s)
{
    struct model *m = oracle_model(w, s->id);
    bool waits = s->paused || s->state == SAGA_STUCK;
    expect(w, s->state != SAGA_STUCK || saga_step_stuck(s, s->stuck_step), "states",
           "a saga is said to be stuck on a step that is not", s->id.serial);
    for (unsigned i = 0; i < s->step_count; i++) {
        const struct step *step = &s->steps[i];
        if (step->on_wire)
            expect(w, call_under_way(w, m, i), "I9", "a call is held to be out that nobody will answer", s->id.serial);
        if (!step->queued)
            m->steps[i].haste_seen = m->steps[i].haste_count = 0;
        if (step->queued) {
            oracle_pending(w, s, i);
            oracle_haste(w, s, i);
            const struct call_spec *call = saga_step_call(
                s, i, step->compensation == SAGA_COMPENSATION_NONE ? SAGA_PHASE_ACTION : SAGA_PHASE_COMPENSATION);
            const struct engine *e = core_engine(w->sidecar.core);
            bool gone = w->sidecar.target_gone[call->target[1] - '0'];
            bool down = !gone && engine_target_down(e, (uint16_t)call->target_index);
            bool open = !gone && !down &&
                        oracle_breaker_waits(w, (unsigned)(call->target[1] - '0'), core_expiry(w->sidecar.core).us);
            mark(w, MARK_CASE, gone ? CASE_HELD : down ? CASE_AWAITED : open ? CASE_BREAKER_WAITED : CASE_QUEUED);
            expect(w, gone || open || (down ? w->sidecar.backs[call->target_index] > 0 : engine_counts(e).calls > 0),
                   "I9", "a step waits for a target that nothing will free", s->id.serial);
        }
        check_timer(w, s, step);
        waits |= step->on_wire || step->queued;
    }
    if (s->timer.slot != 0) {
        expect(w, core_expiry(w->sidecar.core).us <= s->timer.due.us, "I9", "a timer lies behind the one that is first",
               s->id.serial);
        waits = true;
    }
    if (s->state == SAGA_COMPENSATING && s->timer.slot != 0 && s->timer.due.us == s->quiet_at.us)
        mark(w, MARK_CASE, CASE_QUIET_WAIT);
    expect(w, waits, "I9", "a saga waits for nothing", s->id.serial);
}

void oracle_state(struct world *w)
{
    const struct core *c = w->sidecar.core;
    if (core_pending(c))
        return;
    const struct engine *e = core_engine(c);
    compare_all(w, e, w->shadow, "what is in memory is not what the journal tells");
    oracle_breaker_state(w);
    holds_state(w);
    answers_state(w);
    struct engine_counts counts = engine_counts(e);
    uint32_t synthetic = 0;
    for (const struct saga *s = engine_after(e, 0); s != NULL; s = engine_after(e, s->id.serial))
        synthetic += oracle_model(w, s->id)->client->synthetic;
    expect(w, counts.synthetic.live == synthetic, "counts", "heartbeats are not counted as they are", synthetic);
    expect(w, counts.live <= w->swarm.live_sagas_max, "I10", "more live sagas than live_sagas_max", counts.live);
    /* A sidecar that stops leaves what would come next to its next life. */
    for (const struct saga *s = engine_after(e, 0); s != NULL && !w->sidecar.holding;
         s = engine_after(e, s->id.serial)) {
        check_not_forgotten(w, s);
        expect(w, engine_before(e, s->id.serial + 1) == s && engine_after(e, s->id.serial - 1) == s, "I8",
               "a saga is not found beside its serial", s->id.serial);
    }
}

/* ---- recovery ---- */

struct replay {
    struct world *world;
    struct engine *engine;
};

static int replay_frame(void *self, uint64_t frame, struct bytes records)
{
    struct replay *replay = self;
    struct world *w = replay->world;
    struct error_detail detail;
    records = sealed_plain(w, frame, records);
    while (records.size > 0) {
        struct record r;
        uint64_t previous;
        expect(w, codec_decode(&records, &r, &previous, &detail) == 0, "I8", "a record on the disk cannot be read",
               frame);
        const struct definition *d = r.definition == 0 ? NULL : w->definitions[r.definition - 1];
        if (engine_replay(replay->engine, &r, d, &detail) != 0)
            world_fail(w, EXIT_SAFETY, "I8", detail.text, r.saga.serial);
        if (r.type == RECORD_ENDED)
            engine_release(replay->engine, r.saga.serial);
    }
    return 0;
}

/* Replays the whole disk from nothing and compares. Only while nothing was dropped from its front. */
void oracle_replay(struct world *w, const char *when)
{
    struct engine *fresh;
    struct error_detail detail;
    if (w->disk.first_frame > 1 || w->disk.frame_count > 400)
        return;
    struct engine_options options = sidecar_engine_options(w, 1);
    options.live_sagas_max = SERIAL_MAX;
    CHECK(engine_create(&options, &heap, &fresh) == 0);
    struct replay replay = {.world = w, .engine = fresh};
    w->disk.store.scan(&w->disk.store, 1, replay_frame, &replay, &detail);
    compare_all(w, fresh, w->shadow, when);
    engine_destroy(fresh);
}

/* After recovery: every saga that the disk holds and that has not ended lives, and those that ended can be found. */
void oracle_recovered(struct world *w)
{
    const struct engine *e = core_engine(w->sidecar.core);
    for (uint64_t serial = 1; serial <= w->serial_max; serial++) {
        const struct model *m = &w->models[serial];
        oracle_heard(&w->models[serial], sidecar_now(w).us); /* leases start anew */
        bool over = m->state == SAGA_COMMITTED || m->state == SAGA_COMPENSATED || m->state == SAGA_RESOLVED;
        const struct saga *s = engine_find(e, serial);
        expect(w, over ? s == NULL || saga_ended(s) || s->position > w->disk.frame_count : s != NULL, "I5",
               "a saga that the disk holds is missing after recovery", serial);
        if (over && !m->dropped) {
            const struct ended_row *row = disk_ended(w, serial);
            expect(w, row != NULL && row->state == m->state && saga_id_equal(row->saga, m->id), "I5",
                   "a saga that has ended cannot be found", serial);
        }
        for (unsigned i = 0; !over && i < m->step_count; i++)
            if (m->steps[i].action_attempt != 0 || m->steps[i].compensation_attempt != 0)
                mark(w, MARK_CASE, CASE_CALL_LOST);
    }
}
