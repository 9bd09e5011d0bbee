/* From the messages of saga.v1 to the public structs: each field to its own, and what is longer than its place. */
#include "client-lib/src/client_inside.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char *text(const char *t)
{
    return (char *)(uintptr_t)t;
}

static Google__Protobuf__Timestamp at(int64_t seconds, int32_t nanos)
{
    Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    t.seconds = seconds;
    t.nanos = nanos;
    return t;
}

START_TEST(client_info__of_a_saga)
{
    Google__Protobuf__Timestamp started = at(1, 0), ended = at(2, 0), deadline = at(3, 0);
    Saga__V1__Saga saga = SAGA__V1__SAGA__INIT;
    struct saga_info info;
    saga.id = text("id");
    saga.definition = text("definition");
    saga.version = text("1.2.3");
    saga.request_id = text("request");
    saga.reason_step = text("reason step");
    saga.stuck_step = text("stuck step");
    saga.state = SAGA__V1__SAGA_STATE__SAGA_STATE_STUCK;
    saga.reason = SAGA__V1__REASON__REASON_DEADLINE;
    saga.stuck_reason = SAGA__V1__REASON__REASON_ACTION_REJECTED;
    saga.mode = SAGA__V1__SAGA_MODE__SAGA_MODE_ENLISTED;
    saga.paused = true;
    saga.started_at = &started;
    saga.ended_at = &ended;
    saga.deadline = &deadline;
    client_info_of(&saga, &info);
    ck_assert_str_eq(info.saga_id, "id");
    ck_assert_str_eq(info.definition, "definition");
    ck_assert_str_eq(info.version, "1.2.3");
    ck_assert_str_eq(info.request_id, "request");
    ck_assert_str_eq(info.reason_step, "reason step");
    ck_assert_str_eq(info.stuck_step, "stuck step");
    ck_assert_int_eq(info.state, SAGA_STATE_STUCK);
    ck_assert_str_eq(saga_reason_name(info.reason), "DEADLINE");
    ck_assert_str_eq(saga_reason_name(info.stuck_reason), "ACTION_REJECTED");
    ck_assert(info.enlisted && info.paused);
    ck_assert_int_eq(info.started_at_ms, 1000);
    ck_assert_int_eq(info.ended_at_ms, 2000);
    ck_assert_int_eq(info.deadline_ms, 3000);
    saga.mode = SAGA__V1__SAGA_MODE__SAGA_MODE_ORCHESTRATED;
    saga.paused = false;
    saga.ended_at = NULL;
    client_info_of(&saga, &info);
    ck_assert(!info.enlisted && !info.paused);
    ck_assert_int_eq(info.ended_at_ms, 0);
}
END_TEST

START_TEST(client_info__of_a_step)
{
    Google__Protobuf__Timestamp started = at(4, 5000000);
    Saga__V1__Step step = SAGA__V1__STEP__INIT;
    struct saga_step out;
    step.name = text("charge");
    step.action = SAGA__V1__ACTION_STATE__ACTION_STATE_UNKNOWN;
    step.compensation = SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_FAILED;
    step.action_attempts = 3;
    step.compensation_attempts = 4;
    step.started_at = &started;
    step.waiting_for = text("retry");
    step.last_status = 14;
    step.last_message = text("away");
    step.output = (ProtobufCBinaryData){.data = (uint8_t *)text("out"), .len = 3};
    client_step_of(&step, &out);
    ck_assert_str_eq(out.name, "charge");
    ck_assert_str_eq(saga_action_name(out.action), "UNKNOWN");
    ck_assert_str_eq(saga_compensation_name(out.compensation), "FAILED");
    ck_assert_int_eq(out.action_attempts, 3);
    ck_assert_int_eq(out.compensation_attempts, 4);
    ck_assert_int_eq(out.started_at_ms, 4005);
    ck_assert_str_eq(out.waiting_for, "retry");
    ck_assert_int_eq(out.last_status, 14);
    ck_assert_str_eq(out.last_message, "away");
    ck_assert_uint_eq(out.output_size, 3);
    ck_assert_mem_eq(out.output, "out", 3);
    step.output.len = 0;
    client_step_of(&step, &out);
    ck_assert_ptr_null(out.output);
    ck_assert_uint_eq(out.output_size, 0);
}
END_TEST

