/* The barrier in SQLite: one effect a key whatever arrives, one transaction with the business change, the first answer for duplicates. */
#include <saga/sqlite.h>

#include "client-lib/sqlite/sqlite_inside.h"
#include "tests/support/barrier_calls.h"
#include "tests/support/grpc_caller.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DONE = SAGA_CALL_OUTCOME_DONE, UNKNOWN = SAGA_CALL_OUTCOME_UNKNOWN };

static char folder[32], path[64];
static saga_sqlite *store;
static struct saga_error error;

static void setup_with(const struct saga_sqlite_options *options)
{
    ck_assert_msg(saga_sqlite_open(path, options, &store, &error) == SAGA_OK, "%s", error.message);
    sqlite3 *db = saga_sqlite_lock(store);
    ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE IF NOT EXISTS ledger (saga TEXT NOT NULL, amount INTEGER NOT NULL)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    saga_sqlite_unlock(store);
}

static void setup(void)
{
    strcpy(folder, "/tmp/barrier-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/shop.db", folder);
    setup_with(NULL);
}

static void teardown(void)
{
    char name[96];
    saga_sqlite_close(store);
    unlink(path);
    snprintf(name, sizeof name, "%s-wal", path);
    unlink(name);
    snprintf(name, sizeof name, "%s-shm", path);
    unlink(name);
    ck_assert_int_eq(rmdir(folder), 0);
}

static int64_t query_on(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    int result = sqlite3_step(statement);
    ck_assert_msg(result == SQLITE_ROW || result == SQLITE_DONE, "%s", sqlite3_errmsg(db));
    int64_t value = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return value;
}

static int64_t query(const char *sql)
{
    int64_t value = query_on(saga_sqlite_lock(store), sql);
    saga_sqlite_unlock(store);
    return value;
}

/* ---- functions behind the barrier ---- */

/* What the function does and answers; counts how often it was carried out. */
struct script {
    int status;
    const char *answer; /* or the failure's message */
    const char *also;   /* SQL to run besides */
    atomic_int runs;
};

static int book(saga_call *call, sqlite3 *db, void *user)
{
    struct script *script = user;
    const struct saga_call_info *info = saga_call_info(call);
    int runs = atomic_fetch_add(&script->runs, 1) + 1;
    char sql[256];
    snprintf(sql, sizeof sql, "INSERT INTO ledger VALUES ('%s', %d)", info->saga_id,
             info->phase == SAGA_CALL_ACTION ? 100 : -100);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return saga_call_fail(call, SAGA_E_UNAVAILABLE, "%s", sqlite3_errmsg(db));
    if (script->also != NULL)
        sqlite3_exec(db, script->also, NULL, NULL, NULL);
    if (script->status != SAGA_OK)
        return saga_call_fail(call, script->status, "%s", script->answer);
    char answer[64];
    int size = snprintf(answer, sizeof answer, "%s %d", script->answer, runs);
    return saga_call_reply(call, answer, (size_t)size);
}

/* Runs a call (taken) and checks its status and its answer or message. */
static void expect(saga_call *call, struct script *script, int status, const char *words)
{
    int got = saga_sqlite_run(store, call, book, script);
    ck_assert_msg(got == status, "%s, not %s: %s", saga_status_name(got), saga_status_name(status),
                  saga_call_message(call));
    if (status == SAGA_OK)
        ck_assert_msg(barrier_answered(call, words), "another answer than: %s", words);
    else
        ck_assert_msg(strstr(saga_call_message(call), words) != NULL, "%s", saga_call_message(call));
    saga_call_destroy(call);
}

START_TEST(barrier_sqlite__duplicate_gets_the_first_answer)
{
    struct script script = {.answer = "booked"};
    for (int i = 0; i < 3; i++)
        expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    ck_assert_int_eq(script.runs, 1);
    ck_assert_int_eq(query("SELECT sum(amount) FROM ledger"), 100);

    /* Another process of the same service, or the same after a restart. */
    saga_sqlite_close(store);
    setup_with(NULL);
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    expect(barrier_action("b", 0), &script, SAGA_OK, "booked 2");
}
END_TEST

START_TEST(barrier_sqlite__answer_bytes_are_kept_as_they_are)
{
    static const char bytes[] = {0, 1, (char)0xff, 0, '\'', 0};
    struct script empty = {.answer = ""};
    saga_call *call = barrier_action("a", 0);
    ck_assert_int_eq(saga_call_reply(call, bytes, sizeof bytes), SAGA_OK);
    /* book replies again: the last reply counts. */
    ck_assert_int_eq(saga_sqlite_run(store, call, book, &empty), SAGA_OK);
    ck_assert(barrier_answered(call, " 1"));
    saga_call_destroy(call);
    query("UPDATE saga_barrier SET answer = x'0001ff002700'");
    call = barrier_action("a", 0);
    ck_assert_int_eq(saga_sqlite_run(store, call, book, &empty), SAGA_OK);
    size_t size;
    ck_assert_mem_eq(saga_call_answer(call, &size), bytes, sizeof bytes);
    ck_assert_uint_eq(size, sizeof bytes);
    saga_call_destroy(call);
}
END_TEST

