/* barrier.c - one call behind the barrier, in one transaction of the participant's SQLite database.
 *
 * BEGIN IMMEDIATE takes the write lock first, so that two attempts of a call, or an action and its undo, never overlap: whoever comes second
 * sees what the first has left. */
#include "client-lib/sqlite/sqlite_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "compensations/answer.h"

/* As much of a statement's text as helps to find it. */
#define OPEN_SQL_SIZE 100

struct barrier {
    sqlite3 *db;
    saga_call *call;
    const struct saga_call_info *info;
    struct sqlite_collecting collecting;
};

/* Rolls back and answers with what SQLite says went wrong. */
static int fail(const struct barrier *b, int result, const char *doing)
{
    int status = sqlite_status(result);
    const char *text = sqlite3_errmsg(b->db);
    if (sqlite3_errcode(b->db) == SQLITE_OK)
        text = sqlite3_errstr(result);
    status = saga_call_fail(b->call, status, "the participant's database, %s: %s", doing, text);
    if (sqlite3_get_autocommit(b->db) == 0)
        sqlite_execute(b->db, "ROLLBACK");
    return status;
}

static int refuse(const struct barrier *b, int status, const char *text)
{
    if (sqlite3_get_autocommit(b->db) == 0)
        sqlite_execute(b->db, "ROLLBACK");
    return saga_call_fail(b->call, status, "%s", text);
}

/* Stores what the call answers and commits. */
static int keep(const struct barrier *b, enum saga_barrier_row state, int status, const char *message)
{
    size_t size = 0;
    const void *answer = status == SAGA_OK ? saga_call_answer(b->call, &size) : NULL;
    int result = sqlite_settle(b->db, b->info->idempotency_key, state, status, message, answer, size);
    uint32_t deleted;
    if (result == SQLITE_OK && b->collecting.rows_max > 0)
        result = sqlite_delete_old(b->db, b->collecting, &deleted);
    if (result != SQLITE_OK)
        return fail(b, result, "storing the answer");
    result = sqlite_execute(b->db, "COMMIT");
    return result == SQLITE_OK ? status : fail(b, result, "committing");
}

/* A statement that the function has left in the middle of its rows keeps its snapshot, and with it every later transaction of this
 * connection from beginning. Resets all such. Returns whether there was one, with its text. */
static bool reset_open_statements(sqlite3 *db, char sql[OPEN_SQL_SIZE])
{
    bool found = false;
    for (sqlite3_stmt *s = sqlite3_next_stmt(db, NULL); s != NULL; s = sqlite3_next_stmt(db, s)) {
        if (!sqlite3_stmt_busy(s))
            continue;
        if (!found)
            snprintf(sql, OPEN_SQL_SIZE, "%s", sqlite3_sql(s));
        found = true;
        sqlite3_reset(s);
    }
    return found;
}

static int ended_by_function(const struct barrier *b)
{
    return refuse(b, SAGA_E_INTERNAL, "the barrier's transaction was ended while the function ran");
}

/* The function has failed: nothing of it is to stay. But when it ended the barrier's transaction with a COMMIT of its own, something does,
 * and its row stands open; then its failure must not pass for one that changed nothing. */
static int failed_function(const struct barrier *b, int status)
{
    bool own = sqlite_execute(b->db, "ROLLBACK TO saga_barrier_call") == SQLITE_OK, half = false;
    if (sqlite3_get_autocommit(b->db) == 0)
        sqlite_execute(b->db, "ROLLBACK");
    if (own)
        return status;
    int result = sqlite_has_row(b->db, b->info->idempotency_key, &half);
    if (result != SQLITE_OK)
        return fail(b, result, "after the function had ended the barrier's transaction");
    return half ? ended_by_function(b) : status;
}

static int run(const struct barrier *b, saga_sqlite_function function, void *user)
{
    char sql[OPEN_SQL_SIZE];
    int result = sqlite_execute(b->db, "SAVEPOINT saga_barrier_call");
    if (result != SQLITE_OK)
        return fail(b, result, "beginning the function's changes");

    int status = function(b->call, b->db, user);
    bool rejected = b->info->phase == SAGA_CALL_ACTION && status != SAGA_OK &&
                    saga_answer_of_action(status, SAGA_REACH_ANSWERED, 0).meaning == SAGA_MEANS_REJECTED;
    bool left_open = reset_open_statements(b->db, sql);
    if (status != SAGA_OK && !rejected)
        return failed_function(b, status);
    /* The savepoint is only there while the transaction is the barrier's own; SQLite itself ends one on a full disk. */
    if (rejected)
        result = sqlite_execute(b->db, "ROLLBACK TO saga_barrier_call");
    if (result == SQLITE_OK)
        result = sqlite_execute(b->db, "RELEASE saga_barrier_call");
    if (result != SQLITE_OK)
        return ended_by_function(b);
    if (status == SAGA_OK && left_open) {
        sqlite_execute(b->db, "ROLLBACK");
        return saga_call_fail(
            b->call, SAGA_E_INTERNAL,
            "the function has left a statement open (%s): it must be reset or finalized; nothing was kept", sql);
    }
    return rejected ? keep(b, SAGA_ROW_REJECTED, status, saga_call_message(b->call))
                    : keep(b, SAGA_ROW_DONE, SAGA_OK, "");
}

