/* postgres_fleet.c - the table of journals, as all of a fleet may read it. */
#include "sidecar/journal/postgres/postgres_fleet.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/postgres/postgres_inside.h"

#include <inttypes.h>
#include <stdlib.h>

/* Journals that are looked at in one go. */
#define ORPHANS_AT_ONCE "16"

struct postgres_fleet {
    struct postgres_fleet_options options;
    PGconn *db; /* NULL: there is none */
};

#define COLUMN_COUNT 12
#define CLAIMED_COLUMNS \
    "name, carrier, address, needs, epoch, seq, live, tries, " \
    "floor(extract(epoch from expires_at - clock_timestamp()) * 1000), holder <> '', wanted_until >= " \
    "clock_timestamp(), id"
#define COLUMNS CLAIMED_COLUMNS " from saga_journal "

int postgres_fleet_create(const struct postgres_fleet_options *options, struct postgres_fleet **out)
{
    struct postgres_fleet *f = calloc(1, sizeof *f);
    if (f == NULL)
        return E_MEMORY;
    f->options = *options;
    *out = f;
    return 0;
}

static void disconnect(struct postgres_fleet *f)
{
    PQfinish(f->db);
    f->db = NULL;
}

void postgres_fleet_destroy(struct postgres_fleet *f)
{
    if (f == NULL)
        return;
    disconnect(f);
    free(f);
}

/* A server that has ended has ended the connection, too, which is seen by reading it. */
bool postgres_fleet_is_anew(struct postgres_fleet *f)
{
    return f->db == NULL || PQconsumeInput(f->db) == 0 || PQstatus(f->db) != CONNECTION_OK;
}

/* What is claimed is claimed for good, whatever the role's default is; and nobody holds the thread up by a lock. */
static PGconn *connect(struct postgres_fleet *f, int64_t until, struct error_detail *detail)
{
    static const char session[] =
        "select set_config('synchronous_commit', case when current_setting('synchronous_commit') in ('off', 'local') "
        "then 'on' else current_setting('synchronous_commit') end, false), set_config('lock_timeout', '2s', false)";
    PGconn *db = connection_open(f->options.conninfo, until, f->options.stop, f->options.self, detail);
    PGresult *set = NULL;
    if (db == NULL)
        return NULL;
    if (PQsendQuery(db, session) == 1)
        set = connection_answer(db, until, f->options.stop, f->options.self);
    bool good = PQresultStatus(set) == PGRES_TUPLES_OK;
    PQclear(set);
    if (good)
        return db;
    connection_error(db, detail);
    PQfinish(db);
    return NULL;
}

/* The answer to a statement with parameters as text; NULL when it could not be carried out. */
static PGresult *query(struct postgres_fleet *f, const char *sql, int count, const char *const *values,
                       struct error_detail *detail)
{
    int64_t until = pg_now() + f->options.timeout.us;
    PGresult *result = NULL;
    if (f->db == NULL && (f->db = connect(f, until, detail)) == NULL)
        return NULL;
    if (PQsendQueryParams(f->db, sql, count, NULL, values, NULL, NULL, 0) == 1)
        result = connection_answer(f->db, until, f->options.stop, f->options.self);
    ExecStatusType status = PQresultStatus(result);
    if (result != NULL && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK))
        return result;
    connection_error(f->db, detail);
    PQclear(result);
    disconnect(f);
    return NULL;
}

static uint64_t number(const PGresult *result, int row, int column)
{
    return strtoull(PQgetvalue(result, row, column), NULL, 10);
}

