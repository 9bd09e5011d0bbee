/* participant_server.c - the thread that works the completion queue: admits calls, receives their messages, ends them.
 *
 * Core queues calls beyond the armed slots without a bound, so a slot is armed again at once and what does not fit is refused here, before
 * its message is read. A call must have a deadline: core ends it then, so that no silent peer can hold a place for ever. */
#include "client-lib/src/participant_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/time.h>

#include "client-lib/src/wire_inside.h"
#include "compensations/answer.h"
#include "transport/health.h"

#define SLOTS 32 /* calls that core may hand over before the thread gets to arm more */
#define HEALTH_CALLS_MAX \
    64 /* health checks at once: they bypass the pool, so that a busy participant still answers them */
#define FAREWELL_MS   100 /* for the last answers to leave, and for peers to close their connections */
#define HEALTH_METHOD "/grpc.health.v1.Health/Check"

void participant_panic(const char *file, int line, const char *expectation)
{
    fprintf(stderr, "libsaga: %s:%d: this does not hold: %s\n", file, line, expectation);
    abort();
}

/* ---- the life of a served call ---- */

static void served_destroy(struct served *s)
{
    if (s->payload != NULL)
        grpc_byte_buffer_destroy(s->payload);
    if (s->grpc != NULL)
        grpc_call_unref(s->grpc);
    grpc_slice_unref(s->request);
    for (size_t i = 0; i < s->trailing_count; i++)
        grpc_slice_unref(s->trailing[i].value);
    grpc_call_details_destroy(&s->details);
    grpc_metadata_array_destroy(&s->metadata);
    call_finish(&s->call);
    s->participant->served--;
    free(s);
}

/* Waits for the next call. Without memory there is one slot less; the others go on. */
static void arm_slot(saga_participant *p)
{
    struct served *s = calloc(1, sizeof *s);
    if (s == NULL)
        return;
    p->served++;
    s->participant = p;
    s->arrived = (struct served_tag){SERVED_ARRIVED, s};
    s->received = (struct served_tag){SERVED_RECEIVED, s};
    s->closed = (struct served_tag){SERVED_CLOSED, s};
    s->answered = (struct served_tag){SERVED_ANSWERED, s};
    s->request = grpc_empty_slice();
    grpc_call_details_init(&s->details);
    grpc_metadata_array_init(&s->metadata);
    atomic_init(&s->answering, false);
    if (grpc_server_request_call(p->server, &s->grpc, &s->details, &s->metadata, p->queue, p->queue, &s->arrived) !=
        GRPC_CALL_OK)
        served_destroy(s);
}

static void start_batch(struct served *s, const grpc_op *ops, size_t count, struct served_tag *tag)
{
    PARTICIPANT_MUST(grpc_call_start_batch(s->grpc, ops, count, tag, NULL) == GRPC_CALL_OK);
}

/* ---- answers ---- */

/* Hands the answer's bytes over to core without a copy. */
static grpc_byte_buffer *answer_buffer(struct saga_call *call)
{
    grpc_slice bytes = call->answer_size == 0
                           ? grpc_empty_slice()
                           : grpc_slice_new_with_user_data(call->answer, call->answer_size, free, call->answer);
    call->answer = NULL;
    call->answer_size = 0;
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_slice_unref(bytes);
    return buffer;
}

/* Keys are static. */
static void add_trailing(struct served *s, const char *key, grpc_slice value)
{
    s->trailing[s->trailing_count].key = grpc_slice_from_static_string(key);
    s->trailing[s->trailing_count++].value = value;
}

