/* reader.c - a definition from its YAML: the mapping at the top, the steps, and how they hang together. Single calls
 * are read in call_reader.c. */
#include "sidecar/definition/reader.h"

#include "sidecar/definition/call_reader.h"
#include "sidecar/definition/graph.h"
#include "sidecar/definition/pack.h"
#include "sidecar/definition/quantity.h"
#include "sidecar/definition/typed.h"
#include "sidecar/definition/typed_mapping.h"
#include "sidecar/definition/yaml_value.h"
#include "sidecar/mapping/mapping.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const definition_keys[] = {
    "name", "version", "schema", "input", "deadline", "compensation_order", "steps", "forward_only", "priority"};
static const char *const step_keys[] = {"name",         "after",       "pivot",    "target",   "action",
                                        "compensation", "timeout",     "retry",    "optional", "irreversible",
                                        "fallback",     "unavailable", "deferred", "reserve"};
/* Of a definition that names a schema. */
static const char *const typed_keys[] = {
    "name",   "version", "schema",       "input", "let",    "deadline",    "compensation_order",
    "steps",  "require", "forward_only", "tags",  "output", "output_type", "priority",
    "fair_by"};
static const char *const typed_step_keys[] = {"name",         "after",        "pivot",       "when",     "target",
                                              "action",       "compensation", "timeout",     "retry",    "optional",
                                              "expect",       "irreversible", "metadata",    "for_each", "max_items",
                                              "max_parallel", "fallback",     "unavailable", "deferred", "reserve"};
/* Of what stands in for a step. */
static const char *const fallback_keys[] = {"target", "action",   "compensation", "timeout",  "retry",
                                            "value",  "fallback", "unavailable",  "last_good"};
static const char *const last_good_keys[] = {"key", "max_age", "name"};
static const char *const priorities[] = {"low", "normal", "high"}; /* from PRIORITY_LOW on */
static const char *const orders[] = {[ORDER_REVERSE] = "reverse", [ORDER_DEPENDENCY] = "dependency"};
/* Room for "[255]" is left. */
#define LOOP_NAME_BYTES_MAX (STEP_NAME_BYTES_MAX - 6)
#define COUNT(array)        (sizeof(array) / sizeof((array)[0]))

/* A definition while it is read: its texts are views into the tree. */
struct draft {
    const struct definition_limits *limits;
    struct yaml_tree *tree;
    struct definition d;
    const struct yaml_node **nodes; /* of the steps */
    bool typed;
    struct error_detail *detail;
};

static int read_name(const struct yaml_node *n, size_t max, const char **name, struct error_detail *detail)
{
    struct bytes text;
    char quoted[YAML_QUOTE_SIZE];
    int code = yaml_read_text(n, 1, max, &text, detail);
    if (code != 0)
        return code;
    if (!definition_name_valid(text, max))
        return yaml_refuse(n, E_ARGUMENT, detail, "\"%s\" may hold only letters, digits, '-', '_' and '.'",
                           yaml_quote(text, quoted));
    *name = (const char *)text.at;
    return 0;
}

static int read_version(const struct yaml_node *n, const char **version, struct error_detail *detail)
{
    struct bytes text;
    char quoted[YAML_QUOTE_SIZE];
    int code = yaml_read_text(n, 1, VERSION_BYTES_MAX, &text, detail);
    if (code != 0)
        return code;
    if (!definition_version_valid((const char *)text.at))
        return yaml_refuse(n, E_ARGUMENT, detail, "\"%s\" is not a semantic version, as in 1.0.0 or 2.1.0-rc.1",
                           yaml_quote(text, quoted));
    *version = (const char *)text.at;
    return 0;
}

