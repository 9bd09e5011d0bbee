/* store_crash - the store in SQLite on a disk that crashes, fails and fills up, at every place where it can.
 *
 * A run carries out drawn commits and drops on the store and on a model in memory. Then something goes wrong: the system crashes at the Nth
 * sync, and loses, tears or garbles what was not synced (and once more while the journal is being opened again); the process is killed
 * there, and the system crashes once its successor has started; the Nth read, write or sync fails; the disk is full at the Nth write.
 * Whatever it was, the journal must open again and hold exactly what the model holds: every call that returned 0, in full, and of the
 * call that was under way all or nothing (I1, I8). Every N there is, is tried.
 *
 *   store_crash           all of it; says what it did
 *   exit code 1           something was lost, torn or refused; the last line says in which run
 */
#include "sidecar/base/random.h"
#include "sidecar/journal/codec.h"
#include "sidecar/journal/sqlite/sqlite_store.h"
#include "tests/support/crash_vfs.h"
#include "tests/support/frames.h"
#include "tests/support/memory_store.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ACTS       45
#define ACTS_AFTER 4
#define ENDED_MAX  4
#define FRAME_ROOM (64 << 10)
#define TRIES_MAX  400
#define FAILS_EVER UINT64_C(1000000000)
#define CHECKPOINT 12 /* pages: so that the log is copied and begun anew many times in a run */

/* One call that changes the store. */
struct act {
    bool is_drop;
    struct instant before;
    uint64_t keep_from;
    struct store_commit commit;
    struct ended_row ended[ENDED_MAX];
    struct definition_row definition;
    size_t cut;
    struct subject_row subject;
    char subject_name[8], subject_value[24];
    char request_ids[ENDED_MAX][24];
    uint8_t records[FRAME_ROOM];
};

static char dir[64];
static char path[96];
static char doing[128]; /* what this run tries, for whoever reads of a failure */
static struct store *store;
static struct memory_disk *model_disk;
static struct store *model;
static struct random drawn;
static uint64_t frame;
static uint64_t serial;
static uint32_t definition;
static struct act act;
static bool under_way; /* act was tried and did not return 0 */
static uint64_t runs;
static uint64_t checks;

_Noreturn __attribute__((format(printf, 1, 2))) static void lost(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "store_crash: %s: ", doing);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

/* ---- what a store holds, in one number ---- */

static void mix(uint64_t *sum, uint64_t value)
{
    *sum = (*sum ^ value) * UINT64_C(0x100000001b3) + 1;
}

static void mix_bytes(uint64_t *sum, struct bytes view)
{
    mix(sum, view.size);
    for (size_t i = 0; i < view.size; i++)
        mix(sum, view.at[i]);
}

static int mix_frame(void *self, uint64_t number, struct bytes records)
{
    mix(self, number);
    mix_bytes(self, records);
    return 0;
}

static void mix_row(void *self, const struct ended_row *row)
{
    mix(self, row->saga.serial);
    mix(self, row->state);
    mix(self, row->fingerprint);
    mix(self, (uint64_t)row->ended_at.us);
    mix_bytes(self, row->name);
    mix_bytes(self, row->request_id);
}

static int mix_definition(void *self, const struct definition_row *row)
{
    mix(self, row->number);
    mix_bytes(self, row->source);
    return 0;
}

static int mix_subject(void *self, const struct subject_row *row)
{
    mix(self, row->version);
    mix_bytes(self, row->name);
    mix_bytes(self, row->value);
    return 0;
}

static uint64_t sum_of(struct store *s)
{
    struct error_detail detail = {.text = ""};
    uint64_t sum = 0;
    uint64_t to;
    struct ended_query query = {
        .below = UINT64_MAX, .started_before = INSTANT_NEVER, .rows_max = UINT32_MAX, .examine_max = UINT32_MAX};
    int rc = s->scan(s, 0, mix_frame, &sum, &detail);
    if (rc == 0)
        rc = s->list_ended(s, &query, mix_row, &sum, &to, &detail);
    if (rc == 0)
        rc = s->scan_definitions(s, mix_definition, &sum, &detail);
    if (rc == 0)
        rc = s->scan_subjects(s, SUBJECT_TAG, mix_subject, &sum, &detail);
    if (rc != 0)
        lost("what the journal holds cannot be read: %s %s", error_row(rc)->reason, detail.text);
    checks++;
    return sum;
}

