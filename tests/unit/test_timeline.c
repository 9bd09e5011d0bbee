/* One saga's records, gathered from the journal: along the chain of frames, after a cursor, within bounds, and what is
 * missing told. */
#include "sidecar/core/timeline.h"

#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"
#include "tests/support/core_owner.h"

#include <check.h>
#include <stdlib.h>

static struct owner o;
static struct arena arena;
static struct timeline timeline;
static struct error_detail detail;

static void setup(void)
{
    owner_init(&o);
    ck_assert_int_eq(owner_start(&o), 0);
    ck_assert_int_eq(owner_register(&o, owner_two_steps), 0);
    ck_assert_int_eq(owner_commit(&o), 0);
    arena_init(&arena);
}

static void teardown(void)
{
    arena_finish(&arena);
    owner_close(&o);
}

static int load(uint64_t serial, uint64_t last_frame, struct position after)
{
    struct timeline_query query = {.serial = serial, .last_frame = last_frame, .after = after};
    return timeline_load(o.core, &query, &arena, &timeline, &detail);
}

/* ---- cursors ---- */

START_TEST(timeline__a_cursor_is_written_and_read)
{
    static const struct position rows[] = {{0, 0}, {1, 2}, {0x1f4, 2}, {UINT64_MAX, UINT32_MAX}};
    char text[POSITION_TEXT_SIZE];
    for (size_t i = 0; i < 4; i++) {
        struct position read;
        ck_assert_uint_eq(position_format(rows[i], text), strlen(text));
        ck_assert(position_parse(text, &read));
        ck_assert_uint_eq(read.frame, rows[i].frame);
        ck_assert_uint_eq(read.index, rows[i].index);
    }
    position_format(rows[2], text);
    ck_assert_str_eq(text, "1f4.2");
}
END_TEST

START_TEST(timeline__what_is_no_cursor_is_refused)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "1.",
                                      ".1",
                                      "1.2 ",
                                      " 1.2",
                                      "1.2.3",
                                      "0x1.2",
                                      "+1.2",
                                      "-1.2",
                                      "01.2",
                                      "1.02",
                                      "1F.2",
                                      "10000000000000000.1",
                                      "1.100000000",
                                      "1,2",
                                      "g.1"};
    struct position p = {.frame = 7, .index = 7};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!position_parse(bad[i], &p), "%s", bad[i]);
    ck_assert_uint_eq(p.frame, 7);
}
END_TEST

/* ---- the chain ---- */

/* Two sagas turn by turn: odd frames of one, even ones of the other, at the end of which both have ended. */
static void run_two(void)
{
    owner_submit_start(&o, 1, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_submit_start(&o, 2, "two", NULL);
    owner_finish_all(&o);
}

START_TEST(timeline__follows_the_chain_of_one_saga)
{
    static const uint8_t types[] = {RECORD_STARTED,        RECORD_ACTION_STARTED, RECORD_ACTION_ENDED,
                                    RECORD_ACTION_STARTED, RECORD_ACTION_ENDED,   RECORD_ENDED};
    struct ended_row row;
    run_two();
    for (uint64_t serial = 1; serial <= 2; serial++) {
        ck_assert_int_eq(o.store->find_ended(o.store, serial, &row, &detail), 0);
        ck_assert_int_eq(load(serial, row.last_frame, (struct position){0}), 0);
        ck_assert(!timeline.truncated);
        ck_assert_uint_eq(timeline.count, 6);
        for (size_t i = 0; i < 6; i++) {
            ck_assert_uint_eq(timeline.entries[i].record.type, types[i]);
            ck_assert_uint_eq(timeline.entries[i].record.saga.serial, serial);
            if (i > 0)
                ck_assert(position_after(timeline.entries[i].position, timeline.entries[i - 1].position));
        }
        ck_assert_uint_eq(timeline.entries[5].position.frame, row.last_frame);
        ck_assert_uint_eq(timeline.entries[0].position.frame, row.first_frame);
    }
}
END_TEST

START_TEST(timeline__after_a_cursor_comes_only_what_follows)
{
    struct ended_row row;
    struct position all[6];
    run_two();
    ck_assert_int_eq(o.store->find_ended(o.store, 1, &row, &detail), 0);
    uint64_t last = row.last_frame;
    ck_assert_int_eq(load(1, last, (struct position){0}), 0);
    for (size_t i = 0; i < 6; i++)
        all[i] = timeline.entries[i].position;
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(load(1, last, all[i]), 0);
        ck_assert_uint_eq(timeline.count, 5 - i);
        for (size_t j = 0; j < timeline.count; j++)
            ck_assert_mem_eq(&timeline.entries[j].position.frame, &all[i + 1 + j].frame, sizeof all[0].frame);
        ck_assert(!timeline.truncated);
    }
}
END_TEST

