/* What goes to a participant beside the request, and the idempotency key above all. */
#include "sidecar/core/call_metadata.h"

#include "compensations/undo.h"

#include <check.h>
#include <stdio.h>

static const struct saga_id saga = {.tag = 0x9f03c1d2a4b7, .serial = 0x2a};

/* The value of a key, or NULL. */
static const char *value_of(const struct call_metadata *m, const char *key)
{
    static char text[256];
    const char *found = NULL;
    for (size_t i = 0; i < m->count; i++)
        if (strcmp(m->entries[i].key, key) == 0) {
            ck_assert_ptr_null(found);
            snprintf(text, sizeof text, "%.*s", (int)m->entries[i].value.size, (const char *)m->entries[i].value.at);
            found = text;
        }
    return found;
}

static struct call_effect action(void)
{
    return (struct call_effect){
        .saga = saga,
        .step = 1,
        .phase = SAGA_PHASE_ACTION,
        .attempt = 3,
        .action_started = {.us = INT64_C(1700000000123999)},
        .definition = bytes_of_text("checkout"),
        .step_name = bytes_of_text("charge"),
    };
}

START_TEST(call_metadata__an_action_is_told_who_calls_and_how_often)
{
    struct call_metadata m;
    struct call_effect call = action();
    call_metadata_init(&m, &call);
    ck_assert_uint_eq(m.count, 7);
    ck_assert_str_eq(value_of(&m, "saga-action-started-ms"), "1700000000123");
    ck_assert_str_eq(value_of(&m, "saga-id"), "9f03c1d2a4b7-2a");
    ck_assert_str_eq(value_of(&m, "saga-definition"), "checkout");
    ck_assert_str_eq(value_of(&m, "saga-step"), "charge");
    ck_assert_str_eq(value_of(&m, "saga-phase"), "action");
    ck_assert_str_eq(value_of(&m, "saga-attempt"), "3");
    ck_assert_str_eq(value_of(&m, "idempotency-key"), "9f03c1d2a4b7-2a/charge/action");
    ck_assert_ptr_null(value_of(&m, "traceparent"));
    ck_assert_ptr_null(value_of(&m, "saga-action-key"));
}
END_TEST