START_TEST(barrier_sqlite__refusal_is_kept_and_changes_nothing)
{
    struct script script = {.status = SAGA_E_FAILED_PRECONDITION, .answer = "card declined"};
    expect(barrier_action("a", 0), &script, SAGA_E_FAILED_PRECONDITION, "card declined");
    script.status = SAGA_OK;
    expect(barrier_action("a", 0), &script, SAGA_E_FAILED_PRECONDITION, "card declined");
    ck_assert_int_eq(script.runs, 1);
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 0);
    ck_assert_int_eq(query("SELECT state FROM saga_barrier"), 2);
    expect(barrier_compensation("a", UNKNOWN, 0), &script, SAGA_OK, "");
    ck_assert_int_eq(script.runs, 1);
}
END_TEST

/* Of an action each status that refuses for good; another try of the same call has no other answer. */
START_TEST(barrier_sqlite__each_definite_refusal_is_kept)
{
    struct script script = {.answer = "no"}, other = {.answer = "booked"};
    for (int i = 0; i < BARRIER_REFUSALS; i++) {
        char saga[32];
        snprintf(saga, sizeof saga, "saga-%d", i);
        script.status = barrier_refusals[i];
        expect(barrier_action(saga, 0), &script, barrier_refusals[i], "no");
        expect(barrier_action(saga, 0), &other, barrier_refusals[i], "no");
        ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE state = 2"), i + 1);
    }
    ck_assert_int_eq(other.runs, 0);
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 0);
}
END_TEST

/* To its last byte. */
START_TEST(barrier_sqlite__refusal_is_kept_whole)
{
    char text[SAGA_CALL_MESSAGE_BYTES_MAX + 1];
    struct script script = {.status = SAGA_E_NOT_FOUND, .answer = text};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 2] = 'y';
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        saga_call *call = barrier_action("a", 0);
        ck_assert_int_eq(saga_sqlite_run(store, call, book, &script), SAGA_E_NOT_FOUND);
        ck_assert_str_eq(saga_call_message(call), text);
        saga_call_destroy(call);
    }
    ck_assert_int_eq(script.runs, 1);
}
END_TEST

/* A status that is no definite refusal leaves nothing behind. */
START_TEST(barrier_sqlite__other_failures_roll_everything_back)
{
    static const int statuses[] = {SAGA_E_UNAVAILABLE,       SAGA_E_ABORTED,  SAGA_E_RESOURCE_EXHAUSTED,
                                   SAGA_E_DEADLINE_EXCEEDED, SAGA_E_INTERNAL, SAGA_E_CANCELLED,
                                   SAGA_E_UNKNOWN,           SAGA_E_DATA_LOSS};
    struct script script = {.answer = "later"};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        script.status = statuses[i];
        expect(barrier_action("a", 0), &script, statuses[i], "later");
        ck_assert_int_eq(query("SELECT (SELECT count(*) FROM ledger) + (SELECT count(*) FROM saga_barrier)"), 0);
    }
    script.status = SAGA_OK;
    expect(barrier_action("a", 0), &script, SAGA_OK, "later 9");
}
END_TEST

START_TEST(barrier_sqlite__undo_without_an_action_is_empty_and_bars_it)
{
    struct script script = {.answer = "booked"};
    expect(barrier_compensation("a", UNKNOWN, 0), &script, SAGA_OK, "");
    expect(barrier_compensation("a", UNKNOWN, 0), &script, SAGA_OK, "");
    expect(barrier_action("a", 0), &script, SAGA_E_FAILED_PRECONDITION, "compensation has been here");
    expect(barrier_action("a", 0), &script, SAGA_E_FAILED_PRECONDITION, "compensation has been here");
    ck_assert_int_eq(script.runs, 0);
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 0);
}
END_TEST

START_TEST(barrier_sqlite__undo_runs_once)
{
    struct script script = {.answer = "booked"}, undo = {.answer = "undone"};
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    expect(barrier_compensation("a", DONE, 0), &undo, SAGA_OK, "undone 1");
    expect(barrier_compensation("a", UNKNOWN, 0), &undo, SAGA_OK, "undone 1");
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    ck_assert_int_eq(query("SELECT sum(amount) FROM ledger"), 0);
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 2);
    /* To repeat an answer is to change nothing. */
    query("DELETE FROM saga_barrier WHERE key = 'a/charge/action'");
    expect(barrier_compensation("a", DONE, 0), &undo, SAGA_OK, "undone 1");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key = 'a/charge/action'"), 0);
}
END_TEST

