/* rows.c - the SQL of the barrier's rows. */
#include "client-lib/pq/pq_inside.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Types of parameters (pg_type.oid). */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_INT2 = 21, OID_TEXT = 25, OID_FLOAT8 = 701 };

/* A row that is there when inserting and gone when reading was collected in between: each round needs another such accident. */
#define CLAIM_ROUNDS_MAX 5

/* How far has been collected is a row as well, with the one key that no call has: created_at is the mark. It moves in steps of a minute at
 * most, so that it is seldom written, and rows are deleted so long before it: that much the sidecar's clock may differ. Deleting goes by the
 * mark that is durable already, so whoever finds another transaction at the mark leaves it to that one, as with rows: this never waits.
 * The oldest rows first. $1 is keep_ms, $2 how many rows, $3 the steps in seconds. */
#define COLLECT(last) \
    "WITH due AS (SELECT to_timestamp(floor((extract(epoch FROM clock_timestamp()) - $1::bigint / 1000.0) / " \
    "$3::double precision) * $3::double precision) AS at), " \
    "first AS (INSERT INTO saga_barrier (key, state, created_at) SELECT '', 1, at FROM due " \
    "WHERE NOT EXISTS (SELECT 1 FROM saga_barrier WHERE key = '') ON CONFLICT (key) DO NOTHING), " \
    "moved AS (UPDATE saga_barrier SET created_at = due.at FROM due WHERE key IN (SELECT key FROM saga_barrier " \
    "WHERE key = '' AND created_at < (SELECT at FROM due) FOR UPDATE SKIP LOCKED)), " \
    "old AS (DELETE FROM saga_barrier WHERE key IN (SELECT key FROM saga_barrier WHERE key <> '' AND created_at < " \
    "(SELECT created_at FROM saga_barrier WHERE key = '') - $3::double precision * interval '1 second' " \
    "ORDER BY created_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED) RETURNING 1) " last
#define MARK_STEP_S_MAX 60.0

/* A row cannot be collected sooner than that (the least keep_ms), so for a younger action nobody need ask. */
#define KEPT_MS_MIN 1000

/* ---- errors ---- */

struct meaning {
    const char *state; /* SQLSTATE, or its first letters */
    int status;
};

/* The first that fits (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
static const struct meaning meanings[] = {
    {"08", SAGA_E_UNAVAILABLE},        /* connection */
    {"57", SAGA_E_UNAVAILABLE},        /* shutting down, cancelled by a timeout */
    {"55P03", SAGA_E_UNAVAILABLE},     /* lock_timeout */
    {"25006", SAGA_E_UNAVAILABLE},     /* a standby, or default_transaction_read_only */
    {"40", SAGA_E_ABORTED},            /* serialization failure, deadlock */
    {"53", SAGA_E_RESOURCE_EXHAUSTED}, /* disk, memory, connections */
    {"XX001", SAGA_E_DATA_LOSS},
    {"XX002", SAGA_E_DATA_LOSS},
};

static int status_of_state(const char *state)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strncmp(state, meanings[i].state, strlen(meanings[i].state)) == 0)
            return meanings[i].status;
    return SAGA_E_INTERNAL;
}

/* Takes result. SAGA_OK when it is of that kind. */
static int finish(PGconn *db, PGresult *result, ExecStatusType wanted, char problem[PQ_PROBLEM_SIZE])
{
    if (result != NULL && PQresultStatus(result) == wanted) {
        PQclear(result);
        return SAGA_OK;
    }
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    int status = PQstatus(db) != CONNECTION_OK ? SAGA_E_UNAVAILABLE
                 : state != NULL               ? status_of_state(state)
                                               : SAGA_E_INTERNAL;
    snprintf(problem, PQ_PROBLEM_SIZE, "%s%s%s", text != NULL ? text : PQerrorMessage(db),
             state != NULL ? ", SQLSTATE " : "", state != NULL ? state : "");
    PQclear(result);
    return status;
}

int pq_execute(PGconn *db, const char *sql, char problem[PQ_PROBLEM_SIZE])
{
    return finish(db, PQexec(db, sql), PGRES_COMMAND_OK, problem);
}

/* ---- parameters ---- */

