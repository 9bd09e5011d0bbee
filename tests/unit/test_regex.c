/* Regular expressions in RE2's syntax: what each sign matches, what is refused and with which words, and the bounds. */
#include "sidecar/base/utf8.h"
#include "sidecar/core/heap.h"
#include "sidecar/expression/regex.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pool pool;

static void setup(void)
{
    pool_init(&pool, &heap, 4 << 20);
}

static void teardown(void)
{
    pool_finish(&pool);
}

static const struct regex *made(const char *pattern)
{
    const char *wrong = NULL;
    const struct regex *r = regex_make(bytes_of_text(pattern), &pool, &wrong);
    ck_assert_msg(r != NULL, "%s: %s", pattern, wrong);
    return r;
}

static bool is_found(const struct regex *r, struct bytes text)
{
    int found = regex_matches(r, text, &pool);
    ck_assert_int_ge(found, 0);
    return found == 1;
}

static bool matches(const char *pattern, struct bytes text)
{
    return is_found(made(pattern), text);
}

/* Whether a list of ranges in pairs ("09AZ") has the point. */
static bool is_in(const char *ranges, uint32_t point)
{
    for (; ranges[0] != '\0'; ranges += 2)
        if (point >= (uint32_t)ranges[0] && point <= (uint32_t)ranges[1])
            return true;
    return false;
}

