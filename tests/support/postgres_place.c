/* postgres_place.c - a PostgreSQL server with the tables of journals. */
#include "tests/support/postgres_place.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdlib.h>

bool place_start(struct postgres *p)
{
    struct error_detail detail;
    if (!postgres_start_durable(p))
        return false;
    if (postgres_store_migrate(p->conninfo, SPAN_S(20), stderr, &detail) == 0)
        return true;
    fprintf(stderr, "%s: %s\n", detail.field, detail.text);
    postgres_stop(p);
    return false;
}

struct postgres_store_options place_options(const struct postgres *p, const char *journal)
{
    return (struct postgres_store_options){
        .conninfo = p->conninfo,
        .journal = journal,
        .holder = "test",
        .fleet = "",
        .carrier = journal,
        .address = "",
        .program = "9.9.9",
        .needs = "",
        .lease = SPAN_S(3),
        .timeout = SPAN_S(5),
        .patience = SPAN_S(20),
    };
}

int64_t place_number(const struct postgres *p, const char *sql)
{
    PGconn *db = PQconnectdb(p->conninfo);
    PGresult *result = PQexec(db, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s",
                  sql, PQerrorMessage(db));
    int64_t number = PQntuples(result) == 1 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    PQfinish(db);
    return number;
}

void place_query(const struct postgres *p, const char *sql)
{
    place_number(p, sql);
}
