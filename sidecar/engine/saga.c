/* saga.c - reading a saga. */
#include "sidecar/engine/saga.h"

#include "compensations/barrier.h"
#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

unsigned saga_first_of(const struct saga *s, unsigned spec)
{
    unsigned i = s->places == NULL ? spec : 0;
    while (i < s->step_count && saga_spec_index(s, i) != spec)
        i++;
    return i;
}

/* The instance that belongs to this one, of the step that stands n places from its own in the definition. */
static unsigned beside(const struct saga *s, unsigned step, int n)
{
    if (s->places == NULL)
        return (unsigned)((int)step + n);
    int instance = s->places[step].instance;
    return saga_first_of(s, (unsigned)(s->places[step].step + n)) + (instance < 0 ? 0 : (unsigned)instance);
}

unsigned saga_stood_in_for(const struct saga *s, unsigned step)
{
    CHECK(saga_spec(s, step)->stand_in != STAND_IN_NONE);
    return beside(s, step, -1);
}

unsigned saga_last_good_of(const struct saga *s, unsigned step)
{
    while (saga_spec(s, step)->has_fallback) {
        step = beside(s, step, 1);
        if (saga_spec(s, step)->stand_in == STAND_IN_LAST_GOOD)
            return step;
    }
    return RECORD_NO_STEP;
}

unsigned saga_output_of(const struct saga *s, unsigned step)
{
    while (s->steps[step].action != SAGA_ACTION_DONE) {
        if (s->definition == NULL || !saga_spec(s, step)->has_fallback)
            return RECORD_NO_STEP;
        step = beside(s, step, 1);
    }
    return step;
}

struct instant saga_step_as_of(const struct saga *s, unsigned step)
{
    unsigned gives = saga_output_of(s, step);
    bool last_good = gives != RECORD_NO_STEP && saga_spec(s, gives)->stand_in == STAND_IN_LAST_GOOD;
    return last_good ? s->steps[gives].given_at : (struct instant){0};
}

uint8_t saga_step_lacks(const struct saga *s, unsigned step)
{
    const struct step_spec *spec = s->definition == NULL ? NULL : saga_spec(s, step);
    uint8_t action = s->steps[step].action;
    if (spec == NULL || spec->stand_in != STAND_IN_NONE || action == SAGA_ACTION_DONE || action == SAGA_ACTION_SKIPPED)
        return 0;
    bool failed = action == SAGA_ACTION_REJECTED || action == SAGA_ACTION_UNKNOWN;
    if (!failed || !step_spec_yields(spec))
        return s->answered && spec->deferred ? LACK_DEFERRED : 0;
    unsigned last = step, gives = saga_output_of(s, step);
    while (saga_spec(s, last)->has_fallback)
        last = beside(s, last, 1);
    if (gives != RECORD_NO_STEP)
        return saga_step_as_of(s, step).us != 0 && !DEFECT(STALE_NOT_TOLD) ? LACK_STALE : LACK_FALLBACK;
    return !saga_step_over(s, last) ? 0 : s->steps[last].action == SAGA_ACTION_SKIPPED ? 0 : LACK_MISSING;
}

uint8_t saga_lacks(const struct saga *s)
{
    uint8_t lacks = 0;
    /* What was undone, or is over because somebody said so, lacks nothing. */
    if (saga_ended(s) && s->state != SAGA_COMMITTED)
        return 0;
    for (unsigned i = 0; i < s->step_count && s->definition != NULL; i++)
        lacks |= saga_step_lacks(s, i);
    return lacks;
}

bool saga_stand_in_needed(const struct saga *s, unsigned step)
{
    uint8_t action = s->steps[saga_stood_in_for(s, step)].action;
    return action == SAGA_ACTION_REJECTED || action == SAGA_ACTION_UNKNOWN;
}

struct bytes saga_step_name(const struct saga *s, unsigned step)
{
    if (s->names != NULL)
        return s->names[step];
    if (s->definition != NULL)
        return bytes_of_text(s->definition->steps[step].name);
    return bytes_of(s->steps[step].enlisted->name, s->steps[step].enlisted->name_size);
}

const struct call_spec *saga_step_call(const struct saga *s, unsigned step, uint8_t phase)
{
    if (s->definition == NULL) {
        const struct call_spec *call = &s->steps[step].enlisted->call;
        return phase == SAGA_PHASE_COMPENSATION && call->target != NULL ? call : NULL;
    }
    const struct step_spec *spec = saga_spec(s, step);
    if (phase == SAGA_PHASE_COMPENSATION && !spec->has_compensation)
        return NULL;
    if (spec->choice_count == 0)
        return phase == SAGA_PHASE_ACTION ? &spec->action : &spec->compensation;
    const struct step *own = &s->steps[step];
    unsigned choice = own->choice != 0 ? own->choice : own->choosing;
    if (choice != 0 && !(DEFECT(UNDO_GOES_ELSEWHERE) && phase == SAGA_PHASE_COMPENSATION)) {
        CHECK(choice <= spec->choice_count);
        const struct call_choice *chosen = &spec->choices[choice - 1];
        return phase == SAGA_PHASE_ACTION ? &chosen->action : &chosen->compensation;
    }
    return phase == SAGA_PHASE_ACTION ? &spec->action : &spec->compensation;
}

