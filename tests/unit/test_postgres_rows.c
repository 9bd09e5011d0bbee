/* What is said of a journal in PostgreSQL in which a row is not as it was written: by a look at it, and by whoever reads there. And which words of
 * conninfo are refused, and what brings tables of each version up to date. Kept in tests/fixtures/journal/postgres.txt;
 * `build/release/tests/unit/test_postgres_rows write` writes that anew, for its difference to be read. */
#include "sidecar/journal/postgres/postgres_inside.h"
#include "tests/support/frames.h"
#include "tests/support/kept_text.h"
#include "tests/support/postgres_place.h"
#include "tests/support/twin_store.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SAGAS = 4 };

static FILE *out;
static struct postgres server;
static PGconn *db;
static struct store *store;
static struct store_state state;
static struct error_detail detail;

/* ---- a journal with some of everything ---- */

static struct ended_row ended_of(uint64_t n)
{
    static const char *const ids[SAGAS + 1] = {"", "r1", "", "r1", "r4"};
    static const uint8_t states[SAGAS + 1] = {0, SAGA_COMMITTED, SAGA_COMPENSATED, SAGA_RESOLVED, SAGA_COMMITTED};
    return (struct ended_row){.saga = {.tag = 0x123456789abc, .serial = n},
                              .state = states[n],
                              .mode = SAGA_ORCHESTRATED,
                              .reason = REASON_DEADLINE,
                              .lacks = LACK_STALE,
                              .skips = 2,
                              .synthetic = n == 4,
                              .definition = 7,
                              .name = bytes_of_text("order"),
                              .request_id = bytes_of_text(ids[n]),
                              .owner = bytes_of_text(n == 2 ? "" : "ann"),
                              .fingerprint = 99 + n,
                              .started_at.us = (int64_t)n * 1000000,
                              .ended_at.us = (int64_t)n * 1000000 + 500000,
                              .first_frame = n,
                              .last_frame = n};
}

static void make_journal(void)
{
    const struct postgres_store_options options = place_options(&server, "rows");
    static uint8_t bytes[2048];
    int code = postgres_store_open(&options, &store, &state, &detail);
    ck_assert_msg(code == 0, "%s %s", detail.field, detail.text);
    for (uint64_t n = 1; n <= SAGAS; n++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", (unsigned)n);
        const struct ended_row ended = ended_of(n);
        const struct definition_row definition = {
            .number = (uint32_t)n, .registered_at.us = (int64_t)n, .source = bytes_of_text("name: order")};
        const struct subject_row subject = {
            .kind = SUBJECT_PIN, .name = bytes_of_text(name), .version = n, .value = bytes_of_text("of it")};
        const struct store_commit c = {.epoch = state.epoch,
                                       .frame = n,
                                       .records =
                                           frame_make(bytes, n, 1, 40, (struct instant){.us = (int64_t)n * 1000000}),
                                       .ended = &ended,
                                       .ended_count = 1,
                                       .definitions = &definition,
                                       .definition_count = 1,
                                       .subjects = &subject,
                                       .subject_count = 1,
                                       .audit = {.seq = n, .at.us = (int64_t)n, .body = bytes_of_text(name)},
                                       .oldest_live_frame = n == 2 ? 2 : 0};
        ck_assert_int_eq(commit_in_time(store, &c, &detail), 0);
    }
    store->close(store);
}

/* ---- whoever reads ---- */

static void tell(const char *who, int code)
{
    const char *text = detail.text, *at = strstr(text, "; keep the database as it is");
    fprintf(out, "  %s: %s: %s: %.*s\n", who, error_row(code)->reason, detail.field,
            at == NULL ? (int)strlen(text) : (int)(at - text), text);
}

static int take_frame(void *self, uint64_t frame, struct bytes records)
{
    fprintf(self, " %u/%zu", (unsigned)frame, records.size);
    return 0;
}

static int take_definition(void *self, const struct definition_row *row)
{
    fprintf(self, " %u@%lld %.*s", (unsigned)row->number, (long long)row->registered_at.us, (int)row->source.size,
            (const char *)row->source.at);
    return 0;
}

static int take_subject(void *self, const struct subject_row *row)
{
    fprintf(self, " %u %.*s v%llu %.*s", (unsigned)row->kind, (int)row->name.size, (const char *)row->name.at,
            (unsigned long long)row->version, (int)row->value.size, (const char *)row->value.at);
    return 0;
}

static int take_audit(void *self, const struct audit_row *row)
{
    fprintf(self, " %llu@%lld %.*s", (unsigned long long)row->seq, (long long)row->at.us, (int)row->body.size,
            (const char *)row->body.at);
    return 0;
}

