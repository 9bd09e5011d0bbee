/* Computing: every expression sees what it uses, and nothing more is read. */
#include "sidecar/mapping/mapping.h"

#include "sidecar/base/call_key.h"
#include "sidecar/base/check.h"
#include "sidecar/base/decimal.h"
#include "sidecar/base/defect.h"
#include "sidecar/base/utf8.h"
#include "sidecar/expression/fields.h"
#include "sidecar/expression/map.h"
#include "sidecar/mapping/mapping_inside.h"

/* One piece of work: what it has read of the saga so far. */
struct run {
    const struct mapping *m;
    const struct mapping_view *view;
    int step; /* -1: none */
    struct evaluation evaluation;
    struct datum *values;
    bool *ready;
    struct error_detail *detail;
};

struct mapping *mapping_share(struct mapping *m)
{
    if (m != NULL)
        m->owners++;
    return m;
}

void mapping_release(struct mapping *m)
{
    if (m == NULL || --m->owners > 0)
        return;
    const struct memory *memory = m->memory;
    schema_destroy(m->own);
    pool_finish(&m->pool);
    memory_give_back(memory, m, sizeof *m);
}

/* A pool that could not give. Its own bound is a property of the definition and its values, and fails alike on every machine. */
static int no_room(struct run *r)
{
    if (r->evaluation.pool->starved)
        return error_set(r->detail, E_MEMORY, NULL, NULL);
    return error_set(r->detail, E_EXPRESSION, NULL, "the evaluation needs more memory than it may have");
}

static void append(struct error_detail *detail, struct bytes more)
{
    char text[160];
    size_t size = more.size < sizeof text - 1 ? more.size : sizeof text - 1;
    while (size > 0 && size < more.size && (more.at[size] & 0xc0) == 0x80)
        size--;
    memcpy(text, more.at, size);
    text[size] = '\0';
    error_append(detail, text);
}

/* "divide by zero, in: input.total / input.count" */
static int failed(struct run *r, const struct rule *rule, const struct datum *d)
{
    if (r->evaluation.pool->starved)
        return no_room(r);
    error_set(r->detail, E_EXPRESSION, NULL, "");
    append(r->detail, d->failure->text);
    if (rule != NULL) {
        error_append(r->detail, ", in: ");
        append(r->detail, rule->text);
    }
    return E_EXPRESSION;
}

static int run_init(struct run *r, const struct mapping *m, const struct mapping_view *view, int step,
                    struct pool *pool, struct error_detail *detail)
{
    pool->starved = false;
    *r = (struct run){.m = m, .view = view, .step = step, .detail = detail};
    r->values = pool_take(pool, variable_count(m) * sizeof *r->values);
    r->ready = pool_take_zeroed(pool, variable_count(m), 1);
    r->evaluation =
        (struct evaluation){.schema = m->schema, .pool = pool, .variables = r->values, .cost_max = MAPPING_COST_MAX};
    return r->values == NULL || r->ready == NULL ? no_room(r) : 0;
}

static struct datum outcome(uint8_t of)
{
    static const char *const names[] = {
        [OUTCOME_OPEN] = "open",       [OUTCOME_DONE] = "done",       [OUTCOME_REJECTED] = "rejected",
        [OUTCOME_UNKNOWN] = "unknown", [OUTCOME_SKIPPED] = "skipped",
    };
    return datum_string(bytes_of_text(names[of]));
}

static struct datum output_of(struct run *r, unsigned step, const struct mapping_step *s, bool there)
{
    return there ? datum_of_message(&r->evaluation, 0, r->m->steps[step].output, s->output) : datum_absent;
}

/* What an instance of a step answered, or what stands in for that; absent when there is neither. */
static struct datum output_of_one(struct run *r, unsigned step, unsigned instance)
{
    struct mapping_step s = r->view->step(r->view->saga, step, instance);
    /* What stands in for a step does not see itself in that one's place: not even later, when its undo asks for its request. */
    bool itself = r->step > (int)step && r->step <= (int)s.stood_in_by;
    return output_of(r, step, &s, s.outcome == OUTCOME_DONE || (s.stood_in_by != 0 && !itself));
}

