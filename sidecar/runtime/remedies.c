/* remedies.c - rules asked, and what they decide kept before it is done. */
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/remedies_inside.h"
#include "sidecar/runtime/sidecar_inside.h"

#include "sidecar/api/view.h"
#include "sidecar/base/check.h"
#include "sidecar/config/config_same.h"
#include "sidecar/core/heap.h"
#include "sidecar/observe/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY SPAN_S(10)

/* ---- made ---- */

static bool has_objective(const struct config *config, const char *definition)
{
    for (size_t i = 0; i < config->objective_count; i++)
        if (strcmp(config->objectives[i].definition, definition) == 0 && config->objectives[i].success != 0)
            return true;
    return false;
}

static int make(const struct config *config, const struct config_remedy *c, struct rule **out,
                struct error_detail *detail)
{
    char said[sizeof detail->text];
    bool page = c->act == CONFIG_REMEDY_PAGE;
    struct rule *rule = *out = calloc(1, sizeof *rule);
    if (rule == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    rule->config = c;
    rule->by_objective = has_objective(config, c->definition);
    int code = 0;
    if (!page && !rule->by_objective && c->target[0] == '\0')
        code =
            error_set(detail, E_ARGUMENT, "",
                      "what it does is judged by the definition's objective of success, or by its target's attempts: "
                      "promise the one, or name the other");
    const struct ruling_options options = {
        .name = c->name,
        .definition = c->definition,
        .target = c->target,
        .act = (Saga__V1__RuleAct)(c->act + 1),
        .by_objective = rule->by_objective,
        .remedy = {.when = c->when,
                   .acts = c->acts,
                   .judged = !page,
                   .holds = c->act == CONFIG_REMEDY_HOLD,
                   .undone = !page && c->act != CONFIG_REMEDY_RESET,
                   .lasts = c->lasts,
                   .every = c->every,
                   .settle = c->settle},
    };
    if (code == 0)
        code = ruling_create(&options, &heap, &rule->ruling, detail);
    if (code == E_ARGUMENT) {
        char field[sizeof detail->field];
        snprintf(field, sizeof field, "remediation.%.60s%s%.20s", c->name, detail->field[0] == '\0' ? "" : ".",
                 detail->field);
        snprintf(said, sizeof said, "%s", detail->text);
        error_set(detail, code, field, said);
    }
    if (code != 0) {
        free(rule);
        *out = NULL;
    }
    return code;
}

static bool has_pages(const struct config *config)
{
    for (size_t i = 0; i < config->remedy_count; i++)
        if (config->remediation[i].act == CONFIG_REMEDY_PAGE)
            return true;
    return false;
}

int remedies_check(const struct config *config, struct error_detail *detail)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < config->remedy_count; i++) {
        struct rule *rule;
        code = make(config, &config->remediation[i], &rule, detail);
        if (code == 0)
            remedies_let_go(rule);
    }
    if (code == 0 && has_pages(config))
        code = webhook_ready(detail);
    return code;
}

/* ---- in force ---- */

static struct rule *find(struct remedies *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(ruling_name(r->rules[i]->ruling), name) == 0)
            return r->rules[i];
    return NULL;
}

static void let_all_go(struct rule **rules, size_t count)
{
    for (size_t i = 0; rules != NULL && i < count; i++)
        if (rules[i] != NULL)
            remedies_let_go(rules[i]);
    free(rules);
}

/* Every rule is made anew. One that is as it was keeps since when its question has been true. */
static int make_all(const struct config *config, struct remedies *r, struct rule ***out, struct error_detail *detail)
{
    struct rule **fresh = *out = calloc(config->remedy_count + 1, sizeof *fresh);
    int code = fresh == NULL ? error_set(detail, E_MEMORY, "", NULL) : 0;
    for (size_t i = 0; code == 0 && i < config->remedy_count; i++)
        code = make(config, &config->remediation[i], &fresh[i], detail);
    for (size_t i = 0; code == 0 && i < r->count; i++)
        if (ruling_leave(r->rules[i]->ruling, r->left) != 0)
            code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0 && r->webhook == NULL && has_pages(config))
        code = webhook_open(&r->webhook, detail);
    if (code != 0)
        let_all_go(fresh, config->remedy_count);
    return code;
}

static bool is_own(const struct loop *s)
{
    return s->index == 0 && s->sidecar->adopted == NULL; /* a journal that is looked after has no rules here */
}

