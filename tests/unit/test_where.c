/* Questions about sagas: what they see, what they cost, and what must be so for them to be true. */
#include "sidecar/core/heap.h"
#include "sidecar/engine/saga.h"
#include "sidecar/where/where.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct instant now = {.us = INT64_C(1777890030) * 1000000};
static struct error_detail detail;
static struct where *where;

static void set_up(void)
{
    where = NULL;
}

static void tear_down(void)
{
    where_destroy(where);
}

static void compile(const char *text)
{
    where_destroy(where);
    where = NULL;
    int code = where_compile(bytes_of_text(text), &heap, &where, &detail);
    ck_assert_msg(code == 0, "%s: %s", text, detail.text);
}

/* A stuck charge of acme's, two hours old. */
static struct where_view letter(void)
{
    return (struct where_view){
        .id = {.tag = 0x9f03c1d2a4b7, .serial = 42},
        .definition = bytes_of_text("checkout"),
        .version = bytes_of_text("1.2.0"),
        .request_id = bytes_of_text("order-7"),
        .step = bytes_of_text("charge"),
        .tags = bytes_of("tenant\0acme\0region\0eu\0", 22),
        .mode = SAGA_ORCHESTRATED,
        .state = SAGA_STUCK,
        .reason = REASON_COMPENSATION_FAILED,
        .status = 14,
        .started_at = {.us = now.us - INT64_C(7200) * 1000000},
        .deadline = INSTANT_NEVER,
    };
}

static bool asks_of(const char *text, const struct where_view *view)
{
    bool matches;
    compile(text);
    int code = where_asks(where, view, now, &matches, &detail);
    ck_assert_msg(code == 0, "%s: %s", text, detail.text);
    return matches;
}

