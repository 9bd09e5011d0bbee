/* cmd_act.c - what an operator does to a saga: cancel, pause, resume, retry, skip, reject, resolve; and to the sidecar: reload, breaker. */
#include "client-lib/sagactl/json.h"
#include "client-lib/sagactl/run.h"

#include <string.h>

/* Protobuf-c's strings are not const; it does not write to those of a request. */
static char *text_of(const char *text)
{
    return text != NULL ? (char *)(uintptr_t)text : (char *)(uintptr_t)protobuf_c_empty_string;
}

/* Sends an act whose answer is empty, and says that it is done: `what` follows the saga's id. */
static int act(struct run *r, const char *method, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *type, const char *what)
{
    ProtobufCMessage *answer;
    int status = run_call(r, method, request, type, &answer);
    if (status != EXIT_DONE)
        return status;
    protobuf_c_message_free_unpacked(answer, NULL);
    if (!r->o.json)
        fprintf(r->screen.out, "%s %s\n", r->o.words[0], what);
    else if (json_put(r->screen.out, json_pack("{ssss}", "saga_id", r->o.words[0], "command", r->o.command->name),
                      false) != 0)
        status = run_say(r, EXIT_REFUSED, "it is done, but there is no memory to say so");
    return status;
}

int command_cancel(struct run *r)
{
    Saga__V1__CancelRequest request = SAGA__V1__CANCEL_REQUEST__INIT;
    request.saga_id = r->o.words[0];
    request.actor = r->o.actor;
    request.reason = text_of(r->o.reason);
    return act(r, "/saga.v1.Coordinator/Cancel", &request.base, &saga__v1__cancel_response__descriptor,
               "has been turned back");
}

int command_pause(struct run *r)
{
    Saga__V1__PauseRequest request = SAGA__V1__PAUSE_REQUEST__INIT;
    request.saga_id = r->o.words[0];
    request.actor = r->o.actor;
    request.reason = text_of(r->o.reason);
    return act(r, "/saga.v1.Operator/Pause", &request.base, &saga__v1__pause_response__descriptor, "is paused");
}

int command_resume(struct run *r)
{
    Saga__V1__ResumeRequest request = SAGA__V1__RESUME_REQUEST__INIT;
    request.saga_id = r->o.words[0];
    request.actor = r->o.actor;
    return act(r, "/saga.v1.Operator/Resume", &request.base, &saga__v1__resume_response__descriptor, "goes on");
}

int command_breaker(struct run *r)
{
    static const char *const told[] = {"is open, and few calls try the target when its time is over",
                                       "is held open until it is reset", "is closed"};
    Saga__V1__SetBreakerRequest request = SAGA__V1__SET_BREAKER_REQUEST__INIT;
    ProtobufCMessage *answer;
    unsigned which = 0;
    while (strcmp(r->o.command->values[which], r->o.words[0]) != 0)
        which++;
    request.act = (Saga__V1__BreakerAct)(which + SAGA__V1__BREAKER_ACT__BREAKER_ACT_TRIP);
    request.target = r->o.words[1];
    request.actor = r->o.actor;
    request.reason = text_of(r->o.reason);
    int status = run_call(r, "/saga.v1.Operator/SetBreaker", &request.base, &saga__v1__set_breaker_response__descriptor,
                          &answer);
    if (status != EXIT_DONE)
        return status;
    protobuf_c_message_free_unpacked(answer, NULL);
    if (!r->o.json)
        fprintf(r->screen.out, "the breaker of target %s %s\n", r->o.words[1], told[which]);
    else if (json_put(r->screen.out, json_pack("{ssss}", "target", r->o.words[1], "breaker", r->o.words[0]), false) !=
             0)
        status = run_say(r, EXIT_REFUSED, "it is done, but there is no memory to say so");
    return status;
}

