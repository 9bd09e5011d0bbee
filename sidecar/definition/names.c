/* names.c - the form of names and of gRPC method names. */
#include "sidecar/definition/names.h"

#include "sidecar/definition/model.h"

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool definition_name_valid(struct bytes name, size_t max)
{
    if (name.size == 0 || name.size > max)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.at[i];
        if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return true;
}

/* The length of the protobuf identifier that text begins with; 0 when it begins with none. */
static size_t identifier_size(struct bytes text)
{
    if (text.size == 0 || (!is_letter(text.at[0]) && text.at[0] != '_'))
        return 0;
    size_t n = 1;
    while (n < text.size && (is_letter(text.at[n]) || is_digit(text.at[n]) || text.at[n] == '_'))
        n++;
    return n;
}

static struct bytes after(struct bytes text, size_t size)
{
    return bytes_of(text.at + size, text.size - size);
}

bool definition_method_valid(struct bytes method)
{
    if (method.size > METHOD_BYTES_MAX)
        return false;
    struct bytes rest = method;
    /* The service: identifiers with dots between them, after a slash. */
    uint8_t separator = '/';
    while (rest.size > 0 && rest.at[0] == separator) {
        rest = after(rest, 1);
        size_t size = identifier_size(rest);
        if (size == 0)
            return false;
        rest = after(rest, size);
        separator = '.';
    }
    if (rest.size == 0 || rest.at[0] != '/' || separator != '.')
        return false;
    rest = after(rest, 1);
    return rest.size > 0 && identifier_size(rest) == rest.size;
}
