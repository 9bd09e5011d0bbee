/* log_check.c - whether the write-ahead log is damaged where it had been synced.
 *
 * SQLite reads its log up to the first frame whose checksum is wrong and takes that for the end, which is right after a crash: what was
 * being written is torn, and nobody was told that it was durable. But a bit that flipped further up would silently take every later
 * commit with it. The two can be told apart: each commit is synced before the next is written, so a crash tears one commit at most.
 * Where what is wrong is followed by a whole frame of a commit that began after it, it was not a crash. In the very last commit a tear and
 * damage look much alike; but a frame that a single flipped bit makes whole was written whole. What is dropped there is counted, so that it can
 * be said.
 *
 * A log is a header of 32 bytes and frames of a header of 24 bytes and a page; SQLite's documentation, "WAL-mode File Format". */
#include "sidecar/journal/sqlite/sqlite_inside.h"

#include "sidecar/base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define LOG_MAGIC         UINT32_C(0x377f0682) /* the lowest bit tells the byte order of the checksums */
#define LOG_HEADER_SIZE   32
#define FRAME_HEADER_SIZE 24
#define PAGE_SIZE_MAX     65536

/* What was found. */
struct log_state {
    bool damaged; /* where it had been synced */
    bool flipped; /* one bit of the last commit is not as it was written */
    uint64_t dropped_bytes;
};

struct sums {
    uint32_t a;
    uint32_t b;
};

struct log {
    sqlite3_file *file;
    uint32_t page_size;
    bool big_endian; /* words that are summed */
    uint32_t salt[2];
    sqlite3_int64 frame_count; /* whole ones */
    sqlite3_int64 rest;        /* bytes after them */
    uint8_t *frame;            /* room for one */
};

static uint32_t word(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t word_swapped(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static uint32_t summed_word(bool big_endian, const uint8_t *at)
{
    return big_endian ? word(at) : word_swapped(at);
}

static struct sums sum(bool big_endian, struct sums s, const uint8_t *at, size_t size)
{
    for (const uint8_t *end = at + size; at < end; at += 8) {
        s.a += summed_word(big_endian, at) + s.b;
        s.b += summed_word(big_endian, at + 4) + s.a;
    }
    return s;
}

static bool sums_are(struct sums s, const uint8_t *stored)
{
    return s.a == word(stored) && s.b == word(stored + 4);
}

static sqlite3_int64 frame_at(const struct log *log, sqlite3_int64 index)
{
    CHECK(index >= 0 && index < log->frame_count);
    return LOG_HEADER_SIZE + index * (sqlite3_int64)(FRAME_HEADER_SIZE + log->page_size);
}

/* Reads the header. *sound tells whether SQLite will believe it. */
static int read_header(struct log *log, bool *sound)
{
    uint8_t header[LOG_HEADER_SIZE];
    sqlite3_int64 size;
    *sound = false;
    int rc = log->file->pMethods->xFileSize(log->file, &size);
    if (rc != SQLITE_OK || size < LOG_HEADER_SIZE)
        return rc;
    rc = log->file->pMethods->xRead(log->file, header, sizeof header, 0);
    if (rc != SQLITE_OK)
        return rc;
    log->big_endian = (header[3] & 1) != 0;
    log->page_size = word(header + 8);
    log->salt[0] = word(header + 16);
    log->salt[1] = word(header + 20);
    *sound = (word(header) & ~UINT32_C(1)) == LOG_MAGIC && log->page_size >= 512 && log->page_size <= PAGE_SIZE_MAX &&
             (log->page_size & (log->page_size - 1)) == 0 &&
             sums_are(sum(log->big_endian, (struct sums){0, 0}, header, 24), header + 24);
    if (!*sound)
        log->page_size = PAGE_SIZE;
    log->frame_count = (size - LOG_HEADER_SIZE) / (FRAME_HEADER_SIZE + (sqlite3_int64)log->page_size);
    log->rest = (size - LOG_HEADER_SIZE) % (FRAME_HEADER_SIZE + (sqlite3_int64)log->page_size);
    return SQLITE_OK;
}

/* A header that is not sound was being written anew when the system crashed, over frames that are in the database by then; unless the
 * first frame is of this very header. */
static int check_unsound(struct log *log, struct log_state *state)
{
    uint8_t header[FRAME_HEADER_SIZE];
    if (log->frame_count == 0)
        return SQLITE_OK;
    int rc = log->file->pMethods->xRead(log->file, header, sizeof header, LOG_HEADER_SIZE);
    state->damaged = rc == SQLITE_OK && (word(header + 8) == log->salt[0] || word(header + 12) == log->salt[1]);
    return rc;
}

/* The checksum of a frame, from that of the frame before it. */
static struct sums sum_frame(const struct log *log, struct sums before, const uint8_t *frame)
{
    struct sums s = sum(log->big_endian, before, frame, 8);
    return sum(log->big_endian, s, frame + FRAME_HEADER_SIZE, log->page_size);
}

static bool is_ours(const struct log *log, const uint8_t *frame)
{
    return word(frame + 8) == log->salt[0] && word(frame + 12) == log->salt[1];
}

static int bits_between(uint32_t a, uint32_t b)
{
    return __builtin_popcount(a ^ b);
}

/* What a pair of words that is summed makes of the sums before it, but for the words themselves. */
static struct sums past_a_pair(struct sums s)
{
    return (struct sums){s.a + s.b, s.a + 2 * s.b};
}

/* Whether the sums lack what they would have with one bit of this word, whichever, as it is not; weight is what one of it adds to them. */
static bool is_a_bit_of(uint32_t word, struct sums weight, struct sums lack)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t change = (word >> bit & 1) != 0 ? -(UINT32_C(1) << bit) : UINT32_C(1) << bit;
        if (weight.a * change == lack.a && weight.b * change == lack.b)
            return true;
    }
    return false;
}