static bool truth(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static struct fleet_row read_row(const PGresult *rows, int i)
{
    return (struct fleet_row){
        .name = PQgetvalue(rows, i, 0),
        .carrier = PQgetvalue(rows, i, 1),
        .address = PQgetvalue(rows, i, 2),
        .needs = PQgetvalue(rows, i, 3),
        .epoch = number(rows, i, 4),
        .commits = number(rows, i, 5),
        .live = number(rows, i, 6),
        .tries = number(rows, i, 7),
        .lease_ms = strtoll(PQgetvalue(rows, i, 8), NULL, 10),
        .held = truth(rows, i, 9),
        .wanted = truth(rows, i, 10),
        .id = number(rows, i, 11),
    };
}

static int give(struct postgres_fleet *f, const char *sql, int count, const char *const *values, fleet_take_fn take,
                void *self, struct error_detail *detail)
{
    PGresult *rows = query(f, sql, count, values, detail);
    if (rows == NULL)
        return E_JOURNAL_AWAY;
    for (int i = 0; i < PQntuples(rows); i++) {
        const struct fleet_row row = read_row(rows, i);
        take(self, &row);
    }
    PQclear(rows);
    return 0;
}

int postgres_fleet_orphans(struct postgres_fleet *f, const char *own, fleet_take_fn take, void *self, uint64_t *held,
                           struct error_detail *detail)
{
    const char *values[] = {f->options.fleet, own, NUMBER(JOURNAL_FORM)};
    int code = give(f,
                    "select " COLUMNS
                    "where fleet = $1 and name <> $2 and form <= $3::bigint and ((holder <> '' and expires_at < "
                    "clock_timestamp()) or (holder = '' and live > 0)) order by random() limit " ORPHANS_AT_ONCE,
                    3, values, take, self, detail);
    if (code != 0)
        return code;
    PGresult *count =
        query(f, "select count(*) from saga_journal where fleet = $1 and name = carrier", 1, values, detail);
    if (count == NULL)
        return E_JOURNAL_AWAY;
    *held = number(count, 0, 0);
    PQclear(count);
    return 0;
}

int postgres_fleet_guests(struct postgres_fleet *f, const char *own, fleet_take_fn take, void *self,
                          struct error_detail *detail)
{
    const char *values[] = {own};
    return give(f, "select " COLUMNS "where carrier = $1 and name <> $1", 1, values, take, self, detail);
}

int postgres_fleet_of_tag(struct postgres_fleet *f, uint64_t tag, fleet_take_fn take, void *self,
                          struct error_detail *detail)
{
    char name[24];
    snprintf(name, sizeof name, "%012" PRIx64, tag);
    const char *values[] = {f->options.fleet, name};
    return give(f,
                "select " COLUMNS
                "where fleet = $1 and id in (select journal from saga_subject where kind = 1 and name = "
                "convert_to($2, 'UTF8'))",
                2, values, take, self, detail);
}

int postgres_fleet_of_name(struct postgres_fleet *f, const char *name, fleet_take_fn take, void *self,
                           struct error_detail *detail)
{
    const char *values[] = {f->options.fleet, name};
    return give(f, "select " COLUMNS "where fleet = $1 and name = $2", 2, values, take, self, detail);
}

/* Bytes as the text of a parameter. */
static char *write_bytes(char *at, struct bytes bytes, const char *prefix)
{
    static const char digits[] = "0123456789abcdef";
    at = stpcpy(at, prefix);
    for (size_t i = 0; i < bytes.size; i++) {
        *at++ = digits[bytes.at[i] >> 4];
        *at++ = digits[bytes.at[i] & 15];
    }
    *at = '\0';
    return at;
}

int postgres_fleet_of_request(struct postgres_fleet *f, struct bytes request_id, fleet_take_fn take, void *self,
                              struct error_detail *detail)
{
    char id[2 * REQUEST_ID_BYTES_MAX + 3];
    const char *values[] = {f->options.fleet, id};
    CHECK(request_id.size <= REQUEST_ID_BYTES_MAX);
    write_bytes(id, request_id, "\\x");
    return give(f,
                "select " COLUMNS "where id in (select journal from saga_request where fleet = $1 and request_id = "
                "$2::bytea)",
                2, values, take, self, detail);
}

int postgres_fleet_claim(struct postgres_fleet *f, const char *own, const struct bytes *request_ids, unsigned count,
                         fleet_claimed_fn take, void *self, struct error_detail *detail)
{
    /* In their order, so that two who claim the same wait for one another, and never each for the other. What was looked at is not forgotten soon
     * (postgres_drop.c). */
    static const char sql[] =
        "with c as (insert into saga_request(fleet, request_id, journal, at_us) "
        "select $1, x.request_id, j.id, extract(epoch from clock_timestamp())::bigint * 1000000 "
        "from unnest($3::bytea[]) as x(request_id), saga_journal j where j.name = $2 order by x.request_id "
        "on conflict (fleet, request_id) do update set at_us = greatest(saga_request.at_us, excluded.at_us) "
        "returning request_id, journal) "
        "select " CLAIMED_COLUMNS
        ", array_position($3::bytea[], c.request_id) - 1 from c join saga_journal on id = c.journal";
    size_t size = 3;
    for (unsigned i = 0; i < count; i++)
        size += 2 * request_ids[i].size + 8;
    char *list = malloc(size), *at = list;
    if (list == NULL)
        return error_set(detail, E_JOURNAL_AWAY, "", "no memory is left");
    at = stpcpy(at, "{");
    for (unsigned i = 0; i < count; i++)
        at = stpcpy(write_bytes(at, request_ids[i], i == 0 ? "\"\\\\x" : ",\"\\\\x"), "\"");
    at = stpcpy(at, "}");
    CHECK((size_t)(at - list) < size);
    const char *values[] = {f->options.fleet, own, list};
    PGresult *rows = query(f, sql, 3, values, detail);
    free(list);
    if (rows == NULL)
        return E_JOURNAL_AWAY;
    for (int i = 0; i < PQntuples(rows); i++) {
        const struct fleet_row row = read_row(rows, i);
        uint64_t index = number(rows, i, COLUMN_COUNT);
        if (index < count)
            take(self, (unsigned)index, &row);
    }
    PQclear(rows);
    return 0;
}

int postgres_fleet_list(struct postgres_fleet *f, const char *after, unsigned rows_max, fleet_take_fn take, void *self,
                        struct error_detail *detail)
{
    char rows[16];
    snprintf(rows, sizeof rows, "%u", rows_max);
    const char *values[] = {f->options.fleet, after, rows};
    return give(f, "select " COLUMNS "where fleet = $1 and name > $2 order by name limit $3::bigint", 3, values, take,
                self, detail);
}

int postgres_fleet_lasted(struct postgres_fleet *f, const char *own, const char *name, struct error_detail *detail)
{
    const char *values[] = {name, own};
    PGresult *done = query(f, "update saga_journal set tries = 0 where name = $1 and carrier = $2 and tries <> 0", 2,
                           values, detail);
    PQclear(done);
    return done == NULL ? E_JOURNAL_AWAY : 0;
}

int postgres_fleet_want(struct postgres_fleet *f, const char *name, bool *there, struct error_detail *detail)
{
    const char *values[] = {f->options.fleet, name};
    PGresult *done =
        query(f,
              "update saga_journal set tries = 0, wanted_until = case when carrier <> name and carrier <> '' "
              "then clock_timestamp() + interval '3 seconds' else wanted_until end where fleet = $1 and name = $2",
              2, values, detail);
    if (done == NULL)
        return E_JOURNAL_AWAY;
    *there = strcmp(PQcmdTuples(done), "1") == 0;
    PQclear(done);
    return 0;
}
