/* sagactl: text from outside made safe, columns, and times as people read and write them. */
#include "client-lib/sagactl/screen.h"
#include "client-lib/sagactl/times.h"

#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static struct screen screen;
static char *written;
static size_t written_size;

static void open_screen(void)
{
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    setenv("TZ", "UTC", 1);
    screen = (struct screen){.out = open_memstream(&written, &written_size), .utf8 = true, .width = 80};
    ck_assert_ptr_nonnull(screen.out);
}

static void close_screen(void)
{
    fclose(screen.out);
    free(written);
}

static const char *clean(const char *text)
{
    static char to[512];
    return screen_clean(&screen, text, to, sizeof to);
}

static const char *shown(void)
{
    fflush(screen.out);
    return written;
}

/* ---- clean text ---- */

START_TEST(screen__shows_plain_text_as_it_is)
{
    ck_assert_str_eq(clean("card declined: 100 % (\"no\")"), "card declined: 100 % (\"no\")");
    ck_assert_str_eq(clean("Zahlung \xc3\xbc\x62"
                           "er 5 \xe2\x82\xac \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x99\x82"),
                     "Zahlung \xc3\xbc\x62"
                     "er 5 \xe2\x82\xac \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x99\x82");
    ck_assert_str_eq(clean(""), "");
    ck_assert_str_eq(clean(NULL), "");
}
END_TEST

START_TEST(screen__shows_what_would_steer_a_terminal)
{
    ck_assert_str_eq(clean("\033[2J\007\b\177"), "\\x1b[2J\\x07\\x08\\x7f");
    ck_assert_str_eq(clean("a\nb\tc\rd"), "a\\nb\\tc\\rd");
    /* CSI as one byte, and as the character U+009B. */
    ck_assert_str_eq(clean("\x9b"
                           "31m"),
                     "\\x9b31m");
    ck_assert_str_eq(clean("\xc2\x9b"
                           "31m"),
                     "\\u{9b}31m");
    /* Right-to-left override, zero width space, isolates, byte order mark, line separator, tags. */
    ck_assert_str_eq(clean("\xe2\x80\xae"
                           "gpj"),
                     "\\u{202e}gpj");
    ck_assert_str_eq(clean("a\xe2\x80\x8b"
                           "b"),
                     "a\\u{200b}b");
    ck_assert_str_eq(clean("\xe2\x81\xa6"), "\\u{2066}");
    ck_assert_str_eq(clean("\xef\xbb\xbf"), "\\u{feff}");
    ck_assert_str_eq(clean("\xef\xbf\xb9\xef\xbf\xbb\xc2\xad"), "\\u{fff9}\\u{fffb}\\u{ad}");
    ck_assert_str_eq(clean("\xe2\x80\xa8"), "\\u{2028}");
    ck_assert_str_eq(clean("\xf3\xa0\x81\x81"), "\\u{e0041}");
}
END_TEST

