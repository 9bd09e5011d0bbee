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

/* As in struct method: message is the request of the method of this name. */
int decode_start(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_begin(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_enlist(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_settle(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_commit(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_abort(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_keep_alive(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_cancel(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_pause(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_resume(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_retry(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_reject(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_skip(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_set_breaker(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);
int decode_resolve(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail);

/* The id of a saga, from field "saga_id". */
int decode_saga_id(const char *text, struct saga_id *id, struct error_detail *detail);

#endif
