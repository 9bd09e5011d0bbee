/* sidecar_world.c - a sidecar, its client, and what both need. */
#include "tests/support/sidecar_world.h"

#include "sidecar/observe/log.h"

#include <check.h>
#include <fcntl.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 30000

static char *text(const char *t)
{
    return (char *)(uintptr_t)t;
}

void world_soon(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* ---- the sidecar ---- */

static void *run(void *self)
{
    struct sidecar_world *w = self;
    w->code = sidecar_run(w->sidecar, &w->detail);
    return NULL;
}

void world_run_sidecar(struct sidecar_world *w, const char *options)
{
    char yaml[2048];
    struct error_detail detail;
    struct saga_error error;
    int size =
        snprintf(yaml, sizeof yaml, "data_dir: %s/data\nlisten: ['%s']\nconnect_timeout: 100ms\ntarget_wait: 0s\n%s",
                 w->folder, w->address, options);
    if (strstr(options, "targets:") == NULL) /* one that is not there, and the sidecar, which knows no such method */
        snprintf(yaml + size, sizeof yaml - (size_t)size,
                 "targets: {nobody: 'unix:/nowhere/nobody.sock', itself: '%s'}\n", w->address);
    ck_assert_msg(config_read_text(bytes_of_text(yaml), &w->config, &detail) == 0, "%s: %s", detail.field, detail.text);
    ck_assert_msg(sidecar_open(w->config, NULL, &w->sidecar, &detail) == 0, "%s: %s", detail.field, detail.text);
    ck_assert_int_eq(pthread_create(&w->thread, NULL, run, w), 0);
    w->running = true;
    wire_close(w->wire); /* its connection, to the one before, may break only now */
    ck_assert_int_eq(wire_open(&(struct wire_options){.address = w->address}, &w->wire, &error), SAGA_OK);
}

void world_open_sidecar(struct sidecar_world *w, const char *options)
{
    memset(w, 0, sizeof *w);
    strcpy(w->folder, "/tmp/sidecar-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w->folder));
    snprintf(w->address, sizeof w->address, "unix:%s/s.sock", w->folder);
    log_open(
        &(struct log_options){.level = getenv("SIDECAR_LOG") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, .fd = 2});
    world_run_sidecar(w, options);
}

int world_stop_sidecar(struct sidecar_world *w)
{
    if (w->running) {
        sidecar_stop(w->sidecar);
        struct timespec end;
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec += PATIENCE_MS / 1000;
        ck_assert_msg(pthread_timedjoin_np(w->thread, NULL, &end) == 0, "the sidecar does not stop");
    }
    w->running = false;
    sidecar_close(w->sidecar);
    config_destroy(w->config);
    w->sidecar = NULL;
    w->config = NULL;
    return w->code;
}

void world_close_sidecar(struct sidecar_world *w)
{
    char command[128];
    if (w->sidecar != NULL)
        world_stop_sidecar(w);
    wire_close(w->wire);
    snprintf(command, sizeof command, "rm -rf %s", w->folder);
    ck_assert_int_eq(system(command), 0);
}

/* ---- unary calls ---- */

int world_ask(struct sidecar_world *w, const char *method, const ProtobufCMessage *request,
              const ProtobufCMessageDescriptor *response_type, int64_t timeout_ms, ProtobufCMessage **response,
              struct saga_error *error)
{
    struct saga_error ignored;
    struct wire_call call = {
        .method = method,
        .request = request,
        .response_type = response_type,
        .deadline = wire_deadline(timeout_ms == 0 ? PATIENCE_MS : timeout_ms),
        .wait_for_ready = true,
    };
    int code = wire_call(w->wire, &call, error == NULL ? &ignored : error);
    if (code == SAGA_OK && response != NULL)
        *response = call.response;
    else if (code == SAGA_OK)
        protobuf_c_message_free_unpacked(call.response, NULL);
    return code;
}

void world_begin(struct sidecar_world *w, char id[64])
{
    Saga__V1__BeginRequest m = SAGA__V1__BEGIN_REQUEST__INIT;
    ProtobufCMessage *response;
    struct saga_error error;
    m.name = text("shop");
    int code = world_ask(w, COORDINATOR "Begin", &m.base, &saga__v1__begin_response__descriptor, 0, &response, &error);
    ck_assert_msg(code == SAGA_OK, "%s", error.message);
    snprintf(id, 64, "%s", ((Saga__V1__BeginResponse *)response)->saga_id);
    protobuf_c_message_free_unpacked(response, NULL);
}

int world_enlist(struct sidecar_world *w, const char *id, const char *step, const char *target, size_t payload,
                 int64_t timeout_ms, struct saga_error *error)
{
    Saga__V1__EnlistRequest m = SAGA__V1__ENLIST_REQUEST__INIT;
    Saga__V1__Enlistment enlistment = SAGA__V1__ENLISTMENT__INIT;
    Saga__V1__Enlistment *list[] = {&enlistment};
    Saga__V1__Call call = SAGA__V1__CALL__INIT;
    Saga__V1__RetryPolicy retry = SAGA__V1__RETRY_POLICY__INIT;
    uint8_t *bytes = calloc(1, payload + 1);
    m.saga_id = text(id);
    m.n_enlist = 1;
    m.enlist = list;
    enlistment.step = text(step);
    call.target = text(target);
    call.method = text("/p.S/Undo");
    call.request = (ProtobufCBinaryData){.data = bytes, .len = payload};
    call.retry = &retry;
    retry.max_attempts = 1;
    if (target != NULL)
        enlistment.compensation = &call;
    int code =
        world_ask(w, COORDINATOR "Enlist", &m.base, &saga__v1__enlist_response__descriptor, timeout_ms, NULL, error);
    free(bytes);
    return code;
}

int world_commit(struct sidecar_world *w, const char *id, struct saga_error *error)
{
    Saga__V1__CommitRequest m = SAGA__V1__COMMIT_REQUEST__INIT;
    m.saga_id = text(id);
    return world_ask(w, COORDINATOR "Commit", &m.base, &saga__v1__commit_response__descriptor, 0, NULL, error);
}

int world_abort(struct sidecar_world *w, const char *id, struct saga_error *error)
{
    Saga__V1__AbortRequest m = SAGA__V1__ABORT_REQUEST__INIT;
    m.saga_id = text(id);
    return world_ask(w, COORDINATOR "Abort", &m.base, &saga__v1__abort_response__descriptor, 0, NULL, error);
}

/* ---- Wait ---- */

static void waited(void *self, int code, const ProtobufCMessage *response, const struct saga_error *error)
{
    struct world_call *call = self;
    pthread_mutex_lock(&call->lock);
    call->ended = true;
    call->code = code;
    if (code == SAGA_OK)
        call->state = (int)((const Saga__V1__WaitResponse *)response)->saga->state;
    else
        call->error = *error;
    pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->lock);
}

void world_wait_start(struct sidecar_world *w, struct world_call *call, const char *id, bool until_stuck,
                      int64_t timeout_ms)
{
    Saga__V1__WaitRequest m = SAGA__V1__WAIT_REQUEST__INIT;
    struct saga_error error;
    m.saga_id = text(id);
    m.until_stuck = until_stuck;
    memset(call, 0, sizeof *call);
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->changed, NULL);
    struct wire_call start = {
        .method = COORDINATOR "Wait",
        .request = &m.base,
        .response_type = &saga__v1__wait_response__descriptor,
        .deadline = wire_deadline(timeout_ms == 0 ? PATIENCE_MS : timeout_ms),
        .wait_for_ready = true,
    };
    ck_assert_int_eq(wire_call_background(w->wire, &start, waited, call, &error), SAGA_OK);
}

