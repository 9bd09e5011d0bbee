/* remedy.c - a question over facts, and a machine that is slow to act and quick to doubt itself. */
#include "sidecar/remedy/remedy.h"

#include "sidecar/base/check.h"
#include "sidecar/base/defect.h"
#include "sidecar/base/utf8.h"
#include "sidecar/expression/expression.h"
#include "sidecar/expression/type.h"

#include <stdio.h>

/* Of one evaluation: a question of a screen's length takes some hundreds. */
#define COST_MAX   UINT64_C(5000)
#define MEMORY_MAX (64u * 1024)
/* What was counted is remembered so many times in `settle`. */
#define SAMPLES 32

enum variable_id {
    V_DEADLETTERS,
    V_OLDEST_DEADLETTER,
    V_LIVE,
    V_BURN_5M,
    V_BURN_1H,
    V_BURN_6H,
    V_BREAKER,
    V_BREAKER_OPEN_FOR,
    V_UNREACHABLE_FOR,
    V_ATTEMPTS,
    V_FAILED,
    V_FAILED_SHARE,
    V_COUNT
};

static const struct {
    const char *name;
    const struct type *type;
} variables[V_COUNT] = {
    [V_DEADLETTERS] = {"deadletters", &type_int},
    [V_OLDEST_DEADLETTER] = {"oldest_deadletter", &type_duration},
    [V_LIVE] = {"live", &type_int},
    [V_BURN_5M] = {"burn_5m", &type_double},
    [V_BURN_1H] = {"burn_1h", &type_double},
    [V_BURN_6H] = {"burn_6h", &type_double},
    [V_BREAKER] = {"breaker", &type_string},
    [V_BREAKER_OPEN_FOR] = {"breaker_open_for", &type_duration},
    [V_UNREACHABLE_FOR] = {"unreachable_for", &type_duration},
    [V_ATTEMPTS] = {"attempts", &type_int},
    [V_FAILED] = {"failed", &type_int},
    [V_FAILED_SHARE] = {"failed_share", &type_double},
};

struct sample {
    struct instant at;
    uint64_t all, good;
};

struct remedy {
    const struct memory *memory;
    struct remedy_options options;
    struct pool pool, answer;
    const struct expression *when;
    struct remedy_mark mark;
    struct instant true_since;
    struct sample samples[SAMPLES]; /* a ring, `sample_count` of them, the oldest first */
    unsigned sample_first, sample_count;
    char trouble[160];
};

/* ---- reading ---- */

static int compile(struct remedy *r, struct error_detail *detail)
{
    struct variable names[V_COUNT];
    for (unsigned i = 0; i < V_COUNT; i++)
        names[i] = (struct variable){.name = bytes_of_text(variables[i].name), .type = variables[i].type};
    const struct environment environment = {.variables = names, .variable_count = V_COUNT};
    struct expression_error error;
    char said[32];
    int code = expression_compile(bytes_of_text(r->options.when), &environment, &r->pool, &r->when, &error);
    if (code == E_MEMORY)
        return error_set(detail, E_MEMORY, "", NULL);
    if (code != 0) {
        snprintf(said, sizeof said, "column %d: ", error.column);
        error_set(detail, E_ARGUMENT, "when", said);
        error_append(detail, error.text);
        return E_ARGUMENT;
    }
    enum type_kind kind = expression_type(r->when)->kind;
    return kind == TYPE_BOOL || kind == TYPE_DYN
               ? 0
               : error_set(detail, E_ARGUMENT, "when", "it is neither true nor false, as in: deadletters > 10");
}