void served_answer(struct served *s, int status, const char *message)
{
    grpc_op ops[3];
    memset(ops, 0, sizeof ops);
    size_t count = 0;
    ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    grpc_byte_buffer *buffer = NULL;
    if (status == SAGA_OK) {
        buffer = answer_buffer(&s->call);
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = buffer;
    }
    grpc_slice text = grpc_slice_from_copied_string(status == SAGA_OK ? "" : message);
    ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[count].data.send_status_from_server.status = (grpc_status_code)status;
    ops[count].data.send_status_from_server.status_details = &text;
    /* Of a status alone nobody could tell whether a library on the way made it up while the function runs on. */
    if (status != SAGA_OK)
        add_trailing(s, SAGA_FUNCTION_KEY,
                     grpc_slice_from_static_string(s->ran ? SAGA_FUNCTION_ENDED : SAGA_FUNCTION_NOT_BEGUN));
    ops[count].data.send_status_from_server.trailing_metadata_count = s->trailing_count;
    ops[count].data.send_status_from_server.trailing_metadata = s->trailing;
    count++;
    /* From here on the call belongs to the server's thread, which frees it once the batch has ended. */
    atomic_store_explicit(&s->answering, true, memory_order_release);
    start_batch(s, ops, count, &s->answered);
    grpc_slice_unref(text);
    if (buffer != NULL)
        grpc_byte_buffer_destroy(buffer);
}

/* On the server's thread: answers a call that is not given to the pool. */
static void answer_now(struct served *s, int status, const char *message)
{
    s->operations++;
    served_answer(s, status, message);
}

static void refuse_full(struct served *s, const char *message)
{
    char milliseconds[16];
    snprintf(milliseconds, sizeof milliseconds, "%u", (unsigned)s->participant->options.pushback_ms);
    add_trailing(s, "grpc-retry-pushback-ms", grpc_slice_from_copied_string(milliseconds));
    answer_now(s, SAGA_E_RESOURCE_EXHAUSTED, message);
}

/* ---- arrival ---- */

static void receive(struct served *s, enum served_kind kind)
{
    s->kind = kind;
    s->operations++;
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &s->payload;
    start_batch(s, &op, 1, &s->received);
}

/* Nanoseconds until the call's deadline, or INT64_MAX when it has none. */
static int64_t time_left(const struct served *s)
{
    gpr_timespec deadline = s->details.deadline;
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0)
        return INT64_MAX;
    gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
    if (left.tv_sec >= INT32_MAX)
        return INT64_MAX - 1;
    int64_t ns = left.tv_sec * INT64_C(1000000000) + left.tv_nsec;
    return ns > 0 ? ns : 0;
}

static void admit_step(struct served *s, const char *path, size_t size)
{
    saga_participant *p = s->participant;
    if (atomic_load(&p->stopping)) {
        answer_now(s, SAGA_E_UNAVAILABLE, "the participant is stopping; the call was not carried out");
        return;
    }
    if (atomic_load(&p->calls) >= p->options.threads + p->options.queue_calls_max) {
        refuse_full(s, "the participant's queue is full (queue_calls_max)");
        return;
    }

    struct participant_metadata metadata;
    char problem[128];
    if (participant_metadata_read(&s->metadata, path, size, &metadata, problem, sizeof problem) != SAGA_OK) {
        answer_now(s, SAGA_E_INVALID_ARGUMENT, problem);
        return;
    }
    int64_t left = time_left(s);
    if (left == INT64_MAX) {
        answer_now(s, SAGA_E_INVALID_ARGUMENT, "metadata grpc-timeout is missing");
        return;
    }
    s->method = participant_find(p, path, size, metadata.info.phase);
    if (s->method == NULL) {
        answer_now(s, SAGA_E_INVALID_ARGUMENT,
                   metadata.info.phase == SAGA_CALL_ACTION ? "the method is no action"
                                                           : "the method is no compensation");
        return;
    }
    metadata.info.timeout_ms = left / 1000000 + 1;
    if (call_init(&s->call, &metadata.info, p->options.answer_bytes_max) != SAGA_OK) {
        refuse_full(s, "the participant has no memory left");
        return;
    }
    s->call.deadline_ns = wire_now() > INT64_MAX - left ? INT64_MAX - 1 : wire_now() + left;
    atomic_fetch_add(&p->calls, 1);
    receive(s, SERVED_STEP);
}

static bool names(grpc_auth_context *context, const char *property, const char *expected)
{
    grpc_auth_property_iterator each = grpc_auth_context_find_properties_by_name(context, property);
    const grpc_auth_property *at;
    while ((at = grpc_auth_property_iterator_next(&each)) != NULL)
        if (transport_name_matches(expected, (const char *const[]){at->value}, 1))
            return true;
    return false;
}