/* A refusal of a compensation is not kept either: it must succeed some day. */
START_TEST(barrier_sqlite__undo_that_fails_runs_again)
{
    struct script script = {.answer = "booked"}, undo = {.answer = "not yet"};
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    for (int status = SAGA_OK + 1; status < SAGA_STATUS_COUNT; status++) {
        undo.status = status;
        expect(barrier_compensation("a", DONE, 0), &undo, status, "not yet");
        ck_assert_int_eq(query("SELECT sum(amount) FROM ledger"), 100);
    }
    undo.status = SAGA_OK;
    expect(barrier_compensation("a", DONE, 0), &undo, SAGA_OK, "not yet 17");
    ck_assert_int_eq(query("SELECT sum(amount) FROM ledger"), 0);
}
END_TEST

START_TEST(barrier_sqlite__undo_of_a_lost_action_is_refused)
{
    struct script script = {.answer = "booked"};
    expect(barrier_compensation("a", DONE, 0), &script, SAGA_E_FAILED_PRECONDITION, "no row of it");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier"), 0);
    ck_assert_int_eq(script.runs, 0);
}
END_TEST

START_TEST(barrier_sqlite__function_that_ends_the_transaction_is_caught)
{
    struct script script = {.answer = "booked", .also = "COMMIT"};
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "was ended while the function ran");
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "cannot be");
    expect(barrier_compensation("a", UNKNOWN, 0), &script, SAGA_E_INTERNAL, "cannot be");
    ck_assert_int_eq(script.runs, 1);
    script.also = "COMMIT; BEGIN";
    expect(barrier_action("b", 0), &script, SAGA_E_INTERNAL, "was ended while the function ran");
    script.also = "ROLLBACK";
    expect(barrier_action("c", 0), &script, SAGA_E_INTERNAL, "was ended while the function ran");
    script.also = NULL;
    expect(barrier_action("c", 0), &script, SAGA_OK, "booked 4");
}
END_TEST

START_TEST(barrier_sqlite__function_that_commits_and_then_fails_is_caught)
{
    struct script script = {.answer = "busy", .also = "COMMIT", .status = SAGA_E_UNAVAILABLE};
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "was ended while the function ran");
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "cannot be");
    ck_assert_int_eq(script.runs, 1);
    script.also = "COMMIT; BEGIN";
    expect(barrier_action("b", 0), &script, SAGA_E_INTERNAL, "was ended while the function ran");
    /* Of one that rolled back nothing is left: its failure is true. */
    script.also = "ROLLBACK";
    expect(barrier_action("c", 0), &script, SAGA_E_UNAVAILABLE, "busy");
    script.also = NULL;
    expect(barrier_action("c", 0), &script, SAGA_E_UNAVAILABLE, "busy");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'c%'"), 0);
    /* Whether anything is cannot be told any more. */
    script.also = "COMMIT; DROP TABLE saga_barrier";
    expect(barrier_action("c", 0), &script, SAGA_E_INTERNAL, "after the function had ended the barrier's transaction");
}
END_TEST

static sqlite3_stmt *left_open;

static int leave_open(saga_call *call, sqlite3 *db, void *user)
{
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT amount FROM ledger", -1, &left_open, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(left_open), SQLITE_ROW);
    return book(call, db, user);
}

START_TEST(barrier_sqlite__statement_that_is_left_open_is_named_and_wedges_nothing)
{
    struct script script = {.answer = "booked"};
    query("INSERT INTO ledger VALUES ('x', 1), ('x', 2)");
    saga_call *call = barrier_action("a", 0);
    ck_assert_int_eq(saga_sqlite_run(store, call, leave_open, &script), SAGA_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(saga_call_message(call), "SELECT amount FROM ledger"));
    saga_call_destroy(call);
    sqlite3_finalize(left_open);
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 2);
    /* A failure changes nothing either way. */
    script.status = SAGA_E_UNAVAILABLE;
    call = barrier_action("a", 0);
    ck_assert_int_eq(saga_sqlite_run(store, call, leave_open, &script), SAGA_E_UNAVAILABLE);
    saga_call_destroy(call);
    sqlite3_finalize(left_open);
    script.status = SAGA_E_NOT_FOUND;
    for (int i = 0; i < 2; i++) {
        call = barrier_action("d", 0);
        ck_assert_int_eq(saga_sqlite_run(store, call, leave_open, &script), SAGA_E_NOT_FOUND);
        saga_call_destroy(call);
        sqlite3_finalize(i == 0 ? left_open : NULL);
    }
    ck_assert_int_eq(script.runs, 3);
    script.status = SAGA_OK;
    /* Another process writes, so that a snapshot that was kept could not be written from. */
    sqlite3 *other;
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    query_on(other, "INSERT INTO ledger VALUES ('y', 1)");
    expect(barrier_action("b", 0), &script, SAGA_OK, "booked 4");
    /* Whoever had borrowed the connection, and left several. */
    sqlite3_stmt *another;
    sqlite3 *db = saga_sqlite_lock(store);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT saga FROM ledger", -1, &left_open, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(left_open), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_prepare_v2(db, "SELECT saga FROM ledger", -1, &another, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(another), SQLITE_ROW);
    saga_sqlite_unlock(store);
    query_on(other, "INSERT INTO ledger VALUES ('y', 1)");
    sqlite3_close(other);
    expect(barrier_action("c", 0), &script, SAGA_E_UNAVAILABLE, "SELECT saga FROM ledger");
    expect(barrier_action("c", 0), &script, SAGA_OK, "booked 5");
    sqlite3_finalize(left_open);
    sqlite3_finalize(another);
}
END_TEST

