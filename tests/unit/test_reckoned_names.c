/* Quantities, ids, characters and names that people write, against a second reckoning: of valid texts with a few signs changed by chance, which are read, and
 * as what. Behind each text stands more that must not be read. */
#include "sidecar/base/nearest.h"
#include "sidecar/base/saga_id.h"
#include "sidecar/base/utf8.h"
#include "sidecar/definition/names.h"
#include "sidecar/definition/quantity.h"
#include "tests/support/by_chance.h"

#include <check.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 8000

static void setup(void)
{
    by_chance_seed(20261130);
}

/* ---- quantities ---- */

__extension__ typedef unsigned __int128 wide;

/* The number before a unit in parts of 10^9 of it; NULL, or how the words begin that refuse it. */
static const char *reckon_number(const char *text, size_t size, size_t *at, wide *parts, size_t *places)
{
    size_t whole = digits_at(text, size, at), point = *at;
    *places = 0;
    *parts = 0;
    for (size_t i = 0; i < point; i++)
        *parts = *parts > UINT64_MAX ? *parts : *parts * 10 + (wide)(text[i] - '0');
    if (*parts > UINT64_MAX)
        return "is too large a number";
    if (whole == 0)
        return "is not";
    if (sign_at(text, size, at, ".")) {
        *places = digits_at(text, size, at);
        if (*places == 0)
            return "is not a number";
        if (*places > 9)
            return "has too many";
    }
    for (size_t i = 0; i < 9; i++)
        *parts = *parts * 10 + (i < *places ? (wide)(text[point + 1 + i] - '0') : 0);
    return NULL;
}

static void check_quantity(const char *said, const char *expected, const char *what, const char *text)
{
    bool same = said == NULL || expected == NULL ? said == expected : strncmp(said, expected, strlen(expected)) == 0;
    ck_assert_msg(same, "%s %s: %s, not %s", what, text, said == NULL ? "read" : said,
                  expected == NULL ? "read" : expected);
}

static uint64_t worth(const char *text, size_t size, const char *const *names, const uint64_t *worths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(names[i]) == size && memcmp(names[i], text, size) == 0)
            return worths[i];
    return 0;
}

START_TEST(reckoned__quantities_are_their_number_times_their_unit)
{
    static const char *const texts[] = {"250ms",
                                        "1.5s",
                                        "0.250s",
                                        "3m",
                                        "2.5h",
                                        "4MiB",
                                        "65536",
                                        "64KiB",
                                        "1GiB",
                                        "2TiB",
                                        "7B",
                                        "0.2",
                                        "0.125",
                                        "1.0005",
                                        "99.999",
                                        "9223372036854775807",
                                        "18446744073709551615",
                                        "2562047788h",
                                        "8796093022207MiB",
                                        "4294967.295",
                                        "0.000000001h",
                                        "0.0000000001s"};
    static const char *const spans[] = {"ms", "s", "m", "h"}, *const sizes[] = {"", "B", "KiB", "MiB", "GiB", "TiB"};
    static const uint64_t us[] = {1000, 1000000, 60000000, 3600000000},
                          bytes[] = {1, 1, 1024, 1048576, UINT64_C(1) << 30, UINT64_C(1) << 40};
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[SPOILT_SIZE], copy[SPOILT_SIZE] = "";
        size_t size = by_chance_spoilt(texts, sizeof texts / sizeof *texts, "0519.msKiBh", text), at = 0, places;
        struct bytes view = bytes_of(text, size);
        memcpy(copy, text, size);
        wide parts;
        const char *wrong = reckon_number(text, size, &at, &parts, &places);
        struct span span = {7};
        uint64_t count = 7;
        uint32_t permille = 7;
        uint64_t unit = worth(text + at, size - at, spans, us, 4);
        wide all = parts * unit;
        const char *expected = wrong != NULL                        ? wrong
                               : at == size                         ? "has no unit"
                               : unit == 0                          ? "has an unknown unit"
                               : all / 1000000000 > (wide)INT64_MAX ? "is too long"
                               : all % 1000000000 != 0              ? "is finer than"
                                                                    : NULL;
        check_quantity(quantity_read_span(view, &span), expected, "span", copy);
        ck_assert_int_eq(span.us, expected == NULL ? (int64_t)(all / 1000000000) : 7);
        unit = worth(text + at, size - at, sizes, bytes, 6);
        all = parts / 1000000000 * unit;
        expected = wrong != NULL           ? wrong
                   : places > 0            ? "is not a whole"
                   : unit == 0             ? "has an unknown unit"
                   : all > (wide)INT64_MAX ? "is too large a size"
                                           : NULL;
        count = 7;
        check_quantity(quantity_read_size(view, &count), expected, "size", copy);
        ck_assert_msg(expected != NULL || count == (uint64_t)all, "%s", copy);
        expected = wrong != NULL ? wrong : places > 0 || at < size ? "is not a whole" : NULL;
        count = 7;
        check_quantity(quantity_read_count(view, &count), expected, "count", copy);
        ck_assert_uint_eq(count, expected == NULL ? (uint64_t)(parts / 1000000000) : 7);
        all = parts * 1000;
        expected = wrong != NULL                   ? wrong
                   : at < size                     ? "is not a number"
                   : all / 1000000000 > UINT32_MAX ? "is too large a number"
                   : all % 1000000000 != 0         ? "has more than"
                                                   : NULL;
        check_quantity(quantity_read_permille(view, &permille), expected, "permille", copy);
        ck_assert_uint_eq(permille, expected == NULL ? (uint32_t)(all / 1000000000) : 7);
    }
}
END_TEST

