/* schema.c - the tables, how they came about, and the statements that use them. docs/journal-format.md describes them.
 *
 * PRAGMA user_version is the number of migrations that a database has been through. A migration that was released never changes: what
 * is needed later is a further one, with a fixture of the version before it under tests/fixtures/journal/. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <stdio.h>

/* "sgjn": tells a journal from the database of another program. */
#define APPLICATION_ID 0x73676a6e

/* The last member of enum saga_state that is common: every index of rare states leaves it out. */
_Static_assert(SAGA_COMMITTED == 2, "the schema's index of rare states names COMMITTED by number");

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;"
    "CREATE TABLE frames("
    "  seq INTEGER PRIMARY KEY,"
    "  at_us INTEGER NOT NULL,"
    "  body BLOB NOT NULL) STRICT;"
    "CREATE TABLE ended("
    "  serial INTEGER PRIMARY KEY,"
    "  tag INTEGER NOT NULL,"
    "  state INTEGER NOT NULL,"
    "  mode INTEGER NOT NULL,"
    "  reason INTEGER NOT NULL,"
    "  definition INTEGER NOT NULL,"
    "  name TEXT," /* NULL: definition_names tells it */
    "  request_id TEXT,"
    "  fingerprint INTEGER," /* NULL: 0 */
    "  started_us INTEGER NOT NULL,"
    "  ended_us INTEGER NOT NULL,"
    "  first_frame INTEGER NOT NULL,"
    "  last_frame INTEGER NOT NULL) STRICT;"
    "CREATE INDEX ended_request ON ended(request_id) WHERE request_id IS NOT NULL;"
    "CREATE INDEX ended_rare ON ended(state, serial) WHERE state <> 2;"
    "CREATE TABLE definition_names(number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;"
    "CREATE TABLE definitions("
    "  number INTEGER PRIMARY KEY,"
    "  registered_us INTEGER NOT NULL,"
    "  source BLOB NOT NULL) STRICT;",
    /* 2: NULL in rows of before, which are not checked */
    "ALTER TABLE meta ADD COLUMN checksum INTEGER;"
    "ALTER TABLE ended ADD COLUMN checksum INTEGER;"
    "ALTER TABLE definitions ADD COLUMN checksum INTEGER;",
    /* 3 */
    "CREATE TABLE subjects("
    "  kind INTEGER NOT NULL,"
    "  name BLOB NOT NULL,"
    "  version INTEGER NOT NULL,"
    "  value BLOB NOT NULL,"
    "  checksum INTEGER NOT NULL,"
    "  PRIMARY KEY(kind, name)) STRICT, WITHOUT ROWID;",
    /* 4: request_id is that of rows of before, and has an index of its own: nothing of them is written anew */
    "ALTER TABLE ended ADD COLUMN request TEXT;"
    "CREATE TABLE requests("
    "  hash INTEGER NOT NULL,"
    "  serial INTEGER NOT NULL,"
    "  ended_s INTEGER NOT NULL,"
    "  PRIMARY KEY(hash, serial)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE request_log("
    "  seq INTEGER PRIMARY KEY,"
    "  entries BLOB NOT NULL,"
    "  checksum INTEGER NOT NULL) STRICT;"
    "INSERT INTO meta(key, value) VALUES('requests', 0), ('requests_salt', random() & 0x3fffffffffffffff);",
    /* 5: NULL: none */
    "ALTER TABLE ended ADD COLUMN skips INTEGER;",
    /* 6 */
    "ALTER TABLE ended ADD COLUMN owner TEXT;"
    "CREATE TABLE audit("
    "  seq INTEGER PRIMARY KEY,"
    "  at_us INTEGER NOT NULL,"
    "  body BLOB NOT NULL,"
    "  checksum INTEGER NOT NULL) STRICT;",
    /* 7: NULL: nothing */
    "ALTER TABLE ended ADD COLUMN lacks INTEGER;",
    /* 8: request_ids are hashed another way, so the table of them is made anew */
    "DELETE FROM meta WHERE key = 'requests';",
};

