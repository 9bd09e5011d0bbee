/* typed.c - definitions that compute: some steps are needed by some sagas only, some expressions fail for some, requests are made of the input and of
 * outputs. What is computed hangs on the last digit of a saga's input, so that the oracle can tell it in other words. */
#include "tests/sim/sim.h"

#include "sidecar/base/check.h"
#include "sidecar/core/heap.h"
#include "sidecar/mapping/mapping_build.h"
#include "tests/support/shapes.h"

#include <stdarg.h>
#include <stdio.h>

/* One of ten sagas, or none. */
static char draw_digit(struct world *w, unsigned permille)
{
    return chance(w, SHAPES, permille) ? (char)('0' + draw(w, SHAPES, 10)) : '-';
}

__attribute__((format(printf, 2, 3))) static struct bytes text(char room[256], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int size = vsnprintf(room, 256, format, list);
    va_end(list);
    CHECK(size > 0 && size < 256);
    return bytes_of(room, (size_t)size);
}

static void put(int code)
{
    CHECK(code == 0);
}

/* The fields of a request: what its form says, and a number that cannot be computed for one digit. */
static void put_fields(struct mapping *m, const struct message_type *line, struct bytes sku, char fails)
{
    struct expression_error error;
    char room[256];
    put(mapping_add_expression(m, shapes_field(line, "sku"), false, sku, &error));
    if (fails != '-')
        put(mapping_add_expression(m, shapes_field(line, "quantity"), false,
                                   text(room, "10 / (input.sku.endsWith('%c') ? 0 : 2)", fails), &error));
}

static void make_action(struct mapping *m, const struct definition *d, const struct message_type *line, unsigned i,
                        const struct typed_step *t)
{
    struct expression_error error;
    char room[256];
    put(mapping_begin_request(m, (struct mapping_place){.step = (int)i}, line));
    if (t->form == TYPED_INPUT)
        put(mapping_add_whole(m, bytes_of_text("input"), &error));
    else if (t->form == TYPED_NAMED)
        put_fields(m, line,
                   t->loop ? text(room, "'%s[' + string(index) + ']:' + input.sku + item", d->steps[i].name)
                           : text(room, "'%s:' + %s", d->steps[i].name, t->softly ? "saga.tags.of" : "input.sku"),
                   t->fails);
    else if (d->steps[t->parent].loop)
        put_fields(m, line,
                   text(room, "string(size(steps.%s.output)) + steps.%s.outcome.join('/')", d->steps[t->parent].name,
                        d->steps[t->parent].name),
                   t->fails);
    else
        put_fields(m, line,
                   text(room, "has(steps.%s.output) ? steps.%s.output.sku : steps.%s.outcome", d->steps[t->parent].name,
                        d->steps[t->parent].name, d->steps[t->parent].name),
                   t->fails);
}

static void make_undo(struct mapping *m, const struct message_type *line, unsigned i, const struct typed_step *t)
{
    static const char *const forms[] = {"action.key", "has(action.output) ? action.output.sku : action.outcome",
                                        "action.request.sku"};
    put(mapping_begin_request(m, (struct mapping_place){.step = (int)i, .compensation = true}, line));
    put_fields(m, line, bytes_of_text(forms[t->undo_form]), t->undo_fails);
}

/* At most two of a definition: then its steps are no more than a model has room for. */
static void draw_loop(struct world *w, struct definition *d, unsigned i, struct typed_step *t)
{
    bool alone = !d->steps[i].has_fallback && d->steps[i].stand_in == STAND_IN_NONE;
    t->loop = alone && d->loop_count < 2 && chance(w, SHAPES, 250);
    t->none_for = d->pivot_step == (int)i ? '-' : draw_digit(w, 300);
    t->one_for = draw_digit(w, 300);
    if (!t->loop)
        return;
    d->loop_count++;
    d->steps[i].loop = true;
    d->steps[i].max_items = 2;
    d->steps[i].max_parallel = (uint16_t)(1 + draw(w, SHAPES, 2));
}

/* Where the step goes is a matter of the saga, for some. */
static void draw_targets(struct world *w, struct definition *d, unsigned i, struct typed_step *t)
{
    static struct call_choice choices[SIM_STEPS_MAX][2];
    static const char *const names[TARGET_COUNT] = {"t0", "t1", "t2", "t3"};
    t->chooses = step_spec_asks(&d->steps[i]) && chance(w, SHAPES, 300);
    t->second_for = draw_digit(w, 500);
    t->nowhere_for = draw_digit(w, 100);
    if (!t->chooses)
        return;
    unsigned first = (unsigned)(d->steps[i].action.target[1] - '0');
    for (unsigned k = 0; k < 2; k++) {
        choices[i][k] = (struct call_choice){.name = names[(first + k) % TARGET_COUNT]};
        choices[i][k].action.target = choices[i][k].compensation.target = choices[i][k].name;
    }
    d->steps[i].choices = choices[i];
    d->steps[i].choice_count = 2;
}

