/* What may follow what: a journal is read from a disk, and one whose records cannot have been written one after the other is refused. */
#include "sidecar/base/grpc_status.h"
#include "sidecar/core/heap.h"
#include "sidecar/definition/reader.h"
#include "sidecar/engine/engine_inside.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct engine *engine;
static struct definition *definition;

/* a can be undone, p is the pivot and cannot, c comes after it. */
static const char text[] = "name: d\nversion: 1.0.0\nsteps:\n"
                           "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
                           "  - {name: p, after: [a], target: t, pivot: true, action: /p.S/P}\n"
                           "  - {name: c, after: [p], target: t, action: /p.S/C}\n";

static void set_up(void)
{
    const struct engine_options options = {.live_sagas_max = 2,
                                           .steps_max = 8,
                                           .payload_bytes_max = 64,
                                           .targets_max = 2,
                                           .deadline_max = SPAN_S(3600),
                                           .tag = 1};
    const struct target_options t = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1};
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    ck_assert_int_eq(engine_create(&options, &heap, &engine), 0);
    ck_assert_int_eq(engine_set_target(engine, &t), 0);
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &definition, &detail), 0);
    definition->number = 1;
    ck_assert_int_eq(engine_resolve(engine, definition, &detail), 0);
}

static void tear_down(void)
{
    engine_destroy(engine);
    definition_destroy(definition);
}

#define OF(TYPE, STEP, ...) \
    { \
        .type = RECORD_##TYPE, .step = STEP, __VA_ARGS__ \
    }
#define ALL(TYPE, ...) OF(TYPE, RECORD_NO_STEP, __VA_ARGS__)
#define START          ALL(STARTED, .mode = SAGA_ORCHESTRATED)
#define BEGIN          ALL(STARTED, .mode = SAGA_ENLISTED)
#define GOES(STEP)     OF(ACTION_STARTED, STEP, )
#define ENDS(STEP, AS) OF(ACTION_ENDED, STEP, .attempt = 1, .action_state = SAGA_ACTION_##AS)
#define DONE(STEP)     GOES(STEP), ENDS(STEP, DONE)
#define TURN           ALL(TURNED_BACK, .reason = REASON_CANCELLED)
#define UNDO(STEP)     OF(COMPENSATION_STARTED, STEP, )
#define UNDONE(AS)     OF(COMPENSATION_ENDED, 0, .attempt = 1, .compensation_state = SAGA_COMPENSATION_##AS)
#define DEAD(STEP)     OF(STUCK, STEP, .reason = REASON_FORWARD_FAILED)
#define OVER(AS)       ALL(ENDED, .saga_state = SAGA_##AS)
#define FORWARD_DEAD   START, DONE(0), DONE(1), GOES(2), ENDS(2, REJECTED), DEAD(2)
#define UNDO_DEAD      START, GOES(0), ENDS(0, UNKNOWN), TURN, UNDO(0), UNDONE(FAILED), DEAD(0)

