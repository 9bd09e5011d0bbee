/* target.c - bulkheads. */
#include "sidecar/engine/target.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

bool target_busy(const struct target *t)
{
    return t->places_taken >= t->places || t->first != NULL;
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

void target_queue(struct target *t, struct step *step)
{
    CHECK(!step->queued && !step->placed);
    step->queued = true;
    step->queue_next = NULL;
    step->queue_previous = t->last;
    *(t->last != NULL ? &t->last->queue_next : &t->first) = step;
    t->last = step;
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

void target_check(const struct target *t)
{
    CHECK(t->name != NULL);
    CHECK(t->places > 0);
    CHECK(t->places_taken <= t->places || DEFECT(BULKHEAD_IGNORED));
    CHECK((t->first == NULL) == (t->waiting == 0));
    CHECK((t->last == NULL) == (t->waiting == 0));
    if (t->waiting == 0)
        return;
    CHECK(t->first->queued && t->first->queue_previous == NULL);
    CHECK(t->last->queued && t->last->queue_next == NULL);
    CHECK(t->waiting > 1 || t->first == t->last);
}
