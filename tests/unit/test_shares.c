/* A bound of the configuration is the whole sidecar's: what its loops have of it adds up to the whole, and none has nothing. */
#include "sidecar/runtime/limits.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <check.h>
#include <stdlib.h>

struct shared {
    const char *name;
    size_t offset;
};

static const struct shared counts[] = {
    {"live_sagas_max", offsetof(struct config, live_sagas_max)},
    {"calls_max", offsetof(struct config, calls_max)},
    {"streams_max", offsetof(struct config, streams_max)},
    {"waiters_max", offsetof(struct config, waiters_max)},
    {"watchers_max", offsetof(struct config, watchers_max)},
    {"metrics_series_max", offsetof(struct config, metrics_series_max)},
    {"last_good_answers_max", offsetof(struct config, last_good_answers_max)},
};

static const struct shared of_target[] = {
    {"max_concurrent_calls", offsetof(struct config_target, max_concurrent_calls)},
    {"max_pending_calls", offsetof(struct config_target, max_pending_calls)},
    {"rate_limit_per_second", offsetof(struct config_target, rate_limit_per_second)},
    {"rate_limit_burst", offsetof(struct config_target, rate_limit_burst)},
    {"retry_budget_min_per_second", offsetof(struct config_target, retry_budget_min_per_second)},
    {"breaker_probes", offsetof(struct config_target, breaker_probes)},
    {"breaker_volume", offsetof(struct config_target, breaker_volume)},
};

static uint32_t *count_of(void *c, const struct shared *shared)
{
    return (uint32_t *)(void *)((char *)c + shared->offset);
}

START_TEST(shares__add_up_to_the_whole)
{
    for (unsigned loops = 1; loops <= SAGA_LOOPS_MAX; loops++) {
        struct config_target target = {.name = "shop", .max_concurrent_calls = 3 * loops + loops / 2};
        struct config whole = {.loops = loops,
                               .targets = &target,
                               .target_count = 1,
                               .journal_bytes_max = UINT64_C(1) << 40,
                               .last_good_bytes_max = UINT64_C(1) << 24};
        uint64_t sums[sizeof counts / sizeof counts[0]] = {0}, calls = 0, journal = 0, last_good = 0;
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
            *count_of(&whole, &counts[i]) = loops + (uint32_t)i * 7;
        for (unsigned k = 0; k < loops; k++) {
            struct config own;
            ck_assert_int_eq(sidecar_share(&whole, k, &own), 0);
            for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
                ck_assert_msg(*count_of(&own, &counts[i]) > 0, "%s of loop %u of %u", counts[i].name, k, loops);
                sums[i] += *count_of(&own, &counts[i]);
            }
            ck_assert_str_eq(own.targets[0].name, "shop");
            ck_assert_uint_gt(own.targets[0].max_concurrent_calls, 0);
            calls += own.targets[0].max_concurrent_calls;
            journal += own.journal_bytes_max;
            last_good += own.last_good_bytes_max;
            free((void *)(uintptr_t)own.targets);
        }
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
            ck_assert_msg(sums[i] == *count_of(&whole, &counts[i]), "%s over %u loops: %lu", counts[i].name, loops,
                          (unsigned long)sums[i]);
        ck_assert_uint_eq(calls, target.max_concurrent_calls);
        ck_assert_uint_le(last_good, whole.last_good_bytes_max);
        ck_assert_uint_gt(last_good, whole.last_good_bytes_max - loops);
        ck_assert_uint_le(journal, whole.journal_bytes_max);
        ck_assert_uint_gt(journal, whole.journal_bytes_max - loops);
    }
}
END_TEST

START_TEST(shares__of_a_target_add_up_too)
{
    enum { COUNT = sizeof of_target / sizeof of_target[0] };
    for (unsigned loops = 1; loops <= SAGA_LOOPS_MAX; loops++) {
        struct config_target whole = {.name = "shop"};
        uint64_t sums[COUNT] = {0};
        for (size_t i = 0; i < COUNT; i++)
            *count_of(&whole, &of_target[i]) = loops + (uint32_t)i * 5;
        for (unsigned k = 0; k < loops; k++) {
            struct config_target own = sidecar_share_target(&whole, k, loops);
            for (size_t i = 0; i < COUNT; i++)
                sums[i] += *count_of(&own, &of_target[i]);
        }
        for (size_t i = 0; i < COUNT; i++)
            ck_assert_msg(sums[i] == *count_of(&whole, &of_target[i]), "%s over %u loops: %lu", of_target[i].name,
                          loops, (unsigned long)sums[i]);
    }
}
END_TEST

/* Of fewer probes than loops each has one, or it would never learn that its target is back. */
START_TEST(shares__no_loop_is_without_a_probe)
{
    const struct config_target whole = {.name = "shop", .breaker_probes = 3, .breaker_volume = 4};
    for (unsigned k = 0; k < 8; k++) {
        struct config_target own = sidecar_share_target(&whole, k, 8);
        ck_assert_uint_eq(own.breaker_probes, 1);
        ck_assert_uint_eq(own.breaker_volume, 1);
    }
    ck_assert_uint_eq(sidecar_share_target(&whole, 0, 2).breaker_probes, 2);
}
END_TEST

/* Bounds of definitions, of which a loop may be left with none only where there are none. */
START_TEST(shares__of_a_definition_add_up_too)
{
    struct config_limit limits[] = {
        {.definition = "one", .live_sagas_max = 131, .starts_per_second = 257, .starts_burst = 514},
        {.definition = "two", .starts_per_second = 64, .starts_burst = 64},
    };
    const struct config whole = {.definition_limits = limits, .definition_limit_count = 2};
    for (unsigned loops = 1; loops <= SAGA_LOOPS_MAX; loops++) {
        struct admission_options sums[2] = {{.live_max = 0}};
        for (unsigned k = 0; k < loops; k++) {
            struct definition_bound *own = limits_of(&whole, k, loops);
            ck_assert_ptr_nonnull(own);
            for (size_t i = 0; i < 2; i++) {
                ck_assert_str_eq(own[i].definition, limits[i].definition);
                ck_assert_uint_gt(own[i].options.starts.per_second, 0);
                ck_assert_uint_gt(own[i].options.starts.burst, 0);
                sums[i].live_max += own[i].options.live_max;
                sums[i].starts.per_second += own[i].options.starts.per_second;
                sums[i].starts.burst += own[i].options.starts.burst;
            }
            free(own);
        }
        for (size_t i = 0; i < 2; i++) {
            ck_assert_uint_eq(sums[i].live_max, limits[i].live_sagas_max);
            ck_assert_uint_eq(sums[i].starts.per_second, limits[i].starts_per_second);
            ck_assert_uint_eq(sums[i].starts.burst, limits[i].starts_burst);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shares");
    TCase *cases = tcase_create("shares");
    tcase_add_test(cases, shares__add_up_to_the_whole);
    tcase_add_test(cases, shares__of_a_target_add_up_too);
    tcase_add_test(cases, shares__of_a_definition_add_up_too);
    tcase_add_test(cases, shares__no_loop_is_without_a_probe);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
