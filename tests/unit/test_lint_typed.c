/* What lint says of a definition that computes: what its expressions may cost, what may be missing, and where the finding stands. */
#include "sidecar/lint/lint.h"
#include "tests/support/trades.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct lint_report report;
static char said[4096];

static void judge(const char *text)
{
    struct definition_limits limits = definition_limits_default();
    struct participants unknown = {.at = NULL};
    struct definition *d = NULL;
    struct error_detail detail;
    size_t used = 0;
    limits.schemas = trades_schemas();
    report.count = report.more = 0;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == 0, "%s: %s\n%s", detail.field, detail.text, text);
    ck_assert_int_eq(lint_definition(d, &unknown, &report), 0);
    definition_destroy(d);
    said[0] = '\0';
    for (unsigned i = 0; i < report.count && used + 1 < sizeof said; i++)
        used += (size_t)snprintf(said + used, sizeof said - used, "%s: %s [%s]\n", report.findings[i].field,
                                 report.findings[i].text, lint_rows[report.findings[i].rule].id);
}

static const struct lint_finding *finding(enum lint_rule rule)
{
    for (unsigned i = 0; i < report.count; i++)
        if (report.findings[i].rule == rule)
            return &report.findings[i];
    return NULL;
}

#define TOP     "name: n\nversion: 1.0.0\ndeadline: 5m\nschema: trades\ninput: trades.v1.Order\n"
#define FORWARD "name: n\nversion: 1.0.0\nforward_only: true\nschema: trades\ninput: trades.v1.Order\n"
#define STEP    "steps:\n  - name: a\n    target: t\n"
#define CALL    "    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =input.order_id}}\n"
/* With a thousand lines it is far beyond what an evaluation may cost, with fifty far below. */
#define PAIRS_OF(list, field) list ".exists(a, " list ".exists(b, a." field " < b." field "))"
#define PAIRS                 PAIRS_OF("input.lines", "sku")

/* What costs too much only when lists are long is an error where a failure leaves the saga stuck, and a warning where it can still turn back. */
START_TEST(lint__what_may_cost_too_much_is_an_error_where_it_must_not_fail)
{
    static const char *const places[] = {
        STEP CALL "    when: " PAIRS "\n",
        "steps:\n  - name: a\n    target: {oneof: [t, u], by: \"" PAIRS " ? 't' : 'u'\"}\n" CALL,
        STEP CALL "    metadata: {x: \"=" PAIRS "\"}\n",
        STEP CALL "    expect: [{that: \"" PAIRS "\", else: no, undo: false}]\n",
        STEP "    action: {method: /trades.v1.Inventory/Reserve, request: {sku: \"=" PAIRS " ? 'x' : 'y'\"}}\n",
    };
    char text[2048];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(text, sizeof text, TOP "%s", places[i]);
        judge(text);
        ck_assert_msg(finding(LINT_RULE_EXPRESSION_COSTLY) != NULL, "%s\n%s", text, said);
        ck_assert_msg(finding(LINT_RULE_EXPRESSION_COST) == NULL, "%s\n%s", text, said);
        snprintf(text, sizeof text, FORWARD "%s", places[i]);
        judge(text);
        ck_assert_msg(finding(LINT_RULE_EXPRESSION_COST) != NULL, "%s\n%s", text, said);
        ck_assert_msg(finding(LINT_RULE_EXPRESSION_COSTLY) == NULL, "%s\n%s", text, said);
        snprintf(text, sizeof text, FORWARD "require: [{that: size(input.lines) <= 50, else: no}]\n%s", places[i]);
        judge(text);
        ck_assert_msg(finding(LINT_RULE_EXPRESSION_COST) == NULL, "%s\n%s", text, said);
    }
    judge(TOP STEP CALL "    compensation: {method: /trades.v1.Inventory/Release, request: {reason: \"=" PAIRS
                        " ? 'x' : 'y'\"}}\n");
    ck_assert_msg(finding(LINT_RULE_EXPRESSION_COST) != NULL, "%s", said);
    /* No requirement helps against what stands there. */
    judge(TOP "let: {ten: \"=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\"}\n" STEP CALL
              "    when: ten.map(a, ten.map(b, ten.map(c, ten.map(d, ten.map(e, ten.map(f, a + f)))))).size() > 1\n");
    static const char words[] = "costs more than an expression may (200000), whatever the input is";
    ck_assert_msg(finding(LINT_RULE_EXPRESSION_COST) != NULL, "%s", said);
    ck_assert_msg(strncmp(finding(LINT_RULE_EXPRESSION_COST)->text, words, sizeof words - 1) == 0, "%s", said);
    /* Where nothing was begun the start is refused, and nobody is stuck. */
    judge(FORWARD "require: [{that: \"" PAIRS "\", else: no}]\n" STEP CALL);
    ck_assert_msg(finding(LINT_RULE_EXPRESSION_COSTLY) != NULL, "%s", said);
    ck_assert_msg(finding(LINT_RULE_EXPRESSION_COST) == NULL, "%s", said);
}
END_TEST

