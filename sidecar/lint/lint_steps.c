/* lint_steps.c - steps and their calls: undos that are missing or of no use, retries that do harm, an order that says too much or too little. */
#include "sidecar/lint/lint_inside.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/base/nearest.h"
#include "sidecar/definition/quantity.h"
#include "sidecar/definition/reader.h"

#include <string.h>

#define BIT(code) (1u << (code))
/* An action may have been executed although it ended so. */
#define EXECUTED (BIT(CODE_CANCELLED) | BIT(CODE_UNKNOWN) | BIT(CODE_INTERNAL) | BIT(CODE_DATA_LOSS))
/* Nothing was done. */
#define REFUSALS \
    (BIT(CODE_INVALID_ARGUMENT) | BIT(CODE_NOT_FOUND) | BIT(CODE_ALREADY_EXISTS) | BIT(CODE_PERMISSION_DENIED) | \
     BIT(CODE_FAILED_PRECONDITION) | BIT(CODE_OUT_OF_RANGE) | BIT(CODE_UNIMPLEMENTED) | BIT(CODE_UNAUTHENTICATED))
#define RETRIED_ANYWAY \
    (BIT(CODE_UNAVAILABLE) | BIT(CODE_DEADLINE_EXCEEDED) | BIT(CODE_RESOURCE_EXHAUSTED) | BIT(CODE_ABORTED))
/* What a participant's restart takes. */
#define PATIENCE SPAN_S(60)
/* Who has another way does not wait as long as this. */
#define FALLBACK_SOON SPAN_S(30)

static void judge_undo_there(struct lint *l, unsigned i)
{
    const struct step_spec *s = &l->d->steps[i];
    if (!s->has_compensation && !s->none_said && !s->pivot && lint_before_pivot(l->d, i))
        lint_found(l, LINT_RULE_UNDO_MISSING, l->steps[i],
                   "%s may have to be undone and has no compensation; name one, or write compensation: none", s->name);
    if (s->irreversible && s->has_compensation)
        lint_found_key(l, LINT_RULE_IRREVERSIBLE_UNDONE, lint_call(l, i, true),
                       "%s is said to be irreversible, so nothing can undo it; take one of the two away", s->name);
}

static void judge_undo(struct lint *l, unsigned i)
{
    const struct step_spec *s = &l->d->steps[i];
    const struct call_spec *undo = &s->compensation;
    if (!s->has_compensation)
        return;
    const struct yaml_node *n = lint_call(l, i, true), *request = lint_said(l, i, true, "request");
    char text[QUANTITY_TEXT_SIZE];
    if (strcmp(undo->method, s->action.method) == 0)
        lint_found(l, LINT_RULE_UNDO_IS_ACTION, n, "%s is the action itself; an undo is another method", undo->method);
    if (strcmp(undo->target, s->action.target) != 0)
        lint_found(l, LINT_RULE_UNDO_ELSEWHERE, n, "goes to %s, and the action to %s: can it know what was done there?",
                   undo->target, s->action.target);
    if (undo->source == REQUEST_OWN_OUTPUT)
        lint_found(l, LINT_RULE_UNDO_OWN_OUTPUT, request,
                   "is empty when nobody knows how the action ended: send what is known before it, as the input");
    if (undo->source == REQUEST_CONSTANT)
        lint_found(l, LINT_RULE_UNDO_CONSTANT, request, "is the same for every saga: how does %s know what to undo?",
                   undo->target);
    quantity_write_span(lint_waits(&undo->retry), text);
    if (undo->retry.max_attempts == 1)
        lint_found(l, LINT_RULE_UNDO_TRIED_ONCE, lint_said(l, i, true, "retry"),
                   "tries the undo once: the first hiccup makes a dead letter; raise maxAttempts");
    else if (lint_waits(&undo->retry).us < PATIENCE.us)
        lint_found(l, LINT_RULE_UNDO_GIVES_UP, lint_said(l, i, true, "retry"),
                   "gives up after waits of %s in all, and then a person is called; raise maxAttempts or maxBackoff",
                   text);
}

