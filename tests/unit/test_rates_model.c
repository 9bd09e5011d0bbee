/* A second reckoning of what is bounded by time: rates, budgets of retries, the pace of a target, admission and backoff. Each model is the
 * simplest that keeps its header's words, and takes thousands of seeded steps beside the module; all that can be seen is compared after each. */
#include "sidecar/resilience/admission.h"
#include "sidecar/resilience/backoff.h"
#include "sidecar/resilience/budget.h"
#include "sidecar/resilience/pace.h"
#include "tests/support/beside.h"

#include <stdlib.h>

#define WORLDS 300
#define STEPS  120

/* From nothing to far beyond what is asked about, mostly near. */
static int64_t some_time(int64_t about)
{
    static const int scale[] = {0, 1, 10, 100, 1000, 10000};
    return below(about * scale[below(6)] / 100 + 2);
}

/* ---- rates: a level of credit that time fills, in nanoseconds ---- */

struct rate_model {
    int64_t interval, most, level, at_ns;
    bool used; /* before the first there is one token, whatever the time */
};

static void rate_model_set(struct rate_model *m, uint32_t per_second, uint32_t burst)
{
    *m = (struct rate_model){.interval = per_second == 0 ? 0 : 1000000000 / per_second + (1000000000 % per_second > 0)};
    m->most = m->interval * burst;
}

static int64_t rate_model_level(const struct rate_model *m, int64_t now_us)
{
    int64_t level = m->level + (now_us * 1000 - m->at_ns);
    return level > m->most ? m->most : level;
}

static bool rate_model_admits(const struct rate_model *m, int64_t now_us, int64_t *again_us)
{
    if (m->interval == 0 || !m->used || rate_model_level(m, now_us) >= m->interval)
        return true;
    int64_t ns = now_us * 1000 + m->interval - rate_model_level(m, now_us);
    *again_us = ns / 1000 + (ns % 1000 > 0);
    return false;
}

static void rate_model_take(struct rate_model *m, int64_t now_us)
{
    m->level = m->used ? rate_model_level(m, now_us) - m->interval : 0;
    m->at_ns = now_us * 1000;
    m->used = true;
}

START_TEST(rates__a_rate_is_a_level_that_time_fills)
{
    for (int world = 0; world < WORLDS; world++) {
        struct rate_options o = {.per_second = (uint32_t)(world % 9 == 0 ? 0 : 1 + some_time(2000)),
                                 .burst = (uint32_t)(1 + below(9))};
        struct rate r = {0};
        struct rate_model m;
        rate_set(&r, &o);
        rate_model_set(&m, o.per_second, o.burst);
        must_be(r.per_second, o.per_second);
        struct instant now = {.us = 1 + below(1000000000)};
        for (int step = 0; step < STEPS; step++) {
            struct instant again = {.us = -5};
            int64_t expected = -5;
            bool admits = rate_admits(&r, now, &again);
            must_be(admits, rate_model_admits(&m, now.us, &expected));
            must_be(again.us, expected);
            if (admits && below(4) > 0) {
                rate_take(&r, now);
                rate_model_take(&m, now.us);
            }
            int64_t interval = o.per_second == 0 ? 1000 : 1000000 / o.per_second;
            now.us = !admits && below(2) ? again.us - below(2) : now.us + some_time(interval);
        }
    }
}
END_TEST

/* ---- a budget: thousandths of a retry, paid by whole milliseconds, calls and good answers ---- */

struct budget_model {
    int64_t percent, per_second, level, since_us; /* since_us: up to when time has paid; -1: it has not begun */
};

static void budget_model_gain(struct budget_model *m, int64_t thousandths)
{
    m->level += thousandths;
    if (m->level > m->per_second * 10000)
        m->level = m->per_second * 10000;
}

static void budget_model_pay(struct budget_model *m, int64_t now_us)
{
    if (m->since_us < 0)
        m->since_us = now_us;
    for (int64_t ms = (now_us - m->since_us) / 1000; ms > 0; ms -= 10000) /* more than ten seconds fill it anyway */
        budget_model_gain(m, (ms < 10000 ? ms : 10000) * m->per_second);
    m->since_us += (now_us - m->since_us) / 1000 * 1000;
}

static void budget_step(struct budget *b, struct budget_model *m, struct instant now)
{
    bool retry = below(3) > 0, undo = below(3) == 0;
    struct instant again = {.us = -7};
    struct budget_model then = *m;
    budget_model_pay(&then, now.us);
    must_be(budget_left(b, now), then.level);
    if (!retry) {
        budget_leave(b, false);
        budget_model_gain(m, m->percent * 10);
        return;
    }
    *m = then;
    int64_t needed = undo ? 1000 : 1000 + m->per_second * 10000 / 5;
    bool admits = budget_admits(b, now, undo, &again);
    must_be(admits, m->level >= needed);
    if (admits) {
        must_be(again.us, -7);
        budget_leave(b, true);
        m->level -= 1000;
        if (below(4) == 0) {
            budget_pay_back(b);
            budget_model_gain(m, 1000);
        }
        return;
    }
    int64_t ms = 0; /* the first millisecond by which time alone has paid */
    while (m->level + ms * m->per_second < needed)
        ms++;
    must_be(again.us, m->since_us + ms * 1000);
}