static void draw_step(struct world *w, struct definition *d, unsigned i, struct typed_step *t)
{
    bool pivot = d->pivot_step == (int)i;
    draw_loop(w, d, i, t);
    draw_targets(w, d, i, t);
    t->skipped_for = pivot || d->steps[i].stand_in != STAND_IN_NONE ? '-' : draw_digit(w, 300);
    t->fails = draw_digit(w, 150);
    t->undo_fails = draw_digit(w, 100);
    bool forward = pivot || definition_step_forward_only(d, i);
    bool asks = step_spec_asks(&d->steps[i]);
    if (d->steps[i].stand_in == STAND_IN_LAST_GOOD)
        t->fails = '-';
    t->softly = asks && chance(w, SHAPES, 300);
    t->other = forward || !asks || step_spec_yields(&d->steps[i]) ? '-' : draw_digit(w, 150);
    t->unclear = asks ? draw_digit(w, 100) : '-';
    t->form = (enum typed_form)draw(w, SHAPES, 3);
    t->undo_form = (unsigned)draw(w, SHAPES, 3);
    t->parent = i;
    for (unsigned j = 0; j < i; j++)
        if (step_set_has(&d->steps[i].after, j) && d->steps[j].stand_in == STAND_IN_NONE)
            t->parent = j;
    if (t->form == TYPED_PARENT && t->parent == i)
        t->form = TYPED_NAMED;
    if (t->form == TYPED_INPUT)
        t->fails = '-';
}

/* Its key is one of two, by the input, for some of them. */
static void make_key(struct world *w, struct mapping *m, struct definition *d, unsigned i, struct typed_step *t)
{
    struct step_spec *step = &d->steps[i];
    struct expression_error error;
    char room[256];
    unsigned own = i;
    if (step->kept_as != NULL)
        step->kept_as = "typed"; /* others answer other bytes */
    t->key_for = draw_digit(w, 700);
    if (t->key_for == '-')
        return;
    while (d->steps[own].stand_in != STAND_IN_NONE)
        own--;
    step->kept_key = NULL;
    put(mapping_set_key(m, own, text(room, "'k' + string(input.sku.endsWith('%c') ? 1 : 0)", t->key_for), &error));
}

static void make_expectations(struct mapping *m, unsigned i, const struct typed_step *t)
{
    struct expression_error error;
    char room[256];
    if (t->softly)
        put(mapping_add_expect(m, i, bytes_of_text("action.output.sku != 'no'"), bytes_of_text("it says no"), false,
                               &error));
    if (t->other != '-')
        put(mapping_add_expect(m, i, text(room, "!input.sku.endsWith('%c') || action.output.sku == ''", t->other),
                               bytes_of_text("not for this one"), true, &error));
    if (t->unclear != '-')
        put(mapping_add_expect(m, i, text(room, "10 / (input.sku.endsWith('%c') ? 0 : 2) == 5", t->unclear),
                               bytes_of_text("never said"), false, &error));
}

