/* definitions.c - definitions of random shape: chains, fans, diamonds, anything acyclic; with and without pivot; both
 * orders of undo. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/definition/graph.h"
#include "sidecar/definition/pack.h"
#include "sidecar/definition/reader.h"
#include "sidecar/mapping/mapping.h"

static const char *const step_names[SIM_STEPS_MAX] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"};
static const char *const target_names[TARGET_COUNT] = {"t0", "t1", "t2", "t3"};
static const char *const definition_names[DEFINITIONS_MAX] = {"def-0", "def-1", "def-2", "def-3", "def-4", "def-5"};

struct definition *definition_copy(const struct definition *d)
{
    struct definition *copy = definition_pack(d);
    CHECK(copy != NULL);
    return copy;
}

static struct retry_policy retry_policy(struct world *w, unsigned most)
{
    return (struct retry_policy){
        .max_attempts = (uint16_t)(1 + draw(w, SHAPES, most)),
        .initial_backoff = {.us = draw_between(w, SHAPES, 1 * MS, 200 * MS)},
        .max_backoff = SPAN_S(1),
        .backoff_multiplier_permille = 2000,
        .jitter_permille = 200,
        .retryable_status_codes = chance(w, SHAPES, 300) ? 1u << 14 | 1u << 2 | 1u << 9 : 1u << 14,
    };
}

/* What the journal is to keep of a definition: other numbers for each. */
static struct retry_defaults retry_defaults(unsigned index)
{
    struct retry_policy p = {.max_attempts = (uint16_t)(1 + index),
                             .initial_backoff = SPAN_MS(1 + index),
                             .max_backoff = SPAN_S(1 + index),
                             .backoff_multiplier_permille = 1500 + index,
                             .jitter_permille = index,
                             .retryable_status_codes = 1u << index};
    struct retry_defaults retry = {.action = p, .compensation = p};
    retry.compensation.max_attempts = 1000;
    return retry;
}

static void make_edges(struct world *w, struct definition *d)
{
    unsigned shape = (unsigned)draw(w, SHAPES, 4);
    unsigned n = d->step_count;
    for (unsigned i = 1; i < n; i++) {
        struct step_set *after = &d->steps[i].after;
        if (shape == 0) {
            step_set_add(after, i - 1);
        } else if (shape == 1) {
            if (i + 1 < n)
                continue;
            for (unsigned j = 0; j < i; j++)
                step_set_add(after, j);
        } else if (shape == 2) {
            if (i + 1 < n || n < 3)
                step_set_add(after, 0);
            else
                for (unsigned j = 1; j < i; j++)
                    step_set_add(after, j);
        } else {
            for (unsigned j = 0; j < i; j++)
                if (chance(w, SHAPES, 400))
                    step_set_add(after, j);
        }
    }
}

static void make_calls(struct world *w, struct definition *d)
{
    for (unsigned i = 0; i < d->step_count; i++) {
        struct step_spec *s = &d->steps[i];
        s->name = step_names[i];
        s->action.target = s->compensation.target = target_names[draw(w, SHAPES, TARGET_COUNT)];
        s->action.method = "/sim.Participant/Do";
        s->compensation.method = "/sim.Participant/Undo";
        s->action.timeout.us = chance(w, SHAPES, 200) ? 0 : draw_between(w, SHAPES, 50 * MS, 2 * SECOND);
        s->compensation.timeout.us = draw_between(w, SHAPES, 50 * MS, 2 * SECOND);
        s->action.barrier = chance(w, SHAPES, 300) ? (uint8_t)(1 + draw(w, SHAPES, 2)) : BARRIER_UNSAID;
        s->action.retry = retry_policy(w, 4);
        s->compensation.retry = retry_policy(w, 6);
        s->has_compensation = !chance(w, SHAPES, 150);
        s->compensation.source = (enum request_source)draw(w, SHAPES, 4);
        s->compensation.constant = s->action.constant = bytes_of_text("constant");
        if (s->compensation.source == REQUEST_OUTPUT)
            s->compensation.source = REQUEST_OWN_OUTPUT;
        s->action.source = (enum request_source)draw(w, SHAPES, 2);
        for (unsigned j = 0; j < i && chance(w, SHAPES, 500); j++)
            if (step_set_has(&s->after, j)) {
                s->action.source = REQUEST_OUTPUT;
                s->action.source_step = (uint16_t)j;
            }
    }
}

/* Whether the step, or what it stands in for, takes a last good answer. */
static bool recalls(const struct definition *d, unsigned step)
{
    while (d->steps[step].stand_in != STAND_IN_NONE && d->steps[step].stand_in != STAND_IN_LAST_GOOD)
        step--;
    return d->steps[step].stand_in == STAND_IN_LAST_GOOD;
}

