/* datum.h - a value that an expression works with. What it points to lies in
 * the pool of its evaluation, in the message that it was read from, or in the
 * expression's own text; nothing is changed once made. Pure. */
#ifndef SAGA_EXPRESSION_DATUM_H
#define SAGA_EXPRESSION_DATUM_H

#include "sidecar/expression/type.h"
#include "sidecar/message/message.h"

enum datum_kind {
    DATUM_FAILURE, /* what went wrong instead */
    DATUM_NULL,
    DATUM_BOOL,
    DATUM_INT,
    DATUM_UINT,
    DATUM_DOUBLE,
    DATUM_STRING, /* valid UTF-8 */
    DATUM_BYTES,
    DATUM_LIST,
    DATUM_MAP,
    DATUM_MESSAGE, /* of no well-known type: those are values of the other kinds
                  */
    DATUM_TIMESTAMP,
    DATUM_DURATION,
    DATUM_TYPE,
    DATUM_OPTIONAL,
};

struct failure {
    struct bytes text; /* one sentence */
    uint32_t position; /* in the expression's text, bytes */
    bool fatal;        /* a bound was reached: no `||` passes over it */
};

struct datum_map;

struct datum {
    enum datum_kind kind;
    uint32_t size; /* bytes of a text, items of a list, entries of a map; of a
                    timestamp its nanoseconds */
    union {
        bool b;
        int64_t i; /* of a timestamp: seconds since 1970; of a duration: nanoseconds */
        uint64_t u;
        double d;
        const uint8_t *text;
        const struct datum *items;
        const struct datum_map *map;
        const struct message *message;
        const struct type *type;
        const struct datum *held; /* of an optional; NULL when it has no value */
        const struct failure *failure;
    };
};

/* Keys and values by turns, in the order in which they came; found through
 * slots when there are many. */
struct datum_map {
    const struct datum *entries;
    const uint32_t *slots; /* NULL when there are few; else 0, or one more than
                            the number of an entry */
    uint32_t slot_mask;
};

#define NANOS_PER_SECOND INT64_C(1000000000)

static inline struct datum datum_null(void)
{
    return (struct datum){.kind = DATUM_NULL};
}

static inline struct datum datum_bool(bool b)
{
    return (struct datum){.kind = DATUM_BOOL, .b = b};
}

static inline struct datum datum_int(int64_t i)
{
    return (struct datum){.kind = DATUM_INT, .i = i};
}

static inline struct datum datum_uint(uint64_t u)
{
    return (struct datum){.kind = DATUM_UINT, .u = u};
}

static inline struct datum datum_double(double d)
{
    return (struct datum){.kind = DATUM_DOUBLE, .d = d};
}

static inline struct datum datum_text(enum datum_kind kind, struct bytes text)
{
    return (struct datum){.kind = kind, .size = (uint32_t)text.size, .text = text.at};
}

static inline struct datum datum_string(struct bytes text)
{
    return datum_text(DATUM_STRING, text);
}

static inline struct datum datum_duration(int64_t nanoseconds)
{
    return (struct datum){.kind = DATUM_DURATION, .i = nanoseconds};
}

static inline struct datum datum_timestamp(int64_t seconds, uint32_t nanoseconds)
{
    return (struct datum){.kind = DATUM_TIMESTAMP, .size = nanoseconds, .i = seconds};
}

static inline struct datum datum_list(const struct datum *items, uint32_t count)
{
    return (struct datum){.kind = DATUM_LIST, .size = count, .items = items};
}

static inline struct datum datum_of_type(const struct type *type)
{
    return (struct datum){.kind = DATUM_TYPE, .type = type};
}

static inline struct bytes datum_bytes(const struct datum *d)
{
    return bytes_of(d->text, d->size);
}

static inline bool datum_failed(const struct datum *d)
{
    return d->kind == DATUM_FAILURE;
}

static inline bool datum_is_number(const struct datum *d)
{
    return d->kind >= DATUM_INT && d->kind <= DATUM_DOUBLE;
}

/* Orders two numbers of any kinds by their exact values: below, at or above
 * zero; 2 when one is not a number. */
int number_compare(const struct datum *a, const struct datum *b);

/* Orders two datums of one kind that has an order (or numbers of two), as
 * above; 3 when they have none. */
int datum_compare(const struct datum *a, const struct datum *b);

/* Where key is among the entries, from 0; -1 when it is not. Numbers are found
 * by their value. */
int64_t map_find(const struct datum *map, const struct datum *key);

/* What type() gives for it; in the pool when need be. NULL: no room. */
const struct type *datum_type(struct pool *p, const struct datum *d);

#endif
