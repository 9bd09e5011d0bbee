/* inventory.c - the service that reserves stock for orders. */
#include "shop.h"

#include <inttypes.h>
#include <stdio.h>

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, first INTEGER NOT NULL, free INTEGER NOT NULL CHECK (free "
    ">= 0));"
    "CREATE TABLE IF NOT EXISTS reservation (saga_id TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL);";

static int database_fails(saga_call *call, sqlite3 *db)
{
    return saga_call_fail(call, SAGA_E_UNAVAILABLE, "the database: %s", sqlite3_errmsg(db));
}

static int reserve(saga_call *call, sqlite3 *db, const Shop__V1__Order *order)
{
    const char *saga_id = saga_call_info(call)->saga_id;
    if (order->quantity == 0 || order->sku[0] == '\0')
        return saga_call_fail(call, SAGA_E_INVALID_ARGUMENT, "an order needs an article and a quantity");
    if (shop_query(db, "INSERT INTO stock VALUES (?1, ?2, ?2) ON CONFLICT DO NOTHING", order->sku, shop_stock(), 0) !=
        0)
        return database_fails(call, db);
    int64_t free_now = shop_query(db, "SELECT free FROM stock WHERE sku = ?1", order->sku, 0, 0);
    if (free_now < 0)
        return database_fails(call, db);
    if (free_now < order->quantity)
        return saga_call_fail(call, SAGA_E_FAILED_PRECONDITION, "only %" PRId64 " left of %s", free_now, order->sku);
    if (shop_query(db, "UPDATE stock SET free = free - ?2 WHERE sku = ?1", order->sku, order->quantity, 0) != 0)
        return database_fails(call, db);
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, "INSERT INTO reservation VALUES (?1, ?2, ?3)", -1, &statement, NULL) != SQLITE_OK)
        return database_fails(call, db);
    sqlite3_bind_text(statement, 1, saga_id, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, order->sku, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, order->quantity);
    sqlite3_step(statement);
    if (sqlite3_finalize(statement) != SQLITE_OK)
        return database_fails(call, db);

    Shop__V1__Reservation answer = SHOP__V1__RESERVATION__INIT;
    answer.reservation_id = (char *)(uintptr_t)saga_id;
    answer.left = (uint32_t)(free_now - order->quantity);
    return shop_reply(call, &answer.base);
}

static int release(saga_call *call, sqlite3 *db, const Shop__V1__Order *order)
{
    const char *saga_id = saga_call_info(call)->saga_id;
    (void)order;
    if (shop_query(db,
                   "UPDATE stock SET free = free + r.quantity FROM"
                   " (SELECT sku, sum(quantity) AS quantity FROM reservation WHERE saga_id = ?1 GROUP BY sku) AS r"
                   " WHERE stock.sku = r.sku",
                   saga_id, 0, 0) != 0 ||
        shop_query(db, "DELETE FROM reservation WHERE saga_id = ?1", saga_id, 0, 0) != 0)
        return database_fails(call, db);
    return saga_call_reply(call, NULL, 0);
}

static bool balances(sqlite3 *db)
{
    int64_t astray =
        shop_query(db,
                   "SELECT count(*) FROM stock WHERE first != free +"
                   " (SELECT coalesce(sum(quantity), 0) FROM reservation WHERE reservation.sku = stock.sku)",
                   NULL, 0, 0);
    int64_t unheld = shop_query(db,
                                "SELECT (SELECT count(*) FROM reservation) -"
                                " (SELECT coalesce(sum(CASE undo WHEN 0 THEN 1 ELSE -1 END), 0) FROM ledger)",
                                NULL, 0, 0);
    if (astray != 0 || unheld != 0)
        fprintf(stderr, "inventory: the stock does not balance: %" PRId64 " articles, %" PRId64 " reservations\n",
                astray, unheld);
    return astray == 0 && unheld == 0;
}

int main(int argc, char **argv)
{
    static const struct shop_service service = {
        .name = "inventory",
        .schema = schema,
        .action = {"/shop.v1.Inventory/Reserve", "reserving", "reserved", reserve},
        .compensation = {"/shop.v1.Inventory/Release", "releasing", "released", release},
        .balances = balances,
    };
    return shop_main(argc, argv, &service);
}
