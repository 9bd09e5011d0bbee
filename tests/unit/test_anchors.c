/* The sparse array over the list of sagas, held against a list that is searched from end to end; and that list, as it comes back. */
#include "sidecar/base/random.h"
#include "sidecar/core/heap.h"
#include "sidecar/engine/engine_inside.h"

#include <check.h>
#include <stdlib.h>

enum { SAGAS = 100000, ROUNDS = 200000 };

static struct saga *sagas; /* at i the saga of serial i + 1 */
static bool *lives;
static struct anchors anchors;

static void set_up(void)
{
    sagas = calloc(SAGAS, sizeof *sagas);
    lives = calloc(SAGAS, sizeof *lives);
    ck_assert(sagas != NULL && lives != NULL);
    for (uint64_t i = 0; i < SAGAS; i++)
        sagas[i].id.serial = i + 1;
}

static void tear_down(void)
{
    anchors_finish(&anchors, &heap);
    free(lives);
    free(sagas);
}

static void add(uint64_t serial)
{
    lives[serial - 1] = true;
    anchors_add(&anchors, &sagas[serial - 1]);
}

static void remove_it(uint64_t serial)
{
    lives[serial - 1] = false;
    anchors_remove(&anchors, &sagas[serial - 1]);
}

/* How many living sagas a walk from the anchor passes. */
static unsigned walk_to(uint64_t serial)
{
    const struct saga *s = anchors_floor(&anchors, serial);
    unsigned passed = 0;
    ck_assert(s == NULL || (lives[s->id.serial - 1] && s->id.serial <= serial));
    for (uint64_t i = s == NULL ? 1 : s->id.serial; i <= serial; i++)
        passed += lives[i - 1];
    return passed;
}

START_TEST(anchors__no_walk_is_long)
{
    struct random random;
    ck_assert_int_eq(anchors_init(&anchors, &heap, SAGAS, 0x123456789abcdef0), 0);
    random_seed(&random, 1);
    for (uint64_t serial = 1; serial <= SAGAS; serial++)
        add(serial);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t serial = 1 + random_below(&random, SAGAS);
        if (lives[serial - 1])
            remove_it(serial);
        else
            add(serial);
        if (i % 64 == 0)
            ck_assert_uint_lt(walk_to(1 + random_below(&random, SAGAS)), 16 * ANCHOR_EVERY);
    }
    ck_assert_uint_lt(anchors.count, SAGAS / ANCHOR_EVERY * 2);
    for (uint64_t serial = 1; serial <= SAGAS; serial++)
        if (lives[serial - 1])
            remove_it(serial);
    ck_assert_uint_eq(anchors.count, 0);
    ck_assert_ptr_null(anchors_floor(&anchors, SAGAS));
}
END_TEST

START_TEST(anchors__what_finds_no_room_is_no_anchor)
{
    ck_assert_int_eq(anchors_init(&anchors, &heap, 1, 7), 0);
    uint64_t serial = 1;
    for (; serial <= SAGAS && anchors.count < anchors.room; serial++)
        add(serial);
    ck_assert_uint_lt(serial, SAGAS);
    for (; serial <= SAGAS; serial++)
        add(serial);
    ck_assert_uint_eq(anchors.count, anchors.room);
    walk_to(SAGAS);
    uint64_t last = anchors.at[anchors.count - 1]->id.serial;
    for (serial = SAGAS; serial > last; serial--)
        remove_it(serial);
    ck_assert_uint_eq(anchors.count, anchors.room); /* and nothing goes with it */
    for (; serial > 0; serial--)
        remove_it(serial);
    ck_assert_uint_eq(anchors.count, 0);
}
END_TEST

/* ---- the list of an engine ---- */

static struct engine *engine;

static void come_back(uint64_t serial)
{
    struct error_detail detail;
    const struct record started = {
        .type = RECORD_STARTED,
        .saga = {.tag = 1, .serial = serial},
        .at = {.us = 1},
        .step = RECORD_NO_STEP,
        .mode = SAGA_ENLISTED,
        .name = bytes_of_text("order"),
        .deadline = {.us = 1000000000},
        .lease = SPAN_S(60),
    };
    ck_assert_msg(engine_replay(engine, &started, NULL, &detail) == 0, "%s", detail.text);
}

static void end_it(uint64_t serial)
{
    struct saga *s = (struct saga *)(uintptr_t)engine_find(engine, serial);
    s->state = SAGA_COMMITTED;
    engine_release(engine, serial);
}

static void expect_serial(const struct saga *s, uint64_t serial)
{
    if (serial == 0)
        ck_assert_ptr_null(s);
    else
        ck_assert_uint_eq(s->id.serial, serial);
}

/* Old and young sagas were moved in turns, beside one that was not: so they come back. Then every third serial is gone. */
START_TEST(list__is_in_order_however_they_come_back)
{
    enum { EACH = 3000, ALL = 2 * EACH + 1 };
    const struct engine_options options = {
        .live_sagas_max = ALL, .steps_max = 8, .payload_bytes_max = 64, .targets_max = 2, .tag = 1, .seed = 5};
    ck_assert_int_eq(engine_create(&options, &heap, &engine), 0);
    come_back(ALL);
    for (uint64_t i = 1; i <= EACH; i++) {
        come_back(i);
        come_back(EACH + i);
    }
    for (uint64_t serial = 3; serial <= ALL; serial += 3)
        end_it(serial);
    ck_assert_uint_gt(engine->anchors.count, 0);
    uint64_t below = 0, last = ALL - (ALL % 3 == 0);
    for (uint64_t serial = 1; serial <= ALL; serial++) {
        uint64_t above = (serial + 1) % 3 == 0 ? serial + 2 : serial + 1;
        expect_serial(engine_before(engine, serial), below);
        expect_serial(engine_after(engine, serial), above > last ? 0 : above);
        below = serial % 3 == 0 ? below : serial;
    }
    expect_serial(engine_before(engine, UINT64_MAX), last);
    expect_serial(engine_after(engine, 0), 1);
    expect_serial(engine_before(engine, 0), 0);
    engine_destroy(engine);
}
END_TEST

/* Serials that are a power of two apart share a place in the table, whatever its size is. */
START_TEST(list__each_is_found_beside_those_that_share_its_place)
{
    enum { ALL = 8 };
    static const unsigned gone[ALL] = {3, 7, 0, 4, 6, 1, 5, 2};
    bool there[ALL];
    const struct engine_options options = {
        .live_sagas_max = ALL, .steps_max = 8, .payload_bytes_max = 64, .targets_max = 2, .tag = 1, .seed = 5};
    ck_assert_int_eq(engine_create(&options, &heap, &engine), 0);
    for (unsigned i = 0; i < ALL; i++) {
        come_back(1 + i * UINT64_C(65536));
        there[i] = true;
    }
    for (unsigned k = 0; k <= ALL; k++) {
        for (unsigned i = 0; i < ALL; i++)
            expect_serial(engine_find(engine, 1 + i * UINT64_C(65536)), there[i] ? 1 + i * UINT64_C(65536) : 0);
        if (k == ALL)
            break;
        end_it(1 + gone[k] * UINT64_C(65536));
        there[gone[k]] = false;
    }
    engine_destroy(engine);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("anchors");
    TCase *tcase = tcase_create("anchors");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, anchors__no_walk_is_long);
    tcase_add_test(tcase, anchors__what_finds_no_room_is_no_anchor);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("list");
    tcase_add_test(tcase, list__is_in_order_however_they_come_back);
    tcase_add_test(tcase, list__each_is_found_beside_those_that_share_its_place);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
