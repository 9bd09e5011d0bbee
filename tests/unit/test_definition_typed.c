/* A definition that knows its messages: schema, input, methods, and what each is sent. */
#include "sidecar/core/heap.h"
#include "sidecar/definition/participants.h"
#include "sidecar/definition/reader.h"
#include "tests/support/shapes.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct schema *schema;
static struct error_detail detail;
static struct definition_limits limits;

static const struct schema *find(void *self, const char *name, const char **hash)
{
    (void)self;
    *hash = "cafe";
    return strcmp(name, "shapes") == 0 ? schema : NULL;
}

static void setup(void)
{
    schema = shapes_schema();
    limits = definition_limits_default();
    limits.schemas.find = find;
}

static void teardown(void)
{
    schema_destroy(schema);
}

#define HEAD "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Order\nsteps:\n"

static void assert_refused(int expected, const char *text, const char *field, int line, const char *words)
{
    struct definition *d = NULL;
    int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
    ck_assert_msg(code == expected && d == NULL, "%s: %d", text, code);
    ck_assert_msg(strcmp(detail.text, words) == 0, "%s: %s", text, detail.text);
    ck_assert_str_eq(detail.field, field);
    ck_assert_int_eq(detail.line, line);
}

START_TEST(typed__methods_and_input_are_found)
{
    struct definition *d = NULL;
    const char *text =
        HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve}\n"
             "  - {name: b, after: [a], target: t, action: {method: /shapes.Shop/Old, request: {output: a}},\n"
             "     compensation: {method: /shapes.Shop/Old, request: own_output}}\n";
    ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == 0, "%s: %s", detail.field, detail.text);
    ck_assert_str_eq(d->schema_name, "shapes");
    ck_assert_str_eq(d->schema_hash, "cafe");
    ck_assert_ptr_eq(d->schema, schema);
    ck_assert_str_eq(d->input_name, "shapes.Order");
    ck_assert_ptr_eq(d->input, shapes_type(schema, "Order"));
    ck_assert_ptr_eq(d->steps[0].action.called->input, d->input);
    ck_assert_ptr_eq(d->steps[1].compensation.called, schema_method(schema, bytes_of_text("/shapes.Shop/Old")));
    definition_destroy(d);
}
END_TEST

/* A typed definition is read without its descriptors, too, as lint does: then only its form is checked. */
START_TEST(typed__without_descriptors_only_the_form_is_checked)
{
    struct definition *d = NULL;
    limits.schemas.find = NULL;
    const char *text = HEAD "  - {name: a, target: t, action: /no.Such/Method}\n";
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &d, &detail), 0);
    ck_assert(d->schema == NULL && d->schema_hash == NULL && d->input == NULL && d->steps[0].action.called == NULL);
    ck_assert_str_eq(d->input_name, "shapes.Order");
    definition_destroy(d);
    static const char step[] = "  - {name: a, target: t, action: /no.Such/Method}\n";
    static const struct {
        const char *head, *step, *field, *words;
        int line;
    } none[] = {
        {"schema: a b\nsteps:\n", step, "schema", "\"a b\" may hold only letters, digits, '-', '_' and '.'", 3},
        {"schema: \"\"\nsteps:\n", step, "schema", "must not be empty", 3},
        {"schema: s\nsteps:\n", "  - {name: a, target: {oneof: [t, u]}, action: /a.B/C}\n", "steps[0].target",
         "by is missing", 5},
        {"schema: s\nsteps:\n", "  - {name: a, target: {by: x}, action: /a.B/C}\n", "steps[0].target",
         "oneof is missing", 5},
        {"schema: s\nsteps:\n", "  - {name: a, target: {oneof: t, by: x}, action: /a.B/C}\n", "steps[0].target.oneof",
         "must be a list, as in [a, b]", 5},
        {"schema: s\nsteps:\n", "  - {name: a, target: {oneof: [t, t], by: x}, action: /a.B/C}\n",
         "steps[0].target.oneof[1]", "is named twice", 5},
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char written[512];
        snprintf(written, sizeof written, "name: n\nversion: 1.0.0\n%s%s", none[i].head, none[i].step);
        assert_refused(E_ARGUMENT, written, none[i].field, none[i].line, none[i].words);
    }
}
END_TEST

/* Each call goes to one of the targets that it may go to, unless it names one of its own. */
START_TEST(typed__a_target_is_one_of_several)
{
    struct definition *d = NULL;
    const char *text =
        HEAD "  - {name: a, target: {oneof: [eu, us], by: \"input.order_id == 'x' ? 'eu' : 'us'\"}, action: "
             "/shapes.Shop/Reserve,\n"
             "     compensation: {target: desk, method: /shapes.Shop/Reserve, request: input}}\n";
    ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == 0, "%s: %s", detail.field, detail.text);
    const struct step_spec *s = &d->steps[0];
    ck_assert_uint_eq(s->choice_count, 2);
    ck_assert_str_eq(step_spec_target(s, false, 0), "eu");
    ck_assert_str_eq(step_spec_target(s, false, 1), "us");
    ck_assert_ptr_null(step_spec_target(s, false, 2));
    ck_assert_str_eq(step_spec_target(s, true, 1), "desk");
    ck_assert_str_eq(s->choices[1].name, "us");
    ck_assert_str_eq(s->choices[1].action.method, s->action.method);
    ck_assert(step_spec_calls(s, "us") && step_spec_calls(s, "desk") && !step_spec_calls(s, "asia"));
    definition_destroy(d);
}
END_TEST