START_TEST(barrier_sqlite__busy_database_asks_for_another_attempt)
{
    sqlite3 *other;
    struct script script = {.answer = "booked"};
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    query_on(other, "BEGIN IMMEDIATE");
    expect(barrier_action("a", 50), &script, SAGA_E_UNAVAILABLE, "locked");
    query_on(other, "COMMIT");
    sqlite3_close(other);
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");

    /* However long it would wait otherwise. */
    struct timespec began, ended;
    saga_sqlite_close(store);
    setup_with(&(struct saga_sqlite_options){.busy_timeout_ms = 600000});
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    query_on(other, "BEGIN IMMEDIATE");
    clock_gettime(CLOCK_MONOTONIC, &began);
    expect(barrier_action("c", 50), &script, SAGA_E_UNAVAILABLE, "locked");
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ck_assert_int_lt(ended.tv_sec - began.tv_sec, 40);
    query_on(other, "COMMIT");
    sqlite3_close(other);

    /* However late its deadline is. */
    saga_sqlite_close(store);
    setup_with(&(struct saga_sqlite_options){.busy_timeout_ms = 50});
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    query_on(other, "BEGIN IMMEDIATE");
    clock_gettime(CLOCK_MONOTONIC, &began);
    expect(barrier_action("c", 60000), &script, SAGA_E_UNAVAILABLE, "locked");
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ck_assert_int_lt(ended.tv_sec - began.tv_sec, 40);
    query_on(other, "COMMIT");
    sqlite3_close(other);

    /* The connection itself is not free within the deadline. */
    saga_sqlite_lock(store);
    expect(barrier_action("b", 20), &script, SAGA_E_UNAVAILABLE, "busy until");
    saga_sqlite_unlock(store);
}
END_TEST

START_TEST(barrier_sqlite__connection_of_ones_own)
{
    sqlite3 *db;
    struct script script = {.answer = "booked"};
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    saga_call *call = barrier_action("a", 0);
    ck_assert_int_eq(saga_sqlite_call(db, call, book, &script), SAGA_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(saga_call_message(call), "no such table"));
    ck_assert_int_eq(sqlite3_exec(db, saga_sqlite_schema(), NULL, NULL, NULL), SQLITE_OK);
    query_on(db, "CREATE TABLE ledger (saga, amount)");
    query_on(db, "BEGIN");
    ck_assert_int_eq(saga_sqlite_call(db, call, book, &script), SAGA_E_INTERNAL);
    query_on(db, "COMMIT");
    ck_assert_int_eq(saga_sqlite_call(db, call, book, &script), SAGA_OK);
    ck_assert_int_eq(sqlite3_get_autocommit(db), 1);
    saga_call_destroy(call);
    sqlite3_close(db);
}
END_TEST

/* What is answered is on the disk; and a function that takes its own row away has not been carried out. */
START_TEST(barrier_sqlite__nothing_is_answered_that_is_not_kept)
{
    struct script script = {.answer = "booked", .also = "DELETE FROM saga_barrier WHERE key LIKE 'a/%'"};
    ck_assert_int_eq(query("PRAGMA synchronous"), 2);
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "storing the answer");
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 0);
    script.also = NULL;
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 2");
}
END_TEST

/* Whether another attempt may help, by what SQLite says. */
START_TEST(barrier_sqlite__each_failure_has_its_status)
{
    static const int again[] = {SQLITE_BUSY,        SQLITE_LOCKED,       SQLITE_IOERR,     SQLITE_CANTOPEN,
                                SQLITE_PROTOCOL,    SQLITE_READONLY,     SQLITE_INTERRUPT, SQLITE_ABORT,
                                SQLITE_IOERR_FSYNC, SQLITE_BUSY_SNAPSHOT},
                     full[] = {SQLITE_FULL, SQLITE_NOMEM, SQLITE_TOOBIG}, lost[] = {SQLITE_CORRUPT, SQLITE_NOTADB},
                     ours[] = {SQLITE_ERROR, SQLITE_CONSTRAINT, SQLITE_MISUSE, SQLITE_INTERNAL, SQLITE_SCHEMA};
    for (size_t i = 0; i < sizeof again / sizeof again[0]; i++)
        ck_assert_int_eq(sqlite_status(again[i]), SAGA_E_UNAVAILABLE);
    for (size_t i = 0; i < sizeof full / sizeof full[0]; i++)
        ck_assert_int_eq(sqlite_status(full[i]), SAGA_E_RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++)
        ck_assert_int_eq(sqlite_status(lost[i]), SAGA_E_DATA_LOSS);
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        ck_assert_int_eq(sqlite_status(ours[i]), SAGA_E_INTERNAL);
    ck_assert_int_eq(sqlite_status(SQLITE_DONE), SAGA_OK);
}
END_TEST

