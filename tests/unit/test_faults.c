/* Faults for a drill: what may be asked for, to the last of each bound, and that what was asked for is what is in force and shown. */
#include "sidecar/api/api_inside.h"
#include "tests/support/api_world.h"

#include "sidecar/engine/saga.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct api_world w;
static Google__Protobuf__Duration lasts, delay;
static Saga__V1__Fault fault;
static Saga__V1__Fault *faults[DRILL_RULES_MAX + 1];
static Saga__V1__InjectFaultsRequest request;

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void set_up(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
    w.loop[0].api->options.fault_injection = true;
    lasts = (Google__Protobuf__Duration)GOOGLE__PROTOBUF__DURATION__INIT;
    delay = lasts;
    lasts.seconds = 60;
    fault = (Saga__V1__Fault)SAGA__V1__FAULT__INIT;
    fault.kind = SAGA__V1__FAULT_KIND__FAULT_KIND_ABORT;
    fault.status = 14;
    fault.lasts = &lasts;
    for (unsigned i = 0; i <= DRILL_RULES_MAX; i++)
        faults[i] = &fault;
    request = (Saga__V1__InjectFaultsRequest)SAGA__V1__INJECT_FAULTS_REQUEST__INIT;
    request.actor = text_of("anna");
    request.reason = text_of("a drill");
    request.faults = faults;
    request.n_faults = 1;
}

static void tear_down(void)
{
    api_world_close(&w);
}

static void taken(void)
{
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_INJECT_FAULTS, &request.base), NULL);
}

static void refused(const char *field)
{
    api_world_refused(&w, 0, METHOD_INJECT_FAULTS, &request.base, "INVALID_ARGUMENT", field);
}

static const struct drill *drill(void)
{
    return engine_drill(core_engine(w.loop[0].core));
}

static Saga__V1__ListFaultsResponse *listed(void)
{
    Saga__V1__ListFaultsRequest m = SAGA__V1__LIST_FAULTS_REQUEST__INIT;
    return api_world_get(&w, 0, METHOD_LIST_FAULTS, &m.base);
}

static void drop(Saga__V1__ListFaultsResponse *m)
{
    saga__v1__list_faults_response__free_unpacked(m, NULL);
}

