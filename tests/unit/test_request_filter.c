/* Which request_ids are known to be new: rows without one leave the filter as good as it is. */
#include "sidecar/journal/postgres/request_filter.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const uint64_t key[2] = {1, 2};

/* Of so many rows, of which every one has a request_id, or none. */
static void fill(struct request_filter *k, unsigned rows, bool with)
{
    char text[24];
    ck_assert(request_filter_wants(k));
    for (unsigned i = 1; i <= rows; i++) {
        snprintf(text, sizeof text, "r-%u", i);
        request_filter_read(k, i, with ? bytes_of_text(text) : bytes_of(NULL, 0));
    }
    request_filter_read_so_far(k, true);
}

START_TEST(request_filter__rows_without_a_request_id_do_not_fill_it)
{
    struct request_filter k;
    request_filter_open(&k, 64, key);
    fill(&k, 1000, false);
    ck_assert(request_filter_is_new(&k, bytes_of_text("new")));
    request_filter_close(&k);
}
END_TEST

START_TEST(request_filter__too_many_request_ids_are_of_no_use)
{
    struct request_filter k;
    request_filter_open(&k, 64, key);
    fill(&k, 32, true);
    ck_assert(!request_filter_is_new(&k, bytes_of_text("r-32")));
    ck_assert_ptr_nonnull(k.bits);
    request_filter_close(&k);
    request_filter_open(&k, 64, key);
    fill(&k, 33, true);
    ck_assert_ptr_null(k.bits);
    ck_assert(!request_filter_is_new(&k, bytes_of_text("new")));
    ck_assert(!request_filter_wants(&k)); /* not before the journal is opened anew */
    request_filter_close(&k);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("request_filter");
    Suite *s = suite_create("request_filter");
    tcase_add_test(c, request_filter__rows_without_a_request_id_do_not_fill_it);
    tcase_add_test(c, request_filter__too_many_request_ids_are_of_no_use);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
