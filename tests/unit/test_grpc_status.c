/* The names of statuses: each is read back, and what is none has a name all the same. */
#include "sidecar/base/grpc_status.h"

#include <check.h>
#include <stdlib.h>

START_TEST(grpc_status__names_are_read_back)
{
    ck_assert_str_eq(grpc_status_name(CODE_OK), "OK");
    ck_assert_str_eq(grpc_status_name(CODE_COUNT - 1), "UNAUTHENTICATED");
    for (int code = 0; code < CODE_COUNT; code++)
        ck_assert_int_eq(grpc_status_parse(grpc_status_name(code)), code);
}
END_TEST

START_TEST(grpc_status__what_is_none_is_unknown)
{
    static const int none[] = {-1, CODE_COUNT, CODE_COUNT + 1, 255};
    for (unsigned i = 0; i < 4; i++)
        ck_assert_str_eq(grpc_status_name(none[i]), "UNKNOWN");
    ck_assert_int_eq(grpc_status_parse("ok"), -1);
    ck_assert_int_eq(grpc_status_parse(""), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grpc_status");
    TCase *tcase = tcase_create("grpc_status");
    tcase_add_test(tcase, grpc_status__names_are_read_back);
    tcase_add_test(tcase, grpc_status__what_is_none_is_unknown);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
