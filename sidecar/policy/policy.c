/* policy.c - rules asked of a definition. */
#include "sidecar/policy/policy_inside.h"

#include "sidecar/base/timestamp.h"
#include "sidecar/expression/fields.h"

#include <stdio.h>
#include <string.h>

/* Work and memory of all rules on one definition: some tens of milliseconds at most. */
#define COST_MAX   UINT64_C(2000000)
#define MEMORY_MAX (16u << 20)

struct checking {
    const struct policy *p;
    const struct definition *d;
    const struct policy_view *view;
    struct pool pool;
    struct datum variables[VARIABLE_COUNT];
    uint64_t cost;
    void (*found)(void *self, const struct policy_finding *finding);
    void *self;
};

/* cost: what those before it came to. */
static struct evaluation evaluation_of(struct checking *c, uint64_t cost)
{
    return (struct evaluation){
        .schema = c->p->schema, .pool = &c->pool, .variables = c->variables, .cost_max = COST_MAX, .cost = cost};
}

static int set_message(struct checking *c, unsigned variable, const struct message_type *type, struct bytes wire)
{
    struct evaluation e = evaluation_of(c, 0); /* what the rules are asked of is there, whatever they cost */
    c->variables[variable] = datum_of_message(&e, 0, type, wire);
    return datum_failed(&c->variables[variable]) ? E_MEMORY : 0;
}

static int set_targets(struct checking *c)
{
    unsigned count = c->view->targets.at == NULL ? 0 : c->view->targets.count;
    struct datum *entries = pool_take(&c->pool, (2 * count + 1) * sizeof *entries);
    struct datum_map *map = pool_take_zeroed(&c->pool, 1, sizeof *map);
    if (entries == NULL || map == NULL)
        return E_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        struct bytes wire;
        struct evaluation e = evaluation_of(c, 0);
        if (model_target(&c->view->targets.at[i], &c->pool, &wire) != 0)
            return E_MEMORY;
        entries[2 * i] = datum_string(bytes_of_text(c->view->targets.at[i].name));
        entries[2 * i + 1] = datum_of_message(&e, 0, c->p->target, wire);
        if (datum_failed(&entries[2 * i + 1]))
            return E_MEMORY;
    }
    map->entries = entries;
    c->variables[VARIABLE_TARGETS] = (struct datum){.kind = DATUM_MAP, .size = count, .map = map};
    return 0;
}

/* The waiver for this, preferably one that has not ended; NULL when there is none. */
static const struct waiver *find_waiver(const struct checking *c, const struct policy_rule *rule, int step)
{
    const struct waiver *ended = NULL;
    for (unsigned i = 0; i < c->p->waiver_count; i++) {
        const struct waiver *w = &c->p->waivers[i];
        bool meant = strcmp(w->rule, rule->id) == 0 && strcmp(w->definition, c->d->name) == 0 &&
                     (w->step == NULL || (step >= 0 && strcmp(w->step, c->d->steps[step].name) == 0));
        if (meant && instant_before(c->view->now, w->until))
            return w;
        ended = meant ? w : ended;
    }
    return ended;
}

static void tell(struct checking *c, const struct policy_rule *rule, int step, const struct datum *failed)
{
    struct policy_finding f = {.rule = rule->id, .error = rule->error, .step = step};
    const struct waiver *w = find_waiver(c, rule, step);
    const char *name = step < 0 ? c->d->name : c->d->steps[step].name;
    if (w != NULL && instant_before(c->view->now, w->until))
        return;
    size_t used = (size_t)snprintf(f.text, sizeof f.text, "%.64s: %.160s", name, rule->otherwise);
    if (failed != NULL && used < sizeof f.text)
        snprintf(f.text + used, sizeof f.text - used, " (cannot be told: %.*s)", (int)failed->failure->text.size,
                 (const char *)failed->failure->text.at);
    else if (w != NULL && used < sizeof f.text) {
        char day[TIMESTAMP_TEXT_SIZE];
        timestamp_write(w->until.us / 1000000 - 24 * 3600, 0, day);
        snprintf(f.text + used, sizeof f.text - used, " (its waiver ended with %.10s)", day);
    }
    c->found(c->self, &f);
}

/* A rule that cannot be told is not kept. */
static void ask(struct checking *c, const struct policy_rule *rule, int step)
{
    struct evaluation e = evaluation_of(c, c->cost);
    struct datum d = expression_evaluate(rule->that, &e);
    c->cost = e.cost;
    if (datum_failed(&d))
        tell(c, rule, step, &d);
    else if (d.kind != DATUM_BOOL || !d.b)
        tell(c, rule, step, NULL);
}

static void ask_rules(struct checking *c, int step)
{
    for (unsigned i = 0; i < c->p->rule_count; i++) {
        const struct policy_rule *rule = &c->p->rules[i];
        if (rule->of_steps == (step >= 0) && (!rule->of_targets || c->view->targets.at != NULL))
            ask(c, rule, step);
    }
}

/* With each of the targets that it may go to. */
static int ask_step(struct checking *c, unsigned step)
{
    struct bytes wire;
    unsigned choices = c->d->steps[step].choice_count;
    int code = 0;
    for (unsigned k = 0; code == 0 && k < (choices == 0 ? 1 : choices); k++) {
        code = model_step(c->d, step, k, &c->pool, &wire);
        if (code == 0)
            code = set_message(c, VARIABLE_STEP, c->p->step, wire);
        if (code == 0)
            ask_rules(c, (int)step);
    }
    return code;
}

static int ask_all(struct checking *c)
{
    struct bytes wire;
    int code = model_definition(c->d, &c->pool, &wire);
    if (code == 0)
        code = set_message(c, VARIABLE_DEFINITION, c->p->definition, wire);
    if (code == 0)
        code = set_targets(c);
    if (code == 0)
        ask_rules(c, -1);
    for (unsigned step = 0; code == 0 && step < c->d->step_count; step++)
        code = ask_step(c, step);
    return code;
}

int policy_check(struct policy *p, const struct definition *d, const struct policy_view *view,
                 void (*found)(void *self, const struct policy_finding *finding), void *self)
{
    struct checking c = {.p = p, .d = d, .view = view, .found = found, .self = self};
    pool_init(&c.pool, p->memory, MEMORY_MAX);
    int code = ask_all(&c);
    pool_finish(&c.pool);
    return code;
}

struct first {
    bool any;
    struct policy_finding finding;
};

static void keep_first_error(void *self, const struct policy_finding *finding)
{
    struct first *first = self;
    if (finding->error && !first->any)
        *first = (struct first){.any = true, .finding = *finding};
}

int policy_admit(struct policy *p, const struct definition *d, const struct policy_view *view,
                 struct error_detail *detail)
{
    struct first first = {.any = false};
    if (p == NULL)
        return 0;
    if (policy_check(p, d, view, keep_first_error, &first) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    if (!first.any)
        return 0;
    error_set(detail, E_POLICY, "", "the policy's rule ");
    error_append(detail, first.finding.rule);
    error_append(detail, ": ");
    error_append(detail, first.finding.text);
    return E_POLICY;
}
