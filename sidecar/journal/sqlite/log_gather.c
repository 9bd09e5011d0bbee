/* log_gather.c - only the write-ahead log is treated so; every other file goes through as it is. */
#include "sidecar/journal/sqlite/log_gather.h"

#include "sidecar/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What one piece may hold: the log of nearly every commit; more goes out in several. SQLite's own layer below takes at most 0x1ffff bytes in
 * one write, and calls the disk full when it is given more. */
#define PIECE_SIZE (64 << 10)

/* Behind it in the same allocation lies the file of the layer below. */
struct log_file {
    sqlite3_file base;
    sqlite3_file *below;
    struct log_gather *layer;
    char *piece; /* made at the first write */
    sqlite3_int64 at;
    int size;
};

static struct log_file *log_of(sqlite3_file *file)
{
    return (struct log_file *)file;
}

/* What is gathered goes to the system; whether it got there or not, it is gathered no more: SQLite writes what failed again. */
static int flush(struct log_file *f)
{
    int size = f->size;
    if (size == 0)
        return SQLITE_OK;
    f->size = 0;
    return f->below->pMethods->xWrite(f->below, f->piece, size, f->at);
}

static int log_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    struct log_file *f = log_of(file);
    CHECK(f->size >= 0 && f->size <= PIECE_SIZE);
    if (f->size > 0 && (at != f->at + f->size || size > PIECE_SIZE - f->size)) {
        int rc = flush(f);
        if (rc != SQLITE_OK)
            return rc;
    }
    if (f->piece == NULL)
        f->piece = malloc(PIECE_SIZE);
    if (f->piece == NULL || size > PIECE_SIZE)
        return f->below->pMethods->xWrite(f->below, bytes, size, at);
    if (f->size == 0)
        f->at = at;
    memcpy(f->piece + f->size, bytes, (size_t)size);
    f->size += size;
    return SQLITE_OK;
}

/* ---- everything else comes after what is gathered ---- */

static int log_close(sqlite3_file *file)
{
    struct log_file *f = log_of(file);
    int flushed = flush(f);
    int rc = f->below->pMethods->xClose(f->below);
    free(f->piece);
    f->piece = NULL;
    return flushed != SQLITE_OK ? flushed : rc;
}

static int log_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 at)
{
    struct log_file *f = log_of(file);
    int rc = flush(f);
    return rc != SQLITE_OK ? rc : f->below->pMethods->xRead(f->below, bytes, size, at);
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct log_file *f = log_of(file);
    int rc = flush(f);
    return rc != SQLITE_OK ? rc : f->below->pMethods->xTruncate(f->below, size);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int log_sync(sqlite3_file *file, int flags)
{
    struct log_file *f = log_of(file);
    int rc = flush(f);
    if (rc != SQLITE_OK)
        return rc;
    int64_t began = now_us();
    rc = f->below->pMethods->xSync(f->below, flags);
    f->layer->synced.us += now_us() - began;
    return rc;
}

static int log_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct log_file *f = log_of(file);
    int rc = flush(f);
    return rc != SQLITE_OK ? rc : f->below->pMethods->xFileSize(f->below, size);
}

static int log_file_control(sqlite3_file *file, int op, void *argument)
{
    struct log_file *f = log_of(file);
    return f->below->pMethods->xFileControl(f->below, op, argument);
}

static int log_sector_size(sqlite3_file *file)
{
    return log_of(file)->below->pMethods->xSectorSize(log_of(file)->below);
}

static int log_characteristics(sqlite3_file *file)
{
    return log_of(file)->below->pMethods->xDeviceCharacteristics(log_of(file)->below);
}

static int log_lock(sqlite3_file *file, int level)
{
    return log_of(file)->below->pMethods->xLock(log_of(file)->below, level);
}

static int log_unlock(sqlite3_file *file, int level)
{
    return log_of(file)->below->pMethods->xUnlock(log_of(file)->below, level);
}

static int log_check_lock(sqlite3_file *file, int *held)
{
    return log_of(file)->below->pMethods->xCheckReservedLock(log_of(file)->below, held);
}

/* Version 1: a log is neither mapped nor does it hold shared memory; both are of the database's own file. */
static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_file_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_file_control,
    .xSectorSize = log_sector_size,
    .xDeviceCharacteristics = log_characteristics,
};

/* ---- the layer ---- */

static sqlite3_vfs *below(sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct log_file *f = log_of(file);
    if (!(flags & SQLITE_OPEN_WAL))
        return below(vfs)->xOpen(below(vfs), name, file, flags, out_flags);
    memset(f, 0, sizeof *f);
    f->layer = (struct log_gather *)vfs; /* which begins with it */
    f->below = (sqlite3_file *)(f + 1);
    int rc = below(vfs)->xOpen(below(vfs), name, f->below, flags, out_flags);
    /* Without methods SQLite does not close it. */
    f->base.pMethods = f->below->pMethods == NULL ? NULL : &log_methods;
    return rc;
}

int log_gather_init(struct log_gather *g, const char *system_name)
{
    sqlite3_vfs *system = sqlite3_vfs_find(system_name);
    CHECK(system != NULL);
    g->vfs = *system;
    snprintf(g->name, sizeof g->name, "saga-log-%p", (void *)g);
    g->vfs.pNext = NULL;
    g->vfs.zName = g->name;
    g->vfs.pAppData = system;
    g->vfs.szOsFile = system->szOsFile + (int)sizeof(struct log_file);
    g->vfs.xOpen = layer_open;
    return sqlite3_vfs_register(&g->vfs, 0);
}

void log_gather_finish(struct log_gather *g)
{
    if (g->vfs.zName != NULL)
        sqlite3_vfs_unregister(&g->vfs);
}