START_TEST(typed__a_choice_of_targets_that_means_nothing_is_refused)
{
#define STEP(target, action) HEAD "  - {name: a, target: " target ", action: " action "}\n"
#define CALL                 "/shapes.Shop/Reserve"
    assert_refused(E_ARGUMENT, STEP("{oneof: [a, a], by: \"'a'\"}", CALL), "steps[0].target.oneof[1]", 6,
                   "is named twice");
    assert_refused(E_ARGUMENT, STEP("{oneof: [a, b, a], by: \"'a'\"}", CALL), "steps[0].target.oneof[2]", 6,
                   "is named twice");
    assert_refused(E_ARGUMENT, STEP("{oneof: [a, b, b], by: \"'a'\"}", CALL), "steps[0].target.oneof[2]", 6,
                   "is named twice");
    assert_refused(E_ARGUMENT, STEP("{oneof: [], by: \"'a'\"}", CALL), "steps[0].target.oneof", 6,
                   "must name 1 to 16 targets");
#define SIXTEEN "a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p"
    struct definition *d = NULL;
    ck_assert_int_eq(
        definition_read(bytes_of_text(STEP("{oneof: [" SIXTEEN "], by: \"'a'\"}", CALL)), &limits, &d, &detail), 0);
    ck_assert_uint_eq(d->steps[0].choice_count, 16);
    definition_destroy(d);
    assert_refused(E_ARGUMENT, STEP("{oneof: [" SIXTEEN ", q], by: \"'a'\"}", CALL), "steps[0].target.oneof", 6,
                   "must name 1 to 16 targets");
    assert_refused(E_ARGUMENT, STEP("{oneof: [a]}", CALL), "steps[0].target", 6, "by is missing");
    assert_refused(E_ARGUMENT, STEP("{oneof: [a], by: 1}", CALL), "steps[0].target.by", 6,
                   "this is int, and should be string");
    assert_refused(E_ARGUMENT, STEP("{oneof: [a], by: \"'a'\"}", "{target: b, method: " CALL "}"), "steps[0].target", 6,
                   "is chosen for no call: each names a target of its own");
    assert_refused(E_ARGUMENT,
                   "name: n\nversion: 1.0.0\nsteps:\n  - {name: a, target: {oneof: [a], by: x}, action: /a.B/C}\n",
                   "steps[0].target", 4, "is chosen by an expression, for which the definition must name a schema");
#undef STEP
#undef CALL
#undef SIXTEEN
}
END_TEST

START_TEST(typed__what_does_not_agree_is_refused)
{
    assert_refused(E_SCHEMA_NOT_FOUND, "name: n\nversion: 1.0.0\nschema: none\nsteps: []\n", "schema", 3,
                   "no schema named \"none\" is registered; register one with sagactl schema register");
    assert_refused(E_ARGUMENT, "name: n\nversion: 1.0.0\ninput: shapes.Order\nsteps: []\n", "input", 3,
                   "a type needs a schema; name the one that has it with schema");
    assert_refused(E_ARGUMENT, "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Ordr\nsteps: []\n", "input", 4,
                   "the schema shapes has no message \"shapes.Ordr\"; did you mean shapes.Order?");
    assert_refused(E_ARGUMENT, "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Lien\nsteps: []\n", "input", 4,
                   "the schema shapes has no message \"shapes.Lien\"; did you mean shapes.Line?");
    assert_refused(E_ARGUMENT, "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Thickt\nsteps: []\n", "input", 4,
                   "the schema shapes has no message \"shapes.Thickt\"; did you mean shapes.Thicket?");
    assert_refused(E_ARGUMENT, "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Order.CountsEntry\nsteps: []\n",
                   "input", 4, "the schema shapes has no message \"shapes.Order.CountsEntry\"");
    assert_refused(E_ARGUMENT, HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserv}\n", "steps[0].action", 6,
                   "the schema shapes has no such method; did you mean /shapes.Shop/Reserve?");
    assert_refused(E_ARGUMENT, HEAD "  - {name: a, target: t, action: /shapes.Shop/Folow}\n", "steps[0].action", 6,
                   "the schema shapes has no such method; did you mean /shapes.Shop/Follow?");
    assert_refused(E_ARGUMENT, HEAD "  - {name: a, target: t, action: /shapes.Shop/Odl}\n", "steps[0].action", 6,
                   "the schema shapes has no such method; did you mean /shapes.Shop/Old?");
    assert_refused(E_ARGUMENT, HEAD "  - {name: a, target: t, action: {method: /other.Thing/Do}}\n",
                   "steps[0].action.method", 6, "the schema shapes has no such method");
    assert_refused(E_ARGUMENT, HEAD "  - {name: a, target: t, action: /shapes.Shop/Follow}\n", "steps[0].action", 6,
                   "is a method of streams; a step calls unary methods");
    /* Whatever the undo takes, and what stands in answers. */
    assert_refused(E_ARGUMENT,
                   HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, fallback: {target: t, action: "
                        "/shapes.Shop/Old}}\n",
                   "steps[0].fallback.action", 6,
                   "/shapes.Shop/Old takes a shapes.Line, and the saga's input is a shapes.Order");
    assert_refused(
        E_ARGUMENT, HEAD "  - {name: a, target: t, action: /shapes.Shop/Old, compensation: /shapes.Shop/Reserve}\n",
        "steps[0].action", 6, "/shapes.Shop/Old takes a shapes.Line, and the saga's input is a shapes.Order");
    assert_refused(
        E_ARGUMENT, HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, compensation: /shapes.Shop/Old}\n",
        "steps[0].compensation", 6, "/shapes.Shop/Old takes a shapes.Line, and the saga's input is a shapes.Order");
    assert_refused(E_ARGUMENT, HEAD "  - {name: a, target: t, action: /shapes.Shop/Old}\n", "steps[0].action", 6,
                   "/shapes.Shop/Old takes a shapes.Line, and the saga's input is a shapes.Order");
    assert_refused(
        E_ARGUMENT,
        HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve}\n"
             "  - {name: b, after: [a], target: t, action: {method: /shapes.Shop/Reserve, request: {output: a}}}\n",
        "steps[1].action.request", 7, "/shapes.Shop/Reserve takes a shapes.Order, and a is a shapes.Line");
    assert_refused(E_ARGUMENT,
                   HEAD "  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {constant: x}}}\n",
                   "steps[0].action.request", 6, "is no shapes.Line: the bytes are no message");
    assert_refused(E_ARGUMENT,
                   HEAD
                   "  - {name: a, target: t, action: {method: /shapes.Shop/Old, request: {constant_base64: SAE=}}}\n",
                   "steps[0].action.request", 6, "is no shapes.Line: shapes.Line has no field 9");
    /* A loop has many outputs, whoever asks for one. */
    assert_refused(E_ARGUMENT,
                   HEAD
                   "  - {name: a, target: t, for_each: input.lines, max_items: 3, action: {method: "
                   "/shapes.Shop/Old, request: =item}}\n"
                   "  - {name: b, after: [a], target: t, action: {method: /shapes.Shop/Old, request: {output: a}}}\n",
                   "steps[1].action.request.output", 7,
                   "a is a loop and has many outputs; use them in an expression: steps.a.output");
    /* What YAML has cut off is told apart from what was written so. */
