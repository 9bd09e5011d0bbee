/* How the language is written: every literal and escape, every macro over every kind of thing, names, and selects; and what is said of each without evaluating
 * it: whether it is constant, what it reads, gives and takes whole, what it must equal, what it may cost. It is kept in
 * tests/fixtures/expression/forms.txt; `build/release/tests/unit/test_expression_forms write` writes that anew, for its difference to be read. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/examine.h"
#include "sidecar/expression/fields.h"
#include "tests/support/expression_text.h"
#include "tests/support/kept_text.h"
#include "tests/support/shapes.h"
#include "tests/support/wire_text.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/expression/forms.txt";

/* Joined by line ends. */
static const char literals[] =
    "0\n00\n1\n-1\n0x1F\n-0X1f\n0x\n0xg\n1u\n1U\n0xFFu\n0xFFFFFFFFFFFFFFFF\n0xFFFFFFFFFFFFFFFFu\n0x10000000000000000u\n"
    "9223372036854775807\n9223372036854775808\n-9223372036854775808\n-9223372036854775809\n18446744073709551615u\n"
    "18446744073709551616u\n1.5\n.5\n1.\n1.5e3\n1e3\n1E-3\n1e+3\n1e\n1e+\n1e400\n1.5u\n1x\n1_0\n0b1\n007\n- "
    "1\n--1\n-(-1)\n"
    "'a'\n\"a\"\n'a\\'b'\n\"a'b\"\n'\"'\n'''a'b''c'''\n\"\"\"a\"\"b\"\"\"\n''''''\n'\n'a\n\"a'\n'''a''\n"
    "r'a\\n'\nR\"\\'\"\nr'''\\'''\nr'\nb'a'\nB\"a\"\nb'é'\nbr'\\x41'\nrb'\\x41'\nbR'\\n'\nb'''a\\x00'''\n"
    "'\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\\"\\'\\`'\n'\\x41\\X42'\n'\\x4'\n'\\xg0'\n'\\u00e9'\n'\\u00E'\n'\\ud800'\n'\\udfff'"
    "\n'\\ue000'\n"
    "'\\U0001F600'\n'\\U0010ffff'\n'\\U00110000'\n'\\U0000d800'\n'\\101'\n'\\377'\n'\\400'\n'\\08'\n'\\1'\n'\\9'\n'\\q'"
    "\n'\\\n"
    "b'\\u00e9'\nb'\\377'\nb'\\xff'\nb'\\U0001F600'\n'\\xe9'\n'\\000'\nb'\\000'\n"
    "true\nfalse\nnull\nTrue\n[]\n[1,]\n[,]\n[1,,2]\n[1\n{}\n{1:2,}\n{1}\n{1:}\n{:1}\n{,}\n{1:2 "
    "3:4}\n()\n(1)\n((1))\n(1\n1)\n"
    "1 // a\n// a\n1 /* a */\n1\t+\r\f1\n1 1\n1 +\n+ 1\n* 1\n1 == == 1\n1 < 2 < 3\n1 < 2 == "
    "true\n!true\n!!true\n!-1\n-!true\n"
    "1 ? 2 : 3\ntrue ? 1\ntrue ? 1 :\ntrue ? 1 : false ? 2 : 3\ntrue ? true ? 1 : 2 : 3\ntrue && \ntrue && false || "
    "true\n"
    "true || false && false\n1 + 2 * 3 - 4 / 2 % 3\n2 - 1 - 1\n8 / 4 / 2\n1 in [1] == true\n-2 * -3\n1 & 2\n1 | "
    "2\ntrue & false\n"
    "a = 1\n1; 2\n#\n@\n$a\n\\\n~1\n1 ^ "
    "2\n.\n..\n.a\na.\na..b\na.1\na.?\na.?b\na[\na[]\na[1\na[1,2]\na[?1]\na[?]\na()\na(,)\n"
    "a(1,)\na(1\n`a`\na.`b`\na.`b\na.``\na.`b "
    "c`\na.`b-c.d/e`\nif\nas\nbreak\nconst\ncontinue\nelse\nfor\nfunction\nimport\nlet\n"
    "loop\npackage\nnamespace\nreturn\nvar\nvoid\nwhile\nin\nm.if\nm.in\nm.as\nm.null\nm.true\nOrder{\nOrder{order_id}"
    "\nOrder{order_id:}\n"
    "Order{order_id: 'a',}\nOrder{,}\nOrder{?order_id: 'a'}\nOrder{`order_id`: 'a'}\nOrder{order_id: 'a', order_id: "
    "'b'}\n"
    "Order{nothing: 1}\nNothing{}\nshapes.Order{}\n.shapes.Order{}\n.Order{}\nColor{}\nm{}\n1{}\n[?1]\n[?]\n{?1: "
    "2}\n{?}\n"
    "{1: 2, 1: 3}\n{1: 2, 1u: 3}\n{'a': 1, 'a': 2}\n{true: 1, false: 2, true: 3}\n{dyn(1.0): 2}\n{dyn(null): "
    "2}\né\n'é'";

