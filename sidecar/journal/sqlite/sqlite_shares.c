/* sqlite_shares.c - a bound for all that lies on the disk: what of it is the database's, the log's and the reserve's.
 *
 * Each file has a share that it keeps to, so the three together never need more. The log has room for a whole commit and is copied before one
 * that it would not hold beside what it has; under a small bound it is copied sooner, and the reserve, which is twice as large, is smaller. Of the
 * database's share the last part is kept for ending what has begun: beyond it there is no new work. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <stdio.h>

#define CHECKPOINT_PAGES_DEFAULT 1000
/* A page in the log, and what the log begins with. */
#define LOG_PAGE_SIZE (PAGE_SIZE + 24)
#define LOG_HEADER    32
/* What a small bound leaves for the log until it is copied. */
#define CHECKPOINT_PART      16
#define CHECKPOINT_PAGES_MIN 8
/* The last part of the bound; and after how many questions, or what part of that written, it is looked anew how much is used. */
#define TIGHT_PART  8
#define TIGHT_LOOKS 64

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void shares_of(struct sqlite_store *s, const struct sqlite_store_options *options)
{
    uint64_t bytes = options->size_bytes_max;
    uint64_t small = max_of(bytes / CHECKPOINT_PART / PAGE_SIZE, CHECKPOINT_PAGES_MIN);
    bool is_small = bytes != 0 && small < CHECKPOINT_PAGES_DEFAULT;
    s->checkpoint_pages = options->checkpoint_pages != 0 ? options->checkpoint_pages
                          : is_small                     ? (uint32_t)small
                                                         : CHECKPOINT_PAGES_DEFAULT;
    s->checkpoint_at = s->checkpoint_pace = s->checkpoint_pages;
    if (bytes == 0)
        return;
    uint64_t commit = options->commit_bytes_max != 0 ? options->commit_bytes_max : bytes / 16;
    /* A thirty-second more than its bytes is what a commit takes in pages, and a fourth of a full log what it touches beside them. */
    uint64_t log = max_of((commit + commit / 32) / PAGE_SIZE, s->checkpoint_pages) + s->checkpoint_pages / 4;
    uint64_t beside = LOG_HEADER + log * LOG_PAGE_SIZE + (uint64_t)RESERVE_PAGES(s) * PAGE_SIZE;
    uint64_t kept = max_of(bytes / TIGHT_PART, commit + bytes / 16);
    uint64_t pages = beside < bytes ? (bytes - beside) / PAGE_SIZE : 1;
    CHECK(log <= UINT32_MAX);
    s->shares = (struct shares){
        .bytes_max = bytes,
        .pages_max = pages,
        .tight_pages = pages > kept / PAGE_SIZE ? pages - kept / PAGE_SIZE : 0,
        .log_pages = (uint32_t)log,
    };
}

static bool read_number(struct sqlite_store *s, const char *sql, uint64_t *number)
{
    sqlite3_stmt *statement;
    bool ok =
        sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *number = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return ok;
}

int shares_hold(struct sqlite_store *s)
{
    uint64_t pages, max = s->shares.pages_max;
    char sql[96];
    if (s->shares.bytes_max == 0)
        return SQLITE_OK;
    if (!read_number(s, "PRAGMA page_count", &pages))
        return sqlite3_errcode(s->db);
    /* It was larger already when the bound was set: what has begun can end all the same. */
    if (pages > max)
        max = max_of(pages, s->shares.bytes_max / PAGE_SIZE);
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %llu", (unsigned long long)max);
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

bool sqlite_store_is_tight(struct store *face)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    uint64_t pages, unused;
    if (s->shares.bytes_max == 0 || s->broken ||
        (s->tight_looks++ % TIGHT_LOOKS != 0 && s->uncounted_bytes < s->shares.bytes_max / TIGHT_PART / TIGHT_PART))
        return s->tight;
    s->uncounted_bytes = 0;
    if (read_number(s, "PRAGMA page_count", &pages) && read_number(s, "PRAGMA freelist_count", &unused))
        s->tight = pages - unused > s->shares.tight_pages;
    return s->tight;
}

uint64_t sqlite_store_reusable(struct store *face)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    uint64_t unused = 0;
    return !s->broken && read_number(s, "PRAGMA freelist_count", &unused) ? unused * PAGE_SIZE : 0;
}
