/* typed_mapping.c - the parts of a typed definition in the order in which they may refer to one another: what each step answers, `let`, `require`, `when`,
 * and then the requests (typed_request.c). */
#include "sidecar/definition/typed_mapping.h"

#include "sidecar/definition/typed_request.h"
#include "sidecar/definition/typed_texts.h"
#include "sidecar/definition/yaml_value.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const require_keys[] = {"that", "else"};
static const char *const expect_keys[] = {"that", "else", "undo"};

/* What the parts of the reading share. */
struct mapping_reader {
    const struct definition *d;
    const struct yaml_node *root;
    const struct yaml_node **nodes; /* of the steps */
    const struct definition_limits *limits;
    struct error_detail *detail;
};

static void *take(void *self, size_t size)
{
    (void)self;
    return malloc(size);
}

static void *take_zeroed(void *self, size_t size)
{
    (void)self;
    return calloc(1, size);
}

static void give_back(void *self, void *at, size_t size)
{
    (void)self;
    (void)size;
    free(at);
}

const struct memory typed_memory = {.take = take, .take_zeroed = take_zeroed, .give_back = give_back};

/* Whether YAML may have ended the expression too early: what is plain within {} ends at the first comma or brace, of whatever kind, so that of
 * brackets it can hold round ones alone. */
static bool is_cut(const struct yaml_node *n)
{
    int open = 0;
    for (size_t i = 0; i < n->text.size; i++)
        open += (n->text.at[i] == '(') - (n->text.at[i] == ')');
    return open != 0 && n->plain && n->parent != NULL && n->parent->braced;
}

int typed_refuse(const struct yaml_node *n, unsigned offset, int code, const struct expression_error *error,
                 struct error_detail *detail)
{
    yaml_refuse(n, code, detail, "%s", error->text);
    /* A text of several lines was folded; its own lines are not known any more. */
    if (memchr(n->text.at, '\n', n->text.size) == NULL && error->column > 0)
        detail->column += (int)offset + error->column - 1 + !n->plain;
    bool cut = code == E_SYNTAX && is_cut(n);
    if (cut)
        error_append(detail, " (a comma or a brace outside quotes ends a text of YAML: quote the expression)");
    return yaml_rule(detail,
                     cut                  ? "expression-cut"
                     : code == E_SYNTAX   ? "expression-syntax"
                     : code == E_ARGUMENT ? "expression-type"
                                          : NULL,
                     code);
}

int typed_expression(const struct yaml_node *n, struct bytes *text, unsigned *offset, struct error_detail *detail)
{
    if (n->kind != YAML_SCALAR || n->text.size == 0)
        return yaml_refuse(n, E_ARGUMENT, detail, "must be an expression");
    *offset = n->text.at[0] == '=';
    *text = bytes_of(n->text.at + *offset, n->text.size - *offset);
    return 0;
}

/* Whether a name can stand in an expression. */
static bool is_identifier(struct bytes name)
{
    static const char *const reserved[] = {"true",     "false",   "null",      "in",       "as",  "break",  "const",
                                           "continue", "else",    "for",       "function", "if",  "import", "let",
                                           "loop",     "package", "namespace", "return",   "var", "void",   "while"};
    bool valid = name.size > 0 && (name.at[0] < '0' || name.at[0] > '9');
    for (size_t i = 0; i < name.size && valid; i++) {
        uint8_t c = name.at[i];
        valid = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    }
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved && valid; i++)
        valid = !bytes_equal(name, bytes_of_text(reserved[i]));
    return valid;
}

static int read_outputs(const struct mapping_reader *r, struct mapping *m)
{
    for (unsigned i = 0; i < r->d->step_count; i++) {
        const struct step_spec *step = &r->d->steps[i];
        if (step->stand_in == STAND_IN_NONE && !is_identifier(bytes_of_text(step->name)))
            return yaml_refuse(yaml_node_child(r->nodes[i], "name"), E_ARGUMENT, r->detail,
                               "expressions name this step: letters, digits and '_' only, and no reserved word");
        if (mapping_set_output(m, i, step->action.called->input, step->action.called->output) != 0)
            return error_set(r->detail, E_MEMORY, NULL, NULL);
    }
    return 0;
}