/* Who locks the connection waits for others as long as was said, whatever a call or whoever had it before has left there. */
START_TEST(barrier_sqlite__a_connection_is_handed_out_as_it_was_opened)
{
    struct script script = {.answer = "booked"};
    sqlite3 *db = saga_sqlite_lock(store);
    sqlite3_busy_timeout(db, 7);
    saga_sqlite_unlock(store);
    ck_assert_int_eq(query("PRAGMA busy_timeout"), 5000);
    expect(barrier_action("a", 3000), &script, SAGA_OK, "booked 1");
    ck_assert_int_eq(query("PRAGMA busy_timeout"), 5000);
}
END_TEST

START_TEST(barrier_sqlite__schema_is_the_installed_file)
{
    static char text[4096];
    FILE *file = fopen("client-lib/sqlite/saga_barrier.sql", "r");
    ck_assert_msg(file != NULL, "the tests run in the project's folder");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    ck_assert_str_eq(text, saga_sqlite_schema());
}
END_TEST

/* ---- collecting ---- */

START_TEST(barrier_sqlite__calls_collect_old_rows_a_few_at_a_time)
{
    struct script script = {.answer = "booked"};
    saga_sqlite_close(store);
    setup_with(&(struct saga_sqlite_options){.keep_ms = 60000, .collect_rows = 3});
    query("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)"
          " INSERT INTO saga_barrier (key, state, created_at) SELECT 'old' || i, 1, unixepoch() - 70 FROM n");
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('young', 1, unixepoch() - 50)");
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'old%'"), 7);
    expect(barrier_action("b", 0), &script, SAGA_OK, "booked 2");
    expect(barrier_action("c", 0), &script, SAGA_OK, "booked 3");
    expect(barrier_action("d", 0), &script, SAGA_OK, "booked 4");
    expect(barrier_action("e", 0), &script, SAGA_OK, "booked 5");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'old%'"), 0);
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key <> ''"), 6);
    /* Nothing that is young enough was forgotten. */
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
}
END_TEST

/* Four a call, of those that are older than thirty days. */
START_TEST(barrier_sqlite__rows_are_kept_for_thirty_days)
{
    struct script script = {.answer = "booked"};
    query("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)"
          " INSERT INTO saga_barrier (key, state, created_at) SELECT 'old' || i, 1, unixepoch() - 30 * 86400 - 180 "
          "FROM n");
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('young', 1, unixepoch() - 30 * 86400 + 60)");
    for (int left = 6; left >= -2; left -= 4) {
        char saga[16];
        snprintf(saga, sizeof saga, "s%d", left);
        saga_call *call = barrier_action(saga, 0);
        ck_assert_int_eq(saga_sqlite_run(store, call, book, &script), SAGA_OK);
        saga_call_destroy(call);
        ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'old%'"), left < 0 ? 0 : left);
    }
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key = 'young'"), 1);
}
END_TEST

START_TEST(barrier_sqlite__undo_of_an_action_whose_row_is_collected_is_not_empty)
{
    enum { UNDO = SAGA_CALL_COMPENSATION, DO = SAGA_CALL_ACTION };
    struct script script = {.answer = "booked"};
    saga_sqlite_close(store);
    setup_with(&(struct saga_sqlite_options){.keep_ms = 60000});
    expect(barrier_call_of("a", DO, 90000), &script, SAGA_OK, "booked 1");
    query("UPDATE saga_barrier SET created_at = created_at - 90 WHERE key LIKE 'a/%'");
    expect(barrier_call_of("b", DO, 0), &script, SAGA_OK, "booked 2");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'a/%'"), 0);
    expect(barrier_call_of("a", UNDO, 90000), &script, SAGA_E_FAILED_PRECONDITION, "may have been collected");
    expect(barrier_call_of("a", DO, 90000), &script, SAGA_E_FAILED_PRECONDITION, "may have been collected");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'a/%'"), 0);
    /* Of a younger one no row can be gone; and who says nothing of its age is believed. */
    expect(barrier_call_of("c", UNDO, 30000), &script, SAGA_OK, "");
    expect(barrier_compensation("d", UNKNOWN, 0), &script, SAGA_OK, "");
    /* What is there is there, whatever its age. */
    expect(barrier_call_of("b", UNDO, 90000), &script, SAGA_OK, "booked 3");
    /* How far is kept with the rows: another process, with another keep_ms, knows. */
    saga_sqlite_close(store);
    setup_with(&(struct saga_sqlite_options){.keep_ms = 3600000});
    expect(barrier_call_of("a", UNDO, 90000), &script, SAGA_E_FAILED_PRECONDITION, "may have been collected");
    expect(barrier_action("e", 0), &script, SAGA_OK, "booked 4"); /* what it keeps itself takes nothing back */
    expect(barrier_call_of("a", UNDO, 90000), &script, SAGA_E_FAILED_PRECONDITION, "may have been collected");
}
END_TEST

