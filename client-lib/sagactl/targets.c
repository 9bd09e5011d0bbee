/* targets.c - a target, added up. */
#include "client-lib/sagactl/targets.h"

#include "client-lib/sagactl/story.h"
#include "client-lib/sagactl/times.h"

#include <string.h>

#define FIELD    256
#define SENTENCE 1024

void recent_all_add(struct recent_all *all, const Saga__V1__Recent *m)
{
    if (m == NULL || m->count == 0)
        return;
    uint64_t count = all->count + m->count;
    all->mean.us =
        (int64_t)(((double)all->mean.us * (double)all->count + (double)times_span_of(m->mean).us * (double)m->count) /
                  (double)count);
    if (times_span_of(m->most).us > all->most.us)
        all->most = times_span_of(m->most);
    all->count = count;
    all->refused += m->refused;
    all->failed += m->failed;
}

static void add_one(struct target_all *all, const Saga__V1__TargetStatus *t)
{
    struct instant success = times_of(t->last_success), failure = times_of(t->last_failure);
    all->first = all->first == NULL ? t : all->first;
    all->away = t->unreachable ? t : all->away;
    /* OPEN before HALF_OPEN before CLOSED. */
    static const int rank[] = {0, 1, 3, 2};
    if (t->breaker != NULL && (unsigned)t->breaker->state < 4 &&
        (all->breaker == NULL || rank[t->breaker->state] > rank[all->breaker->state]))
        all->breaker = t->breaker;
    all->calls += t->calls;
    all->calls_max += t->calls_max;
    all->rate += t->rate_limit_per_second;
    all->pending_max += t->max_pending_calls;
    all->waiting += t->waiting;
    all->undos += t->waiting_undos;
    all->retries += t->waiting_retries;
    all->budget_percent = t->retry_budget_percent;
    all->retries_left += t->retries_left;
    if (times_span_of(t->waiting_for).us > all->longest.us)
        all->longest = times_span_of(t->waiting_for);
    if (t->quickest != NULL && (all->quickest.us == 0 || times_span_of(t->quickest).us < all->quickest.us))
        all->quickest = times_span_of(t->quickest);
    recent_all_add(&all->recent, t->recent);
    if (success.us != INSTANT_NEVER.us &&
        (all->success.us == INSTANT_NEVER.us || instant_before(all->success, success)))
        all->success = success;
    if (failure.us != INSTANT_NEVER.us &&
        (all->failed_last == NULL || instant_before(times_of(all->failed_last->last_failure), failure)))
        all->failed_last = t;
}

struct target_all targets_add(const Saga__V1__StatusResponse *m, const char *name)
{
    struct target_all all = {.success = INSTANT_NEVER};
    for (size_t k = 0; k < m->n_loops; k++)
        for (size_t i = 0; i < m->loops[k]->n_targets; i++)
            if (strcmp(m->loops[k]->targets[i]->name, name) == 0)
                add_one(&all, m->loops[k]->targets[i]);
    return all;
}

/* ---- one target on the screen ---- */

static void put(const struct screen *s, enum paint paint, const char *name, const char *text)
{
    screen_put(s, PAINT_DIM, "  %-10s", name);
    screen_wrap(s, paint, text, 13, 12);
}

static void put_recent(const struct screen *s, const struct recent_all *r)
{
    char text[SENTENCE], mean[TIMES_TEXT_SIZE], most[TIMES_TEXT_SIZE];
    if (r->count == 0) {
        put(s, PAINT_NONE, "5 minutes", "no attempt has ended");
        return;
    }
    snprintf(text, sizeof text, "%llu attempt%s ended: %.3g %% failed, %.3g %% were refused; %s on average, %s at most",
             (unsigned long long)r->count, r->count == 1 ? "" : "s", 100.0 * (double)r->failed / (double)r->count,
             100.0 * (double)r->refused / (double)r->count, times_write_span(r->mean, mean),
             times_write_span(r->most, most));
    put(s, r->failed > 0 ? PAINT_WARN : PAINT_NONE, "5 minutes", text);
}

static void put_last(const struct screen *s, const struct target_all *all)
{
    char text[SENTENCE], said[SENTENCE / 2], span[TIMES_TEXT_SIZE];
    if (all->success.us == INSTANT_NEVER.us)
        put(s, PAINT_NONE, "succeeded", "never since the sidecar's start");
    else {
        snprintf(text, sizeof text, "%s ago", times_write_span(instant_since(s->now, all->success), span));
        put(s, PAINT_NONE, "succeeded", text);
    }
    if (all->failed_last == NULL)
        return;
    story_answer(s, all->failed_last->last_failure_status, all->failed_last->last_failure_message, said, sizeof said);
    snprintf(text, sizeof text, "%s ago: %s",
             times_write_span(instant_since(s->now, times_of(all->failed_last->last_failure)), span), said);
    put(s, PAINT_BAD, "failed", text);
}