static int read_lets(const struct mapping_reader *r, struct mapping *m)
{
    const struct yaml_node *lets = yaml_node_child(r->root, "let");
    if (lets == NULL)
        return 0;
    if (lets->kind != YAML_MAPPING)
        return yaml_refuse(lets, E_ARGUMENT, r->detail, "must map names to expressions");
    for (const struct yaml_node *n = lets->first; n != NULL; n = n->next) {
        struct bytes text;
        unsigned offset = 0;
        struct expression_error error;
        bool taken = bytes_equal(n->key, bytes_of_text("input")) || bytes_equal(n->key, bytes_of_text("saga")) ||
                     bytes_equal(n->key, bytes_of_text("steps")) || bytes_equal(n->key, bytes_of_text("action"));
        if (!is_identifier(n->key) || taken)
            return yaml_refuse_key(n, E_ARGUMENT, r->detail,
                                   taken ? "this name has a meaning already"
                                         : "a name is letters, digits and '_', and no reserved word");
        int code = typed_expression(n, &text, &offset, r->detail);
        if (code != 0)
            return code;
        code = mapping_add_let(m, n->key, text, &error);
        if (code != 0)
            return typed_refuse(n, offset, code, &error, r->detail);
    }
    return 0;
}

/* A condition, and what is said when it does not hold. */
struct condition {
    const struct yaml_node *that;
    struct bytes text, words;
    unsigned offset;
};

static int read_condition(const struct mapping_reader *r, const struct yaml_node *n, struct condition *out)
{
    const struct yaml_node *otherwise;
    int code = yaml_need(n, "that", &out->that, r->detail);
    if (code == 0)
        code = yaml_need(n, "else", &otherwise, r->detail);
    if (code == 0)
        code = typed_expression(out->that, &out->text, &out->offset, r->detail);
    return code == 0 ? yaml_read_text(otherwise, 1, 160, &out->words, r->detail) : code;
}

static int read_requirement(const struct mapping_reader *r, const struct yaml_node *n, struct mapping *m)
{
    struct condition c;
    struct expression_error error;
    int code = yaml_check_mapping(n, require_keys, 2, r->detail);
    if (code == 0)
        code = read_condition(r, n, &c);
    if (code != 0)
        return code;
    code = mapping_add_require(m, c.text, c.words, &error);
    return code == 0 ? 0 : typed_refuse(c.that, c.offset, code, &error, r->detail);
}

static int read_requirements(const struct mapping_reader *r, struct mapping *m)
{
    const struct yaml_node *require = yaml_node_child(r->root, "require");
    int code = require == NULL ? 0 : yaml_check_sequence(require, r->detail);
    for (const struct yaml_node *n = require == NULL ? NULL : require->first; code == 0 && n != NULL; n = n->next)
        code = read_requirement(r, n, m);
    return code;
}

static int read_when(const struct mapping_reader *r, struct mapping *m, unsigned step)
{
    const struct yaml_node *n = yaml_node_child(r->nodes[step], "when");
    struct bytes text;
    unsigned offset = 0;
    struct expression_error error;
    if (n == NULL)
        return 0;
    if (r->d->pivot_step == (int)step)
        return yaml_refuse_key(n, E_ARGUMENT, r->detail, "the pivot is never skipped");
    int code = typed_expression(n, &text, &offset, r->detail);
    if (code != 0)
        return code;
    code = mapping_set_when(m, step, text, &error);
    return code == 0 ? 0 : typed_refuse(n, offset, code, &error, r->detail);
}

static int read_target(const struct mapping_reader *r, struct mapping *m, unsigned step)
{
    const struct yaml_node *target = yaml_node_child(r->nodes[step], "target"), *by;
    struct bytes text;
    unsigned offset = 0;
    struct expression_error error;
    if (r->d->steps[step].choice_count == 0)
        return 0;
    int code = yaml_need(target, "by", &by, r->detail);
    if (code == 0)
        code = typed_expression(by, &text, &offset, r->detail);
    if (code != 0)
        return code;
    code = mapping_set_target(m, step, text, &error);
    return code == 0 ? 0 : typed_refuse(by, offset, code, &error, r->detail);
}

