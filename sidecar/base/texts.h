/* texts.h - packed pairs of a name and a text, with a NUL behind either: tags, and metadata of calls. */
#ifndef SAGA_BASE_TEXTS_H
#define SAGA_BASE_TEXTS_H

#include "sidecar/base/bytes.h"

#include <stdbool.h>

/* Cuts the first pair off *packed; both views are C strings, too. False at the end, or where they are not whole. */
static inline bool texts_next(struct bytes *packed, struct bytes *name, struct bytes *text)
{
    struct bytes *const parts[] = {name, text};
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *end = packed->size == 0 ? NULL : (const uint8_t *)memchr(packed->at, 0, packed->size);
        if (end == NULL)
            return false;
        *parts[i] = bytes_of(packed->at, (size_t)(end - packed->at));
        *packed = bytes_of(end + 1, packed->size - parts[i]->size - 1);
    }
    return true;
}

/* Whether the pairs have this one. */
static inline bool texts_have(struct bytes packed, struct bytes name, struct bytes text)
{
    struct bytes n, t;
    while (texts_next(&packed, &n, &t))
        if (bytes_equal(n, name))
            return bytes_equal(t, text);
    return false;
}

static inline bool texts_have_all(struct bytes packed, struct bytes wanted)
{
    struct bytes name, text;
    while (texts_next(&wanted, &name, &text))
        if (!texts_have(packed, name, text))
            return false;
    return true;
}

/* Whether they have all of one of these sets, behind each of which stands a pair without a name. */
static inline bool texts_have_any(struct bytes packed, struct bytes sets)
{
    struct bytes name, text;
    bool has = true;
    while (texts_next(&sets, &name, &text)) {
        if (name.size == 0 && has)
            return true;
        has = name.size == 0 || (has && texts_have(packed, name, text));
    }
    return false;
}

#endif
