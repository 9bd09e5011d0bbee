/* compare.c - two states of a type, field by field (https://protobuf.dev/programming-guides/proto3/#updating). */
#include "sidecar/contract/contract_inside.h"

#include <stdio.h>

/* Types that have been compared, in this direction, with so much of them used. */
struct compared {
    const struct message_type *was, *now;
    bool all;
    struct compared *next;
};

/* ---- kinds ---- */

/* How a kind stands on the wire, and how many bits a value has there. */
struct shape {
    char form; /* kinds of one form are read as one another; those of no other kind's have their own */
    int bits;
};

static struct shape shape_of(enum field_kind kind)
{
    switch (kind) {
    case FIELD_BOOL:
        return (struct shape){'v', 1};
    case FIELD_INT32:
    case FIELD_UINT32:
    case FIELD_ENUM:
        return (struct shape){'v', 32};
    case FIELD_INT64:
    case FIELD_UINT64:
        return (struct shape){'v', 64};
    case FIELD_SINT32:
        return (struct shape){'z', 32};
    case FIELD_SINT64:
        return (struct shape){'z', 64};
    case FIELD_FIXED32:
    case FIELD_SFIXED32:
        return (struct shape){'4', 32};
    case FIELD_FIXED64:
    case FIELD_SFIXED64:
        return (struct shape){'8', 64};
    case FIELD_FLOAT:
        return (struct shape){'f', 32};
    case FIELD_DOUBLE:
        return (struct shape){'d', 64};
    case FIELD_STRING:
    case FIELD_BYTES:
        return (struct shape){'s', 0};
    case FIELD_MESSAGE:
        return (struct shape){'m', 0};
    case FIELD_GROUP:
        break;
    }
    return (struct shape){'g', 0};
}

static bool is_signed(enum field_kind kind)
{
    return kind != FIELD_UINT32 && kind != FIELD_UINT64 && kind != FIELD_FIXED32 && kind != FIELD_FIXED64;
}

/* What a reader makes of what a writer of another kind wrote: 2 all of it, 1 all but some values, 0 nothing sensible. */
static int reads(enum field_kind reader, enum field_kind writer)
{
    struct shape to = shape_of(reader), from = shape_of(writer);
    if (reader == writer)
        return 2;
    if (to.form != from.form)
        return 0;
    if (to.form == 's') /* text is bytes, but bytes need not be text */
        return reader == FIELD_BYTES ? 2 : 0;
    if (from.bits == 1)
        return 2;
    if (is_signed(reader) == is_signed(writer))
        return to.bits >= from.bits ? 2 : 1;
    return is_signed(reader) && to.bits > from.bits ? 2 : 1; /* nothing without a sign holds what is below zero */
}

/* ---- one field ---- */

static const char *text_of(struct bytes name)
{
    return (const char *)name.at;
}

/* Behind what is wrong: who uses it. */
struct why {
    char text[128];
};

static struct why why_of(const struct comparison *c, const struct usage_place *used)
{
    struct why w = {.text = "; it is not used here"};
    char place[112];
    if (used == NULL)
        return w;
    contract_place(c->check->d, used, place, sizeof place);
    snprintf(w.text, sizeof w.text, "; %s %s it", place, c->request ? "sets" : "reads");
    return w;
}

static void gone(struct comparison *c, const struct field *was, const struct message_type *now,
                 const struct usage_place *used)
{
    const struct field *moved = message_field_by_name(now, was->name);
    if (moved != NULL)
        contract_found(c, CONTRACT_FIELD_RENUMBERED, used != NULL, "%s.%s was number %u and is %u now%s",
                       text_of(was->owner->name), text_of(was->name), (unsigned)was->number, (unsigned)moved->number,
                       why_of(c, used).text);
    else if (used != NULL)
        contract_found(c, CONTRACT_FIELD_REMOVED, true, "%s.%s (%u) is gone%s", text_of(was->owner->name),
                       text_of(was->name), (unsigned)was->number, why_of(c, used).text);
    else if (!message_reserves(now, was->number))
        contract_found(c, CONTRACT_FIELD_REMOVED, false,
                       "%s.%s (%u) is gone, and its number may be used again: reserve it%s", text_of(was->owner->name),
                       text_of(was->name), (unsigned)was->number, why_of(c, used).text);
}

static void compare_kind(struct comparison *c, const struct field *was, const struct field *now,
                         const struct usage_place *used)
{
    int read = c->request ? reads(now->kind, was->kind) : reads(was->kind, now->kind);
    if (read < 2)
        contract_found(c, CONTRACT_FIELD_TYPE, read == 0 && used != NULL, "%s.%s (%u) was %s and is %s now%s%s",
                       text_of(was->owner->name), text_of(was->name), (unsigned)was->number, field_kind_name(was->kind),
                       field_kind_name(now->kind), read == 1 ? ", which does not hold all values" : "",
                       why_of(c, used).text);
}

/* A oneof that only has another name is the same: all that were in it are together in the other one. */
static bool same_oneof(const struct field *was, const struct field *now)
{
    if (was->oneof < 0 || now->oneof < 0)
        return was->oneof < 0 && now->oneof < 0;
    if (bytes_equal(was->owner->oneofs[was->oneof], now->owner->oneofs[now->oneof]))
        return true;
    for (unsigned i = 0; i < was->owner->field_count; i++) {
        const struct field *f = &was->owner->fields[i];
        const struct field *same = f->oneof == was->oneof ? message_field_by_number(now->owner, f->number) : now;
        if (same == NULL || same->oneof != now->oneof)
            return false;
    }
    return true;
}

