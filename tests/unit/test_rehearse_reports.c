/* All that a rehearsal says of some definitions: the calls, the ends with how many runs come there and how long they take, and each finding with its
 * story. It is kept in tests/fixtures/rehearse/reports.txt; `build/release/tests/unit/test_rehearse_reports write` writes that anew, for its
 * difference to be read. */
#include "sidecar/base/pool.h"
#include "sidecar/core/heap.h"
#include "sidecar/engine/record.h"
#include "sidecar/rehearse/rehearse.h"
#include "tests/support/kept_text.h"
#include "tests/support/trades.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/rehearse/reports.txt";

#define HEAD  "name: n\nversion: 1.0.0\ndeadline: 10m\n"
#define TYPED HEAD "schema: trades\ninput: trades.v1.Order\n"
#define ONCE  "retry: {maxAttempts: 1}"
#define RESERVE \
    "  - name: reserve\n    target: inventory\n    action: {method: /trades.v1.Inventory/Reserve, " ONCE \
    ", request: {order_id: =input.order_id}}\n"
#define RELEASE \
    "    compensation: {method: /trades.v1.Inventory/Release, " ONCE ", request: {order_id: =input.order_id}}\n"
#define CAPTURE(more, card) \
    "  - name: capture\n    after: [reserve]\n    target: payment\n    compensation: none\n" more \
    "    action: {method: /trades.v1.Payment/Capture, " ONCE ", request: {card: " card "}}\n"

static const struct {
    const char *about, *text;
    unsigned deviations_max, runs_max, drawn_runs;
} cases[] = {
    {"two steps that say nothing of undoing",
     HEAD "steps:\n  - {name: a, target: t, action: /x.v1.S/A}\n  - {name: b, target: t, after: [a], action: "
          "/x.v1.S/B}\n",
     3, 1000, 0},
    {"steps with undos, and a pivot",
     HEAD "steps:\n  - {name: a, target: inventory, action: /x.v1.S/A, compensation: /x.v1.S/UndoA}\n"
          "  - {name: b, target: payment, after: [a], action: /x.v1.S/B, compensation: {target: t, method: "
          "/x.v1.S/UndoB}}\n"
          "  - {name: p, target: t, after: [b], pivot: true, action: /x.v1.S/P}\n"
          "  - {name: c, target: t, after: [p], action: /x.v1.S/C}\n",
     2, 1000, 0},
    {"one deviation alone",
     HEAD "steps:\n  - {name: a, target: t, action: /x.v1.S/A, compensation: /x.v1.S/UndoA}\n"
          "  - {name: b, target: t, after: [a], action: /x.v1.S/B, compensation: none}\n",
     1, 1000, 0},
    {"none", HEAD "steps:\n  - {name: a, target: t, action: /x.v1.S/A}\n", 0, 1000, 0},
    {"more runs than there may be",
     HEAD "steps:\n  - {name: a, target: t, action: /x.v1.S/A, compensation: /x.v1.S/UndoA}\n"
          "  - {name: b, target: t, after: [a], action: /x.v1.S/B, compensation: none}\n",
     3, 10, 0},
    {"runs that are drawn",
     HEAD "steps:\n  - {name: a, target: t, action: /x.v1.S/A, compensation: /x.v1.S/UndoA}\n"
          "  - {name: b, target: t, after: [a], action: /x.v1.S/B}\n",
     3, 1000, 40},
    {"what only goes forward, and may leave something out",
     "name: n\nversion: 1.0.0\nforward_only: true\nsteps:\n  - {name: a, target: t, optional: true, action: "
     "/x.v1.S/A}\n  - {name: b, target: t, after: [a], action: /x.v1.S/B}\n",
     3, 1000, 0},
    {"a deadline that attempts outlast",
     "name: n\nversion: 1.0.0\ndeadline: 15s\nsteps:\n  - {name: a, target: slow, action: /x.v1.S/A, compensation: "
     "/x.v1.S/UndoA}\n  - {name: b, target: t, after: [a], action: /x.v1.S/B, compensation: none}\n",
     2, 1000, 0},
    {"an undo of what is not known",
     TYPED "steps:\n" RESERVE "    compensation: {method: /trades.v1.Inventory/Release, request: "
           "{reservation_id: =action.output.reservation_id}}\n",
     3, 1000, 0},
    {"an expression that fails after an empty answer, and one that always does",
     TYPED "steps:\n" RESERVE RELEASE CAPTURE(
         "", "\"=string(100 / steps.reserve.output.left)\"") "  - name: ship\n    after: [capture]\n    target: t\n    "
                                                             "compensation: none\n    action: {method: "
                                                             "/trades.v1.Shipping/Ship, " ONCE
                                                             ", request: {address: \"=input.lines[7].sku\"}}\n",
     2, 1000, 0},
    {"a step that is skipped, and one that never runs",
     TYPED "steps:\n" RESERVE RELEASE CAPTURE("    when: input.amount_cents > 5\n",
                                              "=input.card") "  - name: ship\n    after: [capture]\n    target: t\n    "
                                                             "compensation: none\n    action: {method: "
                                                             "/trades.v1.Shipping/Ship, " ONCE
                                                             ", request: {address: \"=input.lines[7].sku\"}}\n",
     2, 1000, 0},
    {"what stands in",
     TYPED "steps:\n" RESERVE "    compensation: none\n    fallback: {value: {reservation_id: none}}\n" CAPTURE(
         "", "=steps.reserve.fallback.output.reservation_id"),
     2, 1000, 0},
    {"what stands in and is called",
     TYPED "steps:\n" RESERVE RELEASE
           "    fallback: {target: archive, action: {method: /trades.v1.Inventory/Reserve, " ONCE
           ", request: {order_id: =input.order_id}}, compensation: none}\n" CAPTURE("", "=input.card"),
     2, 1000, 0},
    {"an earlier good answer",
     TYPED "steps:\n" RESERVE
           "    compensation: none\n    fallback: {last_good: {key: =input.customer, max_age: 1h}}\n" CAPTURE(
               "    optional: true\n", "=steps.reserve.output.reservation_id"),
     2, 1000, 0},
    {"loops, whose rounds go to several",
     TYPED "steps:\n  - {name: reserve, for_each: input.lines, max_items: 3, target: {oneof: [inventory, archive], by: "
           "\"index == 1 ? 'archive' : 'inventory'\"}, action: {method: /trades.v1.Inventory/Reserve, " ONCE
           ", request: {sku: =item.sku}}, compensation: {method: /trades.v1.Inventory/Release, " ONCE
           ", request: {order_id: =input.order_id}}}\n" CAPTURE("    pivot: true\n", "=input.card"),
     2, 1000, 0},
    {"side by side, of which the first to leave is the last to be answered",
     HEAD "steps:\n  - {name: a, target: slow, action: /x.v1.S/A, compensation: none}\n"
          "  - {name: b, target: inventory, action: /x.v1.S/B, compensation: none}\n"
          "  - {name: c, target: payment, action: /x.v1.S/C, compensation: none}\n"
          "  - {name: behind_a, target: t, after: [a], action: /x.v1.S/D, compensation: none}\n"
          "  - {name: behind_b, target: t, after: [b], action: /x.v1.S/E, compensation: none}\n"
          "  - {name: behind_c, target: t, after: [c], action: /x.v1.S/F, compensation: none}\n",
     1, 1000, 0},
    {"side by side, of which the first is answered before the others",
     HEAD "steps:\n  - {name: a, target: inventory, action: /x.v1.S/A, compensation: none}\n"
          "  - {name: b, target: slow, action: /x.v1.S/B, compensation: none}\n"
          "  - {name: c, target: payment, action: /x.v1.S/C, compensation: none}\n"
          "  - {name: behind_a, target: t, after: [a], action: /x.v1.S/D, compensation: none}\n"
          "  - {name: behind_b, target: t, after: [b], action: /x.v1.S/E, compensation: none}\n"
          "  - {name: behind_c, target: t, after: [c], action: /x.v1.S/F, compensation: none}\n",
     1, 1000, 0},
    {"what is expected of an answer",
     TYPED "steps:\n" RESERVE RELEASE "    expect: [{that: action.output.left > 1, else: nothing is left}]\n", 3, 1000,
     0},
    {"an input that is refused", TYPED "require: [{that: input.amount_cents > 5, else: too little}]\nsteps:\n" RESERVE,
     3, 1000, 0},
};

