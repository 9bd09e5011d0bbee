/* What an operator is told of a loop: each number under its own name, and what is not so is not said. */
#include "sidecar/runtime/status.h"

#include "sidecar/core/arena.h"
#include "sidecar/core/holds.h"
#include "sidecar/engine/engine.h"
#include "sidecar/engine/saga.h"
#include "sidecar/engine/target.h"
#include "sidecar/resilience/admission.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/release.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS 3
#define SAGAS   4
#define LETTERS 64 /* definitions of dead letters that are told, as in status.c */

static struct loop s;
static struct sidecar sidecar;
static struct config config;
static struct loop_target own[TARGETS];
static struct target engines[TARGETS];
static struct store store;
static struct arena arena;
static struct instant now;
static struct engine_counts counts;
static struct admission families[3];
static struct saga sagas[LETTERS + 2];
static size_t saga_count;
static const struct saga *oldest;
static struct drift_target drifts[LOOP_TARGETS_MAX];

/* ---- the loop's surroundings; tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
const struct engine *__wrap_core_engine(const struct core *c);
const struct target *__wrap_engine_target(const struct engine *e, uint16_t index);
struct engine_counts __wrap_engine_counts(const struct engine *e);
const struct admission *__wrap_engine_family(const struct engine *e, uint32_t index, const char **name);
const struct saga *__wrap_engine_after(const struct engine *e, uint64_t serial);
const struct saga *__wrap_counters_oldest_live(const struct loop *l);
double __wrap_counters_journal_bytes(const struct loop *l);
uint64_t __wrap_counters_journal_reusable(const struct loop *l);
double __wrap_counters_volume_free(const struct loop *l);
uint32_t __wrap_catalog_count(const struct catalog *c);
int __wrap_core_stalled(const struct core *c);
struct holds *__wrap_core_holds(struct core *c);
const Saga__V1__Hold *__wrap_holds_at(const struct holds *h, unsigned place);

int64_t __wrap_certificates_not_after(struct certificates *c);
int __wrap_core_read_frame(struct core *c, uint64_t frame, struct bytes *records, struct error_detail *detail);
struct instant __wrap_codec_time(struct bytes frame);

static int64_t expires;
int64_t __wrap_certificates_not_after(struct certificates *c)
{
    ck_assert_ptr_eq(c, (struct certificates *)(void *)&expires);
    return expires;
}

static int unreadable;
int __wrap_core_read_frame(struct core *c, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    (void)c;
    (void)detail;
    ck_assert_uint_eq(frame, 7);
    *records = bytes_of_text("frame");
    return unreadable;
}

struct instant __wrap_codec_time(struct bytes frame)
{
    ck_assert_uint_eq(frame.size, 5);
    return instant_after(now, SPAN_S(-9));
}

static uint64_t first_frame;
static uint64_t first_of(struct store *of)
{
    ck_assert_ptr_eq(of, &store);
    return first_frame;
}

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

const struct engine *__wrap_core_engine(const struct core *c)
{
    (void)c;
    return NULL;
}

const struct target *__wrap_engine_target(const struct engine *e, uint16_t index)
{
    (void)e;
    ck_assert_uint_lt(index, TARGETS);
    return &engines[index];
}

struct engine_counts __wrap_engine_counts(const struct engine *e)
{
    (void)e;
    return counts;
}

struct saga_counts __wrap_engine_counts_real(const struct engine *e);
struct saga_counts __wrap_engine_counts_real(const struct engine *e)
{
    (void)e;
    return (struct saga_counts){.live = 11, .stuck = 2, .compensating = 3, .paused = 4, .answered = 5};
}

const struct admission *__wrap_engine_family(const struct engine *e, uint32_t index, const char **name)
{
    static const char *const names[] = {"free", "few", "slow"};
    (void)e;
    if (index >= 3)
        return NULL;
    *name = names[index];
    return &families[index];
}

const struct saga *__wrap_engine_after(const struct engine *e, uint64_t serial)
{
    (void)e;
    return serial >= saga_count ? NULL : &sagas[serial];
}

const struct saga *__wrap_counters_oldest_live(const struct loop *l)
{
    (void)l;
    return oldest;
}

double __wrap_counters_journal_bytes(const struct loop *l)
{
    (void)l;
    return 1001;
}

uint64_t __wrap_counters_journal_reusable(const struct loop *l)
{
    (void)l;
    return 1002;
}

double __wrap_counters_volume_free(const struct loop *l)
{
    (void)l;
    return 1003;
}

uint32_t __wrap_catalog_count(const struct catalog *c)
{
    (void)c;
    return 6;
}

static int stalled;
int __wrap_core_stalled(const struct core *c)
{
    (void)c;
    return stalled;
}

struct holds *__wrap_core_holds(struct core *c)
{
    (void)c;
    return NULL;
}

static const Saga__V1__Hold *held[HOLDS_MAX];
const Saga__V1__Hold *__wrap_holds_at(const struct holds *h, unsigned place)
{
    (void)h;
    ck_assert_uint_lt(place, HOLDS_MAX);
    return held[place];
}

/* ---- one loop ---- */

