/* A second reckoning of a rule of remediation: its questions answered by hand, and its machine written anew as its header tells it. Thousands of seeded steps
 * go through both, and the verdict, the mark and since when the question is true are compared after each. */
#include "sidecar/remedy/remedy.h"
#include "tests/support/beside.h"
#include "tests/support/counted_memory.h"

#include <string.h>

#define STEPS 160

/* Each of what is so, as a question and by hand. -1: nobody can tell. */
static int a_deadletter(const struct remedy_facts *f)
{
    return f->deadletters > 1;
}

static int an_old_deadletter(const struct remedy_facts *f)
{
    return f->oldest_deadletter.us >= 2000000;
}

static int many_live(const struct remedy_facts *f)
{
    return f->live == 2;
}

static int burns_5m(const struct remedy_facts *f)
{
    return f->burn_5m > 1.5;
}

static int burns_1h(const struct remedy_facts *f)
{
    return f->burn_1h > 1.5;
}

static int burns_6h(const struct remedy_facts *f)
{
    return f->burn_6h > 1.5;
}

static int is_open(const struct remedy_facts *f)
{
    return !f->has_target ? -1 : strcmp(f->breaker, "OPEN") == 0;
}

static int is_long_open(const struct remedy_facts *f)
{
    return !f->has_target ? -1 : f->breaker_open_for.us > 1000000;
}

static int is_unreachable(const struct remedy_facts *f)
{
    return !f->has_target ? -1 : f->unreachable_for.us > 1000000;
}

static int has_attempts(const struct remedy_facts *f)
{
    return !f->has_target ? -1 : f->attempts >= 3;
}

static int has_failed(const struct remedy_facts *f)
{
    return !f->has_target ? -1 : f->failed >= 2;
}

static int fails_often(const struct remedy_facts *f)
{
    return !f->has_target ? -1 : f->attempts > 0 && 2 * f->failed >= f->attempts;
}

static const struct {
    const char *when;
    int (*is)(const struct remedy_facts *f);
} questions[] = {
    {"deadletters > 1", a_deadletter},
    {"oldest_deadletter >= duration('2s')", an_old_deadletter},
    {"live == 2", many_live},
    {"burn_5m > 1.5", burns_5m},
    {"burn_1h > 1.5", burns_1h},
    {"burn_6h > 1.5", burns_6h},
    {"breaker == 'OPEN'", is_open},
    {"breaker_open_for > duration('1s')", is_long_open},
    {"unreachable_for > duration('1s')", is_unreachable},
    {"attempts >= 3", has_attempts},
    {"failed >= 2", has_failed},
    {"failed_share >= 0.5", fails_often},
};
#define QUESTIONS (sizeof questions / sizeof *questions)

struct sample {
    int64_t at;
    uint64_t all, good;
};

static struct model {
    struct remedy_options o;
    int (*is)(const struct remedy_facts *f);
    struct remedy_mark mark;
    int64_t true_since;
    struct sample samples[STEPS + 1];
    int count;
} model;

/* One sample a thirtieth of `settle`; none is of any use that is from before a count went back. Of the last 32 only. */
static void model_sample(const struct remedy_facts *f, int64_t now)
{
    const struct sample *last = model.count == 0 ? NULL : &model.samples[model.count - 1];
    bool anew = last != NULL && (f->all < last->all || f->good < last->good);
    if (anew)
        model.count = 0;
    else if (last != NULL && now - last->at < model.o.settle.us / 30)
        return;
    model.samples[model.count++] = (struct sample){.at = now, .all = f->all, .good = f->good};
    if (model.count > 32) {
        memmove(model.samples, model.samples + 1, 32 * sizeof *model.samples);
        model.count = 32;
    }
}

/* The last that is `settle` ago, or the first that there is. */
static struct sample model_before(int64_t now)
{
    for (int i = model.count - 1; i > 0; i--)
        if (now - model.samples[i].at >= model.o.settle.us)
            return model.samples[i];
    return model.samples[0];
}