void typed_make(struct world *w, unsigned number, struct definition *d)
{
    struct typed_definition *t = &w->typed[number];
    const char *hash;
    const struct schema *schema = shapes_schemas().find(NULL, "shapes", &hash);
    const struct message_type *line = shapes_type(schema, "Line");
    struct expression_error error;
    struct mapping *m;
    char room[256];
    put(mapping_create(d, schema, line, &heap, &m));
    t->typed = true;
    t->refused = draw_digit(w, 500);
    put(mapping_add_require(m, text(room, "!input.sku.endsWith('%c')", t->refused), bytes_of_text("not this one"),
                            &error));
    for (unsigned i = 0; i < d->step_count; i++)
        put(mapping_set_output(m, i, line, line));
    for (unsigned i = 0; i < d->step_count; i++) {
        draw_step(w, d, i, &t->steps[i]);
        if (t->steps[i].loop)
            put(mapping_set_loop(m, i, 2,
                                 text(room,
                                      "['x', 'y'].filter(i, !input.sku.endsWith('%c') && (i == 'x' || "
                                      "!input.sku.endsWith('%c')))",
                                      t->steps[i].none_for, t->steps[i].one_for),
                                 &error));
    }
    for (unsigned i = 0; i < d->step_count; i++) {
        struct typed_step *s = &t->steps[i];
        if (d->steps[i].stand_in == STAND_IN_NONE)
            put(mapping_set_when(m, i, text(room, "!input.sku.endsWith('%c')", s->skipped_for), &error));
        if (s->chooses)
            put(mapping_set_target(
                m, i,
                text(room, "input.sku.endsWith('%c') ? 'nobody' : input.sku.endsWith('%c') ? '%s' : '%s'",
                     s->nowhere_for, s->second_for, d->steps[i].choices[1].name, d->steps[i].choices[0].name),
                &error));
        if (d->steps[i].stand_in == STAND_IN_LAST_GOOD)
            make_key(w, m, d, i, s);
        else
            make_action(m, d, line, i, s);
        make_expectations(m, i, s);
        if (step_spec_asks(&d->steps[i]))
            make_undo(m, line, i, s);
        if (s->softly)
            put(mapping_add_metadata(m, i, bytes_of_text("of"), bytes_of_text("input.sku + '!'"), true, &error));
        d->steps[i].action.source = d->steps[i].compensation.source = REQUEST_MAPPED;
    }
    put(mapping_add_tag(m, bytes_of_text("of"), bytes_of_text("input.sku"), true, &error));
    put(mapping_add_tag(m, bytes_of_text("kind"), bytes_of_text("typed"), false, &error));
    if (chance(w, SHAPES, 500)) {
        put(mapping_begin_output(m, line));
        put(mapping_add_whole(
            m,
            d->steps[0].loop || d->steps[0].deferred
                ? bytes_of_text("input")
                : text(room, "has(steps.%s.output) ? steps.%s.output : input", d->steps[0].name, d->steps[0].name),
            &error));
    }
    d->mapping = m;
    d->output = mapping_output_type(m);
    d->tagged = true;
}

void typed_make_scripted(struct world *w, struct definition *d, enum shape shape)
{
    struct typed_definition *t = &w->typed[0];
    const char *hash;
    const struct schema *schema = shapes_schemas().find(NULL, "shapes", &hash);
    const struct message_type *line = shapes_type(schema, "Line");
    struct expression_error error;
    struct mapping *m;
    put(mapping_create(d, schema, line, &heap, &m));
    *t = (struct typed_definition){.typed = true, .refused = '-'};
    for (unsigned i = 0; i < d->step_count; i++)
        put(mapping_set_output(m, i, line, line));
    for (unsigned i = 0; i < d->step_count; i++) {
        struct typed_step *s = &t->steps[i];
        *s = (struct typed_step){.skipped_for = '-',
                                 .fails = '-',
                                 .undo_fails = '-',
                                 .other = '-',
                                 .unclear = '-',
                                 .none_for = '-',
                                 .one_for = '-',
                                 .form = TYPED_NAMED};
        if (i == 0 && (shape == SHAPE_LOOP || shape == SHAPE_PIVOTS)) {
            s->loop = d->steps[i].loop = true;
            d->steps[i].max_items = d->steps[i].max_parallel = 2;
            d->loop_count = 1;
            put(mapping_set_loop(m, i, 2, bytes_of_text("['x', 'y']"), &error));
        }
        if (i == 1 && shape == SHAPE_SKIPPED) {
            s->skipped_for = '0'; /* for all of them: there is one client */
            put(mapping_set_when(m, i, bytes_of_text("!input.sku.endsWith('0')"), &error));
        }
        make_action(m, d, line, i, s);
        make_undo(m, line, i, s);
        d->steps[i].action.source = d->steps[i].compensation.source = REQUEST_MAPPED;
    }
    d->mapping = m;
}

/* ---- what the oracle and the others know of it ---- */

static const struct typed_definition *definition_of(const struct world *w, const struct definition *d)
{
    return d == NULL || d->mapping == NULL ? NULL : &w->typed[d->number - 1];
}

static char digit_of(const struct client *c)
{
    return c->input[strlen(c->input) - 1];
}

struct bytes typed_payload(const struct world *w, const struct definition *d, struct bytes plain)
{
    if (definition_of(w, d) == NULL || plain.size > 120)
        return plain;
    return shapes_line(plain, world_take((struct world *)(uintptr_t)w, plain.size + 2));
}

bool typed_refuses(const struct world *w, const struct client *c)
{
    const struct typed_definition *t = c->enlisted ? NULL : definition_of(w, w->definitions[c->definition - 1]);
    return t != NULL && t->refused == digit_of(c);
}

