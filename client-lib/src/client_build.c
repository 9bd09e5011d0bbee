/* client_build.c - from the public structs to the messages of saga.v1. Checked here is what the sidecar cannot see any more: NULLs, counts,
 * numbers that would wrap, members that must be 0. The rest is the sidecar's to refuse, with the same field names. */
#include "client-lib/src/client_inside.h"

#include "client-lib/src/request_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Milliseconds that fit a Duration's bounds (10,000 years). */
#define DURATION_MS_MAX INT64_C(315576000000000)

struct built_enlistment {
    Saga__V1__Enlistment enlistment;
    Saga__V1__Call call;
    Saga__V1__RetryPolicy retry;
    Google__Protobuf__Duration timeout, initial_backoff, max_backoff;
    Google__Protobuf__DoubleValue jitter;
};

int client_refuse(struct saga_error *error, const char *field, const char *problem)
{
    return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, field, problem);
}

char *client_text(const char *text)
{
    static char empty[1];
    return text ? (char *)(uintptr_t)text : empty;
}

int client_saga_id(const char *saga_id, char **out, struct saga_error *error)
{
    if (!saga_id || saga_id[0] == '\0')
        return client_refuse(error, "saga_id", "a saga_id is needed");
    if (strnlen(saga_id, SAGA_ID_SIZE) == SAGA_ID_SIZE)
        return client_refuse(error, "saga_id", "no saga_id is that long");
    *out = client_text(saga_id);
    return SAGA_OK;
}

static ProtobufCBinaryData binary(const void *data, size_t size)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)data, .len = size};
}

/* 0 leaves *member unset. */
static int set_duration(int64_t ms, Google__Protobuf__Duration *room, Google__Protobuf__Duration **member,
                        const char *field, struct saga_error *error)
{
    if (ms < 0 || ms > DURATION_MS_MAX)
        return client_refuse(error, field, "milliseconds must lie between 0 and 315576000000000");
    if (ms == 0)
        return SAGA_OK;
    google__protobuf__duration__init(room);
    room->seconds = ms / 1000;
    room->nanos = (int32_t)(ms % 1000 * 1000000);
    *member = room;
    return SAGA_OK;
}

static int check_reserved(const uint64_t *reserved, size_t count, struct saga_error *error)
{
    for (size_t i = 0; i < count; i++)
        if (reserved[i] != 0)
            return client_refuse(error, "reserved", "reserved must be 0");
    return SAGA_OK;
}

static int set_request_id(const char *given, char room[SAGA_REQUEST_ID_SIZE], struct saga_error *error)
{
    if (!given || given[0] == '\0') {
        request_id_make(room);
        return SAGA_OK;
    }
    if (strnlen(given, SAGA_REQUEST_ID_SIZE) == SAGA_REQUEST_ID_SIZE)
        return client_refuse(error, "request_id", "a request_id has at most 128 bytes");
    strcpy(room, given);
    return SAGA_OK;
}

int build_start(struct built_start *out, const struct saga_start_options *options, struct saga_error *error)
{
    if (!options || !options->definition || options->definition[0] == '\0')
        return client_refuse(error, "definition", "the name of a definition is needed");
    if (!options->input && options->input_size > 0)
        return client_refuse(error, "input", "input is NULL and input_size is not 0");
    int code = check_reserved(options->reserved, sizeof options->reserved / sizeof options->reserved[0], error);
    if (code == SAGA_OK)
        code = set_request_id(options->request_id, out->request_id, error);
    if (code != SAGA_OK)
        return code;
    saga__v1__start_request__init(&out->message);
    out->message.definition = client_text(options->definition);
    out->message.version = client_text(options->version);
    out->message.request_id = out->request_id;
    out->message.input = binary(options->input, options->input_size);
    out->message.traceparent = client_text(options->traceparent);
    if (options->priority > SAGA_PRIORITY_HIGH)
        return client_refuse(error, "priority", "say SAGA_PRIORITY_LOW, NORMAL or HIGH");
    out->message.priority = (Saga__V1__Priority)options->priority;
    return set_duration(options->deadline_ms, &out->deadline, &out->message.deadline, "deadline_ms", error);
}

/* ---- steps ---- */