START_TEST(client_info__of_an_event)
{
    Google__Protobuf__Timestamp when = at(6, 0), next = at(7, 0);
    Saga__V1__Event event = SAGA__V1__EVENT__INIT;
    struct saga_event out;
    event.cursor = text("7.1");
    event.at = &when;
    event.type = SAGA__V1__EVENT_TYPE__EVENT_TYPE_TURNED_BACK;
    event.saga_id = text("id");
    event.step = text("charge");
    event.attempt = 2;
    event.status = 9;
    event.message = text("declined");
    event.reason = SAGA__V1__REASON__REASON_DEADLINE;
    event.action = SAGA__V1__ACTION_STATE__ACTION_STATE_REJECTED;
    event.compensation = SAGA__V1__COMPENSATION_STATE__COMPENSATION_STATE_OWED;
    event.state = SAGA__V1__SAGA_STATE__SAGA_STATE_COMPENSATING;
    event.next_attempt_at = &next;
    event.actor = text("ann");
    event.definition = text("checkout");
    client_event_of(&event, &out);
    ck_assert_str_eq(out.cursor, "7.1");
    ck_assert_int_eq(out.at_ms, 6000);
    ck_assert_str_eq(saga_event_name(out.type), "TURNED_BACK");
    ck_assert_str_eq(out.saga_id, "id");
    ck_assert_str_eq(out.step, "charge");
    ck_assert_int_eq(out.attempt, 2);
    ck_assert_int_eq(out.status, 9);
    ck_assert_str_eq(out.message, "declined");
    ck_assert_str_eq(saga_reason_name(out.reason), "DEADLINE");
    ck_assert_str_eq(saga_action_name(out.action), "REJECTED");
    ck_assert_str_eq(saga_compensation_name(out.compensation), "OWED");
    ck_assert_str_eq(saga_state_name(out.state), "COMPENSATING");
    ck_assert_int_eq(out.next_attempt_at_ms, 7000);
    ck_assert_str_eq(out.actor, "ann");
    ck_assert_str_eq(out.definition, "checkout");
}
END_TEST

START_TEST(client_info__names_and_ends)
{
    ck_assert_str_eq(saga_status_name(SAGA_OK), "OK");
    ck_assert_str_eq(saga_status_name(SAGA_E_UNAUTHENTICATED), "UNAUTHENTICATED");
    ck_assert_str_eq(saga_status_name(-1), "UNKNOWN");
    ck_assert_str_eq(saga_status_name(SAGA_STATUS_COUNT), "UNKNOWN");
    ck_assert_str_eq(saga_state_name(999), "UNKNOWN_VALUE");
    ck_assert_str_eq(saga_event_name(-1), "UNKNOWN_VALUE");
    for (int state = 0; state <= SAGA_STATE_RESOLVED; state++)
        ck_assert(saga_state_final(state) == (strcmp(saga_state_name(state), "COMMITTED") == 0 ||
                                              strcmp(saga_state_name(state), "COMPENSATED") == 0 ||
                                              strcmp(saga_state_name(state), "RESOLVED") == 0));
}
END_TEST

/* A time that no Timestamp may have is none; what does not fit is cut. */
START_TEST(client_info__is_bounded)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
        int64_t ms;
    } times[] = {{1700000000, 123999999, INT64_C(1700000000123)},
                 {INT64_C(253402300799), 0, INT64_C(253402300799000)},
                 {INT64_C(253402300800), 0, 0},
                 {INT64_C(-62135596800), 0, INT64_C(-62135596800000)},
                 {INT64_C(-62135596801), 0, 0},
                 {INT64_MAX, 0, 0},
                 {INT64_MIN, 0, 0}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        Google__Protobuf__Timestamp t = at(times[i].seconds, times[i].nanos);
        ck_assert_int_eq(client_time_ms(&t), times[i].ms);
    }
    ck_assert_int_eq(client_time_ms(NULL), 0);

    char small[5] = "????";
    client_copy_text(small, sizeof small, "abcdef");
    ck_assert_str_eq(small, "abcd");
    client_copy_text(small, sizeof small, "abcd");
    ck_assert_str_eq(small, "abcd");
    client_copy_text(small, sizeof small, "");
    ck_assert_str_eq(small, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_info");
    TCase *tc = tcase_create("client_info");
    tcase_add_test(tc, client_info__of_a_saga);
    tcase_add_test(tc, client_info__of_a_step);
    tcase_add_test(tc, client_info__of_an_event);
    tcase_add_test(tc, client_info__names_and_ends);
    tcase_add_test(tc, client_info__is_bounded);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