#define BRACED HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, when: "
#define HINT   " (a comma or a brace outside quotes ends a text of YAML: quote the expression)"
    assert_refused(E_SYNTAX, BRACED "size(input.lines > 1}\n", "steps[0].when", 6, "a call ends with )" HINT);
    ck_assert_str_eq(detail.rule, "expression-cut");
    assert_refused(E_SYNTAX, BRACED "\"size(input.lines > 1\"}\n", "steps[0].when", 6, "a call ends with )");
    ck_assert_str_eq(detail.rule, "expression-syntax");
    assert_refused(E_SYNTAX, BRACED "size(input.lines) >}\n", "steps[0].when", 6,
                   "the expression ends where a value is expected");
    ck_assert_str_eq(detail.rule, "expression-syntax");
#undef BRACED
    /* Outside braces nothing is cut off at a comma. */
    static const struct {
        const char *when, *words;
    } whole[] = {
        {"size(input.lines > 1", "a call ends with )"},
        {"math.greatest(1, size(input.lines) > 1", "a call ends with )"},
        {"size([1, 2) > 1", "a list ends with ]"},
        {"size(shapes.Line{sku:'a') > 1", "a message ends with }"},
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD "  - name: a\n    target: t\n    action: /shapes.Shop/Reserve\n    when: %s\n",
                 whole[i].when);
        assert_refused(E_SYNTAX, text, "steps[0].when", 9, whole[i].words);
        ck_assert_str_eq(detail.rule, "expression-syntax");
    }
#undef HINT
}
END_TEST

