/* config_options.c - the table of options, and how a row is shown to people. */
#include "sidecar/config/config_options.h"

#include "sidecar/base/check.h"
#include "sidecar/definition/quantity.h"

#include <inttypes.h>

/* Whether a field is what its option's type is read into. */
#define HOLDS(x, type)              _Generic((x), type : 1, default : 0)
#define HOLDS_TEXT(x)               HOLDS(x, const char *)
#define HOLDS_COUNT(x)              HOLDS(x, uint32_t)
#define HOLDS_SIZE(x)               HOLDS(x, uint64_t)
#define HOLDS_SPAN(x)               HOLDS(x, struct span)
#define HOLDS_BOOL(x)               HOLDS(x, bool)
#define HOLDS_LOG_LEVEL(x)          HOLDS(x, uint32_t)
#define HOLDS_LOG_FORMAT(x)         HOLDS(x, uint32_t)
#define HOLDS_LOAD_BALANCING(x)     HOLDS(x, uint32_t)
#define HOLDS_RETRY(x)              HOLDS(x, struct retry_policy)
#define HOLDS_RETRY_COMPENSATION(x) HOLDS(x, struct retry_policy)
#define HOLDS_UNIX_ACCESS(x)        HOLDS(x, uint32_t)
#define HOLDS_STATUS_CODES(x)       HOLDS(x, uint32_t)
#define HOLDS_RULES(x)              HOLDS(x, struct authz)
#define HOLDS_OBJECTIVES(x)         HOLDS(x, const struct config_objective *)
#define HOLDS_LIMITS(x)             HOLDS(x, const struct config_limit *)
#define HOLDS_SYNTHETICS(x)         HOLDS(x, const struct config_synthetic *)
#define HOLDS_REMEDIES(x)           HOLDS(x, const struct config_remedy *)
#define HOLDS_FAULTS(x)             HOLDS(x, const struct config_fault *)
#define HOLDS_LISTEN(x)             HOLDS(x, const char *const *)
#define HOLDS_TARGETS(x)            HOLDS(x, const struct config_target *)

