/* Heartbeats: what is asked of whom and when, and what their ends are counted as. */
#include "sidecar/runtime/synthetics.h"

#include "sidecar/api/methods.h"
#include "sidecar/core/arena.h"
#include "sidecar/observe/log.h"
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/journal.h"
#include "sidecar/runtime/sidecar_inside.h"

#include "saga/v1/coordinator.pb-c.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOPS 2

static struct loop s;
static struct sidecar sidecar;
static struct config config;
static struct config_synthetic beat;
static struct arena arena;
static struct instant now;
static struct rpc *asked_room;
static const struct rpc_asker *asker;
static void *tag;
static int asked_method;
static unsigned asks, missed, broken, gone; /* broken: missed, as its objective counts it */
static char lines[1024];                    /* of the log */
static char scheduled[128];                 /* as metrics were told, one behind the other */
static Saga__V1__StartRequest *start;
static Saga__V1__WaitRequest *wait_for;

/* ---- its surroundings; tests.mk wraps these ---- */

struct instant __wrap_clock_now(const struct clock *c);
struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method, struct bytes message,
                               const struct rpc_peer *peer, const struct rpc_asker *by, void *of);
void __wrap_counters_synthetic(struct loop *l, const char *definition, struct span every);
void __wrap_counters_synthetic_missed(struct loop *l, const char *definition);
void __wrap_counters_synthetic_gone(struct loop *l, const char *definition);
void __wrap_slis_missed(struct slis *slis, const char *definition);

struct instant __wrap_clock_now(const struct clock *c)
{
    (void)c;
    return now;
}

static void drop_asked(void)
{
    if (start != NULL)
        saga__v1__start_request__free_unpacked(start, NULL);
    if (wait_for != NULL)
        saga__v1__wait_request__free_unpacked(wait_for, NULL);
    start = NULL;
    wait_for = NULL;
}

struct rpc_ask *__wrap_rpc_ask(struct rpc *from, struct rpc *to, const struct rpc_method *method, struct bytes message,
                               const struct rpc_peer *peer, const struct rpc_asker *by, void *of)
{
    (void)from;
    ck_assert_ptr_null(peer);
    drop_asked();
    asked_room = to;
    asked_method = method->id;
    asker = by;
    tag = of;
    asks++;
    if (asked_method == METHOD_START)
        start = saga__v1__start_request__unpack(NULL, message.size, message.at);
    else
        wait_for = saga__v1__wait_request__unpack(NULL, message.size, message.at);
    return NULL;
}

void __wrap_counters_synthetic(struct loop *l, const char *definition, struct span every)
{
    (void)l;
    snprintf(scheduled + strlen(scheduled), sizeof scheduled - strlen(scheduled), "%s=%lds ", definition,
             (long)(every.us / 1000000));
}

void __wrap_counters_synthetic_missed(struct loop *l, const char *definition)
{
    (void)l;
    ck_assert_str_eq(definition, "beat");
    missed++;
}

void __wrap_slis_missed(struct slis *slis, const char *definition)
{
    (void)slis;
    ck_assert_str_eq(definition, "beat");
    broken++;
}

void __wrap_counters_synthetic_gone(struct loop *l, const char *definition)
{
    (void)l;
    ck_assert_str_eq(definition, "beat");
    gone++;
}

/* ---- one heartbeat ---- */

static void setup(void)
{
    memset(&s, 0, sizeof s);
    memset(&sidecar, 0, sizeof sidecar);
    s.sidecar = &sidecar;
    s.config = &config;
    sidecar.count = LOOPS;
    for (unsigned k = 0; k < LOOPS; k++)
        sidecar.rooms[k] = (struct rpc *)&sidecar.loops[k]; /* only told apart */
    beat = (struct config_synthetic){.version = "1.2.0",
                                     .input = "in",
                                     .input_json = "",
                                     .every = SPAN_S(60),
                                     .deadline = SPAN_MS(2500),
                                     .promised = {.definition = "beat"}};
    config.synthetics = &beat;
    config.synthetic_count = 1;
    now = (struct instant){.us = INT64_C(1000000000000)};
    asks = missed = broken = gone = 0;
    scheduled[0] = '\0';
    arena_init(&arena);
}

