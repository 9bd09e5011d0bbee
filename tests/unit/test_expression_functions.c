/* Every function of expressions, at its bounds and beside them. The language's own conformance suite says more; this is what each build is tried with. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/expression.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pool pool;

static struct datum evaluated(const char *text)
{
    static const struct environment none;
    const struct expression *e = NULL;
    struct expression_error error = {.text = ""};
    ck_assert_msg(expression_compile(bytes_of_text(text), &none, &pool, &e, &error) == 0, "%s: %s", text, error.text);
    return expression_evaluate(e, &(struct evaluation){.pool = &pool, .cost_max = 100000});
}

static void each_is_true(const char *const *texts)
{
    pool_init(&pool, &heap, 1 << 22);
    for (; *texts != NULL; texts++) {
        struct datum d = evaluated(*texts);
        if (d.kind == DATUM_FAILURE)
            ck_abort_msg("%s: %.*s", *texts, (int)d.failure->text.size, (const char *)d.failure->text.at);
        ck_assert_msg(d.kind == DATUM_BOOL && d.b, "%s is not true", *texts);
    }
    pool_finish(&pool);
}

/* Each fails when it is evaluated. */
static void each_fails(const char *const *texts)
{
    pool_init(&pool, &heap, 1 << 22);
    for (; *texts != NULL; texts++)
        ck_assert_msg(evaluated(*texts).kind == DATUM_FAILURE, "%s does not fail", *texts);
    pool_finish(&pool);
}

/* None is an expression at all. */
static void each_is_refused(const char *const *texts)
{
    static const struct environment none;
    pool_init(&pool, &heap, 1 << 22);
    for (; *texts != NULL; texts++) {
        const struct expression *e = NULL;
        struct expression_error error = {.text = ""};
        ck_assert_msg(expression_compile(bytes_of_text(*texts), &none, &pool, &e, &error) != 0, "%s", *texts);
        ck_assert_msg(error.text[0] != '\0', "%s", *texts);
    }
    pool_finish(&pool);
}

#define REFUSED(...) each_is_refused((const char *const[]){__VA_ARGS__, NULL})
#define TRUE(...)    each_is_true((const char *const[]){__VA_ARGS__, NULL})
#define FAILS(...)   each_fails((const char *const[]){__VA_ARGS__, NULL})

START_TEST(functions__numbers)
{
    TRUE("1 < 2 && !(2 < 2) && 2 <= 2 && !(3 <= 2) && 2 > 1 && !(2 > 2) && 2 >= 2 && !(1 >= 2)",
         "1 < 2u && 1u < 1.5 && -1 < 0u && 9223372036854775807 < 9223372036854775808u",
         "7 / 2 == 3 && -7 / 2 == -3 && 7 % 3 == 1 && -7 % 3 == -1 && 7.0 / 2.0 == 3.5",
         "9223372036854775806 + 1 == 9223372036854775807 && -9223372036854775807 - 1 < -9223372036854775807",
         "-(-5) == 5 && -(2.5) == -2.5",
         "math.abs(-9223372036854775807) == 9223372036854775807 && math.abs(-0.5) == 0.5",
         "math.sign(-3) == -1 && math.sign(0) == 0 && math.sign(2) == 1 && math.sign(-0.5) == -1.0 && math.sign(3u) == "
         "1u",
         "math.ceil(1.2) == 2.0 && math.ceil(-1.2) == -1.0 && math.floor(1.8) == 1.0 && math.floor(-1.2) == -2.0",
         "math.round(1.5) == 2.0 && math.round(-1.5) == -2.0 && math.round(1.4) == 1.0 && math.trunc(-1.9) == -1.0",
         "math.sqrt(49) == 7.0 && math.sqrt(0.25) == 0.5 && math.sqrt(3.0) == 1.7320508075688772 && "
         "math.isNaN(math.sqrt(-1.0))",
         "math.sqrt(1e300) == 1e150 && math.sqrt(7.0) == 2.6457513110645907 && math.sqrt(10u) == 3.1622776601683795",
         "math.isInf(1.0 / 0.0) && !math.isInf(1.0) && math.isFinite(1e308) && !math.isFinite(-1.0 / 0.0)",
         "math.greatest(1, 3, 2) == 3 && math.least([4, 2, 3]) == 2 && math.least(1u, 0.5) == 0.5",
         "math.greatest(1, 2, 3, 4, 5, 6, 7, 8, 99, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) == 99",
         "math.least(9, 8, 7, 6, 5) == 5",
         /* From left to right, and beyond what a whole number holds. */
         "10 - 3 - 2 == 5 && 100 / 5 / 2 == 10 && 7 % 4 * 2 == 6 && 8 / 4 * 2 == 4 && 'a' + 'b' + 'c' == 'abc'",
         "--5 == 5 && !!true && ---5 == -5",
         "math.trunc(1e300) == 1e300 && math.floor(-1e300) == -1e300 && math.ceil(1e19) == 1e19 && math.round(1e19) == "
         "1e19",
         "math.sqrt(1.0 / 0.0) == 1.0 / 0.0 && math.isNaN(math.sqrt(0.0 / 0.0)) && math.sqrt(0.0) == 0.0",
         "false < true && !(true < false) && [true, false].min() == false && [false, true].isSorted()",
         "type([dyn(1), dyn(1.0)].max()) == int && type([dyn(1.0), dyn(1)].min()) == double", /* the first of equals */
         /* What is no number has no order, and is equal to nothing. */
         "!(1u == dyn(0.0 / 0.0)) && !(dyn(0.0 / 0.0) == 1u) && !(1 == dyn(0.0 / 0.0)) && 1u != dyn(0.0 / 0.0)",
         "!(1u < 0.0 / 0.0) && !(1u > 0.0 / 0.0) && !(0.0 / 0.0 >= 1) && !(1 <= 0.0 / 0.0)",
         "![1.0, 0.0 / 0.0].isSorted() && ![0.0 / 0.0, 1.0].isSorted()");
    REFUSED("!!'a' == ''", "--'a' == ''", "5.string() == '5'", "(1.5).math.abs() == 1.5", "contains('a', 'b')",
            "matches('a', '(')", "'a'.matches('(')");
    FAILS("1 / 0 == 1", "1 % 0 == 1", "9223372036854775807 + 1 == 0", "-9223372036854775807 - 2 == 0",
          "4611686018427387904 * 2 == 0", "0u - 1u == 0u", "(-9223372036854775807 - 1) / -1 == 0",
          "(-9223372036854775807 - 1) % -1 == 0", "math.abs(-9223372036854775807 - 1) == 0");
}
END_TEST

