/* What an expression is said to cost, and how large its value may be: each part has its share, and lists are as long as something says that they are at
 * most. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/examine.h"
#include "tests/support/shapes.h"

#include <check.h>
#include <stdlib.h>

static struct schema *schema;
static struct pool pool;
static struct variable variables[4];

static void setup(void)
{
    schema = shapes_schema();
    pool_init(&pool, &heap, 1 << 22);
    variables[0] =
        (struct variable){.name = bytes_of_text("input"), .type = type_of_message(&pool, shapes_type(schema, "Order"))};
    variables[1] = (struct variable){.name = bytes_of_text("saga.id"), .type = &type_string};
    variables[2] = (struct variable){.name = bytes_of_text("steps.pay.output"),
                                     .type = type_of_message(&pool, shapes_type(schema, "Line")),
                                     .may_be_absent = true};
    variables[3] = (struct variable){.name = bytes_of_text("anything"), .type = &type_dyn};
}

static void teardown(void)
{
    pool_finish(&pool);
    schema_destroy(schema);
}

static const struct expression *compiled(const char *text)
{
    const struct environment environment = {
        .schema = schema, .container = bytes_of_text("shapes"), .variables = variables, .variable_count = 4};
    const struct expression *e = NULL;
    struct expression_error error = {.text = ""};
    ck_assert_msg(expression_compile(bytes_of_text(text), &environment, &pool, &e, &error) == 0, "%s: %s", text,
                  error.text);
    return e;
}

/* With lists of one item, and of a hundred. */
START_TEST(examine__every_part_has_its_share_of_the_cost)
{
    static const struct {
        const char *text;
        unsigned cost_of_one, size_of_one, cost_of_many, size_of_many;
    } cases[] = {
        {"1", 1, 1, 1, 1},
        {"'abcd'", 1, 4, 1, 4},
        {"b'abc'", 1, 3, 1, 3},
        {"input", 1, 464, 1, 15908},
        {"input.order_id", 32, 32, 997, 32},
        {"input.customer", 32, 96, 997, 96},
        {"input.customer.name", 40, 32, 1005, 32},
        {"input.lines", 33, 1, 1097, 100},
        {"input.lines[0]", 35, 40, 1099, 40},
        {"input.lines[0].sku", 39, 32, 1103, 32},
        {"input.counts", 33, 1, 1097, 100},
        {"input.counts.a", 34, 1, 1098, 1},
        {"input.notes", 33, 1, 1097, 100},
        {"input.card", 32, 32, 997, 32},
        {"input.priority", 32, 1, 997, 1},
        {"input.at", 32, 1, 997, 1},
        {"saga.id", 1, 32, 1, 32},
        {"anything", 1, 1, 1, 100},
        {"steps.pay.output", 1, 40, 1, 40},
        {"steps.pay.output.sku", 5, 32, 5, 32},
        {"has(input.card)", 32, 1, 997, 1},
        {"has(input.lines)", 32, 1, 997, 1},
        {"has(dyn(input).card)", 3, 1, 3, 1},
        {"size(input.lines)", 34, 1, 1098, 1},
        {"input.lines.size()", 34, 1, 1098, 1},
        {"size(saga.id)", 2, 1, 2, 1},
        {"saga.id + input.order_id", 46, 64, 1011, 64},
        {"saga.id + 'abcdefghijklmnopqrstuvwxyz0123456789'", 15, 68, 15, 68},
        {"input.token == b'a'", 36, 1, 1001, 1},
        {"input.lines + input.lines", 69, 2, 2395, 200},
        {"input.lines == []", 36, 1, 1199, 1},
        {"input.counts == {}", 36, 1, 1199, 1},
        {"input.customer == Customer{}", 34, 1, 999, 1},
        {"saga.id == input.order_id", 38, 1, 1003, 1},
        {"saga.id.contains(input.order_id)", 38, 1, 1003, 1},
        {"input.notes.join(',')", 40, 33, 1599, 3201},
        {"input.notes.join(',') + saga.id", 54, 65, 2207, 3233},
        {"1 + 2", 3, 1, 3, 1},
        {"-input.priority", 33, 1, 998, 1},
        {"[1, 2, 3]", 4, 3, 4, 3},
        {"['a', saga.id]", 3, 2, 3, 2},
        {"{'a': 1, 'b': 2}", 5, 2, 5, 2},
        {"Line{}", 1, 0, 1, 0},
        {"Line{sku: saga.id, quantity: 1}", 3, 64, 3, 64},
        {"Order{lines: input.lines}", 34, 1, 1098, 100},
        {"true ? saga.id : 'a'", 4, 32, 4, 32},
        {"true ? 'a' : saga.id", 4, 32, 4, 32},
        {"true ? input.lines : []", 36, 1, 1100, 100},
        {"input.lines.all(l, l.quantity > 1)", 41, 1, 1798, 100},
        {"input.lines.map(l, l.sku)", 39, 1, 1598, 100},
        {"input.lines.map(l, l.quantity > 1, l.sku)", 46, 1, 2298, 100},
        {"input.lines.filter(l, l.sku == saga.id)", 45, 1, 2198, 100},
        {"input.lines.all(a, input.lines.all(b, a.sku == b.sku))", 83, 1, 260898, 100},
        {"input.counts.all(k, v, v > 0)", 37, 1, 1398, 100},
        {"input.lines.transformList(i, l, i)", 35, 1, 1198, 100},
        {"anything.all(x, x == 1)", 6, 1, 10302, 100},
        {"[1, 2].all(x, x > 0)", 10, 2, 10, 2},
        {"optional.of(saga.id).optMap(x, x + x)", 8, 1, 45, 1},
        {"optional.of(input.lines).optFlatMap(x, optional.of(x))", 39, 1, 1301, 1},
        {"cel.bind(x, input.lines, x + x)", 39, 2, 1301, 200},
        {"cel.bind(x, saga.id, x.size())", 4, 1, 4, 1},
        {"saga.id in input.notes", 38, 1, 1201, 1},
        {"'a' in input.counts", 36, 1, 1199, 1},
        {"dyn(input.lines)[0].sku", 38, 1, 1201, 100},
        {"anything.name", 2, 1, 2, 100},
        {"input.lines.map(l, l)[0].sku", 41, 32, 1204, 32},
        {"saga.id.split(',')", 5, 1, 5, 100},
        {"saga.id.matches('a+')", 5, 1, 5, 1},
        {"'%s'.format([saga.id])", 5, 32, 5, 32},
        {"string(1)", 2, 32, 2, 32},
        {"timestamp(0)", 2, 1, 2, 1},

    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct examine_bounds one = {.items = 1}, many = {.items = 100};
        const struct expression *e = compiled(cases[i].text);
        struct examined_cost few = examine_cost(e, &one), all = examine_cost(e, &many);
        ck_assert_msg(few.cost == cases[i].cost_of_one && few.size == cases[i].size_of_one &&
                          all.cost == cases[i].cost_of_many && all.size == cases[i].size_of_many,
                      "%s: %llu, %llu, %llu, %llu", cases[i].text, (unsigned long long)few.cost,
                      (unsigned long long)few.size, (unsigned long long)all.cost, (unsigned long long)all.size);
    }
}
END_TEST

