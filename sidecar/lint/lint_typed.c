/* lint_typed.c - what a definition that knows its messages computes, and what becomes of them. */
#include "sidecar/lint/lint_inside.h"

#include "sidecar/definition/typed_request.h"
#include "sidecar/expression/examine.h"
#include "sidecar/mapping/mapping_look.h"

#include <string.h>

#define LETS_MAX 64
/* Of a list of which nothing says how long it may be. */
#define ITEMS_ASSUMED 1000

struct typed_lint {
    struct lint *lint;
    const struct mapping *mapping;
    bool input_used;
    bool let_used[LETS_MAX];
    const struct field *let_redacted[LETS_MAX]; /* that it is computed from; NULL: none */
    const struct field *redacted;               /* likewise the expression that is judged */
    unsigned let_count;
    struct step_set undo_computes;  /* steps whose compensation's request has an expression that uses something */
    const struct yaml_node *at;     /* of the expression that is judged */
    struct examine_bounds bounds;   /* what is known of how long lists are at most */
    struct examine_bounds shortest; /* they are empty */
    uint64_t constants_cost;        /* of what was evaluated */
};

/* The scalar within n that is this expression, or NULL. */
static const struct yaml_node *find_text(const struct yaml_node *n, struct bytes text)
{
    if (n->kind == YAML_SCALAR) {
        struct bytes own = n->text;
        bool sign = own.size > 0 && own.at[0] == '=';
        return bytes_equal(sign ? bytes_of(own.at + 1, own.size - 1) : own, text) ? n : NULL;
    }
    for (const struct yaml_node *child = n->first; child != NULL; child = child->next) {
        const struct yaml_node *found = find_text(child, text);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* The step that this one stands in for, whose loop is its own. */
static unsigned owner_of(const struct lint *l, unsigned step)
{
    while (l->d->steps[step].stand_in != STAND_IN_NONE)
        step--;
    return step;
}

static const struct yaml_node *place_of(const struct lint *l, const struct mapping_seen *what)
{
    const struct yaml_node *n = l->root;
    switch (what->part) {
    case MAPPING_LET:
        n = yaml_node_child(l->root, "let");
        break;
    case MAPPING_REQUIRE:
        n = yaml_node_child(l->root, "require");
        break;
    case MAPPING_TAG:
        n = yaml_node_child(l->root, "tags");
        break;
    case MAPPING_OUTPUT:
        n = yaml_node_child(l->root, "output");
        break;
    case MAPPING_EACH:
        n = yaml_node_child(l->steps[owner_of(l, what->index)], "for_each");
        break;
    case MAPPING_METADATA:
        n = yaml_node_child(l->steps[what->index], "metadata");
        break;
    case MAPPING_TARGET:
        n = yaml_node_child(l->steps[what->index], "target");
        break;
    case MAPPING_KEY:
        n = yaml_node_child(l->steps[what->index], "fallback");
        break;
    case MAPPING_WHEN:
        n = yaml_node_child(l->steps[what->index], "when");
        break;
    case MAPPING_EXPECT:
        n = yaml_node_child(l->steps[what->index], "expect");
        break;
    case MAPPING_ACTION:
    case MAPPING_COMPENSATION:
        n = lint_call(l, what->index, what->part == MAPPING_COMPENSATION);
        break;
    }
    const struct yaml_node *found = what->expression == NULL ? NULL : find_text(n, what->text);
    return found != NULL ? found : n;
}

static void see_field(void *self, const struct field *f)
{
    struct typed_lint *t = self;
    if (f->redacted)
        t->redacted = f;
    if (f->deprecated)
        lint_found(t->lint, LINT_RULE_FIELD_DEPRECATED, t->at, "%s.%s is deprecated: its owners mean to take it away",
                   (const char *)f->owner->name.at, (const char *)f->name.at);
}

static void judge_absent(struct typed_lint *t, const struct mapping_seen *what)
{
    struct lint *l = t->lint;
    bool undo = what->part == MAPPING_COMPENSATION;
    if (undo && examine_may_miss(what->expression, mapping_own_output(), mapping_own_outcome()))
        lint_found(l, LINT_RULE_UNDO_NEEDS_OUTPUT, t->at,
                   "needs action.output, which is not there when nobody knows how the action ended: ask "
                   "has(action.output) first");
    for (unsigned i = 0; i < l->d->step_count; i++) {
        if ((!mapping_has_when(t->mapping, i) && !l->d->steps[i].optional &&
             l->d->steps[i].stand_in == STAND_IN_NONE) ||
            !examine_may_miss(what->expression, mapping_step_output(i), mapping_step_outcome(i)))
            continue;
        lint_found(l, undo ? LINT_RULE_UNDO_NEEDS_OUTPUT : LINT_RULE_OUTPUT_MAY_MISS, t->at,
                   "needs steps.%s.output, which is not there when %s is skipped or has failed: ask "
                   "has(steps.%s.output) first",
                   l->d->steps[i].name, l->d->steps[i].name, l->d->steps[i].name);
    }
}

/* A tag is shown to whoever may look at a saga, without the right to its payloads. */
static void judge_redacted(struct typed_lint *t, const struct mapping_seen *what)
{
    for (unsigned i = 0; t->redacted == NULL && i < LETS_MAX; i++)
        if (expression_uses(what->expression, mapping_let(t->mapping, i)))
            t->redacted = t->let_redacted[i];
    if (what->part == MAPPING_LET && what->index < LETS_MAX)
        t->let_redacted[what->index] = t->redacted;
    if (what->part == MAPPING_TAG && t->redacted != NULL)
        lint_found(
            t->lint, LINT_RULE_TAG_REDACTED, t->at,
            "is computed from %s.%s, which is marked debug_redact, and tags are shown to whoever may look at a saga",
            (const char *)t->redacted->owner->name.at, (const char *)t->redacted->name.at);
}

/* What requirements and loops say of how long lists are. */
static void see_bounds(void *self, const struct mapping_seen *what)
{
    struct typed_lint *t = self;
    if (what->part == MAPPING_REQUIRE)
        examine_add_bounds(&t->bounds, what->expression);
}

static void add_loops(struct typed_lint *t)
{
    struct examine_bounds *b = &t->bounds;
    for (unsigned i = 0; i < t->lint->d->step_count && b->count < EXAMINE_BOUNDS_MAX; i++)
        if (t->lint->d->steps[i].loop)
            b->of[b->count++] =
                (struct examine_bound){.variable = (int)mapping_step_output(i), .size = t->lint->d->steps[i].max_items};
}

/* One that uses nothing has its value already, or fails for every saga. All of a definition together may cost as much as one: whoever registers it
 * holds up others meanwhile. */
static void judge_constant(struct typed_lint *t, const struct mapping_seen *what)
{
    struct pool pool;
    struct evaluation e = {
        .schema = t->lint->d->schema, .pool = &pool, .cost_max = MAPPING_COST_MAX, .cost = t->constants_cost};
    if (t->constants_cost + examine_cost(what->expression, &t->shortest).cost > MAPPING_COST_MAX)
        return;
    pool_init(&pool, &typed_memory, MAPPING_MEMORY_MAX);
    struct datum d = expression_evaluate(what->expression, &e);
    bool alone = t->constants_cost == 0;
    if (d.kind == DATUM_FAILURE && !pool.starved && (alone || !d.failure->fatal))
        lint_found(t->lint, LINT_RULE_CONSTANT_FAILS, t->at, "fails for every saga: %.*s",
                   d.failure->text.size < 200 ? (int)d.failure->text.size : 200, (const char *)d.failure->text.at);
    t->constants_cost = e.cost;
    pool_finish(&pool);
}

/* Where it cannot be computed the saga is stuck, rather than turns back. */
static bool must_not_fail(const struct typed_lint *t, const struct mapping_seen *what)
{
    switch (what->part) {
    case MAPPING_COMPENSATION:
        return true;
    case MAPPING_WHEN:
    case MAPPING_TARGET:
    case MAPPING_METADATA:
    case MAPPING_ACTION:
    case MAPPING_EXPECT:
        return definition_step_forward_only(t->lint->d, what->index);
    default:
        return false;
    }
}

/* A let is as large as what it stands for, for the expressions that come after it. */
static void keep_size(struct examine_bounds *b, unsigned variable, uint64_t size)
{
    if (b->count < EXAMINE_BOUNDS_MAX)
        b->of[b->count++] = (struct examine_bound){.variable = (int)variable, .size = size};
}

static void judge_cost(struct typed_lint *t, const struct mapping_seen *what)
{
    struct examined_cost of_short = examine_cost(what->expression, &t->shortest);
    struct examined_cost of_long = examine_cost(what->expression, &t->bounds);
    uint64_t least = of_short.cost, most = of_long.cost;
    if (what->part == MAPPING_LET) {
        keep_size(&t->shortest, mapping_let(t->mapping, what->index), of_short.size);
        keep_size(&t->bounds, mapping_let(t->mapping, what->index), of_long.size);
    }
    if (least > MAPPING_COST_MAX)
        lint_found(t->lint, LINT_RULE_EXPRESSION_COST, t->at,
                   "costs more than an expression may (%u), whatever the input is: fewer items, or less for each",
                   (unsigned)MAPPING_COST_MAX);
    else if (most > MAPPING_COST_MAX)
        lint_found(t->lint, must_not_fail(t, what) ? LINT_RULE_EXPRESSION_COST : LINT_RULE_EXPRESSION_COSTLY, t->at,
                   "may cost more than an expression may (%u) when lists have %u items; say how long one may be, as in "
                   "require: size(input.lines) <= 50",
                   (unsigned)MAPPING_COST_MAX, ITEMS_ASSUMED);
}

static void see(void *self, const struct mapping_seen *what)
{
    struct typed_lint *t = self;
    t->at = place_of(t->lint, what);
    if (what->field != NULL)
        see_field(t, what->field);
    if (what->part == MAPPING_LET && what->index >= t->let_count)
        t->let_count = what->index + 1;
    if (what->expression == NULL)
        return;
    t->redacted = NULL;
    examine_fields(what->expression, see_field, t);
    judge_redacted(t, what);
    judge_absent(t, what);
    judge_cost(t, what);
    t->input_used = t->input_used || expression_uses(what->expression, mapping_input());
    for (unsigned i = 0; i < LETS_MAX; i++)
        t->let_used[i] = t->let_used[i] || expression_uses(what->expression, mapping_let(t->mapping, i));
    if (what->part == MAPPING_KEY && mapping_of_one_saga(what->expression))
        lint_found(
            t->lint, LINT_RULE_LAST_GOOD_LONE, t->at,
            "is another for each saga, which so never finds another's answer: take what the answer depends on, as "
            "=input.customer");
    bool constant = examine_is_constant(what->expression);
    if (constant)
        judge_constant(t, what);
    if (constant && (what->part == MAPPING_WHEN || what->part == MAPPING_REQUIRE))
        lint_found(t->lint, LINT_RULE_CONDITION_CONSTANT, t->at, "is the same for every saga; take it away");
    if (what->part == MAPPING_COMPENSATION && !constant)
        step_set_add(&t->undo_computes, what->index);
}

static void judge_lets(const struct typed_lint *t)
{
    const struct yaml_node *lets = yaml_node_child(t->lint->root, "let");
    for (const struct yaml_node *n = lets == NULL ? NULL : lets->first; n != NULL; n = n->next)
        if (n->index < t->let_count && !t->let_used[n->index])
            lint_found_key(t->lint, LINT_RULE_LET_UNUSED, n, "is used nowhere");
}

/* ---- literals that look like expressions ---- */

static bool begins_like_a_name(struct bytes text)
{
    static const char *const names[] = {"input.", "steps.", "saga.", "action."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = strlen(names[i]);
        if (text.size > size && memcmp(text.at, names[i], size) == 0)
            return true;
    }
    return false;
}

static void judge_literals(struct lint *l, const struct yaml_node *n)
{
    if (n->kind == YAML_SCALAR && begins_like_a_name(n->text))
        lint_found(l, LINT_RULE_LITERAL_COMPUTED, n, "is sent as this text; an expression begins with =");
    for (const struct yaml_node *child = n->first; child != NULL; child = child->next)
        judge_literals(l, child);
}

/* A text of tags or metadata that could not be sent, or kept, as it is. */
static void judge_texts(struct lint *l, const struct yaml_node *texts, bool header)
{
    for (const struct yaml_node *n = texts == NULL ? NULL : texts->first; n != NULL; n = n->next) {
        bool plain = n->kind != YAML_SCALAR || (n->text.size > 0 && n->text.at[0] == '=');
        size_t i = 0;
        while (!plain && i < n->text.size && (header ? n->text.at[i] >= 32 && n->text.at[i] < 127 : n->text.at[i] != 0))
            i++;
        if (!plain && i < n->text.size)
            lint_found(l, LINT_RULE_LITERAL_TYPE, n,
                       header ? "is no metadata: it holds more than printable ASCII" : "is no tag: it holds a NUL");
    }
}

/* ---- methods, and what is sent whole ---- */

static void judge_call(struct typed_lint *t, unsigned i, bool compensation)
{
    struct lint *l = t->lint;
    const struct step_spec *s = &l->d->steps[i];
    const struct call_spec *call = compensation ? &s->compensation : &s->action;
    const struct yaml_node *n = lint_call(l, i, compensation);
    t->input_used = t->input_used || call->source == REQUEST_INPUT;
    if (step_spec_asks(s) && call->called != NULL && call->called->deprecated)
        lint_found(l, LINT_RULE_METHOD_DEPRECATED, lint_said(l, i, compensation, "method"),
                   "%s is deprecated: its owners mean to take it away", call->method);
    if (call->source != REQUEST_MAPPED)
        return;
    if (n->kind == YAML_MAPPING)
        judge_literals(l, step_spec_asks(s) ? yaml_node_child(n, "request") : n);
    if (compensation && t->mapping != NULL && !step_set_has(&t->undo_computes, i))
        lint_found(l, LINT_RULE_UNDO_CONSTANT, lint_said(l, i, true, "request"),
                   "is the same for every saga: how does %s know what to undo?", call->target);
}

void lint_typed(struct lint *l)
{
    struct typed_lint t = {.lint = l, .mapping = l->d->mapping, .bounds = {.items = ITEMS_ASSUMED}};
    if (l->d->schema_name == NULL)
        return;
    if (l->d->input_name == NULL)
        lint_found(l, LINT_RULE_INPUT_UNTYPED, yaml_node_child(l->root, "schema"),
                   "without input any bytes start a saga; name the type, as in input: shop.v1.Order");
    if (l->d->schema == NULL)
        return;
    if (t.mapping != NULL) {
        add_loops(&t);
        mapping_look(t.mapping, see_bounds, &t);
        mapping_look(t.mapping, see, &t);
        judge_lets(&t);
    }
    judge_texts(l, yaml_node_child(l->root, "tags"), false);
    for (unsigned i = 0; i < l->d->step_count; i++) {
        judge_texts(l, yaml_node_child(l->steps[i], "metadata"), true);
        if (l->d->steps[i].stand_in == STAND_IN_LAST_GOOD)
            judge_literals(l, yaml_node_child(l->steps[i], "last_good"));
        else
            judge_call(&t, i, false);
        if (l->d->steps[i].has_compensation)
            judge_call(&t, i, true);
    }
    if (l->d->input != NULL && !t.input_used)
        lint_found_key(l, LINT_RULE_INPUT_UNUSED, yaml_node_child(l->root, "input"),
                       "is used by no step: every saga does the same");
}