/* Whether the caller's certificate is that of whom alone may call (tls_identity). */
static bool may_call(const struct served *s)
{
    const char *expected = s->participant->caller;
    if (expected == NULL)
        return true;
    grpc_auth_context *context = grpc_call_auth_context(s->grpc);
    bool spiffe = strncmp(expected, "spiffe://", 9) == 0;
    bool may = context != NULL && (spiffe ? names(context, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME, expected)
                                          : names(context, GRPC_PEER_DNS_PROPERTY_NAME, expected) ||
                                                names(context, GRPC_PEER_IP_PROPERTY_NAME, expected));
    grpc_auth_context_release(context);
    return may;
}

static void on_arrived(struct served *s, bool ok)
{
    saga_participant *p = s->participant;
    if (!ok) {
        served_destroy(s);
        return;
    }
    arm_slot(p);
    s->operations++;
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &s->was_cancelled;
    start_batch(s, &op, 1, &s->closed);

    const char *path = (const char *)GRPC_SLICE_START_PTR(s->details.method);
    size_t size = GRPC_SLICE_LENGTH(s->details.method);
    if (size == sizeof HEALTH_METHOD - 1 && memcmp(path, HEALTH_METHOD, size) == 0) {
        if (p->health_calls >= HEALTH_CALLS_MAX || time_left(s) == INT64_MAX) {
            refuse_full(s, "too many health checks at once, or one without a deadline");
            return;
        }
        p->health_calls++;
        receive(s, SERVED_HEALTH);
    } else if (!may_call(s)) {
        answer_now(s, SAGA_E_PERMISSION_DENIED, "the certificate is not that of whom alone may call (tls_identity)");
    } else if (participant_find(p, path, size, SAGA_CALL_ACTION) == NULL &&
               participant_find(p, path, size, SAGA_CALL_COMPENSATION) == NULL) {
        answer_now(s, SAGA_E_UNIMPLEMENTED, "the participant has no such method");
    } else {
        admit_step(s, path, size);
    }
}

/* ---- the message ---- */

static void answer_health(struct served *s)
{
    saga_participant *p = s->participant;
    char name[HEALTH_NAME_SIZE];
    grpc_slice request = s->payload == NULL ? grpc_empty_slice() : wire_flatten(s->payload);
    bool read = s->payload != NULL && health_read(GRPC_SLICE_START_PTR(request), GRPC_SLICE_LENGTH(request), name);
    grpc_slice_unref(request);
    if (!read) {
        answer_now(s, SAGA_E_INVALID_ARGUMENT, "the message is no HealthCheckRequest");
        return;
    }
    if (name[0] != '\0' && !participant_has_service(p, name)) {
        answer_now(s, SAGA_E_NOT_FOUND, "the participant has no such service");
        return;
    }
    uint8_t bytes[HEALTH_RESPONSE_SIZE];
    s->call.answer_bytes_max = sizeof bytes;
    size_t size = health_write(atomic_load(&p->stopping) ? HEALTH_NOT_SERVING : HEALTH_SERVING, bytes);
    answer_now(s, saga_call_reply(&s->call, bytes, size), s->call.message);
}

static void on_received(struct served *s)
{
    if (s->kind == SERVED_HEALTH) {
        answer_health(s);
        return;
    }
    /* Core does not check that a unary call carries a message, and gives none when it was too long or the peer went away. */
    if (s->payload == NULL) {
        answer_now(s, SAGA_E_INVALID_ARGUMENT, "the call carries no message");
        return;
    }
    s->request = wire_flatten(s->payload);
    s->call.info.request = GRPC_SLICE_START_PTR(s->request);
    s->call.info.request_size = GRPC_SLICE_LENGTH(s->request);
    s->operations++; /* the answer that the pool will give */
    participant_pool_push(s->participant, s);
}

static void tell_progress(saga_participant *p, enum stop_progress progress)
{
    pthread_mutex_lock(&p->mutex);
    if (p->progress < progress)
        p->progress = progress;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
}

