/* What is said of definitions of which one line is missing, or says something else: for each line the words, the path, the place in the text and the
 * rule, or what the definition comes to when it is one all the same. It is kept in tests/fixtures/definition/errors.txt;
 * `build/release/tests/unit/test_definition_errors write` writes that anew, for its difference to be read. */
#include "sidecar/definition/reader.h"
#include "tests/support/kept_text.h"
#include "tests/support/trades.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/definition/errors.txt";

static const char *const texts[] = {
    "name: order\n"
    "version: 1.0.0\n"
    "deadline: 10m\n"
    "compensation_order: dependency\n"
    "priority: low\n"
    "steps:\n"
    "  - name: reserve\n"
    "    target: stock\n"
    "    timeout: 2s\n"
    "    reserve: 1s\n"
    "    action: /shop.v1.Stock/Reserve\n"
    "    compensation:\n"
    "      method: /shop.v1.Stock/Release\n"
    "      request: own_output\n"
    "      idempotent: false\n"
    "      retry: {maxAttempts: 5, initialBackoff: 50ms, maxBackoff: 5s, backoffMultiplier: 1.5, jitter: 0.1}\n"
    "  - name: charge\n"
    "    after: [reserve]\n"
    "    pivot: true\n"
    "    irreversible: true\n"
    "    action:\n"
    "      target: payment\n"
    "      method: /shop.v1.Payment/Charge\n"
    "      timeout: 250ms\n"
    "      barrier: true\n"
    "      request: {output: reserve}\n"
    "      retry: {maxAttempts: 3, retryableStatusCodes: [UNAVAILABLE, 2]}\n"
    "  - name: ship\n"
    "    after: [charge]\n"
    "    target: shipping\n"
    "    optional: true\n"
    "    deferred: true\n"
    "    unavailable: fallback\n"
    "    action: {method: /shop.v1.Shipping/Ship, request: {constant: abc}}\n"
    "    fallback:\n"
    "      last_good: {key: any, max_age: 1h, name: post}\n"
    "      fallback:\n"
    "        value: {constant_base64: YWJj}\n",
    "name: order\n"
    "version: 1.0.0\n"
    "deadline: 10m\n"
    "schema: trades\n"
    "input: trades.v1.Order\n"
    "let:\n"
    "  total: input.lines.map(l, l.price_cents).sum()\n"
    "require:\n"
    "  - that: total > 0\n"
    "    else: nothing is ordered\n"
    "tags:\n"
    "  customer: =input.customer\n"
    "fair_by: customer\n"
    "steps:\n"
    "  - name: reserve\n"
    "    target:\n"
    "      oneof: [stock, store]\n"
    "      by: \"index == 0 ? 'stock' : 'store'\"\n"
    "    for_each: input.lines\n"
    "    max_items: 3\n"
    "    max_parallel: 2\n"
    "    metadata:\n"
    "      region: =input.region\n"
    "    action:\n"
    "      method: /trades.v1.Inventory/Reserve\n"
    "      request:\n"
    "        order_id: =input.order_id\n"
    "        sku: =item.sku\n"
    "        quantity: 1\n"
    "    expect:\n"
    "      - that: action.output.left >= 0\n"
    "        else: there are too few\n"
    "        undo: false\n"
    "    compensation:\n"
    "      method: /trades.v1.Inventory/Release\n"
    "      request: {reason: again, action_key: =action.key}\n"
    "  - name: charge\n"
    "    after: [reserve]\n"
    "    target: payment\n"
    "    when: total > 5\n"
    "    compensation: none\n"
    "    action: {method: /trades.v1.Payment/Capture, request: {card: =input.card, amount_cents: =total}}\n"
    "    fallback:\n"
    "      value: {charge_id: none}\n"
    "output: {charge_id: \"=has(steps.charge.output) ? steps.charge.output.charge_id : 'free'\"}\n"
    "output_type: trades.v1.Charge\n",
};

static const char *or_none(const char *text)
{
    return text == NULL ? "-" : text;
}

static void put_call(FILE *out, const char *what, const struct call_spec *c)
{
    const struct retry_policy *r = &c->retry;
    fprintf(out, ", %s %s %s in %lld, %u attempts %lld %lld %u %u %x, sends %d %u %zu%s%s", what, or_none(c->target),
            or_none(c->method), (long long)c->timeout.us, r->max_attempts, (long long)r->initial_backoff.us,
            (long long)r->max_backoff.us, (unsigned)r->backoff_multiplier_permille, (unsigned)r->jitter_permille,
            (unsigned)r->retryable_status_codes, c->source, c->source_step, c->constant.size,
            c->barrier == BARRIER_UNSAID  ? ""
            : c->barrier == BARRIER_THERE ? ", barrier"
                                          : ", no barrier",
            c->not_idempotent ? ", not idempotent" : "");
}

