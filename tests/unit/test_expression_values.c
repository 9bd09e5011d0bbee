/* Values of expressions against one another: their order, equality and sums over all pairs, keys of maps whatever their kind, times to the nanosecond,
 * and what conversions make of texts at their bounds. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/expression.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pool pool;

static void setup(void)
{
    pool_init(&pool, &heap, 256 << 20);
}

static void teardown(void)
{
    pool_finish(&pool);
}

static struct datum evaluated(const char *text)
{
    static const struct environment none;
    const struct expression *e = NULL;
    struct expression_error error = {.text = ""};
    ck_assert_msg(expression_compile(bytes_of_text(text), &none, &pool, &e, &error) == 0, "%s: %s", text, error.text);
    return expression_evaluate(e, &(struct evaluation){.pool = &pool, .cost_max = 100000});
}

/* What a text comes to, which is not kept. */
static bool truth(const char *text)
{
    struct pool_mark mark = pool_mark(&pool);
    struct datum d = evaluated(text);
    ck_assert_msg(d.kind == DATUM_BOOL, "%s: %.*s", text, d.kind == DATUM_FAILURE ? (int)d.failure->text.size : 0,
                  d.kind == DATUM_FAILURE ? (const char *)d.failure->text.at : "");
    bool b = d.b;
    pool_rewind(&pool, mark);
    return b;
}

struct ranked {
    const char *text;
    int rank; /* of equal values the same; those of NO_RANK have no order, not even with themselves */
};

#define NO_RANK (-1)

/* Every value beside every other, the operators between them, in lists, and without their types. */
static void compare_all(const struct ranked *values, size_t count)
{
    static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">="};
    for (size_t i = 0; i < count * count; i++) {
        const struct ranked *a = &values[i / count], *b = &values[i % count];
        bool ordered = a->rank != NO_RANK && b->rank != NO_RANK;
        int order = a->rank < b->rank ? -1 : a->rank > b->rank;
        const bool holds[] = {ordered && order == 0, !ordered || order != 0, ordered && order < 0,
                              ordered && order <= 0, ordered && order > 0,   ordered && order >= 0};
        char text[512];
        for (size_t k = 0; k < 6; k++) {
            snprintf(text, sizeof text, "dyn(%s) %s dyn(%s)", a->text, operators[k], b->text);
            ck_assert_msg(truth(text) == holds[k], "%s", text);
        }
        snprintf(text, sizeof text, "dyn(%s) in [dyn(%s)]", a->text, b->text);
        ck_assert_msg(truth(text) == holds[0], "%s", text);
        snprintf(text, sizeof text, "[[dyn(%s)]] == [[dyn(%s)]]", a->text, b->text);
        ck_assert_msg(truth(text) == holds[0], "%s", text);
        snprintf(text, sizeof text, "{'k': dyn(%s)} == {'k': dyn(%s)}", a->text, b->text);
        ck_assert_msg(truth(text) == holds[0], "%s", text);
        snprintf(text, sizeof text, "optional.of(dyn(%s)) == optional.of(dyn(%s))", a->text, b->text);
        ck_assert_msg(truth(text) == holds[0], "%s", text);
        snprintf(text, sizeof text, "[dyn(%s), dyn(%s)].isSorted()", a->text, b->text);
        ck_assert_msg(truth(text) == holds[3], "%s", text);
        if (!ordered)
            continue;
        snprintf(text, sizeof text, "[dyn(%s), dyn(%s)].min() == dyn(%s)", a->text, b->text,
                 order <= 0 ? a->text : b->text);
        ck_assert_msg(truth(text), "%s", text);
        snprintf(text, sizeof text, "[dyn(%s), dyn(%s)].max() == dyn(%s)", a->text, b->text,
                 order >= 0 ? a->text : b->text);
        ck_assert_msg(truth(text), "%s", text);
    }
}

#define COMPARE(values) compare_all(values, sizeof(values) / sizeof *(values))

/* Numbers of all kinds stand in one row; beside a double a whole number is the double nearest to it. */
START_TEST(values__numbers_have_one_order)
{
    static const struct ranked numbers[] = {
        {"-1.0 / 0.0", 0},
        {"-9223372036854775808", 1},
        {"-9223372036854775808.0", 1},
        {"-1.5", 3},
        {"-1", 4},
        {"-1.0", 4},
        {"-0.5", 5},
        {"-0.0", 6},
        {"0.0", 6},
        {"0", 6},
        {"0u", 6},
        {"5e-324", 7},
        {"1", 8},
        {"1u", 8},
        {"1.0", 8},
        {"9007199254740992.0", 9},
        {"9007199254740992", 9},
        {"9007199254740994u", 11},
        {"9007199254740994.0", 11},
        {"9223372036854774784.0", 12},
        {"9223372036854774784", 12},
        {"9223372036854775808u", 13},
        {"9223372036854775808.0", 13},
        {"18446744073709549568u", 14},
        {"18446744073709551616.0", 15},
        {"1.0 / 0.0", 16},
        {"0.0 / 0.0", NO_RANK},
    };
    static const struct ranked wholes[] = {{"-9223372036854775808", 0},
                                           {"-9223372036854775807", 1},
                                           {"-1", 2},
                                           {"0u", 3},
                                           {"1", 4},
                                           {"9007199254740992", 5},
                                           {"9007199254740993u", 6},
                                           {"9007199254740993", 6},
                                           {"9223372036854775806u", 7},
                                           {"9223372036854775807", 8},
                                           {"9223372036854775807u", 8},
                                           {"9223372036854775808u", 9},
                                           {"18446744073709551614u", 10},
                                           {"18446744073709551615u", 11}};
    COMPARE(numbers);
    COMPARE(wholes);
    ck_assert(
        truth("9223372036854775807 == dyn(9223372036854775808.0) && 9007199254740993 == dyn(9007199254740992.0)"));
    ck_assert(
        truth("18446744073709551615u == dyn(18446744073709551616.0) && !(9007199254740993u > 9007199254740992.0)"));
}
END_TEST