/* Among whom its sagas' steps take their turns at a target. */
static int read_turns(struct draft *draft, const struct yaml_node *root)
{
    const struct yaml_node *priority = yaml_node_child(root, "priority"), *fair_by = yaml_node_child(root, "fair_by");
    const struct yaml_node *tags = yaml_node_child(root, "tags");
    uint32_t choice = 0;
    int code = priority == NULL ? 0 : yaml_read_choice(priority, priorities, COUNT(priorities), &choice, draft->detail);
    draft->d.priority = priority == NULL ? PRIORITY_UNSAID : (uint8_t)(PRIORITY_LOW + choice);
    if (code == 0 && fair_by != NULL)
        code = read_name(fair_by, STEP_NAME_BYTES_MAX, &draft->d.fair_by, draft->detail);
    if (code == 0 && fair_by != NULL &&
        (tags == NULL || tags->kind != YAML_MAPPING || yaml_node_child(tags, draft->d.fair_by) == NULL))
        code = yaml_refuse(fair_by, E_ARGUMENT, draft->detail,
                           "must be one of the definition's tags, as in tags: {%s: =input.%s}", draft->d.fair_by,
                           draft->d.fair_by);
    return code;
}

/* The mapping at the top, without the steps. */
static int read_head(struct draft *draft, const struct yaml_node *root)
{
    const struct yaml_node *name, *version;
    int code = draft->typed ? yaml_check_mapping(root, typed_keys, COUNT(typed_keys), draft->detail)
                            : yaml_check_mapping(root, definition_keys, COUNT(definition_keys), draft->detail);
    if (code == 0)
        code = yaml_need(root, "name", &name, draft->detail);
    if (code == 0)
        code = read_name(name, NAME_BYTES_MAX, &draft->d.name, draft->detail);
    if (code == 0)
        code = yaml_need(root, "version", &version, draft->detail);
    if (code == 0)
        code = read_version(version, &draft->d.version, draft->detail);
    if (code == 0)
        code = typed_read(root, draft->limits, &draft->d, draft->detail);
    const struct yaml_node *deadline = yaml_node_child(root, "deadline");
    if (code == 0 && deadline != NULL)
        code = yaml_read_span(deadline, SPAN_MS(1), draft->limits->deadline_max, &draft->d.deadline, draft->detail);
    const struct yaml_node *order = yaml_node_child(root, "compensation_order");
    uint32_t choice = ORDER_REVERSE;
    if (code == 0 && order != NULL)
        code = yaml_read_choice(order, orders, COUNT(orders), &choice, draft->detail);
    draft->d.order = (enum compensation_order)choice;
    if (code == 0)
        code = read_turns(draft, root);
    const struct yaml_node *forward = yaml_node_child(root, "forward_only");
    if (code == 0 && forward != NULL)
        code = yaml_read_bool(forward, &draft->d.forward_only, draft->detail);
    if (code == 0 && draft->d.forward_only && (deadline != NULL || order != NULL))
        code = yaml_refuse_key(deadline != NULL ? deadline : order, E_ARGUMENT, draft->detail,
                               "means nothing in a saga that never turns back (forward_only)");
    return code;
}

static struct step_spec *add_step(struct draft *draft, const struct yaml_node *n, const char *name)
{
    struct step_spec *s = &draft->d.steps[draft->d.step_count];
    draft->nodes[draft->d.step_count++] = n;
    s->name = name;
    s->action.target_index = s->compensation.target_index = -1;
    return s;
}

/* What stands in for a step, if anything does, is a step behind it: "charge.fallback". */
static int add_fallbacks(struct draft *draft, const struct yaml_node *step)
{
    static const char ending[] = ".fallback";
    const struct yaml_node *n = yaml_node_child(step, "fallback");
    for (; n != NULL; n = yaml_node_child(n, "fallback")) {
        struct step_spec *before = &draft->d.steps[draft->d.step_count - 1];
        size_t size = strlen(before->name);
        int code = yaml_check_mapping(n, fallback_keys, COUNT(fallback_keys), draft->detail);
        if (code != 0)
            return code;
        if (size + sizeof ending - 1 > STEP_NAME_BYTES_MAX)
            return yaml_refuse_key(n, E_ARGUMENT, draft->detail,
                                   "would be called %s.fallback, and a step's name has at most 64 bytes", before->name);
        char *name = yaml_tree_take(draft->tree, size + sizeof ending);
        if (name == NULL)
            return error_set(draft->detail, E_MEMORY, NULL, NULL);
        memcpy(name, before->name, size);
        memcpy(name + size, ending, sizeof ending);
        before->has_fallback = true;
        add_step(draft, n, name)->stand_in = yaml_node_child(n, "action") != NULL      ? STAND_IN_CALL
                                             : yaml_node_child(n, "last_good") != NULL ? STAND_IN_LAST_GOOD
                                                                                       : STAND_IN_VALUE;
    }
    return 0;
}