/* What is computed, of a step that can do nothing with it. */
START_TEST(typed__what_a_step_cannot_do_is_refused)
{
#define EXPECT    "expect: [{that: action.output.sku != '', else: no}]"
#define ONE(more) HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, " more "}\n"
    assert_refused(E_ARGUMENT, ONE("max_items: 3"), "steps[0].max_items", 6,
                   "is of a loop, which begins with for_each");
    assert_refused(E_ARGUMENT, ONE("max_parallel: 3"), "steps[0].max_parallel", 6,
                   "is of a loop, which begins with for_each");
    assert_refused(E_ARGUMENT, ONE("pivot: true, " EXPECT), "steps[0].expect[0]", 6,
                   "needs undo: false, since the saga cannot turn back from this step");
    assert_refused(E_ARGUMENT,
                   ONE("pivot: true") "  - {name: b, after: [a], target: t, action: /shapes.Shop/Reserve, " EXPECT
                                      "}\n",
                   "steps[1].expect[0]", 7, "needs undo: false, since the saga cannot turn back from this step");
    assert_refused(E_ARGUMENT, "forward_only: true\n" ONE(EXPECT), "steps[0].expect[0]", 7,
                   "needs undo: false, since the saga cannot turn back from this step");
    assert_refused(E_ARGUMENT, ONE("fallback: {value: {sku: x}}, " EXPECT), "steps[0].expect[0]", 6,
                   "needs undo: false, since a step with a fallback turns no saga back");
    assert_refused(E_ARGUMENT, ONE("optional: true, " EXPECT), "steps[0].expect[0]", 6,
                   "needs undo: false, since an optional step turns no saga back");
    assert_refused(E_ARGUMENT, ONE("optional: true, expect: [{that: \"true\", undo: false}]"), "steps[0].expect[0]", 6,
                   "else is missing");
    assert_refused(E_ARGUMENT, ONE("optional: true, expect: [{that: \"true\", else: no, undo: perhaps}]"),
                   "steps[0].expect[0].undo", 6, "\"perhaps\" is neither true nor false");
    assert_refused(E_ARGUMENT, ONE("metadata: {X-A: b}"), "steps[0].metadata.X-A", 6,
                   "a name is 1 to 64 small letters, digits, '-', '_' or '.', and does not end in -bin");
    assert_refused(E_ARGUMENT, ONE("metadata: {a-bin: b}"), "steps[0].metadata.a-bin", 6,
                   "a name is 1 to 64 small letters, digits, '-', '_' or '.', and does not end in -bin");
    assert_refused(E_ARGUMENT, ONE("metadata: {idempotency-key: b}"), "steps[0].metadata.idempotency-key", 6,
                   "is said by gRPC or the sidecar itself");
    assert_refused(E_ARGUMENT, ONE("metadata: {grpc-timeout: b}"), "steps[0].metadata.grpc-timeout", 6,
                   "is said by gRPC or the sidecar itself");
    assert_refused(E_ARGUMENT, HEAD "  - {name: a, target: t, action: /shapes.Shp/Reserve}\n", "steps[0].action", 6,
                   "the schema shapes has no such method; did you mean /shapes.Shop/Reserve?");
    assert_refused(E_ARGUMENT, HEAD "  - {name: a, target: t, action: /a.B/C}\n", "steps[0].action", 6,
                   "the schema shapes has no such method");
    assert_refused(E_ARGUMENT,
                   HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, fallback: {target: t, action: {method: "
                        "/shapes.Shop/Reserve, request: {output: a}}}}\n",
                   "steps[0].fallback.action.request.output", 6,
                   "has come to nothing when this is asked for: it stands in for it");
    static const char head[] = "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Order\n";
    static const char *const fair[] = {"", "tags: {kind: x}\n"};
    for (int i = 0; i < 2; i++) {
        char text[512];
        snprintf(text, sizeof text, "%sfair_by: tenant\n%ssteps: []\n", head, fair[i]);
        assert_refused(E_ARGUMENT, text, "fair_by", 5,
                       "must be one of the definition's tags, as in tags: {tenant: =input.tenant}");
    }
#undef EXPECT
#undef ONE
}
END_TEST

/* A tag or a metadata entry without a value is no text, however that is written; in quotes it is one. */
START_TEST(typed__a_text_without_a_value_is_refused)
{
    static const char *const nothing[] = {"", "~", "null", "[a]", "{a: b}"};
    static const char words[] = "must be a text, or an expression that gives one";
    char text[512];
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        snprintf(text, sizeof text,
                 "tags: {kind: %s}\n" HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve}\n", nothing[i]);
        assert_refused(E_ARGUMENT, text, "tags.kind", 1, words);
        snprintf(text, sizeof text,
                 HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, metadata: {kind: %s}}\n", nothing[i]);
        assert_refused(E_ARGUMENT, text, "steps[0].metadata.kind", 6, words);
    }
    struct definition *d = NULL;
    ck_assert_int_eq(definition_read(bytes_of_text("tags: {kind: \"null\"}\n" HEAD
                                                   "  - {name: a, target: t, action: /shapes.Shop/Reserve}\n"),
                                     &limits, &d, &detail),
                     0);
    definition_destroy(d);
}
END_TEST

/* Of what is wrong in an expression the place in the text is told, whether a sign stands before the expression, quotes around it, or both. */
START_TEST(typed__a_wrong_expression_is_told_where_it_is_wrong)
{
#define STEP HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve"
#define CALL HEAD "  - {name: a, target: t, action: {method: /shapes.Shop/Reserve, request: "
    static const struct {
        const char *before, *behind;
        bool sign; /* without one it is a text */
    } places[] = {
        {STEP "}\nlet: {a: ", "}\n", false},
        {STEP "}\nlet: {a: \"1\", b: ", ", c: a}\n", false},
        {STEP "}\nrequire: [{that: ", ", else: no}]\n", false},
        {STEP "}\ntags: {a: ", "}\n", true},
        {STEP "}\noutput_type: shapes.Line\noutput: {sku: ", "}\n", true},
        {STEP "}\noutput_type: shapes.Order\noutput: {notes: [a, ", "]}\n", true},
        {STEP "}\noutput_type: shapes.Known\noutput: {bag: ", "}\n", true},
        {STEP "}\noutput_type: shapes.Line\noutput: ", "\n", true},
        {STEP ", when: ", "}\n", false},
        {STEP ", expect: [{that: ", ", else: no}]}\n", false},
        {STEP ", metadata: {a: ", "}}\n", true},
        {STEP ", for_each: ", ", max_items: 3}\n", false},
        {STEP ", fallback: {last_good: {key: ", ", max_age: 1h}}}\n", true},
        {STEP ", compensation: {method: /shapes.Shop/Old, request: {sku: ", "}}}\n", true},
        {CALL "{order_id: ", "}}}\n", true},
        {CALL "", "}}\n", true},
        {HEAD "  - {name: a, action: /shapes.Shop/Reserve, target: {oneof: [t, u], by: ", "}}\n", false},
    };
#undef STEP
#undef CALL
    static const char *const written[] = {"input.nothing", "\"input.nothing\"", "=input.nothing", "\"=input.nothing\"",
                                          "'=input.nothing'"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (size_t k = places[i].sign ? 2 : 0; k < sizeof written / sizeof *written; k++) {
            struct definition *d = NULL;
            char text[512];
            snprintf(text, sizeof text, "%s%s%s", places[i].before, written[k], places[i].behind);
            ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == E_ARGUMENT, "%s", text);
            const char *at = strstr(text, ".nothing"), *line = at;
            while (line[-1] != '\n')
                line--;
            ck_assert_msg(detail.column == at - line + 1, "%s: %d", text, detail.column);
            ck_assert_str_eq(detail.text, "the message has no field of this name: shapes.Order.nothing");
        }
}
END_TEST

/* What should be a mapping, a list or a text is refused where it is another. */
START_TEST(typed__parts_of_another_form_are_refused)
{
    static const struct {
        const char *top, *step, *field;
    } rows[] = {
        {"tags: x\n", "", "tags"},
        {"tags: [a]\n", "", "tags"},
        {"tags: {a b: x}\n", "", "tags.a b"},
        {"let: x\n", "", "let"},
        {"let: [a]\n", "", "let"},
        {"let: {a: [b]}\n", "", "let.a"},
        {"let: {a: \"\"}\n", "", "let.a"},
        {"require: x\n", "", "require"},
        {"require: {that: \"true\", else: no}\n", "", "require"},
        {"require: [x]\n", "", "require[0]"},
        {"require: [{that: [a], else: no}]\n", "", "require[0].that"},
        {"require: [{else: no}]\n", "", "require[0]"},
        {"output: [a]\n", "", "output"},
        {"output_type: shapes.Line\n", "", "output_type"},
        {"output: {sku: a}\noutput_type: shapes.Lin\n", "", "output_type"},
        {"output: {sku: a}\noutput_type: [a]\n", "", "output_type"},
        {"", ", metadata: x", "steps[0].metadata"},
        {"", ", metadata: [x]", "steps[0].metadata"},
        {"", ", when: [a]", "steps[0].when"},
        {"", ", when: \"\"", "steps[0].when"},
        {"", ", expect: x", "steps[0].expect"},
        {"", ", expect: [x]", "steps[0].expect[0]"},
        {"", ", expect: [{that: {a: b}, else: no}]", "steps[0].expect[0].that"},
        {"", ", for_each: [a], max_items: 3", "steps[0].for_each"},
        {"", ", for_each: input.nothing, max_items: 3", "steps[0].for_each"},
        {"", ", for_each: input.order_id, max_items: 3", "steps[0].for_each"},
        {"", ", for_each: input.lines, max_items: 0", "steps[0].max_items"},
        {"", ", for_each: input.lines, max_items: many", "steps[0].max_items"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct definition *d = NULL;
        snprintf(text, sizeof text, "%s" HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve%s}\n", rows[i].top,
                 rows[i].step);
        int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
        ck_assert_msg(code == E_ARGUMENT, "%s: %d", text, code);
        ck_assert_msg(strcmp(detail.field, rows[i].field) == 0, "%s: %s: %s", text, detail.field, detail.text);
    }
    static const char *const inputs[] = {"\"\"", "[a]", "{a: b}"};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct definition *d = NULL;
        snprintf(text, sizeof text, "name: n\nversion: 1.0.0\nschema: shapes\ninput: %s\nsteps: []\n", inputs[i]);
        ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == E_ARGUMENT, "%s", text);
        ck_assert_str_eq(detail.field, "input");
        ck_assert_msg(strstr(detail.text, "has no message") == NULL, "%s", detail.text);
    }
}
END_TEST

