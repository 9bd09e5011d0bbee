/* decode.c - from protobuf to events. */
#include "sidecar/api/decode.h"

#include "sidecar/api/payload.h"

#include "sidecar/base/utf8.h"

#include <stdio.h>

/* Far above every deadline that the engine admits, and far below what overflows. */
#define SECONDS_MAX INT64_C(315576000000)

static int bad(struct error_detail *detail, const char *field, const char *text)
{
    return error_set(detail, E_ARGUMENT, field, text);
}

/* ---- values ---- */

static int read_text(const char *text, const char *field, struct bytes *out, struct error_detail *detail)
{
    *out = bytes_of_text(text);
    return utf8_valid(*out) ? 0 : bad(detail, field, "a text must be UTF-8");
}

static struct bytes read_bytes(const ProtobufCBinaryData *data)
{
    return bytes_of(data->data, data->len);
}

/* A duration that, when it is there, is at least min (https://protobuf.dev/reference/protobuf/google.protobuf/#duration). */
static int read_span(const Google__Protobuf__Duration *duration, struct span min, const char *field, struct span *out,
                     struct error_detail *detail)
{
    *out = (struct span){0};
    if (duration == NULL)
        return 0;
    if (duration->seconds < 0 || duration->seconds > SECONDS_MAX || duration->nanos < 0 || duration->nanos > 999999999)
        return bad(detail, field, "not a duration, or a negative one");
    out->us = duration->seconds * 1000000 + duration->nanos / 1000;
    return out->us >= min.us ? 0 : bad(detail, field, "at least 1 ms");
}

int decode_saga_id(const char *text, struct saga_id *id, struct error_detail *detail)
{
    if (saga_id_parse(text, strlen(text), id))
        return 0;
    return bad(detail, "saga_id", "a saga's id looks like 9f03c1d2a4b7-2a");
}

/* ---- retry policies ---- */

/* One of the two backoffs; what is not said stays. */
static int read_backoff(const Google__Protobuf__Duration *duration, const char *base, const char *name,
                        struct span *out, struct error_detail *detail)
{
    char field[96];
    struct span span;
    if (duration == NULL)
        return 0;
    snprintf(field, sizeof field, "%s.%s", base, name);
    int code = read_span(duration, RETRY_BACKOFF_MIN, field, &span, detail);
    if (code == 0 && span.us > RETRY_BACKOFF_MAX.us)
        code = bad(detail, field, "at most 24 h");
    if (code == 0)
        *out = span;
    return code;
}

static int read_retry(const Saga__V1__RetryPolicy *m, const struct retry_policy *defaults, const char *base,
                      struct retry_policy *out, struct error_detail *detail)
{
    char field[96];
    *out = *defaults;
    if (m->max_attempts < 0 || m->max_attempts > RETRY_ATTEMPTS_MAX) {
        snprintf(field, sizeof field, "%s.max_attempts", base);
        return bad(detail, field, "1 to 1000, or 0 for the default");
    }
    if (m->max_attempts > 0)
        out->max_attempts = (uint16_t)m->max_attempts;
    int code = read_backoff(m->initial_backoff, base, "initial_backoff", &out->initial_backoff, detail);
    if (code == 0)
        code = read_backoff(m->max_backoff, base, "max_backoff", &out->max_backoff, detail);
    if (code != 0)
        return code;
    if (m->max_backoff == NULL && out->max_backoff.us < out->initial_backoff.us)
        out->max_backoff = out->initial_backoff;
    if (out->initial_backoff.us > out->max_backoff.us) {
        snprintf(field, sizeof field, "%s.initial_backoff", base);
        return bad(detail, field, "at most max_backoff");
    }
    if (m->backoff_multiplier != 0) {
        if (!(m->backoff_multiplier * 1000 >= RETRY_MULTIPLIER_PERMILLE_MIN &&
              m->backoff_multiplier * 1000 <= RETRY_MULTIPLIER_PERMILLE_MAX)) {
            snprintf(field, sizeof field, "%s.backoff_multiplier", base);
            return bad(detail, field, "1 to 100, or 0 for the default");
        }
        out->backoff_multiplier_permille = (uint32_t)(m->backoff_multiplier * 1000 + 0.5);
    }
    if (m->jitter != NULL) {
        if (!(m->jitter->value >= 0 && m->jitter->value <= 1)) {
            snprintf(field, sizeof field, "%s.jitter", base);
            return bad(detail, field, "0 to 1");
        }
        out->jitter_permille = (uint32_t)(m->jitter->value * 1000 + 0.5);
    }
    return 0;
}