/* The steps, and what stands in for them. */
static unsigned count_steps(const struct yaml_node *steps)
{
    unsigned count = 0;
    for (const struct yaml_node *step = steps->first; step != NULL; step = step->next)
        for (const struct yaml_node *n = step; n != NULL; n = yaml_node_child(n, "fallback"))
            count++;
    return count;
}

/* Makes room for the steps and reads their names, which everything else in them may refer to. */
/* What is written beside a call, and belongs into it, is told so. */
static int check_step_keys(const struct draft *draft, const struct yaml_node *n)
{
    static const char *const of_calls[] = {"method", "request", "barrier", "idempotent"};
    for (size_t i = 0; i < COUNT(of_calls); i++) {
        const struct yaml_node *misplaced = yaml_node_child(n, of_calls[i]);
        if (misplaced != NULL)
            return yaml_rule(draft->detail, "key-unknown",
                             yaml_refuse_key(misplaced, E_ARGUMENT, draft->detail,
                                             "stands within action or compensation: action: {method: "
                                             "/package.Service/Method, request: ...}"));
    }
    return draft->typed ? yaml_check_mapping(n, typed_step_keys, COUNT(typed_step_keys), draft->detail)
                        : yaml_check_mapping(n, step_keys, COUNT(step_keys), draft->detail);
}

static int read_step_names(struct draft *draft, const struct yaml_node *steps)
{
    struct error_detail *detail = draft->detail;
    int code = yaml_check_sequence(steps, detail);
    if (code != 0)
        return code;
    unsigned count = count_steps(steps);
    if (count == 0)
        return yaml_refuse(steps, E_ARGUMENT, detail, "must hold at least one step");
    if (count > draft->limits->steps_max)
        return yaml_refuse(steps, E_STEPS, detail, "holds %u steps; steps_max is %u", count,
                           (unsigned)draft->limits->steps_max);
    draft->d.steps = calloc(count, sizeof *draft->d.steps);
    draft->nodes = calloc(count, sizeof *draft->nodes);
    if (draft->d.steps == NULL || draft->nodes == NULL)
        return error_set(detail, E_MEMORY, NULL, NULL);
    for (const struct yaml_node *n = steps->first; n != NULL; n = n->next) {
        const struct yaml_node *name;
        const char *text = NULL;
        code = check_step_keys(draft, n);
        if (code == 0)
            code = yaml_need(n, "name", &name, detail);
        if (code == 0)
            code = read_name(name, STEP_NAME_BYTES_MAX, &text, detail);
        if (code != 0)
            return code;
        unsigned own = draft->d.step_count;
        add_step(draft, n, text);
        code = add_fallbacks(draft, n);
        for (unsigned i = own; code == 0 && i < draft->d.step_count; i++)
            if (definition_step_find(&draft->d, bytes_of_text(draft->d.steps[i].name)) < (int)own)
                code = yaml_rule(detail, "name-taken",
                                 yaml_refuse(name, E_ARGUMENT, detail, "an earlier step has the same name"));
        if (code != 0)
            return code;
    }
    return 0;
}

/* Who waits for a step waits for what stands in for it, too. */
static void add_after(struct draft *draft, unsigned index, unsigned step)
{
    step_set_add(&draft->d.steps[index].after, step);
    while (draft->d.steps[step].has_fallback)
        step_set_add(&draft->d.steps[index].after, ++step);
}

/* Which steps a step waits for. */
static int read_after(struct draft *draft, unsigned index)
{
    const struct yaml_node *after = yaml_node_child(draft->nodes[index], "after");
    if (draft->d.steps[index].stand_in != STAND_IN_NONE)
        step_set_add(&draft->d.steps[index].after, index - 1);
    if (after == NULL || yaml_node_is_null(after))
        return 0;
    int code = yaml_check_sequence(after, draft->detail);
    for (const struct yaml_node *n = after->first; code == 0 && n != NULL; n = n->next) {
        uint16_t step;
        code = call_read_step(&draft->d, n, &step, draft->detail);
        if (code != 0)
            return code;
        if (step == index)
            return yaml_rule(draft->detail, "after-circle",
                             yaml_refuse(n, E_ARGUMENT, draft->detail, "the step waits for itself"));
        if (step_set_has(&draft->d.steps[index].after, step))
            return yaml_refuse(n, E_ARGUMENT, draft->detail, "%s is listed twice", draft->d.steps[step].name);
        add_after(draft, index, step);
    }
    return code;
}