/* The name stands between before and behind, and its field ends with it where that is a key. */
static void assert_name_refused(const char *before, const char *name, const char *behind, const char *field, int line,
                                const char *words)
{
    char text[512], place[128];
    snprintf(text, sizeof text, "%s\"%s\"%s", before, name, behind);
    snprintf(place, sizeof place, "%s%s", field, field[strlen(field) - 1] == '.' ? name : "");
    assert_refused(E_ARGUMENT, text, place, line, words);
}

START_TEST(typed__a_name_that_means_something_else_is_refused)
{
    static const char *const reserved[] = {
        "true", "false", "null",   "in",  "as",   "break", "const",   "continue",  "else",   "for", "1st", "function",
        "if",   "let",   "import", "a-b", "loop", "while", "package", "namespace", "return", "var", "void"};
    static const char *const taken[] = {"input", "saga", "steps", "action"};
    static const char *const ours[] = {"idempotency-key", "traceparent", "tracestate", "te",     "content-type",
                                       "user-agent",      "host",        "connection", "saga-x", "grpc-x"};
    static const char let[] = "name: n\nversion: 1.0.0\nschema: shapes\ninput: shapes.Order\nlet: {";
    static const char behind_let[] = ": 1 + 1}\nsteps:\n  - {name: a, target: t, action: /shapes.Shop/Reserve}\n";
    static const char metadata[] = HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, metadata: {";
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        assert_name_refused(let, reserved[i], behind_let, "let.", 5,
                            "a name is letters, digits and '_', and no reserved word");
        assert_name_refused(HEAD "  - {name: ", reserved[i],
                            ", target: t, action: /shapes.Shop/Reserve, when: input.cash}\n", "steps[0].name", 6,
                            "expressions name this step: letters, digits and '_' only, and no reserved word");
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        assert_name_refused(let, taken[i], behind_let, "let.", 5, "this name has a meaning already");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_name_refused(metadata, ours[i], ": x}}\n", "steps[0].metadata.", 6,
                            "is said by gRPC or the sidecar itself");
    assert_name_refused(metadata, "-bin", ": x}}\n", "steps[0].metadata.", 6,
                        "a name is 1 to 64 small letters, digits, '-', '_' or '.', and does not end in -bin");
}
END_TEST

/* Where JSON could write anything only an expression says what is meant; an enum has names and numbers. */
START_TEST(typed__a_literal_that_could_mean_anything_is_refused)
{
    static const struct {
        const char *type, *output, *field, *words; /* field NULL: it is taken */
    } cases[] = {
        {"Known", "{bag: {a: 1}}", "output.bag",
         "is a google.protobuf.Struct; write it as an expression: \"={'key': 1}\""},
        {"Known", "{any_json: 1}", "output.any_json",
         "is a google.protobuf.Value; write it as an expression: \"={'key': 1}\""},
        {"Known", "{list: {values: [1]}}", "output.list",
         "is a google.protobuf.ListValue; write it as an expression: \"={'key': 1}\""},
        {"Known", "{any: {value: x}}", "output.any",
         "is a google.protobuf.Any; write it as an expression: \"={'key': 1}\""},
        {"Order", "{order_id: null, customer: null, lines: null, counts: null, card: null}", NULL, NULL},
        {"Order", "{token: YQ}", NULL, NULL},
        {"Order", "{token: Y}", "output.token", "must be bytes in base64"},
        {"Order", "{priority: one}", "output.priority", "must be a whole number, within the range of int32"},
        {"Order", "{cash: 1}", "output.cash", "must be true or false"},
        {"Order", "{color: GREEN}", "output.color", "must be the name or number of a value of shapes.Color"},
        {"Order", "{color: 1}", NULL, NULL},
        {"Order", "{color: RED}", NULL, NULL},
        {"Order", "{color: \"RED\"}", NULL, NULL},
        {"Order", "{color: \"1\"}", "output.color", "must be the name or number of a value of shapes.Color"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct definition *d = NULL;
        char text[512];
        snprintf(text, sizeof text,
                 HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve}\noutput: %s\noutput_type: shapes.%s\n",
                 cases[i].output, cases[i].type);
        int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
        ck_assert_msg((code == 0) == (cases[i].field == NULL), "%s: %d: %s", text, code, detail.text);
        definition_destroy(d);
        if (code == 0)
            continue;
        ck_assert_str_eq(detail.field, cases[i].field);
        ck_assert_msg(strstr(detail.text, cases[i].words) != NULL, "%s: %s", text, detail.text);
    }
}
END_TEST

/* A message may have fields that are called as what stands in place of one: then they are its fields. */
START_TEST(typed__a_field_may_be_called_as_a_kind_of_request)
{
    static const char set[] = "1:{1:'a.proto' 2:'p' 4:{1:'Req' 2:{1:'output' 3:1 4:1 5:9} 2:{1:'constant' 3:2 4:1 5:9} "
                              "2:{1:'constant_base64' 3:3 4:1 5:9}} 6:{1:'S' 2:{1:'Do' 2:'.p.Req' 3:'.p.Req'}} "
                              "12:'proto3'}";
    static const char *const names[] = {"output", "constant", "constant_base64"};
    uint8_t packed[1024];
    schema_destroy(schema);
    ck_assert_int_eq(schema_read(bytes_of(packed, wire_of_text(set, packed, sizeof packed)), &heap, &schema, &detail),
                     0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct definition *d = NULL;
        char text[512];
        snprintf(text, sizeof text,
                 "name: n\nversion: 1.0.0\nschema: shapes\nsteps:\n"
                 "  - {name: a, target: t, action: {method: /p.S/Do, request: {%s: \"no base64, and no step\"}}}\n",
                 names[i]);
        int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
        ck_assert_msg(code == 0, "%s: %s", names[i], detail.text);
        ck_assert_int_eq(d->steps[0].action.source, REQUEST_MAPPED);
        definition_destroy(d);
    }
}
END_TEST

/* The words of a refusal have their bounds, and are there. */
START_TEST(typed__the_words_of_a_condition_are_bounded)
{
    static const struct {
        const char *before, *behind, *field;
        int line;
    } forms[] = {
        {"require: [{that: \"true\", else: \"",
         "\"}]\n" HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve}\n", "require[0].else", 1},
        {HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, expect: [{that: \"true\", else: \"", "\"}]}\n",
         "steps[0].expect[0].else", 6},
    };
    char words[161], text[1024];
    memset(words, 'x', sizeof words);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct definition *d = NULL;
        snprintf(text, sizeof text, "%s%.*s%s", forms[i].before, 160, words, forms[i].behind);
        ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &d, &detail), 0);
        definition_destroy(d);
        snprintf(text, sizeof text, "%s%.*s%s", forms[i].before, 161, words, forms[i].behind);
        assert_refused(E_ARGUMENT, text, forms[i].field, forms[i].line, "is 161 bytes long; at most 160 are allowed");
        snprintf(text, sizeof text, "%s%.*s%s", forms[i].before, 0, words, forms[i].behind);
        assert_refused(E_ARGUMENT, text, forms[i].field, forms[i].line, "must not be empty");
    }
}
END_TEST

