/* postgres_known.c - what known.h is filled with is asked of the database. */
#include "sidecar/journal/postgres/postgres_inside.h"

/* Rows that are asked for at once. */
#define ROWS_AT_ONCE 4096

static void ask(struct postgres_store *s)
{
    struct pg_job *job = job_create(PG_REQUESTS);
    if (job == NULL)
        return;
    job_number(job, s->journal);
    job_number(job, s->known.after);
    job_number(job, ROWS_AT_ONCE);
    if (link_submit(s->reader, job) == 0)
        s->known_piece = job;
}

/* The rows that were asked for. */
static void take(struct known *k, const PGresult *rows)
{
    int count = PQntuples(rows);
    for (int i = 0; i < count; i++)
        known_read(k, result_number(rows, i, 0), result_bytes(rows, i, 1));
    known_read_so_far(k, count < ROWS_AT_ONCE);
}

void known_turn(struct postgres_store *s)
{
    if (s->epoch == 0 || !known_wants(&s->known)) /* or we only look */
        return;
    if (s->known_piece != NULL) {
        enum pg_job_state state = link_ask(s->reader, s->known_piece, 0);
        if (state == PG_JOB_WAITING)
            return;
        if (state == PG_JOB_DONE)
            take(&s->known, s->known_piece->result);
        link_forget(s->reader, s->known_piece);
        s->known_piece = NULL;
    }
    if (known_wants(&s->known))
        ask(s);
}

void known_finish(struct postgres_store *s)
{
    link_forget(s->reader, s->known_piece);
    known_close(&s->known);
}