START_TEST(values__texts_bytes_and_times_have_their_order)
{
    static const struct ranked texts[] = {{"''", 0},         {"'\\u0000'", 1}, {"'A'", 2}, {"'a'", 3},
                                          {"'a\\u0000'", 4}, {"'ab'", 5},      {"'b'", 6}, {"'é'", 7},
                                          {"'€'", 8},        {"'\\uffff'", 9}, {"'😀'", 10}};
    static const struct ranked bytes[] = {{"b''", 0},      {"b'\\x00'", 1}, {"b'a'", 2},    {"b'ab'", 3},
                                          {"b'\\x7f'", 4}, {"b'\\x80'", 5}, {"b'\\xff'", 6}};
    static const struct ranked bools[] = {{"false", 0}, {"true", 1}};
    static const struct ranked times[] = {{"timestamp('0001-01-01T00:00:00Z')", 0},
                                          {"timestamp('1969-12-31T23:59:59.999999999Z')", 1},
                                          {"timestamp(0)", 2},
                                          {"timestamp('1970-01-01T02:00:00+02:00')", 2},
                                          {"timestamp('1970-01-01T00:00:00.000000001Z')", 3},
                                          {"timestamp('1970-01-01T00:00:00.999999999Z')", 4},
                                          {"timestamp(1)", 5},
                                          {"timestamp('9999-12-31T23:59:59.999999999Z')", 6}};
    static const struct ranked spans[] = {{"duration('-9223372036.854775807s')", 0},
                                          {"duration('-1s')", 1},
                                          {"duration('-999999999ns')", 2},
                                          {"duration('-1ns')", 3},
                                          {"duration('0s')", 4},
                                          {"duration('-0')", 4},
                                          {"duration('1ns')", 5},
                                          {"duration('0.000000001s')", 5},
                                          {"duration('1us')", 6},
                                          {"duration('1h')", 7},
                                          {"duration('60m')", 7},
                                          {"duration('9223372036.854775807s')", 8}};
    COMPARE(texts);
    COMPARE(bytes);
    COMPARE(bools);
    COMPARE(times);
    COMPARE(spans);
}
END_TEST

/* Values of different kinds are not equal, and have no order; numbers are of one kind. */
START_TEST(values__of_different_kinds_are_not_equal)
{
    static const char *const kinds[] = {
        "null",           "true", "1",  "'1'", "b'1'", "timestamp(1)", "duration('1s')", "[1]", "{1: 1}",
        "optional.of(1)", "int",  "[]", "{}",  "''",   "b''",          "optional.none()"};
    size_t count = sizeof kinds / sizeof *kinds;
    for (size_t i = 0; i < count * count; i++) {
        const char *a = kinds[i / count], *b = kinds[i % count];
        char text[256];
        snprintf(text, sizeof text, "dyn(%s) == dyn(%s)", a, b);
        ck_assert_msg(truth(text) == (a == b), "%s", text);
        snprintf(text, sizeof text, "dyn(%s) in [dyn(%s)]", a, b);
        ck_assert_msg(truth(text) == (a == b), "%s", text);
        static const char *const operators[] = {"<", "<=", ">", ">="};
        bool ordered = (i / count >= 1 && i / count <= 6 && a == b) || (i / count == 3 && i % count == 13) ||
                       (i / count == 13 && i % count == 3) || (i / count == 4 && i % count == 14) ||
                       (i / count == 14 && i % count == 4) || (a == b && (i / count == 13 || i / count == 14));
        for (size_t k = 0; k < 4; k++) {
            snprintf(text, sizeof text, "dyn(%s) %s dyn(%s)", a, operators[k], b);
            ck_assert_msg((evaluated(text).kind == DATUM_FAILURE) == !ordered, "%s", text);
        }
    }
}
END_TEST

