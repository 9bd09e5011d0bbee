/* What the system says of the journal's files is told as that, and not as damage: files that are taken away, a disk that is full. */
#include "tests/support/frames.h"
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <time.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files that are taken away ---- */

/* Commits on until the store notices, which it must do within a second. Returns the last frame that was said to be durable. */
static uint64_t commit_until_refused(uint64_t frame)
{
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    int code;
    while ((code = try_commit(frame, 300, (int64_t)frame * 1000)) == 0) {
        frame++;
        clock_gettime(CLOCK_MONOTONIC, &now);
        ck_assert_int_lt(now.tv_sec - begun.tv_sec, 2);
    }
    ck_assert_int_eq(code, E_JOURNAL_FENCED);
    return frame - 1;
}

/* What it said to be durable before it noticed is in what it saves. */
START_TEST(sqlite_system__a_journal_that_is_removed_takes_nothing)
{
    open_store();
    commit_frames(1, 3);
    ck_assert_int_eq(store->check(store, &detail), 0);
    ck_assert_int_eq(unlink(path), 0);
    if (_i == 1) { /* and another put in its place */
        int fd = open(path, O_CREAT | O_RDWR, 0600);
        ck_assert_int_ge(fd, 0);
        close(fd);
    }
    uint64_t last = commit_until_refused(4);
    ck_assert_ptr_nonnull(strstr(detail.text, _i == 1 ? "was replaced" : "was removed"));
    ck_assert_int_eq(store->check(store, &detail), E_JOURNAL_FENCED);
    ck_assert_int_eq(try_commit(last + 1, 100, 4000), E_JOURNAL_FENCED); /* and goes on saying so */
    close_store();

    /* What was in them was saved, and nothing is begun anew in its place. */
    char saved[128];
    snprintf(saved, sizeof saved, "%s.rescued", path);
    ck_assert_ptr_nonnull(strstr(detail.text, ".rescued"));
    struct stat st;
    ck_assert_int_eq(stat(saved, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600); /* as the journal itself */
    ck_assert_int_eq(try_open(), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "rename that"));
    ck_assert_int_eq(rename(saved, path), 0);
    remove_beside("-wal");
    open_store();
    ck_assert_uint_ge(last, 4); /* some were, so that this is tried */
    ck_assert_uint_ge(state.last_frame, last);
    for (uint64_t frame = 1; frame <= last; frame++)
        assert_frame(frame, 300, (int64_t)frame * 1000);
}
END_TEST

