/* config_remedies.c - the option remediation: what the sidecar is to do by itself, and when. Expressions are read by sidecar/remedy/. */
#include "sidecar/config/config_inside.h"

#define EXPRESSION_BYTES_MAX 2048
#define URL_BYTES_MAX        1000

static const char *const names[] = {"when", "do",  "definition", "target", "where", "per_second",
                                    "url",  "for", "every",      "settle", "mode"};
static const char *const acts[] = {[CONFIG_REMEDY_RETRY] = "retry",
                                   [CONFIG_REMEDY_HOLD] = "hold",
                                   [CONFIG_REMEDY_TRIP] = "trip",
                                   [CONFIG_REMEDY_RESET] = "reset",
                                   [CONFIG_REMEDY_PAGE] = "page"};
static const char *const modes[] = {"dry-run", "act"};

static int read_text(const struct config_reader *r, const struct yaml_node *mapping, const char *name, size_t max,
                     const char **to)
{
    const struct yaml_node *n = yaml_node_child(mapping, name);
    struct bytes text;
    int code = n == NULL ? 0 : yaml_read_text(n, 1, max, &text, r->detail);
    if (n != NULL && code == 0)
        *to = (const char *)text.at;
    return code;
}

static int read_texts(const struct config_reader *r, const struct yaml_node *n, struct config_remedy *m)
{
    int code = read_text(r, n, "when", EXPRESSION_BYTES_MAX, &m->when);
    if (code == 0)
        code = read_text(r, n, "definition", NAME_BYTES_MAX, &m->definition);
    if (code == 0)
        code = read_text(r, n, "target", STEP_NAME_BYTES_MAX, &m->target);
    if (code == 0)
        code = read_text(r, n, "where", EXPRESSION_BYTES_MAX, &m->where);
    return code != 0 ? code : read_text(r, n, "url", URL_BYTES_MAX, &m->url);
}

/* What an act needs to be told. */
static int check(const struct config_reader *r, const struct yaml_node *n, const struct config_remedy *m)
{
    bool of_target = m->act == CONFIG_REMEDY_TRIP || m->act == CONFIG_REMEDY_RESET;
    bool of_definition = m->act == CONFIG_REMEDY_RETRY || m->act == CONFIG_REMEDY_HOLD;
    bool page = m->act == CONFIG_REMEDY_PAGE;
    if (of_target && m->target[0] == '\0')
        return yaml_refuse(n, E_ARGUMENT, r->detail, "%s acts on a target: say which (target)", acts[m->act]);
    if (of_definition && m->definition[0] == '\0')
        return yaml_refuse(n, E_ARGUMENT, r->detail, "%s acts on a definition: say which (definition)", acts[m->act]);
    if (page != (m->url[0] != '\0'))
        return yaml_refuse(n, E_ARGUMENT, r->detail,
                           page ? "page needs the url of a webhook" : "only page takes a url");
    if (page && strncmp(m->url, "http://", 7) != 0 && strncmp(m->url, "https://", 8) != 0)
        return yaml_refuse(n, E_ARGUMENT, r->detail, "url begins with http:// or https://");
    return 0;
}

static int read_remedy(const struct config_reader *r, const struct yaml_node *n, struct config_remedy *m)
{
    *m = (struct config_remedy){.name = (const char *)n->key.at,
                                .when = "",
                                .definition = "",
                                .target = "",
                                .where = "true",
                                .url = "",
                                .per_second = 1,
                                .every = SPAN_S(600),
                                .settle = SPAN_S(300)};
    const struct yaml_node *act, *mode = NULL, *rate;
    uint32_t acts_not_dry = 0;
    if (!definition_name_valid(n->key, STEP_NAME_BYTES_MAX))
        return yaml_refuse_key(n, E_ARGUMENT, r->detail,
                               "the name of a rule is 1 to %d letters, digits, '-', '_' and '.'", STEP_NAME_BYTES_MAX);
    int code = yaml_check_mapping(n, names, sizeof names / sizeof names[0], r->detail);
    if (code == 0)
        code = yaml_need(n, "when", &act, r->detail);
    if (code == 0)
        code = yaml_need(n, "do", &act, r->detail);
    if (code == 0)
        code = yaml_read_choice(act, acts, sizeof acts / sizeof acts[0], &m->act, r->detail);
    if (code == 0 && (mode = yaml_node_child(n, "mode")) != NULL)
        code = yaml_read_choice(mode, modes, 2, &acts_not_dry, r->detail);
    m->acts = acts_not_dry == 1;
    if (code == 0)
        code = read_texts(r, n, m);
    uint64_t per_second = 1;
    if (code == 0 && (rate = yaml_node_child(n, "per_second")) != NULL)
        code = yaml_read_count(rate, 1, 10000, &per_second, r->detail);
    m->per_second = (uint32_t)per_second;
    if (code == 0)
        code = config_read_span(r, n, "for", (struct span){0}, SPAN_S(24 * 3600), &m->lasts);
    if (code == 0)
        code = config_read_span(r, n, "every", SPAN_S(10), SPAN_S(30 * 24 * 3600), &m->every);
    if (code == 0)
        code = config_read_span(r, n, "settle", SPAN_S(10), SPAN_S(24 * 3600), &m->settle);
    return code != 0 ? code : check(r, n, m);
}

int config_read_remedies(const struct config_reader *r)
{
    const struct yaml_node *mapping;
    int code = config_mapping(r, OPTION_INDEX_remediation,
                              "name: {when: \"deadletters > 0\", do: retry, definition: checkout}", &mapping);
    if (code != 0 || mapping == NULL)
        return code;
    struct config_remedy *remedies = yaml_tree_take(r->tree, (mapping->count + 1) * sizeof *remedies);
    if (remedies == NULL)
        return error_set(r->detail, E_MEMORY, NULL, NULL);
    for (const struct yaml_node *n = mapping->first; code == 0 && n != NULL; n = n->next)
        code = read_remedy(r, n, &remedies[n->index]);
    r->config->remediation = remedies;
    r->config->remedy_count = mapping->count;
    return code;
}
