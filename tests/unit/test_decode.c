/* From requests of saga.v1 to events: what is read, what each field may be, and which field an error names. */
#include "sidecar/api/decode.h"

#include "sidecar/base/utf8.h"
#include "sidecar/definition/reader.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static struct decoder decoder;
static struct catalog *catalog;
#define TEXT(text) ((char *)(uintptr_t)(text))

static struct event event;
static struct error_detail detail;

static Google__Protobuf__Duration one_ms, too_short, negative, odd_nanos, far;

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static Google__Protobuf__Duration duration(int64_t seconds, int32_t nanos)
{
    Google__Protobuf__Duration d = GOOGLE__PROTOBUF__DURATION__INIT;
    d.seconds = seconds;
    d.nanos = nanos;
    return d;
}

static void setup(void)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d;
    arena_init(&arena);
    ck_assert_int_eq(catalog_create(8, &catalog), 0);
    for (int i = 0; i < 2; i++) {
        char yaml[200];
        snprintf(yaml, sizeof yaml, "name: shop\nversion: 1.%d.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n",
                 i);
        ck_assert_int_eq(definition_read(bytes_of_text(yaml), &limits, &d, &detail), 0);
        ck_assert_int_eq(catalog_add(catalog, d, (struct instant){.us = 1}, &detail), 0);
    }
    decoder = (struct decoder){.arena = &arena,
                               .catalog = catalog,
                               .compensation_retry = {.max_attempts = 7,
                                                      .initial_backoff = SPAN_MS(100),
                                                      .max_backoff = SPAN_S(10),
                                                      .backoff_multiplier_permille = 2000,
                                                      .jitter_permille = 200}};
    event = (struct event){0};
    memset(&detail, 0, sizeof detail);
    one_ms = duration(0, 1000000);
    too_short = duration(0, 999999);
    negative = duration(-1, 0);
    odd_nanos = duration(1, 1000000000);
    far = duration(315576000001, 0);
}

static void teardown(void)
{
    catalog_destroy(catalog);
    arena_finish(&arena);
}

#define ck_refused(call, code_, field_) \
    do { \
        ck_assert_int_eq((call), (code_)); \
        ck_assert_str_eq(detail.field, (field_)); \
        ck_assert_str_ne(detail.text, ""); \
    } while (0)

/* ---- Start and Begin ---- */

START_TEST(decode__a_start_is_read_whole)
{
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    Google__Protobuf__Duration deadline = duration(3, 250000999);
    m.definition = text("shop");
    m.version = text("1.0.0");
    m.request_id = text("r-1");
    m.traceparent = text("00-1-2-01");
    m.input = (ProtobufCBinaryData){.data = (uint8_t *)text("in\0put"), .len = 6};
    m.deadline = &deadline;
    ck_assert_int_eq(decode_start(&decoder, &m, &event, &detail), 0);
    ck_assert_uint_eq(event.type, EVENT_START);
    ck_assert_str_eq(event.definition->version, "1.0.0");
    ck_assert(bytes_equal(event.request_id, bytes_of_text("r-1")));
    ck_assert(bytes_equal(event.traceparent, bytes_of_text("00-1-2-01")));
    ck_assert(bytes_equal(event.input, bytes_of("in\0put", 6)));
    ck_assert_int_eq(event.deadline.us, 3250000);
    m.version = text("");
    m.deadline = NULL;
    ck_assert_int_eq(decode_start(&decoder, &m, &event, &detail), 0);
    ck_assert_str_eq(event.definition->version, "1.1.0");
    ck_assert_int_eq(event.deadline.us, 0);
}
END_TEST

START_TEST(decode__a_start_without_its_definition_is_refused)
{
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    ck_refused(decode_start(&decoder, &m, &event, &detail), E_ARGUMENT, "definition");
    m.definition = text("shopp");
    ck_refused(decode_start(&decoder, &m, &event, &detail), E_DEFINITION_NOT_FOUND, "definition");
    ck_assert_ptr_nonnull(strstr(detail.text, "shopp"));
    m.definition = text("shop");
    m.version = text("2.0.0");
    ck_refused(decode_start(&decoder, &m, &event, &detail), E_DEFINITION_NOT_FOUND, "version");
    ck_assert_ptr_nonnull(strstr(detail.text, "shop 2.0.0"));
}
END_TEST

