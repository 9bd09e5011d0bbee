/* The language over the messages of shapes.proto. What CEL itself says is proven by make cel-conformance; here is what users of definitions lean on, its
 * bounds, and its errors with their places. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/examine.h"
#include "sidecar/expression/fields.h"
#include "sidecar/expression/run_inside.h"
#include "sidecar/message/build.h"
#include "tests/support/shapes.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <stdio.h>

static struct schema *schema;
static struct pool pool;
static struct variable variables[4];
static struct datum values[4];
static struct environment environment;

static struct bytes line(const char *sku, int64_t quantity, int64_t price)
{
    const struct message_type *t = shapes_type(schema, "Line");
    struct builder b;
    struct bytes wire;
    builder_init(&b, &pool, 4096);
    build_field(&b, shapes_field(t, "sku"), &(struct value){.kind = FIELD_STRING, .text = bytes_of_text(sku)});
    build_field(&b, shapes_field(t, "quantity"), &(struct value){.kind = FIELD_INT32, .i = quantity});
    build_field(&b, shapes_field(t, "price_cents"), &(struct value){.kind = FIELD_INT64, .i = price});
    ck_assert_int_eq(builder_finish(&b, &wire), 0);
    return wire;
}

/* An order of two lines. */
static struct bytes order(void)
{
    const struct message_type *t = shapes_type(schema, "Order");
    struct builder b;
    struct bytes wire;
    builder_init(&b, &pool, 4096);
    build_field(&b, shapes_field(t, "order_id"), &(struct value){.kind = FIELD_STRING, .text = bytes_of_text("o-1")});
    build_field(&b, shapes_field(t, "lines"), &(struct value){.kind = FIELD_MESSAGE, .text = line("nut", 3, 250)});
    build_field(&b, shapes_field(t, "lines"), &(struct value){.kind = FIELD_MESSAGE, .text = line("bolt", 2, 100)});
    build_field(&b, shapes_field(t, "card"), &(struct value){.kind = FIELD_STRING, .text = bytes_of_text("4111")});
    ck_assert_int_eq(builder_finish(&b, &wire), 0);
    return wire;
}

static void setup(void)
{
    schema = shapes_schema();
    pool_init(&pool, &heap, 1 << 22);
    struct evaluation e = {.schema = schema, .pool = &pool, .cost_max = 1000};
    variables[0] =
        (struct variable){.name = bytes_of_text("input"), .type = type_of_message(&pool, shapes_type(schema, "Order"))};
    values[0] = datum_of_message(&e, 0, shapes_type(schema, "Order"), order());
    variables[1] = (struct variable){.name = bytes_of_text("saga.id"), .type = &type_string};
    values[1] = datum_string(bytes_of_text("9f03-2a"));
    variables[2] = (struct variable){.name = bytes_of_text("steps.pay.output"),
                                     .type = type_of_message(&pool, shapes_type(schema, "Line")),
                                     .may_be_absent = true};
    values[2] = datum_absent;
    variables[3] = (struct variable){.name = bytes_of_text("anything"), .type = &type_dyn};
    values[3] = datum_int(7);
    environment = (struct environment){
        .schema = schema, .container = bytes_of_text("shapes"), .variables = variables, .variable_count = 4};
}

static void teardown(void)
{
    pool_finish(&pool);
    schema_destroy(schema);
}

static const struct expression *compiled(const char *text)
{
    const struct expression *e = NULL;
    struct expression_error error = {.text = ""};
    int code = expression_compile(bytes_of_text(text), &environment, &pool, &e, &error);
    ck_assert_msg(code == 0, "%.200s: %s", text, error.text);
    return e;
}

static struct datum evaluated_within(const char *text, uint64_t cost_max)
{
    struct evaluation e = {.schema = schema, .pool = &pool, .variables = values, .cost_max = cost_max};
    return expression_evaluate(compiled(text), &e);
}

static void is_true(const char *text)
{
    struct datum d = evaluated_within(text, 100000);
    if (d.kind == DATUM_FAILURE)
        ck_abort_msg("%.200s: %.*s", text, (int)d.failure->text.size, (const char *)d.failure->text.at);
    ck_assert_msg(d.kind == DATUM_BOOL && d.b, "%.200s is not true", text);
}

/* Fails when evaluated, with these words, at the place of the mark in text. */
static void fails(const char *text, const char *words, uint32_t position)
{
    struct datum d = evaluated_within(text, 100000);
    ck_assert_msg(d.kind == DATUM_FAILURE, "%s does not fail", text);
    char said[256];
    snprintf(said, sizeof said, "%.*s", (int)d.failure->text.size, (const char *)d.failure->text.at);
    ck_assert_msg(strstr(said, words) != NULL, "%s: %s", text, said);
    ck_assert_msg(d.failure->position == position, "%s: at %u", text, d.failure->position);
}

/* Is refused with this code and these words, at this line and column. */
static void refused(const char *text, int code, const char *words, int at_line, int column)
{
    const struct expression *e;
    struct expression_error error;
    int got = expression_compile(bytes_of_text(text), &environment, &pool, &e, &error);
    ck_assert_msg(got == code, "%.200s: %d %s", text, got, got == 0 ? "" : error.text);
    ck_assert_msg(strstr(error.text, words) != NULL, "%.200s: %s", text, error.text);
    ck_assert_msg(error.line == at_line && error.column == column, "%.200s: at %d:%d", text, error.line, error.column);
}

START_TEST(expression__reads_the_fields_of_messages)
{
    is_true("input.order_id == 'o-1' && input.lines[1].sku == 'bolt'");
    is_true("input.lines.map(l, l.price_cents * l.quantity).sum() == 950");
    is_true("size(input.lines) == 2 && input.lines.all(l, l.quantity > 1)");
    is_true("input.lines.filter(l, l.price_cents > 100).map(l, l.sku).join(',') == 'nut'");
    is_true("has(input.card) && !has(input.invoice) && !has(input.priority) && !has(input.customer.address)");
    is_true("input.customer.address.street == '' && input.priority == 0");
    is_true("saga.id + '/' + input.order_id == '9f03-2a/o-1'");
    is_true("input.color == Color.COLOR_NONE && Color.BLUE == -2");
    is_true("type(input) == Order && type(input.at) == google.protobuf.Timestamp");
}
END_TEST

