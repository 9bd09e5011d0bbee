/* postgres_commit.c - a commit is one statement. Up to two are on the way; what became of them is told in their order. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"

void postgres_check(const struct postgres_store *s)
{
    CHECK(s->on_the_way_count <= STORE_COMMITS_MAX);
    CHECK(s->settled + s->on_the_way_count == s->seq); /* commits are numbered without a gap */
    CHECK((s->first_frame == 0) == (s->last_frame == 0) && s->first_frame <= s->last_frame);
    CHECK(s->handed_last_frame >= s->last_frame);
    CHECK(s->oldest_live == 0 || s->oldest_live >= s->first_frame);
    CHECK(s->lookup_count <= LOOKUPS_MAX);
    CHECK(s->witness_fd >= -1 && s->lease.us > 0 && s->timeout.us > 0);
}

static void add_frames(struct pg_job *job, const struct store_commit *c)
{
    size_t count = c->frame == 0 ? 0 : c->cut_count + 1;
    job_array(job, false);
    for (size_t i = 0; i < count; i++)
        job_item_number(job, c->frame + i);
    job_array_end(job);
    job_array(job, false);
    for (size_t i = 0; i < count; i++)
        job_item_number(job, (uint64_t)codec_time(store_commit_frame(c, i)).us);
    job_array_end(job);
    job_array(job, true);
    for (size_t i = 0; i < count; i++)
        job_item_bytes(job, store_commit_frame(c, i));
    job_array_end(job);
}

static uint64_t ended_number(const struct ended_row *row, unsigned column)
{
    const uint64_t numbers[] = {row->saga.serial,
                                row->saga.tag,
                                row->state,
                                row->mode,
                                row->reason | (uint64_t)row->skips << 8 | (uint64_t)row->lacks << 24 |
                                    (uint64_t)row->synthetic << 32, /* as in SQLite's checksum */
                                row->definition,
                                0, /* name */
                                0, /* request_id */
                                0, /* owner */
                                row->fingerprint,
                                (uint64_t)row->started_at.us,
                                (uint64_t)row->ended_at.us,
                                row->first_frame,
                                row->last_frame};
    return numbers[column];
}

#define COLUMN_NAME       6
#define COLUMN_REQUEST_ID 7
#define COLUMN_OWNER      8
#define COLUMN_COUNT      14

static void add_ended(struct pg_job *job, const struct store_commit *c)
{
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        job_array(job, column >= COLUMN_NAME && column <= COLUMN_OWNER);
        for (size_t i = 0; i < c->ended_count; i++) {
            const struct ended_row *row = &c->ended[i];
            if (column == COLUMN_NAME)
                job_item_bytes(job, row->name);
            else if (column == COLUMN_REQUEST_ID && row->request_id.size == 0)
                job_item_null(job);
            else if (column == COLUMN_REQUEST_ID)
                job_item_bytes(job, row->request_id);
            else if (column == COLUMN_OWNER)
                job_item_bytes(job, row->owner);
            else
                job_item_number(job, ended_number(row, column));
        }
        job_array_end(job);
    }
}

static void add_definitions(struct pg_job *job, const struct store_commit *c)
{
    job_array(job, false);
    for (size_t i = 0; i < c->definition_count; i++)
        job_item_number(job, c->definitions[i].number);
    job_array_end(job);
    job_array(job, false);
    for (size_t i = 0; i < c->definition_count; i++)
        job_item_number(job, (uint64_t)c->definitions[i].registered_at.us);
    job_array_end(job);
    job_array(job, true);
    for (size_t i = 0; i < c->definition_count; i++)
        job_item_bytes(job, c->definitions[i].source);
    job_array_end(job);
}

/* Of rows with the same name the last counts, and one statement may touch a row once. */
static bool is_last(const struct store_commit *c, size_t index)
{
    for (size_t i = index + 1; i < c->subject_count; i++)
        if (c->subjects[i].kind == c->subjects[index].kind && bytes_equal(c->subjects[i].name, c->subjects[index].name))
            return false;
    return true;
}

static void add_subjects(struct pg_job *job, const struct store_commit *c)
{
    for (unsigned column = 0; column < 4; column++) {
        job_array(job, column == 1 || column == 3);
        for (size_t i = 0; i < c->subject_count; i++) {
            const struct subject_row *row = &c->subjects[i];
            if (!is_last(c, i))
                continue;
            if (column == 0 || column == 2)
                job_item_number(job, column == 0 ? row->kind : row->version);
            else
                job_item_bytes(job, column == 1 ? row->name : row->value);
        }
        job_array_end(job);
    }
}

/* How many parameters each form of a commit takes, as postgres_schema.c numbers them. */
static const unsigned parameter_counts[] = {
    [PG_COMMIT_FRAMES] = 12, [PG_COMMIT_ENDED] = 26, [PG_COMMIT_ALL] = PG_PARAMETERS_MAX};