/* "reserve -> charge -> reserve", as far as there is room. */
static void write_circle(const struct definition *d, const uint16_t *circle, size_t size, char *text, size_t text_size)
{
    size_t used = 0;
    for (size_t i = 0; i <= size; i++) {
        const char *name = d->steps[circle[i % size]].name;
        if (used + strlen(name) + sizeof " -> ..." > text_size) {
            snprintf(text + used, text_size - used, "...");
            return;
        }
        used += (size_t)snprintf(text + used, text_size - used, "%s%s", name, i < size ? " -> " : "");
    }
}

static int check_order(struct draft *draft)
{
    uint16_t circle[STEPS_LIMIT];
    size_t size;
    char text[160];
    if (graph_order(&draft->d, circle, &size))
        return 0;
    write_circle(&draft->d, circle, size, text, sizeof text);
    return yaml_rule(draft->detail, "after-circle",
                     yaml_refuse_key(yaml_node_child(draft->nodes[circle[0]], "after"), E_ARGUMENT, draft->detail,
                                     "the steps wait for one another in a circle: %s", text));
}

/* Whether a step is a loop, and its bounds; its list is read with all that is computed. */
static int read_loop(struct draft *draft, unsigned index)
{
    const struct yaml_node *n = draft->nodes[index];
    const struct yaml_node *each = yaml_node_child(n, "for_each"), *items = yaml_node_child(n, "max_items"),
                           *parallel = yaml_node_child(n, "max_parallel");
    struct step_spec *step = &draft->d.steps[index];
    uint64_t number = 1;
    if (step->stand_in != STAND_IN_NONE) { /* an instance for each of those that it stands in for */
        step->loop = step[-1].loop;
        step->max_items = step[-1].max_items;
        step->max_parallel = step[-1].max_parallel;
        draft->d.loop_count += step->loop;
        return 0;
    }
    if (each == NULL && (items != NULL || parallel != NULL))
        return yaml_refuse_key(items != NULL ? items : parallel, E_ARGUMENT, draft->detail,
                               "is of a loop, which begins with for_each");
    if (each == NULL)
        return 0;
    if (items == NULL)
        return yaml_rule(draft->detail, "loop-unbounded",
                         yaml_refuse_key(each, E_ARGUMENT, draft->detail,
                                         "needs max_items: how many items a saga may have at most"));
    const struct step_spec *last = step;
    while (last->has_fallback)
        last++;
    if (strlen(last->name) > LOOP_NAME_BYTES_MAX)
        return yaml_refuse(yaml_node_child(n, "name"), E_ARGUMENT, draft->detail,
                           "a loop's name has at most 58 bytes, since its instances are called %s[0]", last->name);
    int code = yaml_read_count(items, 1, draft->limits->steps_max, &number, draft->detail);
    step->max_items = (uint16_t)number;
    number = 1;
    if (code == 0 && parallel != NULL)
        code = yaml_read_count(parallel, 1, draft->limits->steps_max, &number, draft->detail);
    step->max_parallel = (uint16_t)number;
    step->loop = true;
    draft->d.loop_count++;
    return code;
}