/* What comes from outside may be what nothing here would make. */
START_TEST(expression__reads_messages_that_others_made)
{
    static const struct {
        const char *wire, *text; /* of a shapes.Known; a text that is NULL cannot be read */
        bool fails;
    } cases[] = {
        {"1:{1:5 2:999999999}", "anything.at.getMilliseconds() == 999", false},
        {"1:{1:5 2:1000000000}", "anything.at == timestamp(5)", true},
        {"2:{1:5 2:999999999}", "anything.after == duration('5.999999999s')", false},
        {"2:{1:5 2:1000000000}", "anything.after == duration('6s')", true},
        {"2:{1:5 2:-1000000000}", "anything.after == duration('4s')", true},
        {"2:{1:-5 2:-999999999}", "anything.after == duration('-5.999999999s')", false},
        {"2:{1:9223372036}", "anything.after == duration('9223372036s')", false},
        {"2:{1:9223372037}", "anything.after > duration('0s')", true},
        /* A name without a place before it is one, too. */
        {"7:{1:'shapes.Line' 2:{1:'a'}}", "anything.any == Line{sku: 'a'}", false},
        {"7:{1:'x/y/shapes.Line' 2:{1:'a'}}", "anything.any == Line{sku: 'a'}", false},
        {"7:{1:'shapes.Line/' 2:{1:'a'}}", "anything.any == Line{sku: 'a'}", true},
        {"7:{2:{1:'a'}}", "anything.any == Line{sku: 'a'}", true},
        /* Of the kinds that a value has the last counts. */
        {"5:{3:'a' 4:1}", "anything.any_json == true", false},
        {"5:{4:1 3:'a'}", "anything.any_json == 'a'", false},
        {"5:{1:0 3:'a' 1:0}", "anything.any_json == null", false},
        {"5:{}", "anything.any_json == null", false},
        /* And of values of one key. */
        {"4:{1:{1:'a' 2:{3:'x'}} 1:{1:'b' 2:{3:'z'}} 1:{1:'a' 2:{3:'y'}}}", "anything.bag == {'a': 'y', 'b': 'z'}",
         false},
        /* What the schema does not know is the same when its bytes are. */
        {"7:{1:'x/no.Such' 2:'a'}", "anything.any == 1", true},
        {"7:{1:'x/no.Such' 2:'a'}", "anything == anything", false},
        {"7:{1:'x/no.Such' 2:'a'}", "anything != Known{}", false},
    };
    struct evaluation e = {.schema = schema, .pool = &pool, .cost_max = 1000};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *wire = pool_take(&pool, 256);
        size_t size = wire_of_text(cases[i].wire, wire, 256);
        values[3] = datum_of_message(&e, 0, shapes_type(schema, "Known"), bytes_of(wire, size));
        struct datum d = evaluated_within(cases[i].text, 1000);
        ck_assert_msg((d.kind == DATUM_FAILURE) == cases[i].fails && (cases[i].fails || d.b), "%s: %s", cases[i].wire,
                      cases[i].text);
    }
    /* What ends within a value is told as that, whatever it should be. */
    static const char *const damaged[][2] = {
        {"1:'\x08'", "anything.at == timestamp(0)"},
        {"1:'\x08\x05\x10'", "anything.at == timestamp(5)"},
        {"2:'\x08'", "anything.after == duration('0s')"},
        {"2:'\x08\x05\x10'", "anything.after == duration('5s')"},
        {"8:'\x08'", "anything.maybe_number == 0"},
        {"5:'\x11'", "anything.any_json == 0.0"},
        {"6:'\x0a'", "anything.list == []"},
        {"4:'\x0a'", "anything.bag == {}"},
        {"4:{1:'\x0a'}", "anything.bag == {}"},
        {"7:'\x0a'", "anything.any == null"},
        {"15:'\x08'", "anything.times == []"},
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        uint8_t *wire = pool_take(&pool, 256);
        size_t size = wire_of_text(damaged[i][0], wire, 256);
        values[3] = datum_of_message(&e, 0, shapes_type(schema, "Known"), bytes_of(wire, size));
        fails(damaged[i][1], "a message's bytes are damaged", 8);
    }
    /* Also of a message whose type is found when it runs. */
    uint8_t *broken = pool_take(&pool, 64);
    values[3] = datum_of_message(&e, 0, shapes_type(schema, "Known"),
                                 bytes_of(broken, wire_of_text("7:{1:'x/shapes.Line' 2:'\x0a'}", broken, 64)));
    fails("anything.any.sku", "a message's bytes are damaged", 12);
    fails("has(anything.any.sku)", "a message's bytes are damaged", 16);
    fails("anything.any.?sku", "a message's bytes are damaged", 12);
    static const char *const unknown[] = {"7:{1:'x/no.Such' 2:'a'}", "7:{1:'x/no.Such' 2:'b'}",
                                          "7:{1:'y/no.Such' 2:'a'}", "7:{1:'x/no.Such'}"};
    for (size_t i = 0; i < 16; i++) {
        uint8_t *both = pool_take(&pool, 256);
        size_t first = wire_of_text(unknown[i / 4], both, 128), second = wire_of_text(unknown[i % 4], both + 128, 128);
        struct datum a = datum_of_message(&e, 0, shapes_type(schema, "Known"), bytes_of(both, first)), failed,
                     b = datum_of_message(&e, 0, shapes_type(schema, "Known"), bytes_of(both + 128, second));
        ck_assert_int_eq(datum_equal(&e, 0, &a, &b, &failed), i / 4 == i % 4);
    }
}
END_TEST

