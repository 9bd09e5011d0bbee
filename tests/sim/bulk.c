/* bulk.c - bulk jobs over dead letters, begun, halted and let go on in the middle of everything; and the oracle that counts along: whatever
 * crashes, a job acts on no saga twice, leaves none out that it was for, and its row says how many it acted on. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/core/bulk.h"

#include <stdio.h>
#include <stdlib.h>

#define STATE(name) SAGA__V1__BULK_STATE__BULK_STATE_##name

static const char *const questions[] = {"state == STUCK", "reason == COMPENSATION_FAILED",
                                        "reason != PIVOT_UNKNOWN && !paused"};

/* Whether a job with this question is for a saga, as its durable records say. */
static bool is_for(unsigned question, const struct model *m)
{
    if (m->state != SAGA_STUCK)
        return false;
    return question == 0 || (question == 1 ? m->stuck_reason == REASON_COMPENSATION_FAILED
                                           : m->stuck_reason != REASON_PIVOT_UNKNOWN && !m->paused);
}

/* ---- what people do ---- */

/* Every third world has people who begin them; in another third rules do. */
static bool has_jobs(const struct world *w)
{
    return w->script == NULL && w->seed % 3 == 0;
}

unsigned bulk_new(struct world *w, int act, unsigned question, uint32_t per_second)
{
    if (w->bulk_count == BULKS_SEEN_MAX)
        return BULKS_SEEN_MAX;
    w->bulk[w->bulk_count] = (struct bulk_seen){.act = act, .question = question, .per_second = per_second};
    return w->bulk_count++;
}

int bulk_add(struct world *w, unsigned number, struct error_detail *detail)
{
    bool repeated;
    char id[16], actor[16];
    const struct bulk_seen *seen = &w->bulk[number];
    Saga__V1__BulkJob job = SAGA__V1__BULK_JOB__INIT;
    snprintf(id, sizeof id, "j%u", number);
    snprintf(actor, sizeof actor, "bulk%u", number);
    job.id = id;
    job.actor = actor;
    job.identity = (char *)(uintptr_t) "operator";
    job.reason = (char *)(uintptr_t) "because";
    job.where = (char *)(uintptr_t)questions[seen->question];
    job.per_second = seen->per_second;
    job.act = (Saga__V1__BulkAct)seen->act;
    return bulks_add(w->sidecar.bulks, &job, sidecar_now(w), &repeated, detail);
}

int bulk_cancel(struct world *w, unsigned number, struct error_detail *detail)
{
    char id[16];
    snprintf(id, sizeof id, "j%u", number);
    return bulks_change(w->sidecar.bulks, bytes_of_text(id), STATE(CANCELLED), sidecar_now(w), detail);
}

static void begin_job(struct world *w)
{
    struct error_detail detail;
    unsigned question = (unsigned)draw(w, BULK, 3);
    uint32_t per_second = draw(w, BULK, 2) == 0 ? 3 : 1000;
    int act = draw(w, BULK, 4) > 0 ? SAGA__V1__BULK_ACT__BULK_ACT_RETRY : SAGA__V1__BULK_ACT__BULK_ACT_RESOLVE;
    if (bulk_add(w, bulk_new(w, act, question, per_second), &detail) != 0)
        w->bulk_count--;
}

/* Halts one, or lets it go on; once the world has healed all go on. */
static void change_jobs(struct world *w)
{
    struct error_detail detail;
    for (unsigned i = 0; i < w->bulk_count; i++) {
        char id[16];
        snprintf(id, sizeof id, "j%u", i);
        if (w->healed)
            bulks_change(w->sidecar.bulks, bytes_of_text(id), STATE(RUNNING), sidecar_now(w), &detail);
        else if (draw(w, BULK, 200) == 0)
            bulks_change(w->sidecar.bulks, bytes_of_text(id), draw(w, BULK, 2) == 0 ? STATE(PAUSED) : STATE(RUNNING),
                         sidecar_now(w), &detail);
    }
}

int bulk_audit(void *self, const Saga__V1__BulkJob *job, struct event *event)
{
    (void)job;
    event->audit = sealed_entry(self, event);
    return 0;
}

int bulk_turn(struct world *w)
{
    struct error_detail detail;
    if ((!has_jobs(w) && !holds_are_there(w)) || w->sidecar.holding)
        return 0;
    if (has_jobs(w) && !w->healed && w->bulk_count < BULKS_SEEN_MAX &&
        engine_counts(core_engine(w->sidecar.core)).stuck > 0 && draw(w, BULK, 40) == 0)
        begin_job(w);
    if (has_jobs(w))
        change_jobs(w);
    return bulks_run(w->sidecar.bulks, sidecar_now(w), &detail);
}

