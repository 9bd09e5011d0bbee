/* Messages that expressions make, read and compare: each kind of field, the types that have values of their own, and what does not fit. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/expression.h"
#include "sidecar/message/json.h"
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

static struct datum evaluated(const char *text)
{
    const struct environment environment = {.schema = schema, .container = bytes_of_text("shapes")};
    const struct expression *e = NULL;
    struct expression_error error = {.text = ""};
    ck_assert_msg(expression_compile(bytes_of_text(text), &environment, &pool, &e, &error) == 0, "%s: %s", text,
                  error.text);
    return expression_evaluate(e, &(struct evaluation){.schema = schema, .pool = &pool, .cost_max = 100000});
}

/* Makes the message and writes it as JSON, which other code does. */
START_TEST(messages__are_made_of_values)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"Line{}", "{}"},
        {"Line{sku: '', quantity: 0}", "{}"},
        {"Line{sku: 'a', quantity: -1, price_cents: 9223372036854775807}",
         "{\"sku\":\"a\",\"quantity\":-1,\"priceCents\":\"9223372036854775807\"}"},
        {"Numbers{d: 0.1, f: 0.5, i64: -9223372036854775807, u64: 18446744073709551615u, i32: -2147483648, x64: 6u, "
         "x32: "
         "4294967295u, b: true, u32: 4294967295u, sx32: -8, sx64: -5, s32: 2147483647, s64: -7}",
         "{\"d\":0.1,\"f\":0.5,\"i64\":\"-9223372036854775807\",\"u64\":\"18446744073709551615\",\"i32\":-2147483648,"
         "\"x64\":\"6\",\"x32\":4294967295,\"b\":true,\"u32\":4294967295,\"sx32\":-8,\"sx64\":\"-5\",\"s32\":"
         "2147483647,"
         "\"s64\":\"-7\"}"},
        {"Numbers{ds: [0.5, -1.0], xs: [1u, 4294967295u]}", "{\"ds\":[0.5,-1],\"xs\":[1,4294967295]}"},
        {"Numbers{ds: []}", "{}"},
        {"Order{shifts: [1, -2], notes: ['a', ''], lines: [Line{sku: 'x'}, Line{}]}",
         "{\"lines\":[{\"sku\":\"x\"},{}],\"shifts\":[1,-2],\"notes\":[\"a\",\"\"]}"},
        {"Order{counts: {'b': 2, 'a': 1}, by_row: {-5: Line{quantity: 1}, 2: Line{}}}",
         "{\"counts\":{\"a\":\"1\",\"b\":\"2\"},\"byRow\":{\"-5\":{\"quantity\":1},\"2\":{}}}"},
        {"Order{color: Color.RED, token: b'\\xff', customer: Customer{address: Address{zip_code: '8000'}}}",
         "{\"customer\":{\"address\":{\"zip\":\"8000\"}},\"color\":\"RED\",\"token\":\"/w==\"}"},
        {"Order{cash: false}", "{\"cash\":false}"},
        {"Order{priority: 0}", "{\"priority\":0}"},
        {"Order{color: 17}", "{\"color\":17}"},
        {"Known{at: timestamp('1969-12-31T23:59:59.5Z'), after: duration('-1.5s')}",
         "{\"at\":\"1969-12-31T23:59:59.500Z\",\"after\":\"-1.500s\"}"},
        {"Known{at: null, after: null, any: null, bag: {}, list: []}",
         "{\"bag\":{},\"list\":[],\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Value\",\"value\":null}}"},
        {"Known{times: [timestamp(1), timestamp(2)]}",
         "{\"times\":[\"1970-01-01T00:00:01Z\",\"1970-01-01T00:00:02Z\"]}"},
        {"Known{mask: google.protobuf.FieldMask{paths: ['a_b', 'c.d']}}", "{\"mask\":\"aB,c.d\"}"},
        {"Known{maybe_number: 5, maybe_text: '', maybe_bytes: b'a', maybe_bool: false, maybe_double: 1.5}",
         "{\"maybeNumber\":\"5\",\"maybeText\":\"\",\"maybeBytes\":\"YQ==\",\"maybeBool\":false,\"maybeDouble\":1.5}"},
        {"Known{maybe_number: null, maybe_text: null}", "{}"},
        {"Known{nothing: google.protobuf.Empty{}}", "{\"nothing\":{}}"},
        {"Known{bag: {'n': null, 'b': true, 'i': 3, 'u': 4u, 'd': 0.5, 's': 'x', 'y': b'a', 'l': [1, 'z'], 'm': {'k': "
         "false}}}",
         "{\"bag\":{\"b\":true,\"d\":0.5,\"i\":3,\"l\":[1,\"z\"],\"m\":{\"k\":false},\"n\":null,\"s\":\"x\",\"u\":4,"
         "\"y\":"
         "\"YQ==\"}}"},
        /* What a double cannot hold is a text in JSON. */
        {"Known{list: [9007199254740991, 9007199254740992, -9007199254740991, -9007199254740992, 9007199254740991u, "
         "9007199254740992u]}",
         "{\"list\":[9007199254740991,\"9007199254740992\",-9007199254740991,\"-9007199254740992\",9007199254740991,"
         "\"9007199254740992\"]}"},
        {"Known{list: [timestamp(60), duration('90s'), google.protobuf.FieldMask{paths: ['a_b', 'c', 'x_1']}, "
         "google.protobuf.Empty{}]}",
         "{\"list\":[\"1970-01-01T00:01:00Z\",\"90s\",\"aB,c,x_1\",{}]}"},
        {"Known{any_json: null}", "{\"anyJson\":null}"},
        {"Known{any_json: 'x'}", "{\"anyJson\":\"x\"}"},
        {"Known{any_json: {'a': [true]}}", "{\"anyJson\":{\"a\":[true]}}"},
        {"Known{any: Line{sku: 'a'}}", "{\"any\":{\"@type\":\"type.googleapis.com/shapes.Line\",\"sku\":\"a\"}}"},
        {"Known{any: true}", "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.BoolValue\",\"value\":true}}"},
        {"Known{any: 5}", "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Int64Value\",\"value\":\"5\"}}"},
        {"Known{any: 18446744073709551615u}", "{\"any\":{\"@type\":\"type.googleapis.com/"
                                              "google.protobuf.UInt64Value\",\"value\":\"18446744073709551615\"}}"},
        {"Numbers{d: -0.0}", "{\"d\":-0.0}"},
        {"Known{any: 1.5}", "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.DoubleValue\",\"value\":1.5}}"},
        {"Known{any: 'a'}",
         "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.StringValue\",\"value\":\"a\"}}"},
        {"Known{any: b'a'}",
         "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.BytesValue\",\"value\":\"YQ==\"}}"},
        {"Known{any: [1]}", "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.ListValue\",\"value\":[1]}}"},
        {"Known{any: {'a': 1}}",
         "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":{\"a\":1}}}"},
        {"Known{any: timestamp(1)}",
         "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Timestamp\",\"value\":\"1970-01-01T00:00:01Z\"}}"},
        {"Known{any: duration('1s')}",
         "{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"1s\"}}"},
        {"Order{?order_id: optional.of('a'), ?card: optional.none()}", "{\"orderId\":\"a\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct datum d = evaluated(cases[i].text);
        struct bytes json;
        struct error_detail detail = {.text = ""};
        if (d.kind == DATUM_FAILURE)
            ck_abort_msg("%s: %.*s", cases[i].text, (int)d.failure->text.size, (const char *)d.failure->text.at);
        ck_assert_msg(d.kind == DATUM_MESSAGE, "%s", cases[i].text);
        int code = json_write(schema, d.message->type, d.message->wire, false, &pool, 1 << 16, &json, &detail);
        ck_assert_msg(code == 0, "%s: %s", cases[i].text, detail.text);
        ck_assert_str_eq((const char *)json.at, cases[i].json);
    }
}
END_TEST

