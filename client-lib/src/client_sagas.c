/* client_sagas.c - definitions and orchestrated sagas: register, start, wait, get, cancel. */
#include "client-lib/src/client_inside.h"

#include <string.h>

static int answer_incomplete(struct saga_error *error)
{
    return saga_error_set(error, SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL, NULL, "the sidecar's answer has no saga in it");
}

int saga_register_definition(saga_client *client, const char *yaml, size_t size, bool dry_run,
                             struct saga_registration *out, struct saga_error *error)
{
    if (!yaml || size == 0)
        return client_refuse(error, "source", "the text of a definition is needed");
    Saga__V1__RegisterDefinitionRequest request = SAGA__V1__REGISTER_DEFINITION_REQUEST__INIT;
    request.source = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)yaml, .len = size};
    request.dry_run = dry_run;
    struct client_call call = {
        .method = COORDINATOR "RegisterDefinition",
        .request = &request.base,
        .response_type = &saga__v1__register_definition_response__descriptor,
    };
    int code = client_call(client, &call, error);
    if (code != SAGA_OK)
        return code;
    if (out) {
        const Saga__V1__RegisterDefinitionResponse *response = (const void *)call.response;
        memset(out, 0, sizeof *out);
        client_copy_text(out->name, sizeof out->name, response->name);
        client_copy_text(out->version, sizeof out->version, response->version);
        out->already_registered = response->already_registered;
    }
    protobuf_c_message_free_unpacked(call.response, NULL);
    return SAGA_OK;
}

int saga_start(saga_client *client, const struct saga_start_options *options, struct saga_started *out,
               struct saga_error *error)
{
    struct built_start start;
    int code = build_start(&start, options, error);
    if (code != SAGA_OK)
        return code;
    struct client_call call = {
        .method = COORDINATOR "Start",
        .request = &start.message.base,
        .response_type = &saga__v1__start_response__descriptor,
        .timeout_ms = options->timeout_ms,
    };
    code = client_call(client, &call, error);
    if (code != SAGA_OK)
        return code;
    if (out) {
        const Saga__V1__StartResponse *response = (const void *)call.response;
        memset(out, 0, sizeof *out);
        client_copy_text(out->saga_id, sizeof out->saga_id, response->saga_id);
        client_copy_text(out->request_id, sizeof out->request_id, start.request_id);
        out->already_started = response->already_started;
    }
    protobuf_c_message_free_unpacked(call.response, NULL);
    return SAGA_OK;
}

/* Wait and Get answer alike: a message with a saga in it, which saga_of finds. */
static int ask(saga_client *client, struct client_call *call,
               const Saga__V1__Saga *(*saga_of)(const ProtobufCMessage *), struct saga_info *out,
               struct saga_error *error)
{
    int code = client_call(client, call, error);
    if (code != SAGA_OK)
        return code;
    const Saga__V1__Saga *saga = saga_of(call->response);
    if (!saga)
        code = answer_incomplete(error);
    else if (out)
        client_info_of(saga, out);
    protobuf_c_message_free_unpacked(call->response, NULL);
    return code;
}

static const Saga__V1__Saga *saga_of_wait(const ProtobufCMessage *message)
{
    return ((const Saga__V1__WaitResponse *)(const void *)message)->saga;
}

static const Saga__V1__Saga *saga_of_get(const ProtobufCMessage *message)
{
    return ((const Saga__V1__GetResponse *)(const void *)message)->saga;
}

int saga_wait(saga_client *client, const char *saga_id, unsigned flags, int64_t timeout_ms, struct saga_info *out,
              struct saga_error *error)
{
    Saga__V1__WaitRequest request = SAGA__V1__WAIT_REQUEST__INIT;
    int code = client_saga_id(saga_id, &request.saga_id, error);
    if (code != SAGA_OK)
        return code;
    if (flags & ~(SAGA_WAIT_UNTIL_STUCK | SAGA_WAIT_UNTIL_ANSWERED))
        return client_refuse(error, "flags", "flags holds a bit that means nothing");
    request.until_stuck = (flags & SAGA_WAIT_UNTIL_STUCK) != 0;
    request.until_answered = (flags & SAGA_WAIT_UNTIL_ANSWERED) != 0;
    struct client_call call = {
        .method = COORDINATOR "Wait",
        .request = &request.base,
        .response_type = &saga__v1__wait_response__descriptor,
        .timeout_ms = timeout_ms,
    };
    return ask(client, &call, saga_of_wait, out, error);
}

int saga_get(saga_client *client, const char *saga_id, struct saga_info *out, struct saga_error *error)
{
    Saga__V1__GetRequest request = SAGA__V1__GET_REQUEST__INIT;
    int code = client_saga_id(saga_id, &request.saga_id, error);
    if (code != SAGA_OK)
        return code;
    struct client_call call = {
        .method = COORDINATOR "Get",
        .request = &request.base,
        .response_type = &saga__v1__get_response__descriptor,
    };
    return ask(client, &call, saga_of_get, out, error);
}

int saga_cancel(saga_client *client, const char *saga_id, const char *reason, struct saga_error *error)
{
    Saga__V1__CancelRequest request = SAGA__V1__CANCEL_REQUEST__INIT;
    int code = client_saga_id(saga_id, &request.saga_id, error);
    if (code != SAGA_OK)
        return code;
    request.reason = client_text(reason);
    struct client_call call = {
        .method = COORDINATOR "Cancel",
        .request = &request.base,
        .response_type = &saga__v1__cancel_response__descriptor,
    };
    code = client_call(client, &call, error);
    if (code == SAGA_OK)
        protobuf_c_message_free_unpacked(call.response, NULL);
    return code;
}
