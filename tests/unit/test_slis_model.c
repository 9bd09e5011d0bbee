/* What objectives count, over every window, and what of it a restart finds again, reckoned a second time from plain lists: thousands of random ends, looks,
 * heartbeats that did not begin, other promises, and restarts, over months. */
#include "sidecar/base/random.h"
#include "sidecar/core/slis.h"
#include "sidecar/engine/saga.h"
#include "tests/support/core_owner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS      6 /* three definitions, and the heartbeats of each */
#define KEPT_MAX  4096
#define STEPS     3000
#define S(n)      (INT64_C(n) * 1000000)
#define WINDOWS   9
#define HISTORIES (S(90 * 24 * 3600) + S(24 * 3600))

static const char *const definitions[] = {"one", "two", "gone"};
static const int64_t windows[WINDOWS] = {0,        S(1),         S(60),         S(300),       S(3600),
                                         S(21600), S(86400 * 3), S(86400 * 30), S(86400 * 90)};

struct snapshot {
    int64_t at;
    struct sli_count counts[SLI_COUNT];
};

/* What is counted under one name. row, written: as the journal has it. */
struct reckoned {
    struct objective promise;
    bool promised, dirty;
    struct sli_count counts[SLI_COUNT], told[SLI_COUNT], row[SLI_COUNT];
    struct snapshot history[KEPT_MAX], written[KEPT_MAX];
    size_t count, written_count;
};
static struct reckoned rows[ROWS];
static struct objective promises[ROWS];
static unsigned order[ROWS], promise_count; /* which row the objective at this index is */
static int64_t look_at, snapshot_at, write_at;
static struct owner o;
static struct slis *slis;
static struct random rnd;

static unsigned draw(unsigned below)
{
    return (unsigned)random_below(&rnd, below);
}

static void promise(void)
{
    promise_count = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        struct reckoned *r = &rows[(i * 5 + 1) % ROWS];
        bool promised = draw(3) > 0;
        r->dirty |= r->promised && !promised;
        r->promised = promised;
        if (!promised)
            continue;
        r->promise = (struct objective){.definition = definitions[(r - rows) / 2],
                                        .synthetic = (r - rows) % 2 == 1,
                                        .promised = {99000, 95000, draw(2) * 99900},
                                        .latency = {S(1) + draw(3) * S(1)},
                                        .freshness = {S(2) + draw(3) * S(900)},
                                        .window = SPAN_S(86400)};
        order[promise_count] = (unsigned)(r - rows);
        promises[promise_count++] = r->promise;
    }
    /* That of which nothing is promised any more begins with other bounds when something is. */
    if (slis != NULL)
        ck_assert_int_eq(slis_promise(slis, promises, promise_count), 0);
}

static void saga_ends(void)
{
    static const uint8_t states[] = {SAGA_COMMITTED, SAGA_COMPENSATED, SAGA_RESOLVED};
    unsigned d = draw(3), synthetic = draw(4) == 0;
    struct reckoned *r = &rows[2 * d + synthetic];
    const struct saga saga = {.name = bytes_of_text(definitions[d]),
                              .synthetic = synthetic,
                              .reason = (uint8_t)draw(REASON_COUNT),
                              .started_at.us = o.now.us - draw(5) * S(1)};
    const struct record end = {.type = RECORD_ENDED, .at = o.now, .saga_state = states[draw(3)]};
    slis_ended(slis, &saga, &end);
    if (!r->promised)
        return;
    bool committed = end.saga_state == SAGA_COMMITTED;
    /* Refused, cancelled, aborted, or not as expected: somebody decided that. */
    bool decided = end.saga_state == SAGA_COMPENSATED &&
                   (saga.reason == 1 || saga.reason == 5 || saga.reason == 6 || saga.reason == 14);
    r->counts[SLI_SUCCESS].all++;
    r->counts[SLI_SUCCESS].bad += !committed && !decided;
    r->counts[SLI_LATENCY].all += committed;
    r->counts[SLI_LATENCY].bad += committed && o.now.us - saga.started_at.us > r->promise.latency.us;
    r->dirty = true;
}

static void heartbeat_is_missed(void)
{
    unsigned d = draw(3);
    struct reckoned *r = &rows[2 * d + 1];
    slis_missed(slis, definitions[d]);
    if (!r->promised)
        return;
    r->counts[SLI_SUCCESS].all++;
    r->counts[SLI_SUCCESS].bad++;
    r->dirty = true;
}

static bool due(int64_t *at, int64_t every)
{
    if (o.now.us < *at)
        return false;
    *at = o.now.us + every;
    return true;
}

static void look(void)
{
    for (unsigned i = 0; i < ROWS; i++) {
        struct reckoned *r = &rows[i];
        bool stale = false;
        if (!r->promised || r->promise.promised[SLI_FRESHNESS] == 0)
            continue;
        const struct engine *e = core_engine(o.core);
        for (const struct saga *s = engine_after(e, 0); s != NULL && i % 2 == 0; s = engine_after(e, s->id.serial))
            stale |= !saga_ended(s) && !s->synthetic && bytes_equal(s->name, bytes_of_text(definitions[i / 2])) &&
                     o.now.us - s->started_at.us >= r->promise.freshness.us;
        r->counts[SLI_FRESHNESS].all++;
        r->counts[SLI_FRESHNESS].bad += stale;
    }
}

/* How far apart those are kept that are so old. */
static int64_t apart(int64_t age)
{
    return age <= S(720)      ? S(60)
           : age <= S(7800)   ? S(300)
           : age <= S(90000)  ? S(1800)
           : age <= S(266400) ? S(7200)
                              : S(43200);
}

