/* bytes.h - a view of bytes that somebody else owns. A view of nothing has size 0 and any pointer. */
#ifndef SAGA_BASE_BYTES_H
#define SAGA_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *at;
    size_t size;
};

static inline struct bytes bytes_of(const void *at, size_t size)
{
    return (struct bytes){.at = at, .size = size};
}

/* Views a NUL-terminated text without its NUL. NULL is the empty view. */
static inline struct bytes bytes_of_text(const char *text)
{
    return (struct bytes){.at = (const uint8_t *)text, .size = text == NULL ? 0 : strlen(text)};
}

static inline int bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

#endif