START_TEST(functions__bits)
{
    TRUE("math.bitShiftLeft(1, 0) == 1 && math.bitShiftLeft(1, 62) == 4611686018427387904 && math.bitShiftLeft(1, 63) "
         "< 0",
         "math.bitShiftLeft(1u, 63) == 9223372036854775808u && math.bitShiftLeft(1u, 64) == 0u && math.bitShiftLeft(1, "
         "1000) == 0",
         "math.bitShiftRight(9223372036854775808u, 63) == 1u && math.bitShiftRight(-1, 63) == 1 && "
         "math.bitShiftRight(-1, 64) == 0",
         "math.bitAnd(6, 3) == 2 && math.bitOr(6u, 3u) == 7u && math.bitXor(6, 3) == 5 && math.bitNot(0) == -1",
         "math.bitNot(0u) == 18446744073709551615u");
    FAILS("math.bitShiftLeft(1, -1) == 0", "math.bitShiftRight(1u, -1) == 0u");
}
END_TEST

/* Positions count code points, whatever comes before them takes. */
START_TEST(functions__texts)
{
    TRUE("'häß€'.size() == 4 && size('') == 0 && 'häß€'.charAt(0) == 'h' && 'häß€'.charAt(3) == '€' && "
         "'häß€'.charAt(4) == ''",
         "'ähä'.indexOf('ä') == 0 && 'ähä'.indexOf('ä', 1) == 2 && 'ähä'.indexOf('h', 1) == 1 && 'ähä'.indexOf('h', 2) "
         "== -1",
         "'ähä'.indexOf('', 3) == 3 && 'abc'.indexOf('abcd') == -1 && 'ähä'.indexOf('ä', 3) == -1",
         "'ähä'.lastIndexOf('ä') == 2 && 'ähä'.lastIndexOf('ä', 1) == 0 && 'ähä'.lastIndexOf('h', 0) == -1",
         "'ää'.lastIndexOf('') == 2 && 'ä'.lastIndexOf('', 0) == 0 && '€'.lastIndexOf('') == 1 && "
         "'a'.lastIndexOf('ab') == -1",
         "'häß€'.substring(1) == 'äß€' && 'häß€'.substring(1, 3) == 'äß' && 'häß€'.substring(4) == '' && "
         "'abc'.substring(2, 2) == ''",
         "'aÄZz'.lowerAscii() == 'aÄzz' && 'aäZz@[`{'.upperAscii() == 'AäZZ@[`{'",
         "'@[`{'.lowerAscii() == '@[`{' && 'AZ'.lowerAscii() == 'az' && 'az'.upperAscii() == 'AZ'",
         "'  \\t ä b\\n'.trim() == 'ä b' && ''.trim() == '' && ' '.trim() == ''",
         "'aXbX'.replace('X', '-', 0) == 'aXbX' && 'aXbX'.replace('X', '-', -1) == 'a-b-' && 'aaa'.replace('aa', 'b') "
         "== 'ba'",
         "'a,b,c'.split(',', 0) == [] && 'a,b,c'.split(',', 1) == ['a,b,c'] && 'a,b,c'.split(',', -1) == ['a', 'b', "
         "'c']",
         "['a', 'b'].join() == 'ab' && ['a', 'b'].join('--') == 'a--b' && [].join(',') == '' && ['', '', 'a', "
         "''].join(',') == ',,a,'",
         "'äb€'.reverse() == '€bä'",
         "'abc'.startsWith('ab') && !'abc'.startsWith('abcd') && 'abc'.endsWith('bc') && !'abc'.endsWith('ab') && "
         "'abc'.contains('')",
         "'abc'.contains('c') && !'abc'.contains('d') && 'a1b'.matches('[0-9]') && !'ab'.matches('^b$')",
         "strings.quote('a\"b\\n') == '\"a\\\\\"b\\\\n\"'",
         "base64.encode(b'') == '' && base64.encode(b'a') == 'YQ==' && base64.encode(b'abc') == 'YWJj'",
         "base64.decode('YQ==') == b'a' && base64.decode('YQ') == b'a'",
         "'  é\\t'.trim() == 'é' && 'é'.trim() == 'é' && ' ä€ '.trim() == 'ä€'",
         "'abc'.replace('', '-', 2) == '-a-bc' && 'äb'.replace('', '-', 3) == '-ä-b-' && 'abc'.replace('', '-', 0) == "
         "'abc'",
         "'äbc'.split('', 2) == ['ä', 'bc'] && 'abc'.split('', 1) == ['abc'] && 'abc'.split('', 4) == ['a', 'b', 'c']",
         "!'bc'.endsWith('abc') && 'abc'.endsWith('') && ''.startsWith('')",
         "'abc'.startsWith('abc') && 'abc'.endsWith('abc') && 'abc'.contains('abc') && ''.endsWith('') && "
         "''.contains('')",
         "!'abc'.startsWith('abd') && !'abc'.endsWith('bbc') && !'ab'.contains('abc') && !''.endsWith('a')");
    FAILS("'ä'.charAt(2) == ''", "'ä'.charAt(-1) == ''", "'ä'.substring(2) == ''", "'abc'.substring(2, 1) == ''",
          "'ä'.indexOf('', 2) == 0", "'ä'.lastIndexOf('', 2) == 0", "base64.decode('Y') == b''");
}
END_TEST

