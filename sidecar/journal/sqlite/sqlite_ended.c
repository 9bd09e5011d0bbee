/* sqlite_ended.c - the rows of sagas that have ended: what people search for.
 *
 * Serials rise with the time of the start, so newest first is the order of the table itself, and a range of time is a range of it. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <stdio.h>

#define STATE_BIT(state) (UINT32_C(1) << (state))

/* What the column skips holds: how often a step was skipped, and above it whether it was a heartbeat. */
static uint32_t marks_of(const struct ended_row *row)
{
    return row->skips | (row->synthetic ? ENDED_SYNTHETIC : 0);
}

/* skips, lacks and synthetic stand above the reason, so that they change nothing in a row that has none, as rows of before versions 5 and 7. */
static uint32_t checksum_of_row(const struct ended_row *row)
{
    const uint64_t owner_size = row->owner.size;
    const uint64_t numbers[] = {
        row->saga.serial,
        row->saga.tag,
        row->state,
        row->mode,
        row->reason | (uint64_t)row->skips << 8 | (uint64_t)row->lacks << 24 | (uint64_t)row->synthetic << 32,
        row->definition,
        row->fingerprint,
        (uint64_t)row->started_at.us,
        (uint64_t)row->ended_at.us,
        row->first_frame,
        row->last_frame,
        row->name.size,
        row->request_id.size,
        checksum_of(&owner_size, 1, row->owner, bytes_of(NULL, 0)),
    };
    size_t count = sizeof numbers / sizeof numbers[0];
    /* Rows of before version 5 say nothing of an owner. */
    return checksum_of(numbers, row->owner.size == 0 ? count - 1 : count, row->name, row->request_id);
}

int sqlite_store_add_ended(struct sqlite_store *s, const struct ended_row *row)
{
    CHECK(row->saga.serial != 0 && row->saga.tag >> SAGA_ID_TAG_BITS == 0);
    CHECK(row->state == SAGA_COMMITTED || row->state == SAGA_COMPENSATED ||
          row->state == SAGA_RESOLVED);                                                      /* it has ended */
    CHECK(row->name.size <= NAME_BYTES_MAX && row->request_id.size <= REQUEST_ID_BYTES_MAX); /* it can be read again */
    CHECK(row->first_frame <= row->last_frame && row->owner.size <= IDENTITY_BYTES_MAX);
    /* A definition's name is kept once, not with every saga of it. */
    bool named = row->definition != 0 && row->definition < NAMED_MAX;
    if (named && (s->named[row->definition / 8] >> row->definition % 8 & 1) == 0) {
        sqlite3_stmt *name = inside_statement(s, SQL_ADD_NAME);
        inside_bind_number(name, 1, row->definition);
        sqlite3_bind_text(name, 2, row->name.size == 0 ? "" : (const char *)row->name.at, (int)row->name.size,
                          SQLITE_STATIC);
        int rc = inside_run(name);
        if (rc != SQLITE_OK)
            return rc;
    }
    sqlite3_stmt *add = inside_statement(s, SQL_ADD_ENDED);
    inside_bind_number(add, 1, row->saga.serial);
    inside_bind_number(add, 2, row->saga.tag);
    sqlite3_bind_int(add, 3, row->state);
    sqlite3_bind_int(add, 4, row->mode);
    sqlite3_bind_int(add, 5, row->reason);
    inside_bind_number(add, 6, row->definition);
    inside_bind_text(add, 7, named ? bytes_of(NULL, 0) : row->name);
    inside_bind_text(add, 8, row->request_id);
    if (row->fingerprint == 0)
        sqlite3_bind_null(add, 9);
    else
        sqlite3_bind_int64(add, 9, (int64_t)row->fingerprint);
    sqlite3_bind_int64(add, 10, row->started_at.us);
    sqlite3_bind_int64(add, 11, row->ended_at.us);
    inside_bind_number(add, 12, row->first_frame);
    inside_bind_number(add, 13, row->last_frame);
    checksum_bind(add, 14, checksum_of_row(row));
    if (marks_of(row) == 0)
        sqlite3_bind_null(add, 15);
    else
        sqlite3_bind_int(add, 15, (int)marks_of(row));
    inside_bind_text(add, 16, row->owner);
    if (row->lacks == 0)
        sqlite3_bind_null(add, 17);
    else
        sqlite3_bind_int(add, 17, row->lacks);
    return inside_run(add);
}

