/* grpc_caller.c - unary calls on C core, each with a completion queue of its own. */
#include "tests/support/grpc_caller.h"

#include <stdio.h>
#include <string.h>

#include <check.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/time.h>

void caller_open(struct caller *c, const char *address)
{
    grpc_init();
    caller_open_with(c, address, grpc_insecure_credentials_create());
    grpc_shutdown();
}

void caller_open_with(struct caller *c, const char *address, grpc_channel_credentials *credentials)
{
    grpc_init();
    grpc_arg arguments[] = {
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, .value.integer = 1},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_ENABLE_RETRIES, .value.integer = 0},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, .value.integer = 20},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, .value.integer = 1000},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_ENABLE_HTTP_PROXY, .value.integer = 0},
    };
    grpc_channel_args list = {.num_args = sizeof arguments / sizeof arguments[0], .args = arguments};
    c->channel = grpc_channel_create(address, credentials, &list);
    grpc_channel_credentials_release(credentials);
}

void caller_close(struct caller *c)
{
    grpc_channel_destroy(c->channel);
    grpc_shutdown();
}

void caller_start(struct caller *c, struct caller_call *call)
{
    call->queue = grpc_completion_queue_create_for_next(NULL);
    gpr_timespec deadline = call->timeout_ms < 0 ? gpr_inf_future(GPR_CLOCK_MONOTONIC)
                                                 : gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                                                gpr_time_from_millis(call->timeout_ms, GPR_TIMESPAN));
    grpc_slice method = grpc_slice_from_copied_string(call->method);
    call->call =
        grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, call->queue, method, NULL, deadline, NULL);
    grpc_slice_unref(method);
    grpc_metadata metadata[CALLER_METADATA_MAX];
    size_t metadata_count = 0;
    for (; metadata_count < CALLER_METADATA_MAX && call->metadata[metadata_count][0] != NULL; metadata_count++) {
        metadata[metadata_count].key = grpc_slice_from_copied_string(call->metadata[metadata_count][0]);
        metadata[metadata_count].value = grpc_slice_from_copied_string(call->metadata[metadata_count][1]);
    }
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->received = NULL;
    call->details = grpc_empty_slice();
    grpc_slice bytes = grpc_slice_from_copied_buffer(call->request, call->request_size);
    grpc_byte_buffer *sent = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_slice_unref(bytes);

    grpc_op ops[6];
    memset(ops, 0, sizeof ops);
    size_t count = 0;
    ops[count].op = GRPC_OP_SEND_INITIAL_METADATA;
    /* C core 1.51 now and then fails to connect to a server that listens ("No such file or directory": a clobbered errno). */
    ops[count].flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY;
    ops[count].data.send_initial_metadata.count = metadata_count;
    ops[count++].data.send_initial_metadata.metadata = metadata;
    if (!call->no_message) {
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = sent;
    }
    ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[count].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[count++].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    ops[count].op = GRPC_OP_RECV_MESSAGE;
    ops[count++].data.recv_message.recv_message = &call->received;
    ops[count].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[count].data.recv_status_on_client.trailing_metadata = &call->trailing;
    ops[count].data.recv_status_on_client.status = &call->code;
    ops[count++].data.recv_status_on_client.status_details = &call->details;
    ck_assert_int_eq(grpc_call_start_batch(call->call, ops, count, call, NULL), GRPC_CALL_OK);
    grpc_byte_buffer_destroy(sent);
    for (size_t i = 0; i < metadata_count; i++) {
        grpc_slice_unref(metadata[i].key);
        grpc_slice_unref(metadata[i].value);
    }
}

static void copy_text(char *to, size_t size, grpc_slice from)
{
    size_t length = GRPC_SLICE_LENGTH(from) < size ? GRPC_SLICE_LENGTH(from) : size - 1;
    memcpy(to, GRPC_SLICE_START_PTR(from), length);
    to[length] = '\0';
}

static void read_answer(struct caller_call *call)
{
    call->answer_size = 0;
    if (call->received == NULL)
        return;
    grpc_byte_buffer_reader reader;
    ck_assert(grpc_byte_buffer_reader_init(&reader, call->received));
    grpc_slice whole = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    ck_assert_uint_le(GRPC_SLICE_LENGTH(whole), sizeof call->answer);
    call->answer_size = GRPC_SLICE_LENGTH(whole);
    memcpy(call->answer, GRPC_SLICE_START_PTR(whole), call->answer_size);
    grpc_slice_unref(whole);
    grpc_byte_buffer_destroy(call->received);
}

void caller_finish(struct caller_call *call)
{
    gpr_timespec bound = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(30, GPR_TIMESPAN));
    grpc_event event = grpc_completion_queue_next(call->queue, bound, NULL);
    ck_assert_msg(event.type == GRPC_OP_COMPLETE, "the call to %s did not end within 30 s", call->method);
    call->status = (int)call->code;
    copy_text(call->message, sizeof call->message, call->details);
    call->pushback[0] = '\0';
    call->function[0] = '\0';
    for (size_t i = 0; i < call->trailing.count; i++) {
        const grpc_metadata *m = &call->trailing.metadata[i];
        if (grpc_slice_str_cmp(m->key, "grpc-retry-pushback-ms") == 0)
            copy_text(call->pushback, sizeof call->pushback, m->value);
        else if (grpc_slice_str_cmp(m->key, "saga-function") == 0)
            copy_text(call->function, sizeof call->function, m->value);
    }
    read_answer(call);
    grpc_slice_unref(call->details);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_call_unref(call->call);
    grpc_completion_queue_shutdown(call->queue);
    while (grpc_completion_queue_next(call->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        ;
    grpc_completion_queue_destroy(call->queue);
}

void caller_cancel(struct caller_call *call)
{
    grpc_call_cancel(call->call, NULL);
}

int caller_run(struct caller *c, struct caller_call *call)
{
    caller_start(c, call);
    caller_finish(call);
    return call->status;
}
