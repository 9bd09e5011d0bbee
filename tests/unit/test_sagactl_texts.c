/* How sagactl writes and reads single things: times, characters, columns, words for a shell and questions; each at every bound. It is kept in
 * tests/fixtures/sagactl; `build/release/tests/unit/test_sagactl_texts write` writes that anew, for its difference to be read. */
#include "client-lib/sagactl/question.h"
#include "client-lib/sagactl/screen.h"
#include "client-lib/sagactl/times.h"
#include "client-lib/sagactl/words.h"
#include "tests/support/kept_text.h"

#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct instant now = {.us = INT64_C(1777890030250000)}; /* 2026-05-04 10:20:30.25 UTC */

/* ---- times ---- */

static void put_spans(FILE *out)
{
    static const int64_t bounds_ms[] = {0,       1000,    1100,    9900,     10000,    60000,     61000,    120000,
                                        3600000, 3660000, 7200000, 86400000, 90000000, 172800000, 360000000};
    for (size_t i = 0; i < COUNT(bounds_ms); i++)
        for (int64_t us = bounds_ms[i] * 1000 - 1; us <= bounds_ms[i] * 1000 + 100000;
             us += us % 1000 == 0 ? 100000 : 1) {
            char span[TIMES_TEXT_SIZE], offset[TIMES_TEXT_SIZE];
            fprintf(out, "%" PRId64 "us: %s, %s\n", us, times_write_span((struct span){.us = us}, span),
                    times_write_offset((struct span){.us = us}, offset));
        }
}

static void put_reads(FILE *out)
{
    static const char *const texts[] = {"2026-05-04",
                                        "2026-05-04T10:20",
                                        "2026-05-04 10:20",
                                        "2026-05-04T10:20:30",
                                        "2026-05-04 10:20:30",
                                        "2026-05-04Z",
                                        "2026-05-04+02:00",
                                        "2026-05-04T10:20Z",
                                        "2026-05-04T10:20:30Z",
                                        "2026-05-04T10:20:30+0200",
                                        "2026-05-04T10:20:30-02:30",
                                        "2026-05-04T10:20:30.5",
                                        "2026-05-04T10:20:30.123456Z",
                                        "2026-05-04T10:20:30.1234567Z",
                                        "2026-05-04T10:20:30.",
                                        "2026-05-04T10:20:30.9+14:00",
                                        "2026-05-04T10:20:30+14:59",
                                        "2026-05-04T10:20:30+15:00",
                                        "2026-05-04T10:20:30+02:60",
                                        "2026-05-04T10:20:30+2:0",
                                        "2026-05-04T10:20:30*02:00",
                                        "2026-05-04T10:20:30+02:00x",
                                        "2026-05-04T10:20:30 ",
                                        "2026-05-04T10:20.5",
                                        "2026-05-04x",
                                        "2026-02-29",
                                        "2024-02-29",
                                        "2026-04-31",
                                        "2026-13-01",
                                        "2026-00-10",
                                        "2026-05-00",
                                        "1970-01-01Z",
                                        "1970-01-01T05:30:00+05:30",
                                        "1970-01-01T05:29:59+05:30",
                                        "1969-12-31",
                                        "9999-12-31T23:59:59Z",
                                        "9999-12-31T23:59:59-00:01",
                                        "10000-01-01",
                                        "1d",
                                        "2w",
                                        "0d",
                                        "99999d",
                                        "100000d",
                                        "99999w",
                                        "d",
                                        "1dd",
                                        "1 d",
                                        "-1d",
                                        "250ms",
                                        "2s",
                                        "3m",
                                        "2h",
                                        "1.5s",
                                        "0s",
                                        "9999999h",
                                        "1x",
                                        "",
                                        "now",
                                        "T10:20",
                                        "2026-05-04T23:59:60Z",
                                        "2026-05-31T23:59:60",
                                        "2026-05-04T24:00",
                                        "2026-05-04T10:60",
                                        "10:20"};
    static const char *const zones[] = {"UTC", "XYZ-5:30", "EST5EDT,M3.2.0,M11.1.0"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        fprintf(out, "%s:", texts[i]);
        for (size_t z = 0; z < COUNT(zones); z++) {
            struct instant at = {0};
            setenv("TZ", zones[z], 1);
            tzset();
            const char *wrong = times_read(texts[i], now, false, &at);
            if (wrong != NULL && z == 0)
                fprintf(out, " %s", wrong);
            else if (wrong == NULL)
                fprintf(out, " %" PRId64, at.us);
        }
        struct instant at = {0};
        const char *wrong = times_read(texts[i], now, true, &at);
        fprintf(out, " %" PRId64 "%s\n", at.us, wrong == NULL ? " in UTC" : "");
    }
    for (unsigned utc = 0; utc < 2; utc++) {
        const struct instant times[] = {
            {0}, {-1}, {.us = 1}, {.us = INT64_C(1772953200000000)}, now, {.us = now.us + 299000000}, INSTANT_NEVER};
        for (size_t i = 0; i < COUNT(times); i++) {
            const struct screen s = {.utc = utc != 0, .now = now};
            char text[2 * TIMES_TEXT_SIZE], at[TIMES_TEXT_SIZE];
            fprintf(out, "%" PRId64 ": %s; %s\n", times[i].us, times_write(&s, times[i], at),
                    times_write_until(&s, times[i], text));
        }
    }
}