static int hold_or_release(struct run *r, bool release)
{
    Saga__V1__HoldDefinitionRequest request = SAGA__V1__HOLD_DEFINITION_REQUEST__INIT;
    ProtobufCMessage *answer;
    request.definition = r->o.words[0];
    request.release = release;
    request.actor = r->o.actor;
    request.reason = text_of(r->o.reason);
    int status = run_call(r, "/saga.v1.Operator/HoldDefinition", &request.base,
                          &saga__v1__hold_definition_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    protobuf_c_message_free_unpacked(answer, NULL);
    if (!r->o.json)
        fprintf(r->screen.out,
                release ? "sagas of %s are started again\n" : "no saga of %s is started until it is released\n",
                r->o.words[0]);
    else if (json_put(r->screen.out, json_pack("{sssb}", "definition", r->o.words[0], "held", !release), false) != 0)
        status = run_say(r, EXIT_REFUSED, "it is done, but there is no memory to say so");
    return status;
}

int command_hold(struct run *r)
{
    return hold_or_release(r, false);
}

int command_release(struct run *r)
{
    return hold_or_release(r, true);
}

int command_forget(struct run *r)
{
    Saga__V1__ForgetAnswerRequest request = SAGA__V1__FORGET_ANSWER_REQUEST__INIT;
    ProtobufCMessage *answer;
    request.name = r->o.words[0];
    request.key = r->o.words[1];
    request.actor = r->o.actor;
    request.reason = text_of(r->o.reason);
    int status = run_call(r, "/saga.v1.Operator/ForgetAnswer", &request.base,
                          &saga__v1__forget_answer_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    protobuf_c_message_free_unpacked(answer, NULL);
    if (!r->o.json)
        fprintf(r->screen.out, "no fallback takes an answer of %s under this key that was given before\n",
                r->o.words[0]);
    else if (json_put(r->screen.out, json_pack("{sssb}", "name", r->o.words[0], "forgotten", 1), false) != 0)
        status = run_say(r, EXIT_REFUSED, "it is done, but there is no memory to say so");
    return status;
}

/* What somebody must do is said loudest. */
int command_reload(struct run *r)
{
    Saga__V1__ReloadRequest request = SAGA__V1__RELOAD_REQUEST__INIT;
    Saga__V1__ReloadResponse *answer;
    char text[1024];
    request.actor = r->o.actor;
    int status =
        run_call(r, "/saga.v1.Operator/Reload", &request.base, &saga__v1__reload_response__descriptor, &answer);
    if (status != EXIT_DONE)
        return status;
    if (r->o.json) {
        status = run_json(r, &answer->base, false);
    } else {
        for (size_t i = 0; i < answer->n_taken; i++)
            fprintf(r->screen.out, "taken: %s\n", screen_clean(&r->screen, answer->taken[i], text, sizeof text));
        for (size_t i = 0; i < answer->n_needs_restart; i++)
            screen_put(&r->screen, PAINT_STRONG, "needs a restart: %s\n",
                       screen_clean(&r->screen, answer->needs_restart[i], text, sizeof text));
        if (answer->n_taken + answer->n_needs_restart == 0)
            fputs("nothing has changed\n", r->screen.out);
    }
    saga__v1__reload_response__free_unpacked(answer, NULL);
    return status;
}

int command_retry(struct run *r)
{
    Saga__V1__RetryRequest request = SAGA__V1__RETRY_REQUEST__INIT;
    if (r->o.all)
        return run_retry_all(r);
    request.saga_id = r->o.words[0];
    request.step = text_of(r->o.word_count > 1 ? r->o.words[1] : NULL);
    request.actor = r->o.actor;
    return act(r, "/saga.v1.Operator/Retry", &request.base, &saga__v1__retry_response__descriptor, "is tried again");
}

int command_skip(struct run *r)
{
    Saga__V1__SkipRequest request = SAGA__V1__SKIP_REQUEST__INIT;
    request.saga_id = r->o.words[0];
    request.step = r->o.words[1];
    request.actor = r->o.actor;
    request.reason = text_of(r->o.reason);
    return act(r, "/saga.v1.Operator/Skip", &request.base, &saga__v1__skip_response__descriptor,
               "goes on without the step");
}

int command_reject(struct run *r)
{
    Saga__V1__RejectRequest request = SAGA__V1__REJECT_REQUEST__INIT;
    request.saga_id = r->o.words[0];
    request.step = r->o.words[1];
    request.actor = r->o.actor;
    request.reason = text_of(r->o.reason);
    return act(r, "/saga.v1.Operator/Reject", &request.base, &saga__v1__reject_response__descriptor,
               "is told that the step did not happen");
}

int command_resolve(struct run *r)
{
    Saga__V1__ResolveRequest request = SAGA__V1__RESOLVE_REQUEST__INIT;
    request.saga_id = r->o.words[0];
    request.actor = r->o.actor;
    request.reason = text_of(r->o.reason);
    return act(r, "/saga.v1.Operator/Resolve", &request.base, &saga__v1__resolve_response__descriptor, "is resolved");
}