START_TEST(functions__conversions)
{
    TRUE("int(0u) == 0 && int(0.0) == 0 && int('0') == 0 && uint(0) == 0u && uint(0.0) == 0u && uint(-0.0) == 0u && "
         "uint('0') == 0u && double(0) == 0.0 && double(0u) == 0.0",
         "int('-9223372036854775808') < 0 && int(1.9) == 1 && int(-1.9) == -1 && int(7u) == 7",
         "uint('18446744073709551615') == 18446744073709551615u && uint(1.9) == 1u && double(1u) == 1.0 && "
         "double('-0.5') == -0.5",
         "uint(18446744073709549568.0) == 18446744073709549568u && int(9223372036854774784.0) == 9223372036854774784",
         "string(-9223372036854775807) == '-9223372036854775807' && string(18446744073709551615u) == "
         "'18446744073709551615'",
         "string(1.0) == '1' && string(1.5) == '1.5' && string(true) == 'true' && string(b'abc') == 'abc' && "
         "bytes('ä').size() == 2",
         "bool('true') && !bool('false') && int(timestamp('1970-01-01T00:01:00Z')) == 60 && timestamp(60) == "
         "timestamp('1970-01-01T00:01:00Z')",
         "type(1) == int && type(1u) == uint && type('') == string && type([]) == list && dyn(1) == 1");
    FAILS("int('9223372036854775808') == 0", "int(9223372036854775808u) == 0", "int(1e19) == 0",
          "int(9223372036854775808.0) == 0", "uint(18446744073709551616.0) == 0u", "uint(-1) == 0u", "uint(-1.0) == 0u",
          "int('1x') == 0", "bool('yes')", "string(b'\\xff') == ''", "double('x') == 0.0", "double('info') > 0.0",
          "double('in') > 0.0", "double('nano') > 0.0");
}
END_TEST