/* Of each the last cannot follow those before it, which can. */
static const struct {
    const char *why;
    struct record records[12];
} impossible[] = {
    {"starts twice", {START, START}},
    {"without having started", {ALL(PAUSED, )}},
    {"share a serial", {START, ALL(PAUSED, .saga = {.tag = 2})}},
    {"after its end", {START, TURN, OVER(COMPENSATED), ALL(PAUSED, )}},
    {"state of its step", {START, GOES(3)}},
    {"a step that the saga does not have", {START, OF(PAUSED, 3, )}},
    {"state of its step", {START, GOES(0), GOES(0)}},
    {"state of its step", {START, DONE(0), GOES(0)}},
    {"state of its step", {BEGIN, ALL(ENLISTED, .step_name = {(const uint8_t *)"a", 1}), GOES(0)}},
    {"state of its step", {START, OF(ACTION_FAILED, 0, .attempt = 1)}},
    {"state of its step", {START, ENDS(0, DONE)}},
    {"state of its step", {START, OF(UNREACHED, 0, .attempt = 1)}},
    {"state of its step", {START, DONE(0), UNDO(0)}},
    {"state of its step", {START, DONE(0), TURN, UNDO(0), UNDO(0)}},
    {"state of its step", {START, DONE(0), TURN, UNDO(1)}},
    {"state of its step", {START, DONE(0), TURN, UNDO(0), UNDONE(DONE), UNDO(0)}},
    {"state of its step", {START, DONE(0), TURN, OF(COMPENSATION_FAILED, 0, .attempt = 1)}},
    {"state of its step", {START, DONE(0), TURN, UNDONE(DONE)}},
    {"state of its step", {START, DONE(0), TURN, UNDONE(FAILED)}},
    {"state of its step", {START, DONE(0), TURN, UNDO(0), OF(ACTION_FAILED, 0, .attempt = 1)}},
    {"state of its step", {START, GOES(0), ENDS(0, UNKNOWN), OF(RETRIED, 0, )}},
    {"state of its step", {START, DONE(0), GOES(1), ENDS(1, UNKNOWN), OF(RETRIED, 1, )}},
    {"state of its step", {START, DONE(0), DONE(1), GOES(2), OF(SKIPPED, 2, )}},
    {"state of its step",
     {BEGIN, ALL(ENLISTED, .step_name = {(const uint8_t *)"a", 1}), ENDS(0, DONE), TURN, UNDONE(DONE)}},
    {"state of its step", {START, GOES(0), OF(RETRIED, 0, )}},
    {"state of its step", {START, GOES(0), OF(SKIPPED, 0, )}},
    {"state of its step", {START, DONE(0), DONE(1), OF(SKIPPED, 0, )}},
    {"state of its step", {START, GOES(0), ENDS(0, UNKNOWN), OF(REJECTED, 0, )}},
    {"state of its step", {FORWARD_DEAD, OF(REJECTED, 2, )}},
    {"state of its step", {UNDO_DEAD, OF(REJECTED, 0, )}},
    {"state of its step", {FORWARD_DEAD, OF(RETRIED, 0, )}},
    {"state of its step",
     {START, GOES(0), OF(ACTION_FAILED, 0, .attempt = 1, .next_at = {9}), GOES(1), ENDS(1, UNKNOWN), DEAD(1),
      OF(RETRIED, 0, )}},
    {"state of the saga", {START, ALL(ENLISTED, .step_name = {(const uint8_t *)"b", 1})}},
    {"state of the saga", {BEGIN, TURN, ALL(ENLISTED, .step_name = {(const uint8_t *)"b", 1})}},
    {"state of the saga", {START, TURN, TURN}},
    {"state of the saga", {START, ALL(ANSWERED, ), ALL(ANSWERED, )}},
    {"state of the saga", {BEGIN, ALL(ANSWERED, )}},
    {"state of the saga", {START, TURN, ALL(ANSWERED, )}},
    {"state of the saga", {FORWARD_DEAD, DEAD(2)}},
    {"state of the saga", {START, ALL(PAUSED, ), ALL(PAUSED, )}},
    {"state of the saga", {START, ALL(RESUMED, )}},
    {"state of the saga", {START, OVER(COMPENSATED)}},
    {"state of the saga", {START, OVER(RESOLVED)}},
    {"state of the saga", {START, TURN, OVER(COMMITTED)}},
    {"state of the saga", {START, OVER(RUNNING)}},
    {"state of the saga", {START, TURN, OVER(RESOLVED)}},
    {"state of the saga", {FORWARD_DEAD, OVER(COMMITTED)}},
    {"state of the saga", {FORWARD_DEAD, TURN}},
    {"state of the saga", {UNDO_DEAD, OVER(COMPENSATED)}},
    {"what it is about", {START, GOES(0), ENDS(0, STARTED)}},
    {"what it is about", {START, DONE(0), TURN, UNDO(0), UNDONE(STARTED)}},
    {"what it is about", {START, ALL(TURNED_BACK, )}},
    {"what it is about", {START, ALL(STUCK, )}},
};