static int build_retry(struct built_enlistment *b, const struct saga_retry_policy *policy, struct saga_error *error)
{
    saga__v1__retry_policy__init(&b->retry);
    b->retry.max_attempts = policy->max_attempts;
    b->retry.backoff_multiplier = policy->backoff_multiplier;
    int code = set_duration(policy->initial_backoff_ms, &b->initial_backoff, &b->retry.initial_backoff,
                            "retry.initial_backoff_ms", error);
    if (code == SAGA_OK)
        code =
            set_duration(policy->max_backoff_ms, &b->max_backoff, &b->retry.max_backoff, "retry.max_backoff_ms", error);
    if (policy->jitter < 0 || policy->jitter > 0) {
        google__protobuf__double_value__init(&b->jitter);
        b->jitter.value = policy->jitter < 0 ? 0 : policy->jitter;
        b->retry.jitter = &b->jitter;
    }
    b->call.retry = &b->retry;
    return code;
}

static int build_call(struct built_enlistment *b, const struct saga_compensation *compensation,
                      struct saga_error *error)
{
    if (!compensation->target || !compensation->method)
        return client_refuse(error, compensation->target ? "method" : "target", "target and method are needed");
    if (!compensation->request && compensation->request_size > 0)
        return client_refuse(error, "request", "request is NULL and request_size is not 0");
    int code =
        check_reserved(compensation->reserved, sizeof compensation->reserved / sizeof compensation->reserved[0], error);
    if (code != SAGA_OK)
        return code;
    saga__v1__call__init(&b->call);
    b->call.target = client_text(compensation->target);
    b->call.method = client_text(compensation->method);
    b->call.request = binary(compensation->request, compensation->request_size);
    b->enlistment.compensation = &b->call;
    code = set_duration(compensation->timeout_ms, &b->timeout, &b->call.timeout, "timeout_ms", error);
    if (code == SAGA_OK && compensation->retry)
        code = build_retry(b, compensation->retry, error);
    return code;
}

static int refuse_count(struct saga_error *error, const char *field)
{
    return client_refuse(error, field, "at most SAGA_STEPS_PER_CALL_MAX steps, and not NULL unless there are none");
}

static int no_memory(struct saga_error *error)
{
    return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a request");
}

/* Puts "enlist[3]." before what is at fault. */
static int place(struct saga_error *error, const char *list, size_t index, int code)
{
    if (error && code == SAGA_E_INVALID_ARGUMENT) {
        char field[sizeof error->field];
        snprintf(field, sizeof field, "%s[%zu].%.64s", list, index, error->field);
        memcpy(error->field, field, sizeof field);
    }
    return code;
}

static int build_enlist(struct built *out, const struct saga_enlistment *enlist, size_t count, struct saga_error *error)
{
    if (count > SAGA_STEPS_PER_CALL_MAX || (count > 0 && !enlist))
        return refuse_count(error, "enlist");
    if (count == 0)
        return SAGA_OK;
    out->enlistments = calloc(count, sizeof *out->enlistments);
    out->enlist = calloc(count, sizeof(*out->enlist));
    if (!out->enlistments || !out->enlist)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct built_enlistment *b = &out->enlistments[i];
        int code = SAGA_OK;
        out->enlist[i] = &b->enlistment;
        saga__v1__enlistment__init(&b->enlistment);
        b->enlistment.step = client_text(enlist[i].step);
        if (!enlist[i].step)
            code = client_refuse(error, "step", "a step needs a name");
        else if (enlist[i].compensation)
            code = build_call(b, enlist[i].compensation, error);
        if (code != SAGA_OK)
            return place(error, "enlist", i, code);
    }
    return SAGA_OK;
}