/* In these @ is each of the operands. */
static const char macros[] = "@.all(x, x > 1)\n@.exists(x, x > 1)\n@.exists_one(x, x > 1)\n@.existsOne(x, x > "
                             "1)\n@.map(x, x)\n@.map(x, x > 1, x)\n"
                             "@.filter(x, x > 1)\n@.all(i, x, i != x)\n@.exists(i, x, i == x)\n@.existsOne(i, x, i == "
                             "x)\n@.exists_one(i, x, i == x)\n"
                             "@.transformList(i, x, [i, x])\n@.transformList(i, x, i != x, [i, x])\n@.transformMap(i, "
                             "x, [x])\n@.transformMap(i, x, i != x, [x])\n"
                             "@.transformMapEntry(i, x, {x: i})\n@.transformMapEntry(i, x, i != x, {x: "
                             "i})\n@.optMap(x, [x])\n@.optFlatMap(x, optional.of([x]))\n"
                             "@.optFlatMap(x, x)\ncel.bind(x, @, [x, "
                             "x])\nhas(@.a)\nhas(@[0])\n@.a\n@.?a\n@[0]\n@[?0]\n@.all(x, 1 / (x - 1) > 0)\n"
                             "@.exists(x, 1 / (x - 1) > 0)\n@.exists_one(x, 1 / (x - 1) > 0)\n@.map(x, 1 / (x - "
                             "1))\n@.filter(x, 1 / (x - 1) > 0)\n"
                             "@.all(x, x)\n@.filter(x, x)";
static const char operands[] =
    "[]\n[2]\n[1, 2, 3]\n[2, 2]\n{}\n{1: 2, 3: 3}\n{'a': 2}\n{2: 1, 1: 0}\noptional.none()\noptional.of(2)\n"
    "optional.of([1])\n1\nnull\n'a'\nm.shifts\nm.counts\nm.lines\nm\ndyn([1, 2])\ndyn(1)\ndyn({'a': "
    "1})\ndyn(m)\n[dyn('a')]\nnone";