/* A key that no two sagas share finds no answer but a saga's own. */
START_TEST(lint__a_key_of_one_saga_finds_no_other)
{
    static const struct {
        const char *key;
        bool lone;
    } cases[] = {{"=saga.id", true},
                 {"=string(saga.started_at)", true},
                 {"=input.order_id + string(saga.started_at)", true},
                 {"=input.order_id", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, TOP STEP CALL "    fallback: {last_good: {key: \"%s\", max_age: 1m}}\n",
                 cases[i].key);
        judge(text);
        ck_assert_msg((finding(LINT_RULE_LAST_GOOD_LONE) != NULL) == cases[i].lone, "%s\n%s", text, said);
    }
    /* Whatever else is of one saga alone is sent, not sought. */
    judge(TOP STEP "    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: =saga.id}}\n"
                   "    metadata: {m: =saga.id}\n    when: saga.id != input.order_id\n");
    ck_assert_msg(finding(LINT_RULE_LAST_GOOD_LONE) == NULL, "%s", said);
}
END_TEST

/* How long a list may be is said by requirements, by loops, and by names under let, which stand for what they are computed from. */
START_TEST(lint__a_cost_goes_by_how_long_lists_may_be)
{
#define LOOP(items, condition) \
    "steps:\n  - name: l\n    for_each: input.lines\n    max_items: " items "\n    max_parallel: 4\n    target: t\n" \
    "    action: {method: /trades.v1.Inventory/Reserve, request: {sku: =item.sku}}\n    compensation: none\n" \
    "  - name: a\n    after: [l]\n    target: t\n    when: " condition "\n" CALL
    static const struct {
        const char *rest;
        bool costly;
    } cases[] = {
        {STEP CALL "    when: " PAIRS "\n", true},
        {"require: [{that: size(input.lines) <= 50, else: no}]\n" STEP CALL "    when: " PAIRS "\n", false},
        {"require: [{that: size(input.lines) <= 500, else: no}]\n" STEP CALL "    when: " PAIRS "\n", true},
        {"require: [{that: input.lines.size() < 50 && input.order_id != '', else: no}]\n" STEP CALL "    when: " PAIRS
         "\n",
         false},
        {"require: [{that: 50 >= size(input.lines), else: no}]\n" STEP CALL "    when: " PAIRS "\n", false},
        {"require: [{that: 50 > input.lines.size(), else: no}]\n" STEP CALL "    when: " PAIRS "\n", false},
        /* At least, either, or another list: none of them says how long it is at most. */
        {"require: [{that: size(input.lines) >= 50, else: no}]\n" STEP CALL "    when: " PAIRS "\n", true},
        {"require: [{that: 50 <= size(input.lines), else: no}]\n" STEP CALL "    when: " PAIRS "\n", true},
        {"require: [{that: size(input.lines) <= 50 || input.order_id != '', else: no}]\n" STEP CALL "    when: " PAIRS
         "\n",
         true},
        {"require: [{that: size(input.order_id) <= 50, else: no}]\n" STEP CALL "    when: " PAIRS "\n", true},
        {"let: {all: =input.lines}\n" STEP CALL "    when: " PAIRS_OF("all", "sku") "\n", true},
        {"let: {few: \"=[input.lines[0], input.lines[1]]\"}\n" STEP CALL "    when: " PAIRS_OF("few", "sku") "\n",
         false},
        {"require: [{that: size(input.lines) <= 50, else: no}]\nlet: {all: =input.lines}\n" STEP CALL
         "    when: " PAIRS_OF("all", "sku") "\n",
         false},
        {LOOP("64", PAIRS_OF("steps.l.output", "left")), false},
        {LOOP("20", "steps.l.output.exists(c, " PAIRS_OF("steps.l.output", "left") ")"), false},
        {LOOP("64", "steps.l.output.exists(c, " PAIRS_OF("steps.l.output", "left") ")"), true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text, TOP "%s", cases[i].rest);
        judge(text);
        ck_assert_msg((finding(LINT_RULE_EXPRESSION_COSTLY) != NULL) == cases[i].costly, "%s\n%s", text, said);
        ck_assert_msg(finding(LINT_RULE_EXPRESSION_COST) == NULL, "%s\n%s", text, said);
    }
#undef LOOP
}
END_TEST

