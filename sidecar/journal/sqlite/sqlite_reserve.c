/* sqlite_reserve.c - room that is kept for making room: a file beside the database that holds nothing.
 *
 * To drop rows is to write, too: into the log, and by copying the log into the database. On a volume that is full to the last page retention
 * could therefore never begin. Then the reserve is given up, and made again once there is room.
 *
 * Within journal_bytes_max a part is kept in the same way, for ending what has begun: beyond it there is no new work. */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_SIZE 4096

static bool reserve_path(const struct sqlite_store *s, char path[PATH_SIZE])
{
    return s->named_file && snprintf(path, PATH_SIZE, "%s.reserve", s->path) < PATH_SIZE;
}

void reserve_make(struct sqlite_store *s)
{
    char path[PATH_SIZE];
    if (s->has_reserve || s->broken || !reserve_path(s, path))
        return;
    CHECK(s->checkpoint_pages > 0);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    s->has_reserve = posix_fallocate(fd, 0, (off_t)RESERVE_PAGES(s) * PAGE_SIZE) == 0;
    close(fd);
    if (!s->has_reserve)
        unlink(path); /* what is too little for it is better used */
}

bool reserve_give_up(struct sqlite_store *s)
{
    char path[PATH_SIZE];
    if (!s->has_reserve || !reserve_path(s, path))
        return false;
    s->has_reserve = false;
    return unlink(path) == 0;
}

/* The last part of size_bytes_max; and after how many questions, or what part of that written, it is looked anew how much is used. */
#define TIGHT_PART  8
#define TIGHT_LOOKS 64

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

bool sqlite_store_is_tight(struct store *face)
{
    struct sqlite_store *s = (struct sqlite_store *)face;
    uint64_t pages, unused;
    if (s->size_bytes_max == 0 || s->broken ||
        (s->tight_looks++ % TIGHT_LOOKS != 0 && s->uncounted_bytes < s->size_bytes_max / TIGHT_PART / TIGHT_PART))
        return s->tight;
    s->uncounted_bytes = 0;
    if (read_number(s, "PRAGMA page_count", &pages) && read_number(s, "PRAGMA freelist_count", &unused))
        s->tight = (pages - unused) * PAGE_SIZE > s->size_bytes_max - s->size_bytes_max / TIGHT_PART;
    return s->tight;
}