static bool model_worse(const struct remedy_facts *f)
{
    const struct remedy_mark *m = &model.mark;
    if (m->before_all == 0 || f->all <= m->at_all || f->good < m->at_good)
        return false;
    uint64_t all = f->all - m->at_all, good = f->good - m->at_good;
    return good * m->before_all < m->before_good * all;
}

static void model_take_back(void)
{
    struct remedy_mark *m = &model.mark;
    if (m->acted_at.us != 0 && !m->taken_back)
        m->order = model.o.undone ? REMEDY_ORDER_UNDO : REMEDY_ORDER_NONE;
    m->disarmed = m->taken_back = true;
    m->pending = false;
}

static enum remedy_verdict model_look(const struct remedy_facts *f, int64_t now)
{
    struct remedy_mark *m = &model.mark;
    int64_t since_act = now - m->acted_at.us;
    model_sample(f, now);
    if (m->order == REMEDY_ORDER_NONE && m->held && !f->held) {
        m->disarmed = m->taken_back = true;
        m->held = m->pending = false;
        return REMEDY_LOOSED;
    }
    if (m->order == REMEDY_ORDER_ACT && (!model.o.acts || since_act >= model.o.every.us + model.o.settle.us)) {
        m->order = model.o.undone ? REMEDY_ORDER_UNDO : REMEDY_ORDER_NONE;
        m->held = m->held && model.o.undone;
        m->pending = false;
        m->taken_back = true;
        return REMEDY_LATE;
    }
    if (m->pending && since_act >= model.o.settle.us) {
        m->pending = false;
        if (model_worse(f)) {
            model_take_back();
            return REMEDY_WORSE;
        }
        return REMEDY_JUDGED;
    }
    if (model.is(f) != 1) {
        model.true_since = 0;
        return REMEDY_NOTHING;
    }
    model.true_since = model.true_since == 0 ? now : model.true_since;
    bool soon = now - model.true_since < model.o.lasts.us || (m->acted_at.us != 0 && since_act < model.o.every.us);
    if (soon || m->disarmed || m->pending || m->held || m->order != REMEDY_ORDER_NONE)
        return REMEDY_NOTHING;
    m->acts++;
    m->acted_at.us = now;
    m->taken_back = !model.o.acts;
    if (!model.o.acts)
        return REMEDY_WOULD;
    struct sample before = model_before(now);
    m->before_all = f->all - before.all;
    m->before_good = f->good - before.good;
    m->at_all = f->all;
    m->at_good = f->good;
    m->order = REMEDY_ORDER_ACT;
    m->held = model.o.holds;
    m->pending = model.o.judged;
    return REMEDY_ACT;
}

static bool model_answered(enum remedy_order order, uint64_t act, bool done)
{
    struct remedy_mark *m = &model.mark;
    if (order == REMEDY_ORDER_NONE || order != (enum remedy_order)m->order || act != m->acts)
        return false;
    m->order = REMEDY_ORDER_NONE;
    if (order == REMEDY_ORDER_UNDO || !done)
        m->held = false;
    if (order == REMEDY_ORDER_ACT && !done) {
        m->pending = false;
        m->taken_back = true;
    }
    return true;
}

static void compare(const struct remedy *r)
{
    const struct remedy_mark *a = remedy_mark(r), *b = &model.mark;
    must(a->disarmed == b->disarmed && a->pending == b->pending && a->held == b->held);
    must(a->taken_back == b->taken_back && a->order == b->order && a->acts == b->acts);
    must(a->acted_at.us == b->acted_at.us && a->before_all == b->before_all && a->before_good == b->before_good);
    must(a->at_all == b->at_all && a->at_good == b->at_good);
    must_be(remedy_true_since(r).us, model.true_since);
}

