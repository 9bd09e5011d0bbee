/* shop.h - what the three services of the shop share: options, a ledger that can be audited, and serving.
 *
 * A service is one table of two functions. Each of them changes the service's own tables; the ledger's line is written beside it in the same
 * transaction, and the barrier of libsaga-sqlite sees to it that both happen once. */
#ifndef SHOP_H
#define SHOP_H

#include <saga/participant.h>
#include <saga/sqlite.h>

#include "checkout.pb-c.h"

/* Carries out one call for its order: returns as a saga_sqlite_function. */
typedef int (*shop_function)(saga_call *call, sqlite3 *db, const Shop__V1__Order *order);

struct shop_side {
    const char *method;    /* "/shop.v1.Payment/Charge" */
    const char *beginning; /* "charging": the word on stdout when a call arrives, */
    const char *ended;     /* "charged": and when it is answered */
    shop_function function;
};

struct shop_service {
    const char *name;
    const char *schema; /* of its own tables; may be run again */
    struct shop_side action;
    struct shop_side compensation;
    /* Whether the service's own tables agree with its ledger; says why not on stderr. */
    bool (*balances)(sqlite3 *db);
};

/* The program of a service: reads the options, then serves or audits. Returns the exit status: 0, 1 (failed, or the audit found something) or
 * 2 (bad options). */
int shop_main(int argc, char **argv, const struct shop_service *service);

/* What --limit-cents says: payments above it are declined. */
uint64_t shop_limit_cents(void);

/* What --stock says: how many of each article there are at first. */
int64_t shop_stock(void);

/* Runs a statement with one text and up to two numbers bound to ?1, ?2 and ?3. Returns the first column of the first row, 0 without rows, or
 * -1 when the database fails. */
int64_t shop_query(sqlite3 *db, const char *sql, const char *text, int64_t second, int64_t third);

/* Replies with a message and returns SAGA_OK, or a failure. */
int shop_reply(saga_call *call, const ProtobufCMessage *message);

/* ---- the ledger (ledger.c) ---- */

/* Creates its table. */
extern const char shop_ledger_schema[];

/* Writes a line: the saga's action or compensation was carried out. Returns false when the database fails. */
bool shop_ledger_write(saga_call *call, sqlite3 *db, const Shop__V1__Order *order);

/* Prints the ledger on stderr and a line of JSON that sums it up on stdout. Returns whether nothing was done twice, undone twice, or undone
 * without having been done, and the service's own tables agree. */
bool shop_ledger_audit(sqlite3 *db, const struct shop_service *service);

#endif
