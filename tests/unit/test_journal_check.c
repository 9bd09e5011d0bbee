/* What `sagad --check-journal` tells of the journals of a data directory. The rest of it is in tests/e2e/test_process.py. */
#include "sidecar/runtime/journal_check.h"
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static char *said;

/* Checks the journal in dir, keeps what was said, and returns what the check returned. */
static int check_it(void)
{
    const struct config config = {.data_dir = dir,
                                  .store = "",
                                  .loops = 1,
                                  .encryption_key_file = "",
                                  .audit_key_file = "",
                                  .encryption_key_command = ""};
    size_t size;
    free(said);
    FILE *out = open_memstream(&said, &size);
    ck_assert_ptr_nonnull(out);
    int code = journal_check(&config, out, &detail);
    fclose(out);
    return code;
}

static unsigned lines_said(void)
{
    unsigned lines = 0;
    for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    return lines;
}

static void forget(void)
{
    free(said);
    said = NULL;
    remove_dir();
}

/* More rows than are looked at in one go: the damage of each go is told, a line each, and the last one says what to do. */
START_TEST(journal_check__rows_after_damaged_ones_are_looked_at)
{
    static const char *const beside[] = {"", "-wal", "-journal", ".lock", ".reserve"};
    enum { ROWS = 10001 }; /* one more than it looks at in one go */
    static struct ended_row rows[ROWS];
    open_store();
    for (int i = 0; i < ROWS; i++)
        rows[i] = ended((uint64_t)i + 1, SAGA_COMMITTED, "order", "");
    commit_ended(rows, ROWS);
    close_store();
    ck_assert_msg(check_it() == 0, "%s", said);
    ck_assert_ptr_nonnull(strstr(said, ": sound: 0 frames"));

    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "UPDATE ended SET ended_us = 1 WHERE serial IN (1, 10001)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(check_it(), E_JOURNAL_CORRUPT);
    ck_assert_msg(lines_said() == 3, "%s", said);
    ck_assert_msg(strstr(said, "the row 10001 ") != NULL && strstr(said, "the row 1 ") != NULL, "%s", said);
    ck_assert_ptr_nonnull(strstr(said, ": damaged: copy the whole data directory"));

    /* That another loop's is sound makes it no better. */
    strcpy(strrchr(path, '.'), "-1.db");
    open_store();
    close_store();
    ck_assert_int_eq(check_it(), E_JOURNAL_CORRUPT);
    ck_assert_msg(strstr(said, "journal.db: damaged") != NULL && strstr(said, "journal-1.db: sound") != NULL, "%s",
                  said);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        remove_beside(beside[i]);
    strcpy(strrchr(path, '-'), ".db");
}
END_TEST

/* What a frame holds is read, too: one that is whole, and says nothing that can be understood, is damage. */
START_TEST(journal_check__records_are_read)
{
    open_store();
    commit_frames(1, 3);
    close_store();
    ck_assert_msg(check_it() == 0, "%s", said);
    ck_assert_msg(strstr(said, ": sound: 3 frames with 3 records") != NULL, "%s", said);
    open_store();
    const struct store_commit commit = {.frame = 4, .records = bytes_of_text("no record at all, and rather long")};
    ck_assert_int_eq(store->commit(store, &commit, &detail), 0);
    close_store();
    ck_assert_int_eq(check_it(), E_JOURNAL_CORRUPT);
    /* Once, though it is read for its chain, too. */
    ck_assert_msg(lines_said() == 2 && strstr(said, "journal.db: frame 4: ") != NULL, "%s", said);
    ck_assert_msg(strstr(said, ": damaged: copy the whole data directory") != NULL, "%s", said);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_check");
    TCase *tc = tcase_create("journal_check");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, make_dir, forget);
    tcase_add_test(tc, journal_check__rows_after_damaged_ones_are_looked_at);
    tcase_add_test(tc, journal_check__records_are_read);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