/* Of a loop, those of its instances: outcomes, or outputs of the ones that have any. */
static int variable_of_step(struct run *r, unsigned step, bool output, struct datum *out)
{
    unsigned count = 1, kept = 0;
    struct datum one, *list = NULL;
    bool loop = r->m->steps[step].loop;
    if (loop) {
        count = r->view->count(r->view->saga, step);
        list = pool_take(r->evaluation.pool, (count + 1) * sizeof *list);
        if (list == NULL)
            return no_room(r);
    }
    for (unsigned i = 0; i < count; i++) {
        one = output ? output_of_one(r, step, i) : outcome(r->view->step(r->view->saga, step, i).outcome);
        if (loop && one.kind == DATUM_FAILURE && one.failure != NULL)
            return failed(r, NULL, &one);
        if (loop && one.kind != DATUM_FAILURE)
            list[kept++] = one;
    }
    *out = loop ? datum_list(list, kept) : one;
    return 0;
}

static struct datum started_at(const struct run *r)
{
    int64_t us = r->view->started_at.us;
    int64_t seconds = us / 1000000, rest = us % 1000000;
    if (rest < 0) {
        rest += 1000000;
        seconds--;
    }
    return datum_timestamp(seconds, (uint32_t)rest * 1000);
}

/* The next of texts that each have a NUL behind them; *left begins behind it. */
static struct bytes next_text(struct bytes *left)
{
    const uint8_t *end = memchr(left->at, 0, left->size);
    CHECK(end != NULL);
    struct bytes text = bytes_of(left->at, (size_t)(end - left->at));
    *left = bytes_of(end + 1, left->size - text.size - 1);
    return text;
}

static int tags_variable(struct run *r, struct datum *out)
{
    struct bytes left = r->view->tags;
    struct map_builder map;
    if (!map_builder_init(&map, r->evaluation.pool, MAPPING_TEXTS_MAX))
        return no_room(r);
    for (unsigned i = 0; i < MAPPING_TEXTS_MAX && left.size > 0; i++) {
        struct datum name = datum_string(next_text(&left)), text = datum_string(next_text(&left));
        map_builder_add(&map, &name, &text, false);
    }
    *out = map_builder_finish(&map);
    return 0;
}

static int text_variable(struct run *r, const char *text, size_t size, struct datum *out)
{
    struct bytes copy = pool_copy(r->evaluation.pool, bytes_of(text, size));
    *out = datum_string(copy);
    return copy.at == NULL ? no_room(r) : 0;
}

static int evaluate(struct run *r, const struct rule *rule, struct datum *out);
static int build(struct run *r, const struct request *request, size_t bytes_max, struct bytes *out);

static int action_variable(struct run *r, unsigned variable, struct datum *out)
{
    const struct step_mapping *s = &r->m->steps[r->step];
    unsigned instance = s->loop ? (unsigned)r->view->instance : 0;
    struct mapping_step now = r->view->step(r->view->saga, (unsigned)r->step, instance);
    char key[CALL_KEY_SIZE(STEP_NAME_BYTES_MAX)], name[STEP_NAME_BYTES_MAX + INTEGER_TEXT_SIZE + 2];
    size_t size = s->name.size;
    struct bytes request;
    switch (variable) {
    case VARIABLE_ACTION_KEY:
        memcpy(name, s->name.at, size);
        if (s->loop) {
            name[size++] = '[';
            size += decimal_write_uint(instance, name + size);
            name[size++] = ']';
        }
        return text_variable(r, key, call_key_format(r->view->id, bytes_of(name, size), true, now.generation, key),
                             out);
    case VARIABLE_ACTION_OUTCOME:
        *out = outcome(now.outcome);
        return 0;
    case VARIABLE_ACTION_OUTPUT:
        *out = output_of(r, (unsigned)r->step, &now, now.outcome == OUTCOME_DONE);
        return 0;
    default: {
        int code = build(r, &s->action, SIZE_MAX, &request);
        if (code == 0)
            *out = datum_of_message(&r->evaluation, 0, s->action_request, request);
        return code;
    }
    }
}