START_TEST(expression__makes_messages_with_their_fields_in_order)
{
    is_true("Line{price_cents: 5, sku: 'x'}.price_cents == 5");
    is_true("Order{order_id: 'a', lines: input.lines, counts: {'n': 1}}.lines.size() == 2");
    /* As many fields as any type here has. */
    is_true("Thicket{name: 'x', a: Thicket{}, b: Thicket{}, c: Thicket{}, d: Thicket{}, e: Thicket{}, f: [Thicket{}], "
            "g: [], h: {'a': Thicket{}}, i: {}, j: Thicket{}, k: Thicket{}, l: Thicket{}, m: Thicket{}, n: Thicket{}, "
            "o: Thicket{}, p: Thicket{}, q: Thicket{}, r: Thicket{}, s: Thicket{name: 'y'}}.s.name == 'y'");
    is_true("Order{priority: 0} != Order{} && has(Order{priority: 0}.priority)");
    is_true("Known{maybe_number: null}.maybe_number == null && Known{maybe_number: 3}.maybe_number == 3");
    is_true("Known{bag: {'a': [1, true, 'x', null]}}.bag.a == [1.0, true, 'x', null]");
    is_true("Known{any: Line{sku: 'x'}}.any == Line{sku: 'x'}");
    is_true("Known{at: timestamp('2026-11-28T00:00:00Z')}.at.getFullYear() == 2026");
    struct datum d = evaluated_within("Line{price_cents: 5, sku: 'x'}", 1000);
    ck_assert_int_eq(d.kind, DATUM_MESSAGE);
    ck_assert_uint_eq(d.message->wire.size, 5);
    ck_assert_mem_eq(d.message->wire.at, "\x0a\x01x\x18\x05", 5);
}
END_TEST

START_TEST(expression__what_may_be_absent_is_asked_for)
{
    is_true("!has(steps.pay.output)");
    is_true("has(steps.pay.output) ? steps.pay.output.quantity > 0 : true");
    fails("steps.pay.output.quantity > 0", "is not there; ask has() first", 9);
    variables[2].name = bytes_of_text("paid"); /* has() cannot be asked of a name without dots, so nobody is told to */
    struct datum d = evaluated_within("paid.quantity > 0", 1000);
    ck_assert_int_eq(d.kind, DATUM_FAILURE);
    ck_assert(bytes_equal(d.failure->text, bytes_of_text("no such key: what this name stands for is not there")));
    refused("has(paid)", E_SYNTAX, "has() is asked of a field", 1, 5);
    variables[2].name = bytes_of_text("steps.pay.output");
    refused("has(saga.id)", E_ARGUMENT, "always has a value", 1, 9);
    values[2] = values[0];
    is_true("has(steps.pay.output)");
}
END_TEST

START_TEST(expression__a_wrong_text_is_refused_with_its_place)
{
    refused("input.lines[", E_SYNTAX, "ends where a value", 1, 13);
    refused("1 +\n  + 2", E_SYNTAX, "a value is expected", 2, 3);
    refused("input.order_id == \"o-1", E_SYNTAX, "quote is not closed", 1, 19);
    refused("'\\q'", E_SYNTAX, "no such escape", 1, 2);
    refused("b'\\u0100'", E_SYNTAX, "not for bytes", 1, 3);
    refused("1 2", E_SYNTAX, "should end here", 1, 3);
    refused("a = b", E_SYNTAX, "==", 1, 3);
    refused("f(1,)", E_SYNTAX, "argument is missing", 1, 5);
    refused("9223372036854775808", E_SYNTAX, "does not fit an int", 1, 1);
    refused("0x10000000000000000u", E_SYNTAX, "does not fit a uint", 1, 1);
    refused("package", E_SYNTAX, "reserved", 1, 1);
    refused("12ab", E_SYNTAX, "ends in letters", 1, 1);
    refused("1u2", E_SYNTAX, "ends in letters", 1, 1);
    refused("1.5u", E_SYNTAX, "ends in letters", 1, 1);
    refused("'\\x4@'", E_SYNTAX, "lacks hexadecimal digits", 1, 2);
    refused("'\\x4`'", E_SYNTAX, "lacks hexadecimal digits", 1, 2);
    refused("'\\x4g'", E_SYNTAX, "lacks hexadecimal digits", 1, 2);
    refused("99999999999999999999", E_SYNTAX, "does not fit an int", 1, 1);
    refused("18446744073709551616u", E_SYNTAX, "does not fit a uint", 1, 1);
    refused("0x10000000000000000", E_SYNTAX, "does not fit an int", 1, 1);
    refused("[1].all(.x, true)", E_SYNTAX, "simple name", 1, 9);
    refused("cel.bind(.x, 1, true)", E_SYNTAX, "simple name", 1, 10);
    refused("input.bind(x, 1, x)", E_ARGUMENT, "nothing has this name: x", 1, 12);
    refused("[1].all(x.y, true)", E_SYNTAX, "simple name", 1, 10);
    refused("[1].all(x, y.z, true)", E_SYNTAX, "simple name", 1, 13);
    refused("[1].all(x, .y, true)", E_SYNTAX, "simple name", 1, 12);
    refused("{'a': 1}.exists(k, g(1), true)", E_SYNTAX, "simple name", 1, 20);
    refused("has(input)", E_SYNTAX, "has() is asked of a field", 1, 5);
    refused("'ü' + @", E_SYNTAX, "means nothing here", 1, 7);
    refused("\xff", E_SYNTAX, "UTF-8", 1, 1);
    refused("input.in", E_SYNTAX, "reserved and cannot be a name: in", 1, 6);
    refused("input.`order_id`(1)", E_SYNTAX, "should end here", 1, 17);
    refused("input.?order_id(1)", E_SYNTAX, "should end here", 1, 16);
}
END_TEST

