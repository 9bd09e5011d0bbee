/* sqlite.h - the barrier in a participant's own SQLite database (libsaga-sqlite; link with -lsaga-sqlite -lsaga -lsqlite3).
 *
 *   static int reserve(saga_call *call, sqlite3 *db, void *user) { ... UPDATE stock ...; return saga_call_reply(call, answer, size); }
 *
 *   saga_sqlite_open("inventory.db", NULL, &store, &error);
 *   saga_sqlite_step(participant, store, "/shop.v1.Inventory/Reserve", reserve, "/shop.v1.Inventory/Release", release, NULL, &error);
 *
 * The function's changes and the barrier's rows (table saga_barrier, see saga_barrier.sql) are one transaction. So the function is carried
 * out at most once for a key; a duplicate gets the first answer back, byte for byte; an undo whose action never took effect answers OK
 * without running; an action that comes after its undo is refused.
 *
 * What a function's status does to the transaction:
 *   OK                               everything is kept, with the answer
 *   of an action: INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, FAILED_PRECONDITION, OUT_OF_RANGE, PERMISSION_DENIED, UNIMPLEMENTED,
 *   UNAUTHENTICATED                  the function's changes are rolled back, the refusal is kept: a duplicate gets it again. (So a
 *                                    definition must not list such a status in retryableStatusCodes: the answer will not change.)
 *   any other, and every failure     everything is rolled back: the next attempt runs the function again
 *   of a compensation
 *
 * What is answered without the function having been carried out, beside the replays:
 *   OK, empty            a compensation of an action that never took effect, and never will
 *   FAILED_PRECONDITION  an action whose compensation has been here; a compensation of an action that the caller knows to be done, while
 *                        no row says so (the rows were collected too early, or an older backup was restored: a person has to look); a
 *                        call without a row whose action was first attempted before what has been collected (its row may be gone: likewise)
 *   UNAVAILABLE, RESOURCE_EXHAUSTED   the database is busy, its disk full, ...: try again
 *   INTERNAL             the table is missing, or a row is left over from a function that ended the barrier's transaction by itself;
 *                        a function that left a statement in the middle of its rows, which is named */
#ifndef SAGA_SQLITE_H
#define SAGA_SQLITE_H

#include <sqlite3.h>
#include <stdint.h>
#include <saga/error.h>
#include <saga/export.h>
#include <saga/participant.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Carries out an action or a compensation inside the barrier's transaction on db. It must not begin, commit or roll back a transaction;
 * savepoints of its own are fine. It holds the database's one write lock: slow work that needs none belongs elsewhere. */
typedef int (*saga_sqlite_function)(saga_call *call, sqlite3 *db, void *user);

/* ---- a connection of the library ---- */

/* A database with one connection that threads take turns with: SQLite has one writer at a time anyway. */
typedef struct saga_sqlite saga_sqlite;

/* 0 (or NULL) takes the default. A value out of bounds is INVALID_ARGUMENT with the field's name. */
struct saga_sqlite_options {
    int64_t
        keep_ms; /* how long the rows of a call are kept: longer than any saga can last, its dead letters included. 1000 (a second)
                                 to 315360000000 (ten years), default 2592000000 (30 days) */
    uint32_t
        busy_timeout_ms; /* how long to wait for other connections' locks, within the call's deadline; 1 to 600000, default 5000 */
    uint32_t
        collect_rows; /* old rows that a call may delete in its own transaction; 2 to 1000, default 4. A call adds two at most */
    uint64_t reserved[4]; /* must be 0 */
};

/* Opens (or creates) the database in WAL mode with synchronous=FULL, and creates the barrier's table when it is missing. path and options are
 * copied. Gives *out. Fails with INVALID_ARGUMENT, UNAVAILABLE (the file cannot be opened) or RESOURCE_EXHAUSTED. Thread-safe. */
SAGA_API int saga_sqlite_open(const char *path, const struct saga_sqlite_options *options, saga_sqlite **out,
                              struct saga_error *error);

/* As saga_participant_step, with both functions behind the barrier in store, which must outlive the participant. A method belongs to one
 * step only. */
SAGA_API int saga_sqlite_step(saga_participant *participant, saga_sqlite *store, const char *action_method,
                              saga_sqlite_function action, const char *compensation_method,
                              saga_sqlite_function compensation, void *user, struct saga_error *error);

/* Runs one call behind the barrier, from a step function of one's own. Returns what that function is to return. Thread-safe. */
SAGA_API int saga_sqlite_run(saga_sqlite *store, saga_call *call, saga_sqlite_function function, void *user);

/* Waits for the connection and lends it, for the participant's own queries. No transaction is open, and none may be when it is given back.
 * Not inside a function that runs behind the barrier. Thread-safe. */
SAGA_API sqlite3 *saga_sqlite_lock(saga_sqlite *store);
SAGA_API void saga_sqlite_unlock(saga_sqlite *store);

/* Closes the connection. Every participant that uses store must have been closed. Accepts NULL. */
SAGA_API void saga_sqlite_close(saga_sqlite *store);

/* ---- a connection of one's own ---- */

/* The same on a connection that the caller has for itself, with no transaction open, no statement in the middle of its rows, and a busy timeout that suits. The table must be there;
 * nothing is collected. Thread-safe for different connections. */
SAGA_API int saga_sqlite_call(sqlite3 *db, saga_call *call, saga_sqlite_function function, void *user);

/* Deletes at most rows_max of the oldest rows, those that are older than keep_ms, in a transaction of its own. *collected (may be NULL) says
 * how many. Fails with INVALID_ARGUMENT, UNAVAILABLE, RESOURCE_EXHAUSTED or INTERNAL. */
SAGA_API int saga_sqlite_collect(sqlite3 *db, int64_t keep_ms, uint32_t rows_max, uint32_t *collected,
                                 struct saga_error *error);

/* The text of saga_barrier.sql, for programs that set up their own schema. A view, valid for ever. Thread-safe. */
SAGA_API const char *saga_sqlite_schema(void);

#ifdef __cplusplus
}
#endif

#endif