/* ---- enlistments and settlements ---- */

static int read_enlistment(const struct decoder *d, const Saga__V1__Enlistment *m, size_t index, struct enlistment *out,
                           struct error_detail *detail)
{
    char field[64];
    memset(out, 0, sizeof *out);
    out->step = bytes_of_text(m->step);
    if (m->compensation == NULL)
        return 0;
    const Saga__V1__Call *call = m->compensation;
    out->has_compensation = true;
    out->compensation.target = call->target;
    out->compensation.method = call->method;
    out->compensation.constant = read_bytes(&call->request);
    snprintf(field, sizeof field, "enlist[%zu].compensation.timeout", index);
    int code = read_span(call->timeout, SPAN_MS(1), field, &out->compensation.timeout, detail);
    if (code != 0 || call->retry == NULL)
        return code;
    snprintf(field, sizeof field, "enlist[%zu].compensation.retry", index);
    return read_retry(call->retry, &d->compensation_retry, field, &out->compensation.retry, detail);
}

static int read_enlistments(const struct decoder *d, size_t count, Saga__V1__Enlistment **messages, struct event *e,
                            struct error_detail *detail)
{
    if (count == 0)
        return 0;
    struct enlistment *list = arena_take(d->arena, count * sizeof *list);
    if (list == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; i < count; i++) {
        int code = read_enlistment(d, messages[i], i, &list[i], detail);
        if (code != 0)
            return code;
    }
    e->enlist = list;
    e->enlist_count = count;
    return 0;
}

static int read_settlements(const struct decoder *d, size_t count, Saga__V1__Settlement **messages, struct event *e,
                            struct error_detail *detail)
{
    static const uint8_t action_states[] = {
        [SAGA__V1__OUTCOME__OUTCOME_DONE] = SAGA_ACTION_DONE,
        [SAGA__V1__OUTCOME__OUTCOME_REJECTED] = SAGA_ACTION_REJECTED,
        [SAGA__V1__OUTCOME__OUTCOME_UNKNOWN] = SAGA_ACTION_UNKNOWN,
    };
    if (count == 0)
        return 0;
    struct settlement *list = arena_take(d->arena, count * sizeof *list);
    if (list == NULL)
        return error_set(detail, E_MEMORY, "", NULL);
    for (size_t i = 0; i < count; i++) {
        const Saga__V1__Settlement *m = messages[i];
        if ((unsigned)m->outcome < SAGA__V1__OUTCOME__OUTCOME_DONE ||
            (unsigned)m->outcome > SAGA__V1__OUTCOME__OUTCOME_UNKNOWN) {
            char field[48];
            snprintf(field, sizeof field, "settle[%zu].outcome", i);
            return bad(detail, field, "say DONE, REJECTED or UNKNOWN");
        }
        char field[48];
        snprintf(field, sizeof field, "settle[%zu].may_run_for", i);
        struct span may_run_for;
        int code = read_span(m->may_run_for, SPAN_MS(1), field, &may_run_for, detail);
        if (code != 0)
            return code;
        list[i] = (struct settlement){
            .may_run_for = may_run_for,
            .step = bytes_of_text(m->step),
            .action_state = action_states[m->outcome],
            .output = read_bytes(&m->output),
            .output_is_request = m->use_output_for_compensation,
        };
    }
    e->settle = list;
    e->settle_count = count;
    return 0;
}

