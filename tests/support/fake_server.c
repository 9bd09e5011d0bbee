/* fake_server.c - a scripted server on C core. Connections are accepted here and handed to C core, which is how they can be broken. */
#include "tests/support/fake_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <check.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "saga/v1/coordinator.pb-c.h"

#define PREFIX          "/saga.v1.Coordinator/"
#define CONNECTIONS_MAX 4096
#define METHODS         16

static const struct fake_method {
    const char *name;
    const ProtobufCMessageDescriptor *request;
    bool stream, pipe;
} methods[METHODS] = {
    {"RegisterDefinition", &saga__v1__register_definition_request__descriptor, false, false},
    {"Start", &saga__v1__start_request__descriptor, false, false},
    {"Begin", &saga__v1__begin_request__descriptor, false, false},
    {"Enlist", &saga__v1__enlist_request__descriptor, false, false},
    {"Settle", &saga__v1__settle_request__descriptor, false, false},
    {"KeepAlive", &saga__v1__keep_alive_request__descriptor, false, false},
    {"Commit", &saga__v1__commit_request__descriptor, false, false},
    {"Abort", &saga__v1__abort_request__descriptor, false, false},
    {"Get", &saga__v1__get_request__descriptor, false, false},
    {"Wait", &saga__v1__wait_request__descriptor, false, false},
    {"Watch", &saga__v1__watch_request__descriptor, true, false},
    {"Cancel", &saga__v1__cancel_request__descriptor, false, false},
    {"Pipe", &saga__v1__pipe_request__descriptor, true, true},
};

struct outgoing {
    struct outgoing *next;
    grpc_byte_buffer *bytes; /* NULL: the status */
};

struct inside;

enum happening { ARRIVED, RECEIVED, CLOSED, SENT, DOWN };

struct tag {
    enum happening what;
    struct inside *call;
};

/* What a fake_call is the face of. */
struct inside {
    struct fake_call face;
    const struct fake_method *method;
    struct tag arrived, received, closed, sent;
    grpc_call *grpc;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *payload;
    int cancelled;
    bool begun; /* the initial metadata has been sent */
    bool sending;
    bool ended; /* a status was queued, or the call is over */
    struct outgoing *first, *last;
    int status;
    char *message;
    uint8_t *status_details;
    size_t status_details_size;
    struct inside *next;
};

struct fake_server {
    fake_handler *handler;
    void *user;
    char folder[64], path[96], address[128];
    grpc_server *grpc;
    grpc_completion_queue *queue;
    pthread_t server_thread, accept_thread;
    struct tag down;
    int stop_fd;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    int listener; /* -1: down */
    bool closing;
    bool door_shut;
    bool over; /* the queue takes no batch any more: events that came before it was shut are still being taken out */
    int connections[CONNECTIONS_MAX]; /* duplicates of those that C core has */
    unsigned connection_count;
    unsigned counts[METHODS];
    struct inside *calls;
};

/* ---- sending, with the mutex held ---- */

static void send_next(struct inside *c)
{
    struct outgoing *o = c->first;
    if (!o || c->sending || c->face.server->over)
        return;
    grpc_op ops[2];
    grpc_metadata trailing;
    grpc_slice message = grpc_empty_slice();
    size_t count = 0;
    memset(ops, 0, sizeof ops);
    memset(&trailing, 0, sizeof trailing);
    if (!c->begun)
        ops[count++].op = GRPC_OP_SEND_INITIAL_METADATA;
    c->begun = true;
    if (o->bytes) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = o->bytes;
    } else {
        message = grpc_slice_from_copied_string(c->message ? c->message : "");
        ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
        ops[count].data.send_status_from_server.status = (grpc_status_code)c->status;
        ops[count].data.send_status_from_server.status_details = &message;
        if (c->status_details) {
            trailing.key = grpc_slice_from_static_string("grpc-status-details-bin");
            trailing.value = grpc_slice_from_copied_buffer((char *)c->status_details, c->status_details_size);
            ops[count].data.send_status_from_server.trailing_metadata_count = 1;
            ops[count].data.send_status_from_server.trailing_metadata = &trailing;
        }
        count++;
    }
    c->sending = true;
    if (grpc_call_start_batch(c->grpc, ops, count, &c->sent, NULL) != GRPC_CALL_OK)
        abort();
    grpc_slice_unref(message);
    if (c->status_details && !o->bytes)
        grpc_slice_unref(trailing.value);
    c->first = o->next;
    if (!c->first)
        c->last = NULL;
    if (o->bytes)
        grpc_byte_buffer_destroy(o->bytes);
    free(o);
}