static struct store_state open_model(void)
{
    struct store_state state;
    struct error_detail detail;
    if (memory_store_open(model_disk, &model, &state, &detail) != 0)
        lost("the model does not open");
    return state;
}

static int try_open(struct store_state *state, struct error_detail *detail)
{
    struct sqlite_store_options options = {.path = path, .vfs = CRASH_VFS_NAME, .checkpoint_pages = CHECKPOINT};
    store = NULL;
    return sqlite_store_open(&options, &store, state, detail);
}

static void close_store(void)
{
    if (store != NULL)
        store->close(store);
    store = NULL;
}

/* ---- a run ---- */

static void draw_commit(void)
{
    static const uint8_t states[] = {SAGA_COMMITTED, SAGA_COMPENSATED, SAGA_RESOLVED};
    struct random *r = &drawn;
    struct instant now = {.us = (int64_t)frame * 1000};
    size_t payload = random_below(r, 6) == 0 ? 9000 : random_below(r, 400);
    act.commit = (struct store_commit){
        .frame = frame + 1,
        .records = frame_make(act.records, serial + 1, 1 + random_below(r, 4), payload, now),
        .ended = act.ended,
        .ended_count = random_below(r, ENDED_MAX + 1),
        .oldest_live_frame = random_below(r, 6) == 0 ? frame + 1 : 0,
    };
    struct bytes rest = act.commit.records;
    uint64_t first;
    if (codec_skip(&rest, &first) == 0 && rest.size > 0 && random_below(r, 3) == 0) {
        act.cut = act.commit.records.size - rest.size; /* two frames in one commit */
        act.commit.cuts = &act.cut;
        act.commit.cut_count = 1;
    }
    for (size_t i = 0; i < act.commit.ended_count; i++) {
        uint64_t n = serial + 1 + i;
        snprintf(act.request_ids[i], sizeof act.request_ids[i], "%llx", (unsigned long long)random_next(r));
        act.ended[i] = (struct ended_row){
            .saga = {.tag = 1, .serial = n},
            .state = states[random_below(r, 3)],
            .mode = SAGA_ORCHESTRATED,
            .definition = (uint32_t)(n % 3),
            .name = bytes_of_text(n % 3 == 0   ? "own"
                                  : n % 3 == 1 ? "order"
                                               : "transfer"),
            .request_id = bytes_of_text(act.request_ids[i]),
            .fingerprint = random_next(r),
            .started_at = now,
            .ended_at = now,
        };
    }
    if (random_below(r, 4) == 0) {
        snprintf(act.subject_name, sizeof act.subject_name, "s%u", (unsigned)random_below(r, 5));
        snprintf(act.subject_value, sizeof act.subject_value, "%llx", (unsigned long long)random_next(r));
        act.subject = (struct subject_row){.kind = SUBJECT_TAG,
                                           .name = bytes_of_text(act.subject_name),
                                           .version = random_below(r, 9),
                                           .value = bytes_of_text(act.subject_value)};
        act.commit.subjects = &act.subject;
        act.commit.subject_count = 1;
    }
    if (random_below(r, 8) == 0) {
        act.definition = (struct definition_row){.number = definition + 1, .source = bytes_of_text("name: order")};
        act.commit.definitions = &act.definition;
        act.commit.definition_count = 1;
    }
}

static void draw_act(void)
{
    act.is_drop = frame > 8 && random_below(&drawn, 7) == 0;
    if (!act.is_drop) {
        draw_commit();
        return;
    }
    act.before.us = (int64_t)random_below(&drawn, frame) * 1000;
    act.keep_from = frame - random_below(&drawn, 8);
}

static int carry_out(struct store *s, struct error_detail *detail)
{
    bool more;
    return act.is_drop ? s->drop(s, act.before, act.keep_from, 1000, &more, detail) : s->commit(s, &act.commit, detail);
}

/* The act is done: the model does it too. */
static void note_done(void)
{
    struct error_detail detail;
    if (carry_out(model, &detail) != 0)
        lost("the model cannot do what the store did");
    under_way = false;
    if (act.is_drop)
        return;
    frame = act.commit.frame + act.commit.cut_count;
    serial += act.commit.ended_count;
    definition += (uint32_t)act.commit.definition_count;
}