/* A step's output is there for sure unless its step may be skipped or fail alone, or only stands in for another. */
START_TEST(lint__an_output_is_asked_for_where_it_may_be_missing)
{
    static const struct {
        const char *step, *uses; /* of the first step; what the second computes */
        const char *missing;     /* the name of the step whose output may miss, or NULL */
    } cases[] = {
        {"", "steps.a.output.reservation_id", NULL},
        {"    when: input.order_id != ''\n", "steps.a.output.reservation_id", "a"},
        {"    optional: true\n", "steps.a.output.reservation_id", "a"},
        {"    optional: true\n", "has(steps.a.output) ? steps.a.output.reservation_id : ''", NULL},
        {"    optional: true\n", "has(steps.a.output) && input.order_id != '' ? steps.a.output.reservation_id : ''",
         NULL},
        {"    optional: true\n", "has(steps.a.output) || input.order_id != '' ? steps.a.output.reservation_id : ''",
         "a"},
        {"    optional: true\n", "steps.a.outcome == 'done' ? steps.a.output.reservation_id : ''", NULL},
        {"    optional: true\n", "'done' == steps.a.outcome ? steps.a.output.reservation_id : ''", NULL},
        {"    optional: true\n", "steps.a.outcome != 'done' ? '' : steps.a.output.reservation_id", NULL},
        {"    optional: true\n", "'done' != steps.a.outcome ? '' : steps.a.output.reservation_id", NULL},
        {"    optional: true\n", "steps.a.outcome == 'skipped' ? '' : steps.a.output.reservation_id", "a"},
        {"    optional: true\n", "!has(steps.a.output) || steps.a.output.reservation_id == '' ? 'x' : 'y'", NULL},
        {"    optional: true\n", "has(steps.a.output) || steps.a.output.reservation_id == '' ? 'x' : 'y'", "a"},
        {"    optional: true\n", "!has(steps.a.output) && steps.a.output.reservation_id == '' ? 'x' : 'y'", "a"},
        {"    optional: true\n", "!has(steps.a.output) ? '' : steps.a.output.reservation_id", NULL},
        {"    optional: true\n", "!has(steps.a.output) ? steps.a.output.reservation_id : ''", "a"},
        /* Either is enough where all of them say it, and all of them have to where one is enough. */
        {"    optional: true\n", "!has(steps.a.output) || input.order_id == '' ? '' : steps.a.output.reservation_id",
         NULL},
        {"    optional: true\n",
         "has(steps.a.output) || steps.a.outcome == 'done' ? steps.a.output.reservation_id : ''", NULL},
        {"    optional: true\n",
         "!has(steps.a.output) && steps.a.outcome != 'done' ? '' : steps.a.output.reservation_id", NULL},
        {"    optional: true\n", "!has(steps.a.output) && input.order_id == '' ? '' : steps.a.output.reservation_id",
         "a"},
        {"    optional: true\n", "steps.a.outcome == 'skipped' ? steps.a.output.reservation_id : ''", "a"},
        {"    optional: true\n", "steps.a.outcome != 'skipped' ? '' : steps.a.output.reservation_id", "a"},
        {"    optional: true\n", "saga.id == 'done' ? steps.a.output.reservation_id : ''", "a"},
        {"    optional: true\n", "saga.id != 'done' ? '' : steps.a.output.reservation_id", "a"},
        {"    optional: true\n", "steps.a.outcome", NULL},
        {"    unavailable: fallback\n    fallback: {value: {reservation_id: none}}\n", "steps.a.output.reservation_id",
         NULL},
        {"    unavailable: fallback\n    fallback: {value: {reservation_id: none}}\n",
         "steps.a.fallback.output.reservation_id", "a.fallback"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048], words[128];
        snprintf(text, sizeof text,
                 TOP STEP CALL "    compensation: none\n%s  - name: b\n    after: [a]\n    target: t\n    action: "
                               "{method: /trades.v1.Inventory/Reserve, request: {sku: \"=%s\"}}\n",
                 cases[i].step, cases[i].uses);
        judge(text);
        const struct lint_finding *f = finding(LINT_RULE_OUTPUT_MAY_MISS);
        ck_assert_msg((f != NULL) == (cases[i].missing != NULL), "%s\n%s", text, said);
        if (f == NULL)
            continue;
        snprintf(words, sizeof words, "needs steps.%s.output, which is not there when %s is skipped or has failed",
                 cases[i].missing, cases[i].missing);
        ck_assert_msg(strncmp(f->text, words, strlen(words)) == 0, "%s", f->text);
        ck_assert_str_eq(f->field, "steps[1].action.request.sku");
    }
}
END_TEST

