/* A definition in a made-up world: the ends that there are, and what is wrong with them, each with its shortest story. */
#include "sidecar/core/heap.h"
#include "sidecar/base/pool.h"
#include "sidecar/engine/record.h"
#include "sidecar/message/json.h"
#include "sidecar/rehearse/rehearse.h"
#include "tests/support/shapes.h"
#include "tests/support/trades.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rehearse_report report;
static struct error_detail detail;
static char planned[1024], went[64]; /* the calls, and where the last went */
static unsigned drawn_runs, runs_max = 20000;
static struct participants known; /* targets */
static struct memory memory_used; /* the heap, unless it is said */

static void plan(void *self, const struct rehearse_call *call)
{
    const struct definition *d = self;
    size_t used = strlen(planned);
    ck_assert_uint_lt(call->step, d->step_count);
    snprintf(planned + used, sizeof planned - used, "%s%s:%zu ", call->compensation ? "un" : "", call->name,
             call->request.size);
    snprintf(went, sizeof went, "%s", call->target);
}

static int try(const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct rehearse_options options = {.deviations_max = 3,
                                       .runs_max = runs_max,
                                       .seed = 1,
                                       .memory = memory_used.take == NULL ? &heap : &memory_used,
                                       .drawn_runs = drawn_runs,
                                       .targets = known};
    struct definition *d = NULL;
    struct pool pool;
    limits.schemas = trades_schemas();
    limits.steps_max = STEPS_LIMIT;
    planned[0] = '\0';
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%d:%d: %s: %s", detail.line, detail.column, detail.field, detail.text);
    pool_init(&pool, &heap, 1u << 20);
    if (d->input != NULL)
        ck_assert_int_eq(rehearse_example(d->input, &pool, &options.input), 0);
    code = rehearse(d, &options, plan, d, &report, &detail);
    pool_finish(&pool);
    definition_destroy(d);
    return code;
}

static const struct rehearse_finding *finding(const char *rule)
{
    for (unsigned i = 0; i < report.count; i++)
        if (strcmp(report.findings[i].rule, rule) == 0)
            return &report.findings[i];
    return NULL;
}

/* The same, which must be there. */
static const struct rehearse_finding *needed(const char *rule)
{
    const struct rehearse_finding *f = finding(rule);
    if (f == NULL)
        ck_abort_msg("%s is not found", rule);
    return f;
}

static const struct rehearse_end *end(uint8_t state, uint8_t reason, int step)
{
    for (unsigned i = 0; i < report.end_count; i++)
        if (report.ends[i].state == state && report.ends[i].reason == reason && report.ends[i].step == step)
            return &report.ends[i];
    return NULL;
}

#define HEAD  "name: n\nversion: 1.0.0\ndeadline: 10m\n"
#define TYPED HEAD "schema: trades\ninput: trades.v1.Order\n"
#define A     "  - {name: a, target: t, action: /x.v1.S/A, compensation: /x.v1.S/UndoA}\n"
#define B     "  - {name: b, target: t, after: [a], pivot: true, action: /x.v1.S/B}\n"

START_TEST(rehearse__every_end_is_found_once)
{
    ck_assert_int_eq(try(HEAD "steps:\n" A B), 0);
    ck_assert_str_eq(planned, "a:0 b:0 ");
    ck_assert(!report.drawn);
    ck_assert_ptr_nonnull(end(SAGA_COMMITTED, REASON_NONE, -1));
    ck_assert_ptr_nonnull(end(SAGA_COMPENSATED, REASON_ACTION_REJECTED, -1));
    ck_assert_ptr_nonnull(end(SAGA_COMPENSATED, REASON_ACTION_UNKNOWN, -1));
    ck_assert_ptr_nonnull(end(SAGA_STUCK, REASON_PIVOT_UNKNOWN, 1));
    ck_assert_ptr_nonnull(end(SAGA_STUCK, REASON_COMPENSATION_FAILED, 0));
    ck_assert_uint_eq(report.end_count, 5);
    /* a and b each go well, or late: 4. One refused and undone well or late, or lost and so on. Each run counts once. */
    const struct rehearse_end *committed = end(SAGA_COMMITTED, REASON_NONE, -1);
    if (committed == NULL)
        ck_abort_msg("it never commits");
    ck_assert_uint_eq(committed->runs, 4);
    ck_assert_ptr_null(finding("left-behind"));
    ck_assert_uint_eq(report.count, 2);
    const struct rehearse_finding *f = needed("dead-letter");
    ck_assert_int_eq(f->step, 1);
    ck_assert_str_eq(f->trace, "a: done\nb: no answer to any attempt: nobody knows\ndead letter: PIVOT_UNKNOWN\n");
    /* Late: eleven times 10 s, the waits, and then an answer; both so. */
    int64_t longest = committed->longest.us;
    ck_assert(longest > SPAN_S(300).us && longest < SPAN_S(335).us);
}
END_TEST