START_TEST(expression__what_has_no_type_is_refused)
{
    refused("input.color == 'RED'", E_ARGUMENT,
            "== cannot be used with (int, string); the values of the enum have names: shapes.Color.RED", 1, 13);
    refused("input.nothing", E_ARGUMENT, "shapes.Order.nothing", 1, 6);
    refused("inputs.order_id", E_ARGUMENT, "inputs", 1, 1);
    refused("[1].all(item, itm > 0)", E_ARGUMENT, "nothing has this name: itm; did you mean item?", 1, 15);
    refused("cel.bind(price, 1, prize > 0)", E_ARGUMENT, "nothing has this name: prize; did you mean price?", 1, 20);
    /* A name with dots is one only where nothing is asked within it. */
    refused("saga.?id", E_ARGUMENT, "nothing has this name: saga; did you mean saga.id?", 1, 1);
    refused("steps.?pay.output", E_ARGUMENT, "nothing has this name: steps", 1, 1);
    refused("has(steps.pay).output", E_ARGUMENT, "nothing has this name: steps.pay", 1, 5);
    refused("input.order_id + 1", E_ARGUMENT, "+ cannot be used with (string, int)", 1, 16);
    refused("1 + 1u", E_ARGUMENT, "+ cannot be used with (int, uint)", 1, 3);
    refused("lower(input.order_id)", E_ARGUMENT, "no such function: lower", 1, 1);
    refused("input.order_id ? 1 : 2", E_ARGUMENT, "a condition is a bool", 1, 6);
    refused("true ? 1 : 'x'", E_ARGUMENT, "int and string", 1, 12);
    refused("Line{sku: 1}", E_ARGUMENT, "the field sku is string, and this is int", 1, 11);
    refused("Line{sku: 'a', sku: 'b'}", E_ARGUMENT, "given twice: sku", 1, 21);
    refused("Lines{}", E_ARGUMENT, "no message type of this name: Lines", 1, 1);
    refused("input.order_id.sku", E_ARGUMENT, "only messages and maps have fields, and this is string", 1, 15);
    refused("1.all(x, true)", E_ARGUMENT, "goes over a list or a map, and this is int", 1, 1);
    refused("{1.5: 2}", E_ARGUMENT, "key is a bool", 1, 2);
    refused("[?1]", E_ARGUMENT, "optional is expected", 1, 3);
    refused("'a'.matches('(')", E_ARGUMENT, "not closed", 1, 13);
    refused("'a'.matches('\\\\pL')", E_ARGUMENT, "Unicode classes", 1, 13);
    refused("input.at.getHours('Europe/Berlin')", E_ARGUMENT, "UTC and fixed offsets", 1, 19);
}
END_TEST