/* Whoever registers a definition waits for what it computes of nothing: that may cost as much as one evaluation, in all. */
START_TEST(lint__constants_are_tried_within_one_evaluation_in_all)
{
#define TEN "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
/* Ten thousand times a sum, and then it fails. */
#define DEAR(text) \
    "\"=string(size(" TEN ".map(w, " TEN ".map(x, " TEN ".map(y, " TEN \
    ".map(z, 1 + 2 + 3 + 4 + 5 + 6 + 7))))) / 0) + '" text "'\""
    unsigned told = 0;
    judge(TOP STEP CALL
          "    compensation: none\n    metadata: {a: " DEAR("a") ", b: " DEAR("b") ", c: " DEAR("c") "}\n");
    for (unsigned i = 0; i < report.count; i++)
        told += report.findings[i].rule == LINT_RULE_CONSTANT_FAILS;
    ck_assert_msg(told == 1 && strcmp(finding(LINT_RULE_CONSTANT_FAILS)->field, "steps[0].metadata.a") == 0, "%s",
                  said);
    told = 0;
    judge(TOP STEP CALL "    compensation: none\n    metadata: {a: \"=string(1 / 0)\", b: \"=string(2 / 0)\", c: "
                        "\"=string(3 / 0)\"}\n");
    for (unsigned i = 0; i < report.count; i++)
        told += report.findings[i].rule == LINT_RULE_CONSTANT_FAILS;
    ck_assert_msg(told == 3, "%s", said);
#undef TEN
#undef DEAR
}
END_TEST

