#include "sidecar/mapping/mapping_build.h"

#include "sidecar/base/check.h"
#include "sidecar/expression/examine.h"
#include "sidecar/mapping/mapping_inside.h"

static struct bytes joined(struct pool *p, const char *before, struct bytes name, const char *after)
{
    size_t first = strlen(before), last = strlen(after);
    uint8_t *at = pool_take(p, first + name.size + last + 1);
    if (at == NULL)
        return bytes_of(NULL, 0);
    memcpy(at, before, first);
    memcpy(at + first, name.at, name.size);
    memcpy(at + first + name.size, after, last + 1);
    return bytes_of(at, first + name.size + last);
}

static void declare(struct mapping *m, unsigned variable, struct bytes name, const struct type *type,
                    bool may_be_absent)
{
    m->variables[variable] = (struct variable){.name = name, .type = type, .may_be_absent = may_be_absent};
}

static int fill(struct mapping *m, const struct definition *d)
{
    struct pool *p = &m->pool;
    m->steps = pool_take_zeroed(p, d->step_count, sizeof *m->steps);
    m->variables = pool_take_zeroed(p, variable_count(m), sizeof *m->variables);
    m->definition = pool_copy(p, bytes_of_text(d->name));
    const struct type *input = m->input == NULL ? &type_dyn : type_of_message(p, m->input);
    const struct type *tags = type_map(p, &type_string, &type_string);
    if (m->steps == NULL || m->variables == NULL || m->definition.at == NULL || input == NULL || tags == NULL)
        return E_MEMORY;
    declare(m, VARIABLE_INPUT, bytes_of_text(m->input == NULL ? "" : "input"), input, false);
    declare(m, VARIABLE_ID, bytes_of_text("saga.id"), &type_string, false);
    declare(m, VARIABLE_DEFINITION, bytes_of_text("saga.definition"), &type_string, false);
    declare(m, VARIABLE_STARTED_AT, bytes_of_text("saga.started_at"), &type_timestamp, false);
    declare(m, VARIABLE_TAGS, bytes_of_text("saga.tags"), tags, false);
    declare(m, VARIABLE_ACTION_KEY, bytes_of_text("action.key"), &type_string, false);
    declare(m, VARIABLE_ACTION_OUTCOME, bytes_of_text("action.outcome"), &type_string, false);
    for (unsigned i = 0; i < d->step_count; i++) {
        struct bytes name = pool_copy(p, bytes_of_text(d->steps[i].name));
        struct bytes outcome = joined(p, "steps.", name, ".outcome");
        if (name.at == NULL || outcome.at == NULL)
            return E_MEMORY;
        m->steps[i].name = name;
        m->steps[i].ancestors = d->steps[i].ancestors;
        m->steps[i].deferred = d->steps[i].deferred;
        declare(m, VARIABLE_STEPS + 2 * i + 1, outcome, &type_string, false);
    }
    return 0;
}

int mapping_create(const struct definition *d, const struct schema *schema, const struct message_type *input,
                   const struct memory *memory, struct mapping **out)
{
    struct mapping *m = memory->take_zeroed(memory->self, sizeof *m);
    if (m == NULL)
        return E_MEMORY;
    m->memory = memory;
    m->owners = 1;
    m->schema = schema;
    m->input = input;
    m->step_count = d->step_count;
    m->place.step = -1;
    pool_init(&m->pool, memory, MAPPING_BYTES_MAX);
    int code = fill(m, d);
    if (code == 0)
        *out = m;
    else
        mapping_release(m);
    return code;
}

int mapping_set_output(struct mapping *m, unsigned step, const struct message_type *action_request,
                       const struct message_type *output)
{
    struct step_mapping *s = &m->steps[step];
    const struct type *type = type_of_message(&m->pool, output);
    struct bytes name = joined(&m->pool, "steps.", s->name, ".output");
    if (type == NULL || name.at == NULL)
        return E_MEMORY;
    s->action_request = action_request;
    s->output = output;
    declare(m, VARIABLE_STEPS + 2 * step, name, type, true);
    return 0;
}

static int no_room(struct expression_error *error)
{
    static const char text[] = "the definition needs more memory than it may have";
    *error = (struct expression_error){.line = 1, .column = 1};
    memcpy(error->text, text, sizeof text);
    return E_MEMORY;
}

