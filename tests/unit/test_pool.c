/* Memory in pools: bounded, aligned, grown in place, rewound, given back whole. */
#include "sidecar/base/pool.h"

#include <check.h>
#include <stdlib.h>

static size_t held; /* bytes */
static int left;    /* takes until one is refused; negative: none is */

static void *take(void *self, size_t size)
{
    (void)self;
    if (left == 0)
        return NULL;
    left--;
    held += size;
    return malloc(size);
}

static void give_back(void *self, void *at, size_t size)
{
    (void)self;
    held -= size;
    free(at);
}

static const struct memory counted = {.take = take, .take_zeroed = take, .give_back = give_back};
static struct pool p;

static void setup(void)
{
    held = 0;
    left = -1;
    pool_init(&p, &counted, 100000);
}

static void teardown(void)
{
    pool_finish(&p);
    ck_assert_uint_eq(held, 0);
}

START_TEST(pool__what_is_taken_is_aligned_and_apart)
{
    uint8_t *last = NULL;
    for (size_t size = 1; size < 300; size++) {
        uint8_t *at = pool_take(&p, size);
        ck_assert_ptr_nonnull(at);
        ck_assert_uint_eq((uintptr_t)at % 16, 0);
        ck_assert_ptr_ne(at, last);
        memset(at, 0xa5, size);
        last = at;
    }
    ck_assert_uint_eq(held, p.bytes);
}
END_TEST

START_TEST(pool__the_bound_is_kept_and_told_from_a_machine_without_memory)
{
    size_t taken = 0;
    while (pool_take(&p, 1000) != NULL)
        taken += 1000;
    ck_assert_uint_gt(taken, 90000);
    ck_assert_uint_le(held, 100000);
    ck_assert(pool_is_full(&p, 1000));
    ck_assert_ptr_null(pool_take(&p, SIZE_MAX));
    ck_assert_ptr_null(pool_take_zeroed(&p, SIZE_MAX / 2, 4));
    pool_finish(&p);
    ck_assert(pool_is_full(&p, SIZE_MAX)); /* of an empty one, too */
    ck_assert_ptr_null(pool_take(&p, SIZE_MAX));
    ck_assert_ptr_nonnull(pool_take_zeroed(&p, SIZE_MAX, 0));
    pool_finish(&p);
    left = 0;
    ck_assert_ptr_null(pool_take(&p, 1000));
    ck_assert(!pool_is_full(&p, 1000));
}
END_TEST

START_TEST(pool__the_last_piece_grows_where_it_is)
{
    uint8_t *at = pool_take(&p, 10);
    memcpy(at, "0123456789", 10);
    ck_assert_ptr_eq(pool_grow(&p, at, 10, 500), at);
    uint8_t *other = pool_take(&p, 10);
    uint8_t *moved = pool_grow(&p, at, 500, 600);
    ck_assert_ptr_ne(moved, at);
    ck_assert_ptr_ne(moved, other);
    ck_assert_int_eq(memcmp(moved, "0123456789", 10), 0);
    ck_assert_ptr_nonnull(pool_grow(&p, NULL, 0, 20));
}
END_TEST

START_TEST(pool__a_rewound_pool_gives_the_same_place_again)
{
    pool_take(&p, 100);
    struct pool_mark mark = pool_mark(&p);
    void *at = pool_take(&p, 100);
    for (int i = 0; i < 20; i++)
        pool_take(&p, 4000);
    pool_rewind(&p, mark);
    ck_assert_ptr_eq(pool_take(&p, 100), at);
    ck_assert_uint_lt(held, 10000);
    pool_rewind(&p, (struct pool_mark){.block = NULL});
    ck_assert_uint_gt(held, 0);
}
END_TEST

START_TEST(pool__copies_have_a_nul)
{
    struct bytes copy = pool_copy(&p, bytes_of("abc", 2));
    ck_assert_uint_eq(copy.size, 2);
    ck_assert_str_eq((const char *)copy.at, "ab");
    ck_assert_ptr_nonnull(pool_copy(&p, bytes_of(NULL, 0)).at);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, pool__what_is_taken_is_aligned_and_apart);
    tcase_add_test(tests, pool__the_bound_is_kept_and_told_from_a_machine_without_memory);
    tcase_add_test(tests, pool__the_last_piece_grows_where_it_is);
    tcase_add_test(tests, pool__a_rewound_pool_gives_the_same_place_again);
    tcase_add_test(tests, pool__copies_have_a_nul);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