static void setup(void)
{
    static const char *const names[TARGETS] = {"first", "gone", "third"};
    memset(&s, 0, sizeof s);
    memset(&config, 0, sizeof config);
    memset(own, 0, sizeof own);
    memset(engines, 0, sizeof engines);
    memset(&store, 0, sizeof store);
    memset(&counts, 0, sizeof counts);
    memset(families, 0, sizeof families);
    memset(sagas, 0, sizeof sagas);
    memset(drifts, 0, sizeof drifts);
    s.sidecar = &sidecar;
    s.config = &config;
    s.targets = own;
    s.target_count = TARGETS;
    s.store = &store;
    s.failing = calloc(FAILING_STEPS_MAX, sizeof *s.failing);
    now = (struct instant){.us = INT64_C(1000000000000)};
    oldest = NULL;
    stalled = 0;
    for (unsigned i = 0; i < TARGETS; i++) {
        own[i].shared = calloc(1, sizeof *own[i].shared + 8);
        strcpy(own[i].shared->name, names[i]);
        own[i].address = "there:1";
        own[i].rpc = i == 1 ? NULL : (struct rpc_target *)&own[i]; /* only looked at whether it is there */
    }
    saga_count = SAGAS;
    for (unsigned i = 0; i < sizeof sagas / sizeof *sagas; i++)
        sagas[i].id.serial = i + 1;
    sidecar.adopted = NULL;
    sidecar.certificates = NULL;
    arena_init(&arena);
}

static void teardown(void)
{
    arena_finish(&arena);
    free(s.failing);
    for (unsigned i = 0; i < TARGETS; i++)
        free(own[i].shared);
}

static const Saga__V1__LoopStatus *told(void)
{
    static Saga__V1__LoopStatus m;
    saga__v1__loop_status__init(&m);
    ck_assert(status_fill(&s, &arena, &m));
    return &m;
}

static int64_t us_of(const Google__Protobuf__Duration *d)
{
    return d == NULL ? -1 : d->seconds * 1000000 + d->nanos / 1000;
}

static int64_t at_of(const Google__Protobuf__Timestamp *t)
{
    return t == NULL ? -1 : t->seconds * 1000000 + t->nanos / 1000;
}

START_TEST(status__each_number_has_its_own_name)
{
    s.index = 7;
    config.journal_bytes_max = 1004;
    counts = (struct engine_counts){
        .live = 100, .stuck = 101, .synthetic = {.live = 21, .stuck = 22}, .calls = 23, .waiting = 24};
    const Saga__V1__LoopStatus *m = told();
    ck_assert_uint_eq(m->loop, 7);
    ck_assert_str_eq(m->version, sagad_version);
    ck_assert_str_eq(m->journal, "");
    ck_assert_uint_eq(m->live, 11);
    ck_assert_uint_eq(m->stuck, 2);
    ck_assert_uint_eq(m->compensating, 3);
    ck_assert_uint_eq(m->paused, 4);
    ck_assert_uint_eq(m->answered, 5);
    ck_assert_uint_eq(m->synthetics_live, 21);
    ck_assert_uint_eq(m->synthetics_stuck, 22);
    ck_assert_uint_eq(m->calls, 23);
    ck_assert_uint_eq(m->calls_waiting, 24);
    ck_assert_uint_eq(m->definitions, 6);
    ck_assert_uint_eq(m->journal_bytes, 1001);
    ck_assert_uint_eq(m->journal_reusable_bytes, 1002);
    ck_assert_uint_eq(m->volume_free_bytes, 1003);
    ck_assert_uint_eq(m->journal_bytes_max, 1004);
    ck_assert(!m->journal_full && !m->journal_stalled);
    ck_assert_ptr_null(m->oldest_live);
    ck_assert_ptr_null(m->certificate_expires);
    ck_assert_ptr_null(m->journal_since);
}
END_TEST

