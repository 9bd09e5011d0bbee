/* client_snapshot.c - a saga with its steps and its timeline: the answer of Get, kept, with views of it. */
#include "client-lib/src/client_inside.h"

#include <stdlib.h>

struct saga_snapshot {
    Saga__V1__GetResponse *message; /* the texts are in here */
    struct saga_info info;
    struct saga_step *steps;
    struct saga_event *events;
};

/* Takes message on success. */
static int create(Saga__V1__GetResponse *message, saga_snapshot **out, struct saga_error *error)
{
    if (!message->saga)
        return saga_error_set(error, SAGA_E_INTERNAL, SAGA_REASON_PROTOCOL, NULL,
                              "the sidecar's answer has no saga in it");
    saga_snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct saga_step *steps = calloc(message->saga->n_steps + 1, sizeof *steps);
    struct saga_event *events = calloc(message->n_timeline + 1, sizeof *events);
    if (!snapshot || !steps || !events) {
        free(snapshot);
        free(steps);
        free(events);
        return saga_error_set(error, SAGA_E_RESOURCE_EXHAUSTED, SAGA_REASON_MEMORY, NULL, "no memory for a snapshot");
    }
    snapshot->message = message;
    snapshot->steps = steps;
    snapshot->events = events;
    client_info_of(message->saga, &snapshot->info);
    for (size_t i = 0; i < message->saga->n_steps; i++)
        client_step_of(message->saga->steps[i], &steps[i]);
    for (size_t i = 0; i < message->n_timeline; i++)
        client_event_of(message->timeline[i], &events[i]);
    *out = snapshot;
    return SAGA_OK;
}

/* As many as the sidecar gives on a page. */
#define EVENTS_MAX 5000

int saga_snapshot_get(saga_client *client, const char *saga_id, unsigned flags, saga_snapshot **out,
                      struct saga_error *error)
{
    Saga__V1__GetRequest request = SAGA__V1__GET_REQUEST__INIT;
    request.page_size = EVENTS_MAX;
    if (!out)
        return client_refuse(error, "out", "out must not be NULL");
    *out = NULL;
    int code = client_saga_id(saga_id, &request.saga_id, error);
    if (code != SAGA_OK)
        return code;
    if (flags & ~SAGA_SNAPSHOT_PAYLOADS)
        return client_refuse(error, "flags", "flags holds a bit that means nothing");
    request.include_payloads = (flags & SAGA_SNAPSHOT_PAYLOADS) != 0;
    struct client_call call = {
        .method = COORDINATOR "Get",
        .request = &request.base,
        .response_type = &saga__v1__get_response__descriptor,
    };
    code = client_call(client, &call, error);
    if (code != SAGA_OK)
        return code;
    code = create((void *)call.response, out, error);
    if (code != SAGA_OK)
        protobuf_c_message_free_unpacked(call.response, NULL);
    return code;
}

const struct saga_info *saga_snapshot_info(const saga_snapshot *snapshot)
{
    return &snapshot->info;
}

size_t saga_snapshot_step_count(const saga_snapshot *snapshot)
{
    return snapshot->message->saga->n_steps;
}

const struct saga_step *saga_snapshot_step(const saga_snapshot *snapshot, size_t index)
{
    return index < saga_snapshot_step_count(snapshot) ? &snapshot->steps[index] : NULL;
}

size_t saga_snapshot_event_count(const saga_snapshot *snapshot)
{
    return snapshot->message->n_timeline;
}

const struct saga_event *saga_snapshot_event(const saga_snapshot *snapshot, size_t index)
{
    return index < saga_snapshot_event_count(snapshot) ? &snapshot->events[index] : NULL;
}

bool saga_snapshot_truncated(const saga_snapshot *snapshot)
{
    return snapshot->message->timeline_truncated;
}

void saga_snapshot_free(saga_snapshot *snapshot)
{
    if (!snapshot)
        return;
    protobuf_c_message_free_unpacked(&snapshot->message->base, NULL);
    free(snapshot->steps);
    free(snapshot->events);
    free(snapshot);
}
