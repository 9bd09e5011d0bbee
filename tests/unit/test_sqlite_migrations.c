/* Every version of the journal that there ever was opens, and holds what it held. Its SQL is kept in tests/fixtures/journal/vN.sql. */
#include "tests/support/fixture_journal.h"
#include "tests/support/sqlite_place.h"

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

/* As many as sidecar/journal/sqlite/schema.c has migrations; the newest has a fixture too. */
#define VERSIONS 8

static void load_fixture(int version)
{
    static char sql[256 << 10];
    char name[64];
    snprintf(name, sizeof name, "tests/fixtures/journal/v%d.sql", version);
    FILE *f = fopen(name, "rb");
    ck_assert_msg(f != NULL, "%s is not there; tests are run from the top of the tree", name);
    size_t size = fread(sql, 1, sizeof sql - 1, f);
    fclose(f);
    ck_assert_uint_lt(size, sizeof sql - 1);
    sql[size] = '\0';
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", name, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int64_t ask(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static char told[256];

static void upgrading(void *self, const struct sqlite_upgrade *upgrade)
{
    ck_assert_ptr_eq(self, path);
    size_t size = strlen(told);
    if (upgrade->request_ids)
        snprintf(told + size, sizeof told - size, "%llu;", (unsigned long long)upgrade->in_table);
    else
        snprintf(told + size, sizeof told - size, "%d-%d;", upgrade->from, upgrade->to);
}

static void write_empty_log(void)
{
    char log[256];
    snprintf(log, sizeof log, "%s-wal", path);
    FILE *out = fopen(log, "w");
    ck_assert_ptr_nonnull(out);
    fclose(out);
}

/* And whoever opens it is told what goes on; its file tells beforehand what will. */
START_TEST(sqlite_migrations__every_version_opens)
{
    char tells[32] = "";
    load_fixture(_i);
    ck_assert_int_eq(ask("PRAGMA user_version"), _i);
    ck_assert_int_eq(sqlite_store_schema(path), _i);
    options.upgrading = upgrading;
    options.self = path;
    told[0] = '\0';
    if (_i < VERSIONS)
        snprintf(tells, sizeof tells, "%d-%d;0;", _i, VERSIONS);
    open_store();
    ck_assert_str_eq(told, tells);
    if (_i < VERSIONS)
        ck_assert_int_eq(sqlite_store_schema(path), 0); /* its log has what the file has not */
    const char *wrong = fixture_journal_check(store, &state, _i);
    ck_assert_msg(wrong == NULL, "version %d: %s", _i, wrong);
    ck_assert_int_eq(try_commit(3, 100, 1), 0);
    close_store();
    ck_assert_int_eq(ask("PRAGMA user_version"), VERSIONS);
    write_empty_log();
    ck_assert_int_eq(sqlite_store_schema(path), VERSIONS);
    ck_assert_int_eq(sqlite_store_schema_now(), VERSIONS);
    open_store();
    ck_assert_str_eq(told, tells);
    ck_assert_uint_eq(state.last_frame, 3);
}
END_TEST

/* A new journal and one that came the long way have the same tables. */
START_TEST(sqlite_migrations__fresh_one_is_of_the_newest)
{
    options.upgrading = upgrading;
    options.self = path;
    told[0] = '\0';
    ck_assert_int_eq(sqlite_store_schema(path), 0);
    open_store();
    ck_assert_str_eq(told, "");
    ck_assert_int_eq(fixture_journal_write(store), 0);
    reopen();
    ck_assert_ptr_null(fixture_journal_check(store, &state, VERSIONS));
    close_store();
    ck_assert_int_eq(ask("PRAGMA user_version"), VERSIONS);
    ck_assert_int_eq(ask("PRAGMA application_id"), 0x73676a6e);
    const char *tables = "SELECT count(*) FROM sqlite_schema WHERE sql IS NOT NULL";
    int64_t fresh = ask(tables);
    remove_beside("");
    load_fixture(VERSIONS);
    ck_assert_int_eq(ask(tables), fresh);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("sqlite_migrations");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_add_loop_test(t, sqlite_migrations__every_version_opens, 1, VERSIONS + 1);
    tcase_add_test(t, sqlite_migrations__fresh_one_is_of_the_newest);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