#define PARAMETERS_MAX 8

/* Parameters of one statement: texts as text, bytes as they are. */
struct parameters {
    int count;
    Oid types[PARAMETERS_MAX];
    const char *values[PARAMETERS_MAX];
    int sizes[PARAMETERS_MAX];
    int formats[PARAMETERS_MAX];
    char numbers[PARAMETERS_MAX][24];
};

static void add_text(struct parameters *p, const char *text)
{
    p->types[p->count] = OID_TEXT;
    p->values[p->count++] = text;
}

static void add_number(struct parameters *p, Oid type, int64_t number)
{
    snprintf(p->numbers[p->count], sizeof p->numbers[0], "%lld", (long long)number);
    p->types[p->count] = type;
    p->values[p->count] = p->numbers[p->count];
    p->count++;
}

static void add_bytes(struct parameters *p, const void *bytes, size_t size)
{
    p->types[p->count] = OID_BYTEA;
    p->values[p->count] = size > 0 ? bytes : ""; /* NULL would be the NULL of SQL */
    p->sizes[p->count] = (int)size;
    p->formats[p->count++] = 1;
}

/* $1 to $3 of COLLECT. */
static void add_collecting(struct parameters *p, struct pq_collecting collecting)
{
    double step_s = (double)collecting.keep_ms / 16000.0;
    add_number(p, OID_INT8, collecting.keep_ms);
    add_number(p, OID_INT8, collecting.rows_max);
    snprintf(p->numbers[p->count], sizeof p->numbers[0], "%.3f", step_s < MARK_STEP_S_MAX ? step_s : MARK_STEP_S_MAX);
    p->types[p->count] = OID_FLOAT8;
    p->values[p->count] = p->numbers[p->count];
    p->count++;
}

static PGresult *run(PGconn *db, const char *sql, const struct parameters *p)
{
    return PQexecParams(db, sql, p->count, p->types, p->values, p->sizes, p->formats, 1);
}

/* How many rows a command has changed; it went well. */
static uint32_t changed(PGresult *result)
{
    return (uint32_t)strtoul(PQcmdTuples(result), NULL, 10);
}

/* ---- rows ---- */

static int insert(PGconn *db, const char *key, enum saga_barrier_row state, bool *inserted,
                  char problem[PQ_PROBLEM_SIZE])
{
    struct parameters p = {.count = 0};
    add_text(&p, key);
    add_number(&p, OID_INT2, (int64_t)state);
    PGresult *result =
        run(db, "INSERT INTO saga_barrier (key, state) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", &p);
    *inserted = result != NULL && PQresultStatus(result) == PGRES_COMMAND_OK && changed(result) == 1;
    return finish(db, result, PGRES_COMMAND_OK, problem);
}

static int read_number(const PGresult *result, int column)
{
    uint16_t number;
    memcpy(&number, PQgetvalue(result, 0, column), sizeof number);
    return ntohs(number);
}

/* The result has one row. */
static int read_columns(const PGresult *result, bool with_answer, struct pq_row *row)
{
    row->state = (enum saga_barrier_row)read_number(result, 0);
    row->status = read_number(result, 1);
    size_t size = (size_t)PQgetlength(result, 0, 2);
    memcpy(row->message, PQgetvalue(result, 0, 2), size < sizeof row->message ? size : sizeof row->message - 1);
    size = (size_t)PQgetlength(result, 0, 3);
    if (!with_answer || size == 0)
        return SAGA_OK;
    row->answer = malloc(size);
    if (row->answer == NULL)
        return SAGA_E_RESOURCE_EXHAUSTED;
    memcpy(row->answer, PQgetvalue(result, 0, 3), size);
    row->answer_size = size;
    return SAGA_OK;
}

static int read_row(PGconn *db, const char *key, bool with_answer, bool *found, struct pq_row *row,
                    char problem[PQ_PROBLEM_SIZE])
{
    struct parameters p = {.count = 0};
    add_text(&p, key);
    /* Another statement than the insert, so that at READ COMMITTED it sees what the insert has met. */
    PGresult *result = run(db, "SELECT state, status, message, answer FROM saga_barrier WHERE key = $1", &p);
    *found = false;
    int status = SAGA_OK;
    if (result != NULL && PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        *found = true;
        status = read_columns(result, with_answer, row);
        if (status != SAGA_OK)
            snprintf(problem, PQ_PROBLEM_SIZE, "no memory is left for the stored answer");
    }
    int ended = finish(db, result, PGRES_TUPLES_OK, problem);
    return status != SAGA_OK ? status : ended;
}