unsigned typed_instances(const struct world *w, const struct definition *d, const struct client *c, unsigned spec)
{
    const struct typed_definition *t = definition_of(w, d);
    if (t == NULL || !t->steps[spec].loop)
        return 1;
    char digit = digit_of(c);
    return t->steps[spec].none_for == digit ? 0 : t->steps[spec].one_for == digit ? 1 : 2;
}

int typed_target(const struct world *w, const struct definition *d, const struct client *c, unsigned spec)
{
    CHECK(d != NULL);
    const struct typed_definition *t = definition_of(w, d);
    int first = d->steps[spec].action.target[1] - '0';
    bool second = t != NULL && t->steps[spec].chooses && t->steps[spec].second_for == digit_of(c);
    return second ? (first + 1) % TARGET_COUNT : first;
}

bool typed_skips(const struct world *w, const struct model *m, unsigned step)
{
    const struct typed_definition *t = definition_of(w, m->definition);
    return t != NULL && t->steps[m->steps[step].spec].skipped_for == digit_of(m->client);
}

bool typed_fails(const struct world *w, const struct model *m, unsigned step, bool undo)
{
    const struct typed_definition *t = definition_of(w, m->definition);
    if (t == NULL)
        return false;
    const struct typed_step *s = &t->steps[m->steps[step].spec];
    bool of_action = s->fails == digit_of(m->client);
    if (!undo && s->chooses && s->nowhere_for == digit_of(m->client))
        return true;
    return undo ? s->undo_fails == digit_of(m->client) || (s->undo_form == 2 && of_action) : of_action;
}

enum typed_expectation typed_expects(const struct world *w, const struct model *m, unsigned step)
{
    const struct typed_definition *t = definition_of(w, m->definition);
    if (t == NULL)
        return EXPECTS_THIS;
    char digit = digit_of(m->client);
    return t->steps[m->steps[step].spec].other == digit     ? EXPECTS_OTHER
           : t->steps[m->steps[step].spec].unclear == digit ? EXPECTS_UNCLEAR
                                                            : EXPECTS_THIS;
}

const struct bytes typed_refusal = {.at = (const uint8_t *)"\x0a\x02no", .size = 4};

bool typed_refuses_softly(const struct world *w, const struct model *m, unsigned step)
{
    const struct typed_definition *t = definition_of(w, m->definition);
    return t != NULL && t->steps[m->steps[step].spec].softly;
}

bool typed_is_refusal(const struct world *w, const struct model *m, struct bytes output)
{
    return definition_of(w, m->definition) != NULL && bytes_equal(output, typed_refusal);
}

static size_t output_text(const struct model *m, unsigned step, char room[256])
{
    char id[SAGA_ID_TEXT_SIZE];
    const struct model_step *s = &m->steps[step];
    saga_id_format(m->id, id);
    if (s->generation > 0)
        return (size_t)snprintf(room, 256, "out:%s/%s/action#%u", id, s->name, s->generation + 1u);
    return (size_t)snprintf(room, 256, "out:%s/%s/action", id, s->name);
}

static size_t action_text(const struct world *w, const struct model *m, unsigned step, const struct typed_step *t,
                          char room[256]);

/* What a step gave, or what stands in for it did; 0: nothing. */
static size_t given_text(const struct world *w, const struct model *m, unsigned step, char room[256])
{
    int from = oracle_gives(m, step);
    if (from < 0)
        return 0;
    if (oracle_spec(m, (unsigned)from)->stand_in == STAND_IN_LAST_GOOD)
        return (size_t)snprintf(room, 256, "%s", m->steps[from].recalled);
    if (step_spec_asks(oracle_spec(m, (unsigned)from)))
        return output_text(m, (unsigned)from, room);
    return action_text(w, m, (unsigned)from, &definition_of(w, m->definition)->steps[m->steps[from].spec], room);
}

static const char *outcome_text(uint8_t action)
{
    return action == SAGA_ACTION_DONE       ? "done"
           : action == SAGA_ACTION_SKIPPED  ? "skipped"
           : action == SAGA_ACTION_REJECTED ? "rejected"
                                            : "unknown";
}