/* A lost attempt takes as long as its target is given. */
START_TEST(rehearse__a_targets_timeout_is_its_own)
{
    static const struct participant quick = {.name = "t", .timeout.us = 1000000};
    int64_t longest[2];
    for (unsigned i = 0; i < 2; i++) {
        known = (struct participants){.at = &quick, .count = i};
        ck_assert_int_eq(try(HEAD "steps:\n" A B), 0);
        const struct rehearse_end *committed = end(SAGA_COMMITTED, REASON_NONE, -1);
        if (committed == NULL)
            ck_abort_msg("it never commits");
        longest[i] = committed->longest.us;
    }
    known.count = 0;
    /* Ten seconds where nothing is said: of at least eleven attempts each is shorter by nine. */
    ck_assert_int_ge(longest[0] - longest[1], 11 * SPAN_S(9).us);
}
END_TEST

/* As many as may be are looked at, and no more; chance takes over then. */
START_TEST(rehearse__runs_are_bounded)
{
    runs_max = 3;
    ck_assert_int_eq(try(HEAD "steps:\n" A B), 0);
    runs_max = 20000;
    ck_assert(report.drawn);
    ck_assert_uint_eq(report.runs, 3 + 3);
}
END_TEST

/* Each step but the first can become a dead letter; only then is that one's failure tried, which leaves something behind. */
START_TEST(rehearse__an_error_is_found_after_however_many_notes)
{
    static char text[32768];
    size_t used = (size_t)snprintf(
        text, sizeof text,
        "name: n\nversion: 1.0.0\nforward_only: true\nsteps:\n  - {name: first, target: t, optional: true, action: "
        "{method: /x.v1.S/A, retry: {maxAttempts: 1}}}\n");
    for (unsigned i = 0; i < REHEARSE_FINDINGS_MAX + 5; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used,
                             "  - {name: s%u, target: t, action: {method: /x.v1.S/A, retry: {maxAttempts: 1}}}\n", i);
    runs_max = 1000;
    ck_assert_int_eq(try(text), 0);
    runs_max = 20000;
    ck_assert_uint_eq(report.count, REHEARSE_FINDINGS_MAX);
    const struct rehearse_finding *f = needed("left-behind");
    ck_assert_int_eq(f->severity, LINT_ERROR);
    ck_assert_int_eq(f->step, 0);
    unsigned notes = 0;
    for (unsigned i = 0; i < report.count; i++)
        notes += report.findings[i].severity == LINT_NOTE;
    ck_assert_uint_eq(notes, REHEARSE_FINDINGS_MAX - 1);
    ck_assert_int_eq(report.findings[0].severity, LINT_NOTE); /* the last of them has given way */
}
END_TEST

