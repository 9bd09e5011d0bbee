/* The generator of all that is drawn: SplitMix64's own numbers, the same on every machine, and draws within their bound. */
#include "sidecar/base/random.h"

#include <check.h>
#include <stdlib.h>

START_TEST(random__is_splitmix64)
{
    static const uint64_t wanted[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                      UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                      UINT64_C(16408922859458223821)};
    struct random r;
    random_seed(&r, 1234567);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_uint_eq(random_next(&r), wanted[i]);
}
END_TEST

/* Every number below the bound comes, about as often as each other, and none beyond; what has no bound is 0. */
START_TEST(random__draws_lie_below_their_bound)
{
    unsigned drawn[10] = {0};
    struct random r;
    random_seed(&r, 7);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t n = random_below(&r, 10);
        ck_assert_uint_lt(n, 10);
        drawn[n]++;
    }
    for (unsigned i = 0; i < 10; i++)
        ck_assert(drawn[i] > 850 && drawn[i] < 1150);
    ck_assert_uint_eq(random_below(&r, 1), 0);
    ck_assert_uint_eq(random_below(&r, 0), 0);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("random");
    Suite *s = suite_create("random");
    tcase_add_test(c, random__is_splitmix64);
    tcase_add_test(c, random__draws_lie_below_their_bound);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
