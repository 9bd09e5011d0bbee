/* usage.c - goes over what a definition computes, and notes what it touches. */
#include "sidecar/contract/usage_inside.h"

#include "sidecar/expression/examine.h"
#include "sidecar/message/wire.h"

struct noting {
    struct usage *usage;
    bool requests; /* what a call is sent; else what expressions read */
    enum mapping_part part;
    unsigned step;
    const struct usage_place *place; /* of what is looked at */
};

static struct message_usage *find(const struct usage *u, const struct message_type *type)
{
    struct message_usage *m = u->messages;
    while (m != NULL && m->type != type)
        m = m->next;
    return m;
}

static struct message_usage *message(struct usage *u, const struct message_type *type)
{
    struct message_usage *m = find(u, type);
    if (m != NULL)
        return m;
    m = pool_take_zeroed(u->pool, 1, sizeof *m);
    const struct usage_place **fields = pool_take_zeroed(u->pool, type->field_count, sizeof *fields);
    if (m == NULL || fields == NULL) {
        u->full = true;
        return NULL;
    }
    *m = (struct message_usage){.type = type, .fields = fields, .next = u->messages};
    u->messages = m;
    return m;
}

static const struct usage_place *place_of(struct usage *u, enum mapping_part part, unsigned index)
{
    struct usage_place *place = pool_take(u->pool, sizeof *place);
    if (place == NULL)
        u->full = true;
    else
        *place = (struct usage_place){.part = part, .index = index};
    return place;
}

static void note_field(void *self, const struct field *f)
{
    const struct noting *n = self;
    struct message_usage *m = message(n->usage, f->owner);
    if (m != NULL && m->fields[f->index] == NULL)
        m->fields[f->index] = n->place;
}

static void note_whole(void *self, const struct message_type *type)
{
    const struct noting *n = self;
    struct message_usage *m = message(n->usage, type);
    if (m != NULL && m->whole == NULL)
        m->whole = n->place;
}

static void see(void *self, const struct mapping_seen *what)
{
    struct noting *n = self;
    if (n->requests && (what->part != n->part || what->index != n->step))
        return;
    n->place = place_of(n->usage, what->part, what->index);
    if (n->place == NULL)
        return;
    if (n->requests && what->field != NULL)
        note_field(n, what->field);
    if (what->expression == NULL)
        return;
    if (n->requests) {
        examine_value(what->expression, note_field, note_whole, n);
        return;
    }
    examine_reads(what->expression, note_field, n);
    examine_wholes(what->expression, note_whole, n);
}

/* ---- what is sent as it is ---- */

/* A constant: the fields that are in it. */
static void note_wire(struct noting *n, const struct message_type *type, struct bytes wire, unsigned depth)
{
    struct wire_field w;
    while (depth < SCHEMA_NESTING_MAX && wire.size > 0 && wire_next(&wire, &w) == 1) {
        const struct field *f = message_field_by_number(type, w.number);
        if (f == NULL)
            continue;
        note_field(n, f);
        if (f->kind == FIELD_MESSAGE && w.type == WIRE_BYTES)
            note_wire(n, f->message, w.body, depth + 1);
    }
}

/* The step whose answer a call hands on; -1: it hands on none. */
static int handed_on(unsigned step, const struct call_spec *call)
{
    return call->source == REQUEST_OUTPUT       ? (int)call->source_step
           : call->source == REQUEST_OWN_OUTPUT ? (int)step
                                                : -1;
}

static void note_handed_on(struct noting *n, const struct definition *d, unsigned step, bool compensation)
{
    const struct step_spec *s = &d->steps[step];
    const struct call_spec *call = compensation ? &s->compensation : &s->action;
    int from = handed_on(step, call);
    if (from < 0 || d->steps[from].action.called == NULL)
        return;
    n->place = place_of(n->usage, compensation ? MAPPING_COMPENSATION : MAPPING_ACTION, step);
    if (n->place != NULL)
        note_whole(n, d->steps[from].action.called->output);
}

void usage_of_answers(struct usage *u, const struct definition *d)
{
    struct noting n = {.usage = u};
    if (d->mapping != NULL)
        mapping_look(d->mapping, see, &n);
    for (unsigned i = 0; i < d->step_count; i++) {
        note_handed_on(&n, d, i, false);
        if (d->steps[i].has_compensation)
            note_handed_on(&n, d, i, true);
    }
}

void usage_of_request(struct usage *u, const struct definition *d, unsigned step, bool compensation)
{
    const struct step_spec *s = &d->steps[step];
    const struct call_spec *call = compensation ? &s->compensation : &s->action;
    struct noting n = {
        .usage = u, .requests = true, .part = compensation ? MAPPING_COMPENSATION : MAPPING_ACTION, .step = step};
    if (call->source == REQUEST_MAPPED) {
        if (d->mapping != NULL)
            mapping_look(d->mapping, see, &n);
        return;
    }
    n.place = place_of(u, n.part, step);
    if (n.place != NULL && call->source == REQUEST_CONSTANT)
        note_wire(&n, call->called->input, call->constant, 0);
    else if (n.place != NULL)
        note_whole(&n, call->called->input);
}

const struct usage_place *usage_find_whole(const struct usage *u, const struct message_type *type)
{
    const struct message_usage *m = find(u, type);
    return m == NULL ? NULL : m->whole;
}

const struct usage_place *usage_find(const struct usage *u, const struct field *f)
{
    const struct message_usage *m = find(u, f->owner);
    return m == NULL ? NULL : m->whole != NULL ? m->whole : m->fields[f->index];
}
