/* remedies.c - rules asked, and what they decide kept before it is done. */
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/remedies_inside.h"
#include "sidecar/runtime/sidecar_inside.h"

#include "sidecar/api/view.h"
#include "sidecar/base/check.h"
#include "sidecar/base/utf8.h"
#include "sidecar/config/config_same.h"
#include "sidecar/core/heap.h"
#include "sidecar/observe/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY    SPAN_S(10)
#define FORM_OF_VALUE 1
#define ROW_BYTES_MAX 1024
#define WHEN_SHOWN    71

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
    snprintf(rule->name, sizeof rule->name, "%s", c->name);
    rule->by_objective = has_objective(config, c->definition);
    int code = 0;
    if (!page && !rule->by_objective && c->target[0] == '\0')
        code =
            error_set(detail, E_ARGUMENT, "",
                      "what it does is judged by the definition's objective of success, or by its target's attempts: "
                      "promise the one, or name the other");
    const struct remedy_options options = {
        .when = c->when,
        .acts = c->acts,
        .judged = !page,
        .holds = c->act == CONFIG_REMEDY_HOLD,
        .lasts = c->lasts,
        .every = c->every,
        .settle = c->settle,
    };
    if (code == 0)
        code = remedy_create(&options, &heap, &rule->remedy, detail);
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

int remedies_check(const struct config *config, struct error_detail *detail)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < config->remedy_count; i++) {
        struct rule *rule;
        code = make(config, &config->remediation[i], &rule, detail);
        if (code == 0)
            remedies_let_go(rule);
    }
    return code;
}

/* ---- rows ---- */

static Saga__V1__Rule message_of(const struct rule *rule)
{
    const struct remedy_mark *mark = remedy_mark(rule->remedy);
    Saga__V1__Rule m = SAGA__V1__RULE__INIT;
    m.name = (char *)(uintptr_t)rule->name;
    m.disarmed = mark->disarmed;
    m.pending = mark->pending;
    m.held = mark->held;
    m.acts = mark->acts;
    m.before_all = mark->before_all;
    m.before_good = mark->before_good;
    m.at_all = mark->at_all;
    m.at_good = mark->at_good;
    m.said = (char *)(uintptr_t)rule->said;
    return m;
}

static int write_row(struct loop *s, const struct rule *rule)
{
    uint8_t value[ROW_BYTES_MAX];
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__Rule m = message_of(rule);
    int64_t us = remedy_mark(rule->remedy)->acted_at.us;
    at.seconds = us / 1000000;
    at.nanos = (int32_t)(us % 1000000) * 1000;
    m.acted_at = us == 0 ? NULL : &at;
    size_t size = saga__v1__rule__get_packed_size(&m);
    CHECK(size <= sizeof value);
    saga__v1__rule__pack(&m, value);
    const struct subject_row row = {.kind = SUBJECT_REMEDY,
                                    .name = bytes_of_text(rule->name),
                                    .version = FORM_OF_VALUE,
                                    .value = bytes_of(value, size)};
    return core_set_subject(s->core, &row);
}

static struct rule *find(struct remedies *r, struct bytes name)
{
    for (size_t i = 0; i < r->count; i++)
        if (bytes_equal(bytes_of_text(r->rules[i]->name), name))
            return r->rules[i];
    return NULL;
}

static struct rule_left *find_left(struct remedies *r, const char *name)
{
    for (struct rule_left *l = r->left; l != NULL; l = l->next)
        if (strcmp(l->name, name) == 0)
            return l;
    return NULL;
}

/* Keeps how a rule was left. Returns 0 or E_MEMORY. */
static int leave(struct remedies *r, const char *name, const struct remedy_mark *mark, const char *said)
{
    struct rule_left *l = find_left(r, name);
    if (l == NULL) {
        l = calloc(1, sizeof *l);
        if (l == NULL)
            return E_MEMORY;
        snprintf(l->name, sizeof l->name, "%s", name);
        l->next = r->left;
        r->left = l;
    }
    l->mark = *mark;
    snprintf(l->said, sizeof l->said, "%s", said);
    return 0;
}

