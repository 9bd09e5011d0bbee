/* policy_read.c - a policy from its YAML. */
#include "sidecar/base/timestamp.h"
#include "sidecar/definition/yaml_value.h"
#include "sidecar/policy/policy_inside.h"

#include "descriptors.h"

#include <stdlib.h>
#include <string.h>

#define POLICY_MEMORY_MAX (64u << 20)

static const char *const top_keys[] = {"rules", "waivers"};
static const char *const rule_keys[] = {"id", "severity", "that", "else"};
static const char *const waiver_keys[] = {"rule", "definition", "step", "reason", "until"};
static const char *const severities[] = {"error", "warning"};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int no_memory(struct error_detail *detail)
{
    return error_set(detail, E_MEMORY, "", NULL);
}

/* A text that stays. */
static int read_text(struct policy *p, const struct yaml_node *in, const char *key, size_t max, const char **out,
                     struct error_detail *detail)
{
    const struct yaml_node *n;
    struct bytes text;
    int code = yaml_need(in, key, &n, detail);
    if (code == 0)
        code = yaml_read_text(n, 1, max, &text, detail);
    if (code != 0)
        return code;
    text = pool_copy(&p->pool, bytes_of(text.at, text.size + 1));
    *out = (const char *)text.at;
    return text.at == NULL ? no_memory(detail) : 0;
}

/* ---- rules ---- */

static int compile(struct policy *p, const struct yaml_node *n, struct policy_rule *rule, struct error_detail *detail)
{
    struct environment environment = {.schema = p->schema,
                                      .container = bytes_of_text("saga.v1"),
                                      .variables = p->variables,
                                      .variable_count = VARIABLE_COUNT};
    struct expression_error error;
    if (n->kind != YAML_SCALAR)
        return yaml_refuse(n, E_ARGUMENT, detail, "must be an expression");
    int code = expression_compile(n->text, &environment, &p->pool, &rule->that, &error);
    if (code != 0)
        return code == E_MEMORY ? no_memory(detail) : yaml_refuse(n, code, detail, "%s", error.text);
    if (!type_fits(&type_bool, expression_type(rule->that), &p->pool))
        return yaml_refuse(n, E_ARGUMENT, detail, "must be a condition, which is true or false");
    rule->of_steps = expression_uses(rule->that, VARIABLE_STEP);
    rule->of_targets = expression_uses(rule->that, VARIABLE_TARGETS);
    return 0;
}

static struct policy_rule *find_rule(const struct policy *p, const char *id)
{
    for (unsigned i = 0; i < p->rule_count; i++)
        if (strcmp(p->rules[i].id, id) == 0)
            return &p->rules[i];
    return NULL;
}

static int read_rule(struct policy *p, const struct yaml_node *n, struct error_detail *detail)
{
    struct policy_rule rule = {.error = true};
    const struct yaml_node *that, *severity;
    uint32_t choice = 0;
    int code = yaml_check_mapping(n, rule_keys, COUNT(rule_keys), detail);
    if (code == 0)
        code = read_text(p, n, "id", STEP_NAME_BYTES_MAX, &rule.id, detail);
    if (code == 0 && find_rule(p, rule.id) != NULL)
        return yaml_refuse(n, E_ARGUMENT, detail, "another rule has the same id");
    if (code == 0)
        code = read_text(p, n, "else", 160, &rule.otherwise, detail);
    if (code == 0 && (severity = yaml_node_child(n, "severity")) != NULL)
        code = yaml_read_choice(severity, severities, COUNT(severities), &choice, detail);
    if (code == 0)
        code = yaml_need(n, "that", &that, detail);
    if (code == 0)
        code = compile(p, that, &rule, detail);
    rule.error = choice == 0;
    if (code == 0)
        p->rules[p->rule_count++] = rule;
    return code;
}

static int read_rules(struct policy *p, const struct yaml_node *root, struct error_detail *detail)
{
    const struct yaml_node *rules;
    int code = yaml_need(root, "rules", &rules, detail);
    if (code == 0)
        code = yaml_check_sequence(rules, detail);
    if (code == 0 && rules->count > POLICY_RULES_MAX)
        return yaml_refuse(rules, E_PAYLOAD, detail, "holds %u rules, and may hold %d", rules->count, POLICY_RULES_MAX);
    if (code == 0 && (p->rules = pool_take_zeroed(&p->pool, rules->count + 1, sizeof *p->rules)) == NULL)
        return no_memory(detail);
    for (const struct yaml_node *n = code == 0 ? rules->first : NULL; code == 0 && n != NULL; n = n->next)
        code = read_rule(p, n, detail);
    return code;
}

/* ---- waivers ---- */

/* "2027-03-01": to the end of that day, UTC. */
static int read_day(const struct yaml_node *waiver, struct instant *until, struct error_detail *detail)
{
    const struct yaml_node *n;
    char text[TIMESTAMP_TEXT_SIZE];
    int64_t seconds;
    int32_t nanos;
    int code = yaml_need(waiver, "until", &n, detail);
    if (code != 0)
        return code;
    if (n->kind == YAML_SCALAR && n->text.size == 10) {
        memcpy(text, n->text.at, 10);
        memcpy(text + 10, "T00:00:00Z", 11);
        if (timestamp_read(bytes_of_text(text), &seconds, &nanos)) {
            until->us = (seconds + 24 * 3600) * 1000000;
            return 0;
        }
    }
    return yaml_refuse(n, E_ARGUMENT, detail, "must be the waiver's last day, as in 2027-03-01");
}