static int replay(const struct barrier *b, const struct sqlite_row *own)
{
    sqlite_execute(b->db, "ROLLBACK");
    return own->status == SAGA_OK ? saga_call_reply(b->call, own->answer, own->answer_size)
                                  : saga_call_fail(b->call, own->status, "%s", own->message);
}

static int obey(const struct barrier *b, enum saga_barrier_verdict verdict, const struct sqlite_row *own,
                saga_sqlite_function function, void *user)
{
    switch (verdict) {
    case SAGA_BARRIER_RUN:
        return run(b, function, user);
    case SAGA_BARRIER_REPLAY:
        return replay(b, own);
    case SAGA_BARRIER_EMPTY:
        return keep(b, SAGA_ROW_DONE, SAGA_OK, "");
    case SAGA_BARRIER_HANGING:
        return refuse(b, SAGA_E_FAILED_PRECONDITION,
                      "the action's compensation has been here: it must not be carried out");
    case SAGA_BARRIER_LOST:
        return refuse(
            b, SAGA_E_FAILED_PRECONDITION,
            b->info->action_outcome == SAGA_CALL_OUTCOME_DONE
                ? "the action was done, but the barrier has no row of it: it was not undone, a person has to look"
                : "the barrier's row of the action may have been collected: whether it was carried out cannot be "
                  "told, a person has to look");
    case SAGA_BARRIER_BROKEN:
        break;
    }
    return refuse(b, SAGA_E_INTERNAL, "the barrier's rows of this call cannot be: a person has to look");
}

int sqlite_barrier_call(sqlite3 *db, saga_call *call, saga_sqlite_function function, void *user,
                        struct sqlite_collecting collecting)
{
    struct barrier b = {.db = db, .call = call, .info = saga_call_info(call), .collecting = collecting};
    bool compensation = b.info->phase == SAGA_CALL_COMPENSATION;
    char sql[OPEN_SQL_SIZE];
    if (sqlite3_get_autocommit(db) == 0)
        return saga_call_fail(call, SAGA_E_INTERNAL, "the connection has a transaction open already");
    if (reset_open_statements(db, sql))
        return saga_call_fail(call, SAGA_E_UNAVAILABLE,
                              "whoever used the connection before has left a statement open (%s); it is closed now",
                              sql);
    int result = sqlite_execute(db, "BEGIN IMMEDIATE");
    if (result != SQLITE_OK)
        return fail(&b, result, "beginning");

    struct sqlite_row action = {.state = SAGA_ROW_ABSENT}, own = {.state = SAGA_ROW_ABSENT};
    if (compensation)
        result = sqlite_claim(db, b.info->action_key, SAGA_ROW_VOID, false, &action);
    if (result == SQLITE_OK)
        result = sqlite_claim(db, b.info->idempotency_key, SAGA_ROW_OPEN, true, &own);
    int64_t mark_s = 0;
    if (result == SQLITE_OK)
        result = sqlite_collected(db, &mark_s);
    bool collected = b.info->action_started_ms > 0 && b.info->action_started_ms / 1000 < mark_s;

    int status;
    if (result != SQLITE_OK) {
        status = fail(&b, result, "reading the barrier's rows");
    } else {
        enum saga_barrier_verdict verdict =
            saga_barrier_judge(compensation ? SAGA_PHASE_COMPENSATION : SAGA_PHASE_ACTION, own.state, action.state,
                               b.info->action_outcome == SAGA_CALL_OUTCOME_DONE, collected);
        status = obey(&b, verdict, &own, function, user);
    }
    free(own.answer);
    return status;
}

int saga_sqlite_call(sqlite3 *db, saga_call *call, saga_sqlite_function function, void *user)
{
    return sqlite_barrier_call(db, call, function, user, (struct sqlite_collecting){.rows_max = 0});
}