START_TEST(functions__times)
{
    TRUE("duration('1.5ms') == duration('1500us') && duration('0.25us') == duration('250ns') && "
         "duration('1.25s') == duration('1250ms') && duration('1.5m') == duration('90s')",
         "duration('1.5h') == duration('90m') && duration('1m30s') == duration('90s') && duration('-1.5s') == "
         "duration('-1500ms')",
         "duration('1\u00b5s') == duration('1us') && duration('2\u00b5s3ns') == duration('2003ns')",
         "duration('.5s') == duration('500ms') && duration('-.5s') == duration('-500ms') && duration('5.s') == "
         "duration('5s') && duration('1m.5s') == duration('60.5s')",
         "timestamp(-62135596800) < timestamp(0) && timestamp(253402300799) > timestamp(0)",
         "duration('1us') == duration('1000ns') && duration('1ms') == duration('1000us') && duration('0.000000001s') "
         "== duration('1ns')",
         "duration('2h3m4s5ms').getHours() == 2 && duration('2h3m4s').getMinutes() == 123 && "
         "duration('2m4s').getSeconds() == 124",
         "duration('1.234s').getMilliseconds() == 234 && string(duration('-0.5s')) == '-0.500s'",
         "timestamp('2026-12-31T23:59:59.5Z') + duration('500ms') == timestamp('2027-01-01T00:00:00Z')",
         "timestamp('2026-01-01T00:00:10Z') - timestamp('2026-01-01T00:00:00Z') == duration('10s')",
         "timestamp('2024-02-29T12:34:56.789Z').getMonth() == 1 && timestamp('2024-02-29T12:34:56Z').getDate() == 29",
         "timestamp('2024-02-29T12:34:56.789Z').getDayOfMonth() == 28 && "
         "timestamp('2024-02-29T12:34:56Z').getDayOfYear() == 59",
         "timestamp('2024-12-31T00:00:00Z').getDayOfYear() == 365 && timestamp('2023-12-31T00:00:00Z').getDayOfYear() "
         "== 364",
         "timestamp('2026-11-28T00:00:00Z').getDayOfWeek() == 6 && timestamp('2026-11-29T00:00:00Z').getDayOfWeek() == "
         "0",
         "timestamp('2026-11-28T23:30:05.25Z').getHours() == 23 && "
         "timestamp('2026-11-28T23:30:05.25Z').getMilliseconds() == 250",
         /* Zones: behind the hours of the west, minutes go west too. */
         "timestamp('2026-11-28T12:00:00Z').getHours('+05:30') == 17 && "
         "timestamp('2026-11-28T12:00:00Z').getMinutes('+05:30') == 30",
         "timestamp('2026-11-28T12:00:00Z').getHours('-02:30') == 9 && "
         "timestamp('2026-11-28T12:00:00Z').getMinutes('-02:30') == 30",
         "timestamp('2026-11-28T12:15:00Z').getHours('-03:45') == 8 && "
         "timestamp('2026-11-28T12:15:00Z').getMinutes('-03:45') == 30",
         "timestamp('2026-12-31T23:30:00Z').getFullYear('+01:00') == 2027 && "
         "timestamp('2027-01-01T00:30:00Z').getFullYear('-01:00') == 2026",
         "timestamp('2026-11-28T12:00:00Z').getHours('UTC') == 12 && "
         "timestamp('2026-11-28T12:00:00Z').getSeconds('-23:59') == 0");
    FAILS("duration('1') == duration('1s')", "duration('') == duration('1s')", "duration('1d') == duration('1s')",
          "duration('1\u00b5') == duration('1s')", "dyn(duration('1h')).getHours('Z') == 1",
          "dyn(duration('1h')).getMilliseconds('Z') == 1",
          "timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z') > duration('0s')",
          "timestamp('0001-01-01T00:00:00Z') - timestamp('9999-12-31T23:59:59Z') < duration('0s')",
          "duration('s') == duration('0s')", "duration('.s') == duration('0s')", "duration('1h.m') == duration('1h')",
          "timestamp(0).getHours('+01:' + '00x') == 1", "timestamp(-62135596801) < timestamp(0)",
          "duration('2500000h') + duration('2500000h') > duration('0s')",
          "duration('-2500000h') - duration('2500000h') < duration('0s')", "duration('300y') == duration('1s')",
          "duration('9999999h') == duration('1s')", "timestamp('2026-13-01T00:00:00Z') == timestamp(0)");
}
END_TEST

