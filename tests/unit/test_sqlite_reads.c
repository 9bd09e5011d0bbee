/* Reads of the journal's files that fail: they are told as that, and neither as damage nor as the end of what there is. */
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t reads, fail_at;

static ssize_t failing_pread(int fd, void *at, size_t size, off_t offset)
{
    if (++reads == fail_at) {
        errno = EIO;
        return -1;
    }
    return pread(fd, at, size, offset);
}

/* SQLite reads by the system calls that it is given. */
static void plant_reads(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pread", (sqlite3_syscall_ptr)failing_pread), SQLITE_OK);
    ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pread64", (sqlite3_syscall_ptr)failing_pread), SQLITE_OK);
}

START_TEST(sqlite_reads__a_read_that_fails_is_not_damage)
{
    open_store();
    commit_frames(1, 40);
    struct ended_row row = ended(3, SAGA_COMMITTED, "order", "r-3");
    commit_ended(&row, 1);
    close_store();
    plant_reads();
    unsigned refused = 0;
    for (uint64_t nth = 1;; nth++) {
        reads = 0;
        fail_at = nth;
        int rc = try_open();
        uint64_t seen = 0;
        if (rc == 0) {
            struct ended_row got;
            rc = store->find_request(store, bytes_of_text("r-3"), bytes_of(NULL, 0), &got, &detail);
            seen = reads;
            close_store();
        } else {
            seen = reads;
        }
        if (rc != 0) {
            ck_assert_msg(rc == E_JOURNAL, "read %llu: %d %s", (unsigned long long)nth, rc, detail.text);
            ck_assert_ptr_null(strstr(detail.text, "backup"));
            refused++;
        }
        if (seen < nth)
            break;
    }
    ck_assert_uint_ge(refused, 5);
    fail_at = 0;
    open_store();
    ck_assert_uint_eq(state.last_frame, 40);
}
END_TEST

/* Nor is a log that cannot be read one that holds nothing. */
START_TEST(sqlite_reads__a_log_that_cannot_be_read_is_not_gone_on_without)
{
    unsigned of_the_log = 0;
    uint64_t nth = 1;
    pid_t child = fork();
    if (child == 0) {
        if (try_open() == 0)
            (void)try_commit(1, 300, 1000);
        _exit(0); /* and leaves its log */
    }
    int status, rc;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    plant_reads();
    for (;; nth++) {
        reads = 0;
        fail_at = nth;
        if ((rc = try_open()) == 0)
            break;
        ck_assert_msg(rc == E_JOURNAL, "read %u: %d %s", (unsigned)nth, rc, detail.text);
        of_the_log += strstr(detail.text, "reading the write-ahead log: ") != NULL;
    }
    ck_assert_uint_lt(reads, nth); /* nothing was passed over */
    ck_assert_uint_ge(of_the_log, 2);
    ck_assert_uint_eq(state.last_frame, 1);
}
END_TEST

enum { ROWS = 12 };

static unsigned told;

static int tell_frame(void *self, uint64_t number, struct bytes records)
{
    (void)self, (void)number, (void)records;
    told++;
    return 0;
}

static int tell_subject(void *self, const struct subject_row *row)
{
    (void)self, (void)row;
    told++;
    return 0;
}

static int tell_definition(void *self, const struct definition_row *row)
{
    (void)self, (void)row;
    told++;
    return 0;
}

static int tell_audit(void *self, const struct audit_row *row)
{
    (void)self, (void)row;
    told++;
    return 0;
}

static void tell_ended(void *self, const struct ended_row *row)
{
    (void)self, (void)row;
    told++;
}

static int read_all(int what)
{
    const struct ended_query query = {
        .below = UINT64_MAX, .started_before = INSTANT_NEVER, .rows_max = 99, .examine_max = 99};
    uint64_t to;
    switch (what) {
    case 0:
        return store->scan(store, 1, tell_frame, NULL, &detail);
    case 1:
        return store->scan_subjects(store, SUBJECT_PIN, tell_subject, NULL, &detail);
    case 2:
        return store->scan_definitions(store, tell_definition, NULL, &detail);
    case 3:
        return store->scan_audit(store, 1, 99, tell_audit, NULL, &detail);
    default:
        return store->list_ended(store, &query, tell_ended, NULL, &to, &detail);
    }
}

static void fill(void)
{
    static uint8_t text[1500]; /* a few of them are on a page */
    char id[100];
    memset(text, 't', sizeof text);
    memset(id, 'r', sizeof id);
    for (unsigned i = 0; i < ROWS; i++) {
        char name[8];
        struct ended_row row = ended(i + 1, SAGA_COMMITTED, "order", "");
        const struct subject_row subject = {.kind = SUBJECT_PIN,
                                            .name = bytes_of(name, (size_t)snprintf(name, sizeof name, "%u", i)),
                                            .version = 1,
                                            .value = bytes_of(text, sizeof text)};
        const struct definition_row definition = {.number = i + 1, .source = bytes_of(text, sizeof text)};
        struct store_commit c = {.ended = &row,
                                 .ended_count = 1,
                                 .subjects = &subject,
                                 .subject_count = 1,
                                 .definitions = &definition,
                                 .definition_count = 1,
                                 .audit = {.seq = i + 1, .at.us = 1, .body = bytes_of(text, sizeof text)}};
        id[0] = (char)('a' + i);
        row.request_id = bytes_of(id, sizeof id);
        ck_assert_int_eq(try_commit(i + 1, sizeof text, 1000), 0);
        c.epoch = state.epoch;
        ck_assert_int_eq(store->commit(store, &c, &detail), 0);
    }
}

/* What cannot be read is told, whatever was asked for: nobody goes on as if what could be read was all. */
START_TEST(sqlite_reads__a_read_that_fails_is_no_end)
{
    unsigned failed = 0;
    open_store();
    fill();
    close_store();
    plant_reads();
    fail_at = 0;
    for (uint64_t nth = 1;; nth++) {
        open_store();
        reads = told = 0;
        fail_at = nth;
        int code = read_all(_i);
        fail_at = 0;
        close_store();
        ck_assert_msg(code == 0 ? told == ROWS : code == E_JOURNAL && told < ROWS, "read %u: %d %s, of %u",
                      (unsigned)nth, code, detail.text, told);
        if (code == 0)
            break;
        ck_assert_ptr_null(strstr(detail.text, "backup"));
        failed++;
    }
    ck_assert_uint_ge(failed, _i < 4 ? 2 : 1); /* rows of ended sagas are short */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sqlite_reads");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_test(t, sqlite_reads__a_read_that_fails_is_not_damage);
    tcase_add_loop_test(t, sqlite_reads__a_read_that_fails_is_no_end, 0, 5);
    tcase_add_test(t, sqlite_reads__a_log_that_cannot_be_read_is_not_gone_on_without);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