START_TEST(messages__are_read_as_they_were_made)
{
    static const char *const texts[] = {
        "Numbers{d: 0.1}.d == 0.1 && Numbers{f: 0.5}.f == 0.5 && Numbers{i64: -3}.i64 == -3 && Numbers{u64: 3u}.u64 == "
        "3u",
        "Numbers{i32: -3}.i32 == -3 && Numbers{x64: 3u}.x64 == 3u && Numbers{x32: 3u}.x32 == 3u && Numbers{b: true}.b",
        "Numbers{u32: 3u}.u32 == 3u && Numbers{sx32: -3}.sx32 == -3 && Numbers{sx64: -3}.sx64 == -3",
        "Numbers{s32: -3}.s32 == -3 && Numbers{s64: -3}.s64 == -3 && Numbers{ds: [1.5, 2.5]}.ds == [1.5, 2.5]",
        "Numbers{xs: [1u, 2u]}.xs[1] == 2u && Numbers{}.xs == [] && Numbers{}.d == 0.0 && Numbers{}.u64 == 0u && "
        "!Numbers{}.b",
        "!has(Numbers{i32: 0}.i32) && has(Numbers{i32: 1}.i32) && !has(Numbers{ds: []}.ds) && has(Numbers{ds: "
        "[0.0]}.ds)",
        "has(Order{priority: 0}.priority) && has(Order{cash: false}.cash) && !has(Order{cash: false}.card)",
        "has(Order{customer: Customer{}}.customer) && !has(Order{}.customer) && Order{}.customer.address.street == ''",
        "Order{counts: {'a': 1}}.counts == {'a': 1} && Order{counts: {'a': 1}}.counts.a == 1 && Order{}.counts == {}",
        "has(Order{counts: {'a': 0}}.counts) && !has(Order{}.counts) && 'a' in Order{counts: {'a': 0}}.counts",
        "Order{by_row: {7: Line{sku: 'x'}}}.by_row[7].sku == 'x' && Order{token: b'ab'}.token == b'ab'",
        "Order{color: Color.BLUE}.color == -2 && Order{}.color == Color.COLOR_NONE && type(Order{}.color) == int",
        "Known{at: timestamp(5)}.at == timestamp(5) && Known{}.at == timestamp(0) && !has(Known{}.at) && "
        "has(Known{at: timestamp(0)}.at)",
        "Known{after: duration('-1.5s')}.after == duration('-1.5s') && Known{}.after == duration('0s')",
        "Known{at: timestamp('1969-12-31T23:59:59.25Z')}.at.getMilliseconds() == 250",
        "Known{maybe_number: 5}.maybe_number == 5 && Known{}.maybe_number == null && Known{maybe_text: ''}.maybe_text "
        "== ''",
        "Known{maybe_bool: false}.maybe_bool == false && Known{maybe_bytes: b'x'}.maybe_bytes == b'x'",
        "math.greatest(Known{maybe_number: 3}.maybe_number, 2) == 3",
        "Known{maybe_double: 0.0}.maybe_double == 0.0 && has(Known{maybe_double: 0.0}.maybe_double)",
        "Known{bag: {'a': {'b': [1, null]}}}.bag.a.b == [1.0, null] && Known{}.bag == {}",
        "Known{list: [1, 'x', true]}.list == [1.0, 'x', true] && Known{}.list == []",
        "Known{any_json: 'x'}.any_json == 'x' && Known{any_json: null}.any_json == null && Known{}.any_json == null",
        "Known{any_json: 2}.any_json == 2.0 && Known{any_json: true}.any_json == true && Known{any_json: [1]}.any_json "
        "== "
        "[1.0]",
        "Known{any: Line{sku: 'a'}}.any == Line{sku: 'a'} && Known{any: Line{sku: 'a'}}.any.sku == 'a'",
        "Known{any: 5}.any == 5 && Known{any: 'x'}.any == 'x' && Known{any: timestamp(1)}.any == timestamp(1)",
        "Known{any: duration('1s')}.any == duration('1s') && Known{any: [1]}.any == [1.0] && Known{any: {'a': 1}}.any "
        "== {'a': "
        "1.0}",
        "Known{times: [timestamp(1)]}.times == [timestamp(1)]",
        "google.protobuf.Int64Value{value: 3} == 3 && google.protobuf.StringValue{} == ''",
        "type(Line{}) != Order && type(dyn(Line{})) != type(dyn(Order{})) && type(Line{}) != google.protobuf.Timestamp",
        "has(dyn(Line{sku: 'a'}).sku) && !has(dyn(Line{}).sku) && !has(dyn(Order{}).priority) && "
        "!has(dyn(Order{}).lines)",
        "dyn(Line{sku: 'a'}).?sku.value() == 'a' && !dyn(Line{}).?sku.hasValue() && optional.of(Line{}).?sku == "
        "optional.none()",
        "!optional.ofNonZeroValue(Line{}).hasValue() && optional.ofNonZeroValue(Line{sku: 'a'}).hasValue()",
        "Known{}.any == null && type(Known{}.any) == null_type && !has(Known{}.any)",
        "Known{any: 5u}.any == 5u && type(Known{any: 5u}.any) == uint",
        "type(Known{any: 5}.any) == int && type(Line{}) == Line && type(Known{}.maybe_number) == null_type",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct datum d = evaluated(texts[i]);
        if (d.kind == DATUM_FAILURE)
            ck_abort_msg("%s: %.*s", texts[i], (int)d.failure->text.size, (const char *)d.failure->text.at);
        ck_assert_msg(d.kind == DATUM_BOOL && d.b, "%s is not true", texts[i]);
    }
}
END_TEST