/* What an error repeats goes into proto strings: it must be UTF-8, however long and wherever it is cut. */
START_TEST(decode__an_error_never_says_what_is_not_utf8)
{
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    char name[401];
    m.definition = text("\xff\xfe");
    ck_refused(decode_start(&decoder, &m, &event, &detail), E_ARGUMENT, "definition");
    ck_assert(utf8_valid(bytes_of_text(detail.text)));
    m.definition = text("shop");
    m.version = text("1.\x80");
    ck_refused(decode_start(&decoder, &m, &event, &detail), E_ARGUMENT, "version");
    ck_assert(utf8_valid(bytes_of_text(detail.text)));
    m.version = text("");
    for (size_t shift = 0; shift < 4; shift++) {
        memset(name, 'x', sizeof name);
        for (size_t i = shift; i + 4 < sizeof name; i += 4)
            memcpy(name + i, "\xf0\x9f\x92\xa9", 4);
        name[400] = '\0';
        m.definition = name;
        ck_refused(decode_start(&decoder, &m, &event, &detail), E_DEFINITION_NOT_FOUND, "definition");
        ck_assert_uint_gt(strlen(detail.text), 200);
        ck_assert(utf8_valid(bytes_of_text(detail.text)));
    }
}
END_TEST

START_TEST(decode__texts_of_a_start_must_be_utf8)
{
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    m.definition = text("shop");
    m.request_id = text("r\xc3");
    ck_refused(decode_start(&decoder, &m, &event, &detail), E_ARGUMENT, "request_id");
    m.request_id = text("Gr\xc3\xbc\xc3\x9f"
                        "e");
    ck_assert_int_eq(decode_start(&decoder, &m, &event, &detail), 0);
    m.traceparent = text("\x80");
    ck_refused(decode_start(&decoder, &m, &event, &detail), E_ARGUMENT, "traceparent");
}
END_TEST

START_TEST(decode__a_priority_is_one_of_those_that_there_are)
{
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    m.definition = text("shop");
    for (int priority = -1; priority <= PRIORITY_HIGH + 1; priority++) {
        m.priority = (Saga__V1__Priority)priority;
        if (priority < 0 || priority > PRIORITY_HIGH) {
            ck_refused(decode_start(&decoder, &m, &event, &detail), E_ARGUMENT, "priority");
            continue;
        }
        ck_assert_int_eq(decode_start(&decoder, &m, &event, &detail), 0);
        ck_assert_uint_eq(event.priority, priority);
    }
}
END_TEST

START_TEST(decode__durations_have_bounds)
{
    Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
    Saga__V1__BeginRequest begin = SAGA__V1__BEGIN_REQUEST__INIT;
    Google__Protobuf__Duration *bad[] = {&too_short, &negative, &odd_nanos, &far};
    Google__Protobuf__Duration zero = duration(0, 0), minus = duration(0, -1),
                               longest = duration(315576000000, 999999999);
    start.definition = text("shop");
    begin.name = text("n");
    for (size_t i = 0; i < 4; i++) {
        start.deadline = begin.deadline = bad[i];
        ck_refused(decode_start(&decoder, &start, &event, &detail), E_ARGUMENT, "deadline");
        ck_refused(decode_begin(&decoder, &begin, &event, &detail), E_ARGUMENT, "deadline");
        begin.deadline = NULL;
        begin.lease = bad[i];
        ck_refused(decode_begin(&decoder, &begin, &event, &detail), E_ARGUMENT, "lease");
        begin.lease = NULL;
    }
    start.deadline = &zero; /* to say nothing is to leave it out */
    ck_refused(decode_start(&decoder, &start, &event, &detail), E_ARGUMENT, "deadline");
    start.deadline = &minus;
    ck_refused(decode_start(&decoder, &start, &event, &detail), E_ARGUMENT, "deadline");
    start.deadline = &one_ms;
    ck_assert_int_eq(decode_start(&decoder, &start, &event, &detail), 0);
    ck_assert_int_eq(event.deadline.us, 1000);
    start.deadline = &longest;
    ck_assert_int_eq(decode_start(&decoder, &start, &event, &detail), 0);
    ck_assert_int_eq(event.deadline.us, INT64_C(315576000000999999));
}
END_TEST

