/* SipHash-2-4: what its paper says, and every length around a word's end. */
#include "sidecar/base/siphash.h"

#include <check.h>
#include <stdlib.h>

static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/* Appendix A of the paper, and the first of the vectors beside it. */
START_TEST(siphash__what_the_paper_says)
{
    uint8_t data[15];
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    ck_assert_uint_eq(siphash(key, bytes_of(data, 15)), UINT64_C(0xa129ca6149be45e5));
    ck_assert_uint_eq(siphash(key, bytes_of(data, 0)), UINT64_C(0x726fdb47dd0e0e31));
    ck_assert_uint_eq(siphash(key, bytes_of(data, 1)), UINT64_C(0x74f839c593dc67fd));
    ck_assert_uint_eq(siphash(key, bytes_of(data, 8)), UINT64_C(0x93f5f5799a932462));
}
END_TEST

/* A byte more or less, another one, another key: each says something else. */
START_TEST(siphash__each_byte_counts)
{
    uint8_t data[40] = {0};
    for (unsigned size = 1; size <= sizeof data; size++) {
        uint64_t hash = siphash(key, bytes_of(data, size));
        ck_assert_uint_ne(hash, siphash(key, bytes_of(data, size - 1)));
        for (unsigned i = 0; i < size; i++) {
            data[i] ^= 0x80;
            ck_assert_uint_ne(hash, siphash(key, bytes_of(data, size)));
            data[i] ^= 0x80;
        }
        const uint64_t other[2][2] = {{key[0] ^ 1, key[1]}, {key[0], key[1] ^ 1}};
        ck_assert_uint_ne(hash, siphash(other[0], bytes_of(data, size)));
        ck_assert_uint_ne(hash, siphash(other[1], bytes_of(data, size)));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("siphash");
    TCase *tests = tcase_create("siphash");
    tcase_add_test(tests, siphash__what_the_paper_says);
    tcase_add_test(tests, siphash__each_byte_counts);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