static void compare_enum(struct comparison *c, const struct field *was, const struct field *now,
                         const struct usage_place *used)
{
    const struct enum_type *e = was->enumeration, *after = now->enumeration;
    for (unsigned i = 0; i < e->value_count && e != after; i++)
        if (enum_value_by_number(after, e->values[i].number) == NULL)
            contract_found(c, CONTRACT_ENUM_VALUE_REMOVED, !enum_reserves(after, e->values[i].number),
                           "%s.%s (%d), of %s.%s, is gone%s%s", text_of(e->name), text_of(e->values[i].name),
                           (int)e->values[i].number, text_of(was->owner->name), text_of(was->name),
                           enum_reserves(after, e->values[i].number) ? " and reserved" : "", why_of(c, used).text);
}

static const char *cardinality(const struct field *f)
{
    return f->map ? "a map" : f->repeated ? "a list" : "a single value";
}

static void compare_messages(struct comparison *c, const struct message_type *was, const struct message_type *now,
                             const struct usage_place *each, const struct usage_place *all);

static void compare_field(struct comparison *c, const struct field *was, const struct field *now,
                          const struct usage_place *used, const struct usage_place *all)
{
    /* The number is another field's, and what had it has another one. */
    if (!bytes_equal(was->name, now->name) && message_field_by_name(now->owner, was->name) != NULL) {
        contract_found(c, CONTRACT_FIELD_RENUMBERED, used != NULL, "%s.%s was number %u, which is %s now%s",
                       text_of(was->owner->name), text_of(was->name), (unsigned)was->number, text_of(now->name),
                       why_of(c, used).text);
        return;
    }
    if (!bytes_equal(was->name, now->name))
        contract_found(c, CONTRACT_FIELD_RENAMED, false, "%s.%s (%u) is called %s now%s", text_of(was->owner->name),
                       text_of(was->name), (unsigned)was->number, text_of(now->name), why_of(c, used).text);
    compare_kind(c, was, now, used);
    if (was->repeated != now->repeated)
        contract_found(c, CONTRACT_FIELD_CARDINALITY, used != NULL, "%s.%s (%u) was %s and is %s now%s",
                       text_of(was->owner->name), text_of(was->name), (unsigned)was->number, cardinality(was),
                       cardinality(now), why_of(c, used).text);
    if (!same_oneof(was, now))
        contract_found(c, CONTRACT_FIELD_ONEOF, used != NULL, "%s.%s (%u) %s%s", text_of(was->owner->name),
                       text_of(was->name), (unsigned)was->number,
                       now->oneof < 0    ? "is in no oneof any more"
                       : was->oneof >= 0 ? "is in another oneof now"
                                         : "is in a oneof now",
                       why_of(c, used).text);
    if (used == NULL)
        return;
    if (was->kind == FIELD_ENUM && now->kind == FIELD_ENUM)
        compare_enum(c, was, now, used);
    if (was->kind == FIELD_MESSAGE && now->kind == FIELD_MESSAGE) {
        const struct usage_place *whole = all != NULL ? all : usage_find_whole(c->usage, was->message);
        /* Every entry of a map has a key and a value; what is used of the value is another matter. */
        compare_messages(c, was->message, now->message, was->map ? used : whole, whole);
    }
}

/* ---- a message ---- */

/* Whether it is the first time, also for types that hold one another. */
static bool is_new(struct comparison *c, const struct message_type *was, const struct message_type *now, bool all)
{
    for (const struct compared *d = c->compared; d != NULL; d = d->next)
        if (d->was == was && d->now == now && (d->all || !all))
            return false;
    struct compared *d = pool_take(c->pool, sizeof *d);
    if (d == NULL) {
        c->full = true;
        return false;
    }
    *d = (struct compared){.was = was, .now = now, .all = all, .next = c->compared};
    c->compared = d;
    return true;
}

/* What the participant wants to have, and is not sent. */
static void compare_required(struct comparison *c, const struct message_type *was, const struct message_type *now,
                             const struct usage_place *each)
{
    for (unsigned i = 0; i < now->field_count; i++) {
        const struct field *f = &now->fields[i], *before = message_field_by_number(was, f->number);
        bool is_set = before != NULL && (each != NULL || usage_find(c->usage, before) != NULL);
        if (f->required && (before == NULL || (!before->required && !is_set)))
            contract_found(c, CONTRACT_FIELD_REQUIRED, true, "%s.%s (%u) is required now, and nothing sets it",
                           text_of(now->name), text_of(f->name), (unsigned)f->number);
    }
}

/* each: every field is used; all: and so is all that is within them. NULL: not for this alone. */
static void compare_messages(struct comparison *c, const struct message_type *was, const struct message_type *now,
                             const struct usage_place *each, const struct usage_place *all)
{
    if (!is_new(c, was, now, all != NULL))
        return;
    for (unsigned i = 0; i < was->field_count; i++) {
        const struct field *f = &was->fields[i], *next = message_field_by_number(now, f->number);
        const struct usage_place *used = each != NULL ? each : usage_find(c->usage, f);
        if (next == NULL)
            gone(c, f, now, used);
        else
            compare_field(c, f, next, used, all);
    }
    if (c->request)
        compare_required(c, was, now, each);
}

void contract_compare(struct comparison *c, const struct message_type *was, const struct message_type *now,
                      const struct usage_place *all)
{
    compare_messages(c, was, now, all, all);
}