/* Some steps stand in for the one before them: by another call, or by what the definition says. */
static void draw_stand_ins(struct world *w, struct definition *d)
{
    for (unsigned i = 1; i < d->step_count; i++) {
        struct step_spec *s = &d->steps[i], *before = &d->steps[i - 1];
        if (!chance(w, SHAPES, 200))
            continue;
        s->stand_in = chance(w, SHAPES, 500) ? STAND_IN_CALL : STAND_IN_VALUE;
        if (chance(w, SHAPES, 400) && !recalls(d, i - 1))
            s->stand_in = STAND_IN_LAST_GOOD;
        before->has_fallback = true;
        s->after = (struct step_set){{0}};
        step_set_add(&s->after, i - 1);
        for (unsigned j = i + 1; j < d->step_count; j++)
            if (step_set_has(&d->steps[j].after, i - 1))
                step_set_add(&d->steps[j].after, i);
        s->action.source = chance(w, SHAPES, 500) ? REQUEST_INPUT : REQUEST_CONSTANT;
        if (s->stand_in == STAND_IN_CALL)
            continue;
        s->max_age.us = draw_between(w, SHAPES, 200 * MS, 10 * SECOND);
        s->kept_key = chance(w, SHAPES, 500) ? "k0" : "k1";
        s->kept_as = chance(w, SHAPES, 500) ? "shared" : NULL;
        enum request_source source = s->action.source;
        s->action = before->action;
        s->action.source = source;
        s->has_compensation = false;
    }
    /* What is handed on is the answer of a step, or of what stands in for it. */
    for (unsigned i = 0; i < d->step_count; i++) {
        struct call_spec *c = &d->steps[i].action;
        while (c->source == REQUEST_OUTPUT && d->steps[c->source_step].stand_in != STAND_IN_NONE)
            c->source_step--;
    }
    for (unsigned i = 0; i < d->step_count; i++)
        d->steps[i].in_haste = step_spec_asks(&d->steps[i]) && chance(w, SHAPES, 250);
}

static struct definition *make(struct world *w, unsigned number)
{
    static struct step_spec steps[SIM_STEPS_MAX];
    memset(steps, 0, sizeof steps);
    struct definition draft = {
        .name = definition_names[number],
        .version = "1.0.0",
        .deadline = {.us = chance(w, SHAPES, 300) ? 0 : draw_between(w, SHAPES, 500 * MS, 20 * SECOND)},
        .order = (enum compensation_order)draw(w, SHAPES, 2),
        .step_count = (uint16_t)(1 + draw(w, SHAPES, 6)),
        .pivot_step = -1,
        .steps = steps,
        .source = bytes_of_text(definition_names[number]),
    };
    make_edges(w, &draft);
    make_calls(w, &draft);
    draw_stand_ins(w, &draft);
    uint16_t circle[STEPS_LIMIT];
    size_t size;
    CHECK(graph_order(&draft, circle, &size));
    if (chance(w, SHAPES, 450)) {
        draft.pivot_step = (int)draw(w, SHAPES, draft.step_count);
        const struct step_spec *pivot = &steps[draft.pivot_step];
        if (graph_beside_pivot(&draft) >= 0 || pivot->has_fallback || pivot->stand_in != STAND_IN_NONE)
            draft.pivot_step = -1;
        else
            steps[draft.pivot_step].pivot = true;
    }
    if (draft.pivot_step < 0 && chance(w, SHAPES, 100)) {
        draft.forward_only = true;
        draft.deadline.us = 0;
    }
    for (unsigned i = 0; i < draft.step_count; i++) {
        bool forward = definition_step_forward_only(&draft, i);
        steps[i].optional = !steps[i].pivot && chance(w, SHAPES, 150);
        if (steps[i].stand_in != STAND_IN_NONE)
            steps[i].optional = steps[i - 1].optional;
        if (draft.forward_only || (forward && step_spec_yields(&steps[i])))
            steps[i].has_compensation = false;
        steps[i].deferred =
            forward && (steps[i].stand_in != STAND_IN_NONE ? steps[i - 1].deferred : chance(w, SHAPES, 200));
        steps[i].in_haste = steps[i].in_haste && (!forward || step_spec_yields(&steps[i]));
    }
    /* Who waits for what is deferred is deferred; edges lead from lower to higher. */
    for (unsigned i = 0; i < draft.step_count; i++)
        for (unsigned j = 0; j < i; j++)
            steps[i].deferred = steps[i].deferred || (step_set_has(&steps[i].ancestors, j) && steps[j].deferred);
    for (unsigned i = 0; i + 1 < draft.step_count; i++)
        if (!steps[i].pivot && steps[i].stand_in == STAND_IN_NONE && !definition_step_forward_only(&draft, i) &&
            chance(w, SHAPES, 150)) {
            int64_t most = draft.deadline.us != 0 ? draft.deadline.us * 9 / 10 : 4 * SECOND;
            steps[i].reserve.us = draw_between(w, SHAPES, 1 * MS, most);
            draft.reserves = true;
        }
    draft.number = number + 1;
    draft.priority = (uint8_t)draw(w, SHAPES, PRIORITY_HIGH + 1);
    if (chance(w, SHAPES, 300)) {
        static const char *const tags[] = {NULL, "of", "kind"};
        typed_make(w, number, &draft);
        draft.fair_by = tags[draw(w, SHAPES, 3)];
    }
    struct definition *copy = definition_copy(&draft);
    mapping_release(draft.mapping);
    return copy;
}

