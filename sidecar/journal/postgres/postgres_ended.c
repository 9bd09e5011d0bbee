/* postgres_ended.c - the rows of sagas that have ended, and request_ids, which are looked up while other events are taken in. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

#include <stdlib.h>

/* Rows that are asked for at once. */
#define ROWS_AT_ONCE 200

#define STATE_BIT(state) (UINT32_C(1) << (state))

static int read_row(struct postgres_store *s, const PGresult *rows, int i, struct ended_row *row,
                    struct error_detail *detail)
{
    uint64_t n[14];
    for (int column = 0; column < 14; column++)
        n[column] = column >= 6 && column <= 8 ? 0 : result_number(rows, i, column);
    *row = (struct ended_row){
        .saga = {.serial = n[0], .tag = n[1]},
        .state = (uint8_t)n[2],
        .mode = (uint8_t)n[3],
        .reason = (uint8_t)(n[4] & 0xff),
        .skips = (uint16_t)(n[4] >> 8),
        .lacks = (uint8_t)(n[4] >> 24),
        .synthetic = (n[4] >> 32 & 1) != 0,
        .definition = (uint32_t)n[5],
        .name = result_bytes(rows, i, 6),
        .request_id = result_bytes(rows, i, 7),
        .owner = result_bytes(rows, i, 8),
        .fingerprint = n[9],
        .started_at.us = (int64_t)n[10],
        .ended_at.us = (int64_t)n[11],
        .first_frame = n[12],
        .last_frame = n[13],
    };
    bool sound = n[1] >> SAGA_ID_TAG_BITS == 0 && n[2] >= SAGA_RUNNING && n[2] <= SAGA_RESOLVED &&
                 n[3] <= SAGA_ENLISTED && (n[4] & 0xff) < REASON_COUNT && (n[4] >> 24 & 0xff) <= LACKS_MAX &&
                 n[4] >> 33 == 0 && row->name.size <= NAME_BYTES_MAX && row->request_id.size <= REQUEST_ID_BYTES_MAX &&
                 row->owner.size <= IDENTITY_BYTES_MAX;
    if (sound)
        return 0;
    char text[96];
    snprintf(text, sizeof text, "the row %llu of the table saga_ended is damaged", (unsigned long long)n[0]);
    return postgres_corrupt(s, text, detail);
}

/* ---- those that ended lately ---- */

static struct recent **place_of(struct postgres_store *s, uint64_t serial)
{
    return &s->recent[serial % RECENT_MAX];
}

/* For want of memory it is looked up. */
void ended_remember(struct postgres_store *s, const struct store_commit *commit)
{
    for (size_t i = 0; i < commit->ended_count; i++) {
        const struct ended_row *row = &commit->ended[i];
        CHECK(row->saga.serial > 0 && row->name.size <= NAME_BYTES_MAX && row->owner.size <= IDENTITY_BYTES_MAX);
        CHECK(row->request_id.size <= REQUEST_ID_BYTES_MAX);
        request_filter_add(&s->filter, row->request_id);
        struct recent **place = place_of(s, row->saga.serial);
        free(*place);
        struct recent *r = *place = malloc(sizeof *r + row->name.size + row->request_id.size + row->owner.size);
        if (r == NULL)
            continue;
        r->row = *row;
        if (row->name.size > 0)
            memcpy(r->texts, row->name.at, row->name.size);
        if (row->request_id.size > 0)
            memcpy(r->texts + row->name.size, row->request_id.at, row->request_id.size);
        if (row->owner.size > 0)
            memcpy(r->texts + row->name.size + row->request_id.size, row->owner.at, row->owner.size);
        r->row.name.at = r->texts;
        r->row.request_id.at = r->texts + row->name.size;
        r->row.owner.at = r->texts + row->name.size + row->request_id.size;
    }
}

void ended_forget(struct postgres_store *s)
{
    for (size_t i = 0; i < RECENT_MAX; i++) {
        free(s->recent[i]);
        s->recent[i] = NULL;
    }
}

int postgres_store_find_ended(struct store *face, uint64_t serial, struct ended_row *row, struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    if (serial == 0 || serial > INT64_MAX)
        return error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL);
    const struct recent *known = *place_of(s, serial);
    if (known != NULL && known->row.saga.serial == serial) {
        *row = known->row;
        return 0;
    }
    struct pg_job *job = job_create(PG_FIND_ENDED);
    if (job != NULL) {
        job_number(job, s->journal);
        job_number(job, serial);
    }
    int code = read_answer(s, job, detail);
    if (code != 0)
        return code;
    return PQntuples(s->shown) == 0 ? error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL)
                                    : read_row(s, s->shown, 0, row, detail);
}

/* ---- request_ids ---- */

static void forget(struct postgres_store *s, unsigned index)
{
    CHECK(index < s->lookup_count && s->lookups[index].job != NULL);
    link_forget(s->reader, s->lookups[index].job);
    s->lookups[index] = s->lookups[--s->lookup_count];
}

