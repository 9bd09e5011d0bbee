/* shipping.c - the service that sends parcels. An order without an address cannot be shipped. */
#include "shop.h"

#include <inttypes.h>
#include <stdio.h>

static const char schema[] = "CREATE TABLE IF NOT EXISTS parcel (saga_id TEXT NOT NULL, address TEXT NOT NULL);";

static int database_fails(saga_call *call, sqlite3 *db)
{
    return saga_call_fail(call, SAGA_E_UNAVAILABLE, "the database: %s", sqlite3_errmsg(db));
}

static int ship(saga_call *call, sqlite3 *db, const Shop__V1__Order *order)
{
    const char *saga_id = saga_call_info(call)->saga_id;
    if (order->address[0] == '\0')
        return saga_call_fail(call, SAGA_E_FAILED_PRECONDITION, "the order has no address");
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, "INSERT INTO parcel VALUES (?1, ?2)", -1, &statement, NULL) != SQLITE_OK)
        return database_fails(call, db);
    sqlite3_bind_text(statement, 1, saga_id, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, order->address, -1, SQLITE_STATIC);
    sqlite3_step(statement);
    if (sqlite3_finalize(statement) != SQLITE_OK)
        return database_fails(call, db);

    Shop__V1__Shipment answer = SHOP__V1__SHIPMENT__INIT;
    answer.tracking_id = (char *)(uintptr_t)saga_id;
    return shop_reply(call, &answer.base);
}

static int recall_parcel(saga_call *call, sqlite3 *db, const Shop__V1__Order *order)
{
    (void)order;
    if (shop_query(db, "DELETE FROM parcel WHERE saga_id = ?1", saga_call_info(call)->saga_id, 0, 0) != 0)
        return database_fails(call, db);
    return saga_call_reply(call, NULL, 0);
}

static bool balances(sqlite3 *db)
{
    int64_t unheld = shop_query(db,
                                "SELECT (SELECT count(*) FROM parcel) -"
                                " (SELECT coalesce(sum(CASE undo WHEN 0 THEN 1 ELSE -1 END), 0) FROM ledger)",
                                NULL, 0, 0);
    if (unheld != 0)
        fprintf(stderr, "shipping: the parcels do not balance: %" PRId64 "\n", unheld);
    return unheld == 0;
}

int main(int argc, char **argv)
{
    static const struct shop_service service = {
        .name = "shipping",
        .schema = schema,
        .action = {"/shop.v1.Shipping/Ship", "shipping", "shipped", ship},
        .compensation = {"/shop.v1.Shipping/Recall", "recalling", "recalled", recall_parcel},
        .balances = balances,
    };
    return shop_main(argc, argv, &service);
}