START_TEST(decode__texts_of_a_begin_must_be_utf8)
{
    Saga__V1__BeginRequest m = SAGA__V1__BEGIN_REQUEST__INIT;
    m.name = text("\xff");
    ck_refused(decode_begin(&decoder, &m, &event, &detail), E_ARGUMENT, "name");
    m.name = text("n");
    m.request_id = text("\xff");
    ck_refused(decode_begin(&decoder, &m, &event, &detail), E_ARGUMENT, "request_id");
    m.request_id = text("");
    m.traceparent = text("\xff");
    ck_refused(decode_begin(&decoder, &m, &event, &detail), E_ARGUMENT, "traceparent");
}
END_TEST

/* ---- enlistments ---- */

struct enlisting {
    Saga__V1__EnlistRequest request;
    Saga__V1__Enlistment step, plain;
    Saga__V1__Enlistment *list[2];
    Saga__V1__Call call;
    Saga__V1__RetryPolicy retry;
};

static void enlisting_init(struct enlisting *e)
{
    saga__v1__enlist_request__init(&e->request);
    saga__v1__enlistment__init(&e->step);
    saga__v1__enlistment__init(&e->plain);
    saga__v1__call__init(&e->call);
    saga__v1__retry_policy__init(&e->retry);
    e->request.saga_id = text("000000000abc-1");
    e->request.n_enlist = 2;
    e->request.enlist = e->list;
    e->list[0] = &e->plain;
    e->list[1] = &e->step;
    e->plain.step = text("plain");
    e->step.step = text("charge");
    e->step.compensation = &e->call;
    e->call.target = text("payment");
    e->call.method = text("/p.Payment/Refund");
    e->call.request = (ProtobufCBinaryData){.data = (uint8_t *)text("req"), .len = 3};
}

START_TEST(decode__an_enlistment_is_read_whole)
{
    struct enlisting e;
    Google__Protobuf__Duration timeout = duration(2, 0), initial = duration(0, 5000000), max = duration(1, 0);
    Google__Protobuf__DoubleValue jitter = GOOGLE__PROTOBUF__DOUBLE_VALUE__INIT;
    enlisting_init(&e);
    e.call.timeout = &timeout;
    e.call.retry = &e.retry;
    e.retry.max_attempts = 1000;
    e.retry.initial_backoff = &initial;
    e.retry.max_backoff = &max;
    e.retry.backoff_multiplier = 1.005; /* which is a little less in binary */
    jitter.value = 0.2496;
    e.retry.jitter = &jitter;
    ck_assert_int_eq(decode_enlist(&decoder, &e.request, &event, &detail), 0);
    ck_assert_uint_eq(event.type, EVENT_ENLIST);
    ck_assert_uint_eq(event.saga.serial, 1);
    ck_assert_uint_eq(event.saga.tag, 0xabc);
    ck_assert_uint_eq(event.enlist_count, 2);
    ck_assert(!event.enlist[0].has_compensation);
    ck_assert(bytes_equal(event.enlist[0].step, bytes_of_text("plain")));
    const struct enlistment *read = &event.enlist[1];
    ck_assert(read->has_compensation);
    ck_assert_str_eq(read->compensation.target, "payment");
    ck_assert_str_eq(read->compensation.method, "/p.Payment/Refund");
    ck_assert(bytes_equal(read->compensation.constant, bytes_of_text("req")));
    ck_assert_int_eq(read->compensation.timeout.us, 2000000);
    ck_assert_uint_eq(read->compensation.retry.max_attempts, 1000);
    ck_assert_int_eq(read->compensation.retry.initial_backoff.us, 5000);
    ck_assert_int_eq(read->compensation.retry.max_backoff.us, 1000000);
    ck_assert_uint_eq(read->compensation.retry.backoff_multiplier_permille, 1005);
    ck_assert_uint_eq(read->compensation.retry.jitter_permille, 250);
}
END_TEST

