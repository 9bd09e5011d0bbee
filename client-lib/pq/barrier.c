/* barrier.c - one call behind the barrier, in one transaction of the participant's PostgreSQL database.
 *
 * At READ COMMITTED an insert waits for a transaction that has inserted the same key and not ended; so two attempts of a call, or an action
 * and its undo, never overlap: whoever comes second sees what the first has left. An undo claims its action's row before its own, and an
 * action has only one row, so they cannot wait for each other. */
#include "client-lib/pq/pq_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compensations/answer.h"

struct barrier {
    PGconn *db;
    saga_call *call;
    const struct saga_call_info *info;
    struct pq_collecting collecting;
    char problem[PQ_PROBLEM_SIZE];
};

static void roll_back(struct barrier *b)
{
    char ignored[PQ_PROBLEM_SIZE];
    PGTransactionStatusType state = PQtransactionStatus(b->db);
    if (state == PQTRANS_INTRANS || state == PQTRANS_INERROR)
        pq_execute(b->db, "ROLLBACK", ignored);
}

/* Rolls back and answers with what the database says went wrong. */
static int fail(struct barrier *b, int status, const char *doing)
{
    roll_back(b);
    return saga_call_fail(b->call, status, "the participant's database, %s: %s", doing, b->problem);
}

static int refuse(struct barrier *b, int status, const char *text)
{
    roll_back(b);
    return saga_call_fail(b->call, status, "%s", text);
}

/* Stores what the call answers and commits. */
static int keep(struct barrier *b, enum saga_barrier_row state, int answered, const char *message)
{
    struct pq_row row = {.state = state, .status = answered};
    strncat(row.message, message, sizeof row.message - 1);
    if (answered == SAGA_OK)
        row.answer = (uint8_t *)(uintptr_t)saga_call_answer(b->call, &row.answer_size);
    int status = pq_settle(b->db, b->info->idempotency_key, &row, b->collecting, b->problem);
    if (status != SAGA_OK)
        return fail(b, status, "storing the answer");
    status = pq_execute(b->db, "COMMIT", b->problem);
    return status == SAGA_OK ? answered : fail(b, status, "committing");
}

static int ended_by_function(struct barrier *b)
{
    return refuse(b, SAGA_E_INTERNAL, "the barrier's transaction was ended, or failed, while the function ran");
}

/* The function has failed: nothing of it is to stay. But when it ended the barrier's transaction with a COMMIT of its own, something does,
 * and its row stands open; then its failure must not pass for one that changed nothing. */
static int failed_function(struct barrier *b, int status)
{
    PGTransactionStatusType state = PQtransactionStatus(b->db);
    bool own = (state == PQTRANS_INTRANS || state == PQTRANS_INERROR) &&
               pq_execute(b->db, "ROLLBACK TO SAVEPOINT saga_barrier_call", b->problem) == SAGA_OK;
    bool half = false;
    roll_back(b);
    if (own || PQstatus(b->db) != CONNECTION_OK)
        return status;
    int failed = pq_has_row(b->db, b->info->idempotency_key, &half, b->problem);
    if (failed != SAGA_OK)
        return fail(b, failed, "after the function had ended the barrier's transaction");
    return half ? ended_by_function(b) : status;
}

