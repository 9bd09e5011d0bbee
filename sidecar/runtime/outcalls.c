/* outcalls.c - calls of participants: what the engine asked for leaves, and its answer comes back as an event. */
#include "sidecar/core/call_metadata.h"
#include "sidecar/runtime/counters.h"

#include "sidecar/base/check.h"
#include "sidecar/base/quiet.h"
#include "sidecar/observe/log.h"

#include <stdlib.h>

/* From this on a participant's pushback is worth a line. */
#define PUSHBACK_TOLD SPAN_S(10)

/* One call on its way, as it must be told in its answer. */
struct out_call {
    struct saga_id saga;
    struct instant runs_until; /* unless its end is proven before */
    struct instant left_at;
    uint16_t target;
    uint16_t step;
    uint16_t attempt;
    uint8_t phase;
    struct out_call *next_free;
};

void outcalls_call(void *self, const struct call_effect *call)
{
    struct loop *s = self;
    struct out_call *out = s->free_outs;
    if (out != NULL)
        s->free_outs = out->next_free;
    else
        out = malloc(sizeof *out);
    if (out == NULL) {
        /* Its start is in the journal; what becomes of it is what becomes of every call that a crash took. */
        s->failure.code = error_set(&s->failure.detail, E_MEMORY, "", NULL);
        return;
    }
    struct instant now = clock_now(&s->clock);
    *out = (struct out_call){
        .saga = call->saga,
        .runs_until = quiet_at(now, call->timeout),
        .left_at = now,
        .target = call->target,
        .step = call->step,
        .attempt = call->attempt,
        .phase = call->phase,
    };
    struct call_metadata metadata;
    struct rpc_metadata entries[CALL_METADATA_MAX];
    call_metadata_init(&metadata, call);
    for (size_t i = 0; i < metadata.count; i++)
        entries[i] = (struct rpc_metadata){.key = metadata.entries[i].key, .value = metadata.entries[i].value};
    rpc_call_out(s->targets[call->target], call->method, entries, metadata.count, call->request, call->timeout, out);
}

/* A participant that asks for a long break is obeyed, within a bound, and people are told: nothing else is seen of it for so long. */
static void tell_pushback(const struct loop *s, const struct out_call *out, struct span pushback)
{
    char id[SAGA_ID_TEXT_SIZE];
    if (pushback.us < PUSHBACK_TOLD.us)
        return;
    saga_id_format(out->saga, id);
    log_event(LOG_LEVEL_WARN, "a participant asks to come again much later", LOG_TEXT("saga", id),
              LOG_TEXT("target", s->config->targets[out->target].name), LOG_NUMBER("asked_ms", pushback.us / 1000),
              LOG_NUMBER("waits_ms", span_min(pushback, s->config->pushback_max).us / 1000));
}

void outcalls_answer(void *self, void *tag, const struct rpc_answer *answer)
{
    struct loop *s = self;
    struct out_call *out = tag;
    struct event event = {
        .type = EVENT_ANSWER,
        .now = clock_now(&s->clock),
        .saga = out->saga,
        .step_index = out->step,
        .phase = out->phase,
        .attempt = out->attempt,
        .reach = (uint8_t)answer->reach,
        .status = answer->status,
        .quiet_at = answer->reach == SAGA_REACH_MAYBE ? out->runs_until : (struct instant){0},
        .message = answer->message,
        .output = answer->output,
        .has_pushback = answer->has_pushback,
        .pushback = answer->pushback,
    };
    if (answer->has_pushback)
        tell_pushback(s, out, answer->pushback);
    counters_attempt(s, out->target, out->phase, out->left_at, answer);
    out->next_free = s->free_outs;
    s->free_outs = out;
    if (!s->cutting)
        api_submit(s->api, &event);
}

void outcalls_finish(struct loop *s)
{
    while (s->free_outs != NULL) {
        struct out_call *out = s->free_outs;
        s->free_outs = out->next_free;
        free(out);
    }
}
