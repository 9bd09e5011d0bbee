/* config.c - reads sagad.yaml: every row of options.def by its type, then the lists that have a form of their own. */
#include "sidecar/config/config.h"

#include "sidecar/base/check.h"
#include "sidecar/definition/yaml_retry.h"
#include "sidecar/config/config_inside.h"
#include "transport/address.h"

#include <errno.h>
#include <stdlib.h>

/* The tree holds everything that the configuration points to. */
struct owned_config {
    struct config config;
    struct yaml_tree *tree;
};

static int read_number(const struct option *o, const struct yaml_node *n, void *field, struct error_detail *detail)
{
    uint64_t number = 0;
    int code = o->type == OPTION_SIZE ? yaml_read_size(n, (uint64_t)o->min, (uint64_t)o->max, &number, detail)
                                      : yaml_read_count(n, (uint64_t)o->min, (uint64_t)o->max, &number, detail);
    if (code == 0 && o->type == OPTION_SIZE)
        *(uint64_t *)field = number;
    else if (code == 0)
        *(uint32_t *)field = (uint32_t)number;
    return code;
}

/* Reads a value of any type that is not a list into base + o->offset. */
static int read_value(const struct option *o, const struct yaml_node *n, void *base, struct error_detail *detail)
{
    void *field = (char *)base + o->offset;
    struct bytes text = {0};
    size_t count;
    int code;
    switch (o->type) {
    case OPTION_TEXT:
        code = yaml_read_text(n, (size_t)o->min, (size_t)o->max, &text, detail);
        if (code == 0)
            *(const char **)field = (const char *)text.at;
        return code;
    case OPTION_COUNT:
    case OPTION_SIZE:
        return read_number(o, n, field, detail);
    case OPTION_SPAN:
        return yaml_read_span(n, (struct span){.us = o->min}, (struct span){.us = o->max}, field, detail);
    case OPTION_BOOL:
        return yaml_read_bool(n, field, detail);
    case OPTION_LOG_LEVEL:
    case OPTION_LOG_FORMAT:
    case OPTION_UNIX_ACCESS:
    case OPTION_LOAD_BALANCING: {
        const char *const *choices = option_choices(o->type, &count);
        return yaml_read_choice(n, choices, count, field, detail);
    }
    case OPTION_RETRY:
    case OPTION_RETRY_COMPENSATION:
        return yaml_read_retry(n, o->type == OPTION_RETRY_COMPENSATION, field, detail);
    case OPTION_STATUS_CODES:
        return yaml_read_status_codes(n, field, detail);
    case OPTION_RULES:
    case OPTION_OBJECTIVES:
    case OPTION_LIMITS:
    case OPTION_SYNTHETICS:
    case OPTION_REMEDIES:
    case OPTION_FAULTS:
    case OPTION_LISTEN:
    case OPTION_TARGETS:
        break;
    }
    CHECK(!"a list has a reader of its own");
}

/* Lists and mappings have a reader each. */
static bool has_reader(const struct option *o)
{
    return o->type == OPTION_LISTEN || o->type == OPTION_TARGETS || o->type == OPTION_RULES ||
           o->type == OPTION_OBJECTIVES || o->type == OPTION_LIMITS || o->type == OPTION_SYNTHETICS ||
           o->type == OPTION_REMEDIES || o->type == OPTION_FAULTS;
}

/* Sets the default of an option that has one. What the table says is read as if it stood in a file. */
static void set_default(const struct option *o, void *base)
{
    struct definition_limits limits = definition_limits_default();
    struct error_detail detail;
    if (o->type == OPTION_RETRY || o->type == OPTION_RETRY_COMPENSATION) {
        *(struct retry_policy *)(void *)((char *)base + o->offset) =
            o->type == OPTION_RETRY ? limits.retry.action : limits.retry.compensation;
    } else if (o->type == OPTION_STATUS_CODES) {
        *(uint32_t *)(void *)((char *)base + o->offset) = STATUS_CODES_DEFAULT;
    } else if (o->fallback != NULL && !has_reader(o)) {
        /* Quoted, so to speak: an empty text is one too. */
        struct yaml_node n = {.kind = YAML_SCALAR, .text = bytes_of_text(o->fallback)};
        CHECK(read_value(o, &n, base, &detail) == 0);
    }
}