START_TEST(decode__a_retry_policy_falls_back_to_the_defaults)
{
    struct enlisting e;
    Google__Protobuf__Duration long_initial = duration(60, 0);
    enlisting_init(&e);
    ck_assert_int_eq(decode_enlist(&decoder, &e.request, &event, &detail), 0);
    ck_assert_uint_eq(event.enlist[1].compensation.retry.max_attempts,
                      0); /* the engine has defaults of its own for none at all */
    e.call.retry = &e.retry;
    ck_assert_int_eq(decode_enlist(&decoder, &e.request, &event, &detail), 0);
    ck_assert_mem_eq(&event.enlist[1].compensation.retry.max_attempts, &decoder.compensation_retry.max_attempts,
                     sizeof decoder.compensation_retry.max_attempts);
    ck_assert_int_eq(event.enlist[1].compensation.retry.max_backoff.us, 10000000);
    ck_assert_uint_eq(event.enlist[1].compensation.retry.backoff_multiplier_permille, 2000);
    ck_assert_uint_eq(event.enlist[1].compensation.retry.jitter_permille, 200);
    e.retry.initial_backoff = &long_initial; /* longer than the default's longest */
    ck_assert_int_eq(decode_enlist(&decoder, &e.request, &event, &detail), 0);
    ck_assert_int_eq(event.enlist[1].compensation.retry.max_backoff.us, 60000000);
}
END_TEST

START_TEST(decode__each_part_of_an_enlistment_has_bounds)
{
    struct enlisting e;
    Google__Protobuf__DoubleValue jitter = GOOGLE__PROTOBUF__DOUBLE_VALUE__INIT;
    Google__Protobuf__Duration over_a_day = duration(86400, 1000), two_ms = duration(0, 2000000);
    static const double multipliers[] = {0.5, -1, 100.5, NAN, INFINITY, 1e300};
    static const double jitters[] = {-0.001, 1.001, NAN, INFINITY};
    static const int32_t attempts[] = {-1, INT32_MIN, 1001, INT32_MAX};
    enlisting_init(&e);
    e.request.saga_id = text("1");
    ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT, "saga_id");
    enlisting_init(&e);
    e.call.timeout = &too_short;
    ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT, "enlist[1].compensation.timeout");
    enlisting_init(&e);
    e.call.retry = &e.retry;
    for (size_t i = 0; i < 4; i++) {
        e.retry.max_attempts = attempts[i];
        ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT,
                   "enlist[1].compensation.retry.max_attempts");
    }
    e.retry.max_attempts = 1;
    e.retry.initial_backoff = &too_short;
    ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT,
               "enlist[1].compensation.retry.initial_backoff");
    e.retry.initial_backoff = &one_ms;
    e.retry.max_backoff = &negative;
    ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT,
               "enlist[1].compensation.retry.max_backoff");
    e.retry.max_backoff = &over_a_day;
    ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT,
               "enlist[1].compensation.retry.max_backoff");
    e.retry.max_backoff = &one_ms;
    e.retry.initial_backoff = &over_a_day;
    ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT,
               "enlist[1].compensation.retry.initial_backoff");
    e.retry.initial_backoff = &two_ms;
    ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT,
               "enlist[1].compensation.retry.initial_backoff");
    e.retry.initial_backoff = &one_ms;
    for (size_t i = 0; i < sizeof multipliers / sizeof multipliers[0]; i++) {
        e.retry.backoff_multiplier = multipliers[i];
        ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT,
                   "enlist[1].compensation.retry.backoff_multiplier");
    }
    e.retry.backoff_multiplier = 1;
    e.retry.jitter = &jitter;
    for (size_t i = 0; i < sizeof jitters / sizeof jitters[0]; i++) {
        jitter.value = jitters[i];
        ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT,
                   "enlist[1].compensation.retry.jitter");
    }
    jitter.value = 0;
    ck_assert_int_eq(decode_enlist(&decoder, &e.request, &event, &detail), 0);
    ck_assert_uint_eq(event.enlist[1].compensation.retry.jitter_permille, 0);
}
END_TEST