static int run(struct barrier *b, saga_pq_function function, void *user)
{
    int failed = pq_execute(b->db, "SAVEPOINT saga_barrier_call", b->problem);
    if (failed != SAGA_OK)
        return fail(b, failed, "beginning the function's changes");

    int status = function(b->call, b->db, user);
    bool rejected = b->info->phase == SAGA_CALL_ACTION && status != SAGA_OK &&
                    saga_answer_of_action(status, SAGA_REACH_ANSWERED, 0).meaning == SAGA_MEANS_REJECTED;
    if (status != SAGA_OK && !rejected)
        return failed_function(b, status);
    /* The savepoint is only there while the transaction is the barrier's own. A statement of the function's that failed has failed the
     * transaction: the server then refuses to release, and what the function takes for done is not. */
    bool own = PQtransactionStatus(b->db) == PQTRANS_INTRANS || PQtransactionStatus(b->db) == PQTRANS_INERROR;
    if (own && rejected)
        failed = pq_execute(b->db, "ROLLBACK TO SAVEPOINT saga_barrier_call", b->problem);
    if (own && failed == SAGA_OK)
        failed = pq_execute(b->db, "RELEASE SAVEPOINT saga_barrier_call", b->problem);
    if (PQstatus(b->db) != CONNECTION_OK)
        return refuse(b, SAGA_E_UNAVAILABLE, "the connection to the participant's database was lost");
    if (!own || failed != SAGA_OK)
        return ended_by_function(b);
    return rejected ? keep(b, SAGA_ROW_REJECTED, status, saga_call_message(b->call))
                    : keep(b, SAGA_ROW_DONE, SAGA_OK, "");
}

static int replay(struct barrier *b, const struct pq_row *own)
{
    roll_back(b);
    return own->status == SAGA_OK ? saga_call_reply(b->call, own->answer, own->answer_size)
                                  : saga_call_fail(b->call, own->status, "%s", own->message);
}

static int obey(struct barrier *b, enum saga_barrier_verdict verdict, const struct pq_row *own,
                saga_pq_function function, void *user)
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

/* Locks are waited for as long as the call's deadline allows. The isolation is said, since the database may have another default. */
static int begin(struct barrier *b)
{
    int64_t left = saga_call_time_left_ms(b->call);
    int lock_timeout = left == INT64_MAX ? 0 : left > INT32_MAX ? INT32_MAX : left < 1 ? 1 : (int)left;
    char sql[128];
    snprintf(sql, sizeof sql, "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = %d", lock_timeout);
    return pq_execute(b->db, sql, b->problem);
}

int pq_barrier_call(PGconn *db, saga_call *call, saga_pq_function function, void *user, struct pq_collecting collecting)
{
    struct barrier b = {.db = db, .call = call, .info = saga_call_info(call), .collecting = collecting};
    bool compensation = b.info->phase == SAGA_CALL_COMPENSATION;
    if (PQstatus(db) != CONNECTION_OK)
        return saga_call_fail(call, SAGA_E_UNAVAILABLE, "the connection to the participant's database is lost");
    if (PQtransactionStatus(db) != PQTRANS_IDLE)
        return saga_call_fail(call, SAGA_E_INTERNAL, "the connection has a transaction open already");
    int failed = begin(&b);
    if (failed != SAGA_OK)
        return fail(&b, failed, "beginning");

    struct pq_row action = {.state = SAGA_ROW_ABSENT}, own = {.state = SAGA_ROW_ABSENT};
    if (compensation)
        failed = pq_claim(db, b.info->action_key, SAGA_ROW_VOID, false, &action, b.problem);
    if (failed == SAGA_OK)
        failed = pq_claim(db, b.info->idempotency_key, SAGA_ROW_OPEN, true, &own, b.problem);
    bool collected = false;
    if (failed == SAGA_OK)
        failed = pq_collected(db, b.info->action_started_ms, &collected, b.problem);

    int status;
    if (failed != SAGA_OK) {
        status = fail(&b, failed, "reading the barrier's rows");
    } else {
        enum saga_barrier_verdict verdict =
            saga_barrier_judge(compensation ? SAGA_PHASE_COMPENSATION : SAGA_PHASE_ACTION, own.state, action.state,
                               b.info->action_outcome == SAGA_CALL_OUTCOME_DONE, collected);
        status = obey(&b, verdict, &own, function, user);
    }
    free(own.answer);
    return status;
}

int saga_pq_call(PGconn *db, saga_call *call, saga_pq_function function, void *user)
{
    return pq_barrier_call(db, call, function, user, (struct pq_collecting){.rows_max = 0});
}