/* ---- requests ---- */

/* The input, as bytes or as JSON; of a definition that says its type, only what is of that type. */
static int read_input(const struct decoder *d, const Saga__V1__StartRequest *m, const struct definition *definition,
                      struct event *e, struct error_detail *detail)
{
    e->input = read_bytes(&m->input);
    if (m->input_json[0] != '\0') {
        if (e->input.size > 0)
            return bad(detail, "input_json", "give the input either as bytes or as JSON");
        if (definition->input == NULL)
            return bad(detail, "input_json",
                       "the definition does not say the type of its input (schema, input); give it as bytes");
        return payload_read_json(d->arena, definition->schema, definition->input, bytes_of_text(m->input_json),
                                 &e->input, detail);
    }
    return definition->input == NULL ? 0 : payload_check(definition->input, e->input, detail);
}

int decode_start(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__StartRequest *m = message;
    struct bytes name, version;
    e->type = EVENT_START;
    /* Both may be repeated in an error. */
    int code = read_text(m->definition, "definition", &name, detail);
    if (code == 0)
        code = read_text(m->version, "version", &version, detail);
    if (code != 0)
        return code;
    const struct catalog_entry *entry = catalog_find(d->catalog, name, version);
    if (entry == NULL) {
        if (m->definition[0] == '\0')
            return bad(detail, "definition", "say which definition to start");
        error_set(detail, E_DEFINITION_NOT_FOUND, m->version[0] == '\0' ? "definition" : "version",
                  "no such definition is registered: ");
        error_append(detail, m->definition);
        error_append(detail, m->version[0] == '\0' ? "" : " ");
        error_append(detail, m->version);
        return E_DEFINITION_NOT_FOUND;
    }
    e->definition = entry->definition;
    e->version = bytes_of_text(m->version);
    e->synthetic = m->synthetic;
    code = read_input(d, m, entry->definition, e, detail);
    if (code == 0)
        code = read_text(m->request_id, "request_id", &e->request_id, detail);
    if (code == 0)
        code = read_text(m->traceparent, "traceparent", &e->traceparent, detail);
    if (code == 0 && (unsigned)m->priority > PRIORITY_HIGH)
        code = bad(detail, "priority", "say LOW, NORMAL or HIGH");
    e->priority = (uint8_t)m->priority;
    return code != 0 ? code : read_span(m->deadline, SPAN_MS(1), "deadline", &e->deadline, detail);
}

int decode_begin(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__BeginRequest *m = message;
    e->type = EVENT_BEGIN;
    int code = read_text(m->name, "name", &e->name, detail);
    if (code == 0)
        code = read_text(m->request_id, "request_id", &e->request_id, detail);
    if (code == 0)
        code = read_text(m->traceparent, "traceparent", &e->traceparent, detail);
    if (code == 0)
        code = read_span(m->deadline, SPAN_MS(1), "deadline", &e->deadline, detail);
    if (code == 0)
        code = read_span(m->lease, SPAN_MS(1), "lease", &e->lease, detail);
    return code != 0 ? code : read_enlistments(d, m->n_enlist, m->enlist, e, detail);
}

int decode_enlist(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__EnlistRequest *m = message;
    e->type = EVENT_ENLIST;
    int code = decode_saga_id(m->saga_id, &e->saga, detail);
    if (code == 0)
        code = read_settlements(d, m->n_settle, m->settle, e, detail);
    return code != 0 ? code : read_enlistments(d, m->n_enlist, m->enlist, e, detail);
}

int decode_settle(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__SettleRequest *m = message;
    e->type = EVENT_ENLIST;
    int code = decode_saga_id(m->saga_id, &e->saga, detail);
    return code != 0 ? code : read_settlements(d, m->n_settle, m->settle, e, detail);
}

int decode_commit(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__CommitRequest *m = message;
    e->type = EVENT_COMMIT;
    int code = decode_saga_id(m->saga_id, &e->saga, detail);
    return code != 0 ? code : read_settlements(d, m->n_settle, m->settle, e, detail);
}