/* Of every ASCII sign, and of some beyond, whether the pattern matches it: those of the ranges alone, or all others. */
START_TEST(regex__a_class_has_its_members_and_no_others)
{
    static const struct {
        const char *pattern, *ranges;
        bool all_others;
    } cases[] = {
        {"\\d", "09", false},
        {"\\D", "09", true},
        {"\\s", "\t\n\f\r  ", false},
        {"\\S", "\t\n\f\r  ", true},
        {"\\w", "09AZ__az", false},
        {"\\W", "09AZ__az", true},
        {".", "\n\n", true},
        {"(?s:.)", "", true},
        {"[[:alnum:]]", "09AZaz", false},
        {"[[:alpha:]]", "AZaz", false},
        {"[[:^alpha:]]", "AZaz", true},
        {"[[:ascii:]]", "\001\177", false}, /* and NUL, which stands at the end of these ranges */
        {"[[:blank:]]", "\t\t  ", false},
        {"[[:cntrl:]]", "\001\037\177\177", false},
        {"[[:digit:]]", "09", false},
        {"[[:graph:]]", "!~", false},
        {"[[:lower:]]", "az", false},
        {"[[:print:]]", " ~", false},
        {"[[:punct:]]", "!/:@[`{~", false},
        {"[[:space:]]", "\t\r  ", false},
        {"[[:upper:]]", "AZ", false},
        {"[[:word:]]", "09AZ__az", false},
        {"[[:xdigit:]]", "09AFaf", false},
        {"[b-dx]", "bdxx", false},
        {"[^b-dx]", "bdxx", true},
        {"[^xb-df]", "bdffxx", true},
        {"[^b-db-ea]", "ae", true},
        {"[^a-zc]", "az", true},
        {"[^a-zc-dp]", "az", true},
        {"[^\\w5]", "09AZ__az", true},
        {"[]a]", "]]aa", false},
        {"[^]a]", "]]aa", true},
        {"[a-]", "aa--", false},
        {"[\\d.-]", "09..--", false},
        {"[\\Da-z5]", "0469", true},
        {"[\\W\\d]", "AZ__az", true},
        {"[+--]", "+-", false},
        {"[a\\]\\\\]", "aa]]\\\\", false},
        {"[\\x41-\\x{43}\\t]", "AC\t\t", false},
        {"(?i)[b-d]", "bdBD", false},
        {"(?i)c", "ccCC", false},
        {"(?i:[^c])", "ccCC", true},
        {"(?i)[@-B\\[]", "@Bab[[", false},
        {"(?i)[[:lower:]]", "azAZ", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char pattern[64];
        snprintf(pattern, sizeof pattern, "^(?:%s)$", cases[i].pattern);
        const struct regex *r = made(pattern);
        for (uint32_t point = 1; point < 128; point++) {
            uint8_t sign = (uint8_t)point;
            ck_assert_msg(is_found(r, bytes_of(&sign, 1)) == (is_in(cases[i].ranges, point) != cases[i].all_others),
                          "%s and %u", pattern, point);
        }
        static const char *const beyond[] = {"\xc2\x80", "\xc3\xa9", "\xe2\x82\xac", "\xf4\x8f\xbf\xbf"};
        for (size_t k = 0; k < sizeof beyond / sizeof *beyond; k++)
            ck_assert_msg(is_found(r, bytes_of_text(beyond[k])) == cases[i].all_others, "%s and %s", pattern,
                          beyond[k]);
    }
    ck_assert(matches("^[[:ascii:]]$", bytes_of("\0", 1)) && matches("^[[:cntrl:]]$", bytes_of("\0", 1)));
    ck_assert(matches("^\\D$", bytes_of("\0", 1)) && matches("^.$", bytes_of("\0", 1)));
}
END_TEST

START_TEST(regex__matches_what_it_says)
{
    static const struct {
        const char *pattern, *yes[4], *no[4];
    } cases[] = {
        {"", {"", "a"}, {NULL}},
        {"b", {"b", "abc"}, {"", "ac", "B"}},
        {"^b", {"b", "bc"}, {"ab", "a\nb", ""}},
        {"b$", {"b", "ab"}, {"ba", "b\n", ""}},
        {"^$", {""}, {"a", "\n"}},
        {"(?m)^b$", {"b", "a\nb", "b\na", "a\nb\nc"}, {"ab", "ba", "a\nbc"}},
        {"(?m)\\Ab\\z", {"b"}, {"a\nb", "b\na"}},
        {"\\Ab", {"b"}, {"ab"}},
        {"b\\z", {"ab"}, {"b\n"}},
        {"\\bab\\b", {"ab", "c ab.", "-ab"}, {"cab", "ab1", "ab_", "abc"}},
        {"\\Bab", {"cab", "_ab", "9ab"}, {"ab", " ab", "\xc3\xa9 ab"}},
        {"a\\B", {"ab"}, {"a", "a b"}},
        {"^ab*$", {"a", "ab", "abbb"}, {"", "b", "abab"}},
        {"^ab+$", {"ab", "abbb"}, {"a", "abc"}},
        {"^ab?$", {"a", "ab"}, {"abb", ""}},
        {"^a{3}$", {"aaa"}, {"aa", "aaaa", ""}},
        {"^a{2,}$", {"aa", "aaa", "aaaaaa"}, {"a", ""}},
        {"^a{2,4}$", {"aa", "aaa", "aaaa"}, {"a", "aaaaa"}},
        {"^a{0,2}$", {"", "a", "aa"}, {"aaa"}},
        {"^a{0,}$", {"", "a", "aaa"}, {"b"}},
        {"^a{1,}$", {"a", "aaa"}, {""}},
        {"^a{0}b$", {"b"}, {"ab"}},
        {"^a{1}$", {"a"}, {"", "aa"}},
        {"^(?:ab){2}$", {"abab"}, {"ab", "aab", "ababab"}},
        {"^(?:a|bc){2,3}$", {"aa", "abc", "bcabc"}, {"a", "bcb", "aaaa"}},
        {"^(a*)*$", {"", "aaa"}, {"ab"}},
        {"^(a|b*)+c$", {"c", "abac"}, {"ab"}},
        {"^a{,2}$", {"a{,2}"}, {"a", "aa"}},
        {"^a{x}$", {"a{x}"}, {"a"}},
        {"^a{}$", {"a{}"}, {"", "a"}},
        {"^a{-}$", {"a{-}"}, {"", "a"}},
        {"^a{1,x}$", {"a{1,x}"}, {"a", "aa"}},
        {"^a{2$", {"a{2"}, {"aa"}},
        {"^a??b*?c+?$", {"c", "abcc", "bc"}, {"aab"}},
        {"^(?:a|b|cd)$", {"a", "b", "cd"}, {"c", "d", "ab", ""}},
        {"^(?:|a)$", {"", "a"}, {"b"}},
        {"^(?:a|)b$", {"b", "ab"}, {"aab"}},
        {"a|^b$", {"a", "xa", "b"}, {"xb", "bx"}},
        {"^(?P<year>\\d{4})-(?<n_1>\\d\\d)$", {"2026-11"}, {"202-11", "2026-1"}},
        {"^(?i)aB(?-i)c$", {"abc", "ABc"}, {"abC"}},
        {"^(?:(?i)a)b$", {"ab", "Ab"}, {"AB"}},
        {"^((?i)a|b)c$", {"Ac", "Bc"}, {"AC"}},
        {"^(?is:a.)b$", {"A\nb", "axb"}, {"axB"}},
        {"^(?i-s:a.)$", {"Ax"}, {"A\n"}},
        {"^(?U)a+$", {"aa"}, {"b"}},
        {"^(?i)k$", {"k", "K", "\xe2\x84\xaa"}, {"\xc5\xbf"}},
        {"^(?i)S$", {"s", "S", "\xc5\xbf"}, {"\xe2\x84\xaa"}},
        {"^\\.\\*\\[\\]\\(\\)\\\\$", {".*[]()\\"}, {"x"}},
        {"^\\a\\f\\n\\r\\t\\v$", {"\a\f\n\r\t\v"}, {"afnrtv"}},
        {"^\\x41\\x{42}\\x{20AC}\\x{1F600}\\x7a$", {"AB\xe2\x82\xac\xf0\x9f\x98\x80z"}, {"AB"}},
        {"^\\x4Az$", {"Jz"}, {"\x04\x41z"}},
        {"^\\060\\0601$", {"001"}, {"01"}},
        {"^h\xc3\xa4\xc3\x9f.$",
         {"h\xc3\xa4\xc3\x9f\xe2\x82\xac"},
         {"h\xc3\xa4\xc3\x9f", "h\xc3\xa4\xc3\x9f\xc3\xa9\xc3\xa9"}},
        {"^[\xc3\xa0-\xc3\xbf]+$", {"\xc3\xa9\xc3\xa0\xc3\xbf"}, {"\xc3\x9f", "e"}},
        {"^[^\\x{0}-\\x{10FFFE}]$", {"\xf4\x8f\xbf\xbf"}, {"\xf4\x8f\xbf\xbe", "a"}},
        {"^[^\\x{10FFFF}]$", {"\xf4\x8f\xbf\xbe", "a"}, {"\xf4\x8f\xbf\xbf"}},
        {"^[^\xc3\xa0-\xc3\xbf]$", {"\xc3\x9f", "\xc4\x80", "\xf4\x8f\xbf\xbf"}, {"\xc3\xa0", "\xc3\xbf"}},
        {"x*yx*", {"y", "xxyxx"}, {"xx"}},
        {"aab", {"aaab", "aabaab"}, {"abab"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < 4; k++) {
            if (cases[i].yes[k] != NULL)
                ck_assert_msg(matches(cases[i].pattern, bytes_of_text(cases[i].yes[k])), "%s: %s", cases[i].pattern,
                              cases[i].yes[k]);
            if (cases[i].no[k] != NULL)
                ck_assert_msg(!matches(cases[i].pattern, bytes_of_text(cases[i].no[k])), "%s: not %s", cases[i].pattern,
                              cases[i].no[k]);
        }
}
END_TEST

static void assert_refused(const char *pattern, const char *words)
{
    const char *wrong = NULL;
    ck_assert_msg(regex_make(bytes_of_text(pattern), &pool, &wrong) == NULL, "%s", pattern);
    ck_assert_msg(strcmp(wrong, words) == 0, "%s: %s", pattern, wrong);
}

START_TEST(regex__what_it_has_not_is_refused_by_name)
{
    static const struct {
        const char *words, *patterns[8];
    } cases[] = {
        {"the regular expression repeats nothing: *, + or ? needs something before it", {"*", "a|+", "(?:?)"}},
        {"the regular expression repeats a repetition; put it in (?:...)", {"a**", "a+?+", "a{2}{3}", "a?*"}},
        {"the regular expression repeats more than 1000 times, or at most fewer times than at least",
         {"a{1001}", "a{1,1001}", "a{3,2}", "a{1001,}", "a{4294967297}"}},
        {"the regular expression has a [ that is not closed", {"[", "[a", "[^", "[]", "[a-z"}},
        {"the regular expression has a range whose ends are the wrong way round", {"[b-a]", "[\\x42-A]"}},
        {"the regular expression has an unknown class [:...:]", {"[[:nothing:]]", "[[:alpha]]", "[[:alph:]]"}},
        {"the regular expression has a ( that is not closed", {"(", "(a", "(?:a", "((a)", "(?i", "(?-", "(?i-s"}},
        {"the regular expression has a ) without a (", {")", "a)", "(a))"}},
        {"the regular expression ends in a backslash", {"\\", "a\\"}},
        {"the regular expression has a wrong \\x escape",
         {"\\x", "\\x4", "\\x4g", "\\x{}", "\\x{41", "\\x{110000}", "\\x{g}", "\\x4@"}},
        {"the regular expression has a wrong \\x escape", {"\\x4`", "\\x{4`}", "\\x{4@}"}},
        {"Unicode classes (\\p) are not supported in regular expressions", {"\\pL", "\\PN", "[\\pL]"}},
        {"\\Q is not supported in regular expressions", {"\\Qa\\E"}},
        {"\\C is not supported in regular expressions", {"\\C"}},
        {"regular expressions have no back references", {"(a)\\1", "\\9"}},
        {"the regular expression has an unknown escape", {"\\y", "\\Z", "[\\b]", "\\\xc3\xa9"}},
        {"the regular expression has nothing behind (?", {"(?)", "(?"}},
        {"regular expressions have no look-ahead or look-behind", {"(?=a)", "(?!a)", "(?<=a)", "(?<!a)"}},
        {"the regular expression has an unknown flag behind (?", {"(?x)", "(?i,s)a"}},
        {"the regular expression has a group whose name does not end", {"(?P<a", "(?P<a-b>c)", "(?<n"}},
        {"(?i) is not supported for letters beyond ASCII", {"(?i)\xc3\xa9", "(?i)[a-\xc3\xa9]"}},
        {"the regular expression is not valid UTF-8", {"\xff", "[\xff]"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < 8 && cases[i].patterns[k] != NULL; k++)
            assert_refused(cases[i].patterns[k], cases[i].words);
}
END_TEST

/* A pattern ends where it does, whatever stands behind it. */
START_TEST(regex__nothing_behind_the_end_counts)
{
    static const char text[] = "(?i')'|a)";
    for (size_t size = 2; size <= 4; size++) {
        const char *wrong = NULL;
        ck_assert_ptr_null(regex_make(bytes_of(text, size), &pool, &wrong));
        ck_assert_str_eq(wrong, size == 2   ? "the regular expression has nothing behind (?"
                                : size == 3 ? "the regular expression has a ( that is not closed"
                                            : "the regular expression has an unknown flag behind (?");
    }
}
END_TEST

START_TEST(regex__bounds_are_reached_and_not_passed)
{
    char pattern[1100];
    const char *wrong;
    memset(pattern, 'a', sizeof pattern);
    ck_assert_ptr_nonnull(regex_make(bytes_of(pattern, 1024), &pool, &wrong));
    ck_assert_ptr_null(regex_make(bytes_of(pattern, 1025), &pool, &wrong));
    ck_assert_str_eq(wrong, "the regular expression has more than 1024 bytes");
    /* A state for each sign, and the end. */
    const struct regex *r = regex_make(bytes_of_text("ab{3}"), &pool, &wrong);
    ck_assert_uint_eq(regex_states(r), 5);
    r = regex_make(bytes_of_text("a{1000}b{999}"), &pool, &wrong);
    ck_assert_ptr_nonnull(r);
    ck_assert_uint_eq(regex_states(r), 2000);
    assert_refused("a{1000}b{1000}", "the regular expression becomes larger than 2000 states");
    for (unsigned deep = 100; deep <= 101; deep++) {
        memset(pattern, '(', deep);
        pattern[deep] = 'a';
        memset(pattern + deep + 1, ')', deep);
        ck_assert((regex_make(bytes_of(pattern, 2 * deep + 1), &pool, &wrong) != NULL) == (deep == 100));
    }
    ck_assert_str_eq(wrong, "the regular expression has more than 100 groups within one another");
    /* A hundred beside one another are not within one another. */
    for (unsigned i = 0; i < 150; i++)
        memcpy(pattern + 3 * i, "(a)", 3);
    ck_assert_ptr_nonnull(regex_make(bytes_of(pattern, 450), &pool, &wrong));
    /* No room is no mistake of the pattern's. */
    struct pool small;
    pool_init(&small, &heap, 4096);
    ck_assert_ptr_null(regex_make(bytes_of_text("a{1000}"), &small, &wrong));
    ck_assert_ptr_eq(wrong, regex_no_room);
    pool_finish(&small);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("regex");
    Suite *s = suite_create("regex");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, regex__a_class_has_its_members_and_no_others);
    tcase_add_test(c, regex__matches_what_it_says);
    tcase_add_test(c, regex__what_it_has_not_is_refused_by_name);
    tcase_add_test(c, regex__nothing_behind_the_end_counts);
    tcase_add_test(c, regex__bounds_are_reached_and_not_passed);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
