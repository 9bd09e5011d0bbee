/* All that lint says of its rules' own examples, word by word and place by place, so that what one rule says too much, or elsewhere, is seen, too.
 * It is kept in tests/fixtures/lint/reports.txt; `build/release/tests/unit/test_lint_reports write` writes that anew, for its difference to be
 * read. */
#include "sidecar/lint/lint.h"
#include "tests/support/kept_text.h"
#include "tests/support/trades.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/lint/reports.txt";

/* Those that the examples of the rules name. */
static const struct participant known[] = {
    {.name = "inventory", .timeout.us = 10000000}, {.name = "payment", .timeout.us = 10000000},
    {.name = "shipping", .timeout.us = 10000000},  {.name = "fraud", .timeout.us = 10000000},
    {.name = "archive", .timeout.us = 10000000},   {.name = "t", .timeout.us = 10000000},
    {.name = "slow", .timeout.us = 90000000}};

static struct lint_report report;

static void judge(const char *text, bool typed)
{
    struct definition_limits limits = definition_limits_default();
    const struct participants participants = {.at = known, .count = sizeof known / sizeof *known};
    struct definition *d = NULL;
    struct error_detail detail;
    limits.steps_max = STEPS_LIMIT;
    if (typed)
        limits.schemas = trades_schemas();
    report.count = report.more = 0;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    if (code != 0)
        lint_refused(&report, code, &detail);
    else if (lint_definition(d, &participants, &report) != 0)
        abort(); /* memory */
    definition_destroy(d);
}

static void put(FILE *out, const char *id, const char *which, const char *text, bool typed)
{
    judge(text, typed);
    fprintf(out, "%s, %s%s\n", id, which, typed ? "" : ", without a schema");
    for (unsigned i = 0; i < report.count; i++) {
        const struct lint_finding *f = &report.findings[i];
        fprintf(out, "  %d:%d %s: %s: %s [%s]\n", f->line, f->column, lint_severity_name(lint_rows[f->rule].severity),
                f->field, f->text, lint_rows[f->rule].id);
    }
}

static void put_all(FILE *out)
{
    for (unsigned i = 0; i < LINT_RULE_COUNT; i++) {
        put(out, lint_rows[i].id, "with it", lint_rows[i].bad, true);
        put(out, lint_rows[i].id, "without it", lint_rows[i].good, true);
        if (strstr(lint_rows[i].bad, "\nschema: ") != NULL)
            put(out, lint_rows[i].id, "with it", lint_rows[i].bad, false);
    }
}

START_TEST(lint__every_example_is_told_of_in_these_words)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "lint_reports", lint__every_example_is_told_of_in_these_words);
}