static int replay(const struct record *record, struct error_detail *detail)
{
    struct record r = *record;
    r.saga.serial = 1;
    r.saga.tag = r.saga.tag == 0 ? 1 : r.saga.tag;
    r.at.us = 1000000;
    bool defined = r.type == RECORD_STARTED && r.mode == SAGA_ORCHESTRATED;
    return engine_replay(engine, &r, defined ? definition : NULL, detail);
}

START_TEST(fold__what_cannot_follow_is_refused)
{
    struct error_detail detail;
    const struct record *r = impossible[_i].records;
    for (; r[1].type != 0; r++)
        ck_assert_int_eq(replay(r, &detail), 0);
    ck_assert_int_eq(replay(r, &detail), E_JOURNAL_CORRUPT);
    /* Which saga it is: a person looks for it in what else was written down. */
    char id[SAGA_ID_TEXT_SIZE], words[SAGA_ID_TEXT_SIZE + 8];
    saga_id_format((struct saga_id){.tag = r->saga.tag == 0 ? 1 : r->saga.tag, .serial = 1}, id);
    snprintf(words, sizeof words, "saga %s: ", id);
    ck_assert_msg(strstr(detail.text, words) != NULL, "%s", detail.text);
    ck_assert_msg(strstr(detail.text, impossible[_i].why) != NULL, "%s", detail.text);
}
END_TEST

/* What waits for its next attempt a person may have tried at once. */
START_TEST(fold__what_waits_is_tried_anew)
{
    static const struct record records[] = {START, GOES(0), OF(ACTION_FAILED, 0, .attempt = 1, .next_at = {9000000}),
                                            OF(RETRIED, 0, )};
    struct error_detail detail;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        ck_assert_msg(replay(&records[i], &detail) == 0, "%zu: %s", i, detail.text);
    ck_assert_int_eq(engine_find(engine, 1)->steps[0].next_at.us, 1000000);
}
END_TEST

/* What an optional step may have done is undone while its saga goes forward; of what must be known it is not. */
START_TEST(fold__an_undo_begins_early_where_the_step_may_be_missing)
{
    static const struct record records[] = {START, GOES(0), ENDS(0, UNKNOWN)}, undo = UNDO(0);
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    char of_one[320];
    snprintf(of_one, sizeof of_one,
             "name: d\nversion: 1.0.0\nsteps:\n"
             "  - {name: a, target: t,%s action: /p.S/A, compensation: /p.S/UndoA}\n",
             _i == 0 ? "" : " optional: true,");
    definition_destroy(definition);
    ck_assert_int_eq(definition_read(bytes_of_text(of_one), &limits, &definition, &detail), 0);
    definition->number = 1;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        ck_assert_msg(replay(&records[i], &detail) == 0, "%zu: %s", i, detail.text);
    ck_assert_int_eq(replay(&undo, &detail), _i == 0 ? E_JOURNAL_CORRUPT : 0);
}
END_TEST

/* Where undos have an order, none begins behind one that has failed; by dependency those beside it go on. */
START_TEST(fold__behind_a_failed_undo_none_begins)
{
    static const struct record records[] = {
        START,
        DONE(0),
        DONE(1),
        TURN,
        UNDO(1),
        OF(COMPENSATION_ENDED, 1, .attempt = 1, .compensation_state = SAGA_COMPENSATION_FAILED),
        OF(STUCK, 1, .reason = REASON_COMPENSATION_FAILED)};
    static const struct record next = UNDO(0);
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    char of_two[320];
    snprintf(of_two, sizeof of_two,
             "name: d\nversion: 1.0.0\n%ssteps:\n"
             "  - {name: a, target: t, action: /p.S/A, compensation: /p.S/UndoA}\n"
             "  - {name: b, target: t, action: /p.S/B, compensation: /p.S/UndoB}\n",
             _i == 0 ? "" : "compensation_order: dependency\n");
    definition_destroy(definition);
    ck_assert_int_eq(definition_read(bytes_of_text(of_two), &limits, &definition, &detail), 0);
    definition->number = 1;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        ck_assert_msg(replay(&records[i], &detail) == 0, "%zu: %s", i, detail.text);
    ck_assert_int_eq(replay(&next, &detail), _i == 0 ? E_JOURNAL_CORRUPT : 0);
}
END_TEST