_Static_assert(sizeof migrations / sizeof migrations[0] == SCHEMA_VERSION, "one migration a version");

#define ENDED_COLUMNS \
    "serial, tag, state, mode, reason, definition, coalesce(ended.name, definition_names.name), coalesce(request, " \
    "request_id), " \
    "fingerprint, started_us, ended_us, first_frame, last_frame, checksum, skips, owner, lacks " \
    "FROM ended LEFT JOIN definition_names ON definition_names.number = ended.definition "

const char *const schema_statements[STATEMENT_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_ADD_FRAME] = "INSERT INTO frames(seq, at_us, body) VALUES(?1, ?2, ?3)",
    /* A saga's end is final, so a row that is there already says the same. */
    [SQL_ADD_ENDED] = "INSERT INTO ended(serial, tag, state, mode, reason, definition, name, request, fingerprint, "
                      "started_us, ended_us, first_frame, last_frame, checksum, skips, owner, lacks) "
                      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) ON "
                      "CONFLICT(serial) DO NOTHING",
    [SQL_ADD_NAME] = "INSERT INTO definition_names(number, name) VALUES(?1, ?2) ON CONFLICT(number) DO NOTHING",
    [SQL_ADD_DEFINITION] = "INSERT INTO definitions(number, registered_us, source, checksum) VALUES(?1, ?2, ?3, ?4)",
    [SQL_SET_SUBJECT] = "INSERT INTO subjects(kind, name, version, value, checksum) VALUES(?1, ?2, ?3, ?4, ?5) "
                        "ON CONFLICT(kind, name) DO UPDATE SET version = excluded.version, value = excluded.value, "
                        "checksum = excluded.checksum",
    [SQL_SCAN_SUBJECTS] = "SELECT kind, name, version, value, checksum FROM subjects WHERE kind = ?1 ORDER BY name",
    [SQL_ADD_AUDIT] = "INSERT INTO audit(seq, at_us, body, checksum) VALUES(?1, ?2, ?3, ?4)",
    [SQL_AUDIT_BOUNDS] = "SELECT (SELECT min(seq) FROM audit), (SELECT max(seq) FROM audit)",
    [SQL_SCAN_AUDIT] = "SELECT seq, at_us, body, checksum FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
    [SQL_OLD_AUDIT] = "SELECT seq, at_us FROM audit ORDER BY seq LIMIT ?1",
    [SQL_DROP_AUDIT] = "DELETE FROM audit WHERE seq <= ?1",
    [SQL_SET_META] = "INSERT INTO meta(key, value, checksum) VALUES(?1, ?2, ?3) "
                     "ON CONFLICT(key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
    [SQL_GET_META] = "SELECT value, checksum FROM meta WHERE key = ?1",
    [SQL_FRAME_BOUNDS] = "SELECT (SELECT min(seq) FROM frames), (SELECT max(seq) FROM frames)",
    [SQL_SCAN_FRAMES] = "SELECT seq, body FROM frames WHERE seq >= ?1 ORDER BY seq",
    [SQL_READ_FRAME] = "SELECT body FROM frames WHERE seq = ?1",
    [SQL_SCAN_DEFINITIONS] = "SELECT number, registered_us, source, checksum FROM definitions ORDER BY number",
    [SQL_ENDED_MAX] = "SELECT max(serial) FROM ended",
    [SQL_FIND_ENDED] = "SELECT " ENDED_COLUMNS "WHERE serial = ?1",
    [SQL_FIND_REQUEST_OLD] = "SELECT " ENDED_COLUMNS "WHERE request_id = ?1 ORDER BY serial DESC LIMIT 1",
    [SQL_LIST_ALL] = "SELECT " ENDED_COLUMNS "WHERE serial < ?1 ORDER BY serial DESC",
    /* Each arm walks its state's part of the index, and the two are merged; a NULL state gives nothing. */
    [SQL_LIST_RARE] = "SELECT " ENDED_COLUMNS "WHERE state <> 2 AND state = ?2 AND serial < ?1 UNION ALL "
                      "SELECT " ENDED_COLUMNS "WHERE state <> 2 AND state = ?3 AND serial < ?1 ORDER BY serial DESC",
    /* And which row comes after it. */
    [SQL_HAS_ROW] =
        "SELECT request_id IS NOT NULL, (SELECT serial FROM ended WHERE serial > ?1 ORDER BY serial LIMIT 1) "
        "FROM ended WHERE serial = ?1",
    [SQL_HAS_REQUEST_OLD] = "SELECT 1 FROM ended INDEXED BY ended_request WHERE request_id = ?1 AND serial = ?2",
    [SQL_HAS_RARE] = "SELECT 1 FROM ended INDEXED BY ended_rare WHERE state <> 2 AND state = ?1 AND serial = ?2",
    [SQL_REQUEST_SERIALS] = "SELECT serial, ended_s FROM requests WHERE hash = ?1",
    [SQL_HAS_REQUEST] = "SELECT 1 FROM requests WHERE hash = ?1 AND serial = ?2",
    [SQL_SORT_REQUEST] =
        "INSERT INTO requests(hash, serial, ended_s) VALUES(?1, ?2, ?3) ON CONFLICT(hash, serial) DO NOTHING",
    [SQL_PRUNE_REQUESTS] = "DELETE FROM requests WHERE hash >= ?1 AND hash < ?2 AND ended_s < ?3",
    [SQL_LOG_REQUESTS] = "INSERT INTO request_log(seq, entries, checksum) VALUES(?1, ?2, ?3)",
    [SQL_DROP_REQUEST_LOG] = "DELETE FROM request_log WHERE seq < ?1",
    [SQL_STARTED_AT] = "SELECT serial, started_us FROM ended WHERE serial <= ?1 ORDER BY serial DESC LIMIT 1",
    [SQL_OLD_FRAMES] = "SELECT seq, at_us FROM frames WHERE seq < ?1 ORDER BY seq LIMIT ?2",
    [SQL_DROP_FRAMES] = "DELETE FROM frames WHERE seq <= ?1",
    [SQL_OLD_ENDED] = "SELECT serial, started_us, ended_us FROM ended WHERE serial > ?1 ORDER BY serial LIMIT ?2",
    [SQL_DROP_ENDED] = "DELETE FROM ended WHERE serial > ?1 AND serial <= ?2 AND ended_us < ?3",
};

/* Reads one number that a statement gives. */
static int ask(sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    int end = sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? SQLITE_OK : end;
}

/* Carries out one migration, all of it or nothing. */
static int migrate_to(sqlite3 *db, int version)
{
    char numbers[96];
    snprintf(numbers, sizeof numbers, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, version);
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, migrations[version - 1], NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, numbers, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK && sqlite3_get_autocommit(db) == 0)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int schema_look(sqlite3 *db, struct schema_look *look)
{
    int64_t id = 0;
    int64_t version = 0;
    int64_t objects = 0;
    int rc = ask(db, "PRAGMA application_id", &id);
    if (rc == SQLITE_OK)
        rc = ask(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = ask(db, "SELECT count(*) FROM sqlite_schema", &objects);
    look->fresh = id == 0 && version == 0 && objects == 0;
    look->ours = look->fresh || id == APPLICATION_ID;
    look->version = (int)version;
    return rc;
}

int schema_migrate(sqlite3 *db, int version)
{
    CHECK(version >= 0 && version <= SCHEMA_VERSION); /* a newer one was refused */
    int rc = SQLITE_OK;
    while (version < SCHEMA_VERSION && rc == SQLITE_OK)
        rc = migrate_to(db, ++version);
    return rc;
}