/* A saga that was moved has its whole history once more: what follows a cursor is the same, wherever that lies. */
START_TEST(timeline__after_a_cursor_of_a_saga_that_was_moved)
{
    struct position before[4];
    bool more = true;
    o.move_after = 4;
    owner_restart(&o);
    owner_submit_start(&o, 1, "two", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 0, "x");
    ck_assert_int_eq(owner_commit(&o), 0);
    const struct saga *s = engine_find(core_engine(o.core), 1);
    ck_assert_int_eq(load(1, s->position, (struct position){0}), 0);
    ck_assert_uint_eq(timeline.count, 4);
    for (size_t i = 0; i < 4; i++)
        before[i] = timeline.entries[i].position;
    for (uint64_t token = 2; token <= 6; token++) {
        owner_submit_start(&o, token, "two", NULL);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    uint64_t first = s->first_position;
    while (more) {
        ck_assert_int_eq(core_maintain(o.core, o.now, &more, &detail), 0);
        ck_assert_int_eq(owner_commit(&o), 0);
    }
    ck_assert_uint_gt(s->first_position, first);
    owner_answer(&o, 0, "y");
    ck_assert_int_eq(owner_commit(&o), 0);
    struct ended_row row;
    ck_assert_int_eq(o.store->find_ended(o.store, 1, &row, &detail), 0);
    ck_assert_int_eq(load(1, row.last_frame, (struct position){0}), 0);
    ck_assert_uint_eq(timeline.count, 6);
    struct position moved[6];
    for (size_t i = 0; i < 6; i++)
        moved[i] = timeline.entries[i].position;
    ck_assert_uint_eq(moved[0].frame, row.first_frame);
    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(load(1, row.last_frame, moved[i]), 0);
        ck_assert_uint_eq(timeline.count, 5 - i);
    }
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(load(1, row.last_frame, before[i]), 0);
        ck_assert_uint_eq(timeline.count, 5 - i);
    }
    /* Nor is it told of where nothing is shown of that frame and what follows it. */
    const struct timeline_query hidden = {.serial = 1, .last_frame = row.last_frame, .hidden_from = moved[0].frame};
    ck_assert_int_eq(timeline_load(o.core, &hidden, &arena, &timeline, &detail), 0);
    ck_assert_uint_eq(timeline.count, 4);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(timeline.entries[i].position.frame, before[i].frame);
}
END_TEST

