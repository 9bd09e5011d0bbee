/* store.c - a participant's database with one connection that threads take turns with, and its steps. */
#include "client-lib/sqlite/sqlite_inside.h"

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
    struct saga_sqlite *store;
    saga_sqlite_function action;
    saga_sqlite_function compensation;
    void *user;
    struct step *next;
};

struct saga_sqlite {
    sqlite3 *db;
    struct saga_sqlite_options options;
    pthread_mutex_t mutex; /* guards busy */
    pthread_cond_t idle;
    bool busy; /* somebody has the connection */
    struct step *steps;
};

static const char schema[] =
    "-- saga_barrier.sql - the barrier's table in a participant's own SQLite database; may be run again.\n"
    "-- One row for each call that was carried out, refused for good, or made void by its undo; and one, with the key "
    "'', whose\n"
    "-- created_at tells up to when rows have been collected.\n"
    "CREATE TABLE IF NOT EXISTS saga_barrier (\n"
    "    id         INTEGER PRIMARY KEY,         -- in order of arrival: the oldest are found without an index\n"
    "    key        TEXT    NOT NULL UNIQUE,     -- the idempotency-key of the call\n"
    "    state      INTEGER NOT NULL             -- 1 done, 2 rejected, 3 void (its undo came first),\n"
    "               CHECK (state BETWEEN 1 AND 4), -- 4 open (begun, and committed without its end)\n"
    "    status     INTEGER NOT NULL DEFAULT 0,  -- the answer: gRPC status,\n"
    "    message    TEXT    NOT NULL DEFAULT '', -- its message,\n"
    "    answer     BLOB    NOT NULL DEFAULT x'',-- and its bytes\n"
    "    created_at INTEGER NOT NULL             -- seconds since 1970\n"
    ");\n";

const char *saga_sqlite_schema(void)
{
    return schema;
}

/* ---- opening ---- */

static int refuse(struct saga_error *error, const char *field, const char *text)
{
    return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, field, text);
}

static int read_options(struct saga_sqlite_options *o, struct saga_error *error)
{
    for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
        if (o->reserved[i] != 0)
            return refuse(error, "reserved", "reserved must be 0");
    if (o->keep_ms == 0)
        o->keep_ms = KEEP_MS_DEFAULT;
    if (o->busy_timeout_ms == 0)
        o->busy_timeout_ms = 5000;
    if (o->collect_rows == 0)
        o->collect_rows = 4;
    if (o->keep_ms < KEEP_MS_MIN || o->keep_ms > KEEP_MS_MAX)
        return refuse(error, "keep_ms", "keep_ms is 1000 to 315360000000");
    if (o->busy_timeout_ms > 600000)
        return refuse(error, "busy_timeout_ms", "busy_timeout_ms is 1 to 600000");
    if (o->collect_rows < 2 || o->collect_rows > 1000)
        return refuse(error, "collect_rows", "collect_rows is 2 to 1000");
    return SAGA_OK;
}

/* The error of the database as one of the library. */
static int database_error(sqlite3 *db, int result, const char *doing, struct saga_error *error)
{
    char text[256];
    snprintf(text, sizeof text, "%s: %s", doing, db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(result));
    return saga_error_set(error, sqlite_status(result), SAGA_REASON_SYSTEM, NULL, text);
}

static int open_database(struct saga_sqlite *s, const char *path, struct saga_error *error)
{
    int result = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_busy_timeout(s->db, (int)s->options.busy_timeout_ms);
    if (result == SQLITE_OK)
        result = sqlite_execute(s->db, "PRAGMA journal_mode = WAL");
    if (result == SQLITE_OK)
        result = sqlite_execute(s->db, "PRAGMA synchronous = FULL");
    if (result == SQLITE_OK)
        result = sqlite_execute(s->db, schema);
    return result == SQLITE_OK ? SAGA_OK : database_error(s->db, result, path, error);
}

int saga_sqlite_open(const char *path, const struct saga_sqlite_options *options, saga_sqlite **out,
                     struct saga_error *error)
{
    *out = NULL;
    if (path == NULL || path[0] == '\0')
        return refuse(error, "path", "a path is needed");
    struct saga_sqlite *s = calloc(1, sizeof *s);
    if (s == NULL)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);

    if (options != NULL)
        s->options = *options;
    int code = read_options(&s->options, error);
    if (code == SAGA_OK)
        code = open_database(s, path, error);
    if (code != SAGA_OK) {
        saga_sqlite_close(s);
        return code;
    }
    *out = s;
    return SAGA_OK;
}