int saga_step_find(const struct saga *s, struct bytes name)
{
    for (unsigned i = 0; i < s->step_count; i++)
        if (bytes_equal(saga_step_name(s, i), name))
            return (int)i;
    return -1;
}

bool saga_step_has_compensation(const struct saga *s, unsigned step)
{
    return saga_step_call(s, step, SAGA_PHASE_COMPENSATION) != NULL;
}

/* Whether any instance of the pivot is so. */
static bool any_pivot(const struct saga *s, bool (*is)(const struct step *step, bool undoable))
{
    if (s->definition == NULL || s->definition->pivot_step < 0)
        return false;
    unsigned pivot = (unsigned)s->definition->pivot_step;
    bool undoable = s->definition->steps[pivot].has_compensation;
    for (unsigned i = saga_first_of(s, pivot); i < s->step_count && saga_spec_index(s, i) == pivot; i++)
        if (is(&s->steps[i], undoable))
            return true;
    return false;
}

static bool is_done(const struct step *pivot, bool undoable)
{
    (void)undoable;
    return pivot->action == SAGA_ACTION_DONE || pivot->action == SAGA_ACTION_SKIPPED;
}

static bool is_begun(const struct step *pivot, bool undoable)
{
    (void)undoable;
    if (DEFECT(RETRIED_PIVOT_FORGOTTEN))
        return pivot->action != SAGA_ACTION_PENDING && pivot->action != SAGA_ACTION_REJECTED;
    return pivot->maybe_executed || (pivot->action != SAGA_ACTION_PENDING && pivot->action != SAGA_ACTION_REJECTED);
}

static bool is_awaited(const struct step *pivot, bool undoable)
{
    if (DEFECT(RETRIED_PIVOT_FORGOTTEN))
        return pivot->permitted;
    return pivot->permitted || (pivot->action == SAGA_ACTION_PENDING && pivot->maybe_executed) ||
           (pivot->action == SAGA_ACTION_STARTED && pivot->maybe_executed && !undoable);
}

struct instant saga_step_deadline(const struct saga *s, unsigned step)
{
    if (s->definition == NULL || !s->definition->reserves || s->deadline.us == INSTANT_NEVER.us ||
        DEFECT(RESERVE_IGNORED))
        return s->deadline;
    return (struct instant){.us = s->deadline.us - saga_spec(s, step)->reserve.us};
}

bool saga_past_pivot(const struct saga *s)
{
    return (s->definition != NULL && s->definition->forward_only) || any_pivot(s, is_done);
}

bool saga_at_pivot(const struct saga *s)
{
    return (s->definition != NULL && s->definition->forward_only) || any_pivot(s, is_begun);
}

bool saga_pivot_awaited(const struct saga *s)
{
    return any_pivot(s, is_awaited);
}

int saga_pivot_unknown(const struct saga *s, unsigned except)
{
    if (s->definition == NULL || s->definition->pivot_step < 0)
        return -1;
    unsigned pivot = (unsigned)s->definition->pivot_step;
    if (s->definition->steps[pivot].has_compensation)
        return -1;
    for (unsigned i = saga_first_of(s, pivot); i < s->step_count && saga_spec_index(s, i) == pivot; i++)
        if (i != except && s->steps[i].action == SAGA_ACTION_UNKNOWN)
            return (int)i;
    return -1;
}

bool saga_call_is_out(const struct saga *s, uint8_t phase)
{
    for (unsigned i = 0; i < s->step_count; i++)
        if (s->steps[i].permitted && (s->steps[i].action == SAGA_ACTION_STARTED) == (phase == SAGA_PHASE_ACTION))
            return true;
    return false;
}

bool saga_undone_by_dependency(const struct saga *s)
{
    return s->definition != NULL && s->definition->order == ORDER_DEPENDENCY;
}

bool saga_undoing(const struct saga *s)
{
    return s->state == SAGA_COMPENSATING ||
           (s->state == SAGA_STUCK && s->stuck_from == SAGA_COMPENSATING && saga_undone_by_dependency(s));
}