static char *in_utf8(uint32_t c, char to[5])
{
    if (c < 0x800)
        snprintf(to, 5, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
    else if (c < 0x10000)
        snprintf(to, 5, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
    else
        snprintf(to, 5, "%c%c%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3f)),
                 (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
    return to;
}

/* Of every row of hidden characters both ends are shown, and what stands beside it is itself; but for what no font has. */
START_TEST(screen__shows_what_is_hidden_up_to_its_ends)
{
    static const struct {
        uint32_t first, last;
    } rows[] = {{0x80, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x180e, 0x180e}, {0x200b, 0x200f},
                {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff}};
    char utf8[5], name[16];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint32_t c = rows[i].first - 1; c <= rows[i].last + 1; c++) {
            bool hidden = c >= rows[i].first && c <= rows[i].last;
            if (c < 0x80 || (!hidden && wcwidth((wchar_t)c) < 0))
                continue;
            snprintf(name, sizeof name, "\\u{%x}", (unsigned)c);
            ck_assert_str_eq(clean(in_utf8(c, utf8)), hidden ? name : utf8);
        }
    }
    if (wcwidth(0xf0000) > 0) /* a font's own */
        ck_assert_str_eq(clean("\xf3\xb0\x80\x80"), "\xf3\xb0\x80\x80");
}
END_TEST

START_TEST(screen__shows_bytes_that_are_no_utf8)
{
    ck_assert_str_eq(clean("\xff\xfe"), "\\xff\\xfe");
    ck_assert_str_eq(clean("\xe2\x82"), "\\xe2\\x82");          /* cut off */
    ck_assert_str_eq(clean("\xc0\xaf"), "\\xc0\\xaf");          /* overlong */
    ck_assert_str_eq(clean("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf"); /* overlong */
    ck_assert_str_eq(clean("\xed\xa0\x80"), "\\xed\\xa0\\x80"); /* surrogate */
    ck_assert_str_eq(clean("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}
END_TEST

START_TEST(screen__writes_only_ascii_without_utf8)
{
    screen.utf8 = false;
    ck_assert_str_eq(clean("5 \xe2\x82\xac"), "5 \\u{20ac}");
}
END_TEST

START_TEST(screen__cuts_text_that_does_not_fit)
{
    char to[12];
    ck_assert_str_eq(screen_clean(&screen, "0123456789a", to, sizeof to), "0123456789a");
    ck_assert_str_eq(screen_clean(&screen, "0123456789ab", to, sizeof to), "01234567...");
    /* Never in the middle of a character. */
    for (size_t size = 8; size <= sizeof to; size++) {
        screen_clean(&screen, "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\033\033", to, size);
        ck_assert_uint_lt(strlen(to), size);
        ck_assert_uint_eq(strlen(to) % 3, 0);
        ck_assert_ptr_nonnull(strstr(to, "..."));
    }
}
END_TEST

/* ---- columns ---- */

START_TEST(screen__counts_columns)
{
    ck_assert_uint_eq(screen_columns(&screen, "abc"), 3);
    ck_assert_uint_eq(screen_columns(&screen, "\xe2\x82\xac"), 1);
    ck_assert_uint_eq(screen_columns(&screen, "\xe6\x97\xa5\xe6\x9c\xac"), 4);
    ck_assert_uint_eq(screen_columns(&screen, "e\xcc\x81"), 1);
    /* What is not to be shown as it is takes one, so that a line of it has an end. */
    ck_assert_uint_eq(screen_columns(&screen, "a\001b\177"), 4);
    ck_assert_uint_eq(screen_columns(&screen, "\xc2\x9b"), 1);
    ck_assert_uint_eq(screen_columns(&screen, "\xff\xe2\x82"), 3);
}
END_TEST

START_TEST(screen__breaks_lines_at_spaces)
{
    size_t bytes;
    const char *text = "one two  threefour";
    const char *rest = screen_break(&screen, text, 9, &bytes);
    ck_assert_uint_eq(bytes, 8);
    ck_assert_str_eq(rest, "threefour");
    rest = screen_break(&screen, rest, 5, &bytes);
    ck_assert_uint_eq(bytes, 5);
    ck_assert_str_eq(rest, "four");
    rest = screen_break(&screen, rest, 5, &bytes);
    ck_assert_uint_eq(bytes, 4);
    ck_assert_str_eq(rest, "");
    /* All the spaces at a break are left out. */
    rest = screen_break(&screen, text, 7, &bytes);
    ck_assert_uint_eq(bytes, 7);
    ck_assert_str_eq(rest, "threefour");
    rest = screen_break(&screen, "one   ", 3, &bytes);
    ck_assert_uint_eq(bytes, 3);
    ck_assert_str_eq(rest, "");
    /* What it begins with is no place to break it, for then nothing would be taken. */
    rest = screen_break(&screen, " abcd", 3, &bytes);
    ck_assert_uint_eq(bytes, 3);
    ck_assert_str_eq(rest, "cd");
    rest = screen_break(&screen, "ab cd", 2, &bytes);
    ck_assert_uint_eq(bytes, 2);
    ck_assert_str_eq(rest, "cd");
    /* A character that is wider than the line is shown all the same, so that there is always an end. */
    rest = screen_break(&screen, "\xe6\x97\xa5\xe6\x9c\xac", 1, &bytes);
    ck_assert_uint_eq(bytes, 3);
    ck_assert_str_eq(rest, "\xe6\x9c\xac");
}
END_TEST

START_TEST(screen__fills_and_cuts_cells)
{
    screen_cell(&screen, PAINT_NONE, "abc", 5);
    screen_cell(&screen, PAINT_NONE, "abcdefgh", 6);
    screen_cell(&screen, PAINT_NONE, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5);
    screen_cell(&screen, PAINT_NONE, "", 1);
    fputc('|', screen.out);
    ck_assert_str_eq(shown(), "abc  abc...\xe6\x97\xa5... |");
}
END_TEST

START_TEST(screen__wraps_behind_an_indent)
{
    screen.width = 12;
    screen_wrap(&screen, PAINT_NONE, "one two three four", 4, 2);
    ck_assert_str_eq(shown(), "  one two\n    three\n    four\n");
}
END_TEST

/* As wide as the environment says, within reason. */
START_TEST(screen__has_a_width)
{
    static const struct {
        const char *columns;
        unsigned width;
    } cases[] = {{"79", 80}, {"81", 81}, {"200", 200}, {"201", 200}, {"99999999999", 200}, {"", 100}, {"wide", 100}};
    struct screen s;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setenv("COLUMNS", cases[i].columns, 1);
        screen_init(&s, screen.out, COLOR_AUTO, i % 2 == 0);
        ck_assert_msg(s.width == cases[i].width, "%s: %u", cases[i].columns, s.width);
        ck_assert(!s.terminal && !s.color && s.utf8 && s.utc == (i % 2 == 0));
    }
    unsetenv("COLUMNS");
    screen_init(&s, screen.out, COLOR_ALWAYS, false);
    ck_assert_uint_eq(s.width, 100);
    ck_assert(s.color);
}
END_TEST

START_TEST(screen__paints_only_in_colour)
{
    screen_put(&screen, PAINT_BAD, "%d", 1);
    screen.color = true;
    screen_put(&screen, PAINT_BAD, "%d", 2);
    screen_put(&screen, PAINT_NONE, "%d", 3);
    ck_assert_str_eq(shown(), "1\033[31m2\033[0m3");
}
END_TEST

START_TEST(screen__quotes_words_for_a_shell)
{
    char to[64], small[12];
    ck_assert_str_eq(screen_shell_word("127.0.0.1:7240", to, sizeof to), "127.0.0.1:7240");
    ck_assert_str_eq(screen_shell_word("a b", to, sizeof to), "'a b'");
    ck_assert_str_eq(screen_shell_word("it's; rm -rf $HOME", to, sizeof to), "'it'\\''s; rm -rf $HOME'");
    ck_assert_str_eq(screen_shell_word("", to, sizeof to), "''");
    screen_shell_word("'''''''''''''''", small, sizeof small);
    ck_assert_uint_lt(strlen(small), sizeof small);
}
END_TEST

/* ---- times ---- */

static const char *span_text(int64_t us)
{
    static char text[TIMES_TEXT_SIZE];
    return times_write_span((struct span){.us = us}, text);
}

START_TEST(times__writes_spans_in_two_units)
{
    ck_assert_str_eq(span_text(-5), "0ms");
    ck_assert_str_eq(span_text(999999), "999ms");
    ck_assert_str_eq(span_text(1500000), "1.5s");
    ck_assert_str_eq(span_text(2000000), "2s");
    ck_assert_str_eq(span_text(1000000), "1s");
    ck_assert_str_eq(span_text(9999999), "9.9s");
    ck_assert_str_eq(span_text(10500000), "10s");
    ck_assert_str_eq(span_text(59900000), "59s");
    ck_assert_str_eq(span_text(INT64_C(60000000)), "1m");
    ck_assert_str_eq(span_text(INT64_C(200000000)), "3m 20s");
    ck_assert_str_eq(span_text(INT64_C(3599999999)), "59m 59s");
    ck_assert_str_eq(span_text(INT64_C(3600000000)), "1h");
    ck_assert_str_eq(span_text(INT64_C(7500000000)), "2h 5m");
    ck_assert_str_eq(span_text(INT64_C(86399999999)), "23h 59m");
    ck_assert_str_eq(span_text(INT64_C(86400000000)), "1d");
    ck_assert_str_eq(span_text(INT64_C(349200000000)), "4d 1h");
    ck_assert_uint_lt(strlen(span_text(INT64_MAX)), TIMES_TEXT_SIZE);
}
END_TEST

START_TEST(times__writes_offsets)
{
    char text[TIMES_TEXT_SIZE];
    ck_assert_str_eq(times_write_offset((struct span){.us = 12000}, text), "+0.012s");
    ck_assert_str_eq(times_write_offset((struct span){.us = 59999000}, text), "+59.999s");
    ck_assert_str_eq(times_write_offset((struct span){.us = 60000000}, text), "+1:00.0");
    ck_assert_str_eq(times_write_offset((struct span){.us = INT64_C(723100000)}, text), "+12:03.1");
    ck_assert_str_eq(times_write_offset((struct span){.us = INT64_C(3599999000)}, text), "+59:59.9");
    ck_assert_str_eq(times_write_offset((struct span){.us = INT64_C(3600000000)}, text), "+1:00:00");
    ck_assert_str_eq(times_write_offset((struct span){.us = INT64_C(3723000000)}, text), "+1:02:03");
    ck_assert_str_eq(times_write_offset((struct span){.us = -1}, text), "+0.000s");
    ck_assert_uint_le(strlen(times_write_offset((struct span){.us = INT64_C(359999000000)}, text)), TIMES_OFFSET_WIDTH);
}
END_TEST

START_TEST(times__reads_times_and_lengths_of_time)
{
    const struct instant now = {.us = INT64_C(1777890030000000)}; /* 2026-05-04T10:20:30Z */
    struct instant at;
    static const char *const same[] = {"2026-05-04T10:20:30Z",     "2026-05-04 10:20:30",
                                       "2026-05-04T10:20:30.000Z", "2026-05-04T12:20:30+02:00",
                                       "2026-05-04T02:50:30-0730", "0s"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        ck_assert_msg(times_read(same[i], now, true, &at) == NULL, "%s", same[i]);
        ck_assert_msg(at.us == now.us, "%s: %lld", same[i], (long long)at.us);
    }
    static const char *const parts[] = {"2026-05-04T10:20:30.25Z", "2026-05-04 12:20:30.2500009+02:00"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ck_assert_msg(times_read(parts[i], now, true, &at) == NULL, "%s", parts[i]);
        ck_assert_msg(at.us == now.us + 250000, "%s: %lld", parts[i], (long long)at.us);
    }
    ck_assert_ptr_null(times_read("2h", now, true, &at));
    ck_assert_int_eq(at.us, now.us - INT64_C(7200000000));
    ck_assert_ptr_null(times_read("1d", now, true, &at));
    ck_assert_int_eq(at.us, now.us - INT64_C(86400000000));
    ck_assert_ptr_null(times_read("2w", now, true, &at));
    ck_assert_int_eq(at.us, now.us - 14 * INT64_C(86400000000));
    ck_assert_ptr_null(times_read("2026-05-04", now, true, &at));
    ck_assert_int_eq(at.us, INT64_C(1777852800000000));
    ck_assert_ptr_null(times_read("10000d", now, true, &at));
    ck_assert_int_eq(at.us, now.us - 10000 * INT64_C(86400000000));
    ck_assert_ptr_null(times_read("2026-05-05T00:20:30+14:00", now, true, &at));
    ck_assert_int_eq(at.us, now.us);
    ck_assert_ptr_null(times_read("9999-12-31T23:59:59Z", now, true, &at));
    ck_assert_ptr_null(times_read("9000000h", now, true, &at));
    ck_assert_int_eq(at.us, 0);
}
END_TEST

START_TEST(times__reads_local_times)
{
    struct instant at;
    setenv("TZ", "XYZ-3", 1); /* three hours east */
    ck_assert_ptr_null(times_read("2026-05-04T13:20:30", times_now(), false, &at));
    ck_assert_int_eq(at.us, INT64_C(1777890030000000));
    ck_assert_ptr_null(times_read("2026-05-04T10:20:30", times_now(), true, &at)); /* --utc says otherwise */
    ck_assert_int_eq(at.us, INT64_C(1777890030000000));
    /* And so does the zone that stands behind it. */
    static const char *const zoned[] = {"2026-05-04T10:20:30Z", "2026-05-04 12:20:30+02:00",
                                        "2026-05-04T09:20:30-0100"};
    for (size_t i = 0; i < sizeof zoned / sizeof zoned[0]; i++) {
        ck_assert_ptr_null(times_read(zoned[i], times_now(), false, &at));
        ck_assert_msg(at.us == INT64_C(1777890030000000), "%s: %lld", zoned[i], (long long)at.us);
    }
    char text[TIMES_TEXT_SIZE];
    ck_assert_str_eq(times_write(&screen, at, text), "2026-05-04 13:20:30 +0300");
    screen.utc = true;
    ck_assert_str_eq(times_write(&screen, at, text), "2026-05-04 10:20:30 UTC");
    ck_assert_str_eq(times_write(&screen, INSTANT_NEVER, text), "-");
}
END_TEST

START_TEST(times__refuses_what_is_none)
{
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "2026-13-01",
                                      "2026-02-30",
                                      "2026-05-04T25:00",
                                      "2026-05-04x",
                                      "10:20",
                                      "5",
                                      "2026-05-04T10:20:30+99:00",
                                      "2026-05-04T10:20:30+15:00",
                                      "2026-05-04T10:20:30+01:60",
                                      "2026-05-04T10:20:30+10:-1",
                                      "2026-05-04T10:20:30+-1:30",
                                      "2026-05-04T10:20:30*01:30",
                                      "2026-05-04T10:20:30+01:3x",
                                      "d",
                                      "w",
                                      "1dw",
                                      "100000d",
                                      "9999-12-31T23:59:59-01:00",
                                      "1960-01-01",
                                      "2026-05-04 ",
                                      "2026-05-04T10:20:30Zx"};
    struct instant at;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(times_read(bad[i], times_now(), true, &at) != NULL, "\"%s\" was read as %lld", bad[i],
                      (long long)at.us);
}
END_TEST

START_TEST(times__takes_no_nonsense_from_the_wire)
{
    Google__Protobuf__Timestamp t = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    ck_assert(times_of(NULL).us == INSTANT_NEVER.us);
    t.seconds = INT64_MAX;
    ck_assert(times_of(&t).us == INSTANT_NEVER.us);
    t.seconds = -1;
    ck_assert(times_of(&t).us == INSTANT_NEVER.us);
    t.seconds = 1;
    t.nanos = -1;
    ck_assert(times_of(&t).us == INSTANT_NEVER.us);
    t.nanos = 1000000000;
    ck_assert(times_of(&t).us == INSTANT_NEVER.us);
    t.nanos = 999999999;
    ck_assert_int_eq(times_of(&t).us, 1999999);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sagactl_screen");
    TCase *tests = tcase_create("screen");
    tcase_add_checked_fixture(tests, open_screen, close_screen);
    tcase_add_test(tests, screen__shows_plain_text_as_it_is);
    tcase_add_test(tests, screen__shows_what_would_steer_a_terminal);
    tcase_add_test(tests, screen__shows_what_is_hidden_up_to_its_ends);
    tcase_add_test(tests, screen__shows_bytes_that_are_no_utf8);
    tcase_add_test(tests, screen__writes_only_ascii_without_utf8);
    tcase_add_test(tests, screen__cuts_text_that_does_not_fit);
    tcase_add_test(tests, screen__counts_columns);
    tcase_add_test(tests, screen__breaks_lines_at_spaces);
    tcase_add_test(tests, screen__fills_and_cuts_cells);
    tcase_add_test(tests, screen__wraps_behind_an_indent);
    tcase_add_test(tests, screen__has_a_width);
    tcase_add_test(tests, screen__paints_only_in_colour);
    tcase_add_test(tests, screen__quotes_words_for_a_shell);
    tcase_add_test(tests, times__writes_spans_in_two_units);
    tcase_add_test(tests, times__writes_offsets);
    tcase_add_test(tests, times__reads_times_and_lengths_of_time);
    tcase_add_test(tests, times__reads_local_times);
    tcase_add_test(tests, times__refuses_what_is_none);
    tcase_add_test(tests, times__takes_no_nonsense_from_the_wire);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