bool world_wait_ended(struct world_call *call)
{
    pthread_mutex_lock(&call->lock);
    bool ended = call->ended;
    pthread_mutex_unlock(&call->lock);
    return ended;
}

int world_wait_end(struct world_call *call)
{
    pthread_mutex_lock(&call->lock);
    while (!call->ended)
        pthread_cond_wait(&call->changed, &call->lock);
    pthread_mutex_unlock(&call->lock);
    pthread_mutex_destroy(&call->lock);
    pthread_cond_destroy(&call->changed);
    return call->code;
}

/* ---- Watch ---- */

struct wire_stream *world_watch(struct sidecar_world *w, const char *id, const char *cursor)
{
    Saga__V1__WatchRequest m = SAGA__V1__WATCH_REQUEST__INIT;
    struct wire_stream *stream;
    struct saga_error error;
    m.saga_id = text(id);
    m.cursor = text(cursor);
    ck_assert_int_eq(wire_stream_open(w->wire, COORDINATOR "Watch", &m.base, &saga__v1__watch_response__descriptor,
                                      true, &stream, &error),
                     SAGA_OK);
    return stream;
}

Saga__V1__WatchResponse *world_watch_next(struct wire_stream *stream, int *code, struct saga_error *error)
{
    ProtobufCMessage *message = NULL;
    *code = wire_stream_read(stream, wire_deadline(PATIENCE_MS), &message, error);
    return *code == SAGA_OK ? (Saga__V1__WatchResponse *)message : NULL;
}

/* ---- Pipe ---- */

static bool batch(struct world_pipe *p, const grpc_op *ops, size_t count)
{
    ck_assert_int_eq(grpc_call_start_batch(p->call, ops, count, p, NULL), GRPC_CALL_OK);
    gpr_timespec end = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(PATIENCE_MS, GPR_TIMESPAN));
    grpc_event event = grpc_completion_queue_next(p->queue, end, NULL);
    ck_assert_int_eq(event.type, GRPC_OP_COMPLETE);
    return event.success != 0;
}

