/* postgres_job.c - parameters in the form in which the server keeps them: numbers of eight bytes, highest first, and arrays of one dimension. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"

#include <stdlib.h>
#include <time.h>

#define OID_BIGINT 20
#define OID_BYTEA  17

int64_t pg_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct pg_job *job_create(enum pg_statement statement)
{
    struct pg_job *job = calloc(1, sizeof *job);
    if (job != NULL)
        job->statement = statement;
    return job;
}

void job_free(struct pg_job *job)
{
    if (job == NULL)
        return;
    PQclear(job->result);
    free(job->bytes);
    free(job);
}

static uint8_t *add(struct pg_job *job, size_t size)
{
    static uint8_t nowhere[8];
    if (size > job->room - job->size) {
        size_t room = job->room == 0 ? 512 : job->room * 2;
        while (room - job->size < size)
            room *= 2;
        uint8_t *bytes = realloc(job->bytes, room);
        if (bytes == NULL) {
            job->out_of_memory = true;
            return size <= sizeof nowhere ? nowhere : NULL;
        }
        job->bytes = bytes;
        job->room = room;
    }
    job->size += size;
    return job->bytes + job->size - size;
}

static void put(uint8_t *at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static void add_number(struct pg_job *job, uint64_t value, unsigned size)
{
    CHECK(size == 4 || size == 8); /* without memory there is a place for no more */
    put(add(job, size), value, size);
}

static void add_bytes(struct pg_job *job, struct bytes value)
{
    uint8_t *at = value.size == 0 ? NULL : add(job, value.size);
    if (at != NULL && !job->out_of_memory)
        memcpy(at, value.at, value.size);
}

static void begin(struct pg_job *job)
{
    CHECK(job->count < PG_PARAMETERS_MAX);
    job->parameters[job->count].offset = job->size;
}

static void end(struct pg_job *job)
{
    CHECK(job->size >= job->parameters[job->count].offset);
    job->parameters[job->count].size = job->size - job->parameters[job->count].offset;
    job->count++;
}

void job_number(struct pg_job *job, uint64_t value)
{
    begin(job);
    add_number(job, value, 8);
    end(job);
}

void job_bytes(struct pg_job *job, struct bytes value)
{
    begin(job);
    add_bytes(job, value);
    end(job);
}

void job_set_number(struct pg_job *job, unsigned parameter, uint64_t value)
{
    CHECK(parameter < job->count && job->parameters[parameter].size == 8);
    put(job->bytes + job->parameters[parameter].offset, value, 8);
}

/* Dimensions, whether there are NULLs, the type; of the dimension its length and where it begins to count. */
void job_array(struct pg_job *job, bool of_bytes)
{
    begin(job);
    add_number(job, 1, 4);
    add_number(job, 1, 4);
    add_number(job, of_bytes ? OID_BYTEA : OID_BIGINT, 4);
    job->array_at = job->size;
    job->array_count = 0;
    add_number(job, 0, 4);
    add_number(job, 1, 4);
}

void job_item_number(struct pg_job *job, uint64_t value)
{
    job->array_count++;
    add_number(job, 8, 4);
    add_number(job, value, 8);
}

void job_item_bytes(struct pg_job *job, struct bytes value)
{
    job->array_count++;
    add_number(job, value.size, 4);
    add_bytes(job, value);
}

void job_item_null(struct pg_job *job)
{
    job->array_count++;
    add_number(job, UINT32_MAX, 4);
}

void job_array_end(struct pg_job *job)
{
    CHECK(job->out_of_memory || job->array_at > job->parameters[job->count].offset); /* of the array that was begun */
    if (!job->out_of_memory)
        put(job->bytes + job->array_at, job->array_count, 4);
    end(job);
}

bool job_same(const struct pg_job *a, const struct pg_job *b)
{
    return a->statement == b->statement && a->count == b->count &&
           bytes_equal(bytes_of(a->bytes, a->size), bytes_of(b->bytes, b->size));
}

uint64_t result_number(const PGresult *result, int row, int column)
{
    const uint8_t *at = (const uint8_t *)PQgetvalue(result, row, column);
    uint64_t value = 0;
    CHECK(PQgetlength(result, row, column) == 8); /* every number of ours is a bigint */
    for (int i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

struct bytes result_bytes(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column)
               ? bytes_of(NULL, 0)
               : bytes_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}
