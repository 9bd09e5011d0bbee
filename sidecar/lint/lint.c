/* lint.c - the report: findings, in order, but for those that the text itself allows. */
#include "sidecar/lint/lint_inside.h"

#include "sidecar/base/check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const struct lint_row lint_rows[LINT_RULE_COUNT] = {
#define RULE(constant, id, severity, meaning, explanation, bad, good) \
    [LINT_RULE_##constant] = {id, LINT_##severity, meaning, explanation, bad, good},
#include "sidecar/lint/lint.def"
#undef RULE
};

int lint_rule_find(const char *id)
{
    for (int i = 0; i < LINT_RULE_COUNT; i++)
        if (strcmp(lint_rows[i].id, id) == 0)
            return i;
    return -1;
}

const char *lint_severity_name(enum lint_severity severity)
{
    return severity == LINT_ERROR ? "error" : severity == LINT_WARNING ? "warning" : "note";
}

/* The place of a new finding; when all are taken, that of the mildest one, the last of these, or NULL when none is milder. */
static struct lint_finding *place_for(struct lint_report *report, enum lint_severity severity)
{
    if (report->count < LINT_FINDINGS_MAX)
        return &report->findings[report->count++];
    struct lint_finding *mildest = NULL;
    report->more++;
    for (unsigned i = 0; i < report->count; i++) {
        struct lint_finding *f = &report->findings[i];
        if (lint_rows[f->rule].severity <= (mildest == NULL ? severity : lint_rows[mildest->rule].severity))
            mildest = f;
    }
    return mildest != NULL && lint_rows[mildest->rule].severity < severity ? mildest : NULL;
}

static void add(struct lint_report *report, enum lint_rule rule, const struct error_detail *detail)
{
    struct lint_finding *f = place_for(report, lint_rows[rule].severity);
    if (f == NULL)
        return;
    *f = (struct lint_finding){.rule = rule, .line = detail->line, .column = detail->column};
    memcpy(f->field, detail->field, sizeof f->field);
    memcpy(f->text, detail->text, sizeof f->text);
}

void lint_refused(struct lint_report *report, int code, const struct error_detail *detail)
{
    struct error_detail said = *detail;
    int rule = detail->rule == NULL ? -1 : lint_rule_find(detail->rule);
    if (rule < 0)
        rule = code == E_SYNTAX             ? LINT_RULE_SYNTAX
               : code == E_SCHEMA_NOT_FOUND ? LINT_RULE_SCHEMA_UNKNOWN
               : code == E_ARGUMENT         ? LINT_RULE_VALUE
                                            : LINT_RULE_BOUND;
    if (said.text[0] == '\0')
        error_append(&said, error_row(code)->text);
    add(report, (enum lint_rule)rule, &said);
}

/* ---- what the text allows ---- */

/* The rule that the line's comment names, with a reason behind the name; or -1. */
static int allowed_by(struct bytes line)
{
    static const char sign[] = "# lint: allow ";
    size_t size = sizeof sign - 1, i = 0;
    while (i + size <= line.size && memcmp(line.at + i, sign, size) != 0)
        i++;
    if (i + size > line.size)
        return -1;
    struct bytes said = bytes_of(line.at + i + size, line.size - i - size);
    for (int rule = 0; rule < LINT_RULE_COUNT; rule++) {
        size_t name = strlen(lint_rows[rule].id);
        if (name + 2 <= said.size && memcmp(said.at, lint_rows[rule].id, name) == 0 && said.at[name] == ' ')
            return rule;
    }
    return -1;
}

static bool is_comment(struct bytes line)
{
    size_t i = 0;
    while (i < line.size && line.at[i] == ' ')
        i++;
    return i < line.size && line.at[i] == '#';
}

/* Reads the comments of the text once, since there may be many findings. */
static int read_allowances(struct lint *l, struct yaml_tree *tree)
{
    struct bytes text = l->d->source;
    size_t lines = 1;
    for (size_t i = 0; i < text.size; i++)
        lines += text.at[i] == '\n';
    l->allowances = yaml_tree_take(tree, lines * sizeof *l->allowances);
    if (l->allowances == NULL)
        return E_MEMORY;
    for (size_t at = 0, end; l->line_count < lines; at = end + 1) {
        for (end = at; end < text.size && text.at[end] != '\n'; end++)
            ;
        struct bytes line = bytes_of(text.at + at, end - at);
        l->allowances[l->line_count++] =
            (struct lint_allowance){.rule = (int16_t)allowed_by(line), .alone = is_comment(line)};
    }
    return 0;
}

