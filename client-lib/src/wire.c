/* wire.c - the channel, its queue, and the thread that works it. */
#include "client-lib/src/wire.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <grpc/byte_buffer_reader.h>
#include <saga/version.h>

#include "client-lib/src/forked.h"
#include "client-lib/src/wire_inside.h"
#include "client-lib/src/wire_status.h"
#include "transport/address.h"
#include "transport/core.h"
#include "transport/credentials.h"
#include "transport/settings.h"

#define NANOSECONDS_PER_MS        INT64_C(1000000)
#define MESSAGE_BYTES_MAX_DEFAULT (16 * 1024 * 1024)
/* A sidecar that restarts is back within this, whatever C core's own backoff (up to two minutes) would say. */
#define RECONNECT_MS_FIRST 100 /* C core takes no less */
#define RECONNECT_MS_MAX   1000
#define BACKOFF_MS_FIRST   20
#define BACKOFF_MS_MAX     500
#define CONNECT_MS_MAX     5000
/* Of a call that has ended: whether its headers have left is known within this, or they are stuck on a connection. */
#define DECISION_MS 250
/* When the wire is closed: what is stuck on a connection has so long to come out. */
#define LINGER_MS 1000

#define DEFAULT_SOCKET "./sagad-data/sagad.sock"
#define DEFAULT_TCP    "127.0.0.1:7240"

/* ---- time ---- */

int64_t wire_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t wire_deadline(int64_t timeout_ms)
{
    if (timeout_ms < 0 || timeout_ms > INT64_MAX / NANOSECONDS_PER_MS / 2)
        return WIRE_FOREVER;
    return wire_now() + timeout_ms * NANOSECONDS_PER_MS;
}

int64_t wire_time_left_ms(int64_t deadline)
{
    if (deadline == WIRE_FOREVER)
        return -1;
    int64_t left = deadline - wire_now();
    return left <= 0 ? 0 : (left + NANOSECONDS_PER_MS - 1) / NANOSECONDS_PER_MS;
}

gpr_timespec wire_timespec(int64_t deadline)
{
    if (deadline == WIRE_FOREVER)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return (gpr_timespec){.tv_sec = deadline / 1000000000,
                          .tv_nsec = (int32_t)(deadline % 1000000000),
                          .clock_type = GPR_CLOCK_MONOTONIC};
}

/* What a clock's last digits are good for: different delays for clients that lost the same sidecar at once. */
static int64_t scatter(int64_t below)
{
    uint64_t x = (uint64_t)wire_now() * UINT64_C(0x9e3779b97f4a7c15);
    return (int64_t)((x >> 33) % (uint64_t)below);
}

int64_t wire_backoff(int64_t *delay_ms)
{
    *delay_ms = *delay_ms == 0 ? BACKOFF_MS_FIRST : *delay_ms * 2 > BACKOFF_MS_MAX ? BACKOFF_MS_MAX : *delay_ms * 2;
    int64_t half = *delay_ms * NANOSECONDS_PER_MS / 2;
    return half + scatter(half);
}

/* ---- fork ---- */

bool wire_forked(const struct wire *w)
{
    return forked_since(w->generation);
}

/* ---- calls that must be cancelled when the wire is shut ---- */

static int closed(struct saga_error *error)
{
    return saga_error_set(error, SAGA_E_CANCELLED, SAGA_REASON_CLOSED, NULL, "the client is being closed");
}

int wire_admit(struct wire *w, struct wire_live *live, struct saga_error *error)
{
    pthread_mutex_lock(&w->mutex);
    bool shut = w->shut;
    if (!shut) {
        live->previous = NULL;
        live->next = w->live;
        if (w->live)
            w->live->previous = live;
        w->live = live;
    }
    pthread_mutex_unlock(&w->mutex);
    return shut ? closed(error) : SAGA_OK;
}

void wire_dismiss(struct wire *w, struct wire_live *live)
{
    pthread_mutex_lock(&w->mutex);
    if (live->previous)
        live->previous->next = live->next;
    else
        w->live = live->next;
    if (live->next)
        live->next->previous = live->previous;
    if (!w->live)
        pthread_cond_broadcast(&w->idle);
    pthread_mutex_unlock(&w->mutex);
}