START_TEST(functions__lists_and_maps)
{
    TRUE(
        "[1, 2].transformMapEntry(i, v, {v: i}) == {1: 0, 2: 1} && [1, 2].transformMapEntry(i, v, v > 1, {v: i}) == "
        "{2: 1}",
        "[1, 2].transformMapEntry(i, v, v > 1 ? {v: i} : {}) == {2: 1} && {'a': 1}.transformMap(k, v, v + 1) == {'a': "
        "2}",
        "optional.of(1).optMap(x, x + 1).value() == 2 && optional.of(1).optFlatMap(x, optional.of(x + 1)).value() == 2",
        "!optional.none().optMap(x, 1).hasValue() && !optional.of(1).optFlatMap(x, optional.none()).hasValue()",
        "optional.of(1) == optional.of(1) && optional.of(1) != optional.of(2) && optional.of(1) != optional.none()",
        "optional.none() == optional.none() && optional.of([1]) == optional.of([1])",
        "[][?0] == optional.none() && {}[?1] == optional.none() && dyn([])[?0] == optional.none()",
        "optional.of([1])[?0].value() == 1 && !optional.of([1])[?1].hasValue() && optional.of({1: 2})[?1].value() == 2",
        "{'a': 1, ?'b': optional.of(2), ?'c': optional.none()} == {'a': 1, 'b': 2}",
        "[?optional.none(), 1, ?optional.of(2)] == [1, 2]",
        "!optional.ofNonZeroValue(timestamp(0)).hasValue() && "
        "optional.ofNonZeroValue(timestamp('1970-01-01T00:00:00.5Z')).hasValue()",
        "!optional.ofNonZeroValue('').hasValue() && !optional.ofNonZeroValue([]).hasValue() && "
        "!optional.ofNonZeroValue({}).hasValue() && !optional.ofNonZeroValue(b'').hasValue()",
        "!optional.ofNonZeroValue(0.0).hasValue() && !optional.ofNonZeroValue(duration('0s')).hasValue() && "
        "!optional.ofNonZeroValue(false).hasValue() && !optional.ofNonZeroValue(null).hasValue()",
        "{'a': 1}.map(k, k) == ['a'] && {'a': 1}.filter(k, k == 'a') == ['a'] && {'a': 1}.all(k, k == 'a')",
        "{'a': 1}.exists(k, v, v == 1) && {'a': 1}.transformList(k, v, v) == [1]",
        "dyn(-1.0) in {-1: 0, -2: 0, -3: 0, -4: 0, -5: 0, -6: 0, -7: 0, -8: 0, -9: 0}",
        "2 in [1, 2] && !(3 in [1, 2]) && 'a' in {'a': 1} && !('b' in {'a': 1})",
        "[1, 2][1] == 2 && {'a': 1}['a'] == 1 && {1: 'x'}[1] == 'x'",
        "[1] != [1, 2] && [1, 2] != [1] && [] != [1] && {1: 2} != {1: 2, 3: 4} && {1: 2, 3: 4} != {1: 2}",
        /* So many keys as the table has places, were it no larger; and numbers of all kinds that are equal are one key. */
        "cel.bind(m, {0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0, 11: 0, 12: 0, 13: 0, 14: 0, "
        "15: 0}, 15 in m && !(16 in m) && !(17 in m) && dyn(7.0) in m && dyn(7u) in m && !(dyn(7.5) in m))",
        "dyn(18446744073709549568.0) in {1u: 0, 2u: 0, 3u: 0, 4u: 0, 5u: 0, 6u: 0, 7u: 0, 8u: 0, 9u: 0, "
        "18446744073709549568u: 0}",
        "[1] + [2] == [1, 2] && size([1, 2]) == 2 && {'a': 1}.size() == 1",
        "[1, 2, 3].exists(x, x == 3) && ![1].exists(x, x == 3) && [1, 2, 2].exists_one(x, x == 1) && ![2, "
        "2].exists_one(x, x == 2)",
        "[1, 2, 3].filter(x, x != 2) == [1, 3] && [1, 2].map(x, x * 2) == [2, 4] && [1, 2, 3].map(x, x > 1, x * 2) == "
        "[4, 6]",
        "[1, 2].all(x, x > 0) && ![1, 0].all(x, x > 0) && [].all(x, false)",
        /* A name within is that of the inner macro, and behind it that of the outer one again. */
        "[1, 2].all(x, [3].exists(x, x == 3) && x < 3) && ![3].exists(x, [1].exists(x, x == 3))",
        "[2, 1, 3].min() == 1 && [2, 3, 1].max() == 3 && [1u, 2u].sum() == 3u",
        "[1, 1, 2].isSorted() && ![1, 2, 1].isSorted() && [timestamp(1), timestamp(2)].max() == timestamp(2)",
        "[1, 2, 1].lastIndexOf(1) == 2 && [1, 2, 1].lastIndexOf(3) == -1 && [1, 2].indexOf(2) == 1",
        "[1, 2][?5].orValue(9) == 9 && [1, 2][?1].orValue(9) == 2 && {'a': 1}[?'b'].hasValue() == false",
        "optional.of(1).value() == 1 && optional.none().orValue(2) == 2 && optional.ofNonZeroValue(0).hasValue() == "
        "false && "
        "optional.ofNonZeroValue(1).or(optional.of(2)).value() == 1 && optional.none().or(optional.of(2)).value() == "
        "2");
    FAILS("size({0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 9: 1}) == 10",
          "size({0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0, 8: 0, 9: 0, 0: 1}) == 10");
    FAILS("[0, 1].exists_one(x, 1 / x == 1)", "[1, 0].exists_one(x, 1 / x == 1)",
          "[1, 2].transformMapEntry(i, v, {'a': v}) == {'a': 2}", "[1].transformMapEntry(i, v, {1: v, 2: v}) == {1: 1}",
          "[1][1] == 1", "[1][-1] == 1", "{'a': 1}['b'] == 1", "optional.none().value() == 1");
}
END_TEST