static void put(struct inside *c, grpc_byte_buffer *bytes)
{
    struct outgoing *o = calloc(1, sizeof *o);
    o->bytes = bytes;
    if (c->last)
        c->last->next = o;
    else
        c->first = o;
    c->last = o;
    send_next(c);
}

static void put_status(struct inside *c, int status, const char *message)
{
    c->ended = true;
    c->status = status;
    c->message = strdup(message);
    put(c, NULL);
}

void fake_answer(struct fake_call *call, const ProtobufCMessage *message)
{
    struct inside *c = (struct inside *)call;
    size_t size = protobuf_c_message_get_packed_size(message);
    grpc_slice slice = grpc_slice_malloc(size);
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    pthread_mutex_lock(&call->server->mutex);
    if (!c->ended) {
        put(c, grpc_raw_byte_buffer_create(&slice, 1));
        if (!c->method->stream)
            put_status(c, 0, "");
    }
    pthread_mutex_unlock(&call->server->mutex);
    grpc_slice_unref(slice);
}

void fake_end(struct fake_call *call)
{
    pthread_mutex_lock(&call->server->mutex);
    if (!((struct inside *)call)->ended)
        put_status((struct inside *)call, 0, "");
    pthread_mutex_unlock(&call->server->mutex);
}

static void add_detail(Google__Rpc__Status *status, const char *type, const ProtobufCMessage *message)
{
    Google__Protobuf__Any *any = malloc(sizeof *any);
    google__protobuf__any__init(any);
    any->type_url = (char *)(uintptr_t)type;
    any->value.len = protobuf_c_message_get_packed_size(message);
    any->value.data = malloc(any->value.len + 1);
    protobuf_c_message_pack(message, any->value.data);
    status->details[status->n_details++] = any;
}

static void make_details(struct inside *c, int code, const char *reason, const char *field, int64_t delay_ms)
{
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    Google__Protobuf__Any *details[3];
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    status.code = code;
    status.details = details;
    info.reason = (char *)(uintptr_t)reason;
    info.domain = (char *)(uintptr_t) "saga.v1";
    add_detail(&status, "type.googleapis.com/google.rpc.ErrorInfo", &info.base);
    if (field) {
        Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
        Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
        Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
        violation.field = (char *)(uintptr_t)field;
        bad.n_field_violations = 1;
        bad.field_violations = violations;
        add_detail(&status, "type.googleapis.com/google.rpc.BadRequest", &bad.base);
    }
    if (delay_ms >= 0) {
        Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
        Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
        delay.seconds = delay_ms / 1000;
        delay.nanos = (int32_t)(delay_ms % 1000 * 1000000);
        retry.retry_delay = &delay;
        add_detail(&status, "type.googleapis.com/google.rpc.RetryInfo", &retry.base);
    }
    c->status_details_size = google__rpc__status__get_packed_size(&status);
    c->status_details = malloc(c->status_details_size);
    google__rpc__status__pack(&status, c->status_details);
    for (size_t i = 0; i < status.n_details; i++) {
        free(details[i]->value.data);
        free(details[i]);
    }
}

void fake_fail(struct fake_call *call, int status, const char *message, const char *reason, const char *field,
               int64_t retry_delay_ms)
{
    struct inside *c = (struct inside *)call;
    pthread_mutex_lock(&call->server->mutex);
    if (!c->ended) {
        if (reason)
            make_details(c, status, reason, field, retry_delay_ms);
        put_status(c, status, message);
    }
    pthread_mutex_unlock(&call->server->mutex);
}

/* ---- the server's thread ---- */

static void await_call(struct fake_server *s)
{
    struct inside *c = calloc(1, sizeof *c);
    c->face.server = s;
    c->arrived = (struct tag){ARRIVED, c};
    c->received = (struct tag){RECEIVED, c};
    c->closed = (struct tag){CLOSED, c};
    c->sent = (struct tag){SENT, c};
    grpc_call_details_init(&c->details);
    grpc_metadata_array_init(&c->metadata);
    pthread_mutex_lock(&s->mutex);
    c->next = s->calls;
    s->calls = c;
    pthread_mutex_unlock(&s->mutex);
    if (grpc_server_request_call(s->grpc, &c->grpc, &c->details, &c->metadata, s->queue, s->queue, &c->arrived) !=
        GRPC_CALL_OK)
        abort();
}

static void receive(struct inside *c)
{
    grpc_op op;
    if (c->face.server->over)
        return;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &c->payload;
    c->payload = NULL;
    if (grpc_call_start_batch(c->grpc, &op, 1, &c->received, NULL) != GRPC_CALL_OK)
        abort();
}