static void teardown(void)
{
    drop_asked();
    synthetics_close(&s);
    arena_finish(&arena);
}

static void after(struct span span)
{
    now = instant_after(now, span);
    synthetics_turn(&s);
}

static void answers(const ProtobufCMessage *m)
{
    static uint8_t packed[4096];
    const struct rpc_told told = {.body = bytes_of(packed, protobuf_c_message_pack(m, packed))};
    asker->on_end(&s, tag, &told);
}

static void started(const char *id)
{
    Saga__V1__StartResponse m = SAGA__V1__START_RESPONSE__INIT;
    m.saga_id = (char *)(uintptr_t)id;
    answers(&m.base);
}

static void ends(Saga__V1__SagaState state)
{
    Saga__V1__WaitResponse m = SAGA__V1__WAIT_RESPONSE__INIT;
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    saga.state = state;
    saga.reason = SAGA__V1__REASON__REASON_ACTION_REJECTED;
    saga.reason_step = (char *)(uintptr_t) "pay";
    saga.reason_message = (char *)(uintptr_t) "no money";
    saga.stuck_step = (char *)(uintptr_t) "ship";
    m.saga = &saga;
    answers(&m.base);
}

static const Saga__V1__SyntheticStatus *told(void)
{
    static Saga__V1__LoopStatus m;
    saga__v1__loop_status__init(&m);
    ck_assert(synthetics_fill(&s, &arena, &m));
    ck_assert(protobuf_c_message_check(&m.base)); /* it can be sent */
    return m.n_synthetics == 0 ? NULL : m.synthetics[0];
}

START_TEST(synthetics__one_is_asked_for_as_it_is_configured)
{
    ck_assert_int_eq(synthetics_open(&s), 0);
    ck_assert_int_eq(synthetics_expiry(&s).us, now.us + SPAN_S(5).us);
    after(SPAN_MS(4999));
    ck_assert_uint_eq(asks, 0);
    after(SPAN_MS(1));
    ck_assert_uint_eq(asks, 1);
    ck_assert_str_eq(start->definition, "beat");
    ck_assert_str_eq(start->version, "1.2.0");
    ck_assert_uint_eq(start->input.len, 2);
    ck_assert_mem_eq(start->input.data, "in", 2);
    ck_assert_str_eq(start->input_json, "");
    ck_assert_int_eq(start->deadline->seconds, 2);
    ck_assert_int_eq(start->deadline->nanos, 500000000);
    ck_assert(start->synthetic);
    started("some-saga");
    ck_assert_str_eq(wait_for->saga_id, "some-saga");
    ck_assert(wait_for->until_stuck);
}
END_TEST

START_TEST(synthetics__only_the_first_loop_of_its_own_sidecar_begins_any)
{
    struct adopted guest;
    s.index = 1;
    ck_assert_int_eq(synthetics_open(&s), 0);
    ck_assert_ptr_null(told());
    s.index = 0;
    sidecar.adopted = &guest; /* only looked at whether it is there */
    ck_assert_int_eq(synthetics_open(&s), 0);
    ck_assert_ptr_null(told());
    after(SPAN_S(100));
    ck_assert_uint_eq(asks, 0);
}
END_TEST

/* They come to each loop in turn, every so often, and are counted by how they end. */
START_TEST(synthetics__ends_are_counted)
{
    ck_assert_int_eq(synthetics_open(&s), 0);
    after(SPAN_S(5));
    ck_assert_ptr_eq(asked_room, sidecar.rooms[0]);
    started("a");
    now = instant_after(now, SPAN_MS(300));
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
    const Saga__V1__SyntheticStatus *t = told();
    ck_assert(t->committed == 1 && t->failed == 0 && t->missed == 0);
    ck_assert_str_eq(t->definition, "beat");
    ck_assert_str_eq(t->last_saga, "a");
    ck_assert_str_eq(t->last_trouble, "");
    ck_assert_int_eq(t->last_state, SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
    ck_assert_int_eq(t->last_took->nanos, 300000000);
    ck_assert_int_eq(t->last_success->seconds, now.us / 1000000);
    ck_assert_int_eq(t->every->seconds, 60);
    after(SPAN_MS(59699));
    ck_assert_uint_eq(asks, 2);
    after(SPAN_MS(1));
    ck_assert_uint_eq(asks, 3);
    ck_assert_ptr_eq(asked_room, sidecar.rooms[1]);
    started("b");
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED);
    t = told();
    ck_assert(t->committed == 1 && t->failed == 1 && t->missed == 0);
    ck_assert_str_eq(t->last_trouble, "COMPENSATED: ACTION_REJECTED at pay, no money");
}
END_TEST