/* Defaults that the file does not say make way for what it does say, so that to lower a maximum is enough. */
static void lower_defaults(const struct config_reader *r)
{
    struct config *c = r->config;
    if (r->nodes[OPTION_INDEX_enlisted_deadline_default] == NULL)
        c->enlisted_deadline_default = span_min(c->enlisted_deadline_default, c->deadline_max);
    if (r->nodes[OPTION_INDEX_enlisted_lease_default] == NULL)
        c->enlisted_lease_default = span_min(c->enlisted_lease_default, c->enlisted_deadline_default);
    if (r->nodes[OPTION_INDEX_keepalive_timeout] == NULL)
        c->keepalive_timeout = span_min(c->keepalive_timeout, c->keepalive_time);
    if (r->nodes[OPTION_INDEX_watchers_max] == NULL && c->watchers_max > c->streams_max)
        c->watchers_max = c->streams_max;
    uint64_t part = c->journal_bytes_max / c->loops / JOURNAL_COMMITS;
    if (r->nodes[OPTION_INDEX_commit_bytes_max] == NULL && c->journal_bytes_max >= JOURNAL_BYTES_MIN &&
        c->commit_bytes_max > part)
        c->commit_bytes_max = part;
}

/* Before a journal kept what a definition takes where it says nothing, that was default_retry of the day, with four attempts where it did not
 * say. */
static void set_earlier_retry(const struct config_reader *r)
{
    const struct yaml_node *n = r->nodes[OPTION_INDEX_default_retry];
    r->config->earlier_retry = r->config->default_retry;
    if (n == NULL || yaml_node_child(n, "maxAttempts") == NULL)
        r->config->earlier_retry.max_attempts = 4;
}

static int no_memory(const struct config_reader *r)
{
    return error_set(r->detail, E_MEMORY, NULL, NULL);
}

/* Whether the sidecar may listen at the address. Returns NULL, or what is wrong in words that follow it. */
static const char *check_listen(const struct config *c, const char *text)
{
    struct address address;
    const char *wrong = address_read(text, &address);
    if (wrong != NULL)
        return wrong;
    switch (address_security_of(&address, config_has_certificates(c))) {
    case ADDRESS_UNSAID:
        return "is reached by other machines: give tls_certificate, tls_key and tls_roots, or write plaintext:// "
               "before it "
               "to let whoever reaches it do everything";
    case ADDRESS_TLS:
        return c->tls_certificate[0] != '\0'
                   ? NULL
                   : "speaks TLS: give tls_certificate and tls_key, and tls_roots to know who calls";
    case ADDRESS_PLAINTEXT:
        break;
    }
    return NULL;
}

const char *config_check_target(const struct config *c, const char *text)
{
    struct address address;
    const char *wrong = address_read_target(text, &address);
    if (wrong != NULL || address_security_of(&address, config_has_certificates(c)) != ADDRESS_UNSAID)
        return wrong;
    return "is on another machine: give tls_roots, and tls_certificate and tls_key by which the sidecar proves itself, "
           "or "
           "write plaintext:// before it to speak unencrypted";
}

bool config_has_certificates(const struct config *c)
{
    return c->tls_certificate[0] != '\0' || c->tls_roots[0] != '\0';
}

