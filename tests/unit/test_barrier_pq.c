/* The barrier in PostgreSQL: one effect a key whatever arrives, one transaction with the business change, the first answer for duplicates. */
#include <saga/pq.h>

#include "tests/support/barrier_calls.h"
#include "tests/support/grpc_caller.h"
#include "tests/support/postgres.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { DONE = SAGA_CALL_OUTCOME_DONE, UNKNOWN = SAGA_CALL_OUTCOME_UNKNOWN };

static struct postgres server;
static saga_pq *store;
static struct saga_error error;

static int64_t query_on(PGconn *db, const char *sql)
{
    PGresult *result = PQexec(db, sql);
    ExecStatusType status = PQresultStatus(result);
    ck_assert_msg(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s", PQerrorMessage(db));
    int64_t value =
        status == PGRES_TUPLES_OK && PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    return value;
}

static int64_t query(const char *sql)
{
    PGconn *db = PQconnectdb(server.conninfo);
    ck_assert_msg(PQstatus(db) == CONNECTION_OK, "%s", PQerrorMessage(db));
    int64_t value = query_on(db, sql);
    PQfinish(db);
    return value;
}

static void setup_with(const struct saga_pq_options *options)
{
    ck_assert_msg(saga_pq_open(server.conninfo, options, &store, &error) == SAGA_OK, "%s", error.message);
}

static void setup(void)
{
    query("DROP TABLE IF EXISTS saga_barrier, ledger");
    query(saga_pq_schema());
    query("CREATE TABLE ledger (saga text NOT NULL, amount integer NOT NULL)");
    setup_with(NULL);
}

static void teardown(void)
{
    saga_pq_close(store);
}

/* ---- functions behind the barrier ---- */

/* What the function does and answers; counts how often it was carried out. */
struct script {
    int status;
    const char *answer; /* or the failure's message */
    const char *also;   /* SQL to run besides */
    atomic_int runs;
};

static int book(saga_call *call, PGconn *db, void *user)
{
    struct script *script = user;
    const struct saga_call_info *info = saga_call_info(call);
    int runs = atomic_fetch_add(&script->runs, 1) + 1;
    char sql[256];
    snprintf(sql, sizeof sql, "INSERT INTO ledger VALUES ('%s', %d)", info->saga_id,
             info->phase == SAGA_CALL_ACTION ? 100 : -100);
    PGresult *result = PQexec(db, sql);
    bool booked = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!booked)
        return saga_call_fail(call, SAGA_E_UNAVAILABLE, "%s", PQerrorMessage(db));
    if (script->also != NULL)
        PQclear(PQexec(db, script->also));
    if (script->status != SAGA_OK)
        return saga_call_fail(call, script->status, "%s", script->answer);
    char answer[64];
    int size = snprintf(answer, sizeof answer, "%s %d", script->answer, runs);
    return saga_call_reply(call, answer, (size_t)size);
}

/* Runs a call (taken) and checks its status and its answer or message. */
static void expect(saga_call *call, struct script *script, int status, const char *words)
{
    int got = saga_pq_run(store, call, book, script);
    ck_assert_msg(got == status, "%s, not %s: %s", saga_status_name(got), saga_status_name(status),
                  saga_call_message(call));
    if (status == SAGA_OK)
        ck_assert_msg(barrier_answered(call, words), "another answer than: %s", words);
    else
        ck_assert_msg(strstr(saga_call_message(call), words) != NULL, "%s", saga_call_message(call));
    saga_call_destroy(call);
}

START_TEST(barrier_pq__duplicate_gets_the_first_answer)
{
    struct script script = {.answer = "booked"};
    for (int i = 0; i < 3; i++)
        expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    ck_assert_int_eq(script.runs, 1);
    ck_assert_int_eq(query("SELECT sum(amount) FROM ledger"), 100);

    /* Another process of the same service, or the same after a restart. */
    saga_pq_close(store);
    setup_with(NULL);
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    expect(barrier_action("b", 0), &script, SAGA_OK, "booked 2");
}
END_TEST

START_TEST(barrier_pq__answer_bytes_are_kept_as_they_are)
{
    static const char bytes[] = {0, 1, (char)0xff, 0, '\'', 0};
    struct script empty = {.answer = ""};
    saga_call *call = barrier_action("a", 0);
    ck_assert_int_eq(saga_call_reply(call, bytes, sizeof bytes), SAGA_OK);
    /* book replies again: the last reply counts. */
    ck_assert_int_eq(saga_pq_run(store, call, book, &empty), SAGA_OK);
    ck_assert(barrier_answered(call, " 1"));
    saga_call_destroy(call);
    query("UPDATE saga_barrier SET answer = '\\x0001ff002700'");
    call = barrier_action("a", 0);
    ck_assert_int_eq(saga_pq_run(store, call, book, &empty), SAGA_OK);
    size_t size;
    ck_assert_mem_eq(saga_call_answer(call, &size), bytes, sizeof bytes);
    ck_assert_uint_eq(size, sizeof bytes);
    saga_call_destroy(call);
}
END_TEST

