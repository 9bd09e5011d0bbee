/* base64.c - six bits a letter. */
#include "sidecar/message/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool base64_read(struct bytes text, uint8_t *to, size_t *size)
{
    size_t count = text.size, used = 0;
    while (count > 0 && text.size - count < 2 && text.at[count - 1] == '=')
        count--;
    if (count % 4 == 1 || (count != text.size && text.size % 4 != 0))
        return false;
    uint32_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        int value = value_of(text.at[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4 != 0)
            to[used++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    *size = used;
    return true;
}

void base64_write(struct bytes bytes, uint8_t *to)
{
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t bits = (uint32_t)bytes.at[i] << 16 | (left > 1 ? (uint32_t)bytes.at[i + 1] << 8 : 0) |
                        (left > 2 ? bytes.at[i + 2] : 0);
        *to++ = (uint8_t)letters[bits >> 18];
        *to++ = (uint8_t)letters[bits >> 12 & 63];
        *to++ = left > 1 ? (uint8_t)letters[bits >> 6 & 63] : '=';
        *to++ = left > 2 ? (uint8_t)letters[bits & 63] : '=';
    }
}