static int read_waiver(struct policy *p, const struct yaml_node *n, struct error_detail *detail)
{
    struct waiver waiver = {.step = NULL};
    int code = yaml_check_mapping(n, waiver_keys, COUNT(waiver_keys), detail);
    if (code == 0)
        code = read_text(p, n, "rule", STEP_NAME_BYTES_MAX, &waiver.rule, detail);
    if (code == 0 && find_rule(p, waiver.rule) == NULL)
        return yaml_refuse(yaml_node_child(n, "rule"), E_ARGUMENT, detail, "no rule has this id");
    if (code == 0)
        code = read_text(p, n, "definition", NAME_BYTES_MAX, &waiver.definition, detail);
    if (code == 0 && yaml_node_child(n, "step") != NULL)
        code = read_text(p, n, "step", STEP_NAME_BYTES_MAX, &waiver.step, detail);
    if (code == 0)
        code = read_text(p, n, "reason", 400, &waiver.reason, detail);
    if (code == 0)
        code = read_day(n, &waiver.until, detail);
    if (code == 0)
        p->waivers[p->waiver_count++] = waiver;
    return code;
}

static int read_waivers(struct policy *p, const struct yaml_node *root, struct error_detail *detail)
{
    const struct yaml_node *waivers = yaml_node_child(root, "waivers");
    if (waivers == NULL)
        return 0;
    int code = yaml_check_sequence(waivers, detail);
    if (code == 0 && waivers->count > POLICY_WAIVERS_MAX)
        return yaml_refuse(waivers, E_PAYLOAD, detail, "holds %u waivers, and may hold %d", waivers->count,
                           POLICY_WAIVERS_MAX);
    if (code == 0 && (p->waivers = pool_take_zeroed(&p->pool, waivers->count + 1, sizeof *p->waivers)) == NULL)
        return no_memory(detail);
    for (const struct yaml_node *n = waivers->first; code == 0 && n != NULL; n = n->next)
        code = read_waiver(p, n, detail);
    return code;
}

/* ---- the whole ---- */

static int prepare(struct policy *p, struct error_detail *detail)
{
    int code = schema_read(bytes_of(descriptors, descriptors_size), p->memory, &p->schema, detail);
    if (code != 0)
        return code;
    p->definition = schema_message(p->schema, bytes_of_text("saga.v1.ModelDefinition"));
    p->step = schema_message(p->schema, bytes_of_text("saga.v1.ModelStep"));
    p->target = schema_message(p->schema, bytes_of_text("saga.v1.ModelTarget"));
    const struct type *definition = type_of_message(&p->pool, p->definition),
                      *step = type_of_message(&p->pool, p->step);
    const struct type *target = type_of_message(&p->pool, p->target);
    const struct type *targets = target == NULL ? NULL : type_map(&p->pool, &type_string, target);
    if (definition == NULL || step == NULL || targets == NULL)
        return no_memory(detail);
    p->variables[VARIABLE_DEFINITION] = (struct variable){.name = bytes_of_text("definition"), .type = definition};
    p->variables[VARIABLE_STEP] = (struct variable){.name = bytes_of_text("step"), .type = step};
    p->variables[VARIABLE_TARGETS] = (struct variable){.name = bytes_of_text("targets"), .type = targets};
    return 0;
}

int policy_read(struct bytes text, const struct memory *memory, struct policy **out, struct error_detail *detail)
{
    struct yaml_tree *tree = NULL;
    if (text.size > POLICY_BYTES_MAX)
        return error_set(detail, E_PAYLOAD, "", "the policy is longer than 256 KiB");
    struct policy *p = memory->take_zeroed(memory->self, sizeof *p);
    if (p == NULL)
        return no_memory(detail);
    p->memory = memory;
    pool_init(&p->pool, memory, POLICY_MEMORY_MAX);
    int code = prepare(p, detail);
    if (code == 0)
        code = yaml_tree_read(text, &tree, detail);
    const struct yaml_node *root = code == 0 ? yaml_tree_root(tree) : NULL;
    if (code == 0 && root == NULL)
        code = error_set(detail, E_ARGUMENT, "", "the text holds no policy");
    if (code == 0)
        code = yaml_check_mapping(root, top_keys, COUNT(top_keys), detail);
    if (code == 0)
        code = read_rules(p, root, detail);
    if (code == 0)
        code = read_waivers(p, root, detail);
    yaml_tree_destroy(tree);
    p->text = pool_copy(&p->pool, text);
    if (code == 0 && p->text.at == NULL)
        code = no_memory(detail);
    if (code == 0)
        *out = p;
    else
        policy_destroy(p);
    return code;
}

bool policy_same(const struct policy *a, const struct policy *b)
{
    return a == b || (a != NULL && b != NULL && bytes_equal(a->text, b->text));
}

void policy_destroy(struct policy *p)
{
    if (p == NULL)
        return;
    schema_destroy(p->schema);
    pool_finish(&p->pool);
    memory_give_back(p->memory, p, sizeof *p);
}
