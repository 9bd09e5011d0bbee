/* scenarios.c - fixed scenarios to count instructions of: the sidecar's own work for a saga (engine, codec, batch, definitions, protobuf), with
 * a store made of memory and participants that answer at once. What gRPC and SQLite spend is theirs, and would drown it.
 *
 *   scenarios time-of-check    how long the check of an input takes
 *   scenarios NAME    runs one; with no name, prints the names. tests/bench/count.py runs each under callgrind. */
#include "sidecar/base/check.h"
#include "sidecar/definition/reader.h"
#include "sidecar/core/arena.h"
#include "sidecar/core/call_metadata.h"
#include "sidecar/core/core.h"
#include "sidecar/api/decode.h"
#include "sidecar/core/heap.h"
#include "sidecar/message/inspect.h"
#include "sidecar/message/json.h"
#include "tests/support/memory_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAGAS     512
#define BATCH     64
#define CALLS_MAX 4096

static const char yaml[] =
    "name: bench\nversion: 1.0.0\nsteps:\n"
    "  - {name: s1, action: {target: t, method: /b.P/A1}, compensation: {target: t, method: /b.P/C1}}\n"
    "  - {name: s2, after: [s1], action: {target: t, method: /b.P/A2}, compensation: {target: t, method: /b.P/C2}}\n"
    "  - {name: s3, after: [s2], action: {target: t, method: /b.P/A3}, compensation: {target: t, method: /b.P/C3}}\n";

/* The same, with five fields mapped in each step, of which one is a message. */
#define MAPPED \
    "request: {order_id: =input.order_id, card: =input.card, priority: =input.priority, token: =input.token, " \
    "customer: " \
    "=input.customer}"
static const char typed_yaml[] =
    "name: bench\nversion: 1.0.0\nschema: shapes\ninput: shapes.Order\nsteps:\n"
    "  - {name: s1, action: {target: t, method: /shapes.Shop/Reserve, " MAPPED "}, compensation: {target: t, method: "
    "/shapes.Shop/Old, request: {sku: =input.order_id}}}\n"
    "  - {name: s2, after: [s1], action: {target: t, method: /shapes.Shop/Reserve, " MAPPED
    "}, compensation: {target: t, "
    "method: /shapes.Shop/Old, request: {sku: =input.order_id}}}\n"
    "  - {name: s3, after: [s2], action: {target: t, method: /shapes.Shop/Reserve, " MAPPED
    "}, compensation: {target: t, "
    "method: /shapes.Shop/Old, request: {sku: =input.order_id}}}\n";
static const char typed_input[] = "{\"order_id\": \"order-0123456789\", \"customer\": {\"name\": \"Ann Example\", "
                                  "\"address\": {\"street\": \"1 Long Street\", "
                                  "\"zip\": \"12345\"}}, \"lines\": [{\"sku\": \"nut-0001\", \"quantity\": 2, "
                                  "\"price_cents\": 150}, {\"sku\": \"bolt-0002\", "
                                  "\"quantity\": 20, \"price_cents\": 1500}, {\"sku\": \"washer-0003\", \"quantity\": "
                                  "200, \"price_cents\": 15}], \"card\": "
                                  "\"4242424242424242\", \"priority\": 3, \"token\": \"MDEyMzQ1Njc4OTAxMjM0NTY3ODk=\", "
                                  "\"notes\": [\"leave it at the doors\", "
                                  "\"ring twice, the bell is broken and has been for years; if nobody comes to the "
                                  "door, ask the neighbours upstairs.\"], \"at\": "
                                  "\"2026-11-28T10:00:00Z\"}";

extern const unsigned char shapes[];
extern const unsigned long shapes_size;
static struct schema *schema;
static struct pool pool;
static uint8_t any[300];
static struct bytes input = {any, sizeof any}; /* of every saga */
static bool typed;

static const struct schema *find(void *self, const char *name, const char **hash)
{
    (void)self;
    (void)name;
    *hash = "";
    return schema;
}

/* The input of 300 bytes becomes a message. */
static void read_types(void)
{
    struct error_detail detail;
    CHECK(schema_read(bytes_of(shapes, shapes_size), &heap, &schema, &detail) == 0);
    pool_init(&pool, &heap, 1 << 20);
    CHECK(json_read(schema, schema_message(schema, bytes_of_text("shapes.Order")), bytes_of_text(typed_input), &pool,
                    65536, &input, &detail) == 0);
    CHECK(input.size == 300);
}