static void put_step(FILE *out, const struct definition *d, unsigned i)
{
    const struct step_spec *s = &d->steps[i];
    const struct {
        bool is;
        const char *word;
    } flags[] = {{s->loop, "loop"},
                 {s->pivot, "pivot"},
                 {s->optional, "optional"},
                 {s->deferred, "deferred"},
                 {s->in_haste, "in haste"},
                 {s->none_said, "none said"},
                 {s->irreversible, "for good"},
                 {s->has_fallback, "has fallback"}};
    fprintf(out, "%s", s->name);
    for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
        fprintf(out, "%s%s", flags[k].is ? ", " : "", flags[k].is ? flags[k].word : "");
    for (unsigned k = 0; k < d->step_count; k++)
        if (step_set_has(&s->ancestors, k))
            fprintf(out, ", %s %s", step_set_has(&s->after, k) ? "after" : "behind", d->steps[k].name);
    if (s->loop)
        fprintf(out, ", %u items, %u at once", s->max_items, s->max_parallel);
    if (s->reserve.us != 0)
        fprintf(out, ", reserves %lld", (long long)s->reserve.us);
    if (s->stand_in != STAND_IN_NONE)
        fprintf(out, ", stands in %u", s->stand_in);
    if (s->stand_in == STAND_IN_LAST_GOOD)
        fprintf(out, " as %s %s up to %lld", or_none(s->kept_as), or_none(s->kept_key), (long long)s->max_age.us);
    for (unsigned k = 0; k < s->choice_count; k++)
        fprintf(out, ", to %s: %s %s", s->choices[k].name, or_none(s->choices[k].action.target),
                or_none(s->choices[k].compensation.target));
    put_call(out, "calls", &s->action);
    if (s->has_compensation)
        put_call(out, "undone by", &s->compensation);
}

/* A line of its own for the definition, and for each step. */
static char *all_of(const struct definition *d)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "%s %s, deadline %lld, order %d, priority %u, by %s, pivot %d, %u loops%s%s%s\n", d->name, d->version,
            (long long)d->deadline.us, d->order, d->priority, or_none(d->fair_by), d->pivot_step, d->loop_count,
            d->reserves ? ", reserves" : "", d->tagged ? ", tagged" : "", d->mapping != NULL ? ", computes" : "");
    for (unsigned i = 0; i < d->step_count; i++) {
        put_step(out, d, i);
        fprintf(out, "\n");
    }
    fclose(out);
    return text;
}

static char *as_it_is; /* all of the definition that is changed */

/* Of one that is read all the same the lines that are others than those of the definition as it is. */
static void put_differences(FILE *out, const struct definition *d)
{
    char *all = all_of(d);
    const char *was = as_it_is == NULL ? "" : as_it_is;
    fprintf(out, "is one\n");
    for (const char *line = all; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t size = strcspn(line, "\n") + 1;
        if (strncmp(line, was, size) != 0)
            fprintf(out, "    %.*s", (int)size, line);
        was += strcspn(was, "\n") + (*was != '\0');
    }
    if (as_it_is == NULL)
        as_it_is = all;
    else
        free(all);
}

static void put_result(FILE *out, unsigned line, const char *what, const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail = {.text = ""};
    limits.schemas = trades_schemas();
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    fprintf(out, "  %u %s: ", line, what);
    if (code != 0)
        fprintf(out, "%d:%d: %s: %s (%s%s%s)\n", detail.line, detail.column, detail.field, detail.text,
                error_row(code)->reason, detail.rule == NULL ? "" : ", ", detail.rule == NULL ? "" : detail.rule);
    else
        put_differences(out, d);
    definition_destroy(d);
}

/* The text with one line as it is given: from `from` to `to` there is something else. */
static char *changed(const char *text, const char *from, const char *to, const char *with)
{
    char *copy = malloc(strlen(text) + strlen(with) + 1);
    if (copy == NULL)
        abort();
    sprintf(copy, "%.*s%s%s", (int)(from - text), text, with, to);
    return copy;
}

static void put_changed(FILE *out, unsigned line, const char *what, char *text)
{
    put_result(out, line, what, text);
    free(text);
}

static void put_text(FILE *out, const char *text)
{
    static const char *const values[] = {"[]", "{}", "x", ""};
    unsigned number = 0;
    put_result(out, 0, "as it is", text);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        const char *end = line + strcspn(line, "\n"), *key = line + strspn(line, " -"), *value = key;
        number++;
        put_changed(out, number, "is missing", changed(text, line, end + 1, ""));
        put_changed(out, number, "has another name", changed(text, key, key, "x"));
        while (value < end && *value != ':')
            value++;
        if (value + 1 >= end)
            continue; /* what it holds stands in the lines behind it */
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            char what[32];
            snprintf(what, sizeof what, "is \"%s\"", values[i]);
            put_changed(out, number, what, changed(text, value + 2, end, values[i]));
        }
    }
}

static void put_all(FILE *out)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fprintf(out, "%s", texts[i]);
        put_text(out, texts[i]);
        free(as_it_is);
        as_it_is = NULL;
    }
}

START_TEST(definition__a_line_that_is_wrong_is_told_in_these_words)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "definition_errors", definition__a_line_that_is_wrong_is_told_in_these_words);
}
