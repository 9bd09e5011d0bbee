/* postgres_audit.c - the trail of what was done, and by whom. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

/* Rows that are asked for at once. */
#define ROWS_AT_ONCE 256

int postgres_store_scan_audit(struct store *face, uint64_t from, uint32_t rows_max,
                              int (*take)(void *self, const struct audit_row *row), void *self,
                              struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    int code = 0, count = 0, asked = 0;
    uint64_t next = 0; /* what is dropped is dropped from the front */
    while (code == 0 && rows_max > 0 && count == asked) {
        asked = rows_max < ROWS_AT_ONCE ? (int)rows_max : ROWS_AT_ONCE;
        struct pg_job *job = job_create(PG_SCAN_AUDIT);
        if (job != NULL) {
            job_number(job, s->journal);
            job_number(job, next > from ? next : from);
            job_number(job, (uint64_t)asked);
        }
        code = read_answer(s, job, detail);
        PGresult *rows = s->shown;
        s->shown = NULL;
        count = code == 0 ? PQntuples(rows) : 0;
        for (int i = 0; code == 0 && i < count && rows_max > 0; i++, rows_max--) {
            const struct audit_row row = {.seq = result_number(rows, i, 0),
                                          .at.us = (int64_t)result_number(rows, i, 1),
                                          .body = result_bytes(rows, i, 2)};
            code = next != 0 && row.seq != next
                       ? postgres_corrupt(s, "a row of the table saga_audit is missing", detail)
                       : take(self, &row);
            next = row.seq + 1;
        }
        PQclear(rows);
    }
    return code;
}

int postgres_store_drop_audit(struct store *face, struct instant before, uint32_t work_max, bool *more,
                              struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    CHECK(work_max > 0);
    *more = false;
    if (s->broken != 0) {
        *detail = s->why;
        return s->broken;
    }
    struct pg_job *job = job_create(PG_OLD_AUDIT);
    if (job != NULL) {
        job_number(job, s->journal);
        job_number(job, work_max);
    }
    int code = read_answer(s, job, detail), i = 0;
    uint64_t to = 0;
    for (; code == 0 && i < PQntuples(s->shown) && (int64_t)result_number(s->shown, i, 1) < before.us; i++)
        to = result_number(s->shown, i, 0);
    if (code == 0 && to != 0) {
        if ((job = job_create(PG_DROP_AUDIT)) != NULL) {
            job_number(job, s->journal);
            job_number(job, link_epoch(s->writer));
            job_number(job, to);
        }
        code = read_answer(s, job, detail);
    }
    if (code == E_JOURNAL_AWAY)
        return 0; /* there is a next time */
    if (code == STORE_PENDING && to != 0)
        code = 0; /* what is on its way goes */
    *more = code == 0 && (uint32_t)i == work_max;
    return code;
}