static size_t action_text(const struct world *w, const struct model *m, unsigned step, const struct typed_step *t,
                          char room[256])
{
    if (t->form == TYPED_INPUT)
        return (size_t)snprintf(room, 256, "%s", m->client->input);
    if (t->form == TYPED_NAMED)
        return (size_t)snprintf(room, 256, "%s:%s%s", m->steps[step].name, m->client->input,
                                !t->loop                       ? ""
                                : m->steps[step].instance == 0 ? "x"
                                                               : "y");
    char joined[128] = "";
    unsigned done = 0;
    for (unsigned i = 0; i < m->step_count; i++) {
        if (m->steps[i].spec != t->parent)
            continue;
        bool itself = oracle_stood_in_for(m, step) == (int)i; /* which it does not see in its own place */
        size_t given = m->definition->steps[t->parent].loop || itself ? 0 : given_text(w, m, i, room);
        if (!m->definition->steps[t->parent].loop)
            return given > 0 ? given : (size_t)snprintf(room, 256, "%s", outcome_text(m->steps[i].action));
        done += m->steps[i].action == SAGA_ACTION_DONE;
        size_t used = strlen(joined);
        snprintf(joined + used, sizeof joined - used, "%s%s", used > 0 ? "/" : "", outcome_text(m->steps[i].action));
    }
    return (size_t)snprintf(room, 256, "%u%s", done, joined);
}

static size_t undo_text(const struct world *w, const struct model *m, unsigned step, const struct typed_step *t,
                        char room[256])
{
    bool done = m->steps[step].action == SAGA_ACTION_DONE;
    if (t->undo_form == 2)
        return action_text(w, m, step, t, room);
    if (t->undo_form == 1 && !done)
        return (size_t)snprintf(room, 256, "unknown");
    size_t size = output_text(m, step, room);
    if (t->undo_form == 1)
        return size;
    memmove(room, room + 4, size - 4); /* the key alone */
    return size - 4;
}

bool typed_wants(const struct world *w, const struct model *m, unsigned step, bool undo, struct bytes request)
{
    const struct typed_step *t = &definition_of(w, m->definition)->steps[m->steps[step].spec];
    char room[256];
    uint8_t wanted[264];
    size_t size = undo ? undo_text(w, m, step, t, room) : action_text(w, m, step, t, room);
    struct bytes line = shapes_line(bytes_of(room, size), wanted);
    if ((undo ? t->undo_fails : t->fails) != '-') {
        wanted[line.size++] = 2 << 3; /* quantity */
        wanted[line.size++] = 5;
    }
    return bytes_equal(request, line);
}

bool typed_has_tags(const struct world *w, const struct definition *d, const struct client *c, struct bytes tags)
{
    char wanted[64];
    if (d != NULL && !d->tagged)
        return tags.size == 0;
    int size = snprintf(wanted, sizeof wanted, "of%c%s%ckind%ctyped%c", 0, c->input, 0, 0, 0);
    return bytes_equal(tags, definition_of(w, d) == NULL ? bytes_of(NULL, 0) : bytes_of(wanted, (size_t)size));
}

const char *typed_key_of(const struct world *w, const struct model *m, unsigned step)
{
    const struct typed_definition *t = definition_of(w, m->definition);
    const struct step_spec *spec = oracle_spec(m, step);
    if (t == NULL || t->steps[m->steps[step].spec].key_for == '-')
        return spec->kept_key;
    return t->steps[m->steps[step].spec].key_for == digit_of(m->client) ? "k1" : "k0";
}

bool typed_has_metadata(const struct world *w, const struct model *m, unsigned step, struct bytes metadata)
{
    const struct typed_definition *t = definition_of(w, m->definition);
    char wanted[64];
    if (t == NULL || !t->steps[m->steps[step].spec].softly)
        return metadata.size == 0;
    int size = snprintf(wanted, sizeof wanted, "of%c%s!%c", 0, m->client->input, 0);
    return bytes_equal(metadata, bytes_of(wanted, (size_t)size));
}

bool typed_has_output(const struct world *w, const struct model *m, struct bytes output)
{
    char room[256];
    uint8_t wanted[264];
    if (definition_of(w, m->definition) == NULL || m->definition->output == NULL)
        return output.size == 0;
    int from = m->definition->steps[0].loop || m->definition->steps[0].deferred ? -1 : oracle_gives(m, 0);
    if (from > 0 && oracle_spec(m, (unsigned)from)->stand_in == STAND_IN_LAST_GOOD)
        return bytes_equal(output, shapes_line(bytes_of_text(m->steps[from].recalled), wanted));
    if (from > 0 && !step_spec_asks(oracle_spec(m, (unsigned)from)))
        return typed_wants(w, m, (unsigned)from, false, output);
    size_t size =
        from >= 0 ? output_text(m, (unsigned)from, room) : (size_t)snprintf(room, sizeof room, "%s", m->client->input);
    return bytes_equal(output, shapes_line(bytes_of(room, size), wanted));
}
