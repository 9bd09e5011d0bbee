/* Every function and operator with values of each type that it takes, at the bounds and beside them: the value and what it cost, or the failure and its
 * place. It is kept in tests/fixtures/expression/functions.txt; `build/release/tests/unit/test_expression_tables write` writes that anew, for its
 * difference to be read. */
#include "sidecar/core/heap.h"
#include "sidecar/expression/function_inside.h"
#include "tests/support/expression_text.h"
#include "tests/support/kept_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char path[] = "tests/fixtures/expression/functions.txt";

#define ARGUMENTS_MAX 4
#define VALUE_SIZE    128
#define TEXT_SIZE     1024

/* Values of a type, as the letters of function.def write it, joined by ~. Where there are several arguments the first of them alone, up to |. */
static const struct {
    const char *type, *values;
} samples[] = {
    {"b", "true~false"},
    {"i", "0~1~-1~7~64|~-7~2~63~65~-64~9007199254740993~253402300799~253402300800~-62135596800~-62135596801~"
          "9223372036854775807~-9223372036854775808"},
    {"u", "0u~1u~7u~18446744073709551615u|~9223372036854775807u~9223372036854775808u~9007199254740993u"},
    {"d", "0.0~1.0~-2.5~0.0/0.0|~-0.0~0.5~1.5~2.5~-0.5~-1.5~0.1~1e23~5e-324~1.7976931348623157e308~1.0/0.0~-1.0/0.0~"
          "9223372036854774784.0~9223372036854775808.0~-9223372036854775808.0~-9223372036854777856.0~"
          "18446744073709549568.0~18446744073709551616.0~-1.0e-9~4503599627370497.5~123456789012345680000.0~1e21"},
    {"s", "'a'~'aéa'~''~'aa'~'+01:00'|~' \\t\\u3000a b\\u2003\\n'~'Zz[{@`'~'a\\u007f\\n\\r\\t\\a\\b\\f\\v\\\\\"'~'𝄞x'~"
          "'an even longer text, of more than 64 bytes, so that what it costs to look at shows'~'aXaXXaX'"},
    {"y", "b''~b'a'~b'\\xff\\x00'~b'ab'|~b'abc'~b'\\xc3\\xa9'~b'\\xed\\xa0\\x80'~b'\\xfb\\xff\\xbf\\x3e'"},
    {"t", "timestamp(0)~timestamp('2024-02-29T23:59:59.999999999Z')|~timestamp('0001-01-01T00:00:00Z')~"
          "timestamp('9999-12-31T23:59:59.999999999Z')~timestamp('1900-03-01T01:02:03.004Z')~timestamp(-1)~"
          "timestamp('2023-12-31T12:00:00.5Z')"},
    {"D", "duration('0s')~duration('1.5s')~duration('-1.5s')~duration('9223372036s')|~duration('1h2m3.004005006s')~"
          "duration('-9223372036s')~duration('-2h3m4.999s')"},
    {"li", "[3]~[1, 2]~[2, 1, 3]~[2, 1, 2]~[1, 9223372036854775807]"},
    {"ls", "['']~['b', 'a', 'é']~['a', 'a']"},
    {"lA", "[1]~[2, 1]~[1, 1, 2]~[]"},
    {"lu", "[3u]~[1u, 2u, 2u]~[2u, 18446744073709551615u]"},
    {"ld", "[1.5]~[1.0, 0.0/0.0]~[0.0/0.0, 2.0, 1.0]~[-0.0, 0.0]"},
    {"lD", "[duration('1s')]~[duration('2s'), duration('-1s')]~[duration('9223372036s'), duration('9223372036s')]"},
    {"lt", "[timestamp(5), timestamp(7)]~[timestamp(7), timestamp(5)]"},
    {"lb", "[true, false]~[false, true]~[true, true]"},
    {"ly", "[b'a', b'b']~[b'b', b'a']~[b'a', b'a', b'']"},
    {"l*", "[]~[1, 'a']~[2.5, true]~[null, [1u, {'b': 1, 'a': b'x'}]]"},
    {"mAB", "{1: 'x'}~{1: 'x', 2: 'y'}~{}"},
    {"mABA", "{1: 'x'}"},
    {"oA", "optional.of(1)~optional.none()"},
    {"olA", "optional.of([5, 6])~optional.none()"},
    {"omAB", "optional.of({1: 'x'})~optional.none()"},
    {"A", "1~2|~0~''~'a'~null~[]~[0]~{}~{'a': "
          "0}~0.0~-0.0~0u~false~true~b''~duration('0s')~duration('1s')~timestamp(0)~timestamp(1)~"
          "optional.none()~optional.of(0)~int"},
};

