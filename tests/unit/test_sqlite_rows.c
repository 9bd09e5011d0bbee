/* What is said of a journal in which a row is not as it was written, for each row's columns: at its opening, and by whoever looks. Kept in
 * tests/fixtures/journal/rows.txt; `build/release/tests/unit/test_sqlite_rows write` writes that anew, for its difference to be read. */
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "tests/support/frames.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAGAS = 5, FILE_MAX = 1 << 20 };

static FILE *out;
static char dir[64], path[96];
static struct store *store;
static struct store_state state;
static struct error_detail detail;
static bool damaged; /* something was said */

static void run_sql(sqlite3 *db, const char *sql)
{
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
}

static int open_store(void)
{
    const struct sqlite_store_options options = {.path = path, .checkpoint_pages = 8, .unsorted_max = 1};
    return sqlite_store_open(&options, &store, &state, &detail);
}

/* ---- a journal with some of everything ---- */

static void commit(uint64_t n)
{
    static uint8_t bytes[2048];
    static const char *const ids[SAGAS + 1] = {"", "r1", "r2", "", "r4", "r2"};
    static const uint8_t states[SAGAS + 1] = {
        0, SAGA_COMMITTED, SAGA_COMPENSATED, SAGA_RESOLVED, SAGA_COMMITTED, SAGA_COMPENSATED};
    char body[32];
    snprintf(body, sizeof body, "by %llu", (unsigned long long)n);
    const struct ended_row ended = {.saga = {.tag = 0x123456789abc, .serial = n},
                                    .state = states[n],
                                    .mode = SAGA_ORCHESTRATED,
                                    .reason = REASON_DEADLINE,
                                    .lacks = n == 3 ? 0 : LACK_STALE,
                                    .skips = n == 3 ? 0 : 2,
                                    .synthetic = n == 4,
                                    .definition = n == 3 ? 0 : 7,
                                    .name = bytes_of_text(n == 3 ? "by hand" : "order"),
                                    .request_id = bytes_of_text(ids[n]),
                                    .owner = bytes_of_text(n == 3 ? "" : "ann"),
                                    .fingerprint = n == 3 ? 0 : 99,
                                    .started_at.us = (int64_t)n * 1000000,
                                    .ended_at.us = (int64_t)n * 1000000 + 500000,
                                    .first_frame = n,
                                    .last_frame = n};
    const struct definition_row definition = {
        .number = (uint32_t)n, .registered_at.us = (int64_t)n, .source = bytes_of_text("name: order")};
    const struct subject_row subject = {
        .kind = SUBJECT_PIN, .name = bytes_of_text(body), .version = n, .value = bytes_of_text("of it")};
    const struct store_commit c = {
        .frame = n,
        .records = frame_make(bytes, n, 1, 40, (struct instant){.us = (int64_t)n * 1000000}),
        .ended = &ended,
        .ended_count = 1,
        .definitions = &definition,
        .definition_count = 1,
        .subjects = &subject,
        .subject_count = 1,
        .audit = {.seq = n, .at.us = (int64_t)n, .body = bytes_of_text(body)},
        .oldest_live_frame = n == 2 ? 2 : 0,
    };
    ck_assert_int_eq(store->commit(store, &c, &detail), 0);
}

static void make_journal(void)
{
    sqlite3 *db;
    bool more;
    ck_assert_int_eq(open_store(), 0);
    store->close(store);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "UPDATE meta SET value = 12345 WHERE key = 'requests_salt'"); /* the same in each journal */
    sqlite3_close(db);
    ck_assert_int_eq(open_store(), 0);
    for (uint64_t n = 1; n <= SAGAS; n++)
        commit(n);
    /* What has been dropped leaves numbers behind. */
    ck_assert_int_eq(store->drop(store, (struct instant){.us = 1600000}, 2, 9, &more, &detail), 0);
    ck_assert_int_eq(store->drop_audit(store, (struct instant){.us = 2}, 9, &more, &detail), 0);
    store->close(store);
}

