/* Names of sagas that have ended: those that went by last are remembered, and as many as there is room for. The store of these tests knows none
 * of them, so what is forgotten has no name any more. */
#include "sidecar/api/known.h"
#include "tests/support/api_world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SAGAS_MAX 16384
#define BYTES_MAX (4u << 20)

static struct api_world w;
static struct known_names *n;
static char text[NAME_BYTES_MAX + 1];

static void set_up(void)
{
    api_world_init(&w, 1);
    api_world_start(&w);
    ck_assert_int_eq(known_create(w.loop[0].core, w.loop[0].store, w.loop[0].catalog, &n), 0);
    memset(text, 'n', NAME_BYTES_MAX);
}

static void tear_down(void)
{
    known_destroy(n);
    api_world_close(&w);
}

static void learn_saga(uint64_t serial, size_t name_size)
{
    known_learn(n, &(struct record){.type = RECORD_STARTED, .saga.serial = serial, .name = bytes_of(text, name_size)});
}

static bool is_known(uint64_t serial, size_t name_size)
{
    struct view_names names;
    struct error_detail detail;
    ck_assert_int_eq(known_find(n, &(struct record){.saga.serial = serial}, &names, &detail), 0);
    ck_assert(names.definition.size == 0 || bytes_equal(names.definition, bytes_of(text, name_size)));
    return names.definition.size > 0;
}

START_TEST(known__as_many_sagas_as_there_is_room_for)
{
    for (uint64_t serial = 1; serial <= 3 * SAGAS_MAX; serial++)
        learn_saga(serial, NAME_BYTES_MAX);
    for (uint64_t serial = 1; serial <= 3 * SAGAS_MAX; serial++)
        ck_assert_int_eq(is_known(serial, NAME_BYTES_MAX), serial > 2 * SAGAS_MAX);
}
END_TEST

START_TEST(known__as_many_bytes_as_there_is_room_for)
{
    enum { STEPS = 64, EACH = 8 + 1 + STEPS * (STEP_NAME_BYTES_MAX + 1), ROOM = BYTES_MAX / EACH };
    for (uint64_t serial = 1; serial <= 3 * ROOM; serial++) {
        learn_saga(serial, 8);
        for (uint16_t step = 0; step < STEPS; step++)
            known_learn(n, &(struct record){.type = RECORD_ENLISTED,
                                            .saga.serial = serial,
                                            .step = step,
                                            .step_name = bytes_of(text, STEP_NAME_BYTES_MAX)});
    }
    for (uint64_t serial = 1; serial <= 3 * ROOM; serial++)
        ck_assert_int_eq(is_known(serial, 8), serial > 2 * ROOM);
}
END_TEST

/* A second watcher reads what the first has read: that takes no room of others, and what is told last is so. */
START_TEST(known__what_goes_by_again_is_known_once)
{
    learn_saga(1, 8);
    for (int i = 0; i < 2 * SAGAS_MAX; i++)
        learn_saga(2, NAME_BYTES_MAX);
    ck_assert(is_known(1, 8));
    learn_saga(2, 5);
    ck_assert(is_known(2, 5));
}
END_TEST

/* One whose steps its definition names. */
START_TEST(known__a_definition_names_its_steps)
{
    struct view_names names;
    struct error_detail detail;
    api_world_register(&w, "name: order\nversion: 1.0.0\nsteps:\n  - {name: reserve, target: t, action: /p.S/A}\n"
                           "  - {name: charge, target: t, action: /p.S/B}\n");
    known_learn(n, &(struct record){.type = RECORD_STARTED, .saga.serial = 1, .definition = 1});
    ck_assert_int_eq(known_find(n, &(struct record){.saga.serial = 1, .step = 1}, &names, &detail), 0);
    ck_assert(bytes_equal(names.definition, bytes_of_text("order")));
    ck_assert(bytes_equal(names.step, bytes_of_text("charge")));
}
END_TEST