int remedies_take(struct loop *s, const struct config *config, struct error_detail *detail)
{
    struct remedies *r = s->remedies;
    struct rule **fresh = NULL;
    bool at_start = r != NULL && r->rules == NULL;
    if (!is_own(s))
        return 0;
    int code = make_all(config, r, &fresh, detail);
    if (code != 0)
        return code;
    for (size_t i = 0; i < r->count; i++)
        counters_remedy_gone(s, r->rules[i]->config->name);
    for (size_t i = 0; i < config->remedy_count; i++) {
        struct rule *rule = fresh[i], *before = find(r, rule->config->name);
        bool same = before != NULL && config_same_remedy(before->config, rule->config);
        ruling_go_on(rule->ruling, r->left, at_start, before == NULL ? NULL : before->ruling, same);
        rule->page = before == NULL ? 0 : before->page;
        rule->page_number = before == NULL ? 0 : before->page_number;
        counters_remedy_armed(s, rule->config->name, !ruling_mark(rule->ruling)->disarmed);
    }
    let_all_go(r->rules, r->count);
    r->rules = fresh;
    r->count = config->remedy_count;
    r->failed = true; /* what has been asked was asked for others */
    return 0;
}

int remedies_open(struct loop *s, struct error_detail *detail)
{
    if (!is_own(s))
        return 0;
    struct remedies *r = s->remedies = calloc(1, sizeof *r);
    if (r == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    r->next = instant_after(clock_now(&s->clock), LOOK_EVERY);
    if (rulings_create(&heap, &r->left) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    int code = rulings_recover(r->left, s->store, detail);
    return code != 0 ? code : remedies_take(s, s->config, detail);
}

void remedies_close(struct loop *s)
{
    struct remedies *r = s->remedies;
    if (r == NULL)
        return;
    webhook_close(r->webhook);
    for (size_t i = 0; i < r->count; i++)
        r->rules[i]->out = false; /* nobody will answer */
    let_all_go(r->rules, r->count);
    rulings_destroy(r->left);
    free(r);
}

struct webhook_counts remedies_pages(struct loop *s)
{
    bool none = s->remedies == NULL || s->remedies->webhook == NULL;
    return none ? (struct webhook_counts){0} : webhook_take_counts(s->remedies->webhook);
}

/* ---- looking ---- */

static void decide(struct loop *s, struct rule *rule)
{
    static const struct {
        enum log_level level;
        const char *text, *result;
    } told[] = {
        [REMEDY_ACT] = {LOG_LEVEL_WARN, "a rule acts", "decided"},
        [REMEDY_WOULD] = {LOG_LEVEL_WARN, "a rule would act, and is only tried (mode: dry-run)", "would"},
        [REMEDY_WORSE] = {LOG_LEVEL_ERROR, "a rule has made things worse, and has stopped itself", "worse"},
        [REMEDY_JUDGED] = {LOG_LEVEL_INFO, "what a rule did has not made things worse", "judged"},
        [REMEDY_LOOSED] = {LOG_LEVEL_WARN, "what a rule did was taken back by hand, and it is disarmed", "loosed"},
        [REMEDY_LATE] = {LOG_LEVEL_ERROR, "what a rule decided was not answered, and is taken back", "late"},
    };
    enum remedy_verdict verdict;
    if (ruling_look(rule->ruling, s->core, &rule->facts, clock_now(&s->clock), &verdict) != 0)
        s->failure.code = error_set(&s->failure.detail, E_MEMORY, "", NULL);
    if (verdict == REMEDY_NOTHING)
        return;
    const char *name = rule->config->name, *said = ruling_said(rule->ruling);
    rule->kept = false;
    if (verdict != REMEDY_ACT)
        counters_remedy(s, name, told[verdict].result); /* an act is counted when it is done */
    log_event(told[verdict].level, told[verdict].text, LOG_TEXT("rule", name), LOG_TEXT("said", said));
    if (verdict == REMEDY_WORSE || verdict == REMEDY_LOOSED)
        api_audit_own(s->api, "DisarmRule", name, "sagad", said);
    counters_remedy_armed(s, name, !ruling_mark(rule->ruling)->disarmed);
}

/* The last answer is there. */
static void took_one(struct loop *s)
{
    struct remedies *r = s->remedies;
    if (--r->awaited > 0)
        return;
    r->next = instant_after(clock_now(&s->clock), LOOK_EVERY);
    facts_end(r);
    bool may = !r->failed && core_stalled(s->core) == 0 && !s->stopping && s->failure.code == 0;
    for (size_t i = 0; may && i < r->count; i++)
        decide(s, r->rules[i]);
    if (may)
        remedies_carry_out(s);
}

static void on_status(void *self, void *tag, const struct rpc_told *told)
{
    struct loop *s = self;
    (void)tag;
    Saga__V1__StatusResponse *m =
        told->status != 0 ? NULL : saga__v1__status_response__unpack(NULL, told->body.size, told->body.at);
    s->remedies->failed |= m == NULL;
    if (m != NULL) {
        facts_add_status(s->remedies, m, clock_now(&s->clock));
        saga__v1__status_response__free_unpacked(m, NULL);
    }
    took_one(s);
}

static void on_objectives(void *self, void *tag, const struct rpc_told *told)
{
    struct loop *s = self;
    (void)tag;
    Saga__V1__ListObjectivesResponse *m =
        told->status != 0 ? NULL : saga__v1__list_objectives_response__unpack(NULL, told->body.size, told->body.at);
    s->remedies->failed |= m == NULL;
    if (m != NULL) {
        facts_add_objectives(s->remedies, m);
        saga__v1__list_objectives_response__free_unpacked(m, NULL);
    }
    took_one(s);
}

static const struct rpc_asker status_asker = {.on_end = on_status}, objectives_asker = {.on_end = on_objectives};

void remedies_turn(struct loop *s)
{
    struct remedies *r = s->remedies;
    if (r != NULL && r->durable)
        remedies_ask(s);
    if (r == NULL || r->count == 0 || r->awaited > 0 || instant_before(clock_now(&s->clock), r->next))
        return;
    r->failed = false;
    remedies_follow_pages(s);
    facts_begin(r);
    r->awaited = 2 * s->sidecar->count;
    for (unsigned k = 0; k < s->sidecar->count; k++) {
        const struct bytes nothing = bytes_of("", 0);
        rpc_ask(s->rpc, s->sidecar->rooms[k], &methods_served[METHOD_STATUS], nothing, NULL, &status_asker, r);
        rpc_ask(s->rpc, s->sidecar->rooms[k], &methods_served[METHOD_LIST_OBJECTIVES], nothing, NULL, &objectives_asker,
                r);
    }
}

struct instant remedies_expiry(const struct loop *s)
{
    const struct remedies *r = s->remedies;
    if (r != NULL && r->durable)
        return (struct instant){0};
    return r == NULL || r->count == 0 || r->awaited > 0 ? INSTANT_NEVER : r->next;
}

/* ---- for the api ---- */

bool remedies_list(void *self, struct arena *a, Saga__V1__ListRulesResponse *m)
{
    struct remedies *r = ((struct loop *)self)->remedies;
    size_t count = r == NULL ? 0 : r->count;
    m->rules = arena_take(a, (count + 1) * sizeof(*m->rules));
    for (size_t i = 0; m->rules != NULL && i < count; i++) {
        const struct ruling *ruling = r->rules[i]->ruling;
        struct instant acted_at = ruling_mark(ruling)->acted_at, since = ruling_true_since(ruling);
        Saga__V1__Rule *one = arena_take(a, sizeof *one);
        if (one == NULL)
            return false;
        *one = ruling_message(ruling);
        one->when = (char *)(uintptr_t)r->rules[i]->config->when;
        if ((acted_at.us != 0 && (one->acted_at = view_time(a, acted_at)) == NULL) ||
            (since.us != 0 && (one->true_since = view_time(a, since)) == NULL))
            return false;
        m->rules[m->n_rules++] = one;
    }
    return m->rules != NULL;
}

int remedies_change(void *self, const char *name, bool arm, struct error_detail *detail)
{
    struct loop *s = self;
    struct rule *rule = s->remedies == NULL ? NULL : find(s->remedies, name);
    if (rule == NULL)
        return error_set(detail, E_RULE_NOT_FOUND, "name", NULL);
    if ((arm ? ruling_arm : ruling_take_back)(rule->ruling, s->core) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    rule->kept = false;
    counters_remedy_armed(s, rule->config->name, arm);
    remedies_carry_out(s);
    return 0;
}