bool wire_is_shut(struct wire *w)
{
    pthread_mutex_lock(&w->mutex);
    bool shut = w->shut;
    pthread_mutex_unlock(&w->mutex);
    return shut;
}

int wire_usable(struct wire *w, struct saga_error *error)
{
    if (wire_forked(w))
        return forked_error(error);
    return wire_is_shut(w) ? closed(error) : SAGA_OK;
}

void wire_shutdown(struct wire *w)
{
    if (wire_forked(w))
        return;
    pthread_mutex_lock(&w->mutex);
    w->shut = true;
    for (struct wire_live *live = w->live; live; live = live->next)
        grpc_call_cancel(live->call, NULL);
    pthread_mutex_unlock(&w->mutex);
}

/* ---- messages ---- */

grpc_byte_buffer *wire_pack(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    grpc_slice slice = grpc_slice_malloc(size);
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

grpc_slice wire_flatten(grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return grpc_empty_slice();
    grpc_slice whole;
    grpc_slice *first;
    if (grpc_byte_buffer_reader_peek(&reader, &first) && GRPC_SLICE_LENGTH(*first) == grpc_byte_buffer_length(buffer)) {
        whole = grpc_slice_ref(*first);
    } else {
        grpc_byte_buffer_reader_destroy(&reader);
        if (!grpc_byte_buffer_reader_init(&reader, buffer))
            return grpc_empty_slice();
        whole = grpc_byte_buffer_reader_readall(&reader);
    }
    grpc_byte_buffer_reader_destroy(&reader);
    return whole;
}

ProtobufCMessage *wire_unpack(grpc_byte_buffer *buffer, const ProtobufCMessageDescriptor *type)
{
    if (!buffer)
        return NULL;
    grpc_slice bytes = wire_flatten(buffer);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(bytes), GRPC_SLICE_START_PTR(bytes));
    grpc_slice_unref(bytes);
    return message;
}

int wire_error_of_call(struct wire *w, bool left, grpc_status_code status, grpc_slice message,
                       const grpc_metadata_array *trailing, struct saga_error *error)
{
    struct wire_ending ending = {
        .status = (int)status,
        .message = (const char *)GRPC_SLICE_START_PTR(message),
        .message_size = GRPC_SLICE_LENGTH(message),
        .left = left,
        .address = w->address,
    };
    for (size_t i = 0; i < trailing->count; i++) {
        if (grpc_slice_str_cmp(trailing->metadata[i].key, "grpc-status-details-bin") == 0) {
            ending.details = GRPC_SLICE_START_PTR(trailing->metadata[i].value);
            ending.details_size = GRPC_SLICE_LENGTH(trailing->metadata[i].value);
        }
    }
    if (status == GRPC_STATUS_CANCELLED && wire_is_shut(w))
        return closed(error);
    return wire_status_of_ending(&ending, error);
}

/* ---- a little later ---- */

void wire_wait_begin(struct wire *w, struct wire_wait *wait)
{
    struct wire_wait **at = &w->waits;
    while (*at)
        at = &(*at)->next;
    wait->at = wire_now() + DECISION_MS * NANOSECONDS_PER_MS;
    wait->next = NULL;
    *at = wait;
}

void wire_wait_end(struct wire *w, struct wire_wait *wait)
{
    struct wire_wait **at = &w->waits;
    if (wait->at == 0)
        return;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    wait->at = 0;
}

/* Returns when the next is over. */
static int64_t end_waits(struct wire *w)
{
    for (struct wire_wait *wait; (wait = w->waits) && wait->at <= wire_now();) {
        wire_wait_end(w, wait);
        wait->over(wait);
    }
    return w->waits ? w->waits->at : WIRE_FOREVER;
}

/* ---- the thread ---- */

static void woken(struct wire_tag *tag, bool ok)
{
    struct wire *w = (struct wire *)(void *)((char *)tag - offsetof(struct wire, wake_tag));
    (void)ok;
    /* Cleared before the hook runs, so that a wake during the hook is not lost. */
    atomic_store(&w->woken, false);
}