static int read_pivot(struct draft *draft, unsigned index)
{
    const struct yaml_node *pivot = yaml_node_child(draft->nodes[index], "pivot");
    struct step_spec *step = &draft->d.steps[index];
    const struct yaml_node *irreversible = yaml_node_child(draft->nodes[index], "irreversible");
    int code = pivot == NULL ? 0 : yaml_read_bool(pivot, &step->pivot, draft->detail);
    const struct yaml_node *optional = yaml_node_child(draft->nodes[index], "optional");
    if (code == 0 && optional != NULL)
        code = yaml_read_bool(optional, &step->optional, draft->detail);
    if (code == 0 && irreversible != NULL)
        code = yaml_read_bool(irreversible, &step->irreversible, draft->detail);
    if (step->stand_in != STAND_IN_NONE)
        step->optional = step[-1].optional;
    if (code != 0 || !step->pivot)
        return code;
    if (draft->d.forward_only)
        return yaml_refuse_key(pivot, E_ARGUMENT, draft->detail,
                               "has no meaning in a saga that never turns back (forward_only)");
    if (step->optional)
        return yaml_refuse_key(optional, E_ARGUMENT, draft->detail,
                               "the pivot is never optional: whether it is done decides which way the saga goes");
    if (step->has_fallback)
        return yaml_rule(
            draft->detail, "fallback-pivot",
            yaml_refuse_key(yaml_node_child(draft->nodes[index], "fallback"), E_ARGUMENT, draft->detail,
                            "nothing stands in for the pivot: whether it is done decides which way the saga goes"));
    if (draft->d.pivot_step >= 0)
        return yaml_rule(draft->detail, "pivot-second",
                         yaml_refuse_key(pivot, E_ARGUMENT, draft->detail,
                                         "%s is the pivot already; there can be only one",
                                         draft->d.steps[draft->d.pivot_step].name));
    draft->d.pivot_step = (int)index;
    return 0;
}

/* What the pivot asks of the other steps: none runs beside it, and none after it can be undone. */
static int check_pivot(struct draft *draft)
{
    const struct definition *d = &draft->d;
    for (unsigned i = 0; i < d->step_count && d->forward_only; i++)
        if (d->steps[i].has_compensation)
            return yaml_refuse_key(yaml_node_child(draft->nodes[i], "compensation"), E_ARGUMENT, draft->detail,
                                   "would never run: the saga never turns back (forward_only)");
    if (d->pivot_step < 0)
        return 0;
    const char *pivot = d->steps[d->pivot_step].name;
    int beside = graph_beside_pivot(d);
    if (beside >= 0)
        return yaml_rule(
            draft->detail, "pivot-beside",
            yaml_refuse(draft->nodes[beside], E_ARGUMENT, draft->detail,
                        "%s may run beside the pivot %s; every step must come before or after it (use after)",
                        d->steps[beside].name, pivot));
    for (unsigned i = 0; i < d->step_count; i++)
        if (d->steps[i].has_compensation && step_set_has(&d->steps[i].ancestors, (unsigned)d->pivot_step))
            return yaml_rule(
                draft->detail, "undo-past-pivot",
                yaml_refuse_key(yaml_node_child(draft->nodes[i], "compensation"), E_ARGUMENT, draft->detail,
                                "would never run: after the pivot %s the saga can only go forward", pivot));
    return 0;
}

/* Whether any step waits for this one. */
static bool is_last(const struct definition *d, unsigned index)
{
    for (unsigned i = 0; i < d->step_count; i++)
        if (step_set_has(&d->steps[i].ancestors, index))
            return false;
    return true;
}

/* What a step leaves of the deadline to those after it. */
static int read_reserve(struct draft *draft, unsigned index)
{
    const struct yaml_node *n = yaml_node_child(draft->nodes[index], "reserve");
    struct definition *d = &draft->d;
    char most[QUANTITY_TEXT_SIZE];
    if (n == NULL)
        return 0;
    int code = yaml_read_span(n, SPAN_MS(1), draft->limits->deadline_max, &d->steps[index].reserve, draft->detail);
    if (code != 0)
        return code;
    d->reserves = true;
    if (d->steps[index].pivot || definition_step_forward_only(d, index))
        return yaml_refuse_key(n, E_ARGUMENT, draft->detail,
                               "means nothing: no deadline ends the pivot, or what comes after it");
    if (is_last(d, index))
        return yaml_refuse_key(n, E_ARGUMENT, draft->detail,
                               "is for the steps after it, and there is none: take it out");
    quantity_write_span((struct span){.us = d->deadline.us - 1000}, most);
    return d->deadline.us == 0 || d->steps[index].reserve.us < d->deadline.us
               ? 0
               : yaml_refuse(n, E_ARGUMENT, draft->detail,
                             "leaves nothing of the saga's deadline to the step itself: at most %s", most);
}

