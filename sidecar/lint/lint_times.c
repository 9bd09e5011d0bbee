/* lint_times.c - whether the time that a saga is given is enough for what it may have to do. */
#include "sidecar/lint/lint_inside.h"

#include "sidecar/definition/quantity.h"

#include <string.h>

#define LONG_ATTEMPT SPAN_S(300)

struct span lint_waits(const struct retry_policy *retry)
{
    int64_t all = 0, delay = retry->initial_backoff.us;
    for (unsigned i = 1; i < retry->max_attempts; i++) {
        int64_t late = delay + delay / 1000 * retry->jitter_permille;
        all += late < retry->max_backoff.us ? late : retry->max_backoff.us;
        delay = delay / 1000 * retry->backoff_multiplier_permille;
        delay = delay < retry->max_backoff.us ? delay : retry->max_backoff.us;
    }
    return (struct span){.us = all};
}

/* How many times a loop begins anew when it has as many items as it may; 1 of what is none. */
static int64_t rounds(const struct step_spec *s)
{
    return s->loop ? (s->max_items + s->max_parallel - 1) / s->max_parallel : 1;
}

/* The longest that a step's action may take with all its attempts, and the waits between them. */
static int64_t worst(const struct lint *l, const struct step_spec *s)
{
    const struct retry_policy *retry = &s->action.retry;
    int64_t once = participants_timeout(l->participants, s, false).us * retry->max_attempts + lint_waits(retry).us;
    return once * rounds(s);
}

/* The longest ways to each step, itself included, and the step before it on that way. */
struct ways {
    int64_t us[STEPS_LIMIT];
    int before[STEPS_LIMIT];
};

static void measure(const struct lint *l, struct ways *w)
{
    const struct definition *d = l->d;
    struct step_set known = {{0}};
    for (unsigned n = 0; n < d->step_count; n++) {
        unsigned i = 0;
        while (step_set_has(&known, i) || !step_set_within(&d->steps[i].after, &known))
            i++;
        w->us[i] = step_spec_asks(&d->steps[i]) ? worst(l, &d->steps[i]) : 0;
        w->before[i] = -1;
        int64_t longest = 0;
        for (unsigned k = 0; k < d->step_count; k++)
            if (step_set_has(&d->steps[i].after, k) && w->us[k] > longest) {
                longest = w->us[k];
                w->before[i] = (int)k;
            }
        w->us[i] += longest;
        step_set_add(&known, i);
    }
}

/* "reserve, charge" */
static void write_way(const struct definition *d, const struct ways *w, int step, char *text, size_t size)
{
    if (step < 0)
        return;
    write_way(d, w, w->before[step], text, size);
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", d->steps[step].name);
}

/* A step with which a way ends, as far as the deadline goes: up to the pivot. */
static bool ends_way(const struct definition *d, unsigned step)
{
    if (d->pivot_step >= 0)
        return (int)step == d->pivot_step;
    for (unsigned i = 0; i < d->step_count; i++)
        if (step_set_has(&d->steps[i].after, step))
            return false;
    return true;
}

static void judge_ways(struct lint *l)
{
    struct ways w;
    measure(l, &w);
    for (unsigned i = 0; i < l->d->step_count; i++) {
        char way[112] = "", worst[QUANTITY_TEXT_SIZE];
        if (!ends_way(l->d, i) || w.us[i] <= l->d->deadline.us)
            continue;
        write_way(l->d, &w, (int)i, way, sizeof way);
        /* Whole seconds, upwards, of what is long. */
        int64_t us = w.us[i] > SPAN_S(10).us ? (w.us[i] + 999999) / 1000000 * 1000000 : w.us[i];
        quantity_write_span((struct span){.us = us}, worst);
        lint_found(l, LINT_RULE_DEADLINE_TOO_SHORT, yaml_node_child(l->root, "deadline"),
                   "%s may take %s with all attempts: more time, fewer attempts or shorter timeouts", way, worst);
    }
}

static void judge_attempt(struct lint *l, unsigned i, const struct call_spec *call, bool compensation)
{
    char text[QUANTITY_TEXT_SIZE];
    bool counted = !compensation && lint_before_pivot(l->d, i) && l->d->deadline.us != 0;
    quantity_write_span(call->timeout, text);
    if (counted && call->timeout.us > l->d->deadline.us)
        lint_found(l, LINT_RULE_TIMEOUT_BEYOND_DEADLINE, lint_said(l, i, compensation, "timeout"),
                   "%s is longer than the saga's deadline, which cuts the attempt off", text);
    if (counted && call->retry.max_attempts > 1 && call->retry.initial_backoff.us >= l->d->deadline.us)
        lint_found(l, LINT_RULE_BACKOFF_BEYOND_DEADLINE, lint_said(l, i, compensation, "retry"),
                   "waits as long as the saga's deadline before the second attempt, which so never comes");
    const struct yaml_node *timeout = lint_said(l, i, compensation, "timeout");
    bool told = compensation && timeout == lint_said(l, i, false, "timeout"); /* of the action, which has the same */
    if (call->timeout.us > LONG_ATTEMPT.us && !told)
        lint_found(l, LINT_RULE_TIMEOUT_LONG, timeout,
                   "%s is long for one attempt: when its connection is lost, an undo waits until then", text);
}

/* With one attempt each, which takes its whole time. */
static void judge_loop(struct lint *l, unsigned i)
{
    const struct step_spec *s = &l->d->steps[i];
    char text[QUANTITY_TEXT_SIZE];
    if (!s->loop || s->stand_in != STAND_IN_NONE || l->d->deadline.us == 0 || (int)i == l->d->pivot_step ||
        !lint_before_pivot(l->d, i))
        return;
    struct span all = {.us = participants_timeout(l->participants, s, false).us * rounds(s)};
    quantity_write_span(all, text);
    if (all.us > l->d->deadline.us)
        lint_found_key(l, LINT_RULE_LOOP_SLOW, yaml_node_child(l->steps[i], "for_each"),
                       "%u items, %u at once, may take %s, longer than the saga's deadline; raise max_parallel",
                       s->max_items, s->max_parallel, text);
}

void lint_times(struct lint *l)
{
    for (unsigned i = 0; i < l->d->step_count; i++)
        judge_loop(l, i);
    for (unsigned i = 0; i < l->d->step_count; i++) {
        if (step_spec_asks(&l->d->steps[i]))
            judge_attempt(l, i, &l->d->steps[i].action, false);
        if (l->d->steps[i].has_compensation)
            judge_attempt(l, i, &l->d->steps[i].compensation, true);
    }
    if (l->d->deadline.us != 0)
        judge_ways(l);
    else if (!l->d->forward_only)
        lint_found(l, LINT_RULE_DEADLINE_MISSING, l->root,
                   "without a deadline a saga may take as long as its attempts do; add one, as in deadline: 5m");
}