START_TEST(rehearse__what_stays_behind_is_told_with_its_shortest_story)
{
    ck_assert_int_eq(try(HEAD "steps:\n  - {name: a, target: t, action: /x.v1.S/A}\n" B), 0);
    const struct rehearse_finding *f = needed("left-behind");
    ck_assert_int_eq(f->severity, LINT_ERROR);
    ck_assert_int_eq(f->step, 0);
    ck_assert_str_eq(f->trace, "a: done\nb: refused\nturns back: ACTION_REJECTED\n");
    ck_assert_int_eq(try(HEAD "steps:\n  - {name: a, target: t, action: /x.v1.S/A, compensation: none}\n" B), 0);
    ck_assert_ptr_null(finding("left-behind"));
    /* The last step's own outcome may be unknown. */
    ck_assert_int_eq(try(HEAD "steps:\n" A "  - {name: b, target: t, after: [a], action: /x.v1.S/B}\n"), 0);
    f = needed("left-behind");
    ck_assert_int_eq(f->step, 1);
    ck_assert_ptr_nonnull(strstr(f->text, "(if it did)"));
    /* Of a step that is optional, too. */
    ck_assert_int_eq(try(HEAD "steps:\n  - {name: a, target: t, optional: true, action: /x.v1.S/A}\n" B), 0);
    ck_assert_ptr_nonnull(finding("left-behind"));
    /* And of a saga that can only commit. */
    ck_assert_int_eq(try(HEAD "steps:\n  - {name: b, target: t, pivot: true, action: /x.v1.S/B}\n"
                              "  - {name: a, target: t, after: [b], optional: true, action: /x.v1.S/A}\n"),
                     0);
    f = needed("left-behind");
    ck_assert_int_eq(f->step, 1);
    ck_assert_ptr_nonnull(strstr(f->text, "ends COMMITTED, and what a did (if it did) stays"));
}
END_TEST

/* An undo has attempts of its own: late is the last of them. */
START_TEST(rehearse__an_undo_that_is_late_takes_its_own_attempts)
{
    ck_assert_int_eq(
        try(HEAD "steps:\n"
                 "  - {name: a, target: t, action: {method: /x.v1.S/A, retry: {maxAttempts: 1}},\n"
                 "     compensation: {method: /x.v1.S/UndoA, timeout: 7s, retry: {maxAttempts: 3, initialBackoff: 1s,\n"
                 "       backoffMultiplier: 1, jitter: 0}}}\n"
                 "  - {name: b, target: t, after: [a], action: {method: /x.v1.S/B, retry: {maxAttempts: 1}}}\n"),
        0);
    const struct rehearse_end *undone = end(SAGA_COMPENSATED, REASON_ACTION_REJECTED, -1);
    if (undone == NULL)
        ck_abort_msg("it is never undone");
    /* Two attempts of 7 s are lost, with a second behind each, and the third is answered. */
    ck_assert_int_ge(undone->longest.us, SPAN_S(16).us);
    ck_assert_int_lt(undone->longest.us, SPAN_S(17).us);
}
END_TEST

#define RESERVE \
    "  - name: reserve\n    target: t\n    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: " \
    "=input.order_id}}\n"

START_TEST(rehearse__an_undo_that_cannot_be_sent_is_an_error)
{
    ck_assert_int_eq(try(TYPED "steps:\n" RESERVE "    compensation: {method: /trades.v1.Inventory/Release, request: "
                               "{order_id: =action.output.reservation_id}}\n"),
                     0);
    const struct rehearse_finding *f = needed("undo-cannot-run");
    ck_assert_int_eq(f->severity, LINT_ERROR);
    ck_assert_ptr_nonnull(
        strstr(f->trace, "reserve: no answer to any attempt: nobody knows\nturns back: ACTION_UNKNOWN\n"));
    ck_assert_int_eq(
        try(TYPED "steps:\n" RESERVE
                  "    compensation: {method: /trades.v1.Inventory/Release, request: {order_id: =input.order_id}}\n"),
        0);
    ck_assert_ptr_null(finding("undo-cannot-run"));
}
END_TEST