/* The reader of YAML ends lines at other characters, too, so that it may count more of them. */
static bool is_allowed(const struct lint *l, enum lint_rule rule, int line)
{
    if (lint_rows[rule].severity == LINT_ERROR || (size_t)line > l->line_count)
        return false;
    const struct lint_allowance *own = &l->allowances[line - 1];
    return own->rule == (int)rule || (line > 1 && own[-1].alone && own[-1].rule == (int)rule);
}

static void found(struct lint *l, enum lint_rule rule, const struct error_detail *detail)
{
    if (!is_allowed(l, rule, detail->line))
        add(l->report, rule, detail);
}

void lint_found(struct lint *l, enum lint_rule rule, const struct yaml_node *n, const char *format, ...)
{
    char text[sizeof((struct error_detail *)0)->text];
    struct error_detail detail;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    yaml_refuse(n, E_ARGUMENT, &detail, "%s", text);
    found(l, rule, &detail);
}

void lint_found_key(struct lint *l, enum lint_rule rule, const struct yaml_node *n, const char *format, ...)
{
    char text[sizeof((struct error_detail *)0)->text];
    struct error_detail detail;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    yaml_refuse_key(n, E_ARGUMENT, &detail, "%s", text);
    found(l, rule, &detail);
}

const struct yaml_node *lint_call(const struct lint *l, unsigned step, bool compensation)
{
    const struct yaml_node *n = yaml_node_child(l->steps[step], compensation ? "compensation" : "action");
    return n != NULL || compensation ? n : yaml_node_child(l->steps[step], "value"); /* which stands in for an action */
}

const struct yaml_node *lint_said(const struct lint *l, unsigned step, bool compensation, const char *key)
{
    const struct yaml_node *call = lint_call(l, step, compensation);
    const struct yaml_node *own = call->kind == YAML_MAPPING ? yaml_node_child(call, key) : NULL;
    const struct yaml_node *shared = yaml_node_child(l->steps[step], key);
    return own != NULL ? own : shared != NULL ? shared : call;
}

bool lint_before_pivot(const struct definition *d, unsigned step)
{
    return !d->forward_only && (d->pivot_step < 0 || step_set_has(&d->steps[d->pivot_step].ancestors, step));
}

static int by_place(const void *a, const void *b)
{
    const struct lint_finding *x = a, *y = b;
    int order = (x->line > y->line) - (x->line < y->line);
    if (order == 0)
        order = (x->column > y->column) - (x->column < y->column);
    return order != 0 ? order : (x->rule > y->rule) - (x->rule < y->rule);
}

int lint_definition(const struct definition *d, const struct participants *participants, struct lint_report *report)
{
    struct lint l = {.d = d, .participants = participants, .report = report};
    struct yaml_tree *tree;
    struct error_detail detail;
    if (yaml_tree_read(d->source, &tree, &detail) != 0)
        return E_MEMORY; /* it could be read once */
    l.root = yaml_tree_root(tree);
    unsigned steps = 0;
    for (const struct yaml_node *n = yaml_node_child(l.root, "steps")->first; n != NULL; n = n->next)
        for (const struct yaml_node *s = n; s != NULL; s = yaml_node_child(s, "fallback"))
            l.steps[steps++] = s;
    CHECK(steps == d->step_count);
    int code = read_allowances(&l, tree);
    if (code == 0) {
        lint_steps(&l);
        lint_times(&l);
        lint_typed(&l);
    }
    yaml_tree_destroy(tree);
    qsort(report->findings, report->count, sizeof *report->findings, by_place);
    return code;
}

const struct lint_finding *lint_first_error(const struct lint_report *report)
{
    for (unsigned i = 0; i < report->count; i++)
        if (lint_rows[report->findings[i].rule].severity == LINT_ERROR)
            return &report->findings[i];
    return NULL;
}

int lint_admit(const struct definition *d, struct error_detail *detail)
{
    struct participants unknown = {.at = NULL};
    struct lint_report report;
    report.count = report.more = 0;
    if (lint_definition(d, &unknown, &report) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    const struct lint_finding *f = lint_first_error(&report);
    if (f == NULL)
        return 0;
    error_set(detail, E_ARGUMENT, f->field, f->text);
    error_append(detail, " [");
    error_append(detail, lint_rows[f->rule].id);
    error_append(detail, "]");
    detail->line = f->line;
    detail->column = f->column;
    detail->rule = lint_rows[f->rule].id;
    return E_ARGUMENT;
}