/* What a frame has of a saga before its copies is one of them: it is told once. */
START_TEST(timeline__what_lies_before_the_copies_is_among_them)
{
    static const uint8_t types[] = {RECORD_PAUSED, RECORD_MOVED, RECORD_STARTED, RECORD_PAUSED, RECORD_RESUMED};
    uint8_t records[5 * RECORD_OVERHEAD_MAX];
    size_t size = 0;
    for (size_t i = 0; i < 5; i++) {
        const struct record r = {.type = types[i],
                                 .saga = {.tag = 1, .serial = 5},
                                 .at = o.now,
                                 .step = RECORD_NO_STEP,
                                 .mode = SAGA_ENLISTED,
                                 .copies = types[i] == RECORD_MOVED ? 2 : 0};
        size += codec_encode(&r, i == 0 ? 0 : 1, records + size);
    }
    const struct store_commit commit = {.frame = 1, .records = bytes_of(records, size)};
    ck_assert_int_eq(o.store->commit(o.store, &commit, &detail), 0);
    ck_assert_int_eq(load(5, 1, (struct position){0}), 0);
    ck_assert_uint_eq(timeline.count, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(timeline.entries[i].record.type, types[i + 2]);
}
END_TEST

START_TEST(timeline__says_when_its_beginning_has_left_the_journal)
{
    struct ended_row row;
    bool more;
    run_two();
    ck_assert_int_eq(o.store->find_ended(o.store, 1, &row, &detail), 0);
    uint64_t last = row.last_frame;
    o.now = instant_after(o.now, SPAN_S(1));
    ck_assert_int_eq(o.store->drop(o.store, o.now, 3, 100, &more, &detail), 0);
    ck_assert_int_eq(load(1, last, (struct position){0}), 0);
    ck_assert(timeline.truncated);
    ck_assert_uint_gt(timeline.count, 0);
    ck_assert_uint_lt(timeline.count, 6);
    ck_assert_uint_ge(timeline.entries[0].position.frame, 3);
    /* Nothing that comes after the cursor is missing. */
    ck_assert_int_eq(load(1, last, timeline.entries[0].position), 0);
    ck_assert(!timeline.truncated);
}
END_TEST

START_TEST(timeline__the_views_outlive_the_next_use_of_the_store)
{
    struct ended_row row;
    run_two();
    ck_assert_int_eq(o.store->find_ended(o.store, 1, &row, &detail), 0);
    ck_assert_int_eq(load(1, row.last_frame, (struct position){0}), 0);
    const struct timeline kept = timeline;
    owner_crash(&o);
    memory_disk_destroy(o.disk);
    o.disk = memory_disk_create();
    ck_assert(bytes_equal(kept.entries[0].record.name, bytes_of_text("two")));
    ck_assert(bytes_equal(kept.entries[2].record.output, bytes_of_text("out")));
}
END_TEST

START_TEST(timeline__a_chain_that_leads_nowhere_is_damage)
{
    run_two();
    ck_assert_int_eq(load(9, 1, (struct position){0}), E_JOURNAL_CORRUPT);
    ck_assert_str_ne(detail.text, "");
    memory_disk_fail(o.disk, 1, E_JOURNAL, false);
    ck_assert_int_eq(load(1, 1, (struct position){0}), E_JOURNAL);
}
END_TEST

/* Also in the midst of a record. */
START_TEST(timeline__a_record_that_cannot_be_read_is_damage)
{
    uint8_t bytes[RECORD_OVERHEAD_MAX];
    const struct record r = {
        .type = RECORD_PAUSED, .saga = {.tag = 1, .serial = 5}, .at = o.now, .step = RECORD_NO_STEP};
    size_t size = codec_encode(&r, 0, bytes);
    for (uint64_t frame = 1; frame <= 2; frame++) {
        const struct store_commit commit = {.frame = frame, .records = bytes_of(bytes, size)};
        ck_assert_int_eq(o.store->commit(o.store, &commit, &detail), 0);
        ck_assert_int_eq(load(5, frame, (struct position){0}), frame == 1 ? 0 : E_JOURNAL_CORRUPT);
        bytes[size - 1] ^= 1;
    }
}
END_TEST

START_TEST(timeline__holds_the_latest_of_too_many_records)
{
    enum { FRAME_RECORDS = 1000, FRAMES = TIMELINE_RECORDS_MAX / FRAME_RECORDS + 2 };
    uint8_t *records = malloc(FRAME_RECORDS * RECORD_OVERHEAD_MAX);
    for (uint64_t frame = 1; frame <= FRAMES; frame++) {
        size_t size = 0;
        for (int i = 0; i < FRAME_RECORDS; i++) {
            struct record r = {
                .type = RECORD_PAUSED, .saga = {.tag = 1, .serial = 5}, .at = o.now, .step = RECORD_NO_STEP};
            size += codec_encode(&r, i == 0 ? frame - 1 : frame, records + size);
        }
        struct store_commit commit = {.frame = frame, .records = bytes_of(records, size)};
        ck_assert_int_eq(o.store->commit(o.store, &commit, &detail), 0);
    }
    free(records);
    ck_assert_int_eq(load(5, FRAMES, (struct position){0}), 0);
    ck_assert(timeline.truncated);
    ck_assert_uint_eq(timeline.count, TIMELINE_RECORDS_MAX);
    ck_assert_uint_eq(timeline.entries[timeline.count - 1].position.frame, FRAMES);
    ck_assert_uint_eq(timeline.entries[0].position.frame, 3);
    /* One frame may hold more than are asked for. */
    const struct timeline_query few = {.serial = 5, .last_frame = 1, .records_max = 10};
    ck_assert_int_eq(timeline_load(o.core, &few, &arena, &timeline, &detail), 0);
    ck_assert(timeline.truncated);
    ck_assert_uint_eq(timeline.count, 10);
    ck_assert_uint_eq(timeline.entries[9].position.index, FRAME_RECORDS - 1);
    /* As many as there may be are not too many. */
    ck_assert_int_eq(load(5, TIMELINE_RECORDS_MAX / FRAME_RECORDS, (struct position){0}), 0);
    ck_assert(!timeline.truncated);
    ck_assert_uint_eq(timeline.count, TIMELINE_RECORDS_MAX);
}
END_TEST

/* ---- replay ---- */

START_TEST(timeline__a_whole_one_gives_the_saga_as_it_ended)
{
    struct ended_row row;
    struct engine *e;
    run_two();
    ck_assert_int_eq(o.store->find_ended(o.store, 2, &row, &detail), 0);
    ck_assert_int_eq(load(2, row.last_frame, (struct position){0}), 0);
    ck_assert_int_eq(timeline_replay(&timeline, catalog_by_number(o.catalog, 1), &e, &detail), 0);
    const struct saga *saga = engine_find(e, 2);
    ck_assert_ptr_nonnull(saga);
    ck_assert_uint_eq(saga->state, SAGA_COMMITTED);
    ck_assert_uint_eq(saga->steps[1].action, SAGA_ACTION_DONE);
    ck_assert(bytes_equal(saga->steps[0].output, bytes_of_text("out")));
    engine_destroy(e);
    /* Without its beginning it cannot be replayed. */
    timeline.entries++;
    timeline.count--;
    ck_assert_int_eq(timeline_replay(&timeline, catalog_by_number(o.catalog, 1), &e, &detail), E_JOURNAL_CORRUPT);
}
END_TEST

/* What a person asks for by status is what the stuck step was answered, and not what came for another one later. */
START_TEST(timeline__the_last_status_is_that_of_the_stuck_step)
{
    static const char fan[] = "name: fan\nversion: 1.0.0\nsteps:\n"
                              "  - {name: a, target: t, action: /t.T/A, pivot: true}\n"
                              "  - {name: b, target: t, action: /t.T/B, after: [a]}\n"
                              "  - {name: c, target: t, action: /t.T/C, after: [a]}\n";
    int status;
    ck_assert_int_eq(owner_register(&o, fan), 0);
    owner_submit_start(&o, 1, "fan", NULL);
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 0, "");
    ck_assert_int_eq(owner_commit(&o), 0);
    owner_answer(&o, 9, "");
    owner_answer(&o, 5, "");
    ck_assert_int_eq(owner_commit(&o), 0);
    const struct saga *s = engine_find(core_engine(o.core), 1);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(s->state, SAGA_STUCK);
    ck_assert_uint_eq(s->stuck_step, 1);
    ck_assert_int_eq(timeline_last_status(o.core, s, s->position, core_durable(o.core) + 1, &status, &detail), 0);
    ck_assert_int_eq(status, 9);
    /* And when a person has spared that one, what the other one was answered, on which the saga is stuck then. */
    owner_submit(&o, (struct event){.type = EVENT_SKIP,
                                    .saga = s->id,
                                    .step = bytes_of_text("b"),
                                    .actor = bytes_of_text("joe"),
                                    .reason = bytes_of_text("seen to")});
    ck_assert_int_eq(owner_commit(&o), 0);
    ck_assert_int_eq(s->state, SAGA_STUCK);
    ck_assert_uint_eq(s->stuck_step, 2);
    ck_assert_int_eq(timeline_last_status(o.core, s, s->position, core_durable(o.core) + 1, &status, &detail), 0);
    ck_assert_int_eq(status, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timeline");
    TCase *t = tcase_create("timeline");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, timeline__a_cursor_is_written_and_read);
    tcase_add_test(t, timeline__what_is_no_cursor_is_refused);
    tcase_add_test(t, timeline__follows_the_chain_of_one_saga);
    tcase_add_test(t, timeline__after_a_cursor_comes_only_what_follows);
    tcase_add_test(t, timeline__after_a_cursor_of_a_saga_that_was_moved);
    tcase_add_test(t, timeline__what_lies_before_the_copies_is_among_them);
    tcase_add_test(t, timeline__says_when_its_beginning_has_left_the_journal);
    tcase_add_test(t, timeline__the_views_outlive_the_next_use_of_the_store);
    tcase_add_test(t, timeline__a_chain_that_leads_nowhere_is_damage);
    tcase_add_test(t, timeline__a_record_that_cannot_be_read_is_damage);
    tcase_add_test(t, timeline__holds_the_latest_of_too_many_records);
    tcase_add_test(t, timeline__a_whole_one_gives_the_saga_as_it_ended);
    tcase_add_test(t, timeline__the_last_status_is_that_of_the_stuck_step);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