/* A rule that the configuration has no more stays in the journal, as it was left. */
static int take_row(void *self, const struct subject_row *row)
{
    struct remedies *r = self;
    Saga__V1__Rule *m =
        row->version != FORM_OF_VALUE ? NULL : saga__v1__rule__unpack(NULL, row->value.size, row->value.at);
    if (m == NULL)
        return error_set(r->detail, E_JOURNAL_CORRUPT, "", "a row of the table subjects tells of no rule");
    const struct remedy_mark mark = {
        .disarmed = m->disarmed,
        .pending = m->pending,
        .held = m->held,
        .acts = m->acts,
        .acted_at.us = m->acted_at == NULL ? 0 : m->acted_at->seconds * 1000000 + m->acted_at->nanos / 1000,
        .before_all = m->before_all,
        .before_good = m->before_good,
        .at_all = m->at_all,
        .at_good = m->at_good,
    };
    int code = leave(r, m->name, &mark, m->said);
    saga__v1__rule__free_unpacked(m, NULL);
    return code == 0 ? 0 : error_set(r->detail, code, "", NULL);
}

/* ---- in force ---- */

/* Whether they are judged by the same counts. */
static bool judged_alike(const struct rule *a, const struct rule *b)
{
    return a->by_objective == b->by_objective && strcmp(a->config->definition, b->config->definition) == 0 &&
           strcmp(a->config->target, b->config->target) == 0;
}

/* It goes on as it was left, as far as that still means something; before: the one of its name that has been in force until now, or NULL. A target's
 * attempts are counted anew from the start: all that there are came after the act. */
static void go_on_from(struct rule *rule, const struct rule *before, bool at_start, const struct remedy_mark *left,
                       const char *said)
{
    struct remedy_mark mark = *left;
    if (at_start && !rule->by_objective)
        mark.at_all = mark.at_good = 0;
    mark.pending &= rule->config->acts && (before == NULL || judged_alike(before, rule));
    mark.held &= rule->config->act == CONFIG_REMEDY_HOLD;
    remedy_restore(rule->remedy, &mark);
    snprintf(rule->said, sizeof rule->said, "%s", said);
}

