/* bench_store - what a durable row costs: bare SQLite group commit, and the store with one frame a commit, at the same rows a commit.
 *
 *   bench_store [--dir DIR] [--seconds S] [--pairs N] [--ended N] [--random-ids 0|1]
 *
 * Prints a table, then one line of JSON. Rows are records of 300 bytes; every commit is synced (synchronous=FULL). The two take turns, so
 * that a slow disk slows both; what is shown is the median of the pairs. With --ended N the store first takes N sagas that
 * have ended, and every commit brings one saga's end for every five rows, as three-step sagas do; their request_ids rise with time, or are
 * drawn at random. Then it looks up request_ids that are there and ones that are not. */
#include "sidecar/base/check.h"
#include "sidecar/base/random.h"
#include "sidecar/journal/codec.h"
#include "sidecar/journal/sqlite/sqlite_store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROWS_MAX     256
#define ROW_BYTES    300
#define PAIRS_MAX    25
#define ROWS_A_SAGA  5
#define REQUEST_SIZE 40

struct rate {
    double rows_per_second;
    double cpu_us_per_row;
};

struct bench {
    char path[256];
    double seconds;
    int pairs;
    uint64_t ended;
    bool random_ids;
    uint64_t serial;
    uint64_t frame;
    struct store *store;
    uint8_t *records;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void remove_files(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-journal", "-shm", ".lock", ".reserve"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char name[300];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

/* ---- bare SQLite ---- */

static void must(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
        return;
    fprintf(stderr, "bench_store: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static struct rate run_bare(const struct bench *b, int rows)
{
    sqlite3 *db;
    sqlite3_stmt *begin;
    sqlite3_stmt *insert;
    sqlite3_stmt *commit;
    must(NULL, sqlite3_open_v2(b->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
    must(db, sqlite3_exec(db,
                          "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                          "CREATE TABLE rows(id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
                          NULL, NULL, NULL));
    must(db, sqlite3_prepare_v2(db, "BEGIN IMMEDIATE", -1, &begin, NULL));
    must(db, sqlite3_prepare_v2(db, "INSERT INTO rows(body) VALUES(?1)", -1, &insert, NULL));
    must(db, sqlite3_prepare_v2(db, "COMMIT", -1, &commit, NULL));
    uint8_t body[ROW_BYTES];
    memset(body, 'r', sizeof body);
    uint64_t done = 0;
    double start = now_s();
    double cpu = cpu_s();
    while (now_s() - start < b->seconds) {
        must(db, sqlite3_step(begin));
        must(db, sqlite3_reset(begin));
        for (int i = 0; i < rows; i++) {
            memcpy(body, &done, sizeof done);
            must(db, sqlite3_bind_blob(insert, 1, body, sizeof body, SQLITE_STATIC));
            must(db, sqlite3_step(insert));
            must(db, sqlite3_reset(insert));
        }
        must(db, sqlite3_step(commit));
        must(db, sqlite3_reset(commit));
        done += (uint64_t)rows;
    }
    struct rate rate = {(double)done / (now_s() - start), (cpu_s() - cpu) * 1e6 / (double)done};
    sqlite3_finalize(begin);
    sqlite3_finalize(insert);
    sqlite3_finalize(commit);
    sqlite3_close(db);
    remove_files(b->path);
    return rate;
}

/* ---- the store ---- */

static void open_store(struct bench *b)
{
    struct sqlite_store_options options = {.path = b->path};
    struct store_state state;
    struct error_detail detail;
    if (sqlite_store_open(&options, &b->store, &state, &detail) != 0) {
        fprintf(stderr, "bench_store: %s %s\n", detail.field, detail.text);
        exit(1);
    }
    b->frame = state.last_frame;
    b->serial = state.serial_max;
}

static void close_store(struct bench *b)
{
    b->store->close(b->store);
    b->store = NULL;
}

static int request_id_of(const struct bench *b, uint64_t serial, char text[REQUEST_SIZE])
{
    struct random r;
    random_seed(&r, serial);
    return snprintf(text, REQUEST_SIZE, "%016llx-order-request",
                    (unsigned long long)(b->random_ids ? random_next(&r) : serial));
}

static void commit(struct bench *b, int rows, int ended_count)
{
    static const uint8_t payload[ROW_BYTES - 40];
    struct ended_row ended[ROWS_MAX];
    char request_ids[ROWS_MAX][REQUEST_SIZE];
    uint8_t *end = b->records;
    for (int i = 0; i < rows; i++) {
        struct record record = {
            .type = RECORD_ACTION_ENDED,
            .saga = {.tag = 1, .serial = b->serial + 1},
            .at.us = (int64_t)b->frame,
            .step = 1,
            .action_state = 3,
            .output = bytes_of(payload, sizeof payload),
        };
        end += codec_encode(&record, b->frame, end);
    }
    for (int i = 0; i < ended_count; i++) {
        uint64_t serial = ++b->serial;
        int size = request_id_of(b, serial, request_ids[i]);
        ended[i] = (struct ended_row){
            .saga = {.tag = 1, .serial = serial},
            .state = SAGA_COMMITTED,
            .mode = SAGA_ORCHESTRATED,
            .definition = 1,
            .name = bytes_of_text("order"),
            .request_id = bytes_of(request_ids[i], (size_t)size),
            .fingerprint = serial,
            .started_at.us = (int64_t)serial,
            .ended_at.us = (int64_t)serial,
            .first_frame = b->frame,
            .last_frame = b->frame,
        };
    }
    struct store_commit commit = {
        .frame = rows > 0 ? b->frame + 1 : 0,
        .records = bytes_of(b->records, (size_t)(end - b->records)),
        .ended = ended,
        .ended_count = (size_t)ended_count,
    };
    struct error_detail detail;
    if (b->store->commit(b->store, &commit, &detail) != 0) {
        fprintf(stderr, "bench_store: %s\n", detail.text);
        exit(1);
    }
    if (rows > 0)
        b->frame++;
}

static void commit_for(struct bench *b, int rows, int ended_count, struct rate *rate)
{
    uint64_t done = 0;
    double start = now_s();
    double cpu = cpu_s();
    for (; now_s() - start < b->seconds; done += (uint64_t)rows)
        commit(b, rows, ended_count);
    *rate = (struct rate){(double)done / (now_s() - start), (cpu_s() - cpu) * 1e6 / (double)done};
}

static struct rate run_store(struct bench *b, int rows, bool ending)
{
    struct rate rate;
    open_store(b);
    commit_for(b, rows, ending ? rows / ROWS_A_SAGA : 0, &rate);
    close_store(b);
    remove_files(b->path);
    return rate;
}

/* ---- medians ---- */

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return *x < *y ? -1 : *x > *y;
}

static struct rate median(const struct rate *rates, int count)
{
    double rows[PAIRS_MAX];
    double cpu[PAIRS_MAX];
    for (int i = 0; i < count; i++) {
        rows[i] = rates[i].rows_per_second;
        cpu[i] = rates[i].cpu_us_per_row;
    }
    qsort(rows, (size_t)count, sizeof rows[0], compare);
    qsort(cpu, (size_t)count, sizeof cpu[0], compare);
    return (struct rate){rows[count / 2], cpu[count / 2]};
}

static void print(const char *name, int rows, struct rate rate)
{
    printf("%-34s %4d rows a commit  %9.0f rows/s  %6.2f us CPU a row\n", name, rows, rate.rows_per_second,
           rate.cpu_us_per_row);
}

static void run_pairs(struct bench *b, int rows, char *json, size_t json_size)
{
    struct rate bare[PAIRS_MAX];
    struct rate frames[PAIRS_MAX];
    struct rate ending[PAIRS_MAX];
    for (int i = 0; i < b->pairs; i++) {
        bare[i] = run_bare(b, rows);
        frames[i] = run_store(b, rows, false);
        ending[i] = run_store(b, rows, true);
    }
    struct rate m[3] = {median(bare, b->pairs), median(frames, b->pairs), median(ending, b->pairs)};
    print("bare SQLite", rows, m[0]);
    print("store, a frame a commit", rows, m[1]);
    print("store, with ends of sagas", rows, m[2]);
    size_t used = strlen(json);
    snprintf(json + used, json_size - used,
             "%s{\"rows\":%d,\"bare_rows_s\":%.0f,\"bare_cpu_us\":%.2f,\"store_rows_s\":%.0f,\"store_cpu_us\":%.2f,"
             "\"ending_rows_s\":%.0f,\"ending_cpu_us\":%.2f}",
             used > 1 ? "," : "", rows, m[0].rows_per_second, m[0].cpu_us_per_row, m[1].rows_per_second,
             m[1].cpu_us_per_row, m[2].rows_per_second, m[2].cpu_us_per_row);
}

/* The mean time of looking up request_ids of sagas all over the table, or of none, in microseconds. */
static double look_up(struct bench *b, bool is_there)
{
    enum { LOOKS = 20000, STRIDE = 7919 };
    double start = now_s();
    for (uint64_t i = 0; i < LOOKS; i++) {
        char text[REQUEST_SIZE];
        struct ended_row row;
        struct error_detail detail;
        uint64_t serial = is_there ? 1 + i * STRIDE % b->ended : b->serial + 1000000 + i;
        int size = request_id_of(b, serial, text);
        int rc = b->store->find_request(b->store, bytes_of(text, (size_t)size), bytes_of(NULL, 0), &row, &detail);
        CHECK(rc == (is_there ? 0 : E_SAGA_NOT_FOUND));
    }
    return (now_s() - start) * 1e6 / LOOKS;
}

/* An empty store beside one that holds b->ended sagas. */
static void run_full(struct bench *b, char *json, size_t json_size)
{
    char empty_path[sizeof b->path];
    char full_path[sizeof b->path];
    snprintf(empty_path, sizeof empty_path, "%s", b->path);
    if (snprintf(full_path, sizeof full_path, "%s-full", b->path) >= (int)sizeof full_path)
        exit(1);
    struct rate empty[PAIRS_MAX];
    struct rate full[PAIRS_MAX];
    memcpy(b->path, full_path, sizeof full_path);
    open_store(b);
    double start = now_s();
    while (b->serial < b->ended)
        commit(b, 0, ROWS_MAX);
    printf("%llu ended sagas written in %.1f s\n", (unsigned long long)b->ended, now_s() - start);
    close_store(b);
    for (int i = 0; i < b->pairs; i++) {
        memcpy(b->path, full_path, sizeof full_path);
        start = now_s();
        open_store(b);
        if (i == 0) {
            printf("opened in %.1f ms\n", (now_s() - start) * 1e3);
            printf("a request_id looked up in %.1f us when it is there, %.1f us when it is new\n", look_up(b, true),
                   look_up(b, false));
        }
        commit_for(b, 64, 64 / ROWS_A_SAGA, &full[i]);
        close_store(b);
        memcpy(b->path, empty_path, sizeof empty_path);
        empty[i] = run_store(b, 64, true);
    }
    struct rate m[2] = {median(empty, b->pairs), median(full, b->pairs)};
    print("empty, with ends of sagas", 64, m[0]);
    print("full, with ends of sagas", 64, m[1]);
    size_t used = strlen(json);
    snprintf(json + used, json_size - used, "%s{\"rows\":64,\"ended\":%llu,\"empty_rows_s\":%.0f,\"full_rows_s\":%.0f}",
             used > 1 ? "," : "", (unsigned long long)b->ended, m[0].rows_per_second, m[1].rows_per_second);
    remove_files(full_path);
}

int main(int argc, char **argv)
{
    struct bench b = {.seconds = 0.5, .pairs = 5};
    const char *dir = ".";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--dir") == 0)
            dir = argv[i + 1];
        else if (strcmp(argv[i], "--seconds") == 0)
            b.seconds = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--pairs") == 0)
            b.pairs = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--ended") == 0)
            b.ended = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--random-ids") == 0)
            b.random_ids = strtol(argv[i + 1], NULL, 10) != 0;
    }
    if (argc % 2 == 0 || b.pairs < 1 || b.pairs > PAIRS_MAX) {
        fprintf(stderr, "usage: bench_store [--dir DIR] [--seconds S] [--pairs 1..%d] [--ended N] [--random-ids 0|1]\n",
                PAIRS_MAX);
        return 2;
    }
    snprintf(b.path, sizeof b.path, "%s/bench-store-%ld.db", dir, (long)getpid());
    b.records = malloc((size_t)ROWS_MAX * (ROW_BYTES + RECORD_OVERHEAD_MAX));
    CHECK(b.records != NULL);
    char json[1024] = "[";
    run_pairs(&b, 64, json, sizeof json);
    run_pairs(&b, 256, json, sizeof json);
    if (b.ended > 0)
        run_full(&b, json, sizeof json);
    printf("{\"bench\":\"store\",\"synchronous\":\"full\",\"cases\":%s]}\n", json);
    free(b.records);
    return 0;
}
