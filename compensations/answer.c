/* answer.c - the table of answers. */
#include "compensations/answer.h"

#include "sidecar/base/grpc_status.h"

enum { REJECTS, TRANSIENT, AMBIGUOUS };

/* By status code. */
static const unsigned char kinds[CODE_COUNT] = {
    [CODE_OK] = AMBIGUOUS, /* handled before */
    [CODE_CANCELLED] = AMBIGUOUS,
    [CODE_UNKNOWN] = AMBIGUOUS,
    [CODE_INVALID_ARGUMENT] = REJECTS,
    [CODE_DEADLINE_EXCEEDED] = TRANSIENT,
    [CODE_NOT_FOUND] = REJECTS,
    [CODE_ALREADY_EXISTS] = REJECTS,
    [CODE_PERMISSION_DENIED] = REJECTS,
    [CODE_RESOURCE_EXHAUSTED] = TRANSIENT,
    [CODE_FAILED_PRECONDITION] = REJECTS,
    [CODE_ABORTED] = TRANSIENT,
    [CODE_OUT_OF_RANGE] = REJECTS,
    [CODE_UNIMPLEMENTED] = REJECTS,
    [CODE_INTERNAL] = AMBIGUOUS,
    [CODE_UNAVAILABLE] = TRANSIENT,
    [CODE_DATA_LOSS] = AMBIGUOUS,
    [CODE_UNAUTHENTICATED] = REJECTS,
};

struct saga_answer saga_answer_of_action(int status, enum saga_reach reach, uint32_t retryable_status_codes)
{
    if (reach == SAGA_REACH_NONE)
        return (struct saga_answer){.meaning = SAGA_MEANS_REJECTED, .retry = true};
    if (status == CODE_OK)
        return (struct saga_answer){.meaning = SAGA_MEANS_DONE, .retry = false};

    bool known = status > CODE_OK && status < CODE_COUNT;
    int kind = known ? kinds[status] : AMBIGUOUS;
    bool listed = known && (retryable_status_codes >> status & 1) != 0;

    /* A refusal that the participant did not send itself (made up on this side when a connection broke) proves nothing. */
    bool rejected = kind == REJECTS && reach == SAGA_REACH_ANSWERED;
    return (struct saga_answer){
        .meaning = rejected ? SAGA_MEANS_REJECTED : SAGA_MEANS_UNKNOWN,
        .retry = kind == TRANSIENT || listed,
    };
}