void wire_batch(struct wire *w, grpc_call *call, const grpc_op *ops, size_t count, struct wire_tag *tag)
{
    /* C core orders the two threads by itself, but not in a way that ThreadSanitizer can see through. */
    atomic_fetch_add_explicit(&w->handed_over, 1, memory_order_acq_rel);
    /* Only a malformed batch is refused, and those of the wire are always the same. */
    if (grpc_call_start_batch(call, ops, count, tag, NULL) != GRPC_CALL_OK)
        abort();
}

void wire_wake(struct wire *w)
{
    if (!atomic_exchange(&w->woken, true))
        wire_batch(w, w->waker, NULL, 0, &w->wake_tag);
}

static _Thread_local const struct wire *worked_here;

bool wire_is_own_thread(const struct wire *w)
{
    return worked_here == w;
}

/* Runs the hook, unless its owner is gone. */
static int64_t turn(struct wire *w)
{
    int64_t next = WIRE_FOREVER;
    pthread_mutex_lock(&w->mutex);
    w->turning = w->hooks.turn && !w->abandoned;
    bool turning = w->turning;
    pthread_mutex_unlock(&w->mutex);
    if (!turning)
        return next;
    next = w->hooks.turn(w->hooks.self);
    pthread_mutex_lock(&w->mutex);
    w->turning = false;
    pthread_cond_broadcast(&w->idle);
    pthread_mutex_unlock(&w->mutex);
    return next;
}

static void destroy_core(struct wire *w);
static void free_wire(struct wire *w);

static void end_thread(struct wire *w)
{
    pthread_mutex_lock(&w->mutex);
    w->ended = true;
    bool abandoned = w->abandoned;
    pthread_cond_broadcast(&w->idle);
    pthread_mutex_unlock(&w->mutex);
    if (!abandoned)
        return;
    destroy_core(w);
    free_wire(w);
}

static void *work(void *argument)
{
    struct wire *w = argument;
    int64_t next = WIRE_FOREVER;
    worked_here = w;
    for (;;) {
        grpc_event event = grpc_completion_queue_next(w->queue, wire_timespec(next), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            end_thread(w);
            return NULL;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            struct wire_tag *tag = event.tag;
            atomic_load_explicit(&w->handed_over, memory_order_acquire);
            tag->done(tag, event.success != 0);
        }
        int64_t wait = end_waits(w);
        next = turn(w);
        next = wait < next ? wait : next;
    }
}

/* ---- opening and closing ---- */

const char *wire_default_address(void)
{
    const char *given = getenv("SAGAD_ADDRESS");
    if (given && given[0] != '\0')
        return given;
    struct stat status;
    if (stat(DEFAULT_SOCKET, &status) == 0 && S_ISSOCK(status.st_mode))
        return "unix:" DEFAULT_SOCKET;
    return DEFAULT_TCP;
}

static int refuse(struct saga_error *error, const char *field, const char *text)
{
    return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, field, text);
}

/* What was given, or else what the environment says; an empty text is none. Copies. */
static int take_tls(struct wire *w, const struct wire_tls *tls, struct saga_error *error)
{
    static const char *const names[] = {"SAGAD_TLS_CERTIFICATE", "SAGAD_TLS_KEY", "SAGAD_TLS_ROOTS",
                                        "SAGAD_TLS_IDENTITY"};
    const char *const given[] = {tls->certificate, tls->key, tls->roots, tls->identity};
    for (int i = 0; i < 4; i++) {
        const char *text = given[i] ? given[i] : getenv(names[i]);
        if (!text || text[0] == '\0')
            continue;
        w->tls_texts[i] = strdup(text);
        if (!w->tls_texts[i])
            return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a client");
    }
    return SAGA_OK;
}