static const struct participant known[] = {{.name = "inventory", .timeout.us = 2000000},
                                           {.name = "payment", .timeout.us = 5000000},
                                           {.name = "slow", .timeout.us = 20000000}};

static void put_call(void *self, const struct rehearse_call *call)
{
    FILE *out = self;
    fprintf(out, "  calls %s%s at %s with %zu bytes\n", call->compensation ? "the undo of " : "", call->name,
            call->target, call->request.size);
}

static void put_report(FILE *out, const struct rehearse_report *report)
{
    fprintf(out, "  %u runs%s\n", report->runs, report->drawn ? ", drawn" : "");
    for (unsigned i = 0; i < report->end_count; i++) {
        const struct rehearse_end *e = &report->ends[i];
        fprintf(out, "  %s %s at %d: %u, up to %lld s\n", record_state_name(e->state), record_reason_name(e->reason),
                e->step, e->runs, (long long)e->longest.us / 1000000);
    }
    for (unsigned i = 0; i < report->count; i++) {
        const struct rehearse_finding *f = &report->findings[i];
        fprintf(out, "  %s: %s at %d: %s\n", lint_severity_name(f->severity), f->rule, f->step, f->text);
        for (const char *line = f->trace; *line != '\0'; line += strcspn(line, "\n") + 1)
            fprintf(out, "    %.*s\n", (int)strcspn(line, "\n"), line);
    }
}

static struct rehearse_report report;

static void put_case(FILE *out, unsigned i)
{
    struct definition_limits limits = definition_limits_default();
    struct rehearse_options options = {.deviations_max = cases[i].deviations_max,
                                       .runs_max = cases[i].runs_max,
                                       .drawn_runs = cases[i].drawn_runs,
                                       .seed = 1,
                                       .memory = &heap,
                                       .targets = {.at = known, .count = sizeof known / sizeof *known}};
    struct definition *d = NULL;
    struct error_detail detail;
    struct pool pool;
    limits.schemas = trades_schemas();
    pool_init(&pool, &heap, 1u << 20);
    fprintf(out, "%s\n", cases[i].about);
    int code = definition_read(bytes_of_text(cases[i].text), &limits, &d, &detail);
    if (code == 0 && d->input != NULL)
        code = rehearse_example(d->input, &pool, &options.input);
    if (code == 0)
        code = rehearse(d, &options, put_call, out, &report, &detail);
    if (code == 0)
        put_report(out, &report);
    else
        fprintf(out, "  %s: %s: %s\n", error_row(code)->reason, detail.field, detail.text);
    pool_finish(&pool);
    definition_destroy(d);
}

static void put_all(FILE *out)
{
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        put_case(out, i);
}

START_TEST(rehearse__all_that_is_said_is_as_it_was)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "rehearse_reports", rehearse__all_that_is_said_is_as_it_was);
}