/* A fallback that is taken late, and not while the target is away. */
static void judge_fallback(struct lint *l, unsigned i)
{
    const struct step_spec *s = &l->d->steps[i];
    char text[QUANTITY_TEXT_SIZE];
    if (!s->has_fallback)
        return;
    struct span worst = lint_waits(&s->action.retry);
    worst.us += participants_timeout(l->participants, s, false).us * s->action.retry.max_attempts;
    quantity_write_span((struct span){.us = worst.us / 1000000 * 1000000}, text);
    if (!s->in_haste)
        lint_found(l, LINT_RULE_FALLBACK_WAITS, l->steps[i],
                   "while the target of %s takes no calls, the step waits, and does not take its fallback; add "
                   "unavailable: fallback",
                   s->name);
    if (worst.us > FALLBACK_SOON.us)
        lint_found(l, LINT_RULE_FALLBACK_LATE, lint_said(l, i, false, "retry"),
                   "%s may be tried for %s before its fallback is taken; fewer attempts, or a shorter timeout", s->name,
                   text);
}

/* An answer that was another saga's. */
static void judge_last_good(struct lint *l, unsigned i)
{
    const struct step_spec *s = &l->d->steps[i];
    unsigned k = i;
    while (l->d->steps[k].has_fallback && l->d->steps[k].stand_in != STAND_IN_LAST_GOOD)
        k++;
    const struct step_spec *good = &l->d->steps[k];
    if (good->stand_in != STAND_IN_LAST_GOOD || s->stand_in != STAND_IN_NONE)
        return;
    const struct yaml_node *n = yaml_node_child(l->steps[k], "last_good");
    if (s->has_compensation)
        lint_found_key(
            l, LINT_RULE_LAST_GOOD_DONE, n,
            "hands on what another saga's %s has done, and may have undone since: it is for answers that only "
            "tell something",
            s->name);
    if (good->kept_key != NULL && s->action.source != REQUEST_CONSTANT)
        lint_found(
            l, LINT_RULE_LAST_GOOD_KEYLESS, yaml_node_child(n, "key"),
            "is the same for every saga, and what %s is sent is not: an answer to another question would stand in",
            s->name);
}

static void judge_codes(struct lint *l, unsigned i)
{
    const struct call_spec *action = &l->d->steps[i].action;
    uint32_t codes = action->retry.retryable_status_codes;
    const struct yaml_node *n = lint_said(l, i, false, "retry");
    if (action->not_idempotent && action->retry.max_attempts > 1)
        lint_found(l, LINT_RULE_RETRY_NOT_IDEMPOTENT, n,
                   "tries up to %u times what may have been executed, and %s is said not to be idempotent: write "
                   "maxAttempts: 1",
                   action->retry.max_attempts, action->method);
    else if ((codes & EXECUTED) != 0 && action->retry.max_attempts > 1)
        lint_found(l, LINT_RULE_RETRY_EXECUTED, n,
                   "lists a status after which the action may have been executed: %s must take the second call for the "
                   "first (its idempotency-key)",
                   action->target);
    if ((codes & REFUSALS) != 0)
        lint_found(l, LINT_RULE_RETRY_REFUSAL, n,
                   "lists a definite refusal: what was refused once is refused again, and the saga waits meanwhile");
    if ((codes & RETRIED_ANYWAY) != 0)
        lint_found(l, LINT_RULE_RETRY_ANYWAY, n, "lists a status that is always tried again; leave it out");
    if (codes != 0 && action->retry.max_attempts == 1)
        lint_found(l, LINT_RULE_RETRY_UNUSED, n, "lists statuses to try again, but maxAttempts is 1");
}

static void judge_forward(struct lint *l, unsigned i)
{
    const struct definition *d = l->d;
    const struct step_spec *s = &d->steps[i];
    bool past = definition_step_forward_only(d, i);
    char text[QUANTITY_TEXT_SIZE];
    quantity_write_span(lint_waits(&s->action.retry), text);
    if (past && !s->has_fallback && lint_waits(&s->action.retry).us < PATIENCE.us)
        lint_found(l, LINT_RULE_FORWARD_GIVES_UP, lint_said(l, i, false, "retry"),
                   "gives up after waits of %s in all, but past the pivot there is no way back; raise maxAttempts or "
                   "maxBackoff",
                   text);
    if (!s->irreversible || past || s->pivot)
        return;
    if (d->pivot_step < 0)
        lint_found(l, LINT_RULE_PIVOT_MISPLACED, l->steps[i],
                   "%s is said to be irreversible, and no step is the pivot; write pivot: true here", s->name);
    else
        lint_found(l, LINT_RULE_PIVOT_MISPLACED, l->steps[i],
                   "%s is said to be irreversible, and the pivot %s comes after it: a saga could turn back in between",
                   s->name, d->steps[d->pivot_step].name);
}