START_TEST(decode__what_is_just_within_a_bound_is_taken)
{
    struct enlisting e;
    Google__Protobuf__DoubleValue jitter = GOOGLE__PROTOBUF__DOUBLE_VALUE__INIT;
    Google__Protobuf__Duration a_day = duration(86400, 0);
    const struct retry_policy *read;
    enlisting_init(&e);
    e.call.timeout = &one_ms;
    e.call.retry = &e.retry;
    e.retry.max_attempts = 1;
    e.retry.initial_backoff = e.retry.max_backoff = &one_ms;
    e.retry.backoff_multiplier = 1;
    e.retry.jitter = &jitter;
    ck_assert_msg(decode_enlist(&decoder, &e.request, &event, &detail) == 0, "%s", detail.field);
    read = &event.enlist[1].compensation.retry;
    ck_assert_int_eq(event.enlist[1].compensation.timeout.us, 1000);
    ck_assert(read->max_attempts == 1 && read->backoff_multiplier_permille == 1000 && read->jitter_permille == 0);
    ck_assert(read->initial_backoff.us == 1000 && read->max_backoff.us == 1000);
    e.retry.max_attempts = 1000;
    e.retry.max_backoff = &a_day;
    e.retry.backoff_multiplier = 100;
    jitter.value = 1;
    for (int i = 0; i < 2; i++) {
        e.retry.initial_backoff = i == 0 ? &one_ms : &a_day;
        ck_assert_msg(decode_enlist(&decoder, &e.request, &event, &detail) == 0, "%s", detail.field);
        read = &event.enlist[1].compensation.retry;
        ck_assert(read->max_attempts == 1000 && read->backoff_multiplier_permille == 100000);
        ck_assert_uint_eq(read->jitter_permille, 1000);
        ck_assert_int_eq(read->initial_backoff.us, i == 0 ? 1000 : INT64_C(86400000000));
        ck_assert_int_eq(read->max_backoff.us, INT64_C(86400000000));
    }
}
END_TEST

/* The name of a field deep within the longest list still fits. */
START_TEST(decode__the_longest_field_is_not_cut)
{
    enum { COUNT = 100000 };
    struct enlisting e;
    enlisting_init(&e);
    Saga__V1__Enlistment **many = calloc(COUNT, sizeof(*many));
    for (size_t i = 0; i < COUNT; i++)
        many[i] = &e.plain;
    many[COUNT - 1] = &e.step;
    e.request.n_enlist = COUNT;
    e.request.enlist = many;
    e.call.retry = &e.retry;
    e.retry.backoff_multiplier = 0.1;
    ck_refused(decode_enlist(&decoder, &e.request, &event, &detail), E_ARGUMENT,
               "enlist[99999].compensation.retry.backoff_multiplier");
    free(many);
}
END_TEST

/* ---- settlements and acts ---- */

START_TEST(decode__settlements_are_read_and_outcomes_checked)
{
    Saga__V1__Settlement settlements[3];
    Saga__V1__Settlement *list[] = {&settlements[0], &settlements[1], &settlements[2]};
    static const uint8_t states[] = {SAGA_ACTION_DONE, SAGA_ACTION_REJECTED, SAGA_ACTION_UNKNOWN};
    for (int i = 0; i < 3; i++) {
        saga__v1__settlement__init(&settlements[i]);
        settlements[i].step = text("s");
        settlements[i].outcome = (Saga__V1__Outcome)(i + 1);
    }
    settlements[0].output = (ProtobufCBinaryData){.data = (uint8_t *)text("out"), .len = 3};
    settlements[0].use_output_for_compensation = true;
    settlements[2].may_run_for = &one_ms;
    Saga__V1__SettleRequest settle = SAGA__V1__SETTLE_REQUEST__INIT;
    Saga__V1__CommitRequest commit = SAGA__V1__COMMIT_REQUEST__INIT;
    Saga__V1__AbortRequest abort_request = SAGA__V1__ABORT_REQUEST__INIT;
    settle.saga_id = commit.saga_id = abort_request.saga_id = text("000000000abc-1");
    settle.n_settle = commit.n_settle = abort_request.n_settle = 3;
    settle.settle = commit.settle = abort_request.settle = list;
    abort_request.reason = text("why");
    ck_assert_int_eq(decode_settle(&decoder, &settle, &event, &detail), 0);
    ck_assert_uint_eq(event.type, EVENT_ENLIST);
    ck_assert_uint_eq(event.settle_count, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(event.settle[i].action_state, states[i]);
    ck_assert(bytes_equal(event.settle[0].output, bytes_of_text("out")));
    ck_assert(event.settle[0].output_is_request && !event.settle[1].output_is_request);
    ck_assert(event.settle[1].may_run_for.us == 0 && event.settle[2].may_run_for.us == 1000);
    settlements[2].may_run_for = &negative;
    ck_refused(decode_settle(&decoder, &settle, &event, &detail), E_ARGUMENT, "settle[2].may_run_for");
    settlements[2].may_run_for = NULL;
    ck_assert_int_eq(decode_commit(&decoder, &commit, &event, &detail), 0);
    ck_assert_uint_eq(event.type, EVENT_COMMIT);
    ck_assert_int_eq(decode_abort(&decoder, &abort_request, &event, &detail), 0);
    ck_assert_uint_eq(event.type, EVENT_ABORT);
    ck_assert(bytes_equal(event.reason, bytes_of_text("why")));
    static const int bad[] = {0, 4, -1, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        settlements[2].outcome = (Saga__V1__Outcome)bad[i];
        ck_refused(decode_settle(&decoder, &settle, &event, &detail), E_ARGUMENT, "settle[2].outcome");
        ck_refused(decode_commit(&decoder, &commit, &event, &detail), E_ARGUMENT, "settle[2].outcome");
        ck_refused(decode_abort(&decoder, &abort_request, &event, &detail), E_ARGUMENT, "settle[2].outcome");
    }
    abort_request.reason = text("\xff");
    ck_refused(decode_abort(&decoder, &abort_request, &event, &detail), E_ARGUMENT, "reason");
}
END_TEST

START_TEST(decode__an_id_has_one_form)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "abc-1",
                                      "000000000abc-",
                                      "000000000abc-01",
                                      "000000000ABC-1",
                                      "000000000abc-1 ",
                                      "000000000abc-0",
                                      "0000000000abc-1",
                                      "000000000abc-10000000000000000"};
    struct saga_id id = {0};
    ck_assert_int_eq(decode_saga_id("ffffffffffff-ffffffffffffffff", &id, &detail), 0);
    ck_assert_uint_eq(id.serial, UINT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_refused(decode_saga_id(bad[i], &id, &detail), E_ARGUMENT, "saga_id");
}
END_TEST

