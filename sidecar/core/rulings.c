/* rulings.c - decided, written down, asked for, answered. */
#include "sidecar/core/rulings.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/base/utf8.h"

#include <stdio.h>
#include <string.h>

#define FORM_OF_VALUE 1
#define ROW_BYTES_MAX 2048
#define WHEN_SHOWN    71

struct ruling {
    const struct memory *memory;
    struct ruling_options options;
    struct remedy *remedy;
    char name[RULING_NAME_BYTES + 1];
    char when[WHEN_SHOWN + 1];
    char said[RULING_SAID_BYTES];
};

/* How a rule was left that may be in force, or not. */
struct left {
    struct left *next;
    struct remedy_mark mark;
    bool tried;            /* it only said what it would do */
    Saga__V1__RuleAct act; /* what its last act was: UNSPECIFIED in rows of old */
    char name[RULING_NAME_BYTES + 1];
    char definition[RULING_NAME_BYTES + 1], target[RULING_NAME_BYTES + 1];
    char said[RULING_SAID_BYTES];
};

struct rulings {
    struct memory memory;
    struct left *first;
    struct error_detail *detail; /* while rows are read */
};

/* ---- how rules were left ---- */

int rulings_create(const struct memory *memory, struct rulings **out)
{
    struct rulings *r = memory->take_zeroed(memory->self, sizeof *r);
    if (r == NULL)
        return E_MEMORY;
    r->memory = *memory;
    *out = r;
    return 0;
}

void rulings_destroy(struct rulings *r)
{
    if (r == NULL)
        return;
    struct memory memory = r->memory;
    for (struct left *l = r->first, *next; l != NULL; l = next) {
        next = l->next;
        memory_give_back(&memory, l, sizeof *l);
    }
    memory_give_back(&memory, r, sizeof *r);
}

static struct left *find(const struct rulings *r, const char *name)
{
    for (struct left *l = r->first; l != NULL; l = l->next)
        if (strcmp(l->name, name) == 0)
            return l;
    return NULL;
}

/* Texts are cut to what a sound row has. Returns 0 or E_MEMORY. */
static int leave(struct rulings *r, const Saga__V1__Rule *m, const struct remedy_mark *mark)
{
    struct left *l = find(r, m->name);
    if (l == NULL) {
        l = r->memory.take_zeroed(r->memory.self, sizeof *l);
        if (l == NULL)
            return E_MEMORY;
        snprintf(l->name, sizeof l->name, "%s", m->name);
        l->next = r->first;
        r->first = l;
    }
    l->mark = *mark;
    l->tried = m->dry_run && mark->taken_back && mark->order == REMEDY_ORDER_NONE;
    l->act = m->act;
    snprintf(l->definition, sizeof l->definition, "%s", m->definition);
    snprintf(l->target, sizeof l->target, "%s", m->target);
    snprintf(l->said, sizeof l->said, "%s", m->said);
    return 0;
}

/* A rule that the configuration has no more stays in the journal, as it was left. */
static int take_row(void *self, const struct subject_row *row)
{
    struct rulings *r = self;
    Saga__V1__Rule *m =
        row->version != FORM_OF_VALUE ? NULL : saga__v1__rule__unpack(NULL, row->value.size, row->value.at);
    if (m == NULL || m->name[0] == '\0' || strlen(m->name) > RULING_NAME_BYTES) {
        if (m != NULL)
            saga__v1__rule__free_unpacked(m, NULL);
        return error_set(r->detail, E_JOURNAL_CORRUPT, "", "a row of the table subjects tells of no rule");
    }
    const struct remedy_mark mark = {
        .disarmed = m->disarmed,
        .pending = m->pending,
        .held = m->held,
        .taken_back = m->taken_back,
        .order = DEFECT(RULE_ORDER_FORGOTTEN) ? REMEDY_ORDER_NONE : (uint8_t)m->order,
        .acts = m->acts,
        .acted_at.us = m->acted_at == NULL ? 0 : m->acted_at->seconds * 1000000 + m->acted_at->nanos / 1000,
        .before_all = m->before_all,
        .before_good = m->before_good,
        .at_all = m->at_all,
        .at_good = m->at_good,
    };
    int code = leave(r, m, &mark);
    saga__v1__rule__free_unpacked(m, NULL);
    return code == 0 ? 0 : error_set(r->detail, code, "", NULL);
}