/* One that is stuck is waited for until it ends, and has failed once; meanwhile none begins, and why it is stuck stays. */
START_TEST(synthetics__one_that_is_stuck_fails_once)
{
    ck_assert_int_eq(synthetics_open(&s), 0);
    after(SPAN_S(5));
    started("a");
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    ck_assert_uint_eq(told()->failed, 1);
    ck_assert(!wait_for->until_stuck);
    ck_assert_ptr_nonnull(strstr(told()->last_trouble, " at ship"));
    after(SPAN_S(60));
    ck_assert_uint_eq(missed, 1);
    ck_assert_uint_eq(broken, 1);
    ck_assert_uint_eq(told()->missed, 1);
    ck_assert_ptr_nonnull(strstr(told()->last_trouble, " at ship"));
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATED);
    ck_assert_uint_eq(told()->failed, 1);
    unsigned before = asks;
    after(SPAN_S(60));
    ck_assert_uint_eq(asks, before + 1);
}
END_TEST

static void hear(void *self, const struct log_entry *entry)
{
    char line[LOG_LINE_SIZE];
    (void)self;
    log_line(LOG_FORMAT_LOGFMT, (struct instant){0}, entry->level, entry->text, entry->fields, entry->field_count,
             line);
    strcat(lines, strchr(line, ' ') + 1);
}

/* With its reason, and the one before it, which may be why. */
START_TEST(synthetics__one_that_does_not_begin_is_told_in_the_log)
{
    lines[0] = '\0';
    log_open(&(struct log_options){.level = LOG_LEVEL_WARN, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)});
    log_listen(hear, NULL);
    ck_assert_int_eq(synthetics_open(&s), 0);
    after(SPAN_S(5));
    started("a");
    ck_assert_str_eq(lines, "");
    after(SPAN_S(60));
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
    ck_assert_str_eq(lines, "level=warn msg=\"a heartbeat cannot begin\" definition=beat "
                            "why=\"the one before it has not ended\" saga=a\n");
    lines[0] = '\0';
    after(SPAN_S(60));
    /* One that is to begin no more is missed by nobody. */
    config.synthetic_count = 0;
    ck_assert_int_eq(synthetics_take(&s, &config), 0);
    asker->on_end(&s, tag, &(struct rpc_told){.status = 9, .message = "held"});
    ck_assert_uint_eq(missed, 1);
    ck_assert_str_eq(lines, "");
    ck_assert_ptr_null(s.heartbeats);
    log_listen(NULL, NULL);
}
END_TEST

START_TEST(synthetics__one_that_is_refused_is_missed)
{
    const struct rpc_told told_no = {.status = 9, .message = "held"}, told_nothing = {.status = 14};
    ck_assert_int_eq(synthetics_open(&s), 0);
    after(SPAN_S(5));
    asker->on_end(&s, tag, &told_no);
    ck_assert_uint_eq(missed, 1);
    ck_assert_str_eq(told()->last_trouble, "held");
    after(SPAN_S(60));
    asker->on_end(&s, tag, &told_nothing);
    ck_assert_uint_eq(missed, 2);
    ck_assert_uint_eq(broken, 2);
    ck_assert_str_eq(told()->last_trouble, "Start was refused");
    ck_assert_str_eq(told()->last_saga, "");
}
END_TEST

