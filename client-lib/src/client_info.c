/* client_info.c - from the messages of saga.v1 to the public structs, and the names of their numbers. */
#include "client-lib/src/client_inside.h"

#include <string.h>

/* The generated names are whole: "SAGA_STATE_RUNNING". */
static const char *name_of(const ProtobufCEnumDescriptor *type, int value, size_t prefix_size)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    return found ? found->name + prefix_size : "UNKNOWN_VALUE";
}

const char *saga_state_name(int state)
{
    return name_of(&saga__v1__saga_state__descriptor, state, strlen("SAGA_STATE_"));
}

const char *saga_reason_name(int reason)
{
    return name_of(&saga__v1__reason__descriptor, reason, strlen("REASON_"));
}

const char *saga_action_name(int action)
{
    return name_of(&saga__v1__action_state__descriptor, action, strlen("ACTION_STATE_"));
}

const char *saga_compensation_name(int compensation)
{
    return name_of(&saga__v1__compensation_state__descriptor, compensation, strlen("COMPENSATION_STATE_"));
}

const char *saga_event_name(int type)
{
    return name_of(&saga__v1__event_type__descriptor, type, strlen("EVENT_TYPE_"));
}

bool saga_state_final(int state)
{
    return state == SAGA_STATE_COMMITTED || state == SAGA_STATE_COMPENSATED || state == SAGA_STATE_RESOLVED;
}

void client_copy_text(char *to, size_t size, const char *from)
{
    size_t length = strnlen(from, size - 1);
    memcpy(to, from, length);
    to[length] = '\0';
}

int64_t client_time_ms(const Google__Protobuf__Timestamp *at)
{
    /* The bounds of a Timestamp, years 1 to 9999, keep the product in range whatever the peer sends. */
    if (!at || at->seconds < INT64_C(-62135596800) || at->seconds > INT64_C(253402300799))
        return 0;
    return at->seconds * 1000 + at->nanos / 1000000;
}

void client_info_of(const Saga__V1__Saga *saga, struct saga_info *out)
{
    memset(out, 0, sizeof *out);
    client_copy_text(out->saga_id, sizeof out->saga_id, saga->id);
    client_copy_text(out->definition, sizeof out->definition, saga->definition);
    client_copy_text(out->version, sizeof out->version, saga->version);
    client_copy_text(out->request_id, sizeof out->request_id, saga->request_id);
    client_copy_text(out->reason_step, sizeof out->reason_step, saga->reason_step);
    client_copy_text(out->stuck_step, sizeof out->stuck_step, saga->stuck_step);
    out->state = (int)saga->state;
    out->reason = (int)saga->reason;
    out->stuck_reason = (int)saga->stuck_reason;
    out->enlisted = saga->mode == SAGA__V1__SAGA_MODE__SAGA_MODE_ENLISTED;
    out->paused = saga->paused;
    out->started_at_ms = client_time_ms(saga->started_at);
    out->ended_at_ms = client_time_ms(saga->ended_at);
    out->deadline_ms = client_time_ms(saga->deadline);
}

void client_step_of(const Saga__V1__Step *step, struct saga_step *out)
{
    *out = (struct saga_step){
        .name = step->name,
        .action = (int)step->action,
        .compensation = (int)step->compensation,
        .action_attempts = step->action_attempts,
        .compensation_attempts = step->compensation_attempts,
        .started_at_ms = client_time_ms(step->started_at),
        .waiting_for = step->waiting_for,
        .last_status = step->last_status,
        .last_message = step->last_message,
        .output = step->output.len > 0 ? step->output.data : NULL,
        .output_size = step->output.len,
    };
}

void client_event_of(const Saga__V1__Event *event, struct saga_event *out)
{
    *out = (struct saga_event){
        .cursor = event->cursor,
        .at_ms = client_time_ms(event->at),
        .type = (int)event->type,
        .saga_id = event->saga_id,
        .step = event->step,
        .attempt = event->attempt,
        .status = event->status,
        .message = event->message,
        .reason = (int)event->reason,
        .action = (int)event->action,
        .compensation = (int)event->compensation,
        .state = (int)event->state,
        .next_attempt_at_ms = client_time_ms(event->next_attempt_at),
        .actor = event->actor,
        .definition = event->definition,
    };
}