/* A text has a bound, what it is computed by has none of that kind. */
START_TEST(typed__a_tag_and_metadata_have_a_length)
{
    static const struct {
        const char *begin;
        size_t size;
        const char *end;
        bool taken;
    } cases[] = {{"", 256, "", true}, {"", 257, "", false}, {"='", 300, "'", true}};
    static const char *const forms[][3] = {
        {"tags: {a: \"", "\"}\n" HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve}\n", "tags.a"},
        {HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, metadata: {a: \"", "\"}}\n",
         "steps[0].metadata.a"}};
    char words[300], text[1024];
    memset(words, 'x', sizeof words);
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct definition *d = NULL;
        const char *const *form = forms[i % 2];
        snprintf(text, sizeof text, "%s%s%.*s%s%s", form[0], cases[i / 2].begin, (int)cases[i / 2].size, words,
                 cases[i / 2].end, form[1]);
        int code = definition_read(bytes_of_text(text), &limits, &d, &detail);
        ck_assert_msg((code == 0) == cases[i / 2].taken, "%s: %s", text, detail.text);
        definition_destroy(d);
        if (code == 0)
            continue;
        ck_assert_str_eq(detail.text, "is longer than 256 bytes");
        ck_assert_str_eq(detail.field, form[2]);
    }
}
END_TEST