static int ask(struct postgres_store *s, struct bytes request_id, struct bytes owner, struct error_detail *detail)
{
    struct pg_job *job = job_create(PG_FIND_REQUEST);
    if (job == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    job_number(job, s->journal);
    job_bytes(job, request_id);
    job_bytes(job, owner);
    if (job->out_of_memory) {
        job_free(job);
        return error_set(detail, E_MEMORY, "", NULL);
    }
    struct bytes view = bytes_of(job->bytes + job->parameters[1].offset, job->parameters[1].size);
    struct bytes of = bytes_of(job->bytes + job->parameters[2].offset, job->parameters[2].size);
    link_submit(s->reader, job);
    if (s->lookup_count == LOOKUPS_MAX) {
        /* Nobody came back for the oldest. */
        unsigned oldest = 0;
        for (unsigned i = 1; i < LOOKUPS_MAX; i++)
            if (s->lookups[i].asked < s->lookups[oldest].asked)
                oldest = i;
        forget(s, oldest);
    }
    s->lookups[s->lookup_count++] = (struct lookup){.job = job, .request_id = view, .owner = of, .asked = ++s->asked};
    return STORE_PENDING;
}

/* An answer is given once. One that says that there is none stays true until somebody has taken it: only who has may begin such a saga. */
int postgres_store_find_request(struct store *face, struct bytes request_id, struct bytes owner, struct ended_row *row,
                                struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    unsigned i = 0;
    postgres_filter_turn(s);
    while (i < s->lookup_count &&
           (!bytes_equal(s->lookups[i].request_id, request_id) || !bytes_equal(s->lookups[i].owner, owner)))
        i++;
    if (i == s->lookup_count && request_filter_is_new(&s->filter, request_id))
        return error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL);
    if (i == s->lookup_count)
        return ask(s, request_id, owner, detail);
    struct pg_job *job = s->lookups[i].job;
    enum pg_job_state state = link_ask(s->reader, job, 0);
    if (state == PG_JOB_WAITING)
        return STORE_PENDING;
    PQclear(s->shown);
    s->shown = job->result;
    job->result = NULL;
    forget(s, i);
    if (state != PG_JOB_DONE)
        return error_set(detail, E_JOURNAL_AWAY, s->name, "the database cannot be read now");
    return PQntuples(s->shown) == 0 ? error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL)
                                    : read_row(s, s->shown, 0, row, detail);
}

/* ---- lists ---- */

/* From the newest of those that started before query->started_before, in one look. */
static struct pg_job *ask_list(const struct postgres_store *s, const struct ended_query *query, uint32_t at_once)
{
    bool rare = query->states != 0 && (query->states & STATE_BIT(SAGA_COMMITTED)) == 0;
    bool ends = query->started_before.us != INSTANT_NEVER.us;
    struct pg_job *job = job_create(ends   ? rare ? PG_LIST_RARE_BEFORE : PG_LIST_ALL_BEFORE
                                    : rare ? PG_LIST_RARE
                                           : PG_LIST_ALL);
    if (job == NULL)
        return NULL;
    job_number(job, s->journal);
    job_number(job, query->below < INT64_MAX ? query->below : INT64_MAX);
    job_number(job, at_once);
    if (ends)
        job_number(job, (uint64_t)query->started_before.us);
    return job;
}

static bool matches(const struct ended_query *query, const struct ended_row *row)
{
    return (query->states == 0 || (query->states & STATE_BIT(row->state)) != 0) &&
           (query->name.size == 0 || bytes_equal(query->name, row->name)) &&
           (query->owner.size == 0 || bytes_equal(query->owner, row->owner)) &&
           instant_before(row->started_at, query->started_before);
}

int postgres_store_list_ended(struct store *face, const struct ended_query *query,
                              void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                              struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    uint32_t at_once = query->examine_max < ROWS_AT_ONCE ? query->examine_max : ROWS_AT_ONCE;
    CHECK(query->rows_max > 0 && query->examine_max > 0);
    struct pg_job *job = ask_list(s, query, at_once);
    *examined_to = 0; /* which may be query->below */
    int code = read_answer(s, job, detail);
    if (code != 0)
        return code;
    PGresult *rows = s->shown;
    s->shown = NULL;
    uint32_t given = 0, examined = 0, count = (uint32_t)PQntuples(rows);
    bool whole = count < at_once; /* there is nothing behind them */
    for (; code == 0 && examined < count && given < query->rows_max; examined++) {
        struct ended_row row;
        code = read_row(s, rows, (int)examined, &row, detail);
        if (code != 0 || instant_before(row.started_at, query->started_from)) {
            whole = true;
            examined = count;
            break;
        }
        *examined_to = row.saga.serial;
        if (matches(query, &row)) {
            take(self, &row);
            given++;
        }
    }
    if (whole && examined == count)
        *examined_to = 0;
    PQclear(rows);
    return code;
}

/* The server looks after its pages itself; what it gives is checked as it is read. */
int postgres_store_verify(struct store *face, uint32_t rows_max, bool *more, struct error_detail *detail)
{
    (void)face;
    CHECK(rows_max > 0);
    *more = false;
    detail->text[0] = '\0';
    return 0;
}
