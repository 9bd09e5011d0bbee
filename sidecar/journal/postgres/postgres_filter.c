/* postgres_filter.c - what request_filter.h is filled with is asked of the database. */
#include "sidecar/journal/postgres/postgres_inside.h"

/* Rows that are asked for at once. */
#define ROWS_AT_ONCE 4096

static void ask(struct postgres_store *s)
{
    struct pg_job *job = job_create(PG_REQUESTS);
    if (job == NULL)
        return;
    job_number(job, s->journal);
    job_number(job, s->filter.after);
    job_number(job, ROWS_AT_ONCE);
    if (link_submit(s->reader, job) == 0)
        s->filter_piece = job;
}

/* The rows that were asked for. */
static void take(struct request_filter *f, const PGresult *rows)
{
    int count = PQntuples(rows);
    for (int i = 0; i < count; i++)
        request_filter_read(f, result_number(rows, i, 0), result_bytes(rows, i, 1));
    request_filter_read_so_far(f, count < ROWS_AT_ONCE);
}

void postgres_filter_turn(struct postgres_store *s)
{
    if (s->epoch == 0 || !request_filter_wants(&s->filter)) /* or we only look */
        return;
    if (s->filter_piece != NULL) {
        enum pg_job_state state = link_ask(s->reader, s->filter_piece, 0);
        if (state == PG_JOB_WAITING)
            return;
        if (state == PG_JOB_DONE)
            take(&s->filter, s->filter_piece->result);
        link_forget(s->reader, s->filter_piece);
        s->filter_piece = NULL;
    }
    if (request_filter_wants(&s->filter))
        ask(s);
}

void postgres_filter_finish(struct postgres_store *s)
{
    link_forget(s->reader, s->filter_piece);
    request_filter_close(&s->filter);
}
