/* The layer below SQLite that writes the log of a commit in one piece: how many writes that is, and that nothing is lost by it. */
#include "sidecar/journal/sqlite/log_gather.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* What the system's layer is asked for, counted. */
static int writes, syncs, fail_after; /* fail_after: so many writes go well; negative: all */
static struct timespec disk_takes;    /* for a sync, beside what it really takes */

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *system;
    sqlite3_io_methods methods;
    const sqlite3_io_methods *below;
} counting;

static int count_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    writes++;
    if (fail_after >= 0 && writes > fail_after)
        return SQLITE_FULL;
    return counting.below->xWrite(file, bytes, size, at);
}

static int count_sync(sqlite3_file *file, int flags)
{
    syncs++;
    nanosleep(&disk_takes, NULL);
    return counting.below->xSync(file, flags);
}

static int count_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    int rc = counting.system->xOpen(counting.system, name, file, flags, out_flags);
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) {
        counting.below = file->pMethods;
        counting.methods = *file->pMethods;
        counting.methods.xWrite = count_write;
        counting.methods.xSync = count_sync;
        file->pMethods = &counting.methods;
    }
    return rc;
}

static char path[64], log_path[80];
static struct log_gather gather;
static sqlite3 *db;

static void open_db(void)
{
    ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, gather.name), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(db,
                     "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "PRAGMA wal_autocheckpoint=0; CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v BLOB)",
                     NULL, NULL, NULL),
        SQLITE_OK);
}

static void setup(void)
{
    snprintf(path, sizeof path, "/tmp/saga-gather-%d.db", (int)getpid());
    snprintf(log_path, sizeof log_path, "%s-wal", path);
    counting.system = sqlite3_vfs_find(NULL);
    counting.vfs = *counting.system;
    counting.vfs.zName = "counting";
    counting.vfs.xOpen = count_open;
    ck_assert_int_eq(sqlite3_vfs_register(&counting.vfs, 0), SQLITE_OK);
    ck_assert_int_eq(log_gather_init(&gather, "counting"), SQLITE_OK);
    fail_after = -1;
    open_db();
}

static void teardown(void)
{
    sqlite3_close(db);
    log_gather_finish(&gather);
    sqlite3_vfs_unregister(&counting.vfs);
    unlink(path);
    unlink(log_path);
}

static int insert(int k, int bytes)
{
    char sql[96];
    snprintf(sql, sizeof sql, "INSERT INTO t VALUES(%d, zeroblob(%d))", k, bytes);
    writes = syncs = 0;
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int number_of(const char *sql)
{
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

START_TEST(log_gather__a_commit_is_one_write_and_one_sync)
{
    ck_assert_int_eq(insert(1, 10), SQLITE_OK);
    ck_assert_int_eq(insert(2, 20000), SQLITE_OK); /* six pages and more */
    ck_assert_int_eq(writes, 1);
    ck_assert_int_eq(syncs, 1);
}
END_TEST

/* SQLite's own layer takes no more than 0x1ffff bytes at once: every size around it arrives whole. */
START_TEST(log_gather__a_large_commit_goes_out_in_pieces)
{
    static const int sizes[] = {60000, 64000, 70000, 131071, 131072, 200000, 1000000, 3000000};
    for (int i = 0; i < (int)(sizeof sizes / sizeof sizes[0]); i++) {
        ck_assert_int_eq(insert(i, sizes[i]), SQLITE_OK);
        ck_assert_int_ge(writes, sizes[i] / (64 << 10));
        ck_assert_int_le(writes, sizes[i] / (56 << 10) + 2);
    }
    ck_assert_int_eq(number_of("SELECT sum(length(v)) FROM t"), 4656143);
    ck_assert_int_eq(number_of("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}
END_TEST

/* What is read back from the log, by a page cache too small to hold it, is what was written, whether it has left or not. */
START_TEST(log_gather__what_is_gathered_is_read_back)
{
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA cache_size=10", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(db,
                     "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000) "
                     "INSERT INTO t SELECT i, randomblob(500) FROM n; UPDATE t SET v = randomblob(501) WHERE k % 7 = 0",
                     NULL, NULL, NULL),
        SQLITE_OK);
    ck_assert_int_eq(number_of("SELECT sum(length(v)) FROM t"), 2000 * 500 + 285);
    ck_assert_int_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(number_of("SELECT sum(length(v)) FROM t"), 2000 * 500 + 285);
    ck_assert_int_eq(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(number_of("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}
END_TEST

/* A write that fails fails the commit, with its code; the same commit goes through when there is room. */
START_TEST(log_gather__a_full_disk_is_told_and_passes)
{
    ck_assert_int_eq(insert(1, 1000), SQLITE_OK);
    for (fail_after = 0; fail_after < 3; fail_after++) {
        ck_assert_int_eq(insert(2, 200000), SQLITE_FULL);
        ck_assert_int_eq(number_of("SELECT count(*) FROM t"), 1);
    }
    fail_after = -1;
    ck_assert_int_eq(insert(2, 200000), SQLITE_OK);
    sqlite3_close(db);
    open_db();
    ck_assert_int_eq(number_of("SELECT sum(length(v)) FROM t"), 201000);
}
END_TEST

/* For whoever watches the disk. */
START_TEST(log_gather__what_syncs_take_is_added_up)
{
    disk_takes.tv_nsec = 3000000;
    gather.synced = (struct span){0};
    ck_assert_int_eq(insert(1, 10), SQLITE_OK);
    ck_assert_int_ge(gather.synced.us, 3000);
    gather.synced.us += 10000000; /* whatever the disk takes by itself */
    ck_assert_int_eq(insert(2, 10), SQLITE_OK);
    ck_assert_int_ge(gather.synced.us, 10006000);
    disk_takes.tv_nsec = 0;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_gather");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, log_gather__a_commit_is_one_write_and_one_sync);
    tcase_add_test(all, log_gather__a_large_commit_goes_out_in_pieces);
    tcase_add_test(all, log_gather__what_is_gathered_is_read_back);
    tcase_add_test(all, log_gather__a_full_disk_is_told_and_passes);
    tcase_add_test(all, log_gather__what_syncs_take_is_added_up);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
