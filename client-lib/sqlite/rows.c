/* rows.c - the SQL of the barrier's rows. */
#include "client-lib/sqlite/sqlite_inside.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int sqlite_status(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return SAGA_OK;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_TOOBIG:
        return SAGA_E_RESOURCE_EXHAUSTED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_READONLY:
    case SQLITE_INTERRUPT:
    case SQLITE_ABORT:
        return SAGA_E_UNAVAILABLE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return SAGA_E_DATA_LOSS;
    default:
        return SAGA_E_INTERNAL;
    }
}

int sqlite_execute(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Runs a statement that gives no rows, and finalizes it. bound is the result of binding. */
static int finish(sqlite3_stmt *statement, int bound)
{
    if (bound == SQLITE_OK)
        bound = sqlite3_step(statement);
    int result = sqlite3_finalize(statement);
    return bound == SQLITE_DONE ? SQLITE_OK : result != SQLITE_OK ? result : bound;
}

static int insert(sqlite3 *db, const char *key, enum saga_barrier_row state, bool *inserted)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(
        db, "INSERT INTO saga_barrier (key, state, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO NOTHING", -1,
        &statement, NULL);
    if (result != SQLITE_OK)
        return result;
    result = sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    if (result == SQLITE_OK)
        result = sqlite3_bind_int(statement, 2, (int)state);
    if (result == SQLITE_OK)
        result = sqlite3_bind_int64(statement, 3, (sqlite3_int64)time(NULL));
    result = finish(statement, result);
    *inserted = result == SQLITE_OK && sqlite3_changes(db) == 1;
    return result;
}

static int read_answer(sqlite3_stmt *statement, struct sqlite_row *row)
{
    row->status = sqlite3_column_int(statement, 1);
    const unsigned char *message = sqlite3_column_text(statement, 2);
    if (message != NULL)
        strncat(row->message, (const char *)message, sizeof row->message - 1);
    const void *answer = sqlite3_column_blob(statement, 3);
    size_t size = (size_t)sqlite3_column_bytes(statement, 3);
    if (size == 0)
        return SQLITE_OK;
    row->answer = answer != NULL ? malloc(size) : NULL;
    if (row->answer == NULL)
        return SQLITE_NOMEM;
    memcpy(row->answer, answer, size);
    row->answer_size = size;
    return SQLITE_OK;
}

static int read_row(sqlite3 *db, const char *key, bool with_answer, struct sqlite_row *row)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(db, "SELECT state, status, message, answer FROM saga_barrier WHERE key = ?1", -1,
                                    &statement, NULL);
    if (result != SQLITE_OK)
        return result;
    result = sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        row->state = (enum saga_barrier_row)sqlite3_column_int(statement, 0);
        result = with_answer ? read_answer(statement, row) : SQLITE_OK;
    } else if (result == SQLITE_DONE) {
        result = SQLITE_INTERNAL; /* the insert has just met it */
    }
    sqlite3_finalize(statement);
    return result;
}

int sqlite_claim(sqlite3 *db, const char *key, enum saga_barrier_row state, bool with_answer, struct sqlite_row *row)
{
    bool inserted;
    memset(row, 0, sizeof *row);
    int result = insert(db, key, state, &inserted);
    if (result != SQLITE_OK || inserted)
        return result;
    return read_row(db, key, with_answer, row);
}

int sqlite_settle(sqlite3 *db, const char *key, enum saga_barrier_row state, int status, const char *message,
                  const void *answer, size_t answer_size)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(
        db, "UPDATE saga_barrier SET state = ?2, status = ?3, message = ?4, answer = ?5 WHERE key = ?1", -1, &statement,
        NULL);
    if (result != SQLITE_OK)
        return result;
    result = sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    if (result == SQLITE_OK)
        result = sqlite3_bind_int(statement, 2, (int)state);
    if (result == SQLITE_OK)
        result = sqlite3_bind_int(statement, 3, status);
    if (result == SQLITE_OK)
        result = sqlite3_bind_text(statement, 4, message, -1, SQLITE_STATIC);
    if (result == SQLITE_OK)
        result = answer_size > 0 ? sqlite3_bind_blob64(statement, 5, answer, answer_size, SQLITE_STATIC)
                                 : sqlite3_bind_zeroblob(statement, 5, 0);
    result = finish(statement, result);
    /* The row was claimed in this transaction: when it is gone, the function has deleted it or ended the transaction. */
    return result == SQLITE_OK && sqlite3_changes(db) != 1 ? SQLITE_INTERNAL : result;
}