START_TEST(rehearse__expressions_that_fail_and_steps_that_never_run)
{
    ck_assert_int_eq(try(TYPED
                         "steps:\n" RESERVE "    compensation: none\n"
                         "  - name: charge\n    after: [reserve]\n    target: t\n    compensation: none\n"
                         "    action: {method: /trades.v1.Payment/Capture, request: {amount_cents: =100 / "
                         "steps.reserve.output.left}}\n"
                         "  - name: ship\n    after: [charge]\n    target: t\n    when: input.amount_cents > 5\n    "
                         "compensation: none\n"
                         "    action: {method: /trades.v1.Shipping/Ship, request: {order_id: =input.order_id}}\n"),
                     0);
    const struct rehearse_finding *f = needed("expression-fails");
    ck_assert_int_eq(f->step, 1);
    ck_assert_ptr_nonnull(strstr(f->trace, "reserve: done, with an empty answer\n"));
    /* Skipped is reached: an input of another kind would have it called. */
    ck_assert_ptr_null(finding("never-runs"));
    ck_assert_int_eq(try(TYPED
                         "steps:\n" RESERVE "    compensation: none\n"
                         "  - name: charge\n    after: [reserve]\n    target: t\n    compensation: none\n"
                         "    action: {method: /trades.v1.Payment/Capture, request: {card: \"=input.lines[7].sku\"}}\n"
                         "  - name: ship\n    after: [charge]\n    target: t\n    compensation: none\n"
                         "    action: {method: /trades.v1.Shipping/Ship, request: {order_id: =input.order_id}}\n"),
                     0);
    /* No one run tells what none does. */
    ck_assert_str_eq(needed("never-commits")->trace, "");
    ck_assert_str_eq(needed("never-runs")->trace, "");
}
END_TEST

/* There is an earlier good answer, or there is none: what comes of either is found. */
START_TEST(rehearse__a_last_good_answer_is_there_or_not)
{
    static const char text[] = TYPED
        "steps:\n"
        "  - name: a\n"
        "    target: t\n"
        "    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}, retry: {maxAttempts: "
        "1}}\n"
        "    compensation: none\n"
        "    fallback: {last_good: {key: =input.customer, max_age: 1h}%s}\n"
        "  - {name: b, after: [a], target: t, compensation: none, action: {method: /trades.v1.Inventory/Reserve,\n"
        "     request: {order_id: \"=has(steps.a.output) ? steps.a.output.reservation_id : 'none'\"}}}\n";
    char whole[1024];
    snprintf(whole, sizeof whole, text, "");
    ck_assert_int_eq(try(whole), 0);
    ck_assert_ptr_nonnull(end(SAGA_COMMITTED, REASON_NONE, -1));
    ck_assert_ptr_nonnull(end(SAGA_COMPENSATED, REASON_ACTION_REJECTED, -1)); /* there was none */
    const struct rehearse_end *there = end(SAGA_COMMITTED, REASON_NONE, -1);
    uint32_t committed = there == NULL ? UINT32_MAX : there->runs;
    /* With something in its place the saga commits there, too; it is only taken where there is none. */
    snprintf(whole, sizeof whole, text, ", fallback: {value: {reservation_id: none}}");
    ck_assert_int_eq(try(whole), 0);
    there = end(SAGA_COMMITTED, REASON_NONE, -1);
    ck_assert_uint_gt(there == NULL ? 0 : there->runs, committed);
    ck_assert_ptr_null(finding("never-runs"));
    /* Nobody may have answered, too, and the saga goes on all the same. */
    ck_assert_int_eq(try(TYPED "steps:\n" RESERVE "    fallback: {last_good: {key: =input.customer, max_age: 1h}}\n"),
                     0);
    const struct rehearse_finding *f = needed("left-behind");
    ck_assert_str_eq(f->text,
                     "the saga ends COMMITTED, and what reserve did (if it did) stays: it has no compensation");
    ck_assert_str_eq(f->trace, "reserve: no answer to any attempt: nobody knows\n"
                               "last good answer of reserve: there is one\n");
}
END_TEST

START_TEST(rehearse__an_input_that_is_refused_is_told)
{
    ck_assert_int_eq(try(TYPED "require: [{that: input.amount_cents > 5, else: too little}]\nsteps:\n" RESERVE),
                     E_REQUIRED);
    ck_assert_str_eq(detail.text, "too little");
}
END_TEST