/* Whose end cannot be told is waited for again, until the next is due. At the end of the process nobody asks on. */
START_TEST(synthetics__an_end_that_cannot_be_told_is_asked_for_again)
{
    ck_assert_int_eq(synthetics_open(&s), 0);
    after(SPAN_S(5));
    started("a");
    ck_assert_int_eq(told()->last_state, SAGA__V1__SAGA_STATE__SAGA_STATE_RUNNING);
    asker->on_end(&s, tag, &(struct rpc_told){.status = 8, .message = "too many wait"});
    ck_assert_str_eq(told()->last_trouble, "too many wait");
    ck_assert_int_eq(synthetics_expiry(&s).us, now.us + SPAN_S(5).us);
    after(SPAN_MS(4999));
    ck_assert_uint_eq(asks, 2);
    after(SPAN_MS(1));
    ck_assert_uint_eq(asks, 3);
    ck_assert_str_eq(wait_for->saga_id, "a");
    ck_assert(wait_for->until_stuck);
    after(SPAN_S(5));
    ck_assert_uint_eq(asks, 3); /* that one is under way */
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK);
    asker->on_end(&s, tag, &(struct rpc_told){.status = 8, .message = "too many wait"});
    ck_assert_ptr_nonnull(strstr(told()->last_trouble, " at ship"));
    after(SPAN_S(5));
    ck_assert(asked_method == METHOD_WAIT && !wait_for->until_stuck);
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
    ck_assert(told()->committed == 1 && told()->failed == 1 && missed == 0);
    after(SPAN_S(45)); /* the next is due to the moment */
    ck_assert_int_eq(asked_method, METHOD_START);
    started("b");
    asker->on_end(&s, tag, &(struct rpc_told){.status = 14});
    ck_assert_str_eq(told()->last_trouble, "its end cannot be told");
    after(SPAN_S(5));
    ck_assert_int_eq(asked_method, METHOD_WAIT);
    Saga__V1__WaitResponse nothing = SAGA__V1__WAIT_RESPONSE__INIT;
    answers(&nothing.base);
    ck_assert_str_eq(told()->last_trouble, "its end cannot be told");
    after(SPAN_S(55)); /* which begins even so */
    ck_assert_int_eq(asked_method, METHOD_START);
    ck_assert_int_eq(synthetics_expiry(&s).us, now.us + SPAN_S(60).us);
    started("c");
    asker->on_end(&s, tag, &(struct rpc_told){.status = 5, .message = "no such saga"});
    ck_assert_str_eq(told()->last_trouble, "no such saga");
    ck_assert_int_eq(synthetics_expiry(&s).us, now.us + SPAN_S(60).us);
    ck_assert(told()->committed == 1 && told()->failed == 1 && missed == 0);
    after(SPAN_S(60));
    unsigned before = asks;
    s.stopping = true;
    started("d");
    ck_assert_uint_eq(asks, before);
    ck_assert_str_eq(told()->last_saga, "c");
}
END_TEST

/* Each definition has its own, with its own input and time. */
START_TEST(synthetics__two_definitions_have_one_each)
{
    struct config_synthetic both[] = {beat, beat};
    const struct config two = {.synthetics = both, .synthetic_count = 2};
    both[1].promised.definition = "other";
    both[1].input = "";
    both[1].input_json = "{}";
    both[1].every = SPAN_S(3);
    ck_assert_int_eq(synthetics_take(&s, &two), 0);
    after(SPAN_S(3));
    ck_assert_uint_eq(asks, 1);
    ck_assert_str_eq(start->definition, "other");
    ck_assert_str_eq(start->input_json, "{}");
    ck_assert_uint_eq(start->input.len, 0);
    started("o");
    after(SPAN_S(2));
    ck_assert_str_eq(start->definition, "beat");
    Saga__V1__LoopStatus m;
    saga__v1__loop_status__init(&m);
    ck_assert(synthetics_fill(&s, &arena, &m));
    ck_assert_uint_eq(m.n_synthetics, 2);
    ck_assert_str_eq(m.synthetics[0]->definition, "beat");
    ck_assert_str_eq(m.synthetics[1]->definition, "other");
    ck_assert_str_eq(m.synthetics[1]->last_saga, "o");
    ck_assert_str_eq(m.synthetics[0]->last_saga, "");
    ck_assert_int_eq(synthetics_take(&s, &two), 0); /* which makes none twice */
    saga__v1__loop_status__init(&m);
    ck_assert(synthetics_fill(&s, &arena, &m));
    ck_assert_uint_eq(m.n_synthetics, 2);
    ck_assert_str_eq(scheduled, "beat=60s other=3s ");
}
END_TEST

