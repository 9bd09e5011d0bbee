/* crash_vfs.c - a VFS for SQLite on a disk made of memory that loses, tears and garbles what was not synced. */
#include "tests/support/crash_vfs.h"

#include "sidecar/base/check.h"
#include "sidecar/base/random.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 8
#define NAME_SIZE 256
#define SECTOR    512

struct content {
    uint8_t *at;
    size_t size;
    size_t room;
};

/* A queued write; `data` NULL: the file is cut, or grows with zeros, to `offset`. */
struct change {
    size_t offset;
    size_t size;
    uint8_t *data;
};

struct image {
    char name[NAME_SIZE]; /* "": free */
    bool is_there;        /* for whoever looks now */
    bool was_synced;      /* there is something on the disk by this name */
    struct content now;
    struct content disk;
    struct change *changes;
    size_t change_count;
    size_t change_room;
};

struct handle {
    sqlite3_file base;
    struct image *image;
    bool delete_on_close;
};

static struct {
    struct image images[FILES_MAX];
    int open_count;
    uint64_t calls[CRASH_CALL_COUNT];
    uint64_t fail_at[CRASH_CALL_COUNT]; /* 0: none */
    uint64_t fail_to[CRASH_CALL_COUNT];
    int fail_code[CRASH_CALL_COUNT];
    uint64_t crash_at; /* sync; 0: none */
    bool crashed;
} disk;

/* ---- contents ---- */

static void resize(struct content *c, size_t size)
{
    if (size > c->room) {
        c->room = size * 2;
        c->at = realloc(c->at, c->room);
        CHECK(c->at != NULL);
    }
    if (size > c->size)
        memset(c->at + c->size, 0, size - c->size);
    c->size = size;
}

static void put(struct content *c, size_t offset, const uint8_t *data, size_t size)
{
    if (offset + size > c->size)
        resize(c, offset + size);
    if (size > 0)
        memcpy(c->at + offset, data, size);
}

static void copy(struct content *to, const struct content *from)
{
    resize(to, 0);
    put(to, 0, from->at, from->size);
}

static void apply(struct content *c, const struct change *change)
{
    if (change->data == NULL)
        resize(c, change->offset);
    else
        put(c, change->offset, change->data, change->size);
}

static void forget_changes(struct image *image)
{
    for (size_t i = 0; i < image->change_count; i++)
        free(image->changes[i].data);
    image->change_count = 0;
}

static void queue(struct image *image, size_t offset, const void *data, size_t size)
{
    if (image->change_count == image->change_room) {
        image->change_room = image->change_room * 2 + 16;
        image->changes = realloc(image->changes, image->change_room * sizeof *image->changes);
        CHECK(image->changes != NULL);
    }
    struct change change = {.offset = offset, .size = size};
    if (data != NULL) {
        change.data = malloc(size + 1);
        CHECK(change.data != NULL);
        memcpy(change.data, data, size);
    }
    image->changes[image->change_count++] = change;
    apply(&image->now, &change);
}

/* ---- failing ---- */

/* Counts a call. Returns SQLite's code for it: SQLITE_OK to go on. */
static int count_call(enum crash_call call, int when_crashed)
{
    if (disk.crashed)
        return when_crashed;
    uint64_t n = ++disk.calls[call];
    if (call == CRASH_SYNC && n == disk.crash_at) {
        disk.crashed = true;
        return when_crashed;
    }
    return disk.fail_at[call] != 0 && n >= disk.fail_at[call] && n < disk.fail_to[call] ? disk.fail_code[call]
                                                                                        : SQLITE_OK;
}

/* ---- files ---- */

static struct image *image_of(sqlite3_file *file)
{
    return ((struct handle *)file)->image;
}