static int build_settle(struct built *out, const struct saga_settlement *settle, size_t count, struct saga_error *error)
{
    if (count > SAGA_STEPS_PER_CALL_MAX || (count > 0 && !settle))
        return refuse_count(error, "settle");
    if (count == 0)
        return SAGA_OK;
    out->settlements = calloc(count, sizeof *out->settlements);
    out->settle = calloc(count, sizeof(*out->settle));
    out->may_run_for = calloc(count, sizeof *out->may_run_for);
    if (!out->settlements || !out->settle || !out->may_run_for)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        Saga__V1__Settlement *s = &out->settlements[i];
        out->settle[i] = s;
        saga__v1__settlement__init(s);
        s->step = client_text(settle[i].step);
        s->outcome = (Saga__V1__Outcome)settle[i].outcome;
        s->output = binary(settle[i].output, settle[i].output_size);
        s->use_output_for_compensation = settle[i].use_output_for_compensation;
        if (!settle[i].step)
            return place(error, "settle", i, client_refuse(error, "step", "a step needs a name"));
        if (settle[i].outcome < SAGA_DONE || settle[i].outcome > SAGA_UNKNOWN)
            return place(error, "settle", i, client_refuse(error, "outcome", "say DONE, REJECTED or UNKNOWN"));
        if (!settle[i].output && settle[i].output_size > 0)
            return place(error, "settle", i, client_refuse(error, "output", "output is NULL and output_size is not 0"));
        int code =
            set_duration(settle[i].may_run_for_ms, &out->may_run_for[i], &s->may_run_for, "may_run_for_ms", error);
        if (code != SAGA_OK)
            return place(error, "settle", i, code);
    }
    return SAGA_OK;
}

/* ---- requests with steps ---- */

int build_begin(struct built *out, const struct saga_begin_options *options, struct saga_error *error)
{
    memset(out, 0, sizeof *out);
    if (!options || !options->name || options->name[0] == '\0')
        return client_refuse(error, "name", "a name is needed");
    Saga__V1__BeginRequest *m = &out->message.begin;
    saga__v1__begin_request__init(m);
    int code = check_reserved(options->reserved, sizeof options->reserved / sizeof options->reserved[0], error);
    if (code == SAGA_OK)
        code = set_request_id(options->request_id, out->request_id, error);
    if (code == SAGA_OK)
        code = set_duration(options->deadline_ms, &out->deadline, &m->deadline, "deadline_ms", error);
    if (code == SAGA_OK)
        code = set_duration(options->lease_ms, &out->lease, &m->lease, "lease_ms", error);
    if (code == SAGA_OK)
        code = build_enlist(out, options->enlist, options->enlist_count, error);
    m->name = client_text(options->name);
    m->request_id = out->request_id;
    m->traceparent = client_text(options->traceparent);
    m->n_enlist = options->enlist_count;
    m->enlist = out->enlist;
    return code;
}

int build_advance(struct built *out, const char *saga_id, const struct saga_settlement *settle, size_t settle_count,
                  const struct saga_enlistment *enlist, size_t enlist_count, struct saga_error *error)
{
    char *id;
    memset(out, 0, sizeof *out);
    int code = client_saga_id(saga_id, &id, error);
    if (code != SAGA_OK)
        return code;
    if (settle_count == 0 && enlist_count == 0)
        return client_refuse(error, "enlist", "there is nothing to settle or to enlist");
    code = build_settle(out, settle, settle_count, error);
    if (code == SAGA_OK)
        code = build_enlist(out, enlist, enlist_count, error);
    if (enlist_count == 0) {
        saga__v1__settle_request__init(&out->message.settle);
        out->message.settle.saga_id = id;
        out->message.settle.n_settle = settle_count;
        out->message.settle.settle = out->settle;
    } else {
        saga__v1__enlist_request__init(&out->message.enlist);
        out->message.enlist.saga_id = id;
        out->message.enlist.n_settle = settle_count;
        out->message.enlist.settle = out->settle;
        out->message.enlist.n_enlist = enlist_count;
        out->message.enlist.enlist = out->enlist;
    }
    return code;
}

int build_commit(struct built *out, const char *saga_id, const struct saga_settlement *settle, size_t settle_count,
                 struct saga_error *error)
{
    char *id;
    memset(out, 0, sizeof *out);
    int code = client_saga_id(saga_id, &id, error);
    if (code == SAGA_OK)
        code = build_settle(out, settle, settle_count, error);
    if (code != SAGA_OK)
        return code;
    saga__v1__commit_request__init(&out->message.commit);
    out->message.commit.saga_id = id;
    out->message.commit.n_settle = settle_count;
    out->message.commit.settle = out->settle;
    return SAGA_OK;
}

void built_finish(struct built *out)
{
    free(out->enlistments);
    free(out->enlist);
    free(out->settlements);
    free(out->settle);
    free(out->may_run_for);
    out->enlistments = NULL;
    out->enlist = NULL;
    out->settlements = NULL;
    out->settle = NULL;
}