START_TEST(expression__what_goes_wrong_when_it_runs_has_its_place)
{
    fails("9223372036854775807 + input.lines[0].quantity", "overflow", 20);
    fails("-9223372036854775807 - 2", "overflow", 21);
    fails("1 / (input.lines.size() - 2)", "divide by zero", 2);
    fails("input.lines[2].sku", "index out of range", 11);
    fails("{'a': 1}[input.order_id]", "no such key", 8); /* what the key was is a payload */
    fails("{1 / 0: 1}", "divide by zero", 3);
    fails("{dyn([1]): 1}", "unsupported key type", 1);
    fails("optional.of(1).optMap(x, x / 0)", "divide by zero", 27);
    fails("optional.of(1).optFlatMap(x, optional.of(x / 0))", "divide by zero", 43);
    fails("optional.of(1 / 0)", "divide by zero", 14);
    fails("[1][dyn(0.0 / 0.0)]", "a list's index is an int", 3);
    fails("[1][dyn(0.5)]", "a list's index is an int", 3);
    fails("[1][dyn(1.5)]", "index out of range", 3);
    fails("[1][dyn(-0.5)]", "index out of range", 3);
    fails("[1][dyn('0')]", "a list's index is an int", 3);
    fails("anything.name", "does not support field selection", 8);
    fails("dyn(input).nothing", "the message has no field of this name: nothing", 10);
    fails("dyn(input).?nothing == optional.none()", "the message has no field of this name: nothing", 10);
    fails("has(dyn(input).nothing)", "the message has no field of this name: nothing", 14);
    fails("int('12x')", "no int", 0);
    fails("uint(-1)", "range", 0);
    fails("Line{quantity: 3000000000}.quantity", "does not fit the field quantity", 15);
    fails("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "years 1 to 9999", 34);
    fails("'abc'.substring(2, 1)", "ends before it begins", 5);
    fails("[1, 2].map(x, x / 0)", "divide by zero", 16);
    fails("anything + 'x'", "no such overload", 9);
    fails("{'a': 1}.transformMap(k, v, 1 / (v - 1) > 0, v)", "divide by zero", 30);
    fails("[1].transformList(i, v, 1 / i > 0, v)", "divide by zero", 26);
    fails("anything.all(x, true)", "no such overload", 8);
    fails("anything.map(x, x)", "no such overload", 8);
    fails("anything.transformMap(k, v, v)", "no such overload", 8);
    /* Whether something is set cannot be said of what is not there. */
    fails("has(input.lines[2].sku)", "index out of range", 15);
    fails("has(dyn(input).lines[2].sku)", "index out of range", 20);
    fails("has({'a': {'b': 1}}.c.b)", "no such key", 19);
    fails("input.lines[2].?sku.hasValue()", "index out of range", 11);
}
END_TEST

START_TEST(expression__logic_passes_over_failures_in_any_order)
{
    is_true("1 / 0 == 1 || true");
    is_true("true || 1 / 0 == 1");
    is_true("!(1 / 0 == 1 && false)");
    is_true("[0, 1].exists(x, 1 / x == 1)");
    is_true("![0, 2].all(x, 1 / x == 1)");
    fails("1 / 0 == 1 || false", "divide by zero", 2);
    fails("[0, 1].all(x, x == 0 ? 1 / x == 1 : [7][x] == 7)", "divide by zero", 25); /* the first of them */
}
END_TEST

START_TEST(expression__bounds_have_their_errors)
{
    char text[EXPRESSION_BYTES_MAX + 2];
    memset(text, ' ', sizeof text);
    text[EXPRESSION_BYTES_MAX + 1] = '\0';
    refused(text, E_PAYLOAD, "more than 16384 bytes", 1, 1);
    text[EXPRESSION_BYTES_MAX] = '\0';
    memcpy(text, "true", 4);
    is_true(text);
    memset(text, '[', 300);
    text[300] = '\0';
    refused(text, E_PAYLOAD, "200 parts within one another", 1, 201);
    for (int i = 0; i < 300; i++)
        memcpy(text + 2 * i, "1+", 2);
    memcpy(text + 600, "1", 2);
    refused(text, E_PAYLOAD, "200 parts within one another", 1, 401);
    text[0] = '[';
    for (int i = 0; i < 5000; i++)
        memcpy(text + 1 + 2 * i, "1,", 2);
    memcpy(text + 10001, "]", 2);
    refused(text, E_PAYLOAD, "more than 4096 parts", 1, 8192);
    /* Signs of two kinds, which do not cancel out. */
    for (int i = 0; i < 300; i++)
        memcpy(text + 2 * i, "!-", 2);
    memcpy(text + 600, "1", 2);
    refused(text, E_PAYLOAD, "200 parts within one another", 1, 201);
    /* Names that macros give within one another. */
    char *to = text;
    for (int i = 0; i < 65; i++)
        to += sprintf(to, "cel.bind(x%d, 1, ", i);
    to += sprintf(to, "0");
    memset(to, ')', 65);
    to[65] = '\0';
    refused(text, E_PAYLOAD, "more than 64 names", 1, 1);
    /* Many conditions in a row are not deep. */
    to = text;
    for (int i = 0; i < 1000; i++)
        to += sprintf(to, "true && ");
    sprintf(to, "true");
    is_true(text);
}
END_TEST

START_TEST(expression__cost_and_memory_end_it_and_nothing_passes_over_that)
{
    static const char many[] = "true || [1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, "
                               "[1,2,3,4,5,6,7,8,9,10].all(c, a + b + c > 0)))";
    struct datum d = evaluated_within(many + 8, 1000);
    ck_assert_int_eq(d.kind, DATUM_FAILURE);
    ck_assert(d.failure->fatal);
    ck_assert_mem_eq(d.failure->text.at, "the evaluation costs more", 25);
    is_true(many + 8);
    /* Nor does another failure stand in for it. */
    d = evaluated_within(
        "[0, 1].all(x, x == 0 ? 1 / x == 1 : [1, 2, 3, 4, 5, 6].all(a, [1, 2, 3, 4, 5].all(b, a > 0)))", 60);
    ck_assert_int_eq(d.kind, DATUM_FAILURE);
    ck_assert(d.failure->fatal);
    static const char long_text[] =
        "cel.bind(a, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', cel.bind(b, "
        "a+a+a+a+a+a+a+a+a+a+a+a+a+a+a+a, "
        "cel.bind(c, b+b+b+b+b+b+b+b+b+b+b+b+b+b+b+b, cel.bind(d, c+c+c+c+c+c+c+c+c+c+c+c+c+c+c+c, "
        "cel.bind(e, d+d+d+d+d+d+d+d, size(e) > 0 || true)))))";
    d = evaluated_within(long_text, UINT64_MAX);
    ck_assert_int_eq(d.kind, DATUM_FAILURE);
    ck_assert(d.failure->fatal);
    ck_assert_mem_eq(d.failure->text.at, "the evaluation needs more memory", 32);
}
END_TEST

START_TEST(expression__may_cost_as_much_as_it_may)
{
    static const char text[] = "input.lines.all(l, l.quantity > 1)";
    struct evaluation run = {.schema = schema, .pool = &pool, .variables = values, .cost_max = 1000};
    ck_assert_int_eq(expression_evaluate(compiled(text), &run).kind, DATUM_BOOL);
    ck_assert_int_eq(evaluated_within(text, run.cost).kind, DATUM_BOOL);
    ck_assert_int_eq(evaluated_within(text, run.cost - 1).kind, DATUM_FAILURE);
    /* Each part of it costs something, whatever it is. */
    static const struct {
        const char *less, *more;
    } pairs[] = {
        {"cel.bind(x, 1, [x]).size() > 0", "cel.bind(x, 1, [x, x]).size() > 0"},
        {"[1].size() > 0", "[1, 2].size() > 0"},
        {"[1].all(x, true)", "[1].all(x, x > 0)"},
        {"[saga.id].size() > 0", "[saga.id, saga.id].size() > 0"},
        {"[input.priority].size() > 0", "[input.priority, input.priority].size() > 0"},
        {"{1: 2}.size() > 0", "{1: 2, 3: 4}.size() > 0"},
        {"true && true", "true && true && true"},
        {"anything == 7", "true ? anything == 7 : false"},
        {"[Line{}].size() > 0", "[Line{}, Line{}].size() > 0"},
        {"[Line{sku: 'a'}].size() > 0", "[Line{sku: 'a text of more bytes than sixteen'}].size() > 0"},
        {"[1].exists(x, true)", "cel.bind(y, 1, [1].exists(x, true))"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct evaluation less = {.schema = schema, .pool = &pool, .variables = values, .cost_max = 1000}, more = less;
        expression_evaluate(compiled(pairs[i].less), &less);
        expression_evaluate(compiled(pairs[i].more), &more);
        ck_assert_msg(more.cost > less.cost && less.cost > 0, "%s: %llu", pairs[i].more, (unsigned long long)more.cost);
    }
}
END_TEST

START_TEST(expression__every_refused_piece_of_memory_is_survived)
{
    static const char text[] =
        "input.lines.map(l, Line{sku: l.sku + 'x', quantity: l.quantity}).filter(l, l.sku.matches('^n+u')).size() == 1 "
        "&& "
        "'%s %d'.format([input.order_id, 3]) == 'o-1 3' && {'a': [1, ?optional.of(2)]}.a[?1].orValue(0) == 2";
    unsigned refusals = 0;
    for (size_t room = 64;; room += 64) {
        struct pool small;
        pool_init(&small, &heap, room);
        const struct expression *e;
        struct expression_error error;
        int code = expression_compile(bytes_of_text(text), &environment, &small, &e, &error);
        struct datum d = datum_null();
        if (code == 0) {
            struct evaluation evaluation = {.schema = schema, .pool = &small, .variables = values, .cost_max = 100000};
            d = expression_evaluate(e, &evaluation);
        }
        bool done = d.kind == DATUM_BOOL;
        ck_assert_msg(done ? d.b : code == E_MEMORY || (d.kind == DATUM_FAILURE && d.failure->fatal),
                      "with %zu bytes: %d %s", room, code, error.text);
        pool_finish(&small);
        refusals++;
        if (done)
            break;
        ck_assert_uint_lt(room, 1 << 20);
    }
    ck_assert_uint_gt(refusals, 10);
}
END_TEST

/* An order of so many lines. */
static struct bytes long_order(unsigned lines)
{
    const struct message_type *t = shapes_type(schema, "Order");
    struct builder b;
    struct bytes wire;
    builder_init(&b, &pool, 1 << 20);
    build_field(&b, shapes_field(t, "order_id"), &(struct value){.kind = FIELD_STRING, .text = bytes_of_text("o-1")});
    for (unsigned i = 0; i < lines; i++)
        build_field(&b, shapes_field(t, "lines"),
                    &(struct value){.kind = FIELD_MESSAGE, .text = line("a sku of usual length, 27 b", 3, 250)});
    ck_assert_int_eq(builder_finish(&b, &wire), 0);
    return wire;
}

/* What is said beforehand is no less than what it costs, and not many times as much, however long the list is. */
START_TEST(expression__what_it_may_cost_is_told_beforehand)
{
    static const char *const texts[] = {
        "input.order_id",
        "size(input.lines)",
        "input.lines.map(l, l.price_cents * l.quantity).sum()",
        "input.lines.all(l, l.sku != input.order_id)",
        "input.lines.all(a, input.lines.all(b, a.price_cents == b.price_cents))",
        "cel.bind(all, input.lines, all.map(l, l.sku).join(','))",
        "input.lines.map(l, {'sku': l.sku, 'n': l.quantity}).size() > 3 ? 'many' : 'few'",
        "input.lines.map(l, l.sku).join(',').split(',').all(s, s + s != input.order_id + input.order_id)",
        "dyn(input.lines.map(l, {'n': l.quantity}).filter(m, m.n > 1)[0]).n > 1",
        "has({'all': input.lines.map(l, l.sku)}.all) && {'all': input.lines.map(l, l.sku)}.?all.hasValue()",
        "input.lines.exists(l, l.quantity > 100) || input.lines.filter(l, l.quantity < 0).size() > 0",
    };
    static const unsigned sizes[] = {1, 10, 50, 100};
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct evaluation made = {.schema = schema, .pool = &pool, .cost_max = 1000};
        struct examine_bounds bounds = {.items = sizes[s]};
        values[0] = datum_of_message(&made, 0, shapes_type(schema, "Order"), long_order(sizes[s]));
        for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
            const struct expression *e = compiled(texts[i]);
            struct evaluation run = {
                .schema = schema, .pool = &pool, .variables = values, .cost_max = UINT64_C(1) << 40};
            ck_assert_int_ne(expression_evaluate(e, &run).kind, DATUM_FAILURE);
            uint64_t told = examine_cost(e, &bounds).cost;
            ck_assert_msg(run.cost <= told && told <= 12 * run.cost + 200, "%s, %u items: costs %llu, told %llu",
                          texts[i], sizes[s], (unsigned long long)run.cost, (unsigned long long)told);
        }
    }
}
END_TEST

