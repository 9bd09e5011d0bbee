/* postgres_read.c - what is asked of the database and waited for: frames, definitions, subjects. */
#include "sidecar/journal/postgres/postgres_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/journal/codec.h"

/* Rows that are asked for at once. */
#define FRAMES_AT_ONCE 128
#define ROWS_AT_ONCE   64

int postgres_corrupt(const struct postgres_store *s, const char *found, struct error_detail *detail)
{
    error_set(detail, E_JOURNAL_CORRUPT, s->name, found);
    error_append(detail, "; keep the database as it is, and restore a backup of it beside");
    return E_JOURNAL_CORRUPT;
}

/* ---- frames ---- */

static int frame_corrupt(const struct postgres_store *s, uint64_t frame, const char *found, struct error_detail *detail)
{
    char text[128];
    snprintf(text, sizeof text, "frame %llu: %.90s", (unsigned long long)frame, found);
    return postgres_corrupt(s, text, detail);
}

static int check_frame(const struct postgres_store *s, uint64_t frame, struct bytes records,
                       struct error_detail *detail)
{
    struct error_detail found;
    return codec_check(records, &found) == 0 ? 0 : frame_corrupt(s, frame, found.text, detail);
}

int postgres_store_scan(struct store *face, uint64_t from,
                        int (*take)(void *self, uint64_t frame, struct bytes records), void *self,
                        struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    uint64_t next = from > s->first_frame ? from : s->first_frame;
    bool serving = s->serving;
    int code = 0;
    while (code == 0 && s->last_frame != 0 && next <= s->last_frame) {
        struct pg_job *job = job_create(PG_SCAN_FRAMES);
        if (job != NULL) {
            job_number(job, s->journal);
            job_number(job, next);
            job_number(job, FRAMES_AT_ONCE);
        }
        code = read_answer(s, job, detail);
        if (code == 0 && PQntuples(s->shown) == 0)
            code = frame_corrupt(s, next, "is missing", detail);
        PGresult *rows = s->shown;
        s->shown = NULL;
        for (int i = 0; code == 0 && i < PQntuples(rows) && next <= s->last_frame; i++, next++) {
            struct bytes records = result_bytes(rows, i, 1);
            code = result_number(rows, i, 0) != next ? frame_corrupt(s, next, "is missing", detail)
                                                     : check_frame(s, next, records, detail);
            if (code == 0)
                code = take(self, next, records);
        }
        PQclear(rows);
        postgres_store_check(face, detail); /* reading may take longer than the lease */
        s->serving = serving;
    }
    return code;
}

int postgres_store_read_frame(struct store *face, uint64_t frame, struct bytes *records, struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    if (frame < s->first_frame || frame > s->last_frame || frame == 0)
        return error_set(detail, E_CURSOR, NULL, NULL);
    if (postgres_cache_find(s, frame, records))
        return 0;
    struct pg_job *job = job_create(PG_READ_FRAME);
    if (job != NULL) {
        job_number(job, s->journal);
        job_number(job, frame);
    }
    int code = read_answer(s, job, detail);
    if (code == 0 && PQntuples(s->shown) == 0)
        code = frame_corrupt(s, frame, "is missing", detail);
    if (code != 0)
        return code;
    *records = result_bytes(s->shown, 0, 0);
    code = check_frame(s, frame, *records, detail);
    if (code == 0)
        postgres_cache_keep(s, frame, *records);
    return code;
}

/* ---- definitions and subjects ---- */

int postgres_store_scan_definitions(struct store *face, int (*take)(void *self, const struct definition_row *row),
                                    void *self, struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    uint64_t after = 0;
    int code = 0, count = ROWS_AT_ONCE;
    while (code == 0 && count == ROWS_AT_ONCE) {
        struct pg_job *job = job_create(PG_SCAN_DEFINITIONS);
        if (job != NULL) {
            job_number(job, s->journal);
            job_number(job, after);
            job_number(job, ROWS_AT_ONCE);
        }
        code = read_answer(s, job, detail);
        PGresult *rows = s->shown;
        s->shown = NULL;
        count = code == 0 ? PQntuples(rows) : 0;
        for (int i = 0; code == 0 && i < count; i++) {
            after = result_number(rows, i, 0);
            const struct definition_row row = {.number = (uint32_t)after,
                                               .registered_at.us = (int64_t)result_number(rows, i, 1),
                                               .source = result_bytes(rows, i, 2)};
            code = after == 0 || after > UINT32_MAX
                       ? postgres_corrupt(s, "a row of the table saga_definition is damaged", detail)
                       : take(self, &row);
        }
        PQclear(rows);
    }
    return code;
}

int postgres_store_scan_subjects(struct store *face, uint32_t kind,
                                 int (*take)(void *self, const struct subject_row *row), void *self,
                                 struct error_detail *detail)
{
    struct postgres_store *s = (struct postgres_store *)face;
    uint8_t after[SUBJECT_NAME_BYTES_MAX];
    size_t after_size = 0;
    int code = 0, count = ROWS_AT_ONCE;
    while (code == 0 && count == ROWS_AT_ONCE) {
        struct pg_job *job = job_create(PG_SCAN_SUBJECTS);
        if (job != NULL) {
            job_number(job, s->journal);
            job_number(job, kind);
            job_bytes(job, bytes_of(after, after_size));
            job_number(job, ROWS_AT_ONCE);
        }
        code = read_answer(s, job, detail);
        PGresult *rows = s->shown;
        s->shown = NULL;
        count = code == 0 ? PQntuples(rows) : 0;
        for (int i = 0; code == 0 && i < count; i++) {
            const struct subject_row row = {.kind = kind,
                                            .name = result_bytes(rows, i, 0),
                                            .version = result_number(rows, i, 1),
                                            .value = result_bytes(rows, i, 2)};
            bool sound = row.name.size > 0 && row.name.size <= SUBJECT_NAME_BYTES_MAX &&
                         row.value.size <= SUBJECT_VALUE_BYTES_MAX;
            if (sound) {
                memcpy(after, row.name.at, row.name.size);
                after_size = row.name.size;
            }
            code = sound ? take(self, &row) : postgres_corrupt(s, "a row of the table saga_subject is damaged", detail);
        }
        PQclear(rows);
    }
    return code;
}
