/* target.c - bulkheads, and who waits for them. */
#include "sidecar/engine/target.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"

#include <stddef.h>

/* Of the room that those who wait have left, one key may fill so many times as much: alone eight ninths of all, of two floods each eight seventeenths. */
#define SHARE_OF_FREE UINT64_C(8)

bool target_admits(const struct target *t, struct instant now, struct instant *again)
{
    return breaker_admits(&t->breaker, now, again) && t->places_taken < target_places(t) &&
           rate_admits(&t->rate, now, again);
}

static bool is_retry(enum target_class class)
{
    return class == CLASS_RETRY || class == CLASS_RETRY_UNDO;
}

bool target_busy(struct target *t, enum target_class class, struct instant now)
{
    struct instant again;
    if (t->down || !target_admits(t, now, &again))
        return true;
    if (is_retry(class) && !budget_admits(&t->budget, now, class == CLASS_RETRY_UNDO, &again))
        return true;
    return t->waiting > 0 && target_first(t, now, &again) != NULL && !DEFECT(BULKHEAD_OVERTAKEN);
}

void target_enter(struct target *t, struct step *step, enum target_class class, struct instant now)
{
    CHECK(!step->placed && !step->queued);
    CHECK(t->places_taken < t->places || DEFECT(BULKHEAD_IGNORED));
    t->places_taken++;
    breaker_leave(&t->breaker, now);
    rate_take(&t->rate, now);
    if (t->budget.options.percent > 0)
        budget_leave(&t->budget, is_retry(class));
    step->class = (uint8_t) class;
    step->left_at = now;
    step->placed = true;
}

bool target_leave(struct target *t, struct step *step, struct instant now, enum breaker_outcome outcome)
{
    CHECK(step->placed && t->places_taken > 0);
    if (outcome != BREAKER_NOTHING)
        limit_return(&t->limit, step->left_at, now, t->places_taken, outcome == BREAKER_FAILED);
    t->places_taken--;
    step->placed = false;
    if (outcome == BREAKER_ANSWERED && is_retry((enum target_class)step->class))
        budget_pay_back(&t->budget);
    return breaker_return(&t->breaker, step->left_at, now, outcome);
}

static struct target_queue *queue_of(struct target *t, const struct step *step)
{
    return &t->queues[step->class];
}

/* Behind whom the step goes: those whose calls came back are before all others, and no more than there are places. */
static struct step *place_in_queue(const struct target_queue *q, const struct step *step)
{
    if (q->last == NULL || q->last->turn.ticket < step->turn.ticket)
        return q->last;
    struct step *next = q->first;
    while (next->turn.ticket < step->turn.ticket)
        next = next->queue_next;
    return next->queue_previous;
}

static void add_hasty(struct target *t, struct step *step)
{
    if (!step->hasty)
        return;
    step->hasty_previous = NULL;
    step->hasty_next = t->hasty;
    if (t->hasty != NULL)
        t->hasty->hasty_previous = step;
    t->hasty = step;
}

static void remove_hasty(struct target *t, struct step *step)
{
    if (!step->hasty)
        return;
    CHECK(step->hasty_previous != NULL ? step->hasty_previous->hasty_next == step : t->hasty == step);
    *(step->hasty_previous != NULL ? &step->hasty_previous->hasty_next : &t->hasty) = step->hasty_next;
    if (step->hasty_next != NULL)
        step->hasty_next->hasty_previous = step->hasty_previous;
    step->hasty = false;
}

static struct fair_queue *lane_of(struct target *t, enum target_class class)
{
    static const enum target_lane lanes[CLASS_COUNT] = {[CLASS_UNDO] = LANE_UNDO,
                                                        [CLASS_PATIENT] = LANE_ACTION,
                                                        [CLASS_BOUNDED] = LANE_ACTION,
                                                        [CLASS_RETRY_UNDO] = LANE_UNDO_RETRY,
                                                        [CLASS_RETRY] = LANE_RETRY};
    return &t->lanes[lanes[class]];
}

bool target_crowded(const struct target *t, struct target_key key)
{
    if (t->pending_max == 0 || DEFECT(TOO_MANY_WAIT))
        return false;
    uint64_t free =
        t->pending_max > t->queues[CLASS_BOUNDED].count ? t->pending_max - t->queues[CLASS_BOUNDED].count : 0;
    return fair_count(t->keys, &t->lanes[LANE_ACTION], key.band, key.key) >= SHARE_OF_FREE * free;
}

