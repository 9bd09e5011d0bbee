/* config_synthetics.c - the option synthetics: sagas that the sidecar starts by itself, as a heartbeat. */
#include "sidecar/config/config_inside.h"

#define INPUT_BYTES_MAX 65536

static const char *const names[] = {"every",   "version", "input",           "input_json", "deadline",
                                    "success", "latency", "latency_percent", "window"};

static int read_text(const struct config_reader *r, const struct yaml_node *mapping, const char *name, size_t max,
                     const char **to)
{
    const struct yaml_node *n = yaml_node_child(mapping, name);
    struct bytes text;
    int code = n == NULL ? 0 : yaml_read_text(n, 1, max, &text, r->detail);
    *to = n == NULL || code != 0 ? "" : (const char *)text.at;
    return code;
}

static int read_input(const struct config_reader *r, const struct yaml_node *n, struct config_synthetic *s)
{
    int code = read_text(r, n, "version", VERSION_BYTES_MAX, &s->version);
    if (code == 0)
        code = read_text(r, n, "input", INPUT_BYTES_MAX, &s->input);
    if (code == 0)
        code = read_text(r, n, "input_json", INPUT_BYTES_MAX, &s->input_json);
    if (code == 0 && s->input[0] != '\0' && s->input_json[0] != '\0')
        code = yaml_refuse(n, E_ARGUMENT, r->detail, "give the input either as text (input) or as JSON (input_json)");
    return code;
}

static int read_synthetic(const struct config_reader *r, const struct yaml_node *n, struct config_synthetic *s)
{
    *s = (struct config_synthetic){.every = SPAN_S(60),
                                   .deadline = SPAN_S(30),
                                   .promised = {.definition = (const char *)n->key.at,
                                                .success = 99000,
                                                .latency_percent = 99000,
                                                .window = SPAN_S(30 * 24 * 3600)}};
    if (!definition_name_valid(n->key, NAME_BYTES_MAX))
        return yaml_refuse_key(n, E_ARGUMENT, r->detail,
                               "the name of a definition is 1 to %d letters, digits, '-', '_' and '.'", NAME_BYTES_MAX);
    int code = yaml_check_mapping(n, names, sizeof names / sizeof names[0], r->detail);
    if (code == 0)
        code = config_read_span(r, n, "every", SPAN_S(1), SPAN_S(24 * 3600), &s->every);
    if (code == 0)
        code = config_read_span(r, n, "deadline", SPAN_MS(1), SPAN_S(24 * 3600), &s->deadline);
    if (code == 0)
        code = read_input(r, n, s);
    if (code == 0)
        code = config_read_percent(r, n, "success", &s->promised.success);
    if (code == 0)
        code = config_read_percent(r, n, "latency_percent", &s->promised.latency_percent);
    if (code == 0)
        code = config_read_span(r, n, "latency", SPAN_MS(1), SPAN_S(30 * 24 * 3600), &s->promised.latency);
    if (code == 0)
        code = config_read_span(r, n, "window", SPAN_S(24 * 3600), SPAN_S(90 * 24 * 3600), &s->promised.window);
    return code;
}

int config_read_synthetics(const struct config_reader *r)
{
    const struct yaml_node *mapping;
    int code = config_mapping(r, OPTION_INDEX_synthetics, "checkout: {every: 1m}", &mapping);
    if (code != 0 || mapping == NULL)
        return code;
    struct config_synthetic *synthetics = yaml_tree_take(r->tree, (mapping->count + 1) * sizeof *synthetics);
    if (synthetics == NULL)
        return error_set(r->detail, E_MEMORY, NULL, NULL);
    for (const struct yaml_node *n = mapping->first; code == 0 && n != NULL; n = n->next)
        code = read_synthetic(r, n, &synthetics[n->index]);
    r->config->synthetics = synthetics;
    r->config->synthetic_count = mapping->count;
    return code;
}