/* The item of the loop's list that this instance is about. */
static int item_variable(struct run *r, struct datum *out)
{
    struct datum list;
    int code = evaluate(r, &r->m->steps[r->step].each, &list);
    unsigned index = DEFECT(LOOP_ITEM_IS_THE_FIRST) ? 0 : (unsigned)r->view->instance;
    if (code != 0)
        return code;
    if (list.kind != DATUM_LIST || index >= list.size)
        return error_set(r->detail, E_EXPRESSION, NULL, "the loop's list has no such item any more");
    *out = list.items[index];
    return 0;
}

/* Reads the variable, unless that is done. */
static int provide(struct run *r, unsigned variable)
{
    char id[SAGA_ID_TEXT_SIZE];
    struct datum *out = &r->values[variable];
    int code = 0;
    if (r->ready[variable])
        return 0;
    unsigned lets = variable_of_let(r->m, 0);
    if (variable >= lets)
        code = evaluate(r, &r->m->lets[variable - lets], out);
    else if (variable >= VARIABLE_STEPS)
        code = variable_of_step(r, (variable - VARIABLE_STEPS) / 2, (variable - VARIABLE_STEPS) % 2 == 0, out);
    else if (variable == VARIABLE_ITEM)
        code = item_variable(r, out);
    else if (variable == VARIABLE_INDEX)
        *out = datum_int(r->view->instance);
    else if (variable == VARIABLE_INPUT)
        *out = datum_of_message(&r->evaluation, 0, r->m->input, r->view->input);
    else if (variable == VARIABLE_ID)
        code = text_variable(r, id, saga_id_format(r->view->id, id), out);
    else if (variable == VARIABLE_DEFINITION)
        *out = datum_string(r->m->definition);
    else if (variable == VARIABLE_STARTED_AT)
        *out = started_at(r);
    else if (variable == VARIABLE_TAGS)
        code = tags_variable(r, out);
    else
        code = action_variable(r, variable, out);
    if (code == 0 && out->kind == DATUM_FAILURE && out->failure != NULL)
        code = failed(r, NULL, out);
    r->ready[variable] = code == 0;
    return code;
}

static int evaluate(struct run *r, const struct rule *rule, struct datum *out)
{
    for (unsigned i = 0; i < rule->use_count; i++) {
        int code = provide(r, rule->uses[i]);
        if (code != 0)
            return code;
    }
    *out = expression_evaluate(rule->expression, &r->evaluation);
    return out->kind == DATUM_FAILURE ? failed(r, rule, out) : 0;
}

/* 1, 0 or negative. */
static int holds(struct run *r, const struct rule *rule)
{
    struct datum d;
    int code = evaluate(r, rule, &d);
    if (code != 0)
        return code;
    if (d.kind == DATUM_BOOL)
        return d.b;
    error_set(r->detail, E_EXPRESSION, NULL, "a condition did not give a bool, in: ");
    append(r->detail, rule->text);
    return E_EXPRESSION;
}

/* ---- requests ---- */

/* Copies a field of the input. False when there is something to say of it, which evaluating it says. */
static bool copy_field(struct run *r, const struct piece *piece, struct builder *b)
{
    struct value v;
    if (field_get(&r->evaluation, r->view->input, piece->copied, &v) < 0 ||
        (v.kind == FIELD_STRING && !utf8_valid(v.text)))
        return false;
    build_field(b, piece->field, &v);
    return true;
}