START_TEST(rates__a_budget_is_what_was_paid_less_what_was_spent)
{
    for (int world = 0; world < WORLDS; world++) {
        struct budget_options o = {.percent = (uint32_t)(1 + below(100)), .min_per_second = (uint32_t)(1 + below(5))};
        struct budget b = {.left = 5};
        struct budget_model m = {.percent = o.percent, .per_second = o.min_per_second, .since_us = -1};
        budget_set(&b, &o);
        struct instant now = {.us = 1 + below(1000000000)};
        for (int step = 0; step < STEPS; step++) {
            budget_step(&b, &m, now);
            now.us += some_time(world % 2 ? 100000 : 3000);
        }
        o.percent = 0;
        budget_set(&b, &o);
        budget_leave(&b, true);
        budget_leave(&b, false);
        budget_pay_back(&b);
        struct instant again = {.us = -7};
        must(budget_admits(&b, now, false, &again) && again.us == -7 && b.left == 0);
    }
}
END_TEST

/* ---- the pace: all answers are kept, with the window in which they came ---- */

struct pace_model {
    int64_t window_until[STEPS + 1], took[STEPS + 1], at[STEPS + 1];
    int window[STEPS + 1], windows, count;
};

static void pace_model_note(struct pace_model *m, int64_t took, int64_t now)
{
    if (m->windows == 0 || now >= m->window_until[m->windows - 1])
        m->window_until[m->windows++] = now + 10000000;
    m->took[m->count] = took;
    m->at[m->count] = now;
    m->window[m->count++] = m->windows - 1;
}

/* Of the open window, and of the one before when that ended less than a window before this one began. */
static int64_t pace_model_least(const struct pace_model *m, int64_t now)
{
    int64_t least = 0, last = INT64_MIN;
    int open = m->windows - 1;
    bool near = open > 0 && m->window_until[open] - 10000000 < m->window_until[open - 1] + 10000000;
    for (int i = 0; i < m->count; i++) {
        if (m->took[i] <= 0)
            continue;
        last = m->at[i];
        if ((m->window[i] == open || (near && m->window[i] == open - 1)) && (least == 0 || m->took[i] < least))
            least = m->took[i];
    }
    return last == INT64_MIN || now >= last + 1000000 ? 0 : least;
}

START_TEST(rates__a_pace_is_the_least_of_two_windows)
{
    for (int world = 0; world < WORLDS; world++) {
        struct pace p = {.least = {0}};
        static struct pace_model m;
        m = (struct pace_model){.count = 0};
        struct instant now = {.us = 20000000 + below(1000000000)};
        for (int step = 0; step < STEPS; step++) {
            struct span took = {.us = below(40) - 2};
            pace_note(&p, took, now);
            pace_model_note(&m, took.us, now.us);
            for (int look = 0; look < 3; look++) {
                struct instant then = {.us = now.us + below(3) * 500000 - (look == 2)};
                must_be(pace_least(&p, then).us, pace_model_least(&m, then.us));
            }
            now.us += below(world % 7 + 1) == 0 ? below(30) * 1000000 : below(900000);
        }
    }
}
END_TEST

/* ---- admission ---- */

struct admission_model {
    uint32_t live, live_max;
    int64_t ended, pace, told;
    struct rate_model rate;
};

static int64_t admission_model_tell(struct admission_model *m, int64_t now, int64_t room_at, int64_t pace)
{
    int64_t at = m->told + pace > room_at ? m->told + pace : room_at;
    at = at < now + 10000 ? now + 10000 : at > now + 60000000 ? now + 60000000 : at;
    m->told = at;
    return at - now;
}

static int64_t admission_model_guess(struct admission_model *m, int64_t now)
{
    int64_t pace = m->pace > 0 ? m->pace : 100000;
    int64_t quiet = m->ended > 0 && now - m->ended > pace ? now - m->ended : pace;
    return admission_model_tell(m, now, now + quiet, pace);
}

static void admission_model_end(struct admission_model *m, int64_t now)
{
    if (m->ended > 0 && now >= m->ended)
        m->pace = m->pace == 0 ? now - m->ended : m->pace + (now - m->ended - m->pace) / 8;
    m->ended = now;
}