static void take_snapshot(struct reckoned *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        int64_t age = o.now.us - r->history[i].at, piece = apart(age);
        bool first = kept == 0 || r->history[kept - 1].at / piece != r->history[i].at / piece;
        if (first && age <= HISTORIES)
            r->history[kept++] = r->history[i];
    }
    r->history[kept].at = o.now.us;
    memcpy(r->history[kept].counts, r->counts, sizeof r->counts);
    r->count = kept + 1;
}

static void tick(void)
{
    ck_assert_int_eq(slis_tick(slis, o.core, o.now), 0);
    if (promise_count == 0)
        return;
    if (due(&look_at, S(10)))
        look();
    bool snapshot = due(&snapshot_at, S(60)), write = due(&write_at, S(300));
    for (unsigned i = 0; i < ROWS; i++) {
        if (rows[i].promised && snapshot)
            take_snapshot(&rows[i]);
        if (!rows[i].promised || !write)
            continue;
        rows[i].dirty = true;
        rows[i].written_count = rows[i].count;
        memcpy(rows[i].written, rows[i].history, rows[i].count * sizeof rows[i].history[0]);
    }
}

static void restart(void)
{
    slis_destroy(slis);
    owner_restart(&o);
    ck_assert_int_eq(slis_create(promises, promise_count, &o.memory, &slis), 0);
    ck_assert_int_eq(slis_recover(slis, o.store, &o.detail), 0);
    look_at = snapshot_at = write_at = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        struct reckoned *r = &rows[i];
        memcpy(r->counts, r->row, sizeof r->row);
        memset(r->told, 0, sizeof r->told);
        memcpy(r->history, r->written, r->written_count * sizeof r->written[0]);
        r->count = r->written_count;
    }
}

/* All that there is, less what there was when the window began: as of the last snapshot that is as old; without one nothing is taken off. */
static struct sli_count within(const struct reckoned *r, unsigned sli, int64_t window)
{
    struct sli_count c = r->counts[sli];
    for (size_t i = r->count; window > 0 && i-- > 0;)
        if (o.now.us - r->history[i].at >= window) {
            c.all -= r->history[i].counts[sli].all;
            c.bad -= r->history[i].counts[sli].bad;
            break;
        }
    return c;
}

static void compare(void)
{
    int64_t next = look_at < snapshot_at ? look_at : snapshot_at;
    next = promise_count == 0 ? INT64_MAX : next < write_at ? next : write_at;
    ck_assert_int_eq(slis_expiry(slis).us, next);
    ck_assert_ptr_null(slis_at(slis, promise_count));
    for (unsigned i = 0; i < promise_count; i++) {
        struct reckoned *r = &rows[order[i]];
        const struct objective *at = slis_at(slis, i);
        ck_assert_str_eq(at->definition, r->promise.definition);
        ck_assert_int_eq(at->synthetic, r->promise.synthetic);
        ck_assert_int_eq(at->latency.us, r->promise.latency.us);
        for (unsigned sli = 0; sli < SLI_COUNT; sli++) {
            for (unsigned w = 0; w < WINDOWS; w++) {
                struct sli_count is = slis_count(slis, i, (enum sli)sli, (struct span){windows[w]}, o.now);
                struct sli_count should = within(r, sli, windows[w]);
                ck_assert_uint_eq(is.all, should.all);
                ck_assert_uint_eq(is.bad, should.bad);
            }
            if (draw(8) > 0)
                continue;
            struct sli_count more = slis_take_new(slis, i, (enum sli)sli);
            ck_assert_uint_eq(more.all, r->counts[sli].all - r->told[sli].all);
            ck_assert_uint_eq(more.bad, r->counts[sli].bad - r->told[sli].bad);
            r->told[sli] = r->counts[sli];
        }
    }
}

/* What has been counted is in the journal with whatever is committed next. */
static void commit(void)
{
    ck_assert_int_eq(slis_close(slis, o.core), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_told(&o);
    for (unsigned i = 0; i < ROWS; i++)
        if (rows[i].dirty) {
            memcpy(rows[i].row, rows[i].counts, sizeof rows[i].row);
            rows[i].dirty = false;
        }
}

static void something_happens(void)
{
    static const int64_t long_whiles[] = {S(1), S(30), S(61), S(400), S(7000), S(86400), S(86400 * 9)};
    unsigned what = draw(20);
    o.now.us += draw(5) == 0 ? long_whiles[draw(7)] : (int64_t)draw(9000000);
    if (what < 6)
        saga_ends();
    else if (what < 8)
        heartbeat_is_missed();
    else if (what < 14)
        tick();
    else if (what < 16 && engine_counts(core_engine(o.core)).live < 8)
        owner_submit_start(&o, 1, definitions[draw(2)], NULL);
    else if (what < 17 && o.call_count > 0)
        owner_answer(&o, 0, "out");
    else if (what == 18 && draw(4) == 0)
        promise();
    else if (what == 19 && draw(4) == 0)
        restart();
}

START_TEST(slis_model__counts_are_what_was_reckoned)
{
    random_seed(&rnd, 3);
    owner_open(&o);
    promise();
    ck_assert_int_eq(slis_create(promises, promise_count, &o.memory, &slis), 0);
    for (unsigned i = 0; i < STEPS; i++) {
        something_happens();
        compare();
        commit();
    }
    slis_destroy(slis);
    owner_close(&o);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slis_model");
    TCase *tc = tcase_create("model");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, slis_model__counts_are_what_was_reckoned);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
