/* postgres_world.h - a store in PostgreSQL that is open, on a server that lives as long as the program, and a clock that stands still when a test
 * says so. Of a program whose line in tests.mk wraps pg_now. */
#ifndef TESTS_SUPPORT_POSTGRES_WORLD_H
#define TESTS_SUPPORT_POSTGRES_WORLD_H

#include "sidecar/journal/postgres/postgres_inside.h"
#include "tests/support/frames.h"
#include "tests/support/postgres_place.h"
#include "tests/support/twin_store.h"

#include <check.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

static struct postgres server;
static struct store *store;
static struct store_state state;
static struct error_detail detail;
static uint8_t frame_bytes[8192];

static inline void open_as(struct postgres_store_options options)
{
    int code = postgres_store_open(&options, &store, &state, &detail);
    ck_assert_msg(code == 0, "open: %d %s %s", code, detail.field, detail.text);
}

/* The store's clock stands still, and goes as the test says: no machine is too busy for it. */
static _Atomic int64_t held_us;

int64_t __real_pg_now(void);
int64_t __wrap_pg_now(void);

int64_t __wrap_pg_now(void)
{
    int64_t held = atomic_load(&held_us);
    return held != 0 ? held : __real_pg_now();
}

static inline void hold_clock(void)
{
    atomic_store(&held_us, __real_pg_now());
}

static inline void advance(struct span by)
{
    atomic_fetch_add(&held_us, by.us);
}

static inline void teardown(void)
{
    atomic_store(&held_us, 0);
    if (store != NULL)
        store->close(store);
    store = NULL;
}

static inline void so(const char *condition)
{
    char sql[512];
    snprintf(sql, sizeof sql, "select 1 / (case when %s then 1 else 0 end)", condition);
    place_query(&server, sql);
}

static inline struct store_commit frame(uint64_t number)
{
    return (struct store_commit){
        .epoch = state.epoch,
        .frame = number,
        .records = frame_make(frame_bytes, number, 1, 100, (struct instant){.us = (int64_t)number}),
    };
}

static inline int commit_one(uint64_t number)
{
    struct store_commit commit = frame(number);
    return commit_in_time(store, &commit, &detail);
}

/* Asks until the fate of the oldest is known. */
static inline int fate(double seconds)
{
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (;;) {
        int code = store->settle(store, &detail);
        clock_gettime(CLOCK_MONOTONIC, &now);
        if ((code != STORE_PENDING && code != STORE_AMBIGUOUS) || (double)(now.tv_sec - begin.tv_sec) > seconds)
            return code;
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

/* Commits a frame and the row of a saga that has ended. Returns what they take. */
static inline uint64_t commit_ended(uint64_t number)
{
    const struct ended_row row = {.saga = {.tag = 1, .serial = number},
                                  .state = SAGA_COMMITTED,
                                  .name = bytes_of_text("name"),
                                  .request_id = bytes_of_text("request"),
                                  .owner = bytes_of_text("owner"),
                                  .started_at.us = (int64_t)number,
                                  .ended_at.us = (int64_t)number,
                                  .first_frame = number,
                                  .last_frame = number};
    struct store_commit commit = frame(number);
    commit.ended = &row;
    commit.ended_count = 1;
    ck_assert_int_eq(commit_in_time(store, &commit, &detail), 0);
    return commit.records.size + PG_FRAME_ROW_BYTES + PG_ENDED_ROW_BYTES + strlen("namerequestowner");
}

static inline struct ended_row ended_of(uint64_t serial, const char *request_id, const char *owner)
{
    return (struct ended_row){.saga = {.tag = 1, .serial = serial},
                              .state = SAGA_COMMITTED,
                              .mode = SAGA_ENLISTED,
                              .name = bytes_of_text("order"),
                              .request_id = bytes_of_text(request_id),
                              .owner = bytes_of_text(owner),
                              .started_at = {.us = 1000},
                              .ended_at = {.us = 2000},
                              .first_frame = 1,
                              .last_frame = 1};
}

static inline int find_request_now(const char *request_id, const char *owner, struct ended_row *row)
{
    int code;
    while ((code = store->find_request(store, bytes_of_text(request_id), bytes_of_text(owner), row, &detail)) ==
           STORE_PENDING)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    return code;
}

static inline int find(const char *request_id)
{
    struct ended_row row;
    return find_request_now(request_id, "", &row);
}

/* The server process of the writer's connection, which a test stops. */
static inline pid_t writer_of(const char *journal)
{
    char sql[80];
    snprintf(sql, sizeof sql, "select pid from saga_journal where name = '%s'", journal);
    return (pid_t)place_number(&server, sql);
}

static const char lose_connections[] =
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sagad'";

#endif