static void on_answered(struct served *s)
{
    saga_participant *p = s->participant;
    PARTICIPANT_MUST(atomic_load_explicit(&s->answering, memory_order_acquire));
    if (s->kind == SERVED_HEALTH)
        p->health_calls--;
    else if (s->kind == SERVED_STEP && atomic_fetch_sub(&p->calls, 1) == 1 && atomic_load(&p->stopping))
        tell_progress(p, STOP_IDLE);
}

/* ---- the thread ---- */

static void on_event(saga_participant *p, const struct served_tag *tag, bool ok)
{
    struct served *s = tag->served;
    switch (tag->event) {
    case SERVED_DOWN:
        p->down = true;
        return;
    case SERVED_ARRIVED:
        on_arrived(s, ok);
        return;
    case SERVED_RECEIVED:
        on_received(s);
        break;
    case SERVED_CLOSED:
        if (s->was_cancelled != 0)
            atomic_store_explicit(&s->call.cancelled, true, memory_order_release);
        break;
    case SERVED_ANSWERED:
        on_answered(s);
        break;
    }
    if (--s->operations == 0)
        served_destroy(s);
}

static void *server_thread(void *argument)
{
    saga_participant *p = argument;
    /* participant_serve holds it until the server is started. */
    pthread_mutex_lock(&p->mutex);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; i < SLOTS; i++)
        arm_slot(p);
    for (;;) {
        grpc_event event = grpc_completion_queue_next(p->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        on_event(p, event.tag, event.success != 0);
        /* Every slot and call is freed: once core has ended the server, nobody starts another batch. */
        if (p->served == 0)
            tell_progress(p, p->down ? STOP_DRAINED : STOP_QUIET);
    }
}

int participant_serve(saga_participant *p, struct saga_error *error)
{
    p->down_tag = (struct served_tag){SERVED_DOWN, NULL};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&p->mutex);
    int failed = pthread_create(&p->thread, NULL, server_thread, p);
    if (failed == 0)
        grpc_server_start(p->server);
    pthread_mutex_unlock(&p->mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0)
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_SYSTEM, "threads",
                              "the operating system gives no more threads");
    return SAGA_OK;
}

/* Waits until the stop has come so far, but not beyond deadline (WIRE_FOREVER: however long it takes). */
static bool wait_for(saga_participant *p, enum stop_progress progress, int64_t deadline)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000), .tv_nsec = (long)(deadline % 1000000000)};
    pthread_mutex_lock(&p->mutex);
    int failed = 0;
    while (p->progress < progress && failed == 0)
        failed = deadline == WIRE_FOREVER ? pthread_cond_wait(&p->changed, &p->mutex)
                                          : pthread_cond_timedwait(&p->changed, &p->mutex, &until);
    bool reached = p->progress >= progress;
    pthread_mutex_unlock(&p->mutex);
    return reached;
}

/* Waits until the stop has come so far; once the grace has passed, only for functions that run. Their calls are not ended under them: what
 * core would tell the caller then, the caller would take for the function's end. */
static void end_functions(saga_participant *p, enum stop_progress progress, int64_t grace)
{
    if (wait_for(p, progress, grace))
        return;
    participant_pool_refuse(p);
    participant_pool_await_idle(p);
}

void participant_unserve(saga_participant *p)
{
    int64_t grace = wire_deadline(p->options.stop_grace_ms);
    /* Core answers CANCELLED to what arrives once it is shutting down, and a saga must take that for unknown. So for as long as steps are being
     * served, new calls are still let in and told UNAVAILABLE. */
    atomic_store(&p->stopping, true);
    if (atomic_load(&p->calls) > 0)
        end_functions(p, STOP_IDLE, grace);
    grpc_server_shutdown_and_notify(p->server, p->queue, &p->down_tag);
    end_functions(p, STOP_QUIET, grace);
    /* Core lets a peer that does not answer its farewell stay for 20 s, and one that sent no message keeps its call: cancelling closes the
     * connections. */
    if (!wait_for(p, STOP_DRAINED, wire_deadline(FAREWELL_MS))) {
        grpc_server_cancel_all_calls(p->server);
        wait_for(p, STOP_DRAINED, WIRE_FOREVER);
    }
    grpc_completion_queue_shutdown(p->queue);
    pthread_join(p->thread, NULL);
}