/* ---- whoever looks ---- */

static void tell(const char *who, int code)
{
    if (code == 0)
        return;
    const char *text = detail.text, *at = strstr(text, "; keep these files");
    fprintf(out, "  %s: %s%s%.*s\n", who, error_row(code)->reason, text[0] == '\0' ? "" : ": ",
            at == NULL ? (int)strlen(text) : (int)(at - text), text);
    damaged = true;
}

static unsigned taken;

static int take_frame(void *self, uint64_t frame, struct bytes records)
{
    (void)self, (void)records;
    taken += (unsigned)frame;
    return 0;
}

static int take_definition(void *self, const struct definition_row *row)
{
    (void)self;
    taken += row->number;
    return 0;
}

static int take_subject(void *self, const struct subject_row *row)
{
    (void)self;
    taken += (unsigned)row->version;
    return 0;
}

static int take_audit(void *self, const struct audit_row *row)
{
    (void)self;
    taken += (unsigned)row->seq;
    return 0;
}

static void take_ended(void *self, const struct ended_row *row)
{
    (void)self;
    taken = taken * 10 + (unsigned)row->saga.serial;
}

/* As much as there was before, or not. */
static void tell_count(const char *who, int code, unsigned usual)
{
    tell(who, code);
    if (code == 0 && taken != usual) {
        fprintf(out, "  %s: takes %u\n", who, taken);
        damaged = true;
    }
    taken = 0;
}

static void look_for_sagas(void)
{
    static const char *const ids[] = {"r1", "r2", "r4"};
    static const int found[] = {E_SAGA_NOT_FOUND, 5, 4}; /* the first is dropped */
    struct ended_row row;
    char who[64];
    for (uint64_t serial = 2; serial <= SAGAS; serial++) {
        snprintf(who, sizeof who, "find %u", (unsigned)serial);
        tell(who, store->find_ended(store, serial, &row, &detail));
    }
    for (unsigned i = 0; i < 3; i++) {
        detail.text[0] = '\0';
        int code = store->find_request(store, bytes_of_text(ids[i]), bytes_of_text("ann"), &row, &detail);
        snprintf(who, sizeof who, "find '%s'", ids[i]);
        if ((code == 0 ? (int)row.saga.serial : code) != found[i])
            tell(who, code);
        if (code == 0 && (int)row.saga.serial != found[i])
            fprintf(out, "  %s: is %u\n", who, (unsigned)row.saga.serial);
    }
}

static void look_at_lists(void)
{
    struct ended_query query = {
        .below = UINT64_MAX, .started_before = INSTANT_NEVER, .rows_max = 64, .examine_max = 1000};
    uint64_t examined_to;
    tell_count("list", store->list_ended(store, &query, take_ended, NULL, &examined_to, &detail), 5432);
    query.states = 1u << SAGA_COMPENSATED | 1u << SAGA_RESOLVED;
    tell_count("list those that are rare", store->list_ended(store, &query, take_ended, NULL, &examined_to, &detail),
               532);
    query.states = 0;
    query.started_before.us = 3000001;
    tell_count("list those before", store->list_ended(store, &query, take_ended, NULL, &examined_to, &detail), 32);
}