static int set_default_listen(const struct config_reader *r)
{
    const struct config *c = r->config;
    const char format[] = "unix:%.*s/sagad.sock";
    size_t length = strlen(c->data_dir);
    while (length > 0 && c->data_dir[length - 1] == '/')
        length--;
    size_t size = sizeof format + length;
    const char **addresses = yaml_tree_take(r->tree, sizeof *addresses);
    char *address = yaml_tree_take(r->tree, size);
    if (addresses == NULL || address == NULL)
        return no_memory(r);
    snprintf(address, size, format, (int)length, c->data_dir);
    const char *wrong = check_listen(c, address);
    if (wrong != NULL)
        return yaml_refuse(r->nodes[OPTION_INDEX_data_dir], E_ARGUMENT, r->detail, "its socket sagad.sock %s in listen",
                           wrong);
    addresses[0] = address;
    r->config->listen = addresses;
    r->config->listen_count = 1;
    return 0;
}

static int check_entries(const struct config_reader *r, enum option_index index)
{
    const struct option *o = &config_options[index];
    const struct yaml_node *n = r->nodes[index];
    if ((int64_t)n->count >= o->min && (int64_t)n->count <= o->max)
        return 0;
    return yaml_refuse(n, E_ARGUMENT, r->detail, "holds %u entries; it must be from %lld to %lld", n->count,
                       (long long)o->min, (long long)o->max);
}

/* A list of addresses. That an entry is a text leaves room for one that is a mapping, with what TLS needs beside the
 * address. */
static int read_listen(const struct config_reader *r)
{
    const struct yaml_node *list = r->nodes[OPTION_INDEX_listen];
    char quoted[YAML_QUOTE_SIZE];
    if (list == NULL)
        return set_default_listen(r);
    int code = yaml_check_sequence(list, r->detail);
    if (code == 0)
        code = check_entries(r, OPTION_INDEX_listen);
    if (code != 0)
        return code;
    const char **addresses = yaml_tree_take(r->tree, list->count * sizeof *addresses);
    if (addresses == NULL)
        return no_memory(r);
    for (const struct yaml_node *n = list->first; n != NULL; n = n->next) {
        struct bytes text;
        code = yaml_read_text(n, 1, 1000, &text, r->detail);
        if (code != 0)
            return code;
        const char *address = (const char *)text.at;
        const char *wrong = check_listen(r->config, address);
        if (wrong != NULL)
            return yaml_refuse(n, E_ARGUMENT, r->detail, "\"%s\" %s", yaml_quote(text, quoted), wrong);
        for (unsigned i = 0; i < n->index; i++)
            if (strcmp(addresses[i], address) == 0)
                return yaml_refuse(n, E_ARGUMENT, r->detail, "stands in the list already, as listen[%u]", i);
        addresses[n->index] = address;
    }
    r->config->listen = addresses;
    r->config->listen_count = list->count;
    return 0;
}

/* As lower_defaults, of a target's breaker. */
static void fit_breaker(const struct yaml_node *n, struct config_target *t)
{
    if (yaml_node_child(n, "breaker_volume") == NULL && t->breaker_volume < t->breaker_probes)
        t->breaker_volume = t->breaker_probes;
    if (yaml_node_child(n, "breaker_probes") == NULL && t->breaker_probes > t->breaker_volume)
        t->breaker_probes = t->breaker_volume;
    if (yaml_node_child(n, "breaker_open_max") == NULL && t->breaker_open_max.us < t->breaker_open.us)
        t->breaker_open_max = t->breaker_open;
    if (yaml_node_child(n, "breaker_open") == NULL && t->breaker_open_max.us < t->breaker_open.us)
        t->breaker_open = t->breaker_open_max;
    if (yaml_node_child(n, "breaker_slow_call") == NULL && t->timeout.us >= 2000)
        t->breaker_slow_call.us = span_min(t->breaker_slow_call, (struct span){.us = t->timeout.us / 2}).us;
}

