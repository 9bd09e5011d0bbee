/* saga_id.c - saga ids as text. */
#include "sidecar/base/saga_id.h"

#define TAG_DIGITS (SAGA_ID_TAG_BITS / 4)

static const char digits[] = "0123456789abcdef";

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool read_hex(const char *text, size_t size, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < size; i++) {
        int digit = digit_value(text[i]);
        if (digit < 0)
            return false;
        *value = *value << 4 | (uint64_t)digit;
    }
    return true;
}

size_t saga_id_format(struct saga_id id, char text[SAGA_ID_TEXT_SIZE])
{
    size_t n = 0;
    for (int shift = SAGA_ID_TAG_BITS - 4; shift >= 0; shift -= 4)
        text[n++] = digits[id.tag >> shift & 15];
    text[n++] = '-';
    for (int shift = (63 - __builtin_clzll(id.serial | 1)) & ~3; shift >= 0; shift -= 4)
        text[n++] = digits[id.serial >> shift & 15];
    text[n] = '\0';
    return n;
}

bool saga_id_parse(const char *text, size_t size, struct saga_id *id)
{
    struct saga_id parsed;
    if (size < TAG_DIGITS + 2 || size > TAG_DIGITS + 17 || text[TAG_DIGITS] != '-' || text[TAG_DIGITS + 1] == '0')
        return false;
    if (!read_hex(text, TAG_DIGITS, &parsed.tag) ||
        !read_hex(text + TAG_DIGITS + 1, size - TAG_DIGITS - 1, &parsed.serial))
        return false;
    *id = parsed;
    return true;
}
