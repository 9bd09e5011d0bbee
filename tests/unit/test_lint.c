/* The rules of lint: of each one, a definition that breaks it and one that does not (those of its row), and what the report says. */
#include "sidecar/lint/lint.h"
#include "tests/support/trades.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct lint_report report;
/* Those that the examples of the rules name. */
static const struct participant known[] = {
    {.name = "inventory", .timeout.us = 10000000}, {.name = "payment", .timeout.us = 10000000},
    {.name = "shipping", .timeout.us = 10000000},  {.name = "fraud", .timeout.us = 10000000},
    {.name = "archive", .timeout.us = 10000000},   {.name = "t", .timeout.us = 10000000},
    {.name = "slow", .timeout.us = 90000000}};
static struct participants participants = {.at = known, .count = sizeof known / sizeof *known};

static void judge(const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail;
    limits.schemas = trades_schemas();
    limits.steps_max = STEPS_LIMIT;
    report.count = report.more = 0;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    if (code != 0)
        lint_refused(&report, code, &detail);
    else
        ck_assert_int_eq(lint_definition(d, &participants, &report), 0);
    definition_destroy(d);
}

static const struct lint_finding *finding(enum lint_rule rule)
{
    for (unsigned i = 0; i < report.count; i++)
        if (report.findings[i].rule == rule)
            return &report.findings[i];
    return NULL;
}

static void put_report(char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < report.count && used + 1 < size; i++) {
        const struct lint_finding *f = &report.findings[i];
        used += (size_t)snprintf(text + used, size - used, "%d:%d: %s: %s [%s]\n", f->line, f->column, f->field,
                                 f->text, lint_rows[f->rule].id);
    }
}

/* The good example has no error or warning of any rule, and no note of its own. */
START_TEST(lint__every_rule_is_broken_by_its_one_example_and_kept_by_the_other)
{
    const struct lint_row *row = &lint_rows[_i];
    char text[8192];
    judge(row->bad);
    put_report(text, sizeof text);
    const struct lint_finding *f = finding((enum lint_rule)_i);
    ck_assert_msg(f != NULL, "%s: is not found in:\n%s\n%s", row->id, row->bad, text);
    ck_assert_msg(f->line > 0 && f->column > 0 && f->text[0] != '\0', "%s: %s", row->id, text);
    judge(row->good);
    put_report(text, sizeof text);
    ck_assert_msg(finding((enum lint_rule)_i) == NULL, "%s: is found in:\n%s\n%s", row->id, row->good, text);
    for (unsigned i = 0; i < report.count; i++)
        ck_assert_msg(lint_rows[report.findings[i].rule].severity == LINT_NOTE, "%s: its good example:\n%s\n%s",
                      row->id, row->good, text);
}
END_TEST

START_TEST(lint__rules_are_found_by_their_names)
{
    for (int i = 0; i < LINT_RULE_COUNT; i++)
        ck_assert_int_eq(lint_rule_find(lint_rows[i].id), i);
    ck_assert_int_eq(lint_rule_find("no-such-rule"), -1);
    ck_assert_int_ge(LINT_RULE_COUNT, 30);
}
END_TEST

#define UNDO "    compensation: {method: /trades.v1.Inventory/Release, request: input}\n"
#define STEP "  - name: a\n    target: t\n    action: /trades.v1.Inventory/Reserve\n"

START_TEST(lint__findings_stand_in_order_of_their_places)
{
    judge("name: n\nversion: 1.0.0-a\ncompensation_order: dependency\nsteps:\n" STEP);
    ck_assert_uint_eq(report.count, 4);
    ck_assert_uint_eq(report.findings[0].rule, LINT_RULE_DEADLINE_MISSING);
    ck_assert_uint_eq(report.findings[1].rule, LINT_RULE_VERSION_PRERELEASE);
    ck_assert_uint_eq(report.findings[2].rule, LINT_RULE_ORDER_UNUSED);
    ck_assert_uint_eq(report.findings[3].rule, LINT_RULE_UNDO_MISSING);
    ck_assert_int_eq(report.findings[3].line, 5);
    ck_assert_int_eq(report.findings[3].column, 5);
    ck_assert_str_eq(report.findings[3].field, "steps[0]");
    ck_assert_ptr_null(lint_first_error(&report));
}
END_TEST

START_TEST(lint__a_comment_with_a_reason_allows_what_is_no_error)
{
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n  # lint: allow undo-missing it only looks\n" STEP);
    ck_assert_uint_eq(report.count, 0);
    judge("name: n\nversion: 1.0.0-a # lint: allow version-prerelease tried by hand\ndeadline: 5m\nsteps:\n" STEP UNDO);
    ck_assert_uint_eq(report.count, 0);
    /* Without a reason, of another rule, or in a line that says something else, it allows nothing. */
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n  # lint: allow undo-missing-not it only looks\n" STEP);
    ck_assert_uint_eq(report.count, 1);
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n  # lint: allow undo-missing, it only looks\n" STEP);
    ck_assert_uint_eq(report.count, 1);
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n  # lint: allow undo-missing\n" STEP);
    ck_assert_uint_eq(report.count, 1);
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n  # lint: allow undo-missing \n" STEP);
    ck_assert_uint_eq(report.count, 1);
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n  # lint: allow undo-constant it only looks\n" STEP);
    ck_assert_uint_eq(report.count, 1);
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps: # lint: allow undo-missing it only looks\n" STEP);
    ck_assert_uint_eq(report.count, 1);
    /* Nor does it ever allow an error, in its line or the line before. */
    static const char nowhere[] =
        "name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n  - name: a\n%s    target: nowhere%s\n"
        "    action: /trades.v1.Inventory/Reserve\n" UNDO;
    static const char allow[] = "    # lint: allow target-unknown it comes soon";
    for (int before = 0; before < 2; before++) {
        char text[512], line[64];
        snprintf(line, sizeof line, "%s\n", allow);
        snprintf(text, sizeof text, nowhere, before ? line : "", before ? "" : allow);
        judge(text);
        ck_assert_uint_eq(report.count, 1);
        ck_assert_uint_eq(report.findings[0].rule, LINT_RULE_TARGET_UNKNOWN);
    }
}
END_TEST