/* What a step answered is what its last end says, and an end without an answer leaves none. */
START_TEST(fold__an_end_takes_the_place_of_the_one_before)
{
    static const struct record records[] = {
        START,
        DONE(0),
        GOES(1),
        OF(ACTION_ENDED, 1, .attempt = 1, .action_state = SAGA_ACTION_UNKNOWN, .output = {(const uint8_t *)"once", 4}),
        OF(STUCK, 1, .reason = REASON_PIVOT_UNKNOWN),
        OF(RETRIED, 1, ),
        GOES(1),
        ENDS(1, DONE)};
    struct error_detail detail;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        ck_assert_msg(replay(&records[i], &detail) == 0, "%zu: %s", i, detail.text);
    const struct saga *s = engine_find(engine, 1);
    ck_assert_int_eq(s->steps[1].action, SAGA_ACTION_DONE);
    ck_assert_uint_eq(s->steps[1].output.size, 0);
    ck_assert_ptr_null(s->steps[1].output.at);
}
END_TEST

/* From 1; and those that follow go where the first went. */
START_TEST(fold__an_attempt_goes_to_one_of_its_targets)
{
    static const struct {
        uint8_t choice;
        int code;
    } rows[] = {{0, E_JOURNAL_CORRUPT}, {3, E_JOURNAL_CORRUPT}, {2, 0}, {1, E_JOURNAL_CORRUPT}, {2, 0}};
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    limits.schemas = shapes_schemas();
    definition_destroy(definition);
    ck_assert_int_eq(
        definition_read(bytes_of_text("name: d\nversion: 1.0.0\nschema: shapes\ninput: shapes.Line\nsteps:\n"
                                      "  - {name: a, target: {oneof: [t, u], by: input.sku},\n"
                                      "     action: /shapes.Shop/Old, compensation: none}\n"),
                        &limits, &definition, &detail),
        0);
    definition->number = 1;
    ck_assert_int_eq(replay(&(struct record)START, &detail), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct record goes = OF(ACTION_STARTED, 0, .choice = rows[i].choice);
        const struct record fails = OF(ACTION_FAILED, 0, .attempt = 1);
        ck_assert_msg(replay(&goes, &detail) == rows[i].code, "row %zu", i);
        if (rows[i].code == 0)
            ck_assert_int_eq(replay(&fails, &detail), 0);
    }
}
END_TEST

START_TEST(fold__a_saga_has_its_definition_and_its_place)
{
    struct error_detail detail;
    struct record r = {
        .type = RECORD_STARTED, .mode = SAGA_ORCHESTRATED, .step = RECORD_NO_STEP, .saga = {.tag = 1, .serial = 1}};
    ck_assert_int_eq(engine_replay(engine, &r, NULL, &detail), E_JOURNAL_CORRUPT);
    r.counts = bytes_of("\1", 1); /* of loops, of which it has none */
    ck_assert_int_eq(engine_replay(engine, &r, definition, &detail), E_JOURNAL_CORRUPT);
    ck_assert_ptr_nonnull(strstr(detail.text, "its loops are not those of its definition"));
    r.mode = SAGA_ENLISTED;
    ck_assert_int_eq(engine_replay(engine, &r, NULL, &detail), E_JOURNAL_CORRUPT);
    r.counts = bytes_of(NULL, 0);
    ck_assert_int_eq(engine_replay(engine, &r, definition, &detail), E_JOURNAL_CORRUPT);
    for (; r.saga.serial <= 2; r.saga.serial++)
        ck_assert_int_eq(engine_replay(engine, &r, NULL, &detail), 0);
    ck_assert_int_eq(engine_replay(engine, &r, NULL, &detail), E_LIVE_SAGAS);
}
END_TEST