/* A key is found by what it is worth, in a map of few entries as in one of many. */
START_TEST(values__keys_of_maps_are_found_whatever_their_kind)
{
    static const struct {
        const char *key, *sought;
        bool found;
    } cases[] = {
        {"1", "1", true},
        {"1", "1u", true},
        {"1", "1.0", true},
        {"1", "1.5", false},
        {"1", "'1'", false},
        {"1", "true", false},
        {"1", "2", false},
        {"1", "null", false},
        {"1", "b'1'", false},
        {"1", "[1]", false},
        {"1u", "1", true},
        {"1u", "1u", true},
        {"1u", "1.0", true},
        {"0", "-0.0", true},
        {"0", "false", false},
        {"-1", "-1.0", true},
        {"-1", "18446744073709551615u", false},
        {"18446744073709551615u", "-1", false},
        {"18446744073709551615u", "18446744073709551615u", true},
        {"18446744073709551615u", "18446744073709551616.0", false},
        {"9223372036854775808u", "9223372036854775808.0", true},
        {"9223372036854775807", "9223372036854775808.0", false},
        {"9007199254740992", "9007199254740992.0", true},
        {"-9223372036854775808", "-9223372036854775808.0", true},
        {"9007199254740993", "9007199254740992.0", false},
        {"9007199254740993", "9007199254740993u", true},
        {"1", "0.0 / 0.0", false},
        {"1", "1.0 / 0.0", false},
        {"true", "true", true},
        {"true", "false", false},
        {"true", "1", false},
        {"true", "'true'", false},
        {"''", "''", true},
        {"''", "b''", false},
        {"'a'", "'a'", true},
        {"'a'", "b'a'", false},
        {"'a'", "'ab'", false},
        {"'\\u0000'", "''", false},
    };
    /* Around the key nothing, few and many others; eight are the most that are looked at one by one. */
    static const char *const others[] = {"", "'k1': 1, 'k2': 2, ", "11: 1, 12: 2, 13: 3, 14: 4, 15: 5, 16: 6, 17: 7, ",
                                         "11: 1, 12: 2, 13: 3, 14: 4, 15: 5, 16: 6, 17: 7, 18: 8, ",
                                         "11: 1, 12u: 2, 'c': 3, false: 4, 15: 5, 'x': 6, 17: 7, 18: 8, 19: 9, 20: 0, "
                                         "'y': 1, 22: 2, 23: 3, 24: 4, 25: 5, 26: 6, 27: 7, "};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            char map[256], text[1024];
            const char *sought = cases[i].sought;
            if (k == 4 && strcmp(sought, "false") == 0)
                continue;
            snprintf(map, sizeof map, "dyn({%s%s: 'here'})", others[k], cases[i].key);
            snprintf(text, sizeof text, "dyn(%s) in %s", sought, map);
            ck_assert_msg(truth(text) == cases[i].found, "%s", text);
            snprintf(text, sizeof text, "%s[?dyn(%s)] == optional.of('here')", map, sought);
            ck_assert_msg(truth(text) == cases[i].found, "%s", text);
            snprintf(text, sizeof text, "%s[?dyn(%s)].hasValue()", map, sought);
            ck_assert_msg(truth(text) == cases[i].found, "%s", text);
            snprintf(text, sizeof text, "%s[dyn(%s)] == 'here'", map, sought);
            struct datum d = evaluated(text);
            ck_assert_msg(cases[i].found ? d.kind == DATUM_BOOL && d.b : d.kind == DATUM_FAILURE, "%s", text);
            /* What may be a key and is found there is the same key, which a map has once. */
            if (strpbrk(sought, ".[") != NULL || sought[0] == 'n' || sought[0] == 'b')
                continue;
            snprintf(text, sizeof text, "size({%sdyn(%s): 1, dyn(%s): 2}) > 0", others[k], cases[i].key, sought);
            ck_assert_msg((evaluated(text).kind == DATUM_FAILURE) == cases[i].found, "%s", text);
            snprintf(text, sizeof text, "dyn({%sdyn(%s): 1}) == dyn({%sdyn(%s): 1.0})", others[k], cases[i].key,
                     others[k], sought);
            ck_assert_msg(truth(text) == cases[i].found, "%s", text);
        }
}
END_TEST

struct result_row {
    const char *text, *result; /* NULL: it fails */
};

/* Each is its result, of the same type. */
static void expect_values(const struct result_row *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = values[i].text, *result = values[i].result;
        char same[512];
        if (result == NULL) {
            ck_assert_msg(evaluated(text).kind == DATUM_FAILURE, "%s", text);
            continue;
        }
        snprintf(same, sizeof same, "(%s) == (%s) && type(%s) == type(%s)", text, result, text, result);
        ck_assert_msg(truth(same), "%s", same);
    }
}