START_TEST(decode__an_act_names_the_field_at_fault)
{
    Saga__V1__SkipRequest act = SAGA__V1__SKIP_REQUEST__INIT;
    Saga__V1__CancelRequest cancel = SAGA__V1__CANCEL_REQUEST__INIT;
    act.saga_id = cancel.saga_id = TEXT("000000000abc-2");
    act.step = TEXT("s");
    act.actor = TEXT("me");
    act.reason = TEXT("why");
    ck_assert_int_eq(decode_skip(&decoder, &act, &event, &detail), 0);
    ck_assert_uint_eq(event.type, EVENT_SKIP);
    ck_assert_uint_eq(event.saga.serial, 2);
    ck_assert(bytes_equal(event.step, bytes_of_text("s")) && bytes_equal(event.actor, bytes_of_text("me")) &&
              bytes_equal(event.reason, bytes_of_text("why")));
    act.reason = TEXT("\xff");
    ck_refused(decode_skip(&decoder, &act, &event, &detail), E_ARGUMENT, "reason");
    act.actor = TEXT("\xff");
    ck_refused(decode_skip(&decoder, &act, &event, &detail), E_ARGUMENT, "actor");
    act.step = TEXT("\xff");
    ck_refused(decode_skip(&decoder, &act, &event, &detail), E_ARGUMENT, "step");
    act.saga_id = TEXT("\xff");
    ck_refused(decode_skip(&decoder, &act, &event, &detail), E_ARGUMENT, "saga_id");
    memset(&event, 0, sizeof event);
    ck_assert_int_eq(decode_cancel(&decoder, &cancel, &event, &detail), 0);
    ck_assert_uint_eq(event.step.size + event.actor.size + event.reason.size, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode");
    TCase *t = tcase_create("decode");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, decode__a_start_is_read_whole);
    tcase_add_test(t, decode__a_start_without_its_definition_is_refused);
    tcase_add_test(t, decode__an_error_never_says_what_is_not_utf8);
    tcase_add_test(t, decode__texts_of_a_start_must_be_utf8);
    tcase_add_test(t, decode__a_priority_is_one_of_those_that_there_are);
    tcase_add_test(t, decode__durations_have_bounds);
    tcase_add_test(t, decode__texts_of_a_begin_must_be_utf8);
    tcase_add_test(t, decode__an_enlistment_is_read_whole);
    tcase_add_test(t, decode__a_retry_policy_falls_back_to_the_defaults);
    tcase_add_test(t, decode__each_part_of_an_enlistment_has_bounds);
    tcase_add_test(t, decode__what_is_just_within_a_bound_is_taken);
    tcase_add_test(t, decode__the_longest_field_is_not_cut);
    tcase_add_test(t, decode__settlements_are_read_and_outcomes_checked);
    tcase_add_test(t, decode__an_id_has_one_form);
    tcase_add_test(t, decode__an_act_names_the_field_at_fault);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