bool saga_step_waits(const struct saga *s, unsigned step)
{
    const struct step *t = &s->steps[step];
    if (t->permitted || t->next_at.us == INSTANT_NEVER.us)
        return false;
    if (t->compensation == SAGA_COMPENSATION_STARTED)
        return saga_undoing(s) || saga_step_undone_early(s, step);
    return s->state == SAGA_RUNNING && t->action == SAGA_ACTION_STARTED && s->definition != NULL;
}

static bool yields(const struct saga *s, unsigned step)
{
    return s->definition != NULL && step_spec_yields(saga_spec(s, step));
}

bool saga_failed_step_over(const struct saga *s, unsigned step)
{
    return yields(s, step) && (!saga_undo_open(s->steps[step].compensation) || DEFECT(OPTIONAL_IS_NOT_UNDONE));
}

bool saga_unknown_step_undone_early(const struct saga *s, unsigned step)
{
    return s->state == SAGA_RUNNING && yields(s, step);
}

bool saga_step_stuck(const struct saga *s, unsigned step)
{
    const struct step *t = &s->steps[step];
    if (s->state != SAGA_STUCK)
        return false;
    /* What came of an action that is passed over, or stood in for, is in nobody's way; its undo may be. */
    if (s->stuck_from == SAGA_COMPENSATING || yields(s, step))
        return t->compensation == SAGA_COMPENSATION_FAILED;
    /* Before the pivot, an action that failed while the saga was stuck on something else turns it back afterwards. */
    bool decides =
        saga_past_pivot(s) || s->definition->pivot_step == (int)saga_spec_index(s, step) || s->stuck_step == step;
    return decides && (t->action == SAGA_ACTION_REJECTED || t->action == SAGA_ACTION_UNKNOWN);
}

bool saga_step_must_be_made(const struct saga *s, unsigned step)
{
    const struct step *t = &s->steps[step];
    if (t->permitted)
        return false;
    if (saga_undoing(s) || saga_step_undone_early(s, step))
        return t->compensation == SAGA_COMPENSATION_OWED || t->compensation == SAGA_COMPENSATION_STARTED;
    return s->state == SAGA_RUNNING && saga_past_pivot(s) &&
           (t->action == SAGA_ACTION_PENDING || t->action == SAGA_ACTION_STARTED);
}

void saga_check_step(const struct saga *s, unsigned index)
{
    const struct step *step = &s->steps[index];
    CHECK(step->saga == s);
    CHECK(step->action >= SAGA_ACTION_PENDING && step->action <= SAGA_ACTION_SKIPPED);
    CHECK(step->compensation >= SAGA_COMPENSATION_NONE && step->compensation <= SAGA_COMPENSATION_SKIPPED);
    CHECK((step->enlisted != NULL) == (s->mode == SAGA_ENLISTED));
    CHECK(step->order <= s->order_last);
    CHECK(step->order > 0 || step->action == SAGA_ACTION_PENDING);
    CHECK(step->output.size == 0 || step->output.at != NULL);
    CHECK(step->maybe_executed || step->action != SAGA_ACTION_UNKNOWN);
    CHECK(step->compensation == SAGA_COMPENSATION_NONE || step->action != SAGA_ACTION_STARTED);
    CHECK(!step->permitted || step->action == SAGA_ACTION_STARTED || step->compensation == SAGA_COMPENSATION_STARTED);
    CHECK(step->permitted || !step->on_wire);
    CHECK(step->on_wire || !step->placed);
    CHECK(!step->queued || !step->permitted);
}

void saga_check(const struct saga *s)
{
    CHECK(s->id.serial != 0);
    CHECK(s->state >= SAGA_RUNNING && s->state <= SAGA_RESOLVED);
    CHECK((s->mode == SAGA_ORCHESTRATED) == (s->definition != NULL));
    CHECK(s->definition == NULL || s->places != NULL || s->step_count == s->definition->step_count);
    CHECK((s->places != NULL) == (s->definition != NULL && s->definition->loop_count > 0));
    CHECK(s->step_count <= s->step_room && s->step_room <= STEPS_LIMIT);
    CHECK((s->steps != NULL) == (s->step_room > 0));
    CHECK((s->state == SAGA_STUCK) == (s->stuck_reason != REASON_NONE) || saga_ended(s));
    CHECK(s->state != SAGA_STUCK || s->stuck_from == SAGA_RUNNING || s->stuck_from == SAGA_COMPENSATING);
    CHECK(s->state != SAGA_RUNNING || s->reason == REASON_NONE);
    CHECK((s->state != SAGA_COMPENSATING && s->state != SAGA_COMPENSATED) || s->reason != REASON_NONE);
    CHECK(!s->paused || !saga_ended(s));
    CHECK(s->lease_until.us == INSTANT_NEVER.us || s->mode == SAGA_ENLISTED);
    for (unsigned i = 0; i < s->step_count; i++)
        saga_check_step(s, i);
}