static unsigned before_refusal; /* how many pieces of memory are given before one is refused */
static bool refused;

static void *take_unless(void *self, size_t size)
{
    refused = refused || before_refusal == 0;
    return before_refusal-- == 0 ? NULL : heap.take(self, size);
}

static void *take_zeroed_unless(void *self, size_t size)
{
    refused = refused || before_refusal == 0;
    return before_refusal-- == 0 ? NULL : heap.take_zeroed(self, size);
}

/* One piece of memory is refused, any of them: that is told, and nothing is made of what there is. */
START_TEST(rehearse__every_refused_piece_of_memory_is_told)
{
    static const char text[] = TYPED
        "steps:\n" RESERVE "    compensation: none\n"
        "  - {name: b, after: [reserve], target: t, compensation: none,\n"
        "     action: {method: /trades.v1.Shipping/Ship, request: {order_id: =steps.reserve.output.reservation_id}}}\n";
    char whole[sizeof planned];
    unsigned n = 0;
    ck_assert_int_eq(try(text), 0);
    snprintf(whole, sizeof whole, "%s", planned);
    memory_used = (struct memory){take_unless, take_zeroed_unless, heap.give_back, heap.self};
    runs_max = 3;
    do {
        before_refusal = n;
        refused = false;
        int code = try(text);
        /* A saga survives it, and is what it would have been. */
        ck_assert_msg((code == E_MEMORY && refused) || (code == 0 && strcmp(planned, whole) == 0), "piece %u: %d %s", n,
                      code, planned);
    } while (refused && ++n < 5000);
    ck_assert(!refused && n > 4);
}
END_TEST

/* Too many ways for all of them: what is left is drawn, the same every time. */
START_TEST(rehearse__a_wide_definition_is_left_to_chance)
{
    static char text[16384];
    size_t used = (size_t)snprintf(text, sizeof text, HEAD "steps:\n");
    for (unsigned i = 0; i < 40; i++)
        used += (size_t)snprintf(
            text + used, sizeof text - used,
            "  - {name: s%u, target: t, retry: {maxAttempts: 1}, action: /x.v1.S/A, compensation: none}\n", i);
    ck_assert_int_eq(try(text), 0);
    ck_assert(report.drawn);
    unsigned runs = report.runs, ends = report.end_count;
    ck_assert_int_eq(try(text), 0);
    ck_assert_uint_eq(report.runs, runs);
    ck_assert_uint_eq(report.end_count, ends);
}
END_TEST

/* So many runs as are asked for, by chance alone: they find what there is, too. */
START_TEST(rehearse__runs_may_be_drawn_alone)
{
    drawn_runs = 500;
    ck_assert_int_eq(try(HEAD "steps:\n" A B), 0);
    ck_assert(report.drawn);
    ck_assert_uint_eq(report.runs, 501);
    ck_assert_ptr_nonnull(end(SAGA_COMPENSATED, REASON_ACTION_REJECTED, -1));
    /* The longest of them is one in which both came late, wherever it stands among the others. */
    const struct rehearse_end *committed = end(SAGA_COMMITTED, REASON_NONE, -1);
    if (committed == NULL)
        ck_abort_msg("it never commits");
    ck_assert_int_gt(committed->longest.us, SPAN_S(300).us);
}
END_TEST