static void look(void)
{
    struct bytes records;
    bool more;
    tell_count("scan", store->scan(store, 1, take_frame, NULL, &detail), 14);
    for (uint64_t frame = 2; frame <= SAGAS; frame++)
        tell("read", store->read_frame(store, frame, &records, &detail));
    look_for_sagas();
    look_at_lists();
    tell_count("definitions", store->scan_definitions(store, take_definition, NULL, &detail), 15);
    tell_count("subjects", store->scan_subjects(store, SUBJECT_PIN, take_subject, NULL, &detail), 15);
    tell_count("audit", store->scan_audit(store, 1, 99, take_audit, NULL, &detail), 14);
    for (int pass = 0; pass < 2; pass++) {
        more = true;
        for (int piece = 0; more && piece < 9; piece++) {
            int code = store->verify(store, 2, &more, &detail);
            tell("verify", code == 0 && detail.text[0] != '\0' ? E_JOURNAL_CORRUPT : code);
            more = more && code == 0;
        }
    }
    tell("inspect", sqlite_store_inspect(store, &detail));
    const uint64_t numbers[] = {state.first_frame, state.last_frame, state.oldest_live_frame, state.serial_max,
                                state.audit_last};
    static const uint64_t usual[] = {2, 5, 2, 5, 5};
    if (memcmp(numbers, usual, sizeof usual) != 0)
        fprintf(out, "  begins with frames %u to %u, from %u; serials to %u, trail to %u\n", (unsigned)numbers[0],
                (unsigned)numbers[1], (unsigned)numbers[2], (unsigned)numbers[3], (unsigned)numbers[4]);
    damaged = damaged || memcmp(numbers, usual, sizeof usual) != 0;
}

/* ---- what is changed ---- */

#define SAME_AGAIN \
    "INSERT INTO ended SELECT 9, tag, state, mode, reason, definition, name, request_id, fingerprint, started_us, " \
    "ended_us, first_frame, last_frame, NULL, request, skips, owner, lacks FROM ended WHERE serial = 4"

static uint8_t journal[FILE_MAX];
static size_t journal_size;

static void put_file(const char *name, const uint8_t *at, size_t size)
{
    FILE *f = fopen(name, "w");
    ck_assert(f != NULL && fwrite(at, 1, size, f) == size && fclose(f) == 0);
}

/* What was said last: it stands once behind all changes of which it is said. */
static char *said;

static void end_changes(FILE *to)
{
    if (said != NULL)
        fputs(said, to);
    free(said);
    said = NULL;
}

/* In a journal as it was. Returns whether the table has taken it. */
static bool put_change(const char *sql)
{
    sqlite3 *db;
    FILE *to = out;
    char *now;
    size_t size;
    put_file(path, journal, journal_size);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    run_sql(db, "PRAGMA synchronous = OFF");
    bool taken_in = sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK && sqlite3_changes(db) > 0;
    sqlite3_close(db);
    if (!taken_in)
        return false;
    out = open_memstream(&now, &size);
    damaged = false;
    int code = open_store();
    tell("open", code);
    if (code == 0) {
        look();
        store->close(store);
    }
    if (!damaged)
        fprintf(out, "  nothing\n");
    fclose(out);
    out = to;
    if (said == NULL || strcmp(said, now) != 0) {
        end_changes(out);
        said = now;
    } else {
        free(now);
    }
    fprintf(out, "> %s\n", sql);
    return true;
}

static void put_column(const char *table, const char *where, const char *column, bool is_number)
{
    /* What stands before the column's name, and behind it. */
    static const char *const numbers[][2] = {{"", " + 1"}, {"-", ""}, {"", " + (1 << 40)"}, {"NULL AND ", ""}};
    static const char *const texts[][2] = {
        {"", " || 'x'"}, {"substr(", ", 2)"}, {"substr(", ", 99)"}, {"NULL AND ", ""}};
    char sql[512];
    for (int i = 0; i < 4; i++) {
        const char *const *around = is_number ? numbers[i] : texts[i];
        snprintf(sql, sizeof sql, "UPDATE %s SET %s = %s%s%s WHERE %s", table, column, around[0], column, around[1],
                 where);
        if (put_change(sql) || is_number || i == 3)
            continue;
        snprintf(sql, sizeof sql, "UPDATE %s SET %s = CAST(%s%s%s AS BLOB) WHERE %s", table, column, around[0], column,
                 around[1], where);
        put_change(sql);
    }
}

