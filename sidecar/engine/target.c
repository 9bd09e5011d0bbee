/* target.c - bulkheads. */
#include "sidecar/engine/target.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

bool target_busy(const struct target *t)
{
    return t->down || t->places_taken >= t->places || (t->first != NULL && !DEFECT(BULKHEAD_OVERTAKEN));
}

void target_enter(struct target *t, struct step *step)
{
    CHECK(!step->placed && !step->queued);
    CHECK(t->places_taken < t->places || DEFECT(BULKHEAD_IGNORED));
    t->places_taken++;
    step->placed = true;
}

void target_leave(struct target *t, struct step *step)
{
    CHECK(step->placed && t->places_taken > 0);
    t->places_taken--;
    step->placed = false;
}

/* Behind whom the step goes: those whose calls came back are before all others, and no more than there are places. */
static struct step *place_in_queue(const struct target *t, const struct step *step)
{
    if (t->last == NULL || t->last->ticket < step->ticket)
        return t->last;
    struct step *next = t->first;
    while (next->ticket < step->ticket)
        next = next->queue_next;
    return next->queue_previous;
}

void target_queue(struct target *t, struct step *step, struct instant now)
{
    CHECK(!step->queued && !step->placed);
    if (step->ticket == 0)
        step->ticket = ++t->tickets;
    if (step->queued_at.us == 0)
        step->queued_at = now;
    struct step *previous = place_in_queue(t, step);
    struct step *next = previous == NULL ? t->first : previous->queue_next;
    step->queued = true;
    step->queue_previous = previous;
    step->queue_next = next;
    *(previous != NULL ? &previous->queue_next : &t->first) = step;
    *(next != NULL ? &next->queue_previous : &t->last) = step;
    t->waiting++;
    target_check(t);
}

void target_unqueue(struct target *t, struct step *step)
{
    CHECK(step->queued && t->waiting > 0);
    CHECK(step->queue_previous != NULL ? step->queue_previous->queue_next == step : t->first == step);
    CHECK(step->queue_next != NULL ? step->queue_next->queue_previous == step : t->last == step);
    *(step->queue_previous != NULL ? &step->queue_previous->queue_next : &t->first) = step->queue_next;
    *(step->queue_next != NULL ? &step->queue_next->queue_previous : &t->last) = step->queue_previous;
    step->queued = false;
    t->waiting--;
    target_check(t);
}

void target_forget(struct step *step)
{
    step->ticket = 0;
    step->queued_at = (struct instant){0};
}

struct span target_waited(const struct target *t, const struct step *step, struct instant now)
{
    return step->queued_at.us == 0 ? (struct span){0} : instant_since(now, instant_max(step->queued_at, t->down_since));
}

void target_check(const struct target *t)
{
    CHECK((t->name == NULL) == t->absent);
    CHECK(t->absent ? t->places == 0 : t->places > 0);
    CHECK(t->places_taken <= t->places || DEFECT(BULKHEAD_IGNORED));
    CHECK((t->first == NULL) == (t->waiting == 0));
    CHECK((t->last == NULL) == (t->waiting == 0));
    if (t->waiting == 0)
        return;
    CHECK(t->first->queued && t->first->queue_previous == NULL);
    CHECK(t->last->queued && t->last->queue_next == NULL);
    CHECK(t->waiting > 1 || t->first == t->last);
    CHECK(t->waiting == 1 || t->first->ticket < t->last->ticket);
}