START_TEST(rehearse__an_example_has_everything)
{
    struct definition_schemas schemas = trades_schemas();
    const char *hash;
    const struct schema *schema = schemas.find(schemas.self, "trades", &hash);
    const struct message_type *type = schema_message(schema, bytes_of_text("trades.v1.Order"));
    struct pool pool;
    struct bytes wire, json;
    pool_init(&pool, &heap, 1u << 20);
    ck_assert_int_eq(rehearse_example(type, &pool, &wire), 0);
    ck_assert_int_eq(json_write(schema, type, wire, false, &pool, 65536, &json, &detail), 0);
    ck_assert_str_eq(
        (const char *)json.at,
        "{\"orderId\":\"order_id\",\"customer\":\"customer\",\"lines\":[{\"sku\":\"sku\",\"quantity\":1,"
        "\"priceCents\":\"1\",\"seller\":\"seller\"},{\"sku\":\"sku\",\"quantity\":1,\"priceCents\":\"1\",\"seller\":"
        "\"seller\"}],\"card\":\"card\",\"amountCents\":\"1\",\"address\":\"address\","
        "\"region\":\"region\",\"sku\":\"sku\"}");
    pool_finish(&pool);
}
END_TEST

/* Each kind of number, what has a form of its own in JSON, lists packed and not, and maps; what names a type, or has no end, is there and empty. */
START_TEST(rehearse__an_example_has_every_kind)
{
    static const struct {
        const char *type, *json;
    } cases[] = {
        {"Numbers", "{\"d\":1,\"f\":1,\"i64\":\"1\",\"u64\":\"1\",\"i32\":1,\"x64\":\"1\",\"x32\":1,\"b\":true,\"u32\":"
                    "1,\"sx32\":1,\"sx64\":\"1\",\"s32\":1,\"s64\":\"1\",\"ds\":[1,1],\"xs\":[1,1]}"},
        {"Order",
         "{\"orderId\":\"order_id\",\"customer\":{\"name\":\"name\",\"address\":{\"street\":\"street\",\"zip\":\"zip_"
         "code\"}},\"lines\":[{\"sku\":\"sku\",\"quantity\":1,\"priceCents\":\"1\"},{\"sku\":\"sku\",\"quantity\":1,"
         "\"priceCents\":\"1\"}],\"counts\":{\"key\":\"1\"},\"shifts\":[1,1],\"card\":\"card\",\"priority\":1,"
         "\"color\":\"RED\",\"token\":\"dG9rZW4=\",\"byRow\":{\"1\":{\"sku\":\"sku\",\"quantity\":1,\"priceCents\":"
         "\"1\"}},\"notes\":[\"notes\",\"notes\"],\"at\":\"1970-01-01T00:00:01.000000001Z\"}"},
        {"Known", "{\"at\":\"1970-01-01T00:00:01.000000001Z\",\"after\":\"1.000000001s\",\"mask\":\"\",\"bag\":{},"
                  "\"anyJson\":null,\"list\":[],\"any\":{},\"maybeNumber\":\"1\",\"maybeText\":\"value\","
                  "\"maybeBytes\":\"dmFsdWU=\",\"nothing\":{},\"maybeBool\":true,\"maybeDouble\":1,\"times\":[\"1970-"
                  "01-01T00:00:01.000000001Z\",\"1970-01-01T00:00:01.000000001Z\"]}"},
    };
    const char *hash;
    const struct schema *schema = shapes_schemas().find(NULL, "shapes", &hash);
    struct pool pool;
    struct bytes wire, json;
    pool_init(&pool, &heap, 1u << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct message_type *type = shapes_type(schema, cases[i].type);
        ck_assert_int_eq(rehearse_example(type, &pool, &wire), 0);
        ck_assert_int_eq(json_write(schema, type, wire, false, &pool, 65536, &json, &detail), 0);
        ck_assert_str_eq((const char *)json.at, cases[i].json);
    }
    pool_finish(&pool);
}
END_TEST

/* Of an enum the second value, which is not what an empty message has; of one that has no second, the first. */
START_TEST(rehearse__an_example_s_enum_is_not_the_default)
{
    struct enum_value values[] = {{.number = 0}, {.number = 7}};
    struct enum_type kinds = {.value_count = 2, .values = values};
    struct field field = {.name = bytes_of_text("kind"), .number = 1, .kind = FIELD_ENUM, .oneof = -1};
    const struct message_type type = {.field_count = 1, .fields = &field};
    struct pool pool;
    struct bytes wire;
    field.enumeration = &kinds;
    pool_init(&pool, &heap, 1u << 20);
    ck_assert_int_eq(rehearse_example(&type, &pool, &wire), 0);
    ck_assert(bytes_equal(wire, bytes_of_text("\x08\x07")));
    kinds.value_count = 1;
    values[0].number = 3;
    ck_assert_int_eq(rehearse_example(&type, &pool, &wire), 0);
    ck_assert(bytes_equal(wire, bytes_of_text("\x08\x03")));
    pool_finish(&pool);
}
END_TEST