static struct memory_disk *disk;
static struct store *store;
static struct catalog *catalog;
static struct core *core;
static struct arena arena;
static struct call_effect calls[CALLS_MAX];
static size_t call_first, call_count, replies;
static int64_t now_us = 1000000;
static bool reject_third, guarded; /* everything that resilience offers is on, and stops nothing */
static struct saga_id last_saga;

static void world_durable(void *self, uint64_t frame, struct bytes records)
{
    (void)self;
    (void)frame;
    (void)records;
}

static void world_reply(void *self, const struct reply_effect *reply, const struct error_detail *detail)
{
    (void)self;
    (void)detail;
    CHECK(reply->code == 0);
    last_saga = reply->saga;
    replies++;
}

static void world_call(void *self, const struct call_effect *call)
{
    struct call_metadata metadata;
    (void)self;
    CHECK(call_count < CALLS_MAX);
    call_metadata_init(&metadata, call);
    calls[(call_first + call_count++) % CALLS_MAX] = *call;
}

static struct instant now(void)
{
    now_us += guarded ? 1000 : 1; /* a bucket of tokens fills with time */
    return (struct instant){.us = now_us - 1};
}

static void open_core(void)
{
    struct store_state state;
    struct error_detail detail;
    struct definition_limits limits = definition_limits_default();
    struct definition *definition;
    disk = memory_disk_create();
    CHECK(memory_store_open(disk, &store, &state, &detail) == 0);
    CHECK(catalog_create(10, &catalog) == 0);
    struct target_options target = {.name = "t", .timeout = SPAN_S(10), .max_concurrent_calls = 4096};
    const struct definition_bound bound = {"bench", {.live_max = 100000, .starts = {100000, 100000}}};
    if (guarded) {
        target.breaker = (struct breaker_options){.window = SPAN_S(10),
                                                  .volume = 20,
                                                  .failure_percent = 50,
                                                  .slow_percent = 80,
                                                  .slow_call = SPAN_S(5),
                                                  .status_codes = 1u << 14,
                                                  .open = SPAN_S(5),
                                                  .open_max = SPAN_S(60),
                                                  .probes = 3};
        target.rate = (struct rate_options){.per_second = 100000, .burst = 100000};
        target.budget = (struct budget_options){.percent = 20, .min_per_second = 10};
        target.max_pending_calls = 10000;
        target.pending_timeout = SPAN_S(60);
    }
    struct core_options options = {
        .engine =
            {
                .live_sagas_max = 100000,
                .steps_max = 64,
                .payload_bytes_max = 1 << 20,
                .targets_max = 4,
                .enlisted_deadline_default = SPAN_S(900),
                .enlisted_lease_default = SPAN_S(30),
                .pushback_max = SPAN_S(300),
                .deadline_max = SPAN_S(100000),
                .compensation_retry = limits.retry.compensation,
                .seed = 1,
                .tag = 1,
            },
        .targets = &target,
        .target_count = 1,
        .limits = &bound,
        .limit_count = guarded ? 1 : 0,
        .commit_bytes_max = 4 << 20,
        .retention = SPAN_S(604800),
    };
    struct core_world world = {.durable = world_durable, .reply = world_reply, .call = world_call};
    CHECK(core_open(&options, &heap, store, &state, catalog, &world, now(), &core, &detail) == 0);
    limits.schemas.find = find;
    CHECK(definition_read(bytes_of_text(typed ? typed_yaml : yaml), &limits, &definition, &detail) == 0);
    CHECK(core_register(core, definition, now(), 0, &detail) == 0);
    CHECK(core_commit(core, now(), &detail) == 0);
    arena_init(&arena);
}

static void close_core(void)
{
    arena_finish(&arena);
    core_close(core);
    catalog_destroy(catalog);
    store->close(store);
    memory_disk_destroy(disk);
}

static void submit(struct event *event)
{
    struct error_detail detail;
    CHECK(core_submit(core, event, &detail) == 0);
}

static void commit(void)
{
    struct error_detail detail;
    CHECK(core_commit(core, now(), &detail) == 0);
}

/* Every call that is out is answered, until none is. */
static void answer_all(void)
{
    commit();
    while (call_count > 0) {
        for (size_t left = call_count < BATCH ? call_count : BATCH; left > 0; left--) {
            const struct call_effect *call = &calls[call_first];
            bool reject = reject_third && call->phase == SAGA_PHASE_ACTION && call->step == 2;
            struct event event = {
                .type = EVENT_ANSWER,
                .now = now(),
                .saga = call->saga,
                .step_index = call->step,
                .phase = call->phase,
                .attempt = call->attempt,
                .reach = SAGA_REACH_ANSWERED,
                .status = reject ? 9 : 0,
                .output = reject ? bytes_of(NULL, 0) : bytes_of_text("an answer of a participant, of usual length"),
            };
            call_first = (call_first + 1) % CALLS_MAX;
            call_count--;
            submit(&event);
        }
        commit();
    }
}