/* What an answer must be. Where there is no way back, or the step's failure is passed over, one that is not so cannot be undone. */
static int read_expectation(const struct mapping_reader *r, const struct yaml_node *n, struct mapping *m, unsigned step)
{
    const struct step_spec *s = &r->d->steps[step];
    struct condition c;
    struct expression_error error;
    bool undone = true;
    int code = yaml_check_mapping(n, expect_keys, 3, r->detail);
    if (code == 0)
        code = read_condition(r, n, &c);
    const struct yaml_node *undo = yaml_node_child(n, "undo");
    if (code == 0 && undo != NULL)
        code = yaml_read_bool(undo, &undone, r->detail);
    if (code != 0)
        return code;
    bool forward = s->pivot || definition_step_forward_only(r->d, step);
    if (undone && (forward || step_spec_yields(s)))
        return yaml_refuse(n, E_ARGUMENT, r->detail, "needs undo: false, since %s",
                           forward           ? "the saga cannot turn back from this step"
                           : s->has_fallback ? "a step with a fallback turns no saga back"
                                             : "an optional step turns no saga back");
    code = mapping_add_expect(m, step, c.text, c.words, undone, &error);
    return code == 0 ? 0 : typed_refuse(c.that, c.offset, code, &error, r->detail);
}

static int read_expectations(const struct mapping_reader *r, struct mapping *m, unsigned step)
{
    const struct yaml_node *expect = yaml_node_child(r->nodes[step], "expect");
    int code = expect == NULL ? 0 : yaml_check_sequence(expect, r->detail);
    for (const struct yaml_node *n = expect == NULL ? NULL : expect->first; code == 0 && n != NULL; n = n->next)
        code = read_expectation(r, n, m, step);
    return code;
}

/* A request that is not mapped, as the expression that it is: undos may look at it. */
static int read_plain(const struct mapping_reader *r, struct mapping *m, const struct call_spec *call)
{
    char text[STEP_NAME_BYTES_MAX + 32];
    struct expression_error error;
    int code = 0;
    if (call->source == REQUEST_CONSTANT) {
        code = mapping_add_constant(m, call->constant, &error);
    } else if (call->source == REQUEST_OUTPUT) {
        snprintf(text, sizeof text, "steps.%s.output", r->d->steps[call->source_step].name);
        code = mapping_add_whole(m, bytes_of_text(text), &error);
    } else if (r->d->input != NULL) {
        code = mapping_add_whole(m, bytes_of_text("input"), &error);
    }
    return code == 0 ? 0 : error_set(r->detail, code, NULL, error.text);
}

static int read_call(const struct mapping_reader *r, struct mapping *m, unsigned step, bool compensation)
{
    const struct yaml_node *n = yaml_node_child(r->nodes[step], compensation ? "compensation" : "action");
    const struct step_spec *s = &r->d->steps[step];
    const struct call_spec *call = compensation ? &s->compensation : &s->action;
    bool value = s->stand_in == STAND_IN_VALUE;
    const struct message_type *type = value ? call->called->output : call->called->input;
    if (compensation && call->source != REQUEST_MAPPED)
        return 0;
    mapping_begin_request(m, (struct mapping_place){.step = (int)step, .compensation = compensation}, type);
    if (call->source != REQUEST_MAPPED)
        return read_plain(r, m, call);
    struct typed_request request = {.mapping = m, .limits = r->limits, .detail = r->detail};
    return typed_request_read(&request,
                              value ? yaml_node_child(r->nodes[step], "value") : yaml_node_child(n, "request"), type);
}

/* A loop: for_each, and its bounds. */
static int read_loop(const struct mapping_reader *r, struct mapping *m, unsigned step)
{
    unsigned own = step;
    while (r->d->steps[own].stand_in != STAND_IN_NONE)
        own--;
    const struct yaml_node *n = yaml_node_child(r->nodes[own], "for_each");
    struct bytes text;
    unsigned offset = 0;
    struct expression_error error;
    if (n == NULL)
        return 0;
    int code = typed_expression(n, &text, &offset, r->detail);
    if (code != 0)
        return code;
    code = mapping_set_loop(m, step, r->d->steps[step].max_items, text, &error);
    return code == 0 ? 0 : typed_refuse(n, offset, code, &error, r->detail);
}

