/* observer.c - looks at every record that has become durable: for the log, and for who waits. */
#include "sidecar/runtime/loop_inside.h"

#include "sidecar/base/check.h"
#include "sidecar/engine/saga.h"
#include "sidecar/journal/codec.h"
#include "sidecar/observe/log.h"

static const char *reason_name(uint8_t reason)
{
    static const char *const names[] = {
        [REASON_NONE] = "",
        [REASON_ACTION_REJECTED] = "ACTION_REJECTED",
        [REASON_ACTION_UNKNOWN] = "ACTION_UNKNOWN",
        [REASON_DEADLINE] = "DEADLINE",
        [REASON_LEASE] = "LEASE",
        [REASON_CANCELLED] = "CANCELLED",
        [REASON_ABORTED] = "ABORTED",
        [REASON_COMPENSATION_FAILED] = "COMPENSATION_FAILED",
        [REASON_FORWARD_FAILED] = "FORWARD_FAILED",
        [REASON_PIVOT_UNKNOWN] = "PIVOT_UNKNOWN",
    };
    return reason < sizeof names / sizeof names[0] ? names[reason] : "";
}

/* Every record at debug; a saga that needs a person at warn. */
static void log_record(const struct loop *s, struct bytes rest)
{
    static const char *const texts[RECORD_TYPE_COUNT] = {
        [RECORD_STARTED] = "saga started",
        [RECORD_ENLISTED] = "step enlisted",
        [RECORD_ACTION_STARTED] = "action started",
        [RECORD_ACTION_FAILED] = "action attempt failed",
        [RECORD_ACTION_ENDED] = "action ended",
        [RECORD_TURNED_BACK] = "saga turned back",
        [RECORD_COMPENSATION_STARTED] = "compensation started",
        [RECORD_COMPENSATION_FAILED] = "compensation attempt failed",
        [RECORD_COMPENSATION_ENDED] = "compensation ended",
        [RECORD_STUCK] = "saga stuck: it needs an operator",
        [RECORD_ENDED] = "saga ended",
        [RECORD_PAUSED] = "saga paused",
        [RECORD_RESUMED] = "saga resumed",
        [RECORD_RETRIED] = "step retried by an operator",
        [RECORD_SKIPPED] = "step skipped by an operator",
    };
    struct record r;
    struct error_detail detail;
    uint64_t previous;
    if (codec_decode(&rest, &r, &previous, &detail) != 0)
        return;
    const struct saga *saga = engine_find(core_engine(s->core), r.saga.serial);
    bool named = saga != NULL && r.step < saga->step_count;
    log_event(r.type == RECORD_STUCK ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, texts[r.type], LOG_SAGA(r.saga),
              LOG_BYTES("definition", saga == NULL ? bytes_of(NULL, 0) : saga->name),
              LOG_BYTES("step", named ? saga_step_name(saga, r.step) : bytes_of(NULL, 0)),
              LOG_NUMBER("attempt", r.attempt), LOG_NUMBER("status", r.status),
              LOG_TEXT("reason", reason_name(r.reason)));
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

void observer_durable(void *self, uint64_t frame, struct bytes records)
{
    struct loop *s = self;
    bool all = log_wants(LOG_LEVEL_DEBUG);
    bool care = api_cares(s->api);
    api_durable(s->api, frame);
    atomic_store_explicit(&s->durable_frame, frame, memory_order_relaxed);
    while (records.size > 0) {
        uint64_t serial;
        struct bytes here = records;
        CHECK(codec_skip(&records, &serial) == 0);
        if (codec_type(here) == RECORD_MOVED) {
            skip_copies(here, &records);
            continue;
        }
        if (all || codec_type(here) == RECORD_STUCK)
            log_record(s, here);
        if (care)
            api_touch(s->api, serial);
    }
}
