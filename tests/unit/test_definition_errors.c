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
    "      idempotent: true\n"
    "      retry: {maxAttempts: 5, initialBackoff: 50ms, maxBackoff: 5s, backoffMultiplier: 1.5, jitter: 0.1}\n"
    "  - name: charge\n"
    "    after: [reserve]\n"
    "    pivot: true\n"
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
        fprintf(out, "is one, of %u steps\n", d->step_count);
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
    }
}

START_TEST(definition__a_line_that_is_wrong_is_told_in_these_words)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    kept_text_anew = argc == 2 && strcmp(argv[1], "write") == 0;
    Suite *s = suite_create("definition_errors");
    TCase *c = tcase_create("definition_errors");
    tcase_add_test(c, definition__a_line_that_is_wrong_is_told_in_these_words);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