int pq_claim(PGconn *db, const char *key, enum saga_barrier_row state, bool with_answer, struct pq_row *row,
             char problem[PQ_PROBLEM_SIZE])
{
    memset(row, 0, sizeof *row);
    for (int round = 0; round < CLAIM_ROUNDS_MAX; round++) {
        bool inserted, found = false;
        int status = insert(db, key, state, &inserted, problem);
        if (status == SAGA_OK && !inserted)
            status = read_row(db, key, with_answer, &found, row, problem);
        if (status != SAGA_OK || inserted || found)
            return status;
    }
    snprintf(problem, PQ_PROBLEM_SIZE, "the row of the key comes and goes");
    return SAGA_E_ABORTED;
}

int pq_settle(PGconn *db, const char *key, const struct pq_row *row, struct pq_collecting collecting,
              char problem[PQ_PROBLEM_SIZE])
{
    struct parameters p = {.count = 0};
    if (collecting.rows_max > 0)
        add_collecting(&p, collecting);
    add_text(&p, key);
    add_number(&p, OID_INT2, (int64_t)row->state);
    add_number(&p, OID_INT2, row->status);
    add_bytes(&p, row->message, strlen(row->message));
    add_bytes(&p, row->answer, row->answer_size);
    const char *sql =
        collecting.rows_max > 0
            ? COLLECT("UPDATE saga_barrier SET state = $5, status = $6, message = $7, answer = $8 WHERE key = $4")
            : "UPDATE saga_barrier SET state = $2, status = $3, message = $4, answer = $5 WHERE key = $1";
    PGresult *result = run(db, sql, &p);
    bool settled = result != NULL && PQresultStatus(result) == PGRES_COMMAND_OK && changed(result) == 1;
    int status = finish(db, result, PGRES_COMMAND_OK, problem);
    if (status != SAGA_OK || settled)
        return status;
    snprintf(problem, PQ_PROBLEM_SIZE, "the call's row has vanished from its own transaction");
    return SAGA_E_INTERNAL;
}

/* Whether a SELECT gives a row. */
static int ask(PGconn *db, const char *sql, const struct parameters *p, bool *yes, char problem[PQ_PROBLEM_SIZE])
{
    PGresult *result = run(db, sql, p);
    *yes = result != NULL && PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0;
    return finish(db, result, PGRES_TUPLES_OK, problem);
}

int pq_has_row(PGconn *db, const char *key, bool *found, char problem[PQ_PROBLEM_SIZE])
{
    struct parameters p = {.count = 0};
    add_text(&p, key);
    return ask(db, "SELECT 1 FROM saga_barrier WHERE key = $1", &p, found, problem);
}

int pq_collected(PGconn *db, int64_t action_started_ms, bool *collected, char problem[PQ_PROBLEM_SIZE])
{
    struct parameters p = {.count = 0};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *collected = false;
    if (action_started_ms <= 0 || action_started_ms > (int64_t)now.tv_sec * 1000 - KEPT_MS_MIN)
        return SAGA_OK;
    add_number(&p, OID_INT8, action_started_ms);
    return ask(db, "SELECT 1 FROM saga_barrier WHERE key = '' AND created_at > to_timestamp($1::bigint / 1000.0)", &p,
               collected, problem);
}

int pq_delete_old(PGconn *db, struct pq_collecting collecting, uint32_t *deleted, char problem[PQ_PROBLEM_SIZE])
{
    struct parameters p = {.count = 0};
    add_collecting(&p, collecting);
    PGresult *result = run(db, COLLECT("SELECT count(*)::bigint FROM old"), &p);
    uint64_t count = 0;
    if (result != NULL && PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
        memcpy(&count, PQgetvalue(result, 0, 0), sizeof count);
    *deleted = (uint32_t)be64toh(count);
    return finish(db, result, PGRES_TUPLES_OK, problem);
}
