/* store.c - a participant's database with its connections, and its steps. */
#include "client-lib/pq/pq_inside.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KEEP_MS_MIN     INT64_C(1000)
#define KEEP_MS_MAX     INT64_C(315360000000)
#define KEEP_MS_DEFAULT INT64_C(2592000000)

/* The two functions of a step, as the user of saga_participant_step. */
struct step {
    struct saga_pq *store;
    saga_pq_function action;
    saga_pq_function compensation;
    void *user;
    struct step *next;
};

struct saga_pq {
    char *conninfo;
    struct saga_pq_options options;
    pthread_mutex_t mutex; /* guards idle, idle_count and lent_count */
    pthread_cond_t returned;
    PGconn **idle; /* a stack: connections that are not needed stay at its bottom */
    uint32_t idle_count;
    uint32_t lent_count;
    struct step *steps;
};

static const char schema[] =
    "-- saga_barrier.sql - the barrier's table in a participant's own PostgreSQL database; may be run again.\n"
    "-- One row for each call that was carried out, refused for good, or made void by its undo; and one, with the key "
    "'', whose\n"
    "-- created_at tells up to when rows have been collected.\n"
    "-- The participant's role needs SELECT, INSERT, UPDATE and DELETE on it, and its schema in the search_path.\n"
    "CREATE TABLE IF NOT EXISTS saga_barrier (\n"
    "    key        text COLLATE \"C\" PRIMARY KEY,  -- the idempotency-key of the call\n"
    "    state      smallint NOT NULL              -- 1 done, 2 rejected, 3 void (its undo came first),\n"
    "               CHECK (state BETWEEN 1 AND 4), -- 4 open (begun, and committed without its end)\n"
    "    status     smallint NOT NULL DEFAULT 0,   -- the answer: gRPC status,\n"
    "    message    bytea    NOT NULL DEFAULT '',  -- its message (UTF-8, whatever the database's encoding),\n"
    "    answer     bytea    NOT NULL DEFAULT '',  -- and its bytes\n"
    "    created_at timestamptz NOT NULL DEFAULT clock_timestamp()\n"
    ");\n"
    "-- For collecting the oldest rows.\n"
    "CREATE INDEX IF NOT EXISTS saga_barrier_created_at ON saga_barrier (created_at);\n";

const char *saga_pq_schema(void)
{
    return schema;
}

/* ---- connections ---- */

/* Gives, or NULL without memory; whether it is connected is for the caller to see. */
static PGconn *connect_to(const char *conninfo)
{
    /* What conninfo says comes later and so counts. */
    static const char *const names[] = {"connect_timeout", "fallback_application_name", "dbname", NULL};
    const char *const values[] = {"10", "libsaga", conninfo, NULL};
    return PQconnectdbParams(names, values, 1);
}

/* Whether the server has not closed it meanwhile. What has arrived unasked is read: a farewell, and then the end, take two rounds. */
static bool is_alive(PGconn *db)
{
    struct pollfd pollfd = {.fd = PQsocket(db), .events = POLLIN};
    for (int i = 0; i < 4 && poll(&pollfd, 1, 0) == 1; i++)
        if (PQconsumeInput(db) != 1)
            return false;
    return PQstatus(db) == CONNECTION_OK;
}

static struct timespec time_in(int64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + ms % 1000 * 1000000;
    at.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    return at;
}

/* Takes the right to use a connection, with an idle one in *db or NULL there when one has to be made. False when there was none in time;
 * wait_ms of INT64_MAX waits for ever. */
static bool admit(struct saga_pq *s, int64_t wait_ms, PGconn **db)
{
    bool for_ever = wait_ms == INT64_MAX;
    struct timespec deadline = time_in(for_ever ? 0 : wait_ms);
    int failed = 0;
    *db = NULL;
    pthread_mutex_lock(&s->mutex);
    while (s->lent_count == s->options.connections_max && failed == 0)
        failed = for_ever ? pthread_cond_wait(&s->returned, &s->mutex)
                          : pthread_cond_timedwait(&s->returned, &s->mutex, &deadline);
    bool admitted = s->lent_count < s->options.connections_max;
    if (admitted) {
        s->lent_count++;
        if (s->idle_count > 0)
            *db = s->idle[--s->idle_count];
    }
    pthread_mutex_unlock(&s->mutex);
    return admitted;
}

/* db may be NULL, or lost. */
static void give_back(struct saga_pq *s, PGconn *db)
{
    if (db != NULL && PQtransactionStatus(db) != PQTRANS_IDLE) { /* which no connection that is lost is */
        PQfinish(db);
        db = NULL;
    }
    pthread_mutex_lock(&s->mutex);
    s->lent_count--;
    if (db != NULL)
        s->idle[s->idle_count++] = db;
    pthread_cond_signal(&s->returned);
    pthread_mutex_unlock(&s->mutex);
}

static PGconn *take(struct saga_pq *s, int64_t wait_ms)
{
    PGconn *db;
    if (!admit(s, wait_ms, &db))
        return NULL;
    if (db != NULL && !is_alive(db)) {
        PQfinish(db);
        db = NULL;
    }
    if (db == NULL)
        db = connect_to(s->conninfo);
    if (db == NULL || PQstatus(db) != CONNECTION_OK) {
        give_back(s, db);
        return NULL;
    }
    return db;
}

PGconn *saga_pq_take(saga_pq *store)
{
    return take(store, INT64_MAX);
}

void saga_pq_give(saga_pq *store, PGconn *db)
{
    if (db != NULL)
        give_back(store, db);
}

/* ---- opening ---- */

static int refuse(struct saga_error *error, const char *field, const char *text)
{
    return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, field, text);
}