static void start_through_protobuf(unsigned n)
{
    char request_id[40];
    uint8_t bytes[1024];
    struct error_detail detail;
    Saga__V1__StartRequest m = SAGA__V1__START_REQUEST__INIT;
    snprintf(request_id, sizeof request_id, "%012x-%08x-0001", n, n);
    m.definition = (char *)(uintptr_t) "bench";
    m.request_id = request_id;
    m.input.data = (uint8_t *)(uintptr_t)input.at;
    m.input.len = input.size;
    size_t size = saga__v1__start_request__pack(&m, bytes);

    arena_reset(&arena);
    struct decoder decoder = {.arena = &arena, .catalog = catalog};
    struct event event = {.now = now(), .token = n + 1};
    const Saga__V1__StartRequest *read = saga__v1__start_request__unpack(&arena.allocator, size, bytes);
    CHECK(read != NULL && decode_start(&decoder, read, &event, &detail) == 0);
    submit(&event);
}

static void three_steps(void)
{
    for (unsigned n = 0; n < SAGAS; n++) {
        start_through_protobuf(n);
        if (n % BATCH == BATCH - 1)
            answer_all();
    }
    CHECK(replies == SAGAS + 1 && engine_counts(core_engine(core)).live == 0);
}

static void check_inputs(unsigned count)
{
    struct error_detail detail;
    struct inspection found;
    const struct message_type *type = schema_message(schema, bytes_of_text("shapes.Order"));
    for (unsigned n = 0; n < count; n++)
        CHECK(inspect_message(type, input, &found, &detail) == 0 && found.unknown == 0);
}

/* So many inputs are checked as there are sagas elsewhere: an instruction is one of one check. */
static void check_input(void)
{
    check_inputs(SAGAS);
}

/* How long one check takes, in microseconds of the processor, for tests/bench/typed.py. */
static void time_check(void)
{
    enum { MANY = 200000 };
    struct timespec from, to;
    check_inputs(MANY / 10);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    check_inputs(MANY);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    printf("%.3f\n", ((double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3) / MANY);
}

static void rollback(void)
{
    reject_third = true;
    three_steps();
}

static void enlisted(void)
{
    static const char *const names[] = {"a", "b", "c"};
    for (unsigned n = 0; n < SAGAS; n++) {
        struct event begin = {.type = EVENT_BEGIN, .now = now(), .token = 1, .name = bytes_of_text("bench")};
        submit(&begin);
        commit();
        struct saga_id saga = last_saga;
        for (unsigned i = 0; i < 3; i++) {
            struct settlement settle = {.step = bytes_of_text(names[i == 0 ? 0 : i - 1]),
                                        .action_state = SAGA_ACTION_DONE};
            struct enlistment enlist = {
                .step = bytes_of_text(names[i]),
                .has_compensation = true,
                .compensation = {.target = "t", .method = "/b.P/C", .constant = bytes_of_text("what to undo")},
            };
            struct event step = {.type = EVENT_ENLIST,
                                 .now = now(),
                                 .token = 1,
                                 .saga = saga,
                                 .settle = &settle,
                                 .settle_count = i > 0,
                                 .enlist = &enlist,
                                 .enlist_count = 1};
            submit(&step);
            commit();
        }
        struct settlement last = {.step = bytes_of_text("c"), .action_state = SAGA_ACTION_DONE};
        struct event end = {
            .type = EVENT_COMMIT, .now = now(), .token = 1, .saga = saga, .settle = &last, .settle_count = 1};
        submit(&end);
        commit();
    }
    CHECK(engine_counts(core_engine(core)).live == 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"three-steps", three_steps}, {"guarded", three_steps}, {"typed", three_steps},
    {"input-check", check_input}, {"rollback", rollback},   {"enlisted", enlisted},
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "time-of-check") == 0) {
        read_types();
        time_check();
        return 0;
    }
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        if (argc < 2) {
            puts(scenarios[i].name);
        } else if (strcmp(argv[1], scenarios[i].name) == 0) {
            typed = strcmp(argv[1], "typed") == 0;
            guarded = strcmp(argv[1], "guarded") == 0;
            if (typed || scenarios[i].run == check_input)
                read_types();
            open_core();
            scenarios[i].run();
            close_core();
            if (schema != NULL)
                pool_finish(&pool);
            schema_destroy(schema);
            return 0;
        }
    }
    return argc < 2 ? 0 : 2;
}