/* What a function has of its own, in place of these. */
static const struct {
    const char *function, *type, *values;
} own[] = {
    {"bool", "s", "'0'~'f'~'F'~'false'~'False'~'FALSE'~'1'~'t'~'T'~'true'~'True'~'TRUE'~''~'2'~'tRUE'~'true '"},
    {"int", "s",
     "'0'~'-0'~'+1'~'007'~'9223372036854775807'~'9223372036854775808'~'-9223372036854775808'~"
     "'-9223372036854775809'~''~'-'~'1a'~' 1'~'0x1'~'1.0'~'18446744073709551616'~'99999999999999999999'"},
    {"uint", "s",
     "'0'~'-0'~'+1'~'18446744073709551615'~'18446744073709551616'~'18446744073709551620'~'-1'~''~'1a'~'1u'"},
    {"double", "s",
     "'0'~'-0'~'+1.5'~'.5'~'7.'~'.'~''~'1e3'~'1E-3'~'1e+3'~'1e'~'e1'~'1e400'~'-1e-400'~'0x1'~'nan'~'NaN'~'inf'~'-Inf'~"
     "'+INF'~'infinity'~'-infinity'~'+Infinity'~'infinit'~'\\rinf'~'\\vinf'~'in'~'1_0'~'1 '"},
    {"timestamp", "s",
     "'2024-02-29T23:59:59Z'~'2023-02-29T23:59:59Z'~'2024-02-29t00:00:00z'~'2024-02-29 00:00:00Z'~"
     "'2024-02-29T23:59:59.5+01:00'~'2024-02-29T23:59:59.123456789-23:59'~'2024-02-29T23:59:59.1234567891Z'~"
     "'0001-01-01T00:00:00+00:01'~'9999-12-31T23:59:59-00:01'~'0000-12-31T00:00:00Z'~'2024-13-01T00:00:00Z'~"
     "'2024-00-01T00:00:00Z'~'2024-04-31T00:00:00Z'~'2024-01-01T24:00:00Z'~'2024-01-01T00:60:00Z'~"
     "'2024-01-01T00:00:60Z'~'2024-01-01T00:00:00'~'2024-01-01T00:00:00.Z'~'2024-01-01T00:00:00+24:00'~"
     "'2024-01-01T00:00:00+00:60'~'2024-01-01T00:00:00Zx'~'+024-01-01T00:00:00Z'"},
    {"duration", "s",
     "'0'~'-0'~'+0'~'00'~'0s'~'1h'~'1m'~'1s'~'1ms'~'1us'~'1µs'~'1ns'~'1h2m3s4ms5us6ns'~'-1.5h'~'+.5s'~'1.s'~'.s'~"
     "'1.0000000009s'~'1.9999999999s'~'0.1ns'~'1.5us'~'1'~'s'~'1d'~'1n'~'1u'~'1 s'~'-'~''~'1s-1s'~'1ss'~'--1s'~'-+1s'~"
     "'9223372036.854775807s'~'9223372036.854775808s'~'-9223372036.854775807s'~'2562047h47m16.9s'~"
     "'9223372036854775808ns'~'99999999999999999999s'~'1\u00b6s'"},
    {"base64.decode", "s",
     "''~'YQ=='~'YQ'~'YQ='~'YWI='~'YWI'~'YWJj'~'+/+/'~'-_-_'~'Y'~'YR=='~'Y Q='~'=YQ='~'YQ==='~'YWJjYQ=='"},
    {"matches", "s", "'a'~'abab'~''~'^(ab)+$'~'[^a]'~'('"},
    {"format", "s",
     "''~'%s'~'%d'~'%x'~'%X'~'%o'~'%b'~'%e'~'%f'~'%.0e'~'%.2f'~'%.0f'~'%.f'~'100%%'~'%'~'%i'~'%.101f'~'%./"
     "f'~'%.-1f'~'%.:f'~'<%s|%s>'"},
    {"format", "l*",
     "[]~['é', 1]~[-42]~[42u]~[-9223372036854775808]~[12.5]~[-0.0456]~[0.0/0.0]~[-1.0/0.0]~[true]~[b'\\xff']~[null]~"
     "[[1, 'a', []]]~[{'b': 1, 'a': {2u: null}}]~[duration('-90s')]~[timestamp(0)]~[int]~[optional.none()]~[{2: 'x', "
     "10: 'y'}]~[{1: 'x', '1': 'y', 0: 'z'}]~[[1.0, int]]~['a', 'b', 'c']"},
    {"getMinutes", "s",
     "'UTC'~'Z'~'GMT'~'+01:00'~'-23:59'~'7:30'~'00:01'~'+24:00'~'+01:60'~'+1:5'~'+123:00'~'1'~':30'~'1:'~'UTC '"},
    {"replace", "s", "'aa'~'a'~''"},
    {"min", "ls", "['']~['b', 'a', 'é']~['aa', 'a']"},
};
/* The functions of a clock take a zone. */
static const char zones[] = "'UTC'~'+01:00'~'-23:59'~'Mars'";

static struct pool pool;
static struct expression_world world;

/* The size of one type's letters. */
static size_t letters(const char *at)
{
    if (*at == 'l' || *at == 'o' || *at == 'T')
        return 1 + letters(at + 1);
    return *at == 'm' ? 1 + letters(at + 1) + letters(at + 1 + letters(at + 1)) : 1;
}