/* Sums, differences and products of all kinds, at the last value that there is and behind it. */
START_TEST(values__are_reckoned_with_up_to_their_bounds)
{
    static const struct result_row values[] = {
        {"9223372036854775806 + 1", "9223372036854775807"},
        {"9223372036854775807 + 1", NULL},
        {"-9223372036854775807 + -1", "-9223372036854775808"},
        {"-9223372036854775808 + -1", NULL},
        {"-9223372036854775807 - 1", "-9223372036854775808"},
        {"-9223372036854775808 - 1", NULL},
        {"0 - -9223372036854775807", "9223372036854775807"},
        {"0 - -9223372036854775808", NULL},
        {"-9223372036854775808 * 1", "-9223372036854775808"},
        {"-9223372036854775808 * -1", NULL},
        {"-1 * -9223372036854775808", NULL},
        {"3037000499 * 3037000499", "9223372030926249001"},
        {"3037000500 * 3037000500", NULL},
        {"-9223372036854775808 / -1", NULL},
        {"-9223372036854775808 % -1", NULL},
        {"-9223372036854775808 / 1", "-9223372036854775808"},
        {"-7 % 3", "-1"},
        {"7 % -3", "1"},
        {"-7 / 3", "-2"},
        {"7 / -3", "-2"},
        {"0 / -5", "0"},
        {"0 / 0", NULL},
        {"0 % 0", NULL},
        {"18446744073709551614u + 1u", "18446744073709551615u"},
        {"18446744073709551615u + 1u", NULL},
        {"1u - 1u", "0u"},
        {"1u - 2u", NULL},
        {"4294967296u * 4294967295u", "18446744069414584320u"},
        {"4294967296u * 4294967296u", NULL},
        {"18446744073709551615u / 2u", "9223372036854775807u"},
        {"18446744073709551615u % 10u", "5u"},
        {"1u / 0u", NULL},
        {"1u % 0u", NULL},
        {"-(-9223372036854775807)", "9223372036854775807"},
        {"-(0.0) == 0.0", "true"},
        {"1.0 / -(0.0)", "-1.0 / 0.0"},
        {"1.7976931348623157e308 * 10.0", "1.0 / 0.0"},
        {"1e-320 / 1e10", "0.0"},
        {"0.1 + 0.2", "0.30000000000000004"},
        {"'a' + ''", "'a'"},
        {"'' + 'é'", "'é'"},
        {"b'a' + b'\\xff'", "b'a\\xff'"},
        {"[1] + [dyn('a')] + []", "[1, dyn('a')]"},
        {"duration('9223372036.854775806s') + duration('1ns')", "duration('9223372036.854775807s')"},
        {"duration('9223372036.854775807s') + duration('1ns')", NULL},
        {"duration('-9223372036.854775807s') - duration('1ns') < duration('0s')", "true"},
        {"duration('-9223372036.854775807s') - duration('2ns')", NULL},
        {"duration('1s') - duration('1ns')", "duration('999999999ns')"},
        {"duration('1ns') - duration('1s')", "duration('-999999999ns')"},
        {"timestamp('9999-12-31T23:59:59.999999998Z') + duration('1ns')",
         "timestamp('9999-12-31T23:59:59.999999999Z')"},
        {"timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns')", NULL},
        {"timestamp('0001-01-01T00:00:00.000000001Z') - duration('1ns')", "timestamp('0001-01-01T00:00:00Z')"},
        {"timestamp('0001-01-01T00:00:00Z') - duration('1ns')", NULL},
        {"timestamp('0001-01-01T00:00:00Z') + duration('-1ns')", NULL},
        {"timestamp(0) - duration('1ns')", "timestamp('1969-12-31T23:59:59.999999999Z')"},
        {"timestamp(0) + duration('-1ns')", "timestamp('1969-12-31T23:59:59.999999999Z')"},
        {"duration('-1.5s') + timestamp(1)", "timestamp('1969-12-31T23:59:59.5Z')"},
        {"timestamp('1970-01-01T00:00:00.999999999Z') + duration('1ns')", "timestamp(1)"},
        {"timestamp('1970-01-01T00:00:00.999999999Z') - duration('-1ns')", "timestamp(1)"},
        {"timestamp('1970-01-01T00:00:00.6Z') + duration('2.6s')", "timestamp('1970-01-01T00:00:03.2Z')"},
        {"timestamp('1970-01-01T00:00:03.2Z') - duration('2.6s')", "timestamp('1970-01-01T00:00:00.6Z')"},
        {"timestamp(1) - timestamp('1970-01-01T00:00:00.000000001Z')", "duration('999999999ns')"},
        {"timestamp('1970-01-01T00:00:00.000000001Z') - timestamp(1)", "duration('-999999999ns')"},
        {"timestamp('2009-02-13T23:31:30.123456789Z') - timestamp('2009-02-13T23:31:30.123456788Z')",
         "duration('1ns')"},
        {"timestamp('2009-02-13T23:31:30.123456789Z') - timestamp('2009-02-13T23:31:30Z')", "duration('123456789ns')"},
        {"timestamp(9223372036) - timestamp(0)", "duration('9223372036s')"},
        {"timestamp(9223372037) - timestamp(0)", NULL},
        {"[duration('1ns'), duration('2ns')].sum()", "duration('3ns')"},
        {"[9223372036854775807, 1].sum()", NULL},
        {"[18446744073709551615u, 1u].sum()", NULL},
        {"[duration('9223372036s'), duration('1s')].sum()", NULL},
        {"[0.5, 0.25].sum()", "0.75"},
        {"dyn(['a']).sum()", NULL},
        {"dyn([1, 'a']).isSorted()", NULL},
        {"dyn([2, 1, 'a']).isSorted()", "false"}, /* which is told by the first two */
        {"dyn([null, null]).isSorted()", NULL},
        {"dyn([[1], [2]]).isSorted()", NULL},
        {"dyn([timestamp(1), duration('1s')]).isSorted()", NULL},
        {"dyn([1, 'a']).min()", NULL},
        {"dyn(['a', b'a']).max()", NULL},
        {"dyn([true, null]).max()", NULL},
        {"math.greatest(1, dyn('a'))", NULL},
        {"math.least([1, dyn(null)])", NULL},
        {"math.greatest(dyn('a'), dyn('b'))", NULL}, /* which have an order */
        {"math.least(dyn([timestamp(1)]))", NULL},
        {"math.greatest(dyn(true))", NULL},
        {"dyn([1, 2u, 0.5]).min()", "0.5"},
        {"dyn([1, 2u, 0.5]).max()", "2u"},
        {"dyn([1, 1u]).sum()", NULL},
    };
    expect_values(values, sizeof values / sizeof *values);
}
END_TEST