static void on_arrived(struct fake_server *s, struct inside *c)
{
    char name[sizeof c->face.method] = "";
    grpc_slice path = c->details.method;
    size_t length = GRPC_SLICE_LENGTH(path);
    if (length > strlen(PREFIX) && length - strlen(PREFIX) < sizeof name)
        memcpy(name, GRPC_SLICE_START_PTR(path) + strlen(PREFIX), length - strlen(PREFIX));
    for (size_t i = 0; i < METHODS && methods[i].name; i++)
        if (strcmp(methods[i].name, name) == 0)
            c->method = &methods[i];
    ck_assert_msg(c->method != NULL, "the client called %s", name);
    strcpy(c->face.method, name);
    gpr_timespec deadline = gpr_convert_clock_type(c->details.deadline, GPR_CLOCK_MONOTONIC);
    gpr_timespec left = gpr_time_sub(deadline, gpr_now(GPR_CLOCK_MONOTONIC));
    c->face.timeout_ms =
        gpr_time_cmp(deadline, gpr_inf_future(GPR_CLOCK_MONOTONIC)) == 0 ? -1 : gpr_time_to_millis(left);
    grpc_op op;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op.data.recv_close_on_server.cancelled = &c->cancelled;
    if (grpc_call_start_batch(c->grpc, &op, 1, &c->closed, NULL) != GRPC_CALL_OK)
        abort();
    receive(c);
    pthread_mutex_lock(&s->mutex);
    c->face.number = ++s->counts[c->method - methods];
    pthread_mutex_unlock(&s->mutex);
}

