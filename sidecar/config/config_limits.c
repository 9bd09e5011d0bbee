/* config_limits.c - the option definition_limits: how many sagas of each definition there may be. */
#include "sidecar/config/config_inside.h"

static const char *const names[] = {"live_sagas_max", "starts_per_second", "starts_burst"};

static int read_count(const struct config_reader *r, const struct yaml_node *mapping, const char *name, uint64_t most,
                      uint32_t *to)
{
    uint64_t number = 0;
    const struct yaml_node *n = yaml_node_child(mapping, name);
    int code = n == NULL ? 0 : yaml_read_count(n, 1, most, &number, r->detail);
    if (code != 0)
        return code;
    *to = (uint32_t)number;
    /* A share of nothing would be no bound at all. */
    if (n != NULL && number < r->config->loops)
        return yaml_refuse(n, E_ARGUMENT, r->detail, "%s (%u) must not be below loops (%u): each loop has its share",
                           name, (unsigned)number, (unsigned)r->config->loops);
    return 0;
}

static int read_limit(const struct config_reader *r, const struct yaml_node *n, struct config_limit *l)
{
    *l = (struct config_limit){.definition = (const char *)n->key.at};
    if (!definition_name_valid(n->key, NAME_BYTES_MAX))
        return yaml_refuse_key(n, E_ARGUMENT, r->detail,
                               "the name of a definition is 1 to %d letters, digits, '-', '_' and '.'", NAME_BYTES_MAX);
    int code = yaml_check_mapping(n, names, sizeof names / sizeof names[0], r->detail);
    if (code == 0)
        code = read_count(r, n, "live_sagas_max", 16000000, &l->live_sagas_max);
    if (code == 0)
        code = read_count(r, n, "starts_per_second", 100000, &l->starts_per_second);
    if (code == 0)
        code = read_count(r, n, "starts_burst", 100000, &l->starts_burst);
    if (code == 0 && l->starts_burst != 0 && l->starts_per_second == 0)
        code = yaml_refuse(n, E_ARGUMENT, r->detail, "starts_burst goes with starts_per_second");
    if (code == 0 && l->live_sagas_max == 0 && l->starts_per_second == 0)
        code = yaml_refuse(n, E_ARGUMENT, r->detail, "bounds nothing: write live_sagas_max or starts_per_second");
    if (code == 0 && l->live_sagas_max > r->config->live_sagas_max)
        code =
            yaml_refuse(yaml_node_child(n, "live_sagas_max"), E_ARGUMENT, r->detail,
                        "live_sagas_max (%u) of a definition must not be above that of all (%u), or it bounds nothing",
                        (unsigned)l->live_sagas_max, (unsigned)r->config->live_sagas_max);
    if (l->starts_burst == 0)
        l->starts_burst = l->starts_per_second;
    return code;
}

int config_read_limits(const struct config_reader *r)
{
    const struct yaml_node *mapping = r->nodes[OPTION_INDEX_definition_limits];
    const struct option *o = &config_options[OPTION_INDEX_definition_limits];
    if (mapping == NULL || yaml_node_is_null(mapping))
        return 0;
    if (mapping->kind != YAML_MAPPING)
        return yaml_refuse(mapping, E_ARGUMENT, r->detail,
                           "must be a mapping, as in checkout: {starts_per_second: 50}");
    if ((int64_t)mapping->count > o->max)
        return yaml_refuse(mapping, E_ARGUMENT, r->detail, "holds %u entries; it must be from %lld to %lld",
                           mapping->count, (long long)o->min, (long long)o->max);
    struct config_limit *limits = yaml_tree_take(r->tree, (mapping->count + 1) * sizeof *limits);
    if (limits == NULL)
        return error_set(r->detail, E_MEMORY, NULL, NULL);
    int code = 0;
    for (const struct yaml_node *n = mapping->first; code == 0 && n != NULL; n = n->next)
        code = read_limit(r, n, &limits[n->index]);
    r->config->definition_limits = limits;
    r->config->definition_limit_count = mapping->count;
    return code;
}