static bool has_pages(const struct config *config)
{
    for (size_t i = 0; i < config->remedy_count; i++)
        if (config->remediation[i].act == CONFIG_REMEDY_PAGE)
            return true;
    return false;
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
        if (leave(r, r->rules[i]->name, remedy_mark(r->rules[i]->remedy), r->rules[i]->said) != 0)
            code = error_set(detail, E_MEMORY, "", NULL);
    if (code == 0 && r->webhook == NULL && has_pages(config) && webhook_open(&r->webhook) != 0)
        code = error_set(detail, E_MEMORY, "", NULL);
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
        counters_remedy_gone(s, r->rules[i]->name);
    for (size_t i = 0; i < config->remedy_count; i++) {
        const struct rule_left *left = find_left(r, fresh[i]->name);
        struct rule *before = find(r, bytes_of_text(fresh[i]->name));
        if (left != NULL)
            go_on_from(fresh[i], before, at_start, &left->mark, left->said);
        if (before != NULL && judged_alike(before, fresh[i]) && config_same_remedy(before->config, fresh[i]->config)) {
            struct remedy *made = fresh[i]->remedy;
            fresh[i]->remedy = before->remedy;
            before->remedy = made;
        }
        counters_remedy_armed(s, fresh[i]->name, !remedy_mark(fresh[i]->remedy)->disarmed);
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
    r->detail = detail;
    int code = s->store->scan_subjects(s->store, SUBJECT_REMEDY, take_row, r, detail);
    return code != 0 ? code : remedies_take(s, s->config, detail);
}

void remedies_close(struct loop *s)
{
    struct remedies *r = s->remedies;
    if (r == NULL)
        return;
    webhook_close(r->webhook);
    for (size_t i = 0; i < r->count; i++)
        r->rules[i]->acts_out = 0; /* nobody will answer */
    let_all_go(r->rules, r->count);
    for (struct rule_left *l = r->left, *next; l != NULL; l = next) {
        next = l->next;
        free(l);
    }
    free(r);
}

struct webhook_counts remedies_pages(struct loop *s)
{
    bool none = s->remedies == NULL || s->remedies->webhook == NULL;
    return none ? (struct webhook_counts){0} : webhook_take_counts(s->remedies->webhook);
}

/* ---- looking ---- */

static void tell(struct loop *s, const struct rule *rule, enum log_level level, const char *text, const char *result)
{
    counters_remedy(s, rule->name, result);
    log_event(level, text, LOG_TEXT("rule", rule->name), LOG_TEXT("said", rule->said));
}

static void keep(struct loop *s, const struct rule *rule)
{
    counters_remedy_armed(s, rule->name, !remedy_mark(rule->remedy)->disarmed);
    if (write_row(s, rule) != 0)
        s->failure.code = error_set(&s->failure.detail, E_MEMORY, "", NULL);
}

/* What was so before and after the act that made things worse. */
static void say_worse(struct rule *rule)
{
    const struct remedy_mark *m = remedy_mark(rule->remedy);
    snprintf(rule->said, sizeof rule->said,
             "it made things worse, and is disarmed: before its act %llu of %llu went well, after it %llu of %llu",
             (unsigned long long)m->before_good, (unsigned long long)m->before_all,
             (unsigned long long)(rule->facts.good - m->at_good), (unsigned long long)(rule->facts.all - m->at_all));
}

static void decide(struct loop *s, struct rule *rule)
{
    char facts[160];
    enum remedy_verdict verdict = remedy_look(rule->remedy, &rule->facts, clock_now(&s->clock));
    if (verdict == REMEDY_NOTHING) {
        if (remedy_trouble(rule->remedy)[0] != '\0')
            snprintf(rule->said, sizeof rule->said, "its question cannot be answered: %s",
                     remedy_trouble(rule->remedy));
        return;
    }
    if (verdict == REMEDY_WOULD || verdict == REMEDY_ACT) {
        facts_write(&rule->facts, facts, sizeof facts);
        rule->said[0] = '\0';
        utf8_append(rule->said, WHEN_SHOWN, rule->config->when);
        utf8_append(rule->said, sizeof rule->said, ": ");
        utf8_append(rule->said, sizeof rule->said, facts);
    } else if (verdict == REMEDY_WORSE) {
        say_worse(rule);
    }
    switch (verdict) {
    case REMEDY_WOULD:
        tell(s, rule, LOG_LEVEL_WARN, "a rule would act, and is only tried (mode: dry-run)", "would");
        break;
    case REMEDY_ACT:
        tell(s, rule, LOG_LEVEL_WARN, "a rule acts", "acted");
        keep(s, rule);
        remedies_act(s, rule, rule->said);
        return;
    case REMEDY_WORSE:
        tell(s, rule, LOG_LEVEL_ERROR, "a rule has made things worse, and has stopped itself", "worse");
        remedies_undo(s, rule, rule->said);
        remedy_disarm(rule->remedy);
        api_audit_own(s->api, "DisarmRule", rule->name, "sagad", rule->said);
        break;
    default:
        tell(s, rule, LOG_LEVEL_INFO, "what a rule did has not made things worse", "judged");
        break;
    }
    keep(s, rule);
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
    if (r == NULL || r->count == 0 || r->awaited > 0 || instant_before(clock_now(&s->clock), r->next))
        return;
    r->failed = false;
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
    return s->remedies == NULL || s->remedies->count == 0 || s->remedies->awaited > 0 ? INSTANT_NEVER
                                                                                      : s->remedies->next;
}

/* ---- for the api ---- */

bool remedies_list(void *self, struct arena *a, Saga__V1__ListRulesResponse *m)
{
    struct remedies *r = ((struct loop *)self)->remedies;
    size_t count = r == NULL ? 0 : r->count;
    m->rules = arena_take(a, (count + 1) * sizeof(*m->rules));
    for (size_t i = 0; m->rules != NULL && i < count; i++) {
        const struct rule *rule = r->rules[i];
        const struct config_remedy *c = rule->config;
        struct instant acted_at = remedy_mark(rule->remedy)->acted_at, since = remedy_true_since(rule->remedy);
        Saga__V1__Rule *one = arena_take(a, sizeof *one);
        if (one == NULL)
            return false;
        *one = message_of(rule);
        one->when = (char *)(uintptr_t)c->when;
        one->act = (Saga__V1__RuleAct)(c->act + 1);
        one->definition = (char *)(uintptr_t)c->definition;
        one->target = (char *)(uintptr_t)c->target;
        one->dry_run = !c->acts;
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
    struct rule *rule = s->remedies == NULL ? NULL : find(s->remedies, bytes_of_text(name));
    if (rule == NULL)
        return error_set(detail, E_RULE_NOT_FOUND, "name", NULL);
    if (arm) {
        remedy_arm(rule->remedy);
        snprintf(rule->said, sizeof rule->said, "armed by an operator");
    } else {
        snprintf(rule->said, sizeof rule->said, "taken back by an operator");
        remedies_undo(s, rule, rule->said);
        remedy_disarm(rule->remedy);
    }
    counters_remedy_armed(s, rule->name, arm);
    return write_row(s, rule) == 0 ? 0 : error_set(detail, E_MEMORY, "", NULL);
}