void saga_sqlite_close(saga_sqlite *store)
{
    if (store == NULL)
        return;
    while (store->steps != NULL) {
        struct step *step = store->steps;
        store->steps = step->next;
        free(step);
    }
    sqlite3_close_v2(store->db);
    pthread_cond_destroy(&store->idle);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

/* ---- taking turns ---- */

static struct timespec time_in(int64_t ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + ms % 1000 * 1000000;
    at.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    return at;
}

/* Takes the connection; false when it was not free in time. wait_ms of INT64_MAX waits for ever. */
static bool take(struct saga_sqlite *s, int64_t wait_ms)
{
    bool for_ever = wait_ms == INT64_MAX;
    struct timespec deadline = time_in(for_ever ? 0 : wait_ms);
    int failed = 0;
    pthread_mutex_lock(&s->mutex);
    while (s->busy && failed == 0)
        failed =
            for_ever ? pthread_cond_wait(&s->idle, &s->mutex) : pthread_cond_timedwait(&s->idle, &s->mutex, &deadline);
    bool taken = !s->busy;
    s->busy = true;
    pthread_mutex_unlock(&s->mutex);
    return taken;
}

static void give_back(struct saga_sqlite *s)
{
    pthread_mutex_lock(&s->mutex);
    s->busy = false;
    pthread_cond_signal(&s->idle);
    pthread_mutex_unlock(&s->mutex);
}

sqlite3 *saga_sqlite_lock(saga_sqlite *store)
{
    take(store, INT64_MAX);
    /* The last call has left what remained of its deadline there, or whoever had it before what suited him. */
    sqlite3_busy_timeout(store->db, (int)store->options.busy_timeout_ms);
    return store->db;
}

void saga_sqlite_unlock(saga_sqlite *store)
{
    give_back(store);
}

/* ---- steps ---- */

int saga_sqlite_run(saga_sqlite *store, saga_call *call, saga_sqlite_function function, void *user)
{
    if (!take(store, saga_call_time_left_ms(call)))
        return saga_call_fail(call, SAGA_E_UNAVAILABLE,
                              "the participant's database was busy until the call's deadline");
    int64_t left = saga_call_time_left_ms(call);
    uint32_t wait = store->options.busy_timeout_ms;
    sqlite3_busy_timeout(store->db, left < wait ? (int)left : (int)wait);
    struct sqlite_collecting collecting = {.keep_ms = store->options.keep_ms, .rows_max = store->options.collect_rows};
    int status = sqlite_barrier_call(store->db, call, function, user, collecting);
    give_back(store);
    return status;
}

static int run_action(saga_call *call, void *user)
{
    struct step *step = user;
    return saga_sqlite_run(step->store, call, step->action, step->user);
}

static int run_compensation(saga_call *call, void *user)
{
    struct step *step = user;
    return saga_sqlite_run(step->store, call, step->compensation, step->user);
}

int saga_sqlite_step(saga_participant *participant, saga_sqlite *store, const char *action_method,
                     saga_sqlite_function action, const char *compensation_method, saga_sqlite_function compensation,
                     void *user, struct saga_error *error)
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

int saga_sqlite_collect(sqlite3 *db, int64_t keep_ms, uint32_t rows_max, uint32_t *collected, struct saga_error *error)
{
    if (keep_ms < KEEP_MS_MIN || keep_ms > KEEP_MS_MAX)
        return refuse(error, "keep_ms", "keep_ms is 1000 to 315360000000");
    uint32_t deleted = 0;
    int result = sqlite_execute(db, "BEGIN IMMEDIATE");
    if (result == SQLITE_OK)
        result = sqlite_delete_old(db, (struct sqlite_collecting){.keep_ms = keep_ms, .rows_max = rows_max}, &deleted);
    if (result == SQLITE_OK)
        result = sqlite_execute(db, "COMMIT");
    /* The error is the first statement's. */
    int code = result == SQLITE_OK ? SAGA_OK : database_error(db, result, "collecting the barrier's rows", error);
    if (code != SAGA_OK && sqlite3_get_autocommit(db) == 0)
        sqlite_execute(db, "ROLLBACK");
    if (collected != NULL)
        *collected = code == SAGA_OK ? deleted : 0;
    return code;
}