static int refused(struct expression_error *error, int code, const char *text)
{
    *error = (struct expression_error){.line = 1, .column = 1};
    memcpy(error->text, text, strlen(text) + 1);
    return code;
}

static int refused_about(struct expression_error *error, const char *is, const char *should)
{
    const char *const parts[] = {"this is ", is, ", and should be ", should};
    size_t at = 0;
    *error = (struct expression_error){.line = 1, .column = 1};
    for (unsigned i = 0; i < 4; i++) {
        size_t size = strlen(parts[i]), room = sizeof error->text - 1 - at;
        size = size < room ? size : room;
        memcpy(error->text + at, parts[i], size);
        at += size;
    }
    return E_ARGUMENT;
}

/* What expressions at the place being built see; the names of the others are blank. In the pool. */
static struct variable *visible(struct mapping *m)
{
    unsigned count = variable_count(m);
    struct variable *v = pool_take(&m->pool, count * sizeof *v);
    if (v == NULL)
        return NULL;
    memcpy(v, m->variables, count * sizeof *v);
    const struct step_mapping *own = m->place.step < 0 ? NULL : &m->steps[m->place.step];
    for (unsigned i = 0; i < m->step_count; i++)
        if (m->over ? m->steps[i].deferred : own == NULL || !step_set_has(&own->ancestors, i))
            v[VARIABLE_STEPS + 2 * i].name = v[VARIABLE_STEPS + 2 * i + 1].name = bytes_of(NULL, 0);
    if (own == NULL && !m->over)
        v[VARIABLE_TAGS].name = bytes_of(NULL, 0); /* they are what is computed, or come from it */
    if (own != NULL && own->loop) {
        v[VARIABLE_ITEM] = (struct variable){bytes_of_text("item"), own->item, false};
        v[VARIABLE_INDEX] = (struct variable){bytes_of_text("index"), &type_int, false};
    }
    if (own == NULL || (!m->place.compensation && !m->answered)) {
        v[VARIABLE_ACTION_KEY].name = v[VARIABLE_ACTION_OUTCOME].name = bytes_of(NULL, 0);
        return v;
    }
    v[VARIABLE_ACTION_REQUEST] =
        (struct variable){bytes_of_text("action.request"), type_of_message(&m->pool, own->action_request), false};
    v[VARIABLE_ACTION_OUTPUT] =
        (struct variable){bytes_of_text("action.output"), type_of_message(&m->pool, own->output), !m->answered};
    return v[VARIABLE_ACTION_REQUEST].type == NULL || v[VARIABLE_ACTION_OUTPUT].type == NULL ? NULL : v;
}

static int list_uses(struct mapping *m, struct rule *r)
{
    unsigned count = variable_count(m);
    uint16_t *uses = pool_take(&m->pool, count * sizeof *uses);
    if (uses == NULL)
        return E_MEMORY;
    for (unsigned i = 0; i < count; i++)
        if (expression_uses(r->expression, i))
            uses[r->use_count++] = (uint16_t)i;
    r->uses = uses;
    return 0;
}

/* The package of a type. */
static struct bytes package_of(const struct message_type *type)
{
    size_t size = type == NULL ? 0 : type->name.size;
    while (size > 0 && type->name.at[size - 1] != '.')
        size--;
    return size == 0 ? bytes_of(NULL, 0) : bytes_of(type->name.at, size - 1);
}

/* Reads an expression at the place being built; with wanted, of a type that fits it. */
static int compile(struct mapping *m, struct bytes text, const struct type *wanted, struct rule *out,
                   struct expression_error *error)
{
    struct rule r = {.text = pool_copy(&m->pool, text)};
    struct variable *variables = visible(m);
    if (r.text.at == NULL || variables == NULL)
        return no_room(error);
    struct environment environment = {.schema = m->schema,
                                      .container = package_of(m->input),
                                      .variables = variables,
                                      .variable_count = variable_count(m)};
    int code = expression_compile(r.text, &environment, &m->pool, &r.expression, error);
    if (code != 0)
        return code;
    if (wanted != NULL && !type_fits(wanted, expression_type(r.expression), &m->pool)) {
        char is[80], should[80];
        type_print(expression_type(r.expression), is, sizeof is);
        type_print(wanted, should, sizeof should);
        return refused_about(error, is, should);
    }
    if (list_uses(m, &r) != 0)
        return no_room(error);
    *out = r;
    return 0;
}