/* The address alone, or a mapping of target options. */
static int read_target(const struct config_reader *r, const struct yaml_node *n, struct config_target *target)
{
    const char *names[TARGET_OPTION_COUNT];
    char quoted[YAML_QUOTE_SIZE];
    int code = 0;
    if (!definition_name_valid(n->key, STEP_NAME_BYTES_MAX))
        return yaml_refuse_key(n, E_ARGUMENT, r->detail,
                               "the name of a target is 1 to %d letters, digits, '-', '_' and '.'",
                               STEP_NAME_BYTES_MAX);
    target->name = (const char *)n->key.at;
    for (size_t i = 0; i < TARGET_OPTION_COUNT; i++) {
        names[i] = config_target_options[i].name;
        set_default(&config_target_options[i], target);
    }
    target->timeout = span_min(target->timeout, r->config->deadline_max);
    const struct yaml_node *address = n;
    if (n->kind != YAML_SCALAR) {
        code = yaml_check_mapping(n, names, TARGET_OPTION_COUNT, r->detail);
        if (code == 0)
            code = yaml_need(n, "address", &address, r->detail);
    }
    for (size_t i = 0; code == 0 && i < TARGET_OPTION_COUNT; i++) {
        const struct option *o = &config_target_options[i];
        const struct yaml_node *value = n->kind == YAML_MAPPING ? yaml_node_child(n, o->name) : i == 0 ? n : NULL;
        if (value != NULL)
            code = read_value(o, value, target, r->detail);
    }
    if (code != 0)
        return code;
    if (n->kind == YAML_MAPPING)
        fit_breaker(n, target);
    const char *wrong = config_check_target(r->config, target->address);
    return wrong == NULL
               ? 0
               : yaml_refuse(address, E_ARGUMENT, r->detail, "\"%s\" %s", yaml_quote(address->text, quoted), wrong);
}

static int set_participants(const struct config_reader *r)
{
    struct config *c = r->config;
    struct participant *all = yaml_tree_take(r->tree, (c->target_count + 1) * sizeof *all);
    if (all == NULL)
        return no_memory(r);
    for (size_t i = 0; i < c->target_count; i++) {
        const struct config_target *t = &c->targets[i];
        struct address address;
        CHECK(address_read_target(t->address, &address) == NULL);
        /* Without certificates the address would have been refused, or says that it is plaintext. */
        all[i] = (struct participant){.name = t->name,
                                      .address = t->address,
                                      .tls = address_security_of(&address, true) == ADDRESS_TLS,
                                      .barrier = t->barrier,
                                      .timeout = t->timeout,
                                      .max_concurrent_calls = t->max_concurrent_calls};
    }
    c->participants = (struct participants){.at = all, .count = (unsigned)c->target_count};
    return 0;
}

static int read_targets(const struct config_reader *r)
{
    const struct yaml_node *mapping = r->nodes[OPTION_INDEX_targets];
    if (mapping == NULL || yaml_node_is_null(mapping))
        return 0;
    if (mapping->kind != YAML_MAPPING)
        return yaml_refuse(mapping, E_ARGUMENT, r->detail, "must be a mapping, name: address");
    int code = check_entries(r, OPTION_INDEX_targets);
    if (code != 0 || mapping->count == 0)
        return code;
    struct config_target *targets = yaml_tree_take(r->tree, mapping->count * sizeof *targets);
    if (targets == NULL)
        return no_memory(r);
    for (const struct yaml_node *n = mapping->first; code == 0 && n != NULL; n = n->next)
        code = read_target(r, n, &targets[n->index]);
    r->config->targets = targets;
    r->config->target_count = mapping->count;
    return code;
}