/* It would be larger than any machine: what is within it is left out until it fits. */
START_TEST(rehearse__an_example_of_what_holds_itself_has_an_end)
{
    const char *hash;
    const struct schema *schema = shapes_schemas().find(NULL, "shapes", &hash);
    struct pool pool;
    struct bytes wire, json;
    pool_init(&pool, &heap, 1u << 20);
    ck_assert_int_eq(rehearse_example(shapes_type(schema, "Thicket"), &pool, &wire), 0);
    ck_assert_uint_gt(wire.size, 100);
    ck_assert_uint_lt(wire.size, 16384);
    ck_assert_int_eq(json_write(schema, shapes_type(schema, "Thicket"), wire, false, &pool, 262144, &json, &detail), 0);
    /* Of a choice it has one. */
    ck_assert_int_eq(rehearse_example(shapes_type(schema, "Order"), &pool, &wire), 0);
    ck_assert_int_eq(json_write(schema, shapes_type(schema, "Order"), wire, false, &pool, 65536, &json, &detail), 0);
    ck_assert_ptr_nonnull(strstr((const char *)json.at, "\"card\""));
    ck_assert_ptr_null(strstr((const char *)json.at, "\"cash\""));
    pool_finish(&pool);
}
END_TEST

/* Of calls that take equally long the one that left first is answered first, however many there are. */
START_TEST(rehearse__calls_are_answered_in_the_order_in_which_they_left)
{
    ck_assert_int_eq(try(HEAD "steps:\n"
                              "  - {name: a, target: t, action: /x.v1.S/A}\n"
                              "  - {name: b, target: t, action: /x.v1.S/A}\n"
                              "  - {name: c, target: t, action: /x.v1.S/A}\n"
                              "  - {name: after_c, target: t, after: [c], action: /x.v1.S/A}\n"
                              "  - {name: after_b, target: t, after: [b], action: /x.v1.S/A}\n"
                              "  - {name: after_a, target: t, after: [a], action: /x.v1.S/A}\n"),
                     0);
    ck_assert_str_eq(planned, "a:0 b:0 c:0 after_a:0 after_b:0 after_c:0 ");
}
END_TEST

/* A loop of which the saga has more instances than the definition has steps; and a step that goes to one of several targets. */
START_TEST(rehearse__loops_have_instances_and_targets_are_chosen)
{
    static const char loop[] =
        TYPED "steps:\n"
              "  - {name: a, for_each: \"[1, 2, 3]\", max_items: 3, target: {oneof: [t, u], by: \"index == 2 ? 'u' : "
              "'t'\"},\n"
              "     action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}}}\n";
    ck_assert_int_eq(try(loop), 0);
    ck_assert_str_eq(planned, "a[0]:10 a[1]:10 a[2]:10 ");
    ck_assert_str_eq(went, "u");
    ck_assert_int_eq(needed("left-behind")->step, 0);
    ck_assert_ptr_nonnull(strstr(needed("left-behind")->trace, "a[1]: "));
    ck_assert_ptr_nonnull(end(SAGA_COMPENSATED, REASON_ACTION_REJECTED, -1));
    ck_assert_ptr_null(finding("never-runs"));
    /* What is found behind a loop names the step of the definition, whichever of the saga's it is. */
    ck_assert_int_eq(try(TYPED "steps:\n"
                               "  - {name: a, for_each: \"[1, 2, 3]\", max_items: 3, target: t, compensation: none,\n"
                               "     action: {method: /trades.v1.Inventory/Reserve, request: {order_id: "
                               "=input.order_id}}}\n"
                               "  - {name: b, after: [a], target: t, compensation: none,\n"
                               "     action: {method: /trades.v1.Payment/Capture, request: {amount_cents: \"=100 / "
                               "steps.a.output[0].left\"}}}\n"),
                     0);
    ck_assert_int_eq(needed("expression-fails")->step, 1);
}
END_TEST

