/* config_rules.c - the option authorization: a list of mappings, each a rule. */
#include "sidecar/config/config_inside.h"

#define WHO_MAX         64
#define MAY_MAX         64
#define DEFINITIONS_MAX 256
#define TEXT_BYTES_MAX  512
#define TAGS_MAX        16

/* One text, or a list of them. Returns how many there are. */
static const struct yaml_node *first_text(const struct yaml_node *n, unsigned *count)
{
    *count = n->kind == YAML_SCALAR ? 1 : n->count;
    return n->kind == YAML_SCALAR ? n : n->first;
}

static int check_texts(const struct config_reader *r, const struct yaml_node *n, unsigned max)
{
    if (n->kind == YAML_SCALAR)
        return 0;
    int code = yaml_check_sequence(n, r->detail);
    if (code == 0 && (n->count == 0 || n->count > max))
        code = yaml_refuse(n, E_ARGUMENT, r->detail, "holds %u entries; it must be from 1 to %u", n->count, max);
    return code;
}

static int find_listener(const struct config_reader *r, const struct yaml_node *n, struct who *who)
{
    for (size_t i = 0; i < r->config->listen_count; i++)
        if (strcmp(r->config->listen[i], who->text) == 0) {
            who->number = (uint32_t)i;
            return 0;
        }
    return yaml_refuse(n, E_ARGUMENT, r->detail, "names an address that is not in listen");
}

static int read_who(const struct config_reader *r, const struct yaml_node *list, struct authz_rule *rule)
{
    char quoted[YAML_QUOTE_SIZE];
    unsigned count;
    int code = check_texts(r, list, WHO_MAX);
    const struct yaml_node *n = first_text(list, &count);
    struct who *who = code == 0 ? yaml_tree_take(r->tree, count * sizeof *who) : NULL;
    if (code == 0 && who == NULL)
        code = error_set(r->detail, E_MEMORY, NULL, NULL);
    for (unsigned i = 0; code == 0 && i < count; i++, n = n->next) {
        struct bytes text;
        code = yaml_read_text(n, 1, TEXT_BYTES_MAX, &text, r->detail);
        const char *wrong = code == 0 ? authz_read_who((const char *)text.at, &who[i]) : NULL;
        if (wrong != NULL)
            code = yaml_refuse(n, E_ARGUMENT, r->detail, "\"%s\" %s", yaml_quote(text, quoted), wrong);
        if (code == 0 && who[i].kind == WHO_LISTENER)
            code = find_listener(r, n, &who[i]);
    }
    rule->who = who;
    rule->who_count = count;
    return code;
}

static int read_may(const struct config_reader *r, const struct yaml_node *list, struct authz_rule *rule)
{
    char quoted[YAML_QUOTE_SIZE];
    unsigned count;
    int code = check_texts(r, list, MAY_MAX);
    const struct yaml_node *n = first_text(list, &count);
    for (unsigned i = 0; code == 0 && i < count; i++, n = n->next) {
        struct bytes text;
        code = yaml_read_text(n, 1, TEXT_BYTES_MAX, &text, r->detail);
        if (code != 0)
            break;
        unsigned right = authz_right(text);
        int method = right == 0 ? authz_method(text) : 0;
        if (method < 0)
            code =
                yaml_refuse(n, E_ARGUMENT, r->detail,
                            "\"%s\" is no right: write viewer, service, operator, payloads, or a method such as Retry",
                            yaml_quote(text, quoted));
        else if (right != 0)
            rule->rights |= right;
        else
            rule->methods |= UINT64_C(1) << method;
    }
    return code;
}

static int read_definitions(const struct config_reader *r, const struct yaml_node *list, struct authz_rule *rule)
{
    unsigned count;
    int code = check_texts(r, list, DEFINITIONS_MAX);
    const struct yaml_node *n = first_text(list, &count);
    const char **names = code == 0 ? yaml_tree_take(r->tree, count * sizeof *names) : NULL;
    if (code == 0 && names == NULL)
        code = error_set(r->detail, E_MEMORY, NULL, NULL);
    for (unsigned i = 0; code == 0 && i < count; i++, n = n->next) {
        struct bytes text;
        code = yaml_read_text(n, 1, NAME_BYTES_MAX + 1, &text, r->detail);
        if (code != 0)
            break;
        names[i] = (const char *)text.at;
        const char *star = strchr(names[i], '*');
        if (star != NULL && star[1] != '\0')
            code = yaml_refuse(n, E_ARGUMENT, r->detail, "has a * that is not at its end");
    }
    rule->definitions = names;
    rule->definition_count = count;
    return code;
}