static void take_ended(void *self, const struct ended_row *row)
{
    fprintf(self, " %llx.%llu %u%u%u%u%u%c def %u %.*s '%.*s' by '%.*s' %llu, %lld to %lld, frames %llu to %llu;",
            (unsigned long long)row->saga.tag, (unsigned long long)row->saga.serial, (unsigned)row->state,
            (unsigned)row->mode, (unsigned)row->reason, (unsigned)row->lacks, (unsigned)row->skips,
            row->synthetic ? 's' : '-', (unsigned)row->definition, (int)row->name.size, (const char *)row->name.at,
            (int)row->request_id.size, (const char *)row->request_id.at, (int)row->owner.size,
            (const char *)row->owner.at, (unsigned long long)row->fingerprint, (long long)row->started_at.us,
            (long long)row->ended_at.us, (unsigned long long)row->first_frame, (unsigned long long)row->last_frame);
}

/* All that is read, on a line of each kind. */
static void read_all(void)
{
    struct ended_query query = {
        .below = UINT64_MAX, .started_before = INSTANT_NEVER, .rows_max = 64, .examine_max = 1000};
    uint64_t examined_to = 0;
    struct bytes records;
    struct ended_row row;
    int codes[6];
    fprintf(out, "  frames %u to %u, from %u; serials to %u, trail to %u:", (unsigned)state.first_frame,
            (unsigned)state.last_frame, (unsigned)state.oldest_live_frame, (unsigned)state.serial_max,
            (unsigned)state.audit_last);
    codes[0] = store->scan(store, 1, take_frame, out, &detail);
    fprintf(out, "\n");
    if (codes[0] != 0)
        tell("scan", codes[0]);
    if ((codes[1] = store->read_frame(store, 3, &records, &detail)) != 0)
        tell("read", codes[1]);
    fprintf(out, "  ended:");
    codes[2] = store->list_ended(store, &query, take_ended, out, &examined_to, &detail);
    fprintf(out, "\n");
    if (codes[2] != 0)
        tell("list", codes[2]);
    if ((codes[3] = store->find_ended(store, 3, &row, &detail)) != 0)
        tell("find", codes[3]);
    fprintf(out, "  definitions:");
    codes[4] = store->scan_definitions(store, take_definition, out, &detail);
    fprintf(out, "\n");
    if (codes[4] != 0)
        tell("definitions", codes[4]);
    fprintf(out, "  subjects:");
    codes[5] = store->scan_subjects(store, SUBJECT_PIN, take_subject, out, &detail);
    fprintf(out, "\n");
    if (codes[5] != 0)
        tell("subjects", codes[5]);
    fprintf(out, "  audit:");
    codes[0] = store->scan_audit(store, 1, 9, take_audit, out, &detail);
    fprintf(out, "\n");
    if (codes[0] != 0)
        tell("audit", codes[0]);
}

/* ---- what is changed ---- */