/* Every target that a call may go to; where nobody knows which there are, any is one. */
static void judge_targets(struct lint *l, unsigned i, bool compensation)
{
    const struct participants *p = l->participants;
    const char *name, *names[64];
    for (unsigned k = 0; p->at != NULL && (name = step_spec_target(&l->d->steps[i], compensation, k)) != NULL; k++) {
        const struct yaml_node *n = lint_said(l, i, compensation, "target");
        if (participants_find(p, name) != NULL)
            continue;
        if (compensation && n == lint_said(l, i, false, "target"))
            return; /* said of the action already */
        unsigned count = 0;
        while (count < p->count && count < sizeof names / sizeof *names) {
            names[count] = p->at[count].name;
            count++;
        }
        const char *near = nearest_name(bytes_of_text(name), names, count);
        if (near != NULL)
            lint_found(l, LINT_RULE_TARGET_UNKNOWN, n, "%s is no target of the configuration; did you mean %s?", name,
                       near);
        else
            lint_found(l, LINT_RULE_TARGET_UNKNOWN, n, "%s is no target of the configuration", name);
        return;
    }
}

/* ---- the order of steps ---- */

static void judge_after(struct lint *l, unsigned i)
{
    const struct step_spec *s = &l->d->steps[i];
    const struct yaml_node *after = yaml_node_child(l->steps[i], "after");
    if (after == NULL || after->kind != YAML_SEQUENCE)
        return;
    for (const struct yaml_node *n = after->first; n != NULL; n = n->next) {
        int step = definition_step_find(l->d, n->text);
        for (unsigned k = 0; k < l->d->step_count; k++)
            if (step_set_has(&s->after, k) && step_set_has(&l->d->steps[k].ancestors, (unsigned)step) &&
                l->d->steps[k].stand_in == STAND_IN_NONE) {
                lint_found(l, LINT_RULE_AFTER_REDUNDANT, n, "says nothing new: %s waits for %s already",
                           l->d->steps[k].name, l->d->steps[step].name);
                break;
            }
    }
}

/* One step that waits for nobody among others that all wait for somebody: was it forgotten? */
static void judge_first_steps(struct lint *l)
{
    unsigned first = 0, other = 0, last = 0;
    for (unsigned i = 0; i < l->d->step_count; i++)
        if (step_set_within(&l->d->steps[i].after, &(struct step_set){{0}})) {
            first++;
            other = last;
            last = i;
        }
    if (first == 2 && last > 1)
        lint_found(l, LINT_RULE_STEP_UNORDERED, l->steps[last],
                   "%s waits for nobody and runs at once, beside %s; if that was not meant, add after",
                   l->d->steps[last].name, l->d->steps[other].name);
}

/* Whether two steps could run side by side. */
static bool has_branches(const struct definition *d)
{
    for (unsigned i = 0; i < d->step_count; i++)
        for (unsigned k = 0; k < i; k++)
            if (!step_set_has(&d->steps[i].ancestors, k) && !step_set_has(&d->steps[k].ancestors, i))
                return true;
    return false;
}

void lint_steps(struct lint *l)
{
    const struct yaml_node *order = yaml_node_child(l->root, "compensation_order");
    for (unsigned i = 0; i < l->d->step_count; i++) {
        if (!step_spec_asks(&l->d->steps[i]))
            continue;
        judge_targets(l, i, false);
        judge_targets(l, i, true);
        judge_fallback(l, i);
        judge_last_good(l, i);
        judge_undo_there(l, i);
        judge_undo(l, i);
        judge_codes(l, i);
        judge_forward(l, i);
        judge_after(l, i);
    }
    judge_first_steps(l);
    if (l->d->order == ORDER_DEPENDENCY && !has_branches(l->d))
        lint_found(l, LINT_RULE_ORDER_UNUSED, order, "changes nothing: no two steps run side by side");
    if (definition_version_is_prerelease(l->d->version))
        lint_found(l, LINT_RULE_VERSION_PRERELEASE, yaml_node_child(l->root, "version"),
                   "is a pre-release: a start takes it only when it names it");
}
