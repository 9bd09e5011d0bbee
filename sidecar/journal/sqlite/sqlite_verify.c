/* sqlite_verify.c - whether the ways by which ended sagas are found still lead to them.
 *
 * Rows have checksums, but the pages by which SQLite finds them do not: a byte that flips there hides a row without an error, and a request_id
 * that is not found starts its saga again. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <stdio.h>
#include <string.h>

/* Whether the statement, bound, gives a row. Returns SQLite's code. */
static int gives_row(sqlite3_stmt *statement, bool *found)
{
    int rc = sqlite3_step(statement);
    *found = rc == SQLITE_ROW;
    int end = sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : end;
}

static const char out_of_order[] = "the rows of the table ended are out of order";

/* How the row is not found, or NULL. Returns SQLite's code. */
static int look_for(struct sqlite_store *s, const struct ended_row *row, const char **lost)
{
    bool found, old = false;
    *lost = NULL;
    sqlite3_stmt *by_key = inside_statement(s, SQL_HAS_ROW);
    inside_bind_number(by_key, 1, row->saga.serial);
    int rc = sqlite3_step(by_key);
    if (rc == SQLITE_ROW) {
        old = sqlite3_column_int(by_key, 0) != 0;
        /* A walk that begins anew within a page that stands in another's place as well sees nothing wrong below it. */
        bool last = sqlite3_column_type(by_key, 1) == SQLITE_NULL;
        if (!last && (uint64_t)sqlite3_column_int64(by_key, 1) <= row->saga.serial)
            *lost = out_of_order;
    } else {
        *lost = "table ended";
    }
    int end = sqlite3_reset(by_key);
    rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : end;
    if (rc == SQLITE_OK && *lost == NULL && old) {
        sqlite3_stmt *by_request = inside_statement(s, SQL_HAS_REQUEST_OLD);
        inside_bind_text(by_request, 1, row->request_id);
        inside_bind_number(by_request, 2, row->saga.serial);
        rc = gives_row(by_request, &found);
        if (rc == SQLITE_OK && !found)
            *lost = "index ended_request";
    } else if (rc == SQLITE_OK && *lost == NULL && row->request_id.size > 0) {
        rc = requests_lead_to(s, row->request_id, row->saga.serial, &found);
        if (rc == SQLITE_OK && !found)
            *lost = "table requests";
    }
    if (rc == SQLITE_OK && *lost == NULL && row->state != SAGA_COMMITTED) {
        sqlite3_stmt *by_state = inside_statement(s, SQL_HAS_RARE);
        sqlite3_bind_int(by_state, 1, row->state);
        inside_bind_number(by_state, 2, row->saga.serial);
        rc = gives_row(by_state, &found);
        if (rc == SQLITE_OK && !found)
            *lost = "index ended_rare";
    }
    return rc;
}

static const char mends_index[] = "; copy the files, then: sqlite3 journal.db REINDEX";
static const char mends_table[] = "; keep these files and restore a backup";
static const char mends_requests[] =
    "; copy the files, then: sqlite3 journal.db \"DELETE FROM meta WHERE key = 'requests'\"";

/* What makes anew the way that does not lead to its row. */
static const char *mended_by(const char *lost)
{
    if (strcmp(lost, "table requests") == 0)
        return mends_requests;
    return lost[0] == 'i' ? mends_index : mends_table;
}

static int tell_lost(const struct sqlite_store *s, const struct ended_row *row, const char *lost,
                     struct error_detail *detail)
{
    char text[160];
    snprintf(text, sizeof text, "the %s does not lead to the row of saga %llx, so it would not be found", lost,
             (unsigned long long)row->saga.serial);
    error_set(detail, E_JOURNAL_CORRUPT, s->path, text);
    error_append(detail, mended_by(lost));
    return E_JOURNAL_CORRUPT;
}

int sqlite_store_verify(struct store *face, uint32_t rows_max, bool *more, struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    CHECK(rows_max > 0);
    inside_rest(s);
    error_set(detail, 0, NULL, NULL);
    sqlite3_stmt *walk = inside_statement(s, SQL_LIST_ALL);
    inside_bind_number(walk, 1, s->verify_below != 0 ? s->verify_below : INT64_MAX);
    int rc = 0;
    int step = SQLITE_ROW;
    for (uint32_t i = 0; i < rows_max && rc == 0 && (step = sqlite3_step(walk)) == SQLITE_ROW; i++) {
        struct ended_row row;
        const char *lost = NULL;
        struct error_detail told;
        uint64_t serial = (uint64_t)sqlite3_column_int64(walk, 0);
        if (serial > s->serial_max || (s->verify_below != 0 && serial >= s->verify_below))
            return inside_corrupt(s->path, out_of_order, detail);
        s->verify_below = serial;
        /* A row that is damaged itself is found, and told to whoever asks for it; all others go on. */
        if (sqlite_read_ended(s, walk, &row, &told) != 0) {
            if (detail->text[0] == '\0')
                *detail = told;
            continue;
        }
        int looked = look_for(s, &row, &lost);
        if (looked != SQLITE_OK)
            rc = inside_fail(s, looked, "looking for an ended saga", detail);
        else if (lost == out_of_order)
            rc = inside_corrupt(s->path, out_of_order, detail);
        else if (lost != NULL)
            rc = tell_lost(s, &row, lost, detail);
    }
    int end = sqlite3_reset(walk);
    if (rc != 0)
        return rc;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return inside_fail(s, end, "reading ended sagas", detail);
    *more = step == SQLITE_ROW;
    if (!*more)
        s->verify_below = 0;
    return 0;
}

/* SQLite's words for an index that does not agree with its table, which the rows can mend. */
static bool is_of_index(const char *said)
{
    return strstr(said, "missing from index") != NULL || strstr(said, "entries in index") != NULL;
}

int sqlite_store_inspect(struct store *face, struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    sqlite3_stmt *statement;
    inside_rest(s);
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return inside_fail(s, rc, "comparing tables and indices", detail);
    int code = 0;
    int step = sqlite3_step(statement);
    const char *said = step == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (said != NULL && strcmp(said, "ok") != 0) {
        code = error_set(detail, E_JOURNAL_CORRUPT, s->path, said);
        error_append(detail, is_of_index(said) ? mends_index : mends_table);
    }
    int end = sqlite3_finalize(statement);
    return said != NULL ? code : inside_fail(s, end, "comparing tables and indices", detail);
}