/* Each conversion with texts and values of all forms; of a value that has one, the text is the same again. */
START_TEST(values__are_converted_or_refused)
{
    static const struct result_row values[] = {
        {"int('0')", "0"},
        {"int('-0')", "0"},
        {"int('007')", "7"},
        {"int('9223372036854775807')", "9223372036854775807"},
        {"int('9223372036854775808')", NULL},
        {"int('-9223372036854775808')", "-9223372036854775808"},
        {"int('-9223372036854775809')", NULL},
        {"int('')", NULL},
        {"int('-')", NULL},
        {"int(' 1')", NULL},
        {"int('1 ')", NULL},
        {"int('0x1')", NULL},
        {"int('1.0')", NULL},
        {"int('1e3')", NULL},
        {"int('1u')", NULL},
        {"int('--1')", NULL},
        {"int(2.999999)", "2"},
        {"int(-2.999999)", "-2"},
        {"int(9223372036854774784.0)", "9223372036854774784"},
        {"int(9223372036854775808.0)", NULL},
        {"int(-9223372036854774784.0)", "-9223372036854774784"},
        {"int(0.0 / 0.0)", NULL},
        {"int(1.0 / 0.0)", NULL},
        {"int(-1.0 / 0.0)", NULL},
        {"int(9223372036854775807u)", "9223372036854775807"},
        {"int(9223372036854775808u)", NULL},
        {"int(timestamp('1969-12-31T23:59:59Z'))", "-1"},
        {"int(timestamp('1969-12-31T23:59:58.5Z'))", "-2"},
        {"int(timestamp('1970-01-01T00:00:01.999999999Z'))", "1"},
        {"int(timestamp('9999-12-31T23:59:59Z'))", "253402300799"},
        {"int(timestamp('0001-01-01T00:00:00Z'))", "-62135596800"},
        {"uint('18446744073709551615')", "18446744073709551615u"},
        {"uint('18446744073709551616')", NULL},
        {"uint('-1')", NULL},
        {"uint('')", NULL},
        {"uint('1u')", NULL},
        {"uint(18446744073709549568.0)", "18446744073709549568u"},
        {"uint(18446744073709551616.0)", NULL},
        {"uint(0.0 / 0.0)", NULL},
        {"uint(-1.0)", NULL},
        {"uint(-1)", NULL},
        {"uint(9223372036854775807)", "9223372036854775807u"},
        {"double(9007199254740993)", "9007199254740992.0"},
        {"double(18446744073709551615u)", "18446744073709551616.0"},
        {"double('1')", "1.0"},
        {"double('1.')", "1.0"},
        {"double('-1.5e-3')", "-0.0015"},
        {"double('1E3')", "1000.0"},
        {"double('1e400')", "1.0 / 0.0"},
        {"double('1e-400')", "0.0"},
        {"double('2.2250738585072011e-308')", "2.2250738585072011e-308"},
        {"double('')", NULL},
        {"double('.')", NULL},
        {"double('e1')", NULL},
        {"double('1e')", NULL},
        {"double('1 ')", NULL},
        {"double('1.5.5')", NULL},
        {"double('infinit')", NULL},
        {"double('INFINITY')", "1.0 / 0.0"},
        {"double('-INF')", "-1.0 / 0.0"},
        {"math.isNaN(double('NAN'))", "true"},
        {"bool('tRUE')", NULL},
        {"bool('')", NULL},
        {"bool('10')", NULL},
        {"string(-9223372036854775808)", "'-9223372036854775808'"},
        {"string(18446744073709551615u)", "'18446744073709551615'"},
        {"string(0.0)", "'0'"},
        {"string(-0.0)", "'-0'"},
        {"string(0.1)", "'0.1'"},
        {"string(-1.5)", "'-1.5'"},
        {"string(1e100)", "'1e+100'"},
        {"string(1e-7)", "'1e-07'"},
        {"string(123456.789)", "'123456.789'"},
        {"string(1.7976931348623157e308)", "'1.7976931348623157e+308'"},
        {"string(5e-324)", "'5e-324'"},
        {"string(false)", "'false'"},
        {"string(b'\\xc3\\xa9')", "'é'"},
        {"string(b'\\xc3')", NULL},
        {"string(b'\\xed\\xa0\\x80')", NULL},
        {"string(b'\\xc0\\x80')", NULL},
        {"string(b'')", "''"},
        {"bytes('é')", "b'\\xc3\\xa9'"},
        {"bytes(b'\\xff')", "b'\\xff'"},
        {"string(timestamp(0))", "'1970-01-01T00:00:00Z'"},
        {"string(timestamp('2009-02-13T23:31:30.123456789Z'))", "'2009-02-13T23:31:30.123456789Z'"},
        {"string(timestamp('2009-02-13T23:31:30.123456Z'))", "'2009-02-13T23:31:30.123456Z'"},
        {"string(timestamp('2009-02-13T23:31:30.5Z'))", "'2009-02-13T23:31:30.500Z'"},
        {"string(timestamp('2009-02-13T23:31:30.000000001+01:30'))", "'2009-02-13T22:01:30.000000001Z'"},
        {"string(timestamp('0001-01-01T00:00:00Z'))", "'0001-01-01T00:00:00Z'"},
        {"timestamp('2009-02-13T23:31:30')", NULL},
        {"timestamp('2009-02-13')", NULL},
        {"timestamp('2009-02-30T00:00:00Z')", NULL},
        {"timestamp('2009-02-13T24:00:00Z')", NULL},
        {"timestamp('2009-02-13T23:60:00Z')", NULL},
        {"timestamp('0000-12-31T23:59:59Z')", NULL},
        {"timestamp('10000-01-01T00:00:00Z')", NULL},
        {"timestamp('0001-01-01T00:00:00+00:01')", NULL},
        {"timestamp('9999-12-31T23:59:59-00:01')", NULL},
        {"timestamp('')", NULL},
        {"timestamp(253402300799)", "timestamp('9999-12-31T23:59:59Z')"},
        {"timestamp(253402300800)", NULL},
        {"timestamp(-62135596800)", "timestamp('0001-01-01T00:00:00Z')"},
        {"timestamp(-62135596801)", NULL},
        {"timestamp(timestamp(5))", "timestamp(5)"},
        {"duration(duration('5s'))", "duration('5s')"},
        {"string(duration('0'))", "'0s'"},
        {"string(duration('1ns'))", "'0.000000001s'"},
        {"string(duration('-1ns'))", "'-0.000000001s'"},
        {"string(duration('1us'))", "'0.000001s'"},
        {"string(duration('1500ms'))", "'1.500s'"},
        {"string(duration('-1h'))", "'-3600s'"},
        {"string(duration('9223372036.854775807s'))", "'9223372036.854775807s'"},
        {"duration('9223372036.854775808s')", NULL},
        {"duration('2562047h47m16.854775807s')", "duration('9223372036854775807ns')"},
        {"duration('2562047h47m16.854775808s')", NULL},
        {"duration('1h1m1s1ms1us1ns')", "duration('3661001001001ns')"},
        {"duration('1ns1h')", "duration('1h') + duration('1ns')"},
        {"duration('0.5ns')", "duration('0')"},
        {"duration('1.999999999999s')", "duration('1999999999ns')"},
        {"duration('0.1h')", "duration('6m')"},
        {"duration('0.000000001h')", "duration('3600ns')"},
        {"duration('-')", NULL},
        {"duration('+')", NULL},
        {"duration('00')", NULL},
        {"duration('1')", NULL},
        {"duration('1h-1m')", NULL},
        {"duration('1 s')", NULL},
        {"duration('s')", NULL},
        {"duration('1S')", NULL},
        {"duration('1w')", NULL},
        {"duration('18446744073709551616ns')", NULL},
        {"duration('1h').getHours()", "1"},
        {"duration('-90m').getHours()", "-1"},
        {"duration('-90m').getMinutes()", "-90"},
        {"duration('-1.5s').getSeconds()", "-1"},
        {"duration('-1.5s').getMilliseconds()", "-500"},
        {"duration('999999ns').getMilliseconds()", "0"},
        {"duration('59m59.999999999s').getHours()", "0"},
        {"duration('59.999999999s').getMinutes()", "0"},
        {"timestamp('1969-12-31T23:59:59.999999999Z').getMilliseconds()", "999"},
        {"timestamp('1969-12-31T23:59:59.999999999Z').getSeconds()", "59"},
        {"timestamp('1969-12-31T23:59:59.999999999Z').getDayOfYear()", "364"},
        {"timestamp('0001-01-01T00:00:00Z').getDayOfWeek()", "1"},
        {"timestamp('0001-01-01T00:00:00Z').getFullYear()", "1"},
        {"timestamp('9999-12-31T23:59:59Z').getDayOfWeek()", "5"},
        {"timestamp('2000-02-29T00:00:00Z').getDate()", "29"},
        {"timestamp('2000-03-01T00:00:00Z').getDayOfYear()", "60"},
        {"timestamp('1900-03-01T00:00:00Z').getDayOfYear()", "59"},
        {"timestamp('2000-01-01T00:00:00Z').getMonth()", "0"},
        {"timestamp('2000-01-01T00:00:00Z').getDayOfMonth('-00:01')", "30"},
        {"timestamp('2000-01-01T00:00:00Z').getDate('-00:01')", "31"},
        {"timestamp('2000-01-01T00:00:00Z').getMonth('-00:01')", "11"},
        {"timestamp('2000-01-01T00:00:00Z').getDayOfWeek('-00:01')", "5"},
        {"timestamp('2000-01-01T00:00:00Z').getDayOfYear('-00:01')", "364"},
        {"timestamp('2000-01-01T00:00:00Z').getHours('1:5')", "1"},
        {"timestamp('2000-01-01T00:00:00Z').getMinutes('1:5')", "5"},
        {"timestamp('2000-01-01T00:00:00Z').getMilliseconds('+01:00')", "0"},
    };
    expect_values(values, sizeof values / sizeof *values);
}
END_TEST