static int build_piece(struct run *r, const struct request *request, const struct piece *piece, struct builder *b,
                       size_t marks[PIECES_DEPTH_MAX], unsigned *depth)
{
    struct datum d, done, list;
    struct bytes wire;
    int code;
    switch (piece->kind) {
    case PIECE_CONSTANT:
        build_raw(b, piece->wire);
        return 0;
    case PIECE_OPEN:
        marks[(*depth)++] = build_open(b, piece->field);
        return 0;
    case PIECE_CLOSE:
        build_close(b, marks[--*depth]);
        return 0;
    case PIECE_EXPRESSION:
        if (piece->copied != NULL && copy_field(r, piece, b))
            return 0;
        code = evaluate(r, &piece->rule, &d);
        if (code != 0)
            return code;
        list = datum_list(&d, 1);
        done = build_datum(&r->evaluation, 0, b, piece->field, piece->item ? &list : &d);
        return done.kind == DATUM_FAILURE ? failed(r, &piece->rule, &done) : 0;
    default:
        code = evaluate(r, &piece->rule, &d);
        if (code != 0)
            return code;
        done = wire_of_datum(&r->evaluation, 0, request->type, &d, &wire);
        if (done.kind == DATUM_FAILURE)
            return failed(r, &piece->rule, &done);
        build_raw(b, wire);
        return 0;
    }
}

static int build(struct run *r, const struct request *request, size_t bytes_max, struct bytes *out)
{
    struct builder b;
    size_t marks[PIECES_DEPTH_MAX];
    unsigned depth = 0;
    builder_init(&b, r->evaluation.pool, bytes_max);
    for (uint32_t i = 0; i < request->count; i++) {
        int code = build_piece(r, request, &request->pieces[i], &b, marks, &depth);
        if (code != 0)
            return code;
    }
    int code = builder_finish(&b, out);
    if (code == E_PAYLOAD)
        return error_set(r->detail, E_EXPRESSION, NULL, "the request becomes larger than payload_bytes_max");
    return code != 0 ? no_room(r) : 0;
}

/* ---- texts ---- */

/* What an expression gave, as text. */
static int text_of(struct run *r, const struct rule *rule, const struct datum *d, struct bytes *out)
{
    char digits[INTEGER_TEXT_SIZE];
    size_t size = 0;
    if (d->kind == DATUM_STRING) {
        *out = bytes_of(d->text, d->size);
        return 0;
    }
    if (d->kind == DATUM_BOOL) {
        *out = bytes_of_text(d->b ? "true" : "false");
        return 0;
    }
    if (d->kind == DATUM_INT)
        size = decimal_write_int(d->i, digits);
    else if (d->kind == DATUM_UINT)
        size = decimal_write_uint(d->u, digits);
    if (size == 0) {
        error_set(r->detail, E_EXPRESSION, NULL, "this is no text, no whole number and no bool: ");
        append(r->detail, rule->text);
        return E_EXPRESSION;
    }
    *out = pool_copy(r->evaluation.pool, bytes_of(digits, size));
    return out->at == NULL ? no_room(r) : 0;
}

static int one_text(struct run *r, const struct named_text *t, bool header, struct bytes *out)
{
    struct datum d;
    *out = t->text;
    int code = t->computed ? evaluate(r, &t->rule, &d) : 0;
    if (code == 0 && t->computed)
        code = text_of(r, &t->rule, &d, out);
    if (code != 0)
        return code;
    bool plain = out->size <= MAPPING_TEXT_BYTES_MAX;
    for (size_t i = 0; plain && i < out->size; i++)
        plain = header ? out->at[i] >= 32 && out->at[i] < 127 : out->at[i] != 0;
    if (plain)
        return 0;
    error_set(r->detail, E_EXPRESSION, NULL, "");
    append(r->detail, t->name);
    error_append(r->detail, header ? " is no metadata: at most 256 bytes of printable ASCII"
                                   : " is no tag: at most 256 bytes without a NUL");
    return E_EXPRESSION;
}

