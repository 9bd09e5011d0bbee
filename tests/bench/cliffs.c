/* cliffs - what must not cost more the more there is: each case at two sizes in one run, a line each, so that the curve is seen and not only
 * the point.
 *
 *   cliffs [CASE [SIZE SIZE]]
 *
 * Prints the case, the size, the CPU of one unit in us, the worst time in one go in ms, and behind the second size their ratio; then one line
 * of JSON. Journals are made in the folder named by TMPDIR (/tmp) and removed. */
#include "compensations/barrier.h"
#include "sidecar/base/check.h"
#include "sidecar/base/random.h"
#include "sidecar/core/core.h"
#include "sidecar/core/heap.h"
#include "sidecar/core/timeline.h"
#include "sidecar/definition/reader.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/sqlite/sqlite_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static char dir[128], path[160];
static struct store *store;
static struct store_state state;
static struct catalog *catalog;
static struct core *core;
static struct error_detail detail;
static struct call_effect *calls;
static size_t call_count, call_room;
static int64_t clock_us = INT64_C(1700000000000000);
static double worst, worst_cpu; /* seconds in one go, and how many of them this thread ran */

static double read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What a unit costs is counted in CPU, which the disk and others on the machine hardly change. */
static double cpu_s(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

struct go {
    double at, cpu;
};

static struct go go(void)
{
    return (struct go){read_clock(CLOCK_MONOTONIC), cpu_s()};
}

static void took(struct go since)
{
    struct go now = go();
    worst = now.at - since.at > worst ? now.at - since.at : worst;
    worst_cpu = now.cpu - since.cpu > worst_cpu ? now.cpu - since.cpu : worst_cpu;
}

static void forget_worst(void)
{
    worst = worst_cpu = 0;
}

static void must(int code)
{
    if (code == 0)
        return;
    fprintf(stderr, "cliffs: %s %s\n", error_row(code)->reason, detail.text);
    exit(1);
}

/* ---- a core on a journal ---- */

static void on_durable(void *self, uint64_t frame, struct bytes records)
{
    (void)self;
    (void)frame;
    (void)records;
}

static void on_reply(void *self, const struct reply_effect *reply, const struct error_detail *why)
{
    (void)self;
    (void)why;
    CHECK(reply->code == 0);
}

static void on_call(void *self, const struct call_effect *call)
{
    (void)self;
    if (call_count == call_room) {
        call_room = call_room == 0 ? 1024 : call_room * 2;
        calls = realloc(calls, call_room * sizeof *calls);
        CHECK(calls != NULL);
    }
    calls[call_count++] = *call;
}

static struct instant now(void)
{
    return (struct instant){.us = clock_us};
}

static int take_definition(void *self, const struct definition_row *row)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d;
    (void)self;
    must(definition_read(row->source, &limits, &d, &detail));
    d->number = row->number;
    return catalog_add(catalog, d, row->registered_at, &detail);
}

static void open_core(uint32_t move_after)
{
    struct sqlite_store_options where = {.path = path};
    struct target_options target = {.name = "t", .timeout = SPAN_S(1), .max_concurrent_calls = 1000000};
    struct core_options options = {
        .engine = {.live_sagas_max = 2000000,
                   .steps_max = 256,
                   .payload_bytes_max = 65536,
                   .targets_max = 4,
                   .enlisted_deadline_default = SPAN_S(900),
                   .enlisted_lease_default = SPAN_S(60),
                   .deadline_max = SPAN_S(100000),
                   .compensation_retry = {.max_attempts = 1,
                                          .initial_backoff = SPAN_S(1),
                                          .max_backoff = SPAN_S(1),
                                          .backoff_multiplier_permille = 1000},
                   .seed = 1,
                   .tag = 1},
        .targets = &target,
        .target_count = 1,
        .commit_bytes_max = 4 << 20,
        .retention = SPAN_S(100000),
        .move_after = move_after,
    };
    struct core_world world = {.durable = on_durable, .reply = on_reply, .call = on_call};
    must(sqlite_store_open(&where, &store, &state, &detail));
    must(catalog_create(1000000, &catalog));
    must(store->scan_definitions(store, take_definition, NULL, &detail));
    must(core_open(&options, &heap, store, &state, catalog, &world, now(), &core, &detail));
}

static void close_core(void)
{
    core_close(core);
    catalog_destroy(catalog);
    store->close(store);
    call_count = 0;
}

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", ".lock", ".reserve"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char name[200];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void commit(void)
{
    struct go at = go();
    must(core_commit(core, now(), &detail));
    took(at);
}

