/* tracing.c - from durable records to spans. When an attempt or a step began is kept here until it ends, for sagas that are sampled; what began
 * before the process did is shown from when it was taken up. */
#include "sidecar/runtime/tracing.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/engine/saga.h"

#include <stdlib.h>
#include <string.h>
/* uthash's own function falls through its cases in a way that clang warns of. The key is two words. */
#define HASH_FUNCTION(key, size, hash) ((hash) = hash_of(key))
static unsigned hash_of(const void *key);
#include <uthash.h>

/* Steps that are under way at once; of more, the beginnings are not known. */
#define OPEN_MAX 65536
/* What waits for the exporter: some thousand spans a loop. */
#define QUEUE_BYTES (1 << 20)

struct open_key {
    uint64_t serial;
    uint32_t step, phase;
};

static unsigned hash_of(const void *key)
{
    const struct open_key *k = key;
    return (
        unsigned)(((k->serial ^ (uint64_t)k->step << 40 ^ (uint64_t)k->phase << 56) * UINT64_C(0x9e3779b97f4a7c15)) >>
                  32);
}

/* A step's action or undo that is under way. */
struct open_step {
    struct open_key key;
    struct instant began, attempt_began;
    UT_hash_handle hh;
};

struct tracing {
    struct otlp_queue *queue;
    unsigned percent;
    struct open_step *open;
    struct tracing_counts counts;
};

int tracing_create(const struct config *config, struct tracing **out)
{
    *out = NULL;
    if (config->otlp_endpoint[0] == '\0')
        return 0;
    struct tracing *t = calloc(1, sizeof *t);
    if (t == NULL || otlp_queue_create(QUEUE_BYTES, &t->queue) != 0) {
        free(t);
        return E_MEMORY;
    }
    t->percent = config->traces_percent;
    *out = t;
    return 0;
}

void tracing_destroy(struct tracing *t)
{
    struct open_step *o, *next;
    if (t == NULL)
        return;
    HASH_ITER(hh, t->open, o, next)
    {
        HASH_DEL(t->open, o);
        free(o);
    }
    otlp_queue_destroy(t->queue);
    free(t);
}

struct otlp_queue *tracing_queue(struct tracing *t)
{
    return t->queue;
}

struct tracing_counts tracing_counts(struct tracing *t)
{
    struct tracing_counts counts = t == NULL ? (struct tracing_counts){0} : t->counts;
    if (t != NULL)
        t->counts = (struct tracing_counts){0};
    return counts;
}

/* ---- what is under way ---- */

static struct open_step *find(struct tracing *t, const struct open_key *key)
{
    struct open_step *o;
    HASH_FIND(hh, t->open, key, sizeof *key, o);
    return o;
}

static void begin(struct tracing *t, const struct record *r, uint8_t phase)
{
    const struct open_key key = {.serial = r->saga.serial, .step = r->step, .phase = phase};
    struct open_step *o = find(t, &key);
    if (o == NULL && HASH_COUNT(t->open) < OPEN_MAX && (o = calloc(1, sizeof *o)) != NULL) {
        o->key = key;
        o->began = r->at;
        HASH_ADD(hh, t->open, key, sizeof key, o);
    }
    if (o != NULL)
        o->attempt_began = r->at;
}

static void forget(struct tracing *t, const struct record *r, uint8_t phase)
{
    const struct open_key key = {.serial = r->saga.serial, .step = r->step, .phase = phase};
    struct open_step *o = find(t, &key);
    if (o == NULL)
        return;
    HASH_DEL(t->open, o);
    free(o);
}

/* ---- spans ---- */

static void add(struct tracing *t, const struct trace *trace, const struct trace_span *span)
{
    t->counts.made++;
    if (!spans_add(t->queue, trace, span))
        t->counts.dropped++;
}

static void say(struct trace_span *span, const char *name, struct bytes text)
{
    if (text.size > 0)
        span->attributes[span->attribute_count++] = (struct span_attribute){.name = name, .text = text};
}

static void say_number(struct trace_span *span, const char *name, int64_t number)
{
    span->attributes[span->attribute_count++] = (struct span_attribute){.name = name, .number = number};
}

static void say_saga(struct trace_span *span, const struct saga *saga, char id[SAGA_ID_TEXT_SIZE])
{
    say(span, "saga.id", bytes_of(id, saga_id_format(saga->id, id)));
    say(span, "saga.definition", saga->name);
    if (saga->synthetic)
        say(span, "saga.synthetic", bytes_of_text("true"));
}

static const char *phase_name(uint8_t phase)
{
    return phase == SAGA_PHASE_ACTION ? "action" : "compensation";
}