/* ---- what is durable ---- */

/* The job whose act this is; NULL: a person did it. */
static struct bulk_seen *job_of(struct world *w, const struct record *r)
{
    if (r->actor.size != 5 || memcmp(r->actor.at, "bulk", 4) != 0)
        return NULL;
    return &w->bulk[r->actor.at[4] - '0'];
}

bool bulk_did(struct world *w, struct model *m, const struct record *r)
{
    struct bulk_seen *seen = job_of(w, r);
    if (seen == NULL)
        return false;
    unsigned number = (unsigned)(seen - w->bulk);
    bool fits = seen->act == SAGA__V1__BULK_ACT__BULK_ACT_RETRY
                    ? r->type == RECORD_RETRIED
                    : r->type == RECORD_ENDED && r->saga_state == SAGA_RESOLVED;
    bool second = m->bulk_commit[number] == w->commits; /* step of a saga that the first took out of it */
    if (!fits || !(is_for(seen->question, m) || second))
        world_fail(w, EXIT_SAFETY, "bulk", "a job did something to a saga that it is not for", m->id.serial);
    if (seen->cancelled != 0 && seen->cancelled < w->commits)
        world_fail(w, EXIT_SAFETY, "bulk", "a job acts that was cancelled", m->id.serial);
    if (m->bulk_commit[number] != 0 && m->bulk_commit[number] != w->commits)
        world_fail(w, EXIT_SAFETY, "bulk", "a job acted on a saga twice", m->id.serial);
    if (m->bulk_commit[number] == 0)
        seen->acted++;
    m->bulk_commit[number] = w->commits;
    mark(w, MARK_CASE, CASE_BULK);
    return true;
}

/* A saga that has been a dead letter all the while cannot have been passed over. */
static void check_none_left_out(struct world *w, const struct bulk_seen *seen)
{
    unsigned number = (unsigned)(seen - w->bulk);
    if (seen->act != SAGA__V1__BULK_ACT__BULK_ACT_RETRY)
        return; /* it may have been refused, since calls were out */
    for (uint64_t serial = 1; serial <= seen->up_to && serial <= w->serial_max; serial++) {
        const struct model *m = &w->models[serial];
        if (m->known && !m->dropped && is_for(seen->question, m) && m->last_frame < seen->from_frame &&
            m->bulk_commit[number] == 0)
            world_fail(w, EXIT_SAFETY, "bulk", "a job left out a saga that it is for", serial);
    }
}

void bulk_row(struct world *w, const struct subject_row *row)
{
    Saga__V1__BulkJob *job = saga__v1__bulk_job__unpack(NULL, row->value.size, row->value.at);
    if (job == NULL || job->id[0] != 'j' || job->id[1] < '0' || job->id[1] >= '0' + BULKS_SEEN_MAX)
        world_fail(w, EXIT_SAFETY, "bulk", "the row of a job is none", 0);
    struct bulk_seen *seen = &w->bulk[job->id[1] - '0'];
    if (seen->from_frame == 0)
        seen->from_frame = w->commit_from;
    if (job->after < seen->after)
        world_fail(w, EXIT_SAFETY, "bulk", "a job went back", job->after);
    seen->after = job->after;
    seen->said_acted = job->acted;
    seen->just_over = job->state == STATE(DONE);
    if (job->state == STATE(CANCELLED) && seen->cancelled == 0)
        seen->cancelled = w->commits;
    seen->over = seen->just_over || seen->cancelled != 0 || job->state == STATE(PAUSED); /* that waits for a person */
    seen->up_to = job->up_to;
    saga__v1__bulk_job__free_unpacked(job, NULL);
}

void bulk_commit(struct world *w)
{
    for (unsigned i = 0; i < BULKS_SEEN_MAX; i++) {
        struct bulk_seen *seen = &w->bulk[i];
        if (seen->acted != seen->said_acted)
            world_fail(w, EXIT_SAFETY, "bulk", "a job's row does not say how many it has acted on", i);
        if (!seen->just_over)
            continue;
        check_none_left_out(w, seen);
        seen->just_over = false;
        mark(w, MARK_CASE, CASE_BULK_DONE);
    }
}

void bulk_end(struct world *w)
{
    for (unsigned i = 0; i < BULKS_SEEN_MAX; i++)
        if (w->bulk[i].from_frame != 0 && !w->bulk[i].over)
            world_fail(w, EXIT_LIVENESS, "bulk", "a job does not come to its end", i);
}
