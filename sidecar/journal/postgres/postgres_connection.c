/* postgres_connection.c - a connection to the server, and what is asked of it one thing after another, with every wait ended by our own clock. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include <poll.h>
#include <stdlib.h>

/* How often a wait looks whether it is to be given up. */
#define LOOK_MS 50

void connection_error(const PGconn *db, struct error_detail *detail)
{
    char text[sizeof detail->text];
    snprintf(text, sizeof text, "%s", PQerrorMessage(db));
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\n' || *at == '\t')
            *at = at[1] == '\0' ? '\0' : ' ';
    error_set(detail, E_JOURNAL_AWAY, "", text[0] != '\0' ? text : "the connection was lost");
}

/* Waits for the socket. Returns false when the time is over, or when it is to stop. */
static bool wait_for(const PGconn *db, short events, int64_t until_us, bool (*stop)(void *self), void *self)
{
    for (;;) {
        struct pollfd at = {.fd = PQsocket(db), .events = events};
        int64_t left_ms = (until_us - pg_now()) / 1000;
        if (left_ms <= 0 || (stop != NULL && stop(self)))
            return false;
        int found = poll(&at, 1, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS);
        if (found > 0)
            return true;
    }
}

static void say_nothing(void *self, const char *notice)
{
    (void)self;
    (void)notice;
}

PGconn *connection_open(const char *conninfo, int64_t until_us, bool (*stop)(void *self), void *self,
                        struct error_detail *detail)
{
    const char *const words[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
    const char *const values[] = {conninfo, "sagad", "UTF8", NULL};
    PGconn *db = PQconnectStartParams(words, values, 1);
    if (db == NULL) {
        error_set(detail, E_MEMORY, "", NULL);
        return NULL;
    }
    PQsetNoticeProcessor(db, say_nothing,
                         NULL); /* or libpq would write to standard error what a server says as it ends */
    PostgresPollingStatusType status = PQstatus(db) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
        if (!wait_for(db, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_us, stop, self)) {
            error_set(detail, E_JOURNAL_AWAY, "", "the database server does not answer");
            PQfinish(db);
            return NULL;
        }
        status = PQconnectPoll(db);
    }
    if (status == PGRES_POLLING_OK)
        return db;
    connection_error(db, detail);
    PQfinish(db);
    return NULL;
}

PGresult *connection_answer(PGconn *db, int64_t until_us, bool (*stop)(void *self), void *self)
{
    PGresult *answer = NULL;
    for (;;) {
        while (PQflush(db) == 1)
            if (!wait_for(db, POLLIN | POLLOUT, until_us, stop, self) || PQconsumeInput(db) == 0)
                break;
        while (PQisBusy(db))
            if (!wait_for(db, POLLIN, until_us, stop, self) || PQconsumeInput(db) == 0) {
                PQclear(answer);
                return NULL;
            }
        PGresult *next = PQgetResult(db);
        if (next == NULL)
            return answer;
        PQclear(answer);
        answer = next;
    }
}
