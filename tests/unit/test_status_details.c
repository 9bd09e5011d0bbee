/* Errors as google.rpc.Status: read back with protobuf, for every error there is, and with every text at its longest.
 */
#include "sidecar/rpc/status_details.h"

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#include <check.h>
#include <limits.h>
#include <stdlib.h>

#define TYPE(name) "type.googleapis.com/google.rpc." name

#define CODE_OF(constant, number, reason, status, retryable, text) constant,
static const int codes[] = {ERROR_TABLE(CODE_OF)};
#undef CODE_OF

static uint8_t *at; /* of exactly the size that is promised, so that what goes beyond is found */

static void setup(void)
{
    at = malloc(STATUS_DETAILS_SIZE_MAX);
}

static void teardown(void)
{
    free(at);
}

static Google__Rpc__Status *read_back(int code, const struct error_detail *detail)
{
    struct bytes packed = status_details(code, detail, at);
    ck_assert_uint_le(packed.size, STATUS_DETAILS_SIZE_MAX);
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, packed.size, packed.at);
    ck_assert_ptr_nonnull(status);
    return status;
}

/* The detail of this type, or NULL; there is one of each at most. */
static const Google__Protobuf__Any *find(const Google__Rpc__Status *status, const char *type)
{
    const Google__Protobuf__Any *found = NULL;
    for (size_t i = 0; i < status->n_details; i++)
        if (strcmp(status->details[i]->type_url, type) == 0) {
            ck_assert_ptr_null(found);
            found = status->details[i];
        }
    return found;
}

static void check(int code, const struct error_detail *detail)
{
    const struct error_row *row = error_row(code);
    char message[STATUS_MESSAGE_SIZE_MAX];
    Google__Rpc__Status *status = read_back(code, detail);
    ck_assert_int_eq(status->code, row->grpc_status);
    ck_assert_str_eq(status->message, status_message(code, detail, message));

    const Google__Protobuf__Any *any = find(status, TYPE("ErrorInfo"));
    ck_assert_ptr_nonnull(any);
    Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
    ck_assert_str_eq(info->reason, row->reason);
    ck_assert_str_eq(info->domain, "saga.v1");
    google__rpc__error_info__free_unpacked(info, NULL);

    any = find(status, TYPE("BadRequest"));
    ck_assert_int_eq(any != NULL, row->grpc_status == 3 && detail != NULL);
    if (any != NULL) {
        Google__Rpc__BadRequest *bad = google__rpc__bad_request__unpack(NULL, any->value.len, any->value.data);
        ck_assert_uint_eq(bad->n_field_violations, 1);
        ck_assert_str_eq(bad->field_violations[0]->field, detail->field);
        ck_assert_str_eq(bad->field_violations[0]->description, detail->text[0] != '\0' ? detail->text : row->text);
        google__rpc__bad_request__free_unpacked(bad, NULL);
    }

    any = find(status, TYPE("RetryInfo"));
    ck_assert_int_eq(any != NULL, row->retryable);
    if (any != NULL) {
        Google__Rpc__RetryInfo *retry = google__rpc__retry_info__unpack(NULL, any->value.len, any->value.data);
        int ms = (int)(retry->retry_delay->seconds * 1000 + retry->retry_delay->nanos / 1000000);
        ck_assert_int_eq(ms, detail != NULL && detail->retry_ms > 0         ? (int)detail->retry_ms
                             : code == E_HELD                               ? 10000
                             : code == E_JOURNAL_FULL || code == E_STOPPING ? 1000
                                                                            : 100);
        google__rpc__retry_info__free_unpacked(retry, NULL);
    }
    google__rpc__status__free_unpacked(status, NULL);
}

START_TEST(status_details__every_error_can_be_read_back)
{
    struct error_detail detail;
    check(codes[_i], NULL);
    memset(&detail, 'x', sizeof detail); /* whatever it held before */
    error_set(&detail, codes[_i], NULL, NULL);
    ck_assert_ptr_null(detail.rule);
    ck_assert(detail.retry_ms == 0 && detail.line == 0 && detail.column == 0);
    check(codes[_i], &detail);
    error_set(&detail, codes[_i], "steps[2].action", "it is not so");
    detail.line = 3;
    detail.column = 5;
    check(codes[_i], &detail);
    detail.retry_ms = 2345;
    check(codes[_i], &detail);
}
END_TEST

START_TEST(status_details__the_longest_texts_fit)
{
    struct error_detail detail;
    char message[STATUS_MESSAGE_SIZE_MAX];
    memset(detail.field, 'f', sizeof detail.field - 1);
    memset(detail.text, 't', sizeof detail.text - 1);
    detail.field[sizeof detail.field - 1] = detail.text[sizeof detail.text - 1] = '\0';
    detail.line = detail.column = INT_MAX;
    check(codes[_i], &detail);
    status_message(codes[_i], &detail, message);
    ck_assert_uint_eq(strlen(message), strlen("2147483647:2147483647: ") + 95 + 2 + 223);
}
END_TEST

START_TEST(status_details__a_message_says_where_and_what)
{
    char message[STATUS_MESSAGE_SIZE_MAX];
    struct error_detail detail;
    ck_assert_str_eq(status_message(E_SAGA_NOT_FOUND, NULL, message), "no saga has this id");
    error_set(&detail, E_SAGA_NOT_FOUND, "saga_id", NULL);
    ck_assert_str_eq(status_message(E_SAGA_NOT_FOUND, &detail, message), "saga_id: no saga has this id");
    error_set(&detail, E_SYNTAX, "", "a colon is missing");
    detail.line = 4;
    detail.column = 1;
    ck_assert_str_eq(status_message(E_SYNTAX, &detail, message), "4:1: a colon is missing");
}
END_TEST

int main(void)
{
    enum { COUNT = sizeof codes / sizeof codes[0] };
    Suite *suite = suite_create("status_details");
    TCase *t = tcase_create("status_details");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, status_details__every_error_can_be_read_back, 0, COUNT);
    tcase_add_loop_test(t, status_details__the_longest_texts_fit, 0, COUNT);
    tcase_add_test(t, status_details__a_message_says_where_and_what);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* many rows, of which each would be a process */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