static int read_options(struct saga_pq_options *o, struct saga_error *error)
{
    for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
        if (o->reserved[i] != 0)
            return refuse(error, "reserved", "reserved must be 0");
    if (o->keep_ms == 0)
        o->keep_ms = KEEP_MS_DEFAULT;
    if (o->connections_max == 0)
        o->connections_max = 8;
    if (o->collect_rows == 0)
        o->collect_rows = 4;
    if (o->keep_ms < KEEP_MS_MIN || o->keep_ms > KEEP_MS_MAX)
        return refuse(error, "keep_ms", "keep_ms is 1000 to 315360000000");
    if (o->connections_max > 1024)
        return refuse(error, "connections_max", "connections_max is 1 to 1024");
    if (o->collect_rows < 2 || o->collect_rows > 1000)
        return refuse(error, "collect_rows", "collect_rows is 2 to 1000");
    return SAGA_OK;
}

/* Connects once, so that what is wrong shows at the start and not with the first call. */
static int try_database(struct saga_pq *s, struct saga_error *error)
{
    PGconn *db = connect_to(s->conninfo);
    if (db == NULL)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    int code = SAGA_OK;
    if (PQstatus(db) != CONNECTION_OK) {
        code = saga_error_set(error, SAGA_E_UNAVAILABLE, SAGA_REASON_SYSTEM, "conninfo", PQerrorMessage(db));
    } else {
        PGresult *result =
            PQexec(db, "SELECT key, state, status, message, answer, created_at FROM saga_barrier LIMIT 0");
        if (PQresultStatus(result) != PGRES_TUPLES_OK)
            code = saga_error_set(error, SAGA_E_FAILED_PRECONDITION, SAGA_REASON_SYSTEM, NULL,
                                  "the table saga_barrier cannot be read: create it with saga_barrier.sql");
        PQclear(result);
    }
    if (code == SAGA_OK)
        s->idle[s->idle_count++] = db;
    else
        PQfinish(db);
    return code;
}

int saga_pq_open(const char *conninfo, const struct saga_pq_options *options, saga_pq **out, struct saga_error *error)
{
    *out = NULL;
    struct saga_pq *s = calloc(1, sizeof *s);
    if (s == NULL)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->returned, &monotonic);
    pthread_condattr_destroy(&monotonic);

    if (options != NULL)
        s->options = *options;
    int code = read_options(&s->options, error);
    if (code == SAGA_OK) {
        s->conninfo = strdup(conninfo != NULL ? conninfo : "");
        s->idle = calloc(s->options.connections_max, sizeof(PGconn *));
        if (s->conninfo == NULL || s->idle == NULL)
            code = saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    }
    if (code == SAGA_OK)
        code = try_database(s, error);
    if (code != SAGA_OK) {
        saga_pq_close(s);
        return code;
    }
    *out = s;
    return SAGA_OK;
}

void saga_pq_close(saga_pq *store)
{
    if (store == NULL)
        return;
    while (store->idle_count > 0)
        PQfinish(store->idle[--store->idle_count]);
    while (store->steps != NULL) {
        struct step *step = store->steps;
        store->steps = step->next;
        free(step);
    }
    pthread_cond_destroy(&store->returned);
    pthread_mutex_destroy(&store->mutex);
    free(store->idle);
    free(store->conninfo);
    free(store);
}

/* ---- steps ---- */

int saga_pq_run(saga_pq *store, saga_call *call, saga_pq_function function, void *user)
{
    PGconn *db = take(store, saga_call_time_left_ms(call));
    if (db == NULL)
        return saga_call_fail(call, SAGA_E_UNAVAILABLE, "there is no connection to the participant's database");
    struct pq_collecting collecting = {.keep_ms = store->options.keep_ms, .rows_max = store->options.collect_rows};
    int status = pq_barrier_call(db, call, function, user, collecting);
    give_back(store, db);
    return status;
}

static int run_action(saga_call *call, void *user)
{
    struct step *step = user;
    return saga_pq_run(step->store, call, step->action, step->user);
}

static int run_compensation(saga_call *call, void *user)
{
    struct step *step = user;
    return saga_pq_run(step->store, call, step->compensation, step->user);
}

int saga_pq_step(saga_participant *participant, saga_pq *store, const char *action_method, saga_pq_function action,
                 const char *compensation_method, saga_pq_function compensation, void *user, struct saga_error *error)
{
    struct step *step = malloc(sizeof *step);
    if (step == NULL)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    *step = (struct step){
        .store = store, .action = action, .compensation = compensation, .user = user, .next = store->steps};
    int code = saga_participant_step(participant, action_method, action != NULL ? run_action : NULL,
                                     compensation_method, compensation != NULL ? run_compensation : NULL, step, error);
    if (code != SAGA_OK) {
        free(step);
        return code;
    }
    store->steps = step;
    return SAGA_OK;
}

int saga_pq_collect(PGconn *db, int64_t keep_ms, uint32_t rows_max, uint32_t *collected, struct saga_error *error)
{
    char problem[PQ_PROBLEM_SIZE];
    uint32_t deleted;
    if (keep_ms < KEEP_MS_MIN || keep_ms > KEEP_MS_MAX)
        return refuse(error, "keep_ms", "keep_ms is 1000 to 315360000000");
    int code = pq_delete_old(db, (struct pq_collecting){.keep_ms = keep_ms, .rows_max = rows_max}, &deleted, problem);
    if (collected != NULL)
        *collected = deleted;
    return code == SAGA_OK ? SAGA_OK : saga_error_set(error, code, SAGA_REASON_SYSTEM, NULL, problem);
}