/* Of which step an undo went wrong is looked up in the saga, which has more of them than the definition, or fewer. */
START_TEST(rehearse__an_undo_is_told_of_behind_a_loop)
{
    static const char *const items[] = {"[]", "[1]", "[1, 2, 3]"};
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
        for (int sent = 0; sent < 2; sent++) {
            char text[2048];
            snprintf(text, sizeof text,
                     TYPED
                     "steps:\n"
                     "  - {name: a, for_each: \"%s\", max_items: 3, target: t, compensation: none,\n"
                     "     action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}, retry: "
                     "{maxAttempts: 1}}}\n"
                     "  - {name: b, after: [a], target: t,\n"
                     "     action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}, retry: "
                     "{maxAttempts: 1}},\n"
                     "     compensation: {method: /trades.v1.Inventory/Release, retry: {maxAttempts: 1}, request: "
                     "{order_id: %s}}}\n"
                     "  - {name: c, after: [b], target: t, compensation: none,\n"
                     "     action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}, retry: "
                     "{maxAttempts: 1}}}\n",
                     items[i], sent ? "=input.order_id" : "=action.output.reservation_id");
            ck_assert_int_eq(try(text), 0);
            const struct rehearse_finding *f = needed("dead-letter");
            ck_assert_str_eq(f->text, "the undo of b can become a dead letter: COMPENSATION_FAILED");
            ck_assert_int_eq(f->step, 1);
            ck_assert(sent == (finding("undo-cannot-run") == NULL));
            if (sent)
                continue;
            f = needed("undo-cannot-run");
            ck_assert_int_eq(strncmp(f->text, "the undo of b cannot be sent: no such key", 41), 0);
            ck_assert_int_eq(f->step, 1);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rehearse");
    TCase *runs = tcase_create("runs");
    tcase_set_timeout(runs, 150);
    tcase_add_test(runs, rehearse__runs_may_be_drawn_alone);
    tcase_add_test(runs, rehearse__loops_have_instances_and_targets_are_chosen);
    tcase_add_test(runs, rehearse__an_undo_is_told_of_behind_a_loop);
    tcase_add_test(runs, rehearse__calls_are_answered_in_the_order_in_which_they_left);
    tcase_add_test(runs, rehearse__every_end_is_found_once);
    tcase_add_test(runs, rehearse__a_targets_timeout_is_its_own);
    tcase_add_test(runs, rehearse__runs_are_bounded);
    tcase_add_test(runs, rehearse__an_undo_that_is_late_takes_its_own_attempts);
    tcase_add_test(runs, rehearse__what_stays_behind_is_told_with_its_shortest_story);
    tcase_add_test(runs, rehearse__an_undo_that_cannot_be_sent_is_an_error);
    tcase_add_test(runs, rehearse__expressions_that_fail_and_steps_that_never_run);
    tcase_add_test(runs, rehearse__an_input_that_is_refused_is_told);
    tcase_add_test(runs, rehearse__every_refused_piece_of_memory_is_told);
    tcase_add_test(runs, rehearse__a_last_good_answer_is_there_or_not);
    tcase_add_test(runs, rehearse__a_wide_definition_is_left_to_chance);
    tcase_add_test(runs, rehearse__an_example_has_everything);
    tcase_add_test(runs, rehearse__an_example_has_every_kind);
    tcase_add_test(runs, rehearse__an_example_s_enum_is_not_the_default);
    tcase_add_test(runs, rehearse__an_example_of_what_holds_itself_has_an_end);
    tcase_add_test(runs, rehearse__an_error_is_found_after_however_many_notes);
    suite_add_tcase(suite, runs);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