START_TEST(expression__how_long_lists_are_is_read_from_conditions)
{
    struct examine_bounds bounds = {.items = 1000};
    const struct expression *e = compiled("input.lines.all(a, input.lines.all(b, a.sku != b.sku))");
    uint64_t whole = examine_cost(e, &bounds).cost;
    static const char *const say_nothing[] = {"size(input.lines) <= 5 || input.order_id == ''",
                                              "size(input.lines) >= 5", "5 <= size(input.lines)",
                                              "size(input.lines) <= input.lines[0].quantity"};
    for (unsigned i = 0; i < sizeof say_nothing / sizeof *say_nothing; i++)
        examine_add_bounds(&bounds, compiled(say_nothing[i]));
    ck_assert_uint_eq(examine_cost(e, &bounds).cost, whole);
    static const char *const say_five[] = {"size(input.lines) <= 5", "input.lines.size() < 6", "5 >= size(input.lines)",
                                           "input.order_id != '' && 6 > size(input.lines)"};
    uint64_t five = 0;
    for (unsigned i = 0; i < sizeof say_five / sizeof *say_five; i++) {
        struct examine_bounds one = {.items = 1000};
        examine_add_bounds(&one, compiled(say_five[i]));
        uint64_t cost = examine_cost(e, &one).cost;
        ck_assert_uint_lt(cost, whole / 100);
        ck_assert(five == 0 || cost == five);
        five = cost;
    }
    /* Of several the smallest counts, wherever it stands. */
    for (unsigned i = 0; i < 2; i++) {
        struct examine_bounds both = {.items = 1000};
        examine_add_bounds(&both, compiled(i == 0 ? "size(input.lines) <= 5" : "size(input.lines) <= 500"));
        examine_add_bounds(&both, compiled(i == 0 ? "size(input.lines) <= 500" : "size(input.lines) <= 5"));
        ck_assert_uint_eq(examine_cost(e, &both).cost, five);
    }
}
END_TEST