START_TEST(status__a_journal_that_is_full_or_stalled_and_the_oldest_saga_are_told)
{
    s.told_full = 1;
    ck_assert(told()->journal_full && !told()->journal_stalled);
    s.told_full = 0;
    stalled = E_JOURNAL_FULL;
    ck_assert(!told()->journal_full && told()->journal_stalled);
    sagas[2].started_at = instant_after(now, SPAN_MS(-1500));
    oldest = &sagas[2];
    ck_assert_int_eq(at_of(told()->oldest_live), now.us - 1500000);
}
END_TEST

/* Of a guest, whose journal it is; of the journal, since when it goes; of the certificate, until when. */
START_TEST(status__what_is_not_always_there_is_told_where_it_is)
{
    const struct adopted adopted = {.journal = "orders-2"};
    sidecar.adopted = &adopted;
    ck_assert_str_eq(told()->journal, "orders-2");
    store.first_frame = first_of;
    ck_assert_ptr_null(told()->journal_since); /* nothing is in it */
    first_frame = 7;
    ck_assert_int_eq(at_of(told()->journal_since), now.us - 9000000);
    unreadable = E_JOURNAL_AWAY;
    ck_assert_ptr_null(told()->journal_since);
    sidecar.certificates = (struct certificates *)(void *)&expires;
    ck_assert_ptr_null(told()->certificate_expires);
    expires = 1234;
    ck_assert_int_eq(at_of(told()->certificate_expires), 1234000000);
}
END_TEST

START_TEST(status__a_target_that_is_configured_is_told_with_its_bounds)
{
    struct target *t = &engines[2];
    t->places = 9;
    t->places_taken = 4;
    t->deferred = 2;
    t->rate.per_second = 50;
    t->pending_max = 70;
    for (unsigned class = 0; class < CLASS_COUNT; class ++)
        t->queues[class].count = 1U << class;
    t->waiting = (1U << CLASS_COUNT) - 1;
    const Saga__V1__LoopStatus *m = told();
    ck_assert_uint_eq(m->n_targets, 2);
    ck_assert_str_eq(m->targets[0]->name, "first");
    const Saga__V1__TargetStatus *there = m->targets[1];
    ck_assert_str_eq(there->name, "third");
    ck_assert_str_eq(there->address, "there:1");
    ck_assert_uint_eq(there->calls, 4);
    ck_assert_uint_eq(there->calls_max, 9);
    limit_set(&t->limit, 9);
    ck_assert_uint_eq(told()->targets[1]->calls_max, limit_places(&t->limit)); /* what was found, of at most 9 */
    ck_assert_uint_ne(limit_places(&t->limit), 9);
    limit_set(&t->limit, 0);
    ck_assert_uint_eq(there->waiting, (1U << CLASS_COUNT) - 1);
    ck_assert_uint_eq(there->deferred, 2);
    ck_assert_uint_eq(there->rate_limit_per_second, 50);
    ck_assert_uint_eq(there->max_pending_calls, 70);
    ck_assert_uint_eq(there->waiting_undos, (1U << CLASS_UNDO) + (1U << CLASS_RETRY_UNDO));
    ck_assert_uint_eq(there->waiting_retries, (1U << CLASS_RETRY) + (1U << CLASS_RETRY_UNDO));
    ck_assert_ptr_nonnull(there->waiting_for);
    ck_assert_ptr_null(m->targets[0]->waiting_for);
    ck_assert_ptr_null(m->targets[0]->quickest);
}
END_TEST