static int pack_texts(struct run *r, const struct texts *texts, bool header, struct bytes *packed)
{
    uint8_t *at = pool_take(r->evaluation.pool, MAPPING_TEXTS_SIZE_MAX);
    size_t size = 0;
    if (at == NULL)
        return no_room(r);
    for (unsigned i = 0; i < texts->count; i++) {
        const struct named_text *t = &texts->list[i];
        struct bytes text;
        int code = one_text(r, t, header, &text);
        if (code != 0)
            return code;
        CHECK(size + t->name.size + text.size + 2 <= MAPPING_TEXTS_SIZE_MAX);
        memcpy(at + size, t->name.at, t->name.size);
        size += t->name.size;
        at[size++] = 0;
        if (text.size > 0)
            memcpy(at + size, text.at, text.size);
        size += text.size;
        at[size++] = 0;
    }
    *packed = bytes_of(at, size);
    return 0;
}

/* ---- the face ---- */

bool mapping_has_tags(const struct mapping *m)
{
    return m != NULL && m->tags.count > 0;
}

bool mapping_has_metadata(const struct mapping *m, unsigned step)
{
    return m != NULL && m->steps[step].metadata.count > 0;
}

const struct message_type *mapping_output_type(const struct mapping *m)
{
    return m == NULL ? NULL : m->output.type;
}

int mapping_tags(const struct mapping *m, const struct mapping_view *view, struct pool *pool, struct bytes *packed,
                 struct error_detail *detail)
{
    struct run r;
    int code = run_init(&r, m, view, -1, pool, detail);
    return code != 0 ? code : pack_texts(&r, &m->tags, false, packed);
}

int mapping_metadata(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                     struct bytes *packed, struct error_detail *detail)
{
    struct run r;
    int code = run_init(&r, m, view, (int)step, pool, detail);
    return code != 0 ? code : pack_texts(&r, &m->steps[step].metadata, true, packed);
}

int mapping_output(const struct mapping *m, const struct mapping_view *view, size_t bytes_max, struct pool *pool,
                   struct bytes *output, struct error_detail *detail)
{
    struct run r;
    int code = run_init(&r, m, view, -1, pool, detail);
    return code != 0 ? code : build(&r, &m->output, bytes_max, output);
}

/* The first that does not hold, or NULL in *failed when all do. */
static int check_all(struct run *r, const struct requirement *list, unsigned count, const struct requirement **failed)
{
    *failed = NULL;
    for (unsigned i = 0; i < count && *failed == NULL; i++) {
        int code = holds(r, &list[i].rule);
        if (code < 0)
            return code;
        if (code == 0)
            *failed = &list[i];
    }
    if (*failed != NULL) {
        error_set(r->detail, E_REQUIRED, "input", "");
        append(r->detail, (*failed)->otherwise);
    }
    return 0;
}

int mapping_require(const struct mapping *m, const struct mapping_view *view, struct pool *pool,
                    struct error_detail *detail)
{
    struct pool_mark mark = pool_mark(pool);
    const struct requirement *failed = NULL;
    struct run r;
    int code = run_init(&r, m, view, -1, pool, detail);
    if (code == 0)
        code = check_all(&r, m->requires, m->require_count, &failed);
    pool_rewind(pool, mark);
    return failed != NULL ? E_REQUIRED : code;
}

int mapping_expect(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                   bool *undone, struct error_detail *detail)
{
    const struct step_mapping *s = &m->steps[step];
    struct pool_mark mark = pool_mark(pool);
    const struct requirement *failed = NULL;
    struct run r;
    if (s->expect_count == 0)
        return 1;
    int code = run_init(&r, m, view, (int)step, pool, detail);
    if (code == 0)
        code = check_all(&r, s->expects, s->expect_count, &failed);
    pool_rewind(pool, mark);
    *undone = failed != NULL && failed->undone;
    return code != 0 ? code : failed == NULL;
}