static struct pg_job *build(const struct postgres_store *s, const struct store_commit *c, uint64_t serial_max)
{
    bool others = c->definition_count > 0 || c->subject_count > 0 || c->audit.seq != 0;
    struct pg_job *job = job_create(others ? PG_COMMIT_ALL : c->ended_count > 0 ? PG_COMMIT_ENDED : PG_COMMIT_FRAMES);
    if (job == NULL)
        return NULL;
    job->seq = s->seq + 1;
    job_number(job, s->journal);
    job_number(job, 0); /* the epoch, when it is sent */
    job_number(job, job->seq);
    job_number(job, (uint64_t)s->lease.us / 1000);
    job_number(job, c->frame);
    job_number(job, c->frame == 0 ? 0 : c->frame + c->cut_count);
    job_number(job, c->oldest_live_frame);
    job_number(job, serial_max);
    job_number(job, c->audit.seq);
    add_frames(job, c);
    if (others || c->ended_count > 0)
        add_ended(job, c);
    if (others) {
        add_definitions(job, c);
        add_subjects(job, c);
        job_number(job, (uint64_t)c->audit.at.us);
        job_bytes(job, c->audit.body);
    }
    CHECK(job->count == parameter_counts[job->statement]);
    return job;
}

int postgres_store_commit(struct store *face, const struct store_commit *commit, struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    postgres_check(s);
    CHECK(s->on_the_way_count < STORE_COMMITS_MAX);
    CHECK(commit->frame == 0 || commit->frame == s->handed_last_frame + 1);
    CHECK((commit->frame == 0) == (commit->records.size == 0));
    if (s->broken != 0) {
        *detail = s->why;
        return s->broken;
    }
    if (commit->epoch != s->epoch)
        return error_set(detail, E_JOURNAL_FENCED, s->name, "the commit is of another holder of the journal");
    uint64_t serial_max = 0;
    for (size_t i = 0; i < commit->ended_count; i++) {
        CHECK(commit->ended[i].saga.serial > 0 && commit->ended[i].first_frame <= commit->ended[i].last_frame);
        if (commit->ended[i].saga.serial > serial_max)
            serial_max = commit->ended[i].saga.serial;
    }
    uint64_t bytes = s->bytes_max == 0 ? 0 : size_of_commit(commit);
    if (s->bytes_max != 0 && s->bytes + bytes > s->bytes_max)
        return error_set(detail, E_JOURNAL_FULL, s->name, "the journal holds what journal_bytes_max permits");
    struct pg_job *job = build(s, commit, serial_max);
    if (job == NULL || link_submit(s->writer, job) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    s->seq++;
    s->bytes += bytes;
    if (commit->frame != 0)
        s->handed_last_frame = commit->frame + commit->cut_count;
    s->on_the_way[s->on_the_way_count].job = job;
    s->on_the_way[s->on_the_way_count].commit = *commit;
    s->on_the_way[s->on_the_way_count++].serial_max = serial_max;
    return STORE_PENDING;
}

/* The oldest on the way is durable. */
static void landed(struct postgres_store *s)
{
    const struct store_commit *c = &s->on_the_way[0].commit;
    CHECK(s->on_the_way[0].job->seq == s->settled + 1);
    if (c->frame != 0) {
        CHECK(s->last_frame == 0 || c->frame == s->last_frame + 1); /* frames are numbered without a gap */
        if (s->first_frame == 0)
            s->first_frame = c->frame;
        s->last_frame = c->frame + c->cut_count;
        for (size_t i = 0; i <= c->cut_count; i++)
            postgres_cache_keep(s, c->frame + i, store_commit_frame(c, i));
    }
    if (c->oldest_live_frame != 0)
        s->oldest_live = c->oldest_live_frame;
    if (s->on_the_way[0].serial_max > s->serial_max)
        s->serial_max = s->on_the_way[0].serial_max;
    ended_remember(s, c);
    atomic_store(&s->settled, s->on_the_way[0].job->seq);
    job_free(s->on_the_way[0].job);
    s->on_the_way_count--;
    memmove(s->on_the_way, s->on_the_way + 1, s->on_the_way_count * sizeof s->on_the_way[0]);
    witness_write(s);
}

int postgres_store_settle(struct store *face, struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    int code = postgres_store_holds(face, detail);
    CHECK(s->on_the_way_count > 0); /* who asks has something on the way */
    if (code == E_JOURNAL_AWAY)
        return STORE_AMBIGUOUS; /* it may be durable, and is let out once we are known to hold the journal */
    if (code != 0)
        return code;
    switch (link_ask(s->writer, s->on_the_way[0].job, 0)) {
    case PG_JOB_DONE:
        landed(s);
        return 0;
    case PG_JOB_WAITING:
        return link_state(s->writer, NULL, detail) == PG_LINK_UP ? STORE_PENDING : STORE_AMBIGUOUS;
    default: /* jobs of the writer fail when it is dead, which holds tells */
        return STORE_AMBIGUOUS;
    }
}
