/* sqlite_audit.c - the trail of what was done, and by whom: rows that are added, one a commit at most, and dropped from the front by a
 * retention of their own. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

static uint32_t checksum_of_audit(const struct audit_row *row)
{
    const uint64_t numbers[] = {row->seq, (uint64_t)row->at.us, row->body.size};
    return checksum_of(numbers, sizeof numbers / sizeof numbers[0], row->body, bytes_of(NULL, 0));
}

int audit_rows_open(struct sqlite_store *s, struct error_detail *detail)
{
    sqlite3_stmt *bounds = inside_statement(s, SQL_AUDIT_BOUNDS);
    int rc = sqlite3_step(bounds);
    if (rc == SQLITE_ROW) {
        s->audit_first = (uint64_t)sqlite3_column_int64(bounds, 0);
        s->audit_last = (uint64_t)sqlite3_column_int64(bounds, 1);
    }
    int end = sqlite3_reset(bounds);
    if (rc != SQLITE_ROW)
        return inside_fail(s, end, "looking for the audit trail", detail);
    uint64_t last = 0;
    int code = s->audit_last == 0 ? inside_get_meta(s, META_AUDIT, &last, detail) : 0;
    s->audit_last += last;
    return code;
}

int audit_rows_add(struct sqlite_store *s, const struct audit_row *row)
{
    CHECK(row->seq == s->audit_last + 1 && row->body.size > 0);
    sqlite3_stmt *add = inside_statement(s, SQL_ADD_AUDIT);
    inside_bind_number(add, 1, row->seq);
    sqlite3_bind_int64(add, 2, row->at.us);
    inside_bind_blob(add, 3, row->body);
    checksum_bind(add, 4, checksum_of_audit(row));
    return inside_run(add);
}

void audit_rows_landed(struct sqlite_store *s, const struct audit_row *row)
{
    if (row->seq == 0)
        return;
    s->audit_last = row->seq;
    if (s->audit_first == 0)
        s->audit_first = row->seq;
}

int sqlite_store_scan_audit(struct store *face, uint64_t from, uint32_t rows_max,
                            int (*take)(void *self, const struct audit_row *row), void *self,
                            struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    inside_rest(s);
    sqlite3_stmt *scan = inside_statement(s, SQL_SCAN_AUDIT);
    inside_bind_number(scan, 1, from);
    inside_bind_number(scan, 2, rows_max);
    uint64_t next = from > s->audit_first ? from : s->audit_first;
    int rc = 0;
    int step;
    while ((step = sqlite3_step(scan)) == SQLITE_ROW && rc == 0) {
        const struct audit_row row = {
            .seq = (uint64_t)sqlite3_column_int64(scan, 0),
            .at.us = sqlite3_column_int64(scan, 1),
            .body = inside_column_bytes(scan, 2),
        };
        if (row.seq != next++)
            rc = inside_corrupt(s->path, "a row of the table audit is missing", detail);
        else if (!checksum_fits(scan, 3, checksum_of_audit(&row)))
            rc = inside_corrupt(s->path, "a row of the table audit is damaged", detail);
        else
            rc = take(self, &row);
    }
    int end = sqlite3_reset(scan);
    if (rc != 0)
        return rc;
    return step == SQLITE_DONE || step == SQLITE_ROW ? 0 : inside_fail(s, end, "reading the audit trail", detail);
}

int sqlite_store_drop_audit(struct store *face, struct instant before, uint32_t work_max, bool *more,
                            struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    *more = false;
    inside_rest(s);
    if (s->broken)
        return inside_tell_broken(s, detail);
    sqlite3_stmt *old = inside_statement(s, SQL_OLD_AUDIT);
    inside_bind_number(old, 1, work_max);
    uint64_t to = 0;
    int rc;
    while ((rc = sqlite3_step(old)) == SQLITE_ROW && sqlite3_column_int64(old, 1) < before.us)
        to = (uint64_t)sqlite3_column_int64(old, 0);
    int end = sqlite3_reset(old);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return inside_fail(s, end, "looking for what may be dropped of the audit trail", detail);
    if (to == 0)
        return 0;
    CHECK(to >= s->audit_first && to <= s->audit_last);
    rc = inside_run(inside_statement(s, SQL_BEGIN));
    if (rc == SQLITE_OK) {
        sqlite3_stmt *drop = inside_statement(s, SQL_DROP_AUDIT);
        inside_bind_number(drop, 1, to);
        rc = inside_run(drop);
    }
    if (rc == SQLITE_OK)
        rc = inside_set_meta(s, META_AUDIT, s->audit_last);
    if (rc == SQLITE_OK)
        rc = inside_run(inside_statement(s, SQL_COMMIT));
    if (rc != SQLITE_OK)
        return inside_roll_back(s, rc, detail);
    *more = to - s->audit_first + 1 >= work_max && to < s->audit_last;
    s->audit_first = to == s->audit_last ? 0 : to + 1;
    return 0;
}