/* ---- names ---- */

START_TEST(reckoned__names_and_methods_have_the_form_of_an_expression)
{
    static const char *const texts[] = {"reserve", "A-b_c.1",   "z",        "/shop.v1.Stock/Reserve",
                                        "/a/b",    "/S_1/Do_2", "/A.Z/z9Z", "/trades.v1.Inventory/Release"};
    static const char name[] = "^[A-Za-z0-9._-]{1,12}$",
                      method[] = "^/[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*/[A-Za-z_][A-Za-z0-9_]*$";
    regex_t is_name, is_method;
    unsigned names = 0, methods = 0;
    ck_assert_int_eq(regcomp(&is_name, name, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_int_eq(regcomp(&is_method, method, REG_EXTENDED | REG_NOSUB), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[SPOILT_SIZE], copy[SPOILT_SIZE] = "";
        size_t size = by_chance_spoilt(texts, sizeof texts / sizeof *texts, "/aAzZ09._-@[`{:", text);
        memcpy(copy, text, size);
        bool named = regexec(&is_name, copy, 0, NULL, 0) == 0, called = regexec(&is_method, copy, 0, NULL, 0) == 0;
        ck_assert_msg(definition_name_valid(bytes_of(text, size), 12) == named, "%s", copy);
        ck_assert_msg(definition_method_valid(bytes_of(text, size)) == called, "%s", copy);
        names += named;
        methods += called;
    }
    ck_assert(names > ROUNDS / 10 && methods > ROUNDS / 10);
    regfree(&is_name);
    regfree(&is_method);
}
END_TEST

/* ---- ids, characters and what was meant ---- */

START_TEST(reckoned__ids_are_hexadecimal)
{
    static const char *const texts[] = {"9f03c1d2a4b7-2a", "000000000000-1", "ffffffffffff-ffffffffffffffff",
                                        "0123456789ab-cdef01", "abcdefabcdef-10"};
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[SPOILT_SIZE], copy[SPOILT_SIZE] = "", back[SAGA_ID_TEXT_SIZE];
        size_t size = by_chance_spoilt(texts, sizeof texts / sizeof *texts, "0189afgA/:-", text);
        memcpy(copy, text, size);
        size_t tag = strspn(copy, "0123456789abcdef"), serial = size > 13 ? strspn(copy + 13, "0123456789abcdef") : 0;
        bool is = tag == 12 && size > 13 && text[12] == '-' && serial == size - 13 && serial <= 16 && text[13] != '0';
        struct saga_id id = {7, 7};
        ck_assert_msg(saga_id_parse(text, size, &id) == is, "%s", copy);
        ck_assert_uint_eq(id.tag, is ? strtoull(copy, NULL, 16) : 7);
        ck_assert_uint_eq(id.serial, is ? strtoull(copy + 13, NULL, 16) : 7);
        if (is) {
            ck_assert_uint_eq(saga_id_format(id, back), size);
            ck_assert_str_eq(back, copy);
        }
    }
}
END_TEST

/* The size of the shortest form of a code point that these bytes begin with, from all that there are of that size. */
static size_t reckon_character(const uint8_t *at, size_t size, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t wanted = size == 0          ? 0
                    : at[0] < 0x80     ? 1
                    : at[0] >> 5 == 6  ? 2
                    : at[0] >> 4 == 14 ? 3
                    : at[0] >> 3 == 30 ? 4
                                       : 0;
    *point = wanted == 1 ? at[0] : wanted == 0 ? 0 : at[0] & (0x7fu >> wanted);
    for (size_t i = 1; i < wanted; i++) {
        if (i >= size || at[i] >> 6 != 2)
            return 0;
        *point = *point << 6 | (at[i] & 0x3f);
    }
    bool is = wanted > 0 && *point >= least[wanted] && *point <= 0x10ffff && (*point < 0xd800 || *point > 0xdfff);
    return is ? wanted : 0;
}

START_TEST(reckoned__characters_are_those_that_have_a_shortest_form)
{
    static const uint8_t edges[] = {0,    'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
                                    0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf3, 0xf4, 0xf5, 0xff};
    for (unsigned i = 0; i < 8 * ROUNDS; i++) {
        uint8_t text[8], to[4];
        size_t size = by_chance(7), at = 0;
        uint32_t point;
        for (size_t k = 0; k < sizeof text; k++)
            text[k] = k < size ? edges[by_chance(sizeof edges)] : 0x80;
        size_t first = reckon_character(text, size, &point);
        ck_assert_uint_eq(utf8_sequence_size(bytes_of(text, size)), first);
        if (first > 0) {
            ck_assert_uint_eq(utf8_decode(text, first), point);
            ck_assert_uint_eq(utf8_encode(point, to), first);
            ck_assert_mem_eq(to, text, first);
        }
        for (size_t more; at < size && (more = reckon_character(text + at, size - at, &point)) > 0;)
            at += more;
        ck_assert_int_eq(utf8_valid(bytes_of(text, size)), at == size);
    }
}
END_TEST

/* Of words without case and separators: the steps from the first a letters of one to the first b of the other, tried in every way. */
static unsigned apart(const char *x, size_t a, const char *y, size_t b)
{
    if (a == 0 || b == 0)
        return (unsigned)(a + b);
    unsigned least = apart(x, a - 1, y, b - 1) + (x[a - 1] != y[b - 1]);
    unsigned other = apart(x, a - 1, y, b) + 1;
    least = other < least ? other : least;
    other = apart(x, a, y, b - 1) + 1;
    least = other < least ? other : least;
    if (a > 1 && b > 1 && x[a - 1] == y[b - 2] && x[a - 2] == y[b - 1]) {
        other = apart(x, a - 2, y, b - 2) + 1;
        least = other < least ? other : least;
    }
    return least;
}

static void some_word(char *word, char *plain, size_t most)
{
    static const char signs[] = "abcABC_-";
    size_t used = 0, size = by_chance((unsigned)most + 1);
    for (size_t i = 0; i < size; i++) {
        word[i] = signs[by_chance(sizeof signs - 1)];
        if (word[i] != '_' && word[i] != '-')
            plain[used++] = (char)(word[i] | 0x20);
    }
    word[size] = plain[used] = '\0';
}

START_TEST(reckoned__the_nearest_name_is_the_first_of_the_fewest_steps)
{
    unsigned found = 0;
    for (unsigned i = 0; i < ROUNDS / 10; i++) {
        char words[4][8], plain[4][8];
        const char *names[3], *expected = NULL;
        unsigned least = 0;
        for (unsigned k = 0; k < 4; k++)
            some_word(words[k], plain[k], 6);
        for (unsigned k = 0; k < 3; k++) {
            size_t size = strlen(plain[k]);
            unsigned steps = apart(plain[3], strlen(plain[3]), plain[k], size);
            names[k] = words[k];
            if (steps <= 2 && steps < size && (expected == NULL || steps < least)) {
                expected = words[k];
                least = steps;
            }
        }
        found += expected != NULL;
        ck_assert_msg(nearest_name(bytes_of_text(words[3]), names, 3) == expected, "%s: %s %s %s", words[3], names[0],
                      names[1], names[2]);
    }
    ck_assert_uint_gt(found, ROUNDS / 100);
    /* Sixty-four letters are compared, and more are not; of nine a third may be wrong. */
    char names[3][80], wrong[80];
    const char *const all[] = {names[0], names[1], names[2]};
    for (unsigned size = 60; size < 70; size++) {
        for (unsigned k = 0; k < 3; k++)
            snprintf(names[k], sizeof names[k], "%.*s", (int)(k == 2 ? size : size + 20),
                     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
        snprintf(wrong, sizeof wrong, "%.*s", (int)(size < 64 ? size : 64), names[2]);
        const char *given = nearest_name(bytes_of_text(wrong), all, 3);
        ck_assert_ptr_eq(given, size <= 64 ? names[2] : NULL);
    }
    static const char *const nine[] = {"abcdefghi"};
    ck_assert_ptr_nonnull(nearest_name(bytes_of_text("abcdefxyz"), nine, 1));
    ck_assert_ptr_null(nearest_name(bytes_of_text("abcdewxyz"), nine, 1));
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("reckoned_names");
    tcase_set_timeout(c, 30);
    Suite *s = suite_create("reckoned_names");
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, reckoned__quantities_are_their_number_times_their_unit);
    tcase_add_test(c, reckoned__names_and_methods_have_the_form_of_an_expression);
    tcase_add_test(c, reckoned__ids_are_hexadecimal);
    tcase_add_test(c, reckoned__characters_are_those_that_have_a_shortest_form);
    tcase_add_test(c, reckoned__the_nearest_name_is_the_first_of_the_fewest_steps);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
