/* mapping_look.c - shows a mapping, part by part. */
#include "sidecar/mapping/mapping_look.h"

#include "sidecar/mapping/mapping_inside.h"
#include "sidecar/message/wire.h"

struct looking {
    void (*seen)(void *self, const struct mapping_seen *what);
    void *self;
};

static void show_rule(const struct looking *l, struct mapping_seen what, const struct rule *r)
{
    what.expression = r->expression;
    what.text = r->text;
    l->seen(l->self, &what);
}

static void show_texts(const struct looking *l, struct mapping_seen what, const struct texts *t)
{
    for (unsigned i = 0; i < t->count; i++) {
        what.index = what.part == MAPPING_TAG ? i : what.index;
        if (t->list[i].computed)
            show_rule(l, what, &t->list[i].rule);
    }
}

/* Literals are fields on the wire already. */
static void show_constant(const struct looking *l, struct mapping_seen what, const struct message_type *type,
                          struct bytes wire)
{
    struct wire_field field;
    while (wire.size > 0 && wire_next(&wire, &field) == 1) {
        const struct field *f = message_field_by_number(type, field.number);
        if (f == NULL)
            continue;
        what.field = f;
        l->seen(l->self, &what);
        if (f->kind == FIELD_MESSAGE && field.type == WIRE_BYTES)
            show_constant(l, what, f->message, field.body);
    }
}

static void show_request(const struct looking *l, struct mapping_seen what, const struct request *r)
{
    const struct message_type *types[PIECES_DEPTH_MAX + 1] = {r->type};
    unsigned depth = 0;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct piece *p = &r->pieces[i];
        what.field = p->field;
        switch (p->kind) {
        case PIECE_CONSTANT:
            show_constant(l, what, types[depth], p->wire);
            break;
        case PIECE_OPEN:
            types[++depth] = p->field->message;
            l->seen(l->self, &what);
            break;
        case PIECE_CLOSE:
            depth--;
            break;
        case PIECE_EXPRESSION:
        case PIECE_WHOLE:
            show_rule(l, what, &p->rule);
            break;
        }
    }
}

void mapping_look(const struct mapping *m, void (*seen)(void *self, const struct mapping_seen *what), void *self)
{
    struct looking l = {.seen = seen, .self = self};
    for (unsigned i = 0; i < m->let_count; i++)
        show_rule(
            &l,
            (struct mapping_seen){.part = MAPPING_LET, .index = i, .name = m->variables[variable_of_let(m, i)].name},
            &m->lets[i]);
    for (unsigned i = 0; i < m->require_count; i++)
        show_rule(&l, (struct mapping_seen){.part = MAPPING_REQUIRE, .index = i}, &m->requires[i].rule);
    show_texts(&l, (struct mapping_seen){.part = MAPPING_TAG}, &m->tags);
    for (unsigned i = 0; i < m->step_count; i++) {
        const struct step_mapping *s = &m->steps[i];
        if (s->loop)
            show_rule(&l, (struct mapping_seen){.part = MAPPING_EACH, .index = i}, &s->each);
        if (s->has_when)
            show_rule(&l, (struct mapping_seen){.part = MAPPING_WHEN, .index = i}, &s->when);
        if (s->has_target)
            show_rule(&l, (struct mapping_seen){.part = MAPPING_TARGET, .index = i}, &s->target);
        if (s->has_key)
            show_rule(&l, (struct mapping_seen){.part = MAPPING_KEY, .index = i}, &s->key);
        for (unsigned k = 0; k < s->expect_count; k++)
            show_rule(&l, (struct mapping_seen){.part = MAPPING_EXPECT, .index = i}, &s->expects[k].rule);
        show_texts(&l, (struct mapping_seen){.part = MAPPING_METADATA, .index = i}, &s->metadata);
        show_request(&l, (struct mapping_seen){.part = MAPPING_ACTION, .index = i}, &s->action);
        show_request(&l, (struct mapping_seen){.part = MAPPING_COMPENSATION, .index = i}, &s->compensation);
    }
    show_request(&l, (struct mapping_seen){.part = MAPPING_OUTPUT}, &m->output);
}

unsigned mapping_input(void)
{
    return VARIABLE_INPUT;
}

unsigned mapping_own_output(void)
{
    return VARIABLE_ACTION_OUTPUT;
}

unsigned mapping_own_outcome(void)
{
    return VARIABLE_ACTION_OUTCOME;
}

unsigned mapping_step_output(unsigned step)
{
    return VARIABLE_STEPS + 2 * step;
}

unsigned mapping_step_outcome(unsigned step)
{
    return VARIABLE_STEPS + 2 * step + 1;
}

unsigned mapping_let(const struct mapping *m, unsigned let)
{
    return variable_of_let(m, let);
}

bool mapping_of_one_saga(const struct expression *e)
{
    return expression_uses(e, VARIABLE_ID) || expression_uses(e, VARIABLE_STARTED_AT);
}

bool mapping_has_when(const struct mapping *m, unsigned step)
{
    return m->steps[step].has_when;
}