/* Nor is another file the log, although it has its name. */
START_TEST(sqlite_system__a_log_that_is_replaced_takes_nothing)
{
    char log[256];
    snprintf(log, sizeof log, "%s-wal", path);
    open_store();
    commit_frames(1, 3);
    ck_assert_int_eq(store->check(store, &detail), 0);
    ck_assert_int_eq(unlink(log), 0);
    int fd = open(log, O_CREAT | O_RDWR, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(store->check(store, &detail), E_JOURNAL_FENCED);
    ck_assert_ptr_nonnull(strstr(detail.text, "write-ahead log was removed or replaced"));
    close_store();
    char saved[128];
    snprintf(saved, sizeof saved, "%s.rescued", path);
    ck_assert_int_eq(unlink(saved), 0);
}
END_TEST

static void move_both(const char *from_suffix, const char *to_suffix)
{
    static const char *const names[] = {"", "-wal"};
    char from[256], to[256];
    for (int i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s%s%s", path, names[i], from_suffix);
        snprintf(to, sizeof to, "%s%s%s", path, names[i], to_suffix);
        ck_assert_int_eq(rename(from, to), 0);
    }
}

/* Files that are back where they were need no copy; one of them alone is not what was there. */
START_TEST(sqlite_system__files_that_are_put_back_are_gone_on_with)
{
    char saved[256], log[256], aside[512];
    snprintf(saved, sizeof saved, "%s.rescued", path);
    snprintf(log, sizeof log, "%s-wal", path);
    snprintf(aside, sizeof aside, "%s.aside", log);
    open_store();
    commit_frames(1, 3);
    ck_assert_int_eq(store->check(store, &detail), 0);
    move_both("", ".away");
    ck_assert_int_eq(store->check(store, &detail), E_JOURNAL_FENCED);
    close_store();
    move_both(".away", "");
    ck_assert_int_eq(rename(log, aside), 0);
    ck_assert_int_eq(try_open(), E_JOURNAL);
    ck_assert_ptr_nonnull(strstr(detail.text, "rename that"));
    ck_assert_int_eq(rename(aside, log), 0);
    open_store();
    ck_assert_uint_eq(state.last_frame, 3);
    close_store();
    ck_assert_int_eq(unlink(saved), 0);
}
END_TEST

/* What was saved once and is not put back is not written over: it may hold more. */
START_TEST(sqlite_system__what_was_saved_before_stays)
{
    char saved[128], text[8] = "";
    snprintf(saved, sizeof saved, "%s.rescued", path);
    open_store();
    commit_frames(1, 3);
    ck_assert_int_eq(store->check(store, &detail), 0);
    int fd = open(saved, O_CREAT | O_RDWR, 0600);
    ck_assert_int_eq(write(fd, "before", 6), 6);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(store->check(store, &detail), E_JOURNAL_FENCED);
    ck_assert_ptr_nonnull(strstr(detail.text, "put the files back as they were"));
    close_store();
    struct stat st;
    ck_assert_int_eq(stat(saved, &st), 0);
    ck_assert_int_eq(st.st_size, 6);
    ck_assert_int_eq(pread(fd, text, sizeof text, 0), 6);
    ck_assert_str_eq(text, "before");
    close(fd);
    ck_assert_int_eq(unlink(saved), 0);
}
END_TEST

/* What the system lets no file grow beyond is a full disk, and no broken one. */
START_TEST(sqlite_system__a_limit_on_files_is_a_full_disk)
{
    struct rlimit before, low;
    signal(SIGXFSZ, SIG_IGN);
    open_store();
    commit_frames(1, 3);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 4 << 20;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    uint64_t frame = 4;
    int code = 0;
    for (; code == 0 && frame < 10000; frame++)
        code = try_commit(frame, 1800, (int64_t)frame * 1000);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_msg(code == E_JOURNAL_FULL, "%d %s", code, detail.text);
    ck_assert_int_eq(try_commit(frame - 1, 1800, (int64_t)frame * 1000), 0);
}
END_TEST

/* The log is copied then, and written over: what it held is no reason to refuse the next. */
START_TEST(sqlite_system__a_full_log_is_copied)
{
    struct rlimit before, low;
    signal(SIGXFSZ, SIG_IGN);
    options.checkpoint_pages = 100000;
    open_store();
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 4 << 20;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    uint64_t frame = 1;
    while (try_commit(frame, 8000, (int64_t)frame * 1000) == 0)
        frame++;
    int code = try_commit(frame, 8000, (int64_t)frame * 1000);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(code, 0);
}
END_TEST

static uint64_t writes_fail;

static ssize_t failing_pwrite(int fd, const void *at, size_t size, off_t offset)
{
    if (writes_fail > 0 && --writes_fail == 0) {
        errno = EIO;
        return -1;
    }
    return pwrite(fd, at, size, offset);
}

/* After a write that failed nothing is written any more, at the end neither: the log stays as it is for the next start. */
START_TEST(sqlite_system__a_broken_journal_is_not_copied_at_the_end)
{
    struct stat about;
    char log[256];
    snprintf(log, sizeof log, "%s-wal", path);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)failing_pwrite), SQLITE_OK);
    ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)failing_pwrite), SQLITE_OK);
    open_store();
    commit_frames(1, 10);
    writes_fail = 1;
    ck_assert_int_eq(try_commit(11, 300, 11000), E_JOURNAL);
    close_store();
    ck_assert_int_eq(stat(log, &about), 0);
    ck_assert_int_gt(about.st_size, 0);
    open_store();
    ck_assert_uint_eq(state.last_frame, 10);
    close_store();
    ck_assert_int_ne(stat(log, &about), 0); /* as a sound one is */
}
END_TEST

/* A log that cannot be copied at the start, since the database may not grow, keeps nobody from starting: it is synced, as on a full disk. Nor do
 * request_ids that cannot be sorted in. */
START_TEST(sqlite_system__a_limit_on_files_keeps_nobody_from_starting)
{
    struct rlimit before, low;
    struct stat about;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)failing_pwrite), SQLITE_OK);
    ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)failing_pwrite), SQLITE_OK);
    signal(SIGXFSZ, SIG_IGN);
    options.checkpoint_pages = 10000;
    open_store();
    commit_frames(1, 300);
    struct ended_row got, rows[9];
    for (uint64_t i = 0; i < 9; i++)
        rows[i] = ended(1 + i, SAGA_COMMITTED, "order", i == 0 ? "r-1" : "r");
    commit_ended(rows, 9);
    writes_fail = 1; /* so that closing leaves the log */
    ck_assert_int_eq(try_commit(301, 300, 301000), E_JOURNAL);
    close_store();
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)about.st_size;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    options.unsorted_max = 1;
    remove_beside(".reserve");
    int code = try_open();
    if (code == 0) {
        assert_frame(300, 300, 300000);
        code = store->find_request(store, bytes_of_text("r-1"), bytes_of(NULL, 0), &got, &detail);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_msg(code == 0, "%d %s", code, detail.text);
    ck_assert_uint_eq(state.last_frame, 300);
    char reserve[128];
    snprintf(reserve, sizeof reserve, "%s.reserve", path);
    ck_assert_int_ne(stat(reserve, &about), 0); /* nor does a part of one take what room there is */
    ck_assert_int_eq(try_commit(301, 300, 301000), 0);
}
END_TEST