int decode_abort(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__AbortRequest *m = message;
    e->type = EVENT_ABORT;
    int code = decode_saga_id(m->saga_id, &e->saga, detail);
    if (code == 0)
        code = read_text(m->reason, "reason", &e->reason, detail);
    return code != 0 ? code : read_settlements(d, m->n_settle, m->settle, e, detail);
}

/* What requests that name a saga and little else say; NULL: the request has no such field. */
struct act {
    uint8_t type; /* enum event_type */
    const char *saga_id, *step, *actor, *reason;
};

static int read_act(const struct act *act, struct event *e, struct error_detail *detail)
{
    e->type = act->type;
    int code = decode_saga_id(act->saga_id, &e->saga, detail);
    if (code == 0)
        code = read_text(act->step, "step", &e->step, detail);
    if (code == 0)
        code = read_text(act->actor, "actor", &e->actor, detail);
    return code != 0 ? code : read_text(act->reason, "reason", &e->reason, detail);
}

int decode_keep_alive(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__KeepAliveRequest *m = message;
    const struct act act = {.type = EVENT_KEEP_ALIVE, .saga_id = m->saga_id};
    (void)d;
    return read_act(&act, e, detail);
}

int decode_cancel(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__CancelRequest *m = message;
    const struct act act = {.type = EVENT_CANCEL, .saga_id = m->saga_id, .actor = m->actor, .reason = m->reason};
    (void)d;
    return read_act(&act, e, detail);
}

int decode_pause(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__PauseRequest *m = message;
    const struct act act = {.type = EVENT_PAUSE, .saga_id = m->saga_id, .actor = m->actor, .reason = m->reason};
    (void)d;
    return read_act(&act, e, detail);
}

int decode_resume(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__ResumeRequest *m = message;
    const struct act act = {.type = EVENT_RESUME, .saga_id = m->saga_id, .actor = m->actor};
    (void)d;
    return read_act(&act, e, detail);
}

int decode_retry(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__RetryRequest *m = message;
    const struct act act = {.type = EVENT_RETRY, .saga_id = m->saga_id, .step = m->step, .actor = m->actor};
    (void)d;
    return read_act(&act, e, detail);
}

int decode_skip(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__SkipRequest *m = message;
    const struct act act = {
        .type = EVENT_SKIP, .saga_id = m->saga_id, .step = m->step, .actor = m->actor, .reason = m->reason};
    (void)d;
    return read_act(&act, e, detail);
}

int decode_reject(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__RejectRequest *m = message;
    const struct act act = {
        .type = EVENT_REJECT, .saga_id = m->saga_id, .step = m->step, .actor = m->actor, .reason = m->reason};
    (void)d;
    return read_act(&act, e, detail);
}

int decode_resolve(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__ResolveRequest *m = message;
    const struct act act = {.type = EVENT_RESOLVE, .saga_id = m->saga_id, .actor = m->actor, .reason = m->reason};
    (void)d;
    return read_act(&act, e, detail);
}

int decode_set_breaker(const struct decoder *d, const void *message, struct event *e, struct error_detail *detail)
{
    const Saga__V1__SetBreakerRequest *m = message;
    (void)d;
    e->type = EVENT_BREAKER;
    e->breaker_act = (uint8_t)(m->act == SAGA__V1__BREAKER_ACT__BREAKER_ACT_TRIP    ? BREAKER_TRIP
                               : m->act == SAGA__V1__BREAKER_ACT__BREAKER_ACT_HOLD  ? BREAKER_HOLD
                               : m->act == SAGA__V1__BREAKER_ACT__BREAKER_ACT_RESET ? BREAKER_RESET
                                                                                    : 0);
    int code = read_text(m->target, "target", &e->name, detail);
    if (code == 0)
        code = read_text(m->actor, "actor", &e->actor, detail);
    return code != 0 ? code : read_text(m->reason, "reason", &e->reason, detail);
}
