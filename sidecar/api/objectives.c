/* objectives.c - what is promised, and how it is kept. */
#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"
#include "sidecar/core/slis.h"

#define WINDOWS 8

static bool add_windows(struct arena *a, const struct slis *slis, size_t index, enum sli sli, struct instant now,
                        Saga__V1__Objective *m)
{
    const struct objective *o = slis_at(slis, index);
    const struct span windows[WINDOWS] = {SPAN_S(300),      SPAN_S(1800),      SPAN_S(3600),      SPAN_S(7200),
                                          SPAN_S(6 * 3600), SPAN_S(24 * 3600), SPAN_S(72 * 3600), o->window};
    m->windows = arena_take(a, WINDOWS * sizeof(*m->windows));
    for (unsigned i = 0; m->windows != NULL && i < WINDOWS; i++) {
        Saga__V1__ObjectiveWindow *w = arena_take(a, sizeof *w);
        if (w == NULL)
            return false;
        saga__v1__objective_window__init(w);
        struct sli_count count = slis_count(slis, index, sli, windows[i], now);
        w->window = view_span(a, windows[i]);
        w->all = count.all;
        w->bad = count.bad;
        m->windows[m->n_windows++] = w;
        if (w->window == NULL)
            return false;
    }
    return m->windows != NULL;
}

static Saga__V1__Objective *view_one(struct api *api, struct arena *a, size_t index, enum sli sli, struct instant now)
{
    const struct objective *o = slis_at(api->options.slis, index);
    Saga__V1__Objective *m = arena_take(a, sizeof *m);
    if (m == NULL)
        return NULL;
    saga__v1__objective__init(m);
    struct sli_count all = slis_count(api->options.slis, index, sli, (struct span){0}, now);
    m->definition = (char *)(uintptr_t)o->definition;
    m->kind = (Saga__V1__ObjectiveKind)(sli + (o->synthetic ? SAGA__V1__OBJECTIVE_KIND__OBJECTIVE_KIND_SYNTHETIC_SUCCESS
                                                            : 1));
    m->promised = o->promised[sli] / 100000.0;
    m->window = view_span(a, o->window);
    m->all = all.all;
    m->bad = all.bad;
    m->loop = api->options.loop;
    m->journal = (char *)(uintptr_t)api->options.guest;
    struct span threshold = sli == SLI_LATENCY ? o->latency : o->freshness;
    if (sli != SLI_SUCCESS && (m->threshold = view_span(a, threshold)) == NULL)
        return NULL;
    return m->window != NULL && add_windows(a, api->options.slis, index, sli, now, m) ? m : NULL;
}

int objectives_list(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    Saga__V1__ListObjectivesResponse response = SAGA__V1__LIST_OBJECTIVES_RESPONSE__INIT;
    struct instant now = api_now(api);
    (void)message;
    response.objectives = arena_take(read->arena, OBJECTIVES_MAX * SLI_COUNT * sizeof(*response.objectives));
    if (response.objectives == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; slis_at(api->options.slis, i) != NULL; i++)
        for (unsigned sli = 0; sli < SLI_COUNT; sli++) {
            if (slis_at(api->options.slis, i)->promised[sli] == 0)
                continue;
            Saga__V1__Objective *m = view_one(api, read->arena, i, (enum sli)sli, now);
            if (m == NULL)
                return error_set(detail, E_MEMORY, "", NULL);
            response.objectives[response.n_objectives++] = m;
        }
    api_answer(api, read->request.call, &response.base);
    return 0;
}