START_TEST(barrier_pq__refusal_is_kept_and_changes_nothing)
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
START_TEST(barrier_pq__each_definite_refusal_is_kept)
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
START_TEST(barrier_pq__refusal_is_kept_whole)
{
    char text[SAGA_CALL_MESSAGE_BYTES_MAX + 1];
    struct script script = {.status = SAGA_E_NOT_FOUND, .answer = text};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 2] = 'y';
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        saga_call *call = barrier_action("a", 0);
        ck_assert_int_eq(saga_pq_run(store, call, book, &script), SAGA_E_NOT_FOUND);
        ck_assert_str_eq(saga_call_message(call), text);
        saga_call_destroy(call);
    }
    ck_assert_int_eq(script.runs, 1);
}
END_TEST

/* A status that is no definite refusal leaves nothing behind. */
START_TEST(barrier_pq__other_failures_roll_everything_back)
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

START_TEST(barrier_pq__undo_without_an_action_is_empty_and_bars_it)
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

START_TEST(barrier_pq__undo_runs_once)
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
START_TEST(barrier_pq__undo_that_fails_runs_again)
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

START_TEST(barrier_pq__undo_of_a_lost_action_is_refused)
{
    struct script script = {.answer = "booked"};
    expect(barrier_compensation("a", DONE, 0), &script, SAGA_E_FAILED_PRECONDITION, "no row of it");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier"), 0);
    ck_assert_int_eq(script.runs, 0);
}
END_TEST

START_TEST(barrier_pq__function_that_ends_the_transaction_is_caught)
{
    struct script script = {.answer = "booked", .also = "COMMIT"};
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "while the function ran");
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "cannot be");
    expect(barrier_compensation("a", UNKNOWN, 0), &script, SAGA_E_INTERNAL, "cannot be");
    ck_assert_int_eq(script.runs, 1);
    script.also = "COMMIT; BEGIN";
    expect(barrier_action("b", 0), &script, SAGA_E_INTERNAL, "while the function ran");
    script.also = "ROLLBACK";
    expect(barrier_action("c", 0), &script, SAGA_E_INTERNAL, "while the function ran");
    script.also = NULL;
    expect(barrier_action("c", 0), &script, SAGA_OK, "booked 4");
}
END_TEST

START_TEST(barrier_pq__function_that_commits_and_then_fails_is_caught)
{
    struct script script = {.answer = "busy", .also = "COMMIT", .status = SAGA_E_UNAVAILABLE};
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "while the function ran");
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "cannot be");
    ck_assert_int_eq(script.runs, 1);
    script.also = "COMMIT; BEGIN";
    expect(barrier_action("b", 0), &script, SAGA_E_INTERNAL, "while the function ran");
    /* Of one that rolled back nothing is left: its failure is true. */
    script.also = "ROLLBACK";
    expect(barrier_action("c", 0), &script, SAGA_E_UNAVAILABLE, "busy");
    script.also = "SELECT 1/0";
    expect(barrier_action("c", 0), &script, SAGA_E_UNAVAILABLE, "busy");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'c%'"), 0);
}
END_TEST

/* One that takes its own row away has not been carried out; and what is lost with the connection is not asked for over it. */
START_TEST(barrier_pq__function_that_takes_the_row_or_the_connection_away)
{
    struct script script = {.answer = "booked", .also = "DELETE FROM saga_barrier WHERE key LIKE 'a/%'"};
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "the call's row has vanished");
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 0);
    script.also = "SELECT pg_terminate_backend(pg_backend_pid())";
    script.status = SAGA_E_ABORTED;
    expect(barrier_action("a", 0), &script, SAGA_E_ABORTED, "booked");
    script.also = "COMMIT; DROP TABLE saga_barrier";
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "after the function had ended the barrier's transaction");
}
END_TEST

START_TEST(barrier_pq__statement_that_failed_inside_the_function_is_not_taken_for_done)
{
    struct script script = {.answer = "booked", .also = "SELECT 1/0"};
    expect(barrier_action("a", 0), &script, SAGA_E_INTERNAL, "or failed, while the function ran");
    script.status = SAGA_E_NOT_FOUND;
    script.answer = "no such card";
    expect(barrier_action("a", 0), &script, SAGA_E_NOT_FOUND, "no such card");
    script.also = NULL;
    expect(barrier_action("a", 0), &script, SAGA_E_NOT_FOUND, "no such card");
    ck_assert_int_eq(script.runs, 2);
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 0);
}
END_TEST