/* ---- characters and columns ---- */

/* A code point as UTF-8, whether it may stand there or not. */
static size_t put_point(char *to, uint32_t c)
{
    if (c < 0x80)
        return (size_t)sprintf(to, "%c", (int)c);
    if (c < 0x800)
        return (size_t)sprintf(to, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
    if (c < 0x10000)
        return (size_t)sprintf(to, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)),
                               (int)(0x80 | (c & 0x3f)));
    return (size_t)sprintf(to, "%c%c%c%c", (int)(0xf0 | c >> 18), (int)(0x80 | (c >> 12 & 0x3f)),
                           (int)(0x80 | (c >> 6 & 0x3f)), (int)(0x80 | (c & 0x3f)));
}

static void put_clean(FILE *out, const char *name, const char *text)
{
    const struct screen utf8 = {.utf8 = true}, ascii = {.utf8 = false};
    char clean[64], plain[64];
    screen_clean(&utf8, text, clean, sizeof clean);
    screen_clean(&ascii, text, plain, sizeof plain);
    fprintf(out, "%s: %s (%u columns); %s\n", name, clean, screen_columns(&utf8, clean), plain);
}

static void put_characters(FILE *out)
{
    /* None whose width is another by the version of the C library. */
    static const uint32_t points[] = {
        0x20,   0x7e,   0x7f,    0x80,    0x9f,    0xa0,    0xa1,    0xac,     0xad,     0xae,    0x2ff,  0x300,
        0x301,  0x61b,  0x61c,   0x7fa,   0x800,   0x1100,  0x180d,  0x180e,   0x200a,   0x200b,  0x200c, 0x200e,
        0x200f, 0x2010, 0x2027,  0x2028,  0x2029,  0x202d,  0x202e,  0x202f,   0x205f,   0x2060,  0x2061, 0x206e,
        0x206f, 0x2070, 0x3042,  0xd7a3,  0xd800,  0xd801,  0xdffe,  0xdfff,   0xe000,   0xfeff,  0xfff9, 0xfffb,
        0xfffc, 0xfffd, 0x10000, 0x1f642, 0xe0000, 0xe0001, 0xe0fff, 0x10fffd, 0x10ffff, 0x110000};
    static const char *const broken[] = {"\x80",
                                         "\xbf",
                                         "\xc0\x80",
                                         "\xc1\xbf",
                                         "\xc2",
                                         "\xc2"
                                         "a",
                                         "\xdf\xba",
                                         "\xe0\x80\x80",
                                         "\xe0\x9f\xbf",
                                         "\xe0\xa0\x80",
                                         "\xe2\x82",
                                         "\xe2\x82"
                                         "a",
                                         "\xed\xa0\x80",
                                         "\xf0\x80\x80\x80",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xf0\x90\x80\x80",
                                         "\xf0\x9f\x99",
                                         "\xf0\x9f\x99"
                                         "a",
                                         "\xf4\x8f\xbf\xbd",
                                         "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80",
                                         "\xff",
                                         "\xfe",
                                         "\xc3\xc3\xa9",
                                         "a\xe2\x82z"};
    char text[8], name[32];
    for (size_t i = 0; i < COUNT(points); i++) {
        text[put_point(text, points[i])] = '\0';
        snprintf(name, sizeof name, "U+%04X", (unsigned)points[i]);
        put_clean(out, name, text);
    }
    for (unsigned c = 1; c < 0x20; c++) {
        snprintf(text, sizeof text, "%c", (int)c);
        snprintf(name, sizeof name, "U+%04X", c);
        put_clean(out, name, text);
    }
    for (size_t i = 0; i < COUNT(broken); i++) {
        size_t used = 0;
        for (const char *at = broken[i]; *at != '\0'; at++)
            used += (size_t)snprintf(name + used, sizeof name - used, "%02x ", (unsigned char)*at);
        put_clean(out, name, broken[i]);
    }
}

static const char *const texts[] = {"",
                                    "a",
                                    "one two three",
                                    "unbreakablewords",
                                    "one  two",
                                    " lead",
                                    "trail ",
                                    "\xc3\xa9t\xc3\xa9 \xc3\xa0",
                                    "\xe6\x97\xa5\xe6\x9c\xac go",
                                    "e\xcc\x81 e\xcc\x81",
                                    "abc def-ghi jkl mno pqr stu"};