/* "compensation: none" says that it was not forgotten. */
static bool says_none(const struct yaml_node *compensation)
{
    return compensation->kind == YAML_SCALAR && bytes_equal(compensation->text, bytes_of_text("none"));
}

/* Whether nobody need wait for the step: nothing that turns a saga back may come of it, nor may anything else wait for it. */
static int read_deferred(struct draft *draft, unsigned index)
{
    const struct yaml_node *n = yaml_node_child(draft->nodes[index], "deferred");
    struct step_spec *step = &draft->d.steps[index];
    int code = n == NULL ? 0 : yaml_read_bool(n, &step->deferred, draft->detail);
    if (step->stand_in != STAND_IN_NONE)
        step->deferred = step[-1].deferred;
    if (code == 0 && step->deferred && !definition_step_forward_only(&draft->d, index))
        return yaml_rule(
            draft->detail, "deferred-before-pivot",
            yaml_refuse_key(n, E_ARGUMENT, draft->detail,
                            "only what comes after the pivot (or in a forward_only saga) can be deferred: %s "
                            "may have to turn the saga back",
                            step->name));
    return code;
}

static int check_deferred(struct draft *draft)
{
    const struct definition *d = &draft->d;
    for (unsigned i = 0; i < d->step_count; i++)
        for (unsigned k = 0; k < d->step_count && !d->steps[i].deferred; k++)
            if (d->steps[k].deferred && step_set_has(&d->steps[i].ancestors, k))
                return yaml_rule(draft->detail, "deferred-waited-for",
                                 yaml_refuse(draft->nodes[i], E_ARGUMENT, draft->detail,
                                             "%s waits for %s, which is deferred; write deferred: true here too",
                                             d->steps[i].name, d->steps[k].name));
    return 0;
}

/* What the action does while its target takes no calls. */
static int read_unavailable(struct draft *draft, unsigned index)
{
    static const char *const choices[] = {"wait", "refuse", "fallback"};
    const struct yaml_node *n = yaml_node_child(draft->nodes[index], "unavailable");
    struct step_spec *step = &draft->d.steps[index];
    uint32_t choice = 0;
    int code = n == NULL ? 0 : yaml_read_choice(n, choices, COUNT(choices), &choice, draft->detail);
    step->in_haste = choice != 0;
    if (code != 0 || choice == 0)
        return code;
    if (!step_spec_asks(step))
        return yaml_refuse_key(n, E_ARGUMENT, draft->detail, "does not apply: nobody is called");
    if ((choice == 2) != step->has_fallback)
        return yaml_refuse(n, E_ARGUMENT, draft->detail,
                           choice == 2 ? "the step has no fallback; add one, or write refuse"
                                       : "the step has a fallback, which it takes then; write fallback");
    if (choice == 1 && !step->optional && definition_step_forward_only(&draft->d, index))
        return yaml_rule(draft->detail, "refuse-past-pivot",
                         yaml_refuse(n, E_ARGUMENT, draft->detail,
                                     "past the pivot there is no way back: wait, or give the step a fallback"));
    return 0;
}

/* What stands in is no call of its own. */
static int refuse_calls(struct draft *draft, const struct yaml_node *n)
{
    static const char *const of_calls[] = {"target", "compensation", "timeout", "retry"};
    for (size_t i = 0; i < COUNT(of_calls); i++)
        if (yaml_node_child(n, of_calls[i]) != NULL)
            return yaml_refuse_key(yaml_node_child(n, of_calls[i]), E_ARGUMENT, draft->detail,
                                   "is of another call, which begins with action");
    return 0;
}

/* The key of a last good answer: a text, or an expression, which is read with all that is computed. */
static int read_key(struct draft *draft, const struct yaml_node *n, struct step_spec *step)
{
    struct bytes text;
    int code = yaml_read_text(n, 1, LAST_GOOD_KEY_BYTES_MAX, &text, draft->detail);
    bool computed = code == 0 && text.at[0] == '=';
    if (code != 0 || (computed && draft->typed))
        return code;
    if (computed)
        return yaml_refuse(n, E_ARGUMENT, draft->detail,
                           "is an expression, for which the definition must name a schema; without one, a text");
    if (memchr(text.at, '\0', text.size) != NULL)
        return yaml_refuse(n, E_ARGUMENT, draft->detail, "must be text without a NUL");
    step->kept_key = (const char *)text.at;
    return 0;
}

