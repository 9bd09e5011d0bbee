/* What is promised and how it is kept, as ListObjectives tells it: by kind, ever and over each window. */
#include "sidecar/core/heap.h"
#include "sidecar/core/slis.h"
#include "tests/support/api_world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS(n) \
    { \
        .us = INT64_C(n) * 1000000 \
    }
#define DAY (24 * 3600)

static struct api_world w;

static const struct objective objectives[] = {
    {.definition = "order",
     .promised = {99900, 95000, 99000},
     .latency = SECONDS(2),
     .freshness = SECONDS(60),
     .window = SECONDS(2592000)},
    {.definition = "other", .promised = {[SLI_LATENCY] = 50000}, .latency = SECONDS(9), .window = SECONDS(604800)},
    {.definition = "order",
     .promised = {99500, 90000},
     .latency = SECONDS(1),
     .window = SECONDS(86400),
     .synthetic = true},
};

static void set_up(void)
{
    api_world_init(&w, 1);
    w.guest = "beside";
    ck_assert_int_eq(slis_create(objectives, 3, &heap, &w.slis), 0);
    api_world_start(&w);
    for (int i = 0; i < 3; i++) {
        char yaml[128];
        snprintf(yaml, sizeof yaml, "name: %s\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n",
                 i == 0   ? "order"
                 : i == 1 ? "other"
                          : "third");
        api_world_register(&w, yaml);
    }
}

static void tear_down(void)
{
    api_world_close(&w);
    slis_destroy(w.slis);
}

/* A saga that is committed so long after it began. */
static void run(const char *name, bool synthetic, int64_t ms)
{
    Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
    start.definition = (char *)(uintptr_t)name;
    start.synthetic = synthetic;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_START, &start.base), NULL);
    w.now.us += ms * 1000;
    api_world_answer(&w, 0, 0, "", bytes_of(NULL, 0));
}

static const struct told {
    const char *definition;
    Saga__V1__ObjectiveKind kind;
    double promised;
    int64_t window_s, threshold_s; /* 0: none */
    uint64_t all, bad;
} expected[] = {
    {"order", SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_SUCCESS, 0.999, 30 * DAY, 0, 3, 0},
    {"order", SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_LATENCY, 0.95, 30 * DAY, 2, 3, 1},
    {"order", SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_FRESHNESS, 0.99, 30 * DAY, 60, 0, 0},
    {"other", SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_LATENCY, 0.5, 7 * DAY, 9, 1, 0},
    {"order", SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_SYNTHETIC_SUCCESS, 0.995, DAY, 0, 1, 0},
    {"order", SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_SYNTHETIC_LATENCY, 0.9, DAY, 1, 1, 1},
};

START_TEST(objectives__are_told_with_what_was_counted)
{
    static const int64_t windows[] = {300, 1800, 3600, 7200, 6 * 3600, DAY, 3 * DAY, 0};
    const Saga__V1__ListObjectivesRequest m = SAGA__V1__LIST_OBJECTIVES_REQUEST__INIT;
    run("order", false, 1999);
    run("order", false, 2001);
    run("order", false, 10);
    run("other", false, 3000);
    run("order", true, 1500);
    run("third", false, 90000);
    Saga__V1__ListObjectivesResponse *r = api_world_get(&w, 0, METHOD_LIST_OBJECTIVES, &m.base);
    ck_assert_uint_eq(r->n_objectives, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < r->n_objectives; i++) {
        const Saga__V1__Objective *o = r->objectives[i];
        const struct told *e = &expected[i];
        ck_assert_str_eq(o->definition, e->definition);
        ck_assert_int_eq(o->kind, e->kind);
        ck_assert_double_eq_tol(o->promised, e->promised, 1e-9);
        ck_assert_int_eq(o->window->seconds, e->window_s);
        ck_assert_int_eq(o->threshold == NULL ? 0 : o->threshold->seconds, e->threshold_s);
        ck_assert_uint_eq(o->all, e->all);
        ck_assert_uint_eq(o->bad, e->bad);
        ck_assert_int_eq(o->loop, 0);
        ck_assert_str_eq(o->journal, "beside");
        ck_assert_uint_eq(o->n_windows, 8);
        for (size_t k = 0; k < 8; k++) {
            ck_assert_int_eq(o->windows[k]->window->seconds, k < 7 ? windows[k] : e->window_s);
            ck_assert_uint_eq(o->windows[k]->all, e->all);
            ck_assert_uint_eq(o->windows[k]->bad, e->bad);
        }
    }
    saga__v1__list_objectives_response__free_unpacked(r, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("objectives");
    TCase *tc = tcase_create("objectives");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, objectives__are_told_with_what_was_counted);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
