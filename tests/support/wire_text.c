#include "tests/support/wire_text.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define INNER_BYTES_MAX 4096

static size_t put_varint(uint8_t *to, uint64_t value)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        to[size++] = (uint8_t)(value | 0x80);
    to[size++] = (uint8_t)value;
    return size;
}

/* *text is moved behind the brace that ends the fields, or to the end. */
static size_t encoded(const char **text, uint8_t *to, size_t room)
{
    size_t size = 0;
    while (**text != '\0' && **text != '}') {
        char *end;
        unsigned long number = strtoul(*text, &end, 10);
        uint8_t inner[INNER_BYTES_MAX];
        if (*end != ':' || size + 20 > room)
            ck_abort_msg("%s", *text);
        *text = end + 1;
        if (**text == '\'' || **text == '{') {
            size_t length;
            if (*(*text)++ == '{') {
                length = encoded(text, inner, sizeof inner);
            } else {
                length = strcspn(*text, "'");
                if (length > sizeof inner)
                    ck_abort_msg("%zu bytes", length);
                memcpy(inner, *text, length);
                *text += length;
            }
            ++*text;
            if (size + 20 + length > room)
                ck_abort_msg("%zu bytes", length);
            size += put_varint(to + size, number << 3 | 2);
            size += put_varint(to + size, length);
            memcpy(to + size, inner, length);
            size += length;
        } else {
            size += put_varint(to + size, number << 3);
            size += put_varint(to + size, (uint64_t)strtoll(*text, &end, 10));
            *text = end;
        }
        while (isspace((unsigned char)**text))
            ++*text;
    }
    return size;
}

size_t wire_of_text(const char *text, uint8_t *to, size_t room)
{
    return encoded(&text, to, room);
}

size_t wire_text_part(const char *text)
{
    size_t at = strcspn(text, ":") + 1, depth = 0;
    if (text[at] == '\'')
        return at + 2 + strcspn(text + at + 1, "'");
    if (text[at] != '{')
        return at + strcspn(text + at, " }");
    do {
        if (text[at] == '\'')
            at += 1 + strcspn(text + at + 1, "'");
        depth += text[at] == '{';
        depth -= text[at] == '}';
        at++;
    } while (depth > 0);
    return at;
}