/* Whether the frame would be whole with one bit of it, whichever, as it is not. Sums are linear in the words: from the last word to the first it is
 * known what a bit of each adds to them. */
static bool has_flipped_bit(const struct log *log, struct sums before, const uint8_t *frame)
{
    struct sums s = sum_frame(log, before, frame);
    int in_sums = bits_between(s.a, word(frame + 16)) + bits_between(s.b, word(frame + 20));
    int in_salt = bits_between(word(frame + 8), log->salt[0]) + bits_between(word(frame + 12), log->salt[1]);
    if (in_sums + in_salt <= 1)
        return true;
    if (in_salt > 0)
        return false;
    CHECK(log->page_size >= 512 && log->page_size <= PAGE_SIZE_MAX); /* the header was sound */
    const struct sums lack = {word(frame + 16) - s.a, word(frame + 20) - s.b};
    struct sums first = {1, 1}, second = {0, 1}; /* what the words of a pair add */
    bool flipped = false;
    for (size_t left = 8 + (size_t)log->page_size; left > 0 && !flipped; left -= 8) {
        const uint8_t *pair = left == 8 ? frame : frame + FRAME_HEADER_SIZE + left - 16;
        flipped = is_a_bit_of(summed_word(log->big_endian, pair), first, lack) ||
                  is_a_bit_of(summed_word(log->big_endian, pair + 4), second, lack);
        first = past_a_pair(first);
        second = past_a_pair(second);
    }
    return flipped;
}

/* Walks the frames of this header's. A frame is whole when its checksum follows from the one that the frame before it tells, so a whole frame
 * was written after the one before it, and a mark of a commit between the two was synced first. */