/* Exhaustive: a chain of three, or a diamond, with one attempt an action and two a compensation. */
static struct definition *make_scripted(struct world *w, enum shape shape)
{
    bool chain = shape != SHAPE_DIAMOND && shape != SHAPE_DIAMOND_BY_DEPENDENCY;
    bool typed = shape == SHAPE_LOOP || shape == SHAPE_SKIPPED || shape == SHAPE_PIVOTS;
    static struct step_spec steps[4];
    memset(steps, 0, sizeof steps);
    struct definition draft = {
        .name = definition_names[0],
        .version = "1.0.0",
        .deadline = {.us = shape == SHAPE_PIVOT ? 10 * SECOND : 0}, /* it has passed when a person looks */
        .order = shape == SHAPE_DIAMOND_BY_DEPENDENCY ? ORDER_DEPENDENCY : ORDER_REVERSE,
        .step_count = shape == SHAPE_PIVOTS ? 1
                      : shape == SHAPE_LOOP ? 2
                      : chain               ? 3
                                            : 4,
        .pivot_step = shape == SHAPE_PIVOTS    ? 0
                      : shape == SHAPE_PIVOT   ? 1
                      : shape == SHAPE_SKIPPED ? 2
                                               : -1,
        .steps = steps,
        .source = bytes_of_text(definition_names[0]),
    };
    for (unsigned i = 0; i < draft.step_count; i++) {
        steps[i].name = step_names[i];
        steps[i].has_compensation =
            shape == SHAPE_PIVOT ? i == 0 : shape != SHAPE_PIVOTS; /* what a pivot of unknown outcome makes stuck */
        steps[i].pivot = draft.pivot_step == (int)i;
        steps[i].action = (struct call_spec){.target = target_names[i],
                                             .method = "/sim.Participant/Do",
                                             .timeout = SPAN_MS(100),
                                             .retry = {.max_attempts = 1, .backoff_multiplier_permille = 1000}};
        steps[i].compensation = steps[i].action;
        steps[i].compensation.method = "/sim.Participant/Undo";
        steps[i].compensation.retry.max_attempts = 2;
        if (chain && i > 0)
            step_set_add(&steps[i].after, i - 1);
        if (!chain && i > 0)
            step_set_add(&steps[i].after, 0);
    }
    if (!chain)
        steps[3].after = (struct step_set){{1 << 1 | 1 << 2}};
    uint16_t circle[STEPS_LIMIT];
    size_t size;
    CHECK(graph_order(&draft, circle, &size));
    draft.number = 1;
    if (typed)
        typed_make_scripted(w, &draft, shape);
    struct definition *copy = definition_copy(&draft);
    mapping_release(draft.mapping);
    return copy;
}

void definitions_make(struct world *w)
{
    if (w->script != NULL) {
        w->definition_count = 1;
        w->definitions[0] = make_scripted(w, w->script->shape);
    } else {
        w->definition_count = 1 + (unsigned)draw(w, SHAPES, DEFINITIONS_MAX);
        for (unsigned i = 0; i < w->definition_count; i++)
            w->definitions[i] = make(w, i);
    }
    for (unsigned i = 0; i < w->definition_count; i++) {
        w->definitions[i]->number = i + 1;
        w->definitions[i]->retry = retry_defaults(i);
        for (unsigned j = 0; j < w->definitions[i]->step_count; j++) {
            struct step_spec *s = &w->definitions[i]->steps[j];
            s->action.target_index = s->action.target[1] - '0';
            s->compensation.target_index = s->compensation.target[1] - '0';
            for (unsigned k = 0; k < s->choice_count; k++)
                s->choices[k].action.target_index = s->choices[k].compensation.target_index =
                    s->choices[k].name[1] - '0';
        }
    }
}

void definitions_free(struct world *w)
{
    for (unsigned i = 0; i < w->definition_count; i++)
        definition_destroy(w->definitions[i]);
}
