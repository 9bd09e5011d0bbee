/* Base64 against a second reckoning, bit by bit: as JSON has it, of either alphabet and with padding or without, and as definitions have it, with all of its
 * padding, white space between, and one text for the same bytes alone. Valid texts have a few signs changed by chance. */
#include "sidecar/definition/reader.h"
#include "sidecar/message/base64.h"
#include "tests/support/by_chance.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 4000

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int bits_of(char c, bool urls)
{
    const char *at = c == '\0' ? NULL : strchr(letters, urls && c == '-' ? '+' : urls && c == '_' ? '/' : c);
    return at == NULL ? -1 : (int)(at - letters);
}

/* The bytes of letters without padding, bit by bit; *spare: the bits that are left over are zeros. */
static size_t decode(const char *text, size_t size, bool urls, uint8_t *to, bool *spare)
{
    size_t bits = 0;
    memset(to, 0, 64);
    for (size_t i = 0; i < size; i++)
        for (int k = 5; k >= 0; k--, bits++)
            to[bits / 8] |= (uint8_t)((bits_of(text[i], urls) >> k & 1) << (7 - bits % 8));
    *spare = bits % 8 == 0 || to[bits / 8] == 0;
    return bits / 8;
}

/* How many letters stand at the beginning, before the padding. */
static size_t letters_before(const char *text, size_t size, bool urls)
{
    size_t n = 0;
    while (n < size && bits_of(text[n], urls) >= 0)
        n++;
    return n;
}

static bool is_padding(const char *text, size_t size)
{
    size_t n = 0;
    while (n < size && text[n] == '=')
        n++;
    return n == size;
}

/* As JSON has it. */
static bool reckon(const char *text, size_t size, uint8_t *to, size_t *count)
{
    bool spare;
    size_t n = letters_before(text, size, true), pad = size - n;
    *count = decode(text, n, true, to, &spare);
    return n % 4 != 1 && is_padding(text + n, pad) && (pad == 0 || (pad <= 2 && size % 4 == 0 && n % 4 != 0));
}

/* As definitions have it. */
static bool reckon_strictly(const char *text, size_t size, uint8_t *to, size_t *count)
{
    char dense[SPOILT_SIZE];
    size_t used = 0;
    bool spare;
    for (size_t i = 0; i < size; i++)
        if (text[i] != ' ')
            dense[used++] = text[i];
    size_t n = letters_before(dense, used, false);
    *count = decode(dense, n, false, to, &spare);
    return used % 4 == 0 && used - n <= 2 && is_padding(dense + n, used - n) && spare;
}

static const char *const texts[] = {"",          "YQ==", "YWI=", "YWJj",         "/+8=", "-_8", "zZaA09+/",
                                    "YWJj YWI=", "AAAA", "AA==", "QUJDREVGRw==", "////", "eno", "Zm9vYmFy ZA=="};

static const struct definition *defined(const char *text, size_t size, struct definition **d)
{
    char whole[256];
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    snprintf(whole, sizeof whole,
             "name: n\nversion: 1.0.0\nsteps:\n  - {name: a, target: t, compensation: none, action: {method: /a.B/C, "
             "request: {constant_base64: '%.*s'}}}\n",
             (int)size, text);
    return definition_read(bytes_of_text(whole), &limits, d, &detail) == 0 ? *d : NULL;
}

START_TEST(base64__is_its_bits)
{
    by_chance_seed(64);
    unsigned read = 0, read_strictly = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[SPOILT_SIZE], copy[SPOILT_SIZE] = "";
        uint8_t to[SPOILT_SIZE], expected[SPOILT_SIZE], back[SPOILT_SIZE];
        size_t size = by_chance_spoilt(texts, sizeof texts / sizeof *texts, "=AZazQ09+/-_ @[`{:,.", text), count,
               wanted;
        memcpy(copy, text, size);
        bool is = reckon(text, size, expected, &wanted);
        ck_assert_msg(base64_read(bytes_of(text, size), to, &count) == is, "%s", copy);
        if (is) {
            ck_assert_msg(count == wanted && memcmp(to, expected, count) == 0, "%s", copy);
            base64_write(bytes_of(to, count), back);
            ck_assert_uint_eq(reckon((const char *)back, BASE64_TEXT_SIZE(count), expected, &wanted), true);
            ck_assert(wanted == count && memcmp(to, expected, count) == 0 && BASE64_TEXT_SIZE(count) % 4 == 0);
        }
        struct definition *d = NULL;
        is = reckon_strictly(text, size, expected, &wanted);
        ck_assert_msg((defined(text, size, &d) != NULL) == is, "%s", copy);
        if (is)
            ck_assert_msg(bytes_equal(d->steps[0].action.constant, bytes_of(expected, wanted)), "%s", copy);
        definition_destroy(d);
        read_strictly += is;
        read += base64_read(bytes_of(text, size), to, &count);
    }
    ck_assert(read > ROUNDS / 10 && read_strictly > ROUNDS / 10);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("base64_reckoning");
    Suite *s = suite_create("base64_reckoning");
    tcase_add_test(c, base64__is_its_bits);
    tcase_set_timeout(c, 30);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