/* Two that begin together are meant so; a later one that waits for nobody may have been forgotten. */
START_TEST(lint__a_step_that_waits_for_nobody_comes_late)
{
#define PLAIN(name) "  - {name: " name ", target: t, action: /trades.v1.Inventory/Reserve, compensation: none"
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n" PLAIN("a") "}\n" PLAIN("b") "}\n" PLAIN(
        "c") ", after: [a, b]}\n");
    ck_assert_ptr_null(finding(LINT_RULE_STEP_UNORDERED));
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n" PLAIN("a") "}\n" PLAIN("b") ", after: [a]}\n" PLAIN(
        "c") "}\n");
    ck_assert_ptr_nonnull(finding(LINT_RULE_STEP_UNORDERED));
    ck_assert_ptr_nonnull(
        strstr(finding(LINT_RULE_STEP_UNORDERED)->text, "c waits for nobody and runs at once, beside a"));
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n" PLAIN("a") ", after: [c]}\n" PLAIN("b") "}\n" PLAIN(
        "c") "}\n");
    ck_assert_ptr_nonnull(
        strstr(finding(LINT_RULE_STEP_UNORDERED)->text, "c waits for nobody and runs at once, beside b"));
#undef PLAIN
}
END_TEST

/* 2 s, three times again, and the waits between. */
START_TEST(lint__the_worst_case_of_each_path_is_told)
{
    judge("name: n\nversion: 1.0.0\ndeadline: 1s\nsteps:\n"
          "  - {name: a, target: t, timeout: 2s, retry: {maxAttempts: 4, jitter: 0}, action: /a.v1.B/C, compensation: "
          "none}\n"
          "  - {name: b, after: [a], target: t, timeout: 1s, retry: {maxAttempts: 1}, action: /a.v1.B/C, compensation: "
          "none}\n"
          "  - {name: c, target: t, timeout: 500ms, retry: {maxAttempts: 2, initialBackoff: 1s, maxBackoff: 1s}, "
          "action: /a.v1.B/C, "
          "compensation: none}\n");
    unsigned seen = 0;
    for (unsigned i = 0; i < report.count; i++) {
        if (report.findings[i].rule != LINT_RULE_DEADLINE_TOO_SHORT)
            continue;
        const char *begins = seen++ == 0 ? "a, b may take 9700ms with" : "c may take 2s with";
        ck_assert_msg(strncmp(report.findings[i].text, begins, strlen(begins)) == 0, "%s", report.findings[i].text);
        ck_assert_int_eq(report.findings[i].line, 3);
    }
    ck_assert_uint_eq(seen, 2);
}
END_TEST