/* Lists and maps that others made hold one another up to a depth, whichever they are. */
START_TEST(expression__values_within_one_another_are_bounded)
{
    static const struct {
        const char *open, *close;
    } forms[] = {{"6:{1:{", "}}"}, {"5:{1:{1:'k' 2:{", "}}}"}};
    struct evaluation e = {.schema = schema, .pool = &pool, .cost_max = 1000};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        for (int deep = 49; deep < 300; deep = deep < 51 ? deep + 1 : deep + 248) {
            char text[8192] = "5:{";
            for (int k = 0; k < deep; k++)
                strcat(text, forms[i].open);
            for (int k = 0; k < deep; k++)
                strcat(text, forms[i].close);
            strcat(text, "}");
            uint8_t *wire = pool_take(&pool, 4096);
            values[3] =
                datum_of_message(&e, 0, shapes_type(schema, "Known"), bytes_of(wire, wire_of_text(text, wire, 4096)));
            if (deep < 50)
                is_true("anything.any_json != 1");
            else
                fails("anything.any_json != 1", "more than 100 messages within one another", 8);
        }
}
END_TEST

/* Of a list within a list one item is assumed: what is said of the cost grows as the items do, not as their square. */
START_TEST(expression__a_list_within_a_list_is_taken_as_short)
{
    struct variable holder = {.name = bytes_of_text("holder"),
                              .type = type_of_message(&pool, shapes_type(schema, "Thicket"))};
    const struct environment own = {.schema = schema, .variables = &holder, .variable_count = 1};
    const struct expression *e;
    struct expression_error error;
    struct examine_bounds few = {.items = 10}, many = {.items = 1000};
    ck_assert_int_eq(expression_compile(bytes_of_text("holder.f.size() > 0"), &own, &pool, &e, &error), 0);
    uint64_t of_few = examine_cost(e, &few).cost, of_many = examine_cost(e, &many).cost;
    ck_assert_msg(of_many > 10 * of_few && of_many < 200 * of_few, "%llu, %llu", (unsigned long long)of_few,
                  (unsigned long long)of_many);
}
END_TEST

START_TEST(expression__tells_its_type_and_what_it_uses)
{
    char text[64];
    const struct expression *e = compiled("input.lines.map(l, l.price_cents)");
    type_print(expression_type(e), text, sizeof text);
    ck_assert_str_eq(text, "list(int)");
    ck_assert(expression_uses(e, 0) && !expression_uses(e, 1));
    e = compiled("Line{sku: saga.id}");
    type_print(expression_type(e), text, sizeof text);
    ck_assert_str_eq(text, "shapes.Line");
    ck_assert(!expression_uses(e, 0) && expression_uses(e, 1));
}
END_TEST

/* A name in an error is cut between two characters. */
START_TEST(expression__an_error_stays_text)
{
    struct evaluation e = {.pool = &pool, .cost_max = 1000};
    static const char name[] = "0123456789012345678901234567890123456789012345678901234567890123ä456";
    struct datum d = fail_about(&e, 0, "no: ", bytes_of_text(name + 1)); /* which has the ä at the bound */
    ck_assert(bytes_equal(d.failure->text,
                          bytes_of_text("no: 123456789012345678901234567890123456789012345678901234567890123")));
    d = fail_about(&e, 0, "no: ", bytes_of_text(name));
    ck_assert_uint_eq(d.failure->text.size, 4 + 64);
}
END_TEST

START_TEST(expression__functions_of_lists_and_texts)
{
    is_true("[3, 1, 2].min() == 1 && [3, 1, 2].max() == 3 && ['b', 'a'].min() == 'a' && [2.5, 1.5].sum() == 4.0");
    is_true("[1, 2, 2].isSorted() && ![2, 1].isSorted() && [].sum() == 0");
    is_true("[duration('1s'), duration('2s')].sum() == duration('3s')");
    is_true("[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1].indexOf(5) == -1");
    is_true("'hä!'.size() == 3 && 'hä!'.charAt(1) == 'ä' && 'hä!'.reverse() == '!äh'");
    is_true("'a,b,,c'.split(',') == ['a', 'b', '', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && 'äb'.split('') == "
            "['ä', 'b']");
    is_true("'aXbX'.replace('X', '-') == 'a-b-' && 'aXbX'.replace('X', '-', 1) == 'a-bX' && 'ab'.replace('', '.') == "
            "'.a.b.'");
    is_true("'%s has %d of %.2f'.format(['x', 3, 2.5]) == 'x has 3 of 2.50'");
    is_true("string(0.1 + 0.2) == '0.30000000000000004' && string(1e6) == '1000000' && double('1e3') == 1000.0");
    is_true("string(duration('1h1ms')) == '3600.001s' && duration('1.5h') == duration('90m')");
    is_true("timestamp('2026-03-01T00:30:00+01:00').getDayOfMonth('-02:30') == 27");
    is_true("math.sqrt(2.0) == 1.4142135623730951 && math.greatest(1, 2.5, 2u) == 2.5 && math.round(-2.5) == -3.0");
    fails("[].min() == 1", "empty list", 2);
}
END_TEST

static char seen[256];

static void see_type(void *self, const struct message_type *type)
{
    (void)self;
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ",
             (const char *)type->name.at + sizeof "shapes." - 1);
}

static void see_field(void *self, const struct field *f)
{
    (void)self;
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ", (const char *)f->name.at);
}