START_TEST(barrier_pq__commit_that_fails_leaves_nothing)
{
    struct script script = {.answer = "booked"};
    query("ALTER TABLE ledger ADD UNIQUE (amount) DEFERRABLE INITIALLY DEFERRED");
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    expect(barrier_action("b", 0), &script, SAGA_E_INTERNAL, "committing");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key <> ''"), 1);
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 1);
}
END_TEST

/* Whether another attempt may help, by what the server says as the transaction is committed. */
START_TEST(barrier_pq__each_failure_has_its_status)
{
    static const struct {
        const char *state;
        int status;
    } cases[] = {
        {"08006", SAGA_E_UNAVAILABLE}, {"57014", SAGA_E_UNAVAILABLE},        {"57P01", SAGA_E_UNAVAILABLE},
        {"55P03", SAGA_E_UNAVAILABLE}, {"25006", SAGA_E_UNAVAILABLE},        {"40001", SAGA_E_ABORTED},
        {"40P01", SAGA_E_ABORTED},     {"53100", SAGA_E_RESOURCE_EXHAUSTED}, {"53300", SAGA_E_RESOURCE_EXHAUSTED},
        {"XX001", SAGA_E_DATA_LOSS},   {"XX002", SAGA_E_DATA_LOSS},          {"XX000", SAGA_E_INTERNAL},
        {"55006", SAGA_E_INTERNAL},    {"25001", SAGA_E_INTERNAL},           {"23505", SAGA_E_INTERNAL},
    };
    query("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'it is "
          "refused' "
          "USING ERRCODE = current_setting('test.state'); END $$");
    query("CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON ledger DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE "
          "FUNCTION refuse()");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char also[64], words[64];
        snprintf(also, sizeof also, "SET LOCAL test.state = '%s'", cases[i].state);
        snprintf(words, sizeof words, "committing: it is refused, SQLSTATE %s", cases[i].state);
        struct script script = {.answer = "booked", .also = also};
        expect(barrier_action("a", 0), &script, cases[i].status, words);
    }
    ck_assert_int_eq(
        query("SELECT (SELECT count(*) FROM ledger) + (SELECT count(*) FROM saga_barrier WHERE key <> '')"), 0);
}
END_TEST

/* For what is left of it, in milliseconds; 0 is for ever. */
START_TEST(barrier_pq__locks_are_waited_for_until_the_deadline)
{
    static const struct {
        int64_t timeout_ms, least, most;
    } cases[] = {{0, 0, 0}, {60000, 30000, 60000}, {INT64_C(1) << 40, INT32_MAX, INT32_MAX}, {1, 1, 1}};
    struct script script = {.answer = "booked",
                            .also = "INSERT INTO ledger SELECT 'timeout', setting::integer FROM pg_settings WHERE "
                                    "name = 'lock_timeout'"};
    PGconn *db = saga_pq_take(store);
    query_on(db, "SET lock_timeout = 12345");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char saga[16];
        snprintf(saga, sizeof saga, "s%zu", i);
        saga_call *call = barrier_action(saga, cases[i].timeout_ms);
        if (cases[i].timeout_ms == 1)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* the deadline is past: nothing is left of it */
        ck_assert_int_eq(saga_pq_call(db, call, book, &script), SAGA_OK);
        saga_call_destroy(call);
        int64_t timeout = query_on(db, "DELETE FROM ledger WHERE saga = 'timeout' RETURNING amount");
        ck_assert_int_ge(timeout, cases[i].least);
        ck_assert_int_le(timeout, cases[i].most);
        /* It was the call's: what the participant does on the connection afterwards has what it had before. */
        ck_assert_int_eq(query_on(db, "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'"), 12345);
    }
    saga_pq_give(store, db);
}
END_TEST

START_TEST(barrier_pq__duplicate_waits_no_longer_than_its_deadline)
{
    struct script script = {.answer = "booked"};
    PGconn *other = saga_pq_take(store);
    query_on(other, "BEGIN; INSERT INTO saga_barrier (key, state) VALUES ('a/charge/action', 4)");
    expect(barrier_action("a", 100), &script, SAGA_E_UNAVAILABLE, "lock timeout");
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    expect(barrier_action("a", 3000), &script, SAGA_E_UNAVAILABLE, "lock timeout");
    clock_gettime(CLOCK_MONOTONIC, &ended);
    ck_assert_int_lt(ended.tv_sec - began.tv_sec, 20);
    query_on(other, "ROLLBACK");
    saga_pq_give(store, other);
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
}
END_TEST

#define CONNECTIONS "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'libsaga'"