/* One text in two places is told of at each, and a loop's list where the loop is, also for what stands in for its step. */
START_TEST(lint__the_same_expression_is_told_of_in_each_of_its_places)
{
#define FAILS "1 / 0 == 1"
    static const struct {
        const char *top, *step;
        const char *fields[3]; /* in order; the last may be NULL */
    } cases[] = {
        {"",
         "    expect: [{that: " FAILS ", else: no}]\n    when: " FAILS "\n",
         {"steps[0].expect[0].that", "steps[0].when"}},
        {"",
         "    when: " FAILS "\n    expect: [{that: " FAILS ", else: no}]\n",
         {"steps[0].when", "steps[0].expect[0].that"}},
        {"require: [{that: " FAILS ", else: no}]\n", "    when: " FAILS "\n", {"require[0].that", "steps[0].when"}},
        {"",
         "    when: string(1 / 0) == ''\n    metadata: {a: \"=string(1 / 0) == ''\"}\n",
         {"steps[0].when", "steps[0].metadata.a"}},
        {"let: {first: = " FAILS "}\n", "    when: first\n", {"let.first"}},
        {"tags: {first: =string(1 / 0)}\noutput: {reason: =string(1 / 0)}\noutput_type: trades.v1.ReleaseRequest\n",
         "",
         {"tags.first", "output.reason"}},
        {"output: {reason: =string(1 / 0)}\noutput_type: trades.v1.ReleaseRequest\ntags: {first: =string(1 / 0)}\n",
         "",
         {"output.reason", "tags.first"}},
        {"",
         "    for_each: \"[1 / 0]\"\n    max_items: 3\n    unavailable: fallback\n    fallback: {value: {left: 1}}\n",
         {"steps[0].for_each", "steps[0].for_each"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        unsigned seen = 0;
        snprintf(text, sizeof text, TOP "%s" STEP CALL "    compensation: none\n%s", cases[i].top, cases[i].step);
        judge(text);
        for (unsigned k = 0; k < report.count; k++) {
            const struct lint_finding *f = &report.findings[k];
            if (f->rule != LINT_RULE_CONSTANT_FAILS)
                continue;
            ck_assert_msg(seen < 2 && cases[i].fields[seen] != NULL && strcmp(f->field, cases[i].fields[seen]) == 0,
                          "%s\n%s", text, said);
            seen++;
        }
        ck_assert_msg(cases[i].fields[seen] == NULL, "%s\n%s", text, said);
    }
#undef FAILS
}
END_TEST

/* What is wrong with one expression in several ways is told in the order of the rules. */
START_TEST(lint__findings_of_one_place_stand_in_the_order_of_the_rules)
{
    judge(TOP STEP CALL
          "    optional: true\n    compensation: none\n  - name: b\n    after: [a]\n    target: t\n    compensation: "
          "none\n    when: input.sku == steps.a.output.reservation_id\n" CALL);
    ck_assert_msg(report.count == 3, "%s", said);
    ck_assert_uint_eq(report.findings[1].rule, LINT_RULE_OUTPUT_MAY_MISS);
    ck_assert_uint_eq(report.findings[2].rule, LINT_RULE_FIELD_DEPRECATED);
    ck_assert_str_eq(report.findings[1].field, report.findings[2].field);
    /* A field that is set is used, too, whatever it is set to. */
    judge("name: n\nversion: 1.0.0\ndeadline: 5m\nschema: trades\ninput: trades.v1.Order\noutput: {sku: "
          "nut}\noutput_type: trades.v1.Order\n" STEP CALL "    compensation: none\n");
    ck_assert_msg(finding(LINT_RULE_FIELD_DEPRECATED) != NULL, "%s", said);
    ck_assert_str_eq(finding(LINT_RULE_FIELD_DEPRECATED)->field, "output");
}
END_TEST

/* A text that begins as what expressions may name is hardly meant as it stands, however deep and in whichever request. */
START_TEST(lint__a_literal_that_looks_like_an_expression_is_told_of)
{
    static const struct {
        const char *literal;
        bool told;
    } cases[] = {
        {"input.order_id", true},
        {"steps.b.output.reservation_id", true},
        {"saga.id", true},
        {"action.key", true},
        {"input.", false},
        {"inputs.order_id", false},
        {"an input.order_id", false},
        {"=input.order_id", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int undo = 0; undo < 2; undo++) {
            char text[1024];
            const char *in_action = undo ? "x" : cases[i].literal, *in_undo = undo ? cases[i].literal : "x";
            snprintf(text, sizeof text,
                     TOP STEP "    action: {method: /trades.v1.Inventory/Reserve, request: {sku: =input.sku, "
                              "order_id: \"%s\"}}\n"
                              "    compensation: {method: /trades.v1.Inventory/Release, request: {reason: "
                              "=input.order_id, order_id: \"%s\"}}\n",
                     in_action, in_undo);
            judge(text);
            const struct lint_finding *f = finding(LINT_RULE_LITERAL_COMPUTED);
            ck_assert_msg((f != NULL) == cases[i].told, "%s\n%s", text, said);
            if (f != NULL)
                ck_assert_str_eq(f->field,
                                 undo ? "steps[0].compensation.request.order_id" : "steps[0].action.request.order_id");
        }
    static const char *const stand_ins[][2] = {
        {"value: {reservation_id: input.order_id}", "steps[0].fallback.value.reservation_id"},
        {"last_good: {key: input.order_id, max_age: 1h}", "steps[0].fallback.last_good.key"}};
    for (size_t i = 0; i < 2; i++) {
        char text[1024];
        snprintf(text, sizeof text, TOP STEP CALL "    compensation: none\n    fallback: {%s}\n", stand_ins[i][0]);
        judge(text);
        const struct lint_finding *f = finding(LINT_RULE_LITERAL_COMPUTED);
        ck_assert_msg(f != NULL && strcmp(f->field, stand_ins[i][1]) == 0, "%s\n%s", text, said);
    }
}
END_TEST

/* What the action is sent may differ for each saga; that tells the undo nothing. */
START_TEST(lint__an_undo_that_is_always_the_same_is_told_of)
{
    static const struct {
        const char *action, *undo;
        bool told;
    } cases[] = {
        {"=input.order_id", "x", true},
        {"x", "x", true},
        {"x", "='x' + 'y'", true},
        {"x", "=input.order_id", false},
        {"=input.order_id", "=action.key", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 TOP STEP "    action: {method: /trades.v1.Inventory/Reserve, request: {order_id: \"%s\"}}\n"
                          "    compensation: {method: /trades.v1.Inventory/Release, request: {reason: \"%s\"}}\n"
                          "    metadata: {m: =input.sku}\n",
                 cases[i].action, cases[i].undo);
        judge(text);
        const struct lint_finding *f = finding(LINT_RULE_UNDO_CONSTANT);
        ck_assert_msg((f != NULL) == cases[i].told, "%s\n%s", text, said);
        if (f != NULL)
            ck_assert_str_eq(f->field, "steps[0].compensation.request");
    }
}
END_TEST

/* Metadata is printable ASCII, a tag any text without a NUL. */
START_TEST(lint__a_text_that_cannot_be_sent_or_kept_is_told_of)
{
    static const struct {
        const char *text;
        bool metadata, tag; /* it can be that */
    } cases[] = {
        {" a~", true, true},       {"\\x1f", false, true}, {"\\x7f", false, true},
        {"caf\\xe9", false, true}, {"a\\0", false, false}, {"", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, TOP STEP CALL "    compensation: none\n    metadata: {m: \"%s\"}\n", cases[i].text);
        judge(text);
        ck_assert_msg((finding(LINT_RULE_LITERAL_TYPE) == NULL) == cases[i].metadata, "%s\n%s", text, said);
        snprintf(text, sizeof text, TOP "tags: {m: \"%s\"}\n" STEP CALL "    compensation: none\n", cases[i].text);
        judge(text);
        ck_assert_msg((finding(LINT_RULE_LITERAL_TYPE) == NULL) == cases[i].tag, "%s\n%s", text, said);
    }
}
END_TEST

/* Also one that only an undo is handed. */
START_TEST(lint__an_input_is_used_by_whatever_call_it_is_handed_to)
{
    static const struct {
        const char *action, *undo;
        bool used;
    } cases[] = {
        {"{reason: x}", "{reason: x}", false},
        {"input", "{reason: x}", true},
        {"{reason: x}", "input", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\ndeadline: 5m\nschema: trades\ninput: trades.v1.ReleaseRequest\n" STEP
                 "    action: {method: /trades.v1.Shipping/Recall, request: %s}\n"
                 "    compensation: {method: /trades.v1.Inventory/Release, request: %s}\n",
                 cases[i].action, cases[i].undo);
        judge(text);
        ck_assert_msg((finding(LINT_RULE_INPUT_UNUSED) == NULL) == cases[i].used, "%s\n%s", text, said);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lint_typed");
    TCase *tests = tcase_create("typed");
    tcase_add_test(tests, lint__what_may_cost_too_much_is_an_error_where_it_must_not_fail);
    tcase_add_test(tests, lint__a_key_of_one_saga_finds_no_other);
    tcase_add_test(tests, lint__a_cost_goes_by_how_long_lists_may_be);
    tcase_add_test(tests, lint__an_output_is_asked_for_where_it_may_be_missing);
    tcase_add_test(tests, lint__constants_are_tried_within_one_evaluation_in_all);
    tcase_add_test(tests, lint__the_same_expression_is_told_of_in_each_of_its_places);
    tcase_add_test(tests, lint__findings_of_one_place_stand_in_the_order_of_the_rules);
    tcase_add_test(tests, lint__a_literal_that_looks_like_an_expression_is_told_of);
    tcase_add_test(tests, lint__an_undo_that_is_always_the_same_is_told_of);
    tcase_add_test(tests, lint__a_text_that_cannot_be_sent_or_kept_is_told_of);
    tcase_add_test(tests, lint__an_input_is_used_by_whatever_call_it_is_handed_to);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
