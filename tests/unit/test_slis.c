/* What objectives count: ends and looks, over any window, in what a crash leaves too. */
#include "sidecar/core/slis.h"

#include "sidecar/core/heap.h"
#include "sidecar/engine/saga.h"
#include "tests/support/core_owner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct owner o;
static struct slis *slis;
static struct instant began;

#define SECONDS(n) \
    { \
        .us = INT64_C(n) * 1000000 \
    }

static const struct objective objectives[] = {
    {.definition = "one",
     .promised = {99000, 95000, 99900},
     .latency = SECONDS(2),
     .freshness = SECONDS(1),
     .window = SECONDS(2592000)},
    {.definition = "two", .promised = {[SLI_FRESHNESS] = 99900}, .freshness = SECONDS(60), .window = SECONDS(86400)},
};

static void open_slis(void)
{
    struct error_detail detail;
    ck_assert_int_eq(slis_create(objectives, 2, &heap, &slis), 0);
    ck_assert_int_eq(slis_recover(slis, o.store, &detail), 0);
}

static void setup(void)
{
    owner_init(&o);
    o.live_sagas_max = 4000;
    ck_assert_int_eq(owner_start(&o), 0);
    ck_assert_int_eq(owner_register(&o, owner_one_step), 0);
    ck_assert_int_eq(owner_register(&o, owner_two_steps), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    began = o.now;
    open_slis();
}

static void teardown(void)
{
    slis_destroy(slis);
    owner_close(&o);
}

static void restart(void)
{
    slis_destroy(slis);
    owner_restart(&o);
    open_slis();
}

static void go_to(int64_t s)
{
    o.now.us = began.us + s * 1000000;
}

static void tick(int64_t s)
{
    go_to(s);
    ck_assert_int_eq(slis_tick(slis, o.core, o.now), 0);
    ck_assert_int_eq(slis_close(slis, o.core), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
}

/* A saga of "one" ends in this way, so long after its start. */
static void end(uint8_t state, uint8_t reason, int64_t took_ms)
{
    const struct saga saga = {
        .name = bytes_of_text("one"), .reason = reason, .started_at = {o.now.us - took_ms * 1000}};
    slis_ended(slis, &saga, &(struct record){.type = RECORD_ENDED, .saga_state = state, .at = o.now});
}

static void assert_counted(enum sli sli, int64_t window_s, uint64_t all, uint64_t bad)
{
    struct sli_count c = slis_count(slis, 0, sli, SPAN_S(window_s), o.now);
    ck_assert_msg(c.all == all && c.bad == bad, "%s of %lld s: %lu, %lu bad", sli_names[sli], (long long)window_s,
                  (unsigned long)c.all, (unsigned long)c.bad);
}

START_TEST(slis__what_somebody_decided_is_kept_all_the_same)
{
    static const struct {
        uint8_t state, reason;
        bool bad;
    } rows[] = {
        {SAGA_COMMITTED, REASON_NONE, false},
        {SAGA_COMPENSATED, REASON_ACTION_REJECTED, false},
        {SAGA_COMPENSATED, REASON_CANCELLED, false},
        {SAGA_COMPENSATED, REASON_ABORTED, false},
        {SAGA_COMPENSATED, REASON_UNEXPECTED_ANSWER, false},
        {SAGA_COMPENSATED, REASON_ACTION_UNKNOWN, true},
        {SAGA_COMPENSATED, REASON_ATTEMPTS_SPENT, true},
        {SAGA_COMPENSATED, REASON_UNREACHABLE, true},
        {SAGA_COMPENSATED, REASON_DEADLINE, true},
        {SAGA_COMPENSATED, REASON_LEASE, true},
        {SAGA_COMPENSATED, REASON_OVERLOADED, true},
        {SAGA_RESOLVED, REASON_ACTION_REJECTED, true},
    };
    uint64_t bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(sli_is_bad(rows[i].state, rows[i].reason) == rows[i].bad, "row %zu", i);
        end(rows[i].state, rows[i].reason, 5000);
        bad += rows[i].bad;
    }
    assert_counted(SLI_SUCCESS, 0, sizeof rows / sizeof rows[0], bad);
    assert_counted(SLI_LATENCY, 0, 1, 1); /* of those that were committed */
}
END_TEST

START_TEST(slis__late_is_later_than_was_promised)
{
    end(SAGA_COMMITTED, REASON_NONE, 1999);
    end(SAGA_COMMITTED, REASON_NONE, 2000);
    assert_counted(SLI_LATENCY, 0, 2, 0);
    end(SAGA_COMMITTED, REASON_NONE, 2001);
    assert_counted(SLI_LATENCY, 0, 3, 1);
    assert_counted(SLI_SUCCESS, 0, 3, 0);
}
END_TEST

START_TEST(slis__a_window_has_what_came_within_it)
{
    tick(0);
    end(SAGA_COMMITTED, REASON_NONE, 1);
    end(SAGA_COMPENSATED, REASON_DEADLINE, 1);
    tick(60);
    end(SAGA_COMMITTED, REASON_NONE, 5000);
    end(SAGA_COMMITTED, REASON_NONE, 1);
    end(SAGA_COMMITTED, REASON_NONE, 1);
    tick(120);
    go_to(130);
    assert_counted(SLI_SUCCESS, 0, 5, 1);
    assert_counted(SLI_SUCCESS, 60, 3, 0);
    assert_counted(SLI_LATENCY, 60, 3, 1);
    assert_counted(SLI_SUCCESS, 10, 0, 0);
    assert_counted(SLI_SUCCESS, 100, 5, 1);
    assert_counted(SLI_SUCCESS, DAY, 5, 1); /* there was nothing before */
}
END_TEST

/* What was counted before anything was remembered is in every window that reaches back so far. */
START_TEST(slis__a_window_that_reaches_back_to_the_start_has_everything)
{
    end(SAGA_COMPENSATED, REASON_DEADLINE, 1);
    end(SAGA_COMMITTED, REASON_NONE, 1);
    assert_counted(SLI_SUCCESS, 60, 2, 1);
    tick(0);
    end(SAGA_COMMITTED, REASON_NONE, 1);
    go_to(59);
    assert_counted(SLI_SUCCESS, 60, 3, 1);
    assert_counted(SLI_SUCCESS, 30 * DAY, 3, 1);
    go_to(60);
    assert_counted(SLI_SUCCESS, 60, 1, 0);
    assert_counted(SLI_SUCCESS, 61, 3, 1);
}
END_TEST

/* Counts are durable with the ends that they count, what they were is with the next five minutes. */
START_TEST(slis__a_crash_forgets_neither_counts_nor_what_they_were)
{
    tick(0);
    for (int64_t s = 60; s <= 300; s += 60) {
        end(SAGA_COMPENSATED, REASON_DEADLINE, 1);
        tick(s);
    }
    end(SAGA_COMMITTED, REASON_NONE, 1);
    ck_assert_int_eq(slis_close(slis, o.core), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    for (int lives = 0; lives < 2; lives++) {
        go_to(310);
        assert_counted(SLI_SUCCESS, 0, 6, 5);
        assert_counted(SLI_SUCCESS, 10, 1, 0);
        assert_counted(SLI_SUCCESS, 120, 3, 2);
        assert_counted(SLI_SUCCESS, HOUR, 6, 5);
        struct sli_count new = slis_take_new(slis, 0, SLI_SUCCESS);
        ck_assert(new.all == 6 && new.bad == 5);
        new = slis_take_new(slis, 0, SLI_SUCCESS);
        ck_assert(new.all == 0 && new.bad == 0);
        restart();
    }
}
END_TEST

static const struct {
    int64_t window_s, more_s;
} windows[] = {{5 * MINUTE, MINUTE}, {30 * MINUTE, 5 * MINUTE}, {HOUR, 5 * MINUTE},  {2 * HOUR, 5 * MINUTE},
               {6 * HOUR, HOUR / 2}, {DAY, HOUR / 2},           {3 * DAY, 2 * HOUR}, {30 * DAY, DAY / 2}};

/* With one end a minute. */
static void assert_windows(void)
{
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        uint64_t all = slis_count(slis, 0, SLI_SUCCESS, SPAN_S(windows[i].window_s), o.now).all;
        ck_assert_msg(all >= (uint64_t)windows[i].window_s / MINUTE &&
                          all <= (uint64_t)(windows[i].window_s + windows[i].more_s) / MINUTE + 1,
                      "%lld s at %lld: %lu", (long long)windows[i].window_s, (long long)o.now.us / 1000000,
                      (unsigned long)all);
    }
}

/* For months: what is kept stays small, and a window is never shorter than it is called, and longer by its part alone. */
START_TEST(slis__what_is_old_is_kept_coarsely)
{
    for (int64_t s = 0; s <= 101 * DAY; s += MINUTE) {
        end(SAGA_COMMITTED, REASON_NONE, 1);
        tick(s);
        /* Whatever the hour, as pieces of time begin at whole ones. */
        if (s > 100 * DAY && s / MINUTE % 97 == 0)
            assert_windows();
    }
}
END_TEST

/* A definition is as old as its oldest saga that lives, and no older; a heartbeat says nothing of that. */
START_TEST(slis__freshness_is_looked_at)
{
    owner_submit(&o, (struct event){.type = EVENT_BEGIN, .name = bytes_of_text("one"), .synthetic = true});
    ck_assert_int_eq(owner_commit(&o), 0);
    o.now.us += 5 * 1000000;
    began = o.now;
    owner_submit_start(&o, 1, "two", NULL);
    owner_submit_start(&o, 2, "one", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    go_to(0);
    tick(0);
    assert_counted(SLI_FRESHNESS, 0, 1, 0);
    tick(9); /* it is not time yet */
    assert_counted(SLI_FRESHNESS, 0, 1, 0);
    tick(10);
    assert_counted(SLI_FRESHNESS, 0, 2, 1);
    struct sli_count two = slis_count(slis, 1, SLI_FRESHNESS, (struct span){0}, o.now);
    ck_assert(two.all == 2 && two.bad == 0);
    tick(70);
    two = slis_count(slis, 1, SLI_FRESHNESS, (struct span){0}, o.now);
    ck_assert(two.all == 3 && two.bad == 1);
    owner_finish_all(&o);
    tick(80);
    assert_counted(SLI_FRESHNESS, 0, 4, 2);
}
END_TEST

/* There are too many old ones to look at all: nothing is said of a definition whose sagas were not come to. */
START_TEST(slis__what_was_not_looked_at_is_neither_good_nor_bad)
{
    enum { LOOKED_AT = 2000 };
    for (unsigned i = 0; i < LOOKED_AT; i++) {
        owner_submit(&o, (struct event){.type = EVENT_BEGIN, .name = bytes_of_text(i == 0 ? "two" : "one")});
        if (i % 50 == 0)
            ck_assert_int_eq(owner_commit(&o), 0);
    }
    ck_assert_int_eq(owner_commit(&o), 0);
    tick(10);
    struct sli_count two = slis_count(slis, 1, SLI_FRESHNESS, (struct span){0}, o.now);
    ck_assert_msg(two.all == 0, "%lu",
                  (unsigned long)two.all); /* it was looked at, and is young; others may be behind */
    tick(70);
    two = slis_count(slis, 1, SLI_FRESHNESS, (struct span){0}, o.now);
    ck_assert(two.all == 1 && two.bad == 1); /* an old one was found: that is known */
    assert_counted(SLI_FRESHNESS, 0, 2, 2);
}
END_TEST

/* Counts go on, whatever was promised between, in this process and in the next. */
START_TEST(slis__what_is_promised_again_goes_on)
{
    static const struct objective three = {.definition = "three", .promised = {99000}, .window = SECONDS(86400)};
    end(SAGA_COMMITTED, REASON_NONE, 1);
    ck_assert_int_eq(slis_promise(slis, &three, 1), 0);
    end(SAGA_COMMITTED, REASON_NONE, 1); /* nothing is promised of it now */
    ck_assert_str_eq(slis_at(slis, 0)->definition, "three");
    ck_assert_ptr_null(slis_at(slis, 1));
    tick(10);
    ck_assert_int_eq(slis_promise(slis, objectives, 2), 0);
    assert_counted(SLI_SUCCESS, 0, 1, 0);
    ck_assert_int_eq(slis_promise(slis, &three, 1), 0);
    slis_destroy(slis);
    owner_restart(&o);
    struct error_detail detail;
    ck_assert_int_eq(slis_create(&three, 1, &heap, &slis), 0);
    ck_assert_int_eq(slis_recover(slis, o.store, &detail), 0);
    ck_assert_int_eq(slis_promise(slis, objectives, 2), 0);
    assert_counted(SLI_SUCCESS, 0, 1, 0);
    end(SAGA_COMMITTED, REASON_NONE, 1);
    assert_counted(SLI_SUCCESS, 0, 2, 0);
    ck_assert_int_eq(slis_promise(slis, NULL, 0), 0);
    ck_assert_ptr_null(slis_at(slis, 0));
}
END_TEST

/* Looks are written down once in a while only, and with the end of what was promised. */
START_TEST(slis__the_last_looks_of_a_promise_are_kept)
{
    static const struct objective three = {.definition = "three", .promised = {99000}, .window = SECONDS(86400)};
    tick(0);
    tick(10);
    tick(20);
    assert_counted(SLI_FRESHNESS, 0, 3, 0);
    ck_assert_int_eq(slis_promise(slis, &three, 1), 0);
    tick(25);
    restart();
    assert_counted(SLI_FRESHNESS, 0, 3, 0);
}
END_TEST

/* Once in a while is every five minutes, also where no saga has ended since. */
START_TEST(slis__looks_are_kept_though_nothing_ends)
{
    tick(0);
    tick(10);
    restart(); /* what is due was written with the first of them */
    assert_counted(SLI_FRESHNESS, 0, 1, 0);
    tick(20);
    tick(320);
    restart();
    assert_counted(SLI_FRESHNESS, 0, 3, 0);
}
END_TEST

/* A look, a snapshot, or a row: whichever comes first. */
START_TEST(slis__when_it_is_to_be_called_is_told)
{
    tick(0);
    ck_assert_int_eq(slis_expiry(slis).us, began.us + 10 * 1000000);
    tick(55);
    ck_assert_int_eq(slis_expiry(slis).us, began.us + 60 * 1000000);
    tick(60);
    ck_assert_int_eq(slis_expiry(slis).us, began.us + 65 * 1000000);
}
END_TEST

/* What it has taken, by the sizes that were asked for. */
static size_t taken;

static void *counted(void *self, size_t size)
{
    (void)self;
    taken += size;
    return heap.take_zeroed(heap.self, size);
}

static void uncounted(void *self, void *at, size_t size)
{
    (void)self;
    ck_assert_uint_le(size, taken);
    taken -= size;
    heap.give_back(heap.self, at, size);
}

/* However many promises come and go, as much is given back as was taken. */
START_TEST(slis__what_is_taken_is_given_back)
{
    const struct memory memory = {.take = counted, .take_zeroed = counted, .give_back = uncounted};
    char names[8][8];
    struct objective many[8];
    struct error_detail detail;
    for (unsigned i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "n%u", i);
        many[i] = objectives[1];
        many[i].definition = names[i];
    }
    ck_assert_int_eq(slis_promise(slis, many, 8), 0);
    tick(400);
    slis_destroy(slis);
    ck_assert_int_eq(slis_create(many, 1, &memory, &slis), 0);
    ck_assert_int_eq(slis_recover(slis, o.store, &detail), 0);
    ck_assert_int_eq(slis_promise(slis, objectives, 2), 0);
    ck_assert_int_eq(slis_promise(slis, many, 8), 0);
    slis_destroy(slis);
    slis = NULL;
    ck_assert_uint_eq(taken, 0);
}
END_TEST

/* A heartbeat that could not begin counts as bad for its own promise, and for no other. */
START_TEST(slis__a_heartbeat_that_was_missed_is_bad)
{
    static const struct objective both[] = {
        {.definition = "one", .promised = {99000}, .window = SECONDS(86400)},
        {.definition = "one", .promised = {99000}, .window = SECONDS(86400), .synthetic = true}};
    ck_assert_int_eq(slis_promise(slis, both, 2), 0);
    slis_missed(NULL, "one");
    slis_missed(slis, "none");
    slis_missed(slis, "one");
    slis_missed(slis, "one");
    ck_assert_int_eq(slis_close(slis, o.core), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    for (int lives = 0; lives < 2; lives++) {
        for (size_t i = 0; i < 2; i++) {
            struct sli_count c = slis_count(slis, i, SLI_SUCCESS, (struct span){0}, o.now);
            ck_assert_uint_eq(c.all, i == 0 ? 0 : 2);
            ck_assert_uint_eq(c.bad, i == 0 ? 0 : 2);
        }
        restart();
        ck_assert_int_eq(slis_promise(slis, both, 2), 0);
    }
}
END_TEST

START_TEST(slis__a_row_that_counts_nothing_is_damage)
{
    static char name[NAME_BYTES_MAX + 3];
    static const uint8_t value[4096];
    struct error_detail detail;
    static const struct {
        uint32_t kind;
        size_t name_size;
        uint8_t version;
        size_t size;
        int code;
    } rows[] = {{SUBJECT_SLI, 3, 1, 48, 0},
                {SUBJECT_SLI, NAME_BYTES_MAX + 1, 1, 48, 0},
                {SUBJECT_SLI, NAME_BYTES_MAX + 2, 1, 48, E_JOURNAL_CORRUPT},
                {SUBJECT_SLI, 3, 2, 48, E_JOURNAL_CORRUPT},
                {SUBJECT_SLI, 3, 1, 47, E_JOURNAL_CORRUPT},
                {SUBJECT_SLI, 3, 1, 49, E_JOURNAL_CORRUPT},
                {SUBJECT_SLI_HISTORY, 3, 1, 56 * 2, 0},
                {SUBJECT_SLI_HISTORY, NAME_BYTES_MAX + 1, 1, 56 * 2, 0},
                {SUBJECT_SLI_HISTORY, NAME_BYTES_MAX + 2, 1, 56 * 2, E_JOURNAL_CORRUPT},
                {SUBJECT_SLI_HISTORY, 3, 2, 56 * 2, E_JOURNAL_CORRUPT},
                {SUBJECT_SLI_HISTORY, 3, 1, 56 * 2 + 1, E_JOURNAL_CORRUPT}};
    memset(name, 'n', sizeof name);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct subject_row row = {.kind = rows[i].kind,
                                        .name = bytes_of(name, rows[i].name_size),
                                        .version = rows[i].version,
                                        .value = bytes_of(value, rows[i].size)};
        teardown();
        setup();
        ck_assert_int_eq(core_set_subject(o.core, &row), 0);
        ck_assert_int_eq(owner_commit(&o), 0);
        ck_assert_msg(slis_recover(slis, o.store, &detail) == rows[i].code, "row %zu", i);
    }
}
END_TEST

START_TEST(slis__a_burn_of_one_uses_up_what_may_go_wrong)
{
    ck_assert_double_eq_tol(sli_burn(99000, (struct sli_count){.all = 200, .bad = 2}), 1, 1e-9);
    ck_assert_double_eq_tol(sli_burn(99900, (struct sli_count){.all = 100, .bad = 5}), 50, 1e-9);
    ck_assert_double_eq(sli_burn(99000, (struct sli_count){.all = 0}), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slis");
    TCase *t = tcase_create("slis");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, slis__what_somebody_decided_is_kept_all_the_same);
    tcase_add_test(t, slis__late_is_later_than_was_promised);
    tcase_add_test(t, slis__a_window_has_what_came_within_it);
    tcase_add_test(t, slis__a_window_that_reaches_back_to_the_start_has_everything);
    tcase_add_test(t, slis__what_was_not_looked_at_is_neither_good_nor_bad);
    tcase_add_test(t, slis__a_crash_forgets_neither_counts_nor_what_they_were);
    tcase_add_test(t, slis__what_is_old_is_kept_coarsely);
    tcase_add_test(t, slis__freshness_is_looked_at);
    tcase_add_test(t, slis__what_is_promised_again_goes_on);
    tcase_add_test(t, slis__the_last_looks_of_a_promise_are_kept);
    tcase_add_test(t, slis__looks_are_kept_though_nothing_ends);
    tcase_add_test(t, slis__when_it_is_to_be_called_is_told);
    tcase_add_test(t, slis__what_is_taken_is_given_back);
    tcase_add_test(t, slis__a_burn_of_one_uses_up_what_may_go_wrong);
    tcase_add_test(t, slis__a_heartbeat_that_was_missed_is_bad);
    tcase_add_test(t, slis__a_row_that_counts_nothing_is_damage);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