static void open_on(struct world_pipe *p, grpc_channel *channel)
{
    p->queue = grpc_completion_queue_create_for_next(NULL);
    p->call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, p->queue,
                                       grpc_slice_from_static_string(COORDINATOR "Pipe"), NULL,
                                       gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_metadata_array_init(&p->initial);
    grpc_metadata_array_init(&p->trailing);
    const grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA, .flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY};
    ck_assert(batch(p, &op, 1));
}

void world_pipe_open(struct sidecar_world *w, struct world_pipe *p)
{
    memset(p, 0, sizeof *p);
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    grpc_arg arg = {.type = GRPC_ARG_INTEGER, .key = text(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL), .value.integer = 1};
    p->channel = grpc_channel_create(w->address, plain, &(grpc_channel_args){.num_args = 1, .args = &arg});
    grpc_channel_credentials_release(plain);
    open_on(p, p->channel);
}

void world_pipe_open_beside(struct world_pipe *other, struct world_pipe *p)
{
    memset(p, 0, sizeof *p);
    open_on(p, other->channel);
}

void world_pipe_send_bytes(struct world_pipe *p, const void *bytes, size_t size)
{
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes, size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    const grpc_op op = {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buffer};
    batch(p, &op, 1);
    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(slice);
}

void world_pipe_send(struct world_pipe *p, const Saga__V1__PipeRequest *message)
{
    size_t size = saga__v1__pipe_request__get_packed_size(message);
    uint8_t *bytes = malloc(size + 1);
    saga__v1__pipe_request__pack(message, bytes);
    world_pipe_send_bytes(p, bytes, size);
    free(bytes);
}

void world_pipe_send_begins(struct world_pipe *p, const char *prefix, int count)
{
    Saga__V1__BeginRequest *begins = calloc((size_t)count + 1, sizeof *begins);
    Saga__V1__Command *commands = calloc((size_t)count + 1, sizeof *commands);
    Saga__V1__Command **list = calloc((size_t)count + 1, sizeof(*list));
    char(*ids)[64] = calloc((size_t)count + 1, sizeof *ids);
    Saga__V1__PipeRequest m = SAGA__V1__PIPE_REQUEST__INIT;
    for (int i = 0; i < count; i++) {
        saga__v1__begin_request__init(&begins[i]);
        saga__v1__command__init(&commands[i]);
        snprintf(ids[i], sizeof ids[i], "%s-%d", prefix, i);
        begins[i].name = text("piped");
        begins[i].request_id = ids[i];
        commands[i].command_case = SAGA__V1__COMMAND__COMMAND_BEGIN;
        commands[i].begin = &begins[i];
        list[i] = &commands[i];
    }
    m.n_commands = (size_t)count;
    m.commands = list;
    world_pipe_send(p, &m);
    free(begins);
    free(commands);
    free(list);
    free(ids);
}

void world_pipe_half_close(struct world_pipe *p)
{
    const grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    batch(p, &op, 1);
}

Saga__V1__PipeResponse *world_pipe_receive(struct world_pipe *p)
{
    grpc_byte_buffer *buffer = NULL;
    grpc_op ops[2] = {{.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &buffer}};
    size_t count = 1;
    if (!p->greeted)
        ops[count++] = (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA,
                                 .data.recv_initial_metadata.recv_initial_metadata = &p->initial};
    p->greeted = true;
    batch(p, ops, count);
    if (buffer == NULL)
        return NULL;
    grpc_byte_buffer_reader reader;
    ck_assert(grpc_byte_buffer_reader_init(&reader, buffer));
    grpc_slice flat = grpc_byte_buffer_reader_readall(&reader);
    Saga__V1__PipeResponse *m =
        saga__v1__pipe_response__unpack(NULL, GRPC_SLICE_LENGTH(flat), GRPC_SLICE_START_PTR(flat));
    ck_assert_ptr_nonnull(m);
    grpc_slice_unref(flat);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(buffer);
    return m;
}

void world_pipe_cancel(struct world_pipe *p)
{
    grpc_call_cancel(p->call, NULL);
}

int world_pipe_end(struct world_pipe *p)
{
    grpc_op ops[2] = {{.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                       .data.recv_status_on_client = {
                           .trailing_metadata = &p->trailing, .status = &p->status, .status_details = &p->details}}};
    size_t count = 1;
    if (!p->greeted)
        ops[count++] = (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA,
                                 .data.recv_initial_metadata.recv_initial_metadata = &p->initial};
    batch(p, ops, count);
    grpc_slice_unref(p->details);
    grpc_metadata_array_destroy(&p->initial);
    grpc_metadata_array_destroy(&p->trailing);
    grpc_call_unref(p->call);
    if (p->channel != NULL)
        grpc_channel_destroy(p->channel);
    grpc_completion_queue_shutdown(p->queue);
    while (grpc_completion_queue_next(p->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type != GRPC_QUEUE_SHUTDOWN)
        ;
    grpc_completion_queue_destroy(p->queue);
    return (int)p->status;
}
