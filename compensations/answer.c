/* answer.c - the table of answers. */
#include "compensations/answer.h"

enum { REJECTS, TRANSIENT, AMBIGUOUS };

/* By status code 0 to 16. OK has a row only to keep the index. */
static const unsigned char kinds[17] = {
    [0] = AMBIGUOUS,  /* OK, handled before */
    [1] = AMBIGUOUS,  /* CANCELLED */
    [2] = AMBIGUOUS,  /* UNKNOWN */
    [3] = REJECTS,    /* INVALID_ARGUMENT */
    [4] = TRANSIENT,  /* DEADLINE_EXCEEDED */
    [5] = REJECTS,    /* NOT_FOUND */
    [6] = REJECTS,    /* ALREADY_EXISTS */
    [7] = REJECTS,    /* PERMISSION_DENIED */
    [8] = TRANSIENT,  /* RESOURCE_EXHAUSTED */
    [9] = REJECTS,    /* FAILED_PRECONDITION */
    [10] = TRANSIENT, /* ABORTED */
    [11] = REJECTS,   /* OUT_OF_RANGE */
    [12] = REJECTS,   /* UNIMPLEMENTED */
    [13] = AMBIGUOUS, /* INTERNAL */
    [14] = TRANSIENT, /* UNAVAILABLE */
    [15] = AMBIGUOUS, /* DATA_LOSS */
    [16] = REJECTS,   /* UNAUTHENTICATED */
};

struct saga_answer saga_answer_of_action(int status, enum saga_reach reach, uint32_t retryable_status_codes)
{
    if (reach == SAGA_REACH_NONE)
        return (struct saga_answer){.meaning = SAGA_MEANS_REJECTED, .retry = true};
    if (status == 0)
        return (struct saga_answer){.meaning = SAGA_MEANS_DONE, .retry = false};

    bool known = status > 0 && status < (int)sizeof kinds;
    int kind = known ? kinds[status] : AMBIGUOUS;
    bool listed = known && (retryable_status_codes >> status & 1) != 0;

    /* A refusal that the participant did not send itself (made up on this side when a connection broke) proves nothing. */
    bool rejected = kind == REJECTS && reach == SAGA_REACH_ANSWERED;
    return (struct saga_answer){
        .meaning = rejected ? SAGA_MEANS_REJECTED : SAGA_MEANS_UNKNOWN,
        .retry = kind == TRANSIENT || listed,
    };
}
