/* postgres_drop.c - retention: what is old goes, a piece at a time, by a statement that names the epoch, too. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

static int plan_frames(struct postgres_store *s, struct drop_plan *plan, struct error_detail *detail)
{
    struct pg_job *job = job_create(PG_OLD_FRAMES);
    if (job != NULL) {
        job_number(job, s->journal);
        job_number(job, plan->below);
        job_number(job, plan->work_max);
    }
    int code = read_answer(s, job, detail);
    if (code != 0)
        return code;
    int i = 0;
    for (; i < PQntuples(s->shown) && (int64_t)result_number(s->shown, i, 1) < plan->before.us; i++) {
        plan->frames_to = result_number(s->shown, i, 0);
        /* What an earlier statement may have dropped, of which nobody heard, is counted as gone already. */
        plan->frame_bytes += plan->frames_to < s->first_frame ? 0 : result_number(s->shown, i, 2) + PG_FRAME_ROW_BYTES;
    }
    plan->frames_more = (uint32_t)i == plan->work_max;
    plan->frames_known = true;
    return 0;
}

/* As in SQLite: serials rise with the time of the start, so the first saga that started too late ends the pass. */
static int plan_ended(struct postgres_store *s, struct drop_plan *plan, struct error_detail *detail)
{
    struct pg_job *job = job_create(PG_OLD_ENDED);
    if (job != NULL) {
        job_number(job, s->journal);
        job_number(job, s->drop_after);
        job_number(job, plan->work_max);
    }
    int code = read_answer(s, job, detail);
    if (code != 0)
        return code;
    int i = 0;
    for (; i < PQntuples(s->shown) && (int64_t)result_number(s->shown, i, 1) < plan->before.us; i++) {
        plan->ended_to = result_number(s->shown, i, 0);
        bool goes = (int64_t)result_number(s->shown, i, 2) < plan->before.us;
        plan->ended_any |= goes;
        plan->ended_bytes += goes ? result_number(s->shown, i, 3) + PG_ENDED_ROW_BYTES : 0;
    }
    plan->ended_more = (uint32_t)i == plan->work_max;
    return 0;
}

static int carry_out(struct postgres_store *s, const struct drop_plan *plan, struct error_detail *detail)
{
    CHECK(plan->frames_to != 0 || plan->ended_any);
    struct pg_job *job = job_create(PG_DROP);
    uint64_t first = plan->frames_to == 0 ? s->first_frame : plan->frames_to + 1;
    uint64_t oldest = plan->frames_to != 0 && plan->frames_to >= s->oldest_live ? plan->frames_to + 1 : s->oldest_live;
    if (job != NULL) {
        job_number(job, s->journal);
        job_number(job, link_epoch(s->writer));
        job_number(job, first);
        job_number(job, oldest);
        job_number(job, plan->frames_to);
        job_number(job, plan->ended_any ? s->drop_after : 0);
        job_number(job, plan->ended_any ? plan->ended_to : 0);
        job_number(job, (uint64_t)plan->before.us);
        job_number(job, s->settled);
    }
    /* Whether we hear of it or not: what may be gone is not asked for any more. */
    s->first_frame = first;
    s->oldest_live = oldest;
    if (plan->ended_any)
        ended_forget(s);
    size_gone(s, plan->frame_bytes);
    int code = read_answer(s, job, detail);
    if (code != 0 && code != STORE_PENDING)
        return code; /* rows that did not go after all are counted: they may go later */
    size_gone(s, plan->ended_bytes);
    if (code != 0)
        return code;
    if (PQntuples(s->shown) != 1 || result_number(s->shown, 0, 0) != 1)
        return error_set(detail, E_JOURNAL_AWAY, s->name,
                         "the journal was taken anew meanwhile"); /* the writer tells by whom */
    return 0;
}

/* What was planned with a `before` and a keep_from of a while ago may go still: both only rise. */
int postgres_store_drop(struct store *face, struct instant before, uint64_t keep_from, uint32_t work_max, bool *more,
                        struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    struct drop_plan *plan = &s->plan;
    CHECK(work_max > 0);
    *more = false;
    if (s->broken != 0) {
        *detail = s->why;
        return s->broken;
    }
    if (!plan->begun)
        *plan = (struct drop_plan){.begun = true,
                                   .frames_known = s->last_frame == 0,
                                   .before = before,
                                   .below = keep_from < s->last_frame ? keep_from : s->last_frame,
                                   .work_max = work_max};
    int code = plan->frames_known ? 0 : plan_frames(s, plan, detail);
    if (code == 0)
        code = plan_ended(s, plan, detail);
    if (code == STORE_PENDING)
        return code;
    plan->begun = false;
    if (code == 0 && (plan->frames_to != 0 || plan->ended_any))
        code = carry_out(s, plan, detail);
    if (code == E_JOURNAL_AWAY)
        return 0; /* there is a next time */
    if (code != 0 && code != STORE_PENDING)
        return code;
    s->drop_after = plan->ended_more ? plan->ended_to : 0;
    *more = plan->frames_more || plan->ended_more;
    return 0; /* what is on its way is looked at no more: the next look comes after it */
}
