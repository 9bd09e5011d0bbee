/* decode.h - requests of saga.v1 as events of the engine.
 *
 * Here the form is checked (ids, durations, enums, UTF-8); what the engine checks itself (lengths, names, bounds, states) is left to it. Views
 * in the event point into the message, and into the arena. Each function returns 0 or an error, with the field at fault in detail. */
#ifndef SAGA_API_DECODE_H
#define SAGA_API_DECODE_H

#include "compensations/undo.h"
#include "sidecar/engine/event.h"
#include "sidecar/core/arena.h"
#include "sidecar/core/catalog.h"

#include "saga/v1/coordinator.pb-c.h"
#include "saga/v1/operator.pb-c.h"

struct decoder {
    struct arena *arena;
    const struct catalog *catalog;
    struct retry_policy compensation_retry; /* where an enlistment's policy leaves something out */
};

int decode_start(const struct decoder *d, const Saga__V1__StartRequest *m, struct event *e,
                 struct error_detail *detail);
int decode_begin(const struct decoder *d, const Saga__V1__BeginRequest *m, struct event *e,
                 struct error_detail *detail);
int decode_enlist(const struct decoder *d, const Saga__V1__EnlistRequest *m, struct event *e,
                  struct error_detail *detail);
int decode_settle(const struct decoder *d, const Saga__V1__SettleRequest *m, struct event *e,
                  struct error_detail *detail);
int decode_commit(const struct decoder *d, const Saga__V1__CommitRequest *m, struct event *e,
                  struct error_detail *detail);
int decode_abort(const struct decoder *d, const Saga__V1__AbortRequest *m, struct event *e,
                 struct error_detail *detail);

/* Requests that name a saga and little else. */
struct decode_act {
    uint8_t type;                                /* enum event_type */
    const char *saga_id, *step, *actor, *reason; /* NULL: the request has no such field */
};
int decode_act(const struct decode_act *act, struct event *e, struct error_detail *detail);

/* The id of a saga, from field "saga_id". */
int decode_saga_id(const char *text, struct saga_id *id, struct error_detail *detail);

#endif
