/* model.c - a definition as messages of proto/saga/v1/model.proto. */
#include "sidecar/policy/policy_inside.h"

#include "saga/v1/model.pb-c.h"

#include <string.h>

/* A call and what it points to. */
struct call_model {
    Saga__V1__ModelCall call;
    Google__Protobuf__Duration timeout;
    int64_t codes[32];
};

struct step_model {
    Saga__V1__ModelStep step;
    Google__Protobuf__Duration timeout;
    char *after[STEPS_LIMIT];
    struct call_model action, compensation;
};

static char *text(const char *t)
{
    return (char *)(uintptr_t)(t == NULL ? "" : t);
}

/* NULL for none. */
static Google__Protobuf__Duration *fill_span(Google__Protobuf__Duration *m, struct span span)
{
    google__protobuf__duration__init(m);
    m->seconds = span.us / 1000000;
    m->nanos = (int32_t)(span.us % 1000000 * 1000);
    return span.us == 0 ? NULL : m;
}

static void fill_call(struct call_model *m, const struct call_spec *call)
{
    saga__v1__model_call__init(&m->call);
    m->call.target = text(call->target);
    m->call.method = text(call->method);
    m->call.timeout = fill_span(&m->timeout, call->timeout);
    m->call.max_attempts = call->retry.max_attempts;
    m->call.idempotent = !call->not_idempotent;
    m->call.retryable_status_codes = m->codes;
    for (int64_t code = 0; code < 32; code++)
        if ((call->retry.retryable_status_codes >> code & 1) != 0)
            m->codes[m->call.n_retryable_status_codes++] = code;
}

static void fill_step(struct step_model *m, const struct definition *d, unsigned index, unsigned choice)
{
    const struct step_spec *s = &d->steps[index];
    const struct call_spec *action = s->choice_count == 0 ? &s->action : &s->choices[choice].action;
    const struct call_spec *compensation = s->choice_count == 0 ? &s->compensation : &s->choices[choice].compensation;
    saga__v1__model_step__init(&m->step);
    m->step.name = text(s->name);
    m->step.target = text(action->target);
    m->step.timeout = fill_span(&m->timeout, s->action.timeout);
    m->step.after = m->after;
    for (unsigned k = 0; k < d->step_count; k++)
        if (step_set_has(&s->after, k))
            m->after[m->step.n_after++] = text(d->steps[k].name);
    m->step.pivot = s->pivot;
    m->step.optional = s->optional;
    m->step.irreversible = s->irreversible;
    m->step.may_turn_back = !s->pivot && !definition_step_forward_only(d, index);
    m->step.compensation_none = s->none_said;
    fill_call(&m->action, action);
    m->step.action = &m->action.call;
    if (!s->has_compensation)
        return;
    fill_call(&m->compensation, compensation);
    m->step.compensation = &m->compensation.call;
}

static int pack(const ProtobufCMessage *m, struct pool *pool, struct bytes *wire)
{
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *at = pool_take(pool, size + 1);
    if (at == NULL)
        return E_MEMORY;
    *wire = bytes_of(at, protobuf_c_message_pack(m, at));
    return 0;
}

int model_step(const struct definition *d, unsigned step, unsigned choice, struct pool *pool, struct bytes *wire)
{
    struct step_model *m = pool_take_zeroed(pool, 1, sizeof *m);
    if (m == NULL)
        return E_MEMORY;
    fill_step(m, d, step, choice);
    return pack(&m->step.base, pool, wire);
}

int model_definition(const struct definition *d, struct pool *pool, struct bytes *wire)
{
    Saga__V1__ModelDefinition m = SAGA__V1__MODEL_DEFINITION__INIT;
    Google__Protobuf__Duration deadline;
    struct step_model *models = pool_take_zeroed(pool, d->step_count, sizeof *models);
    Saga__V1__ModelStep **steps = pool_take_zeroed(pool, d->step_count, sizeof *steps);
    if (models == NULL || steps == NULL)
        return E_MEMORY;
    m.name = text(d->name);
    m.version = text(d->version);
    m.schema = text(d->schema_name);
    m.input = text(d->input_name);
    m.deadline = fill_span(&deadline, d->deadline);
    m.forward_only = d->forward_only;
    m.steps = steps;
    m.n_steps = d->step_count;
    for (unsigned i = 0; i < d->step_count; i++) {
        fill_step(&models[i], d, i, 0);
        steps[i] = &models[i].step;
    }
    return pack(&m.base, pool, wire);
}

int model_target(const struct participant *t, struct pool *pool, struct bytes *wire)
{
    Saga__V1__ModelTarget m = SAGA__V1__MODEL_TARGET__INIT;
    Google__Protobuf__Duration timeout;
    m.name = text(t->name);
    m.address = text(t->address);
    m.tls = t->tls;
    m.timeout = fill_span(&timeout, t->timeout);
    m.max_concurrent_calls = t->max_concurrent_calls;
    m.barrier = t->barrier;
    return pack(&m.base, pool, wire);
}
