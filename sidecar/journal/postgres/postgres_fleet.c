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

#define COLUMN_COUNT 14
#define CLAIMED_COLUMNS \
    "name, carrier, address, needs, epoch, seq, live, tries, " \
    "floor(extract(epoch from expires_at - clock_timestamp()) * 1000), holder <> '', wanted_until >= " \
    "clock_timestamp(), id, form, taker"
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

/* Of a taker; "": of an older sagad, which does not tell. */
static const char *program_of(const char *taker)
{
    const char *space = strchr(taker, ' ');
    return space == NULL ? "" : space + 1;
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
        .form = number(rows, i, 12),
        .program = program_of(PQgetvalue(rows, i, 13)),
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

/* What a journal had claimed that was removed is free. */
int postgres_fleet_claim(struct postgres_fleet *f, const char *own, const struct bytes *request_ids, unsigned count,
                         fleet_claimed_fn take, void *self, struct error_detail *detail)
{
    /* In their order, so that two who claim the same wait for one another, and never each for the other. What was looked at is not forgotten soon
     * (postgres_claims.c). */
    static const char sql[] =
        "with c as (insert into saga_request(fleet, request_id, journal, at_us) "
        "select $1, x.request_id, j.id, extract(epoch from clock_timestamp())::bigint * 1000000 "
        "from unnest($3::bytea[]) as x(request_id), saga_journal j where j.name = $2 order by x.request_id "
        "on conflict (fleet, request_id) do update set at_us = greatest(saga_request.at_us, excluded.at_us), "
        "journal = case when exists (select 1 from saga_journal h where h.id = saga_request.journal) then "
        "saga_request.journal else excluded.journal end "
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

/* ---- journals that nobody comes back to ---- */

/* One that waits for a person (ADOPT_TRIES_MAX) is kept for that. */
#define ABANDONED \
    "holder = '' and live = 0 and tries < 3 and wanted_until < statement_timestamp() and " \
    "expires_at < statement_timestamp() - $3::bigint * interval '1 microsecond' "

int postgres_fleet_abandoned(struct postgres_fleet *f, const char *own, struct span kept, fleet_take_fn take,
                             void *self, struct error_detail *detail)
{
    char us[24];
    snprintf(us, sizeof us, "%" PRId64, kept.us);
    const char *values[] = {f->options.fleet, own, us};
    return give(f, "select " COLUMNS "where fleet = $1 and name <> $2 and " ABANDONED "order by random() limit 1", 3,
                values, take, self, detail);
}

/* The number of rows that one statement has changed; or that it could not be carried out. */
static int change(struct postgres_fleet *f, const char *sql, int count, const char *const *values, uint64_t *changed,
                  struct error_detail *detail)
{
    PGresult *done = query(f, sql, count, values, detail);
    if (done == NULL)
        return E_JOURNAL_AWAY;
    *changed += strtoull(PQcmdTuples(done), NULL, 10);
    PQclear(done);
    return 0;
}

int postgres_fleet_remove(struct postgres_fleet *f, uint64_t id, uint64_t epoch, struct span kept, bool *removed,
                          struct error_detail *detail)
{
    char texts[3][24];
    uint64_t changed = 0;
    snprintf(texts[0], sizeof texts[0], "%" PRIu64, id);
    snprintf(texts[1], sizeof texts[1], "%" PRIu64, epoch);
    snprintf(texts[2], sizeof texts[2], "%" PRId64, kept.us);
    const char *values[] = {texts[0], texts[1], texts[2]};
    /* At once: whoever takes it at this moment has it, and it stays, or finds it gone. */
    int code = change(f,
                      "with j as (delete from saga_journal where id = $1::bigint and epoch = $2::bigint and " ABANDONED
                      "returning id, name, epoch) insert into saga_gone(journal, name, epoch, at) "
                      "select id, name, epoch, clock_timestamp() from j",
                      3, values, &changed, detail);
    *removed = changed > 0;
    return code;
}

/* How much goes at once: rows, and bytes of frames, since the server has as many pieces of a large one to look for. */
#define SWEPT_ROWS  "1000"
#define SWEPT_BYTES "16777216"

static const char *const swept[] = {
    "delete from saga_frame where journal = $1::bigint and frame in (select frame from (select frame, sum(bytes) over "
    "(order by frame) - bytes as before from (select frame, octet_length(records) as bytes from saga_frame where "
    "journal = $1::bigint order by frame limit " SWEPT_ROWS ") as piece) as sized where before < " SWEPT_BYTES ")",
    "delete from saga_ended where journal = $1::bigint and serial in (select serial from saga_ended where journal = "
    "$1::bigint order by serial limit " SWEPT_ROWS ")",
    "delete from saga_definition where journal = $1::bigint and number in (select number from saga_definition where "
    "journal = $1::bigint order by number limit 100)",
    "delete from saga_subject where journal = $1::bigint and (kind, name) in (select kind, name from saga_subject "
    "where "
    "journal = $1::bigint order by kind, name limit 100)",
    "delete from saga_request where journal = $1::bigint and (fleet, request_id) in (select fleet, request_id from "
    "saga_request where journal = $1::bigint order by at_us, request_id limit " SWEPT_ROWS ")",
};
#define SWEPT_COUNT (sizeof swept / sizeof *swept)

static int sweep_one(struct postgres_fleet *f, const char *id, bool emptied, struct error_detail *detail)
{
    const char *values[] = {id};
    uint64_t changed = 0;
    int code = 0;
    for (size_t i = 0; code == 0 && !emptied && i < SWEPT_COUNT; i++)
        code = change(f, swept[i], 1, values, &changed, detail);
    if (code == 0 && emptied)
        code = change(f,
                      "delete from saga_audit where journal = $1::bigint and seq in (select seq from saga_audit where "
                      "journal = $1::bigint order by seq limit " SWEPT_ROWS ")",
                      1, values, &changed, detail);
    if (code != 0 || changed > 0)
        return code;
    return change(f,
                  emptied ? "delete from saga_gone where journal = $1::bigint"
                          : "update saga_gone set emptied = true where journal = $1::bigint",
                  1, values, &changed, detail);
}

int postgres_fleet_sweep(struct postgres_fleet *f, struct span audit_kept, bool *more, struct error_detail *detail)
{
    char us[24], id[24];
    snprintf(us, sizeof us, "%" PRId64, audit_kept.us);
    const char *values[] = {us};
    /* What was done there is kept as long as anywhere. */
    PGresult *found =
        query(f,
              "(select journal, false from saga_gone where not emptied order by random() limit 1) union all "
              "(select journal, true from saga_gone where emptied and at < statement_timestamp() - "
              "$1::bigint * interval '1 microsecond' order by at limit 1)",
              1, values, detail);
    int code = found == NULL ? E_JOURNAL_AWAY : 0;
    *more = false;
    for (int i = 0; code == 0 && i < PQntuples(found); i++) {
        snprintf(id, sizeof id, "%s", PQgetvalue(found, i, 0));
        code = sweep_one(f, id, truth(found, i, 1), detail);
        *more = true;
    }
    PQclear(found);
    return code;
}

int postgres_fleet_lasted(struct postgres_fleet *f, const char *own, const char *name, struct error_detail *detail)
{
    const char *values[] = {name, own};
    /* Whoever has it may have found at this moment that it lacks something: then it waits for a person. */
    PGresult *done = query(f,
                           "update saga_journal set tries = 0 where name = $1 and carrier = $2 and tries <> 0 and "
                           "tries < " LEFT,
                           2, values, detail);
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