/* Carries out acts until one fails, and returns what that one returned. A full disk is asked again, and must not have taken anything. */
static int work(int count)
{
    struct error_detail detail = {.text = ""};
    for (int i = 0; i < count; i++) {
        draw_act();
        under_way = true;
        int rc = carry_out(store, &detail);
        for (int tries = 0; rc == E_JOURNAL_FULL && tries < TRIES_MAX; tries++) {
            if (sum_of(store) != sum_of(model))
                lost("a full disk took something");
            rc = carry_out(store, &detail);
        }
        if (rc != 0 && rc != E_JOURNAL)
            lost("act %d: %s %s", i, error_row(rc)->reason, detail.text);
        if (rc != 0)
            return rc;
        note_done();
    }
    return 0;
}

/* The journal opens, and holds what the model holds, with the act that was under way or without it. */
static void check_reopened(void)
{
    struct store_state state;
    struct error_detail detail = {.text = ""};
    int rc = try_open(&state, &detail);
    if (rc != 0)
        lost("the journal does not open: %s %s", error_row(rc)->reason, detail.text);
    state.dropped_bytes = 0; /* the model tears nothing */
    model->close(model);
    struct store_state expected = open_model();
    uint64_t sum = sum_of(store);
    bool same = sum == sum_of(model) && memcmp(&state, &expected, sizeof state) == 0;
    if (!same && under_way) {
        note_done();
        model->close(model);
        expected = open_model();
        same = sum == sum_of(model) && memcmp(&state, &expected, sizeof state) == 0;
    }
    under_way = false;
    if (!same)
        lost("frames %llu to %llu (%llu) are there, and %llu to %llu (%llu) should be",
             (unsigned long long)state.first_frame, (unsigned long long)state.last_frame,
             (unsigned long long)state.oldest_live_frame, (unsigned long long)expected.first_frame,
             (unsigned long long)expected.last_frame, (unsigned long long)expected.oldest_live_frame);
}

static int take_answer(void *self, int count, char **values, char **names)
{
    (void)names;
    *(bool *)self = count == 1 && strcmp(values[0], "ok") == 0;
    return 0;
}

static void check_integrity(void)
{
    sqlite3 *db;
    bool sound = false;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, CRASH_VFS_NAME) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA integrity_check", take_answer, &sound, NULL) != SQLITE_OK || !sound)
        lost("SQLite's integrity check fails");
    sqlite3_close(db);
}

static void begin_run(void)
{
    runs++;
    crash_vfs_start();
    model_disk = memory_disk_create();
    open_model();
    random_seed(&drawn, 1);
    frame = serial = 0;
    definition = 0;
    under_way = false;
}

/* After whatever happened: it opens, holds what it should, goes on, and is sound. */
static void end_run(void)
{
    check_reopened();
    if (work(ACTS_AFTER) != 0)
        lost("nothing can be written any more");
    close_store();
    check_reopened();
    close_store();
    check_integrity();
    model->close(model);
    memory_disk_destroy(model_disk);
    crash_vfs_finish();
}

/* Opens and works. Failures of either are for the caller to judge by what comes next. */
static int open_and_work(void)
{
    struct store_state state;
    struct error_detail detail = {.text = ""};
    int rc = try_open(&state, &detail);
    for (int tries = 0; rc == E_JOURNAL_FULL && tries < TRIES_MAX; tries++)
        rc = try_open(&state, &detail);
    if (rc == 0)
        rc = work(ACTS);
    else if (rc != E_JOURNAL)
        lost("opening: %s %s", error_row(rc)->reason, detail.text);
    close_store();
    return rc;
}

/* ---- what goes wrong ---- */

/* How often each call happens in a run in which nothing goes wrong. */
static void count_calls(uint64_t counts[CRASH_CALL_COUNT])
{
    snprintf(doing, sizeof doing, "nothing goes wrong");
    begin_run();
    if (open_and_work() != 0)
        lost("an act failed");
    for (int call = 0; call < CRASH_CALL_COUNT; call++)
        counts[call] = crash_vfs_calls((enum crash_call)call);
    end_run();
}