void target_queue(struct target *t, struct step *step, enum target_class class, struct target_key key,
                  struct instant now)
{
    CHECK(!step->queued && !step->placed);
    if (step->turn.ticket == 0)
        step->turn.ticket = ++t->tickets;
    if (step->queued_at.us == 0)
        step->queued_at = now;
    step->class = (uint8_t) class;
    struct target_queue *q = queue_of(t, step);
    struct step *previous = place_in_queue(q, step);
    struct step *next = previous == NULL ? q->first : previous->queue_next;
    step->queued = true;
    step->queue_previous = previous;
    step->queue_next = next;
    *(previous != NULL ? &previous->queue_next : &q->first) = step;
    *(next != NULL ? &next->queue_previous : &q->last) = step;
    add_hasty(t, step);
    t->deferred += step->deferred;
    fair_add(t->keys, lane_of(t, class), key.band, key.key, &step->turn);
    t->waiting++;
    q->count++;
    target_check(t);
}

void target_unqueue(struct target *t, struct step *step)
{
    struct target_queue *q = queue_of(t, step);
    CHECK(step->queued && t->waiting > 0);
    CHECK(step->queue_previous != NULL ? step->queue_previous->queue_next == step : q->first == step);
    CHECK(step->queue_next != NULL ? step->queue_next->queue_previous == step : q->last == step);
    *(step->queue_previous != NULL ? &step->queue_previous->queue_next : &q->first) = step->queue_next;
    *(step->queue_next != NULL ? &step->queue_next->queue_previous : &q->last) = step->queue_previous;
    step->queued = false;
    remove_hasty(t, step);
    t->deferred -= step->deferred;
    fair_remove(t->keys, &step->turn);
    t->waiting--;
    q->count--;
    target_check(t);
}

/* Whose turn it is of a kind's two lanes: those that are retries, as far as the budget says, and those that are not. */
static struct step *first_of(struct target *t, bool undo, struct instant now, struct instant *again)
{
    struct fair_item *first = fair_first(&t->lanes[undo ? LANE_UNDO : LANE_ACTION]);
    struct fair_item *retry = fair_first(&t->lanes[undo ? LANE_UNDO_RETRY : LANE_RETRY]);
    if (retry != NULL && !budget_admits(&t->budget, now, undo, again))
        retry = NULL;
    if (retry == NULL || (first != NULL && t->retried[undo]))
        retry = first;
    return retry == NULL ? NULL : (struct step *)(void *)((char *)retry - offsetof(struct step, turn));
}

struct step *target_first(struct target *t, struct instant now, struct instant *again)
{
    struct instant later = INSTANT_NEVER;
    *again = INSTANT_NEVER;
    struct step *undo = first_of(t, true, now, again);
    if (undo != NULL && !DEFECT(UNDO_WAITS_BEHIND))
        return undo;
    struct step *action = first_of(t, false, now, &later);
    *again = instant_min(*again, later);
    return action != NULL ? action : undo;
}

void target_take_turn(struct target *t, struct step *step)
{
    enum target_class class = (enum target_class)step->class;
    t->retried[class == CLASS_UNDO || class == CLASS_RETRY_UNDO] = is_retry(class);
    fair_take(&step->turn);
}

void target_forget(struct step *step)
{
    step->turn.ticket = 0;
    step->queued_at = (struct instant){0};
}

struct span target_longest(const struct target *t, struct instant now)
{
    struct instant first = now;
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        if (t->queues[i].first != NULL)
            first = instant_min(first, t->queues[i].first->queued_at);
    return instant_since(now, first);
}

struct span target_waited(const struct target *t, const struct step *step, struct instant now)
{
    return step->queued_at.us == 0 ? (struct span){0} : instant_since(now, instant_max(step->queued_at, t->down_since));
}

struct instant target_down_due(const struct target *t, const struct step *step, struct span wait)
{
    return instant_after(instant_max(step->queued_at, t->down_since), wait);
}

static void check_queue(const struct target_queue *q)
{
    CHECK((q->first == NULL) == (q->last == NULL) && (q->first == NULL) == (q->count == 0));
    if (q->first == NULL)
        return;
    CHECK(q->first->queued && q->first->queue_previous == NULL);
    CHECK(q->last->queued && q->last->queue_next == NULL);
    CHECK(q->first->class == q->last->class);
    CHECK(q->first == q->last || (q->first->queue_next != NULL && q->first->turn.ticket < q->last->turn.ticket));
}

void target_check(const struct target *t)
{
    CHECK(t->name != NULL || t->places == 0);
    CHECK(t->places_taken <= t->places || t->places_taken <= t->places_kept || DEFECT(BULKHEAD_IGNORED));
    breaker_check(&t->breaker);
    limit_check(&t->limit);
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        check_queue(&t->queues[i]);
    for (unsigned i = 0; i < LANE_COUNT; i++)
        fair_check(&t->lanes[i]);
    uint32_t waiting = 0;
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        waiting += t->queues[i].count;
    CHECK(waiting == t->waiting);
    CHECK(t->deferred <= t->waiting);
    CHECK(t->hasty == NULL || (t->hasty->hasty && t->hasty->queued && t->hasty->hasty_previous == NULL));
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        CHECK(t->waiting != 1 || t->queues[i].first == t->queues[i].last);
}
