/* load_calls.c - unary calls, spread over connections. */
#include "tests/bench/load.h"
#include "tests/bench/tls.h"

#define METHODS_MAX 16

static grpc_channel **channels;
static int channel_count, channel_next;
static void *(*methods)[METHODS_MAX]; /* of each channel */
static int method_count;

/* The address of one of several targets: unix sockets beside one another. */
const char *calls_target(const char *address, int index, int targets, char text[CALLS_TARGET_SIZE])
{
    if (targets == 1)
        snprintf(text, CALLS_TARGET_SIZE, "%s", address);
    else
        snprintf(text, CALLS_TARGET_SIZE, "%s.%d", address, index);
    return text;
}

void calls_open(const char *address, int connections, int targets)
{
    char one[CALLS_TARGET_SIZE];
    channel_count = targets > 1 ? targets : connections;
    channels = calloc((size_t)channel_count, sizeof(grpc_channel *));
    methods = calloc((size_t)channel_count, sizeof *methods);
    if (channels == NULL || methods == NULL)
        load_fail("memory");
    for (int i = 0; i < channel_count; i++) {
        grpc_arg args[] = {
            {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t) "bench.connection", .value.integer = i},
            {.type = GRPC_ARG_INTEGER,
             .key = (char *)(uintptr_t)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
             .value.integer = 1},
            {.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_ENABLE_RETRIES, .value.integer = 0},
        };
        grpc_channel_credentials *credentials = tls_channel();
        channels[i] = grpc_channel_create(calls_target(address, i, targets, one), credentials,
                                          &(grpc_channel_args){.num_args = 3, .args = args});
        grpc_channel_credentials_release(credentials);
    }
}

grpc_channel *calls_channel(int index)
{
    return channels[index % channel_count];
}

int calls_method(const char *path)
{
    for (int i = 0; i < channel_count; i++)
        methods[i][method_count] = grpc_channel_register_call(channels[i], path, NULL, NULL);
    return method_count++;
}

static void ended(struct op *op, bool ok)
{
    struct call *c = (struct call *)(void *)op;
    size_t size = 0;
    uint8_t *bytes = c->answer == NULL ? NULL : load_bytes(c->answer, &size);
    (void)ok;
    grpc_metadata_array_destroy(&c->initial);
    grpc_metadata_array_destroy(&c->trailing);
    grpc_slice_unref(c->message);
    grpc_byte_buffer_destroy(c->answer);
    grpc_call_unref(c->call);
    c->done(c, c->status, bytes, size);
    gpr_free(bytes);
}

void calls_start(struct call *c, int method, const void *request, size_t size)
{
    int channel = channel_next++ % channel_count;
    grpc_byte_buffer *buffer = load_buffer(request, size);
    grpc_op ops[6];
    memset(ops, 0, sizeof ops);
    c->op.done = ended;
    c->answer = NULL;
    c->message = grpc_empty_slice();
    c->started = load_now();
    grpc_metadata_array_init(&c->initial);
    grpc_metadata_array_init(&c->trailing);
    c->call = grpc_channel_create_registered_call(
        channels[channel], NULL, GRPC_PROPAGATE_DEFAULTS, load_queue, methods[channel][method],
        c->deadline_s > 0
            ? gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(c->deadline_s, GPR_TIMESPAN))
            : gpr_inf_future(GPR_CLOCK_MONOTONIC),
        NULL);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = buffer;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &c->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &c->answer;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &c->trailing;
    ops[5].data.recv_status_on_client.status = &c->status;
    ops[5].data.recv_status_on_client.status_details = &c->message;
    if (grpc_call_start_batch(c->call, ops, 6, &c->op, NULL) != GRPC_CALL_OK)
        load_fail("start_batch");
    grpc_byte_buffer_destroy(buffer);
}