static void put_table(const char *table, const char *where)
{
    enum { COLUMNS_MAX = 24 };
    static char names[COLUMNS_MAX][32];
    bool is_number[COLUMNS_MAX];
    sqlite3 *db;
    sqlite3_stmt *columns;
    char sql[256];
    size_t count = 0;
    put_file(path, journal, journal_size);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    snprintf(sql, sizeof sql, "SELECT name, type FROM pragma_table_info('%s')", table);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &columns, NULL), SQLITE_OK);
    for (; sqlite3_step(columns) == SQLITE_ROW; count++) {
        ck_assert_uint_lt(count, COLUMNS_MAX);
        snprintf(names[count], sizeof names[count], "%s", (const char *)sqlite3_column_text(columns, 0));
        is_number[count] = strcmp((const char *)sqlite3_column_text(columns, 1), "INTEGER") == 0;
    }
    sqlite3_finalize(columns);
    sqlite3_close(db);
    for (size_t i = 0; i < count; i++)
        put_column(table, where, names[i], is_number[i]);
    snprintf(sql, sizeof sql, "DELETE FROM %s WHERE %s", table, where);
    put_change(sql);
}

static void put_all(FILE *to)
{
    static const struct {
        const char *table, *where;
    } rows[] = {
        {"meta", "key = 'oldest_live'"},
        {"meta", "key = 'requests'"},
        {"meta", "key = 'requests_salt'"},
        {"meta", "key = 'audit_last'"},
        {"meta", "key = 'dropped_before'"},
        {"frames", "seq = 2"},
        {"frames", "seq = 4"},
        {"frames", "seq = 5"},
        {"ended", "serial = 4"},
        {"ended", "serial = 3"},
        {"definition_names", "number = 7"},
        {"definitions", "number = 3"},
        {"subjects", "version = 3"},
        {"requests", "serial = 1"},
        {"requests", "serial = 4"},
        {"requests", "serial = 5"},
        {"request_log", "seq = (SELECT min(seq) FROM request_log)"},
        {"request_log", "seq = (SELECT max(seq) FROM request_log)"},
        {"audit", "seq = 2"},
        {"audit", "seq = 4"},
        {"audit", "seq = 5"},
    };
    static const char *const others[] = {
        "PRAGMA user_version = 0; UPDATE meta SET key = key",
        "PRAGMA user_version = -1; UPDATE meta SET key = key",
        "PRAGMA user_version = 9; UPDATE meta SET key = key",
        "PRAGMA application_id = 5; UPDATE meta SET key = key",
        "DELETE FROM frames",
        "DELETE FROM frames WHERE seq < 4",
        "DELETE FROM frames WHERE seq > 2",
        "DELETE FROM ended WHERE serial = 5",
        "UPDATE ended SET serial = serial + 1 WHERE serial = 5",
        "DELETE FROM ended",
        "DELETE FROM audit",
        "DELETE FROM requests",
        "DELETE FROM request_log",
        "DELETE FROM meta",
        "UPDATE ended SET serial = serial + 10",
        "UPDATE ended SET serial = -serial",
        "UPDATE frames SET seq = -seq",
        "UPDATE ended SET checksum = NULL",
        SAME_AGAIN,
        "UPDATE ended SET request_id = request, checksum = NULL",
    };
    out = to;
    make_journal();
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    journal_size = fread(journal, 1, sizeof journal, f);
    ck_assert(fclose(f) == 0 && journal_size < sizeof journal);
    put_change("UPDATE meta SET key = key");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        put_table(rows[i].table, rows[i].where);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        put_change(others[i]);
    end_changes(out);
}

START_TEST(sqlite_rows__what_is_said_of_each_that_is_changed)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock", ".reserve"};
    char name[128];
    snprintf(dir, sizeof dir, "%s/sqlite-rows-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/journal.db", dir);
    kept_text_compare("tests/fixtures/journal/rows.txt", put_all);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sqlite_rows", sqlite_rows__what_is_said_of_each_that_is_changed);
}