/* Sagas whose one step has an undo and is never settled. */
static void begin(size_t count)
{
    struct enlistment enlist = {
        .step = bytes_of_text("pay"),
        .has_compensation = true,
        .compensation = {.target = "t", .method = "/b.P/Undo", .constant = bytes_of_text("what to undo")},
    };
    for (size_t i = 0; i < count; i++) {
        struct event event = {.type = EVENT_BEGIN,
                              .now = now(),
                              .token = 1,
                              .name = bytes_of_text("bench"),
                              .enlist = &enlist,
                              .enlist_count = 1};
        must(core_submit(core, &event, &detail));
        if (i % 256 == 255)
            must(core_commit(core, now(), &detail));
    }
    must(core_commit(core, now(), &detail));
}

/* ---- the cases: each returns us a unit, and leaves the worst time in one go ---- */

/* A start with many definitions, whose names are in no order. */
static double definitions(size_t n)
{
    open_core(0);
    struct random r;
    random_seed(&r, 7);
    for (size_t i = 0; i < n; i++) {
        char source[160];
        struct definition_limits limits = definition_limits_default();
        struct definition *d;
        snprintf(source, sizeof source,
                 "name: d%016llx\nversion: 1.0.0\nsteps: [{name: a, target: t, action: /p.S/A}]\n",
                 (unsigned long long)random_next(&r));
        must(definition_read(bytes_of_text(source), &limits, &d, &detail));
        must(core_register(core, d, now(), 0, &detail));
        if (i % 1000 == 999)
            must(core_commit(core, now(), &detail));
    }
    must(core_commit(core, now(), &detail));
    close_core();
    double at = cpu_s();
    open_core(0);
    CHECK(catalog_at(catalog, 0) != NULL);
    double s = cpu_s() - at;
    close_core();
    return s * 1e6 / (double)n;
}

/* Finding the definition whose name is the first in order. */
static double definition_first(size_t n)
{
    definitions(n);
    open_core(0);
    const struct definition *first = catalog_at(catalog, 0)->definition;
    double at = cpu_s();
    for (int i = 0; i < 1000; i++)
        CHECK(catalog_find(catalog, bytes_of_text(first->name), bytes_of(NULL, 0)) != NULL);
    double s = cpu_s() - at;
    close_core();
    return s * 1e6 / 1000;
}

/* A start with sagas that live long and were moved. */
static double moved_restart(size_t n)
{
    open_core(1);
    begin(n);
    bool more;
    uint64_t before = core_decided(core);
    begin(1);
    while (engine_earliest(core_engine(core))->first_position <= before) {
        must(core_maintain(core, now(), &more, &detail));
        must(core_commit(core, now(), &detail));
    }
    close_core();
    double at = cpu_s();
    open_core(1 << 30);
    double s = cpu_s() - at;
    CHECK(engine_counts(core_engine(core)).live == n + 1);
    close_core();
    return s * 1e6 / (double)n;
}

/* A start with n sagas that are overdue: until all of them have taken up where they were, and what they ask for is out. */
static double overdue_start(size_t n)
{
    open_core(0);
    begin(n);
    close_core();
    clock_us += INT64_C(1000) * 1000000;
    forget_worst();
    double at = cpu_s();
    open_core(0);
    do
        commit();
    while (core_resuming(core));
    forget_worst();                    /* until here nobody is served */
    clock_us += INT64_C(61) * 1000000; /* their leases start anew, and nobody renews them */
    while (core_expiry(core).us <= clock_us) {
        struct event tick = {.type = EVENT_TICK, .now = now()};
        struct go turn = go();
        must(core_submit(core, &tick, &detail));
        took(turn);
        commit();
    }
    CHECK(call_count == n);
    return (cpu_s() - at) * 1e6 / (double)n;
}

static void answer(const struct call_effect *call, int status)
{
    struct event event = {.type = EVENT_ANSWER,
                          .now = now(),
                          .saga = call->saga,
                          .step_index = call->step,
                          .phase = call->phase,
                          .attempt = call->attempt,
                          .reach = SAGA_REACH_ANSWERED,
                          .status = status};
    struct go turn = go();
    must(core_submit(core, &event, &detail));
    took(turn);
}