/* Counts go on, faster or slower, and now and then begin anew. */
static void some_facts(struct remedy_facts *f)
{
    static const char *const states[] = {"CLOSED", "OPEN", "HALF_OPEN"};
    uint64_t all = f->all, good = f->good;
    bool quiet = below(3) == 0, anew = below(60) == 0;
    uint64_t more = quiet ? 0 : (uint64_t)below(4);
    *f = (struct remedy_facts){.deadletters = (uint64_t)below(4),
                               .oldest_deadletter = {.us = below(4000000)},
                               .live = (uint64_t)below(4),
                               .burn_5m = (double)below(30) / 10,
                               .burn_1h = (double)below(30) / 10,
                               .burn_6h = (double)below(30) / 10,
                               .has_target = below(5) > 0,
                               .breaker = states[below(3)],
                               .breaker_open_for = {.us = below(2000000)},
                               .unreachable_for = {.us = below(2000000)},
                               .attempts = (uint64_t)below(6),
                               .all = anew ? 0 : all + more,
                               .good = anew ? 0 : good + (uint64_t)below((int64_t)more + 1),
                               .held = below(8) > 0};
    f->failed = (uint64_t)below((int64_t)f->attempts + 1);
}

static void one_world(int world, const struct memory *memory)
{
    struct remedy *r = NULL;
    struct error_detail detail;
    struct remedy_options o = {.when = questions[(size_t)world % QUESTIONS].when,
                               .acts = below(6) > 0,
                               .judged = below(3) > 0,
                               .holds = below(3) == 0,
                               .undone = below(2) == 0,
                               .lasts = {.us = below(2) * below(3000)},
                               .every = {.us = below(8000)},
                               .settle = {.us = 1 + below(9000)}};
    must_be(remedy_create(&o, memory, &r, &detail), 0);
    model = (struct model){.o = o, .is = questions[(size_t)world % QUESTIONS].is};
    if (below(3) == 0) {
        model.mark = (struct remedy_mark){.disarmed = below(3) == 0,
                                          .pending = below(2),
                                          .held = below(2),
                                          .taken_back = below(2),
                                          .order = (uint8_t)below(3),
                                          .acts = 5,
                                          .acted_at = {.us = 500000},
                                          .before_all = 9,
                                          .before_good = 7,
                                          .at_all = 3,
                                          .at_good = 2};
        remedy_restore(r, &model.mark);
    }
    struct remedy_facts f = {.all = 0};
    int64_t now = 500000 + below(3000);
    some_facts(&f);
    for (int step = 0; step < STEPS; step++) {
        int64_t what = below(40);
        if (what == 0) {
            remedy_arm(r);
            model.mark.disarmed = false;
            model.true_since = 0;
        } else if (what == 1) {
            remedy_take_back(r);
            model_take_back();
        } else if (what < 8) {
            enum remedy_order order = below(3) ? (enum remedy_order)model.mark.order : (enum remedy_order)below(3);
            uint64_t act = model.mark.acts + (below(8) == 0);
            bool done = below(3) > 0;
            must_be(remedy_answered(r, order, act, done), model_answered(order, act, done));
        } else {
            if (below(3))
                some_facts(&f);
            must_be(remedy_look(r, &f, (struct instant){.us = now}), model_look(&f, now));
        }
        compare(r);
        now += below(3) ? below(400) : below(4000);
    }
    bool asked = model.is(&f) >= 0;
    model.mark = (struct remedy_mark){.acts = 0};
    remedy_restore(r, &model.mark);
    remedy_look(r, &f, (struct instant){.us = now});
    must_be(remedy_trouble(r)[0] == '\0', asked);
    remedy_destroy(r);
}

START_TEST(remedy__is_what_a_second_reckoning_says)
{
    struct counted_memory counted = {.bytes = 0};
    struct memory memory = counted_memory(&counted);
    for (int world = 0; world < 180; world++) {
        one_world(world, &memory);
        must(counted.bytes == 0 && counted.blocks == 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("remedy_model");
    TCase *tc = tcase_create("model");
    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, remedy__is_what_a_second_reckoning_says);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
