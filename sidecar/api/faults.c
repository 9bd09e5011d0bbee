/* faults.c - faults that an operator injects for a drill. */
#include "sidecar/api/api_inside.h"
#include "sidecar/api/view.h"

#include "sidecar/base/grpc_status.h"
#include "sidecar/observe/log.h"

#include <stdio.h>

#define LASTS_MAX SPAN_S(3600)

static int refuse(struct error_detail *detail, size_t index, const char *field, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "faults[%zu].%s", index, field);
    return error_set(detail, E_ARGUMENT, path, text);
}

static struct span span_of(const Google__Protobuf__Duration *d)
{
    return d == NULL ? (struct span){0} : (struct span){.us = d->seconds * 1000000 + d->nanos / 1000};
}

static bool take(char *at, size_t size, const char *text)
{
    return (size_t)snprintf(at, size, "%s", text) < size;
}

static bool is_span(const Google__Protobuf__Duration *d, struct span least)
{
    return d != NULL && d->seconds >= 0 && d->seconds <= LASTS_MAX.us / 1000000 && d->nanos >= 0 &&
           d->nanos <= 999999999 && span_of(d).us >= least.us && span_of(d).us <= LASTS_MAX.us;
}

static int read_rule(const Saga__V1__Fault *m, size_t i, struct instant now, struct drill_rule *r,
                     struct error_detail *detail)
{
    bool delays =
        m->kind == SAGA__V1__FAULT_KIND__FAULT_KIND_DELAY || m->kind == SAGA__V1__FAULT_KIND__FAULT_KIND_REORDER;
    bool aborts = m->kind == SAGA__V1__FAULT_KIND__FAULT_KIND_ABORT;
    *r = (struct drill_rule){.kind = (uint8_t)m->kind, .status = (uint8_t)m->status};
    if (m->kind <= 0 || (int)m->kind >= DRILL_KIND_COUNT)
        return refuse(detail, i, "kind", "DELAY, ABORT, DROP_REQUEST, DROP_ANSWER, DUPLICATE or REORDER");
    if (!take(r->target, sizeof r->target, m->target))
        return refuse(detail, i, "target", "at most 64 bytes");
    if (!take(r->definition, sizeof r->definition, m->definition))
        return refuse(detail, i, "definition", "at most 128 bytes");
    if (!take(r->tag, sizeof r->tag, m->tag) || !take(r->tag_value, sizeof r->tag_value, m->tag_value))
        return refuse(detail, i, "tag", "a name of at most 64 bytes, and a value of at most 256");
    if (m->tag[0] == '\0' && m->tag_value[0] != '\0')
        return refuse(detail, i, "tag", "the tag whose value this is must be named");
    if ((int)m->calls < 0 || m->calls > SAGA__V1__FAULT_CALLS__FAULT_CALLS_COMPENSATIONS)
        return refuse(detail, i, "calls", "ACTIONS or COMPENSATIONS, or nothing for both");
    if (aborts ? m->status <= CODE_OK || m->status >= CODE_COUNT : m->status != 0)
        return refuse(detail, i, "status", aborts ? "a gRPC status other than OK, 1 to 16" : "is of ABORT alone");
    if (!(m->percent >= 0) || m->percent > 100 || (m->percent > 0 && m->percent < 0.1))
        return refuse(detail, i, "percent", "0.1 to 100; 0 takes 100");
    if (delays ? !is_span(m->delay, SPAN_MS(1)) : m->delay != NULL)
        return refuse(detail, i, "delay", delays ? "1ms to 1h" : "is of DELAY and REORDER alone");
    if (!is_span(m->lasts, SPAN_MS(1)))
        return refuse(detail, i, "lasts", "for how long: 1ms to 1h");
    r->phase = m->calls == SAGA__V1__FAULT_CALLS__FAULT_CALLS_ACTIONS         ? SAGA_PHASE_ACTION
               : m->calls == SAGA__V1__FAULT_CALLS__FAULT_CALLS_COMPENSATIONS ? SAGA_PHASE_COMPENSATION
                                                                              : 0;
    r->permille = m->percent == 0 ? 1000 : (uint32_t)(m->percent * 10 + 0.5);
    r->delay = span_of(m->delay);
    r->until = instant_after(now, span_of(m->lasts));
    return 0;
}