/* How the address is spoken to. */
static int take_credentials(struct wire *w, const struct address *at, struct saga_error *error)
{
    const struct certificates_files files = {
        .certificate = w->tls_texts[0], .key = w->tls_texts[1], .roots = w->tls_texts[2]};
    bool has = files.certificate || files.roots;
    char why[CERTIFICATES_WHY_SIZE];
    switch (address_security_of(at, has)) {
    case ADDRESS_UNSAID:
        return refuse(error, "address",
                      "the address is on another machine: give tls_roots (and tls_certificate, tls_key), or "
                      "write plaintext:// before it");
    case ADDRESS_PLAINTEXT:
        w->credentials = transport_plaintext;
        return SAGA_OK;
    case ADDRESS_TLS:
        break;
    }
    w->credentials = (struct transport_credentials){.security = TRANSPORT_TLS, .expected = w->tls_texts[3]};
    if (has && !certificates_create(&files, &w->credentials.certificates, why))
        return refuse(error, files.certificate ? "tls_certificate" : "tls_roots", why);
    w->certificates_version = has ? certificates_version(w->credentials.certificates) : 0;
    return SAGA_OK;
}

/* From the address that a person writes to what C core wants. */
static int take_address(struct wire *w, const struct wire_options *options, struct saga_error *error)
{
    struct address at;
    char text[256];
    const char *wrong = address_read_target(w->address, &at);
    if (wrong || !address_target_name(&at, w->target)) {
        snprintf(text, sizeof text, "the address %s", wrong ? wrong : "is too long");
        return refuse(error, "address", text);
    }
    memcpy(w->host, at.host, sizeof w->host);
    int code = take_tls(w, &options->tls, error);
    return code != SAGA_OK ? code : take_credentials(w, &at, error);
}