/* What a developer meets at the edges of a type, and no rule of thumb tells. */
START_TEST(functions__edges)
{
    TRUE("strings.quote('\\v\\a\\b\\f\\r') == '\"\\\\v\\\\a\\\\b\\\\f\\\\r\"'",
         "strings.quote('a\\u0000') == '\"a\\u0000\"'",
         "'\\u0085\\u00a0\\u1680\\u2000\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000a'.trim() == 'a'",
         "'\\u200ba'.trim() == '\\u200ba' && size(''.split('')) == 0 && ''.split(',') == ['']",
         "'a,b,'.split(',') == ['a', 'b', ''] && ','.split(',') == ['', ''] && 'a,b,'.split(',', 2) == ['a', 'b,']",
         "bool('F') == false && bool('f') == false && bool('False') == false && bool('FALSE') == false",
         "bool('T') && bool('t') && bool('True') && bool('TRUE') && bool('1') && !bool('0')",
         "double('+inf') > 0.0 && math.isInf(double('infinity')) && math.isInf(double('-Infinity')) && "
         "math.isNaN(double('NaN'))",
         "string(1e20) == '100000000000000000000' && string(1e21) == '1e+21'",
         "timestamp('2020-01-01T00:30:00Z').getHours('GMT') == 0 && timestamp(0).getHours('Z') == 0",
         "timestamp(0).getHours('-01:30') == 22 && timestamp(0).getMinutes('-01:30') == 30 && "
         "timestamp(0).getHours('+23:59') == 23",
         "duration('+1s') == duration('1s') && duration('0') == duration('0s') && duration('1.0000000009s') == "
         "duration('1s')",
         "timestamp(10) - duration('0.5s') == timestamp('1970-01-01T00:00:09.5Z')",
         "timestamp('1970-01-01T00:00:01.5Z') - timestamp('1970-01-01T00:00:00.25Z') == duration('1.25s')",
         "duration('1s') + timestamp(1) == timestamp(2) && timestamp(3) - duration('1s') == timestamp(2)",
         "1.0 / 0.0 > 0.0 && -1.0 / 0.0 < 0.0 && 1.0 / -0.0 < 0.0 && -1.0 / -0.0 > 0.0 && math.isNaN(0.0 / 0.0)",
         "optional.of([1])[0].value() == 1 && !optional.of([1])[1].hasValue()",
         "!optional.none()[0].hasValue() && !optional.none()[?0].hasValue() && !optional.of({1: 2})[3].hasValue()",
         "[5, 6][dyn(1.0)] == 6", "[duration('1s')].filter(d, false).sum() == duration('0s')",
         "[1u].filter(n, false).sum() == 0u",
         "type([1.5].filter(n, false).sum()) == double && type([1u].filter(n, false).sum()) == uint",
         "math.isNaN(math.sign(0.0 / 0.0)) && !math.isInf(0.0 / 0.0)", "1.0 / math.trunc(-0.5) < 0.0",
         "timestamp('1970-01-01T00:00:00.1Z') < timestamp('1970-01-01T00:00:00.2Z')",
         "'a' < 'ab' && !('ab' < 'a') && b'a' < b'ab'",
         "size('%.100f'.format([0.5])) == 102 && '%.1e'.format([1e10]) == '1.0e+10' && '%.1e'.format([1e9]) == "
         "'1.0e+09'");
    FAILS("int(-9223372036854775808.0) == 0", "uint(-0.5) == 0u", "timestamp(253402300800) == timestamp(0)",
          "timestamp(0).getHours('+24:' + '00') == 0", "timestamp(0).getHours('+01:' + '60') == 0",
          "[5, 6][dyn(0.5)] == 5", "-(-9223372036854775807 - 1) == 0", "'%.101f'.format([0.5]) == ''",
          "'%.1000f'.format([0.5]) == ''", "'%.4294967297f'.format([0.5]) == ''");
}
END_TEST

START_TEST(functions__formats)
{
    TRUE(
        "'%s'.format([[1, 'a', []]]) == '[1, a, []]' && '%s'.format([{1: [2, 3], 'b': {}}]) == '{1: [2, 3], b: {}}'",
        "'%f %f %e'.format([1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0]) == 'Infinity -Infinity NaN'",
        "'%d %d'.format([0.0 / 0.0, -1.0 / 0.0]) == 'NaN -Infinity'",
        "'%s'.format([{'b': 1, 'a': 2, 'c': 3}]) == '{a: 2, b: 1, c: 3}'",
        "'%s'.format([{'d': 1, 'c': 2, 'b': 3, 'a': 4}]) == '{a: 4, b: 3, c: 2, d: 1}'",
        "'%b %o %x %X %d'.format([-5, -8, -255, -255, -7]) == '-101 -10 -ff -FF -7'",
        "'%.1f %.2f %.0f %.1e'.format([-1.25, -0.005, -2.5, -15.0]) == '-1.2 -0.01 -2 -1.5e+01'",
        "'%b %b %b'.format([true, false, 5]) == '1 0 101' && '%x %X'.format([255, 255]) == 'ff FF'",
        "''.format([]) == '' && 'plain'.format([]) == 'plain' && 'a%sb'.format(['x']) == 'axb' && '%s!'.format([1]) == "
        "'1!' && '%%%d%%'.format([5]) == '%5%'",
        "'%f %e'.format([1.5, 12.5]) == '1.500000 1.250000e+01' && '%.f|%f'.format([1.6, 2]) == '2|2.000000'",
        "'%s %s %s %s'.format([null, true, 1.5, b'a']) == 'null true 1.5 a' && '%s'.format([int]) == 'int'",
        "'%s %s'.format([timestamp(0), duration('90s')]) == '1970-01-01T00:00:00Z 90s'",
        "'%x %X'.format(['k', b'k\\xff']) == '6b 6BFF' && '%o'.format([8u]) == '10' && '%%'.format([]) == '%'");
    FAILS("'%s'.substring(0, 1).format(['a']) == 'a'", "'%%'.substring(0, 1).format([]) == '%'",
          "'%.2f'.substring(0, 2).format([1.5]) == '1.50'", "'%.2f'.substring(0, 3).format([1.5]) == '1.50'",
          "'%.25f'.substring(0, 3).format([1.5]) != ''", "'%s'.format([b'\\xff']) == ''",
          "'%s'.format([[b'\\xff']]) == ''", "'%s'.format([{1: b'\\xff'}]) == ''", "'%d'.format([1.5]) == ''",
          "'%s %s'.format(['a']) == ''", "'%y'.format([1]) == ''", "'100%'.format([]) == '100'",
          "'%.2'.format([1.5]) == ''", "'%x'.format([true]) == ''", "'%o'.format(['a']) == ''",
          "'%e'.format(['a']) == ''");
}
END_TEST