int faults_inject(struct api *api, struct change *change, const void *message, struct error_detail *detail)
{
    const Saga__V1__InjectFaultsRequest *m = message;
    struct drill_rule rules[DRILL_RULES_MAX];
    if (!api->options.fault_injection)
        return error_set(detail, E_FAULTS_OFF, "", NULL);
    if (m->n_faults > DRILL_RULES_MAX)
        return error_set(detail, E_ARGUMENT, "faults", "at most 32 at once");
    if (m->actor[0] == '\0' || strlen(m->actor) > ACTOR_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "actor", "say who asks, in 1 to 128 bytes");
    if (m->reason[0] == '\0' || strlen(m->reason) > MESSAGE_BYTES_MAX)
        return error_set(detail, E_ARGUMENT, "reason", "say why, in 1 to 256 bytes");
    for (size_t i = 0; i < m->n_faults; i++) {
        int code = read_rule(m->faults[i], i, api_now(api), &rules[i], detail);
        if (code != 0)
            return code;
    }
    core_set_drill(api->core, rules, (uint32_t)m->n_faults);
    audit_add(api, change->request.call, METHOD_INJECT_FAULTS, "", m->actor, m->reason);
    log_event(LOG_LEVEL_WARN, m->n_faults > 0 ? "faults are injected, for a drill" : "no more faults are injected",
              LOG_TEXT("actor", m->actor), LOG_TEXT("reason", m->reason), LOG_NUMBER("faults", (int64_t)m->n_faults));
    return core_reply(api->core, &(struct reply_effect){.token = (uintptr_t)change}, NULL);
}

static bool show(struct arena *a, const struct drill_rule *r, Saga__V1__Fault *m)
{
    saga__v1__fault__init(m);
    m->kind = (Saga__V1__FaultKind)r->kind;
    m->target = arena_text(a, bytes_of_text(r->target));
    m->definition = arena_text(a, bytes_of_text(r->definition));
    m->tag = arena_text(a, bytes_of_text(r->tag));
    m->tag_value = arena_text(a, bytes_of_text(r->tag_value));
    m->calls = r->phase == SAGA_PHASE_ACTION         ? SAGA__V1__FAULT_CALLS__FAULT_CALLS_ACTIONS
               : r->phase == SAGA_PHASE_COMPENSATION ? SAGA__V1__FAULT_CALLS__FAULT_CALLS_COMPENSATIONS
                                                     : SAGA__V1__FAULT_CALLS__FAULT_CALLS_UNSPECIFIED;
    m->status = r->status;
    m->percent = r->permille / 10.0;
    m->delay = r->delay.us == 0 ? NULL : view_span(a, r->delay);
    m->until = view_time(a, r->until);
    return m->target != NULL && m->definition != NULL && m->tag != NULL && m->tag_value != NULL && m->until != NULL &&
           (m->delay != NULL || r->delay.us == 0);
}

int faults_list(struct api *api, struct read *read, const void *message, struct error_detail *detail)
{
    const struct drill *d = engine_drill(core_engine(api->core));
    Saga__V1__ListFaultsResponse response = SAGA__V1__LIST_FAULTS_RESPONSE__INIT;
    (void)message;
    response.faults = arena_take(read->arena, DRILL_RULES_MAX * sizeof(*response.faults));
    Saga__V1__Fault *shown = arena_take(read->arena, DRILL_RULES_MAX * sizeof *shown);
    bool ok = response.faults != NULL && shown != NULL;
    for (uint32_t i = 0; ok && i < d->count; i++) {
        if (!instant_before(api_now(api), d->rules[i].until))
            continue;
        ok = show(read->arena, &d->rules[i], &shown[response.n_faults]);
        response.faults[response.n_faults] = &shown[response.n_faults];
        response.n_faults++;
    }
    if (!ok)
        return error_set(detail, E_MEMORY, "", NULL);
    api_answer(api, read->request.call, &response.base);
    return 0;
}