/* Fields and items of what may be none are none or there, and has() asks of the one within. */
START_TEST(values__optionals_are_looked_into)
{
    static const char *const texts[] = {
        "has(optional.of({'a': 1}).a) && !has(optional.of({'a': 1}).b)",
        "!has({'a': {'b': 1}}.?b.c) && !has({'a': {'b': 1}}.?a.c) && has({'a': {'b': 1}}.?a.b)",
        "!has(dyn(optional.none()).a) && (has(dyn(optional.none()).a) ? false : true)",
        "!has({'a': {'b': 1}}[?'c'].b) && has({'a': {'b': 1}}[?'a'].b)",
        "{'a': {'b': 1}}.?a.b == optional.of(1) && {'a': {'b': 1}}.?a.c == optional.none()",
        "{'a': {'b': 1}}.?c.b == optional.none() && {'a': {'b': 1}}.?a.?b.value() == 1",
        "{'a': [1]}.?a[0] == optional.of(1) && {'a': [1]}.?a[1] == optional.none() && {'a': [1]}.?b[0] == "
        "optional.none()",
        "{'a': [1]}[?'a'][?0] == optional.of(1) && {'a': [1]}[?'b'][?0] == optional.none()",
        "optional.of(null).hasValue() && optional.of(null).value() == null && optional.of(optional.none()).hasValue()",
        "optional.of(optional.of(1)) != optional.of(dyn(1)) && dyn(optional.of(1)) != dyn(1)",
        "optional.of(1).orValue(1 / 1) == 1 && optional.none().orValue('x') == 'x'",
        "optional.none().or(optional.none()).or(optional.of(3)).value() == 3 && "
        "optional.of(1).or(optional.of(2)).orValue(3) == 1",
        "!optional.ofNonZeroValue(0u).hasValue() && optional.ofNonZeroValue(-1).value() == -1 && "
        "optional.ofNonZeroValue(0.5).hasValue()",
        "optional.ofNonZeroValue(duration('1ns')).hasValue() && optional.ofNonZeroValue(b'\\x00').hasValue() && "
        "optional.ofNonZeroValue([0]).hasValue() && optional.ofNonZeroValue({0: 0}).hasValue() && "
        "optional.ofNonZeroValue(true).hasValue()",
        "optional.of(2).optMap(x, optional.of(3).optMap(y, x * y)).value().value() == 6",
        "optional.of(2).optFlatMap(x, x > 1 ? optional.of(x * 2) : optional.none()).value() == 4 && "
        "!optional.of(1).optFlatMap(x, x > 1 ? optional.of(x * 2) : optional.none()).hasValue()",
        "!optional.none().optMap(x, 1 / 0).hasValue() && !optional.none().optFlatMap(x, optional.of(1 / 0)).hasValue()",
        "[1, ?optional.none(), ?optional.of(2), 3] == [1, 2, 3] && size([?optional.none()]) == 0",
        "{?1: optional.of('a'), 2: 'b', ?3: optional.none()} == {1: 'a', 2: 'b'}",
        "type(optional.none()) == optional_type && type(optional.of(1)) == optional_type",
        "[optional.of(1), optional.none()].filter(o, o.hasValue()).map(o, o.value()) == [1]",
    };
    static const char *const failing[] = {
        "optional.none().value() == 1",
        "optional.none().orValue(1 / 0) == 1",
        "optional.of(1 / 0).hasValue()",
        "optional.of(1).optMap(x, x / 0) == optional.none()",
        "dyn(1).hasValue()",
        "dyn(1).optMap(x, x).hasValue()",
        "{1: 2, ?1: optional.of(3)} == {1: 3}",
        "[1][?dyn('a')].hasValue()",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(truth(texts[i]), "%s", texts[i]);
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++)
        ck_assert_msg(evaluated(failing[i]).kind == DATUM_FAILURE, "%s", failing[i]);
}
END_TEST

