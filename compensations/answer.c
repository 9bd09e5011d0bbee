/* answer.c - the table of answers. */
#include "compensations/answer.h"

#include "sidecar/base/grpc_status.h"

#include <string.h>

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

enum saga_reach saga_reach_of_status(int status, const char *said)
{
    if (said != NULL && strcmp(said, SAGA_FUNCTION_NOT_BEGUN) == 0)
        return SAGA_REACH_NOT_BEGUN;
    if (said != NULL && strcmp(said, SAGA_FUNCTION_ENDED) == 0)
        return SAGA_REACH_ANSWERED;
    switch (status) {
    case CODE_OK:
    case CODE_INVALID_ARGUMENT:
    case CODE_NOT_FOUND:
    case CODE_ALREADY_EXISTS:
    case CODE_PERMISSION_DENIED:
    case CODE_RESOURCE_EXHAUSTED:
    case CODE_FAILED_PRECONDITION:
    case CODE_ABORTED:
    case CODE_OUT_OF_RANGE:
    case CODE_UNIMPLEMENTED:
    case CODE_DATA_LOSS:
    case CODE_UNAUTHENTICATED:
        return SAGA_REACH_ANSWERED;
    default:
        return SAGA_REACH_MAYBE;
    }
}

struct saga_answer saga_answer_of_action(int status, enum saga_reach reach, uint32_t retryable_status_codes)
{
    bool known = status > CODE_OK && status < CODE_COUNT;
    int kind = known ? kinds[status] : AMBIGUOUS;
    bool listed = known && (retryable_status_codes >> status & 1) != 0;

    if (reach == SAGA_REACH_NONE || reach == SAGA_REACH_NOT_BEGUN)
        return (struct saga_answer){
            .meaning = SAGA_MEANS_REJECTED,
            .retry = reach == SAGA_REACH_NONE || kind != REJECTS || listed,
        };
    if (status == CODE_OK)
        return (struct saga_answer){.meaning = SAGA_MEANS_DONE, .retry = false};

    /* A refusal of which it is not known who said it proves nothing. */
    bool rejected = kind == REJECTS && reach == SAGA_REACH_ANSWERED;
    return (struct saga_answer){
        .meaning = rejected ? SAGA_MEANS_REJECTED : SAGA_MEANS_UNKNOWN,
        .retry = kind == TRANSIENT || listed,
    };
}