/* Rows from before the mark may be gone; one of an action that began with it cannot be. */
START_TEST(barrier_sqlite__what_began_with_the_mark_is_not_collected)
{
    enum { UNDO = SAGA_CALL_COMPENSATION };
    struct script script = {.answer = "booked"};
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('', 1, 1600000000)");
    expect(barrier_call_from("a", UNDO, INT64_C(1599999999999)), &script, SAGA_E_FAILED_PRECONDITION,
           "may have been collected");
    expect(barrier_call_from("a", UNDO, INT64_C(1600000000000)), &script, SAGA_OK, "");
}
END_TEST

START_TEST(barrier_sqlite__rows_of_the_future_hold_nothing_up)
{
    struct script script = {.answer = "booked"};
    saga_sqlite_close(store);
    setup_with(&(struct saga_sqlite_options){.keep_ms = 60000, .collect_rows = 2});
    query("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6)"
          " INSERT INTO saga_barrier (key, state, created_at) SELECT 'future' || i, 1, unixepoch() + 1000000 FROM n");
    query("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6)"
          " INSERT INTO saga_barrier (key, state, created_at) SELECT 'old' || i, 1, unixepoch() - 90 FROM n");
    for (int i = 0; i < 8; i++) {
        char saga[16];
        snprintf(saga, sizeof saga, "s%d", i);
        saga_call *call = barrier_action(saga, 0);
        ck_assert_int_eq(saga_sqlite_run(store, call, book, &script), SAGA_OK);
        saga_call_destroy(call);
    }
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'old%'"), 0);
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'future%' AND created_at <= unixepoch()"),
                     6);
}
END_TEST

START_TEST(barrier_sqlite__collect_is_bounded_and_keeps_the_young)
{
    uint32_t collected = 99;
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('a', 1, 1000), ('b', 1, 1000), ('c', 1, "
          "unixepoch())");
    sqlite3 *db = saga_sqlite_lock(store);
    ck_assert_int_eq(saga_sqlite_collect(db, 0, 1, &collected, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_sqlite_collect(db, 60000, 1, &collected, &error), SAGA_OK);
    ck_assert_uint_eq(collected, 1);
    ck_assert_int_eq(saga_sqlite_collect(db, 60000, 100, &collected, &error), SAGA_OK);
    ck_assert_uint_eq(collected, 1);
    saga_sqlite_unlock(store);
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key = 'c'"), 1);

    /* What fails leaves no transaction behind. */
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('d', 1, 1000)");
    query("CREATE TRIGGER kept BEFORE DELETE ON saga_barrier BEGIN SELECT RAISE(ABORT, 'it is kept'); END");
    db = saga_sqlite_lock(store);
    ck_assert_int_eq(saga_sqlite_collect(db, 60000, 10, &collected, &error), SAGA_E_INTERNAL);
    ck_assert_int_eq(sqlite3_get_autocommit(db), 1);
    ck_assert_uint_eq(collected, 0);
    saga_sqlite_unlock(store);
    query("DROP TRIGGER kept");

    /* What could not be committed has not been collected. */
    query("CREATE TABLE audit (key REFERENCES saga_barrier (key) DEFERRABLE INITIALLY DEFERRED)");
    query("INSERT INTO audit VALUES ('d')");
    collected = 99;
    db = saga_sqlite_lock(store);
    query_on(db, "PRAGMA foreign_keys = on");
    ck_assert_int_eq(saga_sqlite_collect(db, 60000, 10, &collected, &error), SAGA_E_INTERNAL);
    ck_assert_int_eq(sqlite3_get_autocommit(db), 1);
    ck_assert_uint_eq(collected, 0);
    saga_sqlite_unlock(store);
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key = 'd'"), 1);
}
END_TEST

/* The sidecar's clock may differ by a minute: so long before the mark rows are kept, too. */
START_TEST(barrier_sqlite__rows_are_kept_for_a_minute_beyond_the_mark)
{
    uint32_t collected = 0;
    int64_t minute = 0;
    do { /* within one step of the mark */
        query("DELETE FROM saga_barrier");
        minute = query("SELECT unixepoch() / 60");
        query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('a', 1, (unixepoch() - 3600) / 60 * 60 - 60),"
              "('b', 1, (unixepoch() - 3600) / 60 * 60 - 61)");
        sqlite3 *db = saga_sqlite_lock(store);
        ck_assert_int_eq(saga_sqlite_collect(db, 3600000, 10, &collected, &error), SAGA_OK);
        saga_sqlite_unlock(store);
    } while (query("SELECT unixepoch() / 60") != minute);
    ck_assert_uint_eq(collected, 1);
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key = 'a'"), 1);
}
END_TEST