START_TEST(functions__literals)
{
    TRUE("1e+2 == 100.0 && 1E+2 == 100.0 && '\\X41' == 'A' && [1, 2,] == [1, 2] && {'a': 1,} == {'a': 1}",
         "(false ? 1 : true ? 2 : 3) == 2 && (true ? 1 : false ? 2 : 3) == 1",
         "(false && true || true) && (true || true && false) && !(false && (true || true)) && 1 + 2 * 3 == 7",
         "!(dyn(1) && false) && (dyn(1) || true)", "1\f==\t1\r\n", "1 // one\n == 1 // and nothing else",
         "// first\ntrue", "has({'a': 1}.a) && !has({'a': 1}.b)",
         "has(dyn({'a': null}).a) && !has(dyn({'a': 1}).b) && dyn({'a': {'b': 2}}).a.b == 2",
         "0XfF == 255 && 0xffU == 255u && 7U == 7u && 1E2 == 100.0 && 1e-2 == .01 && .5 == 0.5",
         "R'\\n' == '\\\\n' && B'a' == b'a' && bR'\\n' == b'\\\\n' && RB'\\n' == b'\\\\n'",
         "'\\?\\`\\'\\\"' == '?`' + \"'\" + '\"' && '\\x41\\101\\u0041\\U00000041' == 'AAAA'",
         "size(b'\\xff\\377') == 2 && size('\\xff') == 1 && '''a\nb''' == 'a\\nb'",
         /* Of a text it is a code point, of bytes a byte. */
         "'\\xe9\\351' == '\\u00e9\\u00e9' && size(bytes('\\xe9\\351')) == 4 && b'\\xe9' != bytes('\\xe9')");
    REFUSED("'\\400' == ''", "'\\08' == ''", "'\\U00110000' == ''", "'\\ud800' == ''", "'\\q' == ''", "'a\nb' == ''",
            "'a'.?size() == 1", "{'a': 1}.?a() == 1", "{'a': 1}.`a`() == 1", "'a", "1a == 1", "b'\\u00e9' == b''",
            "{'a': 1}.`` == 1", "1 = 1", "true & true", "true | true", "#");
    FAILS("dyn(1) ? true : true", "dyn(1) && true", "true && dyn(1)", "dyn('a') || false", "dyn(1).a == 1",
          "has(dyn(1).a)", "dyn('x').a == 1", "dyn([1]).a == 1", "size({dyn(1.5): 1}) == 1",
          "size({dyn('a'): 1, 'a': 2}) == 1");
}
END_TEST

START_TEST(functions__say_why_they_fail)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"dyn(1) / 0 == 1 && [1][5] == 1", "divide by zero"}, /* of two that fail the first is told */
        {"1u / 0u == 1u", "divide by zero"},
        {"1 % 0 == 1", "modulus by zero"},
        {"1u % 0u == 1u", "modulus by zero"},
        {"{'a': 1}['b'] == 1", "no such key"},
        {"{'a': 1}.b == 1", "no such key: b"},
        {"[1][1] == 1", "invalid_argument: index out of range"},
        {"[5, 6][dyn(0.5)] == 5", "invalid_argument: a list's index is an int"},
        {"'abc'.charAt(4) == ''", "index out of range: 4"},
        {"'abc'.substring(-1) == ''", "index out of range: -1"},
        {"optional.none().value() == 1", "optional.none() dereference: the optional has no value"},
        {"[1, 2].transformMapEntry(i, v, {'a': v}) == {}", "insert failed: a map has each key once"},
        {"[1].transformMapEntry(i, v, {1: v, 2: v}) == {}",
         "transformMapEntry makes an entry, {key: value}, of every item"},
        {"double('info') > 0.0", "the text is no double"},
        {"timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z') > duration('0s')",
         "range: a duration has at most 292 years"},
        {"[1].filter(x, false).min() == 1", "an empty list has no min"},
        {"[1].filter(x, false).max() == 1", "an empty list has no max"},
        {"math.greatest([1].filter(x, false)) == 1", "an empty list has no greatest or least number"},
        {"math.abs(-9223372036854775807 - 1) == 0", "range: integer overflow: the smallest int has no absolute value"},
        {"math.bitShiftLeft(1, -1) == 0", "negative offset: bits are shifted by 0 or more places"},
        {"base64.decode('Y') == b''", "the text is no base64"},
        {"timestamp(0).getHours('+24:' + '00') == 0",
         "time zones are UTC and fixed offsets as in +01:00, and this is another"},
        {"'%e'.format(['a']) == ''", "error during formatting: scientific clause can only be used on doubles"},
        {"'%f'.format(['a']) == ''", "error during formatting: fixed-point clause can only be used on doubles"},
        {"'%o'.format(['a']) == ''", "error during formatting: octal clause can only be used on integers"},
        {"'%b'.format(['a']) == ''", "error during formatting: only integers and bools can be formatted as binary"},
    };
    pool_init(&pool, &heap, 1 << 22);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct datum d = evaluated(cases[i].text);
        /* Where it stands goes with the text. */
        char moved[256];
        snprintf(moved, sizeof moved, "       %s", cases[i].text);
        struct datum later = evaluated(moved);
        ck_assert_msg(d.kind == DATUM_FAILURE && later.kind == DATUM_FAILURE &&
                          later.failure->position == d.failure->position + 7,
                      "%s", cases[i].text);
        ck_assert_msg(d.kind == DATUM_FAILURE && bytes_equal(d.failure->text, bytes_of_text(cases[i].words)),
                      "%s: %.*s", cases[i].text, d.kind == DATUM_FAILURE ? (int)d.failure->text.size : 0,
                      d.kind == DATUM_FAILURE ? (const char *)d.failure->text.at : "");
    }
    pool_finish(&pool);
}
END_TEST