int sqlite_has_row(sqlite3 *db, const char *key, bool *found)
{
    sqlite3_stmt *statement;
    *found = false;
    int result = sqlite3_prepare_v2(db, "SELECT 1 FROM saga_barrier WHERE key = ?1", -1, &statement, NULL);
    if (result != SQLITE_OK)
        return result;
    result = sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    *found = result == SQLITE_ROW;
    sqlite3_finalize(statement);
    return result == SQLITE_ROW || result == SQLITE_DONE ? SQLITE_OK : result;
}

/* ---- collecting ---- */

/* How far has been collected is a row as well, with the one key that no call has: created_at is the mark. It moves in steps of this many
 * seconds at most, so that it is seldom written, and rows are deleted so long before it: that much the sidecar's clock may differ. */
#define MARK_SLACK_S 60

int sqlite_collected(sqlite3 *db, int64_t *mark_s)
{
    sqlite3_stmt *statement;
    *mark_s = 0;
    int result = sqlite3_prepare_v2(db, "SELECT created_at FROM saga_barrier WHERE key = ''", -1, &statement, NULL);
    if (result != SQLITE_OK)
        return result;
    result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *mark_s = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return result == SQLITE_ROW || result == SQLITE_DONE ? SQLITE_OK : result;
}

/* Runs a statement with two numbers. *changes (may be NULL) is how many rows it changed. */
static int change(sqlite3 *db, const char *sql, int64_t first, int64_t second, uint32_t *changes)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (result != SQLITE_OK)
        return result;
    result = sqlite3_bind_int64(statement, 1, first);
    if (result == SQLITE_OK)
        result = sqlite3_bind_int64(statement, 2, second);
    result = finish(statement, result);
    if (changes != NULL)
        *changes = result == SQLITE_OK ? (uint32_t)sqlite3_changes(db) : 0;
    return result;
}

/* Rows are looked at in the order in which they came, so some that were dated in the future by a clock that was wrong would hold up what
 * came after them: they go to the end, with the time of now. */
static int move_future_rows(sqlite3 *db, int64_t now, uint32_t rows_max)
{
    int result = SQLITE_OK;
    uint32_t moved = 1;
    for (uint32_t i = 0; i < rows_max && moved > 0 && result == SQLITE_OK; i++)
        result =
            change(db,
                   "UPDATE saga_barrier SET id = (SELECT max(id) + 1 FROM saga_barrier), created_at = ?1 WHERE id = "
                   "(SELECT id FROM (SELECT id, created_at FROM saga_barrier WHERE key <> '' ORDER BY id LIMIT ?2) "
                   "WHERE created_at > ?1 LIMIT 1)",
                   now, rows_max, &moved);
    return result;
}

int sqlite_delete_old(sqlite3 *db, struct sqlite_collecting collecting, uint32_t *deleted)
{
    int64_t now = (int64_t)time(NULL), keep = collecting.keep_ms / 1000;
    int64_t slack = keep / 16 < MARK_SLACK_S ? keep / 16 : MARK_SLACK_S;
    int64_t mark = now - keep;
    *deleted = 0;
    if (slack > 0)
        mark -= mark % slack;
    int result = change(db,
                        "INSERT INTO saga_barrier (key, state, created_at) VALUES ('', ?2, ?1) ON CONFLICT (key) DO "
                        "UPDATE SET created_at = excluded.created_at WHERE created_at < excluded.created_at",
                        mark, SAGA_ROW_DONE, NULL);
    if (result == SQLITE_OK)
        result = change(db,
                        "DELETE FROM saga_barrier WHERE created_at < ?1 AND id IN "
                        "(SELECT id FROM saga_barrier WHERE key <> '' ORDER BY id LIMIT ?2)",
                        mark - slack, collecting.rows_max, deleted);
    if (result == SQLITE_OK && *deleted == 0)
        result = move_future_rows(db, now, collecting.rows_max);
    return result;
}
