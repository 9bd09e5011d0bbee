/* config_objectives.c - the option objectives: what is promised of each definition's sagas. */
#include "sidecar/config/config_inside.h"

#define PERCENT_MIN 50000 /* thousandths of a percent */
#define PERCENT_MAX 99999

static const char *const names[] = {"success",   "latency",           "latency_percent",
                                    "freshness", "freshness_percent", "window"};

int config_read_percent(const struct config_reader *r, const struct yaml_node *mapping, const char *name, uint32_t *to)
{
    const struct yaml_node *n = yaml_node_child(mapping, name);
    return n == NULL ? 0 : yaml_read_permille(n, PERCENT_MIN, PERCENT_MAX, to, r->detail);
}

int config_read_span(const struct config_reader *r, const struct yaml_node *mapping, const char *name, struct span min,
                     struct span max, struct span *to)
{
    const struct yaml_node *n = yaml_node_child(mapping, name);
    return n == NULL ? 0 : yaml_read_span(n, min, max, to, r->detail);
}

static int read_objective(const struct config_reader *r, const struct yaml_node *n, struct config_objective *o)
{
    *o = (struct config_objective){.definition = (const char *)n->key.at,
                                   .latency_percent = 99000,
                                   .freshness_percent = 99000,
                                   .window = SPAN_S(30 * 24 * 3600)};
    if (!definition_name_valid(n->key, NAME_BYTES_MAX))
        return yaml_refuse_key(n, E_ARGUMENT, r->detail,
                               "the name of a definition is 1 to %d letters, digits, '-', '_' and '.'", NAME_BYTES_MAX);
    int code = yaml_check_mapping(n, names, sizeof names / sizeof names[0], r->detail);
    if (code == 0)
        code = config_read_percent(r, n, "success", &o->success);
    if (code == 0)
        code = config_read_percent(r, n, "latency_percent", &o->latency_percent);
    if (code == 0)
        code = config_read_percent(r, n, "freshness_percent", &o->freshness_percent);
    if (code == 0)
        code = config_read_span(r, n, "latency", SPAN_MS(1), SPAN_S(30 * 24 * 3600), &o->latency);
    if (code == 0)
        code = config_read_span(r, n, "freshness", SPAN_S(1), SPAN_S(30 * 24 * 3600), &o->freshness);
    if (code == 0)
        code = config_read_span(r, n, "window", SPAN_S(24 * 3600), SPAN_S(90 * 24 * 3600), &o->window);
    if (code == 0 && o->success == 0 && o->latency.us == 0 && o->freshness.us == 0)
        code = yaml_refuse(n, E_ARGUMENT, r->detail, "promises nothing: write success, latency or freshness");
    return code;
}

int config_mapping(const struct config_reader *r, enum option_index index, const char *example,
                   const struct yaml_node **out)
{
    const struct yaml_node *mapping = r->nodes[index];
    const struct option *o = &config_options[index];
    *out = NULL;
    if (mapping == NULL || yaml_node_is_null(mapping))
        return 0;
    if (mapping->kind != YAML_MAPPING)
        return yaml_refuse(mapping, E_ARGUMENT, r->detail, "must be a mapping, as in %s", example);
    if ((int64_t)mapping->count > o->max)
        return yaml_refuse(mapping, E_ARGUMENT, r->detail, "holds %u entries; it must be from %lld to %lld",
                           mapping->count, (long long)o->min, (long long)o->max);
    *out = mapping;
    return 0;
}

int config_read_objectives(const struct config_reader *r)
{
    const struct yaml_node *mapping;
    int code = config_mapping(r, OPTION_INDEX_objectives, "checkout: {success: 99.9}", &mapping);
    if (code != 0 || mapping == NULL)
        return code;
    struct config_objective *objectives = yaml_tree_take(r->tree, (mapping->count + 1) * sizeof *objectives);
    if (objectives == NULL)
        return error_set(r->detail, E_MEMORY, NULL, NULL);
    for (const struct yaml_node *n = mapping->first; code == 0 && n != NULL; n = n->next)
        code = read_objective(r, n, &objectives[n->index]);
    r->config->objectives = objectives;
    r->config->objective_count = mapping->count;
    return code;
}
