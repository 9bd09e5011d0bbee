/* remedies_facts.c - what is so, of all loops together, as each rule sees it. */
#include "sidecar/runtime/remedies_inside.h"

#include <string.h>

static struct instant instant_of(const Google__Protobuf__Timestamp *t)
{
    return (struct instant){.us = t->seconds * 1000000 + t->nanos / 1000};
}

static struct span since(const Google__Protobuf__Timestamp *t, struct instant now)
{
    struct span span = t == NULL ? (struct span){0} : instant_since(now, instant_of(t));
    return span.us < 0 ? (struct span){0} : span;
}

static struct span longer(struct span a, struct span b)
{
    return a.us > b.us ? a : b;
}

void facts_begin(struct remedies *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct rule *rule = r->rules[i];
        rule->facts = (struct remedy_facts){.has_target = rule->config->target[0] != '\0', .breaker = "CLOSED"};
        memset(rule->burns, 0, sizeof rule->burns);
        rule->stirred = rule->out;
    }
}

static void add_breaker(struct remedy_facts *f, const Saga__V1__Breaker *b, struct instant now)
{
    if (b == NULL || b->state == SAGA__V1__BREAKER_STATE__BREAKER_STATE_CLOSED)
        return;
    bool open = b->state == SAGA__V1__BREAKER_STATE__BREAKER_STATE_OPEN;
    if (open || strcmp(f->breaker, "OPEN") != 0)
        f->breaker = open ? "OPEN" : "HALF_OPEN";
    f->breaker_open_for = longer(f->breaker_open_for, since(b->opened_at, now));
}

static void add_target(struct rule *rule, const Saga__V1__TargetStatus *t, struct instant now)
{
    struct remedy_facts *f = &rule->facts;
    if (strcmp(t->name, rule->config->target) != 0)
        return;
    add_breaker(f, t->breaker, now);
    if (t->unreachable_for != NULL)
        f->unreachable_for = longer(f->unreachable_for, (struct span){.us = t->unreachable_for->seconds * 1000000 +
                                                                            t->unreachable_for->nanos / 1000});
    if (t->recent != NULL) {
        f->attempts += t->recent->count;
        f->failed += t->recent->failed;
    }
    if (!rule->by_objective) {
        f->all += t->attempts;
        f->good += t->attempts - t->attempts_failed;
    }
}

static void add_loop(struct rule *rule, const Saga__V1__LoopStatus *l, struct instant now)
{
    struct remedy_facts *f = &rule->facts;
    f->live += l->live;
    if (rule->config->definition[0] == '\0')
        f->deadletters += l->stuck;
    for (size_t i = 0; i < l->n_dead_letters; i++) {
        const Saga__V1__DeadLetters *d = l->dead_letters[i];
        if (rule->config->definition[0] != '\0' && strcmp(rule->config->definition, d->definition) != 0)
            continue;
        f->deadletters += rule->config->definition[0] != '\0' ? d->count : 0;
        f->oldest_deadletter = longer(f->oldest_deadletter, since(d->oldest, now));
    }
    for (size_t i = 0; i < l->n_targets && f->has_target; i++)
        add_target(rule, l->targets[i], now);
    for (size_t i = 0; i < l->n_holds; i++)
        f->held |= strcmp(l->holds[i]->definition, rule->config->definition) == 0;
}

void facts_add_status(struct remedies *r, const Saga__V1__StatusResponse *m, struct instant now)
{
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < m->n_loops; k++)
            add_loop(r->rules[i], m->loops[k], now);
}

void facts_add_objectives(struct remedies *r, const Saga__V1__ListObjectivesResponse *m)
{
    static const unsigned windows[BURNS] = {0, 2, 4}; /* of an answer's windows: 5m, 1h, 6h */
    for (size_t i = 0; i < r->count; i++)
        for (size_t k = 0; k < m->n_objectives; k++) {
            struct rule *rule = r->rules[i];
            const Saga__V1__Objective *o = m->objectives[k];
            if ((unsigned)o->kind >= OBJECTIVE_KINDS || strcmp(o->definition, rule->config->definition) != 0)
                continue;
            struct burn_count *b = &rule->burns[o->kind];
            b->promised = o->promised;
            for (unsigned n = 0; n < BURNS && windows[n] < o->n_windows; n++) {
                b->all[n] += o->windows[windows[n]]->all;
                b->bad[n] += o->windows[windows[n]]->bad;
            }
            if (rule->by_objective && o->kind == SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_SUCCESS) {
                rule->facts.all += o->all;
                rule->facts.good += o->all - o->bad;
            }
        }
}

void facts_end(struct remedies *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct rule *rule = r->rules[i];
        double worst[BURNS] = {0};
        for (unsigned kind = 0; kind < OBJECTIVE_KINDS; kind++)
            for (unsigned n = 0; n < BURNS; n++) {
                const struct burn_count *b = &rule->burns[kind];
                double burn =
                    b->all[n] == 0 || b->promised >= 1 ? 0 : (double)b->bad[n] / (double)b->all[n] / (1 - b->promised);
                worst[n] = burn > worst[n] ? burn : worst[n];
            }
        rule->facts.burn_5m = worst[0];
        rule->facts.burn_1h = worst[1];
        rule->facts.burn_6h = worst[2];
        rule->facts.held |= rule->stirred;
    }
}