START_TEST(status__a_target_is_told_with_its_budget_pace_and_drift)
{
    const struct budget_options budget = {.percent = 20, .min_per_second = 10};
    struct target *t = &engines[2];
    budget_set(&t->budget, &budget);
    t->budget.left = 2500;
    t->budget.looked_at = now;
    pace_note(&t->pace, SPAN_MS(7), now);
    own[2].down_since = instant_after(now, SPAN_S(-3));
    s.drift.targets = drifts;
    drifts[2] = (struct drift_target){.at = instant_after(now, SPAN_S(-60)), .breaks = 3, .definitions = 8};
    const Saga__V1__LoopStatus *m = told();
    const Saga__V1__TargetStatus *there = m->targets[1], *other = m->targets[0];
    ck_assert_uint_eq(there->retry_budget_percent, 20);
    ck_assert_double_eq_tol(there->retries_left, (double)budget_left(&t->budget, now) / 1000, 1e-9);
    ck_assert_double_ge(there->retries_left, 2.5);
    ck_assert_double_lt(there->retries_left, 20);
    ck_assert_double_eq(other->retries_left, 0);
    ck_assert_int_eq(us_of(there->quickest), SPAN_MS(7).us);
    ck_assert(there->unreachable && !other->unreachable);
    ck_assert_int_eq(us_of(there->unreachable_for), SPAN_S(3).us);
    ck_assert_ptr_null(other->unreachable_for);
    ck_assert_uint_eq(there->schema_breaks, 3);
    ck_assert_int_eq(at_of(there->schema_compared_at), now.us - SPAN_S(60).us);
    ck_assert_ptr_null(other->schema_compared_at);
}
END_TEST

static const Saga__V1__Breaker *breaker_with(struct breaker_mark mark)
{
    struct breaker *b = &engines[0].breaker;
    b->mark = mark;
    b->window = (struct breaker_counts){.calls = 30, .failed = 20, .slow = 10};
    b->probed = (struct breaker_counts){.calls = 3, .failed = 2, .slow = 1};
    return told()->targets[0]->breaker;
}

/* While it is closed its window counts; once it has opened, its probes do. */
START_TEST(status__a_breaker_tells_what_its_state_follows_from)
{
    struct instant opened = instant_after(now, SPAN_S(-10));
    const Saga__V1__Breaker *b = breaker_with((struct breaker_mark){.opened_at = opened});
    ck_assert_int_eq(b->state, SAGA__V1__BREAKER_STATE__BREAKER_STATE_CLOSED);
    ck_assert(b->calls == 30 && b->failed == 20 && b->slow == 10);
    ck_assert_ptr_null(b->opened_at);
    ck_assert_ptr_null(b->open_until);
    struct instant until = instant_after(now, SPAN_S(5));
    b = breaker_with((struct breaker_mark){.open = true, .openings = 2, .opened_at = opened, .open_until = until});
    ck_assert_int_eq(b->state, SAGA__V1__BREAKER_STATE__BREAKER_STATE_OPEN);
    ck_assert_uint_eq(b->openings, 2);
    ck_assert(!b->held);
    ck_assert_int_eq(at_of(b->opened_at), opened.us);
    ck_assert_int_eq(at_of(b->open_until), until.us);
    b = breaker_with((struct breaker_mark){.open = true, .opened_at = opened, .open_until = now});
    ck_assert_int_eq(b->state, SAGA__V1__BREAKER_STATE__BREAKER_STATE_HALF_OPEN);
    ck_assert(b->calls == 3 && b->failed == 2 && b->slow == 1);
    ck_assert_int_eq(at_of(b->opened_at), opened.us);
    ck_assert_ptr_null(b->open_until);
    b = breaker_with((struct breaker_mark){.open = true, .open_until = until}); /* nobody knows since when */
    ck_assert_ptr_null(b->opened_at);
    b = breaker_with((struct breaker_mark){.open = true, .held = true, .opened_at = opened, .open_until = until});
    ck_assert(b->held);
    ck_assert_ptr_null(b->open_until);
}
END_TEST