#define OPTION(group, name, type, unit, min, max, fallback, doc) \
    _Static_assert(HOLDS_##type(((struct config *)0)->name), "the type of " #name);
#define TARGET_OPTION(group, name, type, unit, min, max, fallback, doc) \
    _Static_assert(HOLDS_##type(((struct config_target *)0)->name), "the type of " #name);
#include "sidecar/config/options.def"
#undef OPTION
#undef TARGET_OPTION

#define OPTION(group, name, type, unit, min, max, fallback, doc) \
    {GROUP_##group, #name, OPTION_##type, unit, min, max, fallback, doc, offsetof(struct config, name), false},
#define RELOADED(group, name, type, unit, min, max, fallback, doc) \
    {GROUP_##group, #name, OPTION_##type, unit, min, max, fallback, doc, offsetof(struct config, name), true},
#define TARGET_OPTION(group, name, type, unit, min, max, fallback, doc)
const struct option config_options[OPTION_INDEX_COUNT] = {
#include "sidecar/config/options.def"
};
#undef OPTION
#undef TARGET_OPTION

#define OPTION(group, name, type, unit, min, max, fallback, doc)
#define TARGET_OPTION(group, name, type, unit, min, max, fallback, doc) \
    {GROUP_##group, #name, OPTION_##type, unit, min, max, fallback, doc, offsetof(struct config_target, name), true},
const struct option config_target_options[TARGET_OPTION_COUNT] = {
#include "sidecar/config/options.def"
};
#undef OPTION
#undef TARGET_OPTION

static const char *const log_levels[] = {
    [CONFIG_LOG_ERROR] = "error", [CONFIG_LOG_WARN] = "warn", [CONFIG_LOG_INFO] = "info", [CONFIG_LOG_DEBUG] = "debug"};
static const char *const unix_accesses[] = {
    [CONFIG_UNIX_OWNER] = "owner", [CONFIG_UNIX_GROUP] = "group", [CONFIG_UNIX_EVERYBODY] = "everybody"};
static const char *const log_formats[] = {[CONFIG_LOG_LOGFMT] = "logfmt", [CONFIG_LOG_JSON] = "json"};
static const char *const load_balancing[] = {[CONFIG_ROUND_ROBIN] = "round_robin", [CONFIG_PICK_FIRST] = "pick_first"};

const char *const *option_choices(enum option_type type, size_t *count)
{
    switch (type) {
    case OPTION_LOG_LEVEL:
        *count = sizeof log_levels / sizeof log_levels[0];
        return log_levels;
    case OPTION_LOG_FORMAT:
        *count = sizeof log_formats / sizeof log_formats[0];
        return log_formats;
    case OPTION_UNIX_ACCESS:
        *count = sizeof unix_accesses / sizeof unix_accesses[0];
        return unix_accesses;
    default:
        CHECK(type == OPTION_LOAD_BALANCING);
        *count = sizeof load_balancing / sizeof load_balancing[0];
        return load_balancing;
    }
}

const char *option_group_title(enum option_group group)
{
    static const char *const titles[GROUP_COUNT] = {[GROUP_PLACES] = "Places",
                                                    [GROUP_TARGET] = "A target (targets.NAME)",
                                                    [GROUP_SAGAS] = "Sagas and definitions",
                                                    [GROUP_SERVING] = "Calls and connections",
                                                    [GROUP_TRUST] = "Certificates and authorization",
                                                    [GROUP_JOURNAL] = "Journal and shutdown",
                                                    [GROUP_LOGS] = "Logs, metrics and traces"};
    return titles[group];
}

static void write_choices(enum option_type type, char text[OPTION_RANGE_SIZE])
{
    size_t count, used = 0;
    const char *const *choices = option_choices(type, &count);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, OPTION_RANGE_SIZE - used, "%s%s",
                                 i == 0          ? ""
                                 : i + 1 < count ? ", "
                                                 : " or ",
                                 choices[i]);
}

const char *option_range(const struct option *o, char text[OPTION_RANGE_SIZE])
{
    char low[QUANTITY_TEXT_SIZE], high[QUANTITY_TEXT_SIZE];
    switch (o->type) {
    case OPTION_COUNT:
        snprintf(text, OPTION_RANGE_SIZE, "%" PRId64 " to %" PRId64 " %s", o->min, o->max, o->unit);
        break;
    case OPTION_SIZE:
        quantity_write_size((uint64_t)o->min, low);
        quantity_write_size((uint64_t)o->max, high);
        snprintf(text, OPTION_RANGE_SIZE, "%s to %s", low, high);
        break;
    case OPTION_SPAN:
        quantity_write_span((struct span){.us = o->min}, low);
        quantity_write_span((struct span){.us = o->max}, high);
        snprintf(text, OPTION_RANGE_SIZE, "%s to %s", low, high);
        break;
    case OPTION_BOOL:
        snprintf(text, OPTION_RANGE_SIZE, "true or false");
        break;
    case OPTION_LOG_LEVEL:
    case OPTION_LOG_FORMAT:
    case OPTION_UNIX_ACCESS:
    case OPTION_LOAD_BALANCING:
        write_choices(o->type, text);
        break;
    case OPTION_TEXT:
        snprintf(text, OPTION_RANGE_SIZE, "text, %s %" PRId64 " bytes", o->min == 0 ? "at most" : "1 to", o->max);
        break;
    case OPTION_RETRY:
    case OPTION_RETRY_COMPENSATION:
        snprintf(text, OPTION_RANGE_SIZE, "a retry policy");
        break;
    case OPTION_STATUS_CODES:
        snprintf(text, OPTION_RANGE_SIZE, "a list of gRPC status codes");
        break;
    case OPTION_RULES:
        snprintf(text, OPTION_RANGE_SIZE, "a list of %" PRId64 " to %" PRId64 " rules", o->min, o->max);
        break;
    case OPTION_FAULTS:
        snprintf(text, OPTION_RANGE_SIZE, "a list of at most %" PRId64 " faults", o->max);
        break;
    case OPTION_LISTEN:
        snprintf(text, OPTION_RANGE_SIZE, "a list of %" PRId64 " to %" PRId64 " addresses", o->min, o->max);
        break;
    case OPTION_OBJECTIVES:
    case OPTION_LIMITS:
    case OPTION_SYNTHETICS:
        snprintf(text, OPTION_RANGE_SIZE, "a mapping of at most %" PRId64 " definitions", o->max);
        break;
    case OPTION_REMEDIES:
        snprintf(text, OPTION_RANGE_SIZE, "a mapping of at most %" PRId64 " rules", o->max);
        break;
    case OPTION_TARGETS:
        snprintf(text, OPTION_RANGE_SIZE, "a mapping of at most %" PRId64 " targets", o->max);
        break;
    }
    return text;
}

static void write_retry(const struct retry_policy *p, char text[OPTION_DEFAULT_SIZE])
{
    char initial[QUANTITY_TEXT_SIZE], max[QUANTITY_TEXT_SIZE], multiplier[QUANTITY_TEXT_SIZE],
        jitter[QUANTITY_TEXT_SIZE];
    quantity_write_span(p->initial_backoff, initial);
    quantity_write_span(p->max_backoff, max);
    quantity_write_permille(p->backoff_multiplier_permille, multiplier);
    quantity_write_permille(p->jitter_permille, jitter);
    snprintf(text, OPTION_DEFAULT_SIZE,
             "{maxAttempts: %u, initialBackoff: %s, maxBackoff: %s, backoffMultiplier: %s, jitter: %s}",
             (unsigned)p->max_attempts, initial, max, multiplier, jitter);
}

static void write_status_codes(uint32_t codes, char text[OPTION_DEFAULT_SIZE])
{
    size_t used = 0;
    for (int i = 0; i < CODE_COUNT; i++)
        if ((codes >> i & 1) != 0)
            used += (size_t)snprintf(text + used, OPTION_DEFAULT_SIZE - used, "%s%s", used == 0 ? "[" : ", ",
                                     grpc_status_name(i));
    snprintf(text + used, OPTION_DEFAULT_SIZE - used, "]");
}

const char *option_default(const struct option *o, char text[OPTION_DEFAULT_SIZE])
{
    struct definition_limits limits = definition_limits_default();
    if (o->type == OPTION_RETRY)
        write_retry(&limits.retry.action, text);
    else if (o->type == OPTION_RETRY_COMPENSATION)
        write_retry(&limits.retry.compensation, text);
    else if (o->type == OPTION_STATUS_CODES)
        write_status_codes(STATUS_CODES_DEFAULT, text);
    else
        snprintf(text, OPTION_DEFAULT_SIZE, "%s", o->fallback == NULL ? "" : o->fallback);
    return text;
}
