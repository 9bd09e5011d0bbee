/* What a sound store in SQLite is: each corruption that is planted here trips a check. */
#include "sidecar/journal/sqlite/sqlite_inside.h"
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>

static void no_database(struct sqlite_store *s)
{
    s->db = NULL;
}

static void no_first_frame(struct sqlite_store *s)
{
    s->first_frame = 0;
}

static void first_behind_last(struct sqlite_store *s)
{
    s->first_frame = s->last_frame + 1;
}

static void replay_before_first(struct sqlite_store *s)
{
    s->first_frame = 2;
    s->oldest_live = 1;
}

static void replay_behind_last(struct sqlite_store *s)
{
    s->oldest_live = s->last_frame + 2;
}

static void verified_what_was_not(struct sqlite_store *s)
{
    s->verify_below = s->serial_max + 1;
}

static void no_pace(struct sqlite_store *s)
{
    s->checkpoint_pace = 0;
}

static void pace_above_most(struct sqlite_store *s)
{
    s->checkpoint_pace = s->checkpoint_pages + 1;
}

static void checkpoint_too_soon(struct sqlite_store *s)
{
    s->checkpoint_at = 0;
}

static void broken_without_reason(struct sqlite_store *s)
{
    s->broken = true;
}

static void reason_without_break(struct sqlite_store *s)
{
    s->broken_code = E_JOURNAL;
}

static void broken_for_no_such_reason(struct sqlite_store *s)
{
    s->broken = true;
    s->broken_code = E_JOURNAL_FULL;
}

static void reserve_of_no_file(struct sqlite_store *s)
{
    s->named_file = false;
}

static void cached_future(struct sqlite_store *s)
{
    s->cached[0].frame = s->last_frame + 1;
}

static void cached_beyond_room(struct sqlite_store *s)
{
    s->cached[0].frame = 1;
    s->cached[0].size = s->cached[0].room + 1;
}

static void (*const corruptions[])(struct sqlite_store *) = {
    no_database,
    no_first_frame,
    first_behind_last,
    replay_before_first,
    replay_behind_last,
    verified_what_was_not,
    no_pace,
    pace_above_most,
    checkpoint_too_soon,
    broken_without_reason,
    reason_without_break,
    broken_for_no_such_reason,
    reserve_of_no_file,
    cached_future,
    cached_beyond_room,
};
#define CORRUPTIONS ((int)(sizeof corruptions / sizeof corruptions[0]))

static void fill(void)
{
    static const char *const suffixes[] = {"", "-wal", ".lock", ".reserve"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++)
        remove_beside(suffixes[i]);
    open_store();
    commit_frames(1, 5);
}

START_TEST(sqlite_check__a_sound_store_passes)
{
    fill();
    inside_check((struct sqlite_store *)store);
}
END_TEST

START_TEST(sqlite_check__a_corrupted_store_trips_one)
{
    fill();
    corruptions[_i]((struct sqlite_store *)store);
    inside_check((struct sqlite_store *)store);
}
END_TEST

/* What a caller may never hand over. */
START_TEST(sqlite_check__a_commit_that_cannot_be_trips_one)
{
    static uint8_t byte[1];
    static const size_t cuts[] = {1};
    static const struct ended_row live = {.saga = {.serial = 1}, .state = SAGA_RUNNING};
    struct store_commit commits[] = {
        {.frame = 7, .records = bytes_of(byte, 1)},                               /* a gap */
        {.frame = 6},                                                             /* without records */
        {.records = bytes_of(byte, 1)},                                           /* without a number */
        {.frame = 6, .records = bytes_of(byte, 1), .cuts = cuts, .cut_count = 1}, /* an empty frame */
        {.ended = &live, .ended_count = 1},                                       /* an end that is none */
        {.oldest_live_frame = 7}, /* what is not there yet is needed first */
    };
    fill();
    store->commit(store, &commits[_i], &detail);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sqlite_check");
    TCase *t = tcase_create("all");
    tcase_add_unchecked_fixture(t, make_dir, remove_dir); /* the tests themselves end by a signal */
    tcase_add_test(t, sqlite_check__a_sound_store_passes);
    tcase_add_loop_test_raise_signal(t, sqlite_check__a_corrupted_store_trips_one, SIGABRT, 0, CORRUPTIONS);
    tcase_add_loop_test_raise_signal(t, sqlite_check__a_commit_that_cannot_be_trips_one, SIGABRT, 0, 6);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