static void put_columns(FILE *out)
{
    char *piece;
    size_t size;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct screen s = {.utf8 = true};
        fprintf(out, "[%s] takes %u\n", texts[i], screen_columns(&s, texts[i]));
        for (unsigned width = 0; width <= 16; width++) {
            size_t bytes = 0;
            const char *next = screen_break(&s, texts[i], width, &bytes);
            fprintf(out, "  %u: %zu, then at %zu", width, bytes, (size_t)(next - texts[i]));
            s.out = open_memstream(&piece, &size);
            screen_cell(&s, PAINT_GOOD, texts[i], width);
            fputs("|", s.out);
            s.width = width + 8;
            screen_rest(&s, PAINT_NONE, texts[i], 4);
            fclose(s.out);
            fprintf(out, " [%s]", piece);
            free(piece);
            size_t room = width + 8;
            char *to = malloc(room);
            fprintf(out, " %s\n", screen_clean(&s, texts[i], to, room));
            free(to);
        }
        for (unsigned indent = 0; indent <= 4; indent += 2) {
            s = (struct screen){.utf8 = true, .width = 14, .out = out};
            screen_wrap(&s, PAINT_WARN, texts[i], indent, indent / 2);
        }
    }
}

/* What a screen is that is written to a file, or to memory. */
static void put_screens(FILE *out)
{
    static const char *const columns[] = {"0", "79", "80", "81", "200", "201", "x", "-1"};
    char *text;
    size_t size;
    FILE *file = tmpfile(), *memory = open_memstream(&text, &size);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    for (size_t i = 0; i < COUNT(columns); i++)
        for (enum color color = COLOR_AUTO; color <= COLOR_NEVER; color++) {
            struct screen a, b;
            setenv("COLUMNS", columns[i], 1);
            screen_init(&a, file, color, true);
            screen_init(&b, memory, color, false);
            fprintf(out, "%s %d: %d %d %d %d %u; %d %d %d %d %u\n", columns[i], color, a.terminal, a.color, a.utf8,
                    a.utc, a.width, b.terminal, b.color, b.utf8, b.utc, b.width);
        }
    fclose(file);
    fclose(memory);
    free(text);
}

/* ---- words and questions ---- */

static void put_words(FILE *out)
{
    static const char *const words[] = {
        "", "a", "a b", "a'b", "''", "$x", "a-_./:@%+=,Z9", "*", "caf\xc3\xa9", "a\nb", "it's a long one, isn't it"};
    static const char *const questions[] = {"",
                                            "a",
                                            "a // b",
                                            "a\nb",
                                            " a\t b\r\n",
                                            "'a // b' // c",
                                            "\"a\n\" //x\ny",
                                            "'''a'b''' // c",
                                            "r'\\' // c",
                                            "'\\' // c'",
                                            "b'\\'//'",
                                            "rb'\\'//",
                                            "br'\\'//",
                                            "xr'\\'//",
                                            "r r'\\'//x",
                                            "`a'`//b",
                                            "rbb'\\'//",
                                            "(rr'\\'//x",
                                            "a / b",
                                            "'a",
                                            "\"\"\"a\\\"\"\"\"//b",
                                            "''//a",
                                            "'\\",
                                            "a//",
                                            "//\n//\n"};
    char to[64];
    for (size_t i = 0; i < COUNT(words); i++) {
        fprintf(out, "%s:", words[i]);
        for (size_t size = 64; size >= 8; size -= size > 16 ? 24 : 4)
            fprintf(out, " %s", screen_shell_word(words[i], to, size));
        fputc('\n', out);
    }
    for (size_t i = 0; i < COUNT(questions); i++) {
        fprintf(out, "<%s>:", questions[i]);
        for (size_t size = 64; size > 0; size = size > 6 ? 6 : size / 2)
            fprintf(out, " <%s>", question_on_a_line(questions[i], to, size));
        fputc('\n', out);
    }
    for (int i = -1; i < 19; i++)
        fprintf(out, "%d: %s %d %s %d %s %d %s; %s\n", i, words_saga_state((Saga__V1__SagaState)i),
                words_saga_paint((Saga__V1__SagaState)i), words_action((Saga__V1__ActionState)i),
                words_action_paint((Saga__V1__ActionState)i), words_compensation((Saga__V1__CompensationState)i),
                words_compensation_paint((Saga__V1__CompensationState)i), words_reason((Saga__V1__Reason)i),
                words_stuck((Saga__V1__Reason)i));
}

static void put_all(FILE *out)
{
    ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    put_spans(out);
    put_reads(out);
    put_characters(out);
    put_columns(out);
    put_screens(out);
    put_words(out);
}

START_TEST(texts__are_written_and_read_so)
{
    kept_text_compare("tests/fixtures/sagactl/texts.txt", put_all);
}
END_TEST

int main(int argc, char **argv)
{
    return kept_text_run(argc, argv, "sagactl_texts", texts__are_written_and_read_so);
}