static int count_loop(struct run *r, const struct step_mapping *s, uint8_t *at)
{
    struct datum list;
    int code = evaluate(r, &s->each, &list);
    if (code != 0)
        return code;
    if (list.kind != DATUM_LIST)
        return error_set(r->detail, E_EXPRESSION, NULL, "for_each did not give a list");
    if (list.size > s->max_items) {
        char digits[INTEGER_TEXT_SIZE + 1];
        error_set(r->detail, E_STEPS, "input", "for_each of ");
        append(r->detail, s->name);
        error_append(r->detail, " has more items than its max_items, ");
        digits[decimal_write_uint(s->max_items, digits)] = '\0';
        error_append(r->detail, digits);
        return E_STEPS;
    }
    at[0] = (uint8_t)list.size;
    at[1] = (uint8_t)(list.size >> 8);
    return 0;
}

int mapping_counts(const struct mapping *m, const struct mapping_view *view, struct pool *pool, struct bytes *counts,
                   struct error_detail *detail)
{
    struct run r;
    int code = run_init(&r, m, view, -1, pool, detail);
    uint8_t *at = code == 0 ? pool_take(pool, 2 * (size_t)m->step_count) : NULL;
    size_t size = 0;
    if (code == 0 && at == NULL)
        code = no_room(&r);
    for (unsigned i = 0; code == 0 && i < m->step_count; i++)
        if (m->steps[i].loop) {
            code = count_loop(&r, &m->steps[i], at + size);
            size += 2;
        }
    *counts = bytes_of(at, size);
    return code;
}

int mapping_when(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                 struct error_detail *detail)
{
    struct pool_mark mark = pool_mark(pool);
    struct run r;
    if (!m->steps[step].has_when)
        return 1;
    int code = run_init(&r, m, view, (int)step, pool, detail);
    if (code == 0)
        code = holds(&r, &m->steps[step].when);
    pool_rewind(pool, mark);
    return code;
}

int mapping_target(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                   struct bytes *name, struct error_detail *detail)
{
    struct run r;
    struct datum d;
    int code = run_init(&r, m, view, (int)step, pool, detail);
    if (code == 0)
        code = evaluate(&r, &m->steps[step].target, &d);
    if (code == 0 && d.kind != DATUM_STRING) {
        error_set(detail, E_EXPRESSION, NULL, "the target is not a text, in: ");
        append(detail, m->steps[step].target.text);
        code = E_EXPRESSION;
    }
    *name = code == 0 ? datum_bytes(&d) : bytes_of(NULL, 0);
    return code;
}

int mapping_key(const struct mapping *m, const struct mapping_view *view, unsigned step, struct pool *pool,
                struct bytes *key, struct error_detail *detail)
{
    const struct rule *rule = &m->steps[step].key;
    struct run r;
    struct datum d;
    int code = run_init(&r, m, view, (int)step, pool, detail);
    if (code == 0)
        code = evaluate(&r, rule, &d);
    if (code == 0)
        code = text_of(&r, rule, &d, key);
    if (code != 0 || key->size <= LAST_GOOD_KEY_BYTES_MAX)
        return code;
    error_set(detail, E_EXPRESSION, NULL, "the key of a last good answer has at most 256 bytes: ");
    append(detail, rule->text);
    return E_EXPRESSION;
}

bool mapping_has_target(const struct mapping *m, unsigned step)
{
    return m != NULL && m->steps[step].has_target;
}

int mapping_request(const struct mapping *m, const struct mapping_view *view, unsigned step, bool compensation,
                    size_t bytes_max, struct pool *pool, struct bytes *request, struct error_detail *detail)
{
    struct run r;
    const struct step_mapping *s = &m->steps[step];
    int code = run_init(&r, m, view, (int)step, pool, detail);
    return code != 0 ? code : build(&r, compensation ? &s->compensation : &s->action, bytes_max, request);
}