/* NULL when no memory is left for the credentials. */
static grpc_channel *connect_channel(const struct wire *w)
{
    const struct transport_setting settings[] = {
        {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)w->message_bytes_max},
        {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_MS_FIRST},
        {GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MS_MAX},
        {GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS_MAX},
        /* Retries are the client's own: gRPC's would multiply with them and buffer every message. */
        {GRPC_ARG_ENABLE_RETRIES, 0},
        /* The sidecar is a neighbour: no proxy of the environment, no service config from DNS, no connection shared with others. */
        {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
        {GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1},
        {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
    };
    enum { COUNT = sizeof settings / sizeof settings[0] };
    grpc_arg arguments[COUNT + 1];
    transport_settings(settings, COUNT, arguments);
    arguments[COUNT] = (grpc_arg){.type = GRPC_ARG_STRING,
                                  .key = (char *)GRPC_ARG_PRIMARY_USER_AGENT_STRING,
                                  .value.string = (char *)"libsaga/" SAGA_VERSION};
    grpc_channel_args list = {.num_args = COUNT + 1, .args = arguments};
    grpc_channel_credentials *credentials = transport_channel_credentials(&w->credentials, w->host);
    if (!credentials)
        return NULL;
    grpc_channel *channel = grpc_channel_create(w->target, credentials, &list);
    grpc_channel_credentials_release(credentials);
    return channel;
}

/* Other certificates have come into force: calls from now on go over a channel that was made with them. */
static void renew_channel(struct wire *w)
{
    char why[CERTIFICATES_WHY_SIZE];
    certificates_look(w->credentials.certificates,
                      why); /* what is bad is not taken, and the old ones tell when they end */
    uint64_t version = certificates_version(w->credentials.certificates);
    grpc_channel *channel = version == w->certificates_version ? NULL : connect_channel(w);
    if (!channel)
        return;
    grpc_channel_destroy(w->channel);
    w->channel = channel;
    w->certificates_version = version;
}

grpc_call *wire_create_call(struct wire *w, const char *method, int64_t deadline)
{
    grpc_slice name = grpc_slice_from_copied_string(method);
    pthread_mutex_lock(&w->channel_lock);
    if (w->credentials.certificates)
        renew_channel(w);
    grpc_call *call = grpc_channel_create_call(w->channel, NULL, GRPC_PROPAGATE_DEFAULTS, w->queue, name, NULL,
                                               wire_timespec(deadline), NULL);
    pthread_mutex_unlock(&w->channel_lock);
    grpc_slice_unref(name);
    return call;
}

static void create_core(struct wire *w)
{
    w->queue = grpc_completion_queue_create_for_next(NULL);
    w->channel = connect_channel(w);
    w->lame = grpc_lame_client_channel_create("waker", GRPC_STATUS_INTERNAL, "waker");
    w->waker = grpc_channel_create_call(w->lame, NULL, GRPC_PROPAGATE_DEFAULTS, w->queue,
                                        grpc_slice_from_static_string("/waker"), NULL,
                                        gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

static void destroy_core(struct wire *w)
{
    grpc_call_unref(w->waker);
    grpc_channel_destroy(w->lame);
    grpc_channel_destroy(w->channel);
    grpc_completion_queue_destroy(w->queue);
}

static void drain(struct wire *w)
{
    while (grpc_completion_queue_next(w->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type != GRPC_QUEUE_SHUTDOWN)
        ;
}

static void free_wire(struct wire *w)
{
    pthread_cond_destroy(&w->idle);
    pthread_mutex_destroy(&w->mutex);
    pthread_mutex_destroy(&w->channel_lock);
    certificates_destroy(w->credentials.certificates);
    for (int i = 0; i < 4; i++)
        free(w->tls_texts[i]);
    free(w->address);
    free(w);
}

int wire_open(const struct wire_options *options, struct wire **out, struct saga_error *error)
{
    const char *address = options->address ? options->address : wire_default_address();
    size_t message_bytes_max = options->message_bytes_max > 0 ? options->message_bytes_max : MESSAGE_BYTES_MAX_DEFAULT;
    if (message_bytes_max > INT32_MAX)
        return saga_error_set(error, SAGA_E_INVALID_ARGUMENT, SAGA_REASON_ARGUMENT, "message_bytes_max",
                              "message_bytes_max is at most 2147483647");
    unsigned generation;
    int code = forked_begin(&generation, error);
    if (code != SAGA_OK)
        return code;
    struct wire *w = calloc(1, sizeof *w);
    if (w)
        w->address = strdup(address);
    if (!w || !w->address) {
        free(w);
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a client");
    }
    pthread_mutex_init(&w->mutex, NULL);
    pthread_mutex_init(&w->channel_lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->idle, &attributes);
    pthread_condattr_destroy(&attributes);
    w->message_bytes_max = message_bytes_max;
    code = take_address(w, options, error);
    if (code != SAGA_OK) {
        free_wire(w);
        return code;
    }
    w->wake_tag.done = woken;
    w->hooks = options->hooks;
    w->generation = generation;

    /* The application's signals are handled on the application's threads: neither ours nor C core's may take them. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    transport_core();
    create_core(w);
    int failed = pthread_create(&w->thread, NULL, work, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        grpc_completion_queue_shutdown(w->queue);
        drain(w);
        destroy_core(w);
        free_wire(w);
        return saga_error_set(error, SAGA_E_INTERNAL, SAGA_REASON_SYSTEM, NULL, "no thread could be started");
    }
    *out = w;
    return SAGA_OK;
}

/* Waits for the thread's end. Returns false when what is stuck on a connection keeps it from that: it ends the wire once that has come out. */
static bool await_thread(struct wire *w)
{
    int64_t deadline = wire_deadline(LINGER_MS);
    struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
    pthread_mutex_lock(&w->mutex);
    for (int late = 0; !w->ended && late == 0;)
        late = pthread_cond_timedwait(&w->idle, &w->mutex, &until);
    bool ended = w->ended;
    w->abandoned = !ended;
    while (!ended && w->turning)
        pthread_cond_wait(&w->idle, &w->mutex);
    if (!ended)
        pthread_detach(w->thread);
    pthread_mutex_unlock(&w->mutex);
    return ended;
}

void wire_close(struct wire *w)
{
    if (!w || wire_forked(w))
        return;
    wire_shutdown(w);
    pthread_mutex_lock(&w->mutex);
    while (w->live)
        pthread_cond_wait(&w->idle, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
    grpc_completion_queue_shutdown(w->queue);
    if (!await_thread(w))
        return;
    pthread_join(w->thread, NULL);
    destroy_core(w);
    free_wire(w);
}

const char *wire_address(const struct wire *w)
{
    return w->address;
}