static void on_received(struct fake_server *s, struct inside *c)
{
    if (!c->payload) {
        if (c->method->pipe)
            s->handler(&c->face, NULL, s->user);
        return;
    }
    grpc_byte_buffer_reader reader;
    ck_assert(grpc_byte_buffer_reader_init(&reader, c->payload));
    grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(c->payload);
    ProtobufCMessage *request =
        protobuf_c_message_unpack(c->method->request, NULL, GRPC_SLICE_LENGTH(bytes), GRPC_SLICE_START_PTR(bytes));
    grpc_slice_unref(bytes);
    ck_assert_msg(request != NULL, "the client's %s cannot be read", c->method->name);
    s->handler(&c->face, request, s->user);
    protobuf_c_message_free_unpacked(request, NULL);
    if (c->method->pipe)
        receive(c);
    /* Told only now, so that whoever awaits the count finds the handler done. */
    pthread_mutex_lock(&s->mutex);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static void *serve(void *argument)
{
    struct fake_server *s = argument;
    for (;;) {
        grpc_event event = grpc_completion_queue_next(s->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        struct tag *tag = event.tag;
        switch (tag->what) {
        case ARRIVED:
            if (!event.success || s->over)
                break;
            await_call(s);
            on_arrived(s, tag->call);
            break;
        case RECEIVED:
            if (event.success)
                on_received(s, tag->call);
            break;
        case SENT:
            pthread_mutex_lock(&s->mutex);
            tag->call->sending = false;
            send_next(tag->call);
            pthread_mutex_unlock(&s->mutex);
            break;
        case CLOSED:
            break;
        case DOWN:
            pthread_mutex_lock(&s->mutex);
            s->over = true;
            pthread_mutex_unlock(&s->mutex);
            grpc_completion_queue_shutdown(s->queue);
            break;
        }
    }
}

/* ---- connections ---- */

static void *accept_all(void *argument)
{
    struct fake_server *s = argument;
    for (;;) {
        pthread_mutex_lock(&s->mutex);
        struct pollfd fds[2] = {{.fd = s->stop_fd, .events = POLLIN}, {.fd = s->listener, .events = POLLIN}};
        bool closing = s->closing;
        pthread_mutex_unlock(&s->mutex);
        if (closing)
            return NULL;
        poll(fds, 2, -1);
        if (fds[0].revents) {
            uint64_t count;
            ck_assert_int_eq(read(s->stop_fd, &count, sizeof count), sizeof count);
            continue;
        }
        pthread_mutex_lock(&s->mutex);
        int fd = s->listener < 0 ? -1 : accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            ck_assert_uint_lt(s->connection_count, CONNECTIONS_MAX);
        if (fd >= 0 && s->door_shut) {
            s->connections[s->connection_count++] = -1;
            close(fd);
        } else if (fd >= 0) {
            s->connections[s->connection_count++] = dup(fd);
            grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
            grpc_server_add_channel_from_fd(s->grpc, fd, credentials);
            grpc_server_credentials_release(credentials);
        }
        pthread_mutex_unlock(&s->mutex);
    }
}

static void nudge(struct fake_server *s)
{
    uint64_t one = 1;
    ck_assert_int_eq(write(s->stop_fd, &one, sizeof one), sizeof one);
}

void fake_cut(struct fake_server *s)
{
    pthread_mutex_lock(&s->mutex);
    for (unsigned i = 0; i < s->connection_count; i++) {
        if (s->connections[i] < 0)
            continue;
        shutdown(s->connections[i], SHUT_RDWR);
        close(s->connections[i]);
        s->connections[i] = -1;
    }
    pthread_mutex_unlock(&s->mutex);
}

void fake_shut_door(struct fake_server *s, bool shut)
{
    pthread_mutex_lock(&s->mutex);
    s->door_shut = shut;
    pthread_mutex_unlock(&s->mutex);
}

void fake_unlisten(struct fake_server *s)
{
    pthread_mutex_lock(&s->mutex);
    close(s->listener);
    s->listener = -1;
    unlink(s->path);
    pthread_mutex_unlock(&s->mutex);
    nudge(s);
    fake_cut(s);
}

void fake_listen(struct fake_server *s)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, s->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    pthread_mutex_lock(&s->mutex);
    s->listener = fd;
    pthread_mutex_unlock(&s->mutex);
    nudge(s);
}

/* ---- opening and closing ---- */

struct fake_server *fake_open(fake_handler *handler, void *user)
{
    struct fake_server *s = calloc(1, sizeof *s);
    s->handler = handler;
    s->user = user;
    s->listener = -1;
    s->down = (struct tag){DOWN, NULL};
    strcpy(s->folder, "/tmp/saga-fake-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->folder));
    snprintf(s->path, sizeof s->path, "%s/sock", s->folder);
    snprintf(s->address, sizeof s->address, "unix:%s", s->path);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    grpc_init();
    s->queue = grpc_completion_queue_create_for_next(NULL);
    s->grpc = grpc_server_create(NULL, NULL);
    grpc_server_register_completion_queue(s->grpc, s->queue, NULL);
    grpc_server_start(s->grpc);
    await_call(s);
    fake_listen(s);
    ck_assert_int_eq(pthread_create(&s->server_thread, NULL, serve, s), 0);
    ck_assert_int_eq(pthread_create(&s->accept_thread, NULL, accept_all, s), 0);
    return s;
}

static void free_call(struct inside *c)
{
    for (struct outgoing *o; (o = c->first);) {
        c->first = o->next;
        if (o->bytes)
            grpc_byte_buffer_destroy(o->bytes);
        free(o);
    }
    if (c->grpc)
        grpc_call_unref(c->grpc);
    grpc_call_details_destroy(&c->details);
    grpc_metadata_array_destroy(&c->metadata);
    free(c->message);
    free(c->status_details);
    free(c);
}

void fake_close(struct fake_server *s)
{
    pthread_mutex_lock(&s->mutex);
    s->closing = true;
    for (struct inside *c = s->calls; c; c = c->next)
        c->ended = true;
    pthread_mutex_unlock(&s->mutex);
    nudge(s);
    pthread_join(s->accept_thread, NULL);
    fake_cut(s);
    grpc_server_shutdown_and_notify(s->grpc, s->queue, &s->down);
    grpc_server_cancel_all_calls(s->grpc);
    pthread_join(s->server_thread, NULL);
    for (struct inside *c; (c = s->calls);) {
        s->calls = c->next;
        free_call(c);
    }
    grpc_server_destroy(s->grpc);
    grpc_completion_queue_destroy(s->queue);
    grpc_shutdown();
    if (s->listener >= 0)
        close(s->listener);
    close(s->stop_fd);
    unlink(s->path);
    rmdir(s->folder);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

const char *fake_address(const struct fake_server *s)
{
    return s->address;
}

static unsigned *counter(struct fake_server *s, const char *method)
{
    for (size_t i = 0; i < METHODS && methods[i].name; i++)
        if (strcmp(methods[i].name, method) == 0)
            return &s->counts[i];
    ck_abort_msg("there is no method %s", method);
}

unsigned fake_count(struct fake_server *s, const char *method)
{
    pthread_mutex_lock(&s->mutex);
    unsigned count = *counter(s, method);
    pthread_mutex_unlock(&s->mutex);
    return count;
}

void fake_await(struct fake_server *s, const char *method, unsigned count)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    int failed = 0;
    pthread_mutex_lock(&s->mutex);
    while (*counter(s, method) < count && failed == 0)
        failed = pthread_cond_timedwait(&s->changed, &s->mutex, &deadline);
    unsigned seen = *counter(s, method);
    pthread_mutex_unlock(&s->mutex);
    ck_assert_msg(failed == 0, "%u of %u calls of %s came", seen, count, method);
}

unsigned fake_connections(struct fake_server *s)
{
    pthread_mutex_lock(&s->mutex);
    unsigned count = s->connection_count;
    pthread_mutex_unlock(&s->mutex);
    return count;
}