static const char others[] =
    "[1].all()\n[1].all(x)\n[1].all(x, true, true, true)\n[1].all(1, true)\n[1].all(x.y, true)\n[1].all(x, "
    "y)\n[1].map(x)\n"
    "[1].map(x, x, x)\n[1].map(1, x)\n[1].filter(x, x, x)\n[1].exists_one(x)\n[1].transformList(i, "
    "x)\n[1].transformList(1, x, x)\n"
    "[1].transformList(i, i, i)\n[1].transformMapEntry(i, x, i)\n[1].transformMapEntry(i, x, {i: 1, x: 2})\n"
    "[1, 1].transformMapEntry(i, x, {x: i})\n[1].transformMapEntry(i, x, {})\noptional.of(1).optMap(1, "
    "1)\noptional.of(1).optFlatMap(x, x)\n"
    "cel.bind(x, 1)\ncel.bind(1, 1, 1)\ncel.bind(x, x, 1)\ncel.bind(x, 1, cel.bind(x, x + 1, x))\ncel.bind(m, 1, "
    "m)\ncel.nothing(1)\n"
    "has(1)\nhas(m)\nhas(m.nothing)\nhas(m.card, "
    "m.cash)\nhas()\nhas(m.lines[0].sku)\nhas(m.?card)\nhas(s.part)\nhas(saga.id)\nhas(saga.nothing)\n"
    "s.part\ns.part.sku\nhas(s.part.sku)\nhas(s.part) && s.part.sku == ''\nhas(s.part) ? s.part.sku : "
    "'none'\nsaga.id\nsaga\nsaga.od\nm.lanes\nm.lines.sku\n"
    "m.lines[0].sku\nm.lines[9].sku\nm.?lines[0].?sku\nm.counts.k\nm.counts['k']\nm.counts[?'z'].orValue(9)\nm."
    "customer.address.street\n"
    "m.customer.address.zip_code\nm.customer.address.zip\nm.by_row[7]\nm.by_row[7u]\nm.by_row[7.0]\nm.by_row[7.5]\nm."
    "by_row['7']\n"
    "Color.RED\nshapes.Color.BLUE\nColor.GREEN\nColor\nOrder\ntype(m) == Order\ntype(m)\ntype(type(m))\nint\ntype(1) "
    "== int\ntype\n"
    "google.protobuf.Timestamp\ngoogle.protobuf.NullValue.NULL_VALUE\nlist\nmap\ntype([]) == list\ntype({}) == "
    "map\noptional_type\n"
    "type(optional.none()) == optional_type\nnull_type\ntype(null) == "
    "null_type\nbool\nuint\ndouble\nstring\nbytes\ndyn\ndyn(m).card\n"
    "dyn(m).nothing\ndyn(1).card\ndyn({'a': 1}).a\ndyn({'a': 1}).b\n{'a': 1}.a\n{'a': 1}.?b\n{'a': {'b': "
    "1}}.?a.b\n{'a': {'b': 1}}.?c.b\n"
    "{'a': 1}.?a.hasValue()\n[1, 2][?1].value()\n[?optional.of(1), ?optional.none(), 2]\n{?'a': optional.of(1), ?'b': "
    "optional.none()}\n"
    "Order{?card: optional.of('c'), ?order_id: optional.none()}\nm == m\nm == Order{}\nm != dyn(1)\nOrder{} == "
    "Order{}\nLine{sku: 'a'} == Line{sku: 'a'}\n"
    "Line{sku: 'a'} == Line{}\nNumbers{d: 0.0/0.0} == Numbers{d: 0.0/0.0}\nOrder{lines: [Line{}]} == Order{lines: "
    "[Line{sku: ''}]}\n"
    "Order{counts: {'a': 1, 'b': 2}} == Order{counts: {'b': 2, 'a': 1}}\nOrder{counts: {'a': 1}} == Order{counts: "
    "{'a': 2}}\n"
    "Known{any: Line{}} == Known{any: Line{}}\nKnown{any: Line{}} == Known{any: Tree{}}\nKnown{any_json: 1} == "
    "Known{any_json: 1u}\n"
    "['a', 'b'].map(s, Line{sku: s + 'so long a text that where the fields lie is kept for those who ask "
    "again'}).map(l, l.sku.charAt(0))\n"
    "true || 1 / 0 > 0\n1 / 0 > 0 || true\nfalse || 1 / 0 > 0\n1 / 0 > 0 && false\n1 / 0 > 0 && true\ntrue && 1 / 0 > "
    "0\ndyn(1) || true\n"
    "dyn(1) || false\ndyn(1) && false\ndyn(1) ? 1 : 2\ndyn('a') && dyn('b')\n1 && true\n1 ? 2 : 3\n[1, 2].map(x, [3, "
    "4].map(y, x * y))\n"
    "[[1], [2]].map(x, x.map(x, x + 1))\n[1, 2, 3].filter(x, x % 2 == 1).map(x, x * "
    "x).sum()\n'a'.nothing()\nnothing(1)\nsize()\nsize(1)\n"
    "size('a', 'b')\n'a'.size(1)\n1.size()\n[].sum()\n[1, 'a'].sum()\n[].min()\n['a'].sum()\n[dyn(1), "
    "dyn('a')].min()\n[dyn(1), dyn(2.5)].max()\n"
    "math.greatest(1)\nmath.greatest(1, 2.5, 3u)\nmath.least(1, 2.5, 0u)\nmath.greatest([1, 3, "
    "2])\nmath.greatest([])\nmath.greatest(m.shifts)\nmath.bitShiftRight('a', "
    "1)\noptional.ofNonZeroValue()\nmath.greatest('a')\n"
    "math.greatest(1, 'a')\nmath.greatest()\nmath.least([1.5, 0.5])\nmath.least(dyn(1), dyn(2))\nmath.least(dyn('a'), "
    "dyn(2))\nmath.nothing(1)\n"
    "math.sqrt(-1)\n'a'.matches('(')\n'a'.matches(dyn('('))\n'a'.matches('a' + '(')\nstring(m)\nint('a')\n[1, 2, 3, 4, "
    "5, 6, 7, 8, 9, 10][9]\n"
    "{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 10: 10}[10]\n"
    "{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 'a': 9, true: 10, 11u: 11}[11]\n"
    "{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 'a': 9, true: 10, 11u: 11}[false]";

