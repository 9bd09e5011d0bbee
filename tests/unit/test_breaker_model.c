/* A second reckoning of the circuit breaker: every answer is kept with the slice of time in which it came, and counted anew each time. Thousands of seeded
 * steps go through both, and all that can be seen is compared after each. */
#include "sidecar/resilience/breaker.h"
#include "tests/support/beside.h"

#include <stdlib.h>

#define STEPS 250

struct answer {
    int64_t slice; /* of time, since it was closed last */
    bool failed, slow;
};

struct model {
    struct breaker_options o;
    struct answer answers[STEPS], probes[STEPS];
    int count, probe_count, probes_out;
    int64_t slice, slice_ends;
    bool open, held;
    int openings;
    int64_t opened_at, open_until;
};

static int model_state(const struct model *m, int64_t now)
{
    return !m->open ? BREAKER_CLOSED : m->held || now < m->open_until ? BREAKER_OPEN : BREAKER_HALF_OPEN;
}

static bool too_many(const struct model *m, const struct answer *all, int count, int64_t from, int volume)
{
    int calls = 0, failed = 0, slow = 0;
    for (int i = 0; i < count; i++)
        if (all[i].slice > from) {
            calls++;
            failed += all[i].failed;
            slow += all[i].slow;
        }
    bool failing = m->o.failure_percent > 0 && 100 * failed >= calls * (int)m->o.failure_percent;
    bool dragging = m->o.slow_percent > 0 && 100 * slow >= calls * (int)m->o.slow_percent;
    return calls >= volume && (failing || dragging);
}

static void model_open(struct model *m, int64_t now)
{
    int64_t time = m->o.open.us;
    for (int i = 0; i < m->openings && time < m->o.open_max.us; i++)
        time *= 2;
    m->open = true;
    m->openings++;
    m->opened_at = now;
    m->open_until = now + (time < m->o.open_max.us ? time : m->o.open_max.us);
    m->count = m->probe_count = m->probes_out = 0;
}

static void model_close(struct model *m)
{
    m->open = m->held = false;
    m->openings = m->count = m->probe_count = m->probes_out = 0;
    m->open_until = 0;
}

static int model_good(const struct model *m)
{
    int good = 0;
    for (int i = 0; i < m->probe_count; i++)
        good += m->o.failure_percent == 0 || !m->probes[i].failed;
    return good;
}

static bool model_admits(const struct model *m, int64_t now, int64_t *again)
{
    *again = INT64_MAX;
    if (model_state(m, now) == BREAKER_OPEN && !m->held)
        *again = m->open_until;
    if (model_state(m, now) != BREAKER_HALF_OPEN)
        return !m->open;
    int started = m->probes_out + m->probe_count;
    return m->probes_out == 0 || started < (int)m->o.probes + 2 * model_good(m);
}

/* A slice begins where the last one ended, unless nothing was asked for the whole window. */
static void model_look(struct model *m, int64_t now)
{
    int64_t length = m->o.window.us / 10;
    int64_t passed = now < m->slice_ends ? 0 : (now - m->slice_ends) / length + 1;
    if (passed > 10) {
        m->slice += 10;
        m->slice_ends = now + length;
    } else {
        m->slice += passed;
        m->slice_ends += passed * length;
    }
}

static bool model_return(struct model *m, int64_t left, int64_t now, enum breaker_outcome outcome)
{
    struct answer a = {.failed = outcome == BREAKER_FAILED, .slow = now - left >= m->o.slow_call.us};
    int state = model_state(m, now);
    bool judged = m->open || m->o.failure_percent > 0 || m->o.slow_percent > 0;
    if (state == BREAKER_HALF_OPEN && left >= m->open_until) {
        m->probes_out--;
        if (outcome == BREAKER_NOTHING)
            return false;
        m->probes[m->probe_count++] = a;
        if (too_many(m, m->probes, m->probe_count, -1, (int)m->o.probes))
            model_open(m, now);
        else if (model_good(m) >= (int)m->o.volume)
            model_close(m);
        else
            return false;
        return true;
    }
    if (state != BREAKER_CLOSED || !judged || outcome == BREAKER_NOTHING || left < m->opened_at)
        return false;
    model_look(m, now);
    a.slice = m->slice;
    m->answers[m->count++] = a;
    if (!too_many(m, m->answers, m->count, m->slice - 10, (int)m->o.volume))
        return false;
    model_open(m, now);
    return true;
}

