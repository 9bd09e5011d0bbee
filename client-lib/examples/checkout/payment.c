/* payment.c - the service that charges cards. A card is declined above a limit. */
#include "shop.h"

#include <inttypes.h>
#include <stdio.h>

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS account (card TEXT PRIMARY KEY, balance_cents INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS charge (saga_id TEXT NOT NULL, card TEXT NOT NULL, amount_cents INTEGER NOT NULL);";

static int database_fails(saga_call *call, sqlite3 *db)
{
    return saga_call_fail(call, SAGA_E_UNAVAILABLE, "the database: %s", sqlite3_errmsg(db));
}

static int charge(saga_call *call, sqlite3 *db, const Shop__V1__Order *order)
{
    const char *saga_id = saga_call_info(call)->saga_id;
    if (order->amount_cents == 0 || order->amount_cents > INT64_MAX || order->card[0] == '\0')
        return saga_call_fail(call, SAGA_E_INVALID_ARGUMENT, "an order needs a card and an amount");
    int64_t amount = (int64_t)order->amount_cents;
    /* The money moves before the limit is looked at: the barrier takes back what a refusal has changed. */
    if (shop_query(
            db,
            "INSERT INTO account VALUES (?1, -?2) ON CONFLICT (card) DO UPDATE SET balance_cents = balance_cents - ?2",
            order->card, amount, 0) != 0)
        return database_fails(call, db);
    if (order->amount_cents > shop_limit_cents())
        return saga_call_fail(call, SAGA_E_FAILED_PRECONDITION,
                              "card declined: %" PRIu64 " cents are over the limit of %" PRIu64, order->amount_cents,
                              shop_limit_cents());
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, "INSERT INTO charge VALUES (?1, ?2, ?3)", -1, &statement, NULL) != SQLITE_OK)
        return database_fails(call, db);
    sqlite3_bind_text(statement, 1, saga_id, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, order->card, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, amount);
    sqlite3_step(statement);
    if (sqlite3_finalize(statement) != SQLITE_OK)
        return database_fails(call, db);

    Shop__V1__Receipt answer = SHOP__V1__RECEIPT__INIT;
    answer.charge_id = (char *)(uintptr_t)saga_id;
    answer.amount_cents = order->amount_cents;
    return shop_reply(call, &answer.base);
}

static int refund(saga_call *call, sqlite3 *db, const Shop__V1__Order *order)
{
    const char *saga_id = saga_call_info(call)->saga_id;
    (void)order;
    if (shop_query(db,
                   "UPDATE account SET balance_cents = balance_cents + c.amount FROM"
                   " (SELECT card, sum(amount_cents) AS amount FROM charge WHERE saga_id = ?1 GROUP BY card) AS c"
                   " WHERE account.card = c.card",
                   saga_id, 0, 0) != 0 ||
        shop_query(db, "DELETE FROM charge WHERE saga_id = ?1", saga_id, 0, 0) != 0)
        return database_fails(call, db);
    return saga_call_reply(call, NULL, 0);
}

static bool balances(sqlite3 *db)
{
    int64_t astray =
        shop_query(db,
                   "SELECT count(*) FROM account WHERE balance_cents !="
                   " -(SELECT coalesce(sum(amount_cents), 0) FROM charge WHERE charge.card = account.card)",
                   NULL, 0, 0);
    int64_t unheld = shop_query(db,
                                "SELECT (SELECT count(*) FROM charge) -"
                                " (SELECT coalesce(sum(CASE undo WHEN 0 THEN 1 ELSE -1 END), 0) FROM ledger)",
                                NULL, 0, 0);
    if (astray != 0 || unheld != 0)
        fprintf(stderr, "payment: the money does not balance: %" PRId64 " cards, %" PRId64 " charges\n", astray,
                unheld);
    return astray == 0 && unheld == 0;
}

int main(int argc, char **argv)
{
    static const struct shop_service service = {
        .name = "payment",
        .schema = schema,
        .action = {"/shop.v1.Payment/Charge", "charging", "charged", charge},
        .compensation = {"/shop.v1.Payment/Refund", "refunding", "refunded", refund},
        .balances = balances,
    };
    return shop_main(argc, argv, &service);
}
