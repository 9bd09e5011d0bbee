/* What == means: numbers by their value, whatever their kind; lists, maps and messages by what is in them; values of different kinds are different. */
#include "sidecar/expression/fields.h"
#include "sidecar/expression/run_inside.h"

struct comparison {
    struct evaluation *evaluation;
    uint32_t position;
    struct datum *failed;
};

static int equal(const struct comparison *c, const struct datum *a, const struct datum *b);

static int lists_equal(const struct comparison *c, const struct datum *a, const struct datum *b)
{
    int same = a->size == b->size;
    for (uint32_t i = 0; i < a->size && same == 1; i++)
        same = equal(c, &a->items[i], &b->items[i]);
    return same;
}

static int maps_equal(const struct comparison *c, const struct datum *a, const struct datum *b)
{
    int same = a->size == b->size;
    for (uint32_t i = 0; i < a->size && same == 1; i++) {
        int64_t at = map_find(b, &a->map->entries[2 * i]);
        same = at < 0 ? 0 : equal(c, &a->map->entries[2 * i + 1], &b->map->entries[2 * at + 1]);
    }
    return same;
}

static int fields_equal(const struct comparison *c, const struct message *a, const struct message *b,
                        const struct field *f)
{
    int in_a = field_is_set(c->evaluation, c->position, a, f, c->failed);
    int in_b = in_a < 0 ? -1 : field_is_set(c->evaluation, c->position, b, f, c->failed);
    if (in_a < 0 || in_b < 0)
        return -1;
    if (in_a != in_b || in_a == 0)
        return in_a == in_b;
    struct datum x = datum_of_field(c->evaluation, c->position, a, f);
    struct datum y = datum_failed(&x) ? x : datum_of_field(c->evaluation, c->position, b, f);
    if (!datum_failed(&y))
        return equal(c, &x, &y);
    /* What an Any holds and the schema does not know is compared byte by byte. */
    struct value v, w;
    bool any =
        f->kind == FIELD_MESSAGE && !f->repeated && f->message->well_known == WELL_KNOWN_ANY && !y.failure->fatal;
    if (any && message_get(a->wire, f, c->evaluation->pool, &v) == 1 &&
        message_get(b->wire, f, c->evaluation->pool, &w) == 1)
        return bytes_equal(v.text, w.text);
    *c->failed = y;
    return -1;
}

static int messages_equal(const struct comparison *c, const struct message *a, const struct message *b)
{
    int same = a->type == b->type;
    for (unsigned i = 0; i < a->type->field_count && same == 1; i++)
        if (a->type->fields[i].kind != FIELD_GROUP)
            same = fields_equal(c, a, b, &a->type->fields[i]);
    return same;
}

static int equal(const struct comparison *c, const struct datum *a, const struct datum *b)
{
    if (!charge(c->evaluation, 1)) {
        *c->failed = fail_memory(c->evaluation, c->position);
        return -1;
    }
    if (datum_is_number(a) && datum_is_number(b))
        return number_compare(a, b) == 0;
    if (a->kind != b->kind)
        return 0;
    switch (a->kind) {
    case DATUM_NULL:
        return 1;
    case DATUM_STRING:
    case DATUM_BYTES:
        charge(c->evaluation, cost_of_bytes(a->size));
        return bytes_equal(datum_bytes(a), datum_bytes(b));
    case DATUM_LIST:
        return lists_equal(c, a, b);
    case DATUM_MAP:
        return maps_equal(c, a, b);
    case DATUM_MESSAGE:
        return messages_equal(c, a->message, b->message);
    case DATUM_TYPE:
        return type_same_at_run(a->type, b->type);
    case DATUM_OPTIONAL:
        return a->held == NULL || b->held == NULL ? a->held == b->held : equal(c, a->held, b->held);
    default:
        return datum_compare(a, b) == 0;
    }
}

int datum_equal(struct evaluation *e, uint32_t position, const struct datum *a, const struct datum *b,
                struct datum *failed)
{
    struct comparison c = {.evaluation = e, .position = position, .failed = failed};
    return equal(&c, a, b);
}