/* Every macro over nothing, a list and a map, with one name and with two; what fails counts where nothing else settles it. */
START_TEST(values__macros_go_over_lists_and_maps)
{
    static const char *const texts[] = {
        "[].all(x, false) && ![].exists(x, true) && ![].exists_one(x, true) && [].map(x, x) == [] && [].filter(x, "
        "true) == []",
        "{}.all(k, false) && !{}.exists(k, true) && !{}.existsOne(k, v, true) && {}.map(k, k) == [] && "
        "{}.transformMap(k, v, v) == {}",
        "[].all(i, x, false) && ![].exists(i, x, true) && [].transformList(i, x, x) == [] && [].transformMap(i, x, x) "
        "== {} && [].transformMapEntry(i, x, {x: i}) == {}",
        "[1, 2].all(x, x > 0) && ![1, 2].all(x, x > 1) && [1, 2].exists(x, x > 1) && ![1, 2].exists(x, x > 2)",
        "[1, 2].exists_one(x, x > 1) && ![1, 2].exists_one(x, x > 0) && ![1, 2].exists_one(x, x > 2) && [1, "
        "2].existsOne(x, x > 1)",
        "[5, 6].all(i, x, x == i + 5) && ![5, 6].all(i, x, x == 5) && [5, 6].exists(i, x, i == 1 && x == 6) && ![5, "
        "6].exists(i, x, i == x)",
        "[5, 6].existsOne(i, x, i == 1) && [5, 6].exists_one(i, x, x == 5) && ![5, 6].exists_one(i, x, i < 2)",
        "[1, 2, 3].filter(x, x % 2 == 1) == [1, 3] && [1, 2, 3].map(x, x * x) == [1, 4, 9] && [1, 2, 3].map(x, x > 1, "
        "x * x) == [4, 9]",
        "[5, 6].transformList(i, x, i * 10 + x) == [5, 16] && [5, 6].transformList(i, x, i > 0, x) == [6]",
        "[5, 6].transformMap(i, x, x * 2) == {0: 10, 1: 12} && [5, 6].transformMap(i, x, i > 0, x) == {1: 6}",
        "['a', 'b'].transformMapEntry(i, x, {x: i}) == {'a': 0, 'b': 1} && ['a', 'b'].transformMapEntry(i, x, i > 0, "
        "{x: i}) == {'b': 1}",
        "{'a': 1, 'b': 2}.all(k, k in ['a', 'b']) && {'a': 1, 'b': 2}.exists(k, k == 'b') && {'a': 1, "
        "'b': 2}.exists_one(k, k == 'b')",
        "{'a': 1, 'b': 2}.all(k, v, (k == 'a') == (v == 1)) && {'a': 1, 'b': 2}.exists(k, v, k == 'b' && v == 2) && "
        "{'a': 1, 'b': 2}.existsOne(k, v, v == 2)",
        "{'a': 1, 'b': 2}.filter(k, k == 'b') == ['b'] && {'a': 1}.map(k, k + '!') == ['a!'] && {'a': 1, 'b': "
        "2}.map(k, "
        "k == 'b', k + '!') == ['b!']",
        "{'a': 1}.transformList(k, v, k + string(v)) == ['a1'] && {'a': 1, 'b': 2}.transformList(k, v, v > 1, k) == "
        "['b']",
        "{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10) == {'b': 20} && {'a': 1, 'b': 2}.transformMapEntry(k, v, "
        "{v: k}) == {1: 'a', 2: 'b'}",
        "{'a': 1, 'b': 2}.transformMapEntry(k, v, v > 1, {v: k}) == {2: 'b'}",
        /* What fails, before and behind what settles it. */
        "[0, 1].exists(x, 1 / x > 0) && [1, 0].exists(x, 1 / x > 0) && ![0, 2].all(x, 2 / x > 1) && ![2, 0].all(x, 2 / "
        "x > 1)",
        "[0, 1].exists(i, x, 1 / x > 0) && ![0, 2].all(i, x, 2 / x > 1)",
        /* A name within hides that without, and is over behind it. */
        "[1, 2].map(x, [x + 10].map(x, x + 100)[0] + x) == [112, 114]",
        "[[1, 2], [3]].map(l, l.map(x, x + size(l))) == [[3, 4], [4]]",
        "[1].map(x, [2].map(y, [3].map(z, x + y * 10 + z * 100))) == [[[321]]]",
        "cel.bind(a, 1, cel.bind(b, a + 1, cel.bind(a, b + 1, a + b))) == 5",
        "cel.bind(l, [1, 2], l.all(x, x in l))",
        "true ? true : 1 / 0 > 0",
        "false ? 1 / 0 > 0 : true",
        "(false && 1 / 0 > 0) == false && (1 / 0 > 0 && false) == false && (true || 1 / 0 > 0) && (1 / 0 > 0 || true)",
    };
    static const char *const failing[] = {
        "[0].exists(x, 1 / x > 0)",
        "[0, 1].all(x, 1 / x > 0)",
        "[1, 0].all(x, 1 / x > 0)",
        "[0, 2].exists(x, 1 / x > 0)",
        "[0, 1].exists_one(x, 1 / x > 0)",
        "[1, 1, 0].exists_one(x, 1 / x > 0)",
        "[1, 0].filter(x, 1 / x > 0) == []",
        "[1, 0].map(x, 1 / x) == []",
        "[1, 0].map(x, 1 / x > 0, x) == []",
        "[1, 0].transformList(i, x, 1 / x) == []",
        "[1, 0].transformMap(i, x, 1 / x > 0, x) == {}",
        "[1, 0].transformMap(i, x, 1 / x) == {}",
        "[1, 0].transformMapEntry(i, x, {i: 1 / x}) == {}",
        "[1, 0].transformMapEntry(i, x, 1 / x > 0, {i: x}) == {}",
        "[1].transformMapEntry(i, x, dyn(x)) == {}",
        "[1].transformMapEntry(i, x, dyn([x])) == {}",
        "['a', 'a'].transformMapEntry(i, x, {x: i}) == {}",
        "[1].all(x, dyn(1))",
        "[1].exists(x, dyn('a'))",
        "[1].filter(x, dyn(null)) == []",
        "[1].map(x, dyn(1), x) == []",
        "dyn('a').all(x, true)",
        "dyn(1).filter(x, true) == []",
        "dyn(null).transformMap(k, v, v) == {}",
        "cel.bind(a, 1 / 0, a) == 0",
        "1 / 0 > 0 ? true : true",
        "dyn(1) ? true : true",
        "1 / 0 > 0 && true",
        "true && 1 / 0 > 0",
        "1 / 0 > 0 || false",
        "false || 1 / 0 > 0",
        "!(1 / 0 > 0)",
        "-(1 / 0) == 0",
        "[1, 1 / 0] == []",
        "{1: 1 / 0} == {}",
        "{1 / 0: 1} == {}",
        "[1 / 0][0] == 0",
        "[1][1 / 0] == 0",
        "{'a': 1 / 0}.a == 0",
        "size([1 / 0]) == 1",
        "'%d'.format([1 / 0]) == ''",
        "1 in [1 / 0]",
        "1 / 0 in [1]",
        "has({'a': 1 / 0}.a)",
        "type(1 / 0) == int",
        "dyn(1 / 0) == 0",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(truth(texts[i]), "%s", texts[i]);
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++)
        ck_assert_msg(evaluated(failing[i]).kind == DATUM_FAILURE, "%s", failing[i]);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("expression_values");
    Suite *s = suite_create("expression_values");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, values__numbers_have_one_order);
    tcase_add_test(c, values__texts_bytes_and_times_have_their_order);
    tcase_add_test(c, values__of_different_kinds_are_not_equal);
    tcase_add_test(c, values__keys_of_maps_are_found_whatever_their_kind);
    tcase_add_test(c, values__are_reckoned_with_up_to_their_bounds);
    tcase_add_test(c, values__are_converted_or_refused);
    tcase_add_test(c, values__optionals_are_looked_into);
    tcase_add_test(c, values__macros_go_over_lists_and_maps);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