static void begin(struct mapping *m, int step, bool compensation)
{
    m->place = (struct mapping_place){.step = step, .compensation = compensation};
    m->answered = m->over = false;
}

int mapping_add_let(struct mapping *m, struct bytes name, struct bytes text, struct expression_error *error)
{
    begin(m, -1, false);
    if (m->let_count == MAPPING_LETS_MAX)
        return refused(error, E_PAYLOAD, "a definition has at most 64 names under let");
    struct rule *r = &m->lets[m->let_count];
    int code = compile(m, text, NULL, r, error);
    struct bytes copy = pool_copy(&m->pool, name);
    if (code == 0 && copy.at == NULL)
        return no_room(error);
    if (code == 0)
        declare(m, variable_of_let(m, m->let_count++), copy, expression_type(r->expression), false);
    return code;
}

int mapping_add_require(struct mapping *m, struct bytes text, struct bytes otherwise, struct expression_error *error)
{
    begin(m, -1, false);
    if (m->require_count == MAPPING_REQUIRES_MAX)
        return refused(error, E_PAYLOAD, "a definition has at most 64 conditions under require");
    struct requirement *r = &m->requires[m->require_count];
    int code = compile(m, text, &type_bool, &r->rule, error);
    r->otherwise = pool_copy(&m->pool, otherwise);
    if (code == 0 && r->otherwise.at == NULL)
        return no_room(error);
    m->require_count += code == 0;
    return code;
}

int mapping_set_loop(struct mapping *m, unsigned step, uint16_t max_items, struct bytes text,
                     struct expression_error *error)
{
    struct step_mapping *s = &m->steps[step];
    struct variable *output = &m->variables[VARIABLE_STEPS + 2 * step], *outcome = output + 1;
    begin(m, -1, false);
    int code = compile(m, text, NULL, &s->each, error);
    if (code != 0)
        return code;
    const struct type *list = expression_type(s->each.expression);
    if (list->kind != TYPE_LIST) {
        char is[80];
        type_print(list, is, sizeof is);
        return refused_about(error, is, "a list");
    }
    s->loop = true;
    s->max_items = max_items;
    s->item = list->of[0];
    output->type = type_list(&m->pool, output->type);
    output->may_be_absent = false;
    outcome->type = type_list(&m->pool, &type_string);
    return output->type == NULL || outcome->type == NULL ? no_room(error) : 0;
}

int mapping_set_when(struct mapping *m, unsigned step, struct bytes text, struct expression_error *error)
{
    begin(m, (int)step, false);
    int code = compile(m, text, &type_bool, &m->steps[step].when, error);
    m->steps[step].has_when = code == 0;
    return code;
}

int mapping_set_target(struct mapping *m, unsigned step, struct bytes text, struct expression_error *error)
{
    begin(m, (int)step, false);
    int code = compile(m, text, &type_string, &m->steps[step].target, error);
    m->steps[step].has_target = code == 0;
    return code;
}

/* Whether a text can be made of what the rule gives. */
static int compile_text(struct mapping *m, struct bytes text, struct rule *out, struct expression_error *error)
{
    static const struct type *const kinds[] = {&type_string, &type_int, &type_uint, &type_bool};
    int code = compile(m, text, NULL, out, error);
    bool fits = false;
    for (unsigned i = 0; code == 0 && i < sizeof kinds / sizeof *kinds; i++)
        fits = fits || type_fits(kinds[i], expression_type(out->expression), &m->pool);
    return code == 0 && !fits ? refused(error, E_ARGUMENT, "this should be a string, an int, a uint or a bool") : code;
}

int mapping_set_key(struct mapping *m, unsigned step, struct bytes text, struct expression_error *error)
{
    begin(m, (int)step, false);
    int code = compile_text(m, text, &m->steps[step].key, error);
    m->steps[step].has_key = code == 0;
    return code;
}

