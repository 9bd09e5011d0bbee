/* lint_typed.c - what a definition that knows its messages computes, and what becomes of them. */
#include "sidecar/lint/lint_inside.h"

#include "sidecar/expression/examine.h"
#include "sidecar/mapping/mapping_look.h"

#include <string.h>

#define LETS_MAX 64

struct typed_lint {
    struct lint *lint;
    const struct mapping *mapping;
    bool input_used;
    bool let_used[LETS_MAX];
    const struct field *let_redacted[LETS_MAX]; /* that it is computed from; NULL: none */
    const struct field *redacted;               /* likewise the expression that is judged */
    unsigned let_count;
    struct step_set undo_computes; /* steps whose compensation's request has an expression that uses something */
    const struct yaml_node *at;    /* of the expression that is judged */
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
        n = yaml_node_child(l->steps[what->index], "for_each");
        break;
    case MAPPING_METADATA:
        n = yaml_node_child(l->steps[what->index], "metadata");
        break;
    case MAPPING_TARGET:
        n = yaml_node_child(l->steps[what->index], "target");
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
        if ((!mapping_has_when(t->mapping, i) && !l->d->steps[i].optional) ||
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
    t->input_used = t->input_used || expression_uses(what->expression, mapping_input());
    for (unsigned i = 0; i < LETS_MAX; i++)
        t->let_used[i] = t->let_used[i] || expression_uses(what->expression, mapping_let(t->mapping, i));
    bool constant = examine_is_constant(what->expression);
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

/* ---- methods, and what is sent whole ---- */

static void judge_call(struct typed_lint *t, unsigned i, bool compensation)
{
    struct lint *l = t->lint;
    const struct step_spec *s = &l->d->steps[i];
    const struct call_spec *call = compensation ? &s->compensation : &s->action;
    const struct yaml_node *n = lint_call(l, i, compensation);
    t->input_used = t->input_used || call->source == REQUEST_INPUT;
    if (call->called != NULL && call->called->deprecated)
        lint_found(l, LINT_RULE_METHOD_DEPRECATED, lint_said(l, i, compensation, "method"),
                   "%s is deprecated: its owners mean to take it away", call->method);
    if (call->source != REQUEST_MAPPED)
        return;
    if (n->kind == YAML_MAPPING)
        judge_literals(l, yaml_node_child(n, "request"));
    if (compensation && t->mapping != NULL && !step_set_has(&t->undo_computes, i))
        lint_found(l, LINT_RULE_UNDO_CONSTANT, lint_said(l, i, true, "request"),
                   "is the same for every saga: how does %s know what to undo?", call->target);
}

void lint_typed(struct lint *l)
{
    struct typed_lint t = {.lint = l, .mapping = l->d->mapping};
    if (l->d->schema_name == NULL)
        return;
    if (l->d->input_name == NULL)
        lint_found(l, LINT_RULE_INPUT_UNTYPED, yaml_node_child(l->root, "schema"),
                   "without input any bytes start a saga; name the type, as in input: shop.v1.Order");
    if (l->d->schema == NULL)
        return;
    if (t.mapping != NULL) {
        mapping_look(t.mapping, see, &t);
        judge_lets(&t);
    }
    for (unsigned i = 0; i < l->d->step_count; i++) {
        judge_call(&t, i, false);
        if (l->d->steps[i].has_compensation)
            judge_call(&t, i, true);
    }
    if (l->d->input != NULL && !t.input_used)
        lint_found_key(l, LINT_RULE_INPUT_UNUSED, yaml_node_child(l->root, "input"),
                       "is used by no step: every saga does the same");
}