int remedy_create(const struct remedy_options *options, const struct memory *memory, struct remedy **out,
                  struct error_detail *detail)
{
    struct remedy *r = memory->take_zeroed(memory->self, sizeof *r);
    if (r == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    r->memory = memory;
    r->options = *options;
    pool_init(&r->pool, memory, 8 * MEMORY_MAX);
    pool_init(&r->answer, memory, MEMORY_MAX);
    int code = compile(r, detail);
    r->options.when = NULL;
    if (code != 0)
        remedy_destroy(r);
    else
        *out = r;
    return code;
}

void remedy_destroy(struct remedy *r)
{
    if (r == NULL)
        return;
    pool_finish(&r->pool);
    pool_finish(&r->answer);
    r->memory->give_back(r->memory->self, r, sizeof *r);
}

void remedy_restore(struct remedy *r, const struct remedy_mark *mark)
{
    r->mark = *mark;
}

const struct remedy_mark *remedy_mark(const struct remedy *r)
{
    return &r->mark;
}

struct instant remedy_true_since(const struct remedy *r)
{
    return r->true_since;
}

const char *remedy_trouble(const struct remedy *r)
{
    return r->trouble;
}

/* ---- what was counted ---- */

static const struct sample *sample_at(const struct remedy *r, unsigned index)
{
    return &r->samples[(r->sample_first + index) % SAMPLES];
}

/* A counter that begins anew has nothing to do with what was counted before. */
static void add_sample(struct remedy *r, const struct remedy_facts *f, struct instant now)
{
    struct span apart = {.us = r->options.settle.us / (SAMPLES - 2)};
    if (r->sample_count > 0) {
        const struct sample *last = sample_at(r, r->sample_count - 1);
        if (f->all < last->all || f->good < last->good)
            r->sample_count = 0;
        else if (instant_since(now, last->at).us < apart.us)
            return;
    }
    if (r->sample_count == SAMPLES) {
        r->sample_first = (r->sample_first + 1) % SAMPLES;
        r->sample_count--;
    }
    r->samples[(r->sample_first + r->sample_count++) % SAMPLES] =
        (struct sample){.at = now, .all = f->all, .good = f->good};
}

/* In `settle` before now, as far back as is known. */
static void count_before(struct remedy *r, const struct remedy_facts *f, struct instant now)
{
    const struct sample *from = NULL;
    for (unsigned i = 0; i < r->sample_count; i++) {
        const struct sample *s = sample_at(r, i);
        if (from == NULL || instant_since(now, s->at).us >= r->options.settle.us)
            from = s;
    }
    CHECK(from != NULL && from->all <= f->all && from->good <= f->good);
    r->mark.before_all = f->all - from->all;
    r->mark.before_good = f->good - from->good;
    r->mark.at_all = f->all;
    r->mark.at_good = f->good;
}

/* Whether a smaller share went well after the act than before it. Where nothing was counted nobody can tell. */
static bool is_worse(const struct remedy *r, const struct remedy_facts *f)
{
    const struct remedy_mark *m = &r->mark;
    if (f->all <= m->at_all || f->good < m->at_good || m->before_all == 0)
        return false;
    if (DEFECT(RULE_IS_NEVER_WORSE))
        return false;
    double after = (double)(f->good - m->at_good) / (double)(f->all - m->at_all);
    return after < (double)m->before_good / (double)m->before_all;
}

/* ---- looking ---- */

/* Its act has found no answer by when it would be judged and may be done again: who knows what is so then. Whether it was done is not known. */
static bool is_late(const struct remedy *r, struct instant now)
{
    const struct remedy_mark *m = &r->mark;
    int64_t passed = instant_since(now, m->acted_at).us;
    bool of_use = r->options.acts && passed < r->options.every.us + r->options.settle.us;
    return m->order == REMEDY_ORDER_ACT && !of_use;
}

static struct datum span_datum(struct span span)
{
    return datum_duration(span.us * 1000);
}

static bool asks(struct remedy *r, const struct remedy_facts *f)
{
    struct datum v[V_COUNT];
    pool_finish(&r->answer);
    v[V_DEADLETTERS] = datum_int((int64_t)f->deadletters);
    v[V_OLDEST_DEADLETTER] = span_datum(f->oldest_deadletter);
    v[V_LIVE] = datum_int((int64_t)f->live);
    v[V_BURN_5M] = datum_double(f->burn_5m);
    v[V_BURN_1H] = datum_double(f->burn_1h);
    v[V_BURN_6H] = datum_double(f->burn_6h);
    for (unsigned i = V_BREAKER; i < V_COUNT; i++)
        v[i] = datum_absent;
    if (f->has_target) {
        v[V_BREAKER] = datum_string(bytes_of_text(f->breaker));
        v[V_BREAKER_OPEN_FOR] = span_datum(f->breaker_open_for);
        v[V_UNREACHABLE_FOR] = span_datum(f->unreachable_for);
        v[V_ATTEMPTS] = datum_int((int64_t)f->attempts);
        v[V_FAILED] = datum_int((int64_t)f->failed);
        v[V_FAILED_SHARE] = datum_double(f->attempts == 0 ? 0 : (double)f->failed / (double)f->attempts);
    }
    struct evaluation e = {.pool = &r->answer, .variables = v, .cost_max = COST_MAX};
    struct datum d = expression_evaluate(r->when, &e);
    r->trouble[0] = '\0';
    if (datum_failed(&d)) {
        char text[2 * sizeof r->trouble];
        snprintf(text, sizeof text, "%.*s", (int)d.failure->text.size, (const char *)d.failure->text.at);
        utf8_append(r->trouble, sizeof r->trouble, text);
    }
    return d.kind == DATUM_BOOL && d.b;
}

static bool may_act(const struct remedy *r, struct instant now)
{
    const struct remedy_mark *m = &r->mark;
    bool long_enough = instant_since(now, r->true_since).us >= r->options.lasts.us;
    bool seldom_enough = m->acted_at.us == 0 || instant_since(now, m->acted_at).us >= r->options.every.us;
    seldom_enough |= DEFECT(RULE_ACTS_OFTEN);
    return long_enough && seldom_enough && !m->pending && !m->held && m->order == REMEDY_ORDER_NONE;
}

enum remedy_verdict remedy_look(struct remedy *r, const struct remedy_facts *f, struct instant now)
{
    struct remedy_mark *m = &r->mark;
    add_sample(r, f, now);
    if (m->held && m->order == REMEDY_ORDER_NONE && !f->held) {
        m->held = m->pending = false;
        m->disarmed = m->taken_back = true;
        return REMEDY_LOOSED;
    }
    if (is_late(r, now)) {
        m->order = r->options.undone ? REMEDY_ORDER_UNDO : REMEDY_ORDER_NONE;
        m->pending = false;
        m->held &= r->options.undone;
        m->taken_back = true;
        return REMEDY_LATE;
    }
    if (m->pending && instant_since(now, m->acted_at).us >= r->options.settle.us) {
        m->pending = false;
        if (!is_worse(r, f))
            return REMEDY_JUDGED;
        remedy_take_back(r);
        return REMEDY_WORSE;
    }
    bool is_so = asks(r, f);
    if (!is_so)
        r->true_since = (struct instant){0};
    else if (r->true_since.us == 0)
        r->true_since = now;
    if (!is_so || (m->disarmed && !DEFECT(RULE_ACTS_DISARMED)) || !may_act(r, now))
        return REMEDY_NOTHING;
    m->acted_at = now;
    m->acts++;
    m->taken_back = !r->options.acts;
    if (!r->options.acts)
        return REMEDY_WOULD;
    m->held = r->options.holds;
    m->pending = r->options.judged;
    m->order = REMEDY_ORDER_ACT;
    count_before(r, f, now);
    return REMEDY_ACT;
}

void remedy_arm(struct remedy *r)
{
    r->mark.disarmed = false;
    r->true_since = (struct instant){0};
}

void remedy_take_back(struct remedy *r)
{
    struct remedy_mark *m = &r->mark;
    bool stands = m->acted_at.us != 0 && !m->taken_back && !DEFECT(RULE_IS_NOT_TAKEN_BACK);
    m->disarmed = m->taken_back = true;
    m->pending = false;
    if (stands)
        m->order = r->options.undone ? REMEDY_ORDER_UNDO : REMEDY_ORDER_NONE;
}

bool remedy_answered(struct remedy *r, enum remedy_order order, uint64_t act, bool done)
{
    struct remedy_mark *m = &r->mark;
    if (order == REMEDY_ORDER_NONE || m->order != order || (m->acts != act && !DEFECT(RULE_TAKES_ANY_ANSWER)))
        return false;
    m->order = REMEDY_ORDER_NONE;
    if (order == REMEDY_ORDER_UNDO)
        m->held = false;
    if (order == REMEDY_ORDER_ACT && !done && !DEFECT(RULE_REFUSED_IS_DONE)) {
        m->held = m->pending = false;
        m->taken_back = true;
    }
    return true;
}