int rulings_recover(struct rulings *r, struct store *store, struct error_detail *detail)
{
    r->detail = detail;
    return store->scan_subjects(store, SUBJECT_REMEDY, take_row, r, detail);
}

/* ---- a rule in force ---- */

int ruling_create(const struct ruling_options *options, const struct memory *memory, struct ruling **out,
                  struct error_detail *detail)
{
    struct ruling *r = memory->take_zeroed(memory->self, sizeof *r);
    if (r == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    r->memory = memory;
    r->options = *options;
    snprintf(r->name, sizeof r->name, "%s", options->name);
    utf8_append(r->when, sizeof r->when, options->remedy.when);
    int code = remedy_create(&options->remedy, memory, &r->remedy, detail);
    if (code != 0) {
        memory_give_back(memory, r, sizeof *r);
        return code;
    }
    r->options.name = r->name;
    r->options.remedy.when = NULL;
    *out = r;
    return 0;
}

void ruling_destroy(struct ruling *r)
{
    if (r == NULL)
        return;
    remedy_destroy(r->remedy);
    memory_give_back(r->memory, r, sizeof *r);
}

/* Whether they are judged by the same counts. */
static bool judged_alike(const struct ruling *a, const struct ruling *b)
{
    return a->options.by_objective == b->options.by_objective &&
           strcmp(a->options.definition, b->options.definition) == 0 &&
           strcmp(a->options.target, b->options.target) == 0;
}

/* What another did, or did to something else, is not this one's to take back: it stays as it is. */
static bool did_the_same(const struct left *l, const struct ruling *r)
{
    return l->act == SAGA__V1__RULE_ACT__RULE_ACT_UNSPECIFIED ||
           (l->act == r->options.act && strcmp(l->definition, r->options.definition) == 0 &&
            strcmp(l->target, r->options.target) == 0);
}

void ruling_go_on(struct ruling *r, const struct rulings *left, bool at_start, struct ruling *before, bool same)
{
    const struct left *l = find(left, r->name);
    if (l != NULL) {
        struct remedy_mark mark = l->mark;
        if (at_start && !r->options.by_objective)
            mark.at_all = mark.at_good = 0; /* all that there are came after the act */
        mark.pending &= r->options.remedy.acts && (before == NULL || judged_alike(before, r));
        mark.held &= r->options.remedy.holds;
        if (l->tried && r->options.remedy.acts)
            mark.acted_at.us = 0; /* it has not acted yet, and need not wait for `every` */
        if (!did_the_same(l, r)) {
            mark.held = mark.pending = false;
            mark.taken_back = true;
            mark.order = REMEDY_ORDER_NONE;
        }
        remedy_restore(r->remedy, &mark);
        snprintf(r->said, sizeof r->said, "%s", l->said);
    }
    if (before != NULL && same && judged_alike(before, r)) {
        struct remedy *made = r->remedy;
        r->remedy = before->remedy;
        before->remedy = made;
    }
}

int ruling_leave(const struct ruling *r, struct rulings *left)
{
    Saga__V1__Rule m = ruling_message(r);
    return leave(left, &m, remedy_mark(r->remedy));
}

/* ---- rows ---- */

Saga__V1__Rule ruling_message(const struct ruling *r)
{
    const struct remedy_mark *mark = remedy_mark(r->remedy);
    Saga__V1__Rule m = SAGA__V1__RULE__INIT;
    m.name = (char *)(uintptr_t)r->name;
    m.act = r->options.act;
    m.definition = (char *)(uintptr_t)r->options.definition;
    m.target = (char *)(uintptr_t)r->options.target;
    m.dry_run = !r->options.remedy.acts;
    m.disarmed = mark->disarmed;
    m.pending = mark->pending;
    m.held = mark->held;
    m.taken_back = mark->taken_back;
    m.order = (Saga__V1__RuleOrder)mark->order;
    m.acts = mark->acts;
    m.before_all = mark->before_all;
    m.before_good = mark->before_good;
    m.at_all = mark->at_all;
    m.at_good = mark->at_good;
    m.said = (char *)(uintptr_t)r->said;
    return m;
}

static int write_row(const struct ruling *r, struct core *core)
{
    uint8_t value[ROW_BYTES_MAX];
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    Saga__V1__Rule m = ruling_message(r);
    int64_t us = remedy_mark(r->remedy)->acted_at.us;
    at.seconds = us / 1000000;
    at.nanos = (int32_t)(us % 1000000) * 1000;
    m.acted_at = us == 0 ? NULL : &at;
    size_t size = saga__v1__rule__get_packed_size(&m);
    CHECK(size <= sizeof value);
    saga__v1__rule__pack(&m, value);
    const struct subject_row row = {.kind = SUBJECT_REMEDY,
                                    .name = bytes_of_text(r->name),
                                    .version = FORM_OF_VALUE,
                                    .value = bytes_of(value, size)};
    return DEFECT(RULE_NOT_KEPT) ? 0 : core_set_subject(core, &row);
}

/* ---- deciding ---- */

/* "deadletters > 3: deadletters=12 breaker=OPEN": its question, and what that was true of. */
static void say_facts(struct ruling *r, const struct remedy_facts *f)
{
    char facts[160];
    int used = snprintf(facts, sizeof facts, "deadletters=%llu burn_5m=%.3g burn_1h=%.3g",
                        (unsigned long long)f->deadletters, f->burn_5m, f->burn_1h);
    if (f->has_target && used > 0 && (size_t)used < sizeof facts)
        snprintf(facts + used, sizeof facts - (size_t)used, " breaker=%s attempts=%llu failed=%llu", f->breaker,
                 (unsigned long long)f->attempts, (unsigned long long)f->failed);
    r->said[0] = '\0';
    utf8_append(r->said, WHEN_SHOWN, r->when);
    utf8_append(r->said, sizeof r->said, ": ");
    utf8_append(r->said, sizeof r->said, facts);
}

/* What was so before and after the act that made things worse. */
static void say_worse(struct ruling *r, const struct remedy_facts *f)
{
    const struct remedy_mark *m = remedy_mark(r->remedy);
    snprintf(r->said, sizeof r->said,
             "it made things worse, and is disarmed: before its act %llu of %llu went well, after it %llu of %llu",
             (unsigned long long)m->before_good, (unsigned long long)m->before_all,
             (unsigned long long)(f->good - m->at_good), (unsigned long long)(f->all - m->at_all));
}

static void say(struct ruling *r, const char *what, const char *why)
{
    snprintf(r->said, sizeof r->said, "%s", what);
    utf8_append(r->said, sizeof r->said, why);
}

int ruling_look(struct ruling *r, struct core *core, const struct remedy_facts *facts, struct instant now,
                enum remedy_verdict *verdict)
{
    *verdict = remedy_look(r->remedy, facts, now);
    switch (*verdict) {
    case REMEDY_NOTHING:
        if (remedy_trouble(r->remedy)[0] != '\0' && ruling_order(r) == REMEDY_ORDER_NONE)
            say(r, "its question cannot be answered: ", remedy_trouble(r->remedy));
        return 0;
    case REMEDY_WOULD:
    case REMEDY_ACT:
        say_facts(r, facts);
        break;
    case REMEDY_WORSE:
        say_worse(r, facts);
        break;
    case REMEDY_LATE:
        say(r, "nobody knows whether its last act was done: it is taken back", "");
        break;
    case REMEDY_LOOSED:
        say(r, "somebody else took back what it did, and it is disarmed", "");
        break;
    case REMEDY_JUDGED:
        break;
    }
    return write_row(r, core);
}

int ruling_arm(struct ruling *r, struct core *core)
{
    remedy_arm(r->remedy);
    if (ruling_order(r) == REMEDY_ORDER_NONE)
        say(r, "armed by an operator", "");
    return write_row(r, core);
}

int ruling_take_back(struct ruling *r, struct core *core)
{
    remedy_take_back(r->remedy);
    say(r, "taken back by an operator", "");
    return write_row(r, core);
}

enum remedy_order ruling_order(const struct ruling *r)
{
    return (enum remedy_order)remedy_mark(r->remedy)->order;
}

int ruling_answered(struct ruling *r, struct core *core, enum remedy_order order, uint64_t act, const char *why)
{
    if (!remedy_answered(r->remedy, order, act, why == NULL))
        return 0;
    if (why != NULL)
        say(r, "it could not be done: ", why);
    return write_row(r, core);
}

/* ---- to look at ---- */

const struct remedy_mark *ruling_mark(const struct ruling *r)
{
    return remedy_mark(r->remedy);
}

const char *ruling_name(const struct ruling *r)
{
    return r->name;
}

const char *ruling_said(const struct ruling *r)
{
    return r->said;
}

struct instant ruling_true_since(const struct ruling *r)
{
    return remedy_true_since(r->remedy);
}