int mapping_add_expect(struct mapping *m, unsigned step, struct bytes text, struct bytes otherwise, bool undone,
                       struct expression_error *error)
{
    struct step_mapping *s = &m->steps[step];
    begin(m, (int)step, false);
    m->answered = true;
    if (s->expect_count == MAPPING_EXPECTS_MAX)
        return refused(error, E_PAYLOAD, "a step has at most 16 conditions under expect");
    if (s->expects == NULL)
        s->expects = pool_take_zeroed(&m->pool, MAPPING_EXPECTS_MAX, sizeof *s->expects);
    if (s->expects == NULL)
        return no_room(error);
    struct requirement *r = &s->expects[s->expect_count];
    int code = compile(m, text, &type_bool, &r->rule, error);
    r->otherwise = pool_copy(&m->pool, otherwise);
    r->undone = undone;
    if (code == 0 && r->otherwise.at == NULL)
        return no_room(error);
    s->expect_count += code == 0;
    return code;
}

static int add_text(struct mapping *m, struct texts *texts, struct named_text text, struct bytes value,
                    struct expression_error *error)
{
    if (texts->count == MAPPING_TEXTS_MAX)
        return refused(error, E_PAYLOAD, "at most 16 of these");
    if (texts->list == NULL)
        texts->list = pool_take_zeroed(&m->pool, MAPPING_TEXTS_MAX, sizeof *texts->list);
    text.name = pool_copy(&m->pool, text.name);
    if (texts->list == NULL || text.name.at == NULL)
        return no_room(error);
    if (!text.computed) {
        text.text = pool_copy(&m->pool, value);
        if (text.text.at == NULL)
            return no_room(error);
    } else {
        int code = compile_text(m, value, &text.rule, error);
        if (code != 0)
            return code;
    }
    texts->list[texts->count++] = text;
    return 0;
}

int mapping_add_tag(struct mapping *m, struct bytes name, struct bytes text, bool expression,
                    struct expression_error *error)
{
    begin(m, -1, false);
    return add_text(m, &m->tags, (struct named_text){.name = name, .computed = expression}, text, error);
}

int mapping_add_metadata(struct mapping *m, unsigned step, struct bytes name, struct bytes text, bool expression,
                         struct expression_error *error)
{
    begin(m, (int)step, false);
    return add_text(m, &m->steps[step].metadata, (struct named_text){.name = name, .computed = expression}, text,
                    error);
}

/* ---- what is given to those who wait ---- */

/* google/protobuf/struct.proto as a set of descriptors: nothing but names, numbers and types. */
static const char struct_set[] =
    "\012\341\004\012\034google/protobuf/struct.proto\022\017google.protobuf\042\230\001\012\006Struct"
    "\022;\012\006fields\030\001 \003(\0132#.google.protobuf.Struct.FieldsEntryR\006fields\032Q\012\013Fi"
    "eldsEntry\022\020\012\003key\030\001 \001(\011R\003key\022,\012\005value\030\002 \001(\0132\026.goog"
    "le.protobuf.ValueR\005value:\0028\001\042\262\002\012\005Value\022;\012\012null_value\030\001 \001("
    "\0162\032.google.protobuf.NullValueH\000R\011nullValue\022#\012\014number_value\030\002 \001(\001H"
    "\000R\013numberValue\022#\012\014string_value\030\003 \001(\011H\000R\013stringValue\022\037\012\012"
    "bool_value\030\004 \001(\010H\000R\011boolValue\022<\012\014struct_value\030\005 \001(\0132\027.goog"
    "le.protobuf.StructH\000R\013structValue\022;\012\012list_value\030\006 \001(\0132\032.google.protobu"
    "f.ListValueH\000R\011listValueB\006\012\004kind\042;\012\011ListValue\022.\012\006values\030\001 "
    "\003(\0132\026.google.protobuf.ValueR\006values*\033\012\011NullValue\022\016\012\012NULL_VALUE\020"
    "\000b\006proto3";

const struct message_type *mapping_struct(struct mapping *m)
{
    static const char name[] = "google.protobuf.Struct";
    const struct message_type *type = schema_message(m->schema, bytes_of_text(name));
    struct error_detail detail;
    if (type != NULL)
        return type;
    if (m->own == NULL && schema_read(bytes_of(struct_set, sizeof struct_set - 1), m->memory, &m->own, &detail) != 0)
        return NULL;
    return schema_message(m->own, bytes_of_text(name));
}