/* The last good answer that the step, or another of the same name, has had under its key. */
static int read_last_good(struct draft *draft, unsigned index)
{
    const struct yaml_node *n = yaml_node_child(draft->nodes[index], "last_good"), *key, *age;
    const struct yaml_node *name = yaml_node_child(n, "name");
    struct step_spec *step = &draft->d.steps[index];
    int code = refuse_calls(draft, draft->nodes[index]);
    if (code == 0 && yaml_node_child(draft->nodes[index], "value") != NULL)
        return yaml_refuse_key(yaml_node_child(draft->nodes[index], "value"), E_ARGUMENT, draft->detail,
                               "stands in place of a last good answer; give last_good a fallback of its own");
    for (unsigned i = index; code == 0 && draft->d.steps[i].stand_in != STAND_IN_NONE; i--)
        if (draft->d.steps[i - 1].stand_in == STAND_IN_LAST_GOOD)
            return yaml_refuse_key(n, E_ARGUMENT, draft->detail, "stands in for the last good answer already");
    if (code == 0)
        code = yaml_check_mapping(n, last_good_keys, COUNT(last_good_keys), draft->detail);
    if (code == 0 && yaml_node_child(n, "max_age") == NULL)
        return yaml_rule(draft->detail, "last-good-ageless",
                         yaml_refuse_key(n, E_ARGUMENT, draft->detail,
                                         "needs max_age: how old the answer may be at most, as in max_age: 1h"));
    if (code == 0)
        code = yaml_need(n, "max_age", &age, draft->detail);
    if (code == 0)
        code = yaml_need(n, "key", &key, draft->detail);
    if (code == 0)
        code = read_key(draft, key, step);
    if (code == 0)
        code = yaml_read_span(age, LAST_GOOD_AGE_MIN, draft->limits->last_good_age_max, &step->max_age, draft->detail);
    if (code == 0 && name != NULL)
        code = read_name(name, NAME_BYTES_MAX, &step->kept_as, draft->detail);
    step->action = step[-1].action;
    step->action.source = REQUEST_CONSTANT; /* nobody is sent anything */
    step->action.constant = bytes_of(NULL, 0);
    step->none_said = true;
    return code;
}

/* What stands in for an output: the request of a call that is never made. */
static int read_value(struct draft *draft, struct call_reader *reader, unsigned index)
{
    const struct yaml_node *n = draft->nodes[index], *value;
    struct step_spec *step = &draft->d.steps[index];
    int code = refuse_calls(draft, n);
    if (code != 0)
        return code;
    if (yaml_node_child(n, "value") == NULL)
        return yaml_refuse(n, E_ARGUMENT, draft->detail,
                           "must have an action, which is called then, a value, which takes the output's place, or "
                           "last_good, which does so with an earlier answer");
    code = yaml_need(n, "value", &value, draft->detail);
    step->action = step[-1].action;
    step->none_said = true;
    return code != 0 ? code : call_read_value(reader, value, &step->action);
}

/* What a step says of both its calls, and then each of them. */
static int read_calls(struct draft *draft, unsigned index)
{
    const struct yaml_node *n = draft->nodes[index];
    struct step_spec *step = &draft->d.steps[index];
    struct call_reader reader = {.definition = &draft->d,
                                 .step = (uint16_t)index,
                                 .limits = draft->limits,
                                 .tree = draft->tree,
                                 .detail = draft->detail};
    const struct yaml_node *action;
    const struct yaml_node *compensation = yaml_node_child(n, "compensation");
    int code = read_unavailable(draft, index);
    if (code != 0 || step->stand_in == STAND_IN_VALUE)
        return code != 0 ? code : read_value(draft, &reader, index);
    if (step->stand_in == STAND_IN_LAST_GOOD)
        return read_last_good(draft, index);
    static const char *const others[] = {"value", "last_good"};
    for (size_t i = 0; i < COUNT(others) && step->stand_in == STAND_IN_CALL; i++)
        if (yaml_node_child(n, others[i]) != NULL)
            return yaml_refuse_key(yaml_node_child(n, others[i]), E_ARGUMENT, draft->detail,
                                   "stands in place of an action; give the action a fallback of its own");
    code = yaml_need(n, "action", &action, draft->detail);
    if (code == 0)
        code = call_read(&reader, n, action, false, &step->action);
    step->none_said = compensation != NULL && says_none(compensation);
    step->has_compensation = compensation != NULL && !step->none_said;
    if (code == 0 && step->has_compensation)
        code = call_read(&reader, n, compensation, true, &step->compensation);
    return code != 0 ? code : call_read_choices(&reader, n, step);
}

