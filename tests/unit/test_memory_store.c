/* What only the store made of memory can: failing when it is told to. That it does else as the others do is for test_store_twins.c. */
#include "tests/support/memory_store.h"
#include "tests/support/frames.h"

#include <check.h>
#include <stdlib.h>

static uint8_t frame_bytes[8192];

static int commit_one(struct store *s, uint64_t frame)
{
    struct error_detail detail;
    struct store_commit commit = {.frame = frame,
                                  .records = frame_make(frame_bytes, frame, 1, 100, (struct instant){0})};
    return s->commit(s, &commit, &detail);
}

START_TEST(memory_store__fails_when_told)
{
    struct memory_disk *disk = memory_disk_create();
    struct store *s;
    struct store *other;
    struct store_state state;
    struct error_detail detail;
    ck_assert_int_eq(memory_store_open(disk, &s, &state, &detail), 0);
    ck_assert_int_eq(memory_store_open(disk, &other, &state, &detail), E_JOURNAL_LOCKED);
    for (int landed = 0; landed < 2; landed++) {
        uint64_t next = (uint64_t)landed * 2 + 1;
        memory_disk_fail(disk, 2, E_JOURNAL, landed != 0);
        ck_assert_int_eq(commit_one(s, next), 0);
        ck_assert_int_eq(commit_one(s, next + 1), E_JOURNAL);
        ck_assert_int_eq(s->commit(s, &(struct store_commit){.oldest_live_frame = 1}, &detail), E_JOURNAL);
        s->close(s);
        ck_assert_int_eq(memory_store_open(disk, &s, &state, &detail), 0);
        ck_assert_uint_eq(state.last_frame, landed ? 4 : 1);
        if (!landed)
            ck_assert_int_eq(commit_one(s, 2), 0);
    }
    memory_disk_fail(disk, 1, E_JOURNAL_FULL, false);
    ck_assert_int_eq(commit_one(s, 5), E_JOURNAL_FULL);
    ck_assert_int_eq(commit_one(s, 5), 0);
    memory_disk_set_size(disk, 1);
    ck_assert_int_eq(commit_one(s, 6), E_JOURNAL_FULL);
    memory_disk_set_size(disk, 0);
    ck_assert_int_eq(commit_one(s, 6), 0);
    ck_assert_uint_eq(memory_disk_operations(disk), 11);
    s->close(s);
    memory_disk_destroy(disk);
}
END_TEST

/* ---- a commit of one who waits ---- */

static const int *fates;

static int next_fate(struct store *s, struct error_detail *why)
{
    (void)s;
    return *fates > 0 ? *fates++ : error_set(why, *fates, "", "its fate");
}

static int hand_over(struct store *s, const struct store_commit *commit, struct error_detail *why)
{
    (void)commit;
    return next_fate(s, why);
}

START_TEST(memory_store__who_waits_is_told_the_fate)
{
    static const int rows[][6] = {{0},
                                  {E_JOURNAL_FULL},
                                  {STORE_PENDING, STORE_PENDING, 0},
                                  {STORE_PENDING, STORE_AMBIGUOUS, STORE_AMBIGUOUS, STORE_PENDING, 0},
                                  {STORE_AMBIGUOUS, E_JOURNAL_FENCED}};
    static const int told[] = {0, E_JOURNAL_FULL, 0, 0, E_JOURNAL_FENCED};
    struct store s = {.commit = hand_over, .settle = next_fate};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct error_detail detail;
        fates = rows[i];
        ck_assert_int_eq(store_commit_now(&s, &(struct store_commit){.frame = 0}, &detail), told[i]);
        ck_assert_int_le(*fates, 0); /* the last word */
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("memory_store");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, memory_store__fails_when_told);
    tcase_add_test(t, memory_store__who_waits_is_told_the_fate);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