/* Tags, as {tenant: acme}, packed. */
static int read_tags(const struct config_reader *r, const struct yaml_node *n, struct authz_rule *rule)
{
    size_t size = 0;
    int code = 0;
    if (n->kind != YAML_MAPPING)
        return yaml_refuse(n, E_ARGUMENT, r->detail, "must be a mapping, as in {tenant: acme}");
    if (code == 0 && (n->count == 0 || n->count > TAGS_MAX))
        code = yaml_refuse(n, E_ARGUMENT, r->detail, "holds %u tags; it must be from 1 to %d", n->count, TAGS_MAX);
    for (const struct yaml_node *tag = n->first; code == 0 && tag != NULL; tag = tag->next) {
        struct bytes text;
        code = yaml_read_text(tag, 1, TEXT_BYTES_MAX, &text, r->detail);
        if (code == 0 && (tag->key.size == 0 || memchr(tag->key.at, 0, tag->key.size) != NULL))
            code = yaml_refuse_key(tag, E_ARGUMENT, r->detail, "is not the name of a tag");
        size += tag->key.size + text.size + 2;
    }
    uint8_t *packed = code == 0 ? yaml_tree_take(r->tree, size) : NULL;
    if (code == 0 && packed == NULL)
        code = error_set(r->detail, E_MEMORY, NULL, NULL);
    rule->tags = bytes_of(packed, code == 0 ? size : 0);
    for (const struct yaml_node *tag = n->first; code == 0 && tag != NULL; tag = tag->next) {
        memcpy(packed, tag->key.at, tag->key.size);
        packed += tag->key.size;
        *packed++ = '\0';
        memcpy(packed, tag->text.at, tag->text.size);
        packed += tag->text.size;
        *packed++ = '\0';
    }
    return code;
}

/* Whose sagas a service sees: its own, unless this says all. */
static int read_sagas(const struct config_reader *r, const struct yaml_node *n, struct authz_rule *rule)
{
    char quoted[YAML_QUOTE_SIZE];
    struct bytes text;
    int code = yaml_read_text(n, 1, TEXT_BYTES_MAX, &text, r->detail);
    if (code != 0)
        return code;
    rule->all_sagas = bytes_equal(text, bytes_of_text("all"));
    if (!rule->all_sagas && !bytes_equal(text, bytes_of_text("own")))
        return yaml_refuse(n, E_ARGUMENT, r->detail, "\"%s\" is neither own nor all", yaml_quote(text, quoted));
    if ((rule->rights & RIGHT_SERVICE) == 0)
        return yaml_refuse(n, E_ARGUMENT, r->detail, "is about what a service may: others see the sagas of all");
    return 0;
}

static int read_rule(const struct config_reader *r, const struct yaml_node *n, struct authz_rule *rule)
{
    static const char *const names[] = {"who", "may", "definitions", "sagas", "tags"};
    const struct yaml_node *who, *may, *definitions, *sagas, *tags;
    *rule = (struct authz_rule){.rights = 0};
    int code = yaml_check_mapping(n, names, sizeof names / sizeof names[0], r->detail);
    if (code == 0)
        code = yaml_need(n, "who", &who, r->detail);
    if (code == 0)
        code = yaml_need(n, "may", &may, r->detail);
    if (code == 0)
        code = read_who(r, who, rule);
    if (code == 0)
        code = read_may(r, may, rule);
    if (code == 0 && (definitions = yaml_node_child(n, "definitions")) != NULL)
        code = read_definitions(r, definitions, rule);
    if (code == 0 && (sagas = yaml_node_child(n, "sagas")) != NULL)
        code = read_sagas(r, sagas, rule);
    if (code == 0 && (tags = yaml_node_child(n, "tags")) != NULL)
        code = read_tags(r, tags, rule);
    return code;
}

int config_read_rules(const struct config_reader *r)
{
    const struct yaml_node *list = r->nodes[OPTION_INDEX_authorization];
    r->config->authorization = authz_default(r->config->plaintext_operators);
    if (list == NULL)
        return 0;
    int code = yaml_check_sequence(list, r->detail);
    if (code == 0 && (list->count == 0 || list->count > CONFIG_RULES_MAX))
        code = yaml_refuse(list, E_ARGUMENT, r->detail, "holds %u entries; it must be from 1 to %d", list->count,
                           CONFIG_RULES_MAX);
    struct authz_rule *rules = code == 0 ? yaml_tree_take(r->tree, list->count * sizeof *rules) : NULL;
    if (code == 0 && rules == NULL)
        code = error_set(r->detail, E_MEMORY, NULL, NULL);
    for (const struct yaml_node *n = list->first; code == 0 && n != NULL; n = n->next)
        code = read_rule(r, n, &rules[n->index]);
    if (code == 0) {
        r->config->authorization = (struct authz){.rules = rules, .count = list->count, .given = true};
        authz_prepare(&r->config->authorization, rules);
    }
    return code;
}
