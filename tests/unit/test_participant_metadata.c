/* What comes with a call to a participant, read up to its bounds and not beyond them. */
#include "client-lib/src/participant_server.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DO   "/shop.v1.Inventory/Reserve"
#define UNDO "/shop.v1.Inventory/Release"

/* C core sends no such metadata, but hands on what a stranger sends: a NUL must not make two keys look the same. */
START_TEST(participant_metadata__with_a_nul_is_no_other)
{
    static const char *const names[] = {"saga-id",    "saga-definition", "saga-step",
                                        "saga-phase", "saga-attempt",    "idempotency-key"};
    static const char *const values[] = {"9f03c1d2a4b7-2a", "shop", "reserve",
                                         "action",          "1",    "9f03c1d2a4b7-2a/reserve"};
    grpc_metadata pairs[6];
    struct participant_metadata read;
    char problem[128];
    for (size_t i = 0; i < 6; i++)
        pairs[i] = (grpc_metadata){.key = grpc_slice_from_static_string(names[i]),
                                   .value = grpc_slice_from_static_string(values[i])};
    const grpc_metadata_array all = {.count = 6, .metadata = pairs};
    ck_assert_int_eq(participant_metadata_read(&all, DO, strlen(DO), &read, problem, sizeof problem), SAGA_OK);
    pairs[5].value = grpc_slice_from_static_buffer("9f03c1d2a4b7-2a/reserve\0", 24);
    ck_assert_int_eq(participant_metadata_read(&all, DO, strlen(DO), &read, problem, sizeof problem),
                     SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(problem, "metadata idempotency-key is not printable ASCII");
}
END_TEST

/* A compensation's metadata, the texts as long as they may be. */
enum { TEXT_PAIRS = 5, PAIRS = 10 };
static const size_t text_bytes_max[TEXT_PAIRS] = {64, 128, 64, 256, 256};
static char long_texts[TEXT_PAIRS][258];
static const char *pairs_given[PAIRS][2] = {
    {"saga-id", long_texts[0]},         {"saga-definition", long_texts[1]},
    {"saga-step", long_texts[2]},       {"idempotency-key", long_texts[3]},
    {"saga-action-key", long_texts[4]}, {"saga-action-outcome", "done"},
    {"saga-phase", "compensation"},     {"saga-attempt", "2147483647"},
    {"traceparent", "00-aa"},           {"saga-action-started-ms", "9223372036854775807"},
};
static struct participant_metadata read_out;
static char read_problem[128];

/* Reads the first count of them, and one more when there is one. */
static int read_pairs(size_t count, const char *key, const char *value)
{
    grpc_metadata pairs[PAIRS + 1];
    grpc_metadata_array all = {.count = count, .metadata = pairs};
    for (size_t i = 0; i < count; i++)
        pairs[i] = (grpc_metadata){.key = grpc_slice_from_static_string(pairs_given[i][0]),
                                   .value = grpc_slice_from_static_string(pairs_given[i][1])};
    if (key != NULL)
        pairs[all.count++] =
            (grpc_metadata){.key = grpc_slice_from_static_string(key), .value = grpc_slice_from_static_string(value)};
    return participant_metadata_read(&all, UNDO, strlen(UNDO), &read_out, read_problem, sizeof read_problem);
}

START_TEST(participant_metadata__is_read_up_to_its_bounds)
{
    const struct saga_call_info *info = &read_out.info;
    for (int i = 0; i < TEXT_PAIRS; i++)
        memset(long_texts[i], 'a' + i, text_bytes_max[i]);
    /* A second traceparent is none of the saga's, and no reason to refuse. */
    ck_assert_int_eq(read_pairs(PAIRS, "traceparent", "00-bb"), SAGA_OK);
    ck_assert_str_eq(info->saga_id, long_texts[0]);
    ck_assert_str_eq(info->definition, long_texts[1]);
    ck_assert_str_eq(info->step, long_texts[2]);
    ck_assert_str_eq(info->idempotency_key, long_texts[3]);
    ck_assert_str_eq(info->action_key, long_texts[4]);
    ck_assert_str_eq(info->method, UNDO);
    ck_assert_str_eq(info->traceparent, "00-aa");
    ck_assert_int_eq(info->action_outcome, SAGA_CALL_OUTCOME_DONE);
    ck_assert_int_eq(info->phase, SAGA_CALL_COMPENSATION);
    ck_assert_int_eq(info->attempt, INT32_MAX);
    ck_assert_int_eq(info->action_started_ms, INT64_MAX);
    /* And one that cannot be passed on is none. */
    static const struct {
        const char *given, *read;
    } traces[] = {{" ~", " ~"},
                  {"00\x1f"
                   "aa",
                   ""},
                  {"00\x7f"
                   "aa",
                   ""},
                  {"\xc3\xbc", ""}};
    for (size_t i = 0; i < sizeof traces / sizeof traces[0]; i++) {
        pairs_given[8][1] = traces[i].given;
        ck_assert_int_eq(read_pairs(PAIRS, NULL, NULL), SAGA_OK);
        ck_assert_str_eq(info->traceparent, traces[i].read);
    }
    pairs_given[8][1] = "00-aa";
    pairs_given[5][1] = "unknown";
    ck_assert_int_eq(read_pairs(PAIRS - 1, NULL, NULL), SAGA_OK); /* an older sidecar does not say when it began */
    ck_assert_int_eq(info->action_outcome, SAGA_CALL_OUTCOME_UNKNOWN);
    ck_assert_int_eq(info->action_started_ms, 0);
    for (int i = 0; i < TEXT_PAIRS; i++) {
        char expected[128];
        long_texts[i][text_bytes_max[i]] = 'x';
        ck_assert_int_eq(read_pairs(PAIRS, NULL, NULL), SAGA_E_INVALID_ARGUMENT);
        snprintf(expected, sizeof expected, "metadata %s is too long", pairs_given[i][0]);
        ck_assert_str_eq(read_problem, expected);
        long_texts[i][text_bytes_max[i]] = '\0';
    }
    static const struct {
        int at;
        const char *value, *problem;
    } bad[] = {{5, "undone", "is neither done nor unknown"},
               {6, "action", "saga-action-outcome comes with an action"},
               {7, "2147483648", "is not a number from 1"},
               {9, "9223372036854775808", "is not a number of milliseconds"},
               {9, "-1", "is not a number of milliseconds"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *before = pairs_given[bad[i].at][1];
        pairs_given[bad[i].at][1] = bad[i].value;
        ck_assert_int_eq(read_pairs(PAIRS, NULL, NULL), SAGA_E_INVALID_ARGUMENT);
        ck_assert_msg(strstr(read_problem, bad[i].problem) != NULL, "%s", read_problem);
        pairs_given[bad[i].at][1] = before;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("participant_metadata");
    TCase *metadata = tcase_create("metadata");
    tcase_set_timeout(metadata, 60);
    tcase_add_test(metadata, participant_metadata__with_a_nul_is_no_other);
    tcase_add_test(metadata, participant_metadata__is_read_up_to_its_bounds);
    suite_add_tcase(suite, metadata);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