int mapping_begin_output(struct mapping *m, const struct message_type *type)
{
    begin(m, -1, false);
    m->over = true;
    m->building = &m->output;
    m->output = (struct request){.type = type};
    return 0;
}

/* ---- requests ---- */

int mapping_begin_request(struct mapping *m, struct mapping_place place, const struct message_type *type)
{
    m->place = place;
    m->answered = m->over = false;
    struct step_mapping *s = &m->steps[place.step];
    m->building = place.compensation ? &s->compensation : &s->action;
    *m->building = (struct request){.type = type};
    return 0;
}

static int add(struct mapping *m, struct piece piece, struct expression_error *error)
{
    struct request *r = m->building;
    if (r->count == r->room) {
        uint32_t room = r->room == 0 ? 8 : 2 * r->room;
        struct piece *more = pool_grow(&m->pool, r->pieces, r->room * sizeof *more, room * sizeof *more);
        if (more == NULL)
            return no_room(error);
        r->pieces = more;
        r->room = room;
    }
    r->pieces[r->count++] = piece;
    return 0;
}

int mapping_add_whole(struct mapping *m, struct bytes text, struct expression_error *error)
{
    struct piece piece = {.kind = PIECE_WHOLE};
    if (m->building->type == NULL) {
        int code = compile(m, text, NULL, &piece.rule, error);
        m->building->type = code == 0 ? expression_type(piece.rule.expression)->message : NULL;
        if (code == 0 && m->building->type == NULL)
            return refused(error, E_ARGUMENT, "this should be a message; map fields to values instead: {id: =...}");
        return code != 0 ? code : add(m, piece, error);
    }
    const struct type *wanted = type_of_message(&m->pool, m->building->type);
    int code = wanted == NULL ? no_room(error) : compile(m, text, wanted, &piece.rule, error);
    return code != 0 ? code : add(m, piece, error);
}

/* The field of the input whose value is copied as it is, since the expression says no more; or NULL. */
static const struct field *copied_field(const struct mapping *m, const struct field *f, const struct expression *e)
{
    const struct field *from = examine_field_of(e, VARIABLE_INPUT);
    bool scalar = f->kind != FIELD_MESSAGE && f->kind != FIELD_GROUP && f->kind != FIELD_ENUM && f->kind != FIELD_FLOAT;
    bool same = from != NULL && m->input != NULL && from->owner == m->input && from->kind == f->kind;
    return same && scalar && !from->repeated && !f->repeated ? from : NULL;
}

int mapping_add_expression(struct mapping *m, const struct field *f, bool item, struct bytes text,
                           struct expression_error *error)
{
    struct piece piece = {.kind = PIECE_EXPRESSION, .field = f, .item = item};
    const struct type *wanted = type_of_field(&m->pool, f);
    if (item && wanted != NULL)
        wanted = wanted->of[0];
    int code = wanted == NULL ? no_room(error) : compile(m, text, wanted, &piece.rule, error);
    if (code == 0 && !item)
        piece.copied = copied_field(m, f, piece.rule.expression);
    return code != 0 ? code : add(m, piece, error);
}

int mapping_add_constant(struct mapping *m, struct bytes wire, struct expression_error *error)
{
    struct piece piece = {.kind = PIECE_CONSTANT, .wire = pool_copy(&m->pool, wire)};
    return piece.wire.at == NULL ? no_room(error) : add(m, piece, error);
}

int mapping_open(struct mapping *m, const struct field *f, struct expression_error *error)
{
    if (m->building->depth == PIECES_DEPTH_MAX)
        return refused(error, E_PAYLOAD, "a request has more than 32 messages within one another");
    m->building->depth++;
    return add(m, (struct piece){.kind = PIECE_OPEN, .field = f}, error);
}

int mapping_close(struct mapping *m, struct expression_error *error)
{
    CHECK(m->building->depth > 0);
    m->building->depth--;
    return add(m, (struct piece){.kind = PIECE_CLOSE}, error);
}
