/* postgres_looks.c - what the reader is asked for, and its answer. Before the owner serves it may take long; then a look that takes long is answered later, to
 * who asks again in the same words. Several are on the way at once, so that whoever needs two in a row gets through, and nobody takes another's place. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

/* How long looks may hold the owner's turn, all of them together. */
#define HELD_MAX_US 50000
/* An answer that nobody has come back for in this time is told to nobody: who asks then wants to know what is so now. */
#define KEPT_MAX_US 2000000

static int away(struct postgres_store *s, struct error_detail *detail)
{
    struct error_detail why = {.text = ""};
    link_state(s->reader, NULL, &why);
    error_set(detail, E_JOURNAL_AWAY, s->name, "the database cannot be read now");
    if (why.text[0] != '\0') {
        error_append(detail, ": ");
        error_append(detail, why.text);
    }
    return E_JOURNAL_AWAY;
}

/* Shows the answer, and has the look forgotten. */
static int show(struct postgres_store *s, struct pg_job *job, enum pg_job_state state, struct error_detail *detail)
{
    CHECK(s->shown == NULL && state != PG_JOB_WAITING);
    s->shown = job->result;
    job->result = NULL;
    link_forget(s->reader, job);
    return state == PG_JOB_DONE ? 0 : away(s, detail);
}

/* Of a look that has ended: nobody asks what became of what was to go; and a frame is for ever what it is. */
static bool is_for_nobody(const struct pg_job *job, enum pg_job_state state)
{
    bool goes = job->statement == PG_DROP || job->statement == PG_DROP_AUDIT || job->statement == PG_DROP_CLAIMS;
    bool stays = job->statement == PG_READ_FRAME && state == PG_JOB_DONE;
    return goes || (!stays && pg_now() - job->ended_us > KEPT_MAX_US);
}

static struct pg_job *take_out(struct postgres_store *s, unsigned index)
{
    struct pg_job *job = s->looks[index];
    CHECK(index < s->look_count && job != NULL);
    s->looks[index] = s->looks[--s->look_count];
    return job;
}

/* Forgets what is for nobody. Returns whether any look is waited for. */
static bool clear_away(struct postgres_store *s)
{
    bool waits = false;
    for (unsigned i = s->look_count; i-- > 0;) {
        enum pg_job_state state = link_ask(s->reader, s->looks[i], 0);
        if (state == PG_JOB_WAITING)
            waits = true;
        else if (is_for_nobody(s->looks[i], state))
            link_forget(s->reader, take_out(s, i));
    }
    return waits;
}

/* A place for one more: of the answers that nobody has fetched the oldest makes way. False when all are waited for. */
static bool has_place(struct postgres_store *s)
{
    unsigned oldest = LOOKS_MAX;
    if (s->look_count < LOOKS_MAX)
        return true;
    for (unsigned i = 0; i < LOOKS_MAX; i++)
        if (link_ask(s->reader, s->looks[i], 0) != PG_JOB_WAITING &&
            (oldest == LOOKS_MAX || s->looks[i]->ended_us < s->looks[oldest]->ended_us))
            oldest = i;
    if (oldest < LOOKS_MAX)
        link_forget(s->reader, take_out(s, oldest));
    return oldest < LOOKS_MAX;
}

/* Waits for the answer for as long as the owner may be held. What it was held for is made up for by as much time. */
static enum pg_job_state wait_for(struct postgres_store *s, struct pg_job *job, bool others)
{
    int64_t from_us = pg_now(), held_us = s->rested_us > from_us ? s->rested_us - from_us : 0;
    if (!s->serving)
        return link_ask(s->reader, job, from_us + s->timeout.us);
    CHECK(held_us <= HELD_MAX_US);
    enum pg_job_state state = link_ask(s->reader, job, others ? 0 : from_us + HELD_MAX_US - held_us);
    int64_t to_us = pg_now();
    held_us += to_us - from_us;
    s->rested_us = to_us + (held_us < HELD_MAX_US ? held_us : HELD_MAX_US);
    return state;
}

int read_answer(struct postgres_store *s, struct pg_job *job, struct error_detail *detail)
{
    PQclear(s->shown);
    s->shown = NULL;
    if (job == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    CHECK(job->statement >= PG_WRITER_COUNT);
    bool others = clear_away(s);
    for (unsigned i = 0; i < s->look_count; i++)
        if (job_same(job, s->looks[i])) {
            job_free(job);
            enum pg_job_state state = link_ask(s->reader, s->looks[i], 0);
            return state == PG_JOB_WAITING ? STORE_PENDING : show(s, take_out(s, i), state, detail);
        }
    if (!has_place(s)) {
        job_free(job);
        return STORE_PENDING;
    }
    if (!s->serving)
        link_wait(s->reader, pg_now() + s->timeout.us, NULL, detail);
    if (link_submit(s->reader, job) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    enum pg_job_state state = wait_for(s, job, others);
    if (state == PG_JOB_WAITING && s->serving) {
        s->looks[s->look_count++] = job;
        return STORE_PENDING;
    }
    if (state != PG_JOB_WAITING)
        return show(s, job, state, detail);
    link_forget(s->reader, job);
    return away(s, detail);
}

void looks_forget(struct postgres_store *s)
{
    while (s->look_count > 0)
        link_forget(s->reader, take_out(s, 0));
}