/* As many at once as was said, made as they are needed, and used again. */
START_TEST(barrier_pq__waits_for_a_connection_until_the_deadline)
{
    struct script script = {.answer = "booked"};
    for (uint32_t max = 0; max < 3; max++) {
        PGconn *taken[8];
        uint32_t count = max == 0 ? 8 : max; /* by default */
        saga_pq_close(store);
        while (query(CONNECTIONS) > 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        setup_with(&(struct saga_pq_options){.connections_max = max});
        expect(barrier_action("b", 0), &script, SAGA_OK, "booked 1");
        ck_assert_int_eq(query(CONNECTIONS), 1);
        for (uint32_t i = 0; i < count; i++) {
            taken[i] = saga_pq_take(store);
            ck_assert_ptr_nonnull(taken[i]);
        }
        expect(barrier_action("a", 20), &script, SAGA_E_UNAVAILABLE, "no connection");
        saga_pq_give(store, taken[0]);
        expect(barrier_action("b", 0), &script, SAGA_OK, "booked 1");
        ck_assert_int_eq(query(CONNECTIONS), count);
        for (uint32_t i = 1; i < count; i++)
            saga_pq_give(store, taken[i]);
    }
}
END_TEST

/* Whoever could not connect has nothing lent. */
START_TEST(barrier_pq__calls_without_a_connection_take_none_from_later_ones)
{
    struct script script = {.answer = "booked"};
    saga_pq_close(store);
    query("DROP ROLE IF EXISTS guest");
    query("CREATE ROLE guest SUPERUSER LOGIN");
    char conninfo[sizeof server.folder + 64];
    snprintf(conninfo, sizeof conninfo, "host=%s user=guest dbname=postgres", server.folder);
    const struct saga_pq_options options = {.connections_max = 2};
    ck_assert_int_eq(saga_pq_open(conninfo, &options, &store, &error), SAGA_OK);
    query("ALTER ROLE guest NOLOGIN");
    query("SELECT count(pg_terminate_backend(pid, 20000)) FROM pg_stat_activity WHERE usename = 'guest'");
    for (uint32_t i = 0; i <= options.connections_max; i++)
        expect(barrier_action("a", 5000), &script, SAGA_E_UNAVAILABLE, "no connection");
    query("ALTER ROLE guest LOGIN");
    expect(barrier_action("a", 5000), &script, SAGA_OK, "booked 1");
}
END_TEST

START_TEST(barrier_pq__reconnects_when_the_server_has_closed)
{
    struct script script = {.answer = "booked"};
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    query("SELECT count(pg_terminate_backend(pid, 20000)) FROM pg_stat_activity WHERE application_name = 'libsaga'");
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    /* Within a call, the connection is what the function finds lost. */
    script.also = "SELECT pg_terminate_backend(pg_backend_pid())";
    expect(barrier_action("b", 0), &script, SAGA_E_UNAVAILABLE, "was lost");
    script.also = NULL;
    expect(barrier_action("b", 0), &script, SAGA_OK, "booked 3");
    ck_assert_int_eq(query("SELECT count(*) FROM ledger"), 2);
}
END_TEST

/* The row that is in the insert's way is collected before it is read. */
START_TEST(barrier_pq__row_that_goes_meanwhile_is_claimed_again)
{
    struct script script = {.answer = "booked"};
    query("CREATE OR REPLACE FUNCTION collect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM saga_barrier "
          "WHERE key LIKE 'a/%' AND created_at < '2021-01-01'; RETURN NULL; END $$");
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('a/charge/action', 1, '2020-01-01')");
    query("CREATE TRIGGER collect AFTER INSERT ON saga_barrier EXECUTE FUNCTION collect()");
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
}
END_TEST

/* Whoever finds neither room for a row nor the row that takes it does not go round for ever, and carries nothing out. */
START_TEST(barrier_pq__row_that_comes_and_goes_is_no_row)
{
    struct script script = {.answer = "booked"};
    query("CREATE OR REPLACE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$");
    query("CREATE TRIGGER swallow BEFORE INSERT ON saga_barrier FOR EACH ROW EXECUTE FUNCTION swallow()");
    expect(barrier_action("a", 0), &script, SAGA_E_ABORTED, "comes and goes");
    expect(barrier_compensation("a", UNKNOWN, 0), &script, SAGA_E_ABORTED, "comes and goes");
    ck_assert_int_eq(script.runs, 0);
    query("DROP TRIGGER swallow ON saga_barrier");
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
}
END_TEST

/* A standby, as which a former primary may come back, and a database that somebody lets nobody write in: each until it takes writes again. */
START_TEST(barrier_pq__database_that_takes_no_writes_is_not_there_now)
{
    struct script script = {.answer = "booked"};
    struct postgres own;
    char path[sizeof own.folder + 32];
    ck_assert(postgres_start(&own));
    PGconn *db = PQconnectdb(own.conninfo);
    query_on(db, saga_pq_schema());
    query_on(db, "CREATE TABLE ledger (saga text NOT NULL, amount integer NOT NULL)");
    saga_pq_close(store);
    ck_assert_int_eq(saga_pq_open(own.conninfo, NULL, &store, &error), SAGA_OK);
    query_on(db, "ALTER DATABASE postgres SET default_transaction_read_only = on");
    query_on(db,
             "SELECT count(pg_terminate_backend(pid, 20000)) FROM pg_stat_activity WHERE application_name = 'libsaga'");
    expect(barrier_action("a", 0), &script, SAGA_E_UNAVAILABLE, "25006");
    query_on(db, "ALTER DATABASE postgres RESET default_transaction_read_only");
    query_on(db, "CHECKPOINT");
    PQfinish(db);
    postgres_kill(&own);
    snprintf(path, sizeof path, "%s/data/standby.signal", own.folder);
    FILE *signal = fopen(path, "w");
    ck_assert_ptr_nonnull(signal);
    fclose(signal);
    ck_assert(postgres_restart(&own));
    expect(barrier_action("a", 0), &script, SAGA_E_UNAVAILABLE, "25006");
    ck_assert_int_eq(script.runs, 0);
    db = PQconnectdb(own.conninfo);
    query_on(db, "SELECT pg_promote()");
    PQfinish(db);
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    saga_pq_close(store);
    store = NULL;
    postgres_stop(&own);
}
END_TEST

START_TEST(barrier_pq__isolation_of_the_database_does_not_matter)
{
    struct script script = {.answer = "booked"};
    query("ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'");
    saga_pq_close(store);
    setup_with(NULL);
    struct script seen = {.answer = "booked",
                          .also = "INSERT INTO ledger SELECT current_setting('transaction_isolation'), 0"};
    expect(barrier_action("a", 0), &seen, SAGA_OK, "booked 1");
    ck_assert_int_eq(query("SELECT count(*) FROM ledger WHERE saga = 'read committed'"), 1);
    query("ALTER DATABASE postgres RESET default_transaction_isolation");
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
}
END_TEST

/* A connection that somebody gives back in the middle of a transaction is not used again. */
START_TEST(barrier_pq__what_is_given_back_open_is_not_lent)
{
    struct script script = {.answer = "booked"};
    saga_pq_close(store);
    setup_with(&(struct saga_pq_options){.connections_max = 1, .collect_rows = 1000});
    PGconn *db = saga_pq_take(store);
    query_on(db, "BEGIN");
    saga_pq_give(store, db);
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
}
END_TEST

START_TEST(barrier_pq__connection_of_ones_own)
{
    struct script script = {.answer = "booked"};
    PGconn *db = PQconnectdb(server.conninfo);
    saga_call *call = barrier_action("a", 0);
    query_on(db, "BEGIN");
    ck_assert_int_eq(saga_pq_call(db, call, book, &script), SAGA_E_INTERNAL);
    query_on(db, "COMMIT");
    query_on(db, "INSERT INTO saga_barrier (key, state, created_at) VALUES ('old', 1, '2020-01-01')");
    ck_assert_int_eq(saga_pq_call(db, call, book, &script), SAGA_OK);
    ck_assert_int_eq(PQtransactionStatus(db), PQTRANS_IDLE);
    ck_assert_int_eq(query_on(db, "SELECT count(*) FROM saga_barrier"), 2);
    query_on(db, "DROP TABLE saga_barrier");
    ck_assert_int_eq(saga_pq_call(db, call, book, &script), SAGA_E_INTERNAL);
    ck_assert_ptr_nonnull(strstr(saga_call_message(call), "42P01"));
    shutdown(PQsocket(db),
             SHUT_RDWR); /* of which the server says nothing, and the library learns by its next statement */
    ck_assert_int_eq(saga_pq_call(db, call, book, &script), SAGA_E_UNAVAILABLE);
    saga_call_destroy(call);
    PQfinish(db);
}
END_TEST

START_TEST(barrier_pq__schema_is_the_installed_file)
{
    static char text[4096];
    FILE *file = fopen("client-lib/pq/saga_barrier.sql", "r");
    ck_assert_msg(file != NULL, "the tests run in the project's folder");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    ck_assert_str_eq(text, saga_pq_schema());
}
END_TEST

/* ---- collecting ---- */

START_TEST(barrier_pq__calls_collect_old_rows_a_few_at_a_time)
{
    struct script script = {.answer = "booked"};
    saga_pq_close(store);
    setup_with(&(struct saga_pq_options){.keep_ms = 60000, .collect_rows = 3});
    query("INSERT INTO saga_barrier (key, state, created_at) SELECT 'old' || i, 1, now() - interval '70 s' FROM "
          "generate_series(1, 10) i");
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('young', 1, now() - interval '50 s')");
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'old%'"), 10); /* sets the mark first */
    expect(barrier_action("b", 0), &script, SAGA_OK, "booked 2");
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'old%'"), 7);
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
START_TEST(barrier_pq__rows_are_kept_for_thirty_days)
{
    struct script script = {.answer = "booked"};
    query("INSERT INTO saga_barrier (key, state, created_at) SELECT 'old' || i, 1, now() - interval '30 days 3 "
          "minutes' FROM "
          "generate_series(1, 10) i");
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('young', 1, now() - interval '30 days' + interval "
          "'1 minute')");
    expect(barrier_action("a", 0), &script, SAGA_OK, "booked 1"); /* sets the mark */
    for (int left = 6; left >= -2; left -= 4) {
        char saga[16];
        snprintf(saga, sizeof saga, "s%d", left);
        saga_call *call = barrier_action(saga, 0);
        ck_assert_int_eq(saga_pq_run(store, call, book, &script), SAGA_OK);
        saga_call_destroy(call);
        ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key LIKE 'old%'"), left < 0 ? 0 : left);
    }
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key = 'young'"), 1);
}
END_TEST

/* The sidecar's clock may differ by a minute: so long before the mark rows are kept, too. */
START_TEST(barrier_pq__rows_are_kept_for_a_minute_beyond_the_mark)
{
    uint32_t collected = 0;
    PGconn *db = saga_pq_take(store);
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('', 1, '2020-01-01 12:00:00'), "
          "('a', 1, '2020-01-01 11:59:00'), ('b', 1, '2020-01-01 11:58:59')");
    ck_assert_int_eq(saga_pq_collect(db, 3600000, 10, &collected, &error), SAGA_OK);
    ck_assert_uint_eq(collected, 1);
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key = 'a'"), 1);
    saga_pq_give(store, db);
}
END_TEST

START_TEST(barrier_pq__undo_of_an_action_whose_row_is_collected_is_not_empty)
{
    enum { UNDO = SAGA_CALL_COMPENSATION, DO = SAGA_CALL_ACTION };
    struct script script = {.answer = "booked"};
    saga_pq_close(store);
    setup_with(&(struct saga_pq_options){.keep_ms = 60000});
    expect(barrier_call_of("a", DO, 90000), &script, SAGA_OK, "booked 1");
    query("UPDATE saga_barrier SET created_at = created_at - interval '90 s' WHERE key LIKE 'a/%'");
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
    saga_pq_close(store);
    setup_with(&(struct saga_pq_options){.keep_ms = 3600000});
    expect(barrier_call_of("a", UNDO, 90000), &script, SAGA_E_FAILED_PRECONDITION, "may have been collected");
    expect(barrier_action("e", 0), &script, SAGA_OK, "booked 4"); /* what it keeps itself takes nothing back */
    expect(barrier_call_of("a", UNDO, 90000), &script, SAGA_E_FAILED_PRECONDITION, "may have been collected");
}
END_TEST

/* Rows from before the mark may be gone; one of an action that began with it cannot be. */
START_TEST(barrier_pq__what_began_with_the_mark_is_not_collected)
{
    enum { UNDO = SAGA_CALL_COMPENSATION };
    struct script script = {.answer = "booked"};
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('', 1, to_timestamp(1600000000))");
    expect(barrier_call_from("a", UNDO, INT64_C(1599999999999)), &script, SAGA_E_FAILED_PRECONDITION,
           "may have been collected");
    expect(barrier_call_from("a", UNDO, INT64_C(1600000000000)), &script, SAGA_OK, "");
    /* However young it is: the least that rows are kept is a second. */
    query("UPDATE saga_barrier SET created_at = clock_timestamp() - interval '1 s' WHERE key = ''");
    expect(barrier_call_of("b", UNDO, 3000), &script, SAGA_E_FAILED_PRECONDITION, "may have been collected");
}
END_TEST

START_TEST(barrier_pq__rows_of_the_future_hold_nothing_up)
{
    uint32_t collected;
    query("INSERT INTO saga_barrier (key, state, created_at) SELECT 'future' || i, 1, now() + interval '9 days' FROM "
          "generate_series(1, 10) i");
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('old', 1, now() - interval '90 s')");
    PGconn *db = saga_pq_take(store);
    ck_assert_int_eq(saga_pq_collect(db, 60000, 2, &collected, &error), SAGA_OK);
    ck_assert_int_eq(saga_pq_collect(db, 60000, 2, &collected, &error), SAGA_OK);
    ck_assert_uint_eq(collected, 1);
    saga_pq_give(store, db);
}
END_TEST

START_TEST(barrier_pq__collect_is_bounded_and_passes_over_locked_rows)
{
    uint32_t collected = 99;
    query("INSERT INTO saga_barrier (key, state, created_at) VALUES ('d', 1, '2020-01-03'), ('a', 1, '2020-01-01'), "
          "('b', 1, '2020-01-02'), ('c', 1, now())");
    PGconn *db = saga_pq_take(store), *other = saga_pq_take(store);
    ck_assert_int_eq(saga_pq_collect(db, 0, 1, &collected, &error), SAGA_E_INVALID_ARGUMENT);
    ck_assert_int_eq(saga_pq_collect(db, 60000, 1, &collected, &error), SAGA_OK);
    ck_assert_uint_eq(collected, 0); /* the mark comes first */
    query_on(other, "BEGIN; SELECT 1 FROM saga_barrier WHERE key IN ('a', '') FOR UPDATE");
    ck_assert_int_eq(saga_pq_collect(db, 60000, 1, &collected, &error), SAGA_OK);
    ck_assert_uint_eq(collected, 1);
    ck_assert_int_eq(query_on(db, "SELECT count(*) FROM saga_barrier WHERE key IN ('a', 'd')"),
                     2); /* the oldest goes */
    query_on(other, "COMMIT");
    ck_assert_int_eq(saga_pq_collect(db, 60000, 100, &collected, &error), SAGA_OK);
    ck_assert_uint_eq(collected, 2);
    ck_assert_int_eq(query_on(db, "SELECT count(*) FROM saga_barrier WHERE key = 'c'"), 1);
    saga_pq_give(store, other);
    saga_pq_give(store, db);
}
END_TEST

START_TEST(barrier_pq__refuses_what_it_cannot_open)
{
    static const struct {
        struct saga_pq_options options;
        const char *field;
    } bad[] = {
        {{.keep_ms = 999}, "keep_ms"},
        {{.keep_ms = -1}, "keep_ms"},
        {{.keep_ms = INT64_C(315360000001)}, "keep_ms"},
        {{.connections_max = 1025}, "connections_max"},
        {{.collect_rows = 1}, "collect_rows"},
        {{.collect_rows = 1001}, "collect_rows"},
        {{.reserved = {1}}, "reserved"},
        {{.reserved = {0, 0, 0, 1}}, "reserved"},
    };
    saga_pq *none;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        none = (void *)(uintptr_t) "what was there before does not stay";
        ck_assert_int_eq(saga_pq_open(server.conninfo, &bad[i].options, &none, &error), SAGA_E_INVALID_ARGUMENT);
        ck_assert_str_eq(error.field, bad[i].field);
        ck_assert_ptr_null(none);
    }
    const struct saga_pq_options most = {
        .keep_ms = INT64_C(315360000000), .connections_max = 1024, .collect_rows = 1000};
    ck_assert_int_eq(saga_pq_open(server.conninfo, &most, &none, &error), SAGA_OK);
    saga_pq_close(none);
    const struct saga_pq_options least = {.keep_ms = 1000, .connections_max = 1, .collect_rows = 2};
    ck_assert_int_eq(saga_pq_open(server.conninfo, &least, &none, &error), SAGA_OK);
    saga_pq_close(none);
    ck_assert_int_eq(saga_pq_open("host=/nowhere", NULL, &none, &error), SAGA_E_UNAVAILABLE);
    query("DROP TABLE saga_barrier");
    ck_assert_int_eq(saga_pq_open(server.conninfo, NULL, &none, &error), SAGA_E_FAILED_PRECONDITION);
    ck_assert_ptr_nonnull(strstr(error.message, "saga_barrier.sql"));
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
    PGconn *db = r->own_connection ? PQconnectdb(server.conninfo) : NULL;
    for (int i = 0; i < SAGAS; i++) {
        char saga[32];
        snprintf(saga, sizeof saga, "saga-%d", i);
        int64_t timeout_ms = i % 2 == 0 ? 60000 : 0;
        saga_call *call = r->phase == SAGA_CALL_ACTION ? barrier_action(saga, timeout_ms)
                                                       : barrier_compensation(saga, UNKNOWN, timeout_ms);
        int status = db != NULL ? saga_pq_call(db, call, book, r->script) : saga_pq_run(store, call, book, r->script);
        r->finished += status == SAGA_OK;
        saga_call_destroy(call);
    }
    PQfinish(db);
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

START_TEST(barrier_pq__duplicates_at_once_have_one_effect)
{
    struct script script = {.answer = "booked"};
    struct racer racers[4];
    saga_pq_close(store);
    setup_with(&(struct saga_pq_options){.connections_max = 1}); /* for which two of them wait in turn */
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

START_TEST(barrier_pq__actions_and_undos_at_once_balance)
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
    ck_assert_int_eq(query("SELECT count(*) FROM (SELECT 1 FROM ledger GROUP BY saga HAVING sum(amount) != 0 OR "
                           "count(*) != 2) AS astray"),
                     0);
    ck_assert_int_eq(query("SELECT count(*) FROM saga_barrier WHERE key <> ''"), 2 * SAGAS);
}
END_TEST

/* ---- behind a server ---- */

static int take_back(saga_call *call, PGconn *db, void *user)
{
    (void)db, (void)user;
    return saga_call_reply(call, "taken back", 10);
}

START_TEST(barrier_pq__steps_of_a_participant)
{
    struct script script = {.answer = "booked"};
    saga_participant *participant;
    ck_assert_int_eq(saga_participant_open(NULL, &participant, &error), SAGA_OK);
    ck_assert_int_eq(saga_pq_step(participant, store, "/s.S/Do", book, "/s.S/Undo", take_back, &script, &error),
                     SAGA_OK);
    ck_assert_int_eq(saga_pq_step(participant, store, "/s.S/Do", book, NULL, NULL, &script, &error),
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
    if (!postgres_start(&server))
        return EXIT_FAILURE;
    Suite *suite = suite_create("barrier_pq");
    TCase *cases = tcase_create("barrier_pq");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, barrier_pq__duplicate_gets_the_first_answer);
    tcase_add_test(cases, barrier_pq__answer_bytes_are_kept_as_they_are);
    tcase_add_test(cases, barrier_pq__refusal_is_kept_and_changes_nothing);
    tcase_add_test(cases, barrier_pq__each_definite_refusal_is_kept);
    tcase_add_test(cases, barrier_pq__refusal_is_kept_whole);
    tcase_add_test(cases, barrier_pq__other_failures_roll_everything_back);
    tcase_add_test(cases, barrier_pq__undo_without_an_action_is_empty_and_bars_it);
    tcase_add_test(cases, barrier_pq__undo_runs_once);
    tcase_add_test(cases, barrier_pq__undo_that_fails_runs_again);
    tcase_add_test(cases, barrier_pq__undo_of_a_lost_action_is_refused);
    tcase_add_test(cases, barrier_pq__function_that_ends_the_transaction_is_caught);
    tcase_add_test(cases, barrier_pq__rows_of_the_future_hold_nothing_up);
    tcase_add_test(cases, barrier_pq__what_began_with_the_mark_is_not_collected);
    tcase_add_test(cases, barrier_pq__undo_of_an_action_whose_row_is_collected_is_not_empty);
    tcase_add_test(cases, barrier_pq__function_that_commits_and_then_fails_is_caught);
    tcase_add_test(cases, barrier_pq__function_that_takes_the_row_or_the_connection_away);
    tcase_add_test(cases, barrier_pq__statement_that_failed_inside_the_function_is_not_taken_for_done);
    tcase_add_test(cases, barrier_pq__commit_that_fails_leaves_nothing);
    tcase_add_test(cases, barrier_pq__each_failure_has_its_status);
    tcase_add_test(cases, barrier_pq__locks_are_waited_for_until_the_deadline);
    tcase_add_test(cases, barrier_pq__duplicate_waits_no_longer_than_its_deadline);
    tcase_add_test(cases, barrier_pq__waits_for_a_connection_until_the_deadline);
    tcase_add_test(cases, barrier_pq__calls_without_a_connection_take_none_from_later_ones);
    tcase_add_test(cases, barrier_pq__row_that_goes_meanwhile_is_claimed_again);
    tcase_add_test(cases, barrier_pq__row_that_comes_and_goes_is_no_row);
    tcase_add_test(cases, barrier_pq__database_that_takes_no_writes_is_not_there_now);
    tcase_add_test(cases, barrier_pq__reconnects_when_the_server_has_closed);
    tcase_add_test(cases, barrier_pq__isolation_of_the_database_does_not_matter);
    tcase_add_test(cases, barrier_pq__connection_of_ones_own);
    tcase_add_test(cases, barrier_pq__what_is_given_back_open_is_not_lent);
    tcase_add_test(cases, barrier_pq__schema_is_the_installed_file);
    tcase_add_test(cases, barrier_pq__calls_collect_old_rows_a_few_at_a_time);
    tcase_add_test(cases, barrier_pq__rows_are_kept_for_thirty_days);
    tcase_add_test(cases, barrier_pq__rows_are_kept_for_a_minute_beyond_the_mark);
    tcase_add_test(cases, barrier_pq__collect_is_bounded_and_passes_over_locked_rows);
    tcase_add_test(cases, barrier_pq__refuses_what_it_cannot_open);
    tcase_add_test(cases, barrier_pq__duplicates_at_once_have_one_effect);
    tcase_add_test(cases, barrier_pq__actions_and_undos_at_once_balance);
    tcase_add_test(cases, barrier_pq__steps_of_a_participant);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* the threads of a test end with its process */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    postgres_stop(&server);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
