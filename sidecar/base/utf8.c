/* utf8.c - sequences of UTF-8 (https://www.rfc-editor.org/rfc/rfc3629, section 4). */
#include "sidecar/base/utf8.h"

#include <string.h>

size_t utf8_sequence_size(struct bytes text)
{
    if (text.size == 0)
        return 0;
    uint8_t first = text.at[0];
    if (first < 0x80)
        return 1;
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || size > text.size)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text.at[i] & 0xc0) != 0x80)
            return 0;
    uint8_t second = text.at[1];
    bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                 (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    return wrong ? 0 : size;
}

bool utf8_valid(struct bytes text)
{
    size_t i = 0;
    while (i < text.size) {
        if (text.at[i] < 0x80) {
            i++;
            continue;
        }
        size_t size = utf8_sequence_size(bytes_of(text.at + i, text.size - i));
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}

void utf8_append(char *buffer, size_t size, const char *text)
{
    size_t used = strlen(buffer);
    size_t length = strlen(text);
    if (used >= size - 1)
        return;
    if (length > size - 1 - used)
        for (length = size - 1 - used; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80; length--)
            ;
    memcpy(buffer + used, text, length);
    buffer[used + length] = '\0';
}

uint32_t utf8_decode(const uint8_t *at, size_t size)
{
    static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = at[0] & first_bits[size];
    for (size_t i = 1; i < size; i++)
        point = point << 6 | (at[i] & 0x3f);
    return point;
}

size_t utf8_encode(uint32_t point, uint8_t to[4])
{
    if (point < 0x80) {
        to[0] = (uint8_t)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, point >>= 6)
        to[i] = (uint8_t)(0x80 | (point & 0x3f));
    to[0] = (uint8_t)((0xf00 >> size & 0xff) | point);
    return size;
}