/* Of which types it takes a whole message, and which fields it reads or sets. */
START_TEST(expression__what_it_uses_of_messages_is_told)
{
    static const struct {
        const char *text, *wholes, *fields;
    } cases[] = {
        {"input", "Order ", ""},
        {"input.order_id", "", "order_id "},
        {"input.customer", "Customer ", "customer "},
        {"input.customer.name", "", "name customer "},
        {"input.lines", "Line ", "lines "},
        {"size(input.lines)", "", "lines "},
        {"input.lines.size()", "", "lines "},
        {"input.lines[0]", "Line ", "lines "},
        {"input.lines[0].sku", "", "sku lines "},
        {"input.lines.map(l, l.sku)", "", "lines sku "},
        {"input.lines.map(l, l)", "Line Line ", "lines "},
        {"input.customer == Customer{name: 'a'}", "Customer ", "customer name "},
        {"Order{customer: input.customer}", "Customer ", "customer customer "},
        {"Order{}", "", ""},
        {"has(input.customer)", "", "customer "},
        {"has(input.customer.address)", "", "address customer "},
        {"true ? input.customer : Customer{}", "Customer ", "customer "},
        {"(true ? input.customer : Customer{}).name", "", "name customer "},
        {"cel.bind(c, input.customer, c.name)", "", "customer name "},
        {"cel.bind(c, input.customer, c)", "Customer ", "customer "},
        {"{'a': input}", "Order ", ""},
        {"[input.customer]", "Customer ", "customer "},
        {"input.?customer", "Customer ", "customer "},
        {"steps.pay.output.quantity + 1", "", "quantity "},
        {"[input.customer].all(c, c.name == '')", "Customer ", "customer name "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seen[0] = '\0';
        examine_wholes(compiled(cases[i].text), see_type, NULL);
        ck_assert_msg(strcmp(seen, cases[i].wholes) == 0, "%s: takes %s", cases[i].text, seen);
        seen[0] = '\0';
        examine_fields(compiled(cases[i].text), see_field, NULL);
        ck_assert_msg(strcmp(seen, cases[i].fields) == 0, "%s: uses %s", cases[i].text, seen);
    }
    seen[0] = '\0';
    examine_reads(compiled("Customer{name: input.order_id}.address.street"), see_field, NULL);
    ck_assert_str_eq(seen, "street address order_id ");
}
END_TEST

/* Of what its value consists: the fields that it sets, and the types that it gives whole. */
START_TEST(expression__what_its_value_consists_of_is_told)
{
    static const struct {
        const char *text, *parts;
    } cases[] = {
        {"input", "Order "},
        {"input.order_id", ""},
        {"input.customer", "Customer "},
        {"string(size(input.lines))", ""},
        {"Order{order_id: input.customer.name}", "order_id "},
        {"Order{customer: input.customer}", "customer Customer "},
        {"Order{customer: Customer{name: input.order_id}}", "customer name "},
        {"Order{?customer: input.?customer}", "customer Customer "},
        {"Customer{name: 'a'} == input.customer", ""},
        {"[Customer{name: 'a'}, input.customer]", "name Customer "},
        {"{'a': input.customer}", "Customer "},
        {"{'a': input.customer}['a']", "Customer "},
        {"[Customer{name: 'a'}][0].name", ""},
        {"input.customer == Customer{} ? Customer{name: 'a'} : input.customer", "name Customer "},
        {"cel.bind(c, input.customer, Customer{name: c.name})", "name "},
        {"cel.bind(c, input.customer, c)", "Customer "},
        {"input.lines", "Line "},
        {"input.lines.map(l, Line{sku: l.sku})", "sku "},
        {"input.lines.map(l, l.quantity > 1, l)", "Line "},
        {"input.lines.filter(l, l.sku != '')", "Line "},
        {"input.lines.all(l, l == Line{sku: 'a'})", ""},
        {"input.lines + [Line{sku: 'a'}]", "Line "},
        {"dyn(input.customer)", "Customer "},
        {"dyn([input.lines])[0]", "Line "},
        {"dyn(input.lines).map(l, l)", "Line "},
        {"dyn(input.lines).map(l, Order{lines: [l]})", "lines Line "},
        {"cel.bind(c, dyn(input.customer), Order{customer: c})", "customer Customer "},
        {"dyn(input).customer", "Order "},
        {"has(input.customer) || 1 / 0 == 1", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        seen[0] = '\0';
        examine_value(compiled(cases[i].text), see_field, see_type, NULL);
        ck_assert_msg(strcmp(seen, cases[i].parts) == 0, "%s: consists of %s", cases[i].text, seen);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("expression");
    TCase *c = tcase_create("expression");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, expression__reads_the_fields_of_messages);
    tcase_add_test(c, expression__reads_messages_that_others_made);
    tcase_add_test(c, expression__makes_messages_with_their_fields_in_order);
    tcase_add_test(c, expression__what_may_be_absent_is_asked_for);
    tcase_add_test(c, expression__a_wrong_text_is_refused_with_its_place);
    tcase_add_test(c, expression__what_has_no_type_is_refused);
    tcase_add_test(c, expression__what_goes_wrong_when_it_runs_has_its_place);
    tcase_add_test(c, expression__logic_passes_over_failures_in_any_order);
    tcase_add_test(c, expression__bounds_have_their_errors);
    tcase_add_test(c, expression__cost_and_memory_end_it_and_nothing_passes_over_that);
    tcase_add_test(c, expression__an_error_stays_text);
    tcase_add_test(c, expression__may_cost_as_much_as_it_may);
    tcase_add_test(c, expression__every_refused_piece_of_memory_is_survived);
    tcase_add_test(c, expression__what_it_may_cost_is_told_beforehand);
    tcase_add_test(c, expression__what_it_uses_of_messages_is_told);
    tcase_add_test(c, expression__what_its_value_consists_of_is_told);
    tcase_add_test(c, expression__how_long_lists_are_is_read_from_conditions);
    tcase_add_test(c, expression__values_within_one_another_are_bounded);
    tcase_add_test(c, expression__a_list_within_a_list_is_taken_as_short);
    tcase_add_test(c, expression__tells_its_type_and_what_it_uses);
    tcase_add_test(c, expression__functions_of_lists_and_texts);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