/* A text of so many bytes. */
static char *long_text(size_t size)
{
    static char text[600];
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

START_TEST(faults__none_is_taken_where_they_are_not_configured)
{
    w.loop[0].api->options.fault_injection = false;
    api_world_refused(&w, 0, METHOD_INJECT_FAULTS, &request.base, "FAULT_INJECTION_OFF", "");
    ck_assert_uint_eq(drill()->count, 0);
}
END_TEST

START_TEST(faults__what_is_asked_for_is_in_force_and_shown)
{
    struct instant before = w.now;
    fault.kind = SAGA__V1__FAULT_KIND__FAULT_KIND_REORDER;
    fault.status = 0;
    fault.target = text_of("bank");
    fault.definition = text_of("order");
    fault.tag = text_of("tenant");
    fault.tag_value = text_of("seven");
    fault.calls = SAGA__V1__FAULT_CALLS__FAULT_CALLS_COMPENSATIONS;
    fault.percent = 12.46; /* to the nearest tenth */
    fault.delay = &delay;
    delay.seconds = 1;
    delay.nanos = 500000000;
    taken();
    ck_assert_uint_eq(drill()->count, 1);
    const struct drill_rule *r = &drill()->rules[0];
    ck_assert_int_eq(r->kind, DRILL_REORDER);
    ck_assert_str_eq(r->target, "bank");
    ck_assert_str_eq(r->definition, "order");
    ck_assert_str_eq(r->tag, "tenant");
    ck_assert_str_eq(r->tag_value, "seven");
    ck_assert_int_eq(r->phase, SAGA_PHASE_COMPENSATION);
    ck_assert_uint_eq(r->permille, 125);
    ck_assert_int_eq(r->delay.us, 1500000);
    ck_assert_int_ge(r->until.us, before.us + SPAN_S(60).us);
    ck_assert_int_le(r->until.us, w.now.us + SPAN_S(60).us);
    Saga__V1__ListFaultsResponse *list = listed();
    ck_assert_uint_eq(list->n_faults, 1);
    const Saga__V1__Fault *m = list->faults[0];
    ck_assert_int_eq(m->kind, fault.kind);
    ck_assert_str_eq(m->target, "bank");
    ck_assert_str_eq(m->definition, "order");
    ck_assert_str_eq(m->tag, "tenant");
    ck_assert_str_eq(m->tag_value, "seven");
    ck_assert_int_eq(m->calls, fault.calls);
    ck_assert_double_eq(m->percent, 12.5);
    ck_assert(m->delay->seconds == 1 && m->delay->nanos == 500000000);
    ck_assert_int_eq(m->until->seconds * 1000000 + m->until->nanos / 1000, r->until.us);
    drop(list);
}
END_TEST

START_TEST(faults__what_is_not_said_is_about_all_calls)
{
    fault.calls = SAGA__V1__FAULT_CALLS__FAULT_CALLS_ACTIONS;
    taken();
    ck_assert_int_eq(drill()->rules[0].phase, SAGA_PHASE_ACTION);
    fault.calls = 0;
    taken();
    ck_assert_uint_eq(drill()->count, 1);
    ck_assert_int_eq(drill()->rules[0].phase, 0);
    ck_assert_uint_eq(drill()->rules[0].permille, 1000);
    Saga__V1__ListFaultsResponse *list = listed();
    ck_assert_int_eq(list->faults[0]->calls, 0);
    ck_assert_int_eq((int)list->faults[0]->status, 14);
    ck_assert_ptr_null(list->faults[0]->delay);
    drop(list);
}
END_TEST

/* Those whose time is over are not shown, and those behind them are as they were; and none may be asked for, which ends all. */
START_TEST(faults__one_whose_time_is_over_is_not_shown)
{
    Google__Protobuf__Duration longer = lasts;
    Saga__V1__Fault second = fault, third = fault;
    longer.seconds = 90;
    second.lasts = third.lasts = &longer;
    second.target = text_of("bank");
    third.target = text_of("shop");
    faults[1] = &second;
    faults[2] = &third;
    request.n_faults = 3;
    taken();
    for (int over = 0; over < 2; over++) {
        w.now = drill()->rules[over].until;
        Saga__V1__ListFaultsResponse *list = listed();
        ck_assert_uint_eq(list->n_faults, over ? 0 : 2);
        for (size_t i = 0; i < list->n_faults; i++)
            ck_assert_str_eq(list->faults[i]->target, i == 0 ? "bank" : "shop");
        drop(list);
    }
    request.n_faults = 0;
    taken();
    ck_assert_uint_eq(drill()->count, 0);
}
END_TEST

START_TEST(faults__a_request_has_its_bounds)
{
    request.n_faults = DRILL_RULES_MAX;
    taken();
    ck_assert_uint_eq(drill()->count, DRILL_RULES_MAX);
    request.n_faults = DRILL_RULES_MAX + 1;
    refused("faults");
    request.n_faults = 1;
    request.actor = text_of("");
    refused("actor");
    request.actor = long_text(129);
    refused("actor");
    request.actor = long_text(128);
    taken();
    request.actor = text_of("anna");
    request.reason = text_of("");
    refused("reason");
    request.reason = long_text(257);
    refused("reason");
    request.reason = long_text(256);
    taken();
}
END_TEST

START_TEST(faults__whom_one_is_about_has_its_bounds)
{
    fault.target = long_text(65);
    refused("faults[0].target");
    fault.target = long_text(64);
    taken();
    fault.target = text_of("");
    fault.definition = long_text(129);
    refused("faults[0].definition");
    fault.definition = long_text(128);
    taken();
    fault.definition = text_of("");
    fault.tag = long_text(65);
    refused("faults[0].tag");
    fault.tag = long_text(64);
    taken();
    fault.tag_value = long_text(257);
    fault.tag = text_of("tenant");
    refused("faults[0].tag");
    fault.tag_value = long_text(256);
    taken();
    fault.tag = text_of("");
    refused("faults[0].tag");
    fault.tag_value = text_of("");
    fault.calls = (Saga__V1__FaultCalls)3;
    refused("faults[0].calls");
    fault.calls = (Saga__V1__FaultCalls)-1;
    refused("faults[0].calls");
}
END_TEST

START_TEST(faults__a_status_is_of_an_abort)
{
    fault.status = 0;
    refused("faults[0].status");
    fault.status = 17;
    refused("faults[0].status");
    fault.status = 16;
    taken();
    fault.status = 1;
    taken();
    fault.kind = SAGA__V1__FAULT_KIND__FAULT_KIND_DROP_ANSWER;
    refused("faults[0].status");
    fault.status = 0;
    taken();
    fault.kind = 0;
    refused("faults[0].kind");
    fault.kind = (Saga__V1__FaultKind)DRILL_KIND_COUNT;
    refused("faults[0].kind");
}
END_TEST

START_TEST(faults__a_share_is_a_tenth_of_a_percent_at_least)
{
    fault.percent = 0.05;
    refused("faults[0].percent");
    fault.percent = -1;
    refused("faults[0].percent");
    fault.percent = 100.1;
    refused("faults[0].percent");
    fault.percent = 0.1;
    taken();
    ck_assert_uint_eq(drill()->rules[0].permille, 1);
    fault.percent = 100;
    taken();
    ck_assert_uint_eq(drill()->rules[0].permille, 1000);
}
END_TEST

START_TEST(faults__delays_and_times_are_a_millisecond_to_an_hour)
{
    fault.delay = &delay;
    delay.seconds = 1;
    refused("faults[0].delay");
    fault.kind = SAGA__V1__FAULT_KIND__FAULT_KIND_DELAY;
    fault.status = 0;
    taken();
    delay.seconds = 3601;
    refused("faults[0].delay");
    delay.seconds = 3600;
    taken();
    delay.nanos = 1000;
    refused("faults[0].delay");
    delay.seconds = 0;
    delay.nanos = 999000;
    refused("faults[0].delay");
    delay.nanos = 1000000;
    taken();
    fault.delay = NULL;
    refused("faults[0].delay");
    fault.delay = &delay;
    lasts.seconds = 0;
    refused("faults[0].lasts");
    lasts.seconds = 3601;
    refused("faults[0].lasts");
    lasts.seconds = -1;
    refused("faults[0].lasts");
    /* Within an hour, and no duration all the same. */
    lasts.seconds = delay.seconds = 1;
    lasts.nanos = 1000000000;
    refused("faults[0].lasts");
    lasts.nanos = delay.nanos = 999999999;
    taken();
    delay.nanos = 1000000000;
    refused("faults[0].delay");
    delay.nanos = -1;
    refused("faults[0].delay");
    delay.nanos = 0;
    fault.lasts = NULL;
    refused("faults[0].lasts");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults");
    TCase *tc = tcase_create("faults");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, faults__none_is_taken_where_they_are_not_configured);
    tcase_add_test(tc, faults__what_is_asked_for_is_in_force_and_shown);
    tcase_add_test(tc, faults__what_is_not_said_is_about_all_calls);
    tcase_add_test(tc, faults__one_whose_time_is_over_is_not_shown);
    tcase_add_test(tc, faults__a_request_has_its_bounds);
    tcase_add_test(tc, faults__whom_one_is_about_has_its_bounds);
    tcase_add_test(tc, faults__a_status_is_of_an_abort);
    tcase_add_test(tc, faults__a_share_is_a_tenth_of_a_percent_at_least);
    tcase_add_test(tc, faults__delays_and_times_are_a_millisecond_to_an_hour);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