/* The key of a last good answer, as the step sees it for which that stands in. */
static int read_key(const struct mapping_reader *r, struct mapping *m, unsigned step)
{
    const struct step_spec *s = &r->d->steps[step];
    unsigned own = step;
    while (r->d->steps[own].stand_in != STAND_IN_NONE)
        own--;
    if (s->stand_in != STAND_IN_LAST_GOOD || s->kept_key != NULL)
        return 0;
    const struct yaml_node *n = yaml_node_child(yaml_node_child(r->nodes[step], "last_good"), "key");
    struct bytes text;
    unsigned offset = 0;
    struct expression_error error;
    int code = typed_expression(n, &text, &offset, r->detail);
    if (code != 0)
        return code;
    code = mapping_set_key(m, own, text, &error);
    return code == 0 ? 0 : typed_refuse(n, offset, code, &error, r->detail);
}

static int read_parts(const struct mapping_reader *r, struct mapping *m)
{
    int code = read_outputs(r, m);
    if (code == 0)
        code = read_lets(r, m);
    for (unsigned i = 0; code == 0 && i < r->d->step_count; i++)
        code = read_loop(r, m, i);
    if (code == 0)
        code = read_requirements(r, m);
    if (code == 0)
        code = typed_tags_read(yaml_node_child(r->root, "tags"), m, r->detail);
    for (unsigned i = 0; code == 0 && i < r->d->step_count; i++) {
        code = read_when(r, m, i);
        if (code == 0)
            code = read_target(r, m, i);
        if (code == 0)
            code = typed_metadata_read(yaml_node_child(r->nodes[i], "metadata"), m, i, r->detail);
        if (code == 0)
            code = read_key(r, m, i);
        if (code == 0 && r->d->steps[i].stand_in != STAND_IN_LAST_GOOD)
            code = read_call(r, m, i, false);
        if (code == 0)
            code = read_expectations(r, m, i);
        if (code == 0 && r->d->steps[i].has_compensation)
            code = read_call(r, m, i, true);
    }
    struct typed_request output = {.mapping = m, .limits = r->limits, .detail = r->detail};
    return code != 0 ? code
                     : typed_output_read(yaml_node_child(r->root, "output"), yaml_node_child(r->root, "output_type"),
                                         &output, r->d->schema);
}

static bool computes(const struct mapping_reader *r)
{
    static const char *const keys[] = {"let", "require", "tags", "output", "output_type"};
    static const char *const step_keys[] = {"when", "for_each", "expect", "metadata"};
    bool any = false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        any = any || yaml_node_child(r->root, keys[i]) != NULL;
    for (unsigned i = 0; i < r->d->step_count; i++) {
        for (size_t j = 0; j < sizeof step_keys / sizeof *step_keys; j++)
            any = any || yaml_node_child(r->nodes[i], step_keys[j]) != NULL;
        any = any || (r->d->steps[i].stand_in == STAND_IN_LAST_GOOD && r->d->steps[i].kept_key == NULL);
        any = any || r->d->steps[i].choice_count > 0 || r->d->steps[i].action.source == REQUEST_MAPPED ||
              (r->d->steps[i].has_compensation && r->d->steps[i].compensation.source == REQUEST_MAPPED);
    }
    return any;
}

int typed_mapping_read(const struct yaml_node *root, const struct yaml_node **nodes,
                       const struct definition_limits *limits, struct definition *d, struct error_detail *detail)
{
    struct mapping_reader r = {.d = d, .root = root, .nodes = nodes, .limits = limits, .detail = detail};
    struct mapping *m = NULL;
    if (d->schema == NULL || !computes(&r))
        return 0;
    if (mapping_create(d, d->schema, d->input, &typed_memory, &m) != 0)
        return error_set(detail, E_MEMORY, NULL, NULL);
    int code = read_parts(&r, m);
    if (code == 0) {
        d->mapping = m;
        d->output = mapping_output_type(m);
        d->tagged = mapping_has_tags(m);
    } else {
        mapping_release(m);
    }
    return code;
}