/* What definitions ask, and what can be said of it. */
static const char asked[] =
    "1 + 2\nm.card\nm.customer\nm.customer.name\nm\nhas(m.card)\nm.card == 'a'\n'a' == m.card\nm.card == "
    "saga.id\nsaga.id == 'a'\n'a' == saga.id\n"
    "saga.id == 'a' && m.cash\nm.cash && (saga.id == outcome && true)\nsaga.id == 'a' || m.cash\n!(saga.id == "
    "'a')\nsaga.id != 'a'\n"
    "m.lines\nm.lines.map(l, l.sku)\nm.lines.filter(l, l.quantity > 1)\nm.lines.all(l, l.price_cents < "
    "5)\nm.lines[0]\nm.lines[0].sku\nm.lines.size()\n"
    "size(m.lines) <= 50 && m.lines.all(l, true)\nOrder{card: m.card, customer: m.customer}\nOrder{lines: "
    "m.lines.map(l, Line{sku: l.sku})}\n"
    "{'a': m.customer}\n[m.customer]\nm.customer == Customer{}\nm.cash ? m.customer : Customer{}\nstring(m.priority) + "
    "m.card\nm.counts\n"
    "m.counts['a']\nm.by_row.map(k, m.by_row[k])\ns.part\ns.part.sku\nhas(s.part) && s.part.sku == 'a'\nhas(s.part) ? "
    "s.part.sku : "
    "''\n"
    "outcome == 'done' && s.part.sku == 'a'\noutcome == 'done' ? s.part.sku : ''\noutcome != 'done' || s.part.sku == "
    "'a'\ns.part.sku == 'a' && has(s.part)\n"
    "has(s.part.sku)\n!has(s.part) || s.part.sku == 'a'\nhas(s.part) || s.part.sku == 'a'\n[s.part.sku].map(x, "
    "has(s.part))\ncel.bind(x, m.customer, x.name)\n"
    "cel.bind(x, m.customer, x)\noptional.of(m.customer).optMap(x, "
    "x.name)\nm.?customer\nm.?customer.name\ndyn(m).card\nm.lines.map(l, m.lines.map(k, l.sku == k.sku))\n"
    "m.notes.map(n, n + n).join(',')\n'abc'.matches(m.card)\n[1, 2, 3]\n'a longer text, so that its size shows in what "
    "it costs at most'\n"
    "{'a': any}\n{any: 1}\n[any]\noptional.of(any)\n[1]\n{'a': dyn(m)}\n[[any]]\n{'a': "
    "[1]}\n[dyn(m)]\noptional.of(dyn(m))\n[1].map(x, dyn(m))\nm.lines.map(l, dyn(l))\ncel.bind(x, dyn(m), "
    "[x])\n[dyn(m)][0]\n"
    "{'a': [dyn(m)]}.a\noptional.of([dyn(m)]).orValue([])\n{'a': dyn(m)}['a']\n"
    "m.lines.map(l, l)\nm.lines.exists(l, l == Line{})\nsize(m.card) > 3 ? m.card : 'b'\nany\nany.a == 1\ntype(m) == "
    "Order\nm.at + duration('1s')";

