/* observer.c - looks at every record that has become durable: for the log, and for who waits. */
#include "sidecar/runtime/counters.h"
#include "sidecar/runtime/lately.h"

#include "sidecar/base/check.h"
#include "sidecar/base/grpc_status.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"
#include "sidecar/observe/log.h"

/* How an act is told. What people do, and what needs a person, is told always; the rest at debug. */
struct wording {
    const char *text;
    enum log_level level;
};

static const struct wording wordings[RECORD_TYPE_COUNT] = {
    [RECORD_STARTED] = {"saga started", LOG_LEVEL_DEBUG},
    [RECORD_ENLISTED] = {"step enlisted", LOG_LEVEL_DEBUG},
    [RECORD_ACTION_STARTED] = {"action started", LOG_LEVEL_DEBUG},
    [RECORD_ACTION_FAILED] = {"action attempt failed", LOG_LEVEL_DEBUG},
    [RECORD_ACTION_ENDED] = {"action ended", LOG_LEVEL_DEBUG},
    [RECORD_TURNED_BACK] = {"saga turned back", LOG_LEVEL_DEBUG},
    [RECORD_COMPENSATION_STARTED] = {"compensation started", LOG_LEVEL_DEBUG},
    [RECORD_COMPENSATION_FAILED] = {"compensation attempt failed", LOG_LEVEL_DEBUG},
    [RECORD_COMPENSATION_ENDED] = {"compensation ended", LOG_LEVEL_DEBUG},
    [RECORD_STUCK] = {"saga stuck: it needs an operator", LOG_LEVEL_WARN},
    [RECORD_ENDED] = {"saga ended", LOG_LEVEL_DEBUG},
    [RECORD_PAUSED] = {"saga paused", LOG_LEVEL_INFO},
    [RECORD_RESUMED] = {"saga resumed", LOG_LEVEL_INFO},
    [RECORD_RETRIED] = {"step retried by an operator", LOG_LEVEL_INFO},
    [RECORD_SKIPPED] = {"step skipped by an operator", LOG_LEVEL_INFO},
    [RECORD_ANSWERED] = {"saga answered: only deferred steps are left", LOG_LEVEL_DEBUG},
    [RECORD_REJECTED] = {"an operator says that the action did not happen", LOG_LEVEL_INFO},
    [RECORD_UNREACHED] = {"attempt does not count: it did not leave, or had not begun", LOG_LEVEL_DEBUG},
};

static struct wording wording_of(const struct record *r)
{
    if (r->type == RECORD_TURNED_BACK && r->reason == REASON_CANCELLED)
        return (struct wording){"saga cancelled by an operator", LOG_LEVEL_INFO};
    if (r->type == RECORD_ENDED && r->saga_state == SAGA_RESOLVED)
        return (struct wording){"saga resolved by an operator", LOG_LEVEL_INFO};
    return wordings[r->type];
}

/* Whether a record of this type may be told at info or above, before it is read. */
static bool may_matter(uint8_t type)
{
    return wordings[type].level < LOG_LEVEL_DEBUG || type == RECORD_TURNED_BACK || type == RECORD_ENDED;
}

/* Whether the record tells how an attempt ended, and so has a status. */
static bool is_of_an_end(const struct record *r)
{
    return r->type == RECORD_ACTION_FAILED || r->type == RECORD_ACTION_ENDED || r->type == RECORD_COMPENSATION_FAILED ||
           r->type == RECORD_COMPENSATION_ENDED;
}

/* The answer that made the saga stuck on this step: the record just before, if it is one. */
static struct record answer_before(struct bytes before, const struct record *stuck)
{
    struct record r;
    struct error_detail detail;
    uint64_t previous;
    if (before.size == 0 || codec_decode(&before, &r, &previous, &detail) != 0 || !is_of_an_end(&r) ||
        r.saga.serial != stuck->saga.serial || r.step != stuck->step)
        return (struct record){0};
    return r;
}

/* Of a step's attempts; 0: the record is of none. */
static uint8_t phase_of(const struct saga *saga, const struct record *r)
{
    switch (r->type) {
    case RECORD_ACTION_STARTED:
    case RECORD_ACTION_FAILED:
    case RECORD_ACTION_ENDED:
        return SAGA_PHASE_ACTION;
    case RECORD_UNREACHED:
        return saga->steps[r->step].compensation == SAGA_COMPENSATION_NONE ? SAGA_PHASE_ACTION
                                                                           : SAGA_PHASE_COMPENSATION;
    case RECORD_COMPENSATION_STARTED:
    case RECORD_COMPENSATION_FAILED:
    case RECORD_COMPENSATION_ENDED:
        return SAGA_PHASE_COMPENSATION;
    default:
        return 0;
    }
}

/* Where the trace's id lies in a traceparent. */
#define TRACE_ID_AT  3
#define TRACE_ID_END 35