static void crash_at(uint64_t n, enum crash_fate fate, uint64_t seed, uint64_t again)
{
    struct store_state state;
    struct error_detail detail;
    snprintf(doing, sizeof doing, "crash at sync %llu, fate %d, seed %llu, again at sync %llu", (unsigned long long)n,
             (int)fate, (unsigned long long)seed, (unsigned long long)again);
    begin_run();
    crash_vfs_crash_at_sync(n);
    int rc = open_and_work();
    if (rc == 0 && !crash_vfs_crashed())
        lost("there is no such sync");
    crash_vfs_reboot(fate, seed);
    if (again != 0) {
        crash_vfs_crash_at_sync(again);
        (void)try_open(&state, &detail);
        close_store();
        crash_vfs_reboot(fate, seed + 1);
    }
    end_run();
}

/* The process is killed before the Nth sync, and its successor finds what was written and acts on it; then the system crashes. What the
 * successor saw must not be taken from it. */
static void kill_at(uint64_t n)
{
    snprintf(doing, sizeof doing, "kill before sync %llu, then a crash", (unsigned long long)n);
    begin_run();
    crash_vfs_crash_at_sync(n);
    (void)open_and_work();
    crash_vfs_restart();
    check_reopened();
    crash_vfs_crash();
    close_store();
    crash_vfs_reboot(CRASH_LOSES_ALL, n);
    end_run();
}

static void fail_at(enum crash_call call, uint64_t n, uint64_t count, int code, int fate)
{
    static const char *const names[] = {"read", "write", "sync"};
    snprintf(doing, sizeof doing, "%s %llu and %llu in all fail with %d, then fate %d", names[call],
             (unsigned long long)n, (unsigned long long)count, code, fate);
    begin_run();
    crash_vfs_fail(call, n, count, code);
    int rc = open_and_work();
    if (rc != 0 && (code & 0xff) == SQLITE_FULL)
        lost("a full disk ended it");
    crash_vfs_fail(call, 0, 0, 0);
    if (fate >= 0)
        crash_vfs_reboot((enum crash_fate)fate, n);
    end_run();
}

static void crash_everywhere(uint64_t syncs)
{
    for (uint64_t n = 1; n <= syncs; n++) {
        kill_at(n);
        crash_at(n, CRASH_LOSES_ALL, 0, 0);
        crash_at(n, CRASH_KEEPS_ALL, 0, 0);
        for (uint64_t seed = 1; seed <= 3; seed++) {
            crash_at(n, CRASH_MIXES, seed, 0);
            crash_at(n, CRASH_GARBLES, seed, 0);
            crash_at(n, CRASH_GARBLES, seed + 10, seed);
        }
    }
}

static void fail_everywhere(const uint64_t counts[CRASH_CALL_COUNT])
{
    static const int codes[] = {SQLITE_IOERR_READ, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC};
    for (int call = 0; call < CRASH_CALL_COUNT; call++)
        for (uint64_t n = 1; n <= counts[call]; n++) {
            fail_at((enum crash_call)call, n, 1, codes[call], -1);
            fail_at((enum crash_call)call, n, FAILS_EVER, codes[call], (int)(n % CRASH_FATE_COUNT));
        }
    for (uint64_t n = 1; n <= counts[CRASH_WRITE]; n++) {
        fail_at(CRASH_WRITE, n, 1, SQLITE_FULL, -1);
        fail_at(CRASH_WRITE, n, 8, SQLITE_FULL, (int)(n % CRASH_FATE_COUNT));
    }
}

int main(void)
{
    /* The lock file is a real one, and made anew in every run. */
    snprintf(dir, sizeof dir, "%s/store-crash-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(dir) == NULL) {
        perror("store_crash: a folder of its own");
        return 2;
    }
    snprintf(path, sizeof path, "%s/journal.db", dir);
    uint64_t counts[CRASH_CALL_COUNT];
    count_calls(counts);
    crash_everywhere(counts[CRASH_SYNC]);
    fail_everywhere(counts);
    printf("store_crash: %llu runs, %llu comparisons with the model; in a run %llu syncs, %llu writes and %llu reads, "
           "each of which crashed or failed\n",
           (unsigned long long)runs, (unsigned long long)checks, (unsigned long long)counts[CRASH_SYNC],
           (unsigned long long)counts[CRASH_WRITE], (unsigned long long)counts[CRASH_READ]);
    char lock[128];
    snprintf(lock, sizeof lock, "%s.lock", path);
    unlink(lock);
    unlink(path);
    return rmdir(dir) == 0 ? 0 : 2;
}
