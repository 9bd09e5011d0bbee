/* sqlite_place.c - a store in SQLite in a folder of its own, and what tests of it do again and again. */
#include "tests/support/sqlite_place.h"

#include "tests/support/frames.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char dir[64];
char path[96];
struct store *store;
struct store_state state;
struct error_detail detail;
struct sqlite_store_options options;

void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/sqlite-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/journal.db", dir);
    options = (struct sqlite_store_options){.path = path};
    store = NULL;
}

void remove_beside(const char *suffix)
{
    char name[128];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    unlink(name);
}

void remove_dir(void)
{
    if (store != NULL)
        store->close(store);
    store = NULL;
    remove_beside("");
    remove_beside("-wal");
    remove_beside("-journal");
    remove_beside(".lock");
    remove_beside(".reserve");
    ck_assert_int_eq(rmdir(dir), 0);
}

int try_open(void)
{
    store = NULL;
    return sqlite_store_open(&options, &store, &state, &detail);
}

void open_store(void)
{
    int rc = try_open();
    ck_assert_msg(rc == 0, "open: %d %s %s", rc, detail.field, detail.text);
}

void close_store(void)
{
    store->close(store);
    store = NULL;
}

void reopen(void)
{
    close_store();
    open_store();
}

int try_commit(uint64_t frame, size_t payload, int64_t at_us)
{
    static uint8_t bytes[FRAME_ROOM];
    struct store_commit commit = {
        .frame = frame,
        .records = frame_make(bytes, frame * 10, 1, payload, (struct instant){.us = at_us}),
    };
    return store->commit(store, &commit, &detail);
}

void commit_frames(uint64_t from, uint64_t to)
{
    for (uint64_t frame = from; frame <= to; frame++)
        ck_assert_int_eq(try_commit(frame, 300, (int64_t)frame * 1000), 0);
}

struct ended_row ended(uint64_t serial, uint8_t as, const char *name, const char *request_id)
{
    return (struct ended_row){
        .saga = {.tag = 0x123456789abc, .serial = serial},
        .state = as,
        .mode = SAGA_ORCHESTRATED,
        .reason = as == SAGA_COMMITTED ? REASON_NONE : REASON_DEADLINE,
        .definition = 3,
        .name = bytes_of_text(name),
        .request_id = bytes_of_text(request_id),
        .fingerprint = UINT64_C(0xfedcba9876543210) + serial,
        .started_at.us = (int64_t)serial * 1000000,
        .ended_at.us = (int64_t)serial * 1000000 + 1000000,
        .first_frame = serial,
        .last_frame = serial + 5,
    };
}

void commit_ended(const struct ended_row *rows, size_t count)
{
    ck_assert_int_eq(store->commit(store, &(struct store_commit){.ended = rows, .ended_count = count}, &detail), 0);
}

void assert_row(const struct ended_row *got, const struct ended_row *want)
{
    ck_assert(saga_id_equal(got->saga, want->saga));
    ck_assert_int_eq(got->state, want->state);
    ck_assert_int_eq(got->mode, want->mode);
    ck_assert_int_eq(got->reason, want->reason);
    ck_assert_uint_eq(got->definition, want->definition);
    ck_assert(bytes_equal(got->name, want->name));
    ck_assert(bytes_equal(got->request_id, want->request_id));
    ck_assert_uint_eq(got->fingerprint, want->fingerprint);
    ck_assert_int_eq(got->started_at.us, want->started_at.us);
    ck_assert_int_eq(got->ended_at.us, want->ended_at.us);
    ck_assert_uint_eq(got->first_frame, want->first_frame);
    ck_assert_uint_eq(got->last_frame, want->last_frame);
    ck_assert_uint_eq(got->skips, want->skips);
    ck_assert_uint_eq(got->lacks, want->lacks);
    ck_assert_int_eq(got->synthetic, want->synthetic);
    ck_assert(bytes_equal(got->owner, want->owner));
}

void assert_frame(uint64_t frame, size_t payload, int64_t at_us)
{
    static uint8_t bytes[FRAME_ROOM];
    struct bytes want = frame_make(bytes, frame * 10, 1, payload, (struct instant){.us = at_us});
    struct bytes got;
    ck_assert_int_eq(store->read_frame(store, frame, &got, &detail), 0);
    ck_assert(bytes_equal(got, want));
}
