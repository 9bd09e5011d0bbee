/* limits.c - bounds of definitions: a loop's share of each. */
#include "sidecar/runtime/limits.h"

#include "sidecar/observe/log.h"
#include "sidecar/runtime/sidecar_inside.h"

#include <stdlib.h>

struct definition_bound *limits_of(const struct config *config, unsigned k, unsigned count)
{
    struct definition_bound *bounds = calloc(config->definition_limit_count + 1, sizeof *bounds);
    for (size_t i = 0; bounds != NULL && i < config->definition_limit_count; i++) {
        const struct config_limit *l = &config->definition_limits[i];
        bounds[i].definition = l->definition;
        bounds[i].options.live_max = sidecar_part(l->live_sagas_max, k, count);
        bounds[i].options.starts.per_second = sidecar_part(l->starts_per_second, k, count);
        bounds[i].options.starts.burst = sidecar_part(l->starts_burst, k, count);
    }
    return bounds;
}

void limits_take(struct loop *s, const struct config *config)
{
    struct definition_bound *bounds = limits_of(config, s->index, s->sidecar->count);
    if (bounds == NULL || core_set_limits(s->core, bounds, config->definition_limit_count) != 0)
        log_say(LOG_LEVEL_ERROR, "definition_limits cannot be taken without a restart: there is no memory");
    free(bounds);
}