/* One that has ended without having gone by is looked up: with loops, whose steps are as many as its saga had. */
START_TEST(known__the_journal_tells_how_many_a_loop_had)
{
    static const char *const steps[] = {"each[0]", "each[1]", "last", ""};
    struct view_names names;
    struct error_detail detail;
    api_world_add_schema(&w);
    api_world_register(&w, "name: loop\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\nsteps:\n"
                           "  - {name: each, target: t, for_each: \"['x', 'y']\", max_items: 3, action: {method: "
                           "/shapes.Shop/Old, request: {sku: =item}}, compensation: none}\n"
                           "  - {name: last, target: t, after: [each], action: {method: /shapes.Shop/Old}}\n");
    Saga__V1__StartRequest start = SAGA__V1__START_REQUEST__INIT;
    start.definition = (char *)(uintptr_t) "loop";
    Saga__V1__StartResponse *s = api_world_get(&w, 0, METHOD_START, &start.base);
    struct record r = {.step = 0};
    ck_assert(saga_id_parse(s->saga_id, strlen(s->saga_id), &r.saga));
    saga__v1__start_response__free_unpacked(s, NULL);
    while (w.loop[0].call_count > 0)
        api_world_answer(&w, 0, 0, "", bytes_of(NULL, 0));
    ck_assert_ptr_null(engine_find(core_engine(w.loop[0].core), r.saga.serial));
    for (; r.step < sizeof steps / sizeof steps[0]; r.step++) {
        ck_assert_int_eq(known_find(n, &r, &names, &detail), 0);
        ck_assert(bytes_equal(names.definition, bytes_of_text("loop")));
        ck_assert(bytes_equal(names.step, bytes_of_text(steps[r.step])));
    }
}
END_TEST

static int is_away(struct store *s, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    (void)s, (void)frame, (void)records;
    return error_set(detail, E_JOURNAL_AWAY, "", "not now");
}

/* An enlisted one has the steps that it was told of, in its own order. While the journal cannot tell them nothing of it is remembered. */
START_TEST(known__the_journal_tells_which_steps_were_enlisted)
{
    static const char *const steps[] = {"first", "second", "third", ""};
    char id[SAGA_ID_TEXT_SIZE];
    struct view_names names;
    struct error_detail detail;
    struct record r = {.step = 0};
    api_world_begin(&w, 0, "trip", "", id);
    ck_assert(saga_id_parse(id, strlen(id), &r.saga));
    for (int i = 0; i < 3; i++) {
        Saga__V1__EnlistRequest enlist = SAGA__V1__ENLIST_REQUEST__INIT;
        Saga__V1__Enlistment enlistment = SAGA__V1__ENLISTMENT__INIT, *list = &enlistment;
        enlist.saga_id = id;
        enlistment.step = (char *)(uintptr_t)steps[i];
        enlist.n_enlist = 1;
        enlist.enlist = &list;
        protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ENLIST, &enlist.base), NULL);
    }
    Saga__V1__AbortRequest abort = SAGA__V1__ABORT_REQUEST__INIT;
    abort.saga_id = id;
    protobuf_c_message_free_unpacked(api_world_get(&w, 0, METHOD_ABORT, &abort.base), NULL);
    ck_assert_ptr_null(engine_find(core_engine(w.loop[0].core), r.saga.serial));
    int (*read_frame)(struct store *, uint64_t, struct bytes *, struct error_detail *) = w.loop[0].store->read_frame;
    w.loop[0].store->read_frame = is_away;
    ck_assert_int_eq(known_find(n, &r, &names, &detail), E_JOURNAL_AWAY);
    w.loop[0].store->read_frame = read_frame;
    for (; r.step < sizeof steps / sizeof steps[0]; r.step++) {
        ck_assert_int_eq(known_find(n, &r, &names, &detail), 0);
        ck_assert(bytes_equal(names.definition, bytes_of_text("trip")));
        ck_assert(bytes_equal(names.step, bytes_of_text(steps[r.step])));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("known");
    TCase *tc = tcase_create("known");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, known__as_many_sagas_as_there_is_room_for);
    tcase_add_test(tc, known__as_many_bytes_as_there_is_room_for);
    tcase_add_test(tc, known__what_goes_by_again_is_known_once);
    tcase_add_test(tc, known__a_definition_names_its_steps);
    tcase_add_test(tc, known__the_journal_tells_how_many_a_loop_had);
    tcase_add_test(tc, known__the_journal_tells_which_steps_were_enlisted);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