START_TEST(call_metadata__a_compensation_is_told_of_its_action)
{
    struct call_metadata m;
    struct call_effect call = action();
    call.phase = SAGA_PHASE_COMPENSATION;
    call.action_state = SAGA_ACTION_DONE;
    call.traceparent = bytes_of_text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    call_metadata_init(&m, &call);
    ck_assert_uint_eq(m.count, 10);
    ck_assert_str_eq(value_of(&m, "saga-action-started-ms"), "1700000000123");
    ck_assert_str_eq(value_of(&m, "saga-phase"), "compensation");
    ck_assert_str_eq(value_of(&m, "saga-action-outcome"), "done");
    ck_assert_str_eq(value_of(&m, "saga-action-key"), "9f03c1d2a4b7-2a/charge/action");
    ck_assert_str_eq(value_of(&m, "idempotency-key"), "9f03c1d2a4b7-2a/charge/compensation");
    ck_assert_str_eq(value_of(&m, "traceparent"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    call.action_state = SAGA_ACTION_UNKNOWN;
    call.traceparent = bytes_of_text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n");
    call_metadata_init(&m, &call);
    ck_assert_ptr_null(value_of(&m, "traceparent")); /* an older version took it */
    ck_assert_str_eq(value_of(&m, "saga-action-outcome"), "unknown");
}
END_TEST

/* A participant books neither its actions nor what undoes them. */
START_TEST(call_metadata__a_heartbeat_says_so_in_each_call)
{
    static const enum saga_phase phases[] = {SAGA_PHASE_ACTION, SAGA_PHASE_COMPENSATION};
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        struct call_metadata m;
        struct call_effect call = action();
        call.phase = phases[i];
        call_metadata_init(&m, &call);
        ck_assert_ptr_null(value_of(&m, "saga-synthetic"));
        call.synthetic = true;
        call_metadata_init(&m, &call);
        ck_assert_str_eq(value_of(&m, "saga-synthetic"), "true");
    }
}
END_TEST

START_TEST(call_metadata__the_key_is_the_same_for_every_attempt)
{
    struct call_metadata first, later;
    struct call_effect call = action();
    call_metadata_init(&first, &call);
    call.attempt = UINT16_MAX;
    call_metadata_init(&later, &call);
    ck_assert_str_eq(first.key, later.key);
    ck_assert_str_eq(value_of(&later, "saga-attempt"), "65535");
}
END_TEST

START_TEST(call_metadata__an_action_tried_anew_is_another_one)
{
    struct call_metadata m;
    struct call_effect call = action();
    call.generation = 256; /* no number of retries brings the first key back */
    call_metadata_init(&m, &call);
    ck_assert_str_eq(value_of(&m, "idempotency-key"), "9f03c1d2a4b7-2a/charge/action#257");
    call.generation = 1;
    call_metadata_init(&m, &call);
    ck_assert_str_eq(value_of(&m, "idempotency-key"), "9f03c1d2a4b7-2a/charge/action#2");
    call.phase = SAGA_PHASE_COMPENSATION;
    call_metadata_init(&m, &call);
    ck_assert_str_eq(value_of(&m, "idempotency-key"), "9f03c1d2a4b7-2a/charge/compensation#2");
    ck_assert_str_eq(value_of(&m, "saga-action-key"), "9f03c1d2a4b7-2a/charge/action#2");
}
END_TEST

/* The longest that can be: every part of it at its bound, and nothing of it cut. */
START_TEST(call_metadata__the_longest_key_fits)
{
    char name[STEP_NAME_BYTES_MAX + 1], key[IDEMPOTENCY_KEY_SIZE], expected[256];
    memset(name, 's', STEP_NAME_BYTES_MAX);
    name[STEP_NAME_BYTES_MAX] = '\0';
    struct saga_id longest = {.tag = (UINT64_C(1) << SAGA_ID_TAG_BITS) - 1, .serial = UINT64_MAX};
    size_t size = call_idempotency_key(longest, bytes_of_text(name), SAGA_PHASE_COMPENSATION, UINT8_MAX, key);
    snprintf(expected, sizeof expected, "ffffffffffff-ffffffffffffffff/%s/compensation#256", name);
    ck_assert_str_eq(key, expected);
    ck_assert_uint_eq(size, strlen(expected));
}
END_TEST

START_TEST(call_metadata__ids_are_written_as_they_are_read)
{
    static const struct {
        struct saga_id id;
        const char *text;
    } cases[] = {{{.tag = 0, .serial = 1}, "000000000000-1"},
                 {{.tag = 0xfedcba987654, .serial = 0xf}, "fedcba987654-f"},
                 {{.tag = 1, .serial = 0x10}, "000000000001-10"},
                 {{.tag = 1, .serial = UINT64_C(0x0fffffffffffffff)}, "000000000001-fffffffffffffff"},
                 {{.tag = 1, .serial = UINT64_MAX}, "000000000001-ffffffffffffffff"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[SAGA_ID_TEXT_SIZE];
        struct saga_id read;
        ck_assert_uint_eq(saga_id_format(cases[i].id, text), strlen(cases[i].text));
        ck_assert_str_eq(text, cases[i].text);
        ck_assert(saga_id_parse(text, strlen(text), &read));
        ck_assert(read.tag == cases[i].id.tag && read.serial == cases[i].id.serial);
    }
    for (int bit = 0; bit < 64; bit++) { /* every length */
        char text[SAGA_ID_TEXT_SIZE];
        struct saga_id id = {.tag = 5, .serial = UINT64_C(1) << bit}, read;
        ck_assert(saga_id_parse(text, saga_id_format(id, text), &read) && read.serial == id.serial);
    }
}
END_TEST

START_TEST(call_metadata__what_is_no_id_is_refused)
{
    static const char *const texts[] = {"",
                                        "000000000001",
                                        "000000000001-",
                                        "00000000001-1",
                                        "0000000000001-1",
                                        "000000000001-0",
                                        "000000000001-01",
                                        "000000000001_1",
                                        "000000000001-10000000000000000",
                                        "00000000000g-1",
                                        "00000000000F-1",
                                        "00000000000:-1",
                                        "00000000000/-1",
                                        "00000000000`-1",
                                        "000000000001-g",
                                        "000000000001-1A",
                                        "000000000001-1 ",
                                        "000000000001--1"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct saga_id read = {.tag = 7, .serial = 8};
        ck_assert_msg(!saga_id_parse(texts[i], strlen(texts[i]), &read), "%s is an id", texts[i]);
        ck_assert(read.tag == 7 && read.serial == 8);
    }
    struct saga_id read;
    ck_assert(!saga_id_parse("000000000001-1\0", 15, &read)); /* a NUL is no digit */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("call_metadata");
    TCase *tests = tcase_create("call_metadata");
    tcase_add_test(tests, call_metadata__an_action_is_told_who_calls_and_how_often);
    tcase_add_test(tests, call_metadata__ids_are_written_as_they_are_read);
    tcase_add_test(tests, call_metadata__what_is_no_id_is_refused);
    tcase_add_test(tests, call_metadata__a_compensation_is_told_of_its_action);
    tcase_add_test(tests, call_metadata__the_key_is_the_same_for_every_attempt);
    tcase_add_test(tests, call_metadata__a_heartbeat_says_so_in_each_call);
    tcase_add_test(tests, call_metadata__an_action_tried_anew_is_another_one);
    tcase_add_test(tests, call_metadata__the_longest_key_fits);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