int sqlite_read_ended(struct sqlite_store *s, sqlite3_stmt *at, struct ended_row *row, struct error_detail *detail)
{
    *row = (struct ended_row){
        .saga = {.serial = (uint64_t)sqlite3_column_int64(at, 0), .tag = (uint64_t)sqlite3_column_int64(at, 1)},
        .state = (uint8_t)sqlite3_column_int(at, 2),
        .mode = (uint8_t)sqlite3_column_int(at, 3),
        .reason = (uint8_t)sqlite3_column_int(at, 4),
        .definition = (uint32_t)sqlite3_column_int64(at, 5),
        .name = inside_column_bytes(at, 6),
        .request_id = inside_column_bytes(at, 7),
        .fingerprint = (uint64_t)sqlite3_column_int64(at, 8),
        .started_at.us = sqlite3_column_int64(at, 9),
        .ended_at.us = sqlite3_column_int64(at, 10),
        .first_frame = (uint64_t)sqlite3_column_int64(at, 11),
        .last_frame = (uint64_t)sqlite3_column_int64(at, 12),
        .skips = (uint16_t)sqlite3_column_int(at, 14),
        .synthetic = (sqlite3_column_int(at, 14) & (int)ENDED_SYNTHETIC) != 0,
        .owner = inside_column_bytes(at, 15),
        .lacks = (uint8_t)sqlite3_column_int(at, 16),
    };
    bool sound = row->saga.tag >> SAGA_ID_TAG_BITS == 0 && row->state >= SAGA_RUNNING && row->state <= SAGA_RESOLVED &&
                 row->mode <= SAGA_ENLISTED && row->reason < REASON_COUNT && row->lacks <= LACKS_MAX &&
                 row->name.size <= NAME_BYTES_MAX && row->request_id.size <= REQUEST_ID_BYTES_MAX &&
                 row->owner.size <= IDENTITY_BYTES_MAX;
    if (sound && checksum_fits(at, 13, checksum_of_row(row)))
        return 0;
    char text[96];
    snprintf(text, sizeof text, "the row %lld of the table ended is damaged", (long long)row->saga.serial);
    return inside_corrupt(s->path, text, detail);
}

int sqlite_read_one(struct sqlite_store *s, sqlite3_stmt *find, struct ended_row *row, struct error_detail *detail)
{
    int rc = sqlite3_step(find);
    if (rc == SQLITE_ROW)
        return sqlite_read_ended(s, find, row, detail);
    int end = sqlite3_reset(find);
    return rc == SQLITE_DONE ? error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL)
                             : inside_fail(s, end, "reading an ended saga", detail);
}

int sqlite_leads_elsewhere(const struct sqlite_store *s, const char *what, struct error_detail *detail)
{
    char text[96];
    snprintf(text, sizeof text, "the %s leads to another saga's row", what);
    return inside_corrupt(s->path, text, detail);
}

int sqlite_store_read_ended(struct sqlite_store *s, uint64_t serial, struct ended_row *row, struct error_detail *detail)
{
    if (serial == 0 || serial > INT64_MAX)
        return error_set(detail, E_SAGA_NOT_FOUND, NULL, NULL);
    sqlite3_stmt *find = inside_statement(s, SQL_FIND_ENDED);
    inside_bind_number(find, 1, serial);
    int rc = sqlite_read_one(s, find, row, detail);
    return rc == 0 && row->saga.serial != serial ? sqlite_leads_elsewhere(s, "table ended", detail) : rc;
}

int sqlite_store_find_ended(struct store *face, uint64_t serial, struct ended_row *row, struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    inside_rest(s);
    return sqlite_store_read_ended(s, serial, row, detail);
}

