/* objectives.c - what is promised, from the configuration into what counts it. */
#include "sidecar/runtime/objectives.h"

#include "sidecar/core/heap.h"
#include "sidecar/runtime/sidecar_inside.h"

#define LABELS(...) ((struct metric_labels){{__VA_ARGS__}})

static struct objective objective_of(const struct config_objective *o, bool synthetic)
{
    return (struct objective){
        .definition = o->definition,
        .promised = {[SLI_SUCCESS] = o->success,
                     [SLI_LATENCY] = o->latency.us > 0 ? o->latency_percent : 0,
                     [SLI_FRESHNESS] = o->freshness.us > 0 ? o->freshness_percent : 0},
        .latency = o->latency,
        .freshness = o->freshness,
        .window = o->window,
        .synthetic = synthetic,
    };
}

static size_t gather(const struct config *config, struct objective objectives[OBJECTIVES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < config->objective_count; i++)
        objectives[count++] = objective_of(&config->objectives[i], false);
    for (size_t i = 0; i < config->synthetic_count; i++)
        objectives[count++] = objective_of(&config->synthetics[i].promised, true);
    return count;
}

int objectives_open(struct loop *s, struct error_detail *detail)
{
    struct objective objectives[OBJECTIVES_MAX];
    size_t count = gather(s->config, objectives);
    if (slis_create(objectives, count, &heap, &s->slis) != 0)
        return error_set(detail, E_MEMORY, "", NULL);
    return slis_recover(s->slis, s->store, detail);
}

/* ---- metrics ---- */

static const struct {
    const char *name;
    int64_t seconds;
} windows[] = {{"5m", 300}, {"30m", 1800}, {"1h", 3600}, {"2h", 7200}, {"6h", 21600}, {"1d", 86400}, {"3d", 259200}};
#define WINDOWS (sizeof windows / sizeof windows[0])

static struct bytes name_of(const struct objective *o, unsigned sli)
{
    static const char *const of_heartbeats[SLI_COUNT] = {"synthetic_success", "synthetic_latency"};
    return bytes_of_text(o->synthetic ? of_heartbeats[sli] : sli_names[sli]);
}

static void count_one(struct loop *s, size_t index, enum sli sli, struct instant now)
{
    struct metrics *m = s->vitals.metrics;
    const struct objective *o = slis_at(s->slis, index);
    struct bytes definition = bytes_of_text(o->definition), name = name_of(o, sli);
    if (s->sidecar->adopted == NULL) { /* else it is counted from that journal's beginning, and moves with it */
        struct sli_count more = slis_take_new(s->slis, index, sli);
        metrics_add(m, METRIC_SLO_EVENTS, LABELS(definition, name), more.all);
        metrics_add(m, METRIC_SLO_BAD, LABELS(definition, name), more.bad);
        metrics_set(m, METRIC_SLO_PROMISED, LABELS(definition, name), o->promised[sli] / 100000.0);
    }
    for (size_t k = 0; k < WINDOWS; k++)
        metrics_set(m, METRIC_SLO_BURN, LABELS(definition, name, bytes_of_text(windows[k].name)),
                    sli_burn(o->promised[sli], slis_count(s->slis, index, sli, SPAN_S(windows[k].seconds), now)));
}

void objectives_count(struct loop *s, struct instant now)
{
    for (size_t i = 0; slis_at(s->slis, i) != NULL; i++)
        for (unsigned sli = 0; sli < SLI_COUNT; sli++)
            if (slis_at(s->slis, i)->promised[sli] != 0)
                count_one(s, i, (enum sli)sli, now);
}

/* What is promised no more burns no more: an alert would stay. */
static void unset_all(struct loop *s)
{
    struct metrics *m = s->vitals.metrics;
    for (size_t i = 0; slis_at(s->slis, i) != NULL; i++)
        for (unsigned sli = 0; sli < SLI_COUNT; sli++) {
            const struct objective *o = slis_at(s->slis, i);
            struct bytes definition = bytes_of_text(o->definition), name = name_of(o, sli);
            if (o->promised[sli] == 0)
                continue;
            metrics_unset(m, METRIC_SLO_PROMISED, LABELS(definition, name));
            for (size_t k = 0; k < WINDOWS; k++)
                metrics_unset(m, METRIC_SLO_BURN, LABELS(definition, name, bytes_of_text(windows[k].name)));
        }
}

void objectives_leave(struct loop *s)
{
    if (s->slis != NULL && s->vitals.metrics != NULL)
        unset_all(s);
}

int objectives_take(struct loop *s, const struct config *config)
{
    struct objective objectives[OBJECTIVES_MAX];
    size_t count = gather(config, objectives);
    struct instant now = clock_now(&s->clock);
    objectives_count(s, now);
    unset_all(s);
    int code = slis_promise(s->slis, objectives, count);
    objectives_count(s, now);
    return code;
}