static void log_record(const struct loop *s, struct bytes before, const struct record *r)
{
    if (!log_wants(wording_of(r).level))
        return;
    const struct saga *saga = engine_find(core_engine(s->core), r->saga.serial);
    bool named = saga != NULL && r->step < saga->step_count;
    struct log_field fields[14] = {LOG_SAGA(r->saga)};
    size_t count = 1;
    if (saga != NULL)
        fields[count++] = (struct log_field)LOG_BYTES("definition", saga->name);
    if (saga != NULL && saga->synthetic)
        fields[count++] = (struct log_field)LOG_TEXT("synthetic", "true");
    if (named)
        fields[count++] = (struct log_field)LOG_BYTES("step", saga_step_name(saga, r->step));
    struct record told = r->type == RECORD_STUCK ? answer_before(before, r) : *r;
    if (r->type == RECORD_STUCK && named) {
        bool forward = saga->stuck_from == SAGA_RUNNING;
        const struct call_spec *call =
            saga_step_call(saga, r->step, forward ? SAGA_PHASE_ACTION : SAGA_PHASE_COMPENSATION);
        fields[count++] = (struct log_field)LOG_TEXT("state", forward ? "RUNNING" : "COMPENSATING");
        fields[count++] = (struct log_field)LOG_TEXT("target", call == NULL ? "" : call->target);
    } else if (named && phase_of(saga, r) != 0) {
        const struct call_spec *call = saga_step_call(saga, r->step, phase_of(saga, r));
        if (call != NULL && call->target != NULL)
            fields[count++] = (struct log_field)LOG_TEXT("target", call->target);
    }
    struct tracing_ids ids;
    if (saga != NULL && tracing_ids(s->tracing, saga, r, named ? phase_of(saga, r) : 0, &ids)) {
        fields[count++] = (struct log_field)LOG_TEXT("trace_id", ids.trace);
        fields[count++] = (struct log_field)LOG_TEXT("span_id", ids.span);
    } else if (saga != NULL && saga->traceparent.size >= TRACE_ID_END) /* 00-<32 digits>-... */
        fields[count++] = (struct log_field)LOG_BYTES(
            "trace_id", bytes_of(saga->traceparent.at + TRACE_ID_AT, TRACE_ID_END - TRACE_ID_AT));
    if (r->reason != REASON_NONE)
        fields[count++] = (struct log_field)LOG_TEXT("reason", record_reason_name(r->reason));
    if (told.attempt > 0)
        fields[count++] = (struct log_field)LOG_NUMBER("attempt", told.attempt);
    if (is_of_an_end(&told))
        fields[count++] = (struct log_field)LOG_TEXT("status", grpc_status_name(told.status));
    if (r->actor.size > 0)
        fields[count++] = (struct log_field)LOG_BYTES("actor", r->actor);
    if (told.message.size > 0)
        fields[count++] = (struct log_field)LOG_BYTES("text", told.message);
    CHECK(count <= sizeof fields / sizeof fields[0]);
    log_write(wording_of(r).level, wording_of(r).text, fields, count);
}

/* The history of a moved saga was told when it happened. */
static void skip_copies(struct bytes moved, struct bytes *rest)
{
    struct record r;
    struct error_detail detail;
    uint64_t previous, serial;
    CHECK(codec_decode(&moved, &r, &previous, &detail) == 0);
    for (uint32_t i = 0; i < r.copies; i++)
        CHECK(codec_skip(rest, &serial) == 0);
}

/* Counts and tells one record of the saga of this serial; before is the one before it in its frame. Most records are of no interest to most who could
 * ask: it is read only for those who do. */
static void look(struct loop *s, uint64_t serial, struct bytes before, struct bytes here, bool tell)
{
    struct record r;
    uint8_t type = codec_type(here);
    const struct saga *saga = engine_find(core_engine(s->core), serial);
    bool heartbeat = saga != NULL && saga->synthetic;
    bool count = saga != NULL && counters_want(s, type), ended = !heartbeat && lately_count(s, type) && saga != NULL;
    bool trace = tracing_wants(s->tracing, type) && tracing_samples(s->tracing, saga);
    if (!count && !tell && !trace && !ended)
        return;
    codec_decode_own(&here, &r);
    if (count && heartbeat)
        counters_record_synthetic(s, saga, &r);
    else if (count)
        counters_record(s, saga, &r);
    if (ended)
        lately_ended(s, saga, &r);
    if (trace)
        tracing_record(s->tracing, saga, &r);
    if (tell)
        log_record(s, before, &r);
}

void observer_durable(void *self, uint64_t frame, struct bytes records)
{
    struct loop *s = self;
    struct bytes before = bytes_of(NULL, 0);
    bool all = log_wants(LOG_LEVEL_DEBUG);
    bool care = api_cares(s->api);
    api_durable(s->api, frame);
    size_t size = records.size;
    unsigned count = 0;
    atomic_store_explicit(&s->durable_frame, frame, memory_order_relaxed);
    while (records.size > 0) {
        uint64_t serial;
        struct bytes here = records;
        CHECK(codec_skip(&records, &serial) == 0);
        count++;
        if (codec_type(here) == RECORD_MOVED) {
            skip_copies(here, &records);
            continue;
        }
        look(s, serial, before, here, all || may_matter(codec_type(here)));
        before = here;
        if (care)
            api_touch(s->api, serial);
    }
    counters_frame(s, size, count);
}
