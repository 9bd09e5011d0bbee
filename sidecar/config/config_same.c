/* config_same.c - compares the field of an option by its type. */
#include "sidecar/config/config_same.h"

#include "sidecar/base/check.h"

static bool same_value(const struct option *o, const void *a, const void *b)
{
    const void *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;
    switch (o->type) {
    case OPTION_TEXT:
        return strcmp(*(const char *const *)x, *(const char *const *)y) == 0;
    case OPTION_COUNT:
    case OPTION_LOG_LEVEL:
    case OPTION_LOG_FORMAT:
    case OPTION_UNIX_ACCESS:
    case OPTION_LOAD_BALANCING:
    case OPTION_STATUS_CODES:
        return *(const uint32_t *)x == *(const uint32_t *)y;
    case OPTION_SIZE:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case OPTION_SPAN:
        return ((const struct span *)x)->us == ((const struct span *)y)->us;
    case OPTION_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case OPTION_RETRY:
    case OPTION_RETRY_COMPENSATION:
        return retry_policy_equal(x, y);
    case OPTION_RULES:
    case OPTION_LISTEN:
    case OPTION_OBJECTIVES:
    case OPTION_LIMITS:
    case OPTION_SYNTHETICS:
    case OPTION_REMEDIES:
    case OPTION_FAULTS:
    case OPTION_TARGETS:
        break;
    }
    CHECK(!"a list is compared by its entries");
}

static bool same_listen(const struct config *a, const struct config *b)
{
    bool same = a->listen_count == b->listen_count;
    for (size_t i = 0; same && i < a->listen_count; i++)
        same = strcmp(a->listen[i], b->listen[i]) == 0;
    return same;
}

bool config_same_target(const struct config_target *a, const struct config_target *b)
{
    bool same = true;
    for (size_t k = 0; same && k < TARGET_OPTION_COUNT; k++)
        same = same_value(&config_target_options[k], a, b);
    return same;
}

static bool same_targets(const struct config *a, const struct config *b)
{
    bool same = a->target_count == b->target_count;
    for (size_t i = 0; same && i < a->target_count; i++)
        same =
            strcmp(a->targets[i].name, b->targets[i].name) == 0 && config_same_target(&a->targets[i], &b->targets[i]);
    return same;
}

static bool same_texts(const char *const *a, const char *const *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

static bool same_rules(const struct authz *a, const struct authz *b)
{
    if (a->count != b->count || a->given != b->given)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct authz_rule *x = &a->rules[i], *y = &b->rules[i];
        if (x->rights != y->rights || x->methods != y->methods || x->who_count != y->who_count ||
            x->all_sagas != y->all_sagas || !bytes_equal(x->tags, y->tags) ||
            x->definition_count != y->definition_count ||
            !same_texts(x->definitions, y->definitions, x->definition_count))
            return false;
        for (size_t k = 0; k < x->who_count; k++) {
            const struct who *v = &x->who[k], *w = &y->who[k];
            if (v->kind != w->kind || v->number != w->number || (v->text == NULL) != (w->text == NULL) ||
                (v->text != NULL && strcmp(v->text, w->text) != 0))
                return false;
        }
    }
    return true;
}

static bool same_objective(const struct config_objective *x, const struct config_objective *y)
{
    return strcmp(x->definition, y->definition) == 0 && x->success == y->success &&
           x->latency_percent == y->latency_percent && x->freshness_percent == y->freshness_percent &&
           x->latency.us == y->latency.us && x->freshness.us == y->freshness.us && x->window.us == y->window.us;
}

static bool same_objectives(const struct config *a, const struct config *b)
{
    bool same = a->objective_count == b->objective_count;
    for (size_t i = 0; same && i < a->objective_count; i++)
        same = same_objective(&a->objectives[i], &b->objectives[i]);
    return same;
}

static bool same_synthetics(const struct config *a, const struct config *b)
{
    bool same = a->synthetic_count == b->synthetic_count;
    for (size_t i = 0; same && i < a->synthetic_count; i++) {
        const struct config_synthetic *x = &a->synthetics[i], *y = &b->synthetics[i];
        same = strcmp(x->version, y->version) == 0 && strcmp(x->input, y->input) == 0 &&
               strcmp(x->input_json, y->input_json) == 0 && x->every.us == y->every.us &&
               x->deadline.us == y->deadline.us && same_objective(&x->promised, &y->promised);
    }
    return same;
}

bool config_same_remedy(const struct config_remedy *x, const struct config_remedy *y)
{
    return strcmp(x->name, y->name) == 0 && strcmp(x->when, y->when) == 0 &&
           strcmp(x->definition, y->definition) == 0 && strcmp(x->target, y->target) == 0 &&
           strcmp(x->where, y->where) == 0 && strcmp(x->url, y->url) == 0 && x->act == y->act &&
           x->per_second == y->per_second && x->acts == y->acts && x->lasts.us == y->lasts.us &&
           x->every.us == y->every.us && x->settle.us == y->settle.us;
}

static bool same_remedies(const struct config *a, const struct config *b)
{
    bool same = a->remedy_count == b->remedy_count;
    for (size_t i = 0; same && i < a->remedy_count; i++)
        same = config_same_remedy(&a->remediation[i], &b->remediation[i]);
    return same;
}

static bool same_limits(const struct config *a, const struct config *b)
{
    bool same = a->definition_limit_count == b->definition_limit_count;
    for (size_t i = 0; same && i < a->definition_limit_count; i++) {
        const struct config_limit *x = &a->definition_limits[i], *y = &b->definition_limits[i];
        same = strcmp(x->definition, y->definition) == 0 && x->live_sagas_max == y->live_sagas_max &&
               x->starts_per_second == y->starts_per_second && x->starts_burst == y->starts_burst;
    }
    return same;
}

static bool same_faults(const struct config *a, const struct config *b)
{
    bool same = a->fault_count == b->fault_count;
    for (size_t i = 0; same && i < a->fault_count; i++) {
        const struct config_fault *x = &a->faults[i], *y = &b->faults[i];
        same = strcmp(x->target, y->target) == 0 && strcmp(x->definition, y->definition) == 0 &&
               strcmp(x->tag, y->tag) == 0 && strcmp(x->tag_value, y->tag_value) == 0 && x->calls == y->calls &&
               x->kind == y->kind && x->status == y->status && x->permille == y->permille &&
               x->delay.us == y->delay.us && x->lasts.us == y->lasts.us;
    }
    return same;
}

bool config_same(const struct config *a, const struct config *b, enum option_index index)
{
    const struct option *o = &config_options[index];
    if (o->type == OPTION_LISTEN)
        return same_listen(a, b);
    if (o->type == OPTION_RULES)
        return same_rules(&a->authorization, &b->authorization);
    if (o->type == OPTION_OBJECTIVES)
        return same_objectives(a, b);
    if (o->type == OPTION_FAULTS)
        return same_faults(a, b);
    if (o->type == OPTION_LIMITS)
        return same_limits(a, b);
    if (o->type == OPTION_SYNTHETICS)
        return same_synthetics(a, b);
    if (o->type == OPTION_REMEDIES)
        return same_remedies(a, b);
    return o->type == OPTION_TARGETS ? same_targets(a, b) : same_value(o, a, b);
}