/* What an evaluation comes to, with `long` for each # of the text. */
static uint64_t cost_of(const char *form, const char *with)
{
    static const struct environment none;
    static char text[16384];
    const struct expression *e = NULL;
    struct expression_error error = {.text = ""};
    size_t used = 0;
    for (; *form != '\0'; form++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%.*s", *form == '#' ? 7000 : 1,
                                 *form == '#' ? with : form);
    pool_init(&pool, &heap, 1 << 22);
    ck_assert_msg(expression_compile(bytes_of_text(text), &none, &pool, &e, &error) == 0, "%.100s: %s", text,
                  error.text);
    struct evaluation run = {.pool = &pool, .cost_max = 1000000};
    struct datum d = expression_evaluate(e, &run);
    ck_assert_msg(d.kind == DATUM_BOOL, "%.100s", text);
    pool_finish(&pool);
    return run.cost;
}

/* A text costs one for each 16 bytes that are looked at or written, whoever does it, and not many times as much. */
START_TEST(functions__cost_as_much_as_the_texts_are_long)
{
    static const char *const forms[] = {
        "'#'.size() > 0",
        "size('#') > 0",
        "'#'.contains('zz')",
        "'#'.indexOf('zz') == 0",
        "'#'.lastIndexOf('zz') == 0",
        "'#'.charAt(0) == 'x'",
        "'#'.lowerAscii() != ''",
        "'#'.upperAscii() != ''",
        "'#'.replace('zz', '') != ''",
        "'#'.split('zz').size() == 0",
        "'#'.substring(2) != ''",
        "'  #'.trim() != ''",
        "'#'.reverse() != ''",
        "['#', ''].join('') != ''",
        "'%s'.format(['#']) != ''",
        "strings.quote('#') != ''",
        "base64.encode(b'#') != ''",
        "base64.decode('#') != b''",
        "string(b'#') != ''",
        "'#' + 'a' != ''",
        "b'#' + b'a' != b''",
        "'#' == dyn('#')",
        "'#' < '#'",
        "b'#' <= b'#'",
        "'#'.matches('^a*$')",
        "'#' in ['#']",
    };
    char text[4001];
    memset(text, 'a', 4000);
    text[4000] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        uint64_t little = cost_of(forms[i], "aaaa"), much = cost_of(forms[i], text);
        ck_assert_msg(much >= little + 3900 / 16 && much < little + 10000, "%s: %llu, %llu", forms[i],
                      (unsigned long long)little, (unsigned long long)much);
    }
}
END_TEST

/* And one for each item, that of making the list besides. */
START_TEST(functions__cost_as_much_as_lists_have_items)
{
    static const char *const forms[] = {
        "[#1] == dyn([#1])",
        "7 in [#1]",
        "([#1] + [2]).size() > 0",
        "[#1].indexOf(7) == 0",
        "[#1].lastIndexOf(7) == 0",
        "[#1].sum() > 0",
        "[#1].min() > 0",
        "[#1].max() > 0",
        "[#1].isSorted()",
        "math.greatest([#1]) > 0",
        "[#1].all(x, true)",
        "[#1].exists(x, false)",
        "[#1].exists_one(x, true)",
        "[#1].filter(x, false) == []",
        "[#1].map(x, 1) == []",
        "[#1].transformList(i, x, 1) == []",
        "[#1].transformMap(i, x, 1) == {}",
        "'%s'.format([[#1]]) != ''",
    };
    char text[2001];
    for (size_t i = 0; i < 2000; i++)
        text[i] = i % 2 == 0 ? '1' : ',';
    text[2000] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        uint64_t little = cost_of(forms[i], "1,"), much = cost_of(forms[i], text);
        ck_assert_msg(much >= little + 2 * 999 && much < little + 20 * 999, "%s: %llu, %llu", forms[i],
                      (unsigned long long)little, (unsigned long long)much);
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("expression_functions");
    Suite *s = suite_create("expression_functions");
    tcase_add_test(c, functions__numbers);
    tcase_add_test(c, functions__bits);
    tcase_add_test(c, functions__texts);
    tcase_add_test(c, functions__conversions);
    tcase_add_test(c, functions__times);
    tcase_add_test(c, functions__lists_and_maps);
    tcase_add_test(c, functions__edges);
    tcase_add_test(c, functions__literals);
    tcase_add_test(c, functions__formats);
    tcase_add_test(c, functions__say_why_they_fail);
    tcase_add_test(c, functions__cost_as_much_as_the_texts_are_long);
    tcase_add_test(c, functions__cost_as_much_as_lists_have_items);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