static const char bounds[] = "size(m.lines) <= 3\nm.lines.size() < 3\n3 >= size(m.lines)\n3 > "
                             "m.lines.size()\nsize(m.lines) < 0\nsize(m.lines) <= -1\n"
                             "size(m.lines) >= 3\nm.cash && size(m.lines) <= 5 && size(m.notes) <= 2\nsize(m.lines) <= "
                             "5 || m.cash\nsize(m.counts) <= 4\n"
                             "size(m.by_row) < 1000000000000\nsize(m.lines) <= m.priority\nsize(m.lines) == "
                             "3\nsize([1]) <= 3\nsize(m.card) <= 1";

static struct schema *schema;
static struct pool pool;
static struct variable variables[6];
static struct datum values[6];
static struct expression_world world;

/* Takes the next line off a text; false at its end. */
static bool next_line(const char **at, char *line, size_t room)
{
    size_t size = strcspn(*at, "\n");
    if (**at == '\0')
        return false;
    ck_assert_uint_lt(size, room);
    memcpy(line, *at, size);
    line[size] = '\0';
    *at += size + ((*at)[size] == '\n');
    return true;
}

static void put_each(FILE *out, const char *texts)
{
    char line[512];
    while (next_line(&texts, line, sizeof line)) {
        expression_text_bytes(out, bytes_of_text(line));
        fprintf(out, " -> ");
        expression_text_put(out, &world, line);
        fprintf(out, "\n");
    }
}

static void put_macros(FILE *out)
{
    char macro[256], operand[64], text[512];
    for (const char *m = macros; next_line(&m, macro, sizeof macro);) {
        char *last = NULL;
        size_t before = strcspn(macro, "@");
        fprintf(out, "%s\n", macro);
        for (const char *o = operands; next_line(&o, operand, sizeof operand);) {
            snprintf(text, sizeof text, "%.*s%s%s", (int)before, macro, operand, macro + before + 1);
            fprintf(out, "  %s -> ", operand);
            expression_text_put_shortly(out, &world, text, &last);
            fprintf(out, "\n");
        }
        free(last);
    }
}

/* ---- what is said without an evaluation ---- */

static void put_field(void *self, const struct field *f)
{
    fprintf(self, " %s", (const char *)f->name.at);
}

static void put_type(void *self, const struct message_type *type)
{
    fprintf(self, " %s", strrchr((const char *)type->name.at, '.'));
}

static const struct expression *compiled(const char *text)
{
    const struct expression *e = NULL;
    struct expression_error error;
    int code = expression_compile(bytes_of_text(text), &world.environment, &pool, &e, &error);
    ck_assert_msg(code == 0, "%s: %s", text, error.text);
    return e;
}

static void put_cost(FILE *out, const struct expression *e, uint64_t items, const char *condition)
{
    static struct examine_bounds b;
    b = (struct examine_bounds){.items = items};
    if (condition != NULL)
        examine_add_bounds(&b, compiled(condition));
    struct examined_cost cost = examine_cost(e, &b);
    fprintf(out, " %" PRIu64 "/%" PRIu64, cost.cost, cost.size);
}