/* ... and their undo fails: dead letters, all of them. Then a page of 1000, as ListDeadLetters reads it. */
static double dead_letters(size_t n)
{
    overdue_start(n);
    for (size_t i = 0; i < call_count; i++)
        answer(&calls[i], 9);
    must(core_commit(core, now(), &detail));
    CHECK(engine_counts(core_engine(core)).stuck == n);
    struct arena arena;
    arena_init(&arena);
    forget_worst();
    double at = cpu_s();
    const struct saga *s = engine_after(core_engine(core), n / 2);
    for (unsigned i = 0; i < 1000; i++, s = engine_after(core_engine(core), s->id.serial)) {
        struct timeline timeline;
        struct go turn = go();
        must(timeline_load(
            core, &(struct timeline_query){.serial = s->id.serial, .last_frame = s->position, .records_max = 32},
            &arena, &timeline, &detail));
        took(turn);
        arena_reset(&arena);
    }
    double spent = cpu_s() - at;
    arena_finish(&arena);
    close_core();
    return spent * 1e6 / 1000;
}

/* 64 sagas of n steps side by side, of which the last is rejected: the others are undone by dependency. A unit is a call. */
static double dependency(size_t n)
{
    enum { SAGAS = 64, A_COMMIT = 256 };
    static char source[65536];
    struct definition_limits limits = definition_limits_default();
    struct definition *d;
    size_t used = (size_t)snprintf(source, sizeof source,
                                   "name: wide\nversion: 1.0.0\ncompensation_order: dependency\nsteps:\n"
                                   "- {name: a, target: t, action: /p.S/A, compensation: /p.S/U}\n");
    limits.steps_max = 256;
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(source + used, sizeof source - used,
                                 "- {name: s%zu, after: [a], target: t, action: /p.S/A, compensation: /p.S/U}\n", i);
    used += (size_t)snprintf(source + used, sizeof source - used, "- {name: z, after: [");
    for (size_t i = 0; i < n; i++)
        used += (size_t)snprintf(source + used, sizeof source - used, "%ss%zu", i == 0 ? "" : ", ", i);
    snprintf(source + used, sizeof source - used, "], target: t, action: /p.S/A}\n");
    open_core(0);
    must(definition_read(bytes_of_text(source), &limits, &d, &detail));
    must(core_register(core, d, now(), 0, &detail));
    must(core_commit(core, now(), &detail));
    size_t calls_made = 0;
    double at = cpu_s();
    for (int i = 0; i < SAGAS; i++) {
        struct event start = {.type = EVENT_START, .now = now(), .token = 1, .definition = d};
        must(core_submit(core, &start, &detail));
    }
    commit();
    for (size_t first = 0; first < call_count;) {
        size_t end = call_count - first < A_COMMIT ? call_count : first + A_COMMIT;
        for (; first < end; first++, calls_made++) {
            struct call_effect call = calls[first]; /* answers bring more of them */
            answer(&call, call.step == n + 1 ? 9 : 0);
        }
        commit();
    }
    double s = cpu_s() - at;
    CHECK(engine_counts(core_engine(core)).live == 0 && calls_made == SAGAS * (2 * n + 3));
    close_core();
    return s * 1e6 / (double)calls_made;
}

/* The place that the serial of a saga which has ended has among n live ones, as a page of List looks for it. */
static double list_places(size_t n)
{
    enum { GAPS = 256, LOOKS = 20000 };
    uint64_t gaps[GAPS];
    open_core(0);
    for (int i = 0; i < GAPS; i++) {
        begin(n / GAPS);
        for (int two = 0; two < 2; two++) { /* the second has no neighbour either */
            struct event event = {.type = EVENT_BEGIN, .now = now(), .token = 1, .name = bytes_of_text("gap")};
            must(core_submit(core, &event, &detail));
            gaps[i] = engine_serial(core_engine(core));
            event =
                (struct event){.type = EVENT_ABORT, .now = now(), .token = 1, .saga = {.tag = 1, .serial = gaps[i]}};
            must(core_submit(core, &event, &detail));
        }
        commit();
    }
    forget_worst();
    double at = cpu_s();
    for (int i = 0; i < LOOKS; i++) {
        uint64_t serial = gaps[i * 101 % GAPS];
        const struct saga *below = engine_before(core_engine(core), serial);
        CHECK(below != NULL && below->id.serial == serial - 2);
    }
    double s = cpu_s() - at;
    close_core();
    return s * 1e6 / LOOKS;
}

