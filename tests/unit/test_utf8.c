/* UTF-8: every code point and back, and what is none by RFC 3629. */
#include "sidecar/base/utf8.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(utf8__every_code_point_comes_back)
{
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        uint8_t at[4];
        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        size_t size = utf8_encode(point, at), wanted = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        bool whole = size == wanted && utf8_sequence_size(bytes_of(at, size)) == size &&
                     utf8_valid(bytes_of(at, size)) && utf8_decode(at, size) == point;
        /* Cut off it is none. */
        if (!whole ||
            (size > 1 && (utf8_sequence_size(bytes_of(at, size - 1)) != 0 || utf8_valid(bytes_of(at, size - 1)))))
            ck_abort_msg("U+%x", point);
    }
}
END_TEST

START_TEST(utf8__what_is_none_is_refused)
{
    static const char *const none[] = {
        "\x80", /* begins in the middle */
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf", /* overlong */
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf", /* surrogates */
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff", /* beyond U+10FFFF */
        "\xc3\x28",
        "\xe2\x28\xac",
        "\xe2\x82\x28",
        "\xf0\x28\x8c\xbc",
        "\xf0\x90\x28\xbc",
        "\xf0\x90\x8c\x28",
        "\xc3\xc3",
        "\xe2\x82\xc0",
    };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char text[16] = "ok";
        ck_assert_uint_eq(utf8_sequence_size(bytes_of_text(none[i])), 0);
        ck_assert(!utf8_valid(bytes_of_text(none[i])));
        strcat(text, none[i]);
        ck_assert(!utf8_valid(bytes_of_text(text)));
    }
    ck_assert_uint_eq(utf8_sequence_size(bytes_of(NULL, 0)), 0);
    ck_assert(utf8_valid(bytes_of(NULL, 0)));
    ck_assert_uint_eq(utf8_sequence_size(bytes_of_text("ab")), 1);
    ck_assert_uint_eq(utf8_sequence_size(bytes_of_text("\xc3\xa9\xc3\xa9")), 2);
    ck_assert(utf8_valid(bytes_of_text("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z")));
}
END_TEST

/* A text that is too long is cut before a character, never within one. */
START_TEST(utf8__what_has_no_room_is_cut_before_a_character)
{
    static const struct {
        const char *before, *text, *wanted;
        size_t size;
    } cases[] = {
        {"", "abc", "abc", 4},
        {"", "abc", "ab", 3},
        {"x", "abc", "xab", 4},
        {"x", "abc", "xabc", 16},
        {"", "a\xc3\xa9", "a\xc3\xa9", 4},
        {"", "a\xc3\xa9", "a", 3},
        {"", "\xe2\x82\xac\xe2\x82\xac", "\xe2\x82\xac", 6},
        {"", "\xf0\x9f\x98\x80", "", 4},
        {"full", "abc", "full", 5},
        {"full", "", "full", 5},
        {"", "", "", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char buffer[24];
        memset(buffer, '#', sizeof buffer);
        memcpy(buffer, cases[i].before, strlen(cases[i].before) + 1);
        utf8_append(buffer, cases[i].size, cases[i].text);
        ck_assert_str_eq(buffer, cases[i].wanted);
        ck_assert_int_eq(buffer[cases[i].size], '#');
    }
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("utf8");
    Suite *s = suite_create("utf8");
    tcase_add_test(c, utf8__every_code_point_comes_back);
    tcase_add_test(c, utf8__what_is_none_is_refused);
    tcase_add_test(c, utf8__what_has_no_room_is_cut_before_a_character);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