static int check_frames(struct log *log, struct log_state *state)
{
    uint8_t header[LOG_HEADER_SIZE];
    int rc = log->file->pMethods->xRead(log->file, header, sizeof header, 0);
    struct sums before = {word(header + 24), word(header + 28)};
    bool broken = false;          /* SQLite reads no further */
    bool ended = false;           /* a commit is marked as ended beyond that */
    sqlite3_int64 committed = 0;  /* frames that SQLite takes */
    sqlite3_int64 ours_until = 0; /* frames that were written under this header */
    for (sqlite3_int64 i = 0; rc == SQLITE_OK && i < log->frame_count && !state->damaged; i++) {
        uint8_t *frame = log->frame;
        rc = log->file->pMethods->xRead(log->file, frame, (int)(FRAME_HEADER_SIZE + log->page_size), frame_at(log, i));
        bool ours = is_ours(log, frame);
        bool whole = ours && sums_are(sum_frame(log, before, frame), frame + 16);
        state->damaged = ended && whole;
        if (!broken && !whole && rc == SQLITE_OK)
            state->flipped = has_flipped_bit(log, before, frame);
        broken |= !whole;
        ended = broken && ours && word(frame + 4) != 0;
        if (ours)
            ours_until = i + 1;
        if (!broken && word(frame + 4) != 0)
            committed = i + 1;
        before = (struct sums){word(frame + 16), word(frame + 20)};
    }
    CHECK(committed <= log->frame_count && ours_until <= log->frame_count);
    if (ours_until > committed)
        state->dropped_bytes = (uint64_t)(ours_until - committed) * (FRAME_HEADER_SIZE + log->page_size);
    /* A file that was to become longer, and has become so by a part of a frame. */
    if (rc == SQLITE_OK && log->rest >= FRAME_HEADER_SIZE) {
        sqlite3_int64 at = LOG_HEADER_SIZE + log->frame_count * (sqlite3_int64)(FRAME_HEADER_SIZE + log->page_size);
        rc = log->file->pMethods->xRead(log->file, log->frame, FRAME_HEADER_SIZE, at);
        if (rc == SQLITE_OK && is_ours(log, log->frame))
            state->dropped_bytes += (uint64_t)log->rest;
    }
    return rc;
}

static int check_log(struct log *log, struct log_state *state)
{
    bool sound;
    int rc = read_header(log, &sound);
    if (rc != SQLITE_OK || log->frame_count + log->rest == 0)
        return rc;
    if (!sound)
        return check_unsound(log, state);
    log->frame = malloc(FRAME_HEADER_SIZE + log->page_size);
    if (log->frame == NULL)
        return SQLITE_NOMEM;
    rc = check_frames(log, state);
    free(log->frame);
    return rc;
}

static int open_and_check(sqlite3_vfs *vfs, const char *path, struct log_state *state)
{
    struct log log = {.file = calloc(1, (size_t)vfs->szOsFile)};
    if (log.file == NULL)
        return SQLITE_NOMEM;
    int rc = vfs->xOpen(vfs, path, log.file, SQLITE_OPEN_READONLY | SQLITE_OPEN_WAL, NULL);
    if (rc == SQLITE_OK)
        rc = check_log(&log, state);
    if (log.file->pMethods != NULL)
        log.file->pMethods->xClose(log.file);
    free(log.file);
    return rc;
}

static int exists(sqlite3_vfs *vfs, const char *path, int *is_there)
{
    *is_there = 0;
    return vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, is_there);
}

int log_check(const char *vfs_name, const char *database, const char **found, uint64_t *dropped_bytes)
{
    *found = NULL;
    sqlite3_vfs *vfs = sqlite3_vfs_find(vfs_name);
    if (vfs == NULL)
        return SQLITE_ERROR;
    /* SQLite's own names end in two NULs, and a VFS may count on that. */
    size_t size = strlen(database) + sizeof "-wal" + 1;
    char *path = calloc(1, size);
    if (path == NULL)
        return SQLITE_NOMEM;
    snprintf(path, size, "%s-wal", database);
    int log_is_there;
    int database_is_there = 0; /* and not empty */
    struct log_state state = {0};
    int rc = exists(vfs, path, &log_is_there);
    if (rc == SQLITE_OK && log_is_there)
        rc = exists(vfs, database, &database_is_there);
    if (rc == SQLITE_OK && database_is_there)
        rc = open_and_check(vfs, path, &state);
    free(path);
    if (rc == SQLITE_OK && log_is_there && !database_is_there)
        *found = "its write-ahead log is there and the database is not";
    else if (state.damaged)
        *found = "the write-ahead log is damaged before its end";
    else if (state.flipped)
        *found = "one bit of the last commit in the write-ahead log is not as it was written";
    *dropped_bytes = state.dropped_bytes;
    return rc;
}