/* What a machine slept through is not made up for: from then on it is every so often again. Less than that shifts nothing. */
START_TEST(synthetics__one_begins_after_a_long_sleep)
{
    ck_assert_int_eq(synthetics_open(&s), 0);
    after(SPAN_S(600));
    ck_assert_uint_eq(asks, 1);
    ck_assert_int_eq(synthetics_expiry(&s).us, now.us + SPAN_S(60).us);
    after(SPAN_S(0));
    started("a");
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
    after(SPAN_MS(59999));
    ck_assert_uint_eq(asks, 2);
    after(SPAN_MS(59999));
    ck_assert_uint_eq(asks, 3);
    ck_assert_int_eq(synthetics_expiry(&s).us, now.us + SPAN_MS(2).us);
    started("b");
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
    after(SPAN_MS(60002)); /* one was missed, to the moment */
    ck_assert_int_eq(synthetics_expiry(&s).us, now.us + SPAN_S(60).us);
    ck_assert_uint_eq(missed, 0);
}
END_TEST

/* One that is to begin no more is not shown, and is there until what it has under way has ended. */
START_TEST(synthetics__one_that_is_configured_no_more_is_gone)
{
    ck_assert_int_eq(synthetics_open(&s), 0);
    after(SPAN_S(5));
    started("a");
    config.synthetic_count = 0;
    ck_assert_int_eq(synthetics_take(&s, &config), 0);
    ck_assert_uint_eq(gone, 1);
    ck_assert_ptr_null(told());
    ck_assert_ptr_nonnull(s.heartbeats);
    ck_assert_int_eq(synthetics_expiry(&s).us, INSTANT_NEVER.us);
    ck_assert_int_eq(synthetics_take(&s, &config), 0);
    ck_assert_uint_eq(gone, 1);
    ends(SAGA__V1__SAGA_STATE__SAGA_STATE_COMMITTED);
    ck_assert_ptr_null(s.heartbeats);
}
END_TEST

/* The same again leaves its time alone; another interval begins anew. */
START_TEST(synthetics__another_interval_begins_anew)
{
    struct config_synthetic other = beat;
    struct config next = {.synthetics = &other, .synthetic_count = 1};
    ck_assert_int_eq(synthetics_open(&s), 0);
    struct instant due = synthetics_expiry(&s);
    now = instant_after(now, SPAN_S(1));
    ck_assert_int_eq(synthetics_take(&s, &next), 0);
    ck_assert_int_eq(synthetics_expiry(&s).us, due.us);
    struct config_synthetic quick = beat;
    quick.every = SPAN_S(2);
    next.synthetics = &quick;
    ck_assert_int_eq(synthetics_take(&s, &next), 0);
    ck_assert_int_eq(synthetics_expiry(&s).us, now.us + SPAN_S(2).us);
    ck_assert_str_eq(scheduled, "beat=60s beat=2s ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("synthetics");
    TCase *tc = tcase_create("synthetics");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, synthetics__one_is_asked_for_as_it_is_configured);
    tcase_add_test(tc, synthetics__only_the_first_loop_of_its_own_sidecar_begins_any);
    tcase_add_test(tc, synthetics__ends_are_counted);
    tcase_add_test(tc, synthetics__one_that_is_stuck_fails_once);
    tcase_add_test(tc, synthetics__one_that_is_refused_is_missed);
    tcase_add_test(tc, synthetics__one_that_does_not_begin_is_told_in_the_log);
    tcase_add_test(tc, synthetics__an_end_that_cannot_be_told_is_asked_for_again);
    tcase_add_test(tc, synthetics__two_definitions_have_one_each);
    tcase_add_test(tc, synthetics__one_begins_after_a_long_sleep);
    tcase_add_test(tc, synthetics__one_that_is_configured_no_more_is_gone);
    tcase_add_test(tc, synthetics__another_interval_begins_anew);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