static void run(const char *sql)
{
    PGresult *result = PQexec(db, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s: %s", sql, PQerrorMessage(db));
    PQclear(result);
}

/* Lines that differ from those of a journal as it was. */
static char *usual;

static void put_lines(const char *now)
{
    unsigned told = 0;
    for (size_t size; *now != '\0'; now += size, told++) {
        size = strcspn(now, "\n") + 1;
        char *line = strndup(now, size);
        if (strstr(usual, line) == NULL)
            fputs(line, out);
        free(line);
    }
    fprintf(out, "  %u lines\n", told);
}

static void put_change(const char *table, const char *change)
{
    static const char mine[] = "where journal = (select id from saga_journal where name = 'rows')";
    char sql[1024], *now;
    size_t size;
    FILE *to = out;
    bool of_journal = strcmp(table, "saga_journal") == 0 || strcmp(table, "saga_schema") == 0;
    fprintf(out, "> %s: %s\n", table, change);
    snprintf(sql, sizeof sql, "create temp table saved as select * from %s", table);
    run(sql);
    snprintf(sql, sizeof sql, strncmp(change, "delete", 6) == 0 ? "delete from %s %s %s" : "update %s set %s %s", table,
             strncmp(change, "delete", 6) == 0 ? (of_journal ? "" : mine) : change,
             strncmp(change, "delete", 6) == 0 ? change + 6
             : of_journal                      ? ""
             : strstr(change, "where") != NULL ? "and journal = (select id from saga_journal where name = 'rows')"
                                               : mine);
    run(sql);
    out = open_memstream(&now, &size);
    int code = postgres_store_look(server.conninfo, "rows", SPAN_S(20), &store, &state, &detail);
    if (code == 0) {
        read_all();
        store->close(store);
    } else {
        tell("look", code);
    }
    fclose(out);
    out = to;
    if (usual == NULL) {
        fputs(now, out);
        usual = now;
    } else {
        put_lines(now);
        free(now);
    }
    snprintf(sql, sizeof sql, "delete from %s", table);
    run(sql);
    snprintf(sql, sizeof sql, "insert into %s select * from saved", table);
    run(sql);
    run("drop table saved");
}

static const struct {
    const char *table, *change;
} changes[] = {
    {"saga_frame", "epoch = epoch"},
    {"saga_frame", "frame = frame + 10 where frame = 3"},
    {"saga_frame", "records = records || '\\x00' where frame = 3"},
    {"saga_frame", "records = substr(records, 2) where frame = 4"},
    {"saga_frame", "records = '' where frame = 2"},
    {"saga_frame", "delete and frame = 3"},
    {"saga_frame", "delete and frame = 1"},
    {"saga_frame", "delete"},
    /* Each the largest that it may be. */
    {"saga_ended", "tag = (1::bigint << 48) - 1, state = 6, mode = 2, reason = 16 + (65535 << 8) + (15 << 24) + "
                   "(1::bigint << 32), name = "
                   "convert_to(repeat('n', 128), 'UTF8'), request_id = convert_to(repeat('r', 128), 'UTF8'), owner = "
                   "convert_to(repeat('o', 256), 'UTF8'), fingerprint = -1 where serial = 3"},
    {"saga_ended", "state = 1, mode = 0, reason = 0, name = '', request_id = null, owner = '' where serial = 3"},
    {"saga_ended", "tag = 1::bigint << 48 where serial = 3"},
    {"saga_ended", "state = 0 where serial = 3"},
    {"saga_ended", "state = 7 where serial = 3"},
    {"saga_ended", "state = 258 where serial = 3"},
    {"saga_ended", "mode = 3 where serial = 3"},
    {"saga_ended", "reason = 17 where serial = 3"},
    {"saga_ended", "reason = 16 << 24 where serial = 3"},
    {"saga_ended", "reason = 1::bigint << 33 where serial = 3"},
    {"saga_ended", "name = convert_to(repeat('n', 129), 'UTF8') where serial = 3"},
    {"saga_ended", "request_id = convert_to(repeat('r', 129), 'UTF8') where serial = 3"},
    {"saga_ended", "owner = convert_to(repeat('o', 257), 'UTF8') where serial = 3"},
    {"saga_ended", "serial = 9 where serial = 3"},
    {"saga_ended", "delete and serial = 3"},
    {"saga_definition", "number = 0 where number = 3"},
    {"saga_definition", "number = 4294967295 where number = 3"},
    {"saga_definition", "number = 4294967296 where number = 3"},
    {"saga_definition", "source = '' where number = 3"},
    {"saga_definition", "delete and number = 3"},
    {"saga_subject", "name = '' where version = 3"},
    {"saga_subject", "name = convert_to(repeat('s', 256), 'UTF8') where version = 3"},
    {"saga_subject", "name = convert_to(repeat('s', 257), 'UTF8') where version = 3"},
    {"saga_subject", "value = '' where version = 3"},
    {"saga_subject", "value = convert_to(repeat('v', 1048577), 'UTF8') where version = 3"},
    {"saga_subject", "kind = 2 where version = 3"},
    {"saga_audit", "seq = 9 where seq = 2"},
    {"saga_audit", "delete and seq = 4"},
    {"saga_journal", "first_frame = 2, oldest_live = 4, serial_max = 8"},
    {"saga_journal", "last_frame = 3"},
    {"saga_journal", "last_frame = 5"},
    {"saga_journal", "audit_last = 7"},
    {"saga_journal", "form = 2"},
    {"saga_journal", "name = 'other'"},
    {"saga_schema", "version = 3"},
    {"saga_schema", "version = 5, oldest = 4"},
    {"saga_schema", "version = 5, oldest = 5"},
    {"saga_schema", "delete"},
};

static void put_words(void)
{
    static const char *const infos[] = {"",
                                        "host=/run/postgresql",
                                        "postgresql://db.example.org/saga?sslmode=require",
                                        "host=a host=b",
                                        "nonsense=1",
                                        "host",
                                        "postgresql://u:secret@db/saga",
                                        "password=secret",
                                        "passfile=/p",
                                        "postgres://db:99999999",
                                        "user=u dbname='x"};
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++) {
        int code = postgres_store_check_conninfo(infos[i], &detail);
        fprintf(out, "> %s\n", infos[i]);
        if (code == 0)
            fprintf(out, "  is taken\n");
        else
            tell("refused", code);
    }
    for (unsigned from = 0; from <= PG_SCHEMA_VERSION + 1; from++) {
        char *sql;
        size_t size;
        FILE *to = open_memstream(&sql, &size);
        int code = postgres_store_print_sql(from, to);
        fclose(to);
        fprintf(out, "> tables of version %u\n  %d, %zu bytes, %08lx: %.*s\n", from, code, size,
                crc32(0, (const Bytef *)sql, (uInt)size), (int)strcspn(sql, "\n"), sql);
        free(sql);
    }
}

static void put_all(FILE *to)
{
    out = to;
    db = PQconnectdb(server.conninfo);
    ck_assert_int_eq(PQstatus(db), CONNECTION_OK);
    run("set synchronous_commit = off");
    make_journal();
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        put_change(changes[i].table, changes[i].change);
    put_words();
    free(usual);
    PQfinish(db);
}

START_TEST(postgres_rows__what_is_said_of_each_that_is_changed)
{
    kept_text_compare("tests/fixtures/journal/postgres.txt", put_all);
}
END_TEST

int main(int argc, char **argv)
{
    if (!place_start(&server))
        return EXIT_FAILURE;
    int status = kept_text_run(argc, argv, "postgres_rows", postgres_rows__what_is_said_of_each_that_is_changed);
    postgres_stop(&server);
    return status;
}