/* Lists have a hundred items, where no condition says how many there are at most. */
START_TEST(examine__a_list_is_as_long_as_a_condition_says)
{
#define OF_ALL   1798 /* by input.lines.all(l, l.quantity > 1) */
#define OF_FIVE  800
#define OF_NONE  748
#define OF_TWICE 2598
    static const struct {
        const char *condition;
        unsigned cost;
    } cases[] = {
        {"size(input.lines) <= 5", OF_FIVE},
        {"size(input.lines) < 6", OF_FIVE},
        {"input.lines.size() <= 5", OF_FIVE},
        {"5 >= size(input.lines)", OF_FIVE},
        {"6 > size(input.lines)", OF_FIVE},
        {"size(input.lines) <= 0", OF_NONE},
        {"size(input.lines) < 0", OF_NONE},
        {"size(input.lines) < 1", OF_NONE},
        {"size(input.lines) <= 200", OF_TWICE},
        {"size(input.lines) <= 5 && input.order_id != ''", OF_FIVE},
        {"input.order_id != '' && (input.card != '' && size(input.lines) <= 5)", OF_FIVE},
        {"size(input.lines) <= 5 && size(input.lines) <= 7", OF_FIVE},
        {"size(input.lines) <= 7 && size(input.lines) <= 5", OF_FIVE},
        {"size(input.lines) <= -1", OF_ALL},
        {"size(input.lines) >= 5", OF_ALL},
        {"size(input.lines) > 5", OF_ALL},
        {"5 <= size(input.lines)", OF_ALL},
        {"5 < size(input.lines)", OF_ALL},
        {"size(input.lines) == 5", OF_ALL},
        {"size(input.lines) != 5", OF_ALL},
        {"size(input.lines) <= 5 || true", OF_ALL},
        {"!(size(input.lines) <= 5)", OF_ALL},
        {"size(input.lines) <= size(input.notes)", OF_ALL},
        {"size(input.lines + input.lines) <= 5", OF_ALL},
        {"size(input.order_id) <= 5", OF_ALL},
        {"size(dyn(input).lines) <= 5", OF_ALL},
    };
    const struct expression *e = compiled("input.lines.all(l, l.quantity > 1)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct examine_bounds bounds = {.items = 100};
        examine_add_bounds(&bounds, compiled(cases[i].condition));
        ck_assert_msg(examine_cost(e, &bounds).cost == cases[i].cost, "%s: %llu", cases[i].condition,
                      (unsigned long long)examine_cost(e, &bounds).cost);
    }
    /* It is that list's alone, wherever its message is looked at. */
    static const struct {
        const char *condition, *text;
        unsigned size;
    } sizes[] = {
        {"true", "input", 15908},
        {"size(input.lines) <= 5", "input", 12108},
        {"size(input.notes) <= 5", "input", 12868},
        {"size(input.counts) <= 5", "input", 12488},
        {"size(input.lines) <= 5 && size(input.notes) <= 7", "input", 9132},
        {"size(input.lines) <= 5", "input.lines", 5},
        {"size(input.lines) <= 5", "input.notes", 100},
        {"size(input.notes) <= 5", "input.notes", 5},
        {"size(input.counts) <= 5", "input.counts", 5},
        {"size(input.lines) <= 5", "dyn(input).lines", 100},
        {"size(input.lines) <= 5", "input.lines + input.lines", 10},
        {"size(input.lines) <= 5", "Order{lines: input.lines}.lines", 100},
        {"size(anything) <= 5", "anything", 5},
        {"size(saga.id) <= 5", "saga.id", 5},
        {"size(saga.id) <= 5", "anything", 100},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct examine_bounds bounds = {.items = 100};
        examine_add_bounds(&bounds, compiled(sizes[i].condition));
        ck_assert_msg(examine_cost(compiled(sizes[i].text), &bounds).size == sizes[i].size, "%s, %s: %llu",
                      sizes[i].condition, sizes[i].text,
                      (unsigned long long)examine_cost(compiled(sizes[i].text), &bounds).size);
    }
#undef OF_ALL
#undef OF_FIVE
#undef OF_NONE
#undef OF_TWICE
}
END_TEST