/* The row at or below a serial: *found 0 when there is none. */
static int started_at_or_below(struct sqlite_store *s, uint64_t serial, uint64_t *found, int64_t *started_us)
{
    sqlite3_stmt *find = inside_statement(s, SQL_STARTED_AT);
    inside_bind_number(find, 1, serial);
    int rc = sqlite3_step(find);
    *found = 0;
    if (rc == SQLITE_ROW) {
        *found = (uint64_t)sqlite3_column_int64(find, 0);
        *started_us = sqlite3_column_int64(find, 1);
    }
    int end = sqlite3_reset(find);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : end;
}

/* Lowers *below to just above the newest saga that started before `before`, by halving the range of serials. */
static int skip_later(struct sqlite_store *s, struct instant before, uint64_t *below)
{
    uint64_t low = 0;                                                        /* nothing below it started too late */
    uint64_t high = *below < s->serial_max + 1 ? *below : s->serial_max + 1; /* the answer is not above it */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint64_t serial;
        int64_t started_us;
        CHECK(middle >= low && middle < high); /* the range shrinks with each look */
        int rc = started_at_or_below(s, middle, &serial, &started_us);
        if (rc != SQLITE_OK)
            return rc;
        if (serial == 0 || started_us < before.us)
            low = middle + 1;
        else
            high = serial;
    }
    *below = low;
    return SQLITE_OK;
}

/* The statement that walks what the query asks for: the index of rare states when COMMITTED is not wanted. */
static sqlite3_stmt *walk(struct sqlite_store *s, const struct ended_query *query, uint64_t below)
{
    bool rare = query->states != 0 && (query->states & STATE_BIT(SAGA_COMMITTED)) == 0;
    sqlite3_stmt *list = inside_statement(s, rare ? SQL_LIST_RARE : SQL_LIST_ALL);
    inside_bind_number(list, 1, below);
    if (rare) {
        static const uint8_t states[] = {SAGA_COMPENSATED, SAGA_RESOLVED};
        for (int i = 0; i < 2; i++)
            if (query->states & STATE_BIT(states[i]))
                sqlite3_bind_int(list, 2 + i, states[i]);
            else
                sqlite3_bind_null(list, 2 + i);
    }
    return list;
}

static bool matches(const struct ended_query *query, const struct ended_row *row)
{
    return (query->states == 0 || (query->states & STATE_BIT(row->state)) != 0) &&
           (query->name.size == 0 || bytes_equal(query->name, row->name)) &&
           (query->owner.size == 0 || bytes_equal(query->owner, row->owner)) &&
           instant_before(row->started_at, query->started_before);
}

int sqlite_store_list_ended(struct store *face, const struct ended_query *query,
                            void (*take)(void *self, const struct ended_row *row), void *self, uint64_t *examined_to,
                            struct error_detail *detail)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    CHECK(query->rows_max > 0 && query->examine_max > 0);
    inside_rest(s);
    uint64_t below = query->below < INT64_MAX ? query->below : INT64_MAX;
    int rc = SQLITE_OK;
    if (query->started_before.us != INSTANT_NEVER.us)
        rc = skip_later(s, query->started_before, &below);
    if (rc != SQLITE_OK)
        return inside_fail(s, rc, "reading ended sagas", detail);

    sqlite3_stmt *list = walk(s, query, below);
    uint32_t given = 0;
    uint32_t examined = 0;
    uint64_t lowest = 0;
    int step = SQLITE_ROW;
    rc = 0;
    while (given < query->rows_max && examined < query->examine_max && (step = sqlite3_step(list)) == SQLITE_ROW) {
        struct ended_row row;
        rc = sqlite_read_ended(s, list, &row, detail);
        if (rc != 0)
            break;
        if (instant_before(row.started_at, query->started_from)) {
            step = SQLITE_DONE;
            break;
        }
        lowest = row.saga.serial;
        examined++;
        if (matches(query, &row)) {
            take(self, &row);
            given++;
        }
    }
    int end = sqlite3_reset(list);
    if (rc != 0)
        return rc;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return inside_fail(s, end, "reading ended sagas", detail);
    CHECK(given <= examined); /* what does not match is looked at, too */
    *examined_to = step == SQLITE_DONE ? 0 : lowest;
    return 0;
}