START_TEST(status__definitions_that_are_bounded_are_told)
{
    families[0].live = 40;
    families[1] = (struct admission){.live = 41, .options = {.live_max = 50}};
    families[2] = (struct admission){.live = 42, .options = {.starts = {.per_second = 60}}};
    const Saga__V1__LoopStatus *m = told();
    ck_assert_uint_eq(m->n_definition_limits, 2);
    ck_assert(protobuf_c_message_check(&m->base)); /* it can be sent, with all that is in it */
    const Saga__V1__DefinitionLimit *few = m->definition_limits[0], *slow = m->definition_limits[1];
    ck_assert_str_eq(few->definition, "few");
    ck_assert(few->live == 41 && few->live_max == 50 && few->starts_per_second == 0);
    ck_assert_str_eq(slow->definition, "slow");
    ck_assert(slow->live == 42 && slow->live_max == 0 && slow->starts_per_second == 60);
    families[0].options.live_max = 70;
    m = told();
    ck_assert_uint_eq(m->n_definition_limits, 3);
    ck_assert(protobuf_c_message_check(&m->base));
    ck_assert(m->definition_limits[0]->live_max == 70 && m->definition_limits[2]->live == 42);
}
END_TEST

/* Of each definition together, with the oldest; a heartbeat that is stuck is no letter. */
START_TEST(status__dead_letters_are_told_by_their_definition)
{
    static const char *const names[SAGAS] = {"a", "b", "a", "a"};
    for (unsigned i = 0; i < SAGAS; i++) {
        sagas[i].name = bytes_of_text(names[i]);
        sagas[i].state = SAGA_STUCK;
        sagas[i].started_at = instant_after(now, SPAN_S(i));
    }
    sagas[1].synthetic = true;
    sagas[2].state = SAGA_RUNNING;
    const Saga__V1__LoopStatus *m = told();
    ck_assert_uint_eq(m->n_dead_letters, 1);
    ck_assert_str_eq(m->dead_letters[0]->definition, "a");
    ck_assert_uint_eq(m->dead_letters[0]->count, 2);
    ck_assert_int_eq(at_of(m->dead_letters[0]->oldest), now.us);
    sagas[1].synthetic = false;
    m = told();
    ck_assert_uint_eq(m->n_dead_letters, 2);
    ck_assert_str_eq(m->dead_letters[1]->definition, "b");
    ck_assert_uint_eq(m->dead_letters[1]->count, 1);
    ck_assert_int_eq(at_of(m->dead_letters[1]->oldest), instant_after(now, SPAN_S(1)).us);
}
END_TEST

/* Of so many definitions; those that come first go on being counted. */
START_TEST(status__dead_letters_are_told_of_so_many_definitions)
{
    static char names[LETTERS + 1][8];
    saga_count = LETTERS + 2;
    for (unsigned i = 0; i < LETTERS + 2; i++) {
        snprintf(names[i % (LETTERS + 1)], sizeof names[0], "d%u", i % (LETTERS + 1));
        sagas[i].name = bytes_of_text(names[i % (LETTERS + 1)]);
        sagas[i].state = SAGA_STUCK;
        sagas[i].started_at = now;
    }
    const Saga__V1__LoopStatus *m = told();
    ck_assert_uint_eq(m->n_dead_letters, LETTERS);
    ck_assert_str_eq(m->dead_letters[LETTERS - 1]->definition, "d63");
    ck_assert_uint_eq(m->dead_letters[0]->count, 2);
    ck_assert_uint_eq(m->dead_letters[1]->count, 1);
}
END_TEST

START_TEST(status__what_is_held_is_told_wherever_it_stands)
{
    static const Saga__V1__Hold first, last;
    held[1] = &first;
    held[HOLDS_MAX - 1] = &last;
    const Saga__V1__LoopStatus *m = told();
    ck_assert_uint_eq(m->n_holds, 2);
    ck_assert_ptr_eq(m->holds[0], &first);
    ck_assert_ptr_eq(m->holds[1], &last);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *tc = tcase_create("status");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, status__each_number_has_its_own_name);
    tcase_add_test(tc, status__a_journal_that_is_full_or_stalled_and_the_oldest_saga_are_told);
    tcase_add_test(tc, status__a_target_that_is_configured_is_told_with_its_bounds);
    tcase_add_test(tc, status__a_target_is_told_with_its_budget_pace_and_drift);
    tcase_add_test(tc, status__a_breaker_tells_what_its_state_follows_from);
    tcase_add_test(tc, status__definitions_that_are_bounded_are_told);
    tcase_add_test(tc, status__dead_letters_are_told_by_their_definition);
    tcase_add_test(tc, status__dead_letters_are_told_of_so_many_definitions);
    tcase_add_test(tc, status__what_is_not_always_there_is_told_where_it_is);
    tcase_add_test(tc, status__what_is_held_is_told_wherever_it_stands);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