/* A value has the form of its field, and one wrong among right ones is found. */
START_TEST(typed__a_literal_has_the_form_of_its_field)
{
    static const struct {
        const char *type, *output, *field, *words;
    } rows[] = {
        {"Known", "{at: {seconds: 1}}", "output.at", "must be one value"},
        {"Known", "{after: [1s]}", "output.after", "must be one value"},
        {"Known", "{mask: {paths: [a]}}", "output.mask", "must be one value"},
        {"Known", "{maybe_number: {value: 1}}", "output.maybe_number", "must be one value"},
        {"Known", "{times: [{seconds: 1}]}", "output.times[0]", "must be one value"},
        {"Order", "{customer: x}", "output.customer", "must be a mapping, the message shapes.Customer"},
        {"Order", "{customer: [x]}", "output.customer", "must be a mapping, the message shapes.Customer"},
        {"Order", "{order_id: {a: b}}", "output.order_id", "must be one value, of type string"},
        {"Order", "{order_id: [a]}", "output.order_id", "must be one value, of type string"},
        {"Order", "{counts: [1]}", "output.counts", "must be a mapping"},
        {"Order", "{notes: {a: b}}", "output.notes", "must be a list"},
        {"Order", "{notes: [null]}", "output.notes[0]", "is null; a list has no such items"},
        {"Order", "{notes: [[a], b]}", "output.notes[0]", "must be one value, of type string"},
        {"Order", "{counts: {a: many, b: 1}}", "output.counts.a", "must be"},
        {"Order", "{order_id: a, orderId: b}", "output.orderId", "is given twice, under two names"},
        {"Order", "{customer: {address: {zip: a, street: b, zip_code: c}}}", "output.customer.address.zip_code",
         "is given twice, under two names"},
        {"Order", "{card: a, notes: [], invoice: {}}", "output.invoice", "excludes card: both are of one oneof"},
        {"Order", "{customer: {nam: x, address: {}}}", "output.customer.nam",
         "shapes.Customer has no such field; did you mean name?"},
        {"Known", "{tims: []}", "output.tims", "shapes.Known has no such field; did you mean times?"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct definition *d = NULL;
        char text[512];
        snprintf(text, sizeof text,
                 HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve}\noutput: %s\noutput_type: shapes.%s\n",
                 rows[i].output, rows[i].type);
        ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == E_ARGUMENT, "%s", text);
        ck_assert_str_eq(detail.field, rows[i].field);
        ck_assert_msg(strstr(detail.text, rows[i].words) != NULL, "%s: %s", rows[i].output, detail.text);
    }
    static const struct {
        const char *top, *step, *field;
    } among[] = {
        {"require: [{that: \"1\", else: no}, {that: \"true\", else: no}]\n", "", "require[0].that"},
        {"", ", expect: [{that: \"1\", else: no}, {that: \"true\", else: no}]", "steps[0].expect[0].that"},
        {"tags: {a: [x], b: y}\n", "", "tags.a"},
        {"", ", metadata: {a: [x], b: y}", "steps[0].metadata.a"},
        {"let: {a: \"1 +\", b: \"1\"}\n", "", "let.a"},
    };
    for (size_t i = 0; i < sizeof among / sizeof *among; i++) {
        struct definition *d = NULL;
        char text[512];
        snprintf(text, sizeof text, "%s" HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve%s}\n",
                 among[i].top, among[i].step);
        ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) != 0, "%s", text);
        ck_assert_str_eq(detail.field, among[i].field);
    }
}
END_TEST

/* An instance of it for each that it stands in for, so many at once. */
START_TEST(typed__what_stands_in_for_a_loop_is_one)
{
    struct definition *d = NULL;
    const char *text =
        HEAD "  - {name: a, target: t, for_each: input.lines, max_items: 7, max_parallel: 3, action: {method: "
             "/shapes.Shop/Old, request: =item}, unavailable: fallback, fallback: {target: t, action: "
             "{method: /shapes.Shop/Old, request: =item}, fallback: {value: {sku: none}}}}\n";
    ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == 0, "%s: %s", detail.field, detail.text);
    ck_assert_uint_eq(d->step_count, 3);
    ck_assert_uint_eq(d->loop_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(d->steps[i].loop);
        ck_assert_uint_eq(d->steps[i].max_items, 7);
        ck_assert_uint_eq(d->steps[i].max_parallel, 3);
    }
    definition_destroy(d);
}
END_TEST

/* A saga's steps are its definition's, each loop's instances in its place. */
START_TEST(typed__a_step_of_a_saga_has_its_place)
{
    static const struct {
        unsigned step;
        int instance;
        const char *name;
    } places[] = {{0, 0, "a[0]"},          {0, 1, "a[1]"},          {0, 2, "a[2]"}, {1, 0, "a.fallback[0]"},
                  {1, 1, "a.fallback[1]"}, {1, 2, "a.fallback[2]"}, {2, -1, "b"},   {3, 0, "c[0]"},
                  {3, 1, "c[1]"}};
    static const char *const paths[] = {"steps[0]", "steps[0].fallback", "steps[1]",
                                        "steps[2]", "steps[2].fallback", "steps[2].fallback.fallback"};
    struct definition *d = NULL;
    const char *text = HEAD "  - {name: a, target: t, for_each: input.lines, max_items: 7, action: {method: "
                            "/shapes.Shop/Old, request: =item}, fallback: {value: "
                            "{sku: x}}}\n"
                            "  - {name: b, after: [a], target: t, action: /shapes.Shop/Reserve}\n"
                            "  - {name: c, after: [b], target: t, for_each: input.lines, max_items: 7, action: "
                            "{method: /shapes.Shop/Old, request: =item}}\n";
    ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == 0, "%s: %s", detail.field, detail.text);
    struct bytes counts = bytes_of("\3\0\3\0\2\0", 6), none = bytes_of("\0\0\0\0\0\0", 6),
                 many = bytes_of("\0\1\3\0\2\0", 6), most = bytes_of("\372\0\3\0\2\0", 6),
                 one_more = bytes_of("\372\0\4\0\2\0", 6);
    struct step_place place;
    char name[STEP_NAME_BYTES_MAX + 1], path[STEP_PATH_SIZE];
    ck_assert_int_eq(definition_step_total(d, counts), 9);
    for (unsigned i = 0; i < 9; i++) {
        ck_assert(definition_place(d, counts, i, &place));
        ck_assert_uint_eq(place.step, places[i].step);
        ck_assert_int_eq(place.instance, places[i].instance);
        ck_assert_uint_eq(definition_place_name(d, place, name), strlen(places[i].name));
        ck_assert_str_eq(name, places[i].name);
    }
    ck_assert(!definition_place(d, counts, 9, &place));
    /* Empty loops have no place; counts of another definition are none. */
    ck_assert_int_eq(definition_step_total(d, none), 1);
    ck_assert(definition_place(d, none, 0, &place) && place.step == 2 && place.instance == -1);
    ck_assert(!definition_place(d, none, 1, &place));
    ck_assert_int_eq(definition_step_total(d, bytes_of("\3\0", 2)), -1);
    ck_assert(!definition_place(d, bytes_of("\3\0", 2), 0, &place));
    ck_assert_int_eq(definition_step_total(d, many), -1);
    ck_assert_int_eq(definition_step_total(d, most), STEPS_LIMIT);
    ck_assert_int_eq(definition_step_total(d, one_more), -1);
    for (unsigned i = 0; i < 4; i++) {
        definition_step_path(d, i, path);
        ck_assert_str_eq(path, paths[i]);
    }
    definition_destroy(d);
    text =
        "name: n\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, action: /p.S/A}\n  - {name: b, target: t, action: "
        "/p.S/A}\n"
        "  - {name: c, target: t, action: /p.S/A, fallback: {target: u, action: /p.S/A, fallback: {value: input}}}\n";
    ck_assert_int_eq(definition_read(bytes_of_text(text), &limits, &d, &detail), 0);
    for (unsigned i = 3; i < 5; i++) {
        definition_step_path(d, i, path);
        ck_assert_str_eq(path, paths[i + 1]);
    }
    definition_destroy(d);
}
END_TEST

