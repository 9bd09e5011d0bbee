#include "sidecar/expression/datum.h"

static int order(bool below, bool above)
{
    return above - below;
}

/* As CEL's own evaluators do it, within the range of the whole numbers the double nearest to one is compared. */
static int compare_int_double(int64_t i, double d)
{
    if (d != d)
        return 2;
    return order((double)i<d, (double)i> d);
}

static int compare_uint_double(uint64_t u, double d)
{
    if (d != d)
        return 2;
    return order((double)u<d, (double)u> d);
}

static int turned(int order)
{
    return order == 2 ? 2 : -order;
}

int number_compare(const struct datum *a, const struct datum *b)
{
    if (a->kind == b->kind) {
        switch (a->kind) {
        case DATUM_INT:
            return order(a->i<b->i, a->i> b->i);
        case DATUM_UINT:
            return order(a->u<b->u, a->u> b->u);
        default:
            return a->d != a->d || b->d != b->d ? 2 : order(a->d<b->d, a->d> b->d);
        }
    }
    if (a->kind > b->kind)
        return turned(number_compare(b, a));
    if (b->kind == DATUM_DOUBLE)
        return a->kind == DATUM_INT ? compare_int_double(a->i, b->d) : compare_uint_double(a->u, b->d);
    return a->i < 0 ? -1 : order((uint64_t)a->i<b->u, (uint64_t)a->i> b->u);
}

static int compare_texts(struct bytes a, struct bytes b)
{
    size_t both = a.size < b.size ? a.size : b.size;
    int first = both == 0 ? 0 : memcmp(a.at, b.at, both);
    return first != 0 ? order(first<0, first> 0) : order(a.size<b.size, a.size> b.size);
}

int datum_compare(const struct datum *a, const struct datum *b)
{
    if (datum_is_number(a) && datum_is_number(b))
        return number_compare(a, b);
    if (a->kind != b->kind)
        return 3;
    switch (a->kind) {
    case DATUM_BOOL:
        return order(a->b<b->b, a->b> b->b);
    case DATUM_STRING:
    case DATUM_BYTES:
        return compare_texts(datum_bytes(a), datum_bytes(b));
    case DATUM_TIMESTAMP:
        return a->i != b->i ? order(a->i<b->i, a->i> b->i) : order(a->size<b->size, a->size> b->size);
    case DATUM_DURATION:
        return order(a->i<b->i, a->i> b->i);
    default:
        return 3;
    }
}

const struct type *datum_type(struct pool *p, const struct datum *d)
{
    switch (d->kind) {
    case DATUM_NULL:
        return &type_null;
    case DATUM_BOOL:
        return &type_bool;
    case DATUM_INT:
        return &type_int;
    case DATUM_UINT:
        return &type_uint;
    case DATUM_DOUBLE:
        return &type_double;
    case DATUM_STRING:
        return &type_string;
    case DATUM_BYTES:
        return &type_bytes;
    case DATUM_LIST:
        return &type_list_dyn;
    case DATUM_MAP:
        return &type_map_dyn;
    case DATUM_MESSAGE:
        return type_of_message(p, d->message->type);
    case DATUM_TIMESTAMP:
        return &type_timestamp;
    case DATUM_DURATION:
        return &type_duration;
    case DATUM_OPTIONAL:
        return &type_optional_dyn;
    default:
        return &type_type;
    }
}