static int file_close(sqlite3_file *file)
{
    struct handle *h = (struct handle *)file;
    if (h->delete_on_close)
        h->image->is_there = false;
    disk.open_count--;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *to, int size, sqlite3_int64 offset)
{
    int rc = count_call(CRASH_READ, SQLITE_IOERR_READ);
    if (rc != SQLITE_OK)
        return rc;
    const struct content *c = &image_of(file)->now;
    size_t have = (size_t)offset < c->size ? c->size - (size_t)offset : 0;
    if (have >= (size_t)size) {
        memcpy(to, c->at + offset, (size_t)size);
        return SQLITE_OK;
    }
    if (have > 0)
        memcpy(to, c->at + offset, have);
    memset((uint8_t *)to + have, 0, (size_t)size - have);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 offset)
{
    int rc = count_call(CRASH_WRITE, SQLITE_IOERR_WRITE);
    /* A sector is written as a whole or not at all. */
    size_t written = rc == SQLITE_OK ? (size_t)size : (size_t)size / 2 / SECTOR * SECTOR;
    if (!disk.crashed && written > 0)
        queue(image_of(file), (size_t)offset, from, written);
    return rc;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (disk.crashed)
        return SQLITE_IOERR_TRUNCATE;
    queue(image_of(file), (size_t)size, NULL, 0);
    return SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct image *image = image_of(file);
    int rc = count_call(CRASH_SYNC, SQLITE_IOERR_FSYNC);
    if (disk.crashed)
        return rc;
    for (size_t i = 0; i < image->change_count && rc == SQLITE_OK; i++)
        apply(&image->disk, &image->changes[i]);
    image->was_synced |= rc == SQLITE_OK;
    forget_changes(image);
    return rc;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)image_of(file)->now.size;
    return disk.crashed ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int level)
{
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int file_is_locked(sqlite3_file *file, int *is_locked)
{
    (void)file;
    *is_locked = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int what, void *argument)
{
    (void)file;
    (void)what;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

/* As SQLite's own for Unix says of most disks: a write that is torn leaves what lies beside it alone. */
static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_is_locked,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

/* ---- the VFS ---- */

static struct image *find(const char *name)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (disk.images[i].name[0] != '\0' && strcmp(disk.images[i].name, name) == 0)
            return &disk.images[i];
    return NULL;
}

static struct image *make(const char *name)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (disk.images[i].name[0] == '\0') {
            snprintf(disk.images[i].name, NAME_SIZE, "%s", name);
            return &disk.images[i];
        }
    CHECK(!"room for one more file");
    return NULL;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    file->pMethods = NULL;
    if (disk.crashed)
        return SQLITE_CANTOPEN;
    struct image *image = find(name == NULL ? "(temporary)" : name);
    if (image == NULL || !image->is_there) {
        if ((flags & SQLITE_OPEN_CREATE) == 0)
            return SQLITE_CANTOPEN;
        if (image == NULL)
            image = make(name == NULL ? "(temporary)" : name);
        image->is_there = true;
        image->now.size = 0;
        queue(image, 0, NULL, 0);
    }
    struct handle *h = (struct handle *)file;
    *h = (struct handle){.base.pMethods = &file_methods, .image = image};
    h->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    disk.open_count++;
    if (out_flags != NULL)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    (void)vfs;
    if (disk.crashed)
        return SQLITE_IOERR_DELETE;
    struct image *image = find(name);
    if (image == NULL || !image->is_there)
        return SQLITE_IOERR_DELETE_NOENT;
    image->is_there = false;
    if (sync_directory) {
        forget_changes(image);
        image->was_synced = false;
        image->disk.size = 0;
    }
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    (void)vfs;
    struct image *image = find(name);
    *result = image != NULL && image->is_there && (flags != SQLITE_ACCESS_EXISTS || image->now.size > 0);
    return disk.crashed ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

/* The salts of the log come from here, so that one seed makes one run. */
static int vfs_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    static struct random r;
    (void)vfs;
    for (int i = 0; i < size; i++)
        out[i] = (char)random_next(&r);
    return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int vfs_current_time(sqlite3_vfs *vfs, double *days)
{
    (void)vfs;
    *days = 2460000;
    return SQLITE_OK;
}

static sqlite3_vfs vfs_itself = {
    .iVersion = 1,
    .szOsFile = sizeof(struct handle),
    .mxPathname = NAME_SIZE - 1,
    .zName = CRASH_VFS_NAME,
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_pathname,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_current_time,
};

/* ---- crashing ---- */

static void land_torn(struct content *c, const struct change *change, bool garble, struct random *r)
{
    for (size_t at = 0; at < change->size; at += SECTOR) {
        uint8_t sector[SECTOR];
        size_t size = change->size - at < SECTOR ? change->size - at : SECTOR;
        memcpy(sector, change->data + at, size);
        uint64_t fate = random_below(r, 3);
        if (fate == 0)
            continue;
        if (fate == 1 && garble)
            for (size_t i = 0; i < size; i++)
                sector[i] = (uint8_t)random_next(r);
        put(c, change->offset + at, sector, size);
    }
}

static void land(struct content *c, const struct change *change, enum crash_fate fate, struct random *r)
{
    uint64_t drawn = random_below(r, 3);
    if (fate == CRASH_KEEPS_ALL || (fate != CRASH_LOSES_ALL && drawn == 0))
        apply(c, change);
    else if (fate != CRASH_LOSES_ALL && drawn == 1 && change->data != NULL)
        land_torn(c, change, fate == CRASH_GARBLES, r);
}

void crash_vfs_reboot(enum crash_fate fate, uint64_t seed)
{
    struct random r;
    random_seed(&r, seed);
    CHECK(disk.open_count == 0);
    disk.crashed = false;
    disk.crash_at = 0;
    for (int i = 0; i < FILES_MAX; i++) {
        struct image *image = &disk.images[i];
        if (image->name[0] == '\0')
            continue;
        for (size_t k = 0; k < image->change_count; k++)
            land(&image->disk, &image->changes[k], fate, &r);
        forget_changes(image);
        /* Neither that it was made nor that it was deleted is sure, unless the one was synced and the other never asked for. */
        if (!image->is_there || !image->was_synced)
            image->is_there =
                fate != CRASH_LOSES_ALL && (fate == CRASH_KEEPS_ALL ? image->is_there : random_below(&r, 2) == 0);
        if (!image->is_there) {
            image->disk.size = 0;
            image->was_synced = false;
        }
        copy(&image->now, &image->disk);
    }
}

void crash_vfs_start(void)
{
    crash_vfs_finish();
    CHECK(sqlite3_vfs_register(&vfs_itself, 0) == SQLITE_OK);
}

void crash_vfs_finish(void)
{
    CHECK(disk.open_count == 0);
    for (int i = 0; i < FILES_MAX; i++) {
        struct image *image = &disk.images[i];
        forget_changes(image);
        free(image->changes);
        free(image->now.at);
        free(image->disk.at);
    }
    memset(&disk, 0, sizeof disk);
}

void crash_vfs_crash_at_sync(uint64_t nth)
{
    disk.crash_at = nth == 0 ? 0 : disk.calls[CRASH_SYNC] + nth;
}

void crash_vfs_crash(void)
{
    disk.crashed = true;
}

void crash_vfs_restart(void)
{
    CHECK(disk.open_count == 0);
    disk.crashed = false;
    disk.crash_at = 0;
}

bool crash_vfs_crashed(void)
{
    return disk.crashed;
}

void crash_vfs_fail(enum crash_call call, uint64_t nth, uint64_t count, int code)
{
    disk.fail_at[call] = nth == 0 ? 0 : disk.calls[call] + nth;
    disk.fail_to[call] = disk.fail_at[call] + count;
    disk.fail_code[call] = code;
}

uint64_t crash_vfs_calls(enum crash_call call)
{
    return disk.calls[call];
}