START_TEST(where__sees_the_saga)
{
    static const char *const yes[] = {
        "state == STUCK && reason == COMPENSATION_FAILED && step == 'charge' && age > duration('1h') && "
        "tags.tenant == 'acme'",
        "state == 'STUCK'",
        "id == '9f03c1d2a4b7-2a'",
        "definition == 'checkout' && version.startsWith('1.')",
        "request_id == 'order-7' && mode == 'orchestrated' && !paused",
        "status == 'UNAVAILABLE'",
        "tags['region'] in ['eu', 'us']",
        "!has(tags.customer)",
        "started_at < timestamp('2026-05-04T10:00:00Z')",
        "age == duration('2h')",
    };
    static const char *const no[] = {
        "state == RUNNING",       "reason == FORWARD_FAILED",    "age > duration('3h')",
        "tags.tenant == 'other'", "tags.customer == 'anybody'",  "paused",
        "ended_at > started_at",  "step in ['a', 'b']",          "tags.customer != 'anybody'",
        "status == 'INTERNAL'",   "mode == 'enlisted' || false", "deadline > started_at"};
    struct where_view v = letter();
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        ck_assert_msg(asks_of(yes[i], &v), "%s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        ck_assert_msg(!asks_of(no[i], &v), "%s", no[i]);
}
END_TEST

/* Each of what is so or not by itself, and what there is none of. */
START_TEST(where__sees_one_fact_and_no_other)
{
    static const char *const names[] = {"paused",   "synthetic",      "degraded",
                                        "deferred", "status == 'OK'", "deadline < timestamp('2100-01-01T00:00:00Z')"};
    enum { COUNT = sizeof names / sizeof names[0] };
    for (size_t so = 0; so <= COUNT; so++) {
        struct where_view v = letter();
        v.paused = so == 0;
        v.synthetic = so == 1;
        v.degraded = so == 2;
        v.deferred = so == 3;
        v.status = so == 4 ? 0 : -1;
        v.deadline = so == 5 ? now : so % 2 == 0 ? INSTANT_NEVER : (struct instant){0};
        for (size_t i = 0; i < COUNT; i++)
            ck_assert_msg(asks_of(names[i], &v) == (i == so), "%zu: %s", so, names[i]);
        ck_assert(asks_of("has(tags.tenant) && dyn(true)", &v));
        ck_assert(asks_of("dyn(true)", &v));
    }
}
END_TEST

/* Times are known to the microsecond. */
START_TEST(where__sees_parts_of_a_second)
{
    static const char *const yes[] = {
        "started_at > timestamp('2026-05-04T08:20:30Z') && started_at < timestamp('2026-05-04T08:20:31Z')",
        "started_at == timestamp('2026-05-04T08:20:30.25Z')",
        "ended_at == timestamp('2026-05-04T08:20:30.250001Z')",
        "ended_at > started_at && ended_at - started_at < duration('1ms')",
        "age == duration('7199.75s')",
    };
    struct where_view v = letter();
    v.started_at.us += 250000;
    v.ended_at.us = v.started_at.us + 1;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        ck_assert_msg(asks_of(yes[i], &v), "%s", yes[i]);
}
END_TEST

/* What a committed saga went without; a person who skips what was to stand in has decided that nothing is missing. */
START_TEST(where__sees_what_a_saga_lacks)
{
    struct step_spec specs[] = {{.name = "score", .has_fallback = true},
                                {.name = "score.fallback", .stand_in = STAND_IN_CALL}};
    const struct definition definition = {.name = "checkout", .version = "1.2.0", .step_count = 2, .steps = specs};
    struct step steps[2] = {{.action = SAGA_ACTION_REJECTED}, {.action = SAGA_ACTION_DONE}};
    struct saga saga = {.definition = &definition,
                        .state = SAGA_COMMITTED,
                        .mode = SAGA_ORCHESTRATED,
                        .deadline = INSTANT_NEVER,
                        .step_count = 2,
                        .steps = steps};
    struct where_view v = where_view_of(&saga);
    ck_assert(asks_of("degraded", &v));
    steps[1].action = SAGA_ACTION_SKIPPED;
    v = where_view_of(&saga);
    ck_assert(!asks_of("degraded", &v));
    specs[1].optional = true;
    steps[1].action = SAGA_ACTION_REJECTED;
    v = where_view_of(&saga);
    ck_assert(asks_of("degraded", &v));
}
END_TEST

/* A saga as it is in memory: what is stuck says why it is stuck, and where, and not why it had turned back. */
START_TEST(where__sees_a_saga_as_it_is)
{
    struct step_spec specs[] = {{.name = "reserve"}, {.name = "charge"}};
    const struct definition definition = {.name = "checkout", .version = "1.2.0", .step_count = 2, .steps = specs};
    struct step steps[2] = {{.action = SAGA_ACTION_DONE}, {.action = SAGA_ACTION_REJECTED}};
    struct saga saga = {
        .id = {.tag = 7, .serial = 9},
        .definition = &definition,
        .name = bytes_of_text("checkout"),
        .request_id = bytes_of_text("r-1"),
        .tags = bytes_of("tenant\0acme\0", 12),
        .started_at = {.us = now.us - INT64_C(90) * 1000000},
        .deadline = {.us = now.us + INT64_C(60) * 1000000},
        .state = SAGA_STUCK,
        .reason = REASON_ACTION_REJECTED,
        .stuck_reason = REASON_COMPENSATION_FAILED,
        .mode = SAGA_ORCHESTRATED,
        .paused = true,
        .reason_step = 1,
        .stuck_step = 0,
        .step_count = 2,
        .steps = steps,
    };
    struct where_view v = where_view_of(&saga);
    ck_assert(
        asks_of("id == '000000000007-9' && definition == 'checkout' && version == '1.2.0' && request_id == 'r-1'", &v));
    ck_assert(asks_of("state == STUCK && reason == COMPENSATION_FAILED && step == 'reserve' && paused", &v));
    ck_assert(asks_of("age == duration('90s') && deadline > started_at && tags.tenant == 'acme' && status == ''", &v));
    ck_assert(!asks_of("ended_at > started_at", &v));
    saga.state = SAGA_COMPENSATED;
    saga.paused = false;
    saga.ended_at = now;
    v = where_view_of(&saga);
    ck_assert(asks_of("state == COMPENSATED && reason == ACTION_REJECTED && step == 'charge' && !paused", &v));
    ck_assert(asks_of("ended_at == started_at + duration('90s')", &v));
    saga = (struct saga){
        .name = bytes_of_text("by hand"), .mode = SAGA_ENLISTED, .state = SAGA_RUNNING, .deadline = INSTANT_NEVER};
    v = where_view_of(&saga);
    ck_assert(
        asks_of("mode == 'enlisted' && version == '' && step == '' && reason == '' && definition == 'by hand'", &v));
    ck_assert(!asks_of("deadline > started_at", &v));
}
END_TEST

START_TEST(where__refuses_what_is_no_question)
{
    static const struct {
        const char *text, *words;
    } wrong[] = {
        {"", "1 to 2048 bytes"},  {"state ==", "column 9"},     {"sate == STUCK", "column 1"},
        {"state == 1", "column"}, {"step", "neither true nor"}, {"tags.tenant.name == 'x'", "column"},
        {"age > 3600", "column"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int code = where_compile(bytes_of_text(wrong[i].text), &heap, &where, &detail);
        ck_assert_msg(code == E_ARGUMENT, "%s", wrong[i].text);
        ck_assert_str_eq(detail.field, "where");
        ck_assert_msg(strstr(detail.text, wrong[i].words) != NULL, "%s: %s", wrong[i].text, detail.text);
        ck_assert_uint_gt(strlen(detail.text), strlen("column 1: ")); /* and what is wrong there */
    }
    char large[WHERE_BYTES_MAX + 1];
    memset(large, ' ', sizeof large);
    memcpy(large, "paused", 6);
    ck_assert_int_eq(where_compile(bytes_of(large, sizeof large), &heap, &where, &detail), E_ARGUMENT);
    ck_assert_msg(strstr(detail.text, "1 to 2048 bytes") != NULL, "%s", detail.text);
    ck_assert_int_eq(where_compile(bytes_of(large, WHERE_BYTES_MAX), &heap, &where, &detail), 0);
}
END_TEST

/* A short text may ask for much: it ends by its cost, however small the machine. */
START_TEST(where__has_a_bound)
{
    struct where_view v = letter();
    bool matches;
    compile(
        "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, "
        "a + b + c + d > 0))))");
    ck_assert_int_eq(where_asks(where, &v, now, &matches, &detail), E_ARGUMENT);
    ck_assert_msg(strstr(detail.text, "costs more") != NULL, "%s", detail.text);
}
END_TEST

/* A look-up by these must never leave out what the question is true of. */
START_TEST(where__says_what_must_be_so)
{
    const uint32_t all = 0x7e, stuck = 1u << SAGA_STUCK;
    static const struct {
        const char *text;
        bool stuck;
        const char *definition;
    } rows[] = {
        {"state == STUCK", true, ""},
        {"'STUCK' == state && age > duration('1h')", true, ""},
        {"definition == 'a' && (step == 'x' || step == 'y') && state == STUCK", true, "a"},
        {"state == STUCK || paused", false, ""},
        {"!(state == STUCK)", false, ""},
        {"state != STUCK && definition == 'a'", false, "a"},
        {"(state == STUCK) == false", false, ""},
        {"state == step", false, ""},
        {"definition == state", false, ""},
        {"paused ? state == STUCK : definition == 'a'", false, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        compile(rows[i].text);
        ck_assert_msg(where_states(where) == (rows[i].stuck ? stuck : all), "%s", rows[i].text);
        ck_assert_msg(bytes_equal(where_definition(where), bytes_of_text(rows[i].definition)), "%s", rows[i].text);
    }
    compile("state == 'NONE'");
    ck_assert_uint_eq(where_states(where), 0);
    compile("status == 'INTERNAL'");
    ck_assert(where_needs_status(where) && !where_needs_tags(where));
    compile("tags.a == 'b'");
    ck_assert(!where_needs_status(where) && where_needs_tags(where));
}
END_TEST

/* The same question of many sagas holds no more memory than of one. */
START_TEST(where__keeps_nothing_of_the_saga_before)
{
    struct where_view v = letter();
    compile("tags.tenant + definition == 'acmecheckout'");
    for (int i = 0; i < 100000; i++) {
        bool matches;
        v.definition = bytes_of_text(i % 2 == 0 ? "checkout" : "other");
        ck_assert_int_eq(where_asks(where, &v, now, &matches, &detail), 0);
        ck_assert_int_eq(matches, i % 2 == 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("where");
    TCase *tcase = tcase_create("where");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, where__sees_the_saga);
    tcase_add_test(tcase, where__sees_one_fact_and_no_other);
    tcase_add_test(tcase, where__sees_parts_of_a_second);
    tcase_add_test(tcase, where__sees_a_saga_as_it_is);
    tcase_add_test(tcase, where__sees_what_a_saga_lacks);
    tcase_add_test(tcase, where__refuses_what_is_no_question);
    tcase_add_test(tcase, where__has_a_bound);
    tcase_add_test(tcase, where__says_what_must_be_so);
    tcase_add_test(tcase, where__keeps_nothing_of_the_saga_before);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