static bool is_type(const char *of, const char *type, size_t size)
{
    return strlen(of) == size && memcmp(of, type, size) == 0;
}

/* The values of a type, as this function has them; *whole tells those of its own, of which all are tried. */
static const char *values_of(const struct function *f, const char *type, size_t size, bool *whole)
{
    *whole = true;
    for (size_t k = 0; k < sizeof own / sizeof *own; k++)
        if (strcmp(own[k].function, f->name) == 0 && is_type(own[k].type, type, size))
            return own[k].values;
    if (strncmp(f->name, "get", 3) == 0 && *type == 's')
        return zones;
    *whole = false;
    for (size_t k = 0; k < sizeof samples / sizeof *samples; k++)
        if (is_type(samples[k].type, type, size))
            return samples[k].values;
    ck_abort_msg("of a type that the test does not know: %.*s", (int)size, type);
}

/* Value number i of the type, or false: for one argument of all, for two of those before the bar, for more of the first three. */
static bool sample(const struct function *f, const char *type, unsigned i, unsigned count, char *value)
{
    bool whole;
    const char *at = values_of(f, type, letters(type), &whole), *bar = strchr(at, '|');
    if (count > 2 && i == 3)
        return false;
    for (; i > 0 && at != NULL; i--)
        at = strchr(at, '~') == NULL ? NULL : strchr(at, '~') + 1;
    if (at == NULL || (count > 1 && !whole && bar != NULL && at > bar))
        return false;
    size_t size = strcspn(at, whole ? "~" : "|~");
    ck_assert_uint_lt(size, VALUE_SIZE);
    memcpy(value, at, size);
    value[size] = '\0';
    return true;
}

/* The call, as somebody would write it. */
static void write_call(const struct function *f, char args[][VALUE_SIZE], unsigned count, char *text)
{
    const char *name = f->name;
    unsigned first = f->style == FUNCTION_MEMBER;
    if (strncmp(name, "_[", 2) == 0)
        snprintf(text, TEXT_SIZE, "%s[%s%s]", args[0], name[2] == '?' ? "?" : "", args[1]);
    else if (name[0] == '_')
        snprintf(text, TEXT_SIZE, "%s %.*s %s", args[0], (int)strcspn(name + 1, "_"), name + 1, args[1]);
    else if (name[1] == '_')
        snprintf(text, TEXT_SIZE, "%c(%s)", name[0], args[0]);
    else {
        size_t used = (size_t)snprintf(text, TEXT_SIZE, "%s%s%s(", first ? args[0] : "", first ? "." : "", name);
        for (unsigned i = first; i < count; i++)
            used += (size_t)snprintf(text + used, TEXT_SIZE - used, "%s%s", i > first ? ", " : "", args[i]);
        snprintf(text + used, TEXT_SIZE - used, ")");
    }
}

/* One overload: every choice of values; those that differ in the last alone are one line. */
static void put_overload(FILE *out, const struct function *f, const char *overload)
{
    const char *types[ARGUMENTS_MAX];
    unsigned at[ARGUMENTS_MAX] = {0}, count = 0;
    for (const char *t = overload; *t != ':'; t += letters(t))
        types[count++] = t;
    fprintf(out, "%s %.*s\n", f->name, (int)strcspn(overload, " "), overload);
    char *last = NULL;
    for (bool more = count > 0, begun = false; more;) {
        char args[ARGUMENTS_MAX][VALUE_SIZE], text[TEXT_SIZE];
        unsigned changed = count;
        for (unsigned i = 0; i < count; i++)
            if (!sample(f, types[i], at[i], count, args[i]))
                changed = i;
        if (changed == count) {
            write_call(f, args, count, text);
            fprintf(out, begun ? "; %s -> " : "  %s -> ", begun ? args[count - 1] : text);
            expression_text_put_shortly(out, &world, text, &last);
            begun = count > 1;
            fprintf(out, begun ? "" : "\n");
            at[count - 1]++;
        } else {
            fprintf(out, begun ? "\n" : "");
            begun = false;
            at[changed] = 0;
            more = changed > 0;
            if (more)
                at[changed - 1]++;
        }
    }
    free(last);
}

static void put_all(FILE *out)
{
    pool_init(&pool, &heap, 1 << 20);
    world = (struct expression_world){.pool = &pool, .untyped = true};
    for (unsigned i = 0; i < FUNCTION_COUNT; i++) {
        const struct function *f = &functions[i];
        if (i == FUNCTION_ID_LESS_EQUAL || i == FUNCTION_ID_GREATER || i == FUNCTION_ID_GREATER_EQUAL)
            continue; /* as the first of the orders: test_expression_values.c */
        for (const char *o = f->overloads; *o != '\0'; o += strcspn(o, " "), o += *o == ' ')
            put_overload(out, f, o);
    }
    pool_finish(&pool);
}

START_TEST(expression__every_function_gives_of_every_value_what_it_gave)
{
    kept_text_compare(path, put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "expression_tables", expression__every_function_gives_of_every_value_what_it_gave);
}
