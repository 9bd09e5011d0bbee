/* sqlite_subjects.c - rows about something that need not be a saga, by kind and name. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

static uint32_t checksum_of_subject(const struct subject_row *row)
{
    const uint64_t numbers[] = {row->kind, row->version, row->name.size, row->value.size};
    return checksum_of(numbers, sizeof numbers / sizeof numbers[0], row->name, row->value);
}

int sqlite_store_set_subject(struct sqlite_store *s, const struct subject_row *row)
{
    CHECK(row->kind > 0 && row->kind < SUBJECT_KIND_COUNT);
    CHECK(row->name.size > 0 && row->name.size <= SUBJECT_NAME_BYTES_MAX);
    CHECK(row->value.size <= SUBJECT_VALUE_BYTES_MAX);
    sqlite3_stmt *set = inside_statement(s, SQL_SET_SUBJECT);
    inside_bind_number(set, 1, row->kind);
    inside_bind_blob(set, 2, row->name);
    inside_bind_number(set, 3, row->version);
    inside_bind_blob(set, 4, row->value);
    checksum_bind(set, 5, checksum_of_subject(row));
    return inside_run(set);
}

int sqlite_store_scan_subjects(struct store *face, uint32_t kind,
                               int (*take)(void *self, const struct subject_row *row), void *self,
                               struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    inside_rest(s);
    sqlite3_stmt *scan = inside_statement(s, SQL_SCAN_SUBJECTS);
    inside_bind_number(scan, 1, kind);
    int rc = 0;
    int step;
    while ((step = sqlite3_step(scan)) == SQLITE_ROW && rc == 0) {
        const struct subject_row row = {
            .kind = (uint32_t)sqlite3_column_int64(scan, 0),
            .name = inside_column_bytes(scan, 1),
            .version = (uint64_t)sqlite3_column_int64(scan, 2),
            .value = inside_column_bytes(scan, 3),
        };
        bool sound = row.name.size > 0 && row.name.size <= SUBJECT_NAME_BYTES_MAX &&
                     row.value.size <= SUBJECT_VALUE_BYTES_MAX && checksum_fits(scan, 4, checksum_of_subject(&row));
        rc = sound ? take(self, &row) : inside_corrupt(s->path, "a row of the table subjects is damaged", detail);
    }
    int end = sqlite3_reset(scan);
    if (rc != 0)
        return rc;
    return step == SQLITE_DONE ? 0 : inside_fail(s, end, "reading subjects", detail);
}