/* Where neither the call nor its step says it, of several targets the longest counts. */
START_TEST(typed__a_timeout_is_its_targets)
{
    static const struct participant at[] = {{.name = "quick", .timeout.us = 2000000},
                                            {.name = "slow", .timeout.us = 70000000}};
    static const struct participants both = {.at = at, .count = 2};
    static const struct {
        const char *target, *more;
        int64_t us;
    } cases[] = {{"quick", "", 2000000},
                 {"slow", "", 70000000},
                 {"gone", "", 10000000},
                 {"slow", ", timeout: 3s", 3000000},
                 {"{oneof: [quick, slow], by: \"'quick'\"}", "", 70000000},
                 {"{oneof: [slow, quick], by: \"'quick'\"}", "", 70000000},
                 {"{oneof: [quick, gone], by: \"'quick'\"}", "", 10000000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct definition *d = NULL;
        char text[512];
        snprintf(text, sizeof text, HEAD "  - {name: a, target: %s, action: /shapes.Shop/Reserve%s}\n", cases[i].target,
                 cases[i].more);
        ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == 0, "%s: %s", detail.field,
                      detail.text);
        ck_assert_int_eq(participants_timeout(&both, &d->steps[0], false).us, cases[i].us);
        definition_destroy(d);
    }
    ck_assert_ptr_eq(participants_find(&both, "slow"), &at[1]);
    ck_assert_ptr_null(participants_find(&both, "slower"));
    ck_assert_ptr_null(participants_find(&(struct participants){.at = NULL}, "slow"));
}
END_TEST

/* A key of a last good answer that is no expression is one for all. */
START_TEST(typed__a_key_is_a_text_or_an_expression)
{
    struct definition *d = NULL;
    const char *text = HEAD "  - {name: a, target: t, action: /shapes.Shop/Reserve, when: input.order_id != '', "
                            "fallback: {last_good: {key: all of them, max_age: 1h}}}\n"
                            "  - {name: b, after: [a], target: t, action: {method: /shapes.Shop/Reserve, request: "
                            "input}, fallback: {last_good: {key: =input.order_id, max_age: 1h}}}\n";
    ck_assert_msg(definition_read(bytes_of_text(text), &limits, &d, &detail) == 0, "%s: %s", detail.field, detail.text);
    ck_assert_str_eq(d->steps[1].kept_key, "all of them");
    ck_assert_ptr_null(d->steps[3].kept_key);
    definition_destroy(d);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("definition_typed");
    TCase *tests = tcase_create("typed");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, typed__methods_and_input_are_found);
    tcase_add_test(tests, typed__without_descriptors_only_the_form_is_checked);
    tcase_add_test(tests, typed__what_does_not_agree_is_refused);
    tcase_add_test(tests, typed__what_stands_in_for_a_loop_is_one);
    tcase_add_test(tests, typed__what_a_step_cannot_do_is_refused);
    tcase_add_test(tests, typed__a_text_without_a_value_is_refused);
    tcase_add_test(tests, typed__a_wrong_expression_is_told_where_it_is_wrong);
    tcase_add_test(tests, typed__parts_of_another_form_are_refused);
    tcase_add_test(tests, typed__a_name_that_means_something_else_is_refused);
    tcase_add_test(tests, typed__a_literal_that_could_mean_anything_is_refused);
    tcase_add_test(tests, typed__a_field_may_be_called_as_a_kind_of_request);
    tcase_add_test(tests, typed__the_words_of_a_condition_are_bounded);
    tcase_add_test(tests, typed__a_tag_and_metadata_have_a_length);
    tcase_add_test(tests, typed__a_literal_has_the_form_of_its_field);
    tcase_add_test(tests, typed__a_step_of_a_saga_has_its_place);
    tcase_add_test(tests, typed__a_timeout_is_its_targets);
    tcase_add_test(tests, typed__a_key_is_a_text_or_an_expression);
    tcase_add_test(tests, typed__a_target_is_one_of_several);
    tcase_add_test(tests, typed__a_choice_of_targets_that_means_nothing_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