/* An attempt that was out: a call. */
static void tell_attempt(struct tracing *t, const struct trace *trace, const struct saga *saga, const struct record *r,
                         uint8_t phase, struct instant began)
{
    char id[SAGA_ID_TEXT_SIZE];
    uint8_t parent[SPAN_ID_SIZE];
    struct trace_span span = {
        .key = {.saga = r->saga, .step = r->step, .phase = phase, .attempt = r->attempt},
        .parent = parent,
        .is_call = true,
        .failed = r->status != 0,
        .error = r->message,
        .began = began,
        .ended = r->at,
    };
    const struct span_key step = {.saga = r->saga, .step = r->step, .phase = phase};
    const struct call_spec *call = saga_step_call(saga, r->step, phase);
    struct bytes method = bytes_of_text(call == NULL ? "" : call->method);
    if (method.size > 0 && method.at[0] == '/')
        method = bytes_of(method.at + 1, method.size - 1);
    span_id_of(&step, parent);
    span.name = method.size > 0 ? method : saga_step_name(saga, r->step);
    say_saga(&span, saga, id);
    say(&span, "saga.step", saga_step_name(saga, r->step));
    say(&span, "saga.phase", bytes_of_text(phase_name(phase)));
    say_number(&span, "saga.attempt", r->attempt);
    say(&span, "saga.target", bytes_of_text(call == NULL ? "" : call->target));
    say(&span, "rpc.system.name", bytes_of_text("grpc"));
    say(&span, "rpc.method", method);
    say(&span, "rpc.response.status_code", bytes_of_text(grpc_status_name(r->status)));
    if (span.failed)
        say(&span, "error.type", bytes_of_text(grpc_status_name(r->status)));
    add(t, trace, &span);
}

static void tell_step(struct tracing *t, const struct trace *trace, const struct saga *saga, const struct record *r,
                      uint8_t phase, struct instant began)
{
    char id[SAGA_ID_TEXT_SIZE], name[STEP_NAME_BYTES_MAX + 8];
    uint8_t parent[SPAN_ID_SIZE];
    const struct span_key root = {.saga = r->saga, .step = RECORD_NO_STEP};
    struct bytes step = saga_step_name(saga, r->step);
    size_t size = 0;
    if (phase == SAGA_PHASE_COMPENSATION) {
        memcpy(name, "undo ", 5);
        size = 5;
    }
    CHECK(step.size <= STEP_NAME_BYTES_MAX);
    memcpy(name + size, step.at, step.size);
    span_id_of(&root, parent);
    struct trace_span span = {
        .key = {.saga = r->saga, .step = r->step, .phase = phase},
        .parent = parent,
        .name = bytes_of(name, size + step.size),
        .failed = phase == SAGA_PHASE_ACTION ? r->action_state != SAGA_ACTION_DONE
                                             : r->compensation_state != SAGA_COMPENSATION_DONE,
        .error = r->message,
        .began = began,
        .ended = r->at,
    };
    say_saga(&span, saga, id);
    say(&span, "saga.step", step);
    say(&span, "saga.phase", bytes_of_text(phase_name(phase)));
    add(t, trace, &span);
}

static void tell_end(struct tracing *t, const struct trace *trace, const struct saga *saga, const struct record *r)
{
    char id[SAGA_ID_TEXT_SIZE];
    struct trace_span span = {
        .key = {.saga = r->saga, .step = RECORD_NO_STEP},
        .parent = trace->has_parent ? trace->parent : NULL,
        .name = saga->name.size > 0 ? saga->name : bytes_of_text("saga"),
        .failed = r->saga_state != SAGA_COMMITTED,
        .error = bytes_of_text(record_reason_name(saga->reason)),
        .began = saga->started_at,
        .ended = r->at,
    };
    say_saga(&span, saga, id);
    say(&span, "saga.state", bytes_of_text(record_state_name(r->saga_state)));
    say(&span, "saga.reason", bytes_of_text(record_reason_name(saga->reason)));
    if (saga->reason_step < saga->step_count)
        say(&span, "saga.reason_step", saga_step_name(saga, saga->reason_step));
    add(t, trace, &span);
}

/* A saga that waits for a person has no end that could be told: this says so in its trace meanwhile. */
static void tell_stuck(struct tracing *t, const struct trace *trace, const struct saga *saga, const struct record *r)
{
    char id[SAGA_ID_TEXT_SIZE];
    uint8_t parent[SPAN_ID_SIZE];
    const struct span_key root = {.saga = r->saga, .step = RECORD_NO_STEP};
    span_id_of(&root, parent);
    struct trace_span span = {
        /* No step has this phase; the moment tells one time from another. */
        .key = {.saga = r->saga, .step = r->step, .phase = UINT8_MAX, .attempt = (uint16_t)r->at.us},
        .parent = parent,
        .name = bytes_of_text("stuck"),
        .failed = true,
        .error = bytes_of_text(record_reason_name(r->reason)),
        .began = r->at,
        .ended = r->at,
    };
    say_saga(&span, saga, id);
    if (r->step < saga->step_count)
        say(&span, "saga.step", saga_step_name(saga, r->step));
    say(&span, "saga.reason", bytes_of_text(record_reason_name(r->reason)));
    add(t, trace, &span);
}

