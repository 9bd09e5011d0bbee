/* For how long a claim of a request_id is kept, and for how long a look at one counts: the second is well within the first. */
#include "sidecar/core/claim.h"

#include <check.h>
#include <stdlib.h>

START_TEST(claim__is_kept_for_the_retention_and_a_minute_at_least)
{
    ck_assert_int_eq(claim_unseen(SPAN_S(0)).us, SPAN_S(60).us);
    ck_assert_int_eq(claim_unseen(SPAN_S(59)).us, SPAN_S(60).us);
    ck_assert_int_eq(claim_unseen(SPAN_S(3600)).us, SPAN_S(3600).us);
}
END_TEST

/* The answer of the database, the way to the loop that has the journal, and the one from there to a guest: each may take that long. */
START_TEST(claim__three_looks_that_still_count_are_shorter_than_it_is_kept)
{
    int64_t longest = 0;
    while (!claim_is_past((struct span){.us = longest}))
        longest += 1000;
    ck_assert_int_ge(longest, SPAN_S(10).us); /* nobody is refused for a slow database */
    ck_assert_int_lt(3 * longest, claim_unseen(SPAN_S(0)).us);
    ck_assert(claim_is_past(SPAN_S(86400)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("claim");
    TCase *tcase = tcase_create("claim");
    tcase_add_test(tcase, claim__is_kept_for_the_retention_and_a_minute_at_least);
    tcase_add_test(tcase, claim__three_looks_that_still_count_are_shorter_than_it_is_kept);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