/* A rejection of one instance of a pivot says what another one's outcome does to it. Of older journals none does: there the saga turned back. */
START_TEST(fold__a_rejection_of_an_older_journal_turns_back)
{
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    limits.schemas = shapes_schemas();
    definition_destroy(definition);
    ck_assert_int_eq(
        definition_read(bytes_of_text("name: d\nversion: 1.0.0\nschema: shapes\nsteps:\n"
                                      "  - {name: p, target: t, for_each: \"['x', 'y']\", max_items: 2, pivot: true,\n"
                                      "     action: {method: /shapes.Shop/Old, request: {sku: =item}}}\n"),
                        &limits, &definition, &detail),
        0);
    definition->number = 1;
    const struct record before[] = {ALL(STARTED, .mode = SAGA_ORCHESTRATED, .counts = {(const uint8_t *)"\2", 2}),
                                    GOES(0),
                                    ENDS(0, UNKNOWN),
                                    GOES(1),
                                    ENDS(1, UNKNOWN),
                                    OF(STUCK, 0, .reason = REASON_PIVOT_UNKNOWN)};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
        ck_assert_msg(replay(&before[i], &detail) == 0, "%s", detail.text);
    const struct record rejected = OF(REJECTED, 0, .maybe_executed = _i == 0), other = OF(REJECTED, 1, );
    const struct record alone = OF(REJECTED, 1, .maybe_executed = true), over = OVER(COMPENSATED);
    ck_assert_int_eq(replay(&rejected, &detail), 0);
    ck_assert_int_eq(engine_find(engine, 1)->state, _i == 0 ? SAGA_STUCK : SAGA_COMPENSATING);
    if (_i == 0) {
        ck_assert_int_eq(engine_find(engine, 1)->stuck_step, 1);
        ck_assert_int_eq(replay(&alone, &detail), E_JOURNAL_CORRUPT);
        ck_assert_int_eq(replay(&other, &detail), 0);
    }
    ck_assert_int_eq(replay(&over, &detail), 0);
}
END_TEST

/* Until when an action may still be running, each of these may say, the turn back in older journals: the latest of it holds. */
START_TEST(fold__nothing_is_quiet_before_all_of_it)
{
    static const struct record records[] = {
        START,
        GOES(0),
        OF(ACTION_FAILED, 0, .attempt = 1, .quiet_at = {20}),
        GOES(0),
        OF(ACTION_FAILED, 0, .attempt = 2, .quiet_at = {10}),
        GOES(0),
        OF(ACTION_ENDED, 0, .attempt = 3, .action_state = SAGA_ACTION_UNKNOWN, .quiet_at = {40}),
        ALL(TURNED_BACK, .reason = REASON_CANCELLED, .quiet_at = {30})};
    static const int64_t quiet_at[] = {0, 0, 20, 20, 20, 20, 40, 40};
    struct error_detail detail;
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        struct record r = records[i];
        if (_i == 1 && r.type != RECORD_TURNED_BACK)
            r.quiet_at.us = 0;
        ck_assert_msg(replay(&r, &detail) == 0, "%zu: %s", i, detail.text);
        int64_t expected = _i == 0 ? quiet_at[i] : r.quiet_at.us;
        ck_assert_msg(engine_find(engine, 1)->quiet_at.us == expected, "row %zu", i);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fold");
    TCase *tests = tcase_create("fold");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, fold__what_cannot_follow_is_refused, 0, sizeof impossible / sizeof impossible[0]);
    tcase_add_test(tests, fold__a_saga_has_its_definition_and_its_place);
    tcase_add_loop_test(tests, fold__behind_a_failed_undo_none_begins, 0, 2);
    tcase_add_test(tests, fold__what_waits_is_tried_anew);
    tcase_add_loop_test(tests, fold__an_undo_begins_early_where_the_step_may_be_missing, 0, 2);
    tcase_add_test(tests, fold__an_end_takes_the_place_of_the_one_before);
    tcase_add_test(tests, fold__an_attempt_goes_to_one_of_its_targets);
    tcase_add_loop_test(tests, fold__nothing_is_quiet_before_all_of_it, 0, 2);
    tcase_add_loop_test(tests, fold__a_rejection_of_an_older_journal_turns_back, 0, 2);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