static void put_asked(FILE *out)
{
    char line[256];
    for (const char *at = asked; next_line(&at, line, sizeof line);) {
        struct pool_mark mark = pool_mark(&pool);
        const struct expression *e = compiled(line);
        struct examined_equal equal;
        fprintf(out, "%s:%s", line, examine_is_constant(e) ? " constant" : "");
        for (unsigned i = 0; i < world.environment.variable_count; i++) {
            const struct field *f = examine_field_of(e, i);
            if (expression_uses(e, i))
                fprintf(out, " uses %s", (const char *)variables[i].name.at);
            if (f != NULL)
                fprintf(out, " is its field %s", (const char *)f->name.at);
            if (examine_may_miss(e, i, 3))
                fprintf(out, " may miss %s", (const char *)variables[i].name.at);
            if (examine_must_equal(e, i, &equal)) {
                fprintf(out, " %s equals variable %d ", (const char *)variables[i].name.at, equal.variable);
                if (equal.variable < 0)
                    expression_text_datum(out, &equal.literal);
            }
        }
        fprintf(out, "; fields");
        examine_fields(e, put_field, out);
        fprintf(out, "; reads");
        examine_reads(e, put_field, out);
        fprintf(out, "; wholes");
        examine_wholes(e, put_type, out);
        fprintf(out, "; value");
        examine_value(e, put_field, put_type, out);
        fprintf(out, "; cost");
        put_cost(out, e, 10, NULL);
        put_cost(out, e, 1000, NULL);
        put_cost(out, e, 1000, "size(m.lines) <= 7 && m.notes.size() < 3");
        put_cost(out, e, INT64_MAX, NULL);
        fprintf(out, "\n");
        pool_rewind(&pool, mark);
    }
}

static void put_bounds(FILE *out)
{
    char line[256];
    for (const char *at = bounds; next_line(&at, line, sizeof line);) {
        struct pool_mark mark = pool_mark(&pool);
        fprintf(out, "%s:", line);
        put_cost(out, compiled("m.lines"), 100, line);
        put_cost(out, compiled("m.notes"), 100, line);
        put_cost(out, compiled("m.counts"), 100, line);
        put_cost(out, compiled("m.by_row"), 100, line);
        put_cost(out, compiled("m"), 100, line);
        fprintf(out, "\n");
        pool_rewind(&pool, mark);
    }
}

static void put_all(FILE *out)
{
    static const char wire_text[] = "3:{1:'s' 2:3} 4:{1:'a' 2:2} 5:6 6:'c' 12:{1:7 2:{1:'q'}}";
    uint8_t wire[128];
    pool_init(&pool, &heap, 1 << 22);
    const struct message_type *order = shapes_type(schema, "Order"), *line = shapes_type(schema, "Line");
    struct bytes bytes = bytes_of(wire, wire_of_text(wire_text, wire, sizeof wire));
    struct evaluation e = {.schema = schema, .pool = &pool, .cost_max = 100};
    variables[0] = (struct variable){.name = bytes_of_text("m"), .type = type_of_message(&pool, order)};
    values[0] = datum_of_message(&e, 0, order, bytes);
    variables[1] = (struct variable){.name = bytes_of_text("saga.id"), .type = &type_string};
    values[1] = datum_string(bytes_of_text("9f-2a"));
    variables[2] =
        (struct variable){.name = bytes_of_text("s.part"), .type = type_of_message(&pool, line), .may_be_absent = true};
    values[2] = datum_absent;
    variables[3] = (struct variable){.name = bytes_of_text("outcome"), .type = &type_string};
    values[3] = datum_string(bytes_of_text("done"));
    variables[4] = (struct variable){.name = bytes_of_text("any"), .type = &type_dyn};
    values[4] = datum_int(7);
    variables[5] = (struct variable){.name = bytes_of_text("none"), .type = type_optional(&pool, &type_int)};
    values[5] = (struct datum){.kind = DATUM_OPTIONAL};
    world = (struct expression_world){.environment = {.schema = schema,
                                                      .container = bytes_of_text("shapes"),
                                                      .variables = variables,
                                                      .variable_count = sizeof variables / sizeof *variables},
                                      .values = values,
                                      .pool = &pool};
    put_each(out, literals);
    put_macros(out);
    put_each(out, others);
    put_asked(out);
    put_bounds(out);
    pool_finish(&pool);
}

START_TEST(expression__every_form_means_what_it_meant)
{
    schema = shapes_schema();
    kept_text_compare(path, put_all);
    schema_destroy(schema);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "expression_forms", expression__every_form_means_what_it_meant);
}