static void put_breaker(const struct screen *s, const char *target, const Saga__V1__Breaker *b)
{
    char text[SENTENCE], name[FIELD], span[TIMES_TEXT_SIZE], since[TIMES_TEXT_SIZE + 16] = "";
    if (b != NULL && b->opened_at != NULL)
        snprintf(since, sizeof since, " since %s ago",
                 times_write_span(instant_since(s->now, times_of(b->opened_at)), span));
    if (b == NULL || b->state == SAGA__V1__BREAKER_STATE__BREAKER_STATE_CLOSED) {
        put(s, PAINT_NONE, "breaker", "closed");
        return;
    }
    if (b->held)
        snprintf(text, sizeof text, "held open%s by an operator: sagactl breaker reset %s lets go", since,
                 screen_clean(s, target, name, sizeof name));
    else if (b->state == SAGA__V1__BREAKER_STATE__BREAKER_STATE_HALF_OPEN)
        snprintf(text, sizeof text, "half-open%s: few calls leave; of %u that came back %u failed, %u were slow", since,
                 b->calls, b->failed, b->slow);
    else
        snprintf(text, sizeof text, "open%s, for %s more; opened %u time%s in a row", since,
                 times_write_span(instant_since(times_of(b->open_until), s->now), span), b->openings,
                 b->openings == 1 ? "" : "s");
    put(s, PAINT_BAD, "breaker", text);
}

/* Who waits, for how long, and what lets them go. */
static void put_waiting(const struct screen *s, const struct target_all *all)
{
    char text[SENTENCE], span[TIMES_TEXT_SIZE];
    if (all->waiting > 0) {
        snprintf(text, sizeof text, "%llu undo%s and %llu action%s wait%s, the first for %s",
                 (unsigned long long)all->undos, all->undos == 1 ? "" : "s",
                 (unsigned long long)(all->waiting - all->undos), all->waiting - all->undos == 1 ? "" : "s",
                 all->waiting == 1 ? "s" : "", times_write_span(all->longest, span));
        put(s, PAINT_WARN, "waiting", text);
    }
    if (all->budget_percent > 0) {
        snprintf(text, sizeof text, "%u retries for a hundred first attempts; %.1f may leave now, %llu wait",
                 (unsigned)all->budget_percent, all->retries_left, (unsigned long long)all->retries);
        put(s, all->retries > 0 ? PAINT_WARN : PAINT_NONE, "budget", text);
    }
    if (all->quickest.us > 0) {
        snprintf(text, sizeof text, "after %s at the soonest, lately: what has less time left does not leave",
                 times_write_span(all->quickest, span));
        put(s, PAINT_NONE, "answers", text);
    }
}

void targets_put(const struct screen *s, const Saga__V1__StatusResponse *m, const char *name)
{
    const struct target_all all = targets_add(m, name);
    char clean[FIELD], address[600], text[SENTENCE], span[TIMES_TEXT_SIZE];
    screen_clean(s, name, clean, sizeof clean);
    if (all.first == NULL) {
        screen_put(s, PAINT_STRONG, "target %s\n", clean);
        put(s, PAINT_BAD, "is", "not configured: name it in sagad.yaml, and sagactl reload");
        return;
    }
    screen_put(s, PAINT_STRONG, "target %s at %s, to all sagas\n", clean,
               screen_clean(s, all.first->address, address, sizeof address));
    if (all.away != NULL) {
        snprintf(text, sizeof text, "not to be reached for %s: calls wait for it",
                 times_write_span(times_span_of(all.away->unreachable_for), span));
        put(s, PAINT_BAD, "is", text);
    } else {
        put(s, PAINT_GOOD, "is", all.recent.count > 0 ? "reached" : "not known to be away");
    }
    char rate[64] = "", pending[64] = "";
    if (all.rate > 0)
        snprintf(rate, sizeof rate, "; at most %llu leave in a second", (unsigned long long)all.rate);
    if (all.pending_max > 0)
        snprintf(pending, sizeof pending, " of %llu that may", (unsigned long long)all.pending_max);
    snprintf(text, sizeof text, "%llu of %llu places taken, %llu wait%s%s", (unsigned long long)all.calls,
             (unsigned long long)all.calls_max, (unsigned long long)all.waiting, pending, rate);
    put(s, all.waiting > 0 ? PAINT_WARN : PAINT_NONE, "calls", text);
    put_waiting(s, &all);
    put_breaker(s, name, all.breaker);
    put_recent(s, &all.recent);
    put_last(s, &all);
}
