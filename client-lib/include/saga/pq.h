/* pq.h - the barrier in a participant's own PostgreSQL database (libsaga-pq; link with -lsaga-pq -lsaga -lpq).
 *
 *   static int reserve(saga_call *call, PGconn *db, void *user) { ... UPDATE stock ...; return saga_call_reply(call, answer, size); }
 *
 *   saga_pq_open("dbname=shop", NULL, &store, &error);
 *   saga_pq_step(participant, store, "/shop.v1.Inventory/Reserve", reserve, "/shop.v1.Inventory/Release", release, NULL, &error);
 *
 * The function's changes and the barrier's rows (table saga_barrier, to be created with saga_barrier.sql) are one transaction, at READ
 * COMMITTED. What that gives, what a function's status does to the transaction, and what is answered without the function is as in
 * <saga/sqlite.h>; besides,
 *   ABORTED       the transaction lost against another one (deadlock, serialization failure): try again
 *   UNAVAILABLE   no connection, or a lock was not got within the call's deadline
 *
 * Two attempts of one call meet at the primary key: the second waits until the first has committed or rolled back. No row of the table
 * changes once it is committed, so nothing else need be locked. */
#ifndef SAGA_PQ_H
#define SAGA_PQ_H

#include <libpq-fe.h>
#include <stdint.h>
#include <saga/error.h>
#include <saga/export.h>
#include <saga/participant.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Carries out an action or a compensation inside the barrier's transaction on db. It must not begin, commit or roll back a transaction;
 * savepoints of its own are fine. Within it lock_timeout is what is left of the call's deadline. */
typedef int (*saga_pq_function)(saga_call *call, PGconn *db, void *user);

/* ---- connections of the library ---- */

/* A database with a few connections, each used by one thread at a time, reconnected when lost. */
typedef struct saga_pq saga_pq;

/* 0 (or NULL) takes the default. A value out of bounds is INVALID_ARGUMENT with the field's name. */
struct saga_pq_options {
    int64_t
        keep_ms; /* how long the rows of a call are kept: longer than any saga can last, its dead letters included. 1000 (a second)
                                 to 315360000000 (ten years), default 2592000000 (30 days) */
    uint32_t connections_max; /* 1 to 1024, default 8; as many as the participant has threads is a good number */
    uint32_t
        collect_rows; /* old rows that a call may delete in its own transaction; 2 to 1000, default 4. A call adds two at most */
    uint64_t reserved[4]; /* must be 0 */
};

/* Connects once, and checks that the barrier's table is there. conninfo is as for PQconnectdb (give keepalives or tcp_user_timeout when the
 * server is another machine); it and options are copied. Gives *out. Fails with INVALID_ARGUMENT, UNAVAILABLE (no connection),
 * FAILED_PRECONDITION (no table) or RESOURCE_EXHAUSTED. Thread-safe. */
SAGA_API int saga_pq_open(const char *conninfo, const struct saga_pq_options *options, saga_pq **out,
                          struct saga_error *error);

/* As saga_participant_step, with both functions behind the barrier in store, which must outlive the participant. A method belongs to one
 * step only. */
SAGA_API int saga_pq_step(saga_participant *participant, saga_pq *store, const char *action_method,
                          saga_pq_function action, const char *compensation_method, saga_pq_function compensation,
                          void *user, struct saga_error *error);

/* Runs one call behind the barrier, from a step function of one's own. Returns what that function is to return. Thread-safe. */
SAGA_API int saga_pq_run(saga_pq *store, saga_call *call, saga_pq_function function, void *user);

/* Waits for a connection and lends it, for the participant's own queries; NULL when none can be made. No transaction may be open when it is
 * given back. Not inside a function that runs behind the barrier. Thread-safe. */
SAGA_API PGconn *saga_pq_take(saga_pq *store);
SAGA_API void saga_pq_give(saga_pq *store, PGconn *db);

/* Closes the connections. Every participant that uses store must have been closed. Accepts NULL. */
SAGA_API void saga_pq_close(saga_pq *store);

/* ---- a connection of one's own ---- */

/* The same on a connection that the caller has for itself, with no transaction open. The table must be there; nothing is collected.
 * Thread-safe for different connections. */
SAGA_API int saga_pq_call(PGconn *db, saga_call *call, saga_pq_function function, void *user);

/* Deletes at most rows_max of the oldest rows, those that are older than keep_ms, in a transaction of its own. *collected (may be NULL) says
 * how many. Fails with INVALID_ARGUMENT, or as saga_pq_call. */
SAGA_API int saga_pq_collect(PGconn *db, int64_t keep_ms, uint32_t rows_max, uint32_t *collected,
                             struct saga_error *error);

/* The text of saga_barrier.sql, for programs that set up their own schema. A view, valid for ever. Thread-safe. */
SAGA_API const char *saga_pq_schema(void);

#ifdef __cplusplus
}
#endif

#endif