static void admission_step(struct admission *a, struct admission_model *m, struct instant now)
{
    struct span delay = {.us = -3};
    int64_t expected = -3, again = now.us;
    if (below(3) == 0 && m->live > 0) {
        admission_end(a, now);
        admission_model_end(m, now.us);
        m->live--;
    } else if (below(12) == 0) {
        admission_note_end(a, now);
        admission_model_end(m, now.us);
    } else if (below(12) == 0 && m->live > 0) {
        admission_forget(a);
        m->live--;
    } else if (below(8) == 0) {
        must_be(admission_guess(a, now).us, admission_model_guess(m, now.us));
    } else {
        enum admission_verdict said = admission_asks(a, now, &delay), verdict = ADMISSION_OPEN;
        if (m->live_max > 0 && m->live >= m->live_max) {
            verdict = ADMISSION_LIVE;
            expected = admission_model_guess(m, now.us);
        } else if (!rate_model_admits(&m->rate, now.us, &again)) {
            verdict = ADMISSION_STARTS;
            expected = admission_model_tell(m, now.us, again, m->rate.interval / 1000 + (m->rate.interval % 1000 > 0));
        }
        must_be(said, verdict);
        must_be(delay.us, expected);
        if (said != ADMISSION_OPEN)
            return;
        admission_take(a, now);
        rate_model_take(&m->rate, now.us);
        admission_live(a);
        m->live++;
    }
    must_be(a->live, m->live);
}

START_TEST(rates__admission_tells_each_a_place_further_back)
{
    for (int world = 0; world < WORLDS; world++) {
        struct admission_options o = {.live_max = (uint32_t)below(4), .starts = {(uint32_t)below(30), 1 + below(4)}};
        struct admission a = {.live = 0};
        struct admission_model m = {.live_max = o.live_max};
        admission_set(&a, &o);
        rate_model_set(&m.rate, o.starts.per_second, o.starts.burst);
        must_be(admission_bounds(&a), o.live_max > 0 || o.starts.per_second > 0);
        struct instant now = {.us = 1 + below(1000000000)};
        for (int step = 0; step < STEPS; step++) {
            admission_step(&a, &m, now);
            now.us += some_time(world % 3 ? 50000 : 2000000);
            if (below(60) > 0)
                continue;
            struct rate_options before = o.starts;
            o.live_max = m.live_max = (uint32_t)below(4);
            o.starts.burst += below(2);
            o.starts.per_second += below(2);
            admission_set(&a, &o);
            m.told = 0;
            if (o.starts.burst != before.burst || o.starts.per_second != before.per_second)
                rate_model_set(&m.rate, o.starts.per_second, o.starts.burst);
        }
    }
}
END_TEST

/* ---- backoff ---- */

/* So many thousandths of a number, which may not overflow: digit by digit. */
static int64_t share_of(int64_t number, int64_t thousandths, int64_t most)
{
    int64_t whole = number / 1000, rest = number % 1000 * thousandths / 1000;
    for (int64_t i = 0; i < thousandths; i++) {
        if (whole > most - rest)
            return most;
        rest += whole;
    }
    return rest < most ? rest : most;
}

START_TEST(rates__backoff_grows_to_its_bound_and_is_spread)
{
    for (int world = 0; world < WORLDS * 10; world++) {
        struct backoff b = {.initial = {.us = below(world % 2 ? 3000 : 90000000000)},
                            .multiplier_permille = (uint32_t)(world % 5 ? 1000 + below(4000) : 900 + below(200)),
                            .jitter_permille = (uint32_t)(world % 3 ? below(1001) : world % 2 * 1000)};
        b.max.us = world % 11 ? b.initial.us + some_time(1000000) : world % 2 ? INT64_MAX / 2 : b.initial.us;
        unsigned failed = 1 + (unsigned)below(world % 4 ? 6 : 200);
        struct random used = {.state = (uint64_t)world}, expected = used;
        int64_t delay = b.initial.us;
        for (unsigned i = 1; i < failed && b.multiplier_permille > 1000 && delay < b.max.us; i++)
            delay = share_of(delay, b.multiplier_permille, b.max.us);
        if (b.jitter_permille > 0 && delay > 0) {
            int64_t jitter = share_of(delay, b.jitter_permille, delay);
            int64_t width = jitter + (b.max.us - delay < jitter ? b.max.us - delay : jitter);
            delay = delay - jitter + (int64_t)random_below(&expected, (uint64_t)width + 1);
        }
        must_be(backoff_delay(&b, failed, &used).us, delay);
        must_be(used.state, expected.state);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rates_model");
    TCase *tc = tcase_create("models");
    tcase_add_test(tc, rates__a_rate_is_a_level_that_time_fills);
    tcase_add_test(tc, rates__a_budget_is_what_was_paid_less_what_was_spent);
    tcase_add_test(tc, rates__a_pace_is_the_least_of_two_windows);
    tcase_add_test(tc, rates__admission_tells_each_a_place_further_back);
    tcase_add_test(tc, rates__backoff_grows_to_its_bound_and_is_spread);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
