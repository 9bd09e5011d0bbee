/* What type an expression has, what names mean, and what is refused for its type or its form, with words that help. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/expression.h"
#include "sidecar/expression/type.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct schema *schema;
static struct pool pool;

static void setup(void)
{
    schema = shapes_schema();
    pool_init(&pool, &heap, 8 << 20);
}

static void teardown(void)
{
    pool_finish(&pool);
    schema_destroy(schema);
}

/* In the package `container`, where input is an order. */
static const struct expression *compiled(const char *container, const char *text, struct expression_error *error)
{
    struct variable input = {.name = bytes_of_text("input"),
                             .type = type_of_message(&pool, shapes_type(schema, "Order"))};
    const struct environment environment = {
        .schema = schema, .container = bytes_of_text(container), .variables = &input, .variable_count = 1};
    const struct expression *e = NULL;
    *error = (struct expression_error){.text = ""};
    return expression_compile(bytes_of_text(text), &environment, &pool, &e, error) == 0 ? e : NULL;
}

START_TEST(types__are_told_before_anything_runs)
{
    static const struct {
        const char *text, *type;
    } cases[] = {
        {"null", "null_type"},
        {"[1, 2]", "list(int)"},
        {"[]", "list(dyn)"},
        {"[1, 'a']", "list(dyn)"},
        {"[1, dyn('a')]", "list(dyn)"},
        {"[dyn(1), 2]", "list(dyn)"},
        {"[[1], []]", "list(list(int))"},
        {"[[], [1]]", "list(list(int))"},
        {"[1, ?optional.of(2)]", "list(int)"},
        {"[?optional.of('a')]", "list(string)"},
        {"{}", "map(dyn, dyn)"},
        {"{'a': 1}", "map(string, int)"},
        {"{'a': 1, 'b': 'c'}", "map(string, dyn)"},
        {"{'a': 1, 2: 3}", "map(dyn, int)"},
        {"{'a': 1, ?'b': optional.of(2)}", "map(string, int)"},
        {"[{'a': 1}, {'a': dyn('b')}]", "list(map(string, dyn))"},
        {"[{'a': dyn('b')}, {'a': 1}]", "list(map(string, dyn))"},
        {"[{dyn(1): 1}, {2: 1}]", "list(map(dyn, int))"},
        {"true ? {'a': 1} : {'a': dyn('b')}", "map(string, dyn)"},
        {"{1u: {true: [b'']}}", "map(uint, map(bool, list(bytes)))"},
        {"true ? [1] : []", "list(int)"},
        {"true ? null : null", "null_type"},
        {"true ? optional.of(1) : null", "optional_type(int)"},
        {"[optional.of(1), null]", "list(optional_type(int))"},
        {"optional.of(1) == null", "bool"},
        {"[null, null]", "list(null_type)"},
        {"[null] + [null]", "list(null_type)"},
        {"true ? [] : [1]", "list(int)"},
        {"true ? 1 : dyn('a')", "dyn"},
        {"true ? input.at : timestamp(0)", "google.protobuf.Timestamp"},
        {"true ? input.customer : null", "shapes.Customer"},
        {"true ? null : input.at", "google.protobuf.Timestamp"},
        {"true ? Known{}.maybe_number : null", "wrapper(int)"},
        {"true ? Known{}.maybe_number : 1", "wrapper(int)"},
        {"true ? 1 : Known{}.maybe_number", "wrapper(int)"},
        {"[input.customer, null]", "list(shapes.Customer)"},
        {"input", "shapes.Order"},
        {"input.lines", "list(shapes.Line)"},
        {"input.counts", "map(string, int)"},
        {"input.by_row", "map(int, shapes.Line)"},
        {"input.color", "int"},
        {"input.token", "bytes"},
        {"Numbers{}.d", "double"},
        {"Numbers{}.f", "double"},
        {"Numbers{}.i64", "int"},
        {"Numbers{}.i32", "int"},
        {"Numbers{}.s64", "int"},
        {"Numbers{}.s32", "int"},
        {"Numbers{}.sx64", "int"},
        {"Numbers{}.sx32", "int"},
        {"Numbers{}.u64", "uint"},
        {"Numbers{}.u32", "uint"},
        {"Numbers{}.x64", "uint"},
        {"Numbers{}.x32", "uint"},
        {"Numbers{}.b", "bool"},
        {"Numbers{}.ds", "list(double)"},
        {"Numbers{}.xs", "list(uint)"},
        {"input.?customer", "optional_type(shapes.Customer)"},
        {"input.?customer.name", "optional_type(string)"},
        {"input.lines[0]", "shapes.Line"},
        {"input.lines[?0]", "optional_type(shapes.Line)"},
        {"input.counts[?'a']", "optional_type(int)"},
        {"input.counts.a", "int"},
        {"Known{}.maybe_number", "wrapper(int)"},
        {"Known{}.maybe_bytes", "wrapper(bytes)"},
        {"Known{}.bag", "map(string, dyn)"},
        {"Known{}.list", "list(dyn)"},
        {"Known{}.any", "dyn"},
        {"Known{}.any_json", "dyn"},
        {"Known{}.null_value", "null_type"},
        {"Known{}.times", "list(google.protobuf.Timestamp)"},
        {"Known{}.mask", "google.protobuf.FieldMask"},
        {"has(input.card)", "bool"},
        {"[1].all(x, x > 0)", "bool"},
        {"[1].filter(x, x > 0)", "list(int)"},
        {"[1].map(x, string(x))", "list(string)"},
        {"[1].map(x, x > 0, [x])", "list(list(int))"},
        {"{'a': 1}.map(k, k)", "list(string)"},
        {"{'a': 1}.filter(k, true)", "list(string)"},
        {"{'a': 1}.exists(k, v, v > 0)", "bool"},
        {"[1].transformList(i, v, string(v))", "list(string)"},
        {"['a'].transformMap(i, v, v)", "map(int, string)"},
        {"{'a': 1}.transformMap(k, v, v > 0, [v])", "map(string, list(int))"},
        {"{'a': 1}.transformMapEntry(k, v, {v: k})", "map(int, string)"},
        {"optional.of(1).optMap(x, string(x))", "optional_type(string)"},
        {"optional.of(1).optFlatMap(x, optional.of(x))", "optional_type(int)"},
        {"optional.none()", "optional_type(dyn)"},
        {"optional.none().orValue(1)", "int"},
        {"optional.of([1]).or(optional.none())", "optional_type(list(int))"},
        {"cel.bind(x, [1], x + x)", "list(int)"},
        {"[1] + []", "list(int)"},
        {"dyn(1) + 1", "int"},
        {"dyn(1) < 2", "bool"},
        {"dyn(1)", "dyn"},
        {"math.greatest(1, 2)", "int"},
        {"math.greatest(1, 2u)", "dyn"},
        {"math.least([1.5, 2.5])", "double"},
        {"math.greatest(Known{}.maybe_number, 1)", "int"},
        {"math.least(1, Known{}.maybe_double)", "dyn"},
        {"math.least([Known{}.maybe_double])", "double"},
        {"math.least(dyn(1), 2)", "dyn"},
        {"[1, 2].sum()", "int"},
        {"timestamp(1) - timestamp(0)", "google.protobuf.Duration"},
        {"type(1)", "type(int)"},
        {"int", "type(int)"},
        {"Line", "type(shapes.Line)"},
        {"Color.RED", "int"},
        /* A list beside anything may hold anything. */
        {"cel.bind(l, [], [l, dyn(1)] == [] || l == [1] || l == ['a'])", "bool"},
        {"cel.bind(l, [], l == dyn([1]) || l == [1] || l == ['a'])", "bool"},
        /* What could not be one type leaves nothing behind. */
        {"cel.bind(l, [], true || [{l[0]: 1}, {'a': 'b'}] == [] || l == [1])", "bool"},
        {"cel.bind(l, [], true || [{l[0]: 1}, {'a': 'b'}] == [] || l == ['a'])", "bool"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct expression_error error;
        char type[120];
        const struct expression *e = compiled("shapes", cases[i].text, &error);
        ck_assert_msg(e != NULL, "%s: %s", cases[i].text, error.text);
        type_print(expression_type(e), type, sizeof type);
        ck_assert_msg(strcmp(type, cases[i].type) == 0, "%s: %s", cases[i].text, type);
    }
    /* What has no room is cut off. */
    struct expression_error error;
    char small[9];
    ck_assert_uint_eq(type_print(expression_type(compiled("", "[[1]]", &error)), small, sizeof small), 8);
    ck_assert_str_eq(small, "list(lis");
}
END_TEST

/* A name is sought in the package itself, and then in those around it. */
START_TEST(types__names_are_sought_from_within)
{
    static const struct {
        const char *container, *text;
        bool found;
    } cases[] = {
        {"shapes", "Line{}", true},
        {"shapes", "shapes.Line{}", true},
        {"shapes", ".shapes.Line{}", true},
        {"shapes", ".Line{}", false},
        {"shapes.inner.most", "Line{}", true},
        {"shapes.inner.most", "shapes.Line{}", true},
        {"other", "Line{}", false},
        {"other", "shapes.Line{}", true},
        {"", "shapes.Line{}", true},
        {"", "Line{}", false},
        {"google", "protobuf.Duration{}", true},
        {"google.protobuf", "Duration{}", true},
        {"shapes", "Color.RED", true},
        {"", "shapes.Color.RED", true},
        {"", "Color.RED", false},
        {"shapes", "Color.RED2", false},
        {"shapes", ".Color.RED", false},
        {"shapes", ".shapes.Color.RED", true},
        {"shapes", "cel.bind(x, 1, x + 1) > 1", true}, /* which means nothing behind it */
        {"shapes", "cel.bind(x, 1, x) + x", false},
        {"shapes", "[1].map(x, x) + [x]", false},
        {"shapes", "optional.of(1).optMap(x, x).orValue(x)", false},
        {"shapes", "google.protobuf.NullValue.NULL_VALUE == null", true},
        {"shapes", "math.abs(1)", true},
        {"shapes", "[1].all(input, input > 0)", true}, /* the nearest meaning */
        {"shapes", ".input.order_id", true},
        {"shapes", "[1].all(input, input.order_id == '')", false},
        {"shapes", "[1].all(input, .input.order_id == '')", true}, /* not the nearest */
        {"shapes", "[1].all(input, .input == input)", false},
        {"shapes", "cel.bind(shapes, 1, shapes.Line{} == Line{})", false},
        {"shapes", "cel.bind(shapes, 1, .shapes.Line{} == Line{})", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct expression_error error;
        ck_assert_msg((compiled(cases[i].container, cases[i].text, &error) != NULL) == cases[i].found, "%s: %s in %s",
                      cases[i].text, error.text, cases[i].container);
    }
}
END_TEST

START_TEST(types__what_is_refused_says_why)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"{1.5: 1}", "a map's key is a bool, an int, a uint or a string, and this is double"},
        {"{null: 1}", "a map's key is a bool, an int, a uint or a string, and this is null_type"},
        {"{b'': 1}", "a map's key is a bool, an int, a uint or a string, and this is bytes"},
        {"{[1]: 1}", "a map's key is a bool, an int, a uint or a string, and this is list(int)"},
        {"{{1: 2}: 1}", "a map's key is a bool, an int, a uint or a string, and this is map(int, int)"},
        {"{'a': 1, ?'b': 2}", "behind ? an optional is expected, and this is int"},
        {"Line{?sku: 'a'}", "behind ? an optional is expected, and this is string"},
        {"true ? [1] : ['a']", "both branches have one type; these are list(int) and list(string)"},
        {"true ? 1 : null", "both branches have one type; these are int and null_type"},
        {"[1].filter(x, x)", "a condition is a bool"},
        {"[1].map(x, 1, x)", "a condition is a bool"},
        {"{'a': 1}.transformMapEntry(k, v, v)", "transformMapEntry makes an entry, {key: value}, of every item"},
        {"optional.of(1).optFlatMap(x, x)", "optFlatMap makes an optional; optMap takes any value"},
        {"{'a': 1}.all(k, k, true)", "a macro's two names must differ"},
        {"[1].all(1, true)", "a macro gives its items a simple name"},
        {"[1].all(x, 1, true)", "a macro gives its items a simple name"},
        {"{'a': 1}.transformMap(k, [v], k)", "a macro gives its items a simple name"},
        {"cel.bind(a.b, 1, 2)", "cel.bind gives its value a simple name"},
        {"has(input.?card)", "has() is asked of a field: has(message.field)"},
        {"has(has(input.card))", "has() is asked of a field: has(message.field)"},
        {"math.greatest('a')", "math.greatest"},
        {"math.greatest([])", "math.greatest"},
        {"math.greatest(1, Known{}.maybe_text)", "math.greatest"},
        {"math.greatest()", "math.greatest"},
        {"math.least(['a'])", "math.least"},
        {"math.greatest([1], [2])", "math.greatest"},
        {"math.least(1, [2])", "math.least"},
        {"math.greatest([[1]])", "math.greatest"},
        {"math.least(1, true)", "math.least"},
        {"Line{sku: Known{}.maybe_number}", "the field sku is string, and this is wrapper(int)"},
        {"Known{maybe_text: Known{}.maybe_number}",
         "the field maybe_text is wrapper(string), and this is wrapper(int)"},
        {"has(input.color) == 1",
         "== cannot be used with (bool, int); convert with int(), uint(), double() or string()"},
        {"input.at.getMilliseconds('Europe/Berlin')", "time zones are UTC and fixed offsets"},
        {"input.at.getFullYear('Europe/Berlin')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('+')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours(':00')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('+01')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('+01:')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('+0100')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('+001:00')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('+01:000')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('+-1:00')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('-+1:00')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('+24:00')", "time zones are UTC and fixed offsets"},
        {"input.at.getHours('+01:60')", "time zones are UTC and fixed offsets"},
        {"[1] + ['a']", "+ cannot be used with (list(int), list(string))"},
        /* A list that would hold itself. */
        {"cel.bind(l, [], l + [l])", "+ cannot be used with (list(dyn), list(list(dyn)))"},
        {"cel.bind(l, [], l + [{1: l}])", "+ cannot be used with (list(dyn), list(map(int, list(dyn))))"},
        {"cel.bind(l, [], [l, [1]] == [] || l == ['a'])", "== cannot be used with (list(int), list(string))"},
        {"1 in ['a']", "in cannot be used with (int, list(string))"},
        {"{'a': 1}[1]", "cannot be used with (map(string, int), int)"},
        {"!1", "! cannot be used with (int)"},
        {"-'a'", "- cannot be used with (string)"},
        {"1 && true", "bool"},
        {"input.`order`", "shapes.Order"},
        {"{'a': 1}.`a?`", "a name in `...` has letters, digits, and any of _ . - / and spaces"},
    };
    struct expression_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(compiled("shapes", cases[i].text, &error) == NULL, "%s", cases[i].text);
        ck_assert_msg(strstr(error.text, cases[i].words) != NULL, "%s: %s", cases[i].text, error.text);
    }
    ck_assert_ptr_nonnull(compiled("shapes", "{'a/b c-d._1': 1}.`a/b c-d._1` == 1", &error));
    /* Words of CEL that are kept for what may come; true, false, null and in mean something. */
    static const char *const reserved[] = {"as",        "break",  "const",  "continue", "else", "for",
                                           "function",  "if",     "import", "let",      "loop", "package",
                                           "namespace", "return", "var",    "void",     "while"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        char text[64];
        ck_assert_ptr_null(compiled("shapes", reserved[i], &error));
        ck_assert_msg(strstr(error.text, "reserved") != NULL, "%s: %s", reserved[i], error.text);
        snprintf(text, sizeof text, "{'%s': 1}.%s == 1", reserved[i], reserved[i]);
        ck_assert_msg(compiled("shapes", text, &error) != NULL, "%s: %s", text, error.text);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("expression_types");
    Suite *s = suite_create("expression_types");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, types__are_told_before_anything_runs);
    tcase_add_test(c, types__names_are_sought_from_within);
    tcase_add_test(c, types__what_is_refused_says_why);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