/* Whether it is true for one value alone: that is read of what && joins, however it is bracketed, and of nothing else. */
START_TEST(examine__what_must_be_equal_is_read_from_conditions)
{
    static const struct {
        const char *text, *literal; /* NULL: nothing must be */
    } cases[] = {
        {"saga.id == 'a'", "a"},
        {"'a' == saga.id", "a"},
        {"saga.id == 'a' && input.cash", "a"},
        {"input.cash && saga.id == 'a'", "a"},
        {"input.cash && (input.order_id != '' && 'a' == saga.id)", "a"},
        {"(input.cash && saga.id == 'a') && input.order_id != ''", "a"},
        {"saga.id == 'a' && saga.id == 'b'", "a"},
        {"saga.id != 'a'", NULL},
        {"!(saga.id == 'a')", NULL},
        {"saga.id == 'a' || input.cash", NULL},
        {"input.cash && (saga.id == 'a' || input.cash)", NULL},
        {"input.cash ? saga.id == 'a' : saga.id == 'a'", NULL},
        {"input.order_id == 'a'", NULL},
        {"saga.id == input.order_id", NULL},
        {"saga.id == saga.id + 'a'", NULL},
        {"saga.id < 'a'", NULL},
        {"saga.id in ['a']", NULL},
        {"true", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct examined_equal equal;
        bool must = examine_must_equal(compiled(cases[i].text), 1, &equal);
        ck_assert_msg(must == (cases[i].literal != NULL), "%s", cases[i].text);
        if (must)
            ck_assert_msg(equal.variable == -1 && equal.literal.kind == DATUM_STRING &&
                              bytes_equal(datum_bytes(&equal.literal), bytes_of_text(cases[i].literal)),
                          "%s", cases[i].text);
    }
    /* Another variable tells, too, unless it is only asked for. */
    struct examined_equal equal;
    ck_assert(examine_must_equal(compiled("saga.id == anything"), 1, &equal) && equal.variable == 3);
    ck_assert(examine_must_equal(compiled("anything == saga.id"), 3, &equal) && equal.variable == 1);
    ck_assert(!examine_must_equal(compiled("anything == has(steps.pay.output)"), 3, &equal));
    ck_assert(!examine_must_equal(compiled("has(steps.pay.output) == true"), 2, &equal));
}
END_TEST

/* What is larger than anything stays so, however often it is multiplied. */
START_TEST(examine__a_cost_has_a_bound_of_its_own)
{
    const struct examine_bounds endless = {.items = UINT64_MAX / 4};
    const struct expression *e = compiled("input.lines.all(a, input.lines.all(b, input.lines.all(c, true)))");
    uint64_t most = examine_cost(e, &endless).cost;
    ck_assert_uint_gt(most, UINT32_MAX);
    ck_assert_uint_ge(
        examine_cost(compiled("input.lines.all(a, input.lines.all(b, input.lines.all(c, input.lines.all(d, "
                              "true)))) || input.lines.all(a, true)"),
                     &endless)
            .cost,
        most);
}
END_TEST

/* There are places for so many bounds, and what finds none is left out. */
START_TEST(examine__bounds_have_an_end)
{
    struct examine_bounds bounds = {.items = 100};
    const struct expression *say = compiled("size(input.notes) <= 5"), *last = compiled("size(input.lines) <= 5"),
                            *e = compiled("input.lines.all(l, l.quantity > 1)");
    examine_add_bounds(&bounds, say);
    uint64_t of_all = examine_cost(e, &bounds).cost;
    while (bounds.count < EXAMINE_BOUNDS_MAX - 1)
        examine_add_bounds(&bounds, say);
    struct examine_bounds full = bounds;
    examine_add_bounds(&bounds, last);
    ck_assert_uint_eq(bounds.count, EXAMINE_BOUNDS_MAX);
    ck_assert_uint_lt(examine_cost(e, &bounds).cost, of_all);
    examine_add_bounds(&full, say);
    examine_add_bounds(&full, last);
    ck_assert_uint_eq(full.count, EXAMINE_BOUNDS_MAX);
    ck_assert_uint_eq(examine_cost(e, &full).cost, of_all);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("examine");
    TCase *c = tcase_create("examine");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, examine__every_part_has_its_share_of_the_cost);
    tcase_add_test(c, examine__a_list_is_as_long_as_a_condition_says);
    tcase_add_test(c, examine__what_must_be_equal_is_read_from_conditions);
    tcase_add_test(c, examine__a_cost_has_a_bound_of_its_own);
    tcase_add_test(c, examine__bounds_have_an_end);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