static int read_draft(struct draft *draft, const struct yaml_node *root)
{
    const struct yaml_node *steps;
    if (root == NULL)
        return error_set(draft->detail, E_ARGUMENT, NULL, "the text holds no definition");
    draft->typed = root->kind == YAML_MAPPING && yaml_node_child(root, "schema") != NULL;
    int code = read_head(draft, root);
    if (code == 0)
        code = yaml_need(root, "steps", &steps, draft->detail);
    if (code == 0)
        code = read_step_names(draft, steps);
    for (unsigned i = 0; code == 0 && i < draft->d.step_count; i++)
        code = read_after(draft, i);
    if (code == 0)
        code = check_order(draft);
    for (unsigned i = 0; code == 0 && i < draft->d.step_count; i++)
        code = read_pivot(draft, i);
    for (unsigned i = 0; code == 0 && i < draft->d.step_count; i++)
        code = read_deferred(draft, i);
    if (code == 0)
        code = check_deferred(draft);
    for (unsigned i = 0; code == 0 && i < draft->d.step_count; i++)
        code = read_reserve(draft, i);
    for (unsigned i = 0; code == 0 && i < draft->d.step_count; i++)
        code = read_loop(draft, i);
    for (unsigned i = 0; code == 0 && i < draft->d.step_count; i++)
        code = read_calls(draft, i);
    if (code == 0)
        code = typed_check(&draft->d, draft->nodes, draft->detail);
    if (code == 0)
        code = check_pivot(draft);
    return code != 0 || !draft->typed ? code
                                      : typed_mapping_read(root, draft->nodes, draft->limits, &draft->d, draft->detail);
}

struct definition_limits definition_limits_default(void)
{
    struct retry_policy action = {.max_attempts = 12, /* it outlasts 40 s of UNAVAILABLE: docs/definitions.md */
                                  .initial_backoff = SPAN_MS(100),
                                  .max_backoff = SPAN_S(10),
                                  .backoff_multiplier_permille = 2000,
                                  .jitter_permille = 200};
    struct retry_policy compensation = action;
    compensation.max_attempts = 20;
    compensation.initial_backoff = SPAN_MS(200);
    compensation.max_backoff = SPAN_S(30);
    return (struct definition_limits){.source_bytes_max = 262144,
                                      .steps_max = 64,
                                      .payload_bytes_max = 1048576,
                                      .deadline_max = SPAN_S(30 * 24 * 3600),
                                      .last_good_age_max = SPAN_S(7 * 24 * 3600),
                                      .retry = {.action = action, .compensation = compensation}};
}

int definition_read(struct bytes text, const struct definition_limits *limits, struct definition **out,
                    struct error_detail *detail)
{
    struct draft draft = {
        .limits = limits, .detail = detail, .d = {.source = text, .retry = limits->retry, .pivot_step = -1}};
    if (text.size > limits->source_bytes_max) {
        char sentence[96];
        snprintf(sentence, sizeof sentence, "the definition is %zu bytes long; definition_bytes_max is %u", text.size,
                 (unsigned)limits->source_bytes_max);
        return error_set(detail, E_ARGUMENT, NULL, sentence);
    }
    int code = yaml_tree_read(text, &draft.tree, detail);
    if (code != 0)
        return code;
    code = read_draft(&draft, yaml_tree_root(draft.tree));
    if (code == 0) {
        *out = definition_pack(&draft.d);
        if (*out == NULL)
            code = error_set(detail, E_MEMORY, NULL, NULL);
    }
    mapping_release(draft.d.mapping); /* the packed definition has a share of its own */
    free(draft.d.steps);
    free(draft.nodes);
    yaml_tree_destroy(draft.tree);
    return code;
}