START_TEST(barrier_sqlite__refuses_bad_options)
{
    static const struct {
        struct saga_sqlite_options options;
        const char *field;
    } bad[] = {
        {{.keep_ms = 999}, "keep_ms"},
        {{.keep_ms = -1}, "keep_ms"},
        {{.keep_ms = INT64_C(315360000001)}, "keep_ms"},
        {{.busy_timeout_ms = 600001}, "busy_timeout_ms"},
        {{.collect_rows = 1}, "collect_rows"},
        {{.collect_rows = 1001}, "collect_rows"},
        {{.reserved = {1}}, "reserved"},
        {{.reserved = {0, 0, 0, 1}}, "reserved"},
    };
    saga_sqlite *none;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        none = (void *)(uintptr_t) "what was there before does not stay";
        ck_assert_int_eq(saga_sqlite_open(path, &bad[i].options, &none, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, bad[i].field);
        ck_assert_ptr_null(none);
    }
    ck_assert_int_eq(saga_sqlite_open("", NULL, &none, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_str_eq(error.field, "path");
    ck_assert_int_eq(saga_sqlite_open("/nowhere/at/all.db", NULL, &none, &error), SAGA_E_UNAVAILABLE);
    ck_assert_str_eq(error.message, "/nowhere/at/all.db: unable to open database file");
    const struct saga_sqlite_options most = {.keep_ms = 1000, .busy_timeout_ms = 600000, .collect_rows = 1000};
    ck_assert_int_eq(saga_sqlite_open(path, &most, &none, &error), SAGA_OK);
    saga_sqlite_close(none);
    const struct saga_sqlite_options longest = {
        .keep_ms = INT64_C(315360000000), .busy_timeout_ms = 1, .collect_rows = 2};
    ck_assert_int_eq(saga_sqlite_open(path, &longest, &none, &error), SAGA_OK);
    saga_sqlite_close(none);
}
END_TEST

/* ---- races ---- */

#define SAGAS 60

/* One attempt after the other of every saga, through the store or a connection of its own. */
struct racer {
    int phase;
    bool own_connection;
    struct script *script;
    int finished; /* sagas for which the phase ended well */
};

static void *race(void *argument)
{
    struct racer *r = argument;
    sqlite3 *db = NULL;
    if (r->own_connection) {
        sqlite3_open(path, &db);
        sqlite3_busy_timeout(db, 20000);
    }
    for (int i = 0; i < SAGAS; i++) {
        char saga[32];
        snprintf(saga, sizeof saga, "saga-%d", i);
        int64_t timeout_ms = i % 2 == 0 ? 60000 : 0;
        saga_call *call = r->phase == SAGA_CALL_ACTION ? barrier_action(saga, timeout_ms)
                                                       : barrier_compensation(saga, UNKNOWN, timeout_ms);
        int status =
            db != NULL ? saga_sqlite_call(db, call, book, r->script) : saga_sqlite_run(store, call, book, r->script);
        r->finished += status == SAGA_OK;
        saga_call_destroy(call);
    }
    sqlite3_close(db);
    return NULL;
}

static void run_racers(struct racer *racers, int count)
{
    pthread_t threads[8];
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

START_TEST(barrier_sqlite__duplicates_at_once_have_one_effect)
{
    struct script script = {.answer = "booked"};
    struct racer racers[4];
    for (int i = 0; i < 4; i++)
        racers[i] = (struct racer){SAGA_CALL_ACTION, i % 2 == 0, &script, 0};
    run_racers(racers, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(racers[i].finished, SAGAS);
    ck_assert_int_eq(script.runs, SAGAS);
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), SAGAS);
    ck_assert_int_eq(query("SELECT count(DISTINCT saga) FROM ledger"), SAGAS);
}
END_TEST

START_TEST(barrier_sqlite__actions_and_undos_at_once_balance)
{
    struct script script = {.answer = "booked"}, undo = {.answer = "undone"};
    struct racer racers[6];
    for (int i = 0; i < 6; i++)
        racers[i] = (struct racer){i % 2 == 0 ? SAGA_CALL_ACTION : SAGA_CALL_COMPENSATION, i < 3,
                                   i % 2 == 0 ? &script : &undo, 0};
    run_racers(racers, 6);
    for (int i = 1; i < 6; i += 2)
        ck_assert_int_eq(racers[i].finished, SAGAS);
    ck_assert_int_eq(script.runs, undo.runs);
    ck_assert_int_eq(
        query("SELECT count(*) FROM (SELECT 1 FROM ledger GROUP BY saga HAVING sum(amount) != 0 OR count(*) != 2)"), 0);
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key <> ''"), 2 * SAGAS);
}
END_TEST

/* ---- behind a server ---- */

static int take_back(saga_call *call, sqlite3 *db, void *user)
{
    (void)db, (void)user;
    return saga_call_reply(call, "taken back", 10);
}

START_TEST(barrier_sqlite__steps_of_a_participant)
{
    struct script script = {.answer = "booked"};
    saga_participant *participant;
    ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
    ck_assert_int_eq(saga_sqlite_step(participant, store, "/s.S/Do", book, "/s.S/Undo", take_back, &script, &error),
                     SAGA_OK);
    ck_assert_int_eq(saga_sqlite_step(participant, store, "/s.S/Do", book, NULL, NULL, &script, &error),
                     SAGA_E_ALREADY_EXISTS);
    ck_assert_int_eq(saga_participant_start(participant, &error), SAGA_OK);
    struct caller caller;
    caller_open(&caller, saga_participant_address(participant));
    struct caller_call *call = calloc(1, sizeof *call);
    *call = (struct caller_call){
        .method = "/s.S/Do",
        .metadata = {{"saga-id", "s1"},
                     {"saga-definition", "d"},
                     {"saga-step", "s"},
                     {"saga-phase", "action"},
                     {"saga-attempt", "1"},
                     {"idempotency-key", "s1/s/action"}},
        .timeout_ms = 20000,
    };
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(caller_run(&caller, call), SAGA_OK);
        ck_assert_mem_eq(call->answer, "booked 1", 8);
    }
    call->method = "/s.S/Undo";
    call->metadata[3][1] = "compensation";
    call->metadata[5][1] = "s1/s/compensation";
    call->metadata[6][0] = "saga-action-key";
    call->metadata[6][1] = "s1/s/action";
    call->metadata[7][0] = "saga-action-outcome";
    call->metadata[7][1] = "done";
    ck_assert_msg(caller_run(&caller, call) == SAGA_OK, "%s", call->message);
    ck_assert_mem_eq(call->answer, "taken back", 10);
    free(call);
    caller_close(&caller);
    saga_participant_close(participant);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("barrier_sqlite");
    TCase *cases = tcase_create("barrier_sqlite");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, barrier_sqlite__duplicate_gets_the_first_answer);
    tcase_add_test(cases, barrier_sqlite__answer_bytes_are_kept_as_they_are);
    tcase_add_test(cases, barrier_sqlite__refusal_is_kept_and_changes_nothing);
    tcase_add_test(cases, barrier_sqlite__each_definite_refusal_is_kept);
    tcase_add_test(cases, barrier_sqlite__refusal_is_kept_whole);
    tcase_add_test(cases, barrier_sqlite__other_failures_roll_everything_back);
    tcase_add_test(cases, barrier_sqlite__undo_without_an_action_is_empty_and_bars_it);
    tcase_add_test(cases, barrier_sqlite__undo_runs_once);
    tcase_add_test(cases, barrier_sqlite__undo_that_fails_runs_again);
    tcase_add_test(cases, barrier_sqlite__undo_of_a_lost_action_is_refused);
    tcase_add_test(cases, barrier_sqlite__function_that_ends_the_transaction_is_caught);
    tcase_add_test(cases, barrier_sqlite__rows_of_the_future_hold_nothing_up);
    tcase_add_test(cases, barrier_sqlite__what_began_with_the_mark_is_not_collected);
    tcase_add_test(cases, barrier_sqlite__undo_of_an_action_whose_row_is_collected_is_not_empty);
    tcase_add_test(cases, barrier_sqlite__statement_that_is_left_open_is_named_and_wedges_nothing);
    tcase_add_test(cases, barrier_sqlite__function_that_commits_and_then_fails_is_caught);
    tcase_add_test(cases, barrier_sqlite__busy_database_asks_for_another_attempt);
    tcase_add_test(cases, barrier_sqlite__connection_of_ones_own);
    tcase_add_test(cases, barrier_sqlite__nothing_is_answered_that_is_not_kept);
    tcase_add_test(cases, barrier_sqlite__each_failure_has_its_status);
    tcase_add_test(cases, barrier_sqlite__a_connection_is_handed_out_as_it_was_opened);
    tcase_add_test(cases, barrier_sqlite__schema_is_the_installed_file);
    tcase_add_test(cases, barrier_sqlite__calls_collect_old_rows_a_few_at_a_time);
    tcase_add_test(cases, barrier_sqlite__rows_are_kept_for_thirty_days);
    tcase_add_test(cases, barrier_sqlite__collect_is_bounded_and_keeps_the_young);
    tcase_add_test(cases, barrier_sqlite__refuses_bad_options);
    tcase_add_test(cases, barrier_sqlite__rows_are_kept_for_a_minute_beyond_the_mark);
    tcase_add_test(cases, barrier_sqlite__duplicates_at_once_have_one_effect);
    tcase_add_test(cases, barrier_sqlite__actions_and_undos_at_once_balance);
    tcase_add_test(cases, barrier_sqlite__steps_of_a_participant);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