/* A target's own timeout counts where nothing else is said; of several the longest. */
START_TEST(lint__the_worst_case_knows_the_targets)
{
#define ONCE(target) \
    "name: n\nversion: 1.0.0\ndeadline: 10s\nsteps:\n" \
    "  - {name: a, target: " target ", retry: {maxAttempts: 1}, action: /a.v1.B/C, compensation: none}\n"
    judge(ONCE("t"));
    ck_assert_ptr_null(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    judge(ONCE("slow"));
    ck_assert_ptr_nonnull(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    ck_assert_str_eq(finding(LINT_RULE_DEADLINE_TOO_SHORT)->text,
                     "a may take 90s with all attempts: more time, fewer attempts or shorter timeouts");
    /* Nobody knows the targets: then they are as those of which nothing is said. */
    participants.at = NULL;
    judge(ONCE("slow"));
    ck_assert_ptr_null(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    ck_assert_ptr_null(finding(LINT_RULE_TARGET_UNKNOWN));
}
END_TEST

/* One finding for both calls when the step names the target, and the nearest that there is. */
START_TEST(lint__a_target_that_is_not_there_is_told_once)
{
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n"
          "  - {name: a, target: inventroy, action: /a.v1.B/C, compensation: /a.v1.B/D}\n"
          "  - {name: b, after: [a], target: t, action: /a.v1.B/C, compensation: {method: /a.v1.B/D, target: zzzzzz}}\n"
          "  - {name: c, after: [b], target: sloww, action: /a.v1.B/C, compensation: none}\n");
    unsigned seen = 0;
    for (unsigned i = 0; i < report.count; i++) {
        const struct lint_finding *f = &report.findings[i];
        if (f->rule != LINT_RULE_TARGET_UNKNOWN)
            continue;
        static const char *const texts[] = {"inventroy is no target of the configuration; did you mean inventory?",
                                            "zzzzzz is no target of the configuration",
                                            "sloww is no target of the configuration; did you mean slow?"};
        ck_assert_uint_lt(seen, 3);
        ck_assert_str_eq(f->text, texts[seen]);
        ck_assert_int_eq(f->line, 5 + (int)seen);
        seen++;
    }
    ck_assert_uint_eq(seen, 3);
    ck_assert_ptr_nonnull(lint_first_error(&report));
}
END_TEST

/* Who waits for a step waits for its fallback, without saying so. */
START_TEST(lint__a_fallback_is_waited_for_without_a_word)
{
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nsteps:\n"
          "  - {name: a, target: t, action: /a.v1.B/C, compensation: none, fallback: {value: {constant: x}}}\n"
          "  - {name: b, after: [a], target: t, action: /a.v1.B/C, compensation: none}\n");
    ck_assert_ptr_null(finding(LINT_RULE_AFTER_REDUNDANT));
}
END_TEST

/* What stands in for an answer takes no time; who is called for one takes as long as another. */
START_TEST(lint__the_worst_case_of_a_fallback_is_that_of_its_calls)
{
#define WITH(fallback) \
    "name: n\nversion: 1.0.0\ndeadline: 10s\nsteps:\n" \
    "  - {name: a, target: t, timeout: 6s, retry: {maxAttempts: 1}, action: /a.v1.B/C, compensation: none,\n" \
    "     fallback: " fallback "}\n"
    judge(WITH("{value: {constant: x}}"));
    ck_assert_ptr_null(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    judge(WITH("{last_good: {key: k, max_age: 1h}}"));
    ck_assert_ptr_null(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    judge(WITH("{target: t, timeout: 6s, retry: {maxAttempts: 1}, action: /a.v1.B/E, compensation: none}"));
    ck_assert_ptr_nonnull(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    ck_assert_ptr_nonnull(strstr(finding(LINT_RULE_DEADLINE_TOO_SHORT)->text, " may take 12s with all attempts"));
}
END_TEST

/* A loop is as long as its rounds. */
START_TEST(lint__the_worst_case_of_a_loop_is_that_of_all_its_rounds)
{
#define LOOP(deadline) \
    "name: n\nversion: 1.0.0\ndeadline: " deadline "\nschema: trades\ninput: trades.v1.Order\nsteps:\n" \
    "  - name: a\n    for_each: input.lines\n    max_items: 10\n    max_parallel: 4\n    target: t\n" \
    "    timeout: 2s\n    retry: {maxAttempts: 1}\n" \
    "    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id, sku: =item.sku}}\n" \
    "    compensation: none\n"
    judge(LOOP("6s"));
    ck_assert_ptr_null(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    ck_assert_ptr_null(finding(LINT_RULE_LOOP_SLOW));
    judge(LOOP("5s"));
    ck_assert_ptr_nonnull(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    ck_assert_str_eq(finding(LINT_RULE_DEADLINE_TOO_SHORT)->text,
                     "a may take 6s with all attempts: more time, fewer attempts or shorter timeouts");
    ck_assert_ptr_nonnull(finding(LINT_RULE_LOOP_SLOW));
    ck_assert_str_eq(finding(LINT_RULE_LOOP_SLOW)->field, "steps[0].for_each");
    ck_assert_str_eq(finding(LINT_RULE_LOOP_SLOW)->text,
                     "10 items, 4 at once, may take 6s, longer than the saga's deadline; raise max_parallel");
}
END_TEST

/* Guards that an undo may stand behind, and those that are none. */
START_TEST(lint__an_output_that_may_be_missing_is_guarded)
{
    static const struct {
        const char *expression;
        bool safe;
    } cases[] = {
        {"has(action.output) ? action.output.reservation_id : ''", true},
        {"!has(action.output) ? '' : action.output.reservation_id", true},
        {"action.outcome == 'done' ? action.output.reservation_id : ''", true},
        {"action.outcome != 'done' ? '' : action.output.reservation_id", true},
        {"has(action.output) && action.output.left > 0 ? 'a' : 'b'", true},
        {"action.output.left > 0 && has(action.output) ? 'a' : 'b'", true},
        {"!has(action.output) || action.output.left > 0 ? 'a' : 'b'", true},
        {"has(action.output) || action.output.left > 0 ? 'a' : 'b'", false},
        {"has(action.output) ? '' : action.output.reservation_id", false},
        {"action.outcome == 'unknown' ? action.output.reservation_id : ''", false},
        {"action.key + action.output.reservation_id", false},
        {"has(action.output.reservation_id) ? action.output.reservation_id : ''", false},
        {"action.key", true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\ndeadline: 5m\nschema: trades\ninput: trades.v1.Order\nsteps:\n"
                 "  - name: a\n    target: t\n"
                 "    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}}\n"
                 "    compensation: {method: /trades.v1.Inventory/Release, request: {reason: \"=%s\"}}\n",
                 cases[i].expression);
        judge(text);
        const struct lint_finding *f = finding(LINT_RULE_UNDO_NEEDS_OUTPUT);
        ck_assert_msg((f == NULL) == cases[i].safe, "%s", cases[i].expression);
        ck_assert_msg(f == NULL || (f->line == 10 && f->column == 76), "%d:%d", f != NULL ? f->line : 0,
                      f != NULL ? f->column : 0);
        ck_assert_ptr_eq(lint_first_error(&report), f);
    }
}
END_TEST

/* Whatever names it goes by on its way. */
START_TEST(lint__what_is_redacted_is_in_no_tag)
{
    static const struct {
        const char *tag;
        bool redacted;
    } cases[] = {{"=input.customer", false},
                 {"=input.card", true},
                 {"=who", false},
                 {"=what", true},
                 {"\"=input.card == 'none'\"", true},
                 {"\"=input.customer + '/' + what\"", true},
                 {"plain", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\nschema: trades\ninput: trades.v1.Order\n"
                 "let: {who: =input.customer, hidden: =input.card, what: =hidden + who}\ntags: {first: "
                 "=input.order_id, t: %s}\n"
                 "steps:\n  - name: a\n    target: t\n    compensation: none\n"
                 "    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}}\n",
                 cases[i].tag);
        judge(text);
        const struct lint_finding *f = finding(LINT_RULE_TAG_REDACTED);
        char all[2048];
        put_report(all, sizeof all);
        ck_assert_msg((f != NULL) == cases[i].redacted, "%s:\n%s", cases[i].tag, all);
        ck_assert_msg(f == NULL || (f->line == 6 && strstr(f->text, "trades.v1.Order.card") != NULL), "%s",
                      cases[i].tag);
    }
}
END_TEST

START_TEST(lint__a_report_has_an_end)
{
    static char text[65536];
    size_t used = (size_t)snprintf(text, sizeof text, "name: n\nversion: 1.0.0\ndeadline: 900h\nsteps:\n");
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail;
    limits.deadline_max = (struct span){.us = INT64_MAX};
    for (unsigned i = 0; i < 64; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "  - {name: s%u, target: t, action: {method: /a.v1.B/C, timeout: 1h, retry: "
                                 "{maxAttempts: 1, retryableStatusCodes: [INTERNAL]}}}\n",
                                 i);
    ck_assert_int_eq(definition_read(bytes_of(text, used), &limits, &d, &detail), 0);
    report.count = report.more = 0;
    ck_assert_int_eq(lint_definition(d, &participants, &report), 0);
    ck_assert_uint_eq(report.count, LINT_FINDINGS_MAX);
    ck_assert_uint_eq(report.more, 3 * 64 - LINT_FINDINGS_MAX);
    definition_destroy(d);
}
END_TEST

/* A note of each step stands between two warnings of it, and the error is found after all of them. */
START_TEST(lint__an_error_is_found_after_however_many_milder_findings)
{
    static char text[65536];
    size_t used = (size_t)snprintf(text, sizeof text,
                                   "name: n\nversion: 1.0.0\ndeadline: 1h\nschema: trades\ninput: trades.v1.Order\n"
                                   "steps:\n");
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail;
    limits.schemas = trades_schemas();
    for (unsigned i = 0; i < 60; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "  - {name: s%u, target: t, action: {method: /trades.v1.Inventory/Reserve, request: "
                                 "{sku: x}, retry: {maxAttempts: 1, retryableStatusCodes: [UNAVAILABLE]}}}\n",
                                 i);
    snprintf(text + used, sizeof text - used,
             "  - {name: last, target: t, when: 1 / 0 > 1, action: {method: /trades.v1.Inventory/Reserve, request: "
             "{sku: x}}, compensation: none}\n");
    judge(text);
    const struct lint_finding *error = lint_first_error(&report);
    ck_assert_ptr_nonnull(error);
    ck_assert_uint_eq(error->rule, LINT_RULE_CONSTANT_FAILS);
    ck_assert_uint_eq(report.count, LINT_FINDINGS_MAX);
    ck_assert_uint_eq(report.more, 3 * 60 + 3 - LINT_FINDINGS_MAX); /* the input and the condition have warnings, too */
    for (unsigned i = 0; i < report.count; i++) {
        ck_assert_int_ne(lint_rows[report.findings[i].rule].severity, LINT_NOTE);
        ck_assert(i == 0 || report.findings[i - 1].line <= report.findings[i].line);
    }
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &d, &detail), 0);
    ck_assert_int_eq(lint_admit(d, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.rule, "constant-fails");
    definition_destroy(d);
}
END_TEST

START_TEST(lint__what_a_comment_allows_takes_nobody_s_place)
{
    static char text[65536];
    size_t used = (size_t)snprintf(text, sizeof text, "name: n\nversion: 1.0.0\ndeadline: 1h\nsteps:\n");
    for (unsigned i = 0; i < 2 * LINT_FINDINGS_MAX; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used,
                             "  - {name: s%u, target: t, action: /a.v1.B/C} # lint: allow undo-missing it looks\n", i);
    snprintf(text + used, sizeof text - used, "  - {name: last, target: t, action: /a.v1.B/C}\n");
    judge(text);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report.findings[0].field, "steps[200]");
    ck_assert_uint_eq(report.more, 0);
}
END_TEST

/* A participant's restart takes a minute: the waits of an undo, and of what comes after the pivot, are to last as long. */
START_TEST(lint__patience_is_a_minute_of_waits_whatever_they_are_made_of)
{
    static const struct {
        const char *retry;
        const char *told; /* NULL: it is enough */
    } rows[] = {
        {"{maxAttempts: 7, initialBackoff: 10s, maxBackoff: 10s, backoffMultiplier: 1, jitter: 0}", NULL},
        {"{maxAttempts: 6, initialBackoff: 10s, maxBackoff: 10s, backoffMultiplier: 1, jitter: 0}", "50s"},
        {"{maxAttempts: 5, initialBackoff: 15s, maxBackoff: 60s, backoffMultiplier: 1, jitter: 0}", NULL},
        {"{maxAttempts: 5, initialBackoff: 14s, maxBackoff: 60s, backoffMultiplier: 1, jitter: 0}", "56s"},
        {"{maxAttempts: 5, initialBackoff: 10s, maxBackoff: 60s, backoffMultiplier: 1, jitter: 0.5}", NULL},
        {"{maxAttempts: 5, initialBackoff: 10s, maxBackoff: 12s, backoffMultiplier: 1, jitter: 0.5}", "48s"},
        {"{maxAttempts: 5, initialBackoff: 4s, maxBackoff: 60s, backoffMultiplier: 2, jitter: 0}", NULL},
        {"{maxAttempts: 5, initialBackoff: 3s, maxBackoff: 60s, backoffMultiplier: 2, jitter: 0}", "45s"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1024], words[64];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\ndeadline: 1h\nsteps:\n"
                 "  - {name: a, target: t, action: /a.v1.B/C, compensation: {method: /a.v1.B/D, request: input, retry: "
                 "%s}}\n"
                 "  - {name: b, after: [a], pivot: true, target: t, action: /a.v1.B/C, retry: {maxAttempts: 50}}\n"
                 "  - {name: c, after: [b], target: t, action: /a.v1.B/C, retry: %s}\n",
                 rows[i].retry, rows[i].retry);
        judge(text);
        const enum lint_rule rules[] = {LINT_RULE_UNDO_GIVES_UP, LINT_RULE_FORWARD_GIVES_UP};
        for (size_t k = 0; k < 2; k++) {
            const struct lint_finding *f = finding(rules[k]);
            ck_assert_msg((f == NULL) == (rows[i].told == NULL), "%s: %s", rows[i].retry, lint_rows[rules[k]].id);
            snprintf(words, sizeof words, "gives up after waits of %s in all",
                     rows[i].told == NULL ? "none" : rows[i].told);
            ck_assert_msg(f == NULL || strncmp(f->text, words, strlen(words)) == 0, "%s: %s", rows[i].retry, f->text);
        }
    }
    /* Past the pivot a step with a fallback has a way of its own. */
    judge("name: n\nversion: 1.0.0\nforward_only: true\nsteps:\n"
          "  - {name: a, target: t, action: /a.v1.B/C, retry: {maxAttempts: 2}, unavailable: fallback, fallback: "
          "{value: input}}\n");
    ck_assert_ptr_null(finding(LINT_RULE_FORWARD_GIVES_UP));
}
END_TEST

/* Each of them was decided by the participant, and will be decided so again. */
START_TEST(lint__every_refusal_is_no_status_to_try_again)
{
    static const char *const refusals[] = {"INVALID_ARGUMENT",    "NOT_FOUND",    "ALREADY_EXISTS", "PERMISSION_DENIED",
                                           "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED",  "UNAUTHENTICATED"},
                             *const others[] = {"CANCELLED", "UNKNOWN",     "INTERNAL",
                                                "DATA_LOSS", "UNAVAILABLE", "ABORTED"};
    for (size_t i = 0; i < 14; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\ndeadline: 1h\nsteps:\n  - {name: a, target: t, retry: {maxAttempts: 3, "
                 "retryableStatusCodes: [%s]}, action: /a.v1.B/C, compensation: none}\n",
                 i < 8 ? refusals[i] : others[i - 8]);
        judge(text);
        ck_assert_msg((finding(LINT_RULE_RETRY_REFUSAL) != NULL) == (i < 8), "%s", text);
    }
}
END_TEST

/* An undo that is tried twice gives up soon, but not at the first hiccup. */
START_TEST(lint__an_undo_that_is_tried_once_is_told_apart)
{
    for (unsigned attempts = 1; attempts <= 2; attempts++) {
        char text[512];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\ndeadline: 1h\nsteps:\n  - {name: a, target: t, action: /a.v1.B/C, "
                 "compensation: {method: /a.v1.B/U, request: input, retry: {maxAttempts: %u, initialBackoff: 1s}}}\n",
                 attempts);
        judge(text);
        ck_assert((finding(LINT_RULE_UNDO_TRIED_ONCE) != NULL) == (attempts == 1));
        ck_assert((finding(LINT_RULE_UNDO_GIVES_UP) != NULL) == (attempts == 2));
    }
}
END_TEST

/* Whoever registers it is told of the first error, whatever stands before. */
START_TEST(lint__a_registration_is_refused_for_an_error)
{
    const char *bad = lint_rows[LINT_RULE_UNDO_NEEDS_OUTPUT].bad, *version = strstr(bad, "version: 1.0.0");
    struct definition_limits limits = definition_limits_default();
    struct definition *d = NULL;
    struct error_detail detail;
    char text[4096];
    ck_assert_ptr_nonnull(version);
    snprintf(text, sizeof text, "%.*sversion: 1.0.0-a%s", (int)(version - bad), bad,
             version + strlen("version: 1.0.0"));
    judge(text);
    const struct lint_finding *first = lint_first_error(&report);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_ne(first, &report.findings[0]);
    limits.schemas = trades_schemas();
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &d, &detail), 0);
    ck_assert_int_eq(lint_admit(d, &detail), E_ARGUMENT);
    ck_assert_str_eq(detail.rule, "undo-needs-output");
    ck_assert_int_eq(detail.line, first->line);
    ck_assert_int_eq(detail.column, first->column);
    ck_assert_str_eq(detail.field, first->field);
    ck_assert_ptr_nonnull(strstr(detail.text, " [undo-needs-output]"));
    definition_destroy(d);
}
END_TEST

/* Nothing of a saga that only goes forward is ever undone. */
START_TEST(lint__what_only_goes_forward_needs_no_undo)
{
    judge("name: n\nversion: 1.0.0\nforward_only: true\nsteps:\n"
          "  - {name: a, target: t, action: /a.v1.B/C}\n  - {name: b, after: [a], target: t, action: /a.v1.B/D}\n");
    ck_assert_ptr_null(finding(LINT_RULE_UNDO_MISSING));
    judge("name: n\nversion: 1.0.0\ndeadline: 1h\nsteps:\n"
          "  - {name: a, target: t, action: /a.v1.B/C}\n"
          "  - {name: b, after: [a], target: t, pivot: true, action: /a.v1.B/D}\n");
    ck_assert_ptr_nonnull(finding(LINT_RULE_UNDO_MISSING));
    ck_assert_str_eq(finding(LINT_RULE_UNDO_MISSING)->field, "steps[0]");
}
END_TEST

/* Two hops before the pivot is before it, too. */
START_TEST(lint__what_comes_long_before_the_pivot_may_have_to_be_undone)
{
    judge("name: n\nversion: 1.0.0\ndeadline: 1h\nsteps:\n"
          "  - {name: a, target: t, action: /a.v1.B/C}\n"
          "  - {name: b, after: [a], target: t, action: /a.v1.B/D, compensation: none}\n"
          "  - {name: c, after: [b], target: t, pivot: true, action: /a.v1.B/E}\n"
          "  - {name: d, after: [c], target: t, action: /a.v1.B/F}\n");
    ck_assert_ptr_nonnull(finding(LINT_RULE_UNDO_MISSING));
    ck_assert_str_eq(finding(LINT_RULE_UNDO_MISSING)->field, "steps[0]");
}
END_TEST

/* All attempts with their whole time, and the waits between them. */
/* What stands in for a step is read as its output. */
START_TEST(lint__a_fallback_answers_what_its_step_answers)
{
#define FALLBACK(method) \
    "name: n\nversion: 1.0.0\ndeadline: 5m\nschema: trades\ninput: trades.v1.ReserveRequest\nsteps:\n" \
    "  - {name: a, target: t, action: /trades.v1.Inventory/Reserve, compensation: none, unavailable: fallback, " \
    "fallback: {target: t, action: {method: " method ", request: {order_id: =input.order_id}}}}\n"
    judge(FALLBACK("/trades.v1.Inventory/Release"));
    ck_assert_ptr_nonnull(finding(LINT_RULE_TYPE_MISMATCH));
    ck_assert_ptr_nonnull(
        strstr(finding(LINT_RULE_TYPE_MISMATCH)->text,
               "answers a trades.v1.Done, and stands in for a, which answers a trades.v1.Reservation"));
    judge(FALLBACK("/trades.v1.Inventory/Reserve"));
    ck_assert_ptr_null(finding(LINT_RULE_TYPE_MISMATCH));
#undef FALLBACK
}
END_TEST

START_TEST(lint__a_fallback_is_late_after_half_a_minute)
{
#define FALLBACK(timeout) \
    "name: n\nversion: 1.0.0\ndeadline: 1h\nsteps:\n" \
    "  - {name: a, target: t, timeout: " timeout \
    ", retry: {maxAttempts: 3, initialBackoff: 1500ms, maxBackoff: 1500ms, jitter: 0}, " \
    "action: /a.v1.B/C, compensation: none, unavailable: fallback, fallback: {value: {constant: x}}}\n"
    judge(FALLBACK("9s"));
    ck_assert_ptr_null(finding(LINT_RULE_FALLBACK_LATE));
    judge(FALLBACK("10s"));
    const struct lint_finding *f = finding(LINT_RULE_FALLBACK_LATE);
    static const char words[] = "a may be tried for 33s before";
    ck_assert_ptr_nonnull(f);
    ck_assert_msg(strncmp(f->text, words, sizeof words - 1) == 0, "%s", f->text);
}
END_TEST

/* Of several that a step waits for, whichever stands first, the slowest counts. */
START_TEST(lint__the_longest_of_several_ways_counts)
{
    static const char *const orders[] = {"[quick, slow]", "[slow, quick]"};
    for (size_t i = 0; i < 2; i++) {
        char text[1024];
        snprintf(
            text, sizeof text,
            "name: n\nversion: 1.0.0\ndeadline: 10s\nsteps:\n"
            "  - {name: %s, target: t, timeout: %s, retry: {maxAttempts: 1}, action: /a.v1.B/C, compensation: none}\n"
            "  - {name: %s, after: [], target: t, timeout: %s, retry: {maxAttempts: 1}, action: /a.v1.B/C, "
            "compensation: "
            "none}\n"
            "  - {name: c, after: %s, target: t, timeout: 1s, retry: {maxAttempts: 1}, action: /a.v1.B/C, "
            "compensation: none}\n",
            i == 0 ? "quick" : "slow", i == 0 ? "1s" : "10s", i == 0 ? "slow" : "quick", i == 0 ? "10s" : "1s",
            orders[i]);
        judge(text);
        ck_assert_ptr_nonnull(finding(LINT_RULE_DEADLINE_TOO_SHORT));
        ck_assert_str_eq(finding(LINT_RULE_DEADLINE_TOO_SHORT)->text,
                         "slow, c may take 11s with all attempts: more time, fewer attempts or shorter timeouts");
    }
}
END_TEST

/* Wherever its steps stand in the text. */
START_TEST(lint__a_way_is_told_from_its_first_step_on)
{
    judge("name: n\nversion: 1.0.0\ndeadline: 10s\nsteps:\n"
          "  - {name: c, target: t, after: [b], timeout: 4s, retry: {maxAttempts: 1}, action: /a.v1.B/C, compensation: "
          "none}\n"
          "  - {name: b, target: t, after: [a], timeout: 4s, retry: {maxAttempts: 1}, action: /a.v1.B/C, compensation: "
          "none}\n"
          "  - {name: a, target: t, timeout: 4s, retry: {maxAttempts: 1}, action: /a.v1.B/C, compensation: none}\n");
    ck_assert_ptr_nonnull(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    ck_assert_str_eq(finding(LINT_RULE_DEADLINE_TOO_SHORT)->text,
                     "a, b, c may take 12s with all attempts: more time, fewer attempts or shorter timeouts");
}
END_TEST

/* Of two ways that take equally long the first counts, and what takes no time is on none. */
START_TEST(lint__a_way_is_the_first_of_the_longest)
{
    judge("name: n\nversion: 1.0.0\ndeadline: 5s\nsteps:\n"
          "  - {name: a, target: t, timeout: 4s, retry: {maxAttempts: 1}, action: /a.v1.B/C, compensation: none}\n"
          "  - {name: b, target: t, after: [], timeout: 4s, retry: {maxAttempts: 1}, action: /a.v1.B/C, compensation: "
          "none}\n"
          "  - {name: c, target: t, after: [a, b], timeout: 4s, retry: {maxAttempts: 1}, action: /a.v1.B/C, "
          "compensation: none}\n");
    ck_assert_ptr_nonnull(finding(LINT_RULE_DEADLINE_TOO_SHORT));
    ck_assert_str_eq(finding(LINT_RULE_DEADLINE_TOO_SHORT)->text,
                     "a, c may take 8s with all attempts: more time, fewer attempts or shorter timeouts");
}
END_TEST

/* The pivot may stand before what comes before it. */
START_TEST(lint__what_is_irreversible_before_the_pivot_is_told_with_it)
{
    static const char step[] = "  - {name: a, target: t, irreversible: true, action: /a.v1.B/C, compensation: none}\n",
                      pivot[] = "  - {name: p, target: t, after: [a], pivot: true, action: /a.v1.B/C}\n";
    for (int i = 0; i < 3; i++) {
        char text[512];
        snprintf(text, sizeof text, "name: n\nversion: 1.0.0\ndeadline: 1h\nsteps:\n%s%s%s", i == 0 ? pivot : "", step,
                 i == 1 ? pivot : "");
        judge(text);
        ck_assert_ptr_nonnull(finding(LINT_RULE_PIVOT_MISPLACED));
        ck_assert_str_eq(
            finding(LINT_RULE_PIVOT_MISPLACED)->text,
            i == 2 ? "a is said to be irreversible, and no step is the pivot; write pivot: true here"
                   : "a is said to be irreversible, and the pivot p comes after it: a saga could turn back in between");
    }
}
END_TEST

/* Where two steps run side by side, wherever they stand among the others. */
START_TEST(lint__an_order_means_something_where_there_are_branches)
{
    static const struct {
        const char *steps;
        bool unused;
    } cases[] = {
        {"{name: a, ACTION}, {name: b, after: [a], ACTION}, {name: c, after: [b], ACTION}", true},
        {"{name: c, after: [b], ACTION}, {name: b, after: [a], ACTION}, {name: a, ACTION}", true},
        {"{name: a, ACTION}, {name: b, after: [a], ACTION}, {name: c, after: [a], ACTION}", false},
        {"{name: a, ACTION}, {name: b, after: [], ACTION}, {name: c, after: [a, b], ACTION}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const char action[] = "target: t, action: /a.v1.B/C, compensation: none";
        char text[1024];
        size_t used = (size_t)snprintf(
            text, sizeof text, "name: n\nversion: 1.0.0\ndeadline: 1h\ncompensation_order: dependency\nsteps: [");
        for (const char *at = cases[i].steps; *at != '\0'; at++) {
            bool call = strncmp(at, "ACTION", 6) == 0;
            used += (size_t)snprintf(text + used, sizeof text - used, "%.*s", call ? (int)sizeof action : 1,
                                     call ? action : at);
            at += call ? 5 : 0;
        }
        snprintf(text + used, sizeof text - used, "]\n");
        judge(text);
        ck_assert_msg((finding(LINT_RULE_ORDER_UNUSED) != NULL) == cases[i].unused, "%s", text);
    }
}
END_TEST

#define CALLED "action: /a.v1.B/C, compensation: none}\n"
/* Bounds that a time may just reach. */
START_TEST(lint__times_are_too_long_beyond_their_bounds)
{
    static const struct {
        const char *head, *step; /* what the step says of its times */
        enum lint_rule rule;
        bool found;
    } cases[] = {
        {"deadline: 10s", "timeout: 10s", LINT_RULE_TIMEOUT_BEYOND_DEADLINE, false},
        {"deadline: 10s", "timeout: 10001ms", LINT_RULE_TIMEOUT_BEYOND_DEADLINE, true},
        {"deadline: 10s", "retry: {maxAttempts: 1, initialBackoff: 20s, maxBackoff: 20s}",
         LINT_RULE_BACKOFF_BEYOND_DEADLINE, false},
        {"deadline: 10s", "retry: {maxAttempts: 2, initialBackoff: 20s, maxBackoff: 20s}",
         LINT_RULE_BACKOFF_BEYOND_DEADLINE, true},
        {"deadline: 1h", "timeout: 300s", LINT_RULE_TIMEOUT_LONG, false},
        {"deadline: 1h", "timeout: 300001ms", LINT_RULE_TIMEOUT_LONG, true},
        {"forward_only: true", "timeout: 1s", LINT_RULE_DEADLINE_MISSING, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\n%s\nsteps:\n  - {name: a, target: t, %s, action: /a.v1.B/C}\n",
                 cases[i].head, cases[i].step);
        judge(text);
        ck_assert_msg((finding(cases[i].rule) != NULL) == cases[i].found, "%s", text);
    }
    judge("name: n\nversion: 1.0.0\ndeadline: 10s\nsteps:\n"
          "  - {name: a, target: t, timeout: 10500ms, retry: {maxAttempts: 1}, " CALLED);
    ck_assert_str_eq(finding(LINT_RULE_DEADLINE_TOO_SHORT)->text,
                     "a may take 11s with all attempts: more time, fewer attempts or shorter timeouts");
}
END_TEST

/* An undo has no deadline, and is told of where it stands. */
START_TEST(lint__an_undo_may_take_longer_than_the_saga)
{
    judge("name: n\nversion: 1.0.0\ndeadline: 1h\nsteps:\n  - name: a\n    target: t\n    action: /a.v1.B/C\n"
          "    compensation: {method: /a.v1.B/D, timeout: 2h}\n");
    ck_assert_ptr_null(finding(LINT_RULE_TIMEOUT_BEYOND_DEADLINE));
    ck_assert_ptr_nonnull(finding(LINT_RULE_TIMEOUT_LONG));
    ck_assert_str_eq(finding(LINT_RULE_TIMEOUT_LONG)->field, "steps[0].compensation.timeout");
}
END_TEST

/* In one line the column says which is first. */
START_TEST(lint__findings_of_one_line_stand_in_order_too)
{
    judge("{name: n, version: 1.0.0-a, steps: [{name: a, target: t, action: /a.v1.B/C}]}\n");
    ck_assert_uint_ge(report.count, 3);
    for (unsigned i = 1; i < report.count; i++)
        ck_assert_int_le(report.findings[i - 1].column, report.findings[i].column);
    ck_assert_uint_eq(report.findings[0].rule, LINT_RULE_DEADLINE_MISSING);
}
END_TEST

START_TEST(lint__a_refusal_without_words_says_its_code)
{
    struct error_detail detail = {.text = ""};
    report.count = report.more = 0;
    lint_refused(&report, E_STEPS, &detail);
    ck_assert_uint_eq(report.findings[0].rule, LINT_RULE_BOUND);
    ck_assert_str_eq(report.findings[0].text, error_row(E_STEPS)->text);
    ck_assert_str_eq(lint_severity_name(LINT_ERROR), "error");
    ck_assert_str_eq(lint_severity_name(LINT_WARNING), "warning");
    ck_assert_str_eq(lint_severity_name(LINT_NOTE), "note");
}
END_TEST

/* An expression that never differs is told of at its own place, whatever holds it. */
START_TEST(lint__an_expression_is_told_of_where_it_stands)
{
    static const struct {
        const char *top, *step, *field;
    } cases[] = {
        {"require: [{that: input.order_id != '', else: no}, {that: 1 / 0 == 1, else: no}]", "", "require[1].that"},
        {"output: {order_id: =input.order_id, reason: \"=string(1 / 0)\"}\noutput_type: trades.v1.ReleaseRequest", "",
         "output.reason"},
        {"", "    when: 1 / 0 == 1\n", "steps[0].when"},
        {"", "    expect: [{that: input.order_id != '', else: no}, {that: 1 / 0 == 1, else: no}]\n",
         "steps[0].expect[1].that"},
        {"tags: {a: =input.order_id, b: \"=string(1 / 0)\"}", "", "tags.b"},
        {"let: {a: input.order_id, b: 1 / 0}", "", "let.b"},
        {"", "    for_each: \"[1 / 0]\"\n    max_items: 2\n", "steps[0].for_each"},
        {"", "    fallback: {last_good: {key: \"=string(1 / 0)\", max_age: 1m}}\n", "steps[0].fallback.last_good.key"},
        {"", "    metadata: {a: =input.order_id, b: \"=string(1 / 0)\"}\n", "steps[0].metadata.b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024], all[2048];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\ndeadline: 5m\nschema: trades\ninput: trades.v1.Order\n%s\nsteps:\n"
                 "  - name: a\n    target: t\n    compensation: none\n%s"
                 "    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}}\n",
                 cases[i].top, cases[i].step);
        judge(text);
        put_report(all, sizeof all);
        const struct lint_finding *f = finding(LINT_RULE_CONSTANT_FAILS);
        ck_assert_msg(f != NULL && strcmp(f->field, cases[i].field) == 0, "%s:\n%s", cases[i].field, all);
    }
    ck_assert_ptr_null(finding(LINT_RULE_CONDITION_CONSTANT));
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nschema: trades\ninput: trades.v1.Order\nrequire: [{that: 1 == 1, "
          "else: no}]\nsteps:\n"
          "  - name: a\n    target: t\n    compensation: none\n"
          "    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}}\n");
    ck_assert_ptr_nonnull(finding(LINT_RULE_CONDITION_CONSTANT));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lint");
    TCase *rules = tcase_create("rules");
    tcase_add_loop_test(rules, lint__every_rule_is_broken_by_its_one_example_and_kept_by_the_other, 0, LINT_RULE_COUNT);
    tcase_add_test(rules, lint__rules_are_found_by_their_names);
    tcase_add_test(rules, lint__what_is_redacted_is_in_no_tag);
    tcase_add_test(rules, lint__findings_stand_in_order_of_their_places);
    tcase_add_test(rules, lint__a_fallback_answers_what_its_step_answers);
    tcase_add_test(rules, lint__a_step_that_waits_for_nobody_comes_late);
    tcase_add_test(rules, lint__a_comment_with_a_reason_allows_what_is_no_error);
    tcase_add_test(rules, lint__the_worst_case_of_each_path_is_told);
    tcase_add_test(rules, lint__the_worst_case_knows_the_targets);
    tcase_add_test(rules, lint__a_target_that_is_not_there_is_told_once);
    tcase_add_test(rules, lint__a_fallback_is_waited_for_without_a_word);
    tcase_add_test(rules, lint__the_worst_case_of_a_fallback_is_that_of_its_calls);
    tcase_add_test(rules, lint__the_worst_case_of_a_loop_is_that_of_all_its_rounds);
    tcase_add_test(rules, lint__patience_is_a_minute_of_waits_whatever_they_are_made_of);
    tcase_add_test(rules, lint__a_fallback_is_late_after_half_a_minute);
    tcase_add_test(rules, lint__every_refusal_is_no_status_to_try_again);
    tcase_add_test(rules, lint__an_undo_that_is_tried_once_is_told_apart);
    tcase_add_test(rules, lint__a_registration_is_refused_for_an_error);
    tcase_add_test(rules, lint__what_only_goes_forward_needs_no_undo);
    tcase_add_test(rules, lint__what_comes_long_before_the_pivot_may_have_to_be_undone);
    tcase_add_test(rules, lint__the_longest_of_several_ways_counts);
    tcase_add_test(rules, lint__an_output_that_may_be_missing_is_guarded);
    tcase_add_test(rules, lint__a_report_has_an_end);
    tcase_add_test(rules, lint__an_error_is_found_after_however_many_milder_findings);
    tcase_add_test(rules, lint__what_a_comment_allows_takes_nobody_s_place);
    tcase_add_test(rules, lint__a_way_is_told_from_its_first_step_on);
    tcase_add_test(rules, lint__an_order_means_something_where_there_are_branches);
    tcase_add_test(rules, lint__what_is_irreversible_before_the_pivot_is_told_with_it);
    tcase_add_test(rules, lint__a_way_is_the_first_of_the_longest);
    tcase_add_test(rules, lint__times_are_too_long_beyond_their_bounds);
    tcase_add_test(rules, lint__an_undo_may_take_longer_than_the_saga);
    tcase_add_test(rules, lint__findings_of_one_line_stand_in_order_too);
    tcase_add_test(rules, lint__a_refusal_without_words_says_its_code);
    tcase_add_test(rules, lint__an_expression_is_told_of_where_it_stands);
    suite_add_tcase(suite, rules);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* each test begins with a process of its own */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