/* ---- records ---- */

bool tracing_wants(const struct tracing *t, uint8_t type)
{
    if (t == NULL)
        return false;
    return type == RECORD_ACTION_STARTED || type == RECORD_ACTION_FAILED || type == RECORD_ACTION_ENDED ||
           type == RECORD_COMPENSATION_STARTED || type == RECORD_COMPENSATION_FAILED ||
           type == RECORD_COMPENSATION_ENDED || type == RECORD_STUCK || type == RECORD_ENDED;
}

bool tracing_samples(const struct tracing *t, const struct saga *saga)
{
    return saga != NULL && trace_sampled(saga->id, saga->traceparent, t->percent);
}

/* Whether the record is of an attempt of ours. An owner's settlement of an enlisted step is none. */
static bool is_of_an_attempt(const struct saga *saga, const struct record *r, uint8_t phase)
{
    return r->attempt > 0 && saga_step_call(saga, r->step, phase) != NULL;
}

static void tell_end_of(struct tracing *t, const struct trace *trace, const struct saga *saga, const struct record *r,
                        uint8_t phase)
{
    const struct open_key key = {.serial = r->saga.serial, .step = r->step, .phase = phase};
    const struct open_step *o = find(t, &key);
    const struct step *step = &saga->steps[r->step];
    bool over = r->type == RECORD_ACTION_ENDED || r->type == RECORD_COMPENSATION_ENDED;
    if (is_of_an_attempt(saga, r, phase))
        tell_attempt(t, trace, saga, r, phase, o == NULL ? r->at : o->attempt_began);
    if (!over)
        return;
    struct instant began = o != NULL                                              ? o->began
                           : phase == SAGA_PHASE_ACTION && step->first_at.us != 0 ? step->first_at
                                                                                  : r->at;
    tell_step(t, trace, saga, r, phase, began);
    forget(t, r, phase);
}

void tracing_record(struct tracing *t, const struct saga *saga, const struct record *r)
{
    const struct trace trace = trace_of(saga->id, saga->traceparent, t->percent);
    if (!trace.sampled)
        return;
    switch (r->type) {
    case RECORD_ACTION_STARTED:
        begin(t, r, SAGA_PHASE_ACTION);
        break;
    case RECORD_COMPENSATION_STARTED:
        begin(t, r, SAGA_PHASE_COMPENSATION);
        break;
    case RECORD_ACTION_FAILED:
    case RECORD_ACTION_ENDED:
        tell_end_of(t, &trace, saga, r, SAGA_PHASE_ACTION);
        break;
    case RECORD_COMPENSATION_FAILED:
    case RECORD_COMPENSATION_ENDED:
        tell_end_of(t, &trace, saga, r, SAGA_PHASE_COMPENSATION);
        break;
    case RECORD_STUCK:
        tell_stuck(t, &trace, saga, r);
        break;
    case RECORD_ENDED:
        tell_end(t, &trace, saga, r);
        for (uint16_t i = 0; i < saga->step_count; i++) { /* what a person skipped or resolved never ends */
            forget(t, &(struct record){.saga = r->saga, .step = i}, SAGA_PHASE_ACTION);
            forget(t, &(struct record){.saga = r->saga, .step = i}, SAGA_PHASE_COMPENSATION);
        }
        break;
    default:
        break;
    }
}

bool tracing_ids(const struct tracing *t, const struct saga *saga, const struct record *r, uint8_t phase,
                 struct tracing_ids *ids)
{
    if (t == NULL || !tracing_samples(t, saga))
        return false;
    const struct trace trace = trace_of(saga->id, saga->traceparent, t->percent);
    struct span_key key = {.saga = saga->id, .step = RECORD_NO_STEP};
    if (phase != 0 && is_of_an_attempt(saga, r, phase))
        key = (struct span_key){.saga = saga->id, .step = r->step, .phase = phase, .attempt = r->attempt};
    trace_id_text(&trace, ids->trace);
    span_id_text(&key, ids->span);
    return true;
}

struct bytes tracing_parent(const struct tracing *t, const struct call_effect *call, char text[TRACEPARENT_SIZE])
{
    if (t == NULL || !trace_sampled(call->saga, call->traceparent, t->percent))
        return call->traceparent;
    const struct trace trace = trace_of(call->saga, call->traceparent, t->percent);
    const struct span_key attempt = {
        .saga = call->saga, .step = call->step, .phase = call->phase, .attempt = call->attempt};
    trace_parent_of(&trace, &attempt, text);
    return bytes_of_text(text);
}