static int read_options(struct config_reader *r, const struct yaml_node *root)
{
    const char *names[OPTION_INDEX_COUNT];
    int code = 0;
    for (size_t i = 0; i < OPTION_INDEX_COUNT; i++) {
        names[i] = config_options[i].name;
        if (config_options[i].type != OPTION_LISTEN)
            set_default(&config_options[i], r->config);
    }
    if (root != NULL && !yaml_node_is_null(root)) {
        code = yaml_check_mapping(root, names, OPTION_INDEX_COUNT, r->detail);
        for (size_t i = 0; code == 0 && i < OPTION_INDEX_COUNT; i++)
            r->nodes[i] = yaml_node_child(root, names[i]);
    }
    for (size_t i = 0; code == 0 && i < OPTION_INDEX_COUNT; i++) {
        const struct option *o = &config_options[i];
        if (r->nodes[i] != NULL && !has_reader(o))
            code = read_value(o, r->nodes[i], r->config, r->detail);
    }
    if (code == 0) {
        lower_defaults(r);
        set_earlier_retry(r);
        code = read_listen(r);
    }
    if (code == 0)
        code = read_targets(r);
    if (code == 0)
        code = set_participants(r);
    if (code == 0)
        code = config_read_rules(r);
    if (code == 0)
        code = config_read_objectives(r);
    if (code == 0)
        code = config_read_limits(r);
    if (code == 0)
        code = config_read_faults(r);
    if (code == 0)
        code = config_read_synthetics(r);
    if (code == 0)
        code = config_read_remedies(r);
    return code != 0 ? code : config_check(r);
}

int config_read_text(struct bytes text, struct config **out, struct error_detail *detail)
{
    struct owned_config *owned = calloc(1, sizeof *owned);
    if (owned == NULL)
        return error_set(detail, E_MEMORY, NULL, NULL);
    int code = yaml_tree_read(text, &owned->tree, detail);
    if (code == 0) {
        struct config_reader r = {.config = &owned->config, .tree = owned->tree, .detail = detail};
        code = read_options(&r, yaml_tree_root(owned->tree));
    }
    if (code != 0) {
        config_destroy(&owned->config);
        return code;
    }
    *out = &owned->config;
    return 0;
}

/* Reads a whole file into text (CONFIG_BYTES_MAX + 1 bytes). */
static int read_file(const char *path, char *text, size_t *size, struct error_detail *detail)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return error_set(detail, E_SYSTEM, NULL, strerror(errno));
    errno = 0;
    *size = fread(text, 1, CONFIG_BYTES_MAX + 1, file);
    int code = 0;
    if (ferror(file))
        code = error_set(detail, E_SYSTEM, NULL, strerror(errno));
    else if (*size > CONFIG_BYTES_MAX)
        code = error_set(detail, E_ARGUMENT, NULL, "the file is longer than 1MiB");
    fclose(file);
    return code;
}

bool config_wants_json(const char *path)
{
    char line[256];
    bool wants = false;
    FILE *file = path == NULL ? NULL : fopen(path, "re");
    while (file != NULL && !wants && fgets(line, sizeof line, file) != NULL)
        wants = strncmp(line, "log_format:", 11) == 0 && strstr(line, "json") != NULL;
    if (file != NULL)
        fclose(file);
    return wants;
}

int config_read(const char *path, struct config **out, struct error_detail *detail)
{
    if (path == NULL)
        return config_read_text((struct bytes){0}, out, detail);
    size_t size = 0;
    char *text = malloc(CONFIG_BYTES_MAX + 1);
    if (text == NULL)
        return error_set(detail, E_MEMORY, NULL, NULL);
    int code = read_file(path, text, &size, detail);
    if (code == 0)
        code = config_read_text(bytes_of(text, size), out, detail);
    free(text);
    return code;
}

void config_destroy(struct config *c)
{
    if (c == NULL)
        return;
    struct owned_config *owned = (struct owned_config *)(void *)c;
    yaml_tree_destroy(owned->tree);
    free(owned);
}

struct definition_limits config_definition_limits(const struct config *c)
{
    return (struct definition_limits){.source_bytes_max = (uint32_t)c->definition_bytes_max,
                                      .last_good_age_max = c->last_good_age_max,
                                      .steps_max = c->steps_max,
                                      .payload_bytes_max = (uint32_t)c->payload_bytes_max,
                                      .deadline_max = c->deadline_max,
                                      .retry = {c->default_retry, c->default_compensation_retry}};
}