static struct ended_row row_of(uint64_t serial, struct random *r, char id[40])
{
    snprintf(id, 40, "%016llx%016llx", (unsigned long long)random_next(r), (unsigned long long)random_next(r));
    return (struct ended_row){.saga = {.tag = 1, .serial = serial},
                              .state = SAGA_COMMITTED,
                              .mode = SAGA_ORCHESTRATED,
                              .name = bytes_of_text("order"),
                              .request_id = bytes_of_text(id),
                              .fingerprint = serial,
                              .started_at = {.us = (int64_t)serial},
                              .ended_at = {.us = (int64_t)serial},
                              .first_frame = 1,
                              .last_frame = 1};
}

static void add_ended(uint64_t from, uint64_t count, unsigned a_commit, struct random *r)
{
    struct ended_row rows[1024];
    char ids[1024][40];
    for (uint64_t done = 0; done < count; done += a_commit) {
        for (unsigned i = 0; i < a_commit; i++)
            rows[i] = row_of(from + done + i, r, ids[i]);
        struct go at = go();
        must(store->commit(store, &(struct store_commit){.ended = rows, .ended_count = a_commit}, &detail));
        took(at);
    }
}

static void open_store(void)
{
    struct sqlite_store_options where = {.path = path};
    must(sqlite_store_open(&where, &store, &state, &detail));
}

/* Starts and ends of sagas with random request_ids, beside n that have ended: each is looked for, and then ends. */
static double random_ids(size_t n)
{
    struct random r;
    random_seed(&r, 3);
    open_store();
    add_ended(1, n, 1000, &r);
    forget_worst();
    double at = cpu_s();
    for (uint64_t done = 0; done < 40000; done += 40) {
        for (int i = 0; i < 40; i++) {
            struct ended_row row;
            char id[40];
            snprintf(id, sizeof id, "%016llx%016llx", (unsigned long long)random_next(&r), (unsigned long long)i);
            CHECK(store->find_request(store, bytes_of_text(id), bytes_of(NULL, 0), &row, &detail) == E_SAGA_NOT_FOUND);
        }
        add_ended(n + 1 + done, 40, 40, &r);
    }
    double s = cpu_s() - at;
    store->close(store);
    return s * 1e6 / 40000;
}

/* Retention of n ended sagas. */
static double retention(size_t n)
{
    struct random r;
    random_seed(&r, 5);
    open_store();
    add_ended(1, n, 1000, &r);
    forget_worst();
    bool more = true;
    double at = cpu_s();
    while (more) {
        struct go turn = go();
        must(store->drop(store, (struct instant){.us = INT64_MAX / 2}, 1, 256, &more, &detail));
        took(turn);
    }
    double s = cpu_s() - at;
    store->close(store);
    return s * 1e6 / (double)n;
}

static const struct {
    const char *name;
    double (*run)(size_t n);
    size_t sizes[2];
} cases[] = {
    {"definitions", definitions, {2000, 32000}},     {"definition-first", definition_first, {2000, 32000}},
    {"moved-restart", moved_restart, {8000, 64000}}, {"overdue-start", overdue_start, {8000, 64000}},
    {"dead-letters", dead_letters, {8000, 64000}},   {"random-ids", random_ids, {60000, 480000}},
    {"dependency", dependency, {62, 254}},           {"retention", retention, {20000, 160000}},
    {"list-places", list_places, {60000, 480000}},
};

int main(int argc, char **argv)
{
    const char *in = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/cliffs-XXXXXX", in == NULL ? "/tmp" : in);
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/journal.db", dir);
    printf("%-18s %9s %12s %10s %9s %7s\n", "case", "size", "us a unit", "worst ms", "of CPU", "ratio");
    const char *between = "";
    char json[4096] = "{";
    size_t used = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double first = 0;
        if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
            continue;
        for (int size = 0; size < 2; size++) {
            size_t n = argc == 4 ? strtoull(argv[2 + size], NULL, 10) : cases[i].sizes[size];
            forget_worst();
            double us = cases[i].run(n);
            if (cases[i].run == overdue_start)
                close_core();
            remove_files();
            printf("%-18s %9zu %12.2f %10.1f %9.1f", cases[i].name, n, us, worst * 1e3, worst_cpu * 1e3);
            if (size == 1)
                printf(" %7.2f", us / first);
            printf("\n");
            fflush(stdout);
            used += (size_t)snprintf(json + used, sizeof json - used,
                                     "%s\"%s %zu\": {\"us\": %.3f, \"worst_ms\": %.2f, \"worst_cpu_ms\": %.2f}",
                                     between, cases[i].name, n, us, worst * 1e3, worst_cpu * 1e3);
            between = ", ";
            first = us;
        }
    }
    printf("%s}\n", json);
    free(calls);
    rmdir(dir);
    return 0;
}