START_TEST(sqlite_system__a_log_that_is_removed_takes_nothing)
{
    char log[256];
    snprintf(log, sizeof log, "%s-wal", path);
    open_store();
    commit_frames(1, 3);
    ck_assert_int_eq(unlink(log), 0);
    ck_assert_int_eq(store->check(store, &detail), E_JOURNAL_FENCED);
    ck_assert_int_eq(try_commit(4, 100, 4000), E_JOURNAL_FENCED);
    close_store();
    /* The database alone is an older state, so it is not begun with. */
    ck_assert_int_eq(try_open(), E_JOURNAL);
    char saved[128];
    snprintf(saved, sizeof saved, "%s.rescued", path);
    ck_assert_int_eq(rename(saved, path), 0);
    open_store();
    ck_assert_uint_eq(state.last_frame, 3);
}
END_TEST

/* ---- a volume of its own that is full ---- */

/* A small file system in memory, seen by this test alone. Needs rights that not everybody has. */
static bool make_volume(const char *size)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", dir, "tmpfs", 0, size) == 0;
}

START_TEST(sqlite_system__a_full_volume_heals_by_retention)
{
    if (!make_volume("size=48m")) {
        fprintf(stderr, "skipped: no volume can be made here\n");
        return;
    }
    options.checkpoint_pages = 1000;
    open_store();
    uint64_t frame = 1;
    int rc = 0;
    static struct ended_row rows[8];
    static char ids[8][32];
    static uint8_t bytes[FRAME_ROOM];
    for (; rc == 0; frame++) {
        for (int i = 0; i < 8; i++) {
            uint64_t serial = frame * 8 + (uint64_t)i;
            snprintf(ids[i], sizeof ids[i], "%016llx", (unsigned long long)(serial * UINT64_C(0x9e3779b97f4a7c15)));
            rows[i] = ended(serial, SAGA_COMMITTED, "order", ids[i]);
            rows[i].started_at.us = rows[i].ended_at.us = (int64_t)frame;
        }
        struct store_commit commit = {
            .frame = frame,
            .records = frame_make(bytes, frame * 10, 1, 8000, (struct instant){.us = (int64_t)frame}),
            .ended = rows,
            .ended_count = 8,
            .oldest_live_frame = frame,
        };
        rc = store->commit(store, &commit, &detail);
    }
    ck_assert_int_eq(rc, E_JOURNAL_FULL);
    frame--;
    ck_assert_uint_gt(frame, 1000);
    /* To the last page. */
    char filler[128];
    snprintf(filler, sizeof filler, "%s/filler", dir);
    int fd = open(filler, O_CREAT | O_WRONLY, 0600);
    for (int refused = 0; refused < 3; refused++) {
        while (write(fd, bytes, 512) > 0)
            ;
        for (; try_commit(frame, 8000, (int64_t)frame) == 0; frame++)
            refused = -1;
    }
    close(fd);

    bool more = true;
    for (int pieces = 0; more && pieces < 1000; pieces++)
        ck_assert_int_eq(store->drop(store, (struct instant){.us = (int64_t)frame - 50}, frame, 256, &more, &detail),
                         0);
    ck_assert(!more);
    for (int i = 0; i < 100; i++, frame++)
        ck_assert_int_eq(try_commit(frame, 8000, (int64_t)frame), 0);
    reopen();
    ck_assert_uint_eq(state.last_frame, frame - 1);
    close_store();
    unlink(filler);
    ck_assert_int_eq(umount2(dir, MNT_DETACH), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sqlite_system");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_loop_test(t, sqlite_system__a_journal_that_is_removed_takes_nothing, 0, 2);
    tcase_add_test(t, sqlite_system__a_log_that_is_removed_takes_nothing);
    tcase_add_test(t, sqlite_system__a_log_that_is_replaced_takes_nothing);
    tcase_add_test(t, sqlite_system__what_was_saved_before_stays);
    tcase_add_test(t, sqlite_system__files_that_are_put_back_are_gone_on_with);
    tcase_add_test(t, sqlite_system__a_limit_on_files_is_a_full_disk);
    tcase_add_test(t, sqlite_system__a_full_log_is_copied);
    tcase_add_test(t, sqlite_system__a_limit_on_files_keeps_nobody_from_starting);
    tcase_add_test(t, sqlite_system__a_broken_journal_is_not_copied_at_the_end);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, sqlite_system__a_full_volume_heals_by_retention);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
