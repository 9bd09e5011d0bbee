/* postgres_size.c - a bound for what a journal holds in the database: frames and rows of ended sagas, with what a row costs beside its bytes. Indexes
 * of other tables and rows that are not cleaned away yet are the database's own. It is counted once, when the journal is opened, and then kept up
 * with what comes and goes. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

/* Rows that are counted in one answer. */
#define ROWS_AT_ONCE 20000

/* What is left of the bound for ending what has begun: a part of it, or a smaller part and a commit. As in SQLite. */
#define TIGHT_PART  8
#define COMMIT_PART 16

uint64_t size_of_commit(const struct store_commit *c)
{
    uint64_t size = c->frame == 0 ? 0 : c->records.size + (c->cut_count + 1) * PG_FRAME_ROW_BYTES;
    for (size_t i = 0; i < c->ended_count; i++)
        size += PG_ENDED_ROW_BYTES + c->ended[i].name.size + c->ended[i].request_id.size + c->ended[i].owner.size;
    return size;
}

/* One table, piece by piece. */
static int count_table(struct postgres_store *s, enum pg_statement statement, struct error_detail *detail)
{
    uint64_t after = 0, rows = ROWS_AT_ONCE;
    int code = 0;
    while (code == 0 && rows == ROWS_AT_ONCE) {
        struct pg_job *job = job_create(statement);
        if (job != NULL) {
            job_number(job, s->journal);
            job_number(job, after);
            job_number(job, ROWS_AT_ONCE);
        }
        code = read_answer(s, job, detail);
        if (code != 0)
            return code;
        CHECK(PQntuples(s->shown) == 1); /* an aggregate is one row */
        rows = result_number(s->shown, 0, 0);
        after = result_number(s->shown, 0, 1);
        s->bytes += result_number(s->shown, 0, 2);
        code = postgres_store_holds(&s->face, detail); /* counting may take longer than the lease */
        code = code == E_JOURNAL_AWAY ? 0 : code;
    }
    return code;
}

int size_count(struct postgres_store *s, struct error_detail *detail)
{
    CHECK(!s->serving); /* it may take long */
    s->bytes = 0;
    if (s->bytes_max == 0)
        return 0;
    int code = count_table(s, PG_SIZE_FRAMES, detail);
    return code == 0 ? count_table(s, PG_SIZE_ENDED, detail) : code;
}

uint64_t size_tight(uint64_t bytes_max, uint64_t commit_bytes_max)
{
    uint64_t part = bytes_max / TIGHT_PART, commit = bytes_max / COMMIT_PART + commit_bytes_max;
    uint64_t kept = part > commit ? part : commit;
    return kept < bytes_max ? bytes_max - kept : 0;
}

/* It is an estimate, which is counted anew at each opening: what was counted twice makes it nothing less than none. */
void size_gone(struct postgres_store *s, uint64_t bytes)
{
    s->bytes = bytes < s->bytes ? s->bytes - bytes : 0;
}

bool postgres_store_is_tight(struct store *face)
{
    const struct postgres_store *s = (const struct postgres_store *)face;
    return s->bytes_max != 0 && s->bytes > s->bytes_tight;
}

uint64_t postgres_store_bytes(const struct store *store)
{
    return ((const struct postgres_store *)store)->bytes;
}