static void compare(const struct breaker *b, const struct model *m, int64_t now)
{
    struct instant at = {.us = now}, again = {0};
    int64_t expected = 0;
    must_be(breaker_state(b, at), model_state(m, now));
    must_be(breaker_admits(b, at, &again), model_admits(m, now, &expected));
    must_be(again.us, expected);
    must(b->mark.open == m->open && b->mark.held == m->held && (int)b->mark.openings == m->openings);
    must(b->mark.opened_at.us == m->opened_at && b->mark.open_until.us == m->open_until);
    breaker_check(b);
}

static struct breaker_options some_options(void)
{
    struct breaker_options o = {.window = {.us = below(6) ? 10 + below(3000) : 0},
                                .probes = 1 + (uint32_t)below(4),
                                .failure_percent = (uint32_t)(below(4) ? 1 + below(100) : 0),
                                .slow_percent = (uint32_t)(below(3) ? 0 : 1 + below(100)),
                                .slow_call = {.us = below(200)},
                                .status_codes = (uint32_t)random_next(&dice),
                                .open = {.us = 1 + below(400)}};
    o.volume = o.probes + (uint32_t)below(5);
    o.open_max.us = o.open.us + below(2000);
    return o;
}

static void set(struct breaker *b, struct model *m)
{
    struct breaker_options o = some_options();
    breaker_set(b, &o);
    m->o = o;
    if (o.window.us == 0) /* only a person opens it, for five seconds */
        m->o = (struct breaker_options){.window = SPAN_S(10),
                                        .volume = 1,
                                        .open = SPAN_S(5),
                                        .open_max = SPAN_S(5),
                                        .probes = 1,
                                        .status_codes = 0};
    for (int status = -1; status < 34; status++)
        must_be(breaker_outcome(b, status), status >= 1 && status <= 31 && (m->o.status_codes & UINT32_C(1) << status)
                                                ? BREAKER_FAILED
                                                : BREAKER_ANSWERED);
}

static void person(struct breaker *b, struct model *m, struct instant now)
{
    int what = (int)below(3);
    if (what == 2) {
        breaker_reset(b);
        model_close(m);
        return;
    }
    what == 0 ? breaker_trip(b, now) : breaker_hold(b, now);
    model_open(m, now.us);
    m->held = what == 1;
}

/* What a former process left: a mark, the same or with a time that no clock of ours has. */
static void restart(struct breaker *b, struct model *m, struct instant now)
{
    struct breaker_mark mark = b->mark;
    if (below(2))
        mark.open_until.us += mark.open ? below(10000) : 0;
    struct breaker_options o = m->o;
    *b = (struct breaker){.mark = {0}};
    breaker_set(b, &o);
    breaker_restore(b, &mark, now);
    m->count = m->probe_count = m->probes_out = 0;
    m->slice_ends = 0;
    m->open_until = mark.open_until.us < now.us + o.open_max.us ? mark.open_until.us : now.us + o.open_max.us;
}

static void one_world(void)
{
    static struct breaker b;
    static struct model m;
    int64_t left[STEPS];
    int out = 0;
    b = (struct breaker){.mark = {0}};
    m = (struct model){.count = 0};
    struct instant now = {.us = 1000000 + below(1000000)}, again;
    set(&b, &m);
    int64_t good = below(100);
    for (int step = 0; step < STEPS; step++) {
        if (below(3) && breaker_admits(&b, now, &again)) {
            breaker_leave(&b, now);
            m.probes_out += model_state(&m, now.us) == BREAKER_HALF_OPEN;
            left[out++] = now.us;
        } else if (out > 0 && below(40)) {
            int which = (int)below(out);
            enum breaker_outcome outcome = below(12) == 0      ? BREAKER_NOTHING
                                           : below(100) < good ? BREAKER_ANSWERED
                                                               : BREAKER_FAILED;
            must_be(breaker_return(&b, (struct instant){.us = left[which]}, now, outcome),
                    model_return(&m, left[which], now.us, outcome));
            left[which] = left[--out];
        } else if (below(20) == 0) {
            person(&b, &m, now);
        } else if (below(15) == 0) {
            restart(&b, &m, now);
            out = 0;
        } else if (below(30) == 0 && !m.open) {
            set(&b, &m);
        }
        compare(&b, &m, now.us);
        now.us += below(4) ? below(60) : below(30) ? below(600) : below(20000000);
        compare(&b, &m, now.us);
        if (below(20) == 0)
            good = below(100);
    }
}

START_TEST(breaker__is_what_a_second_reckoning_says)
{
    for (int world = 0; world < 600; world++)
        one_world();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("breaker_model");
    TCase *tc = tcase_create("model");
    tcase_add_test(tc, breaker__is_what_a_second_reckoning_says);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