START_TEST(messages__are_equal_when_their_fields_are)
{
    static const struct {
        const char *left, *right;
        bool equal;
    } cases[] = {
        {"Line{}", "Line{sku: ''}", true},
        {"Line{sku: 'a', quantity: 1}", "Line{quantity: 1, sku: 'a'}", true},
        {"Line{sku: 'a'}", "Line{sku: 'b'}", false},
        {"Line{sku: 'a'}", "Line{}", false},
        {"Line{}", "Line{price_cents: 1}", false},
        {"Order{priority: 0}", "Order{}", false},
        {"Order{}", "Order{priority: 0}", false},
        {"Order{counts: {'a': 1, 'b': 2}}", "Order{counts: {'b': 2, 'a': 1}}", true},
        {"Order{counts: {'a': 1}}", "Order{counts: {'a': 2}}", false},
        {"Order{counts: {'a': 1}}", "Order{counts: {'a': 1, 'b': 2}}", false},
        {"Order{shifts: [1, 2]}", "Order{shifts: [2, 1]}", false},
        {"Order{shifts: [1, 2]}", "Order{shifts: [1]}", false},
        {"Order{lines: [Line{sku: 'a'}]}", "Order{lines: [Line{sku: 'a'}]}", true},
        {"Order{lines: [Line{sku: 'a'}]}", "Order{lines: [Line{sku: 'b'}]}", false},
        {"Order{customer: Customer{}}", "Order{}", false},
        {"Order{card: 'x'}", "Order{cash: true}", false},
        {"Numbers{d: 0.0 / 0.0}", "Numbers{d: 0.0 / 0.0}", false},
        {"Numbers{d: 1.5}", "Numbers{d: 1.5}", true},
        {"Known{any: Line{sku: 'a'}}", "Known{any: Line{sku: 'a'}}", true},
        {"Known{any: Line{sku: 'a'}}", "Known{any: Line{sku: 'b'}}", false},
        {"Known{bag: {'a': 1, 'b': 2}}", "Known{bag: {'b': 2, 'a': 1}}", true},
        {"Known{at: timestamp(1)}", "Known{at: timestamp(2)}", false},
        {"dyn(Line{})", "dyn(Address{})", false},
        {"dyn(Line{})", "dyn(1)", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const char *const forms[3][3] = {{"", " == ", ""}, {"!(", " != ", ")"}, {"", " in [", "]"}};
        for (size_t k = 0; k < 3; k++) {
            char text[512];
            snprintf(text, sizeof text, "%s%s%s%s%s", forms[k][0], cases[i].left, forms[k][1], cases[i].right,
                     forms[k][2]);
            struct datum d = evaluated(text);
            ck_assert_msg(d.kind == DATUM_BOOL && d.b == cases[i].equal, "%s", text);
        }
    }
}
END_TEST

/* What hides its type behind dyn is told when it is evaluated. */
START_TEST(messages__refuse_what_does_not_fit)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"Numbers{i32: 2147483648}", "range: the number does not fit the field i32"},
        {"Numbers{i32: -2147483649}", "range: the number does not fit the field i32"},
        {"Numbers{s32: 2147483648}", "range: the number does not fit the field s32"},
        {"Numbers{sx32: 2147483648}", "range: the number does not fit the field sx32"},
        {"Numbers{u32: 4294967296u}", "range: the number does not fit the field u32"},
        {"Numbers{x32: 4294967296u}", "range: the number does not fit the field x32"},
        {"Numbers{xs: [1u, 4294967296u]}", "range: the number does not fit the field xs"},
        {"Order{color: 2147483648}", "range: the number does not fit the field color"},
        {"Numbers{i32: dyn(1u)}", "a value of another type cannot be in the field i32"},
        {"Numbers{u32: dyn(1)}", "a value of another type cannot be in the field u32"},
        {"Numbers{d: dyn(1)}", "a value of another type cannot be in the field d"},
        {"Numbers{b: dyn(1)}", "a value of another type cannot be in the field b"},
        {"Numbers{ds: dyn(1)}", "a value of another type cannot be in the field ds"},
        {"Numbers{ds: dyn([1])}", "a value of another type cannot be in the field ds"},
        {"Line{sku: dyn(b'a')}", "a value of another type cannot be in the field sku"},
        {"Order{token: dyn('a')}", "a value of another type cannot be in the field token"},
        {"Order{color: dyn(null)}", "a value of another type cannot be in the field color"},
        {"Order{counts: dyn([1])}", "a value of another type cannot be in the field counts"},
        {"Order{counts: dyn({1: 1})}", "a value of another type cannot be in the field key"},
        {"Order{counts: dyn({'a': 'b'})}", "a value of another type cannot be in the field value"},
        {"Order{customer: dyn(Line{})}", "a value of another type cannot become a shapes.Customer"},
        {"Known{at: dyn(1)}", "a value of another type cannot become a google.protobuf.Timestamp"},
        {"Known{after: dyn(timestamp(1))}", "a value of another type cannot become a google.protobuf.Duration"},
        {"Known{bag: dyn([1])}", "a value of another type cannot become a google.protobuf.Struct"},
        {"Known{list: dyn({'a': 1})}", "a value of another type cannot become a google.protobuf.ListValue"},
        {"Known{any_json: dyn(Line{})}", "a message of this type cannot be JSON: shapes.Line"},
        {"Known{any_json: dyn(int)}", "a value of this type cannot be JSON"},
        {"Known{any: dyn(int)}",
         "a value of this type cannot be in an Any, or the schema lacks the type that would hold it"},
        {"Known{any: [dyn(int)]}", "a value of this type cannot be JSON"},
        {"Known{any: {'a': Line{}}}", "a message of this type cannot be JSON: shapes.Line"},
        {"Known{list: [{'a': [dyn(int)]}]}", "a value of this type cannot be JSON"},
        {"Known{maybe_number: dyn('x')}", "a value of another type cannot be in the field value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct datum d = evaluated(cases[i].text);
        ck_assert_msg(d.kind == DATUM_FAILURE, "%s", cases[i].text);
        /* Where it stands goes with the text. */
        char moved[256];
        snprintf(moved, sizeof moved, "       %s", cases[i].text);
        struct datum later = evaluated(moved);
        ck_assert(later.kind == DATUM_FAILURE && later.failure->position == d.failure->position + 7);
        ck_assert_msg(bytes_equal(d.failure->text, bytes_of_text(cases[i].words)), "%s: %.*s", cases[i].text,
                      (int)d.failure->text.size, (const char *)d.failure->text.at);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("expression_messages");
    Suite *s = suite_create("expression_messages");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, messages__are_made_of_values);
    tcase_add_test(c, messages__are_read_as_they_were_made);
    tcase_add_test(c, messages__are_equal_when_their_fields_are);
    tcase_add_test(c, messages__refuse_what_does_not_fit);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
