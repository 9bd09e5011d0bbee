/* postgres_claims.c - request_ids that were claimed for this journal: those of sagas that are long gone, and those of which never came a saga.
 *
 * One that has been looked at lately stays: whoever was led here by it may be on the way. So a look and the delete settle it among themselves in
 * the row, whose time each look moves on. That time is the server's, whose clock may jump ahead: so what goes was not looked at for a while by our own
 * clock, either. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

/* The least time for which nobody has looked at one that goes (claim.h). */
#define A_WHILE SPAN_S(60)

/* Asks what the server's clock says, when it is time to. */
static int look_at_clock(struct postgres_store *s, struct error_detail *detail)
{
    if (!hold_past_is_due(&s->claims_past, pg_now(), A_WHILE))
        return 0;
    int code = read_answer(s, job_create(PG_CLOCK), detail);
    if (code == 0)
        hold_past_note(&s->claims_past, pg_now(), (int64_t)result_number(s->shown, 0, 0));
    return code;
}

static struct pg_job *ask(struct postgres_store *s, struct span unseen, uint32_t work_max)
{
    struct pg_job *job = job_create(PG_OLD_CLAIMS);
    if (job == NULL)
        return NULL;
    job_number(job, s->journal);
    job_number(job, (uint64_t)unseen.us);
    job_number(job, s->claims_at);
    job_bytes(job, bytes_of(s->claims_id, s->claims_id_size));
    job_number(job, work_max);
    job_number(job, (uint64_t)s->claims_past.moment);
    return job;
}

/* The delete of those that are shown and that nothing is left of; *count: how many they are. */
static struct pg_job *forget(struct postgres_store *s, bool (*lives)(void *self, struct bytes request_id), void *self,
                             unsigned *count)
{
    struct pg_job *job = job_create(PG_DROP_CLAIMS);
    int rows = PQntuples(s->shown);
    *count = 0;
    if (job == NULL)
        return NULL;
    job_number(job, s->journal);
    job_number(job, link_epoch(s->writer));
    job_number(job, result_number(s->shown, 0, 0));
    job_number(job, result_number(s->shown, rows - 1, 0));
    job_array(job, true);
    for (int i = 0; i < rows; i++) {
        struct bytes request_id = result_bytes(s->shown, i, 1);
        if (result_number(s->shown, i, 2) > 0 || lives(self, request_id))
            continue;
        job_item_bytes(job, request_id);
        ++*count;
    }
    job_array_end(job);
    job_number(job, s->settled);
    return job;
}

/* Where the next look goes on: behind the last that is shown, or from the beginning. */
static void move_on(struct postgres_store *s, bool full)
{
    int rows = PQntuples(s->shown);
    struct bytes last = full ? result_bytes(s->shown, rows - 1, 1) : bytes_of(NULL, 0);
    CHECK(last.size <= sizeof s->claims_id); /* as it was claimed */
    s->claims_at = full ? result_number(s->shown, rows - 1, 0) : 0;
    s->claims_id_size = last.size;
    if (last.size > 0)
        memcpy(s->claims_id, last.at, last.size);
}

int postgres_store_drop_claims(struct store *face, struct span unseen,
                               bool (*lives)(void *self, struct bytes request_id), void *self, uint32_t work_max,
                               bool *more, struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    CHECK(work_max > 0);
    *more = false;
    if (s->broken != 0) {
        *detail = s->why;
        return s->broken;
    }
    if (s->fleet[0] == '\0')
        return 0;
    unsigned count = 0;
    bool full = false;
    int code = look_at_clock(s, detail);
    if (code == 0)
        code = read_answer(s, ask(s, unseen, work_max), detail);
    if (code == 0 && PQntuples(s->shown) > 0) {
        struct pg_job *job = forget(s, lives, self, &count);
        full = (uint32_t)PQntuples(s->shown) == work_max;
        move_on(s, full);
        if (count > 0)
            code = read_answer(s, job, detail);
        else
            job_free(job);
    } else if (code == 0) {
        move_on(s, false);
    }
    if (code == E_JOURNAL_AWAY)
        return 0; /* there is a next time */
    if (code == STORE_PENDING && count > 0)
        code = 0;                           /* what is on its way goes */
    *more = code == 0 && full && count > 0; /* those of sagas that live long are not looked at again and again */
    return code;
}
