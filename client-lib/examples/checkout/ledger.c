/* ledger.c - the service's own account of what it did, kept without any constraint that would hide a mistake. */
#include "shop.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char shop_ledger_schema[] = "CREATE TABLE IF NOT EXISTS ledger ("
                                  "  id INTEGER PRIMARY KEY, saga_id TEXT NOT NULL, order_id TEXT NOT NULL, undo "
                                  "INTEGER NOT NULL, at_us INTEGER NOT NULL);"
                                  "CREATE INDEX IF NOT EXISTS ledger_saga ON ledger (saga_id);";

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

bool shop_ledger_write(saga_call *call, sqlite3 *db, const Shop__V1__Order *order)
{
    const struct saga_call_info *info = saga_call_info(call);
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, "INSERT INTO ledger (saga_id, order_id, undo, at_us) VALUES (?1, ?2, ?3, ?4)", -1,
                           &statement, NULL) != SQLITE_OK)
        return false;
    sqlite3_bind_text(statement, 1, info->saga_id, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, order->order_id, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 3, info->phase == SAGA_CALL_COMPENSATION);
    sqlite3_bind_int64(statement, 4, now_us());
    int result = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return result == SQLITE_DONE;
}

/* What the lines of one saga come to. */
struct account {
    const char *saga_id, *order_id;
    int64_t done, undone, done_at_us, undone_at_us;
    bool undone_first;
};

struct totals {
    int64_t done, undone, held, done_twice, undone_twice, undone_without_done;
};

static void add(struct totals *t, const struct account *a)
{
    t->done += a->done > 0;
    t->undone += a->undone > 0;
    t->held += a->done > 0 && a->undone == 0;
    t->done_twice += a->done > 1;
    t->undone_twice += a->undone > 1;
    t->undone_without_done += a->undone > 0 && (a->done == 0 || a->undone_first);
}

static void print_line(const struct account *a)
{
    bool wrong = a->done != 1 || a->undone > 1 || a->undone_first;
    fprintf(stderr, "  %-26s %-14s done %lld, undone %lld%s\n", a->saga_id, a->order_id, (long long)a->done,
            (long long)a->undone, wrong ? "   WRONG" : "");
}

/* Prints text as a JSON string. */
static void print_json(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            printf("\\u%04x", (unsigned)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

static void print_account(const struct account *a, bool first)
{
    printf("%s{\"saga_id\": ", first ? "" : ", ");
    print_json(a->saga_id);
    printf(", \"order_id\": ");
    print_json(a->order_id);
    printf(", \"done\": %lld, \"undone\": %lld, \"done_at_us\": %lld, \"undone_at_us\": %lld}", (long long)a->done,
           (long long)a->undone, (long long)a->done_at_us, (long long)a->undone_at_us);
}

bool shop_ledger_audit(sqlite3 *db, const struct shop_service *service)
{
    static const char sql[] = "SELECT saga_id, max(order_id), sum(undo = 0), sum(undo = 1),"
                              " coalesce(min(CASE WHEN undo = 0 THEN at_us END), 0),"
                              " coalesce(min(CASE WHEN undo = 1 THEN at_us END), 0),"
                              " coalesce(min(CASE WHEN undo = 1 THEN id END) < min(CASE WHEN undo = 0 THEN id END), 0)"
                              " FROM ledger GROUP BY saga_id ORDER BY saga_id";
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", service->name, sqlite3_errmsg(db));
        return false;
    }
    struct totals t = {0};
    bool first = true;
    fprintf(stderr, "%s\n", service->name);
    printf("{\"service\": \"%s\", \"sagas\": [", service->name);
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        struct account a = {
            .saga_id = (const char *)sqlite3_column_text(statement, 0),
            .order_id = (const char *)sqlite3_column_text(statement, 1),
            .done = sqlite3_column_int64(statement, 2),
            .undone = sqlite3_column_int64(statement, 3),
            .done_at_us = sqlite3_column_int64(statement, 4),
            .undone_at_us = sqlite3_column_int64(statement, 5),
            .undone_first = sqlite3_column_int(statement, 6) != 0,
        };
        print_account(&a, first);
        print_line(&a);
        add(&t, &a);
        first = false;
    }
    sqlite3_finalize(statement);
    bool balanced = service->balances(db);
    bool right =
        result == SQLITE_DONE && t.done_twice == 0 && t.undone_twice == 0 && t.undone_without_done == 0 && balanced;
    printf("], \"done\": %lld, \"undone\": %lld, \"held\": %lld, \"done_twice\": %lld, \"undone_twice\": %lld, "
           "\"undone_without_done\": %lld, \"balanced\": %s, \"right\": %s}\n",
           (long long)t.done, (long long)t.undone, (long long)t.held, (long long)t.done_twice,
           (long long)t.undone_twice, (long long)t.undone_without_done, balanced ? "true" : "false",
           right ? "true" : "false");
    return right;
}
