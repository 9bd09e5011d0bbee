/* Which request_ids are known to be new: rows without one leave the filter as good as it is, and it is filled anew as more come. */
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

static void read_row(struct request_filter *k, uint64_t serial, const char *request_id)
{
    request_filter_read(k, serial, bytes_of_text(request_id));
    ck_assert_uint_eq(k->after, serial); /* from where the next piece is asked for */
}

/* Nothing is known to be new before all has been read, and what came meanwhile is among it. */
START_TEST(request_filter__what_comes_while_it_is_read_is_known)
{
    struct request_filter k;
    request_filter_open(&k, 1024, key);
    ck_assert(!request_filter_is_new(&k, bytes_of_text("c")));
    ck_assert(request_filter_wants(&k));
    read_row(&k, 1, "a");
    request_filter_read_so_far(&k, false);
    ck_assert(!request_filter_is_new(&k, bytes_of_text("c")));
    ck_assert(request_filter_wants(&k));
    request_filter_add(&k, bytes_of_text("b"));
    request_filter_add(&k, bytes_of(NULL, 0));
    read_row(&k, 5, "d");
    request_filter_read_so_far(&k, true);
    ck_assert(!request_filter_is_new(&k, bytes_of_text("a")) && !request_filter_is_new(&k, bytes_of_text("b")));
    ck_assert(!request_filter_is_new(&k, bytes_of_text("d")) && request_filter_is_new(&k, bytes_of_text("c")));
    request_filter_add(&k, bytes_of_text("c"));
    ck_assert(!request_filter_is_new(&k, bytes_of_text("c")));
    ck_assert(!request_filter_wants(&k));
    request_filter_close(&k);
}
END_TEST

/* Once as many have come as it was made of, and a sixteenth of its size; what it knew is good for as long as that takes. */
START_TEST(request_filter__is_filled_anew_when_much_has_come)
{
    enum { SIZE = 1024 };
    static const unsigned rows[][2] = {{10, SIZE / 16}, {100, 100}}; /* that it is made of, and that come */
    for (int i = 0; i < 2; i++) {
        struct request_filter k;
        char text[24];
        request_filter_open(&k, SIZE, key);
        fill(&k, rows[i][0], true);
        for (unsigned n = 0; n < rows[i][1]; n++) {
            ck_assert(!request_filter_wants(&k));
            snprintf(text, sizeof text, "later-%u", n);
            request_filter_add(&k, bytes_of_text(text));
        }
        ck_assert(request_filter_wants(&k) && request_filter_wants(&k));
        ck_assert_uint_eq(k.after, 0); /* from the beginning */
        ck_assert(!request_filter_is_new(&k, bytes_of_text("r-1")) && !request_filter_is_new(&k, bytes_of_text(text)));
        read_row(&k, 1, "another");
        request_filter_read_so_far(&k, true);
        ck_assert(!request_filter_is_new(&k, bytes_of_text("another")));
        ck_assert(request_filter_is_new(&k, bytes_of_text("r-1"))); /* retention has taken it meanwhile */
        ck_assert(!request_filter_wants(&k));
        request_filter_close(&k);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("request_filter");
    Suite *s = suite_create("request_filter");
    tcase_add_test(c, request_filter__rows_without_a_request_id_do_not_fill_it);
    tcase_add_test(c, request_filter__too_many_request_ids_are_of_no_use);
    tcase_add_test(c, request_filter__what_comes_while_it_is_read_is_known);
    tcase_add_test(c, request_filter__is_filled_anew_when_much_has_come);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
