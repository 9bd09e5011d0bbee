/* participant.c - a service whose one step can be done and undone: the smallest participant. See docs/participants.md.
 *
 *   participant 127.0.0.1:50051 tickets.db
 *
 * The request of both methods is the number of tickets as text. */
#include <saga/participant.h>
#include <saga/sqlite.h>

#include <stdio.h>
#include <string.h>

static const char schema[] = "CREATE TABLE IF NOT EXISTS tickets (free INTEGER NOT NULL CHECK (free >= 0));"
                             "INSERT INTO tickets SELECT 100 WHERE NOT EXISTS (SELECT * FROM tickets)";

/* Takes what the request says off the free tickets, times sign. It runs inside a transaction, at most once for a call. */
static int change(saga_call *call, sqlite3 *db, int sign)
{
    const struct saga_call_info *info = saga_call_info(call);
    char text[8] = "", sql[96];
    int count;
    if (info->request_size > 0 && info->request_size < sizeof text)
        memcpy(text, info->request, info->request_size);
    if (sscanf(text, "%4d", &count) != 1 || count < 1)
        return saga_call_fail(call, SAGA_E_INVALID_ARGUMENT, "the request is a number of tickets");
    snprintf(sql, sizeof sql, "UPDATE tickets SET free = free - %d", sign * count);
    int result = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (result == SQLITE_CONSTRAINT)
        return saga_call_fail(call, SAGA_E_FAILED_PRECONDITION, "not enough tickets are left");
    if (result != SQLITE_OK)
        return saga_call_fail(call, SAGA_E_UNAVAILABLE, "%s", sqlite3_errmsg(db));
    return saga_call_reply(call, "done", 4);
}

static int book(saga_call *call, sqlite3 *db, void *user)
{
    (void)user;
    return change(call, db, 1);
}

static int cancel(saga_call *call, sqlite3 *db, void *user)
{
    (void)user;
    return change(call, db, -1);
}

int main(int argc, char **argv)
{
    struct saga_participant_options options = {.address = argc > 1 ? argv[1] : "127.0.0.1:50051"};
    struct saga_error error;
    saga_participant *participant = NULL;
    saga_sqlite *store = NULL;
    int code = saga_sqlite_open(argc > 2 ? argv[2] : "tickets.db", NULL, &store, &error);
    if (code == SAGA_OK) {
        sqlite3_exec(saga_sqlite_lock(store), schema, NULL, NULL, NULL);
        saga_sqlite_unlock(store);
        code = saga_participant_open(&options, &participant, &error);
    }
    if (code == SAGA_OK)
        code = saga_sqlite_step(participant, store, "/shop.Tickets/Book", book, "/shop.Tickets/Cancel", cancel, NULL,
                                &error);
    /* Who started it without arguments wants to see it work. */
    if (code == SAGA_OK && argc == 1)
        fprintf(stderr, "serving /shop.Tickets at %s, with tickets.db here; Ctrl-C ends it\n",
                saga_participant_address(participant));
    if (code == SAGA_OK)
        code = saga_participant_run(participant, &error);
    if (code != SAGA_OK)
        fprintf(stderr, "%s\n", error.message);
    saga_participant_close(participant);
    saga_sqlite_close(store);
    return code == SAGA_OK ? 0 : 1;
}
